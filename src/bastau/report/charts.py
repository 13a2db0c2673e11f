"""Charts as SVG made of plain strings: no scripts, no network, colours and type from the page's style sheet.

Shapes carry classes (``s0`` ... ``s5`` for series, ``repost`` ... for kinds of copy) that the page colours; series
differ in lightness and pattern, so that they stay apart in greyscale and in print. Every chart has a title and a
description, and the page puts the same figures beside it as a table. All words handed in are escaped here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

_LETTER_PX = 6.6
"""Mean width of a letter at the charts' 12 px, for fitting labels."""


@dataclass(frozen=True)
class Caption:
    """What a chart is called and what it shows, in words; ``ident`` is unique on the page."""

    ident: str
    title: str
    description: str


@dataclass(frozen=True)
class Series:
    """One series of a stacked bar chart: a count per bin."""

    label: str
    counts: Sequence[int]


@dataclass(frozen=True)
class Dot:
    """A post on a lane (index), ``offset_s`` seconds after the first."""

    lane: int
    offset_s: float
    label: str


@dataclass(frozen=True)
class Line:
    """A copy between two dots (indexes)."""

    origin: int
    copy: int
    kind: str


def svg(caption: Caption, width: float, height: float, body: Sequence[str]) -> str:
    """Return ``body`` inside an SVG root that names and describes itself."""
    names = f"{caption.ident}-t {caption.ident}-d"
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-labelledby="{names}"><title id="{caption.ident}-t">{escape(caption.title)}</title>'
        f'<desc id="{caption.ident}-d">{escape(caption.description)}</desc>{"".join(body)}</svg>'
    )


def patterns() -> str:
    """Return the hidden SVG that holds the fill patterns; once a page, before the charts."""
    marks = {
        1: '<path d="M0 6 6 0" class="pm"/>',
        3: '<circle cx="2" cy="2" r="1" class="pd"/><circle cx="5" cy="5" r="1" class="pd"/>',
        5: '<path d="M0 3h6" class="pm"/>',
    }
    body = "".join(
        f'<pattern id="p{i}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<rect width="6" height="6" class="s{i}"/>{mark}</pattern>'
        for i, mark in marks.items()
    )
    gap = '<pattern id="gap" width="5" height="5" patternUnits="userSpaceOnUse"><path d="M0 5 5 0" class="gapline"/></pattern>'
    return f'<svg width="0" height="0" class="defs" aria-hidden="true"><defs>{body}{gap}</defs></svg>'


def swatch(series: int) -> str:
    """Return the small square that stands for a series in a legend."""
    return (
        '<svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">'
        f'<rect x=".5" y=".5" width="11" height="11" {_fill(series)}/></svg>'
    )


def _fill(series: int) -> str:
    return f'class="bar" fill="url(#p{series})"' if series in (1, 3, 5) else f'class="bar s{series}"'


def _text(x: float, y: float, words: str, anchor: str = "start", cls: str = "") -> str:
    extra = f' class="{cls}"' if cls else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(words)}</text>'


def fit(words: str, px: float) -> str:
    """Return ``words`` cut to about ``px`` pixels at chart size."""
    most = max(3, int(px / _LETTER_PX))
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def round_top(highest: int) -> int:
    """Return the smallest of 1, 2, 4, 5, 8, 10, 20, ... that is at least ``highest`` and splits in halves or is odd."""
    scale = 10 ** max(0, int(math.log10(max(1, highest))))
    return next(step * scale for step in (1, 2, 4, 6, 8, 10) if step * scale >= highest)


def _tick_bins(n_bins: int, width: float, label_px: float) -> range:
    step = max(1, math.ceil(n_bins / max(1.0, width / label_px)))
    return range(0, n_bins, step)


def stacked_bars(
    caption: Caption,
    starts: Sequence[datetime],
    series: Sequence[Series],
    *,
    width: float,
    tick: Callable[[datetime], str],
    number: Callable[[int], str],
    height: float = 200,
) -> str:
    """Draw counts over time as stacked bars, the first series at the bottom."""
    left, right, top, bottom = 34.0, 6.0, 14.0, 24.0
    totals = [sum(s.counts[i] for s in series) for i in range(len(starts))]
    highest = round_top(max(totals, default=1))
    inner, floor = width - left - right, height - bottom
    step = inner / max(1, len(starts))
    # A lone bar as wide as the page would look like much.
    bar = min(step * 0.84, 36.0)

    def y_of(count: float) -> float:
        return floor - (floor - top) * count / highest

    body = []
    for count in sorted({0, highest // 2, highest} if highest > 1 else {0, highest}):
        body.append(
            f'<path d="M{left:g} {y_of(count):.1f}H{width - right:g}" class="{"axis" if not count else "grid"}"/>'
        )
        body.append(_text(left - 6, y_of(count) + 4, number(count), "end", "tick"))
    for i in range(len(starts)):
        base = 0
        for k, one in enumerate(series):
            if count := one.counts[i]:
                x, y = left + i * step + (step - bar) / 2, y_of(base + count)
                body.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{bar:.1f}" height="{y_of(base) - y:.1f}" {_fill(k)}>'
                    f"<title>{escape(f'{tick(starts[i])} · {one.label}: {number(count)}')}</title></rect>"
                )
                base += count
    for i in _tick_bins(len(starts), inner, 84):
        x = left + i * step + step / 2
        anchor = "start" if i == 0 and len(starts) > 3 else "middle"
        if x + 40 <= width or i == 0:
            body.append(_text(x if anchor == "middle" else left, height - 7, tick(starts[i]), anchor, "tick"))
    return svg(caption, width, height, body)


def coverage_strip(
    caption: Caption,
    starts: Sequence[datetime],
    counts: Sequence[int],
    *,
    width: float,
    tick: Callable[[datetime], str],
    mark: float | None = None,
    mark_label: str = "",
) -> str:
    """Draw one strip: taller and darker where more was collected, hatched where nothing was.

    ``mark`` in [0, 1] puts a labelled line at that share of the width.
    """
    top, tall, height = (20.0 if mark is not None else 4.0), 34.0, (78.0 if mark is not None else 60.0)
    step = width / max(1, len(starts))
    highest = max(counts, default=0) or 1
    body = []
    for i, count in enumerate(counts):
        x = i * step
        if count:
            # The square root keeps a quiet night visible beside a busy noon.
            bar = max(3.0, tall * math.sqrt(count / highest))
            body.append(
                f'<rect x="{x:.1f}" y="{top + tall - bar:.1f}" width="{step * 0.86:.2f}" height="{bar:.1f}" class="bar s2"/>'
            )
        else:
            body.append(f'<rect x="{x:.1f}" y="{top:g}" width="{step:.2f}" height="{tall:g}" class="gap"/>')
    body.append(f'<path d="M0 {top + tall:g}H{width:g}" class="axis"/>')
    if mark is not None:
        x = mark * width
        body.append(f'<path d="M{x:.1f} {top - 4:g}V{top + tall + 4:g}" class="mark"/>')
        body.append(_text(x, top - 8, mark_label, "end" if mark > 0.5 else "start", "strong"))
    for i in _tick_bins(len(starts), width, 96):
        if i * step + 60 <= width:
            body.append(_text(i * step, top + tall + 17, tick(starts[i]), "start", "tick"))
    return svg(caption, width, height, body)


def histogram(
    caption: Caption, labels: Sequence[str], counts: Sequence[int], *, width: float, number: Callable[[int], str]
) -> str:
    """Draw counts per class as horizontal bars, one a line, with the figure behind each."""
    label_px = min(width * 0.42, max((len(label) for label in labels), default=0) * _LETTER_PX + 12)
    row, inner = 24.0, width - label_px - 48
    highest = max(counts, default=0) or 1
    body = []
    for i, (label, count) in enumerate(zip(labels, counts, strict=True)):
        y, bar = i * row, inner * count / highest
        body.append(_text(label_px - 8, y + 16, fit(label, label_px), "end"))
        body.append(f'<rect x="{label_px:.1f}" y="{y + 5:.1f}" width="{max(bar, 1):.1f}" height="14" class="bar s0"/>')
        body.append(_text(label_px + max(bar, 1) + 6, y + 16, number(count), "start", "tick"))
    return svg(caption, width, row * len(labels) + 2, body)


def spread_graph(
    caption: Caption,
    lanes: Sequence[str],
    dots: Sequence[Dot],
    lines: Sequence[Line],
    *,
    width: float,
    offset: Callable[[float], str],
) -> str:
    """Draw posts left to right in time, one lane a source, and a curve from each original to its copy.

    Time is linear, or compressed (logarithm of the minutes since the first post) when most posts would else
    crowd at the left edge; the ticks, ``offset`` of seconds, tell.
    """
    names_beside = width >= 560
    left = min(210.0, max((len(n) for n in lanes), default=0) * _LETTER_PX + 18) if names_beside else 10.0
    row, top = (30.0 if names_beside else 44.0), 8.0
    height = top + row * len(lanes) + 26
    span = max((dot.offset_s for dot in dots), default=0.0) or 60.0
    place = time_scale([dot.offset_s for dot in dots], span)
    inner = width - left - 22

    def x_of(dot: Dot) -> float:
        return left + 6 + inner * place(dot.offset_s)

    def y_of(lane: int) -> float:
        return top + row * lane + row * (0.5 if names_beside else 0.72)

    body = []
    for i, name in enumerate(lanes):
        body.append(f'<path d="M{left:.1f} {y_of(i):.1f}H{width - 6:g}" class="lane"/>')
        if names_beside:
            body.append(_text(left - 10, y_of(i) + 4, fit(name, left - 12), "end"))
        else:
            body.append(_text(2, y_of(i) - 14, fit(name, width - 8)))
    for line in lines:
        a, b = dots[line.origin], dots[line.copy]
        x1, y1, x2, y2 = x_of(a), y_of(a.lane), x_of(b), y_of(b.lane)
        bend = max(14.0, abs(x2 - x1) / 2)
        body.append(
            f'<path d="M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}" '
            f'class="edge {escape(line.kind)}"/>'
        )
    for i, dot in enumerate(dots):
        size = 5.5 if i == 0 else 4
        body.append(
            f'<circle cx="{x_of(dot):.1f}" cy="{y_of(dot.lane):.1f}" r="{size:g}" class="{"dot first" if i == 0 else "dot"}">'
            f"<title>{escape(dot.label)}</title></circle>"
        )
    taken = -100.0
    for seconds in ticks(span):
        x = left + 6 + inner * place(seconds)
        if x - taken >= 62 and x <= width - 24:
            body.append(f'<path d="M{x:.1f} {top:g}V{height - 20:.1f}" class="grid"/>')
            body.append(_text(x, height - 5, offset(seconds), "start" if seconds == 0 else "middle", "tick"))
            taken = x
    return svg(caption, width, height, body)


def key_line(kind: str) -> str:
    """Return the short line that stands for a kind of copy in a legend."""
    return (
        '<svg width="30" height="10" viewBox="0 0 30 10" aria-hidden="true">'
        f'<path d="M1 5H29" class="edge {escape(kind)}"/></svg>'
    )


def time_scale(offsets_s: Sequence[float], span_s: float) -> Callable[[float], float]:
    """Return seconds -> [0, 1]: linear, or logarithmic when half of the posts fall in the first eighth."""
    median = sorted(offsets_s)[len(offsets_s) // 2] if offsets_s else 0.0
    if median >= span_s / 8:
        return lambda s: s / span_s
    return lambda s: math.log1p(s / 60) / math.log1p(span_s / 60)


def ticks(span_s: float) -> list[float]:
    """Return round offsets in [0, ``span_s``], dense enough for either scale."""
    minute, hour, day = 60.0, 3600.0, 86_400.0
    steps = [minute, 5 * minute, 15 * minute, hour, 3 * hour, 6 * hour, 12 * hour]
    steps += [n * day for n in (1, 2, 3, 5, 7, 14, 30, 60, 90, 180, 365, 730, 1825)]
    return [0.0, *(step for step in steps if step <= span_s)]

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
from itertools import zip_longest

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
    """A post on a lane (index), ``offset_s`` seconds after the first; ``address``: of its page."""

    lane: int
    offset_s: float
    label: str
    address: str | None = None


@dataclass(frozen=True)
class Line:
    """A copy between two dots (indexes)."""

    origin: int
    copy: int
    kind: str


def svg(caption: Caption, width: float, height: float, body: Sequence[str]) -> str:
    """Return ``body`` inside an SVG root that names and describes itself."""
    names = f"{caption.ident}-t {caption.ident}-d"
    # What is inside an image is hidden from screen readers, and so would links be.
    role = "group" if any("<a href" in part for part in body) else "img"
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="{role}" '
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


def swatch_of_gap() -> str:
    """Return the small square that stands for time in which nothing was collected."""
    return '<svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true"><rect width="12" height="12" class="gap"/></svg>'


def meter(share: float) -> str:
    """Return a small bar for a share in [0, 1]; the figure stands beside it in words."""
    return (
        '<svg class="meter" width="96" height="8" viewBox="0 0 96 8" aria-hidden="true">'
        f'<rect width="96" height="8" class="track"/><rect width="{96 * share:.1f}" height="8" class="s0"/></svg>'
    )


def _fill(series: int) -> str:
    return f'class="bar" fill="url(#p{series})"' if series in (1, 3, 5) else f'class="bar s{series}"'


def _text(x: float, y: float, words: str, anchor: str = "start", cls: str = "") -> str:
    extra = f' class="{cls}"' if cls else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(words)}</text>'


def _linked(markup: str, address: str | None, label: str = "") -> str:
    if not address:
        return markup
    spoken = f' aria-label="{escape(label)}"' if label else ""
    return f'<a href="{escape(address)}"{spoken}>{markup}</a>'


def fit(words: str, px: float) -> str:
    """Return ``words`` cut to about ``px`` pixels at chart size."""
    most = max(3, int(px / _LETTER_PX))
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


def round_top(highest: int) -> int:
    """Return the smallest of 1, 2, 4, 5, 8, 10, 20, ... that is at least ``highest`` and splits in halves or is odd."""
    scale = 10 ** max(0, int(math.log10(max(1, highest))))
    return next(step * scale for step in (1, 2, 4, 6, 8, 10) if step * scale >= highest)


def _tick_labels(marks: Sequence[tuple[float, str]], y: float, width: float) -> list[str]:
    """Return the labels at (x, words) that fit beside each other, each kept inside the chart."""
    body, free = [], 0.0
    for x, words in marks:
        px = len(words) * _LETTER_PX
        start = min(max(0.0, x - px / 2), width - px)
        if start >= free and start <= x:
            body.append(_text(start, y, words, "start", "tick"))
            free = start + px + 14
    return body


def stacked_bars(
    caption: Caption,
    starts: Sequence[datetime],
    series: Sequence[Series],
    *,
    width: float,
    tick: Callable[[datetime], str],
    number: Callable[[int], str],
    height: float = 200,
    gaps: Sequence[tuple[float, float]] = (),
) -> str:
    """Draw counts over time as stacked bars, the first series at the bottom.

    ``gaps`` are shares of the time, each from and to in [0, 1], in which nothing was collected: hatched.
    """
    left, right, top, bottom = 34.0, 6.0, 14.0, 24.0
    totals = [sum(s.counts[i] for s in series) for i in range(len(starts))]
    highest = round_top(max(totals, default=1))
    inner, floor = width - left - right, height - bottom
    step = inner / max(1, len(starts))
    # A lone bar as wide as the page would look like much.
    bar = min(step * 0.84, 36.0)

    def y_of(count: float) -> float:
        return floor - (floor - top) * count / highest

    body = [
        f'<rect x="{left + inner * start:.1f}" y="{top:g}" width="{inner * (end - start):.1f}" height="{floor - top:g}" class="gap"/>'
        for start, end in gaps
    ]
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
    marks = [(left + (i + 0.5) * step, tick(start)) for i, start in enumerate(starts)]
    body += _tick_labels(marks, height - 7, width)
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
    marks = [((i + 0.5) * step, tick(start)) for i, start in enumerate(starts)]
    body += _tick_labels(marks, top + tall + 17, width)
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
    addresses: Sequence[str | None] = (),
) -> str:
    """Draw posts left to right in time, one lane a source, and a curve from each original to its copy.

    Time runs from the first post by :func:`time_scale`; the ticks, ``offset`` of seconds, tell how. ``addresses`` are of the
    pages of the lanes' sources.
    """
    names_beside = width >= 560
    left = min(210.0, max((len(n) for n in lanes), default=0) * _LETTER_PX + 18) if names_beside else 10.0
    row, top = (30.0 if names_beside else 44.0), 8.0
    height = top + row * len(lanes) + 26
    span = max((dot.offset_s for dot in dots), default=0.0) or 60.0
    place = time_scale([dot.offset_s for dot in dots], span)

    def x_of(offset_s: float) -> float:
        return left + 6 + (width - left - 22) * place(offset_s)

    def y_of(lane: int) -> float:
        return top + row * lane + row * (0.5 if names_beside else 0.72)

    marks = [(x_of(seconds), offset(seconds)) for seconds in ticks(span)]
    body = [f'<path d="M{x:.1f} {top:g}V{height - 20:.1f}" class="grid"/>' for x, _ in marks]
    body += [f'<path d="M{left:.1f} {y_of(i):.1f}H{width - 6:g}" class="lane"/>' for i in range(len(lanes))]
    for line in lines:
        a, b = dots[line.origin], dots[line.copy]
        x1, y1, x2, y2 = x_of(a.offset_s), y_of(a.lane), x_of(b.offset_s), y_of(b.lane)
        bend = max(14.0, abs(x2 - x1) / 2)
        body.append(
            f'<path d="M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}" '
            f'class="edge {escape(line.kind)}"/>'
        )
    for i, (name, address) in enumerate(zip_longest(lanes, addresses)):
        if names_beside:
            words = _text(left - 10, y_of(i) + 4, fit(name, left - 12), "end")
        else:
            words = _text(2, y_of(i) - 12, fit(name, width - 8))
        body.append(_linked(words, address, name))
    for i, dot in enumerate(dots):
        place_of = f'cx="{x_of(dot.offset_s):.1f}" cy="{y_of(dot.lane):.1f}"'
        shape = 'r="5.5" class="dot first"' if i == 0 else 'r="4" class="dot"'
        mark = f"<circle {place_of} {shape}><title>{escape(dot.label)}</title></circle>"
        body.append(_linked(mark, dot.address, dot.label))
    return svg(caption, width, height, [*body, *_tick_labels(marks, height - 5, width)])


def key_line(kind: str) -> str:
    """Return the short line that stands for a kind of copy in a legend."""
    return (
        '<svg width="30" height="10" viewBox="0 0 30 10" aria-hidden="true">'
        f'<path d="M1 5H29" class="edge {escape(kind)}"/></svg>'
    )


def time_scale(offsets_s: Sequence[float], span_s: float) -> Callable[[float], float]:
    """Return seconds -> [0, 1]: about linear up to a quarter of the median offset, logarithmic beyond.

    A spread is a rush and a long tail; this puts the rush on the left half whatever its length.
    """
    knee = max(1.0, sorted(offsets_s)[len(offsets_s) // 2] / 4) if offsets_s else 1.0
    return lambda s: math.log1p(s / knee) / math.log1p(span_s / knee)


def ticks(span_s: float) -> list[float]:
    """Return round offsets in [0, ``span_s``], dense enough for either scale."""
    minute, hour, day = 60.0, 3600.0, 86_400.0
    steps = [minute, 5 * minute, 15 * minute, hour, 3 * hour, 6 * hour, 12 * hour]
    steps += [n * day for n in (1, 2, 3, 5, 7, 14, 30, 60, 90, 180, 365, 730, 1825)]
    return [0.0, *(step for step in steps if step <= span_s)]

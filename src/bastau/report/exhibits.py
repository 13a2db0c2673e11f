"""What both pages show: a timeline as chart and table, and the figures of a group."""

from collections.abc import Mapping, Sequence
from html import escape

from bastau.report import charts, document, wording
from bastau.report.brief import MovedTogether
from bastau.report.charts import Caption
from bastau.report.document import Link, paragraph, table
from bastau.report.group import GroupPage
from bastau.report.locale import Locale
from bastau.report.moves import Example, Influence
from bastau.report.timeline import Gap, Timeline
from bastau.report.trace import Group


def timeline_chart(
    line: Timeline,
    series: Mapping[str, Sequence[int]],
    names: Mapping[str, str],
    title: str,
    description: str,
    ident: str,
    locale: Locale,
    gaps: Sequence[Gap] = (),
) -> str:
    """Return the stacked bars of one way to split a timeline, with a legend and the words of its description.

    ``gaps``: hatched, where nothing was collected.
    """
    span_s = line.bin_s * len(line.starts)
    shares = [[(at - line.starts[0]).total_seconds() / span_s for at in (gap.start, gap.end)] for gap in gaps]
    within = [(max(0.0, start), min(1.0, end)) for start, end in shares if end > 0 and start < 1]

    def draw(width: float, suffix: str) -> str:
        return charts.stacked_bars(
            Caption(f"{ident}-{suffix}", title, description),
            line.starts,
            [charts.Series(names[code], counts) for code, counts in series.items()],
            width=width,
            tick=lambda at: locale.tick(at, line.bin_s),
            number=locale.number,
            gaps=within,
        )

    legend = [
        f"{charts.swatch(i)}{escape(names[code])} {locale.number(sum(counts))}"
        for i, (code, counts) in enumerate(series.items())
    ]
    if within:
        legend.append(f"{charts.swatch_of_gap()}{escape(locale.text('time.gap'))}")
    return f"{document.listing(legend, 'legend')}{document.chart(draw)}{paragraph(description, 'note')}"


def timeline_table(
    line: Timeline, series: Mapping[str, Sequence[int]], names: Mapping[str, str], caption: str, locale: Locale
) -> str:
    """Return the same figures as a table, bins without posts left out."""
    heads = [(locale.text("label.time"), "t"), *((names[code], "n") for code in series)]
    body = []
    for i, start in enumerate(line.starts):
        counts = [one[i] for one in series.values()]
        if any(counts):
            body.append([document.when(start, locale), *(locale.number(n) for n in counts)])
    return table(caption, heads, body)


def group_facts(group: Group | MovedTogether, locale: Locale) -> str:
    """Return a group's figures and days as paragraphs."""
    traces = ", ".join(locale.name("trace_kind", trace) for trace in group.traces)
    facts = locale.text(
        "groups.figures",
        objects=locale.count("count.objects", group.n_objects),
        traces=traces,
        p=wording.p_value(group.p_value, locale),
    )
    if group.n_other_accounts:
        others = locale.text("groups.with_others", accounts=locale.count("count.accounts", group.n_other_accounts))
        facts = f"{facts}; {others}"
    if group.n_wire_copies:
        facts = f"{facts}; {locale.count('groups.wire_copies', group.n_wire_copies)}"
    house = ""
    if group.signposts:
        said = "groups.one_house" if group.is_one_house else "groups.signposts"
        house = locale.text(said, addresses=", ".join(group.signposts[:5]))
    windows = [wording.period(w.start, w.end, locale) for w in group.windows[:6]]
    active = locale.text("groups.windows", windows="; ".join(windows)) if windows else ""
    shown = [f"{group.group_id} · {facts}", *filter(None, [house]), active]
    return "".join(paragraph(text, "facts") for text in shown)


def group_chart(group: GroupPage, locale: Locale, link: Link) -> str:
    """Return who came when after the first of each moment: one lane a publisher, one curve a follower."""
    lanes = [
        source for source in group.sources if any(source == p.source for m in group.examples for p in m.example.posts)
    ]
    dots: list[charts.Dot] = []
    lines: list[charts.Line] = []
    for moved in group.examples:
        first = len(dots)
        for post in moved.example.posts:
            words = f"{post.source} · {locale.moment(post.published_at)} · +{locale.duration(post.delay_s)}"
            dots.append(charts.Dot(lanes.index(post.source), float(post.delay_s), words))
        lines += [charts.Line(first, i, moved.example.trace) for i in range(first + 1, len(dots)) if dots[i].offset_s]
    if not dots:
        return ""
    title = locale.text("groups.chart")
    description = locale.text(
        "groups.chart_desc",
        objects=locale.count("count.objects", len(group.examples)),
        publishers=locale.count("count.publishers", len(lanes)),
        longest=locale.duration(max(dot.offset_s for dot in dots)),
    )

    def draw(width: float, suffix: str) -> str:
        return charts.spread_graph(
            Caption(f"group-{suffix}", title, description),
            lanes,
            dots,
            lines,
            width=width,
            offset=lambda s: f"+{locale.short_duration(s)}",
            addresses=[link("source", source) for source in lanes],
        )

    return f"{document.chart(draw)}{paragraph(description, 'note')}"


def group_examples(examples: Sequence[Example], locale: Locale) -> str:
    """Return what a group moved on as tables of posts: who, when, how long after the first, the words."""
    heads = [
        (locale.text("label.source"), ""),
        (locale.text("label.time"), "t"),
        (locale.text("label.delay"), "n"),
        (locale.text("label.said"), ""),
    ]
    parts = []
    for example in examples:
        lines = [
            [
                document.name(post.source),
                document.when(post.published_at, locale),
                locale.duration(post.delay_s),
                document.foreign(post.text, "und"),
            ]
            for post in example.posts
        ]
        title = f"{locale.name('trace_kind', example.trace)}: {example.object}"
        parts.append(document.folded(title, table(title, heads, lines)))
    return "".join(parts)


def influence_table(influence: Sequence[Influence], locale: Locale) -> str:
    """Return how far posts on one platform set off posts on another, nothing for nothing."""
    if not influence:
        return ""
    heads = [
        (locale.text("label.from_platform"), ""),
        (locale.text("label.to_platform"), ""),
        (locale.text("label.set_off"), "n"),
        (locale.text("label.for_each_post"), "n"),
    ]
    lines = [
        [
            escape(locale.name("platform", i.platform_from)),
            escape(locale.name("platform", i.platform_to)),
            locale.number(i.caused, 1),
            _weight(i, locale),
        ]
        for i in influence
    ]
    return paragraph(locale.text("influence.note"), "note") + table(locale.text("influence.head"), heads, lines)


def _weight(one: Influence, locale: Locale) -> str:
    if one.weight is None or one.low is None or one.high is None:
        return "—"
    low, high = (locale.number(value, 2) for value in (one.low, one.high))
    return f"{locale.number(one.weight, 2)} ({low}–{high})"

"""The terminal summary of a trace and a brief: lines of plain text, nothing printed here."""

from bastau.report import wording
from bastau.report.brief import Brief, MovedTogether, Row
from bastau.report.locale import Locale
from bastau.report.queries import one_line, shorten
from bastau.report.trace import Group, Known, Suggested, Trace

_WIDTH = 100


def trace_lines(trace: Trace, locale: Locale) -> list[str]:
    """Return the summary: what it is, where it was first seen, how it spread, who moved together, what is not known."""
    narrative = trace.narrative
    words = locale.text("form.quote", words=shorten(one_line(narrative.text), 2 * _WIDTH))
    lines = [f"{narrative.narrative_id or locale.text('page.single')}  {words}", ""]
    lines += [wording.headline(trace, locale), wording.extent(trace, locale), wording.interval(trace, locale)]
    if trace.how not in ("narrative", "post"):
        lines.insert(1, wording.how_found(trace, locale))
    lines += _listed(
        locale.text("first.candidates"),
        [
            f"{locale.percent(c.confidence):>5}  {wording.label(c.source, c.source_name, locale)}, "
            f"{locale.name('platform', c.platform)}, {locale.moment(c.published_at)}"
            for c in trace.first_seen.candidates
        ],
    )
    lines += _listed(locale.text("collect.head"), [wording.wanted_line(w, locale) for w in trace.first_seen.to_collect])
    lines += _listed(
        locale.text("spread.kinds"),
        [
            f"{locale.name('kind', c.kind)}: {locale.number(c.n)} "
            f"({locale.text('label.median_delay').lower()} {locale.duration(c.median_delay_s)})"
            for c in trace.copies
        ],
    )
    lines += _listed(
        locale.text("amplifiers.head"),
        [f"{a.source}: {locale.text('label.fib')} {locale.number(a.score)}" for a in trace.amplifiers[:5]],
    )
    if trace.story is not None:
        told = [
            f"{one.narrative_id or '—'}  {shorten(one.text, _WIDTH)} ({locale.count('count.posts', one.n_posts)})"
            for one in trace.story.others[:5]
        ]
        lines += _listed(locale.text("story.head"), [wording.story_line(trace.story, locale), *told])
    if trace.theme is not None:
        told = [wording.theme_line(trace.theme, locale), shorten(trace.theme.text, _WIDTH)]
        lines += _listed(locale.text("story.theme_head"), told)
    lines += _listed(
        locale.text("story.curated"),
        [f"{one.curated_id}: {one.title} ({locale.percent(one.score)})" for one in trace.curated],
    )
    lines += _listed(
        locale.text("groups.head"),
        [_group(group, list(group.sources_here), locale) for group in trace.groups[:5]],
    )
    if trace.groups:
        lines.append(locale.text("groups.note"))
    lines += _listed(locale.text("kin.in_trace"), [wording.kin(kin, locale) for kin in trace.kin])
    findings: list[Suggested | Known] = [*trace.suggested, *trace.known]
    lines += _listed(locale.text("found.head"), [_finding(one, locale) for one in findings])
    if findings:
        lines.append(locale.text("found.note"))
    lines += _listed(locale.text("checked.head"), [wording.fact_check(one, locale) for one in trace.fact_checks])
    if trace.fact_checks:
        lines.append(locale.text("checked.note"))
    lines += _listed(locale.text("unknown.head"), [wording.unknown_line(u, locale) for u in trace.not_known])
    others = [
        f"{other.narrative_id or '—'}  {shorten(other.text, _WIDTH)} ({locale.count('count.posts', other.n_posts)})"
        for other in trace.others
    ]
    return lines + _listed(locale.text("how.others"), others)


def _finding(one: Suggested | Known, locale: Locale) -> str:
    if isinstance(one, Suggested):
        what = f"{locale.name('act', one.act)} ({one.rule} {one.version})"
    else:
        what = f"{locale.text('found.known', signal=locale.name('signal', one.signal), list=one.list)} ({one.entry})"
    return f"{what}: {locale.count('count.posts', one.n_posts)}, {wording.gates(one.gates, locale)}"


def brief_lines(brief: Brief, locale: Locale) -> list[str]:
    """Return the brief's counts and the head of each of its lists."""
    span = wording.period(brief.start, brief.end, locale)
    counts = [
        locale.count("count.posts", brief.n_posts),
        locale.count("count.publishers", brief.n_publishers),
        locale.count("brief.narratives", brief.n_narratives),
    ]
    lines = [f"{span}: {', '.join(counts)}"]
    for head, rows in (
        ("brief.new", brief.new),
        ("brief.rising", brief.rising),
        ("brief.across", brief.across_languages),
    ):
        lines += _listed(locale.text(head), [_row(row, locale) for row in rows[:5]])
    groups = [_group(group, list(group.sources[:6]), locale) for group in brief.coordinated[:5]]
    lines += _listed(locale.text("brief.coordinated"), groups)
    return [*lines, locale.text("groups.note")] if groups else lines


def _row(row: Row, locale: Locale) -> str:
    rise = f", {wording.rise(row.rise, locale)}" if row.rise else ""
    return f"{row.narrative_id}  {shorten(row.text, _WIDTH)} ({locale.count('count.posts', row.n_posts)}{rise})"


def _listed(head: str, items: list[str]) -> list[str]:
    return ["", head, *(f"  {item}" for item in items)] if items else []


def _group(group: Group | MovedTogether, sources: list[str], locale: Locale) -> str:
    house = f" ({locale.text('groups.house_mark')})" if group.is_one_house else ""
    return f"{group.group_id}: {locale.listing(sources)}{house}"

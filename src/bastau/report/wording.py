"""The sentences of a trace, the same on the page and in the terminal; plain text, nothing escaped."""

from datetime import datetime, timedelta
from itertools import pairwise

from bastau.report.brief import Rise
from bastau.report.locale import Locale
from bastau.report.search import Found
from bastau.report.timeline import Coverage
from bastau.report.trace import Delays, FactCheck, Kin, Post, Story, Theme, Trace, Unknown, Version, Wanted

_PLURAL_UNKNOWNS = {
    "gaps": "hours",
    "earlier_private": "n",
    "reposts_of_unseen": "n",
    "forwards_of_unseen": "n",
    "language": "n",
    "copies_private": "n",
}


def label(source: str | None, name: str | None, locale: Locale) -> str:
    """Return how a source is called: its name and address, or that it is private."""
    if source is None:
        return locale.text("label.private")
    return f"{name} ({source})" if name and name != source else source


def level(confidence: float, locale: Locale) -> str:
    """Return a confidence in one word."""
    return locale.text("level.high" if confidence >= 0.8 else "level.moderate" if confidence >= 0.5 else "level.low")


def reason(code: str | None, locale: Locale) -> str:
    """Return why no origin is named."""
    key = f"reason.{code}"
    return locale.text(key) if locale.has(key) else locale.text("reason.other", code=code or "—")


def wanted_line(wanted: Wanted, locale: Locale) -> str:
    """Return what to collect to find out where it began."""
    if wanted.start is not None and wanted.end is not None:
        hours = {"start": locale.moment(wanted.start), "end": locale.moment(wanted.end)}
        return locale.text("collect.hours", platform=locale.name("platform", wanted.platform), **hours)
    kind = "collect.post" if wanted.what == "post" else "collect.source"
    return locale.text(kind, platform=locale.name("platform", wanted.platform), value=wanted.value or "")


def headline(trace: Trace, locale: Locale) -> str:
    """Return who was observed first, when and how sure that is; the page's top line."""
    if not trace.first_seen.abstained and trace.first_seen.candidates:
        first = trace.first_seen.candidates[0]
        values = {
            "source": label(first.source, first.source_name, locale),
            "platform": locale.name("platform", first.platform),
            "moment": locale.moment(first.published_at),
            "confidence": locale.percent(first.confidence),
            "level": level(first.confidence, locale),
        }
        if n := trace.first_seen.n_earlier_private:
            return locale.count("lede.named_after", n, **values)
        return locale.text("lede.named", **values)
    post = trace.earliest[0]
    return locale.text(
        "lede.abstained",
        source=label(post.source, post.source_name, locale),
        platform=locale.name("platform", post.platform),
        moment=locale.moment(post.published_at),
        reason=reason(trace.first_seen.reason, locale),
    )


def open_questions(trace: Trace, locale: Locale) -> str:
    """Return the weightiest things not known in one line, empty when only the general ones remain."""
    keys = [f"short_unknown.{unknown.code}" for unknown in trace.not_known]
    things = [locale.text(key) for key in keys if locale.has(key)][:3]
    return locale.text("lede.not_known", things="; ".join(things)) if things else ""


def kin(kin: Kin, locale: Locale) -> str:
    """Return which websites here are of one family, how large it is, and how likely that is by chance."""
    return locale.text(
        "kin.in_trace_line",
        sources=locale.listing(list(kin.sources_here)),
        n=locale.number(len(kin.sources)),
        areas=locale.listing([locale.text(f"kin_area.{area}") for area in kin.areas]),
        p=p_text(kin.p_value),
    )


def p_text(p: float) -> str:
    """Return a p-value to one digit, as people write it."""
    return f"{p:.0e}" if p < 0.001 else f"{p:.3f}"


def extent(trace: Trace, locale: Locale) -> str:
    """Return how much there is: posts, publishers, private accounts, time."""
    narrative = trace.narrative
    n_private = narrative.n_sources - narrative.n_publishers
    key = "lede.spread"
    if not n_private:
        key = "lede.spread_publishers"
    elif not narrative.n_publishers:
        key = "lede.spread_private"
    return locale.text(
        key,
        posts=locale.count("count.posts", narrative.n_posts),
        publishers=locale.count("count.publishers", narrative.n_publishers),
        accounts=locale.count("count.accounts", n_private),
        duration=locale.duration((narrative.last_seen_at - narrative.first_seen_at).total_seconds()),
    )


def unknown_line(unknown: Unknown, locale: Locale) -> str:
    """Return one thing that is not known as a sentence."""
    key, values = f"unknown.{unknown.code}", unknown.values
    if unknown.code in _PLURAL_UNKNOWNS:
        return locale.count(key, values[_PLURAL_UNKNOWNS[unknown.code]])
    if unknown.code == "beginning":
        return locale.text(key, reason=reason(values["reason"], locale))
    if unknown.code == "someone_else":
        return locale.text(key, confidence=locale.percent(values["confidence"]))
    if unknown.code == "elsewhere":
        return locale.text(key, platforms=locale.listing([locale.name("platform", p) for p in values["platforms"]]))
    return locale.text(key)


def interval(trace: Trace, locale: Locale) -> str:
    """Return the first-seen interval as a sentence."""
    first = trace.first_seen
    if first.seen_after is None:
        return locale.text("first.no_lower", by=locale.moment(first.seen_by))
    return locale.text("first.interval", after=locale.moment(first.seen_after), by=locale.moment(first.seen_by))


def how_found(trace: Trace, locale: Locale) -> str:
    """Return how the query led here."""
    return locale.text(f"how.{trace.how}", query=trace.query, likeness=locale.percent(trace.likeness))


def version_letter(version: int) -> str:
    """Return A, B, ... of a version; a trace quotes at most a dozen."""
    return chr(ord("A") + version)


def version_line(post: Post, locale: Locale) -> str:
    """Return which wording a post brings: a new version, compared or first in its language, or a known one."""
    letter = version_letter(post.version)
    if not post.is_first_of_version:
        return locale.text("earliest.same", letter=letter)
    line = locale.text("earliest.version", letter=letter)
    if post.compared_with is None:
        return f"{line}, {locale.text('earliest.first_words')}"
    return f"{line}, {locale.text('earliest.compared', letter=version_letter(post.compared_with))}"


def version_heading(version: Version, locale: Locale) -> str:
    """Return the letter of a version, and against which other it is set."""
    line = locale.text("earliest.version", letter=version_letter(version.version))
    if version.made_from is None:
        return line
    return f"{line}, {locale.text('earliest.compared', letter=version_letter(version.made_from))}"


def story_line(story: Story, locale: Locale) -> str:
    """Return how far a story goes beyond the narrative."""
    tellings = locale.count("story.tellings", story.n_tellings)
    return locale.text("story.extent", story=story.story_id, tellings=tellings, **_extent(story, locale))


def theme_line(theme: Theme, locale: Locale) -> str:
    """Return how far a theme goes beyond the story."""
    stories = locale.count("story.stories", theme.n_stories)
    return locale.text("story.theme", theme=theme.theme_id, stories=stories, **_extent(theme, locale))


def _extent(whole: Story | Theme, locale: Locale) -> dict[str, str]:
    return {
        "posts": locale.count("count.posts", whole.n_posts),
        "publishers": locale.count("count.publishers", whole.n_publishers),
        "languages": locale.listing([locale.language(tag) for tag in whole.languages[:4]]),
        "start": locale.moment(whole.first_seen_at),
    }


def not_found(found: Found, locale: Locale) -> list[str]:
    """Return that nothing was found, and what to try, a sentence each."""
    query = locale.text("form.quote", words=found.query[:200])
    return [
        locale.text("none.head", query=query),
        *(locale.text(f"none.{code}") for code in found.suggestions),
    ]


def delay(seconds: float, locale: Locale) -> str:
    """Return the time from an original to its copy; a copy may be dated earlier."""
    return locale.text("spread.earlier") if seconds < 0 else locale.duration(seconds)


def delay_classes(delays: Delays, locale: Locale) -> tuple[list[str], list[int]]:
    """Return labels and counts of the delay classes; copies dated earlier only when there are any."""
    edges = delays.edges_s
    signs = [locale.short_duration(edge) for edge in edges]
    labels = [locale.text("spread.earlier"), f"< {signs[1]}"]
    labels += [locale.text("form.range", start=low, end=high) for low, high in pairwise(signs[1:])]
    labels.append(f"> {signs[-1]}")
    first = 0 if delays.counts[0] else 1
    return labels[first:], list(delays.counts[first:])


def gaps(coverage: Coverage, locale: Locale) -> str:
    """Return the longest gaps in words, in order of time."""
    longest = sorted(coverage.gaps, key=lambda gap: gap.start - gap.end)[:3]
    shown = [
        locale.text("form.range", start=locale.short_moment(gap.start), end=locale.short_moment(gap.end))
        for gap in sorted(longest, key=lambda gap: gap.start)
    ]
    if rest := len(coverage.gaps) - len(shown):
        shown.append(locale.count("count.more", rest))
    return "; ".join(shown) or locale.text("label.none")


def p_value(p: float, locale: Locale) -> str:
    """Return a p-value to two figures, the smallest as a bound."""
    return f"<\u00a0{locale.number(0.0001, 4)}" if p < 0.0001 else f"=\u00a0{locale.number(p, 4)}"


def threshold(min_audience: int | None, locale: Locale) -> str:
    """Return who counts as a publisher, in words; nothing where no import is on record."""
    if min_audience is None:
        return ""
    if min_audience == 0:
        return locale.text("page.threshold_zero")
    return locale.text("page.threshold", n=locale.number(min_audience))


def rise(rise: Rise, locale: Locale) -> str:
    """Return how much something rose, with its interval."""
    low = locale.number(rise.low, 1)
    if rise.ratio is None:
        return locale.text("brief.from_none", low=low)
    ratio = locale.number(rise.ratio, 1)
    if rise.high is None:
        return locale.text("brief.times_open", ratio=ratio, low=low)
    return locale.text("brief.times", ratio=ratio, low=low, high=locale.number(rise.high, 1))


def period(start: datetime, end: datetime, locale: Locale) -> str:
    """Return a period [``start``, ``end``) by its first and last day."""
    days = [locale.date(start), locale.date(max(start, end - timedelta(microseconds=1)))]
    return days[0] if days[0] == days[1] else locale.text("form.range", start=days[0], end=days[1])


def gates(names: tuple[str, ...], locale: Locale) -> str:
    """Say which stance gates held a finding back, or that none did and a reviewer should look."""
    if not names:
        return locale.text("found.open")
    return locale.text("found.held", gates=locale.listing([locale.name("gate", name) for name in names]))


def checked_by(one: FactCheck, locale: Locale) -> str:
    """Return who published a fact-check, when, and how likely it is about this text."""
    parts = [one.publisher or locale.text("checked.unknown_publisher")]
    if one.published_at is not None:
        parts.append(locale.date(one.published_at))
    parts.append(locale.text("checked.likelihood", share=locale.percent(one.likelihood)))
    return " · ".join(parts)


def fact_check(one: FactCheck, locale: Locale) -> str:
    """Return a fact-check on one line: the claim, who checked it, and the verdict in the publisher's words."""
    line = f"{locale.text('form.quote', words=one.claim)} ({checked_by(one, locale)})"
    if one.verdict:
        line += f" {locale.text('checked.verdict')}: {locale.text('form.quote', words=one.verdict)}"
    return f"{line} {one.url or one.claim_id}"

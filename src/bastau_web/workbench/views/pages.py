"""The pages over the lake: parse, ask the core, render."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import duckdb
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from bastau import places
from bastau.errors import BastauError
from bastau.hashing import parse_id
from bastau.ratings import ratings_of
from bastau.report import charts, document, exhibits, wording
from bastau.report.brief import Brief, brief
from bastau.report.brief_page import brief_parts
from bastau.report.build import build_trace
from bastau.report.findings import Findings, findings, sensitive_narratives
from bastau.report.locale import Locale
from bastau.report.post import one_post
from bastau.report.queries import at, rows
from bastau.report.source import one_source
from bastau.report.timeline import Timeline
from bastau.report.trace import Suggested, Trace
from bastau.report.trace_page import quoted, trace_header, trace_parts
from bastau.watching import open_store
from bastau_web.workbench.archived import kept_of
from bastau_web.workbench.asking import find_narrative
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.lake_reader import ask
from bastau_web.workbench.links import group_link, link, narrative_link
from bastau_web.workbench.roles import READERS, open_to
from bastau_web.workbench.words import locale_of

PERIODS = (1, 7, 30)
_QUOTING = ("earliest", "versions", "story", "found")
"""Sections of a trace that quote posts at length."""


@dataclass(frozen=True)
class _Day:
    """What *Today* shows of the lake."""

    brief: Brief
    findings: Findings
    veiled: frozenset[str]


@open_to(*READERS)
@require_safe
def today(request: HttpRequest) -> HttpResponse:
    """Show what is new, growing, coordinated, known, and which sources fell silent."""
    locale = locale_of(request)
    asked = request.GET.get("days", "")
    days = int(asked) if asked in {str(n) for n in PERIODS} else PERIODS[0]
    values: dict[str, Any] = {"days": days, "periods": PERIODS, "watched": _silent()}
    day = ask(("today", days), lambda con: _day(con, days), is_made_ahead=True)
    if day is None:
        return render(request, "today.html", values)
    parts = {
        ident: (head, body)
        for ident, head, body in brief_parts(day.brief, locale, narrative_link, day.veiled, group_link)
    }
    values |= {
        "day": day.brief,
        "lede": _lede(day.brief, locale),
        "before": locale.text("web.today.before", posts=locale.count("count.posts", day.brief.n_posts_before)),
        "threshold": wording.threshold(day.brief.min_audience, locale),
        "patterns": _patterns(),
        "findings": day.findings,
        "is_stale": datetime.now(UTC) - day.brief.end > timedelta(days=2),
        "sections": [
            (ident, parts[ident][0], mark_safe(parts[ident][1]))  # noqa: S308 - escaped by the core
            for ident in ("new", "rising", "coordinated", "across")
        ],
        "more": [(ident, parts[ident][0], mark_safe(parts[ident][1])) for ident in ("volume", "coverage")],  # noqa: S308
    }
    return render(request, "today.html", values)


def _lede(made: Brief, locale: Locale) -> str:
    return locale.text(
        "web.today.lede",
        posts=locale.count("count.posts", made.n_posts),
        publishers=locale.count("count.publishers", made.n_publishers),
        span=wording.period(made.start, made.end, locale),
    )


def _patterns() -> str:
    """Return the fillings that charts refer to."""
    return mark_safe(charts.patterns())  # noqa: S308 - constant


def _latest(con: duckdb.DuckDBPyConnection) -> datetime | None:
    """Return the moment after the latest stored post, None while there is none."""
    us = rows(con, "select epoch_us(max(published_at)) as us from posts")[0]["us"]
    return None if us is None else at(us + 1_000_000)


def _day(con: duckdb.DuckDBPyConnection, days: int) -> _Day | None:
    end = _latest(con)
    if end is None:
        return None
    start = end - timedelta(days=days)
    return _Day(brief(con, start, end), findings(con, start, end), sensitive_narratives(con))


def _silent() -> dict[str, Any] | None:
    """Return the watched sources that fell silent or fail; None where nothing is watched or the list does not answer."""
    home = the_home()
    if not home.settings.watch.database and not (home.folder / "sources.db").exists():
        return None
    now = datetime.now(UTC)
    try:
        with open_store(home) as store:
            return places.health(
                store, now, lambda s, n: any(places.is_in_state(s, state, n) for state in ("silent", "failing"))
            )[0]
    except BastauError:
        return {"unavailable": True, "sources": []}


@open_to(*READERS)
@require_safe
def narrative(request: HttpRequest, narrative_id: str) -> HttpResponseBase:
    """Show the trace of a narrative: where it began, how it spread, how sure that is."""
    trace = _trace(narrative_id) if parse_id("n", narrative_id) is not None else None
    if trace is None or trace.narrative.narrative_id is None:
        raise Http404
    if trace.narrative.narrative_id != narrative_id:
        return redirect("narrative", trace.narrative.narrative_id)
    return _show_trace(request, trace)


def _show_trace(request: HttpRequest, trace: Trace) -> HttpResponse:
    locale = locale_of(request)
    is_sensitive = bool(trace.suggested or trace.known)
    parts = trace_parts(trace, locale, link)
    title = trace.narrative.narrative_id or ""
    if not is_sensitive:
        title = quoted(document.heading_words(trace.narrative.text) or title, trace.narrative.language, locale)
    header = trace_header(trace, title, [(ident, head) for ident, head, _ in parts], locale)
    sections = [
        (ident, head, mark_safe(body), is_sensitive and ident in _QUOTING)  # noqa: S308 - escaped by the core
        for ident, head, body in parts
    ]
    values = {
        "header": mark_safe(header),  # noqa: S308 - escaped by the core
        "sections": sections,
        "is_sensitive": is_sensitive,
        "narrative": trace.narrative,
        "first_text": document.heading_words(trace.narrative.text),
        "threshold": wording.threshold(trace.min_audience, locale),
        "patterns": _patterns(),
    }
    return render(request, "narrative.html", values)


def _trace(narrative_id: str) -> Trace | None:
    home = the_home()

    def make(con: duckdb.DuckDBPyConnection) -> Trace | None:
        meant = find_narrative(con, narrative_id)
        if meant.best is None:
            return None
        return build_trace(con, meant, lead_in_hours=home.settings.sources.lead_in_hours)

    return ask(("trace", narrative_id), make)


@open_to(*READERS)
@require_safe
def source(request: HttpRequest, source: str) -> HttpResponse:
    """Show one publisher; there is no page of anybody else."""
    shown = ask(("source", source), lambda con: one_source(con, source))
    if shown is None:
        raise Http404
    locale = locale_of(request)
    ratings, problems = ratings_of(the_home().folder, shown.source) if "web" in shown.platforms else ([], [])
    values = {
        "source": shown,
        "chart": _activity(shown.timeline, locale),
        "patterns": _patterns(),
        "ratings": [(rating, locale.date(datetime.combine(rating.date, time(), UTC))) for rating in ratings],
        "rating_problems": problems,
    }
    return render(request, "source.html", values)


def _activity(line: Timeline, locale: Locale) -> str:
    names = {tag: locale.language(tag) for tag in line.by_language}
    title = locale.text("time.chart")
    totals = [sum(counts) for counts in zip(*line.by_language.values(), strict=True)]
    peak = max(range(len(totals)), key=lambda i: totals[i])
    description = locale.text(
        "time.chart_desc",
        posts=locale.count("count.posts", sum(totals)),
        start=locale.moment(line.starts[0]),
        end=locale.moment(line.starts[-1]),
        bin=locale.duration(line.bin_s),
        peak=locale.moment(line.starts[peak]),
        most=locale.number(totals[peak]),
    )
    chart = exhibits.timeline_chart(line, line.by_language, names, title, description, "activity", locale)
    table = exhibits.timeline_table(line, line.by_language, names, title, locale)
    return mark_safe(chart + document.folded(locale.text("label.as_table"), table))  # noqa: S308 - escaped by the core


@open_to(*READERS)
@require_safe
def post(request: HttpRequest, ref: str) -> HttpResponse:
    """Show one post, what was found in it and why; a private author has no name here."""
    key = parse_id("p", ref)
    shown = None if key is None else ask(("post", key), lambda con: one_post(con, key))
    if shown is None:
        raise Http404
    locale = locale_of(request)
    suggested: dict[str, list[tuple[Suggested, str]]] = {}
    for found in shown.suggested:
        suggested.setdefault(found.act, []).append((found, wording.gates(found.gates, locale)))
    known = [(one, wording.gates(one.gates, locale)) for one in shown.known]
    values = {
        "post": shown,
        "suggested": suggested.items(),
        "known": known,
        "how": locale.text(f"web.post.joined_{shown.joined_by}") if shown.joined_by else "",
        "kept": kept_of(shown.url),
        "edits": [(locale.name("web.post", kind), moment) for kind, moment in shown.edits],
    }
    return render(request, "post.html", values)


ROUTES = [
    path("", today, name="today"),
    path("narrative/<slug:narrative_id>", narrative, name="narrative"),
    path("post/<slug:ref>", post, name="post"),
    path("source/<path:source>", source, name="source"),
]

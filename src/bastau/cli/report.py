"""trace, families and report: what was found, for people to read."""

import argparse
import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bastau.cli.options import Command, add_locale, chosen_locale, now, processed_home, read_day
from bastau.cli.output import give_answer, write_file
from bastau.errors import ConfigError

if TYPE_CHECKING:
    from bastau.home import Home


def _trace_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("query", metavar="QUERY")
    command.add_argument("--html", type=Path, metavar="F", help="write one self-contained page")
    add_locale(command, "language of the answer")


def _trace(options: argparse.Namespace) -> int:
    home = processed_home(options)
    from bastau.report.build import build_trace
    from bastau.report.locale import load
    from bastau.report.search import find
    from bastau.report.terminal import trace_lines
    from bastau.report.trace import trace_json

    con = home.connect()
    found = find(con, options.query, canonical=_canonical, sign=lambda text: _sign(home, text))
    locale = load(chosen_locale(options))
    if found.best is None:
        from bastau.report.wording import not_found

        if options.json:
            print(json.dumps({"query": options.query, "found": False, "suggestions": list(found.suggestions)}))
        print("\n".join(f"bastau: {line}" for line in not_found(found, locale)), file=sys.stderr)
        return 2
    trace = build_trace(con, found, lead_in_hours=home.settings.sources.lead_in_hours)
    lines = trace_lines(trace, locale)
    if options.html:
        from bastau.report.trace_page import trace_page

        write_file(options.html, trace_page(trace, locale))
        lines.append(f"{options.html}")
    return give_answer(options, trace_json(trace), lines)


def _families_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("domain", nargs="?", metavar="DOMAIN", help="a website of which pages are stored")
    command.add_argument("--html", type=Path, metavar="F", help="write the page of evidence, self-contained")
    add_locale(command, "language of the answer")


def _families(options: argparse.Namespace) -> int:
    home = processed_home(options)
    from bastau.families import build_dossier
    from bastau.report.families_page import dossier_json, dossier_lines, families_page
    from bastau.report.locale import load

    dossier = build_dossier(home, options.domain)
    locale = load(chosen_locale(options))
    lines = dossier_lines(dossier, locale)
    if options.html:
        write_file(options.html, families_page(dossier, locale))
        lines.append(f"{options.html}")
    return give_answer(options, dossier_json(dossier), lines)


def _report_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--from", dest="start", metavar="DATE", help="first day (default: seven days before --to)")
    command.add_argument(
        "--to", dest="end", metavar="DATE", help="day after the last (default: day after the latest post)"
    )
    command.add_argument("-o", "--output", type=Path, metavar="F", help="file to write (default: brief.html)")
    add_locale(command, "language of the page")
    command.add_argument(
        "--traces", action="store_true", help="also write a trace page for each narrative the brief names"
    )


def _report(options: argparse.Namespace) -> int:
    home = processed_home(options)
    from bastau.report.brief import brief, brief_json
    from bastau.report.locale import load
    from bastau.report.terminal import brief_lines

    con = home.connect()
    start, end = period(con, options.start, options.end)
    made = brief(con, start, end)
    locale = load(chosen_locale(options))
    lines = brief_lines(made, locale)
    if options.output or not options.json:
        from bastau.report.brief_page import brief_page

        output = options.output or Path("brief.html")
        pages = output.with_name(f"{output.stem}-traces")
        link = trace_pages(home, con, made, locale, pages) if options.traces else lambda _narrative_id: None
        write_file(output, brief_page(made, locale, link))
        lines.append(f"{output}")
    return give_answer(options, brief_json(made), lines)


def period(con: Any, first: str | None = None, after: str | None = None) -> tuple[datetime, datetime]:
    """Return the period from day ``first`` to day ``after``; by default the seven days up to the latest post."""
    if after:
        end = read_day(after, "--to")
    else:
        latest = con.execute("SELECT max(published_at)::DATE::VARCHAR FROM posts").fetchall()[0][0]
        end = read_day(latest, "") + timedelta(days=1) if latest else now()
    start = read_day(first, "--from") if first else end - timedelta(days=7)
    if start >= end:
        raise ConfigError("--from must lie before --to")
    return start, end


def trace_pages(home: "Home", con: Any, made: Any, locale: Any, folder: Path) -> Callable[[str], str | None]:
    """Write a trace page for each narrative that a brief names; return the address of each, relative to the brief."""
    from bastau.report.build import build_trace
    from bastau.report.search import find
    from bastau.report.trace_page import trace_page

    folder.mkdir(parents=True, exist_ok=True)
    wanted = {row.narrative_id for rows in (made.new, made.rising, made.across_languages) for row in rows}
    wanted |= {narrative_id for group in made.coordinated for narrative_id, _text in group.narratives}
    for narrative_id in sorted(wanted):
        found = find(con, narrative_id, canonical=_canonical, sign=lambda text: _sign(home, text))
        trace = build_trace(con, found, lead_in_hours=home.settings.sources.lead_in_hours)
        write_file(folder / f"{narrative_id}.html", trace_page(trace, locale))
    return lambda narrative_id: f"{folder.name}/{narrative_id}.html" if narrative_id in wanted else None


def _canonical(url: str) -> str:
    from bastau.urls import canonical_url

    return canonical_url(url) or url


def _sign(home: "Home", text: str) -> tuple[str, int | None, bytes | None]:
    from bastau.reading import read_text

    return read_text(text, home.settings)


COMMANDS = (
    Command(
        "trace",
        "where it started, who spread it, how sure: post id, URL, narrative id or text",
        _trace,
        _trace_arguments,
    ),
    Command(
        "families",
        "websites run by the same hands, with the evidence; all, or those of one DOMAIN",
        _families,
        _families_arguments,
    ),
    Command(
        "report", "brief for a period: new, rising, coordinated, across languages (HTML)", _report, _report_arguments
    ),
)

"""add and sources: the list of what is watched."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bastau.cli.options import Command, now, open_home
from bastau.cli.output import Answer, give_answer, progress_bars, thousands, write_file
from bastau.errors import ConfigError

_LOOKED_AT_ONCE = 200
"""Addresses of a list that `add` looks at before it stores what it found."""


def _add_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "places", nargs="*", metavar="ADDRESS", help="address, @channel, user@server, or a file: OPML, CSV, one a line"
    )
    command.add_argument(
        "--starter", action="store_true", help="the starter list: Kazakhstan, Central Asia, fact-checkers"
    )
    command.add_argument("--collector", metavar="NAME", help="take this collector instead of recognising one")
    command.add_argument("--all", action="store_true", help="watch everything found at an address, not only the best")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument(
        "--unseen", action="store_true", help="do not look there first; the form of the address must tell what it is"
    )
    command.add_argument(
        "--priority",
        type=int,
        default=0,
        choices=range(-4, 5),
        metavar="N",
        help="-4 to 4; each step visits twice as often",
    )
    command.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of the collector; may be given often",
    )


def _add(options: argparse.Namespace) -> int:
    import asyncio

    from bastau import places
    from bastau.editing import read_options
    from bastau.watching import check_options, open_store

    wanted: list[places.Wanted] = places.starter() if options.starter else []
    for place in options.places:
        is_file = "://" not in place and Path(place).is_file()
        wanted += places.read_list(Path(place)) if is_file else [places.Wanted(place)]
    if not wanted:
        raise ConfigError("name an address to watch, a file with a list of them, or --starter")
    if options.collector:
        wanted = [places.Wanted(one.address, options.collector, one.name, one.line) for one in wanted]
    given = read_options(options.option)
    check_options(given)
    home = open_home(options, create=True)
    chosen: list[Any] = []
    problems: list[Answer] = []
    added: list[bool] = []
    with open_store(home) as store, progress_bars(options) as bars:
        task = bars.add_task("looking", total=len(wanted), note="")
        # Part by part, so that a list that is cut off has added what it came to.
        for start in range(0, len(wanted), _LOOKED_AT_ONCE):
            part = wanted[start : start + _LOOKED_AT_ONCE]
            if options.unseen:
                looked = places.unseen(part)
            else:
                looked = asyncio.run(places.look(home, part, lambda _: bars.advance(task)))
            taken = []
            for one in looked:
                if one.problem:
                    problems.append({"address": one.wanted.address, "line": one.wanted.line, "problem": one.problem})
                elif len(wanted) == 1 and not options.json and not options.unseen:
                    bars.stop()
                    taken += _chosen(options, one.found)
                else:
                    taken += one.found if options.all else one.found[:1]
            added += store.add(taken, options=given, priority=options.priority, now=now().timestamp())
            chosen += taken
    answer, lines = places.told(chosen, added)
    for problem in problems:
        place = f"line {problem['line']}: " if problem["line"] else ""
        print(f"bastau: {place}{problem['address']}: {problem['problem']}", file=sys.stderr)
    next_step = ["next: bastau watch"] if chosen else []
    give_answer(options, answer | {"problems": problems}, lines + next_step)
    return 0 if chosen or not problems else 3


def _chosen(options: argparse.Namespace, found: Sequence[Any]) -> list[Any]:
    """Show what was found at one address and return what the operator takes of it."""
    from bastau import places

    for number, one in enumerate(found, 1):
        print("\n".join(places.explain(one, number if len(found) > 1 else None)))
    if options.all:
        return list(found)
    if options.yes or not sys.stdin.isatty():
        return [found[0]]
    wanted = "[Y/n]" if len(found) == 1 else f"which: 1-{len(found)}, a for all, n for none [1]"
    said = input(f"watch it? {wanted} ").strip().lower()
    if said in ("n", "no", "0"):
        return []
    if said in ("a", "all"):
        return list(found)
    numbers = [int(part) for part in said.replace(",", " ").split() if part.isdigit()] or [1]
    return [found[n - 1] for n in numbers if 1 <= n <= len(found)]


def _sources_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "act",
        nargs="?",
        default="list",
        choices=("list", "edit", "pause", "resume", "remove", "now", "export", "import"),
        metavar="ACT",
        help="list (default), edit, pause, resume, remove, now (visit soon), export (CSV), import (what a CSV changes)",
    )
    command.add_argument("places", nargs="*", metavar="ADDRESS", help="id or address; import: the CSV")
    command.add_argument("--only", choices=("failing", "silent", "paused", "gaps"), help="these only")
    command.add_argument("--trouble", metavar="KIND", help="those whose last visit failed so, for example gone")
    command.add_argument("--match", metavar="WORDS", help="those with this in their address or name")
    command.add_argument("--collector", metavar="NAME", help="those of this collector")
    command.add_argument("--host", metavar="HOST", help="those of this host and of hosts below it")
    command.add_argument("--limit", type=int, default=50, metavar="N", help="lines shown (default 50; --json has all)")
    command.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="edit: set an option of the collector; NAME= takes it off; may be given often",
    )
    command.add_argument("--name", metavar="NAME", help="edit: what one source is called")
    command.add_argument("--priority", type=int, choices=range(-4, 5), metavar="N", help="edit: -4 to 4")
    paused = command.add_mutually_exclusive_group()
    paused.add_argument("--pause", action="store_true", help="edit: visit no more")
    paused.add_argument("--resume", action="store_true", help="edit: visit again")
    command.add_argument("--yes", action="store_true", help="change what the filters find; without it they are counted")
    command.add_argument(
        "-o", "--output", type=Path, metavar="F", help="export: file to write (default: standard output)"
    )


def _sources(options: argparse.Namespace) -> int:
    from bastau import editing, places
    from bastau.watching import open_store

    home = open_home(options)
    chosen = editing.Filter(options.only, options.trouble, options.match, options.collector, options.host)
    with open_store(home) as store:
        if options.act not in ("list", "export"):
            return _edit_sources(options, store, chosen)
        if options.act == "export":
            text = editing.as_csv([source for source in store.sources() if chosen.holds(source, now())])
            if options.output is None:
                print(text, end="")
                return 0
            write_file(options.output, text)
            n = text.count("\n") - 1
            return give_answer(options, {"file": str(options.output), "n_lines": n}, [f"{options.output} written"])
        answer, lines = places.health(store, now(), chosen.holds)
    if options.json:
        return give_answer(options, answer, lines)
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("id", "place", "last success", "posts", "a day", "every", "gaps", "trouble"):
        table.add_column(column, overflow="fold" if column == "place" else "ellipsis")
    for row in answer["sources"][: options.limit]:
        table.add_row(
            str(row["source_id"]),
            row["address"],
            (row["last_success_at"] or "never")[:16].replace("T", " "),
            thousands(row["n_posts"]),
            "" if row["posts_a_day"] is None else f"{row['posts_a_day']:.1f}",
            f"{row['interval_s'] / 60:.0f} min" if row["interval_s"] else "",
            f"{row['n_gaps']} ({row['gap_s'] / 3600:.1f} h)" if row["n_gaps"] else "",
            "paused" if row["is_paused"] else f"{row['trouble']} x{row['n_failures']}" if row["trouble"] else "",
        )
    print("\n".join(lines))
    # Addresses are cut for nobody: a pipe has no width.
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    if len(answer["sources"]) > options.limit:
        print(f"... and {len(answer['sources']) - options.limit} more (--limit, --json)")
    return 0


def _edit_sources(options: argparse.Namespace, store: Any, chosen: Any) -> int:
    """Change sources that are named, or what filters find or a table changes after it was counted."""
    from bastau import editing, places
    from bastau.watching import check_options

    unknown: list[str] = []
    is_counted = True
    if options.act == "import":
        if len(options.places) != 1:
            raise ConfigError("name one CSV: bastau sources import list.csv; `bastau sources export` writes one")
        changes, unknown = editing.from_csv(Path(options.places[0]), store.sources())
        n, lines = len(changes), editing.tell(changes)
    else:
        is_counted = not options.places
        if is_counted and chosen == editing.Filter():
            raise ConfigError(
                f"name the sources to {options.act}, by id or address, or by --only, --trouble, --match, --collector or --host"
            )
        listed = places.choose(store, options.places) if options.places else store.sources()
        sources = [source for source in listed if chosen.holds(source, now())]
        changes = editing.apply(_change(options), sources) if options.act in ("edit", "pause", "resume") else []
        whole = options.act in ("remove", "now")
        n = len(sources) if whole else len(changes)
        lines = [f"{options.act}: {source.address}" for source in sources[:10]] if whole else editing.tell(changes)
    check_options(name for before, after in changes for name in after.options.keys() - before.options.keys())
    known_only = [f"{len(unknown)} not watched, as {unknown[0]}; bastau add looks at them first"] if unknown else []
    if is_counted and n and not options.yes:
        if options.json or not sys.stdin.isatty():
            counted = {"act": options.act, "n_changed": 0, "n_would_change": n, "n_unknown": len(unknown)}
            return give_answer(options, counted, [*lines, *known_only, f"{n} sources would change; --yes changes them"])
        print("\n".join([*lines, *known_only]))
        if input(f"{options.act}: {n} sources? [y/N] ").strip().lower() not in ("y", "yes"):
            return 0
        lines = []
    if options.act == "remove":
        store.remove([source.source_id for source in sources])
    elif options.act == "now":
        store.hurry([source.source_id for source in sources])
    else:
        store.edit([after for _, after in changes])
    return give_answer(
        options,
        {"act": options.act, "n_changed": n, "n_unknown": len(unknown)},
        [*lines, *known_only, f"{n} sources changed"],
    )


def _change(options: argparse.Namespace) -> Any:
    from bastau.editing import Change, read_options

    if options.act in ("pause", "resume"):
        return Change(is_paused=options.act == "pause")
    change = Change(
        options.name,
        options.priority,
        True if options.pause else False if options.resume else None,
        read_options(options.option),
    )
    if change == Change():
        raise ConfigError("say what to change: --option NAME=VALUE, --name, --priority, --pause or --resume")
    return change


COMMANDS = (
    Command(
        "add",
        "watch any public address: feed, sitemap, site, channel, account; says what it found",
        _add,
        _add_arguments,
    ),
    Command(
        "sources", "the watched sources: health, gaps, cost; edit, pause and remove them", _sources, _sources_arguments
    ),
)

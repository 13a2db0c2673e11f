"""evidence: what was preserved of fetched pages."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bastau.cli.options import Command, now, open_home
from bastau.cli.output import give_answer
from bastau.errors import ConfigError

if TYPE_CHECKING:
    from bastau.home import Home


def _evidence_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "act",
        choices=("list", "show", "verify", "export", "stamp", "shot", "erase"),
        metavar="ACT",
        help="list, show, verify, export, stamp, shot or erase",
    )
    command.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        help="numbers of items (show, erase), an address (shot), words of an address (list)",
    )
    command.add_argument(
        "-o", "--output", type=Path, metavar="F", help="file to write: a working copy (show), a WACZ (export)"
    )
    command.add_argument("--by", default="", metavar="NAME", help="who acts; stays in the chain of custody")
    command.add_argument("--why", default="", metavar="REASON", help="why; stays in the chain of custody")
    command.add_argument("--older-than", type=int, metavar="DAYS", help="erase items older than this")
    command.add_argument("--website", metavar="DOMAIN", help="erase items of this website")


def _evidence(options: argparse.Namespace) -> int:
    import getpass

    from bastau.evidence import commands
    from bastau.evidence.archive import Archive
    from bastau.home import writing

    home = open_home(options)
    settings = home.settings.evidence
    archive = Archive(home.folder / commands.FOLDER)
    by = options.by or getpass.getuser()
    match options.act:
        case "list":
            return give_answer(options, *commands.list_items(archive, " ".join(options.what)))
        case "show":
            return give_answer(options, *commands.show(archive, _item_numbers(options.what, "show")[0], options.output))
        case "verify":
            answer, lines = commands.verify(archive, settings.authority_file)
            give_answer(options, answer, lines)
            return 0 if answer["is_whole"] else 1
        case "export":
            if options.output is None:
                raise ConfigError("name the file to write: bastau evidence export -o evidence.wacz")
            with writing(home, commands.LOCK):
                return give_answer(options, *commands.export(archive, options.output, now(), by=by))
        case "stamp":
            services = {"authority": settings.authority, "calendar": settings.calendar}
            done = commands.stamp_head(archive, now(), lock=lambda: writing(home, commands.LOCK), **services)
            return give_answer(options, *done)
        case "shot":
            return _shot(options, home, archive.folder, by)
        case _:
            numbers = _item_numbers(options.what, "erase") if options.what else []
            if not numbers and options.older_than is None and options.website is None:
                raise ConfigError("name the items to erase, --older-than DAYS or --website DOMAIN")
            with writing(home, commands.LOCK):
                done = commands.erase(
                    archive,
                    numbers,
                    now(),
                    older_than=options.older_than,
                    website=options.website,
                    by=by,
                    why=options.why,
                )
            return give_answer(options, *done)


def _shot(options: argparse.Namespace, home: "Home", folder: Path, by: str) -> int:
    import asyncio

    from bastau.collect.web.names import ask_system
    from bastau.evidence.commands import LOCK
    from bastau.evidence.shots import take_shot
    from bastau.home import writing

    if len(options.what) != 1:
        raise ConfigError("name one address: bastau evidence shot https://site.kz/page")
    allow = home.settings.network.allow_private
    taken = asyncio.run(
        take_shot(
            folder,
            options.what[0],
            now(),
            by=by,
            why=options.why,
            resolve=ask_system,
            allow_private=allow,
            lock=lambda: writing(home, LOCK),
        )
    )
    return give_answer(options, taken, [f"item {taken['n']}: {folder / 'shots' / taken['file']}"])


def _item_numbers(words: Sequence[str], act: str) -> list[int]:
    if not words or not all(word.isdigit() for word in words):
        raise ConfigError(
            f"name items by their numbers, as in: bastau evidence {act} 12; `bastau evidence list` shows them"
        )
    return [int(word) for word in words]


COMMANDS = (
    Command(
        "evidence",
        "what was preserved of fetched pages: list, show, verify, export, stamp, shot, erase",
        _evidence,
        _evidence_arguments,
    ),
)

"""log: the hash-chained log of review."""

import argparse
from datetime import timedelta
from functools import partial
from pathlib import Path

from bastau.cli.options import Command, now, open_home, read_day
from bastau.cli.output import give_answer


def _log_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", choices=("verify", "stamp", "report"), metavar="TASK", help="verify, stamp or report")
    command.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="a log, for report a published one too (default: the home's)"
    )
    command.add_argument(
        "--head", default="", metavar="HASH", help="verify: hash of an act noted before; shows a cut end"
    )
    command.add_argument(
        "--from", dest="start", metavar="DATE", help="report: first day (default: 30 days before --to)"
    )
    command.add_argument("--to", dest="end", metavar="DATE", help="report: day after the last (default: tomorrow)")


def _log(options: argparse.Namespace) -> int:
    from bastau import logbook
    from bastau.home import writing
    from bastau.review.log import FOLDER, LOCK, NAME

    home = None if options.file is not None and options.task != "stamp" else open_home(options)
    settings = home.settings.evidence if home is not None else None
    file = options.file or (home.folder / FOLDER / NAME if home is not None else Path(NAME))
    match options.task:
        case "verify":
            answer, lines = logbook.verify(file, options.head, settings.authority_file if settings else "")
            give_answer(options, answer, lines)
            return 0 if answer["is_whole"] else 1
        case "stamp" if home is not None and settings is not None:
            services = {"authority": settings.authority, "calendar": settings.calendar}
            lock = partial(writing, home, file=LOCK)
            return give_answer(options, *logbook.stamp_head(file, now(), lock=lock, **services))
        case _:
            tomorrow = now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            end = read_day(options.end, "--to") if options.end else tomorrow
            start = read_day(options.start, "--from") if options.start else end - timedelta(days=30)
            return give_answer(options, *logbook.report(file, start, end))


COMMANDS = (
    Command(
        "log", "the log of review: verify (exit code 1 if anything was changed), stamp, report", _log, _log_arguments
    ),
)

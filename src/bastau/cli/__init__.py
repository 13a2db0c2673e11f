"""The command line: the only part that prints, reads the clock and the environment, and configures logging.

Which module holds which command, in the order of the flow; each lists its own at its end in ``COMMANDS``:

    collect     import, receive, login: posts from files, browsers and accounts
    sources     add, sources: the list of what is watched
    watch       watch
    evidence    evidence
    run         run: all stages over what is new
    report      trace, families, report
    alerts      alerts
    check       check, rules, lists, hash: posts and media that are given rather than stored
    train       train
    evaluate    evaluate, simulate, bench
    log         log: the log of review
    export      export
    shield      shield
    workbench   demo, serve, up, user: the pages
    status      status
    home        doctor, compact, erase: care of what is stored

What they share: ``options`` (what a command is, the home folder, how options are read), ``output`` (answers, bars, files),
``caches`` (compiled kernels and rules).

Exit codes: 0 done, 1 our fault, 2 yours, 3 a source's; 130 after Ctrl-C. Heavy imports happen inside the commands, so that
``bastau --help`` answers at once.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bastau import __version__
from bastau.cli import (
    alerts,
    check,
    collect,
    evaluate,
    evidence,
    export,
    home,
    log,
    report,
    run,
    shield,
    sources,
    status,
    train,
    watch,
    workbench,
)
from bastau.cli.caches import keep_kernels
from bastau.cli.options import open_home
from bastau.errors import BastauError

# in the order of `bastau --help`
_MODULES = (
    workbench,
    collect,
    sources,
    watch,
    alerts,
    evidence,
    log,
    run,
    report,
    check,
    train,
    export,
    shield,
    status,
    evaluate,
    home,
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; the reference page of commands is made from it."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--home", type=Path, metavar="DIR", help="home folder (default: $BASTAU_HOME or ./bastau-home)")
    common.add_argument("--json", action="store_true", help="answer as one JSON object on standard output")
    common.add_argument("--quiet", action="store_true", help="no progress bars")
    common.add_argument("--verbose", action="store_true", help="log what happens to standard error")
    parser = argparse.ArgumentParser(
        prog="bastau",
        description="Groups public posts into narratives and shows where each was first seen, who repeated it and who moved together.",
        epilog="Exit codes: 0 done, 1 our fault, 2 yours, 3 a source's. bastau judges content and publishers, never persons.",
    )
    parser.add_argument("--version", action="version", version=f"bastau {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in _MODULES:
        for command in module.COMMANDS:
            own = commands.add_parser(command.name, parents=[common], help=command.help, description=command.help)
            own.set_defaults(run=command.run)
            command.arguments(own)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = build_parser().parse_args(arguments)
    from bastau.logs import Plain

    told = logging.StreamHandler(sys.stderr)
    told.setFormatter(Plain("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR, handlers=[told])
    keep_kernels()
    try:
        return int(options.run(options))
    except BastauError as error:
        print(f"bastau: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # another one ends it at once, and prints no traceback
        print("\nbastau: stopped; what was stored stays, the same command goes on from there", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`bastau trace X | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        logging.getLogger(__name__).info("unexpected", exc_info=True)
        if torn := _torn_files(options):
            print("\n".join(f"bastau: {line}" for line in torn), file=sys.stderr)
            return 1
        print(
            f"bastau: unexpected {type(error).__name__}: {error}\nThis is our fault; please report it with --verbose.",
            file=sys.stderr,
        )
        return 1


def _torn_files(options: argparse.Namespace) -> list[str]:
    """Return what to say of damaged files; DuckDB reports them in its own words, and only when it comes to them."""
    from bastau.doctor import examine

    try:
        damaged = [p for p in examine(open_home(options)) if p.code == "damaged"]
    except (BastauError, OSError):
        return []
    return [f"{p.path}: damaged; run `bastau doctor --repair`: {p.remedy}" for p in damaged]

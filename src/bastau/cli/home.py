"""doctor, compact and erase: care of the stored files."""

import argparse
import contextlib
from datetime import timedelta

from bastau.cli.caches import keep_rules
from bastau.cli.options import Command, now, open_home
from bastau.cli.output import give_answer, thousands


def _doctor_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--repair", action="store_true", help="finish deletions, set torn files aside")


def _doctor(options: argparse.Namespace) -> int:
    from bastau.doctor import examine, repair

    home = open_home(options)
    with home.locked() if options.repair else contextlib.nullcontext():
        problems = examine(home)
        if options.repair and problems:
            repair(home, problems)
            left = [p for p in examine(home) if p.code != "unread"]
        else:
            left = [p for p in problems if p.code not in ("unread", "unfinished")]
    answer = {
        "problems": [vars(p) for p in problems],
        "repaired": bool(options.repair),
        "left": [vars(p) for p in left],
    }
    lines = [f"{p.code}: {p.path}: {p.remedy}" for p in problems] or ["every file whole, nothing twice"]
    if options.repair and problems:
        lines.append("mended" if not left else f"{len(left)} problems are left")
    give_answer(options, answer, lines)
    return 1 if left else 0


def _compact(options: argparse.Namespace) -> int:
    home = open_home(options)
    with home.locked():
        from bastau.pipeline import compact

        gone = compact(home)
    return give_answer(
        options, gone, [f"{table}: {n} files fewer" for table, n in gone.items() if n] or ["nothing to merge"]
    )


def _erase_arguments(command: argparse.ArgumentParser) -> None:
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--source", metavar="SOURCE", help="source as stored (publishers by name)")
    what.add_argument("--older-than", type=int, metavar="DAYS", help="published more than DAYS days ago")


def _erase(options: argparse.Namespace) -> int:
    home = open_home(options)
    keep_rules()
    with home.locked():
        from bastau.engine import open_engine
        from bastau.pipeline import erase, run

        before = None if options.older_than is None else now() - timedelta(days=options.older_than)
        n_erased = erase(home, source=options.source, before=before)
        if n_erased:
            engine = open_engine(home.settings.engine)
            try:
                run(home, engine)
            finally:
                engine.close()
    return give_answer(
        options, {"n_erased": n_erased}, [f"{thousands(n_erased)} posts erased, and everything made from them"]
    )


COMMANDS = (
    Command("doctor", "verify every stored file; --repair mends what can be mended", _doctor, _doctor_arguments),
    Command("compact", "merge small stored files", _compact),
    Command("erase", "remove all posts of a source, or older than some days, for good", _erase, _erase_arguments),
)

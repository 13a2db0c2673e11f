"""check, rules, lists and hash: rules and known content, over posts that are given rather than stored."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bastau.cli.caches import keep_rules
from bastau.cli.options import Command, home_if_any, now, open_home
from bastau.cli.output import Answer, give_answer, progress_bars, thousands
from bastau.errors import ConfigError

if TYPE_CHECKING:
    from bastau.home import Home


def _check_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("text", nargs="?", metavar="TEXT", help="one text; - reads it from standard input")
    command.add_argument(
        "--file", type=Path, metavar="F", help="CSV or NDJSON with id, text and optionally title, url, media"
    )
    command.add_argument(
        "-o", "--output", type=Path, metavar="F", help="--file: NDJSON to write (default: standard output)"
    )
    command.add_argument(
        "--judge",
        action="store_true",
        help="TEXT: ask the model named under [judge] for a second opinion; only this text leaves the machine",
    )


def _check(options: argparse.Namespace) -> int:
    from bastau.checks import answer_lines, check_file, check_rows, open_checker
    from bastau.settings import Settings

    if (options.text is None) == (options.file is None):
        raise ConfigError("check: give one TEXT (- for standard input), or --file F")
    home = home_if_any(options)
    keep_rules()
    settings = home.settings if home is not None else Settings()
    checker = open_checker(home)
    if options.file is None:
        text = sys.stdin.read() if options.text == "-" else options.text
        if not text.strip():
            raise ConfigError("check: the text is empty")
        answer = check_rows([{"id": "1", "text": text}], checker)[0]
        lines = answer_lines(answer, text)
        if options.judge:
            from bastau.judging import judge_texts

            folder = home.folder if home is not None else Path.cwd()
            judged, said = judge_texts([text], settings.judge, folder=folder, environ=os.environ)
            answer["judge"] = judged
            lines += said
        return give_answer(options, answer, lines)
    if options.judge:
        raise ConfigError("check --judge: give one TEXT; a file would send many texts out of this machine")
    return _check_lines(options, check_file(options.file, checker))


def _check_lines(options: argparse.Namespace, answers: Iterator[Answer]) -> int:
    """Write one JSON object a row and say on standard error how many were flagged and how many could not be used."""
    import orjson

    n, n_flagged, n_bad = 0, 0, 0
    with contextlib.ExitStack() as stack:
        bars = stack.enter_context(progress_bars(options))
        bar = bars.add_task(options.file.name, total=None, note="")
        temporary = options.output.with_name(f".{options.output.name}.tmp") if options.output else None
        if temporary is not None:  # once it has its name, there is nothing left to remove
            stack.callback(temporary.unlink, missing_ok=True)
        try:
            sink = stack.enter_context(temporary.open("wb")) if temporary else sys.stdout.buffer
        except OSError as error:
            raise ConfigError(f"{options.output}: cannot be written: {error.strerror}") from error
        for answer in answers:
            n += 1
            if "error" in answer:
                n_bad += 1
                if n_bad <= 5:
                    print(f"bastau: {options.file}: line {answer['line']}: {answer['error']}", file=sys.stderr)
            n_flagged += answer.get("flagged", False)
            sink.write(orjson.dumps(answer) + b"\n")
            bars.update(bar, completed=n, note=f"{thousands(n_flagged)} flagged")
        sink.flush()
        if temporary is not None:
            temporary.replace(options.output)
    said = f"{thousands(n)} rows: {thousands(n_flagged)} for a reviewer, {thousands(n_bad)} could not be used"
    print(said, file=sys.stderr)
    return 2 if n == n_bad else 0


def _rules_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "action",
        choices=("check", "test", "explain", "shadow", "try"),
        metavar="ACTION",
        help="check: load rules and say what is wrong with them; test: also their texts and the protected-speech suite; "
        "explain: why a text is flagged or not; shadow: what rules with status shadow would flag in the stored posts; "
        "try: what a file of the folder rules-shadow would change in the latest stored posts, without taking effect",
    )
    command.add_argument(
        "what",
        nargs="*",
        metavar="FILE|TEXT",
        help="check, test: files or folders (default: all rules); explain: a text; try: a file below rules-shadow",
    )


def _rules(options: argparse.Namespace) -> int:
    from bastau.read.rules import commands
    from bastau.read.rules.suite import read_suite, suite_folder

    home = home_if_any(options)
    own = [home.folder / "rules"] if home is not None and (home.folder / "rules").is_dir() else []
    if options.action == "explain":
        if len(options.what) != 1:
            raise ConfigError("rules explain: give one TEXT in quotation marks")
        return give_answer(options, *commands.explain(options.what[0], own))
    if options.action == "shadow":
        from bastau.matching import count_shadow

        keep_rules()
        return give_answer(options, *count_shadow(open_home(options)))
    if options.action == "try":
        from bastau.rule_trial import told, try_candidate

        if len(options.what) != 1:
            raise ConfigError("rules try: name one file below rules-shadow in the home folder")
        return give_answer(options, *told(try_candidate(open_home(options), options.what[0], now())))
    paths = [*own, *(Path(path) for path in options.what)]
    if options.action == "check":
        return give_answer(options, *commands.check_rules(paths))
    answer, lines = commands.run_rule_texts(paths, read_suite(suite_folder()))
    give_answer(options, answer, lines)
    return 2 if answer["failed"] or answer["breaches"] else 0


def _lists_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "action", nargs="?", default="show", choices=("show", "add", "sync", "export", "remove"), metavar="ACTION",
        help="show (default); add a file, an address, `tat` or `hma:ADDRESS`; sync from where they came; export; remove",
    )  # fmt: skip
    command.add_argument("what", nargs="*", metavar="FROM|NAME", help="add: where from; others: names of lists")
    command.add_argument("--name", help="add: name of the list")
    command.add_argument("--format", help="add, export: lines, csv, ndjson, pytx, tcap or vpdq (default: recognised)")
    command.add_argument("--signal", help="add: what bare values are: sha256, md5, pdq, url, text")
    command.add_argument(
        "--negative",
        action="store_true",
        default=None,
        help="add: legitimate uses, such as news footage; holds others back",
    )
    command.add_argument("--publisher", help="add: who publishes the list")
    command.add_argument("--ground", help="add: legal or policy ground on which its entries count")
    command.add_argument("--bank", help="add: bank of an HMA server")
    command.add_argument(
        "--secret", metavar="env:NAME|file:PATH", help="add: where the token stands; never the token itself"
    )
    command.add_argument("--pdq-distance", type=int, help="add: bits of 256 in which a picture may differ (default 31)")
    command.add_argument("--containment", type=float, help="add: share of a listed text that a post must hold")
    command.add_argument("-o", "--output", type=Path, metavar="F", help="export: file to write")


def _lists(options: argparse.Namespace) -> int:
    from bastau.known_lists import commands

    home = open_home(options, create=options.action == "add")
    if options.action == "show":
        return give_answer(options, *commands.show(home, now=now()))
    if options.action == "sync":
        return give_answer(options, *commands.sync(home, options.what, now=now(), limits=_network(home)))
    if len(options.what) != 1:
        raise ConfigError(
            f"lists {options.action}: name one {'file or address' if options.action == 'add' else 'list'}"
        )
    target = options.what[0]
    if options.action == "remove":
        return give_answer(options, *commands.remove(home, target))
    if options.action == "export":
        if options.output is None:
            raise ConfigError("lists export: name the file to write with -o F")
        return give_answer(options, *commands.export(home, target, options.output, options.format or "csv"))
    if not options.name:
        raise ConfigError("lists add: give the list a name with --name")
    chosen = commands.ListOptions(
        is_negative=options.negative,
        publisher=options.publisher,
        ground=options.ground,
        format=options.format,
        signal=options.signal,
        bank=options.bank,
        secret=options.secret,
        pdq_distance=options.pdq_distance,
        containment=options.containment,
    )
    return give_answer(options, *commands.add(home, target, options.name, chosen, now=now(), limits=_network(home)))


def _network(home: "Home") -> Any:
    from bastau.network import NetworkLimits

    return NetworkLimits(allow_private=home.settings.network.allow_private)


def _hash_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("files", nargs="+", type=Path, metavar="FILE")
    command.add_argument("--turned", action="store_true", help="look pictures up turned and mirrored too")


def _hash(options: argparse.Namespace) -> int:
    from bastau.known_lists.commands import hash_files

    return give_answer(options, *hash_files(options.files, home=home_if_any(options), turned=options.turned))


COMMANDS = (
    Command(
        "check",
        "rules, known content and fact-checks for one text or a file of them; says nothing of who wrote it",
        _check,
        _check_arguments,
    ),
    Command("rules", "check, test and explain rules; count what shadow rules would flag", _rules, _rules_arguments),
    Command("lists", "lists of known content: show, add, sync, export, remove", _lists, _lists_arguments),
    Command("hash", "SHA-256, MD5 and PDQ of media files", _hash, _hash_arguments),
)

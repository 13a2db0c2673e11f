"""The command line: the only module that prints, reads the clock and the environment, and configures logging.

Exit codes: 0 done, 1 our fault, 2 yours, 3 a source's; 130 after Ctrl-C. Heavy imports happen inside the commands, so that
``bastau --help`` answers at once.
"""

import argparse
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bastau import __version__
from bastau.errors import BastauError, ConfigError

if TYPE_CHECKING:
    from bastau.home import Home

Answer = dict[str, Any]

EXPORTS = ("narratives", "coordination", "graph", "posts", "near-duplicates", "rejects")
TASKS = ("near-duplicates", "narratives", "origin", "coordination")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; the reference page of commands is made from it."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--home", type=Path, metavar="DIR", help="home folder (default: $BASTAU_HOME or ./bastau-home)"
    )
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

    def add(name: str, run: Callable[[argparse.Namespace], int], help_: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[common], help=help_, description=help_)
        command.set_defaults(run=run)
        return command

    demo = add("demo", _demo, "invented sample posts through the whole way, brief and traces on a local address")
    demo.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1 (default 8765; 0: any free one)")
    demo.add_argument("--posts", type=int, default=3200, help="posts to invent (default 3200)")
    demo.add_argument("--seed", type=int, default=2026, help="seed of the generator (default 2026)")
    demo.add_argument("--no-serve", action="store_true", help="write the pages and stop")
    demo.add_argument("--locale", choices=("kk", "ru", "en"), help="language of the pages (default: from $LANG, else en)")

    import_ = add("import", _import, "any known format, recognised by content; packed with gzip, zstd or zip or not")
    import_.add_argument("files", nargs="+", type=Path, metavar="FILE")
    import_.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help="for a foreign CSV or NDJSON: bastau field = their column, a template such as "
        "'telegram:{channel_id}/{message_id}', or '==value' for a constant; may be given often",
    )
    import_.add_argument("--format", help="name of the format, to skip recognition")

    run = add("run", _run, "process what is new: read, narratives, sources")
    run.add_argument("--engine", choices=("local", "spark"), help="where to run (default: [engine] name)")
    run.add_argument("--rebuild", action="store_true", help="make the grouping again from the stored posts")

    trace = add("trace", _trace, "where it started, who spread it, how sure: post id, URL, narrative id or text")
    trace.add_argument("query", metavar="QUERY")
    trace.add_argument("--html", type=Path, metavar="F", help="write one self-contained page")
    trace.add_argument("--locale", choices=("kk", "ru", "en"), help="language of the answer (default: from $LANG, else en)")

    report = add("report", _report, "brief for a period: new, rising, coordinated, across languages (HTML)")
    report.add_argument("--from", dest="start", metavar="DATE", help="first day (default: seven days before --to)")
    report.add_argument("--to", dest="end", metavar="DATE", help="day after the last (default: day after the latest post)")
    report.add_argument("-o", "--output", type=Path, metavar="F", help="file to write (default: brief.html)")
    report.add_argument("--locale", choices=("kk", "ru", "en"), help="language of the page (default: from $LANG, else en)")
    report.add_argument("--traces", action="store_true", help="also write a trace page for each narrative the brief names")

    export = add("export", _export, "narratives, coordination, graph, posts, near-duplicates, rejects")
    export.add_argument("what", choices=EXPORTS, metavar="WHAT", help=", ".join(EXPORTS))
    export.add_argument("-o", "--output", type=Path, required=True, metavar="F", help="file; its ending chooses the form")

    status = add("status", _status, "what the home folder holds: posts, period, publishers, last run")
    status.set_defaults()

    evaluate = add("evaluate", _evaluate, "quality on labelled data")
    evaluate.add_argument("task", choices=TASKS, metavar="TASK", help=", ".join(TASKS))
    evaluate.add_argument("--truth", type=Path, metavar="DIR", help="folder with truth.json (see the how-to on simulated posts)")
    evaluate.add_argument("--sample", type=int, default=30_000, help="near-duplicates: distinct texts to compare (default 30000)")
    evaluate.add_argument("--seed", type=int, default=1, help="near-duplicates: seed of the sample (default 1)")

    simulate = add("simulate", _simulate, "write invented posts with known truth: posts.ndjson and truth.json")
    simulate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    simulate.add_argument("--posts", type=int, default=3200, help="posts to invent (default 3200)")
    simulate.add_argument("--seed", type=int, default=2026, help="seed (default 2026)")

    bench = add("bench", _bench, "speed on this machine: import, run and export of generated posts in a temporary home")
    bench.add_argument("--posts", type=int, default=100_000, help="posts to generate (default 100000)")

    doctor = add("doctor", _doctor, "verify every stored file; --repair mends what can be mended")
    doctor.add_argument("--repair", action="store_true", help="finish deletions, set torn files aside")

    compact = add("compact", _compact, "merge small stored files")
    compact.set_defaults()

    erase = add("erase", _erase, "remove all posts of a source, or older than some days, for good")
    what = erase.add_mutually_exclusive_group(required=True)
    what.add_argument("--source", metavar="SOURCE", help="source as stored (publishers by name)")
    what.add_argument("--older-than", type=int, metavar="DAYS", help="published more than DAYS days ago")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR, stream=sys.stderr, format="%(name)s: %(message)s")
    try:
        return int(options.run(options))
    except BastauError as error:
        print(f"bastau: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nbastau: stopped; what was stored stays, the same command goes on from there", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`bastau trace X | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        logging.getLogger(__name__).info("unexpected", exc_info=True)
        print(f"bastau: unexpected {type(error).__name__}: {error}\nThis is our fault; please report it with --verbose.", file=sys.stderr)
        return 1


# ---- what commands share -------------------------------------------------------------------------------


def _open_home(options: argparse.Namespace, *, create: bool = False) -> "Home":
    from bastau.home import Home

    return Home.open(options.home or Path(os.environ.get("BASTAU_HOME") or "bastau-home"), create=create)


def _now() -> datetime:
    return datetime.now(UTC)


def _locale(options: argparse.Namespace) -> str:
    chosen = options.locale or os.environ.get("LANG", "en")[:2]
    return chosen if chosen in ("kk", "ru", "en") else "en"


def _answer(options: argparse.Namespace, answer: Answer, lines: Sequence[str]) -> int:
    if options.json:
        print(json.dumps(answer, ensure_ascii=False, default=_plain))
    else:
        print("\n".join(lines))
    return 0


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def _bars(options: argparse.Namespace) -> Iterator[Any]:
    """Yield a rich progress display on standard error; silent when that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[note]}"))
    quiet = options.quiet or options.json or not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bars:
        yield bars


def _number(n: float) -> str:
    return f"{n:,.0f}".replace(",", " ")  # narrow no-break space


# ---- commands ------------------------------------------------------------------------------------------


def _import(options: argparse.Namespace) -> int:
    mapping = _mapping(options.map)
    for path in options.files:
        if not path.exists():
            raise ConfigError(f"{path}: no such file")
    from time import perf_counter

    home = _open_home(options, create=True)
    with home.locked():
        from bastau.intake import FileReport, count_rejects, import_file

        reports = []
        start = perf_counter()
        with _bars(options) as bars:
            for path in options.files:
                bar = bars.add_task(path.name, total=path.stat().st_size, note="")

                def progress(n_bytes: int, report: FileReport, bar: Any = bar, began: float = start) -> None:
                    rate = (report.n_posts + report.n_repeats) / max(perf_counter() - began, 1e-6)
                    note = f"{_number(report.n_posts)} posts, {_number(rate)}/s, {report.n_rejects} rejected"
                    bars.update(bar, completed=n_bytes, note=note)

                reports.append(import_file(home, path, now=_now(), mapping=mapping, format=options.format, progress=progress))
    seconds = perf_counter() - start
    lines = []
    for report in reports:
        parts = [f"{report.file}: {report.format}: {_number(report.n_posts)} posts stored"]
        parts += [f"{_number(n)} {what}" for n, what in ((report.n_pages, "pages"), (report.n_claims, "claims")) if n]
        if report.n_repeats or report.n_known_batches:
            parts.append(f"{_number(report.n_repeats)} already there")
        parts.append(f"{_number(report.n_rejects)} rejected")
        lines.append(", ".join(parts))
        lines += [f"  rejected {n}: {reason}" for reason, n in count_rejects([report]).items()]
    n_posts = sum(report.n_posts for report in reports)
    n_private = sum(report.n_private for report in reports)
    lines.append(f"{_number(n_posts)} posts in {seconds:.1f} s ({_number(n_posts / max(seconds, 1e-6))}/s); next: bastau run")
    if n_private:
        threshold = home.settings.publishers.min_audience
        lines.append(
            f"{_number(n_private)} posts are by accounts below {_number(threshold)} followers or of unknown audience: pseudonymised, and never named in "
            "findings.\nFor simulated or already anonymised data set [publishers] min_audience = 0 in bastau.toml before importing."
        )
    if any(report.n_rejects for report in reports):
        lines.append("Rejected rows are kept with their reasons: bastau export rejects -o rejects.csv")
    answer = {"files": [vars(report) for report in reports], "n_posts": n_posts, "seconds": round(seconds, 3)}
    return _answer(options, answer, lines)


def _mapping(pairs: Sequence[str]) -> dict[str, str] | None:
    mapping = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not equals or not field or not column:
            raise ConfigError(f"--map {pair}: write FIELD=COLUMN, for example --map text=content")
        mapping[field.strip()] = column
    return mapping or None


def _run(options: argparse.Namespace) -> int:
    home = _open_home(options)
    with home.locked():
        import dataclasses

        from bastau.engine import open_engine
        from bastau.pipeline import run

        settings = home.settings.engine
        if options.engine:
            settings = dataclasses.replace(settings, name=options.engine)
        engine = open_engine(settings)
        try:
            with _bars(options) as bars:
                shown: dict[str, Any] = {}

                def progress(step: str, done: int, total: int) -> None:
                    if step not in shown:
                        shown[step] = bars.add_task(step, total=total or None, note="")
                    bars.update(shown[step], completed=done)

                report = run(home, engine, progress=progress, rebuild=options.rebuild)
        finally:
            engine.close()
    total = sum(report.seconds.values())
    if report.up_to_date:
        lines = [f"Nothing new: {_number(report.n_posts)} posts, {_number(report.n_narratives)} narratives, generation {report.generation}."]
    else:
        lines = [
            f"{_number(report.n_new_posts)} new posts read; {_number(report.n_posts)} posts in {_number(report.n_narratives)} narratives; "
            f"{_number(report.n_groups)} coordinated groups; {total:.1f} s ({_number(report.n_new_posts / max(total, 1e-9))} posts/s)"
        ]
        lines += [f"  {step:18s} {seconds:7.2f} s  {100 * seconds / max(total, 1e-9):4.0f} %" for step, seconds in report.seconds.items()]
        lines.append("next: bastau report, or bastau trace TEXT")
    return _answer(options, vars(report), lines)


def _processed(options: argparse.Namespace) -> "Home":
    home = _open_home(options)
    generation = home.generation()
    if generation is None or generation.manifest.get("erased"):
        raise ConfigError(f"{home.folder}: nothing processed yet; run `bastau run` first")
    return home


def _status(options: argparse.Namespace) -> int:
    home = _open_home(options)
    generation = home.generation()
    con = home.connect()
    row = con.execute(
        "SELECT count(*) n_posts, count(*) FILTER (is_publisher) n_by_publishers, count(DISTINCT source) FILTER (is_publisher) n_publishers, "
        "min(published_at)::VARCHAR first_post, max(published_at)::VARCHAR last_post FROM posts"
    ).to_arrow_table().to_pylist()[0]
    n_rejects = con.execute("SELECT count(*) FROM rejects").fetchall()[0][0]
    answer = {
        "home": str(home.folder),
        **row,
        "n_rejects": n_rejects,
        "min_audience": home.settings.publishers.min_audience,
        "generation": None if generation is None else {k: v for k, v in generation.manifest.items() if k not in ("batches", "settings")},
    }
    return _answer(options, answer, [f"{key}: {value}" for key, value in answer.items()])


def _compact(options: argparse.Namespace) -> int:
    home = _open_home(options)
    with home.locked():
        from bastau.pipeline import compact

        gone = compact(home)
    return _answer(options, gone, [f"{table}: {n} files fewer" for table, n in gone.items() if n] or ["nothing to merge"])


def _erase(options: argparse.Namespace) -> int:
    home = _open_home(options)
    with home.locked():
        from bastau.engine import open_engine
        from bastau.pipeline import erase, run

        before = None if options.older_than is None else _now() - timedelta(days=options.older_than)
        n_erased = erase(home, source=options.source, before=before)
        if n_erased:
            engine = open_engine(home.settings.engine)
            try:
                run(home, engine)
            finally:
                engine.close()
    return _answer(options, {"n_erased": n_erased}, [f"{_number(n_erased)} posts erased, and everything made from them"])


def _doctor(options: argparse.Namespace) -> int:
    from bastau.doctor import examine, repair

    home = _open_home(options)
    with home.locked() if options.repair else contextlib.nullcontext():
        problems = examine(home)
        if options.repair and problems:
            repair(home, problems)
            left = [p for p in examine(home) if p.code != "unread"]
        else:
            left = [p for p in problems if p.code not in ("unread", "unfinished")]
    answer = {"problems": [vars(p) for p in problems], "repaired": bool(options.repair), "left": [vars(p) for p in left]}
    lines = [f"{p.code}: {p.path}: {p.remedy}" for p in problems] or ["every file whole, nothing twice"]
    if options.repair and problems:
        lines.append("mended" if not left else f"{len(left)} problems are left")
    _answer(options, answer, lines)
    return 1 if left else 0

"""import, receive and login: public posts come in from files, browsers and accounts."""

import argparse
import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bastau.cli.options import Command, now, open_home
from bastau.cli.output import Answer, give_answer, progress_bars, stream_for_people, thousands
from bastau.errors import ConfigError


def _import_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("files", nargs="+", type=Path, metavar="FILE")
    command.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help="for a foreign CSV or NDJSON: bastau field = their column, a template such as "
        "'telegram:{channel_id}/{message_id}', or '==value' for a constant; may be given often",
    )
    command.add_argument("--format", help="name of the format, to skip recognition")
    command.add_argument(
        "--claims",
        action="store_true",
        help="the files hold fact-checks: ClaimReview JSON-LD, a Check API v2 feed, or a table with claim_id (or url), text and "
        "optionally title, publisher, verdict, url, language, published_at",
    )


def _import(options: argparse.Namespace) -> int:
    mapping = _mapping(options.map)
    if options.claims and (mapping or options.format):
        raise ConfigError("--claims finds the form by itself; leave out --map and --format")
    format_ = "claims" if options.claims else options.format
    for path in options.files:
        if not path.exists():
            raise ConfigError(f"{path}: no such file; check the spelling")
    from time import perf_counter

    home = open_home(options, create=True)
    with home.locked():
        from bastau.intake import FileReport, count_rejects, import_file

        reports = []
        start = perf_counter()
        with progress_bars(options) as bars:
            for path in options.files:
                bar = bars.add_task(path.name, total=path.stat().st_size, note="")

                def progress(n_bytes: int, report: FileReport, bar: Any = bar, began: float = start) -> None:
                    rate = (report.n_posts + report.n_repeats) / max(perf_counter() - began, 1e-6)
                    note = f"{thousands(report.n_posts)} posts, {thousands(rate)}/s, {report.n_rejects} rejected"
                    bars.update(bar, completed=n_bytes, note=note)

                reports.append(import_file(home, path, now=now(), mapping=mapping, format=format_, progress=progress))
    seconds = perf_counter() - start
    lines = []
    for report in reports:
        parts = [f"{report.file}: {report.format or 'holds no rows'}: {thousands(report.n_posts)} posts stored"]
        parts += [f"{thousands(n)} {what}" for n, what in ((report.n_pages, "pages"), (report.n_claims, "claims")) if n]
        if report.n_repeats or report.n_known_batches:
            parts.append(f"{thousands(report.n_repeats)} already there")
        parts.append(f"{thousands(report.n_rejects)} rejected")
        lines.append(", ".join(parts))
        lines += [f"  note: {note}" for note in report.notes]
        firsts = {reason: _place(line, field) + detail for reason, line, field, detail in report.first_rejects}
        lines += [f"  rejected {n}: {reason}{firsts.get(reason, '')}" for reason, n in count_rejects([report]).items()]
    n_posts = sum(report.n_posts for report in reports)
    n_private = sum(report.n_private for report in reports)
    lines.append(
        f"{thousands(n_posts)} posts in {seconds:.1f} s ({thousands(n_posts / max(seconds, 1e-6))}/s); next: bastau run"
    )
    if n_private:
        threshold = home.settings.publishers.min_audience
        lines.append(
            f"{thousands(n_private)} posts are by accounts below {thousands(threshold)} followers or of unknown audience: pseudonymised, and never named in "
            "findings.\nFor simulated or already anonymised data set [publishers] min_audience = 0 in bastau.toml before importing."
        )
    if any(report.n_rejects for report in reports):
        lines.append("Rejected rows are kept with their reasons: bastau export rejects -o rejects.csv")
    answer = {"files": [vars(report) for report in reports], "n_posts": n_posts, "seconds": round(seconds, 3)}
    give_answer(options, answer, lines)
    n_taken = n_posts + sum(report.n_repeats + report.n_pages + report.n_claims for report in reports)
    return 0 if n_taken or not any(report.n_rejects for report in reports) else 2


def _mapping(pairs: Sequence[str]) -> dict[str, str] | None:
    mapping = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not equals or not field or not column:
            raise ConfigError(f"--map {pair}: write FIELD=COLUMN, for example --map text=content")
        mapping[field.strip()] = column
    return mapping or None


def _place(line: int | None, field: str | None) -> str:
    place = ", ".join([*([f"line {line}"] if line else []), *([field] if field else [])])
    return f"; first at {place}: " if place else "; first: "


def _receive_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=int, default=8421, help="port on 127.0.0.1 (default 8421; 0: any free one)")
    command.add_argument(
        "--hub-port",
        type=int,
        default=8422,
        help="port on 127.0.0.1 for hubs of feeds, with [watch] callback (default 8422; 0: any free one)",
    )
    command.add_argument(
        "--token-file", type=Path, metavar="F", help="file with a token that whoever sends must give; chmod 600"
    )


def _receive(options: argparse.Namespace) -> int:
    import signal
    import threading

    from bastau.collect.collectors.keys import read_file
    from bastau.collect.collectors.zeeschuimer import Receiver, serve
    from bastau.receiving import importer, open_hubs

    home = open_home(options, create=True)
    token = read_file(options.token_file) if options.token_file else None
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    told = stream_for_people(options)
    say = partial(print, file=told, flush=True)
    receiver = Receiver(importer(home, now, say), token)
    pushes: Answer = {}
    try:
        with contextlib.ExitStack() as opened:
            server = opened.enter_context(serve(receiver, options.port))
            address = f"http://127.0.0.1:{server.server_address[1]}"
            say(f"Receiving at {address}; write it as the 4CAT server in Zeeschuimer. Ctrl-C ends.")
            if callback := home.settings.watch.callback:
                hubs, port = opened.enter_context(open_hubs(home, options.hub_port, stop))
                say(f"Hubs reach {callback}/websub/; pass it on to http://127.0.0.1:{port}/websub/.")
            stop.wait()
        if callback:
            pushes = {"n_pushes": hubs.n_pushes, "n_refused_pushes": hubs.n_refused}
    except OSError as error:
        raise ConfigError(
            f"a port cannot be used: {error.strerror}; choose others with --port and --hub-port"
        ) from error
    n_posts = sum(upload.rows for upload in receiver.uploads.values())
    answer = {"n_deliveries": len(receiver.uploads), "n_posts": n_posts, **pushes}
    lines = [f"{thousands(n_posts)} posts received"]
    if pushes:
        lines.append(
            f"{thousands(pushes['n_pushes'])} pushes of hubs, {thousands(pushes['n_refused_pushes'])} with a wrong signature"
        )
    return give_answer(options, answer, lines)


def _login_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("place", choices=("telegram",), help="telegram: needs TELEGRAM_API_ID and TELEGRAM_API_HASH")
    command.add_argument("--session", type=Path, metavar="F", help="file to write (default: $TELEGRAM_SESSION)")


def _login(options: argparse.Namespace) -> int:
    from bastau.collect.collectors.telegram_account import log_in, session_path
    from bastau.collect.visits import FetchFailed

    try:
        path = options.session or session_path()
        log_in(path, input)
    except FetchFailed as error:
        raise ConfigError(str(error)) from error
    give_answer(
        options,
        {"session": str(path)},
        [f"{path}: the session is yours alone (mode 0600); point TELEGRAM_SESSION to it"],
    )
    return 0


COMMANDS = (
    Command(
        "import",
        "any known format, recognised by content; packed with gzip, zstd or zip or not",
        _import,
        _import_arguments,
    ),
    Command(
        "receive",
        "captures of the Zeeschuimer browser extension, as a 4CAT server; pushes of feeds' hubs",
        _receive,
        _receive_arguments,
    ),
    Command("login", "make the session with which a collector reads in your name", _login, _login_arguments),
)

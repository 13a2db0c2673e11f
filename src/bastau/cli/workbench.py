"""demo, serve, up and user: the pages for people who look and decide, and what keeps them going."""

import argparse
import contextlib
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TextIO

from bastau.cli.caches import keep_rules
from bastau.cli.options import Command, add_locale, chosen_locale, now, open_home, read_seconds
from bastau.cli.output import give_answer, stream_for_people, thousands, write_file
from bastau.cli.report import period, trace_pages
from bastau.errors import ConfigError


def _demo_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1 (default 8765; 0: any free one)")
    command.add_argument("--posts", type=int, default=3200, help="posts to invent (default 3200)")
    command.add_argument("--seed", type=int, default=2026, help="seed of the generator (default 2026)")
    command.add_argument(
        "--no-serve", action="store_true", help="process the posts, write brief and traces as files, and stop"
    )
    add_locale(command, "language of the pages")


def _demo(options: argparse.Namespace) -> int:
    keep_rules()
    from bastau.demo import prepare

    folder = options.home or Path(os.environ.get("BASTAU_HOME") or "bastau-demo")
    begun: set[str] = set()

    def progress(step: str, _done: int, _total: int) -> None:
        if options.json or step in begun:
            return
        if not begun:
            print("Inventing posts of a country that does not exist, then reading, grouping and tracing them ...")
        begun.add(step)
        print(f"  {step}", flush=True)

    from bastau.families import build_dossier
    from bastau.report.families_page import families_page

    home, report = prepare(folder, n_posts=options.posts, seed=options.seed, now=now(), progress=progress)
    from bastau.report.brief import brief
    from bastau.report.brief_page import brief_page
    from bastau.report.locale import LOCALES, load

    pages = home.folder / "pages"
    con = home.connect()
    start, end = period(con)
    made = brief(con, start, end)
    for code in LOCALES:
        folder = pages / code
        folder.mkdir(parents=True, exist_ok=True)
        link = trace_pages(home, con, made, load(code), folder / "traces")
        write_file(folder / "index.html", brief_page(made, load(code), link))
        write_file(folder / "families.html", families_page(build_dossier(home), load(code)))
    first = chosen_locale(options)
    write_file(
        pages / "index.html",
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={first}/"><a href="{first}/">{first}</a>\n',
    )
    lines = [
        f"{thousands(report.n_posts)} posts, {thousands(report.n_narratives)} narratives, {thousands(report.n_groups)} coordinated groups",
        f"brief and traces as files: {pages / first / 'index.html'}",
    ]
    give_answer(options, {"home": str(home.folder), "pages": str(pages), **vars(report)}, lines)
    if options.no_serve:
        return 0
    con.close()
    told = stream_for_people(options)

    def ready(address: str, link: str, password: str) -> None:
        _say(
            told,
            f"\nopen {address}{link}?language={first}\n"
            f"The link lets in once, within ten minutes. Later sign in at {address}/ as aigul, bolat or dana; "
            f"password: {password}\nCtrl-C ends the demo.",
        )

    with contextlib.suppress(KeyboardInterrupt):  # also before it listens
        _web("demo")(home, port=options.port, ready=ready)
    return _ended(f"\nThe demo ended; its home folder stays: {home.folder}", told)


def _serve_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    command.add_argument("--port", type=int, default=8400, help="port (default 8400; 0: any free one)")


def _serve(options: argparse.Namespace) -> int:
    serve, home = _web("serve"), open_home(options)
    keep_rules()
    told = stream_for_people(options)

    def ready(address: str, code: str | None) -> None:
        people_open = home.settings.web.origin.rstrip("/") or address
        if options.json:
            _say(sys.stdout, json.dumps({"address": address, "set_up_code": code}))
        behind = "" if people_open == address else f", opened as {people_open}"
        _say(told, f"Workbench at {address}{behind}; Ctrl-C ends.")
        if code:
            _say(told, f"No account yet: open {people_open}/set-up and give the code {code}")

    with contextlib.suppress(KeyboardInterrupt):  # also before it listens
        serve(home, host=options.host, port=options.port, ready=ready)
    return _ended("stopped", told)


def _ended(words: str, told: TextIO) -> NoReturn:
    """End a process that served pages. What reads the lake in threads cannot be stopped halfway, and holds nothing that must be closed."""
    for number in (signal.SIGINT, signal.SIGTERM):  # who asks again, as a service manager does, gets the same end
        signal.signal(number, signal.SIG_IGN)
    _say(told, words)
    os._exit(0)


def _say(told: TextIO, words: str) -> None:
    """Print, or not when nobody reads it any more: what is served goes on (`bastau serve | head -1`)."""
    with contextlib.suppress(BrokenPipeError):
        print(words, file=told, flush=True)


def _up_arguments(command: argparse.ArgumentParser) -> None:
    _serve_arguments(command)
    command.add_argument(
        "--run-every", metavar="TIME", help="process what is new so often (default: [web] run_every_minutes)"
    )


def _up(options: argparse.Namespace) -> int:
    import threading

    from bastau.supervising import Part, supervise
    from bastau.watching import open_store

    home = open_home(options, create=True)
    if options.run_every:
        every_s = read_seconds(options.run_every, "--run-every")
    else:
        every_s = home.settings.web.run_every_minutes * 60.0

    def is_anything_watched() -> bool:
        with open_store(home) as store:
            return bool(store.sources())

    where = ("--home", str(home.folder))
    parts = [
        Part("serve", ("serve", "--host", options.host, "--port", str(options.port), *where), is_needed=True),
        Part("watch", ("watch", "--quiet", *where), may_start=is_anything_watched),
        Part("run", ("run", "--quiet", *where), every_s=every_s, is_quiet=True),
    ]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    told = stream_for_people(options)
    n_starts, code = supervise(parts, stop, partial(_say, told), output=told)
    give_answer(options, {"n_starts": n_starts}, ["everything has ended; the same command goes on from there"])
    return code


def _user_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "act",
        choices=("list", "add", "roles", "password", "disable", "enable"),
        metavar="ACT",
        help="list; add; roles (replace them); password (a new one; takes off the second factor); disable; enable",
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="the account")
    command.add_argument(
        "--role",
        action="append",
        default=[],
        metavar="ROLE",
        help="add, roles: analyst, reviewer, publisher, auditor or admin; may be given often",
    )
    command.add_argument(
        "--person",
        default="",
        metavar="NAME",
        help="add: first account of the same human being; both count as one reviewer",
    )
    command.add_argument(
        "--password-file", type=Path, metavar="F", help="add, password: file with the password (default: asked for)"
    )


def _user(options: argparse.Namespace) -> int:
    import getpass

    from bastau.collect.collectors.keys import read_file

    def password() -> str:
        if options.password_file:
            return read_file(options.password_file)
        given = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != given:
            raise ConfigError("the two differ")
        return given

    change, home = _web("user"), open_home(options)
    return give_answer(options, *change(home, options.act, options.name, options.role, password, options.person))


def _web(command: str) -> Any:
    from bastau.plugins import load

    try:
        return load("commands", command)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{command}: {error.name} is not installed; pip install 'bastau[web]'") from error


COMMANDS = (
    Command(
        "demo",
        "invented sample posts through the whole way, then the workbench over them in the browser",
        _demo,
        _demo_arguments,
    ),
    Command("serve", "the workbench: pages for people who look and decide, in the browser", _serve, _serve_arguments),
    Command("up", "watch, process what is new now and then, and serve the workbench, until Ctrl-C", _up, _up_arguments),
    Command("user", "accounts of the workbench: list, add, roles, password, disable, enable", _user, _user_arguments),
)

"""watch: collecting from live places until told to stop."""

import argparse
import contextlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bastau.cli.options import Command, open_home, read_seconds
from bastau.cli.output import Answer, give_answer
from bastau.errors import ConfigError

if TYPE_CHECKING:
    from bastau.home import Home


def _watch_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--for", dest="duration", metavar="TIME", help="stop after so long: 90s, 10m, 2h")
    command.add_argument("--once", action="store_true", help="visit each source once and stop")
    command.add_argument("--log", type=Path, metavar="F", help="append what happens to F, a JSON object a line")
    command.add_argument("--run-every", metavar="TIME", help="process what is new so often: bastau run, beside")
    command.add_argument(
        "--metrics", type=int, metavar="PORT", help="Prometheus metrics on 127.0.0.1 (default: [watch] metrics_port)"
    )


def _watch(options: argparse.Namespace) -> int:
    import asyncio

    home = open_home(options)
    duration = read_seconds(options.duration, "--for") if options.duration else None
    every = read_seconds(options.run_every, "--run-every") if options.run_every else None
    if options.log:
        _log_to(options.log)
    answer, lines = asyncio.run(_watch_all(options, home, duration, every))
    return give_answer(options, answer, lines)


async def _watch_all(
    options: argparse.Namespace, home: "Home", duration: float | None, every: float | None
) -> tuple[Answer, list[str]]:
    """Watch until told to stop, showing how it goes on standard error."""
    import asyncio
    import signal

    from bastau.watching import open_rounds, open_store, say, serve_metrics, told

    with open_store(home) as store:
        if not store.sources():
            raise ConfigError("nothing is watched yet; `bastau add ADDRESS`, or `bastau add --starter`")
        async with open_rounds(home, store) as rounds:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, rounds.stop)
            if duration is not None:
                loop.call_later(duration, rounds.stop)
            port = options.metrics if options.metrics is not None else home.settings.watch.metrics_port
            with serve_metrics(rounds.figures, port) if port else contextlib.nullcontext():
                beside = [asyncio.create_task(_show(options, rounds, say))]
                if every is not None:
                    beside.append(asyncio.create_task(_run_often(home, every)))
                try:
                    await rounds.run(once=options.once)
                finally:
                    for task in beside:
                        task.cancel()
                    await asyncio.gather(*beside, return_exceptions=True)
            return told(rounds.figures)


async def _show(options: argparse.Namespace, rounds: Any, say: Callable[..., list[tuple[str, str]]]) -> None:
    """Show figures in place on a terminal, else as a line a minute."""
    import asyncio
    import time

    began = time.monotonic()
    if options.quiet or options.json:
        return
    if not sys.stderr.isatty():
        while True:
            await asyncio.sleep(60)
            print(
                "; ".join(f"{name} {value}" for name, value in say(rounds.figures, time.monotonic() - began)),
                file=sys.stderr,
            )
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    with Live(console=Console(stderr=True), refresh_per_second=2, transient=True) as live:
        while True:
            table = Table(
                box=None, show_header=False, pad_edge=False, title="watching - Ctrl-C stops", title_justify="left"
            )
            for name, value in say(rounds.figures, time.monotonic() - began):
                table.add_row(name, value)
            live.update(table)
            await asyncio.sleep(0.5)


async def _run_often(home: "Home", every_s: float) -> None:
    """Process what is new now and then, in a process of its own."""
    import asyncio

    while True:
        await asyncio.sleep(every_s)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bastau",
            "run",
            "--quiet",
            "--home",
            str(home.folder),
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        if code:
            logging.getLogger("bastau").warning("the run beside failed", extra={"exit_code": code})


def _log_to(path: Path) -> None:
    from bastau.logs import JsonLines

    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("bastau")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    for other in logging.getLogger().handlers:
        other.setLevel(logging.getLogger().level)


COMMANDS = (Command("watch", "collect continuously from the watched sources, until Ctrl-C", _watch, _watch_arguments),)

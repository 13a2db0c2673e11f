"""How a command answers: lines or one JSON object, progress bars, files that are whole or not there."""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from bastau.errors import ConfigError

Answer = dict[str, Any]


def give_answer(options: argparse.Namespace, answer: Answer, lines: Sequence[str]) -> int:
    """Print what was found and return exit code 0."""
    if options.json:
        print(json.dumps(answer, ensure_ascii=False, default=_plain))
    else:
        print("\n".join(lines))
    return 0


def stream_for_people(options: argparse.Namespace) -> TextIO:
    """Return where a command that goes on tells people what happens: with --json standard output holds one object only."""
    return sys.stderr if options.json else sys.stdout


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def write_file(path: Path, text: str) -> None:
    """Write a text file whole, or leave the one that is there."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def progress_bars(options: argparse.Namespace) -> Iterator[Any]:
    """Yield a rich progress display on standard error; silent when that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    quiet = options.quiet or options.json or not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bars:
        yield bars


def thousands(n: float) -> str:
    """Return a whole number as people read it: 12 345."""
    return f"{n:,.0f}".replace(",", " ")  # narrow no-break space

"""What a command is, the home folder it works in, and how its options are read."""

import argparse
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bastau.errors import ConfigError

if TYPE_CHECKING:
    from bastau.home import Home


class Command(NamedTuple):
    """One command of `bastau`.

    Attributes:
        name: how it is called.
        help: one line for `bastau --help` and the head of its own help.
        run: does it and returns the exit code.
        arguments: adds what it takes to its parser.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace], int]
    arguments: Callable[[argparse.ArgumentParser], None] = lambda _parser: None


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def open_home(options: argparse.Namespace, *, create: bool = False) -> "Home":
    """Return the home folder that was named, by option or environment, or the usual one."""
    from bastau.home import Home

    return Home.open(options.home or Path(os.environ.get("BASTAU_HOME") or "bastau-home"), create=create)


def home_if_any(options: argparse.Namespace) -> "Home | None":
    """Return the home folder, or None where none was named and the usual one is not there: checks work without."""
    usual = Path(os.environ.get("BASTAU_HOME") or "bastau-home")
    return open_home(options) if options.home or usual.exists() else None


def processed_home(options: argparse.Namespace) -> "Home":
    """Return the home folder, which must hold what `bastau run` makes."""
    home = open_home(options)
    generation = home.generation()
    if generation is None or generation.manifest.get("erased"):
        raise ConfigError(f"{home.folder}: nothing processed yet; run `bastau run` first")
    return home


def add_locale(command: argparse.ArgumentParser, of: str) -> None:
    """Let the language ``of`` something be chosen; see :func:`chosen_locale`."""
    command.add_argument("--locale", choices=("kk", "ru", "en"), help=f"{of} (default: from $LANG, else en)")


def chosen_locale(options: argparse.Namespace) -> str:
    """Return kk, ru or en: as asked for, else as $LANG says."""
    chosen = options.locale or os.environ.get("LANG", "en")[:2]
    return chosen if chosen in ("kk", "ru", "en") else "en"


def read_day(text: str, option: str) -> datetime:
    """Return the first moment of a day, in UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ConfigError(f"{option} {text}: write a date as 2026-03-22") from error


def read_seconds(text: str, option: str) -> float:
    """Return the seconds of a time such as 90s, 10m, 2h or 1d."""
    factors = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = (text[:-1], text[-1]) if text[-1:] in factors else (text, "s")
    try:
        value = float(number) * factors[unit]
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise ConfigError(f"{option}: write a time as 90s, 10m, 2h or 1d, not {text!r}")
    return value

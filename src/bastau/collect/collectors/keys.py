"""Keys that operators bring to official APIs: named in a collector's card, kept outside settings and state.

A key is looked up at each visit: option ``<name>`` of the watched address (``env:VARIABLE`` or ``file:PATH``), else
the environment variable of the card's name, else the file that the variable ``<name>_FILE`` names.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bastau.collect.visits import FetchFailed, Trouble
from bastau.errors import ConfigError

_MAX_BYTES = 4096


class NoKey(FetchFailed):
    """The operator has not brought a key that this place needs."""

    def __init__(self, name: str, place: str) -> None:
        super().__init__(Trouble.NEEDS_KEY, f"{place}: set {name} (or {name}_FILE), or the option {name}")


def read_key(name: str, place: str, options: Mapping[str, Any] | None = None) -> str:
    """Return the key ``name``.

    Raises:
        NoKey: there is none.
        ConfigError: the reference is of another form, or its file is missing or readable by others.
    """
    reference = str((options or {}).get(name) or "")
    if not reference:
        reference = f"env:{name}" if os.environ.get(name) else f"file:{os.environ.get(f'{name}_FILE', '')}"
    kind, _, where = reference.partition(":")
    if kind not in ("env", "file"):
        raise ConfigError(f"{place}: write the option {name} as env:VARIABLE or file:PATH, never the key itself")
    if not where:
        raise NoKey(name, place)
    value = os.environ.get(where, "").strip() if kind == "env" else read_file(Path(where).expanduser())
    if not value:
        raise NoKey(name, place)
    return value


def has_key(name: str, options: Mapping[str, Any] | None = None) -> bool:
    """Say whether the operator has brought the key ``name``.

    Raises:
        ConfigError: as :func:`read_key`: a key that cannot be read is not one that is missing.
    """
    try:
        return bool(read_key(name, "", options))
    except NoKey:
        return False


def read_file(path: Path) -> str:
    """Return the secret in a file that its owner only can read.

    Raises:
        ConfigError: it is missing or readable by others.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path}: others can read the key; run chmod 600 on it")
        with path.open("rb") as opened:
            return opened.read(_MAX_BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be read: {error.strerror}") from None


class Quota:
    """Calls that a key may make in a period; counted in memory, by key, so a restart forgets what was spent.

    Attributes:
        limit: units a period.
        period_s: its length in seconds; periods begin when the first unit is spent.
    """

    def __init__(self, limit: int, period_s: float) -> None:
        self.limit = limit
        self.period_s = period_s
        self._spent: dict[str, tuple[float, int]] = {}

    def spend(self, key: str, units: int, place: str, now: datetime) -> None:
        """Take ``units``.

        Raises:
            FetchFailed: they are used up; ``retry_after_s`` says when there are new ones.
        """
        begun, spent = self._spent.get(key, (now.timestamp(), 0))
        if now.timestamp() - begun >= self.period_s:
            begun, spent = now.timestamp(), 0
        if spent + units > self.limit:
            left = begun + self.period_s - now.timestamp()
            raise FetchFailed(Trouble.LIMITED, f"{place}: the key's own limit of {self.limit} is used up", left)
        self._spent[key] = (begun, spent + units)

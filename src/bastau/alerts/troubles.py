"""Channels that take nothing at the moment: since when, how often they were tried, when they are tried again; kept over restarts."""

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs

from bastau.alerts.rules import Channel
from bastau.lake import write_whole

FILE = "troubles.json"
FIRST_S = 60.0
MOST_S = 3600.0
MOST_ASKED_S = 86_400.0
"""What a channel may ask for (Retry-After): who writes the answer must not silence alerts for longer."""


@dataclass(frozen=True)
class Trouble:
    """A channel in trouble.

    Attributes:
        since: first failure since the last success.
        n_failures: tries that failed since.
        next_at: not tried before, unless by hand.
        problem: what the last try came to.
        written: hash of the channel as it stood in the file: who rewrites it is not kept waiting.
    """

    since: datetime
    n_failures: int
    next_at: datetime
    problem: str
    written: str

    def rests(self, now: datetime) -> bool:
        """Say whether the channel is left alone now; a clock that was set back keeps nobody waiting for longer than a day."""
        return timedelta(0) < self.next_at - now <= timedelta(seconds=MOST_ASKED_S)


def after_failure(
    channel: Channel, before: Trouble | None, problem: str, asked_s: float | None, now: datetime, rng: random.Random
) -> Trouble:
    """Return the trouble after one more failure: 1, 2, 4 ... minutes to an hour, half to all of it by chance.

    Args:
        asked_s: Retry-After; not undercut, up to a day.

    Reference: "Exponential Backoff And Jitter", AWS Architecture Blog 2015 (equal jitter).
    """
    n = before.n_failures + 1 if before else 1
    grown = min(FIRST_S * 2.0 ** min(n - 1, 20), MOST_S) * rng.uniform(0.5, 1.0)
    wait = max(grown, min(asked_s or 0.0, MOST_ASKED_S))
    return Trouble(before.since if before else now, n, now + timedelta(seconds=wait), problem, _written(channel))


def read_troubles(folder: Path, channels: Mapping[str, Channel]) -> dict[str, Trouble]:
    """Return the troubles of channels that still stand as they did when they failed."""
    path = folder / FILE
    kept: dict[str, dict[str, Any]] = json.loads(path.read_bytes()) if path.exists() else {}
    troubles = {
        name: Trouble(**raw | {key: datetime.fromisoformat(raw[key]) for key in ("since", "next_at")})
        for name, raw in kept.items()
    }
    return {
        name: trouble
        for name, trouble in troubles.items()
        if name in channels and trouble.written == _written(channels[name])
    }


def write_troubles(folder: Path, troubles: Mapping[str, Trouble]) -> None:
    """Keep troubles, in place of those before."""
    write_json(folder / FILE, {name: asdict(trouble) for name, trouble in troubles.items()})


def write_json(path: Path, value: object) -> None:
    """Write JSON so that it is there whole or not at all; times in ISO 8601."""
    raw = json.dumps(value, ensure_ascii=False, default=datetime.isoformat).encode()
    write_whole(pafs.LocalFileSystem(), str(path), lambda file: file.write(raw))


def _written(channel: Channel) -> str:
    return hashlib.sha256(repr((channel.kind, sorted(channel.values.items()))).encode()).hexdigest()[:32]

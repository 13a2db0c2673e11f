"""What is not told for a while: a rule, a narrative, a group or a source, always with an end."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from bastau.alerts.findings import Finding
from bastau.alerts.troubles import write_json
from bastau.errors import ConfigError

FILE = "mutes.json"
MOST = timedelta(days=366)


def read_mutes(folder: Path, now: datetime) -> dict[str, datetime]:
    """Return what is muted now, with the ends."""
    path = folder / FILE
    kept = json.loads(path.read_bytes()) if path.exists() else {}
    ends = {what: datetime.fromisoformat(until) for what, until in kept.items()}
    return {what: until for what, until in ends.items() if until > now}


def mute(folder: Path, what: str, duration: timedelta, now: datetime) -> datetime:
    """Mute a rule or a subject; return the end.

    Raises:
        ConfigError: longer than a year; a rule that is not wanted is taken out of the file.
    """
    if duration > MOST:
        raise ConfigError(f"muted for {MOST.days} days at most; take a rule that is not wanted out of alerts.yaml")
    write_json(folder / FILE, read_mutes(folder, now) | {what: now + duration})
    return now + duration


def unmute(folder: Path, what: str, now: datetime) -> None:
    """End a mute.

    Raises:
        ConfigError: it is not muted.
    """
    mutes = read_mutes(folder, now)
    if what not in mutes:
        raise ConfigError(f"{what} is not muted; muted: {', '.join(sorted(mutes)) or 'nothing'}")
    write_json(folder / FILE, {name: until for name, until in mutes.items() if name != what})


def is_muted(finding: Finding, mutes: Mapping[str, datetime]) -> bool:
    """Say whether a finding is not told now: its rule or its subject is muted."""
    return finding.rule in mutes or finding.subject in mutes

"""Rules that are added by a form rather than by hand: one file each in `alerts.d` of the home folder."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
import yaml

from bastau.alerts.rules import FILE, FOLDER, Alerts, Rule, check_rule, read_rules
from bastau.errors import ConfigError
from bastau.home import Home
from bastau.lake import write_whole


def alerts_of(home: Home) -> Alerts | None:
    """Return the alerts of a home; None where it has no channels yet.

    Raises:
        ConfigError: its files have mistakes.
    """
    path = home.folder / FILE
    return read_rules(path) if path.exists() else None


def add_rule(home: Home, values: Mapping[str, Any]) -> Rule:
    """Check a rule with all others and write it, whole or not at all; from the next run on it is told.

    Raises:
        ConfigError: it has no sense beside the others, there is no channel yet, or it cannot be written.
    """
    alerts = alerts_of(home)
    if alerts is None:
        raise ConfigError(f"{home.folder / FILE}: there is none yet; a rule needs a channel that is named there")
    rule = check_rule(values, alerts)
    path = _path(home, rule.name)
    text = yaml.safe_dump({"rules": [dict(values)]}, allow_unicode=True, sort_keys=False)
    try:
        path.parent.mkdir(exist_ok=True)
        write_whole(pafs.LocalFileSystem(), str(path), lambda file: file.write(text.encode()))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    return rule


def added_rules(home: Home) -> set[str]:
    """Return the names of the rules that were added by a form, and can be taken off by one."""
    alerts = alerts_of(home)
    return {rule.name for rule in alerts.rules if _path(home, rule.name).exists()} if alerts else set()


def drop_rule(home: Home, name: str) -> bool:
    """Take off a rule that was added by a form; return whether there was one. Rules written by hand stay."""
    path = _path(home, name)
    if not path.exists():
        return False
    try:
        path.unlink()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be removed: {error.strerror}") from error
    return True


def _path(home: Home, name: str) -> Path:
    # A hash: names are anybody's words, and no file may be reached by them.
    return home.folder / FOLDER / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.yaml"

"""Keeps the folder of shield lists that a home hands out in step with what stands."""

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from bastau.errors import BastauError, HomeBusy, InputError
from bastau.home import Home
from bastau.lake import write_whole
from bastau.released import released
from bastau.shield.commands import about_list, default_key, export_lists, read_list
from bastau.shield.forms import FORMS
from bastau.shield.publish import SOURCE, verify_folder
from bastau.shield.signing import load_key
from bastau.shield.source import Document
from bastau.shield.standing import PUBLIC, standing

_log = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
"""A version is made this often also when nothing changed, so that the list stays valid."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
_LOCK = "shield-public.lock"


@dataclass(frozen=True)
class Trouble:
    """Publishing failed: why, when last, how often in a row, and when it is tried again."""

    problem: str
    failed_at: datetime
    n_failures: int

    @property
    def again_at(self) -> datetime:
        """The pause doubles with each failure, up to an hour."""
        return self.failed_at + min(_FIRST_PAUSE * 2 ** min(self.n_failures - 1, 10), _LONGEST_PAUSE)


def public_folder(home: Home) -> Path:
    """Return the folder that is handed out."""
    return home.folder / "shield" / "public"


def handed_out(home: Home) -> Document | None:
    """Return the list that the folder holds, None before the first; shared by all who ask, so for reading only."""
    path = public_folder(home) / SOURCE
    try:
        stat = path.stat()
        return _read(path, (stat.st_ino, stat.st_size, stat.st_mtime_ns))
    except (OSError, InputError):
        return None


@lru_cache(maxsize=2)
def _read(path: Path, _state: tuple[int, int, int]) -> Document:
    return read_list(path)


def has_key(home: Home) -> bool:
    """Tell whether there is a key to sign with; without one nothing is published here."""
    return default_key(home).exists()


def trouble(home: Home) -> Trouble | None:
    """Return what went wrong when it was last tried, None if it went well."""
    try:
        said = json.loads(_note(home).read_bytes())
        return Trouble(said["problem"], datetime.fromisoformat(said["failed_at"]), said["n_failures"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def publish_due(home: Home, now: datetime, *, asked: bool = False) -> dict[str, Any] | None:
    """Publish the list if what stands has changed, the last version is an hour old or not whole, or somebody asked.

    Of several processes one does it. A failure is kept for :func:`trouble` and logged, never raised, and tried again after a pause.

    Returns:
        what :func:`bastau.shield.commands.export_lists` tells; None: nothing was published.

    Raises:
        HomeBusy: another process publishes or exports at this moment; look again soon for what it leaves to do.
    """
    if not has_key(home):
        return None
    with home.locked(_LOCK):
        before = trouble(home)
        if before is not None and not asked and before.failed_at <= now < before.again_at:
            return None
        try:
            return _publish(home, now, asked)
        except HomeBusy:
            raise
        except (BastauError, OSError) as error:
            _log.error("the shield list could not be published: %s", error)
            _keep(home, Trouble(str(error), now, 1 if before is None else before.n_failures + 1))
    return None


def _publish(home: Home, now: datetime, asked: bool) -> dict[str, Any] | None:
    rows = released(home, now)
    told = None
    if asked or is_due(home, rows, now):
        told = export_lists(home, rows, public_folder(home), list(FORMS), [], now)
        _log.info("published version %d of the shield list: %d entries", told["version"], told["counts"]["entries"])
    _note(home).unlink(missing_ok=True)
    return told


def is_due(home: Home, rows: pa.Table, now: datetime) -> bool:
    """Tell whether the folder says something else than ``rows`` (ENTRIES), is old, or not whole and signed by the home's key."""
    held = handed_out(home)
    if held is None or not timedelta(0) <= now - datetime.fromisoformat(held["made_at"]) < EVERY:
        return True
    said = about_list(home)
    if any(held[name] != getattr(said, name) for name in ("publisher", "appeal", "policy", "licence")):
        return True
    if [{name: entry[name] for name in PUBLIC} for entry in held["entries"]] != standing(rows, now).entries:
        return True
    try:
        return bool(verify_folder(public_folder(home), load_key(default_key(home)).public))
    except InputError:  # the first publication was cut short
        return True


def _note(home: Home) -> Path:
    return home.folder / "shield" / "publishing.json"


def _keep(home: Home, said: Trouble) -> None:
    body = json.dumps(
        {"problem": said.problem, "failed_at": said.failed_at.isoformat(), "n_failures": said.n_failures}
    ).encode()
    try:
        write_whole(pafs.LocalFileSystem(), str(_note(home)), lambda sink: sink.write(body))
    except (BastauError, OSError) as error:
        _log.error("that publishing failed could not be noted: %s", error)

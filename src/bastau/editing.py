"""Changes to the list of watched sources: many at once, as a table and back."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bastau.collect.watching.store import Source
from bastau.errors import ConfigError, InputError
from bastau.places import MAX_CELL, MAX_LIST_BYTES, is_in_state

COLUMNS = ("address", "collector", "name", "priority", "is_paused", "options")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins so is run by spreadsheets (OWASP, CSV Injection); names are written by strangers."""


@dataclass(frozen=True)
class Filter:
    """Which sources are meant; what is None says nothing.

    Attributes:
        only: ``failing``, ``silent``, ``paused`` or ``gaps``.
        trouble: kind of the last failure.
        match: part of an address or name.
        host: a host, with those below it.
    """

    only: str | None = None
    trouble: str | None = None
    match: str | None = None
    collector: str | None = None
    host: str | None = None

    def holds(self, source: Source, now: datetime) -> bool:
        """Say whether a source is meant."""
        host = (urlsplit(source.address).hostname or source.address).lower()
        wanted = (self.host or "").lower().rstrip(".")
        return (
            is_in_state(source, self.only, now)
            and (not self.trouble or source.trouble == self.trouble)
            and (not self.match or self.match in source.address or self.match in source.name)
            and (not self.collector or source.collector == self.collector)
            and (not wanted or host == wanted or host.endswith(f".{wanted}"))
        )


@dataclass(frozen=True)
class Change:
    """What becomes of a source; what is None stays. An option that is the empty string is taken off."""

    name: str | None = None
    priority: int | None = None
    is_paused: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def applied(self, source: Source) -> Source:
        """Return the source as it will be."""
        merged = {**source.options, **self.options}
        given = {"name": self.name, "priority": self.priority, "is_paused": self.is_paused}
        return replace(
            source,
            options={name: value for name, value in merged.items() if value != ""},
            **{name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]
        )


def read_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Return options of a collector from ``NAME=VALUE``; true, false and numbers are what they look like.

    Raises:
        ConfigError: one is written otherwise.
    """
    values: dict[str, Any] = {}
    for pair in filter(str.strip, pairs):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"--option {pair}: write NAME=VALUE, for example --option full_text=true")
        try:
            values[name.strip()] = json.loads(value)
        except ValueError:
            values[name.strip()] = value.strip()
    return values


def apply(change: Change, sources: Sequence[Source]) -> list[tuple[Source, Source]]:
    """Return (before, after) of those that the change makes different.

    Raises:
        ConfigError: several would have the same name.
    """
    if change.name is not None and len(sources) > 1:
        raise ConfigError(f"--name is for one source, not for {len(sources)}")
    pairs = [(source, change.applied(source)) for source in sources]
    return [(before, after) for before, after in pairs if before != after]


def tell(changes: Sequence[tuple[Source, Source]], most: int = 10) -> list[str]:
    """Return what changes, in lines for people."""
    lines = []
    for before, after in changes[:most]:
        parts = [
            f"{name} {getattr(before, name)!r} -> {getattr(after, name)!r}"
            for name in ("name", "priority", "is_paused")
            if getattr(before, name) != getattr(after, name)
        ]
        for name in sorted({*before.options, *after.options}):
            was, will = (source.options.get(name, "") for source in (before, after))
            if was != will:
                parts.append(f"{name} {_shown(was)} -> {_shown(will)}")
        lines.append(f"{after.address} ({after.collector}): {', '.join(parts)}")
    return lines + ([f"... and {len(changes) - most} more"] if len(changes) > most else [])


def _shown(value: Any) -> str:
    return "none" if value == "" else json.dumps(value, ensure_ascii=False)


def as_csv(sources: Sequence[Source]) -> str:
    """Return sources as a table that :func:`from_csv` reads, and ``bastau add`` too."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for source in sources:
        options = json.dumps(source.options, ensure_ascii=False) if source.options else ""
        row = (source.address, source.collector, source.name, source.priority, int(source.is_paused), options)
        # Numbers stand as they are: -1 is a priority and no formula.
        rows.writerow([_written(cell) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()


def _written(text: str) -> str:
    """Return a cell that no spreadsheet runs; a return alone would end a row, and is the one sign that is not quoted."""
    return (f"'{text}" if text.startswith(_FORMULA) else text).replace("\r", "\n")


def from_csv(path: Path, sources: Sequence[Source]) -> tuple[list[tuple[Source, Source]], list[str]]:
    """Return (before, after) of the sources that a table changes, and addresses in it that are not watched.

    Columns that the table lacks stay as they are, and so do sources that it lacks. Nothing is added: what an address leads
    to must be looked at first.

    Raises:
        InputError: it cannot be read, or a cell has no sense; names the lines.
    """
    columns, rows = _read(path)
    if not {"address", "collector"} <= columns or columns - set(COLUMNS):
        raise InputError(f"{path}, line 1: columns are {', '.join(COLUMNS)}; address and collector must be there")
    by_place = {(source.collector, source.address): source for source in sources}
    changes: dict[int, tuple[Source, Source]] = {}
    unknown: list[str] = []
    problems: list[str] = []
    for line, row in rows:
        cells = {name: _cell(value) for name, value in row.items() if name in COLUMNS}
        before = by_place.get((cells["collector"], cells["address"]))
        if before is None:
            unknown.append(cells["address"])
            continue
        try:
            after = _from_cells(before, cells)
        except ValueError as error:
            problems.append(f"{path}, line {line}: {error}")
            continue
        if after != before:
            changes[before.source_id] = (before, after)
    if problems:
        raise InputError("\n".join(problems[:20]))
    return list(changes.values()), unknown


def _read(path: Path) -> tuple[set[str], list[tuple[int, dict[str, str]]]]:
    """Return the columns of a table, and its rows with their lines."""
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise InputError(f"{path}: larger than {MAX_LIST_BYTES >> 20} MiB; that is no list of sources")
        csv.field_size_limit(MAX_CELL)
        rows = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")))
        return set(rows.fieldnames or ()), [(rows.line_num, row) for row in rows]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start})") from error
    except csv.Error as error:
        raise InputError(f"{path}: no table of comma-separated values ({error})") from error


def _cell(value: str | None) -> str:
    text = (value or "").strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def _from_cells(before: Source, cells: Mapping[str, str]) -> Source:
    after = before
    if "name" in cells:
        after = replace(after, name=cells["name"])
    if cells.get("priority"):
        if cells["priority"] not in {str(n) for n in range(-4, 5)}:
            raise ValueError("priority is a whole number from -4 to 4")
        after = replace(after, priority=int(cells["priority"]))
    if cells.get("is_paused"):
        says = {"1": True, "true": True, "0": False, "false": False}.get(cells["is_paused"].lower())
        if says is None:
            raise ValueError("is_paused is 1 or 0")
        after = replace(after, is_paused=says)
    if "options" in cells:
        try:
            options = json.loads(cells["options"] or "{}")
        except ValueError:
            options = None
        if not isinstance(options, dict):
            raise ValueError('options are a JSON object, as {"full_text": true}')
        after = replace(after, options=options)
    return after

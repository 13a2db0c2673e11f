"""The user's labelled texts: a CSV or NDJSON file with a text and a label, perhaps a language and a group."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bastau.errors import ConfigError, InputError

MAX_FILE_BYTES = 256 << 20
"""Of the unpacked file: a bomb stops here."""
MAX_TEXT_CHARS = 100_000
MAX_GROUPS = 50
"""More groups than this are ids and no categories."""

_ABOUT_PEOPLE = frozenset({
    "account", "accounts", "author", "authors", "citizen", "follower", "followers", "handle", "member", "members",
    "people", "person", "persons", "profile", "sender", "source", "sources", "speaker", "suspect", "user", "userid",
    "username", "users",
})  # fmt: skip
"""Words in the name of a column or class that make it one about who wrote (SCOPE, rule 2)."""


MAX_FIELD = 131_072
"""Characters of one field; a longer one is no text of a post but a quotation mark that never closed."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns to read; ``language`` and ``group`` may be absent from the file, or None: not read."""

    text: str = "text"
    label: str = "label"
    language: str | None = "language"
    group: str | None = "group"

    def check(self) -> None:
        """Refuse what would make the model one of people.

        Raises:
            ConfigError: a named column is about the author.
        """
        for name in (self.text, self.label, self.language, self.group):
            if name and is_about_people(name):
                raise ConfigError(
                    f"column {name!r} is about who wrote; a model sees the text of posts and their label only, never "
                    "authors or sources: name a column that is about the text"
                )


@dataclass
class Labelled:
    """Labelled texts as read, and why rows were left out.

    Attributes:
        texts: as in the file.
        labels: one for each text.
        languages: "" where the file says none.
        groups: "" where the file says none.
        ids: "" where the file says none.
        skipped: reason: rows.
    """

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)

    def _skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1


def is_about_people(name: str) -> bool:
    """Say whether the name of a column or class is about persons rather than texts."""
    parts = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return any(part in _ABOUT_PEOPLE for part in parts)


def read_labelled(path: Path, columns: Columns) -> Labelled:
    """Read ``path`` (``.csv``, ``.tsv``, ``.ndjson`` or ``.jsonl``, also with ``.gz``).

    Raises:
        InputError: it is missing, too large, not UTF-8, broken, or lacks the text or label column.
        ConfigError: a column is about people, or there are more than ``MAX_GROUPS`` groups.
    """
    columns.check()
    suffix = next((s for s in reversed(path.suffixes) if s != ".gz"), "").lower()
    data = _read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    if suffix in (".csv", ".tsv"):
        rows = _csv_rows(path, text, "\t" if suffix == ".tsv" else ",")
    elif suffix in (".ndjson", ".jsonl"):
        rows = _json_rows(path, text)
    else:
        raise InputError(f"{path.name}: labelled texts come as .csv, .tsv, .ndjson or .jsonl (also .gz)")
    labelled = _collect(path, rows, columns)
    n_groups = len(set(labelled.groups))
    if n_groups > MAX_GROUPS:
        raise ConfigError(
            f"{path.name}: column {columns.group!r} has {n_groups} values; groups are categories of texts, at most "
            f"{MAX_GROUPS}: name another column with --group"
        )
    return labelled


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(2)
            file.seek(0)
            if head == b"\x1f\x8b":
                with gzip.open(file) as unpacked:
                    data = unpacked.read(MAX_FILE_BYTES + 1)
            else:
                data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "is packed, and the packing is broken"
        raise InputError(f"{path.name}: cannot be read: {reason}") from None
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{path.name}: holds more than {MAX_FILE_BYTES >> 20} MiB; train on a sample of it")
    return data


def _csv_rows(path: Path, text: str, mark: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=mark)
    csv.field_size_limit(MAX_FIELD)  # one number for the whole process, which other readers set too
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"{path.name}: after line {reader.line_num}: no valid CSV: {error}") from None


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            row = None
        if not isinstance(row, dict):
            raise InputError(f"{path.name}: line {number}: no JSON object; was the file cut off?")
        yield number, row


def _collect(path: Path, rows: Iterator[tuple[int, dict[str, Any]]], columns: Columns) -> Labelled:
    labelled = Labelled()
    n_rows = 0
    names: set[str] = set()
    for _, row in rows:
        n_rows += 1
        names.update(name for name in row if isinstance(name, str))
        text, label = row.get(columns.text), _as_word(row.get(columns.label))
        if not isinstance(text, str) or not text.strip():
            labelled._skip("without text")
        elif not label:
            labelled._skip("without label")
        elif len(text) > MAX_TEXT_CHARS:
            labelled._skip(f"longer than {MAX_TEXT_CHARS} characters")
        else:
            labelled.texts.append(text)
            labelled.labels.append(label)
            labelled.languages.append(_as_word(row.get(columns.language) if columns.language else None))
            labelled.groups.append(_as_word(row.get(columns.group) if columns.group else None))
            labelled.ids.append(_as_word(row.get("id")))
    for name in (columns.text, columns.label):
        if n_rows and name not in names:
            known = ", ".join(sorted(names)[:20])
            raise InputError(f"{path.name}: has no column {name!r}; it has {known}: name it with --text or --label")
    if not labelled.texts:
        raise InputError(f"{path.name}: holds no labelled text")
    return labelled


def _as_word(value: Any) -> str:
    """Return a label or name as text; true and 1 both stay distinct words."""
    if value is None:
        return ""
    return (str(value).lower() if isinstance(value, bool) else str(value)).strip()[:200]

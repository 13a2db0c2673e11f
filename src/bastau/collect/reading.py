"""What a reader of one format is: it tells whether a file is its own, and gives its rows as raw columns.

A raw table has any of the columns of the Post format (all strings, except ``links`` and ``media``) and ``line``.
Nothing in it is checked or pseudonymised yet; it never leaves :mod:`bastau.collect`.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import orjson
import polars as pl

from bastau.collect.unpacking import HEAD_BYTES
from bastau.errors import InputError
from bastau.schemas import POST_FORMAT

MEDIA = pl.Struct({"url": pl.String, "sha256": pl.String, "pdq": pl.String})
LISTS: dict[str, pl.DataType] = {"links": pl.List(pl.String()), "media": pl.List(MEDIA)}
SCALARS = tuple(name for name in POST_FORMAT if name not in LISTS)
RAW = pl.Schema({name: pl.String() for name in SCALARS} | LISTS | {"line": pl.Int64()})
"""Columns of a raw table; a reader may leave out any but ``line``."""

MAX_TEXT_BYTES = 1 << 20
"""Longest text or title of one post: 1 MiB, ten times the longest article seen; more is a file put into a field."""
MAX_RECORD_BYTES = 8 << 20
"""Longest line or record held in memory: room for a post at the limit, with escapes and raw platform fields."""
MAX_BATCH_BYTES = 32 << 20
"""Bytes of input in one batch: what bounds memory whatever the size of the file."""


@dataclass(frozen=True)
class Problem:
    """One row that could not be read, as it becomes a reject; ``detail`` never holds words of the row."""

    line: int | None
    field: str | None
    reason: str
    detail: str


Row = dict[str, Any]
"""Values of one row under the names of its table, as JSON gives them."""


@dataclass
class Batch:
    """Rows of one stretch of input, not yet checked.

    ``content`` is what the batch is named after: a digest of the input bytes and of what they were read with. ``notes`` are
    for the operator.
    """

    content: bytes
    rows: pl.DataFrame
    problems: list[Problem] = field(default_factory=list)
    pages: list[Row] = field(default_factory=list)
    claims: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """How to read: posts in a batch, and the mapping for a foreign file."""

    batch_rows: int
    mapping: Mapping[str, str] | None = None


class Reader(Protocol):
    """One format; registered as an entry point of group ``bastau.formats`` under its name."""

    name: str

    def accepts(self, head: "Head") -> bool:
        """Say whether a file that begins with ``head`` is of this format."""
        ...

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield the rows of a plain UTF-8 (or, for web archives, binary) stream."""
        ...


def sort_out(found: Row | Problem, problems: list[Problem], rows: list[Row]) -> None:
    """Append ``found`` to the list that it belongs to."""
    if isinstance(found, Problem):
        problems.append(found)
    else:
        rows.append(found)


class Source:
    """A stream read into a growing buffer; damage is told after what came before it was used."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._error: InputError | None = None
        self.at_end = False

    def fill(self, buffer: bytes, size: int) -> bytes:
        """Return ``buffer`` with more behind it, ``size`` bytes in all unless the stream ends."""
        parts, missing = [buffer], size - len(buffer)
        while missing > 0 and not self.at_end:
            try:
                data = self._stream.read1(min(missing, 1 << 20))
            except InputError as error:
                self._error, data = error, b""
            self.at_end = not data
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def close(self) -> None:
        """Raise the damage that ended the stream, if any did."""
        if self._error is not None:
            raise self._error


def digest(*parts: bytes) -> bytes:
    """Return BLAKE2b-128 of ``parts``, unambiguous in where one ends."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.digest()


def raw_table(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return a raw table from dicts with any JSON values under the raw column names."""
    columns: dict[str, list[Any]] = {name: [] for name in RAW}
    for row in rows:
        for name in SCALARS:
            columns[name].append(as_text(row.get(name)))
        columns["links"].append(_as_links(row.get("links")))
        columns["media"].append(_as_media(row.get("media")))
        columns["line"].append(row.get("line"))
    return pl.DataFrame(columns, schema=RAW)


def as_text(value: Any) -> str | None:
    """Return a JSON scalar as the string a CSV would hold; objects and lists as JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return orjson.dumps(value).decode("utf-8")


def _as_links(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return split_list(value)
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str) and item]
    return None


def _as_media(value: Any) -> list[dict[str, str | None]] | None:
    if isinstance(value, str):
        value = split_list(value)
    if not isinstance(value, list):
        return None
    media = []
    for item in value:
        if isinstance(item, str):
            media.append({"url": item, "sha256": None, "pdq": None})
        elif isinstance(item, dict):
            media.append({name: as_text(item.get(name)) for name in ("url", "sha256", "pdq")})
    return media


def split_list(text: str) -> list[Any]:
    """Return the items of a list in one field: JSON, or addresses apart by blanks or commas."""
    text = text.strip()
    if text.startswith("["):
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = None
        if isinstance(value, list):
            return value
    return [item for item in re.split(r"\s+|,(?=https?:)", text) if item]


# ---- the beginning of a file -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """The first bytes of a plain stream, and what they look like."""

    data: bytes
    text: str
    is_whole: bool

    @classmethod
    def of(cls, data: bytes) -> "Head":
        """Return the head for the first bytes (up to 1 MiB) of a stream."""
        return cls(data, data.decode("utf-8", "replace").lstrip("\ufeff"), len(data) < HEAD_BYTES)

    @cached_property
    def is_binary(self) -> bool:
        """Holds bytes that no text has."""
        sample = self.data[: 1 << 16]
        control = len(sample.translate(None, bytes(range(9, 14)) + b"\x1b" + bytes(range(32, 256))))
        return control > len(sample) // 1000 + (1 if b"\0" not in sample else 0) or b"\0" in sample

    @cached_property
    def first_line(self) -> str:
        """The first line that is not blank."""
        return next((line for line in self.text.split("\n") if line.strip()), "").strip()

    @cached_property
    def json_line(self) -> dict[str, Any] | None:
        """The object on the first line, if the file has one object a line."""
        lines = [line for line in self.text.split("\n", 64) if line.strip()][:3]
        if not lines or not lines[0].lstrip().startswith("{"):
            return None
        for i, line in enumerate(lines[:2]):
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(value, dict):
                # A whole document on one line is one object too; a list of posts inside tells it apart.
                return value if i or self.is_whole or lines[0] + "\n" in self.text else None
        return None

    @cached_property
    def is_json_document(self) -> bool:
        """Begins like JSON, but is not one object a line."""
        return self.text.lstrip()[:1] in ("{", "[") and self.json_line is None

    @cached_property
    def delimiter(self) -> str | None:
        """What separates the fields of the first line, if it is a CSV."""
        if self.is_binary or self.text.lstrip()[:1] in ("{", "[", "<", ""):
            return None
        best = max(",;\t|", key=lambda mark: len(_cells(self.text, mark)))
        return best if len(_cells(self.text, best)) > 1 else None

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Column names of a CSV, trimmed."""
        return tuple(name.strip() for name in _cells(self.text, self.delimiter)) if self.delimiter else ()

    def has_columns(self, *names: str) -> bool:
        """Say whether all ``names`` are columns of a CSV, whatever their case."""
        return set(names) <= {name.lower() for name in self.columns}


def _cells(text: str, mark: str) -> list[str]:
    lines = io.StringIO(text, newline="")
    first = text.split("\n", 1)[0].strip()
    if first.lower().startswith("sep=") and len(first) == 5:  # Excel's hint line
        lines.readline()
    try:
        return next(csv.reader(lines, delimiter=mark), [])
    except csv.Error:
        return []

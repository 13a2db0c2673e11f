"""Lists as files: one value a line, CSV, TCAP CSV, pytx ``local_file``, NDJSON; read as streams, junk counted.

Nobody publishes the form of TCAP's CSV export. What is public are the fields of its API (url, terrorist_group,
url_status, created_on); columns are found by the names those and similar exports use.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, cast

from bastau.errors import ConfigError, InputError
from bastau.read.known_signals import MAX_TEXT_BYTES, checked_value, signal_name

FORMATS = ("lines", "pytx", "csv", "tcap", "ndjson", "vpdq")
MAX_LINE_BYTES = MAX_TEXT_BYTES + 4096
_SHOWN_LINES = 20
_HEX = re.compile(r"[0-9a-fA-F]+")
_YES = frozenset({"1", "true", "yes", "y", "verified", "approved", "confirmed", "t"})
_DELETED = frozenset({"1", "true", "yes", "y", "deleted", "removed", "retracted", "withdrawn", "t"})


class ListedItem(NamedTuple):
    """One entry as a file or an exchange gives it; ``value`` has passed :func:`checked_value`."""

    signal: str
    value: str
    entry_id: str | None = None
    is_deleted: bool = False
    note: str | None = None


@dataclass
class Rejects:
    """Lines that are no entry: how many by reason, and the first line numbers of each."""

    counts: Counter[str] = field(default_factory=Counter)
    lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, line: int, reason: str) -> None:
        """Count one line."""
        self.counts[reason] += 1
        if self.counts[reason] <= _SHOWN_LINES:
            self.lines.setdefault(reason, []).append(line)

    def as_dict(self) -> dict[str, dict[str, object]]:
        """Return {reason: {"count": n, "first_lines": [...]}}, most frequent first."""
        return {r: {"count": n, "first_lines": self.lines[r]} for r, n in self.counts.most_common()}


def read_list(
    path: Path, *, format_: str | None = None, signal: str | None = None
) -> tuple[str, Iterator[ListedItem], Rejects]:
    """Open a list file.

    Args:
        path: the file; ``.gz`` is unpacked on the way.
        format_: one of FORMATS, or None to recognise it.
        signal: what the values are, where the file does not say.

    Returns:
        the format, its entries, read as they are asked for, and the rejects, complete when the entries are.

    Raises:
        ConfigError: the file cannot be read, or the format or signal is unknown.
    """
    if format_ is not None and format_ not in FORMATS:
        raise ConfigError(f"no list format called {format_!r}; known: {', '.join(FORMATS)}")
    named = signal_name(signal) if signal else None
    if signal and named is None:
        raise ConfigError(f"no signal called {signal!r}; known: sha256, md5, pdq, url, url_sha256, text, vpdq")
    found = format_ or recognise(path)
    rejects = Rejects()
    return found, _items(path, found, named, rejects), rejects


def _items(path: Path, format_: str, signal: str | None, rejects: Rejects) -> Iterator[ListedItem]:
    read: dict[str, Callable[[IO[bytes], str | None, Rejects], Iterator[ListedItem]]] = {
        "lines": _read_lines,
        "pytx": _read_pytx,
        "csv": _read_csv,
        "tcap": _read_tcap,
        "ndjson": _read_ndjson,
        "vpdq": lambda file, _, rejects: _read_vpdq(file, path, rejects),
    }
    try:
        with ExitStack() as stack:
            yield from read[format_](_open(path, stack), signal, rejects)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be unpacked: {error}") from error


def _open(path: Path, stack: ExitStack) -> IO[bytes]:
    try:
        raw: IO[bytes] = stack.enter_context(path.open("rb"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if path.suffix == ".gz":
        return cast(IO[bytes], stack.enter_context(gzip.open(raw)))
    return raw


def recognise(path: Path) -> str:
    """Return the format of a list file by its name and first lines.

    Raises:
        ConfigError: it cannot be read.
    """
    name = path.name.lower().removesuffix(".gz")
    try:
        with ExitStack() as stack:
            head = _open(path, stack).read(1 << 16).decode("utf-8-sig", "replace")
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be unpacked: {error}") from error
    lines = [line for line in head.splitlines() if line.strip()][:50]
    first = lines[0] if lines else ""
    if name.endswith((".ndjson", ".jsonl")) or first.lstrip().startswith("{"):
        return "ndjson"
    if re.fullmatch(r"\d+,\d+,[0-9a-f]{64},[\d.]+", first.strip()):
        return "vpdq"
    columns = {_column(cell) for cell in re.split(r"[,;\t]", first)}
    if columns.intersection(_URL) and columns.intersection((*_VERIFIED, *_GROUP, *_PLATFORM)):
        return "tcap"
    if columns.intersection((*_URL, *_VALUE, *_HASH, *_TEXT)) and (len(columns) > 1 or name.endswith((".csv", ".tsv"))):
        return "csv"
    if lines and sum(signal_name(line.partition(" ")[0]) is not None for line in lines) > len(lines) / 2:
        return "pytx"
    return "lines"


# ---- lines ---------------------------------------------------------------------------------------------


def numbered_lines(file: IO[bytes], rejects: Rejects) -> Iterator[tuple[int, str]]:
    """Yield (number, text) of each line that is UTF-8 and not too long; empty ones and comments are passed over."""
    number = 0
    while raw := file.readline(MAX_LINE_BYTES):
        number += 1
        if len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n"):
            while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            rejects.add(number, "too_long")
            continue
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            rejects.add(number, "bad_utf8")
            continue
        if line and not line.startswith("#"):
            yield number, line


def _read_lines(file: IO[bytes], signal: str | None, rejects: Rejects) -> Iterator[ListedItem]:
    for number, line in numbered_lines(file, rejects):
        named = signal or guess_signal(line)
        if named is None:
            rejects.add(number, "unknown_signal")
            continue
        yield from _checked(number, named, line, rejects)


def guess_signal(value: str) -> str | None:
    """Return what a bare value is: 64 hexadecimal digits are taken for SHA-256, not PDQ, and words for nothing."""
    if _HEX.fullmatch(value):
        return {64: "sha256", 32: "md5"}.get(len(value))
    return "url" if " " not in value and "." in value else None


def _checked(number: int, signal: str, value: str, rejects: Rejects, **rest: object) -> Iterator[ListedItem]:
    value, reason = checked_value(signal, value)
    if reason:
        rejects.add(number, reason)
    else:
        yield ListedItem(signal, value, **rest)  # type: ignore[arg-type]


def _read_pytx(file: IO[bytes], _: str | None, rejects: Rejects) -> Iterator[ListedItem]:
    for number, line in numbered_lines(file, rejects):
        named = signal_name(line.partition(" ")[0])
        if named is None:
            rejects.add(number, "unknown_signal")
            continue
        yield from _checked(number, named, line.partition(" ")[2], rejects)


def _read_vpdq(file: IO[bytes], path: Path, rejects: Rejects) -> Iterator[ListedItem]:
    """Read one vPDQ hash file as one video."""
    text = ";".join(line for _, line in islice(numbered_lines(file, rejects), 4 * 3600 * 60))
    yield from _checked(1, "vpdq", text, rejects, entry_id=path.stem)


# ---- tables --------------------------------------------------------------------------------------------

_URL = ("url", "link", "uri", "address", "content_url")
_VALUE = ("value", "signal_value", "indicator", "hash_digest", "hash_value", "signal")
_HASH = ("sha256", "md5", "pdq")
_TEXT = ("text", "raw_text")
_KIND = ("signal_type", "type", "algorithm", "hash_type", "kind")
_ID = ("id", "entry_id", "entry", "content_id")
_NOTE = ("note", "description", "label", "tags", "comment")
_VERIFIED = ("verified", "is_verified", "verification", "verified_state", "verification_status")
_GROUP = ("terrorist_group", "group", "terrorist_entity", "organisation", "organization", "entity")
_PLATFORM = ("platform", "tech_platform", "tech_company", "service")
_REMOVED = ("deleted", "is_deleted", "retracted", "deleted_at")


def _column(name: str) -> str:
    return re.sub(r"\W+", "_", name.strip().strip('"').lower()).strip("_")


def _pick(row: Mapping[str, str], names: Iterable[str]) -> str:
    return next((row[name].strip() for name in names if row.get(name)), "")


def _rows(file: IO[bytes], rejects: Rejects) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, row by normal column name) of a table with a header, whatever its delimiter."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    try:
        yield from _csv_rows(text, rejects)
    finally:
        text.detach()  # whoever opened the file closes it


def _csv_rows(text: IO[str], rejects: Rejects) -> Iterator[tuple[int, dict[str, str]]]:
    header = text.readline(1 << 16)
    delimiter = max(",;\t", key=header.count)
    columns = [_column(cell) for cell in next(csv.reader([header], delimiter=delimiter), [])]
    csv.field_size_limit(MAX_TEXT_BYTES)
    reader = csv.reader(text, delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            rejects.add(reader.line_num + 1, "bad_csv")
            continue
        if not any(cells):
            continue
        if len(cells) > len(columns):
            rejects.add(reader.line_num + 1, "too_many_cells")
            continue
        yield reader.line_num + 1, dict(zip(columns, cells, strict=False))


def _read_csv(file: IO[bytes], signal: str | None, rejects: Rejects) -> Iterator[ListedItem]:
    for number, row in _rows(file, rejects):
        rest: dict[str, object] = {
            "entry_id": _pick(row, _ID) or None,
            "note": _pick(row, _NOTE) or None,
            "is_deleted": _is_deleted(_pick(row, _REMOVED)),
        }
        kind, value = _pick(row, _KIND), _pick(row, _VALUE)
        named = signal_name(kind) if kind else signal
        if value and named is None and not kind:
            named = guess_signal(value)
        if value:
            if named is None:
                rejects.add(number, "unknown_signal")
            else:
                yield from _checked(number, named, value, rejects, **rest)
            continue
        given = [(name, row[name].strip()) for name in (*_HASH, *_TEXT) if row.get(name)]
        address = _pick(row, _URL)
        if address and not given:
            given.append(("url", address))
        if not given:
            rejects.add(number, "no_value")
        for name, held in given:
            yield from _checked(number, signal_name(name) or name, held, rejects, **rest)


def _is_deleted(cell: str) -> bool:
    """A yes, or a time in a column of times of deletion."""
    return cell.lower() in _DELETED or re.match(r"\d{4}-\d\d-\d\d", cell) is not None


def _read_tcap(file: IO[bytes], _: str | None, rejects: Rejects) -> Iterator[ListedItem]:
    for number, row in _rows(file, rejects):
        address = _pick(row, _URL)
        if not address:
            rejects.add(number, "no_value")
            continue
        said = next((row[name].strip() for name in _VERIFIED if name in row), None)
        if said is not None and said.lower() not in _YES:
            rejects.add(number, "not_verified")
            continue
        notes = [_pick(row, _GROUP), _pick(row, _PLATFORM)]
        yield from _checked(
            number,
            "url",
            address,
            rejects,
            entry_id=_pick(row, _ID) or None,
            note=", ".join(note for note in notes if note) or None,
            is_deleted=_is_deleted(_pick(row, _REMOVED)),
        )


def _read_ndjson(file: IO[bytes], signal: str | None, rejects: Rejects) -> Iterator[ListedItem]:
    for number, line in numbered_lines(file, rejects):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            rejects.add(number, "bad_json")
            continue
        kind = row.get("signal_type") or row.get("signal") or signal if isinstance(row, dict) else None
        named = signal_name(kind) if isinstance(kind, str) else None
        if named is None or not isinstance(row.get("value"), str):
            rejects.add(number, "unknown_signal" if isinstance(row, dict) and named is None else "no_value")
            continue
        yield from _checked(
            number,
            named,
            row["value"],
            rejects,
            entry_id=str(row["id"]) if row.get("id") is not None else None,
            is_deleted=bool(row.get("deleted")),
            note=str(row["note"]) if row.get("note") else None,
        )


# ---- out -----------------------------------------------------------------------------------------------


def format_items(format_: str, items: Iterable[ListedItem]) -> Iterator[str]:
    """Yield the text of a list file, piece by piece.

    ``lines`` and ``pytx`` have no place for deleted entries and leave them out, and texts with line breaks are put on
    one line.

    Raises:
        ConfigError: no such format, or it is only read.
    """
    if format_ not in ("lines", "pytx", "csv", "ndjson"):
        raise ConfigError(f"lists are written as lines, pytx, csv or ndjson, not {format_!r}")
    if format_ == "csv":
        yield "signal_type,value,id,deleted,note\n"
    for item in items:
        if format_ == "csv":
            row = io.StringIO()
            csv.writer(row, lineterminator="\n").writerow(
                [item.signal, item.value, item.entry_id, str(item.is_deleted).lower(), item.note or ""]
            )
            yield row.getvalue()
        elif format_ == "ndjson":
            held = {"signal_type": item.signal, "value": item.value, "id": item.entry_id, "deleted": item.is_deleted}
            yield json.dumps(held | ({"note": item.note} if item.note else {}), ensure_ascii=False) + "\n"
        elif not item.is_deleted:
            value = " ".join(item.value.split())
            yield f"{_PYTX.get(item.signal, item.signal)} {value}\n" if format_ == "pytx" else f"{value}\n"


_PYTX = {"md5": "video_md5", "text": "raw_text"}

"""Read a file of labelled texts: CSV or NDJSON, packed or not, every problem with its line."""

import csv
import gzip
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import orjson

from bastau.errors import InputError

MAX_SHOWN = 5
"""Problems named before the rest are only counted."""


def read_labelled(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> list[dict[str, str]]:
    """Return the rows of ``path`` with the ``required`` and ``optional`` columns as strings, missing optional ones empty.

    A file whose first character is ``{`` is NDJSON, any other one CSV with a header row (comma, semicolon or tab).

    Raises:
        InputError: it cannot be read, lacks a column, or has bad rows; up to five of them with line and field.
    """
    rows, problems = [], []
    for line, row in labelled_rows(path):
        if isinstance(row, str):
            problems.append(f"line {line}: {row}")
            continue
        missing = [name for name in required if not row.get(name)]
        if missing:
            problems.append(f"line {line}, {missing[0]}: missing or empty; every row needs {', '.join(required)}")
            continue
        rows.append({name: row.get(name, "") for name in (*required, *optional)})
    if problems:
        shown = "\n".join(f"{path}: {problem}" for problem in problems[:MAX_SHOWN])
        raise InputError(
            shown + (f"\n{path}: and {len(problems) - MAX_SHOWN} more" if len(problems) > MAX_SHOWN else "")
        )
    if not rows:
        raise InputError(f"{path}: holds no rows; it needs {', '.join(required)}")
    return rows


def labelled_rows(path: Path) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Yield (line, row) for each row of ``path``, or (line, what is wrong with it).

    Raises:
        InputError: the file cannot be read at all.
    """
    try:
        with _open(path) as stream:
            first = stream.read(1)
            while first in ("\ufeff", " ", "\n", "\r", "\t"):
                first = stream.read(1)
            rows = _ndjson(first, stream) if first == "{" else _delimited(path, first, stream)
            yield from rows
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except (OSError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a readable file"
        raise InputError(f"{path}: cannot be read: {reason}") from error


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _ndjson(first: str, stream: IO[str]) -> Iterator[tuple[int, dict[str, str] | str]]:
    for number, line in enumerate(stream, 1):
        text = first + line if number == 1 else line
        if not text.strip():
            continue
        try:
            row = orjson.loads(text)
        except orjson.JSONDecodeError:
            yield number, "not valid JSON"
            continue
        if not isinstance(row, dict):
            yield number, "not a JSON object"
            continue
        yield number, {name: value if isinstance(value, str) else _plain(value) for name, value in row.items()}


def _plain(value: object) -> str:
    return "" if value is None else orjson.dumps(value).decode()


def _delimited(path: Path, first: str, stream: IO[str]) -> Iterator[tuple[int, dict[str, str] | str]]:
    header_line = first + stream.readline()
    delimiter = max(",;\t", key=header_line.count)
    csv.field_size_limit(min(sys.maxsize, 1 << 27))
    header = next(csv.reader([header_line], delimiter=delimiter), [])
    if len(header) < 2 and "text" not in header:
        raise InputError(f"{path}: neither NDJSON nor a CSV with a header row")
    rows = csv.reader(stream, delimiter=delimiter)
    try:
        for cells in rows:
            if not cells:
                continue
            if len(cells) != len(header):
                yield (
                    rows.line_num + 1,
                    f"has {len(cells)} cells, the header {len(header)}; quote texts that hold a {delimiter!r}",
                )
                continue
            yield rows.line_num + 1, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        yield rows.line_num + 1, f"not valid CSV: {error}"

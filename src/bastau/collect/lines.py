"""Newline-delimited JSON in batches that depend on the bytes alone, so a rerun cuts the same ones."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import polars as pl

from bastau.collect.reading import MAX_BATCH_BYTES, MAX_RECORD_BYTES, Problem, Source, raw_table

_NEWLINE = 10


@dataclass
class Lines:
    """Whole lines of a stream.

    Attributes:
        data: the lines, overlong ones emptied.
        first_line: 1-based number of the first.
        problems: overlong lines.
    """

    data: bytes
    first_line: int
    problems: list[Problem]


def read_lines(stream: io.BufferedReader, max_lines: int) -> Iterator[Lines]:
    """Yield stretches of at most ``max_lines`` lines and :data:`MAX_BATCH_BYTES` (one line may exceed that)."""
    source = Source(stream)
    first_line = 1
    buffer = source.fill(b"", MAX_BATCH_BYTES)
    while buffer:
        cut, n_lines = _cut(buffer, max_lines, source.at_end)
        if cut == 0:  # not one whole line in a full buffer
            skipped = len(buffer)
            while buffer and b"\n" not in buffer:
                buffer = source.fill(b"", 1 << 20)
                skipped += len(buffer)
            rest = source.fill(buffer.partition(b"\n")[2], MAX_BATCH_BYTES)
            yield Lines(b"", first_line, [_overlong(first_line, skipped)])
            buffer, first_line = rest, first_line + 1
            continue
        part, buffer = buffer[:cut], source.fill(buffer[cut:], MAX_BATCH_BYTES)
        yield _without_overlong(part, first_line)
        first_line += n_lines
    source.close()


def _cut(buffer: bytes, max_lines: int, at_end: bool) -> tuple[int, int]:
    """Return (bytes, lines) of the next stretch; (0, 0) when no line ends in a full buffer."""
    ends = np.flatnonzero(np.frombuffer(buffer[:MAX_BATCH_BYTES], np.uint8) == _NEWLINE)
    if len(ends) >= max_lines:
        return int(ends[max_lines - 1]) + 1, max_lines
    if at_end and len(buffer) <= MAX_BATCH_BYTES:
        return len(buffer), len(ends) + (0 if buffer.endswith(b"\n") else 1)
    return (int(ends[-1]) + 1, len(ends)) if len(ends) else (0, 0)


def _overlong(line: int, size: int) -> Problem:
    return Problem(line, None, "too_long", f"the line has {size} bytes; at most {MAX_RECORD_BYTES} are read; split it")


def _without_overlong(part: bytes, first_line: int) -> Lines:
    if len(part) <= MAX_RECORD_BYTES:
        return Lines(part, first_line, [])
    lines = part.split(b"\n")
    problems = []
    for i, line in enumerate(lines):
        if len(line) > MAX_RECORD_BYTES:
            problems.append(_overlong(first_line + i, len(line)))
            lines[i] = b""
    return Lines(b"\n".join(lines) if problems else part, first_line, problems)


def objects(lines: Lines) -> Iterator[tuple[int, dict[str, Any] | Problem]]:
    """Yield (line, object or what is wrong with it) of each line that is not blank."""
    for i, line in enumerate(lines.data.split(b"\n")):
        stripped = line.strip()
        if not stripped:
            continue
        number = lines.first_line + i
        try:
            value = orjson.loads(stripped)
        except orjson.JSONDecodeError:
            yield number, _bad_line(number, stripped)
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            yield number, Problem(number, None, "bad_json", "the line is JSON but no object; write one object a line")


def _bad_line(number: int, line: bytes) -> Problem:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return Problem(number, None, "bad_encoding", f"not UTF-8 at byte {error.start} of the line; save it as UTF-8")
    return Problem(number, None, "bad_json", "the line is no JSON object; was it cut off?")


def parse_columns(lines: Lines, schema: dict[str, pl.DataType]) -> tuple[pl.DataFrame, list[Problem]] | None:
    """Return the lines as columns of ``schema`` and ``line``, or None where a line needs a closer look.

    The fast path: one parse of the whole stretch. Numbers become strings in a string column; fields not in the
    schema are dropped.
    """
    numbers = _line_numbers(lines)
    if not len(numbers):
        return pl.DataFrame(schema={**schema, "line": pl.Int64()}), list(lines.problems)
    try:
        table = pl.read_ndjson(lines.data, schema=pl.Schema(schema))
    except (pl.exceptions.PolarsError, ValueError):
        return None
    if table.height != len(numbers):
        return None
    return table.with_columns(line=pl.Series(numbers)), list(lines.problems)


def _line_numbers(lines: Lines) -> np.ndarray:
    data = np.frombuffer(lines.data, np.uint8)
    ends = np.flatnonzero(data == _NEWLINE)
    if len(data) and data[-1] != _NEWLINE:
        ends = np.append(ends, len(data))
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    # A line of blanks is counted here and not by the parser; the heights then differ and the slow path looks.
    is_empty = (ends == starts) | ((ends == starts + 1) & (data[np.minimum(starts, len(data) - 1)] == 13))
    return np.flatnonzero(~is_empty) + lines.first_line


def post_rows(lines: Lines, schema: dict[str, pl.DataType]) -> tuple[pl.DataFrame, list[Problem]]:
    """Return a raw table of lines that already use the raw column names, and the lines that are no objects."""
    fast = parse_columns(lines, schema)
    if fast is not None:
        return fast
    problems, rows = list(lines.problems), []
    for number, value in objects(lines):
        if isinstance(value, Problem):
            problems.append(value)
        else:
            rows.append({**value, "line": number})
    return raw_table(rows), problems

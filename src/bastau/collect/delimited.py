"""CSV in batches: one grammar (RFC 4180, any separator) in a kernel that also counts lines and recovers.

A record with a wrong number of fields costs only itself: when it swallowed lines through a quote that was never
closed, reading goes on at the line after its first.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numba as nb
import numpy as np
import polars as pl
import pyarrow as pa

from bastau.collect.reading import MAX_BATCH_BYTES, MAX_RECORD_BYTES, Problem, Source
from bastau.tables import strings_from_buffers

_MAX_COLUMNS = 4096


@nb.njit(nogil=True, cache=True)
def scan_records(data, start, mark, n_columns, is_last, starts, ends, escaped, at_line, bad, first_line):  # type: ignore[no-untyped-def]
    """Split ``data[start:]`` (uint8) into records; see :class:`_Scan` for what the arrays hold.

    Returns (records, bad records, bytes consumed, next line, fields of the last record).
    """
    n = len(data)
    i = start
    line = first_line
    n_good = 0
    n_bad = 0
    n_fields = 0
    while i < n and n_good < len(at_line) and n_bad < len(bad):
        record_start, record_line = i, line
        first_break = -1
        field = 0
        is_blank = False
        is_bad = False
        is_complete = False
        while True:
            quoted = i < n and data[i] == 34
            has_escape = False
            if quoted:
                i += 1
                field_start = i
                closed = False
                while i < n:
                    if data[i] == 34:
                        if i + 1 < n and data[i + 1] == 34:
                            has_escape = True
                            i += 2
                            continue
                        if i + 1 == n and not is_last:
                            break
                        closed = True
                        break
                    if data[i] == 10:
                        line += 1
                        if first_break < 0:
                            first_break = i
                    i += 1
                field_end = i
                if not closed:
                    if not is_last:
                        return n_good, n_bad, record_start, record_line, n_fields
                    is_bad = True
                    i = n
                else:
                    i += 1
                    while i < n and data[i] != mark and data[i] != 10:
                        if data[i] != 13 and data[i] != 32:
                            is_bad = True
                        i += 1
            else:
                field_start = i
                while i < n and data[i] != mark and data[i] != 10:
                    i += 1
                field_end = i
                if field_end > field_start and (i == n or data[i] == 10) and data[field_end - 1] == 13:
                    field_end -= 1
            if field == 0:
                is_blank = not quoted and field_end == field_start
            if field < n_columns:
                starts[n_good, field] = field_start
                ends[n_good, field] = field_end
                escaped[n_good, field] = has_escape
            field += 1
            if i >= n:
                is_complete = is_last
                break
            if data[i] == 10:
                i += 1
                line += 1
                is_complete = True
                break
            i += 1  # the separator
        if not is_complete:
            return n_good, n_bad, record_start, record_line, n_fields
        n_fields = field
        if field == 1 and is_blank:
            continue  # a blank line
        if is_bad or field != n_columns:
            bad[n_bad, 0] = record_line
            bad[n_bad, 1] = field
            bad[n_bad, 2] = 1 if is_bad else 0
            n_bad += 1
            if first_break >= 0:
                i = first_break + 1
                line = record_line + 1
            continue
        at_line[n_good] = record_line
        n_good += 1
    return n_good, n_bad, i, line, n_fields


@nb.njit(nogil=True, cache=True)
def _take_column(data, starts, ends, escaped, out_offsets, out):  # type: ignore[no-untyped-def]
    position = 0
    for row in range(len(starts)):
        if escaped[row]:
            i = starts[row]
            while i < ends[row]:
                out[position] = data[i]
                position += 1
                i += 2 if data[i] == 34 else 1
        else:
            size = ends[row] - starts[row]
            out[position : position + size] = data[starts[row] : ends[row]]
            position += size
        out_offsets[row + 1] = position


@dataclass
class Records:
    """Records of a stretch of CSV.

    Attributes:
        table: the wanted columns as strings, and ``line``.
        content: the bytes they were read from.
        problems: records left out.
    """

    table: pl.DataFrame
    content: bytes
    problems: list[Problem]


class _Scan:
    """Buffers of one scan: field positions (n, columns), first line of each record (n,), bad records (m, 3)."""

    def __init__(self, rows: int, columns: int) -> None:
        self.starts = np.empty((rows, max(columns, 1)), np.int32)
        self.ends = np.empty_like(self.starts)
        self.escaped = np.zeros(self.starts.shape, np.bool_)
        self.at_line = np.empty(rows, np.int64)
        self.bad = np.empty((1024, 3), np.int64)


def read_header(text: bytes, mark: str) -> tuple[list[str], int, int]:
    """Return (column names, bytes and lines up to the first record) of a CSV that begins with ``text``."""
    skipped = 0
    first = text.split(b"\n", 1)[0].strip().lower()
    if first.startswith(b"sep=") and len(first) == 5:
        skipped = text.index(b"\n") + 1
    scan = _Scan(2, _MAX_COLUMNS)
    data = np.frombuffer(text, np.uint8)
    # The number of columns is not known yet: every record is "bad", and the first says how many fields it has.
    *_, used, line, n_fields = scan_records(
        data, skipped, ord(mark), -1, True, scan.starts, scan.ends, scan.escaped, scan.at_line, scan.bad[:1], 1
    )
    n_fields = int(scan.bad[0, 1])
    *_, used, line, _ = scan_records(
        data,
        skipped,
        ord(mark),
        n_fields,
        True,
        scan.starts,
        scan.ends,
        scan.escaped,
        scan.at_line[:1],
        scan.bad[:1],
        1,
    )
    names = []
    for column in range(n_fields):
        cell = text[scan.starts[0, column] : scan.ends[0, column]].decode("utf-8", "replace")
        names.append(cell.replace('""', '"').strip())
    return names, int(used), int(line) + (1 if skipped else 0)


def read_records(stream: io.BufferedReader, mark: str, wanted: list[str] | None, max_rows: int) -> Iterator[Records]:
    """Yield the records below the header, ``max_rows`` and :data:`MAX_BATCH_BYTES` at most in each.

    Args:
        mark: separator.
        wanted: columns to keep, by lower-case name; None: all.
    """
    source = Source(stream)
    buffer = source.fill(b"", MAX_BATCH_BYTES)
    names, used, line = read_header(buffer[:MAX_RECORD_BYTES], mark)
    keys = [name.lower() for name in names]
    kept = {key: keys.index(key) for key in dict.fromkeys(keys) if wanted is None or key in wanted}
    header = buffer[:used]
    buffer = buffer[used:]
    scan = _Scan(max_rows, len(names))
    while buffer:
        window = buffer[:MAX_BATCH_BYTES]
        data = np.frombuffer(window, np.uint8)
        is_last = source.at_end and len(buffer) <= MAX_BATCH_BYTES
        n, n_bad, used, line, _ = scan_records(
            data, 0, ord(mark), len(names), is_last, scan.starts, scan.ends, scan.escaped, scan.at_line, scan.bad, line
        )
        problems = [
            _bad_record(int(at), int(fields), bool(quote), len(names)) for at, fields, quote in scan.bad[:n_bad]
        ]
        if used == 0:  # one record fills the whole buffer
            buffer, size, n_lines = _skip_record(source, buffer, mark)
            yield Records(pl.DataFrame(schema={"line": pl.Int64()}), header, [_overlong(line, size)])
            line += n_lines
        else:
            table, bad_text = _columns(data, scan, n, kept)
            yield Records(table, header + window[:used], problems + bad_text)
            buffer = buffer[used:]
        buffer = source.fill(buffer, MAX_BATCH_BYTES)
    source.close()


def _skip_record(source: Source, buffer: bytes, mark: str) -> tuple[bytes, int, int]:
    """Return (rest after the record that begins at ``buffer``, size of the record, lines in it)."""
    ends = (f'"{mark}'.encode(), b'"\n', b'"\r\n')
    size = n_lines = 0
    # Leave a few bytes: a closing quote and what follows it may be torn apart by the end of the buffer.
    while True:
        found = [at for at in (buffer.find(end, 1) for end in ends) if at >= 0]
        if found:
            at = min(found)
            newline = buffer.find(b"\n", at)
            if newline >= 0:
                n_lines += buffer.count(b"\n", 0, newline + 1)
                return buffer[newline + 1 :], size + newline + 1, n_lines
        size += len(buffer) - 3
        n_lines += buffer.count(b"\n", 0, len(buffer) - 3)
        buffer = source.fill(buffer[-3:], 1 << 20)
        if len(buffer) <= 3:
            return b"", size + 3, n_lines + 1


def _overlong(line: int, size: int) -> Problem:
    return Problem(
        line,
        None,
        "too_long",
        f"the record has {size} bytes; at most {MAX_RECORD_BYTES} are read; is a quote not closed?",
    )


def _bad_record(line: int, fields: int, quote: bool, expected: int) -> Problem:
    if quote:
        return Problem(line, None, "bad_csv", "a quoted field is not closed or has text after its closing quote")
    return Problem(line, None, "bad_csv", f"the record has {fields} fields where the header has {expected}")


def _columns(data: np.ndarray, scan: _Scan, n: int, kept: dict[str, int]) -> tuple[pl.DataFrame, list[Problem]]:
    columns: dict[str, pl.Series] = {}
    broken = np.zeros(n, np.bool_)
    arrays: dict[str, pa.Array] = {}
    too_long = scan.ends[:n].max(axis=1, initial=0) - scan.starts[:n, 0] > MAX_RECORD_BYTES if n else broken
    for name, at in kept.items():
        starts, ends = np.ascontiguousarray(scan.starts[:n, at]), np.ascontiguousarray(scan.ends[:n, at])
        offsets = np.zeros(n + 1, np.int64)
        out = np.empty(int((ends - starts).sum(dtype=np.int64)), np.uint8)
        _take_column(data, starts, ends, np.ascontiguousarray(scan.escaped[:n, at]), offsets, out)
        if not _is_utf8(out[: offsets[-1]]):
            broken |= _broken_rows(offsets, out)
            out = np.where(np.repeat(broken, np.diff(offsets)), np.uint8(63), out[: offsets[-1]])
        arrays[name] = strings_from_buffers(offsets, out[: offsets[-1]])
    lines = scan.at_line[:n]
    for name, array in arrays.items():
        columns[name] = pl.Series(name, array)
    columns["line"] = pl.Series("line", lines.copy())
    problems = [
        Problem(int(lines[row]), None, "bad_encoding", "the record is not UTF-8; save the file as UTF-8")
        for row in np.flatnonzero(broken & ~too_long)
    ] + [
        _overlong(int(lines[row]), int(scan.ends[row].max() - scan.starts[row, 0])) for row in np.flatnonzero(too_long)
    ]
    table = pl.DataFrame(columns)
    return (table.filter(pl.Series(~(broken | too_long))) if problems else table), problems


def _is_utf8(data: np.ndarray) -> bool:
    try:
        str(data.data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _broken_rows(offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
    return np.array([not _is_utf8(data[offsets[i] : offsets[i + 1]]) for i in range(len(offsets) - 1)], np.bool_)

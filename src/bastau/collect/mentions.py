"""Plain ``@handle`` in columns of text: found and replaced without a Python object per post."""

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.tables import strings_from_buffers, utf8_buffers

_WORD, _JOIN = np.uint8(1), np.uint8(2)
_CLASS = np.zeros(256, np.uint8)
_CLASS[[*range(48, 58), *range(65, 91), *range(97, 123), ord("_")]] = _WORD
_CLASS[[ord("."), ord("-")]] = _JOIN


@nb.njit(nogil=True, cache=True)
def _find(offsets, data, rows, classes, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (m, 3) with (row, start, end) of handles, without their ``@``; returns how many there are.

    ``out`` may be too small; the caller then comes back with a larger one.
    """
    n = 0
    for r in range(len(rows)):
        row = rows[r]
        start, end = offsets[row], offsets[row + 1]
        i = start
        while i < end:
            if data[i] != 64:
                i += 1
                continue
            first = i + 1
            last = first
            has_dot = False
            while last < end and classes[data[last]] != 0:
                has_dot = has_dot or data[last] == 46
                last += 1
            stop = last
            while last > first and classes[data[last - 1]] != 1:
                last -= 1
            joined = i > start and (classes[data[i - 1]] != 0 or data[i - 1] == 43)
            is_email = joined and has_dot
            is_done = stop - first == 1 and data[first] == 112 and stop < end and data[stop] == 126  # "@p~": done already
            if last > first and not is_email and not is_done:
                if n < len(out):
                    out[n, 0] = row
                    out[n, 1] = first
                    out[n, 2] = last
                n += 1
            i = max(stop, i + 1)
    return n


@nb.njit(nogil=True, cache=True)
def _splice(offsets, data, spans, new_offsets, new_data, chosen, out_offsets, out):  # type: ignore[no-untyped-def]
    k = 0
    position = 0
    for row in range(len(offsets) - 1):
        i = offsets[row]
        while k < len(spans) and spans[k, 0] == row:
            if chosen[k] >= 0:
                size = spans[k, 1] - i
                out[position : position + size] = data[i : spans[k, 1]]
                position += size
                start, end = new_offsets[chosen[k]], new_offsets[chosen[k] + 1]
                out[position : position + end - start] = new_data[start:end]
                position += end - start
                i = spans[k, 2]
            k += 1
        size = offsets[row + 1] - i
        out[position : position + size] = data[i : offsets[row + 1]]
        position += size
        out_offsets[row + 1] = position


def find_mentions(column: pa.Array, rows: np.ndarray) -> tuple[np.ndarray, pa.Array]:
    """Return spans int64 (m, 3) of (row, first byte, end) in the column's data, ordered, and the handles (m,).

    A handle is ASCII letters, digits and ``_``, with ``.`` and ``-`` inside. ``name@host.tld`` is an address and none.

    Args:
        rows: int64, the rows to look at, ascending.
    """
    offsets, data = utf8_buffers(column)
    spans = np.empty((max(1024, 2 * len(rows)), 3), np.int64)
    n = _find(offsets, data, rows, _CLASS, spans)
    if n > len(spans):
        spans = np.empty((n, 3), np.int64)
        _find(offsets, data, rows, _CLASS, spans)
    spans = spans[:n]
    sizes = spans[:, 2] - spans[:, 1]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    flat = np.arange(starts[-1]) + np.repeat(spans[:, 1] - starts[:-1], sizes)
    return spans, strings_from_buffers(starts, data[flat] if len(flat) else np.zeros(0, np.uint8))


def replace_spans(column: pa.Array, spans: np.ndarray, chosen: np.ndarray, words: list[str]) -> pa.Array:
    """Return the column with span k replaced by ``words[chosen[k]]``, or left alone where ``chosen[k]`` is -1."""
    offsets, data = utf8_buffers(column)
    new_offsets, new_data = utf8_buffers(pa.array(words, pa.string()))
    used = chosen >= 0
    gained = np.diff(new_offsets)[chosen[used]].sum() - (spans[used, 2] - spans[used, 1]).sum()
    out = np.empty(int(offsets[-1] - offsets[0] + gained), np.uint8)
    out_offsets = np.zeros(len(offsets), np.int64)
    _splice(offsets, data, spans, new_offsets, new_data, chosen.astype(np.int64), out_offsets, out)
    return strings_from_buffers(out_offsets, out)

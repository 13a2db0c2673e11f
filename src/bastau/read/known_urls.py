"""Look-up of addresses in numba: the keys of :func:`bastau.listed_urls.page_expressions` without Python."""

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.hashing import xxh64
from bastau.read.known_keys import URL_SEED, passes
from bastau.tables import utf8_buffers

MAX_KEYS = 40
"""Expressions of one address: five hosts times seven paths, and room."""


@nb.njit(nogil=True, cache=True)
def _address_keys(data, start, end, seed, buffer, keys):  # type: ignore[no-untyped-def]
    """Write the key of each page expression of the canonical address ``data[start:end]``; return how many.

    ``buffer`` (uint8) has room for the address and one byte more. Repeats are possible.
    """
    i = start
    while i + 2 < end and not (data[i] == 58 and data[i + 1] == 47 and data[i + 2] == 47):
        i += 1
    if i + 3 >= end:
        return 0
    i += 3
    n = 0
    is_number = True  # of an IPv4 address no suffix is taken
    dots = 0
    while i < end and data[i] not in (47, 63, 35, 58):  # / ? # :
        buffer[n] = data[i]
        dots += data[i] == 46
        is_number = is_number and (data[i] == 46 or 48 <= data[i] <= 57)
        n += 1
        i += 1
    host_end = n
    while i < end and data[i] not in (47, 63, 35):  # the port
        i += 1
    if i >= end or data[i] != 47:
        buffer[n] = 47
        n += 1
    while i < end and data[i] not in (63, 35):
        buffer[n] = data[i]
        n += 1
        i += 1
    path_end = n
    while i < end and data[i] != 35:
        buffer[n] = data[i]
        n += 1
        i += 1
    query_end = n
    count = 0
    first = 0
    taken = 0
    labels = dots + 1
    while first < host_end and taken < 5:
        if first == 0 or labels <= 5:
            keys[count] = xxh64(buffer, first, query_end, seed)
            count += 1
            if query_end > path_end:
                keys[count] = xxh64(buffer, first, path_end, seed)
                count += 1
            folders = 0
            k = host_end
            while k < path_end and folders < 4:
                if buffer[k] == 47:
                    if k + 1 < query_end or query_end > path_end:
                        keys[count] = xxh64(buffer, first, k + 1, seed)
                        count += 1
                    folders += 1
                k += 1
            if buffer[path_end - 1] != 47:
                kept = buffer[path_end]
                buffer[path_end] = 47
                keys[count] = xxh64(buffer, first, path_end + 1, seed)
                buffer[path_end] = kept
                count += 1
            taken += 1
        if is_number or labels <= 2:
            break
        while buffer[first] != 46:
            first += 1
        first += 1
        labels -= 1
    return count


@nb.njit(nogil=True, cache=True)
def _probe(offsets, data, seed, words, shift):  # type: ignore[no-untyped-def]
    n_rows = len(offsets) - 1
    longest = 0
    for row in range(n_rows):
        longest = max(longest, offsets[row + 1] - offsets[row])
    buffer = np.empty(longest + 2, np.uint8)
    keys = np.empty(MAX_KEYS, np.uint64)
    rows, found = np.empty(1024, np.int64), np.empty(1024, np.uint64)
    filled = 0
    for row in range(n_rows):
        count = _address_keys(data, offsets[row], offsets[row + 1], seed, buffer, keys)
        for k in range(count):
            if not passes(keys[k], words, shift):
                continue
            if filled == len(rows):
                rows, found = np.concatenate((rows, rows)), np.concatenate((found, found))
            rows[filled], found[filled] = row, keys[k]
            filled += 1
    return rows[:filled].copy(), found[:filled].copy()


def probe_addresses(
    canonical: pa.Array | pa.ChunkedArray, words: np.ndarray, shift: np.uint64
) -> tuple[np.ndarray, np.ndarray]:
    """Return (row, key) of each page expression of canonical addresses that passes the filter; int64, uint64."""
    offsets, data = utf8_buffers(canonical)
    rows, keys = _probe(offsets, data, np.uint64(URL_SEED), words, shift)
    return rows, keys


def address_keys(canonical: str) -> list[int]:
    """Return the keys of one address, as the kernel makes them."""
    offsets, data = utf8_buffers(pa.array([canonical]))
    keys = np.empty(MAX_KEYS, np.uint64)
    count = _address_keys(data, 0, offsets[1], np.uint64(URL_SEED), np.empty(offsets[1] + 2, np.uint8), keys)
    return [int(key) for key in keys[:count]]

"""Pairs of texts that may be near-duplicates, found from their signatures and verified.

Texts that agree in one band of the signature share a bucket. In a bucket, ordered by text_key, the first few texts
are its centres, and only pairs with a centre count: all pairs in a small bucket, a linear number in a large one. What
is a candidate therefore depends on the set of texts alone, not on the order in which they came, and adding a text
changes only pairs with it and pairs of centres that it displaces.

Reference: Leskovec, Rajaraman, Ullman 2020, "Mining of Massive Datasets", section 3.4 (banding).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numba as nb
import numpy as np

from bastau.narratives.similarity import Shingles, jaccard
from bastau.schemas import N_BANDS

_SCAN_ROWS = 65_536
_MIX = np.uint64(0x9E3779B97F4A7C15)
_ROW = np.uint64(0xFFFFFFFF)


@nb.njit(nogil=True, cache=True, inline="always")
def _place(value, shift):  # type: ignore[no-untyped-def]
    return (np.uint64(value) * _MIX) >> shift


@nb.njit(nogil=True, cache=True)
def _mark_values(bands, rows, shift, seen):  # type: ignore[no-untyped-def]
    for row in rows:
        for band in range(bands.shape[1]):
            seen[band, _place(bands[row, band], shift)] = True


@nb.njit(nogil=True, cache=True)
def _scan(bands, start, end, shift, seen, hits):  # type: ignore[no-untyped-def]
    n = 0
    for row in range(start, end):
        for band in range(bands.shape[1]):
            if seen[band, _place(bands[row, band], shift)]:
                hits[n] = np.uint64(band) << np.uint64(32) | np.uint64(row)
                n += 1
    return n


def bucket_entries(bands: np.ndarray, is_new: np.ndarray, pool: ThreadPoolExecutor) -> list[np.ndarray]:
    """Return for each band ``value << 32 | row`` (uint64, ascending) of every text in a bucket with a new text.

    Buckets are whole; buckets without a new text may be there too. ``bands`` uint32 (n, 16), ``is_new`` bool (n,).
    """
    new_rows = np.flatnonzero(is_new)
    if 8 * len(new_rows) >= len(bands):
        rows = [np.arange(len(bands), dtype=np.uint64)] * N_BANDS
    else:
        rows = _rows_in_buckets_of(bands, new_rows, pool)

    def sort(band: int) -> np.ndarray:
        return np.sort(bands[rows[band], band].astype(np.uint64) << np.uint64(32) | rows[band])

    return list(pool.map(sort, range(N_BANDS)))


def _rows_in_buckets_of(bands: np.ndarray, new_rows: np.ndarray, pool: ThreadPoolExecutor) -> list[np.ndarray]:
    # 16 places for each new value let one in 16 of the other texts through, which costs sorting, not correctness.
    bits = max(10, int(16 * len(new_rows)).bit_length())
    shift = np.uint64(64 - bits)
    seen = np.zeros((N_BANDS, 1 << bits), np.bool_)
    _mark_values(bands, new_rows, shift, seen)

    def scan(start: int) -> np.ndarray:
        end = min(start + _SCAN_ROWS, len(bands))
        hits = np.empty((end - start) * N_BANDS, np.uint64)
        return np.sort(hits[: _scan(bands, start, end, shift, seen, hits)])

    hits = np.sort(np.concatenate(list(pool.map(scan, range(0, len(bands), _SCAN_ROWS)))))
    ends = np.searchsorted(hits, np.arange(N_BANDS + 1, dtype=np.uint64) << np.uint64(32))
    return [hits[ends[band] : ends[band + 1]] & _ROW for band in range(N_BANDS)]


@nb.njit(nogil=True, cache=True)
def _bucket_end(entries, start):  # type: ignore[no-untyped-def]
    value = entries[start] >> np.uint64(32)
    end = start + 1
    while end < len(entries) and entries[end] >> np.uint64(32) == value:
        end += 1
    return end


@nb.njit(nogil=True, cache=True)
def _choose_centres(entries, band, centres, crowd, crowd_centres, centre_of):  # type: ignore[no-untyped-def]
    bit = np.uint16(1 << band)
    start = 0
    while start < len(entries):
        end = _bucket_end(entries, start)
        n_centres = centres if end - start <= crowd else crowd_centres
        for k in range(start, end):
            row = entries[k] & _ROW
            if k - start < n_centres:
                centre_of[row] |= bit
            else:
                centre_of[row] &= ~bit
        start = end


@nb.njit(nogil=True, cache=True)
def _mark_compared(entries, band, centre_of, is_new, compared):  # type: ignore[no-untyped-def]
    start = 0
    while start < len(entries):
        end = _bucket_end(entries, start)
        any_new = False
        new_centre = False
        for k in range(start, end):
            row = entries[k] & _ROW
            if is_new[row]:
                any_new = True
                new_centre |= (centre_of[row] >> band) & 1 == 1
        if any_new and end - start > 1:
            for k in range(start, end):
                row = entries[k] & _ROW
                if new_centre or is_new[row] or (centre_of[row] >> band) & 1:
                    compared[row] = True
        start = end


def choose_centres(
    entries: Sequence[np.ndarray], centre_of: np.ndarray, *, centres: int, crowd: int, crowd_centres: int
) -> None:
    """Choose anew the centres of the buckets of ``entries``.

    Args:
        entries: see :func:`bucket_entries`.
        centre_of: uint16 (n,), changed in place; bit b of a row: it is a centre of its bucket in band b.
        centres: number in a bucket of up to ``crowd`` texts.
        crowd: buckets with more texts are crowded.
        crowd_centres: number in a crowded bucket.
    """
    for band, entry in enumerate(entries):
        _choose_centres(entry, band, centres, crowd, crowd_centres, centre_of)


def rows_to_compare(entries: Sequence[np.ndarray], centre_of: np.ndarray, is_new: np.ndarray) -> np.ndarray:
    """Return the rows, ascending, that are in a candidate pair with a new text."""
    compared = np.zeros(len(is_new), np.bool_)
    for band, entry in enumerate(entries):
        _mark_compared(entry, band, centre_of, is_new, compared)
    return np.flatnonzero(compared)


@nb.njit(nogil=True, cache=True)
def _is_candidate(bands, centre_of, a, b, n_bands):  # type: ignore[no-untyped-def]
    either = centre_of[a] | centre_of[b]
    for band in range(n_bands):  # noqa: SIM110 (numba has no any over a generator)
        if (either >> band) & 1 and bands[a, band] == bands[b, band]:
            return True
    return False


@nb.njit(nogil=True, cache=True)
def _are_candidates(bands, centre_of, a, b, out):  # type: ignore[no-untyped-def]
    for k in range(len(a)):
        out[k] = _is_candidate(bands, centre_of, a[k], b[k], bands.shape[1])


def are_candidates(bands: np.ndarray, centre_of: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return for each pair of rows whether it is a candidate, bool (pairs,)."""
    out = np.empty(len(a), np.bool_)
    _are_candidates(bands, centre_of, a, b, out)
    return out


@nb.njit(nogil=True, cache=True)
def longer(values):  # type: ignore[no-untyped-def]
    """Return a copy of a 1-d array with twice the room."""
    grown = np.empty(2 * len(values), values.dtype)
    grown[: len(values)] = values
    return grown


@nb.njit(nogil=True, cache=True)
def _verify(  # type: ignore[no-untyped-def]
    entries, band, bands, centre_of, is_new, slot, indptr, hashes, similarity
):
    rows_a = np.empty(1024, np.int64)
    rows_b = np.empty(1024, np.int64)
    values = np.empty(1024, np.float32)
    n = 0
    start = 0
    while start < len(entries):
        end = _bucket_end(entries, start)
        for k in range(start, end - 1):
            a = np.int64(entries[k] & _ROW)
            if not (centre_of[a] >> band) & 1:
                break  # centres come first
            for m in range(k + 1, end):
                b = np.int64(entries[m] & _ROW)
                # A pair that an earlier band brings is verified there, so that each is verified once.
                if not (is_new[a] or is_new[b]) or _is_candidate(bands, centre_of, a, b, band):
                    continue
                i = slot[a]
                j = slot[b]
                value = jaccard(hashes, indptr[i], indptr[i + 1], indptr[j], indptr[j + 1], similarity)
                if value < 0.0:
                    continue
                if n == len(rows_a):
                    rows_a, rows_b, values = longer(rows_a), longer(rows_b), longer(values)
                rows_a[n], rows_b[n], values[n] = a, b, value
                n += 1
        start = end
    return rows_a[:n], rows_b[:n], values[:n]


def verified_pairs(
    entries: Sequence[np.ndarray],
    bands: np.ndarray,
    centre_of: np.ndarray,
    is_new: np.ndarray,
    shingles: Shingles,
    pool: ThreadPoolExecutor,
    *,
    similarity: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the candidate pairs with a new text whose similarity is at least ``similarity``.

    Returns:
        rows int64 (pairs,) twice, the smaller first, and similarity float32; each pair once, in no set order.
    """

    def verify(band: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _verify(
            entries[band],
            band,
            bands,
            centre_of,
            is_new,
            shingles.slot,
            shingles.indptr,
            shingles.hashes,
            similarity,
        )

    parts = list(pool.map(verify, range(N_BANDS)))
    a, b, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return a, b, values

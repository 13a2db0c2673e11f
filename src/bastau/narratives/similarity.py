"""Exact similarity of texts: the Jaccard index of their character 5-gram sets.

Reference: Broder 1997, "On the resemblance and containment of documents", section 2.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.errors import ContractError
from bastau.shingles import shingle_sets

FetchFolded = Callable[[np.ndarray], pa.Table]
"""text_keys int64 (n,), distinct -> table (text_key, folded) with at least one row for each, in any order."""

_CHUNK_TEXTS = 4_096


@nb.njit(nogil=True, cache=True)
def jaccard(hashes, i, i_end, j, j_end, floor):  # type: ignore[no-untyped-def]
    """Return the Jaccard index of two ascending distinct runs of ``hashes``, or -1 when it is under ``floor``.

    Stops as soon as too many values are in one run only; with ``floor`` 0 it always counts to the end. Two
    empty runs have similarity 0.
    """
    n = (i_end - i) + (j_end - j)
    if n == 0:
        return 0.0 if floor <= 0.0 else -1.0
    # J >= floor needs shared >= floor / (1 + floor) * n; the millionth keeps rounding from refusing equality.
    spare = n * (1.0 - floor) / (1.0 + floor) + 1e-6
    if abs((i_end - i) - (j_end - j)) > spare:
        return -1.0
    shared = 0
    alone = 0
    while i < i_end and j < j_end:
        x = hashes[i]
        y = hashes[j]
        # No branch on the values: they are random, and a wrong guess costs more than the sums.
        shared += x == y
        alone += x != y
        i += x <= y
        j += y <= x
        if alone > spare:
            return -1.0
    similarity = shared / (n - shared)
    return similarity if similarity >= floor else -1.0


@nb.njit(nogil=True, cache=True)
def _similarities(slot, indptr, hashes, a, b, out):  # type: ignore[no-untyped-def]
    for k in range(len(a)):
        i = slot[a[k]]
        j = slot[b[k]]
        out[k] = jaccard(hashes, indptr[i], indptr[i + 1], indptr[j], indptr[j + 1], 0.0)


class Shingles:
    """The 5-gram sets of the texts that a run has to compare, fetched when they are first needed.

    Args:
        keys: text_key of every text, int64 (n,), ascending; rows are positions in it.
        fetch: brings folded texts from wherever they are stored.
        pool: threads that make the sets.

    ``slot`` int32 (n,) is the set of each row, -1 until needed; set s is ``hashes[indptr[s]:indptr[s + 1]]``.
    """

    def __init__(self, keys: np.ndarray, fetch: FetchFolded, pool: ThreadPoolExecutor):
        self._keys, self._fetch, self._pool = keys, fetch, pool
        self.slot = np.full(len(keys), -1, np.int32)
        self.indptr = np.zeros(1, np.int64)
        self.hashes = np.zeros(0, np.uint32)

    def need(self, rows: np.ndarray) -> None:
        """Make sure that the texts ``rows`` (distinct) have their sets.

        Raises:
            ContractError: a text cannot be fetched.
        """
        rows = rows[self.slot[rows] < 0]
        if not len(rows):
            return
        wanted = self._keys[rows]
        given = self._fetch(wanted)
        folded = _in_order(given, wanted)
        chunks = [folded.slice(start, _CHUNK_TEXTS) for start in range(0, len(folded), _CHUNK_TEXTS)]
        sets = self._pool.map(shingle_sets, chunks)
        self.slot[rows] = np.arange(len(self.indptr) - 1, len(self.indptr) - 1 + len(rows), dtype=np.int32)
        self._append(sets)

    def _append(self, sets: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        indptrs, hashes = [self.indptr], [self.hashes]
        end = self.indptr[-1]
        for indptr, values in sets:
            indptrs.append(indptr[1:] + end)
            hashes.append(values)
            end += indptr[-1]
        self.indptr, self.hashes = np.concatenate(indptrs), np.concatenate(hashes)

    def similarities(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the similarity of each pair of rows, float64 (pairs,) in [0, 1]; the sets must be there."""
        out = np.empty(len(a), np.float64)
        _similarities(self.slot, self.indptr, self.hashes, a, b, out)
        return out


def _in_order(given: pa.Table, wanted: np.ndarray) -> pa.ChunkedArray:
    """Return the folded text of each key in ``wanted``."""
    keys = given.column("text_key").to_numpy()
    order = np.argsort(keys, kind="stable")
    found = np.minimum(np.searchsorted(keys, wanted, sorter=order), max(len(keys) - 1, 0))
    rows = order[found] if len(keys) else found
    if not len(keys) or not np.array_equal(keys[rows], wanted):
        raise ContractError(f"folded texts were asked for {len(wanted)} text keys; some did not come")
    return given.column("folded").cast(pa.large_string()).take(pa.array(rows))

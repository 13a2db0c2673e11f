"""Hashed character n-grams: what signatures are made from and near-duplicates are verified on.

A shingle is ``n`` consecutive Unicode characters. A text of 1 to n - 1 characters is one shingle, the
whole of it; an empty text has none. Signature and verification must mean the same set, hence one module.
"""

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.tables import utf8_buffers
from bastau.utf8 import char_at

SHINGLE_CHARS = 5

_BASE = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)


@nb.njit(nogil=True, cache=True)
def mix64(h):  # type: ignore[no-untyped-def]
    """Return a uint64 with every bit of ``h`` spread over all 64 (a bijection).

    Reference: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", variant 13.
    """
    h = (h ^ (h >> np.uint64(30))) * _M1
    h = (h ^ (h >> np.uint64(27))) * _M2
    return h ^ (h >> np.uint64(31))


@nb.njit(nogil=True, cache=True)
def shingle_hashes(data, start, end, n, out):  # type: ignore[no-untyped-def]
    """Write the 64-bit hash of each shingle of ``data[start:end]`` (UTF-8) and return how many there are.

    In text order, repeats included. ``out`` is uint64 with room for ``end - start`` values. The hash is a
    polynomial over code points modulo 2^64, rolled along the text, then mixed.
    """
    n_chars = 0
    i = start
    while i < end:  # code points first, in the room that the hashes will take
        b = data[i]
        if b < 0x80:
            out[n_chars] = b
            i += 1
        else:
            cp, i = char_at(data, i, end)
            out[n_chars] = cp
        n_chars += 1
    if n_chars == 0:
        return 0
    width = min(n, n_chars)
    top = np.uint64(1)
    h = np.uint64(0)
    for k in range(width):
        top *= _BASE
        h = h * _BASE + out[k]
    leaving = out[0]
    out[0] = mix64(h)
    for k in range(width, n_chars):
        h = h * _BASE + out[k] - leaving * top
        leaving = out[k - width + 1]
        out[k - width + 1] = mix64(h)
    return n_chars - width + 1


@nb.njit(nogil=True, cache=True)
def _shingle_sets(offsets, data, n, indptr, out):  # type: ignore[no-untyped-def]
    n_texts = len(offsets) - 1
    longest = 0
    for i in range(n_texts):
        longest = max(longest, offsets[i + 1] - offsets[i])
    hashes = np.empty(longest, np.uint64)
    filled = 0
    for i in range(n_texts):
        count = shingle_hashes(data, offsets[i], offsets[i + 1], n, hashes)
        first = filled
        for k in range(count):
            out[first + k] = np.uint32(hashes[k] >> np.uint64(32))
        out[first : first + count].sort()
        for k in range(first, first + count):
            if k == first or out[k] != out[filled - 1]:
                out[filled] = out[k]
                filled += 1
        indptr[i + 1] = filled
    return filled


def shingle_sets(folded: pa.Array | pa.ChunkedArray, n: int = SHINGLE_CHARS) -> tuple[np.ndarray, np.ndarray]:
    """Return the set of hashed character ``n``-grams of each text, as CSR.

    Returns:
        indptr int64 (rows + 1,), and hashes uint32 (indptr[-1],): those of row i, ascending and distinct, are
        ``hashes[indptr[i]:indptr[i + 1]]``. A null or empty text has none.

    The hash has 32 bits: two different shingles of a pair of 150-shingle texts collide in 1 of 10^5 pairs,
    which moves their similarity by under .01.
    """
    offsets, data = utf8_buffers(folded)
    indptr = np.zeros(len(offsets), np.int64)
    # One value a byte is an upper bound; memory that is never written is never resident.
    out = np.empty(offsets[-1] - offsets[0], np.uint32)
    filled = _shingle_sets(offsets, data, n, indptr, out)
    return indptr, out[:filled].copy()

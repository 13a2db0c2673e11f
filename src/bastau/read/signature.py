"""Near-duplicate signatures: MinHash over the character 5-grams of folded text, banded for look-up."""

from dataclasses import dataclass
from typing import ClassVar

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.schemas import FOLDED, N_BANDS, SIGNATURE
from bastau.shingles import SHINGLE_CHARS, mix64, shingle_hashes
from bastau.tables import append_columns, utf8_buffers

ROWS_PER_BAND = 4
N_ROWS = N_BANDS * ROWS_PER_BAND


def _row_constants() -> tuple[np.ndarray, np.ndarray]:
    """Return the odd multipliers and the offsets (uint32 (N_ROWS,)) of the hash of each MinHash row.

    Fixed for ever: stored signatures are compared with new ones.
    """
    state, mask = 0x6261737461750001, 2**64 - 1  # "bastau", version 1
    numbers = []
    for _ in range(2 * N_ROWS):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        numbers.append((z ^ (z >> 31)) >> 32)
    return np.array(numbers[:N_ROWS], np.uint32) | np.uint32(1), np.array(numbers[N_ROWS:], np.uint32)


_MULTIPLIERS, _OFFSETS = _row_constants()


@nb.njit(nogil=True, cache=True)
def _sign_rows(offsets, data, n, signed, out):  # type: ignore[no-untyped-def]
    longest = 0
    for i in range(len(offsets) - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    hashes = np.empty(longest, np.uint64)
    low = np.empty(longest, np.uint32)
    smallest = np.empty(N_ROWS, np.uint32)
    for i in range(len(offsets) - 1):
        if not signed[i]:
            continue
        count = shingle_hashes(data, offsets[i], offsets[i + 1], n, hashes)
        for k in range(count):
            low[k] = np.uint32(hashes[k] >> np.uint64(32))
        smallest[:] = np.uint32(0xFFFFFFFF)
        for k in range(count):
            h = low[k]
            # One vector loop over the rows: multiply-add modulo 2^32, then the high half folded in,
            # because the low bits of a product know only the low bits of the shingle.
            for r in range(N_ROWS):
                v = np.uint32(h * _MULTIPLIERS[r]) + _OFFSETS[r]
                v = np.uint32(v ^ (v >> np.uint32(15)))
                smallest[r] = min(smallest[r], v)
        for band in range(N_BANDS):
            key = np.uint64(band)
            for r in range(ROWS_PER_BAND):
                key = mix64(key ^ np.uint64(smallest[band * ROWS_PER_BAND + r]))
            out[i, band] = np.uint32(key >> np.uint64(32))


def sign_strings(folded: pa.Array | pa.ChunkedArray, signed: np.ndarray | None = None) -> np.ndarray:
    """Return the band hashes of each text, uint32 (rows, N_BANDS); zero in rows where ``signed`` is false.

    Two texts with Jaccard similarity J of their 5-gram sets share a given band with probability about J^4 and
    some band with 1 - (1 - J^4)^16: .988 at .7, .999 at .8, .08 at .27.

    Reference: Broder 1997, "On the resemblance and containment of documents", section 4; Leskovec, Rajaraman,
    Ullman 2020, "Mining of massive datasets", section 3.4 (bands).
    """
    offsets, data = utf8_buffers(folded)
    if signed is None:
        signed = np.ones(len(offsets) - 1, np.bool_)
    bands = np.zeros((len(offsets) - 1, N_BANDS), np.uint32)
    _sign_rows(offsets, data, SHINGLE_CHARS, signed, bands)
    return bands


@dataclass(frozen=True)
class Sign:
    """Add the near-duplicate signature of each text that is long enough to have a text_key."""

    needs: ClassVar[pa.Schema] = pa.schema([FOLDED.field("folded"), FOLDED.field("text_key")])
    adds: ClassVar[pa.Schema] = SIGNATURE

    def run(self, posts: pa.Table) -> pa.Table:
        """Return ``posts`` (n rows, any order) with the column of SIGNATURE."""
        signed = posts.column("text_key").is_valid().to_numpy()
        bands = sign_strings(posts.column("folded"), signed).astype("<u4", copy=False)
        validity = pa.py_buffer(np.packbits(signed, bitorder="little"))
        column = pa.Array.from_buffers(SIGNATURE.field("bands").type, posts.num_rows, [validity, pa.py_buffer(bands)])
        return append_columns(posts, {"bands": column}, self.adds)

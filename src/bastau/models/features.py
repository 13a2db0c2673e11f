"""Hashed n-grams of folded texts: what a linear model sees of a post, and all it sees.

Of each word, padded with a space on either side, every stretch of 2 to 5 characters; each word; each two words in
a row. All fall into one table of ``2**bits`` columns. Handles and links are gone from a folded text already, so a
model cannot learn who wrote or where.
"""

import hashlib
from collections.abc import Callable

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.shingles import mix64
from bastau.tables import utf8_buffers
from bastau.utf8 import char_at

Folder = Callable[[pa.Array], pa.Array]
"""Texts (string) to their folded forms; passed in, because a model is no stage's own."""

MAX_GRAM_CHARS = 5
BITS = 18
"""2**18 columns: with 2**20 held-out AUC changed by under .001 on two public sets, and 1 MB stays in a core's cache."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_WORD = np.uint64(0xD6E8FEB86659FD93)
"""Where the hash of a word starts, so that no word falls together with its own letters."""
_SPACE = 32
_PROBES = (
    "",
    "Жаңа мектеп ашылды! https://site.example/a?b=1 @arna #мектеп",
    "Сегодня в городе открыли школу; ёлка, «цитата», ЭЛЕКТРО-ПОЕЗД.",
    "Schools re-opened (2024): café, naïve, Straße & <b>bold</b> ﬁne ①",
    "qazaqşa oqu ısı ŋ ǵ\u200bа\u00ad — ٴبۇل قازاقشا ١٢٣",
    "中文 😀 한국어 a\u0301 i\u0307",
)
"""Texts that a change of folding or of the hashes would most likely change."""


@nb.njit(nogil=True, cache=True)
def ngram_columns(data, start, end, bits, chars, out):  # type: ignore[no-untyped-def]
    """Write the column of each n-gram of the folded ``data[start:end]`` (UTF-8, single spaces); return how many.

    Repeats included. ``chars`` is uint64 with room for ``end - start + 2`` values, ``out`` is uint32 with room for
    ``6 * (end - start) + 8``.
    """
    shift = np.uint64(64 - bits)
    n = 0
    i = start
    before = np.uint64(0)
    chars[0] = _SPACE
    while i < end:
        size = 1
        word = _WORD
        while i < end and data[i] != _SPACE:
            cp, i = char_at(data, i, end)
            chars[size] = cp
            size += 1
            word = word * _BASE + np.uint64(cp)
        i += 1
        if size == 1:
            continue
        chars[size] = _SPACE
        size += 1
        for k in range(size - 1):
            h = _BASE + chars[k]
            for m in range(k + 1, min(k + MAX_GRAM_CHARS, size)):
                h = h * _BASE + chars[m]
                out[n] = mix64(h) >> shift
                n += 1
        word = mix64(word)
        out[n] = word >> shift
        n += 1
        if before:
            out[n] = mix64(before * _BASE + word) >> shift
            n += 1
        before = word
    return n


@nb.njit(nogil=True, cache=True)
def _columns_of_rows(offsets, data, bits, indptr, out):  # type: ignore[no-untyped-def]
    n_rows = len(offsets) - 1
    longest = 0
    for row in range(n_rows):
        longest = max(longest, offsets[row + 1] - offsets[row])
    chars = np.empty(longest + 2, np.uint64)
    filled = 0
    for row in range(n_rows):
        filled += ngram_columns(data, offsets[row], offsets[row + 1], bits, chars, out[filled:])
        indptr[row + 1] = filled
    return filled


def ngram_rows(folded: pa.Array | pa.ChunkedArray, bits: int = BITS) -> tuple[np.ndarray, np.ndarray]:
    """Return the n-grams of each text as CSR without values: indptr int64 (n + 1,), columns uint32, repeats kept."""
    offsets, data = utf8_buffers(folded)
    indptr = np.zeros(len(offsets), np.int64)
    # An upper bound; memory that is never written is never resident.
    out = np.empty(6 * (offsets[-1] - offsets[0]) + 8 * len(offsets), np.uint32)
    filled = _columns_of_rows(offsets, data, bits, indptr, out)
    return indptr, out[:filled].copy()


def reading_fingerprint(fold: Folder) -> str:
    """Return 16 hex digits that change when ``fold`` or the n-grams do, so that a model knows what it was trained on."""
    folded = fold(pa.array(_PROBES))
    indptr, columns = ngram_rows(folded, 22)
    digest = hashlib.blake2b(digest_size=8)
    for part in (*(text.encode() for text in folded.to_pylist()), indptr.tobytes(), columns.tobytes()):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()

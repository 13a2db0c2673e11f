"""Hashed n-grams of letters and words: what linear models of texts are made of.

Letter n-grams stay within a word, a space standing at each end of it (scikit-learn calls this `char_wb`);
word n-grams are up to so many words in a row. Each becomes a column below ``2 ** bits``. Text is taken as folded:
words are what single spaces keep apart. The hash never changes, because models are stored.
"""

from dataclasses import dataclass

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.tables import utf8_buffers
from bastau.utf8 import char_at

_BASE = np.uint64(0x9E3779B185EBCA87)
_FINISH = np.uint64(0xD6E8FEB86659FD93)
_WORD_SEED = np.uint64(0x27D4EB2F165667C5)
_SPACE = np.uint64(32)


@nb.njit(nogil=True, cache=True, inline="always")
def _column(h, shift):  # type: ignore[no-untyped-def]
    h = (h ^ (h >> np.uint64(32))) * _FINISH
    return np.uint32(h >> shift)


@nb.njit(nogil=True, cache=True)
def letter_ngrams(codes, first, end, low, high, shift, out, n):  # type: ignore[no-untyped-def]
    """Append to ``out[:n]`` the columns of the letter n-grams of one word; return the new ``n``.

    ``codes`` are code points (uint64); the word is ``codes[first:end]``, a space before and after it included. The
    n-grams have ``low`` to ``high`` characters; a lone space is none. ``shift`` is 64 minus the bits of a column.
    """
    for a in range(first, end):
        h = np.uint64(0)
        last = min(a + high, end)
        for b in range(a, last):
            h = h * _BASE + codes[b]
            size = b - a + 1
            if size >= low and (size > 1 or codes[a] != _SPACE):
                out[n] = _column(h, shift)
                n += 1
    return n


@nb.njit(nogil=True, cache=True)
def word_hash(codes, first, end):  # type: ignore[no-untyped-def]
    """Return the hash (uint64) of the word ``codes[first:end]``, for :func:`word_column`."""
    h = _WORD_SEED
    for k in range(first, end):
        h = h * _BASE + codes[k]
    return h


@nb.njit(nogil=True, cache=True, inline="always")
def word_column(h, shift):  # type: ignore[no-untyped-def]
    """Return the column of a word or of words in a row, from their hash."""
    return _column(h, shift)


@nb.njit(nogil=True, cache=True)
def row_ngrams(data, start, end, low, high, words, shift, codes, hashes, out):  # type: ignore[no-untyped-def]
    """Write the columns of the n-grams of one text to ``out``, repeats included, and return how many there are.

    The text is ``data[start:end]`` (UTF-8), read up to ``len(codes) - 2`` characters. ``codes`` and ``hashes`` are
    uint64 scratch of one length; ``out`` (uint32) holds ``len(codes) * (high - low + 1 + words)`` columns.
    """
    room = len(codes) - 1
    n = 0
    n_words = 0
    first = 0
    codes[0] = _SPACE
    used = 1
    i = start
    while True:
        at_end = i >= end or used >= room
        if not at_end:
            cp, i = char_at(data, i, end)
            codes[used] = np.uint64(cp)
            used += 1
        if at_end:
            codes[used] = _SPACE
            used += 1
        if codes[used - 1] == _SPACE:
            if used - first > 2:
                if high > 0:
                    n = letter_ngrams(codes, first, used, low, high, shift, out, n)
                if words > 0:
                    hashes[n_words] = word_hash(codes, first + 1, used - 1)
                    n_words += 1
                    h = _WORD_SEED
                    for k in range(min(words, n_words)):
                        h = h * _BASE + hashes[n_words - 1 - k]
                        out[n] = _column(h, shift)
                        n += 1
            first = used - 1
        if at_end:
            return n


@nb.njit(nogil=True, cache=True)
def _rows(offsets, data, low, high, words, shift, max_chars, indptr, out, counts):  # type: ignore[no-untyped-def]
    """Fill CSR arrays; with an empty ``out`` only count, which gives an upper bound in ``indptr[-1]``."""
    codes = np.empty(max_chars + 2, np.uint64)
    hashes = np.empty(max_chars + 2, np.uint64)
    row = np.empty((max_chars + 2) * (max(high - low + 1, 0) + words), np.uint32)
    filled = 0
    for i in range(len(offsets) - 1):
        n = row_ngrams(data, offsets[i], offsets[i + 1], low, high, words, shift, codes, hashes, row)
        if len(out) == 0:
            filled += n
        else:
            row[:n].sort()
            for k in range(n):
                if k and row[k] == row[k - 1]:
                    counts[filled - 1] += 1
                else:
                    out[filled], counts[filled] = row[k], 1
                    filled += 1
        indptr[i + 1] = filled
    return filled


@nb.njit(nogil=True, cache=True)
def _scores(offsets, data, low, high, words, shift, max_chars, weights, bias, scores):  # type: ignore[no-untyped-def]
    codes = np.empty(max_chars + 2, np.uint64)
    hashes = np.empty(max_chars + 2, np.uint64)
    row = np.empty((max_chars + 2) * (max(high - low + 1, 0) + words), np.uint32)
    n_classes = weights.shape[1]
    total = np.empty(n_classes, np.float32)
    for i in range(len(offsets) - 1):
        n = row_ngrams(data, offsets[i], offsets[i + 1], low, high, words, shift, codes, hashes, row)
        total[:] = 0
        for k in range(n):
            column = row[k]
            for c in range(n_classes):
                total[c] += np.float32(weights[column, c])
        scale = np.float32(1.0 / np.sqrt(n)) if n else np.float32(0.0)
        for c in range(n_classes):
            scores[i, c] = bias[c] + total[c] * scale


@dataclass(frozen=True)
class Ngrams:
    """Which n-grams stand for a text.

    Args:
        chars: shortest and longest letter n-gram; (1, 0) for none.
        words: most words in a row that make one word n-gram; 0 for none.
        bits: columns are below ``2 ** bits``, at most 31.
        max_chars: characters read of a text.
    """

    chars: tuple[int, int] = (1, 5)
    words: int = 0
    bits: int = 18
    max_chars: int = 1000

    def _spec(self) -> tuple[int, int, int, np.uint64, int]:
        return (*self.chars, self.words, np.uint64(64 - self.bits), self.max_chars)

    def features(self, folded: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the n-grams of each text as CSR.

        Returns:
            indptr int64 (rows + 1,); columns uint32, ascending and distinct within a row; counts float32. A null or
            empty text has none.
        """
        offsets, data = utf8_buffers(folded)
        indptr = np.zeros(len(offsets), np.int64)
        none, no_counts = np.empty(0, np.uint32), np.empty(0, np.float32)
        bound = _rows(offsets, data, *self._spec(), indptr, none, no_counts)
        columns, counts = np.empty(bound + 1, np.uint32), np.empty(bound + 1, np.float32)
        filled = _rows(offsets, data, *self._spec(), indptr, columns, counts)
        return indptr, columns[:filled].copy(), counts[:filled].copy()

    def score(self, folded: pa.Array | pa.ChunkedArray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """Return ``bias + counts @ weights / sqrt(n)`` of each text, n being its n-grams with repeats.

        Args:
            folded: the texts.
            weights: (2 ** bits, classes), any number type; contiguous rows.
            bias: float32 (classes,); alone the score of a text without n-grams.

        Returns:
            float32 (rows, classes).
        """
        offsets, data = utf8_buffers(folded)
        scores = np.empty((len(offsets) - 1, weights.shape[1]), np.float32)
        _scores(offsets, data, *self._spec(), weights, bias.astype(np.float32), scores)
        return scores

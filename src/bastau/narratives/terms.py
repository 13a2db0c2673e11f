"""What a text is about, as hashed terms: the stems of its words, pairs of them, and names that survive a change of script.

A stem is the first six letters of a word, which takes most endings off Russian, Kazakh and English words alike. A
sounding is what is left of a word when it is written in Latin consonants, so that Токаев, Тоқаев, Tokayev and Toqaev are one.

Reference: McNamee and Mayfield 2004, "Character n-gram tokenization for European language text retrieval",
Information Retrieval 7, section 4 (stems by truncation); Knuth 1998, "Sorting and Searching", 6.4 (Soundex).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.shingles import mix64
from bastau.tables import utf8_buffers
from bastau.utf8 import char_at

STEM_CHARS = 6
MOST_WORDS = 192
"""Words of a text that are looked at; what an article says beyond them is detail."""
_LEAST_SOUNDS, _MOST_SOUNDS = 3, 5
LEAST_CHARS = 4
"""Shorter words have no sounding: they are mostly grammar."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
WORD = np.uint32(0xFFFFFFFE)
_STEM, _PAIR, _SOUND = np.uint64(0x51ED270B7A1F3C55), np.uint64(0xA24BAED4963EE407), np.uint64(0x9FB21C651E98DF25)


@dataclass(frozen=True)
class Terms:
    """Hashed terms of texts as CSR: those of row i are ``hashes[indptr[i]:indptr[i + 1]]`` (uint32, ascending, distinct).

    ``counts`` uint8: how often each occurs in its text, at most 255.
    """

    indptr: np.ndarray
    hashes: np.ndarray
    counts: np.ndarray


def _sound_table() -> np.ndarray:
    """Return the sound of each code point below 0x600: up to two Latin letters packed in 16 bits; 0 for none."""
    table = np.zeros(0x600, np.uint16)
    for line in (files("bastau.narratives") / "sounds.tsv").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            letters, sound = line.split("\t")
            packed = sum(ord(c) << 8 * k for k, c in enumerate(sound))
            for letter in letters:
                table[ord(letter)] = packed
    return table


SOUNDS = _sound_table()


@nb.njit(nogil=True, cache=True)
def sounding(codes, first, end, sounds):  # type: ignore[no-untyped-def]
    """Return the hash of a word's consonants, 0 when it has too few."""
    h = _SOUND
    n = 0
    last = np.uint64(0)
    for k in range(first, end):
        cp = codes[k]
        packed = np.uint64(sounds[cp]) if cp < len(sounds) else np.uint64(0)
        before = codes[k - 1] if k > first else np.int64(0)
        if cp == 107 and k + 1 < end and codes[k + 1] == 104:
            continue  # kh is the Cyrillic х, an h of its own
        if cp == 104 and before != 107 and before < len(sounds) and sounds[before]:
            continue  # elsewhere h after a consonant only softens it: sh, zh, ch, th, ph
        while packed and n < _MOST_SOUNDS:
            sound = packed & np.uint64(0xFF)
            packed >>= np.uint64(8)
            if sound != last:
                h = h * _BASE + sound
                n += 1
            last = sound
        if n == _MOST_SOUNDS:
            break
    return mix64(h) if n >= _LEAST_SOUNDS else np.uint64(0)


@nb.njit(nogil=True, cache=True)
def collect(found, n, hashes, counts, filled):  # type: ignore[no-untyped-def]
    """Append the distinct values of ``found[:n]`` to the CSR arrays and return the new end."""
    found[:n].sort()
    for k in range(n):
        if k and found[k] == found[k - 1]:
            counts[filled - 1] = min(counts[filled - 1] + 1, 255)
        else:
            hashes[filled], counts[filled] = found[k], 1
            filled += 1
    return filled


@nb.njit(nogil=True, cache=True)
def find_term(hashes, first, end, term):  # type: ignore[no-untyped-def]
    """Return where ``term`` stands in ``hashes[first:end]`` (ascending), or would."""
    while first < end:
        middle = (first + end) // 2
        if hashes[middle] < term:
            first = middle + 1
        else:
            end = middle
    return first


@nb.njit(nogil=True, cache=True)
def read_word_ends(data, start, end, codes, ends):  # type: ignore[no-untyped-def]
    """Write the code points of the first words to ``codes``, where each ends to ``ends``; return how many words."""
    n_chars = n_words = 0
    i = start
    while i < end and n_words < len(ends):
        cp, i = char_at(data, i, end)
        if cp == 32:
            ends[n_words] = n_chars
            n_words += 1
        elif n_chars < len(codes):
            codes[n_chars] = cp
            n_chars += 1
    if i >= end and n_words < len(ends) and end > start:
        ends[n_words] = n_chars
        n_words += 1
    return n_words


@nb.njit(nogil=True, cache=True)
def stem_of(codes, first, end):  # type: ignore[no-untyped-def]
    """Return the hash of a word's first letters, of all digits of a number."""
    h = _STEM
    digits = True
    for k in range(first, end):
        digits &= 48 <= codes[k] < 58
    # All digits of a number count: 1941 and 194100 are not the same.
    last = end if digits else min(end, first + STEM_CHARS)
    for k in range(first, last):
        h = h * _BASE + np.uint64(codes[k])
    return mix64(h)


@nb.njit(nogil=True, cache=True)
def _terms(offsets, data, stem, pair):  # type: ignore[no-untyped-def]
    ends = np.empty(MOST_WORDS, np.int64)
    codes = np.empty(MOST_WORDS * 24, np.int64)
    stems, pairs = np.empty(MOST_WORDS, np.uint32), np.empty(MOST_WORDS, np.uint32)
    n_stems = n_pairs = 0
    for row in range(len(offsets) - 1):
        n_words = read_word_ends(data, offsets[row], offsets[row + 1], codes, ends)
        before = np.uint64(0)
        first = 0
        n = 0
        for k in range(n_words):
            end = ends[k]
            h = stem_of(codes, first, end)
            stems[n] = np.uint32(h >> np.uint64(32)) & WORD
            if n:
                pairs[n - 1] = np.uint32(mix64(before * _BASE + h + _PAIR) >> np.uint64(32))
            before = h
            n += 1
            first = end
        n_stems = collect(stems, n, stem[1], stem[2], n_stems)
        n_pairs = collect(pairs, max(n - 1, 0), pair[1], pair[2], n_pairs)
        stem[0][row + 1], pair[0][row + 1] = n_stems, n_pairs


def find_terms(folded: pa.Array | pa.ChunkedArray) -> tuple[Terms, Terms]:
    """Return the stems and the pairs of neighbouring stems of folded texts."""
    offsets, data = utf8_buffers(folded)
    n = len(offsets) - 1
    # A word takes at least two bytes with the space behind it; what is never written is never resident.
    room = min(int(offsets[-1] - offsets[0]) // 2 + n, n * MOST_WORDS)
    kinds = [(np.zeros(n + 1, np.int64), np.empty(room, np.uint32), np.empty(room, np.uint8)) for _ in range(2)]
    _terms(offsets, data, *kinds)
    stems, pairs = (
        Terms(indptr, hashes[: indptr[-1]].copy(), counts[: indptr[-1]].copy()) for indptr, hashes, counts in kinds
    )
    return stems, pairs


@nb.njit(nogil=True, cache=True)
def _gather(indptr, hashes, counts, order, new_indptr, new_hashes, new_counts):  # type: ignore[no-untyped-def]
    for row in range(len(order)):
        start, end = indptr[order[row]], indptr[order[row] + 1]
        to = new_indptr[row]
        new_hashes[to : to + end - start] = hashes[start:end]
        new_counts[to : to + end - start] = counts[start:end]


def stack(parts: Sequence[Terms], order: np.ndarray) -> Terms:
    """Return the rows of ``parts``, one after the other, in the order given (int64 rows of the whole)."""
    ends = np.cumsum([0, *(part.indptr[-1] for part in parts)])
    indptr = np.concatenate([[0], *(part.indptr[1:] + end for part, end in zip(parts, ends[:-1], strict=True))])
    hashes = np.concatenate([np.empty(0, np.uint32), *(part.hashes for part in parts)])
    counts = np.concatenate([np.empty(0, np.uint8), *(part.counts for part in parts)])
    sizes = np.diff(indptr)[order]
    new_indptr = np.concatenate([[0], np.cumsum(sizes)])
    found = Terms(new_indptr, np.empty(new_indptr[-1], np.uint32), np.empty(new_indptr[-1], np.uint8))
    _gather(indptr, hashes, counts, order, new_indptr, found.hashes, found.counts)
    return found


@nb.njit(nogil=True, cache=True)
def _merge(indptr, hashes, counts, mark_indptr, marks, new_indptr, new_hashes, new_counts):  # type: ignore[no-untyped-def]
    to = 0
    for row in range(len(indptr) - 1):
        i, i_end = indptr[row], indptr[row + 1]
        j, j_end = mark_indptr[row], mark_indptr[row + 1]
        while i < i_end or j < j_end:
            if j >= j_end or (i < i_end and hashes[i] < marks[j]):
                new_hashes[to], new_counts[to] = hashes[i], counts[i]
                i += 1
                to += 1
            else:
                if j == mark_indptr[row] or marks[j] != marks[j - 1]:
                    new_hashes[to], new_counts[to] = marks[j], 1
                    to += 1
                j += 1
        new_indptr[row + 1] = to
    return to


def with_marks(terms: Terms, keys: pa.ListArray) -> Terms:
    """Return ``terms`` with what a post points to and shows (hashes int64, one list a row) as further terms.

    They are told from words by their lowest bit, which is 1 for them and 0 for words.
    """
    keys = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
    sizes = pc.fill_null(pc.list_value_length(keys), 0).to_numpy(zero_copy_only=False)
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    values = keys.flatten().to_numpy(zero_copy_only=False).view(np.uint64)
    marks = (values >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
    marks = marks[np.lexsort((marks, np.repeat(np.arange(len(sizes)), sizes)))]
    room = len(terms.hashes) + len(marks)
    new = np.zeros(len(indptr), np.int64), np.empty(room, np.uint32), np.empty(room, np.uint8)
    filled = _merge(terms.indptr, terms.hashes, terms.counts, indptr, marks, *new)
    return Terms(new[0], new[1][:filled], new[2][:filled])

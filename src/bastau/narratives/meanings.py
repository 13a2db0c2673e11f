"""What a text is about in terms that do not depend on its language: concepts of the dictionary, names by their sound, numbers.

A word that the dictionary of :mod:`bastau.lexicon` lists, or that differs from a listed one by its ending, stands for its
concept, and so does one that sounds like it; another stands for its sounding, so that names and loans meet across scripts; a word
too short for that for its stem.
Function words stand for nothing.
"""

from functools import cache

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.lexicon import common_words, concepts, fold_word
from bastau.narratives.terms import (
    LEAST_CHARS,
    MOST_WORDS,
    SOUNDS,
    WORD,
    Terms,
    collect,
    read_word_ends,
    sounding,
    stem_of,
)
from bastau.shingles import mix64
from bastau.tables import utf8_buffers

_BASE = np.uint64(0x9E3779B97F4A7C15)
_EXACT, _BEGINS, _CONCEPT = np.uint64(0x8F14E45FCEEA167A), np.uint64(0xC9F0F895FB98AB91), np.uint64(0x45C48CCE2E2D7FBD)
_SOUNDS_LIKE = np.uint64(0x6512BD43D9CAA6E0)
_MOST_CHARS = 24
_MOST_ENDING = 5
"""Letters that a word may have beyond what it shares with a listed one."""
_LEAST_SHARED = 4
_LEAST_HEARD = 4
"""Consonants of a listed word by which one that is not listed may be taken for it."""
_NOTHING = np.uint64(1)
"""What a function word stands for."""


@nb.njit(nogil=True, cache=True)
def _hashes(codes, first, end, out):  # type: ignore[no-untyped-def]
    """Set ``out[k]`` to the hash of the first k letters of a word; return its length, 0 when it is too long to be listed."""
    if end - first > _MOST_CHARS:
        return 0
    h = np.uint64(0)
    out[0] = h
    for k in range(first, end):
        h = h * _BASE + np.uint64(codes[k]) + np.uint64(1)
        out[k - first + 1] = h
    return end - first


@nb.njit(nogil=True, cache=True)
def _look_up(keys, values, key):  # type: ignore[no-untyped-def]
    """Return the value of ``key`` in a table of open addresses, 0 for none."""
    mask = np.uint64(len(keys) - 1)
    at = key & mask
    while keys[at] != 0:
        if keys[at] == key:
            return values[at]
        at = (at + np.uint64(1)) & mask
    return np.uint64(0)


@nb.njit(nogil=True, cache=True)
def _meaning(codes, first, end, keys, values, sounds, prefixes):  # type: ignore[no-untyped-def]
    """Return the hash of what a word stands for, 0 for nothing."""
    n = _hashes(codes, first, end, prefixes)
    if n:
        found = _look_up(keys, values, mix64(prefixes[n] ^ _EXACT))
        if found == _NOTHING:
            return np.uint64(0)
        k = n
        while found == 0 and k >= max(_LEAST_SHARED, n - _MOST_ENDING):
            found = _look_up(keys, values, mix64(prefixes[k] ^ _BEGINS))
            k -= 1
        if found:
            return found
    if end > first and 48 <= codes[first] < 58:
        return stem_of(codes, first, end)
    heard = sounding(codes, first, end, sounds) if end - first >= LEAST_CHARS else np.uint64(0)
    if heard:
        found = _look_up(keys, values, mix64(heard ^ _SOUNDS_LIKE))
        return found or heard
    return stem_of(codes, first, end) if end - first > 1 else heard


@nb.njit(nogil=True, cache=True)
def _find(offsets, data, keys, values, sounds, indptr, hashes, counts):  # type: ignore[no-untyped-def]
    ends = np.empty(MOST_WORDS, np.int64)
    codes = np.empty(MOST_WORDS * 24, np.int64)
    found = np.empty(MOST_WORDS, np.uint32)
    prefixes = np.empty(_MOST_CHARS + 1, np.uint64)
    filled = 0
    for row in range(len(offsets) - 1):
        n_words = read_word_ends(data, offsets[row], offsets[row + 1], codes, ends)
        first = 0
        n = 0
        for k in range(n_words):
            meaning = _meaning(codes, first, ends[k], keys, values, sounds, prefixes)
            if meaning:
                found[n] = np.uint32(meaning >> np.uint64(32)) & WORD
                n += 1
            first = ends[k]
        filled = collect(found, n, hashes, counts, filled)
        indptr[row + 1] = filled


def _hash_word(word: str) -> np.ndarray:
    out = np.zeros(_MOST_CHARS + 1, np.uint64)
    codes = np.array([ord(c) for c in word], np.int64)
    return out[: _hashes(codes, 0, len(codes), out) + 1]


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    """Return keys and values of a table of open addresses: hashes of words and beginnings of words -> what they stand for."""
    exact: dict[int, int] = {}
    begins: dict[int, int] = {}
    listed = [
        (fold_word(word), value)
        for name, columns in concepts()
        for value in [_value(name, columns)]
        for words in columns
        for word in words
        if "-" not in word and len(word) <= _MOST_CHARS
    ]
    for word, value in listed:
        exact.setdefault(int(mix64(_hash_word(word)[-1] ^ _EXACT)), value)
    for word, value in listed:
        # The shortest beginning that is still most of the word; where two concepts begin alike it stands for neither.
        shared = len(word) - (1 if len(word) < 6 else 2)
        if shared >= _LEAST_SHARED:
            key = int(mix64(_hash_word(word)[shared] ^ _BEGINS))
            if begins.setdefault(key, value) != value:
                begins[key] = 0
    for word, value in listed:
        # Ukrainian words, and spellings that are not listed; few consonants are those of anything.
        if sum(ord(c) < len(SOUNDS) and SOUNDS[ord(c)] > 0 for c in word) >= _LEAST_HEARD and (heard := _heard(word)):
            key = int(mix64(np.uint64(heard) ^ _SOUNDS_LIKE))
            if begins.setdefault(key, value) != value:
                begins[key] = 0
    for word in common_words():
        if len(word) <= _MOST_CHARS:
            exact[int(mix64(_hash_word(word)[-1] ^ _EXACT))] = int(_NOTHING)
    entries = {key: value for key, value in {**begins, **exact}.items() if value}
    size = 1 << (len(entries) * 2).bit_length()
    keys, values = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    for key, value in entries.items():
        at = key & (size - 1)
        while keys[at]:
            at = (at + 1) & (size - 1)
        keys[at], values[at] = key, value
    return keys, values


def _value(name: str, columns: tuple[tuple[str, ...], ...]) -> int:
    """Return the hash of a concept; a name or a loan, which sounds alike in all languages, stands for its sounding.

    So it meets spellings that the dictionary does not list.
    """
    heard = {_heard(fold_word(words[0])) for words in columns if words}
    if len(heard) == 1 and 0 not in heard and sum(map(bool, columns)) > 1:
        return heard.pop()
    h = _CONCEPT
    with np.errstate(over="ignore"):
        for c in name:
            h = h * _BASE + np.uint64(ord(c))
    return int(mix64(h)) | 1 << 40


def _heard(word: str) -> int:
    codes = np.array([ord(c) for c in word], np.int64)
    return int(sounding(codes, 0, len(codes), SOUNDS)) if len(codes) >= LEAST_CHARS else 0


def find_meanings(folded: pa.Array | pa.ChunkedArray) -> Terms:
    """Return what the words of folded texts stand for."""
    offsets, data = utf8_buffers(folded)
    n = len(offsets) - 1
    room = min(int(offsets[-1] - offsets[0]) // 2 + n, n * MOST_WORDS)
    indptr, hashes, counts = np.zeros(n + 1, np.int64), np.empty(room, np.uint32), np.empty(room, np.uint8)
    _find(offsets, data, *_table(), SOUNDS, indptr, hashes, counts)
    return Terms(indptr, hashes[: indptr[-1]].copy(), counts[: indptr[-1]].copy())

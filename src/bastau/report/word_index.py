"""Which posts have a word that begins so: an index of folded texts, in memory.

Each part holds some posts: its words sorted by their bytes, and for each word the posts that have it, side by side. The words with one
beginning are then neighbours and so are their posts: one slice answers. A part is never changed; what is stored later is a part of
its own.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.shingles import mix64
from bastau.tables import utf8_buffers

_SPACE = 32
_BASE = np.uint64(0x9E3779B97F4A7C15)
_LEAST_SLOTS = 1 << 12


@dataclass(frozen=True)
class Part:
    """Words in byte order; the posts of word ``w`` are ``posts[starts[w]:starts[w + 1]]``, as places in ``post_keys``."""

    post_keys: np.ndarray
    words: pa.LargeBinaryArray
    starts: np.ndarray
    posts: np.ndarray

    @property
    def n_bytes(self) -> int:
        """Memory that it takes."""
        return int(self.post_keys.nbytes + self.words.nbytes + self.starts.nbytes + self.posts.nbytes)


def make_part(post_keys: np.ndarray, folded: pa.ChunkedArray) -> Part:
    """Return the part of posts with these keys and folded texts (words set apart by spaces)."""
    offsets, data = utf8_buffers(folded)
    words_of, places, first, length, n_posts = _number(data, offsets, _LEAST_SLOTS)
    unsorted = _gather(data, first, length)
    ends = np.concatenate([[0], np.cumsum(length, dtype=np.int64)])
    words = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(first), [None, pa.py_buffer(ends), pa.py_buffer(unsorted)]
    )
    order = pc.sort_indices(words).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    starts = np.concatenate([[0], np.cumsum(n_posts[order], dtype=np.int64)])
    return Part(post_keys, words.take(pa.array(order)), starts, _posts(words_of, places, rank, starts))


def posts_with(parts: Iterable[Part], words: Sequence[str]) -> np.ndarray:
    """Return the keys of the posts that have, for each of ``words`` (at least one), a word that begins with it."""
    found = [part.post_keys[_places(part, words)] for part in parts]
    return np.concatenate([np.empty(0, np.int64), *found])


def _places(part: Part, words: Sequence[str]) -> np.ndarray:
    slices = sorted((_beginning(part, word.encode()) for word in words), key=len)
    fits = np.zeros(len(part.post_keys), bool)
    fits[slices[0]] = True
    for more in slices[1:]:
        both = more[fits[more]]
        fits[:] = False
        fits[both] = True
    return np.flatnonzero(fits)


def _beginning(part: Part, start: bytes) -> np.ndarray:
    # No byte of UTF-8 is 255, so the last one can be counted up.
    after = start[:-1] + bytes([start[-1] + 1])
    low, high = (
        bisect_left(range(len(part.words)), end, key=lambda i: part.words[i].as_py()) for end in (start, after)
    )
    posts: np.ndarray = part.posts[part.starts[low] : part.starts[high]]
    return posts


@nb.njit(nogil=True, cache=True)
def _number(data, offsets, n_slots):  # type: ignore[no-untyped-def]
    """Number the words in order of appearance, each once a text.

    Return (number of the word, place of the text) for each, then by word its first place in ``data``, its length in bytes and in how
    many texts it is.
    """
    slots = np.full(n_slots, -1, np.int32)
    first = np.empty(n_slots, np.int64)
    length = np.empty(n_slots, np.int32)
    n_texts = np.zeros(n_slots, np.int64)
    last = np.empty(n_slots, np.int32)
    hashes = np.empty(n_slots, np.uint64)
    n_words = 0
    words = np.empty(1 << 12, np.int32)
    places = np.empty(1 << 12, np.int32)
    n = 0
    for text in range(len(offsets) - 1):
        i, end = offsets[text], offsets[text + 1]
        while i < end:
            if data[i] == _SPACE:
                i += 1
                continue
            h, j = np.uint64(0), i
            while j < end and data[j] != _SPACE:
                h = (h ^ np.uint64(data[j])) * _BASE
                j += 1
            h = mix64(h)
            slot = np.int64(h & np.uint64(n_slots - 1))
            while slots[slot] >= 0 and not _is_same(data, slots[slot], h, i, j, hashes, first, length):
                slot = (slot + 1) & (n_slots - 1)
            word = slots[slot]
            if word < 0:
                word = n_words
                slots[slot] = word
                hashes[word], first[word], length[word], last[word] = h, i, j - i, -1
                n_words += 1
            if last[word] != text:
                last[word] = text
                n_texts[word] += 1
                if n == len(words):
                    words, places = _longer(words, 2 * n), _longer(places, 2 * n)
                words[n], places[n] = word, text
                n += 1
            i = j
            if 2 * n_words == n_slots:
                n_slots *= 2
                first, length, last = _longer(first, n_slots), _longer(length, n_slots), _longer(last, n_slots)
                n_texts, hashes = _longer(n_texts, n_slots), _longer(hashes, n_slots)
                n_texts[n_words:] = 0
                slots = np.full(n_slots, -1, np.int32)
                for known in range(n_words):
                    slot = np.int64(hashes[known] & np.uint64(n_slots - 1))
                    while slots[slot] >= 0:
                        slot = (slot + 1) & (n_slots - 1)
                    slots[slot] = known
    return words[:n], places[:n], first[:n_words].copy(), length[:n_words].copy(), n_texts[:n_words].copy()


@nb.njit(nogil=True, cache=True)
def _longer(held, n):  # type: ignore[no-untyped-def]
    more = np.empty(n, held.dtype)
    more[: len(held)] = held
    return more


@nb.njit(nogil=True, cache=True)
def _is_same(data, word, h, i, j, hashes, first, length):  # type: ignore[no-untyped-def]
    if hashes[word] != h or length[word] != j - i:
        return False
    start, k = first[word], 0
    while k < j - i and data[start + k] == data[i + k]:
        k += 1
    return k == j - i


@nb.njit(nogil=True, cache=True)
def _gather(data, first, length):  # type: ignore[no-untyped-def]
    """Return the words one behind the other."""
    out = np.empty(length.sum(), np.uint8)
    at = 0
    for word in range(len(first)):
        out[at : at + length[word]] = data[first[word] : first[word] + length[word]]
        at += length[word]
    return out


@nb.njit(nogil=True, cache=True)
def _posts(words, places, rank, starts):  # type: ignore[no-untyped-def]
    """Return the places of the texts by rank of their words; within a word in order."""
    out = np.empty(len(words), np.int32)
    free = starts[:-1].copy()
    for i in range(len(words)):
        at = free[rank[words[i]]]
        out[at] = places[i]
        free[rank[words[i]]] = at + 1
    return out

"""Known texts, found again after edits: fingerprints of listed texts looked up in every position of a post.

A listed text is thinned by winnowing: of each ``WINDOW`` neighbouring character 16-grams of its folded form the
one with the smallest hash is kept. A post is not thinned: each of its 16-grams is looked up. So a passage of
``GRAM_CHARS + WINDOW - 1`` characters that both share is always seen, and one edit loses no more than the grams it
touches. With both sides thinned, and wider windows, short texts are lost (docs/figures/known.md).

Reference: Schleimer, Wilkerson, Aiken 2003, "Winnowing: local algorithms for document fingerprinting", section 3.
"""

from dataclasses import dataclass

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.read.known_keys import first_at, key_filter, passes
from bastau.shingles import shingle_hashes
from bastau.tables import utf8_buffers

GRAM_CHARS = 16
WINDOW = 8
MIN_TEXT_CHARS = 40
"""Folded texts with fewer characters are matched whole or not at all."""
MAX_ENTRIES = 64
"""Listed texts looked at per fingerprint: a list of a thousand versions of one text names some of them, not all."""
_MANY_HITS, _FEW_ENTRIES = 1 << 20, 4
# In a post with more hits than that, made to keep us busy, each further fingerprint is looked at for so many texts.


@dataclass(frozen=True)
class TextThresholds:
    """When a post holds a listed text.

    Args:
        fingerprints: distinct fingerprints of the listed text that must be found.
        containment: share of the listed text's fingerprints that must be found, in (0, 1].
        covered_chars: characters of the listed text that the found fingerprints must cover.
    """

    fingerprints: int = 4
    containment: float = 0.25
    covered_chars: int = 60


@nb.njit(nogil=True, cache=True)
def _winnow(hashes, count, window, kept):  # type: ignore[no-untyped-def]
    """Write the positions of the kept grams of ``hashes[:count]``, ascending, and return how many there are."""
    n = 0
    last = -1
    for start in range(max(1, count - window + 1)):
        best = start
        for k in range(start + 1, min(count, start + window)):
            if hashes[k] <= hashes[best]:  # of equals the rightmost: fewer are kept in repetitive text
                best = k
        if best != last:
            kept[n] = best
            n += 1
            last = best
    return n


@nb.njit(nogil=True, cache=True)
def _fingerprint_rows(offsets, data, gram, window):  # type: ignore[no-untyped-def]
    n_rows = len(offsets) - 1
    longest = 0
    for row in range(n_rows):
        longest = max(longest, offsets[row + 1] - offsets[row])
    hashes = np.empty(longest + 1, np.uint64)
    kept = np.empty(longest + 1, np.int64)
    room = 1024 + (offsets[n_rows] - offsets[0]) // 3
    out, rows, places = np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.int32)
    lengths = np.zeros(n_rows, np.int32)
    filled = 0
    for row in range(n_rows):
        n_chars = 0
        for i in range(offsets[row], offsets[row + 1]):
            n_chars += (data[i] & 0xC0) != 0x80
        lengths[row] = n_chars
        if n_chars < gram:
            continue
        count = shingle_hashes(data, offsets[row], offsets[row + 1], gram, hashes)
        n = _winnow(hashes, count, window, kept)
        while filled + n > room:
            out, rows, places = (
                np.concatenate((out, np.empty_like(out))),
                np.concatenate((rows, np.empty_like(rows))),
                np.concatenate((places, np.empty_like(places))),
            )
            room *= 2
        for k in range(n):
            out[filled], rows[filled], places[filled] = hashes[kept[k]], row, kept[k]
            filled += 1
    return out[:filled].copy(), rows[:filled].copy(), places[:filled].copy(), lengths


def fingerprints(
    folded: pa.Array | pa.ChunkedArray, window: int = WINDOW
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the fingerprints of each text.

    Returns:
        hashes uint64 (m,), rows int32 (m,), ascending, places int32 (m,): index of the gram's first character;
        and the length in characters of each text, int32 (n,).
    """
    offsets, data = utf8_buffers(folded)
    hashes, rows, places, lengths = _fingerprint_rows(offsets, data, GRAM_CHARS, window)
    return hashes, rows, places, lengths


@dataclass(frozen=True)
class TextIndex:
    """Fingerprints of listed texts, ready for look-up.

    Args:
        keys: uint64 (m,), ascending, repeats included.
        entries: int32 (m,): the listed text each belongs to, an index into the next two.
        places: int32 (m,): where in it.
        lengths: int32 (n,): characters of each listed text.
        counts: int32 (n,): fingerprints of each listed text.
        words: the filter over ``keys``, as :func:`key_filter` makes it.
        shift: the filter's shift.
    """

    keys: np.ndarray
    entries: np.ndarray
    places: np.ndarray
    lengths: np.ndarray
    counts: np.ndarray
    words: np.ndarray
    shift: np.uint64

    @classmethod
    def build(cls, keys: np.ndarray, entries: np.ndarray, places: np.ndarray, lengths: np.ndarray) -> "TextIndex":
        """Sort fingerprints (any order) into an index."""
        order = np.lexsort((entries, keys))
        counts = np.bincount(entries, minlength=len(lengths)).astype(np.int32)
        words, shift = key_filter(keys)
        return cls(keys[order], entries[order], places[order], lengths, counts, words, shift)

    @classmethod
    def of_texts(cls, folded: pa.Array | pa.ChunkedArray) -> "TextIndex":
        """Index folded texts; entry i is row i."""
        hashes, rows, places, lengths = fingerprints(folded)
        return cls.build(hashes, rows, places, lengths)


@nb.njit(nogil=True, cache=True)
def _gather(offsets, data, gram, index, max_entries):  # type: ignore[no-untyped-def]
    """Return (rows, entries, places in the entry, places in the post) of every fingerprint found, by row."""
    keys, entries, places, words, shift = index
    n_rows = len(offsets) - 1
    longest = 0
    for row in range(n_rows):
        longest = max(longest, offsets[row + 1] - offsets[row])
    hashes = np.empty(longest + 1, np.uint64)
    room = 1024
    out = np.empty((room, 4), np.int32)
    filled = 0
    for row in range(n_rows):
        if offsets[row + 1] - offsets[row] < gram:
            continue
        count = shingle_hashes(data, offsets[row], offsets[row + 1], gram, hashes)
        before = filled
        for k in range(count):
            key = hashes[k]
            if not passes(key, words, shift):
                continue
            at = first_at(keys, key)
            seen = 0
            most = max_entries if filled - before < _MANY_HITS else _FEW_ENTRIES
            while at < len(keys) and keys[at] == key and seen < most:
                if filled == room:
                    wider = np.empty((2 * room, 4), np.int32)
                    wider[:room] = out
                    out = wider
                    room *= 2
                out[filled, 0], out[filled, 1], out[filled, 2], out[filled, 3] = row, entries[at], places[at], k
                filled += 1
                seen += 1
                at += 1
    return out[:filled].copy()


@nb.njit(nogil=True, cache=True)
def _judge(hits, lengths, gram):  # type: ignore[no-untyped-def]
    """Judge each (row, entry) of ``hits`` (sorted by row, entry, place in the post).

    Returns a row each of (row, entry, distinct fingerprints, covered characters, first and last place in the
    post), for the stretch of the post, no longer than half as long again as the entry, that holds the most
    fingerprints.
    """
    out = np.empty((len(hits), 6), np.int32)
    longest = 0
    for k in range(len(hits)):
        longest = max(longest, lengths[hits[k, 1]])
    held = np.zeros(longest + 1, np.int32)  # how often each place of the entry is inside the stretch; zero between
    n = 0
    start = 0
    while start < len(hits):
        end = start
        while end < len(hits) and hits[end, 0] == hits[start, 0] and hits[end, 1] == hits[start, 1]:
            end += 1
        entry = hits[start, 1]
        reach = lengths[entry] + lengths[entry] // 2 + gram
        distinct = best = 0
        low = best_low = best_high = start
        for high in range(start, end):
            place = hits[high, 2]
            held[place] += 1
            distinct += held[place] == 1
            while hits[high, 3] - hits[low, 3] > reach:
                place = hits[low, 2]
                held[place] -= 1
                distinct -= held[place] == 0
                low += 1
            if distinct > best:
                best, best_low, best_high = distinct, low, high
        for k in range(low, end):
            held[hits[k, 2]] = 0
        places = hits[best_low : best_high + 1, 2].copy()
        places.sort()
        covered = reached = 0
        for place in places:
            covered += place + gram - max(reached, place) if place + gram > reached else 0
            reached = max(reached, place + gram)
        out[n, 0], out[n, 1], out[n, 2], out[n, 3] = hits[start, 0], entry, best, covered
        out[n, 4], out[n, 5] = hits[best_low, 3], hits[best_high, 3] + gram
        n += 1
        start = end
    return out[:n].copy()


def text_candidates(folded: pa.Array | pa.ChunkedArray, index: TextIndex) -> np.ndarray:
    """Return every (post, listed text) that share a fingerprint, int32 (m, 6).

    Columns: row, entry, distinct fingerprints found, characters of the listed text they cover, and from where to
    where in the folded post (in characters) they lie.
    """
    offsets, data = utf8_buffers(folded)
    tables = (index.keys, index.entries, index.places, index.words, index.shift)
    hits = _gather(offsets, data, GRAM_CHARS, tables, MAX_ENTRIES)
    if not len(hits):
        return np.empty((0, 6), np.int32)
    hits = hits[np.lexsort((hits[:, 3], hits[:, 1], hits[:, 0]))]
    return _judge(hits, index.lengths, GRAM_CHARS)


def text_matches(
    folded: pa.Array | pa.ChunkedArray, index: TextIndex, thresholds: TextThresholds | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the listed texts that posts hold.

    Returns:
        int32 (m, 6) as of :func:`text_candidates`, and similarity float32 (m,): the share of the listed text's
        fingerprints that the post holds.
    """
    limits = thresholds or TextThresholds()
    found = text_candidates(folded, index)
    share = (found[:, 2] / np.maximum(1, index.counts[found[:, 1]])).astype(np.float32)
    kept = (
        (found[:, 2] >= limits.fingerprints)
        & (share >= np.float32(limits.containment))
        & (found[:, 3] >= limits.covered_chars)
    )
    return found[kept], share[kept]

"""Texts as sparse vectors of weighted terms, and pairs of texts near in time that share rare ones.

The weight of a term falls with the number of texts that have it *around that time* (``window``), so that it depends
on what was published near a text and on nothing else: a new post changes only weights within a window of it.

Candidates: the rarest terms of a text are its keys. For each key the texts with that term that came just before
are counted, and the ones that share most key weight are compared. All limits go by time and key, so what is
compared depends on the set of texts alone, and its size grows with the number of texts, however alike they are.

Reference: Spärck Jones 1972, "A statistical interpretation of term specificity", J. Documentation 28 (weights);
Bayardo, Ma, Srikant 2007, "Scaling up all pairs similarity search", WWW, section 4 (rarest terms first).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba as nb
import numpy as np

from bastau.narratives.terms import Terms, find_term

_LOW = np.uint64(0xFFFFFFFF)
_CHUNKS = 32
_SCAN = 3
"""Across languages, times ``reach`` that texts are looked at before a key is given up: most are in the same language."""


@dataclass(frozen=True)
class Bounds:
    """What keeps finding candidates linear; other bounds can give other pairs.

    Args:
        keys: rarest terms of a text by which it is looked for.
        reach: texts before it, for each key, that are counted.
        compared: of those, how many are compared in full.
        common: a term in more than this share of the texts of a window (and in more than ``common_texts`` of them)
            weighs nothing: grammar, and what a channel writes under each of its posts.
        common_texts: see ``common``.
        mark_texts: a link or a picture in more texts of a window weighs nothing: an advert, or the channel's own page.
        mark_weight: what a link or a picture in both adds to the cosine of two texts.
        mark_repeats: nor does one that its source put into more tellings of a window: what it puts under everything.
    """

    keys: int = 10
    reach: int = 24
    compared: int = 12
    common: float = 0.01
    common_texts: int = 40
    mark_texts: int = 12
    mark_weight: float = 0.3
    mark_repeats: int = 2


@dataclass(frozen=True)
class Vectors:
    """Weighted terms: row i is ``hashes`` and ``weights`` [indptr[i]:indptr[i + 1]]; its words are of unit length.

    ``keys`` int64 (n, k): positions in ``postings`` of the rarest terms of each row, -1 for none. ``postings`` uint64,
    ascending: ``term << 32 | row``.
    """

    indptr: np.ndarray
    hashes: np.ndarray
    weights: np.ndarray
    postings: np.ndarray
    keys: np.ndarray


@nb.njit(nogil=True, cache=True)
def _fill_postings(indptr, hashes, postings):  # type: ignore[no-untyped-def]
    """Set ``postings`` (uint64) to ``term << 32 | row`` of every term, row by row."""
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            postings[k] = np.uint64(hashes[k]) << np.uint64(32) | np.uint64(row)


@nb.njit(nogil=True, cache=True)
def _texts_around(at, window, out):  # type: ignore[no-untyped-def]
    """Set ``out[i]`` to how many of the ascending times ``at`` lie within ``window`` of ``at[i]``."""
    low = high = 0
    for i in range(len(at)):
        while at[low] < at[i] - window:
            low += 1
        while high < len(at) and at[high] <= at[i] + window:
            high += 1
        out[i] = high - low


@nb.njit(nogil=True, cache=True)
def _weigh(  # type: ignore[no-untyped-def]
    postings,
    indptr,
    hashes,
    counts,
    at,
    source,
    around,
    window,
    common,
    common_texts,
    mark_texts,
    mark_repeats,
    weights,
    places,
):
    """Set the weight of every term of every row, -1 for links and pictures, and where in ``postings`` a term may be a key."""
    start = 0
    while start < len(postings):
        term = postings[start] >> np.uint64(32)
        end = start + 1
        while end < len(postings) and postings[end] >> np.uint64(32) == term:
            end += 1
        low = high = start
        for p in range(start, end):
            row = np.int64(postings[p] & _LOW)
            while at[postings[low] & _LOW] < at[row] - window:
                low += 1
            while high < end and at[postings[high] & _LOW] <= at[row] + window:
                high += 1
            n = high - low
            is_mark = term & np.uint64(1) == 1
            if is_mark and (n < 2 or n > mark_texts or _own(postings, low, high, source, row) > mark_repeats):
                continue
            if not is_mark and n > max(common * around[row], common_texts):
                continue
            i = find_term(hashes, indptr[row], indptr[row + 1], term)
            weights[i] = -1.0 if is_mark else np.log(1.0 + around[row] / n) * (1.0 + np.log(counts[i]))
            if n > 1:
                places[i] = p
        start = end


@nb.njit(nogil=True, cache=True)
def _choose_keys(indptr, around, places, mark_weight, weights, keys):  # type: ignore[no-untyped-def]
    """Set the rarest terms of each row, and give its words unit length; links and pictures come before all words."""
    n_keys = keys.shape[1]
    held = np.empty(n_keys, np.float32)
    for row in range(len(indptr) - 1):
        held[:] = 0.0
        square = 0.0
        for i in range(indptr[row], indptr[row + 1]):
            square += max(weights[i], 0.0) ** 2
            if places[i] < 0:
                continue
            weight = weights[i] if weights[i] >= 0.0 else np.float32(2.0 * np.log(1.0 + around[row]))
            lightest = 0
            for k in range(1, n_keys):
                if held[k] < held[lightest]:
                    lightest = k
            if weight > held[lightest]:
                held[lightest], keys[row, lightest] = weight, places[i]
        scale = np.float32(1.0 / np.sqrt(square)) if square > 0.0 else np.float32(0.0)
        for i in range(indptr[row], indptr[row + 1]):
            weights[i] = weights[i] * scale if weights[i] >= 0.0 else mark_weight


@nb.njit(nogil=True, cache=True)
def _own(postings, low, high, source, row):  # type: ignore[no-untyped-def]
    """Return how many of ``postings[low:high]`` are of the source of ``row``."""
    n = 0
    for p in range(low, high):
        n += source[postings[p] & _LOW] == source[row]
    return n


def look_around(terms: Terms, at: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (terms and rows packed, ascending, uint64; texts within ``window`` of each row, int64 (n,))."""
    postings = np.empty(len(terms.hashes), np.uint64)
    _fill_postings(terms.indptr, terms.hashes, postings)
    postings.sort()
    around = np.empty(len(at), np.int64)
    _texts_around(at, window, around)
    return postings, around


def weigh(terms: Terms, at: np.ndarray, source: np.ndarray, *, window: int, bounds: Bounds) -> Vectors:
    """Return the vectors of texts whose times ``at`` (int64 (n,), any unit) ascend; ``window`` in the same unit.

    ``source`` int64 (n,): equal for texts of one source.
    """
    n = len(at)
    postings, around = look_around(terms, at, window)
    weights = np.zeros(len(terms.hashes), np.float32)
    places = np.full(len(terms.hashes), -1, np.int64)
    _weigh(
        postings,
        terms.indptr,
        terms.hashes,
        terms.counts,
        at,
        source,
        around,
        window,
        bounds.common,
        bounds.common_texts,
        bounds.mark_texts,
        bounds.mark_repeats,
        weights,
        places,
    )
    keys = np.full((n, bounds.keys), -1, np.int64)
    _choose_keys(terms.indptr, around, places, np.float32(np.sqrt(bounds.mark_weight)), weights, keys)
    return Vectors(terms.indptr, terms.hashes, weights, postings, keys)


@nb.njit(nogil=True, cache=True)
def cosine(indptr, hashes, weights, a, b):  # type: ignore[no-untyped-def]
    """Return the cosine of the words of two rows, and more for links and pictures that both have."""
    i, i_end, j, j_end = indptr[a], indptr[a + 1], indptr[b], indptr[b + 1]
    total = np.float32(0.0)
    while i < i_end and j < j_end:
        x, y = hashes[i], hashes[j]
        if x == y:
            total += weights[i] * weights[j]
        i += x <= y
        j += y <= x
    return total


@nb.njit(nogil=True, cache=True)
def compare(indptr, hashes, weights, a, b):  # type: ignore[no-untyped-def]
    """Return :func:`cosine`, and how many words both have that weigh something; a link or a picture counts as two."""
    i, i_end, j, j_end = indptr[a], indptr[a + 1], indptr[b], indptr[b + 1]
    total = np.float32(0.0)
    shared = 0
    while i < i_end and j < j_end:
        x, y = hashes[i], hashes[j]
        if x == y:
            total += weights[i] * weights[j]
            if weights[i] > 0.0 and weights[j] > 0.0:
                shared += 2 if x & np.uint32(1) else 1
        i += x <= y
        j += y <= x
    return total, shared


@nb.njit(nogil=True, cache=True)
def contained(indptr, hashes, a, b):  # type: ignore[no-untyped-def]
    """Return the share of the pairs of words of the shorter text that the other has too."""
    i, i_end, j, j_end = indptr[a], indptr[a + 1], indptr[b], indptr[b + 1]
    least = min(i_end - i, j_end - j)
    if least == 0:
        return 0.0
    shared = 0
    while i < i_end and j < j_end:
        x, y = hashes[i], hashes[j]
        shared += x == y
        i += x <= y
        j += y <= x
    return shared / least


@nb.njit(nogil=True, cache=True)
def _candidates(  # type: ignore[no-untyped-def]
    first, last, indptr, hashes, weights, postings, keys, at, language, across, window, reach, compared, least
):
    """Return (later row, earlier row, cosine) of the pairs of rows first .. last - 1 with earlier ones.

    ``across``: only pairs in two known languages.
    """
    n_keys = keys.shape[1]
    met = np.empty(n_keys * reach, np.int64)
    best = np.empty(compared, np.int64)
    best_score = np.empty(compared, np.int64)
    out_a, out_b, out_v = np.empty(1024, np.int32), np.empty(1024, np.int32), np.empty(1024, np.float32)
    n = 0
    for row in range(first, last):
        n_met = 0
        for k in range(n_keys):
            p = keys[row, k]
            if p < 0:
                continue
            term = postings[p] >> np.uint64(32)
            if across and language[row] == 0:
                break
            n_here = 0
            for q in range(p - 1, max(-1, p - 1 - (_SCAN * reach if across else reach)), -1):
                other = np.int64(postings[q] & _LOW)
                if postings[q] >> np.uint64(32) != term or at[other] < at[row] - window or n_here == reach:
                    break
                if across and (language[other] == 0 or language[other] == language[row]):
                    continue
                met[n_met] = other
                n_met += 1
                n_here += 1
        if n_met == 0:
            continue
        met[:n_met].sort()
        n_best = 0
        k = n_met - 1
        while k >= 0:  # the latest first: among equals the nearest in time are compared
            other = met[k]
            count = 0
            while k >= 0 and met[k] == other:
                count += 1
                k -= 1
            if n_best < compared:
                best[n_best], best_score[n_best] = other, count
                n_best += 1
                continue
            worst = 0
            for m in range(1, compared):
                if best_score[m] <= best_score[worst]:
                    worst = m
            if count > best_score[worst]:
                best[worst], best_score[worst] = other, count
        for m in range(n_best):
            value = cosine(indptr, hashes, weights, row, best[m])
            if value < least:
                continue
            if n == len(out_a):
                more = 2 * n
                grown_a, grown_b, grown_v = (
                    np.empty(more, np.int32),
                    np.empty(more, np.int32),
                    np.empty(more, np.float32),
                )
                grown_a[:n], grown_b[:n], grown_v[:n] = out_a, out_b, out_v
                out_a, out_b, out_v = grown_a, grown_b, grown_v
            out_a[n], out_b[n], out_v[n] = row, best[m], value
            n += 1
    return out_a[:n], out_b[:n], out_v[:n]


def like_pairs(
    vectors: Vectors,
    at: np.ndarray,
    language: np.ndarray,
    pool: ThreadPoolExecutor,
    *,
    across: bool,
    window: int,
    least: float,
    bounds: Bounds,
    first: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs of texts within ``window`` whose cosine is at least ``least``.

    Args:
        vectors: of the texts, in order of time.
        at: their times, ascending.
        language: int16 (n,), equal for equal languages, 0 for unknown ones.
        pool: threads.
        across: look only at pairs in two known languages.
        window, least: see above.
        bounds: on the work.
        first: earlier rows are not looked at as the later text of a pair.

    Returns:
        later row and earlier row (int32) and cosine (float32), by later row.
    """
    steps = np.linspace(first, len(at), _CHUNKS + 1).astype(np.int64)
    work = (vectors.indptr, vectors.hashes, vectors.weights, vectors.postings, vectors.keys, at, language, across)
    parts = list(
        pool.map(
            lambda k: _candidates(
                steps[k], steps[k + 1], *work, window, bounds.reach, bounds.compared, np.float32(least)
            ),
            range(_CHUNKS),
        )
    )
    later, earlier, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return later, earlier, values

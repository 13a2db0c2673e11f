"""Themes over stories: the same claim made of different events, in other words or another language, at any time.

A theme is a group of stories; a story is known by the words of its first telling, as what they stand for in any language
(:mod:`meanings`). Stories come in the order of time, and each joins the theme to whose middle, the sum of its members' vectors,
its cosine is largest, if that is at least ``Likeness.needed`` and larger than its cosine to the middle of all stories so far by
``Likeness.beyond``; else it begins one. The middle of many stories is short, so a story needs less in common with each of many than
with one; and a theme that has become as broad as everything takes nothing more.

Nothing is ever moved: an id stays. What a story joins depends on earlier ones, and on the rarity of words a window around it.
So the answer for many posts is that for the same posts in pieces; what is kept between runs are the middles as they were
``SETTLED_DAYS`` before the latest story, and a run goes on from there. Only a post that comes later than that, less two windows (some
four days), makes all anew.

Reference: Rocchio 1971, "Relevance feedback in information retrieval" (middles); Miranda et al. 2018, "Multilingual clustering of
streaming news", EMNLP, section 3 (groups as they come).
"""

import itertools
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.errors import ContractError
from bastau.narratives.likeness import look_around
from bastau.narratives.meanings import find_meanings
from bastau.narratives.terms import Terms, find_term, stack
from bastau.schemas import THEME_MEMBERS

_log = logging.getLogger(__name__)

WINDOW_DAYS = 5
"""Days before and after a story in which the rarity of its words is counted."""
SETTLED_DAYS = 14
"""A post may come so late, less two windows, without everything being made anew."""
_DAY = 86_400_000_000
_LOW = np.uint64(0xFFFFFFFF)

Fetch = Callable[[np.ndarray], Iterable[pa.Table]]
"""post_keys int64 (n,), distinct -> tables with at least (post_key, folded), any order."""

STATE_THEMES = pa.schema(
    [
        pa.field("theme_key", pa.int64(), nullable=False),
        pa.field("n_stories", pa.int32(), nullable=False),
        pa.field("last_at", pa.int64(), nullable=False),
        pa.field("terms", pa.list_(pa.uint32()), nullable=False),
        pa.field("sums", pa.list_(pa.float32()), nullable=False),
    ],
    metadata={"doc": "middles of themes as of SETTLED_DAYS before the latest story"},
)
STATE_THEME_TERMS = pa.schema(
    [
        pa.field("term", pa.uint32(), nullable=False),
        pa.field(
            "themes", pa.list_(pa.int32()), nullable=False, metadata={"doc": "rows of state_themes, -1: forgotten"}
        ),
        pa.field("sum", pa.float64(), nullable=False, metadata={"doc": "its weight in the middle of all stories"}),
    ]
)


@dataclass(frozen=True)
class Likeness:
    """When a story joins a theme.

    Args:
        needed: cosine to the middle of a theme.
        alone: the same where the theme is one story: two say less than many.
        beyond: times its cosine to the middle of all stories so far, by which the cosine must be larger.
        begin: stories from which on that counts fully; before, all there was may be one theme.
        shared: words that it must share with the theme.
        words: a story of fewer different words that mean something is in no theme.
        lone_days: a story that none has joined is forgotten after so many days; a theme of two is not.
    """

    needed: float = 0.1
    alone: float = 0.2
    beyond: float = 1.2
    begin: float = 50.0
    shared: int = 2
    words: int = 4
    lone_days: float = 30.0


@dataclass(frozen=True)
class Reach:
    """What keeps the work linear; other limits can give other themes.

    Args:
        keys: rarest words of a story by which themes are looked for.
        themes: latest themes with a word that are looked at.
        compared: of those, how many are compared in full: the ones that share most.
        middle: heaviest words that a middle keeps when it has come to twice as many.
    """

    keys: int = 24
    themes: int = 16
    compared: int = 16
    middle: int = 512


@dataclass(frozen=True)
class Stories:
    """Stories by time, then key (microseconds): ``post`` is the one whose words stand for it."""

    key: np.ndarray
    at: np.ndarray
    post: np.ndarray


@dataclass(frozen=True)
class State:
    """What is kept between runs.

    Attributes:
        themes: middles (STATE_THEMES).
        terms: where words were last met, and the middle of all stories (STATE_THEME_TERMS).
        n_stories: after how many stories.
        square: squared length of the middle of all stories.
    """

    themes: pa.Table
    terms: pa.Table
    n_stories: int
    square: float


@dataclass(frozen=True)
class Themes:
    """``theme`` int64 (n,): key of the first story of the theme of each story; ``fit`` float32 (n,): cosine when it joined."""

    theme: np.ndarray
    fit: np.ndarray
    state: State


def theme_members(stories: Stories, themes: Themes) -> pa.Table:
    """Return THEME_MEMBERS: the stories in themes of two or more, by time and key."""
    _, number, counts = np.unique(themes.theme, return_inverse=True, return_counts=True)
    some = counts[number] > 1
    return pa.Table.from_arrays(
        [pa.array(column[some]) for column in (stories.key, themes.theme, themes.fit)], schema=THEME_MEMBERS
    )


def restore_themes(stories: Stories, members: pa.Table, state: State) -> Themes:
    """Return the answer for ``stories`` from what was stored of it."""
    theme, fit = stories.key.copy(), np.ones(len(stories.key), np.float32)
    order = np.argsort(stories.key)
    rows = order[np.searchsorted(stories.key[order], members.column("story_key").to_numpy())]
    theme[rows], fit[rows] = members.column("theme_key").to_numpy(), members.column("score").to_numpy()
    return Themes(theme, fit, state)


def themes_made_by() -> list[Any]:
    """Return all that the answer depends on beside the stories, which :func:`bastau.narratives.stories.told_by` tells of."""
    return [WINDOW_DAYS, SETTLED_DAYS, asdict(Likeness()), asdict(Reach())]


def find_stories(tellings: pa.Table) -> Stories:
    """Return the stories of TELLINGS, those of one telling too."""
    first = tellings.filter(
        np.equal(tellings.column("telling_key").to_numpy(), tellings.column("story_key").to_numpy())
    )
    key, post = (first.column(name).to_numpy() for name in ("telling_key", "text_post_key"))
    return Stories(key, first.column("first_seen_at").cast(pa.int64()).to_numpy(), post)


def gather_themes(
    stories: Stories,
    fetch: Fetch,
    *,
    before: tuple[Stories, Themes] | None = None,
    threads: int = 2,
    window_days: float = WINDOW_DAYS,
    likeness: Likeness | None = None,
    reach: Reach | None = None,
) -> Themes:
    """Return the theme of each story.

    Args:
        stories: all there are.
        fetch: brings the texts.
        before: the stories and the answer of the last run, made with the same settings.
        threads: for reading.
        window_days, likeness, reach: see above.
    """
    likeness, reach = likeness or Likeness(), reach or Reach()
    n = len(stories.key)
    window = int(window_days * _DAY)
    start, held = 0, None
    if before is not None:
        known, answer = before
        if answer.state.n_stories <= _first_changed(known, stories, window):
            start, held = answer.state.n_stories, answer
    low = int(np.searchsorted(stories.at, stories.at[start] - window)) if start < n else n
    terms = _read(stories.post[low:], fetch, threads)
    weights, keys = weigh_meanings(terms, stories.at[low:], window, reach.keys)
    settled = int(np.searchsorted(stories.at, stories.at[-1] - SETTLED_DAYS * _DAY)) if n else 0
    pool = _Pool.restore(held.state if held else None, terms, reach)
    theme, fit = np.empty(n, np.int64), np.ones(n, np.float32)
    if held is not None and before is not None:
        theme[:start], fit[:start] = held.theme[:start], held.fit[:start]
    settled = max(settled, start)
    pool.add(stories, terms, weights, keys, low, start, settled, likeness, reach, theme, fit)
    state = pool.keep(settled, stories.at[settled - 1] if settled else 0, likeness)
    pool.add(stories, terms, weights, keys, low, settled, n, likeness, reach, theme, fit)
    _log.info("themes: %d of %d stories anew, %d read", n - start, n, n - low)
    return Themes(theme, fit, state)


def _first_changed(known: Stories, now: Stories, window: int) -> int:
    """Return the row of ``now`` before which stories and the weights of their words are those of ``known``."""
    n = min(len(known.key), len(now.key))
    same = (known.key[:n] == now.key[:n]) & (known.at[:n] == now.at[:n]) & (known.post[:n] == now.post[:n])
    row = n if same.all() else int(np.argmin(same))
    times = [table.at[row] for table in (known, now) if row < len(table.at)]
    return int(np.searchsorted(now.at[:row], min(times) - window)) if times else row


def _read(wanted: np.ndarray, fetch: Fetch, threads: int) -> Terms:
    """Return what the texts of ``wanted`` are about, in that order."""
    with ThreadPoolExecutor(threads) as pool:
        pending = [
            pool.submit(lambda some: (some.column("post_key").to_numpy(), find_meanings(some.column("folded"))), some)
            for some in (fetch(wanted) if len(wanted) else ())
        ]
        parts = [part.result() for part in pending]
    keys = np.concatenate([np.empty(0, np.int64), *(post for post, _ in parts)])
    came = np.argsort(keys)
    if not np.array_equal(keys[came], np.sort(wanted)):
        raise ContractError(f"{len(wanted)} posts were asked for, {len(keys)} came")
    return stack([terms for _, terms in parts], came[np.searchsorted(keys[came], wanted)])


# ---- weights ---------------------------------------------------------------------------------------------


@nb.njit(nogil=True, cache=True)
def _weigh(postings, indptr, hashes, counts, at, around, window, weights):  # type: ignore[no-untyped-def]
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
            i = find_term(hashes, indptr[row], indptr[row + 1], term)
            rarity = 1.0 + np.log((1.0 + around[row]) / (1.0 + high - low))
            weights[i] = rarity * (1.0 + np.log(counts[i]))
        start = end


@nb.njit(nogil=True, cache=True)
def _scale(indptr, weights, keys):  # type: ignore[no-untyped-def]
    """Give each row unit length and set the positions of its heaviest words, heaviest first."""
    n_keys = keys.shape[1]
    for row in range(len(indptr) - 1):
        start, end = indptr[row], indptr[row + 1]
        square = 0.0
        n = 0
        for i in range(start, end):
            square += weights[i] ** 2
            # Insertion; among equals the smaller hash, which comes first, stays before.
            if n < n_keys or weights[i] > weights[keys[row, n_keys - 1]]:
                k = min(n, n_keys - 1)
                while k > 0 and weights[keys[row, k - 1]] < weights[i]:
                    keys[row, k] = keys[row, k - 1]
                    k -= 1
                keys[row, k] = i
                n = min(n + 1, n_keys)
        scale = np.float32(1.0 / np.sqrt(square)) if square > 0.0 else np.float32(0.0)
        for i in range(start, end):
            weights[i] *= scale


def weigh_meanings(terms: Terms, at: np.ndarray, window: int, n_keys: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of each term, rows of unit length, and the positions of the heaviest of each row, int64 (n, n_keys), -1: none."""
    n = len(at)
    postings, around = look_around(terms, at, window)
    weights = np.zeros(len(terms.hashes), np.float32)
    _weigh(postings, terms.indptr, terms.hashes, terms.counts, at, around, window, weights)
    keys = np.full((n, n_keys), -1, np.int64)
    _scale(terms.indptr, weights, keys)
    return weights, keys


# ---- joining ---------------------------------------------------------------------------------------------


@nb.njit(nogil=True, cache=True)
def _fit(hashes, weights, first, end, pool_terms, pool_sums, begin, size):  # type: ignore[no-untyped-def]
    """Return the dot product with a middle and how many words are in both."""
    dot = 0.0
    shared = 0
    low, stop = begin, begin + size
    for i in range(first, end):
        # A story is short and a middle long: look each word up behind the one before it.
        low = find_term(pool_terms, low, stop, hashes[i])
        if low == stop:
            break
        if pool_terms[low] == hashes[i]:
            dot += weights[i] * pool_sums[low]
            shared += 1
    return dot, shared


@nb.njit(nogil=True, cache=True)
def _put(hashes, weights, first, end, pool_terms, pool_sums, begin, size, most, out_terms, out_sums):  # type: ignore[no-untyped-def]
    """Write the middle with the words of a row added to ``out_*``; return its size.

    When it has more than twice ``most`` words, the ``most`` heaviest stay.
    """
    n = 0
    i, j, j_end = first, begin, begin + size
    while i < end or j < j_end:
        if j >= j_end or (i < end and hashes[i] < pool_terms[j]):
            out_terms[n], out_sums[n] = hashes[i], weights[i]
            i += 1
        elif i >= end or pool_terms[j] < hashes[i]:
            out_terms[n], out_sums[n] = pool_terms[j], pool_sums[j]
            j += 1
        else:
            out_terms[n], out_sums[n] = hashes[i], weights[i] + pool_sums[j]
            i += 1
            j += 1
        n += 1
    if n <= 2 * most:  # lightening it each time would cost more than the words do
        return n
    least = np.sort(out_sums[:n])[n - most]
    spare = most - np.sum(out_sums[:n] > least)
    kept = 0
    for k in range(n):
        if out_sums[k] > least or (out_sums[k] == least and spare > 0):
            spare -= out_sums[k] == least
            out_terms[kept], out_sums[kept] = out_terms[k], out_sums[k]
            kept += 1
    return kept


@nb.njit(nogil=True, cache=True)
def _touch(ring, theme):  # type: ignore[no-untyped-def]
    """Bring ``theme`` to the front of the latest themes with a word."""
    before = theme
    for k in range(len(ring)):
        held = ring[k]
        ring[k] = before
        if held in (theme, -2):
            return
        before = held


@nb.njit(nogil=True, cache=True)
def _grow(values, n, room):  # type: ignore[no-untyped-def]
    if n + room <= len(values):
        return values
    grown = np.zeros(max(2 * len(values), n + room), values.dtype)
    grown[:n] = values[:n]
    return grown


@nb.njit(nogil=True, cache=True)
def _add(  # type: ignore[no-untyped-def]
    first_row, last_row, low, at, indptr, hashes, weights, keys, slots, rings, everything,
    pool_terms, pool_sums, used, begin, size, room, square, n_members, last_at, first_of, n_themes,
    needed, alone, beyond, begin_at, least_shared, least_words, lone, compared, most, theme_of, fit,
):  # fmt: skip
    n_keys, reach = keys.shape[1], rings.shape[1]
    met = np.empty(n_keys * reach, np.int64)
    gain = np.empty(n_keys * reach, np.float32)
    met_by, met_as = np.full(len(begin) + 1, -1, np.int64), np.zeros(len(begin) + 1, np.int32)
    out_terms, out_sums = np.empty(2 * most + 1024, np.uint32), np.empty(2 * most + 1024, np.float32)
    for row in range(first_row, last_row):
        local = row - low
        start, end = indptr[local], indptr[local + 1]
        n_met = 0
        # A text of few words is like everything that has one of them.
        for k in range(n_keys if end - start >= least_words else 0):
            p = keys[local, k]
            if p < 0:
                break
            ring = rings[slots[p]]
            for m in range(reach):
                theme = ring[m]
                if theme == -2:
                    break
                if theme < 0 or (n_members[theme] == 1 and at[row] - last_at[theme] > lone):
                    continue
                if met_by[theme] != row:
                    met_by[theme], met_as[theme] = row, n_met
                    met[n_met], gain[n_met] = theme, 0.0
                    n_met += 1
                gain[met_as[theme]] += weights[p]
        common = 0.0
        for i in range(start, end):
            common += weights[i] * everything[slots[i]]
        least = max(needed, beyond * common / np.sqrt(max(everything[-1], 1e-12)) * row / (row + begin_at))
        best, best_value = -1, 0.0
        for _ in range(min(compared, n_met)):
            top = 0
            for q in range(1, n_met):
                if gain[q] > gain[top] or (gain[q] == gain[top] and met[q] < met[top]):
                    top = q
            theme = met[top]
            gain[top] = -1.0
            dot, shared = _fit(hashes, weights, start, end, pool_terms, pool_sums, begin[theme], size[theme])
            value = dot / np.sqrt(square[theme])
            if (
                value >= (least if n_members[theme] > 1 else max(least, alone))
                and shared >= least_shared
                and (best < 0 or value > best_value or (value == best_value and theme < best))
            ):
                best, best_value = theme, value
        if best < 0:
            best = n_themes
            n_themes += 1
            begin, size, room = _grow(begin, best, 1), _grow(size, best, 1), _grow(room, best, 1)
            square, n_members = _grow(square, best, 1), _grow(n_members, best, 1)
            last_at, first_of = _grow(last_at, best, 1), _grow(first_of, best, 1)
            met_by, met_as = _grow(met_by, best, 1), _grow(met_as, best, 1)
            met_by[best] = -1
            begin[best], size[best], room[best] = used, 0, 0
            n_members[best], first_of[best] = 0, row
        else:
            fit[row] = best_value
        n = _put(hashes, weights, start, end, pool_terms, pool_sums, begin[best], size[best], most, out_terms, out_sums)
        if n > room[best]:
            # A theme of one takes what it needs; one that grows gets twice as much.
            room[best] = n if n_members[best] == 0 else 2 * n
            pool_terms, pool_sums = _grow(pool_terms, used, room[best]), _grow(pool_sums, used, room[best])
            begin[best] = used
            used += room[best]
        total = 0.0
        for k in range(n):
            pool_terms[begin[best] + k], pool_sums[begin[best] + k] = out_terms[k], out_sums[k]
            total += np.float64(out_sums[k]) ** 2
        size[best], square[best] = n, max(total, 1e-12)
        n_members[best] += 1
        last_at[best] = at[row]
        theme_of[row] = best
        for i in range(start, end):
            held, more = everything[slots[i]], np.float64(weights[i])
            everything[-1] += 2.0 * held * more + more * more
            everything[slots[i]] = held + more
        for k in range(n_keys if end - start >= least_words else 0):
            if keys[local, k] < 0:
                break
            _touch(rings[slots[keys[local, k]]], best)
    return pool_terms, pool_sums, used, begin, size, room, square, n_members, last_at, first_of, n_themes


class _Pool:
    """Middles of themes, the latest themes with each word, and the middle of all stories, its squared length last."""

    def __init__(
        self,
        names: np.ndarray,
        rings: np.ndarray,
        everything: np.ndarray,
        columns: tuple[Any, ...],
        keys: np.ndarray,
        most: int,
    ):
        self.names, self.rings, self.everything, self.most = names, rings, everything, most
        self.columns, self.keys = columns, keys

    @classmethod
    def restore(cls, state: State | None, terms: Terms, reach: Reach) -> "_Pool":
        names = np.unique(terms.hashes)
        themes, met = (STATE_THEMES.empty_table(), STATE_THEME_TERMS.empty_table())
        if state is not None:
            themes, met = state.themes, state.terms
            names = np.union1d(names, met.column("term").to_numpy())
        rings = np.full((len(names), reach.themes), -2, np.int32)
        everything = np.zeros(len(names) + 1, np.float64)
        everything[np.searchsorted(names, met.column("term").to_numpy())] = met.column("sum").to_numpy()
        everything[-1] = 0.0 if state is None else state.square
        held = met.column("themes").combine_chunks()
        counts = np.diff(held.offsets.to_numpy())
        at = np.repeat(np.searchsorted(names, met.column("term").to_numpy()), counts)
        rings[at, np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)] = held.flatten().to_numpy()
        lists = themes.column("terms").combine_chunks()
        begin = lists.offsets.to_numpy().astype(np.int64)
        pool_terms = lists.flatten().to_numpy().copy()
        pool_sums = themes.column("sums").combine_chunks().flatten().to_numpy().copy()
        square = np.maximum(np.array([_square(pool_sums[a:b]) for a, b in itertools.pairwise(begin)]), 1e-12)
        n = themes.num_rows
        columns = (
            pool_terms, pool_sums, len(pool_terms), begin[:-1].copy(), np.diff(begin), np.diff(begin),
            square.astype(np.float64), themes.column("n_stories").to_numpy().astype(np.int64),
            themes.column("last_at").to_numpy().copy(), np.full(n, -1, np.int64), n,
        )  # fmt: skip
        return cls(names, rings, everything, columns, themes.column("theme_key").to_numpy().copy(), reach.middle)

    def add(
        self,
        stories: Stories,
        terms: Terms,
        weights: np.ndarray,
        keys: np.ndarray,
        low: int,
        first: int,
        last: int,
        likeness: Likeness,
        reach: Reach,
        theme: np.ndarray,
        fit: np.ndarray,
    ) -> None:
        """Let the stories ``first`` .. ``last - 1`` join, and set their themes."""
        if first >= last:
            return
        slots = np.searchsorted(self.names, terms.hashes).astype(np.int32)
        number = np.empty(len(stories.at), np.int64)
        self.columns = _add(
            first, last, low, stories.at, terms.indptr, terms.hashes, weights, keys, slots, self.rings, self.everything,
            *self.columns,
            likeness.needed, likeness.alone, likeness.beyond, likeness.begin, likeness.shared, likeness.words,
            int(likeness.lone_days * _DAY), reach.compared, self.most, number, fit,
        )  # fmt: skip
        first_of, n_themes = self.columns[9], self.columns[10]
        began = stories.key[first_of[len(self.keys) : n_themes]]
        self.keys = np.concatenate([self.keys, began])
        theme[first:last] = self.keys[number[first:last]]

    def keep(self, n_stories: int, now: int, likeness: Likeness) -> State:
        """Return what a later run needs; stories that none has joined in time are forgotten."""
        pool_terms, pool_sums, _, begin, size, _, _, n_members, last_at, _, n = self.columns
        alive = (n_members[:n] > 1) | (now - last_at[:n] <= int(likeness.lone_days * _DAY))
        kept = np.flatnonzero(alive)
        number = np.full(n + 2, -1, np.int32)  # the last two: of -2 and of -1
        number[kept], number[-2] = np.arange(len(kept)), -2
        sizes = size[:n][kept]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        where = np.repeat(begin[:n][kept] - offsets[:-1], sizes) + np.arange(offsets[-1])
        lists = [
            pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values[where]))
            for values in (pool_terms, pool_sums)
        ]
        themes = pa.Table.from_arrays(
            [pa.array(self.keys[kept]), pa.array(n_members[:n][kept], pa.int32()), pa.array(last_at[:n][kept]), *lists],
            schema=STATE_THEMES,
        )
        rings = number[self.rings]
        used = rings != -2
        some = np.flatnonzero(self.everything[:-1] > 0.0)
        counts = used[some].sum(axis=1)
        ends = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
        met = pa.Table.from_arrays(
            [
                pa.array(self.names[some]),
                pa.ListArray.from_arrays(ends, pa.array(rings[some][used[some]])),
                pa.array(self.everything[:-1][some]),
            ],
            schema=STATE_THEME_TERMS,
        )
        return State(themes, met, n_stories, float(self.everything[-1]))


@nb.njit(nogil=True, cache=True)
def _square(sums):  # type: ignore[no-untyped-def]
    total = 0.0
    for value in sums:
        total += np.float64(value) ** 2
    return total

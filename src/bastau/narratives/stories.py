"""Stories over narratives: what tells of the same event or makes the same claim, in other words or another language.

A *telling* is a narrative, or a post that is in none; it is known by the words, links and pictures of its first post
with a text, and by the time of its first post. Tellings are joined to stories in the order of time (:mod:`joining`).
Everything about a telling depends on tellings at most ``WINDOW_DAYS`` away, so that new posts change stories from
a window before the earliest of them on, and two windows more are read: a day's work on a stream reads sixteen days,
never the whole past. docs/decisions/0018-stories.md says what it costs and why the answer is that of doing all at once.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau import lexicon
from bastau.errors import ContractError
from bastau.hashing import hash_strings
from bastau.narratives.joining import Fit, Texts, join
from bastau.narratives.likeness import Bounds, like_pairs, weigh
from bastau.narratives.meanings import find_meanings
from bastau.narratives.terms import Terms, find_terms, stack, with_marks
from bastau.schemas import TELLINGS, TIME

_log = logging.getLogger(__name__)

WINDOW_DAYS = 5
_HOUR = 3_600_000_000
_LEAST = 0.2
"""Cosine of words from which two tellings are looked at."""
_LEAST_ACROSS = 0.1
"""The same for meanings."""

Fetch = Callable[[np.ndarray], Iterable[pa.Table]]
"""post_keys int64 (n,), distinct -> tables (post_key, folded, detected_language, source, url_keys, media), any order.

``media`` lists the SHA-256 of pictures; ``url_keys`` and ``media`` may be null.
"""


def told_by() -> list[Any]:
    """Return all that the answer depends on beside the tellings."""
    dictionary = hashlib.blake2b(lexicon.content(), digest_size=8).hexdigest()
    return [WINDOW_DAYS, _LEAST, _LEAST_ACROSS, asdict(Fit()), asdict(Bounds()), dictionary]


@dataclass(frozen=True)
class Tellings:
    """Narratives and lone posts that have a text, by ``first_seen_at`` (microseconds), then key.

    ``post`` is the earliest post with a text, whose words stand for the telling.
    """

    key: np.ndarray
    at: np.ndarray
    post: np.ndarray


def find_tellings(members: pa.Table, posts: pa.Table) -> Tellings:
    """Return the tellings of ``members`` (MEMBERS); ``posts`` (post_key, published_at) has the same posts in the same order."""
    post = members.column("post_key").to_numpy()
    at = posts.column("published_at").cast(pa.int64()).to_numpy()
    key = pc.coalesce(members.column("narrative_key"), members.column("post_key")).to_numpy()
    has_text = pc.is_valid(members.column("text_key")).to_numpy()
    # Earliest first within a telling; posts without a text do not stand for it, but date it.
    order = np.lexsort((post, at, key))
    key, at, post, has_text = key[order], at[order], post[order], has_text[order]
    begins = np.concatenate([[True], key[1:] != key[:-1]]) if len(key) else np.zeros(0, bool)
    first_at = at[begins]
    number = np.cumsum(begins) - 1
    with_text = np.flatnonzero(has_text)
    _, first = np.unique(number[with_text], return_index=True)
    first = with_text[first]
    found_at, found_key = first_at[number[first]], key[first]
    order = np.lexsort((found_key, found_at))
    return Tellings(found_key[order], found_at[order], post[first][order])


def tell(
    previous: pa.Table | None,
    tellings: Tellings,
    fetch: Fetch,
    *,
    threads: int = 2,
    window_days: float = WINDOW_DAYS,
    fit: Fit | None = None,
    bounds: Bounds | None = None,
) -> pa.Table:
    """Return TELLINGS: the story and the wording of each telling, by time and key.

    Args:
        previous: the answer for the tellings so far, made with the same settings; None for the first time.
        tellings: all there are now.
        fetch: brings what has to be read.
        threads: for comparing; the answer does not depend on it.
        window_days: how far apart in time two tellings of one story may be.
        fit, bounds: when tellings join, and limits on the work.
    """
    fit, bounds = fit or Fit(), bounds or Bounds()
    window = int(window_days * 24 * _HOUR)
    n = len(tellings.key)
    known = None if previous is None else _Known.from_table(previous)
    kept = 0 if known is None else _first_changed(known, tellings, window)
    if known is not None and kept == n == len(known.key):
        assert previous is not None
        return previous
    low = int(np.searchsorted(tellings.at, tellings.at[kept] - 2 * window)) if kept < n else n
    with ThreadPoolExecutor(threads) as pool:
        texts = _read(tellings, low, fetch, pool, window, bounds)
        found = [
            like_pairs(
                vectors, texts.at, texts.language, pool,
                across=across, window=window, least=least, bounds=bounds, first=kept - low,
            )
            for vectors, across, least in ((texts.words, False, _LEAST), (texts.meanings, True, _LEAST_ACROSS))
        ]  # fmt: skip
    later, earlier = (np.concatenate([pairs[k] for pairs in found]) for k in (0, 1))
    order = np.argsort(later.astype(np.int64) << 32 | earlier)
    story, wording = (
        (None, None) if known is None else (known.local(which, low, kept) for which in ("story", "wording"))
    )
    story, wording, score = join(
        texts, later[order], earlier[order], window=window, hour=_HOUR, fit=fit, story=story, wording=wording
    )
    _log.info("told %d of %d tellings anew, %d read", n - kept, n, n - low)
    return _table(tellings, known, low, kept, story, wording, score)


@dataclass(frozen=True)
class _Known:
    """Columns of TELLINGS as arrays."""

    key: np.ndarray
    at: np.ndarray
    post: np.ndarray
    story: np.ndarray
    wording: np.ndarray
    score: np.ndarray

    @classmethod
    def from_table(cls, table: pa.Table) -> "_Known":
        names = ("telling_key", "text_post_key", "story_key", "wording_key", "score")
        key, post, story, wording, score = (table.column(name).to_numpy() for name in names)
        return cls(key, table.column("first_seen_at").cast(pa.int64()).to_numpy(), post, story, wording, score)

    def local(self, which: str, low: int, kept: int) -> np.ndarray:
        """Return for rows low .. kept - 1 the first of these rows in the same story or wording, counted from ``low``."""
        _, first, number = np.unique(getattr(self, which)[low:kept], return_index=True, return_inverse=True)
        return first[number].astype(np.int64)


def _first_changed(known: _Known, now: Tellings, window: int) -> int:
    """Return the row of ``now`` from which stories are made again; before it both have the same rows."""
    n = min(len(known.key), len(now.key))
    same = (known.key[:n] == now.key[:n]) & (known.at[:n] == now.at[:n]) & (known.post[:n] == now.post[:n])
    row = n if same.all() else int(np.argmin(same))
    times = [table.at[row] for table in (known, now) if row < len(table.at)]
    # A telling more or less changes the weights of words up to a window before it.
    return int(np.searchsorted(now.at[:row], min(times) - window)) if times else row


def _read(tellings: Tellings, low: int, fetch: Fetch, pool: ThreadPoolExecutor, window: int, bounds: Bounds) -> Texts:
    """Return what is said in the tellings from row ``low`` on."""
    wanted, at = tellings.post[low:], tellings.at[low:]
    pending = [pool.submit(_Part.read, some) for some in fetch(wanted)] if len(wanted) else []
    parts = [part.result() for part in pending]
    keys = np.concatenate([np.empty(0, np.int64), *(part.post for part in parts)])
    came = np.argsort(keys)
    if not np.array_equal(keys[came], np.sort(wanted)):
        raise ContractError(f"{len(wanted)} posts were asked for, {len(keys)} came")
    back = came[np.searchsorted(keys[came], wanted)]
    stems, pairs, meanings = (
        stack([getattr(part, kind) for part in parts], back) for kind in ("stems", "pairs", "meanings")
    )
    source = np.concatenate([np.empty(0, np.int64), *(part.source for part in parts)])[back]
    tags = pa.chunked_array([part.language for part in parts], pa.string()).combine_chunks().take(pa.array(back))
    words, meant = pool.map(lambda terms: weigh(terms, at, source, window=window, bounds=bounds), (stems, meanings))
    return Texts(words, meant, pairs, at, _language_codes(tags), source)


@dataclass(frozen=True)
class _Part:
    """What some posts say, in the order in which they came."""

    post: np.ndarray
    source: np.ndarray
    language: pa.Array
    stems: Terms
    pairs: Terms
    meanings: Terms

    @classmethod
    def read(cls, some: pa.Table) -> "_Part":
        stems, pairs = find_terms(some.column("folded"))
        marks = _marks(some)
        return cls(
            some.column("post_key").to_numpy(),
            hash_strings(some.column("source")),
            some.column("detected_language").combine_chunks().cast(pa.string()),
            with_marks(stems, marks),
            pairs,
            with_marks(find_meanings(some.column("folded")), marks),
        )


def _marks(some: pa.Table) -> pa.ListArray:
    """Return for each post the hashes of what it points to and shows."""
    links = some.column("url_keys").combine_chunks()
    pictures = some.column("media").combine_chunks()
    shown = pictures.flatten().cast(pa.string())
    parts = []
    for lists, values, known in (
        (links, pc.fill_null(links.flatten(), 0).to_numpy(), pc.is_valid(links.flatten())),
        (pictures, hash_strings(shown, seed=1), pc.is_valid(shown)),
    ):
        here = known.to_numpy(zero_copy_only=False)
        counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
        parts.append((np.repeat(np.arange(len(lists)), counts)[here], values[here]))
    rows, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=some.num_rows))])
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(values[np.argsort(rows, kind="stable")], pa.int64())
    )


def _language_codes(tags: pa.Array) -> np.ndarray:
    """Return a number for each language, 0 where it is not known; `kk|ky` counts as its first."""
    tags = pc.replace_substring_regex(pc.fill_null(tags, "und"), r"[|-].*", "").dictionary_encode()
    codes = tags.indices.to_numpy(zero_copy_only=False).astype(np.int16) + 1
    unknown = [k + 1 for k, tag in enumerate(tags.dictionary.to_pylist()) if tag in ("und", "other", "")]
    return np.where(np.isin(codes, unknown), 0, codes).astype(np.int16)


def _table(
    tellings: Tellings,
    known: _Known | None,
    low: int,
    kept: int,
    story: np.ndarray,
    wording: np.ndarray,
    score: np.ndarray,
) -> pa.Table:
    def keys(local: np.ndarray, before: np.ndarray | None) -> np.ndarray:
        found = tellings.key[low:][local]
        if before is None:
            return found
        # The first row that was read may itself belong to a story that began before.
        inherited = local < kept - low
        found[inherited] = before[low:][local[inherited]]
        return np.concatenate([before[:kept], found[kept - low :]])

    old_score = known.score[:kept] if known is not None else score[:0]
    columns = [
        pa.array(tellings.key),
        pa.array(tellings.at).cast(TIME),
        pa.array(tellings.post),
        pa.array(keys(story, None if known is None else known.story)),
        pa.array(keys(wording, None if known is None else known.wording)),
        pa.array(np.concatenate([old_score, score[kept - low :]])),
    ]
    return pa.Table.from_arrays(columns, schema=TELLINGS)

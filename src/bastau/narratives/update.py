"""Group posts into narratives, all at once or as they come: the answer is the same.

What is costly, comparing texts, is done only for texts that are new and for components of near-duplicates that they
touch. The rest, from texts to posts, is a few linear passes and is made again each time. docs/decisions/0005-narratives.md
says why the answer depends on the set of posts alone.
"""

import functools
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.errors import ContractError
from bastau.hashing import hash_strings
from bastau.narratives.candidates import (
    are_candidates,
    bucket_entries,
    choose_centres,
    rows_to_compare,
    verified_pairs,
)
from bastau.narratives.clusters import cluster_texts, find_components, order_pairs
from bastau.narratives.membership import STATE_POSTS, Posts, assign, first_texts
from bastau.narratives.similarity import FetchFolded, Shingles
from bastau.schemas import MEMBERS, N_BANDS, READINGS, TEXT_PAIRS

_log = logging.getLogger(__name__)

_SIGN = np.uint64(1 << 63)


@dataclass(frozen=True)
class Limits:
    """What keeps the work linear however alike the posts are; other limits can give another grouping.

    Args:
        centres: texts of a bucket with which every other text of it is compared; up to 33 texts that is all pairs.
        crowd: in buckets with more texts than this only ``crowd_centres`` are compared with the others: 200,000
            variants of one sentence have 23 pairs each instead of 100.
        crowd_centres: see ``crowd``.
        linkage_texts: largest component in which all texts are compared, 131,000 pairs in 20 ms; a larger one is
            clustered by leaders.
    """

    centres: int = 32
    crowd: int = 256
    crowd_centres: int = 4
    linkage_texts: int = 512


_DEFAULT_LIMITS = Limits()

STATE_TEXTS = pa.schema(
    [
        pa.field("text_key", pa.int64(), nullable=False, metadata={"doc": "every text, once, ascending"}),
        pa.field("bands", READINGS.field("bands").type, nullable=False, metadata={"doc": "signature"}),
        pa.field("centre_of", pa.uint16(), nullable=False, metadata={"doc": "bit b: a centre of its bucket in band b"}),
        pa.field("component", pa.int64(), nullable=False, metadata={"doc": "smallest text_key of its component"}),
        pa.field("cluster", pa.int64(), nullable=False, metadata={"doc": "smallest text_key of its cluster"}),
        pa.field("first_text", pa.int64(), nullable=False, metadata={"doc": "text_key of the cluster's first text"}),
        pa.field("similarity", pa.float32(), nullable=False, metadata={"doc": "to the first text"}),
    ]
)


@dataclass(frozen=True)
class State:
    """The grouping of a set of posts, and what the next update needs.

    ``texts`` is STATE_TEXTS, ``pairs`` TEXT_PAIRS (ascending), ``members`` MEMBERS and ``posts`` STATE_POSTS (both by
    text_key, posts without a text last, then post_key). Equal sets of posts give equal tables.
    """

    texts: pa.Table
    pairs: pa.Table
    members: pa.Table
    posts: pa.Table


@nb.njit(nogil=True, cache=True, inline="always")
def _prefix(key, shift):  # type: ignore[no-untyped-def]
    return np.int64((np.uint64(key) ^ _SIGN) >> shift)


@nb.njit(nogil=True, cache=True)
def _index(ascending, shift, starts):  # type: ignore[no-untyped-def]
    """Set ``starts[p]`` to the first row whose key has a prefix of at least p."""
    for key in ascending:
        starts[_prefix(key, shift) + 1] += 1
    for p in range(1, len(starts)):
        starts[p] += starts[p - 1]


@nb.njit(nogil=True, cache=True)
def _look_up(ascending, starts, keys, out):  # type: ignore[no-untyped-def]
    # Keys are hashes, so a prefix holds one or two of them; a binary search over all would miss the cache 20 times.
    bits = 0
    while (1 << bits) + 1 < len(starts):
        bits += 1
    shift = np.uint64(64 - bits)
    for k in range(len(keys)):
        p = _prefix(keys[k], shift)
        low, high = starts[p], starts[p + 1]
        while low < high:
            middle = (low + high) // 2
            if ascending[middle] < keys[k]:
                low = middle + 1
            else:
                high = middle
        out[k] = low


@dataclass
class _Texts:
    """Columns of STATE_TEXTS as arrays, and which texts are new in this update."""

    key: np.ndarray
    bands: np.ndarray
    centre_of: np.ndarray
    component: np.ndarray
    cluster: np.ndarray
    first_text: np.ndarray
    similarity: np.ndarray
    is_new: np.ndarray

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        bits = max(1, len(self.key).bit_length())
        starts = np.zeros((1 << bits) + 1, np.int64)
        _index(self.key, np.uint64(64 - bits), starts)
        return starts

    def rows(self, keys: np.ndarray) -> np.ndarray:
        """Return the row of each key, which must be there."""
        out = np.empty(len(keys), np.int64)
        _look_up(self.key, self._starts, keys, out)
        return out

    def rows_of_representatives(self, keys: np.ndarray) -> np.ndarray:
        """Return the row of ``keys[i]`` for each row i; fast because most texts stand for themselves."""
        rows = np.arange(len(keys))
        others = np.flatnonzero(keys != self.key)
        rows[others] = self.rows(keys[others])
        return rows


@dataclass(frozen=True)
class _Pairs:
    """Columns of TEXT_PAIRS as arrays, ascending."""

    a: np.ndarray
    b: np.ndarray
    similarity: np.ndarray

    def take(self, which: np.ndarray) -> "_Pairs":
        return _Pairs(self.a[which], self.b[which], self.similarity[which])


def update(
    previous: State | None,
    new: pa.Table,
    fetch_folded: FetchFolded,
    *,
    similarity: float,
    limits: Limits = _DEFAULT_LIMITS,
    threads: int = 2,
) -> State:
    """Return the grouping of the posts of ``previous`` and ``new`` together.

    Args:
        previous: result for the posts so far, made with the same ``similarity`` and ``limits``; None for the first batch. Its posts can only be added to: after an erasure start from None.
        new: columns post_key, published_at, repost_of, text_key and bands; posts that are known are left out, so that
            an update can be repeated. With a column ``folded`` too, the texts of these posts need not be fetched.
        fetch_folded: brings the folded texts that have to be compared.
        similarity: Jaccard of 5-gram sets from which two texts are near-duplicates, in (0, 1].
        limits: bounds on the work.
        threads: for comparing; the answer does not depend on it.

    Raises:
        ContractError: a post has a text_key but no bands, or a text did not come from ``fetch_folded``.
    """
    if previous is None:
        previous = State(*(s.empty_table() for s in (STATE_TEXTS, TEXT_PAIRS, MEMBERS, STATE_POSTS)))
    new = _without_known(previous.posts, new)
    posts = _add_posts(previous.posts, new)
    texts = _add_texts(previous.texts, new)
    with ThreadPoolExecutor(threads) as pool:
        shingles = Shingles(texts.key, _fetch_with(new, fetch_folded), pool)
        pairs = _compare(texts, previous.pairs, shingles, pool, similarity, limits)
        text_rows = posts.text_rows()
        cluster = texts.rows_of_representatives(texts.cluster)
        first_text = first_texts(posts, text_rows, cluster)
        _measure_to_first(texts, first_text, shingles)
    members = assign(posts, text_rows, cluster, first_text, texts.similarity)
    _log.info("grouped %d posts, %d texts, %d pairs", members.num_rows, len(texts.key), len(pairs.a))
    return State(_texts_table(texts), _pairs_table(pairs), members, posts.to_table())


def _without_known(known: pa.Table, new: pa.Table) -> pa.Table:
    """Return ``new`` without posts that are in ``known`` or came before in ``new``."""
    keys = new.column("post_key")
    repeated = known.column("post_key").filter(pc.is_in(known.column("post_key"), keys.combine_chunks()))
    if len(repeated):
        new = new.filter(pc.invert(pc.is_in(keys, repeated.combine_chunks())))
    _, first = np.unique(new.column("post_key").to_numpy(), return_index=True)
    return new if len(first) == new.num_rows else new.take(pa.array(np.sort(first)))


def _fetch_with(new: pa.Table, fetch: FetchFolded) -> FetchFolded:
    """Return ``fetch`` that takes texts from ``new`` where it can."""
    if "folded" not in new.column_names:
        return fetch
    own = new.select(["text_key", "folded"]).filter(pc.is_valid(new.column("text_key")))
    key, row = np.unique(own.column("text_key").to_numpy(), return_index=True)

    def from_both(wanted: np.ndarray) -> pa.Table:
        at = np.searchsorted(key, wanted)
        mine = at < len(key)
        mine[mine] = key[at[mine]] == wanted[mine]
        texts = own.take(pa.array(row[at[mine]]))
        if mine.all():
            return texts
        return pa.concat_tables([texts, fetch(wanted[~mine]).select(own.column_names).cast(own.schema)])

    return from_both


# ---- adding rows to sorted columns ---------------------------------------------------------------------


@nb.njit(nogil=True, cache=True)
def _positions(major, minor, n_major, new_major, new_minor, n_new_major):  # type: ignore[no-untyped-def]
    """Return where each new row goes; rows from ``n_major`` on have no major value and come last."""
    out = np.empty(len(new_major), np.int64)
    for k in range(len(new_major)):
        has_major = k < n_new_major
        low, high = (0, n_major) if has_major else (n_major, len(major))
        while low < high:
            middle = (low + high) // 2
            if has_major and major[middle] != new_major[k]:
                before = major[middle] < new_major[k]
            else:
                before = minor[middle] < new_minor[k]
            if before:
                low = middle + 1
            else:
                high = middle
        out[k] = low
    return out


def _add_posts(known: pa.Table, new: pa.Table) -> Posts:
    old = Posts.from_table(known, ordered=True)
    keys = hash_strings(new.column("repost_of"))
    added = Posts.from_table(
        pa.table(
            {
                "post_key": new.column("post_key"),
                "published_at": new.column("published_at"),
                "repost_of_key": pa.array(keys, mask=pc.is_null(new.column("repost_of")).to_numpy()),
                "text_key": new.column("text_key"),
            }
        ),
        ordered=False,
    )
    at = _positions(old.text_key, old.post_key, old.n_with_text, added.text_key, added.post_key, added.n_with_text)
    return Posts(
        np.insert(old.post_key, at, added.post_key),
        np.insert(old.published_at, at, added.published_at),
        np.insert(old.repost_of_key, at, added.repost_of_key),
        np.insert(old.has_original, at, added.has_original),
        np.insert(old.text_key, at, added.text_key),
        old.n_with_text + added.n_with_text,
    )


def _add_texts(known: pa.Table, new: pa.Table) -> _Texts:
    old_key = known.column("text_key").to_numpy()
    with_text = new.select(["text_key", "bands"]).filter(pc.is_valid(new.column("text_key")))
    if with_text.column("bands").null_count:
        raise ContractError("a post has a text_key but no bands")
    key, row = np.unique(with_text.column("text_key").to_numpy(), return_index=True)
    at = np.searchsorted(old_key, key)
    is_new = np.ones(len(key), np.bool_)
    inside = at < len(old_key)
    is_new[inside] = old_key[at[inside]] != key[inside]
    key, row, at = key[is_new], row[is_new], at[is_new]
    bands = _bands(with_text.column("bands"))[row]

    def own(name: str) -> np.ndarray:
        return np.insert(known.column(name).to_numpy(), at, key)

    def blank(name: str) -> np.ndarray:
        return np.insert(known.column(name).to_numpy(), at, 0)

    return _Texts(
        key=np.insert(old_key, at, key),
        bands=np.insert(_bands(known.column("bands")), at, bands, axis=0),
        centre_of=blank("centre_of"),
        component=own("component"),
        cluster=own("cluster"),
        first_text=own("first_text"),
        similarity=np.insert(known.column("similarity").to_numpy(), at, np.float32(1.0)),
        is_new=np.insert(np.zeros(len(old_key), np.bool_), at, True),
    )


def _bands(column: pa.ChunkedArray) -> np.ndarray:
    """Return signatures as uint32 (n, 16)."""
    parts = [
        np.frombuffer(chunk.buffers()[1], np.uint32).reshape(-1, N_BANDS)[chunk.offset : chunk.offset + len(chunk)]
        for chunk in column.chunks
        if len(chunk)
    ]
    match parts:
        case []:
            return np.empty((0, N_BANDS), np.uint32)
        case [part]:
            return part
    return np.concatenate(parts)


# ---- comparing texts -----------------------------------------------------------------------------------


def _compare(
    texts: _Texts,
    known_pairs: pa.Table,
    shingles: Shingles,
    pool: ThreadPoolExecutor,
    similarity: float,
    limits: Limits,
) -> _Pairs:
    """Set centre_of, component and cluster of ``texts`` and return all pairs."""
    centre_before = texts.centre_of.copy()
    entries = bucket_entries(texts.bands, texts.is_new, pool)
    choose_centres(
        entries, texts.centre_of, centres=limits.centres, crowd=limits.crowd, crowd_centres=limits.crowd_centres
    )
    shingles.need(rows_to_compare(entries, texts.centre_of, texts.is_new))
    a, b, values = verified_pairs(
        entries, texts.bands, texts.centre_of, texts.is_new, shingles, pool, similarity=similarity
    )
    del entries
    displaced = np.flatnonzero(centre_before & ~texts.centre_of)
    touched = _touched(texts, np.concatenate([a, b, displaced]))

    # Pairs inside touched components; the others stay as they are.
    pairs = _Pairs(*(known_pairs.column(name).to_numpy() for name in TEXT_PAIRS.names))
    is_touched = np.zeros(len(texts.key), np.bool_)
    is_touched[touched] = True
    old_a = texts.rows(pairs.a)
    stale = is_touched[old_a]
    old_a, old_b = old_a[stale], texts.rows(pairs.b[stale])
    # Inside a small component all pairs are listed; only candidates may hold it together.
    still = are_candidates(texts.bands, texts.centre_of, old_a, old_b)
    edges = (
        np.searchsorted(touched, np.concatenate([old_a[still], a])),
        np.searchsorted(touched, np.concatenate([old_b[still], b])),
        np.concatenate([pairs.similarity[stale][still], values]),
    )
    found = find_components(len(touched), edges[0], edges[1])
    shingles.need(touched[found.sizes[found.of] > 1])
    leader, inside = cluster_texts(
        touched, found, edges, shingles, pool, similarity=similarity, linkage_texts=limits.linkage_texts
    )
    texts.component[touched] = texts.key[touched[found.first]]
    texts.cluster[touched] = texts.key[touched[leader]]
    order = order_pairs(inside[0], inside[1])
    a, b = (texts.key[touched[rows[order]]] for rows in inside[:2])
    return _merge_pairs(pairs.take(~stale), _Pairs(a, b, inside[2][order]))


def _touched(texts: _Texts, seeds: np.ndarray) -> np.ndarray:
    """Return the rows, ascending, of all texts in the components of ``seeds``."""
    component = texts.rows_of_representatives(texts.component)
    is_touched = np.zeros(len(component), np.bool_)
    is_touched[component[seeds]] = True
    return np.flatnonzero(is_touched[component])


def _merge_pairs(kept: _Pairs, fresh: _Pairs) -> _Pairs:
    at = _positions(kept.a, kept.b, len(kept.a), fresh.a, fresh.b, len(fresh.a))
    return _Pairs(
        np.insert(kept.a, at, fresh.a), np.insert(kept.b, at, fresh.b), np.insert(kept.similarity, at, fresh.similarity)
    )


def _measure_to_first(texts: _Texts, first_text: np.ndarray, shingles: Shingles) -> None:
    """Set first_text, and the similarity to it where it is another text than before."""
    key = texts.key[first_text]
    changed = np.flatnonzero(texts.first_text != key)
    texts.first_text = key
    same = first_text[changed] == changed
    texts.similarity[changed[same]] = 1.0
    changed = changed[~same]
    first = first_text[changed]
    shingles.need(np.union1d(changed, first))
    texts.similarity[changed] = shingles.similarities(changed, first)


# ---- tables --------------------------------------------------------------------------------------------


def _texts_table(texts: _Texts) -> pa.Table:
    bands = pa.FixedSizeBinaryArray.from_buffers(
        STATE_TEXTS.field("bands").type, len(texts.key), [None, pa.py_buffer(np.ascontiguousarray(texts.bands))]
    )
    columns = [
        pa.array(texts.key),
        bands,
        pa.array(texts.centre_of),
        pa.array(texts.component),
        pa.array(texts.cluster),
        pa.array(texts.first_text),
        pa.array(texts.similarity),
    ]
    return pa.Table.from_arrays(columns, schema=STATE_TEXTS)


def _pairs_table(pairs: _Pairs) -> pa.Table:
    return pa.Table.from_arrays([pa.array(pairs.a), pa.array(pairs.b), pa.array(pairs.similarity)], schema=TEXT_PAIRS)

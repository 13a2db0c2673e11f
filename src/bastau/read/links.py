"""Links, mentions and hashtags of posts."""

from dataclasses import dataclass
from typing import ClassVar

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.hashing import hash_strings
from bastau.read.addresses import extends_word, handle_end, is_alnum, link_end, link_start
from bastau.read.characters import character_table
from bastau.read.fold import fold_strings
from bastau.read.url_columns import canonical_urls
from bastau.schemas import LINKS, POSTS
from bastau.tables import append_columns, strings_from_buffers, utf8_buffers
from bastau.utf8 import char_at

_LINK, _MENTION, _HASHTAG = 0, 1, 2
MIN_SEQUENCE = 3
"""Hashtags from which their sequence says something about who wrote it."""


@nb.njit(nogil=True, cache=True)
def _hashtag_end(data, i, end, action):  # type: ignore[no-untyped-def]
    """Return where the hashtag after the ``#`` at ``i`` ends; ``i + 1`` when there is none (or only digits)."""
    k = i + 1
    letters = 0
    while k < end:
        b = data[k]
        if b < 0x80:
            if not is_alnum(b) and b != 95:
                break
            letters += b >= 65 and b != 95
            k += 1
            continue
        cp, after = char_at(data, k, end)
        if cp != 0x200C and not extends_word(cp, action):
            break
        letters += 1
        k = after
    return k if letters else i + 1


@nb.njit(nogil=True, cache=True)
def _is_cut_short(data, i, end):  # type: ignore[no-untyped-def]
    """Say whether an ellipsis stands at ``i``: platforms cut links in the middle and put one there."""
    return i + 2 < end and data[i] == 0xE2 and data[i + 1] == 0x80 and data[i + 2] == 0xA6


@nb.njit(nogil=True, cache=True)
def _find_in(data, start, end, action, found, n):  # type: ignore[no-untyped-def]
    """Write (kind, from, to) of each finding in ``data[start:end]`` behind ``found[:n]``; return the new ``n``."""
    floor = i = start
    in_word = False
    while i < end:
        b = data[i]
        kind, first, after = -1, i, i
        if b >= 0x80:
            cp, i = char_at(data, i, end)
            in_word = extends_word(cp, action)
            continue
        if b in (58, 46):  # : .
            first = link_start(data, floor, i, end)
            if first >= 0:
                kind, after = _LINK, link_end(data, i + 1, end, action)
        elif b == 64 and not in_word:  # @
            after = handle_end(data, i, end)
            kind = _MENTION if after > i + 1 else -1
        elif b == 35 and not in_word and (i == start or data[i - 1] != 38):  # # but not &#39;
            after = _hashtag_end(data, i, end, action)
            kind = _HASHTAG if after > i + 1 else -1
        if kind < 0:
            in_word = is_alnum(b)
            i += 1
            continue
        if kind != _LINK or not _is_cut_short(data, after, end):
            found[n, 0], found[n, 1], found[n, 2] = kind, first + (kind != _LINK), after
            n += 1
        in_word = kind == _HASHTAG
        floor = i = after
    return n


@nb.njit(nogil=True, cache=True)
def _find_rows(title_offsets, title_data, text_offsets, text_data, action):  # type: ignore[no-untyped-def]
    """Return (kinds, rows, offsets, data): all findings of all rows in order, as one string column."""
    n_rows = len(text_offsets) - 1
    longest = 0
    for row in range(n_rows):
        longest = max(longest, title_offsets[row + 1] - title_offsets[row], text_offsets[row + 1] - text_offsets[row])
    kinds, rows = np.empty(n_rows + 1024, np.int8), np.empty(n_rows + 1024, np.int64)
    offsets = np.zeros(len(kinds) + 1, np.int64)
    # Findings do not overlap, so together they are no longer than the texts.
    out = np.empty(title_offsets[-1] - title_offsets[0] + text_offsets[-1] - text_offsets[0], np.uint8)
    found = np.empty((longest + 2, 3), np.int64)
    m = j = 0
    for row in range(n_rows):
        in_title = _find_in(title_data, title_offsets[row], title_offsets[row + 1], action, found, 0)
        n = _find_in(text_data, text_offsets[row], text_offsets[row + 1], action, found, in_title)
        while m + n > len(kinds):
            kinds = np.concatenate((kinds, np.empty_like(kinds)))
            rows = np.concatenate((rows, np.empty_like(rows)))
            offsets = np.concatenate((offsets, np.empty_like(offsets)))
        for f in range(n):
            data = title_data if f < in_title else text_data
            for k in range(found[f, 1], found[f, 2]):
                out[j] = data[k]
                j += 1
            kinds[m], rows[m], offsets[m + 1] = found[f, 0], row, j
            m += 1
    return kinds[:m].copy(), rows[:m].copy(), offsets[: m + 1].copy(), out[:j].copy()


def _distinct_in_row(rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the indices, ascending, of the first of each (row, key)."""
    order = np.lexsort((np.arange(len(rows)), keys, rows))
    first = np.ones(len(rows), np.bool_)
    first[1:] = (np.diff(rows[order]) != 0) | (np.diff(keys[order]) != 0)
    return np.sort(order[first])


def _lists(rows: np.ndarray, values: pa.Array, n_rows: int) -> pa.Array:
    """Return a list column of ``values``, of which ``rows`` (ascending) says in which list each goes."""
    ends = np.cumsum(np.bincount(rows, minlength=n_rows)) if n_rows else np.empty(0, np.int64)
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], ends]).astype(np.int32)), values)


@dataclass(frozen=True)
class FindLinks:
    """Add the addresses a post points to in canonical form, and whom and what it names."""

    needs: ClassVar[pa.Schema] = pa.schema([POSTS.field(name) for name in ("title", "text", "url", "links")])
    adds: ClassVar[pa.Schema] = LINKS

    def run(self, posts: pa.Table) -> pa.Table:
        """Return ``posts`` (n rows, any order) with the columns of LINKS.

        Links count from title, text and the links column, in this order; the post's own address and links
        that the platform cut short (``https://x.kz/ab…``) do not.
        """
        kinds, rows, offsets, data = _find_rows(
            *utf8_buffers(posts.column("title")), *utf8_buffers(posts.column("text")), character_table().action
        )
        found = strings_from_buffers(offsets, data)
        is_link, is_mention, is_hashtag = (kinds == kind for kind in (_LINK, _MENTION, _HASHTAG))
        urls, keys, own = _link_columns(posts, rows[is_link], found.filter(pa.array(is_link)))
        hashtags = _hashtag_lists(rows[is_hashtag], found.filter(pa.array(is_hashtag)), posts.num_rows)
        columns = {
            "urls": urls,
            "url_keys": keys,
            "own_url_key": own,
            "mentions": _mention_lists(rows[is_mention], found.filter(pa.array(is_mention)), posts.num_rows),
            "hashtags": hashtags,
            "hashtags_key": _sequence_keys(hashtags),
        }
        return append_columns(posts, columns, self.adds)


def _link_columns(posts: pa.Table, rows: np.ndarray, found: pa.Array) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Return (urls, url_keys, own_url_key); each distinct address of the table is made canonical once."""
    links = pa.concat_arrays(posts.column("links").chunks) if posts.column("links").num_chunks else pa.array([])
    own = pa.concat_arrays(posts.column("url").chunks) if posts.column("url").num_chunks else pa.array([])
    link_rows, link_urls = _flat(links)
    canonical = canonical_urls(pa.concat_arrays([found.cast(pa.string()), link_urls, own.cast(pa.string())]))
    keys = hash_strings(canonical)
    is_address = canonical.is_valid().to_numpy(zero_copy_only=False)
    n_links = len(found) + len(link_urls)
    is_own, own_keys = is_address[n_links:], keys[n_links:]

    rows = np.concatenate([rows, link_rows])
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    points_away = is_address[order] & ~(is_own[rows] & (keys[order] == own_keys[rows]))
    rows, order = rows[points_away], order[points_away]
    kept = _distinct_in_row(rows, keys[order])
    rows, order = rows[kept], order[kept]
    return (
        _lists(rows, canonical.take(pa.array(order)), posts.num_rows),
        _lists(rows, pa.array(keys[order]), posts.num_rows),
        pa.array(own_keys, mask=~is_own),
    )


def _flat(lists: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Return (row of each value, values) of a list column."""
    if lists.null_count == len(lists):
        return np.empty(0, np.int64), pa.array([], pa.string())
    return pc.list_parent_indices(lists).to_numpy().astype(np.int64), pc.list_flatten(lists).cast(pa.string())


def _mention_lists(rows: np.ndarray, handles: pa.Array, n_rows: int) -> pa.Array:
    handles = pc.utf8_lower(handles)
    kept = _distinct_in_row(rows, hash_strings(handles))
    return _lists(rows[kept], handles.take(pa.array(kept)), n_rows)


def _hashtag_lists(rows: np.ndarray, tags: pa.Array, n_rows: int) -> pa.Array:
    folded = fold_strings(tags)[0]
    return _lists(rows, pc.replace_substring(folded, " ", "_"), n_rows)


def _sequence_keys(hashtags: pa.Array) -> pa.Array:
    too_few = pc.less(pc.list_value_length(hashtags), MIN_SEQUENCE).to_numpy(zero_copy_only=False)
    return pa.array(hash_strings(pc.binary_join(hashtags, " ")), mask=too_few)

"""Which narrative each post belongs to: that of its text, or that of the post it repeats without a text of its own.

The key of a narrative is the post_key of its earliest post, so it follows from the posts alone.
"""

from dataclasses import dataclass

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.narratives.clusters import find_components
from bastau.schemas import MEMBERS, POSTS, READINGS

STATE_POSTS = pa.schema(
    [
        POSTS.field("post_key"),
        POSTS.field("published_at"),
        pa.field("repost_of_key", pa.int64(), metadata={"doc": "post_key of the original"}),
        READINGS.field("text_key"),
    ]
)
"""What is kept of each post: ordered by text_key, posts without a text last, then by post_key."""

_JOINED_BY = pa.array(["text", "near_copy", "repost"])
_BY_TEXT, _BY_NEAR_COPY, _BY_REPOST = range(3)


@dataclass(frozen=True)
class Posts:
    """Columns of STATE_POSTS as arrays; the first ``n_with_text`` posts have a text.

    ``published_at`` is microseconds; where ``has_original`` is false ``repost_of_key`` means nothing.
    """

    post_key: np.ndarray
    published_at: np.ndarray
    repost_of_key: np.ndarray
    has_original: np.ndarray
    text_key: np.ndarray
    n_with_text: int

    @classmethod
    def from_table(cls, table: pa.Table, *, ordered: bool) -> "Posts":
        """Return the columns of STATE_POSTS; ``ordered`` says that the rows are in its order already."""
        text_key, has_text = filled(table.column("text_key"))
        repost_of_key, has_original = filled(table.column("repost_of_key"))
        post_key = table.column("post_key").to_numpy()
        published_at = table.column("published_at").cast(pa.int64()).to_numpy()
        if not ordered:
            rows = np.lexsort((post_key, text_key, ~has_text))
            post_key, published_at, text_key = post_key[rows], published_at[rows], text_key[rows]
            repost_of_key, has_original = repost_of_key[rows], has_original[rows]
        return cls(post_key, published_at, repost_of_key, has_original, text_key, int(np.count_nonzero(has_text)))

    def to_table(self) -> pa.Table:
        """Return the posts as STATE_POSTS."""
        no_text = np.arange(len(self.post_key)) >= self.n_with_text
        columns = [
            pa.array(self.post_key),
            pa.array(self.published_at).cast(STATE_POSTS.field("published_at").type),
            pa.array(self.repost_of_key, mask=~self.has_original),
            pa.array(self.text_key, mask=no_text),
        ]
        return pa.Table.from_arrays(columns, schema=STATE_POSTS)

    def text_rows(self) -> np.ndarray:
        """Return for each post with a text the rank of that text among the distinct text_keys, int64."""
        text_key = self.text_key[: self.n_with_text]
        return np.cumsum(np.concatenate([[False], text_key[1:] != text_key[:-1]])[: len(text_key)])


def filled(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return (values with 0 for null, is valid) of an int64 column."""
    return pc.fill_null(column, 0).to_numpy(), pc.is_valid(column).to_numpy()


@nb.njit(nogil=True, cache=True)
def _earliest(group, published_at, post_key, first, size):  # type: ignore[no-untyped-def]
    for post in range(len(group)):
        g = group[post]
        size[g] += 1
        held = first[g]
        if (
            held < 0
            or published_at[post] < published_at[held]
            or (published_at[post] == published_at[held] and post_key[post] < post_key[held])
        ):
            first[g] = post


def _find_earliest(group: np.ndarray, posts: Posts, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    first, size = np.full(n_groups, -1, np.int64), np.zeros(n_groups, np.int64)
    _earliest(group, posts.published_at, posts.post_key, first, size)
    return first, size


def first_texts(posts: Posts, text_rows: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Return the row of the first text of each text's cluster: the text of the cluster's earliest post.

    ``text_rows`` as :meth:`Posts.text_rows`; ``cluster`` int64 (texts,) is a row standing for each text's cluster.
    """
    first, _ = _find_earliest(cluster[text_rows], posts, len(cluster))
    return text_rows[first[cluster]]


def _groups(posts: Posts, cluster_of_post: np.ndarray, n_clusters: int) -> tuple[np.ndarray, int]:
    """Return the group of each post and the number of groups: clusters of texts, reposts alone, and last those in none.

    Posts without a text point to the post they repeat. Each connected piece of these pointers ends in at most one
    post with a text; without one (a picture, or posts that repeat each other in a circle) it is a group by itself.
    """
    n = posts.n_with_text
    group = np.full(len(posts.post_key), n_clusters, np.int64)
    group[:n] = cluster_of_post
    repeating = n + np.flatnonzero(posts.has_original[n:])
    if not len(repeating):
        return group, n_clusters + 1
    originals = pa.array(np.unique(posts.repost_of_key[repeating]))
    known, is_original = filled(pc.index_in(pa.chunked_array([posts.post_key]), originals))
    post_of_original = np.full(len(originals), -1, np.int64)
    post_of_original[known[is_original]] = np.flatnonzero(is_original)
    target = post_of_original[np.searchsorted(originals.to_numpy(), posts.repost_of_key[repeating])]
    repeating, target = repeating[target >= 0], target[target >= 0]
    nodes = np.union1d(repeating, target)
    found = find_components(len(nodes), np.searchsorted(nodes, repeating), np.searchsorted(nodes, target))
    group_of_component = n_clusters + np.arange(len(found.sizes))
    with_text = nodes < n
    group_of_component[found.of[with_text]] = group[nodes[with_text]]
    n_groups = n_clusters + len(found.sizes) + 1
    group[n:] = n_groups - 1
    group[nodes] = group_of_component[found.of]
    return group, n_groups


def assign(
    posts: Posts, text_rows: np.ndarray, cluster: np.ndarray, first_text: np.ndarray, similarity: np.ndarray
) -> pa.Table:
    """Return MEMBERS: each post with its narrative, in the order of ``posts``.

    A narrative has at least two posts. ``cluster`` and ``first_text`` int64 (texts,) are rows of texts, ``similarity``
    float32 (texts,) is to the first text.
    """
    n = posts.n_with_text
    group, n_groups = _groups(posts, cluster[text_rows], len(cluster))
    first, size = _find_earliest(group, posts, n_groups)
    alone = (group == n_groups - 1) | (size[group] < 2)
    joined_by = np.full(len(group), _BY_REPOST, np.int8)
    joined_by[:n] = np.where(first_text[text_rows] == text_rows, _BY_TEXT, _BY_NEAR_COPY)
    similarities = np.zeros(len(group), np.float32)
    similarities[:n] = similarity[text_rows]
    no_text = np.arange(len(group)) >= n
    columns = [
        pa.array(posts.post_key),
        pa.array(posts.post_key[first[group]], mask=alone),
        pa.array(posts.text_key, mask=no_text),
        pa.DictionaryArray.from_arrays(pa.array(joined_by, mask=alone), _JOINED_BY).cast(pa.string()),
        pa.array(similarities, mask=alone | no_text),
    ]
    return pa.Table.from_arrays(columns, schema=MEMBERS)

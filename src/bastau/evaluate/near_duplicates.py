"""How well near-duplicates and narratives are found, against all pairs compared exactly."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.narratives.candidates import longer
from bastau.narratives.similarity import jaccard
from bastau.narratives.update import State
from bastau.shingles import shingle_sets


@dataclass(frozen=True)
class LargestNarrative:
    """The narrative with most distinct texts, described without its words; similarities are between its texts."""

    narrative_key: int
    n_posts: int
    n_texts: int
    min_similarity: float
    mean_similarity: float


@dataclass(frozen=True)
class NearDuplicateFigures:
    """Precision and recall in [0, 1] of pairs at ``similarity`` or more; a pair of equal texts is always one.

    ``pair_*``: verified pairs of distinct texts. ``post_pair_*``: the same over pairs of posts, equal texts included.
    ``narrative_text_*``, ``narrative_*``: pairs of distinct texts, and of posts, in the same narrative.
    """

    similarity: float
    n_posts: int
    n_texts: int
    n_true_pairs: int
    n_true_post_pairs: int
    pair_precision: float
    pair_recall: float
    post_pair_precision: float
    post_pair_recall: float
    narrative_text_precision: float
    narrative_text_recall: float
    narrative_precision: float
    narrative_recall: float
    largest: LargestNarrative | None


@nb.njit(nogil=True, cache=True)
def _all_pairs(indptr, hashes, order, share, shares, similarity):  # type: ignore[no-untyped-def]
    rows_a = np.empty(1024, np.int64)
    rows_b = np.empty(1024, np.int64)
    n = 0
    for x in range(share, len(order), shares):
        i, i_end = indptr[order[x]], indptr[order[x] + 1]
        for y in range(x + 1, len(order)):
            j, j_end = indptr[order[y]], indptr[order[y] + 1]
            if (i_end - i) < similarity * (j_end - j) - 1e-6:
                break  # from here on sets are so large that they cannot be similar enough
            if jaccard(hashes, i, i_end, j, j_end, similarity) >= 0.0:
                if n == len(rows_a):
                    rows_a, rows_b = longer(rows_a), longer(rows_b)
                rows_a[n], rows_b[n] = min(order[x], order[y]), max(order[x], order[y])
                n += 1
    return rows_a[:n], rows_b[:n]


def find_all_pairs(folded: pa.Array | pa.ChunkedArray, similarity: float, threads: int = 2) -> np.ndarray:
    """Return every pair of texts with at least ``similarity``, by comparing all with all: int64 (pairs, 2), ascending.

    Quadratic: 30,000 tweets take seconds, 300,000 take minutes.
    """
    indptr, hashes = shingle_sets(folded)
    order = np.argsort(np.diff(indptr), kind="stable")
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda k: _all_pairs(indptr, hashes, order, k, 16, similarity), range(16)))
    a, b = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    rows = np.lexsort((b, a))
    return np.stack([a[rows], b[rows]], axis=1)


def evaluate(state: State, texts: pa.Table, *, similarity: float, threads: int = 2) -> NearDuplicateFigures:
    """Compare a grouping with the exact answer.

    Args:
        state: grouping of posts, see :func:`bastau.narratives.update.update`.
        texts: text_key and folded of all its texts; repeated rows are ignored.
        similarity: Jaccard of 5-gram sets from which two texts are near-duplicates.
        threads: for comparing.
    """
    text_key, row = np.unique(texts.column("text_key").drop_null().to_numpy(), return_index=True)
    texts = texts.filter(pc.is_valid(texts.column("text_key"))).take(pa.array(row))
    members = state.members.filter(pc.is_valid(state.members.column("text_key")))
    posts = np.bincount(np.searchsorted(text_key, members.column("text_key").to_numpy()), minlength=len(text_key))
    cluster = np.searchsorted(text_key, state.texts.column("cluster").to_numpy())

    true = find_all_pairs(texts.column("folded"), similarity, threads)
    found = np.searchsorted(
        text_key, np.stack([state.pairs.column(name).to_numpy() for name in ("text_a", "text_b")]).T
    )
    true_codes, found_codes = (pairs[:, 0] * len(text_key) + pairs[:, 1] for pairs in (true, found))
    hit = np.isin(found_codes, true_codes)
    together = cluster[true[:, 0]] == cluster[true[:, 1]]

    once = np.ones_like(posts)
    same_text = _within(posts)
    n_true_posts = same_text + _weight(true, posts)
    grouped_texts, grouped_posts = (
        _within(np.bincount(cluster, weights=weight, minlength=len(text_key))) for weight in (once, posts)
    )
    return NearDuplicateFigures(
        similarity=similarity,
        n_posts=state.members.num_rows,
        n_texts=len(text_key),
        n_true_pairs=len(true),
        n_true_post_pairs=int(n_true_posts),
        pair_precision=_share(np.count_nonzero(hit), len(found)),
        pair_recall=_share(np.count_nonzero(hit), len(true)),
        post_pair_precision=_share(same_text + _weight(found[hit], posts), same_text + _weight(found, posts)),
        post_pair_recall=_share(same_text + _weight(found[hit], posts), n_true_posts),
        narrative_text_precision=_share(np.count_nonzero(together), grouped_texts),
        narrative_text_recall=_share(np.count_nonzero(together), len(true)),
        narrative_precision=_share(same_text + _weight(true[together], posts), grouped_posts),
        narrative_recall=_share(same_text + _weight(true[together], posts), n_true_posts),
        largest=_describe_largest(state, texts, cluster, posts),
    )


def _within(sizes: np.ndarray) -> float:
    """Return the number of pairs inside groups of these sizes."""
    return float(np.sum(sizes * (sizes - 1.0)) / 2)


def _weight(pairs: np.ndarray, posts: np.ndarray) -> float:
    """Return the number of pairs of posts that pairs of texts stand for."""
    return float(np.sum(posts[pairs[:, 0]].astype(np.float64) * posts[pairs[:, 1]]))


def _share(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else 1.0


def _describe_largest(state: State, texts: pa.Table, cluster: np.ndarray, posts: np.ndarray) -> LargestNarrative | None:
    sizes = np.bincount(cluster, minlength=len(cluster))
    if not len(sizes) or sizes.max() < 2:
        return None
    rows = np.flatnonzero(cluster == np.argmax(sizes))
    indptr, hashes = shingle_sets(texts.column("folded").take(pa.array(rows)))
    values = np.array(
        [
            jaccard(hashes, indptr[i], indptr[i + 1], indptr[j], indptr[j + 1], 0.0)
            for i in range(len(rows))
            for j in range(i + 1, len(rows))
        ]
    )
    of_text = pc.equal(state.members.column("text_key"), texts.column("text_key")[int(rows[0])])
    key = state.members.filter(of_text).column("narrative_key")[0].as_py()
    return LargestNarrative(key, int(posts[rows].sum()), len(rows), float(values.min()), float(values.mean()))

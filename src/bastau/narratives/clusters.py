"""Groups of near-duplicate texts that do not chain.

Texts joined by verified pairs form a component. Inside a component of up to ``linkage_texts`` texts every pair is
compared and average linkage merges while the mean similarity of two groups is at least ``CUT`` times the
similarity asked of a pair. In a larger one, where that would be quadratic, texts in order of text_key join the
most similar leader among the groups of their verified neighbours, if it is at least that similar, else they lead.
Both depend on the set of texts alone.

Reference: Murtagh 1983, "A survey of recent advances in hierarchical clustering algorithms", Computer Journal 26(4),
section 3 (nearest-neighbour chains); Hartigan 1975, "Clustering Algorithms", chapter 3 (leader algorithm).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba as nb
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bastau.narratives.candidates import longer
from bastau.narratives.similarity import Shingles, jaccard

CUT = 0.95
"""Groups merge down to this share of the similarity asked of a pair (0.665 for 0.7)."""


@dataclass(frozen=True)
class Components:
    """Connected components over rows 0 .. n - 1.

    Component c holds ``members[indptr[c]:indptr[c + 1]]``, ascending; ``of`` int32 (n,) is the component of each row.
    """

    of: np.ndarray
    indptr: np.ndarray
    members: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Rows in each component."""
        return np.diff(self.indptr)

    @property
    def first(self) -> np.ndarray:
        """Smallest row of the component of each row, int64 (n,)."""
        return self.members[self.indptr[:-1]][self.of]


def find_components(n: int, a: np.ndarray, b: np.ndarray) -> Components:
    """Return the connected components of ``n`` rows under the pairs ``a[k], b[k]``."""
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(n, n))
    count, of = connected_components(graph, directed=False)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=count))])
    return Components(of, indptr.astype(np.int64), np.argsort(of, kind="stable"))


def order_pairs(major: np.ndarray, minor: np.ndarray) -> np.ndarray:
    """Return the order of pairs of rows by ``major``, then ``minor``; one packed key sorts ten times faster than two."""
    return np.argsort(major.astype(np.int64) << 32 | minor)


@nb.njit(nogil=True, cache=True)
def _average_linkage(matrix, cut, leader):  # type: ignore[no-untyped-def]
    """Group rows 0 .. n - 1 in ``leader`` (smallest row of each group); ``matrix`` (n, n) is overwritten."""
    n = len(matrix)
    weight = np.ones(n, np.int64)
    active = np.ones(n, np.bool_)
    chain = np.empty(n + 1, np.int64)
    length = 0
    for row in range(n):
        leader[row] = row
    first = 0
    while True:
        if length == 0:
            while first < n and not active[first]:
                first += 1
            if first == n:
                break
            chain[0] = first
            length = 1
        top = chain[length - 1]
        nearest = chain[length - 2] if length > 1 else -1
        best = matrix[top, nearest] if length > 1 else -1.0
        for row in range(n):
            if active[row] and row != top and matrix[top, row] > best:
                best = matrix[top, row]
                nearest = row
        if best < cut:
            # A mean is never above the larger of its parts, so no later merge can bring this group back.
            active[top] = False
            length -= 1
        elif length > 1 and nearest == chain[length - 2]:
            kept, gone = min(top, nearest), max(top, nearest)
            for row in range(n):
                mean = weight[kept] * matrix[kept, row] + weight[gone] * matrix[gone, row]
                matrix[kept, row] = mean / (weight[kept] + weight[gone])
                matrix[row, kept] = matrix[kept, row]
            weight[kept] += weight[gone]
            active[gone] = False
            for row in range(n):
                if leader[row] == gone:
                    leader[row] = kept
            length -= 2
        else:
            chain[length] = nearest
            length += 1


@nb.njit(nogil=True, cache=True)
def _link(  # type: ignore[no-untyped-def]
    components, comp_indptr, members, rows, slot, indptr, hashes, similarity, cut, leader
):
    """Cluster whole components by average linkage and return all their pairs of at least ``similarity``."""
    pairs_a = np.empty(1024, np.int64)
    pairs_b = np.empty(1024, np.int64)
    values = np.empty(1024, np.float32)
    n_pairs = 0
    for c in components:
        inside = members[comp_indptr[c] : comp_indptr[c + 1]]
        n = len(inside)
        matrix = np.zeros((n, n))
        for x in range(n):
            i = slot[rows[inside[x]]]
            for y in range(x + 1, n):
                j = slot[rows[inside[y]]]
                value = jaccard(hashes, indptr[i], indptr[i + 1], indptr[j], indptr[j + 1], 0.0)
                matrix[x, y] = matrix[y, x] = value
                if value >= similarity:
                    if n_pairs == len(pairs_a):
                        pairs_a, pairs_b, values = longer(pairs_a), longer(pairs_b), longer(values)
                    pairs_a[n_pairs], pairs_b[n_pairs], values[n_pairs] = inside[x], inside[y], value
                    n_pairs += 1
        local = np.empty(n, np.int64)
        _average_linkage(matrix, cut, local)
        for x in range(n):
            leader[inside[x]] = inside[local[x]]
    return pairs_a[:n_pairs], pairs_b[:n_pairs], values[:n_pairs]


@nb.njit(nogil=True, cache=True)
def _lead(  # type: ignore[no-untyped-def]
    members, earlier_indptr, earlier, rows, slot, indptr, hashes, cut, leader
):
    """Cluster one large component; ``earlier`` holds each row's verified neighbours with smaller rows."""
    for x in members:
        i = slot[rows[x]]
        best = -1.0
        joined = x
        last = -1
        for k in range(earlier_indptr[x], earlier_indptr[x + 1]):
            other = leader[earlier[k]]
            if other in (last, joined):
                continue
            last = other
            j = slot[rows[other]]
            value = jaccard(hashes, indptr[i], indptr[i + 1], indptr[j], indptr[j + 1], cut)
            if value > best or (value == best and value >= 0.0 and other < joined):
                best = value
                joined = other
        leader[x] = joined


def cluster_texts(
    rows: np.ndarray,
    found: Components,
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    shingles: Shingles,
    pool: ThreadPoolExecutor,
    *,
    similarity: float,
    linkage_texts: int,
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Split ``found`` components into clusters.

    Args:
        rows: row in ``shingles`` of each local row, int64 (n,), ascending.
        found: components over local rows.
        pairs: verified candidate pairs (a, b, similarity) in local rows, a < b.
        shingles: must hold every text of a component of two or more.
        pool: threads.
        similarity: of a pair, in (0, 1].
        linkage_texts: components with more texts are clustered by leaders.

    Returns:
        the smallest local row of the cluster of each local row, int64 (n,); and the pairs: every pair of at least
        ``similarity`` inside small components, the given ones inside large components.
    """
    cut = CUT * similarity
    leader = np.arange(len(rows))
    sizes = found.sizes
    small = np.flatnonzero((sizes > 1) & (sizes <= linkage_texts))
    # Shares of about equal work, largest components first, so that no thread is left with the big ones.
    small = small[np.argsort(-sizes[small], kind="stable")]
    store = (rows, shingles.slot, shingles.indptr, shingles.hashes)
    shares = [small[k::16] for k in range(16)]
    parts = list(
        pool.map(lambda share: _link(share, found.indptr, found.members, *store, similarity, cut, leader), shares)
    )
    large = sizes > linkage_texts
    if large.any():
        a, b, values = pairs
        inside = large[found.of[a]]
        parts.append((a[inside], b[inside], values[inside]))
        _lead_all(np.flatnonzero(large), found, parts[-1][:2], store, cut, leader)
    a, b, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return leader, (a, b, values)


def _lead_all(
    large: np.ndarray,
    found: Components,
    pairs: tuple[np.ndarray, np.ndarray],
    store: tuple[np.ndarray, ...],
    cut: float,
    leader: np.ndarray,
) -> None:
    a, b = pairs
    order = order_pairs(b, a)
    earlier_indptr = np.concatenate([[0], np.cumsum(np.bincount(b, minlength=len(leader)))])
    earlier = a[order]
    for c in large:
        members = found.members[found.indptr[c] : found.indptr[c + 1]]
        _lead(members, earlier_indptr, earlier, *store, cut, leader)

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from bastau.narratives.clusters import _average_linkage, find_components


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in labels}


@pytest.mark.parametrize("seed", range(20))
def test_average_linkage_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    places = rng.normal(size=(n, 2)) + 3 * rng.integers(0, 3, (n, 1))
    similarity = np.exp(-np.linalg.norm(places[:, None] - places[None], axis=2))
    np.fill_diagonal(similarity, 0.0)
    distance = 1.0 - similarity
    np.fill_diagonal(distance, 0.0)
    expected = fcluster(linkage(squareform(distance, checks=False), "average"), 0.6, "distance")
    leader = np.empty(n, np.int64)
    _average_linkage(similarity.copy(), 0.4, leader)
    assert partition(leader) == partition(expected)
    assert all(leader[row] == min(np.flatnonzero(leader == leader[row])) for row in range(n))


def test_a_group_just_at_the_cut_merges_and_one_under_it_does_not():
    leader = np.empty(2, np.int64)
    _average_linkage(np.array([[0.0, 0.5], [0.5, 0.0]]), 0.5, leader)
    assert leader.tolist() == [0, 0]
    _average_linkage(np.array([[0.0, 0.49], [0.49, 0.0]]), 0.5, leader)
    assert leader.tolist() == [0, 1]


def test_components_list_their_rows_ascending_and_know_the_first():
    found = find_components(6, np.array([4, 5]), np.array([1, 4]))
    assert found.first.tolist() == [0, 1, 2, 3, 1, 1]
    inside = [found.members[a:b].tolist() for a, b in zip(found.indptr[:-1], found.indptr[1:], strict=True)]
    assert sorted(inside) == [[0], [1, 4, 5], [2], [3]]
    assert sorted(found.sizes.tolist()) == [1, 1, 1, 3]

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrative_posts import plain_jaccard

from bastau.narratives.similarity import jaccard
from bastau.shingles import shingle_sets

TEXT = st.text("abc ", min_size=1, max_size=30)


def similarity(a: str, b: str, floor: float) -> float:
    indptr, hashes = shingle_sets(pa.array([a, b]))
    return jaccard(hashes, indptr[0], indptr[1], indptr[1], indptr[2], floor)


@given(TEXT, TEXT)
def test_the_kernel_counts_what_sets_count(a, b):
    assert similarity(a, b, 0.0) == plain_jaccard(a, b)


@given(TEXT, TEXT, st.sampled_from([0.5, 0.7, 0.75, 1.0]))
def test_a_floor_hides_what_is_under_it_and_nothing_else(a, b, floor):
    exact = plain_jaccard(a, b)
    assert similarity(a, b, floor) == (exact if exact >= floor else -1.0)


@pytest.mark.parametrize(("floor", "expected"), [(0.0, 0.0), (0.7, -1.0)])
def test_texts_without_shingles_are_not_alike(floor, expected):
    assert similarity("", "", floor) == expected

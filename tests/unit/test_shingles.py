from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastau.shingles import shingle_sets


def sets_of(texts: list[str | None], n: int = 5) -> list[list[int]]:
    indptr, hashes = shingle_sets(pa.array(texts, pa.string()), n)
    return [hashes[a:b].tolist() for a, b in pairwise(indptr)]


def plain_shingles(text: str, n: int = 5) -> set[str]:
    if len(text) < n:
        return {text} if text else set()
    return {text[i : i + n] for i in range(len(text) - n + 1)}


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), max_size=8))
def test_there_are_as_many_hashes_as_distinct_shingles_and_shared_ones_agree(texts: list[str]) -> None:
    plain, hashed = [plain_shingles(t) for t in texts], sets_of(list(texts))
    for a, ha in zip(plain, hashed, strict=True):
        assert ha == sorted(set(ha))
        assert len(ha) == len(a)
        for b, hb in zip(plain, hashed, strict=True):
            assert len(set(ha) & set(hb)) == len(a & b)


@settings(deadline=None)  # the first call compiles
@given(st.text("аб", max_size=12), st.integers(1, 8))
def test_repeats_count_once_for_any_length_of_shingle(text: str, n: int) -> None:
    assert len(sets_of([text], n)[0]) == len(plain_shingles(text, n))


def test_windows_are_characters_and_not_bytes() -> None:
    assert len(sets_of(["қазақстан"])[0]) == 5
    assert len(sets_of(["жаңа"])[0]) == 1


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_or_missing_text_has_no_shingles(empty: str | None) -> None:
    assert sets_of([empty, "бес таңба", empty])[0::2] == [[], []]


def test_a_sliced_and_a_chunked_column_give_the_same_sets() -> None:
    texts = ["бірінші мәтін", None, "второй текст", "third", ""]
    whole = sets_of(texts[1:])
    sliced = pa.array(texts).slice(1)
    chunked = pa.chunked_array([pa.array(texts[1:3]), pa.array(texts[3:])])
    for column in (sliced, chunked):
        indptr, hashes = shingle_sets(column)
        assert [hashes[a:b].tolist() for a, b in pairwise(indptr)] == whole

import numpy as np
import pyarrow as pa
import pytest

from bastau.narratives.meanings import find_meanings
from bastau.narratives.terms import MOST_WORDS, find_terms, stack, with_marks


def terms(*texts: str) -> tuple[list[set[int]], list[set[int]], list[set[int]]]:
    """Return stems, pairs and meanings of each text as sets."""
    return tuple(
        [set(found.hashes[a:b].tolist()) for a, b in zip(found.indptr[:-1], found.indptr[1:], strict=True)]
        for found in (*find_terms(pa.array(texts)), find_meanings(pa.array(texts)))
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [("террористы", "террористического"), ("қазақстан", "қазақстанның"), ("governments", "government")],
)
def test_endings_do_not_make_another_stem(one: str, other: str) -> None:
    stems, _, _ = terms(one, other)
    assert stems[0] == stems[1]


@pytest.mark.parametrize(
    "spellings",
    [
        ("токаев", "тоқаев", "tokayev", "toqaev"),
        ("зеленский", "zelensky", "зеленського", "zelenskyy"),
        ("харьков", "kharkov", "харків", "kharkiv"),
        ("шымкент", "shymkent"),
        ("чернобыль", "chernobyl"),
    ],
)
def test_a_name_sounds_the_same_in_every_script(spellings: tuple[str, ...]) -> None:
    _, _, sounds = terms(*spellings)
    assert len(set.intersection(*sounds)) == 1


def test_different_names_sound_different() -> None:
    _, _, sounds = terms("токаев", "назарбаев", "мирзиёев", "жапаров")
    assert len(set.union(*sounds)) == 4


def test_numbers_are_terms_of_both_kinds_and_whole() -> None:
    stems, _, sounds = terms("1941000", "1941001", "7")
    assert len(set.union(*stems)) == len(set.union(*sounds)) == 3


def test_short_words_have_no_sounding() -> None:
    _, _, sounds = terms("the for and нет для")
    assert sounds == [set()]


def test_pairs_are_of_neighbours_and_keep_their_order() -> None:
    _, pairs, _ = terms("snow leopard sleeps", "leopard snow sleeps", "snow leopard")
    assert len(pairs[0]) == 2
    assert not pairs[0] & pairs[1]
    assert pairs[2] < pairs[0]


def test_repeats_are_counted_and_empty_texts_have_no_terms() -> None:
    stems, _ = find_terms(pa.array(["tea tea cup", "", None]))
    assert sorted(stems.counts.tolist()) == [1, 2]
    assert stems.indptr.tolist() == [0, 2, 2, 2]


def test_only_the_first_words_of_a_long_text_count() -> None:
    stems, _ = find_terms(pa.array([" ".join(f"w{k}" for k in range(MOST_WORDS + 50))]))
    assert stems.indptr[-1] == MOST_WORDS


def test_stacking_takes_rows_of_all_parts_in_the_order_asked_for() -> None:
    parts = [find_terms(pa.array(texts))[0] for texts in (["red green", "blue"], ["white black grey"])]
    found = stack(parts, np.array([2, 0]))
    assert found.indptr.tolist() == [0, 3, 5]
    assert set(found.hashes[:3].tolist()) == set(parts[1].hashes.tolist())


def test_marks_are_odd_and_words_even_and_all_ascend() -> None:
    stems, _ = find_terms(pa.array(["red green blue", "white"]))
    marked = with_marks(stems, pa.array([[5 << 40, 9 << 40, 5 << 40], None], pa.list_(pa.int64())))
    first = marked.hashes[: marked.indptr[1]].tolist()
    assert [h & 1 for h in first].count(1) == 2
    assert first == sorted(set(first))
    assert marked.hashes[marked.indptr[1] :].tolist() == stems.hashes[stems.indptr[1] :].tolist()

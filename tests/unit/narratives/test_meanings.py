"""What words stand for, in any of the three languages."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.curated_narratives import _fold
from bastau.lexicon import common_words, concepts, fold_word
from bastau.narratives.meanings import find_meanings


def meanings(*texts: str) -> list[set[int]]:
    found = find_meanings(pa.array(texts))
    return [set(found.hashes[a:b].tolist()) for a, b in zip(found.indptr[:-1], found.indptr[1:], strict=True)]


@pytest.mark.parametrize(
    "words",
    [
        ("war", "война", "соғыс"),
        ("drones", "беспилотниками", "дрон"),
        ("genocide", "геноцида", "геноциді"),
        ("токаев", "tokayev", "тоқаев"),
        ("1941", "1941"),
    ],
)
def test_words_for_one_thing_stand_for_one_thing(words: tuple[str, ...]) -> None:
    found = meanings(*words)
    assert len(found[0]) == 1
    assert all(one == found[0] for one in found)


def test_unlike_words_stand_for_unlike_things() -> None:
    found = meanings("war", "peace", "оружие", "мектеп", "1941", "1942")
    assert len(set.union(*found)) == len(found)


def test_function_words_stand_for_nothing() -> None:
    assert meanings("the of and", "это не для") == [set(), set()]


def test_a_listed_word_stands_for_its_concept_however_it_ends() -> None:
    exact, longer, other = meanings("оккупация", "оккупацией", "оккультизм")
    assert exact == longer
    assert exact != other


def test_words_of_the_dictionary_are_folded_as_posts_are() -> None:
    listed = {fold_word(word) for _, columns in concepts() for words in columns for word in words} | common_words()
    plain = sorted(word for word in listed if word.isalpha())
    assert _fold(pa.array(plain)).to_pylist() == plain


@given(st.lists(st.text("абвгe xyzқ 12", max_size=60), max_size=5))
def test_each_text_is_read_by_itself(texts: list[str]) -> None:
    assert meanings(*texts) == [meanings(text)[0] for text in texts]

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.ngrams import Ngrams

_TEXTS = st.lists(st.text(st.sampled_from("aбқ一😀 "), max_size=12).map(lambda t: " ".join(t.split())), max_size=4)


def _obvious_row(text: str, low: int, high: int, words: int) -> Counter[tuple[str, ...]]:
    """The n-grams of a text, by name."""
    found: Counter[tuple[str, ...]] = Counter()
    row = text.split()
    for word in row:
        padded = f" {word} "
        for n in range(low, high + 1):
            grams = [padded[a : a + n] for a in range(len(padded) - n + 1)]
            found.update((gram,) for gram in grams if gram != " ")
    for n in range(1, words + 1):
        found.update(("words", *row[a : a + n]) for a in range(len(row) - n + 1))
    return found


@given(_TEXTS, st.integers(1, 3), st.integers(0, 5), st.integers(0, 2))
def test_as_many_n_grams_of_each_count_as_the_obvious_way_finds(
    texts: list[str], low: int, high: int, words: int
) -> None:
    indptr, columns, counts = Ngrams((low, high), words, bits=31).features(pa.array(texts, pa.string()))
    for i, text in enumerate(texts):
        expected = _obvious_row(text, low, high, words)
        row = slice(indptr[i], indptr[i + 1])
        assert sorted(counts[row]) == sorted(expected.values())
        assert (np.diff(columns[row].astype(np.int64)) > 0).all()


def test_the_same_n_gram_is_the_same_column_in_every_text() -> None:
    ngrams = Ngrams((2, 4), bits=20)
    _, alone, _ = ngrams.features(pa.array(["мектеп"]))
    _, among, _ = ngrams.features(pa.array(["жаңа мектеп ашылды"]))
    assert set(alone.tolist()) <= set(among.tolist())


def test_columns_stay_below_the_given_bits_and_never_change() -> None:
    _, columns, _ = Ngrams((1, 5), words=2, bits=10).features(pa.array(["жаңа мектеп ашылды"]))
    assert columns.max() < 1024
    _, columns, _ = Ngrams((1, 1), bits=18).features(pa.array(["ab"]))
    assert columns.tolist() == [70854, 112930]


@given(_TEXTS)
def test_a_score_is_the_sum_of_weights_over_the_root_of_their_number(texts: list[str]) -> None:
    ngrams, column = Ngrams((1, 3), words=2, bits=8), pa.array(texts, pa.string())
    weights = np.random.default_rng(1).integers(-9, 9, (256, 3)).astype(np.int8)
    bias = np.array([0.5, 0.0, -1.0], np.float32)
    scores = ngrams.score(column, weights, bias)
    indptr, columns, counts = ngrams.features(column)
    for i in range(len(texts)):
        row = slice(indptr[i], indptr[i + 1])
        total = counts[row] @ weights[columns[row]].astype(np.float32) if row.stop > row.start else np.zeros(3)
        assert scores[i] == pytest.approx(bias + total / max(1.0, counts[row].sum()) ** 0.5, rel=1e-4, abs=1e-4)


def test_nulls_and_empty_texts_have_no_n_grams() -> None:
    indptr, columns, _ = Ngrams().features(pa.array(["", None], pa.string()))
    assert indptr.tolist() == [0, 0, 0]
    assert len(columns) == 0


def test_only_the_first_characters_are_read() -> None:
    ngrams = Ngrams((1, 5), words=1, max_chars=4)
    whole, cut = (ngrams.features(pa.array([text]))[1].tolist() for text in ("abcdefgh", "abcd"))
    assert whole == cut

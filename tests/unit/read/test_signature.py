import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastau.read.fold import Fold
from bastau.read.signature import Sign, sign_strings
from bastau.schemas import N_BANDS

ALPHABET = np.array(list("абвгдежзиклмнопрст "))


def bands(*texts: str) -> np.ndarray:
    return sign_strings(pa.array(texts))


def jaccard(a: str, b: str) -> float:
    sets = [{t[i : i + 5] for i in range(len(t) - 4)} for t in (a, b)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=5, max_size=50), st.integers(2, 4))
def test_repeated_shingles_change_nothing(text: str, times: int) -> None:
    period = text + text[:4]  # its 5-grams are those of the endless repetition
    once, often = bands(period, text * times + text[:4])
    assert (once == often).all()


def test_a_signature_is_the_same_in_every_release() -> None:
    # Stored signatures meet new ones: a change here needs a new column, not a new number.
    first = bands("бұл мәтін өзгермеуі керек")[0]
    assert first[:3].tolist() == [2300172944, 3207927547, 1972139731]


def test_texts_share_a_band_as_often_as_theory_says() -> None:
    random = np.random.default_rng(1)
    shared: dict[str, list[bool]] = {"near": [], "far": []}
    expected: dict[str, list[float]] = {"near": [], "far": []}
    for _ in range(400):
        text = ALPHABET[random.integers(0, len(ALPHABET), 120)]
        for kind, n_changes in (("near", 3), ("far", 14)):
            other = text.copy()
            other[random.integers(0, len(text), n_changes)] = "ю"
            a, b = "".join(text), "".join(other)
            pair = bands(a, b)
            shared[kind].append(bool((pair[0] == pair[1]).any()))
            expected[kind].append(1 - (1 - jaccard(a, b) ** 4) ** N_BANDS)
    for kind, hits in shared.items():
        assert np.mean(hits) == pytest.approx(np.mean(expected[kind]), abs=0.05)


def test_texts_with_nothing_in_common_share_no_band() -> None:
    pair = bands("бір екі үш төрт бес алты", "one two three four five six")
    assert not (pair[0] == pair[1]).any()


def test_a_text_shorter_than_a_shingle_is_signed_by_the_whole_of_it() -> None:
    same, other, again = bands("жаңа", "жаңб", "жаңа")
    assert (same == again).all()
    assert (same != other).any()


def test_texts_without_a_key_have_no_signature() -> None:
    posts = Fold(min_chars=16).run(
        pa.table({"title": pa.nulls(3, pa.string()), "text": ["қысқа", "бұл мәтін жеткілікті ұзын", None]})
    )
    column = Sign().run(posts)["bands"]
    assert [value is None for value in column.to_pylist()] == [True, False, True]
    assert column.to_pylist()[1] == bands("бұл мәтін жеткілікті ұзын").astype("<u4").tobytes()

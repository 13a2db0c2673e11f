"""Scores over postings equal obvious ones; candidates and features are what they say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastau.factchecks import kernels
from bastau.factchecks.features import FEATURES, Scratch, find_candidates
from bastau.factchecks.index import ClaimIndex, build_index, read_claims
from bastau.factchecks.words import read_words

WORDS = ("bank", "fire", "dog", "vote", "mask", "rain", "tower", "gold")
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join), min_size=1, max_size=12)


def index_of(*texts: str, titles: tuple[str | None, ...] = ()) -> ClaimIndex:
    rows = [(text, titles[i] if i < len(titles) else None, None) for i, text in enumerate(texts)]
    return build_index(read_claims(rows), np.full(len(rows), np.nan))


def bm25(texts: list[str], query: str) -> list[float]:
    """The formula as it is written, over lists of words."""
    documents = [list(read_words(text).stems) for text in texts]
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in set(read_words(query).stems):
            df = sum(word in d for d in documents)
            if df and word in document:
                tf = document.count(word)
                idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
                score += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(document) / mean))
        scores.append(score)
    return scores


@settings(max_examples=60)
@given(TEXTS, st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join))
def test_bm25_equals_the_formula(texts: list[str], query: str) -> None:
    index = index_of(*texts)
    found = find_candidates(index, read_words(query), Scratch.of(index), always=np.arange(len(texts)))
    scores = dict(zip(found.rows.tolist(), found.x[:, FEATURES.index("both")].tolist(), strict=True))
    assert [scores[row] for row in range(len(texts))] == pytest.approx(bm25(texts, query), rel=1e-4, abs=1e-5)


@settings(max_examples=60)
@given(TEXTS, st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join))
def test_coverage_equals_the_obvious_one(texts: list[str], query: str) -> None:
    index = index_of(*texts)
    found = find_candidates(index, read_words(query), Scratch.of(index), always=np.arange(len(texts)))
    asked = set(read_words(query).stems)
    for row, x in zip(found.rows, found.x, strict=True):
        words = list(read_words(texts[row]).stems)
        n = len(texts)

        def rarity(word: str, n: int = n) -> float:
            df = sum(word in read_words(t).stems for t in texts)
            return math.log(1 + (n - df + 0.5) / (df + 0.5))

        total = sum(map(rarity, words))
        assert x[FEATURES.index("text_found")] == pytest.approx(
            sum(rarity(w) for w in words if w in asked) / total, abs=1e-4
        )


@given(st.lists(st.floats(-5, 5, width=32), max_size=60), st.integers(1, 12))
def test_top_k_equals_sorting(scores: list[float], k: int) -> None:
    array = np.array(scores, np.float32)
    wanted = [i for i in sorted(range(len(array)), key=lambda i: (-array[i], i)) if array[i] > 0][:k]
    assert kernels.top_k(array, k).tolist() == wanted


def test_a_copy_comes_first_by_every_score_and_scratch_is_left_clean() -> None:
    index = index_of(
        "A shark swam on a flooded highway in Houston", "Vaccines contain microchips", "The moon landing was staged"
    )
    scratch = Scratch.of(index)
    found = find_candidates(index, read_words("Shark swam on flooded highway in Houston!!"), scratch)
    assert found.rows[0] == 0
    for name in ("both", "letters", "pairs", "neutral"):
        assert found.x[0, FEATURES.index(f"{name}_of_best")] == 1
    assert not any(scores.any() for scores in scratch.scores.values())
    assert not scratch.in_query.any()
    assert not scratch.is_hit.any()


def test_a_post_in_another_language_finds_the_claim_by_its_words_and_names() -> None:
    index = index_of(
        "Zelensky bought a villa in Italy",
        "Vaccines against COVID-19 contain microchips",
        "NATO promised not to expand east",
    )
    for post, row in (
        ("Зеленский купил виллу в Италии", 0),
        ("вакцинада микрочип бар", 1),
        ("НАТО обещало не расширяться на восток", 2),
    ):
        assert find_candidates(index, read_words(post), Scratch.of(index)).rows[0] == row


def test_nothing_in_common_gives_no_candidates() -> None:
    index = index_of("A shark swam on a highway")
    assert len(find_candidates(index, read_words("қымыз"), Scratch.of(index)).rows) == 0
    assert len(find_candidates(index, read_words(""), Scratch.of(index)).rows) == 0


def test_an_index_is_kept_and_mapped_and_one_of_other_claims_is_not_taken(tmp_path) -> None:  # type: ignore[no-untyped-def]
    index = index_of("A shark swam on a highway", "Vaccines contain microchips", titles=("Shark!", None))
    index.save(tmp_path / "i", "abc")
    kept = ClaimIndex.load(tmp_path / "i", "abc")
    assert kept is not None
    post = read_words("shark on the highway")
    one, two = (find_candidates(i, post, Scratch.of(i)) for i in (index, kept))
    assert one.rows.tolist() == two.rows.tolist()
    assert np.array_equal(one.x, two.x, equal_nan=True)
    assert ClaimIndex.load(tmp_path / "i", "other") is None
    assert ClaimIndex.load(tmp_path / "none", "abc") is None

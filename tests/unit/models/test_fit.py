from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from bastau.models.features import ngrams_of
from bastau.models.fit import Grams, fit_calibration, fit_logistic
from bastau.models.linear import sigmoid

WORDS = ["көл", "тау", "жол", "қала", "кітап", "мектеп", "су", "нан", "күн", "түн"]
BITS = 12


def texts_and_classes(n: int, seed: int = 3) -> tuple[list[str], np.ndarray]:
    dice = np.random.default_rng(seed)
    texts = [" ".join(dice.choice(WORDS, 6)) for _ in range(n)]
    return texts, np.array([("тау" in text) != (dice.random() < 0.1) for text in texts])


def grams_of(texts: list[str]) -> Grams:
    return Grams(*ngrams_of(BITS).features(pa.array(texts)), 1 << BITS)


def test_rows_have_length_one_on_average() -> None:
    texts, _ = texts_and_classes(50)
    grams, rows = grams_of(texts), np.arange(50)
    scales = grams.scales(rows)
    squares = []
    for first, end in pairwise(grams.indptr):
        counts = grams.counts[first:end]
        squares.append(((scales[grams.columns[first:end]] * counts) ** 2).sum() / counts.sum())
    assert np.mean(squares) == pytest.approx(1)


def test_what_tells_the_classes_apart_gets_the_largest_weight() -> None:
    texts, is_positive = texts_and_classes(400)
    grams = grams_of(texts)
    weights, bias = fit_logistic(grams, np.arange(400), is_positive)
    unseen, truth = texts_and_classes(200, seed=4)
    margins = grams_of(unseen).margins(np.arange(200), weights, bias)
    assert np.mean((margins > 0) == truth) > 0.85


def test_only_the_given_rows_are_learnt_from() -> None:
    texts, is_positive = texts_and_classes(200)
    rows = np.arange(0, 200, 2)
    part = grams_of([texts[i] for i in rows])
    first = fit_logistic(grams_of(texts), rows, is_positive[rows])
    second = fit_logistic(part, np.arange(100), is_positive[rows])
    np.testing.assert_allclose(first[0], second[0])


def test_the_weights_are_those_of_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    sparse = pytest.importorskip("scipy.sparse")
    texts, is_positive = texts_and_classes(300)
    grams, rows = grams_of(texts), np.arange(300)
    scales = grams.scales(rows)
    values = sparse.csr_matrix((grams.counts, grams.columns, grams.indptr), (300, 1 << BITS))
    n_grams = np.asarray(values.sum(axis=1)).ravel()
    scaled = sparse.diags(1 / np.sqrt(n_grams)) @ values @ sparse.diags(scales)
    theirs = linear_model.LogisticRegression(C=4, class_weight="balanced", tol=1e-8, max_iter=5000)
    theirs.fit(scaled, is_positive)
    weights, bias = fit_logistic(grams, rows, is_positive)
    ours = grams.margins(rows, weights, bias)
    np.testing.assert_allclose(ours, theirs.decision_function(scaled), atol=0.05)


def test_calibration_brings_scores_to_the_share_of_positives() -> None:
    dice = np.random.default_rng(1)
    margins = dice.normal(0, 3, 20_000)
    is_positive = dice.random(20_000) < sigmoid(0.5 * margins - 1)
    slope, shift = fit_calibration(margins, is_positive)
    assert slope == pytest.approx(0.5, abs=0.03)
    assert shift == pytest.approx(-1, abs=0.06)


def test_calibration_never_turns_the_ranking_upside_down() -> None:
    margins = np.array([-2.0, -1.0, 1.0, 2.0])
    slope, _ = fit_calibration(margins, np.array([True, True, False, False]))
    assert slope > 0

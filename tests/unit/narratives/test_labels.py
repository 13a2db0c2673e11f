import numpy as np
import pyarrow as pa
import pytest

from bastau.narratives.labels import LabelMatcher, chosen, kernel, samples_f1

TEXTS = [
    *(f"the army crossed the border and shells fell on the town {k}" for k in "abcdef"),
    *(f"warm winters melt the glaciers and the rivers run dry {k}" for k in "ghijkl"),
]
LABELS = np.array([[True, False]] * 6 + [[False, True]] * 6)


def test_labels_are_learned_from_few_texts() -> None:
    likeness = kernel(pa.array(TEXTS))
    train = np.array([0, 1, 2, 6, 7, 8])
    test = np.array([3, 4, 9, 10])
    matcher = LabelMatcher.fit(likeness[np.ix_(train, train)], LABELS[train])
    assert matcher.predict(likeness[np.ix_(test, train)]).tolist() == LABELS[test].tolist()


def test_the_likeness_of_a_text_to_itself_is_one_and_to_a_stranger_none() -> None:
    likeness = kernel(pa.array(["snow leopards sleep on the carousel", "melons weigh three pianos"]))
    assert np.allclose(np.diag(likeness), 1.0)
    assert likeness[0, 1] == 0.0


def test_what_a_text_gets_without_itself_is_what_leaving_it_out_gives() -> None:
    dice = np.random.default_rng(2)
    rows = dice.normal(size=(12, 5))
    likeness, labels, strength = rows @ rows.T, dice.random((12, 3)) < 0.4, 0.7
    inverse = np.linalg.inv(likeness + strength * np.eye(12))
    without = labels - (inverse @ labels) / np.diag(inverse)[:, None]
    for left in range(12):
        rest = np.delete(np.arange(12), left)
        weights = np.linalg.solve(likeness[np.ix_(rest, rest)] + strength * np.eye(11), labels[rest].astype(float))
        assert np.allclose(likeness[left, rest] @ weights, without[left])


def test_a_text_below_the_threshold_gets_its_best_label() -> None:
    assert chosen(np.array([[0.1, 0.2], [0.6, 0.7]]), 0.5).tolist() == [[False, True], [True, True]]


def test_samples_f1_is_the_mean_over_texts() -> None:
    true = np.array([[True, True, False], [False, False, True]])
    guess = np.array([[True, False, False], [False, True, True]])
    assert samples_f1(true, guess) == pytest.approx((2 / 3 + 2 / 3) / 2)

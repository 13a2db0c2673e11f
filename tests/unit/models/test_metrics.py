import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.models.metrics import Share, auc, best_threshold, brier, calibration_error, figures


def test_the_wilson_bounds_are_those_in_print() -> None:
    low, high = Share(20, 20).bounds
    assert (low, high) == (pytest.approx(0.8389, abs=1e-4), pytest.approx(1.0))
    low, high = Share(81, 263).bounds  # Newcombe 1998, table I
    assert (low, high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))


def test_nothing_is_known_of_no_texts() -> None:
    assert Share(0, 0).value is None
    assert Share(0, 0).bounds == (0.0, 1.0)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in rows], float)
    truth = np.array([is_positive for _, is_positive in rows])
    area = auc(scores, truth)
    pairs = [(p > q) + 0.5 * (p == q) for p in scores[truth] for q in scores[~truth]]
    if not pairs:
        assert area is None
    else:
        assert area is not None
        assert area[0] == pytest.approx(np.mean(pairs))
        assert 0 <= area[1] <= area[0] <= area[2] <= 1


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_no_threshold_has_a_higher_f1_than_the_best(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in rows], float)
    truth = np.array([is_positive for _, is_positive in rows])

    def f1(threshold: float) -> float:
        hits = int((truth & (scores >= threshold)).sum())
        return 2 * hits / max(1, int((scores >= threshold).sum() + truth.sum()))

    assert f1(best_threshold(scores, truth)) == max(f1(score) for score in scores)


def test_shares_that_come_true_have_no_calibration_error() -> None:
    scores = np.repeat([0.25, 0.75], 400)
    truth = np.concatenate([np.arange(400) % 4 == 0, np.arange(400) % 4 != 0])
    assert calibration_error(scores, truth) < 0.01
    assert calibration_error(1 - scores, truth) == pytest.approx(0.5, abs=0.01)
    assert brier(scores, truth) == pytest.approx(0.1875)


def test_figures_say_nothing_where_there_is_nothing_to_say() -> None:
    answer = figures(np.array([0.1, 0.2]), np.array([False, False]), 0.5, seed=1)
    assert answer["f1"] is None
    assert answer["auc"] is None
    assert answer["recall"]["value"] is None

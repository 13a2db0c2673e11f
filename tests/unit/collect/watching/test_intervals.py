"""When a source is visited again."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.collect.visits import Trouble
from bastau.collect.watching.intervals import (
    FEWEST_S,
    MARGIN,
    MOST_BACKOFF_S,
    SELDOM_S,
    backoff_s,
    interval_s,
    rate_after,
)

RNG = random.Random(1)


def back(trouble: Trouble, n: int, failing_s: float = 100.0, asked_s: float | None = None) -> float:
    return backoff_s(trouble, n, failing_s, 720.0, asked_s, RNG)


class TestIntervals:
    def test_busy_sources_are_visited_more_often_than_quiet_ones(self) -> None:
        assert interval_s(5000.0, 900.0, None, 0) < interval_s(600.0, 900.0, None, 0) < interval_s(1.0, 900.0, None, 0)

    def test_no_source_goes_unvisited_for_longer_than_the_bound(self) -> None:
        assert interval_s(0.001, 900.0, None, -4) == interval_s(None, 900.0, 86_400.0, 0) == 900.0 * MARGIN

    def test_a_place_that_asks_for_rest_gets_it_within_the_bound(self) -> None:
        assert interval_s(50_000.0, 900.0, 300.0, 0) == 300.0

    def test_priority_halves_the_interval(self) -> None:
        assert interval_s(1000.0, 3600.0, None, 1) == pytest.approx(interval_s(1000.0, 3600.0, None, 0) / 2)

    @given(st.floats(0, 1e6), st.floats(60, 86_400), st.one_of(st.none(), st.floats(0, 1e6)), st.integers(-4, 4))
    def test_always_between_its_bounds(self, rate: float, bound: float, asked: float | None, priority: int) -> None:
        assert FEWEST_S <= interval_s(rate, bound, asked, priority) <= max(FEWEST_S, bound * MARGIN)


class TestRates:
    def test_a_steady_rate_is_found(self) -> None:
        rate: float | None = None
        for _ in range(500):
            rate = rate_after(rate, 2, 3600.0)
        assert rate == pytest.approx(48.0, rel=0.01)

    def test_one_burst_does_not_make_a_quiet_source_busy(self) -> None:
        assert rate_after(1.0, 10, 60.0) < 12.0

    def test_a_source_that_fell_silent_is_known_as_quiet_after_days(self) -> None:
        rate: float | None = 100.0
        for _ in range(96 * 4):
            rate = rate_after(rate, 0, 900.0)
        assert rate is not None
        assert rate < 2.0


class TestBackOff:
    def test_a_first_failure_is_tried_again_within_the_usual_staleness(self) -> None:
        assert back(Trouble.SERVER, 1) <= FEWEST_S

    def test_failures_are_tried_ever_more_seldom_up_to_a_bound(self) -> None:
        assert back(Trouble.TIMEOUT, 8) > back(Trouble.TIMEOUT, 3)
        assert MOST_BACKOFF_S / 2 <= back(Trouble.TIMEOUT, 30) <= MOST_BACKOFF_S

    def test_after_a_month_once_a_day_and_never_forgotten(self) -> None:
        assert SELDOM_S / 2 <= back(Trouble.DNS, 500, 40 * 86_400.0) <= SELDOM_S

    @pytest.mark.parametrize("kind", [Trouble.LIMITED, Trouble.RESTING, Trouble.SERVER, Trouble.TIMEOUT])
    def test_retry_after_is_never_undercut(self, kind: Trouble) -> None:
        assert all(back(kind, n, asked_s=120.0) >= 120.0 for n in range(1, 5))

    def test_sources_that_failed_together_do_not_come_back_together(self) -> None:
        waits = sorted(back(Trouble.CONNECT, 4) for _ in range(200))
        assert waits[-1] - waits[0] > 0.4 * waits[-1]

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bastau.simulate.dice import Dice


def test_the_stream_is_pinned_so_that_no_release_of_numpy_changes_a_simulation() -> None:
    dice = Dice(2026, "pinned")

    assert [dice.below(1000) for _ in range(5)] == [391, 727, 373, 861, 553]


def test_each_purpose_has_its_own_stream() -> None:
    a, b = Dice(1, "a"), Dice(1, "b")

    assert [a.below(2**32) for _ in range(3)] != [b.below(2**32) for _ in range(3)]


def test_the_stream_goes_on_beyond_one_block() -> None:
    dice = Dice(1, "long")
    drawn = Counter(dice.below(7) for _ in range(70_000))

    assert set(drawn) == set(range(7))
    assert max(drawn.values()) - min(drawn.values()) < 1000


def test_weights_are_shares() -> None:
    dice = Dice(1, "weights")
    drawn = Counter(dice.weighted((1, 0, 3)) for _ in range(8000))

    assert drawn[1] == 0
    assert 2.5 < drawn[2] / drawn[0] < 3.5


@given(st.integers(0, 2**32), st.lists(st.integers(), unique=True, min_size=1), st.integers(0, 20))
def test_a_sample_holds_different_options_only(seed: int, options: list[int], n: int) -> None:
    drawn = Dice(seed, "sample").sample(options, n)

    assert len(drawn) == len(set(drawn)) == min(n, len(options))
    assert set(drawn) <= set(options)


@given(st.integers(0, 2**32), st.integers(1, 1000), st.integers(1, 20))
def test_a_log_uniform_delay_stays_in_its_range(seed: int, low: int, doublings: int) -> None:
    assert low <= Dice(seed, "delay").log_uniform(low, doublings) < low << doublings

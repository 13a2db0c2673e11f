import krippendorff
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.review.opinions import alpha, is_sampled

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units, alpha .743.
PUBLISHED = [
    [1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
    [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [5, 5, 5], [1, 1], [3],
]  # fmt: skip


class TestAlpha:
    def test_the_published_example(self) -> None:
        assert alpha(PUBLISHED) == pytest.approx(0.743, abs=0.0005)

    def test_full_agreement_is_one_and_one_value_only_is_undefined(self) -> None:
        assert alpha([["a", "a"], ["b", "b"]]) == 1
        assert alpha([["a", "a"], ["a", "a"]]) is None
        assert alpha([]) is None

    def test_opposites_are_below_chance(self) -> None:
        assert alpha([["a", "b"], ["b", "a"]]) < 0

    @given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), min_size=2, max_size=12))
    def test_a_library_says_the_same(self, units: list[list[int]]) -> None:
        ours = alpha(units)
        if ours is None:
            return
        counts = [[unit.count(value) for value in range(4)] for unit in units]
        assert ours == pytest.approx(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


class TestSampling:
    def test_the_share_is_the_rate_and_the_draw_the_same_again(self) -> None:
        drawn = [is_sampled(b"seed", f"c{n}", 1, 0.2) for n in range(5000)]
        assert 0.17 < sum(drawn) / 5000 < 0.23
        assert drawn == [is_sampled(b"seed", f"c{n}", 1, 0.2) for n in range(5000)]

    def test_another_seed_or_round_draws_anew(self) -> None:
        assert [is_sampled(b"seed", f"c{n}", 1, 0.5) for n in range(64)] != [
            is_sampled(b"other", f"c{n}", 1, 0.5) for n in range(64)
        ]
        assert [is_sampled(b"seed", f"c{n}", 1, 0.5) for n in range(64)] != [
            is_sampled(b"seed", f"c{n}", 2, 0.5) for n in range(64)
        ]

    def test_all_and_none(self) -> None:
        assert all(is_sampled(b"seed", f"c{n}", 1, 1.0) for n in range(99))
        assert not any(is_sampled(b"seed", f"c{n}", 1, 0.0) for n in range(99))

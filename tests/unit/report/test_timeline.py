import itertools
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.report.timeline import BIN_SIZES_S, MOST_SERIES, choose_bin, gaps, timeline

HOUR = timedelta(hours=1)
START = datetime(2026, 3, 3, tzinfo=UTC)


@given(st.floats(0, 20 * 365 * 86_400), st.integers(24, 100))
def test_the_bin_is_the_smallest_that_keeps_the_number_of_bins(span: float, most: int) -> None:
    size = choose_bin(span, most)
    assert span / size < most
    smaller = [s for s in BIN_SIZES_S if s < size]
    assert not smaller or span / smaller[-1] >= most


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40))
def test_gaps_cover_the_empty_bins_and_nothing_else(counts: list[int]) -> None:
    starts = [START + HOUR * i for i in range(len(counts))]
    found = gaps(starts, counts, starts[-1] + HOUR)
    inside = [any(gap.start <= start < gap.end for gap in found) for start in starts]
    assert inside == [n == 0 for n in counts]
    assert all(a.end < b.start for a, b in itertools.pairwise(found))


@pytest.mark.parametrize("first", ["other", "x"])
@pytest.mark.parametrize("n_platforms", [1, MOST_SERIES, MOST_SERIES + 4])
def test_small_series_are_summed_and_no_post_is_lost(n_platforms: int, first: str) -> None:
    con = duckdb.connect()
    con.execute(
        f"""create table t as select 1000000 * i as at_us, 'und' as language,
            case when i % {n_platforms} = 0 then '{first}' else 'p' || (i % {n_platforms}) end as platform
            from range(1000) r(i)"""
    )
    made = timeline(con, "t")
    assert len(made.by_platform) <= MOST_SERIES + 1
    assert sum(map(sum, made.by_platform.values())) == 1000
    assert {len(counts) for counts in made.by_platform.values()} == {len(made.starts)}

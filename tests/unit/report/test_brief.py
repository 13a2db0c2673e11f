import json
import math
from datetime import timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_world import PRIVATE, at, connect, hoax, rising, water, world_tables

from bastau.errors import ConfigError
from bastau.report.brief import Brief, brief, brief_json
from bastau.report.rates import rise

WEEK = (at(-1440), at(6 * 1440))


@pytest.fixture(scope="module")
def made() -> Brief:
    return brief(connect(world_tables()), *WEEK)


def test_narratives_first_seen_in_the_period_are_new_the_largest_first(made: Brief) -> None:
    assert [row.n_posts for row in made.new] == [len(water()), len(hoax())]
    assert made.n_new == 2


def test_an_older_narrative_that_grew_is_rising_with_an_interval_above_one(made: Brief) -> None:
    (row,) = made.rising
    assert row.n_posts == len(rising()) - 2
    assert row.rise.n_before == 2
    assert 1 < row.rise.low < row.rise.ratio < row.rise.high


def test_without_an_earlier_period_nothing_is_called_rising(con: duckdb.DuckDBPyConnection) -> None:
    made = brief(con, at(-20 * 1440), at(6 * 1440))
    assert (made.n_posts_before, made.rising) == (0, ())


def test_languages_count_when_they_are_certain(made: Brief) -> None:
    assert [set(row.languages) for row in made.across_languages] == [{"kk", "ru", "en"}]


def test_groups_are_shown_when_active_in_the_period_with_their_narratives(made: Brief) -> None:
    (group,) = made.coordinated
    assert group.narratives[0][0] == made.new[0].narrative_id
    assert group.n_other_accounts == 3


def test_the_origin_is_named_only_where_the_analysis_does_not_abstain(made: Brief) -> None:
    assert [(row.earliest, row.confidence) for row in made.new] == [("sunkarly_news", 0.54), (None, None)]


def test_the_timeline_and_the_coverage_span_the_whole_period(made: Brief) -> None:
    assert made.timeline.starts[0] <= WEEK[0]
    assert made.timeline.starts[-1] + timedelta(seconds=made.timeline.bin_s) >= WEEK[1]
    assert sum(sum(coverage.counts) for coverage in made.coverage) == made.n_posts
    assert all(coverage.gaps[-1].end >= WEEK[1] for coverage in made.coverage)


def test_counts_add_up(made: Brief) -> None:
    assert made.n_rejects == 1
    assert made.reject_reasons == (("bad_time", 1),)
    assert sum(map(sum, made.timeline.by_language.values())) == made.n_posts
    assert made.n_narratives == 3


def test_no_pseudonym_is_anywhere_in_a_brief(made: Brief) -> None:
    told = json.dumps(brief_json(made), ensure_ascii=False)
    assert "p~" not in told
    assert PRIVATE[2:] not in told


def test_an_empty_store_gives_an_empty_brief() -> None:
    made = brief(connect({}), *WEEK)
    assert (made.n_posts, made.timeline, made.coverage, made.new) == (0, None, (), ())


def test_a_period_that_ends_before_it_begins_is_refused(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ConfigError, match="before it begins"):
        brief(con, WEEK[1], WEEK[0])


def test_the_ends_of_the_interval_leave_half_a_per_cent_in_each_tail() -> None:
    def tail(share: float, counts: range) -> float:
        return sum(math.comb(12, k) * share**k * (1 - share) ** (12 - k) for k in counts)

    found = rise(10, 2, 100, 100)
    assert found.ratio == 5
    assert tail(found.low / (1 + found.low), range(10, 13)) == pytest.approx(0.005)
    assert tail(found.high / (1 + found.high), range(11)) == pytest.approx(0.005)


def test_more_collected_is_not_more_said() -> None:
    assert rise(20, 10, 2000, 1000).ratio == 1
    assert rise(20, 10, 2000, 1000).low < 1


def test_what_was_not_there_before_has_no_ratio_but_a_lower_bound() -> None:
    found = rise(40, 0, 100, 100)
    assert (found.ratio, found.high) == (None, None)
    assert found.low > 5


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_interval_holds_the_ratio(now: int, before: int, total_now: int, total_before: int) -> None:
    found = rise(now, before, total_now, total_before)
    assert 0 <= found.low < found.ratio < found.high

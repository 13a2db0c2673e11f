from typing import Any

import ibis
import pytest
from sources_world import HOUR, T0, World, key, post, world

from bastau.settings import Sources
from bastau.sources.firstseen import CERTAIN, REASONS, origins
from bastau.sources.relations import Keep

WATCHED = [post(f"w{h}", h * HOUR - 90 * HOUR, "watch") for h in range(100)]
"""A post every hour from 90 hours before T0, so that the lead-in is covered."""


def origin(con: ibis.BaseBackend, keep: Keep, rows: list[dict[str, Any]], **given: Any) -> dict[str, Any]:
    tables: World = world(con, rows)
    table = origins(
        tables.posts, tables.readings, tables.members, tables.narratives, keep=keep, settings=Sources(**given)
    )
    (row,) = [row for row in table.to_pylist() if row["narrative_key"] == key("n")]
    assert row["reason"] is None or row["reason"] in REASONS
    return row


def confidences(row: dict[str, Any]) -> dict[str, float]:
    return {candidate["source"]: candidate["confidence"] for candidate in row["candidates"]}


def test_a_lone_first_publisher_seen_with_full_coverage_is_named_with_confidence(
    con: ibis.BaseBackend, keep: Keep
) -> None:
    row = origin(con, keep, [*WATCHED, post("a", 10, "A", "n"), post("b", 9000, "B", "n")])
    assert (row["abstained"], row["reason"], row["coverage"]) == (False, None, 1.0)
    assert confidences(row) == {"A": CERTAIN}
    assert row["candidates"][0]["post_id"] == "telegram:a"


def test_the_interval_runs_from_the_last_earlier_hour_looked_at_to_the_first_post(
    con: ibis.BaseBackend, keep: Keep
) -> None:
    row = origin(con, keep, [*WATCHED, post("x", -30, "X"), post("a", 10, "A", "n")])
    assert row["seen_by"].timestamp() == T0 + 10
    # T0 is 800 seconds into its hour: both the watched post at T0 and x lie in the same hour as a
    assert row["seen_after"].timestamp() == T0 - HOUR


def test_rivals_within_the_clock_error_share_alike_and_later_ones_lose(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [*WATCHED, post("a", 0, "A", "n"), post("b", 60, "B", "n"), post("c", 180, "C", "n")]
    row = origin(con, keep, rows)
    found = confidences(row)
    assert found["A"] == found["B"]
    assert found["C"] == pytest.approx(found["A"] / 4, abs=1e-4)
    assert sum(found.values()) == pytest.approx(CERTAIN, abs=1e-3)
    assert row["reason"] == "rivals"


def test_a_longer_lead_raises_the_first_candidate(con: ibis.BaseBackend, keep: Keep) -> None:
    leads = [
        confidences(origin(con, keep, [*WATCHED, post("a", 0, "A", "n"), post("b", lead, "B", "n")]))["A"]
        for lead in (30, 90, 200, 5000)
    ]
    assert leads == sorted(leads)
    assert leads[0] < leads[-1]


def test_gaps_in_the_lead_in_lower_confidence_then_make_it_abstain(con: ibis.BaseBackend, keep: Keep) -> None:
    first, story = post("w", -200 * HOUR, "watch"), post("a", 0, "A", "n")
    half = origin(con, keep, [first, *WATCHED[18:90:4], *WATCHED[19:90:4], *WATCHED[20:90:4], story])
    assert half["coverage"] == pytest.approx(0.75, abs=0.02)
    assert confidences(half)["A"] == pytest.approx(CERTAIN * half["coverage"], abs=1e-3)
    assert half["reason"] == "partial_coverage"
    poor = origin(con, keep, [first, *WATCHED[18:90:4], story])
    assert (poor["abstained"], poor["reason"], poor["candidates"]) == (True, "low_coverage", [])


def test_a_narrative_that_begins_with_the_data_has_no_named_origin(con: ibis.BaseBackend, keep: Keep) -> None:
    row = origin(con, keep, [*WATCHED[60:], post("a", 0, "A", "n")])
    assert (row["abstained"], row["reason"], row["candidates"]) == (True, "starts_with_data", [])


def test_private_posts_before_lower_confidence_and_are_only_counted(con: ibis.BaseBackend, keep: Keep) -> None:
    private = [post(f"p{i}", i, "p~" + str(i), "n") for i in range(3)]
    row = origin(con, keep, [*WATCHED, *private, post("a", 500, "A", "n")])
    assert (row["n_earlier_private"], row["reason"]) == (3, "private_earlier")
    assert confidences(row) == {"A": pytest.approx(CERTAIN / 4, abs=1e-3)}


def test_a_narrative_of_private_posts_names_nobody(con: ibis.BaseBackend, keep: Keep) -> None:
    row = origin(con, keep, [*WATCHED, post("a", 0, "p~a", "n"), post("b", 5, "p~b", "n")])
    assert (row["abstained"], row["reason"], row["candidates"]) == (True, "only_private", [])


@pytest.mark.parametrize("declared", [{"repost_of": "unseen"}, {"forwarded_from": "unseen"}])
def test_a_first_post_taken_from_somewhere_unobserved_is_no_origin(
    con: ibis.BaseBackend, keep: Keep, declared: dict[str, str]
) -> None:
    row = origin(con, keep, [*WATCHED, post("a", 0, "A", "n", **declared)])
    assert (row["abstained"], row["reason"], row["candidates"]) == (True, "origin_unobserved", [])


def test_a_first_post_whose_declared_origin_is_observed_ranks_below_it(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [*WATCHED, post("a", 0, "A", "n", forwarded_from="B"), post("b", 30, "B", "n")]
    row = origin(con, keep, rows)
    assert [candidate["source"] for candidate in row["candidates"]] == ["B", "A"]
    assert row["reason"] == "declared_copy"


def test_a_post_that_points_elsewhere_is_a_weaker_candidate_but_its_own_address_is_not_elsewhere(
    con: ibis.BaseBackend, keep: Keep
) -> None:
    own = origin(con, keep, [*WATCHED, post("a", 0, "A", "n", url="u", urls=["u"])])
    other = origin(con, keep, [*WATCHED, post("a", 0, "A", "n", url="u", urls=["v"])])
    assert confidences(other)["A"] < confidences(own)["A"] == CERTAIN
    assert other["reason"] == "points_elsewhere"


def test_a_source_is_one_candidate_however_often_it_posts(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [
        *WATCHED,
        *(post(f"a{i}", i, "A", "n") for i in range(9)),
        *(post(f"c{i}", i, f"C{i}", "n") for i in range(9)),
    ]
    row = origin(con, keep, rows)
    sources = [candidate["source"] for candidate in row["candidates"]]
    assert len(sources) == len(set(sources)) == 5

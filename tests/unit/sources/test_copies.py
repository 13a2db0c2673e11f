import ibis
import pytest
from sources_world import World, post, world

from bastau.schemas import COPIES
from bastau.sources.copies import MAX_ORIGINALS, copies
from bastau.sources.relations import Keep
from bastau.tables import conform


def edges(tables: World, keep: Keep, clock_error_s: int = 60) -> dict[tuple[str, str, str], float]:
    found = copies(tables.posts, tables.readings, tables.members, keep=keep, clock_error_s=clock_error_s)
    names = {row["post_key"]: row["post_id"].split(":")[1] for row in tables.posts.to_pyarrow().to_pylist()}
    rows = conform(found.to_pyarrow(), COPIES).to_pylist()
    result = {(names[row["from_post"]], names[row["to_post"]], row["kind"]): row["credit"] for row in rows}
    assert len(result) == len(rows), "an edge is given twice"
    return result


def test_a_repost_points_to_the_post_it_names(con: ibis.BaseBackend, keep: Keep) -> None:
    tables = world(con, [post("a", 0), post("b", 10, repost_of="a"), post("c", 20, repost_of="gone")])
    assert edges(tables, keep) == {("a", "b", "repost"): 1.0}


def test_a_forward_points_to_the_latest_earlier_post_of_its_source_else_to_its_earliest(
    con: ibis.BaseBackend, keep: Keep
) -> None:
    rows = [
        post("a1", 0, "A", "n"),
        post("a2", 1000, "A", "n"),
        post("a3", 9000, "A", "n"),
        post("same", 1000, "B", "n", forwarded_from="A"),
        post("later", 2000, "C", "n", forwarded_from="A"),
        post("before", -500, "D", "n", forwarded_from="A"),
        post("elsewhere", 2000, "E", "m", forwarded_from="A"),
    ]
    forwards = {edge[:2] for edge in edges(world(con, rows), keep) if edge[2] == "forward"}
    assert forwards == {("a2", "same"), ("a2", "later"), ("a1", "before")}


def test_a_link_points_to_the_earliest_post_at_that_address(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [
        post("a", 0, "A", url="https://a.kz/1"),
        post("a-again", 50, "A", url="https://a.kz/1"),
        post("b", 100, "B", urls=["https://a.kz/1", "https://other.kz/"]),
        post("own", 100, "A", urls=["https://a.kz/1"]),
    ]
    assert edges(world(con, rows), keep) == {("a", "b", "link"): 1.0}


def test_a_repost_that_also_carries_the_address_is_one_edge(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [post("a", 0, url="https://a.kz/1"), post("b", 9, repost_of="a", urls=["https://a.kz/1"])]
    assert edges(world(con, rows), keep) == {("a", "b", "repost"): 1.0}


def test_a_near_copy_points_to_the_first_of_its_text_and_a_new_text_to_the_first_of_the_narrative(
    con: ibis.BaseBackend, keep: Keep
) -> None:
    rows = [
        post("a", 0, "A", "n", text="one"),
        post("b", 1000, "B", "n", text="one"),
        post("c", 2000, "C", "n", text="two"),
        post("d", 3000, "D", "n", text="two"),
        post("alone", 3000, "E", "m"),
    ]
    assert edges(world(con, rows), keep) == {
        ("a", "b", "near_copy"): 1.0,
        ("a", "c", "near_copy"): 1.0,
        ("c", "d", "near_copy"): 1.0,
    }


def test_credit_is_split_over_originals_within_the_clock_error_who_are_no_copies_of_each_other(
    con: ibis.BaseBackend, keep: Keep
) -> None:
    rows = [post("a", 0, narrative="n"), post("b", 60, narrative="n"), post("c", 61, narrative="n")]
    assert edges(world(con, rows), keep) == {("a", "c", "near_copy"): 0.5, ("b", "c", "near_copy"): 0.5}


def test_a_crowd_of_originals_gives_few_edges_and_keeps_the_rest_of_the_credit(
    con: ibis.BaseBackend, keep: Keep
) -> None:
    rows = [post(f"o{i}", i, narrative="n") for i in range(20)] + [post("late", 500, narrative="n")]
    found = edges(world(con, rows), keep)
    assert len(found) == MAX_ORIGINALS
    assert sum(found.values()) == pytest.approx(MAX_ORIGINALS / 20)


def test_a_post_that_declares_its_origin_is_no_near_copy_of_another(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [
        post("a", 0, narrative="n"),
        post("b", 1000, narrative="n", repost_of="unseen"),
        post("c", 1000, narrative="n", forwarded_from="unseen"),
    ]
    assert edges(world(con, rows), keep) == {}


def test_nobody_copies_themselves(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [
        post("a", 0, "A", "n", url="https://a.kz/1"),
        post("b", 1000, "A", "n", urls=["https://a.kz/1"]),
        post("c", 2000, "A", "n", repost_of="a"),
        post("d", 3000, "A", "n", forwarded_from="A"),
    ]
    assert edges(world(con, rows), keep) == {}


def test_delays_and_publisher_flags_are_those_of_the_two_ends(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [post("a", 30), post("b", 10, repost_of="a"), post("c", 40, "p~c", repost_of="a")]
    tables = world(con, rows)
    found = copies(tables.posts, tables.readings, tables.members, keep=keep, clock_error_s=60).to_pyarrow().to_pylist()
    assert {(row["to_source"], row["delay_s"], row["both_publishers"]) for row in found} == {
        ("b", -20.0, True),
        ("p~c", 10.0, False),
    }

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sources_world import key, post, world
from sources_world import shares as share_table

from bastau.evaluate.coordination import brute_force_pairs
from bastau.settings import Sources
from bastau.sources import coordination
from bastau.sources.coordination import co_share_pairs, co_shares, shares
from bastau.sources.relations import Keep

Share = tuple[str, str, str | int, float]


def pairs(con: ibis.BaseBackend, keep: Keep, table: pa.Table, **given: int) -> dict[tuple[str, str], int]:
    table = co_shares(con.create_table("shares", table, overwrite=True), keep=keep, settings=Sources(**given))
    return {(row["source_a"], row["source_b"]): row["n_objects"] for row in table.to_pylist()}


# ---- shares --------------------------------------------------------------------------------------------


def traces(con: ibis.BaseBackend, rows: list[dict[str, object]]) -> set[tuple[str, str, int]]:
    tables = world(con, rows)
    found = shares(tables.posts, tables.readings, tables.members).to_pyarrow().to_pylist()
    return {(row["source"], row["trace"], row["object_key"]) for row in found}


def test_a_post_shares_its_links_its_hashtags_and_its_narrative(con: ibis.BaseBackend) -> None:
    rows = [post("a", 0, narrative="n", urls=["u", "v"], hashtags=["x", "y", "z"], url="own")]
    assert traces(con, rows) == {
        ("a", "link", key("u")),
        ("a", "link", key("v")),
        ("a", "hashtags", key("x y z")),
        ("a", "near_copy", key("n")),
    }


def test_a_post_does_not_share_its_own_address(con: ibis.BaseBackend) -> None:
    assert traces(con, [post("a", 0, url="own", urls=["own", "u"])]) == {("a", "link", key("u"))}


def test_a_short_text_is_not_a_shared_object(con: ibis.BaseBackend) -> None:
    assert traces(con, [post("a", 0, narrative="n", n_words=4)]) == set()


def test_a_repost_shares_the_original_and_nothing_else(con: ibis.BaseBackend) -> None:
    rows = [post(name, 0, narrative="n", urls=["u"], repost_of="unseen") for name in "ab"]
    found = traces(con, rows)
    assert {(source, trace) for source, trace, _ in found} == {("a", "repost"), ("b", "repost")}
    assert len({what for _, _, what in found}) == 1


# ---- pairs ---------------------------------------------------------------------------------------------

events = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["link", "repost"]), st.integers(0, 5), st.integers(0, 400)),
    max_size=60,
)


@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events, st.sampled_from([1, 7, 60]), st.sampled_from([1, 2, 3]))
def test_pairs_and_their_counts_equal_comparing_all_shares(rows: list[Share], window_s: int, least: int) -> None:
    table = share_table(rows)
    expected = {pair: n for pair, n in brute_force_pairs(table, window_s).items() if n >= least}
    found = co_share_pairs(table, window_s, min_objects=least).to_pylist()
    assert {(row["source_a"], row["source_b"]): row["n_objects"] for row in found} == expected


def test_the_window_includes_its_end_and_ignores_bucket_borders() -> None:
    rows = [("a", "link", o, 1000.0 * o) for o in range(3)]
    near = [("b", "link", o, 1000.0 * o + 60) for o in range(3)]
    far = [("c", "link", o, 1000.0 * o - 61) for o in range(3)]
    found = co_share_pairs(share_table(rows + near + far), 60).to_pylist()
    assert [(row["source_a"], row["source_b"], row["n_objects"]) for row in found] == [("a", "b", 3)]


def test_a_pair_is_tested_from_three_objects_or_two_of_two_kinds(con: ibis.BaseBackend, keep: Keep) -> None:
    def both(a: str, b: str, *what: tuple[str, str]) -> list[Share]:
        return [(who, trace, name, 1000.0 * i) for who in (a, b) for i, (trace, name) in enumerate(what)]

    rows = [
        *both("a", "b", ("link", "1"), ("link", "2"), ("link", "3")),
        *both("c", "d", ("link", "4"), ("repost", "5")),
        *both("e", "f", ("link", "6"), ("link", "7")),
        *both("g", "h", ("link", "8")),
    ]
    assert pairs(con, keep, share_table(rows)) == {("a", "b"): 3, ("c", "d"): 2}


def test_the_same_object_again_is_not_another_object(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [(who, "link", "1", 1000.0 * i) for who in "ab" for i in range(5)]
    assert pairs(con, keep, share_table([*rows, ("a", "link", "2", 9e5), ("b", "link", "2", 9e4)])) == {}


def test_one_post_with_text_tags_and_link_is_one_occasion(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [(who, trace, trace, 0.0) for who in "ab" for trace in ("link", "hashtags", "near_copy")]
    table = share_table(rows)
    once = table.set_column(4, table.schema.field("post_key"), pa.array([1, 1, 1, 2, 2, 2]))
    assert pairs(con, keep, once) == {}
    assert pairs(con, keep, table) == {("a", "b"): 3}


def test_one_narrative_every_day_does_not_hide_the_different_links_in_it(con: ibis.BaseBackend, keep: Keep) -> None:
    posts = [(who, day) for who in "ab" for day in range(4)]
    rows = [(who, *shared, 86_400.0 * day) for who, day in posts for shared in (("link", str(day)), ("near_copy", "n"))]
    numbers = pa.array([number for number in range(len(posts)) for _ in range(2)])
    table = share_table(rows)
    assert pairs(con, keep, table.set_column(4, table.schema.field("post_key"), numbers)) == {("a", "b"): 5}


def test_a_pair_that_shares_much_at_other_times_is_less_surprising(con: ibis.BaseBackend, keep: Keep) -> None:
    together = [(who, "link", o, 1000.0 * o) for who in "ab" for o in range(3)]
    apart = [(who, "link", 100 + o, 1e5 * o + (50_000 if who == "a" else 0)) for who in "ab" for o in range(300)]
    tables = [con.create_table(name, share_table(rows)) for name, rows in (("x", together), ("y", together + apart))]
    few, many = (co_shares(table, keep=keep, settings=Sources()).to_pylist()[0] for table in tables)
    assert few["n_objects"] == many["n_objects"] == 3
    assert few["expected"] < many["expected"]
    assert few["p_value"] < many["p_value"]


def test_bursts_of_others_make_a_coincidence_expected(con: ibis.BaseBackend, keep: Keep) -> None:
    pair = [(who, "link", o, 100_000.0 * o) for who in "ab" for o in range(3)]
    calm = [(f"x{o}-{i}", "link", o, 100_000.0 * o + 20_000 * (i + 1)) for o in range(3) for i in range(30)]
    burst = [(f"x{o}-{i}", "link", o, 100_000.0 * o + i) for o in range(3) for i in range(30)]
    expected = [
        co_shares(con.create_table(name, share_table(pair + rows)), keep=keep, settings=Sources()).to_pylist()[0][
            "expected"
        ]
        for name, rows in (("calm", calm), ("burst", burst))
    ]
    assert expected[0] < 0.1
    assert expected[1] > 2


# ---- objects too popular to compare everybody with everybody -----------------------------------------------


def crowd(rng: np.random.Generator, what: str, n: int, n_sources: int, span_s: int) -> list[Share]:
    return [
        (f"c{who}", "link", what, float(at))
        for who, at in zip(rng.integers(0, n_sources, n), rng.integers(0, span_s, n), strict=True)
    ]


def test_a_pair_with_one_ordinary_object_in_common_is_counted_exactly_over_hot_ones(
    con: ibis.BaseBackend, keep: Keep
) -> None:
    rng = np.random.default_rng(0)
    hot = [row for what in ("h1", "h2") for row in crowd(rng, what, 3000, 3000, 900)]
    pair = [(who, "link", what, at) for who in "ab" for what, at in (("h1", 400.0), ("h2", 500.0), ("cold", 5e4))]
    assert pairs(con, keep, share_table(hot + pair))["a", "b"] == 3


@pytest.mark.parametrize("size", [2, 12, 150])
def test_a_group_that_shares_only_hot_objects_is_connected(con: ibis.BaseBackend, keep: Keep, size: int) -> None:
    rng = np.random.default_rng(1)
    hot = [row for what in ("h1", "h2", "h3") for row in crowd(rng, what, 5000, 5000, 1800)]
    group = [
        (f"g{i}", "link", what, at + float(rng.integers(0, 6)))
        for what, at in (("h1", 300.0), ("h2", 717.0), ("h3", 1300.0))
        for i in range(size)
    ]
    found = pairs(con, keep, share_table(hot + group))
    reached, border = {"g0"}, {"g0"}
    while border:
        border = {b for pair in found for a, b in (pair, pair[::-1]) if a in border and b[0] == "g"} - reached
        reached |= border
    assert len(reached) == size
    assert all(n == 3 for (a, b), n in found.items() if a[0] == b[0] == "g")


def test_pairs_over_hot_objects_are_real(con: ibis.BaseBackend, keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordination, "HOT_CELL", 3)
    rng = np.random.default_rng(2)
    rows = [(f"s{rng.integers(30)}", "link", int(rng.integers(6)), float(rng.integers(600))) for _ in range(400)]
    truth = {pair: n for pair, n in brute_force_pairs(share_table(rows), 60).items() if n >= 3}
    found = pairs(con, keep, share_table(rows))
    assert found.items() <= brute_force_pairs(share_table(rows), 3600).items()
    assert len(found.keys() & truth.keys()) >= 0.7 * len(truth)  # chance pairs in a crowd; a group meets in more keys

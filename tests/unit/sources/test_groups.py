from itertools import combinations
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources_world import T0, post, world
from sources_world import shares as share_table

from bastau.schemas import COORDINATION
from bastau.settings import Sources
from bastau.sources.coordination import co_shares, count_tests, shares
from bastau.sources.groups import _without_lone_pairs, adjust, groups
from bastau.sources.relations import Keep

Rows = list[dict[str, Any]]
DAY = 86_400


def found(con: ibis.BaseBackend, keep: Keep, rows: Rows) -> list[dict[str, Any]]:
    tables = world(con, rows)
    shared = keep(shares(tables.posts, tables.readings, tables.members))
    pairs = co_shares(shared, keep=keep, settings=Sources())
    table = groups(pairs, shared, tables.posts, tables.readings, tables.members, settings=Sources())
    assert table.schema == COORDINATION
    return table.to_pylist()


def everyday(rng: np.random.Generator, n: int = 600, n_sources: int = 150, n_links: int = 60) -> Rows:
    """Sources that share popular links at their own times over thirty days."""
    return [
        post(f"e{i}", float(rng.integers(30 * DAY)), f"e{rng.integers(n_sources)}", urls=[f"l{rng.integers(n_links)}"])
        for i in range(n)
    ]


def squad(names: list[str], days: list[float], spread_s: float = 5) -> Rows:
    """Sources that share one link a day within seconds, in an order that changes."""
    return [
        post(f"{name}-{d}", day * DAY + spread_s * ((i * 7 + d) % len(names)) / len(names), name, urls=[f"s{d}"])
        for d, day in enumerate(days)
        for i, name in enumerate(names)
    ]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_sources_that_keep_sharing_within_seconds_are_one_group(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    rows = everyday(rng) + squad(["A", "B", "C", "D"], [1, 2, 3, 9, 10])
    (group,) = found(con, keep, rows)
    assert group["sources"] == ["A", "B", "C", "D"]
    assert (group["n_other_accounts"], group["n_objects"], group["traces"]) == (0, 5, ["link"])
    assert 0 < group["p_value"] <= Sources().max_q
    assert [(w["from"].timestamp() - T0) // DAY for w in group["windows"]] == [1, 9]
    example = group["examples"][0]
    assert example["trace"] == "link"
    assert example["object"] in {f"s{d}" for d in range(5)}
    assert sorted(post_id.split(":")[1][0] for post_id in example["post_ids"]) == ["A", "B", "C", "D"]


def test_private_accounts_are_a_count_and_never_named(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    rows = everyday(rng) + squad(["A", "B", "p~1", "p~2", "p~3"], [1, 2, 3, 4])
    (group,) = found(con, keep, rows)
    assert (group["sources"], group["n_other_accounts"]) == (["A", "B"], 3)
    assert "p~" not in str(group)


def test_a_group_with_one_publisher_is_not_reported(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    assert found(con, keep, everyday(rng) + squad(["A", "p~1", "p~2"], [1, 2, 3, 4])) == []


def test_two_groups_stay_two(con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator) -> None:
    second = squad(["X", "Y", "Z"], [5.5, 6.5, 7.5])
    for row in second:
        row["urls"] = [f"other-{row['urls'][0]}"]
    rows = everyday(rng) + squad(["A", "B", "C"], [1, 2, 3]) + second
    assert sorted(group["sources"] for group in found(con, keep, rows)) == [["A", "B", "C"], ["X", "Y", "Z"]]


def test_the_order_of_rows_changes_nothing(con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator) -> None:
    rows = everyday(rng) + squad(["A", "B", "C"], [1, 2, 3])
    assert found(con, keep, rows) == found(con, keep, [rows[i] for i in rng.permutation(len(rows))])


# ---- innocent look-alikes ------------------------------------------------------------------------------


def test_everyday_sharing_gives_no_group(con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator) -> None:
    assert found(con, keep, everyday(rng, n=3000)) == []


def test_outlets_that_run_wire_copy_minutes_apart_are_no_group(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    wire = [
        post(f"w{story}-{i}", story * 7000 + float(rng.exponential(1200)), f"outlet{i}", f"story{story}")
        for story in range(80)
        for i in rng.choice(12, 6, replace=False)
    ]
    assert found(con, keep, everyday(rng) + wire) == []


def test_a_viral_burst_is_no_group(con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator) -> None:
    viral = [
        post(
            f"v{video}-{i}", video * DAY + float(rng.exponential(300)), f"e{rng.integers(400)}", urls=[f"viral{video}"]
        )
        for video in range(6)
        for i in range(200)
    ]
    assert found(con, keep, everyday(rng) + viral) == []


def test_a_holiday_greeting_by_many_at_once_is_no_group(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    greetings = [
        post(f"g{i}-{g}", float(rng.integers(120)), f"e{i}", f"greeting{g}", n_words=3)
        for i in range(150)
        for g in range(3)
    ]
    longer = [post(f"h{i}", 600 + float(rng.integers(60)), f"e{i}", "long greeting", n_words=9) for i in range(150)]
    assert found(con, keep, everyday(rng) + greetings + longer) == []


# ---- tests and adjustment ------------------------------------------------------------------------------


@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=20), st.integers(0, 1000))
def test_adjusted_values_reject_what_the_step_up_procedure_rejects(p_values: list[float], more: int) -> None:
    m, level = len(p_values) + more, 0.05
    p = np.array(p_values)
    ordered = np.sort(p)
    passing = np.flatnonzero(ordered <= level * np.arange(1, len(p) + 1) / m)
    limit = ordered[passing[-1]] if len(passing) else -1.0
    adjusted = adjust(p, m)
    clear = np.abs(adjusted - level) > 1e-9  # rounding at the very border
    assert ((adjusted <= level) == (p <= limit))[clear].all()


@pytest.mark.parametrize("kinds", [["link"], ["link", "repost"]])
def test_the_number_of_tests_bounds_the_pairs_with_enough_in_common(con: ibis.BaseBackend, kinds: list[str]) -> None:
    rng = np.random.default_rng(3)
    rows = [(f"s{rng.integers(40)}", kinds[rng.integers(len(kinds))], int(rng.pareto(1) * 3), 0.0) for _ in range(300)]
    shared: dict[str, set[tuple[str, object]]] = {}
    for source, trace, what, _ in rows:
        shared.setdefault(source, set()).add((trace, what))
    commons = [one & other for one, other in combinations(shared.values(), 2)]
    truth = sum(len(common) >= 3 or len({trace for trace, _ in common}) >= 2 for common in commons)
    bound = count_tests(con.create_table("shares", share_table(rows)), Sources())
    assert truth <= bound < 1.2 * truth


def test_one_trending_object_adds_no_tests(con: ibis.BaseBackend) -> None:
    squad_rows = [(f"g{i}", "link", o, 1000.0 * o) for i in range(3) for o in range(3)]
    crowd = [(f"c{i}", "link", 0, float(i)) for i in range(5000)]
    assert count_tests(con.create_table("shares", share_table(squad_rows + crowd)), Sources()) == 3


def test_no_shares_give_no_groups(con: ibis.BaseBackend, keep: Keep) -> None:
    tables = world(con, [post("a", 0, "A")])
    none = con.create_table("none", share_table([]))
    pairs = co_shares(none, keep=keep, settings=Sources())
    assert groups(pairs, none, tables.posts, tables.readings, tables.members, settings=Sources()) == pa.table(
        {f.name: pa.array([], f.type) for f in COORDINATION}, COORDINATION
    )


# ---- more look-alikes, and what must be found all the same ---------------------------------------------------


def agency_prints(byline: str, platform: str = "web", gap_s: float = 7.0) -> Rows:
    """Six newsrooms whose systems print every text of an agency within seconds, in an order that changes."""
    return [
        post(
            f"{i}-{story}",
            story * 20_000 + gap_s * ((i * 5 + story) % 6),
            f"paper{i}",
            f"story{story}",
            text=f"story{story}{byline}",
            platform=platform,
        )
        for story in range(12)
        for i in range(6)
    ]


def with_wires(con: ibis.BaseBackend, keep: Keep, rows: Rows) -> list[dict[str, Any]]:
    from bastau.sources.wires import printed, wire_copies, wires

    tables = world(con, rows)
    prints = keep(printed(tables.posts, tables.members, tables.narratives, keep=keep))
    copies = keep(wire_copies(prints, keep(wires(prints, keep=keep)), keep=keep))
    shared = keep(shares(tables.posts, tables.readings, tables.members, copies))
    pairs = co_shares(shared, keep=keep, settings=Sources())
    return groups(pairs, shared, tables.posts, tables.readings, tables.members, settings=Sources()).to_pylist()


def test_newsrooms_that_print_an_agency_within_seconds_are_no_group(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    assert with_wires(con, keep, everyday(rng) + agency_prints(" (Reuters)")) == []
    (group,) = with_wires(con, keep, everyday(rng) + agency_prints(""))
    assert (group["sources"], group["n_wire_copies"]) == ([f"paper{i}" for i in range(6)], 0)


def test_writing_an_agency_over_ones_texts_hides_no_links(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    rows = agency_prints(" (Reuters)")
    for row in rows:
        row["urls"] = [f"shop/{row['narrative']}"]
    (group,) = with_wires(con, keep, everyday(rng) + rows)
    assert (group["traces"], group["n_wire_copies"]) == (["link"], 12)


def test_accounts_that_paste_an_agency_in_step_are_a_group(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    (group,) = with_wires(con, keep, everyday(rng) + agency_prints(" (Reuters)", platform="x"))
    assert group["traces"] == ["near_copy"]


def test_fans_who_repost_one_author_are_no_group(con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator) -> None:
    fans = [
        post(f"f{song}-{i}", song * DAY + 40 * 2 ** float(rng.uniform(0, 9)), f"fan{i}", repost_of=f"star{song}")
        for song in range(12)
        for i in range(14)
        if rng.random() < 0.5
    ]
    assert found(con, keep, everyday(rng) + fans) == []


def test_a_charity_appeal_is_no_group(con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator) -> None:
    appeal = [
        post(
            f"a{n}-{i}",
            n * DAY + float(rng.exponential(4000)),
            f"e{rng.integers(150)}",
            f"appeal{n}",
            urls=[f"help{n}"],
        )
        for n in range(4)
        for i in range(40)
    ]
    assert found(con, keep, everyday(rng) + appeal) == []


def test_readers_who_use_a_share_button_are_no_group(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    shared = [
        post(
            f"b{n}-{i}",
            n * DAY + 120 * 2 ** float(rng.uniform(0, 9)),
            f"e{rng.integers(80)}",
            f"head{n}",
            urls=[f"art{n}"],
        )
        for n in range(10)
        for i in range(25)
    ]
    assert found(con, keep, everyday(rng) + shared) == []


def test_quoting_an_official_statement_is_no_group(con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator) -> None:
    """Twenty channels quote what is said at press conferences within minutes; two of them are always quick."""
    rows = []
    for n in range(15):
        slow = [(f"ch{i}", float(rng.uniform(60, 2400))) for i in rng.choice(20, 9, replace=False)]
        quick = [("quick1", float(rng.uniform(20, 60))), ("quick2", float(rng.uniform(20, 60)))]
        rows += [
            post(f"q{n}-{who}", n * 30_000 + at, who, f"statement{n}", text=f"statement{n} {who}", n_words=9)
            for who, at in slow + quick
        ]
    assert found(con, keep, everyday(rng) + rows) == []


def test_who_always_follows_is_in_the_copy_network_and_in_no_group(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    rows = [
        post(f"{who}-{n}", n * 30_000 + at + float(rng.integers(200)), who, f"n{n}", urls=[f"u{n}"])
        for n in range(15)
        for who, at in (("leader", 0), ("follower", 240))
    ]
    assert found(con, keep, everyday(rng) + rows) == []


def test_a_group_that_takes_minutes_is_found(con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator) -> None:
    rows = [
        post(f"{who}-{n}", n * 90_000 + float(rng.integers(400)), f"m{who}", urls=[f"u{n}"])
        for n in range(10)
        for who in range(7)
        if rng.random() < 0.75
    ]
    (group,) = found(con, keep, everyday(rng) + rows)
    assert group["sources"] == [f"m{i}" for i in range(7)]


def test_a_group_that_drips_within_an_hour_is_found(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    rows = [
        post(f"{who}-{n}", n * 90_000 + float(rng.integers(3000)), f"m{who}", urls=[f"u{n}"])
        for n in range(12)
        for who in range(6)
    ]
    (group,) = found(con, keep, everyday(rng) + rows)
    assert group["sources"] == [f"m{i}" for i in range(6)]
    assert group["median_delay_s"] > 60


def test_a_group_that_pushes_one_address_day_after_day_is_found(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    rows = [
        post(
            f"{who}-{day}", day * DAY + 3 * ((who + day) % 4) + float(rng.integers(40_000)) * 0, f"m{who}", urls=["one"]
        )
        for day in range(8)
        for who in range(4)
    ]
    (group,) = found(con, keep, everyday(rng) + rows)
    assert (group["sources"], group["n_objects"]) == ([f"m{i}" for i in range(4)], 1)


def test_a_good_morning_every_day_is_no_group(con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator) -> None:
    rows = [
        post(f"{who}-{day}", day * DAY + float(rng.integers(60)), f"m{who}", "good morning to all of you", n_words=14)
        for day in range(10)
        for who in range(30)
    ]
    assert found(con, keep, everyday(rng) + rows) == []


def test_an_example_quotes_who_said_what_when_and_how_long_after(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    rows = squad(["A", "B", "p~aaaaaaaaaaaaaaaa"], [1, 2, 3, 4])
    for row in rows:
        row["text"] = f"buy now says @p~aaaaaaaaaaaaaaaa {'x' * 400}"
    (group,) = found(con, keep, everyday(rng) + rows)
    posts = group["examples"][0]["posts"]
    assert [p["source"] for p in posts] in (["A", "B"], ["B", "A"])
    assert posts[0]["delay_s"] == 0
    assert 0 < posts[1]["delay_s"] < 10
    assert posts[1]["published_at"] > posts[0]["published_at"]
    assert posts[0]["text"].startswith("buy now says @… ")
    assert len(posts[0]["text"]) <= 300
    assert "p~" not in str(group)


# ---- traps of scale and of data --------------------------------------------------------------------------


def test_many_posts_of_one_sentence_are_no_group_and_no_square(con: ibis.BaseBackend, keep: Keep) -> None:
    from bastau.schemas import SHARES

    n = 300_000
    rng = np.random.default_rng(1)
    who = rng.integers(0, 200_000, n)
    columns = [
        pa.array([f"s{i}" for i in who]),
        pa.array(["near_copy"] * n),
        np.zeros(n, np.int64),
        (T0 + rng.integers(0, 7200, n)) * 1_000_000,
        np.arange(n),
    ]
    table = pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, SHARES, strict=True)], schema=SHARES)
    assert co_shares(con.create_table("one_sentence", table), keep=keep, settings=Sources()).num_rows == 0


def test_cyclic_reposts_and_posts_older_than_their_original_do_no_harm(
    con: ibis.BaseBackend, keep: Keep, rng: np.random.Generator
) -> None:
    rows = [
        *(post(f"c{i}", 1000.0 - i, f"cyc{i}", repost_of=f"c{(i + 1) % 3}") for i in range(3)),
        post("self", 0, "selfish", repost_of="self"),
        post("late", 0, "early bird", repost_of="orig"),
        post("orig", 5000, "author"),
    ]
    assert found(con, keep, everyday(rng) + rows) == []


def test_a_lone_pair_is_judged_by_itself_and_the_pairs_of_a_group_together() -> None:
    whole = [(a, b) for a in range(5) for b in range(a + 1, 5)]
    edges, together = np.array([*whole, (4, 5), (6, 7)]), np.array([0] * 6 + [1] * 2)
    doubtful, sure = np.array([0.5] * 10 + [0.5] * 2), np.array([0.5] * 10 + [1e-3] * 2)
    assert _without_lone_pairs(edges, doubtful, together, 0.01).tolist() == [0] * 5 + [-1] * 3
    assert _without_lone_pairs(edges, sure, together, 0.01).tolist() == [0] * 6 + [1] * 2


def test_two_groups_held_together_by_one_doubtful_pair_are_two() -> None:
    triangles = [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5)]
    alone = np.array([0.5] * 7)
    assert _without_lone_pairs(np.array([*triangles, (2, 3)]), alone, np.zeros(6, int), 0.01).tolist() == [
        0,
        0,
        0,
        1,
        1,
        1,
    ]


def test_pairs_of_different_communities_hold_nothing_together() -> None:
    square = np.array([(0, 1), (1, 2), (2, 3), (3, 0)])
    assert _without_lone_pairs(square, np.full(4, 0.5), np.array([0, 0, 1, 1]), 0.01).tolist() == [-1] * 4

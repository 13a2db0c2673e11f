"""No figure about private accounts, and no difference of two, is of one to nine of them."""

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bastau.shield.cells import K, form_cells

ATTRIBUTES = ("platform", "day", "narrative")
Row = dict[str, Any]


SHAPE = pa.schema(
    [(name, pa.int64()) for name in ("number", "account", "period", "n_keys")]
    + [(name, pa.string()) for name in ATTRIBUTES]
)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


def formed(con: duckdb.DuckDBPyConnection, rows: Sequence[Row], k: int = K) -> list[Row]:
    con.register("given", pa.Table.from_pylist(list(rows), SHAPE))
    con.execute("CREATE OR REPLACE TEMP TABLE posts AS FROM given")
    form_cells(con, "posts", ATTRIBUTES, k)
    found: list[Row] = con.sql("FROM posts ORDER BY number").to_arrow_table().to_pylist()
    return found


def post(number: int, account: int, platform: str = "x", day: str = "1", narrative: str = "none", **fields: int) -> Row:
    return {
        "number": number,
        "account": account,
        "period": 0,
        "n_keys": 1,
        "platform": platform,
        "day": day,
        "narrative": narrative,
    } | fields


def n_accounts(rows: Sequence[Row]) -> int:
    """Count as the rule does, the obvious way."""
    by_period = defaultdict(set)
    for row in rows:
        by_period[row["period"], row["n_keys"]].add(row["account"])
    return max((math.ceil(len(found) / n_keys) for (_, n_keys), found in by_period.items()), default=0)


def slowly(rows: list[Row], attributes: Sequence[str], k: int) -> Iterator[Row]:
    """The same the obvious way: split a cell by its first attribute, withhold what is small, go on inside."""
    if not attributes:
        yield from rows
        return
    name = attributes[0]
    parts = defaultdict(list)
    for row in rows:
        parts[row[name]].append(row)
    withheld = {value for value, part in parts.items() if n_accounts(part) < k}
    standing = sorted(parts.keys() - withheld, key=lambda value: (n_accounts(parts[value]), value))
    rest = [row for value in withheld for row in parts[value]]
    if rest and n_accounts(rest) < k:
        rest += parts[standing.pop(0)]
    for value in standing:
        yield from slowly(parts[value], attributes[1:], k)
    if rest:
        yield from slowly([{**row, name: None} for row in rest], attributes[1:], k)


posts = st.lists(
    st.tuples(
        st.integers(0, 9), st.integers(0, 2), st.sampled_from("xt"), st.sampled_from("123"), st.sampled_from("ab")
    ),
    max_size=40,
).map(
    lambda drawn: [
        post(i, account, platform, day, narrative, period=period, n_keys=1 + period % 2)
        for i, (account, period, platform, day, narrative) in enumerate(drawn)
    ]
)


def test_ten_is_the_number(con: duckdb.DuckDBPyConnection) -> None:
    assert K == 10
    assert formed(con, [post(i, i) for i in range(9)]) == []
    assert len(formed(con, [post(i, i) for i in range(10)])) == 10
    assert formed(con, [post(i, i % 9) for i in range(30)]) == []


def test_nothing_is_withheld_where_everybody_is_in_company(con: duckdb.DuckDBPyConnection) -> None:
    rows = [post(i, i, day=str(i % 3)) for i in range(30)]
    assert formed(con, rows) == rows


def test_the_smallest_neighbour_is_withheld_with_a_lone_one(con: duckdb.DuckDBPyConnection) -> None:
    rows = (
        [post(i, i, day="1") for i in range(20)]
        + [post(20 + i, 20 + i, day="2") for i in range(12)]
        + [post(40, 40, day="3")]
    )
    days = [row["day"] for row in formed(con, rows)]
    assert days == ["1"] * 20 + [None] * 13


def test_what_is_withheld_is_still_split_by_what_follows(con: duckdb.DuckDBPyConnection) -> None:
    rows = [post(i, i, day=str(i), narrative="ab"[i % 2]) for i in range(20)]
    assert [(row["day"], row["narrative"]) for row in formed(con, rows)] == [(None, "ab"[i % 2]) for i in range(20)]


def test_an_account_under_two_keys_counts_once(con: duckdb.DuckDBPyConnection) -> None:
    rows = [post(i, i, period=i % 2) for i in range(18)]
    assert formed(con, rows) == []
    assert formed(con, [post(i, i, n_keys=2) for i in range(18)]) == []
    assert len(formed(con, [post(i, i, n_keys=2) for i in range(19)])) == 19


def test_without_posts_there_are_no_cells(con: duckdb.DuckDBPyConnection) -> None:
    assert formed(con, []) == []


@settings(max_examples=30)
@given(posts, st.integers(2, 4))
def test_is_what_splitting_by_hand_gives(con: duckdb.DuckDBPyConnection, rows: list[Row], k: int) -> None:
    slow = list(slowly(rows, ATTRIBUTES, k)) if n_accounts(rows) >= k else []
    assert formed(con, rows, k) == sorted(slow, key=lambda row: row["number"])


@settings(max_examples=30)
@given(posts, st.integers(2, 4))
def test_no_count_and_no_difference_of_counts_is_of_fewer(
    con: duckdb.DuckDBPyConnection, rows: list[Row], k: int
) -> None:
    shown = formed(con, rows, k)
    given_ = {row["number"]: row for row in rows}
    assert len(shown) in (0, len(rows))
    assert all(row[name] in (None, given_[row["number"]][name]) for row in shown for name in ATTRIBUTES)
    # Everything a reader can count: rows by any of the columns, null a value like others.
    counted: list[set[int]] = []
    for size in range(len(ATTRIBUTES) + 1):
        for by in combinations(ATTRIBUTES, size):
            groups = defaultdict(set)
            for row in shown:
                groups[tuple(row[name] for name in by)].add(row["number"])
            counted += groups.values()
    for one in counted:
        assert n_accounts([given_[i] for i in one]) >= k
        for other in counted:
            if one - other:
                assert n_accounts([given_[i] for i in one - other]) >= k


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_changes_nothing(con: duckdb.DuckDBPyConnection, seed: int) -> None:
    dice = random.Random(seed)
    rows = [post(i, dice.randrange(60), day=str(dice.randrange(5)), narrative=dice.choice("abc")) for i in range(300)]
    other = rows.copy()
    dice.shuffle(other)
    assert formed(con, rows) == formed(con, other)

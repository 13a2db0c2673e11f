from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.hashing import format_id
from bastau.narratives.changes import changes, resolve
from bastau.schemas import MEMBERS, NARRATIVE_CHANGES


def members(**narrative_of_post: int | None) -> pa.Table:
    """Return MEMBERS from p<post key>=<narrative key>."""
    rows = [
        dict.fromkeys(MEMBERS.names) | {"post_key": int(name[1:]), "narrative_key": narrative}
        for name, narrative in narrative_of_post.items()
    ]
    return pa.Table.from_pylist(rows, schema=MEMBERS)


def n(key: int) -> str:
    return format_id("n", key)


def rows(table: pa.Table) -> list[tuple]:
    return [(row["old_id"], row["new_id"], row["change"]) for row in table.to_pylist()]


def test_nothing_is_recorded_while_nothing_moves():
    old = members(p1=1, p2=1, p3=None)
    table = changes(old, members(p1=1, p2=1, p3=1, p4=None), 2)
    assert table.schema.equals(NARRATIVE_CHANGES, check_metadata=True)
    assert table.num_rows == 0
    assert changes(old.slice(0, 0), old, 2).num_rows == 0


def test_an_earlier_post_renames():
    table = changes(members(p2=2, p3=2), members(p1=1, p2=1, p3=1), 7)
    assert rows(table) == [(n(2), n(1), "renamed")]
    assert table.column("generation").to_pylist() == [7]


def test_two_that_become_one_are_merged():
    assert rows(changes(members(p1=1, p2=1, p3=3, p4=3), members(p1=1, p2=1, p3=1, p4=1), 2)) == [
        (n(3), n(1), "merged")
    ]


def test_two_that_become_one_under_a_third_id_are_both_merged():
    new = members(p0=0, p1=0, p2=0, p3=0, p4=0)
    assert rows(changes(members(p1=1, p2=1, p3=3, p4=3), new, 2)) == [(n(1), n(0), "merged"), (n(3), n(0), "merged")]


def test_a_split_names_the_part_with_the_first_post_before_larger_parts():
    old = members(**{f"p{i}": 1 for i in range(1, 8)})
    new = members(p0=0, p1=0, p2=2, p3=2, p4=4, p5=4, p6=4, p7=None)
    assert rows(changes(old, new, 2)) == [(n(1), n(0), "split"), (n(1), n(4), "split"), (n(1), n(2), "split")]


def test_a_narrative_without_posts_left_is_erased():
    new = members(p3=None, p4=None, p5=5, p6=5)
    table = changes(members(p1=1, p2=1, p3=3, p4=3, p5=5, p6=5), new, 2)
    assert rows(table) == [(n(1), None, "erased"), (n(3), None, "erased")]


def history(*steps: tuple[int, list[tuple[int, int | None]]]) -> pa.Table:
    records = [
        {"old_id": n(old), "new_id": None if new is None else n(new), "change": "renamed", "generation": generation}
        for generation, moves in steps
        for old, new in moves
    ]
    return pa.Table.from_pylist(records, schema=NARRATIVE_CHANGES)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(9, [9]), (5, [1]), (4, [1]), (7, []), (2, [1, 3, 8])],
)
def test_old_ids_resolve_through_all_generations(asked, expected):
    past = history((2, [(5, 4), (7, 6)]), (3, [(4, 1), (6, None)]), (4, [(2, 1), (2, 3)]), (5, [(3, 3), (3, 8)]))
    assert resolve(past, n(asked)) == [n(key) for key in expected]


def test_an_id_that_comes_back_names_itself_first():
    past = history((2, [(3, 1)]), (3, [(1, 1), (1, 3)]))
    assert resolve(past, n(3)) == [n(3), n(1)]
    assert resolve(past, n(1)) == [n(1), n(3)]


PARTITION = st.lists(st.integers(0, 3) | st.none(), min_size=8, max_size=8)


def as_members(groups: list[int | None]) -> pa.Table:
    sizes = {g: groups.count(g) for g in groups}
    return members(
        **{f"p{i}": groups.index(g) if g is not None and sizes[g] > 1 else None for i, g in enumerate(groups)}
    )


@given(st.lists(PARTITION, min_size=2, max_size=4))
def test_every_id_ever_given_resolves_to_narratives_that_exist_now(partitions):
    tables = [as_members(groups) for groups in partitions]
    past = pa.concat_tables([changes(a, b, i) for i, (a, b) in enumerate(pairwise(tables))])
    current = {n(key) for key in tables[-1].column("narrative_key").drop_null().to_pylist()}
    ids = {key for table in tables for key in table.column("narrative_key").drop_null().to_pylist()}
    assert all(set(resolve(past, n(key))) <= current for key in ids)


@given(PARTITION, PARTITION)
def test_an_id_resolves_to_where_its_posts_are(before, after):
    old, new = as_members(before), as_members(after)
    past = changes(old, new, 1)
    moved_to = dict(zip(*(new.column(name).to_pylist() for name in ("post_key", "narrative_key")), strict=True))
    for key in set(old.column("narrative_key").drop_null().to_pylist()):
        posts = [row["post_key"] for row in old.to_pylist() if row["narrative_key"] == key]
        found = resolve(past, n(key))
        assert set(found) == {n(moved_to[post]) for post in posts if moved_to[post] is not None}
        assert moved_to[key] is None or found[0] == n(moved_to[key])

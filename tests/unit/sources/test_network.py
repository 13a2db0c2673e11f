from collections import defaultdict
from statistics import median_low
from typing import Any

import ibis
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sources_world import post, world

from bastau.schemas import COPIES, COPY_NETWORK, WIRE_COPIES
from bastau.sources.network import copy_network, renamed
from bastau.sources.relations import Keep
from bastau.tables import conform

edges = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "p~1"]),
        st.sampled_from(["a", "b", "c", "p~1"]),
        st.sampled_from(["repost", "forward", "link", "near_copy"]),
        st.integers(-50, 5000),
        st.sampled_from([1.0, 0.5, 0.25]),
        st.sampled_from([None, 1, 2, 3]),
    ),
    max_size=40,
)


def network(con: ibis.BaseBackend, keep: Keep, rows: list[tuple[Any, ...]], wired: list[int]) -> list[dict[str, Any]]:
    copies = [
        {
            "narrative_key": narrative,
            "from_post": 2 * i,
            "to_post": 2 * i + 1,
            "from_source": one,
            "to_source": other,
            "kind": kind,
            "delay_s": float(delay),
            "credit": credit,
            "both_publishers": "p~1" not in (one, other),
        }
        for i, (one, other, kind, delay, credit, narrative) in enumerate(rows)
    ]
    wires = [{"narrative_key": k, "agency": "x", "n_publishers": 2, "n_named": 1, "is_by_wire": False} for k in wired]
    tables = [
        con.create_table(name, pa.Table.from_pylist(table, schema), overwrite=True)
        for name, table, schema in (("copies", copies, COPIES), ("wire_copies", wires, WIRE_COPIES))
    ]
    return conform(copy_network(*tables, keep=keep).to_pyarrow(), COPY_NETWORK).to_pylist()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges)
def test_the_network_is_the_edges_counted_by_pair(
    con: ibis.BaseBackend, keep: Keep, rows: list[tuple[Any, ...]]
) -> None:
    rows = [row for row in rows if row[0] != row[1]]
    total: defaultdict[str, float] = defaultdict(float)
    by_pair: defaultdict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        total[row[1]] += row[4]
        if "p~1" not in row[:2]:
            by_pair[row[0], row[1]].append(row)
    found = {(row["from_source"], row["to_source"]): row for row in network(con, keep, rows, [2])}
    assert set(found) == set(by_pair)
    for (one, other), its in by_pair.items():
        row = found[one, other]
        assert row["n_copies"] == len(its)
        assert row["n_narratives"] == len({r[5] for r in its} - {None})
        assert row["n_wire"] == sum(r[5] == 2 for r in its)
        assert row["median_delay_s"] == median_low(float(r[3]) for r in its)
        assert abs(row["share"] - sum(r[4] for r in its) / total[other]) < 1e-9
        assert sum(row[f"n_{kind}"] for kind in ("repost", "forward", "link", "near_copy")) == len(its)


def test_cyclic_copies_stay_two_edges(con: ibis.BaseBackend, keep: Keep) -> None:
    rows = [("a", "b", "repost", 5, 1.0, 1), ("b", "a", "repost", -5, 1.0, 1)]
    found = network(con, keep, rows, [])
    assert sorted((row["from_source"], row["to_source"], row["share"]) for row in found) == [
        ("a", "b", 1.0),
        ("b", "a", 1.0),
    ]


def test_one_number_under_two_names_is_counted_and_not_joined(con: ibis.BaseBackend) -> None:
    rows = [
        post("1234567890/1", 0, "old_name"),
        post("1234567890/2", 9, "new_name"),
        post("1234567890/3", 9, "p~private"),
        post("555666777/1", 0, "steady"),
        post("555666777/2", 0, "steady"),
        post("steady/3", 0, "handle"),
    ]
    found = renamed(world(con, rows).posts).to_pyarrow().to_pylist()
    assert sorted((row["number"], row["source"]) for row in found) == [
        ("1234567890", "new_name"),
        ("1234567890", "old_name"),
    ]

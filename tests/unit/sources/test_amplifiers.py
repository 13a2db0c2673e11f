import ibis
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sources_world import key, post, world

from bastau.schemas import AMPLIFIERS, COPIES
from bastau.sources.amplifiers import amplifiers
from bastau.tables import conform


def copies_of(repeats: list[tuple[str, str, str, float]], narrative: str = "n") -> pa.Table:
    """COPIES from (post, its source, copying source, credit)."""
    rows = [
        {
            "narrative_key": key(narrative),
            "from_post": key(f"telegram:{name}"),
            "to_post": i,
            "from_source": source,
            "to_source": copier,
            "kind": "repost",
            "delay_s": 1.0,
            "credit": credit,
            "both_publishers": True,
        }
        for i, (name, source, copier, credit) in enumerate(repeats)
    ]
    return pa.Table.from_pylist(rows, COPIES)


def overall(con: ibis.BaseBackend, repeats: list[tuple[str, str, str, float]]) -> dict[str, tuple[int, int, float]]:
    posts = world(con, [post(name, 0, source) for name, source in dict.fromkeys(r[:2] for r in repeats)]).posts
    copies = con.create_table("copies", copies_of(repeats), overwrite=True)
    rows = conform(amplifiers(copies, posts).to_pyarrow(), AMPLIFIERS).to_pylist()
    return {
        row["source"]: (row["score"], row["n_posts"], row["n_repeats"]) for row in rows if row["narrative_key"] is None
    }


def test_the_index_is_h_when_h_posts_were_repeated_h_times(con: ibis.BaseBackend) -> None:
    repeats = [(name, "A", f"r{i}", 1.0) for name, n in (("a", 5), ("b", 2), ("c", 2)) for i in range(n)]
    assert overall(con, repeats) == {"A": (2, 3, 9.0)}


def test_one_account_that_repeats_a_post_many_times_counts_once(con: ibis.BaseBackend) -> None:
    assert overall(con, [("a", "A", "bot", 1.0)] * 50) == {"A": (1, 1, 1.0)}


def test_split_credit_counts_as_the_part_it_is(con: ibis.BaseBackend) -> None:
    assert overall(con, [("a", "A", "x", 0.5), ("b", "B", "x", 0.5), ("b", "B", "y", 0.5)]) == {
        "A": (0, 1, 0.5),
        "B": (1, 1, 1.0),
    }


def test_private_accounts_have_no_row(con: ibis.BaseBackend) -> None:
    assert set(overall(con, [("a", "p~1", "x", 1.0), ("b", "B", "x", 1.0)])) == {"B"}


def test_each_narrative_has_its_own_scores_beside_the_overall_ones(con: ibis.BaseBackend) -> None:
    posts = world(con, [post("a", 0, "A")]).posts
    both = [copies_of([("a", "A", "x", 1.0)], "n"), copies_of([("a", "A", "y", 1.0)], "m")]
    rows = amplifiers(con.create_table("copies", pa.concat_tables(both)), posts).to_pyarrow().to_pylist()
    assert {(row["narrative_key"], row["n_repeats"]) for row in rows} == {(key("n"), 1.0), (key("m"), 1.0), (None, 2.0)}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_the_index_equals_its_definition(con: ibis.BaseBackend, counts: list[int]) -> None:
    repeats = [(f"post{p}", "A", f"r{i}", 1.0) for p, n in enumerate(counts) for i in range(n)]
    h = max(h for h in range(len(counts) + 1) if sum(n >= h for n in counts) >= h)
    assert overall(con, repeats)["A"][0] == h

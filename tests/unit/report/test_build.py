import json
import re
from dataclasses import replace
from datetime import timedelta

import duckdb
import pytest
from report_world import PRIVATE, RU, START, at, canonical, connect, post, sign, table, water, world_tables

from bastau.errors import ConfigError
from bastau.hashing import parse_id
from bastau.report.build import MOST_EARLIEST, build_trace
from bastau.report.search import Found, find
from bastau.report.trace import Trace, trace_json


def traced(con: duckdb.DuckDBPyConnection, query: str) -> Trace:
    return build_trace(con, find(con, query, canonical=canonical, sign=sign))


def codes(trace: Trace) -> list[str]:
    return [unknown.code for unknown in trace.not_known]


def test_nothing_found_cannot_be_traced(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ConfigError):
        build_trace(con, Found("x", "none", None))


def test_counts_agree_with_the_posts(trace: Trace) -> None:
    rows = water()
    assert trace.narrative.n_posts == len(rows)
    assert trace.narrative.n_publishers == len({(r["platform"], r["source"]) for r in rows if r["is_publisher"]})
    assert sum(map(sum, trace.timeline.by_language.values())) == len(rows)
    assert sum(map(sum, trace.timeline.by_platform.values())) == len(rows)
    assert trace.evidence.n_private + len(trace.evidence.posts) + trace.evidence.n_more == len(rows)


def test_a_post_whose_id_may_not_be_shown_whole_is_still_named_as_stored() -> None:
    one = post("chan/p~aaaaaaaaaaaaaaaa\u202e/1", 0, "chan", "words")
    found = traced(connect({"posts": table("posts", [one])}), one["post_id"])
    for shown in (found.evidence.posts[0], found.spread.posts[0]):
        assert shown.post_id == "telegram:chan/@…/1"
        assert parse_id("p", shown.ref) == one["post_key"]


def test_candidates_are_told_as_given_and_leave_the_rest_to_somebody_unobserved(trace: Trace) -> None:
    first = trace.first_seen
    assert [(c.source, c.confidence) for c in first.candidates] == [
        ("sunkarly_news", 0.54),
        ("gorod_sunkarly", 0.19),
        ("vodokanal.example", 0.04),
    ]
    assert first.candidates[0].source_name == "Сұңқарлы жаңалықтары"
    assert first.unobserved == pytest.approx(0.23)
    assert (first.seen_after, first.seen_by) == (at(-41), at(0))


def test_times_are_utc_whatever_the_zone_of_the_session(con: duckdb.DuckDBPyConnection, trace: Trace) -> None:
    con.execute("set timezone = 'Asia/Almaty'")
    assert traced(con, RU) == trace
    assert trace.narrative.first_seen_at == START


def test_the_session_is_left_as_it_was(con: duckdb.DuckDBPyConnection) -> None:
    traced(con, "snow leopards")
    assert con.execute("select count(*) from duckdb_tables() where temporary").fetchall() == [(0,)]


def test_the_earliest_posts_are_in_order_and_each_new_wording_is_compared_in_its_language(trace: Trace) -> None:
    posts = trace.earliest
    assert len(posts) == MOST_EARLIEST
    assert [p.published_at for p in posts] == sorted(p.published_at for p in posts)
    assert [p.version for p in posts[:7]] == [0, 1, 2, 3, 4, 2, 5]
    assert [p.compared_with for p in posts[:5]] == [None, 0, None, None, 2]
    edited = posts[4].differences
    assert "".join(piece.text for piece in edited if piece.kind != "removed") == posts[4].text
    assert {"завтра", "три"} <= {piece.text.strip() for piece in edited if piece.kind == "removed"}


def test_a_private_post_has_words_but_no_author_id_or_address(trace: Trace) -> None:
    private = [post for post in trace.earliest if post.source is None]
    assert len(private) == 4
    assert all((p.source_name, p.post_id, p.url) == (None, None, None) for p in private)
    assert private[0].text.startswith("Сұңқарлы")


def test_no_pseudonym_is_anywhere_in_a_trace(trace: Trace) -> None:
    told = json.dumps(trace_json(trace), ensure_ascii=False)
    assert "p~" not in told
    assert PRIVATE[2:] not in told


def test_only_publishers_are_named_amplifiers_copiers_and_members(trace: Trace) -> None:
    publishers = {row["source"] for row in water() if row["is_publisher"]}
    named = {edge.from_source for edge in trace.edges} | {edge.to_source for edge in trace.edges}
    named |= {a.source for a in trace.amplifiers} | set(trace.spread.lanes) | {p.source for p in trace.publishers}
    named |= {source for group in trace.groups for source in group.sources_here}
    assert named <= publishers


def test_hidden_copies_are_counted(trace: Trace) -> None:
    by_kind = {copy.kind: (copy.n, copy.n_named) for copy in trace.copies}
    assert by_kind["near_copy"][0] + by_kind["repost"][0] == 63
    assert sum(n - named for n, named in by_kind.values()) == 16
    hidden = next(u for u in trace.not_known if u.code == "copies_private")
    assert hidden.values == {"n": 16}
    assert sum(trace.delays.counts) == sum(n for n, _ in by_kind.values())
    assert trace.delays.counts[0] == 1


def test_a_group_is_shown_when_two_of_its_publishers_take_part(trace: Trace) -> None:
    (group,) = trace.groups
    assert len(group.sources_here) == 4
    assert (group.n_other_accounts, group.n_examples_here) == (3, 1)


def test_what_is_not_known_is_listed_with_its_figures(trace: Trace) -> None:
    assert codes(trace)[:2] == ["someone_else", "gaps"]
    assert {"earlier_private", "reposts_of_unseen", "elsewhere", "clocks", "intent"} <= set(codes(trace))
    assert "forwards_of_unseen" not in codes(trace)


def test_coverage_gaps_are_the_empty_hours(trace: Trace) -> None:
    coverage = trace.coverage
    empty = sum(n == 0 for n in coverage.counts)
    assert sum((gap.end - gap.start).total_seconds() for gap in coverage.gaps) == empty * coverage.bin_s
    assert coverage.starts[0] <= START - timedelta(hours=72)
    assert coverage.starts[-1] <= START + timedelta(days=1)


def test_spread_lines_join_posts_that_are_drawn(trace: Trace) -> None:
    spread = trace.spread
    assert len(spread.lanes) == 12
    assert spread.lanes[0] == "sunkarly_news"
    assert all(0 <= post.lane < len(spread.lanes) for post in spread.posts)
    assert all(max(edge.origin, edge.copy) < len(spread.posts) for edge in spread.edges)
    assert {edge.kind for edge in spread.edges} == {"near_copy", "repost", "forward", "link"}


def test_a_post_that_stands_alone_abstains_and_says_why(con: duckdb.DuckDBPyConnection) -> None:
    trace = traced(con, "telegram:l0")
    assert (trace.narrative.narrative_id, trace.narrative.n_posts) == (None, 1)
    assert (trace.first_seen.abstained, trace.first_seen.reason) == (True, "single_post")
    assert (trace.copies, trace.groups, trace.first_seen.candidates) == ((), (), ())


def test_a_narrative_of_private_accounts_names_nobody(con: duckdb.DuckDBPyConnection) -> None:
    trace = traced(con, "snow leopards")
    assert trace.first_seen.reason == "only_private"
    assert [(wanted.what, wanted.value) for wanted in trace.first_seen.to_collect] == [
        ("source", "sunkarly_alys"),
        ("hours", None),
    ]
    assert (trace.publishers, trace.evidence.posts, trace.spread.lanes) == ((), (), ())
    assert trace.evidence.n_private == 3


def test_a_threshold_of_zero_is_said_to_hide_nobody() -> None:
    trace = traced(connect(world_tables(min_audience=0)), "telegram:w1")
    assert "all_publishers" in codes(trace)


def test_a_narrative_before_the_analysis_of_sources_is_told_without_it() -> None:
    tables = {name: table for name, table in world_tables().items() if name not in ("origins", "copies", "imports")}
    trace = traced(connect(tables), "telegram:w1")
    assert (trace.first_seen.reason, trace.first_seen.coverage, trace.min_audience) == ("not_run", None, None)


def test_json_names_the_fields_of_the_trace_and_writes_times_with_z(trace: Trace) -> None:
    told = trace_json(trace)
    assert set(told) == set(Trace.__dataclass_fields__)
    assert told["narrative"]["first_seen_at"] == "2026-03-03T09:00:00Z"
    assert re.fullmatch(r"n[0-9a-z]{13}", told["narrative"]["narrative_id"])
    assert replace(trace, query="other") != trace

from typing import Any

import duckdb
import pyarrow as pa
import pytest
from report_world import KK, PRIVATE, canonical, connect, locales, sign, table, world_tables

from bastau.report.build import build_trace
from bastau.report.search import find
from bastau.report.terminal import trace_lines
from bastau.report.trace import Trace
from bastau.report.trace_page import trace_page


def suggestion(text: str, words: str, *, gate: str | None = None, rule: str = "incite-violence") -> dict[str, Any]:
    start = text.index(words)
    span = {"field": "text", "start": start, "end": start + len(words), "slot": "call"}
    return {"act": "incite", "rule": rule, "version": 1, "spans": [span], "gate": gate, "score": 0.5}


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """The water narrative, in which rules and a list found something in three posts."""
    tables = world_tables()
    posts = [row for row in tables["posts"].to_pylist() if row["post_id"].split(":")[1] in ("w0", "w1", "w2")]
    matches: list[dict[str, Any]] = [
        {"post_key": row["post_key"], "suggestions": [suggestion(row["text"], "Су қорын")]} for row in posts[:2]
    ]
    held = suggestion(posts[2]["text"], "запас воды", gate="quotation,reporting", rule="threat")
    hit = {"list": "tcap", "entry": "telegram.example/w2", "signal": "url", "gate": None}
    matches.append(
        {"post_key": posts[2]["post_key"], "suggestions": [held], "known": [hit, hit | {"gate": "reporting"}]}
    )
    return connect(tables | {"matches": table("matches", matches)})


@pytest.fixture
def trace(con: duckdb.DuckDBPyConnection) -> Trace:
    return build_trace(con, find(con, "telegram:w1", canonical=canonical, sign=sign), lead_in_hours=72)


def test_findings_are_counted_and_those_not_held_back_come_first(trace: Trace) -> None:
    assert [(s.rule, s.gates, s.n_posts) for s in trace.suggested] == [
        ("incite-violence", (), 2),
        ("threat", ("quotation", "reporting"), 1),
    ]
    assert [(k.list, k.gates) for k in trace.known] == [("tcap", ()), ("tcap", ("reporting",))]


def test_the_earliest_example_is_shown_with_its_words_marked(trace: Trace) -> None:
    example = trace.suggested[0].example
    assert [piece.text for piece in example if piece.is_match] == ["Су қорын"]
    assert "".join(piece.text for piece in example).startswith(KK)


def test_an_example_of_a_private_account_shows_no_pseudonym(trace: Trace) -> None:
    said = "\n".join([*trace_lines(trace, locales()[2]), trace_page(trace, locales()[2])])
    assert "<mark>Су қорын</mark>" in said
    assert PRIVATE not in said


def test_every_language_says_what_held_a_finding_back(trace: Trace) -> None:
    for locale in locales():
        said = "\n".join(trace_lines(trace, locale))
        for gate in ("quotation", "reporting"):
            assert locale.name("gate", gate) in said
            assert locale.name("gate", gate) != gate
        assert locale.text("found.note") in trace_page(trace, locale)


def test_a_span_beyond_the_text_shows_no_example() -> None:
    tables = world_tables()
    post = next(row for row in tables["posts"].to_pylist() if row["post_id"] == "telegram:w1")
    bad = suggestion(post["text"], "Су қорын") | {"spans": [{"field": "title", "start": 0, "end": 9, "slot": "call"}]}
    matches: pa.Table = table("matches", [{"post_key": post["post_key"], "suggestions": [bad]}])
    con = connect(tables | {"matches": matches})
    trace = build_trace(con, find(con, "telegram:w1", canonical=canonical, sign=sign), lead_in_hours=72)
    assert trace.suggested[0].example == ()


def test_nothing_found_is_said_too(con: duckdb.DuckDBPyConnection) -> None:
    trace = build_trace(con, find(con, "x:s0", canonical=canonical, sign=sign), lead_in_hours=72)
    assert trace.suggested == trace.known == ()
    assert locales()[2].text("found.nothing") in trace_page(trace, locales()[2])

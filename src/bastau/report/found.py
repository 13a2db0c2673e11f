# ruff: noqa: S608 - the table name is a constant of bastau.report.build
"""What rules and lists found in the posts of a trace, with an example whose words are marked."""

from typing import Any

import duckdb

from bastau.report.queries import at_or_none, clean, clean_piece, rows
from bastau.report.trace import FactCheck, Known, Mark, Suggested

MOST_FOUND = 12
_AROUND = 140
"""Characters of an example shown before its first and after its last marked words."""


def suggested(con: duckdb.DuckDBPyConnection, mine: str) -> tuple[Suggested, ...]:
    """Return what rules say of the posts in table ``mine``, not held back first; each with its earliest example."""
    sql = f"""
        with each as (
            select post_key, at_us, unnest(suggestions) as s from matches join {mine} using (post_key)
            where suggestions is not null)
        select s.act as act, s.rule as rule, s.version as version, s.gate as gate, count(distinct post_key) as n_posts,
               arg_min(post_key, (at_us, post_key)) as post_key,
               to_json(arg_min(s.spans, (at_us, post_key)))::varchar as spans
        from each group by 1, 2, 3, 4 order by s.gate is not null, n_posts desc, rule, gate limit {MOST_FOUND}"""
    found = rows(con, sql)
    texts = _texts(con, [row["post_key"] for row in found])
    return tuple(
        Suggested(
            row["act"],
            row["rule"],
            row["version"],
            tuple(row["gate"].split(",")) if row["gate"] else (),
            row["n_posts"],
            _example(texts.get(row["post_key"], {}), row["spans"]),
        )
        for row in found
    )


def known(con: duckdb.DuckDBPyConnection, mine: str) -> tuple[Known, ...]:
    """Return the entries of lists that the posts in table ``mine`` equal, not held back first."""
    sql = f"""
        with each as (
            select post_key, unnest(known) as k from matches join {mine} using (post_key) where known is not null)
        select k.list as list, k.entry as entry, k.signal as signal, k.gate as gate,
               count(distinct post_key) as n_posts
        from each group by 1, 2, 3, 4 order by k.gate is not null, n_posts desc, list, entry limit {MOST_FOUND}"""
    return tuple(
        Known(r["list"], clean(r["entry"]), r["signal"], tuple(r["gate"].split(",")) if r["gate"] else (), r["n_posts"])
        for r in rows(con, sql)
    )


def fact_checks(con: duckdb.DuckDBPyConnection, narrative_key: int | None) -> tuple[FactCheck, ...]:
    """Return the fact-checks about texts of a narrative, surest first; those of a claim that is stored no more are left out."""
    if narrative_key is None:
        return ()
    sql = f"""
        with told as (
            select claim_id, text, title, publisher, verdict, url, language, epoch_us(published_at) as at_us from claims
            qualify row_number() over (partition by claim_id, text order by published_at desc nulls last) = 1)
        select m.claim_id, m.claim, m.score, t.title, t.publisher, t.verdict, t.url, t.language, t.at_us
        from claim_matches m join told t on t.claim_id = m.claim_id and t.text = m.claim
        where m.narrative_key = ? order by m.score desc, m.claim_id, m.claim limit {MOST_FOUND}"""
    return tuple(
        FactCheck(
            r["claim_id"], r["claim"], r["title"], r["publisher"], r["verdict"], r["url"], r["language"],
            at_or_none(r["at_us"]), r["score"],
        )
        for r in rows(con, sql, [narrative_key])
    )  # fmt: skip


def _texts(con: duckdb.DuckDBPyConnection, post_keys: list[int]) -> dict[int, dict[str, Any]]:
    if not post_keys:
        return {}
    sql = "select post_key, title, text from posts where post_key in (select unnest(?::bigint[]))"
    return {row["post_key"]: row for row in rows(con, sql, [post_keys])}


def _example(post: dict[str, Any], spans: str | None) -> tuple[Mark, ...]:
    """Cut the field that holds most spans into marked and unmarked pieces, pseudonyms cleaned away."""
    import orjson

    found = orjson.loads(spans) if spans else []
    fields = [span["field"] for span in found]
    if not fields:
        return ()
    name = max(sorted(set(fields)), key=fields.count)
    text = post.get(name) or ""
    places = sorted((s["start"], s["end"]) for s in found if s["field"] == name and s["end"] <= len(text))
    if not places:
        return ()
    at, last = max(0, places[0][0] - _AROUND), min(len(text), max(end for _, end in places) + _AROUND)
    pieces = [Mark("…", False)] if at else []
    for start, end in places:
        if end <= at:
            continue
        pieces += [
            Mark(clean_piece(text[at : max(at, start)]), False),
            Mark(clean_piece(text[max(at, start) : end]), True),
        ]
        at = end
    pieces.append(Mark(clean_piece(text[at:last]) + ("…" if last < len(text) else ""), False))
    return tuple(piece for piece in pieces if piece.text)

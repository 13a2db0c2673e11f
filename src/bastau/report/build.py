# ruff: noqa: S608 - queries hold only constants of this module; values are parameters
"""Build a trace from the stored tables; every filter runs inside DuckDB, only what is shown comes out."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from bastau.errors import ConfigError
from bastau.hashing import format_id, hash_string, hash_strings
from bastau.report import found as found_in
from bastau.report import moves, told
from bastau.report.differences import differences
from bastau.report.kin import kin as kin_of
from bastau.report.queries import at, at_or_none, between, clean, is_pseudonym, rows, shown_text, shown_url, with_words
from bastau.report.search import Found
from bastau.report.timeline import coverage, timeline
from bastau.report.trace import (
    Amplifier,
    Candidate,
    CopyEdge,
    CopyKind,
    Delays,
    Evidence,
    EvidencePost,
    FirstSeen,
    Group,
    ImportedFile,
    Narrative,
    Other,
    Post,
    Publisher,
    Spread,
    SpreadEdge,
    SpreadPost,
    Trace,
    Unknown,
    Wanted,
    Window,
)

MOST_EARLIEST = 12
MOST_PUBLISHERS = 100
MOST_LANES = 12
MOST_LANE_POSTS = 10
MOST_EDGES = 100
MOST_GROUPS = 20
MOST_EVIDENCE = 50
MOST_FILES = 20
MOST_CHARS = 1600
"""Characters of a post's text that a trace quotes."""
DELAY_EDGES_S = (0, 10, 60, 600, 3600, 6 * 3600, 86_400, 3 * 86_400)
AFTERMATH = timedelta(days=1)
"""Coverage is shown from the lead-in until this long after the first sighting."""

_MINE = "bastau_trace_posts"


def build_trace(con: duckdb.DuckDBPyConnection, found: Found, *, lead_in_hours: int = 72) -> Trace:
    """Return the trace of ``found.best``.

    Args:
        con: one view per table of :data:`bastau.schemas.TABLES`; a temporary table is made and dropped.
        found: what :func:`bastau.report.search.find` returned.
        lead_in_hours: hours before the first sighting whose coverage is drawn (``sources.lead_in_hours``).

    Raises:
        ConfigError: nothing was found.
    """
    if found.best is None:
        raise ConfigError("nothing to trace: no stored post fits the query")
    key = _narrative_key(con, found.best.narrative_id)
    _select_posts(con, key, found.best.post_key)
    try:
        return _build(con, found, key, lead_in_hours)
    finally:
        con.execute(f"drop table if exists {_MINE}")


def _narrative_key(con: duckdb.DuckDBPyConnection, narrative_id: str | None) -> int | None:
    if narrative_id is None:
        return None
    found = rows(con, "select narrative_key from narratives where narrative_id = ?", [narrative_id])
    key: int = found[0]["narrative_key"]
    return key


def _select_posts(con: duckdb.DuckDBPyConnection, narrative_key: int | None, post_key: int) -> None:
    """Keep the slim columns of the posts in question; every later step reads them from here."""
    wanted, within, params = "select ?::bigint as post_key", "true", list[Any]([post_key])
    if narrative_key is not None:
        wanted = "select post_key from members where narrative_key = ?"
        sql = """
            select epoch_us(first_seen_at) as first_us, epoch_us(last_seen_at) as last_us from narratives
            where narrative_key = ?"""
        lived = rows(con, sql, [narrative_key])[0]
        within, times = between(con, at(lived["first_us"]), at(lived["last_us"]), "p.published_at")
        params = [narrative_key, *times]
    # Readings are narrowed by themselves: a left join would take them all.
    con.execute(
        f"""
        create or replace temp table {_MINE} as
        with wanted as materialized ({wanted}),
        reading as (
            select post_key, text_key, detected_language from readings where post_key in (select post_key from wanted))
        select p.post_key, r.text_key, p.post_id, p.platform, p.source, p.source_name, p.audience, p.is_publisher,
               epoch_us(p.published_at) as at_us, coalesce(r.detected_language, 'und') as language,
               p.repost_of, p.forwarded_from, p.url, epoch_us(p.collected_at) as seen_us
        from posts p left join reading r using (post_key)
        where p.post_key in (select post_key from wanted) and {within}""",
        params,
    )


def _build(con: duckdb.DuckDBPyConnection, found: Found, key: int | None, lead_in_hours: int) -> Trace:
    assert found.best is not None
    narrative = _narrative(con, found.best.narrative_id)
    first_seen = _first_seen(con, key, narrative)
    start = narrative.first_seen_at
    around = coverage(
        con,
        narrative.platforms,
        start - timedelta(hours=lead_in_hours),
        start + AFTERMATH,
        most=lead_in_hours + int(AFTERMATH.total_seconds() // 3600) + 1,
    )
    copies, edges, n_more_edges = _copies(con, key)
    publishers = _publishers(con, key)
    amplifiers = _amplifiers(con, key)
    important = [c.source for c in first_seen.candidates] + [a.source for a in amplifiers]
    n_stored, until_us = con.execute("select count(*), max(epoch_us(collected_at)) from posts").fetchall()[0]
    min_audience = con.execute("select min(min_audience) from imports").fetchall()[0][0]
    return Trace(
        query=found.query,
        how=found.how,
        likeness=found.best.likeness,
        narrative=narrative,
        first_seen=first_seen,
        not_known=_not_known(con, first_seen, around.gaps, copies, min_audience, start),
        coverage=around,
        timeline=timeline(con, _MINE),
        spread=_spread(con, key, publishers, important),
        copies=copies,
        edges=edges,
        n_more_edges=n_more_edges,
        delays=_delays(con, key),
        earliest=_earliest(con),
        versions=told.versions(con, key, MOST_CHARS),
        story=told.story(con, found.best.post_key if key is None else key),
        theme=told.theme(con, found.best.post_key if key is None else key),
        curated=told.curated(con, found.best.post_key if key is None else key),
        publishers=publishers,
        n_more_publishers=narrative.n_publishers - len(publishers),
        amplifiers=amplifiers,
        agency=moves.agency(con, key),
        influence=() if key is None else moves.influence(con, key),
        groups=_groups(con),
        kin=kin_of(con, _MINE),
        suggested=found_in.suggested(con, _MINE),
        known=found_in.known(con, _MINE),
        fact_checks=found_in.fact_checks(con, key),
        evidence=_evidence(con),
        others=tuple(Other(hit.narrative_id, hit.n_posts, hit.text, hit.likeness) for hit in found.others),
        min_audience=min_audience,
        n_posts_stored=n_stored,
        stored_until=at_or_none(until_us),
    )


def _narrative(con: duckdb.DuckDBPyConnection, narrative_id: str | None) -> Narrative:
    """Count from the posts themselves, so that the figures agree with what the trace shows."""
    sql = f"""
        select min(at_us) as first_us, max(at_us) as last_us, count(*) as n_posts, count(distinct text_key) as n_texts,
               count(distinct (platform, source)) as n_sources,
               count(distinct (platform, source)) filter (is_publisher) as n_publishers,
               arg_min(post_key, (at_us, post_key)) as first_key
        from {_MINE}"""
    row = rows(con, sql)[0]
    sql = f"select {{0}} as label from {_MINE} group by 1 order by count(*) desc, 1"
    languages, platforms = ([r["label"] for r in rows(con, sql.format(c))] for c in ("language", "platform"))
    sql = f"select post_key, at_us, language from {_MINE} where post_key = ?"
    first = with_words(con, rows(con, sql, [row["first_key"]]))[0]
    return Narrative(
        narrative_id,
        at(row["first_us"]),
        at(row["last_us"]),
        row["n_posts"],
        max(1, row["n_texts"]),
        row["n_sources"],
        row["n_publishers"],
        tuple(languages),
        tuple(platforms),
        first["language"],
        shown_text(first["title"], first["text"])[:MOST_CHARS],
    )


def _first_seen(con: duckdb.DuckDBPyConnection, key: int | None, narrative: Narrative) -> FirstSeen:
    sql = """
        select epoch_us(seen_after) as after_us, epoch_us(seen_by) as by_us, coverage, abstained, reason,
               n_earlier_private, list_transform(to_collect, lambda w: {'what': w.what, 'platform': w.platform,
               'value': w.value, 'from_us': epoch_us(w."from"), 'to_us': epoch_us(w."to")}) as to_collect
        from origins where narrative_key = ?"""
    found = rows(con, sql, [key]) if key is not None else []
    if not found:
        reason = "single_post" if key is None else "not_run"
        return FirstSeen(None, narrative.first_seen_at, None, True, reason, 0, (), 1.0)
    row = found[0]
    sql = """
        select c.source, c.post_id, epoch_us(c.published_at) as at_us, c.confidence
        from (select unnest(candidates) as c from origins where narrative_key = ?)"""
    listed = [c for c in rows(con, sql, [key]) if not is_pseudonym(c["source"])]
    sql = """
        select post_key, platform, source_name, url from posts
        where is_publisher and post_key in (select unnest(?::bigint[]))"""
    posts = {p["post_key"]: p for p in rows(con, sql, [[hash_string(c["post_id"]) for c in listed]])}
    candidates = []
    for c in listed:
        post = posts.get(hash_string(c["post_id"]), {})
        candidates.append(
            Candidate(
                post.get("platform", "other"),
                clean(c["source"]),
                clean(post.get("source_name")) or None,
                clean(c["post_id"]),
                shown_url(post.get("url")),
                at(c["at_us"]),
                c["confidence"],
            )
        )
    return FirstSeen(
        at_or_none(row["after_us"]),
        at(row["by_us"]),
        row["coverage"],
        row["abstained"],
        row["reason"],
        row["n_earlier_private"],
        tuple(candidates),
        max(0.0, 1.0 - sum(c.confidence for c in candidates)),
        tuple(
            Wanted(
                w["what"], w["platform"], clean(w["value"]) or None, at_or_none(w["from_us"]), at_or_none(w["to_us"])
            )
            for w in row["to_collect"] or ()
            if not is_pseudonym(w["value"] or "")
        ),
    )


def _publishers(con: duckdb.DuckDBPyConnection, key: int | None) -> tuple[Publisher, ...]:
    """Return the publishers with most posts, in order of appearance."""
    sql = f"""
        with repeated as (select from_source as source, count(*) as n from copies where narrative_key = ? group by 1)
        select platform, source, any_value(source_name) as source_name, max(audience) as audience,
               count(*) as n_posts, min(at_us) as first_us, coalesce(any_value(r.n), 0) as n_repeated
        from {_MINE} left join repeated r using (source)
        where is_publisher group by platform, source
        order by n_posts desc, first_us, source limit {MOST_PUBLISHERS}"""
    found = [
        Publisher(
            row["platform"],
            clean(row["source"]),
            clean(row["source_name"]) or None,
            row["audience"],
            row["n_posts"],
            at(row["first_us"]),
            row["n_repeated"],
        )
        for row in rows(con, sql, [key])
    ]
    return tuple(sorted(found, key=lambda p: (p.first_at, p.source)))


def _copies(con: duckdb.DuckDBPyConnection, key: int | None) -> tuple[tuple[CopyKind, ...], tuple[CopyEdge, ...], int]:
    sql = """
        select kind, count(*) as n, count(*) filter (both_publishers) as n_named, median(delay_s) as delay_s
        from copies where narrative_key = ? group by kind order by n desc, kind"""
    kinds = tuple(CopyKind(r["kind"], r["n"], r["n_named"], r["delay_s"]) for r in rows(con, sql, [key]))
    sql = f"""
        select from_source, to_source, kind, count(*) as n, sum(credit) as credit, min(delay_s) as delay_s,
               count(*) over () as n_edges
        from copies where narrative_key = ? and both_publishers group by all
        order by credit desc, from_source, to_source, kind limit {MOST_EDGES}"""
    found = [r for r in rows(con, sql, [key]) if not (is_pseudonym(r["from_source"]) or is_pseudonym(r["to_source"]))]
    edges = tuple(
        CopyEdge(clean(r["from_source"]), clean(r["to_source"]), r["kind"], r["n"], r["credit"], r["delay_s"])
        for r in found
    )
    return kinds, edges, (found[0]["n_edges"] - len(found)) if found else 0


def _delays(con: duckdb.DuckDBPyConnection, key: int | None) -> Delays:
    counts = [0] * (len(DELAY_EDGES_S) + 1)
    above = " + ".join(f"(delay_s >= {edge})::int" for edge in DELAY_EDGES_S)
    for row in rows(con, f"select {above} as bin, count(*) as n from copies where narrative_key = ? group by 1", [key]):
        counts[row["bin"]] = row["n"]
    return Delays(DELAY_EDGES_S, tuple(counts))


def _amplifiers(con: duckdb.DuckDBPyConnection, key: int | None) -> tuple[Amplifier, ...]:
    sql = """
        select a.source, a.score, o.score as overall, a.n_posts, a.n_repeats, a.influence
        from amplifiers a left join amplifiers o on o.narrative_key is null and o.source = a.source
        where a.narrative_key = ? order by a.score desc, a.n_repeats desc, a.source limit 12"""
    return tuple(
        Amplifier(clean(r["source"]), r["score"], r["overall"], r["n_posts"], r["n_repeats"], r["influence"])
        for r in rows(con, sql, [key])
        if not is_pseudonym(r["source"])
    )


def _spread(
    con: duckdb.DuckDBPyConnection, key: int | None, publishers: Sequence[Publisher], important: Sequence[str]
) -> Spread:
    """Choose lanes: origin candidates and amplifiers, then whoever was repeated or posted most."""
    rank = {source: -i for i, source in reversed(list(enumerate(important)))}
    part = {p.source: (p.source in rank, rank.get(p.source, 0), p.n_repeated, p.n_posts) for p in publishers}
    kept = {source for source, _ in sorted(part.items(), key=lambda e: (e[1], e[0]), reverse=True)[:MOST_LANES]}
    lanes = list(dict.fromkeys(p.source for p in publishers if p.source in kept))
    sql = f"""
        select post_key, post_id, source, at_us from (
            select *, row_number() over (partition by source order by at_us, post_key) as nth
            from {_MINE} where is_publisher and source in (select unnest(?::varchar[])))
        where nth <= {MOST_LANE_POSTS} order by at_us, post_key"""
    dots = rows(con, sql, [lanes])
    index = {dot["post_key"]: i for i, dot in enumerate(dots)}
    sql = """
        select from_post, to_post, kind from copies
        where narrative_key = ? and both_publishers
          and from_post in (select unnest(?::bigint[])) and to_post in (select unnest(?::bigint[]))
        order by credit desc, to_post, from_post"""
    lines = rows(con, sql, [key, list(index), list(index)])
    return Spread(
        tuple(lanes),
        tuple(
            SpreadPost(
                lanes.index(dot["source"]), at(dot["at_us"]), clean(dot["post_id"]), format_id("p", dot["post_key"])
            )
            for dot in dots
        ),
        tuple(SpreadEdge(index[line["from_post"]], index[line["to_post"]], line["kind"]) for line in lines),
        len({p.source for p in publishers}) - len(lanes),
    )


def _earliest(con: duckdb.DuckDBPyConnection) -> tuple[Post, ...]:
    sql = f"select * from {_MINE} order by at_us, post_key limit {MOST_EARLIEST}"
    versions: dict[Any, int] = {}
    firsts: dict[str, tuple[int, str]] = {}
    posts = []
    for row in with_words(con, rows(con, sql)):
        text = shown_text(row["title"], row["text"])[:MOST_CHARS]
        slot = row["text_key"] if row["text_key"] is not None else text
        is_new = slot not in versions
        version = versions.setdefault(slot, len(versions))
        base = firsts.setdefault(row["language"], (version, text))
        compared = is_new and base[0] != version
        named = row["is_publisher"] and not is_pseudonym(row["source"])
        posts.append(
            Post(
                at(row["at_us"]),
                row["platform"],
                clean(row["source"]) if named else None,
                (clean(row["source_name"]) or None) if named else None,
                clean(row["post_id"]) if named else None,
                shown_url(row["url"]) if named else None,
                row["language"],
                version,
                is_new,
                base[0] if compared else None,
                text,
                differences(base[1], text) if compared else (),
            )
        )
    return tuple(posts)


def _groups(con: duckdb.DuckDBPyConnection) -> tuple[Group, ...]:
    sql = f"""
        with here as (select distinct source from {_MINE} where is_publisher),
        named as (select group_id, unnest(sources) as source from coordination),
        touching as (
            select group_id, list_sort(list(source)) as sources_here from named semi join here using (source)
            group by group_id having count(*) >= 2)
        select g.group_id, g.sources, t.sources_here, g.n_other_accounts, g.p_value, g.traces, g.n_objects, g.test,
               g.median_delay_s, coalesce(g.n_wire_copies, 0) as n_wire_copies, {moves.EXAMPLES} as examples,
               {moves.SIGNPOSTS},
               list_transform(g.windows, lambda w: [epoch_us(w."from"), epoch_us(w."to")]) as windows,
               flatten(list_transform(g.examples, lambda e: e.post_ids)) as example_ids
        from coordination g join touching t using (group_id)
        order by len(t.sources_here) desc, g.p_value, g.group_id limit {MOST_GROUPS}"""
    found = rows(con, sql)
    ids = sorted({post_id for row in found for post_id in row["example_ids"]})
    sql = f"select post_id from {_MINE} where post_id in (select unnest(?::varchar[]))"
    here = {row["post_id"] for row in rows(con, sql, [ids])} if ids else set()
    return tuple(
        Group(
            row["group_id"],
            tuple(clean(s) for s in row["sources"] if not is_pseudonym(s)),
            tuple(clean(s) for s in row["sources_here"] if not is_pseudonym(s)),
            row["n_other_accounts"],
            row["p_value"],
            tuple(row["traces"]),
            tuple(Window(at(a), at(b)) for a, b in row["windows"]),
            row["n_objects"],
            sum(post_id in here for post_id in row["example_ids"]),
            row["test"],
            row["median_delay_s"],
            row["n_wire_copies"],
            moves.examples(row["examples"]),
            row["is_one_house"],
            tuple(clean(address) for address in row["signposts"]),
        )
        for row in found
    )


def _evidence(con: duckdb.DuckDBPyConnection) -> Evidence:
    sql = f"select * from {_MINE} where is_publisher order by at_us, post_key limit {MOST_EVIDENCE}"
    posts = tuple(
        EvidencePost(
            clean(r["post_id"]),
            clean(r["source"]),
            shown_url(r["url"]),
            at(r["at_us"]),
            at(r["seen_us"]),
            format_id("p", r["post_key"]),
        )
        for r in rows(con, sql)
    )
    sql = f"select count(*) filter (is_publisher) as named, count(*) filter (not is_publisher) as private from {_MINE}"
    counts = rows(con, sql)[0]
    sql = """
        select file, format, sum(n_posts)::bigint as n_posts, sum(n_rejects)::bigint as n_rejects,
               max(epoch_us(imported_at)) as at_us
        from imports group by file, format order by at_us desc, file"""
    files = [
        ImportedFile(clean(r["file"]), r["format"], r["n_posts"], r["n_rejects"], at(r["at_us"]))
        for r in rows(con, sql)
    ]
    return Evidence(
        posts,
        counts["named"] - len(posts),
        counts["private"],
        tuple(files[:MOST_FILES]),
        max(0, len(files) - MOST_FILES),
    )


def _not_known(
    con: duckdb.DuckDBPyConnection,
    first_seen: FirstSeen,
    gaps: Sequence[Any],
    copies: Sequence[CopyKind],
    min_audience: int | None,
    start: datetime,
) -> tuple[Unknown, ...]:
    """List what stays open, what weighs most first; the last three hold for every trace."""
    found: list[Unknown] = []
    if first_seen.abstained:
        found.append(Unknown("beginning", {"reason": first_seen.reason}))
    elif first_seen.unobserved >= 0.005:
        found.append(Unknown("someone_else", {"confidence": round(first_seen.unobserved, 4)}))
    if first_seen.seen_after is None:
        found.append(Unknown("no_lower_end", {}))
    hours = sum((gap.end - gap.start).total_seconds() for gap in gaps if gap.start < start) / 3600
    if hours >= 1:
        found.append(Unknown("gaps", {"hours": int(hours)}))
    if first_seen.n_earlier_private:
        found.append(Unknown("earlier_private", {"n": first_seen.n_earlier_private}))
    for code, n in (
        ("reposts_of_unseen", _unseen_reposts(con)),
        ("forwards_of_unseen", _unseen_forwards(con)),
        ("language", con.execute(f"select count(*) from {_MINE} where language = 'und'").fetchall()[0][0]),
    ):
        if n:
            found.append(Unknown(code, {"n": n}))
    if hidden := sum(kind.n - kind.n_named for kind in copies):
        found.append(Unknown("copies_private", {"n": hidden}))
    if min_audience == 0:
        found.append(Unknown("all_publishers", {}))
    platforms = [r["platform"] for r in rows(con, "select distinct platform from posts order by 1")]
    found.append(Unknown("elsewhere", {"platforms": platforms}))
    found.append(Unknown("clocks", {}))
    found.append(Unknown("intent", {}))
    return tuple(found)


def _unseen_reposts(con: duckdb.DuckDBPyConnection) -> int:
    """Count reposts of posts that are not stored; by key, because comparing a million ids takes half a second."""
    originals = rows(con, f"select repost_of, count(*) as n from {_MINE} where repost_of is not null group by 1")
    keys = hash_strings(pa.array([row["repost_of"] for row in originals], pa.string())).tolist()
    sql = "select post_key from posts where post_key in (select unnest(?::bigint[]))"
    stored = {row["post_key"] for row in rows(con, sql, [keys])} if keys else set()
    return sum(row["n"] for row, key in zip(originals, keys, strict=True) if key not in stored)


def _unseen_forwards(con: duckdb.DuckDBPyConnection) -> int:
    """Count forwards from sources of which no post is stored."""
    origins = rows(
        con, f"select forwarded_from, count(*) as n from {_MINE} where forwarded_from is not null group by 1"
    )
    names = [row["forwarded_from"] for row in origins]
    sql = "select distinct source from posts where source in (select unnest(?::varchar[]))"
    stored = {row["source"] for row in rows(con, sql, [names])} if names else set()
    return sum(row["n"] for row in origins if row["forwarded_from"] not in stored)

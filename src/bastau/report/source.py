# ruff: noqa: S608 - queries hold only constants of this module; values are parameters
"""One publisher: what it published, whom it copied, who copied it, and with whom it moved. Never a private account."""

from dataclasses import dataclass
from datetime import datetime

import duckdb

from bastau.report.findings import sensitive_narratives
from bastau.report.post_search import PostHit, shown
from bastau.report.queries import at, clean, is_pseudonym, rows, shorten
from bastau.report.timeline import Timeline, timeline

MOST_COPIES = 15
MOST_POSTS = 15
MOST_NARRATIVES = 15
_MINE = "bastau_source_posts"


@dataclass(frozen=True)
class Copied:
    """Copies between this publisher and another: ``share`` in (0, 1] of all that the copier copied."""

    source: str
    n_copies: int
    n_narratives: int
    n_wire: int
    share: float
    median_delay_s: float


@dataclass(frozen=True)
class InGroup:
    """A coordinated group that the publisher is in; says nothing of intent."""

    group_id: str
    others: tuple[str, ...]
    n_objects: int
    p_value: float


@dataclass(frozen=True)
class InFamily:
    """A family of websites that the publisher is in."""

    family_id: str
    others: tuple[str, ...]
    p_value: float


@dataclass(frozen=True)
class OfNarrative:
    """A narrative that it published in, with its posts there; ``is_sensitive``: rules or lists found something in it."""

    narrative_id: str
    n_posts: int
    n_here: int
    text: str
    is_sensitive: bool


@dataclass(frozen=True)
class SourcePage:
    """One publisher. Counts are of stored posts; ``amplified`` is its FIB index over all narratives."""

    source: str
    source_name: str | None
    source_kind: str | None
    audience: int | None
    platforms: tuple[str, ...]
    n_posts: int
    first_at: datetime
    last_at: datetime
    timeline: Timeline
    amplified: int | None
    copied_from: tuple[Copied, ...]
    copied_by: tuple[Copied, ...]
    groups: tuple[InGroup, ...]
    families: tuple[InFamily, ...]
    narratives: tuple[OfNarrative, ...]
    posts: tuple[PostHit, ...]


def one_source(con: duckdb.DuckDBPyConnection, source: str) -> SourcePage | None:
    """Return what is known of a publisher; None for one that is not stored, and for every private account."""
    if is_pseudonym(source):
        return None
    con.execute(
        f"""
        create or replace temp table {_MINE} as
        select p.post_key, epoch_us(p.published_at) as at_us, p.platform, p.source_name, p.source_kind, p.audience,
               'und' as language
        from posts p where p.source = ? and p.is_publisher""",
        [source],
    )
    try:
        return _build(con, source)
    finally:
        con.execute(f"drop table if exists {_MINE}")


def _build(con: duckdb.DuckDBPyConnection, source: str) -> SourcePage | None:
    about = rows(
        con,
        f"""
        select count(*) as n, min(at_us) as first_us, max(at_us) as last_us, max(audience) as audience,
               arg_max(source_name, at_us) as name, arg_max(source_kind, at_us) as kind,
               list_sort(list(distinct platform)) as platforms
        from {_MINE}""",
    )[0]
    if not about["n"]:
        return None
    con.execute(
        f"""update {_MINE} set language = r.detected_language
        from (select post_key, detected_language from readings semi join {_MINE} using (post_key)) r
        where r.post_key = {_MINE}.post_key"""
    )
    score = rows(con, "select score from amplifiers where narrative_key is null and source = ?", [source])
    latest = rows(con, f"select post_key, at_us from {_MINE} order by at_us desc, post_key limit {MOST_POSTS}")
    return SourcePage(
        clean(source),
        clean(about["name"]) or None,
        about["kind"],
        about["audience"],
        tuple(about["platforms"]),
        about["n"],
        at(about["first_us"]),
        at(about["last_us"]),
        timeline(con, _MINE),
        score[0]["score"] if score else None,
        _copied(con, source, "from_source", "to_source"),
        _copied(con, source, "to_source", "from_source"),
        _groups(con, source),
        _families(con, source),
        _narratives(con),
        tuple(shown(con, [(post["post_key"], post["at_us"]) for post in latest])),
    )


def _copied(con: duckdb.DuckDBPyConnection, source: str, other: str, own: str) -> tuple[Copied, ...]:
    sql = f"""
        select {other} as source, n_copies, n_narratives, n_wire, share, median_delay_s from copy_network
        where {own} = ? order by n_copies desc, 1 limit {MOST_COPIES}"""
    return tuple(
        Copied(clean(r["source"]), r["n_copies"], r["n_narratives"], r["n_wire"] or 0, r["share"], r["median_delay_s"])
        for r in rows(con, sql, [source])
        if not is_pseudonym(r["source"])
    )


def _groups(con: duckdb.DuckDBPyConnection, source: str) -> tuple[InGroup, ...]:
    sql = """
        select group_id, sources, n_objects, p_value from coordination
        where list_contains(sources, ?) order by n_objects desc, group_id"""
    return tuple(
        InGroup(
            r["group_id"],
            tuple(clean(s) for s in r["sources"] if s != source and not is_pseudonym(s)),
            r["n_objects"],
            r["p_value"],
        )
        for r in rows(con, sql, [source])
    )


def _families(con: duckdb.DuckDBPyConnection, source: str) -> tuple[InFamily, ...]:
    sql = "select family_id, sources, p_value from families where list_contains(sources, ?) order by family_id"
    return tuple(
        InFamily(r["family_id"], tuple(clean(s) for s in r["sources"] if s != source), r["p_value"])
        for r in rows(con, sql, [source])
    )


def _narratives(con: duckdb.DuckDBPyConnection) -> tuple[OfNarrative, ...]:
    sql = f"""
        with mine as (
            select narrative_key, count(*) as n_here from members semi join {_MINE} using (post_key)
            where narrative_key is not null group by 1)
        select n.narrative_id, n.n_posts, n.text, mine.n_here from mine join narratives n using (narrative_key)
        order by n.n_posts desc, n.narrative_id limit {MOST_NARRATIVES}"""
    sensitive = sensitive_narratives(con)
    return tuple(
        OfNarrative(
            r["narrative_id"], r["n_posts"], r["n_here"], shorten(clean(r["text"]), 160), r["narrative_id"] in sensitive
        )
        for r in rows(con, sql)
    )

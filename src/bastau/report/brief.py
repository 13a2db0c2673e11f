# ruff: noqa: S608 - queries hold only constants of this module; values are parameters
"""The brief of a period: what is new, rising, coordinated and across languages, and what was looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import duckdb
import orjson

from bastau.errors import ConfigError
from bastau.report import moves
from bastau.report.moves import Example, Influence
from bastau.report.queries import at, clean, is_pseudonym, one_line, rows, shorten, shown_text
from bastau.report.timeline import Coverage, Timeline, coverage, timeline
from bastau.report.trace import Window

MOST_ROWS = 20
LEVEL = 0.99
"""Confidence level of the intervals: stricter than .95 because many narratives are compared at once."""
MIN_POSTS = 5
"""Fewer posts in the period are not called rising."""

_PERIOD = "bastau_brief_posts"
_COUNTED = "bastau_brief_narratives"


@dataclass(frozen=True)
class Rise:
    """How much more often than in the previous period, per collected post; ``ratio`` None: not at all before.

    ``low`` and ``high`` bound the ratio with confidence :data:`LEVEL`; ``high`` None is unbounded.
    """

    n_before: int
    ratio: float | None
    low: float
    high: float | None


@dataclass(frozen=True)
class Row:
    """A narrative in the period; counts are of the period. ``earliest`` is a publisher, None: none is named."""

    narrative_id: str
    text: str
    language: str
    n_posts: int
    n_publishers: int
    languages: tuple[str, ...]
    platforms: tuple[str, ...]
    first_seen_at: datetime
    earliest: str | None
    confidence: float | None
    rise: Rise | None


@dataclass(frozen=True)
class MovedTogether:
    """A coordinated group active in the period, with the narratives most of its posts belong to."""

    group_id: str
    sources: tuple[str, ...]
    n_other_accounts: int
    p_value: float
    traces: tuple[str, ...]
    windows: tuple[Window, ...]
    n_objects: int
    n_wire_copies: int
    examples: tuple[Example, ...]
    is_one_house: bool
    signposts: tuple[str, ...]
    narratives: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Brief:
    """A period [``start``, ``end``) against the equal period before it."""

    start: datetime
    end: datetime
    n_posts: int
    n_posts_before: int
    n_publishers: int
    n_private_posts: int
    n_narratives: int
    n_in_narratives: int
    n_rejects: int
    reject_reasons: tuple[tuple[str, int], ...]
    timeline: Timeline | None
    coverage: tuple[Coverage, ...]
    new: tuple[Row, ...]
    n_new: int
    rising: tuple[Row, ...]
    n_rising: int
    coordinated: tuple[MovedTogether, ...]
    influence: tuple[Influence, ...]
    across_languages: tuple[Row, ...]
    n_across_languages: int
    min_audience: int | None


def brief_json(brief: Brief) -> dict[str, Any]:
    """Return the brief as JSON values: the field names of :class:`Brief`, times in RFC 3339 with ``Z``."""
    return cast(dict[str, Any], orjson.loads(orjson.dumps(brief, option=orjson.OPT_UTC_Z)))


def brief(con: duckdb.DuckDBPyConnection, start: datetime, end: datetime) -> Brief:
    """Return the brief for the posts published in [``start``, ``end``).

    Args:
        con: one view per table of :data:`bastau.schemas.TABLES`; a temporary table is made and dropped.
        start: beginning, with a time zone.
        end: end, with a time zone.

    Raises:
        ConfigError: the period is empty.
    """
    if end <= start:
        raise ConfigError(f"the period ends ({end:%Y-%m-%d %H:%M}) before it begins ({start:%Y-%m-%d %H:%M})")
    con.execute(
        f"""
        create or replace temp table {_PERIOD} as
        select p.post_key, p.platform, p.source, p.is_publisher, epoch_us(p.published_at) as at_us,
               p.published_at >= ? as is_now, coalesce(r.detected_language, 'und') as language, m.narrative_key
        from posts p left join readings r using (post_key) left join members m using (post_key)
        where p.published_at >= ? and p.published_at < ?""",
        [start, start - (end - start), end],
    )
    try:
        return _brief(con, start, end)
    finally:
        con.execute(f"drop table if exists {_PERIOD}")
        con.execute(f"drop table if exists {_COUNTED}")


def _brief(con: duckdb.DuckDBPyConnection, start: datetime, end: datetime) -> Brief:
    counts = rows(
        con,
        f"""
        select count(*) filter (is_now) as n_posts, count(*) filter (not is_now) as n_before,
               count(distinct (platform, source)) filter (is_now and is_publisher) as n_publishers,
               count(*) filter (is_now and not is_publisher) as n_private,
               count(distinct narrative_key) filter (is_now) as n_narratives,
               count(narrative_key) filter (is_now) as n_in_narratives
        from {_PERIOD}""",
    )[0]
    platforms = [r["platform"] for r in rows(con, "select distinct platform from posts order by 1")]
    reasons = rows(con, "select reason, count(*) as n from rejects group by 1 order by n desc, 1")
    start_us = round(start.timestamp() * 1e6)
    _count_narratives(con)
    is_new = f"first_us >= {start_us}"
    new, n_new = _first(con, is_new, "n_now desc, first_us, narrative_id")
    across, n_across = _first(con, "n_known > 1", "n_known desc, n_now desc, narrative_id")
    rising = _rising(con, is_new, counts["n_posts"], counts["n_before"])
    shown = _describe(con, [*new, *(r for r, _ in rising[:MOST_ROWS]), *across])
    return Brief(
        start,
        end,
        counts["n_posts"],
        counts["n_before"],
        counts["n_publishers"],
        counts["n_private"],
        counts["n_narratives"],
        counts["n_in_narratives"],
        sum(r["n"] for r in reasons),
        tuple((r["reason"], r["n"]) for r in reasons[:10]),
        _timeline(con, start, end) if counts["n_posts"] else None,
        tuple(coverage(con, [platform], start, end, 62) for platform in platforms),
        tuple(_row(r, shown, None) for r in new),
        n_new,
        tuple(_row(r, shown, up) for r, up in rising[:MOST_ROWS]),
        len(rising),
        _coordinated(con, start, end),
        moves.influence(con, None),
        tuple(_row(r, shown, None) for r in across),
        n_across,
        rows(con, "select min(min_audience) as n from imports")[0]["n"],
    )


def _timeline(con: duckdb.DuckDBPyConnection, start: datetime, end: datetime) -> Timeline:
    con.execute(f"create or replace temp view {_PERIOD}_now as select * from {_PERIOD} where is_now")
    try:
        return timeline(con, f"{_PERIOD}_now", (start, end), most=62)
    finally:
        con.execute(f"drop view if exists {_PERIOD}_now")


def _count_narratives(con: duckdb.DuckDBPyConnection) -> None:
    """Count the posts of each narrative of the period, and the languages that they are known to be in."""
    con.execute(
        f"""
        create or replace temp table {_COUNTED} as
        with counted as (
            select narrative_key, count(*) filter (is_now) as n_now, count(*) filter (not is_now) as n_before,
                   count(distinct language) filter (is_now and language <> 'und' and not contains(language, '|')) as n_known
            from {_PERIOD} where narrative_key is not null group by 1 having n_now > 0)
        select c.*, n.narrative_id, n.first_post_key, epoch_us(n.first_seen_at) as first_us
        from counted c join narratives n using (narrative_key)"""
    )


def _first(con: duckdb.DuckDBPyConnection, where: str, by: str) -> tuple[list[dict[str, Any]], int]:
    """Return the first narratives of an order, and how many there are."""
    sql = f"select *, count(*) over () as n from {_COUNTED} where {where} order by {by} limit {MOST_ROWS}"
    found = rows(con, sql)
    return found, found[0]["n"] if found else 0


def _rising(
    con: duckdb.DuckDBPyConnection, is_new: str, total_now: int, total_before: int
) -> list[tuple[dict[str, Any], Rise]]:
    """Return what rose with confidence LEVEL, by how much it rose at least; nothing without an earlier period to compare."""
    if not total_before:
        return []
    from bastau.report.rates import rise  # its numerics load slowly, and the pages do without

    old = rows(con, f"select * from {_COUNTED} where not ({is_new}) and n_now >= {MIN_POSTS}")
    compared = [(row, rise(row["n_now"], row["n_before"], total_now, total_before)) for row in old]
    return sorted((e for e in compared if e[1].low > 1), key=lambda e: (-e[1].low, e[0]["narrative_id"]))


def _describe(con: duckdb.DuckDBPyConnection, wanted: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Fetch words, origin, publishers, languages and platforms (most posts first) of the few narratives that are shown."""
    keys = sorted({row["first_post_key"] for row in wanted})
    sql = """
        select p.post_key, p.title, p.text, coalesce(r.detected_language, 'und') as language
        from posts p left join readings r using (post_key) where p.post_key in (select unnest(?::bigint[]))"""
    posts = {row["post_key"]: row for row in rows(con, sql, [keys])}
    sql = """
        select narrative_key, abstained, candidates[1].source as source, candidates[1].confidence as confidence
        from origins where narrative_key in (select unnest(?::bigint[]))"""
    origins = {r["narrative_key"]: r for r in rows(con, sql, [[row["narrative_key"] for row in wanted]])}
    nobody = {"abstained": True, "source": None, "confidence": None}
    spread = _spread(con, [row["narrative_key"] for row in wanted])
    return {
        row["narrative_id"]: {
            **posts[row["first_post_key"]],
            **origins.get(row["narrative_key"], nobody),
            **spread[row["narrative_key"]],
        }
        for row in wanted
    }


def _spread(con: duckdb.DuckDBPyConnection, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    sql = f"""
        with here as materialized (
            select narrative_key, platform, source, is_publisher, language from {_PERIOD}
            where is_now and narrative_key in (select unnest(?::bigint[]))),
        published as (
            select narrative_key, count(distinct (platform, source)) filter (is_publisher) as n_publishers
            from here group by 1),
        spoken as (
            select narrative_key, list(language order by n desc, language) as languages from (
                select narrative_key, language, count(*) as n from here group by all) group by 1),
        carried as (
            select narrative_key, list(platform order by n desc, platform) as platforms from (
                select narrative_key, platform, count(*) as n from here group by all) group by 1)
        from published join spoken using (narrative_key) join carried using (narrative_key)"""
    return {row["narrative_key"]: row for row in rows(con, sql, [list(keys)])}


def _row(row: dict[str, Any], shown: dict[str, dict[str, Any]], up: Rise | None) -> Row:
    about = shown[row["narrative_id"]]
    named = not about["abstained"] and about["source"] and not is_pseudonym(about["source"])
    return Row(
        row["narrative_id"],
        shorten(one_line(shown_text(about["title"], about["text"])), 220),
        about["language"],
        row["n_now"],
        about["n_publishers"],
        tuple(about["languages"]),
        tuple(about["platforms"]),
        at(row["first_us"]),
        clean(about["source"]) if named else None,
        about["confidence"] if named else None,
        up,
    )


def _coordinated(con: duckdb.DuckDBPyConnection, start: datetime, end: datetime) -> tuple[MovedTogether, ...]:
    sql = f"""
        select group_id, sources, n_other_accounts, p_value, traces, n_objects,
               coalesce(n_wire_copies, 0) as n_wire_copies, {moves.EXAMPLES} as examples, {moves.SIGNPOSTS},
               list_transform(windows, lambda w: [epoch_us(w."from"), epoch_us(w."to")]) as windows
        from coordination
        where len(list_filter(windows, lambda w: w."from" < ? and w."to" >= ?)) > 0
        order by n_objects desc, group_id limit {MOST_ROWS}"""
    groups = rows(con, sql, [end, start])
    sql = f"""
        with named as (
            select group_id, unnest(sources) as source from coordination where group_id in (select unnest(?::varchar[]))),
        ranked as (
            select g.group_id, n.narrative_id, n.text, count(*) as n,
                   row_number() over (partition by g.group_id order by count(*) desc, n.narrative_id) as nth
            from named g join {_PERIOD} p using (source) join narratives n using (narrative_key)
            where p.is_now group by g.group_id, n.narrative_id, n.text having count(distinct source) >= 2)
        select group_id, narrative_id, text from ranked where nth <= 3 order by group_id, nth"""
    touched: dict[str, list[tuple[str, str]]] = {}
    for r in rows(con, sql, [[g["group_id"] for g in groups]]):
        touched.setdefault(r["group_id"], []).append((r["narrative_id"], shorten(clean(r["text"]), 120)))
    return tuple(
        MovedTogether(
            g["group_id"],
            tuple(clean(s) for s in g["sources"] if not is_pseudonym(s)),
            g["n_other_accounts"],
            g["p_value"],
            tuple(g["traces"]),
            tuple(Window(at(a), at(b)) for a, b in g["windows"]),
            g["n_objects"],
            g["n_wire_copies"],
            moves.examples(g["examples"]),
            g["is_one_house"],
            tuple(clean(address) for address in g["signposts"]),
            tuple(touched.get(g["group_id"], ())),
        )
        for g in groups
    )

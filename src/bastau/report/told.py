# ruff: noqa: S608 - the table name is a constant of bastau.report.build
"""What else tells the story of a trace, how its text changed, and which of the operator's narratives it fits."""

from typing import Any

import duckdb

from bastau.report.differences import differences
from bastau.report.queries import at, between, clean, is_pseudonym, one_line, rows, shorten, shown_text, with_words
from bastau.report.trace import Curated, Story, Telling, Theme, Version

MOST_TELLINGS = 12
MOST_VERSIONS = 12
_CHARS = 240


def story(con: duckdb.DuckDBPyConnection, key: int) -> Story | None:
    """Return the story that the telling ``key`` (narrative_key, or post_key of a lone post) belongs to, if others tell it."""
    sql = """
        select s.story_key, s.story_id, s.n_tellings, s.n_wordings, s.n_posts, s.n_publishers, s.languages,
            epoch_us(s.first_seen_at) as first_us, epoch_us(s.last_seen_at) as last_us, t.wording_key
        from tellings t join stories s using (story_key) where t.telling_key = ?"""
    found = rows(con, sql, [key])
    if not found:
        return None
    row = found[0]
    within, period = between(con, at(row["first_us"]), at(row["last_us"]), "p.published_at")
    sql = f"""
        with told as materialized (
            select n.narrative_id, coalesce(n.n_posts, 1)::bigint as n_posts, epoch_us(t.first_seen_at) as first_us,
                t.wording_key = ? as is_reworded, t.text_post_key as post_key, t.telling_key
            from tellings t left join narratives n on n.narrative_key = t.telling_key
            where t.story_key = ? and t.telling_key <> ?
            order by n_posts desc, first_us, t.telling_key limit {MOST_TELLINGS}),
        reading as (
            select post_key, detected_language from readings where post_key in (select post_key from told))
        select t.narrative_id, t.n_posts, t.first_us, coalesce(r.detected_language, 'und') as language, t.is_reworded,
            p.title, p.text
        from told t join posts p using (post_key) left join reading r using (post_key)
        where {within}
        order by t.n_posts desc, t.first_us, t.telling_key"""
    others = tuple(
        Telling(
            one["narrative_id"],
            one["n_posts"],
            at(one["first_us"]),
            one["language"],
            one["is_reworded"],
            shorten(one_line(shown_text(one["title"], one["text"])), _CHARS),
        )
        for one in rows(con, sql, [row["wording_key"], row["story_key"], key, *period])
    )
    return Story(
        row["story_id"],
        row["n_tellings"],
        row["n_wordings"],
        row["n_posts"],
        row["n_publishers"],
        tuple(row["languages"]),
        at(row["first_us"]),
        at(row["last_us"]),
        others,
    )


def theme(con: duckdb.DuckDBPyConnection, key: int) -> Theme | None:
    """Return the theme of the story that the telling ``key`` belongs to, if other stories are in it."""
    sql = """
        select h.theme_id, h.n_stories, h.n_posts, h.n_publishers, h.languages, epoch_us(h.first_seen_at) as first_us,
            epoch_us(h.last_seen_at) as last_us, h.text, coalesce(r.detected_language, 'und') as language
        from tellings t join theme_members m using (story_key) join themes h using (theme_key)
            left join readings r on r.post_key = h.text_post_key
        where t.telling_key = ?"""
    for row in rows(con, sql, [key]):
        return Theme(
            row["theme_id"],
            row["n_stories"],
            row["n_posts"],
            row["n_publishers"],
            tuple(row["languages"]),
            at(row["first_us"]),
            at(row["last_us"]),
            row["language"],
            shorten(one_line(shown_text(None, row["text"])), _CHARS),
        )
    return None


def versions(con: duckdb.DuckDBPyConnection, narrative_key: int | None, most_chars: int) -> tuple[Version, ...]:
    """Return the versions of the narrative's text that most posts have, in order, each against what it was made from."""
    sql = f"""
        select * from (
            select version, from_version, source, n_posts, n_sources, epoch_us(first_seen_at) as first_us, first_post_key
            from versions where narrative_key = ? order by version = 0 desc, n_posts desc, version limit {MOST_VERSIONS})
        order by version"""
    kept = rows(con, sql, [narrative_key])
    wanted = {row["version"] for row in kept} | {row["from_version"] for row in kept if row["from_version"] is not None}
    if not kept:
        return ()
    sql = """
        select version, first_post_key as post_key, epoch_us(v.first_seen_at) as at_us,
            coalesce(r.detected_language, 'und') as language
        from versions v left join readings r on r.post_key = v.first_post_key
        where narrative_key = ? and version in (select unnest(?::bigint[]))"""
    slim = rows(con, sql, [narrative_key, sorted(wanted)])
    found = {row["version"]: row for row in with_words(con, slim)}
    texts = {version: shown_text(row["title"], row["text"])[:most_chars] for version, row in found.items()}
    return tuple(_version(row, texts, found[row["version"]]["language"]) for row in kept)


def _version(row: dict[str, Any], texts: dict[int, str], language: str) -> Version:
    text, base = texts[row["version"]], row["from_version"]
    named = row["source"] is not None and not is_pseudonym(row["source"])
    return Version(
        row["version"],
        base,
        clean(row["source"]) if named else None,
        at(row["first_us"]),
        row["n_posts"],
        row["n_sources"],
        language,
        text,
        differences(texts[base], text) if base is not None else (),
    )


def curated(con: duckdb.DuckDBPyConnection, key: int) -> tuple[Curated, ...]:
    """Return the operator's narratives that the telling ``key`` fits, surest first."""
    sql = "select curated_id, title, proposition, score from curated where telling_key = ? order by score desc, curated_id"
    return tuple(Curated(r["curated_id"], r["title"], r["proposition"], r["score"]) for r in rows(con, sql, [key]))

# ruff: noqa: S608 - queries hold only constants of this module; values are parameters
"""Search stored posts by words, language, platform, publisher and time, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from bastau.report.queries import at, clean, is_pseudonym, one_line, rows, shorten, shown_text

PAGE = 25
"""Posts on one page."""
MOST_PAGES = 400
"""Later pages are not given out: they would cost as much as all before them; narrow the search instead."""
_MOST_WORDS = 12
_SEARCHED = "bastau_searched"


@dataclass(frozen=True)
class Asked:
    """What is searched for; empty fields do not narrow. ``words`` are folded, and all must be there.

    ``source`` is a publisher; a private account is never searched for (SCOPE, rule 2).
    """

    words: Sequence[str] = ()
    language: str = ""
    platform: str = ""
    source: str = ""
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class PostHit:
    """A post that was found; a private account has no source here. ``is_sensitive``: rules or lists found something in it."""

    post_key: int
    published_at: datetime
    platform: str
    source: str | None
    source_name: str | None
    language: str
    text: str
    narrative_id: str | None
    n_in_narrative: int
    is_sensitive: bool


@dataclass(frozen=True)
class Hits:
    """One page of what was found, and how many posts there are in all."""

    n: int
    page: int
    posts: tuple[PostHit, ...]

    @property
    def n_pages(self) -> int:
        """Pages that can be asked for, at least one."""
        return max(1, min(MOST_PAGES, -(-self.n // PAGE)))


def prepare_search(con: duckdb.DuckDBPyConnection, *, most_in_memory: int = 0) -> None:
    """Make the relation from which :func:`search_posts` reads: a table in memory for up to so many posts, else a view.

    Reading the words from Parquet takes most of the time of a search: 0.3 of 0.35 s for 200,000 posts.
    """
    n = con.execute("select count(*) from posts").fetchall()[0][0]
    kind = "table" if n <= most_in_memory else "view"
    con.execute(
        f"""
        create or replace {kind} {_SEARCHED} as
        select p.post_key, epoch_us(p.published_at) as at_us, p.platform,
               case when p.is_publisher then p.source end as publisher,
               coalesce(r.detected_language, 'und') as language, r.folded
        from posts p left join readings r using (post_key) {"order by at_us desc, p.post_key" if kind == "table" else ""}"""
    )


def search_posts(con: duckdb.DuckDBPyConnection, asked: Asked, page: int = 1) -> Hits:
    """Return page ``page`` (from 1) of the posts that fit; a word counts where a stored word begins with it.

    ``con`` was prepared by :func:`prepare_search`.
    """
    page = min(max(page, 1), MOST_PAGES)
    keys, n = _find(con, asked, page)
    return Hits(n, page, tuple(shown(con, keys)))


def _find(con: duckdb.DuckDBPyConnection, asked: Asked, page: int) -> tuple[list[tuple[int, int]], int]:
    wheres = ["true"]
    params: list[Any] = []
    for sign, moment in ((">=", asked.start), ("<", asked.end)):
        if moment is not None:
            wheres.append(f"at_us {sign} ?")
            params.append(round(moment.timestamp() * 1e6))
    for column, value in (("platform", asked.platform), ("publisher", asked.source)):
        if value:
            wheres.append(f"{column} = ?")
            params.append(value)
    if asked.language:
        wheres.append("(language = ? or list_contains(string_split(language, '|'), ?))")
        params += [asked.language, asked.language]
    for word in list(asked.words)[:_MOST_WORDS]:
        wheres.append("(contains(folded, ?) or starts_with(folded, ?))")
        params += [" " + word, word]
    sql = f"""
        with fit as materialized (select post_key, at_us from {_SEARCHED} where {" and ".join(wheres)})
        select post_key, at_us, (select count(*) from fit) as n from fit
        order by at_us desc, post_key limit {PAGE} offset {(page - 1) * PAGE}"""
    found = rows(con, sql, params)
    return [(row["post_key"], row["at_us"]) for row in found], found[0]["n"] if found else 0


def shown(con: duckdb.DuckDBPyConnection, keys: Sequence[tuple[int, int]]) -> list[PostHit]:
    """Return what may be shown of a few posts, given as (post_key, microseconds), in the same order."""
    if not keys:
        return []
    wanted = [[key for key, _ in keys]]
    times = [us for _, us in keys]
    # Within their time: Parquet statistics then skip most row groups.
    sql = """
        select post_key, platform, source, source_name, is_publisher, title, text from posts
        where post_key in (select unnest(?::bigint[])) and published_at between ? and ?"""
    posts = {row["post_key"]: row for row in rows(con, sql, [wanted[0], at(min(times)), at(max(times))])}
    languages = dict(
        con.execute(
            "select post_key, detected_language from readings where post_key in (select unnest(?::bigint[]))", wanted
        ).fetchall()
    )
    sql = """
        select m.post_key, n.narrative_id, n.n_posts from members m join narratives n using (narrative_key)
        where m.post_key in (select unnest(?::bigint[]))"""
    narratives = {row["post_key"]: row for row in rows(con, sql, wanted)}
    sensitive = sensitive_posts(con, wanted[0])
    return [
        _hit(posts[key], us, languages.get(key, "und"), narratives.get(key), key in sensitive)
        for key, us in keys
        if key in posts
    ]


def sensitive_posts(con: duckdb.DuckDBPyConnection, post_keys: Sequence[int]) -> set[int]:
    """Return those of ``post_keys`` in which rules or lists found something, held back or not: shown behind a warning."""
    sql = """
        select post_key from matches
        where (suggestions is not null or known is not null) and post_key in (select unnest(?::bigint[]))"""
    return {row["post_key"] for row in rows(con, sql, [list(post_keys)])}


def _hit(post: dict[str, Any], us: int, language: str, narrative: dict[str, Any] | None, is_sensitive: bool) -> PostHit:
    named = post["is_publisher"] and not is_pseudonym(post["source"])
    return PostHit(
        post["post_key"],
        at(us),
        post["platform"],
        clean(post["source"]) if named else None,
        clean(post["source_name"]) if named and post["source_name"] else None,
        language,
        shorten(one_line(shown_text(post["title"], post["text"])), 280),
        narrative["narrative_id"] if narrative else None,
        narrative["n_posts"] if narrative else 1,
        is_sensitive,
    )

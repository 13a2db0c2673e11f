# ruff: noqa: S608 - queries hold only constants of this module; values are parameters
"""Search stored posts by words, language, platform, publisher and time, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from bastau.report.queries import at, between, clean, is_pseudonym, one_line, rows, shorten, shown_text
from bastau.report.word_index import Part, posts_with

PAGE = 25
"""Posts on one page."""
MOST_PAGES = 400
"""Later pages are not given out: they would cost as much as all before them; narrow the search instead."""
_MOST_WORDS = 12
SEARCHED = "bastau_searched"
"""What is searched, one row a post: post_key, at_us, platform, publisher, language."""
_FITTING = "bastau_fitting"


@dataclass(frozen=True)
class Asked:
    """What is searched for; empty fields do not narrow. ``words`` and ``phrases`` are folded, and all must be there.

    ``phrases`` are whole words in that order. ``act`` and ``rule``: suggested in the post, held back by context or not.
    ``source`` is a publisher; a private account is never searched for (SCOPE, rule 2).
    """

    words: Sequence[str] = ()
    phrases: Sequence[str] = ()
    act: str = ""
    rule: str = ""
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


def searched(posts: str, readings: str) -> str:
    """Return the query for the rows of :data:`SEARCHED` that belong to two relations."""
    return f"""
        select p.post_key, epoch_us(p.published_at) as at_us, p.platform,
               case when p.is_publisher then p.source end as publisher,
               coalesce(r.detected_language, 'und') as language
        from {posts} p left join {readings} r using (post_key)"""


def prepare_search(con: duckdb.DuckDBPyConnection) -> None:
    """Make the relation from which :func:`search_posts` reads."""
    con.execute(f"create or replace view {SEARCHED} as {searched('posts', 'readings')}")


def search_posts(
    con: duckdb.DuckDBPyConnection, asked: Asked, page: int = 1, parts: Sequence[Part] | None = None
) -> Hits:
    """Return page ``page`` (from 1) of the posts that fit; a word counts where a stored word begins with it.

    Args:
        con: has the relation of :func:`prepare_search`.
        asked: what is searched for.
        page: from 1; the first in place of one that is beyond the last.
        parts: an index of the folded texts; None: they are read through.
    """
    page = min(max(page, 1), MOST_PAGES)
    keys, n = _find(con, asked, page, parts)
    if not keys and page > 1:
        return search_posts(con, asked, 1, parts)
    return Hits(n, page, tuple(shown(con, keys)))


def narratives_with(
    con: duckdb.DuckDBPyConnection, asked: Asked, parts: Sequence[Part] | None = None
) -> dict[str, tuple[int, int]]:
    """Return the narratives that hold posts that fit: so many posts, of so many sources."""
    where, params = _fitting(con, asked, parts)
    sql = f"""
        select n.narrative_id, count(*) as n_posts, count(distinct p.source) as n_sources
        from (select post_key from {SEARCHED} where {where}) join members using (post_key)
            join narratives n using (narrative_key) join posts p using (post_key)
        group by 1 order by 1"""
    try:
        return {row["narrative_id"]: (row["n_posts"], row["n_sources"]) for row in rows(con, sql, params)}
    finally:
        con.unregister(_FITTING)


def _find(
    con: duckdb.DuckDBPyConnection, asked: Asked, page: int, parts: Sequence[Part] | None
) -> tuple[list[tuple[int, int]], int]:
    where, params = _fitting(con, asked, parts)
    sql = f"""
        with fit as materialized (select post_key, at_us from {SEARCHED} where {where})
        select post_key, at_us, (select count(*) from fit) as n from fit
        order by at_us desc, post_key limit {PAGE} offset {(page - 1) * PAGE}"""
    try:
        found = rows(con, sql, params)
    finally:
        con.unregister(_FITTING)
    return [(row["post_key"], row["at_us"]) for row in found], found[0]["n"] if found else 0


def _fitting(con: duckdb.DuckDBPyConnection, asked: Asked, parts: Sequence[Part] | None) -> tuple[str, list[Any]]:
    """Return the condition on rows of SEARCHED, with its values; it may read what is registered as _FITTING."""
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
    words = [*asked.words, *(word for phrase in asked.phrases for word in phrase.split())][:_MOST_WORDS]
    if words and parts is not None:
        con.register(_FITTING, pa.table({"post_key": posts_with(parts, words)}))
        wheres.append(f"post_key in (select post_key from {_FITTING})")
    elif words:
        hits = " and ".join(["(contains(folded, ?) or starts_with(folded, ?))"] * len(words))
        wheres.append(f"post_key in (select post_key from readings where {hits})")
        params += [part for word in words for part in (" " + word, word)]
    # The words have narrowed it: of few texts it does not matter that they are read through.
    narrowed = f"post_key in (select post_key from {_FITTING})" if words and parts is not None else "true"
    for phrase in list(asked.phrases)[:_MOST_WORDS]:
        has = "contains(concat(' ', folded, ' '), ?)"
        wheres.append(f"post_key in (select post_key from readings where {narrowed} and {has})")
        params.append(f" {phrase} ")
    for column, value in (("act", asked.act), ("rule", asked.rule)):
        if value:
            of_one = f"len(list_filter(suggestions, lambda s: s.{column} = ?)) > 0"
            wheres.append(f"post_key in (select post_key from matches where suggestions is not null and {of_one})")
            params.append(value)
    return " and ".join(wheres), params


def shown(con: duckdb.DuckDBPyConnection, keys: Sequence[tuple[int, int]]) -> list[PostHit]:
    """Return what may be shown of a few posts, given as (post_key, microseconds), in the same order."""
    if not keys:
        return []
    wanted = [[key for key, _ in keys]]
    times = [us for _, us in keys]
    within, period = between(con, at(min(times)), at(max(times)))
    sql = f"""
        select post_key, platform, source, source_name, is_publisher, title, text from posts
        where post_key in (select unnest(?::bigint[])) and {within}"""
    posts = {row["post_key"]: row for row in rows(con, sql, [*wanted, *period])}
    languages = dict(
        con.execute(
            "select post_key, detected_language from readings where post_key in (select unnest(?::bigint[]))", wanted
        ).fetchall()
    )
    sql = """
        with found as materialized (
            select post_key, narrative_key from members where post_key in (select unnest(?::bigint[])))
        select post_key, narrative_id, n_posts from found join narratives using (narrative_key)"""
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

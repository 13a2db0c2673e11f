"""One post: its words, where it belongs, and what rules and lists found in it."""

from dataclasses import dataclass
from datetime import datetime

import duckdb

from bastau.report import found
from bastau.report.queries import at, at_or_none, clean, is_pseudonym, rows, shown_text, shown_url
from bastau.report.trace import Known, Suggested

_MINE = "bastau_one_post"


@dataclass(frozen=True)
class PostPage:
    """One stored post. A private account has no source, name, id or address here (SCOPE, rule 2).

    ``media`` are the addresses of attached pictures and videos, to be opened on purpose only.
    """

    post_key: int
    published_at: datetime
    collected_at: datetime
    platform: str
    source: str | None
    source_name: str | None
    post_id: str | None
    url: str | None
    language: str
    text: str
    links: tuple[str, ...]
    media: tuple[str, ...]
    n_media: int
    narrative_id: str | None
    n_in_narrative: int
    joined_by: str | None
    edits: tuple[tuple[str, datetime], ...]
    suggested: tuple[Suggested, ...]
    known: tuple[Known, ...]

    @property
    def is_sensitive(self) -> bool:
        """Rules or lists found something: the words are shown behind a warning."""
        return bool(self.suggested or self.known)


def one_post(con: duckdb.DuckDBPyConnection, post_key: int) -> PostPage | None:
    """Return what may be shown of a post, None when it is not stored."""
    sql = """
        select epoch_us(published_at) as at_us, epoch_us(collected_at) as collected_us, platform, source, source_name,
               is_publisher, post_id, url, title, text, links, list_transform(media, lambda m: m.url) as media
        from posts where post_key = ?"""
    stored = rows(con, sql, [post_key])
    if not stored:
        return None
    post = stored[0]
    sql = """
        select coalesce(any_value(r.detected_language), 'und') as language, any_value(n.narrative_id) as narrative_id,
               coalesce(any_value(n.n_posts), 1) as n_posts, any_value(m.joined_by) as joined_by
        from (select ?::bigint as post_key) o left join readings r using (post_key) left join members m using (post_key)
             left join narratives n using (narrative_key)"""
    about = rows(con, sql, [post_key])[0]
    edits = rows(con, "select kind, epoch_us(seen_at) as us from edits where post_key = ? order by seen_at", [post_key])
    con.execute(
        f"create or replace temp table {_MINE} as select ?::bigint as post_key, ?::bigint as at_us",
        [post_key, post["at_us"]],
    )
    try:
        suggested, known = found.suggested(con, _MINE), found.known(con, _MINE)
    finally:
        con.execute(f"drop table if exists {_MINE}")
    is_named = post["is_publisher"] and not is_pseudonym(post["source"])
    addresses = [shown for link in post["links"] or () if (shown := shown_url(link))]
    media = [shown for address in post["media"] or () if (shown := shown_url(address))] if is_named else []
    return PostPage(
        post_key,
        at(post["at_us"]),
        at_or_none(post["collected_us"]) or at(post["at_us"]),
        post["platform"],
        clean(post["source"]) if is_named else None,
        clean(post["source_name"]) if is_named and post["source_name"] else None,
        clean(post["post_id"]) if is_named else None,
        shown_url(post["url"]) if is_named else None,
        about["language"],
        shown_text(post["title"], post["text"]),
        tuple(addresses),
        tuple(media),
        len(post["media"] or ()),
        about["narrative_id"],
        about["n_posts"],
        about["joined_by"],
        tuple((edit["kind"], at(edit["us"])) for edit in edits),
        suggested,
        known,
    )

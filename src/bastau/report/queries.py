"""Small results from DuckDB as Python values, and what may be shown of them."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

HIDDEN = "@…"
"""Stands where a private account's pseudonym stood in the words of a post."""
HELD = "held"
"""Name of the database whose tables are all in memory and indexed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PSEUDONYM = re.compile(r"@?p~\w+")
# Controls break terminals; embeddings and overrides (not the plain marks 200E, 200F) let a name pose as another.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def rows(con: duckdb.DuckDBPyConnection, sql: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Return the result as one dict a row; for small results, times as microseconds (``epoch_us``)."""
    cursor = con.execute(sql, list(params))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def at(us: int) -> datetime:
    """Return microseconds since 1970 as a UTC time.

    Times leave DuckDB as numbers: its own conversion depends on the session's time zone.
    """
    return _EPOCH + timedelta(microseconds=us)


def at_or_none(us: int | None) -> datetime | None:
    """Return :func:`at`, keeping null."""
    return None if us is None else at(us)


def has_index(con: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether posts are found by their key (:mod:`bastau.report.held`) rather than by reading Parquet files."""
    return bool(rows(con, "select current_catalog() as name")[0]["name"] == HELD)


def between(
    con: duckdb.DuckDBPyConnection, start: datetime, end: datetime, column: str = "published_at"
) -> tuple[str, list[datetime]]:
    """Return the condition, with its values, that posts asked for by key lie in [``start``, ``end``].

    The lake is cut by day: a range of time leaves most of it unread. With an index it would only keep DuckDB from using that.
    """
    return ("true", []) if has_index(con) else (f"{column} between ? and ?", [start, end])


def with_words(con: duckdb.DuckDBPyConnection, slim: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a dozen posts (post_key, at_us) with title and text, in the same order.

    Without an index one look-up a post by its exact time: Parquet statistics then skip all but a few row groups, where a common
    range of times would read the words of everything between the first and the last (0.05 against 0.4 s).
    """
    if not slim:
        return []
    if has_index(con):
        sql = "select post_key, title, text from posts where post_key in (select unnest(?::bigint[]))"
        params: list[Any] = [[row["post_key"] for row in slim]]
    else:
        look_up = "select post_key, title, text from posts where post_key = ? and published_at = ?"
        sql = " union all ".join([look_up] * len(slim))
        params = [value for row in slim for value in (row["post_key"], at(row["at_us"]))]
    found = {row["post_key"]: row for row in rows(con, sql, params)}
    return [row | found[row["post_key"]] for row in slim]


def is_pseudonym(source: str) -> bool:
    """Tell a private author's pseudonym from a publisher's name (SCOPE, rule 2)."""
    return source.startswith("p~")


def clean(text: str | None) -> str:
    """Return text that is safe to show: no pseudonyms, no control characters, no overrides of direction, no blanks around it."""
    return clean_piece(text or "").strip()


def clean_piece(text: str) -> str:
    """Return :func:`clean` of a piece of text, which keeps the blanks that set it apart from its neighbours."""
    return _UNSAFE.sub("", _PSEUDONYM.sub(HIDDEN, text))


def shown_url(url: str | None) -> str | None:
    """Return a web address that may be shown, else None (other schemes, addresses that hold a pseudonym)."""
    if not url or not url.lower().startswith(("http://", "https://")) or _PSEUDONYM.search(url):
        return None
    return _UNSAFE.sub("", url).strip()


def shown_text(title: str | None, text: str | None) -> str:
    """Return headline and body as one text, the headline once."""
    title, text = clean(title), clean(text)
    return text if not title or text.startswith(title) else f"{title}\n{text}".strip()


def one_line(text: str) -> str:
    """Return the lines of a text as one, set apart by a dot: a headline must not run into what follows."""
    return " · ".join(" ".join(line.split()) for line in text.splitlines() if line.strip())


def shorten(text: str, most: int) -> str:
    """Return the first line's worth of text, at most ``most`` characters, cut between words where one can."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > most // 2 else cut).rstrip(" ,;:–—-") + "…"

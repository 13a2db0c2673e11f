"""Datasets of 4CAT, as NDJSON (the platform's own JSON) and as CSV (flattened).

NDJSON rows hold the item itself, with the envelope of the capture under ``__import_meta``, or are Telegram messages
with ``_chat``. CSV columns differ by data source; all have id, thread_id, timestamp and body.

Reference: digitalmethodsinitiative/4cat, common/lib/dataset.py and ``map_item`` of datasources/*/search_*.py.
"""

import io
from collections.abc import Iterator

import polars as pl

from bastau.collect.addresses import fill_from_address, host_of
from bastau.collect.delimited import read_records
from bastau.collect.formats.posts import delimiter
from bastau.collect.formats.zeeschuimer import dig, map_item
from bastau.collect.lines import objects, read_lines
from bastau.collect.reading import Batch, Head, Problem, Request, Row, raw_table, sort_out

_GROUP = "written in a group, not by a channel; only public channels are read"

# bastau field -> 4CAT columns, the first that a dataset has counts
_COLUMNS: dict[str, tuple[str, ...]] = {
    "native": ("id",),
    "source": ("chat", "author_username", "account_username", "author"),
    "source_name": ("author_fullname", "author_full", "author_name", "account_display_name"),
    "audience": ("author_followers", "account_followers"),
    "published_at": ("unix_timestamp", "timestamp"),
    "url": ("tiktok_url", "link", "url"),
    "text": ("body",),
    "title": ("subject",),
    "language": ("language_guess",),
    "likes": ("like_count", "likes", "num_likes"),
    "shares": ("retweet_count", "shares", "reposts", "reblogs_count"),
    "replies": ("reply_count", "comments", "num_comments", "replies", "replies_count"),
    "views": ("impression_count", "plays", "views"),
    "links": ("urls", "link_url"),
    "forwarded_from": ("author_forwarded_from_username", "author_forwarded_from_name"),
    "answered": ("reply_to",),
    "member": ("author_username",),
}


class FourcatLines:
    """4CAT NDJSON: items captured with Zeeschuimer, and Telegram channels."""

    name = "4cat-ndjson"

    def accepts(self, head: Head) -> bool:
        """Say whether the first object carries 4CAT's import mark or a Telegram chat."""
        line = head.json_line
        return line is not None and ("__import_meta" in line or ("_chat" in line and "_type" in line))

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield rows."""
        for lines in read_lines(stream, request.batch_rows):
            problems = list(lines.problems)
            rows: list[Row] = []
            for number, value in objects(lines):
                found = value if isinstance(value, Problem) else _item(number, value)
                sort_out(found, problems, rows)
            yield Batch(lines.data, raw_table(rows), problems)


def _item(number: int, value: Row) -> Row | Problem:
    envelope = value.get("__import_meta")
    if isinstance(envelope, dict):
        return map_item(number, envelope, value)
    if "_chat" in value:
        return _telegram(number, value)
    return Problem(number, "__import_meta", "missing_field", "neither a captured item nor a Telegram message")


def _telegram(number: int, message: Row) -> Row | Problem:
    channel = dig(message, "_chat", "username")
    if not channel or not dig(message, "_chat", "broadcast"):
        return Problem(number, "_chat", "not_public", _GROUP)
    forwarded = dig(message, "fwd_from", "from_id", "channel_id") or dig(message, "fwd_from", "from_id", "user_id")
    chats = dig(message, "fwd_from", "from_id", "chats") or []
    named = next((c.get("username") for c in chats if isinstance(c, dict) and c.get("id") == forwarded), None)
    answered = message.get("reply_to_msg_id") or dig(message, "reply_to", "reply_to_msg_id")
    return {
        "post_id": f"telegram:{channel}/{message.get('id')}",
        "platform": "telegram",
        "source": channel,
        "source_kind": "channel",
        "source_name": dig(message, "_chat", "title"),
        "published_at": message.get("date"),
        "url": f"https://t.me/{channel}/{message.get('id')}",
        "text": message.get("message"),
        "reply_to": f"telegram:{channel}/{answered}" if answered else None,
        "forwarded_from": named or (f"id{forwarded}" if forwarded else dig(message, "fwd_from", "from_name")),
        "shares": message.get("forwards"),
        "views": message.get("views"),
        "line": number,
    }


class FourcatTable:
    """4CAT CSV of any data source whose rows have an address, TikTok, or Telegram."""

    name = "4cat-csv"

    def accepts(self, head: Head) -> bool:
        """Say whether the header has the columns that all 4CAT datasets share."""
        return head.has_columns("id", "thread_id", "timestamp", "body") and not head.has_columns("post_id")

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield rows."""
        wanted = sorted({name for names in _COLUMNS.values() for name in names})
        for records in read_records(stream, delimiter(stream), wanted, request.batch_rows):
            if not records.table.height:
                yield Batch(records.content, records.table, records.problems)
                continue
            rows, refused = _flat(records.table)
            yield Batch(records.content, rows, records.problems + refused)


def _flat(table: pl.DataFrame) -> tuple[pl.DataFrame, list[Problem]]:
    is_telegram = "chat" in table.columns
    table = table.select(
        "line",
        *(
            pl.coalesce(pl.col(name).replace("", None) for name in names if name in table.columns).alias(field)
            if any(name in table.columns for name in names)
            else pl.lit(None, pl.String).alias(field)
            for field, names in _COLUMNS.items()
        ),
        pl.lit("telegram" if is_telegram else "tiktok" if "tiktok_url" in table.columns else None, pl.String).alias(
            "platform"
        ),
        pl.lit("channel" if is_telegram else "account").alias("source_kind"),
    )
    problems: list[Problem] = []
    if is_telegram:
        # In a channel the author is the channel itself; anybody else writes in a group.
        own = pl.col("member").is_null() | (pl.col("member").str.to_lowercase() == pl.col("source").str.to_lowercase())
        problems = [Problem(line, "chat", "not_public", _GROUP) for line in table.filter(~own).get_column("line")]
        table = table.filter(own).with_columns(
            native=pl.format("{}/{}", "source", "native"), answered=pl.format("{}/{}", "source", "answered")
        )
    else:
        table = table.with_columns(answered=pl.lit(None, pl.String))
    table = _with_native_ids(fill_from_address(table))
    return table.with_columns(
        post_id=pl.format("{}:{}", pl.col("platform").fill_null("other"), "native"),
        reply_to=pl.format("{}:{}", "platform", "answered"),
        links=pl.col("links").str.extract_all(r"https?://[^\s,]+"),
    ).drop("native", "answered", "member"), problems


def _with_native_ids(table: pl.DataFrame) -> pl.DataFrame:
    """Return ``table`` with the ids that collectors give to the same posts (:mod:`bastau.collect.native_ids`)."""
    native = pl.col("native")
    on_bluesky = native.str.replace(r"^at://(did:[^/]+)/app\.bsky\.feed\.post/([^/]+)$", "$1/$2")
    on_reddit = (pl.col("platform") == "other") & (host_of(pl.col("url")).str.contains(r"(?:^|\.)reddit\.com$"))
    return table.with_columns(
        native=pl.when(pl.col("platform") == "bluesky")
        .then(on_bluesky)
        .when(on_reddit)
        .then(pl.format("reddit-{}", native.str.strip_prefix("t3_")))
        .otherwise(native)
    )


FOURCAT_LINES = FourcatLines()
FOURCAT_TABLE = FourcatTable()

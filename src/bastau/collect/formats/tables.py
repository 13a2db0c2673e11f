"""Fixed tables of other tools: CooRTweet, the QUT coordination toolkit, Media Cloud story lists.

References: CooRTweet (CRAN), ``prep_data``: object_id, account_id, content_id, timestamp_share in Unix seconds;
coordination-network-toolkit, preprocess.py: message_id, user_id, username, repost_id, reply_id, message, timestamp,
urls apart by blanks; mediacloud/web-search, story list download: id or stories_id, publish_date, title, url, language,
media_name, media_url.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from bastau.collect.addresses import host_of, web_post_id
from bastau.collect.delimited import read_records
from bastau.collect.formats.posts import delimiter
from bastau.collect.reading import Batch, Head, Request


@dataclass(frozen=True)
class FixedTable:
    """A CSV whose columns have one meaning."""

    name: str
    columns: tuple[str, ...]
    optional: tuple[str, ...]
    convert: Callable[[pl.DataFrame], pl.DataFrame]

    def accepts(self, head: Head) -> bool:
        """Say whether the header has all columns of the format."""
        return head.has_columns(*self.columns) and not head.has_columns("post_id")

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield rows."""
        wanted = [*self.columns, *self.optional]
        for records in read_records(stream, delimiter(stream), wanted, request.batch_rows):
            table = records.table
            if table.height:
                gaps = [pl.lit(None, pl.String).alias(name) for name in self.optional if name not in table.columns]
                table = self.convert(table.with_columns(gaps).with_columns(pl.col(pl.String).replace("", None)))
            yield Batch(records.content, table, records.problems)


def _shares(table: pl.DataFrame) -> pl.DataFrame:
    # What was shared may be a post, an address or a hashtag; the tool keeps no text and no platform.
    thing = pl.col("object_id")
    is_link, is_tag = thing.str.contains(r"^https?://"), thing.str.starts_with("#")
    return table.select(
        "line",
        pl.format("other:{}", "content_id").alias("post_id"),
        pl.lit("other").alias("platform"),
        pl.col("account_id").alias("source"),
        pl.lit("account").alias("source_kind"),
        pl.col("timestamp_share").str.strip_suffix(".0").alias("published_at"),
        pl.when(is_tag).then(thing).alias("text"),
        pl.when(is_link).then(pl.concat_list(thing)).alias("links"),
        pl.when(~is_link & ~is_tag).then(pl.format("other:{}", thing)).alias("repost_of"),
    )


def _messages(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(
        "line",
        pl.format("other:{}", "message_id").alias("post_id"),
        pl.lit("other").alias("platform"),
        pl.coalesce("username", "user_id").alias("source"),
        pl.lit("account").alias("source_kind"),
        pl.col("timestamp").str.strip_suffix(".0").alias("published_at"),
        pl.col("message").alias("text"),
        pl.format("other:{}", "repost_id").alias("repost_of"),
        pl.format("other:{}", "reply_id").alias("reply_to"),
        pl.col("urls").str.extract_all(r"\S+").alias("links"),
    )


def _stories(table: pl.DataFrame) -> pl.DataFrame:
    outlet = pl.coalesce(host_of(pl.col("media_url")), pl.col("media_url"), host_of(pl.col("url")))
    # Media Cloud often knows only the day; midnight is what its own API says then.
    when = pl.col("publish_date")
    return table.select(
        "line",
        pl.col("url").map_elements(web_post_id, return_dtype=pl.String).alias("post_id"),
        pl.lit("web").alias("platform"),
        outlet.alias("source"),
        pl.lit("outlet").alias("source_kind"),
        pl.col("media_name").alias("source_name"),
        pl.when(when.str.len_bytes() == 10).then(pl.format("{}T00:00:00Z", when)).otherwise(when).alias("published_at"),
        pl.col("indexed_date").alias("collected_at"),
        "url",
        "title",
        "language",
    )


COORTWEET = FixedTable("coortweet", ("object_id", "account_id", "content_id", "timestamp_share"), (), _shares)
QUT = FixedTable(
    "qut", ("message_id", "user_id", "repost_id", "reply_id", "message", "timestamp"), ("username", "urls"), _messages
)
MEDIACLOUD = FixedTable(
    "mediacloud", ("publish_date", "title", "url", "media_name"), ("media_url", "language", "indexed_date"), _stories
)

"""Samples of every format, and one way to import them all."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bastau.collect.importing import Chunk, read_file
from bastau.collect.pseudonyms import Pseudonyms
from bastau.settings import Publishers, Settings

FOLDER = Path(__file__).parents[2] / "data" / "collect"
NOW = datetime(2024, 6, 1, tzinfo=UTC)
PSEUDONYMS = Pseudonyms(b"k" * 32)
MAPPINGS = {
    "foreign.csv": {
        "post_id": "vk:{id}",
        "platform": "=vk",
        "source": "who",
        "source_name": "name",
        "published_at": "when",
        "text": "body",
        "url": "page",
    },
    "foreign.ndjson": {
        "post_id": "telegram:{channel_id}/{message_id}",
        "platform": "=telegram",
        "source": "channel",
        "source_kind": "=channel",
        "published_at": "date",
        "text": "text",
    },
}
FORMATS = {
    "check-feed.json": "check-feed",
    "claims.csv": "claims-table",
    "claimreview.json": "claimreview",
    "coortweet.csv": "coortweet",
    "foreign.csv": "mapped",
    "foreign.ndjson": "mapped",
    "fourcat-telegram.csv": "4cat-csv",
    "fourcat.csv": "4cat-csv",
    "fourcat.ndjson": "4cat-ndjson",
    "mediacloud.csv": "mediacloud",
    "pages.arc": "warc",
    "pages.ndjson": "pages",
    "pages.warc": "warc",
    "posts.csv": "posts-csv",
    "posts.ndjson": "posts-ndjson",
    "qut.csv": "qut",
    "telegram-export.json": "telegram-export",
    "telegram-full.json": "telegram-export",
    "tgdataset.json": "tgdataset",
    "zeeschuimer.ndjson": "zeeschuimer",
}


def settings(**publishers: Any) -> Settings:
    return Settings(publishers=Publishers(**publishers))


def read(path: Path, **options: Any) -> list[Chunk]:
    options = {
        "settings": settings(),
        "pseudonyms": PSEUDONYMS,
        "now": NOW,
        "mapping": MAPPINGS.get(path.name),
    } | options
    return list(read_file(path, **options))


def rows(chunks: list[Chunk], table: str = "posts") -> list[dict[str, Any]]:
    return [row for chunk in chunks for row in getattr(chunk, table).to_pylist()]

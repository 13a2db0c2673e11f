"""Small tables for the tests of sources: say what differs, the rest is filled in."""

from dataclasses import dataclass
from typing import Any

import ibis
import pyarrow as pa

from bastau.hashing import format_id, hash_string
from bastau.schemas import MEMBERS, NARRATIVES, POSTS, READINGS, SHARES

T0 = 1_700_000_000
HOUR = 3600


@dataclass
class World:
    """Tables of one test in a connection."""

    posts: ibis.ir.Table
    readings: ibis.ir.Table
    members: ibis.ir.Table
    narratives: ibis.ir.Table


def post(name: str, at: float, source: str = "", narrative: str | None = None, **more: Any) -> dict[str, Any]:
    """A post ``name`` of ``source`` (``p~...``: private), ``at`` seconds after T0."""
    return {"name": name, "at": at, "source": source or name, "narrative": narrative, **more}


def key(name: str) -> int:
    return hash_string(name)


def world(con: ibis.BaseBackend, rows: list[dict[str, Any]]) -> World:
    posts, readings, members = [], [], []
    for row in rows:
        micros = round((T0 + row["at"]) * 1_000_000)
        platform = row.get("platform", "telegram")
        urls = row.get("urls", [])
        text = row.get("text", row["narrative"])
        hashtags = row.get("hashtags", [])
        own = row.get("url")
        post_key = key(f"{platform}:{row['name']}")
        posts.append(
            dict.fromkeys(POSTS.names)
            | {
                "post_key": post_key,
                "content_key": 0,
                "post_id": f"{platform}:{row['name']}",
                "platform": platform,
                "source": row["source"],
                "is_publisher": not row["source"].startswith("p~"),
                "published_at": micros,
                "collected_at": round((T0 + row.get("collected", row["at"])) * 1_000_000),
                "text": text,
                "url": own,
                "repost_of": row.get("repost_of") and f"{platform}:{row['repost_of']}",
                "reply_to": row.get("reply_to"),
                "forwarded_from": row.get("forwarded_from"),
            }
        )
        readings.append(
            dict.fromkeys(READINGS.names)
            | {
                "post_key": post_key,
                "folded": text or "",
                "n_words": row.get("n_words", 20),
                "text_key": key(text) if text else None,
                "urls": urls,
                "url_keys": [key(url) for url in urls],
                "own_url_key": key(own) if own else None,
                "mentions": [],
                "hashtags": hashtags,
                "hashtags_key": key(" ".join(hashtags)) if len(hashtags) >= 3 else None,
                "detected_language": "und",
                "language_score": 0.0,
                "script": "Zyyy",
            }
        )
        members.append(
            {
                "post_key": post_key,
                "narrative_key": key(row["narrative"]) if row["narrative"] else None,
                "text_key": key(text) if text else None,
                "joined_by": "text" if row["narrative"] else None,
                "similarity": 1.0 if row["narrative"] else None,
            }
        )
    tables = {
        "posts": pa.Table.from_pylist(posts, POSTS),
        "readings": pa.Table.from_pylist(readings, READINGS).drop_columns("bands"),  # a type that ibis lacks
        "members": pa.Table.from_pylist(members, MEMBERS),
        "narratives": pa.Table.from_pylist(_narratives(posts, members), NARRATIVES),
    }
    return World(**{name: con.create_table(name, table, overwrite=True) for name, table in tables.items()})


def _narratives(posts: list[dict[str, Any]], members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    grouped: dict[int, list[dict[str, Any]]] = {}
    for row, member in zip(posts, members, strict=True):
        if member["narrative_key"] is not None:
            grouped.setdefault(member["narrative_key"], []).append(row)
    rows = []
    for narrative, unsorted in grouped.items():
        its = sorted(unsorted, key=lambda row: (row["published_at"], row["post_key"]))
        rows.append(
            {
                "narrative_key": narrative,
                "narrative_id": format_id("n", narrative),
                "first_post_key": its[0]["post_key"],
                "first_seen_at": its[0]["published_at"],
                "last_seen_at": its[-1]["published_at"],
                "n_posts": len(its),
                "n_texts": 1,
                "n_sources": len({row["source"] for row in its}),
                "n_publishers": len({row["source"] for row in its if row["is_publisher"]}),
                "languages": [],
                "platforms": sorted({row["platform"] for row in its}),
                "text": its[0]["text"] or "",
            }
        )
    return rows


def shares(rows: list[tuple[str, str, str | int, float]]) -> pa.Table:
    """SHARES from (source, trace, object, seconds); each share is a post of its own."""
    return pa.Table.from_pydict(
        {
            "source": [source for source, _, _, _ in rows],
            "trace": [trace for _, trace, _, _ in rows],
            "object_key": [what if isinstance(what, int) else key(what) for _, _, what, _ in rows],
            "shared_at": [round((T0 + at) * 1_000_000) for _, _, _, at in rows],
            "post_key": list(range(len(rows))),
        },
        SHARES,
    )

"""A small invented world for the tests of reports: a few narratives whose every figure is known."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from bastau.hashing import format_id, hash_string
from bastau.report.locale import Locale, load
from bastau.schemas import N_BANDS, TABLES

START = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
PRIVATE = "p~qwertyuiopasdfgh"

KK = "Сұңқарлы қаласында ертең су үш күнге өшірілмек дейді. Су қорын жасап алыңыздар!"
RU = "В Сункарлы завтра отключат воду на три дня. Сделайте запас воды!"
RU_EDITED = "В Сункарлы уже сегодня отключат воду на пять дней. Сделайте запас воды, перешлите всем!"
EN = "Water in Sunkarly will be cut off for three days from tomorrow, residents say."


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def table(name: str, rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Return a table of schema ``name``, absent columns null."""
    schema = TABLES[name]
    rows = list(rows)
    return pa.table({f.name: pa.array([row.get(f.name) for row in rows], f.type) for f in schema}, schema=schema)


def post(native: str, minutes: float, source: str, text: str, **more: Any) -> dict[str, Any]:
    platform = more.pop("platform", "telegram")
    post_id = f"{platform}:{native}"
    row = {
        "post_key": hash_string(post_id),
        "content_key": hash_string(text),
        "post_id": post_id,
        "platform": platform,
        "source": source,
        "source_kind": "channel",
        "is_publisher": not source.startswith("p~"),
        "published_at": at(minutes),
        "collected_at": at(minutes + 4),
        "url": f"https://{platform}.example/{native}",
        "text": text,
        "_language": "ru",
    }
    return row | more


def bands_of(folded: str) -> bytes:
    """Stand in for a signature: texts with the same first words share a band, and no others."""
    first = np.frombuffer(np.int64(hash_string(" ".join(folded.split()[:3]))).tobytes(), np.uint32)[:1]
    own = np.random.default_rng(abs(hash_string(folded)) % 2**32).integers(1, 2**32, N_BANDS - 1, dtype=np.uint32)
    return np.concatenate([first, own]).tobytes()


def fold(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def sign(text: str) -> tuple[str, int | None, bytes | None]:
    folded = fold(text)
    if len(folded) < 16:
        return folded, None, None
    return folded, hash_string(folded), bands_of(folded)


def canonical(url: str) -> str:
    return url.split("?", maxsplit=1)[0].rstrip("/")


def reading(row: dict[str, Any]) -> dict[str, Any]:
    folded, text_key, bands = sign(f"{row.get('title') or ''} {row['text']}")
    urls = [canonical(url) for url in row.get("links") or []]
    return {
        "post_key": row["post_key"],
        "folded": folded,
        "n_words": len(folded.split()),
        "text_key": text_key,
        "urls": urls,
        "url_keys": [hash_string(url) for url in urls],
        "own_url_key": hash_string(canonical(row["url"])) if row.get("url") else None,
        "mentions": [],
        "hashtags": [],
        "detected_language": row["_language"],
        "language_score": 0.99,
        "script": "Cyrl",
        "bands": bands,
    }


def narrative(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = min(rows, key=lambda r: (r["published_at"], r["post_key"]))
    key = hash_string(f"narrative {first['post_id']}")
    publishers = {r["source"] for r in rows if r["is_publisher"]}
    return {
        "narrative_key": key,
        "narrative_id": format_id("n", key),
        "first_post_key": first["post_key"],
        "first_seen_at": first["published_at"],
        "last_seen_at": max(r["published_at"] for r in rows),
        "n_posts": len(rows),
        "n_texts": len({r["text"] for r in rows}),
        "n_sources": len({r["source"] for r in rows}),
        "n_publishers": len(publishers),
        "languages": sorted({r["_language"] for r in rows}),
        "platforms": sorted({r["platform"] for r in rows}),
        "text": first["text"],
    }


def copy(key: int, origin: dict[str, Any], again: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        "narrative_key": key,
        "from_post": origin["post_key"],
        "to_post": again["post_key"],
        "from_source": origin["source"],
        "to_source": again["source"],
        "kind": kind,
        "delay_s": (again["published_at"] - origin["published_at"]).total_seconds(),
        "credit": 1.0,
        "both_publishers": origin["is_publisher"] and again["is_publisher"],
    }


def water() -> list[dict[str, Any]]:
    """The main narrative: three languages, edits, private accounts, a rush and a tail; earliest is a private post."""
    rows = [
        post("w0", 0, PRIVATE, f"{KK} @{PRIVATE}", _language="kk", url=f"https://telegram.example/{PRIVATE}/1"),
        post("w1", 6, "sunkarly_news", KK, _language="kk", source_name="Сұңқарлы жаңалықтары", audience=48_200),
        post("w2", 9, "gorod_sunkarly", RU, source_name="Город Сункарлы", audience=21_000),
        post("w3", 14, "vodokanal.example", EN, platform="web", _language="en", title="Water cut: what we know"),
        post("w4", 21, "tochka_ru", RU_EDITED, forwarded_from="gorod_sunkarly", audience=130_500),
        post("w5", 33, PRIVATE + "b", RU, platform="vk", repost_of="vk:unseen"),
        post("w6", 48, "<b>bold</b>&news", RU + " <script>alert(1)</script>", source_name='"Quoted" <i>name</i>'),
    ]
    names = ["steppe_today", "aq_jol_kz", "vecher_sunkarly", "qala_life", "radio_samal", "samal.example", "obzor_24"]
    for i in range(60):
        minutes = 55 + 22 * i + (i % 7) * 3 + (700 if i > 45 else 0)
        source = PRIVATE + "cdefg"[i % 5] if i % 4 == 0 else names[i % len(names)]
        text, language = ((KK, "kk"), (RU, "ru"), (RU_EDITED, "ru"), (EN, "en"))[(i * 7) % 4]
        platform = ("telegram", "vk", "web", "mastodon")[i % 4]
        rows.append(post(f"w{i + 7}", minutes, source, text, _language=language, platform=platform, audience=9000 + i))
    return rows


def rising() -> list[dict[str, Any]]:
    """An older narrative: two posts a week before, thirty now, by publishers only."""
    text = "Көпір ашылуына тегін автобус жүреді / На открытие моста пустят бесплатный автобус"
    early = [post(f"b{i}", -7 * 1440 + 30 * i, "aq_jol_kz", text, _language="kk") for i in range(2)]
    late = [post(f"b{i}", 60 * i, f"bus_channel_{i % 4}", text, _language="kk|ky") for i in range(2, 32)]
    return early + late


def hoax() -> list[dict[str, Any]]:
    """A narrative of private accounts only."""
    text = "Snow leopards were seen playing in the central park last night, twice."
    return [post(f"s{i}", 100 + i, f"{PRIVATE}{'xyz'[i]}", text, _language="en", platform="x") for i in range(3)]


def lone() -> list[dict[str, Any]]:
    """Posts that stand alone, among them the earlier week's background."""
    links = ["https://vodokanal.example/notice?utm=1"]
    rows = [post("l0", 30, "radio_samal", "Сегодня в Сункарлы прошёл спокойный дождь", links=links)]
    for i in range(80):
        text = f"Күнделікті хабар нөмірі {i}: ауа райы, жол, мектеп"
        rows.append(post(f"l{i + 1}", -7 * 1440 + 150 * i, "steppe_today", text, _language="kk"))
    return rows


def world_tables(min_audience: int = 5000) -> dict[str, pa.Table]:
    """Return the world's tables, free to be changed."""
    return dict(_tables(min_audience))


@cache
def _tables(min_audience: int) -> dict[str, pa.Table]:
    first, second, third = water(), rising(), hoax()
    narratives = [narrative(rows) for rows in (first, second, third)]
    posts = [*first, *second, *third, *lone()]
    key = narratives[0]["narrative_key"]
    keys = {
        row["post_key"]: n["narrative_key"]
        for n, rows in zip(narratives, (first, second, third), strict=True)
        for row in rows
    }
    by_native = {row["post_id"].split(":")[1]: row for row in posts}
    copies = [
        copy(key, by_native["w2"], by_native["w4"], "forward"),
        copy(key, by_native["w1"], by_native["w2"], "link"),
        *(
            copy(key, by_native[f"w{1 + i % 4}"], row, ("near_copy", "repost")[i % 2])
            for i, row in enumerate(first[5:])
        ),
        copy(key, by_native["w10"], by_native["w9"], "near_copy"),
    ]
    group = ["<b>bold</b>&news", "aq_jol_kz", "qala_life", "steppe_today"]
    return {
        "posts": table("posts", posts),
        "rejects": table(
            "rejects", [{"file": "week.ndjson", "line": 7, "reason": "bad_time", "detail": "", "rejected_at": at(0)}]
        ),
        "imports": table(
            "imports",
            [
                {
                    "batch": "b1",
                    "file": "week.ndjson",
                    "format": "post-ndjson",
                    "n_posts": len(posts),
                    "n_repeats": 0,
                    "n_rejects": 1,
                    "min_audience": min_audience,
                    "imported_at": at(3000),
                }
            ],
        ),
        "readings": table("readings", map(reading, posts)),
        "members": table(
            "members", ({"post_key": row["post_key"], "narrative_key": keys.get(row["post_key"])} for row in posts)
        ),
        "narratives": table("narratives", narratives),
        "narrative_changes": table(
            "narrative_changes",
            [
                {"old_id": OLD, "new_id": MIDDLE, "change": "renamed", "generation": 1},
                {"old_id": MIDDLE, "new_id": narratives[0]["narrative_id"], "change": "split", "generation": 2},
                {"old_id": MIDDLE, "new_id": narratives[1]["narrative_id"], "change": "split", "generation": 2},
                {"old_id": ERASED, "new_id": None, "change": "erased", "generation": 2},
            ],
        ),
        "origins": table(
            "origins",
            [
                {
                    "narrative_key": key,
                    "abstained": False,
                    "reason": "private_earlier",
                    "seen_after": at(-41),
                    "seen_by": at(0),
                    "coverage": 0.42,
                    "n_earlier_private": 1,
                    "candidates": [
                        {
                            "source": by_native[w]["source"],
                            "post_id": by_native[w]["post_id"],
                            "published_at": by_native[w]["published_at"],
                            "confidence": confidence,
                        }
                        for w, confidence in (("w1", 0.54), ("w2", 0.19), ("w3", 0.04))
                    ],
                },
                {
                    "narrative_key": narratives[2]["narrative_key"],
                    "abstained": True,
                    "reason": "only_private",
                    "seen_by": at(100),
                    "coverage": 0.0,
                    "n_earlier_private": 3,
                    "candidates": [],
                    "to_collect": [
                        {"what": "source", "platform": "telegram", "value": "sunkarly_alys"},
                        {"what": "source", "platform": "telegram", "value": "p~0123456789abcdef"},
                        {"what": "hours", "platform": "telegram", "from": at(-300), "to": at(100)},
                    ],
                },
            ],
        ),
        "copies": table("copies", copies),
        "amplifiers": table(
            "amplifiers",
            [
                {"narrative_key": key, "source": "gorod_sunkarly", "score": 1, "n_posts": 1, "n_repeats": 16.5},
                {"narrative_key": key, "source": "sunkarly_news", "score": 1, "n_posts": 1, "n_repeats": 14.0},
                {"narrative_key": None, "source": "sunkarly_news", "score": 4, "n_posts": 9, "n_repeats": 31.0},
            ],
        ),
        "coordination": table(
            "coordination",
            [
                {
                    "group_id": format_id("g", 77),
                    "sources": group,
                    "n_other_accounts": 3,
                    "p_value": 0.00002,
                    "traces": ["link", "near_copy"],
                    "windows": [{"from": at(0), "to": at(1500)}],
                    "n_objects": 5,
                    "examples": [
                        {"trace": "link", "object": "https://samal.example/a", "post_ids": ["telegram:w6", "web:none"]}
                    ],
                },
                {
                    "group_id": format_id("g", 78),
                    "sources": ["qala_life", "somebody_else"],
                    "n_other_accounts": 0,
                    "p_value": 0.004,
                    "traces": ["repost"],
                    "windows": [{"from": at(-90_000), "to": at(-80_000)}],
                    "n_objects": 3,
                    "examples": [],
                },
            ],
        ),
    }


OLD, MIDDLE, ERASED = (format_id("n", key) for key in (11, 12, 13))


def connect(tables: dict[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """Return a connection with one view per stored table, empty where ``tables`` has none."""
    con = duckdb.connect()
    for name, schema in TABLES.items():
        con.register(name, tables.get(name, schema.empty_table()))
    return con


def locales() -> list[Locale]:
    return [load(code) for code in ("kk", "ru", "en")]

from datetime import UTC, datetime, timedelta

import ibis
import pyarrow as pa
import pytest

from bastau.narratives.summary import summarise
from bastau.schemas import MEMBERS, NARRATIVES, POSTS, READINGS

START = datetime(2024, 3, 1, tzinfo=UTC)
POST_ROWS = [
    # post, narrative, source, publisher, platform, language, text, title
    (1, 1, "a.example", True, "web", "kk", "first", "title of the first"),
    (2, 1, "p~x", False, "vk", "ru", "second", None),
    (3, 1, "p~x", False, "vk", "ru", "second", None),
    (4, 4, "b.example", True, "web", "en", None, "only a title"),
    (5, 4, "c.example", True, "web", "ru", None, None),
    (6, None, "b.example", True, "web", "en", "alone", None),
]


def tables() -> dict[str, pa.Table]:
    posts, readings, members = [], [], []
    for post, narrative, source, publisher, platform, language, text, title in POST_ROWS:
        posts.append(
            dict.fromkeys(POSTS.names)
            | {"post_key": post, "content_key": post, "post_id": f"{platform}:{post}", "platform": platform}
            | {"source": source, "is_publisher": publisher, "text": text, "title": title}
            | {"published_at": START + timedelta(hours=post), "collected_at": START}
        )
        text_key = None if text is None else hash(text) % 1000
        readings.append(
            dict.fromkeys(READINGS.names)
            | {
                "post_key": post,
                "folded": text or "",
                "n_words": 1,
                "text_key": text_key,
                "detected_language": language,
            }
            | {"urls": [], "url_keys": [], "mentions": [], "hashtags": [], "language_score": 1.0, "script": "Cyrl"}
        )
        members.append(
            dict.fromkeys(MEMBERS.names) | {"post_key": post, "narrative_key": narrative, "text_key": text_key}
        )
    rows = ((posts, POSTS), (readings, READINGS), (members, MEMBERS))
    return {
        n: pa.Table.from_pylist(r, schema=s) for n, (r, s) in zip(("posts", "readings", "members"), rows, strict=True)
    }


@pytest.fixture(scope="module")
def summary() -> list[dict]:
    con = ibis.duckdb.connect()
    con.con.execute("SET TimeZone = 'UTC'")
    for name, rows in tables().items():
        con.con.register(name, rows)
    tables_ = (con.table(name) for name in ("posts", "readings", "members"))
    rows = summarise(*tables_, keep=lambda table: con.create_table(ibis.util.gen_name("kept"), table, temp=True))
    con.disconnect()
    assert rows.schema == NARRATIVES
    return rows.to_pylist()


def test_each_narrative_is_counted_once_and_unclustered_posts_are_left_out(summary):
    counts = [
        [row[n] for n in ("narrative_key", "first_post_key", "n_posts", "n_texts", "n_sources")] for row in summary
    ]
    assert counts == [[1, 1, 3, 2, 2], [4, 4, 2, 0, 2]]


def test_only_publishers_count_as_publishers(summary):
    assert [row["n_publishers"] for row in summary] == [1, 2]


def test_first_and_last_sighting_are_times_of_posts(summary):
    seen = [(row["first_seen_at"], row["last_seen_at"]) for row in summary]
    assert seen == [
        (START + timedelta(hours=1), START + timedelta(hours=3)),
        (START + timedelta(hours=4), START + timedelta(hours=5)),
    ]


def test_languages_and_platforms_stand_most_posts_first_then_by_name(summary):
    assert [row["languages"] for row in summary] == [["ru", "kk"], ["en", "ru"]]
    assert [row["platforms"] for row in summary] == [["vk", "web"], ["web"]]


def test_the_text_is_that_of_the_earliest_post_or_its_title(summary):
    assert [row["text"] for row in summary] == ["first", "only a title"]

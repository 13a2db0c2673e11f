"""The story of a trace, how its words changed, and the operator's narratives, from tables made by hand."""

from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest

from bastau.report import told
from bastau.schemas import CURATED, NARRATIVES, POSTS, READINGS, STORIES, TELLINGS, THEME_MEMBERS, THEMES, VERSIONS

AT = datetime(2025, 3, 1, tzinfo=UTC)


def table(schema: pa.Schema, *rows: dict) -> pa.Table:
    return pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], schema=pa.schema(list(schema)))


def post(key: int, text: str, source: str = "a.example") -> dict:
    return {
        "post_key": key, "content_key": key, "post_id": f"web:{key}", "platform": "web", "source": source,
        "is_publisher": not source.startswith("p~"), "published_at": AT, "collected_at": AT, "text": text,
    }  # fmt: skip


def telling(key: int, story: int, wording: int) -> dict:
    return {
        "telling_key": key, "first_seen_at": AT, "text_post_key": key, "story_key": story, "wording_key": wording,
        "score": 1.0,
    }  # fmt: skip


def version(number: int, key: int, source: str | None, made_from: int | None) -> dict:
    return {
        "narrative_key": 1, "text_key": key, "version": number, "from_version": made_from, "first_post_key": key,
        "first_seen_at": AT, "source": source, "n_posts": 2, "n_sources": 2,
    }  # fmt: skip


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    texts = {1: "two leopards sleep", 2: "two leopards sleep again", 3: "leopards were asleep, p~abcdefghijklmnop says"}
    tables = {
        "posts": table(POSTS, *(post(key, text) for key, text in texts.items())),
        "readings": table(
            READINGS,
            *(
                {"post_key": key, "folded": "", "n_words": 1, "detected_language": "en", "language_score": 1.0}
                | {"script": "Latn", "urls": [], "url_keys": [], "mentions": [], "hashtags": []}
                for key in texts
            ),
        ),
        "narratives": table(
            NARRATIVES,
            {
                "narrative_key": 1,
                "narrative_id": "n1",
                "first_post_key": 1,
                "first_seen_at": AT,
                "last_seen_at": AT,
                "n_posts": 4,
                "n_texts": 2,
                "n_sources": 4,
                "n_publishers": 1,
                "languages": ["en"],
                "platforms": ["web"],
                "text": "two leopards sleep",
            },
        ),
        "tellings": table(TELLINGS, telling(1, 1, 1), telling(3, 1, 3), telling(9, 9, 9)),
        "stories": table(
            STORIES,
            {
                "story_key": 1,
                "story_id": "s1",
                "first_post_key": 1,
                "first_seen_at": AT,
                "last_seen_at": AT,
                "n_tellings": 2,
                "n_wordings": 2,
                "n_posts": 5,
                "n_sources": 5,
                "n_publishers": 1,
                "languages": ["en"],
                "platforms": ["web"],
                "text_post_key": 1,
                "text": "two leopards sleep",
            },
        ),
        "theme_members": table(
            THEME_MEMBERS,
            {"story_key": 1, "theme_key": 1, "score": 1.0},
            {"story_key": 7, "theme_key": 1, "score": 0.3},
        ),
        "themes": table(
            THEMES,
            {
                "theme_key": 1,
                "theme_id": "t1",
                "first_seen_at": AT,
                "last_seen_at": AT,
                "n_stories": 2,
                "n_tellings": 3,
                "n_posts": 6,
                "n_sources": 6,
                "n_publishers": 1,
                "languages": ["en"],
                "platforms": ["web"],
                "text_post_key": 1,
                "text": "two leopards sleep",
            },
        ),
        "versions": table(VERSIONS, version(0, 1, "a.example", None), version(1, 2, None, 0)),
        "curated": table(
            CURATED,
            {
                "curated_id": "cats",
                "title": "Cats",
                "telling_key": 1,
                "proposition": "two leopards sleep",
                "expected": 0.1,
                "score": 0.9,
            },
        ),
    }
    con = duckdb.connect()
    for name, rows in tables.items():
        con.register(name, rows)
    return con


def test_a_telling_has_the_theme_of_its_story(con: duckdb.DuckDBPyConnection) -> None:
    theme = told.theme(con, 3)
    assert theme is not None
    assert (theme.theme_id, theme.n_stories, theme.n_posts, theme.text) == ("t1", 2, 6, "two leopards sleep")
    assert told.theme(con, 9) is None


def test_a_story_lists_its_other_tellings_without_pseudonyms(con: duckdb.DuckDBPyConnection) -> None:
    story = told.story(con, 1)
    assert story is not None
    assert (story.story_id, story.n_tellings) == ("s1", 2)
    assert [(one.narrative_id, one.n_posts, one.is_reworded) for one in story.others] == [(None, 1, False)]
    assert story.others[0].text == "leopards were asleep, @… says"


def test_from_a_lone_post_the_narrative_is_the_other_telling(con: duckdb.DuckDBPyConnection) -> None:
    story = told.story(con, 3)
    assert story is not None
    assert [(one.narrative_id, one.n_posts) for one in story.others] == [("n1", 4)]


def test_what_nobody_else_tells_has_no_story(con: duckdb.DuckDBPyConnection) -> None:
    assert told.story(con, 9) is None


def test_a_version_shows_its_change_and_names_publishers_only(con: duckdb.DuckDBPyConnection) -> None:
    first, second = told.versions(con, 1, 1000)
    assert (first.source, first.differences) == ("a.example", ())
    assert second.source is None
    assert [(piece.kind, piece.text) for piece in second.differences] == [
        ("same", "two leopards sleep"),
        ("added", " again"),
    ]


def test_a_post_without_narrative_has_no_versions(con: duckdb.DuckDBPyConnection) -> None:
    assert told.versions(con, None, 1000) == ()


def test_the_operators_narratives_are_named_with_their_score(con: duckdb.DuckDBPyConnection) -> None:
    assert [(one.curated_id, one.score) for one in told.curated(con, 1)] == [("cats", 0.9)]
    assert told.curated(con, 3) == ()

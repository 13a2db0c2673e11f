"""Versions of a text, made by Ibis on DuckDB, against dictionaries."""

import random
from datetime import UTC, datetime, timedelta

import ibis
import pyarrow as pa

from bastau.narratives.versions import versions
from bastau.schemas import MEMBERS, POSTS, TEXT_PAIRS, VERSIONS

START = datetime(2024, 3, 1, tzinfo=UTC)


def made(
    rows: list[tuple[int, int | None, int | None, int, str, bool]], pairs: list[tuple[int, int, float]]
) -> list[dict]:
    """Return the versions of posts (post, narrative, text, minute, source, publisher) and pairs (text, text, similarity)."""
    con = ibis.duckdb.connect()
    posts = [
        dict.fromkeys(POSTS.names)
        | {"post_key": post, "content_key": post, "post_id": f"x:{post}", "platform": "x", "source": source}
        | {"is_publisher": publisher, "published_at": START + timedelta(minutes=minute), "collected_at": START}
        for post, _, _, minute, source, publisher in rows
    ]
    members = [
        dict.fromkeys(MEMBERS.names) | {"post_key": post, "narrative_key": narrative, "text_key": text}
        for post, narrative, text, *_ in rows
    ]
    tables = {
        "posts": pa.Table.from_pylist(posts, schema=POSTS),
        "members": pa.Table.from_pylist(members, schema=MEMBERS),
        "pairs": pa.Table.from_pylist(
            [dict(zip(TEXT_PAIRS.names, pair, strict=True)) for pair in pairs], schema=TEXT_PAIRS
        ),
    }
    given = [con.create_table(name, table) for name, table in tables.items()]
    found = versions(*given, keep=lambda e: con.create_table(ibis.util.gen_name("kept"), e, temp=True))
    answer = con.con.sql(ibis.to_sql(found, dialect="duckdb")).to_arrow_table()
    assert sorted(answer.column_names) == sorted(VERSIONS.names)
    return sorted(answer.to_pylist(), key=lambda row: (row["narrative_key"], row["version"]))


def test_versions_are_in_order_and_made_from_the_earlier_one_most_like_them() -> None:
    rows = [
        (1, 1, 10, 0, "a", True),
        (2, 1, 11, 5, "p~x", False),
        (3, 1, 12, 9, "c", True),
        (4, 1, 12, 7, "p~y", False),
        (5, 1, 13, 8, "d", True),
    ]
    found = made(rows, [(10, 11, 0.8), (10, 12, 0.75), (11, 12, 0.9)])
    assert [(r["version"], r["from_version"], r["source"], r["n_posts"]) for r in found] == [
        (0, None, "a", 1),
        (1, 0, None, 1),  # a private account brought it
        (2, 1, None, 2),
        (3, 0, "d", 1),  # not compared with any: against the first
    ]
    assert found[3]["similarity"] is None


def test_a_narrative_of_one_text_has_no_versions() -> None:
    assert made([(1, 1, 10, 0, "a", True), (2, 1, 10, 1, "b", True), (3, None, 11, 1, "b", True)], []) == []


def test_versions_are_those_made_with_dictionaries() -> None:
    dice = random.Random(6)
    rows = [
        (k, dice.randrange(3), dice.choice((None, *range(8))), dice.randrange(40), f"s{k % 5}", dice.random() < 0.5)
        for k in range(90)
    ]
    rows = [(k, n, None if t is None else 100 * n + t, m, s, p) for k, n, t, m, s, p in rows]
    pairs = [(100 * n + a, 100 * n + b, dice.choice((0.7, 0.8, 0.9))) for n in range(3) for a in range(8) for b in range(a + 1, 8) if dice.random() < 0.6]  # fmt: skip
    similarity = {frozenset(pair[:2]): pair[2] for pair in pairs}
    expected = []
    for narrative in range(3):
        posts = sorted((m, k, t, s, p) for k, n, t, m, s, p in rows if n == narrative and t is not None)
        order = list(dict.fromkeys(t for _, _, t, _, _ in posts))
        for version, text in enumerate(order):
            known = [
                (similarity[frozenset((text, o))], -v)
                for v, o in enumerate(order[:version])
                if frozenset((text, o)) in similarity
            ]
            base = -max(known)[1] if known else (0 if version else None)
            _, first, _, source, publisher = next(post for post in posts if post[2] == text)
            expected.append(
                (narrative, version, base, first, source if publisher else None, sum(p[2] == text for p in posts))
            )
    found = made(rows, pairs)
    names = ("narrative_key", "version", "from_version", "first_post_key", "source", "n_posts")
    assert [tuple(row[name] for name in names) for row in found] == expected

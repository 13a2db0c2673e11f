from datetime import UTC, datetime
from typing import Any

import ibis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources_world import HOUR, T0, key, post, world

from bastau.settings import Sources
from bastau.sources.copies import copies
from bastau.sources.firstseen import origins
from bastau.sources.page_facts import page_facts, points_away
from bastau.sources.relations import Keep

LD = '<script type="application/ld+json">{"@graph": [{"@type": "NewsArticle", "datePublished": "2025-03-20T10:00:00+05:00"}]}</script>'


def test_the_earliest_date_of_json_ld_and_metadata_counts() -> None:
    html = LD + '<meta property="article:published_time" content="2025-03-20T04:00:00Z">'
    assert page_facts(html).published_at == datetime(2025, 3, 20, 4, tzinfo=UTC)
    assert page_facts(LD).published_at == datetime(2025, 3, 20, 5, tzinfo=UTC)


def test_a_canonical_address_goes_before_the_shared_one() -> None:
    html = "<meta property='og:url' content='https://b.example/x'><link href='https://a.example/x' rel='canonical'>"
    assert page_facts(html).canonical == "https://a.example/x"
    assert page_facts(html[:60]).canonical == "https://b.example/x"


@pytest.mark.parametrize(
    "html", ["", "<meta", LD.replace("{", "[", 1), LD.replace("2025", "20x5"), LD.replace("T10:00:00+05:00", "")]
)
def test_what_says_no_moment_gives_none(html: str) -> None:
    assert page_facts(html).published_at is None


def test_a_page_without_end_or_bottom_is_read_to_its_limit() -> None:
    deep = '<script type="application/ld+json">' + "[" * 50_000 + "</script>"
    assert page_facts(deep + "<meta " * 300_000).published_at is None
    assert page_facts('<script type="application/ld+json">' * 20_000).published_at is None


@given(st.text(alphabet="<>=\"' metalinkscriptpl/d+json:{}[]relcanonical", max_size=400))
def test_any_text_is_read_without_an_error(html: str) -> None:
    page_facts(html)


@pytest.mark.parametrize(
    ("canonical", "away"),
    [
        ("https://www.site.example/a", False),
        ("https://m.site.example/b", False),
        ("https://other.example/a", True),
        ("/a", False),
        (None, False),
        ("https://[bad", False),
    ],
)
def test_only_another_host_is_elsewhere(canonical: str | None, away: bool) -> None:
    assert points_away(canonical, "https://site.example/a") is away


def test_a_page_that_says_it_is_younger_or_a_copy_is_no_beginning(con: ibis.BaseBackend, keep: Keep) -> None:
    watched = [post(f"w{h}", h * HOUR - 90 * HOUR, "watch") for h in range(100)]
    watched += [post(f"v{h}", h * HOUR - 90 * HOUR, "site", platform="web") for h in range(0, 90, 9)]
    story = [
        post("s", 0, "site", "n", platform="web", url="https://site.example/s"),
        post("a", 600, "A", "n"),
        *(post(f"f{i}", 1200 + 600 * i, f"F{i}", "n", forwarded_from="A") for i in range(2)),
    ]
    tables = world(con, watched + story)
    edges = keep(copies(tables.posts, tables.readings, tables.members, keep=keep, clock_error_s=60))

    def leader(html: str | None) -> Any:
        pages = ibis.memtable({"url": ["https://site.example/s"], "html": [html or ""]})
        table = origins(
            tables.posts,
            tables.readings,
            tables.members,
            tables.narratives,
            edges,
            keep(pages),
            keep=keep,
            settings=Sources(min_confidence=0.0),
        )
        (row,) = [row for row in table.to_pylist() if row["narrative_key"] == key("n")]
        return {c["source"]: c["confidence"] for c in row["candidates"]}

    plain = leader(None)
    later = datetime.fromtimestamp(T0 + 7200, UTC).isoformat()
    younger = leader(f'<meta property="article:published_time" content="{later}">')
    copied = leader('<link rel="canonical" href="https://elsewhere.example/s">')
    assert younger.get("site", 0) < plain["site"]
    assert copied.get("site", 0) < plain["site"]

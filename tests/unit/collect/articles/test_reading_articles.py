"""Articles out of pages, and entries out of feeds."""

from datetime import UTC, datetime

import pytest

from bastau.collect.articles import own_address, read_article, read_date
from bastau.collect.articles.feeds import as_row, read_feed
from bastau.errors import SourceChanged

NOW = datetime(2026, 11, 28, tzinfo=UTC)
WORDS = "Су деңгейі көтерілді, тұрғындар көшірілді, деп хабарлады облыс әкімдігі бүгін таңертең. " * 8
PAGE = f"""<!doctype html><html lang="kk"><head><meta charset="utf-8"><title>Су тасқыны басталды | Tau</title>
<link rel="canonical" href="https://tau.example/2026/11/27/su">
<link rel="alternate" type="application/rss+xml" href="/feed" title="Tau">
<meta property="article:published_time" content="2026-11-27T10:00:00+05:00"></head>
<body><nav><a href="/">Басты бет</a></nav><article><h1>Су тасқыны басталды</h1><p>{WORDS}</p>
<p>{WORDS} <a href="https://steppe.example/a">дереккөз</a></p></article><footer>2026 Tau</footer></body></html>"""


def test_a_page_gives_its_body_title_date_links_and_feeds() -> None:
    article = read_article(PAGE.encode(), "https://tau.example/x?utm_source=rss")
    assert article.title == "Су тасқыны басталды"
    assert article.published_at == datetime(2026, 11, 27, 5, tzinfo=UTC)
    assert "көшірілді" in article.text
    assert "Басты бет" not in article.text
    assert article.links == ("https://steppe.example/a",)
    assert article.feeds == (("https://tau.example/feed", "Tau"),)
    assert article.is_article
    assert article.language == "kk"


def test_a_canonical_address_of_another_website_is_not_taken_for_ones_own() -> None:
    article = read_article(
        PAGE.replace("https://tau.example/2026", "https://other.example/2026"), "https://tau.example/x"
    )
    assert own_address(article) == "https://tau.example/x"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Mon, 05 May 2024 12:00:00 +0500", datetime(2024, 5, 5, 7, tzinfo=UTC)),
        ("1 мая 2024 г. 12:30", datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
        ("2 қазан 2024", datetime(2024, 10, 2, tzinfo=UTC)),
        ("May 1, 2024 1:05 pm", datetime(2024, 5, 1, 13, 5, tzinfo=UTC)),
        ("2024-05-01T24:00:00Z", datetime(2024, 5, 2, tzinfo=UTC)),
        ("1970-01-01", None),
        ("31.02.2024", None),
        ("soon", None),
    ],
)
def test_dates_are_read_in_the_forms_in_use(text: str, moment: datetime | None) -> None:
    assert read_date(text) == moment


def rss(*items: str) -> bytes:
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Tau</title><ttl>30</ttl>{"".join(items)}</channel></rss>'.encode()


def test_the_same_article_from_two_feeds_is_one_post() -> None:
    one, two = (
        read_feed(
            rss(f"<item><title>A</title><link>{link}</link><guid>{guid}</guid></item>"), "https://tau.example/feed"
        )
        for link, guid in (("http://www.tau.example/a?utm_source=rss", "1"), ("https://tau.example/a/", "x"))
    )
    ids = {as_row(feed.entries[0], feed, "https://tau.example/feed", NOW)["post_id"] for feed in (one, two)}
    assert ids == {"web:https://tau.example/a"}


def test_an_entry_dated_in_the_future_gets_the_time_at_which_it_was_seen() -> None:
    item = "<item><title>A</title><link>https://tau.example/a</link><pubDate>Mon, 05 May 2031 12:00:00 GMT</pubDate></item>"
    feed = read_feed(rss(item), "https://tau.example/feed")
    assert as_row(feed.entries[0], feed, "https://tau.example/feed", NOW)["published_at"] == NOW.isoformat()


def test_a_web_page_in_place_of_a_feed_is_told() -> None:
    with pytest.raises(SourceChanged, match="web page"):
        read_feed(PAGE.encode(), "https://tau.example/feed")


def test_entities_of_a_document_type_are_never_expanded() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
    feed = read_feed(
        bomb + rss("<item><title>T &a; &x;</title><link>https://tau.example/a</link></item>")[21:], "https://t.example/"
    )
    assert "aaaaaaaaaa" not in str(feed.entries)
    assert "root:" not in str(feed.entries)


def test_profiles_on_the_page_s_own_host_are_shown_as_their_address():
    text = "The river rose over night and people were brought to safety, the town said on Friday morning. " * 8
    page = f"<html><body><article><h1>River</h1><p>{text} Said <a href='/@qaskyr_b'>Ghalym Seri</a> to us.</p></article></body></html>"
    article = read_article(page, "https://lake.example/a/1")
    assert "Ghalym" not in article.text
    assert "lake.example/@qaskyr_b" in article.text

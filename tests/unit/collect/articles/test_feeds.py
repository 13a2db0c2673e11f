"""Feeds of every form and in every state."""

import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urljoin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bastau.collect.articles import feed_xml, read_date
from bastau.collect.articles.feed_xml import MAX_MEDIA, MAX_SAME
from bastau.collect.articles.feeds import MAX_LINKS, Feed, as_row, read_feed
from bastau.collect.articles.loose_xml import decode
from bastau.errors import SourceChanged

URL = "https://tau.example/feeds/all.xml"
NOW = datetime(2026, 11, 28, tzinfo=UTC)
NOON = datetime(2026, 11, 27, 7, tzinfo=UTC)
RSS = '<rss version="2.0"><channel><title>Tau</title><link>https://tau.example/</link>{}</channel></rss>'
ATOM = '<feed xmlns="http://www.w3.org/2005/Atom"><title>Tau</title>{}</feed>'


def read(text: str, encoding: str = "utf-8") -> Feed:
    return read_feed(text.encode(encoding), URL)


def item(inside: str) -> str:
    return f"<item><title>Су</title>{inside}</item>"


FORMS = {
    "rss 2.0": RSS.format(
        "<language>kk</language><item><title>Су</title><link>https://tau.example/a</link><guid isPermaLink='false'>7</guid>"
        "<pubDate>Fri, 27 Nov 2026 12:00:00 +0500</pubDate><description>&lt;p&gt;Өзен тасыды&lt;/p&gt;</description>"
        "<enclosure url='https://tau.example/a.jpg' type='image/jpeg'/></item>"
    ),
    "rss 1.0": (
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
        'xmlns:d="http://purl.org/dc/elements/1.1/" xmlns:m="http://search.yahoo.com/mrss/">'
        '<channel r:about="https://tau.example/"><title>Tau</title><link>https://tau.example/</link><d:language>kk</d:language>'
        '</channel><item r:about="7"><title>Су</title><link>https://tau.example/a</link><d:date>2026-11-27T12:00+05:00</d:date>'
        '<description>Өзен тасыды</description><m:content url="https://tau.example/a.jpg"/></item></r:RDF>'
    ),
    "atom 1.0": (
        '<a:feed xmlns:a="http://www.w3.org/2005/Atom" xml:lang="kk" xml:base="https://tau.example/"><a:title>Tau</a:title>'
        '<a:link href="/"/><a:link rel="self" href="/feed"/><a:entry><a:title type="html">&lt;b&gt;Су&lt;/b&gt;</a:title>'
        '<a:id>7</a:id><a:link rel="enclosure" href="a.jpg"/><a:link rel="alternate" type="text/html" href="a"/>'
        "<a:published>2026-11-27T07:00:00Z</a:published><a:content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>"
        "<p>Өзен <i>тасыды</i></p></div></a:content></a:entry></a:feed>"
    ),
    "atom 0.3": (
        '<feed version="0.3" xmlns="http://purl.org/atom/ns#" xml:lang="kk"><title>Tau</title>'
        '<link rel="alternate" type="text/html" href="https://tau.example/"/><entry><title mode="escaped">Су</title><id>7</id>'
        '<link rel="alternate" type="text/html" href="https://tau.example/a"/><issued>2026-11-27T07:00:00Z</issued>'
        '<link rel="enclosure" href="https://tau.example/a.jpg"/>'
        '<content type="text/html" mode="base64">PHA+06jQt9C10L0g0YLQsNGB0YvQtNGLPC9wPg==</content></entry></feed>'
    ),
    "json feed": json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1", "title": "Tau", "home_page_url": "https://tau.example/", "language": "kk",
            "items": [{
                "id": 7, "url": "/a", "title": "Су", "content_text": "Өзен тасыды", "date_published": "2026-11-27T12:00:00+05:00",
                "attachments": [{"url": "https://tau.example/a.jpg", "mime_type": "image/jpeg"}],
            }],
        }
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_entry(form: str) -> None:
    feed = read(FORMS[form])
    assert (feed.title, feed.site, feed.language) == ("Tau", "https://tau.example/", "kk")
    (entry,) = feed.entries
    assert (entry.guid, entry.title, entry.url, entry.published_at or entry.updated_at) == (
        "7", "Су", "https://tau.example/a", NOON,
    )  # fmt: skip
    assert entry.text == "Өзен тасыды"
    assert entry.media == ("https://tau.example/a.jpg",)


@pytest.mark.parametrize("form", sorted(FORMS.keys() - {"json feed"}))
def test_a_damaged_feed_gives_the_same_posts_as_the_whole_one(form: str) -> None:
    whole = FORMS[form]
    damaged = "\n\x0b<br/>" + whole.replace("</title>", "&nbsp;& co</title>", 1)
    rows = [as_row(entry, feed, URL, NOW) for feed in (read(whole), read(damaged)) for entry in feed.entries]
    assert len(rows) == 2
    assert rows[0] | {"source_name": ""} == rows[1] | {"source_name": ""}


def test_channel_definition_format_is_read() -> None:
    feed = read(
        '<CHANNEL HREF="https://tau.example/"><TITLE>Tau</TITLE><ITEM HREF="/a" LASTMOD="2026-11-27T12:00+05:00">'
        "<TITLE>Су</TITLE><ABSTRACT>Өзен</ABSTRACT></ITEM></CHANNEL>"
    )
    entry = feed.entries[0]
    assert (feed.site, entry.url, entry.updated_at) == ("https://tau.example/", "https://tau.example/a", NOON)
    assert (entry.title, entry.text) == ("Су", "Өзен")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32-be", "windows-1251", "koi8-r"])
@pytest.mark.parametrize(
    "declared", ["", "<?xml version='1.0' encoding='{}'?>", "<?xml version='1.0' encoding='utf-8'?>"]
)
def test_an_encoding_is_found_whatever_is_declared(encoding: str, declared: str) -> None:
    text = declared.format(encoding) + RSS.format(item("<description>Вода в реке поднялась, жители ушли</description>"))
    assert read(text, encoding).entries[0].text == "Вода в реке поднялась, жители ушли"


def test_the_charset_of_the_answer_counts_before_the_declared_one() -> None:
    body = "<?xml version='1.0' encoding='koi8-r'?><a>Су тасқыны</a>".replace("қ", "к").encode("windows-1251")
    assert "Су таскыны" in decode(body, "text/xml; charset=windows-1251")
    assert "Су таскыны" not in decode(body)


def test_a_few_bad_bytes_do_not_make_utf_8_another_encoding() -> None:
    body = RSS.format(item("<description>Өзен тасыды, көпір жабылды</description>")).encode()
    assert "көпір жабылды" in read_feed(body.replace("тасыды".encode(), b"\xff\xfe", 1), URL).entries[0].text


@pytest.mark.parametrize(
    ("inside", "url"),
    [
        ("<link>/a?x=1&section=2</link>", "https://tau.example/a?x=1&section=2"),
        ("<link>b</link>", "https://tau.example/feeds/b"),
        ("<link/>https://tau.example/a", "https://tau.example/a"),
        ("<link>\n https://tau.example/\n a</link>", "https://tau.example/a"),
        ("<guid>https://tau.example/g</guid>", "https://tau.example/g"),
        ("<guid isPermaLink='true'>/g</guid>", "https://tau.example/g"),
        ("<guid isPermaLink='false'>https://tau.example/g</guid>", None),
        ("<link>javascript:alert(1)</link>", None),
        ("<link>https://[bad/</link>", None),
        ("<link>https://feeds.example/~r/1</link><feedburner:origLink>https://tau.example/o</feedburner:origLink>",
         "https://tau.example/o"),
        ("<atom:link rel='self' href='https://tau.example/s'/><atom:link href='https://tau.example/a'/>", "https://tau.example/a"),
        ("<link rel='alternate' type='application/json' href='/j'/><link rel='alternate' type='text/html' href='/h'/>",
         "https://tau.example/h"),
    ],
)  # fmt: skip
def test_the_address_of_an_entry(inside: str, url: str | None) -> None:
    assert read(RSS.format(item(inside))).entries[0].url == url


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ('<content type="text">a &lt;b&gt; c</content>', "a <b> c"),
        ("<content>1 &lt; 2</content>", "1 < 2"),
        ("<content>&lt;p&gt;a&lt;/p&gt;&lt;p&gt;b&lt;/p&gt;</content>", "a\nb"),
        ('<content type="html">&lt;script&gt;x()&lt;/script&gt;&lt;p&gt;a &amp;amp; b&lt;/p&gt;</content>', "a & b"),
        ('<content type="image/png" mode="base64">iVBORw0KGgo=</content><summary>a</summary>', "a"),
        ('<summary>a</summary><content type="xhtml"><div><p>longer</p></div></content>', "longer"),
        ("<m:group xmlns:m='http://search.yahoo.com/mrss/'><m:description>a</m:description></m:group>", "a"),
    ],
)
def test_the_text_of_an_atom_entry(inside: str, text: str) -> None:
    assert read(ATOM.format(f"<entry><title>t</title>{inside}</entry>")).entries[0].text == text


def test_the_text_that_yandex_asks_for_is_read() -> None:
    full = '<y:full-text xmlns:y="http://news.yandex.ru">Весь текст новости</y:full-text>'
    assert read(RSS.format(item(f"<description>Кратко</description>{full}"))).entries[0].text == "Весь текст новости"


def test_what_other_vocabularies_call_title_is_none_of_the_entry() -> None:
    inside = '<svg:title xmlns:svg="http://www.w3.org/2000/svg">no</svg:title><image><title>no</title></image>'
    assert read(RSS.format(f"<item>{inside}<title>yes</title></item>")).entries[0].title == "yes"


def test_relative_links_in_a_text_follow_its_own_base() -> None:
    content = '<content type="html" xml:base="https://b.example/x/">&lt;a href="y"&gt;y&lt;/a&gt;</content>'
    assert read(ATOM.format(f"<entry><title>t</title>{content}</entry>")).entries[0].links == ("https://b.example/x/y",)


def test_the_head_names_rhythm_hub_and_archive() -> None:
    head = (
        '<sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">hourly</sy:updatePeriod>'
        '<l:link xmlns:l="http://www.w3.org/2005/Atom" rel="hub" href="https://hub.example/"/>'
        '<l:link xmlns:l="http://www.w3.org/2005/Atom" rel="prev-archive" href="/old"/>'
    )
    feed = read(RSS.format(head + item("")))
    assert (feed.next_in_s, feed.hub, feed.older) == (3600, "https://hub.example/", "https://tau.example/old")
    assert feed.site == "https://tau.example/"


@pytest.mark.parametrize(
    "second",
    [
        "<item><title>x<b>y</title><description>d</item>",
        "<item><title>x<link>https://tau.example/x</link>",
        "<item><title>R&D &copy; &bogus; &#1; </title></item>",
        "<item><description><![CDATA[ never closed</description></item>",
        "<item><description><!-- never closed</description></item>",
        "<item><title a='>x</title></item>",
        "<item></wrong></title><title>x</item>",
        "<item><title>1 < 2 </title></item>",
        "<item><undeclared:thing>x</undeclared:thing><description><p>a<br>b</description></item>",
    ],
)
def test_what_is_broken_in_one_entry_harms_no_other(second: str) -> None:
    first, third = (
        item(f"<link>https://tau.example/{n}</link><description>Өзен {n}</description>") for n in ("1", "3")
    )
    entries = read(RSS.format(first + second + third)).entries
    assert [entries[0].text, entries[-1].text] == ["Өзен 1", "Өзен 3"]
    assert [entries[0].url, entries[-1].url] == ["https://tau.example/1", "https://tau.example/3"]
    assert len(entries) == 3


def test_a_feed_that_breaks_off_gives_what_came_before() -> None:
    whole = RSS.format(item("<link>https://tau.example/1</link>") + item("<link>https://tau.example/2</link>"))
    entries = read(whole[: whole.rindex("</link>")]).entries
    assert [entry.url for entry in entries] == ["https://tau.example/1", "https://tau.example/2"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"hello",
        b"<html><body><rss/></body></html>",
        b"{}",
        b'{"items": []}',
        b"[1]",
        b"<a/>",
        b"\xff\xfe",
        b"\0<",
    ],
)
def test_what_is_no_feed_is_refused(body: bytes) -> None:
    with pytest.raises(SourceChanged):
        read_feed(body, URL)


def test_no_entity_is_expanded_or_fetched() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    document = f'<!DOCTYPE r [<!ENTITY l0 "ha">{laughs}<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY % p SYSTEM "http://a.example/">%p;]>'
    shown = str(read(document + RSS.format(item("<description>&l9; &x; &nbsp;end</description>"))))
    assert "haha" not in shown
    assert "root:" not in shown
    assert "end" in shown


@pytest.mark.parametrize(
    "body",
    [
        b"<rss><channel>" + b"<a>" * 300_000,
        b"<rss><channel><item><description>" + b"<div>" * 150_000 + b"</div>" * 150_000,
        b"<rss " + b'a="" ' * 200_000 + b"/>",
        b"<rss " + b" ".join(b'a%d=""' % n for n in range(100_000)) + b"/>",
        b"<rss>" + b"<![CDATA[" * 100_000,
        b"<rss>" + b"<!--" * 200_000,
        b"<rss>" + b"<!DOCTYPE [>" * 80_000,
        b"<rss>" + b'<a "' * 200_000,
        b"<rss>" + b"</a>" * 200_000,
        b"<rss><channel><item><title>" + b"x" * 10_000_000,
        b"<rss><channel><item><title>" + b"&" * 1_000_000,
    ],
    ids=lambda body: body[:40].decode(),
)
def test_hostile_documents_take_time_in_proportion(body: bytes) -> None:
    start = time.process_time()
    with contextlib.suppress(SourceChanged):
        read_feed(body, URL)
    assert time.process_time() - start < 5


LINKS = {
    "a text of links": lambda i: f'&lt;a href="p{i}"&gt;x&lt;/a&gt;',
    "links that differ after # only": lambda i: f'&lt;a href="p?{i % 7}#{i}"&gt;x&lt;/a&gt;',
    "one link again and again": lambda i: '&lt;a href="p"&gt;x&lt;/a&gt;',
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_of_a_text_of_nothing_but_links_the_first_are_looked_at(
    link: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(feed_xml, "urljoin", lambda base, said: looked.append(said) or urljoin(base, said))
    text = "".join(link(i) for i in range(20_000))
    (entry,) = read(RSS.format(item(f"<description>{text}</description>"))).entries
    assert len(looked) <= 10 * MAX_LINKS
    assert entry.links == tuple(dict.fromkeys(entry.links))
    assert 0 < len(entry.links) <= MAX_LINKS
    assert entry.links[0].startswith("https://tau.example/feeds/p")


@pytest.mark.parametrize(
    "tag",
    [
        '<link rel="self" href="p{}"/>',
        '<link rel="mention" href="mailto:p{}"/>',
        '<enclosure url="p{}"/>',
        '<media:content xmlns:media="http://search.yahoo.com/mrss/" url="p{}"/>',
    ],
)
def test_of_a_feed_or_entry_of_nothing_but_links_the_first_are_looked_at(
    tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(feed_xml, "urljoin", lambda base, said: looked.append(said) or urljoin(base, said))
    many = "".join(tag.format(i) for i in range(20_000))
    feed = read(RSS.format(f"{many}{item(many)}"))
    assert len(looked) <= 4 * MAX_SAME
    assert [entry.title for entry in feed.entries] == ["Су"]
    assert len(feed.entries[0].media) in (0, MAX_MEDIA)


@given(st.binary(max_size=300) | st.text("<>/![]&;\"'=-?: abcdeilmnorst{}", max_size=300).map(str.encode))
@example(b"<rss>&#xD800;</rss>")
@example(
    b'{"version":"https://jsonfeed.org/version/1","items":[{"id":[],"url":"//[","attachments":[{"url":7}]}],"hubs":7}'
)
def test_no_bytes_crash_the_reader(body: bytes) -> None:
    for data in (body, b"<rss><channel><item>" + body, FORMS["atom 1.0"].encode()[:400] + body):
        try:
            feed = read_feed(data, URL)
        except SourceChanged:
            continue
        for entry in feed.entries:
            as_row(entry, feed, URL, NOW)


@given(st.data())
def test_damage_inside_one_entry_leaves_the_others(data: st.DataObject) -> None:
    entries = [
        item(f"<link>https://tau.example/{n}</link><guid>{n}</guid><description>Өзен &amp; {n}</description>")
        for n in range(3)
    ]
    whole = read(RSS.format("".join(entries)))
    start = data.draw(st.integers(len("<item>"), len(entries[1]) - len("</item>")))
    end = data.draw(st.integers(start, len(entries[1]) - len("</item>")))
    put = data.draw(st.text("<>/&;\"'= abtin", max_size=12))
    entries[1] = entries[1][:start] + put + entries[1][end:]
    damaged = read(RSS.format("".join(entries)))
    assert damaged.entries[0] == whole.entries[0]
    assert damaged.entries[-1] == whole.entries[-1]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Κυρ, 11 Ιούλ 2004 12:00:00 EST", datetime(2004, 7, 11, 17, tzinfo=UTC)),
        ("2004-július-13T9:15-05:00", datetime(2004, 7, 13, 14, 15, tzinfo=UTC)),
        ("2004-05-25 오후 11:23:17", datetime(2004, 5, 25, 14, 23, 17, tzinfo=UTC)),
        ("2026年11月27日 10:00", datetime(2026, 11, 27, 10, tzinfo=UTC)),
        ("Fri, 2006/09/15 08:19:53 EDT", datetime(2006, 9, 15, 12, 19, 53, tzinfo=UTC)),
        ("Fri, 27 Nov 2026 12:00:00 GMT+5", NOON),
        ("Fri Nov 27 2026 12:00:00 GMT+0500 (Almaty)", NOON),
        ("Сб, 27 ноя 2026 12:00:00 +05", NOON),
        ("2026 жылғы 27 қараша, 07:00", NOON),
        ("27 листопада 2026", datetime(2026, 11, 27, tzinfo=UTC)),
        ("27 de noviembre de 2026 07:00", NOON),
        ("12 mai 2024 10:00 et 12:00", datetime(2024, 5, 12, 10, tzinfo=UTC)),
        ("2026-11-27T25:00:00Z", None),
    ],
)
def test_dates_of_many_lands(text: str, moment: datetime | None) -> None:
    assert read_date(text) == moment


@pytest.mark.parametrize(
    ("text", "day"),
    [("2026", (1, 1)), ("2026-11", (11, 1)), ("2026-331", (11, 27)), ("2026-W48-5", (11, 27)), ("2026W48", (11, 23))],
)
def test_part_of_a_date_is_its_beginning_where_that_is_asked_for(text: str, day: tuple[int, int]) -> None:
    assert read_date(text, partial=True) == datetime(2026, *day, tzinfo=UTC)
    assert read_date(text) is None


@given(
    st.text(max_size=60)
    | st.from_regex(r"\d{2,4}[-/.]\w{1,9}[-/. ]\d{1,4}[T ]\d{1,2}:\d\d ?[+-]?\w{1,5}", fullmatch=True)
)
def test_no_text_crashes_the_reader_of_dates(text: str) -> None:
    moment = read_date(text, partial=True)
    assert moment is None or moment.utcoffset() is not None

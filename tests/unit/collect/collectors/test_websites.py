"""Feeds, sitemaps and sites, against a real server on the loopback through a small client."""

import asyncio
import gzip
import hashlib
import http.client
import json
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from bastau.collect.collectors import feed as feed_collector
from bastau.collect.collectors import sitemap
from bastau.collect.collectors.feed import FEED
from bastau.collect.collectors.site import SITE
from bastau.collect.collectors.sitemap import SITEMAP
from bastau.collect.visits import Answer, FetchFailed, FetchRefused, Request, Trouble, Visit, Watched
from bastau.errors import SourceChanged

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
WORDS = "The river rose over night and people were brought to safety, the town said on Friday morning. " * 8


class Server(ThreadingHTTPServer):
    pages: dict[str, tuple[int, dict[str, str], bytes]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        status, headers, body = self.server.pages.get(self.path, (404, {}, b""))
        if headers.get("ETag") and self.headers.get("If-None-Match") == headers["ETag"]:
            status, body = 304, b""
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Client:
    async def fetch(self, request: Request) -> Answer:
        parts = urlsplit(request.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
        given = dict(request.headers) | ({"If-None-Match": request.etag} if request.etag else {})
        try:
            connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""), headers=given)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise FetchFailed(Trouble.GONE if answer.status in (404, 410) else Trouble.SERVER, request.url)
        return Answer(
            request.url, answer.status, tuple(answer.getheaders()), body, (), parts.hostname, NOW, 0.01, len(body)
        )

    async def allows(self, _url: str) -> bool:
        return True

    async def nameservers(self, host: str) -> tuple[str, ...]:
        return (f"ns1.{host}", f"ns2.{host}")

    def messages(self, request: Request) -> Any:
        raise NotImplementedError(request.url)


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    server = Server(("127.0.0.1", 0), Handler)
    server.pages = {}
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("n_entries", "is_large"), [(3, False), (2000, True)])
def test_a_large_feed_is_read_beside_the_loop(
    server: tuple[Server, str], monkeypatch: pytest.MonkeyPatch, n_entries: int, is_large: bool
) -> None:
    threads = []
    reader = feed_collector.read_feed

    def read(*given: Any) -> Any:
        threads.append(threading.current_thread())
        return reader(*given)

    monkeypatch.setattr(feed_collector, "read_feed", read)
    entries = "".join(f"<item><title>{i}</title><description>{WORDS}</description></item>" for i in range(n_entries))
    body = f"<rss><channel><title>t</title>{entries}</channel></rss>".encode()
    assert (len(body) > feed_collector.AT_ONCE_BYTES) == is_large
    server[0].pages["/feed"] = (200, {}, body)
    assert len(visit(FEED, f"{server[1]}/feed").rows) == n_entries
    assert [thread is threading.main_thread() for thread in threads] == [not is_large]


def visit(collector: Any, address: str, state: Any = None, at: datetime = NOW, **options: Any) -> Visit:
    return asyncio.run(collector.visit(Watched(1, collector.name, address, state or {}, options), Client(), at))


def feed(root: str, numbers: Iterable[int], text: str = "Short") -> bytes:
    items = "".join(
        f"<item><title>T{n}</title><link>{root}/a/{n}</link><guid>{n}</guid><description>{text} {n}</description>"
        f"<pubDate>Fri, 27 Nov 2026 10:{n:02}:00 GMT</pubDate></item>"
        for n in numbers
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Tau</title><ttl>15</ttl>{items}</channel></rss>'.encode()


def page(title: str, text: str = WORDS) -> bytes:
    return (
        f'<html lang="en"><head><title>{title}</title><meta property="article:published_time" content="2026-11-27T10:00:00Z">'
        f"</head><body><article><h1>{title}</h1><p>{text}</p></article></body></html>"
    ).encode()


def test_a_feed_gives_new_entries_once_and_changed_ones_as_edits(server: tuple[Server, str]) -> None:
    web, root = server
    web.pages["/feed"] = (200, {"ETag": '"1"'}, feed(root, range(3)))
    first = visit(FEED, f"{root}/feed")
    assert [row["title"] for row in first.rows] == ["T0", "T1", "T2"]
    assert first.next_in_s == 900
    assert {s["kind"] for s in first.sightings} == {"feed_date"}
    assert visit(FEED, f"{root}/feed", first.state).is_unchanged
    web.pages["/feed"] = (200, {"ETag": '"2"'}, feed(root, range(2, 4)).replace(b"Short 2", b"Longer 2"))
    second = visit(FEED, f"{root}/feed", first.state)
    assert [row["title"] for row in second.rows] == ["T3"]
    assert [(change.kind, change.row and change.row["text"]) for change in second.changes] == [("edited", "Longer 2")]
    assert second.gaps == []


def test_a_feed_tells_its_hub_by_headers_before_its_own_links(server: tuple[Server, str]) -> None:
    web, root = server
    atom = '<link xmlns="http://www.w3.org/2005/Atom" rel="{}" href="{}"/>'
    links = atom.format("hub", "https://hub.kz/of-feed") + atom.format("self", f"{root}/self")
    body = feed(root, range(1)).replace(b"<ttl>", f"{links}<ttl>".encode())
    web.pages["/feed"] = (200, {}, body)
    plain = visit(FEED, f"{root}/feed").state
    assert (plain["hub"], plain["topic"]) == ("https://hub.kz/of-feed", f"{root}/self")
    header = '</style.css>; rel=preload; as="style", <https://hub.kz/of-header>; title="a"; rel="alternate hub", <https://hub.kz/2>; rel=hub, <http://[>; rel=self'
    web.pages["/feed"] = (200, {"Link": header}, body)
    state = visit(FEED, f"{root}/feed").state
    assert (state["hub"], state["topic"]) == ("https://hub.kz/of-header", f"{root}/self")
    web.pages["/feed"] = (200, {"Link": f"<https://hub.kz/{'x' * 3000}>; rel=hub"}, feed(root, range(1)))
    assert visit(FEED, f"{root}/feed").state["hub"] is None


def test_a_feed_that_overran_tells_the_time_in_which_posts_may_be_missing(server: tuple[Server, str]) -> None:
    web, root = server
    web.pages["/feed"] = (200, {}, feed(root, range(3)))
    first = visit(FEED, f"{root}/feed")
    web.pages["/feed"] = (200, {}, feed(root, range(10, 13)))
    (gap,) = visit(FEED, f"{root}/feed", first.state).gaps
    assert (gap.reason, gap.since.minute, gap.until.minute) == ("feed_overran", 2, 10)
    web.pages["/feed?paged=2"] = (200, {}, feed(root, range(1, 10)))
    filled = visit(FEED, f"{root}/feed", first.state, archive_pages=3)
    assert filled.gaps == []
    assert len(filled.rows) == 10


def test_an_entry_that_is_pinned_hides_no_gap_and_one_that_was_deleted_makes_none(server: tuple[Server, str]) -> None:
    web, root = server
    web.pages["/feed"] = (200, {}, feed(root, range(12)))
    first = visit(FEED, f"{root}/feed")
    pinned = feed(root, range(1)).split(b"<item>")[1].split(b"</item>")[0]
    later = feed(root, range(20, 32)).replace(b"<item>", b"<item>" + pinned + b"</item><item>", 1)
    web.pages["/feed"] = (200, {}, later)
    (gap,) = visit(FEED, f"{root}/feed", first.state).gaps
    assert (gap.since.minute, gap.until.minute) == (11, 20)
    web.pages["/feed"] = (200, {}, feed(root, range(11)))  # the newest is gone
    assert visit(FEED, f"{root}/feed", first.state).gaps == []
    web.pages["/feed"] = (200, {}, feed(root, [11, *range(20, 31)]))
    assert visit(FEED, f"{root}/feed", first.state).gaps == []  # the newest is still there


def test_whole_articles_are_fetched_a_few_a_visit_and_none_is_left_out(server: tuple[Server, str]) -> None:
    web, root = server
    web.pages["/feed"] = (200, {"ETag": '"1"'}, feed(root, range(13)))
    web.pages |= {f"/a/{n}": (200, {}, page(f"T{n}")) for n in range(13)}
    first = visit(FEED, f"{root}/feed", full_text=True)
    second = visit(FEED, f"{root}/feed", first.state, full_text=True)
    assert first.more
    assert not second.more
    assert len({row["post_id"] for row in (*first.rows, *second.rows)}) == 13
    assert "brought to safety" in first.rows[0]["text"]


def test_a_page_in_place_of_a_feed_and_a_feed_that_is_gone_are_told(server: tuple[Server, str]) -> None:
    web, root = server
    web.pages["/feed"] = (200, {}, page("Sorry"))
    with pytest.raises(SourceChanged):
        visit(FEED, f"{root}/feed")
    web.pages["/feed"] = (410, {}, b"")
    with pytest.raises(FetchFailed):
        visit(FEED, f"{root}/feed")


def test_feeds_of_a_site_are_found_by_its_head(server: tuple[Server, str]) -> None:
    web, root = server
    web.pages["/"] = (
        200,
        {},
        b'<html><head><link rel="alternate" type="application/rss+xml" href="/f"></head><body>x</body></html>',
    )
    web.pages["/f"] = (200, {}, feed(root, range(3)))
    (found,) = asyncio.run(FEED.find(f"{root}/", Client(), NOW))
    assert (found.address, found.title, len(found.first)) == (f"{root}/f", "Tau", 3)


@pytest.mark.parametrize("title", ["Comments on: The river", "Комментарии к записи: Река"])
def test_comments_are_persons_and_their_feeds_are_not_watched(server: tuple[Server, str], title: str) -> None:
    web, root = server
    comments = feed(root, range(3)).replace(b"<title>Tau</title>", f"<title>{title}</title>".encode())
    web.pages["/feed"] = (200, {}, feed(root, range(3)))
    web.pages["/a/1/feed/"] = (200, {}, comments)
    web.pages["/comments/feed/"] = (200, {}, feed(root, range(3)))
    head = "".join(
        f'<link rel="alternate" type="application/rss+xml" href="{path}">'
        for path in ("/comments/feed/", "/a/1/feed/", "/feed")
    )
    web.pages["/"] = (200, {}, f"<html><head>{head}</head><body></body></html>".encode())
    found = asyncio.run(FEED.find(f"{root}/", Client(), NOW))
    assert [one.address for one in found] == [f"{root}/feed"]
    for path in ("/a/1/feed/", "/comments/feed/"):
        with pytest.raises(FetchRefused, match="private persons"):
            visit(FEED, f"{root}{path}")


def test_a_packed_index_of_sitemaps_gives_new_pages_with_their_dates(server: tuple[Server, str]) -> None:
    web, root = server
    web.pages["/sitemap.xml"] = (
        200, {}, f"<sitemapindex><sitemap><loc>{root}/news.xml.gz</loc></sitemap></sitemapindex>".encode()
    )  # fmt: skip
    listed = "".join(f"<url><loc>{root}/a/{n}</loc><lastmod>2026-11-27T11:00:00Z</lastmod></url>" for n in range(2))
    web.pages["/news.xml.gz"] = (200, {}, gzip.compress(f"<urlset>{listed}</urlset>".encode()))
    web.pages |= {f"/a/{n}": (200, {}, page(f"Title {n}")) for n in range(2)}
    first = visit(SITEMAP, f"{root}/sitemap.xml")
    assert sorted(row["title"] for row in first.rows) == ["Title 0", "Title 1"]
    assert {"sitemap_lastmod", "page_date"} <= {s["kind"] for s in first.sightings}
    assert visit(SITEMAP, f"{root}/sitemap.xml", first.state).rows == []


def test_a_site_gives_its_articles_and_tells_edits_and_deletions(server: tuple[Server, str]) -> None:
    web, root = server
    links = '<a href="/news/10001">x</a><a href="/news/10002">y</a><a href="/about">z</a>'
    web.pages["/"] = (200, {}, f"<html><head><title>Tau</title></head><body>{links}</body></html>".encode())
    web.pages |= {f"/news/{n}": (200, {}, page(f"Title {n}")) for n in (10001, 10002)}
    first = visit(SITE, f"{root}/")
    assert len(first.rows) == 2
    web.pages["/news/10001"] = (410, {}, b"")
    web.pages["/news/10002"] = (200, {}, page("Title 10002", WORDS + "It was corrected later."))
    second = visit(SITE, f"{root}/", first.state, NOW + timedelta(hours=1))
    assert sorted(change.kind for change in second.changes) == ["deleted", "edited"]
    assert second.rows == []
    later = visit(SITE, f"{root}/", second.state, NOW + timedelta(days=8))
    assert [row["html"][:6] for row in (*first.pages, *second.pages, *later.pages)] == ["<html>"]


class Troubled(Client):
    """Cannot reach the paths in ``troubles``."""

    def __init__(self, troubles: dict[str, Trouble]) -> None:
        self.troubles = troubles
        self.asked: list[str] = []

    async def fetch(self, request: Request) -> Answer:
        path = urlsplit(request.url).path
        self.asked.append(path)
        if path in self.troubles:
            raise FetchFailed(self.troubles[path], request.url)
        return await super().fetch(request)


def visit_troubled(collector: Any, address: str, state: Any, client: Client, at: datetime = NOW) -> Visit:
    return asyncio.run(collector.visit(Watched(1, collector.name, address, state), client, at))


@pytest.mark.parametrize("kind", [Trouble.TIMEOUT, Trouble.SERVER, Trouble.RESTING, Trouble.LIMITED])
@pytest.mark.parametrize("collector", [SITE, SITEMAP])
def test_pages_that_a_trouble_kept_from_us_are_asked_for_again(
    server: tuple[Server, str], collector: Any, kind: Trouble
) -> None:
    web, root = server
    numbers = range(10001, 10006)
    links = "".join(f'<a href="/news/{n}">x</a>' for n in numbers)
    web.pages["/"] = (200, {}, f"<html><body>{links}</body></html>".encode())
    listed = "".join(f"<url><loc>{root}/news/{n}</loc></url>" for n in numbers)
    web.pages["/sitemap.xml"] = (200, {"ETag": '"1"'}, f"<urlset>{listed}</urlset>".encode())
    web.pages |= {f"/news/{n}": (200, {}, page(f"Title {n}")) for n in numbers}
    address = f"{root}/" if collector is SITE else f"{root}/sitemap.xml"
    client = Troubled({"/news/10003": kind})
    first = visit_troubled(collector, address, {}, client)
    assert [row["title"] for row in first.rows] == ["Title 10001", "Title 10002"]
    assert "/news/10004" not in client.asked  # the website is left alone
    assert f"page not fetched: {kind.value}" in first.notes
    assert not first.more
    second = visit(collector, address, first.state)
    assert sorted(row["title"] for row in second.rows) == ["Title 10003", "Title 10004", "Title 10005"]


@pytest.mark.parametrize("collector", [SITE, SITEMAP])
def test_a_page_that_always_fails_keeps_no_other_back_and_is_given_up(
    server: tuple[Server, str], collector: Any
) -> None:
    web, root = server
    links = "".join(f'<a href="/news/{n}">x</a>' for n in (10001, 10002))
    web.pages["/"] = (200, {}, f"<html><body>{links}</body></html>".encode())
    listed = "".join(f"<url><loc>{root}/news/{n}</loc></url>" for n in (10001, 10002))
    web.pages["/sitemap.xml"] = (200, {}, f"<urlset>{listed}</urlset>".encode())
    web.pages["/news/10002"] = (200, {}, page("Title"))
    address = f"{root}/" if collector is SITE else f"{root}/sitemap.xml"
    client = Troubled({"/news/10001": Trouble.SERVER})
    state: Any = {}
    titles = []
    for _ in range(8):
        done = visit_troubled(collector, address, state, client)
        state = done.state
        titles.append([row["title"] for row in done.rows])
    assert titles == [[], ["Title"], *[[]] * 6]
    assert client.asked.count("/news/10001") == 5


def test_changed_entries_beyond_those_of_one_visit_become_edits_in_the_next(server: tuple[Server, str]) -> None:
    web, root = server
    web.pages["/feed"] = (200, {}, feed(root, range(10)))
    state = visit(FEED, f"{root}/feed", full_text=True).state
    web.pages["/feed"] = (200, {}, feed(root, range(13)))
    state = visit(FEED, f"{root}/feed", state, full_text=True).state
    web.pages["/feed"] = (200, {"ETag": '"9"'}, feed(root, range(13), "Other"))
    first = visit(FEED, f"{root}/feed", state, full_text=True)
    second = visit(FEED, f"{root}/feed", first.state, full_text=True)
    assert (first.more, second.more) == (True, False)
    assert (len(first.changes), len(second.changes)) == (10, 3)
    assert len({change.post_id for change in (*first.changes, *second.changes)}) == 13


def test_the_past_of_a_website_is_told_and_never_read(
    server: tuple[Server, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    web, root = server
    monkeypatch.setattr(sitemap, "MAX_SEEN", 3)
    old = "".join(f"<url><loc>{root}/old/{n}</loc><lastmod>2026-10-01T11:00:00Z</lastmod></url>" for n in range(40))
    undated = "".join(f"<url><loc>{root}/a/{n}</loc></url>" for n in range(110))
    web.pages["/sitemap.xml"] = (200, {}, f"<urlset>{old}{undated}</urlset>".encode())
    web.pages |= {f"/a/{n}": (200, {}, page(f"Title {n}")) for n in range(110)}
    web.pages |= {f"/old/{n}": (200, {}, page(f"Old {n}")) for n in range(40)}
    state: Any = {}
    notes: list[str] = []
    numbers = []
    for hour in range(6):
        done = visit(SITEMAP, f"{root}/sitemap.xml", state, NOW + timedelta(hours=hour))
        state = done.state
        numbers.append(len(done.rows))
        notes += done.notes
    assert numbers == [30, 30, 30, 10, 0, 0]
    assert [note for note in notes if "not read" in note] == [
        "40 pages older than 3 days are the website's past and not read",
        "10 pages beyond the newest 100 of a first visit are not read",
    ]


def test_what_waits_is_listed_again_by_sitemaps_that_did_not_change(server: tuple[Server, str]) -> None:
    web, root = server
    under = f"<sitemap><loc>{root}/news.xml</loc><lastmod>2026-11-26T11:00:00Z</lastmod></sitemap>"
    web.pages["/sitemap.xml"] = (200, {}, f"<sitemapindex>{under}</sitemapindex>".encode())
    listed = "".join(f"<url><loc>{root}/a/{n}</loc><lastmod>2026-11-26T11:00:00Z</lastmod></url>" for n in range(40))
    web.pages["/news.xml"] = (200, {"ETag": '"1"'}, f"<urlset>{listed}</urlset>".encode())
    web.pages |= {f"/a/{n}": (200, {}, page(f"Title {n}")) for n in range(40)}
    first = visit(SITEMAP, f"{root}/sitemap.xml")
    assert (len(first.rows), first.more) == (30, True)
    second = visit(SITEMAP, f"{root}/sitemap.xml", first.state, NOW + timedelta(hours=1))
    assert (len(second.rows), second.more) == (10, False)


def test_the_front_page_comes_once_a_week_with_what_tells_families(server: tuple[Server, str]) -> None:
    web, root = server
    web.pages["/feed"] = (200, {"ETag": '"1"'}, feed(root, range(1)))
    icon = b"\x89PNG"
    front = b'<html><head><link rel="icon" href="/i.png"></head><body class="theme-a"><p>words</p></body></html>'
    web.pages["/"] = (200, {"Server": "nginx", "Set-Cookie": "id=1"}, front)
    web.pages["/i.png"] = (200, {}, icon)
    web.pages["/ads.txt"] = (200, {}, b"google.com, pub-1, DIRECT")
    first = visit(FEED, f"{root}/feed")
    assert not first.pages  # spread over the first day
    (row,) = visit(FEED, f"{root}/feed", first.state, at=NOW + timedelta(days=1)).pages
    assert row["domain"] == "127.0.0.1"
    assert "theme-a" in row["html"]
    assert row["ads_txt"] == "google.com, pub-1, DIRECT"
    assert row["favicon_sha256"] == hashlib.sha256(icon).hexdigest()
    assert row["nameservers"] == ["ns1.127.0.0.1", "ns2.127.0.0.1"]
    headers = {name.lower() for name in json.loads(row["headers"])}
    assert "server" in headers
    assert "set-cookie" not in headers
    asked = visit(FEED, f"{root}/feed", first.state, at=NOW + timedelta(days=1)).state
    assert not visit(FEED, f"{root}/feed", asked, at=NOW + timedelta(days=3)).pages
    assert visit(FEED, f"{root}/feed", asked, at=NOW + timedelta(days=8, hours=1)).pages

"""Sitemaps: the pages that are new since the last visit, read as articles; their dates are kept as sightings.

References: sitemaps.org/protocol.html; developers.google.com/search/docs/crawling-indexing/sitemaps/news-sitemap.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

from bastau.collect.addresses import social_platform, web_post_id, website_of
from bastau.collect.articles import own_address, read_article, read_date
from bastau.collect.collectors.answers import Calls, as_time, posts_a_day
from bastau.collect.collectors.cards import load_card
from bastau.collect.collectors.feed import article_sightings, sighting
from bastau.collect.collectors.pages import page_rows
from bastau.collect.visits import Answer, Change, FetchFailed, Found, Request, Row, Trouble, Visit, Watched, Web
from bastau.collect.web.encodings import Garbled, TooLarge, unpack
from bastau.errors import SourceChanged

MAX_SITEMAPS = 20
MAX_ARTICLES = 30
MAX_BYTES = 50 << 20
MAX_URLS = 50_000
MAX_SEEN = 20_000
"""Pages remembered beyond those that are listed now, of which none is forgotten."""
MAX_FIRST = 100
"""Pages of a first visit: where nothing has a date, all would be new."""
MAX_TRIES = 5
"""Visits in which a page that always fails is asked for."""
RECENT = timedelta(days=3)
"""Only pages younger than this are read for the first time; the rest of a website is its past."""
PASSING = frozenset({Trouble.DNS, Trouble.CONNECT, Trouble.TLS, Trouble.TIMEOUT, Trouble.LIMITED, Trouble.SERVER,
                     Trouble.RESTING})  # fmt: skip
"""Troubles that say nothing of the page: it is asked for again."""
_ENTRY = re.compile(r"<(?:\w+:)?(url|sitemap)(?:\s[^<>]*)?>(.*?)</(?:\w+:)?\1\s*>", re.DOTALL)
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Listed:
    """One line of a sitemap; ``published_at`` and ``title`` are those of a news sitemap."""

    url: str
    is_sitemap: bool
    lastmod: datetime | None
    published_at: datetime | None
    title: str | None


class SitemapCollector:
    """Collector of sitemaps."""

    name = "sitemap"
    card = load_card("sitemap")

    def recognises(self, address: str) -> str | None:
        """Return the address if it is written like a sitemap's."""
        address = address.strip()
        is_one = re.match(r"https?://[^/\s]+/\S*sitemap\S*$", address, re.IGNORECASE)
        return address if is_one and re.search(r"\.(?:xml|txt|php)(?:\.gz)?(?:\?|$)|sitemap/?$", address) else None

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        """Return the sitemaps of a site: the address itself, those of robots.txt, or the usual one."""
        calls = Calls(web)
        url = address if "://" in address else f"https://{address}"
        try:
            root = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        except ValueError:  # brackets that are no IPv6 address
            return []
        asked = {url: "the address is a sitemap"} if self.recognises(url) else {}
        if not asked:
            try:
                robots = await calls.fetch(Request(f"{root}/robots.txt", max_bytes=512 << 10))
                text = robots.body.decode("utf-8", "replace")
                for named in re.findall(r"(?im)^\s*sitemap\s*:\s*(\S+)", text)[:MAX_SITEMAPS]:
                    asked[urljoin(f"{root}/", named)] = "robots.txt names it"
            except FetchFailed:
                pass
            asked.setdefault(f"{root}/sitemap.xml", "found at the usual path /sitemap.xml")
        found = []
        for place, why in list(asked.items())[:5]:
            try:
                listed = await _read(calls, place, now - RECENT, {})
            except (FetchFailed, SourceChanged):
                continue
            rows = [_row(item, None, item.url, now) for item in listed if item.published_at or item.lastmod]
            rows.sort(key=lambda row: str(row["published_at"]), reverse=True)
            warnings = (
                [] if any(item.published_at for item in listed) else ["no news sitemap: dates come from the pages"]
            )
            found.append(
                Found("sitemap", place, website_of(place), None, why, posts_a_day(rows[:200]), rows[:5], {}, warnings,
                      source_kind="website")
            )  # fmt: skip
        return sorted(found, key=lambda f: len(f.warnings))

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        """Return articles at addresses that are new or have a later ``lastmod`` than before."""
        calls, state = Calls(web), dict(watched.state)
        files: dict[str, Any] = dict(state.get("files") or {})
        is_first = "seen" not in state
        state.setdefault("first_at", state.get("visited_at") or now.isoformat())
        since = as_time(state.get("visited_at")) or now - RECENT
        # Until a visit leaves nothing waiting, what is the past is told from the first one.
        past_at = (as_time(state.get("visited_at") or state["first_at"]) or now) - RECENT
        listed = await _read(calls, watched.address, since - timedelta(days=1), files)
        seen: dict[str, str] = dict(state.get("seen") or {})
        todo: list[tuple[Listed, str]] = []
        tried: dict[str, int] = dict(state.get("tried") or {})
        past: dict[str, str] = {}
        for item in listed:
            key, stamp = _key(item.url), (item.lastmod or item.published_at or datetime.min).isoformat()
            before = seen.pop(key, None)
            if before is not None:
                seen[key] = before  # what is listed stands last, so that it is the last to be forgotten
            if before == stamp:
                continue
            when = item.published_at or item.lastmod
            if before is None and when is not None and when < past_at:
                past[key] = stamp
            else:
                todo.append((item, stamp))
        todo.sort(key=lambda pair: pair[1], reverse=True)
        todo.sort(key=lambda pair: tried.get(_key(pair[0].url), 0))
        seen = past | seen  # the past is forgotten first: its dates tell it again
        if is_first and past:
            calls.note(f"{len(past)} pages older than {RECENT.days} days are the website's past and not read")
        if is_first and len(todo) > MAX_FIRST:
            calls.note(f"{len(todo) - MAX_FIRST} pages beyond the newest {MAX_FIRST} of a first visit are not read")
            for item, stamp in todo[MAX_FIRST:]:
                seen[_key(item.url)] = stamp
            todo = todo[:MAX_FIRST]
        rows: list[Row] = []
        changes: list[Change] = []
        sightings: list[Row] = []
        n_done = 0
        for item, stamp in todo[:MAX_ARTICLES]:
            was_there = _key(item.url) in seen
            try:
                row = await read_page(calls, item.url, now, sightings, changes if was_there else [], item)
            except FetchFailed as error:
                calls.note(f"page not fetched: {error.kind.value}")
                if gives_up(tried, _key(item.url), error):
                    seen[_key(item.url)] = stamp
                break
            n_done += 1
            tried.pop(_key(item.url), None)
            seen[_key(item.url)] = stamp
            if row is not None and was_there:
                changes.append(Change(row["post_id"], "edited", row))
            elif row is not None:
                rows.append(row)
        pages, kept = await page_rows(calls, watched.address, state, now)
        waits = len(todo) > n_done
        state |= kept | {
            # What waits must be listed again, by sitemaps that did not change since too.
            "files": {} if waits else dict(list(files.items())[-200:]),
            "seen": dict(list(seen.items())[-max(MAX_SEEN, len(listed) - len(past)) :]),
            "tried": {key: n for item, _ in todo if (n := tried.get(key := _key(item.url)))},
            "visited_at": state.get("visited_at") if waits else now.isoformat(),
        }
        more = waits and n_done == MAX_ARTICLES  # after a trouble the next visit is soon enough
        return Visit(rows=rows, state=state, changes=changes, pages=pages, sightings=sightings, more=more,
                     is_unchanged=not listed, **calls.cost)  # fmt: skip


def read_sitemap(body: bytes, url: str) -> list[Listed]:
    """Return what a sitemap, an index or a plain list of addresses names; entities of a document type are never expanded.

    Raises:
        SourceChanged: it is none of these, or larger than :data:`MAX_BYTES` unpacked.
    """
    text = _DOCTYPE.sub("", _unpacked(body, url).decode("utf-8", "replace"), count=1)
    host = website_of(url)
    if "<" not in text[:1024]:
        lines = (line.strip() for line in text.splitlines()[:MAX_URLS])
        found = [Listed(line, False, None, None, None) for line in lines if line.startswith(("http://", "https://"))]
    else:
        if not re.search(r"<(?:\w+:)?(?:urlset|sitemapindex)\b", text[:8192]):
            raise SourceChanged(f"{url.split('?', 1)[0]}: the answer is no sitemap")
        found = []
        for match in _ENTRY.finditer(text):
            address = urljoin(url, _inside(match[2], "loc") or "")
            if address.startswith(("http://", "https://")) and len(found) < MAX_URLS:
                found.append(
                    Listed(address, match[1] == "sitemap", read_date(_inside(match[2], "lastmod")),
                           read_date(_inside(match[2], "publication_date")), _inside(match[2], "title"))
                )  # fmt: skip
    # A sitemap speaks for its own website only.
    return [item for item in found if _is_same_site(website_of(item.url), host)]


def _is_same_site(a: str, b: str) -> bool:
    return a == b or a.endswith(f".{b}") or b.endswith(f".{a}")


def _unpacked(body: bytes, url: str) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return unpack(body, "gzip", MAX_BYTES)
    except Garbled as error:
        raise SourceChanged(f"{url.split('?', 1)[0]}: the packed sitemap is damaged") from error
    except TooLarge as error:
        raise SourceChanged(
            f"{url.split('?', 1)[0]}: the sitemap is larger than {MAX_BYTES >> 20} MB unpacked"
        ) from error


def _inside(marked: str, name: str) -> str | None:
    import html

    found = re.search(rf"<(?:\w+:)?{name}(?:\s[^<>]*)?>\s*(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?\s*</", marked, re.DOTALL)
    return html.unescape(found[1]).strip() if found else None


async def _read(calls: Calls, address: str, since: datetime, files: dict[str, Any]) -> list[Listed]:
    """Return the pages that a sitemap and those under it name; those under it that did not change since are left out."""
    found: list[Listed] = []
    waiting, asked = [address], 0
    while waiting and asked < MAX_SITEMAPS:
        place, asked = waiting.pop(0), asked + 1
        tags = files.get(place) or {}
        try:
            answer = await calls.fetch(
                Request(place, etag=tags.get("etag"), last_modified=tags.get("last_modified"), max_bytes=MAX_BYTES)
            )
        except FetchFailed as error:
            if place == address:
                raise
            calls.note(f"sitemap not fetched: {error.kind.value}")
            continue
        files[place] = {"etag": answer.header("etag"), "last_modified": answer.header("last-modified")}
        if answer.is_unchanged:
            continue
        listed = read_sitemap(answer.body, answer.url)
        found += [item for item in listed if not item.is_sitemap]
        under = [item for item in listed if item.is_sitemap and (item.lastmod is None or item.lastmod >= since)]
        under.sort(key=lambda item: (item.lastmod is not None, item.lastmod or since), reverse=True)
        waiting += [item.url for item in under if item.url not in waiting]
    if waiting:
        calls.note(f"{len(waiting)} sitemaps left for later")
    return found


def _key(url: str) -> str:
    return hashlib.blake2b(web_post_id(url).encode(), digest_size=8).hexdigest()


def _row(item: Listed | None, article: Any, url: str, now: datetime) -> Row:
    said = (item.published_at or item.lastmod) if item else None
    published = (article.published_at if article else None) or said
    return {
        "post_id": web_post_id(url),
        "platform": "web",
        "source": website_of(url),
        "source_kind": "website",
        "source_name": article.facts.meta("og:site_name") if article else None,
        "published_at": (published if published and published <= now + timedelta(minutes=10) else now).isoformat(),
        "collected_at": now.isoformat(),
        "url": url,
        "title": (article.title if article else None) or (item.title if item else None),
        "text": article.text if article else None,
        "language": article.language if article else None,
        "links": list(article.links) if article else [],
        "media": [{"url": article.image}] if article and article.image else [],
    }


def gives_up(tried: dict[str, int], key: str, error: FetchFailed) -> bool:
    """Count a page's trouble in ``tried``, and say whether it had so many that it is not asked for again.

    Only troubles that may be the page's own count; those that were tried stand behind all others, so none keeps them back.
    """
    if error.kind not in (Trouble.SERVER, Trouble.TIMEOUT):
        return False
    tried[key] = tried.get(key, 0) + 1
    return tried[key] >= MAX_TRIES and bool(tried.pop(key))


async def read_page(
    calls: Calls, url: str, now: datetime, sightings: list[Row], changes: list[Change], item: Listed | None = None
) -> Row | None:
    """Return the article at ``url`` as a post; None where there is none, or robots.txt keeps us out.

    A page that is gone is told as a deletion in ``changes``.

    Raises:
        FetchFailed: a trouble that passes (:data:`PASSING`), so that nothing is known of the page.
    """
    if social_platform(url):
        return None
    try:
        answer: Answer = await calls.fetch(Request(url, heed_robots=True, max_bytes=4 << 20))
    except FetchFailed as error:
        if error.kind in PASSING:
            raise
        if error.kind is Trouble.GONE:
            changes.append(Change(web_post_id(url), "deleted"))
        else:
            calls.note(f"page not fetched: {error.kind.value}")
        return None
    article = read_article(answer.body, answer.url, headers={"content-type": answer.header("content-type") or ""})
    if not article.is_article and not (item and item.published_at):
        return None
    row = _row(item, article, own_address(article, answer.url), now)
    sightings += article_sightings(article, row["post_id"], row["url"], answer, now)
    for kind, moment in (("sitemap_lastmod", item and item.lastmod), ("news_date", item and item.published_at)):
        if moment:
            sightings.append(sighting(row["post_id"], row["url"], website_of(url), kind, now, said_at=moment))
    return row if row["text"] or row["title"] else None


SITEMAP = SitemapCollector()

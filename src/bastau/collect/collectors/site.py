"""Websites without feed or sitemap: the front page, its sections, and the articles that they link to.

robots.txt holds for every page. New addresses on the front page and in up to :data:`MAX_SECTIONS` sections are read; those
that turn out to be no articles are remembered too, so that they are not asked for again. Articles of the last
:data:`REVISIT` are looked at again, a few a visit, for edits and deletions.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

from bastau.collect.addresses import web_post_id, website_of
from bastau.collect.articles import date_in_path, read_article
from bastau.collect.articles.reading import decode_page
from bastau.collect.collectors.answers import Calls, as_time
from bastau.collect.collectors.cards import load_card
from bastau.collect.collectors.pages import page_rows
from bastau.collect.collectors.sitemap import gives_up, read_page
from bastau.collect.visits import Change, FetchFailed, Found, Request, Row, Visit, Watched, Web

MAX_SECTIONS = 8
MAX_ARTICLES = 40
MAX_REVISITS = 10
REVISIT = timedelta(days=2)
MAX_SEEN = 20_000
_HREF = re.compile(r"""<a\s[^<>]*?href\s*=\s*["']([^"'<>#][^"'<>]{0,2000})""", re.IGNORECASE)
_FILE = re.compile(r"\.(?:jpe?g|png|gif|svg|webp|css|js|pdf|docx?|xlsx?|zip|mp[34]|ico|xml|rss)$", re.IGNORECASE)
_OTHER = re.compile(
    r"/(?:tags?|author|authors|search|login|register|cart|wp-admin|feed|page/\d+)(?:/|$)", re.IGNORECASE
)


class SiteCollector:
    """Collector of websites by their pages."""

    name = "site"
    card = load_card("site")

    def recognises(self, _address: str) -> str | None:
        """Return None: a website is not told by its address alone."""
        return None

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        """Return the website at ``address`` where its front page links to what look like articles."""
        calls = Calls(web)
        url = address if "://" in address else f"https://{address}"
        answer = await calls.fetch(Request(url, heed_robots=True, max_bytes=4 << 20))
        html = decode_page(answer.body, answer.header("content-type"))
        articles, _ = links_of(html, answer.url)
        if not articles:
            return []
        rows: list[Row] = []
        for link in articles[:5]:
            try:
                row = await read_page(calls, link, now, [], [])
            except FetchFailed:
                break
            rows += [row] if row else []
        page = read_article(html, answer.url)
        warnings = ["no feed: pages are read one by one, which costs more and finds less"]
        if not rows:
            warnings.append("none of the first pages reads like an article")
        return [
            Found("site", answer.url, website_of(answer.url), page.facts.meta("og:site_name") or page.title,
                  f"the page links to {len(articles)} pages that look like articles", None, rows, {}, warnings,
                  source_kind="website")
        ]  # fmt: skip

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        """Return new articles, and edits and deletions of recent ones."""
        calls, state = Calls(web), dict(watched.state)
        seen: dict[str, int] = dict(state.get("seen") or {})
        recent: dict[str, Any] = dict(state.get("recent") or {})
        found = await _new_links(calls, watched, state)
        tried: dict[str, int] = dict(state.get("tried") or {})
        todo = sorted((link for link in found if _key(link) not in seen), key=lambda link: tried.get(_key(link), 0))
        rows: list[Row] = []
        sightings: list[Row] = []
        changes: list[Change] = []
        n_done = 0
        for link in todo[:MAX_ARTICLES]:
            try:
                row = await read_page(calls, link, now, sightings, [])
            except FetchFailed as error:
                calls.note(f"page not fetched: {error.kind.value}")
                if gives_up(tried, _key(link), error):
                    seen[_key(link)] = 0
                break
            n_done += 1
            seen[_key(link)] = int(row is not None)
            if row is not None and row["post_id"] not in {r["post_id"] for r in rows} and row["post_id"] not in recent:
                rows.append(row)
                recent[row["post_id"]] = {"url": row["url"], "at": now.isoformat(), "text": _digest(row)}
        if n_done == min(len(todo), MAX_ARTICLES):  # else the website is in trouble
            await _look_again(calls, recent, {r["post_id"] for r in rows}, now, changes, sightings)
        pages, kept = await page_rows(calls, watched.address, state, now)
        state |= kept | {
            "seen": dict(list(seen.items())[-MAX_SEEN:]),
            "tried": {key: n for key in map(_key, todo) if key not in seen and (n := tried.get(key))},
            "recent": recent,
            "visited_at": now.isoformat(),
        }
        return Visit(rows=rows, state=state, changes=changes, pages=pages, sightings=sightings,
                     more=len(todo) > n_done == MAX_ARTICLES, **calls.cost)  # fmt: skip


def links_of(html: str, url: str) -> tuple[list[str], list[str]]:
    """Return (addresses that look like articles, those that look like sections) of the same website, in order.

    Articles have a day, a long number or a name of several words in their path; sections a short one.
    """
    host = website_of(url)
    articles: dict[str, None] = {}
    sections: dict[str, None] = {}
    for href in _HREF.findall(html)[:3000]:
        try:
            link = urljoin(url, href.strip().replace("&amp;", "&")).split("#", 1)[0]
            parts = urlsplit(link)
        except ValueError:
            continue
        is_web = parts.scheme in ("http", "https") and website_of(link) == host
        if not is_web or _FILE.search(parts.path) or _OTHER.search(parts.path) or len(parts.path) < 2:
            continue
        last = parts.path.rstrip("/").rsplit("/", 1)[-1]
        is_article = (
            date_in_path(link) is not None
            or re.search(r"\d{4,}", parts.path) is not None
            or len(re.findall(r"[\w%]+", last.replace("_", "-"))) >= 4
        )
        if is_article:
            articles[link] = None
        elif not parts.query and parts.path.count("/") <= 2:
            sections[link] = None
    return list(articles), list(sections)


async def _new_links(calls: Calls, watched: Watched, state: dict[str, Any]) -> list[str]:
    answer = await calls.fetch(Request(watched.address, heed_robots=True, max_bytes=4 << 20))
    articles, sections = links_of(decode_page(answer.body, answer.header("content-type")), answer.url)
    # Sections take turns, so that all of a large website are seen in a few visits.
    turn = int(state.get("turn") or 0)
    chosen = [sections[(turn + i) % len(sections)] for i in range(min(MAX_SECTIONS, len(sections)))]
    state["turn"] = (turn + MAX_SECTIONS) % max(1, len(sections))
    found = dict.fromkeys(articles)
    for section in chosen:
        try:
            page = await calls.fetch(Request(section, heed_robots=True, max_bytes=4 << 20))
        except FetchFailed as error:
            calls.note(f"section not fetched: {error.kind.value}")
            continue
        found |= dict.fromkeys(links_of(decode_page(page.body, page.header("content-type")), page.url)[0])
    return list(found)


async def _look_again(
    calls: Calls, recent: dict[str, Any], new: set[str], now: datetime, changes: list[Change], sightings: list[Row]
) -> None:
    """Look at the recent articles that were not looked at for longest; those older than :data:`REVISIT` are let go."""
    for post_id in [p for p, kept in recent.items() if now - (as_time(kept["at"]) or now) > REVISIT]:
        del recent[post_id]
    old = sorted((p for p in recent if p not in new), key=lambda p: recent[p].get("looked") or recent[p]["at"])
    for post_id in old[:MAX_REVISITS]:
        kept = recent[post_id]
        kept["looked"] = now.isoformat()
        gone: list[Change] = []
        try:
            row = await read_page(calls, kept["url"], now, sightings, gone)
        except FetchFailed as error:
            calls.note(f"page not fetched: {error.kind.value}")
            break
        if gone and not kept.get("gone"):
            kept["gone"] = True
            changes.append(Change(post_id, "deleted"))
        if row is None or row["post_id"] != post_id:
            continue
        if kept.pop("gone", False):
            changes.append(Change(post_id, "back", row))
        elif _digest(row) != kept["text"]:
            changes.append(Change(post_id, "edited", row))
        kept["text"] = _digest(row)


def _digest(row: Row) -> str:
    return hashlib.blake2b(f"{row['title']}\x1f{row['text']}".encode(), digest_size=8).hexdigest()


def _key(url: str) -> str:
    return hashlib.blake2b(web_post_id(url).encode(), digest_size=8).hexdigest()


SITE = SiteCollector()

"""Feeds of websites: what is new since the last visit, what was changed, and where posts may have been missed.

Options of a source: ``full_text`` fetches the article where a feed carries a summary only (:data:`MAX_ARTICLES` a visit,
robots.txt heeded); ``archive_pages`` follows the archive of a feed (RFC 5005, WordPress ``?paged=``) so many pages on a
first visit and after a gap. A WebSub hub is remembered in the state; with ``[watch] callback`` it is subscribed to
(:mod:`bastau.collect.watching.websub`).
"""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from bastau.collect.addresses import social_platform, web_post_id, website_of
from bastau.collect.articles import read_article
from bastau.collect.articles.feeds import Entry, Feed, as_row, read_feed
from bastau.collect.collectors.answers import Calls, as_time, posts_a_day
from bastau.collect.collectors.cards import load_card
from bastau.collect.collectors.pages import page_rows
from bastau.collect.handles import names_somebody
from bastau.collect.visits import (
    Answer,
    Change,
    FetchFailed,
    FetchRefused,
    Found,
    Gap,
    Request,
    Row,
    Trouble,
    Visit,
    Watched,
    Web,
)
from bastau.errors import SourceChanged

MAX_ARTICLES = 10
MAX_SEEN = 4000
"""Entries remembered; feeds longer than half of it would forget what they still list."""
MAX_ARCHIVE_PAGES = 200
COMMON_PATHS = (
    "/feed/",
    "/rss",
    "/rss.xml",
    "/feed.xml",
    "/atom.xml",
    "/index.xml",
    "/feed.json",
    "/ru/rss",
    "/kk/rss",
)
_FEED_LIKE = re.compile(r"(?:^|[/.\-_?=])(?:rss|feed|atom|rdf|xml)s?\d?(?:$|[/.\-_?=&])", re.IGNORECASE)
_OF_COMMENTS = re.compile(
    r"/comments/(?:feed|default|atom|rss)|/feeds/(?:\d+/)?comments/|[?&]feed=comments|/comments?\.(?:rss|xml|atom)",
    re.IGNORECASE,
)
_SAYS_COMMENTS = re.compile(r"\s*(?:comments? (?:on|for)\b|комментарии\b|пікірлер\b)", re.IGNORECASE)
"""How WordPress names the feeds of comments of a site and of an article, in the languages of our users."""
_LINK = re.compile(r"""<([^<>\s]+)>[^<>,]*?;\s*rel\s*=\s*"?([^",;<>]+)""", re.IGNORECASE)
_MAX_LINK = 2048
AT_ONCE_BYTES = 1 << 18
"""Feeds up to this size are read on the loop, where that takes a tenth of a second at most."""
_ACCEPT = {
    "Accept": "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"
}


class FeedCollector:
    """Collector of feeds."""

    name = "feed"
    card = load_card("feed")

    def recognises(self, address: str) -> str | None:
        """Return the address if it is written like a feed's."""
        address = re.sub(r"^feed:(?://)?(?=\w)", "https://", address.strip())
        if not re.match(r"https?://[^/\s]+/\S", address, re.IGNORECASE):
            return None
        parts = urlsplit(address)
        return address if _FEED_LIKE.search(f"{parts.path}?{parts.query}") else None

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        """Return the feed at ``address``, else those that the page there names, else one at a common path."""
        calls = Calls(web)
        url = address if "://" in address else f"https://{address}"
        answer = await calls.fetch(Request(url, headers=_ACCEPT))
        try:
            return [await _found(answer, answer.url, now, "the address is a feed")]
        except SourceChanged:
            pass
        named = read_article(answer.body, answer.url).feeds
        found = [f for feed, _ in named[:10] if (f := await _try(calls, feed, now, "the page names it as its feed"))]
        for path in COMMON_PATHS if not found else ():
            if hit := await _try(calls, urljoin(answer.url, path), now, f"found at the usual path {path}"):
                return [hit]
        return found

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        """Return what is new or changed since the state; see :class:`bastau.collect.visits.Collector`."""
        calls, state = Calls(web), dict(watched.state)
        answer = await calls.fetch(
            Request(watched.address, etag=state.get("etag"), last_modified=state.get("last_modified"), headers=_ACCEPT)
        )
        moved = answer.url if answer.is_moved else None
        pages, kept = await page_rows(calls, watched.address, state, now)
        digest = hashlib.blake2b(answer.body, digest_size=16).hexdigest()
        if answer.is_unchanged or digest == state.get("digest"):
            state |= kept | {"visited_at": now.isoformat()}
            wait = _max_age(answer)
            return Visit(state=state, is_unchanged=True, moved_to=moved, next_in_s=wait, pages=pages, **calls.cost)
        feed = await read_articles(answer)
        gaps, entries = await self._entries(feed, watched, state, calls, now)
        seen: dict[str, str] = dict(state.get("seen") or {})
        keyed = [(_key(entry), entry) for entry in entries]
        new = [pair for pair in keyed if pair[0] not in seen]
        changed = [(key, entry) for key, entry in keyed if seen.get(key, entry.text_key) != entry.text_key]
        full = bool(watched.options.get("full_text"))
        most = MAX_ARTICLES if full else len(keyed)
        waiting = {key for key, _ in (*new[most:], *changed[most:])}
        sightings: list[Row] = []
        rows = [await _row(entry, feed, watched.address, now, calls, sightings, full=full) for _, entry in new[:most]]
        edits = [
            await _row(entry, feed, watched.address, now, calls, sightings, full=full) for _, entry in changed[:most]
        ]
        for key, entry in keyed:
            before = seen.pop(key, None)  # what is listed stands last, so that it is the last to be forgotten
            if key not in waiting:
                seen[key] = entry.text_key
            elif before is not None:
                seen[key] = before
        dates = [as_time(row["published_at"]) for row in rows]
        state |= kept | {
            "etag": None if waiting else answer.header("etag"),
            "last_modified": None if waiting else answer.header("last-modified"),
            "digest": None if waiting else digest,
            "seen": dict(list(seen.items())[-MAX_SEEN:]),
            "newest": max([*(d.isoformat() for d in dates if d), state.get("newest") or ""], default=None),
            "visited_at": now.isoformat(),
            **_hub(answer, feed),
        }
        return Visit(
            rows=rows,
            state=state,
            gaps=gaps,
            changes=[Change(row["post_id"], "edited", row) for row in edits],
            pages=pages,
            sightings=sightings,
            moved_to=moved,
            next_in_s=max((s for s in (feed.next_in_s, _max_age(answer)) if s is not None), default=None),
            more=bool(waiting),
            **calls.cost,
        )

    async def _entries(
        self, feed: Feed, watched: Watched, state: Mapping[str, Any], calls: Calls, now: datetime
    ) -> tuple[list[Gap], list[Entry]]:
        """Return (gap, entries): those of the feed, and of its archive on a first visit and after a gap."""
        seen = state.get("seen") or {}
        overran = _overran(feed.entries, seen, as_time(state.get("newest")))
        entries = list(feed.entries)
        n_pages = min(int(watched.options.get("archive_pages") or 0), MAX_ARCHIVE_PAGES)
        is_closed = False
        page, older = 1, feed.older
        while n_pages and (overran or not seen) and not is_closed:
            page, n_pages = page + 1, n_pages - 1
            try:
                answer = await calls.fetch(Request(older or _paged(watched.address, page), headers=_ACCEPT))
                archive = await _read(answer)
            except (FetchFailed, SourceChanged):
                break
            known = {_key(entry) for entry in entries}
            fresh = [entry for entry in archive.entries if _key(entry) not in known]
            is_closed = any(_key(entry) in seen for entry in archive.entries)
            entries += fresh
            older = archive.older
            if not fresh:
                break
        if not overran or is_closed:
            return [], entries
        since = as_time(state.get("newest")) or as_time(state.get("visited_at")) or now
        dates = [entry.published_at for entry in entries if entry.published_at and _key(entry) not in seen]
        until = min(dates, default=now)
        return ([Gap(since, until, "feed_overran")] if until > since else []), entries


def _overran(entries: Sequence[Entry], seen: Mapping[str, str], newest: datetime | None) -> bool:
    """Say whether entries may have come and gone since the last visit: nothing that was seen is listed any more.

    An entry or two that a website pins say nothing, if what was newest at the last visit is gone.
    """
    listed = [entry for entry in entries if _key(entry) in seen]
    if not seen or not entries or len(listed) > max(1, len(entries) // 10):
        return False
    dates = [entry.published_at for entry in listed]
    return not listed or (newest is not None and all(date is not None and date < newest for date in dates))


def _key(entry: Entry) -> str:
    """Return what an entry is remembered by: the same when its guid changes only in scheme."""
    guid = re.sub(r"^https?://(?:www\.)?", "", entry.guid).rstrip("/")
    return hashlib.blake2b(guid.encode(), digest_size=8).hexdigest()


async def _row(
    entry: Entry, feed: Feed, address: str, now: datetime, calls: Calls, sightings: list[Row], *, full: bool
) -> Row:
    row = as_row(entry, feed, address, now)
    source = website_of(address)
    for kind, moment in (("feed_date", entry.published_at), ("feed_updated", entry.updated_at)):
        if moment is not None and row["url"]:
            sightings.append(sighting(row["post_id"], row["url"], source, kind, now, said_at=moment))
    if not (full and row["url"]) or entry.is_whole:
        return row
    try:
        answer = await calls.fetch(Request(row["url"], heed_robots=True, max_bytes=4 << 20))
    except FetchFailed as error:
        calls.note(f"article not fetched: {error.kind.value}")
        return row
    article = read_article(
        answer.body, answer.url, careful=True, headers={"content-type": answer.header("content-type") or ""}
    )
    sightings += article_sightings(article, row["post_id"], row["url"], answer, now)
    if len(article.text) > len(row["text"] or ""):
        row["text"] = article.text
        row["links"] = list(dict.fromkeys([*row["links"], *article.links]))
    if entry.published_at is None and entry.updated_at is None and article.published_at and article.published_at <= now:
        row["published_at"] = article.published_at.isoformat()
    return row | {"title": row["title"] or article.title, "language": article.language or row["language"]}


def sighting(
    post_id: str,
    url: str,
    source: str,
    kind: str,
    now: datetime,
    *,
    said_at: datetime | None = None,
    value: str | None = None,
) -> Row:
    """Return a row of SIGHTINGS."""
    said = said_at.astimezone(UTC).isoformat() if said_at else None
    return {
        "post_id": post_id, "url": url, "source": source, "kind": kind, "said_at": said, "value": value,
        "seen_at": now.isoformat(),
    }  # fmt: skip


def article_sightings(article: Any, post_id: str, url: str, answer: Answer, now: datetime) -> list[Row]:
    """Return what an article's page says of its beginning, and the redirects on the way to it."""
    source = website_of(answer.url)
    rows = [
        sighting(post_id, url, source, kind, now, said_at=moment)
        for kind, moment in (("page_date", article.published_at), ("page_modified", article.modified_at))
        if moment is not None
    ]
    if article.canonical and web_post_id(article.canonical) != post_id:
        rows.append(sighting(post_id, url, source, "canonical", now, value=article.canonical))
    rows += [
        sighting(post_id, hop.url, website_of(hop.url), "redirect", now, value=urljoin(hop.url, hop.location))
        for hop in answer.hops
    ]
    return rows


def _hub(answer: Answer, feed: Feed) -> dict[str, str | None]:
    """Return hub and topic: of the ``Link`` headers if they name any, else of the feed (WebSub, section 4)."""
    said = {"hub": feed.hub, "topic": feed.topic}
    named: dict[str, str] = {}
    for name, value in answer.headers:
        for url, rels in _LINK.findall(value[:_MAX_LINK]) if name.lower() == "link" else ():
            with contextlib.suppress(ValueError):  # no address
                named |= {rel: urljoin(answer.url, url) for rel in rels.lower().split() if rel not in named}
    said |= {key: named[rel] for key, rel in (("hub", "hub"), ("topic", "self")) if rel in named}
    return {key: one if one and one.isprintable() and len(one) <= _MAX_LINK else None for key, one in said.items()}


def _max_age(answer: Answer) -> float | None:
    found = re.search(r"(?:^|[,\s])max-age=(\d{1,9})", answer.header("cache-control") or "")
    return min(float(found[1]), 86400.0) if found and int(found[1]) > 0 else None


def _paged(address: str, page: int) -> str:
    parts = urlsplit(address)
    query = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k != "paged"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("paged", str(page))])))


async def _try(calls: Calls, url: str, now: datetime, why: str) -> Found | None:
    try:
        return await _found(await calls.fetch(Request(url, headers=_ACCEPT)), url, now, why)
    except (FetchFailed, SourceChanged):
        return None


async def _read(answer: Answer) -> Feed:
    """Return the feed in an answer; a large one is read beside the loop, which serves thousands of others meanwhile."""
    content_type = answer.header("content-type")
    if len(answer.body) <= AT_ONCE_BYTES:
        return read_feed(answer.body, answer.url, content_type)
    return await asyncio.to_thread(read_feed, answer.body, answer.url, content_type)


async def read_articles(answer: Answer) -> Feed:
    """Return the feed that an answer brought; not one of comments or of an account: those may be private persons' (SCOPE, rule 2).

    Raises:
        SourceChanged: it is no feed.
        FetchRefused: it is one of comments or of somebody's account.
    """
    url = answer.url
    feed = await _read(answer)
    if names_somebody(url) or social_platform(url):
        reason = f"{website_of(url)}: a feed of an account; watch the account itself, if it is a publisher's"
        raise FetchRefused(Trouble.FORBIDDEN, reason)
    if _OF_COMMENTS.search(url) or _SAYS_COMMENTS.match(feed.title or ""):
        raise FetchRefused(Trouble.FORBIDDEN, f"{website_of(url)}: a feed of comments, which are private persons'")
    return feed


async def _found(answer: Answer, address: str, now: datetime, why: str) -> Found:
    feed = await read_articles(answer)
    rows = [as_row(entry, feed, address, now) for entry in feed.entries]
    newest = max((e.published_at for e in feed.entries if e.published_at), default=None)
    warnings = []
    if not rows:
        warnings.append("the feed has no entries")
    elif newest is None:
        warnings.append("no entry has a date: posts are dated by when they are first seen")
    elif (now - newest).days > 60:
        warnings.append(f"looks dead: the newest entry is of {newest.date().isoformat()}")
    source = rows[0]["source"] if rows else website_of(feed.site or address)
    return Found(
        "feed", answer.url if answer.is_moved else address, source, feed.title, why, posts_a_day(rows), rows[:5],
        warnings=warnings, source_kind="website",
    )  # fmt: skip


FEED = FeedCollector()

"""Feeds: RSS, Atom, RDF and JSON Feed read into posts. Bytes come in, nothing is fetched.

fastfeedparser reads the entries; what it leaves out of the head (language, ttl, update period, hub, archive links)
is read here. Document types are cut off before, so that no entity is ever expanded or fetched.

References: RSS 2.0.11; RFC 4287 (Atom); RFC 5005 (archives); jsonfeed.org/version/1.1; W3C WebSub, section 4;
web.resource.org/rss/1.0/modules/syndication.
"""

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

import orjson

from bastau.collect.addresses import social_platform, web_post_id, website_of
from bastau.collect.articles.dates import read_date
from bastau.collect.articles.facts import attributes
from bastau.collect.handles import without_names
from bastau.collect.visits import Row
from bastau.errors import ConfigError, SourceChanged

MAX_ENTRIES = 2000
"""Entries of one document that are read, from its top."""
AHEAD = timedelta(minutes=10)
"""A post dated further ahead than this was dated wrongly, and gets the time at which it was seen."""
_PERIODS = {"hourly": 3600, "daily": 86400, "weekly": 604800, "monthly": 2592000, "yearly": 31536000}
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(rb"<!ENTITY[^>]*>", re.IGNORECASE)
_FIRST = re.compile(r"<(?:\w+:)?(?:item|entry)[\s>]")
_LINK = re.compile(r"<(?:\w+:)?link\s([^<>]{1,2000})>", re.IGNORECASE)
_HREF = re.compile(r"""<a\s[^<>]*?href\s*=\s*["']([^"'<>#][^"'<>]*)""", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One entry: ``guid`` as the feed writes it; ``text_key`` tells whether its words changed."""

    guid: str
    url: str | None
    title: str | None
    text: str
    published_at: datetime | None
    updated_at: datetime | None
    links: tuple[str, ...]
    media: tuple[str, ...]
    is_whole: bool

    @property
    def text_key(self) -> str:
        """Hash of title and text."""
        return hashlib.blake2b(f"{self.title}\x1f{self.text}".encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Feed:
    """A feed: ``next_in_s`` is what its ttl or update period asks for; ``older`` leads to the archive before it."""

    title: str | None
    site: str | None
    language: str | None
    next_in_s: float | None
    hub: str | None
    topic: str | None
    older: str | None
    entries: tuple[Entry, ...]


def read_feed(body: bytes, url: str) -> Feed:
    """Return the feed in ``body``, fetched from ``url``.

    Raises:
        SourceChanged: it is no feed (a web page, nothing, or damaged beyond reading).
        ConfigError: without the extra ``watch``.
    """
    try:
        import fastfeedparser
    except ImportError as error:
        raise ConfigError("feeds need fastfeedparser: pip install 'bastau[watch]'") from error
    place = url.split("?", 1)[0]
    if not body.strip():
        raise SourceChanged(f"{place}: the feed is empty")
    data = _DOCTYPE.sub(b"", body, count=1) if b"<!" in body[: 1 << 16] else body
    data = _ENTITY.sub(b"", data) if b"<!ENTITY" in data[: 1 << 20] else data
    found: Any
    try:
        found = fastfeedparser.parse(data)
    except Exception as error:
        # The library raises whatever its parsers do; a feed in a wrong encoding gets a second look.
        try:
            found = fastfeedparser.parse(_recoded(data))
        except Exception:
            raise SourceChanged(f"{place}: {_no_feed(body)}") from error
    entries = found.get("entries") or []
    if not entries and not _looks_like_feed(data):
        raise SourceChanged(f"{place}: {_no_feed(body)}")
    head = _head(data, url)
    title = _plain((found.get("feed") or {}).get("title"))
    site = (found.get("feed") or {}).get("link")
    read = tuple(entry for raw in entries[:MAX_ENTRIES] if (entry := _entry(raw, url)) is not None)
    return Feed(title, urljoin(url, site) if isinstance(site, str) and site else None, entries=read, **head)


def _recoded(data: bytes) -> bytes:
    from resiliparse.parse.encoding import detect_encoding

    text = data.decode(detect_encoding(data) or "utf-8", "replace")
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff"))
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", " ", text).encode()


def _looks_like_feed(data: bytes) -> bool:
    start = data[:4096].lower()
    if data.lstrip()[:1] == b"{":
        return b"jsonfeed.org" in start
    return any(mark in start for mark in (b"<rss", b"<feed", b"<rdf:rdf", b"<channel", b":feed", b":rdf"))


def _no_feed(body: bytes) -> str:
    start = body[:1024].lstrip().lower()
    is_page = start.startswith((b"<!doctype html", b"<html")) or b"<body" in start
    return "a web page stands where the feed was" if is_page else "the answer is no feed"


def _head(data: bytes, url: str) -> dict[str, Any]:
    """Return what stands before the first entry (JSON: at the top)."""
    if data.lstrip()[:1] == b"{":
        try:
            top = orjson.loads(data)
        except orjson.JSONDecodeError:
            top = {}
        hubs = [hub.get("url") for hub in top.get("hubs") or () if isinstance(hub, Mapping)]
        older = top.get("next_url")
        return {
            "language": top.get("language") if isinstance(top.get("language"), str) else None,
            "next_in_s": None,
            "hub": next((hub for hub in hubs if isinstance(hub, str)), None),
            "topic": top.get("feed_url") if isinstance(top.get("feed_url"), str) else None,
            "older": urljoin(url, older) if isinstance(older, str) else None,
        }
    text = data[: 1 << 18].decode("utf-8", "replace")
    first = _FIRST.search(text)
    text = text[: first.start()] if first else text
    rels: dict[str, str] = {}
    for tag in _LINK.findall(text):
        given = attributes(tag)
        for rel in given.get("rel", "").lower().split():
            rels.setdefault(rel, urljoin(url, given.get("href", "")))
    lang = re.search(r"<(?:\w+:)?language>\s*([\w-]{2,20})\s*<", text) or re.search(
        r"xml:lang=[\"']([\w-]{2,20})[\"']", text
    )
    return {
        "language": lang[1] if lang else None,
        "next_in_s": _rhythm(text),
        "hub": rels.get("hub"),
        "topic": rels.get("self"),
        "older": rels.get("prev-archive") or rels.get("next"),
    }


def _rhythm(text: str) -> float | None:
    ttl = re.search(r"<ttl>\s*(\d{1,6})\s*</ttl>", text)
    if ttl:
        return float(ttl[1]) * 60
    period = re.search(r"<\w+:updatePeriod>\s*(\w+)\s*<", text)
    if period and period[1].lower() in _PERIODS:
        frequency = re.search(r"<\w+:updateFrequency>\s*(\d{1,4})\s*<", text)
        return _PERIODS[period[1].lower()] / max(1, int(frequency[1]) if frequency else 1)
    return None


def _entry(raw: Mapping[str, Any], base: str) -> Entry | None:
    link, guid = raw.get("link"), raw.get("id")
    url = _http(link, base) or (_http(guid, base) if isinstance(guid, str) and "://" in guid else None)
    contents = [c.get("value") for c in raw.get("content") or () if isinstance(c, Mapping)]
    whole = max((c for c in contents if isinstance(c, str)), key=len, default="")
    summary = raw.get("description") or raw.get("summary") or ""
    marked = whole if len(whole) >= len(summary) else summary
    title, text = _plain(raw.get("title")), read_markup(marked)
    media = [
        m.get("url") for name in ("enclosures", "media_content") for m in raw.get(name) or () if isinstance(m, Mapping)
    ]
    if not (title or text or media):
        return None
    identity = (
        guid if isinstance(guid, str) and guid else url or hashlib.blake2b(f"{title}{text}".encode()).hexdigest()[:32]
    )
    hrefs = (_http(html.unescape(href), base) for href in _HREF.findall(marked))
    return Entry(
        guid=identity,
        url=url,
        title=title or None,
        text=text,
        published_at=read_date(raw.get("published")),
        updated_at=read_date(raw.get("updated")),
        links=tuple(dict.fromkeys(href for href in hrefs if href and href != url))[:200],
        media=tuple(dict.fromkeys(address for m in media if (address := _http(m, base))))[:50],
        is_whole=len(whole) > len(summary) + 200 or len(text) > 1500,
    )


def _http(address: Any, base: str) -> str | None:
    try:
        joined = urljoin(base, address.strip()) if isinstance(address, str) and address.strip() else ""
    except ValueError:
        return None
    return joined if joined.startswith(("http://", "https://")) and website_of(joined) else None


def _plain(text: Any) -> str:
    if not isinstance(text, str):
        return ""
    for _ in range(2):  # titles are often escaped twice
        text = html.unescape(text)
    return re.sub(r"\s+", " ", re.sub(r"</?[a-zA-Z][^<>]*>", "", text)).strip()


def read_markup(marked: str) -> str:
    """Return the text of a piece of HTML, paragraphs apart by line breaks; profiles linked to as their address."""
    if "<" not in marked and "&" not in marked:
        return marked.strip()
    from resiliparse.extract.html2text import extract_plain_text

    text: str = extract_plain_text(without_names(marked), preserve_formatting=True, alt_texts=False, list_bullets=False)
    return re.sub(r"\n\s*\n+", "\n", text).strip()


def as_row(entry: Entry, feed: Feed, address: str, now: datetime) -> Row:
    """Return an entry as a post of its website.

    Its id is that of its address, so that the same article from two feeds is one post; an entry without one, or on a
    social platform (whose accounts are persons'), is known by the feed and its guid.
    """
    own = entry.url if entry.url and not social_platform(entry.url) else None
    source = website_of(own or feed.site or address)
    guid = re.sub(r"^https?://", "", entry.guid)
    dated = entry.published_at or entry.updated_at
    if dated is None or dated > now + AHEAD:
        dated = now
    return {
        "post_id": web_post_id(own) if own else f"web:https://{website_of(address)}/#{_short(guid)}",
        "platform": "web",
        "source": source,
        "source_kind": "website",
        # A feed that bridges a social account is called what the person is called.
        "source_name": feed.title if own or not entry.url else None,
        "published_at": dated.isoformat(),
        "collected_at": now.isoformat(),
        "url": own,
        "title": entry.title,
        "text": entry.text or None,
        "language": feed.language,
        "links": list(entry.links) + ([entry.url] if entry.url and not own else []),
        "media": [{"url": media} for media in entry.media],
    }


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()

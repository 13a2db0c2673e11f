"""Feeds: RSS, Atom, RDF, CDF and JSON Feed read into posts. Bytes come in, nothing is fetched or expanded.

Reference: jsonfeed.org/version/1.1. For feeds in XML see :mod:`bastau.collect.articles.feed_xml`.
"""

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from bastau.collect.addresses import social_platform, web_post_id, website_of
from bastau.collect.articles.dates import read_date
from bastau.collect.articles.feed_xml import MAX_MEDIA, Head, Said, absolute, first_addresses, read_xml
from bastau.collect.articles.loose_xml import decode, read_tree
from bastau.collect.handles import without_names
from bastau.collect.visits import Row
from bastau.errors import SourceChanged

MAX_ENTRIES = 2000
"""Entries of one document that are read, from its top."""
MAX_LINKS = 200
"""Addresses of one entry's text that are kept, its first."""
AHEAD = timedelta(minutes=10)
"""A post dated further ahead than this was dated wrongly, and gets the time at which it was seen."""
_PAGE = re.compile(rb"\s*(?:<!doctype html|<html)", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
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


def read_feed(body: bytes, url: str, content_type: str | None = None) -> Feed:
    """Return the feed in ``body``, fetched from ``url``; ``content_type`` is the header of the answer.

    Raises:
        SourceChanged: it is no feed (a web page, nothing, or damaged beyond reading).
    """
    place = url.split("?", 1)[0]
    if not body.strip():
        raise SourceChanged(f"{place}: the feed is empty")
    if _PAGE.match(body[:1024]):
        raise SourceChanged(f"{place}: {_no_feed(body)}")
    text = decode(body, content_type)
    found = _read_json(text, url) if text.lstrip()[:1] == "{" else read_xml(read_tree(text), url, MAX_ENTRIES)
    if found is None:
        raise SourceChanged(f"{place}: {_no_feed(body)}")
    head, said = found
    return Feed(
        title=_plain(head.title),
        site=head.site,
        language=head.language,
        next_in_s=head.next_in_s,
        hub=head.rels.get("hub"),
        topic=head.rels.get("self"),
        older=head.rels.get("prev-archive") or head.rels.get("next"),
        entries=tuple(entry for one in said if (entry := _entry(one)) is not None),
    )


def _no_feed(body: bytes) -> str:
    start = body[:1024].lower()
    is_page = _PAGE.match(start) or b"<body" in start
    return "a web page stands where the feed was" if is_page else "the answer is no feed"


def _read_json(text: str, url: str) -> tuple[Head, list[Said]] | None:
    try:
        top = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    items = top.get("items")
    if "jsonfeed.org" not in str(top.get("version")) or not isinstance(items, list):
        return None
    hubs = [hub.get("url") for hub in _list(top, "hubs")]
    rels = {"hub": next(filter(None, hubs), None), "self": top.get("feed_url"), "next": top.get("next_url")}
    head = Head(
        title=_string(top, "title"),
        site=absolute(_string(top, "home_page_url"), url),
        language=_string(top, "language"),
        rels={
            rel: there
            for rel, address in rels.items()
            if isinstance(address, str) and (there := absolute(address, url))
        },
    )
    return head, [_json_entry(item, url) for item in items[:MAX_ENTRIES] if isinstance(item, Mapping)]


def _json_entry(item: Mapping[str, Any], base: str) -> Said:
    link = _string(item, "url") or _string(item, "external_url")
    guid = item.get("id")
    media = [
        *(_string(a, "url") for a in _list(item, "attachments")),
        _string(item, "image"),
        _string(item, "banner_image"),
    ]
    return Said(
        guid=str(guid) if isinstance(guid, str | int | float) and guid != "" else link,
        link=absolute(link, base) or (absolute(guid, base) if isinstance(guid, str) and "://" in guid else None),
        title=html.escape(_string(item, "title") or ""),
        whole=_string(item, "content_html") or html.escape(_string(item, "content_text") or "", quote=False),
        summary=html.escape(_string(item, "summary") or "", quote=False),
        published_at=read_date(_string(item, "date_published")),
        updated_at=read_date(_string(item, "date_modified")),
        media=first_addresses(media, base, MAX_MEDIA),
        base=base,
    )


def _string(value: Mapping[str, Any], name: str) -> str | None:
    return found if isinstance(found := value.get(name), str) else None


def _list(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = value.get(name)
    return [part for part in found if isinstance(part, Mapping)] if isinstance(found, list) else []


def _entry(said: Said) -> Entry | None:
    marked = said.whole if len(said.whole) >= len(said.summary) else said.summary
    title, text = _plain(said.title), read_markup(marked)
    if not (title or text or said.media or said.link):
        return None
    hrefs = (match[1] for match in _HREF.finditer(marked))
    return Entry(
        guid=said.guid or said.link or hashlib.blake2b(f"{title}{text}".encode()).hexdigest()[:32],
        url=said.link,
        title=title or None,
        text=text,
        published_at=said.published_at,
        updated_at=said.updated_at,
        links=tuple(link for link in first_addresses(hrefs, said.base, MAX_LINKS, html.unescape) if link != said.link),
        media=said.media,
        is_whole=len(said.whole) > len(said.summary) + 200 or len(text) > 1500,
    )


def _plain(marked: str | None) -> str:
    text = _TAG.sub("", marked) if marked else ""
    for _ in range(2):  # titles are often escaped twice
        text = html.unescape(text)
    return " ".join(text.split())


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

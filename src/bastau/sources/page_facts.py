"""What a web page says of its own beginning: when it was published, and whose page it is a copy of."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

MAX_CHARS = 600_000
"""Only so much of a page is looked at; heads come first, and a hostile page may have no end."""
_MAX_SCRIPTS = 20
_MAX_DEPTH = 8
_SCRIPT = re.compile(r"<script\s[^<>]{0,300}>", re.I)
_TAG = re.compile(r"<(?:meta|link)\s[^<>]{1,2000}>", re.I)
_ATTRIBUTE = re.compile(r"""([a-zA-Z:_-]{1,40})\s*=\s*(?:"([^"]{0,2000})"|'([^']{0,2000})')""")
_DATES = ("article:published_time", "datepublished", "date", "dc.date", "dcterms.created")


@dataclass(frozen=True)
class PageFacts:
    """``published_at``: the earliest date the page gives itself; ``canonical``: the address it calls its own."""

    published_at: datetime | None
    canonical: str | None


def page_facts(html: str) -> PageFacts:
    """Read JSON-LD ``datePublished``, published-time metadata, ``rel=canonical`` and ``og:url``; dates without a zone are UTC.

    Reference: schema.org/datePublished; ogp.me (article:published_time, og:url); RFC 6596 (canonical).
    """
    html = html[:MAX_CHARS]
    dates: list[datetime] = []
    canonical = shared = None
    opened = (tag.end() for tag in _SCRIPT.finditer(html) if "application/ld+json" in tag[0].lower())
    for start in islice(opened, _MAX_SCRIPTS):
        try:
            dates += _dates_in(json.loads(html[start : html.find("</", start)]), 0)
        except (ValueError, RecursionError):
            continue
    for tag in _TAG.finditer(html):
        given = {name.lower(): double or single for name, double, single in _ATTRIBUTE.findall(tag[0])}
        name = (given.get("property") or given.get("name") or given.get("itemprop") or "").lower()
        if given.get("rel", "").lower() == "canonical":
            canonical = canonical or given.get("href")
        elif name == "og:url":
            shared = shared or given.get("content")
        elif name in _DATES and (date := _date(given.get("content"))):
            dates.append(date)
    return PageFacts(min(dates, default=None), canonical or shared)


def points_away(canonical: str | None, own: str) -> bool:
    """Return whether ``canonical`` names a page of another host than ``own``, ``www.`` and ``m.`` apart."""
    try:
        host, mine = (_host(address) for address in (canonical or "", own))
    except ValueError:
        return False
    return bool(host) and bool(mine) and host != mine


def _host(address: str) -> str:
    host = (urlsplit(address).hostname or "").lower()
    return host.removeprefix("www.").removeprefix("m.").removeprefix("amp.")


def _dates_in(value: Any, depth: int) -> Iterator[datetime]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        if date := _date(value.get("datePublished")):
            yield date
        for inner in value.values():
            yield from _dates_in(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value[:100]:
            yield from _dates_in(inner, depth + 1)


def _date(value: Any) -> datetime | None:
    if not isinstance(value, str) or "T" not in value:
        return None  # a bare day says nothing within it
    try:
        date = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)

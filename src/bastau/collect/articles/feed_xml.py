"""What a feed in XML says of itself and its entries: RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, CDF, and their modules.

Elements are known by their local name in lower case, with a conventional prefix where their namespace is a module's;
RSS and Atom have none, so that either may stand inside the other. What is of other namespaces is passed over.

References: RSS 2.0.11; web.resource.org/rss/1.0 (and its modules content, dublin core, syndication); RFC 4287 (Atom);
RFC 5005 (archives); W3C WebSub, section 4; rssboard.org/media-rss; W3C NOTE-CDFsubmit; yandex.ru/support/news (the
element full-text).
"""

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from bastau.collect.articles.dates import read_date
from bastau.collect.articles.loose_xml import XML, local_name

MAX_SAME = 500
"""Elements of one name in a feed or entry that are read, its first: links can be half a million."""
MAX_MEDIA = 50
"""Addresses of what is attached to one entry that are kept, its first."""
MAX_DEPTH = 60
"""Elements further down in marked-up text are read as text."""
_ROOTS = frozenset({"rss", "rdf", "feed", "channel", "html"})
_ENTRIES = frozenset({"item", "entry"})
_MODULES = {
    "purl.org/dc/elements": "dc", "purl.org/dc/terms": "dcterms", "purl.org/rss/1.0/modules/content": "content",
    "purl.org/rss/1.0/modules/syndication": "sy", "search.yahoo.com/mrss": "media", "tools.search.yahoo.com/mrss": "media",
    "itunes.com/dtds/podcast-1.0.dtd": "itunes", "example.com/dtds/podcast-1.0.dtd": "itunes",
    "rssnamespace.org/feedburner/ext": "feedburner", "w3.org/1999/xhtml": "xhtml", "news.yandex.ru": "yandex",
    "turbo.yandex.ru": "turbo", "prismstandard.org/namespaces": "prism", "w3.org/1999/02/22-rdf-syntax-ns": "rdf",
}  # fmt: skip
_OWN = (
    "w3.org/2005/atom", "purl.org/atom/ns", "purl.org/rss/", "purl.org/net/rss1.1", "my.netscape.com/rdf",
    "channel.netscape.com/rdf", "backend.userland.com/", "blogs.law.harvard.edu/tech/rss", "cyber.law.harvard.edu/rss",
)  # fmt: skip
_TITLES = ("title", "media:title", "dc:title", "itunes:title")
_WHOLE = (
    "content:encoded",
    "content",
    "xhtml:body",
    "xhtml:div",
    "body",
    "fullitem",
    "yandex:full-text",
    "turbo:content",
)
_SUMMARIES = ("description", "summary", "abstract", "dc:description", "dcterms:abstract")
_SPARE_SUMMARIES = ("itunes:summary", "media:description", "itunes:subtitle")
_PUBLISHED = (
    "pubdate", "published", "issued", "dc:date", "dcterms:issued", "dcterms:created", "created", "dcterms:date", "date",
    "prism:publicationdate",
)  # fmt: skip
_UPDATED = ("updated", "modified", "dcterms:modified", "lastmod", "lastbuilddate")
_MEDIA = frozenset({"enclosure", "media:content", "media:group", "media:thumbnail", "itunes:image"})
_PERIODS = {"hourly": 3600, "daily": 86400, "weekly": 604800, "monthly": 2592000, "yearly": 31536000}
_ABSOLUTE = re.compile(r"https?://(?:[^\s/?#@]*@)?[\w.-]+(?::\d{0,5})?(?:[/?#]|$)")
_LOOKS_LIKE_HTML = re.compile(r"</[a-z][a-z0-9]*>|<(?:br|p|img|hr|div|a)\b[^<>]*>", re.IGNORECASE)
_VOID = frozenset({"br", "hr", "img", "wbr", "input"})
_KEPT = frozenset({"href", "src", "alt"})
_BASE = f"{XML}base"
_LANG = f"{XML}lang"


@dataclass(frozen=True)
class Said:
    """What a document says of one entry, unjudged: texts marked up as HTML, ``base`` for what is relative in them."""

    guid: str | None = None
    link: str | None = None
    title: str | None = None
    whole: str = ""
    summary: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    media: tuple[str, ...] = ()
    base: str = ""


@dataclass(frozen=True)
class Head:
    """What a document says of itself; ``rels``: address by relation, all of them absolute."""

    title: str | None = None
    site: str | None = None
    language: str | None = None
    next_in_s: float | None = None
    rels: Mapping[str, str] = field(default_factory=dict)


Fields = dict[str, list[Element]]


def read_xml(tree: Element, url: str, most: int) -> tuple[Head, list[Said]] | None:
    """Return what the feed in ``tree`` says of itself and of its first ``most`` entries; None if it is no feed."""
    root = next((el for el in tree.iter() if local_name(el.tag) in _ROOTS), None)
    if root is None or local_name(root.tag) == "html":
        return None
    names = _Names(root.tag)
    is_atom = names[root.tag] == "feed"
    channel = next((el for el in root if names[el.tag] == "channel"), root)
    entries = [el for part in dict.fromkeys((channel, root)) for el in part if names[el.tag] in _ENTRIES]
    entries = entries or [el for el in root.iter() if names[el.tag] in _ENTRIES]
    base = _base(channel, _base(root, url))
    languages = (channel.get(_LANG), root.get(_LANG))
    head = _head(channel, names, base, languages, is_atom=is_atom)
    return head, [_entry(entry, names, _base(entry, base), is_atom=is_atom) for entry in entries[:most]]


def absolute(address: str | None, base: str) -> str | None:
    """Return ``address``, relative to ``base`` or not, as one of http or https; None if it is none."""
    address = address.strip() if address else ""
    if "\n" in address or "\r" in address or "\t" in address:
        address = re.sub(r"[\t\r\n]\s*", "", address)
    if not address or _ABSOLUTE.match(address):
        return address or None
    try:
        joined = urljoin(base, address)
    except ValueError:
        return None
    return joined if _ABSOLUTE.match(joined) else None


def first_addresses(
    said: Iterable[str | None], base: str, most: int, written: Callable[[str], str] = str
) -> tuple[str, ...]:
    """Return the first ``most`` distinct addresses among what is said, as :func:`absolute` reads them.

    A document of ten megabytes holds half a million links: no more than ten times ``most`` different ones are looked at.

    Args:
        said: as the document has it; may be long, and is read no further than needed.
        base: what relative ones are relative to.
        most: addresses wanted.
        written: undoes how the document writes them.
    """
    found: dict[str, None] = {}
    tried: set[str] = set()
    for one in said:
        if one is None or one in tried:
            continue
        tried.add(one)
        if address := absolute(written(one), base):
            found[address] = None
        if len(found) == most or len(tried) == 10 * most:
            break
    return tuple(found)


class _Names(dict[str, str]):
    """Name by tag, found when it is asked for; ``root`` is a tag whose namespace is the feed's, whatever it is."""

    def __init__(self, root: str) -> None:
        self.own = root[: len(root) - len(local_name(root))]

    def __missing__(self, tag: str) -> str:
        local = local_name(tag)
        self[tag] = name = self._prefix(tag[: len(tag) - len(local)]) + local
        return name

    def _prefix(self, space: str) -> str:
        if not space or space == self.own:
            return ""
        if not space.startswith("{"):  # a prefix that nobody declared
            prefix = space.lower()
            return prefix if prefix[:-1] in _MODULES.values() else "" if prefix in {"atom:", "rss:"} else "?"
        uri = re.sub(r"^https?://(?:www\.)?", "", space[1:-1].strip().lower())
        module = next((prefix for start, prefix in _MODULES.items() if uri.startswith(start)), None)
        return f"{module}:" if module else "" if uri.startswith(_OWN) else "?"


def _fields(element: Element, names: _Names) -> Fields:
    fields: Fields = {}
    for child in element:
        same = fields.setdefault(names[child.tag], [])
        if len(same) < MAX_SAME:
            same.append(child)
    return fields


def _head(channel: Element, names: _Names, base: str, languages: Iterable[str | None], *, is_atom: bool) -> Head:
    fields = _fields(channel, names)
    languages = (*(_text(el) for el in _all(fields, ("language", "dc:language"))), *languages)
    rels: dict[str, str] = {}
    for link in fields.get("link", ()):
        for rel in (_attribute(link, "rel") or "").lower().split():
            if rel not in rels and (address := _address(link, base)):
                rels[rel] = address
    return Head(
        title=next(filter(None, (_marked(el, is_atom=is_atom) for el in _all(fields, _TITLES))), None),
        site=_link(fields, base) or absolute(_attribute(channel, "href"), base),
        language=next(
            (lang.replace("_", "-") for lang in languages if lang and re.fullmatch(r"[\w-]{2,20}", lang)), None
        ),
        next_in_s=_rhythm(fields),
        rels=rels,
    )


def _rhythm(fields: Fields) -> float | None:
    ttl, period, frequency = (
        _text(next(iter(fields.get(name, ())), None)) for name in ("ttl", "sy:updateperiod", "sy:updatefrequency")
    )
    if re.fullmatch(r"[0-9]{1,6}", ttl):
        return float(ttl) * 60
    if period.lower() in _PERIODS:
        return _PERIODS[period.lower()] / (max(1, int(frequency)) if re.fullmatch(r"[0-9]{1,4}", frequency) else 1)
    return None


def _entry(entry: Element, names: _Names, base: str, *, is_atom: bool) -> Said:
    fields = _fields(entry, names)
    guid = next(iter(_all(fields, ("guid", "id"))), None)
    about = next((value for name, value in entry.attrib.items() if local_name(name) == "about"), None)
    said = _text(guid) or about
    link = _link(fields, base) or absolute(_attribute(entry, "href"), base)
    if not link and said:
        permalink = _attribute(guid, "ispermalink") if guid is not None else None
        is_address = ("://" in said and permalink != "false") or ("/" in said and permalink == "true")
        link = absolute(said, base) if is_address else None
    whole, body = _longest(_all(fields, _WHOLE), is_atom=is_atom)
    summary, part = _longest(_all(fields, _SUMMARIES), is_atom=is_atom)
    if not (whole or summary):
        spare = (*_all(fields, _SPARE_SUMMARIES), *_in_groups(fields, names, "media:description"))
        summary, part = _longest(spare, is_atom=is_atom)
    text = body if len(whole) >= len(summary) else part
    return Said(
        guid=said or _text(next(iter(fields.get("link", ())), None)) or None,
        link=link,
        title=next(filter(None, (_marked(el, is_atom=is_atom) for el in _all(fields, _TITLES))), None),
        whole=whole,
        summary=summary,
        published_at=_date(fields, _PUBLISHED),
        updated_at=_date(fields, _UPDATED) or read_date(_attribute(entry, "lastmod"), partial=True),
        media=first_addresses(_media(fields, names, base), base, MAX_MEDIA),
        base=base if text is None else _base(text, base),
    )


def _link(fields: Fields, base: str) -> str | None:
    """Return the address that an entry or feed stands for: a web page rather than anything else."""
    origin = absolute(_text(next(iter(fields.get("feedburner:origlink", ())), None)), base)
    if origin:
        return origin
    second = None
    for link in fields.get("link", ()):
        if "alternate" not in (_attribute(link, "rel") or "alternate").lower().split():
            continue
        address = _address(link, base)
        if address and "html" in (_attribute(link, "type") or "html").lower():
            return address
        second = second or address
    return second


def _address(link: Element, base: str) -> str | None:
    said = _attribute(link, "href") or _text(link)
    if not said and (link.tail or "").strip().startswith("http"):  # <link/>https://...
        said = link.tail or ""
    return absolute(said, _base(link, base) if said else base)


def _media(fields: Fields, names: _Names, base: str) -> list[str | None]:
    """Return the addresses of what is attached, as written; of pictures that only stand for the entry where nothing is."""
    found = [_address(el, base) for el in fields.get("link", ()) if _attribute(el, "rel") == "enclosure"]
    if fields.keys() & _MEDIA:
        found += [_attribute(el, "url") or _attribute(el, "href") for el in fields.get("enclosure", ())]
        found += [_attribute(el, "url") for el in fields.get("media:content", ())]
        found += [_attribute(el, "url") for el in _in_groups(fields, names, "media:content")]
        if not any(found):
            found += [_attribute(el, "url") for el in fields.get("media:thumbnail", ())]
            found += [_attribute(el, "url") for el in _in_groups(fields, names, "media:thumbnail")]
            found += [_attribute(el, "href") for el in fields.get("itunes:image", ())]
    return found


def _in_groups(fields: Fields, names: _Names, name: str) -> Iterator[Element]:
    for group in _all(fields, ("media:group", "media:content")):
        yield from (el for el in group if names[el.tag] == name)


def _date(fields: Fields, names: Iterable[str]) -> datetime | None:
    for element in _all(fields, names):
        if moment := read_date(_text(element), partial=True):
            return moment
    return None


def _all(fields: Fields, names: Iterable[str]) -> list[Element]:
    return [element for name in names if name in fields for element in fields[name]]


def _base(element: Element, base: str) -> str:
    own = element.get(_BASE)
    return absolute(own, base) or base if own else base


def _attribute(element: Element, name: str) -> str | None:
    value = element.get(name)
    if value is None and element.attrib:
        return next((value for key, value in element.attrib.items() if key.lower() == name), None)
    return value


def _text(element: Element | None) -> str:
    if element is None:
        return ""
    return ("".join(element.itertext()) if len(element) else element.text or "").strip()


def _longest(elements: Iterable[Element], *, is_atom: bool) -> tuple[str, Element | None]:
    found: tuple[str, Element | None] = ("", None)
    for element in elements:
        marked = _marked(element, is_atom=is_atom)
        if len(marked) > len(found[0]):
            found = marked, element
    return found


def _marked(element: Element, *, is_atom: bool) -> str:
    """Return what stands in an element as HTML: RSS means HTML throughout, Atom says what it means."""
    if not (is_atom or element.attrib or len(element)):
        return (element.text or "").strip()
    kind = (_attribute(element, "type") or "").lower().partition(";")[0].strip()
    if len(element):
        is_source = "xhtml" not in kind and _LOOKS_LIKE_HTML.search("".join(element.itertext())) is not None
        return _inner(element, is_source=is_source).strip()
    text = (element.text or "").strip()
    is_other = "/" in kind and not kind.startswith("text/") and "xml" not in kind
    if text and (is_other or (_attribute(element, "mode") or "").lower() == "base64"):
        return _from_base64(text)
    if kind in {"text", "text/plain"} or (is_atom and not kind and not _LOOKS_LIKE_HTML.search(text)):
        return html.escape(text, quote=False)
    return text


def _from_base64(text: str) -> str:
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        return text
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""  # a picture, or what else it may be


def _inner(element: Element, depth: int = 0, *, is_source: bool = False) -> str:
    """Return the inside of an element as HTML; ``is_source``: its text is HTML already."""
    if depth > MAX_DEPTH:
        return html.escape("".join(element.itertext()), quote=False)
    parts = [element.text or "" if is_source else html.escape(element.text or "", quote=False)]
    for child in element:
        name = local_name(child.tag)
        given = "".join(f' {key}="{html.escape(value)}"' for key, value in child.attrib.items() if key in _KEPT)
        parts += [f"<{name}{given}>", _inner(child, depth + 1, is_source=is_source)]
        parts += ["" if name in _VOID else f"</{name}>", child.tail or ""]
        if child.tail and not is_source:
            parts[-1] = html.escape(child.tail, quote=False)
    return "".join(parts)

"""What the source of a page says of itself outside of its words: JSON-LD, metadata, links of its head.

References: https://schema.org/Article; https://ogp.me; RFC 6596 (canonical).
"""

import html
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

ARTICLES = frozenset(
    {"Article", "NewsArticle", "ReportageNewsArticle", "BlogPosting", "LiveBlogPosting", "AnalysisNewsArticle",
     "OpinionNewsArticle", "ReviewNewsArticle", "BackgroundNewsArticle", "SatiricalArticle", "Report"}
)  # fmt: skip
_CONTROLS = re.compile("[\x00-\x1f\x7f]")
_SCRIPT = re.compile(r"<script\s[^<>]{0,500}>", re.IGNORECASE)
_TAG = re.compile(r"<(meta|link|html)\s([^<>]{1,4000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-zA-Z:_-]{1,40})\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>=]+))""")
_ANY_TAG = re.compile(r"<[^<>]*>")
_UNSEEN = re.compile(r"<(style|script|svg)\b.*?(?:</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_ELEMENTS = {
    name: re.compile(rf"<{name}\b([^<>]{{0,1000}})>(.{{0,2000}}?)</{name}\s*>", re.IGNORECASE | re.DOTALL)
    for name in ("h1", "time")
}
_DATED = re.compile(
    r"""<[a-z]+\s[^<>]{0,300}?(?:class|id|itemprop)\s*=\s*["'][^"'<>]{0,100}(?:publish|date|time|meta)[^<>]{0,300}>\s*([^<>]{6,80})<""",
    re.IGNORECASE,
)
_FEEDS = ("rss+xml", "atom+xml", "feed+json", "rdf+xml")
MAX_SCRIPTS = 30
MAX_TAGS = 2000
MAX_DEPTH = 8


@dataclass(frozen=True)
class Facts:
    """``data``: JSON-LD documents; ``metas``: content by name in lower case, the first of each; ``links``: href by rel;
    ``feeds``: title by href of what the head offers as feeds; ``language``: of the html element."""

    data: list[Any] = field(default_factory=list)
    metas: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    feeds: Mapping[str, str | None] = field(default_factory=dict)
    language: str | None = None

    @cached_property
    def article(self) -> Mapping[str, Any]:
        """The first article of the JSON-LD, or nothing."""
        return next(articles(self.data), {})

    def meta(self, *names: str) -> str | None:
        """Return the first of the metadata ``names`` that is there."""
        return next((self.metas[name] for name in names if self.metas.get(name)), None)


def read_facts(source: str) -> Facts:
    """Return the facts of the source of a page.

    Patterns, because walking the tree of a large page takes ten times as long as reading it.
    """
    data = []
    opened = (tag.end() for tag in _SCRIPT.finditer(source) if "application/ld+json" in tag[0].lower())
    for start in itertools.islice(opened, MAX_SCRIPTS):
        value = parse_json_ld(source[start : source.find("</script", start)])
        if value is not None:
            data.append(value)
    metas: dict[str, str] = {}
    links: dict[str, str] = {}
    feeds: dict[str, str | None] = {}
    language = None
    for tag in itertools.islice(_TAG.finditer(source), MAX_TAGS):
        given = attributes(tag[2])
        match tag[1].lower():
            case "meta":
                name = (
                    given.get("property") or given.get("name") or given.get("itemprop") or given.get("http-equiv", "")
                )
                metas.setdefault(name.lower(), given.get("content", ""))
            case "link":
                rels = given.get("rel", "").lower().split()
                if "alternate" in rels and given.get("type", "").lower().endswith(_FEEDS):
                    feeds.setdefault(given.get("href", ""), given.get("title") or None)
                for rel in rels:
                    links.setdefault(rel, given.get("href", ""))
            case _:
                language = language or given.get("lang")
    return Facts(data, metas, links, feeds, language)


def attributes(tag: str) -> dict[str, str]:
    """Return the attributes inside a tag, names in lower case, entities undone; the first of each name counts."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(tag):
        found.setdefault(name.lower(), html.unescape(double or single or bare).strip())
    return found


def elements(source: str, name: str, most: int = 10) -> list[tuple[dict[str, str], str]]:
    """Return (attributes, text) of the first elements called ``name``, in order."""
    pattern = _ELEMENTS[name]
    found = itertools.islice(pattern.finditer(source), most)
    return [(attributes(match[1]), plain(match[2])) for match in found]


def shown_dates(source: str, most: int = 10) -> list[str]:
    """Return the short texts of elements whose class, id or property speaks of a date."""
    return [plain(match[1]) for match in itertools.islice(_DATED.finditer(source), most)]


def plain(marked: str) -> str:
    """Return the text of a short piece of source on one line."""
    if "<s" in marked:
        marked = _UNSEEN.sub("", marked)
    return re.sub(r"\s+", " ", html.unescape(_ANY_TAG.sub(" ", marked))).strip()


def parse_json_ld(text: str) -> Any:
    """Return JSON-LD as value; None where it is none. Raw line breaks in strings, a common fault, are forgiven."""
    text = (
        text.strip().removeprefix("<!--").removesuffix("-->").removeprefix("//<![CDATA[").removesuffix("//]]>").strip()
    )
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return orjson.loads(_CONTROLS.sub(" ", text).rstrip(";"))
    except orjson.JSONDecodeError:
        return None


def articles(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Yield the articles in JSON-LD, outer ones first."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        for part in value[:200]:
            yield from articles(part, depth + 1)
    elif isinstance(value, dict):
        kinds = value.get("@type")
        named = kinds if isinstance(kinds, list) else [kinds]
        if any(isinstance(kind, str) and kind.rsplit("/", 1)[-1] in ARTICLES for kind in named):
            yield value
        for name in ("@graph", "mainEntity", "mainEntityOfPage"):
            yield from articles(value.get(name), depth + 1)


def text_of(value: Any) -> str | None:
    """Return a JSON-LD text: a string, or the first of a list of them."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        value = value.get("@value") or value.get("url")
    return re.sub(r"\s+", " ", value).strip() or None if isinstance(value, str) else None

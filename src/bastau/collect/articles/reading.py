"""An article out of the source of its page: title, text, date, canonical address, language, links.

The text comes from the element that holds the body (:mod:`bastau.collect.articles.body`), freed of what stands around an
article (:mod:`bastau.collect.articles.blocks`). A careful reading compares it with a second one, and asks trafilatura where
the two differ. Bylines name persons and are not read.
What was measured: docs/decisions/0020-extraction.md.
"""

import html as entities
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from bastau.collect.addresses import website_of
from bastau.collect.articles.blocks import SKIPPED, Block, main_blocks
from bastau.collect.articles.dates import date_in_path, has_time, read_date
from bastau.collect.articles.facts import Facts, elements, read_facts, shown_dates, text_of
from bastau.collect.articles.likeness import likeness
from bastau.collect.articles.titles import read_title
from bastau.collect.handles import with_own_host, without_names
from bastau.collect.reading import MAX_TEXT_BYTES
from bastau.errors import ConfigError
from bastau.registrable import registrable_domain

MIN_BODY = 400
"""Characters from which an ``articleBody`` of JSON-LD is a body and not a teaser."""
AGREE = 0.7
"""Likeness from which a second reading confirms the first."""
DIFFER = 0.5
"""Likeness below which two readings are of different texts."""
MIN_WORDS = 60
MAX_NESTED = 5000
"""Elements in each other; the time of resiliparse grows with the square of it, to half a minute at 30,000."""
MAX_LINKS = 200
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)")
_UNCLOSED = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr", "p", "li",
     "dd", "dt", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "path", "rect", "circle", "use")
)  # fmt: skip
_TAGS = re.compile(r"<[a-zA-Z/][^<>]*>")


@dataclass(frozen=True)
class Article:
    """What a page says.

    Attributes:
        url: address of the page, as asked.
        canonical: the address it calls its own; None if it names none, or one that cannot be its own (a front page).
        title: headline.
        text: body, paragraphs apart by line breaks; profiles linked to are shown as their address.
        published_at: UTC, as the page says it.
        has_hour: ``published_at`` was said with its hour; else it is the midnight of a day.
        modified_at: last change that the page tells of.
        language: BCP 47 as the page says it.
        links: absolute addresses inside the body.
        image: of the article.
        summary: its own description.
        feeds: feeds that the head names, absolute: (address, title).
        is_article: the page says so, or reads like one.
        facts: metadata and JSON-LD.
    """

    url: str
    canonical: str | None = None
    title: str | None = None
    text: str = ""
    published_at: datetime | None = None
    has_hour: bool = False
    modified_at: datetime | None = None
    language: str | None = None
    links: tuple[str, ...] = ()
    image: str | None = None
    summary: str | None = None
    feeds: tuple[tuple[str, str | None], ...] = ()
    is_article: bool = False
    facts: Facts = field(default_factory=Facts)


def read_article(
    html: bytes | str, url: str, *, careful: bool = False, headers: Mapping[str, str] | None = None
) -> Article:
    """Return what the page at ``url`` says; empty where it holds no HTML, or some that is made to exhaust readers.

    Args:
        careful: compare with a second reading, and ask trafilatura where the two differ; half as fast.
        headers: of the answer; ``content-type`` may name the encoding.

    Raises:
        ConfigError: ``careful`` without the extra ``watch``.
    """
    from resiliparse.parse.html import HTMLTree

    source = html if isinstance(html, str) else decode_page(html, (headers or {}).get("content-type"))
    if _is_deep(source):
        return Article(url)
    source = with_own_host(source, url)
    tree = HTMLTree.parse(source)
    if tree.document is None or tree.body is None:
        return Article(url)
    facts = read_facts(source)
    said = _said_body(facts)
    whole, blocks = main_blocks(tree, source)
    text = "\n".join(block.text for block in blocks)
    text = _checked(_careful(source, url, text, said) if careful else text, said)
    published, hour = _published(facts, source, url)
    if published is None and careful:
        published = _by_htmldate(source, url)
    language = facts.language or facts.meta("og:locale", "language", "content-language")
    return Article(
        url=url,
        canonical=_canonical(facts, url),
        title=read_title(facts, source, tree.title, url),
        text=text.encode()[:MAX_TEXT_BYTES].decode("utf-8", "ignore"),
        published_at=published,
        has_hour=hour,
        modified_at=_modified(facts),
        language=language.strip().replace("_", "-") if language else None,
        links=_links(blocks, url),
        image=_absolute(facts.meta("og:image", "og:image:url", "twitter:image"), url),
        summary=facts.meta("og:description", "description"),
        feeds=_feeds(facts, url),
        is_article=_is_article(facts, published, whole, text),
        facts=facts,
    )


def decode_page(data: bytes, content_type: str | None = None) -> str:
    """Return a page as text, in the encoding of its byte-order mark, header, metadata or - failing that - its bytes.

    Reference: https://html.spec.whatwg.org/#determining-the-character-encoding.
    """
    from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

    named = _CHARSET.search(content_type or "")
    marks = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
    encoding = next((name for mark, name in marks.items() if data.startswith(mark)), None) or (
        named[1] if named else None
    )
    if encoding is None:
        inside = re.search(rb"<meta[^<>]{0,200}charset\s*=\s*[\"']?\s*([\w-]+)", data[:4096], re.IGNORECASE)
        encoding = inside[1].decode("ascii", "replace") if inside else None
    if encoding is not None:
        try:
            # A page that says UTF-8 and is not is read by its bytes instead.
            return data.decode(map_encoding_to_html5(encoding) or encoding)
        except (UnicodeDecodeError, LookupError):
            pass
    guess = detect_encoding(data[: 1 << 16]) or "utf-8"
    try:
        return data.decode(guess, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _is_deep(source: str) -> bool:
    """Say whether more elements stand in each other than anybody writes."""
    if source.count("<") < MAX_NESTED:
        return False
    depth = deepest = 0
    for closes, name in _ANY_TAG.findall(source):
        if name.lower() not in _UNCLOSED:
            depth = max(0, depth - 1) if closes else depth + 1
            deepest = max(deepest, depth)
    return deepest > MAX_NESTED


# ---- body --------------------------------------------------------------------------------------------------


def _said_body(facts: Facts) -> str:
    """Return the body that JSON-LD gives, if it is one."""
    body = facts.article.get("articleBody")
    if not isinstance(body, str) or len(body) < MIN_BODY:
        return ""
    body = entities.unescape(_TAGS.sub("\n", body)) if "<" in body or "&" in body else body
    lines = (re.sub(r"[ \t\u00a0]+", " ", line).strip() for line in body.splitlines())
    return "\n".join(line for line in lines if line)


def _checked(text: str, said: str) -> str:
    """Return ``text``, or what the page says in JSON-LD where that is most of a text which was not found."""
    return said if len(said) > 2 * len(text) else text


def _careful(source: str, url: str, text: str, said: str) -> str:
    """Return ``text`` where a second reading agrees with it; else that or what trafilatura reads.

    The second reading is what the page says in JSON-LD or what resiliparse keeps. Where trafilatura reads another text
    than ours, the second reading decides between them.
    """
    extract = _trafilatura()
    second = said or _by_resiliparse(source)
    if likeness(text, second) >= AGREE:
        return text
    third = extract(without_names(source), url=url, include_comments=False, include_tables=False) or ""
    if likeness(text, third) >= DIFFER:
        return text
    return max((text, third), key=lambda reading: (likeness(reading, second), len(reading)))


def _by_resiliparse(source: str) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    return extract_plain_text(
        source, main_content=True, alt_texts=False, list_bullets=False, skip_elements=list(SKIPPED)
    )


def _trafilatura() -> Any:
    try:
        from trafilatura import extract
    except ImportError as error:
        raise ConfigError("careful reading of articles needs trafilatura: pip install 'bastau[watch]'") from error
    return extract


def _by_htmldate(source: str, url: str) -> datetime | None:
    from htmldate import find_date  # comes with trafilatura

    return read_date(find_date(source, url=url, original_date=True))


# ---- the rest ----------------------------------------------------------------------------------------------


def _published(facts: Facts, source: str, url: str) -> tuple[datetime | None, bool]:
    texts = [text_of(facts.article.get(name)) for name in ("datePublished", "dateCreated")]
    texts += [
        facts.metas.get(name)
        for name in ("article:published_time", "og:article:published_time", "og:published_time", "datepublished",
                     "parsely-pub-date", "sailthru.date", "publishdate", "publish-date", "pubdate", "publication_date",
                     "dc.date.issued", "dcterms.created", "dcterms.date", "dc.date", "date", "article:published")
    ]  # fmt: skip
    found = [(moment, has_time(text)) for text in texts if text and (moment := read_date(text))]
    for given, shown in elements(source, "time") if not found else ():
        text = given.get("datetime") or shown
        if moment := read_date(text):
            found.append((moment, has_time(text)))
    if not found and (day := date_in_path(url)):
        return day, False
    for text in shown_dates(source) if not found else ():
        if moment := read_date(text):
            return moment, has_time(text)
    if not found:
        return None, False
    return next(((moment, hour) for moment, hour in found if hour), found[0])


def _modified(facts: Facts) -> datetime | None:
    text = text_of(facts.article.get("dateModified")) or facts.meta(
        "article:modified_time", "og:updated_time", "datemodified", "last-modified"
    )
    return read_date(text)


def _canonical(facts: Facts, url: str) -> str | None:
    for given in (facts.links.get("canonical"), facts.meta("og:url")):
        address = _absolute(given, url)
        # A site that names its front page as the canonical address of every page has set it wrongly.
        if address and (len(urlsplit(address).path) > 1 or urlsplit(address).query or len(urlsplit(url).path) <= 1):
            return address
    return None


def own_address(article: Article, answered: str | None = None) -> str:
    """Return the address by which the article is known: its canonical one if that is of the same website.

    A page may name any address as its own; one of another website would let it speak under that one's name.
    """
    url = answered or article.url
    mine, named = website_of(url), website_of(article.canonical or "")
    is_own = bool(named) and registrable_domain(named) == registrable_domain(mine)
    return article.canonical if article.canonical and is_own else url


def _absolute(address: str | None, base: str) -> str | None:
    try:
        joined = urljoin(base, (address or "").strip())
    except ValueError:
        return None
    return joined if address and joined.startswith(("http://", "https://")) else None


def _links(blocks: list[Block], url: str) -> tuple[str, ...]:
    found = (_absolute(href, url) for block in blocks for href in block.hrefs)
    return tuple(dict.fromkeys(link for link in found if link and link != url))[:MAX_LINKS]


def _feeds(facts: Facts, url: str) -> tuple[tuple[str, str | None], ...]:
    found = ((_absolute(href, url), title) for href, title in facts.feeds.items())
    return tuple((address, title) for address, title in found if address)


def _is_article(facts: Facts, published: datetime | None, whole: int, text: str) -> bool:
    if facts.article or facts.meta("og:type") == "article" or facts.meta("article:published_time"):
        return len(text) > 0
    return published is not None and len(text.split()) >= MIN_WORDS and len(text) > whole // 3

"""The headline of a page: what two of its JSON-LD, its heading and its title for sharing agree on, without the name of the site."""

import html
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from bastau.collect.articles.facts import Facts, elements, text_of
from bastau.registrable import registrable_domain

MAX_TITLE = 500
MIN_HEADING = 8
"""Letters of a heading that nothing confirms."""
_SEPARATOR = re.compile(r"\s+(?:[|¦•·»«—–-]|::|//)\s+|\s*[|｜]\s*|(?<=\w)(?:[-–—](?=[^-–—]+$)|：(?=[^：]+$))")
_WRITTEN = re.compile(r"\s*[-–—：]\s*")
_SIGNS = re.compile(r"[\W_]+")


def read_title(facts: Facts, source: str, whole: str | None, url: str) -> str | None:
    """Return the headline of a page.

    Args:
        whole: text of its ``title`` element.
        url: where it was found; sites are often named after their domain.
    """
    said = _line(html.unescape(text_of(facts.article.get("headline")) or ""))
    shared = _line(facts.meta("og:title", "twitter:title"))
    whole = _line(whole)
    sites = _sites(facts, url)
    # Blogs have the name of the site as a heading on every page.
    headings = [line for _, text in elements(source, "h1") if (line := _line(text)) and _bare(line) not in sites]
    heading = next((h for h in headings if any(_agreed(h, text) for text in (said, shared, whole) if text)), "")
    for one, other in ((said, heading), (said, shared), (heading, shared), (heading, whole if not said else "")):
        if one and other and (agreed := _agreed(one, other)):
            return _without_name(agreed, sites)
    heading = heading or next((h for h in headings if len(h) >= MIN_HEADING), "")
    return _without_name(said, sites) or without_site(shared, sites) or heading or without_site(whole, sites) or None


def without_site(title: str, sites: Iterable[str]) -> str:
    """Return a title without the name of its site; ``sites``: bare names that it may have."""
    known = _without_name(title, sites)
    # A dash may be the author's; a bar never is.
    bar = next((cut for cut in reversed(list(_SEPARATOR.finditer(known))) if not _WRITTEN.fullmatch(cut[0])), None)
    return known[: bar.start()].strip() if bar is not None and len(known) - bar.end() < bar.start() else known


def _without_name(title: str, sites: Iterable[str]) -> str:
    for cut in _SEPARATOR.finditer(title):
        if _bare(title[cut.end() :]) in sites:
            return title[: cut.start()].strip()
        if _bare(title[: cut.start()]) in sites:
            return title[cut.end() :].strip()
    return title


def _sites(facts: Facts, url: str) -> frozenset[str]:
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    publisher = facts.article.get("publisher")
    names = [
        facts.meta("og:site_name"),
        facts.meta("application-name"),
        facts.meta("apple-mobile-web-app-title"),
        text_of(publisher.get("name")) if isinstance(publisher, dict) else None,
        host,
        registrable_domain(host) or "",
        (registrable_domain(host) or "").split(".")[0],
    ]
    return frozenset(bare for name in names if name and (bare := _bare(name)))


def _agreed(one: str, other: str) -> str | None:
    """Return ``one``, or what it has in common with ``other`` if they differ by the name of a site or of a section only."""
    short, long = sorted((one, other), key=lambda title: len(_bare(title)))
    bare, rest = _bare(short), _bare(long)
    if bare == rest:
        return one
    if len(short) < MIN_HEADING:
        return None
    parts = (part for cut in _SEPARATOR.finditer(long) for part in (long[: cut.start()], long[cut.end() :]))
    part = next((part.strip() for part in parts if _bare(part) == bare), None)
    if part is None and not (rest.endswith(bare) and len(bare) > len(rest) // 2):
        return None
    return short if short is one or part is None else part


def _bare(text: str) -> str:
    """Return the letters and digits of ``text`` in one case: titles differ in quotes, dashes and capitals."""
    return _SIGNS.sub("", text).casefold()


def _line(text: str | None) -> str:
    return re.sub(r"\s+", " ", (text or "")[:MAX_TITLE]).strip()

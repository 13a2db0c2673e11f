"""Where the body of an article stands on its page: the smallest element that holds nearly all of its paragraphs.

Boxes whose class or id tells that they stand beside an article - related stories, newsletters, comments - are taken out
first, unless most of the words are in them. What stands between headline and body is the lead. Letters in paragraphs
as the measure of an element, and names of classes as a hint: Readability (Arc90, 2010) and what came after it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bastau.collect.articles.boilerplate import kind_of

MIN_LETTERS = 200
"""Fewer letters in paragraphs are no body to look for."""
MIN_PARAGRAPH = 40
MIN_LOOSE = 80
"""Letters from which text outside of paragraphs counts as text."""
MOST = 0.85
"""Share of the letters that the element which holds the body has, of those of the element around it."""
MAX_ELEMENTS = 20_000
MAX_DEPTH = 100
_SENTENCES = frozenset(("p", "blockquote", "pre"))
_WHOLE = _SENTENCES | {"h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl"}
_INLINE = frozenset(
    ("a", "abbr", "b", "cite", "code", "del", "em", "font", "i", "ins", "mark", "q", "s", "small", "span", "strong", "sub",
     "sup", "time", "u", "wbr", "br")
)  # fmt: skip
_EMPTY = frozenset(
    ("aside", "audio", "button", "canvas", "dialog", "figcaption", "figure", "footer", "form", "head", "hr", "iframe", "img",
     "input", "label", "link", "meta", "nav", "noscript", "object", "picture", "script", "select", "source", "style", "svg",
     "template", "video")
)  # fmt: skip

_OUTER = re.compile(r"""^<(?:"[^"]*"|'[^']*'|[^<>"'])*>|</[^<>]*>$""")

LIMITS = {"never": 0.9, "apart": 0.6, "beside": 0.2, "linked": 0.2}
"""Up to which share of the letters a box is taken out, by the kind of its names: a wrapper of everything may have any name."""
HALF = 0.5
LEAD = range(60, 1000)
"""Letters of a lead."""


@dataclass(slots=True)
class Box:
    """An element that may hold paragraphs: ``first`` and ``last`` are its place among all elements; ``letters`` those in
    paragraphs at any depth, ``own`` those not in a box inside it.

    No box knows the one around it: resiliparse's nodes must go where they came, and a ring would wait for any thread.
    """

    node: Any
    first: int = 0
    last: int = 0
    letters: int = 0
    own: int = 0
    kind: str | None = None
    is_loose: bool = False
    inside: list["Box"] = field(default_factory=list)


@dataclass(slots=True)
class Part:
    """A piece of text: its place among all elements, its element and letters."""

    place: int
    node: Any
    letters: int


@dataclass(frozen=True)
class Body:
    """``source``: HTML of lead and body; ``letters``: of all paragraphs of the page, in the body or not."""

    source: str
    letters: int


def find_body(tree: Any) -> Body | None:
    """Return lead and body of the page; None if it has too few paragraphs to tell. Takes boxes beside it out of ``tree``."""
    page, parts = survey(tree.body)
    letters = page.letters
    if letters < MIN_LETTERS:
        return None
    gone: list[Box] = []
    _clear(page, letters, gone)
    if page.letters < MIN_LETTERS:
        return None
    box = _smallest(page)
    leads = _leads(box, parts, gone)
    for other in gone:
        other.node.decompose()
    for name in ("hidden", "style"):  # some sites hide the text until a script has run
        if box.node.hasattr(name):
            box.node.delattr(name)
    return Body("".join(_as_paragraph(lead.node) for lead in leads) + box.node.html, letters)


def _as_paragraph(node: Any) -> str:
    return f"<p>{_OUTER.sub('', node.html)}</p>"


def survey(body: Any) -> tuple[Box, list[Part]]:
    """Return the boxes of a page, and its pieces of text in order. Walks around what holds no paragraphs."""
    page = box = Box(body)
    around: list[Box] = []
    parts: list[Part] = []
    node, place = body.first_element_child, 0
    while node is not None or around:
        if node is None:
            _close(box, place, parts)
            node, box = box.node.next_element, around.pop()
            continue
        place += 1
        name = node.tag
        if name in _WHOLE:
            letters = _letters(node)
            if name in _SENTENCES and letters >= MIN_PARAGRAPH:
                box.own += letters
            parts.append(Part(place, node, letters))
        elif name in _INLINE:
            box.is_loose = box.is_loose or name == "br"
        elif name not in _EMPTY and len(around) < MAX_DEPTH:
            box.inside.append(Box(node, place, kind=_kind(node)))
            if place < MAX_ELEMENTS:
                around.append(box)
                box, node = box.inside[-1], node.first_element_child
                continue
        node = node.next_element if place < MAX_ELEMENTS else None
    _close(page, place, parts)
    return page, parts


def _kind(node: Any) -> str | None:
    given = node.attrs
    if "itemprop" in given and node.getattr("itemprop").lower() == "articlebody":
        return "body"
    if "hidden" in given or ("style" in given and "display:none" in node.getattr("style").replace(" ", "")):
        return "beside"
    names = [node.getattr(name) for name in ("class", "id") if name in given]
    return kind_of(" ".join(names)) if names else None


def _close(box: Box, place: int, parts: list[Part]) -> None:
    if box.is_loose or not (box.inside or box.own):
        letters = _letters(box.node, loose=True)
        if letters >= MIN_LOOSE:
            box.own += letters
            parts.append(Part(place, box.node, letters))
    box.letters = box.own + sum(inner.letters for inner in box.inside)
    box.last = place


def _letters(node: Any, loose: bool = False) -> int:
    """Return the letters of ``node`` outside of links, or - ``loose`` - of no other block in it either."""
    letters = len((node.text or "").strip())
    child = node.first_element_child if letters >= MIN_PARAGRAPH else None
    while child is not None:
        if child.tag == "a" or (loose and child.tag not in _INLINE):
            letters -= len(child.text or "")
        # A paragraph of running text may hold many links; one that begins with a link may be nothing else.
        child = child.next_element if loose else None
    return letters


def _clear(box: Box, letters: int, gone: list[Box]) -> None:
    """Move the boxes that stand beside an article to ``gone``."""
    kept = []
    for inner in box.inside:
        limit = LIMITS.get(inner.kind or "")
        if limit is not None and inner.letters <= limit * letters and not _leads_nowhere(inner):
            gone.append(inner)
        else:
            _clear(inner, letters, gone)
            kept.append(inner)
    box.inside = kept
    box.letters = box.own + sum(inner.letters for inner in kept)


def _leads_nowhere(box: Box) -> bool:
    """Say whether a teaser holds no link: the lead of an article is called so too."""
    return box.kind == "linked" and box.node.query_selector("a") is None


def _smallest(page: Box) -> Box:
    said = [box for box in _boxes(page) if box.kind == "body" and box.letters >= HALF * page.letters]
    if said:
        return max(said, key=lambda box: box.letters)
    box = page
    while box.inside:
        inner = max(box.inside, key=lambda inner: inner.letters)
        if inner.letters < (HALF if inner.node.tag in ("article", "main") else MOST) * box.letters:
            break
        box = inner
    return box


def _boxes(box: Box) -> Iterator[Box]:
    yield box
    for inner in box.inside:
        yield from _boxes(inner)


def _leads(body: Box, parts: list[Part], gone: list[Box]) -> list[Part]:
    """Return the pieces of text between the headline and the body, where the headline stands before it."""
    headlines = [part.place for part in parts if part.node.tag == "h1" and part.place <= body.last]
    if not headlines or headlines[-1] >= body.first:
        return []
    starts = [box.first for box in gone]  # in order, and none inside another

    def is_gone(place: int) -> bool:
        i = bisect_right(starts, place) - 1
        return i >= 0 and place <= gone[i].last

    return [
        part
        for part in parts
        if headlines[-1] < part.place < body.first
        and part.letters in LEAD
        and part.node.tag in ("p", "h2", "h3", "h4", "div", "section")
        and not is_gone(part.place)
    ]

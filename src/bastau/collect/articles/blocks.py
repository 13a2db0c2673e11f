"""The body of an article as blocks: what kind each is, how much of it is links, and which belong to the article.

:func:`main_blocks` reads the element that :mod:`bastau.collect.articles.body` finds - or, on a page with too few
paragraphs for that, what resiliparse keeps as the main content - and drops what stands around an article rather than in
it: rows of links, calls to subscribe, captions, and sections that hold nothing. What it looks at - the length of a block
in words, the share of them that are links, and what its neighbours are - are the shallow features of Kohlschütter et
al. 2010 (Boilerplate Detection using Shallow Text Features, WSDM, section 4).
"""

import html
import re
from dataclasses import dataclass
from typing import Any

from bastau.collect.articles.body import find_body
from bastau.collect.articles.boilerplate import is_boilerplate
from bastau.collect.handles import without_names

MAX_BLOCKS = 20_000
"""More blocks than this are a table of data or an attack; the rest of the page is not looked at."""
SKIPPED = (
    "aside", "nav", "footer", "header nav", "figure", "figcaption", "form", "button", "dialog", "template", "svg",
    "select", "noscript", "[hidden]", '[aria-hidden="true"]',
)  # fmt: skip
"""Elements that stand beside an article by their meaning in HTML."""

_BLOCK = re.compile(r"<(p|h[1-6]|ul|ol|pre|blockquote)(?: [^<>]*)?>(.*?)</\1>", re.DOTALL)
_LINK = re.compile(r"<a [^<>]*>(.*?)</a>", re.DOTALL)
_HREF = re.compile(r'<a href="([^"#][^"]*)"')
_ITEM = re.compile(r"<li(?: [^<>]*)?>")
_TAG = re.compile(r"<[^<>]*>")
_BREAK = re.compile(r"<br[^<>]*>")
_LINES = re.compile(r" ?\n\s*")
_BLANK = re.compile(r"[ \t\r\f\v\u00a0]+")
_ENDS = re.compile(r"[.!?…:;。！？»”\"'’)\]](?:\s*\[\d+\])?$")
_SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0eff]")


@dataclass(frozen=True)
class Block:
    """One block: ``kind`` is the element's name, empty for text outside of paragraphs; ``links`` in [0, 1] of its letters;
    ``hrefs``: where they lead, as written."""

    kind: str
    text: str
    links: float
    hrefs: tuple[str, ...] = ()

    @property
    def n_words(self) -> int:
        """Words, or about as many where a script writes none apart."""
        return len(self.text.split()) + len(_SPACELESS.findall(self.text)) // 3

    @property
    def is_sentence(self) -> bool:
        """Ends as sentences do."""
        return _ENDS.search(self.text) is not None


def main_blocks(tree: Any, source: str) -> tuple[int, list[Block]]:
    """Return (letters that the page has in its paragraphs, blocks that are the article's). Changes ``tree``.

    Args:
        tree: of ``source``, as resiliparse reads it.
    """
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    body = find_body(tree)
    marked = extract_plain_text(
        HTMLTree.parse(without_names(source if body is None else body.source)),
        main_content=body is None,
        preserve_formatting="minimal_html",
        links=True,
        alt_texts=False,
        list_bullets=True,
        skip_elements=list(SKIPPED),
    )
    blocks = read_blocks(marked)
    return body.letters if body else sum(len(block.text) for block in blocks), choose(blocks)


def read_blocks(marked: str) -> list[Block]:
    """Return the blocks of resiliparse's ``minimal_html``, in order."""
    blocks: list[Block] = []
    at = 0
    for match in _BLOCK.finditer(marked):
        _loose(marked[at : match.start()], blocks)
        at = match.end()
        if match[1] in ("ul", "ol"):
            for item in _ITEM.split(match[2])[1:]:
                _add("li", item, blocks)
        else:
            _add(match[1], match[2], blocks)
        if len(blocks) > MAX_BLOCKS:
            return blocks[:MAX_BLOCKS]
    _loose(marked[at:], blocks)
    return blocks[:MAX_BLOCKS]


def _loose(marked: str, blocks: list[Block]) -> None:
    for line in marked.split("\n"):
        _add("", line, blocks)


def _add(kind: str, marked: str, blocks: list[Block]) -> None:
    text = _plain(marked)
    if text:
        linked = sum(len(_plain(link)) for link in _LINK.findall(marked)) if "<a " in marked else 0
        hrefs = tuple(map(html.unescape, _HREF.findall(marked))) if linked else ()
        blocks.append(Block(kind, text, min(1.0, linked / len(text)), hrefs))


def _plain(marked: str) -> str:
    if "<" in marked or "&" in marked:
        marked = html.unescape(_TAG.sub("", _BREAK.sub("\n", marked)))
    return _LINES.sub("\n", _BLANK.sub(" ", marked)).strip()


def choose(blocks: list[Block]) -> list[Block]:
    """Return the blocks that are the article's own, in order."""
    blocks = [block for block in blocks if not is_boilerplate(block.text)]
    in_paragraphs = sum(len(b.text) for b in blocks if b.kind == "p" and b.links < 0.5)
    loose = sum(len(b.text) for b in blocks if not b.kind and b.links < 0.5 and b.n_words >= 10)
    # Some sites write paragraphs as bare text with line breaks; there a loose line is as good as a paragraph.
    is_loose_site = in_paragraphs < loose
    return _without_empty_sections([block for block in blocks if _is_body(block, is_loose_site)])


def _is_body(block: Block, is_loose_site: bool) -> bool:
    words = block.n_words
    match block.kind:
        case "p":
            # A paragraph that names many places or people may be links for the most part; a single link leads elsewhere.
            return block.links < (0.6 if len(block.hrefs) < 2 else 0.9) and (words >= 3 or block.is_sentence)
        case "pre":
            return block.links < 0.6
        case "h1":
            return False
        case "li" | "h2" | "h3" | "h4" | "h5" | "h6":
            return block.links < 0.5
        case _:
            enough = 4 if is_loose_site else 14
            return block.links < 0.4 and (words >= 20 or (words >= enough and block.is_sentence))


def _without_empty_sections(blocks: list[Block]) -> list[Block]:
    """Drop headings that no text follows before the next one of the same or a higher rank."""
    kept: list[Block] = []
    for block in reversed(blocks):
        if block.kind[:1] == "h" and (not kept or (kept[-1].kind[:1] == "h" and kept[-1].kind <= block.kind)):
            continue
        kept.append(block)
    return kept[::-1]

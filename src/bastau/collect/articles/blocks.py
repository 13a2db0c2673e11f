"""The body of an article as blocks: what kind each is, how much of it is links, and which belong to the article.

:func:`main_blocks` takes what resiliparse keeps as the main content, with the kind of each block left on it, and
drops what stands around an article rather than in it: rows of links, share buttons, dates, captions, and sections that
hold nothing but teasers. What it looks at - the length of a block in words, the share of them that are links, and what
its neighbours are - are the shallow features of Kohlschütter et al. 2010 (Boilerplate Detection using Shallow Text
Features, WSDM, section 4).
"""

import html
import re
from dataclasses import dataclass
from typing import Any

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


def main_blocks(tree: Any) -> tuple[list[Block], list[Block]]:
    """Return (all blocks of what resiliparse takes for the main content, those of them that are the article's)."""
    from resiliparse.extract.html2text import extract_plain_text

    marked = extract_plain_text(
        tree,
        main_content=True,
        preserve_formatting="minimal_html",
        links=True,
        alt_texts=False,
        list_bullets=False,
        skip_elements=list(SKIPPED),
    )
    blocks = read_blocks(marked)
    return blocks, choose(blocks)


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
    text = html.unescape(_TAG.sub(" " if "<br" in marked else "", marked)) if "<" in marked or "&" in marked else marked
    return _BLANK.sub(" ", text).strip()


def choose(blocks: list[Block]) -> list[Block]:
    """Return the blocks that are the article's own, in order."""
    first = _after_title(blocks)
    blocks = blocks[first:]
    in_paragraphs = sum(len(b.text) for b in blocks if b.kind == "p" and b.links < 0.5)
    loose = sum(len(b.text) for b in blocks if not b.kind and b.links < 0.5 and b.n_words >= 10)
    # Some sites write paragraphs as bare text with line breaks; there a loose line is as good as a paragraph.
    is_loose_site = in_paragraphs < loose
    kept = [b for b in blocks if _is_body(b, is_loose_site)]
    return _without_empty_sections(kept)


def _after_title(blocks: list[Block]) -> int:
    """Return where the blocks after the page's headline begin; 0 where most of the words stand before it."""
    title = next((i for i, block in enumerate(blocks) if block.kind == "h1"), None)
    if title is None:
        return 0
    before = sum(b.n_words for b in blocks[:title] if b.kind == "p" and b.links < 0.5)
    after = sum(b.n_words for b in blocks[title:] if b.links < 0.5)
    return title + 1 if before <= after // 4 else 0


def _is_body(block: Block, is_loose_site: bool) -> bool:
    words = block.n_words
    match block.kind:
        case "p":
            return block.links < 0.6 and (words >= 6 or block.is_sentence)
        case "pre" | "blockquote":
            return block.links < 0.6
        case "h1":
            return False
        case "h2" | "h3" | "h4" | "h5" | "h6":
            return block.links < 0.5
        case "li":
            return block.links < 0.5 and words >= 6
        case _:
            return block.links < 0.4 and words >= (8 if is_loose_site else 14) and block.is_sentence


def _without_empty_sections(blocks: list[Block]) -> list[Block]:
    """Drop headings that no text follows before the next one of the same or a higher rank."""
    kept: list[Block] = []
    for block in reversed(blocks):
        if block.kind[:1] == "h" and (not kept or (kept[-1].kind[:1] == "h" and kept[-1].kind <= block.kind)):
            continue
        kept.append(block)
    return kept[::-1]

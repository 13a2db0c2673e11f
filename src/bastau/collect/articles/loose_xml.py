"""XML as the web sends it, in any encoding and any state, to a tree. Nothing is expanded and nothing is fetched.

What is well-formed is read by expat. A document with a document type never reaches it, so there is no entity that it
could expand; such documents, and all that expat refuses, are read tag by tag: an end tag closes the nearest element
of its name and what was left open inside, an end tag without a start is passed over, a new entry closes the one
before it. Both ways take time linear in the length of the text.

References: XML 1.0, sections 2.8 and 4.3.3; RFC 7303, section 3 (the byte-order mark, then the charset of the answer,
then the declaration); https://encoding.spec.whatwg.org (names of encodings).
"""

import html
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

MAX_TAGS = 500_000
"""Tags of one document that are read, from its top."""
MAX_DEPTH = 100
"""Elements further down are read as text."""
MAX_TAG_CHARS = 1 << 16
"""Attributes beyond it are not read."""
XML = "{http://www.w3.org/XML/1998/namespace}"
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"), (b"\0\0\xfe\xff", "utf-32-be"), (b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)  # fmt: skip
_WIDE = ((b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_WIDER = {"gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932"}
"""What browsers read in place of these encodings."""
_DECLARED = re.compile(rb"""<\?xml[^<>]{0,200}?encoding\s*=\s*["']\s*([\w.:-]{2,40})""", re.IGNORECASE)
_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_ASCII = bytes(range(128))
_C1 = re.compile(r"&#(?:1[2-5]\d|x[89][0-9a-f]);", re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]\w{1,31});", re.IGNORECASE)
_TAG = re.compile(r"""</?([^\W\d][\w.:-]*)((?:[^<>"']++|"[^"<]*"|'[^'<]*')*+)>""")
_ROUGH_TAG = re.compile(r"</?([^\W\d][\w.:-]*)([^<>]*)(?:>|\Z)")
_ATTRIBUTE = re.compile(r"""([^\W\d][\w.:-]{0,60})\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ENTRIES = frozenset({"item", "entry"})
_LINES = frozenset({"link", "guid", "id", "pubdate", "published", "updated", "issued", "modified", "dc:date", "ttl"})
"""Elements that hold a line of text and no other element: the next tag closes one that was left open."""
_FIELDS = _LINES | {"title", "description", "summary", "content", "content:encoded", "author", "category", "enclosure"}


def decode(body: bytes, content_type: str | None = None) -> str:
    """Return ``body`` as text. What is valid UTF-8 is read as such, whatever is said of it: nothing else looks so."""
    from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

    for mark, name in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    wide = next((name for start, name in _WIDE if body.startswith(start)), None)
    if wide:
        return body.decode(wide, "replace")
    declared = _DECLARED.search(body[:1024])
    named = _CHARSET.search(content_type or "")
    said = [m[1] if isinstance(m[1], str) else m[1].decode("ascii", "replace") for m in (named, declared) if m]
    if not any(name.lower().startswith("iso-2022") for name in said):  # these write everything in ASCII
        try:
            return body.decode()
        except UnicodeDecodeError:
            pass
    names = [map_encoding_to_html5(name, fallback_utf8=False) or "" for name in said]
    if not names or names[0] in {"", "utf-8"}:
        # A text of which little is damaged, and not one in another encoding: that would be damaged throughout.
        text = body.decode("utf-8", "replace")
        if text.count("\ufffd") * 10 <= len(body.translate(None, _ASCII)):
            return text
    for name in [*names, detect_encoding(body[: 1 << 16]) or ""]:
        try:
            if name and not name.startswith("utf-"):
                return body.decode(_WIDER.get(name, name), "replace")
        except LookupError:
            continue
    return body.decode("utf-8", "replace")


def read_tree(text: str) -> Element:
    """Return the root of the XML in ``text``; that of a damaged text is an element without name around all of it."""
    start = text.find("<")
    text = text[start:] if start >= 0 else ""
    if "&#" in text:
        text = _C1.sub(lambda match: html.unescape(match[0]), text)  # numbers of windows-1252, as in HTML
    if "<!DOCTYPE" not in text and "<!ENTITY" not in text and text.count("<") <= MAX_TAGS:
        try:
            parser = XMLParser()  # noqa: S314 - no document type, no entities
            parser.feed(text)
            return parser.close()
        except (ParseError, ValueError):  # ValueError: a lone surrogate
            pass
    return _read_loosely(_CONTROLS.sub(" ", text))


def local_name(tag: str) -> str:
    """Return the name of a tag without namespace or prefix, in lower case."""
    return tag.rpartition("}")[2].rpartition(":")[2].lower()


def _read_loosely(text: str) -> Element:
    builder = TreeBuilder()
    builder.start("", {})
    open_: list[tuple[str, str, dict[str, str]]] = [("", "", {})]  # name as written in lower case, tag, namespaces

    def close(n: int) -> None:
        while len(open_) > n:
            builder.end(open_.pop()[1])

    def nearest(names: frozenset[str] | set[str]) -> int:
        return next((i for i in range(len(open_) - 1, 0, -1) if open_[i][0] in names), 0)

    for kind, name, value in _tokens(text):
        lower = name.lower()
        if kind == "text":
            builder.data(value)
        elif kind == "end":
            if at := nearest({lower}):
                close(at)
        else:
            if local_name(name) in _ENTRIES and (at := nearest({lower})):
                close(at)
            elif open_[-1][0] in _LINES:
                close(len(open_) - 1)
            if lower in _FIELDS and (at := nearest({"title"})):
                close(at)
            attributes = _attributes(value)
            spaces = _spaces(open_[-1][2], attributes)
            tag = _resolved(name, spaces, spaces.get("", ""))
            if len(open_) < MAX_DEPTH:
                named = {_resolved(key, spaces, ""): text for key, text in attributes.items()}
                builder.start(tag, named)
                open_.append((lower, tag, spaces))
                if value.endswith("/"):
                    close(len(open_) - 1)
    close(0)
    return builder.close()


def _tokens(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (``text``, ``start`` or ``end``; name of the tag; text, or what else stands in the tag)."""
    ends: dict[str, int] = {}

    def find(mark: str, start: int) -> int:
        # An end that is not there is looked for once, else a text of beginnings takes quadratic time.
        if ends.get(mark, start) < start:
            ends.pop(mark)
        if mark not in ends:
            found = text.find(mark, start)
            ends[mark] = found if found >= 0 else len(text)
        return ends[mark]

    at, n_tags = 0, 0
    while at < len(text) and n_tags < MAX_TAGS:
        n_tags += 1
        opened = text.find("<", at)
        if opened < 0:
            opened = len(text)
        if opened > at:
            yield "text", "", unescape(text[at:opened])
        if opened == len(text):
            return
        at = opened
        if text.startswith("<![CDATA[", at):
            end = find("]]>", at)
            if end < len(text) and text.find("<![CDATA[", at + 9, end) < 0:
                yield "text", "", text[at + 9 : end]
                at = end + 3
            else:  # left open: what follows is read as if it had not been opened
                at += 9
        elif text.startswith("<!--", at):
            end = find("-->", at)
            at = end + 3 if end < len(text) else at + 4
        elif text.startswith(("<!", "<?"), at):
            end = find(">", at)
            if text.startswith("<!DOCTYPE", at) and text.find("[", at, end) >= 0 and find("]>", at) < len(text):
                end = find("]>", at) + 1
            at = end + 1
        elif match := _TAG.match(text, at) or _ROUGH_TAG.match(text, at):
            yield ("end" if text[at + 1] == "/" else "start"), match[1], match[2][:MAX_TAG_CHARS]
            at = match.end()
        else:
            yield "text", "", "<"
            at += 1


def unescape(text: str) -> str:
    """Return ``text`` with its references undone, those of HTML too; a bare ampersand, as in addresses, stays."""
    return _REFERENCE.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): unescape(double or single or bare) for name, double, single, bare in _ATTRIBUTE.findall(text)}


def _spaces(outer: dict[str, str], attributes: dict[str, str]) -> dict[str, str]:
    declared = {name[6:]: uri for name, uri in attributes.items() if name == "xmlns" or name.startswith("xmlns:")}
    return outer | declared if declared else outer


def _resolved(name: str, spaces: dict[str, str], default: str) -> str:
    prefix, _, local = name.rpartition(":")
    uri = XML[1:-1] if prefix == "xml" else spaces.get(prefix.lower()) if prefix else default
    return f"{{{uri}}}{local}" if uri else name

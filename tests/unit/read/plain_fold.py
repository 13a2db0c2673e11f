"""The obvious version of folding, one character after the other: what the kernel must equal."""

import re
import unicodedata
from html.entities import name2codepoint

from bastau.read.characters import fold_character, is_mark
from bastau.read.markup import _BLOCK, _INLINE, MAX_TAG

SCHEME = re.compile(r"(?:https?|hxxps?|ftp|tg)://", re.IGNORECASE | re.ASCII)
WWW = re.compile(r"www\.(?=[A-Za-z0-9\u0080-\U0010ffff])", re.IGNORECASE | re.ASCII)
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}(?:\.[A-Za-z0-9][A-Za-z0-9-]{0,62}){0,6}\.[A-Za-z]{2,24}/")
HANDLE = re.compile(r"@[\w~]+(?:\.[a-z0-9][\w-]*)*(?:@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)?", re.ASCII)
ENTITY = re.compile(r"&(?:amp;)*(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,7})|([A-Za-z0-9]{2,8}));", re.ASCII)
TAG = re.compile(r"</?([A-Za-z0-9]+)(?=[\t\n\r />])[^<>]*>", re.ASCII)
EMPHASIS = re.compile(r"([*_|~])\1+")
REPOST = re.compile(r"(?<![A-Za-z0-9\u0080-\U0010ffff])[Rr][Tt] +$")


def is_word_char(char: str) -> bool:
    return fold_character(char).strip() != "" or is_mark(char)


def link_at(text: str, i: int, floor: int) -> int | None:
    """Return the end of the link that begins at ``i``."""
    before = text[i - 1] if i > floor else " "
    if (
        (found := SCHEME.match(text, i))
        or ((found := WWW.match(text, i)) and not re.match("[A-Za-z0-9]", before))
        or ((found := HOST.match(text, i)) and not re.match(r"[A-Za-z0-9.@_-]", before))
    ):
        start = found.end()
    else:
        return None
    end = start
    while end < len(text):
        c = text[end]
        if c < "\x80":
            if c <= " " or c == "\x7f" or c in '"<>\\^`{|}' or text.startswith("](", end):
                break
        elif c >= "⺀" or not is_word_char(c):
            break
        end += 1
    while True:
        link = text[i:end]
        unopened = {")": link.count("(") < link.count(")"), "]": link.count("[") < link.count("]")}
        if not (link[-1] in "!'*,.:;?~" or unopened.get(link[-1])):
            return end
        end -= 1


def entity_at(text: str, i: int) -> tuple[str, int] | None:
    """Return (character, end) of the entity at ``i``; escaped twice counts as once."""
    found = ENTITY.match(text, i)
    if found is None:
        return None
    decimal, hexadecimal, name = found.groups()
    if name is not None:
        names = {**name2codepoint, "apos": 39}
        if name in names:
            return chr(names[name]), found.end()
        amp = re.compile("&(?:amp;)+").match(text, i)
        return ("&", amp.end()) if amp else None
    value = int(decimal) if decimal else int(hexadecimal, 16)
    valid = 0 < value <= 0x10FFFF and not 0xD800 <= value < 0xE000
    return chr(value) if valid else " ", found.end()


def plain_fold(text: str) -> str:
    out: list[str] = []
    i = floor = 0
    in_word = False  # the character just read is part of a word
    joins = False  # a mark read now would sit on out[-1]

    def gap() -> None:
        nonlocal joins
        joins = False
        if out and out[-1] != " ":
            out.append(" ")

    while i < len(text):
        c = text[i]
        if (end := link_at(text, i, floor)) is not None:
            gap()
            i = floor = end
            in_word = False
            continue
        if c == "@" and not in_word and (found := HANDLE.match(text, i)):
            if REPOST.search(text[floor:i]):
                while out[-1] == " ":
                    out.pop()
                del out[-2:]
            gap()
            i = floor = found.end()
            in_word = False
            continue
        if c == "<" and (found := TAG.match(text, i)) and len(found.group().encode()) <= MAX_TAG + 1:
            name = found.group(1).lower()
            if name in _INLINE.split() or name in _BLOCK.split():
                if name not in _INLINE.split():
                    gap()
                i = floor = found.end()
                in_word = False
                continue
        if found := EMPHASIS.match(text, i):
            if len(found.group()) > 2:
                gap()
            i, in_word = found.end(), False
            continue
        if c == "&" and (entity := entity_at(text, i)):
            c, i = entity
            floor = i
        else:
            i += 1
        in_word = is_word_char(c)
        if is_mark(c):
            if joins and len(joined := unicodedata.normalize("NFC", out[-1] + c)) == 1:
                out[-1] = fold_character(joined)
            continue
        for letter in fold_character(c):
            if letter == " ":
                gap()
            else:
                out.append(letter)
                joins = True
    return "".join(out).strip()

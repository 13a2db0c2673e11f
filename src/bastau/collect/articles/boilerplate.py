"""What stands beside an article rather than in it, by its words: names of elements, and phrases in Kazakh, Russian and others."""

import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path

MAX_WORDS = 45
"""A longer block is an article's, whatever it begins with."""
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_ENDS = re.compile(r"^[\W\d_]+|[\W\d_]+$")


@cache
def _words() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(Path(__file__).with_name("boilerplate.toml").read_text("utf-8"))


@cache
def _names(kind: str) -> frozenset[str]:
    return frozenset(_words()["names"][kind])


@cache
def _phrases(kind: str) -> tuple[str, ...]:
    return tuple(phrase for phrases in _words()[kind].values() for phrase in phrases)


@cache
def _alone() -> frozenset[str]:
    return frozenset(_phrases("alone"))


@cache
def _holds() -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, _phrases("holds"))))


@lru_cache(maxsize=8192)  # the elements of a page, and the pages of a site, share their names
def kind_of(names: str) -> str | None:
    """Return the group of ``boilerplate.toml`` that the class and id of an element belong to, if any."""
    parts = {part.lower() for part in _PARTS.findall(names)}
    # Names such as "hidden md:block" hide it on some screens only.
    if ":" in names:
        parts.discard("hidden")
    return next((kind for kind in ("never", "apart", "beside", "linked") if not parts.isdisjoint(_names(kind))), None)


def is_boilerplate(text: str) -> bool:
    """Say whether a block is a call to read, share or subscribe, a caption, or a notice, rather than part of an article."""
    if text.count(" ") >= MAX_WORDS:
        return False
    text = text.lower().replace("ё", "е").lstrip(' \t*>→▶•|-–—[(«"“')
    return text.startswith(_phrases("starts")) or _ENDS.sub("", text) in _alone() or _holds().search(text) is not None

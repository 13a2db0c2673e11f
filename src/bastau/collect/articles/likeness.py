"""How much two texts have in common, by their word 4-grams."""

import re
from collections import Counter

GRAM = 4
_WORD = re.compile(r"\w+")


def word_grams(text: str) -> Counter[tuple[str, ...]]:
    """Return the word 4-grams of a text, counted; a shorter text is one gram."""
    words = _WORD.findall(text)
    if len(words) <= GRAM:
        return Counter([tuple(words)] if words else [])
    return Counter(zip(*(words[i:] for i in range(GRAM)), strict=False))


def likeness(a: str, b: str) -> float:
    """Return the share of word 4-grams that two texts have in common, in [0, 1]."""
    x, y = word_grams(a), word_grams(b)
    both = (x & y).total()
    return both / max(1, x.total() + y.total() - both)

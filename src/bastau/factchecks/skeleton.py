"""Cyrillic in Latin letters, and words reduced to consonants that spellings of one name share across scripts."""

import re
from functools import lru_cache

_LETTERS = dict(
    zip(
        "абвгдезийклмнопрстуфхыэәғқңөұүһіїєґ",
        "abvgdezijklmnoprstufhyeagknouuhiieg",
        strict=True,
    )
) | {
    "ж": "zh",
    "ц": "ts",
    "ч": "ch",
    "ш": "sh",
    "щ": "shch",
    "ъ": "",
    "ь": "",
    "ю": "yu",
    "я": "ya",
    "ё": "e",
    "ў": "u",
}
_TABLE = str.maketrans(_LETTERS)
# How English spells the sounds: longer spellings first. What is left are consonants as Russian or Kazakh would write them.
_SOUNDS = (
    ("sch", "s"), ("tch", "s"), ("shch", "s"), ("dzh", "z"), ("zh", "z"), ("kh", "h"), ("ph", "f"), ("sh", "s"), ("ch", "s"), ("th", "t"),
    ("ck", "k"), ("qu", "kv"), ("ts", "s"), ("tz", "s"), ("dg", "z"), ("j", "z"), ("x", "ks"), ("w", "v"), ("q", "k"),
    ("ce", "se"), ("ci", "si"), ("cy", "si"), ("ge", "ze"), ("gi", "zi"), ("c", "k"),
)  # fmt: skip
_CYRILLIC_SOUNDS = (("shch", "s"), ("dzh", "z"), ("zh", "z"), ("sh", "s"), ("ch", "s"), ("ts", "s"))
_DROPPED = re.compile(r"[aeiouy]|(?<=.)h|(?<=.)j")
_REPEATS = re.compile(r"(.)\1+")
_MOST = 6


@lru_cache(1 << 17)
def to_latin(word: str) -> str:
    """Return a folded ``word`` in Latin letters; other scripts stay."""
    return word if word.isascii() else word.translate(_TABLE)


@lru_cache(1 << 17)
def consonants(word: str) -> str:
    """Return up to six consonants of a folded ``word``, alike for most spellings of a name: trmp for Trump and Трамп.

    A vowel at the beginning counts as one letter (``a``). Empty for words without Latin or Cyrillic letters.
    """
    is_cyrillic = not word.isascii()
    sounds = to_latin(word)
    if not sounds.isascii() or not sounds.isalpha():
        return ""
    if is_cyrillic:
        sounds = sounds.replace("j", "")
    for spelling, sound in _CYRILLIC_SOUNDS if is_cyrillic else _SOUNDS:
        sounds = sounds.replace(spelling, sound)
    first = "a" if sounds[:1] in "aeiouy" else ""
    return (first + _REPEATS.sub(r"\1", _DROPPED.sub("", sounds)))[:_MOST]

"""Disguises that people put on words, applied to clean sentences to see which the match form undoes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bastau.read.fold import fold_with_offsets
from bastau.read.unmask import match_form

Disguise = Callable[[str, Random], str | None]
_WORD = re.compile(r"(?<![\w@#&/.:-])[^\W\d_]{4,14}(?![\w@&/.:-])")
_CYRILLIC_DOUBLES = dict(zip("аеорсухікәһАЕОРСУХІКМТНВ", "aeopcyxikəhAEOPCYXIKMTHB", strict=True))
_LATIN_DOUBLES = dict(zip("aeopcyxikhABEHIKMOPCTXY", "аеорсухікһАВЕНІКМОРСТХУ", strict=True))
_LEET = {
    "a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "b": "8", "g": "9", "l": "1|",
    "а": "@4", "о": "0", "з": "3", "б": "6", "ч": "4", "в": "8", "і": "1", "е": "3",
}  # fmt: skip
_SMALL = dict(zip("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", strict=True))
_TURNED = dict(zip("abcdefghijklmnopqrstuvwxyz", "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz", strict=True))


def _between(signs: str, *, everywhere: bool = True) -> Disguise:
    """Return a disguise that puts one of ``signs`` between all letters, or between two of them."""

    def disguise(word: str, dice: Random) -> str:
        sign = dice.choice(signs)
        if everywhere:
            return sign.join(word)
        at = dice.randrange(2, len(word) - 1)
        return word[:at] + sign + word[at:]

    return disguise


def _swap(table: dict[str, str], most: int) -> Disguise:
    """Return a disguise that exchanges one to ``most`` letters."""

    def disguise(word: str, dice: Random) -> str | None:
        places = [i for i, c in enumerate(word) if c in table]
        if not places:
            return None
        letters = list(word)
        for i in dice.sample(places, min(len(places), dice.randint(1, most))):
            letters[i] = dice.choice(table[letters[i]])
        return "".join(letters)

    return disguise


def _doubles(word: str, dice: Random) -> str | None:
    table = _LATIN_DOUBLES if word.isascii() else _CYRILLIC_DOUBLES
    made = _swap(table, 3)(word, dice)
    own = [c for c in made or "" if c.isascii() == word.isascii()]
    return made if own else None


def _repeat(word: str, dice: Random) -> str | None:
    places = [i for i in range(len(word) - 1) if word[i] not in (word[i + 1], word[i - 1] if i else "")]
    if not places:
        return None
    at = dice.choice(places)
    return word[:at] + word[at] * dice.randint(4, 7) + word[at + 1 :]


def _marked(marks: str, least: int) -> Disguise:
    def disguise(word: str, dice: Random) -> str:
        return "".join(c + "".join(dice.choices(marks, k=dice.randint(least, 3))) for c in word)

    return disguise


def _shifted(first_small: int) -> Disguise:
    """Return a disguise that moves a-z to the alphabet that begins at ``first_small``."""

    def disguise(word: str, dice: Random) -> str | None:
        small = word.lower()
        return "".join(chr(first_small + ord(c) - 97) for c in small) if small.isascii() else None

    return disguise


def _by_table(table: dict[str, str], *, backwards: bool = False) -> Disguise:
    def disguise(word: str, dice: Random) -> str | None:
        small = word.lower()
        if not all(c in table for c in small):
            return None
        made = "".join(table[c] for c in small)
        return made[::-1] if backwards else made

    return disguise


DISGUISES: dict[str, Disguise] = {
    "zero width": _between("\u200b\u200c\u200d\u2060\ufeff"),
    "soft hyphen": _between("\u00ad", everywhere=False),
    "look-alikes": _doubles,
    "leet": _swap(_LEET, 2),
    "spaced": _between(" "),
    "vertical": _between("\n"),
    "dotted": _between("."),
    "dashed": _between("-"),
    "signs between": _between("*|~•·_"),
    "one sign": _between("*|~•", everywhere=False),
    "repeated": _repeat,
    "mixed case": lambda word, dice: "".join(dice.choice((c.lower(), c.upper())) for c in word),
    "zalgo": _marked("\u0300\u0301\u0302\u0310\u0311\u0316\u0323\u0330\u0334\u0347\u034a\u0353", 2),
    "struck through": _marked("\u0336", 1),
    "bracketed": lambda word, dice: "".join(f"({c})" for c in word),
    "right to left": lambda word, dice: f"\u202e{word[::-1]}\u202c",
    "full width": _shifted(0xFF41),
    "mathematical": _shifted(0x1D41A),
    "circled": _shifted(0x24D0),
    "boxed": _shifted(0x1F170),
    "small capitals": _by_table(_SMALL),
    "upside down": _by_table(_TURNED, backwards=True),
}
"""By name; a disguise returns None for a word it does not fit."""


@dataclass(frozen=True)
class Recovery:
    """How many disguised words of a kind came back, and one that did not."""

    n_words: int
    n_recovered: int

    @property
    def share(self) -> float:
        """Return the share recovered, in [0, 1]; 1 without words."""
        return self.n_recovered / self.n_words if self.n_words else 1.0


def disguise_word(text: str, disguise: Disguise, dice: Random) -> str | None:
    """Return ``text`` with one word of four to fourteen letters disguised, or None if none fits."""
    places = [m.span() for m in _WORD.finditer(text)]
    if not places:
        return None
    start, end = dice.choice(places)
    made = disguise(text[start:end], dice)
    return None if made is None or made == text[start:end] else text[:start] + made + text[end:]


def measure(texts: list[str], language: str | None, *, seed: int = 7) -> tuple[dict[str, Recovery], list[list[str]]]:
    """Disguise one word of each text in each way; a word is recovered if the whole match form is as without it.

    Returns:
        recoveries by name of the disguise, and rows (name, disguised text, its form, the clean form) of what was not.
    """
    dice = Random(seed)
    found: dict[str, Recovery] = {}
    lost: list[list[str]] = []
    for name, disguise in DISGUISES.items():
        n = good = 0
        for text in texts:
            made = disguise_word(text, disguise, dice)
            if made is None:
                continue
            clean, form = match_form(text, language)[0], match_form(made, language)[0]
            n += 1
            good += form == clean
            if form != clean:
                lost.append([name, made, form, clean])
        found[name] = Recovery(n, good)
    return found, lost


def altered(text: str, language: str | None) -> bool:
    """Say whether the match form of ``text`` differs from its folded form."""
    return match_form(text, language)[0] != fold_with_offsets(text)[0]

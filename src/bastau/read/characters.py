"""What each Unicode character becomes when text is folded, as arrays that kernels can index.

Built once a process from :mod:`unicodedata`. Unicode never changes the decomposition or case folding of a
character once it is assigned, so Python versions differ only in characters newer than the older of them.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np

# Values of CharacterTable.action below zero; 0 is a gap (space) and a positive value the character it becomes.
DROP = -1
MARK = -2
SEQUENCE = -3
"""Values from here downwards: ``SEQUENCE - value`` is the row in ``sequence_starts``."""

TABLE_SIZE = 0x32400
"""First code point beyond the table; further up are only tags, selectors (dropped) and private use (gaps)."""
TAGS_START, TAGS_END = 0xE0000, 0xE1000

# Marks that decorate letters. Those of Indic, Thai and other scripts spell vowels and stay.
_DECORATIONS = (
    (0x0300, 0x0370), (0x0483, 0x048A), (0x0591, 0x05C8), (0x0610, 0x061B), (0x064B, 0x0660), (0x0670, 0x0671),
    (0x06D6, 0x06EE), (0x1AB0, 0x1B00), (0x1DC0, 0x1E00), (0x20D0, 0x2100), (0xFE20, 0xFE30),
)  # fmt: skip
_APOSTROPHES = "'`´‘’‛ʹʻʼʽˈ＇"
_IGNORABLE = "\u115f\u1160\u17b4\u17b5\u3164\uffa0ـ"  # fillers that show as nothing, and the Arabic tatweel
_SIGNS = "№™℠®©"  # would become the letters No, TM, SM


@dataclass(frozen=True)
class CharacterTable:
    """Folding of every character.

    Attributes:
        action: int32 (TABLE_SIZE,): the character it becomes, or 0, DROP, MARK, or <= SEQUENCE.
        sequence_starts: int64 (k + 1,) bounds of each sequence in ``sequence_chars``.
        sequence_chars: int32, characters of the sequences; 0 is a gap.
        pair_keys: int64, ascending, ``letter << 21 | mark`` of folded letters that a mark turns into another one.
        pair_chars: int32, the letter each pair becomes.
        growth: most UTF-8 bytes one byte of input can become, gap included.
    """

    action: np.ndarray
    sequence_starts: np.ndarray
    sequence_chars: np.ndarray
    pair_keys: np.ndarray
    pair_chars: np.ndarray
    growth: int


def is_mark(char: str) -> bool:
    """Say whether ``char`` only decorates the letter before it."""
    return any(first <= ord(char) < end for first, end in _DECORATIONS) and unicodedata.category(char) in ("Mn", "Me")


def fold_character(char: str) -> str:
    """Return what ``char`` becomes on its own: letters and digits, a space for each gap, or nothing.

    NFKC and full case folding until stable, digits of any script as 0-9, ё as е, marks and invisible
    characters gone. A mark alone becomes nothing; joining it to its letter is the caller's part.
    """
    if char in _APOSTROPHES or char in _IGNORABLE or TAGS_START <= ord(char) < TAGS_END:
        return ""
    if char in _SIGNS:
        return " "
    folded, before = char, ""
    while folded != before:
        before, folded = folded, unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold())
    return "".join(_keep(c) for c in folded)


def _keep(char: str) -> str:
    if char == "ё":
        return "е"
    category = unicodedata.category(char)
    if category == "Cf" or 0xFE00 <= ord(char) < 0xFE10 or char in _APOSTROPHES or char in _IGNORABLE or is_mark(char):
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(char))
    return char if category[0] in "LMN" else " "


@cache
def character_table() -> CharacterTable:
    """Return the table; about 0.1 s the first time in a process."""
    chars = [chr(cp) for cp in range(TABLE_SIZE)]
    action = np.zeros(TABLE_SIZE, np.int32)
    sequences: list[str] = []
    pairs: dict[int, int] = {}
    growth = 1.0
    for cp, (char, category) in enumerate(zip(chars, map(unicodedata.category, chars), strict=True)):
        if category in ("Cn", "Co", "Cs"):
            continue
        if category == "Lo" and unicodedata.is_normalized("NFKC", char) and char not in _IGNORABLE:
            action[cp] = cp  # most characters: letters without case
            continue
        folded = fold_character(char)
        if is_mark(char):
            action[cp] = MARK
        elif not folded:
            action[cp] = DROP
        elif not folded.strip():
            action[cp] = 0
        elif len(folded) == 1:
            action[cp] = ord(folded)
        else:
            action[cp] = SEQUENCE - len(sequences)
            sequences.append(folded)
        if folded.strip():
            growth = max(growth, (len(folded.encode()) + 1) / len(char.encode()))
            _add_pair(pairs, char, folded)
    _add_doubled_marks(pairs)
    keys = np.array(sorted(pairs), np.int64)
    starts = np.cumsum([0, *map(len, sequences)])
    points = [0 if c == " " else ord(c) for c in "".join(sequences)]
    return CharacterTable(
        action=action,
        sequence_starts=starts.astype(np.int64),
        sequence_chars=np.array(points, np.int32),
        pair_keys=keys,
        pair_chars=np.array([pairs[k] for k in keys.tolist()], np.int32),
        growth=int(np.ceil(growth)),
    )


def _add_pair(pairs: dict[int, int], char: str, folded: str) -> None:
    """Note that the letter and the mark in the canonical decomposition of ``char`` make its folded form."""
    parts = unicodedata.decomposition(char).split()
    if len(parts) != 2 or parts[0].startswith("<") or not unicodedata.is_normalized("NFC", char):
        return
    letter, mark = (chr(int(part, 16)) for part in parts)
    base = fold_character(letter)
    if is_mark(mark) and len(base) == len(folded) == 1:
        pairs[ord(base) << 21 | ord(mark)] = ord(folded)


def _add_doubled_marks(pairs: dict[int, int]) -> None:
    """Add the pairs of the four marks that Unicode keeps only as other spellings of one or two marks."""
    for key, joined in list(pairs.items()):
        letter, mark = key >> 21, key & (1 << 21) - 1
        for spelling in "\u0340\u0341\u0343\u0344":
            marks = unicodedata.normalize("NFD", spelling)
            if ord(marks[0]) != mark:
                continue
            full = joined if len(marks) == 1 else pairs.get(joined << 21 | ord(marks[1]))
            if full is not None:
                pairs[letter << 21 | ord(spelling)] = full

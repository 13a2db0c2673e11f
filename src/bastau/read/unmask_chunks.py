"""Which runs of characters between spaces may hide a word, told in one pass over UTF-8 buffers.

What is not odd here has nothing that :func:`bastau.read.unmask.hidden_word` would write out: numbers, links, handles, and words of one script, with
signs around them that stand for no letter. The odd ones are few, and are looked at one by one.
"""

import re
from functools import cache

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.read.characters import fold_character
from bastau.read.masks import look_alikes
from bastau.tables import utf8_buffers
from bastau.utf8 import char_at

_TABLE = 0x20000
ODD, LATIN, CYRILLIC, CYRILLIC_ALIKE, DIGIT, SIGN, SPACE = range(7)
_ALNUM = 16
"""Added to the kind of a letter or digit, as Python tells them."""
_LETTERS = re.compile("[А-Яа-яЁёӘәҒғҚқҢңӨөҰұҮүІіҺһ]")
_LONGEST = 5
SPACED = 3
"""Single letters in a row that may be a word written with spaces (as in bastau.read.unmask)."""
_SIGNS = (
    (0x21, 0x30), (0x3A, 0x41), (0x5B, 0x61), (0x7B, 0x7F), (0xA1, 0xC0), (0x2010, 0x2028), (0x2030, 0x205F), (0x2190, 0x2200),
    (0x2500, 0x27C0), (0x2B00, 0x2C00), (0xFE0F, 0xFE10), (0x1F300, 0x1FB00),
)  # fmt: skip
QUIET, HIDES, UNKNOWN = range(3)


@cache
def _kinds() -> tuple[np.ndarray, np.ndarray]:
    """Return the kind of each character, uint8, and its lower case, int32."""
    kinds = np.zeros(_TABLE, np.uint8)
    lower = np.arange(_TABLE, dtype=np.int32)
    for cp in range(0x530):
        small = chr(cp).lower()
        lower[cp] = ord(small) if len(small) == 1 else cp
    lower[ord("ё")] = lower[ord("Ё")] = ord("е")
    doubles = look_alikes().strict_latin
    for first, end in ((0x41, 0x5B), (0x61, 0x7B)):
        kinds[first:end] = LATIN
    for cp in range(0x400, 0x530):
        if _LETTERS.fullmatch(chr(cp)):
            kinds[cp] = CYRILLIC_ALIKE if chr(lower[cp]) in doubles else CYRILLIC
    kinds[0x30:0x3A] = DIGIT
    for first, end in _SIGNS:
        for cp in range(first, end):
            shown = fold_character(chr(cp)).strip()
            if not shown and not chr(cp).isalnum() and chr(cp) not in "$€£@":
                kinds[cp] = SIGN
    for cp in range(_TABLE):
        kinds[cp] += _ALNUM * chr(cp).isalnum()
    for cp in range(0x3001):
        if chr(cp).isspace():
            kinds[cp] = SPACE
    return kinds, lower


@nb.njit(nogil=True, cache=True)
def _is_link(data, i, end):  # type: ignore[no-untyped-def]
    """Tell whether ``data[i:end]`` is http:// or https:// and more, after opening brackets."""
    while i < end and (data[i] == 91 or data[i] == 40):
        i += 1
    http = (104, 116, 116, 112)
    if end - i < 9:
        return False
    for k in range(4):
        if data[i + k] != http[k]:
            return False
    i += 5 if data[i + 4] == 115 else 4
    return data[i] == 58 and data[i + 1] == 47 and data[i + 2] == 47 and end > i + 3


@nb.njit(nogil=True, cache=True)
def _is_handle(data, start, end):  # type: ignore[no-untyped-def]
    """Tell whether ``data[start:end]`` is @ and a name of ASCII letters, digits and _, and marks behind it."""
    i = start + 1
    while i < end and (48 <= data[i] <= 57 or 65 <= data[i] <= 90 or 97 <= data[i] <= 122 or data[i] == 95):
        i += 1
    if data[start] != 64 or i == start + 1:
        return False
    while i < end:
        if not (data[i] == 46 or data[i] == 44 or data[i] == 58 or data[i] == 59 or data[i] == 33 or data[i] == 63):
            return False
        i += 1
    return True


@nb.njit(nogil=True, cache=True)
def _is_odd(data, start, end, kinds, lower):  # type: ignore[no-untyped-def]
    """Tell whether the characters of one chunk may hide a word."""
    n_latin = n_cyrillic = n_alike = n_digits = 0
    is_strange = is_parted = is_over = False  # over: signs stand behind the word
    last, n_same = np.int64(-1), 0
    i = start
    while i < end:
        cp, i = char_at(data, i, end)
        kind = int(kinds[cp]) & 15
        small = np.int64(lower[cp])
        n_same = n_same + 1 if small == last else 1
        last = small
        if n_same == 3 and kind not in (SIGN, DIGIT):
            return True
        if kind == SIGN:
            is_over = n_latin + n_cyrillic + n_digits > 0
            continue
        is_parted |= is_over
        is_strange |= kind == ODD
        n_latin += kind == LATIN
        n_cyrillic += kind in (CYRILLIC, CYRILLIC_ALIKE)
        n_alike += kind == CYRILLIC_ALIKE
        n_digits += kind == DIGIT
    n_letters = n_latin + n_cyrillic
    if is_strange:
        return not (_is_link(data, start, end) or _is_handle(data, start, end))
    if n_letters == 0:
        return False
    is_word = n_digits == 0 and not is_parted and n_letters > 1
    if is_word and (n_cyrillic == 0 or (n_latin == 0 and n_alike < n_cyrillic)):
        return False
    return not (_is_link(data, start, end) or _is_handle(data, start, end))


@nb.njit(nogil=True, cache=True)
def _scan(offsets, data, chosen, kinds, lower, states):  # type: ignore[no-untyped-def]
    """Write the state of each chosen row, and return (row, start, end) of the odd chunks."""
    room = 1024
    odd = np.empty((room, 3), np.int64)
    n = 0
    for row in range(len(offsets) - 1):
        if not chosen[row]:
            continue
        i, end = offsets[row], offsets[row + 1]
        n_single = 0
        while i < end:
            start = i
            n_chars = n_alnum = 0
            while i < end:
                cp, after = char_at(data, i, end)
                if cp >= _TABLE:
                    states[row] = UNKNOWN
                    break
                if kinds[cp] == SPACE:
                    break
                if cp in (0x202D, 0x202E):  # overrides
                    states[row] = HIDES
                n_chars += 1
                n_alnum += kinds[cp] >= _ALNUM
                i = after
            if states[row] == UNKNOWN:
                break
            if i > start:
                n_single = n_single + 1 if n_chars < _LONGEST and n_alnum == 1 else 0
                if n_single == SPACED:
                    states[row] = HIDES
                if _is_odd(data, start, i, kinds, lower):
                    if n == room:
                        wider = np.empty((2 * room, 3), np.int64)
                        wider[:room] = odd
                        odd = wider
                        room *= 2
                    odd[n, 0], odd[n, 1], odd[n, 2] = row, start, i
                    n += 1
            if i < end:
                _, i = char_at(data, i, end)
    return odd[:n].copy()


def odd_chunks(texts: pa.Array | pa.ChunkedArray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the runs of characters that may hide a word in the ``chosen`` texts, bool (n,).

    Returns:
        uint8 (n,): HIDES where letters stand apart in a row or an override turns the text, UNKNOWN where rare characters
        want the slow look at the whole text, else QUIET; int64 (m, 3): row, start and end of each odd chunk; and the
        UTF-8 bytes that start and end are places in.
    """
    offsets, data = utf8_buffers(texts)
    states = np.zeros(len(offsets) - 1, np.uint8)
    return states, _scan(offsets, data, chosen, *_kinds(), states), data

"""Which texts may hide a word from matching, told in one pass over UTF-8 buffers.

Only these texts take the slow path of :mod:`bastau.read.unmask`; the others match as folded.
"""

from functools import cache

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.read.masks import look_alikes
from bastau.tables import utf8_buffers
from bastau.utf8 import char_at

OTHER, LATIN, CYRILLIC, DIGIT, SPACE, INVISIBLE, MARK, SIGN, DOT, FOREIGN, ALWAYS = range(11)
_TABLE_SIZE = 0x20000
_ALIKE = 16
"""Added to the class of a Latin or Cyrillic letter that also looks like one of the other script."""
_SIGNS = "@$!|*_~^+=\\•·€£¥¢¡§#"
_INVISIBLE = "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\u3164\ufeff\uffa0"
_OVERRIDES = "\u202d\u202e"


@cache
def _classes() -> tuple[np.ndarray, np.ndarray]:
    """Return the class of each character, uint8, and its lower case, int32."""
    classes = np.zeros(_TABLE_SIZE, np.uint8)
    lower = np.arange(_TABLE_SIZE, dtype=np.int32)
    for cp in range(0x600):
        small = chr(cp).lower()
        lower[cp] = ord(small) if len(small) == 1 else cp
    for first, end, of in (
        (0x30, 0x3A, DIGIT), (0x41, 0x5B, LATIN), (0x61, 0x7B, LATIN), (0xC0, 0x250, LATIN), (0x250, 0x2B0, FOREIGN),
        (0x300, 0x370, MARK), (0x370, 0x400, FOREIGN), (0x400, 0x530, CYRILLIC), (0x531, 0x588, FOREIGN),
        (0x13A0, 0x1400, FOREIGN), (0x1D00, 0x1D80, FOREIGN), (0x1E00, 0x1F00, LATIN), (0x1F130, 0x1F18A, ALWAYS),
        (0xFF10, 0xFF1A, DIGIT), (0xFF21, 0xFF3B, LATIN), (0xFF41, 0xFF5B, LATIN), (0x1D400, 0x1D6A4, LATIN),
        (0x1D7CE, 0x1D800, DIGIT), (0x24B6, 0x24EA, LATIN), (0x20D0, 0x20F1, MARK), (0x1AB0, 0x1ACF, MARK), (0xFE00, 0xFE10, INVISIBLE),
    ):  # fmt: skip
        classes[first:end] = of
    for sign in "×÷":
        classes[ord(sign)] = OTHER
    for chars, of in (
        (_SIGNS, SIGN),
        (_INVISIBLE, INVISIBLE),
        (_OVERRIDES, ALWAYS),
        (".,", DOT),
        (" \t\n\r\u00a0", SPACE),
    ):
        for char in chars:
            classes[ord(char)] = of
    alike = look_alikes()
    for char in "аеосрхуікмтһабвн":
        classes[ord(char)] = CYRILLIC + _ALIKE * (char in alike.strict_latin)
        classes[ord(char.upper())] = classes[ord(char)]
    for char in "abcdefghijklmnopqrstuvwxyz":
        classes[ord(char)] = LATIN + _ALIKE * (char in alike.strict_cyrillic)
        classes[ord(char.upper())] = classes[ord(char)]
    for char in (*alike.small, *(c for c in alike.turned if not c.isascii())):
        classes[ord(char)] = ALWAYS if ord(char) not in range(0xC0, 0x250) else classes[ord(char)]
    classes[ord("ı")] = LATIN
    return classes, lower


@nb.njit(nogil=True, cache=True)
def lower_at(data, i, end, lower):  # type: ignore[no-untyped-def]
    """Say whether the character at ``data[i]`` is in lower case, or has none."""
    cp, _ = char_at(data, i, end)
    return cp >= len(lower) or lower[cp] == cp


@nb.njit(nogil=True, cache=True)
def _scan_row(data, start, end, classes, lower):  # type: ignore[no-untyped-def]
    """Return why ``data[start:end]`` may hide a word (any number but 0), or 0."""
    n_latin = n_cyrillic = 0
    cyrillic_alike = False  # a whole word of letters that look Latin
    # the run of letters, digits and signs just read
    run_latin = run_cyrillic = run_foreign = run_plain = 0  # plain: letters like none of the other script
    run_letters = digits_before = digits_now = 0
    piece = 0  # letters since the last gap within the run
    singles = 0  # one-letter words in a row
    gap = 3  # characters since the last letter
    last, repeats = np.int64(0), 0
    marks = 0
    sign_before = 0  # class of the single sign or dot that followed a letter
    in_tag = False  # behind a #
    seen_dot = False  # behind a dot in a Latin word: t.me/
    i = start
    while i <= end:
        cp, kind = np.int64(32), SPACE
        if i < end:
            b = data[i]
            if b < 0x80:
                cp = np.int64(b)
                i += 1
            else:
                cp, i = char_at(data, i, end)
            kind = int(classes[cp]) if cp < 0x20000 else OTHER
        else:
            i += 1
        if kind == INVISIBLE:
            continue
        if kind == MARK:
            marks += 1
            if piece > 0 and (marks > 1 or cp not in (0x301, 0x306, 0x308)):
                return 11
            continue
        marks = 0
        if kind == ALWAYS:
            return 12
        is_letter = kind & 15 == LATIN or kind & 15 == CYRILLIC or kind == FOREIGN
        if is_letter:
            small = np.int64(lower[cp])
            if small == last:
                repeats += 1
                if repeats >= 3 + (cp == 119):  # www
                    return 13
            else:
                last, repeats = small, 1
            if sign_before == SIGN:
                return 3
            if sign_before == DOT and piece == 1:  # the second letter behind a dot within a Cyrillic word
                if kind & 15 == CYRILLIC:
                    return 4
                sign_before = 0
            if digits_now:
                if run_letters and digits_now <= 2:
                    return 14
                if not run_letters:
                    digits_before = digits_now
                digits_now = 0
            if kind == FOREIGN:
                run_foreign += 1
            elif kind & 15 == LATIN:
                run_latin += 1
                n_latin += 1
                run_plain += kind < 16
            else:
                run_cyrillic += 1
                n_cyrillic += 1
                run_plain += kind < 16
            run_letters += 1
            piece += 1
            if run_foreign and (run_latin or run_cyrillic):
                return 15
            if run_latin and run_cyrillic:
                return 16
            gap = 0
            continue
        last, repeats = np.int64(0), 0
        if kind == DIGIT:
            digits_now += 1
            sign_before = 0
            gap += 1
            if piece:
                singles = 0
            piece = 0
            continue
        # any gap ends a piece
        if piece == 1:
            singles += 1
            if singles >= 4:
                return 17
        elif piece > 1:
            singles = 0
        gap += 1
        if gap > 3:
            singles = 0
        had_piece, long_piece = piece > 0, piece > 1
        piece = 0
        if cp == 35 or kind == SPACE:
            in_tag = cp == 35
        if kind == SIGN and cp == 64 and run_letters == 0 and digits_now == 0:  # a handle
            while i < end and (classes[data[i]] & 15 == LATIN or classes[data[i]] == DIGIT or data[i] == 95):
                i += 1
            continue
        if cp == 46 and had_piece and not run_cyrillic:
            seen_dot = True
        elif kind == SPACE:
            seen_dot = False
        is_address = cp == 58 and i + 1 < end and data[i] == 47 and data[i + 1] == 47
        if is_address or (cp == 47 and seen_dot and had_piece):
            while i < end and data[i] > 32:
                i += 1
            run_latin = run_cyrillic = run_foreign = run_letters = run_plain = digits_now = digits_before = 0
            singles, sign_before = 0, 0
            continue
        if kind in (SIGN, DOT):
            if had_piece and not sign_before and kind == DOT:
                # a dot inside a Cyrillic word: уб.ей, but neither т.е. nor дома.Потом
                if long_piece and run_cyrillic and i < end and data[i] >= 0xD0 and lower_at(data, i, end, lower):
                    sign_before = DOT
            elif (had_piece or (run_letters and digits_now)) and not sign_before:
                is_name = cp == 95 and (in_tag or not run_cyrillic)  # foo_bar, #слово_слово
                sign_before = 0 if is_name else SIGN
                if cp == 36:  # "$" may also end a word as a letter
                    return 18
            else:
                sign_before = 0
                if kind == SIGN and cp == 36 and i < end and classes[data[i]] & 15 == LATIN:
                    return 19
            if digits_now and kind == SIGN:
                digits_now = 0
            if kind == SIGN:
                continue
        else:
            sign_before = 0
        if run_letters >= 3 and (digits_before == 1 or 1 <= digits_now <= 2):
            return 20
        if run_letters >= 3 and run_plain == 0:
            cyrillic_alike |= run_cyrillic == run_letters
        run_latin = run_cyrillic = run_foreign = run_letters = run_plain = digits_now = digits_before = 0
    return 21 if cyrillic_alike and n_latin > n_cyrillic else 0


@nb.njit(nogil=True, cache=True)
def _scan_rows(offsets, data, classes, lower):  # type: ignore[no-untyped-def]
    flags = np.zeros(len(offsets) - 1, np.uint8)
    for row in range(len(flags)):
        flags[row] = _scan_row(data, offsets[row], offsets[row + 1], classes, lower)
    return flags


def needs_unmasking(texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Say for each text (as posted, not folded) whether it may hide a word; bool (rows,)."""
    return _scan_rows(*utf8_buffers(texts), *_classes()) > 0

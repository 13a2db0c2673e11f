"""Where sentences and clauses part in a text as posted, for the words of its folded form; told by a kernel.

The same as :mod:`bastau.read.rules.tokens` says, and a property test holds it so; but for what only quotations decide: there a clause
*may* begin.
"""

from functools import cache

import numba as nb
import numpy as np

from bastau.read.fold import fold_span
from bastau.read.rules.tokens import CLAUSE_SIGNS, CLOSERS
from bastau.utf8 import char_at

NONE, MAY_PART, CLAUSE, SENTENCE = range(4)
MAX_BYTES = 100_000
"""Bytes of a field that are looked at; a longer one is left to the slow look (tokens.MAX_CHARS)."""
_TABLE = 0x3003
_SPACE, _STOP, _PART, _CLOSE, _BEHIND_DOT = 1, 2, 4, 8, 16
_HYPHEN, _DOT, _COLON = 45, 46, 58


@cache
def marks() -> np.ndarray:
    """Return uint8 (n,): what each character does between words, as bits; those beyond do nothing."""
    table = np.array([chr(cp).isspace() for cp in range(_TABLE)], np.uint8)
    for chars, bit in (
        ("!?…؟。\n\r", _STOP),
        (CLAUSE_SIGNS, _PART),
        (CLOSERS, _CLOSE),
        ('"»”)', _BEHIND_DOT),
    ):
        for char in chars:
            table[ord(char)] |= bit
    return table


@nb.njit(nogil=True, cache=True, inline="always")
def _mark(cp, marks):  # type: ignore[no-untyped-def]
    return marks[cp] if cp < len(marks) else np.uint8(0)


@nb.njit(nogil=True, cache=True)
def gap_kind(data, start, end, marks, is_among_digits):  # type: ignore[no-untyped-def]
    """Return what ``data[start:end]`` between two words does: NONE, MAY_PART, CLAUSE or SENTENCE."""
    i = start
    parts = False
    dash = 0  # 1 behind a space, 2 behind a space and hyphens
    n_shown, shown = 0, np.int64(0)
    while i < end:
        cp, i = char_at(data, i, end)
        mark = _mark(cp, marks)
        if mark & _STOP:
            return SENTENCE
        if cp == _DOT:
            if i >= end:
                return SENTENCE
            after, _ = char_at(data, i, end)
            if _mark(after, marks) & (_SPACE | _BEHIND_DOT):
                return SENTENCE
        parts |= mark & _PART != 0
        if mark & _SPACE:
            parts |= dash == 2
            dash = 1
            continue
        dash = 2 if cp == _HYPHEN and dash else 0
        n_shown += 1
        shown = cp
    if n_shown == 1 and _mark(shown, marks) & _CLOSE:  # the sentence may run on behind a quotation
        return MAY_PART
    if not parts:
        return NONE
    return MAY_PART if n_shown == 1 and shown == _COLON and is_among_digits else CLAUSE


@nb.njit(nogil=True, cache=True, inline="always")
def _may_be_digit(b):  # type: ignore[no-untyped-def]
    return b >= 0x80 or 48 <= b <= 57


@nb.njit(nogil=True, cache=True)
def find_places(title, text, tables, out, origins, sentences, clauses, opens, joined):  # type: ignore[no-untyped-def]
    """Write for each word its sentence and clause, whether a clause may begin there, and whether a hyphen joins it to the next.

    Args:
        title: (data, start, end) of UTF-8 bytes.
        text: the same.
        tables: characters and markup of folding, and :func:`marks`.
        out: scratch that the folded bytes fit in.
        origins: scratch as long.
        sentences: to be filled, in this and the next three; they hold as many words as fit.
        clauses: clauses parted where they surely are.
        opens: where a clause may begin.
        joined: as in :class:`bastau.read.rules.tokens.Document`.

    Returns:
        the number of words, or -1 if they do not fit.
    """
    characters, markup, marks = tables
    n = sentence = clause = j = 0
    for field in range(2):
        data, start, end = title if field == 0 else text
        base = j
        j = fold_span(data, start, end, 0, j, characters, markup, out, origins)
        k = base + 1 if base and j > base else base  # behind the space that keeps the fields apart
        before = start  # where the word before ends
        is_first = True
        while k < j:
            if n == len(sentences):
                return -1
            here = origins[k]
            joined[n] = False
            kind = SENTENCE
            if not is_first:
                is_space = here == before + 1 and data[before] == 32
                is_among_digits = _may_be_digit(out[k - 2]) and _may_be_digit(out[k])
                kind = NONE if is_space else gap_kind(data, before, here, marks, is_among_digits)
                joined[n - 1] = here == before + 1 and data[before] == _HYPHEN
            sentence += kind == SENTENCE
            clause += kind >= CLAUSE
            sentences[n], clauses[n], opens[n] = sentence, clause, kind != NONE
            n += 1
            is_first = False
            while k < j and out[k] != 32:
                k += 1
            _, before = char_at(data, origins[k - 1], end)
            k += 1
    return n

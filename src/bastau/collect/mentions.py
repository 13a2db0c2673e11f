"""Plain ``@handle`` in columns of text: found and replaced without a Python object per post."""

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.tables import strings_from_buffers, utf8_buffers

_WORD, _JOIN = np.uint8(1), np.uint8(2)
_CLASS = np.zeros(256, np.uint8)
_CLASS[[*range(48, 58), *range(65, 91), *range(97, 123), ord("_")]] = _WORD
_CLASS[[ord("."), ord("-")]] = _JOIN


AT, CLOSER_LOOK = np.uint8(1), np.uint8(2)
"""Flags of :func:`flag_rows`: has an ``@``; may hold what only the patterns of ``handles`` find."""

_ENTITIES = np.frombuffer(b"compersollowUndcoldashypshyzwjzwnNoBZer", np.uint8).reshape(-1, 3)
# the first three letters of &commat; &period; &sol; &lowbar; &UnderBar; &colon; &dash; &hyphen; &shy; &zwj; ...


@nb.njit(nogil=True, cache=True)
def _is_joined(data, before, after, start, end):  # type: ignore[no-untyped-def]
    """Say whether both bytes belong to what a handle or address may be made of (2-byte letters included)."""
    if before < start or after >= end:
        return False
    b, a = data[before], data[after]
    good_a = a in (64, 47, 58) or _is_word(a) or 0xC3 <= a <= 0xDF
    while before > start and 0x80 <= data[before] < 0xC0:
        before -= 1
    lead = data[before]
    return good_a and (b in (64, 47, 58) or _is_word(b) or 0xC3 <= lead <= 0xDF)


@nb.njit(nogil=True, cache=True, inline="always")
def _is_word(c):  # type: ignore[no-untyped-def]
    return 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122 or c in (95, 45, 46)


@nb.njit(nogil=True, cache=True, inline="always")
def _is_invisible(p):  # type: ignore[no-untyped-def]
    return (
        p in (0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFEFF, 0xFFA0)
        or 0x200B <= p <= 0x200F or 0x202A <= p <= 0x202E or 0x2060 <= p <= 0x2064
        or 0x206A <= p <= 0x206F or 0xFE00 <= p <= 0xFE0F or 0xE0000 <= p <= 0xE007F
    )  # fmt: skip


@nb.njit(nogil=True, cache=True, inline="always")
def _is_lookalike(p):  # type: ignore[no-untyped-def]
    return (
        0xFF00 <= p <= 0xFFEF or 0xFE50 <= p <= 0xFE6F
        or (0x2100 <= p <= 0x214F and p not in (0x2116, 0x2122))
        or 0x2460 <= p <= 0x24FF or 0x1D400 <= p <= 0x1D7FF or 0x1F100 <= p <= 0x1F18F
    )  # fmt: skip


@nb.njit(nogil=True, cache=True)
def _is_entity(data, i, end, entities):  # type: ignore[no-untyped-def]
    i += 1
    while i + 4 <= end and data[i] == 97 and data[i + 1] == 109 and data[i + 2] == 112 and data[i + 3] == 59:
        i += 4
    if i < end and data[i] == 35:
        return True
    if i + 3 > end:
        return False
    for k in range(len(entities)):
        if data[i] == entities[k, 0] and data[i + 1] == entities[k, 1] and data[i + 2] == entities[k, 2]:
            return True
    return False


@nb.njit(nogil=True, cache=True, inline="always")
def _is_hex(c):  # type: ignore[no-untyped-def]
    return 48 <= c <= 57 or 65 <= c <= 70 or 97 <= c <= 102


@nb.njit(nogil=True, cache=True)
def _flag(offsets, data, entities, out):  # type: ignore[no-untyped-def]
    for row in range(len(out)):
        start, end = offsets[row], offsets[row + 1]
        flags = np.uint8(0)
        i = start
        while i < end:
            c = data[i]
            if c == 64:
                flags |= 1
                j = i + 1
                while j < end and _is_word(data[j]):
                    j += 1
                is_id = j - i > 3 and data[i + 1] == 105 and data[i + 2] == 100 and 48 <= data[i + 3] <= 57
                if (j < end and (data[j] in (64, 60) or data[j] >= 128)) or is_id:
                    flags |= 2
            elif c == 37:
                if i + 2 < end and _is_hex(data[i + 1]) and _is_hex(data[i + 2]):
                    flags |= 2
            elif c == 38:
                if _is_entity(data, i, end, entities):
                    flags |= 2
            elif c == 91:
                j = i + 1
                while j < end and _is_word(data[j]):
                    j += 1
                if j < end and j > i + 1 and (data[j] == 124 or data[j] >= 128):
                    flags |= 2
            elif c >= 128 and c not in (0xD0, 0xD1, 0xD2, 0xD3):
                size = 2 if c < 0xE0 else 3 if c < 0xF0 else 4
                if c >= 0xC0 and i + size <= end:
                    p = np.int64(c & (0x1F if size == 2 else 0x0F if size == 3 else 0x07))
                    for k in range(1, size):
                        p = (p << 6) | np.int64(data[i + k] & 0x3F)
                    if _is_lookalike(p) or (_is_invisible(p) and i > start and _is_joined_run(data, i, start, end)):
                        flags |= 2
                    i += size - 1
            if flags == 3:
                break
            i += 1
        out[row] = flags


@nb.njit(nogil=True, cache=True)
def _is_joined_run(data, i, start, end):  # type: ignore[no-untyped-def]
    """Say whether the run of invisible characters at ``i`` stands inside a word."""
    before = i - 1
    after = i
    while after < end and data[after] >= 128:
        c = data[after]
        size = 2 if c < 0xE0 else 3 if c < 0xF0 else 4
        if c < 0xC0 or after + size > end:
            break
        p = np.int64(c & (0x1F if size == 2 else 0x0F if size == 3 else 0x07))
        for k in range(1, size):
            p = (p << 6) | np.int64(data[after + k] & 0x3F)
        if not _is_invisible(p):
            break
        after += size
    return _is_joined(data, before, after, start, end)


def flag_rows(column: pa.Array) -> np.ndarray:
    """Return uint8 (n,): :data:`AT` and :data:`CLOSER_LOOK` of each text.

    A closer look is due for ``@a@b``, a handle beside letters outside ASCII, ``[id1|Name]``, entities, percent-escapes,
    look-alike letters, and invisible characters inside words (METHODS, obfuscation).
    """
    offsets, data = utf8_buffers(column)
    out = np.zeros(len(offsets) - 1, np.uint8)
    _flag(offsets, data, _ENTITIES, out)
    return out


@nb.njit(nogil=True, cache=True)
def _find(offsets, data, rows, classes, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (m, 3) with (row, start, end) of handles, without their ``@``; returns how many there are.

    ``out`` may be too small; the caller then comes back with a larger one.
    """
    n = 0
    for r in range(len(rows)):
        row = rows[r]
        start, end = offsets[row], offsets[row + 1]
        i = start
        while i < end:
            if data[i] != 64:
                i += 1
                continue
            first = i + 1
            last = first
            has_dot = False
            while last < end and classes[data[last]] != 0:
                has_dot = has_dot or data[last] == 46
                last += 1
            stop = last
            while last > first and classes[data[last - 1]] != 1:
                last -= 1
            joined = i > start and (classes[data[i - 1]] != 0 or data[i - 1] == 43)
            is_email = joined and has_dot
            is_done = (
                stop - first == 1 and data[first] == 112 and stop < end and data[stop] == 126
            )  # "@p~": done already
            if last > first and not is_email and not is_done:
                if n < len(out):
                    out[n, 0] = row
                    out[n, 1] = first
                    out[n, 2] = last
                n += 1
            i = max(stop, i + 1)
    return n


@nb.njit(nogil=True, cache=True)
def _splice(offsets, data, spans, new_offsets, new_data, chosen, out_offsets, out):  # type: ignore[no-untyped-def]
    k = 0
    position = 0
    for row in range(len(offsets) - 1):
        i = offsets[row]
        while k < len(spans) and spans[k, 0] == row:
            if chosen[k] >= 0:
                size = spans[k, 1] - i
                out[position : position + size] = data[i : spans[k, 1]]
                position += size
                start, end = new_offsets[chosen[k]], new_offsets[chosen[k] + 1]
                out[position : position + end - start] = new_data[start:end]
                position += end - start
                i = spans[k, 2]
            k += 1
        size = offsets[row + 1] - i
        out[position : position + size] = data[i : offsets[row + 1]]
        position += size
        out_offsets[row + 1] = position


def find_mentions(column: pa.Array, rows: np.ndarray) -> tuple[np.ndarray, pa.Array]:
    """Return spans int64 (m, 3) of (row, first byte, end) in the column's data, ordered, and the handles (m,).

    A handle is ASCII letters, digits and ``_``, with ``.`` and ``-`` inside. ``name@host.tld`` is an address and none.

    Args:
        rows: int64, the rows to look at, ascending.
    """
    offsets, data = utf8_buffers(column)
    spans = np.empty((max(1024, 2 * len(rows)), 3), np.int64)
    n = _find(offsets, data, rows, _CLASS, spans)
    if n > len(spans):
        spans = np.empty((n, 3), np.int64)
        _find(offsets, data, rows, _CLASS, spans)
    spans = spans[:n]
    sizes = spans[:, 2] - spans[:, 1]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    flat = np.arange(starts[-1]) + np.repeat(spans[:, 1] - starts[:-1], sizes)
    return spans, strings_from_buffers(starts, data[flat] if len(flat) else np.zeros(0, np.uint8))


def replace_spans(column: pa.Array, spans: np.ndarray, chosen: np.ndarray, words: list[str]) -> pa.Array:
    """Return the column with span k replaced by ``words[chosen[k]]``, or left alone where ``chosen[k]`` is -1."""
    offsets, data = utf8_buffers(column)
    return _spliced(offsets, data, spans, chosen, pa.array(words, pa.string()))


def _spliced(offsets: np.ndarray, data: np.ndarray, spans: np.ndarray, chosen: np.ndarray, words: pa.Array) -> pa.Array:
    new_offsets, new_data = utf8_buffers(words)
    used = chosen >= 0
    gained = np.diff(new_offsets)[chosen[used]].sum() - (spans[used, 2] - spans[used, 1]).sum()
    out = np.empty(int(offsets[-1] - offsets[0] + gained), np.uint8)
    out_offsets = np.zeros(len(offsets), np.int64)
    _splice(offsets, data, spans, new_offsets, new_data, np.ascontiguousarray(chosen, np.int64), out_offsets, out)
    return strings_from_buffers(out_offsets, out)


@nb.njit(nogil=True, cache=True)
def _word_at(data, i, end, words, first, last):  # type: ignore[no-untyped-def]
    """Return the bytes of the word in lower case that stands at ``i`` in any case, with no ASCII letter or digit after."""
    n = last - first
    if n < 3 or i + n > end:
        return 0
    for k in range(n):
        c = data[i + k]
        if 65 <= c <= 90:
            c += 32
        if c != words[first + k]:
            return 0
    return 0 if i + n < end and _is_alnum(data[i + n]) else n


@nb.njit(nogil=True, cache=True, inline="always")
def _is_alnum(c):  # type: ignore[no-untyped-def]
    return 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122


@nb.njit(nogil=True, cache=True)
def _find_words(offsets, data, a_at, a, b_at, b, c_at, c, new_at, spans):  # type: ignore[no-untyped-def]
    """Fill ``spans`` with (row, start, end) of the words of each row; returns how many there are, more than fit or not."""
    found = 0
    starts = np.zeros(256, np.bool_)
    for row in range(len(offsets) - 1):
        if new_at[row + 1] == new_at[row]:
            continue
        for at, words in ((a_at, a), (b_at, b), (c_at, c)):
            if at[row + 1] - at[row] >= 3:
                starts[words[at[row]]] = True
        i, end = offsets[row], offsets[row + 1]
        before = np.uint8(0)
        while i < end:
            first = data[i]
            low = first + 32 if 65 <= first <= 90 else first
            n = 0
            if starts[low] and not _is_alnum(before):
                n = _word_at(data, i, end, a, a_at[row], a_at[row + 1])
                if n == 0:
                    n = _word_at(data, i, end, b, b_at[row], b_at[row + 1])
                if n == 0:
                    n = _word_at(data, i, end, c, c_at[row], c_at[row + 1])
            if n:
                if found < len(spans):
                    spans[found, 0], spans[found, 1], spans[found, 2] = row, i, i + n
                found += 1
            i += max(n, 1)
            before = data[i - 1]
        for at, words in ((a_at, a), (b_at, b), (c_at, c)):
            if at[row + 1] - at[row] >= 3:
                starts[words[at[row]]] = False
    return found


def replace_words(column: pa.Array, words: list[pa.Array], new: pa.Array) -> pa.Array:
    """Return the column with the words of each row replaced by its ``new``; rows with an empty ``new`` stay.

    Args:
        words: three columns of words in lower case, tried in this order, found in any case (ASCII) where no ASCII letter
            or digit stands beside them; empty or shorter than three bytes: none (they are words of the language far
            more often than the author).
    """
    offsets, data = utf8_buffers(column)
    parts = [buffer for words_of in (*words, new) for buffer in utf8_buffers(words_of)][:-1]
    spans = np.empty((max(1024, len(column)), 3), np.int64)
    n = _find_words(offsets, data, *parts, spans)
    if n > len(spans):
        spans = np.empty((n, 3), np.int64)
        _find_words(offsets, data, *parts, spans)
    if n == 0:
        return column
    return _spliced(offsets, data, spans[:n], spans[:n, 0], new)

"""HTML entities and tags as they turn up in posts: kernels over UTF-8 bytes, and the names they know."""

from functools import cache
from html.entities import name2codepoint

import numba as nb
import numpy as np

from bastau.read.addresses import is_alnum

MAX_TAG = 1024
"""A tag with more bytes between its brackets is no tag; bounds the search for its end."""

_INLINE = "a b big code del em font i ins kbd mark q s samp small span strike strong sub sup tt u var wbr"
_BLOCK = (
    "article aside audio blockquote body br button center dd details div dl dt embed figure footer form h1 h2 h3 h4 h5 h6 "
    "head header hr html iframe img input label li link main meta nav noscript object ol option p picture pre script "
    "section select source style summary svg table tbody td textarea tfoot th thead time title tr ul video"
)


def _pack(name: str) -> int:
    return int.from_bytes(name.encode(), "big")


@cache
def entities() -> tuple[np.ndarray, np.ndarray]:
    """Return the named entities of HTML 4 as (packed names uint64 ascending, code points int32)."""
    packed = sorted((_pack(name), cp) for name, cp in {**name2codepoint, "apos": 39}.items())
    return np.array([p for p, _ in packed], np.uint64), np.array([cp for _, cp in packed], np.int32)


@cache
def tags() -> tuple[np.ndarray, np.ndarray]:
    """Return the names of tags as (packed names uint64 ascending, bool: stands inside a word)."""
    packed = sorted([(_pack(n), True) for n in _INLINE.split()] + [(_pack(n), False) for n in _BLOCK.split()])
    packed = [(p, inline) for p, inline in packed if p < 2**64]
    return np.array([p for p, _ in packed], np.uint64), np.array([inline for _, inline in packed], np.bool_)


@nb.njit(nogil=True, cache=True)
def _find(keys, key):  # type: ignore[no-untyped-def]
    at = np.searchsorted(keys, key)
    return at if at < len(keys) and keys[at] == key else -1


@nb.njit(nogil=True, cache=True)
def read_entity(data, i, end, names, chars):  # type: ignore[no-untyped-def]
    """Return (code point, index after it) of the entity at the ``&`` at ``i``; (-1, i + 1) when there is none.

    ``&amp;quot;`` counts as one: feeds escape twice. A number that is no character becomes a space.
    """
    cp, after = _one_entity(data, i, end, names, chars)
    while cp == 38:
        inner, inner_after = _one_entity(data, after - 1, end, names, chars)
        if inner < 0:
            break
        cp, after = inner, inner_after
    return cp, after


@nb.njit(nogil=True, cache=True)
def _one_entity(data, i, end, names, chars):  # type: ignore[no-untyped-def]
    """Read the entity whose ``&`` (or, escaped twice, the ``;`` of ``&amp;``) is at ``i``."""
    k = i + 1
    if k < end and data[k] == 35:  # "#"
        k += 1
        is_hex = k < end and data[k] | 0x20 == 120
        k += is_hex
        first = k
        value = 0
        while k < end and k - first < 7:
            b = int(data[k])
            if 48 <= b <= 57:
                value = value * (16 if is_hex else 10) + b - 48
            elif is_hex and 97 <= b | 0x20 <= 102:
                value = value * 16 + (b | 0x20) - 87
            else:
                break
            k += 1
        if k == first or k >= end or data[k] != 59:
            return -1, i + 1
        if value == 0 or value > 0x10FFFF or 0xD800 <= value < 0xE000:
            value = 32
        return value, k + 1
    packed = np.uint64(0)
    while k < end and k - i <= 8 and is_alnum(data[k]):
        packed = packed << np.uint64(8) | np.uint64(data[k])
        k += 1
    if k >= end or data[k] != 59:
        return -1, i + 1
    at = _find(names, packed)
    if at < 0:
        return -1, i + 1
    return np.int64(chars[at]), k + 1


@nb.njit(nogil=True, cache=True)
def read_tag(data, i, end, names, inline):  # type: ignore[no-untyped-def]
    """Return (kind, index after it) of the tag at the ``<`` at ``i``: -1 no tag, 0 a gap, 1 inside a word."""
    k = i + 1
    if k < end and data[k] == 47:
        k += 1
    packed = np.uint64(0)
    first = k
    while k < end and k - first <= 8 and is_alnum(data[k]):
        upper = 65 <= data[k] <= 90
        packed = packed << np.uint64(8) | np.uint64(data[k] + (32 if upper else 0))
        k += 1
    if k == first or k - first > 8:
        return -1, i + 1
    at = _find(names, packed)
    if at < 0 or (k < end and data[k] not in (9, 10, 13, 32, 47, 62)):
        return -1, i + 1
    while k < end and k - i <= MAX_TAG:
        if data[k] == 62:
            return np.int64(inline[at]), k + 1
        if data[k] == 60:
            return -1, i + 1
        k += 1
    return -1, i + 1

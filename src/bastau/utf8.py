"""Characters in UTF-8 buffers, for numba kernels."""

import numba as nb
import numpy as np


@nb.njit(nogil=True, cache=True)
def char_at(data, i, end):  # type: ignore[no-untyped-def]
    """Return (code point int64, index after it) of the character at ``data[i]`` (uint8), ``i < end``.

    Never reads at or beyond ``end``. A byte that starts no whole character stands for itself, so that
    malformed input moves forward instead of looping.
    """
    b = np.int64(data[i])
    if b < 0xC2:
        return b, i + 1
    if b < 0xE0:
        if i + 1 < end:
            return (b & 0x1F) << 6 | (np.int64(data[i + 1]) & 0x3F), i + 2
    elif b < 0xF0:
        if i + 2 < end:
            return (
                (b & 0x0F) << 12 | (np.int64(data[i + 1]) & 0x3F) << 6 | (np.int64(data[i + 2]) & 0x3F),
                i + 3,
            )
    elif b < 0xF5 and i + 3 < end:
        return (
            (b & 0x07) << 18
            | (np.int64(data[i + 1]) & 0x3F) << 12
            | (np.int64(data[i + 2]) & 0x3F) << 6
            | (np.int64(data[i + 3]) & 0x3F),
            i + 4,
        )
    return b, i + 1


@nb.njit(nogil=True, cache=True)
def put_char(out, j, cp):  # type: ignore[no-untyped-def]
    """Write code point ``cp`` at ``out[j]`` (uint8, room for 4) and return the index after it."""
    if cp < 0x80:
        out[j] = cp
        return j + 1
    if cp < 0x800:
        out[j] = 0xC0 | cp >> 6
        out[j + 1] = 0x80 | cp & 0x3F
        return j + 2
    if cp < 0x10000:
        out[j] = 0xE0 | cp >> 12
        out[j + 1] = 0x80 | cp >> 6 & 0x3F
        out[j + 2] = 0x80 | cp & 0x3F
        return j + 3
    out[j] = 0xF0 | cp >> 18
    out[j + 1] = 0x80 | cp >> 12 & 0x3F
    out[j + 2] = 0x80 | cp >> 6 & 0x3F
    out[j + 3] = 0x80 | cp & 0x3F
    return j + 4

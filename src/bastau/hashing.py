"""64-bit keys over Arrow string columns, and the ids people see.

The hash is XXH64 (Collet, xxHash specification 0.1.1). It is stable across machines, engines and
releases, because it is stored. It is not secret: where a collision would matter, compare the strings too.
Expected colliding pairs among n keys: n^2 / 2^65, about 3e-8 for a million.
"""

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.tables import strings_from_buffers, utf8_buffers

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


@nb.njit(nogil=True, cache=True, inline="always")
def _rotl(x, r):  # type: ignore[no-untyped-def]
    return (x << np.uint64(r)) | (x >> np.uint64(64 - r))


@nb.njit(nogil=True, cache=True, inline="always")
def _round(acc, lane):  # type: ignore[no-untyped-def]
    return _rotl(acc + lane * _P2, 31) * _P1


@nb.njit(nogil=True, cache=True)
def _u64(data, i):  # type: ignore[no-untyped-def]
    out = np.uint64(0)
    for k in range(8):
        out |= np.uint64(data[i + k]) << np.uint64(8 * k)
    return out


@nb.njit(nogil=True, cache=True)
def xxh64(data, start, end, seed):  # type: ignore[no-untyped-def]
    """Return XXH64 of ``data[start:end]`` (uint8) as uint64; callable from other kernels."""
    n = end - start
    i = start
    seed = np.uint64(seed)
    if n >= 32:
        v1 = seed + _P1 + _P2
        v2 = seed + _P2
        v3 = seed
        v4 = seed - _P1
        while i <= end - 32:
            v1 = _round(v1, _u64(data, i))
            v2 = _round(v2, _u64(data, i + 8))
            v3 = _round(v3, _u64(data, i + 16))
            v4 = _round(v4, _u64(data, i + 24))
            i += 32
        h = _rotl(v1, 1) + _rotl(v2, 7) + _rotl(v3, 12) + _rotl(v4, 18)
        for v in (v1, v2, v3, v4):
            h = (h ^ _round(np.uint64(0), v)) * _P1 + _P4
    else:
        h = seed + _P5
    h += np.uint64(n)
    while i <= end - 8:
        h = _rotl(h ^ _round(np.uint64(0), _u64(data, i)), 27) * _P1 + _P4
        i += 8
    if i <= end - 4:
        lane = np.uint64(0)
        for k in range(4):
            lane |= np.uint64(data[i + k]) << np.uint64(8 * k)
        h = _rotl(h ^ (lane * _P1), 23) * _P2 + _P3
        i += 4
    while i < end:
        h = _rotl(h ^ (np.uint64(data[i]) * _P5), 11) * _P1
        i += 1
    h = (h ^ (h >> np.uint64(33))) * _P2
    h = (h ^ (h >> np.uint64(29))) * _P3
    return h ^ (h >> np.uint64(32))


@nb.njit(nogil=True, cache=True)
def _hash_all(offsets, data, seed, out):  # type: ignore[no-untyped-def]
    for i in range(len(offsets) - 1):
        out[i] = xxh64(data, offsets[i], offsets[i + 1], seed)


def hash_strings(column: pa.Array | pa.ChunkedArray, seed: int = 0) -> np.ndarray:
    """Return XXH64 of each string as int64 (n,); a null hashes like the empty string."""
    offsets, data = utf8_buffers(column)
    out = np.empty(len(offsets) - 1, np.uint64)
    _hash_all(offsets, data, np.uint64(seed), out)
    return out.view(np.int64)


def hash_string(text: str, seed: int = 0) -> int:
    """Return the same key for one string as :func:`hash_strings` gives."""
    return int(hash_strings(pa.array([text]), seed)[0])


def format_id(prefix: str, key: int) -> str:
    """Return ``prefix`` + 13 base-32 digits (Crockford) of a 64-bit key."""
    number, digits = key & (2**64 - 1), []
    for _ in range(13):
        digits.append(_DIGITS[number & 31])
        number >>= 5
    return prefix + "".join(reversed(digits))


def format_ids(prefix: str, keys: np.ndarray) -> pa.Array:
    """Return :func:`format_id` of each of ``keys`` (int64) as a string array."""
    shifts = np.arange(60, -1, -5, dtype=np.uint64)
    digits = np.frombuffer(_DIGITS.encode(), np.uint8)
    numbers = (keys.astype(np.int64).view(np.uint64)[:, None] >> shifts) & np.uint64(31)
    lead = np.frombuffer(prefix.encode(), np.uint8)
    letters = np.empty((len(keys), len(lead) + 13), np.uint8)
    letters[:, : len(lead)] = lead
    letters[:, len(lead) :] = digits[numbers]
    offsets = np.arange(len(keys) + 1, dtype=np.int64) * letters.shape[1]
    return strings_from_buffers(offsets, letters.reshape(-1))


def parse_id(prefix: str, text: str) -> int | None:
    """Return the signed 64-bit key of an id made by :func:`format_id`, or None if it is not one."""
    body = text.removeprefix(prefix)
    if not text.startswith(prefix) or len(body) != 13 or any(c not in _DIGITS for c in body):
        return None
    number = 0
    for c in body:
        number = number << 5 | _DIGITS.index(c)
    if number >= 2**64:
        return None
    return number - 2**64 if number >= 2**63 else number

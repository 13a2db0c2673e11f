"""Exact look-up of 64-bit keys: sorted arrays behind a filter that says no in one memory access."""

from dataclasses import dataclass

import numba as nb
import numpy as np

URL_SEED = 0x75726C
"""Seeds of :func:`bastau.hashing.xxh64`, one a kind of signal, so that one table holds all of them."""
SHA256_SEED = 0x736861
MD5_SEED = 0x6D6435
URL_SHA256_SEED = 0x757368
TEXT_SEED = 0
"""That of text_key, so that a stored reading answers without hashing again."""


@nb.njit(nogil=True, cache=True, inline="always")
def filter_bits(key):  # type: ignore[no-untyped-def]
    """Return a word with four bits chosen by the low 24 of ``key`` (uint64)."""
    one = np.uint64(1)
    six = np.uint64(63)
    return (
        (one << (key & six))
        | (one << ((key >> np.uint64(6)) & six))
        | (one << ((key >> np.uint64(12)) & six))
        | (one << ((key >> np.uint64(18)) & six))
    )


@nb.njit(nogil=True, cache=True, inline="always")
def passes(key, words, shift):  # type: ignore[no-untyped-def]
    """Say whether ``key`` may be in the filter ``words``."""
    bits = filter_bits(key)
    return words[key >> shift] & bits == bits


@nb.njit(nogil=True, cache=True)
def _fill(keys, words, shift):  # type: ignore[no-untyped-def]
    for k in range(len(keys)):
        words[keys[k] >> shift] |= filter_bits(keys[k])


def key_filter(keys: np.ndarray) -> tuple[np.ndarray, np.uint64]:
    """Return (words uint64, shift) of a blocked Bloom filter over uint64 ``keys``: word ``key >> shift``.

    16 to 32 bits a key: of keys that are not there, one in a hundred passes at most.

    Reference: Putze, Sanders, Singler 2007, "Cache-, hash- and space-efficient Bloom filters", section 3.
    """
    exponent = max(1, (max(4, len(keys)) - 1).bit_length() - 2)
    words = np.zeros(1 << exponent, np.uint64)
    shift = np.uint64(64 - exponent)
    _fill(keys, words, shift)
    return words, shift


@nb.njit(nogil=True, cache=True)
def first_at(keys, key):  # type: ignore[no-untyped-def]
    """Return the first index of ``keys`` (uint64, ascending) whose value is not below ``key``."""
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@nb.njit(nogil=True, cache=True)
def _probe(given, words, shift):  # type: ignore[no-untyped-def]
    at = np.empty(len(given), np.int64)
    n = 0
    for k in range(len(given)):
        if passes(given[k], words, shift):
            at[n] = k
            n += 1
    return at[:n].copy()


@dataclass(frozen=True)
class KeyTable:
    """Keys and what they stand for.

    Args:
        keys: uint64 (m,), ascending, repeats allowed.
        values: int64 (m,): the entry of each.
        words: the filter of :func:`key_filter`.
        shift: its shift.
    """

    keys: np.ndarray
    values: np.ndarray
    words: np.ndarray
    shift: np.uint64

    @classmethod
    def build(cls, keys: np.ndarray, values: np.ndarray) -> "KeyTable":
        """Sort ``keys`` (uint64, any order) and ``values`` into a table."""
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], values[order], *key_filter(keys))

    def find(self, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (index into ``given``, value) of every key of ``given`` (uint64) that is here; int64."""
        if not len(self.keys) or not len(given):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        likely = _probe(given, self.words, self.shift)
        if not len(likely):
            return likely, np.empty(0, np.int64)
        low = np.searchsorted(self.keys, given[likely], "left")
        counts = np.searchsorted(self.keys, given[likely], "right") - low
        at = np.repeat(likely, counts)
        within = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
        return at, self.values[np.repeat(low, counts) + within]

"""Random choices that are the same on every machine and with every release of NumPy.

NumPy promises a stable stream only for its bit generators, not for the methods of ``Generator`` (NEP 19), so
every choice here is integer arithmetic on the raw stream of PCG64.
"""

import zlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.random import PCG64

T = TypeVar("T")

_BLOCK = 8192


def raw_bits(seed: int, purpose: str, n: int) -> np.ndarray:
    """Return ``n`` raw uint64 of the stream that belongs to ``seed`` and ``purpose``."""
    return _generator(seed, purpose).random_raw(n)


def _generator(seed: int, purpose: str) -> PCG64:
    return PCG64([seed, zlib.crc32(purpose.encode())])


class Dice:
    """A stream of choices; each purpose has its own, so that one more throw here changes nothing there."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._bits = _generator(seed, purpose)
        self._block: list[int] = []

    def below(self, n: int) -> int:
        """Return an integer in [0, n), n < 2**32; the bias of the modulus is below n / 2**64."""
        if not self._block:
            self._block = self._bits.random_raw(_BLOCK).tolist()
            self._block.reverse()
        return self._block.pop() % n

    def between(self, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        return low + self.below(high - low + 1)

    def percent(self, chance: int) -> bool:
        """Return True in ``chance`` of 100 cases."""
        return self.below(100) < chance

    def choose(self, options: Sequence[T]) -> T:
        """Return one of ``options``."""
        return options[self.below(len(options))]

    def weighted(self, weights: Sequence[int]) -> int:
        """Return an index, chosen in proportion to integer ``weights``."""
        left = self.below(sum(weights))
        for index, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return index
        raise AssertionError("weights changed while being summed")

    def sample(self, options: Sequence[T], n: int) -> list[T]:
        """Return ``n`` different ``options`` in random order; all of them when there are fewer."""
        pool = list(options)
        picked = min(n, len(pool))
        for i in range(picked):
            j = i + self.below(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:picked]

    def log_uniform(self, low: int, doublings: int) -> int:
        """Return an integer in [low, low * 2**doublings): every doubling equally likely, flat within it."""
        base = low << self.below(doublings)
        return base + self.below(base)

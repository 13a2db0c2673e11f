"""How sure a share is."""

from math import sqrt

Z = 1.959964
"""Of the normal distribution, for 95 %."""


def wilson(k: int, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of ``k`` out of ``n``; (0, 1) when ``n`` is 0.

    Reference: Wilson 1927, JASA 22; Brown, Cai, DasGupta 2001, Statistical Science 16, section 3.
    """
    if n == 0:
        return 0.0, 1.0
    p, z2 = k / n, Z * Z
    centre = p + z2 / (2 * n)
    half = Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low, high = (centre - half) / (1 + z2 / n), (centre + half) / (1 + z2 / n)
    return max(0.0, low), min(1.0, high)

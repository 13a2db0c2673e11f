"""How much more often something is posted than before, with its uncertainty."""

from scipy.special import betaincinv

from bastau.report.brief import LEVEL, Rise


def rise(n_now: int, n_before: int, total_now: int, total_before: int) -> Rise:
    """Compare two Poisson rates: posts of a narrative per post collected, now and before.

    Given their sum, ``n_now`` is binomial; the interval is Clopper and Pearson's for that share, turned into a
    ratio of rates. ``total_now`` and ``total_before`` are above 0.

    Reference: Przyborowski, Wilenski 1940, Biometrika 31; Clopper, Pearson 1934, Biometrika 26.
    """
    exposure = total_before / total_now
    tail = (1 - LEVEL) / 2
    low = float(betaincinv(n_now, n_before + 1, tail)) if n_now else 0.0
    high = float(betaincinv(n_now + 1, n_before, 1 - tail)) if n_before else 1.0
    return Rise(
        n_before,
        n_now / n_before * exposure if n_before else None,
        low / (1 - low) * exposure,
        high / (1 - high) * exposure if high < 1 else None,
    )

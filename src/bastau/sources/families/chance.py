"""How much two websites have in common by chance: rarity of values, and the null distribution of scores."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from bastau.sources.families.kinds import CAPS, Kind, kinds

BACKGROUND_SITES = 10_000
"""The shipped chances weigh as much as that many websites: below it rarity is mostly assumed, above it mostly measured."""
BACKGROUND_PAIRS = 20_000
"""The same for the null distribution, in pairs of websites (those of 200)."""
MIN_AREA = 3.0
"""An area agrees when what it shows is e^3, about 20 times, likelier under the same hands."""
UNCOUNTED = ("content",)
"""Areas that add to a score but are no area of their own: others' texts and pictures are reprinted every day."""
STEP = 0.1
"""Width of a bin of scores. Scores under the null are rounded up and observed ones down."""


def log_ratio(kind: Kind, n_others: float, n_sites: int) -> float:
    """Return ln of how much likelier it is under the same hands that two sites share a value; at least 0.

    ``ln(same / q)`` with q the frequency of the value among other sites: a beta prior of mean ``chance`` and weight
    :data:`BACKGROUND_SITES`, updated by the ``n_others`` further sites of ``n_sites`` that show it.
    """
    q = (BACKGROUND_SITES * kind.chance + n_others) / (BACKGROUND_SITES + n_sites)
    return max(0.0, float(np.log(kind.same / q)))


def log_ratios(signals: pl.Series, n_sources: pl.Series, n_sites: int) -> np.ndarray:
    """Return :func:`log_ratio` of each row, float64 (n,); ``n_sources`` counts the two sites of the pair too."""
    names = signals.to_list()
    same = np.array([kinds()[name].same for name in names])
    chance = np.array([kinds()[name].chance for name in names])
    others = np.maximum(n_sources.to_numpy() - 2, 0)
    return np.maximum(0.0, np.log(same * (BACKGROUND_SITES + n_sites) / (BACKGROUND_SITES * chance + others)))


def null_distribution(scores: Mapping[str, np.ndarray], n_sites: int) -> np.ndarray:
    """Return P(score >= k * STEP and at least m areas agree) of a pair, float64 (3, n): m = 0, 1, 2; k = 0, 1, ...

    Under permutation of the sites' labels. They are permuted in each area by itself, so a pair gets the area score of a
    random pair, independently for each area: the distribution over all permutations is the convolution of the areas'
    distributions, and no permutation has to be drawn. Each area is a mixture of the pairs in the store and of the shipped
    chances.

    Args:
        scores: per area, the capped scores above 0 of all pairs that have any.
        n_sites: sites in the store.

    Reference: Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses, section 3.2.
    """
    n_pairs = n_sites * (n_sites - 1) / 2
    states = [np.ones(1), np.zeros(1), np.zeros(1)]
    for area, cap in CAPS.items():
        bins = np.zeros(int(np.ceil(cap / STEP)) + 1)
        found = np.minimum(np.ceil(np.asarray(scores.get(area, [])) / STEP - 1e-9).astype(int), len(bins) - 1)
        np.add.at(bins, found, 1.0)
        bins[0] = max(0.0, n_pairs - len(found))
        bins += BACKGROUND_PAIRS * _background(area, len(bins), n_sites)
        bins /= bins.sum()
        agreeing = bins.copy()
        agreeing[: round(MIN_AREA / STEP) if area not in UNCOUNTED else len(bins)] = 0.0
        silent = bins - agreeing
        none, one, more = states
        states = [
            np.convolve(none, silent),
            np.convolve(one, silent) + np.convolve(none, agreeing),
            np.convolve(more, bins) + np.convolve(one, agreeing),
        ]
    tails = np.array([np.cumsum(state[::-1])[::-1] for state in (sum(states), states[1] + states[2], states[2])])
    return np.minimum(1.0, tails)


def _background(area: str, n_bins: int, n_sites: int) -> np.ndarray:
    bins = np.zeros(n_bins)
    for kind in kinds().values():
        if kind.area == area:
            score = min(CAPS[area], log_ratio(kind, 0, n_sites))
            bins[min(int(np.ceil(score / STEP - 1e-9)), n_bins - 1)] += kind.chance
    bins[0] += 1.0 - bins.sum()
    return bins


def p_values(scores: np.ndarray, n_areas: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return the chance of at least each of ``scores`` in at least as many agreeing areas (two count as more), in (0, 1]."""
    at = np.minimum(np.floor(scores / STEP + 1e-9).astype(int), null.shape[1] - 1)
    return null[np.minimum(n_areas, 2), at]

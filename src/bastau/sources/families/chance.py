"""How much two websites have in common by chance: rarity of values, and the null distribution of scores."""

from collections.abc import Mapping
from dataclasses import dataclass

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
    return float(_log_ratio(np.array(kind.same), np.array(kind.chance), np.array(n_others), n_sites))


def log_ratios(signals: pl.Series, n_sources: pl.Series, n_sites: int) -> np.ndarray:
    """Return :func:`log_ratio` of each row, float64 (n,); ``n_sources`` counts the two sites of the pair too."""
    names = signals.to_list()
    same = np.array([kinds()[name].same for name in names])
    chance = np.array([kinds()[name].chance for name in names])
    others = np.maximum(n_sources.to_numpy() - 2, 0)
    return _log_ratio(same, chance, others, n_sites)


def _log_ratio(same: np.ndarray, chance: np.ndarray, n_others: np.ndarray, n_sites: int) -> np.ndarray:
    return np.maximum(0.0, np.log(same * (BACKGROUND_SITES + n_sites) / (BACKGROUND_SITES * chance + n_others)))


@dataclass(frozen=True)
class AreaScores:
    """Capped scores above 0 of one area: of the pairs that share an account or the like in it, and of the others."""

    firm: np.ndarray
    other: np.ndarray


def null_distribution(scores: Mapping[str, AreaScores], n_sites: int) -> np.ndarray:
    """Return P(score >= k * STEP, at least m areas agree, and f: one of them firmly), float64 (2, 3, n) as [f, m, k].

    Under permutation of the sites' labels. They are permuted in each area by itself, so a pair gets the area score of a
    random pair, independently for each area: the distribution over all permutations is the convolution of the areas'
    distributions, and no permutation has to be drawn. Each area is a mixture of the pairs in the store and of the shipped
    chances. An area agrees firmly where it holds a signal of tier 1 that is enough (``alone`` in ``kinds.toml``).

    Args:
        scores: per area, those of all pairs that have any.
        n_sites: sites in the store.

    Reference: Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses, section 3.2.
    """
    n_pairs = n_sites * (n_sites - 1) / 2
    states: dict[tuple[int, int], np.ndarray] = {(0, 0): np.ones(1)}
    for area, cap in CAPS.items():
        n_bins = int(np.ceil(cap / STEP)) + 1
        own = scores.get(area, AreaScores(np.zeros(0), np.zeros(0)))
        firm, other = _bins(own.firm, n_bins), _bins(own.other, n_bins)
        other[0] += max(0.0, n_pairs - len(own.firm) - len(own.other))
        shipped = _background(area, n_bins, n_sites)
        firm += BACKGROUND_PAIRS * shipped[0]
        other += BACKGROUND_PAIRS * shipped[1]
        total = firm.sum() + other.sum()
        least = round(MIN_AREA / STEP) if area not in UNCOUNTED else n_bins
        parts = [(1, 1, _from(firm, least)), (1, 0, _from(other, least)), (0, 0, _until(firm + other, least))]
        new: dict[tuple[int, int], np.ndarray] = {}
        for (is_firm, n_areas), before in states.items():
            for adds, firmly, part in parts:
                key = (is_firm | firmly, min(2, n_areas + adds))
                made = np.convolve(before, part / total)
                new[key] = new[key] + made if key in new else made
        states = new
    length = max(len(state) for state in states.values())
    tails = np.zeros((2, 3, length))
    for (is_firm, n_areas), state in states.items():
        tail = np.cumsum(np.pad(state, (0, length - len(state)))[::-1])[::-1]
        tails[: is_firm + 1, : n_areas + 1] += tail
    return np.minimum(1.0, tails)


def _bins(scores: np.ndarray, n_bins: int) -> np.ndarray:
    bins = np.zeros(n_bins)
    np.add.at(bins, np.minimum(np.ceil(scores / STEP - 1e-9).astype(int), n_bins - 1), 1.0)
    return bins


def _from(bins: np.ndarray, least: int) -> np.ndarray:
    kept = bins.copy()
    kept[:least] = 0.0
    return kept


def _until(bins: np.ndarray, least: int) -> np.ndarray:
    kept = bins.copy()
    kept[least:] = 0.0
    return kept


def _background(area: str, n_bins: int, n_sites: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the shipped distribution of one pair's score in an area, firm and other, together 1."""
    firm, other = np.zeros(n_bins), np.zeros(n_bins)
    for kind in kinds().values():
        if kind.area == area:
            score = min(CAPS[area], log_ratio(kind, 0, n_sites))
            bins = firm if kind.is_firm else other
            bins[min(int(np.ceil(score / STEP - 1e-9)), n_bins - 1)] += kind.chance
    other[0] += 1.0 - firm.sum() - other.sum()
    return firm, other


def p_values(scores: np.ndarray, n_areas: np.ndarray, is_firm: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return the chance of at least each of ``scores``, in as many agreeing areas (two count as more), as firmly."""
    at = np.minimum(np.floor(scores / STEP + 1e-9).astype(int), null.shape[2] - 1)
    return null[is_firm.astype(int), np.minimum(n_areas, 2), at]

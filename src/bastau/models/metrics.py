"""Figures of a binary classifier, each with what chance alone may have done to it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from bastau.intervals import Z, wilson

N_BINS = 10


@dataclass(frozen=True)
class Share:
    """``n_hits`` of ``n`` with the 95 % interval of :func:`bastau.intervals.wilson`; all None when ``n`` is 0."""

    n_hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The share itself."""
        return self.n_hits / self.n if self.n else None

    @property
    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound; (0, 1) when ``n`` is 0."""
        return wilson(self.n_hits, self.n)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON, rounded to four digits."""
        low, high = self.bounds
        value = None if self.value is None else round(self.value, 4)
        return {"value": value, "low": round(low, 4), "high": round(high, 4), "n": self.n}


def auc(scores: np.ndarray, is_positive: np.ndarray) -> tuple[float, float, float] | None:
    """Return the area under the ROC curve with 95 % bounds; None when a class is missing.

    Reference: Hanley, McNeil 1982, Radiology 143, for the standard error.
    """
    n_positive = int(is_positive.sum())
    n_negative = len(is_positive) - n_positive
    if not n_positive or not n_negative:
        return None
    ranks = rankdata(scores)[is_positive].sum()
    area = float((ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (n_positive - 1) * (q1 - area**2) + (n_negative - 1) * (q2 - area**2)
    half = Z * float(np.sqrt(max(0.0, variance) / (n_positive * n_negative)))
    return area, max(0.0, area - half), min(1.0, area + half)


def f1_bounds(hits: int, false: int, missed: int, rest: int, *, seed: int) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of F1 (1,000 resamples of the four counts)."""
    counts = np.array([hits, false, missed, rest])
    draws = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), 1000)
    below = 2 * draws[:, 0] + draws[:, 1] + draws[:, 2]
    values = np.divide(2 * draws[:, 0], below, out=np.zeros(len(draws)), where=below > 0)
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def figures(scores: np.ndarray, is_positive: np.ndarray, threshold: float, *, seed: int) -> dict[str, Any]:
    """Return precision, recall, F1 and AUC at ``threshold``, each with bounds; None where it has no meaning."""
    flagged = scores >= threshold
    hits = int((flagged & is_positive).sum())
    false, missed = int(flagged.sum()) - hits, int(is_positive.sum()) - hits
    rest = len(scores) - hits - false - missed
    answer: dict[str, Any] = {
        "n": len(scores),
        "n_positive": hits + missed,
        "precision": Share(hits, hits + false).as_dict(),
        "recall": Share(hits, hits + missed).as_dict(),
        "f1": None,
        "auc": None,
    }
    if hits + missed:
        low, high = f1_bounds(hits, false, missed, rest, seed=seed)
        value = 2 * hits / (2 * hits + false + missed)
        answer["f1"] = {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}
    if (area := auc(scores, is_positive)) is not None:
        answer["auc"] = dict(zip(("value", "low", "high"), (round(x, 4) for x in area), strict=True))
    return answer


def best_threshold(scores: np.ndarray, is_positive: np.ndarray) -> float:
    """Return the score from which flagging gives the highest F1; the highest such score on a tie."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(is_positive[order])
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + is_positive.sum())
    last_of_score = np.append(scores[order][1:] != scores[order][:-1], True)
    return float(scores[order][np.argmax(np.where(last_of_score, f1, -1.0))])


def calibration_error(scores: np.ndarray, is_positive: np.ndarray) -> float:
    """Return the expected calibration error over ten bins that hold equally many texts.

    Reference: Naeini, Cooper, Hauskrecht 2015, AAAI; equal-mass bins after Nixon et al. 2019.
    """
    order = np.argsort(scores, kind="stable")
    bins = np.array_split(order, min(N_BINS, len(order)))
    return float(sum(abs(scores[b].mean() - is_positive[b].mean()) * len(b) for b in bins) / len(scores))


def brier(scores: np.ndarray, is_positive: np.ndarray) -> float:
    """Return the mean squared error of ``scores`` as shares (Brier 1950); 0 is perfect."""
    return float(np.mean((scores - is_positive) ** 2))

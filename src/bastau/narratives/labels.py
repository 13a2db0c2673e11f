"""Labels learned from labelled texts: a linear matcher for each label over rare stems, pairs of them and meanings.

Ridge regression on cosines: one system of equations for all labels, and what each text would have got without itself is
known in closed form, so that strength and threshold need no further data.

Reference: Rifkin and Lippert 2007, "Notes on regularized least squares", MIT CSAIL TR-2007-025, section 4 (leave-one-out).
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from bastau.narratives.meanings import find_meanings
from bastau.narratives.terms import find_terms

STRENGTHS = (0.1, 0.3, 1.0, 3.0)
_THRESHOLDS = np.linspace(0.05, 0.6, 23)
_BITS = 18


def kernel(folded: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return the likeness of all folded texts to each other, float64 (n, n) in [0, 1]: the mean cosine of the three kinds of terms.

    Rarity is that among these texts; no label is looked at.
    """
    kinds = []
    for terms in (*find_terms(folded), find_meanings(folded)):
        columns = (terms.hashes >> np.uint32(32 - _BITS)).astype(np.int64)
        counts = 1.0 + np.log(np.maximum(terms.counts.astype(np.float64), 1.0))
        rows = sp.csr_array((counts, columns, terms.indptr), shape=(len(terms.indptr) - 1, 1 << _BITS))
        seen = np.bincount(rows.indices, minlength=1 << _BITS)
        rows = (rows * np.log((1.0 + rows.shape[0]) / (1.0 + seen))[None, :]).tocsr()
        length = np.sqrt((rows * rows).sum(axis=1))
        kinds.append(np.asarray((rows @ rows.T).todense()) / np.maximum(np.outer(length, length), 1e-12))
    return np.asarray(np.mean(kinds, axis=0))


@dataclass(frozen=True)
class LabelMatcher:
    """``weights`` (texts, labels) over likenesses to the texts it was made from; scores from ``threshold`` on count."""

    weights: np.ndarray
    mean: np.ndarray
    threshold: float
    strength: float

    @classmethod
    def fit(cls, likeness: np.ndarray, labels: np.ndarray) -> "LabelMatcher":
        """Learn from ``likeness`` (n, n) and ``labels`` bool (n, labels); strength and threshold give the best samples-F1."""
        best: tuple[float, LabelMatcher] | None = None
        mean = labels.mean(axis=0)
        for strength in STRENGTHS:
            inverse = np.linalg.inv(likeness + strength * np.eye(len(likeness)))
            weights = inverse @ (labels - mean)
            without = labels - weights / np.diag(inverse)[:, None]
            for threshold in _THRESHOLDS:
                score = samples_f1(labels, chosen(without, threshold))
                if best is None or score > best[0] + 1e-9:
                    best = score, cls(weights, mean, float(threshold), strength)
        assert best is not None
        return best[1]

    def predict(self, likeness: np.ndarray) -> np.ndarray:
        """Return bool (texts, labels) for ``likeness`` (texts, n) to the texts that it was made from."""
        return chosen(likeness @ self.weights + self.mean, self.threshold)


def chosen(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Return which labels count: those from ``threshold`` on, and the best one where there are none."""
    out = scores >= threshold
    none = np.flatnonzero(~out.any(axis=1))
    out[none, scores[none].argmax(axis=1)] = True
    return out


def samples_f1(true: np.ndarray, guess: np.ndarray) -> float:
    """Return the mean over texts of the F1 of two sets of labels, bool (texts, labels)."""
    both = (true & guess).sum(axis=1)
    return float(np.mean(2 * both / np.maximum(true.sum(axis=1) + guess.sum(axis=1), 1)))

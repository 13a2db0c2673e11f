"""A linear model of one label, its scores, and the stage that adds them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.models.features import ngrams_of
from bastau.schemas import FOLDED, LANGUAGE, MODEL_SCORE
from bastau.tables import append_columns


@dataclass(frozen=True)
class LinearModel:
    """Weights of hashed n-grams, with the calibration that makes a score a share.

    Args:
        weights: float32 (2**bits,), inverse document frequency multiplied in.
        bias: added to the weighted sum.
        slope: of the calibration: score = 1 / (1 + exp(-(slope * margin + shift))).
        shift: of the calibration.
        threshold: score from which the model's report counts a text as labelled.
        label: the class that a high score means.
        languages: detected languages that it was trained on; texts in others have no score, for it would be that of a text
            without any evidence.
        may_suggest: it passed the protected-speech suite; otherwise it may only rank.
        fingerprint: of the folding and n-grams it was trained with.
    """

    weights: np.ndarray
    bias: float
    slope: float
    shift: float
    threshold: float
    label: str
    languages: tuple[str, ...]
    may_suggest: bool
    fingerprint: str

    @property
    def bits(self) -> int:
        """Binary logarithm of the number of weights."""
        return len(self.weights).bit_length() - 1

    def margins(self, folded: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Return the uncalibrated score of each folded text, float64 (n,); NaN where there is nothing to score."""
        bias = np.array([self.bias], np.float32)
        margins = ngrams_of(self.bits).score(folded, self.weights[:, None], bias)[:, 0].astype(np.float64)
        is_empty = pc.equal(pc.fill_null(pc.binary_length(folded), 0), 0)
        margins[is_empty.to_numpy(zero_copy_only=False)] = np.nan
        return margins

    def scores(self, folded: pa.Array | pa.ChunkedArray, detected: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Return the calibrated score of each folded text, float32 (n,) in [0, 1].

        NaN where there is no text, or its ``detected`` language is none that the model was trained on.
        """
        scores = sigmoid(self.slope * self.margins(folded) + self.shift).astype(np.float32)
        scores[~self.knows(detected)] = np.nan
        return scores

    def knows(self, detected: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Say of each detected language whether the model was trained on it (``kk|ky``: on either), bool (n,)."""
        codes = detected.combine_chunks() if isinstance(detected, pa.ChunkedArray) else detected
        if not len(codes):
            return np.zeros(0, bool)
        coded = codes.dictionary_encode()
        known = [bool(set((name or "").split("|")) & set(self.languages)) for name in coded.dictionary.to_pylist()]
        return np.append(known, False)[pc.fill_null(coded.indices, len(known)).to_numpy()]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


@dataclass(frozen=True)
class ScoreModel:
    """Add the score of the operator's own model, by which suggestions are ordered.

    Args:
        model: what to score with; None (nothing is set) leaves the column null.
    """

    model: LinearModel | None = None

    needs: ClassVar[pa.Schema] = pa.schema([FOLDED.field("folded"), LANGUAGE.field("detected_language")])
    adds: ClassVar[pa.Schema] = MODEL_SCORE

    def run(self, posts: pa.Table) -> pa.Table:
        """Return ``posts`` (n rows, any order) with the score column added."""
        if self.model is None:
            scores = pa.nulls(posts.num_rows, pa.float32())
        else:
            values = self.model.scores(posts.column("folded"), posts.column("detected_language"))
            scores = pa.array(values, pa.float32(), mask=np.isnan(values))
        return append_columns(posts, {"model_score": scores}, self.adds)

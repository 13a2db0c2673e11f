"""Embeddings from any OpenAI-compatible address, and a ranking by the nearest labelled examples."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bastau.errors import ConfigError
from bastau.models.cache import Cache, cache_key
from bastau.models.calls import Calls
from bastau.models.endpoint import CallFailed

MAX_TEXT_CHARS = 8000
MAX_DIMENSION = 16_384
BATCH = 32


@dataclass(frozen=True)
class Embedded:
    """Vectors in the order of the texts.

    Attributes:
        vectors: float32 (n, d), rows of unit length; NaN where a text has none. d is 0 when none has.
        counts: ``embedded``, ``cached``, and each reason why a text has no vector.
    """

    vectors: np.ndarray
    counts: dict[str, int]


@dataclass
class Embeddings:
    """Ask ``model`` for vectors of texts.

    Args:
        calls: the server and the budget.
        model: its name there.
        cache: of vectors.
        dimension: of the vectors; 0 takes that of the first answer, and all must agree.
    """

    calls: Calls
    model: str
    cache: Cache = field(default_factory=lambda: Cache(None))
    dimension: int = 0

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ConfigError("say which model embeds: its name at the endpoint")
        if not 0 <= self.dimension <= MAX_DIMENSION:
            raise ConfigError(f"the dimension of embeddings must lie in [0, {MAX_DIMENSION}], got {self.dimension}")

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Return a vector of each text; equal texts are asked about once. Never raises for what a server does."""
        of_text: dict[str, np.ndarray | str] = {}
        counts: Counter[str] = Counter()
        asked = []
        for text in dict.fromkeys(texts):
            if not text.strip() or len(text) > MAX_TEXT_CHARS:
                of_text[text] = "too_long" if text.strip() else "empty"
            elif (known := self._known(text)) is not None:
                of_text[text] = known
                counts["cached"] += 1
            else:
                asked.append(text)
        for first in range(0, len(asked), BATCH):
            batch = asked[first : first + BATCH]
            try:
                vectors = self._ask(batch)
            except CallFailed as failure:
                of_text |= dict.fromkeys(batch, failure.reason)
            else:
                of_text |= dict(zip(batch, vectors, strict=True))
                self.cache.put_all((self._key(t), v.tobytes()) for t, v in zip(batch, vectors, strict=True))
        rows = [of_text[text] for text in texts]
        counts.update(row if isinstance(row, str) else "embedded" for row in rows)
        blank = np.full(self.dimension, np.nan, np.float32)
        found = [blank if isinstance(row, str) else row for row in rows]
        return Embedded(np.array(found, np.float32).reshape(len(rows), self.dimension), dict(counts))

    def _key(self, text: str) -> bytes:
        return cache_key("embedding", self.calls.endpoint.url, self.model, text)

    def _known(self, text: str) -> np.ndarray | None:
        stored = self.cache.get(self._key(text))
        if stored is None or len(stored) % 4 or not 4 <= len(stored) <= 4 * MAX_DIMENSION:
            return None
        vector = np.frombuffer(stored, "<f4").astype(np.float32)
        if not np.isfinite(vector).all() or abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
            return None
        return vector if self._has_dimension(len(vector)) else None

    def _has_dimension(self, n: int) -> bool:
        self.dimension = self.dimension or n
        return self.dimension == n

    def _ask(self, texts: Sequence[str]) -> np.ndarray:
        n_bytes = sum(len(text.encode("utf-8", "replace")) for text in texts)
        body = {"model": self.model, "input": list(texts), "encoding_format": "float"}
        answer = self.calls.post("/embeddings", body, n_bytes=n_bytes, answer_tokens=0)
        vectors = _vectors(answer, len(texts))
        if not self._has_dimension(vectors.shape[1]):
            raise CallFailed("wrong_dimension")
        return vectors


def _vectors(answer: dict[str, Any], n: int) -> np.ndarray:
    """Return the vectors of an answer in the order of its question, float32 (n, d), rows of unit length."""
    try:
        rows = {row["index"]: row["embedding"] for row in answer["data"]}
        lengths = {len(row) for row in rows.values()}
        if set(rows) != set(range(n)) or len(answer["data"]) != n or len(lengths) != 1:
            raise CallFailed("wrong_answer")
        if not 0 < lengths.pop() <= MAX_DIMENSION:
            raise CallFailed("wrong_dimension")
        vectors = np.array([rows[i] for i in range(n)], np.float64)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        raise CallFailed("wrong_answer") from None
    norms = np.linalg.norm(vectors, axis=1, keepdims=True) if vectors.ndim == 2 else np.zeros(1)
    if not np.isfinite(norms).all() or (norms < 1e-12).any():
        raise CallFailed("wrong_answer")
    return (vectors / norms).astype(np.float32)


def rank_by_examples(
    vectors: np.ndarray, examples: np.ndarray, is_positive: Sequence[bool] | np.ndarray, k: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Rank texts by their nearest labelled examples.

    Args:
        vectors: float32 (n, d), rows of unit length; NaN rows have no vector.
        examples: float32 (m, d), rows of unit length, m >= 1.
        is_positive: bool (m,).
        k: examples looked at.

    Returns:
        scores float32 (n,) in [0, 1], the share of positives among the ``k`` nearest, each weighted by its similarity
        (NaN without a vector), for ordering only; and int64 (n,), the nearest example, to show beside the text (-1 without).
    """
    positive = np.asarray(is_positive, bool)
    scores = np.full(len(vectors), np.nan, np.float32)
    nearest = np.full(len(vectors), -1, np.int64)
    k = min(k, len(examples))
    has_vector = ~np.isnan(vectors).any(axis=1) if vectors.shape[1] else np.zeros(len(vectors), bool)
    for first in range(0, len(vectors), 1024):
        rows = first + np.flatnonzero(has_vector[first : first + 1024])
        if not len(rows):
            continue
        similarity = vectors[rows] @ examples.T
        picked = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        weights = np.clip(np.take_along_axis(similarity, picked, axis=1), 1e-6, None)
        scores[rows] = (weights * positive[picked]).sum(axis=1) / weights.sum(axis=1)
        nearest[rows] = similarity.argmax(axis=1)
    return scores, nearest

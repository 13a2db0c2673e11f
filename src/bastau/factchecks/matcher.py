"""Match texts against a collection of fact-checks: the claim that fits best, and silence below the threshold."""

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from bastau.errors import ConfigError
from bastau.factchecks.encoders import Encoder, unit_vectors
from bastau.factchecks.features import Candidates, Scratch, find_candidates
from bastau.factchecks.index import ClaimIndex, build_index, read_claims
from bastau.factchecks.ranker import Ranker, Side, shipped_ranker
from bastau.factchecks.words import Words, read_words

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MIN_WORDS = 3
"""Shorter posts say nothing that could be checked."""


@dataclass(frozen=True)
class Match:
    """A claim that a text is about; ``score`` in [0, 1] is how likely it is the right one."""

    claim_id: str
    claim: str
    score: float


@dataclass(frozen=True)
class Ranking:
    """Candidates of one text, the best first, and how likely the best is right.

    Attributes:
        rows: rows of the index.
        probability: that ``rows[0]`` is right, in [0, 1]; 0 without candidates.
        is_shown: the probability reaches the ranker's threshold.
        found: candidates with features, in the order in which they were found.
    """

    rows: np.ndarray
    probability: float
    is_shown: bool
    found: Candidates


@dataclass(frozen=True)
class ClaimMatcher:
    """A collection of claims, its index and a ranker; safe to use from several threads.

    Attributes:
        ids: claim_id of each row of the index; may repeat where one page checks several claims.
        claims: text of each.
        index: of the claims.
        ranker: which to use.
        table: rows of the claims table in the order of the index, to say more of a match; None: there is no more.
        encoder: with which the index was made and the ranker trained; None: without.
    """

    ids: Sequence[str]
    claims: Sequence[str]
    index: ClaimIndex
    ranker: Ranker
    table: pa.Table | None = None
    encoder: Encoder | None = None
    _local: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    def rank(self, post: Words, *, day: float = math.nan, dates: bool = True) -> Ranking:
        """Order the candidates of ``post``; ``day`` since 1970 when it was published, NaN unknown."""
        found = self.candidates(post, day=day)
        return rank_candidates(self.ranker, found, dates=dates, n_words=len(post.stems))

    def candidates(self, post: Words, *, day: float = math.nan) -> Candidates:
        """Return the candidates of ``post`` with their features."""
        if not hasattr(self._local, "scratch"):
            self._local.scratch = Scratch.of(self.index)
        vector = None if self.encoder is None else unit_vectors(self.encoder, [post.plain])[0]
        return find_candidates(self.index, post, self._local.scratch, day=day, vector=vector)

    def details(self, row: int) -> dict[str, Any]:
        """Return claim, title, publisher, verdict, url, language and published_at of ``row``, as the publisher gives them."""
        names = ("title", "publisher", "verdict", "url", "language", "published_at")
        given = dict.fromkeys(names) if self.table is None else self.table.slice(row, 1).select(names).to_pylist()[0]
        return {"claim": self.claims[row], **given}

    def match(self, text: str, *, published_at: datetime | None = None, language: str | None = None) -> Match | None:
        """Return the claim that ``text`` repeats, None when no fact-check is surely about it.

        Args:
            text: title and text of a post.
            published_at: when; lets dates of fact-checks count.
            language: BCP 47; None: guessed.
        """
        ranking = self.rank(read_words(text, language), day=day_of(published_at))
        if not ranking.is_shown:
            return None
        row = int(ranking.rows[0])
        return Match(self.ids[row], self.claims[row], ranking.probability)


def rank_candidates(ranker: Ranker, found: Candidates, *, dates: bool, n_words: int = MIN_WORDS) -> Ranking:
    """Order ``found`` and say how sure the first is."""
    side: Side = ranker.side(found, dates=dates)
    scores = side.scores(found)
    order = np.argsort(-scores, kind="stable")
    probability = side.probability(found, scores)
    shown = bool(len(order)) and n_words >= MIN_WORDS and probability >= side.threshold
    return Ranking(found.rows[order], probability, shown, found)


def day_of(moment: datetime | None) -> float:
    """Return days since 1970; NaN for None."""
    return math.nan if moment is None else (moment - _EPOCH).total_seconds() / 86_400


def open_claims(
    claims: Iterable[tuple[str, str, str | None, datetime | None]],
    ranker: Ranker | None = None,
    encoder: Encoder | None = None,
) -> ClaimMatcher:
    """Return a matcher over (claim_id, text, title, published_at), indexed in memory.

    Raises:
        ConfigError: ``ranker`` was trained with another encoder.
    """
    if ranker is not None:
        check_encoder(ranker, encoder)
    rows = list(claims)
    read = read_claims((text, title, None) for _, text, title, _ in rows)
    index = build_index(read, np.array([day_of(at) for *_, at in rows], np.float64), encoder)
    return ClaimMatcher([r[0] for r in rows], [r[1] for r in rows], index, ranker or shipped_ranker(), encoder=encoder)


def check_encoder(ranker: Ranker, encoder: Encoder | None) -> None:
    """Check that ``ranker`` was trained with ``encoder``.

    Raises:
        ConfigError: with another, with none, or with one where none is given.
    """
    given = "" if encoder is None else encoder.encoder_id
    if given != ranker.encoder_id:
        raise ConfigError(
            f"the ranker of fact-checks was trained with {ranker.encoder_id or 'no encoder'}, not with {given or 'none'}; "
            "name that encoder (encoder under [models], or --encoder), or train the ranker again"
        )

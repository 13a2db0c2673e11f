"""From a post to candidates among the claims, and from each candidate to the numbers that a ranker reads."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from bastau.factchecks import kernels
from bastau.factchecks.encoders import N_DENSE, to_bytes
from bastau.factchecks.index import LETTERS, ClaimIndex, Postings, hash_words, language_code, pair_hashes
from bastau.factchecks.words import Words

SCORES = ("both", "text", "title", "letters", "pairs", "neutral")
"""The six scores: BM25 over all, claim and title; cosines of letters and of words with pairs; BM25 over neutral forms."""
N_FUSED, N_BM25, N_NEUTRAL, DEPTH = 100, 50, 20, 200
RRF_K = 60
FEATURES = (
    *(f"{s}" for s in SCORES),
    *(f"{s}_of_best" for s in SCORES),
    *(f"{s}_gap" for s in ("both", "letters", "pairs", "neutral")),
    "both_of_possible", "neutral_of_possible",
    "text_found", "post_found", "title_found", "names_found", "post_names_found", "numbers_found", "numbers_missing",
    "run", "run_weight", "shared_weight", "text_words", "title_words", "window_found", "n_names",
    "neutral_text_found", "neutral_post_found", "neutral_shared", "n_neutral_shared",
    "author_found", "post_words", "fused", "same_language",
    "days_after", "days_apart", "years_after",
)  # fmt: skip
"""Columns of :attr:`Candidates.x`. ``_of_best``: divided by the post's highest; ``_gap``: less the highest of another candidate."""
DATED = ("days_after", "days_apart", "years_after")
DENSE = ("dense", "dense_of_best", "dense_gap")
"""Columns beyond FEATURES where there is an encoder: the cosine of post and claim."""
_AT = {name: i for i, name in enumerate(FEATURES)}


@dataclass(frozen=True)
class Candidates:
    """Claims that may fit one post.

    Attributes:
        rows: int64 (n,), rows of the index, the best fused rank first.
        x: float32 (n, len(FEATURES)), of which the last three are NaN without dates; and DENSE where there is an encoder.
    """

    rows: np.ndarray
    x: np.ndarray


@dataclass
class Scratch:
    """Arrays of the length of an index, reused from post to post; one for each thread."""

    scores: dict[str, np.ndarray]
    in_query: np.ndarray
    is_hit: np.ndarray

    @classmethod
    def of(cls, index: ClaimIndex) -> "Scratch":
        """Return zeroed scratch for ``index``."""
        return cls(
            {name: np.zeros(index.n_claims, np.float32) for name in SCORES},
            np.zeros(max(len(index.stem_keys), 1), np.int32),
            np.zeros(max(len(index.neutral_keys), 1), np.uint8),
        )


@dataclass(frozen=True)
class _Query:
    """A post against one index: terms in order (-1 unknown), distinct terms with counts, neutral terms."""

    in_order: np.ndarray
    flags: np.ndarray
    terms: np.ndarray
    neutral: np.ndarray
    author: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))


def look_up(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the position of each of ``wanted`` in ascending ``keys``, -1 where it is not there."""
    if not len(keys) or not len(wanted):
        return np.full(len(wanted), -1, np.int64)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, -1)


def find_candidates(
    index: ClaimIndex,
    post: Words,
    scratch: Scratch,
    *,
    day: float = np.nan,
    always: np.ndarray | None = None,
    vector: np.ndarray | None = None,
) -> Candidates:
    """Return the claims most like ``post`` with their features.

    Args:
        index: of the claims.
        post: the words of the post.
        scratch: of this index and thread.
        day: when the post was published, in days since 1970; NaN unknown.
        always: rows to include whatever their score; for training.
        vector: what the encoder of the index makes of the post, of length 1; None: no encoder is used.
    """
    hashes = hash_words(list(post.stems)) if post.stems else np.empty(0, np.int64)
    in_order = look_up(index.stem_keys, hashes)
    flags = np.array(post.flags, np.uint8)
    terms = np.unique(in_order[in_order >= 0])
    neutral_words = sorted({f for forms in post.neutral for f in forms})
    found = look_up(index.neutral_keys, hash_words(neutral_words)) if neutral_words else np.empty(0, np.int64)
    author = look_up(index.stem_keys, hash_words(sorted(post.author))) if post.author else np.empty(0, np.int64)
    query = _Query(in_order, flags, terms, np.unique(found[found >= 0]), np.unique(author[author >= 0]))
    _fill_scores(index, query, hashes, post.latin, scratch)
    cosines = None if vector is None else _cosines(index, vector)
    if cosines is not None:
        nearest = kernels.top_k(cosines, min(N_DENSE, len(cosines)))
        always = nearest if always is None else np.union1d(always, nearest)
    rows, fused = _fuse(scratch, always)
    x = _features(index, query, post, rows, fused, scratch, day)
    if cosines is not None:
        near = cosines[rows]
        top = near.max(initial=0)
        x = np.column_stack([x, near, near / top if top > 0 else np.zeros_like(near), gaps(near)]).astype(np.float32)
    for scores in scratch.scores.values():
        scores[:] = 0
    return Candidates(rows, x)


def _fill_scores(index: ClaimIndex, query: _Query, hashes: np.ndarray, latin: str, scratch: Scratch) -> None:
    words = np.union1d(query.terms, query.author)
    # An author's name belongs to the post as a word that may be left out.
    ones = np.where(np.isin(words, query.terms), 1.0, 0.5).astype(np.float32)
    for name in ("both", "text", "title"):
        _add(getattr(index, name), words, ones, scratch.scores[name])
    _add(index.neutral, query.neutral, np.ones(len(query.neutral), np.float32), scratch.scores["neutral"])
    if len(hashes):
        made = np.concatenate([hashes, pair_hashes(hashes[:-1], hashes[1:])])
        keys, counts = np.unique(made, return_counts=True)
        at = look_up(index.pair_keys, keys)
        weights = (1 + np.log(counts[at >= 0])) * index.pair_idf[at[at >= 0]]
        # Words that no claim has make the post longer too, by the rarity of a word seen once.
        rare = float(np.log(1 + index.n_claims / 1.5))
        norm = float(np.sqrt((weights**2).sum() + 0.25 * rare**2 * int((at < 0).sum()))) or 1.0
        _add(index.pairs, at[at >= 0], (weights / norm).astype(np.float32), scratch.scores["pairs"])
    _starts, columns, _ = LETTERS.features(pa.array([latin], pa.large_string()))
    columns = columns.astype(np.int64)
    idf = index.letter_idf[columns]
    norm = float(np.sqrt((idf.astype(np.float64) ** 2).sum()))
    if norm > 0:
        kept = idf > 0
        scores = scratch.scores["letters"]
        kernels.add_plain(
            index.letters.starts, index.letters.docs, columns[kept], (idf[kept] ** 2 / norm).astype(np.float32), scores
        )
        np.divide(scores, np.maximum(index.letter_norms, 1e-9), out=scores)


def _cosines(index: ClaimIndex, vector: np.ndarray) -> np.ndarray:
    """Return float32 (claims,), never below 0."""
    found = np.zeros(index.n_claims, np.float32)
    (small,), (factor,) = to_bytes(vector[None])
    kernels.add_products(index.vectors, index.vector_factors * factor, small.astype(np.int16), found)
    return np.maximum(found, 0)


def _add(postings: Postings, terms: np.ndarray, factors: np.ndarray, out: np.ndarray) -> None:
    if len(terms):
        kernels.add_weighted(postings.starts, postings.docs, postings.weights, terms, factors, out)


def _fuse(scratch: Scratch, always: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, fused score): the best by the sum of 1 / (60 + rank), and the best by BM25 and by neutral forms alone."""
    fused: dict[int, float] = {}
    best: dict[str, np.ndarray] = {}
    for name, scores in scratch.scores.items():
        best[name] = kernels.top_k(scores, min(DEPTH, len(scores)))
        for rank, row in enumerate(best[name]):
            fused[int(row)] = fused.get(int(row), 0.0) + 1 / (RRF_K + rank + 1)
    order = sorted(fused, key=lambda row: (-fused[row], row))
    chosen = dict.fromkeys(order[:N_FUSED])
    chosen |= dict.fromkeys(int(r) for r in best["both"][:N_BM25])
    chosen |= dict.fromkeys(int(r) for r in best["neutral"][:N_NEUTRAL])
    if always is not None:
        chosen |= dict.fromkeys(int(r) for r in always)
    rows = sorted(chosen, key=lambda row: (-fused.get(row, 0.0), row))
    return np.array(rows, np.int64), np.array([fused.get(row, 0.0) for row in rows], np.float32)


def _features(
    index: ClaimIndex, query: _Query, post: Words, rows: np.ndarray, fused: np.ndarray, scratch: Scratch, day: float
) -> np.ndarray:
    n = len(rows)
    x = np.zeros((n, len(FEATURES)), np.float32)
    if not n:
        return x
    raw = {name: scores[rows] for name, scores in scratch.scores.items()}
    for name, values in raw.items():
        best = float(values.max())
        x[:, _AT[name]] = values
        x[:, _AT[f"{name}_of_best"]] = values / best if best > 0 else 0
    for name in ("both", "letters", "pairs", "neutral"):
        x[:, _AT[f"{name}_gap"]] = gaps(raw[name])
    possible = float(index.stem_idf[query.terms].sum()) * 2.2 or 1.0
    x[:, _AT["both_of_possible"]] = raw["both"] / possible
    possible = float(index.neutral_idf[query.neutral].sum()) * 2.2 or 1.0
    x[:, _AT["neutral_of_possible"]] = raw["neutral"] / possible
    compared = np.zeros((n, 14), np.float32)
    kernels.compare_words(
        index.word_starts, index.word_terms, index.word_flags, index.stem_idf, query.in_order, query.flags, scratch.in_query, rows, compared
    )  # fmt: skip
    first = _AT["text_found"]
    x[:, first : first + 14] = compared
    neutral = np.zeros((n, 4), np.float32)
    kernels.compare_neutral(
        index.neutral_starts, index.neutral_terms, index.neutral_idf, query.neutral, scratch.is_hit, rows, neutral
    )
    first = _AT["neutral_text_found"]
    x[:, first : first + 4] = neutral
    x[:, _AT["author_found"]] = _author(index, query, rows)
    x[:, _AT["post_words"]] = len(post.stems)
    x[:, _AT["fused"]] = fused
    x[:, _AT["same_language"]] = index.languages[rows] == language_code(post.language)
    apart = index.days[rows] - day
    x[:, _AT["days_after"]] = apart
    x[:, _AT["days_apart"]] = np.abs(apart)
    if not np.isnan(day):
        x[:, _AT["years_after"]] = index.years[rows] - (1970 + int(day / 365.2425))
    else:
        x[:, _AT["years_after"]] = np.nan
    return x


def gaps(values: np.ndarray) -> np.ndarray:
    """Return each value less the highest of the others; one alone stays as it is."""
    if len(values) < 2:
        return values
    top = int(np.argmax(values))
    second = float(np.max(np.delete(values, top)))
    found = values - values[top]
    found[top] = values[top] - second
    return found


def _author(index: ClaimIndex, query: _Query, rows: np.ndarray) -> np.ndarray:
    """Return, for each row, the summed rarity of the author's names that stand in the claim."""
    found = np.zeros(len(rows), np.float32)
    if len(query.author):
        for i, row in enumerate(rows):
            words = index.word_terms[index.word_starts[row] : index.word_starts[row + 1]]
            here = np.intersect1d(words, query.author)
            found[i] = index.stem_idf[here].sum()
    return found

"""The index over claims: postings for retrieval, words in order for features; plain arrays, built once and kept.

Six scores are made of it: BM25 over the claim, its title, both together and the language-neutral forms; cosines of letter n-grams
and of words with pairs of words. Rows are claims in the order given.

Reference: BM25 with k1 1.2, b 0.75 as in Robertson and Zaragoza 2009, The Probabilistic Relevance Framework, section 3.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from bastau.errors import LakeDamaged
from bastau.factchecks.encoders import Encoder, to_bytes, unit_vectors
from bastau.factchecks.words import NUMBER, TITLE, Words, join_words, read_words
from bastau.hashing import hash_strings
from bastau.ngrams import Ngrams

VERSION = 3
"""Raised whenever the arrays or the words in them change."""
K1, B = 1.2, 0.75
LETTERS = Ngrams(chars=(3, 5), words=0, bits=20, max_chars=1200)
COMMON_SHARE = 0.05
"""Letter n-grams in more than this share of at least a thousand claims tell nothing, and cost most of the time; they are dropped."""
_SALT = np.int64(-7046029254386353131)


@dataclass(frozen=True)
class Postings:
    """Inverted lists: documents ``docs[starts[t]:starts[t + 1]]`` hold term t, each with a weight unless ``weights`` is empty."""

    starts: np.ndarray
    docs: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class ClaimIndex:
    """All arrays; see :func:`build_index`.

    Attributes:
        n_claims: rows.
        stem_keys: int64, ascending hashes of the stems; a stem's term is its position.
        stem_idf: float32, rarity of each.
        text, title, both: postings of stems with BM25 impacts.
        word_starts, word_terms, word_flags: stems of each claim in order, text before title.
        pair_keys: int64, ascending hashes of words and of pairs of words.
        pair_idf, pairs: their rarity and postings with cosine weights.
        letter_idf: float32 (2 ** bits,), zero where dropped.
        letters, letter_norms: postings without weights, and the length of each claim's vector.
        neutral_keys, neutral_idf, neutral: as for stems, of the neutral forms.
        neutral_starts, neutral_terms: distinct neutral forms of each claim.
        days: float64, day of each fact-check since 1970; NaN unknown.
        years: float32, latest year from 1900 to 2100 that each claim names; NaN none.
        languages: uint8, 0 Latin letters, 1 Russian or Ukrainian, 2 Kazakh.
        vectors, vector_factors: int8 and float32, what an encoder made of each claim (:func:`bastau.factchecks.encoders.to_bytes`);
            (claims, 0) without an encoder.
    """

    n_claims: int
    stem_keys: np.ndarray
    stem_idf: np.ndarray
    text: Postings
    title: Postings
    both: Postings
    word_starts: np.ndarray
    word_terms: np.ndarray
    word_flags: np.ndarray
    pair_keys: np.ndarray
    pair_idf: np.ndarray
    pairs: Postings
    letter_idf: np.ndarray
    letters: Postings
    letter_norms: np.ndarray
    neutral_keys: np.ndarray
    neutral_idf: np.ndarray
    neutral: Postings
    neutral_starts: np.ndarray
    neutral_terms: np.ndarray
    days: np.ndarray
    years: np.ndarray
    languages: np.ndarray
    vectors: np.ndarray
    vector_factors: np.ndarray

    @property
    def size_bytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self._arrays().values())

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Postings):
                arrays |= {f"{f.name}.{part.name}": getattr(value, part.name) for part in fields(value)}
            elif isinstance(value, np.ndarray):
                arrays[f.name] = value
        return arrays

    def save(self, folder: Path, made_of: str) -> None:
        """Write the arrays to ``folder``, each a file that can be mapped, and last what they were made of."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.json").unlink(missing_ok=True)
        for name, array in self._arrays().items():
            np.save(folder / f"{name}.npy", array)
        about = {"version": VERSION, "made_of": made_of, "n_claims": self.n_claims}
        beside = folder / "index.json.part"
        beside.write_text(json.dumps(about), "utf-8")
        beside.replace(folder / "index.json")

    @classmethod
    def load(cls, folder: Path, made_of: str) -> "ClaimIndex | None":
        """Map the arrays of ``folder``; None when there are none, or they were made of something else.

        Raises:
            LakeDamaged: a file is missing or torn.
        """
        try:
            about = json.loads((folder / "index.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(about, dict) or (about.get("version"), about.get("made_of")) != (VERSION, made_of):
            return None
        try:
            arrays = {path.stem: np.load(path, mmap_mode="r") for path in folder.glob("*.npy")}
            values: dict[str, Any] = {
                f.name: Postings(*(arrays[f"{f.name}.{part.name}"] for part in fields(Postings)))
                if f"{f.name}.docs" in arrays
                else arrays[f.name]
                for f in fields(cls)
                if f.name != "n_claims"
            }
        except (OSError, ValueError, KeyError) as error:
            raise LakeDamaged(
                f"{folder}: the index of claims is torn; delete the folder, the next run makes it again"
            ) from error
        return cls(n_claims=int(about["n_claims"]), **values)


def read_claims(claims: Iterable[tuple[str, str | None, str | None]]) -> list[tuple[Words, Words]]:
    """Return the words of (text, title, language) of each claim."""
    return [(read_words(text, lang), read_words(title or "", lang)) for text, title, lang in claims]


def build_index(read: Sequence[tuple[Words, Words]], days: np.ndarray, encoder: Encoder | None = None) -> ClaimIndex:
    """Index claims.

    Args:
        read: words of text and title of each claim.
        days: float64 (claims,), day of the fact-check since 1970; NaN unknown.
        encoder: makes a vector of each claim; None: none.
    """
    n = len(read)
    whole = [join_words(pair) for pair in read]
    keys, terms = _terms([s for w in whole for s in w.stems])
    counts = np.array([len(w.stems) for w in whole], np.int64)
    word_starts = _offsets(counts)
    word_flags = np.fromiter((f for w in whole for f in w.flags), np.uint8, count=len(terms))
    docs = np.repeat(np.arange(n, dtype=np.int32), counts)
    in_title = (word_flags & TITLE) > 0
    n_terms = len(keys)
    stem_idf = _idf(_df(terms, docs, n_terms), n)

    pair_words, pair_docs = _pairs(keys, terms, word_starts, docs, in_title)
    pair_keys, pair_terms = np.unique(pair_words, return_inverse=True)
    pair_idf = _idf(_df(pair_terms, pair_docs, len(pair_keys)), n)

    forms = [[f for word in w.neutral for f in word] for w in whole]
    neutral_keys, neutral_terms_all = _terms([f for row in forms for f in row])
    neutral_docs = np.repeat(np.arange(n, dtype=np.int32), np.array([len(row) for row in forms], np.int64))
    n_neutral = len(neutral_keys)
    neutral_idf = _idf(_df(neutral_terms_all, neutral_docs, n_neutral), n)
    distinct = sp.csr_matrix(
        (np.ones(len(neutral_docs), np.float32), (neutral_docs, neutral_terms_all)), shape=(n, max(n_neutral, 1))
    )
    letter_idf, letters, letter_norms = _letters([w.latin for w in whole], n)
    dense = np.empty((n, 0), np.float32) if encoder is None else unit_vectors(encoder, [w.plain for w in whole])
    vectors, vector_factors = to_bytes(dense)
    return ClaimIndex(
        n_claims=n,
        stem_keys=keys,
        stem_idf=stem_idf,
        text=_bm25(terms[~in_title], docs[~in_title], n_terms, n, stem_idf),
        title=_bm25(terms[in_title], docs[in_title], n_terms, n, stem_idf),
        both=_bm25(terms, docs, n_terms, n, stem_idf),
        word_starts=word_starts,
        word_terms=terms.astype(np.int32),
        word_flags=word_flags,
        pair_keys=pair_keys,
        pair_idf=pair_idf,
        pairs=_cosines(pair_terms, pair_docs, pair_idf, n),
        letter_idf=letter_idf,
        letters=letters,
        letter_norms=letter_norms,
        neutral_keys=neutral_keys,
        neutral_idf=neutral_idf,
        neutral=_bm25(neutral_terms_all, neutral_docs, n_neutral, n, neutral_idf),
        neutral_starts=distinct.indptr.astype(np.int64),
        neutral_terms=distinct.indices.astype(np.int32),
        days=np.asarray(days, np.float64),
        years=np.array([_latest_year(w) for w in whole], np.float32),
        languages=np.array([language_code(w.language) for w in whole], np.uint8),
        vectors=vectors,
        vector_factors=vector_factors,
    )


def _latest_year(words: Words) -> float:
    years = [
        int(s) for s, f in zip(words.stems, words.flags, strict=True) if f & NUMBER and len(s) == 4 and s.isdecimal()
    ]
    return max((y for y in years if 1900 <= y <= 2100), default=np.nan)


def language_code(language: str) -> int:
    """Return 0 for languages in Latin letters and others, 1 for Russian and Ukrainian, 2 for Kazakh."""
    return {"kk": 2, "ru": 1, "uk": 1}.get(language, 0)


def hash_words(words: Sequence[str]) -> np.ndarray:
    """Return int64 hashes of words."""
    return np.asarray(hash_strings(pa.array(words, pa.large_string())), np.int64)


def _terms(words: list[str]) -> tuple[np.ndarray, np.ndarray]:
    if not words:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    keys, terms = np.unique(hash_words(words), return_inverse=True)
    return keys, terms.astype(np.int64)


def pair_hashes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return hashes of pairs of words from the hashes of the words."""
    with np.errstate(over="ignore"):
        return (first * _SALT) ^ (second * np.int64(31) + np.int64(1))


def _pairs(
    keys: np.ndarray, terms: np.ndarray, starts: np.ndarray, docs: np.ndarray, in_title: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if not len(terms):
        return np.empty(0, np.int64), np.empty(0, np.int32)
    hashes = keys[terms]
    joined = (docs[:-1] == docs[1:]) & (in_title[:-1] == in_title[1:])
    made = pair_hashes(hashes[:-1][joined], hashes[1:][joined])
    return np.concatenate([hashes, made]), np.concatenate([docs, docs[:-1][joined]])


def _offsets(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _counts(terms: np.ndarray, docs: np.ndarray, n_terms: int, n: int) -> sp.csr_matrix:
    """Return (terms x documents) counts."""
    return sp.csr_matrix((np.ones(len(terms), np.float32), (terms, docs)), shape=(max(n_terms, 1), n))


def _df(terms: np.ndarray, docs: np.ndarray, n_terms: int) -> np.ndarray:
    n = int(docs.max()) + 1 if len(docs) else 1
    return np.diff(_counts(terms, docs, n_terms, n).indptr)[:n_terms]


def _idf(df: np.ndarray, n: int) -> np.ndarray:
    return np.log(1 + (n - df + 0.5) / (df + 0.5)).astype(np.float32)


def _bm25(terms: np.ndarray, docs: np.ndarray, n_terms: int, n: int, idf: np.ndarray) -> Postings:
    counts = _counts(terms, docs, n_terms, n)
    lengths = np.bincount(docs, minlength=n).astype(np.float32)
    mean = float(lengths[lengths > 0].mean()) if (lengths > 0).any() else 1.0
    tf = counts.data
    bottom = tf + K1 * (1 - B + B * lengths[counts.indices] / mean)
    impact = np.repeat(idf if n_terms else np.zeros(1, np.float32), np.diff(counts.indptr)) * tf * (K1 + 1) / bottom
    return Postings(counts.indptr.astype(np.int64), counts.indices.astype(np.int32), impact.astype(np.float32))


def _cosines(terms: np.ndarray, docs: np.ndarray, idf: np.ndarray, n: int) -> Postings:
    counts = _counts(terms, docs, len(idf), n)
    weights = (1 + np.log(counts.data)) * np.repeat(
        idf if len(idf) else np.zeros(1, np.float32), np.diff(counts.indptr)
    )
    norms = np.sqrt(np.bincount(counts.indices, weights**2, minlength=n))
    scaled = weights / np.maximum(norms[counts.indices], 1e-9)
    return Postings(counts.indptr.astype(np.int64), counts.indices.astype(np.int32), scaled.astype(np.float32))


def _letters(texts: list[str], n: int) -> tuple[np.ndarray, Postings, np.ndarray]:
    starts, columns, _ = LETTERS.features(pa.array(texts, pa.large_string()))
    width = 1 << LETTERS.bits
    df = np.bincount(columns, minlength=width)
    idf = np.where(df > 0, np.log(n / np.maximum(df, 1)) + 1, 0).astype(np.float32)
    if n >= 1000:
        idf[df > COMMON_SHARE * n] = 0
    docs = np.repeat(np.arange(n, dtype=np.int32), np.diff(starts))
    kept = idf[columns] > 0
    columns, docs = columns[kept], docs[kept]
    norms = np.sqrt(np.bincount(docs, idf[columns].astype(np.float64) ** 2, minlength=n)).astype(np.float32)
    order = np.argsort(columns, kind="stable")
    at = _offsets(np.bincount(columns, minlength=width))
    return idf, Postings(at, docs[order], np.empty(0, np.float32)), norms

"""Letter statistics of each language, counted on sentences and words written for bastau, as arrays for kernels."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.read.fold import fold_strings
from bastau.shingles import mix64

SCRIPTS = ("Zyyy", "Latn", "Cyrl", "Arab", "Hani", "Jpan", "Hang", "Grek", "Armn", "Geor", "Hebr", "Deva", "Thai")
_SCRIPT_RANGES = {
    "Latn": ((0x41, 0x5B), (0x61, 0x7B), (0xC0, 0x2B0), (0x1E00, 0x1F00)),
    "Cyrl": ((0x400, 0x530), (0x1C80, 0x1C90), (0x2DE0, 0x2E00), (0xA640, 0xA6A0)),
    "Arab": ((0x620, 0x660), (0x66E, 0x6D4), (0x6D5, 0x6E0), (0x6FA, 0x700), (0x750, 0x780), (0x8A0, 0x900)),
    "Hani": ((0x3400, 0x4DC0), (0x4E00, 0xA000)),
    "Jpan": ((0x3040, 0x3100),),
    "Hang": ((0x1100, 0x1200), (0xAC00, 0xD7B0)),
    "Grek": ((0x370, 0x400), (0x1F00, 0x2000)),
    "Armn": ((0x530, 0x590),),
    "Geor": ((0x10A0, 0x1100), (0x1C90, 0x1CC0)),
    "Hebr": ((0x5D0, 0x5F5),),
    "Deva": ((0x900, 0x980),),
    "Thai": ((0xE00, 0xE80),),
}
# Kazakh typed without its own letters, as Russian keyboards lead to; the same for its neighbours.
_RUSSIFIED = str.maketrans("әғқңөұүіһҗҫҙҡў", "агкноууихжсзку")
_RUSSIFIED_LANGUAGES = frozenset({"kk", "ky", "tt", "ba"})
_RUSSIFIED_WEIGHT = 0.3
_WORD_BONUS = 1.5
_BACKOFF = 3.0
"""Pseudo-counts that a longer context borrows from the next shorter one."""
WIDTH = 16
"""Columns of the scores: the languages of a script, then the background."""


@nb.njit(nogil=True, cache=True)
def hash_letter(key, letter):  # type: ignore[no-untyped-def]
    """Return the running hash of a word with one more letter; begins with the script's index."""
    return mix64(np.uint64(key) ^ np.uint64(letter))


@dataclass(frozen=True)
class LanguageModel:
    """Log probabilities of a letter given up to two before it, in each language of a script.

    Letters are numbered within their script, 0 is the space around words. Scores are natural logs, float32
    (n, WIDTH): one column a language, then the background (letter frequencies over all of them).

    Attributes:
        languages: by index into SCRIPTS, the languages told apart in that script.
        script_of: uint8 (65536,), index into SCRIPTS of each character of the basic plane.
        letter_of: uint8 (65536,), number of each letter within its script.
        sizes, pair_starts, triple_starts: int64 (scripts,), letters of a script and where its tables begin.
        pairs: row ``pair_starts[s] + a * size + b``: probability of b after a.
        unseen: same rows: what a b leaves to letters never seen after it.
        triples: int32, at ``triple_starts[s] + (a * size + b) * size + c`` the row of ``seen``, or -1.
        seen: probability of c after a b, where that was seen.
        words: uint64, ascending hashes of listed words; their bonus is in ``bonuses``.
    """

    languages: tuple[tuple[str, ...], ...]
    script_of: np.ndarray
    letter_of: np.ndarray
    sizes: np.ndarray
    pair_starts: np.ndarray
    triple_starts: np.ndarray
    pairs: np.ndarray
    unseen: np.ndarray
    triples: np.ndarray
    seen: np.ndarray
    words: np.ndarray
    bonuses: np.ndarray


Samples = dict[str, dict[str, list[str]]]


def _samples(name: str) -> Samples:
    """Return the folded texts of a sample file by script and language, in the file's order."""
    lines = files("bastau.read").joinpath(name).read_text(encoding="utf-8").splitlines()
    parts = [line.split("\t") for line in lines if line and not line.startswith("#")]
    folded = fold_strings(pa.array([text for _, _, text in parts]))[0].to_pylist()
    samples: Samples = defaultdict(lambda: defaultdict(list))
    for (language, script, _), text in zip(parts, folded, strict=True):
        samples[script][language].append(text)
    return samples


def _weighted_words(language: str, script: str, texts: list[str]) -> list[tuple[str, float]]:
    words = [word for text in texts for word in text.split()]
    weighted = [(word, 1.0) for word in words]
    if script == "Cyrl" and language in _RUSSIFIED_LANGUAGES:
        weighted += [(word.translate(_RUSSIFIED), _RUSSIFIED_WEIGHT) for word in words]
    return weighted


@dataclass(frozen=True)
class _ScriptTables:
    letters: dict[str, int]
    pairs: np.ndarray
    unseen: np.ndarray
    triples: np.ndarray
    seen: np.ndarray


def _script_tables(words: list[list[tuple[str, float]]]) -> _ScriptTables:
    """Count the weighted words of each language of a script."""
    letters = {" ": 0} | {c: i for i, c in enumerate(sorted({c for of in words for w, _ in of for c in w}), 1)}
    size, n = len(letters), len(words)
    pair_counts = np.zeros((size, size, n))
    triple_counts: dict[tuple[int, int, int], np.ndarray] = defaultdict(lambda: np.zeros(n))
    for k, of in enumerate(words):
        for word, weight in of:
            path = [0, *(letters[c] for c in word), 0]
            for a, b in pairwise(path):
                pair_counts[a, b, k] += weight
            for a, b, c in zip(path, path[1:], path[2:], strict=False):
                triple_counts[a, b, c][k] += weight
    singles = pair_counts.sum(axis=0)
    single = (singles + 1.0 / size) / (singles.sum(axis=0) + 1.0)
    pair = (pair_counts + _BACKOFF * single) / (pair_counts.sum(axis=1, keepdims=True) + _BACKOFF)
    at = np.array(list(triple_counts), np.int64)
    counts = np.stack(list(triple_counts.values()))
    totals = np.zeros((size, size, n))
    np.add.at(totals, (at[:, 0], at[:, 1]), counts)
    seen = (counts + _BACKOFF * pair[at[:, 1], at[:, 2]]) / (totals[at[:, 0], at[:, 1]] + _BACKOFF)
    triples = np.full((size, size, size), -1, np.int32)
    triples[at[:, 0], at[:, 1], at[:, 2]] = np.arange(len(at))
    background = single.mean(axis=1)
    return _ScriptTables(
        letters,
        pairs=_rows(pair, np.broadcast_to(background, (size, size))),
        unseen=_rows(_BACKOFF / (totals + _BACKOFF), np.ones((size, size))),
        triples=triples.ravel(),
        seen=_rows(seen, background[at[:, 2]]),
    )


def _rows(languages: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return log scores, float32 (rows, WIDTH), of probabilities (..., languages) and (...)."""
    rows = np.zeros((background.size, WIDTH), np.float32)
    n = languages.shape[-1]
    rows[:, :n] = np.log(languages.reshape(-1, n))
    rows[:, n] = np.log(background.ravel())
    return rows


def _word_bonuses(sentences: Samples, words: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return (hashes ascending, bonuses float32 (n, WIDTH)) of the listed words."""
    bonuses: dict[int, np.ndarray] = defaultdict(lambda: np.zeros(WIDTH, np.float32))
    for script, by_language in sentences.items():
        for column, language in enumerate(by_language):
            for word in words[script][language]:
                bonuses[_word_key(word, SCRIPTS.index(script))][column] = _WORD_BONUS
    keys = sorted(bonuses)
    return np.array(keys, np.uint64), np.stack([bonuses[key] for key in keys])


def _word_key(word: str, script: int) -> int:
    key = np.uint64(script)
    for letter in word:
        key = np.uint64(hash_letter(key, np.int64(ord(letter))))
    return int(key)


def _script_table() -> np.ndarray:
    table = np.zeros(1 << 16, np.uint8)
    for script, ranges in _SCRIPT_RANGES.items():
        for first, end in ranges:
            table[first:end] = SCRIPTS.index(script)
    return table


@cache
def language_model() -> LanguageModel:
    """Return the model; about a fifth of a second the first time in a process."""
    return build_model(_samples("sample_sentences.tsv"), _samples("function_words.tsv"))


def build_model(sentences: Samples, words: Samples) -> LanguageModel:
    """Return a model of the languages in ``sentences`` (folded texts by script and language), helped by ``words``."""
    letter_of = np.zeros(1 << 16, np.uint8)
    sizes, pair_starts, triple_starts = (np.zeros(len(SCRIPTS), np.int64) for _ in range(3))
    tables: list[_ScriptTables] = []
    n_pairs = n_triples = n_seen = 0
    for script, by_language in sentences.items():
        made = _script_tables([_weighted_words(la, script, t + words[script][la]) for la, t in by_language.items()])
        s, size = SCRIPTS.index(script), len(made.letters)
        sizes[s], pair_starts[s], triple_starts[s] = size, n_pairs, n_triples
        for letter, number in made.letters.items():
            letter_of[ord(letter)] = number
        made.triples[made.triples >= 0] += n_seen
        n_pairs, n_triples, n_seen = n_pairs + size**2, n_triples + size**3, n_seen + len(made.seen)
        tables.append(made)
    keys, bonuses = _word_bonuses(sentences, words)
    return LanguageModel(
        languages=tuple(tuple(sentences.get(script, ())) for script in SCRIPTS),
        script_of=_script_table(),
        letter_of=letter_of,
        sizes=sizes,
        pair_starts=pair_starts,
        triple_starts=triple_starts,
        pairs=np.concatenate([t.pairs for t in tables]),
        unseen=np.concatenate([t.unseen for t in tables]),
        triples=np.concatenate([t.triples for t in tables]),
        seen=np.concatenate([t.seen for t in tables]),
        words=keys,
        bonuses=bonuses,
    )

"""Letter statistics of each language, counted on sentences and words written for bastau, as arrays for kernels."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

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
_LONGEST = 3
_LETTER_BITS = 18
_CONTEXT = np.uint64(1) << np.uint64(62)
_WORD = np.uint64(1) << np.uint64(63)


@nb.njit(nogil=True, cache=True)
def append_letter(key, letter):  # type: ignore[no-untyped-def]
    """Return the key of the letters packed in ``key`` and one more."""
    return np.uint64(key) << np.uint64(_LETTER_BITS) | np.uint64(letter)


@nb.njit(nogil=True, cache=True)
def hash_letter(key, letter):  # type: ignore[no-untyped-def]
    """Return the running hash of a word with one more letter; begins with the script."""
    return mix64(np.uint64(key) ^ np.uint64(letter))


@nb.njit(nogil=True, cache=True)
def find_row(keys, rows, key):  # type: ignore[no-untyped-def]
    """Return the row of ``key`` in the open-addressed table, or -1."""
    mask = np.uint64(len(keys) - 1)
    slot = mix64(key) & mask
    while keys[slot] != 0:
        if keys[slot] == key:
            return rows[slot]
        slot = (slot + np.uint64(1)) & mask
    return np.int32(-1)


@nb.njit(nogil=True, cache=True)
def _fill(keys, rows, given):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(keys) - 1)
    for i in range(len(given)):
        slot = mix64(given[i]) & mask
        while keys[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        keys[slot], rows[slot] = given[i], i


@dataclass(frozen=True)
class LanguageModel:
    """Log probabilities of a letter given up to two before it, in each language of a script.

    Attributes:
        languages: by index into SCRIPTS, the languages told apart in that script.
        script_of: uint8 (65536,), index into SCRIPTS of each character of the basic plane.
        keys: uint64 (2^k,), open-addressed table: one to three letters packed behind script + 1; the same with
            _CONTEXT for a context; the hash of a word with _WORD. 0 is empty.
        rows: int32 (2^k,), row of ``scores`` for each key.
        scores: float32 (n, WIDTH), natural logs. For letters: probability of the last one, and behind the
            languages the background (letter frequencies over all of them). For a context: what is left to
            letters never seen after it. For a word: a bonus in the languages that list it.
    """

    languages: tuple[tuple[str, ...], ...]
    script_of: np.ndarray
    keys: np.ndarray
    rows: np.ndarray
    scores: np.ndarray


def _samples(name: str) -> dict[str, dict[str, list[str]]]:
    """Return the folded texts of a sample file by script and language, in the file's order."""
    lines = files("bastau.read").joinpath(name).read_text(encoding="utf-8").splitlines()
    parts = [line.split("\t") for line in lines if line and not line.startswith("#")]
    folded = fold_strings(pa.array([text for _, _, text in parts]))[0].to_pylist()
    samples: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (language, script, _), text in zip(parts, folded, strict=True):
        samples[script][language].append(text)
    return samples


def _count_letters(words: list[str], weight: float, counts: list[dict[str, float]]) -> None:
    """Add letters, pairs and triples (counts[0], [1], [2]) of words, each with a space before and after."""
    for word in words:
        padded = f" {word} "
        for n in range(1, _LONGEST + 1):
            for end in range(max(n, 2), len(padded) + 1):
                gram = padded[end - n : end]
                counts[n - 1][gram] = counts[n - 1].get(gram, 0.0) + weight


def _count_language(language: str, script: str, texts: list[str]) -> list[dict[str, float]]:
    counts: list[dict[str, float]] = [{} for _ in range(_LONGEST)]
    words = [word for text in texts for word in text.split()]
    _count_letters(words, 1.0, counts)
    if script == "Cyrl" and language in _RUSSIFIED_LANGUAGES:
        _count_letters([word.translate(_RUSSIFIED) for word in words], _RUSSIFIED_WEIGHT, counts)
    return counts


def _script_rows(script: str, sentences: dict[str, list[str]], words: dict[str, list[str]]) -> dict[int, np.ndarray]:
    """Return the score of every key of one script, float32 (WIDTH,) each."""
    counted = [_count_language(la, script, [*texts, *words[la]]) for la, texts in sentences.items()]
    first, rows = SCRIPTS.index(script) + 1, {}
    shorter: dict[str, int] = {"": 0}
    letters: dict[str, float] = {}
    probability = np.ones((1, len(counted)))
    for n in range(_LONGEST):
        grams = sorted(set().union(*(counts[n] for counts in counted)))
        count = np.array([[counts[n].get(gram, 0.0) for counts in counted] for gram in grams])
        contexts = {context: i for i, context in enumerate(dict.fromkeys(gram[:-1] for gram in grams))}
        context_of = np.array([contexts[gram[:-1]] for gram in grams])
        total = np.zeros((len(contexts), len(counted)))
        np.add.at(total, context_of, count)
        if n == 0:
            probability = (count + 1.0 / len(grams)) / (total[context_of] + 1.0)
            letters = dict(zip(grams, np.log(probability.mean(axis=1)), strict=True))
        else:
            below = probability[[shorter[gram[1:]] for gram in grams]]
            probability = (count + _BACKOFF * below) / (total[context_of] + _BACKOFF)
            for context, i in contexts.items():
                rows[_pack(context, first) | int(_CONTEXT)] = _row(np.log(_BACKOFF / (total[i] + _BACKOFF)), 0.0)
        for gram, logs in zip(grams, np.log(probability), strict=True):
            rows[_pack(gram, first)] = _row(logs, letters[gram[-1]])
        shorter = {gram: i for i, gram in enumerate(grams)}
    for word in dict.fromkeys(word for listed in words.values() for word in listed):
        having = np.array([word in words[la] for la in sentences])
        rows[_word_key(word, first)] = _row(having * _WORD_BONUS, 0.0)
    return rows


def _row(languages: np.ndarray, background: float) -> np.ndarray:
    row = np.zeros(WIDTH, np.float32)
    row[: len(languages)] = languages
    row[len(languages)] = background
    return row


def _pack(gram: str, first: int) -> int:
    key = first
    for letter in gram:
        key = key << _LETTER_BITS | ord(letter)
    return key


def _word_key(word: str, first: int) -> int:
    key = np.uint64(first)
    for letter in word:
        key = np.uint64(hash_letter(key, np.int64(ord(letter))))
    return int(key) | int(_WORD)


def _script_table() -> np.ndarray:
    table = np.zeros(1 << 16, np.uint8)
    for script, ranges in _SCRIPT_RANGES.items():
        for first, end in ranges:
            table[first:end] = SCRIPTS.index(script)
    return table


@cache
def language_model() -> LanguageModel:
    """Return the model; about a quarter of a second the first time in a process."""
    sentences, words = _samples("sample_sentences.tsv"), _samples("function_words.tsv")
    rows: dict[int, np.ndarray] = {}
    for script, by_language in sentences.items():
        rows |= _script_rows(script, by_language, words[script])
    given = np.array(list(rows), np.uint64)
    size = 1 << (2 * len(given) - 1).bit_length()
    keys, slots = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    _fill(keys, slots, given)
    return LanguageModel(
        languages=tuple(tuple(sentences.get(script, ())) for script in SCRIPTS),
        script_of=_script_table(),
        keys=keys,
        rows=slots,
        scores=np.stack(list(rows.values())),
    )

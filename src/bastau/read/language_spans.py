"""Stretches of one language each in texts that mix languages.

Each word has a chance of each language; the likeliest sequence is found with a price on every change of
language (Viterbi). Runs too short to be sure of fall to their neighbours.
"""

from functools import cache

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.read.language_model import (
    MAX_WORD,
    UNDETERMINED,
    LanguageModel,
    posteriors,
    read_word,
    sum_weights,
    word_columns,
)
from bastau.read.language_scripts import ONE_LANGUAGE, SCRIPTS, script_table
from bastau.schemas import LANGUAGE
from bastau.tables import utf8_buffers
from bastau.utf8 import char_at

MIN_SPAN_WORDS = 3
MIN_SPAN_LETTERS = 12
_MAX_WORDS = 400
_CANDIDATES = 4
_FLOOR = 0.02
"""A single word, however plain, speaks against a language no more strongly than this: names travel."""
_FOREIGN = 0.018
"""The same of a word in a script that the language is not written in; below _FLOOR, so that it is known again."""
_CHANGE = 4.0
"""Nats that a change of language costs, so that two changes outweigh one word but not three."""


@nb.njit(nogil=True, cache=True)
def _read_words(data, start, end, script_of, arrays, language_of, scratch, words, chances):  # type: ignore[no-untyped-def]
    """Fill ``words`` (start, end as characters; letters) and ``chances`` (word, language); return how many words."""
    starts, widths, shifts, weights, _, _, _ = arrays
    codes, columns, total, posterior = scratch
    n = 0
    i, at = start, 0
    while i < end and n < len(words):
        cp, after = char_at(data, i, end)
        script = script_of[cp] if cp < 0x10000 else 0
        if script == 0:
            i, at = after, at + 1
            continue
        used, _, stop = read_word(data, i, end, script, script_of, codes)
        size = 0
        while i < stop:
            _, i = char_at(data, i, end)
            size += 1
        width = widths[script]
        chances[n, :] = _FOREIGN
        if width:
            m = word_columns(codes, used, shifts[script], columns)
            sum_weights(columns, m, starts[script], width, weights, total)
            posteriors(total, m, script, arrays, posterior)
            for c in range(width):
                if language_of[script, c] >= 0:
                    chances[n, language_of[script, c]] = max(posterior[c], _FLOOR)
        elif language_of[script, 0] >= 0:
            chances[n, language_of[script, 0]] = 1.0
        words[n, 0], words[n, 1], words[n, 2] = at, at + size, size
        at += size
        n += 1
    return n


@nb.njit(nogil=True, cache=True)
def _best_path(words, chances, n, path):  # type: ignore[no-untyped-def]
    """Write the language of each of ``n`` words to ``path``."""
    n_languages = chances.shape[1]
    support = np.zeros(n_languages, np.float64)
    for w in range(n):
        for g in range(n_languages):
            support[g] += words[w, 2] * (chances[w, g] - _FLOOR)
    k = min(_CANDIDATES, n_languages)
    candidates = np.argsort(-support)[:k]
    cost = np.zeros(k)
    came = np.zeros((n, k), np.int8)
    for w in range(n):
        lowest = np.argmin(cost)
        following = np.empty(k)
        for c in range(k):
            came[w, c] = c
            following[c] = cost[c]
            if cost[lowest] + _CHANGE < cost[c]:
                came[w, c] = lowest
                following[c] = cost[lowest] + _CHANGE
            chance = chances[w, candidates[c]]
            # Short words of the right script are common to many languages and weigh less.
            following[c] -= np.log(chance) * (1.0 if 2 * chance < _FLOOR + _FOREIGN else min(words[w, 2], 6) / 6)
        cost = following
    at = np.argmin(cost)
    for w in range(n - 1, -1, -1):
        path[w] = candidates[at]
        at = came[w, at]


@nb.njit(nogil=True, cache=True)
def _merge(words, path, n):  # type: ignore[no-untyped-def]
    """Give runs too short to be sure of to their neighbours; return whether two languages are left."""
    while True:
        weakest, weakest_end, fewest = -1, -1, 1 << 30
        first = 0
        mixed = False
        while first < n:
            end, letters = first, 0
            while end < n and path[end] == path[first]:
                letters += words[end, 2]
                end += 1
            mixed |= end - first < n
            if (end - first < MIN_SPAN_WORDS or letters < MIN_SPAN_LETTERS) and letters < fewest and end - first < n:
                weakest, weakest_end, fewest = first, end, letters
            first = end
        if weakest < 0:
            return mixed
        taken = path[weakest - 1] if weakest else path[weakest_end]
        for w in range(weakest, weakest_end):
            path[w] = taken


@nb.njit(nogil=True, cache=True)
def _span_rows(offsets, data, rows, script_of, arrays, language_of, n_languages):  # type: ignore[no-untyped-def]
    """Return spans (n, 3): language, start, end; and how many each of ``rows`` has."""
    counts = np.zeros(len(rows), np.int64)
    spans = np.empty((64, 3), np.int32)
    filled = 0
    words = np.empty((_MAX_WORDS, 3), np.int32)
    chances = np.empty((_MAX_WORDS, n_languages), np.float32)
    path = np.empty(_MAX_WORDS, np.int64)
    most = (max(arrays[1].max(), 1) + 7) // 8 * 8
    scratch = (
        np.empty(MAX_WORD + 2, np.uint64), np.empty(MAX_WORD * 8, np.uint32), np.zeros(most, np.int32),
        np.zeros(most, np.float32),
    )  # fmt: skip
    for r in range(len(rows)):
        start, end = offsets[rows[r]], offsets[rows[r] + 1]
        n = _read_words(data, start, end, script_of, arrays, language_of, scratch, words, chances)
        if n < 2 * MIN_SPAN_WORDS:
            continue
        _best_path(words, chances, n, path)
        if not _merge(words, path, n):
            continue
        for w in range(n):
            if w and path[w] == path[w - 1]:
                spans[filled - 1, 2] = words[w, 1]
                continue
            if filled == len(spans):
                wider = np.empty((2 * len(spans), 3), np.int32)
                wider[:filled] = spans
                spans = wider
            spans[filled, 0], spans[filled, 1], spans[filled, 2] = path[w], words[w, 0], words[w, 1]
            filled += 1
            counts[r] += 1
    return spans[:filled].copy(), counts


@cache
def _languages(of_script: tuple[tuple[str, ...], ...]) -> tuple[pa.Array, np.ndarray]:
    """Return all named languages, and (scripts, classes): the number of each script's classes among them or -1."""
    named = sorted({tag for of in of_script for tag in of if tag != UNDETERMINED} | set(ONE_LANGUAGE.values()))
    table = np.full((len(SCRIPTS), max(1, *(len(of) for of in of_script))), -1, np.int64)
    for s, of in enumerate(of_script):
        for c, tag in enumerate(of or (ONE_LANGUAGE.get(SCRIPTS[s], UNDETERMINED),)):
            if tag != UNDETERMINED:
                table[s, c] = named.index(tag)
    return pa.array(named, pa.string()), table


def find_spans(folded: pa.Array | pa.ChunkedArray, may_mix: np.ndarray, model: LanguageModel) -> pa.Array:
    """Return the column ``language_spans``: null unless at least two languages each hold a substantial stretch.

    Args:
        folded: the texts.
        may_mix: bool (rows,), which of them are worth a look.
        model: what words are scored with.
    """
    names, table = _languages(model.languages)
    rows = np.flatnonzero(may_mix)
    spans, counts = _span_rows(*utf8_buffers(folded), rows, script_table(), model.arrays(), table, len(names))
    per_row = np.zeros(len(folded), np.int64)
    per_row[rows] = counts
    ends = np.concatenate([[0], np.cumsum(per_row)]).astype(np.int32)
    kind = LANGUAGE.field("language_spans").type
    entries = pa.StructArray.from_arrays(
        [names.take(pa.array(spans[:, 0])), pa.array(spans[:, 1]), pa.array(spans[:, 2])],
        fields=list(kind.value_type),
    )
    return pa.ListArray.from_arrays(pa.array(ends), entries, type=kind, mask=pa.array(per_row == 0))

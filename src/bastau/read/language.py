"""Language and script of a post, and of its stretches when it mixes languages."""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.read.language_model import (
    MAX_WORD,
    UNDETERMINED,
    LanguageModel,
    language_model,
    posteriors,
    read_word,
    sum_weights,
    word_columns,
)
from bastau.read.language_scripts import ONE_LANGUAGE, SCRIPTS, han_forms, script_table
from bastau.read.language_spans import MIN_SPAN_LETTERS, find_spans
from bastau.schemas import FOLDED, LANGUAGE
from bastau.tables import append_columns, utf8_buffers
from bastau.utf8 import char_at

MAX_CHARS = 1000
"""Characters whose script is counted."""
MAX_LETTERS = 120
"""Letters whose words are scored: more change next to nothing. Of longer texts the beginning, and after one and two thirds."""
MIN_LETTERS = 3
_HANI, _JPAN = SCRIPTS.index("Hani"), SCRIPTS.index("Jpan")


@nb.njit(nogil=True, cache=True)
def _count_scripts(data, start, end, script_of, han, counts):  # type: ignore[no-untyped-def]
    """Count letters by script into ``counts``; return (where to stop reading, simplified minus traditional Han)."""
    counts[:] = 0
    i, n, form = start, 0, 0
    while i < end and n < MAX_CHARS:
        b = data[i]
        if b < 0x80:
            counts[script_of[b]] += 1
            i += 1
        else:
            cp, i = char_at(data, i, end)
            if cp < 0x10000:
                counts[script_of[cp]] += 1
                form += han[cp]
            elif 0x20000 <= cp < 0x32400:
                counts[_HANI] += 1
        n += 1
    return i, form


@nb.njit(nogil=True, cache=True)
def _word_start(data, i, script, script_of, end):  # type: ignore[no-untyped-def]
    """Return where the next word begins at or after ``data[i]``, which may be amid a character or word."""
    while i < end and data[i] & 0xC0 == 0x80:
        i += 1
    while i < end:
        cp, after = char_at(data, i, end)
        if cp >= 0x10000 or script_of[cp] != script:
            break
        i = after
    return i


@nb.njit(nogil=True, cache=True)
def _score_text(data, start, end, letters, script, script_of, arrays, scratch, total, tally):  # type: ignore[no-untyped-def]
    """Sum the weights of the words in ``script`` into ``total``; in ``tally`` mark the classes that have a stretch of words.

    Returns the number of columns summed.
    """
    starts, widths, shifts, weights, _, _, _ = arrays
    codes, columns, one = scratch
    width, first, shift = widths[script], starts[script], shifts[script]
    total[:width] = 0
    tally[:width] = 0
    n = 0
    run, run_words, run_letters = -1, 0, 0
    parts = 1 if letters <= MAX_LETTERS else 3
    for part in range(parts):
        i = start + (end - start) * part // parts
        if part:
            i = _word_start(data, i, script, script_of, end)
        left = MAX_LETTERS // parts
        while left > 0:
            used, _, i = read_word(data, i, end, script, script_of, codes)
            if used == 0:
                break
            m = word_columns(codes, used, shift, columns)
            sum_weights(columns, m, first, width, weights, one)
            best = 0
            for c in range(width):
                total[c] += one[c]
                if one[c] > one[best]:
                    best = c
            if used > 4:  # shorter words are too often at home in several languages
                if best != run:
                    run, run_words, run_letters = best, 0, 0
                run_words += 1
                run_letters += used - 2
                if run_words >= 2 and run_letters >= MIN_SPAN_LETTERS:
                    tally[run] = 1
            n += m
            left -= used - 2
    return n


@nb.njit(nogil=True, cache=True)
def _detect_rows(offsets, data, script_of, han, arrays):  # type: ignore[no-untyped-def]
    """Return labels (n, 2): best and second named class within the script or -1; posteriors (n, 2); scripts (n, 2).

    And whether the row may mix languages, bool (n,).
    """
    n_rows = len(offsets) - 1
    widths = arrays[1]
    labels = np.full((n_rows, 2), -1, np.int64)
    chances = np.zeros((n_rows, 2), np.float32)
    scripts = np.zeros((n_rows, 2), np.int64)
    may_mix = np.zeros(n_rows, np.bool_)
    counts = np.zeros(len(widths), np.int64)
    most = (max(widths.max(), 1) + 7) // 8 * 8
    total, tally, one = np.zeros(most, np.int32), np.zeros(most, np.int32), np.zeros(most, np.int32)
    posterior = np.zeros(most, np.float32)
    scratch = (np.empty(MAX_WORD + 2, np.uint64), np.empty(MAX_WORD * 8, np.uint32), one)
    for i in range(n_rows):
        stop, form = _count_scripts(data, offsets[i], offsets[i + 1], script_of, han, counts)
        if counts[_JPAN]:
            counts[_JPAN] += counts[_HANI]
            counts[_HANI] = 0
        script, letters = 0, 0
        for s in range(1, len(counts)):
            letters += counts[s]
            if counts[s] > counts[script] or (script == 0 and counts[s]):
                script = s
        scripts[i, 0], scripts[i, 1] = script, form
        if script == 0:
            continue
        may_mix[i] = letters - counts[script] >= MIN_SPAN_LETTERS
        width = widths[script]
        if width == 0:
            chances[i, 0] = counts[script] / letters
            continue
        if counts[script] < MIN_LETTERS:
            continue
        n = _score_text(data, offsets[i], stop, counts[script], script, script_of, arrays, scratch, total, tally)
        if n == 0:
            continue
        posteriors(total, n, script, arrays, posterior)
        best, second = 0, 1
        for c in range(1, width - 1):
            if posterior[c] > posterior[best]:
                best, second = c, best
            elif c != best and (second == best or posterior[c] > posterior[second]):
                second = c
        labels[i, 0], labels[i, 1] = best, second
        chances[i, 0], chances[i, 1] = posterior[best], posterior[second]
        for c in range(width - 1):
            may_mix[i] |= c != best and tally[c] > 0
    return labels, chances, scripts, may_mix


def detect(
    folded: pa.Array | pa.ChunkedArray, model: LanguageModel
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the two best languages of each text, their posteriors, (script, Han form): each (rows, 2); may mix (rows,)."""
    return _detect_rows(*utf8_buffers(folded), script_table(), han_forms(), model.arrays())


@dataclass(frozen=True)
class DetectLanguage:
    """Label each post with its most likely language and its script, and its stretches if it mixes languages.

    The script is that of most letters. Within it a linear model of letter n-grams and words decides. The score is
    the model's posterior with languages equally likely, calibrated on held-out sentences and pieces of them: of labels with
    a score near .8, about 80 % are right. For a pair it says how likely one of the two is right. In scripts
    of one language it is the share of letters in that script.

    Args:
        min_score: weaker guesses become `und`; they keep their score for review.
        min_margin: two leaders closer than this are both named (`kk|ky`) if together they reach min_score.
        model: None for the one that is shipped.

    Reference: Jauhiainen et al. 2019, JAIR 65 (survey); Guo et al. 2017, ICML (calibration).
    """

    min_score: float = 0.5
    min_margin: float = 0.2
    model: LanguageModel | None = None

    needs: ClassVar[pa.Schema] = pa.schema([FOLDED.field("folded")])
    adds: ClassVar[pa.Schema] = LANGUAGE

    def run(self, posts: pa.Table) -> pa.Table:
        """Return ``posts`` (n rows, any order) with the columns of LANGUAGE."""
        model = self.model or language_model()
        folded = posts.column("folded")
        labels, chances, scripts, may_mix = detect(folded, model)
        tags, score = self._tags(model, labels, chances, scripts[:, 0])
        columns = {
            "detected_language": tags,
            "language_score": pa.array(score),
            "script": _script_names(scripts),
            "language_spans": find_spans(folded, may_mix, model),
        }
        return append_columns(posts, columns, self.adds)

    def _tags(
        self, model: LanguageModel, labels: np.ndarray, chances: np.ndarray, scripts: np.ndarray
    ) -> tuple[pa.Array, np.ndarray]:
        """Return language tags and scores."""
        best, second = chances[:, 0], chances[:, 1]
        is_pair = (labels[:, 0] >= 0) & (best - second < self.min_margin)
        score = np.where(is_pair, best + second, best)
        is_sure = score >= self.min_score
        tags, names, pairs, lone = _tag_table(model.languages)
        code = np.where(labels[:, 0] >= 0, names[scripts, labels[:, 0]], lone[scripts])
        code = np.where(is_pair, pairs[scripts, labels[:, 0], labels[:, 1]], code)
        return tags.take(pa.array(np.where(is_sure, code, 0))), score


@cache
def _tag_table(languages: tuple[tuple[str, ...], ...]) -> tuple[pa.Array, np.ndarray, np.ndarray, np.ndarray]:
    """Return all tags there can be, `und` first, and indices into them: (script, class), (script, class, class), (script,)."""
    known = dict.fromkeys([UNDETERMINED, *ONE_LANGUAGE.values()])
    for of in languages:
        known |= dict.fromkeys("|".join(sorted({a, b})) for a in of for b in of)
    number = {tag: i for i, tag in enumerate(known)}
    most = max(len(of) for of in languages)
    names, pairs = np.zeros((len(SCRIPTS), most), np.int64), np.zeros((len(SCRIPTS), most, most), np.int64)
    for s, of in enumerate(languages):
        for a, first in enumerate(of):
            names[s, a] = number[first]
            for b, second in enumerate(of):
                pairs[s, a, b] = number["|".join(sorted({first, second}))]
    lone = np.array([number[ONE_LANGUAGE.get(script, UNDETERMINED)] for script in SCRIPTS])
    return pa.array(list(known), pa.string()), names, pairs, lone


def _script_names(scripts: np.ndarray) -> pa.Array:
    """Return ISO 15924 codes; Han is told into Hans and Hant where its characters differ."""
    code = scripts[:, 0].copy()
    han = code == _HANI
    code[han & (scripts[:, 1] > 0)] = len(SCRIPTS)
    code[han & (scripts[:, 1] < 0)] = len(SCRIPTS) + 1
    names = ["Kore" if script == "Hang" else script for script in SCRIPTS]
    return pa.array([*names, "Hans", "Hant"]).take(pa.array(code))

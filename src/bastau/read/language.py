"""Language and script of a post, told from letters and function words."""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.read.language_model import SCRIPTS, WIDTH, LanguageModel, hash_letter, language_model
from bastau.schemas import FOLDED, LANGUAGE
from bastau.tables import append_columns, utf8_buffers
from bastau.utf8 import char_at

MAX_CHARS = 1000
"""Characters looked at: more change nothing."""
MIN_LETTERS = 3
_TEMPER = 0.4
"""Neighbouring letters repeat each other's evidence, so log-likelihoods are taken at this share of their face value."""
_SLACK = 0.2
"""Nats a letter by which a language may fall behind the background and still be named.

Of the letter salad of three random words 1 % gets through, and 2 % of held-out three-word pieces of our own
sentences are turned away (5 % without slack)."""
_HANI, _JPAN = SCRIPTS.index("Hani"), SCRIPTS.index("Jpan")
# Scripts that one language has nearly to itself.
_ONE_LANGUAGE = {
    "Hani": "zh", "Jpan": "ja", "Hang": "ko", "Grek": "el", "Armn": "hy", "Geor": "ka", "Hebr": "he", "Thai": "th",
}  # fmt: skip
_SIMPLIFIED = "们这国来对时会个为学说过还没样发经现实动关问进长开见两间头后点气电车东门马风从业义书亲听习买卖"
_TRADITIONAL = "們這國來對時會個為學說過還沒樣發經現實動關問進長開見兩間頭後點氣電車東門馬風從業義書親聽習買賣"


@nb.njit(nogil=True, cache=True)
def _add(total, scores, row):  # type: ignore[no-untyped-def]
    for k in range(WIDTH):
        total[k] += scores[row, k]


@nb.njit(nogil=True, cache=True)
def _count_scripts(data, start, end, script_of, han, counts):  # type: ignore[no-untyped-def]
    """Count letters by script into ``counts``; return (where to stop reading, simplified minus traditional Han)."""
    counts[:] = 0
    i, n, form = start, 0, 0
    while i < end and n < MAX_CHARS:
        cp, i = char_at(data, i, end)
        n += 1
        if cp < 0x10000:
            counts[script_of[cp]] += 1
            form += han[cp]
        elif 0x20000 <= cp < 0x32400:
            counts[_HANI] += 1
    return i, form


@nb.njit(nogil=True, cache=True)
def _score_text(data, start, end, script, characters, tables, total):  # type: ignore[no-untyped-def]
    """Write the log likelihood of the words in ``script`` under each of its languages and the background.

    Returns the number of letters and word ends scored. A letter that no sample has says nothing.
    """
    script_of, letter_of, sizes, pair_starts, triple_starts = characters
    pairs, unseen, triples, seen, words, bonuses = tables
    size, pair_start, triple_start = sizes[script], pair_starts[script], triple_starts[script]
    total[:] = 0
    n = 0
    a = b = np.int64(0)
    at_start = True
    word = np.uint64(script)
    i = start
    while i <= end:
        c = np.int64(0)
        inside = False
        if i < end:
            cp, i = char_at(data, i, end)
            inside = cp < 0x10000 and script_of[cp] == script
            if inside:
                c = np.int64(letter_of[cp])
                word = hash_letter(word, cp)
        else:
            i += 1
        if at_start and not inside:
            continue
        if not inside or c > 0:
            pair = pair_start + a * size + b
            row = triples[triple_start + (a * size + b) * size + c] if not at_start else -1
            if row >= 0:
                _add(total, seen, row)
            else:
                if not at_start:
                    _add(total, unseen, pair)
                _add(total, pairs, pair_start + b * size + c)
            n += 1
        a, b, at_start = b, c, False
        if not inside:
            row = np.searchsorted(words, word)
            if row < len(words) and words[row] == word:
                _add(total, bonuses, row)
            a = b = np.int64(0)
            at_start = True
            word = np.uint64(script)
    return n


@nb.njit(nogil=True, cache=True)
def _detect_rows(offsets, data, han, n_languages, characters, tables):  # type: ignore[no-untyped-def]
    """Return labels (n, 2): best and second language within the script or -1; posteriors (n, 2); scripts (n, 2)."""
    n_rows = len(offsets) - 1
    labels = np.full((n_rows, 2), -1, np.int64)
    posteriors = np.zeros((n_rows, 2), np.float32)
    scripts = np.zeros((n_rows, 2), np.int64)
    counts = np.zeros(len(n_languages), np.int64)
    total = np.zeros(WIDTH, np.float32)
    for i in range(n_rows):
        stop, form = _count_scripts(data, offsets[i], offsets[i + 1], characters[0], han, counts)
        if counts[_JPAN]:
            counts[_JPAN] += counts[_HANI]
            counts[_HANI] = 0
        letters = counts[1:].sum()
        script = np.argmax(counts[1:]) + 1 if letters else 0
        scripts[i, 0], scripts[i, 1] = script, form
        n = n_languages[script]
        if n == 0:
            if letters:
                posteriors[i, 0] = counts[script] / letters
            continue
        if counts[script] < MIN_LETTERS:
            continue
        scored = _score_text(data, offsets[i], stop, script, characters, tables, total)
        best = np.argmax(total[:n])
        if total[best] < total[n] - _SLACK * scored:
            continue  # the bare letter frequencies explain it better than any language
        second = 0 if best else 1
        mass = 0.0
        for k in range(n):
            mass += np.exp(_TEMPER * (total[k] - total[best]))
            if k != best and total[k] > total[second]:
                second = k
        labels[i, 0], labels[i, 1] = best, second
        posteriors[i, 0] = 1.0 / mass
        posteriors[i, 1] = np.exp(_TEMPER * (total[second] - total[best])) / mass
    return labels, posteriors, scripts


@cache
def _han_forms() -> np.ndarray:
    forms = np.zeros(1 << 16, np.int8)
    for simplified, traditional in zip(_SIMPLIFIED, _TRADITIONAL, strict=True):
        if simplified != traditional:
            forms[ord(simplified)], forms[ord(traditional)] = 1, -1
    return forms


def detect(folded: pa.ChunkedArray, model: LanguageModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two best languages of each text, their posteriors, and (script, Han form): each (rows, 2)."""
    characters = (model.script_of, model.letter_of, model.sizes, model.pair_starts, model.triple_starts)
    tables = (model.pairs, model.unseen, model.triples, model.seen, model.words, model.bonuses)
    n_languages = np.array([len(languages) for languages in model.languages])
    return _detect_rows(*utf8_buffers(folded), _han_forms(), n_languages, characters, tables)


@dataclass(frozen=True)
class DetectLanguage:
    """Label each post with its most likely language and its script.

    The script is that of most letters. Within it, each language has a model of letters and function words; the
    score is the model's posterior with equal priors, its evidence tempered for dependent letters. In scripts of one
    language it is the share of letters in that script. It ranks and filters; it is no measured probability.

    Args:
        min_score: weaker guesses become `und`; they keep their score for review.
        min_margin: two leaders closer than this are both named (`kk|ky`) if together they reach min_score.

    Reference: Jauhiainen et al. 2019, JAIR 65 (survey); Witten and Bell 1991 (backing off).
    """

    min_score: float = 0.5
    min_margin: float = 0.2

    needs: ClassVar[pa.Schema] = pa.schema([FOLDED.field("folded")])
    adds: ClassVar[pa.Schema] = LANGUAGE

    def run(self, posts: pa.Table) -> pa.Table:
        """Return ``posts`` (n rows, any order) with the columns of LANGUAGE."""
        labels, posteriors, scripts = detect(posts.column("folded"), language_model())
        tags, score = self._tags(labels, posteriors, scripts[:, 0])
        columns = {
            "detected_language": tags,
            "language_score": pa.array(score),
            "script": _script_names(scripts),
            "language_spans": pa.nulls(posts.num_rows, self.adds.field("language_spans").type),
        }
        return append_columns(posts, columns, self.adds)

    def _tags(self, labels: np.ndarray, posteriors: np.ndarray, scripts: np.ndarray) -> tuple[pa.Array, np.ndarray]:
        """Return language tags and scores."""
        best, second = posteriors[:, 0], posteriors[:, 1]
        is_pair = (labels[:, 0] >= 0) & (best - second < self.min_margin)
        score = np.where(is_pair, best + second, best)
        is_sure = score >= self.min_score
        names, pairs, lone = _tag_table()
        code = np.where(labels[:, 0] >= 0, names[scripts, labels[:, 0]], lone[scripts])
        code = np.where(is_pair, pairs[scripts, labels[:, 0], labels[:, 1]], code)
        return _tag_strings().take(pa.array(np.where(is_sure, code, 0))), score


@cache
def _tag_table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return indices into :func:`_tag_strings`: (script, language), (script, language, language) and (script,)."""
    of = {tag: i for i, tag in enumerate(_tag_strings().to_pylist())}
    by_script = language_model().languages
    names, pairs = np.zeros((len(SCRIPTS), WIDTH), np.int64), np.zeros((len(SCRIPTS), WIDTH, WIDTH), np.int64)
    for s, languages in enumerate(by_script):
        for a, first in enumerate(languages):
            names[s, a] = of[first]
            for b, second in enumerate(languages):
                pairs[s, a, b] = of["|".join(sorted({first, second}))]
    lone = np.array([of[_ONE_LANGUAGE.get(script, "und")] for script in SCRIPTS])
    return names, pairs, lone


@cache
def _tag_strings() -> pa.Array:
    """Return every tag there can be; the first is `und`."""
    tags = dict.fromkeys(["und", *_ONE_LANGUAGE.values()])
    for languages in language_model().languages:
        tags |= dict.fromkeys("|".join(sorted({a, b})) for a in languages for b in languages)
    return pa.array(list(tags), pa.string())


def _script_names(scripts: np.ndarray) -> pa.Array:
    """Return ISO 15924 codes; Han is told into Hans and Hant where its characters differ."""
    code = scripts[:, 0].copy()
    han = code == _HANI
    code[han & (scripts[:, 1] > 0)] = len(SCRIPTS)
    code[han & (scripts[:, 1] < 0)] = len(SCRIPTS) + 1
    names = ["Kore" if script == "Hang" else script for script in SCRIPTS]
    return pa.array([*names, "Hans", "Hant"]).take(pa.array(code))

"""Training of the language model: rows of (language, script, text) in, model out. Needs nothing beyond the core.

N-grams stay within words, so that a text is as good as its words: each language of a script has a pool of words, and
training texts are drawn from it, one to thirty words long. Pools are spelled otherwise too, as people do: without the
letters of the language, in other alphabets. What is no language is drawn from random letters.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
import polars as pl
import pyarrow as pa

from bastau import __version__
from bastau.errors import InputError
from bastau.hashing import hash_strings
from bastau.read.fold import fold_strings
from bastau.read.language import DetectLanguage
from bastau.read.language_figures import compare
from bastau.read.language_model import (
    FORMAT,
    MAX_WORD,
    UNDETERMINED,
    LanguageModel,
    read_word,
    save_model,
    sum_weights,
    word_columns,
)
from bastau.read.language_scripts import SCRIPTS, script_table
from bastau.read.language_variants import SPELLINGS
from bastau.tables import utf8_buffers

MOST_WORDS = 30
_MOST_HELD_OUT = 400
_SALAD_WORDS = 20_000
_ENOUGH_WORDS = 5_000
"""A smaller pool is drawn from less, beside the other spellings of its class."""


@dataclass(frozen=True)
class TrainingPlan:
    """How to train.

    Attributes:
        seed: the same rows and seed give the same model.
        n_texts: texts drawn for a script of 16 or more classes; others get their share.
        bits: columns are below ``2 ** bits``, by number of classes above which they hold.
        rate: step size of AdaGrad.
        flatten: a word is drawn with its weight to this power: rare words count more than they occur.
        drop_words: share of whole words whose own column is left out, so that their n-grams learn too.
        most_tail: most rows of one word taken from a pool.
        held_out: of so many rows of running text, one is kept for the figures.
        drawn_more: classes that are drawn more often than others, or less, and how often.
    """

    seed: int = 20
    n_texts: int = 4_000_000
    bits: tuple[tuple[int, int], ...] = ((5, 16), (0, 14))
    rate: float = 1.5
    flatten: float = 0.8
    drop_words: float = 0.5
    most_tail: int = 150_000
    held_out: int = 10
    drawn_more: tuple[tuple[str, float], ...] = (("kk", 1.5), ("ru", 1.5), ("und", 0.7))

    def bits_of(self, n_classes: int) -> int:
        """Return the bits of the columns of a script."""
        return next(bits for above, bits in self.bits if n_classes > above)


@dataclass(frozen=True)
class Pool:
    """Words of one class in one spelling: text (folded), how often each is drawn (sums to 1), share in the class."""

    language: str
    words: pa.Array
    chances: np.ndarray
    share: float


@nb.njit(nogil=True, cache=True)
def _draw(cumulative, first, end, u):  # type: ignore[no-untyped-def]
    return first + min(np.searchsorted(cumulative[first:end], u), end - first - 1)


@nb.njit(nogil=True, cache=True)
def _number_of_words(u, v):  # type: ignore[no-untyped-def]
    if u < 0.18:
        return 1
    if u < 0.36:
        return 2
    if u < 0.54:
        return 3
    if u < 0.78:
        return 4 + int(v * 5)
    return 9 + int(v * (MOST_WORDS - 9))


@nb.njit(nogil=True, cache=True)
def _learn(words, pools, script, script_of, shift, n_texts, rate, drop, seed, weights, bias):  # type: ignore[no-untyped-def]
    """Fit ``weights`` (float32 (columns, classes)) and ``bias`` by AdaGrad on texts drawn from the pools."""
    offsets, data = words
    pool_starts, word_chances, pool_chances, pool_class = pools
    np.random.seed(seed)
    n_classes = weights.shape[1]
    squares = np.full(weights.shape[0], 1e-3, np.float32)
    bias_square = np.float32(1.0)
    codes = np.empty(MAX_WORD + 2, np.uint64)
    row = np.empty(MOST_WORDS * MAX_WORD * 8, np.uint32)
    one = np.empty(MAX_WORD * 8, np.uint32)
    score = np.empty(n_classes, np.float32)
    loss = 0.0
    for step in range(n_texts):
        pool = _draw(pool_chances, 0, len(pool_chances), np.random.random())
        y = pool_class[pool]
        n = 0
        for _ in range(_number_of_words(np.random.random(), np.random.random())):
            w = _draw(word_chances, pool_starts[pool], pool_starts[pool + 1], np.random.random())
            used, _, _ = read_word(data, offsets[w], offsets[w + 1], script, script_of, codes)
            if used:
                n_one = word_columns(codes, used, shift, one)
                if np.random.random() < drop:
                    n_one -= 1
                row[n : n + n_one] = one[:n_one]
                n += n_one
        if n == 0:
            continue
        scale = np.float32(1.0 / np.sqrt(n))
        score[:] = 0
        for k in range(n):
            for c in range(n_classes):
                score[c] += weights[row[k], c]
        top = np.float32(-1e30)
        for c in range(n_classes):
            score[c] = score[c] * scale + bias[c]
            top = max(top, score[c])
        mass = np.float32(0)
        for c in range(n_classes):
            score[c] = np.exp(score[c] - top)
            mass += score[c]
        loss -= np.log(max(score[y] / mass, 1e-9))
        square = np.float32(0)
        for c in range(n_classes):
            score[c] = score[c] / mass - (1.0 if c == y else 0.0)
            square += score[c] * score[c]
        if square < 1e-6:
            continue
        decay = np.float32(rate * (1.0 - 0.9 * step / n_texts))
        bias_square += square
        for c in range(n_classes):
            bias[c] -= np.float32(0.1) * decay * score[c] / np.sqrt(bias_square)
        square *= scale * scale
        for k in range(n):
            squares[row[k]] += square
            pace = decay * scale / np.sqrt(squares[row[k]])
            for c in range(n_classes):
                weights[row[k], c] -= pace * score[c]
    return loss / n_texts


def words_of(folded: pa.Array, weights: np.ndarray, script: str) -> pl.DataFrame:
    """Return the distinct words (``word``) of texts in ``script`` and their summed ``weight``, by word."""
    frame = pl.DataFrame({"word": pl.Series(folded), "weight": weights})
    frame = frame.with_columns(pl.col("word").str.split(" ")).explode("word").filter(pl.col("word").str.len_bytes() > 0)
    numbers = frame["word"].str.slice(0, 1)
    table = script_table()
    first = {c: table[ord(c)] if ord(c) < 1 << 16 else 0 for c in numbers.unique().to_list()}
    keep = numbers.replace_strict(first, return_dtype=pl.Int64) == SCRIPTS.index(script)
    return frame.filter(keep).group_by("word").agg(pl.col("weight").sum()).sort("word")


def _spelled(frame: pl.DataFrame, spelling) -> pl.DataFrame:  # type: ignore[no-untyped-def]
    spelled = pa.array([spelling(word) for word in frame["word"].to_list()], pa.string())
    return pl.DataFrame({"word": pl.Series(fold_strings(spelled)[0]), "weight": frame["weight"]})


def make_pools(rows: pl.DataFrame, plan: TrainingPlan) -> dict[str, list[Pool]]:
    """Return the pools of each script, from rows with ``language, script, folded, weight``."""
    pools: dict[str, list[tuple[str, pl.DataFrame, float]]] = defaultdict(list)
    for (language, script), group in sorted(rows.group_by("language", "script"), key=lambda item: item[0]):
        words = words_of(group["folded"].to_arrow().cast(pa.string()), group["weight"].to_numpy(), str(script))
        words = words.with_columns(pl.col("weight") ** plan.flatten)
        if len(words) > plan.most_tail:
            words = words.sort("weight", "word", descending=[True, False]).head(plan.most_tail)
        pools[str(script)].append((str(language), words, min(1.0, len(words) / _ENOUGH_WORDS)))
        for other, spelling, share in SPELLINGS.get((str(language), str(script)), ()):
            pools[other].append((str(language), _spelled(words, spelling), share))
    for made in pools.values():
        letters = pl.concat([words for _, words, _ in made])["word"].str.split("").explode().unique().sort().to_list()
        made.append((UNDETERMINED, _salad([c for c in letters if c], plan.seed), 0.3))
    return {script: [_pool(*each) for each in made] for script, made in pools.items()}


def _pool(language: str, words: pl.DataFrame, share: float) -> Pool:
    words = words.filter(pl.col("word").str.len_bytes() > 0)
    weight = words["weight"].to_numpy()
    return Pool(language, words["word"].to_arrow().cast(pa.string()), weight / weight.sum(), share)


def _salad(letters: list[str], seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 11, _SALAD_WORDS)
    words = ["".join(rng.choice(letters, size)) for size in sizes]
    return pl.DataFrame({"word": words, "weight": np.ones(len(words))})


def train_script(script: str, pools: list[Pool], plan: TrainingPlan) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Return (classes, weights float32 (columns, classes), bias float32) of one script."""
    classes = (*sorted({pool.language for pool in pools} - {UNDETERMINED}), UNDETERMINED)
    more = dict(plan.drawn_more)
    shares: dict[str, float] = defaultdict(float)
    for pool in pools:
        shares[pool.language] += pool.share
    chances = np.array([more.get(pool.language, 1.0) * pool.share / shares[pool.language] for pool in pools])
    words = pa.chunked_array([pool.words for pool in pools])
    starts = np.cumsum([0, *(len(pool.words) for pool in pools)])
    arrays = (
        starts,
        np.concatenate([np.cumsum(pool.chances) for pool in pools]),
        np.cumsum(chances / chances.sum()),
        np.array([classes.index(pool.language) for pool in pools]),
    )
    bits = plan.bits_of(len(classes))
    weights = np.zeros((1 << bits, len(classes)), np.float32)
    bias = np.zeros(len(classes), np.float32)
    n_texts = int(plan.n_texts * min(1.0, len(classes) / 16))
    _learn(
        utf8_buffers(words), arrays, SCRIPTS.index(script), script_table(), np.uint64(64 - bits), n_texts,
        plan.rate, plan.drop_words, plan.seed, weights, bias,
    )  # fmt: skip
    return classes, weights, bias


def quantised(parts: dict[str, tuple[tuple[str, ...], np.ndarray, np.ndarray]]) -> LanguageModel:
    """Return the model of the trained scripts, weights rounded to int8."""
    n = len(SCRIPTS)
    widest = max(len(classes) for classes, _, _ in parts.values())
    starts, widths, shifts = np.zeros(n, np.int64), np.zeros(n, np.int64), np.full(n, 64, np.uint64)
    scales, biases = np.zeros(n, np.float32), np.zeros((n, widest), np.float32)
    rounded: list[np.ndarray] = []
    at = 0
    for script, (classes, weights, bias) in parts.items():
        s, width = SCRIPTS.index(script), len(classes)
        centred = weights - weights.mean(axis=1, keepdims=True)
        scale = max(float(np.quantile(np.abs(centred), 0.9995)) / 127, 1e-9)
        whole = np.clip(np.rint(centred / scale), -127, 127).astype(np.int8)
        rounded.append(np.pad(whole, ((0, 0), (0, -width % 8))).reshape(-1, 8))
        starts[s], widths[s], shifts[s] = at, width, 64 - int(np.log2(len(weights)))
        scales[s], biases[s, :width] = scale, bias
        at += len(rounded[-1])
    languages = tuple(parts[script][0] if script in parts else () for script in SCRIPTS)
    return LanguageModel(
        languages, starts, widths, shifts, np.concatenate(rounded), scales, biases, np.zeros((n, 2), np.float32)
    )


def prepared(rows: pl.DataFrame, plan: TrainingPlan) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return (rows to train on, rows held out), with ``folded`` added."""
    folded = fold_strings(rows["text"].to_arrow().cast(pa.string()))[0]
    rows = rows.with_columns(folded=pl.Series(folded), draw=pl.Series(hash_strings(folded, plan.seed)))
    is_running = pl.col("folded").str.count_matches(" ") >= 3
    is_out = is_running & (pl.col("draw").abs() % plan.held_out == 0)
    return rows.filter(~is_out).drop("draw"), rows.filter(is_out).drop("draw")


def fit(rows: pl.DataFrame, plan: TrainingPlan) -> LanguageModel:
    """Train on rows with ``language, script, folded, weight``; sharpness is left at 1."""
    parts = {}
    for script, pools in sorted(make_pools(rows, plan).items()):
        if script in SCRIPTS and len({pool.language for pool in pools}) > 2:
            parts[script] = train_script(script, pools, plan)
    if not parts:
        raise InputError("no script has rows of two languages; there is nothing to tell apart")
    return quantised(parts)


@nb.njit(nogil=True, cache=True)
def _sums(offsets, data, script, script_of, arrays, sums, sizes):  # type: ignore[no-untyped-def]
    """Write each text's sums of weights (rows, classes) and how many columns they are of."""
    starts, widths, shifts, weights, _, _, _ = arrays
    codes = np.empty(MAX_WORD + 2, np.uint64)
    columns = np.empty(MAX_WORD * 8, np.uint32)
    total = np.zeros((widths[script] + 7) // 8 * 8, np.int32)
    for i in range(len(offsets) - 1):
        at, end = offsets[i], offsets[i + 1]
        while True:
            used, _, at = read_word(data, at, end, script, script_of, codes)
            if used == 0:
                break
            m = word_columns(codes, used, shifts[script], columns)
            sum_weights(columns, m, starts[script], widths[script], weights, total)
            sums[i, :] += total[: widths[script]]
            sizes[i] += m


def pieces(texts: list[str], n_words: int, seed: int) -> list[str]:
    """Return of each folded text a piece of so many words at a random place; 0 for the whole."""
    rng = np.random.default_rng(seed)
    if n_words == 0:
        return texts
    cut = []
    for words in (text.split() for text in texts):
        at = int(rng.integers(0, max(1, len(words) - n_words + 1)))
        cut.append(" ".join(words[at : at + n_words]))
    return cut


def calibrate(model: LanguageModel, held_out: pl.DataFrame, plan: TrainingPlan) -> LanguageModel:
    """Return the model with the sharpness that makes held-out texts and pieces of them likeliest.

    Languages count alike. The pieces have one, two, three and five words, for posts are short.
    """
    sharpness = np.zeros((len(SCRIPTS), 2), np.float32)
    for s, script in enumerate(SCRIPTS):
        classes = model.languages[s]
        part = held_out.filter((pl.col("script") == script) & pl.col("language").is_in(list(classes)))
        part = part.with_columns(rank=pl.int_range(pl.len()).over("language")).filter(pl.col("rank") < _MOST_HELD_OUT)
        if len(part) < 50:
            continue
        texts = [piece for n in (0, 1, 2, 3, 5) for piece in pieces(part["folded"].to_list(), n, plan.seed)]
        gold = np.array([classes.index(language) for language in part["language"].to_list()] * 5)
        sums, sizes = np.zeros((len(texts), len(classes)), np.float32), np.zeros(len(texts), np.int64)
        _sums(*utf8_buffers(pa.array(texts)), s, script_table(), model.arrays(), sums, sizes)
        keep = sizes > 0
        scores = model.biases[s, : len(classes)] + model.scales[s] * sums[keep] / np.sqrt(sizes[keep, None])
        weight = 1.0 / np.bincount(gold, minlength=len(classes))[gold[keep]]
        sharpness[s] = _sharpest(scores, np.log(sizes[keep]), gold[keep], weight)
    return replace(model, sharpness=sharpness)


def _sharpest(scores: np.ndarray, log_n: np.ndarray, gold: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Return the (a, b) of exp(a + b log n) of least log loss, to a hundredth."""
    rows = np.arange(len(gold))

    def loss(a: float, b: float) -> float:
        z = scores * np.exp(a + b * log_n)[:, None]
        z -= z.max(axis=1, keepdims=True)
        return float((weight * (np.log(np.exp(z).sum(axis=1)) - z[rows, gold])).sum())

    best = (0.0, 0.0)
    for step in (0.5, 0.2, 0.1, 0.04, 0.02, 0.01):
        lowest = loss(*best)
        while True:
            near = [(best[0] + i * step, best[1] + j * step / 3) for i in (-1, 0, 1) for j in (-1, 0, 1)]
            losses = [loss(*at) for at in near]
            if min(losses) >= lowest - 1e-9:
                break
            lowest, best = min(losses), near[int(np.argmin(losses))]
    return best


def read_rows(paths: Sequence[Path]) -> pl.DataFrame:
    """Return the training rows of files or folders of them: ``language, script, text, weight, source``.

    Raises:
        InputError: a file cannot be read, lacks a column or holds a bad value; names file, line and field.
    """
    files = [file for path in paths for file in (_row_files(path) if path.is_dir() else [path])]
    if not files:
        raise InputError(f"{', '.join(map(str, paths))}: holds no .tsv or .tsv.gz file of language, script, text")
    return pl.concat([_read_file(file) for file in files])


def _row_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.name.endswith((".tsv", ".tsv.gz")))


def _read_file(path: Path) -> pl.DataFrame:
    try:
        frame = pl.read_csv(path, separator="\t", quote_char=None, infer_schema=False, truncate_ragged_lines=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).split("\n")[0]
        raise InputError(f"{path}: cannot be read as tab-separated rows: {reason}") from error
    missing = [name for name in ("language", "script", "text") if name not in frame.columns]
    if missing:
        raise InputError(f"{path}: line 1: no column {missing[0]!r}; a file needs language, script, text")
    if "weight" not in frame.columns:
        frame = frame.with_columns(weight=pl.lit("1"))
    if "source" not in frame.columns:
        frame = frame.with_columns(source=pl.lit(path.name))
    frame = frame.select(
        "language", "script", pl.col("text").fill_null(""), pl.col("weight"), pl.col("source").fill_null(path.name),
        number=pl.col("weight").cast(pl.Float64, strict=False),
    )  # fmt: skip
    checks = {
        "language": ~pl.col("language").fill_null("").str.contains("^[a-z]{2,3}$"),
        "script": ~pl.col("script").fill_null("").is_in(list(SCRIPTS[1:])),
        "text": pl.col("text") == "",
        "weight": ~(pl.col("number").fill_null(0.0).is_finite() & (pl.col("number").fill_null(0.0) > 0)),
    }
    wants = {
        "language": "two or three letters, as kk", "script": f"one of {', '.join(SCRIPTS[1:])}", "text": "some text",
        "weight": "a number above 0",
    }  # fmt: skip
    for field, is_bad in checks.items():
        bad = frame.select(pl.arg_where(is_bad)).to_series()
        if len(bad):
            value = frame[field][int(bad[0])]
            raise InputError(f"{path}: line {int(bad[0]) + 2}: {field}: {value!r} is not {wants[field]}")
    return frame.drop("weight").rename({"number": "weight"})


def train_language(
    paths: Sequence[Path], out: Path, *, seed: int, now: datetime, plan: TrainingPlan | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Train a model on files or folders of rows, write it and its card, and return the card with what to say about it.

    Args:
        paths: tab-separated files (``language, script, text`` and optionally ``weight, source``) or folders of them. A
            ``sources.json`` in a folder describes the sources: name -> licence, version, date, what.
        out: the model file; its card goes beside it as ``.json``.
        seed: the same rows, seed and release give the same bytes.
        now: date of the card.
        plan: how to train; None for the plan of the shipped model.

    Raises:
        InputError: a row is wrong, or no script has rows of two languages.
    """
    plan = replace(plan or TrainingPlan(), seed=seed)
    rows = read_rows(paths)
    train, held_out = prepared(rows, plan)
    model = calibrate(fit(train, plan), held_out, plan)
    save_model(model, out)
    card = _card(rows, held_out, model, plan, now) | {"size_bytes": out.stat().st_size}
    described = _described(paths)
    card["sources"] = {name: counts | described.get(name, {}) for name, counts in card["sources"].items()}
    out.with_suffix(".json").write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return card, _lines(card, out)


def _described(paths: Sequence[Path]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for folder in {path if path.is_dir() else path.parent for path in paths}:
        file = folder / "sources.json"
        if file.is_file():
            try:
                found |= json.loads(file.read_text(encoding="utf-8"))
            except (ValueError, TypeError) as error:
                raise InputError(f"{file}: not a JSON object of source names and what is known of each") from error
    return found


def _card(
    rows: pl.DataFrame, held_out: pl.DataFrame, model: LanguageModel, plan: TrainingPlan, now: datetime
) -> dict[str, Any]:
    by_source = rows.group_by("source").agg(pl.len().alias("rows"), pl.col("language").n_unique().alias("languages"))
    figures = {}
    known = {tag for of in model.languages for tag in of} - {UNDETERMINED}
    held_out = held_out.filter(pl.col("language").is_in(list(known)))
    held_out = held_out.with_columns(rank=pl.int_range(pl.len()).over("language", "script"))
    held_out = held_out.filter(pl.col("rank") < _MOST_HELD_OUT)
    for name, n_words in (("whole", 0), ("three_words", 3), ("one_word", 1)):
        if len(held_out):
            texts = pieces(held_out["folded"].to_list(), n_words, plan.seed)
            found = DetectLanguage(model=model).run(pa.table({"folded": pa.array(texts, pa.string())}))
            made = compare(
                held_out["language"].to_list(),
                found.column("detected_language").to_pylist(),
                found.column("language_score").to_pylist(),
            )
            figures[name] = {
                "n_texts": made.n_texts,
                "macro_f1": round(made.macro_f1, 4),
                "und_share": round(made.und_share, 4),
                "f1": {language: round(row["f1"], 3) for language, row in made.languages.items()},
                "score_bands": [(low, high, n, round(share, 3)) for low, high, n, share in made.score_bands],
            }
    return {
        "made": now.date().isoformat(),
        "bastau": __version__,
        "format": FORMAT,
        "seed": plan.seed,
        "languages": {s: list(of) for s, of in zip(SCRIPTS, model.languages, strict=True) if of},
        "sources": {row["source"]: {"rows": row["rows"], "languages": row["languages"]}
                    for row in by_source.sort("source").to_dicts()},
        "held_out": figures,
    }  # fmt: skip


def _lines(card: dict[str, Any], out: Path) -> list[str]:
    lines = [f"{out}: {card['size_bytes']:,} bytes; card in {out.with_suffix('.json').name}"]
    for script, languages in card["languages"].items():
        lines.append(f"{script}: {' '.join(languages)}")
    for name, figures in card["held_out"].items():
        worst = sorted(figures["f1"].items(), key=lambda item: item[1])[:5]
        lines.append(
            f"held out, {name.replace('_', ' ')}: macro-F1 {figures['macro_f1']:.3f} over {figures['n_texts']:,} texts; "
            f"weakest {', '.join(f'{language} {f1:.2f}' for language, f1 in worst)}"
        )
    return lines

"""Quality and speed of a linear model of one's own: ``python bench/models.py`` (needs scikit-learn and the shared data).

Each public set is split by the hash of the folded text, a quarter held out. Beside ours: scikit-learn's TF-IDF of the same
n-grams with its own logistic regression, on the same folded texts.
"""

import csv
import gzip
import hashlib
import io
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bastau.models.labelled import Labelled, read_labelled
from bastau.models.linear import LinearModel
from bastau.models.metrics import brier, calibration_error, figures
from bastau.models.training import train
from bastau.training import PROTECTED_COLUMNS, detect, fold

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("BASTAU_SHARED_DATA", ROOT / ".." / "shared" / "data"))
SUITE = ROOT / "tests" / "evals" / "protected"
SETS: dict[str, tuple[str, str, Callable[[str], bool]]] = {
    "extremism-posts-kaggle: EXTREMIST": (
        "extremism-posts-kaggle/posts.csv.gz", "text", lambda label: label == "EXTREMIST"
    ),
    "hate-davidson2017: hate or offensive": (
        "hate-davidson2017/tweets.csv.gz", "tweet", lambda label: label != "neither"
    ),
    "hate-davidson2017: hate": ("hate-davidson2017/tweets.csv.gz", "tweet", lambda label: label == "hate"),
}  # fmt: skip
SEED = 7


def read(file: str, text: str, is_positive: Callable[[str], bool]) -> tuple[list[str], np.ndarray]:
    """Return distinct folded texts and their class."""
    with gzip.open(SHARED / file, "rt", encoding="utf-8") as lines:
        rows = [(row[text], is_positive(row["label"])) for row in csv.DictReader(io.StringIO(lines.read()))]
    folded = fold(pa.array([words for words, _ in rows])).to_pylist()
    of_text = {words: label for words, (_, label) in zip(folded, rows, strict=True) if words}
    return list(of_text), np.array(list(of_text.values()))


def is_held_out(folded: str) -> bool:
    return hashlib.blake2b(folded.encode()).digest()[0] % 4 == 0


def score(model: LinearModel, texts: list[str]) -> np.ndarray:
    folded = fold(pa.array(texts))
    return model.scores(folded, detect(folded))


def best_of(times: int, run: Callable[[], Any]) -> float:
    """Return the processor seconds of the fastest of some runs."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return min(taken)


def labelled(texts: list[str], is_positive: np.ndarray) -> Labelled:
    labels = ["1" if label else "0" for label in is_positive]
    blank = [""] * len(texts)
    return Labelled(texts, labels, ["en"] * len(texts), blank, blank)


def scikit(texts: list[str], is_positive: np.ndarray) -> Any:
    """Return scikit-learn's pipeline of the same recipe, fitted."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), lowercase=False, dtype=np.float32)
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+", lowercase=False, dtype=np.float32)
    model = LogisticRegression(C=4, class_weight="balanced", max_iter=1000)
    return make_pipeline(make_union(letters, words), model).fit(texts, is_positive)


def row(name: str, scores: np.ndarray, truth: np.ndarray, threshold: float) -> str:
    answer = figures(scores, truth, threshold, seed=SEED)
    cells = [answer[key] for key in ("precision", "recall", "f1", "auc")]
    shown = " | ".join(f"{cell['value']:.3f} ({cell['low']:.3f}-{cell['high']:.3f})" for cell in cells)
    return f"| {name} | {shown} | {calibration_error(scores, truth):.3f} | {brier(scores, truth):.3f} |"


def suite() -> Labelled:
    whole = Labelled()
    for path in sorted(SUITE.glob("*.csv")):
        part = read_labelled(path, PROTECTED_COLUMNS)
        for name in ("texts", "labels", "languages", "groups", "ids"):
            getattr(whole, name).extend(getattr(part, name))
    return whole


def speed(model: LinearModel, theirs: Any, texts: list[str]) -> list[str]:
    """Return posts per second of one thread, ours and scikit-learn's, on the same folded texts."""
    many = texts * max(1, 100_000 // len(texts))
    column, languages = pa.array(many), pa.array(["en"] * len(many))
    model.scores(column, languages)
    ours_s = best_of(5, lambda: model.scores(column, languages)) / len(many)
    with_fold_s = best_of(3, lambda: model.scores(fold(column), languages)) / len(many)
    some = texts[:4000]
    theirs_s = best_of(3, lambda: theirs.predict_proba(some)) / len(some)
    size = sum(len(text.encode()) for text in texts) / len(texts)
    return [
        f"| {size:.0f} | {1 / ours_s:,.0f} | {1 / with_fold_s:,.0f} | {1 / theirs_s:,.0f} | {theirs_s / ours_s:.0f} |"
    ]


def verses(model: LinearModel) -> str:
    with gzip.open(SHARED / "benign-religious-quran/ayat.csv.gz", "rt", encoding="utf-8") as lines:
        texts = [r["text"] for r in csv.DictReader(lines) if r["lang"].startswith("en")]
    flagged = int((score(model, texts) >= model.threshold).sum())
    return f"{flagged:,} of {len(texts):,}"


def protected_lines(model: LinearModel, whole: Labelled) -> list[str]:
    scores = score(model, whole.texts)
    languages, labels = np.array(whole.languages), np.array(whole.labels)
    lines = []
    for language in sorted(set(whole.languages)):
        cells = [f"{(~np.isnan(scores[languages == language])).mean():.3f}"]
        for label in ("flag", "protected"):
            picked = scores[(languages == language) & (labels == label)]
            cells.append(f"{(picked >= model.threshold).mean():.3f} of {len(picked)}")
        lines.append(f"| {language} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    quality: list[str] = []
    fast: list[str] = []
    notes: list[str] = []
    whole = suite()
    for name, (file, text, is_positive) in SETS.items():
        texts, truth = read(file, text, is_positive)
        held = np.array([is_held_out(words) for words in texts])
        seen = [words for words, out in zip(texts, held, strict=True) if not out]
        unseen = [words for words, out in zip(texts, held, strict=True) if out]
        start = time.process_time()
        trained = train(labelled(seen, truth[~held]), fold, detect, positive="1", protected=whole, seed=SEED)
        train_s = time.process_time() - start
        start = time.process_time()
        theirs = scikit(seen, truth[~held])
        scikit_s = time.process_time() - start
        model = trained.model
        print(name, f"{train_s:.0f} s, scikit-learn {scikit_s:.0f} s", file=sys.stderr)
        quality += [
            f"| **{name}**, {len(seen):,} / {len(unseen):,} ({truth[held].sum():,}) | | | | | | |",
            row(
                "ours, calibrated",
                model.scores(pa.array(unseen), pa.array(["en"] * len(unseen))),
                truth[held],
                model.threshold,
            ),
            row("scikit-learn, from .5", theirs.predict_proba(unseen)[:, 1], truth[held], 0.5),
        ]
        fast += [f"| {name} {line}" for line in speed(model, theirs, unseen)]
        role = trained.report["protected"]["role"]
        notes += [
            f"**{name}** (threshold {model.threshold:.3f}): {role}. English verses of the Quran flagged: {verses(model)}.",
            "",
            "| suite | scored | calls flagged | protected texts flagged |",
            "|---|---|---|---|",
            *protected_lines(model, whole),
            "",
        ]
    print("\n".join([
        "# A linear model of one's own", "", "    python bench/models.py", "",
        "Public sets, split by the hash of the folded text, a quarter held out and seen by nothing. 95 % intervals. The "
        "threshold is the one with the best F1 out of fold on the training part. The length that rows are brought to was chosen "
        "on out-of-fold scores of the same training parts, after a first look at these figures.", "",
        "## Held-out quality", "",
        "| set: training / held-out texts (labelled) | precision | recall | F1 | AUC | calibration error | Brier |",
        "|---|---|---|---|---|---|---|", *quality, "",
        "## Speed", "", "Posts a second of processor time, one thread, folded texts of the set; shared machine.", "",
        "| set | bytes a post | score | fold and score | scikit-learn | times |", "|---|---|---|---|---|---|", *fast, "",
        "## Protected speech", "",
        "What these models would flag at their threshold of texts that must be left alone. None may suggest; this is why.",
        "", *notes,
    ]).rstrip())  # fmt: skip


if __name__ == "__main__":
    main()

"""Invented labelled texts: those of class ``flag`` hold a made-up word, a tenth of them the wrong label."""

import numpy as np
import pyarrow as pa

from bastau.models.labelled import Labelled
from bastau.read.fold import fold_strings

WORDS = ["көл", "тау", "жол", "қала", "кітап", "школа", "город", "вода", "bread", "river", "market", "garden", "хлеб"]
MARKS = ["зурбаган", "зурбагане", "зурбагану"]


def fold(texts: pa.Array) -> pa.Array:
    return fold_strings(texts)[0]


def detect(folded: pa.Array) -> pa.Array:
    return pa.array(["kk"] * len(folded))


def labelled_texts(n: int = 300, seed: int = 5) -> Labelled:
    dice = np.random.default_rng(seed)
    labelled = Labelled()
    for i in range(n):
        is_flag = i % 3 == 0
        words = [*dice.choice(WORDS, 7), *([str(dice.choice(MARKS))] if is_flag != (dice.random() < 0.1) else [])]
        labelled.texts.append(" ".join(dice.permutation(words)))
        labelled.labels.append("flag" if is_flag else "protected")
        labelled.languages.append(["kk", "ru"][i % 2])
        labelled.groups.append(["news", "worship", "satire"][i // 3 % 3])
        labelled.ids.append(str(i))
    return labelled

"""How well detected languages agree with known ones."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

NEIGHBOURS = ("kk", "ky", "tt", "ba", "uz")
"""Kazakh and the languages it is most easily taken for."""
SCORE_BANDS = (0.0, 0.5, 0.7, 0.9, 0.99, 1.0)


@dataclass(frozen=True)
class LanguageFigures:
    """Agreement of detected with known languages. All shares are in [0, 1].

    Attributes:
        n_texts: texts compared.
        macro_f1: mean F1 over the known languages; `und` and pairs (`kk|ky`) count as wrong.
        macro_f1_pairs_half: the same with a pair that holds the right language half right, others half a wrong claim to each.
        accuracy: share right, pairs wrong.
        und_share, pair_share: texts called `und`, or given a pair.
        pairs_right, pairs_wrong: pairs that hold the right language, and that do not.
        languages: by known language: n_texts, precision, recall, f1.
        confusions: [known, detected, n_texts], most first.
        neighbours: by known language of NEIGHBOURS, what its texts were called: those five, pairs, `und`, others.
        score_bands: [from, to, n_texts, share right]; pairs count as right when they hold the right language, `und` is left out.
    """

    n_texts: int
    macro_f1: float
    macro_f1_pairs_half: float
    accuracy: float
    und_share: float
    pair_share: float
    pairs_right: int
    pairs_wrong: int
    languages: dict[str, dict[str, float]]
    confusions: list[tuple[str, str, int]]
    neighbours: dict[str, dict[str, int]]
    score_bands: list[tuple[float, float, int, float]]


def compare(known: Sequence[str], detected: Sequence[str], scores: Sequence[float]) -> LanguageFigures:
    """Return the figures of ``detected`` tags against ``known`` languages, text by text; there is at least one."""
    pairs = Counter(zip(known, detected, strict=True))
    n = len(known)
    right = sum(count for (a, b), count in pairs.items() if a == b)
    is_pair = {b: "|" in b for _, b in pairs}
    pairs_right = sum(count for (a, b), count in pairs.items() if is_pair[b] and a in b.split("|"))
    n_pairs = sum(count for (_, b), count in pairs.items() if is_pair[b])
    languages = {language: _f1(pairs, language, 0.0) for language in sorted(set(known))}
    halves = [_f1(pairs, language, 0.5)["f1"] for language in languages]
    wrong = sorted(((a, b, count) for (a, b), count in pairs.items() if a != b), key=lambda c: (-c[2], c[0], c[1]))
    return LanguageFigures(
        n_texts=n,
        macro_f1=sum(figures["f1"] for figures in languages.values()) / len(languages),
        macro_f1_pairs_half=sum(halves) / len(halves),
        accuracy=right / n,
        und_share=sum(count for (_, b), count in pairs.items() if b == "und") / n,
        pair_share=n_pairs / n,
        pairs_right=pairs_right,
        pairs_wrong=n_pairs - pairs_right,
        languages=languages,
        confusions=wrong,
        neighbours=_neighbours(pairs),
        score_bands=_bands(known, detected, scores),
    )


def _f1(pairs: Counter[tuple[str, str]], language: str, pair_worth: float) -> dict[str, float]:
    n = sum(count for (a, _), count in pairs.items() if a == language)
    hits = claims = 0.0
    for (a, b), count in pairs.items():
        held = b.split("|")
        worth = count * (1.0 if len(held) == 1 else pair_worth)
        if language in held and a == language:
            hits += worth
            claims += worth
        elif language in held and a not in held:
            claims += worth
    precision = hits / claims if claims else 0.0
    recall = hits / n if n else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return {"n_texts": n, "precision": precision, "recall": recall, "f1": f1}


def _neighbours(pairs: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for (a, b), count in sorted(pairs.items()):
        if a in NEIGHBOURS:
            name = b if b in NEIGHBOURS or b == "und" else "a pair" if "|" in b else "another"
            row = table.setdefault(a, {})
            row[name] = row.get(name, 0) + count
    return table


def _bands(
    known: Sequence[str], detected: Sequence[str], scores: Sequence[float]
) -> list[tuple[float, float, int, float]]:
    bands = []
    for low, high in pairwise(SCORE_BANDS):
        rights = [
            a in b.split("|")
            for a, b, score in zip(known, detected, scores, strict=True)
            if b != "und" and low <= score and (score < high or high == 1.0)
        ]
        if rights:
            bands.append((low, high, len(rights), sum(rights) / len(rights)))
    return bands

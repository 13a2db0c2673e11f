"""How well narratives, beginnings and coordinated groups are found in posts whose truth is known.

Truth is that of :mod:`bastau.simulate.truth`, predictions are what ``bastau export`` writes. Posts are matched by
``post_id``: those of pseudonymised authors match only when the posts were imported with ``min_audience = 0``.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pyarrow as pa

Level = Literal["narrative", "version"]


@dataclass(frozen=True)
class NarrativeFigures:
    """Agreement of two groupings of the same posts; all but the counts and ``ari`` (at most 1) lie in [0, 1].

    Pairs: two posts in one narrative. Where nothing is predicted, or nothing is true, the missing share is 1.
    ``ari``: adjusted Rand index. ``b_cubed_*``: means over posts.

    Reference: Hubert and Arabie 1985, J. Classification 2; Bagga and Baldwin 1998, ACL, section 3.
    """

    n_posts: int
    n_unmatched: int
    pair_precision: float
    pair_recall: float
    pair_f1: float
    ari: float
    b_cubed_precision: float
    b_cubed_recall: float
    b_cubed_f1: float


@dataclass(frozen=True)
class Bin:
    """Answers whose confidence lies in one tenth of [0, 1]: how sure they were and how many were right, on average."""

    n: int
    confidence: float
    right: float


@dataclass(frozen=True)
class OriginFigures:
    """How often the beginning was named rightly, over the narratives of the truth that were found at all.

    ``n_observed``: began with a nameable post that is in the posts; ``n_first`` and ``n_in_three`` of them have the
    true source as first candidate or among the first three, ``n_wrongly_abstained`` were given up.
    ``n_withheld``: began with a post that was withheld; abstaining is right. ``n_private``: began with a private
    account, which may never be named; ``n_private_named`` must be 0. The shares are null where there is nothing to count.

    ``n_named`` answers name somebody; ``calibration_error`` is the expected calibration error of the confidence of
    their first candidate over ten equal bins (``reliability``), ``brier`` its mean squared error. Naming anybody where the
    beginning was withheld or private counts as wrong.

    Reference: Naeini et al. 2015, AAAI (expected calibration error); Brier 1950, Monthly Weather Review 78.
    """

    n_observed: int
    n_first: int
    n_in_three: int
    n_wrongly_abstained: int
    n_withheld: int
    n_rightly_abstained: int
    n_private: int
    n_private_named: int
    n_not_found: int
    first: float | None
    in_three: float | None
    wrongly_abstained: float | None
    rightly_abstained: float | None
    n_named: int
    calibration_error: float | None
    brier: float | None
    reliability: dict[str, Bin]


@dataclass(frozen=True)
class CoordinationFigures:
    """Pairs of sources that move together: found against true, and innocent look-alikes taken for it.

    ``flagged``: for each look-alike that has any, the predicted pairs inside it that are in no true group;
    ``n_flagged`` of ``n_lookalikes`` have one, ``flagged_share`` in [0, 1].
    """

    n_true_pairs: int
    n_predicted_pairs: int
    pair_precision: float
    pair_recall: float
    pair_f1: float
    n_lookalikes: int
    n_flagged: int
    flagged_share: float
    flagged: dict[str, int]


def score_narratives(
    predicted: pa.Table, labels: pa.Table, *, level: Level = "version", singletons: Literal["kept", "dropped"] = "kept"
) -> NarrativeFigures:
    """Compare the predicted narrative of each post with the true one.

    Args:
        predicted: ``post_id`` and ``narrative_id`` (any type; null: alone), a post at most once.
        labels: ``post_id`` and the column ``level`` (null: alone); narratives span languages and wordings, versions
            are one telling and its copies.
        singletons: "dropped" leaves out the posts that are alone in truth.
    """
    found = dict(
        zip(predicted.column("post_id").to_pylist(), predicted.column("narrative_id").to_pylist(), strict=True)
    )
    rows = list(zip(labels.column("post_id").to_pylist(), labels.column(level).to_pylist(), strict=True))
    if singletons == "dropped":
        sizes = Counter(label for _, label in rows if label is not None)
        rows = [(post_id, label) for post_id, label in rows if sizes[label] > 1]
    matched = [(label, found[post_id]) for post_id, label in rows if post_id in found]
    true, guess = _codes([label for label, _ in matched]), _codes([narrative for _, narrative in matched])
    return _agreement(true, guess, n_unmatched=len(rows) - len(matched))


def _codes(labels: Sequence[Any]) -> np.ndarray:
    """Return a number for each label; every null is a group of its own."""
    known: dict[Any, int] = {}
    return np.array([known.setdefault(i if x is None else (x,), len(known)) for i, x in enumerate(labels)], np.int64)


def _agreement(true: np.ndarray, guess: np.ndarray, n_unmatched: int) -> NarrativeFigures:
    n = len(true)
    cells, both = np.unique(np.stack([true, guess]), axis=1, return_counts=True)
    in_true, in_guess = np.bincount(true), np.bincount(guess)
    hits, true_pairs, guess_pairs = _n_pairs(both), _n_pairs(in_true), _n_pairs(in_guess)
    precision, recall = _share(hits, guess_pairs), _share(hits, true_pairs)
    chance = _share(true_pairs * guess_pairs, n * (n - 1) / 2) if n > 1 else 0.0
    best = (true_pairs + guess_pairs) / 2
    ari = (hits - chance) / (best - chance) if best != chance else 1.0
    b_precision = _share(float((both**2 / in_guess[cells[1]]).sum()), n)
    b_recall = _share(float((both**2 / in_true[cells[0]]).sum()), n)
    return NarrativeFigures(
        n_posts=n,
        n_unmatched=n_unmatched,
        pair_precision=precision,
        pair_recall=recall,
        pair_f1=_f1(precision, recall),
        ari=ari,
        b_cubed_precision=b_precision,
        b_cubed_recall=b_recall,
        b_cubed_f1=_f1(b_precision, b_recall),
    )


def _n_pairs(sizes: np.ndarray) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def score_origins(
    narratives: Iterable[Mapping[str, Any]],
    labels: pa.Table,
    firsts: pa.Table,
    *,
    level: Level | Literal["found"] = "version",
    min_posts: int = 2,
    all_named: bool = False,
) -> OriginFigures:
    """Compare origin candidates with where narratives (or versions) truly began.

    Each true one of at least ``min_posts`` posts is judged by the predicted narrative that holds most of its posts (ties:
    the smaller id). "found" judges each predicted narrative once, by the earliest beginning among the versions that it
    answers for, so that a tool is asked about what it found, be it one wording or all of them.

    Args:
        narratives: rows of ``narratives.ndjson`` (``narrative_id``, ``post_ids``, ``origin``).
        all_named: private accounts are nameable too (``min_audience = 0``).
    """
    rows = {row["narrative_id"]: row for row in narratives}
    asked, n_not_found = ask_origins(rows.values(), labels, firsts, level=level, min_posts=min_posts)
    answers = [_judge(rows[name]["origin"], first, all_named=all_named) for name, _, first in asked]
    return _figures(answers, n_not_found)


def ask_origins(
    narratives: Iterable[Mapping[str, Any]],
    labels: pa.Table,
    firsts: pa.Table,
    *,
    level: Level | Literal["found"],
    min_posts: int,
) -> tuple[list["_Asked"], int]:
    """Return (predicted narrative, posts of it that count, true first) of each question, and how many found nothing."""
    narrative_of = {post_id: row["narrative_id"] for row in narratives for post_id in row["post_ids"]}
    column: Level = "version" if level == "found" else level
    held: dict[str, Counter[str]] = {}
    sizes: Counter[str] = Counter()
    for post_id, label in zip(labels.column("post_id").to_pylist(), labels.column(column).to_pylist(), strict=True):
        if label is not None:
            sizes[label] += 1
            if post_id in narrative_of:
                held.setdefault(label, Counter())[narrative_of[post_id]] += 1
    asked = []
    n_not_found = 0
    for first in firsts.to_pylist():
        label = first[column]
        if label is None or sizes[label] < min_posts or (level == "narrative" and first["version"] is not None):
            continue
        if label not in held:
            n_not_found += 1
            continue
        most = min(held[label], key=lambda name: (-held[label][name], name))
        asked.append((most, held[label][most], first))
    return (_one_each(asked) if level == "found" else asked), n_not_found


_Asked = tuple[str, int, Mapping[str, Any]]


def _one_each(asked: Sequence[_Asked]) -> list[_Asked]:
    """Return one question a predicted narrative: the earliest beginning in the true narrative it holds most posts of."""
    of: dict[str, list[_Asked]] = {}
    for question in asked:
        of.setdefault(question[0], []).append(question)
    chosen = []
    for questions in of.values():
        weight: Counter[str] = Counter()
        for _, n, first in questions:
            weight[first["narrative"]] += n
        most = min(weight, key=lambda name: (-weight[name], name))
        mine = [question for question in questions if question[2]["narrative"] == most]
        chosen.append(min(mine, key=lambda question: (question[2]["published_at"], question[2]["version"])))
    return chosen


@dataclass(frozen=True)
class _Answer:
    """One judged answer: what ``kind`` of beginning it was, and how right."""

    kind: Literal["observed", "withheld", "private"]
    abstained: bool
    place: int | None
    confidence: float


def _judge(origin: Mapping[str, Any], first: Mapping[str, Any], *, all_named: bool) -> _Answer:
    candidates = [] if origin["abstained"] else origin["candidates"]
    named = [candidate["source"] for candidate in candidates]
    is_private = not (first["is_publisher"] or all_named)
    kind: Literal["observed", "withheld", "private"]
    kind = "private" if is_private else "withheld" if first["withheld"] else "observed"
    return _Answer(
        kind,
        abstained=not named,
        place=named.index(first["source"]) if first["source"] in named else None,
        confidence=float(candidates[0].get("confidence", 1.0)) if candidates else 0.0,
    )


def _figures(answers: Sequence[_Answer], n_not_found: int) -> OriginFigures:
    observed = [answer for answer in answers if answer.kind == "observed"]
    withheld = [answer for answer in answers if answer.kind == "withheld"]
    private = [answer for answer in answers if answer.kind == "private"]
    n_first = sum(answer.place == 0 for answer in observed)
    n_in_three = sum(answer.place is not None and answer.place < 3 for answer in observed)
    n_wrongly, n_rightly = (sum(answer.abstained for answer in some) for some in (observed, withheld))
    named = [answer for answer in answers if not answer.abstained]
    right = np.array([answer.kind == "observed" and answer.place == 0 for answer in named], np.float64)
    confidence = np.array([answer.confidence for answer in named], np.float64)
    bins = _bins(confidence, right)
    error = sum(b.n * abs(b.confidence - b.right) for b in bins.values()) / len(named) if named else None
    return OriginFigures(
        n_observed=len(observed),
        n_first=n_first,
        n_in_three=n_in_three,
        n_wrongly_abstained=n_wrongly,
        n_withheld=len(withheld),
        n_rightly_abstained=n_rightly,
        n_private=len(private),
        n_private_named=sum(answer.place is not None for answer in private),
        n_not_found=n_not_found,
        first=n_first / len(observed) if observed else None,
        in_three=n_in_three / len(observed) if observed else None,
        wrongly_abstained=n_wrongly / len(observed) if observed else None,
        rightly_abstained=n_rightly / len(withheld) if withheld else None,
        n_named=len(named),
        calibration_error=error,
        brier=float(((confidence - right) ** 2).mean()) if named else None,
        reliability=bins,
    )


def _bins(confidence: np.ndarray, right: np.ndarray) -> dict[str, Bin]:
    tenth = np.minimum((confidence * 10).astype(np.int64), 9)
    return {
        f"{b / 10:.1f}-{(b + 1) / 10:.1f}": Bin(
            int((tenth == b).sum()), float(confidence[tenth == b].mean()), float(right[tenth == b].mean())
        )
        for b in np.unique(tenth)
    }


def score_coordination(
    predicted: Iterable[Mapping[str, Any]],
    groups: Mapping[str, Collection[str]],
    lookalikes: Mapping[str, Collection[str]],
    *,
    unnamed: Collection[str] = (),
) -> CoordinationFigures:
    """Compare predicted groups with true ones, as pairs of sources.

    Args:
        predicted: rows of ``coordination.ndjson`` (``sources``).
        groups: true groups, name -> sources.
        lookalikes: innocent sets, name -> sources.
        unnamed: sources that are never named (private accounts); left out of the truth.
    """
    hidden = set(unnamed)
    true = {pair for sources in groups.values() for pair in _pairs(set(sources) - hidden)}
    guess = {pair for row in predicted for pair in _pairs(row["sources"])}
    precision, recall = _share(len(guess & true), len(guess)), _share(len(guess & true), len(true))
    innocent = {name: len((guess - true) & set(_pairs(sources))) for name, sources in lookalikes.items()}
    flagged = {name: n for name, n in innocent.items() if n}
    return CoordinationFigures(
        n_true_pairs=len(true),
        n_predicted_pairs=len(guess),
        pair_precision=precision,
        pair_recall=recall,
        pair_f1=_f1(precision, recall),
        n_lookalikes=len(innocent),
        n_flagged=len(flagged),
        flagged_share=len(flagged) / len(innocent) if innocent else 0.0,
        flagged=flagged,
    )


def _pairs(sources: Iterable[str]) -> Iterable[tuple[str, str]]:
    return combinations(sorted(set(sources)), 2)

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
class OriginFigures:
    """How often the beginning was named rightly, over the narratives of the truth that were found at all.

    ``n_observed``: began with a publisher's post that is in the posts; ``n_first`` and ``n_in_three`` of them have the
    true source as first candidate or among the first three, ``n_wrongly_abstained`` were given up.
    ``n_withheld``: began with a post that was withheld; abstaining is right. ``n_private``: began with a private
    account, which may never be named; ``n_private_named`` must be 0.
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


@dataclass(frozen=True)
class CoordinationFigures:
    """Pairs of sources that move together: found against true, and innocent look-alikes taken for it.

    ``flagged``: for each look-alike, the predicted pairs inside it that are in no true group.
    """

    n_true_pairs: int
    n_predicted_pairs: int
    pair_precision: float
    pair_recall: float
    pair_f1: float
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
    narratives: Iterable[Mapping[str, Any]], labels: pa.Table, firsts: pa.Table, *, level: Level = "version"
) -> OriginFigures:
    """Compare origin candidates with where narratives (or versions) truly began.

    Each true one is judged by the predicted narrative that holds most of its posts (ties: the smaller id). What began
    with one post and was never copied is left out.

    Args:
        narratives: rows of ``narratives.ndjson`` (``narrative_id``, ``post_ids``, ``origin``).
    """
    rows = {row["narrative_id"]: row for row in narratives}
    narrative_of = {post_id: name for name, row in rows.items() for post_id in row["post_ids"]}
    held: dict[str, Counter[str]] = {}
    sizes: Counter[str] = Counter()
    for post_id, label in zip(labels.column("post_id").to_pylist(), labels.column(level).to_pylist(), strict=True):
        if label is not None:
            sizes[label] += 1
            if post_id in narrative_of:
                held.setdefault(label, Counter())[narrative_of[post_id]] += 1
    counts: Counter[str] = Counter()
    for first in firsts.to_pylist():
        label = first[level]
        if label is None or sizes[label] < 2 or (level == "narrative" and first["version"] is not None):
            continue
        if label not in held:
            counts["n_not_found"] += 1
            continue
        most = min(held[label], key=lambda name: (-held[label][name], name))
        counts.update(_judge(rows[most]["origin"], first))
    return OriginFigures(**{name: counts[name] for name in OriginFigures.__dataclass_fields__})


def _judge(origin: Mapping[str, Any], first: Mapping[str, Any]) -> Iterable[str]:
    named = [] if origin["abstained"] else [candidate["source"] for candidate in origin["candidates"]]
    if not first["is_publisher"]:
        yield "n_private"
        if first["source"] in named:
            yield "n_private_named"
    elif first["withheld"]:
        yield "n_withheld"
        if origin["abstained"]:
            yield "n_rightly_abstained"
    else:
        yield "n_observed"
        if origin["abstained"]:
            yield "n_wrongly_abstained"
        if named[:1] == [first["source"]]:
            yield "n_first"
        if first["source"] in named[:3]:
            yield "n_in_three"


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
    return CoordinationFigures(
        n_true_pairs=len(true),
        n_predicted_pairs=len(guess),
        pair_precision=precision,
        pair_recall=recall,
        pair_f1=_f1(precision, recall),
        flagged={name: len((guess - true) & set(_pairs(sources))) for name, sources in lookalikes.items()},
    )


def _pairs(sources: Iterable[str]) -> Iterable[tuple[str, str]]:
    return combinations(sorted(set(sources)), 2)

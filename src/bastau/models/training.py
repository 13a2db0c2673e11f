"""Training: labelled texts in, a calibrated linear model and everything its card says out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.errors import ConfigError
from bastau.hashing import hash_string, hash_strings
from bastau.models.features import BITS, Detector, Folder, ngrams_of, reading_fingerprint
from bastau.models.fit import Grams, fit_calibration, fit_logistic
from bastau.models.labelled import Labelled, is_about_people
from bastau.models.linear import LinearModel, sigmoid
from bastau.models.metrics import best_threshold, brier, calibration_error, figures
from bastau.models.protected import ROLE_RANKS, ROLE_SUGGESTS, check_protected

N_FOLDS = 5
MIN_TEXTS = 30
"""Distinct texts of each class below which nothing can be said about a model."""
MAX_BYTES = 32_000_000
"""Folded text that is trained on (300,000 posts of 100 bytes); its n-grams take up to 80 times as much memory."""
_MIN_REPORTED = 20
_POSITIVE_NAMES = ("flag", "1", "true", "yes")


@dataclass(frozen=True)
class Trained:
    """A model and the report that belongs on its card."""

    model: LinearModel
    report: dict[str, Any]


@dataclass(frozen=True)
class _Data:
    """Distinct folded texts with their class; the rows of ``grams``, whose columns are those of the model in ``used``."""

    grams: Grams
    used: np.ndarray
    keys: np.ndarray
    is_positive: np.ndarray
    languages: np.ndarray
    groups: np.ndarray
    known_languages: tuple[str, ...]


def choose_positive(labels: Sequence[str], positive: str | None) -> str:
    """Return the label that a high score shall mean.

    Raises:
        ConfigError: it is unclear, absent, or a class of persons.
    """
    counts = Counter(labels)
    listing = ", ".join(f"{label} ({n})" for label, n in counts.most_common(10))
    if positive is None:
        named = [label for label in counts if label.lower() in _POSITIVE_NAMES]
        if len(counts) != 2 or len(named) != 1:
            raise ConfigError(f"say with --positive which label a high score shall mean; there are {listing}")
        positive = named[0]
    if positive not in counts:
        raise ConfigError(f"no text has the label {positive!r}; there are {listing}")
    if len(counts) < 2:
        raise ConfigError(f"every text has the label {positive!r}; a model needs texts of another label too")
    if is_about_people(positive):
        raise ConfigError(f"label {positive!r} is about persons; bastau scores texts only (docs/scope.md, rule 2)")
    return positive


def train(
    labelled: Labelled,
    fold: Folder,
    detect: Detector,
    *,
    positive: str | None = None,
    protected: Labelled | None = None,
    threshold: float | None = None,
    seed: int = 0,
    bits: int = BITS,
) -> Trained:
    """Fit, calibrate and examine a model of one label.

    Args:
        labelled: the user's texts. Texts that fold to the same form count once; those with both labels are left out,
            and so is what the protected suite holds, which must stay unseen.
        fold: texts to folded texts, the same as at scoring.
        detect: folded texts to languages, the same as at scoring; the model will know those with ``MIN_TEXTS`` texts.
        positive: the label that a high score means; others are its opposite.
        protected: the protected-speech suite (labels ``flag`` and ``protected``, groups are categories).
        threshold: from which a text counts as labelled; None takes the one with the best out-of-fold F1.
        seed: of the split and the bootstrap.
        bits: log2 of the number of weights, 16 to 22.

    Raises:
        ConfigError: too few or too many texts, or labels that no model may have.
    """
    positive = choose_positive(labelled.labels, positive)
    suite = None if protected is None else fold(pa.array(protected.texts, pa.large_string()))
    data, counts = _prepare(labelled, fold, detect, positive, suite, bits)
    margins, fold_of = _out_of_fold(data, seed)
    calibrated = _cross_calibrated(margins, fold_of, data.is_positive)
    if threshold is None:
        threshold = best_threshold(calibrated, data.is_positive)
    every = np.arange(len(data.keys))
    used_weights, bias = fit_logistic(data.grams, every, data.is_positive)
    weights = np.zeros(1 << bits, np.float32)
    weights[data.used] = used_weights
    slope, shift = fit_calibration(margins, data.is_positive)
    model = LinearModel(
        weights, bias, slope, shift, threshold, positive, data.known_languages, False, reading_fingerprint(fold)
    )
    report: dict[str, Any] = {
        "label": positive,
        "known_languages": list(data.known_languages),
        "texts": counts,
        "threshold": round(threshold, 4),
        "out_of_fold": figures(calibrated, data.is_positive, threshold, seed=seed),
        "calibration": {
            "ece": round(calibration_error(calibrated, data.is_positive), 4),
            "ece_uncalibrated": round(calibration_error(sigmoid(margins), data.is_positive), 4),
            "brier": round(brier(calibrated, data.is_positive), 4),
            "brier_uncalibrated": round(brier(sigmoid(margins), data.is_positive), 4),
        },
        "languages": _by(data.languages, calibrated, data.is_positive, threshold, seed),
        "left_out_groups": _leave_groups_out(data, (slope, shift), threshold, seed),
    }
    model, report["protected"] = _examine(model, protected, suite, detect)
    return Trained(model, report)


def _prepare(
    labelled: Labelled, fold: Folder, detect: Detector, positive: str, suite: pa.Array | None, bits: int
) -> tuple[_Data, dict[str, Any]]:
    folded = fold(pa.array(labelled.texts, pa.large_string()))
    keys = hash_strings(folded)
    is_positive = np.array([label == positive for label in labelled.labels])
    kept, counts = _choose_rows(keys, is_positive, suite)
    if min(counts["n_positive"], counts["n"] - counts["n_positive"]) < MIN_TEXTS:
        raise ConfigError(
            f"{counts['n_positive']} different texts are {positive!r} and {counts['n'] - counts['n_positive']} are not; a "
            f"model needs {MIN_TEXTS} of each at the very least, and hundreds to be of use"
        )
    texts = folded.take(pa.array(kept))
    if pc.sum(pc.binary_length(texts)).as_py() > MAX_BYTES:
        raise ConfigError(f"{len(kept)} texts of this length need too much memory; train on a sample of them")
    detected = detect(texts).to_pylist()
    known = [name for name, n in Counter(detected).items() if n >= MIN_TEXTS and name != "und"]
    if not known:
        raise ConfigError(
            f"no language was detected in {MIN_TEXTS} of the texts, and texts in unknown languages are not scored; are they "
            "longer than a few words?"
        )
    said = np.array(labelled.languages, object)[kept]
    data = _Data(
        *_grams(texts, bits),
        keys[kept],
        is_positive[kept],
        np.array([name or found for name, found in zip(said, detected, strict=True)], object),
        np.array(labelled.groups, object)[kept],
        tuple(sorted(known)),
    )
    return data, counts | {"skipped_rows": labelled.skipped}


def _choose_rows(
    keys: np.ndarray, is_positive: np.ndarray, suite: pa.Array | None
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the rows to train on, ascending, and how many are left out for which reason."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    n_of = np.bincount(inverse)
    n_positive_of = np.bincount(inverse, weights=is_positive).astype(np.int64)
    conflicting = (n_positive_of > 0) & (n_positive_of < n_of)
    guarded = np.isin(keys[first], hash_strings(suite)) if suite is not None else np.zeros(len(first), bool)
    is_empty = keys[first] == hash_string("")
    kept = np.sort(first[~conflicting & ~guarded & ~is_empty])
    return kept, {
        "n": len(kept),
        "n_positive": int(is_positive[kept].sum()),
        "n_repeated": len(keys) - len(first),
        "n_with_both_labels": int(conflicting.sum()),
        "n_in_protected_suite": int((guarded & ~conflicting).sum()),
        "n_without_words": int((is_empty & ~conflicting & ~guarded).sum()),
    }


def _grams(texts: pa.Array, bits: int) -> tuple[Grams, np.ndarray]:
    """Return the n-grams of ``texts`` in the columns that occur, and which of the model's columns those are.

    What never occurs has weight 0, and need not be carried through the fit.
    """
    indptr, columns, counts = ngrams_of(bits).features(texts)
    occurs = np.zeros(1 << bits, bool)
    occurs[columns] = True
    used = np.flatnonzero(occurs)
    place = np.cumsum(occurs, dtype=np.uint32) - np.uint32(1)
    return Grams(indptr, place[columns], counts, len(used)), used


def _out_of_fold(data: _Data, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the margin of each text under a model that did not see it, and the part of the data it was in."""
    dice = np.random.default_rng(seed)
    fold_of = np.empty(len(data.keys), np.int64)
    for value in (False, True):  # each part gets its share of both classes
        members = np.flatnonzero(data.is_positive == value)
        members = members[np.argsort(data.keys[members], kind="stable")]
        fold_of[dice.permutation(members)] = np.arange(len(members)) % N_FOLDS
    margins = np.empty(len(data.keys))
    for part in range(N_FOLDS):
        seen, unseen = np.flatnonzero(fold_of != part), np.flatnonzero(fold_of == part)
        margins[unseen] = data.grams.margins(unseen, *fit_logistic(data.grams, seen, data.is_positive[seen]))
    return margins, fold_of


def _cross_calibrated(margins: np.ndarray, fold_of: np.ndarray, is_positive: np.ndarray) -> np.ndarray:
    """Return calibrated scores, those of each part by a calibration fitted to the other parts."""
    scores = np.empty(len(margins))
    for part in range(N_FOLDS):
        inside = fold_of == part
        slope, shift = fit_calibration(margins[~inside], is_positive[~inside])
        scores[inside] = sigmoid(slope * margins[inside] + shift)
    return scores


def _by(
    names: np.ndarray, scores: np.ndarray, is_positive: np.ndarray, threshold: float, seed: int
) -> dict[str, dict[str, Any]]:
    """Return figures for each name that has enough texts, most texts first; the rest together as ``other``."""
    counts = Counter(name or "not stated" for name in names)
    labels = np.array([n if counts[n] >= _MIN_REPORTED else "other" for n in (name or "not stated" for name in names)])
    return {
        str(name): figures(scores[labels == name], is_positive[labels == name], threshold, seed=seed)
        for name, _ in Counter(labels).most_common()
    }


def _leave_groups_out(
    data: _Data, calibration: tuple[float, float], threshold: float, seed: int
) -> dict[str, dict[str, Any]]:
    """Return figures on each group under a model that saw no text of it: what to expect of a new kind of text."""
    answer = {}
    for name, n in Counter(data.groups).most_common():
        unseen, seen = np.flatnonzero(data.groups == name), np.flatnonzero(data.groups != name)
        n_positive = int(data.is_positive[seen].sum())
        if not name or n < _MIN_REPORTED or min(n_positive, len(seen) - n_positive) < MIN_TEXTS:
            continue
        weights, bias = fit_logistic(data.grams, seen, data.is_positive[seen])
        scores = sigmoid(calibration[0] * data.grams.margins(unseen, weights, bias) + calibration[1])
        answer[str(name)] = figures(scores, data.is_positive[unseen], threshold, seed=seed)
    return answer


def _examine(
    model: LinearModel, protected: Labelled | None, folded: pa.Array | None, detect: Detector
) -> tuple[LinearModel, dict[str, Any]]:
    """Run the protected suite over the model and settle what it may do."""
    if protected is None or folded is None:
        failures = ["it was not run over the protected-speech suite"]
        return model, {"role": ROLE_RANKS, "failures": failures, "cells": [], "flagged_calls": None, "n_unscored": 0}
    scores = model.scores(folded, detect(folded))
    guarded = np.array([label == "protected" for label in protected.labels])
    if not guarded.any():
        raise ConfigError("the protected-speech suite holds no text with the label 'protected'")
    picked = np.flatnonzero(guarded & ~np.isnan(scores))
    cells, failures = check_protected(
        scores[picked],
        model.threshold,
        [protected.groups[i] or "not stated" for i in picked],
        [protected.languages[i] for i in picked],
    )
    role = ROLE_RANKS if failures else ROLE_SUGGESTS
    calls = scores[~guarded & ~np.isnan(scores)]
    found = None if not len(calls) else round(float((calls >= model.threshold).mean()), 4)
    passed = LinearModel(**{**vars(model), "may_suggest": not failures})
    return passed, {
        "role": role,
        "failures": failures,
        "cells": cells,
        "flagged_calls": found,
        "n_unscored": int(np.isnan(scores).sum()),
    }

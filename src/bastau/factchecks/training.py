"""Train a ranker with LightGBM: LambdaRank over candidates, then trees that say when the first one is right.

Reference: Burges 2010, From RankNet to LambdaRank to LambdaMART, MSR-TR-2010-82; Ke et al. 2017, LightGBM.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bastau.errors import ConfigError
from bastau.factchecks.features import DATED, DENSE, FEATURES, Candidates, gaps
from bastau.factchecks.index import ClaimIndex
from bastau.factchecks.ranker import N_TEXT, SURENESS, Ranker, Side, Trees, lead_of, sureness_row, trees_of
from bastau.factchecks.words import TITLE

TREES, LEAVES, RATE, L2, COLUMNS, SEEDS = 200, 7, 0.05, 5.0, 0.5, 5
LEAD = 5.0
"""Weight of the retrieval scores from which the trees start (:func:`bastau.factchecks.ranker.lead_of`). With it MAP@5 on left-out
posts of CheckThat! 2020's training split is .865 to .868, that of BM25 alone .859 (five-fold, two seeds)."""
CUT = 60
"""Candidates of a post that training reads, the best fused rank first: with more, MAP@5 left out did not rise (.861 to .865)."""
SAME_CLAIM = 0.35
"""Share of all their words that two claims have in common from which they count as one (Jaccard)."""
FOLDS = 5
PRECISION = 0.97
"""What matches at or above the threshold should reach; where the data left out cannot show it, the threshold is the highest seen."""
MIN_PAIRS = 50
_FREE = frozenset(
    {
        "same_language", "post_words", "text_words", "title_words", "n_names", "numbers_missing", "title_found", "names_found",
        "post_names_found", "numbers_found", "days_after", "days_apart", "years_after",
    }
)  # fmt: skip
"""Features that may speak for or against a match; all others can only speak for it, which keeps trees sane on other kinds of posts."""
_UNREAD = ("text_words", "title_words", "n_names")
"""Features of a claim alone, which would teach which claims were asked for."""


@dataclass(frozen=True)
class Example:
    """One post with its candidates.

    Attributes:
        found: its candidates.
        right: bool (candidates,): the claims that fit it, none where nothing does.
        alike: bool (candidates,): those and claims worded like one of them, which are taken away together to see what comes
            first without them; None: as ``right``.
    """

    found: Candidates
    right: np.ndarray
    alike: np.ndarray | None = None

    @property
    def gone(self) -> np.ndarray:
        """What is taken away to make a post without a claim."""
        return self.right if self.alike is None else self.alike


def mark_alike(index: ClaimIndex, rows: np.ndarray, relevant: Collection[int]) -> np.ndarray:
    """Return bool (rows,): claims of ``relevant``, and those that share a third of all words with one of them.

    Publishers check some claims more than once. Where only one of the two is labelled, the other is no mistake.
    """
    wanted = [_word_set(index, row) for row in relevant]
    marks = [
        int(row) in relevant or any(len(w & own) >= SAME_CLAIM * len(w | own) for w in wanted)
        for row, own in ((row, _word_set(index, int(row))) for row in rows)
    ]
    return np.array(marks, bool)


def _word_set(index: ClaimIndex, row: int) -> set[int]:
    words = slice(int(index.word_starts[row]), int(index.word_starts[row + 1]))
    return set(index.word_terms[words][(index.word_flags[words] & TITLE) == 0].tolist())


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError:
        raise ConfigError("training a ranker needs LightGBM: pip install 'bastau[models]'") from None
    return lightgbm


@dataclass(frozen=True)
class Plan:
    """How to train.

    Args:
        seed: of everything random.
        seeds: boosters to average.
        trees: of each.
        lead: weight of BM25 that the trees start from; more where the posts are less like real ones.
        prior: share of posts, among those that it will see, for which a fact-check exists; sets the threshold.
    """

    seed: int = 1
    seeds: int = SEEDS
    trees: int = TREES
    lead: float = LEAD
    prior: float = 0.2


def _fit(examples: Sequence[Example], dated: bool, plan: Plan, seeds: int, seed: int) -> Trees:
    lgb = _lightgbm()
    unread = _UNREAD if dated else _UNREAD + DATED
    used = [e for e in examples if e.right.any() and not e.right.all()]
    x = np.concatenate([e.found.x[:CUT] for e in used])
    x[:, [FEATURES.index(name) for name in unread]] = 0
    signs = [0 if name in _FREE else 1 for name in (FEATURES + DENSE)[: x.shape[1]]]
    y = np.concatenate([e.right[:CUT] for e in used]).astype(np.int32)
    sizes = [min(CUT, len(e.right)) for e in used]
    boosters = []
    for k in range(seeds):
        data = lgb.Dataset(x, y, group=sizes, init_score=plan.lead * lead_of(x), free_raw_data=False)
        settings = {
            "objective": "lambdarank", "num_leaves": LEAVES, "learning_rate": RATE, "lambda_l2": L2,
            "feature_fraction": COLUMNS, "seed": seed * 100 + k, "deterministic": True, "force_row_wise": True,
            "num_threads": 1, "verbose": -1, "monotone_constraints": signs,
        }  # fmt: skip
        boosters.append(lgb.train(settings, data, plan.trees))
    return trees_of(boosters)


def train_ranker(
    examples: Sequence[Example], plan: Plan | None = None, *, card: dict[str, Any] | None = None, encoder_id: str = ""
) -> Ranker:
    """Train on ``examples``.

    Args:
        examples: posts with candidates; those without a right one teach only when to abstain.
        plan: how; None: as for posts of real accounts.
        card: what to say of the data.
        encoder_id: of the encoder that the candidates were found with; empty: none.

    Raises:
        ConfigError: LightGBM is missing, or there are too few pairs.
    """
    plan = plan or Plan()
    n_right = sum(bool(e.right.any()) for e in examples)
    if n_right < MIN_PAIRS:
        raise ConfigError(
            f"a ranker needs at least {MIN_PAIRS} posts whose claim is found among the candidates, got {n_right}"
        )
    has_dates = any(not np.isnan(e.found.x[:, N_TEXT]).all() for e in examples if len(e.right))
    text, figures = _fit_side(examples, False, plan)
    made = {"n_posts": len(examples), "n_with_claim": n_right, "has_dates": has_dates, "text": figures}
    dated = text
    if has_dates:
        dated, made["dated"] = _fit_side(examples, True, plan)
    return Ranker(text, dated, (card or {}) | made, encoder_id)


def _fit_side(examples: Sequence[Example], dated: bool, plan: Plan) -> tuple[Side, dict[str, float]]:
    order = _fit(examples, dated, plan, plan.seeds, plan.seed)
    rows, right = _left_out(examples, dated, plan)
    return _fit_sureness(order, rows, right, plan)


def _left_out(examples: Sequence[Example], dated: bool, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows of SURENESS, whether the first candidate was right) from rankers that had not seen the post.

    Each post with a claim counts twice: once as it is, once without its claim, when whatever comes first is wrong.
    """
    fold = np.random.default_rng(plan.seed).permutation(len(examples)) % FOLDS
    rows, right = [], []
    for k in range(FOLDS):
        taught = [e for e, f in zip(examples, fold, strict=True) if f != k]
        trees = _fit(taught, dated, plan, 1, plan.seed + k)
        for example, f in zip(examples, fold, strict=True):
            if f != k or not len(example.right):
                continue
            scores = trees.score(example.found.x) + plan.lead * lead_of(example.found.x)
            rows.append(sureness_row(example.found, scores))
            right.append(bool(example.right[int(np.argmax(scores))]))
            if example.right.any() and not example.gone.all():
                rest = without_rows(example.found, example.gone)
                rows.append(sureness_row(rest, trees.score(rest.x) + plan.lead * lead_of(rest.x)))
                right.append(False)
    return np.concatenate(rows), np.array(right)


def without_rows(found: Candidates, gone: np.ndarray) -> Candidates:
    """Return ``found`` as if the claims marked in ``gone`` were in no collection; shares of the best and gaps are made anew."""
    x = found.x[~gone].copy()
    columns = FEATURES + DENSE
    for i, name in enumerate(columns[: x.shape[1]]):
        if name.endswith("_of_best"):
            top = x[:, i].max() if len(x) else 0.0
            x[:, i] = x[:, i] / top if top > 0 else 0
        elif name.endswith("_gap"):
            x[:, i] = gaps(x[:, columns.index(name.removesuffix("_gap"))])
    return Candidates(found.rows[~gone], x)


def _fit_sureness(order: Trees, rows: np.ndarray, right: np.ndarray, plan: Plan) -> tuple[Side, dict[str, float]]:
    seed, prior = plan.seed, plan.prior
    lgb = _lightgbm()
    settings = {
        "objective": "binary", "num_leaves": 6, "learning_rate": 0.05, "lambda_l2": 10.0, "feature_fraction": 0.6,
        "min_data_in_leaf": 30, "monotone_constraints": [0 if name in _FREE else 1 for name in SURENESS],
        "seed": seed, "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbose": -1,
    }  # fmt: skip
    fold = np.random.default_rng(seed + 1).permutation(len(rows)) % FOLDS
    logits = np.zeros(len(rows))
    for k in range(FOLDS):
        booster = lgb.train(settings, lgb.Dataset(rows[fold != k], right[fold != k]), 120)
        logits[fold == k] = trees_of([booster]).score(rows[fold == k])
    slope, shift = _platt(logits, right, prior)
    p = 1 / (1 + np.exp(-(slope * logits + shift)))
    threshold, precision, coverage = pick_threshold(p, right, prior)
    trees = trees_of([lgb.train(settings, lgb.Dataset(rows, right), 120)])
    return Side(order, trees, plan.lead, slope, shift, threshold), {
        "precision": precision,
        "coverage": coverage,
        "prior": prior,
    }


def _weights(right: np.ndarray, prior: float) -> np.ndarray:
    """Return weights that make the share of right answers what it is expected to be where a share ``prior`` has a fact-check."""
    share = float(right.mean())
    wanted = prior * min(1.0, 2 * share)
    return np.where(right, wanted / max(share, 1e-9), (1 - wanted) / max(1 - share, 1e-9))


def _platt(logits: np.ndarray, right: np.ndarray, prior: float) -> tuple[float, float]:
    """Fit slope and shift of log-odds by weighted logistic regression (Platt 1999)."""
    from scipy.optimize import minimize

    weights = _weights(right, prior)

    def loss(v: np.ndarray) -> float:
        z = v[0] * logits + v[1]
        return float((weights * (np.logaddexp(0, z) - right * z)).mean() + 1e-4 * (v[0] - 1) ** 2)

    found = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead")
    return float(found.x[0]), float(found.x[1])


def pick_threshold(p: np.ndarray, right: np.ndarray, prior: float) -> tuple[float, float, float]:
    """Return (threshold, precision at or above it, share of posts at or above it).

    The lowest threshold from which on the weighted precision keeps to PRECISION with a margin for chance: half an error is added.
    """
    weights = _weights(right, prior)
    order = np.argsort(-p, kind="stable")
    hits = np.cumsum(weights[order] * right[order])
    shown = np.cumsum(weights[order])
    precision = hits / (shown + 0.5)
    good = np.flatnonzero((precision >= PRECISION) & (np.arange(len(p)) >= 20))
    if not len(good):
        return float(min(0.999, p.max() if len(p) else 0.999)), 1.0, 0.0
    last = int(good[-1])
    return float(p[order[last]]), float(hits[last] / shown[last]), float(shown[last] / weights.sum())

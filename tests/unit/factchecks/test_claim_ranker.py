"""Trees sum as LightGBM's do; files are checked; training abstains where nothing fits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bastau.errors import ConfigError
from bastau.factchecks.features import FEATURES, Candidates
from bastau.factchecks.matcher import open_claims
from bastau.factchecks.ranker import (
    N_TEXT,
    Ranker,
    Trees,
    load_ranker,
    save_ranker,
    shipped_ranker,
    sureness_row,
    trees_of,
)
from bastau.factchecks.training import Example, Plan, pick_threshold, train_ranker, without_rows

lightgbm = pytest.importorskip("lightgbm", reason="needs the extra `models`")


def walk(trees: Trees, row: np.ndarray) -> float:
    """Go down each tree by hand."""
    total = 0.0
    for start in trees.starts[:-1]:
        node = 0
        while trees.features[start + node] >= 0:
            v, limit = float(row[trees.features[start + node]]), trees.limits[start + node]
            left = bool(trees.missing_left[start + node]) if np.isnan(v) else v <= limit
            node = int((trees.lefts if left else trees.rights)[start + node])
        total += trees.values[start + node]
    return total


@pytest.fixture(scope="module")
def fitted() -> tuple[np.ndarray, np.ndarray, Trees]:
    dice = np.random.default_rng(1)
    x = dice.normal(size=(600, 6)).astype(np.float32)
    x[dice.random(600) < 0.2, 3] = np.nan
    y = (x[:, 0] + np.nan_to_num(x[:, 3]) > 0).astype(int)
    booster = lightgbm.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 7}, lightgbm.Dataset(x, y), 20
    )
    return x, booster.predict(x, raw_score=True), trees_of([booster])


def test_the_kernel_sums_what_lightgbm_sums(fitted: tuple[np.ndarray, np.ndarray, Trees]) -> None:
    x, wanted, trees = fitted
    assert trees.score(x) == pytest.approx(wanted, abs=1e-9)


def test_the_kernel_equals_a_walk_by_hand(fitted: tuple[np.ndarray, np.ndarray, Trees]) -> None:
    x, _, trees = fitted
    assert trees.score(x[:50]) == pytest.approx([walk(trees, row) for row in x[:50]])


def examples(n: int = 160, seed: int = 3) -> list[Example]:
    """Posts with ten candidates; in two of three the right one has the highest BM25 and covers the post, in others nothing does."""
    dice = np.random.default_rng(seed)
    made = []
    for i in range(n):
        x = dice.uniform(0, 0.4, (10, len(FEATURES))).astype(np.float32)
        x[:, FEATURES.index("same_language")] = 1
        x[:, N_TEXT:] = np.nan
        right = np.zeros(10, bool)
        if i % 3:
            at = int(dice.integers(10))
            right[at] = True
            for name in ("both", "both_of_best", "text_found", "window_found", "letters"):
                x[at, FEATURES.index(name)] = dice.uniform(0.7, 1)
        made.append(Example(Candidates(np.arange(10), x), right))
    return made


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    return train_ranker(examples(), Plan(seeds=1, trees=40), card={"data": ["made up"]})


def test_a_trained_ranker_orders_and_abstains(ranker: Ranker) -> None:
    shown = right = 0
    for example in examples(seed=4):
        scores = ranker.text.scores(example.found)
        if example.right.any():
            assert example.right[int(np.argmax(scores))]
        if ranker.text.probability(example.found, scores) >= ranker.text.threshold:
            shown += 1
            right += bool(example.right[int(np.argmax(scores))])
    assert shown > 40
    assert right / shown >= 0.97


def test_without_dates_both_sides_are_one(ranker: Ranker) -> None:
    assert ranker.dated is ranker.text
    assert ranker.card["n_with_claim"] == sum(e.right.any() for e in examples())


def test_too_few_pairs_train_nothing() -> None:
    with pytest.raises(ConfigError, match="at least 50"):
        train_ranker(examples(30))


def test_posts_with_no_candidate_but_one_claim_in_many_wordings_teach() -> None:
    made = [replace(e, alike=np.ones(10, bool)) if e.right.any() else e for e in examples()]
    assert train_ranker(made, Plan(seeds=1, trees=10)).card["n_with_claim"] == sum(e.right.any() for e in made)


def test_a_file_gives_the_same_ranker(ranker: Ranker, tmp_path: Path) -> None:
    save_ranker(ranker, tmp_path / "r.npz")
    kept = load_ranker(tmp_path / "r.npz")
    assert kept.ranker_id == ranker.ranker_id
    assert ranker.ranker_id in (tmp_path / "r.json").read_text("utf-8")


@pytest.mark.parametrize("damage", ["cut", "text", "loop", "missing"])
def test_a_bad_file_is_refused_with_a_reason(ranker: Ranker, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "r.npz"
    save_ranker(ranker, path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:2000])
    elif damage == "text":
        path.write_text("claim_id,text\n", "utf-8")
    elif damage == "missing":
        path.unlink()
    else:  # a node that leads back to the root would never end
        with np.load(path) as held:
            arrays = dict(held)
        arrays["text.order.lefts"] = np.zeros_like(arrays["text.order.lefts"])
        np.savez(path, **arrays)
    with pytest.raises(ConfigError, match=r"r\.npz"):
        load_ranker(path)


def test_taking_a_claim_away_makes_the_next_one_the_best() -> None:
    (example,) = examples(2)[1:]
    rest = without_rows(example.found, example.right)
    column = FEATURES.index("both_of_best")
    assert len(rest.rows) == 9
    assert rest.x[:, column].max() == 1
    assert not set(rest.rows.tolist()) & set(example.found.rows[example.right].tolist())


def test_a_threshold_that_the_data_cannot_show_shows_nothing() -> None:
    p = np.linspace(0, 1, 100)
    threshold, _, coverage = pick_threshold(p, np.zeros(100, bool), 0.5)
    assert (threshold, coverage) == (0.999, 0.0)


def test_the_shipped_ranker_loads_and_says_what_it_learned_from() -> None:
    card = shipped_ranker().card
    assert {"data", "licence", "not_trained_on", "chosen_on", "limits"} <= card.keys()


class TestMatching:
    CLAIMS = (
        ("c1", "Drinking bleach cures the coronavirus.", "Does Bleach Cure COVID-19?", None),
        (
            "c2",
            "A photograph shows a shark swimming on a flooded highway in Houston, Texas.",
            "Shark on Houston Highway",
            None,
        ),
        ("c3", "Вышки 5G распространяют коронавирус.", None, None),
        ("c4", "NATO promised Russia in 1990 that it would never expand to the east.", None, None),
    )

    def test_a_plain_copy_is_shown_and_small_talk_is_not(self) -> None:
        matcher = open_claims(self.CLAIMS)
        copied = matcher.match(
            "WOW a photograph shows a shark swimming on a flooded highway in Houston, Texas https://t.co/x"
        )
        assert copied is not None
        assert copied.claim_id == "c2"
        for other in (
            "good morning everyone",
            "",
            "ok",
            "Our highway was repaired in spring and the fish market is open",
        ):
            assert matcher.match(other) is None

    def test_a_repeated_question_gives_a_repeated_answer(self) -> None:
        matcher = open_claims(self.CLAIMS)
        assert matcher.match("a shark on a flooded highway in Houston") == matcher.match(
            "a shark on a flooded highway in Houston"
        )


def test_sureness_reads_the_first_candidate() -> None:
    (example,) = examples(2)[1:]
    scores = np.zeros(10)
    scores[4] = 2
    row = sureness_row(example.found, scores)
    assert row[0, 0] == 2
    assert row[0, 2] == example.found.x[4, FEATURES.index("letters")]

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bastau.errors import ConfigError
from bastau.models.labelled import Labelled
from bastau.models.linear import ScoreModel
from bastau.models.training import choose_positive, train

sys.path.insert(0, str(Path(__file__).parent))

from labelled_texts import MARKS, WORDS, detect, fold, labelled_texts


def suite(text: str, label: str = "protected", n: int = 60) -> Labelled:
    """A protected suite of ``n`` different texts that begin alike."""
    names = [f"{text} {WORDS[i % 13]} {WORDS[i // 13]}" for i in range(n)]
    return Labelled(names, [label] * n, ["kk"] * n, ["worship"] * n, [str(i) for i in range(n)])


def test_a_model_scores_what_it_learnt_and_the_stage_says_so() -> None:
    model = train(labelled_texts(), fold, detect).model
    posts = pa.table(
        {
            "folded": ["кітап зурбаган жол", "кітап қала жол", "", "зурбаган"],
            "detected_language": ["kk", "kk|ky", "kk", "en"],
        }
    )
    scores = ScoreModel(model).run(posts).column("model_score").to_pylist()
    assert scores[0] > 0.6 > 0.4 > scores[1]
    assert scores[2:] == [None, None]  # nothing to score; a language it never saw


def test_without_a_model_the_column_is_null() -> None:
    posts = pa.table({"folded": ["кітап", "жол"], "detected_language": ["kk", "kk"]})
    assert ScoreModel().run(posts).column("model_score").null_count == 2


def test_the_same_texts_and_seed_give_the_same_model() -> None:
    first, second = (train(labelled_texts(), fold, detect, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first.model.weights, second.model.weights)
    assert first.report == second.report


def test_every_language_and_left_out_group_is_reported_with_bounds() -> None:
    report = train(labelled_texts(), fold, detect).report
    assert set(report["languages"]) == {"kk", "ru"}
    assert set(report["left_out_groups"]) == {"news", "worship", "satire"}
    assert report["out_of_fold"]["recall"]["low"] < report["out_of_fold"]["recall"]["value"]
    assert report["out_of_fold"]["auc"]["value"] > 0.8


def test_calibrated_scores_are_shares() -> None:
    calibration = train(labelled_texts(1200), fold, detect).report["calibration"]
    assert calibration["ece"] < 0.08
    assert calibration["brier"] < 0.12


def test_texts_that_fold_alike_count_once_and_contradictions_are_left_out() -> None:
    labelled = labelled_texts()
    n = len(set(labelled.texts))
    labelled.texts += [labelled.texts[0].upper(), labelled.texts[1]]
    labelled.labels += [labelled.labels[0], "flag"]
    labelled.languages += ["kk", "kk"]
    labelled.groups += ["", ""]
    counts = train(labelled, fold, detect).report["texts"]
    assert counts["n_repeated"] == 2
    assert counts["n_with_both_labels"] == 1
    assert counts["n"] == n - 1


def test_a_model_without_the_suite_may_only_rank() -> None:
    trained = train(labelled_texts(), fold, detect)
    assert not trained.model.may_suggest
    assert trained.report["protected"]["role"] == "may only rank"


def test_a_model_that_flags_protected_texts_may_only_rank_and_says_which() -> None:
    trained = train(labelled_texts(), fold, detect, protected=suite("намаз зурбаган"))
    assert not trained.model.may_suggest
    assert ["worship (all)" in reason for reason in trained.report["protected"]["failures"]] == [True]
    assert trained.report["protected"]["cells"][0]["value"] < 0.97


def test_each_language_that_is_flagged_is_said_worst_category_first() -> None:
    protected = suite("намаз зурбаган")
    protected.languages[:30] = ["ru"] * 30
    protected.texts[30:] = suite("намаз құран дұға").texts[30:]
    protected.groups[45:] = ["news"] * 15
    reasons = train(labelled_texts(), fold, detect, protected=protected).report["protected"]["failures"]
    assert [reason.split(": ")[-1].split(";")[0] for reason in reasons[:2]] == ["worship (ru)", "worship (all)"]
    assert "news: 15 texts are too few" in reasons[-1]
    assert not any("(kk)" in reason for reason in reasons)


def test_calls_are_counted_among_texts_that_have_a_score() -> None:
    both = suite("намаз зурбаган", "flag")
    both.labels[30:] = ["protected"] * 30

    def by_turns(folded: pa.Array) -> pa.Array:
        return pa.array([["kk", "en"]["намаз" in text and i % 2] for i, text in enumerate(folded.to_pylist())])

    report = train(labelled_texts(), fold, by_turns, protected=both).report["protected"]
    assert report["n_unscored"] == 30
    assert report["flagged_calls"] == 1.0


def test_a_model_that_leaves_protected_texts_alone_may_suggest() -> None:
    trained = train(labelled_texts(), fold, detect, protected=suite("намаз құран дұға"))
    assert trained.report["protected"]["failures"] == []
    assert trained.model.may_suggest


def test_too_few_protected_texts_prove_nothing() -> None:
    trained = train(labelled_texts(), fold, detect, protected=suite("намаз құран дұға", n=20))
    assert not trained.model.may_suggest
    assert "too few" in trained.report["protected"]["failures"][0]


def test_a_suite_in_languages_that_are_not_scored_proves_nothing() -> None:
    def by_words(folded: pa.Array) -> pa.Array:
        return pa.array(["en" if "намаз" in text else "kk" for text in folded.to_pylist()])

    trained = train(labelled_texts(), fold, by_words, protected=suite("намаз құран дұға"))
    assert not trained.model.may_suggest
    assert trained.report["protected"]["n_unscored"] == 60
    assert "language that it scores" in trained.report["protected"]["failures"][0]


def test_the_suite_stays_unseen() -> None:
    labelled = labelled_texts()
    held = replace(labelled_texts(), labels=["protected"] * 300)
    held.texts, held.labels = held.texts[:50], held.labels[:50]
    held.languages, held.groups = held.languages[:50], held.groups[:50]
    report = train(labelled, fold, detect, protected=held).report
    assert report["texts"]["n_in_protected_suite"] == len(set(held.texts))


@pytest.mark.parametrize(
    ("labels", "positive", "message"),
    [
        (["a", "b"], None, "--positive"),
        (["a", "b", "c"], None, "--positive"),
        (["a", "b"], "c", "no text has the label"),
        (["a", "a"], "a", "another label"),
        (["bad_user", "good"], "bad_user", "about persons"),
        (["suspectPerson", "good"], "suspectPerson", "about persons"),
    ],
)
def test_labels_that_no_model_may_have_are_refused(labels: list[str], positive: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        choose_positive(labels, positive)


def test_the_usual_names_of_a_positive_label_need_no_saying() -> None:
    assert choose_positive(["flag", "protected"], None) == "flag"
    assert choose_positive(["0", "1"], None) == "1"


def test_a_model_knows_the_languages_it_saw_enough_of() -> None:
    def by_turns(folded: pa.Array) -> pa.Array:
        return pa.array((["ru", "kk", "ru", "kk", "und", "tt"] * len(folded))[: len(folded)])

    model = train(labelled_texts(150), fold, by_turns).model
    assert model.languages == ("kk", "ru")
    known = model.knows(pa.chunked_array([["kk", None, "und"], ["kk|ky", "tt|ba", ""]]))
    assert known.tolist() == [True, False, False, True, False, False]
    assert model.knows(pa.array([], pa.string())).tolist() == []


def test_texts_of_no_detected_language_are_refused() -> None:
    with pytest.raises(ConfigError, match="no language was detected"):
        train(labelled_texts(), fold, lambda folded: pa.array(["und"] * len(folded)))


def test_too_few_texts_are_refused() -> None:
    with pytest.raises(ConfigError, match="30 of each"):
        train(labelled_texts(60), fold, detect)


def test_the_made_up_words_are_in_the_texts() -> None:
    assert any(mark in " ".join(labelled_texts().texts) for mark in MARKS)

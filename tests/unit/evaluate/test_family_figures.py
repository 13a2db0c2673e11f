import json
from pathlib import Path

import pytest

from bastau.errors import ConfigError, InputError
from bastau.evaluate.families import evaluate_families, score_families

FAMILIES = {"one": ["a", "b", "c"], "two": ["x", "y"]}


def test_pairs_found_missed_and_invented_are_counted() -> None:
    figures = score_families([{"sources": ["a", "b"]}, {"sources": ["x", "z"]}], FAMILIES, {"theme": ["x", "z", "q"]})
    assert (figures.n_true_pairs, figures.n_predicted_pairs) == (4, 2)
    assert (figures.pair_precision, figures.pair_recall) == (0.5, 0.25)
    assert figures.trap_links == {"theme": 1}


def test_a_true_pair_inside_a_trap_is_no_trap_link() -> None:
    figures = score_families([{"sources": ["a", "b"]}], FAMILIES, {"mirror": ["a", "b"]})
    assert figures.trap_links == {"mirror": 0}


def test_sites_of_nobody_known_are_not_judged() -> None:
    figures = score_families([{"sources": ["a", "b", "bridge"]}], FAMILIES, {}, ["bridge"])
    assert (figures.n_predicted_pairs, figures.n_unjudged, figures.pair_precision) == (1, 2, 1.0)


def test_nothing_found_is_precise_and_finds_nothing() -> None:
    figures = score_families([], FAMILIES, {"theme": ["x", "z"]})
    assert (figures.pair_precision, figures.pair_recall, figures.pair_f1) == (1.0, 0.0, 0.0)


def test_a_missing_or_foreign_truth_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        evaluate_families([], tmp_path)
    (tmp_path / "truth.json").write_text(json.dumps({"groups": {}}))
    with pytest.raises(InputError, match="says nothing of families"):
        evaluate_families([], tmp_path)

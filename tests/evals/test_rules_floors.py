"""Floors of the rules: on the protected-speech suite, and on texts that no writer of rules has seen."""

from pathlib import Path

import pytest

from bastau.evaluate.rules import Cell, read_texts, score_rules
from bastau.read.rules.finding import finder

HERE = Path(__file__).parent
LANGUAGES = ("kk", "ru", "en")
SUITE_FOUND = {"kk": 0.85, "ru": 0.86, "en": 0.87}
UNSEEN_FOUND = {"kk": 0.53, "ru": 0.47, "en": 0.33}
UNSEEN_LEFT_ALONE = 0.97


def cells(folder: str) -> list[Cell]:
    return score_rules(finder(()), [t for path in sorted((HERE / folder).glob("*.csv")) for t in read_texts(path)])


@pytest.fixture(scope="module")
def suite() -> list[Cell]:
    return cells("protected")


@pytest.fixture(scope="module")
def unseen() -> list[Cell]:
    return cells("unseen")


def rate(found: list[Cell], label: str, language: str | None = None) -> float:
    of = [cell for cell in found if cell.label == label and language in (None, cell.language)]
    return sum(cell.n_right for cell in of) / sum(cell.n for cell in of)


def test_the_suite_has_forty_pairs_a_cell(suite: list[Cell]) -> None:
    assert {cell.n for cell in suite} == {40}
    assert len(suite) == 2 * 3 * 10


def test_no_protected_text_of_the_suite_is_flagged(suite: list[Cell]) -> None:
    assert [name for cell in suite if cell.label == "protected" for name in cell.missed] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_calls_of_the_suite_are_found(suite: list[Cell], language: str) -> None:
    assert rate(suite, "flag", language) >= SUITE_FOUND[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_calls_in_unseen_texts_are_found(unseen: list[Cell], language: str) -> None:
    assert rate(unseen, "flag", language) >= UNSEEN_FOUND[language]


def test_unseen_protected_texts_are_left_alone(unseen: list[Cell]) -> None:
    assert rate(unseen, "protected") >= UNSEEN_LEFT_ALONE

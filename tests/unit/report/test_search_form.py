"""A search in an address says the same to pages and alerts."""

from datetime import UTC, datetime

import pytest

from bastau.report.search_form import asked_of


def fold(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def asked(**form: str):
    return asked_of(form, fold)


@pytest.mark.parametrize(
    "query", ['"Old Bridge" closed', "«Old Bridge» closed", "closed “old bridge”", 'closed "old   bridge!"']
)
def test_words_in_quotation_marks_are_a_phrase(query):
    found = asked(q=query)
    assert (found.words, found.phrases) == (("closed",), ("old bridge",))


@pytest.mark.parametrize("query", ['old "bridge', '""', '"  "', '"!?"'])
def test_half_and_empty_quotations_are_no_phrase(query):
    assert asked(q=query).phrases == ()


def test_what_was_found_is_an_act_or_a_rule():
    assert asked(found="act:incite").act == "incite"
    assert asked(found="rule:en-glorify").rule == "en-glorify"
    assert asked(found="model:x").rule == asked(found="model:x").act == ""


def test_a_private_account_is_not_searched_for():
    assert asked(source="p~aaaaaaaaaaaaaaaa") is None
    assert asked(source="@p~aaaaaaaaaaaaaaaa", q="words") is None


def test_the_last_day_belongs_to_it():
    found = asked(**{"from": "2026-01-02", "to": "2026-01-02"})
    assert (found.start, found.end) == (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
    assert asked(to="9999-12-31").end is None
    assert asked(to="tomorrow").end is None

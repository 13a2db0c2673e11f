import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.report.queries import HIDDEN, clean, one_line, shorten, shown_text, shown_url


def test_pseudonyms_and_controls_are_taken_out_of_words() -> None:
    assert clean("from @p~abcdefgh2345 \x1b[31mred\u202e and p~zzzz\ud800") == f"from {HIDDEN} [31mred and {HIDDEN}"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://a.example/",
        "//a.example",
        "",
        None,
        "https://t.example/p~abcd",
    ],
)
def test_addresses_that_must_not_be_shown(url: str | None) -> None:
    assert shown_url(url) is None


def test_a_headline_that_begins_the_text_is_not_said_twice() -> None:
    assert shown_text("Су жоқ", "Су жоқ болады") == "Су жоқ болады"
    assert shown_text("Су жоқ", "Ертең болады") == "Су жоқ\nЕртең болады"
    assert shown_text(None, None) == ""


def test_a_headline_stays_apart_from_the_text_on_one_line() -> None:
    assert one_line("Су жоқ\n\n Ертең  болады\n") == "Су жоқ · Ертең болады"


@given(st.text(max_size=200), st.integers(2, 80))
def test_short_words_stay_and_long_ones_are_cut_within_bounds(text: str, most: int) -> None:
    plain = " ".join(text.split())
    cut = shorten(text, most)
    assert len(cut) <= most
    assert cut == plain if len(plain) <= most else cut.endswith("…")

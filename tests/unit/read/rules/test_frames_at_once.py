"""What is found once a post gives what each predicate would find for itself; texts of nothing but trigger words take no longer than they are long."""

import random
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_frames import PlainReading

from bastau.read.rules import frames
from bastau.read.rules.finding import finder
from bastau.read.rules.frames import Reading

USE = finder()
RULES = [rule for rule in USE.pack.rules if rule.is_live]
EXAMPLES = [text for rule in USE.pack.rules for _, text, _ in (*rule.must_hit, *rule.must_not_hit)]
WORDS = sorted({word for text in EXAMPLES for word in text.split()})
CUES = sorted({word for word in WORDS if USE.pack.lexicon.look_up(word.strip('.,!?:«»"').lower()).units})
SIGNS = [".", ",", ":", "?", "!", "\n", "«", "»", '"', "—", ";", "2:191"]


def matches_alike(title: str | None, text: str | None) -> bool:
    """Read both ways, and tell whether anything matches."""
    reading, plain = Reading(USE.pack, title, text), PlainReading(USE.pack, title, text)
    assert [reading.place("lead", tag) for tag in reading.tags] == [plain.place("lead", tag) for tag in plain.tags]
    found = reading.matches(RULES)
    assert found == plain.matches(RULES)
    return bool(found)


def test_the_rules_own_examples_match_alike():
    chosen = random.Random(1).sample(EXAMPLES, 300)
    assert sum(matches_alike(None, text) for text in chosen) > 100


@settings(deadline=None, max_examples=60)
@given(
    st.one_of(st.none(), st.sampled_from(EXAMPLES)),
    st.lists(st.one_of(st.sampled_from(EXAMPLES), st.sampled_from(CUES), st.sampled_from(SIGNS)), max_size=40),
)
def test_examples_words_and_signs_in_any_order_match_alike(title, pieces):
    matches_alike(title, " ".join(pieces))


@pytest.mark.parametrize("joined", [" ", ", ", ": ", " «", ". "])
def test_many_words_in_one_or_many_clauses_match_alike(joined):
    dice = random.Random(joined)
    assert matches_alike(None, joined.join(dice.choices(CUES, k=700)))


def lines_run(text: str) -> int:
    """Count the lines of the module that run for a text: the same on every machine."""
    n = 0

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal n
        if frame.f_code.co_filename != frames.__file__:
            return None
        n += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        Reading(USE.pack, None, text).matches(RULES)
    finally:
        sys.settrace(before)
    return n


@pytest.mark.parametrize("joined", [" ", ", "])
def test_a_text_of_nothing_but_trigger_words_takes_as_many_times_longer_as_it_is_longer(joined):
    dice = random.Random(2)
    words = [word.strip(".,!?:;") for word in WORDS]
    short, long = (lines_run(joined.join(dice.choices(words, k=k))) for k in (500, 2000))
    assert long < 6 * short  # looking through the whole sentence for each predicate: 14 to 15 times

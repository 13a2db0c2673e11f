import re
from collections.abc import Iterator
from typing import Any

import pytest

from bastau.simulate.dice import Dice
from bastau.simulate.phrases import LANGUAGES, Phrases, read_texts

# Words that may begin with a capital inside a sentence: the invented names, days, the Moon, a greeting. A new name
# is added here only after making sure that it belongs to nobody.
NAMES = {
    "en": "Bultia Bultsu Monday Tuesday Wednesday Thursday Friday Saturday Sunday Moon Cloud Day I Comets Teapots",
    "ru": "Бултия Бултии Бултсу Луна Луну Днём Кометами Чайниками Кометы Чайники Чайников",
    "kk": "Бұлтия Бұлтияның Бұлтсу Ай Айға Кометалары Шәйнектері Шәйнектердің",
}
CAPITALISED = re.compile(r"(?<![.!?:«] )(?<=[\w,;)»—] )«?([^\W\d_]\w*)")


def templates(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from templates(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from templates(part)


def expansions(template: str) -> Iterator[str]:
    """Every alternative of every choice at least once."""
    choices = [choice.split("|") for choice in re.findall(r"\[([^\[\]]*)\]", template)]
    for k in range(max((len(choice) for choice in choices), default=1)):
        picked = iter(choice[k % len(choice)] for choice in choices)
        yield re.sub(r"\[[^\[\]]*\]", lambda _, picked=picked: next(picked), template)


def places(words: dict[str, Any]) -> set[str]:
    return {word for place in words["places"] for form in place.values() for word in form.split() if word[0].isupper()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_invented_names_are_written_with_a_capital(language: str) -> None:
    words = read_texts(language)
    allowed = set(NAMES[language].split()) | places(words)
    # oblique cases that occur in narratives only
    stems = tuple(place["city"][:-1] for place in words["places"])
    sections = [words[name] for name in ("glue", "greeting", "topics", "narratives")]
    found = {
        word
        for template in templates(sections)
        for text in expansions(template)
        for word in CAPITALISED.findall(text)
        if word[0].isupper()
    }

    assert {word for word in found if word not in allowed and not word.startswith(stems)} == set()


def test_a_name_of_the_real_world_would_be_noticed() -> None:
    assert "London" in CAPITALISED.findall("The tram to London is late.")
    assert "London" in CAPITALISED.findall("A tram, London says, is late.")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_is_closed_and_uses_known_slots(language: str) -> None:
    words = read_texts(language)
    slots = {"n", "hour", "on_day", *words["places"][0]}
    for template in templates(words):
        assert template.count("[") == template.count("]")
        assert set(re.findall(r"<(\w+)>", template)) <= slots
        for text in expansions(template):
            assert "|" not in text
            assert "  " not in text


def test_languages_have_the_same_topics_places_and_days() -> None:
    kits = {language: read_texts(language) for language in LANGUAGES}

    assert len({tuple(kit["topics"]) for kit in kits.values()}) == 1
    assert {len(kit["places"]) for kit in kits.values()} == {12}
    assert {len(kit["days"]) for kit in kits.values()} == {7}


def test_slots_inside_choices_are_filled_and_the_sentence_begins_with_a_capital() -> None:
    phrases = Phrases("en", {"places": [{"in_city": "in Kunqala"}], "days": ["on Monday"] * 7})

    assert (
        phrases.render("[open <in_city>|open <in_city>] <on_day>.", Dice(1, "x"), 0, 0) == "Open in Kunqala on Monday."
    )


def test_numbers_take_the_russian_genitive_plural() -> None:
    phrases, dice = Phrases("ru", {}), Dice(1, "numbers")
    drawn = {int(phrases.render("<n>", dice, 0, 0)) for _ in range(2000)}

    assert all(n % 10 in (0, 5, 6, 7, 8, 9) or 11 <= n <= 14 for n in drawn)


def test_a_push_shows_the_details_that_the_telling_of_the_same_number_leaves_out() -> None:
    kit = {"claims": ["C0.", "C1."], "details": [f"D{i}." for i in range(5)], "calls": [""]}
    phrases, dice = Phrases("en", {"narratives": {"x": kit}}), Dice(1, "x")
    for number in range(4):
        told, pushed = (set(phrases.telling("x", number, dice, pushed=p).split()) for p in (False, True))
        assert {word for word in told & pushed if word[0] == "D"} == set()
        assert told | pushed >= set(kit["details"])


def test_no_edit_leaves_the_text_alone_and_an_edit_changes_it() -> None:
    phrases, dice = Phrases.load("kk"), Dice(3, "edits")
    text = phrases.greeting()

    assert phrases.edited(text, 0, dice) == text
    assert all(phrases.edited(text, 1, dice) != text for _ in range(50))

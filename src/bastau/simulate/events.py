"""Texts that are rich enough to be told apart: invented events, told in three languages and in more than one wording.

A story is a few facts; a fact is a subject, a predicate and a circumstance out of ``texts/events.toml`` with names
and numbers of its own. There are 26,000 combinations before any name, and names are drawn from 200,000, so two stories share
hardly more than a word here and there; a story told anew, or in another language, shares its names and numbers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bastau.simulate.dice import Dice
from bastau.simulate.phrases import LANGUAGES, read_texts

_SLOT = re.compile(r"<(\w+)>")
_ONSETS = tuple(
    zip("бдзклмнрстпгжш", ["b", "d", "z", "k", "l", "m", "n", "r", "s", "t", "p", "g", "zh", "sh"], strict=True)
)
_VOWELS = tuple(zip("аоуеи", "aouei", strict=True))
_KINDS = ("place", "person", "firm", "street")

Name = tuple[str, str]
"""A name in Cyrillic and in Latin letters."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Who did what under which circumstances; ``numbers`` are of the predicate, the circumstance and the subject."""

    subject: int
    predicate: int
    adjunct: int
    names: Mapping[str, tuple[Name, Name, Name]]
    numbers: tuple[int, int, int]


Story = tuple[Fact, ...]


class Teller:
    """Makes stories and tells them."""

    def __init__(self) -> None:
        self._words = read_texts("events")

    def story(self, n_facts: int, dice: Dice) -> Story:
        """Return a new story."""
        return tuple(self._fact(dice) for _ in range(n_facts))

    def _fact(self, dice: Dice) -> Fact:
        names = {kind: (_name(dice), _name(dice), _name(dice)) for kind in _KINDS}
        numbers = (_number(dice), _number(dice), _number(dice))
        subject, predicate, adjunct = (
            dice.below(len(self._words[part])) for part in ("subjects", "predicates", "adjuncts")
        )
        return Fact(subject, predicate, adjunct, names, numbers)

    def tell(self, story: Story, language: str, wording: int, dice: Dice) -> str:
        """Return the story in ``language``; wordings 0 and 1 share names and numbers only, others mix the two.

        All but wording 0 change the order of facts as well.
        """
        order = list(story) if wording == 0 else dice.sample(story, len(story))
        return " ".join(self._sentence(fact, language, wording, dice) for fact in order)

    def headline(self, story: Story, language: str, dice: Dice) -> str:
        """Return the first fact without its circumstance."""
        fact = story[0]
        subject, predicate, _ = self._parts(fact, language, 0, dice)
        return _sentence(f"{subject} {predicate}")

    def _sentence(self, fact: Fact, language: str, wording: int, dice: Dice) -> str:
        subject, predicate, adjunct = self._parts(fact, language, wording, dice)
        if wording % 2:
            named = self._words["subjects"][fact.subject][LANGUAGES.index(language)][min(wording, 1)].startswith("<")
            subject = subject if named else subject[:1].lower() + subject[1:]
            comma = "" if language == "kk" else ","
            return _sentence(f"{adjunct}{comma} {subject} {predicate}.")
        if language == "kk":
            return _sentence(f"{subject} {adjunct} {predicate}.")
        return _sentence(f"{subject} {predicate} {adjunct}.")

    def _parts(self, fact: Fact, language: str, wording: int, dice: Dice) -> list[str]:
        column = LANGUAGES.index(language)
        rows = (
            self._words["subjects"][fact.subject],
            self._words["predicates"][fact.predicate],
            self._words["adjuncts"][fact.adjunct],
        )
        told: list[str] = []
        told_as: list[str] = []
        for turn, row in enumerate(rows):
            which = wording if wording < 2 else dice.below(2)
            text = row[column][which]
            if turn == 2 and not any(f"<{kind}>" in "".join(told_as) + text for kind in _KINDS):
                text += f" {self._words[language]['where'][min(wording, 1)]}"
            told_as.append(text)
            told.append(self._filled(text, fact, turn, language))
        return told

    def _filled(self, template: str, fact: Fact, turn: int, language: str) -> str:
        return _SLOT.sub(lambda m: self._fill(m[1], fact, turn, language), template)

    @staticmethod
    def _fill(slot: str, fact: Fact, turn: int, language: str) -> str:
        if slot == "n":
            return str(fact.numbers[turn])
        return fact.names[slot][turn][1 if language == "en" else 0]

    def pick(self, language: str, what: str, dice: Dice) -> str:
        """Return one of the additions ``what`` (before, after, comments, greetings, charity, statement) of a language."""
        return dice.choose(self.all(language, what))

    def all(self, language: str, what: str) -> Sequence[str]:
        """Return all of them."""
        words: dict[str, Any] = self._words[language]
        return [str(text) for text in words[what]]

    def filled(self, template: str, fact: Fact, language: str) -> str:
        """Return an addition with the names and number of ``fact``."""
        return self._filled(template, fact, 0, language)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _name(dice: Dice) -> Name:
    cyrillic = latin = ""
    for _ in range(dice.between(3, 4)):
        onset, vowel = dice.choose(_ONSETS), dice.choose(_VOWELS)
        cyrillic, latin = cyrillic + onset[0] + vowel[0], latin + onset[1] + vowel[1]
    return cyrillic.capitalize(), latin.capitalize()


def _number(dice: Dice) -> int:
    """Return a number that takes the genitive plural in Russian, heavy-tailed from 5 up."""
    while True:
        n = dice.log_uniform(5, 7)
        if n % 10 in (0, 5, 6, 7, 8, 9) or 11 <= n % 100 <= 14:
            return n

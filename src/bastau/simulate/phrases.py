"""Texts of the invented world, put together from the phrases in ``texts/``.

A phrase is a small grammar: ``[a|b]`` is a choice and ``<slot>`` a name, day, hour or number. Choices are
expanded first, so that a slot may stand inside one.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from bastau.simulate.dice import Dice

LANGUAGES = ("kk", "ru", "en")

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"<(\w+)>")

# After these Russian takes the genitive plural, so one form of the counted word fits them all.
_NUMBERS = [n for n in range(5, 41) if n % 10 in (0, 5, 6, 7, 8, 9) or 11 <= n <= 14]


def read_texts(name: str) -> dict[str, Any]:
    """Return the contents of ``texts/<name>.toml``."""
    return tomllib.loads(files("bastau.simulate").joinpath("texts", f"{name}.toml").read_text("utf-8"))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Phrases:
    """The phrases of one language."""

    language: str
    words: Mapping[str, Any]

    @classmethod
    def load(cls, language: str) -> "Phrases":
        """Read the phrases of ``language``, one of :data:`LANGUAGES`."""
        return cls(language, read_texts(language))

    @property
    def topics(self) -> list[str]:
        """Names of the topics of ordinary posts, the same in every language."""
        return list(self.words["topics"])

    def render(self, template: str, dice: Dice, place: int, day: int) -> str:
        """Return ``template`` with choices made and slots filled; one post keeps its place and day."""
        text = _CHOICE.sub(lambda m: dice.choose(m[1].split("|")), template)
        return _sentence(_SLOT.sub(lambda m: self._fill(m[1], dice, place, day), text))

    def _fill(self, slot: str, dice: Dice, place: int, day: int) -> str:
        match slot:
            case "n":
                return str(dice.choose(_NUMBERS))
            case "hour":
                return f"{dice.between(8, 21):02}:{dice.choose(('00', '15', '30', '45'))}"
            case "on_day":
                return str(self.words["days"][day])
            case _:
                return str(self.words["places"][place][slot])

    def story(self, topic: str, n_sentences: int, dice: Dice) -> tuple[str, str]:
        """Return (title, text) of an ordinary post: a lead, then details in any order, now and then with a frame."""
        kit, place, day = self.words["topics"][topic], dice.below(len(self.words["places"])), dice.below(7)
        parts = [dice.choose(kit["leads"]), *dice.sample(kit["more"], n_sentences - 1)]
        if n_sentences > 1 and dice.percent(35):
            parts.insert(0, dice.choose(self.words["glue"]["openers"]))
        if n_sentences > 1 and dice.percent(45):
            parts.append(dice.choose(self.words["glue"]["closers"]))
        title = self.render(dice.choose(kit["titles"]), dice, place, day)
        return title, " ".join(self.render(part, dice, place, day) for part in parts)

    def remark(self, topic: str, dice: Dice) -> str:
        """Return a short post of an account: one detail of a topic, sometimes after a comment."""
        kit, place, day = self.words["topics"][topic], dice.below(len(self.words["places"])), dice.below(7)
        parts = [dice.choose(kit["leads"])] if dice.percent(40) else dice.sample(kit["more"], 2)
        if dice.percent(40):
            parts.append(dice.choose(self.words["glue"]["comments"]))
        return " ".join(self.render(part, dice, place, day) for part in parts)

    def comment(self, dice: Dice) -> str:
        """Return two sentences with which somebody passes on a link."""
        place, day = dice.below(len(self.words["places"])), dice.below(7)
        chosen = dice.sample(self.words["glue"]["comments"], 2)
        return " ".join(self.render(part, dice, place, day) for part in chosen)

    def n_claims(self, narrative: str) -> int:
        """Return how many wordings the narrative has in this language."""
        return len(self.words["narratives"][narrative]["claims"])

    def telling(self, narrative: str, number: int, dice: Dice, *, pushed: bool = False) -> str:
        """Return the ``number``-th telling of a narrative, or what a group pushes in its ``number``-th event.

        Tellings differ in the wording of the claim or in most of the details, so that two of them are not
        near-duplicates of each other while copies of one of them are: of five details a telling shows three and
        the push with the same number the other two.
        """
        kit = self.words["narratives"][narrative]
        details: Sequence[str] = kit["details"]
        first, last = (3, 5) if pushed else (0, 3)
        shown = [details[(2 * number + k) % len(details)] for k in range(first, last)]
        parts = [kit["claims"][number % len(kit["claims"])], *shown]
        if dice.percent(60):
            parts.append(dice.choose(kit["calls"]))
        return " ".join(parts)

    def greeting(self) -> str:
        """Return what everybody writes on Cloud Day."""
        return str(self.words["greeting"]["texts"][0])

    def hashtags(self, n: int, dice: Dice) -> str:
        """Return ``n`` hashtags in one string."""
        return " ".join(f"#{tag}" for tag in dice.sample(self.words["hashtags"], n))

    def edited(self, text: str, n_edits: int, dice: Dice) -> str:
        """Return ``text`` as somebody passes it on: something added around it, a typo, a word lost."""
        for edit in dice.sample(range(5), n_edits):
            match edit:
                case 0:
                    text = f"{dice.choose(self.words['edits']['before'])} {text}"
                case 1:
                    text = f"{text} {dice.choose(self.words['edits']['after'])}"
                case 2:
                    text = f"{text} {self.hashtags(1, dice)}"
                case 3:
                    text = _with_typo(text, dice)
                case _:
                    words = text.split(" ")
                    del words[dice.below(len(words))]
                    text = " ".join(words)
        return text


def _with_typo(text: str, dice: Dice) -> str:
    at = dice.below(len(text) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]

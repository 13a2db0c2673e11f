"""Concepts, words, moods, gates and rules as they are used; made by :mod:`bastau.read.rules.loading`."""

from dataclasses import dataclass, field
from functools import cached_property

from bastau.read.rules.lexicon import Lexicon


@dataclass(frozen=True)
class Cue:
    """Words of some concepts within so many words."""

    mask: int
    within: int
    starts: int | None = None
    """The cue begins its clause, after nothing but words of these concepts (bits)."""
    in_sentence: bool = False
    """It may stand in another clause of the sentence."""


@dataclass(frozen=True)
class Mood:
    """When a verb form is meant as an order, a need, a vow, a doom or a wish."""

    mood: str
    language: str
    features: frozenset[str]
    before: tuple[Cue, ...] = ()
    after: tuple[Cue, ...] = ()
    not_before: tuple[Cue, ...] = ()
    not_after: tuple[Cue, ...] = ()
    start: int | None = None
    """The verb begins its clause, after nothing but words of these concepts (bits)."""
    of: int = 0
    """Only verbs of these concepts; 0: all."""


@dataclass(frozen=True)
class Gate:
    """Why a frame is left alone, or (``lifts``) why other gates do not count."""

    id: str
    why: str
    language: str | None
    cue: int
    feature: str | None
    mark: str | None
    within: str
    before: int
    after: int
    voices: frozenset[str]
    moods: frozenset[str]
    unless: int
    unless_negated: bool
    lifts: frozenset[str]
    least: int = 0
    """So many different words of the cue must stand there; 0: any, by the looser count of most gates."""
    unless_within: str | None = None


@dataclass(frozen=True)
class Slot:
    """A place in a frame."""

    name: str
    mask: int
    concepts: tuple[str, ...]
    moods: frozenset[str]
    features: frozenset[str]
    optional: bool


@dataclass(frozen=True)
class Frame:
    """Slots that must be filled close together."""

    slots: tuple[Slot, ...]
    within: int
    same: str
    order: tuple[str, ...]
    without: int
    """The first slot is the anchor."""
    languages: frozenset[str] = frozenset(("kk", "ru", "en"))
    not_between: int = 0

    @cached_property
    def needed(self) -> tuple[int, ...]:
        """Return the concepts (bits) of each slot that must be filled."""
        return tuple(slot.mask for slot in self.slots if not slot.optional)


@dataclass(frozen=True)
class Rule:
    """A condition on one post, with the texts that show what it is for."""

    id: str
    version: int
    act: str
    technique: str | None
    author: str
    legal_ground: str
    note: str
    is_live: bool
    frames: tuple[Frame, ...]
    gates: frozenset[str] | None
    """None: all."""
    without_gates: frozenset[str]
    score: float
    must_hit: tuple[tuple[str, str, int], ...]
    """(language, text, line) of each."""
    must_not_hit: tuple[tuple[str, str, int], ...]
    path: str
    line: int


@dataclass(frozen=True)
class Organisation:
    """A listed organisation; its name alone never makes a match."""

    id: str
    name: str
    ground: str


@dataclass
class Pack:
    """Everything that rule files say, compiled."""

    lexicon: Lexicon
    bits: dict[str, int]
    """Concept: its own bit."""
    moods: dict[str, list[Mood]]
    """By language."""
    gates: list[Gate]
    rules: list[Rule]
    organisations: list[Organisation]
    fingerprint: str
    not_bit: int = 0
    context_bit: int = 0
    ambiguous_bit: int = 0
    organisation_mask: int = 0
    _moods_of: dict[tuple[str, frozenset[str]], list[Mood]] = field(default_factory=dict, repr=False)
    known: frozenset[str] = frozenset()
    """Words that a disguise may hide."""

    def moods_of(self, language: str, features: frozenset[str]) -> list[Mood]:
        """Return the moods that a form with these features may have."""
        key = (language, features)
        if key not in self._moods_of:
            self._moods_of[key] = [mood for mood in self.moods.get(language, ()) if mood.features & features]
        return self._moods_of[key]

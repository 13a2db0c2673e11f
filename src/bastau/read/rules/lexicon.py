"""Words of the rule files, compiled: text in, tags out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from bastau.read.fold import fold_strings
from bastau.read.rules.inflect import (
    DATIVE,
    RUSSIAN_DATIVE,
    Features,
    english_noun,
    english_verb,
    kazakh_stems,
    without_kazakh_letters,
)
from bastau.read.rules.tokens import Document

MAX_GAP = 4
"""Words that `...` in a phrase may stand for."""
MAX_ENDING = 3
"""Letters that `*` may stand for."""
_LETTER = re.compile(r"[^\W_]")
_STRANGE = re.compile(r'[()\[\]{}+?\\|^$"]')
_CACHE = 200_000


class Tag(NamedTuple):
    """A word or phrase of the lexicon found in a text."""

    mask: int
    """One bit per concept, wider concepts included."""
    features: Features
    language: str
    start: int
    end: int
    """Index after its last word."""
    concept: str
    words: tuple[int, ...] = ()
    """Its words, where it is a phrase with a gap; empty: all from start to end."""

    def covers(self, i: int) -> bool:
        """Tell whether word ``i`` is one of its words."""
        return i in self.words if self.words else self.start <= i < self.end

    def meets(self, other: "Tag") -> bool:
        """Tell whether the two share a word."""
        if self.start >= other.end or other.start >= self.end:
            return False
        shared = range(max(self.start, other.start), min(self.end, other.end))
        return any(self.covers(i) and other.covers(i) for i in shared)


@dataclass(frozen=True)
class Entry:
    """One item of a word list: the forms it has, and what it means.

    ``kind`` is `verb` or `noun` (Kazakh: stems that take endings) or `form`: the very words.
    """

    concept: str
    language: str
    kind: str
    forms: tuple[tuple[str, Features], ...]
    path: str = ""
    line: int = 0


def make_entry(concept: str, language: str, key: str, stated: str, path: str, line: int) -> Entry:
    """Return the entry that ``stated`` under ``key`` of a word list means.

    Raises:
        ValueError: it cannot be read.
    """
    if len(stated) > 120:
        raise ValueError("longer than 120 characters")
    if len(stated.split()) > 16 or stated.count("...") > 3:
        raise ValueError("a phrase has at most 16 words and three gaps")
    if not _LETTER.search(stated):
        raise ValueError(f"{stated!r} holds no letter")
    strange = _STRANGE.search(stated)
    if strange:
        raise ValueError(
            f"{stated!r}: {strange.group()!r} has no meaning here; regular expressions do not exist, see docs"
        )
    if "/" in stated and not (language == "en" and key in ("verbs", "nouns")):
        raise ValueError(f"{stated!r}: / stands only between the forms of irregular English verbs and nouns")
    for word in stated.split() if "*" in stated else ():
        stars = word.count("*")
        if stars and (not word.endswith("*") or not word.rstrip("*") or stars > 2 or len(word.rstrip("*")) < 3):
            raise ValueError(f"{word!r}: * stands at the end of at least three letters")
    if stated.startswith("...") or stated.endswith("..."):
        raise ValueError(f"{stated!r}: ... stands between words")
    if language == "en" and key in ("verbs", "nouns"):
        forms = english_verb(stated) if key == "verbs" else english_noun(stated)
        return Entry(concept, language, "form", tuple(forms), path, line)
    if language == "kk" and key in ("verbs", "nouns"):
        return Entry(concept, language, key[:-1], ((stated, frozenset()),), path, line)
    if language == "ru" and key == "verbs":
        raise ValueError("Russian verbs are listed by form: imperative, infinitive, first_future, past, ...")
    features = frozenset() if key in ("words", "nouns") else frozenset({key})
    return Entry(concept, language, "form", ((stated, features),), path, line)


@dataclass(slots=True)
class Unit:
    """One word of an entry: exact, a beginning of a word, or a stem with endings."""

    spelled: str
    kind: str


@dataclass(slots=True)
class Sequence:
    """A word or phrase with its meaning."""

    units: tuple[int, ...]
    gaps: tuple[bool, ...]
    features: Features
    mask: int
    language: str
    concept: str


class Reading(NamedTuple):
    """What one word can be."""

    units: dict[int, Features]
    """Units and the features of this form."""
    alone: list[tuple[int, Features, str, str]]
    """(mask, features, language, concept) of each entry that is this word alone."""
    begins: list[int]
    """Units that begin a phrase whose next word follows at once."""
    gapped: list[int]
    """Units that begin a phrase with a gap."""


@dataclass
class Lexicon:
    """Every entry, ready to be looked up.

    Args:
        bits: concept: its bit and those of the wider concepts.
        endings: Kazakh endings by kind (verb, noun).
    """

    bits: dict[str, int]
    endings: dict[str, dict[str, Features]]
    exact: dict[str, list[int]] = field(default_factory=dict)
    starts: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    stems: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    sequences: list[Sequence] = field(default_factory=list)
    singles: dict[int, list[Sequence]] = field(default_factory=dict)
    by_pair: dict[tuple[int, int], list[Sequence]] = field(default_factory=dict)
    """Phrases by their first two words where no gap stands between."""
    by_first: dict[int, list[Sequence]] = field(default_factory=dict)
    """Phrases with a gap after the first word."""
    units: list[Unit] = field(default_factory=list)
    _unit_of: dict[tuple[str, str], int] = field(default_factory=dict)
    pair_starts: set[int] = field(default_factory=set)
    _seen: dict[str, "Reading"] = field(default_factory=dict)

    def add(self, entries: Iterable[Entry]) -> None:
        """Add entries; their words are folded as texts are."""
        rows = [(entry, form, features) for entry in entries for form, features in entry.forms]
        texts = [form.replace("...", " qgapq ").replace("*", "qstarq") for _, form, _ in rows]
        folded = fold_strings(_array(texts))[0].to_pylist()
        longest = 3
        for (entry, _, features), text in zip(rows, folded, strict=True):
            self._add_sequence(entry, text.split(), features)
            if entry.language == "kk":
                plain = without_kazakh_letters(text)
                if plain != text and len(plain) >= longest:
                    self._add_sequence(entry, plain.split(), features)

    def _add_sequence(self, entry: Entry, words: list[str], features: Features) -> None:
        units: list[int] = []
        gaps: list[bool] = []
        gap = False
        real = [word for word in words if word != "qgapq"]
        for word in words:
            if word == "qgapq":
                gap = True
                continue
            stars = word.count("qstarq")
            kind = f"start{stars}" if stars else "exact"
            if entry.kind != "form" and len(units) == len(real) - 1:  # the last word takes the endings
                kind = entry.kind
            units.append(self._unit(word.replace("qstarq", ""), kind))
            gaps.append(gap)
            gap = False
        sequence = Sequence(
            tuple(units), tuple(gaps), features, self.bits[entry.concept], entry.language, entry.concept
        )
        self.sequences.append(sequence)
        if len(units) == 1:
            self.singles.setdefault(units[0], []).append(sequence)
        elif gaps[1]:
            self.by_first.setdefault(units[0], []).append(sequence)
        else:
            self.by_pair.setdefault((units[0], units[1]), []).append(sequence)
            self.pair_starts.add(units[0])

    def _unit(self, word: str, kind: str) -> int:
        if (word, kind) in self._unit_of:
            return self._unit_of[word, kind]
        number = len(self.units)
        self.units.append(Unit(word, kind))
        self._unit_of[word, kind] = number
        if kind == "exact":
            self.exact.setdefault(word, []).append(number)
        elif kind.startswith("start"):
            self.starts.setdefault(word, []).append((number, MAX_ENDING if kind == "start1" else 60))
        else:
            for stem, endings in self.stem_spellings(word, kind):
                self.stems.setdefault(stem, []).append((number, endings))
        return number

    def stem_spellings(self, stem: str, kind: str) -> list[tuple[str, str]]:
        """Return (stem as written before endings, name of the table of endings) of a Kazakh stem."""
        spelled = [(form, kind) for form in kazakh_stems(stem)]
        if kind == "verb" and stem.endswith("й"):  # жой + у = жою, жой + аміз = жоямыз
            spelled.append((stem[:-1], "verb after й"))
        return spelled

    def look_up(self, word: str) -> "Reading":
        """Return what a word can be."""
        found = self._seen.get(word)
        if found is None:
            if len(self._seen) >= _CACHE:
                self._seen.clear()
            found = self._seen[word] = self._look_up(word)
        return found

    def _look_up(self, word: str) -> "Reading":
        none: Features = frozenset()
        found = dict.fromkeys(self.exact.get(word, ()), none)
        for i in range(2, len(word) + 1):
            head = word[:i]
            for number, room in self.starts.get(head, ()):
                if len(word) - i <= room:
                    found.setdefault(number, DATIVE if word[i:] in RUSSIAN_DATIVE else none)
            for number, kind in self.stems.get(head, ()):
                features = self.endings[kind].get(word[i:])
                if features is not None:
                    found[number] = found.get(number, none) | features
        alone = [
            (one.mask, one.features | features if features else one.features, one.language, one.concept)
            for number, features in found.items()
            for one in self.singles.get(number, ())
        ]
        begins = [number for number in found if number in self.pair_starts]
        gapped = [number for number in found if number in self.by_first]
        return Reading(found, alone, begins, gapped)

    def tag(self, document: Document) -> list[Tag]:
        """Return the tags of a text by place."""
        seen, by_pair, sentences = self._seen, self.by_pair, document.sentences
        found = [seen.get(word) or self.look_up(word) for word in document.words]
        tags: list[Tag] = []
        present: set[int] | None = None
        n = len(found)
        for i, reading in enumerate(found):
            units, alone, begins, gapped = reading
            if not units:
                continue
            for mask, features, language, concept in alone:
                tags.append(Tag(mask, features, language, i, i + 1, concept))
            phrases: list[Sequence] = []
            if begins and i + 1 < n and sentences[i + 1] == sentences[i]:
                after = found[i + 1].units
                for number in begins:
                    for second in after:
                        phrases += by_pair.get((number, second), ())
            if gapped:
                if present is None:
                    present = {number for one in found for number in one.units}
                for number in gapped:
                    phrases += [one for one in self.by_first[number] if one.units[1] in present]
            for one in phrases:
                words, more = self._follow(one, found, sentences, i, units[one.units[0]])
                if words:
                    parted = words if any(one.gaps) else ()
                    tags.append(Tag(one.mask, more, one.language, i, words[-1] + 1, one.concept, parted))
        return tags

    @staticmethod
    def _follow(
        sequence: Sequence, found: list["Reading"], sentences: list[int], i: int, features: Features
    ) -> tuple[tuple[int, ...], Features]:
        """Return (its words, features) of a phrase that begins at word ``i``; no words when it does not go on."""
        features = features | sequence.features
        at = i
        words = [i]
        for unit, gap in zip(sequence.units[1:], sequence.gaps[1:], strict=True):
            for step in range(1, MAX_GAP + 2 if gap else 2):
                j = at + step
                if j >= len(found) or sentences[j] != sentences[i]:
                    return (), features
                here = found[j].units.get(unit)
                if here is not None:
                    features, at = features | here, j
                    words.append(j)
                    break
            else:
                return (), features
        return tuple(words), features


def _array(texts: list[str]):  # type: ignore[no-untyped-def]
    import pyarrow as pa

    return pa.array(texts, pa.string())

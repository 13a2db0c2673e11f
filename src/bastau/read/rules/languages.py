"""Does a word of the lexicon stand in a sentence of its language? Many short forms are words of another language too."""

from functools import lru_cache

from bastau.read.known_words import is_known_russian
from bastau.read.rules.lexicon import Tag
from bastau.read.rules.tokens import Document

_KAZAKH = frozenset("әғқңөұүіһ")
KAZAKH, RUSSIAN, CYRILLIC, LATIN, OTHER = range(5)


@lru_cache(1 << 17)
def kind_of(word: str) -> int:
    """Return what the letters and the known words say of a folded word.

    KAZAKH: it has a letter that Russian lacks. RUSSIAN: Cyrillic and known in Russian. CYRILLIC: not known there, as
    Kazakh typed without its letters is.
    """
    if not _KAZAKH.isdisjoint(word):
        return KAZAKH
    for char in word:
        if "а" <= char <= "я":
            return RUSSIAN if is_known_russian(word) else CYRILLIC
        if "a" <= char <= "z":
            return LATIN
    return OTHER


class Sentences:
    """Counts of the kinds of words in each sentence, made when first asked for."""

    def __init__(self, document: Document) -> None:
        """Count nothing yet."""
        self._document = document
        self._counts: dict[int, list[int]] | None = None

    def fits(self, tag: Tag) -> bool:
        """Tell whether the tag's language is one that its sentence may be in.

        English wants as many Latin words as Cyrillic ones; a Kazakh word without a Kazakh letter wants such a letter
        elsewhere in the sentence, or a sentence of which Russian knows less than half.
        """
        if tag.language == "ru":
            return True
        words = self._document.words
        if tag.language == "kk" and any(kind_of(words[i]) == KAZAKH for i in range(tag.start, tag.end)):
            return True
        counts = self._of(self._document.sentences[tag.start])
        cyrillic = counts[KAZAKH] + counts[RUSSIAN] + counts[CYRILLIC]
        if tag.language == "en":
            return counts[LATIN] >= cyrillic
        return counts[KAZAKH] > 0 or 2 * counts[RUSSIAN] < cyrillic

    def _of(self, sentence: int) -> list[int]:
        if self._counts is None:
            self._counts = {}
            for number, word in zip(self._document.sentences, self._document.words, strict=True):
                self._counts.setdefault(number, [0] * 5)[kind_of(word)] += 1
        return self._counts[sentence]

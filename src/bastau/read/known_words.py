"""Which words of Kazakh, Russian and English are known, as small filters that hold no words.

A filter says "never seen" surely and "seen" with one error in some five hundred: enough to accept a reading of a
disguised word, too little to give a word list back. The filters are counted by ``bench/known_words.py`` from free
spelling dictionaries, named with their licences in docs/decisions/0011-kazakh.md.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.resources import as_file, files

import numpy as np

_HASHES = 9
LETTERS = " абвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюяә"
"""Letters of the trigram table; 0 is the space around words."""
# Endings that a form may differ by from the listed one. Cut only to ask the filter, never for a lemma.
_RU_ENDING = re.compile(
    "(?:иями|ями|ами|иях|иям|ием|ией|ого|его|ому|ему|ыми|ими|ешь|ишь|ете|ите|йте|ует|уют|ют|ут|ят|ат|ет|ит|ала|ила|али|"
    "или|ыла|ыли|ело|ела|ели|ало|ило|ать|ять|ить|еть|ыть|уть|ах|ях|ов|ев|ей|ой|ий|ый|ая|яя|ое|ее|ые|ие|ую|юю|ом|ем|ам|"
    "ям|им|ым|их|ых|ия|ию|ии|ал|ил|ел|ыл|ул|ай|уй|ти|ть|л|а|я|о|е|и|ы|у|ю|ь|й)$"
)
_RUSSIAN = re.compile("[а-я]+")
_EN_ENDING = re.compile("(?:ing|ed|es|er|ers|ly|s|d|r|e)$")


def _keys(word: str) -> tuple[int, int]:
    digest = blake2b(word.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little") | 1


@dataclass(frozen=True)
class WordFilter:
    """A Bloom filter over words.

    Reference: Bloom 1970 (Communications of the ACM 13); Kirsch and Mitzenmacher 2006 (two hashes for many).
    """

    bits: bytes

    def __contains__(self, word: str) -> bool:
        first, step = _keys(word)
        size = 8 * len(self.bits)
        for k in range(_HASHES):
            at = (first + k * step) % size
            if not self.bits[at >> 3] >> (at & 7) & 1:
                return False
        return True


def build_filter(words: set[str], bits_a_word: int) -> np.ndarray:
    """Return the bits of a filter over ``words``, uint8."""
    bits = np.zeros(max(1, len(words) * bits_a_word // 8), np.uint8)
    for word in words:
        first, step = _keys(word)
        for k in range(_HASHES):
            at = (first + k * step) % (8 * len(bits))
            bits[at >> 3] |= np.uint8(1 << (at & 7))
    return bits


@dataclass(frozen=True)
class KnownWords:
    """The filters, and the letters that follow each other in Kazakh words.

    Attributes:
        kk: dictionary forms of Kazakh; ``kk_verbs`` those that are verb stems.
        ru, en: stems as :func:`russian_stem` and :func:`english_stem` cut them; ``ru_short``, ``en_short``: whole
            words of up to four letters, which are too short to cut.
        trigrams: uint8 (letters, letters, letters), -16 times the natural log of the probability of the third.
    """

    kk: WordFilter
    kk_verbs: WordFilter
    ru: WordFilter
    ru_short: WordFilter
    en: WordFilter
    en_short: WordFilter
    trigrams: np.ndarray


@cache
def known_words() -> KnownWords:
    """Return the shipped filters."""
    with as_file(files("bastau.read") / "known_words.npz") as path, np.load(path) as data:
        filters = {name: WordFilter(data[name].tobytes()) for name in data.files if name != "trigrams"}
        return KnownWords(**filters, trigrams=data["trigrams"])


def russian_stem(word: str) -> str:
    """Return ``word`` (folded, five letters or more) less a reflexive ending and one ending."""
    if word.endswith(("ся", "сь")):
        word = word[:-2]
    cut = _RU_ENDING.sub("", word)
    return cut if len(cut) >= 3 else word


def english_stem(word: str) -> str:
    """Return ``word`` (folded, five letters or more) less one ending."""
    cut = _EN_ENDING.sub("", word)
    if len(cut) >= 3 and cut[-1] == cut[-2]:
        cut = cut[:-1]
    return cut if len(cut) >= 3 else word


@lru_cache(1 << 16)
def is_known_russian(word: str) -> bool:
    """Say whether ``word`` (folded) is a form of a dictionary word of Russian."""
    if not _RUSSIAN.fullmatch(word):
        return False
    words = known_words()
    return word in words.ru_short if len(word) < 5 else russian_stem(word) in words.ru


@lru_cache(1 << 16)
def is_known_english(word: str) -> bool:
    """Say whether ``word`` (folded) is a form of a dictionary word of English."""
    words = known_words()
    return word in words.en_short if len(word) < 5 else english_stem(word) in words.en

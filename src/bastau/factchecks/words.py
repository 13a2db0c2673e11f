"""Posts and claims as words: cleaned, stemmed by language, with names, numbers and language-neutral forms beside them."""

import html
import math
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import snowballstemmer

from bastau.factchecks.lexicon import concepts_of
from bastau.factchecks.skeleton import consonants, to_latin
from bastau.lexicon import common_words, fold_word
from bastau.read.kazakh_stems import stem as stem_kazakh

MAX_CHARS = 20_000
"""Characters read of one text: a claim or a post says what it says at its beginning."""
MAX_WORDS = 600
NAME, NUMBER, TITLE = 1, 2, 4
"""Flags of a word: begins with a capital, is a number, stands in the title."""

_LINK = re.compile(r"(?:https?://|www\.|pic\.twitter\.com/|t\.co/|t\.me/)\S+", re.IGNORECASE)
_SIGNATURE = re.compile(
    r"\s+[—–-]{1,2}\s+(?P<name>[^—–@()]{0,80}?)\s*\(@(?P<handle>\w{1,30})\)\s*(?P<date>\w{3,9} \d{1,2}, \d{4})?\s*$"
)
_PSEUDONYM = re.compile(r"@?p~[a-z2-7]{16}")
_HASHTAG = re.compile(r"[#＃]([\w·]+)")
_HANDLE = re.compile(r"(?<![\w@])@(\w{2,30})")
_PARTS = re.compile(r"[A-ZА-ЯЁӘҒҚҢӨҰҮҺІ]+(?![a-zа-яёәғқңөұүһі])|[A-ZА-ЯЁӘҒҚҢӨҰҮҺІ]?[^\W\d_A-ZА-ЯЁӘҒҚҢӨҰҮҺІ]+|\d+")
_QUOTES = re.compile(r"""["“”„«»‹›`]|(?<!\w)['‘’]|['‘’](?!\w)""")
_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’ʼ][^\W\d_]+)*")
_KAZAKH = frozenset("әғқңөұүһ")
_UKRAINIAN = frozenset("їєґ")
_CYRILLIC = re.compile(r"[Ѐ-ӿ]")
_SNOWBALL = {
    "en": "english", "ru": "russian", "uk": "russian", "de": "german", "fr": "french", "es": "spanish", "it": "italian",
    "pt": "portuguese", "nl": "dutch", "sv": "swedish", "tr": "turkish", "pl": "polish", "ro": "romanian",
    "cs": "czech", "hu": "hungarian", "ar": "arabic", "el": "greek", "hi": "hindi", "fi": "finnish", "da": "danish",
    "id": "indonesian", "lt": "lithuanian", "et": "estonian", "sr": "serbian", "hy": "armenian",
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_stemmers = threading.local()


@dataclass(frozen=True)
class Words:
    """A text as words.

    Attributes:
        language: BCP 47 tag of the stemmer that was used.
        stems: one a word, in order, function words left out; numbers as plain digits.
        flags: NAME, NUMBER and TITLE of each of ``stems``, added up.
        neutral: language-neutral forms of each word: concepts of the lexicon, else its consonants in Latin letters; may be empty.
        latin: the cleaned text in lower-case Latin letters, words apart by single spaces: what letter n-grams are made of.
        author: stems of the author's name.
        plain: the cleaned text without quotation marks: what an encoder reads.
        signed_on: day since 1970 that a signature names; NaN none.
    """

    language: str
    stems: tuple[str, ...] = ()
    flags: tuple[int, ...] = ()
    neutral: tuple[tuple[str, ...], ...] = ()
    latin: str = ""
    author: frozenset[str] = field(default=frozenset())
    signed_on: float = math.nan
    plain: str = ""


def clean(text: str) -> tuple[str, str, float]:
    """Return (text without links, signature and marks, hashtags and handles as words; the author and the day of a signature)."""
    text = html.unescape(text[:MAX_CHARS])
    author, day = "", math.nan
    if "(@" in text and (signed := _SIGNATURE.search(text)):
        author, day = f"{signed['name']} {_split(signed['handle'])}", _day(signed["date"])
        text = text[: signed.start()]
    text = _LINK.sub(" ", text)
    text = _PSEUDONYM.sub(" ", text)
    text = _HASHTAG.sub(lambda m: f" {_split(m[1])} ", text)
    text = _HANDLE.sub(lambda m: f" {_split(m[1])} ", text)
    return text, author, day


def _day(date: str | None) -> float:
    try:
        return (datetime.strptime(date or "", "%B %d, %Y").replace(tzinfo=UTC) - _EPOCH).days
    except ValueError:
        return math.nan


def _split(tag: str) -> str:
    """Return ``DefundTheBBC`` as ``Defund The BBC``."""
    return " ".join(_PARTS.findall(tag.replace("_", " "))) or tag


def guess_language(text: str) -> str:
    """Return the language whose stemmer fits: kk, uk, ru by their letters, otherwise en.

    A detector would be surer of long texts and wrong on short ones; what counts is that a claim and a post in one language are
    stemmed alike.
    """
    start = text[:2000].lower()
    if len(_CYRILLIC.findall(start)) * 3 <= len(start) - start.count(" "):
        return "en"
    letters = set(start)
    if letters & _UKRAINIAN and not letters & _KAZAKH:
        return "uk"
    return "kk" if letters & _KAZAKH or "і" in letters else "ru"


@lru_cache(1 << 18)
def stem_word(word: str, language: str) -> str:
    """Return the stem of a folded ``word``."""
    if "'" in word:
        word = word.removesuffix("'s").replace("'", "")
    if word[:1].isascii() and language in ("ru", "uk", "kk"):
        language = "en"  # a name in Latin letters amid Cyrillic
    elif not word[:1].isascii() and language == "en":
        language = "ru" if _CYRILLIC.match(word) else "none"
    if language == "kk":
        return stem_kazakh(word)
    algorithm = _SNOWBALL.get(language)
    if algorithm is None or len(word) > 40:
        return word
    held = _stemmers.__dict__.setdefault("held", {})
    if algorithm not in held:
        held[algorithm] = snowballstemmer.stemmer(algorithm)
    return str(held[algorithm].stemWord(word))


@lru_cache(1 << 18)
def neutral_forms(word: str, stem: str, language: str) -> tuple[str, ...]:
    """Return the concepts of a word, else its consonants, which names and loans keep from language to language."""
    if found := concepts_of(word, stem, language):
        return found
    bones = consonants(word)
    return (f"~{bones}",) if len(bones) >= 3 else ()


def read_words(text: str, language: str | None = None, author: str | None = None) -> Words:
    """Return ``text`` as words.

    Args:
        text: as published.
        language: BCP 47; None: guessed.
        author: name or handle of who published it; one in a signature counts too.
    """
    body, signed, day = clean(text)
    language = (language or guess_language(body)).split("-")[0]
    if language not in _SNOWBALL and language != "kk":
        language = guess_language(body)
    stems: list[str] = []
    flags: list[int] = []
    neutral: list[tuple[str, ...]] = []
    latin: list[str] = []
    for raw in _WORD.findall(body)[:MAX_WORDS]:
        if raw[0].isdigit():
            number = raw.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", raw) else raw
            stems.append(number)
            flags.append(NUMBER)
            neutral.append((number,))
            latin.append(number)
            continue
        word = fold_word(raw)
        if word in common_words():
            continue
        stem = stem_word(word, language)
        stems.append(stem)
        flags.append(NAME if raw[0].isupper() else 0)
        neutral.append(neutral_forms(word, stem, language))
        latin.append(to_latin(word))
    names = _author_stems(f"{author or ''} {signed}", language)
    return Words(language, tuple(stems), tuple(flags), tuple(neutral), " ".join(latin), names, day, _plain(body))


def _plain(body: str) -> str:
    """Return ``body`` without quotation marks, so that a claim quoted in another way gets the same vector."""
    return " ".join(_QUOTES.sub(" ", body).replace("’", "'").split())


def _author_stems(author: str, language: str) -> frozenset[str]:
    words = (fold_word(w) for w in _WORD.findall(_split(author) if author.strip() else ""))
    return frozenset(stem_word(w, language) for w in words if len(w) > 2)


def join_words(parts: Sequence[Words]) -> Words:
    """Return several texts as one, in the language of the first; words of later parts are flagged TITLE, and stand first in ``plain``."""
    first, *rest = parts
    return Words(
        first.language,
        tuple(s for p in parts for s in p.stems),
        first.flags + tuple(f | TITLE for p in rest for f in p.flags),
        tuple(n for p in parts for n in p.neutral),
        " ".join(p.latin for p in parts if p.latin),
        plain=" ".join(p.plain for p in reversed(parts) if p.plain),
    )

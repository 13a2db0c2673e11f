"""Kazakh in Cyrillic, Latin and Arabic script, each turned into the others.

Cyrillic has letters that the other alphabets write alike (и and й, х and һ) or not at all (ь), so reading them back
is a choice. All spellings of a word are weighed by how its letters follow each other in Kazakh and by whether its
stem is known.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

import numpy as np

from bastau.read.kazakh_stems import _lines, analyses
from bastau.read.known_words import LETTERS, is_known_english, is_known_russian, known_words

ALPHABETS = ("2021", "2018", "2017", "wiki", "arab")
"""Alphabets that are written and read. "chat" (Latin without signs) can only be read."""
_BEAM = 16
_KEPT = 16
"""Spellings whose stems are looked up."""
_STEM_WEIGHT = 1.6
"""What one point of an analysis' cost weighs in nats of letters."""
_HAMZA = "ٴ"
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼʻ`´ʹ′", "'"))
_LATIN_WORD = re.compile(
    "[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿə](?:[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿə]|['’‘ʼʻ`´ʹ′](?=[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿə]|\\b|\\s|$))*"
)
_ARABIC_WORD = re.compile("[\u0621-\u06d5\u0674-\u0678\u06f0-\u06ff]+")
_MARKS = re.compile("[\u0300-\u036f]")
_ADDRESS = re.compile(
    r"(?:https?://|www\.)\S+|(?<!\S)\S{1,80}@\S+|@\w+|\b[\w-]{1,64}\.(?:kz|ru|com|org|net|info|me|io)\b\S*", re.I
)
_MAX_WORD = 40
"""Longer words are no words; they stay."""
# Latin as typed in chats, on keyboards without signs: what each letter or pair can stand for, with its cost in nats.
_CHAT = {
    "a": "а ә", "b": "б", "c": "ц с:2 ш:3", "d": "д", "e": "е э:2", "f": "ф", "g": "г ғ", "h": "х һ", "i": "и й і ы:1", "j": "ж й:1",
    "k": "к қ", "l": "л", "m": "м", "n": "н ң", "o": "о ө", "p": "п", "q": "қ", "r": "р", "s": "с ш:1", "t": "т",
    "u": "у ұ ү", "v": "в", "w": "у ш:1", "x": "х", "y": "ы й у:1 і:1", "z": "з", "sh": "ш", "ch": "ч ш:1", "zh": "ж",
    "gh": "ғ", "kh": "х қ:1", "ng": "ң", "ts": "ц", "ya": "я", "yu": "ю", "yo": "ё", "ia": "я", "iu": "ю", "io": "ё:1",
    "oo": "у:2", "sch": "щ", "shch": "щ", "iy": "и ий", "ii": "ий", "aa": "а:2", "ı": "ы і", "ş": "ш", "ç": "ч", "ö": "ө",
    "ü": "ү", "ä": "ә", "ğ": "ғ", "ñ": "ң", "á": "ә", "ó": "ө", "ú": "ү", "ń": "ң", "ǵ": "ғ", "ý": "у", "ū": "ұ", "ï": "и",
    "'": "-:1", "a'": "ә", "o'": "ө", "u'": "ү", "n'": "ң", "g'": "ғ", "s'": "ш", "c'": "ч", "i'": "и й", "y'": "у",
}  # fmt: skip
# Russian as typed in Latin letters.
_RUSSIAN = {
    "a": "а", "b": "б", "c": "ц к:1", "d": "д", "e": "е э:1", "f": "ф", "g": "г", "h": "х", "i": "и й:1", "j": "й ж:1", "k": "к",
    "l": "л", "m": "м", "n": "н", "o": "о", "p": "п", "q": "к", "r": "р", "s": "с", "t": "т", "u": "у ю:2", "v": "в", "w": "в ш:1",
    "x": "х кс:1", "y": "ы й", "z": "з", "sh": "ш", "ch": "ч", "zh": "ж", "kh": "х", "ts": "ц", "tz": "ц", "ya": "я", "ja": "я",
    "ia": "я ия", "yu": "ю", "ju": "ю", "iu": "ю", "yo": "е", "jo": "е", "ye": "е", "je": "е", "sch": "щ", "shch": "щ", "iy": "ий",
    "yy": "ый", "'": "ь", "ii": "ий ии",
}  # fmt: skip
_RARE = 1.0
"""Cost of э where it is written as е is: of unknown words, nearly all have е."""
_MUTE = 1.2
"""Cost of a letter that the other alphabet does not write (ь, ъ)."""


@dataclass(frozen=True)
class _Reading:
    """What one written group of letters can stand for: (Cyrillic, cost in nats)."""

    size: int
    spellings: tuple[tuple[str, float], ...]


@cache
def _table() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return by alphabet: Cyrillic letter -> its spellings there."""
    header, *rows = (line.split("\t") for line in _lines("kazakh_alphabets.tsv"))
    return {
        name: {row[0]: tuple("" if s == "-" else s for s in row[k].split(",")) for row in rows}
        for k, name in enumerate(header[1:], 1)
    }


@cache
def _readings(alphabet: str) -> dict[str, tuple[tuple[str, float], ...]]:
    """Return by written group: the Cyrillic letters it can stand for, and the cost of each."""
    if alphabet in ("chat", "russian"):
        by_hand = _CHAT if alphabet == "chat" else _RUSSIAN
        return {written: tuple(map(_option, letters.split())) for written, letters in by_hand.items()}
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for letter, spellings in _table()[alphabet].items():
        for spelling in spellings:
            if spelling:
                found[spelling][letter] = 0.0
    for written, letter in (("ia", "я"), ("iu", "ю"), ("ıa", "я"), ("ıý", "ю")):
        if written in found:
            found[written][f"и{letter}"] = 1.5
    if alphabet != "arab":
        for written, letters in _CHAT.items():
            if written not in found and len(written) == 1 and written != "'":
                found[written] |= {c[:1].replace("-", ""): 2.0 for c in letters.split()}
        found["'"].setdefault("", 8.0)
    for options in found.values():
        if {"е", "э"} <= options.keys():
            options["э"] = _RARE
    return {written: tuple(letters.items()) for written, letters in found.items()}


def _option(written: str) -> tuple[str, float]:
    letters, _, cost = written.partition(":")
    return letters.replace("-", ""), float(cost or 0)


def from_cyrillic(text: str, alphabet: str) -> str:
    """Write Kazakh ``text`` in ``alphabet``, one of ALPHABETS; what is no Cyrillic letter stays."""
    if alphabet == "arab":
        return re.sub(r"[\u0400-\u04ff]+", lambda m: _to_arabic(m[0].lower()), text)
    table = _table()[alphabet]
    out = []
    for i, char in enumerate(text):
        written = table.get(char.lower())
        if written is None:
            out.append(char)
        elif char.islower():
            out.append(written[0])
        else:
            upper = _upper(written[0])
            loud = (i + 1 < len(text) and text[i + 1].isupper()) or (i > 0 and text[i - 1].isupper())
            out.append(upper if loud else upper[:1] + written[0][1:])
    return "".join(out)


def _upper(written: str) -> str:
    return "".join({"i": "İ", "ı": "I"}.get(c, c.upper()) for c in written)


def _to_arabic(word: str) -> str:
    table = _table()["arab"]
    written = "".join(table[c][0] if c in table else c for c in word)
    soft = any(c in "әөүі" for c in word) and not any(c in "кге" for c in word)
    return _HAMZA + written if soft else written


def _lower(text: str) -> str:
    """Return ``text`` in lower case, letter by letter, so that every index stays."""
    return "".join({"İ": "i", "I": "i"}.get(c) or (c.lower() if len(c.lower()) == 1 else c) for c in text)


def _split(word: str, alphabet: str) -> list[list[_Reading]]:
    """Return at each index of ``word`` the groups that can be read there."""
    readings = _readings(alphabet)
    longest = max(map(len, readings))
    at: list[list[_Reading]] = []
    for i in range(len(word)):
        found = []
        for size in range(1, longest + 1):
            spellings = readings.get(word[i : i + size])
            if spellings and i + size <= len(word):
                found.append(_Reading(size, spellings))
        at.append(found or [_Reading(1, ((word[i], 0.0),))])
    return at


@dataclass(frozen=True)
class _Path:
    text: str
    origins: tuple[int, ...]
    cost: float


_NUMBER = {c: i for i, c in enumerate(LETTERS)}


def _grow(path: _Path, letters: str, cost: float, start: int, trigrams: np.ndarray) -> _Path:
    text = path.text
    total = path.cost + cost
    for letter in letters:
        a = _NUMBER.get(text[-2:-1] or " ", 0)
        b = _NUMBER.get(text[-1:] or " ", 0)
        total += trigrams[a, b, _NUMBER.get(letter, 0)] / 16.0
        text += letter
    return _Path(text, path.origins + (start,) * len(letters), total)


def _spellings(word: str, alphabet: str) -> list[_Path]:
    """Return the likeliest Cyrillic spellings of ``word`` (lower case) by its letters, best first."""
    trigrams = known_words().trigrams
    groups = _split(word, alphabet)
    mute = alphabet != "chat"
    paths: list[list[_Path]] = [[] for _ in range(len(word) + 1)]
    paths[0] = [_Path("", (), 0.0)]
    for i in range(len(word)):
        beam = sorted({p.text: p for p in sorted(paths[i], key=lambda p: -p.cost)}.values(), key=lambda p: p.cost)
        for path in beam[:_BEAM]:
            for group in groups[i]:
                for letters, cost in group.spellings:
                    grown = _grow(path, letters, cost, i, trigrams)
                    paths[i + group.size].append(grown)
                    if mute and grown.text[-1:] in "лнтрсздмвбпшжч" and letters:
                        paths[i + group.size].append(_grow(grown, "ь", _MUTE, i, trigrams))
    whole = [_grow(p, " ", 0.0, len(word), trigrams) for p in paths[-1]]
    best = {p.text: p for p in sorted(whole, key=lambda p: -p.cost)}
    return [_Path(p.text[:-1], p.origins[:-1], p.cost) for p in sorted(best.values(), key=lambda p: p.cost)[:_KEPT]]


@lru_cache(1 << 16)
def _read_word(word: str, alphabet: str) -> tuple[str, tuple[int, ...], float]:
    """Return (Cyrillic, index in ``word`` of each of its letters, cost) of a word in lower case."""
    paths = [_join_glides(_soften(p, word, alphabet)) for p in _spellings(word.removeprefix(_HAMZA), alphabet)]
    ranked = [(p.cost + _STEM_WEIGHT * analyses(p.text)[0].cost, p) for p in paths]
    cost, best = min(ranked, key=lambda pair: pair[0])
    shift = int(word.startswith(_HAMZA))
    return best.text, tuple(o + shift for o in best.origins), cost


def _soften(path: _Path, word: str, alphabet: str) -> _Path:
    """Charge a path whose vowels disagree with each other, or with the hamza of an Arabic ``word`` (or its absence).

    Only for alphabets that write front and back vowels alike.
    """
    if alphabet not in ("arab", "chat"):
        return path
    tones = [c in "аоұы" for c in path.text if c in "аоұыәөүіе"]
    charge = sum(a != b for a, b in pairwise(tones))
    if alphabet == "arab":
        hard, soft = (sum(c in of for c in path.text) for of in ("аоұы", "әөүі"))
        if word.startswith(_HAMZA):
            charge += 4 * hard
        elif not any(c in "كگە" for c in word):
            charge += 4 * soft
    return _Path(path.text, path.origins, path.cost + charge)


def _join_glides(path: _Path) -> _Path:
    """Write йа and йу as я and ю, as Kazakh does."""
    text, origins = path.text, path.origins
    for pair, letter in (("йа", "я"), ("йу", "ю")):
        while (at := text.find(pair)) >= 0:
            text = text[:at] + letter + text[at + 2 :]
            origins = origins[: at + 1] + origins[at + 2 :]
    return _Path(text, origins, path.cost)


def _words(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield (start, end, is Arabic) of the words of ``text`` that are part of no address."""
    free = _ADDRESS.sub(lambda m: " " * len(m[0]), text)
    for pattern, is_arabic in ((_LATIN_WORD, False), (_ARABIC_WORD, True)):
        for m in pattern.finditer(free):
            if m.end() - m.start() <= _MAX_WORD:
                yield m.start(), m.end(), is_arabic


@lru_cache(1 << 15)
def _read_russian_word(word: str) -> tuple[str, tuple[int, ...]]:
    """Return the likeliest known Russian word, else the likeliest spelling, and the origins."""
    paths = _spellings(word, "russian")
    best = next((p for p in paths if is_known_russian(p.text)), paths[0])
    return best.text, best.origins


def read_russian(text: str) -> tuple[str, np.ndarray]:
    """Return Russian typed in Latin letters in Cyrillic, and int32: where each character came from."""
    out: list[str] = []
    origins: list[int] = []
    at = 0
    for start, end, is_arabic in sorted(_words(text)):
        if is_arabic:
            continue
        made, came = _read_russian_word(_lower(text[start:end].translate(_APOSTROPHES)))
        out += [text[at:start], made]
        origins += [*range(at, start), *(start + o for o in came)]
        at = end
    out.append(text[at:])
    origins.extend(range(at, len(text)))
    return "".join(out), np.array(origins, np.int32)


def _compose_marks(text: str) -> tuple[str, np.ndarray]:
    """Return ``text`` with each mark joined to its letter or left out, and where each character came from."""
    out: list[str] = []
    origins: list[int] = []
    for i, char in enumerate(text):
        if not _MARKS.match(char):
            out.append(char)
            origins.append(i)
        elif out and len(joined := unicodedata.normalize("NFC", out[-1] + char)) == 1:
            out[-1] = joined
    return "".join(out), np.array(origins, np.int32)


def guess_alphabet(text: str) -> str | None:
    """Return which alphabet Kazakh ``text`` is written in, judged by its first words, or None if it has none."""
    words = [(text[a:b], arabic) for a, b, arabic in _words(text)]
    if not words:
        return None
    if 2 * sum(arabic for _, arabic in words) > len(words):
        return "arab"
    sample = [_lower(w.translate(_APOSTROPHES)) for w, arabic in words[:40] if not arabic]
    signs = {c for w in sample for c in w if not "a" <= c <= "z"}
    options = [name for name in ALPHABETS[:4] if signs <= {c for w in _readings(name) for c in w}]
    exact = [n for n in options if signs <= {c for s in _table()[n].values() for w in s for c in w}]
    if not signs:
        return "chat"
    rated = sorted((sum(_read_word(w, name)[2] for w in sample), name) for name in exact or options)
    return rated[0][1] if rated else "chat"


def to_cyrillic(text: str, alphabet: str | None = None) -> str:
    """Read Kazakh ``text`` in Latin or Arabic script; see :func:`to_cyrillic_with_offsets`."""
    return to_cyrillic_with_offsets(text, alphabet)[0]


def to_cyrillic_with_offsets(text: str, alphabet: str | None = None) -> tuple[str, np.ndarray]:
    """Read Kazakh ``text`` in Latin or Arabic script into Cyrillic, in lower case where it was.

    Args:
        alphabet: one of ALPHABETS or "chat"; guessed from the text if None.

    Returns:
        The text, and int32: the index in ``text`` of the character each one came from. Addresses, handles and
        English words that make no Kazakh word stay.
    """
    if _MARKS.search(text):
        composed, came_from = _compose_marks(text)
        made, at_composed = to_cyrillic_with_offsets(composed, alphabet)
        return made, came_from[at_composed]
    alphabet = alphabet or guess_alphabet(text)
    out: list[str] = []
    origins: list[int] = []
    at = 0
    for start, end, is_arabic in sorted(_words(text)) if alphabet else []:
        out.append(text[at:start])
        origins.extend(range(at, start))
        word = text[start:end]
        made, came = _convert(word, "arab" if is_arabic else str(alphabet))
        out.append(made)
        origins.extend(start + o for o in came)
        at = end
    out.append(text[at:])
    origins.extend(range(at, len(text)))
    return "".join(out), np.array(origins, np.int32)


def _convert(word: str, alphabet: str) -> tuple[str, tuple[int, ...]]:
    """Return (Cyrillic, origins), or ``word`` itself where it is English or no word."""
    plain = _lower(word.translate(_APOSTROPHES))
    same = word, tuple(range(len(word)))
    if plain == _HAMZA:
        return same
    made, came, _ = _read_word(plain, alphabet)
    is_english = plain.isascii() and len(plain) > 3 and is_known_english(plain)
    if is_english and not analyses(made)[0].is_known and not is_known_russian(made):
        return same
    if word.isupper() and len(word) > 1 and len(made) > 1:
        return made.upper(), came
    return (made[:1].upper() + made[1:] if word[:1].isupper() else made), came

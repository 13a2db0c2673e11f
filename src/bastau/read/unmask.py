"""The match form: a text as folded, with disguised words written out and Kazakh in Cyrillic, offsets kept.

Folding makes punctuation a gap, so tricks with punctuation are undone on the text as posted, word by word, before
folding. A word is rewritten only if it is no known word as it stands and the rewritten one is; mixed scripts alone may
make an unknown word, where every foreign letter has a double in the word's own script. Kazakh і and һ are letters of
Cyrillic here, never doubles to be replaced.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.read.characters import fold_character
from bastau.read.fold import fold_with_offsets
from bastau.read.kazakh_scripts import guess_alphabet, read_russian, to_cyrillic_with_offsets
from bastau.read.kazakh_stems import analyse
from bastau.read.known_words import is_known_english, is_known_russian
from bastau.read.masks import look_alikes
from bastau.read.unmask_scan import needs_unmasking

__all__ = ["match_form", "match_forms", "needs_unmasking"]

_MAX_READINGS = 400
"""Readings of one word that are looked up at most."""
_MAX_WORD = 40
_MAX_RUN = 100
"""Spaced letters in a row that are looked at."""
_MAX_LEET = 16
"""Longer words with digits are mostly names of accounts and tags."""
_ADDRESS = re.compile(
    r"(?:https?:|ftp:)?//\S+|www\.\S+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,4}|(?<![^\W_])@\w+|t\.me/\S+|"
    r"\b(?:[a-z0-9-]{1,64}\.){1,4}(?:kz|ru|com|org|net|info|me|io|ly|gl|co|ua|tv|uk|be|de)\b\S*",
    re.IGNORECASE,
)
_CYRILLIC, _LATIN = re.compile("[\u0400-\u052f]"), re.compile("[A-Za-z]")
_FOREIGN = re.compile("[^\\W\\d_\u0400-\u052f]")
_CHUNK = re.compile(r"\S+")
_WEAK_SIGNS = frozenset(".,:;!?-–—/'\"()[]{}<>&%«»“”„")
"""Signs that ordinary writing puts between words; the others inside a word are a trick more often."""
_PLAIN = re.compile(r"(?!\S*?(\w)\1\1)[^\w$€£@]*(?:[A-Za-z]{2,}|[\u0400-\u052f]{2,}|\d+)[^\w$€£@]*")
_PLAIN_LATIN = re.compile(r"(?!\S*?(\w)\1\1)[^\w$€£@]*(?:[A-Za-z]{2,}|\d+)[^\w$€£@]*")
"""Words with nothing to undo."""
_ABBREVIATION = re.compile(r"(?<!\w)(?:[^\W\d_a-zа-яёәғқңөұүіһ]\.){2,}")
"""S.T.A.L.K.E.R.: a name until a rule looks for the word."""
_ONE_LETTER = frozenset("авикосуяaiu")
_OVERRIDE = re.compile("[\u202e\u202d]([^\u202c\n]*)\u202c?")

_DROPPED_FIRST = "|!+¡"
"""Signs that part letters more often than they stand for one."""
_ALL = "".join(c for c in look_alikes().leet_latin if not c.isalnum())
_BOXES = {char: letter for char, letter in look_alikes().small.items() if ord(char) >= 0x1F130}
_STRANGE = re.compile("[\u0300-\u0305\u0307\u0309-\u036f\u0489\u20d0-\u20f0\U0001f130-\U0001f189]|[\u0306\u0308]{2}")
"""Boxed letters, and marks that no writing gives its letters."""


@dataclass(frozen=True)
class _Letters:
    """A string and the index in the text of the character each of its characters came from."""

    text: str
    origins: tuple[int, ...]

    def part(self, start: int, end: int) -> "_Letters":
        return _Letters(self.text[start:end], self.origins[start:end])


@lru_cache(1 << 16)
def _is_known(word: str, known: frozenset[str]) -> bool:
    """Say whether ``word`` (folded) is a word of Kazakh, Russian or English, or one of ``known``."""
    if word in known or word in _ONE_LETTER:
        return True
    if len(word) < 2:
        return False
    if word.isascii():
        return is_known_english(word)
    if is_known_russian(word):
        return True
    reading = analyse(word)
    if not reading.is_known or reading.lemma == word or reading.cost == 0:
        return reading.is_known
    return reading.cost < (3.4 if len(reading.lemma) > 2 else 1.2)


@lru_cache(1 << 14)
def _plain(char: str) -> str:
    """Return the folded ``char``, or itself if it is a sign; nothing for what does not show."""
    folded = fold_character(char)
    if folded.strip() or not folded:
        return folded.strip()
    return "" if unicodedata.category(char) in ("Mn", "Me", "Cf") else char


def _normalise(chunk: str, start: int) -> _Letters:
    """Fold ``chunk`` letter by letter, signs kept; marks join their letter only where one letter is written so."""
    text: list[str] = []
    origins: list[int] = []
    for i, char in enumerate(chunk):
        if text and char in "\u0306\u0308" and (joined := unicodedata.normalize("NFC", text[-1] + char)) in "йї":
            text[-1] = joined
            continue
        for letter in _BOXES.get(char) or _plain(char):
            text.append(letter)
            origins.append(start + i)
    return _Letters("".join(text), tuple(origins))


def _is_letter(char: str) -> bool:
    return char.isalpha()


def _script(char: str) -> str:
    if "a" <= char <= "z" or "\u00df" <= char <= "\u024f":
        return "latn"
    return "cyrl" if "\u0400" <= char <= "\u052f" else ""


def _options(char: str, script: str, loose: bool) -> str | None:
    """Return the letters of ``script`` that ``char`` can stand for, or None; "" drops it."""
    alike = look_alikes()
    if _script(char) == script:
        return char
    doubles, leet = (
        (alike.cyrillic, alike.leet_cyrillic) if script == "cyrl" else (alike.latin | alike.small, alike.leet_latin)
    )
    if char in doubles:
        return doubles[char]
    if char in leet:
        return leet[char] if loose else None
    return None if char.isalnum() else ""


def _collapsed(word: _Letters) -> list[_Letters]:
    """Return ``word`` with letters repeated three times or more written once and twice; itself first."""
    found = [word]
    if not re.search(r"([^\W\d_])\1\1", word.text):
        return found
    runs = [(m.start(), m.end()) for m in re.finditer(r"([^\W\d_])\1*", word.text)]
    long = [run for run in runs if run[1] - run[0] >= 3]
    # three are more often a slip for two (даннных), more are drawn out
    likely = [(2, 1) if end - start == 3 else (1, 2) for start, end in long[:4]]
    for sizes in product(*likely):
        keep = list(range(len(word.text)))
        for (start, end), size in zip(long, sizes, strict=False):
            keep = [k for k in keep if not start + size <= k < end]
        found.append(_Letters("".join(word.text[k] for k in keep), tuple(word.origins[k] for k in keep)))
    return found


def _readings(word: _Letters, script: str, dropped: str) -> Iterator[_Letters]:
    """Yield what ``word`` can be in ``script``: look-alikes and leet read as letters, other signs dropped.

    ``dropped``: signs that are dropped even where they can be letters.
    """
    choices: list[str] = []
    origins: list[int] = []
    for char, origin in zip(word.text, word.origins, strict=True):
        options = _options(char, script, loose=True)
        if options is None:
            return
        if char in dropped:
            options = ""
        if options:
            choices.append(options)
            origins.append(origin)
    if not choices or len(choices) > _MAX_WORD:
        return
    size = 1
    for k, options in enumerate(choices):
        if size * len(options) > _MAX_READINGS:
            choices[k] = options[:1]
        size *= len(choices[k])
    for letters in product(*choices):
        yield _Letters("".join(letters), tuple(origins))


def _pieces(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)


def _trimmed(word: _Letters) -> _Letters:
    """Cut signs off both ends, save those that leet reads as letters next to one."""
    start, end = 0, len(word.text)
    while start < end and not word.text[start].isalnum() and word.text[start] not in "$€£@":
        start += 1
    while end > start and not word.text[end - 1].isalnum() and word.text[end - 1] not in "$€£@":
        end -= 1
    return word.part(start, end)


@dataclass(frozen=True)
class _Context:
    """What the rest of the text says.

    Attributes:
        main: script of most letters, latn or cyrl.
        is_one_word_foreign: all letters of the other script stand in one word.
        known: further words that count as known.
    """

    main: str
    is_one_word_foreign: bool
    known: frozenset[str]


@lru_cache(1 << 15)
def _unmask_word(text: str, context: _Context) -> tuple[str, tuple[int, ...]] | None:
    """Return (word, index in ``text`` of each letter) that ``text`` (normalised, trimmed) hides, or None."""
    word = _Letters(text, tuple(range(len(text))))
    pieces = _pieces(text)
    letters = [c for c in text if _is_letter(c)]
    if len(letters) < 2 or len(text) > 3 * _MAX_WORD:
        return None
    scripts = {_script(c) for c in letters}
    mixed = len(scripts) > 1
    is_split = len(pieces) > 1
    is_spelt = len(pieces) > 3 and all(len(p) == 1 for p in pieces)
    is_plain = not mixed and scripts != {""} and all(_is_known(p, context.known) or p.isdigit() for p in pieces)
    if is_plain and not is_spelt and not _is_cut(text, pieces):
        return None
    order = ("cyrl", "latn") if _first_script(letters, context) == "cyrl" else ("latn", "cyrl")
    drops = (_ALL,) if is_spelt else (_DROPPED_FIRST, "", _ALL)
    for script in order:
        if not mixed and script not in scripts and scripts != {""}:
            continue
        for collapsed, dropped in product(_collapsed(word), drops):
            for reading in _readings(collapsed, script, dropped):
                if reading.text != text and _accept(text, pieces, reading.text, context):
                    return reading.text, reading.origins
    for script in order if mixed and not is_split else ():
        if double := _doubles_only(word, letters, script):
            return double
    return _unknown_word(word, letters, is_spelt=is_spelt)


def _unknown_word(word: _Letters, letters: list[str], *, is_spelt: bool) -> tuple[str, tuple[int, ...]] | None:
    """Return a word that no list knows, where the disguise is plain to see."""
    text = word.text
    alike = look_alikes()
    if is_spelt and len(letters) == len(_pieces(text)) > 4 and len(set(letters)) > 2:
        signs = set(re.split(r"[^\W_]", text)[1:-1])
        if len(signs) == 1 and not (signs == {"."} and len(letters) < 6):
            at = [i for i, c in enumerate(text) if _is_letter(c)]
            return "".join(letters), tuple(word.origins[i] for i in at)
    if len(letters) == len(text):
        small = sum(c in alike.small for c in text)
        if small > 2 and all(c in alike.small or c.isascii() for c in text):
            return "".join(alike.small.get(c, c) for c in text), word.origins
        long = re.compile(r"([^\W\d_])\1{3,}")
        if long.search(text) and len(set(text)) > 2:
            keep = sorted({m.start() for m in re.finditer(r"([^\W\d_])\1{3,}|.", text)})
            return "".join(text[k] for k in keep), tuple(word.origins[k] for k in keep)
    return None


def _first_script(letters: list[str], context: _Context) -> str:
    cyrillic, latin = (sum(_script(c) == s for c in letters) for s in ("cyrl", "latn"))
    return context.main if cyrillic == latin else "cyrl" if cyrillic > latin else "latn"


def _is_cut(text: str, pieces: list[str]) -> bool:
    """Say whether a sign that no writing puts into words ends ``text`` or cuts a short piece off it."""
    strong = any(not c.isalnum() and c not in _WEAK_SIGNS for c in text)
    return text[-1:] == "@" or (strong and len(pieces) > 1 and min(map(len, pieces)) < 4)


def _accept(text: str, pieces: list[str], made: str, context: _Context) -> bool:
    """Say whether ``made`` is what ``text`` hides."""
    if len(set(made)) < 2 or not _is_known(made, context.known):
        return False
    if made in context.known and len(made) > 3:
        return True
    leet = look_alikes().leet_latin
    changed = [c for c in text if c.isdigit() or (not c.isalnum() and c in leet)]
    n_kept = sum(_is_letter(c) for c in text)
    if changed and (not 4 <= len(made) <= _MAX_LEET or n_kept < 2 or 2 * n_kept < len(made)):
        return False
    if any(c.isdigit() for c in text) and _is_quantity(text, context):
        return False
    signs = {c for c in text if not c.isalnum() and c not in leet}
    if not signs:
        return len(made) > 2 or not changed
    if len(made) < 4 or (len(pieces) > 2 and all(len(p) == 1 for p in pieces)):
        return len(made) > 3
    if signs & _WEAK_SIGNS:
        is_dotted = signs == {"."} and len(pieces) == 2 and min(map(len, pieces)) > 1
        return is_dotted and not any(_is_known(p, context.known) for p in pieces)
    return _is_cut(text, pieces) or not all(_is_known(p, context.known) for p in pieces)


def _is_quantity(text: str, context: _Context) -> bool:
    """Say whether ``text`` is a number with a unit or an ending (5лет, 2020ж, mp3, covid19), or a name like it."""
    if re.fullmatch(r"\d{3,}\D+|\D+\d{2,}|\d+\D{1,2}|\D{1,2}\d+", text):
        return True
    word = text.strip("123456789")  # a zero stands at no end of a number with letters as often as for o
    return text != word and word.isalpha() and _is_known(word, context.known)


def _doubles_only(word: _Letters, letters: list[str], script: str) -> tuple[str, tuple[int, ...]] | None:
    """Return a word of mixed scripts in one, where all foreign letters have an exact double there.

    Reference: Unicode Technical Standard 39, section 5 (mixed-script detection).
    """
    if len(letters) != len(word.text) or len(letters) < 3:
        return None
    alike = look_alikes()
    strict = alike.strict_cyrillic if script == "cyrl" else alike.strict_latin
    own = [c for c in letters if _script(c) == script]
    blocks = len(re.findall("[a-z]+|[\u0400-\u052f]+", word.text))
    if blocks == 2 and re.fullmatch("[a-z]{2,}[\u0400-\u052f]+", word.text):
        return None  # a Latin name with a Cyrillic ending
    if 2 * len(own) < len(letters) or any(_script(c) != script and c not in strict for c in letters):
        return None
    return "".join(c if _script(c) == script else strict[c] for c in letters), word.origins


def _whole_double(text: str, context: _Context) -> str | None:
    """Return the Latin word that a Cyrillic one looks like in a Latin text: cop for сор.

    The reverse is not done: Latin names of such letters are many in Cyrillic texts (Kokoc).
    """
    if context.main != "latn" or len(text) < 3 or {_script(c) for c in text} != {"cyrl"}:
        return None
    if _is_known(text, context.known) and not context.is_one_word_foreign:
        return None
    strict = look_alikes().strict_latin
    if any(c not in strict for c in text):
        return None
    made = "".join(strict[c] for c in text)
    return made if _is_known(made, context.known) else None


def _turned(text: str, context: _Context) -> tuple[str, tuple[int, ...]] | None:
    """Return a word written upside down."""
    turned = look_alikes().turned
    if not any(c in turned and not c.isascii() for c in text) or not all(c in turned for c in text):
        return None
    made = "".join(turned[c] for c in reversed(text))
    if not _is_known(made, context.known) and sum(not c.isascii() for c in text) < 3:
        return None
    return made, tuple(range(len(text) - 1, -1, -1))


def _spaced_runs(chunks: list[_Letters]) -> Iterator[tuple[int, int]]:
    """Yield (first, after the last) of runs of three or more chunks of one letter each, digits a minority."""
    marks = "".join(
        "d" if c.text.isdigit() and len(c.text) == 1 else "l" if _is_single(c.text) else " " for c in chunks
    )
    for m in re.finditer("[ld]{3,}", marks):
        if 2 * m[0].count("l") > len(m[0]):
            yield m.span()


def _is_single(text: str) -> bool:
    return 0 < len(text) < 4 and sum(map(str.isalnum, text)) == 1 and any(map(str.isalpha, text))


def _join_spaced(chunks: list[_Letters], context: _Context) -> list[tuple[int, int, str, tuple[int, ...]]]:
    """Return (first chunk, after the last, word, origins) of words found in a run of single letters."""
    letters = [next((c, o) for c, o in zip(k.text, k.origins, strict=True) if c.isalnum()) for k in chunks]
    text = "".join(c for c, _ in letters)
    n = len(text)
    # best[i]: (cost of text[:i], where its last part begins, that part as read)
    best: list[tuple[float, int, str]] = [(0.0, 0, "")] + [(1e9, 0, "")] * n
    for end in range(1, n + 1):
        for start in range(max(0, end - 24), end):
            cost, made = best[start][0] + 1.0, ""
            if end - start > 1:
                made = _one_word(text[start:end], context)
                if not made or (end - start < 4 and made not in context.known):
                    if made or start or end < n or n < 5 or not text.isalpha():
                        continue
                    made, cost = text, cost + 1.3  # the whole run as one unknown word
                cost += 0.2
            if cost < best[end][0]:
                best[end] = (cost, start, made)
    found = []
    end = n
    while end > 0:
        _, start, made = best[end]
        if made:
            found.append((start, end, made, tuple(o for _, o in letters[start:end])))
        end = start
    return found


def _one_word(text: str, context: _Context) -> str:
    """Return ``text`` as a known word, look-alikes and leet read as letters; or nothing."""
    own = {_script(c) for c in text if _is_letter(c)}
    for script in sorted(own - {""}, key=lambda s: s != context.main):
        for reading in _readings(_Letters(text, tuple(range(len(text)))), script, ""):
            if _is_known(reading.text, context.known) and len(reading.text) == len(text):
                return reading.text
    return ""


def _context(text: str, known: frozenset[str]) -> _Context:
    cyrillic, latin = len(_CYRILLIC.findall(text)), len(_LATIN.findall(text))
    main = "cyrl" if cyrillic >= latin else "latn"
    other = "[\u0400-\u052f]+" if main == "latn" else "[A-Za-z]+"
    return _Context(main, len(re.findall(other, text)) == 1, known)


def _rewrites(text: str, context: _Context) -> list[tuple[int, int, str, tuple[int, ...]]]:
    """Return (start, end, word, origins) of what stands disguised in ``text``, in order."""
    spans = [m.span() for m in _CHUNK.finditer(_ADDRESS.sub(lambda m: " " * len(m[0]), text))]
    nothing = _Letters("", ())
    plain = _PLAIN if context.main == "cyrl" else _PLAIN_LATIN  # in Latin, a Cyrillic word may be a double
    chunks = [
        nothing if b - a > 1 and plain.fullmatch(text, a, b) else _trimmed(_normalise(text[a:b], a)) for a, b in spans
    ]
    found: list[tuple[int, int, str, tuple[int, ...]]] = []
    taken: set[int] = set()
    for first, last in _spaced_runs(chunks):
        for start, end, made, origins in _join_spaced(chunks[first : min(last, first + _MAX_RUN)], context):
            found.append((spans[first + start][0], spans[first + end - 1][1], made, origins))
            taken |= set(range(first + start, first + end))
    for k, chunk in enumerate(chunks):
        if k in taken or not chunk.text:
            continue
        whole = _whole_double(chunk.text, context)
        hidden = (whole, tuple(range(len(whole)))) if whole else _turned(chunk.text, context)
        raw = text[slice(*spans[k])]
        hidden = hidden or _unmask_word(chunk.text, context) or _unmarked(raw, chunk)
        if hidden and _ABBREVIATION.search(raw) and hidden[0] not in context.known:
            continue
        if hidden:
            made, at = hidden
            found.append((chunk.origins[0], chunk.origins[-1] + 1, made, tuple(chunk.origins[i] for i in at)))
    return sorted(found)


@lru_cache(1 << 17)
def hidden_word(chunk: str, script: str, known: frozenset[str] = frozenset()) -> str:
    """Return the word that one run of characters between spaces may hide in a text mostly in ``script``, or nothing.

    More is taken for hidden here than in :func:`match_form`, which sees the whole text: what finds nothing here has
    nothing to write out, except for letters with spaces between them and text turned by an override.
    """
    plain = _PLAIN if script == "cyrl" else _PLAIN_LATIN
    if plain.fullmatch(chunk) or len(chunk) > 3 * _MAX_WORD or not any(map(str.isalpha, chunk)):
        return ""
    word = _trimmed(_normalise(chunk, 0))
    if not word.text:
        return ""
    context = _Context(script, True, known)  # where a double is taken more readily; the others ask for no more
    if whole := _whole_double(word.text, context):
        return whole
    hidden = _turned(word.text, context) or _unmask_word(word.text, context) or _unmarked(chunk, word)
    return hidden[0] if hidden else ""


def _unmarked(raw: str, chunk: _Letters) -> tuple[str, tuple[int, ...]] | None:
    """Return a word of boxed letters, or one whose letters carry marks that no writing gives them."""
    if not _STRANGE.search(raw):
        return None
    is_word = chunk.text.isalpha() and len(chunk.text) > 2
    return (chunk.text, tuple(range(len(chunk.text)))) if is_word else None


def _apply(text: str, rewrites: list[tuple[int, int, str, tuple[int, ...]]]) -> tuple[str, np.ndarray]:
    """Return ``text`` with the rewrites done, and the index in ``text`` of each character."""
    out: list[str] = []
    origins: list[int] = []
    at = 0
    for start, end, made, came in rewrites:
        if start < at:
            continue
        # spaces keep it apart from what is left of its chunk: signs, which become gaps anyway
        out += [text[at:start], " ", made, " "]
        low = sorted(came)
        origins += [*range(at, start), start, *low, max(low[-1], start)]
        at = end
    out.append(text[at:])
    origins += range(at, len(text))
    return "".join(out), np.array(origins, np.int32)


def _reversed_back(text: str) -> tuple[str, np.ndarray]:
    """Write out what a right-to-left override shows backwards."""
    order = list(range(len(text)))
    for m in _OVERRIDE.finditer(text):
        order[m.start(1) : m.end(1)] = range(m.end(1) - 1, m.start(1) - 1, -1)
    return "".join(text[i] for i in order), np.array(order, np.int32)


def _transliterated(text: str, language: str | None) -> tuple[str, np.ndarray] | None:
    """Return Kazakh in Latin or Arabic letters, and Russian in Latin ones, in Cyrillic; or None."""
    if len(_CYRILLIC.findall(text)) >= len(_FOREIGN.findall(text)):
        return None
    if language == "kk":
        return to_cyrillic_with_offsets(text)
    words = [w for w in _pieces(text.lower()) if w.isalpha() and not _CYRILLIC.search(w)][:12]
    if len(set(words)) < (2 if language == "ru" else 3) or language not in (None, "ru", "und"):
        return None
    if sum(map(is_known_english, words)) > 0.4 * len(words):
        return None
    first = [w for w in _pieces(read_russian(" ".join(words))[0]) if len(w) > 1]
    if sum(map(is_known_russian, first)) >= 0.7 * len(words):
        return read_russian(text)
    if language is None and guess_alphabet(text):
        made, origins = to_cyrillic_with_offsets(text)
        now = [w for w in _pieces(made.lower()) if w.isalpha()]
        readings = [analyse(w) for w in now]
        if sum(r.is_known and r.cost < 2.6 for r in readings) >= 0.7 * len(now):
            return made, origins
    return None


def match_form(text: str, language: str | None = None, known: frozenset[str] = frozenset()) -> tuple[str, np.ndarray]:
    """Return ``text`` as it is matched: folded, disguised words written out, Kazakh in Cyrillic.

    Args:
        language: of the text if known ("kk", "ru", "en"); Latin and Arabic text is read as Kazakh if it says so, and
            without it only where most words are known then.
        known: further folded words that a disguise may hide.

    Returns:
        form, and int32 (len(form),): the index in ``text`` of the character each one came from, never falling;
        show form[a:b] as ``text[origin[a] : origin[b - 1] + 1]``.
    """
    shown = _transliterated(text, language)
    made, origins = shown if shown is not None else (text, np.arange(len(text), dtype=np.int32))
    form, came = _pass(made, known)
    path = origins[came]
    return form, (np.maximum.accumulate(path) if len(path) else path).astype(np.int32)


def _pass(text: str, known: frozenset[str]) -> tuple[str, np.ndarray]:
    """Write out the disguised words of ``text`` and fold it."""
    if not needs_unmasking(pa.array([text]))[0]:
        return fold_with_offsets(text)
    plain, origins = _reversed_back(text) if _OVERRIDE.search(text) else (text, None)
    rewritten, came = _apply(plain, _rewrites(plain, _context(plain, known)))
    form, folded_from = fold_with_offsets(rewritten)
    path = came[folded_from] if len(form) else np.empty(0, np.int32)
    return form, path if origins is None else origins[path]


def match_forms(
    folded: pa.Array | pa.ChunkedArray,
    texts: pa.Array | pa.ChunkedArray,
    titles: pa.Array | pa.ChunkedArray | None = None,
    languages: pa.Array | pa.ChunkedArray | None = None,
    known: frozenset[str] = frozenset(),
) -> tuple[pa.ChunkedArray, np.ndarray]:
    """Return the match form of many posts, most of which keep their folded form.

    Args:
        folded: of title and text together, as :func:`bastau.read.fold.fold_strings` gives it.
        languages: detected languages; without them no Latin or Arabic text is read as Kazakh.
        known: as in :func:`match_form`.

    Returns:
        forms (string, rows), and int64: the rows whose form is not ``folded``. The form of a row with a title is
        that of ``f"{title}\\n{text}"``; so are the offsets that :func:`match_form` gives for it.
    """
    is_suspect = needs_unmasking(texts)
    if titles is not None:
        is_suspect |= needs_unmasking(titles)
    if languages is not None:
        is_suspect |= _is_transliterated(folded, languages)
    forms: dict[int, str] = {}
    for row in np.nonzero(is_suspect)[0].tolist():
        title = titles[row].as_py() if titles is not None else None
        text = texts[row].as_py() or ""
        language = languages[row].as_py() if languages is not None else "und"
        form, _ = match_form(f"{title}\n{text}" if title else text, language, known)
        if form != folded[row].as_py():
            forms[row] = form
    rows = np.array(list(forms), np.int64)
    mask = np.zeros(len(folded), np.bool_)
    mask[rows] = True
    made = pc.replace_with_mask(folded, pa.array(mask), pa.array(list(forms.values()), pa.string()))
    return (made if isinstance(made, pa.ChunkedArray) else pa.chunked_array([made])), rows


def _is_transliterated(folded: pa.Array | pa.ChunkedArray, languages: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Say which texts in Kazakh or Russian have no Cyrillic letter among their first few."""
    candidates = pc.is_in(languages, pa.array(["kk", "ru"]))
    cyrillic = pc.match_substring_regex(folded, "^.{0,60}[\\x{0400}-\\x{052f}]")
    return np.asarray(pc.fill_null(pc.and_(candidates, pc.invert(cyrillic)), False), np.bool_)

"""Kazakh stems and lemmas: suffix chains stripped by rules, the likeliest chain chosen by known stems.

A word is read from its end. Each suffix of ``kazakh_suffixes.tsv`` says in which state a word may take it and what
may follow; sounds must agree (vowel harmony, voicing). What is left is a stem: sounds that the suffix changed come back
(б to п, г to к, ғ to қ, халқ to халық). Every chain has a cost; listed roots cost nothing, words known to the filter a
little, unknown stems most.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files

from bastau.read.known_words import known_words

MOODS = (
    "imperative", "optative", "voluntative", "past", "present", "future", "conditional", "participle", "habitual",
    "converb", "verbal_noun", "intention", "desiderative", "evidential", "agent",
)  # fmt: skip
"""What :attr:`Analysis.mood` can be. "participle" (-ған) also serves as a perfect; "future" is the aorist (-ар, -мас)."""
PERSONS = ("1sg", "1pl", "2sg", "2pl", "2pol", "2polpl", "3")
_VOWELS = frozenset("аәоөұүыіеиуюяэё")
_BACK, _FRONT = frozenset("аоұыяё"), frozenset("әөүіеэ")
_SOFTENED = {"б": "п", "г": "к", "ғ": "қ"}
_VERBAL = ("лан", "лен", "дан", "ден", "тан", "тен", "лас", "лес", "дас", "дес", "дыр", "дір", "тыр", "тір", "ыл", "іл")
"""Endings of derived verbs, most of which the dictionary lists without saying that they are verbs."""
_VOICE_ENDINGS = ("ыл", "іл", "ын", "ін", "ыс", "іс")
_CASES = frozenset({"gen", "dat", "acc", "loc", "abl", "ins"})
_MAX_LENGTH = 40
"""Longer words are no words of Kazakh; they are their own stem."""
# First letter of a suffix by the class of the letter before it: vowel, р й у и, л, nasal, з ж, voiceless.
_ALTERNATIONS = {
    "L": dict(zip("VRLNZT", "ллддзт", strict=True)) | {"Z": "д"},
    "D": dict(zip("VRLNZT", "дддддт", strict=True)),
    "X": dict(zip("VRLNZT", "дддндт", strict=True)),
    "N": dict(zip("VRLNZT", "ндднд" + "т", strict=True)),
    "H": dict(zip("VRLNZT", "нддддт", strict=True)),
    "M": dict(zip("VRLNZT", "мммббп", strict=True)),
    "B": dict(zip("VRLNZT", "ммммбп", strict=True)),
}
_UNKNOWN, _UNKNOWN_VERB, _KNOWN, _PASSIVE = 5.0, 6.5, 1.0, 1.6
_SHORT_VERBS = frozenset({"е", "де", "же"})
_NEUTRAL = frozenset({"n_ins", "n_own"})
"""Suffixes with front vowels only."""
_TELLING = frozenset({"n_plural", "n_3", "n_locadj"} | {f"n_{case}" for case in _CASES})
"""Suffixes frequent enough to count as evidence that the word divides there, whatever the stem."""


@dataclass(frozen=True)
class Analysis:
    """One reading of a Kazakh word.

    Attributes:
        stem: the lemma; of a verb less reflexive and reciprocal suffixes too, where a known verb remains.
        lemma: dictionary form; of a verb its stem, with causative and reciprocal kept (`сездір`), passive not.
        is_verb: the stem is a verb, also where the word serves as a noun (`өлтіруді`).
        is_negative: has the suffix -ма.
        mood: one of MOODS, or None in nouns.
        person: one of PERSONS: of the verb, or the owner of a noun; or None.
        case: gen, dat, acc, loc, abl, ins, or None.
        is_plural: has the suffix -лар.
        cost: lower is likelier; only its order means something.
        is_known: the stem is a listed root or known to the filter.
    """

    stem: str
    lemma: str
    is_verb: bool = False
    is_negative: bool = False
    mood: str | None = None
    person: str | None = None
    case: str | None = None
    is_plural: bool = False
    cost: float = 0.0
    is_known: bool = True


@dataclass(frozen=True)
class _Suffix:
    text: str
    before: str
    """Classes of letters that may stand before it."""
    back: bool | None
    from_states: tuple[str, ...]
    to: str
    cost: float
    tag: str


@dataclass(frozen=True)
class _Roots:
    nouns: frozenset[str]
    verbs: frozenset[str]
    eliding: frozenset[str]
    fixed: frozenset[str]
    lexical: frozenset[str]
    irregular: dict[str, str]


def _letter_class(char: str) -> str:
    if char in "уию":  # sound as vowels or as glides
        return "R"
    if char in _VOWELS:
        return "V"
    for letters, name in (("рй", "R"), ("л", "L"), ("мнң", "N"), ("зж", "Z")):
        if char in letters:
            return name
    return "T"


def _variants(template: str) -> list[tuple[str, str, bool | None]]:
    """Return (text, letter classes before it, is back or None) of each spelling of a template."""
    starts: dict[str, str] = defaultdict(str)  # first letters -> classes
    head, rest = template[0], template[1:]
    if head in _ALTERNATIONS:
        for letter_class, letter in _ALTERNATIONS[head].items():
            starts[letter] += letter_class
    elif head == "Y":
        starts |= {"I": "RLNZT", "": "VR"}
    elif head == "S":
        starts |= {"с": "VR", "": "RLNZT"}
    elif head == "G":
        starts |= {"Ғ": "VRLNZ", "Қ": "T"}
    elif head in "AI":
        starts[head] = "RLNZT"
    elif head == "й":
        starts[head] = "VR"
    else:
        starts[head] = "VRLNZT"
    found = []
    for start, classes in starts.items():
        text = start + rest
        for back, vowels in ((True, "аығқ"), (False, "еігк")):
            found.append((text.translate(str.maketrans("AIҒҚ", vowels)), classes, back))
    return [v for v in found if _harmony(v[0]) in (None, v[2])]


def _harmony(text: str) -> bool | None:
    """Say whether the last telling vowel of ``text`` is a back vowel, or None."""
    for char in reversed(text):
        if char in _BACK:
            return True
        if char in _FRONT:
            return False
    return None


@cache
def _roots() -> _Roots:
    by_kind: dict[str, set[str]] = defaultdict(set)
    for line in _lines("kazakh_roots.txt"):
        kind, _, words = line.partition(":")
        by_kind[kind] |= set(words.split())
    pairs = dict(pair.split("=") for pair in by_kind["p"])
    return _Roots(
        nouns=frozenset(by_kind["n"] | by_kind["e"]),
        verbs=frozenset(by_kind["v"] | by_kind["k"]),
        eliding=frozenset(by_kind["e"]),
        fixed=frozenset(by_kind["x"]),
        lexical=frozenset(by_kind["k"]),
        irregular=pairs,
    )


def _lines(name: str) -> list[str]:
    lines = files("bastau.read").joinpath(name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def _suffixes() -> dict[str, tuple[_Suffix, ...]]:
    """Return the suffixes by their last letter."""
    by_end: dict[str, dict[_Suffix, None]] = defaultdict(dict)
    for line in _lines("kazakh_suffixes.tsv"):
        sources, targets, templates, cost, tag = line.split("\t")
        for template in templates.split("|"):
            for text, before, back in _variants(template):
                tone = None if tag in _NEUTRAL or _harmony(text) is None else back
                for to in targets.split(","):
                    made = _Suffix(text, before, tone, tuple(sources.split(",")), to, float(cost), tag)
                    by_end[text[-1:]][made] = None
    return {end: tuple(found) for end, found in by_end.items()}


@cache
def suffix_texts() -> tuple[str, ...]:
    """Return every spelling of every suffix, longest first."""
    texts = {suffix.text for found in _suffixes().values() for suffix in found}
    return tuple(sorted(texts, key=lambda s: (-len(s), s)))


_ROOT_STATES = frozenset("NV")
# A participle, verbal noun or converb is a whole word, and participle and verbal noun go on as nouns do.
_AS_NOUN = {"T": "N", "U": "U"}


def _decompose(word: str) -> str:
    """Write я and ю behind a vowel as the йа and йу that suffixes cut apart."""
    if "я" not in word and "ю" not in word:
        return word
    out = []
    for i, char in enumerate(word):
        if char in "яю" and i and (word[i - 1] in _VOWELS):
            out.append("йа" if char == "я" else "йу")
        else:
            out.append(char)
    return "".join(out)


def _compose(text: str) -> str:
    return text.replace("йа", "я").replace("йу", "ю")


def _ends_in(state: str) -> frozenset[str]:
    """Return the states of a suffix that ``state`` can follow: participles take the suffixes of nouns."""
    return frozenset({state, *(s for s, noun in _AS_NOUN.items() if noun == state)})


def _chains(word: str) -> list[tuple[str, bool, tuple[str, ...], float]]:
    """Return (remainder, is verb, tags outermost first, cost) of every way to cut suffixes off ``word``."""
    found: list[tuple[str, bool, tuple[str, ...], float]] = [(word, False, (), 0.0), (word, True, (), 0.9)]
    stack: list[tuple[str, frozenset[str] | None, tuple[str, ...], float]] = [(word, None, (), 0.0)]
    suffixes = _suffixes()
    while stack:
        rest, wanted, tags, cost = stack.pop()
        for suffix in suffixes.get(rest[-1:], ()):
            if wanted is not None and suffix.to not in wanted:
                continue
            if wanted is None and suffix.to in ("W", "R", "T2"):
                continue  # no whole words
            if not rest.endswith(suffix.text):
                continue
            left = rest[: len(rest) - len(suffix.text)]
            price = cost + suffix.cost
            for stem, extra in _restored(left, suffix):
                chain = (*tags, suffix.tag)
                before = {s for state in suffix.from_states for s in _ends_in(state)}
                if "N" in before:
                    found.append((stem, False, chain, price + extra))
                if "V" in before:
                    found.append((stem, True, chain, price + extra))
                stack.append((stem, frozenset(before - _ROOT_STATES), chain, price + extra))
    return found


def _restored(left: str, suffix: _Suffix) -> list[tuple[str, float]]:
    """Return (stem, extra cost) of what may have stood before ``suffix``, if its sounds agree."""
    if (len(left) < 2 and left not in ("е", "и")) or not any(c in _VOWELS for c in left):
        return []
    last = left[-1]
    results: list[tuple[str, float]] = []
    back = _harmony(left)
    extra = 0.0
    if None not in (back, suffix.back) and back != suffix.back and last not in "ьию":
        extra = 0.6 if last in "кг" else 2.5  # loans in к and г take front vowels: Йорктің
    if _letter_class(last) in suffix.before:
        results.append((left, extra))
        if suffix.text == "у" and _letter_class(last) != "V":  # оқы + у is written оқу
            vowel = "ы" if back or back is None else "і"
            results.append((left + vowel, extra + 0.2))
    starts_with_vowel = suffix.text[:1] in _VOWELS
    if starts_with_vowel and last in _SOFTENED:
        results.append((left[:-1] + _SOFTENED[last], extra + 0.05))
    if starts_with_vowel and len(left) > 2 and _letter_class(left[-2]) != "V" and last not in _VOWELS:
        for vowel in ("ы", "і"):
            whole = left[:-1] + vowel + _SOFTENED.get(last, last)
            if whole in _roots().eliding or (suffix.tag.startswith("v") and whole in _roots().verbs):
                results.append((whole, extra))
    if starts_with_vowel and last not in _VOWELS and left + "ь" in known_words().kk:  # королі is король + і
        results.append((left + "ь", extra))
    return results


def _expand_i(word: str) -> tuple[str, ...]:
    """Return ``word`` and the spellings behind its и: таны + й is written тани."""
    readings = [word]
    for i, char in enumerate(word):
        if char == "и" and 1 < i < len(word):
            vowel = "ы" if _harmony(word[:i]) in (True, None) else "і"
            readings.append(word[:i] + vowel + "й" + word[i + 1 :])
    return tuple(readings)


def _is_known_verb(stem: str) -> bool:
    if stem in _roots().verbs:
        return True
    words = known_words()
    return len(stem) > 1 and (stem in words.kk_verbs or (len(stem) > 5 and stem.endswith(_VERBAL) and stem in words.kk))


def _is_passive(stem: str) -> bool:
    """Say whether the verb ``stem`` is the passive of a known one."""
    if stem[-2:] not in ("ыл", "іл") or stem in _roots().lexical or len(stem) < 4:
        return False
    base = stem[:-2]
    return _is_known_verb(base) or _is_known_verb(base[:-1] + _SOFTENED.get(base[-1], base[-1]))


def _stem_cost(stem: str, is_verb: bool, chain: tuple[str, ...]) -> tuple[float, bool]:
    """Return (cost, is known) of a stem."""
    roots = _roots()
    short = 1.0 if len(stem) < 3 else 0.0
    if is_verb:
        passive = _PASSIVE if _is_passive(stem) else 0.0
        if stem in roots.verbs:
            return passive, True
        if _is_known_verb(stem):
            return _KNOWN + short + passive, True
        return _UNKNOWN_VERB + max(0.0, 4 - len(stem)) - 0.4 * len(chain), False
    if stem in roots.nouns or (not chain and stem in roots.fixed):
        return 0.0, True
    if len(stem) > 1 and stem in known_words().kk:
        return _KNOWN + short, True
    telling = sum(tag in _TELLING for tag in chain)
    return _UNKNOWN + max(0.0, 4 - len(stem)) - 0.7 * min(telling, 3), False


def _person(tags: tuple[str, ...]) -> str | None:
    for tag in tags:
        last = tag.rsplit("_", 1)[-1]
        if last in PERSONS:
            return last
    return None


_VOICES = ("passive", "reciprocal", "causative", "negative")


def _mood(tags: tuple[str, ...]) -> str | None:
    """Return the mood that verb suffixes (outermost first) say; a bare stem is an order."""
    names = [tag[2:].removesuffix(f"_{tag.rsplit('_', 1)[-1]}") if _person((tag,)) else tag[2:] for tag in tags]
    mood = next((name for name in names if name in MOODS), None)
    if mood == "converb" and _person(tags):
        return "evidential"
    return mood if any(name not in _VOICES for name in names) else "imperative"


def _build(stem: str, is_verb: bool, tags: tuple[str, ...], cost: float) -> Analysis:
    stem_cost, known = _stem_cost(stem, is_verb, tags)
    mood = _mood(tags) if is_verb else None
    case = next((tag[2:] for tag in tags if tag[2:] in _CASES), None)
    person = _person(tags)
    if person is None and mood == "imperative":
        person = "2sg"
    if person is None and mood in ("past", "conditional", "future") and case is None:
        person = "3"
    return Analysis(
        stem=_without_voice(stem) if is_verb else stem,
        lemma=stem,
        is_verb=is_verb,
        is_negative="v_negative" in tags,
        mood=mood,
        person=person,
        case=case,
        is_plural="n_plural" in tags,
        cost=round(stem_cost + cost, 2),
        is_known=known,
    )


@lru_cache(1 << 15)
def _without_voice(stem: str) -> str:
    """Return the verb ``stem`` less passive and reciprocal, as long as a known verb remains; listed roots stay."""
    if stem in _roots().verbs:
        return stem
    for ending in _VOICE_ENDINGS:
        base = stem.removesuffix(ending)
        if base != stem and len(base) > 1:
            for made in (base, base[:-1] + _SOFTENED.get(base[-1], base[-1])):
                if _is_known_verb(made) and any(c in _VOWELS for c in made):
                    return _without_voice(made)
    return stem


@lru_cache(1 << 17)
def analyses(word: str) -> tuple[Analysis, ...]:
    """Return the plausible readings of ``word`` (folded, Cyrillic), the likeliest first; never empty."""
    roots = _roots()
    if word in roots.irregular:
        return (_irregular(word, roots.irregular[word]),)
    if len(word) > _MAX_LENGTH or not word.isalpha():
        return (Analysis(stem=word, lemma=word, cost=_UNKNOWN, is_known=False),)
    best: dict[Analysis, Analysis] = {}
    for spelling in _expand_i(_decompose(word)):
        for stem, is_verb, tags, cost in _chains(spelling):
            if spelling != _decompose(word) and (not is_verb or "й" in stem[-1:]):
                continue
            made = _build(_compose(stem), is_verb, tags, cost)
            key = replace(made, cost=0.0)
            if key not in best or made.cost < best[key].cost:
                best[key] = made
    ranked = sorted(best.values(), key=lambda a: (a.cost, -len(a.stem), a.stem))
    limit = ranked[0].cost + 2.5
    return tuple(a for a in ranked if a.cost <= limit)[:12]


def _irregular(word: str, base: str) -> Analysis:
    """Return the reading of a listed form: of a verb with its tags, of a pronoun without."""
    if base not in _SHORT_VERBS and base not in _roots().verbs:
        return Analysis(stem=base, lemma=base)
    readings = (_build(base, True, tags, 0.0) for stem, is_verb, tags, _ in _chains(word) if is_verb and stem == base)
    found = next(readings, Analysis(base, base, is_verb=True, mood="converb" if word.endswith("п") else None))
    if word.startswith("емес"):  # "is not": no aorist, whatever its form
        found = replace(found, mood="present", is_negative=True)
    return replace(found, stem=base, lemma=base, cost=0.0, is_known=True)


def analyse(word: str) -> Analysis:
    """Return the likeliest reading of ``word`` (folded, Cyrillic)."""
    return analyses(word)[0]


def lemma(word: str) -> str:
    """Return the dictionary form of ``word`` (folded, Cyrillic)."""
    return analyse(word).lemma


def stem(word: str) -> str:
    """Return what is left of ``word`` (folded, Cyrillic) without suffixes, those of voice included."""
    return analyse(word).stem

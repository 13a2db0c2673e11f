"""How words that a rule file names once are written in running text."""

import itertools
import re
from collections.abc import Iterator

Features = frozenset[str]
NONE: Features = frozenset()
DATIVE = frozenset({"dative"})
RUSSIAN_DATIVE = frozenset(("ам", "ям", "ым", "им", "ому", "ему", "у", "ю"))
_VOWELS = "aeiou"
_BASE, _THIRD, _PAST, _ING = (
    frozenset({"base"}), frozenset({"present"}), frozenset({"past", "participle"}), frozenset({"gerund"}),
)  # fmt: skip
PLURAL = frozenset({"plural"})
# Archiphonemes of Kazakh endings: vowel harmony and assimilation write one ending in several ways.
_SOUNDS = {
    "A": ("а", "е"), "I": ("ы", "і"), "D": ("д", "т"), "M": ("м", "б", "п"), "G": ("ғ", "г", "қ", "к"),
    "K": ("қ", "к"), "L": ("л", "д", "т"), "N": ("н", "д", "т"), "Y": ("а", "е", "й"),
}  # fmt: skip
_INSTRUMENTAL = re.compile("[мбп]ен$")
_OPTIONAL = re.compile(r"\(([^()]*)\)")


def english_verb(stated: str) -> list[tuple[str, Features]]:
    """Return (form, features) of a verb, given as `kill` or, when irregular, `slay/slays/slew/slain/slaying`.

    A verb of several words is inflected in its first: `wipe out`, `take/takes/took/taken/taking up arms`.
    """
    if "/" in stated:
        parts = [part.strip() for part in stated.split("/")]
        if len(parts) != 5:
            raise ValueError("an irregular verb has five forms: base/third person/past/participle/-ing form")
        tail = parts[4].partition(" ")[2]
        if tail and all(" " not in part for part in parts[:4]):
            parts[:4] = [f"{part} {tail}" for part in parts[:4]]
        base, third, past, participle, ing = parts
        return [(base, _BASE), (third, _THIRD), (past, frozenset({"past"})), (participle, frozenset({"participle"})),
                (ing, _ING)]  # fmt: skip
    head, _, tail = stated.partition(" ")
    rest = f" {tail}" if tail else ""
    return [(form + rest, features) for form, features in _english_regular(head)]


def _english_regular(verb: str) -> list[tuple[str, Features]]:
    sibilant = verb.endswith(("s", "x", "z", "ch", "sh"))
    if verb.endswith("y") and verb[-2:-1] not in _VOWELS:
        third, past = verb[:-1] + "ies", verb[:-1] + "ied"
    else:
        third = verb + ("es" if sibilant or verb.endswith("o") else "s")
        past = verb + "d" if verb.endswith("e") else verb + "ed"
    ing = verb[:-1] + "ing" if verb.endswith("e") and not verb.endswith("ee") else verb + "ing"
    forms = [(verb, _BASE), (third, _THIRD), (past, _PAST), (ing, _ING)]
    short = re.fullmatch(r"[^aeiou]*[aeiou][bdgklmnprt]", verb)
    if short:  # rob, robbed: one short syllable doubles its last letter
        forms += [(verb + verb[-1] + "ed", _PAST), (verb + verb[-1] + "ing", _ING)]
    return forms


def english_noun(noun: str) -> list[tuple[str, Features]]:
    """Return (form, features) of a noun: singular and plural (`infidel`, or irregular `man/men`)."""
    if "/" in noun:
        one, _, many = noun.partition("/")
        return [(one.strip(), NONE), (many.strip(), PLURAL)]
    if noun.endswith("y") and noun[-2:-1] not in _VOWELS:
        return [(noun, NONE), (noun[:-1] + "ies", PLURAL)]
    return [(noun, NONE), (noun + ("es" if noun.endswith(("s", "x", "z", "ch", "sh")) else "s"), PLURAL)]


def expand(pattern: str) -> Iterator[str]:
    """Yield every spelling of a Kazakh ending: capitals are archiphonemes, brackets enclose what may be missing."""
    optional = _OPTIONAL.search(pattern)
    if optional:
        before, after = pattern[: optional.start()], pattern[optional.end() :]
        yield from expand(before + after)
        yield from expand(before + optional.group(1) + after)
        return
    yield from ("".join(letters) for letters in itertools.product(*(_SOUNDS.get(c, (c,)) for c in pattern)))


def endings_table(forms: dict[str, list[str]]) -> dict[str, Features]:
    """Return features by ending; a form is named by its features (`past first`)."""
    table: dict[str, set[str]] = {}
    for name, patterns in forms.items():
        features = {feature for feature in name.replace("-", " ").split() if feature != "plain"}
        for pattern in patterns:
            for ending in expand("" if pattern == "-" else pattern):
                if _harmonic(ending):
                    for spelled in {ending, without_kazakh_letters(ending)}:
                        table.setdefault(spelled, set()).update(features)
    return {ending: frozenset(features) for ending, features in table.items()}


def fused_endings(table: dict[str, Features]) -> dict[str, Features]:
    """Return the endings as written together with a final й of the stem: й + а = я, й + у = ю."""
    fused = {"а": "я", "ә": "я", "у": "ю", "е": "е"}
    return {fused[e[0]] + e[1:]: features for e, features in table.items() if e and e[0] in fused}


def _harmonic(ending: str) -> bool:
    """Front and back vowels do not meet in one ending; only the instrumental мен is always written so."""
    ending = _INSTRUMENTAL.sub("", ending)
    return not (set(ending) & set("аығқ") and set(ending) & set("еігк"))


def kazakh_stems(stem: str) -> list[str]:
    """Return a stem and the form it takes before a vowel: тап, таб."""
    voiced = {"п": "б", "қ": "ғ", "к": "г"}.get(stem[-1:])
    return [stem, stem[:-1] + voiced] if voiced and len(stem) > 2 else [stem]


_PLAIN = str.maketrans("әғқңөұүһі", "агкноуухи")


def without_kazakh_letters(word: str) -> str:
    """Return a Kazakh word as typed on a Russian keyboard: өлтір, олтир."""
    return word.translate(_PLAIN)

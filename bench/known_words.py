"""Counts src/bastau/read/known_words.npz from free spelling dictionaries.

    python bench/known_words.py kk_KZ.dic ru_RU.dic ru_RU.aff american-english

The dictionaries and their licences are named in docs/decisions/0011-kazakh.md. What is stored are filters and
letter frequencies, from which no word list can be read back.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from bastau.read.kazakh_stems import analyses
from bastau.read.known_words import LETTERS, build_filter, english_stem, russian_stem

_KK = re.compile("[абвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюяә-]+")


def kazakh_words(path: str) -> tuple[set[str], set[str]]:
    """Return (dictionary forms, verb stems)."""
    lines = Path(path).read_text(encoding="utf-8-sig").splitlines()[1:]
    words = {line.split("/")[0].strip().lower() for line in lines}
    words = {w for w in words if _KK.fullmatch(w) and len(w) > 1}
    verbs = {
        w
        for w in words
        if w + "у" in words or (w[-1] in "ыі" and w[:-1] + "у" in words) or (w[-1] == "й" and w[:-1] + "ю" in words)
    }
    return words, verbs


def _is_form(word: str) -> bool:
    """Say whether a word of the dictionary is only a form of another one: it lists many."""
    for reading in analyses(word):
        if reading.lemma == word or not reading.is_known or reading.cost > 2.2:
            continue
        if reading.mood in ("past", "present", "conditional", "evidential", "habitual", "optative"):
            return True
        if len(reading.lemma) >= 4 and (reading.case or (reading.person and not reading.is_verb)):
            return True
    return False


def russian_words(dic: str, aff: str) -> set[str]:
    """Return the dictionary forms with every ending that the affix file allows them."""
    rules = defaultdict(list)
    for line in Path(aff).read_text(encoding="utf-8").splitlines():
        parts = line.split()
        if len(parts) >= 5 and parts[0] == "SFX":
            strip, add = parts[2].replace("0", ""), parts[3].split("/")[0].replace("0", "")
            rules[parts[1]].append((strip, add, re.compile(f"{parts[4]}$")))
    forms = set()
    for line in Path(dic).read_text(encoding="utf-8").splitlines()[1:]:
        word, _, flags = line.strip().partition("/")
        if len(word) < 3 and word.isupper():
            continue
        forms.add(word)
        for flag in flags:
            for strip, add, condition in rules[flag]:
                if word.endswith(strip) and condition.search(word):
                    forms.add(word[: len(word) - len(strip)] + add)
    return {f.lower().replace("ё", "е") for f in forms if len(f) > 1}


def trigrams(words: set[str]) -> np.ndarray:
    n = len(LETTERS)
    number = {c: i for i, c in enumerate(LETTERS)}
    counts = np.zeros((n, n, n))
    for word in words:
        path = [0, 0, *(number[c] for c in word if c in number), 0]
        for a, b, c in zip(path, path[1:], path[2:], strict=False):
            counts[a, b, c] += 1
    pairs = counts.sum(axis=0)
    single = (pairs.sum(axis=0) + 1) / (pairs.sum() + n)
    pair = (pairs + 5 * single) / (pairs.sum(axis=1, keepdims=True) + 5)
    triple = (counts + 5 * pair) / (counts.sum(axis=2, keepdims=True) + 5)
    return np.clip(np.round(-16 * np.log(triple)), 0, 255).astype(np.uint8)


def main(kk_dic: str, ru_dic: str, ru_aff: str, en_list: str) -> None:
    kk, kk_verbs = kazakh_words(kk_dic)
    ru = russian_words(ru_dic, ru_aff)
    en = {w.strip().lower().replace("'", "") for w in Path(en_list).read_text(encoding="utf-8").splitlines()}
    en = {w for w in en if w.isascii() and w.isalpha() and len(w) > 1}
    filters = {
        "kk": build_filter(kk, 18),
        "kk_verbs": build_filter(kk_verbs, 20),
        "ru": build_filter({russian_stem(w) for w in ru if len(w) >= 5}, 13),
        "ru_short": build_filter({w for w in ru if len(w) < 5}, 12),
        "en": build_filter({english_stem(w) for w in en if len(w) >= 5}, 13),
        "en_short": build_filter({w for w in en if len(w) < 5}, 12),
    }
    out = Path(__file__).parents[1] / "src/bastau/read/known_words.npz"
    np.savez_compressed(out, **filters, trigrams=trigrams(kk))
    forms = {w for w in kk - kk_verbs if _is_form(w)}  # asks the filters just written
    filters["kk"] = build_filter(kk - forms, 18)
    np.savez_compressed(out, **filters, trigrams=trigrams(kk))
    print(len(forms), "forms left out")
    print(len(kk), len(kk_verbs), len(ru), len(en), {k: len(v) for k, v in filters.items()}, out.stat().st_size)


if __name__ == "__main__":
    main(*sys.argv[1:])

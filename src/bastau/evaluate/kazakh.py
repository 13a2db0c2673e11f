"""How well Kazakh is read: scripts there and back, lemmas, and words in disguise."""

import gzip
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from bastau.errors import InputError
from bastau.evaluate.figures import figure_lines
from bastau.evaluate.labelled import read_labelled
from bastau.evaluate.obfuscation import altered, measure
from bastau.read.kazakh_scripts import ALPHABETS, from_cyrillic, to_cyrillic
from bastau.read.kazakh_stems import lemma, suffix_texts

WORD = re.compile("[А-Яа-яЁёӘәҒғҚқҢңӨөҰұҮүІіҺһ]+")
_ANY_WORD = re.compile(r"[^\W\d_]+")
_THRICE = re.compile(r"([^\W\d_])\1\1", re.IGNORECASE)
_MIXED = re.compile("[A-Za-z\u00c0-\u03ff][\u0400-\u052f]|[\u0400-\u052f][A-Za-z\u00c0-\u03ff]")
_MOST_LOST = 20
"""Examples kept of what went wrong."""


@dataclass(frozen=True)
class RoundTrip:
    """Shares of words that come back from an alphabet as they were, in [0, 1]: of all words, of distinct ones."""

    tokens: float
    types: float
    lost: list[tuple[str, str]]
    """The most frequent words that do not, with what came back."""


def round_trips(words: Counter[str]) -> dict[str, RoundTrip]:
    """Write each word (Cyrillic, lower case, with its count) in each alphabet and read it back."""
    found = {}
    for alphabet in ALPHABETS:
        back = {word: to_cyrillic(from_cyrillic(word, alphabet), alphabet) for word in words}
        lost = sorted((-n, word) for word, n in words.items() if back[word] != word)
        found[alphabet] = RoundTrip(
            tokens=1 + sum(n for n, _ in lost) / max(1, words.total()),
            types=1 - len(lost) / max(1, len(words)),
            lost=[(word, back[word]) for _, word in lost[:_MOST_LOST]],
        )
    return found


def transliteration(pairs: list[tuple[str, str]]) -> dict[str, float]:
    """Read Kazakh texts in Latin or Arabic script, and compare them word by word with the same texts in Cyrillic.

    Args:
        pairs: (text, text in Cyrillic); pairs with another number of words are other wordings and left out.
    """
    n = good = used = 0
    for text, cyrillic in pairs:
        gold = _ANY_WORD.findall(cyrillic.lower())
        got = _ANY_WORD.findall(to_cyrillic(text).lower())
        if len(gold) != len(got):
            continue
        used += 1
        n += len(gold)
        good += sum(a == b for a, b in zip(gold, got, strict=True))
    return {"n_pairs": len(pairs), "n_compared": used, "n_words": n, "word_accuracy": good / max(1, n)}


def read_conllu(path: Path) -> list[tuple[str, str]]:
    """Return (form, lemma), folded to lower case, of the words of a CoNLL-U file; punctuation and numerals left out.

    Raises:
        InputError: the file cannot be read, or holds no words.
    """
    rows = []
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for line in lines:
                parts = line.rstrip("\n").split("\t")
                if len(parts) < 4 or not parts[0].isdigit() or parts[2] == "_" or parts[3] == "PUNCT":
                    continue
                form, gold = (p.lower().replace("ё", "е") for p in parts[1:3])
                if form.isalpha():
                    rows.append((form, gold))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as CoNLL-U: {error.__class__.__name__}") from error
    if not rows:
        raise InputError(f"{path}: holds no words with lemmas; is it CoNLL-U?")
    return rows


def strip_longest(word: str) -> str:
    """Return ``word`` less the longest of all suffixes that leaves three letters: the baseline."""
    return next((word.removesuffix(s) for s in suffix_texts() if word.endswith(s) and len(word) - len(s) > 2), word)


def lemma_accuracy(rows: list[tuple[str, str]]) -> dict[str, float]:
    """Return the share of right lemmas over (form, lemma), beside doing nothing and cutting the longest suffix."""
    n = len(rows)
    return {
        "n_words": n,
        "accuracy": sum(lemma(form) == gold for form, gold in rows) / n,
        "as it is": sum(form == gold for form, gold in rows) / n,
        "longest suffix cut": sum(strip_longest(form) == gold for form, gold in rows) / n,
    }


def is_clean(text: str) -> bool:
    """Say whether no word of ``text`` mixes scripts or holds a letter three times in a row."""
    return not (_THRICE.search(text) or _MIXED.search(text))


def clean_altered(texts: list[str], language: str | None) -> dict[str, Any]:
    """Count the texts whose match form differs from their folded form, among all and among clean ones."""
    changed = [text for text in texts if altered(text, language)]
    n_clean = sum(map(is_clean, texts))
    n_changed_clean = sum(map(is_clean, changed))
    return {
        "n_texts": len(texts),
        "altered": len(changed),
        "altered_share": len(changed) / max(1, len(texts)),
        "n_clean": n_clean,
        "clean_altered": n_changed_clean,
        "clean_altered_share": n_changed_clean / max(1, n_clean),
    }


def evaluate_kazakh(path: Path, *, n_texts: int = 300, seed: int = 1) -> tuple[dict[str, Any], list[str]]:
    """Measure what the file allows.

    Args:
        path: CoNLL-U (``.conllu``, ``.conllu.gz``): lemmas. Else CSV or NDJSON with the column `text`: with `cyrillic`,
            transliteration of `text`; without, scripts there and back (rows whose `language` is kk or empty), words in
            disguise, and texts altered without need.
        n_texts: texts in which a word is disguised; the first ones of a shuffle.
        seed: of the disguises and the shuffle.

    Raises:
        InputError: the file cannot be read or has no such columns.
    """
    answer: dict[str, Any] = {"task": "kazakh"}
    if ".conllu" in path.suffixes:
        rows = read_conllu(path)
        answer["lemmas"] = lemma_accuracy(rows)
        answer["round_trip"] = _round_trip_figures(Counter(w for w, _ in rows if WORD.fullmatch(w)))
        return answer, figure_lines(answer)
    rows_of = read_labelled(path, ["text"], ["language", "cyrillic"])
    if any(row["cyrillic"] for row in rows_of):
        pairs = [(row["text"], row["cyrillic"]) for row in rows_of if row["cyrillic"]]
        answer["transliteration"] = transliteration(pairs)
        return answer, figure_lines(answer)
    words = Counter(w.lower() for row in rows_of if row["language"] in ("", "kk") for w in WORD.findall(row["text"]))
    answer["round_trip"] = _round_trip_figures(words)
    by_language: dict[str, list[str]] = {}
    for row in rows_of:
        by_language.setdefault(row["language"], []).append(row["text"])
    for language, texts in sorted(by_language.items()):
        found, _ = measure(_sample(texts, n_texts, seed), language or None, seed=seed)
        answer[f"disguises {language or 'und'}"] = {name: r.share for name, r in found.items() if r.n_words}
        answer[f"unaltered {language or 'und'}"] = clean_altered(texts, language or None)
    return answer, figure_lines(answer)


def _sample(texts: list[str], n_texts: int, seed: int) -> list[str]:
    return Random(seed).sample(texts, min(n_texts, len(texts)))


def _round_trip_figures(words: Counter[str]) -> dict[str, Any]:
    return {name: {"tokens": r.tokens, "types": r.types} for name, r in round_trips(words).items()}

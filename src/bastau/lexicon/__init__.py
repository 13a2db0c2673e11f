"""A small dictionary of news words in Kazakh, Russian and English, and the function words of many languages.

Words of one line of ``lexicon.tsv`` mean one concept. Fact-checks and narratives both read it, each with stems of its own.
"""

import unicodedata
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "ru", "kk")
FILES = ("lexicon.tsv", "common_words.txt")


def fold_word(word: str) -> str:
    """Return ``word`` in lower case without accents on Latin letters; ё is е."""
    word = word.lower().replace("ё", "е").replace("’", "'").replace("ʼ", "'")
    if word.isascii() or "а" <= word[:1] <= "я":
        return word
    plain = unicodedata.normalize("NFKD", word)
    if plain.isascii() or plain[:1].isascii():
        return "".join(c for c in plain if not unicodedata.combining(c))
    return word


@cache
def concepts() -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
    """Return (concept, its words in each of :data:`LANGUAGES`) of every line, in order; a concept may have several lines."""
    found = []
    for line in files("bastau.lexicon").joinpath("lexicon.tsv").read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            columns = tuple(tuple(cell.split()) for cell in line.split("\t"))
            found.append((f"={columns[0][0]}", columns))
    return tuple(found)


@cache
def common_words() -> frozenset[str]:
    """Return the function words of all languages, folded."""
    lines = files("bastau.lexicon").joinpath("common_words.txt").read_text("utf-8").splitlines()
    return frozenset(fold_word(w) for line in lines if not line.startswith("#") for w in line.split(":")[1].split())


def content() -> bytes:
    """Return the bytes of both lists: what is made with them depends on them."""
    return b"".join(files("bastau.lexicon").joinpath(name).read_bytes() for name in FILES)

"""A small dictionary of news words in Kazakh, Russian and English: words of one line of ``lexicon.tsv`` mean one concept."""

from functools import cache
from importlib.resources import files


@cache
def lexicon() -> dict[tuple[str, str], tuple[str, ...]]:
    """Return {(language, word or stem): concepts}.

    Both the listed word and its stem stand for the concept. A word ending in ``*`` stands for every word that begins so.
    """
    from bastau.factchecks.words import fold_word, stem_word

    found: dict[tuple[str, str], list[str]] = {}
    for line in files("bastau.factchecks").joinpath("lexicon.tsv").read_text("utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        concept, *columns = _columns(line)
        for language, words in zip(("en", "ru", "kk"), columns, strict=True):
            for given in words:
                word = fold_word(given)
                for form in {word, stem_word(word, language)}:
                    held = found.setdefault((language, form), [])
                    if concept not in held:
                        held.append(concept)
    return {key: tuple(concepts) for key, concepts in found.items()}


def _columns(line: str) -> tuple[str, list[str], list[str], list[str]]:
    english, russian, kazakh = (cell.split() for cell in line.split("\t"))
    return f"={english[0]}", english, russian, kazakh


def concepts_of(word: str, stem: str, language: str) -> tuple[str, ...]:
    """Return the concepts of a folded word with its stem, of the word itself before those of its stem; none if unlisted."""
    words = lexicon()
    language = "ru" if language == "uk" else language
    if word[:1].isascii():
        language = "en"
    found = words.get((language, word)) or words.get((language, stem))
    if found is None and language == "kk":  # Kazakh texts are full of Russian words
        found = words.get(("ru", word))
    return found or ()

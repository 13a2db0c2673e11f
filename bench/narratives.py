"""Narratives, stories and labels on real data: beside baselines, and purity by hand.

Usage: python bench/narratives.py [--out docs/figures/narratives.md] [--sample F]

With --sample the stories to judge by hand are written to F (NDJSON) and nothing else is done. What was judged is in
bench/narratives_judged.csv: a hash of the messages of a story, and whether all tell of one thing.
"""

import argparse
import csv
import gzip
import hashlib
import io
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from bastau.evaluate.grouping import (
    CUTS,
    FOLDS,
    GroupingFigures,
    LabelledTexts,
    compare,
    group_texts,
    label_figures,
    read_posts,
    read_texts,
)
from bastau.evaluate.rules import wilson
from bastau.hashing import hash_strings
from bastau.narratives.joining import Fit
from bastau.narratives.labels import kernel, samples_f1
from bastau.narratives.themes import Likeness
from bastau.schemas import POSTS

SHARED = Path(os.environ.get("BASTAU_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
JUDGED = Path(__file__).with_name("narratives_judged.csv")
SAMPLE, SEED, SINCE = 100, 20, "2024-11-22"
DEVELOPMENT_SEED = 4
"""Of the sample that settings of stories were chosen on: none of its messages is in the one that is judged."""


def rows_of(name: str) -> list[dict[str, Any]]:
    with gzip.open(SHARED / name) as packed:
        raw = packed.read()
    if name.endswith(".csv.gz"):
        return pl.read_csv(io.BytesIO(raw), infer_schema=False).to_dicts()
    return [orjson.loads(line) for line in raw.splitlines()]


def labelled(rows: list[dict[str, Any]]) -> LabelledTexts:
    """Return rows of id, text, label and more as the command reads them from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.ndjson"
        path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
        return read_texts(path)


# ---- labelled sets -------------------------------------------------------------------------------------


SEMEVAL = Likeness(needed=0.08, alone=0.2)
"""Of needed .08, .1, .12 and alone .1 to .25 what gives the best F1 on semeval2025; a run has what was chosen on voxukraine, Russian."""


def tfidf(texts: LabelledTexts) -> np.ndarray:
    """Return the likeness of texts as scikit-learn users would have it: words and pairs of words, sublinear counts."""
    rows = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts.posts.column("text").to_pylist())
    return np.asarray((rows @ rows.T).todense())


def cut_tree(likeness: np.ndarray, cut: float) -> np.ndarray:
    distance = 1.0 - np.clip(likeness, 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    return fcluster(linkage(squareform(distance, checks=False), "average"), cut, "distance").astype(np.int64)


def line(name: str, figures: GroupingFigures) -> str:
    def cell(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    values = [
        figures.b_cubed_precision,
        figures.b_cubed_recall,
        figures.b_cubed_f1,
        figures.ari,
        figures.dropped_b_cubed_f1,
        figures.dropped_ari,
    ]
    return f"| {name} | {figures.n_groups} | {' | '.join(map(cell, values))} |"


def groupings(name: str, texts: LabelledTexts) -> list[str]:
    """Return the lines of the table of one labelled set."""
    plain, own = tfidf(texts), kernel(read_posts(texts.posts).column("folded"))
    lines = [
        f"### {name}: {len(texts.labels)} texts, {texts.matrix.shape[1]} labels",
        "",
        "| groups | n | B-cubed P | R | F1 | ARI | F1, singletons dropped | ARI, dropped |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *(line(kind, compare(texts.labels, groups)) for kind, groups in group_texts(texts).items()),
        line(
            "themes, settings that suit semeval2025 best",
            compare(texts.labels, group_texts(texts, themes=SEMEVAL)["themes"]),
        ),
        line("all texts one group", compare(texts.labels, np.zeros(len(texts.labels), np.int64))),
    ]
    for label, likeness in (("TF-IDF (scikit-learn)", plain), ("bastau's likeness", own)):
        tried = {cut: compare(texts.labels, cut_tree(likeness, cut)) for cut in CUTS}
        best = max(tried, key=lambda cut: tried[cut].b_cubed_f1)
        lines.append(line(f"{label}, average linkage, cut {best} (best for these labels)", tried[best]))
        lines.append(line(f"{label}, average linkage, cut 0.7", tried[0.7]))
    return [*lines, ""]


def label_lines(name: str, texts: LabelledTexts) -> str:
    """Return samples-F1 of labels learned by cross-validation, beside logistic regression over the 8,000 most frequent terms."""
    own = kernel(read_posts(texts.posts).column("folded"))
    figures = label_figures(texts.matrix, own, texts.posts.column("post_id"))
    fold = hash_strings(texts.posts.column("post_id")).view(np.uint64) % np.uint64(FOLDS)
    said = np.array(texts.posts.column("text").to_pylist(), object)
    guess = np.zeros_like(texts.matrix)
    for k in range(FOLDS):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=8000).fit(said[train])
        present = np.flatnonzero(texts.matrix[train].any(axis=0) & ~texts.matrix[train].all(axis=0))
        model = OneVsRestClassifier(LogisticRegression(C=10.0, class_weight="balanced", solver="liblinear"))
        model.fit(words.transform(said[train]), texts.matrix[np.ix_(train, present)])
        scores = model.predict_proba(words.transform(said[test]))
        chosen = scores >= 0.5
        none = np.flatnonzero(~chosen.any(axis=1))
        chosen[none, scores[none].argmax(axis=1)] = True
        guess[np.ix_(test, present)] = chosen
    return (
        f"| {name} | {figures['learned']:.3f} | {samples_f1(texts.matrix, guess):.3f} | {figures['nearest text']:.3f} | "
        f"{figures['most frequent label']:.3f} |"
    )


def vox(language: str) -> LabelledTexts:
    rows = rows_of("voxukraine-propaganda-cases/cases.ndjson.gz")
    return labelled(
        [
            {"id": str(r["case_id"]), "text": r[f"case_{language}"], "label": str(r["fake_id"]), "language": language}
            for r in rows
        ]
    )


def semeval(level: str, language: str = "") -> LabelledTexts:
    rows = rows_of("semeval2025-narratives/documents.ndjson.gz")
    return labelled(
        [
            {"id": r["doc_id"], "text": r["text"], "label": r[level], "language": r["language"].lower()}
            for r in rows
            if not language or r["language"].lower() == language
        ]
    )


def across() -> list[str]:
    """Return how often translations and other statements of the same claim are joined across languages."""
    lines = [
        "| languages | pairs joined | same claim | translations joined | of | share |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    rows = rows_of("voxukraine-propaganda-cases/cases.ndjson.gz")
    for one, other in (("en", "ru"), ("ru", "uk"), ("en", "uk")):
        texts = labelled(
            [
                {"id": f"{r['case_id']}-{tag}", "text": r[f"case_{tag}"], "label": str(r["fake_id"]), "language": tag}
                | {"published_at": when(r["date"])}
                for r in rows
                for tag in (one, other)
            ]
        )
        groups = group_texts(texts)["stories"]
        joined = [(i, j) for i, j in pairs_in(groups) if (i + j) % 2]  # one of each language
        same = sum(texts.labels[i] == texts.labels[j] for i, j in joined)
        parallel = sum(i // 2 == j // 2 for i, j in joined)
        lines.append(
            f"| {one}, {other} | {len(joined)} | {same / max(len(joined), 1):.3f} | {parallel} | {len(rows)} | "
            f"{parallel / len(rows):.3f} |"
        )
    return lines


def when(date: str) -> str:
    year, month, day = (int(part) for part in date[:10].split("-")) if date else (2022, 1, 1)
    return f"{year}-{month:02d}-{day:02d}T00:00:00+00:00"


def pairs_in(groups: np.ndarray) -> list[tuple[int, int]]:
    members = defaultdict(list)
    for row, group in enumerate(groups.tolist()):
        members[group].append(row)
    return [(i, j) for rows in members.values() for k, i in enumerate(rows) for j in rows[k + 1 :]]


def near_duplicates() -> list[str]:
    """Return how many planted pairs are together, and how many others."""
    articles = rows_of("near-duplicate-articles/articles.csv.gz")
    gold = {frozenset((r["id_a"], r["id_b"])) for r in rows_of("near-duplicate-articles/pairs.csv.gz")}
    texts = labelled([{"id": r["article_id"], "text": r["text"], "label": "x", "language": "en"} for r in articles])
    ids = [r["article_id"] for r in articles]
    lines = ["| groups | planted pairs together (of 10) | other pairs together |", "|---|---:|---:|"]
    for name, groups in group_texts(texts).items():
        found = {frozenset((ids[i], ids[j])) for i, j in pairs_in(groups)}
        lines.append(f"| {name} | {len(found & gold)} | {len(found - gold)} |")
    return lines


# ---- stories of Telegram channels, judged by hand --------------------------------------------------------


def telegram() -> tuple[list[dict[str, Any]], dict[str, np.ndarray], np.ndarray]:
    """Return the messages, their groups, and the stories as they were when settings were chosen on a sample of them."""
    rows = sorted(
        rows_of("telegram-ru-news/messages.ndjson.gz"), key=lambda r: (r["date"], r["channel_id"], r["message_id"])
    )
    blank = dict.fromkeys(POSTS.names)
    posts = []
    for row in rows:
        ident = f"telegram:{row['channel_id']}/{row['message_id']}"
        posts.append(
            blank
            | {
                "post_id": ident,
                "post_key": int(hash_strings(pa.array([ident]))[0]),
                "content_key": 0,
                "platform": "telegram",
            }
            | {"source": row["channel"], "is_publisher": True, "text": row["text"]}
            | {"published_at": row["date"], "collected_at": row["date"]}
        )
    frame = pl.DataFrame({"published_at": [p["published_at"] for p in posts]}).select(
        pl.col("published_at").str.to_datetime(time_zone="UTC", time_unit="us")
    )
    at = frame["published_at"].to_arrow()
    for post in posts:
        post["published_at"] = post["collected_at"] = None
    optional = pa.schema([field.with_nullable(True) for field in POSTS])
    table = pa.Table.from_pylist(posts, schema=optional)
    for name in ("published_at", "collected_at"):
        table = table.set_column(table.schema.get_field_index(name), POSTS.field(name), at.cast(POSTS.field(name).type))
    texts = LabelledTexts(table.cast(POSTS), [], True)
    read = read_posts(texts.posts)
    before = group_texts(texts, read, Fit(shared=0, alone=0.0))["stories"]
    return rows, group_texts(texts, read), before


def sampled() -> tuple[list[dict[str, Any]], list[list[int]], dict[str, int]]:
    """Return the messages, 100 stories of the last days with two tellings or more, and counts."""
    rows, groups, before = telegram()
    narrative = groups["narratives"].tolist()

    def eligible(stories: np.ndarray) -> tuple[dict[int, list[int]], list[list[int]]]:
        members = defaultdict(list)
        for row, story in enumerate(stories.tolist()):
            members[story].append(row)
        return members, [
            found
            for found in members.values()
            if rows[found[0]]["date"] >= SINCE and len({narrative[row] for row in found}) > 1
        ]

    def drawn(stories: list[list[int]], seed: int) -> list[list[int]]:
        return [stories[k] for k in sorted(np.random.default_rng(seed).permutation(len(stories))[:SAMPLE].tolist())]

    seen = {row for found in drawn(eligible(before)[1], DEVELOPMENT_SEED) for row in found}
    members, kept = eligible(groups["stories"])
    kept = [found for found in kept if seen.isdisjoint(found)]
    counts = {
        "messages": len(rows),
        "narratives": sum(1 for found in by(groups["narratives"]).values() if found > 1),
        "stories": sum(1 for found in members.values() if len({int(groups["narratives"][row]) for row in found}) > 1),
        "largest": max(map(len, members.values())),
        "eligible": len(kept),
    }
    return rows, drawn(kept, SEED), counts


def by(groups: np.ndarray) -> dict[int, int]:
    values, counts = np.unique(groups, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def name_of(rows: list[dict[str, Any]], found: list[int]) -> str:
    """Return a hash of all messages of a story."""
    ids = [f"{rows[row]['channel_id']}/{rows[row]['message_id']}" for row in found]
    return hashlib.blake2b(" ".join(sorted(ids)).encode(), digest_size=8).hexdigest()


def purity() -> list[str]:
    rows, stories, counts = sampled()
    judged = {r["messages"]: r for r in csv.DictReader(JUDGED.open(encoding="utf-8"))} if JUDGED.exists() else {}
    known = [judged[name_of(rows, found)] for found in stories if name_of(rows, found) in judged]
    lines = [
        f"{counts['messages']:,} messages; {counts['narratives']:,} narratives of two posts or more; {counts['stories']:,} stories of two "
        f"tellings or more, the largest of {counts['largest']} messages. Of {counts['eligible']:,} stories that began on {SINCE} or later "
        f"and share no message with the sample that settings were chosen on, {len(stories)} were drawn (seed {SEED}).",
        "",
    ]
    if len(known) < len(stories):
        lines.append(f"{len(stories) - len(known)} of them are not the stories that were judged: judge again.")
    if known:
        pure = sum(r["pure"] == "1" for r in known)
        posts, right = (sum(int(r[name]) for r in known) for name in ("n_posts", "n_right"))
        low, high = wilson(pure, len(known))
        low_posts, high_posts = wilson(right, posts)
        lines += [
            f"**All messages tell of the same thing: {pure} of {len(known)} stories, {pure / len(known):.2f} ({low:.2f}-{high:.2f}).**",
            f"Messages that belong with most of their story: {right} of {posts}, {right / posts:.3f} ({low_posts:.3f}-{high_posts:.3f}).",
        ]
    return lines


def write_sample(path: Path) -> None:
    rows, stories, _ = sampled()
    with path.open("wb") as file:
        for found in stories:
            said = [{"at": rows[r]["date"], "channel": rows[r]["channel"], "text": rows[r]["text"]} for r in found]
            file.write(orjson.dumps({"messages": name_of(rows, found), "said": said}) + b"\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "figures" / "narratives.md")
    parser.add_argument("--sample", type=Path)
    options = parser.parse_args()
    if not (SHARED / "telegram-ru-news").is_dir():
        print("narratives: skipped, the shared data are not there")
        return 0
    if options.sample:
        write_sample(options.sample)
        return 0
    lines = [
        "# Narratives, stories and labels",
        "",
        "    python bench/narratives.py",
        "",
        "## Near-duplicates: near-duplicate-articles",
        "",
        *near_duplicates(),
        "",
        "## Groups against labels",
        "",
        "The labels are claims and themes that many unlike texts share, and that is what themes are for; stories are events. Where texts have",
        "no dates, stories are held together by words alone. A baseline that is cut where these labels like it best knows more than a user",
        "can. Settings of themes were chosen on voxukraine, Russian: there they are development figures, elsewhere test figures; the row",
        "below has what the choice on semeval2025 gives. English and Russian voxukraine are translations of each other.",
        "",
        *groupings("voxukraine, English, claims", vox("en")),
        *groupings("voxukraine, Russian, claims", vox("ru")),
        *groupings("semeval2025, narratives", semeval("narratives")),
        "## Labels learned: samples-F1, five-fold cross-validation",
        "",
        "| semeval2025 | bastau | TF-IDF, logistic regression | nearest text | most frequent label |",
        "|---|---:|---:|---:|---:|",
        label_lines("narratives, en and ru", semeval("narratives")),
        label_lines("subnarratives, en and ru", semeval("subnarratives")),
        label_lines("subnarratives, en", semeval("subnarratives", "en")),
        label_lines("subnarratives, ru", semeval("subnarratives", "ru")),
        "",
        "## Stories across languages: voxukraine, parallel statements with their dates",
        "",
        "No setting was chosen on these. The dictionary has Kazakh, Russian and English; Ukrainian words are found by how they sound.",
        "",
        *across(),
        "",
        "## Stories of Telegram channels: telegram-ru-news, judged once by reading",
        "",
        *purity(),
        "",
    ]
    options.out.write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())

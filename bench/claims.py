"""Matching posts to fact-checks: quality beside BM25 and bm25s, silence where nothing fits, speed with 100,000 claims.

Usage: python bench/claims.py [--only checkthat,voxukraine,silence,speed,encoder] [--figures docs/figures/claims.md]

Reads ../shared/data; without it there is nothing to measure. ``--figures`` replaces the part of the file between the marks
``claims NAME begin`` and ``claims NAME end`` of each part that was run. The part ``encoder`` needs the extra of this name.
"""

import argparse
import csv
import gzip
import json
import random
import re
import resource
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bastau.errors import ConfigError
from bastau.evaluate.claims import Post, examples, score_orders
from bastau.evaluate.rules import wilson
from bastau.factchecks.encoders import UNIVERSAL, Encoder, unit_vectors
from bastau.factchecks.features import FEATURES, Scratch, find_candidates
from bastau.factchecks.index import build_index, read_claims
from bastau.factchecks.matcher import ClaimMatcher, open_claims, rank_candidates
from bastau.factchecks.ranker import Ranker, shipped_ranker
from bastau.factchecks.training import train_ranker
from bastau.factchecks.words import read_words

SHARED = Path(__file__).parents[2] / "shared" / "data"
SIGNATURE = re.compile(r"\s+—\s+[^—]*\(@\w+\)[^()]*$")
Rows = list[dict[str, str]]


def read_csv(path: Path) -> Rows:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


# ---- CheckThat! 2020 ---------------------------------------------------------------------------------------


def snopes_dates() -> dict[str, datetime]:
    """Return the dates of Snopes articles by title: CheckThat! 2020 has none of its own."""
    found = {}
    for row in read_lines(SHARED / "snopes-crowdchecked-claims" / "claims.ndjson.gz"):
        try:
            found[plain(row["title"])] = datetime.strptime(row["date"], "%d %B %Y").replace(tzinfo=UTC)
        except ValueError:
            continue
    return found


def plain(title: str) -> str:
    return re.sub(r"\W+", "", title.lower())


def checkthat_claims() -> list[tuple[str, str, str | None, datetime | None]]:
    dates = snopes_dates()
    rows = read_csv(SHARED / "checkthat2020-claims" / "verified_claims.csv.gz")
    return [(r["vclaim_id"], r["vclaim"], r["title"], dates.get(plain(r["title"]))) for r in rows]


def checkthat_posts(split: str, rows: dict[str, int], change: Any = None) -> list[Post]:
    folder = SHARED / "checkthat2020-claims"
    relevant: dict[str, set[int]] = {}
    for pair in read_csv(folder / f"{split}.qrels.csv.gz"):
        relevant.setdefault(pair["tweet_id"], set()).add(rows[pair["vclaim_id"]])
    posts = []
    for row in read_csv(folder / f"{split}.queries.csv.gz"):
        words = read_words(change(row["tweet_content"]) if change else row["tweet_content"])
        posts.append(Post(row["tweet_id"], words, words.signed_on, frozenset(relevant[row["tweet_id"]])))
    return posts


def mistyped(text: str) -> str:
    dice = random.Random(text)
    words = text.split()
    for i, word in enumerate(words):
        if len(word) > 4 and word.isalpha() and dice.random() < 0.15:
            at = dice.randrange(len(word) - 1)
            words[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


CHANGES = {
    "as published": None,
    "author and signature cut off": lambda text: SIGNATURE.sub("", text),
    "first half of the words": lambda text: " ".join(text.split()[: max(4, len(text.split()) // 2)]),
    "15% of the words mistyped": mistyped,
    "lower case": str.lower,
}


def ordered(matcher: ClaimMatcher, posts: list[Post], *, dates: bool) -> list[np.ndarray]:
    return [
        rank_candidates(matcher.ranker, matcher.candidates(post.words, day=post.day), dates=dates).rows
        for post in posts
    ]


def bm25_orders(matcher: ClaimMatcher, posts: list[Post]) -> list[np.ndarray]:
    at = FEATURES.index("both")
    found = [matcher.candidates(post.words) for post in posts]
    return [f.rows[np.argsort(-f.x[:, at], kind="stable")] for f in found]


def bm25s_orders(claims: list[Any], split: str) -> list[np.ndarray] | None:
    """Return what bm25s finds over the same texts, with its own tokenizer, English stop words and the Snowball stemmer."""
    try:
        import bm25s
        import snowballstemmer
    except ImportError:
        return None
    stemmer = snowballstemmer.stemmer("english")
    texts = [f"{text} {title or ''}" for _, text, title, _ in claims]
    asked = [row["tweet_content"] for row in read_csv(SHARED / "checkthat2020-claims" / f"{split}.queries.csv.gz")]
    engine = bm25s.BM25(k1=1.2, b=0.75)
    engine.index(
        bm25s.tokenize(texts, stopwords="en", stemmer=stemmer.stemWords, show_progress=False), show_progress=False
    )
    tokens = bm25s.tokenize(asked, stopwords="en", stemmer=stemmer.stemWords, show_progress=False)
    return list(engine.retrieve(tokens, k=50, show_progress=False)[0])


def trained(encoder: Encoder | None = None) -> tuple[ClaimMatcher, list[Any], dict[str, int]]:
    claims = checkthat_claims()
    rows = {claim[0]: i for i, claim in enumerate(claims)}
    matcher = open_claims(claims, encoder=encoder)
    encoder_id = "" if encoder is None else encoder.encoder_id
    taught = train_ranker(examples(matcher, checkthat_posts("train", rows)), encoder_id=encoder_id)
    return with_ranker(matcher, taught), claims, rows


def with_ranker(matcher: ClaimMatcher, ranker: Ranker) -> ClaimMatcher:
    return replace(matcher, ranker=ranker)


def same_words(claims: list[Any]) -> np.ndarray:
    """Return for each claim the first row with the same words in text and title: the set has many claims twice."""
    first: dict[Any, int] = {}
    return np.array(
        [first.setdefault((read_words(c[1]).stems, read_words(c[2] or "").stems), i) for i, c in enumerate(claims)]
    )


def scored(orders: list[np.ndarray], posts: list[Post], first: np.ndarray) -> dict[str, float]:
    """Return the figures, and MAP@5 with claims of the same words counted as one."""
    once = [np.array(list(dict.fromkeys(first[order].tolist())), np.int64) for order in orders]
    merged = [replace(post, relevant=frozenset(int(first[row]) for row in post.relevant)) for post in posts]
    return score_orders(orders, posts) | {"map_5_once": score_orders(once, merged)["map_5"]}


def table(heads: list[str], rows: list[list[Any]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        lines.append("| " + " | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row) + " |")
    return "\n".join(lines)


def figures_row(name: str, figures: dict[str, float]) -> list[Any]:
    return [name, *(figures[k] for k in ("map_5", "map_5_once", "p_1", "mrr", "recall_5", "recall_50"))]


def dated_orders(matcher: ClaimMatcher, posts: list[Post]) -> list[np.ndarray]:
    """Return orders by the side that reads dates, whatever dates there are."""
    found = [matcher.candidates(p.words, day=p.day) for p in posts]
    return [f.rows[np.argsort(-matcher.ranker.dated.scores(f), kind="stable")] for f in found]


def checkthat(state: dict[str, Any]) -> str:
    matcher, claims, rows = state["trained"] = state.get("trained") or trained()
    shipped = with_ranker(matcher, shipped_ranker())
    posts = checkthat_posts("dev", rows)
    first = same_words(claims)
    lines = []
    if (peer := bm25s_orders(claims, "dev")) is not None:
        lines.append(figures_row("bm25s (k1 1.2, b .75, Snowball)", scored(peer, posts, first)))
    for name, orders in (
        ("BM25 of bastau", bm25_orders(matcher, posts)),
        ("shipped ranker, text only", ordered(shipped, posts, dates=False)),
        ("trained on train, text only", ordered(matcher, posts, dates=False)),
        ("trained on train, with dates", dated_orders(matcher, posts)),
    ):
        lines.append(figures_row(name, scored(orders, posts, first)))
    share = np.mean([claim[3] is not None for claim in claims])
    heads = ["dev, 197 posts, 10,375 claims", "MAP@5", "MAP@5, copies as one", "P@1", "MRR", "recall@5", "recall@50"]
    changed = []
    for name, change in CHANGES.items():
        other = checkthat_posts("dev", rows, change)
        changed.append(
            [
                name,
                score_orders(bm25_orders(matcher, other), other)["map_5"],
                score_orders(ordered(shipped, other, dates=False), other)["map_5"],
                score_orders(ordered(matcher, other, dates=False), other)["map_5"],
            ]
        )
    return "\n\n".join(
        [
            table(heads, lines),
            f"Dates of claims are those of the same articles in snopes-crowdchecked-claims, known for {share:.0%} of them.",
            table(["posts changed, MAP@5, text only", "BM25", "shipped", "trained"], changed),
        ]
    )


# ---- VoxUkraine --------------------------------------------------------------------------------------------


def voxukraine(_state: dict[str, Any], ranker: Ranker | None = None, encoder: Encoder | None = None) -> str:
    folder = SHARED / "voxukraine-propaganda-cases"
    claims, cases = read_lines(folder / "claims.ndjson.gz"), read_lines(folder / "cases.ndjson.gz")
    lines = []
    for form in ("fake and debunk as text", "fake as text, debunk as title"):
        for source, target in (("en", "en"), ("ru", "ru"), ("uk", "uk"), ("ru", "en"), ("en", "ru")):
            rows = []
            for claim in claims:
                fake, debunk = claim[f"fake_{target}"], claim[f"debunk_{target}"] or ""
                text, title = (f"{fake} {debunk}", None) if form.startswith("fake and") else (fake, debunk or None)
                rows.append((claim["fake_id"], text, title, None))
            matcher = open_claims(rows, ranker, encoder)
            at = {row[0]: i for i, row in enumerate(rows)}
            posts = [
                Post(
                    case["case_id"], read_words(case[f"case_{source}"]), float("nan"), frozenset({at[case["fake_id"]]})
                )
                for case in cases
            ]
            base = score_orders(bm25_orders(matcher, posts), posts)
            mine = score_orders(ordered(matcher, posts, dates=False), posts)
            lines.append([form, f"{source} to {target}", base["p_1"], base["recall_5"], mine["p_1"], mine["recall_5"]])
    name = "trained" if encoder else "shipped"
    heads = ["claims", "320 statements", "BM25 hit@1", "BM25 hit@5", f"{name} hit@1", f"{name} hit@5"]
    return table(heads, lines)


# ---- silence -----------------------------------------------------------------------------------------------


def no_claim_posts() -> dict[str, list[str]]:
    dice = random.Random(11)
    telegram = [r["text"] for r in read_lines(SHARED / "telegram-ru-news" / "messages.ndjson.gz") if r.get("text")]
    tweets = [
        r["content"]
        for path in sorted((SHARED / "ira-troll-tweets").glob("tweets_*.csv.gz"))
        for r in read_csv(path)
        if r.get("language") == "English"
    ]
    other = [r["tweet"] for r in read_csv(SHARED / "hate-davidson2017" / "tweets.csv.gz")]
    sets = {"telegram-ru-news": telegram, "ira-troll-tweets, English": tweets, "hate-davidson2017": other}
    return {name: dice.sample(texts, min(1000, len(texts))) for name, texts in sets.items()}


def silence(state: dict[str, Any]) -> str:
    matcher, _, rows = state["trained"] = state.get("trained") or trained()
    return silence_of({"shipped": with_ranker(matcher, shipped_ranker()), "trained on train": matcher}, rows)


def silence_of(rankers: dict[str, ClaimMatcher], rows: dict[str, int]) -> str:
    dev = checkthat_posts("dev", rows)
    lines = []
    shown_texts = []
    for name, one in rankers.items():
        shown = right = 0
        for post in dev:
            ranking = one.rank(post.words, dates=False)
            shown += ranking.is_shown
            right += ranking.is_shown and int(ranking.rows[0]) in post.relevant
        lines.append(
            [name, "CheckThat! dev", len(dev), shown, shown / len(dev), f"{right}/{shown}", wilson(right, shown)[0]]
        )
        for kind, texts in no_claim_posts().items():
            n = 0
            for text in texts:
                ranking = one.rank(read_words(text), dates=False)
                if ranking.is_shown:
                    n += 1
                    shown_texts.append((name, kind, text, one.claims[int(ranking.rows[0])], ranking.probability))
            lines.append([name, kind, len(texts), n, n / len(texts), "", ""])
    for entry in shown_texts:
        print("SHOWN", entry)
    heads = ["ranker", "posts", "n", "shown", "share shown", "right", "lower bound"]
    return table(heads, lines)


# ---- speed -------------------------------------------------------------------------------------------------


def many_claims(n: int) -> list[tuple[str, str | None, str | None]]:
    """Return ``n`` claims: the real ones of two sets, then the same with words of others put in."""
    real = [(c[1], c[2], None) for c in checkthat_claims()]
    real += [
        (r["vclaim"], r["title"], None) for r in read_lines(SHARED / "snopes-crowdchecked-claims" / "claims.ndjson.gz")
    ]
    dice = random.Random(7)
    made = list(real)
    while len(made) < n:
        (text, title, _), (other, _, _) = dice.choice(real), dice.choice(real)
        words, others = text.split(), other.split()
        half = max(3, len(words) // 2)
        made.append((" ".join([*words[:half], *others[len(others) // 2 :]]), title, None))
    return made[:n]


def speed(_state: dict[str, Any], ranker: Ranker | None = None, encoder: Encoder | None = None) -> str:
    lines = []
    ranker = ranker or shipped_ranker()
    texts = [r["tweet_content"] for r in read_csv(SHARED / "checkthat2020-claims" / "train.queries.csv.gz")][:300]
    for n in (10_000, 100_000):
        claims = many_claims(n)
        start = time.process_time()
        read = read_claims(claims)
        read_s = time.process_time() - start
        start = time.process_time()
        index = build_index(read, np.full(n, np.nan), encoder)
        build_s = time.process_time() - start
        del read
        scratch = Scratch.of(index)

        def answer(text: str, index: Any = index, scratch: Scratch = scratch) -> None:
            words = read_words(text)
            vector = None if encoder is None else unit_vectors(encoder, [words.plain])[0]
            rank_candidates(ranker, find_candidates(index, words, scratch, vector=vector), dates=False)

        for text in texts[:5]:
            answer(text)
        times = []
        for text in texts:
            start = time.process_time()
            answer(text)
            times.append(1000 * (time.process_time() - start))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines.append(
            [
                f"{n:,}",
                f"{read_s:.0f}",
                f"{build_s:.0f}",
                f"{index.size_bytes / 1e6:.0f}",
                f"{np.mean(times):.1f}",
                f"{np.percentile(times, 95):.1f}",
                f"{peak:.0f}",
            ]
        )
    heads = [
        "claims",
        "reading, s",
        "building, s",
        "index, MB",
        "ms a post, mean",
        "ms a post, p95",
        "peak of the process, MB",
    ]
    return table(heads, lines)


# ---- a sentence encoder ------------------------------------------------------------------------------------


def encoder(_state: dict[str, Any]) -> str | None:
    try:
        _ = UNIVERSAL.encoder_id
    except ConfigError as error:
        print(error)
        return None
    matcher, claims, rows = trained(UNIVERSAL)
    posts, first = checkthat_posts("dev", rows), same_words(claims)
    lines = [
        figures_row("trained with it, text only", scored(ordered(matcher, posts, dates=False), posts, first)),
        figures_row("trained with it, with dates", scored(dated_orders(matcher, posts), posts, first)),
    ]
    heads = ["dev, 197 posts", "MAP@5", "MAP@5, copies as one", "P@1", "MRR", "recall@5", "recall@50"]
    parts = [
        table(heads, lines),
        silence_of({"trained with it": matcher}, rows),
        voxukraine({}, matcher.ranker, UNIVERSAL),
        speed({}, matcher.ranker, UNIVERSAL),
    ]
    return "\n\n".join(parts)


PARTS = {"checkthat": checkthat, "voxukraine": voxukraine, "silence": silence, "speed": speed, "encoder": encoder}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    if not SHARED.exists():
        print("no ../shared/data here; nothing to measure")
        return
    state: dict[str, Any] = {}
    for name in options.only.split(","):
        text = PARTS[name](state)
        if text is None:
            continue
        print(f"\n{name}\n{text}", flush=True)
        if options.figures:
            page = options.figures.read_text("utf-8")
            begin, end = f"<!-- claims {name} begin -->", f"<!-- claims {name} end -->"
            head, rest = page.split(begin)
            options.figures.write_text(f"{head}{begin}\n\n{text}\n\n{end}{rest.split(end)[1]}", "utf-8")


if __name__ == "__main__":
    main()

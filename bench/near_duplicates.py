"""Near-duplicates on real tweets: quality against all pairs compared exactly, and speed beside rensa and datasketch.

Usage: python bench/near_duplicates.py [--posts 30000] [--seed 7] [--out docs/figures/near-duplicates.md]

Everybody gets the same distinct folded texts and finds the pairs of 5-gram Jaccard >= .7 with 64 hashes in 16 bands
of 4. Ours is timed from text to verified pairs and clusters. The peers are timed from ready 5-gram sets to unverified
candidates; a column adds the making of their sets in Python, which they need and we do not.
"""

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from datasketch import MinHash, MinHashLSH
from rensa import RMinHash, RMinHashLSH

from bastau.evaluate.near_duplicates import NearDuplicateFigures, evaluate, find_all_pairs
from bastau.hashing import hash_strings
from bastau.narratives.update import State, update
from bastau.read.fold import Fold
from bastau.read.signature import Sign
from bastau.settings import Narratives

SHARED = Path(os.environ.get("BASTAU_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
SIMILARITY = Narratives().similarity
PERMUTATIONS, BANDS = 64, 16
THREADS = 2


def read_tweets(n_posts: int, seed: int) -> pa.Table:
    """Return post_key, published_at, repost_of and the columns of Fold and Sign of a sample of tweets."""
    files = sorted((SHARED / "ira-troll-tweets").glob("tweets_*.csv.gz"))
    columns = ["tweet_row_id", "content", "publish_date"]
    tweets = pl.concat([pl.read_csv(file, columns=columns, infer_schema=False) for file in files])
    tweets = tweets.sort("tweet_row_id").sample(n_posts, seed=seed) if n_posts < len(tweets) else tweets
    content = tweets["content"].fill_null("").to_arrow()
    times = tweets["publish_date"].str.to_datetime("%Y-%m-%d %H:%M:%S", time_zone="UTC")
    posts = pa.table(
        {
            "post_key": hash_strings(tweets["tweet_row_id"].to_arrow()),
            "published_at": times.cast(pl.Datetime("us", "UTC")).to_arrow(),
            "repost_of": pa.nulls(len(tweets), pa.string()),
            "title": pa.nulls(len(tweets), pa.string()),
            "text": content.cast(pa.string()),
        }
    )
    return Sign().run(Fold().run(posts))


def distinct(posts: pa.Table) -> pa.Table:
    """Return one post of each text."""
    posts = posts.filter(pc.is_valid(posts.column("text_key")))
    _, rows = np.unique(posts.column("text_key").to_numpy(), return_index=True)
    return posts.take(pa.array(rows)).combine_chunks()


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, float, Any]:
    """Return the best time in seconds, the best CPU time of all threads, and the result."""
    best = best_cpu = float("inf")
    for _ in range(repeats):
        start, start_cpu = time.perf_counter(), time.process_time()
        result = work()
        best, best_cpu = min(best, time.perf_counter() - start), min(best_cpu, time.process_time() - start_cpu)
    return best, best_cpu, result


def ours(texts: pa.Table) -> State:
    """Sign the texts, find candidates, verify and cluster them."""
    chunk = -(-texts.num_rows // (4 * THREADS))
    plain = texts.drop(["bands"])
    with ThreadPoolExecutor(THREADS) as pool:
        signed = pool.map(Sign().run, [plain.slice(start, chunk) for start in range(0, plain.num_rows, chunk)])
        return update(None, pa.concat_tables(signed), lambda keys: texts, similarity=SIMILARITY, threads=THREADS)


def shingle_lists(folded: list[str]) -> list[list[str]]:
    return [list({text[i : i + 5] for i in range(max(1, len(text) - 4))}) for text in folded]


def by_rensa(sets: list[list[str]]) -> set[tuple[int, int]]:
    hashes = RMinHash.from_token_sets(sets, PERMUTATIONS, 42)
    index = RMinHashLSH(SIMILARITY, PERMUTATIONS, BANDS)
    index.insert_many(hashes)
    return {(i, j) for i, found in enumerate(index.query_all(hashes)) for j in found if i < j}


def by_datasketch(sets: list[list[bytes]]) -> set[tuple[int, int]]:
    index = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, PERMUTATIONS // BANDS))
    out = set()
    for i, hashes in enumerate(MinHash.generator(sets, num_perm=PERMUTATIONS)):
        out |= {(j, i) for j in index.query(hashes)}
        index.insert(i, hashes)
    return out


def recall(found: set[tuple[int, int]], true: np.ndarray) -> float:
    return sum((int(a), int(b)) in found for a, b in true) / len(true)


def compare(texts: pa.Table) -> list[str]:
    """Return the lines of the table of speeds."""
    true = find_all_pairs(texts.column("folded"), SIMILARITY, THREADS)
    ours(texts)  # compiles
    *our_times, state = timed(lambda: ours(texts), 9)
    keys = texts.column("text_key").to_numpy()
    ends = [np.searchsorted(keys, state.pairs.column(name).to_numpy()).tolist() for name in ("text_a", "text_b")]
    _, making, sets = timed(lambda: shingle_lists(texts.column("folded").to_pylist()), 3)
    *rensa_times, rensa_pairs = timed(lambda: by_rensa(sets), 9)
    encoded = [[gram.encode() for gram in grams] for grams in sets]
    *datasketch_times, datasketch_pairs = timed(lambda: by_datasketch(encoded), 1)
    rows = [
        ("bastau: text to verified pairs and clusters", our_times, 0.0, set(zip(*ends, strict=True))),
        ("rensa: sets to candidates", rensa_times, making, rensa_pairs),
        ("datasketch: sets to candidates", datasketch_times, making, datasketch_pairs),
    ]
    lines = [
        "| | seconds | CPU seconds | times ours (CPU) | with making its sets | recall | pairs given | true pairs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, (taken, cpu), extra, found in rows:
        times = f"{taken:.2f} | {cpu:.2f} | {cpu / our_times[1]:.1f} | {(cpu + extra) / our_times[1]:.1f}"
        lines.append(f"| {name} | {times} | {recall(found, true):.4f} | {len(found):,} | {len(true):,} |")
    return [*lines, "", f"{texts.num_rows:,} texts; CPU seconds of all threads, best of several runs."]


def quality(figures: NearDuplicateFigures) -> list[str]:
    """Return the lines of the table of quality."""
    lines = [
        f"{figures.n_posts:,} posts, {figures.n_texts:,} distinct texts, {figures.n_true_pairs:,} true pairs of distinct texts, "
        f"{figures.n_true_post_pairs:,} of posts (equal texts included).",
        "",
        "| pairs | precision | recall | target |",
        "|---|---|---|---|",
    ]
    for name, kind, target in (
        ("verified, of distinct texts", "pair", ".97 / .97"),
        ("verified, of posts", "post_pair", ""),
        ("in one narrative, of distinct texts", "narrative_text", ""),
        ("in one narrative, of posts", "narrative", ""),
    ):
        scores = (getattr(figures, f"{kind}_{score}") for score in ("precision", "recall"))
        lines.append(f"| {name} | {' | '.join(f'{score:.4f}' for score in scores)} | {target} |")
    if (largest := figures.largest) is not None:
        lines += [
            "",
            f"Narrative with most texts: {largest.n_posts} posts, {largest.n_texts} texts; similarity between its texts "
            f"{largest.mean_similarity:.2f} on average, {largest.min_similarity:.2f} at least.",
        ]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "docs" / "figures" / "near-duplicates.md"
    )
    args = parser.parse_args()
    if not (SHARED / "ira-troll-tweets").is_dir():
        print("near_duplicates: skipped, the shared tweets are not there")
        return
    posts = read_tweets(args.posts, args.seed)
    state = update(None, posts, lambda keys: posts, similarity=SIMILARITY, threads=THREADS)
    figures = evaluate(state, posts, similarity=SIMILARITY, threads=THREADS)
    lines = [
        "# Near-duplicates",
        "",
        f"    python bench/near_duplicates.py --posts {args.posts} --seed {args.seed}",
        "",
        f"A sample of ira-troll-tweets; 5-gram Jaccard >= {SIMILARITY}; exact answer: all pairs compared. Two cores.",
        "",
        "## Quality",
        "",
        *quality(figures),
        "",
        "## Speed",
        "",
        *compare(distinct(posts)),
        "",
    ]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

"""Posts a second of each read kernel on one thread and on two: ``python bench/signature.py [FILE.csv.gz COLUMN]``.

Without a file the texts are made by a seeded generator; they have the length of tweets.
"""

import csv
import gzip
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from bastau.read.stages import default_stages
from bastau.schemas import POSTS
from bastau.settings import Settings
from bastau.shingles import shingle_sets
from bastau.stage import Stage, run_stages

N_POSTS = 130_000
WORDS = [
    "бүгін",
    "қалада",
    "жаңа",
    "мектеп",
    "ашылды",
    "оған",
    "екі",
    "мың",
    "оқушы",
    "барады",
    "сегодня",
    "в",
    "городе",
    "открылась",
    "новая",
    "школа",
    "которую",
    "ждали",
    "many",
    "people",
    "in",
    "the",
    "village",
    "are",
    "repairing",
    "their",
    "houses",
    "after",
    "flood",
    "that",
    "came",
    "last",
    "night",
    "жители",
    "ремонтируют",
    "дома",
]


def invented_texts(n: int) -> list[str]:
    seed = random.Random(1)
    ends = ["", "", " https://t.co/{:x}", " #мектеп #school", " @arna{:x}"]
    return [
        " ".join(seed.choices(WORDS, k=seed.randrange(8, 20))) + seed.choice(ends).format(seed.randrange(1 << 32))
        for _ in range(n)
    ]


def texts_from(path: str, column: str) -> list[str]:
    csv.field_size_limit(1 << 24)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return [row[column] for row in csv.DictReader(lines)]


def posts_of(texts: list[str]) -> pa.Table:
    columns = {field.name: pa.nulls(len(texts), field.type) for field in POSTS}
    columns["text"] = pa.array(texts, pa.string())
    columns["url"] = pa.array([f"https://x.com/User{i % 999}/status/{i}" for i in range(len(texts))])
    return pa.table(columns)


def best_of(run: Callable[[], object], times: int = 5) -> tuple[float, float]:
    """Return the least (wall, processor) seconds of several runs; the second holds on a busy machine too."""

    def once() -> tuple[float, float]:
        wall, processor = time.perf_counter(), time.process_time()
        run()
        return time.perf_counter() - wall, time.process_time() - processor

    runs = [once() for _ in range(times)]
    return min(wall for wall, _ in runs), min(processor for _, processor in runs)


def report(name: str, n: int, seconds: tuple[float, float]) -> None:
    print(f"{name:<18}{n / seconds[0]:>12,.0f}{n / seconds[1]:>18,.0f}")


def main() -> None:
    texts = texts_from(*sys.argv[1:3]) if len(sys.argv) > 2 else invented_texts(N_POSTS)
    posts = posts_of(texts)
    n = posts.num_rows
    stages: list[Stage] = default_stages(Settings())
    run_stages(stages, posts.slice(0, 100))  # compiles, or loads what is compiled
    print(f"{n} posts, {posts['text'].nbytes / n:.0f} bytes each")
    print(f"{'kernel':<18}{'posts/s':>12}{'posts/s of CPU':>18}")
    made = posts
    for stage in stages:
        given = made
        report(type(stage).__name__, n, best_of(lambda s=stage, t=given: s.run(t)))
        made = stage.run(made)
    folded = made["folded"].combine_chunks()
    shingle_sets(folded[:10])
    report("shingle_sets", n, best_of(lambda: shingle_sets(folded)))
    report("all of read", n, best_of(lambda: run_stages(stages, posts)))
    halves = [posts.slice(0, n // 2), posts.slice(n // 2)]
    with ThreadPoolExecutor(2) as pool:
        report("on two threads", n, best_of(lambda: list(pool.map(lambda half: run_stages(stages, half), halves))))


if __name__ == "__main__":
    main()

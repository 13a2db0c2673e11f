"""Speed of the rules on a file of posts: the fast look, the share of posts that go on, and the slow look.

    python bench/rules.py FILE COLUMN     CSV, NDJSON or Parquet, plain or .gz; a column of texts

Processor time of one thread. Says how many posts are flagged, so that a quick rule that flags everything is seen.
"""

import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from bastau.read.fold import Fold
from bastau.read.rules.finding import finder
from bastau.read.rules.match import MatchRules
from bastau.read.unmask_scan import needs_unmasking


def read_texts(path: Path, column: str) -> pa.Array:
    if path.suffix == ".parquet":
        return pl.read_parquet(path, columns=[column])[column].to_arrow().cast(pa.string())
    if ".csv" in path.suffixes:
        return pl.read_csv(path, columns=[column], infer_schema=False)[column].to_arrow().cast(pa.string())
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return pa.array([json.loads(line)[column] for line in file], pa.string())


def timed(work, n_posts: int):
    start = time.process_time()
    answer = work()
    return answer, (time.process_time() - start) / max(1, n_posts) * 1e6


def main() -> None:
    texts = read_texts(Path(sys.argv[1]), sys.argv[2])
    n = len(texts)
    start = time.process_time()
    use = finder(())
    print(f"loading and compiling: {time.process_time() - start:.2f} s")
    print(f"{len(use.pack.rules)} rules, {len(use.pack.lexicon.sequences)} words and phrases, {use.screen.n_keys} keys, "
          f"{use.screen.n_classes} classes, {use.screen.n_terms} terms")  # fmt: skip
    posts = Fold().run(pa.table({"title": pa.nulls(n, pa.string()), "text": texts}))
    posts = posts.append_column("detected_language", pa.array(["und"] * n))
    posts = posts.append_column("script", pa.array(["Zyyy"] * n))
    use.screen.run(posts.column("folded").slice(0, 10))
    MatchRules().run(posts.slice(0, 10))
    fast, fast_us = timed(lambda: use.screen.run(posts.column("folded")), n)
    rows = np.flatnonzero(fast)
    live = [rule for rule in use.pack.rules if rule.is_live]
    chosen = texts.take(pa.array(rows)).to_pylist()
    _, slow_us = timed(lambda: [use.read(None, text).matches(live) for text in chosen], len(rows))
    masked = use.screen.run_disguised(posts.column("folded"), needs_unmasking(texts))
    out, stage_us = timed(lambda: MatchRules().run(posts), n)
    found = out.column("suggestions").to_pylist()
    print(f"{n} posts: fast look {fast_us:.2f} us a post; {len(rows) / n:.2%} go on, {slow_us:.0f} us each; "
          f"{masked.mean():.2%} may hide a word; whole stage {1e6 / stage_us:,.0f} posts/s")  # fmt: skip
    print(f"frames found in {sum(bool(one) for one in found)} posts, "
          f"{sum(bool(one) and one[0]['gate'] is None for one in found)} flagged")  # fmt: skip


if __name__ == "__main__":
    main()

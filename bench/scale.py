"""Narratives and sources on 300,000 and 3,000,000 posts, and traces on the larger; writes docs/figures/scale.md.

    python bench/scale.py [--posts 3000000] [--small 300000] [--seed 11] [--traces 200] [--keep DIR]

Reading the posts is counted apart (bench/read.py has its speed): what grows with the number of posts is the rest.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import make_posts
import numpy as np
import pyarrow.parquet as pq

from bastau.benchmark import Measured, measure, write_ndjson
from bastau.home import Home
from bastau.report.build import build_trace
from bastau.report.locale import load
from bastau.report.search import find
from bastau.report.trace_page import trace_page
from bastau.simulate.scale import scale_posts

OUT = Path(__file__).parents[1] / "docs" / "figures" / "scale.md"
APART = ("read", "match")
"""Steps that are reading."""


def process(n_posts: int, folder: Path, texts: Any, seed: int) -> tuple[Measured, Measured]:
    """Return what import and run took for ``n_posts``, in ``folder / home``."""
    write_ndjson(scale_posts(texts, n_posts, seed), folder / "posts.ndjson")
    imported = measure("import", str(folder / "posts.ndjson"), home=folder / "home")
    (folder / "posts.ndjson").unlink()
    return imported, measure("run", home=folder / "home")


def rest_s(run: Measured) -> float:
    return float(sum(seconds for step, seconds in run.answer["seconds"].items() if step not in APART))


def trace_times(home: Home, n_traces: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the seconds of tracing random narratives and the largest ones, page included."""
    generation = home.generation()
    if generation is None:
        raise SystemExit("nothing was processed")
    table = pq.read_table(generation.paths("narratives")[0], columns=["narrative_id", "n_posts"])
    ids, sizes = table.column("narrative_id").to_pylist(), table.column("n_posts").to_numpy()
    chosen = np.random.default_rng(seed).permutation(len(ids))[:n_traces]
    largest = np.argsort(-sizes)[:20]
    locale, seconds = load("en"), []
    for row in [chosen[0], *chosen, *largest]:  # the first only warms up
        start = time.perf_counter()
        con = home.connect()
        found = find(con, ids[row], canonical=lambda url: url, sign=lambda text: (None, None))
        trace_page(build_trace(con, found, lead_in_hours=home.settings.sources.lead_in_hours), locale)
        con.close()
        seconds.append(time.perf_counter() - start)
    return np.array(seconds[1 : 1 + len(chosen)]), np.array(seconds[1 + len(chosen) :])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=3_000_000)
    parser.add_argument("--small", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--traces", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="keep the homes in this folder")
    options = parser.parse_args()
    real = make_posts.real_texts()
    texts = real if real is not None else make_posts.invented_texts()
    base = options.keep or Path(tempfile.mkdtemp(prefix="bastau-scale-"))
    done = {}
    try:
        for n_posts in (2_000, options.small, options.posts):  # the first run compiles the kernels
            folder = base / str(n_posts)
            folder.mkdir(parents=True)
            done[n_posts] = process(n_posts, folder, texts, options.seed)
            print(f"{n_posts}: {rest_s(done[n_posts][1]):.1f} s", file=sys.stderr)
        home = Home.open(base / str(options.posts) / "home", create=False)
        random, largest = trace_times(home, options.traces, options.seed)
    finally:
        if options.keep is None:
            shutil.rmtree(base, ignore_errors=True)
    small, large = done[options.small][1], done[options.posts][1]
    steps = [
        f"| {step} | {small.answer['seconds'].get(step, 0.0):.1f} | {seconds:.1f} |"
        for step, seconds in large.answer["seconds"].items()
    ]
    OUT.write_text(
        "\n".join(
            [
                "# Scale",
                "",
                f"`python bench/scale.py --posts {options.posts} --small {options.small} --seed {options.seed}`, "
                f"{'real' if real is not None else 'invented'} texts. Seconds are wall time on two cores, kernels cached.",
                "",
                f"Narratives and sources of {options.posts:,} posts: **{rest_s(large):.0f} s**, "
                f"{rest_s(large) / rest_s(small):.1f} times those of {options.small:,} posts ({rest_s(small):.1f} s). "
                f"Reading and matching come on top: {sum(large.answer['seconds'].get(s, 0.0) for s in APART):.0f} s. "
                f"Largest memory of the run: **{large.peak_bytes / 2**30:.2f} GiB**. "
                f"{large.answer['n_narratives']:,} narratives, {large.answer['n_groups']} groups.",
                "",
                f"| step | {options.small:,} posts, s | {options.posts:,} posts, s |",
                "|---|---:|---:|",
                *steps,
                "",
                "A trace with its page, in a process that is running (a command adds about a second to start):",
                "",
                "| narratives | median, s | p95, s | longest, s |",
                "|---|---:|---:|---:|",
                *(
                    f"| {name} | {np.median(s):.2f} | {np.quantile(s, 0.95):.2f} | {s.max():.2f} |"
                    for name, s in ((f"{len(random)} at random", random), (f"the {len(largest)} largest", largest))
                ),
                "",
            ]
        ),
        "utf-8",
    )
    print(OUT.read_text("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The whole way on 100,000 and 1,000,000 posts made from real texts; writes docs/figures/pipeline.md.

Usage: python bench/pipeline.py [--posts 1000000] [--small 100000] [--seed 11]
"""

import argparse
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import make_posts

from bastau.benchmark import whole_way

OUT = Path(__file__).parents[1] / "docs" / "figures" / "pipeline.md"


def table(figures: dict) -> str:
    n = figures["n_posts"]
    rows = [
        f"| {row['step']} | {row['wall_s']} | {n / row['wall_s']:,.0f} | {100 * row['wall_s'] / figures['wall_s']:.0f} % | {row['cpu_s']} | {row['peak_gib']} |"
        for row in figures["steps"]
    ]
    steps = [
        f"| {step} | {seconds:.2f} | {n / max(seconds, 0.01):,.0f} | {100 * seconds / figures['wall_s']:.0f} % |"
        for step, seconds in figures["run_steps_s"].items()
    ]
    more = [f"| {step} | {seconds:.2f} |" for step, seconds in figures["more_steps_s"].items()]
    return "\n".join(
        [
            f"## {n:,} posts",
            "",
            f"**{figures['wall_s']} s, {figures['posts_per_s']:,} posts/s, peak {figures['peak_gib']} GiB**; "
            f"{figures['n_narratives']:,} narratives, {figures['n_groups']} groups. Trace by text, HTML included: {figures['trace_s']} s.",
            "",
            "| command | s | posts/s | share | CPU s | peak GiB |",
            "|---|---:|---:|---:|---:|---:|",
            *rows,
            "",
            "| step of run | s | posts/s | share of the whole |",
            "|---|---:|---:|---:|",
            *steps,
            "",
            f"{figures['more']['n_posts']:,} posts more on top: import {figures['more']['import_s']} s, "
            f"run {figures['more']['run_s']} s, peak {figures['more_peak_gib']} GiB.",
            "",
            "| step of the second run | s |",
            "|---|---:|",
            *more,
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    real = make_posts.real_texts()
    texts = real if real is not None else make_posts.invented_texts()
    done = []
    for n_posts in (2_000, options.small, options.posts):  # the first run compiles the kernels
        folder = Path(tempfile.mkdtemp(prefix="bastau-bench-"))
        try:
            done.append(whole_way(n_posts, folder, texts, seed=options.seed, note=lambda note: None))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    _, small, large = done
    growth = large["wall_s"] / small["wall_s"]
    OUT.write_text(
        "\n".join(
            [
                "# The whole way: NDJSON in, lake, read, narratives, sources, exports",
                "",
                f"`python bench/pipeline.py --posts {options.posts} --small {options.small} --seed {options.seed}`, "
                f"{'real' if real is not None else 'invented'} texts, Python {platform.python_version()}. "
                "Each command is a process of its own; seconds are wall time, its start included, kernels cached.",
                "",
                f"{options.small:,} -> {options.posts:,} posts costs {growth:.1f} times as much.",
                "",
                table(large),
                table(small),
            ]
        ),
        "utf-8",
    )
    print(OUT.read_text("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())

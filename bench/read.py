"""Speed of reading and matching on real texts: ``python bench/read.py [--posts 200000]``; writes docs/figures/read.md.

Each stage alone on one thread (processor time), then all of them on two threads (wall time), with 10,000 terms of an
operator's own beside the shipped rules, and lists of known addresses, hashes and texts. Growth is that of ten times the posts.
"""

import argparse
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "bench"))

from make_posts import invented_texts, real_texts  # noqa: E402

from bastau.known_lists.formats import read_list  # noqa: E402
from bastau.known_lists.store import ListInfo, ListStore  # noqa: E402
from bastau.read.known import MatchKnown  # noqa: E402
from bastau.read.rules.documents import RuleFile  # noqa: E402
from bastau.read.rules.match import MatchRules  # noqa: E402
from bastau.read.stages import default_stages  # noqa: E402
from bastau.schemas import POSTS  # noqa: E402
from bastau.settings import Settings  # noqa: E402
from bastau.simulate.scale import scale_posts  # noqa: E402
from bastau.stage import Stage, run_stages  # noqa: E402

N_TERMS = 10_000
N_LISTED = 10_000
BATCH = 8192


def own_terms(n: int) -> RuleFile:
    """Return a list of ``n`` made-up names of two words, as an operator's list of organisations."""
    dice = np.random.default_rng(3)
    syllables = ["ба", "де", "гу", "ка", "ло", "ми", "на", "пе", "ру", "со", "та", "же", "ши", "zo", "qa", "ul"]
    words = ["".join(dice.choice(syllables, size=3)) for _ in range(2 * n)]
    names = sorted({f"{a} {b}" for a, b in zip(words[:n], words[n:], strict=True)})
    rows = [
        f'  - {{id: own-{i}, name: "{name}", ground: "bench", names: {{ru: "{name}"}}}}' for i, name in enumerate(names)
    ]
    return RuleFile("own.yaml", ("organisations:\n" + "\n".join(rows)).encode())


def listed(folder: Path) -> MatchKnown:
    """Return the stage with lists of addresses and hashes, and of 1,000 texts that no post holds."""
    dice = np.random.default_rng(4)
    lines = [f"url https://site{i}.example/page/{i}" for i in range(N_LISTED)]
    lines += [f"sha256 {dice.bytes(32).hex()}" for _ in range(N_LISTED)]
    words = [bytes(dice.integers(97, 123, size=6, dtype=np.uint8)).decode() for _ in range(60_000)]
    lines += [f"text {' '.join(words[at : at + 60])}" for at in range(0, len(words), 60)]
    path = folder / "list.txt"
    path.write_text("\n".join(lines), "utf-8")
    store = ListStore(folder / "lists")
    items = read_list(path, format_="pytx")[1]
    store.update(ListInfo("bench", ground="bench"), items, now=WHEN, whole=True, provenance=dict)
    return MatchKnown(store.index())


WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def posts_of(texts: pa.Table, n: int) -> pa.Table:
    """Return ``n`` posts made of the texts, as stored."""
    posts = pa.concat_tables(scale_posts(texts, n, 7)).combine_chunks()
    columns = {
        f.name: posts.column(f.name) if f.name in posts.column_names else pa.nulls(posts.num_rows, f.type)
        for f in POSTS
    }
    return pa.table({name: column.cast(POSTS.field(name).type) for name, column in columns.items()})


def cpu_of(stage: Stage, posts: pa.Table) -> tuple[pa.Table, float]:
    """Return the posts with the stage's columns and the processor seconds it took, in batches as a run has them."""
    start = time.process_time()
    made = [stage.run(posts.slice(at, BATCH)) for at in range(0, posts.num_rows, BATCH)]
    return pa.concat_tables(made), time.process_time() - start


def wall_of(stages: list[Stage], posts: pa.Table, threads: int) -> float:
    """Return the seconds that all stages take together on ``threads``."""
    batches = [posts.slice(at, BATCH) for at in range(0, posts.num_rows, BATCH)]
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda batch: run_stages(stages, batch).num_rows, batches))
    return time.perf_counter() - start


def main() -> int:
    """Measure and write the table; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=200_000)
    options = parser.parse_args()
    texts = real_texts()
    kind = "real" if texts is not None else "invented"
    texts = texts if texts is not None else invented_texts()
    posts = posts_of(texts, options.posts)
    n_bytes = pa.compute.sum(pa.compute.binary_length(posts.column("text"))).as_py() / posts.num_rows
    with tempfile.TemporaryDirectory() as folder:
        stages = [
            *default_stages(Settings()),
            MatchRules((own_terms(N_TERMS),)),
            listed(Path(folder)),
        ]
        run_stages(stages, posts.slice(0, 2000))  # compile
        lines = ["| stage | posts/s on one core | share |", "|---|---|---|"]
        rows, made = [], posts
        for stage in stages:
            made, seconds = cpu_of(stage, made)
            rows.append((type(stage).__name__, seconds))
        total = sum(seconds for _, seconds in rows)
        lines += [
            f"| {name} | {posts.num_rows / seconds:,.0f} | {100 * seconds / total:.0f} % |" for name, seconds in rows
        ]
        lines.append(f"| all | {posts.num_rows / total:,.0f} | |")
        small = posts.slice(0, posts.num_rows // 10)
        wall_small, wall = wall_of(stages, small, 2), wall_of(stages, posts, 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    text = "\n".join(
        [
            "# Reading and matching\n",
            f"    python bench/read.py --posts {options.posts}\n",
            f"{posts.num_rows:,} posts of {kind} texts, {n_bytes:.0f} bytes each; {N_TERMS:,} terms of an operator beside the shipped rules; "
            f"{N_LISTED:,} addresses, {N_LISTED:,} hashes and 1,000 texts listed. Batches of {BATCH:,}.\n",
            *lines,
            f"\nTwo threads: **{posts.num_rows / wall:,.0f} posts/s** ({wall:.2f} s). Ten times the posts cost {wall / wall_small:.1f} times as much. "
            f"Largest memory of the process {peak:,.0f} MiB, all posts held in memory included.",
        ]
    )
    (ROOT / "docs" / "figures" / "read.md").write_text(text + "\n", "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

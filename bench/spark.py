"""One run on this machine and one on Spark, over the same posts, compared table by table. Writes docs/figures/spark.md.

    python bench/spark.py [--posts 100000] [--out docs/figures/spark.md]

Posts are those of bench/make_posts.py. Memory is that of all processes of a run together (proportional set size),
sampled every half second.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

TABLES = {
    "members": ["post_key"],
    "text_pairs": ["text_a", "text_b"],
    "narratives": ["narrative_key"],
    "tellings": ["telling_key"],
    "stories": ["story_key"],
    "theme_members": ["story_key"],
    "themes": ["theme_key"],
    "versions": ["narrative_key", "text_key"],
    "wires": ["source", "agency"],
    "wire_copies": ["narrative_key", "agency"],
    "copy_network": ["from_source", "to_source"],
    "influence": ["narrative_key", "trace", "platform_from", "platform_to"],
    "copies": ["from_post", "to_post", "kind"],
    "origins": ["narrative_key"],
    "amplifiers": ["narrative_key", "source"],
    "co_shares": ["source_a", "source_b"],
    "coordination": ["group_id"],
}
"""Derived tables, and the columns that name a row."""

NAMES = {"java": "driver, Java", "executor": "executors, Java", "worker": "executors, Python", "python": "bastau"}


@dataclass(frozen=True)
class Run:
    """One `bastau run`: seconds, its own report, and by kind of process the largest sum of memory in MiB."""

    wall_s: float
    report: dict[str, Any]
    peak_mib: dict[str, float]


def measured_run(engine: str, home: Path) -> Run:
    command = [sys.executable, "-m", "bastau", "run", "--engine", engine, "--json", "--home", str(home)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peaks: dict[str, float] = {}
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.5):
            now: dict[str, float] = {}
            for pid in family(process.pid):
                kind = kind_of(pid)
                now[kind] = now.get(kind, 0.0) + proportional_mib(pid)
            now["all"] = sum(now.values())
            for kind, size in now.items():
                peaks[kind] = max(peaks.get(kind, 0.0), size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, errors = process.communicate()
    stop.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"bastau run --engine {engine}: {errors}")
    return Run(time.perf_counter() - start, json.loads(out), peaks)


def family(root: int) -> list[int]:
    """Return the process and all that it started."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, ahead = [], [root]
    while ahead:
        pid = ahead.pop()
        found.append(pid)
        ahead += parents.get(pid, [])
    return found


def kind_of(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return "python"
    if "CoarseGrainedExecutorBackend" in command:
        return "executor"
    if "pyspark.daemon" in command or "pyspark/daemon" in command:
        return "worker"
    return "java" if "java" in command.split("\0", 1)[0] else "python"


def proportional_mib(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def compare(one: Path, other: Path) -> list[dict[str, Any]]:
    rows = []
    for table, key in TABLES.items():
        a, b = (pq.read_table(generation(home) / f"{table}.parquet") for home in (one, other))
        frames = [pl.from_arrow(t.sort_by([(name, "ascending") for name in key])) for t in (a, b)]
        left, right = frames
        differing, largest = 0, 0.0
        if left.height == right.height:
            is_other = pl.Series([False] * left.height, dtype=pl.Boolean)
            for name in left.columns:
                if left[name].dtype.is_float():
                    gap = ((left[name] - right[name]).abs() / left[name].abs().clip(1e-300)).fill_null(0.0)
                    largest = max(largest, gap.max() or 0.0)
                    is_other |= (gap > 1e-9) | (left[name].is_null() != right[name].is_null())
                else:
                    is_other |= ~left[name].eq_missing(right[name])
            differing = int(is_other.sum())
        rows.append(
            {
                "table": table,
                "local": left.height,
                "spark": right.height,
                "same_schema": a.schema.equals(b.schema, check_metadata=True),
                "differing": differing,
                "largest": largest,
            }
        )
    return rows


def generation(home: Path) -> Path:
    return home / "generations" / (home / "generations" / "CURRENT").read_text()


def page(
    n_posts: int, texts: str, runs: dict[str, Run], tables: list[dict[str, Any]], load: float, command: str
) -> str:
    is_same = all(row["local"] == row["spark"] and row["same_schema"] and not row["differing"] for row in tables)
    local, spark = runs["local"], runs["spark"]
    lines = [
        "# Spark",
        "",
        f"    {command}",
        "",
        f"{n_posts:,} posts from {texts} texts, read and grouped once by the local engine and once by Spark on the same machine",
        f"(`local-cluster[2,1,2048]`: two executors of one core in processes of their own; {os.cpu_count()} cores in all, shared with the driver).",
        f"Load average before the run, from other work on the machine: {load:.1f}; below 1 the seconds are Spark's own.",
        "One machine shows that the answers agree and what Spark itself costs. It does not show how a cluster scales.",
        "",
        f"All tables equal: **{'yes' if is_same else 'NO'}** ({spark.report['n_narratives']:,} narratives, {spark.report['n_groups']} groups).",
        "",
        "| table | rows, local | rows, Spark | same types | rows that differ | largest relative difference of a number |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['table']} | {row['local']:,} | {row['spark']:,} | {'yes' if row['same_schema'] else 'NO'} | {row['differing']} | {row['largest']:.0e} |"
        if row["largest"]
        else f"| {row['table']} | {row['local']:,} | {row['spark']:,} | {'yes' if row['same_schema'] else 'NO'} | {row['differing']} | none |"
        for row in tables
    ]
    lines += [
        "",
        "Rows are compared by their keys; numbers with fractions to 1e-9.",
        "",
        "| step | local, s | Spark, s | runs |",
        "|---|---|---|---|",
    ]
    where = {"read": "executors", "narratives": "driver", "load state": "driver", "store narratives": "driver"}
    where |= {"prepare": "driver", "put in force": "driver"}
    for step, seconds in spark.report["seconds"].items():
        took = local.report["seconds"].get(step, 0.0)
        lines.append(f"| {step} | {took:.2f} | {seconds:.2f} | {where.get(step, 'executors')} |")
    lines += [
        f"| whole command, start of Spark included | {local.wall_s:.1f} | {spark.wall_s:.1f} | |",
        "",
        "| largest memory | local, MiB | Spark, MiB |",
        "|---|---|---|",
    ]
    for kind, name in NAMES.items():
        if kind in spark.peak_mib:
            lines.append(f"| {name} | {local.peak_mib.get(kind, 0):,.0f} | {spark.peak_mib[kind]:,.0f} |")
    lines.append(f"| all together | {local.peak_mib['all']:,.0f} | {spark.peak_mib['all']:,.0f} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "figures" / "spark.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bastau-spark-bench-") as name:
        folder = Path(name)
        posts = folder / "posts.ndjson"
        make = [
            sys.executable,
            Path(__file__).with_name("make_posts.py"),
            "--posts",
            str(options.posts),
            "--out",
            posts,
        ]
        made = subprocess.run(make, check=True, capture_output=True, text=True).stdout
        texts = "real" if "real texts" in made else "invented"
        stored = folder / "local"
        subprocess.run(
            [sys.executable, "-m", "bastau", "import", posts, "--quiet", "--home", stored],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        homes = {"local": stored, "spark": Path(shutil.copytree(stored, folder / "spark"))}
        load = os.getloadavg()[0]
        runs = {engine: measured_run(engine, home) for engine, home in homes.items()}
        tables = compare(homes["local"], homes["spark"])
    text = page(options.posts, texts, runs, tables, load, f"python bench/spark.py --posts {options.posts}")
    options.out.write_text(text, "utf-8")
    print(text)
    return 0 if "**yes**" in text else 1


if __name__ == "__main__":
    sys.exit(main())

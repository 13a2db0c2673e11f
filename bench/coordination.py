"""Coordination against coordination-network-toolkit, and a trending object. Writes docs/figures/coordination.md.

    python bench/coordination.py [N_SHARES]

Real shares (../shared/data/coord-russian-retweets), repeated with ids of their own and one day later each time until
there are N_SHARES. Each measurement runs in a process of its own, so that peak memory is its own.
"""

import contextlib
import csv
import gc
import gzip
import io
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("BASTAU_SHARED_DATA", ROOT.parent / "shared" / "data"))
WINDOW_S = 60
DAY_S = 86_400


def real_shares(n: int) -> pa.Table:
    from bastau.hashing import hash_strings
    from bastau.schemas import SHARES

    with gzip.open(DATA / "coord-russian-retweets" / "shares.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    n_copies = -(-n // len(rows))
    copy = np.repeat(np.arange(n_copies), len(rows))[:n]
    row = np.tile(np.arange(len(rows)), n_copies)[:n]
    source = [f"{rows[i]['account_id']}-{c}" for i, c in zip(row, copy, strict=True)]
    target = pa.array([f"{rows[i]['object_id']}-{c}" for i, c in zip(row, copy, strict=True)])
    at = np.array([int(r["timestamp_share"]) for r in rows])[row] + copy * DAY_S
    columns = [source, ["repost"] * n, hash_strings(target), at * 1_000_000, np.arange(n)]
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, SHARES, strict=True)], schema=SHARES)


def ours(n: int, least: int) -> dict[str, float]:
    from bastau.sources.coordination import as_numbers, co_share_pairs

    table = real_shares(n)
    co_share_pairs(table.slice(0, 10), WINDOW_S)  # imports are not what is compared
    start, used = time.perf_counter(), cpu_s()
    pairs = co_share_pairs(table, WINDOW_S, min_objects=least)
    done, used = time.perf_counter(), cpu_s() - used
    as_numbers(table)  # its loading: strings to numbers
    load_s = time.perf_counter() - done
    return {
        "load_s": load_s,
        "compute_s": done - start - load_s,
        "cpu_s": used,
        "pairs": pairs.num_rows,
        "mib": peak_mib(),
    }


def toolkit(n: int, least: int) -> dict[str, float]:
    """Load the shares as links of messages by the quickest way its tables allow, then its co_link network."""
    import sqlite3

    from coordination_network_toolkit.compute_networks import compute_co_link_network
    from coordination_network_toolkit.database import initialise_db

    table = real_shares(n)
    at = table.column("shared_at").cast(pa.int64()).to_numpy() // 1_000_000
    columns = [table.column(name).to_pylist() for name in ("post_key", "object_key", "source")]
    rows = [(key, str(url), int(t), user) for key, url, user, t in zip(*columns, at, strict=True)]
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = str(Path(folder) / "toolkit.db")
        start = time.perf_counter()
        db = initialise_db(path)
        with contextlib.closing(db):
            db.execute("begin")
            db.executemany("insert into message_url values (?, ?, ?, ?)", rows)
            db.execute("insert into edge (message_id, user_id) select message_id, user_id from message_url")
            db.execute("commit")
        loaded, used = time.perf_counter(), cpu_s()
        compute_co_link_network(path, WINDOW_S, n_threads=2, min_edge_weight=least)
        done = time.perf_counter()
        # its worker processes are counted once they have ended, which its dropped pool makes them do
        gc.collect()
        time.sleep(2)
        used = cpu_s() - used
        with contextlib.closing(sqlite3.connect(path)) as db:
            query = "select count(*) from co_link_network where user_1 < user_2"
            (pairs,) = db.execute(query).fetchone()
    return {"load_s": loaded - start, "compute_s": done - loaded, "cpu_s": used, "pairs": pairs}


def oracle() -> bool:
    from bastau.evaluate.coordination import brute_force_pairs
    from bastau.sources.coordination import co_share_pairs

    table = real_shares(35_125)
    found = co_share_pairs(table, WINDOW_S, min_objects=1).to_pylist()
    return {(r["source_a"], r["source_b"]): r["n_objects"] for r in found} == brute_force_pairs(table, WINDOW_S)


def trending() -> dict[str, float]:
    """One link shared 200,000 times in an hour by 150,000 accounts, two more 50,000 times, and two groups of twelve."""
    import ibis

    from bastau.settings import Sources
    from bastau.sources.coordination import N_TESTS, co_shares
    from bastau.sources.groups import adjust

    table = trending_shares(np.random.default_rng(0))
    con = ibis.duckdb.connect(threads=2, memory_limit="2GB")
    con.raw_sql("SET timezone = 'UTC'")
    shares = con.create_table("shares", table)

    def keep(expression: ibis.ir.Table) -> ibis.ir.Table:
        return con.create_table(ibis.util.gen_name("kept"), expression, temp=True)

    before, start, used = peak_mib(), time.perf_counter(), cpu_s()
    pairs = co_shares(shares, keep=keep, settings=Sources())
    adjusted = adjust(pairs.column("p_value").to_numpy(), int(pairs.schema.metadata[N_TESTS]))
    seconds, used = time.perf_counter() - start, cpu_s() - used
    kept = pairs.filter(pa.array(adjusted <= Sources().max_q)).to_pylist()
    ends = [(row["source_a"][0], row["source_b"][0]) for row in kept]
    return {
        "shares": table.num_rows,
        "compute_s": seconds,
        "processor_s": used,
        "mib": peak_mib() - before,
        "three hot links": ends.count(("g", "g")),
        "a hot and two ordinary links": ends.count(("h", "h")),
        "false": sum(end not in (("g", "g"), ("h", "h")) for end in ends),
    }


def trending_shares(rng: np.random.Generator) -> pa.Table:
    from bastau.schemas import SHARES

    source: list[str] = []
    what: list[np.ndarray] = []
    at: list[np.ndarray] = []

    def add(sources: list[str], link: int, times: np.ndarray) -> None:
        source.extend(sources)
        what.append(np.full(len(sources), link))
        at.append(times)

    for link, n, n_sources in ((0, 200_000, 150_000), (1, 50_000, 150_000), (2, 50_000, 150_000)):
        crowd = rng.integers(0, n_sources, n) + link * 150_000
        add([f"c{i}" for i in crowd], link, rng.integers(0, 3600, n))
    for link, moment in ((0, 700), (1, 1703), (2, 2511)):
        add([f"g{i}" for i in range(12)], link, moment + rng.integers(0, 6, 12))
    for link, moment in ((0, 900), (10, 20_000), (11, 50_000)):
        add([f"h{i}" for i in range(12)], link, moment + rng.integers(0, 6, 12))
    times = (1_700_000_000 + np.concatenate(at)) * 1_000_000
    columns = [source, ["link"] * len(source), np.concatenate(what), times, np.arange(len(source))]
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, SHARES, strict=True)], schema=SHARES)


def cpu_s() -> float:
    """Processor seconds of this process and its finished children: unlike elapsed time, the same on a busy machine."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def apart(function: Callable[..., Any], *args: Any) -> Any:
    """Run ``function`` in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result"
        process = multiprocessing.get_context("spawn").Process(target=_write, args=(path, function, args))
        process.start()
        process.join()
        return json.loads(path.read_text())


def _write(path: Path, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    path.write_text(json.dumps(function(*args)))


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    lines = [
        "# Coordination",
        "",
        "Made by `python bench/coordination.py`, two threads; window 60 s. The toolkit is coordination-network-toolkit, its",
        "`co_link` network; loading is the quickest insert that its tables allow, without its own parsing.",
        "",
        "| shares | least objects | bastau load | compute | processor, both | peak memory, input and all | pairs | "
        "toolkit load | compute | processor | pairs | compute ratio | processor ratio | ratio with loading |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for size, least in ((n // 10, 2), (n, 2), (n, 1)):
        mine, theirs = apart(ours, size, least), apart(toolkit, size, least)
        ratio = theirs["compute_s"] / mine["compute_s"]
        cpu_ratio = theirs["cpu_s"] / mine["cpu_s"]
        loaded = (theirs["load_s"] + theirs["compute_s"]) / (mine["load_s"] + mine["compute_s"])
        lines.append(
            f"| {size:,} | {least} | {mine['load_s']:.2f} s | {mine['compute_s']:.2f} s | {mine['cpu_s']:.2f} s | {mine['mib']:,} MiB | "
            f"{mine['pairs']:,} | {theirs['load_s']:.1f} s | {theirs['compute_s']:.1f} s | {theirs['cpu_s']:.1f} s | "
            f"{theirs['pairs']:,} | {ratio:.0f} | {cpu_ratio:.0f} | {loaded:.0f} |"
        )
    lines += [
        "",
        "With two as the least the toolkit counts messages and bastau distinct objects, so the pairs differ; with one they",
        "are the same pairs.",
        "",
        f"Pairs and counts of all 35,125 real shares equal comparing every two shares: **{apart(oracle)}**.",
        "",
        "## A trending object",
        "",
        trending.__doc__ or "",
        "",
        "| | |",
        "|---|---|",
        *(
            f"| {name} | {value:,.2f} |" if isinstance(value, float) else f"| {name} | {value:,} |"
            for name, value in apart(trending).items()
        ),
        "",
        "Of each group 66 pairs are true.",
        "",
    ]
    path = ROOT / "docs" / "figures" / "coordination.md"
    path.write_text("\n".join(lines), "utf-8")
    sys.stdout.write(path.read_text("utf-8"))


if __name__ == "__main__":
    main()

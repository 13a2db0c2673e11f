"""Watching a farm of sources on the loopback for a while; writes docs/figures/watching.md.

    python bench/watching.py [--sources 60000] [--minutes 60] [--seed 7] [--port 8700] [--keep DIR] [--kills N]

The farm (bench/source_farm.py) runs beside, in a process of its own whose processor time is counted apart. What must be found follows from the farm's seed.
With --kills the watching process is killed (-9) so many times, at random moments, and started again.
"""

import argparse
import datetime as dt
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import source_farm

from bastau.home import Home
from bastau.watching import open_store

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "figures" / "watching.md"
TICKS = os.sysconf("SC_CLK_TCK")
GRACE_S = 900.0
"""Posts younger than this at the end need not have been seen."""
SETTINGS = """
[network]
allow_private = true
contact = "mailto:nobody@example.org"
"""


@dataclass
class Samples:
    """Processor seconds and memory of the watching process."""

    cpu_s: float = 0.0
    most_mib: float = 0.0
    seen: list[tuple[float, float, float]] = field(default_factory=list)

    def add(self, pid: int, before_s: float) -> None:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        self.cpu_s = before_s + (int(stat[11]) + int(stat[12])) / TICKS
        mib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
        self.most_mib = max(self.most_mib, mib)
        self.seen.append((time.time(), self.cpu_s, mib))


def start_farm(given: argparse.Namespace, start: float) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        str(ROOT / "bench" / "source_farm.py"),
        "--sources",
        str(given.sources),
        "--port",
        str(given.port),
    ]
    command += ["--seed", str(given.seed), "--start", str(start)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def bastau(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "bastau", *arguments, "--home", str(home), "--quiet"]


def make_home(folder: Path, farm: source_farm.Farm) -> Path:
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "bastau.toml").write_text(SETTINGS)
    lines = ["address,collector"]
    lines += [f"{farm.address(i)},{'sitemap' if farm.kinds[i] == 'news_sitemap' else 'feed'}" for i in range(farm.n)]
    (folder / "sources.csv").write_text("\n".join(lines))
    subprocess.run(
        bastau(home, "add", str(folder / "sources.csv"), "--unseen", "--yes", "--json"),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return home


def watch(home: Path, given: argparse.Namespace, log: Path) -> tuple[Samples, dict[str, Any], float, float]:
    """Watch for the time given, with kills; return samples, the last answer, and begin and end."""
    samples, rng = Samples(), random.Random(given.seed)
    began = time.time()
    end = began + given.minutes * 60
    kills = sorted(rng.uniform(began + 30, end - 60) for _ in range(given.kills))
    answer: dict[str, Any] = {}
    while time.time() < end - 5:
        with log.open("ab") as errors:
            process = subprocess.Popen(
                bastau(home, "watch", "--json", "--for", f"{max(5, end - time.time()):.0f}s"),
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        before_s = samples.cpu_s
        while process.poll() is None:
            samples.add(process.pid, before_s)
            if kills and time.time() > kills[0]:
                kills.pop(0)
                process.send_signal(signal.SIGKILL)
                process.wait()
                break
            time.sleep(min(5.0, max(0.2, (kills[0] if kills else end + 60) - time.time())))
        else:
            assert process.stdout is not None
            answer = json.loads(process.stdout.read() or b"{}")
            if process.returncode:
                raise SystemExit(f"watch ended with {process.returncode}; see {log}")
    return samples, answer, began, time.time()


def judge(home: Path, farm: source_farm.Farm, began: float, ended: float) -> dict[str, Any]:
    """Compare the lake with what the farm published."""
    posts = Home.open(home).lake.read("posts", ["post_id", "url", "collected_at"])
    n_doubled = posts.num_rows - len(set(posts.column("post_id").to_pylist()))
    when = posts.column("collected_at").cast("int64").to_numpy() / 1e6
    seen: dict[str, float] = {}
    for url, at in zip(posts.column("url").to_pylist(), when.tolist(), strict=True):
        seen[url] = min(at, seen.get(url, at))
    truth = source_farm.posts_between(farm, began, ended - GRACE_S)
    lost: Counter[str] = Counter()
    late: dict[str, list[float]] = {}
    for i, url, published in truth:
        kind = str(farm.kinds[i])
        if url in seen:
            late.setdefault(kind, []).append(seen[url] - published)
        else:
            lost[kind] += 1
    everything = np.array([value for values in late.values() for value in values])
    with open_store(Home.open(home)) as store:
        sources = store.sources()
    live = [s for i, s in enumerate(sorted(sources, key=lambda s: s.source_id)) if farm.kinds[i] in source_farm.LIVE]
    unvisited = np.array([ended - (s.succeeded_at or 0) for s in live])
    return {
        "n_posts": posts.num_rows, "n_doubled": n_doubled, "n_truth": len(truth), "lost": dict(lost),
        "lateness_s": {k: (float(np.median(v)), float(np.quantile(v, 0.99)), float(np.max(v)), len(v)) for k, v in sorted(late.items())},
        "all_s": tuple(float(q) for q in np.quantile(everything, [0.5, 0.95, 0.99, 1.0])) if len(everything) else (),
        "n_live": len(live), "unvisited_over_bound": int((unvisited > 900).sum()), "most_unvisited_s": float(unvisited.max()),
        "over_bound": int((everything > 900).sum()), "n_gaps": sum(s.n_gaps for s in sources),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=60_000)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--port", type=int, default=8700)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--no-page", action="store_true", help="print the figures only")
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="bastau-farm-"))
    folder.mkdir(parents=True, exist_ok=True)
    start = time.time()
    farm = source_farm.make_farm(given.sources, seed=given.seed, start=start, port=given.port)
    server = start_farm(given, start)
    try:
        home = make_home(folder, farm)
        samples, answer, began, ended = watch(home, given, folder / "watch.log")
        with urllib.request.urlopen(f"http://127.1.0.1:{given.port}/__farm__", timeout=60) as page:
            asked = json.loads(page.read())
    finally:
        server.terminate()
        server.wait()
    result = judge(home, farm, began, ended)
    wall = ended - began
    figures = {
        "sources": given.sources, "minutes": round(wall / 60, 1), "kills": given.kills, "cpu_s": round(samples.cpu_s, 1),
        "cpu_share_of_two_cores": round(samples.cpu_s / wall / 2, 4), "most_mib": round(samples.most_mib), "farm": asked, "watch": answer, **result,
    }  # fmt: skip
    print(json.dumps(figures, indent=1))
    if not given.no_page:
        with OUT.open("a", encoding="utf-8") as page:
            page.write(table(figures))
    if given.keep is None:
        shutil.rmtree(folder, ignore_errors=True)


def table(f: dict[str, Any]) -> str:
    day = dt.datetime.now(dt.UTC).date()
    rows = [
        ("sources, of them live", f"{f['sources']:,}, {f['n_live']:,}"),
        ("watched for", f"{f['minutes']} min, killed {f['kills']} times"),
        ("posts published, with 15 min to be seen", f"{f['n_truth']:,}"),
        ("lost", str(sum(f["lost"].values()) if f["lost"] else 0) + (f" ({f['lost']})" if f["lost"] else "")),
        ("doubled", str(f["n_doubled"])),
        ("seen after, median / 95 % / 99 % / most", " / ".join(f"{s:.0f} s" for s in f["all_s"])),
        ("seen later than 15 min", f"{f['over_bound']:,}"),
        (
            "live sources unvisited for over 15 min at the end",
            f"{f['unvisited_over_bound']} (most {f['most_unvisited_s'] / 60:.1f} min)",
        ),
        ("processor time of bastau", f"{f['cpu_s']:.0f} s, {100 * f['cpu_share_of_two_cores']:.1f} % of two cores"),
        ("memory of bastau, most", f"{f['most_mib']:,} MiB"),
        (
            "requests, per processor second of bastau",
            f"{f['farm']['requests']:,}, {f['farm']['requests'] / max(f['cpu_s'], 0.1):.0f}",
        ),
        ("answered 304", f"{f['farm']['not_modified']:,}"),
        ("most requests at once for one host", str(f["farm"]["most_at_once"])),
        ("asked again too soon (429)", f"{f['farm']['refused_as_too_many']:,}"),
        ("processor time of the farm", f"{f['farm']['cpu_s']:.0f} s"),
    ]
    lines = [
        f"\n## {f['sources']:,} sources, {f['minutes']} minutes ({day})\n",
        "| | |",
        "| --- | --- |",
        *(f"| {a} | {b} |" for a, b in rows),
    ]
    lines += ["\n| kind | posts | seen after (median) | 99 % | most | lost |", "| --- | --- | --- | --- | --- | --- |"]
    lines += [
        f"| {kind} | {n:,} | {mid:.0f} s | {high:.0f} s | {most:.0f} s | {f['lost'].get(kind, 0)} |"
        for kind, (mid, high, most, n) in f["lateness_s"].items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

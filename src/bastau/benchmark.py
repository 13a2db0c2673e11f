"""Speed of the whole way on this machine: generated posts through the commands that users call, one process each."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from bastau.errors import BastauError
from bastau.simulate.scale import scale_posts


@dataclass(frozen=True)
class Measured:
    """One command: wall seconds, processor seconds, and the largest memory of its process in bytes."""

    command: str
    wall_s: float
    cpu_s: float
    peak_bytes: int
    answer: dict[str, Any]


def measure(*arguments: str, home: Path) -> Measured:
    """Run one bastau command in a process of its own.

    Raises:
        BastauError: it failed.
    """
    command = [sys.executable, "-m", "bastau", *arguments, "--json", "--home", str(home)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=errors)  # noqa: S603 - our own command
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - start
        out.seek(0)
        errors.seek(0)
        if process.returncode:
            raise BastauError(f"bastau {arguments[0]} failed: {errors.read().decode()[-500:]}")
        answer = json.loads(out.read())
    return Measured(arguments[0], wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, answer)


def write_ndjson(tables: Iterator[pa.Table], path: Path) -> int:
    """Write posts as NDJSON without their empty fields' names; return the number of posts."""
    n_posts = 0
    with path.open("wb") as sink:
        for table in tables:
            frame = pl.from_arrow(table)
            assert isinstance(frame, pl.DataFrame)
            times = [
                pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name, t in frame.schema.items() if t == pl.Datetime
            ]
            frame.with_columns(times).write_ndjson(sink)
            n_posts += frame.height
    return n_posts


def whole_way(
    n_posts: int, folder: Path, texts: Sequence[str], *, seed: int, note: Callable[[str], None]
) -> dict[str, Any]:
    """Import, process, export and trace ``n_posts``, then 10,000 more on top; return the figures."""
    home = folder / "home"
    note("generate posts")
    write_ndjson(scale_posts(texts, n_posts, seed), folder / "posts.ndjson")
    n_more = min(10_000, n_posts)
    write_ndjson(_renamed(scale_posts(texts, n_more, seed + 1)), folder / "more.ndjson")
    steps = []
    for arguments in (
        ("import", str(folder / "posts.ndjson")),
        ("run",),
        *(("export", what, "-o", str(folder / f"{what}{end}")) for what, end in _EXPORTS),
    ):
        note(" ".join(arguments[:2]))
        steps.append(measure(*arguments, home=home))
    note("trace")
    query = _some_text(folder / "narratives.ndjson")
    traces = [measure("trace", query, "--html", str(folder / "trace.html"), home=home) for _ in range(3)]
    note("10,000 more")
    more = [measure("import", str(folder / "more.ndjson"), home=home), measure("run", home=home)]
    wall_s = sum(step.wall_s for step in steps)
    return {
        "n_posts": n_posts,
        "wall_s": round(wall_s, 2),
        "posts_per_s": round(n_posts / wall_s),
        "peak_gib": round(max(step.peak_bytes for step in steps) / 2**30, 2),
        "steps": [_row(step) for step in steps],
        "run_steps_s": steps[1].answer["seconds"],
        "n_narratives": steps[1].answer["n_narratives"],
        "n_groups": steps[1].answer["n_groups"],
        "trace_s": round(sorted(t.wall_s for t in traces)[1], 2),
        "more": {"n_posts": n_more, "import_s": round(more[0].wall_s, 2), "run_s": round(more[1].wall_s, 2)},
        "more_steps_s": more[1].answer["seconds"],
        "more_peak_gib": round(max(m.peak_bytes for m in more) / 2**30, 2),
    }


_EXPORTS = (("narratives", ".ndjson"), ("coordination", ".ndjson"), ("graph", ".graphml"), ("posts", ".ndjson"))


def _row(step: Measured) -> dict[str, Any]:
    name = " ".join([step.command, Path(str(step.answer.get("path", ""))).stem]).strip()
    return {
        "step": name,
        "wall_s": round(step.wall_s, 2),
        "cpu_s": round(step.cpu_s, 2),
        "peak_gib": round(step.peak_bytes / 2**30, 2),
    }


def _renamed(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Give the posts of a second set ids that the first has not."""
    for table in tables:
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        yield frame.with_columns(pl.col("post_id", "repost_of") + "-more").to_arrow()


def _some_text(narratives: Path) -> str:
    with narratives.open("rb") as lines:
        best: dict[str, Any] = max(
            (json.loads(line) for line, _ in zip(lines, range(5000), strict=False)), key=lambda n: n["n_posts"]
        )
    return str(best["text"])[:280]


def bench(
    n_posts: int, *, texts: Sequence[str] | None = None, seed: int = 1, progress: Callable[[str], None]
) -> tuple[dict[str, Any], list[str]]:
    """Measure :func:`whole_way` in a temporary folder; return the figures and lines for people."""
    folder = Path(tempfile.mkdtemp(prefix="bastau-bench-"))
    try:
        figures = whole_way(n_posts, folder, texts or invented_texts(), seed=seed, note=progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    lines = [
        f"{n_posts} posts, whole way: {figures['wall_s']} s, {figures['posts_per_s']} posts/s, peak {figures['peak_gib']} GiB",
        *(f"  {row['step']:22s} {row['wall_s']:8.2f} s  {row['peak_gib']:5.2f} GiB" for row in figures["steps"]),
        "of which run:",
        *(f"  {step:22s} {seconds:8.2f} s" for step, seconds in figures["run_steps_s"].items()),
        f"trace: {figures['trace_s']} s; {figures['more']['n_posts']} posts more: import {figures['more']['import_s']} s, run {figures['more']['run_s']} s",
    ]
    return figures, lines


def invented_texts() -> list[str]:
    """Return texts of the demo's invented world."""
    from bastau.simulate.world import generate

    texts = generate(6000, seed=1).posts.column("text").to_pylist()
    return [text for text in dict.fromkeys(texts) if text]

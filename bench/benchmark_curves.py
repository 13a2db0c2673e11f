"""The benchmark of bastau.simulate: all levels on seeds never used in development, and curves. Writes docs/figures/benchmark.md and .svg.

    python bench/benchmark_curves.py WORK [--only test|curves]

Each simulation is imported and processed in a home of its own with ``min_audience = 0``, exported, and judged as `bastau
evaluate` does. Figures of a simulation are kept in the folder WORK, so that the script can be stopped and started again.
"""

import argparse
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bastau.engine import open_engine
from bastau.evaluation import against_truth
from bastau.home import Home
from bastau.intake import import_file
from bastau.pipeline import run
from bastau.simulate.benchmark import generate_benchmark
from bastau.simulate.levels import LEVELS, level_named
from bastau.simulate.world import write

FIGURES = Path(__file__).resolve().parents[1] / "docs" / "figures"
TEST_SEEDS = (9201, 9202, 9203)
CURVE_SEED = 5001
SMALL = {"n_narratives": 120, "n_background": 5000}
CURVES = {
    "jitter_s": (0, 20, 60, 240, 600, 1800),
    "paraphrase": (0, 10, 20, 40, 60),
    "missing": (0, 5, 15, 30, 45),
}
NAMES = {
    "jitter_s": "jitter of coordinated events, seconds",
    "paraphrase": "pasted copies in other words, %",
    "missing": "posts lost at random, %",
}


def measure(level: str, seed: int, work: Path, **knobs: int) -> dict[str, Any]:
    """Return the figures of one simulation, from WORK where they are."""
    name = "-".join([level, str(seed), *(f"{key}={value}" for key, value in knobs.items())])
    kept = work / f"{name}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text("utf-8")))
    simulation = generate_benchmark(level_named(level, **knobs), seed)
    with tempfile.TemporaryDirectory(prefix="bastau-") as folder:
        root = Path(folder)
        (root / "bastau.toml").write_text("[publishers]\nmin_audience = 0\n", "utf-8")
        write(simulation, root)
        home = Home.open(root, create=True)
        import_file(home, root / "posts.ndjson", now=datetime(2026, 1, 1, tzinfo=UTC))
        engine = open_engine(home.settings.engine)
        try:
            run(home, engine)
        finally:
            engine.close()
        answer = {
            "n_posts": simulation.posts.num_rows,
            **{task: against_truth(home, task, root)[0] for task in ("narratives", "origin", "coordination")},
        }
    kept.write_text(json.dumps(answer), "utf-8")
    print(name, flush=True)
    return answer


def pooled(rows: list[dict[str, Any]], block: str) -> dict[str, Any]:
    """Return the origin figures of several simulations taken together, under the names of OriginFigures."""
    parts = [row["origin"][block] for row in rows]
    total = {name: sum(part[name] for part in parts) for name in parts[0] if name.startswith("n_")}
    bins: dict[str, list[float]] = {}
    for part in parts:
        for name, one in part["reliability"].items():
            at = bins.setdefault(name, [0, 0.0, 0.0])
            at[0] += one["n"]
            at[1] += one["n"] * one["confidence"]
            at[2] += one["n"] * one["right"]
    named = max(total["n_named"], 1)
    return (
        total
        | {
            "first": total["n_first"] / max(total["n_observed"], 1),
            "in_three": total["n_in_three"] / max(total["n_observed"], 1),
            "rightly_abstained": total["n_rightly_abstained"] / max(total["n_withheld"], 1),
            "calibration_error": sum(abs(c - r) for _, c, r in bins.values()) / named,
            "brier": sum(part["n_named"] * (part["brier"] or 0.0) for part in parts) / named,
        }
        | {f"bin {name}": (n, c / n, r / n) for name, (n, c, r) in sorted(bins.items()) if n}
    )


def coordination(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return pair precision and recall, and the share of innocent sets flagged, of several simulations together."""
    parts = [row["coordination"] for row in rows]
    hits = sum(part["pair_recall"] * part["n_true_pairs"] for part in parts)
    return {
        "precision": hits / max(sum(part["n_predicted_pairs"] for part in parts), 1),
        "recall": hits / max(sum(part["n_true_pairs"] for part in parts), 1),
        "n_lookalikes": sum(part["n_lookalikes"] for part in parts),
        "flagged": sum(part["n_flagged"] for part in parts) / sum(part["n_lookalikes"] for part in parts),
    }


def table(heads: list[str], rows: list[list[Any]]) -> str:
    shown = [
        [f"{x:.3f}" if isinstance(x, float) else f"{x:,}" if isinstance(x, int) else str(x) for x in row]
        for row in rows
    ]
    lines = [heads, ["---"] * len(heads), *shown]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def test_part(work: Path) -> str:
    of = {level: [measure(level, seed, work) for seed in TEST_SEEDS] for level in LEVELS}
    parts = [
        "## Test seeds\n",
        f"Seeds {', '.join(map(str, TEST_SEEDS))}, never used in development; the three taken together.",
    ]
    for block, about in (
        ("found, at least 5 posts", "narratives of at least 5 posts"),
        ("found, at least 2 posts", "narratives of at least 2 posts"),
        ("narrative by stories, at least 5 posts", "whole narratives of at least 5 posts, by stories"),
    ):
        rows: list[list[Any]] = []
        for level, measured in of.items():
            f = pooled(measured, block)
            rows.append(
                [level, int(f["n_observed"]), f["in_three"], f["first"], int(f["n_withheld"]), f["rightly_abstained"],
                 int(f["n_named"]), f["calibration_error"], f["brier"]]
            )  # fmt: skip
        heads = ["level", "observed", "top 3", "top 1", "withheld", "abstains", "named", "calibration error", "Brier"]
        parts.append(f"\n### Origin, {about}\n\n{table(heads, rows)}")
    rows = [
        [level, name[4:], n, sure, right]
        for level, measured in of.items()
        for name, (n, sure, right) in (
            (k, v) for k, v in pooled(measured, "found, at least 5 posts").items() if k.startswith("bin ")
        )
    ]
    parts.append(
        "\n### Reliability of the first candidate, at least 5 posts\n\n"
        + table(["level", "confidence", "n", "mean confidence", "right"], rows)
    )
    rows = []
    for level, measured in of.items():
        c = coordination(measured)
        rows.append([level, c["precision"], c["recall"], int(c["n_lookalikes"]), c["flagged"]])
    parts.append(
        "\n### Coordination, pairs of sources\n\n"
        + table(["level", "precision", "recall", "innocent sets", "flagged"], rows)
    )
    rows = []
    for level, measured in of.items():
        for what in ("version", "narrative", "narrative by stories"):
            for alone in ("kept", "dropped"):
                each = [m["narratives"][f"{what}, singletons {alone}"] for m in measured]
                mean = [
                    sum(e[x] for e in each) / len(each)
                    for x in ("ari", "b_cubed_precision", "b_cubed_recall", "b_cubed_f1")
                ]
                rows.append([level, what, alone, *mean])
    heads = ["level", "truth", "singletons", "ARI", "B-cubed precision", "recall", "F1"]
    parts.append(
        "\n### Narratives (near-duplicate narratives against versions and whole narratives)\n\n" + table(heads, rows)
    )
    return "\n".join(parts)


def curves_part(work: Path) -> str:
    parts = [
        "\n## Curves\n",
        f"Level medium, seed {CURVE_SEED}, {SMALL['n_narratives']} narratives, one number moved. With fewer narratives than above less is known of "
        "each publisher's habits, so these figures lie below those of the test.\n\n![curves](benchmark.svg)",
    ]
    lines: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for knob, values in CURVES.items():
        rows: list[list[Any]] = []
        lines[knob] = {}
        for value in values:
            m = measure("medium", CURVE_SEED, work, **SMALL, **{knob: value})
            f, c = pooled([m], "found, at least 5 posts"), coordination([m])
            points = {
                "origin, top 3": f["in_three"],
                "origin, abstains rightly": f["rightly_abstained"],
                "coordination, recall": c["recall"],
                "coordination, precision": c["precision"],
                "narratives, B-cubed F1": m["narratives"]["version, singletons dropped"]["b_cubed_f1"],
            }
            rows.append([value, *points.values(), f["calibration_error"]])
            for name, y in points.items():
                lines[knob].setdefault(name, []).append((float(value), y))
        heads = [NAMES[knob], *lines[knob], "calibration error"]
        parts.append(f"\n### {NAMES[knob]}\n\n{table(heads, rows)}")
    (FIGURES / "benchmark.svg").write_text(plot(lines), "utf-8")
    return "\n".join(parts)


COLOURS = ("#1b6ca8", "#c2571a", "#2e7d4f", "#8a4fa3", "#7a7a7a")


def plot(lines: dict[str, dict[str, list[tuple[float, float]]]]) -> str:
    """Return the curves as one SVG, a panel a knob, values evenly spaced."""
    wide, high, pad = 300, 200, 46
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(lines) * (wide + pad) + pad} {high + 190}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for panel, (knob, curves) in enumerate(lines.items()):
        left, top = pad + panel * (wide + pad), 30
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
            y = top + high * (1 - tick)
            parts.append(f'<line x1="{left}" x2="{left + wide}" y1="{y}" y2="{y}" stroke="#dddddd"/>')
            parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{tick:g}</text>')
        for colour, points in zip(COLOURS, curves.values(), strict=True):
            xs = [left + wide * i / (len(points) - 1) for i in range(len(points))]
            path = " ".join(f"{x:.1f},{top + high * (1 - y):.1f}" for x, (_, y) in zip(xs, points, strict=True))
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        first = next(iter(curves.values()))
        for i, (value, _) in enumerate(first):
            parts.append(
                f'<text x="{left + wide * i / (len(first) - 1):.1f}" y="{top + high + 18}" text-anchor="middle">{value:g}</text>'
            )
        parts.append(f'<text x="{left + wide / 2}" y="{top + high + 38}" text-anchor="middle">{NAMES[knob]}</text>')
    for i, (colour, name) in enumerate(zip(COLOURS, next(iter(lines.values())), strict=True)):
        y = high + 90 + 18 * i
        parts.append(
            f'<rect x="{pad}" y="{y - 9}" width="22" height="4" fill="{colour}"/><text x="{pad + 30}" y="{y}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", choices=("test", "curves"), default="")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    parts = {"test": test_part, "curves": curves_part}
    made = {name: part(options.work) for name, part in parts.items() if options.only in ("", name)}
    if options.only:
        print(made[options.only])
        return
    head = "# Benchmark\n\nMade by `python bench/benchmark_curves.py WORK`. What is measured and how to measure another tool: [the benchmark](../how-to/benchmark.md).\n\n"
    (FIGURES / "benchmark.md").write_text(head + "\n".join(made.values()) + "\n", "utf-8")
    print(f"written to {FIGURES / 'benchmark.md'}")


if __name__ == "__main__":
    main()

"""Fit the weights of bastau.sources.beginnings on simulated posts. Writes src/bastau/sources/firstseen_model.json.

    python bench/benchmark_origin.py WORK [SEED...]

Seeds are those of development (default 1 to 6), at all three levels; 9101 to 9103 and 9201 to 9203 are kept for the test and refused. Evidence is
kept in the folder WORK, so that a second fit is quick. Weights are bounded by their signs; a small L2 term keeps them finite. The last
seeds are held out to choose the least confidence (``[sources] min_confidence``) and to print what to expect.
"""

import json
import pickle
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.optimize import minimize

from bastau.engine import open_engine
from bastau.evaluate.simulation import ask_origins
from bastau.hashing import format_id
from bastau.home import Home
from bastau.intake import import_file
from bastau.narratives.summary import summarise
from bastau.narratives.update import update
from bastau.pipeline import _folded_texts, _new_posts
from bastau.reading import read_batch
from bastau.simulate.benchmark import generate_benchmark
from bastau.simulate.levels import LEVELS, level_named
from bastau.simulate.world import write
from bastau.sources.beginnings import CANDIDATE_SIGNS, OUTSIDE_SIGNS, Evidence, Features, make_features, probabilities
from bastau.sources.copies import copies
from bastau.sources.firstseen import gather, starts_with_data

TEST_SEEDS = (9101, 9102, 9103, 9201, 9202, 9203)
MODEL = Path(__file__).resolve().parents[1] / "src" / "bastau" / "sources" / "firstseen_model.json"
L2 = 0.5
Question = tuple[int, str | None, str]
Case = tuple[Evidence, list[Question]]
"""Evidence, and for each judged row of its heads the true source (None where it is not among the posts) and its name."""


def prepare(level: str, seed: int, work: Path, **knobs: int) -> Case:
    """Return the evidence of one simulation and its questions, made by the stages before first seen."""
    kept = work / f"{level}-{seed}-{'-'.join(f'{k}{v}' for k, v in knobs.items())}.pickle"
    if kept.exists():
        case: Case = pickle.loads(kept.read_bytes())  # written by this script
        return case
    simulation = generate_benchmark(level_named(level, **knobs), seed)
    with tempfile.TemporaryDirectory(prefix="bastau-") as folder:
        root = Path(folder)
        (root / "bastau.toml").write_text("[publishers]\nmin_audience = 0\n", "utf-8")
        write(simulation, root)
        home = Home.open(root, create=True)
        import_file(home, root / "posts.ndjson", now=datetime(2026, 1, 1, tzinfo=UTC))
        batches = sorted({b for f in home.lake.files("posts") for b in f.batches})
        for batch in batches:
            read_batch(batch, lake_root=home.lake_root, settings=home.settings)
        state = update(
            None,
            _new_posts(home.lake, batches),
            lambda keys: _folded_texts(home, keys),
            similarity=home.settings.narratives.similarity,
        )
        generation = home.new_generation(1)
        generation.write("members", state.members)
        engine = open_engine(home.settings.engine)
        try:
            engine.open({**home.sources(), "members": generation.paths("members")})
            posts, readings, members = (engine.table(name) for name in ("posts", "readings", "members"))
            generation.write("narratives", summarise(posts, readings, members, keep=engine.keep))
            edges = copies(
                posts, readings, members, keep=engine.keep, clock_error_s=home.settings.sources.clock_error_s
            )
            generation.write("copies", engine.collect(edges))
            engine.open({name: generation.paths(name) for name in ("narratives", "copies")})
            evidence = gather(
                posts,
                readings,
                members,
                engine.table("narratives"),
                engine.table("copies"),
                keep=engine.keep,
                settings=home.settings.sources,
            )
            ids = engine.collect(posts.select("post_key", "post_id"))
        finally:
            engine.close()
    case = evidence, _questions(evidence, ids, state.members, simulation.truth)
    kept.write_bytes(pickle.dumps(case))
    return case


def _questions(evidence: Evidence, ids: pa.Table, members: pa.Table, truth: Any) -> list[Question]:
    id_of = dict(zip(ids.column("post_key").to_pylist(), ids.column("post_id").to_pylist(), strict=True))
    held: dict[int, list[str]] = {}
    for post_key, narrative in zip(
        members.column("post_key").to_pylist(), members.column("narrative_key").to_pylist(), strict=True
    ):
        if narrative is not None:
            held.setdefault(narrative, []).append(id_of[post_key])
    rows = [{"narrative_id": format_id("n", name), "post_ids": posts} for name, posts in held.items()]
    row_of = {format_id("n", k): i for i, k in enumerate(evidence.heads.column("narrative_key").to_pylist())}
    asked, _ = ask_origins(rows, truth.labels, truth.firsts, level="found", min_posts=2)
    return [
        (
            row_of[name],
            None if first["withheld"] else first["source"],
            f"{first['version']} {truth.why_withheld.get(first['post_id'], '')}",
        )
        for name, _, first in asked
    ]


def fit(cases: list[tuple[Features, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of candidates and of the outside option with the largest penalised likelihood."""
    n_x = len(CANDIDATE_SIGNS)
    limits = {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}
    bounds = [limits[sign] for sign in (*CANDIDATE_SIGNS.values(), *OUTSIDE_SIGNS.values())]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        w, v = weights[:n_x], weights[n_x:]
        total, slope = L2 * float(weights @ weights), 2 * L2 * weights
        for features, target in cases:
            p = probabilities(features, w, v)
            outside = 1 - np.bincount(features.head_of, p, len(features.z))
            judged = target > -2
            inside = target[judged & (target >= 0)]
            none = np.flatnonzero(judged & (target == -1))
            total -= np.log(np.maximum(p[inside], 1e-12)).sum() + np.log(np.maximum(outside[none], 1e-12)).sum()
            mine = judged[features.head_of]
            slope[:n_x] -= features.x[inside].sum(axis=0) - p[mine] @ features.x[mine]
            slope[n_x:] -= features.z[none].sum(axis=0) - outside[judged] @ features.z[judged]
        return total, slope

    start = np.array([sign * 0.1 for sign in (*CANDIDATE_SIGNS.values(), *OUTSIDE_SIGNS.values())])
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 2000})
    return found.x[:n_x], found.x[n_x:]


def targets(case: Case) -> tuple[Features, np.ndarray]:
    """Return features and for each narrative the row of the true candidate, -1: none of them, -2: not judged."""
    evidence, questions = case
    features = make_features(evidence, 60)
    source = np.array(evidence.early.column("source").to_pylist())[features.rows]
    target = np.full(len(features.z), -2)
    starts = np.searchsorted(features.head_of, np.arange(len(features.z) + 1))
    for head, name, _ in questions:
        own = np.flatnonzero(source[starts[head] : starts[head + 1]] == (name or ""))
        target[head] = starts[head] + own[0] if len(own) else -1
    return features, target


def score(case: Case, w: np.ndarray, v: np.ndarray, threshold: float, min_posts: int = 5) -> dict[str, float]:
    """Return the figures of one simulation as `bastau evaluate origin` counts them, but for low coverage."""
    features, _ = targets(case)
    evidence, questions = case
    p = probabilities(features, w, v)
    source = np.array(evidence.early.column("source").to_pylist())[features.rows]
    big = evidence.totals.column("n_posts").to_numpy() >= min_posts
    begins = evidence.heads.column("first_s").to_numpy() - evidence.heads.column("begins_s").to_numpy()
    too_early = starts_with_data(begins, evidence.totals.column("n_found").to_numpy(), evidence.lead_in_s)
    counts = dict.fromkeys(("observed", "three", "first", "withheld", "abstained"), 0)
    sure, right = [], []
    starts = np.searchsorted(features.head_of, np.arange(len(features.z) + 1))
    for head, name, _ in questions:
        if not big[head]:
            continue
        mine = slice(starts[head], starts[head + 1])
        order = np.argsort(-p[mine], kind="stable")
        named = [] if p[mine].max() < threshold or too_early[head] else source[mine][order][:5].tolist()
        kind = "withheld" if name is None else "observed"
        counts[kind] += 1
        counts["three"] += name in named[:3]
        counts["first"] += name in named[:1]
        counts["abstained"] += kind == "withheld" and not named
        if named:
            sure.append(p[mine].max())
            right.append(named[0] == name)
    sure_, right_ = np.array(sure), np.array(right, float)
    tenth = np.minimum((sure_ * 10).astype(int), 9)
    error = sum(abs(sure_[tenth == b].sum() - right_[tenth == b].sum()) for b in range(10)) / max(len(sure), 1)
    return {
        "observed": counts["observed"],
        "in_three": counts["three"] / max(counts["observed"], 1),
        "first": counts["first"] / max(counts["observed"], 1),
        "withheld": counts["withheld"],
        "abstains": counts["abstained"] / max(counts["withheld"], 1),
        "calibration_error": error,
    }


def main() -> None:
    work = Path(sys.argv[1])
    work.mkdir(parents=True, exist_ok=True)
    seeds = [int(seed) for seed in sys.argv[2:]] or [1, 2, 3, 4, 5, 6]
    if set(seeds) & set(TEST_SEEDS):
        sys.exit("9101 to 9103 and 9201 to 9203 are for the test only")
    cases = {(level, seed): prepare(level, seed, work) for seed in seeds for level in LEVELS}
    held_out = seeds[-max(len(seeds) // 3, 1) :]
    w, v = fit([targets(case) for (_, seed), case in cases.items() if seed not in held_out])
    for threshold in (0.4, 0.5, 0.6, 0.7, 0.8):
        for min_posts in (5, 2):
            for level in LEVELS:
                figures = [score(cases[level, seed], w, v, threshold, min_posts) for seed in held_out]
                mean = {name: round(float(np.mean([f[name] for f in figures])), 3) for name in figures[0]}
                print(threshold, min_posts, level, mean)
    w, v = fit([targets(case) for case in cases.values()])
    model = {
        "made_by": "bench/benchmark_origin.py",
        "seeds": seeds,
        "candidate": dict(zip(CANDIDATE_SIGNS, np.round(w, 4).tolist(), strict=True)),
        "outside": dict(zip(OUTSIDE_SIGNS, np.round(v, 4).tolist(), strict=True)),
    }
    MODEL.write_text(json.dumps(model, indent=1) + "\n", "utf-8")
    print(MODEL.read_text("utf-8"))


if __name__ == "__main__":
    main()

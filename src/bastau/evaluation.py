"""Quality of what a home folder holds: against exact comparison, or against the known truth of a simulation."""

import json
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from bastau.errors import ConfigError
from bastau.evaluate.figures import figure_lines
from bastau.evaluate.near_duplicates import evaluate
from bastau.evaluate.simulation import score_coordination, score_narratives, score_origins
from bastau.home import Home
from bastau.narratives.update import update
from bastau.schemas import READINGS
from bastau.shield.exports import export
from bastau.simulate.truth import read_truth

LEVELS: tuple[Literal["version", "narrative"], ...] = ("version", "narrative")
SINGLETONS: tuple[Literal["kept", "dropped"], ...] = ("kept", "dropped")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def near_duplicates(home: Home, *, n_texts: int, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Group a sample of the stored posts and compare it with all pairs compared exactly.

    Args:
        home: whose posts to sample.
        n_texts: posts in the sample; the exact comparison grows with the square of it.
        seed: of the sample.
    """
    con = home.connect()
    table = con.sql(
        "SELECT p.post_key, p.published_at, p.repost_of, r.text_key, r.bands, r.folded "
        "FROM posts p JOIN readings r USING (post_key) ORDER BY p.post_key"
    ).to_arrow_table()
    chosen = np.sort(np.random.default_rng(seed).permutation(table.num_rows)[:n_texts])
    sample = table.take(pa.array(chosen))
    bands = sample.column("bands").cast(READINGS.field("bands").type)  # DuckDB knows no fixed size
    sample = sample.set_column(sample.schema.get_field_index("bands"), "bands", bands)
    similarity = home.settings.narratives.similarity
    state = update(None, sample, _no_more_texts, similarity=similarity)
    figures = evaluate(state, sample.select(["text_key", "folded"]), similarity=similarity)
    answer = {"task": "near-duplicates", "seed": seed, **asdict(figures)}
    return answer, figure_lines(answer)


def _no_more_texts(text_keys: np.ndarray) -> pa.Table:
    raise AssertionError(f"the sample brings all its texts, yet {len(text_keys)} more were asked for")


def against_truth(home: Home, task: str, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Compare narratives, origins or coordinated groups with ``truth.json`` of ``folder``.

    Raises:
        ConfigError: no truth.json there.
    """
    path = folder / "truth.json"
    if not path.exists():
        raise ConfigError(f"{path}: no such file; `bastau simulate -o DIR` writes one")
    truth = read_truth(path)
    answer: dict[str, Any] = {"task": task}
    if task == "narratives":
        con = home.connect()
        predicted = con.sql(
            "SELECT p.post_id, m.narrative_key AS narrative_id FROM posts p JOIN members m USING (post_key)"
        ).to_arrow_table()
        for level in LEVELS:
            for singletons in SINGLETONS:
                figures = score_narratives(predicted, truth.labels, level=level, singletons=singletons)
                answer[f"{level}, singletons {singletons}"] = asdict(figures)
    elif task == "origin":
        for level in LEVELS:
            figures_of = score_origins(_exported(home, "narratives"), truth.labels, truth.firsts, level=level)
            answer[level] = asdict(figures_of)
    else:
        hidden = () if home.settings.publishers.min_audience == 0 else truth.private_sources
        rows = _exported(home, "coordination")
        answer |= asdict(score_coordination(rows, truth.groups, truth.lookalikes, unnamed=hidden))
    return answer, figure_lines(answer)


def _exported(home: Home, what: str) -> list[dict[str, Any]]:
    """Return the rows that an export would give, so that what is judged is what leaves."""
    with tempfile.TemporaryDirectory(prefix="bastau-") as folder:
        path = Path(folder) / f"{what}.ndjson"
        export(home.connect(), what, path, min_audience=home.settings.publishers.min_audience, now=_EPOCH)
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

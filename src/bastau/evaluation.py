"""Quality of what a home folder holds: against exact comparison, or against the known truth of a simulation."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from bastau.errors import ConfigError, InputError
from bastau.evaluate.figures import figure_lines
from bastau.evaluate.near_duplicates import evaluate
from bastau.evaluate.simulation import score_coordination, score_narratives, score_origins
from bastau.home import Home
from bastau.narratives.update import update
from bastau.schemas import READINGS
from bastau.shield.exports import export
from bastau.simulate.truth import read_truth

LEVELS: tuple[Literal["version", "narrative"], ...] = ("version", "narrative")
ORIGIN_LEVELS: tuple[Literal["found", "version", "narrative"], ...] = ("found", "version", "narrative")
MIN_POSTS = (5, 2)
"""Posts from which on a narrative spread at all, and those that were copied once."""
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


def against_truth(
    home: Home | None, task: str, folder: Path, predicted: Path | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Compare narratives, origins or coordinated groups with ``truth.json`` of ``folder``.

    Args:
        home: what to judge, unless ``predicted`` is given.
        task: narratives, origin or coordination.
        folder: written by ``bastau simulate``.
        predicted: an export of any tool instead: NDJSON with the fields of ``bastau export narratives`` or
            ``coordination`` that the task needs. All its sources count as nameable.

    Raises:
        ConfigError: no truth.json there.
        InputError: ``predicted`` cannot be read, or lacks a field.
    """
    path = folder / "truth.json"
    if not path.exists():
        raise ConfigError(f"{path}: no such file; `bastau simulate -o DIR` writes one")
    truth = read_truth(path)
    all_named = home is None or home.settings.publishers.min_audience == 0
    what = "coordination" if task == "coordination" else "narratives"
    rows = _exported(home, what) if home is not None else _read_predicted(predicted, _FIELDS[task])
    answer: dict[str, Any] = {"task": task}
    if task == "narratives":
        pairs = [(post_id, row["narrative_id"]) for row in rows for post_id in row["post_ids"]]
        found = dict(pairs)
        if home is not None:
            found = dict.fromkeys(_post_ids(home)) | found
        table = pa.table(
            {"post_id": pa.array(list(found), pa.string()), "narrative_id": pa.array(list(found.values()), pa.string())}
        )
        for level in LEVELS:
            for singletons in SINGLETONS:
                figures = score_narratives(table, truth.labels, level=level, singletons=singletons)
                answer[f"{level}, singletons {singletons}"] = asdict(figures)
        if home is not None:
            stories = _stories(home)
            for singletons in SINGLETONS:
                figures = score_narratives(stories, truth.labels, level="narrative", singletons=singletons)
                answer[f"narrative by stories, singletons {singletons}"] = asdict(figures)
    elif task == "origin":
        for level_asked in ORIGIN_LEVELS:
            for min_posts in MIN_POSTS:
                figures_of = score_origins(
                    rows, truth.labels, truth.firsts, level=level_asked, min_posts=min_posts, all_named=all_named
                )
                answer[f"{level_asked}, at least {min_posts} posts"] = asdict(figures_of)
        for min_posts in MIN_POSTS if home is not None else ():
            figures_of = score_origins(
                as_stories(rows),
                truth.labels,
                truth.firsts,
                level="narrative",
                min_posts=min_posts,
                all_named=all_named,
            )
            answer[f"narrative by stories, at least {min_posts} posts"] = asdict(figures_of)
    else:
        hidden = () if all_named else truth.private_sources
        answer |= asdict(score_coordination(rows, truth.groups, truth.lookalikes, unnamed=hidden))
    return answer, figure_lines(answer)


def as_stories(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return exported narratives joined by ``story_id``: all their posts, the origin of the one seen first."""
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row.get("story_id") or row["narrative_id"], []).append(row)
    joined = []
    for name, tellings in grouped.items():
        first = min(tellings, key=lambda row: (row["first_seen_at"], row["narrative_id"]))
        posts = [post_id for row in tellings for post_id in row["post_ids"]]
        joined.append({"narrative_id": name, "post_ids": posts, "origin": first["origin"]})
    return joined


def _stories(home: Home) -> pa.Table:
    """Return the story of each post, else its narrative."""
    found: pa.Table = (
        home.connect()
        .sql(
            "SELECT post_id, coalesce(t.story_key, m.narrative_key) AS narrative_id FROM posts JOIN members m "
            "USING (post_key) LEFT JOIN tellings t ON t.telling_key = coalesce(m.narrative_key, m.post_key)"
        )
        .to_arrow_table()
    )
    return found


_FIELDS = {
    "narratives": ("narrative_id", "post_ids"),
    "origin": ("narrative_id", "post_ids", "origin"),
    "coordination": ("sources",),
    "families": ("sources",),
}


def predicted_rows(home: Home | None, what: str, predicted: Path | None) -> list[dict[str, Any]]:
    """Return the rows that are judged: what ``home`` exports as ``what``, or those of the file ``predicted``."""
    return _exported(home, what) if home is not None else _read_predicted(predicted, _FIELDS[what])


def _read_predicted(path: Path | None, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    assert path is not None, "either a home or a file is judged"
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            row = {name: row[name] for name in fields}
            if "origin" in row:
                abstained, candidates = row["origin"].get("abstained", False), row["origin"].get("candidates") or []
                row["origin"] = {
                    "abstained": bool(abstained),
                    "candidates": [{"confidence": 1.0, **candidate} for candidate in candidates],
                }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}, line {number}: needs a JSON object with {', '.join(fields)}") from error
        rows.append(row)
    return rows


def _post_ids(home: Home) -> list[str]:
    ids: list[str] = home.connect().sql("SELECT post_id FROM posts").to_arrow_table().column("post_id").to_pylist()
    return ids


def _exported(home: Home, what: str) -> list[dict[str, Any]]:
    """Return the rows that an export would give, so that what is judged is what leaves."""
    with tempfile.TemporaryDirectory(prefix="bastau-") as folder:
        path = Path(folder) / f"{what}.ndjson"
        export(home.connect(), what, path, min_audience=home.settings.publishers.min_audience, now=_EPOCH)
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

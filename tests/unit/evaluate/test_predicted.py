import json
from pathlib import Path
from typing import Any

import pytest

from bastau.errors import ConfigError, InputError
from bastau.evaluation import against_truth, as_stories
from bastau.simulate.benchmark import generate_benchmark
from bastau.simulate.levels import level_named
from bastau.simulate.world import write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("truth")
    write(generate_benchmark(level_named("medium", n_narratives=30, n_background=300), 5), path)
    return path


def perfect(folder: Path) -> list[dict[str, Any]]:
    """What a tool that knows the truth would export: silent where the beginning is missing."""
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    posts: dict[str, list[str]] = {}
    for post in truth["posts"]:
        if post["version"]:
            posts.setdefault(post["version"], []).append(post["post_id"])
    firsts = {first["version"]: first for first in truth["firsts"] if first["version"]}
    rows = []
    for version, ids in posts.items():
        first = firsts.get(version, {"withheld": True, "source": ""})
        candidates = [] if first["withheld"] else [{"source": first["source"], "confidence": 0.99}]
        origin = {"abstained": first["withheld"], "candidates": candidates}
        rows.append({"narrative_id": version, "post_ids": ids, "origin": origin})
    return rows


def save(rows: list[dict[str, Any]], path: Path) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_a_tool_that_knows_the_truth_scores_full(folder: Path, tmp_path: Path) -> None:
    predicted = save(perfect(folder), tmp_path / "narratives.ndjson")
    narratives, _ = against_truth(None, "narratives", folder, predicted)
    assert narratives["version, singletons kept"]["ari"] == 1
    assert narratives["version, singletons dropped"]["b_cubed_f1"] == 1
    for level in ("found", "version"):
        origin = against_truth(None, "origin", folder, predicted)[0][f"{level}, at least 2 posts"]
        assert origin["in_three"] == origin["rightly_abstained"] == 1
        assert origin["calibration_error"] == pytest.approx(0.01)


def test_a_tool_that_always_names_the_first_never_abstains(folder: Path, tmp_path: Path) -> None:
    rows = perfect(folder)
    for row in rows:
        row["origin"] = {"abstained": False, "candidates": [{"source": "somebody"}]}
    origin = against_truth(None, "origin", folder, save(rows, tmp_path / "n.ndjson"))[0]["version, at least 2 posts"]
    assert (origin["in_three"], origin["rightly_abstained"], origin["calibration_error"]) == (0, 0, 1)


def test_groups_of_another_tool_are_judged_and_flagged_sets_counted(folder: Path, tmp_path: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text("utf-8"))
    right = [{"sources": members} for members in truth["groups"].values()]
    wire = {"sources": truth["lookalikes"]["wire copy 0"]}
    full, _ = against_truth(None, "coordination", folder, save(right, tmp_path / "a.ndjson"))
    assert (full["pair_precision"], full["pair_recall"], full["n_flagged"]) == (1, 1, 0)
    flagged, _ = against_truth(None, "coordination", folder, save([*right, wire], tmp_path / "b.ndjson"))
    assert flagged["flagged"]["wire copy 0"] > 0
    assert flagged["flagged_share"] >= 1 / flagged["n_lookalikes"]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"narrative_id": "n"}', '{"narrative_id": "n", "post_ids": [], "origin": 3}']
)
def test_a_bad_line_is_named(folder: Path, tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.ndjson"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(InputError, match="line 1"):
        against_truth(None, "origin", folder, path)


def test_without_truth_there_is_nothing_to_judge(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        against_truth(None, "origin", tmp_path, tmp_path / "x.ndjson")


def test_the_origin_of_a_story_is_that_of_its_first_narrative() -> None:
    rows = [
        {"narrative_id": "n2", "story_id": "s", "first_seen_at": "2025-01-02", "post_ids": ["b"], "origin": {"is": 2}},
        {"narrative_id": "n1", "story_id": "s", "first_seen_at": "2025-01-01", "post_ids": ["a"], "origin": {"is": 1}},
        {"narrative_id": "n3", "story_id": None, "first_seen_at": "2025-01-01", "post_ids": ["c"], "origin": {"is": 3}},
    ]
    joined = {row["narrative_id"]: row for row in as_stories(rows)}
    assert (sorted(joined["s"]["post_ids"]), joined["s"]["origin"]) == (["a", "b"], {"is": 1})
    assert joined["n3"]["origin"] == {"is": 3}

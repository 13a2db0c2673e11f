"""`bastau run --engine spark` makes the tables that the local engine makes."""

import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bastau.schemas import TABLES
from bastau.simulate.world import generate, write

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(not shutil.which("java"), reason="needs Java 17"),
    pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="needs bastau[spark]"),
]

DERIVED = (
    "members",
    "text_pairs",
    "narratives",
    "tellings",
    "stories",
    "theme_members",
    "themes",
    "versions",
    "copies",
    "origins",
    "amplifiers",
    "co_shares",
    "coordination",
)

ELSEWHERE = (
    "narrative_changes",
    "curated",
    "claim_matches",
    "copy_network",
    "influence",
    "wires",
    "wire_copies",
    "families",
    "site_links",
    "site_signals",
    "renamed",
)
"""Tables that are empty here, or whose engines are compared by unit tests."""

N_LATER = 40
"""Posts that come in after the first run."""


def bastau(*arguments: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bastau", *map(str, arguments), "--home", str(home)],
        capture_output=True,
        text=True,
        env={
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SPARK_") or name == "SPARK_CONF_DIR"
        },
        check=False,
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with posts in several batches that no run has processed."""
    folder = tmp_path_factory.mktemp("spark")
    write(generate(3200), folder)
    posts = (folder / "posts.ndjson").read_text("utf-8").splitlines(keepends=True)
    (folder / "first.ndjson").write_text("".join(posts[:-N_LATER]), "utf-8")
    (folder / "later.ndjson").write_text("".join(posts[-N_LATER:]), "utf-8")
    home = folder / "home"
    home.mkdir()
    (home / "bastau.toml").write_text("[publishers]\nmin_audience = 0\n[lake]\nbatch_rows = 1024\n")
    done = bastau("import", folder / "first.ndjson", home=home)
    assert done.returncode == 0, done.stderr
    return home


def derived(home: Path, table: str) -> list[dict[str, Any]]:
    current = (home / "generations" / "CURRENT").read_text()
    return pq.read_table(home / "generations" / current / f"{table}.parquet").to_pylist()


def without_floats(row: dict[str, Any]) -> str:
    return repr([value for value in row.values() if not isinstance(value, float)])


def alike(one: Any, other: Any) -> bool:
    """Compare rows, floats in them to nine digits."""
    match one:
        case float():
            return math.isclose(one, other, rel_tol=1e-9)
        case list():
            return len(one) == len(other) and all(map(alike, one, other))
        case dict():
            return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    return bool(one == other)


def assert_same_tables(local_home: Path, spark_home: Path) -> None:
    for table in DERIVED:
        local, spark = (sorted(derived(home, table), key=without_floats) for home in (local_home, spark_home))
        assert local, f"{table} is empty and shows nothing"
        assert len(spark) == len(local), table
        for mine, theirs in zip(local, spark, strict=True):
            assert alike(mine, theirs), (table, mine, theirs)


def test_spark_makes_the_tables_that_the_local_engine_makes(stored: Path, tmp_path: Path) -> None:
    homes = {engine: shutil.copytree(stored, tmp_path / engine) for engine in ("local", "spark")}
    for engine, home in homes.items():
        done = bastau("run", "--engine", engine, home=home)
        assert (done.returncode, done.stderr) == (0, "")
    stored_tables = {path.stem for path in (homes["local"] / "generations/gen-00000001").glob("*.parquet")}
    assert stored_tables & TABLES.keys() == {*DERIVED, *ELSEWHERE}
    assert_same_tables(**{f"{engine}_home": home for engine, home in homes.items()})
    if "BASTAU_LONG_TESTS" not in os.environ:
        return  # a second run on Spark takes a minute
    for engine, home in homes.items():
        bastau("import", stored.parent / "later.ndjson", home=home)
        done = bastau("run", "--engine", engine, "--json", home=home)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["n_new_posts"] == N_LATER
    assert_same_tables(**{f"{engine}_home": home for engine, home in homes.items()})


def test_a_torn_file_met_by_an_executor_is_named_and_nothing_is_put_in_force(stored: Path, tmp_path: Path) -> None:
    home = shutil.copytree(stored, tmp_path / "home")
    torn = sorted((home / "lake" / "posts").rglob("*.parquet"))[0]
    torn.write_bytes(torn.read_bytes()[:-100])
    done = bastau("run", "--engine", "spark", home=home)
    assert done.returncode == 1
    assert torn.name in done.stderr
    assert "doctor --repair" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (home / "generations" / "CURRENT").exists()


def test_a_machine_without_java_is_told_so(stored: Path, tmp_path: Path) -> None:
    home = shutil.copytree(stored, tmp_path / "home")
    environment = {**os.environ, "PATH": "/nonexistent", "JAVA_HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-m", "bastau", "run", "--engine", "spark", "--home", str(home)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 2
    assert "Java 17" in done.stderr

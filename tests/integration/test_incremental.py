"""Posts that come in pieces, in any order, give the tables that they give all at once."""

import itertools
import random
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from bastau.engine import open_engine
from bastau.home import Home
from bastau.intake import import_file
from bastau.pipeline import compact, erase, run
from bastau.simulate.world import generate, write

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DERIVED = (
    "members",
    "text_pairs",
    "narratives",
    "tellings",
    "stories",
    "theme_members",
    "themes",
    "versions",
    "origins",
    "copies",
    "amplifiers",
    "co_shares",
    "coordination",
)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("posts")
    write(generate(3200, seed=3), folder)
    return (folder / "posts.ndjson").read_text("utf-8").splitlines(keepends=True)


def process(home: Home, pieces: list[list[str]], *, compacting: bool = False) -> None:
    for number, piece in enumerate(pieces):
        path = home.folder / f"piece-{number}.ndjson"
        path.write_text("".join(piece), "utf-8")
        with home.locked():
            import_file(home, path, now=NOW)
            process_stored(home)
            if compacting:
                compact(home)


def process_stored(home: Home, *, rebuild: bool = False) -> None:
    engine = open_engine(home.settings.engine)
    try:
        run(home, engine, rebuild=rebuild)
    finally:
        engine.close()


def opened(folder: Path) -> Home:
    folder.mkdir()
    # Every account a publisher: a mention of a publisher that is not known yet would be stored as a pseudonym.
    (folder / "bastau.toml").write_text("[publishers]\nmin_audience = 0\n")
    return Home.open(folder)


def rows(home: Home, table: str) -> list[dict]:
    generation = home.generation()
    assert generation is not None
    found = generation.read(table)
    assert found.num_rows or table in ("amplifiers",), f"{table} is empty: the test would show nothing"
    return sorted((rounded(row) for row in found.to_pylist()), key=repr)


def rounded(row: dict) -> dict:
    return {k: [rounded(v) if isinstance(v, dict) else v for v in value] if isinstance(value, list) else
            round(value, 9) if isinstance(value, float) else value for k, value in row.items()}  # fmt: skip


@pytest.fixture(scope="module")
def at_once(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = opened(tmp_path_factory.mktemp("once") / "home")
    process(home, [lines])
    return home


@pytest.mark.parametrize("order", ["as published", "shuffled", "backwards"])
def test_pieces_give_the_same_tables_as_all_at_once(
    lines: list[str], at_once: Home, tmp_path: Path, order: str
) -> None:
    given = list(lines)
    if order == "shuffled":
        random.Random(5).shuffle(given)
    elif order == "backwards":
        given.reverse()
    home = opened(tmp_path / "home")
    # Uneven pieces: the small ones touch little, so that what is untouched is taken over.
    cuts = [0, 2000, 2700, 3100, 3160, 3190, len(given)]
    process(home, [given[a:b] for a, b in itertools.pairwise(cuts)], compacting=order == "shuffled")
    for table in DERIVED:
        assert rows(home, table) == rows(at_once, table), table


def test_a_run_with_nothing_new_changes_nothing(lines: list[str], tmp_path: Path) -> None:
    home = opened(tmp_path / "home")
    process(home, [lines[:500]])
    before = home.generation()
    process(home, [lines[:500]])
    after = home.generation()
    assert before is not None
    assert after is not None
    assert before.manifest == after.manifest


def test_a_rebuild_gives_the_same_tables(lines: list[str], at_once: Home, tmp_path: Path) -> None:
    home = opened(tmp_path / "home")
    process(home, [lines[:1500], lines[1500:]])
    with home.locked():
        process_stored(home, rebuild=True)
    for table in DERIVED:
        assert rows(home, table) == rows(at_once, table), table


def test_old_ids_resolve_after_earlier_posts_and_erasure(lines: list[str], tmp_path: Path) -> None:
    from bastau.narratives.changes import resolve

    home = opened(tmp_path / "home")
    process(home, [lines[1600:]])
    old = {row["narrative_id"] for row in rows(home, "narratives")}
    process(home, [lines[:1600]])
    new = {row["narrative_id"] for row in rows(home, "narratives")}
    history = home.generation().read("narrative_changes")
    for narrative_id in old:
        assert set(resolve(history, narrative_id)) <= new
        assert resolve(history, narrative_id), narrative_id
    assert old - new, "no id moved: the test would show nothing"


def test_an_erased_source_is_gone_from_every_file_and_does_not_come_back(lines: list[str], tmp_path: Path) -> None:
    home = opened(tmp_path / "home")
    process(home, [lines])
    con = home.connect()
    source, n_posts = con.sql("SELECT source, count(*) n FROM posts GROUP BY 1 ORDER BY n DESC, 1 LIMIT 1").fetchall()[
        0
    ]
    with home.locked():
        assert erase(home, source=source) == n_posts
        process_stored(home)
    process(home, [lines])
    assert not [path for path in home.folder.rglob("*.parquet") if source in values(path)]


def values(path: Path) -> set[str]:
    """Return every string value of a Parquet file, inside lists and structs too."""
    import pyarrow.parquet as pq

    found: set[str] = set()

    def walk(value: object) -> None:
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, dict):
            for part in value.values():
                walk(part)
        elif isinstance(value, list):
            for part in value:
                walk(part)

    table = pq.read_table(path, partitioning=None)
    assert isinstance(table, pa.Table)
    for row in table.to_pylist():
        walk(row)
    return found


def test_posts_older_than_a_day_are_gone_after_erasure(lines: list[str], tmp_path: Path) -> None:
    home = opened(tmp_path / "home")
    process(home, [lines])
    middle = datetime(2025, 3, 10, tzinfo=UTC)
    with home.locked():
        assert erase(home, before=middle) > 0
        process_stored(home)
    first = home.connect().sql("SELECT min(published_at)::VARCHAR FROM posts").fetchall()[0][0]
    assert first >= "2025-03-10"
    assert all(row["first_seen_at"] >= middle for row in rows(home, "narratives"))

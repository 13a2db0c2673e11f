import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bastau.errors import ConfigError, HomeBusy, LakeDamaged
from bastau.home import Home, create_view
from bastau.schemas import COORDINATION, MEMBERS, TABLES


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home", create=True)


def members(*keys: int) -> pa.Table:
    return pa.Table.from_pylist([{"post_key": k, "narrative_key": 1} for k in keys], MEMBERS)


def test_a_missing_home_is_made_only_when_asked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such home"):
        Home.open(tmp_path / "none")
    assert Home.open(tmp_path / "none", create=True).folder.is_dir()


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        Home.open(tmp_path / "file")


def test_a_second_process_is_told_who_holds_the_lock(home: Home) -> None:
    script = textwrap.dedent(
        """
        import sys, pathlib
        from bastau.home import Home
        with Home.open(pathlib.Path(sys.argv[1])).locked():
            print("held", flush=True)
            sys.stdin.read()
        """
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(home.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(HomeBusy, match=str(other.pid)), home.locked():
            pass
        other.kill()
        other.wait()
        with home.locked():
            assert (home.folder / "lock").read_text() != ""
    finally:
        other.communicate()


def test_a_generation_counts_only_when_put_in_force(home: Home) -> None:
    first = home.new_generation(1)
    first.write("members", members(1))
    assert home.generation() is None
    home.put_in_force(first, {"batches": ["b"]})
    found = home.generation()
    assert found is not None
    assert found.manifest == {"batches": ["b"], "generation": 1}
    assert found.read("members").num_rows == 1


def test_older_generations_go_and_the_previous_one_stays_for_open_readers(home: Home) -> None:
    for number in (1, 2, 3):
        generation = home.new_generation(number)
        generation.write("members", members(*range(number)))
        home.put_in_force(generation, {})
    names = sorted(p.name for p in (home.folder / "generations").iterdir())
    assert names == ["CURRENT", "gen-00000002", "gen-00000003"]


def test_an_unfinished_generation_is_removed(home: Home) -> None:
    home.put_in_force(home.new_generation(1), {})
    home.new_generation(2).write("members", members(1))
    assert home.tidy_generations() == [".tmp-gen-00000002"]


def test_the_next_generation_takes_over_all_tables_but_those_made_anew(home: Home) -> None:
    previous = home.new_generation(4)
    for name in ("members", "state_claims"):
        previous.write(name, members(1, 2))
    made = home.next_generation(home.put_in_force(previous, {}), without=["state_claims"])
    assert made.manifest == {"generation": 5}
    assert [path.name for path in made.folder.iterdir()] == ["members.parquet"]
    assert made.read("members").num_rows == 2


def test_a_torn_manifest_is_named(home: Home) -> None:
    done = home.put_in_force(home.new_generation(1), {})
    (done.folder / "manifest.json").write_text("{")
    with pytest.raises(LakeDamaged, match="doctor"):
        home.generation()


def test_every_table_can_be_asked_for_before_anything_is_stored(home: Home) -> None:
    con = home.connect()
    for name in TABLES:
        assert con.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)


def test_views_show_the_generation_in_force(home: Home) -> None:
    generation = home.new_generation(1)
    generation.write("members", members(1, 2))
    home.put_in_force(generation, {})
    assert home.connect().execute("SELECT count(*) FROM members").fetchone() == (2,)


def test_a_column_that_an_older_table_lacks_is_null(tmp_path: Path) -> None:
    path = tmp_path / "coordination.parquet"
    pq.write_table(COORDINATION.empty_table().drop_columns(["is_one_house", "signposts"]), path)
    con = duckdb.connect()
    try:
        create_view(con, "coordination", [str(path)])
        found = con.sql("SELECT * FROM coordination").to_arrow_table()
    finally:
        con.close()
    assert set(found.column_names) == set(COORDINATION.names)
    assert found.schema.field("is_one_house").type == pa.bool_()

"""Whatever is handed in: a message that says where and what to do, the right exit code, and nothing good lost."""

import collections
import functools
import json
from pathlib import Path

import bad_cases
import pytest
from bad_cases import CASES, Case, Place

from bastau.lake import Lake

MAX_PEAK_BYTES = int(1.2 * bad_cases.GIB)


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bad_cases.make_processed(tmp_path_factory.mktemp("processed"))


@pytest.fixture
def place(tmp_path: Path, processed: Path) -> Place:
    return Place(tmp_path, processed)


def needs_nobody(case: Case) -> None:
    if case.run is bad_cases.unprivileged and not bad_cases.can_be_unprivileged():
        pytest.skip("commands cannot be run as another user here (needs setpriv, and sources that others may read)")


def values(home: Path, table: str, column: str) -> list[object]:
    """Return one column of the lake."""
    found: list[object] = Lake.open(home / "lake").read(table, [column]).column(column).to_pylist()
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_is_answered_with_place_remedy_and_exit_code(case: Case, place: Place) -> None:
    needs_nobody(case)
    done = bad_cases.play(case, place)
    assert done.code == case.code, done.said
    assert not [words for words in case.says if words not in done.said], done.said
    assert "Traceback" not in done.said
    assert "our fault" not in done.said
    assert done.peak_bytes < MAX_PEAK_BYTES
    assert not list(place.folder.rglob(".tmp-*"))
    if case.n_posts is not None:
        reasons = values(place.home, "rejects", "reason")
        assert (len(values(place.home, "posts", "post_key")), collections.Counter(reasons)) == (
            case.n_posts,
            case.rejects,
        )


def test_a_command_of_every_kind_is_played() -> None:
    assert {case.code for case in CASES} == {0, 1, 2, 130}
    assert len({case.name for case in CASES}) == len(CASES)


def test_rejected_rows_can_be_taken_out_with_their_place_and_reason(place: Place) -> None:
    rows = [
        bad_cases.post(1),
        bad_cases.post(2, published_at="2099-01-01T00:00:00Z"),
        bad_cases.post(3, text="", likes=2),
    ]
    bad_cases.run(["import", place.file("posts.ndjson", rows)], place)
    done = bad_cases.run(["export", "rejects", "-o", "rejects.ndjson"], place)
    assert done.code == 0, done.said
    rejects = [json.loads(line) for line in (place.folder / "rejects.ndjson").read_text("utf-8").splitlines()]
    assert [(r["file"], r["line"], r["field"], r["reason"]) for r in rejects] == [
        ("posts.ndjson", 2, "published_at", "bad_time"),
        ("posts.ndjson", 3, "text", "missing_field"),
    ]
    assert all(r["detail"] for r in rejects)
    assert json.loads(rejects[1]["row"])["likes"] == "2"


def test_what_came_before_the_damage_is_kept_and_the_whole_file_brings_the_rest(place: Place) -> None:
    arguments = bad_cases.torn_gzip(place)
    bad_cases.run(arguments, place)
    n_before = len(values(place.home, "posts", "post_key"))
    bad_cases.run(["import", place.file("whole.ndjson", bad_cases.posts(2000))], place)
    keys = values(place.home, "posts", "post_key")
    assert 0 < n_before < 2000
    assert len(keys) == len(set(keys)) == 2000


def test_ctrl_c_leaves_a_clean_lake_and_the_same_command_goes_on(place: Place) -> None:
    (case,) = (case for case in CASES if case.run is bad_cases.stopped)
    arguments = case.make(place)
    assert bad_cases.stopped(arguments, place).code == 130
    lake = Lake.open(place.home / "lake")
    n_before = len(values(place.home, "posts", "post_key"))
    assert 0 < n_before < bad_cases.N_MANY
    assert lake.batches("posts") == lake.batches("imports")
    done = bad_cases.run([*arguments, "--json"], place)
    (file,) = json.loads(done.stdout)["files"]
    assert file["n_posts"] == bad_cases.N_MANY - n_before
    assert file["n_known_batches"] > 0
    keys = values(place.home, "posts", "post_key")
    assert len(keys) == len(set(keys)) == bad_cases.N_MANY


def test_a_home_that_may_only_be_read_still_answers(place: Place) -> None:
    if not bad_cases.can_be_unprivileged():
        pytest.skip("commands cannot be run as another user here (needs setpriv, and sources that others may read)")
    home = place.use_processed()
    for path in (home, *home.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    play = functools.partial(bad_cases.unprivileged, place=place)
    assert "n_posts: 21" in play(["status"]).stdout
    assert json.loads(play(["report", "--json"]).stdout)

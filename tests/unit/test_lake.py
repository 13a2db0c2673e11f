import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from bastau.errors import ConfigError, ContractError, LakeDamaged
from bastau.lake import Lake
from bastau.schemas import CLAIMS

DAY = date(2026, 3, 22)


def claims(*ids: str, publisher: str = "Checkers") -> pa.Table:
    rows = [
        {"claim_id": i, "text": f"claim {i}", "publisher": publisher, "published_at": datetime(2026, 1, 1, tzinfo=UTC)}
        for i in ids
    ]
    return pa.Table.from_pylist(rows, CLAIMS)


def ids(lake: Lake) -> list[str]:
    return sorted(lake.read("claims", ["claim_id"]).column("claim_id").to_pylist())


@pytest.fixture(params=["local", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake" if request.param == "local" else f"memory://{tmp_path.name}/lake")


def test_a_committed_batch_is_read_back_with_its_schema(lake: Lake) -> None:
    lake.commit("claims", "batch1", claims("a", "b"), DAY)
    assert ids(lake) == ["a", "b"]
    assert lake.read("claims").schema == CLAIMS


def test_the_same_batch_twice_changes_nothing(lake: Lake) -> None:
    assert lake.commit("claims", "batch1", claims("a"), DAY)
    assert not lake.commit("claims", "batch1", claims("other"), DAY)
    assert ids(lake) == ["a"]


def test_an_empty_table_is_read_as_no_rows(lake: Lake) -> None:
    assert lake.read("claims").num_rows == 0
    assert lake.read("claims", ["claim_id"]).column_names == ["claim_id"]


def test_rows_that_do_not_fit_are_refused(lake: Lake) -> None:
    with pytest.raises(ContractError, match="lacks"):
        lake.commit("claims", "batch1", pa.table({"claim_id": ["a"]}), DAY)
    assert lake.batches("claims") == set()


def test_reading_by_batch_takes_only_its_rows(lake: Lake) -> None:
    lake.commit("claims", "batch1", claims("a"), DAY)
    lake.commit("claims", "batch2", claims("b"), DAY)
    assert lake.read("claims", ["claim_id"], ["batch2"]).column(0).to_pylist() == ["b"]


def test_compaction_keeps_rows_and_batches_and_leaves_one_file(lake: Lake) -> None:
    for i in range(5):
        lake.commit("claims", f"batch{i}", claims(f"c{i}"), DAY)
    assert lake.compact("claims", only=lake.batches("claims")) == 4
    assert ids(lake) == [f"c{i}" for i in range(5)]
    assert lake.batches("claims") == {f"batch{i}" for i in range(5)}
    assert len(lake.files("claims")) == 1


def test_compaction_leaves_alone_what_it_is_not_given(lake: Lake) -> None:
    for i in range(3):
        lake.commit("claims", f"batch{i}", claims(f"c{i}"), DAY)
    lake.compact("claims", only={"batch0", "batch1"})
    assert sorted(len(f.batches) for f in lake.files("claims")) == [1, 2]


def test_compacting_twice_merges_what_came_since(lake: Lake) -> None:
    for i in range(4):
        lake.commit("claims", f"batch{i}", claims(f"c{i}"), DAY)
        lake.compact("claims", only=lake.batches("claims"))
    assert ids(lake) == ["c0", "c1", "c2", "c3"]
    assert len(lake.files("claims")) == 1
    assert lake.batches("claims") == {f"batch{i}" for i in range(4)}


def test_erased_rows_are_gone_and_their_batches_stay_known(lake: Lake) -> None:
    lake.commit("claims", "batch1", claims("a", "b"), DAY)
    lake.commit("claims", "batch2", claims("c"), DAY)
    erased = lake.erase("claims", lambda t: pc.invert(pc.is_in(t.column("claim_id"), pa.array(["a", "c"]))))
    assert erased == 2
    assert ids(lake) == ["b"]
    assert lake.batches("claims") == {"batch1", "batch2"}


def test_what_something_else_made_is_dropped_once(lake: Lake) -> None:
    assert lake.drop_stale("claims", "rules 1")
    lake.commit("claims", "batch1", claims("a"), DAY)
    assert not lake.drop_stale("claims", "rules 1")
    assert [file.day for file in lake.files("claims")] == [DAY]
    assert lake.drop_stale("claims", "rules 2")
    assert lake.files("claims") == []
    assert not lake.drop_stale("claims", "rules 2")


def test_a_replacement_without_its_record_does_not_count(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path)
    lake.commit("claims", "batch1", claims("a"), DAY)
    whole = tmp_path / "claims" / "day=2026-03-22" / "batch1.parquet"
    (whole.parent / "c-0123456789ab.parquet").write_bytes(whole.read_bytes())
    assert ids(lake) == ["a"]
    assert lake.tidy("claims") == ["claims/day=2026-03-22/c-0123456789ab.parquet"]
    assert not (whole.parent / "c-0123456789ab.parquet").exists()


def test_a_replaced_file_that_was_not_deleted_yet_does_not_count(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path)
    for i in range(2):
        lake.commit("claims", f"batch{i}", claims(f"c{i}"), DAY)
    old = tmp_path / "claims" / "day=2026-03-22" / "batch0.parquet"
    kept = old.read_bytes()
    lake.compact("claims", only=lake.batches("claims"))
    old.write_bytes(kept)  # as after a crash between the record and the deletion
    assert ids(lake) == ["c0", "c1"]
    lake.tidy("claims")
    assert not old.exists()


def test_unfinished_files_are_ignored_reported_and_removed(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path)
    lake.commit("claims", "batch1", claims("a"), DAY)
    torn = tmp_path / "claims" / "day=2026-03-22" / ".tmp-99-batch2.parquet"
    torn.write_bytes(b"PAR1 torn")
    assert ids(lake) == ["a"]
    assert [p.code for p in lake.check()] == ["unfinished"]
    lake.tidy("claims")
    assert lake.check() == []


@pytest.mark.parametrize("size", [0, 3, 200])
def test_a_torn_file_is_named_and_can_be_set_aside(tmp_path: Path, size: int) -> None:
    lake = Lake.open(tmp_path)
    lake.commit("claims", "batch1", claims("a"), DAY)
    lake.commit("claims", "batch2", claims("b"), DAY)
    path = tmp_path / "claims" / "day=2026-03-22" / "batch2.parquet"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(LakeDamaged, match=r"batch2\.parquet.*doctor"):
        lake.read("claims")
    (problem,) = lake.check()
    assert (problem.code, problem.path) == ("damaged", "claims/day=2026-03-22/batch2.parquet")
    lake.set_aside(problem.path)
    assert ids(lake) == ["a"]
    assert lake.batches("claims") == {"batch1"}
    assert lake.commit("claims", "batch2", claims("b"), DAY)
    assert ids(lake) == ["a", "b"]


def test_a_damaged_page_inside_a_file_is_found_only_by_a_deep_check(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path)
    lake.commit("claims", "batch1", claims(*(f"claim-{i}" for i in range(2000))), DAY)
    path = tmp_path / "claims" / "day=2026-03-22" / "batch1.parquet"
    body = bytearray(path.read_bytes())
    body[40:400] = bytes(360)
    path.write_bytes(body)
    assert lake.check(deep=False) == []
    assert [p.code for p in lake.check(deep=True)] == ["damaged"]


def test_a_key_in_the_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="environment"):
        Lake.open("s3://KEY:SECRET@bucket/prefix")


def test_an_unknown_kind_of_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="no file system"):
        Lake.open("gopher://bucket/prefix")


def test_a_record_says_what_it_replaces(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path)
    for i in range(2):
        lake.commit("claims", f"batch{i}", claims(f"c{i}"), DAY)
    lake.compact("claims", only=lake.batches("claims"))
    (record,) = (tmp_path / "claims" / "_replaced").glob("*.json")
    assert json.loads(record.read_text())["batches"] == ["batch0", "batch1"]

import json
import pickle
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bastau.errors import ConfigError, LakeDamaged
from bastau.home import Home
from bastau.known_lists.commands import ListOptions, add, export, hash_files, remove, show, store_of, sync
from bastau.known_lists.formats import ListedItem
from bastau.known_lists.store import ListInfo, ListStore
from bastau.read.known_text import TextThresholds

NOW = datetime(2026, 1, 1, tzinfo=UTC)
A, B, C = ("a" * 32, "b" * 32, "c" * 32)


def day(n):
    return NOW + timedelta(days=n)


def md5s(*values, **rest):
    return [ListedItem("md5", value, **rest) for value in values]


@pytest.fixture
def store(tmp_path):
    return ListStore(tmp_path / "lists")


def update(store, items, n=0, whole=True, name="l"):
    info = store.info(name) if name in store.names() else ListInfo(name)
    return store.update(info, items, now=day(n), whole=whole, provenance=dict)


def active(store, name="l"):
    return {item.value for item in store.items(name) if not item.is_deleted}


def matching(store):
    """Return the values whose keys are still looked up."""
    index = store.index()
    return {index.owner(owner)[0].value(index.owner(owner)[1]) for owner in index.files.values.tolist()}


def test_what_is_no_longer_in_a_whole_list_stays_as_a_tombstone_with_its_time(store):
    update(store, md5s(A, B))
    info, numbers = update(store, md5s(B, C), 1)
    assert numbers == {"added": 1, "deleted": 1, "restored": 0, "unchanged": 1}
    assert (info.version, info.counts, info.n_deleted) == (2, {"md5": 2}, 1)
    assert active(store) == matching(store) == {B, C}
    rows = {row["value"]: row for row in store.open("l").entries.to_pylist()}
    assert (rows[A]["added_at"], rows[A]["deleted_at"]) == (NOW, day(1))
    assert (rows[B]["added_at"], rows[C]["added_at"]) == (NOW, day(1))
    update(store, md5s(B, C), 2)
    assert {row["value"]: row["deleted_at"] for row in store.open("l").entries.to_pylist()}[A] == day(1)


def test_changes_leave_what_they_do_not_name(store):
    update(store, md5s(A, B))
    _, numbers = update(store, [*md5s(A, is_deleted=True), *md5s(C)], 1, whole=False)
    assert numbers == {"added": 1, "deleted": 1, "restored": 0, "unchanged": 1}
    assert active(store) == matching(store) == {B, C}
    _, numbers = update(store, md5s(A), 2, whole=False)
    assert numbers == {"added": 0, "deleted": 0, "restored": 1, "unchanged": 2}
    assert active(store) == {A, B, C}


def test_of_repeats_the_last_counts(store):
    update(store, [*md5s(A), *md5s(A, is_deleted=True), *md5s(B, is_deleted=True), *md5s(B)])
    assert active(store) == {B}


def test_an_update_that_fails_leaves_the_version_in_force(store):
    def failing():
        yield from md5s(C)
        raise ConfigError("the source broke")

    with pytest.raises(ConfigError):
        update(store, failing())
    assert store.names() == []
    update(store, md5s(A))
    with pytest.raises(ConfigError):
        update(store, failing(), 1)
    assert active(store) == {A}
    assert sorted(p.name for p in (store.folder / "l").iterdir()) == ["list.json", "v000001"]


def test_leftovers_of_a_crash_are_in_nobodys_way(store):
    update(store, md5s(A))
    for name in (".tmp-v000002", "v000002"):
        (store.folder / "l" / name).mkdir()
        (store.folder / "l" / name / "entries.arrow").write_bytes(b"torn")
    assert active(store) == {A}
    update(store, md5s(B), 1)
    assert active(store) == {B}
    update(store, md5s(C), 2)
    assert sorted(p.name for p in (store.folder / "l").iterdir()) == ["list.json", "v000002", "v000003"]


def test_damage_is_said_with_what_to_do(store):
    update(store, md5s(A))
    (store.folder / "l" / "v000001" / "file_keys.npy").write_bytes(b"torn")
    with pytest.raises(LakeDamaged, match="add it again"):
        store.index()
    (store.folder / "l" / "list.json").write_text("{")
    with pytest.raises(LakeDamaged):
        store.info("l")


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "x" * 65, ".hidden"])
def test_names_that_are_no_folder_names_are_refused(store, name):
    with pytest.raises(ConfigError):
        update(store, md5s(A), name=name)
    assert not store.folder.exists() or not list(store.folder.iterdir())


def test_thresholds_that_would_match_anything_are_refused(store):
    for info in (ListInfo("l", pdq_distance=32), ListInfo("l", text=TextThresholds(containment=0.01)),
                 ListInfo("l", text=TextThresholds(fingerprints=1))):  # fmt: skip
        with pytest.raises(ConfigError):
            store.update(info, md5s(A), now=NOW, whole=True, provenance=dict)


def test_the_fingerprint_tells_when_readings_are_out_of_date(store):
    seen = {store.fingerprint()}
    update(store, md5s(A))
    seen.add(store.fingerprint())
    update(store, md5s(B), 1)
    seen.add(store.fingerprint())
    assert len(seen) == 3
    assert store.fingerprint() in seen


def test_a_large_list_in_many_batches_is_kept_whole(store):
    values = [f"{n:032x}" for n in range(1, 150_001)]
    update(store, md5s(*values))
    update(store, md5s(*values[1000:]), 1)
    held = store.open("l")
    assert held.entries.num_rows == 150_000
    assert len(held.arrays["file_keys"]) == 149_000
    index = store.index()
    rows = [index.owner(owner)[1] for owner in index.files.values[:50].tolist()]
    assert all(held.entries.column("deleted_at")[row].as_py() is None for row in rows)


# ---- commands ------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path):
    return Home.open(tmp_path / "home", create=True)


def listed(tmp_path, *values, name="l.txt"):
    path = tmp_path / name
    path.write_text("".join(f"{value}\n" for value in values))
    return str(path)


def test_a_list_of_harm_needs_a_ground_and_a_negative_bank_does_not(home, tmp_path):
    with pytest.raises(ConfigError, match="--ground"):
        add(home, listed(tmp_path, A), "l", ListOptions(), now=NOW)
    add(home, listed(tmp_path, A), "l", ListOptions(is_negative=True), now=NOW)
    assert show(home, now=NOW)[0]["lists"][0]["is_negative"]


def test_a_list_is_added_shown_brought_up_to_date_exported_and_removed(home, tmp_path):
    options = ListOptions(ground="law 1", publisher="Somebody")
    answer, lines = add(home, listed(tmp_path, A, B, "junk"), "l", options, now=NOW)
    assert (answer["n_entries"], answer["added"]) == (2, 2)
    assert "1 rejected: unknown_signal, first at line 3" in lines[1]
    listed(tmp_path, B)
    assert sync(home, now=day(1))[0]["lists"][0]["deleted"] == 1
    (row,) = show(home, now=day(40))[0]["lists"]
    assert (row["publisher"], row["ground"], row["n_deleted"], row["is_stale"], row["from"]) == (
        "Somebody", "law 1", 1, True, "l.txt"
    )  # fmt: skip
    export(home, "l", tmp_path / "out.txt", "pytx")
    assert (tmp_path / "out.txt").read_text() == f"video_md5 {B}\n"
    history = json.loads((home.folder / "lists" / "l" / "list.json").read_text())["history"]
    assert [entry["n_rejected"] for entry in history] == [1, 0]
    assert len(history[0]["sha256"]) == 64
    remove(home, "l")
    assert show(home, now=NOW)[0]["lists"] == []
    with pytest.raises(ConfigError, match="no list called"):
        remove(home, "l")


def test_one_list_that_fails_does_not_stop_the_others(home, tmp_path):
    for name in ("one", "two"):
        add(home, listed(tmp_path, A, name=f"{name}.txt"), name, ListOptions(ground="g"), now=NOW)
    (tmp_path / "one.txt").unlink()
    listed(tmp_path, A, B, name="two.txt")
    answer, lines = sync(home, now=day(1))
    assert "error" in answer["lists"][0]
    assert answer["lists"][1]["added"] == 1
    assert lines[0].startswith("one: ")
    with pytest.raises(ConfigError):
        sync(home, ["one"], now=day(1))


def test_an_emptied_file_does_not_delete_a_list(home, tmp_path):
    add(home, listed(tmp_path, A), "l", ListOptions(ground="g"), now=NOW)
    listed(tmp_path)
    with pytest.raises(ConfigError, match="holds no entry"):
        sync(home, now=day(1))
    assert active(store_of(home)) == {A}


def test_an_export_of_no_known_format_begins_no_file(home, tmp_path):
    add(home, listed(tmp_path, A), "l", ListOptions(ground="g"), now=NOW)
    with pytest.raises(ConfigError):
        export(home, "l", tmp_path / "out", "xls")
    assert not (tmp_path / "out").exists()


def test_files_are_hashed_and_looked_up(home, tmp_path):
    (tmp_path / "x.bin").write_bytes(b"abc")
    add(home, listed(tmp_path, "900150983cd24fb0d6963f7d28e17f72"), "l", ListOptions(ground="g"), now=NOW)
    answer, lines = hash_files([tmp_path / "x.bin"], home=home)
    assert answer["files"][0]["known"][0]["signal"] == "md5"
    assert any("on list l" in line for line in lines)


def test_pictures_are_looked_up_turned_too(home, tmp_path):
    image = pytest.importorskip("PIL.Image")
    coarse = image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 48, 3), dtype=np.uint8))
    picture = coarse.resize((640, 480), image.Resampling.BICUBIC)
    picture.save(tmp_path / "p.png")
    digest = hash_files([tmp_path / "p.png"])[0]["files"][0]["pdq"]
    add(home, listed(tmp_path, digest), "l", ListOptions(ground="g", signal="pdq"), now=NOW)
    picture.rotate(180).save(tmp_path / "turned.jpg", quality=90)
    assert hash_files([tmp_path / "turned.jpg"], home=home)[0]["files"][0]["known"] == []
    found = hash_files([tmp_path / "turned.jpg"], home=home, turned=True)[0]["files"][0]["known"]
    assert [match["signal"] for match in found] == ["pdq"]
    add(home, listed(tmp_path, digest, name="n"), "n", ListOptions(is_negative=True, signal="pdq"), now=NOW)
    found = hash_files([tmp_path / "p.png"], home=home)[0]["files"][0]["known"]
    assert {match["gate"] for match in found} == {"negative_bank"}


def test_opened_lists_can_be_sent_to_another_process(store):
    update(store, md5s(A, B))
    index = store.index()
    sent = pickle.loads(pickle.dumps(index))
    assert sorted(sent.files.keys.tolist()) == sorted(index.files.keys.tolist())
    assert sent.lists[0].entry_id(0) == index.lists[0].entry_id(0)
    assert len(pickle.dumps(index)) < 10_000

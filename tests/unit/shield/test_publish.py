import hashlib
import json
from datetime import timedelta

import pytest
from shield_entries import NOW, document, entry, one_of_each

from bastau.errors import ConfigError, InputError
from bastau.shield.forms import FORMS
from bastau.shield.publish import publish, verify_folder
from bastau.shield.signing import make_key
from bastau.shield.source import canonical, follow

ROWS = [*one_of_each(), entry(8, "url", act="recruit")]
FIRST = document(*ROWS)
SECOND = document(
    *({**row, "retracted_at": NOW, "retraction_reason": "overturned"} if row["kind"] == "url" else row for row in ROWS),
    previous=FIRST, now=NOW + timedelta(hours=1),
)  # fmt: skip


@pytest.fixture
def key(tmp_path):
    return make_key(tmp_path / "k")


def held(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_folder_holds_the_source_every_form_and_sums_of_all(tmp_path, key):
    told = publish(FIRST, tmp_path / "web", list(FORMS), [key])
    files = held(tmp_path / "web")
    assert files["list.json"] == canonical(FIRST)
    assert json.loads(files["about.json"]) == told
    assert set(told["forms"]) == set(FORMS)
    sums = dict(reversed(line.split("  ")) for line in files.pop("SHA256SUMS").decode().splitlines())
    signatures = {name for name in files if name.endswith(".minisig")}
    assert signatures == {"list.json.minisig", "SHA256SUMS.minisig"}
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name not in signatures}
    assert verify_folder(tmp_path / "web", key.public) == []


def test_a_later_version_leaves_no_file_of_what_was_retracted_and_none_of_others_goes(tmp_path, key):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "index.html").write_text("ours")
    publish(FIRST, tmp_path / "web", list(FORMS), [key])
    publish(SECOND, tmp_path / "web", list(FORMS), [key])
    files = held(tmp_path / "web")
    assert files["index.html"] == b"ours"
    named = {line.split("  ")[1] for line in files["SHA256SUMS"].decode().splitlines()}
    signatures = {f"{name}.minisig" for name in ("list.json", "SHA256SUMS")}
    assert set(files) == named | signatures | {"SHA256SUMS", "index.html"}
    for row in ROWS:
        if row["kind"] == "url":
            assert not [name for name, data in files.items() if row["value"].removeprefix("https://").encode() in data]
    assert verify_folder(tmp_path / "web", key.public) == []


def test_what_a_killed_export_left_is_gone_with_the_next(tmp_path, key):
    web = tmp_path / "web"
    publish(FIRST, web, list(FORMS), [key])
    left = (".tmp-77-list.json", "full/.tmp-77-ab.json", "full/zz.json", "ours.json")
    shard = next(f"full/{n:02x}.json" for n in range(256) if not (web / f"full/{n:02x}.json").exists())
    for name in (*left, shard):
        (web / name).write_text("https://retracted.kz/")
    publish(SECOND, web, list(FORMS), [key])
    assert {name for name in (*left, shard) if (web / name).exists()} == {"full/zz.json", "ours.json"}
    assert verify_folder(web, key.public) == []


def test_who_held_the_first_version_follows_by_one_file(tmp_path, key):
    publish(SECOND, tmp_path / "web", [], [key])
    step = json.loads((tmp_path / "web" / "changes" / "since-1.json").read_bytes())
    first, second = ({e["entry_id"]: e for e in made["entries"]} for made in (FIRST, SECOND))
    assert follow(first, step) == second
    assert sorted(p.name for p in (tmp_path / "web" / "changes").iterdir()) == ["since-0.json", "since-1.json"]


def test_any_file_changed_or_missing_is_found(tmp_path, key):
    publish(FIRST, tmp_path / "web", list(FORMS), [key])
    for name, data in held(tmp_path / "web").items():
        path = tmp_path / "web" / name
        path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
        assert verify_folder(tmp_path / "web", key.public), name
        path.unlink()
        if name != "SHA256SUMS":
            assert verify_folder(tmp_path / "web", key.public), name
        path.write_bytes(data)
    assert verify_folder(tmp_path / "web", key.public) == []


def test_what_is_no_published_folder_is_said_to_be_none(tmp_path, key):
    with pytest.raises(InputError, match="SHA256SUMS"):
        verify_folder(tmp_path, key.public)
    publish(FIRST, tmp_path / "web", [], [key])
    with pytest.raises(InputError, match="public key"):
        verify_folder(tmp_path / "web", "nonsense")


def test_a_version_that_would_go_back_touches_nothing(tmp_path, key):
    publish(SECOND, tmp_path / "web", ["hosts"], [key])
    before = held(tmp_path / "web")
    with pytest.raises(ConfigError, match="would go back"):
        publish(FIRST, tmp_path / "web", ["hosts"], [key])
    assert held(tmp_path / "web") == before


def test_sums_that_lead_out_of_the_folder_delete_nothing(tmp_path, key):
    (tmp_path / "web").mkdir()
    (tmp_path / "precious").write_text("x")
    sums = f"00  list.json\n00  about.json\n00  ../precious\n00  {tmp_path}/precious\n00  \n"
    (tmp_path / "web" / "SHA256SUMS").write_text(sums)
    publish(FIRST, tmp_path / "web", ["hosts"], [key])
    assert (tmp_path / "precious").read_text() == "x"


def test_sums_of_other_files_are_left_alone_and_so_are_the_files(tmp_path, key):
    folder = tmp_path / "downloads"
    folder.mkdir()
    (folder / "photo.jpg").write_text("x")
    (folder / "SHA256SUMS").write_text("00  photo.jpg\n")
    before = held(folder)
    with pytest.raises(ConfigError, match="not of a shield list"):
        publish(FIRST, folder, ["hosts"], [key])
    assert held(folder) == before


def test_a_form_that_is_dropped_goes_even_when_publishing_is_cut_short(tmp_path, key, monkeypatch):
    from bastau.shield import publish as module

    publish(FIRST, tmp_path / "web", ["hosts", "rpz"], [key])
    write = module.write_whole

    def dies_at_the_sums(filesystem, path, body):
        write(filesystem, path, body)
        if path.endswith("SHA256SUMS"):
            raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(module, "write_whole", dies_at_the_sums)
        with pytest.raises(KeyboardInterrupt):
            publish(SECOND, tmp_path / "web", ["rpz"], [key])
    third = document(*ROWS, previous=SECOND, now=NOW + timedelta(hours=2))
    publish(third, tmp_path / "web", ["rpz"], [key])
    assert not (tmp_path / "web" / "hosts.txt").exists()


def test_of_sums_that_nobody_signed_no_file_is_opened(tmp_path, key):
    publish(FIRST, tmp_path / "web", [], [key])
    sums = tmp_path / "web" / "SHA256SUMS"
    sums.write_text(sums.read_text() + "00  ../missing\n")
    assert verify_folder(tmp_path / "web", key.public) == ["SHA256SUMS: the signature is not of these bytes"]


def test_three_keys_are_one_too_many(tmp_path, key):
    with pytest.raises(ConfigError, match="at most one before"):
        publish(FIRST, tmp_path / "web", [], [key, make_key(tmp_path / "a"), make_key(tmp_path / "b")])
    assert not (tmp_path / "web").exists()


def test_the_same_version_signed_by_the_same_key_gives_the_same_bytes(tmp_path):
    keys = [make_key(tmp_path / "a")]
    publish(FIRST, tmp_path / "one", list(FORMS), keys)
    (tmp_path / "a.signed").unlink()
    publish(FIRST, tmp_path / "two", list(FORMS), keys)
    assert held(tmp_path / "one") == held(tmp_path / "two")

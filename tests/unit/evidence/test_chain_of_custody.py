"""Any later change to what was kept shows, and says where."""

import gzip
import hashlib
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bastau.chain import Chain
from bastau.collect.visits import Answer, Request
from bastau.errors import ConfigError
from bastau.evidence import warc
from bastau.evidence.archive import MAX_WAITING_BYTES, Archive
from bastau.evidence.commands import export, list_items, show, verify
from bastau.evidence.packing import pack

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def answer(
    url: str = "https://site.kz/1", body: bytes = b"<p>words</p>", kind: str = "text/html", **more: str
) -> Answer:
    headers = (("Content-Type", kind), ("Set-Cookie", "session=secretcookie"), *more.items())
    return Answer(url, 200, headers, body, (), "93.184.216.34", NOON, 0.1, len(body))


def scrub(text: str) -> str:
    return text.replace("@secretperson", "@p~aaaaaaaaaaaaaaaa")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    kept = Archive(tmp_path / "evidence")
    for n in range(1, 4):
        kept.take(
            Request(f"https://site.kz/{n}", headers={"Authorization": "Bearer secretkey"}),
            answer(f"https://site.kz/{n}", b"<p>page %d</p>" % n),
        )
    assert kept.write(scrub, NOON) == 3
    return kept


def test_a_write_that_failed_leaves_the_chain_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain(tmp_path)
    chain.append([{"act": "noted"}], NOON)
    before = chain.n, chain.head
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            chain.append([{"act": "noted"}], NOON)
    assert (chain.n, chain.head) == before
    chain.append([{"act": "noted"}], NOON)
    assert chain.verify() == []


def chain_lines(archive: Archive) -> list[bytes]:
    return (archive.folder / "chain.ndjson").read_bytes().splitlines(keepends=True)


def test_a_fresh_archive_is_whole_and_gives_back_what_was_sent(archive: Archive) -> None:
    assert archive.verify() == []
    item, data = archive.working_copy(2)
    assert data == b"<p>page 2</p>"
    assert item["source_sha256"] == item["kept_sha256"] == hashlib.sha256(data).hexdigest()


def edit_act(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b"site.kz/2", b"site.kz/9"), lines[2]]


def remove_act(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2]]


def swap_acts(lines: list[bytes]) -> list[bytes]:
    return [lines[1], lines[0], lines[2]]


def forge_act(lines: list[bytes]) -> list[bytes]:
    """Change an act and make its own hash fit again: the next one still names the old."""
    from bastau.chain import digest

    entry = json.loads(lines[1])
    entry["url"] = "https://site.kz/forged"
    entry["hash"] = digest({k: v for k, v in entry.items() if k != "hash"})
    return [lines[0], json.dumps(entry, sort_keys=True).encode() + b"\n", lines[2]]


def no_json(lines: list[bytes]) -> list[bytes]:
    return [lines[0], b"nonsense\n", lines[2]]


@pytest.mark.parametrize(
    ("change", "code", "act"),
    [
        (edit_act, "edited", 2),
        (remove_act, "out_of_order", 3),
        (swap_acts, "out_of_order", 2),
        (forge_act, "broken_link", 3),
    ],
    ids=["edited", "removed", "swapped", "forged"],
)
def test_a_changed_chain_is_found_where_it_was_changed(
    archive: Archive, change: Callable[[list[bytes]], list[bytes]], code: str, act: int
) -> None:
    (archive.folder / "chain.ndjson").write_bytes(b"".join(change(chain_lines(archive))))
    assert (code, act) in [(finding.code, finding.number) for finding in Chain(archive.folder).verify()]


def test_a_line_that_is_no_act_is_said(archive: Archive) -> None:
    path = archive.folder / "chain.ndjson"
    chain = Chain(archive.folder)
    path.write_bytes(b"".join(no_json(chain_lines(archive))))
    assert [finding.code for finding in chain.verify()] == ["unreadable"]


def test_a_cut_end_shows_against_a_head_that_somebody_else_has(archive: Archive) -> None:
    head = Chain(archive.folder).head
    (archive.folder / "chain.ndjson").write_bytes(b"".join(chain_lines(archive)[:2]))
    assert Chain(archive.folder).verify() == []
    assert Chain(archive.folder).head != head
    assert "unknown_record" in [finding.code for finding in archive.verify()]


@pytest.mark.parametrize("at", [0.3, 0.6, 0.95])
def test_a_changed_file_is_found(archive: Archive, at: float) -> None:
    (path,) = (archive.folder / "warc").glob("*.gz")
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 0xFF
    path.write_bytes(bytes(data))
    assert {finding.code for finding in archive.verify()} & {"missing", "changed"}


def test_a_record_put_in_the_place_of_another_is_found(archive: Archive) -> None:
    (path,) = (archive.folder / "warc").glob("*.gz")
    true = next(r for r in warc.read_records(path) if b"page 1" in r.block)
    data = path.read_bytes()
    fields = [("WARC-Target-URI", true.fields["warc-target-uri"])]
    forged = warc.packed("response", true.record_id, NOON, fields, warc.as_http(200, (), b"<p>forged</p>"))
    path.write_bytes(data[: true.offset] + forged + data[true.offset + true.length :])
    assert [(finding.code, finding.number) for finding in archive.verify()] == [("changed", 1)]


def test_a_file_that_was_taken_away_is_found(archive: Archive) -> None:
    (path,) = (archive.folder / "warc").glob("*.gz")
    path.unlink()
    assert [(finding.code, finding.number) for finding in archive.verify()] == [("missing", n) for n in (1, 2, 3)]


def test_killed_while_writing_the_next_write_goes_on_behind_the_last_whole_record(archive: Archive) -> None:
    (path,) = (archive.folder / "warc").glob("*.gz")
    with path.open("ab") as torn:
        torn.write(gzip.compress(b"WARC/1.1\r\nWARC-Type: response\r\n" + b"x" * 999)[:-20])
    with (archive.folder / "chain.ndjson").open("ab") as torn:
        torn.write(b'{"act": "kept", "by": "wat')
    archive.take(Request("https://site.kz/4"), answer("https://site.kz/4"))
    archive.write(scrub, NOON)
    assert archive.verify() == []
    assert [item["url"][-1] for item in archive.items()] == ["1", "2", "3", "4"]


def test_no_private_handle_key_or_cookie_is_on_disk_nor_a_digest_to_guess_it_by(tmp_path: Path) -> None:
    body = b"<p>said @secretperson on <a href='https://x.com/@secretperson'>x</a></p>"
    archive = Archive(tmp_path / "evidence")
    asked = Request("https://site.kz/@secretperson", headers={"Authorization": "Bearer secretkey"})
    archive.take(asked, answer("https://site.kz/@secretperson", body, link="<https://site.kz/@secretperson>; rel=x"))
    archive.write(scrub, NOON)
    item, data = archive.working_copy(1)
    assert item["is_pseudonymised"]
    assert item["source_sha256"] is None  # a handle could be guessed by it
    assert hashlib.sha256(body).hexdigest() not in (tmp_path / "evidence" / "chain.ndjson").read_text()
    assert b"p~aaaaaaaaaaaaaaaa" in data
    for path in tmp_path.rglob("*"):
        if path.is_file():
            stored = path.read_bytes() + (
                b"".join(r.block + repr(r.fields).encode() for r in warc.read_records(path))
                if path.suffix == ".gz"
                else b""
            )
            assert not any(mark in stored for mark in (b"secretperson", b"secretkey", b"secretcookie")), path
    assert archive.verify() == []


def test_answers_of_social_platforms_and_of_websites_not_chosen_are_not_kept(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "evidence", lambda website: website == "site.kz")
    for url in (
        "https://t.me/s/channel",
        "https://mastodon.social/api/v1/x",
        "https://bsky.app/x",
        "https://other.kz/1",
    ):
        archive.take(Request(url), answer(url))
    assert archive.write(scrub, NOON) == 0


def test_what_did_not_change_is_kept_once(archive: Archive) -> None:
    archive.take(Request("https://site.kz/1"), answer("https://site.kz/1", b"<p>page 1</p>"))
    assert archive.write(scrub, NOON) == 0
    archive.take(Request("https://site.kz/1"), answer("https://site.kz/1", b"<p>page 1, changed</p>"))
    assert archive.write(scrub, NOON) == 1


def test_what_could_not_be_held_is_counted_in_the_chain(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "evidence")
    for n in range(5):
        body = bytes([65 + n]) * (MAX_WAITING_BYTES // 3)
        archive.take(Request(f"https://site.kz/{n}"), answer(f"https://site.kz/{n}", body))
    assert archive.write(scrub, NOON) == 3
    assert [entry["count"] for entry in Chain(archive.folder).entries() if entry["act"] == "dropped"] == [2]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/activity+json", b'{"actor": "@secretperson"}'),
        ("application/ld+json", b'"@secretperson"'),
        ("application/json", b'"@secretperson"'),
        ("application/octet-stream", b"@secretperson"),
        ("image/png", b"\x89PNG@secretperson"),
        ("text/html", "<p>@secretperson</p>".encode("utf-16-le")),
        ("text/html; charset=made-up", b"\xff\xfe@\x00s\x00"),
    ],
)
def test_what_is_no_text_in_a_known_encoding_is_not_kept(tmp_path: Path, kind: str, body: bytes) -> None:
    archive = Archive(tmp_path / "evidence")
    archive.take(Request("https://site.kz/1"), answer(body=body, kind=kind))
    assert archive.write(scrub, NOON) == 0
    (entry,) = Chain(archive.folder).entries()
    assert entry["why"] == "no text in a known encoding"


@pytest.mark.parametrize("encoding", ["utf-16", "windows-1251", "utf-8"])
def test_handles_are_found_in_the_encoding_that_the_answer_names(tmp_path: Path, encoding: str) -> None:
    archive = Archive(tmp_path / "evidence")
    body = "<p>пишет @secretperson</p>".encode(encoding)
    archive.take(Request("https://site.kz/1"), answer(body=body, kind=f"text/html; charset={encoding}"))
    assert archive.write(scrub, NOON) == 1
    item, data = archive.working_copy(1)
    assert item["is_pseudonymised"]
    assert data.decode(encoding) == "<p>пишет @p~aaaaaaaaaaaaaaaa</p>"


class TestDamage:
    """A damaged record takes none of its neighbours with it, whatever is done next."""

    @pytest.fixture
    def damaged(self, archive: Archive) -> Archive:
        (path,) = (archive.folder / "warc").glob("*.gz")
        second = next(r for r in warc.read_records(path) if b"page 2" in r.block)
        data = bytearray(path.read_bytes())
        data[second.offset + second.length // 2] ^= 0xFF
        path.write_bytes(bytes(data))
        return archive

    def test_only_the_damaged_item_is_missing(self, damaged: Archive) -> None:
        assert [(finding.code, finding.number) for finding in damaged.verify()] == [("missing", 2)]

    def test_whoever_hands_it_over_is_told(self, damaged: Archive, tmp_path: Path) -> None:
        said, lines = export(damaged, tmp_path / "a.wacz", NOON, by="A")
        assert not said["is_whole"]
        assert lines[-1].startswith("NOT whole: 1 findings")

    def test_the_next_write_goes_behind_it(self, damaged: Archive) -> None:
        again = Archive(damaged.folder)
        again.take(Request("https://site.kz/4"), answer("https://site.kz/4"))
        again.write(scrub, NOON)
        assert [(finding.code, finding.number) for finding in again.verify()] == [("missing", 2)]
        assert again.working_copy(3)[1] == b"<p>page 3</p>"

    def test_erasing_another_item_leaves_the_rest(self, damaged: Archive) -> None:
        damaged.erase([1], NOON, by="A", why="b")
        assert [(finding.code, finding.number) for finding in damaged.verify()] == [("missing", 2)]
        assert damaged.working_copy(3)[1] == b"<p>page 3</p>"


def test_what_could_not_be_written_is_written_the_next_time(tmp_path: Path) -> None:
    def full(_text: str) -> str:
        raise OSError(28, "no space")

    archive = Archive(tmp_path / "evidence")
    archive.take(Request("https://site.kz/1"), answer())
    with pytest.raises(OSError, match="no space"):
        archive.write(full, NOON)
    archive.take(Request("https://site.kz/1"), answer())
    assert archive.write(scrub, NOON) == 1
    assert archive.verify() == []


def test_records_whose_acts_could_not_be_written_are_cut_off(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    append = Chain.append
    monkeypatch.setattr(Chain, "append", lambda *_: (_ for _ in ()).throw(OSError(28, "no space")))
    archive.take(Request("https://site.kz/4"), answer("https://site.kz/4"))
    with pytest.raises(OSError, match="no space"):
        archive.write(scrub, NOON)
    monkeypatch.setattr(Chain, "append", append)
    assert archive.write(scrub, NOON) == 1
    assert archive.verify() == []


def test_two_watchers_of_one_home_leave_each_others_records(archive: Archive) -> None:
    other = Archive(archive.folder)
    for n, writer in enumerate((other, archive, other), 4):
        writer.take(Request(f"https://site.kz/{n}"), answer(f"https://site.kz/{n}"))
        writer.write(scrub, NOON)
    assert archive.verify() == []
    assert len(archive.items()) == 6


def test_a_broken_chain_lets_nothing_be_cut_off(archive: Archive) -> None:
    (archive.folder / "chain.ndjson").write_bytes(b"".join(edit_act([*chain_lines(archive)[:2], b""])))
    again = Archive(archive.folder)
    again.take(Request("https://site.kz/4"), answer("https://site.kz/4"))
    again.write(scrub, NOON)
    (path,) = (archive.folder / "warc").glob("*.gz")
    assert len([r for r in warc.read_records(path) if r.fields["warc-type"] == "response"]) == 4


def test_reading_changes_nothing(archive: Archive) -> None:
    path = archive.folder / "chain.ndjson"
    with path.open("ab") as torn:
        torn.write(b'{"act": "kept", "by": "wat')
    before = path.read_bytes()
    assert archive.verify() == []
    assert len(archive.items()) == 3
    assert path.read_bytes() == before


class TestErasure:
    def test_an_erased_item_is_gone_and_the_chain_stays_whole(self, archive: Archive) -> None:
        assert archive.erase([2], NOON, by="Aigerim", why="court order 17") == 1
        assert archive.verify() == []
        assert b"page 2" not in b"".join(
            r.block for p in (archive.folder / "warc").glob("*.gz") for r in warc.read_records(p)
        )
        answer_, lines = show(archive, 2, None)
        assert answer_["custody"][-1]["why"] == "court order 17"
        assert any("erased by Aigerim" in line for line in lines)
        with pytest.raises(ConfigError, match="was erased by act 4"):
            archive.working_copy(2)

    def test_it_needs_a_name_and_a_reason(self, archive: Archive) -> None:
        with pytest.raises(ConfigError, match="--why"):
            archive.erase([1], NOON, by="Aigerim", why=" ")

    def test_what_was_put_back_is_found(self, archive: Archive) -> None:
        (path,) = (archive.folder / "warc").glob("*.gz")
        before = path.read_bytes()
        archive.erase([1], NOON, by="A", why="b")
        path.write_bytes(before)
        assert [(finding.code, finding.number) for finding in archive.verify()] == [("not_erased", 1)]

    def test_what_a_kill_left_of_an_erasure_is_taken_out_by_the_next(self, archive: Archive) -> None:
        Chain(archive.folder).append([{"act": "erased", "by": "A", "why": "b", "item": 1}], NOON)
        assert [finding.code for finding in archive.verify()] == ["not_erased"]
        archive.erase(archive.expired(NOON, 30), NOON, by="A", why="b")
        assert archive.verify() == []

    def test_a_picture_that_another_act_names_stays(self, tmp_path: Path) -> None:
        archive, data = Archive(tmp_path), b"picture"
        (tmp_path / "shots").mkdir()
        (tmp_path / "shots" / "a.png").write_bytes(data)
        shot = {
            "act": "shot",
            "by": "A",
            "url": "https://site.kz",
            "file": "a.png",
            "kept_sha256": hashlib.sha256(data).hexdigest(),
        }
        Chain(tmp_path).append([shot, shot], NOON)
        archive.erase([1], NOON, by="A", why="b")
        assert archive.working_copy(2)[1] == data
        assert archive.verify() == []
        archive.erase([2], NOON, by="A", why="b")
        assert not (tmp_path / "shots" / "a.png").exists()

    def test_items_expire_by_age_and_website(self, archive: Archive) -> None:
        later = NOON + timedelta(days=40)
        archive.take(Request("https://other.kz/1"), answer("https://other.kz/1"))
        archive.write(scrub, later)
        assert archive.expired(later, 30) == [1, 2, 3]
        assert archive.expired(later, 0, website="other.kz") == [4]

    def test_what_a_website_redirected_to_is_of_both_websites(self, archive: Archive) -> None:
        archive.take(Request("https://other.kz/1"), answer("https://elsewhere.kz/1"))
        archive.write(scrub, NOON)
        assert archive.expired(NOON, 0, website="other.kz") == [4]
        assert archive.expired(NOON, 0, website="elsewhere.kz") == [4]


def test_the_package_holds_everything_with_its_hash(archive: Archive, tmp_path: Path) -> None:
    out = tmp_path / "evidence.wacz"
    made = pack(archive, out, NOON, by="Aigerim")
    with zipfile.ZipFile(out) as package:
        about = json.loads(package.read("datapackage.json"))
        for resource in about["resources"]:
            assert "sha256:" + hashlib.sha256(package.read(resource["path"])).hexdigest() == resource["hash"]
        index = gzip.decompress(package.read("indexes/index.cdx.gz")).decode().splitlines()
        assert [line.split(" ")[0] for line in index] == ["kz,site)/1", "kz,site)/2", "kz,site)/3"]
        where = json.loads(index[1].split(" ", 2)[2])
        assert (where["mime"], where["status"]) == ("text/html", "200")
        data = package.read("archive/" + where["filename"])
        member = gzip.decompress(data[int(where["offset"]) : int(where["offset"]) + int(where["length"])])
        assert b"page 2" in member
    assert made["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert list(Chain(archive.folder).entries())[-1]["act"] == "exported"


def test_a_stranger_reads_the_archive(archive: Archive) -> None:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    (path,) = (archive.folder / "warc").glob("*.gz")
    with path.open("rb") as file:
        records = [
            (record.headers["WARC-Target-URI"], record.reader.read(), record.verify_block_digest())
            for record in ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=True)
        ]
    assert [(url, body) for url, body, _ in records] == [
        (f"https://site.kz/{n}", b"<p>page %d</p>" % n) for n in (1, 2, 3)
    ]


def test_lists_and_verdicts_are_for_people_too(archive: Archive) -> None:
    assert list_items(archive, "kz/2")[1][1].endswith("https://site.kz/2")
    answer_, lines = verify(archive)
    assert answer_["is_whole"]
    assert "no time stamp" in lines[-1]

"""Requests, redirects and unchanged pages are records as other archives write them, and stay few."""

import gzip
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bastau.chain import Chain
from bastau.collect.visits import Answer, Hop, Request
from bastau.errors import ConfigError
from bastau.evidence import warc
from bastau.evidence.archive import Archive
from bastau.evidence.commands import erase, list_items, show, verify
from bastau.evidence.packing import pack

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PAGE = "https://site.kz/1"
AGENT = "bastau/1 (+desk@site.kz)"


def answer(
    url: str = PAGE,
    body: bytes = b"<p>words</p>",
    at: datetime = NOON,
    status: int = 200,
    hops: tuple[Hop, ...] = (),
    **headers: str,
) -> Answer:
    given = {"Content-Type": "text/html", "Set-Cookie": "session=secretcookie", **headers}
    return Answer(url, status, tuple(given.items()), body, hops, "93.184.216.34", at, 0.1, len(body))


def unchanged(at: datetime, **headers: str) -> Answer:
    return answer(body=b"", at=at, status=304, **headers)


def scrub(text: str) -> str:
    return text.replace("@secretperson", "@p~aaaaaaaaaaaaaaaa").replace(
        "https://site.kz/users/secretperson", "https://site.kz/users/p~aaaaaaaaaaaaaaaa"
    )


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "evidence", agent=AGENT, operator="desk@site.kz")


def look(archive: Archive, given: Answer, asked: Request | None = None) -> int:
    archive.take(asked or Request(given.url), given)
    return archive.write(scrub, given.started_at)


def records(archive: Archive, kind: str = "") -> list[warc.Record]:
    return [
        record
        for path in sorted((archive.folder / "warc").glob("*.gz"))
        for record in warc.read_records(path)
        if kind in ("", record.fields["warc-type"])
    ]


def acts(archive: Archive) -> list[str]:
    return [entry["act"] for entry in Chain(archive.folder).entries()]


class TestRequests:
    def test_method_target_host_and_our_own_headers_are_kept_and_no_others(self, archive: Archive) -> None:
        asked = Request(
            "https://site.kz/1?page=2",
            headers={"Authorization": "Bearer secretkey", "X-Api-Key": "secretkey", "accept-language": "kk"},
            last_modified="Fri, 27 Nov 2026 00:00:00 GMT",
        )
        look(archive, answer("https://site.kz/1?page=2"), asked)
        (request,), (response,) = records(archive, "request"), records(archive, "response")
        assert request.block.decode().split("\r\n") == [
            "GET /1?page=2 HTTP/1.1",
            "Host: site.kz",
            f"User-Agent: {AGENT}",
            "accept-language: kk",
            "Accept: */*",
            "If-Modified-Since: Fri, 27 Nov 2026 00:00:00 GMT",
            "",
            "",
        ]
        assert request.fields["warc-concurrent-to"] == response.record_id
        assert request.fields["warc-target-uri"] == response.fields["warc-target-uri"] == "https://site.kz/1?page=2"

    def test_the_file_says_who_made_it_how_and_by_what_rules(self, archive: Archive) -> None:
        look(archive, answer())
        (info,), (response,) = records(archive, "warcinfo"), records(archive, "response")
        said = dict(line.split(": ", 1) for line in info.block.decode().splitlines())
        assert said["software"].startswith("bastau/")
        assert (said["operator"], said["http-header-user-agent"]) == ("desk@site.kz", AGENT)
        assert {"robots", "conformsTo", "format", "description"} <= said.keys()
        assert response.fields["warc-warcinfo-id"] == info.record_id

    def test_only_what_was_got_is_kept(self, archive: Archive) -> None:
        for method in ("HEAD", "POST"):
            archive.take(Request(PAGE, method=method), answer())
        assert archive.write(scrub, NOON) == 0


class TestRedirects:
    HOPS = (Hop("https://site.kz/old", 301, "/new"), Hop("https://site.kz/new", 302, PAGE))

    def test_each_hop_is_a_response_that_leads_on_with_its_request(self, archive: Archive) -> None:
        look(archive, answer(hops=self.HOPS), Request("https://site.kz/old"))
        found = {r.fields["warc-target-uri"]: r.block.decode() for r in records(archive, "response")}
        assert found["https://site.kz/old"] == "HTTP/1.1 301 \r\nLocation: /new\r\n\r\n"
        assert found["https://site.kz/new"] == f"HTTP/1.1 302 \r\nLocation: {PAGE}\r\n\r\n"
        concurrent = {r.fields["warc-concurrent-to"] for r in records(archive, "request")}
        assert concurrent == {r.record_id for r in records(archive, "response")}
        assert archive.verify() == []

    @pytest.mark.parametrize("location", ["/users/secretperson", "https://site.kz/users/secretperson", "secretperson"])
    def test_private_handles_in_targets_and_locations_are_replaced_and_still_lead_on(
        self, archive: Archive, location: str
    ) -> None:
        hops = (Hop("https://site.kz/users/old", 302, location),)
        look(archive, answer("https://site.kz/users/secretperson", hops=hops), Request("https://site.kz/users/old"))
        (hop, page) = sorted(records(archive, "response"), key=lambda r: r.fields["warc-target-uri"])
        assert hop.block.decode().split("\r\n")[1] == "Location: " + page.fields["warc-target-uri"]
        stored = b"".join(r.block + repr(r.fields).encode() for r in records(archive))
        assert b"secretperson" not in stored + (archive.folder / "chain.ndjson").read_bytes()
        assert b"GET /users/p~aaaaaaaaaaaaaaaa HTTP/1.1" in stored

    def test_a_changed_hop_is_found_and_an_erased_item_takes_its_hops_along(self, archive: Archive) -> None:
        look(archive, answer(hops=self.HOPS), Request("https://site.kz/old"))
        (path,) = (archive.folder / "warc").glob("*.gz")
        hop = next(r for r in records(archive, "response") if b" 301 " in r.block)
        data = path.read_bytes()
        fields = [("WARC-Target-URI", "https://site.kz/old")]
        forged = warc.packed("response", hop.record_id, NOON, fields, hop.block.replace(b"/new", b"/forged"))
        path.write_bytes(data[: hop.offset] + forged + data[hop.offset + hop.length :])
        assert [(finding.code, finding.number) for finding in archive.verify()] == [("changed", 1)]
        archive.erase([1], NOON, by="A", why="b")
        assert [r.fields["warc-type"] for r in records(archive)] == ["warcinfo"]
        assert archive.verify() == []


class TestSeenAgain:
    def test_the_same_page_is_noted_once_a_day_without_its_body(self, archive: Archive) -> None:
        look(archive, answer())
        for minutes in range(15, 48 * 60, 15):
            look(archive, answer(at=NOON + timedelta(minutes=minutes)))
        assert acts(archive) == ["kept", "seen", "seen"]
        (kept,), revisits = records(archive, "response"), records(archive, "revisit")
        for revisit in revisits:
            assert revisit.fields["warc-profile"].endswith("/revisit/identical-payload-digest")
            assert revisit.fields["warc-refers-to"] == kept.record_id
            assert revisit.fields["warc-refers-to-date"] == kept.fields["warc-date"]
            assert revisit.fields["warc-payload-digest"] == kept.fields["warc-payload-digest"]
            assert b"words" not in revisit.block
        assert archive.verify() == []

    def test_another_process_goes_on_where_the_last_one_stopped(self, archive: Archive) -> None:
        look(archive, answer())
        for hours in (1, 25, 26):
            look(Archive(archive.folder), answer(at=NOON + timedelta(hours=hours)))
        assert acts(archive) == ["kept", "seen"]

    def test_what_changed_is_kept_and_noted_from_then_on(self, archive: Archive) -> None:
        look(archive, answer())
        look(archive, answer(body=b"<p>other</p>", at=NOON + DAY))
        look(archive, answer(body=b"<p>other</p>", at=NOON + 2 * DAY))
        assert [(e["act"], e.get("of")) for e in Chain(archive.folder).entries()] == [
            ("kept", None),
            ("kept", None),
            ("seen", 2),
        ]

    @pytest.mark.parametrize("is_new_process", [False, True])
    def test_a_304_to_the_validator_of_what_is_kept_is_noted(self, archive: Archive, is_new_process: bool) -> None:
        look(archive, answer(ETag='"a"'))
        later = Archive(archive.folder) if is_new_process else archive
        look(later, unchanged(NOON + DAY), Request(PAGE, etag='"a"'))
        (revisit,) = records(archive, "revisit")
        assert revisit.fields["warc-profile"].endswith("/revisit/server-not-modified")
        assert revisit.block.startswith(b"HTTP/1.1 304 ")
        assert b'If-None-Match: "a"' in records(archive, "request")[-1].block

    def test_a_304_about_a_version_that_was_not_kept_proves_nothing(self, archive: Archive) -> None:
        look(archive, answer(ETag='"a"'))
        look(archive, unchanged(NOON + DAY), Request(PAGE, etag='"b"'))
        look(archive, unchanged(NOON + DAY, ETag='"b"'), Request("https://site.kz/never-kept", etag='"b"'))
        assert acts(archive) == ["kept"]

    def test_no_tag_of_a_page_whose_handles_were_replaced_is_stored(self, archive: Archive) -> None:
        """It may be a digest of the page as it was sent, by which a handle could be guessed."""
        modified = "Fri, 27 Nov 2026 00:00:00 GMT"
        given = {"ETag": '"secrettag"', "Last-Modified": modified}
        look(archive, answer(body=b"@secretperson", **given))
        look(archive, answer(body=b"@secretperson", at=NOON + DAY, **given))
        look(archive, unchanged(NOON + 2 * DAY, **given), Request(PAGE, etag='"secrettag"', last_modified=modified))
        look(archive, answer(body=b"new", at=NOON + 3 * DAY), Request(PAGE, etag='"secrettag"', last_modified=modified))
        assert acts(archive) == ["kept", "seen", "seen", "kept"]
        stored = b"".join(r.block + repr(r.fields).encode() for r in records(archive))
        assert b"secrettag" not in stored + (archive.folder / "chain.ndjson").read_bytes()
        assert modified.encode() in stored

    def test_another_way_to_the_same_page_is_noted_too(self, archive: Archive) -> None:
        look(archive, answer())
        hops = (Hop("https://site.kz/old", 301, "/1"),)
        for _ in range(3):
            look(archive, answer(hops=hops), Request("https://site.kz/old"))
        assert acts(archive) == ["kept", "seen"]
        assert len(records(archive, "response")) == 2

    def test_a_working_copy_is_what_was_seen(self, archive: Archive) -> None:
        look(archive, answer())
        look(archive, answer(at=NOON + DAY))
        item, data = archive.working_copy(2)
        assert (item["n"], data) == (1, b"<p>words</p>")
        assert list_items(archive)[0]["n_items"] == 1
        assert list_items(archive)[1][1].endswith("(last seen unchanged 2026-11-29)")
        assert "custody: 2026-11-29T12:00:00 seen by watch" in show(archive, 1, None)[1]

    def test_an_item_is_as_old_as_its_last_look_and_takes_its_looks_along(self, archive: Archive) -> None:
        look(archive, answer())
        look(archive, answer(at=NOON + 40 * DAY))
        later = NOON + 60 * DAY
        assert archive.expired(later, 30) == []
        assert archive.expired(later + 20 * DAY, 30) == [1, 2]
        assert archive.erase([1], later, by="A", why="b") == 2
        assert [r.fields["warc-type"] for r in records(archive)] == ["warcinfo", "warcinfo"]
        assert archive.verify() == []

    def test_an_erased_item_is_kept_anew_when_it_comes_again(self, archive: Archive) -> None:
        look(archive, answer())
        Archive(archive.folder).erase([1], NOON, by="A", why="b")
        look(archive, answer(at=NOON + DAY))
        assert acts(archive) == ["kept", "erased", "kept"]


def test_no_item_that_is_not_there_can_be_erased(archive: Archive) -> None:
    look(archive, answer())
    with pytest.raises(ConfigError, match="no item 7, 9"):
        archive.erase([1, 9, 7], NOON, by="A", why="b")
    assert acts(archive) == ["kept"]


def test_the_index_of_a_package_leads_through_redirects_to_what_was_seen_again(
    archive: Archive, tmp_path: Path
) -> None:
    hops = (Hop("https://site.kz/old", 301, "/1"),)
    look(archive, answer(hops=hops, ETag='"a"'), Request("https://site.kz/old"))
    look(archive, answer(at=NOON + DAY, hops=hops), Request("https://site.kz/old"))
    look(archive, unchanged(NOON + 2 * DAY), Request(PAGE, etag='"a"'))
    assert acts(archive) == ["kept", "seen", "seen"]
    pack(archive, tmp_path / "a.wacz", NOON, by="A")
    with zipfile.ZipFile(tmp_path / "a.wacz") as package:
        lines = gzip.decompress(package.read("indexes/index.cdx.gz")).decode().splitlines()
        # py-wacz looks one folder deep.
        assert {r["path"].count("/") for r in json.loads(package.read("datapackage.json"))["resources"]} == {1}
    about = [(line.split(" ")[0], json.loads(line.split(" ", 2)[2])) for line in lines]
    assert [(key, one["status"], one["mime"]) for key, one in about] == [
        ("kz,site)/1", "200", "text/html"),
        ("kz,site)/1", "200", "warc/revisit"),
        ("kz,site)/old", "301", "unk"),
        ("kz,site)/old", "301", "unk"),
    ]


def test_what_is_written_already_is_not_read_again_for_each_write(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(archive, answer())
    monkeypatch.setattr(Archive, "_cut", lambda *_: pytest.fail("the whole file was read"))
    look(archive, answer("https://site.kz/2"))
    assert archive.verify() == []


@pytest.mark.parametrize("at", [1, 3])
def test_a_chain_that_cannot_be_read_is_a_finding_with_its_line(archive: Archive, at: int) -> None:
    for n in range(3):
        look(archive, answer(f"https://site.kz/{n}"))
    path = archive.folder / "chain.ndjson"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:at], b"nonsense\n", *lines[at:]]))
    said, told = verify(archive)
    assert (said["is_whole"], said["findings"][0]["code"]) == (False, "unreadable")
    assert f"line {at + 1}: is no act" in told[0]


def test_an_archive_without_anything_says_so(archive: Archive) -> None:
    assert verify(archive)[1] == ["nothing was kept yet; see docs/how-to/evidence.md"]


def test_a_negative_age_erases_nothing(archive: Archive) -> None:
    look(archive, answer())
    with pytest.raises(ConfigError, match="0 or more"):
        erase(archive, [], NOON, older_than=-5, website=None, by="A", why="b")
    assert acts(archive) == ["kept"]

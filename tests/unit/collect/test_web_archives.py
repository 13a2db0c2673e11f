"""Web archives are read or refused clearly: what holds no page says so, and one bad record takes no other along."""

import builtins
import gzip
import io
import zlib
from collections.abc import Sequence
from typing import Any

import brotli
import pytest
import zstandard

from bastau.collect.formats.pages import WEB_ARCHIVE
from bastau.collect.reading import MAX_RECORD_BYTES, Batch, Request
from bastau.errors import InputError

PAGE = b"<html><title>t</title><p>words</p></html>"


def record(kind: str, block: bytes, url: str = "https://site.kz/1", type_: str = "application/http") -> bytes:
    head = [
        "WARC/1.1",
        f"WARC-Type: {kind}",
        f"WARC-Target-URI: {url}",
        "WARC-Date: 2026-11-28T12:00:00Z",
        f"Content-Type: {type_}",
        f"Content-Length: {len(block)}",
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def http(body: bytes = PAGE, *headers: str, status: str = "200 OK", kind: str = "text/html") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def page(n: int, *headers: str, body: bytes = PAGE) -> bytes:
    return record("response", http(body, *headers), f"https://site.kz/{n}")


def arc(url: str, block: bytes, length: int | None = None) -> bytes:
    return f"{url} 192.0.2.1 20261128120000 text/html {length or len(block)}\n".encode() + block + b"\n"


ARC_HEAD = b"filedesc://a.arc 0.0.0.0 20261128120000 text/plain 3\nab\n\n"


def read(data: bytes) -> list[Batch]:
    return list(WEB_ARCHIVE.read(io.BufferedReader(io.BytesIO(data)), Request(1000)))  # type: ignore[arg-type]


def urls(batches: Sequence[Batch]) -> list[str]:
    return [found["url"] for batch in batches for found in batch.pages]


def reasons(batches: Sequence[Batch]) -> list[str]:
    return [problem.reason for batch in batches for problem in batch.problems]


def until_damage(data: bytes) -> tuple[list[Batch], str]:
    """Return the batches that came before the damage, and what was said of it."""
    batches: list[Batch] = []
    source = WEB_ARCHIVE.read(io.BufferedReader(io.BytesIO(data)), Request(1))  # type: ignore[arg-type]
    with pytest.raises(InputError) as caught:
        batches.extend(source)  # keeps those that came before the error
    return batches, str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (record("warcinfo", b"software: x", type_="application/warc-fields"), "1 requests, metadata and the like"),
        (record("request", b"GET / HTTP/1.1\r\n\r\n") * 4, "4 requests, metadata and the like"),
        (record("response", http(b"{}", kind="application/json")) * 3, "3 answers that are no HTML"),
        (record("response", http(status="404 Not Found")), "1 answers of status 404"),
        (record("response", http(status="301 Moved")) * 2, "2 answers of status 301"),
        (record("revisit", http(b"")), "1 repeats of pages that stand elsewhere (revisit)"),
        (record("resource", b"\x89PNG", "file:///a.png", "image/png"), "1 records of other places than the web"),
        (record("response", b"1.2.3.4", "dns:site.kz", "text/dns"), "1 records of other places than the web"),
        (record("resource", b"\x89PNG", type_="image/png"), "1 answers that are no HTML"),
        (record("response", http(b"")), "1 answers without a body"),
        (ARC_HEAD + arc("https://site.kz/1", http(status="500 Oops")), "1 answers of status 500"),
    ],
)
def test_an_archive_without_a_page_is_a_reject_that_counts_what_it_holds(data: bytes, said: str) -> None:
    (batch,) = read(data)
    assert (batch.pages, [p.reason for p in batch.problems]) == ([], ["no_page"])
    assert said in batch.notes[0]


def test_what_is_left_out_beside_pages_is_a_note_and_no_reject() -> None:
    left = (
        record("request", b"GET / HTTP/1.1\r\n\r\n")
        + record("revisit", http(b""))
        + record("response", http(kind="image/png")) * 2
    )
    (batch,) = read(page(1) + left)
    assert (urls([batch]), batch.problems) == (["https://site.kz/1"], [])
    assert batch.notes == ["left out: 2 answers that are no HTML, 1 repeats of pages that stand elsewhere (revisit)"]


def test_two_archives_without_a_page_are_two_batches() -> None:
    (one,), (other,) = read(record("revisit", http(b""))), read(record("revisit", http(b"")) * 2)
    assert one.content != other.content


@pytest.mark.parametrize("kind", ["resource", "conversion"])
def test_pages_without_an_answer_around_them_are_read(kind: str) -> None:
    (batch,) = read(record(kind, PAGE, type_="text/html; charset=utf-8"))
    assert (batch.pages[0]["html"], batch.notes) == (PAGE.decode(), [])


class TestPacking:
    PACKED = (("gzip", gzip.compress(PAGE)), ("deflate", zlib.compress(PAGE)), ("br", brotli.compress(PAGE)), ("zstd", zstandard.compress(PAGE)))  # fmt: skip

    @pytest.mark.parametrize(("name", "body"), PACKED, ids=[name for name, _ in PACKED])
    def test_packed_pages_are_unpacked(self, name: str, body: bytes) -> None:
        (batch,) = read(page(1, f"Content-Encoding: {name}", body=body))
        assert batch.pages[0]["html"] == PAGE.decode()

    @pytest.mark.parametrize("name", ["gzip", "br", "zstd", "utf-8", "none"])
    def test_pages_that_were_unpacked_by_the_archiver_are_taken_as_they_are(self, name: str) -> None:
        (batch,) = read(page(1, f"Content-Encoding: {name}"))
        assert batch.pages[0]["html"] == PAGE.decode()

    @pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate"])
    def test_one_that_is_not_packed_as_it_says_takes_no_other_along(self, name: str) -> None:
        bad = page(2, f"Content-Encoding: {name}", body=b"\x1f\x8bnonsense")
        batches = read(page(1) + bad + page(3))
        assert urls(batches) == ["https://site.kz/1", "https://site.kz/3"]
        assert reasons(batches) == ["bad_encoding"]
        assert batches[0].problems[0].line == 2

    def test_a_bomb_is_a_reject(self) -> None:
        bomb = gzip.compress(b" " * (MAX_RECORD_BYTES + 1))
        assert reasons(read(page(1, "Content-Encoding: gzip", body=bomb) + page(2))) == ["too_long"]

    def test_without_the_library_for_brotli_it_is_said_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = builtins.__import__

        def without(name: str, *rest: Any) -> Any:
            if name == "brotli":
                raise ImportError(name)
            return real(name, *rest)

        monkeypatch.setattr(builtins, "__import__", without)
        (batch,) = read(page(1, "Content-Encoding: br", body=brotli.compress(PAGE)) + page(2))
        assert urls([batch]) == ["https://site.kz/2"]
        assert "pip install 'bastau[watch]'" in batch.problems[0].detail


class TestDamage:
    @pytest.mark.parametrize("cut", [1 + len(PAGE) // 2 + 4, len(PAGE) + 30, len(http()) + 60, len(http()) + 110])
    def test_a_page_that_is_cut_off_is_not_taken_for_a_whole_one(self, cut: int) -> None:
        batches, said = until_damage((page(1) + page(2))[:-cut])
        assert urls(batches) == ["https://site.kz/1"]
        assert "cut off in record 2" in said
        assert "what came before is kept" in said

    def test_bytes_between_records_end_the_reading_aloud(self) -> None:
        batches, said = until_damage(page(1) + b"garbage\r\n" * 50 + page(2))
        assert urls(batches) == ["https://site.kz/1"]
        assert "damaged or cut off in record 2" in said

    def test_a_chunked_page_that_is_cut_off_is_not_taken(self) -> None:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE), PAGE)
        whole = page(2, "Transfer-Encoding: chunked", body=body)
        assert read(whole)[0].pages[0]["html"] == PAGE.decode()
        assert urls(until_damage((page(1) + whole)[:-30])[0]) == ["https://site.kz/1"]

    def test_a_cut_arc_says_where(self) -> None:
        batches, said = until_damage(
            ARC_HEAD + arc("https://site.kz/1", http()) + arc("https://site.kz/2", http())[:-10]
        )
        assert urls(batches) == ["https://site.kz/1"]
        assert "cut off in record 3, 9 bytes before its end" in said

    def test_an_arc_whose_line_ends_were_changed_is_read(self) -> None:
        block = http(PAGE, f"Content-Length: {len(PAGE)}")
        (batch,) = read(ARC_HEAD + arc("https://site.kz/1", block.replace(b"\r\n", b"\n"), len(block)))
        assert urls([batch]) == ["https://site.kz/1"]

    def test_a_page_too_long_is_a_reject_in_both_forms(self) -> None:
        long = http(b"<" + b"x" * MAX_RECORD_BYTES)
        assert reasons(read(record("response", long) + page(2))) == ["too_long"]
        assert reasons(read(ARC_HEAD + arc("https://site.kz/1", long) + arc("https://site.kz/2", http()))) == [
            "too_long"
        ]

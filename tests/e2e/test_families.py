"""Pages through the command line: import, run, families, export, evaluate; and what bad pages do."""

import contextlib
import gzip
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bastau.cli import main

SNIPPET = '<script>gtag("config", "G-4XK2PQ9RTZ");</script>'


def bastau(*arguments: str | Path, code: int = 0) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        got = main([str(argument) for argument in arguments])
    assert got == code, out.getvalue()
    return out.getvalue()


def page(domain: str, number: int = 0, **fields: object) -> dict[str, object]:
    moment = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    row = {"domain": domain, "url": f"https://{domain}/{number}", "fetched_at": moment.isoformat(), "html": SNIPPET}
    return row | {"nameservers": ["ns1.holding.example"]} | fields


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def strangers() -> list[dict[str, object]]:
    return [page(f"stranger{i}.example", html="", nameservers=[f"ns1.own{i}.example"]) for i in range(20)]


def test_from_pages_to_the_page_of_evidence(tmp_path: Path, home: Path) -> None:
    rows = [page(domain, i) for domain in ("one.example", "two.example") for i in range(3)]
    bastau("import", write(tmp_path / "pages.ndjson", rows + strangers()), "--home", home)
    bastau("run", "--home", home)
    exported = tmp_path / "families.ndjson"
    bastau("export", "families", "-o", exported, "--home", home)
    (row,) = [json.loads(line) for line in exported.read_text("utf-8").splitlines()]
    assert set(row) == {"family_id", "sources", "evidence", "p_value"}
    assert row["sources"] == ["one.example", "two.example"]
    assert set(row["evidence"][0]) == {"signal", "value", "seen_from", "seen_to"}
    for locale in ("kk", "ru", "en"):
        html = tmp_path / f"{locale}.html"
        said = bastau("families", "www.one.example", "--html", html, "--locale", locale, "--home", home)
        text = html.read_text("utf-8")
        assert "two.example" in said
        assert all(
            part in text for part in ("G-4XK2PQ9RTZ", "holding.example", row["family_id"], "https://one.example/0")
        )
        assert re.search(r"default-src (?:'|&#x27;)none", text)
        assert "<script" not in text
    answer = json.loads(bastau("families", "--json", "--home", home))
    assert answer["families"][0]["sources"] == ["one.example", "two.example"]
    assert {s["signal"] for s in answer["families"][0]["signals"]} == {"ga_property", "nameserver"}


def test_new_pages_renew_the_families_and_nothing_new_changes_nothing(tmp_path: Path, home: Path) -> None:
    bastau(
        "import", write(tmp_path / "a.ndjson", [page("one.example", i) for i in range(3)] + strangers()), "--home", home
    )
    bastau("run", "--home", home)
    assert json.loads(bastau("families", "--json", "--home", home))["families"] == []
    bastau("import", write(tmp_path / "b.ndjson", [page("two.example", i) for i in range(3)]), "--home", home)
    bastau("run", "--home", home)
    assert len(json.loads(bastau("families", "--json", "--home", home))["families"]) == 1
    assert json.loads(bastau("run", "--json", "--home", home))["up_to_date"]


def test_an_erased_site_is_gone(tmp_path: Path, home: Path) -> None:
    rows = [page(domain, i) for domain in ("one.example", "two.example") for i in range(3)]
    bastau("import", write(tmp_path / "pages.ndjson", rows + strangers()), "--home", home)
    bastau("run", "--home", home)
    bastau("erase", "--source", "two.example", "--home", home)
    bastau("run", "--home", home)
    assert json.loads(bastau("families", "--json", "--home", home))["families"] == []


def test_hostile_pages_are_counted_and_explained(tmp_path: Path, home: Path) -> None:
    rows: list[dict[str, object]] = [
        page("ONE.example:443", 0),
        page("one.example", 1, headers="no json"),
        page("two.example", 0, ads_txt="x.example, " + "9" * 100_000 + ", DIRECT\n\x00\x01,\u202e,DIRECT"),
        page("two.example", 1, ads_txt="x.example, 1, DIRECT\n" * 50_000),
        page("қазақ.қаз", 0, html=""),
        page("a..b", 0),
        page("three.example", 0, html="<p>" + "x" * 2_000_000, nameservers=[]),
        page("big.example", 0, html="<p>" * 17_000_000),
        page("evil.example", 0, html='<meta property="fb:app_id" content="<script>alert(1)</script>">', nameservers=['"><script>x.example']),
        page("four.example", 0, html="", ip="999.9.9.9", cert_sans=["*.x"] * 1000, favicon_sha256="<b>", whois_created="yesterday"),
    ]  # fmt: skip
    said = bastau("import", write(tmp_path / "pages.ndjson", rows + strangers()), "--home", home)
    assert "too_long" in said
    bastau("run", "--home", home)
    html = tmp_path / "f.html"
    answer = json.loads(bastau("families", "--json", "--html", html, "--home", home))
    assert [family["sources"] for family in answer["families"]] == [["one.example", "two.example"]]
    codes = {note["code"] for note in answer["notes"]}
    assert {
        "bad_headers",
        "ads_txt_bad_lines",
        "ads_txt_cut",
        "bad_domain",
        "html_cut",
        "bad_ip",
        "certificate_many_names",
    } <= codes
    assert "<script" not in html.read_text("utf-8")
    assert bastau("families", "xn--80aau21bd.xn--80ao21a", "--home", home)
    assert "no page of this website" in bastau("families", "nobody.example", "--home", home, code=2)
    assert "not a domain" in bastau("families", "a..b", "--home", home, code=2)


def test_a_web_archive_brings_pages(tmp_path: Path, home: Path) -> None:
    body = f"<html><head></head><body>{SNIPPET}</body></html>".encode()
    records = b""
    for domain in ("one.example", "two.example"):
        http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nServer: rare-server/1\r\n\r\n" + body
        records += (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://{domain}/\r\nWARC-Date: 2025-01-01T00:00:00Z\r\n"
            f"WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-00000000000{len(domain)}>\r\nWARC-IP-Address: 198.19.9.9\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
        ).encode() + http + b"\r\n\r\n"  # fmt: skip
    path = tmp_path / "pages.warc.gz"
    path.write_bytes(gzip.compress(records))
    bastau("import", path, "--home", home)
    bastau("import", write(tmp_path / "others.ndjson", strangers()), "--home", home)
    bastau("run", "--home", home)
    assert [f["sources"] for f in json.loads(bastau("families", "--json", "--home", home))["families"]] == [
        ["one.example", "two.example"]
    ]


def test_the_simulation_is_judged(tmp_path: Path, home: Path) -> None:
    bastau("simulate", "-o", tmp_path / "s", "--posts", "1000", "--seed", "3")
    bastau("import", tmp_path / "s" / "pages.ndjson", "--home", home)
    bastau("run", "--home", home)
    figures = json.loads(bastau("evaluate", "families", "--truth", tmp_path / "s", "--json", "--home", home))
    assert figures["pair_precision"] >= 0.99
    assert set(figures["trap_links"].values()) == {0}

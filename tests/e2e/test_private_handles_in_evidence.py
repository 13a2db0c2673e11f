"""A private person marked wherever a website can name somebody, then looked for in the evidence that was kept of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import quote, urljoin

import bad_cases
import marked_files as marked
import pytest
from test_private_handles import found_in, places

from bastau.evidence.warc import Record, read_records

WAYS = {
    "/a": f"/@{marked.HANDLE}/1",
    "/b": f"/users/{marked.SHOWN}",
    "/c": f"/go?to={quote(f'https://x.com/{marked.HANDLE}', safe='')}",
    "/d": f"u/{marked.HANDLE}",
}
"""Addresses that a feed names, and where they lead."""
LEAD_ON = {f"/users/{marked.SHOWN}": f"/profile/{marked.HANDLE}"}


def _feed(base: str) -> bytes:
    now = format_datetime(datetime.now(UTC))
    items = "".join(
        f"<item><title>Title {n}</title><link>{base}{path}</link><guid>{base}{path}</guid><pubDate>{now}</pubDate>"
        f"<description>{escape(marked.ADDRESSES[0])}</description></item>"
        for n, path in enumerate(WAYS)
    )
    head = f"<title>Tau</title><link>{base}/@{marked.HANDLE}</link><description>d</description>"
    return f"<?xml version='1.0'?><rss version='2.0'><channel>{head}{items}</channel></rss>".encode()


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            to = WAYS.get(self.path) or LEAD_ON.get(self.path)
            own = f'<a href="/users/{marked.HANDLE}"><img src="../u/{marked.SHOWN}/face.jpg"></a></body>'
            page = marked._html().replace("</body>", own).encode()
            body = b"" if to or self.path == "/robots.txt" else page
            if self.path == "/feed":
                body = _feed(f"http://127.0.0.1:{self.server.server_port}")  # type: ignore[attr-defined]
            self.send_response(302 if to else 200)
            for name, value in (
                ("Content-Type", "application/rss+xml" if self.path == "/feed" else "text/html; charset=utf-8"),
                ("Content-Length", str(len(body))),
                ("Set-Cookie", f"who={marked.HANDLE}"),
                ("Link", f"</users/{marked.HANDLE}>; rel=author"),
                ("Content-Location", f"/users/{marked.HANDLE}"),
                ("X-Author", marked.HANDLE),
                *([("Location", to)] if to else []),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def place(base: str, tmp_path_factory: pytest.TempPathFactory) -> bad_cases.Place:
    folder = tmp_path_factory.mktemp("evidence")
    place = bad_cases.Place(folder, folder)
    place.settings('[network]\nallow_private = true\npause_s = 0.0\n[evidence]\nkeep = "chosen"\n')
    wanted = ("--option", "evidence=true", "--option", "full_text=true")
    for arguments in (
        ("add", f"{base}/feed", "--collector", "feed", "--unseen", *wanted),
        ("watch", "--once"),
        ("watch", "--once"),
        ("evidence", "export", "-o", folder / "e.wacz", "--by", "test"),
        ("evidence", "show", "1", "-o", folder / "copy.xml"),
        ("import", folder / "e.wacz"),
        ("evidence", "verify"),
    ):
        done = bad_cases.run([*arguments, "--verbose"], place)
        assert done.code == 0, done.said
        assert not found_in(done.said.encode()), (arguments, done.said)
    return place


def _records(place: bad_cases.Place) -> list[Record]:
    return [r for path in (place.home / "evidence" / "warc").glob("*.gz") for r in read_records(path)]


def test_pages_were_kept_with_their_requests_and_the_redirects_to_them(place: bad_cases.Place) -> None:
    kinds = [record.fields["warc-type"] for record in _records(place)]
    n_hops = len(WAYS) + len(LEAD_ON)
    assert (kinds.count("conversion"), kinds.count("response")) == (1 + len(WAYS), n_hops)
    assert kinds.count("request") == 1 + len(WAYS) + n_hops


def test_the_marks_are_in_no_file_of_the_home_folder_nor_in_what_is_handed_over(place: bad_cases.Place) -> None:
    assert places(place.folder) == {}


def test_redirects_lead_on_to_what_was_kept(place: bad_cases.Place) -> None:
    kept = {record.fields["warc-target-uri"] for record in _records(place) if "warc-target-uri" in record.fields}
    for record in _records(place):
        if record.fields["warc-type"] == "response":
            lines = dict(line.split(": ", 1) for line in record.block.decode().split("\r\n")[1:] if line)
            assert urljoin(record.fields["warc-target-uri"], lines["Location"]) in kept

"""The server behind the "to 4CAT" button of Zeeschuimer, talked to as the extension does."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bastau.collect.collectors import zeeschuimer
from bastau.collect.collectors.zeeschuimer import Receiver, serve
from bastau.home import Home
from bastau.receiving import importer

SAMPLE = (Path(__file__).parents[3] / "data" / "collect" / "zeeschuimer.ndjson").read_bytes()
EXTENSION = {"X-Zeeschuimer-Platform": "x.com", "Origin": "moz-extension://0b1c2d3e-0000-4000-8000-000000000000"}


class Button:
    """What the extension does when its button is pressed."""

    def __init__(self, port: int, **headers: str) -> None:
        self.port = port
        self.headers = {**EXTENSION, **{k.replace("_", "-"): v for k, v in headers.items()}}

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, body, {k: v for k, v in self.headers.items() if v})
            response = connection.getresponse()
            content = response.read()
            kind = response.headers.get_content_type()
            return (
                response.status,
                json.loads(content) if kind == "application/json" else content,
                dict(response.headers),
            )
        finally:
            connection.close()

    def press(self, body: bytes) -> dict[str, Any]:
        status, answer, _ = self.ask("POST", "/api/import-dataset/", body)
        assert status == 200
        assert answer["status"] == "queued"
        for _ in range(200):
            status, progress, _ = self.ask("GET", f"/api/check-query/?key={answer['key']}")
            assert status == 200
            if progress["done"]:
                return progress
            time.sleep(0.02)
        raise AssertionError("never done")


def taking(taken: list[bytes]) -> Any:
    def take(path: Path) -> tuple[int, str]:
        taken.append(path.read_bytes())
        return 3, "3 posts stored"

    return take


@pytest.fixture
def taken() -> list[bytes]:
    return []


@pytest.fixture
def port(taken: list[bytes]) -> Iterator[int]:
    with serve(Receiver(taking(taken), max_bytes=1 << 20)) as server:
        yield server.server_address[1]


def test_a_press_of_the_button_brings_posts_into_the_lake(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home", create=True)
    said: list[str] = []
    receiver = Receiver(importer(home, lambda: datetime(2024, 6, 1, tzinfo=UTC), said.append))
    with serve(receiver) as server:
        progress = Button(server.server_address[1]).press(SAMPLE)
    assert progress["rows"] == home.lake.read("posts").num_rows > 3
    assert progress["datasource"] == "x"
    assert progress["url"].endswith(f"/results/{progress['key']}/")
    assert "posts stored" in said[0]
    names = [str(path) for path in (tmp_path / "home").rglob("*")]
    assert not any("zeeschuimer" in name for name in names), "the capture itself is kept nowhere"


def test_a_capture_that_cannot_be_read_is_told_and_the_next_is_taken(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home", create=True)
    with serve(Receiver(importer(home, lambda: datetime(2024, 6, 1, tzinfo=UTC)))) as server:
        button = Button(server.server_address[1])
        assert "could not be imported" in button.press(b"\0\1\2" * 100)["status"]
        assert button.press(SAMPLE)["rows"]


def test_the_page_of_a_delivery_speaks_three_languages(port: int) -> None:
    key = Button(port).press(b"{}\n")["key"]
    status, page, headers = Button(port).ask("GET", f"/results/{key}/")
    assert status == 200
    assert [f'lang="{code}"'.encode() in page for code in ("kk", "ru", "en")] == [True] * 3
    assert headers["Content-Security-Policy"] == "default-src 'none'"


def test_the_browser_is_let_through_for_extensions_and_for_nothing_else(port: int, taken: list[bytes]) -> None:
    status, _, headers = Button(port).ask("OPTIONS", "/api/import-dataset/")
    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == EXTENSION["Origin"]
    assert "X-Zeeschuimer-Platform" in headers["Access-Control-Allow-Headers"]
    for origin in ("https://evil.example", "http://127.0.0.1", "null"):
        status, _, headers = Button(port, Origin=origin).ask("POST", "/api/import-dataset/", b"{}\n")
        assert status == 403
        assert "Access-Control-Allow-Origin" not in headers
    assert not taken


def test_another_name_for_this_machine_is_refused(port: int, taken: list[bytes]) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example:8421"):
        assert Button(port, Host=host).ask("POST", "/api/import-dataset/", b"{}\n")[0] == 421
        assert Button(port, Host=host).ask("GET", "/")[0] == 421
    assert not taken


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"X_Zeeschuimer_Platform": "tiktok-comments"}, b"{}\n", 404),
        ({"X_Zeeschuimer_Platform": ""}, b"{}\n", 404),
        ({}, b"x" * ((1 << 20) + 1), 413),
        ({"Transfer_Encoding": "chunked"}, b"3\r\nabc\r\n0\r\n\r\n", 411),
        ({"Content_Length": "-1"}, b"", 411),
        ({"Content_Length": "9" * 30}, b"", 411),
    ],
)
def test_what_is_not_a_delivery_is_refused(
    port: int, taken: list[bytes], headers: dict[str, str], body: bytes, status: int
) -> None:
    try:
        got, answer, _ = Button(port, **headers).ask("POST", "/api/import-dataset/", body)
    except (ConnectionResetError, BrokenPipeError):
        assert status == 413, "refused before the body was sent whole"
        return
    assert (got, "error" in answer) == (status, True)
    assert not taken


def test_a_body_that_ends_early_is_not_imported(port: int, taken: list[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        head = f"POST /api/import-dataset/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Zeeschuimer-Platform: x.com\r\nContent-Length: 999\r\n\r\n"
        client.sendall(head.encode() + b"{}\n")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100).startswith(b"HTTP/1.0 400")
    assert not taken


def test_the_sixth_upload_in_a_minute_waits(port: int) -> None:
    button = Button(port)
    statuses = [button.ask("POST", "/api/import-dataset/", b"{}\n")[0] for _ in range(zeeschuimer.MAX_A_MINUTE + 1)]
    assert statuses == [200] * zeeschuimer.MAX_A_MINUTE + [429]
    receiver = Receiver(taking([]))
    assert [receiver.may_upload(t) for t in (0, 1, 2, 3, 4, 5, 61)] == [True] * 5 + [False, True]


def test_a_token_is_asked_for_in_any_of_the_ways_that_4cat_takes_it(taken: list[bytes]) -> None:
    with serve(Receiver(taking(taken), "s3cret")) as server:
        port = server.server_address[1]
        assert Button(port).ask("POST", "/api/import-dataset/", b"{}\n")[0] == 403
        assert Button(port, Authorization="Bearer wrong").ask("POST", "/api/import-dataset/", b"{}\n")[0] == 403
        assert Button(port).ask("POST", "/api/import-dataset/?access-token=s3cret", b"{}\n")[0] == 200
        for value in ("s3cret", "Bearer s3cret", "Basic eDpzM2NyZXQ="):
            assert Button(port, Authorization=value).ask("POST", "/api/import-dataset/", b"{}\n")[0] == 200


def test_unknown_keys_and_pages_are_not_found(port: int) -> None:
    for path in ("/api/check-query/?key=x", "/api/check-query/", "/results/x/", "/results", "/etc/passwd"):
        assert Button(port).ask("GET", path)[0] == 404

"""Pictures of pages: taken by a real Chromium, which reaches nothing that the filter refuses."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bastau.errors import ConfigError, SourceUnavailable
from bastau.evidence import shots
from bastau.evidence.archive import Archive

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not any(shutil.which(name) for name in shots._BROWSERS), reason="needs Chromium"),
]


class Site(ThreadingHTTPServer):
    asked: list[str]


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.asked.append(self.path)  # type: ignore[attr-defined]
            body = b"<html><body style='background:#0a0'><h1>page</h1><img src='http://inside.test/secret.png'></body></html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = Site(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def take(folder: Path, url: str, *, allow_private: bool, names: dict[str, str]) -> dict[str, Any]:
    def resolve(host: str, _port: int) -> list[str]:
        if host in names:
            return [names[host]]
        raise OSError(host)

    return asyncio.run(
        shots.take_shot(folder, url, NOON, by="test", why="a test", resolve=resolve, allow_private=allow_private)
    )


def test_a_picture_is_taken_and_stands_in_the_chain(site: Site, tmp_path: Path) -> None:
    taken = take(
        tmp_path, f"http://page.test:{site.server_port}/", allow_private=True, names={"page.test": "127.0.0.1"}
    )
    data = (tmp_path / "shots" / str(taken["file"])).read_bytes()
    assert data.startswith(b"\x89PNG")
    assert Archive(tmp_path).verify() == []
    assert "/" in site.asked
    assert "inside.test" in list(taken["refused_hosts"])  # it has no address
    (tmp_path / "shots" / str(taken["file"])).write_bytes(data + b"x")
    assert [finding.code for finding in Archive(tmp_path).verify()] == ["changed"]


def test_nothing_is_locked_before_the_page_is_there(site: Site, tmp_path: Path) -> None:
    asked_before = []

    @contextlib.contextmanager
    def lock() -> Iterator[None]:
        asked_before.append(list(site.asked))
        yield

    url = f"http://127.0.0.1:{site.server_port}/"
    given: dict[str, Any] = {"by": "test", "why": "a test", "resolve": lambda host, _: [host], "allow_private": True}
    asyncio.run(shots.take_shot(tmp_path, url, NOON, lock=lock, **given))
    assert ["/" in asked for asked in asked_before] == [True]


@pytest.mark.parametrize(("user", "is_open"), [(0, True), (1000, False)], ids=["root", "anybody else"])
def test_pages_are_drawn_in_the_sandbox_that_only_root_cannot_have(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, is_open: bool
) -> None:
    program, said = tmp_path / "chromium", tmp_path / "said"
    program.write_text(f'#!/bin/sh\necho "$@" > {said}\n')
    program.chmod(0o755)
    monkeypatch.setattr(shots, "browser", lambda: str(program))
    monkeypatch.setattr(shots.os, "geteuid", lambda: user)
    with pytest.raises(SourceUnavailable, match="could not be reached"):
        take(tmp_path, f"http://127.0.0.1:{site.server_port}/", allow_private=True, names={"127.0.0.1": "127.0.0.1"})
    assert ("--no-sandbox" in said.read_text().split()) is is_open


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
def test_a_page_at_a_private_address_is_refused_before_the_browser_starts(tmp_path: Path, address: str) -> None:
    with pytest.raises(SourceUnavailable, match="not a public address"):
        take(tmp_path, "http://page.test/", allow_private=False, names={"page.test": address})


def test_what_a_page_embeds_from_inside_is_not_asked_for(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's own address counts as public here; what it embeds is at another address of the loopback."""
    monkeypatch.setattr(shots, "is_public", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(shots.Filter, "allowed", _on_any_port(shots.Filter.allowed))
    names = {"page.test": "127.0.0.1", "inside.test": "127.0.0.2"}
    taken = take(tmp_path, f"http://page.test:{site.server_port}/", allow_private=False, names=names)
    assert "/secret.png" not in site.asked
    assert "inside.test" in list(taken["refused_hosts"])


def _on_any_port(allowed):  # type: ignore[no-untyped-def]
    async def wrapped(self, host: str, port: int):  # type: ignore[no-untyped-def]
        return await allowed(self, host, 80)

    return wrapped


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "page.test",
        "http://user:key@page.test/",
        "javascript:alert(1)",
        "http://page.test:99999/",
        "http://[page.test/",
    ],
)
def test_what_is_no_page_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError):
        take(tmp_path, url, allow_private=False, names={})

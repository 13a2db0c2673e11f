"""Where the "to 4CAT" button of the Zeeschuimer browser extension delivers to: a small server on the loopback.

The extension posts what it captured (NDJSON) to ``/api/import-dataset/`` with the platform in the header
``X-Zeeschuimer-Platform``, is given a key, and asks ``/api/check-query/?key=`` every second until ``done``.

Captures hold names of people, so a body is held in memory (a file without a name or place on disk) until it is
imported, and never written anywhere. Who may post: programs on this machine, and pages of extensions. Pages of the web
may not, even through a name that resolves to the loopback: ``Host`` and ``Origin`` are checked, and no other origin
is let in by CORS.

Reference: digitalmethodsinitiative/zeeschuimer, popup/interface.js; digitalmethodsinitiative/4cat,
webtool/views/api_tool.py (``import_dataset``, ``check_dataset``). Checked on the date in the card.
"""

import base64
import contextlib
import hmac
import html
import json
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bastau.collect.formats.zeeschuimer import MAPPERS
from bastau.collect.listening import QuietHandler, listen

MAX_BYTES = 256 << 20
MAX_A_MINUTE = 5
"""Uploads; 4CAT allows as many, and the extension knows what 429 means."""
MAX_KEPT = 200

_OWN_HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")
_EXTENSIONS = ("moz-extension://", "chrome-extension://", "safari-web-extension://")
_PAGE = """<!doctype html><html lang="kk"><meta charset="utf-8"><title>bastau</title><body><p lang="kk">{kk}</p><p lang="ru">{ru}</p><p lang="en">{en}</p></body></html>"""

Import = Callable[[Path], tuple[int, str]]
"""Imports the file at a path and returns (posts taken, what to say); raises nothing."""


@dataclass
class Upload:
    """One delivery and what became of it."""

    key: str
    platform: str
    n_bytes: int
    status: str = "queued"
    rows: int = 0
    is_done: bool = False


@dataclass
class Receiver:
    """The state behind the server: deliveries by key, and the one thread at a time that imports.

    Attributes:
        take: imports a delivered file.
        token: asked of whoever posts, if set.
        max_bytes: of one delivery.
    """

    take: Import
    token: str | None = None
    max_bytes: int = MAX_BYTES
    uploads: dict[str, Upload] = field(default_factory=dict)
    _times: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _working: list[threading.Thread] = field(default_factory=list)

    def may_upload(self, clock: float) -> bool:
        """Say whether another upload is allowed at ``clock`` (seconds), and count it."""
        with self._lock:
            self._times = [t for t in self._times if clock - t < 60.0]
            if len(self._times) >= MAX_A_MINUTE:
                return False
            self._times.append(clock)
            return True

    def accept(self, platform: str, descriptor: int, n_bytes: int) -> Upload:
        """Take over an open file and import it in the background."""
        upload = Upload(secrets.token_hex(16), platform, n_bytes)
        with self._lock:
            self.uploads[upload.key] = upload
            while len(self.uploads) > MAX_KEPT:
                self.uploads.pop(next(iter(self.uploads)))
            worker = threading.Thread(target=self._work, args=(upload, descriptor))
            self._working = [t for t in self._working if t.is_alive()] + [worker]
        worker.start()
        return upload

    def _work(self, upload: Upload, descriptor: int) -> None:
        with self._turn, _named(descriptor, upload) as path:
            upload.status = "importing"
            upload.rows, upload.status = self.take(path)
            upload.is_done = True

    def close(self) -> None:
        """Wait for what was accepted."""
        for worker in list(self._working):
            worker.join()


@contextlib.contextmanager
def _named(descriptor: int, upload: Upload) -> Iterator[Path]:
    """Give an open file a name for as long as it is imported: a link to the descriptor, no copy of the content."""
    try:
        with tempfile.TemporaryDirectory(prefix="bastau-") as folder:
            path = Path(folder) / f"zeeschuimer-{upload.platform}-{upload.key[:8]}.ndjson"
            path.symlink_to(f"/dev/fd/{descriptor}")
            yield path
    finally:
        os.close(descriptor)


def _nameless() -> int:
    """Return a descriptor of an empty file in memory; where the system has none, of one on disk without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("capture", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


@contextlib.contextmanager
def serve(receiver: Receiver, port: int = 0) -> Iterator[ThreadingHTTPServer]:
    """Serve on 127.0.0.1 in the background; what was accepted is imported before it ends."""
    try:
        with listen(_handler(receiver), port) as server:
            yield server
    finally:
        receiver.close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        def do_OPTIONS(self) -> None:
            if self._may_talk():
                self._answer(204, b"", "text/plain")

        def do_GET(self) -> None:
            if not self._may_talk():
                return None
            parts = urlsplit(self.path)
            if parts.path == "/api/check-query/":
                upload = receiver.uploads.get((parse_qs(parts.query).get("key") or [""])[0])
                return (
                    self._json(404, {"error": "unknown key"})
                    if upload is None
                    else self._json(200, self._progress(upload))
                )
            if parts.path.startswith("/results/"):
                upload = receiver.uploads.get(parts.path.split("/")[2])
                if upload is not None:
                    return self._page(upload)
            if parts.path == "/":
                return self._page(None)
            return self._json(404, {"error": "not found"})

        def do_POST(self) -> None:
            if not self._may_talk():
                return None
            if urlsplit(self.path).path != "/api/import-dataset/":
                return self._json(404, {"error": "not found"})
            if not self._has_token():
                return self._json(403, {"error": "a token is needed"})
            platform = (self.headers.get("X-Zeeschuimer-Platform") or "").lower()
            if platform not in MAPPERS:
                return self._json(404, {"error": "Unknown platform or source format"})
            length = self.announced_length()
            if length is None:
                return self._json(411, {"error": "Content-Length is needed"})
            if length > receiver.max_bytes:
                return self._json(413, {"error": f"at most {receiver.max_bytes} bytes"})
            if not receiver.may_upload(time.monotonic()):
                return self._json(429, {"error": "five uploads a minute"})
            descriptor = self._read_body(length)
            if descriptor is None:
                return self._json(400, {"error": "the body is shorter than it says"})
            upload = receiver.accept(platform, descriptor, length)
            return self._json(200, {"status": "queued", "key": upload.key, "url": self._url(upload)})

        def _may_talk(self) -> bool:
            """Refuse other names for this machine (DNS rebinding) and pages of the web."""
            host = (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host") or ""
            origin = self.headers.get("Origin")
            if host.lower() not in _OWN_HOSTS:
                self._json(421, {"error": "asked under another name"})
            elif origin is not None and not origin.startswith(_EXTENSIONS):
                self._json(403, {"error": "pages of the web may not deliver here"})
            else:
                return True
            return False

        def _has_token(self) -> bool:
            if receiver.token is None:
                return True
            given = (parse_qs(urlsplit(self.path).query).get("access-token") or [""])[0]
            given = given or self.headers.get("Authentication") or self.headers.get("Authorization") or ""
            kind, _, rest = given.partition(" ")
            if kind.lower() == "basic":
                with contextlib.suppress(ValueError):
                    rest = base64.b64decode(rest).decode("utf-8", "replace").rpartition(":")[2]
            return hmac.compare_digest((rest or given).encode(), receiver.token.encode())

        def _read_body(self, length: int) -> int | None:
            """Return the descriptor of a file in memory with the body; None if it ends early."""
            descriptor = _nameless()
            left = length
            try:
                while left:
                    block = self.rfile.read(min(left, 1 << 16))
                    if not block:
                        break
                    os.write(descriptor, block)
                    left -= len(block)
            except (TimeoutError, OSError):
                left = left or 1
            if left:
                os.close(descriptor)
                return None
            os.lseek(descriptor, 0, os.SEEK_SET)
            return descriptor

        def _progress(self, upload: Upload) -> dict[str, Any]:
            return {
                "datasource": upload.platform.split(".")[0],
                "status": upload.status,
                "status_html": html.escape(upload.status),
                "label": f"capture of {upload.platform}",
                "rows": upload.rows,
                "key": upload.key,
                "done": upload.is_done,
                "progress": 100 if upload.is_done else 0,
                "empty": upload.is_done and not upload.rows,
                "path": self._url(upload),
                "url": self._url(upload),
            }

        def _url(self, upload: Upload) -> str:
            return f"http://{self.headers.get('Host')}/results/{upload.key}/"

        def _page(self, upload: Upload | None) -> None:
            n = upload.rows if upload else sum(u.rows for u in receiver.uploads.values())
            words = html.escape(upload.status) if upload else ""
            page = _PAGE.format(
                kk=f"Қабылданған жазбалар: {n}. {words}",
                ru=f"Принято постов: {n}. {words}",
                en=f"Posts received: {n}. {words}",
            )
            self._answer(200, page.encode(), "text/html; charset=utf-8")

        def _json(self, status: int, value: dict[str, Any]) -> None:
            self._answer(status, json.dumps(value).encode(), "application/json")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            origin = self.headers.get("Origin")
            allowed = {}
            if origin is not None and origin.startswith(_EXTENSIONS):
                allowed = {
                    "Access_Control_Allow_Origin": origin,
                    "Access_Control_Allow_Credentials": "true",
                    "Access_Control_Allow_Methods": "GET, POST, OPTIONS",
                    "Access_Control_Allow_Headers": "X-Zeeschuimer-Platform, Content-Type, Authorization",
                    "Access_Control_Allow_Private_Network": "true",
                }
            self.answer(status, body, kind, Vary="Origin", **allowed)

    return Handler

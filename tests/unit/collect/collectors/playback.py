"""A real HTTP and websocket server on the loopback that plays recorded answers of many hosts, and a way to it."""

import asyncio
import contextlib
import http.client
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import websockets

from bastau.collect.visits import Answer, FetchFailed, Hop, Request, Trouble

DATA = Path(__file__).parents[3] / "data" / "collectors"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
_KINDS = {401: Trouble.FORBIDDEN, 403: Trouble.FORBIDDEN, 404: Trouble.GONE, 410: Trouble.GONE, 429: Trouble.LIMITED}

Said = tuple[int, dict[str, str], bytes]


def said(body: Any, status: int = 200, **headers: str) -> Said:
    """Return an answer: JSON of anything but bytes and text."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, content


class Place:
    """Answers by ``host/path?query``; a callable is given (body, headers) of the request."""

    def __init__(self) -> None:
        self.answers: dict[str, Said | Callable[[bytes, dict[str, str]], Said]] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __setitem__(self, address: str, answer: Any) -> None:
        is_said = callable(answer) or (isinstance(answer, tuple) and len(answer) == 3)
        self.answers[address] = answer if is_said else said(answer)

    @property
    def port(self) -> int:
        return self.server.server_address[1]


def _handler(place: Place) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = self.headers["Host"] + self.path
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            place.asked.append(address)
            place.headers.append(headers)
            found = place.answers.get(address, said({"error": "not recorded"}, 404))
            status, sent, content = found(body, headers) if callable(found) else found
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **sent}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextlib.contextmanager
def playing() -> Iterator[Place]:
    """Run a server with no answers yet."""
    place = Place()
    place.thread.start()
    try:
        yield place
    finally:
        place.server.shutdown()
        place.server.server_close()
        place.thread.join()


class PlaybackWeb:
    """Goes to the loopback whatever the host; statuses and redirects as the real fetcher treats them."""

    def __init__(self, place: Place, sockets: int = 0) -> None:
        self.place = place
        self.sockets = sockets

    async def fetch(self, request: Request) -> Answer:
        return await asyncio.to_thread(self._fetch, request)

    def _fetch(self, request: Request) -> Answer:
        url, hops = request.url, []
        for _ in range(5):
            parts = urlsplit(url)
            connection = http.client.HTTPConnection("127.0.0.1", self.place.port, timeout=5)
            with contextlib.closing(connection):
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                connection.request(request.method, target, request.body, {**request.headers, "Host": parts.netloc})
                response = connection.getresponse()
                body, headers = response.read(), tuple(response.getheaders())
            if 300 <= response.status < 400 and response.status != 304:
                location = urljoin(url, response.headers["Location"])
                hops.append(Hop(url, response.status, location))
                url = location
                continue
            if response.status >= 400:
                retry = response.headers.get("Retry-After")
                kind = _KINDS.get(response.status, Trouble.SERVER if response.status >= 500 else Trouble.BROKEN)
                place = f"{parts.netloc}{parts.path}"
                raise FetchFailed(
                    kind, place, float(retry) if retry else None, status=response.status, body=body[:4096]
                )
            return Answer(url, response.status, headers, body, tuple(hops), "127.0.0.1", NOW, 0.01, len(body))
        raise FetchFailed(Trouble.TOO_MANY_REDIRECTS, url)

    async def allows(self, url: str) -> bool:
        return True

    async def nameservers(self, host: str) -> tuple[str, ...]:
        return ()

    async def messages(self, request: Request) -> AsyncIterator[str | bytes]:
        parts = urlsplit(request.url)
        address = f"ws://127.0.0.1:{self.sockets}{parts.path}?{parts.query}"
        async with websockets.connect(address, additional_headers=dict(request.headers)) as socket:
            async for message in socket:
                yield message


@contextlib.asynccontextmanager
async def streaming(messages: list[str | bytes], asked: list[str]) -> AsyncIterator[int]:
    """Run a websocket server that sends ``messages`` to whoever comes and then hangs up; yields its port."""

    async def serve(socket: Any) -> None:
        asked.append(socket.request.path)
        for message in messages:
            await socket.send(message)

    async with websockets.serve(serve, "127.0.0.1", 0) as server:
        yield next(iter(server.sockets)).getsockname()[1]

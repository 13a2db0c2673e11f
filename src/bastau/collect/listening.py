"""A small HTTP server on the loopback: few connections, patience with an end, no logs of what was asked."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TIMEOUT_S = 30.0
MAX_CONNECTIONS = 16


class QuietHandler(BaseHTTPRequestHandler):
    """What all our servers have in common: bounded waiting, answers that no browser takes for more than they are."""

    server_version = "bastau"
    sys_version = ""
    timeout = TIMEOUT_S

    def answer(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        """Send a whole answer and close."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def announced_length(self) -> int | None:
        """Return the Content-Length; None if there is none that can be trusted."""
        length = self.headers.get("Content-Length") or ""
        if not length.isdecimal() or len(length) > 18 or self.headers.get("Transfer-Encoding"):
            return None
        return int(length)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: addresses hold keys."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up is no event, and what it sent must not be logged."""


@contextlib.contextmanager
def listen(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[ThreadingHTTPServer]:
    """Serve on 127.0.0.1 in the background."""
    server = _Server(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

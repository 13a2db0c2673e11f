"""Transfers: libcurl's multi interface on asyncio, one transfer a hop, every answer bounded while it arrives.

libcurl tells which sockets to watch. They are all in one selector of ours (epoll, kqueue), and asyncio watches that selector as a
single file: adding and removing readers of the loop for each socket cost a third of the time of a fetch.
"""

import asyncio
import contextlib
import selectors
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from bastau.collect.visits import Trouble
from bastau.errors import ConfigError
from bastau.public_addresses import is_public

MAX_HEADERS = 256
"""Header lines of one answer, those of interim answers included."""
MAX_HEADER_BYTES = 128 << 10
MAX_INTERIM = 16
"""Answers of status 1xx before the real one."""
_KEPT_OF_REFUSALS = 4096
_MAX_REFUSAL = 64 << 10
"""Bytes of the body of a redirect or an error; what is beyond is not waited for."""
_FEW_CALLS = 4096
_MIN_PIECE = 64
"""Mean bytes of the pieces of a body that came in more than _FEW_CALLS pieces: less is there to keep us busy."""
_LARGE = 1 << 20
_MAX_WAITING_PIECES = 64
"""Of a stream, up to 64 KiB each."""

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to one place; all of it checked before.

    Attributes:
        connect: IP address to connect to; None through a proxy.
        headers: whole lines.
        wants_certificate: return the names in the server's certificate, if the connection is new.
    """

    url: str
    method: str
    headers: list[str]
    body: bytes | None
    connect: str | None
    max_bytes: int
    timeout_s: float
    wants_certificate: bool = False


@dataclass(slots=True)
class Exchange:
    """What came back for an :class:`Ask`.

    Attributes:
        trouble: why there is no (whole) answer; None if there is one.
        body: as sent, still packed.
        n_bytes: of the body as sent.
        seconds: from the first to the last byte asked and answered, connecting included.
    """

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    trouble: Trouble | None = None
    ip: str | None = None
    n_bytes: int = 0
    seconds: float = 0.0
    certificate_names: tuple[str, ...] = ()


class _Transfer:
    """One transfer under way: libcurl's callbacks, and the limits they keep."""

    __slots__ = (
        "_calls",
        "_n_header_bytes",
        "_n_headers",
        "_n_interim",
        "ask",
        "done",
        "exchange",
        "is_cut",
        "is_private",
        "owner",
        "started",
    )

    def __init__(self, ask: Ask, done: "asyncio.Future[Exchange]", owner: "Transfers") -> None:
        self.ask = ask
        self.done = done
        self.owner = owner
        self.exchange = Exchange()
        self.started = perf_counter()
        self.is_cut = False
        self.is_private = False
        self._n_headers = 0
        self._n_header_bytes = 0
        self._n_interim = 0
        self._calls = 0

    def on_header(self, line: bytes) -> int | None:
        """Take a header line; 0 ends the transfer."""
        got = self.exchange
        self._n_headers += 1
        self._n_header_bytes += len(line)
        if self._n_headers > MAX_HEADERS or self._n_header_bytes > MAX_HEADER_BYTES:
            got.trouble = Trouble.TOO_LARGE
            return 0
        if line[:5] == b"HTTP/":
            return self._on_status(line)
        if self._calls:  # trailers
            return None
        name, colon, value = line.partition(b":")
        if not colon:
            return None
        name = name.strip().lower()
        if name == b"content-length" and value.strip().isdigit() and 200 <= got.status < 300:
            if int(value[:32]) > self.ask.max_bytes and self.ask.method != "HEAD":
                got.trouble = Trouble.TOO_LARGE
                return 0
        elif (name == b"content-encoding" and self._is_layered(value)) or (
            name == b"transfer-encoding" and value.strip().lower() not in (b"chunked", b"identity")
        ):
            got.trouble = Trouble.BROKEN
            return 0
        got.headers.append((name.decode("latin-1"), _words(value)))
        return None

    def _on_status(self, line: bytes) -> int | None:
        got = self.exchange
        self._n_interim += 1
        words = line.split(None, 2)
        if self._n_interim > MAX_INTERIM or len(words) < 2 or not words[1].isdigit():
            got.trouble = Trouble.BROKEN
            return 0
        got.status = int(words[1][:4])
        if got.status == 101 or not 100 <= got.status <= 999:  # nobody asked for another protocol
            got.trouble = Trouble.BROKEN
            return 0
        got.headers.clear()
        return None

    def _is_layered(self, value: bytes) -> bool:
        return b"," in value or any(name == "content-encoding" for name, _ in self.exchange.headers)

    def on_body(self, data: bytes) -> int | None:
        """Take a piece of the body; 0 ends the transfer."""
        got = self.exchange
        size = len(data)
        got.n_bytes += size
        self._calls += 1
        if got.status >= 300:
            if len(got.body) < _KEPT_OF_REFUSALS:
                got.body += data[:_KEPT_OF_REFUSALS]
            if got.n_bytes > _MAX_REFUSAL:
                self.is_cut = True
                return 0
            return None
        if self._calls > _FEW_CALLS and got.n_bytes < self._calls * _MIN_PIECE:
            got.trouble = Trouble.BROKEN
            return 0
        if got.n_bytes > self.ask.max_bytes or not self.owner.holds(size, len(got.body)):
            got.trouble = Trouble.TOO_LARGE
            return 0
        got.body += data
        return None

    def open_socket(self, purpose: int, address: tuple[int, int, int, Any]) -> Any:
        """Open a socket to an address that is allowed: the last word of the guard, after every name was resolved."""
        family, kind, protocol, where = address
        if family not in (socket.AF_INET, socket.AF_INET6) or not self.owner.may_connect(str(where[0])):
            self.is_private = True
            return self.owner.bad_socket
        return self.owner.opened(socket.socket(family, kind, protocol))


class Stream(_Transfer):
    """An answer without an end, taken piece by piece; who reads slowly slows the server down, nothing piles up here."""

    __slots__ = ("_easy", "_has_paused", "_pieces", "_wakes", "heard_at", "opened")

    def __init__(self, ask: Ask, owner: "Transfers") -> None:
        loop = asyncio.get_running_loop()
        super().__init__(ask, loop.create_future(), owner)
        self.opened: asyncio.Future[None] = loop.create_future()
        self.heard_at = loop.time()
        self._pieces: deque[bytes] = deque()
        self._wakes = asyncio.Event()
        self._has_paused = False
        self._easy: Any = None
        self.done.add_done_callback(lambda _: self._end())

    def on_header(self, line: bytes) -> int | None:
        """Take a header line; the empty one after those of the answer itself opens the stream."""
        taken = super().on_header(line)
        if not line.strip() and self.exchange.status >= 200 and not self.opened.done():
            self.opened.set_result(None)
        return taken

    def on_body(self, data: bytes) -> int | None:
        """Take a piece, unless the reader is far behind; refusals are kept as those of any answer."""
        if self.exchange.status >= 300:
            return super().on_body(data)
        if len(self._pieces) >= _MAX_WAITING_PIECES:
            self._has_paused = True
            return int(self.owner.pause)
        self.exchange.n_bytes += len(data)
        self.heard_at = asyncio.get_running_loop().time()
        self._pieces.append(data)
        self._wakes.set()
        return None

    def _end(self) -> None:
        if not self.opened.done():
            self.opened.set_result(None)
        self._wakes.set()

    async def pieces(self, silence_s: float) -> AsyncIterator[bytes]:
        """Yield pieces as they come; raises TimeoutError after ``silence_s`` without any."""
        loop = asyncio.get_running_loop()
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                if self._has_paused and not self._pieces and not self.done.done():
                    self._has_paused = False
                    self._easy.pause(0)  # goes on
                yield piece
            if self.done.done() and not self._pieces:
                return
            self._wakes.clear()
            await asyncio.wait_for(self._wakes.wait(), max(self.heard_at + silence_s - loop.time(), 0.01))

    def start(self, easy: Any) -> None:
        """Remember whom to tell that there is room again."""
        self._easy = easy


class Transfers:
    """All transfers of one loop; to be closed.

    Args:
        agent: the user agent.
        proxy: ``http://``, ``socks5h://``, ... with user and password if need be; empty for none.
        proxy_addresses: where the proxy is; with a proxy these alone are connected to.
        allow_private: sockets to local networks may be opened.
        ca_file: certificates of authorities; empty for the system's.
        max_held_bytes: of all bodies under way; beyond it large ones are refused.
        connect_s: for a connection.
    """

    def __init__(
        self,
        agent: str,
        *,
        proxy: str = "",
        proxy_addresses: Sequence[str] = (),
        allow_private: bool = False,
        ca_file: str = "",
        max_held_bytes: int = 256 << 20,
        connect_s: float = 10.0,
        n_connections: int = 512,
    ) -> None:
        self._curl = curl = load_pycurl()
        self.bad_socket, self.pause = curl.SOCKET_BAD, curl.WRITEFUNC_PAUSE
        self._agent, self._proxy, self._ca_file = agent, proxy, ca_file or authorities()
        self._proxy_addresses = frozenset(proxy_addresses)
        self._allow_private = allow_private
        self._max_held_bytes, self._connect_ms = max_held_bytes, int(connect_s * 1000)
        self._held_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._selector = selectors.DefaultSelector()
        self._running: dict[Any, _Transfer] = {}
        self._idle: list[Any] = []
        self._sockets: list[socket.socket] = []
        self._timer: asyncio.TimerHandle | None = None
        self._kinds = _troubles(curl)
        self._multi = curl.CurlMulti()
        self._multi.setopt(curl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(curl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(curl.M_MAXCONNECTS, n_connections)
        self._loop.add_reader(self._selector.fileno(), self._on_ready)

    def __len__(self) -> int:
        return len(self._running)

    async def run(self, ask: Ask) -> Exchange:
        """Return what came back; trouble is in the exchange, not raised."""
        transfer = _Transfer(ask, self._loop.create_future(), self)
        easy = self._idle.pop() if self._idle else self._easy()
        self._prepare(easy, transfer)
        self._running[easy] = transfer
        self._multi.add_handle(easy)
        try:
            return await transfer.done
        finally:
            if self._running.get(easy) is transfer:  # cancelled; the handle may be at work for somebody else already
                self._forget(easy, transfer)
                with contextlib.suppress(self._curl.error):
                    self._multi.remove_handle(easy)
                easy.close()

    @asynccontextmanager
    async def stream(self, ask: Ask) -> AsyncIterator[Stream]:
        """Open a stream; ``timeout_s`` bounds the wait for its headers only."""
        stream = Stream(ask, self)
        easy = self._curl.Curl()
        self._set_always(easy)
        self._prepare(easy, stream)
        easy.setopt(self._curl.TIMEOUT_MS, 0)
        stream.start(easy)
        self._running[easy] = stream
        self._multi.add_handle(easy)
        try:
            await asyncio.wait_for(asyncio.shield(stream.opened), ask.timeout_s)
            if stream.exchange.status >= 300:
                await asyncio.wait_for(asyncio.shield(stream.done), ask.timeout_s)
            yield stream
        finally:
            if easy in self._running:
                self._forget(easy, stream)
                self._multi.remove_handle(easy)
                easy.close()
                stream.done.cancel()

    def holds(self, size: int, held: int) -> bool:
        """Count ``size`` more bytes held; False if they are too many and belong to a large body."""
        if self._held_bytes + size > self._max_held_bytes and held + size > _LARGE:
            return False
        self._held_bytes += size
        return True

    def may_connect(self, address: str) -> bool:
        """Say whether a socket to an IP address may be opened."""
        if self._proxy:
            return address in self._proxy_addresses
        return self._allow_private or is_public(address)

    def opened(self, new: socket.socket) -> socket.socket:
        """Keep a socket until libcurl has its own copy of it."""
        if not self._sockets:
            self._loop.call_soon(self._close_copies)
        self._sockets.append(new)
        return new

    def _close_copies(self) -> None:
        for copied in self._sockets:
            copied.close()
        self._sockets.clear()

    def _easy(self) -> Any:
        curl = self._curl
        easy = curl.Curl()
        self._set_always(easy)
        return easy

    def _set_always(self, easy: Any) -> None:
        curl = self._curl
        easy.setopt(curl.NOSIGNAL, 1)
        easy.setopt(curl.FOLLOWLOCATION, 0)
        easy.setopt(curl.PROTOCOLS, curl.PROTO_HTTP | curl.PROTO_HTTPS)
        easy.setopt(curl.HTTP09_ALLOWED, 0)
        easy.setopt(curl.HTTP_VERSION, curl.CURL_HTTP_VERSION_2TLS)
        easy.setopt(curl.HTTP_CONTENT_DECODING, 0)
        easy.setopt(curl.CONNECTTIMEOUT_MS, self._connect_ms)
        easy.setopt(curl.BUFFERSIZE, 64 << 10)
        easy.setopt(curl.USERAGENT, self._agent)
        easy.setopt(curl.PATH_AS_IS, 1)
        # libcurl never resolves a name: it is told where to connect. Its own cache is walked through at the end of every
        # transfer; with 24,000 addresses in it a fetch took three times as long.
        easy.setopt(curl.DNS_CACHE_TIMEOUT, 0)
        # Said in any case: libcurl would take a proxy from the environment.
        easy.setopt(curl.PROXY, self._proxy)
        easy.setopt(curl.NOPROXY, "")
        if self._ca_file:
            easy.setopt(curl.CAINFO, self._ca_file)

    def _prepare(self, easy: Any, transfer: _Transfer) -> None:
        curl, ask = self._curl, transfer.ask
        if ask.method != "GET" or ask.body is not None:
            if ask.method == "HEAD":
                easy.setopt(curl.NOBODY, 1)
            else:
                easy.setopt(curl.CUSTOMREQUEST, ask.method)
                if ask.body is not None:
                    easy.setopt(curl.POSTFIELDS, ask.body)
                    easy.setopt(curl.POSTFIELDSIZE, len(ask.body))
        easy.setopt(curl.URL, ask.url)
        easy.setopt(curl.HTTPHEADER, ask.headers)
        if ask.connect is not None:
            easy.setopt(curl.CONNECT_TO, [f"::[{ask.connect}]:" if ":" in ask.connect else f"::{ask.connect}:"])
        if ask.wants_certificate:
            easy.setopt(curl.OPT_CERTINFO, 1)
        easy.setopt(curl.TIMEOUT_MS, max(1, int(ask.timeout_s * 1000)))
        easy.setopt(curl.HEADERFUNCTION, transfer.on_header)
        easy.setopt(curl.WRITEFUNCTION, transfer.on_body)
        easy.setopt(curl.OPENSOCKETFUNCTION, transfer.open_socket)

    def _watch(self, what: int, fd: int, _multi: Any, _data: Any) -> None:
        """Follow libcurl's wish to hear of a socket; its POLL_IN and POLL_OUT are the selector's numbers."""
        if what == self._curl.POLL_REMOVE:
            with contextlib.suppress(KeyError):
                self._selector.unregister(fd)
            return
        try:
            self._selector.register(fd, what)
        except KeyError:
            self._selector.modify(fd, what)

    def _set_timer(self, ms: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if ms >= 0:
            self._timer = self._loop.call_later(ms / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._multi.socket_action(self._curl.SOCKET_TIMEOUT, 0)
        self._collect()

    def _on_ready(self) -> None:
        act = self._multi.socket_action
        for key, events in self._selector.select(0):
            act(key.fd, events)
        self._collect()

    def _collect(self) -> None:
        """Hand out what is finished."""
        while True:
            waiting, good, bad = self._multi.info_read()
            for easy in good:
                self._finish(easy, 0)
            for easy, code, _ in bad:
                self._finish(easy, code)
            if not waiting:
                return

    def _finish(self, easy: Any, code: int) -> None:
        curl = self._curl
        transfer = self._running[easy]
        got = transfer.exchange
        got.seconds = perf_counter() - transfer.started
        if not self._proxy:
            got.ip = easy.getinfo(curl.PRIMARY_IP) or None
        if transfer.is_private:
            got.trouble = got.trouble or Trouble.PRIVATE
        if code and not transfer.is_cut and got.trouble is None:
            got.trouble = self._kinds.get(code, Trouble.BROKEN)
        if transfer.ask.wants_certificate:
            got.certificate_names = _certificate_names(easy.getinfo(curl.INFO_CERTINFO) or [])
        self._multi.remove_handle(easy)
        self._forget(easy, transfer)
        ask = transfer.ask
        if ask.method != "GET" or ask.body is not None or ask.wants_certificate or code:
            easy.reset()
            self._set_always(easy)
        self._idle.append(easy)
        if not transfer.done.done():
            transfer.done.set_result(got)

    def _forget(self, easy: Any, transfer: _Transfer) -> None:
        del self._running[easy]
        self._held_bytes -= len(transfer.exchange.body) if transfer.exchange.status < 300 else 0

    def close(self) -> None:
        """End all transfers and close all connections."""
        for easy, transfer in list(self._running.items()):
            self._multi.remove_handle(easy)
            easy.close()
            transfer.done.cancel()
        self._running.clear()
        for easy in self._idle:
            easy.close()
        self._idle.clear()
        self._close_copies()
        self._set_timer(-1)
        self._loop.remove_reader(self._selector.fileno())
        self._multi.close()
        self._selector.close()


def load_pycurl() -> Any:
    """Return the module pycurl.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import pycurl
    except ImportError as error:
        raise ConfigError("watching needs pycurl: pip install 'bastau[watch]'") from error
    return pycurl


def authorities() -> str:
    """Return the file of certificate authorities of this system; empty if libcurl must know."""
    found = ssl.get_default_verify_paths().cafile
    return next((path for path in (found, *_BUNDLES) if path and Path(path).exists()), "")


def _words(value: bytes) -> str:
    value = value.strip()
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _certificate_names(chain: list[Any]) -> tuple[str, ...]:
    for name, value in chain[0] if chain else ():
        if "Alternative Name" in name:
            entries = (entry.strip() for entry in value.split(","))
            return tuple(entry[4:].lower() for entry in entries if entry.startswith("DNS:"))[:1000]
    return ()


def _troubles(curl: Any) -> dict[int, Trouble]:
    kinds = {
        Trouble.DNS: (curl.E_COULDNT_RESOLVE_HOST,),
        Trouble.CONNECT: (curl.E_COULDNT_CONNECT, curl.E_COULDNT_RESOLVE_PROXY, 97),  # 97: the proxy refused
        Trouble.TIMEOUT: (curl.E_OPERATION_TIMEDOUT,),
        # bad handshake, cipher, certificate, authority, pin, status, engine
        Trouble.TLS: (35, 51, 53, 54, 58, 59, 60, 64, 66, 77, 80, 82, 83, 90, 91, 98),
        Trouble.BAD_ADDRESS: (curl.E_URL_MALFORMAT,),
    }
    return {code: kind for kind, codes in kinds.items() for code in codes}

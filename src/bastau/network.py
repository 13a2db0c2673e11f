"""Requests to lists, exchanges, webhooks and time-stamping services: https and public addresses only, unless allowed.

An address is typed in by a person and its answer is written by a stranger, so neither is trusted: the name is
resolved once, every address it resolves to must be public, and the connection goes to the address that was checked.
Size, time and redirects are limited, and secrets never shown.
"""

import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from bastau.collect.web.budgets import retry_after_s
from bastau.errors import ConfigError, SourceChanged, SourceUnavailable
from bastau.public_addresses import is_public

_RETRIED = frozenset({429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BLOCK = 1 << 16
_TAKEN = {"GET": frozenset({200, 201})}
_ANY_TAKEN = frozenset({200, 201, 202, 204})
"""A post may be taken without an answer, which to a GET would be an empty list."""


class NotThere(ConfigError):
    """A server that answers has no such page."""


class Busy(SourceUnavailable):
    """A server that takes nothing now; ``retry_after_s``: for how long it asked to be left alone, None if it did not say."""

    def __init__(self, reason: str, retry_after_s: float | None = None):
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class NetworkLimits:
    """What a fetch may do.

    Args:
        allow_private: also http, and addresses of this machine and the local network: for an own server.
        timeout_s: for connecting and for each wait.
        total_s: for one request from start to end.
        max_bytes: of one answer.
        max_redirects: followed in a row.
        tries: of a request that failed in a way that may pass.
    """

    allow_private: bool = False
    timeout_s: float = 30.0
    total_s: float = 600.0
    max_bytes: int = 2 << 30
    max_redirects: int = 5
    tries: int = 3


def read_secret(reference: str | None) -> str | None:
    """Return the secret that ``env:NAME`` or ``file:PATH`` refers to; None for none.

    Raises:
        ConfigError: no such variable or file, or the reference looks like a secret itself. It is not repeated.
    """
    if not reference:
        return None
    kind, _, rest = reference.partition(":")
    if kind == "env":
        secret = os.environ.get(rest, "")
        if not secret:
            raise ConfigError(f"the environment has no variable {rest} for the secret")
    elif kind == "file":
        try:
            secret = Path(rest).expanduser().read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{rest}: the secret cannot be read from there") from error
    else:
        raise ConfigError("a secret is named as env:NAME or file:PATH, never written out")
    secret = secret.strip()
    if not secret or "\n" in secret or not secret.isprintable():
        raise ConfigError(f"{rest}: holds no secret of one line")
    return secret


class _PinnedConnection(http.client.HTTPConnection):
    """A connection to an address that was checked, whatever the name resolves to by now."""

    def __init__(self, host: str, port: int, address: str, timeout: float, context: ssl.SSLContext | None):
        super().__init__(host, port, timeout=timeout)
        self._address = address
        self._context = context

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


@dataclass
class Client:
    """Makes requests within limits.

    Args:
        limits: what is allowed.
        resolve: (host, port) -> addresses.
        sleep: waits between tries, seconds.
        clock: seconds that only grow.
    """

    limits: NetworkLimits = field(default_factory=NetworkLimits)
    resolve: Callable[[str, int], list[str]] = field(default_factory=lambda: _resolve)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def check(self, url: str) -> None:
        """Refuse an address that no request may go to; connects to nothing.

        Raises:
            ConfigError: it is not allowed.
            SourceUnavailable: its name cannot be resolved.
        """
        self._connection(url)

    def get_json(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """Return the JSON that an address answers with.

        Raises:
            SourceChanged: the answer is no JSON.
        """
        return _json(url, self.request("GET", url, headers or {}))

    def post_json(self, url: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
        """Send JSON and return the JSON that is answered."""
        raw = json.dumps(body).encode()
        return _json(url, self.request("POST", url, {"Content-Type": "application/json", **(headers or {})}, raw))

    def get_to_file(self, url: str, sink: IO[bytes], headers: Mapping[str, str] | None = None) -> None:
        """Write what an address answers with into a file that is empty and can be cut back."""
        self.request("GET", url, headers or {}, sink=sink)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        sink: IO[bytes] | None = None,
    ) -> bytes:
        """Return the body of an answer (b"" if it went to ``sink``), trying again where that may help.

        Raises:
            ConfigError: the address is not allowed, or the server wants other credentials or has no such page.
            SourceUnavailable: no answer in time, or a failure of the server's.
            SourceChanged: an answer that is too large, too often redirected or not understood.
        """
        pause = 1.0
        for attempt in range(1, self.limits.tries + 1):
            try:
                return self._follow(method, url, headers, body, sink)
            except SourceUnavailable:
                if attempt == self.limits.tries:
                    raise
                self.sleep(pause)
                pause *= 3
        raise AssertionError("tries must be at least 1")

    def _follow(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, sink: IO[bytes] | None
    ) -> bytes:
        end = self.clock() + self.limits.total_s
        given = dict(headers)
        for _ in range(self.limits.max_redirects + 1):
            status, target, answer = self._once(method, url, given, body, sink, end)
            if status not in _REDIRECTS:
                return answer
            if not target or method != "GET":
                raise SourceChanged(f"{shown(url)}: redirects ({status}) where it must not")
            following = urljoin(url, target)
            if urlsplit(following)[:2] != urlsplit(url)[:2]:
                # Credentials stay with the server they were meant for.
                given = {name: value for name, value in given.items() if name.lower() != "authorization"}
            url = following
        raise SourceChanged(f"{shown(url)}: more than {self.limits.max_redirects} redirects")

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        sink: IO[bytes] | None,
        end: float,
    ) -> tuple[int, str | None, bytes]:
        connection = self._connection(url)
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        given = {"User-Agent": "bastau", "Accept-Encoding": "identity", **dict(headers)}
        try:
            connection.request(method, path, body, given)
            with connection.getresponse() as response:
                if response.status in _REDIRECTS:
                    return response.status, response.getheader("Location"), b""
                if response.status not in _TAKEN.get(method, _ANY_TAKEN):
                    raise _refusal(url, response.status, response.getheader("Retry-After"))
                return response.status, None, self._body(url, response, sink, end)
        except (OSError, http.client.HTTPException) as error:
            kind = "did not answer in time" if isinstance(error, TimeoutError) else type(error).__name__
            raise SourceUnavailable(f"{shown(url)}: {kind}") from error
        finally:
            connection.close()

    def _connection(self, url: str) -> _PinnedConnection:
        """Return a connection to an address of ``url`` that is allowed."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError("the address is none") from error
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ConfigError(f"{shown(url)}: no https:// address")
        if parts.username or parts.password:
            raise ConfigError(f"{shown(url)}: leave keys out of the address; name them with --secret")
        if parts.scheme == "http" and not self.limits.allow_private:
            raise ConfigError(f"{shown(url)}: must begin with https://, unless private addresses are allowed")
        port = port or (443 if parts.scheme == "https" else 80)
        try:
            addresses = self.resolve(parts.hostname, port)
        except OSError as error:
            raise SourceUnavailable(f"{shown(url)}: its name cannot be resolved") from error
        if not self.limits.allow_private and not all(is_public(address) for address in addresses):
            raise ConfigError(
                f"{shown(url)}: leads to a private address; set [network] allow_private = true only for a server of your own"
            )
        if not addresses:
            raise SourceUnavailable(f"{shown(url)}: its name has no address")
        context = ssl.create_default_context() if parts.scheme == "https" else None
        return _PinnedConnection(parts.hostname, port, addresses[0], self.limits.timeout_s, context)

    def _body(self, url: str, response: http.client.HTTPResponse, sink: IO[bytes] | None, end: float) -> bytes:
        if sink is not None:
            sink.seek(0)
            sink.truncate()
        parts: list[bytes] = []
        size = 0
        while block := response.read1(_BLOCK):
            size += len(block)
            if size > self.limits.max_bytes:
                raise SourceChanged(f"{shown(url)}: answers with more than {_size(self.limits.max_bytes)}")
            if self.clock() > end:
                raise SourceUnavailable(f"{shown(url)}: took longer than {self.limits.total_s:.0f} s")
            if sink is None:
                parts.append(block)
            else:
                sink.write(block)
        if response.length:  # the server hung up before it had sent what it announced
            raise SourceUnavailable(f"{shown(url)}: broke off")
        return b"".join(parts)


def _size(n_bytes: int) -> str:
    return f"{n_bytes >> 20} MiB" if n_bytes >> 20 else f"{n_bytes >> 10} KiB"


def shown(url: str) -> str:
    """Return scheme, host and path of an address: what may stand in messages. Queries hold keys, names passwords."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(no address)"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _refusal(url: str, status: int, retry_after: str | None) -> Exception:
    if status in _RETRIED:
        asked_s = retry_after_s(retry_after, datetime.now(UTC))
        return Busy(f"{shown(url)}: answers {status}; try again later", asked_s)
    if status in (401, 403):
        return ConfigError(f"{shown(url)}: refuses the credentials ({status})")
    if status in (404, 410):
        return NotThere(f"{shown(url)}: has no such page ({status})")
    return SourceChanged(f"{shown(url)}: answers {status}")


def _json(url: str, raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise SourceChanged(f"{shown(url)}: answers with no JSON") from error

"""One POST of JSON to a model server, with a limit to everything that a server can do wrong.

The standard library's HTTP rather than a client package, because it lets every limit be hard: one deadline for the
whole exchange (each read gets what is left of it, so a server that drips bytes cannot stretch it), a largest answer,
the address pinned after it was checked, no redirects, no proxies or keys from the environment, no unpacking.
"""

import http.client
import io
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from bastau.errors import ConfigError

Reach = Literal["loopback", "private", "public"]
REACHES = ("loopback", "private", "public")
MAX_ANSWER_BYTES = 4 << 20
_CHUNK = 1 << 16
_TUNNELS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "2001::/32", "2002::/16")))
"""IPv6 addresses in which any IPv4 address, a private one too, may hide."""


class CallFailed(Exception):
    """A call gave nothing usable.

    Attributes:
        reason: a short code that is counted and shown; never words of a text or an answer.
        retry_after_s: how long the server asked to be left alone, if it did.
        may_retry: whether trying again can help.
        status: HTTP status, 0 when there was none.
    """

    def __init__(
        self, reason: str, *, may_retry: bool = False, retry_after_s: float | None = None, status: int = 0
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_retry = may_retry
        self.retry_after_s = retry_after_s
        self.status = status


@dataclass(frozen=True)
class Endpoint:
    """Where a model is served.

    Args:
        url: base address, as ``http://127.0.0.1:8080/v1``.
        reach: where texts may go: ``loopback`` (this machine), ``private`` (this machine and private networks) or
            ``public`` (public addresses, https only).
        timeout_s: of one whole exchange.
        api_key: sent as a bearer token when not empty; never shown.

    Raises:
        ConfigError: the address is none, or is one that ``reach`` does not allow by its form alone.
    """

    url: str
    reach: Reach
    timeout_s: float = 60.0
    api_key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.reach not in REACHES:
            raise ConfigError(
                f"say where texts may go: reach = one of {', '.join(REACHES)} (loopback: they stay on this machine)"
            )
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ConfigError(f"endpoint {self.url[:100]!r} is no address") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ConfigError("the endpoint must be an http or https address, as http://127.0.0.1:8080/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ConfigError("the endpoint must hold no name, password, query or fragment; keys go into a file")
        if self.reach == "public" and parts.scheme != "https":
            raise ConfigError("texts and keys go to public addresses over https only")
        if not all(33 <= ord(c) < 127 for c in self.api_key):
            raise ConfigError("the API key holds characters that no key has; is it the right file?")

    def post(self, path: str, body: Mapping[str, Any], deadline: float, clock: Callable[[], float]) -> dict[str, Any]:
        """POST ``body`` to ``url`` + ``path`` and return the JSON object that comes back.

        Args:
            path: as ``/chat/completions``.
            body: sent as JSON.
            deadline: time of ``clock`` at which the exchange is broken off, if ``timeout_s`` does not end it before.
            clock: seconds that never run back.

        Raises:
            CallFailed: anything else happened.
        """
        deadline = min(deadline, clock() + self.timeout_s)
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        assert parts.hostname
        address = _resolve(parts.hostname, port, self.reach, deadline, clock)
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        try:
            sock = _connect(parts.hostname, address, port, parts.scheme == "https", deadline, clock)
        except OSError as error:
            raise _network_failure(error) from None
        with sock:
            connection = http.client.HTTPConnection(parts.hostname, port)
            connection.sock = _Line(sock, deadline, clock)
            try:
                connection.request("POST", parts.path.rstrip("/") + path, content, headers)
                response = connection.getresponse()
                data = _read_body(response)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise _network_failure(error) from None
        return _understand(response, data)


def read_api_key(environ: Mapping[str, str], *, variable: str = "", file: str = "") -> str:
    """Return the key from the named environment variable or file; empty when neither is named.

    Raises:
        ConfigError: both are named, the variable is not set, or the file is missing or readable by others.
    """
    if variable and file:
        raise ConfigError("name either api_key_variable or api_key_file")
    if variable:
        if not environ.get(variable):
            raise ConfigError(f"the environment variable {variable} with the API key is not set")
        return environ[variable].strip()
    if not file:
        return ""
    path = Path(file).expanduser()
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path}: others can read the API key; run chmod 600 on it")
        with path.open("rb") as opened:
            return opened.read(4096).decode("ascii", "replace").strip()
    except OSError as error:
        raise ConfigError(f"{path}: the API key cannot be read: {error.strerror}") from None


def is_within_reach(address: str, reach: Reach) -> bool:
    """Say whether texts may go to an IP address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if any(ip in network for network in _TUNNELS if network.version == ip.version):
        return False
    if ip.is_multicast or ip.is_unspecified or ip.is_link_local:  # link-local: metadata services of clouds
        return False
    if reach == "loopback":
        return ip.is_loopback
    if reach == "private":
        return ip.is_loopback or (ip.is_private and not ip.is_reserved)
    return ip.is_global


def _resolve(host: str, port: int, reach: Reach, deadline: float, clock: Callable[[], float]) -> str:
    """Return the first address of ``host`` within reach; connecting to just that one defeats a name that changes."""
    found: list[str] = []

    def look_up() -> None:
        try:
            found.extend(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            return

    # A name server may hang, and getaddrinfo knows no time-out.
    asking = threading.Thread(target=look_up, daemon=True)
    asking.start()
    asking.join(max(0.0, deadline - clock()))
    addresses = list(found)
    if not addresses:
        raise CallFailed("unknown_host", may_retry=True)
    allowed = [address for address in addresses if is_within_reach(address, reach)]
    if not allowed:
        raise CallFailed("address_not_allowed")
    return allowed[0]


def _connect(
    host: str, address: str, port: int, is_tls: bool, deadline: float, clock: Callable[[], float]
) -> socket.socket:
    sock = socket.create_connection((address, port), timeout=_left(deadline, clock))
    if not is_tls:
        return sock
    try:
        sock.settimeout(_left(deadline, clock))
        return ssl.create_default_context().wrap_socket(sock, server_hostname=host)
    except BaseException:
        sock.close()
        raise


def _left(deadline: float, clock: Callable[[], float]) -> float:
    left = deadline - clock()
    if left <= 0:
        raise TimeoutError
    return left


class _Line:
    """A connected socket whose waits are cut to what is left until the deadline: the part of one http.client uses."""

    def __init__(self, sock: socket.socket, deadline: float, clock: Callable[[], float]) -> None:
        self._sock, self._deadline, self._clock = sock, deadline, clock

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_left(self._deadline, self._clock))
        self._sock.sendall(data)

    def recv_into(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline, self._clock))
        return self._sock.recv_into(buffer)

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(_Incoming(self), _CHUNK)

    def close(self) -> None:
        """Do nothing: http.client closes early what it still reads from."""


class _Incoming(io.RawIOBase):
    """The reading side of a line."""

    def __init__(self, line: _Line) -> None:
        super().__init__()
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._line.recv_into(buffer)


def _read_body(response: http.client.HTTPResponse) -> bytes:
    data = bytearray()
    while chunk := response.read(_CHUNK):
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            raise CallFailed("answer_too_large")
    if response.length:  # fewer bytes than promised
        raise CallFailed("disconnected", may_retry=True)
    return bytes(data)


def _network_failure(error: Exception) -> CallFailed:
    if isinstance(error, TimeoutError):
        return CallFailed("timed_out", may_retry=True)
    if isinstance(error, ssl.SSLCertVerificationError):
        return CallFailed("bad_certificate")
    if isinstance(error, ConnectionRefusedError):
        return CallFailed("refused_connection", may_retry=True)
    if isinstance(error, OSError | http.client.IncompleteRead | http.client.RemoteDisconnected):
        return CallFailed("disconnected", may_retry=True)
    return CallFailed("no_http")


def _understand(response: http.client.HTTPResponse, data: bytes) -> dict[str, Any]:
    status = response.status
    if 300 <= status < 400:
        raise CallFailed("redirected", status=status)  # texts go where the operator said, nowhere else
    if status == 429 or status >= 500:
        reason = "rate_limited" if status == 429 else "server_error"
        wait_s = _retry_after(response.headers)
        raise CallFailed(reason, may_retry=status not in (501, 505), retry_after_s=wait_s, status=status)
    if status in (401, 403):
        raise CallFailed("not_authorised", status=status)
    if status != 200:
        raise CallFailed("request_refused", status=status)
    if response.headers.get_content_type().partition("+")[2] != "json" and (
        response.headers.get_content_type() != "application/json"
    ):
        raise CallFailed("not_json", status=status)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise CallFailed("packed_answer", status=status)
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        raise CallFailed("not_json", status=status) from None
    if not isinstance(answer, dict):
        raise CallFailed("wrong_answer", status=status)
    return answer


def _retry_after(headers: http.client.HTTPMessage) -> float | None:
    """Return the seconds a server asks for; a date counts from the server's own clock, so ours need not agree."""
    value = (headers.get("Retry-After") or "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
        return max(0.0, (until - parsedate_to_datetime(headers.get("Date") or "")).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None

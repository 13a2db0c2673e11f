"""Streams: websockets, and event streams as browsers read them."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bastau.collect.visits import FetchFailed, FetchRefused, Trouble
from bastau.collect.web.budgets import retry_after_s
from bastau.collect.web.guard import Place, shown
from bastau.collect.web.transfers import authorities
from bastau.errors import ConfigError

_CONNECT_S = 10.0
_KINDS = {401: Trouble.FORBIDDEN, 403: Trouble.FORBIDDEN, 404: Trouble.GONE, 410: Trouble.GONE, 429: Trouble.LIMITED}


async def events(pieces: AsyncIterator[bytes], max_bytes: int, where: str) -> AsyncIterator[str]:
    """Yield the events of an event stream as JSON objects ``{"event": name, "data": text}``.

    Raises:
        FetchRefused: an event has more than ``max_bytes``.

    Reference: https://html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.6
    """
    rest = bytearray()
    name, size = "message", 0
    data: list[str] = []
    async for piece in pieces:
        rest += piece
        *lines, last = rest.split(b"\n") if b"\n" in piece else (rest,)
        rest = bytearray(last)
        for line in lines:
            text = line.rstrip(b"\r").decode("utf-8", errors="replace")
            if not text:
                if data:
                    yield json.dumps({"event": name, "data": "\n".join(data)}, ensure_ascii=False)
                name, data, size = "message", [], 0
                continue
            size += len(text)
            key, _, value = text.partition(":")
            value = value.removeprefix(" ")
            if key == "event":
                name = value
            elif key == "data":
                data.append(value)
            if size > max_bytes:
                break
        if size + len(rest) > max_bytes:
            raise FetchRefused(Trouble.TOO_LARGE, where)


async def open_websocket(
    place: Place,
    addresses: Sequence[str],
    headers: Mapping[str, str],
    *,
    agent: str,
    proxy: str,
    ca_file: str,
    max_bytes: int,
    timeout_s: float,
) -> Any:
    """Return an open websocket to one of the checked ``addresses`` (through the proxy, if there is one).

    Raises:
        FetchFailed: it could not be opened.
        ConfigError: the library is missing.
    """
    try:
        from websockets.asyncio.client import ClientConnection, connect
        from websockets.exceptions import InvalidHandshake, InvalidStatus
    except ImportError as error:
        raise ConfigError("streams need websockets: pip install 'bastau[watch]'") from error

    class Heard(ClientConnection):
        """Remembers when anything came, pings included."""

        heard_at = 0.0

        def process_event(self, event: Any) -> None:
            self.heard_at = asyncio.get_running_loop().time()
            super().process_event(event)

    where, is_open = shown(place.url), False
    options: dict[str, Any] = {"max_size": max_bytes, "user_agent_header": agent, "additional_headers": dict(headers)}
    options |= {"open_timeout": _CONNECT_S, "close_timeout": 1.0, "max_queue": 64, "create_connection": Heard}
    if not place.is_plain:
        options["ssl"] = ssl.create_default_context(cafile=ca_file or authorities() or None)
    if proxy:
        options["proxy"] = proxy
    else:
        options |= {"proxy": None, "sock": await _connected(addresses, place.port, where)}
        if not place.is_plain:
            options["server_hostname"] = place.host
    try:
        # Redirects raise with a socket of our own; through a proxy none may be followed either.
        connecting = connect(place.url, **options)
        connecting.process_redirect = _raised  # type: ignore[method-assign]
        opened = await connecting
        is_open = True
        return opened
    except ImportError as error:
        raise ConfigError("websockets through a SOCKS proxy need python-socks: pip install python-socks") from error
    except InvalidStatus as error:
        status = error.response.status_code
        asked_s = retry_after_s(error.response.headers.get("Retry-After"), datetime.now(UTC))
        kind = _KINDS.get(status, Trouble.SERVER if status >= 500 else Trouble.BROKEN)
        raise FetchFailed(kind, where, asked_s, status=status, body=bytes(error.response.body or b"")[:4096]) from None
    except ssl.SSLError as error:
        raise FetchFailed(Trouble.TLS, where) from error
    except TimeoutError as error:
        raise FetchFailed(Trouble.TIMEOUT, where) from error
    except OSError as error:
        raise FetchFailed(Trouble.CONNECT, where) from error
    except (InvalidHandshake, EOFError, ValueError) as error:
        raise FetchFailed(Trouble.BROKEN, where) from error
    finally:
        if not is_open and "sock" in options:
            await asyncio.sleep(0)  # a transport that had it closes it now
            options["sock"].close()


def _raised(exc: Exception) -> Exception | str:
    return exc


async def websocket_messages(opened: Any, silence_s: float, where: str) -> AsyncIterator[str | bytes]:
    """Yield messages until the server ends the websocket in good order.

    Raises:
        FetchRefused: a message was too large.
        FetchFailed: it broke, or nothing came for ``silence_s``.
    """
    from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK

    loop = asyncio.get_running_loop()
    opened.heard_at = loop.time()
    try:
        while True:
            try:
                yield await asyncio.wait_for(opened.recv(), max(opened.heard_at + silence_s - loop.time(), 0.01))
            except TimeoutError:
                if loop.time() - opened.heard_at >= silence_s:
                    raise FetchFailed(Trouble.TIMEOUT, where) from None
    except ConnectionClosedOK:
        return
    except ConnectionClosedError as error:
        if error.sent is not None and error.sent.code == 1009:
            raise FetchRefused(Trouble.TOO_LARGE, where) from error
        raise FetchFailed(Trouble.BROKEN, where) from error
    finally:
        with contextlib.suppress(Exception):
            await opened.close()


async def _connected(addresses: Sequence[str], port: int, where: str) -> socket.socket:
    """Return a socket connected to the first address that answers."""
    loop = asyncio.get_running_loop()
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        try:
            await asyncio.wait_for(loop.sock_connect(made, (address, port)), _CONNECT_S)
        except OSError:
            made.close()
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise FetchFailed(Trouble.CONNECT, where)

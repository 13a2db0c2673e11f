"""Pictures of pages by headless Chromium, which reaches the network only through a filter of ours.

Chromium resolves names by itself, so a page could make it ask a private address. It is therefore started with our proxy for
every address, loopback included: the proxy resolves the name, refuses what is not public, connects to the address that
was checked, and ends the whole when too much came through.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.fs as pafs

from bastau.chain import Chain, Entry, Lock
from bastau.collect.addresses import social_platform
from bastau.collect.handles import names_somebody
from bastau.errors import ConfigError, SourceUnavailable
from bastau.lake import write_whole
from bastau.public_addresses import is_public

MAX_BYTES = 64 << 20
"""Bytes that one page may load."""
MAX_S = 45.0
MAX_PICTURE = 64 << 20
WIDTH, HEIGHT = 1280, 4000
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
Resolve = Callable[[str, int], list[str]]


@dataclass
class Filter:
    """The proxy: how much went through and what was refused."""

    resolve: Resolve
    allow_private: bool
    n_bytes: int = 0
    refused: set[str] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)
    port: int = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the browser."""
        with contextlib.suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError
        ):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            is_tunnel = method == "CONNECT"
            parts = urlsplit(f"//{target}" if is_tunnel else target)
            host, port = parts.hostname or "", parts.port or 80
            address = await self.allowed(host, port)
            if address is None:
                self.refused.add(host[:253])
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
            else:
                await self._join(address, port, head, parts, reader, writer, is_tunnel=is_tunnel)
        writer.close()

    async def allowed(self, host: str, port: int) -> str | None:
        """Return an address of ``host`` that may be connected to."""
        if not host or (port not in (80, 443) and not self.allow_private) or social_platform(f"https://{host}/"):
            return None
        try:
            addresses = await asyncio.to_thread(self.resolve, host, port)
            if not addresses or not all(self.allow_private or is_public(address) for address in addresses):
                return None
        except (OSError, ValueError):
            return None
        return addresses[0]

    async def _join(
        self,
        address: str,
        port: int,
        head: bytes,
        parts: Any,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        is_tunnel: bool,
    ) -> None:
        there, back = await asyncio.wait_for(asyncio.open_connection(address, port), 15)
        self.reached.add(parts.hostname or "")
        try:
            if is_tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                first, rest = head.split(b"\r\n", 1)
                method = first.split(b" ", 1)[0]
                lines = [
                    line
                    for line in rest.split(b"\r\n")
                    if line and not line.lower().startswith((b"proxy-", b"connection:"))
                ]
                # One request a connection: each is checked again.
                back.write(
                    b"\r\n".join([method + b" " + path.encode() + b" HTTP/1.1", *lines, b"Connection: close", b"", b""])
                )
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        finally:
            back.close()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                self.n_bytes += len(data)
                if self.n_bytes > MAX_BYTES:
                    break
                sink.write(data)
                await sink.drain()
            if sink.can_write_eof():
                sink.write_eof()


@asynccontextmanager
async def filtering(resolve: Resolve, *, allow_private: bool) -> AsyncIterator[Filter]:
    """Open the proxy on a free port of the loopback."""
    proxy = Filter(resolve, allow_private)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy


def browser() -> str:
    """Return the program.

    Raises:
        ConfigError: Chromium is not installed.
    """
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise ConfigError("no Chromium found (Debian, Ubuntu: apt-get install chromium)")
    return found


async def take_shot(
    folder: Path,
    url: str,
    now: datetime,
    *,
    by: str,
    why: str,
    resolve: Resolve,
    allow_private: bool,
    lock: Lock = contextlib.nullcontext,
) -> Entry:
    """Take a picture of a page into the archive in ``folder`` and return its act.

    Args:
        lock: held while the picture is written, not while the page loads.

    Raises:
        ConfigError: the address is none, or Chromium is missing.
        SourceUnavailable: the page did not load, or was refused.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ConfigError(f"{url}: no address of a page") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ConfigError(f"{url}: a page is named by http:// or https://, without a name and password in it")
    if social_platform(url) or names_somebody(url):
        raise ConfigError(
            f"{parts.hostname}: pages of social platforms show persons' posts and are not pictured (SCOPE, rule 2)"
        )
    program = browser()
    with tempfile.TemporaryDirectory(prefix="bastau-shot-") as scratch:
        picture = Path(scratch) / "shot.png"
        async with filtering(resolve, allow_private=allow_private) as proxy:
            if await proxy.allowed(parts.hostname, port) is None:
                raise SourceUnavailable(
                    f"{parts.hostname}: refused, not a public address (or a port other than 80 and 443)"
                )
            # Root cannot have the sandbox of Chromium; who opens pages of strangers had better not be root.
            command = [
                program, "--headless", *(["--no-sandbox"] if os.geteuid() == 0 else []), "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--disable-extensions", "--mute-audio", "--hide-scrollbars", "--incognito",
                "--force-webrtc-ip-handling-policy=disable_non_proxied_udp", f"--user-data-dir={scratch}/profile",
                f"--proxy-server=http://127.0.0.1:{proxy.port}", "--proxy-bypass-list=<-loopback>", f"--window-size={WIDTH},{HEIGHT}",
                "--virtual-time-budget=15000", f"--screenshot={picture}", url,
            ]  # fmt: skip
            process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            try:
                await asyncio.wait_for(process.wait(), MAX_S)
            except TimeoutError as error:
                raise SourceUnavailable(
                    f"{parts.hostname}: the page did not finish loading in {MAX_S:.0f} s"
                ) from error
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            if parts.hostname not in proxy.reached:
                # Chromium would have drawn its own page of errors.
                raise SourceUnavailable(f"{parts.hostname}: could not be reached")
            if proxy.n_bytes > MAX_BYTES:
                raise SourceUnavailable(f"{parts.hostname}: the page loads more than {MAX_BYTES >> 20} MiB")
        if not picture.exists() or not 0 < picture.stat().st_size <= MAX_PICTURE:
            raise SourceUnavailable(f"{parts.hostname}: no picture could be taken")
        data = picture.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    act = {
        "act": "shot", "by": by, "why": why, "url": url, "file": f"{digest}.png", "kept_sha256": digest, "size_bytes": len(data),
        "refused_hosts": sorted(proxy.refused)[:100],
    }  # fmt: skip
    with lock():
        # On disk before the act that names it.
        write_whole(pafs.LocalFileSystem(), str(folder / "shots" / f"{digest}.png"), lambda file: file.write(data))
        return Chain(folder).append([act], now)[0]

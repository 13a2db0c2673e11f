"""Everything that a stranger's server or address may try: refused, with a reason, in bounded time and memory.

The servers are real sockets on the loopback. Where the guard is on, one loopback address stands for the public Internet.
"""

import asyncio
import gzip
import resource
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import zstandard

from bastau import public_addresses
from bastau.collect.visits import Answer, FetchFailed, FetchRefused, Request, Trouble
from bastau.collect.web import guard, names, transfers
from bastau.collect.web.fetching import LiveWeb, open_web
from bastau.settings import Network, Settings

brotli = pytest.importorskip("brotli", reason="comes with the extra watch")
pytest.importorskip("pycurl", reason="comes with the extra watch")

PUBLIC = "127.9.9.9"
"""Taken for a public address where the guard is on."""
MAX_BYTES = 1 << 20
OPEN = Settings(network=Network(allow_private=True, pause_s=0.0, per_address=0))
GUARDED = Settings(network=Network(pause_s=0.0, per_address=0))

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]


class Server:
    """A server that says what it likes; ``heads`` are the requests that reached it."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.heads: list[bytes] = []
        self.n_connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head)
                await self._talk(reader, writer, head.split()[1].decode("latin-1"))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(talk: Talk, address: str = "127.0.0.1") -> AsyncIterator[Server]:
    made = Server(talk)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await made.serve(reader, writer)

    listening = await asyncio.start_server(serve, address, 0)
    made.port = listening.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def says(*answer: bytes) -> Talk:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: str) -> None:
        writer.write(b"".join(answer))
        writer.close()

    return talk


def body(encoding: bytes, content: bytes) -> Talk:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (encoding, len(content))
    return says(head, content)


def endless(start: bytes, piece: bytes, pause_s: float = 0.0) -> Talk:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: str) -> None:
        writer.write(start)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return talk


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: str) -> None:
    await reader.read(1)


async def ever_further(_: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    number = int(path.strip("/") or 0) + 1
    writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /%d\r\n\r\n" % number)


def redirects(location: bytes, status: int = 302) -> Talk:
    return says(b"HTTP/1.1 %d Found\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n" % (status, location))


OK = b"HTTP/1.1 200 OK\r\n"
ZEROS = bytes(64 << 20)
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
NO_OUTPUT = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + b"\x00\x00\x00\xff\xff" * 100_000


def brotli_bomb() -> bytes:
    return brotli.compress(ZEROS, quality=5)


def wide_window() -> bytes:
    """Return a zstd frame that asks for 2 GiB of window."""
    return b"\x28\xb5\x2f\xfd" + bytes([0x00, 0xA8]) + b"\x01\x00\x00"


HOSTILE: dict[str, tuple[Talk, Trouble]] = {
    "gzip bomb": (body(b"gzip", gzip.compress(ZEROS)), Trouble.TOO_LARGE),
    "deflate bomb": (body(b"deflate", zlib.compress(ZEROS)), Trouble.TOO_LARGE),
    "brotli bomb": (body(b"br", brotli_bomb()), Trouble.TOO_LARGE),
    "zstd bomb": (body(b"zstd", zstandard.compress(ZEROS)), Trouble.TOO_LARGE),
    "zstd window of 2 GiB": (body(b"zstd", wide_window()), Trouble.BROKEN),
    "gzip in gzip": (body(b"gzip, gzip", gzip.compress(gzip.compress(ZEROS))), Trouble.BROKEN),
    "gzip in gzip, in two headers": (
        says(OK, b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(gzip.compress(ZEROS))),
        Trouble.BROKEN,
    ),
    "gzip as transfer coding": (
        says(OK, b"Transfer-Encoding: gzip, chunked\r\n\r\n", gzip.compress(b"x")),
        Trouble.BROKEN,
    ),
    "gzip of half a million empty blocks": (body(b"gzip", NO_OUTPUT), Trouble.BROKEN),
    "gzip of fifty thousand members": (body(b"gzip", gzip.compress(b"") * 50_000), Trouble.BROKEN),
    "gzip cut short": (body(b"gzip", gzip.compress(bytes(range(256)) * 9)[:-20]), Trouble.BROKEN),
    "brotli cut short": (body(b"br", brotli.compress(bytes(range(256)) * 9)[:-20]), Trouble.BROKEN),
    "garbage as brotli": (body(b"br", b"\xff" * 100), Trouble.BROKEN),
    "garbage as zstd": (body(b"zstd", b"\xff" * 100), Trouble.BROKEN),
    "an encoding that nobody knows": (body(b"rot13", b"uryyb"), Trouble.BROKEN),
    "endless chunks": (endless(CHUNKED, b"10000\r\n" + bytes(0x10000) + b"\r\n"), Trouble.TOO_LARGE),
    "endless body": (endless(OK + b"\r\n", bytes(1 << 16)), Trouble.TOO_LARGE),
    "chunks of one byte": (endless(CHUNKED, b"1\r\nx\r\n" * 1000), Trouble.BROKEN),
    "a chunk's endless extension": (endless(CHUNKED + b"1;", b"a" * 1000, 0.001), Trouble.TIMEOUT),
    "a chunk size that is none": (says(CHUNKED, b"zz\r\nhello\r\n"), Trouble.BROKEN),
    "a chunk size beyond 64 bits": (says(CHUNKED, b"F" * 17 + b"\r\nhello\r\n"), Trouble.BROKEN),
    "a length of 10 GB": (endless(OK + b"Content-Length: 10000000000\r\n\r\n", b"x", 0.05), Trouble.TOO_LARGE),
    "a length longer than the body": (says(OK, b"Content-Length: 1000\r\n\r\nshort"), Trouble.BROKEN),
    "a length below zero": (says(OK, b"Content-Length: -5\r\n\r\nhello"), Trouble.BROKEN),
    "a length beyond 64 bits": (says(OK, b"Content-Length: 99999999999999999999999\r\n\r\nhello"), Trouble.TOO_LARGE),
    "two lengths": (says(OK, b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), Trouble.BROKEN),
    "a body drop by drop": (endless(OK + b"\r\n", b"x", 0.05), Trouble.TIMEOUT),
    "headers drop by drop": (endless(OK, b"x", 0.05), Trouble.TIMEOUT),
    "no word": (silent, Trouble.TIMEOUT),
    "ten thousand headers": (says(OK, b"X: y\r\n" * 10_000, b"\r\n"), Trouble.TOO_LARGE),
    "endless headers": (endless(OK, b"X-Pad: " + b"y" * 4000 + b"\r\n"), Trouble.TOO_LARGE),
    "a header of a megabyte": (says(OK, b"X: ", b"y" * (1 << 20), b"\r\n\r\n"), Trouble.BROKEN),
    "a nul in a header": (says(OK, b"X: a\0b\r\n\r\nhello"), Trouble.BROKEN),
    "endless trailers": (endless(CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n" * 100), Trouble.TOO_LARGE),
    "interim answers without end": (endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), Trouble.BROKEN),
    "a change of protocol": (endless(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", b"x", 0.05), Trouble.BROKEN),
    "HTTP/0.9": (says(b"<html>hello</html>"), Trouble.BROKEN),
    "a status that is none": (says(b"HTTP/1.1 hello\r\n\r\n"), Trouble.BROKEN),
    "a status of 99999": (says(b"HTTP/1.1 99999 OK\r\n\r\n"), Trouble.BROKEN),
    "a status of 7": (says(b"HTTP/1.1 007 OK\r\n\r\n"), Trouble.BROKEN),
    "a version that is none": (says(b"HTTP/9.7 200 OK\r\n\r\nhello"), Trouble.BROKEN),
    "nothing": (says(b""), Trouble.BROKEN),
    "unchanged, but nobody asked": (says(b"HTTP/1.1 304 Not Modified\r\n\r\n"), Trouble.BROKEN),
    "a redirect to nowhere": (says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), Trouble.BROKEN),
    "redirects in a circle": (redirects(b"/"), Trouble.TOO_MANY_REDIRECTS),
    "a million redirects": (ever_further, Trouble.TOO_MANY_REDIRECTS),
    "a redirect of 100 kB": (redirects(b"/" + b"a" * 90_000), Trouble.BAD_ADDRESS),
    "a redirect to a file": (redirects(b"file:///etc/passwd"), Trouble.BAD_ADDRESS),
    "a redirect to a script": (redirects(b"javascript:alert(1)"), Trouble.BAD_ADDRESS),
    "a redirect to another service": (redirects(b"gopher://127.0.0.1:6379/_FLUSHALL"), Trouble.BAD_ADDRESS),
    "a redirect with a user": (redirects(b"http://user:pass@127.0.0.1/"), Trouble.BAD_ADDRESS),
    "a redirect with an endless body": (
        endless(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", bytes(1 << 14)),
        Trouble.TOO_MANY_REDIRECTS,
    ),
    "an error with an endless body": (endless(b"HTTP/1.1 500 No\r\n\r\n", bytes(1 << 14)), Trouble.SERVER),
    "an error that is a bomb": (
        says(b"HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(ZEROS)),
        Trouble.FORBIDDEN,
    ),
}


async def ask(talk: Talk, request: dict[str, Any] | None = None, settings: Settings = OPEN) -> tuple[Answer, Server]:
    """Return the answer of a server that talks so."""
    async with serving(talk) as server, open_web(settings) as web:
        url = f"http://127.0.0.1:{server.port}/"
        given = {"url": url, "max_bytes": MAX_BYTES, "timeout_s": 0.4, **(request or {})}
        return await web.fetch(Request(**given)), server


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_is_refused_with_its_reason(name: str) -> None:
    talk, kind = HOSTILE[name]
    with pytest.raises(FetchFailed) as refusal:
        asyncio.run(asyncio.wait_for(ask(talk), 5))
    assert refusal.value.kind is kind
    assert len(refusal.value.body) <= 4096


def test_no_certificate_no_answer() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\r\n")
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server, open_web(OPEN) as web:
            with pytest.raises(FetchFailed) as refusal:
                await web.fetch(Request(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
            assert refusal.value.kind is Trouble.TLS

    asyncio.run(main())


def test_memory_stays_flat_under_all_of_it_at_once() -> None:
    """Three of each at the same time; what the bombs alone unpack to would be 1.5 GB."""

    async def main() -> None:
        async with open_web(OPEN) as web:

            async def once(number: int, talk: Talk, kind: Trouble) -> None:
                address = f"127.0.1.{number + 1}"
                async with serving(talk, address) as server:
                    with pytest.raises(FetchFailed) as refusal:
                        await web.fetch(Request(f"http://{address}:{server.port}/", max_bytes=MAX_BYTES, timeout_s=5.0))
                    assert refusal.value.kind is kind

            quick = [entry for entry in HOSTILE.values() if entry[1] is not Trouble.TIMEOUT]
            await asyncio.wait_for(asyncio.gather(*(once(i, *entry) for i, entry in enumerate(quick))), 10)
            before = peak_mib()
            await asyncio.wait_for(asyncio.gather(*(once(i, *entry) for i, entry in enumerate(quick * 3))), 10)
            assert peak_mib() - before < 100

    asyncio.run(main())


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class TestWhatIsTaken:
    def test_headers_in_any_bytes(self) -> None:
        answer, _ = asyncio.run(ask(says(OK, b"X-A: caf\xe9\r\nX-B: \xd2\x9b\r\nContent-Length: 2\r\n\r\nhi")))
        assert answer.header("x-a") == "café"
        assert answer.header("X-B") == "қ"

    def test_more_than_was_announced_is_left_there(self) -> None:
        answer, _ = asyncio.run(ask(says(OK, b"Content-Length: 5\r\n\r\nhello and more")))
        assert answer.body == b"hello"

    @pytest.mark.parametrize(
        ("encoding", "content"),
        [
            ("gzip", gzip.compress(b"hello")),
            ("gzip", gzip.compress(b"hel") + gzip.compress(b"lo") + b"\0\0\0"),
            ("x-gzip", b"hello"),  # said, not done
            ("deflate", zlib.compress(b"hello")),
            ("deflate", zlib.compress(b"hello")[2:-4]),
            ("br", brotli.compress(b"hello")),
            ("zstd", zstandard.compress(b"hello")),
            ("identity", b"hello"),
        ],
    )
    def test_every_encoding(self, encoding: str, content: bytes) -> None:
        answer, server = asyncio.run(ask(body(encoding.encode(), content)))
        assert answer.body == b"hello"
        assert answer.n_bytes == len(content)
        assert b"Accept-Encoding: gzip, deflate, br, zstd\r\n" in server.heads[0]

    def test_cookies_are_not_kept(self) -> None:
        async def main() -> None:
            talk = says(OK, b"Set-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n")
            async with serving(talk) as server, open_web(OPEN) as web:
                for _ in range(2):
                    await web.fetch(Request(f"http://127.0.0.1:{server.port}/"))
                assert len(server.heads) == 2
                assert not any(b"ookie" in head for head in server.heads)

        asyncio.run(main())

    def test_a_request_cannot_smuggle_headers(self) -> None:
        async def main() -> None:
            async with serving(says(OK, b"Content-Length: 0\r\n\r\n")) as server, open_web(OPEN) as web:
                url = f"http://127.0.0.1:{server.port}/"
                await web.fetch(Request(url, etag='"a"\r\nX-Evil: 1', last_modified="x\nX-Evil: 2"))
                for bad in ({"X": "a\r\nX-Evil: 3"}, {"X: a\r\nX-Evil": "4"}, {"": "5"}):
                    with pytest.raises(FetchRefused):
                        await web.fetch(Request(url, headers=bad))
                await web.fetch(Request(url, headers={"Host": "inside", "User-Agent": "Mozilla", "Cookie": "a=b"}))
                assert not any(b"\nX-Evil" in head or b"inside" in head for head in server.heads)
                assert not any(b"Mozilla" in head or b"Cookie" in head for head in server.heads)

        asyncio.run(main())


class TestSecrets:
    def test_they_do_not_follow_to_another_host(self) -> None:
        async def main() -> None:
            async with serving(says(OK, b"Content-Length: 0\r\n\r\n"), "127.0.0.2") as other:
                where = b"http://127.0.0.2:%d/" % other.port
                async with serving(redirects(where)) as server, open_web(OPEN) as web:
                    headers = {"Authorization": "Bearer secret", "X-Api-Key": "secret", "Accept": "text/xml"}
                    await web.fetch(Request(f"http://127.0.0.1:{server.port}/", headers=headers))
            assert server.heads[0].count(b"secret") == 2
            assert b"secret" not in other.heads[0]
            assert b"Accept: text/xml" in other.heads[0]

        asyncio.run(main())

    def test_a_body_does_not_either(self) -> None:
        async def main() -> None:
            async with serving(says(OK, b"Content-Length: 0\r\n\r\n"), "127.0.0.2") as other:
                where = b"http://127.0.0.2:%d/" % other.port
                async with serving(redirects(where, 307)) as server, open_web(OPEN) as web:
                    with pytest.raises(FetchRefused):
                        await web.fetch(Request(f"http://127.0.0.1:{server.port}/", method="POST", body=b"secret"))
            assert other.n_connections == 0

        asyncio.run(main())

    def test_they_do_not_stand_in_errors(self) -> None:
        async def main() -> None:
            async with serving(says(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")) as server, open_web(OPEN) as web:
                url = f"http://127.0.0.1:{server.port}/bot123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/x?key=secret#secret"
                with pytest.raises(FetchFailed) as refusal:
                    await web.fetch(Request(url, headers={"Authorization": "secret"}))
                assert "secret" not in repr(refusal.value)
                assert "AAHdq" not in str(refusal.value)
            with pytest.raises(FetchFailed) as refusal:
                guard.place_of("http://user:secret@example.kz/")
            assert "secret" not in str(refusal.value)

        asyncio.run(main())


# Addresses

DOMAINS = {
    "news.example.kz": [PUBLIC],
    "inside.example.kz": ["127.0.0.1"],
    "metadata.example.kz": ["169.254.169.254"],
    "both.example.kz": [PUBLIC, "127.0.0.1"],
    "inside-six.example.kz": ["::1"],
    "mapped.example.kz": ["::ffff:127.0.0.1"],
    "127.0.0.1.nip.example.kz": ["127.0.0.1"],
    "unspecified.example.kz": ["0.0.0.0"],
    "nat64.example.kz": ["64:ff9b::a00:1"],
}


def resolve(host: str, _: int) -> list[str]:
    if host not in DOMAINS:
        raise OSError(host)
    return DOMAINS[host]


@pytest.fixture
def one_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PUBLIC be public. It alone can be connected to: a hole in the rule must not make a test call on strangers."""

    def is_public(address: str) -> bool:
        return address == PUBLIC or public_addresses.is_public(address)

    for module in (guard, names):
        monkeypatch.setattr(module, "is_public", is_public)
    monkeypatch.setattr(transfers, "is_public", lambda address: address == PUBLIC)


TRICKS = [
    # this machine
    "http://127.0.0.1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST.:{port}/",
    "http://a.localhost:{port}/",
    "HTTP://127.0.0.1:{port}/",
    "  http://127.0.0.1:{port}/  ",
    "http://127.0.0.1.:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    # numbers in odd forms
    "http://127.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.0.0.0x1:{port}/",
    "http://0127.0.0.1:{port}/",
    "http://127.0.0.1.1:{port}/",
    "http://0:{port}/",
    # digits, dots and letters that look like them
    "http://１２７.０.０.１:{port}/",
    "http://127。0。0。1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://ｌocalhost:{port}/",
    "http://127.0.0\u00ad.1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    # IPv4 inside IPv6
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:7f00:1::1]:{port}/",
    "http://[2a00:1450::5efe:127.0.0.1]:{port}/",
    # networks of others
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/machine",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://192.0.0.192/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://router/",
    "http://printer.local/",
    "http://expyuzz4wqqyqhjn.onion/",
    # two parsers, two readings
    "http://news.example.kz@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@news.example.kz/",
    "http://127.0.0.1:{port}#@news.example.kz/",
    "http://news.example.kz:80@127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http://news.example.kz\t@127.0.0.1:{port}/",
    "http://127.0.0.1\0.example.kz:{port}/",
    "http://127.0.0.1:{port}/\r\nHost: inside",
    "http://[127.0.0.1]:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}/",
    # other services
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_x",
    "dict://127.0.0.1:{port}/x",
    "ftp://127.0.0.1:{port}/x",
    "ws://127.0.0.1:{port}/",
    "unix:/run/docker.sock",
    "http://news.example.kz:22/",
    "http://news.example.kz:25/",
    "http://news.example.kz:6379/",
    "http://news.example.kz:2375/containers/json",
    "http://news.example.kz:0/",
    "http://news.example.kz:99999/",
    "http://news.example.kz:-1/",
    # names that lead inside
    "http://inside.example.kz:{port}/",
    "http://INSIDE.example.kz.:{port}/",
    "http://metadata.example.kz/",
    "http://both.example.kz:{port}/",
    "http://inside-six.example.kz:{port}/",
    "http://mapped.example.kz:{port}/",
    "http://127.0.0.1.nip.example.kz:{port}/",
    "http://unspecified.example.kz:{port}/",
    "http://nat64.example.kz/",
]
REFUSALS = {Trouble.PRIVATE, Trouble.BAD_ADDRESS}


async def attempt(web: LiveWeb, url: str) -> FetchRefused:
    with pytest.raises(FetchRefused) as refusal:
        await web.fetch(Request(url, timeout_s=0.5))
    assert refusal.value.kind in REFUSALS
    return refusal.value


@pytest.mark.usefixtures("one_public")
class TestTricks:
    @pytest.mark.parametrize("trick", TRICKS)
    def test_is_refused_at_once_and_behind_a_redirect(self, trick: str) -> None:
        async def main() -> None:
            async with serving(says(OK, b"\r\ninside")) as inside:
                url = trick.format(port=inside.port)
                location = url.encode().replace(b"\0", b"%00")
                async with serving(redirects(location), PUBLIC) as outside, open_web(GUARDED, resolve=resolve) as web:
                    await attempt(web, url)
                    if trick.startswith("127.0.0.1:"):
                        return  # behind a redirect that is a path or a scheme of its own
                    if "\r\n" not in url:
                        reason = await attempt_redirect(web, outside, url)
                        assert reason.kind in REFUSALS
                assert inside.n_connections == 0

        asyncio.run(main())

    def test_the_public_address_can_be_reached(self) -> None:
        """Or the tests above would pass with a guard that refuses everything."""

        async def main() -> None:
            talk = says(OK, b"Content-Length: 2\r\n\r\nhi")
            async with serving(talk, PUBLIC) as outside, open_web(GUARDED, resolve=resolve) as web:
                for host in ("news.example.kz", "NEWS.example.kz.", PUBLIC):
                    answer = await web.fetch(Request(f"http://{host}:{outside.port}/"))
                    assert (answer.body, answer.ip) == (b"hi", PUBLIC)

        asyncio.run(main())

    def test_a_name_that_turns_inside_between_check_and_use(self) -> None:
        """The connection goes to the address that was checked; the name is not asked again for it."""
        answers = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])

        async def main() -> None:
            talk = says(OK, b"Content-Length: 0\r\n\r\n")
            async with (
                serving(says(OK, b"\r\ninside")) as inside,
                serving(talk, PUBLIC) as outside,
                open_web(GUARDED, resolve=lambda host, port: next(answers)) as web,
            ):
                answer = await web.fetch(Request(f"http://turns.example.kz:{outside.port}/"))
                assert answer.ip == PUBLIC
                web._names._known.clear()  # as after ten minutes
                reason = await attempt(web, f"http://turns.example.kz:{inside.port}/")
                assert reason.kind is Trouble.PRIVATE
                assert inside.n_connections == 0

        asyncio.run(main())

    def test_the_socket_itself_is_refused_when_all_else_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def main() -> None:
            async with serving(says(OK, b"\r\ninside")) as inside, open_web(GUARDED, resolve=resolve) as web:

                async def misled(place: guard.Place) -> tuple[str, ...]:
                    return ("127.0.0.1",)

                monkeypatch.setattr(web, "_addresses", misled)
                reason = await attempt(web, f"http://news.example.kz:{inside.port}/")
                assert reason.kind is Trouble.PRIVATE
                assert inside.n_connections == 0

        asyncio.run(main())

    def test_an_environment_that_names_a_proxy_changes_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def main() -> None:
            talk = says(OK, b"Content-Length: 2\r\n\r\nhi")
            async with serving(says(OK, b"\r\nproxy")) as proxy, serving(talk, PUBLIC) as outside:
                for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
                    monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
                async with open_web(GUARDED, resolve=resolve) as web:
                    answer = await web.fetch(Request(f"http://news.example.kz:{outside.port}/"))
                    assert answer.body == b"hi"
                assert proxy.n_connections == 0

        asyncio.run(main())


async def attempt_redirect(web: LiveWeb, outside: Server, url: str) -> FetchRefused:
    """Return how the redirect of ``outside`` to ``url`` was refused."""
    if url.startswith("http:///"):  # a path of the same host: a circle, not a way inside
        with pytest.raises(FetchRefused) as refusal:
            await web.fetch(Request(f"http://news.example.kz:{outside.port}/"))
        assert refusal.value.kind in {Trouble.TOO_MANY_REDIRECTS, *REFUSALS}
        return FetchRefused(Trouble.BAD_ADDRESS, url)
    refused = await attempt(web, f"http://news.example.kz:{outside.port}/")
    assert outside.n_connections >= 1
    return refused

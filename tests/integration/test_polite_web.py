"""Politeness against real sockets: robots.txt, limits that servers ask for, hosts that fail, proxies, streams, HTTP/2 aside."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from test_hostile_web import GUARDED, OPEN, serving

from bastau.collect.visits import Answer, FetchFailed, FetchRefused, Request, Trouble
from bastau.collect.web.fetching import LiveWeb, open_web, user_agent
from bastau.errors import ConfigError
from bastau.settings import Network, Settings

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
NOT_THERE = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"

Pages = dict[str, bytes] | Callable[[str], bytes]


def site(pages: Pages) -> Any:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(pages(path) if callable(pages) else pages.get(path, NOT_THERE))

    return talk


def text(content: str | bytes, status: str = "200 OK", **headers: str) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(raw)}\r\n\r\n".encode() + raw


def with_web(pages: Pages, use: Any, settings: Settings = OPEN, **options: Any) -> list[str]:
    """Run ``use(web, base address)``; return the paths that were asked for."""

    async def main() -> list[str]:
        async with serving(site(pages)) as server, open_web(settings, **options) as web:
            await asyncio.wait_for(use(web, f"http://127.0.0.1:{server.port}"), 10)
        return [head.split()[1].decode() for head in server.heads]

    return asyncio.run(main())


async def trouble(web: LiveWeb, url: str, **options: Any) -> FetchFailed:
    with pytest.raises(FetchFailed) as failure:
        await web.fetch(Request(url, timeout_s=2.0, **options))
    return failure.value


class TestRobots:
    def test_rules_are_kept_and_asked_for_once(self) -> None:
        async def use(web: LiveWeb, base: str) -> None:
            assert await web.allows(f"{base}/open")
            assert not await web.allows(f"{base}/closed/x")
            assert await web.allows(f"{base}/closed/but-not-this")
            assert (await trouble(web, f"{base}/closed/x", heed_robots=True)).kind is Trouble.ROBOTS
            assert (await web.fetch(Request(f"{base}/open", heed_robots=True))).body == b"hi"
            assert await web.sitemaps(base) == ["http://example.kz/news.xml"]

        rules = "User-agent: *\nDisallow: /\n\nUser-agent: bastau\nDisallow: /closed\nAllow: /closed/but-*this$\nSitemap: http://example.kz/news.xml"
        assert with_web({"/robots.txt": text(rules), "/open": OK}, use) == ["/robots.txt", "/open"]

    @pytest.mark.parametrize(
        ("answer", "is_allowed"),
        [
            (NOT_THERE, True),
            (text("", "403 No"), True),
            (text("", "401 No"), True),
            (text("", "429 No"), False),
            (text("", "500 No"), False),
            (text("", "503 No", Retry_After="1"), False),
            (text(""), True),
            (text("<html>not rules</html>"), True),
            (text(b"\xef\xbb\xbfUser-agent: *\nDisallow: /"), False),
            (text(b"\xff\xfe\x00User-agent: *\rDisallow: /x\r\n"), True),
            (text("#" * (600 << 10) + "\nUser-agent: *\nDisallow: /"), True),  # beyond 500 KiB nothing is read
            (text("User-agent: *\nDisallow: /" + "\n#" * 100_000), False),
            (b"HTTP/1.1 301 x\r\nLocation: /r\r\nContent-Length: 0\r\n\r\n", False),
            (b"HTTP/1.1 301 x\r\nLocation: /robots.txt\r\nContent-Length: 0\r\n\r\n", True),
            (b"garbage", False),
        ],
    )
    def test_every_answer_that_a_server_may_give(self, answer: bytes, is_allowed: bool) -> None:
        async def use(web: LiveWeb, base: str) -> None:
            assert await web.allows(f"{base}/page") is is_allowed

        with_web({"/robots.txt": answer, "/r": text("User-agent: *\nDisallow: /page")}, use)

    def test_where_nobody_answers_nothing_is_crawled(self) -> None:
        async def use(web: LiveWeb, _: str) -> None:
            assert not await web.allows("http://127.0.0.1:1/page")

        with_web({}, use)

    def test_a_delay_is_kept(self) -> None:
        async def use(web: LiveWeb, base: str) -> None:
            assert await web.allows(base)
            loop = asyncio.get_running_loop()
            await web.fetch(Request(f"{base}/a"))
            start = loop.time()
            await web.fetch(Request(f"{base}/a"))
            assert loop.time() - start > 0.1

        with_web({"/robots.txt": text("User-agent: *\nCrawl-delay: 0.12"), "/a": OK}, use)


class TestLimits:
    def test_a_site_that_wants_rest_gets_it(self) -> None:
        async def use(web: LiveWeb, base: str) -> None:
            first = await trouble(web, f"{base}/a")
            assert (first.kind, first.retry_after_s, first.status) == (Trouble.LIMITED, 90.0, 429)
            second = await trouble(web, f"{base}/b")
            assert second.kind is Trouble.RESTING
            assert 80 < (second.retry_after_s or 0) <= 100
            assert web.troubles == {Trouble.LIMITED: 1, Trouble.RESTING: 1}

        assert with_web(lambda _: text("slow down", "429 No", Retry_After="90"), use) == ["/a"]

    def test_a_spent_budget_too(self) -> None:
        async def use(web: LiveWeb, base: str) -> None:
            await web.fetch(Request(f"{base}/a"))
            assert (await trouble(web, f"{base}/b")).kind is Trouble.RESTING

        headers = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "60"}
        assert with_web(lambda _: text("hi", **headers), use) == ["/a"]

    def test_the_third_failure_in_a_row_ends_the_asking(self) -> None:
        async def use(web: LiveWeb, base: str) -> None:
            kinds = [(await trouble(web, f"{base}/{i}")).kind for i in range(5)]
            assert kinds == [Trouble.SERVER] * 3 + [Trouble.RESTING] * 2
            state = json.loads(json.dumps(web.state()))
            async with open_web(OPEN, state=state) as later:
                assert (await trouble(later, f"{base}/x")).kind is Trouble.RESTING

        assert with_web(lambda _: text("", "500 No"), use) == ["/0", "/1", "/2"]

    def test_refusals_keep_the_servers_words(self) -> None:
        async def use(web: LiveWeb, base: str) -> None:
            error = await trouble(web, f"{base}/a")
            assert (error.kind, error.status, error.body) == (Trouble.FORBIDDEN, 403, b'{"error": "no"}')
            assert (await trouble(web, f"{base}/b")).kind is Trouble.GONE

        with_web({"/a": text('{"error": "no"}', "403 No")}, use)

    def test_one_request_at_a_time_for_each_host(self) -> None:
        now, most = 0, 0

        async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: str) -> None:
            nonlocal now, most
            now, most = now + 1, max(most, now + 1)
            await asyncio.sleep(0.005)
            now -= 1
            writer.write(OK)

        async def main() -> None:
            async with serving(talk) as server, open_web(OPEN) as web:
                url = f"http://127.0.0.1:{server.port}/"
                await asyncio.gather(*(web.fetch(Request(url)) for _ in range(20)))
                assert (most, web.most_at_once, server.n_connections) == (1, 1, 1)

        asyncio.run(main())


class TestRequests:
    def test_conditions_and_the_agent(self) -> None:
        heads: list[bytes] = []

        async def main() -> None:
            settings = Settings(network=Network(allow_private=True, contact="mailto:desk@example.kz"))
            talk = site(lambda _: b"HTTP/1.1 304 x\r\nETag: b\r\n\r\n")
            async with serving(talk) as server, open_web(settings) as web:
                answer = await web.fetch(
                    Request(
                        f"http://127.0.0.1:{server.port}/", etag='"a"', last_modified="Sat, 28 Nov 2026 05:00:00 GMT"
                    )
                )
                assert answer.is_unchanged
                heads.extend(server.heads)

        asyncio.run(main())
        head = heads[0].decode()
        assert 'If-None-Match: "a"\r\nIf-Modified-Since: Sat, 28 Nov 2026 05:00:00 GMT\r\n' in head
        assert f"User-Agent: {user_agent('mailto:desk@example.kz')}\r\n" in head

    def test_what_is_posted_and_that_the_next_request_is_clean(self) -> None:
        bodies: list[bytes] = []

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
            if path == "/post":
                bodies.append(await reader.readexactly(5))
            writer.write(OK)

        async def main() -> None:
            async with serving(talk) as server, open_web(OPEN) as web:
                base = f"http://127.0.0.1:{server.port}"
                await web.fetch(Request(f"{base}/post", method="POST", body=b"a=b&c", headers={"X-A": "1"}))
                await web.fetch(Request(f"{base}/get"))
                assert bodies == [b"a=b&c"]
                assert b"X-A: 1" in server.heads[0]
                assert server.heads[1].startswith(b"GET /get ")
                assert b"X-A" not in server.heads[1]

        asyncio.run(main())

    def test_hops_are_told_and_permanent_ones_known(self) -> None:
        seen: list[Answer] = []

        async def use(web: LiveWeb, base: str) -> None:
            seen.append(await web.fetch(Request(f"{base}/a")))
            seen.append(await web.fetch(Request(f"{base}/b")))

        moved = b"HTTP/1.1 %d x\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n"
        pages = {"/a": moved % (301, b"/new?x=\xd2\x9b"), "/b": moved % (302, b"a"), "/new?x=%D2%9B": OK}
        with_web(pages, use)
        assert [(hop.status, hop.url.rpartition("/")[2]) for hop in seen[1].hops] == [(302, "b"), (301, "a")]
        assert (seen[0].is_moved, seen[1].is_moved) == (True, False)
        assert seen[0].url.endswith("/new?x=%D2%9B")

    def test_all_of_it_is_recorded(self) -> None:
        kept: list[tuple[Request, Answer]] = []

        async def use(web: LiveWeb, base: str) -> None:
            await web.fetch(Request(f"{base}/a"))
            await trouble(web, f"{base}/none")

        with_web({"/a": OK}, use, record=lambda request, answer: kept.append((request, answer)))
        assert [(request.url[-2:], answer.body) for request, answer in kept] == [("/a", b"hi")]

    def test_another_address_is_tried_where_nothing_listens(self) -> None:
        async def main() -> None:
            async with serving(site(lambda _: OK)) as server:
                addresses = ["127.0.0.77", "127.0.0.1"]
                async with open_web(OPEN, resolve=lambda host, port: addresses) as web:
                    for _ in range(2):
                        answer = await web.fetch(Request(f"http://two.example.kz:{server.port}/"))
                        assert answer.ip == "127.0.0.1"
                    assert web.n_fetches == 3  # the second time the good one comes first
                    assert [head.split(b"\r\n")[1] for head in server.heads] == [
                        b"Host: two.example.kz:%d" % server.port
                    ] * 2

        asyncio.run(main())

    def test_a_cancelled_fetch_leaves_nothing(self) -> None:
        async def use(web: LiveWeb, base: str) -> None:
            tasks = [asyncio.create_task(web.fetch(Request(f"{base}/{i}"))) for i in range(10)]
            await asyncio.sleep(0.02)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert (len(web._transfers), web._turns.n_active) == (0, 0)

        async def main() -> None:
            async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: str) -> None:
                await reader.read(1)

            async with serving(silent) as server, open_web(OPEN) as web:
                await use(web, f"http://127.0.0.1:{server.port}")

        asyncio.run(main())


class TestProxy:
    def test_names_go_to_the_proxy_and_private_addresses_do_not(self) -> None:
        async def main() -> None:
            async with serving(site(lambda _: OK)) as proxy:
                settings = Settings(network=Network(proxy=f"http://127.0.0.1:{proxy.port}", pause_s=0.0))
                async with open_web(settings, resolve=lambda host, port: [host]) as web:
                    answer = await web.fetch(Request("http://unknown-to-us.kz/a"))
                    assert (answer.body, answer.ip) == (b"hi", None)
                    for url in ("http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://10.0.0.1/"):
                        assert (await trouble(web, url)).kind is Trouble.PRIVATE
                assert [head.split()[1] for head in proxy.heads] == [b"http://unknown-to-us.kz/a"]

        asyncio.run(main())

    def test_socks_gets_the_name_itself(self) -> None:
        asked: list[bytes] = []

        async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            greeting = await reader.readexactly(2)
            await reader.readexactly(greeting[1])
            writer.write(b"\x05\x00")
            head = await reader.readexactly(5)
            asked.append(head[3:4] + await reader.readexactly(head[4] + 2))
            writer.write(b"\x05\x00\x00\x01\0\0\0\0\0\0")
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            await writer.drain()
            writer.close()

        async def main() -> None:
            async with await asyncio.start_server(socks, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
                settings = Settings(network=Network(proxy=f"socks5h://127.0.0.1:{port}"))
                async with open_web(settings) as web:
                    assert (await web.fetch(Request("http://expyuzz4wqqyqhjn.onion/"))).body == b"hi"
            assert asked == [b"\x03expyuzz4wqqyqhjn.onion\x00\x50"]

        asyncio.run(main())

    @pytest.mark.parametrize(
        "proxy", ["socks5://127.0.0.1:9050", "127.0.0.1:9050", "env:NO_SUCH_VARIABLE", "ftp://x:1"]
    )
    def test_one_that_cannot_be_is_told_at_once(self, proxy: str) -> None:
        async def main() -> None:
            async with open_web(Settings(network=Network(proxy=proxy))):
                pass

        with pytest.raises(ConfigError, match=r"network\.proxy"):
            asyncio.run(main())


class TestStreams:
    def test_events_as_browsers_read_them(self) -> None:
        got: list[Any] = []

        async def use(web: LiveWeb, base: str) -> None:
            async for message in web.messages(Request(f"{base}/old")):
                got.append(json.loads(message))

        stream = (
            b": hello\n\nevent: update\r\ndata: a\r\ndata:b\r\n\r\nid: 7\ndata: \xd2\x9b\n\nevent: empty\n\ndata: cut"
        )
        pages = {"/old": b"HTTP/1.1 302 x\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n", "/new": text(stream)}
        with_web(pages, use)
        assert got == [{"event": "update", "data": "a\nb"}, {"event": "message", "data": "қ"}]

    def test_silence_flood_and_refusal_end_it(self) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
            if path == "/no":
                writer.write(text("", "401 No"))
                return
            writer.write(b"HTTP/1.1 200 OK\r\n\r\ndata: x\n\n")
            while path == "/flood":
                writer.write(b"data: " + b"y" * 10_000)
                await writer.drain()
            await reader.read(1)

        async def main() -> None:
            async with serving(talk) as server, open_web(OPEN) as web:

                async def listen(path: str) -> None:
                    url = f"http://127.0.0.1:{server.port}{path}"
                    async for _ in web.messages(Request(url, timeout_s=0.1, max_bytes=100_000)):
                        pass

                kinds = {"/silent": Trouble.TIMEOUT, "/flood": Trouble.TOO_LARGE, "/no": Trouble.FORBIDDEN}
                for path, kind in kinds.items():
                    with pytest.raises(FetchFailed) as failure:
                        await listen(path)
                    assert failure.value.kind is kind
                assert len(web._transfers) == 0

        asyncio.run(main())

    def test_websockets(self) -> None:
        serve = pytest.importorskip("websockets.asyncio.server", reason="comes with the extra watch").serve

        async def talk(connection: Any) -> None:
            await connection.send("text")
            await connection.send(b"bytes")
            if connection.request.path == "/large":
                await connection.send("x" * 200_000)
            elif connection.request.path == "/silent":
                await connection.wait_closed()

        async def main() -> None:
            async with serve(talk, "127.0.0.1", 0) as server, open_web(OPEN) as web:
                base = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
                for path, kind in {"/": None, "/large": Trouble.TOO_LARGE, "/silent": Trouble.TIMEOUT}.items():
                    got: list[str | bytes] = []
                    error = None
                    try:
                        async for message in web.messages(Request(base + path, timeout_s=0.2, max_bytes=100_000)):
                            got.append(message)
                    except FetchFailed as failure:
                        error = failure.kind
                    assert (got, error) == (["text", b"bytes"], kind)
            async with open_web(GUARDED) as guarded:
                with pytest.raises(FetchRefused):
                    async for _ in guarded.messages(Request(f"{base}/")):
                        pass

        asyncio.run(main())


class TestCertificates:
    """An authority of our own signs for names; what it signed for another name, or did not sign, is refused."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        x509 = pytest.importorskip("cryptography.x509", reason="makes the certificate")
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        folder = tmp_path
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "news.example.kz")])
        alternatives = [x509.DNSName("news.example.kz"), x509.DNSName("*.sister.kz")]
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        (folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return folder

    def test_names_are_checked_and_told(self, files: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files / "cert.pem", files / "key.pem")
        offered: list[list[str]] = []
        context.set_alpn_protocols(["http/1.1"])

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while await reader.readuntil(b"\r\n\r\n"):
                    offered.append([writer.get_extra_info("ssl_object").selected_alpn_protocol()])
                    writer.write(OK)
            writer.close()

        async def main() -> None:
            async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
                port = server.sockets[0].getsockname()[1]
                settings = Settings(network=Network(allow_private=True, pause_s=0.0, ca_file=str(files / "cert.pem")))
                async with open_web(settings, resolve=lambda host, port: ["127.0.0.1"]) as web:
                    first = await web.fetch(Request(f"https://news.example.kz:{port}/"))
                    again = await web.fetch(Request(f"https://news.example.kz:{port}/"))
                    assert first.certificate_names == ("news.example.kz", "*.sister.kz")
                    assert again.certificate_names == ()
                    assert (await web.fetch(Request(f"https://a.sister.kz:{port}/"))).body == b"hi"
                    assert (await trouble(web, f"https://other.kz:{port}/")).kind is Trouble.TLS
                async with open_web(OPEN, resolve=lambda host, port: ["127.0.0.1"]) as strict:
                    assert (await trouble(strict, f"https://news.example.kz:{port}/")).kind is Trouble.TLS

        asyncio.run(main())
        assert offered[0] == ["http/1.1"]

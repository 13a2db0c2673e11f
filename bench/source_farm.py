"""A farm of web sources on the loopback, good and bad, with known truth: `python bench/source_farm.py --sources 60000 --port 8700`.

Each source has an address of its own in 127.0.0.0/8, as `http://127.a.b.c:PORT/feed`, so that hosts are told apart without a name server. Kind, rate
and times of its posts follow from the seed and its number alone: whoever knows seed and start knows what must be found (:func:`posts_between`).
A post is on its feed from its second on, and leaves it when SHOWN newer ones are there.

The server says on `/__farm__` (any address) what it was asked, as JSON: requests by kind, most requests at once for one address, shortest time between two
requests to one address.
"""

import argparse
import asyncio
import contextlib
import gzip
import itertools
import json
import math
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import numpy as np

SHOWN = 20
"""Posts on a feed at once."""
FASTEST_S, SLOWEST_S = 300.0, 7 * 86400.0
"""Mean time between two posts of a source: drawn evenly on a logarithmic scale between these."""

KINDS = {  # kind: share in percent
    "steady": 58.0,  # ETag and Last-Modified, answers 304
    "bare": 10.0,  # no validators, always 200
    "packed": 6.0,  # gzip
    "moved": 4.0,  # 301 from /feed to /new/feed
    "elsewhere": 3.0,  # 302
    "slow": 4.0,  # first byte after 2 to 8 s
    "dripping": 1.0,  # 20 pieces in 4 s
    "limited": 3.0,  # 429 with Retry-After when asked again within two minutes
    "unwell": 2.0,  # every fourth answer is 503
    "broken": 3.0,  # a cut end, a stray ampersand, a wrong encoding
    "lying": 1.0,  # Last-Modified never changes, ETag neither, and 304 is never given
    "news_sitemap": 1.0,
    "dead": 1.0,  # nothing listens
    "nameless": 0.5,  # no such name
    "hanging": 0.5,  # takes the request and never answers
    "gone": 0.5,  # 410
    "failing": 0.5,  # 500 for ever
    "huge": 0.5,  # 64 MiB of feed
    "nonsense": 0.5,  # HTML where a feed was
}
LIVE = (
    "steady", "bare", "packed", "moved", "elsewhere", "slow", "dripping", "limited", "unwell", "broken", "lying", "news_sitemap",
)  # fmt: skip
"""Kinds whose posts can be had."""

WORDS = ["river", "market", "school", "council", "bridge", "winter", "harvest", "doctor", "railway", "museum", "bread", "airport", "garden", "teacher", "library", "steel", "weather", "football", "concert", "budget", "village", "storm", "summit", "border", "hospital", "energy", "holiday", "housing", "science", "factory", "vote", "water"]  # fmt: skip

STOCK = [" ".join(run) for run in np.random.default_rng(1).choice(WORDS, size=(1 << 16, 8))]


@dataclass(frozen=True)
class Farm:
    """All sources: kinds (names), mean seconds between posts and phases, by number."""

    seed: int
    start: float
    port: int
    kinds: np.ndarray
    every_s: np.ndarray

    @property
    def n(self) -> int:
        return len(self.kinds)

    def address(self, i: int) -> str:
        """Return the address that is watched."""
        path = "sitemap-news.xml" if self.kinds[i] == "news_sitemap" else "feed"
        if self.kinds[i] == "nameless":
            return f"http://source{i}.invalid:{self.port}/{path}"
        if self.kinds[i] == "dead":
            return f"http://{host(i)}:1/{path}"
        return f"http://{host(i)}:{self.port}/{path}"

    def latest(self, i: int, now: float) -> int:
        """Return the number of the newest post that source ``i`` has at ``now``; posts count from long before the start."""
        return math.floor((now - self.start) / self.every_s[i] + phase(self.seed, i)) + SHOWN

    def published(self, i: int, number: int) -> float:
        """Return the time of a post: even steps, shifted by up to a third of one."""
        even = number - SHOWN - phase(self.seed, i)
        return self.start + (even + jitter(self.seed, i, number)) * float(self.every_s[i])

    def visible(self, i: int, now: float) -> list[int]:
        """Return the numbers of posts on the feed at ``now``, newest first."""
        last = self.latest(i, now) + 1
        seen = [n for n in range(last, max(last - SHOWN - 2, -1), -1) if self.published(i, n) <= now]
        return seen[:SHOWN]


def make_farm(n: int, *, seed: int, start: float, port: int) -> Farm:
    """Return ``n`` sources."""
    rng = np.random.default_rng(seed)
    names, shares = list(KINDS), np.array(list(KINDS.values()))
    kinds = rng.choice(names, size=n, p=shares / shares.sum())
    every = np.exp(rng.uniform(math.log(FASTEST_S), math.log(SLOWEST_S), n))
    return Farm(seed, start, port, kinds, every)


def host(i: int) -> str:
    """Return the address of source ``i``: 127.1.0.1 and up, without 0 and 255 at the end."""
    high, low = divmod(i, 250)
    middle, third = divmod(high, 250)
    return f"127.{1 + middle}.{third}.{low + 1}"


def mixed(*numbers: int) -> float:
    """Return a fraction in [0, 1) that follows from the numbers alone (splitmix64)."""
    x = 0x9E3779B97F4A7C15
    for n in numbers:
        x = (x ^ (n & 0xFFFFFFFFFFFFFFFF)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        x = (x ^ (x >> 30)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        x ^= x >> 31
    return (x >> 11) / (1 << 53)


def phase(seed: int, i: int) -> float:
    return mixed(seed, i, 1)


def jitter(seed: int, i: int, number: int) -> float:
    return mixed(seed, i, number, 2) / 3


def link(i: int, number: int, port: int) -> str:
    return f"http://{host(i)}:{port}/post/{number}"


def words(seed: int, i: int, number: int, n: int) -> str:
    """Return ``n`` words, in runs of eight drawn from a fixed stock: cheap to make, and no two posts alike."""
    runs = [STOCK[int(mixed(seed, i, number, 3, k) * len(STOCK))] for k in range(-(-n // 8))]
    return " ".join(" ".join(runs).split(" ")[:n])


def posts_between(farm: Farm, since: float, until: float) -> list[tuple[int, str, float]]:
    """Return (source, link, time) of the posts of live sources published in [since, until)."""
    found = []
    for i in np.flatnonzero(np.isin(farm.kinds, LIVE)).tolist():
        for number in range(farm.latest(i, since) - 1, farm.latest(i, until) + 2):
            when = farm.published(i, number)
            if since <= when < until:
                found.append((i, link(i, number, farm.port), when))
    return found


# ---- what is answered ---------------------------------------------------------------------------------------


def feed(farm: Farm, i: int, numbers: list[int]) -> bytes:
    items = []
    for n in numbers:
        url = link(i, n, farm.port)
        text = words(farm.seed, i, n, 40)
        items.append(
            f"<item><title>{words(farm.seed, i, n, 7).capitalize()} {i}-{n}</title><link>{url}</link><guid>{url}</guid>"
            f"<pubDate>{formatdate(farm.published(i, n), usegmt=True)}</pubDate><description>{text}</description></item>"
        )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel><title>Source {i}</title>'
        f"<link>http://{host(i)}:{farm.port}/</link><description>farm</description>{''.join(items)}</channel></rss>"
    ).encode()


def news_sitemap(farm: Farm, i: int, numbers: list[int]) -> bytes:
    entries = "".join(
        f"<url><loc>{link(i, n, farm.port)}</loc><news:news><news:publication><news:name>Source {i}</news:name><news:language>en</news:language>"
        f"</news:publication><news:publication_date>{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(farm.published(i, n)))}</news:publication_date>"
        f"<news:title>{words(farm.seed, i, n, 9)} {i}-{n}</news:title></news:news></url>"
        for n in numbers
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
        f'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">{entries}</urlset>'
    ).encode()


def spoiled(body: bytes, i: int) -> bytes:
    match i % 3:
        case 0:
            return body[: -len(b"</channel></rss>")]
        case 1:
            return body.replace(b"<description>farm<", b"<description>farm & sons<", 1)
        case _:
            return body.replace(b'encoding="UTF-8"', b'encoding="windows-1251"', 1)


class Server:
    """Answers, and counts how it was asked."""

    def __init__(self, farm: Farm):
        self.farm = farm
        self.n_by_kind: dict[str, int] = dict.fromkeys(KINDS, 0)
        self.n_304 = 0
        self.n_429 = 0
        self.n_pages = 0
        self.n_other = 0
        self.began: dict[int, float] = {}
        self.at_once: dict[int, int] = {}
        self.most_at_once = 0
        self.shortest_s = math.inf
        self.asked: dict[int, int] = {}

    async def answer(self, i: int, path: str, headers: dict[str, str], writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection stays."""
        farm, now = self.farm, time.time()
        if path == "/__farm__":
            write(writer, 200, json.dumps(self.report()).encode(), "application/json")
            return True
        if not 0 <= i < farm.n:
            write(writer, 404, b"")
            return True
        kind = str(farm.kinds[i])
        self._note(i, kind, path, now)
        self.at_once[i] = self.at_once.get(i, 0) + 1
        if kind != "hanging":  # whoever gave up on one is not counted out
            self.most_at_once = max(self.most_at_once, self.at_once[i])
        try:
            return await self._say(i, kind, path, headers, writer, now)
        finally:
            self.at_once[i] -= 1

    def _note(self, i: int, kind: str, path: str, now: float) -> None:
        if path.startswith("/post/"):
            self.n_pages += 1
        elif path in ("/feed", "/sitemap-news.xml", "/new/feed"):
            self.n_by_kind[kind] += 1
        else:
            self.n_other += 1
        self.asked[i] = self.asked.get(i, 0) + 1

    async def _say(
        self, i: int, kind: str, path: str, headers: dict[str, str], writer: asyncio.StreamWriter, now: float
    ) -> bool:
        farm = self.farm
        if path.startswith("/post/") and path[6:].isdigit():
            n = int(path[6:])
            title = words(farm.seed, i, n, 7).capitalize()
            body = f"<html><head><title>{title} {i}-{n}</title></head><body><article><h1>{title} {i}-{n}</h1><p>{words(farm.seed, i, n, 200)}</p></article></body></html>"
            write(writer, 200, body.encode(), "text/html; charset=utf-8")
            return True
        if path not in ("/feed", "/new/feed", "/sitemap-news.xml"):
            write(writer, 404, b"no such page")
            return True
        before, self.began[i] = self.began.get(i), now
        if before is not None and path == "/feed":
            self.shortest_s = min(self.shortest_s, now - before)
        match kind:
            case "hanging":
                await asyncio.sleep(600)
                return False
            case "gone":
                write(writer, 410, b"")
                return True
            case "failing":
                write(writer, 500, b"")
                return True
            case "nonsense":
                write(writer, 200, b"<html><body>This domain is for sale</body></html>", "text/html")
                return True
            case "huge":
                return await self._flood(writer)
            case "unwell" if self.asked[i] % 4 == 0:
                write(writer, 503, b"", extra="Retry-After: 30\r\n")
                return True
            case "limited" if before is not None and now - before < 120:
                self.n_429 += 1
                write(writer, 429, b"", extra="Retry-After: 120\r\n")
                return True
            case "moved" if path == "/feed":
                write(writer, 301, b"", extra="Location: /new/feed\r\n")
                return True
            case "elsewhere" if path == "/feed":
                write(writer, 302, b"", extra="Location: /new/feed\r\n")
                return True
            case "slow":
                await asyncio.sleep(2 + 6 * phase(farm.seed, i))
        numbers = farm.visible(i, time.time())
        etag = '"same"' if kind == "lying" else f'"{i}-{numbers[0] if numbers else 0}"'
        if kind not in ("bare", "lying", "broken") and headers.get("if-none-match") == etag:
            self.n_304 += 1
            write(writer, 304, b"", extra=f"ETag: {etag}\r\n")
            return True
        body = news_sitemap(farm, i, numbers) if kind == "news_sitemap" else feed(farm, i, numbers)
        extra = "" if kind == "bare" else f"ETag: {etag}\r\n"
        if kind == "lying":
            extra += "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
        if kind == "broken":
            body = spoiled(body, i)
        if kind == "packed":
            body, extra = gzip.compress(body, 1), extra + "Content-Encoding: gzip\r\n"
        if kind == "dripping":
            return await self._drip(writer, body)
        write(writer, 200, body, "application/rss+xml", extra)
        return True

    async def _flood(self, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nConnection: close\r\n\r\n<rss><channel>")
        for _ in range(1024):
            writer.write(b"<item><title>all the same</title></item>" * 1600)
            await writer.drain()
        return False

    async def _drip(self, writer: asyncio.StreamWriter, body: bytes) -> bool:
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        step = max(1, len(body) // 20)
        for at in range(0, len(body), step):
            writer.write(body[at : at + step])
            await writer.drain()
            await asyncio.sleep(0.2)
        return True

    def report(self) -> dict[str, Any]:
        counts = np.array(list(self.asked.values()) or [0])
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "requests": int(counts.sum()),
            "by_kind": self.n_by_kind,
            "not_modified": self.n_304,
            "refused_as_too_many": self.n_429,
            "pages": self.n_pages,
            "other": self.n_other,
            "sources_asked": len(self.asked),
            "most_at_once": self.most_at_once,
            "shortest_between_s": None if math.isinf(self.shortest_s) else round(self.shortest_s, 1),
            "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        }


REASONS = {
    200: "OK",
    301: "Moved Permanently",
    302: "Found",
    304: "Not Modified",
    404: "Not Found",
    410: "Gone",
    429: "Too Many Requests",
}


def write(writer: asyncio.StreamWriter, status: int, body: bytes, kind: str = "text/plain", extra: str = "") -> None:
    head = f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    writer.write(head.encode() + body)


def number_of(address: str) -> int:
    """Return the source whose address a connection came in on."""
    _, middle, third, low = (int(part) for part in address.split("."))
    return ((middle - 1) * 250 + third) * 250 + low - 1


async def serve(farm: Farm, down: Callable[[], str] = lambda: "") -> None:
    """Serve until interrupted; ``down`` says how the network is away: ``refused``, ``silent`` or not at all."""
    server = Server(farm)

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        i = number_of(writer.get_extra_info("sockname")[0])
        with contextlib.suppress(
            ConnectionError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            TimeoutError,
            asyncio.CancelledError,
        ):
            while True:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 120)
                first, *rest = head.decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in rest if line)}
                path = first.split(" ")[1].partition("?")[0]
                if down() == "refused":
                    writer.transport.abort()
                    return
                while down():
                    await asyncio.sleep(5)
                stays = await server.answer(i, path, headers, writer)
                await writer.drain()
                if not stays or headers.get("connection", "").lower() == "close":
                    break
        writer.close()

    listening = await asyncio.start_server(connection, "0.0.0.0", farm.port, backlog=4096)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    print(json.dumps({"sources": farm.n, "port": farm.port, "start": farm.start}), flush=True)
    async with listening:
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=60_000)
    parser.add_argument("--port", type=int, default=8700)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--start", type=float, default=None, help="Unix time at which the sources' calendar begins; now if left out"
    )
    parser.add_argument("--list", action="store_true", help="print the addresses instead, one a line")
    given = parser.parse_args()
    farm = make_farm(given.sources, seed=given.seed, start=given.start or time.time(), port=given.port)
    if given.list:
        for i in itertools.islice(range(farm.n), farm.n):
            print(farm.address(i))
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    asyncio.run(serve(farm))


if __name__ == "__main__":
    main()

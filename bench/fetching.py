"""Fetches per CPU-second beside Scrapy and a feedparser poller: `python bench/fetching.py [--hosts 6000] [--write]`.

One server process answers every client, in the same run, on all of 127.0.0.0/8: each source has an IP address of its own. Each
client is a process of its own and counts its own CPU time from the first request to the last answer; the server's is told apart.
The feed has 20 posts (12 kB), sent plain.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).parents[1] / "docs" / "figures" / "fetching.md"
POST = "<item><title>Title {0}</title><link>http://example.kz/post/{0}</link><guid>{0}</guid><pubDate>Sat, 28 Nov 2026 05:00:00 GMT</pubDate><description>{1}</description></item>"  # fmt: skip
FEED = (
    '<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><link>http://example.kz/</link><description>x</description>'
    + "".join(POST.format(i, "words of a post " * 25) for i in range(20))
    + "</channel></rss>"
).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nETag: \"1\"\r\nContent-Length: %d\r\n\r\n" % len(FEED) + FEED  # fmt: skip
PARALLEL = 256


def host(i: int) -> str:
    return f"127.{1 + i // 62500}.{i // 250 % 250}.{i % 250 + 1}"


class Served(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER)  # a request of ours and theirs fits one segment


def serve(port: Any, cpu: Any) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Served, "0.0.0.0", 0, backlog=4096)
        port.value = server.sockets[0].getsockname()[1]
        while True:
            await asyncio.sleep(0.05)
            cpu.value = time.process_time()

    asyncio.run(main())


def by_bastau(urls: list[str], parse: Callable[[bytes], Any] | None = None) -> dict[str, Any]:
    from bastau.collect.visits import FetchFailed, Request
    from bastau.collect.web.fetching import open_web
    from bastau.settings import Network, Settings

    async def main() -> dict[str, Any]:
        async with open_web(Settings(network=Network(allow_private=True, parallel=PARALLEL))) as web:
            n, waiting = 0, iter(urls)

            async def work() -> None:
                nonlocal n
                for url in waiting:
                    try:
                        answer = await web.fetch(Request(url))
                    except FetchFailed:
                        continue
                    if parse is not None:
                        parse(answer.body)
                    n += len(answer.body) == len(FEED)

            start, before = time.perf_counter(), time.process_time()
            await asyncio.gather(*(work() for _ in range(PARALLEL)))
            return {
                "n": n,
                "cpu_s": time.process_time() - before,
                "s": time.perf_counter() - start,
                "most": web.most_at_once,
            }

    return asyncio.run(main())


def by_bastau_parsing(urls: list[str]) -> dict[str, Any]:
    from bastau.collect.articles.feeds import read_feed

    return by_bastau(urls, lambda body: read_feed(body, "http://example.kz/feed"))


def by_scrapy(urls: list[str]) -> dict[str, Any]:
    import scrapy
    from scrapy.crawler import CrawlerProcess

    seen: dict[str, Any] = {"n": 0}

    class Spider(scrapy.Spider):
        name = "feeds"
        start_urls = urls

        async def start(self) -> Any:
            seen["start"], seen["before"] = time.perf_counter(), time.process_time()
            for url in urls:
                yield scrapy.Request(url, dont_filter=True)

        def parse(self, response: Any) -> None:
            seen["n"] += len(response.body) == len(FEED)
            seen["s"], seen["cpu_s"] = time.perf_counter() - seen["start"], time.process_time() - seen["before"]

    settings = {
        "LOG_ENABLED": False, "TELNETCONSOLE_ENABLED": False, "ROBOTSTXT_OBEY": False, "COOKIES_ENABLED": False, "RETRY_ENABLED": False,
        "CONCURRENT_REQUESTS": PARALLEL, "CONCURRENT_REQUESTS_PER_DOMAIN": 1, "DOWNLOAD_DELAY": 0,
    }  # fmt: skip
    process = CrawlerProcess(settings, install_root_handler=False)
    process.crawl(Spider)
    process.start()
    return seen


def by_requests(urls: list[str]) -> dict[str, Any]:
    import requests

    def get(url: str) -> bool:
        return len(requests.get(url, timeout=30).content) == len(FEED)

    return by_threads(get, urls)


def by_feedparser(urls: list[str]) -> dict[str, Any]:
    """As Media Cloud's rss-fetcher: requests, then feedparser, in many workers (threads here)."""
    import feedparser
    import requests

    def poll(url: str) -> bool:
        answer = requests.get(url, timeout=30)
        return len(feedparser.parse(answer.text).entries) == 20

    return by_threads(poll, urls)


def by_threads(get: Callable[[str], bool], urls: list[str]) -> dict[str, Any]:
    start, before = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(32) as threads:
        n = sum(threads.map(get, urls))
    return {"n": n, "cpu_s": time.process_time() - before, "s": time.perf_counter() - start}


CLIENTS: dict[str, Callable[[list[str]], dict[str, Any]]] = {
    "bastau": by_bastau,
    "bastau, entries read as posts": by_bastau_parsing,
    "Scrapy": by_scrapy,
    "requests": by_requests,
    "requests, parsed by feedparser (rss-fetcher)": by_feedparser,
}


def run(name: str, urls: list[str], out: Any) -> None:
    warnings.simplefilter("ignore")  # Scrapy warns of its own settings
    seen = CLIENTS[name](urls)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out.send(json.dumps({key: seen.get(key, 0) for key in ("n", "s", "cpu_s", "most")} | {"peak_mib": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--many", type=int, default=0, help="hosts of one further run of bastau")
    parser.add_argument("--only", default="", help="clients whose name contains this")
    parser.add_argument("--slow-hosts", type=int, default=1500, help="hosts for clients that parse or use threads")
    parser.add_argument("--write", action="store_true", help=f"write {FIGURES.name}")
    args = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    port, cpu = spawn.Value("i", 0), spawn.Value("d", 0.0)
    server = spawn.Process(target=serve, args=(port, cpu), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.05)
    seen: dict[str, list[dict[str, float]]] = {}
    try:
        rounds = [(name, name, args.hosts) for _ in range(args.rounds) for name in CLIENTS]
        rounds += [(f"bastau, {args.many:,} hosts", "bastau", args.many)] if args.many else []
        for title, name, hosts in rounds:
            if args.only not in name:
                continue
            n = hosts if name in ("bastau", "Scrapy") else min(hosts, args.slow_hosts)
            urls = [f"http://{host(i)}:{port.value}/feed" for i in range(n)]
            before = cpu.value
            ours, theirs = spawn.Pipe()
            client = spawn.Process(target=run, args=(name, urls, theirs))
            client.start()
            theirs.close()
            found = json.loads(ours.recv())
            client.join()
            time.sleep(0.1)
            found |= {"asked": n, "server_s": cpu.value - before}
            seen.setdefault(title, []).append(found)
            print(title, found, flush=True)
    finally:
        server.terminate()
        server.join()
    lines = [
        "| client | hosts | answers | fetches per CPU-second | fetches/s | peak MiB | server, CPU-seconds |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, runs in seen.items():
        rates = sorted(r["n"] / r["cpu_s"] for r in runs)
        middle = statistics.median(rates)
        lines.append(
            f"| {name} | {runs[0]['asked']} | {min(r['n'] for r in runs)} | {middle:.0f} ({rates[0]:.0f} to {rates[-1]:.0f}) "
            f"| {statistics.median(r['n'] / r['s'] for r in runs):.0f} | {max(r['peak_mib'] for r in runs):.0f} "
            f"| {statistics.median(r['server_s'] for r in runs):.1f} |"
        )
    print("\n".join(lines))
    if args.write:
        text = f"# Fetching\n\n`python bench/fetching.py --hosts {args.hosts} --rounds {args.rounds} --many {args.many}`: {__doc__.split(chr(10), 2)[2].strip()}\n\nMedian of {args.rounds} runs (lowest to highest).\n\n"
        FIGURES.write_text(text + "\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()

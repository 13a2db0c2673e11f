"""How fast the workbench answers over a real socket: docs/figures/pages.md.

    python bench/pages.py [--home DIR] [--posts 1000000] [--analysts 50] [--minutes 10] [--people 1 8] [--each 60]

Without --home, invented posts are imported and processed first (an hour for a million). A real `bastau serve` is asked twice:

- by analysts, each signed in, who read a page for 10 s in the mean (exponential) and ask for the next: narratives by their size
  (Zipf) and one in four at random, searches for one or two words out of posts, what *Today* shows, publishers, posts;
- by people who ask without a pause for pages that were not asked for before, so that what is kept in memory helps nobody.
"""

import argparse
import http.client
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import duckdb

from bastau.hashing import format_id
from bastau.home import Home

OUT = Path(__file__).parents[1] / "docs" / "figures" / "pages.md"
BASTAU = Path(sys.executable).with_name("bastau")
PASSWORD = "nineteen letters long"
TARGETS_MS = {"search": 700}
TARGET_MS = 300
KINDS = ("today", "search", "narrative", "source", "post", "sources")
THINK_S = 10
MIX = {"narrative": 0.34, "search": 0.22, "today": 0.14, "post": 0.14, "source": 0.12, "sources": 0.04}
"""Shares of what analysts ask for."""


@dataclass
class Said:
    """Milliseconds by kind of page, and what failed."""

    took: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    failed: list[str] = field(default_factory=list)

    def ask(self, browser: "Browser", kind: str, address: str) -> None:
        start = time.perf_counter()
        try:
            status, _ = browser.ask(address)
        except OSError as error:
            status = type(error).__name__
        self.took[kind].append((time.perf_counter() - start) * 1000)
        if status != 200:
            self.failed.append(f"{status} {address}")


class Browser:
    """One person's connection, signed in."""

    def __init__(self, port: int):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.cookies: dict[str, str] = {}
        _, page = self.ask("/sign-in")
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page)[1]
        status, _ = self.ask("/sign-in", {"name": "bench", "password": PASSWORD, "csrfmiddlewaretoken": token})
        assert status == 302, status

    def ask(self, address: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request("GET" if form is None else "POST", address, form and urlencode(form), headers)
        answer = self.connection.getresponse()
        body = answer.read().decode()
        for line in answer.headers.get_all("Set-Cookie") or ():
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return answer.status, body


class Work:
    """What analysts ask for."""

    def __init__(self, home: Home):
        con = home.connect()
        self.narratives = column(con, "select narrative_id from narratives order by n_posts desc, narrative_id")
        self.sources = column(con, "select source from posts where is_publisher group by 1 order by count(*) desc, 1")
        self.posts = column(con, "select post_key from posts using sample 20000 rows (reservoir, 3)")
        self.texts = column(con, "select folded from readings where n_words > 5 using sample 5000 rows (reservoir, 3)")

    def next(self, dice: random.Random) -> tuple[str, str]:
        """Return a kind of page and an address."""
        [kind] = dice.choices(list(MIX), list(MIX.values()))
        match kind:
            case "narrative":
                return kind, f"/narrative/{self._one_of(self.narratives, dice)}"
            case "source":
                return kind, f"/source/{quote(self._one_of(self.sources, dice), safe='')}"
            case "post":
                return kind, f"/post/{format_id('p', int(dice.choice(self.posts)))}"
            case "search":
                words = dice.sample(dice.choice(self.texts).split(), dice.choice((1, 1, 2)))
                return kind, f"/search?{urlencode({'q': ' '.join(words)})}"
            case "today":
                return kind, dice.choice(("/", "/", "/?days=7", "/?days=30"))
        return kind, "/sources"

    def _one_of(self, ranked: Sequence[str], dice: random.Random) -> str:
        if dice.random() < 0.25:
            return dice.choice(ranked)
        return ranked[min(len(ranked) - 1, int(len(ranked) ** dice.random()) - 1)]


def column(con: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    return [str(row[0]) for row in con.execute(sql).fetchall()]


def analyst(browser: Browser, work: Work, seed: int, until: float, said: Said) -> None:
    dice = random.Random(seed)
    while (pause := dice.expovariate(1 / THINK_S)) + time.monotonic() < until:
        time.sleep(pause)
        said.ask(browser, *work.next(dice))


def addresses(home: Home, each: int, part: int, parts: int) -> dict[str, list[str]]:
    """Return the addresses of each kind of page that person ``part`` of ``parts`` asks for; no two share one."""
    con = home.connect()

    def some(sql: str) -> list[str]:
        return column(con, sql)[part::parts][:each]

    words = some(
        "select word from (select unnest(string_split(folded, ' ')) as word from readings using sample 20000 rows (system, 5)) "
        "where length(word) > 4 group by 1 order by hash(word)"
    )
    posts = some("select post_key from posts order by hash(post_key) limit 5000")
    sources = some("select source from posts where is_publisher group by 1 order by count(*) desc")
    return {
        "today": ["/", "/?days=7", "/?days=30"] * max(1, each // 3),
        "search": [f"/search?q={quote(word)}" for word in words],
        "narrative": [f"/narrative/{n}" for n in some("select narrative_id from narratives order by n_posts desc")],
        "source": [f"/source/{quote(name, safe='')}" for name in sources],
        "post": [f"/post/{format_id('p', int(key))}" for key in posts],
        "sources": ["/sources"] * each,
    }


def person(browser: Browser, wanted: dict[str, list[str]], said: Said) -> None:
    for kind, asked in wanted.items():
        for address in asked:
            said.ask(browser, kind, address)


@dataclass(frozen=True)
class Measured:
    """What pages took, and what serving them took of the machine while it was asked."""

    said: Said
    first_ms: float
    seconds: float
    server_s: float
    others_s: float
    peak_bytes: int
    load: float


def measure(home: Home, people: Sequence[Callable[[Browser, Said], None]]) -> Measured:
    """Start a server, let all of ``people`` sign in, then ask at the same time."""
    said = Said()
    command = [BASTAU, "serve", "--home", home.folder, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(re.search(r"127.0.0.1:(\d+)", server.stdout.readline())[1])
            start = time.perf_counter()
            browsers = [Browser(port)]
            browsers[0].ask("/")
            first = (time.perf_counter() - start) * 1000
            browsers += [Browser(port) for _ in people[1:]]
            before, start = (cpu_s(server.pid), *busy_s()), time.monotonic()
            threads = [
                threading.Thread(target=ask, args=(browser, said))
                for ask, browser in zip(people, browsers, strict=True)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            after, seconds = (cpu_s(server.pid), *busy_s()), time.monotonic() - start
            server_s, own_s, all_s = (b - a for a, b in zip(before, after, strict=True))
            peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())[1]) * 1024
        finally:
            server.terminate()
    return Measured(said, first, seconds, server_s, all_s - server_s - own_s, peak, os.getloadavg()[1])


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_s() -> tuple[float, float]:
    """Return the seconds of processors that this process, and that all together, have used."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return time.process_time(), (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def at_share(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def table(head: str, made: Measured) -> list[str]:
    said = made.said
    print("\n".join(said.failed[:5]))
    lines = [
        "",
        f"## {head}",
        "",
        f"First page after a start: {made.first_ms:,.0f} ms. Failed: {len(said.failed)} of {sum(map(len, said.took.values())):,}. "
        f"Server: {made.server_s / made.seconds:.2f} cores, at most {made.peak_bytes / 2**30:.2f} GiB. "
        f"Others: {made.others_s / made.seconds:.2f} cores, load average {made.load:.1f}.",
        "",
        "| page | asked | median | p95 | p99 | longest | target p95 |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, values in said.took.items():
        shown = " | ".join(f"{v:,.0f}" for v in (*(at_share(values, q) for q in (0.5, 0.95, 0.99)), max(values)))
        lines.append(f"| {kind} | {len(values)} | {shown} | {TARGETS_MS.get(kind, TARGET_MS)} |")
    return lines


def make_home(folder: Path, n_posts: int) -> Path:
    for arguments in (
        ["simulate", "-o", folder / "sim", "--posts", str(n_posts)],
        ["import", folder / "sim" / "posts.ndjson", "--home", folder / "home"],
        ["run", "--home", folder / "home"],
    ):
        subprocess.run([BASTAU, *map(str, arguments), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return folder / "home"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--analysts", type=int, default=50, help="0: none")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--people", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--each", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = Home.open(options.home or make_home(Path(temporary), options.posts))
        secret = Path(temporary) / "password"
        secret.touch(0o600)
        secret.write_text(PASSWORD)
        add = [BASTAU, "user", "add", "bench", "--role", "analyst", "--home", home.folder, "--password-file", secret]
        subprocess.run(add, check=False, capture_output=True)
        subprocess.run([BASTAU, "user", "enable", "bench", "--home", home.folder], check=True, capture_output=True)
        con = home.connect()
        n_posts, n_narratives = (
            con.execute(f"select count(*) from {t}").fetchall()[0][0] for t in ("posts", "narratives")
        )
        con.close()
        lines = [
            "# Pages of the workbench",
            "",
            f"{n_posts:,} invented posts, {n_narratives:,} narratives; {os.cpu_count()} cores. Made by `python {' '.join(sys.argv)}`; "
            "milliseconds over a socket. *Others* is what other processes used of the machine meanwhile.",
        ]
        if options.analysts:
            work = Work(home)
            until = options.minutes * 60
            asking = [
                lambda browser, said, seed=seed: analyst(browser, work, seed, time.monotonic() + until, said)
                for seed in range(options.analysts)
            ]
            head = f"{options.analysts} analysts for {options.minutes:g} minutes, a page each {THINK_S} s in the mean"
            lines += table(head, measure(home, asking))
        for people in options.people:
            wanted = [addresses(home, options.each, part, people) for part in range(people)]
            asking = [lambda browser, said, one=one: person(browser, one, said) for one in wanted]
            head = f"{people} at a time without a pause" if people > 1 else "One person without a pause"
            lines += table(f"{head}, each page for the first time", measure(home, asking))
        # Its password stands above: in a home that stays it must open nothing.
        subprocess.run([BASTAU, "user", "disable", "bench", "--home", home.folder], check=True, capture_output=True)
        OUT.write_text("\n".join(lines) + "\n", "utf-8")
        print("\n".join(lines))


if __name__ == "__main__":
    main()

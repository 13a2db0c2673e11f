"""How fast the workbench answers over a real socket: docs/figures/pages.md.

    python bench/pages.py [--home DIR] [--posts 200000] [--people 1 8] [--each 60]

Without --home, invented posts are imported and processed first. A real `bastau serve` is asked for pages that were not asked
for before (narratives, publishers, posts and words differ from request to request), so that what it keeps in memory helps only
where it helps people: *Today* and *Sources* are asked for again and again.
"""

import argparse
import http.client
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlencode

from bastau.hashing import format_id
from bastau.home import Home

OUT = Path(__file__).parents[1] / "docs" / "figures" / "pages.md"
BASTAU = Path(sys.executable).with_name("bastau")
PASSWORD = "nineteen letters long"
TARGETS_MS = {"search": 700}
TARGET_MS = 300


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


def addresses(home: Home, each: int, part: int, parts: int) -> dict[str, list[str]]:
    """Return the addresses of each kind of page that person ``part`` of ``parts`` asks for; no two share one."""
    con = home.connect()

    def some(sql: str) -> list[str]:
        return [str(row[0]) for row in con.execute(sql).fetchall()][part::parts][:each]

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


def person(port: int, wanted: dict[str, list[str]], took: dict[str, list[float]], failed: list[str]) -> None:
    browser = Browser(port)
    for kind, asked in wanted.items():
        for address in asked:
            start = time.perf_counter()
            status, _ = browser.ask(address)
            took[kind].append((time.perf_counter() - start) * 1000)
            if status != 200:
                failed.append(f"{status} {address}")


def measure(home: Home, people: int, each: int) -> tuple[dict[str, list[float]], list[str], float]:
    """Return milliseconds by kind of page, failures, and the first page after a start."""
    took: dict[str, list[float]] = {kind: [] for kind in ("today", "search", "narrative", "source", "post", "sources")}
    failed: list[str] = []
    wanted = [addresses(home, each, part, people) for part in range(people)]
    command = [BASTAU, "serve", "--home", home.folder, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(re.search(r"127.0.0.1:(\d+)", server.stdout.readline())[1])
            start = time.perf_counter()
            Browser(port).ask("/")
            first = (time.perf_counter() - start) * 1000
            threads = [threading.Thread(target=person, args=(port, one, took, failed)) for one in wanted]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            server.terminate()
    return took, failed, first


def at_share(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


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
    parser.add_argument("--posts", type=int, default=200_000)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 8])
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
        lines = [
            "# Pages of the workbench",
            "",
            f"{n_posts:,} invented posts, {n_narratives:,} narratives; {os.cpu_count()} cores "
            f"(load before the start {os.getloadavg()[0]:.1f}). Made by `python bench/pages.py`; milliseconds, over a socket, each narrative, "
            "publisher, post and search asked for once.",
        ]
        for people in options.people:
            took, failed, first = measure(home, people, options.each)
            lines += [
                "",
                f"## {people} at a time" if people > 1 else "## One person",
                "",
                f"First page after a start: {first:,.0f} ms. Failed: {len(failed)}.",
                "",
                "| page | asked | median | p95 | longest | target p95 |",
                "|---|---|---|---|---|---|",
            ]
            for kind, values in took.items():
                shown = " | ".join(f"{v:,.0f}" for v in (at_share(values, 0.5), at_share(values, 0.95), max(values)))
                lines.append(f"| {kind} | {len(values)} | {shown} | {TARGETS_MS.get(kind, TARGET_MS)} |")
            print("\n".join(failed[:5]))
        # Its password stands above: in a home that stays it must open nothing.
        subprocess.run([BASTAU, "user", "disable", "bench", "--home", home.folder], check=True, capture_output=True)
        OUT.write_text("\n".join(lines) + "\n", "utf-8")
        print("\n".join(lines))


if __name__ == "__main__":
    main()

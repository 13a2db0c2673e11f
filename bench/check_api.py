"""The check API through its socket: texts a second and how long answers take, one text and twenty at a time, a million entries listed.

Usage: python bench/check_api.py [--entries 1000000] [--seconds 20] [--peer PYTHON] [--figures docs/figures/check_api.md]

Also texts made to be slow, without server. Server and clients share the machine's cores. Texts are real posts (../shared/data, or $BASTAU_SHARED_DATA) with addresses; one in a hundred
holds something that is listed. ``--peer``: a Python that has threatexchange, for the same look-ups in its own process.
"""

import argparse
import hashlib
import http.client
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent)]

from known import put  # noqa: E402
from make_posts import invented_texts, real_texts  # noqa: E402

from bastau.checks import check_rows, open_checker  # noqa: E402
from bastau.home import Home  # noqa: E402
from bastau.known_lists.commands import store_of  # noqa: E402
from bastau.known_lists.formats import ListedItem  # noqa: E402
from bastau.known_lists.store import ListInfo  # noqa: E402
from bastau.read.rules.finding import finder  # noqa: E402

MAKE_KEY = """
import sys
from pathlib import Path
from bastau.home import Home
from bastau_web.workbench.commands import _open
_open(Home.open(Path(sys.argv[1])), "127.0.0.1")
from bastau_web.check_api.keys import make_key
print(make_key("bench", 10**9, 10**9, None, None)[1])
"""
N_TEXTS = 20_000


def entries(n: int, texts: list[str], dice: random.Random) -> Iterator[tuple[str, str]]:
    """Yield (signal, value): of ten, six addresses, two file hashes, a picture and a text."""
    vocabulary = sorted({word for text in texts[:5000] for word in text.split()})
    for i in range(n):
        match i % 10:
            case 0 | 1 | 2 | 3 | 4 | 5:
                yield "url", address(i)
            case 6:
                yield "sha256", hashlib.sha256(f"s{i}".encode()).hexdigest()
            case 7:
                yield "md5", hashlib.md5(f"m{i}".encode()).hexdigest()
            case 8:
                yield "pdq", hashlib.sha256(f"p{i}".encode()).hexdigest()
            case _:
                yield "text", f"{i:x} " + " ".join(dice.choices(vocabulary, k=30))


def address(i: int) -> str:
    return f"https://listed-{i % 50_021}.example/page/{i}"


def make_home(folder: Path, n: int, texts: list[str], dice: random.Random) -> tuple[Home, list[str]]:
    """Return a home with one list of ``n`` entries, and some texts of the list."""
    home = Home.open(folder / "home", create=True)
    listed = list(entries(n, texts, dice))
    items = (ListedItem(signal, value, None, False, None) for signal, value in listed)
    info = ListInfo("bench", ground="bench")
    store_of(home).update(info, items, now=datetime.now(UTC), whole=True, provenance=lambda: {"from": "bench"})
    return home, [value for signal, value in listed if signal == "text"][:1000]


def items(texts: list[str], known: list[str], n_listed: int, dice: random.Random) -> list[dict]:
    """Return what is asked: real texts, two of five with an address; one in a hundred repeats something listed."""
    made = []
    for i in range(N_TEXTS):
        item = {"id": str(i), "text": dice.choice(texts)[:4000]}
        if dice.random() < 0.4:
            item["url"] = f"https://site-{dice.randrange(10**6)}.example/{dice.randrange(10**6)}"
        if dice.random() < 0.01:
            if dice.random() < 0.5:
                item["text"] += " " + dice.choice(known)
            else:
                item["url"] = address(10 * dice.randrange(n_listed // 10))
        made.append(item)
    return made


class Asking(threading.Thread):
    """One connection that stays open and asks one request after the other, or at its times."""

    def __init__(self, port: int, token: str, bodies: list[bytes], until: float, every_s: float | None, first: float):
        super().__init__(daemon=True)
        self.port, self.token, self.bodies, self.until = port, token, bodies, until
        self.every_s, self.first = every_s, first
        self.took: list[float] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.connect()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        due, n = self.first, 0
        while (now := time.perf_counter()) < self.until:
            if self.every_s is not None:
                if due > now:
                    time.sleep(due - now)
                began, due = due, due + self.every_s  # a late request has waited since it was due
            else:
                began = now
            connection.request("POST", "/api/v1/check", self.bodies[n % len(self.bodies)], headers)
            with connection.getresponse() as answer:
                raw = answer.read()
                assert answer.status == 200, raw[:200]
            n += 1
            self.took.append(time.perf_counter() - began)


def ask(
    port: int, token: str, asked: list[dict], batch: int, n_connections: int, seconds: float, rate: float | None
) -> list:
    """Ask for ``seconds``; return [batch, connections, wanted texts/s, texts/s, p50, p99, worst in ms, texts]."""
    bodies = [json.dumps(asked[i : i + batch]).encode() for i in range(0, len(asked) - batch, batch)]
    if batch == 1:
        bodies = [json.dumps(item).encode() for item in asked]
    start = time.perf_counter() + 0.2
    every = None if rate is None else n_connections * batch / rate
    threads = [
        Asking(port, token, bodies[k::n_connections], start + seconds, every, start + (every or 0) * k / n_connections)
        for k in range(n_connections)
    ]
    time.sleep(0.2)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = np.array([t for thread in threads for t in thread.took]) * 1000
    spent = time.perf_counter() - start
    return [
        batch,
        n_connections,
        rate,
        len(took) * batch / spent,
        *np.percentile(took, [50, 99]),
        took.max(),
        len(took) * batch,
    ]


CLIENT = "import sys, json; sys.path[:0] = [sys.argv[1]]; import check_api as b; print(json.dumps(b.ask(*json.load(sys.stdin))))"


def ask_apart(*arguments: object) -> list:
    """Run :func:`ask` in a process of its own, so that clients and figures share no lock with anything."""
    command = [sys.executable, "-c", CLIENT, str(Path(__file__).parent)]
    said = subprocess.run(command, input=json.dumps(arguments), capture_output=True, text=True, check=True)
    return json.loads(said.stdout.splitlines()[-1])


def cpu_s(pid: int) -> float:
    """Return the seconds of CPU that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_s() -> float:
    """Return the seconds of CPU that all processes of the machine have had."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def children_s() -> float:
    """Return the seconds of CPU that ended processes of ours have had."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def in_process(home: Home, asked: list[dict], seconds: float) -> list[tuple[int, float]]:
    """Return (texts a call, texts/s) of the engine itself, without server."""
    checker = open_checker(home)
    found = []
    for batch in (1, 20, 256):
        check_rows(asked[:batch], checker)
        n, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            check_rows(asked[n % (N_TEXTS - batch) :][:batch], checker)
            n += batch
        found.append((batch, n / (time.perf_counter() - start)))
    return found


PEER = """
import hashlib, importlib.metadata, json, random, sys, time
from threatexchange.signal_type.url import URLSignal
from threatexchange.signal_type.md5 import VideoMD5Signal
from threatexchange.signal_type.pdq.signal import PdqSignal
from threatexchange.signal_type.raw_text import RawTextSignal
n, seconds, texts = json.load(sys.stdin)
def hashed(f, i): return f(str(i).encode()).hexdigest()
sets = {
    "url": (URLSignal, [f"https://listed-{i % 50021}.example/page/{i}" for i in range(n)], lambda i: f"https://site-{i}.example/{i}"),
    "md5": (VideoMD5Signal, [hashed(hashlib.md5, i) for i in range(n)], lambda i: hashed(hashlib.md5, -i)),
    "pdq": (PdqSignal, [hashed(hashlib.sha256, i) for i in range(n // 10)], lambda i: hashed(hashlib.sha256, -i)),
    "raw_text": (RawTextSignal, texts[:1000], lambda i: texts[i % len(texts)]),
}
out = {"version": importlib.metadata.version("threatexchange")}
for name, (kind, listed, ask) in sets.items():
    index = kind.get_index_cls().build([(one, {}) for one in listed])
    k, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        index.query(ask(k + 1)); k += 1
    out[name] = [len(listed), k / (time.perf_counter() - start)]
print(json.dumps(out))
"""


def ours_alike(n: int, seconds: float, texts: list[str]) -> dict[str, float]:
    """Return look-ups a second for the same, one at a time, in this process."""
    import pyarrow as pa

    from bastau.known_lists.commands import find_hash
    from bastau.read.known import MatchKnown
    from bastau.read.known_index import ENTRIES, KnownList, index_of

    def opened(signal: str, values: list[str]):
        now = datetime.now(UTC)
        rows = [
            {"entry_id": str(i), "signal": signal, "value": v, "note": None, "added_at": now, "deleted_at": None}
            for i, v in enumerate(values)
        ]
        return index_of([KnownList.of_entries("bench", pa.Table.from_pylist(rows, ENTRIES))]).load()

    def hashed(make, i: int) -> str:
        return make(str(i).encode()).hexdigest()

    def rate(act) -> float:
        act(1)
        k, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            act(k + 1)
            k += 1
        return k / (time.perf_counter() - start)

    found = {}
    urls = MatchKnown(opened("url", [address(i) for i in range(n)]))
    found["url"] = rate(lambda i: urls.find_urls([f"https://site-{i}.example/{i}"]))
    md5s = opened("md5", [hashed(hashlib.md5, i) for i in range(n)])
    found["md5"] = rate(lambda i: find_hash(md5s, "md5", hashed(hashlib.md5, -i)))
    pdqs = opened("pdq", [hashed(hashlib.sha256, i) for i in range(n // 10)])
    found["pdq"] = rate(lambda i: find_hash(pdqs, "pdq", hashed(hashlib.sha256, -i)))
    known = MatchKnown(opened("text", texts[:1000]))
    empty = {
        "media": pa.nulls(1, pa.list_(pa.struct([("url", pa.string()), ("sha256", pa.string()), ("pdq", pa.string())])))
    }
    from bastau.read.fold import fold_strings

    def text(i: int) -> None:
        folded = fold_strings(pa.array([texts[i % len(texts)]]))[0]
        known.run(
            pa.table(
                {"url": pa.nulls(1, pa.string()), **empty, "folded": folded, "urls": pa.nulls(1, pa.list_(pa.string()))}
            )
        )

    found["raw_text"] = rate(text)
    return found


def long_texts() -> list[tuple[str, list[float]]]:
    """Return (how it is made, seconds of CPU for 50,000 and 100,000 characters) of texts made to be slow, without lists."""
    pack = finder().pack
    examples = [text for rule in pack.rules for _, text, _ in (*rule.must_hit, *rule.must_not_hit)]
    words = sorted({word.strip(".,!?:;") for text in examples for word in text.split()})
    plain = " ".join(random.Random(2).choices(words, k=30_000))
    latin = str.maketrans("асеорхук", "aceopxyk")
    digits = str.maketrans("oeiaоз", "031403")
    made = {
        "the rules' own words, no full stop": plain,
        "the same in Latin look-alikes": plain.translate(latin),
        "the same with digits for letters": plain.translate(digits),
        "the same with a space after each letter": " ".join(plain),
    }
    checker = open_checker(None)
    check_rows([{"id": "", "text": plain[:1000]}], checker)
    found = []
    for name, text in made.items():
        took = []
        for n in (50_000, 100_000):
            start = time.process_time()
            check_rows([{"id": "", "text": text[:n]}], checker)
            took.append(time.process_time() - start)
        found.append((name, took))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--peer")
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    dice = random.Random(7)
    real = real_texts()
    kind = "invented" if real is None else "real"
    column = (invented_texts() if real is None else real).column("text")
    chosen = np.sort(np.random.default_rng(7).integers(0, len(column), N_TEXTS))
    texts = [text for text in column.take(chosen).to_pylist() if text and text.strip()]
    dice.shuffle(texts)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        home, known = make_home(Path(folder), options.entries, texts, dice)
        asked = items(texts, known, options.entries, dice)
        median = int(np.median([len(item["text"]) for item in asked]))
        lines += [
            f"{options.entries:,} listed entries; {kind} texts, of {median} characters in the middle; load of the machine at the start: {os.getloadavg()[0]:.1f}.",
            "",
        ]
        token = subprocess.run(
            [sys.executable, "-c", MAKE_KEY, str(home.folder)], capture_output=True, text=True, check=True
        ).stdout.strip()
        command = [str(Path(sys.executable).with_name("bastau")), "serve", "--home", str(home.folder), "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                port = int(re.search(r":(\d+)", server.stdout.readline())[1])
                ask_apart(port, token, asked[:500], 20, 4, 5.0, None)  # the lists are opened with the first request
                heads = ("texts a request", "connections", "asked for", "texts/s", "p50 ms", "p99 ms", "worst ms")
                lines += [
                    f"| {' | '.join(heads)} | server's CPU ms a text | cores busy with other work |",
                    "|" + "---:|" * (len(heads) + 2),
                ]
                for batch, n_connections, rate in (
                    (1, 1, None),
                    (1, 8, None),
                    (1, 32, None),
                    (1, 32, 500),
                    (1, 32, 1000),
                    (20, 1, None),
                    (20, 4, None),
                    (20, 4, 1000),
                    (20, 4, 2000),
                ):
                    before = cpu_s(server.pid), children_s(), busy_s(), time.perf_counter()
                    row = ask_apart(port, token, asked, batch, n_connections, options.seconds, rate)
                    ours, clients, busy, passed = (
                        now - then
                        for now, then in zip(
                            (cpu_s(server.pid), children_s(), busy_s(), time.perf_counter()), before, strict=True
                        )
                    )
                    cost = 1000 * ours / row[7]
                    wanted = f"{rate:,} a second" if rate else "as many as it gives"
                    cells = [
                        batch,
                        n_connections,
                        wanted,
                        f"{row[3]:,.0f}",
                        *(f"{value:.1f}" for value in row[4:7]),
                        f"{cost:.2f}",
                        f"{max(0.0, busy - ours - clients) / passed:.1f}",
                    ]
                    lines.append("| " + " | ".join(map(str, cells)) + " |")
                    print(lines[-1], flush=True)
                peak = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())[1]
                lines += ["", f"Peak memory of the server: {int(peak) >> 10} MiB.", ""]
            finally:
                server.terminate()
        lines += ["| the engine alone, texts a call | texts/s |", "|---:|---:|"]
        lines += [f"| {batch} | {rate:,.0f} |" for batch, rate in in_process(home, asked, options.seconds / 4)]
    if options.peer:
        ascii_texts = [text for text in texts if text.isascii()][:5000]  # its comparison of texts takes no others
        given = json.dumps([options.entries, options.seconds / 4, ascii_texts])
        said = subprocess.run([options.peer, "-c", PEER], input=given, capture_output=True, text=True, check=True)
        peer = json.loads(said.stdout.splitlines()[-1])
        ours = ours_alike(options.entries, options.seconds / 4, ascii_texts)
        lines += [
            "",
            f"| look-up, one at a time, no server | listed | bastau /s | threatexchange {peer['version']} /s |",
            "|---|---:|---:|---:|",
        ]
        names = ("url", "md5", "pdq", "raw_text")
        lines += [f"| {name} | {peer[name][0]:,} | {ours[name]:,.0f} | {peer[name][1]:,.0f} |" for name in names]
    lines += [
        "",
        "| one text made to be slow, CPU seconds | 50,000 characters | 100,000 |",
        "|---|---:|---:|",
        *(f"| {name} | {half:.1f} | {whole:.1f} |" for name, (half, whole) in long_texts()),
    ]
    print("\n".join(lines))
    if options.figures:
        put(options.figures, "check api", "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A week of watching with everything that goes wrong, in a few hundredths of the time; writes docs/figures/week.md.

    python bench/week.py [--days 7] [--sources 120] [--speed 400] [--seed 11] [--keep DIR]

Two real `bastau watch` processes share a list in a real PostgreSQL and watch the farm (bench/source_farm.py) over real sockets.
Only time is made: in the watchers and in the farm the clocks of Python run faster, and waiting for sockets takes as much less,
so that real work seems slow (a second of it takes minutes). The conductor kills, restarts, turns the watchers' wall clock,
fills the disk, takes the network, the names and the database away.

What must be true at the end follows from the farm's seed: every post that its source still shows is in the lake, once;
every post that is missing was published in a time that the lake reports as a gap of its place; no look claims that a post was
not there yet when it was.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import json
import random
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import source_farm

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "figures" / "week.md"
BEGIN = dt.datetime(2026, 11, 16, tzinfo=dt.UTC).timestamp()
HOUR = 3600.0
QUIET_H = 9.0
"""At the end nothing goes wrong for so long: longer than the longest back-off."""
PAD_S = 900.0
SETTINGS = """
[network]
allow_private = true
contact = "mailto:nobody@example.org"
[watch]
database = "{url}"
store_every_s = 240
"""
_monotonic, _select, _sleep = time.monotonic, selectors.DefaultSelector.select, time.sleep


@dataclass(frozen=True)
class Flight:
    """Made time: at ``began`` of the machine's monotonic clock it is BEGIN, and it runs ``speed`` times as fast."""

    began: float
    speed: float

    def now(self) -> float:
        return BEGIN + (_monotonic() - self.began) * self.speed


@dataclass
class Control:
    """What is wrong just now; a file that the children read."""

    path: Path
    network: str = ""
    has_names: bool = True
    offset_s: float = 0.0

    def write(self) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"network": self.network, "has_names": self.has_names, "offset_s": self.offset_s}))
        new.replace(self.path)


class Said:
    """The control file as a child reads it, at most every 20 ms."""

    def __init__(self, path: Path) -> None:
        self._path, self._read_at, self._value = path, 0.0, {"network": "", "has_names": True, "offset_s": 0.0}

    def __getitem__(self, name: str) -> Any:
        if _monotonic() - self._read_at > 0.02:
            self._read_at = _monotonic()
            self._value = json.loads(self._path.read_text())
        return self._value[name]


# ---- in the children ----------------------------------------------------------------------------------------


def fly(flight: Flight, said: Said | None) -> None:
    """Make the clocks of this process fast, and the wall clock of a watcher as wrong as ``said``."""

    def monotonic() -> float:
        return _monotonic() * flight.speed

    def wall() -> float:
        return flight.now() + (said["offset_s"] if said is not None else 0.0)

    def clock_gettime(clock: int) -> float:
        return wall() if clock == time.CLOCK_REALTIME else monotonic()

    class Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
        def select(self, timeout: float | None = None) -> Any:
            return super().select(timeout / flight.speed if timeout and timeout > 0 else timeout)

    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return asyncio.SelectorEventLoop(Selector())

    time.monotonic = time.perf_counter = monotonic
    time.time = wall
    time.clock_gettime = clock_gettime
    time.sleep = lambda s: _sleep(s / flight.speed)
    asyncio.set_event_loop_policy(Policy())


def farm_of(given: argparse.Namespace) -> source_farm.Farm:
    return source_farm.make_farm(given.sources, seed=given.seed, start=BEGIN, port=given.port)


def name_of(i: int) -> str:
    return f"source-{i}.test"


def address_of(farm: source_farm.Farm, i: int) -> str:
    """Return the address of a source, by a name of its own where the farm has a bare one."""
    return farm.address(i).replace(f"//{source_farm.host(i)}:", f"//{name_of(i)}:")


def serve(flight: Flight, said: Said, given: argparse.Namespace) -> None:
    fly(flight, None)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    asyncio.run(source_farm.serve(farm_of(given), lambda: said["network"]))


def watch(flight: Flight, said: Said, home: Path) -> int:
    fly(flight, said)
    ask = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if isinstance(host, str) and host.endswith((".test", ".invalid")):
            if not said["has_names"]:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            if host.endswith(".invalid"):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = source_farm.host(int(host.removeprefix("source-").removesuffix(".test")))
        return ask(host, port, *args, **more)

    socket.getaddrinfo = getaddrinfo
    from bastau.cli import main as bastau

    return bastau(["watch", "--json", "--quiet", "--home", str(home)])


# ---- the conductor ------------------------------------------------------------------------------------------


@dataclass
class World:
    """What the conductor holds in its hands."""

    flight: Flight
    folder: Path
    home: Path
    control: Control
    postgres: Any
    command: list[str]
    watchers: list[subprocess.Popen[bytes] | None] = field(default_factory=lambda: [None, None])
    back_at: list[float] = field(default_factory=lambda: [0.0, 0.0])
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[float, float, float]] = field(default_factory=list)  # (from, to, offset) of wrong clocks
    ballast: Path | None = None

    def start(self, n: int) -> None:
        with (self.folder / f"watch{n}.log").open("ab") as log:
            self.watchers[n] = subprocess.Popen([*self.command, "--role", "watch"], stdout=log, stderr=log)
        self.counts["starts"] += 1

    def kill(self, n: int, away_s: float) -> None:
        process = self.watchers[n]
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.counts["kills"] += 1
        self.watchers[n] = None
        self.back_at[n] = self.flight.now() + away_s

    def keep_up(self) -> None:
        """Start what is due, as a supervisor would; what ended by itself comes back after a minute."""
        for n, process in enumerate(self.watchers):
            if process is not None and process.poll() is not None:
                self.counts[f"ended with {process.returncode}"] += 1
                self.watchers[n] = None
                self.back_at[n] = self.flight.now() + 60
            if self.watchers[n] is None and self.flight.now() >= self.back_at[n]:
                self.start(n)

    def fill(self) -> None:
        assert self.ballast is not None
        with contextlib.suppress(OSError), self.ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))

    def free(self) -> None:
        assert self.ballast is not None
        self.ballast.unlink(missing_ok=True)

    def set(self, **what: Any) -> None:
        if "offset_s" in what:
            now = self.flight.now()
            if self.wrong and self.wrong[-1][1] == float("inf"):
                self.wrong[-1] = (self.wrong[-1][0], now, self.wrong[-1][2])
            if what["offset_s"]:
                self.wrong.append((now, float("inf"), what["offset_s"]))
        for name, value in what.items():
            setattr(self.control, name, value)
        self.control.write()


Act = tuple[float, str, Callable[[World], None]]
"""(hour, what happens, how)"""


def acts(hours: float, rng: random.Random, n_kills: int) -> list[Act]:
    """Return what goes wrong, in order of time; stretches are shares of the time, so that a short run has all of it."""

    def at(share: float) -> float:
        return share * (hours - QUIET_H)

    def kill(which: int, away_s: float) -> Callable[[World], None]:
        def act(world: World) -> None:
            for n in (0, 1) if which == 2 else (which,):
                world.kill(n, away_s)

        return act

    def stop(world: World) -> None:
        world.postgres.stop("immediate")

    def start(world: World) -> None:
        world.postgres.start()

    def restart(world: World) -> None:
        stop(world)
        start(world)

    found: list[Act] = []

    def span(
        share: float, length_h: float, what: str, begin: Callable[[World], None], end: Callable[[World], None]
    ) -> None:
        length_h *= min(1.0, at(1.0) / (7 * 24 - QUIET_H))
        found.append((at(share), what, begin))
        found.append((at(share) + length_h, f"{what}: over", end))

    def setting(**what: Any) -> Callable[[World], None]:
        return lambda world: world.set(**what)

    span(0.06, 0.5, "database away", stop, start)
    span(0.12, 5, "clock three hours ahead", setting(offset_s=3 * HOUR), setting(offset_s=0.0))
    span(0.19, 3, "disk full", World.fill, World.free)
    span(0.25, 4, "network refuses", setting(network="refused"), setting(network=""))
    span(0.32, 6, "clock two hours behind", setting(offset_s=-2 * HOUR), setting(offset_s=0.0))
    span(0.40, 6, "no names", setting(has_names=False), setting(has_names=True))
    found.append((at(0.43), "both killed while there are no names", kill(2, 120)))
    found.append((at(0.48), "both killed, the clock is set back by five hours meanwhile", kill(2, 3 * HOUR)))
    span(0.485, 8, "clock five hours behind", setting(offset_s=-5 * HOUR), setting(offset_s=0.0))
    span(0.56, 2, "network silent", setting(network="silent"), setting(network=""))
    span(0.62, 0.7, "disk full", World.fill, World.free)
    span(0.66, 1.5, "database away", stop, start)
    span(0.72, 1, "clock a day ahead", setting(offset_s=26 * HOUR), setting(offset_s=0.0))
    for n in range(10):
        span(0.76 + 0.003 * n, 0.1, "network flaps", setting(network="refused"), setting(network=""))
    span(0.84, 1, "disk full", World.fill, World.free)
    found.append((at(0.84) + 0.5, "both killed while the disk is full", kill(2, 60)))
    span(0.90, 5, "nobody watches", kill(2, 5 * HOUR), lambda _: None)
    found += [(at(share), "database killed and started", restart) for share in (0.03, 0.22, 0.37, 0.53, 0.80)]
    for _ in range(n_kills - 8):
        away_s = 0.0 if rng.random() < 0.8 else rng.uniform(0.1, 2) * HOUR
        found.append((at(rng.uniform(0.01, 0.99)), "killed", kill(rng.choice((0, 1)), away_s)))
    return sorted(found, key=lambda act: act[0])


def conduct(world: World, hours: float, plan: list[Act], log: Any) -> None:
    """Let everything happen."""
    waiting = list(plan)
    daily = BEGIN + 20 * HOUR
    while world.flight.now() < BEGIN + hours * HOUR:
        while waiting and world.flight.now() >= BEGIN + waiting[0][0] * HOUR:
            hour, what, act = waiting.pop(0)
            print(f"{hour:7.2f} h  {what}", file=log, flush=True)
            act(world)
            if not what.endswith(": over"):
                world.counts[what] += 1
        world.keep_up()
        if world.flight.now() > daily and world.ballast is not None and not world.ballast.exists():
            daily += 24 * HOUR
            for command in ("run", "compact"):
                done = subprocess.run(
                    [sys.executable, "-m", "bastau", command, "--quiet", "--json", "--home", str(world.home)],
                    capture_output=True, text=True, check=False,
                )  # fmt: skip
                world.counts[f"{command}: exit {done.returncode}"] += 1
        _sleep(0.02)
    for process in world.watchers:
        if process is not None:
            process.terminate()
    for process in world.watchers:
        if process is not None:
            process.wait()
            world.counts[f"ended with {process.returncode}"] += 1


def judge(world: World, farm: source_farm.Farm, ended: float) -> dict[str, Any]:
    """Compare the lake with the truth."""
    from bastau.doctor import examine
    from bastau.home import Home

    home = Home.open(world.home)
    posts = home.lake.read("posts", ["post_id", "post_key", "url"]).to_pylist()
    ids = Counter(post["post_id"] for post in posts)
    urls = {post["url"] for post in posts}
    gaps: dict[str, list[tuple[float, float]]] = {}
    for gap in home.lake.read("gaps").to_pylist():
        gaps.setdefault(gap["place"], []).append((gap["since_at"].timestamp(), gap["until_at"].timestamp()))
    found: Counter[str] = Counter()
    examples = []
    by_kind: Counter[str] = Counter()
    published_at: dict[str, float] = {}
    for i, url, published in source_farm.posts_between(farm, BEGIN, ended - 1800):
        found["published"] += 1
        published_at[url] = published
        if url in urls:
            continue
        found["missing"] += 1
        number = int(url.rsplit("/", 1)[1])
        is_shown = number in farm.visible(i, ended)
        pad = PAD_S + most_wrong(world.wrong, published)
        is_told = any(since - pad <= published <= until + pad for since, until in gaps_of(farm, i, gaps))
        found["missing, still shown at the end"] += is_shown
        found["missing, no gap reported"] += not is_told
        if is_shown or not is_told:
            by_kind[str(farm.kinds[i])] += 1
            left = farm.published(i, number + source_farm.SHOWN)
            examples.append(
                (address_of(farm, i), number, *(round((t - BEGIN) / HOUR, 2) for t in (published, left)), is_shown,
                 [tuple(round((t - BEGIN) / HOUR, 2) for t in gap) for gap in gaps_of(farm, i, gaps)])
            )  # fmt: skip
    for look in home.lake.read("looks", ["post_id", "place", "looked_after", "looked_at"]).to_pylist():
        url = look["post_id"].removeprefix("web:").replace("https://", "http://")
        published = published_at.get(url)
        if published is None:
            continue
        found["looks"] += 1
        pad = 60 + most_wrong(world.wrong, published)
        after = look["looked_after"]
        if look["looked_at"].timestamp() < published - pad or (after and after.timestamp() > published + pad):
            found["looks that cannot be"] += 1
            examples.append(("look", look["post_id"], str(after), str(look["looked_at"]), published))
    found["posts"] = len(posts)
    found["doubled"] = sum(n - 1 for n in ids.values())
    found["edits"] = home.lake.read("edits").num_rows
    found["rejects"] = home.lake.read("rejects").num_rows
    found["gaps"] = sum(len(some) for some in gaps.values())
    problems = [problem.code for problem in examine(home)]
    return {"found": found, "problems": problems, "by_kind": by_kind, "examples": examples}


def gaps_of(farm: source_farm.Farm, i: int, gaps: dict[str, list[tuple[float, float]]]) -> list[tuple[float, float]]:
    """Return the gaps of a source, also at the address to which it moved."""
    address = address_of(farm, i)
    return [*gaps.get(address, ()), *gaps.get(address.replace("/feed", "/new/feed"), ())]


def most_wrong(wrong: list[tuple[float, float, float]], at: float) -> float:
    """Return by how much times recorded around ``at`` may be off, because the clock was."""
    return max((abs(offset) for begin, end, offset in wrong if begin - 12 * HOUR < at < end + 12 * HOUR), default=0.0)


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[tuple[Path, Path | None]]:
    """Yield (folder for the home, file to fill it with), on a disk of its own where one can be mounted."""
    place = folder / "disk"
    place.mkdir()
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(place)], capture_output=True, check=False
    ).returncode
    try:
        yield place, place / "ballast" if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=False)


def run(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    sys.path.insert(0, str(ROOT / "tests" / "unit" / "collect" / "watching"))
    from postgres_server import postgres

    farm = farm_of(given)
    (folder / "postgres").mkdir()
    with disk(folder) as (place, ballast), postgres(folder / "postgres") as server:
        home = place / "home"
        home.mkdir()
        (home / "bastau.toml").write_text(SETTINGS.format(url=server.url))
        lines = ["address,collector"] + [
            f"{address_of(farm, i)},{'sitemap' if farm.kinds[i] == 'news_sitemap' else 'feed'}" for i in range(farm.n)
        ]
        (folder / "sources.csv").write_text("\n".join(lines))
        subprocess.run(
            [sys.executable, "-m", "bastau", "add", str(folder / "sources.csv"), "--unseen", "--yes", "--json", "--home", str(home)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        control = Control(folder / "control.json")
        control.write()
        flight = Flight(_monotonic() + 1, given.speed)
        command = [
            sys.executable, str(Path(__file__).resolve()), "--sources", str(given.sources), "--seed", str(given.seed),
            "--port", str(given.port), "--speed", str(given.speed), "--began", repr(flight.began),
            "--folder", str(folder), "--home", str(home),
        ]  # fmt: skip
        serving = subprocess.Popen([*command, "--role", "farm"], stdout=subprocess.PIPE)
        assert serving.stdout is not None
        serving.stdout.readline()
        world = World(flight, folder, home, control, server, command, ballast=ballast)
        plan = acts(given.days * 24, random.Random(given.seed), given.kills)
        if ballast is None:
            plan = [act for act in plan if not act[1].startswith("disk full")]
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            with (folder / "acts.log").open("w") as log:
                conduct(world, given.days * 24, plan, log)
            ended = BEGIN + given.days * 24 * HOUR
        finally:
            serving.terminate()
            serving.wait()
            for process in world.watchers:
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        answer = judge(world, farm, ended)
        if given.keep:
            shutil.copytree(home, folder / "home", dirs_exist_ok=True)
    return {
        "days": given.days, "sources": given.sources, "live": sum(k in source_farm.LIVE for k in farm.kinds.tolist()),
        "speed": given.speed, "seed": given.seed, "counts": dict(world.counts), "is_disk_real": ballast is not None,
        "cpu_s": round(after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime), **answer,
    }  # fmt: skip


def page(f: dict[str, Any]) -> str:
    found, counts = f["found"], f["counts"]
    rows = [
        ("sources, of them live", f"{f['sources']}, {f['live']}"),
        ("posts published in the time", f"{found['published']:,}"),
        ("in the lake, doubled", f"{found['posts']:,}, {found['doubled']}"),
        ("missing although the source still showed them", str(found["missing, still shown at the end"])),
        ("missing, gone from the source before anybody looked again", f"{found['missing']:,}"),
        ("of these in no reported gap", str(found["missing, no gap reported"])),
        ("looks, of them impossible", f"{found['looks']:,}, {found['looks that cannot be']}"),
        ("gaps reported", f"{found['gaps']:,}"),
        ("rejected rows, edits (there were none)", f"{found['rejects']}, {found['edits']}"),
        ("what `bastau doctor` finds", ", ".join(sorted(set(f["problems"]))) or "nothing"),
    ]
    lines = [
        "# A week in which everything goes wrong\n",
        f"`python bench/week.py --days {f['days']:g} --sources {f['sources']} --speed {f['speed']:g} --seed {f['seed']}`, {dt.datetime.now(dt.UTC).date()}. Two real `bastau watch` processes, a real PostgreSQL, a farm",
        f"of sources over real sockets, a real small disk; only the clocks are fast ({f['speed']:g} times), so a second of work or of a time-out is {f['speed'] / 60:.0f} minutes of that week.\n",
        "| | |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows),
        "\n| what happened | times |", "| --- | --- |", *(f"| {what} | {n} |" for what, n in sorted(counts.items())),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--sources", type=int, default=120)
    parser.add_argument("--speed", type=float, default=400)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--kills", type=int, default=66, help="some find nobody to kill")
    parser.add_argument("--port", type=int, default=8801)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--no-page", action="store_true", help="print the figures only")
    for name in ("--role", "--folder", "--home"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role:
        flight, said = Flight(given.began, given.speed), Said(Path(given.folder) / "control.json")
        if given.role == "farm":
            serve(flight, said, given)
            return
        raise SystemExit(watch(flight, said, Path(given.home)))
    folder = given.keep or Path(tempfile.mkdtemp(prefix="bastau-week-"))
    folder.mkdir(parents=True, exist_ok=True)
    figures = run(given, folder)
    print(json.dumps(figures, indent=1, default=str))
    if not given.no_page:
        OUT.write_text(page(figures), encoding="utf-8")
    if given.keep is None:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

"""The watching loop, on a clock that runs 600 times as fast."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bastau.collect.visits import Card, Change, FetchFailed, Found, Gap, Trouble, Visit, Watched
from bastau.collect.watching.rounds import Brought, Pace, Rounds
from bastau.collect.watching.store import Store, StoreUnavailable
from bastau.errors import DiskFull, HomeBusy

FAST = 600.0
CARD = Card("tests", "none", "2026-11-28", "none")


@dataclass
class Clock:
    """Seconds that fly; ``shift`` moves the wall only."""

    began: float = field(default_factory=time.monotonic)
    shift: float = 0.0

    def steady(self) -> float:
        return (time.monotonic() - self.began) * FAST

    def wall(self) -> float:
        return 1_790_000_000.0 + self.steady() + self.shift


class Place:
    """A collector of places that publish a post a minute and show the last ten."""

    name = "place"
    card = CARD

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.visits: list[tuple[str, float]] = []
        self.at_once: Counter[str] = Counter()
        self.most_at_once = 0
        self.trouble: Callable[[str], Exception | None] = lambda _: None
        self.changes: tuple[Change, ...] = ()

    def recognises(self, address: str) -> str | None:
        return address

    async def find(self, address: str, web: Any, now: datetime) -> Sequence[Found]:
        return ()

    async def visit(self, watched: Watched, web: Any, now: datetime) -> Visit:
        host = watched.address.split("/")[2]
        self.visits.append((watched.address, self.clock.steady()))
        self.at_once[host] += 1
        self.most_at_once = max(self.most_at_once, self.at_once[host])
        try:
            await asyncio.sleep(0.002)
            error = self.trouble(watched.address)
            if error is not None:
                raise error
            last = int(self.clock.steady() // 60)
            rows = [
                {"post_id": f"web:{host}/{n}", "title": f"{n}", "text": "words"}
                for n in range(max(0, last - 9), last + 1)
            ]
            return Visit(rows=rows, state={"last": last}, changes=self.changes)
        finally:
            self.at_once[host] -= 1


class Shelf:
    """Where posts land; refuses while told to."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()
        self.refuses: Exception | None = None
        self.brought: list[Brought] = []

    def __call__(self, brought: Sequence[Brought]) -> Counter[str]:
        if self.refuses is not None:
            raise self.refuses
        self.brought += brought
        counts: Counter[str] = Counter()
        for one in brought:
            for row in one.rows:
                self.ids[row["post_id"]] += 1
                counts["n_posts"] += 1
                counts[f"posts:{one.source.source_id}"] += 1
        return counts


@dataclass
class World:
    clock: Clock
    place: Place
    shelf: Shelf
    store: Store
    rounds: Rounds

    def go(self, seconds: float, *, once: bool = False) -> None:
        """Watch for ``seconds`` of the fast clock."""

        async def run() -> None:
            asyncio.get_running_loop().call_later(seconds / FAST, self.rounds.stop)
            await self.rounds.run(once=once)

        asyncio.run(run())

    def go_until(self, is_reached: Callable[[], bool], then: Callable[[], None] = lambda: None) -> None:
        """Watch until something is the case (thirty real seconds at most), do ``then``, and stop."""

        async def run() -> None:
            async def look() -> None:
                until = time.monotonic() + 30
                while not is_reached() and time.monotonic() < until:
                    await asyncio.sleep(0.01)
                then()
                self.rounds.stop()

            looking = asyncio.create_task(look())
            await self.rounds.run()
            await looking

        asyncio.run(run())

    def gaps(self) -> list[Gap]:
        return [gap for one in self.shelf.brought for gap in one.gaps]

    def again(self) -> None:
        """Start a new process over the same list."""
        self.rounds = _rounds(self.store, self.place, self.shelf, self.clock)


def _rounds(store: Store, place: Place, shelf: Shelf, clock: Clock) -> Rounds:
    pace = Pace(max_staleness_s=600.0, starts_a_second=50.0, flush_s=20.0)
    return Rounds(
        store, {"place": place}, object(), shelf, name=f"p{random.random()}", pace=pace, wall=clock.wall, steady=clock.steady, tick_s=0.005,
        rng=random.Random(1),
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    # A busy machine may stop a test for a tenth of a second, a minute of this clock.
    for module in ("store", "rounds"):
        monkeypatch.setattr(f"bastau.collect.watching.{module}.LEASE_S", 600.0)
    clock = Clock()
    place, shelf, store = Place(clock), Shelf(), Store(tmp_path / "sources.db")
    return World(clock, place, shelf, store, _rounds(store, place, shelf, clock))


def watch(world: World, *addresses: str) -> None:
    found = [Found("place", address, address) for address in addresses]
    world.store.add(found, options={}, priority=0, now=world.clock.wall())


def numbers(world: World, host: str) -> list[int]:
    return sorted(int(post_id.rsplit("/", 1)[1]) for post_id in world.shelf.ids if f":{host}/" in post_id)


def test_every_post_lands_once_and_none_is_missed(world: World) -> None:
    watch(world, *(f"http://h{n}.kz/feed" for n in range(20)))
    world.go(1500)
    for n in range(20):
        seen = numbers(world, f"h{n}.kz")
        assert seen == list(range(seen[0], seen[-1] + 1))
        assert seen[-1] >= 12
    assert set(world.shelf.ids.values()) == {1}
    assert all(source.n_posts >= 12 and source.trouble is None for source in world.store.sources())


def test_one_host_is_visited_by_one_at_a_time(world: World) -> None:
    watch(world, *(f"http://same.kz/feed{n}" for n in range(30)))
    world.go(600)
    assert world.place.most_at_once == 1
    assert len({address for address, _ in world.place.visits}) == 30


def test_a_failing_source_is_left_alone_longer_and_longer_and_counted(world: World) -> None:
    watch(world, "http://bad.kz/feed", "http://good.kz/feed")
    world.place.trouble = lambda address: FetchFailed(Trouble.SERVER, address) if "bad" in address else None
    world.go(1500)
    times = [at for address, at in world.place.visits if "bad" in address]
    assert 3 <= len(times) <= 9
    assert times[-1] - times[-2] > times[1] - times[0]
    bad = world.store.sources()[0]
    assert (bad.trouble, bad.troubles) == ("server_error", {"server_error": len(times)})


def test_retry_after_is_obeyed(world: World) -> None:
    watch(world, "http://busy.kz/feed")
    world.place.trouble = lambda address: FetchFailed(Trouble.LIMITED, address, retry_after_s=400.0)
    world.go(1000)
    times = [at for _, at in world.place.visits]
    assert all(later - earlier >= 399.0 for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("refusal", [DiskFull("full"), HomeBusy("busy")])
def test_what_cannot_be_stored_is_kept_and_stored_later(world: World, refusal: Exception) -> None:
    watch(world, "http://a.kz/feed")
    world.shelf.refuses = refusal

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(700 / FAST, lambda: setattr(world.shelf, "refuses", None))
        loop.call_later(1400 / FAST, world.rounds.stop)
        await world.rounds.run()

    asyncio.run(run())
    seen = numbers(world, "a.kz")
    assert seen == list(range(seen[-1] + 1))
    assert set(world.shelf.ids.values()) == {1}


def test_states_are_kept_only_when_the_posts_are_safe(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    watch(world, "http://a.kz/feed")
    world.shelf.refuses = HomeBusy("busy")
    monkeypatch.setattr("bastau.collect.watching.rounds._RETRY_S", 0.001)
    world.go(300)
    (source,) = world.store.sources()
    assert world.store.states([source.source_id])[source.source_id] == "{}"
    assert source.n_visits == 0


def watched_well(world: World) -> None:
    """Watch until something is stored."""
    watch(world, "http://a.kz/feed")
    world.go_until(lambda: bool(world.shelf.brought))


def length_s(gap: Gap) -> float:
    return (gap.until - gap.since).total_seconds()


def test_a_long_silence_of_ours_is_a_gap(world: World) -> None:
    watched_well(world)
    world.clock.began -= 7200 / FAST  # two hours in which nobody watched
    world.again()
    world.go_until(lambda: bool(world.gaps()))
    assert [gap.reason for gap in world.gaps()] == ["not_watched"]
    assert 6900 < length_s(world.gaps()[0]) < 12_000
    assert world.store.sources()[0].n_gaps == 1


def test_a_clock_that_is_set_back_hides_no_gap(world: World) -> None:
    watch(world, "http://a.kz/feed")
    slept = []

    def looked_and_slept() -> bool:
        if world.place.visits and not slept:
            slept.append(True)
            world.clock.began -= 7200 / FAST
            world.clock.shift = -7200.0
        return bool(world.gaps())

    world.go_until(looked_and_slept)
    assert [gap.reason for gap in world.gaps()] == ["not_watched"]
    assert length_s(world.gaps()[0]) > 7000


def test_a_clock_that_was_set_back_before_a_restart_hides_no_gap(world: World) -> None:
    watched_well(world)
    world.clock.began -= 7200 / FAST  # two hours in which nobody watched, and in which the clock was set back by three
    world.clock.shift = -10_800.0
    world.again()
    world.go_until(lambda: bool(world.gaps()))
    assert [gap.reason for gap in world.gaps()] == ["not_watched"]
    assert 6900 < length_s(world.gaps()[0]) < 12_000


def test_a_source_that_was_down_leaves_a_gap_with_its_trouble(world: World) -> None:
    watched_well(world)
    world.place.trouble = lambda address: FetchFailed(Trouble.TIMEOUT, address)
    world.again()
    world.go_until(lambda: world.rounds.figures.n_failures > 0)
    world.clock.began -= 3600 / FAST
    world.place.trouble = lambda _: None
    world.again()
    world.go_until(lambda: world.store.sources()[0].n_gaps > 0)
    assert {gap.reason for gap in world.gaps()} == {"timeout"}
    assert length_s(world.gaps()[-1]) > 3600


def test_a_gap_that_is_still_open_is_told_each_time_it_doubled(world: World) -> None:
    watched_well(world)
    world.place.trouble = lambda address: FetchFailed(Trouble.SERVER, address)
    world.again()

    def is_long() -> bool:
        world.clock.began -= 25 / FAST  # less than a lease
        return len(world.gaps()) >= 3

    world.go_until(is_long)
    assert {gap.reason for gap in world.gaps()} == {"server_error"}
    assert len({gap.since for gap in world.gaps()}) == 1
    lengths = [length_s(gap) for gap in world.gaps()]
    assert len(lengths) >= 3
    assert all(later > 2 * length for length, later in itertools.pairwise(lengths))
    assert world.rounds.figures.n_failures > len(lengths) + 1
    assert world.store.sources()[0].n_gaps == 0  # counted when it ends


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
def test_a_clock_that_jumps_neither_hurries_nor_stalls(world: World, jump: float) -> None:
    watch(world, "http://a.kz/feed")

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(300 / FAST, lambda: setattr(world.clock, "shift", jump))
        loop.call_later(1500 / FAST, world.rounds.stop)
        await world.rounds.run()

    asyncio.run(run())
    times = [at for _, at in world.place.visits]
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(steps) < 1200
    assert min(steps) > 50


def test_a_source_that_was_made_due_is_visited_by_the_process_that_watches_it(world: World) -> None:
    watched_well(world)
    (source,) = world.store.sources()
    world.again()
    visited: list[int] = []

    def is_visited() -> bool:
        if not visited and source.source_id in world.rounds._sources:
            world.rounds._schedule(source.source_id, 1e9)  # never by itself
            visited.append(len(world.place.visits))
            world.store.hurry([source.source_id])
        return bool(visited) and len(world.place.visits) > visited[0]

    world.go_until(is_visited)
    assert is_visited()


@pytest.mark.parametrize("method", ["share", "hurried", "sources", "states"])
def test_a_database_that_goes_away_at_any_step_ends_nothing(
    world: World, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(world, "http://a.kz/feed")
    real, n_failed = getattr(world.store, method), [0]

    def failing(*arguments: object) -> object:
        if n_failed[0] < 2:
            n_failed[0] += 1
            raise StoreUnavailable("away")
        return real(*arguments)

    monkeypatch.setattr(world.store, method, failing)
    world.go_until(lambda: n_failed[0] == 2 and bool(world.shelf.brought))
    assert n_failed[0] == 2
    assert world.shelf.brought


def test_a_restart_does_not_rush_at_everything_at_once(world: World) -> None:
    watch(world, *(f"http://h{n}.kz/feed" for n in range(500)))
    world.go(400)
    begun = [at for _, at in world.place.visits]
    busiest = max(sum(1 for at in begun if start <= at < start + 5) for start in begun)
    assert busiest <= 50 * 5 * 1.5 + 50


def test_an_account_that_turns_out_private_is_taken_off_the_list(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    watch(world, "http://person.kz/feed", "http://good.kz/feed")
    person = world.store.sources()[0].source_id
    land = Shelf.__call__

    def told(shelf: Shelf, brought: Sequence[Brought]) -> Counter[str]:
        counts = land(shelf, brought)
        if any(one.source.source_id == person for one in brought):
            counts[f"private:{person}"] = 1
        return counts

    monkeypatch.setattr(Shelf, "__call__", told)
    world.go(900)
    assert [source.address for source in world.store.sources()] == ["http://good.kz/feed"]
    assert sum("person" in address for address, _ in world.place.visits) <= 2


def test_a_visit_that_cannot_be_stored_is_brought_again_and_costs_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(world, "http://odd.kz/feed", "http://good.kz/feed")
    land, n_refused = Shelf.__call__, 0

    def picky(shelf: Shelf, brought: Sequence[Brought]) -> Counter[str]:
        nonlocal n_refused
        if n_refused < 6 and any("odd" in one.source.address for one in brought):
            n_refused += 1
            raise ZeroDivisionError("a row that cannot be stored")
        return land(shelf, brought)

    monkeypatch.setattr(Shelf, "__call__", picky)
    world.go(2400)
    for host in ("odd.kz", "good.kz"):
        seen = numbers(world, host)
        assert len(seen) > 10
        assert all(world.shelf.ids[f"web:{host}/{n}"] == 1 for n in seen)
    assert n_refused == 6


def test_an_account_that_moved_is_not_followed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    watch(world, "http://a.kz/feed", "http://b.kz/feed")
    visit = Place.visit

    async def moved(place: Place, watched: Watched, web: Any, now: datetime) -> Visit:
        to = "http://new.kz/feed" if "a.kz" in watched.address else "https://social.kz/@somebody"
        return replace(await visit(place, watched, web, now), moved_to=to)

    monkeypatch.setattr(Place, "visit", moved)
    world.go(2400)
    assert {source.address for source in world.store.sources()} == {"http://new.kz/feed", "http://b.kz/feed"}


def test_a_collector_that_breaks_ends_nothing(world: World) -> None:
    watch(world, "http://broken.kz/feed", "http://good.kz/feed")
    world.place.trouble = lambda address: ZeroDivisionError("ours") if "broken" in address else None
    world.go(900)
    assert world.store.sources()[0].trouble == "broken_answer"
    assert world.store.sources()[1].n_posts > 5


def test_a_source_whose_collector_is_gone_says_so(world: World) -> None:
    world.store.add([Found("other", "http://x.kz", "x.kz")], options={}, priority=0, now=world.clock.wall())
    world.go(100)
    assert world.store.sources()[0].trouble == "form_changed"


def test_once_visits_each_source_once_and_ends(world: World) -> None:
    watch(world, *(f"http://h{n}.kz/feed" for n in range(5)))
    world.go(100_000, once=True)
    assert Counter(Counter(address for address, _ in world.place.visits).values()) == {1: 5}


def test_changes_reach_the_shelf(world: World) -> None:
    watch(world, "http://a.kz/feed")
    world.place.changes = (Change("web:a.kz/1", "deleted"),)
    world.go(100)
    assert world.shelf.brought[0].visit.changes[0].kind == "deleted"
    assert world.shelf.brought[0].looked_at.tzinfo is UTC


def test_two_processes_never_visit_the_same_source(world: World, tmp_path: Path) -> None:
    watch(world, *(f"http://h{n}.kz/feed" for n in range(60)))
    second_store = Store(tmp_path / "sources.db")
    other = Place(world.clock)
    second = _rounds(second_store, other, world.shelf, world.clock)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for rounds in (world.rounds, second):
            loop.call_later(2400 / FAST, rounds.stop)
        await asyncio.gather(world.rounds.run(), second.run())

    asyncio.run(run())
    late = {a for a, at in world.place.visits if at > 1200}, {a for a, at in other.visits if at > 1200}
    assert late[0]
    assert late[1]
    assert not late[0] & late[1]
    second_store.close()

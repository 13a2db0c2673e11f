"""Turns: at most so many at once, pauses, rest, fairness. The clock is made by hand; nothing waits for real."""

import asyncio
import itertools
from typing import Any

import pytest

from bastau.collect.visits import FetchRefused, Trouble
from bastau.collect.web.guard import Place, place_of
from bastau.collect.web.turns import MAX_REST_S, Turns
from bastau.registrable import registrable_domain


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(clock: Clock, **options: Any) -> Turns:
    return Turns(**{"clock": clock, "chance": lambda: 0.5, "per_address": 0, **options})


def at(host: str) -> Place:
    return place_of(f"http://{host}/")


async def granted(turns: Turns, place: Place, address: str = "") -> "asyncio.Task[None]":
    """Ask for a turn and look once whether it was granted."""
    task = asyncio.create_task(turns.take(place, address))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def end(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def refused(clock: Clock, turns: Turns, place: Place) -> float:
    """Return the seconds that a refusal names."""
    with pytest.raises(FetchRefused) as refusal:
        asyncio.run(turns.take(place, ""))
    assert refusal.value.kind is Trouble.RESTING
    assert refusal.value.retry_after_s is not None
    return refusal.value.retry_after_s


def test_a_site_is_asked_once_at_a_time_and_after_a_pause(clock: Clock) -> None:
    async def main() -> None:
        turns = make(clock, pause_s=2.0)
        first = await granted(turns, at("a.example.kz"))
        second = await granted(turns, at("b.example.kz"))
        assert (first.done(), second.done()) == (True, False)
        turns.give_back(at("a.example.kz"), "")
        clock.now += 1.9
        turns._pump()
        await asyncio.sleep(0)
        assert not second.done()
        clock.now += 0.2
        turns._pump()
        await second
        assert turns.most_at_once == 1
        turns.close()

    asyncio.run(main())


def test_several_at_once_start_apart(clock: Clock) -> None:
    async def main() -> None:
        turns = make(clock, per_site=2, pause_s=2.0)
        tasks = [await granted(turns, at("example.kz")) for _ in range(3)]
        assert [t.done() for t in tasks] == [True, False, False]
        clock.now += 1.0
        turns._pump()
        await asyncio.sleep(0)
        assert [t.done() for t in tasks] == [True, True, False]
        clock.now += 10.0
        turns._pump()
        await asyncio.sleep(0)
        assert not tasks[2].done()
        assert turns.most_at_once == 2
        await end(*tasks)
        turns.close()

    asyncio.run(main())


def test_ten_thousand_subdomains_are_one_site(clock: Clock) -> None:
    async def main() -> None:
        turns = make(clock)
        tasks = [await granted(turns, at(f"s{i}.example.kz")) for i in range(50)]
        assert sum(t.done() for t in tasks) == 1
        assert len(turns._sites) == 1
        await end(*tasks)
        turns.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("news.example.com.kz", "example.com.kz"),
        ("example.kz", "example.kz"),
        ("a.blogspot.com", "a.blogspot.com"),
        ("1.2.3.4", "1.2.3.4"),
        ("2606:4700::1111", "2606:4700::1111"),
        ("localhost", "localhost"),
        ("com.kz", "com.kz"),
    ],
)
def test_the_site_of_a_host(host: str, site: str) -> None:
    assert registrable_domain(host) == site


def test_many_sites_on_one_address_share_its_limit(clock: Clock) -> None:
    async def main() -> None:
        turns = make(clock, per_address=4, pause_s=0.0)
        tasks = []
        for i in range(40):
            tasks.append(await granted(turns, at(f"site{i}.kz"), "1.1.1.1"))
            clock.now += 0.01
        assert sum(t.done() for t in tasks) == 2  # beginnings are 0.25 s apart
        clock.now += 10
        for _ in range(6):
            turns._pump()
            clock.now += 0.3
            await asyncio.sleep(0)
        assert sum(t.done() for t in tasks) == 4
        elsewhere = await granted(turns, at("other.kz"), "1.0.0.1")
        assert elsewhere.done()
        # What ends makes room, until everybody had a turn.
        n_done = 4
        while n_done < 40:
            for i in [i for i, t in enumerate(tasks) if t.done()]:
                turns.give_back(at(f"site{i}.kz"), "1.1.1.1")
                tasks[i] = asyncio.get_running_loop().create_future()  # type: ignore[call-overload]
            for _ in range(4):
                clock.now += 0.3
                turns._pump()
                await asyncio.sleep(0)
            now_done = sum(t.done() for t in tasks)
            assert 0 < now_done <= 4
            n_done += now_done
        assert turns.n_waiting == 0
        turns.close()

    asyncio.run(main())


def test_a_site_with_many_waiting_holds_nobody_up(clock: Clock) -> None:
    async def main() -> None:
        turns = make(clock, parallel=1, pause_s=0.0)
        busy = [await granted(turns, at("busy.kz")) for _ in range(30)]
        other = await granted(turns, at("quiet.kz"))
        assert busy[0].done()
        turns.give_back(at("busy.kz"), "")
        await asyncio.sleep(0)
        assert other.done() or busy[1].done()
        turns.give_back(at("quiet.kz") if other.done() else at("busy.kz"), "")
        await asyncio.sleep(0)
        assert other.done()
        assert turns.most_active == 1
        await end(*busy)
        turns.close()

    asyncio.run(main())


def test_who_waited_in_vain_leaves_no_trace(clock: Clock) -> None:
    async def main() -> None:
        turns = make(clock, pause_s=1.0)
        first = await granted(turns, at("a.kz"))
        gone = await granted(turns, at("a.kz"))
        last = await granted(turns, at("a.kz"))
        await first
        await end(gone)
        turns.give_back(at("a.kz"), "")
        clock.now += 1.1
        turns._pump()
        await last
        turns.give_back(at("a.kz"), "")
        assert (turns.n_active, turns.n_waiting) == (0, 0)
        turns.close()

    asyncio.run(main())


def test_who_would_wait_too_long_is_told_when_to_come_and_each_another_time(clock: Clock) -> None:
    async def main() -> None:
        turns = make(clock, pause_s=10.0, max_wait_s=30.0)
        tasks = [await granted(turns, at("a.kz")) for _ in range(10)]
        told = []
        for task in tasks:
            if task.done() and task.exception():
                error = task.exception()
                assert isinstance(error, FetchRefused)
                told.append(error.retry_after_s)
        assert len(told) == 5
        assert all(b - a == pytest.approx(10.0) for a, b in itertools.pairwise(told))
        assert told[0] > 30
        await end(*tasks)
        turns.close()

    asyncio.run(main())


class TestFailures:
    def test_the_third_in_a_row_makes_a_host_rest_longer_each_time(self, clock: Clock) -> None:
        turns = make(clock)
        rests = []
        for _ in range(12):
            turns.failed(at("a.kz"), is_network=False)
            failing = turns._failing["a.kz"]
            rests.append(failing.rests_until - clock.now if failing.rests_until else 0.0)
        assert rests[:5] == [0.0, 0.0, 60.0, 120.0, 240.0]
        assert rests[-1] == MAX_REST_S
        assert refused(clock, turns, at("a.kz")) >= MAX_REST_S

    def test_its_neighbours_do_not_rest(self, clock: Clock) -> None:
        async def main() -> None:
            turns = make(clock)
            for _ in range(3):
                turns.failed(at("dead.example.kz"), is_network=True)
            await turns.take(at("live.example.kz"), "")

        asyncio.run(main())

    def test_an_answer_forgives_everything(self, clock: Clock) -> None:
        async def main() -> None:
            turns = make(clock)
            for _ in range(9):
                turns.failed(at("a.kz"), is_network=True)
            turns.succeeded(at("a.kz"))
            await turns.take(at("a.kz"), "")
            assert not turns._failing

        asyncio.run(main())

    def test_when_nobody_can_be_reached_no_host_is_held_to_account(self, clock: Clock) -> None:
        turns = make(clock)
        for _ in range(50):
            for i in range(30):
                turns.failed(at(f"s{i}.kz"), is_network=True)
        assert turns.is_offline
        assert all(f.rests_until - clock.now <= 60.0 for f in turns._failing.values())
        turns.succeeded(at("s3.kz"))
        assert not turns.is_offline


class TestRest:
    def test_what_a_site_asks_for_holds_for_all_its_hosts(self, clock: Clock) -> None:
        turns = make(clock)
        turns.rest(at("a.example.kz"), 600)
        assert 600 <= refused(clock, turns, at("b.example.kz")) <= 606

    def test_a_short_one_is_waited_for(self, clock: Clock) -> None:
        async def main() -> None:
            turns = make(clock)
            turns.rest(at("a.kz"), 3)
            task = await granted(turns, at("a.kz"))
            assert not task.done()
            clock.now += 3.1
            turns._pump()
            await task
            turns.close()

        asyncio.run(main())

    def test_nobody_rests_for_ever(self, clock: Clock) -> None:
        turns = make(clock)
        turns.rest(at("a.kz"), 1e12)
        assert refused(clock, turns, at("a.kz")) < 90_000

    def test_those_who_wait_are_told(self, clock: Clock) -> None:
        async def main() -> None:
            turns = make(clock)
            first = await granted(turns, at("a.kz"))
            waiting = await granted(turns, at("a.kz"))
            turns.rest(at("a.kz"), 600)
            with pytest.raises(FetchRefused):
                await waiting
            await first
            turns.give_back(at("a.kz"), "")
            assert (turns.n_active, turns.n_waiting) == (0, 0)
            turns.close()

        asyncio.run(main())


def test_state_outlives_a_restart(clock: Clock) -> None:
    turns = make(clock)
    turns.rest(at("rests.kz"), 600)
    turns.pause(at("slow.kz"), 30)
    for _ in range(5):
        turns.failed(at("fails.kz"), is_network=False)
    later = make(clock)
    later.restore(turns.state())
    assert refused(clock, later, at("rests.kz")) == pytest.approx(600, abs=10)
    assert refused(clock, later, at("fails.kz")) == pytest.approx(240, abs=10)
    assert later._sites["slow.kz"].pause_s == 30
    assert later._failing["fails.kz"].n == 5


def test_who_is_asked_most_can_be_told(clock: Clock) -> None:
    async def main() -> None:
        turns = make(clock, pause_s=0.0)
        for host in ("a.kz", "b.kz", "www.b.kz"):
            await turns.take(at(host), "")
            turns.give_back(at(host), "")
        turns.rest(at("a.kz"), 60)
        assert turns.busiest(2) == [("b.kz", 2, 1, 0.0), ("a.kz", 1, 1, 60.0)]
        turns.close()

    asyncio.run(main())


def test_memory_is_bounded(clock: Clock) -> None:
    async def main() -> None:
        turns = make(clock, max_sites=100)
        for i in range(1000):
            place = at(f"s{i}.kz")
            await turns.take(place, f"1.1.{i // 250}.{i % 250}")
            turns.give_back(place, f"1.1.{i // 250}.{i % 250}")
            turns.failed(place, is_network=False)
        assert len(turns._sites) <= 100
        assert len(turns._failing) <= 100
        turns.close()

    asyncio.run(main())

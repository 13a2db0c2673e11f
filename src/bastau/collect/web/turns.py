"""Turns: who may be asked now. At most so many requests at once for a site, a pause between them, rest when it asks for it.

A *site* is the registrable domain of a host (or its IP address): ten thousand subdomains are one site. Sites that live on
one IP address share a wider limit. Requests of a site wait in a row; sites take turns, so a site with ten thousand waiting
requests holds nobody up. Whoever would wait too long is refused with the time to come back, and that time is booked: callers
who obey it meet free turns.
"""

import asyncio
import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic, time
from typing import Any

from bastau.collect.visits import FetchRefused, Trouble
from bastau.collect.web.guard import Place, shown
from bastau.registrable import registrable_domain

MAX_REST_S = 6 * 3600.0
"""A host that fails again and again is asked this seldom."""
_FIRST_REST_S = 60.0
_FAILURES = 3
"""Failures in a row from which a host rests."""
_OFFLINE_HOSTS = 20
"""So many hosts failing in a row with none that answers: the trouble is ours."""
_OFFLINE_REST_S = 30.0
MAX_ASKED_REST_S = 86_400.0
"""Longest rest that a host can ask for (Retry-After); longest pause too, per request (Crawl-delay) an hour."""
_MAX_PAUSE_S = 3600.0
_SHORT_S = 5.0
"""Rests up to this are waited for rather than refused."""
_MAX_BOOKED_S = 3600.0
_IDLE_S = 900.0


class _Site:
    """State of one site; made small, there may be 100,000."""

    __slots__ = ("active", "booked_at", "is_queued", "most", "n_asked", "next_at", "pause_s", "rests_until", "waiting")

    def __init__(self, pause_s: float) -> None:
        self.active = 0
        self.most = 0
        self.n_asked = 0
        self.next_at = 0.0
        self.pause_s = pause_s
        self.rests_until = 0.0
        self.booked_at = 0.0
        self.waiting: deque[tuple[asyncio.Future[None], str]] | None = None
        self.is_queued = False


class _Address:
    """State of one IP address while something is asked of it, and until its next turn."""

    __slots__ = ("active", "blocked", "next_at")

    def __init__(self) -> None:
        self.active = 0
        self.next_at = 0.0
        self.blocked: list[_Site] | None = None


@dataclass(slots=True)
class _Failing:
    n: int
    rests_until: float


class Turns:
    """The row of everybody who wants to ask.

    Args:
        per_site: requests at once for one site.
        pause_s: between the end of a request and the beginning of the next, for one site.
        per_address: requests at once for one IP address, and as many beginnings a second at most; 0 for no limit.
        parallel: requests at once in all.
        max_wait_s: whoever would wait longer is refused (RESTING).
        max_sites: remembered; idle ones are forgotten first.
        clock: monotonic seconds.
        chance: uniform in [0, 1), spreads out who comes back.
    """

    def __init__(
        self,
        *,
        per_site: int = 1,
        pause_s: float = 1.0,
        per_address: int = 8,
        parallel: int = 256,
        max_wait_s: float = 60.0,
        max_sites: int = 200_000,
        clock: Callable[[], float] = monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._per_site, self._pause_s, self._per_address = per_site, pause_s, per_address
        self._parallel, self._max_wait_s, self._max_sites = parallel, max_wait_s, max_sites
        self._clock, self._chance = clock, chance
        self._sites: OrderedDict[str, _Site] = OrderedDict()
        self._addresses: dict[str, _Address] = {}
        self._failing: dict[str, _Failing] = {}
        self._due: list[tuple[float, int, _Site]] = []
        self._ready: deque[_Site] = deque()
        self._n_queued = 0
        self._timer: asyncio.TimerHandle | None = None
        self._failed_in_row: set[str] = set()
        self.n_active = 0
        self.n_waiting = 0
        self.most_at_once = 0
        """Most requests at once for one site, ever."""
        self.most_active = 0

    @property
    def is_offline(self) -> bool:
        """Nobody answers: the network is gone, not the hosts."""
        return len(self._failed_in_row) >= _OFFLINE_HOSTS

    def _site(self, host: str) -> _Site:
        name = registrable_domain(host)
        site = self._sites.get(name)
        if site is None:
            if len(self._sites) >= self._max_sites:
                self._forget_idle()
            site = self._sites[name] = _Site(self._pause_s)
        else:
            self._sites.move_to_end(name)
        return site

    def is_new(self, place: Place) -> bool:
        """Say whether nothing was asked of a site before."""
        site = self._sites.get(registrable_domain(place.host))
        return site is None or site.most == 0

    async def take(self, place: Place, address: str) -> None:
        """Wait for the turn of ``place``; whoever took must :meth:`give_back`.

        Args:
            address: IP address that will be connected to; empty if unknown (proxy).

        Raises:
            FetchRefused: RESTING, with the seconds after which to come back.
        """
        now = self._clock()
        site = self._site(place.host)
        rest_s = site.rests_until - now
        failing = self._failing.get(place.host)
        if failing is not None:
            rest_s = max(rest_s, failing.rests_until - now)
        if rest_s > 0:
            raise _resting(place, rest_s + self._chance() * min(rest_s, 60.0) * 0.1)
        if not self._ready and not site.waiting and self._grant(site, address, now):
            return
        n_before = len(site.waiting) if site.waiting else 0
        wait_s = max(site.next_at - now, 0.0) + n_before * site.pause_s / self._per_site
        if wait_s > self._max_wait_s:
            step = max(site.pause_s, 0.01) / self._per_site
            site.booked_at = max(site.booked_at, now + wait_s) + step
            if site.booked_at - now > _MAX_BOOKED_S:
                site.booked_at = now + wait_s + step
            raise _resting(place, site.booked_at - now)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if site.waiting is None:
            site.waiting = deque()
        site.waiting.append((turn, address))
        self.n_waiting += 1
        self._queue(site, now)
        self._pump()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.give_back(place, address)  # granted and cancelled in the same moment
            raise

    def give_back(self, place: Place, address: str) -> None:
        """End a turn."""
        now = self._clock()
        self.n_active -= 1
        site = self._site(place.host)
        site.active -= 1
        site.next_at = max(site.next_at, now + site.pause_s)
        self._release_address(address, now)
        if site.waiting:
            self._queue(site, now)
        if self._ready or self._due:
            self._pump()

    def _grant(self, site: _Site, address: str, now: float) -> bool:
        if self.n_active >= self._parallel or site.active >= self._per_site or now < site.next_at:
            return False
        if self._per_address and address:
            shared = self._addresses.get(address)
            if shared is None:
                if len(self._addresses) > 4 * self._parallel:
                    self._forget_addresses(now)
                shared = self._addresses[address] = _Address()
            if shared.active >= self._per_address or now < shared.next_at:
                return False
            shared.active += 1
            shared.next_at = now + 1.0 / self._per_address
        self.n_active += 1
        site.active += 1
        site.n_asked += 1
        if self._per_site > 1:  # beginnings are apart too
            site.next_at = max(site.next_at, now + site.pause_s / self._per_site)
        if site.active > site.most:
            site.most = site.active
            self.most_at_once = max(self.most_at_once, site.most)
        self.most_active = max(self.most_active, self.n_active)
        return True

    def _release_address(self, address: str, now: float) -> None:
        shared = self._addresses.get(address)
        if shared is None:
            return
        shared.active -= 1
        if shared.blocked:
            # All of them: the first may have given up meanwhile, and nobody would wake the others.
            for site in shared.blocked:
                self._push(site, max(now, shared.next_at))
            shared.blocked = None

    def _queue(self, site: _Site, now: float) -> None:
        """Put a site that has somebody waiting in the row, once."""
        if site.is_queued or site.active >= self._per_site:
            return
        site.is_queued = True
        if site.next_at <= now:
            self._ready.append(site)
        else:
            self._push(site, site.next_at)

    def _push(self, site: _Site, at: float) -> None:
        self._n_queued += 1
        heapq.heappush(self._due, (at, self._n_queued, site))

    def _pump(self) -> None:
        """Grant every turn whose time has come."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            self._ready.append(heapq.heappop(self._due)[2])
        for _ in range(len(self._ready)):
            if self.n_active >= self._parallel:
                break
            site = self._ready.popleft()
            waiting = site.waiting
            while waiting and waiting[0][0].done():  # cancelled
                waiting.popleft()
                self.n_waiting -= 1
            if not waiting or site.active >= self._per_site:
                site.is_queued = False
                continue
            address = waiting[0][1]
            if self._grant(site, address, now):
                turn, _ = waiting.popleft()
                self.n_waiting -= 1
                site.is_queued = False
                turn.set_result(None)
                if waiting:
                    self._queue(site, now)
            elif now < site.next_at:
                self._push(site, site.next_at)
            else:
                self._block(site, self._addresses[address], now)
        self._set_timer(now)

    def _block(self, site: _Site, shared: _Address, now: float) -> None:
        if shared.active >= self._per_address:
            if shared.blocked is None:
                shared.blocked = []
            shared.blocked.append(site)
        else:
            # A turn of its own for each that waits for the address.
            shared.next_at = max(shared.next_at, now)
            self._push(site, shared.next_at)

    def _set_timer(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(self._due[0][0] - now, 0.0) + 0.001, self._pump)

    def succeeded(self, place: Place) -> None:
        """Note that a host answered."""
        self._failed_in_row.clear()
        if self._failing:
            self._failing.pop(place.host, None)

    def failed(self, place: Place, *, is_network: bool) -> None:
        """Note that a host did not answer, or with an error of its own; it rests after the third time in a row.

        Args:
            is_network: it could not be reached at all. Where nobody can be reached, no host is held to account.
        """
        now = self._clock()
        if is_network:
            if len(self._failed_in_row) < _OFFLINE_HOSTS:
                self._failed_in_row.add(place.host)
        else:
            self._failed_in_row.clear()
        failing = self._failing.get(place.host)
        if failing is None:
            if len(self._failing) >= self._max_sites:
                del self._failing[next(iter(self._failing))]
            failing = self._failing[place.host] = _Failing(0, 0.0)
        if is_network and self.is_offline:
            failing.rests_until = now + _OFFLINE_REST_S * (0.5 + self._chance())
            return
        failing.n += 1
        if failing.n >= _FAILURES:
            rest_s = min(_FIRST_REST_S * 2 ** min(failing.n - _FAILURES, 20), MAX_REST_S)
            failing.rests_until = now + rest_s * (0.5 + self._chance())

    def rest(self, place: Place, seconds: float) -> None:
        """Leave a site alone for a while, because it asked for it."""
        if seconds <= _SHORT_S:
            self.hold(place, seconds)
            return
        site = self._site(place.host)
        site.rests_until = max(site.rests_until, self._clock() + min(seconds, MAX_ASKED_REST_S))
        self._refuse_waiting(site, place)

    def hold(self, place: Place, seconds: float) -> None:
        """Let the next turn of a site come no sooner than in ``seconds``."""
        site = self._site(place.host)
        site.next_at = max(site.next_at, self._clock() + min(seconds, MAX_ASKED_REST_S))

    def _refuse_waiting(self, site: _Site, place: Place) -> None:
        rest_s = site.rests_until - self._clock()
        if not site.waiting or rest_s <= self._max_wait_s:
            site.next_at = max(site.next_at, site.rests_until)
            return
        for i, (turn, _) in enumerate(site.waiting):
            if not turn.done():
                turn.set_exception(_resting(place, rest_s + i * site.pause_s))
        self.n_waiting -= len(site.waiting)
        site.waiting.clear()

    def pause(self, place: Place, seconds: float) -> None:
        """Make the pauses of a site at least so long (Crawl-delay); 0 for the usual again."""
        self._site(place.host).pause_s = min(max(seconds, self._pause_s), _MAX_PAUSE_S)

    def _forget_idle(self) -> None:
        """Forget sites that nobody asked for long; if there are none, the one idle for longest."""
        now = self._clock()
        n_gone = 0
        for name in list(self._sites):
            site = self._sites[name]
            if site.active or site.waiting:
                continue
            is_due = max(site.next_at, site.rests_until) + _IDLE_S < now
            if is_due or n_gone == 0:
                del self._sites[name]
                n_gone += 1
            elif n_gone >= 64 or not is_due:
                break

    def _forget_addresses(self, now: float) -> None:
        gone = [ip for ip, a in self._addresses.items() if not a.active and not a.blocked and a.next_at <= now]
        for ip in gone:
            del self._addresses[ip]

    def busiest(self, n: int) -> list[tuple[str, int, int, float]]:
        """Return (site, requests, most at once, seconds it still rests) of the ``n`` sites asked most, most first."""
        now = self._clock()
        found = heapq.nlargest(n, self._sites.items(), key=lambda entry: entry[1].n_asked)
        return [(name, site.n_asked, site.most, max(site.rests_until - now, 0.0)) for name, site in found]

    def state(self) -> dict[str, Any]:
        """Return what should outlive a restart: who rests until when (seconds of the epoch), who failed how often, longer pauses."""
        now, epoch = self._clock(), time()
        return {
            "rests": {n: epoch + s.rests_until - now for n, s in self._sites.items() if s.rests_until > now},
            "pauses": {n: s.pause_s for n, s in self._sites.items() if s.pause_s > self._pause_s},
            "failing": {host: [f.n, epoch + f.rests_until - now] for host, f in self._failing.items() if f.n},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` returned. Who should have been asked meanwhile comes spread over a minute."""
        now, epoch = self._clock(), time()
        for name, until in state.get("rests", {}).items():
            self._site(name).rests_until = now + min(until - epoch, MAX_ASKED_REST_S)
        for name, pause_s in state.get("pauses", {}).items():
            self._site(name).pause_s = min(max(pause_s, self._pause_s), _MAX_PAUSE_S)
        for host, (n, until) in state.get("failing", {}).items():
            self._failing[host] = _Failing(int(n), now + min(until - epoch, MAX_REST_S * 1.5))

    def close(self) -> None:
        """Let nobody wait any longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for site in self._sites.values():
            for turn, _ in site.waiting or ():
                turn.cancel()


def _resting(place: Place, seconds: float) -> FetchRefused:
    return FetchRefused(Trouble.RESTING, shown(place.url), max(seconds, 0.1))

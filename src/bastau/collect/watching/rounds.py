"""The watching loop: which source is visited when, what comes of it, and what is handed on to be stored.

Times of waiting go by a monotonic clock, so a jump of the wall clock neither hurries nor stalls anything; times that are
recorded go by the wall. What visits brought is stored in batches, lake first and then what is remembered of the sources:
killed in between, the next visit brings the same posts again and they are left out as repeats.
"""

import asyncio
import contextlib
import heapq
import itertools
import logging
import os
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from bastau.collect.handles import names_somebody
from bastau.collect.visits import Collector, FetchFailed, Gap, Trouble, Visit, Watched, Web
from bastau.collect.watching.intervals import FEWEST_S, backoff_s, interval_s, rate_after
from bastau.collect.watching.store import LEASE_S, Holder, Source, Store, StoreUnavailable, slice_of
from bastau.errors import BastauError, DiskFull, HomeBusy, SourceChanged

logger = logging.getLogger(__name__)

VISIT_S = 600.0
"""Longest visit; a collector that takes longer is cut off (a back-fill goes on at the next)."""
_RETRY_S = 1.0
_BEAT_S = 0.02
"""The loop looks for due sources no more often; it catches up on what it could have started."""
_MORE_S = 2.0
"""Pause before the next visit of a source that said it has more waiting."""
_LISTED_S = 60.0
"""The list is read again this often: sources may have been added, removed or paused."""
_MOVES = 3
"""A place has moved when it said so at this many visits in a row: a hacked or parked site says so once."""
_FEWEST_GAP_S = 1800.0
"""Shorter times without a successful look are no gap: what is published stays on a feed for longer."""
_REMEMBERED = 2_000_000
"""Hashes of rows seen lately, in each of two generations of about 120 MB when full: what they cover needs no second check."""


@dataclass(frozen=True)
class Brought:
    """What one visit brought, with the end of the look and the beginning of the one before (None: the first).

    ``rows`` are those of the visit that were not seen in this form before.
    """

    source: Source
    visit: Visit
    rows: Sequence[Mapping[str, Any]]
    gaps: Sequence[Gap]
    looked_at: datetime
    looked_after: datetime | None


def steady() -> float:
    """Return seconds of a clock that nobody sets; it counts the time that the machine slept, where there is such a one."""
    return time.clock_gettime(_CLOCK)


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@lru_cache(maxsize=1)
def boot() -> str:
    """Return what tells this start of the machine from others, where the system says so: its steady clock began then."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"process {os.getpid()}"


Land = Callable[[Sequence[Brought]], Counter[str]]
"""Stores what visits brought, and returns counts: n_posts, n_edits, n_rejects, ..., ``posts:<source_id>``, ``private:<source_id>``."""


@dataclass(frozen=True)
class Pace:
    """How fast to go; see the section ``[watch]`` of the settings."""

    max_staleness_s: float = 900.0
    parallel: int = 256
    starts_a_second: float = 200.0
    flush_s: float = 5.0
    flush_rows: int = 20_000
    most_rows: int = 200_000


@dataclass
class Figures:
    """What the live view and the metrics show; counts since the start."""

    n_sources: int = 0
    n_visits: int = 0
    n_unchanged: int = 0
    n_failures: int = 0
    n_posts: int = 0
    n_edits: int = 0
    n_rejects: int = 0
    n_repeats: int = 0
    n_gaps: int = 0
    n_bytes: int = 0
    n_requests: int = 0
    in_flight: int = 0
    waiting_rows: int = 0
    is_full: bool = False
    trouble: str = ""
    troubles: Counter[str] = field(default_factory=Counter)
    late_s: float = 0.0
    oldest_s: float = 0.0
    lags: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))


class Rounds:
    """Visits sources until told to stop.

    Args:
        store: the list of sources.
        collectors: by name.
        web: the way to the network.
        land: stores what came in; called in a thread, one at a time.
        name: of this process, unique among those that share the list.
        wall, steady: clocks, in seconds.
        tick_s: longest rest of the loop.
    """

    def __init__(
        self,
        store: Store,
        collectors: Mapping[str, Collector],
        web: Web,
        land: Land,
        *,
        name: str,
        pace: Pace,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady,
        tick_s: float = 0.25,
        rng: random.Random | None = None,
    ) -> None:
        self.figures = Figures()
        self._store, self._collectors, self._web, self._land = store, collectors, web, land
        self._holder, self._pace = Holder(name), pace
        self._wall, self._steady, self._rng = wall, steady, rng or random.Random()
        self._tick_s = tick_s
        self._sources: dict[int, Source] = {}
        self._due: list[tuple[float, int, int]] = []
        self._ticket = itertools.count()
        self._tickets: dict[int, int] = {}
        self._busy: set[int] = set()
        self._sites: dict[str, deque[int]] = {}
        self._active_sites: set[str] = set()
        self._states: dict[int, str] = {}
        self._brought: list[Brought] = []
        self._touched: dict[int, Source] = {}
        self._new_states: dict[int, str] = {}
        self._moves: dict[int, tuple[str, int]] = {}
        self._flushing: asyncio.Task[None] | None = None
        self._listed_at = -_LISTED_S
        self._succeeded_on: dict[int, float] = {}
        self._told_s: dict[int, float] = {}
        self._clocks_before = (self._wall(), self._steady())
        self._seen: set[int] = set()
        self._seen_before: set[int] = set()
        self._looks: Counter[int] = Counter()
        self._stop = asyncio.Event()
        self._streams: dict[tuple[str, ...], asyncio.Task[None]] = {}
        self._next_start = 0.0
        self._flushed_at = self._steady()

    def stop(self) -> None:
        """Finish: what is in hand is stored, then :meth:`run` returns."""
        self._stop.set()

    async def run(self, *, once: bool = False) -> None:
        """Visit until :meth:`stop`, or with ``once`` until every source was tried once.

        Raises:
            BastauError: what cannot be helped by trying again.
        """
        tasks: set[asyncio.Task[None]] = set()
        await self._read_clocks()
        await self._share(spread=not once)
        if once:
            for source_id in self._sources:
                self._schedule(source_id, 0.0)
        shared_at = self._steady()
        try:
            while not self._stop.is_set():
                if self._steady() - shared_at > LEASE_S / 4:
                    await self._share(spread=True)
                    shared_at = self._steady()
                if (self._brought or self._touched) and (self._flushing is None or self._flushing.done()):
                    is_old = self._steady() - self._flushed_at > self._pace.flush_s
                    if is_old or self.figures.waiting_rows >= self._pace.flush_rows:
                        if self._flushing is not None:
                            self._flushing.result()
                        self._flushing = asyncio.create_task(self._flush())
                started = self._start_due(tasks, once=once)
                if once and not started and not tasks and not any(self._sites.values()) and not self._is_any_due(once):
                    break
                await self._pause(tasks)
        finally:
            for task in [*tasks, *self._streams.values()]:
                task.cancel()
            await asyncio.gather(*tasks, *self._streams.values(), return_exceptions=True)
            await self._finish()

    # ---- which is next --------------------------------------------------------------------------------------

    def _schedule(self, source_id: int, in_s: float) -> None:
        ticket = next(self._ticket)
        self._tickets[source_id] = ticket
        heapq.heappush(self._due, (self._steady() + in_s, ticket, source_id))

    def _is_any_due(self, once: bool) -> bool:
        return once and any(self._looks[n] == 0 for n in self._sources if n not in self._busy)

    def _start_due(self, tasks: set[asyncio.Task[None]], *, once: bool) -> int:
        """Start visits that are due, one at a time for each site, not faster than the pace."""
        now, n = self._steady(), 0
        self.figures.late_s = max(0.0, now - self._due[0][0]) if self._due else 0.0
        self._next_start = max(self._next_start, now - 1.0)
        while self._due and self._due[0][0] <= now and len(tasks) < self._pace.parallel:
            if self.figures.waiting_rows >= self._pace.most_rows or self._next_start > now:
                break
            _, ticket, source_id = heapq.heappop(self._due)
            if self._tickets.get(source_id) != ticket:
                continue  # scheduled anew, or no longer ours
            if once and self._looks[source_id]:
                continue
            source = self._sources[source_id]
            site = _site(source.address)
            if site in self._active_sites:
                self._sites.setdefault(site, deque()).append(source_id)
                continue
            self._begin(source_id, site, tasks)
            n += 1
        return n

    def _begin(self, source_id: int, site: str, tasks: set[asyncio.Task[None]]) -> None:
        self._active_sites.add(site)
        self._busy.add(source_id)
        self._next_start += 1.0 / self._pace.starts_a_second
        self.figures.in_flight += 1
        task = asyncio.create_task(self._visit(source_id))

        def done(_: asyncio.Task[None]) -> None:
            tasks.discard(task)
            self.figures.in_flight -= 1
            self._busy.discard(source_id)
            self._active_sites.discard(site)
            self._follow(site, tasks)

        tasks.add(task)
        task.add_done_callback(done)

    def _follow(self, site: str, tasks: set[asyncio.Task[None]]) -> None:
        """Start the next visit to a site that has become free."""
        waiting = self._sites.get(site)
        while waiting:
            following = waiting.popleft()
            if following not in self._sources or self._stop.is_set():
                continue
            if self.figures.waiting_rows >= self._pace.most_rows:
                self._schedule(following, 0.0)  # nothing new is begun before the lake has taken what is in hand
                continue
            self._begin(following, site, tasks)
            break
        if not waiting:
            self._sites.pop(site, None)

    async def _pause(self, tasks: set[asyncio.Task[None]]) -> None:
        """Wait until something may have changed."""
        now = self._steady()
        wait = self._tick_s
        if self._due and len(tasks) < self._pace.parallel:
            wait = min(wait, max(self._due[0][0] - now, self._next_start - now, _BEAT_S))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), wait)

    # ---- one visit --------------------------------------------------------------------------------------------

    async def _visit(self, source_id: int) -> None:
        source = self._sources.get(source_id)
        if source is None:
            return
        watched = self._watched(source)
        began, began_at = self._steady(), self._wall()
        self._looks[source_id] += 1
        collector = self._collectors.get(source.collector)
        try:
            if collector is None:
                raise FetchFailed(
                    Trouble.CHANGED, f"{source.address}: no collector called {source.collector} is installed"
                )
            async with asyncio.timeout(VISIT_S):
                visit = await collector.visit(watched, self._web, datetime.fromtimestamp(began_at, UTC))
        except FetchFailed as error:
            self._failed(source, error.kind, error.retry_after_s)
        except TimeoutError:
            self._failed(source, Trouble.TIMEOUT, None)
        except SourceChanged as error:
            logger.warning("form changed", extra={"place": source.address, "detail": str(error)})
            self._failed(source, Trouble.CHANGED, None)
        except BastauError as error:
            logger.warning("visit failed", extra={"place": source.address, "detail": str(error)})
            self._failed(source, Trouble.BROKEN, None)
        except asyncio.CancelledError:
            raise
        except Exception:  # a collector's own fault must not end the watching of all others
            logger.exception("collector failed", extra={"place": source.address, "collector": source.collector})
            self._failed(source, Trouble.BROKEN, None)
        else:
            self._succeeded(source, visit, began_at, self._steady() - began)

    def _watched(self, source: Source) -> Watched:
        state = self._new_states.get(source.source_id) or self._states.get(source.source_id, "{}")
        return Watched(source.source_id, source.collector, source.address, orjson.loads(state), source.options)

    def _failed(self, source: Source, kind: Trouble, asked_s: float | None) -> None:
        now = self._wall()
        self._tell_open_gap(source, kind, now)
        ours = kind is Trouble.RESTING or getattr(self._web, "is_offline", False)
        source.trouble = str(kind)
        source.troubles[str(kind)] = source.troubles.get(str(kind), 0) + 1
        if not ours:
            source.n_failures += 1
        source.n_visits += 1
        source.visited_at = now
        failing_s = now - (source.succeeded_at or source.added_at)
        usual = interval_s(source.posts_a_day, self._pace.max_staleness_s, None, source.priority)
        wait = backoff_s(kind, max(1, source.n_failures), failing_s, usual, asked_s, self._rng)
        self.figures.n_visits += 1
        self.figures.n_failures += 1
        self.figures.troubles[str(kind)] += 1
        self._again(source, wait)

    def _succeeded(self, source: Source, visit: Visit, began_at: float, took_s: float) -> None:
        before = source.succeeded_at
        if before is not None and before > began_at:
            before = began_at  # the wall clock was set back
        gaps = list(visit.gaps)
        began = self._steady() - took_s
        unseen_s = self._unseen_s(source, began_at, began)
        self._succeeded_on[source.source_id] = began
        self._told_s.pop(source.source_id, None)
        if unseen_s > self._gap_from_s and not visit.is_unchanged:
            gaps.append(_gap(began_at, unseen_s, source.trouble or "not_watched"))
        rows = [row for row in visit.rows if self._is_fresh(row)]
        self._note(source, visit, gaps, len(rows), began_at)
        looked_after = None if before is None else datetime.fromtimestamp(before, UTC)
        if rows or gaps or visit.changes or visit.pages or visit.sightings:
            # From the beginning of the last look, which did not have it, to the end of this one: what is new came in between.
            looked_at = datetime.fromtimestamp(began_at + took_s, UTC)
            self._brought.append(Brought(source, visit, rows, gaps, looked_at, looked_after))
            self.figures.waiting_rows += len(rows)
        if visit.state or not visit.is_unchanged:
            self._new_states[source.source_id] = orjson.dumps(visit.state).decode()
        self.figures.lags.append(took_s)
        wait = interval_s(source.posts_a_day, self._pace.max_staleness_s, visit.next_in_s, source.priority)
        # After the first look since the start anywhere in the interval: what began together does not stay together.
        least = 0.2 if self._looks[source.source_id] == 1 else 0.9
        asked = min(visit.next_in_s or 0.0, wait)  # never undercut, up to the bound of staleness
        self._again(source, _MORE_S if visit.more else max(wait * self._rng.uniform(least, 1.0), asked))
        if not visit.more:
            source.interval_s = wait

    @property
    def _gap_from_s(self) -> float:
        return max(_FEWEST_GAP_S, 2 * self._pace.max_staleness_s)

    def _unseen_s(self, source: Source, at: float, on: float) -> float:
        """Return seconds since the last successful look, by whichever clock says more: no clock that was set hides a gap.

        Args:
            at, on: now by the wall and by the steady clock.
        """
        if source.succeeded_at is None:
            return 0.0
        wall_s = at - source.succeeded_at
        succeeded_on = self._succeeded_on.get(source.source_id)
        steady_s = wall_s + self._set_back_s(at, on) if succeeded_on is None else on - succeeded_on
        # The wall by a second and less, so that all that is told of one gap has the same beginning.
        return max(steady_s if steady_s > wall_s + 1.0 else wall_s, 0.0)

    def _set_back_s(self, at: float, on: float) -> float:
        """Return by how much the wall clock was set back since the last storing before our start, or since the start."""
        wall_before, steady_before = self._clocks_before
        return (on - steady_before) - (at - wall_before)

    def _tell_open_gap(self, source: Source, kind: Trouble, now: float) -> None:
        """Record the gap of a source that is still down, each time that it has become twice as long."""
        unseen_s = self._unseen_s(source, now, self._steady())
        if unseen_s > max(self._gap_from_s, 2 * self._told_s.get(source.source_id, 0.0)):
            self._told_s[source.source_id] = unseen_s
            at = datetime.fromtimestamp(now, UTC)
            self._brought.append(Brought(source, Visit(), (), (_gap(now, unseen_s, kind.value),), at, None))

    async def _read_clocks(self) -> None:
        """Take up what the clocks were when something was last stored in this boot of the machine."""
        with contextlib.suppress(StoreUnavailable):
            kept = await asyncio.to_thread(self._store.kept, "clocks")
            if kept.get("boot") == boot():
                self._clocks_before = (float(kept["wall"]), float(kept["steady"]))

    def _note(self, source: Source, visit: Visit, gaps: Sequence[Gap], n_rows: int, began_at: float) -> None:
        if source.succeeded_at is not None and self._looks[source.source_id] > 1:
            # Rows of a first look since the start may be old ones, so they say nothing of the rate.
            elapsed = began_at - source.succeeded_at
            if elapsed > 0.0:  # else the wall clock was set back
                source.posts_a_day = rate_after(source.posts_a_day, n_rows, elapsed)
        source.trouble, source.n_failures = None, 0
        source.n_visits += 1
        source.n_requests += visit.n_requests
        source.n_bytes += visit.n_bytes
        source.visited_at = source.succeeded_at = began_at
        if n_rows:
            source.brought_at = began_at
        source.n_gaps += len(gaps)
        source.gap_s += sum((gap.until - gap.since).total_seconds() for gap in gaps)
        self._note_move(source, visit)
        for note in visit.notes:
            logger.warning("note", extra={"place": source.address, "detail": note})
        self.figures.n_visits += 1
        self.figures.n_unchanged += visit.is_unchanged
        self.figures.n_requests += visit.n_requests
        self.figures.n_bytes += visit.n_bytes
        self.figures.n_gaps += len(gaps)

    def _note_move(self, source: Source, visit: Visit) -> None:
        if visit.moved_to is None or visit.moved_to == source.address:
            if not visit.is_unchanged:
                self._moves.pop(source.source_id, None)
            return
        if self._collectors[source.collector].card.has_accounts or names_somebody(visit.moved_to):
            # Nobody has looked at the audience there, and what it is called may be a private person's name.
            logger.warning("moved; add the new account if it is a publisher's", extra={"place": source.address})
            return
        to, n = self._moves.get(source.source_id, ("", 0))
        self._moves[source.source_id] = (visit.moved_to, n + 1 if to == visit.moved_to else 1)

    def _is_fresh(self, row: Mapping[str, Any]) -> bool:
        """Say whether a row was not seen in this form lately; those that were need no second check."""
        key = _key(row)
        if key in self._seen:
            return False
        if key in self._seen_before:
            self._seen.add(key)
            return False
        if len(self._seen) >= _REMEMBERED:
            self._seen_before, self._seen = self._seen, set()
        self._seen.add(key)
        return True

    def _again(self, source: Source, wait_s: float) -> None:
        if source.source_id not in self._sources:
            return  # given up meanwhile
        source.next_at = self._wall() + wait_s
        self._touched[source.source_id] = source
        self._schedule(source.source_id, wait_s)

    # ---- listening --------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Keep one stream for each collector that listens and has sources with the option ``stream``."""
        wanted: dict[tuple[str, ...], list[Source]] = {}
        for source in self._sources.values():
            if source.options.get("stream") and hasattr(self._collectors.get(source.collector), "listen"):
                wanted.setdefault((source.collector,), []).append(source)
        for key in [key for key in self._streams if key[:1] not in wanted]:
            self._streams.pop(key).cancel()
        for name, sources in wanted.items():
            key = (*name, *(str(s.source_id) for s in sources))
            if key not in self._streams or self._streams[key].done():
                for old in [k for k in self._streams if k[0] == key[0] and k != key]:
                    self._streams.pop(old).cancel()
                self._streams[key] = asyncio.create_task(self._hear(sources))

    async def _hear(self, sources: Sequence[Source]) -> None:
        """Listen, and begin again with back-off when the stream breaks."""
        n_failures = 0
        collector: Any = self._collectors[sources[0].collector]
        while not self._stop.is_set():
            watched = [self._watched(source) for source in sources]
            try:
                async for source_id, visit in collector.listen(
                    watched, self._web, datetime.fromtimestamp(self._wall(), UTC)
                ):
                    n_failures = 0
                    source = self._sources.get(source_id)
                    if source is None:
                        continue
                    rows = [row for row in visit.rows if self._is_fresh(row)]
                    now = self._wall()
                    self._note(source, replace(visit, n_requests=0), visit.gaps, len(rows), now)
                    at = datetime.fromtimestamp(now, UTC)
                    self._brought.append(Brought(source, visit, rows, visit.gaps, at, at))
                    self.figures.waiting_rows += len(rows)
                    if visit.state:
                        # A stream tells its own part only; what visits remember meanwhile stays.
                        before = self._new_states.get(source_id) or self._states.get(source_id, "{}")
                        self._new_states[source_id] = orjson.dumps({**orjson.loads(before), **visit.state}).decode()
                    self._touched[source_id] = source
                    while self.figures.waiting_rows >= self._pace.most_rows:
                        await asyncio.sleep(0.1)
                n_failures += 1
            except FetchFailed as error:
                n_failures += 1
                self.figures.troubles[str(error.kind)] += 1
            except Exception:
                n_failures += 1
                logger.exception("listening failed", extra={"collector": sources[0].collector})
            wait = backoff_s(Trouble.CONNECT, n_failures, 0.0, FEWEST_S, None, self._rng) / 20
            await asyncio.sleep(wait)

    # ---- leases and storing ------------------------------------------------------------------------------------

    async def _share(self, *, spread: bool) -> None:
        """Renew leases; load sources that became ours, drop those that went."""
        try:
            await self._renew(spread=spread)
        except StoreUnavailable as error:
            self.figures.trouble = str(error)
        self._listen()

    async def _renew(self, *, spread: bool) -> None:
        shared = await asyncio.to_thread(self._store.share, self._holder, self._wall())
        self._drop(shared.lost)
        surplus = [
            n for n in shared.surplus if not any(self._sources[s].slice == n for s in self._busy if s in self._sources)
        ]
        if surplus:
            await self._flush_now()
            self._drop(surplus)
            await asyncio.to_thread(self._store.release, self._holder, surplus)
        taken = list(shared.taken)
        if taken or surplus or self._steady() - self._listed_at >= _LISTED_S:
            await self._list(taken, spread=spread)
        await self._hurry()

    async def _hurry(self) -> None:
        """Visit soon what was made due: by hand, or by a hub, which is a stranger's and may push without end."""
        now = self._wall()
        for source_id in await asyncio.to_thread(self._store.hurried, list(self._holder.tokens)):
            source = self._sources.get(source_id)
            if source is not None:
                rest_s = min(max(0.0, FEWEST_S - (now - (source.visited_at or 0.0))), FEWEST_S)
                self._schedule(source_id, rest_s)

    async def _list(self, taken: Sequence[int], *, spread: bool) -> None:
        known = {source.source_id for source in self._sources.values()}
        fresh = await asyncio.to_thread(self._store.sources, list(self._holder.tokens))
        self._listed_at = self._steady()
        listed = {source.source_id: source for source in fresh if not source.is_paused}
        for source_id in known - listed.keys():
            self._forget(source_id)
        new = [source for source in listed.values() if source.source_id not in self._sources]
        for source in listed.values():
            mine = self._sources.get(source.source_id)
            if mine is not None:
                mine.priority, mine.options = source.priority, source.options
        if new:
            self._states.update(await asyncio.to_thread(self._store.states, [source.source_id for source in new]))
            self._take(new, spread=spread and len(new) > 1)
        self.figures.n_sources = len(self._sources)
        if taken:
            logger.info("leases", extra={"n_slices": len(self._holder.tokens), "n_sources": len(self._sources)})
        oldest = [s.succeeded_at for s in self._sources.values() if s.succeeded_at and not s.n_failures]
        self.figures.oldest_s = max(0.0, self._wall() - min(oldest)) if oldest else 0.0

    def _take(self, new: Sequence[Source], *, spread: bool) -> None:
        """Schedule sources. What is overdue is spread over the time that visiting all of it takes, most urgent first."""
        now = self._wall()
        # A clock that was set back must not put a source off, nor, where that is not known, for longer than any back-off.
        later = now + max(0.0, self._set_back_s(now, self._steady()))
        waits = {s.source_id: min(max(0.0, s.next_at - later), 86_400.0) for s in new}
        overdue = [s for s in new if waits[s.source_id] <= 0.0]
        overdue.sort(key=lambda s: (-s.priority, s.n_failures > 0, s.succeeded_at or 0.0))
        for place, source in enumerate(overdue):
            if spread:
                waits[source.source_id] = place / self._pace.starts_a_second * self._rng.uniform(0.9, 1.1)
        for source in new:
            self._sources[source.source_id] = source
            self._schedule(source.source_id, waits[source.source_id])

    def _drop(self, slices: Sequence[int]) -> None:
        gone = set(slices)
        if gone:
            for source in [s for s in self._sources.values() if s.slice in gone]:
                self._forget(source.source_id)

    def _forget(self, source_id: int) -> None:
        self._sources.pop(source_id, None)
        self._tickets.pop(source_id, None)
        self._succeeded_on.pop(source_id, None)
        self._told_s.pop(source_id, None)
        self._states.pop(source_id, None)

    async def _flush_now(self) -> None:
        if self._flushing is not None:
            await self._flushing
        await self._flush()

    async def _flush(self) -> None:
        """Store what is in hand: the lake, then the list of sources. Nothing is dropped when either refuses."""
        self._flushed_at = self._steady()
        # What is written of the sources is what they were when the batch was taken: what comes while it is stored may not
        # count before it is stored too, and a source that always brings something must not wait for a quiet moment.
        brought, self._brought = self._brought, []
        copies = {n: replace(source, troubles=dict(source.troubles)) for n, source in self._touched.items()}
        states = {n: state for n, state in self._new_states.items() if n in copies}
        if brought:
            try:
                counts, refused = await self._land_all(brought)
            except (DiskFull, HomeBusy) as error:
                self._brought = brought + self._brought
                self.figures.trouble = str(error)
                self.figures.is_full = isinstance(error, DiskFull)
                self._flushed_at = self._steady() + _RETRY_S - self._pace.flush_s
                return
            self.figures.is_full = False
            self.figures.trouble = ""
            self._count(counts)
            for key, n in counts.items():
                if key.startswith("posts:") and (copy := copies.get(int(key[6:]))) is not None:
                    copy.n_posts += n
            for one in refused:
                # The next visit must bring it again: from the state before, and with no row taken for seen.
                states.pop(one.source.source_id, None)
                self._new_states.pop(one.source.source_id, None)
                for row in one.rows:
                    self._seen.discard(_key(row))
                    self._seen_before.discard(_key(row))
            await self._part_with([int(key[8:]) for key in counts if key.startswith("private:")])
        self.figures.waiting_rows = sum(len(one.rows) for one in self._brought)
        if not copies:
            return
        clocks = {"boot": boot(), "wall": self._wall(), "steady": self._steady()}
        try:
            lost = await asyncio.to_thread(self._store.save, self._holder, list(copies.values()), states, self._wall())
            await asyncio.to_thread(self._store.keep, "clocks", clocks)
        except StoreUnavailable as error:
            self.figures.trouble = str(error)
            return
        if lost:
            logger.warning("leases lost", extra={"n_sources": len(lost)})
        for source_id, copy in copies.items():
            source = self._touched.get(source_id)
            # visited again while it was written: that stays to be written
            if source is not None and (source.n_visits, source.visited_at) == (copy.n_visits, copy.visited_at):
                self._touched.pop(source_id)
        for source_id, state in states.items():
            if source_id in self._sources:
                self._states[source_id] = state
            if self._new_states.get(source_id) is state:
                self._new_states.pop(source_id)
        await self._move([self._sources[n] for n in copies if n in self._sources])

    async def _part_with(self, source_ids: Sequence[int]) -> None:
        """Watch accounts no longer that turned out to be private persons', and forget their addresses (SCOPE, rule 2)."""
        if source_ids:
            with contextlib.suppress(StoreUnavailable):  # its next post tells again
                await asyncio.to_thread(self._store.remove, source_ids)
            logger.warning("private accounts are no longer watched", extra={"n_sources": len(source_ids)})
        for source_id in source_ids:
            self._forget(source_id)
            self._touched.pop(source_id, None)
            self._new_states.pop(source_id, None)

    async def _land_all(self, brought: Sequence[Brought]) -> tuple[Counter[str], list[Brought]]:
        """Store visits; return the counts and the visits that cannot be stored, each of which is told in the log.

        One visit with which the storing fails must not end the watching of all others: they are then stored one by one.
        """
        try:
            return await asyncio.to_thread(self._land, brought), []
        except BastauError:
            raise
        except Exception:
            logger.exception("storing failed", extra={"n_visits": len(brought)})
        counts: Counter[str] = Counter()
        refused = []
        for one in brought:
            try:
                counts += await asyncio.to_thread(self._land, [one])
            except BastauError:
                raise
            except Exception:
                logger.exception("visit cannot be stored", extra={"place": one.source.address})
                source = one.source
                source.trouble = str(Trouble.BROKEN)
                source.troubles[source.trouble] = source.troubles.get(source.trouble, 0) + 1
                self.figures.troubles[source.trouble] += 1
                refused.append(one)
        return counts, refused

    async def _move(self, sources: Sequence[Source]) -> None:
        for source in sources:
            to, n = self._moves.get(source.source_id, ("", 0))
            if n >= _MOVES:
                del self._moves[source.source_id]
                is_moved = False
                with contextlib.suppress(StoreUnavailable):  # it says so again
                    is_moved = await asyncio.to_thread(self._store.move, source.source_id, to)
                if is_moved:
                    logger.warning("moved", extra={"place": source.address, "to": to})
                    source.address, source.slice = to, slice_of(to)

    def _count(self, counts: Counter[str]) -> None:
        for name in ("n_posts", "n_edits", "n_rejects", "n_repeats"):
            setattr(self.figures, name, getattr(self.figures, name) + counts[name])
        for key, n in counts.items():
            if key.startswith("posts:"):
                source = self._sources.get(int(key[6:]))
                if source is not None:
                    source.n_posts += n

    async def _finish(self) -> None:
        """Store the rest, trying for a while, and give up the leases."""
        for _ in range(30):
            await self._flush_now()
            if not self._brought and not self._touched:
                break
            await asyncio.sleep(_RETRY_S)
        with contextlib.suppress(StoreUnavailable):
            await asyncio.to_thread(self._store.release, self._holder, list(self._holder.tokens))


def _gap(until: float, length_s: float, reason: str) -> Gap:
    return Gap(datetime.fromtimestamp(until - length_s, UTC), datetime.fromtimestamp(until, UTC), reason)


def _key(row: Mapping[str, Any]) -> int:
    return hash((row.get("post_id"), row.get("title"), row.get("text")))


def _site(address: str) -> str:
    """Return what is visited by one at a time: the host and port of an address."""
    return address.split("/", 3)[2] if "://" in address else address

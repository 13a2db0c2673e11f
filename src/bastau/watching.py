"""Live visits into the lake, and the watching as a whole: the list of sources, the way to the network, the loop.

For each batch of visits the order of commits is rejects, pages, publishers, what places said of posts and how these were
seen (sightings, edits, looks, gaps), then the posts, the row in ``imports``, and last the list of sources. Killed in
between, the next visits bring the same rows again: posts are told by their keys and left out, edits by their content. A
post may then have two looks, both of them true: the earlier one tells when it was first seen.
"""

import asyncio
import base64
import contextlib
import logging
import os
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from bastau import plugins
from bastau.collect.addresses import website_of
from bastau.collect.handles import canonical, scrub
from bastau.collect.importing import Chunk, LiveChunk, read_live
from bastau.collect.privacy import Authors
from bastau.collect.pseudonyms import Pseudonyms
from bastau.collect.reading import digest
from bastau.collect.visits import Change, Collector, Row
from bastau.collect.watching.rounds import Brought, Figures, Pace, Rounds
from bastau.collect.watching.store import Source, Store, process_name
from bastau.errors import BastauError, ConfigError, HomeBusy
from bastau.evidence.archive import Archive
from bastau.evidence.commands import FOLDER, LOCK
from bastau.hashing import hash_strings
from bastau.home import Home, writing
from bastau.intake import FileReport, StoredKeys, known_publishers, publisher_keys, store_chunk
from bastau.schemas import CLAIMS, EDITS, GAPS, LOOKS
from bastau.tables import conform

_log = logging.getLogger(__name__)

WEBSITES = ("feed", "sitemap", "site")
"""Collectors of websites: outlets' own pages."""
_ERASE_EVERY_S = 86_400.0
LIST_FILE = "sources.db"
"""The list of sources in the home folder, where no PostgreSQL is named."""


class Landing:
    """Stores what visits brought, under the lock of the home; with an archive also what was fetched."""

    def __init__(
        self, home: Home, *, archive: Archive | None = None, wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    ):
        self._home, self._archive, self._wall = home, archive, wall
        self._lake = home.lake
        self._stored = StoredKeys(self._lake)
        self._with_accounts = {name for name, collector in collectors().items() if collector.card.has_accounts}
        self._publishers = known_publishers(self._lake)
        self._edits: set[tuple[int, int]] = set()
        self._gone: set[int] = set()
        self._edit_batches: set[str] = set()
        self._scrub: Callable[[str], str] | None = None
        self._read_edits()

    def _read_edits(self) -> None:
        """Take in the edits of batches that are not known yet: at first all, later those of other processes."""
        new = self._lake.batches("edits") - self._edit_batches
        self._edit_batches |= new
        if not new:
            return
        edits = self._lake.read("edits", ["post_key", "kind", "content_key", "seen_at"], new).sort_by("seen_at")
        for edit in edits.to_pylist():
            if edit["kind"] == "edited":
                self._edits.add((edit["post_key"], edit["content_key"]))
            else:
                (self._gone.add if edit["kind"] == "deleted" else self._gone.discard)(edit["post_key"])

    def __call__(self, brought: Sequence[Brought]) -> Counter[str]:
        """Store a batch; return counts: n_posts, n_repeats, n_edits, n_rejects, ``posts:<source_id>``, and
        ``private:<source_id>`` for an account whose posts show that it is a private person's.

        Raises:
            HomeBusy: another process writes; nothing was stored.
            DiskFull: no space; what was stored is stored.
        """
        with self._home.locked(briefly=True):
            self._stored.refresh()
            self._read_edits()
            counts: Counter[str] = Counter()
            for some in _each_post_once(brought):
                counts += self._store(some)
            self._scrub = self._scrubber()
        # Out of the lock: replacing handles in long pages takes its time.
        self._preserve(self._scrub)
        return counts

    def preserve(self) -> None:
        """Write what is left for the archive; told and lost if that cannot be done within a minute."""
        if self._scrub is not None:
            self._preserve(self._scrub, patience_s=60.0)

    def _preserve(self, scrub_page: Callable[[str], str], patience_s: float = 0.0) -> None:
        if self._archive is None:
            return
        try:
            self._archive.write(scrub_page, self._wall(), lock=lambda: writing(self._home, LOCK, patience_s))
        except (BastauError, OSError) as error:
            # The posts are stored; what was fetched is held for the next time, also where the archive has no space.
            (_log.info if isinstance(error, HomeBusy) and not patience_s else _log.error)(
                "evidence not kept: %s", error
            )

    def _scrubber(self) -> Callable[[str], str]:
        replace_handle = self._authors().replace
        return lambda text: scrub(text, "web", replace_handle, markup=True)

    def _authors(self) -> Authors:
        return open_authors(self._home, self._wall(), self._publishers)

    def _store(self, brought: Sequence[tuple[int, Brought, list[Row]]]) -> Counter[str]:
        # A wall clock that was set back since the looks must not make their rows ones of the future, which are rejected.
        now = max([self._wall(), *(one.looked_at for _, one, _ in brought)])
        authors = self._authors()
        rows = [
            {"collected_at": _text(one.looked_at), **row, "line": number}
            for number, one, some in brought
            for row in some
        ]
        changes = [(one.looked_at, change) for _, one, _ in brought for change in one.visit.changes]
        live = read_live(
            rows,
            [dict(page) for _, one, _ in brought for page in one.visit.pages],
            [dict(said) for _, one, _ in brought for said in one.visit.sightings],
            [change.post_id for _, change in changes],
            authors=authors,
            now=now,
            place="watch",
        )
        known, same = self._stored.find(live.posts)
        fresh = live.posts.filter(pa.array(~known))
        edits = self._edited(live, known & ~same, now)
        edits += self._changed(changes, live.changed)
        batch = _name(rows)
        chunk = Chunk(batch, fresh, live.rejects, live.pages, CLAIMS.empty_table(), 0, "watch")
        places = {number: self._place(one.source, some, authors) for number, one, some in brought}
        looks, by_number = _looks(live, ~known, {number: one for number, one, _ in brought}, places)
        extra = {
            "sightings": live.sightings,
            "edits": pa.Table.from_pylist(edits, EDITS),
            "looks": looks,
            "gaps": pa.Table.from_pylist(_gaps({number: one for number, one, _ in brought}, places), GAPS),
        }
        part = FileReport(
            "watch", "watch", n_posts=fresh.num_rows, n_repeats=int(same.sum()), n_rejects=live.rejects.num_rows
        )
        if any(table.num_rows for table in (fresh, live.rejects, live.pages, *extra.values())):
            try:
                store_chunk(self._lake, chunk, part, self._home.settings.publishers.min_audience, now, extra)
            except BaseException:
                self._forget(edits)
                raise
        self._stored.add(fresh)
        self._stored.stored(batch)
        self._edit_batches.add(batch)
        self._publishers.update(publisher_keys(fresh))
        counts = Counter(
            n_posts=fresh.num_rows, n_repeats=int(same.sum()), n_edits=len(edits), n_rejects=live.rejects.num_rows
        )
        sources = {number: one.source.source_id for number, one, _ in brought}
        for number, n in by_number.items():
            counts[f"posts:{sources[number]}"] += n
        for number, one, _ in brought:
            if places[number] != one.source.address:
                counts[f"private:{one.source.source_id}"] = 1
        return counts

    def _place(self, source: Source, rows: Sequence[Row], authors: Authors) -> str:
        """Return the address of a source; without the handle in it when all that it brought is by a private person.

        An account may have lost its audience since it was added, or since its posts were stored under its name.
        """
        if not rows or authors.everyone or source.collector not in self._with_accounts:
            return source.address
        least = self._home.settings.publishers.min_audience
        for row in rows:
            platform, audience = str(row["platform"]), row.get("audience")
            handle = canonical(platform, str(row["source"]))
            is_small = isinstance(audience, int) and audience < least
            is_publisher = authors.is_named(platform, handle) or (not is_small and authors.is_known(platform, handle))
            if is_publisher or row.get("source_kind") != "account":
                return source.address
        return scrub(source.address, "web", authors.pseudonym)

    def _forget(self, edits: Sequence[Row]) -> None:
        """Take back that ``edits`` are known: they could not be stored and come again."""
        for edit in reversed(edits):
            if edit["kind"] == "edited":
                self._edits.discard((edit["post_key"], edit["content_key"]))
            else:
                (self._gone.discard if edit["kind"] == "deleted" else self._gone.add)(edit["post_key"])

    def _edited(self, live: LiveChunk, is_otherwise: np.ndarray, now: datetime) -> list[Row]:
        """Return edits for posts stored with another text, each content of a post once."""
        found: list[Row] = []
        names = ["post_id", "post_key", "content_key", "title", "text", "collected_at"]
        for row in live.posts.filter(pa.array(is_otherwise)).select(names).to_pylist():
            key = (row["post_key"], row["content_key"])
            if key not in self._edits:
                self._edits.add(key)
                found.append(
                    {**{k: row[k] for k in names[:-1]}, "kind": "edited", "seen_at": row["collected_at"] or now}
                )
        return found

    def _changed(self, changes: Sequence[tuple[datetime, Change]], ids: Sequence[str]) -> list[Row]:
        """Return edits for what places say is gone or back, each once in a row; edits bring their words with them, as rows."""
        found: list[Row] = []
        keys = hash_strings(pa.array(ids, pa.string())).tolist() if changes else []
        for (seen_at, change), post_id, key in zip(changes, ids, keys, strict=True):
            if change.kind == "edited" or (change.kind == "deleted") == (key in self._gone):
                continue
            (self._gone.add if change.kind == "deleted" else self._gone.discard)(key)
            row = {"post_id": post_id, "post_key": key, "kind": change.kind, "seen_at": seen_at}
            found.append({**row, "content_key": None, "title": None, "text": None})
        return found


def _each_post_once(brought: Sequence[Brought]) -> list[list[tuple[int, Brought, list[Row]]]]:
    """Deal visits out into parts in each of which every post id stands once; a second form of a post comes later.

    Rows of changes (edits that the place tells of) count among the rows. All else of a visit goes with its first part.
    """
    parts: list[list[tuple[int, Brought, list[Row]]]] = []
    seen: list[set[str]] = []
    for number, one in enumerate(brought):
        rows = [dict(row) for row in one.rows] + [dict(c.row) for c in one.visit.changes if c.row is not None]
        placed: dict[int, list[Row]] = {0: []}
        for row in rows:
            post_id = str(row.get("post_id"))
            at = next((n for n, ids in enumerate(seen) if post_id not in ids), len(seen))
            if at == len(seen):
                seen.append(set())
            seen[at].add(post_id)
            placed.setdefault(at, []).append(row)
        for at, some in sorted(placed.items()):
            while len(parts) <= at:
                parts.append([])
            parts[at].append((number, one if at == 0 else _rows_only(one), some))
    return parts


def _rows_only(one: Brought) -> Brought:
    return replace(one, visit=replace(one.visit, changes=(), pages=(), sightings=()), gaps=())


def _looks(
    live: LiveChunk, is_new: np.ndarray, by_number: Mapping[int, Brought], places: Mapping[int, str]
) -> tuple[pa.Table, Counter[int]]:
    """Return LOOKS of the new posts, and how many new posts each visit brought."""
    keep = pa.array(is_new)
    posts, lines = live.posts.filter(keep), live.lines.filter(keep).to_pylist()
    ones = [by_number[line] for line in lines]
    table = pa.table(
        {
            "post_id": posts.column("post_id"),
            "post_key": posts.column("post_key"),
            "place": pa.array([places[line] for line in lines], pa.string()),
            "looked_after": pa.array([one.looked_after for one in ones], LOOKS.field("looked_after").type),
            "looked_at": pa.array([one.looked_at for one in ones], LOOKS.field("looked_at").type),
        }
    )
    return conform(table, LOOKS), Counter(lines)


def _gaps(by_number: Mapping[int, Brought], places: Mapping[int, str]) -> list[Row]:
    return [
        {"place": places[number], "since_at": gap.since, "until_at": gap.until, "reason": gap.reason}
        for number, one in by_number.items()
        for gap in one.gaps
    ]


def _name(rows: Sequence[Row]) -> str:
    """Return the name of a batch; never one that was used before, since rows of live places have no file."""
    content = digest(orjson.dumps([str(row.get("post_id")) for row in rows]), secrets.token_bytes(8))
    return base64.b32encode(content[:15]).decode("ascii").lower()


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


# ---- all of it together ----------------------------------------------------------------------------------------


def collectors() -> dict[str, Collector]:
    """Return every installed collector by name."""
    return {name: plugins.load("collectors", name) for name in plugins.names("collectors")}


def check_options(names: Iterable[str]) -> None:
    """Refuse options that no collector knows by its card: one that is mistyped would be kept and do nothing.

    Raises:
        ConfigError: names them, and those that are known.
    """
    cards = [collector.card for collector in collectors().values()]
    known = {name for card in cards for name in (*card.options, *card.needs)}
    if unknown := sorted(set(names) - known):
        raise ConfigError(f"no collector knows the option {', '.join(unknown)}; known: {', '.join(sorted(known))}")


def open_authors(home: Home, now: datetime, publishers: Collection[tuple[str, str]]) -> Authors:
    """Return who tells publishers from private persons; ``publishers`` are those stored, sources in lower case."""
    settings = home.settings.publishers
    pseudonyms = Pseudonyms.open(home.keys, now, settings.key_days)
    return Authors(settings, pseudonyms, lambda platform, handle: (platform, handle.casefold()) in publishers)


def open_store(home: Home) -> Store:
    """Open the list of sources of a home.

    Raises:
        ConfigError: the database that the settings name cannot be used.
        StoreUnavailable: it does not answer.
    """
    named = home.settings.watch.database
    if named.startswith("env:"):
        variable = named[4:]
        named = os.environ.get(variable, "")
        if not named:
            raise ConfigError(f"watch.database: the environment has no variable {variable}")
    return Store(named or home.folder / LIST_FILE)


@contextlib.asynccontextmanager
async def open_rounds(home: Home, store: Store, wall: Callable[[], float] = time.time) -> AsyncIterator[Rounds]:
    """Open the loop with everything around it; what hosts asked of us is kept over restarts.

    Args:
        wall: the clock that recorded times go by.

    Raises:
        ConfigError: the fetcher is not installed, or settings do not fit.
    """
    try:
        from bastau.collect.web.fetching import open_web
    except ImportError as error:
        raise ConfigError("watching needs more libraries: pip install 'bastau[watch]'") from error
    watch, network = home.settings.watch, home.settings.network
    pace = Pace(
        max_staleness_s=watch.max_staleness_s,
        parallel=network.parallel,
        starts_a_second=watch.starts_a_second,
        flush_s=watch.store_every_s,
    )
    archive = await asyncio.to_thread(open_archive, home, store)

    def now() -> datetime:
        return datetime.fromtimestamp(wall(), UTC)

    landing = await asyncio.to_thread(lambda: Landing(home, archive=archive, wall=now))
    record = None if archive is None else archive.take
    async with open_web(home.settings, now=now, record=record, state=store.kept("web")) as web:
        rounds = Rounds(store, collectors(), web, landing, name=process_name(), pace=pace, wall=wall)
        erasing = asyncio.create_task(_erase_daily(home, store))
        try:
            yield rounds
        finally:
            erasing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await erasing
            if archive is not None:
                await asyncio.to_thread(landing.preserve)
            store.keep("web", web.state())


def open_archive(home: Home, store: Store) -> Archive | None:
    """Return the archive that the settings want, None for none; what is too old to be kept is erased first."""
    erase_old(home, store)
    evidence = home.settings.evidence
    if evidence.keep == "none":
        return None
    from bastau.collect.web.fetching import user_agent

    hosts = frozenset(
        website_of(source.address)
        for source in _websites(store)
        if evidence.keep == "all" or source.options.get("evidence")
    )
    contact = home.settings.network.contact
    return (
        Archive(home.folder / FOLDER, hosts.__contains__, agent=user_agent(contact), operator=contact)
        if hosts
        else None
    )


def erase_old(home: Home, store: Store) -> None:
    """Erase evidence older than the option ``evidence_days`` of its website wants, or else the settings.

    Raises:
        ConfigError: the option of a source is no number of days.
    """
    folder, default = home.folder / FOLDER, home.settings.evidence.keep_days
    by_website = _days_by_website(_websites(store))
    if not folder.exists() or not (default or by_website):
        return
    archive, now = Archive(folder), datetime.now(UTC)
    try:
        with writing(home, LOCK):
            old = archive.expired_by(
                now, lambda *sites: min((by_website[s] for s in sites if s in by_website), default=default) or None
            )
            why = "older than evidence_days of its website, or else [evidence] keep_days"
            archive.erase(old, now, by="watch", why=why)
    except (BastauError, OSError) as error:  # keeps nobody from watching
        _log.error("old evidence not erased: %s", error)


async def _erase_daily(home: Home, store: Store) -> None:
    while True:
        await asyncio.sleep(_ERASE_EVERY_S)
        try:
            await asyncio.to_thread(erase_old, home, store)
        except BastauError as error:
            _log.error("old evidence not erased: %s", error)


def _websites(store: Store) -> list[Source]:
    # Told by what collects there, not by its address: anybody may run a social server.
    return [source for source in store.sources() if source.collector in WEBSITES]


def _days_by_website(watched: Sequence[Source]) -> dict[str, int]:
    """Return for how many days websites are kept whose sources have the option ``evidence_days``; the shortest counts."""
    found: dict[str, int] = {}
    for source in watched:
        days = source.options.get("evidence_days")
        if days is None:
            continue
        if not isinstance(days, int) or isinstance(days, bool) or days < 1:
            raise ConfigError(
                f"{source.address}: the option evidence_days is a number of days, 1 or more, and not {days!r}"
            )
        website = website_of(source.address)
        found[website] = min(days, found.get(website, days))
    return found


# ---- how it goes -----------------------------------------------------------------------------------------------


def say(figures: Figures, elapsed_s: float) -> list[tuple[str, str]]:
    """Return figures of the loop as (name, value) for people."""
    f, per_s = figures, 1.0 / max(elapsed_s, 1.0)
    lags = sorted(f.lags)
    rows = [
        ("sources", f"{f.n_sources:,}"),
        (
            "visits",
            f"{f.n_visits:,} ({f.n_visits * per_s:.1f}/s), {f.n_unchanged:,} unchanged, {f.in_flight} under way",
        ),
        (
            "posts",
            f"{f.n_posts:,} new, {f.n_edits:,} edited or gone, {f.n_rejects:,} rejected, {f.waiting_rows:,} to be stored",
        ),
        ("behind", f"{f.late_s:.0f} s; longest unvisited of the healthy {f.oldest_s / 60:.0f} min"),
        ("a visit", f"median {lags[len(lags) // 2]:.2f} s" if lags else "-"),
        ("failures", ", ".join(f"{kind} {n:,}" for kind, n in f.troubles.most_common(6)) or "none"),
        ("gaps", f"{f.n_gaps:,}"),
        ("fetched", f"{f.n_bytes / 1e6:,.1f} MB in {f.n_requests:,} requests"),
    ]
    return [*rows, ("waiting", f.trouble)] if f.trouble else rows


def told(figures: Figures) -> tuple[dict[str, Any], list[str]]:
    """Return what a watching came to."""
    answer = {
        name: getattr(figures, name)
        for name in (
            "n_sources", "n_visits", "n_unchanged", "n_failures", "n_posts", "n_edits", "n_rejects", "n_repeats", "n_gaps",
            "n_requests", "n_bytes",
        )
    }  # fmt: skip
    answer["troubles"] = dict(figures.troubles)
    answer["n_waiting"] = figures.waiting_rows
    lines = [
        f"{figures.n_visits} visits to {figures.n_sources} sources: {figures.n_posts} new posts, {figures.n_edits} edits, "
        f"{figures.n_rejects} rejected, {figures.n_failures} failures, {figures.n_gaps} gaps",
        "next: bastau run",
    ]
    if figures.waiting_rows:
        lines.insert(
            1, f"not stored: {figures.waiting_rows} rows ({figures.trouble}); the next watch fetches them again"
        )
    return answer, lines


@contextlib.contextmanager
def serve_metrics(figures: Figures, port: int) -> Iterator[int]:
    """Serve figures to Prometheus on 127.0.0.1 and yield the port.

    Raises:
        ConfigError: the port is taken, or the library is missing.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    except ImportError as error:
        raise ConfigError("metrics need more libraries: pip install 'bastau[watch]'") from error

    class _Figures:
        def collect(self) -> Iterator[Any]:
            for name in ("visits", "unchanged", "posts", "edits", "rejects", "repeats", "gaps", "requests", "bytes"):
                yield CounterMetricFamily(
                    f"bastau_{name}", f"{name} since the start", value=getattr(figures, f"n_{name}")
                )
            troubles = CounterMetricFamily("bastau_failures", "failed visits by kind", labels=["kind"])
            for kind, n in figures.troubles.items():
                troubles.add_metric([kind], n)
            yield troubles
            for name in ("n_sources", "in_flight", "waiting_rows", "late_s", "oldest_s"):
                yield GaugeMetricFamily(f"bastau_{name.removeprefix('n_')}", name, value=getattr(figures, name))

    registry = CollectorRegistry()
    registry.register(_Figures())
    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise ConfigError(f"port {port} cannot be used for metrics: {error.strerror}") from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

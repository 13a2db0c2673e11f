"""What is remembered of watched sources: SQLite in the home folder, or PostgreSQL when several processes share the work.

Sources are dealt out by *slices*: a source belongs to the slice of its site, and a process holds leases on slices, so a
site is never visited by two. A lease ends unless it is renewed; each new holder gets a new token, and a process writes
only under tokens it still has (fencing), so one that slept through its lease changes nothing.

Reference for fencing tokens: Kleppmann, Designing Data-Intensive Applications (2017), chapter 8.
"""

import contextlib
import json
import logging
import os
import secrets
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bastau.collect.visits import Found
from bastau.errors import ConfigError, SourceUnavailable
from bastau.registrable import registrable_domain

logger = logging.getLogger(__name__)

N_SLICES = 256
"""Slices that sources are dealt out in: the most processes that can share them."""
LEASE_S = 60.0
"""A holder that is silent for so long loses its slices."""

_TABLES = """
CREATE TABLE IF NOT EXISTS sources (
    source_id {serial},
    collector TEXT NOT NULL,
    address TEXT NOT NULL,
    slice INTEGER NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    options TEXT NOT NULL DEFAULT '{{}}',
    state TEXT NOT NULL DEFAULT '{{}}',
    priority INTEGER NOT NULL DEFAULT 0,
    is_paused INTEGER NOT NULL DEFAULT 0,
    added_at {real} NOT NULL,
    next_at {real} NOT NULL DEFAULT 0,
    interval_s {real} NOT NULL DEFAULT 0,
    posts_a_day {real},
    visited_at {real},
    succeeded_at {real},
    brought_at {real},
    trouble TEXT,
    n_failures INTEGER NOT NULL DEFAULT 0,
    n_visits INTEGER NOT NULL DEFAULT 0,
    n_posts INTEGER NOT NULL DEFAULT 0,
    n_requests INTEGER NOT NULL DEFAULT 0,
    n_bytes BIGINT NOT NULL DEFAULT 0,
    n_gaps INTEGER NOT NULL DEFAULT 0,
    gap_s {real} NOT NULL DEFAULT 0,
    troubles TEXT NOT NULL DEFAULT '{{}}',
    UNIQUE (collector, address)
);
CREATE INDEX IF NOT EXISTS sources_slice ON sources (slice);
CREATE TABLE IF NOT EXISTS slices (
    slice INTEGER PRIMARY KEY,
    holder TEXT,
    token BIGINT NOT NULL DEFAULT 0,
    until_at {real} NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS holders (holder TEXT PRIMARY KEY, until_at {real} NOT NULL);
CREATE TABLE IF NOT EXISTS subscriptions (
    path TEXT PRIMARY KEY,
    source_id BIGINT NOT NULL,
    hub TEXT NOT NULL,
    topic TEXT NOT NULL,
    secret TEXT NOT NULL,
    is_wanted INTEGER NOT NULL DEFAULT 1,
    asked_at {real},
    until_at {real},
    next_at {real} NOT NULL DEFAULT 0,
    n_asked INTEGER NOT NULL DEFAULT 0,
    trouble TEXT,
    UNIQUE (source_id, hub, topic)
);
CREATE TABLE IF NOT EXISTS hurried (source_id BIGINT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass
class Source:
    """A row of ``sources``, less the state; times in Unix seconds.

    Attributes:
        interval_s: last interval between visits.
        posts_a_day: rate of new posts, as estimated.
        trouble: kind of the last failure; None since the last success.
        n_failures: failures since the last success.
        troubles: failures by kind, ever.
        gap_s: seconds in which posts may have been missed, of all gaps together.
    """

    source_id: int
    collector: str
    address: str
    slice: int
    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    is_paused: bool = False
    added_at: float = 0.0
    next_at: float = 0.0
    interval_s: float = 0.0
    posts_a_day: float | None = None
    visited_at: float | None = None
    succeeded_at: float | None = None
    brought_at: float | None = None
    trouble: str | None = None
    n_failures: int = 0
    n_visits: int = 0
    n_posts: int = 0
    n_requests: int = 0
    n_bytes: int = 0
    n_gaps: int = 0
    gap_s: float = 0.0
    troubles: dict[str, int] = field(default_factory=dict)


_COLUMNS = tuple(Source.__dataclass_fields__)
_WRITTEN = (
    "next_at", "interval_s", "posts_a_day", "visited_at", "succeeded_at", "brought_at", "trouble", "n_failures",
    "n_visits", "n_posts", "n_requests", "n_bytes", "n_gaps", "gap_s",
)  # fmt: skip
"""Columns that a visit changes, beside ``troubles`` and ``state``."""


@dataclass(frozen=True)
class Subscription:
    """A subscription to a feed at a hub (WebSub), of a source that may be gone by now; times in Unix seconds.

    Attributes:
        path: end of the address at which the hub reaches us; nobody can guess it.
        is_wanted: False: it is being ended.
        asked_at: last request to the hub.
        until_at: end of the lease; None: never verified, or denied.
        next_at: next request to the hub.
        n_asked: requests since the hub verified one.
        trouble: kind of the last failure.
    """

    path: str
    source_id: int
    hub: str
    topic: str
    secret: str
    is_wanted: bool = True
    asked_at: float | None = None
    until_at: float | None = None
    next_at: float = 0.0
    n_asked: int = 0
    trouble: str | None = None


_OF_SUBSCRIPTIONS = tuple(Subscription.__dataclass_fields__)


class StoreUnavailable(SourceUnavailable):
    """The database does not answer; what is in hand is kept and tried again."""


@lru_cache(maxsize=1 << 16)
def slice_of(address: str) -> int:
    """Return the slice of an address: the same for all of one registrable domain, and for all of one port-less host."""
    host = (urlsplit(address).hostname or address).lower()
    return zlib.crc32(registrable_domain(host).encode()) % N_SLICES


class Store:
    """The one module that speaks SQL about watched sources; threads take turns.

    Args:
        url: ``postgresql://...``, or a path of an SQLite file.
    """

    def __init__(self, url: str | Path):
        self._url = url
        self._is_postgres = isinstance(url, str) and url.startswith(("postgresql://", "postgres://"))
        self._con: Any = None
        self._turn = threading.Lock()
        self._connect()
        words = (
            {"serial": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "real": "DOUBLE PRECISION"}
            if self._is_postgres
            else {"serial": "INTEGER PRIMARY KEY AUTOINCREMENT", "real": "REAL"}
        )
        with self._transaction():
            if self._is_postgres:  # two processes that start at once would both make the tables
                self._run("SELECT pg_advisory_xact_lock(8205118)")
            for statement in _TABLES.format(**words).split(";"):
                if statement.strip():
                    self._run(statement)
            self._run_many(
                "INSERT INTO slices (slice) VALUES (?) ON CONFLICT (slice) DO NOTHING", [(n,) for n in range(N_SLICES)]
            )

    # ---- the connection --------------------------------------------------------------------------------

    def _connect(self) -> None:
        if not self._is_postgres:
            try:
                self._con = sqlite3.connect(self._url, isolation_level=None, timeout=30.0, check_same_thread=False)
                self._con.execute("PRAGMA journal_mode = WAL")
                self._con.execute("PRAGMA synchronous = NORMAL")
            except sqlite3.Error as error:
                raise ConfigError(f"{self._url}: cannot be opened as the list of sources: {error}") from error
            return
        try:
            import psycopg
        except ImportError as error:
            raise ConfigError("[watch] database is PostgreSQL: pip install 'bastau[postgres]'") from error
        try:
            self._con = psycopg.connect(str(self._url), autocommit=True, connect_timeout=10)
        except psycopg.Error as error:
            raise StoreUnavailable("PostgreSQL does not answer; see [watch] database") from error

    def close(self) -> None:
        """Close the connection."""
        if self._con is not None:
            self._con.close()
            self._con = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _transaction(self, *, reads: bool = False) -> Iterator[None]:
        """Do all or nothing; a broken connection is made anew at the next call. What only ``reads`` keeps no writer waiting."""
        with self._turn, self._whole(reads):
            yield

    @contextlib.contextmanager
    def _whole(self, reads: bool) -> Iterator[None]:
        if self._con is None:
            self._connect()
        try:
            self._con.execute("BEGIN" if self._is_postgres or reads else "BEGIN IMMEDIATE")
            yield
            self._con.execute("COMMIT")
        except BaseException as error:
            broken = self._is_broken(error)
            with contextlib.suppress(Exception):
                self._con.execute("ROLLBACK")
            if broken:
                with contextlib.suppress(Exception):
                    self._con.close()
                self._con = None
                raise StoreUnavailable(f"the list of sources cannot be written: {type(error).__name__}") from error
            raise

    def _is_broken(self, error: BaseException) -> bool:
        if not self._is_postgres:
            return isinstance(error, sqlite3.OperationalError)
        import psycopg

        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)

    def _run(self, sql: str, values: Sequence[Any] = ()) -> Any:
        return self._con.execute(sql.replace("?", "%s") if self._is_postgres else sql, tuple(values))

    def _run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        if self._is_postgres:
            with self._con.cursor() as cursor:
                cursor.executemany(sql.replace("?", "%s"), rows)
        else:
            self._con.executemany(sql, rows)

    # ---- the list ---------------------------------------------------------------------------------------

    def add(self, found: Sequence[Found], *, options: Mapping[str, Any], priority: int, now: float) -> list[bool]:
        """Watch what was found; return for each whether it is new. Options and priority given are set on known ones too."""
        new = []
        with self._transaction():
            for one in found:
                row = (
                    one.collector, one.address, slice_of(one.address), one.title or "", json.dumps(dict(options)),
                    json.dumps(dict(one.state)), priority, now, one.posts_a_day,
                )  # fmt: skip
                done = self._run(
                    "INSERT INTO sources (collector, address, slice, name, options, state, priority, added_at, posts_a_day)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (collector, address) DO NOTHING",
                    row,
                )
                new.append(done.rowcount == 1)
                if not new[-1] and (options or priority):
                    where = (one.collector, one.address)
                    held = self._run("SELECT options, priority FROM sources WHERE collector = ? AND address = ?", where)
                    before, rank = held.fetchone()
                    merged = json.dumps({**json.loads(before), **options})
                    self._run(
                        "UPDATE sources SET options = ?, priority = ? WHERE collector = ? AND address = ?",
                        (merged, priority or rank, *where),
                    )
        return new

    def sources(self, slices: Sequence[int] | None = None) -> list[Source]:
        """Return all sources, or those of some slices, by id."""
        where, values = "", ()
        if slices is not None:
            if not slices:
                return []
            where, values = f" WHERE slice IN ({', '.join('?' * len(slices))})", tuple(slices)  # type: ignore[assignment]
        with self._transaction():
            rows = self._run(
                f"SELECT {', '.join(_COLUMNS)} FROM sources{where} ORDER BY source_id",  # noqa: S608 - our own names
                values,
            ).fetchall()
        return [_source(row) for row in rows]

    def states(self, source_ids: Sequence[int]) -> dict[int, str]:
        """Return the states of sources, as JSON."""
        found: dict[int, str] = {}
        with self._transaction():
            for start in range(0, len(source_ids), 500):
                some = tuple(source_ids[start : start + 500])
                rows = self._run(
                    f"SELECT source_id, state FROM sources WHERE source_id IN ({', '.join('?' * len(some))})",  # noqa: S608
                    some,
                ).fetchall()
                found.update(rows)
        return found

    def move(self, source_id: int, address: str) -> bool:
        """Give a source its new address, unless that is watched already; return whether it was done."""
        with self._transaction():
            done = self._run(
                "UPDATE sources SET address = ?, slice = ? WHERE source_id = ? AND NOT EXISTS (SELECT 1 FROM sources AS other"
                " WHERE other.address = ? AND other.collector = sources.collector)",
                (address, slice_of(address), source_id, address),
            )
        return bool(done.rowcount)

    def remove(self, source_ids: Sequence[int]) -> int:
        """Forget sources; their posts stay."""
        with self._transaction():
            for table in ("hurried", "sources"):
                self._run_many(f"DELETE FROM {table} WHERE source_id = ?", [(n,) for n in source_ids])  # noqa: S608
        return len(source_ids)

    def edit(self, sources: Sequence[Source]) -> None:
        """Set name, options, priority and pause of sources to what is given, all or none."""
        rows = [(s.name, json.dumps(s.options), s.priority, int(s.is_paused), s.source_id) for s in sources]
        with self._transaction():
            self._run_many(
                "UPDATE sources SET name = ?, options = ?, priority = ?, is_paused = ? WHERE source_id = ?", rows
            )

    def hurry(self, source_ids: Sequence[int]) -> None:
        """Make sources due now, also for processes that watch them already: these ask :meth:`hurried`."""
        with self._transaction():
            self._run_many("UPDATE sources SET next_at = 0 WHERE source_id = ?", [(n,) for n in source_ids])
            self._run_many(
                "INSERT INTO hurried (source_id) SELECT source_id FROM sources WHERE source_id = ?"
                " ON CONFLICT (source_id) DO NOTHING",
                [(n,) for n in source_ids],
            )

    def hurried(self, slices: Sequence[int]) -> list[int]:
        """Return sources of some slices that were made due, each once."""
        if not slices:
            return []
        where = f"SELECT source_id FROM sources WHERE slice IN ({', '.join('?' * len(slices))})"  # noqa: S608 - question marks
        with self._transaction():
            found = self._run(f"DELETE FROM hurried WHERE source_id IN ({where}) RETURNING source_id", tuple(slices))  # noqa: S608
            return sorted(row[0] for row in found.fetchall())

    # ---- subscriptions at hubs --------------------------------------------------------------------------

    def hubs(self) -> list[tuple[int, str, str, str | None]]:
        """Return (source id, address, hub, topic) of feeds that are visited and named a hub at their last visit."""
        value = "json_extract(state, '$.{}')"
        if self._is_postgres:  # which has no text with a NUL in it, and must not stumble over one in a stranger's feed
            value = "CASE WHEN strpos(state, '\\u0000') = 0 THEN state::json ->> '{}' END"
        found: list[tuple[int, str, str, str | None]] = []
        for number in range(N_SLICES):  # part by part, since states are long and a transaction keeps others waiting
            with self._transaction(reads=True):
                found += self._run(
                    f"SELECT source_id, address, {value.format('hub')}, {value.format('topic')} FROM sources"  # noqa: S608
                    f" WHERE slice = ? AND collector = 'feed' AND is_paused = 0 AND {value.format('hub')} IS NOT NULL",
                    (number,),
                ).fetchall()
        return [(int(n), address, str(hub), topic if topic is None else str(topic)) for n, address, hub, topic in found]

    def subscriptions(self) -> list[Subscription]:
        """Return all subscriptions."""
        with self._transaction(reads=True):
            rows = self._run(f"SELECT {', '.join(_OF_SUBSCRIPTIONS)} FROM subscriptions ORDER BY source_id").fetchall()  # noqa: S608
        return [_subscription(row) for row in rows]

    def subscription(self, path: str) -> Subscription | None:
        """Return the subscription of a path, if there is one."""
        with self._transaction(reads=True):
            names = ", ".join(_OF_SUBSCRIPTIONS)
            row = self._run(f"SELECT {names} FROM subscriptions WHERE path = ?", (path,)).fetchone()  # noqa: S608
        return _subscription(row) if row else None

    def subscribe(self, subscriptions: Sequence[Subscription]) -> None:
        """Note new subscriptions, to be asked for at once; one that was being ended is wanted again."""
        with self._transaction():
            self._run_many(
                "INSERT INTO subscriptions (path, source_id, hub, topic, secret) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (source_id, hub, topic) DO UPDATE SET is_wanted = 1, next_at = 0, n_asked = 0",
                [(s.path, s.source_id, s.hub, s.topic, s.secret) for s in subscriptions],
            )

    def unsubscribe(self, paths: Sequence[str]) -> None:
        """Note subscriptions to be ended."""
        with self._transaction():
            self._run_many(
                "UPDATE subscriptions SET is_wanted = 0, next_at = 0, n_asked = 0, asked_at = NULL WHERE path = ?",
                [(path,) for path in paths],
            )

    def claim(self, now: float, most: int, wait_s: Callable[[int], float]) -> list[Subscription]:
        """Return subscriptions whose hubs are to be asked now; no other process is given them for ``wait_s`` (requests before)."""
        lock = " FOR UPDATE SKIP LOCKED" if self._is_postgres else ""
        with self._transaction():
            rows = self._run(
                f"SELECT {', '.join(_OF_SUBSCRIPTIONS)} FROM subscriptions WHERE next_at <= ? ORDER BY next_at LIMIT ?{lock}",  # noqa: S608
                (now, most),
            ).fetchall()
            due = [
                replace(one, asked_at=now, next_at=now + wait_s(one.n_asked), n_asked=one.n_asked + 1)
                for one in map(_subscription, rows)
            ]
            self._run_many(
                "UPDATE subscriptions SET asked_at = ?, next_at = ?, n_asked = ? WHERE path = ?",
                [(one.asked_at, one.next_at, one.n_asked, one.path) for one in due],
            )
        return due

    def note(self, path: str, **values: Any) -> None:
        """Set ``until_at``, ``next_at``, ``n_asked`` or ``trouble`` of a subscription."""
        assert values.keys() <= {"until_at", "next_at", "n_asked", "trouble"}
        names = ", ".join(f"{name} = ?" for name in values)
        with self._transaction():
            self._run(f"UPDATE subscriptions SET {names} WHERE path = ?", (*values.values(), path))  # noqa: S608

    def forget(self, paths: Sequence[str]) -> None:
        """Forget subscriptions that have ended."""
        with self._transaction():
            self._run_many("DELETE FROM subscriptions WHERE path = ?", [(path,) for path in paths])

    # ---- what visits change -----------------------------------------------------------------------------

    def save(self, holder: "Holder", sources: Sequence[Source], states: Mapping[int, str], now: float) -> list[int]:
        """Write what visits changed, under valid leases only; return the ids of sources that were not ours any more.

        A source that was removed meanwhile stays removed. ``states`` (JSON) may lack sources, whose states stay.
        """
        with self._transaction():
            lock = " FOR UPDATE" if self._is_postgres else ""
            rows = self._run(
                f"SELECT slice, token FROM slices WHERE holder = ? AND until_at > ?{lock}",  # noqa: S608
                (holder.name, self._now(now)),
            ).fetchall()
            valid = {number for number, token in rows if holder.tokens.get(number) == token}
            ours = [source for source in sources if source.slice in valid]
            sets = ", ".join(f"{name} = ?" for name in _WRITTEN)
            plain = [source for source in ours if source.source_id not in states]
            with_state = [source for source in ours if source.source_id in states]
            if plain:
                self._run_many(
                    f"UPDATE sources SET {sets}, troubles = ? WHERE source_id = ?",  # noqa: S608
                    [(*_written(s), json.dumps(s.troubles), s.source_id) for s in plain],
                )
            if with_state:
                self._run_many(
                    f"UPDATE sources SET {sets}, troubles = ?, state = ? WHERE source_id = ?",  # noqa: S608
                    [(*_written(s), json.dumps(s.troubles), states[s.source_id], s.source_id) for s in with_state],
                )
        return [source.source_id for source in sources if source.slice not in valid]

    def keep(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep a small JSON object under a name."""
        with self._transaction():
            self._run(
                "INSERT INTO kept (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, json.dumps(dict(value))),
            )

    def kept(self, name: str) -> dict[str, Any]:
        """Return what was kept under a name, else an empty dict."""
        with self._transaction():
            row = self._run("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else {}

    # ---- leases -----------------------------------------------------------------------------------------

    def _now(self, now: float) -> float:
        """Return the time that leases go by: the database's, so that clocks of machines need not agree."""
        if not self._is_postgres:
            return now
        return float(self._run("SELECT extract(epoch FROM clock_timestamp())").fetchone()[0])

    def share(self, holder: "Holder", now: float) -> "Shared":
        """Renew the leases of ``holder``, and take or offer slices so that all live holders have as many.

        Slices beyond the fair share are named in ``surplus`` and given up by :meth:`release` when nothing is in hand
        for them.
        """
        with self._transaction():
            if self._is_postgres:
                self._run("LOCK TABLE slices IN SHARE ROW EXCLUSIVE MODE")
            at = self._now(now)
            self._run(
                "INSERT INTO holders (holder, until_at) VALUES (?, ?)"
                " ON CONFLICT (holder) DO UPDATE SET until_at = excluded.until_at",
                (holder.name, at + LEASE_S),
            )
            self._run("DELETE FROM holders WHERE until_at <= ?", (at,))
            names = {row[0] for row in self._run("SELECT holder FROM holders").fetchall()}
            gone = {name for name in names if is_gone(name)}  # killed: no need to wait for its leases to run out
            self._run_many("DELETE FROM holders WHERE holder = ?", [(name,) for name in gone])
            n_holders = self._run("SELECT count(*) FROM holders").fetchone()[0]
            rows = self._run("SELECT slice, holder, token, until_at FROM slices ORDER BY slice").fetchall()
            mine = {number for number, who, token, until in rows if who == holder.name and until > at}
            tokens = {number: token for number, _, token, _ in rows}
            kept = {number for number in mine if holder.tokens.get(number) == tokens[number]}
            lost = set(holder.tokens) - kept
            fair = -(-N_SLICES // n_holders)
            free = [
                (number, token)
                for number, who, token, until in rows
                if who is None or who in gone or until <= at or (number in mine - kept)
            ]
            taken = free[: max(0, fair - len(kept))]
            self._run_many(
                "UPDATE slices SET until_at = ? WHERE slice = ?", [(at + LEASE_S, number) for number in kept]
            )
            self._run_many(
                "UPDATE slices SET holder = ?, token = ?, until_at = ? WHERE slice = ?",
                [(holder.name, token + 1, at + LEASE_S, number) for number, token in taken],
            )
        for number in lost:
            holder.tokens.pop(number, None)
        holder.tokens.update({number: token + 1 for number, token in taken})
        return Shared([number for number, _ in taken], sorted(lost), sorted(kept)[fair:])

    def release(self, holder: "Holder", slices: Sequence[int]) -> None:
        """Give up leases; with none left, also the place among the holders."""
        with self._transaction():
            self._run_many(
                "UPDATE slices SET holder = NULL, until_at = 0 WHERE slice = ? AND holder = ? AND token = ?",
                [(number, holder.name, holder.tokens[number]) for number in slices if number in holder.tokens],
            )
            if set(holder.tokens) <= set(slices):
                self._run("DELETE FROM holders WHERE holder = ?", (holder.name,))
        for number in slices:
            holder.tokens.pop(number, None)


def process_name() -> str:
    """Return a name for this process that no other has."""
    return f"{_machine()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_gone(name: str) -> bool:
    """Say whether the process of this name ran on this machine and runs no more; False if that cannot be told."""
    machine, _, rest = name.rpartition(":")[0].rpartition(":")
    if machine != _machine() or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@lru_cache(maxsize=1)
def _machine() -> str:
    """Return a name of this start of this machine and of the numbering of its processes; else one of chance."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return secrets.token_hex(16)


@dataclass
class Holder:
    """A watching process: its name, and the tokens of the slices it holds."""

    name: str
    tokens: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Shared:
    """Slices newly taken, slices lost, and slices to give up."""

    taken: Sequence[int]
    lost: Sequence[int]
    surplus: Sequence[int]


def _source(row: Sequence[Any]) -> Source:
    values = dict(zip(_COLUMNS, row, strict=True))
    return Source(
        **{
            **values,
            "options": json.loads(values["options"]),
            "troubles": json.loads(values["troubles"]),
            "is_paused": bool(values["is_paused"]),
        }
    )


def _subscription(row: Sequence[Any]) -> Subscription:
    values = dict(zip(_OF_SUBSCRIPTIONS, row, strict=True))
    return Subscription(**values | {"is_wanted": bool(values["is_wanted"])})


def _written(source: Source) -> tuple[Any, ...]:
    return tuple(getattr(source, name) for name in _WRITTEN)


def wall() -> float:
    """Return Unix seconds."""
    return time.time()

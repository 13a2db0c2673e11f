"""Reads the lake for pages: one DuckDB for all threads, and answers kept until the lake changes.

The lake is never written from here.
"""

import hashlib
import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import duckdb

from bastau.errors import BastauError
from bastau.home import Home
from bastau.lake import LAKE_TABLES
from bastau.report.post_search import prepare_search
from bastau.schemas import TABLES
from bastau_web.workbench.configuring import the_home

Answer = TypeVar("Answer")
_log = logging.getLogger(__name__)

_CONNECTIONS = 4
_KEPT = 512
_MOST_SEARCHED_IN_MEMORY = 3_000_000
"""Posts whose folded words are held in memory for searching: about 300 bytes each."""
_MOST_HELD_BYTES = 16 << 20
"""Size on disk up to which a derived table is held in memory."""
_LOOK_EVERY_S = 2.0
"""How often to look whether something was imported or processed: a listing of the lake takes milliseconds."""


@dataclass
class _Opened:
    """One state of the lake: connections to it, and what was answered from it."""

    stamp: str
    home: Home
    is_followed: bool = False
    idle: queue.LifoQueue[duckdb.DuckDBPyConnection | None] = field(default_factory=queue.LifoQueue)
    kept: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    making: dict[Hashable, threading.Lock] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _database: duckdb.DuckDBPyConnection | None = None

    def __post_init__(self) -> None:
        for _ in range(_CONNECTIONS):
            self.idle.put(None)

    @property
    def database(self) -> duckdb.DuckDBPyConnection:
        """The connection that all others share their views, their memory and the prepared search with."""
        with self.lock:
            if self._database is not None:
                return self._database
            con = self.home.connect()
            con.execute("SET parquet_metadata_cache = true")
            # What stands in for tables without files was registered with this connection only.
            registered = con.execute(
                "select view_name from duckdb_views() where temporary and starts_with(view_name, '_')"
            )
            for (name,) in registered.fetchall():
                con.execute(f'CREATE TABLE main."{name}" AS FROM temp."{name}"')
            _hold_derived(con, self.home)
            prepare_search(con, most_in_memory=_MOST_SEARCHED_IN_MEMORY)
            self._database = con
            return con


_lock = threading.Lock()
_state: dict[str, tuple[float, _Opened]] = {}


def ask(key: Hashable, make: Callable[[duckdb.DuckDBPyConnection], Answer]) -> Answer:
    """Return what ``make`` reads from the lake as it is now; the same ``key`` is read once for each state of the lake."""
    home = the_home()
    opened = _opened(home)
    with opened.lock:
        alone = opened.making.setdefault(key, threading.Lock())
    # Those who ask the same at the same time wait for the first.
    with alone:
        with opened.lock:
            if key in opened.kept:
                opened.kept.move_to_end(key)
                return cast(Answer, opened.kept[key])
        try:
            answer = _read(opened, make)
        except duckdb.IOException:
            # Files went away in between (compacted, erased): look again.
            opened = _opened(home, anew=True)
            answer = _read(opened, make)
        with opened.lock:
            opened.kept[key] = answer
            while len(opened.kept) > _KEPT:
                opened.making.pop(opened.kept.popitem(last=False)[0], None)
    return answer


def _read(opened: _Opened, make: Callable[[duckdb.DuckDBPyConnection], Answer]) -> Answer:
    connection = opened.idle.get()
    try:
        if connection is None:
            connection = opened.database.cursor()
            connection.execute("SET TimeZone = 'UTC'")
        return make(connection)
    finally:
        opened.idle.put(connection)


def _opened(home: Home, *, anew: bool = False) -> _Opened:
    """Return the state of the lake to read from; a later one is prepared beside it and takes its place when it is ready."""
    name = str(home.folder)
    with _lock:
        looked_at, opened = _state.get(name, (0.0, None))
        if opened is not None and not anew and time.monotonic() - looked_at < _LOOK_EVERY_S:
            return opened
        stamp = _stamp(home)
        if opened is None or anew:
            opened = _Opened(stamp, home)
        elif opened.stamp != stamp and not opened.is_followed:
            opened.is_followed = True
            threading.Thread(target=_follow, args=(name, opened, _Opened(stamp, home)), daemon=True).start()
        _state[name] = time.monotonic(), opened
        return opened


def _follow(name: str, before: _Opened, after: _Opened) -> None:
    try:
        after.database.execute("select 1 from posts limit 1")
    except (duckdb.Error, BastauError, OSError):
        _log.exception("a later state of the lake cannot be read")
        before.is_followed = False
        return
    with _lock:
        if _state[name][1] is before:
            _state[name] = time.monotonic(), after


def _hold_derived(con: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Put the small derived tables in memory: a trace asks them some forty times."""
    generation = home.generation()
    for name in TABLES:
        paths = generation.paths(name) if generation is not None and name not in LAKE_TABLES else []
        if paths and Path(paths[0]).stat().st_size <= _MOST_HELD_BYTES:
            con.execute(f'CREATE TABLE main."_held_{name}" AS FROM "{name}"')
            con.execute(f'CREATE OR REPLACE VIEW "{name}" AS FROM main."_held_{name}"')


def _stamp(home: Home) -> str:
    """Return a hash of which files there are; a file of the lake never changes."""
    listed = hashlib.blake2b(digest_size=16)
    for name, source in sorted(home.sources().items()):
        files = source if isinstance(source, list) else source.files
        listed.update(f"{name}\n{chr(10).join(files)}\n".encode())
    return listed.hexdigest()

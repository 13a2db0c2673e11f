"""Reads the lake for pages: one DuckDB for all threads, and answers kept until the lake changes.

The lake is never written from here.
"""

import contextlib
import hashlib
import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import duckdb

from bastau.errors import BastauError
from bastau.home import Home
from bastau.report.held import Held, follow, hold, index_words, reader
from bastau.report.word_index import Part
from bastau_web.workbench.configuring import the_home

Answer = TypeVar("Answer")
_log = logging.getLogger(__name__)

_CONNECTIONS = 4
_KEPT = 512
_MOST_HELD_POSTS = 3_000_000
"""Posts up to which the lake is held in memory: about 1 KB each."""
_LOOK_EVERY_S = 2.0
"""How often to look whether something was imported or processed: a listing of the lake takes milliseconds."""


def _not_yet_connected() -> "queue.LifoQueue[duckdb.DuckDBPyConnection | None]":
    places: queue.LifoQueue[duckdb.DuckDBPyConnection | None] = queue.LifoQueue()
    for _ in range(_CONNECTIONS):
        places.put(None)
    return places


@dataclass
class _Opened:
    """One state of the lake: connections to it, and what was answered from it."""

    stamp: str
    home: Home
    is_followed: bool = False
    idle: queue.LifoQueue[duckdb.DuckDBPyConnection | None] = field(default_factory=_not_yet_connected)
    kept: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    making: dict[Hashable, threading.Lock] = field(default_factory=dict)
    ahead: dict[Hashable, Callable[[duckdb.DuckDBPyConnection], Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _held: Held | None = None

    @property
    def held(self) -> Held:
        """The tables in memory, read once for all threads."""
        with self.lock:
            if self._held is None:
                self._held = hold(self.home, _MOST_HELD_POSTS)
                threading.Thread(target=index_words, args=(self._held,), daemon=True).start()
            return self._held

    def later(self, stamp: str) -> "_Opened":
        """Return the state after this one, with the answers that are made ahead."""
        if follow(self.held):
            after = _Opened(stamp, self.home, idle=self.idle, _held=self.held)
        else:
            after = _Opened(stamp, self.home)
        for key, make in list(self.ahead.items()):
            after.kept[key] = _read(after, make)
        return after


_lock = threading.Lock()
_state: dict[str, tuple[float, _Opened]] = {}


def ask(key: Hashable, make: Callable[[duckdb.DuckDBPyConnection], Answer], *, is_made_ahead: bool = False) -> Answer:
    """Return what ``make`` reads from the lake as it is now; the same ``key`` is read once for each state of the lake.

    Args:
        key: of the question.
        make: reads the answer.
        is_made_ahead: asked often and slow: where it was asked in one state, it is answered for the next before that is shown.
    """
    home = the_home()
    opened = _opened(home)
    if is_made_ahead:
        opened.ahead[key] = make
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
            opened = _opened(home, broken=opened)
            answer = _read(opened, make)
        with opened.lock:
            opened.kept[key] = answer
            while len(opened.kept) > _KEPT:
                opened.making.pop(opened.kept.popitem(last=False)[0], None)
    return answer


def begin() -> None:
    """Open the lake before anybody asks; what is wrong with it is said to whoever does."""
    with contextlib.suppress(BastauError, duckdb.Error, OSError):
        _opened(the_home()).held  # noqa: B018 - is made when it is first looked at


def word_parts() -> tuple[Part, ...] | None:
    """Return the index of words for :func:`bastau.report.post_search.search_posts`; None while it is made."""
    return _opened(the_home()).held.parts


def _read(opened: _Opened, make: Callable[[duckdb.DuckDBPyConnection], Answer]) -> Answer:
    connection = opened.idle.get()
    try:
        if connection is None:
            connection = reader(opened.held)
        # One state of all tables for a whole page, whatever is taken in meanwhile.
        connection.begin()
        try:
            return make(connection)
        finally:
            connection.rollback()
    finally:
        opened.idle.put(connection)


def _opened(home: Home, *, broken: _Opened | None = None) -> _Opened:
    """Return the state of the lake to read from; a later one is prepared beside it and takes its place when it is ready.

    One that is ``broken`` is replaced at once, by one for all who found it so.
    """
    name = str(home.folder)
    with _lock:
        looked_at, opened = _state.get(name, (0.0, None))
        if opened is broken:
            opened = None
        if opened is not None and time.monotonic() - looked_at < _LOOK_EVERY_S:
            return opened
        stamp = _stamp(home)
        if opened is None:
            opened = _Opened(stamp, home)
        elif opened.stamp != stamp and not opened.is_followed:
            opened.is_followed = True
            threading.Thread(target=_follow, args=(name, opened, stamp), daemon=True).start()
        _state[name] = time.monotonic(), opened
        return opened


def _follow(name: str, before: _Opened, stamp: str) -> None:
    try:
        after = before.later(stamp)
        with _lock:
            if _state[name][1] is before:
                _state[name] = time.monotonic(), after
    except (duckdb.Error, BastauError, OSError):
        _log.exception("a later state of the lake cannot be read")
    finally:
        # Whatever went wrong, the next look tries again: pages of a lake that nobody follows grow old unseen.
        before.is_followed = False


def _stamp(home: Home) -> str:
    """Return a hash of which files there are; a file of the lake never changes."""
    listed = hashlib.blake2b(digest_size=16)
    for name, source in sorted(home.sources().items()):
        files = source if isinstance(source, list) else source.files
        listed.update(f"{name}\n{chr(10).join(files)}\n".encode())
    return listed.hexdigest()

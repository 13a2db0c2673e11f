"""The log of review of a home, held in memory: read on as it grows, written to by one at a time."""

import hashlib
import itertools
import threading
from collections.abc import Callable
from datetime import datetime

from bastau.chain import ZERO, Chain, read_act, verify_lines
from bastau.chain import Entry as Line
from bastau.errors import LogDamaged, Refused
from bastau.home import Home, writing
from bastau.review.acts import Act
from bastau.review.log import FOLDER, LOCK, NAME, Book, advance, record


class Desk:
    """What the log of one home says, for several threads; other processes may write to the same log."""

    def __init__(self, home: Home):
        self._home = home
        self._path = home.folder / FOLDER / NAME
        self._one_at_a_time = threading.Lock()
        self._book = Book()
        self._read = hashlib.sha256()
        self._n_bytes = 0
        self._n, self._head = 0, ZERO
        self._seen: tuple[int, int, int] | None = None

    def book(self) -> Book:
        """Return what the log says now.

        Raises:
            LogDamaged: the log is not as it was written.
        """
        with self._one_at_a_time:
            return self._read_on()

    def lines(self) -> list[Line]:
        """Return all acts as the log holds them, read anew; errors as of :meth:`book`."""
        with self._one_at_a_time:
            self._read_on()
            return list(itertools.islice(Chain(self._path.parent, self._path.name).entries(), self._n))

    def act(self, make: Callable[[Book], Act], now: datetime) -> Book:
        """Write the act that ``make`` returns for the book as it is, on disk when this returns; return the book after it.

        Nobody else writes in between, so ``make`` decides on what really stands.

        Raises:
            Refused: the rules do not allow it (or ``make`` does not); nothing was written.
            LogDamaged: the log is not as it was written; nothing is added to it.
            HomeBusy: another process holds the log.
            DiskFull: no space left; nothing was acknowledged.
        """
        with self._one_at_a_time, writing(self._home, LOCK, patience_s=10.0):
            book = self._read_on()
            self._path.parent.mkdir(exist_ok=True)
            record(Chain(self._path.parent, NAME), book, make(book), now)
            return self._read_on()

    def _read_on(self) -> Book:
        stat = self._path.stat() if self._path.exists() else None
        seen = None if stat is None else (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if seen == self._seen:
            return self._book
        data = self._path.read_bytes() if seen is not None else b""
        if len(data) < self._n_bytes or hashlib.sha256(data[: self._n_bytes]).digest() != self._read.digest():
            raise self._damaged("changed")
        whole = data.rfind(b"\n") + 1  # what has no end is being written, or a kill left it: nobody was told of it
        lines = data[self._n_bytes : whole].splitlines(keepends=True)
        if findings := verify_lines(lines, self._n, self._head):
            raise self._damaged(findings[0].code)
        acts = [act for act in map(read_act, lines) if act is not None]
        try:
            self._book = advance(self._book, acts)
        except Refused as error:
            raise self._damaged(error.code) from error
        if acts:
            self._n, self._head = acts[-1]["n"], acts[-1]["hash"]
        self._read.update(data[self._n_bytes : whole])
        self._n_bytes, self._seen = whole, seen
        return self._book

    def _damaged(self, code: str) -> LogDamaged:
        return LogDamaged(f"{self._path}: not as it was written ({code}); `bastau log verify` says more")

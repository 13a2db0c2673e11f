"""Answers of model servers on disk, so that the same question is asked once.

Keys are hashes; neither they nor the file's name hold words of a text. The values may (a rationale can repeat some),
so only the owner can read the file.
"""

import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

_SCHEMA = (
    "create table if not exists answers (key blob primary key, value blob not null, size integer not null, "
    "used integer not null) without rowid",
    "create index if not exists answers_used on answers (used)",
)
_FILL = 0.9
"""A full cache is emptied down to this share, least recently used first."""


def cache_key(*parts: str) -> bytes:
    """Return 32 bytes that stand for ``parts``."""
    digest = hashlib.blake2b(digest_size=32)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.digest()


class Cache:
    """Bytes by key in one SQLite file. Trouble with it never stops the caller: it then holds nothing.

    Args:
        path: the file; None keeps nothing.
        max_bytes: of all values together.
    """

    def __init__(self, path: Path | None, max_bytes: int = 256 << 20) -> None:
        self._lock = threading.Lock()
        self._max_bytes = max_bytes
        self._size = self._used = 0
        self.is_broken = False
        self._base: sqlite3.Connection | None = None
        if path is not None:
            try:
                self._base = _open(path)
                size, used = self._base.execute(
                    "select coalesce(sum(size), 0), coalesce(max(used), 0) from answers"
                ).fetchone()
                self._size, self._used = int(size), int(used)
            except (sqlite3.Error, OSError, TypeError, ValueError):
                self._give_up()

    def get(self, key: bytes) -> bytes | None:
        """Return what is stored under ``key``."""
        with self._lock:
            if self._base is None:
                return None
            try:
                row = self._base.execute("select value from answers where key = ?", (key,)).fetchone()
                if row is None or not isinstance(row[0], bytes):
                    return None
                self._used += 1
                self._base.execute("update answers set used = ? where key = ?", (self._used, key))
            except sqlite3.Error:
                self._give_up()
                return None
            return row[0]

    def put(self, key: bytes, value: bytes) -> None:
        """Store ``value`` under ``key``; what was used least recently gives way."""
        self.put_all([(key, value)])

    def put_all(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Store several values in one transaction."""
        with self._lock:
            if self._base is None:
                return
            try:
                self._base.execute("begin immediate")
                for key, value in pairs:
                    self._put(self._base, key, value)
                self._shrink(self._base)
                self._base.execute("commit")
            except sqlite3.Error:
                self._give_up()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._base is not None:
                self._base.close()
                self._base = None

    def _put(self, base: sqlite3.Connection, key: bytes, value: bytes) -> None:
        if len(value) > self._max_bytes:
            return
        old = base.execute("select size from answers where key = ?", (key,)).fetchone()
        self._used += 1
        base.execute("insert or replace into answers values (?, ?, ?, ?)", (key, value, len(value), self._used))
        self._size += len(value) - (old[0] if old else 0)

    def _shrink(self, base: sqlite3.Connection) -> None:
        if self._size <= self._max_bytes:
            return
        going = []
        for key, size in base.execute("select key, size from answers order by used"):
            if self._size <= self._max_bytes * _FILL:
                break
            going.append((key,))
            self._size -= size
        base.executemany("delete from answers where key = ?", going)

    def _give_up(self) -> None:
        self.is_broken = True
        if self._base is not None:
            self._base.close()
            self._base = None


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600))
    base = sqlite3.connect(path, timeout=2.0, isolation_level=None, check_same_thread=False)
    try:
        base.execute("pragma auto_vacuum = incremental")
        base.execute("pragma journal_mode = wal")
        base.execute("pragma synchronous = off")  # a lost answer is asked for again
        for statement in _SCHEMA:
            base.execute(statement)
    except sqlite3.Error:
        base.close()
        raise
    return base

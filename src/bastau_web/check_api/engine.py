"""What this process checks with: opened once for all threads, opened anew beside it when anything changes."""

import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
from django.urls import reverse

from bastau.checks import Checker, Row, check_rows, checker_stamp, open_checker
from bastau.errors import BastauError
from bastau.home import Home
from bastau.read.known_pdq import PdqIndex, parse_pdq
from bastau.shield.commands import Listed, published
from bastau_web.workbench.configuring import the_home

_log = logging.getLogger(__name__)
LONG_CHARS = 4000
"""Longer texts wait for each other, so that short ones need not wait for them."""
_MOST_AT_ONCE = 256
_SHOWN = ("entry_id", "kind", "act", "ground_kind", "ground", "reason", "expires_at")


@dataclass(frozen=True)
class Loaded:
    """One state of rules, lists, fact-checks and the published shield list."""

    stamp: str
    checker: Checker
    shield: "Shield | None"


@dataclass(frozen=True)
class Shield:
    """The published shield list, and its pictures ready for search."""

    listed: Listed
    pictures: PdqIndex
    of_pictures: list[Row]

    def about(self, whats: Sequence[str], now: datetime, pdq: str | None = None) -> Row:
        """Return what the list says of addresses and hashes, and of a picture by its PDQ.

        A list that is valid no more says nothing: what it says may have been retracted since.
        """
        document = self.listed.document
        is_valid = self.listed.is_valid(now)
        found: list[Row] = []
        if is_valid:
            found = [self._shown(entry, None) for what in whats for entry in self.listed.entries(what, now)]
            found += self._pictures(pdq, now) if pdq else []
        said = {name: document[name] for name in ("list", "version", "made_at", "valid_until")}
        return said | {"is_valid": is_valid, "entries": found}

    def _pictures(self, pdq: str, now: datetime) -> list[Row]:
        near = self.pictures.search(parse_pdq(pa.array([pdq]))[0]).tolist()
        entries = [(self.of_pictures[at], distance) for _, at, distance in near]
        stand = {entry["entry_id"] for entry, _ in entries if entry in self.listed.entries(entry["value"], now)}
        return [self._shown(entry, distance) for entry, distance in entries if entry["entry_id"] in stand]

    def _shown(self, entry: Row, distance: int | None) -> Row:
        origin = the_home().settings.web.origin.rstrip("/")
        why = f"{origin}{reverse('why', args=[entry['entry_id']])}" if origin else None
        shown = {name: entry[name] for name in _SHOWN}
        return shown | {"distance": distance, "why": why, "appeal": self.listed.document["appeal"]}


def _open_shield(home: Home) -> Shield | None:
    document = published(home)
    if document is None:
        return None
    pictures = [entry for entry in document["entries"] if entry["kind"] == "pdq"]
    hashes, _ = parse_pdq(pa.array([entry["value"] for entry in pictures], pa.string()))
    return Shield(Listed(document), PdqIndex.build(hashes), pictures)


def _stamp(home: Home) -> str:
    path = home.folder / "shield" / "list.json"
    stat = path.stat() if path.exists() else None
    return f"{checker_stamp(home)} {stat and (stat.st_ino, stat.st_mtime_ns, stat.st_size)}"


@dataclass
class Engine:
    """The loaded state of one home."""

    home: Home
    trouble: str = ""
    """Why the newest rules, lists or fact-checks are not in use; empty: they are."""
    _loaded: Loaded | None = None
    _loading: threading.Lock = field(default_factory=threading.Lock)

    def loaded(self) -> Loaded:
        """Return the state in use; the first time it is opened.

        Raises:
            BastauError: it cannot be opened, and there is none yet.
        """
        if self._loaded is None:
            with self._loading:
                if self._loaded is None:
                    self._loaded = self._open(_stamp(self.home))
        return self._loaded

    @property
    def is_loaded(self) -> bool:
        """Whether anything was asked yet."""
        return self._loaded is not None

    def refresh(self) -> bool:
        """Open what has changed and put it in use; requests under way keep what they have. Return whether it did.

        What cannot be opened changes nothing: the state before stays in use, and :attr:`trouble` says why.
        """
        with self._loading:
            try:
                stamp = _stamp(self.home)
                if self._loaded is not None and stamp == self._loaded.stamp:
                    self.trouble = ""
                    return False
                self._loaded = self._open(stamp)
            except (BastauError, OSError) as error:
                if str(error) != self.trouble:
                    _log.error("the check API goes on with what it has: %s", error)
                self.trouble = str(error)
                return False
            self.trouble = ""
            return True

    def _open(self, stamp: str) -> Loaded:
        return Loaded(stamp, open_checker(self.home), _open_shield(self.home))


class Combining:
    """Runs what several threads ask at the same time as one call: many texts at once cost little more than one.

    One runs at a time. Whoever it has answered goes at once; the first of those who came since runs next, for all of them.

    Args:
        run: returns an answer for each row, in order.
    """

    def __init__(self, run: Callable[[list[Row]], list[Row]]):
        self._run = run
        self._waiting: list[_Asked] = []
        self._is_running = False
        self._lock = threading.Lock()

    def __call__(self, rows: list[Row]) -> list[Row]:
        """Return the answers to ``rows``."""
        mine = _Asked(rows)
        with self._lock:
            self._waiting.append(mine)
            must_wait, self._is_running = self._is_running, True
        if must_wait:
            mine.wake.acquire()
        if mine.answers is None and mine.error is None:
            self._run_waiting()
        if mine.error is not None:
            raise mine.error
        assert mine.answers is not None
        return mine.answers

    def _run_waiting(self) -> None:
        """Answer the first of those who wait, which is whoever calls, and with it as many as go along."""
        taken = self._take()
        try:
            answers = iter(self._run([row for asked in taken for row in asked.rows]))
            for asked in taken:
                asked.answers = [next(answers) for _ in asked.rows]
        except Exception as error:
            if len(taken) == 1:
                taken[0].error = error
            else:
                self._run_each(taken)
        with self._lock:
            self._is_running = bool(self._waiting)
            next_one = self._waiting[:1]
        for asked in (*next_one, *taken[1:]):
            asked.wake.release()

    def _take(self) -> list["_Asked"]:
        with self._lock:
            n_rows = itertools.accumulate(len(asked.rows) for asked in self._waiting)
            n = max(1, sum(n <= _MOST_AT_ONCE for n in n_rows))
            taken, self._waiting = self._waiting[:n], self._waiting[n:]
        return taken

    def _run_each(self, taken: list["_Asked"]) -> None:
        for asked in taken:  # one must not fail for what another asked
            try:
                asked.answers = self._run(asked.rows)
            except Exception as its_own:
                asked.error = its_own


def _held() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass
class _Asked:
    rows: list[Row]
    answers: list[Row] | None = None
    error: Exception | None = None
    wake: threading.Lock = field(default_factory=_held)
    """Released once it is answered, or is the one to run."""


def _check(rows: list[Row]) -> list[Row]:
    return check_rows(rows, the_engine().loaded().checker)


_short, _long = Combining(_check), Combining(_check)
_engines: dict[Home, Engine] = {}
_making = threading.Lock()


def the_engine() -> Engine:
    """Return the engine of this process's home."""
    home = the_home()
    with _making:
        return _engines.setdefault(home, Engine(home))


def check(rows: list[Row]) -> list[Row]:
    """Return one answer for each row, in order, as :func:`bastau.checks.check_rows`."""
    is_long = [len(row.get("text") or "") > LONG_CHARS for row in rows]
    if not any(is_long):
        return _short(rows)
    parts: dict[bool, Any] = {
        flag: iter(run(chosen))
        if (chosen := [r for r, long in zip(rows, is_long, strict=True) if long == flag])
        else ()
        for flag, run in ((False, _short), (True, _long))
    }
    return [next(parts[flag]) for flag in is_long]

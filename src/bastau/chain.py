"""A chain: an append-only list of acts, each with the hash of the one before. Evidence and review keep one each.

One JSON object a line, written as it is hashed. ``hash`` is SHA-256 over the object without it, keys sorted, no blanks, UTF-8; ``previous`` is the
``hash`` of the line before (64 zeros for the first). An edited, removed, added or moved line breaks the chain there; a cut
end shows against a stamp or a copy of the head that somebody else has.

Reference: Haber and Stornetta 1991, "How to time-stamp a digital document", section 5.1 (linking).
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bastau.errors import LakeDamaged

ZERO = "0" * 64
_TAIL = 1 << 20
Entry = dict[str, Any]
Lock = Callable[[], AbstractContextManager[None]]
"""Holds the right to write to a chain."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as the chain says: a code, the number of the act (from 1), and what it means."""

    code: str
    number: int | None
    detail: str


class Chain:
    """The chain in a folder; one writer at a time (the lock of its owner). Reading changes nothing."""

    def __init__(self, folder: Path, name: str = "chain.ndjson"):
        self.path = folder / name
        last = self._last()
        self.n = last["n"] if last else 0
        self.head = last["hash"] if last else ZERO

    def append(self, acts: Sequence[Mapping[str, Any]], now: datetime) -> list[Entry]:
        """Append acts, all on disk when this returns; ``act``, ``by`` and what it is about are theirs to give."""
        entries = []
        n, head = self.n, self.head
        for act in acts:
            n += 1
            entry = {**act, "n": n, "at": _text(now), "previous": head}
            entry["hash"] = head = digest(entry)
            entries.append(entry)
        if entries:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._mend()
            with self.path.open("ab") as out:
                out.write(b"".join(_line(entry) for entry in entries))
                out.flush()
                os.fsync(out.fileno())
            self.n, self.head = n, head
        return entries

    def entries(self) -> Iterator[Entry]:
        """Yield all acts as they stand, checked or not.

        Raises:
            LakeDamaged: a line is no JSON object.
        """
        return (entry for _, _, entry in self.placed())

    def placed(self, start: int = 0) -> Iterator[tuple[int, int, Entry]]:
        """Yield (first byte, byte behind the last, act) from the byte ``start`` on, where an act begins; as :meth:`entries`."""
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            lines.seek(start)
            for line in lines:
                if not line.endswith(b"\n"):
                    return  # being written, or cut off by a kill: not acknowledged
                entry = read_act(line)
                if entry is None:
                    number = self.path.read_bytes()[:start].count(b"\n") + 1
                    raise LakeDamaged(f"{self.path}, line {number}: is no act; restore the file from a copy")
                yield start, start + len(line), entry
                start += len(line)

    def act_at(self, start: int) -> Entry:
        """Return the act that begins at a byte that :meth:`placed` told.

        Raises:
            LakeDamaged: none does now.
        """
        found = next(self.placed(start), None)
        if found is None:
            raise LakeDamaged(f"{self.path}: is shorter than before; restore it from a copy")
        return found[2]

    def verify(self) -> list[Finding]:
        """Return where the chain is broken; nothing if it is whole."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as lines:
            return verify_lines(line for line in lines if line.endswith(b"\n"))

    def _last(self) -> Entry | None:
        """Return the last whole act, read from the tail."""
        if not self.path.exists():
            return None
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            lines = file.read().rpartition(b"\n")[0].rsplit(b"\n", 1)
        last = read_act(lines[-1])
        if last is not None:
            return last
        # No act stands at the end: read it all, which tells where the damage is.
        for last in self.entries():  # noqa: B007 - the last one is wanted
            pass
        return last

    def _mend(self) -> None:
        """Cut off a line that was being written when the process was killed: it was never acknowledged."""
        if not self.path.exists():
            return
        with self.path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            data = file.read()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                file.truncate(max(0, size - _TAIL) + whole)


def read_act(line: bytes) -> Entry | None:
    """Return the act that a line holds, None for none."""
    try:
        act = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_act = isinstance(act, dict) and type(act.get("n")) is int and isinstance(act.get("hash"), str)
    return act if is_act else None


def verify_lines(lines: Iterable[bytes], n: int = 0, head: str = ZERO) -> list[Finding]:
    """Return where a chain is broken, given its lines with their ends; nothing if it is whole.

    ``lines`` may be those after act ``n``, whose hash is ``head``. A line that says the same in other bytes was edited too. After one that is no act nothing more is looked at.
    """
    findings: list[Finding] = []
    previous, expected = head, n + 1
    for place, line in enumerate(lines, n + 1):
        entry = read_act(line)
        if entry is None:
            findings.append(Finding("unreadable", expected, f"line {place}: is no act; restore the file from a copy"))
            break
        number = entry["n"]
        if not _is_as_written(entry, line):
            findings.append(Finding("edited", number, "the act was changed after it was written"))
        if number != expected:
            said = f"act {expected} was expected here: acts were removed, added or moved"
            findings.append(Finding("out_of_order", number, said))
        elif entry.get("previous") != previous:
            findings.append(Finding("broken_link", number, "the act before is not the one this was written after"))
        previous, expected = entry["hash"], number + 1
    return findings


def _is_as_written(entry: Entry, line: bytes) -> bool:
    try:
        return digest({k: v for k, v in entry.items() if k != "hash"}) == entry.get("hash") and _line(entry) == line
    except (ValueError, RecursionError):  # half a character, which no act of ours holds
        return False


def digest(entry: Mapping[str, Any]) -> str:
    """Return the hash of an act, 64 hexadecimal digits."""
    return hashlib.sha256(_canonical(entry)).hexdigest()


def _line(entry: Entry) -> bytes:
    return _canonical(entry) + b"\n"


def _canonical(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")

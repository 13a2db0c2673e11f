"""The log of review: states are a fold over it, every new act is checked against them, and any change to it shows.

``Book`` holds what a log says. :func:`propose` checks an act against it, the caller writes the line to a
:class:`bastau.chain.Chain` (:func:`record` does both), and :func:`advance` takes the written line in.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bastau.chain import Chain, Finding, read_act, verify_lines
from bastau.chain import Entry as Line
from bastau.errors import Refused
from bastau.review.acts import Act, By, Opened, Released, as_line, read_line
from bastau.review.cases import Case, apply, outcome
from bastau.review.checks import check_act
from bastau.review.subjects import check_subject

NAME = "log.ndjson"
FOLDER = "review"
LOCK = "review.lock"


@dataclass(frozen=True)
class Book:
    """What a log says: cases by id, and whose account is whose."""

    cases: Mapping[str, Case] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)


def advance(book: Book, lines: Iterable[Line], check: Callable[[Case | None, Act], None] = check_act) -> Book:
    """Return the book after more lines of the log, in their order.

    Raises:
        Refused: a line holds what the rules do not allow.
    """
    cases, people = dict(book.cases), dict(book.people)
    for line in lines:
        _take(cases, people, line, check)
    return Book(cases, people)


def _take(
    cases: dict[str, Case], people: dict[str, str], line: Line, check: Callable[[Case | None, Act], None]
) -> None:
    read = read_line(line)
    if read is None:
        return
    n, at, act = read
    case = cases.get(act.case)
    check(case, act)
    by = getattr(act, "by", None)
    if isinstance(by, By) and people.get(by.account, by.person) != by.person:
        raise Refused("two_persons", "the account is another person's")
    cases[act.case] = apply(case, n, at, act)
    if isinstance(by, By):
        people[by.account] = by.person


def propose(book: Book, act: Act, now: datetime) -> Line:
    """Return the line to write for an act, checked against all rules as they are now.

    Raises:
        Refused: the rules do not allow it; nothing may be written.
    """
    case = book.cases.get(act.case)
    if isinstance(act, Opened):
        check_subject(act.subject)
    elif isinstance(act, Released) and case is not None:
        check_subject(case.subject)
    line = as_line(act)
    last = 0 if case is None else case.last_n
    part = Book({} if case is None else {act.case: case}, book.people)
    advance(part, [{**line, "n": last + 1, "at": now.isoformat()}])
    return line


def record(chain: Chain, book: Book, act: Act, now: datetime) -> Book:
    """Check an act, write it, on disk when this returns, and return the book after it.

    The caller holds the lock of the chain, and ``book`` is what the chain says.

    Raises:
        Refused: the rules do not allow it; nothing was written.
    """
    return advance(book, chain.append([propose(book, act, now)], now))


def verify(lines: Iterable[bytes], head: str = "") -> tuple[list[Finding], Book]:
    """Return (what is not as it was written or never should have been, what the log says up to there).

    Args:
        lines: of the file, with their ends.
        head: hash of an act that somebody else noted; a log cut off before it shows.
    """
    kept = list(lines)
    # What has no end was never acknowledged: a crash leaves it, the next act takes its place, and it says nothing.
    tail = kept.pop() if kept and not kept[-1].endswith(b"\n") else None
    findings = verify_lines(kept)
    cases: dict[str, Case] = {}
    people: dict[str, str] = {}
    seen = set()
    for raw in kept:
        line = read_act(raw)
        if line is None:
            break
        seen.add(line["hash"])
        try:
            _take(cases, people, line, check_act)
        except Refused as error:
            findings.append(Finding("forbidden", line["n"], f"{error.code}: {error}"))
    if tail is not None:
        said = "the last line has no end: it was never acknowledged, or was cut"
        findings.append(Finding("unfinished", len(kept) + 1, said))
    if head and head not in seen:
        findings.append(Finding("cut_off", len(kept), "the act with the given hash is not in this log"))
    return findings, Book(cases, people)


# ---- for publication -------------------------------------------------------------------------------------


_WITHHELD = (
    "value",
    "reference",
    "reason",
    "citation",
    "facts",
    "ground_url",
    "whole_argument",
    "exemption_checked",
    "text_sha256",
)
"""What somebody wrote, too: a court's ruling is cited by the name of the site, which must not stay once the entry fell."""
_PSEUDONYMOUS = (
    "case",
    "account",
    "person",
    "role",
    "code_sha256",
    "evidence_sha256",
    "sha256",
    "hash",
    "previous",
    "head",
)


def without_open(lines: Sequence[Line]) -> list[Line]:
    """Return the acts without the opinions given on questions that are open: whoever has yet to give one must not read them.

    Raises:
        Refused: a line holds what the rules do not allow.
    """
    cases = read_published(lines).cases
    began = {name: case.round.first_n for name, case in cases.items() if outcome(case.round) is None}
    opinions = ("judged", "undone", "convened")
    return [
        line for line in lines if line["act"] not in opinions or line["n"] <= began.get(line["case"], line["n"])
    ]  # fmt: skip


def publish(lines: Iterable[Line], key: bytes) -> list[Line]:
    """Return the log as anybody may read it: people, cases and hashes under keyed pseudonyms, no words, no addresses.

    What is needed to follow the rules and to compute the transparency report is left, and so are number and time of each act.
    Hashes are veiled too: from the hash of an act whose other fields are known, a reviewer's name could be guessed. An auditor who
    is given the log and the key publishes it again and compares. Destroy the key, and nobody can go back.

    Args:
        key: 16 to 64 secret bytes.
    """
    return [_published(line, key) for line in lines]


def _published(line: Line, key: bytes) -> Line:
    return {name: _veiled(name, value, key) for name, value in line.items()}


def _veiled(name: str, value: Any, key: bytes) -> Any:
    if name == "owner":
        return None
    if isinstance(value, dict):
        return {inner: _veiled(inner, one, key) for inner, one in value.items()}
    if isinstance(value, list):
        return [_veiled(name, one, key) for one in value]
    if name in _WITHHELD and isinstance(value, str):
        return ""
    if name in _PSEUDONYMOUS and isinstance(value, str):
        return hashlib.blake2b(f"{name}:{value}".encode(), key=key, digest_size=16).hexdigest()
    return value


def read_published(lines: Sequence[Line]) -> Book:
    """Return what a published log says; all rules of who may do what when are held against it too.

    Raises:
        Refused: a line holds what the rules do not allow.
    """
    return advance(Book(), lines, lambda _case, _act: None)

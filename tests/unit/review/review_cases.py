"""Builders of acts, each with one visible difference from the plain case."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bastau.chain import Entry as Line
from bastau.chain import digest
from bastau.errors import Refused
from bastau.review.acts import (
    Act,
    Answered,
    Appealed,
    By,
    Convened,
    Evidence,
    Ground,
    Judged,
    Opened,
    Released,
    Suggestion,
    Verdict,
)
from bastau.review.cases import Case, outcome
from bastau.review.log import Book, advance, propose
from bastau.review.opinions import judge
from bastau.review.subjects import Owner, Subject, case_id

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
SHA, OTHER_SHA = "a" * 64, "b" * 64
NEVER = {"law": 0.0, "policy": 0.0, "none": 0.0}
ALWAYS = {"law": 1.0, "policy": 1.0, "none": 1.0}
REASON = "The page calls on its readers to kill people, with place and day."
CHANNEL = Owner("telegram", "channel", "channel", 90_000, False, 5000)


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(Refused) as caught:
        yield
    assert caught.value.code == code


def who(name: str, role: str = "reviewer") -> By:
    return By(name, name, role)


def subject(kind: str = "url", value: str = "https://site.kz/call", **changes: Any) -> Subject:
    return replace(Subject(kind, value, True, None, ("kk",), ("text",), NOON.date()), **changes)


def suggestion(**changes: Any) -> Suggestion:
    return replace(Suggestion("rules", "incite", "call@3", "", 0.8), **changes)


def opened(of: Subject | None = None, *suggestions: Suggestion, by: By | None = None) -> Opened:
    of = of or subject()
    return Opened(
        case_id(of), by, of, suggestions or (suggestion(),), (Evidence(SHA, "evidence:1"),), "lake 2026-11-28"
    )


def verdict(
    act: str | None = "incite", accepted: bool | None = True, exemption: str = "none", **changes: Any
) -> Verdict:
    ground = Ground("law", "Regulation (EU) 2021/784 art. 2(7)(a)") if act else None
    checked = "No report, lesson, study or work of art: the page speaks for itself." if act else ""
    return replace(Verdict(accepted, act, ground, exemption, checked, REASON), **changes)


LEFT = verdict(None, accepted=False)


def judged(
    case: Case, by: By, given: Verdict | None = None, rates: dict[str, float] = NEVER, seat: str | None = None
) -> Judged:
    return judge(case, by, given or verdict(), SHA, b"seed", rates, seat)


def code(number: int = 0) -> str:
    return hashlib.sha256(b"code %d" % number).hexdigest()


def released(case: Case, by: By, now: datetime, days: float = 30, number: int = 0, **changes: Any) -> Released:
    found = outcome(case.round)
    of = case.round.n if found is None else found.given.n
    plain = Released(case.case, by, of, now + timedelta(days=days), "", REASON, "", (), code(number))
    return replace(plain, **changes)


@dataclass
class Desk:
    """A log in memory, written through `propose` as the workbench does."""

    book: Book = field(default_factory=Book)
    lines: list[Line] = field(default_factory=list)
    now: datetime = NOON
    case: str = ""

    def do(self, act: Act, after: timedelta = timedelta(minutes=1)) -> Case:
        now = self.now + after
        line = {**propose(self.book, act, now), "n": len(self.lines) + 1, "at": now.isoformat(timespec="microseconds")}
        line["previous"] = self.lines[-1]["hash"] if self.lines else "0" * 64
        line["hash"] = digest(line)
        self.book = advance(self.book, [line])
        self.lines.append(line)
        self.now, self.case = now, act.case
        return self.here

    @property
    def here(self) -> Case:
        return self.book.cases[self.case]

    def judge(
        self, name: str, given: Verdict | None = None, rates: dict[str, float] = NEVER, seat: str | None = None
    ) -> Case:
        return self.do(judged(self.here, who(name), given, rates, seat))

    def release(self, name: str, **changes: Any) -> Case:
        return self.do(released(self.here, who(name, "publisher"), self.now, **changes))

    def appeal(self, number: int = 0) -> Case:
        return self.do(Appealed(self.case, code(number), OTHER_SHA))

    def answer(self, name: str, is_overturned: bool, of: int | None = None) -> Case:
        appeal = of or next(e.appeal.n for e in self.here.entries[::-1] if e.appeal is not None)
        return self.do(Answered(self.case, who(name), appeal, is_overturned, REASON))

    def convene(self, name: str, *seats: str) -> Case:
        return self.do(Convened(self.case, who(name), seats or ("law", "religion", "sociology")))


def desk(of: Subject | None = None, *suggestions: Suggestion) -> Desk:
    made = Desk()
    made.do(opened(of, *suggestions))
    return made


def desk_with_entry(**changes: Any) -> Desk:
    made = desk()
    made.judge("aigul")
    made.release("bolat", **changes)
    return made

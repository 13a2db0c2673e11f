"""No sequence of acts gives a one-person release, an entry that outlives its time or its overturning, or a person as subject."""

import contextlib
import json
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from review_cases import (
    ALWAYS,
    NEVER,
    NOON,
    OTHER_SHA,
    REASON,
    Desk,
    code,
    judged,
    opened,
    subject,
    suggestion,
    verdict,
)

from bastau.errors import Refused
from bastau.review.acts import (
    Act,
    Answered,
    Appealed,
    By,
    Convened,
    Evidence,
    Released,
    Reopened,
    Suggested,
    Undone,
    Withdrawn,
)
from bastau.review.cases import lead, outcome, standing
from bastau.review.entries import entries
from bastau.review.log import publish, verify, without_open
from bastau.review.queue import order
from bastau.review.subjects import KINDS, Owner
from bastau.review.transparency import report

NAMES = ("aigul", "bolat", "dana", "erlan")
ROLES = st.sampled_from(("analyst", "reviewer", "publisher"))
HONEST = st.builds(lambda name, role: By(name, name, role), st.sampled_from(NAMES), ROLES)
POSING = st.builds(By, st.sampled_from(NAMES), st.sampled_from(NAMES), ROLES)
PEOPLE = st.one_of(HONEST, HONEST, HONEST, POSING)
SUBJECTS = [subject(), subject("text_sha256", OTHER_SHA), subject("domain", "site.kz")]
PERSONS = [
    subject("person", "aigul"),
    subject(value="https://x.com/somebody"),
    subject(value="https://site.kz/p~abcdefghij234567"),
    subject(value="https://t.me/a/1", owner=Owner("telegram", "a", "account", 3, False, 0)),
]
FINDINGS = [("incite", "none"), ("incite", "none"), ("glorify", "none"), ("incite", "research"), (None, "none")]
ARGUMENT = "All 212 pages that were read call for killing, and the map of the site names no others besides them."


class Sequences(RuleBasedStateMachine):
    """Acts that may or may not be allowed, by people who pose as one another, at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.at = Desk()
        self.n_codes = 0

    @initialize()
    def open_all(self) -> None:
        for one in SUBJECTS:
            self.at.do(opened(one))

    def attempt(self, act: Act) -> None:
        with contextlib.suppress(Refused):
            self.at.do(act)

    @rule(which=st.sampled_from(range(len(SUBJECTS))))
    def turn_to(self, which: int) -> None:
        self.at.case = opened(SUBJECTS[which]).case

    @rule(hours=st.sampled_from((1, 48, 24 * 15, 24 * 40)))
    def wait(self, hours: int) -> None:
        self.at.now += timedelta(hours=hours)

    @rule(which=st.sampled_from(PERSONS))
    def open_a_person(self, which) -> None:  # type: ignore[no-untyped-def]
        self.attempt(opened(which))

    @rule(by=PEOPLE, finding=st.sampled_from(FINDINGS), is_second=st.booleans())
    def judge(self, by: By, finding: tuple[str | None, str], is_second: bool) -> None:
        case, (act, exemption) = self.at.here, finding
        suggested = lead(case.suggestions)
        accepted = None if suggested is None else (act if exemption == "none" else None) == suggested.act
        taken = {given.judged.seat for given in case.round.given}
        seats = [seat for seat in case.round.convened.seats if seat not in taken] if case.round.convened else []
        given = verdict(act, accepted, exemption)
        self.attempt(judged(case, by, given, ALWAYS if is_second else NEVER, seats[0] if seats else None))

    @rule(one=PEOPLE, other=PEOPLE, days=st.sampled_from((1, 30, 90, 91)))
    def judge_and_release(self, one: By, other: By, days: int) -> None:
        self.judge(one, ("incite", "none"), False)
        self.release(other, days)

    @rule(people=st.permutations(NAMES))
    def release_and_renew(self, people: list[str]) -> None:
        one, other, *_ = (By(name, name, "reviewer") for name in people)
        self.judge_and_release(one, other, 90)
        self.reopen(one, "renewal", "b")
        self.judge_and_release(one, other, 90)

    @rule(people=st.permutations(NAMES))
    def disagree_and_convene(self, people: list[str]) -> None:
        one, other, third, _ = (By(name, name, "reviewer") for name in people)
        self.judge(one, ("incite", "none"), True)
        self.judge(other, (None, "none"), False)
        self.convene(third)

    @rule(people=st.permutations((*NAMES, "farida", "gulnar", "hadisha")), finding=st.sampled_from(FINDINGS))
    def fill_the_panel(self, people: list[str], finding: tuple[str | None, str]) -> None:
        for name in people if self.at.here.round.convened else ():
            self.judge(By(name, name, "expert"), finding, False)

    @rule(by=PEOPLE)
    def undo(self, by: By) -> None:
        self.attempt(Undone(self.at.case, by, self.at.here.last_n))

    @rule(by=PEOPLE)
    def convene(self, by: By) -> None:
        self.attempt(Convened(self.at.case, by, ("law", "religion", "sociology")))

    @rule(by=PEOPLE, days=st.sampled_from((0, 1, 30, 90, 91)))
    def release(self, by: By, days: int) -> None:
        case, found = self.at.here, outcome(self.at.here.round)
        of = case.last_n if found is None else found.given.n
        self.n_codes += 1
        argument = ARGUMENT if case.subject.kind == "domain" else ""
        ends = self.at.now + timedelta(days=days)
        self.attempt(Released(case.case, by, of, ends, argument, REASON, "", (), code(self.n_codes)))

    @rule(act=st.sampled_from(("incite", "glorify", None)), by=st.sampled_from(("rules", "model")))
    def suggest(self, act: str | None, by: str) -> None:
        self.attempt(Suggested(self.at.case, suggestion(act=act, by=by), "lake 2"))

    @rule(by=PEOPLE, why=st.sampled_from(("renewal", "mistake", "new_evidence")), sha=st.sampled_from("bcd"))
    def reopen(self, by: By, why: str, sha: str) -> None:
        evidence = (Evidence(sha * 64, "evidence:2"),) if why == "new_evidence" else ()
        self.attempt(Reopened(self.at.case, by, why, evidence))

    @rule(by=PEOPLE)
    def withdraw(self, by: By) -> None:
        self.attempt(Withdrawn(self.at.case, by, "withdrawn", REASON))

    @rule(
        by=st.one_of(PEOPLE, st.just(By("zarina", "zarina", "reviewer"))),
        is_of_last=st.booleans(),
        is_overturned=st.booleans(),
        is_answered=st.booleans(),
    )
    def appeal(self, by: By, is_of_last: bool, is_overturned: bool, is_answered: bool) -> None:
        if not self.at.here.entries:
            return
        entry = self.at.here.entries[-1 if is_of_last else 0]
        self.attempt(Appealed(self.at.case, entry.released.code_sha256, OTHER_SHA))
        for entry in self.at.here.entries if is_answered else ():
            if entry.appeal is not None:
                self.attempt(Answered(self.at.case, by, entry.appeal.n, is_overturned, REASON))

    # The oracle reads the lines themselves and shares nothing with the rules.

    @invariant()
    def every_release_is_by_somebody_who_did_not_judge(self) -> None:
        by_number = {line["n"]: line for line in self.at.lines}
        for line in self.at.lines:
            if line["act"] == "released":
                judge = by_number[line["of"]]
                assert judge["act"] == "judged"
                assert judge["case"] == line["case"]
                assert {judge["by"]["account"], judge["by"]["person"]}.isdisjoint(
                    {line["by"]["account"], line["by"]["person"]}
                )
                assert judge["verdict"]["exemption"] == "none"

    @invariant()
    def nothing_stands_beyond_its_time_or_its_overturning_or_an_appeal_that_nobody_answered(self) -> None:
        rows = entries(self.at.book, self.at.now).to_pylist()
        overturned = {
            (line["case"][1:], datetime.fromisoformat(line["at"]))
            for line in self.at.lines
            if line["act"] == "answered" and line["is_overturned"]
        }
        answered = {line["of"] for line in self.at.lines if line["act"] == "answered"}
        fallen = {
            line["case"][1:]
            for line in self.at.lines
            if line["act"] == "appealed"
            and line["n"] not in answered
            and datetime.fromisoformat(line["at"]) + timedelta(days=14) <= self.at.now
        }
        for row in rows:
            assert row["n_reviewers"] >= 2
            assert row["retracted_at"] is not None or row["entry_id"][1:] not in fallen
            assert row["expires_at"] - row["released_at"] <= timedelta(days=90)
            if row["retracted_at"] is None:
                assert row["expires_at"] > self.at.now
                assert not any(case == row["entry_id"][1:] and row["released_at"] <= at for case, at in overturned)
        versions = [row["entry_id"] for row in rows if row["retracted_at"] is None]
        assert len(set(versions)) == len(versions)
        assert versions.count("") == 0
        assert all(standing(case, self.at.now) is None or case.entries for case in self.at.book.cases.values())

    @invariant()
    def no_person_is_a_subject_and_nobody_is_named(self) -> None:
        assert {line["subject"]["kind"] for line in self.at.lines if line["act"] == "opened"} <= set(KINDS)
        assert {case.subject for case in self.at.book.cases.values()} <= set(SUBJECTS)
        said = json.dumps(entries(self.at.book, self.at.now).to_pylist(), default=str)
        assert not any(name in said for name in NAMES)

    def teardown(self) -> None:
        raw = [
            json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
            for line in self.at.lines
        ]
        assert verify(raw) == ([], self.at.book)
        period = (NOON, self.at.now + timedelta(seconds=1))
        assert report(self.at.lines, *period) == report(publish(self.at.lines, b"k" * 32), *period)
        # What everybody may read has no opinion on an open question, keeps the rules, and says the same of all that is decided.
        public = report(publish(without_open(self.at.lines), b"k" * 32), *period)
        assert {**public, "gaps": []} == {**report(self.at.lines, *period), "gaps": []}
        assert len(order(self.at.book.cases.values(), self.at.now)) <= len(SUBJECTS)


Sequences.TestCase.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
TestAnySequence = Sequences.TestCase

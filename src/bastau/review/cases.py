"""What becomes of a case: states, and who may do what when. The same function serves new acts and old logs."""

import hmac
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bastau.errors import Refused
from bastau.review.acts import (
    DISCIPLINES,
    Act,
    Answered,
    Appealed,
    By,
    Convened,
    Evidence,
    Judged,
    Opened,
    Released,
    Reopened,
    Suggested,
    Suggestion,
    Undone,
    Versions,
    Withdrawn,
)
from bastau.review.subjects import Subject

MAX_STANDING = timedelta(days=90)
"""An entry lapses after this at the latest; renewing takes two people again."""
APPEAL_WINDOW = timedelta(days=183)
"""Six months, as Regulation (EU) 2022/2065 art. 20(1) gives at least."""
ANSWER_WITHIN = timedelta(days=14)
"""An appeal that is not answered by then takes the entry back by itself, whichever of its versions it is about."""
SCORE_STEP = 0.1
"""A machine that changes its score by less says the same."""


@dataclass(frozen=True)
class Given:
    """A verdict with its place in the log."""

    n: int
    at: datetime
    judged: Judged


@dataclass(frozen=True)
class Round:
    """One time that the question was open.

    Attributes:
        why: ``opened``, ``suggested``, ``renewal``, ``new_evidence`` or ``mistake``.
        n: number of the act that last changed the question; verdicts name it.
        lead: suggestion that was in the lead.
        is_contested: a panel or an appeal decided before, so that one verdict is not enough.
        first_n: number of the act that began it.
    """

    why: str
    began_at: datetime
    n: int
    lead: Suggestion | None
    is_contested: bool = False
    given: tuple[Given, ...] = ()
    convened: Convened | None = None
    first_n: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a round ended: the verdict in force, the act to list for (None: leave alone), and when."""

    given: Given
    listed_act: str | None
    decided_at: datetime


@dataclass(frozen=True)
class Appeal:
    """An objection to an entry version; ``reason`` is that of the answer."""

    n: int
    filed_at: datetime
    due_at: datetime
    text_sha256: str
    answered_at: datetime | None = None
    is_overturned: bool | None = None
    reason: str = ""


@dataclass(frozen=True)
class Entry:
    """An entry version as released.

    Attributes:
        people: who judged and who released, as persons.
        retracted_by: number of the act that retracted it; None: none did, time did, or it stands.
    """

    n: int
    released_at: datetime
    released: Released
    given: Given
    people: frozenset[str]
    retracted_at: datetime | None = None
    retraction_reason: str | None = None
    retracted_by: int | None = None
    appeal: Appeal | None = None


@dataclass(frozen=True)
class Case:
    """Everything about one subject.

    Attributes:
        suggestions: the newest of each machine.
        took_part: everybody who ever acted on it.
        is_barred: an entry was overturned, and nothing new has come since.
        last_n: number of its last act.
    """

    case: str
    subject: Subject
    evidence: tuple[Evidence, ...]
    suggestions: tuple[Suggestion, ...]
    data_version: str
    rounds: tuple[Round, ...]
    entries: tuple[Entry, ...]
    took_part: tuple[By, ...]
    is_barred: bool
    last_n: int
    last_at: datetime

    @property
    def round(self) -> Round:
        """The last round."""
        return self.rounds[-1]


def lead(suggestions: tuple[Suggestion, ...]) -> Suggestion | None:
    """Return the suggestion of an act with the highest score, the first machine by name where equal."""
    return max(sorted((s for s in suggestions if s.act), key=lambda s: s.by), key=lambda s: s.score, default=None)


def versions(case: Case) -> Versions:
    """Return what the machines that now suggest something were made of."""
    rules = sorted({s.rule for s in case.suggestions if s.rule})
    models = sorted({s.model for s in case.suggestions if s.model})
    return Versions(" ".join(rules), " ".join(models), case.data_version)


def outcome(one: Round) -> Outcome | None:
    """Return how a round ended, None while it has not.

    A panel lists only what more than half of its seats list for the same act; otherwise the content is left alone.
    """
    if one.convened is not None:
        panel = [given for given in one.given if given.judged.seat is not None]
        if len(panel) < len(one.convened.seats):
            return None
        act, votes = Counter(given.judged.verdict.listed_act for given in panel).most_common(1)[0]
        act = act if 2 * votes > len(panel) else None
        first = next((given for given in panel if given.judged.verdict.listed_act == act), panel[0])
        return Outcome(first, act, panel[-1].at)
    if not one.given or (len(one.given) == 1 and (one.given[0].judged.is_sampled or one.is_contested)):
        return None
    acts = {given.judged.verdict.listed_act for given in one.given}
    return Outcome(one.given[0], acts.pop(), one.given[-1].at) if len(acts) == 1 else None


def status(case: Case) -> str:
    """Return ``waiting``, ``second`` (opinion wanted), ``disputed`` (panel wanted), ``panel``, ``listed`` or ``left``."""
    found = outcome(case.round)
    if found is not None:
        return "listed" if found.listed_act else "left"
    if case.round.convened is not None:
        return "panel"
    return ("waiting", "second", "disputed")[len(case.round.given)]


def is_released(case: Case, found: Outcome) -> bool:
    """Say whether an entry version rests on this verdict, standing or not."""
    return any(entry.given.n == found.given.n for entry in case.entries)


def standing(case: Case, now: datetime) -> Entry | None:
    """Return the entry version that stands at ``now``."""
    return next((entry for entry in settle(case, now).entries if entry.retracted_at is None), None)


def settle(case: Case, now: datetime) -> Case:
    """Return the case with what time alone did by ``now``: entries that expired, appeals that were not answered."""
    appeals = (entry.appeal for entry in case.entries)
    falls = [(appeal.due_at, "withdrawn") for appeal in appeals if appeal is not None and appeal.answered_at is None]
    return replace(case, entries=tuple(_lapsed(entry, falls, now) for entry in case.entries))


def _lapsed(entry: Entry, falls: list[tuple[datetime, str]], now: datetime) -> Entry:
    at, reason = min([(entry.released.expires_at, "expired"), *falls])
    return _retracted(entry, at, reason, None) if at <= now else entry


def _retracted(entry: Entry, at: datetime, reason: str, n: int | None) -> Entry:
    if entry.retracted_at is not None:
        return entry
    return replace(entry, retracted_at=at, retraction_reason=reason, retracted_by=n)


def _retract_all(case: Case, at: datetime, reason: str, n: int) -> Case:
    return replace(case, entries=tuple(_retracted(entry, at, reason, n) for entry in case.entries))


def is_same_person(one: By, other: By) -> bool:
    """Say whether two acts may be one human being's: any name in common, of account or person, whatever the roles."""
    return not {one.account, one.person}.isdisjoint((other.account, other.person))


def hidden_from(case: Case, by: By) -> Case:
    """Return the case as somebody who has yet to give an opinion on it may see it: without the others' verdicts.

    Who has given one, and everybody once the round is decided, sees all.
    """
    has_spoken = any(is_same_person(given.judged.by, by) for given in case.round.given)
    if has_spoken or outcome(case.round) is not None:
        return case
    return replace(case, rounds=(*case.rounds[:-1], replace(case.round, given=())))


# ---- acts ------------------------------------------------------------------------------------------------


def apply(case: Case | None, n: int, at: datetime, act: Act) -> Case:
    """Return the case after an act, number ``n`` of the log.

    Raises:
        Refused: the rules do not allow it; ``code`` says which.
    """
    if isinstance(act, Opened):
        if case is not None:
            raise Refused("exists", "there is a case about this subject already")
        return _open(n, at, act)
    if case is None:
        raise Refused("no_case", "no such case")
    if at < case.last_at:
        raise Refused("clock", "the clock went back: earlier than the last act on this case")
    after = _STEPS[type(act)](settle(case, at), n, at, act)
    by = getattr(act, "by", None)
    took_part = after.took_part if by is None or by in after.took_part else (*after.took_part, by)
    return replace(after, took_part=took_part, last_n=n, last_at=at)


def _open(n: int, at: datetime, act: Opened) -> Case:
    first = Round("opened", at, n, lead(act.suggestions), first_n=n)
    by = () if act.by is None else (act.by,)
    return Case(
        act.case, act.subject, act.evidence, act.suggestions, act.data_version, (first,), (), by, False, n, at
    )  # fmt: skip


def _again(case: Case, why: str, n: int, at: datetime) -> Case:
    contested = any(one.convened is not None for one in case.rounds) or any(
        entry.retraction_reason == "overturned" for entry in case.entries
    )
    return replace(case, rounds=(*case.rounds, Round(why, at, n, lead(case.suggestions), contested, first_n=n)))


def _suggest(case: Case, n: int, at: datetime, act: Suggested) -> Case:
    new = act.suggestion
    old = next((s for s in case.suggestions if s.by == new.by), None)
    is_other = old is None or (old.act, old.rule, old.model) != (new.act, new.rule, new.model)
    if not is_other and old is not None and abs(old.score - new.score) < SCORE_STEP:
        raise Refused("unchanged", "the machine says the same as before")
    others = tuple(s for s in case.suggestions if s.by != new.by)
    is_barred = case.is_barred and not (is_other and new.act is not None)
    case = replace(case, suggestions=(*others, new), data_version=act.data_version, is_barred=is_barred)
    if case.round.given:
        return _again(case, "suggested", n, at)
    return replace(case, rounds=(*case.rounds[:-1], replace(case.round, n=n, lead=lead(case.suggestions))))


def _reopen(case: Case, n: int, at: datetime, act: Reopened) -> Case:
    if outcome(case.round) is None:
        raise Refused("open", "the question is open already")
    new = tuple(e for e in act.evidence if e.sha256 not in {known.sha256 for known in case.evidence})
    if act.why == "new_evidence" and not new:
        raise Refused("no_evidence", "nothing here that the case does not hold already")
    if act.why == "renewal" and not any(entry.retracted_at is None for entry in case.entries):
        raise Refused("nothing_stands", "no entry stands that could be renewed")
    case = replace(case, evidence=(*case.evidence, *new), is_barred=case.is_barred and not new)
    return _again(case, act.why, n, at)


def _judge(case: Case, n: int, at: datetime, act: Judged) -> Case:
    if act.of != case.round.n:
        raise Refused("stale", "the question has changed since it was read")
    if any(is_same_person(given.judged.by, act.by) for given in case.round.given):
        raise Refused("twice", "this person has given a verdict on it already")
    match status(case):
        case "listed" | "left":
            raise Refused("decided", "it is decided")
        case "disputed":
            raise Refused("panel_needed", "two people disagree: a panel must be convened")
        case "panel":
            taken = {given.judged.seat for given in case.round.given}
            if case.round.convened is None or act.seat not in set(case.round.convened.seats) - taken:
                raise Refused("seat", "no such seat is free in this panel")
        case _ if act.seat is not None:
            raise Refused("seat", "there is no panel")
    one = replace(case.round, given=(*case.round.given, Given(n, at, act)))
    case = replace(case, rounds=(*case.rounds[:-1], one))
    found = outcome(one)
    is_left = found is not None and found.listed_act is None
    return _retract_all(case, at, "corrected", n) if is_left else case


def _undo(case: Case, _n: int, _at: datetime, act: Undone) -> Case:
    last = case.round.given[-1] if case.round.given else None
    if last is None or last.n != act.of or case.last_n != act.of:
        raise Refused("followed", "something followed; it cannot be undone any more")
    if (last.judged.by.account, last.judged.by.person) != (act.by.account, act.by.person):
        raise Refused("not_yours", "only who gave the verdict can take it back")
    if any(entry.retracted_by == act.of for entry in case.entries):
        raise Refused("followed", "the verdict retracted an entry, which subscribers may have heard of")
    return replace(case, rounds=(*case.rounds[:-1], replace(case.round, given=case.round.given[:-1])))


def _convene(case: Case, _n: int, _at: datetime, act: Convened) -> Case:
    seats = set(act.seats)
    if not (seats <= set(DISCIPLINES) and len(seats) == len(act.seats) and len(seats) in (3, 5)):
        raise Refused("seat", "a panel has 3 or 5 different disciplines")
    if status(case) != "disputed":
        raise Refused("no_dispute", "a panel is for cases on which two people disagree")
    return replace(case, rounds=(*case.rounds[:-1], replace(case.round, convened=act)))


def _release(case: Case, n: int, at: datetime, act: Released) -> Case:
    found = outcome(case.round)
    if found is None or found.listed_act is None:
        raise Refused("not_decided", "no verdict to list it is in force")
    if act.of != found.given.n:
        raise Refused("stale", "the verdict has changed since it was read")
    if is_released(case, found):
        raise Refused(
            "released", "this verdict was released already; another version takes a verdict and a release again"
        )
    if any(is_same_person(given.judged.by, act.by) for given in case.round.given):
        raise Refused("same_person", "releasing takes a second person, who gave no verdict on it in any role")
    if case.is_barred:
        raise Refused(
            "overturned", "it was overturned on appeal; only new evidence or another suggestion opens it again"
        )
    if any(entry.appeal is not None and entry.appeal.answered_at is None for entry in case.entries):
        raise Refused("appeal_pending", "an appeal waits for its answer")
    if not at < act.expires_at <= at + MAX_STANDING:
        raise Refused("expiry", f"must expire within {MAX_STANDING.days} days")
    if _with_code(case, act.code_sha256):
        raise Refused("code", "each version needs an appeal code of its own")
    people = frozenset({*(given.judged.by.person for given in case.round.given), act.by.person})
    case = _retract_all(case, at, "corrected", n)
    return replace(case, entries=(*case.entries, Entry(n, at, act, found.given, people)))


def _withdraw(case: Case, n: int, at: datetime, act: Withdrawn) -> Case:
    if all(entry.retracted_at is not None for entry in case.entries):
        raise Refused("nothing_stands", "no entry stands")
    return _retract_all(case, at, act.why, n)


def _appeal(case: Case, n: int, at: datetime, act: Appealed) -> Case:
    entry = _with_code(case, act.code_sha256)
    if entry is None:
        raise Refused("code", "no entry has this code")
    if entry.appeal is not None:
        raise Refused("appealed", "this version was appealed already")
    if at > entry.released_at + APPEAL_WINDOW:
        raise Refused("late", f"appeals are taken for {APPEAL_WINDOW.days} days after release")
    return _with(case, replace(entry, appeal=Appeal(n, at, at + ANSWER_WITHIN, act.text_sha256)))


def _answer(case: Case, n: int, at: datetime, act: Answered) -> Case:
    entry = next((entry for entry in case.entries if entry.appeal is not None and entry.appeal.n == act.of), None)
    if entry is None or entry.appeal is None or entry.appeal.answered_at is not None:
        raise Refused("no_appeal", "no such appeal waits for an answer")
    if any(is_same_person(by, act.by) for by in case.took_part):
        raise Refused("took_part", "an appeal is answered by somebody who took no part in the case")
    appeal = replace(entry.appeal, answered_at=at, is_overturned=act.is_overturned, reason=act.reason)
    if not act.is_overturned:
        return _with(case, replace(entry, appeal=appeal))
    overturned = replace(
        entry, appeal=appeal, retracted_at=entry.retracted_at or at, retraction_reason="overturned", retracted_by=n
    )
    return replace(_retract_all(_with(case, overturned), at, "overturned", n), is_barred=True)


def _with_code(case: Case, code_sha256: str) -> Entry | None:
    wanted = code_sha256.encode()
    matches = [entry for entry in case.entries if hmac.compare_digest(entry.released.code_sha256.encode(), wanted)]
    return matches[0] if matches else None


def _with(case: Case, entry: Entry) -> Case:
    return replace(case, entries=tuple(entry if old.n == entry.n else old for old in case.entries))


_STEPS: dict[type, Callable[[Case, int, datetime, Any], Case]] = {
    Suggested: _suggest,
    Reopened: _reopen,
    Judged: _judge,
    Undone: _undo,
    Convened: _convene,
    Released: _release,
    Withdrawn: _withdraw,
    Appealed: _appeal,
    Answered: _answer,
}

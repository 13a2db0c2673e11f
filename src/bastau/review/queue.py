"""What to look at next, and who has it on the desk."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log2

from bastau.errors import Refused
from bastau.review.acts import By
from bastau.review.cases import Appeal, Case, is_released, is_same_person, outcome

HARM = {"incite": 1.0, "instruct": 1.0, "threaten": 0.9, "recruit": 0.8, "glorify": 0.6}
"""How much an act may do in the time until somebody looks: calls and instructions for violence first. An order, not a measurement."""
PATIENCE = timedelta(days=30)
"""After waiting this long a case is as urgent as harm and doubt can make one."""
LOCK = timedelta(minutes=30)


def priority(case: Case, now: datetime) -> float:
    """Return how urgent an undecided case is.

    harm * (p + H(p)) / 2 + days waiting / 30, where p is the score of the leading suggestion, H(p) = -p log2 p - (1-p) log2 (1-p)
    its doubt in bits, and harm that of its act. Without a suggestion p is 1/2 and harm the least.

    So a likely call for violence goes before an unlikely one, a doubtful one, where a person's opinion tells most, before one that is
    clear, and nothing waits for ever. The score orders the queue and nothing else.
    """
    suggested = case.round.lead
    p = 0.5 if suggested is None else suggested.score
    harm = HARM[suggested.act] if suggested is not None and suggested.act else min(HARM.values())
    doubt = -sum(q * log2(q) for q in (p, 1 - p) if q)
    return harm * (p + doubt) / 2 + max(now - case.round.began_at, timedelta(0)) / PATIENCE


def order(cases: Iterable[Case], now: datetime) -> list[Case]:
    """Return the cases that wait for somebody: appeals first, by their deadline, then by :func:`priority`, then by age."""

    def key(case: Case) -> tuple[bool, float, float, datetime, str]:
        appeal = waiting_appeal(case)
        due = appeal.due_at.timestamp() if appeal else 0.0
        return appeal is None, due, -priority(case, now), case.round.began_at, case.case

    return sorted((case for case in cases if is_waiting(case)), key=key)


def is_waiting(case: Case) -> bool:
    """Say whether somebody must act: give an opinion, convene, release, or answer an appeal."""
    if waiting_appeal(case) is not None:
        return True
    found = outcome(case.round)
    if found is None:
        return True
    return found.listed_act is not None and not is_released(case, found) and not case.is_barred


def waiting_appeal(case: Case) -> Appeal | None:
    """Return the appeal that waits for an answer, None for none."""
    appeals = (entry.appeal for entry in case.entries)
    return next((appeal for appeal in appeals if appeal is not None and appeal.answered_at is None), None)


@dataclass(frozen=True)
class Lock:
    """Somebody has a case on the desk until a time; kept by whoever shows the cases, never in the log."""

    case: str
    by: By
    until: datetime


def take(lock: Lock | None, case: str, by: By, now: datetime) -> Lock:
    """Return a lock on a case for ``by``, taken anew or prolonged.

    Raises:
        Refused: ``locked``: somebody else has it.
    """
    if lock is not None and lock.until > now and not is_same_person(lock.by, by):
        raise Refused("locked", f"somebody else is looking at it until {lock.until:%H:%M} UTC")
    return Lock(case, by, now + LOCK)

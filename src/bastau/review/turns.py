"""Whose turn it is: what somebody could do next about a case, so that nobody is shown what they may not decide."""

from dataclasses import replace

from bastau.errors import Refused
from bastau.review.acts import GROUNDS, By, Ground
from bastau.review.cases import Case, hidden_from, is_released, is_same_person, outcome, status
from bastau.review.checks import MIN_CITATION
from bastau.review.queue import waiting_appeal


def turn(case: Case, by: By) -> str | None:
    """Return ``answer`` an appeal, ``release``, ``convene`` a panel, take a ``seat`` in it, ``judge``, or None: nothing."""
    if waiting_appeal(case) is not None:
        return None if any(is_same_person(one, by) for one in case.took_part) else "answer"
    has_spoken = any(is_same_person(given.judged.by, by) for given in case.round.given)
    found = outcome(case.round)
    if found is not None:
        may = found.listed_act is not None and not is_released(case, found) and not case.is_barred and not has_spoken
        return "release" if may else None
    if status(case) == "disputed":
        return "convene"
    if has_spoken:
        return None
    return "seat" if free_seats(case) else "judge"


def free_seats(case: Case) -> tuple[str, ...]:
    """Return the disciplines of a panel that have not spoken yet; none where there is no panel."""
    if case.round.convened is None:
        return ()
    taken = {given.judged.seat for given in case.round.given}
    return tuple(seat for seat in case.round.convened.seats if seat not in taken)


def seen_by(case: Case, by: By) -> Case:
    """Return the case as somebody may see it: as :func:`bastau.review.cases.hidden_from`, and while a panel speaks only one's own vote.

    Who spoke before the panel sees what was said before it.
    """
    case = hidden_from(case, by)
    if case.round.convened is None or outcome(case.round) is not None:
        return case
    given = tuple(one for one in case.round.given if one.judged.seat is None or is_same_person(one.judged.by, by))
    return replace(case, rounds=(*case.rounds[:-1], replace(case.round, given=given)))


def read_ground(text: str) -> Ground:
    """Return a ground written as ``law: citation`` or ``policy: citation``.

    Raises:
        Refused: ``ground``: it is written otherwise.
    """
    kind, _, citation = (part.strip() for part in text.partition(":"))
    if kind not in GROUNDS or len(citation) < MIN_CITATION:
        raise Refused("ground", f"{text!r}: write `law: citation` or `policy: citation`")
    return Ground(kind, citation)

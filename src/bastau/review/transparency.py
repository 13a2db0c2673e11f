"""The transparency report: what the log says of a period, in figures that anybody can compute again from the published log.

It counts decisions and entries, never people: there is nothing by reviewer, and nothing by region or age of anybody.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from bastau.chain import Entry as Line
from bastau.intervals import wilson
from bastau.review.acts import read_line
from bastau.review.cases import Case, Entry, Outcome, Round, outcome, settle
from bastau.review.log import read_published
from bastau.review.opinions import alpha, panel
from bastau.review.queue import is_waiting

GAP = timedelta(days=3)
"""A longer time without any act is told as a gap."""


@dataclass(frozen=True)
class Decision:
    """A round that ended in the period."""

    case: Case
    round: Round
    outcome: Outcome


def report(lines: Iterable[Line], start: datetime, end: datetime) -> dict[str, Any]:
    """Return the report for the acts from ``start`` to before ``end``, as things stood at ``end``.

    Shares are {``n_hits``, ``n``, ``share``, ``low``, ``high``} with the 95 % Wilson interval, times are in seconds. ``entries.error_rate``
    counts releases that an appeal overturned, that fell because nobody answered it, or that a person took back; ``suggestions.error_rate`` those that people found otherwise.

    Args:
        lines: of the log, whole or published: both give the same report.

    Raises:
        Refused: a line holds what the rules do not allow.
    """
    lines = [line for line in lines if (read := read_line(line)) is not None and read[1] < end]
    book = read_published(lines)
    cases = [settle(case, end) for case in book.cases.values()]
    made = list(_decisions(cases, start, end))
    released = [entry for case in cases for entry in case.entries if start <= entry.released_at < end]
    return {
        "start": start.isoformat(),
        "end": end.isoformat(),
        "n_cases_opened": sum(start <= case.rounds[0].began_at < end for case in cases),
        "decisions": _counts_of_decisions(made),
        "suggestions": _suggestions(made),
        "second_opinions": _second_opinions(made),
        "panels": _panels(made),
        "time_to_decide": _times((one.outcome.decided_at - one.round.began_at) for one in made),
        "entries": _entries(cases, released, start, end),
        "appeals": _appeals(cases, start, end),
        "waiting": {
            "n_cases": sum(is_waiting(case) for case in cases),
            "oldest_s": max(
                ((end - case.round.began_at).total_seconds() for case in cases if is_waiting(case)), default=None
            ),
        },
        "gaps": _gaps(lines, start, end),
    }


def rows(figures: dict[str, Any], name: str = "") -> list[dict[str, Any]]:
    """Return the report as rows for a CSV: ``figure`` (dotted path), ``value``, ``low``, ``high`` and ``n`` where it is a share."""
    if "n_hits" in figures:
        return [
            {
                "figure": name,
                "value": figures["share"],
                "low": figures["low"],
                "high": figures["high"],
                "n": figures["n"],
            }
        ]
    made: list[dict[str, Any]] = []
    for key, value in figures.items():
        path = f"{name}.{key}" if name else key
        if isinstance(value, dict):
            made += rows(value, path)
        elif isinstance(value, list):
            for place, item in enumerate(value, 1):
                made += rows(item, f"{path}.{place}")
        else:
            made.append({"figure": path, "value": value, "low": None, "high": None, "n": None})
    return made


def _decisions(cases: Iterable[Case], start: datetime, end: datetime) -> Iterable[Decision]:
    for case in cases:
        for one in case.rounds:
            found = outcome(one)
            if found is not None and start <= found.decided_at < end:
                yield Decision(case, one, found)


def _share(n_hits: int, n: int) -> dict[str, Any]:
    low, high = wilson(n_hits, n)
    share = round(n_hits / n, 4) if n else None
    return {"n_hits": n_hits, "n": n, "share": share, "low": round(low, 4), "high": round(high, 4)}


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _times(spans: Iterable[timedelta]) -> dict[str, Any]:
    seconds = sorted(span.total_seconds() for span in spans)
    if not seconds:
        return {"n": 0, "median_s": None, "p90_s": None, "max_s": None}
    p90 = seconds[-(-9 * len(seconds) // 10) - 1]
    return {"n": len(seconds), "median_s": median(seconds), "p90_s": p90, "max_s": seconds[-1]}


def _counts_of_decisions(made: Sequence[Decision]) -> dict[str, Any]:
    listed = [one for one in made if one.outcome.listed_act]
    grounds = (one.outcome.given.judged.verdict.ground for one in listed)
    return {
        "n": len(made),
        "n_listed": len(listed),
        "n_left": len(made) - len(listed),
        "by_act": _counted(one.outcome.listed_act or "none" for one in made),
        "by_ground": _counted(ground.kind for ground in grounds if ground is not None),
        "by_exemption": _counted(one.outcome.given.judged.verdict.exemption for one in made),
        "by_language": _counted(tag for one in made for tag in one.case.subject.languages or ("und",)),
        "by_kind": _counted(one.case.subject.kind for one in made),
        "begun_by_machine": _share(sum(one.round.lead is not None for one in made), len(made)),
        "decided_by_machine": _share(0, len(made)),
    }


def _suggestions(made: Sequence[Decision]) -> dict[str, Any]:
    """How often people found otherwise than the machine."""
    judged = [one for one in made if one.round.lead is not None]
    wrong = [one for one in judged if one.round.lead and one.outcome.listed_act != one.round.lead.act]
    by_act = sorted({one.round.lead.act for one in judged if one.round.lead and one.round.lead.act})
    return {
        "error_rate": _share(len(wrong), len(judged)),
        "error_rate_by_act": {
            act: _share(
                sum(one.round.lead is not None and one.round.lead.act == act for one in wrong),
                sum(one.round.lead is not None and one.round.lead.act == act for one in judged),
            )
            for act in by_act
        },
    }


def _second_opinions(made: Sequence[Decision]) -> dict[str, Any]:
    """How often a blind second opinion found otherwise than the first: the error rate of single verdicts."""
    pairs = [[given for given in one.round.given if given.judged.seat is None] for one in made]
    pairs = [pair for pair in pairs if len(pair) == 2]
    unlike = sum(a.judged.verdict.listed_act != b.judged.verdict.listed_act for a, b in pairs)
    return {"disagreement_rate": _share(unlike, len(pairs))}


def _panels(made: Sequence[Decision]) -> dict[str, Any]:
    units = [said for one in made if (said := panel(one.round))]
    agreement = alpha(units)
    return {"n": len(units), "alpha": None if agreement is None else round(agreement, 4)}


def _entries(cases: Sequence[Case], released: Sequence[Entry], start: datetime, end: datetime) -> dict[str, Any]:
    every = [(case, entry) for case in cases for entry in case.entries if entry.released_at < end]
    gone = [entry for _, entry in every if entry.retracted_at is not None and start <= entry.retracted_at < end]
    wrong = [entry for entry in released if entry.retraction_reason in ("overturned", "withdrawn")]
    return {
        "n_released": len(released),
        "n_standing": sum(entry.retracted_at is None for _, entry in every),
        "standing_by_kind": _counted(case.subject.kind for case, entry in every if entry.retracted_at is None),
        "retracted_by_reason": _counted(str(entry.retraction_reason) for entry in gone),
        "error_rate": _share(len(wrong), len(released)),
    }


def _appeals(cases: Sequence[Case], start: datetime, end: datetime) -> dict[str, Any]:
    every = [entry.appeal for case in cases for entry in case.entries if entry.appeal is not None]
    filed = [appeal for appeal in every if start <= appeal.filed_at < end]
    answered = [appeal for appeal in every if appeal.answered_at is not None and start <= appeal.answered_at < end]
    return {
        "n_filed": len(filed),
        "n_waiting": sum(appeal.answered_at is None for appeal in every),
        "n_overdue": sum(appeal.answered_at is None and appeal.due_at <= end for appeal in every),
        "overturn_rate": _share(sum(bool(appeal.is_overturned) for appeal in answered), len(answered)),
        "time_to_answer": _times(
            appeal.answered_at - appeal.filed_at for appeal in answered if appeal.answered_at is not None
        ),
    }


def _gaps(lines: Sequence[Line], start: datetime, end: datetime) -> list[dict[str, Any]]:
    read = [one for one in map(read_line, lines) if one is not None]
    moments = [start, *sorted(at for _, at, _ in read if start <= at < end), end]
    return [
        {"since_at": since.isoformat(), "until_at": until.isoformat()}
        for since, until in pairwise(moments)
        if until - since > GAP
    ]

"""Opinions: a verdict made ready for the log, whose work is looked at a second time, and how well panels agree."""

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

from bastau.review.acts import By, Judged, Verdict
from bastau.review.cases import Case, Round, outcome, versions

RATES: Mapping[str, float] = {"law": 0.1, "policy": 0.2, "none": 0.05}
"""Share of first verdicts that get a blind second opinion, by kind of ground; ``none``: nothing to list."""


def judge(
    case: Case,
    by: By,
    verdict: Verdict,
    evidence_sha256: str,
    seed: bytes,
    rates: Mapping[str, float] = RATES,
    seat: str | None = None,
) -> Judged:
    """Return a verdict on a case as its question stands now.

    Args:
        seed: secret; who knows it knows whose work will be looked at.
    """
    ground = verdict.ground.kind if verdict.ground is not None and verdict.listed_act else "none"
    sampled = not case.round.given and is_sampled(seed, case.case, len(case.rounds), rates[ground])
    return Judged(case.case, by, case.round.n, verdict, versions(case), evidence_sha256, seat, rates[ground], sampled)


def is_sampled(seed: bytes, case: str, n_round: int, rate: float) -> bool:
    """Say whether the first verdict of a round gets a second opinion: the same answer each time, for ``rate`` of all."""
    draw = hashlib.blake2b(f"{case}:{n_round}".encode(), key=seed, digest_size=8).digest()
    return int.from_bytes(draw, "big") < rate * 2**64


def alpha(units: Iterable[Sequence[Hashable]]) -> float | None:
    """Return Krippendorff's alpha for nominal data; None where it is not defined (fewer than two values paired, or one value only).

    alpha = 1 - (n - 1) * D_o / D_e. Each unit u holds the m_u values given to it (who gave none is left out); only units with two or
    more count, n values in all. D_o = sum over units of (ordered pairs of unlike values in u) / (m_u - 1); D_e = ordered pairs of unlike
    values among all n. 1: full agreement, 0: as by chance.

    Reference: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C (nominal data, any number of observers,
    missing data).
    """
    counted = [Counter(unit) for unit in units if len(unit) > 1]
    total: Counter[Hashable] = sum(counted, Counter())
    expected = _unlike(total)
    if not expected:
        return None
    observed = sum(_unlike(unit) / (unit.total() - 1) for unit in counted)
    return 1 - (total.total() - 1) * observed / expected


def _unlike(counts: Counter[Hashable]) -> int:
    return counts.total() ** 2 - sum(count**2 for count in counts.values())


def panel(one: Round) -> list[str]:
    """Return what the finished panel of a round said, an act (or ``none``) a seat: a unit of :func:`alpha`. Empty: there was none."""
    if one.convened is None or outcome(one) is None:
        return []
    return [given.judged.verdict.listed_act or "none" for given in one.given if given.judged.seat is not None]

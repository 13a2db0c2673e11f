"""Tests of a whole group at once: who else belongs to it, and whether a crowd hides one.

**Joining.** A group found from pairs misses members that were there too seldom to show with any one other. For a source
and a group, n is the number of the group's objects that the source shared within ten windows of a member. Chance gives
each object

    q_oG(tau) = 1 - (1 - q_o(tau))^m_o,

m_o the members that shared it and q_o the chance of one pair, estimated from the object's other sharers. The tail is
that of a sum of independent draws over all objects that the source and the group have in common at any time. Who is
never ahead of any member follows the group, and does not belong to it.

**Crowds.** Where thousands share the same few objects within an hour, pairs in step are not rare and none passes among
10^9 tests; twelve sources in step still are. For n sources that all moved within tau on J objects, of N sources
that could have and M objects that were as popular, the chance that any n of them do so on any J is at most

    C(N, n) C(M, J) prod_o (n q_o^(n - 1)):

one of the n comes first and each of the others lies within tau of it. The bound holds whatever way the sources were chosen.

Reference: the union bound over sets, as for scan statistics: Glaz, Naus, Wallenstein 2001, Scan Statistics, ch. 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from bastau.sources.chance import PRIOR_PAIRS, tails


def block_log_p(n: int, n_sources: int, n_objects: int, log_q: np.ndarray) -> float:
    """Return the natural logarithm of the bound on a chance of ``n`` sources in step on ``len(log_q)`` objects; at most 0.

    Args:
        n: sources in step, at least 2.
        n_sources: sources that shared all of the objects, at least ``n``.
        n_objects: objects that were as popular, at least ``len(log_q)``.
        log_q: logarithm of each object's chance that two of its sharers lie within tau.
    """
    sets = _log_choose(n_sources, n) + _log_choose(n_objects, len(log_q))
    return float(min(0.0, sets + np.sum(np.log(n) + (n - 1) * log_q)))


def _log_choose(n: float, k: float) -> float:
    return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def best_block(
    present: np.ndarray, log_q: np.ndarray, n_sharers: np.ndarray, n_objects: int
) -> tuple[float, np.ndarray]:
    """Return the smallest bound over nested blocks of a group, and which of its sources are in that block.

    Blocks are grown greedily: the object that most of the sources left moved on comes next. Each step is counted as a
    choice of its own by the bound, so choosing the best costs nothing but a factor of the number of objects.

    Args:
        present: which source moved within tau of another on which object, bool (n_sources, n_objects).
        log_q: as in :func:`block_log_p`, float64 (n_objects,).
        n_sharers: sharers of each object, int64 (n_objects,).
        n_objects: objects that were as popular.
    """
    members = np.ones(len(present), bool)
    chosen: list[int] = []
    best, inside = 0.0, members
    while True:
        left = [o for o in range(present.shape[1]) if o not in chosen]
        if not left:
            break
        following = max(left, key=lambda o: (int((present[:, o] & members).sum()), -log_q[o]))
        members = members & present[:, following]
        n = int(members.sum())
        if n < MIN_CROWD:
            break
        chosen.append(following)
        if len(chosen) >= MIN_BLOCK_OBJECTS:
            pool = int(max(n_sharers[chosen].min(), n))
            log_p = block_log_p(n, pool, max(n_objects, len(chosen)), log_q[chosen])
            log_p = min(0.0, log_p + np.log(present.shape[1]))
            if log_p < best:
                best, inside = log_p, members
    return best, inside


MIN_CROWD = 5
"""Fewer sources in step are left to the test of pairs."""
MIN_BLOCK_OBJECTS = 2

MAX_SHARERS = 5_000
"""Objects with more sharers say nothing of who else belongs to a group."""
MAX_MOMENTS = 3_000
"""Most objects of a group that are looked at."""
MIN_JOINED = 3
"""Objects on which a source moved with a group, at least; as for pairs."""


@dataclass(frozen=True)
class Sharers:
    """First shares of objects, ordered by object: ``starts`` int64 (n_objects + 1,), ``who`` int64, ``at`` float64 seconds.

    ``reach``: within how many seconds each object is evidence at all, float64 (n_objects,).
    """

    starts: np.ndarray
    who: np.ndarray
    at: np.ndarray
    reach: np.ndarray

    @property
    def n(self) -> int:
        """Number of objects."""
        return len(self.starts) - 1


@dataclass(frozen=True)
class Joined:
    """Sources that were with a group: who, which cluster, and the p-value of each; ``n_tests`` were made in all."""

    who: np.ndarray
    cluster: np.ndarray
    p_value: np.ndarray
    n_tests: int


def joining(sharers: Sharers, cluster: np.ndarray, taus: tuple[int, ...], prior: Callable[[int], float]) -> Joined:
    """Test every source that has at least MIN_JOINED objects in common with a cluster and is not in it.

    Args:
        sharers: of the objects on which clusters moved.
        cluster: of each source, int64 (n_sources,), -1 for none.
        taus: time scales, seconds, the widest first.
        prior: chance of a pair within tau where nobody else shared an object.
    """
    object_of = np.repeat(np.arange(sharers.n), np.diff(sharers.starts))
    who, groups, p_values, n_tests = [], [], [], 0
    size = np.diff(sharers.starts)
    for number in range(cluster.max() + 1):
        inside = cluster[sharers.who] == number
        n_inside = np.bincount(object_of[inside], minlength=sharers.n)
        touched = np.flatnonzero((n_inside > 1) & (size > n_inside) & (size <= MAX_SHARERS))
        if len(touched) > MAX_MOMENTS:  # those with most members say most
            touched = np.sort(touched[np.argsort(-n_inside[touched], kind="stable")[:MAX_MOMENTS]])
        looked = [_meet(sharers, o, inside, min(taus[0], sharers.reach[o])) for o in touched.tolist()]
        met = [m for m in looked if m is not None]
        if not met:
            continue
        source = np.concatenate([m.who for m in met])
        which = np.repeat(np.arange(len(met)), [len(m.who) for m in met])
        gap, is_ahead = np.concatenate([m.gap for m in met]), np.concatenate([m.is_ahead for m in met])
        n_common = np.bincount(source, minlength=len(cluster))
        n_near = np.bincount(source, gap <= taus[0], len(cluster))
        suspect = (n_near * 2 >= n_common) & (n_near >= 2)
        asked = np.flatnonzero(n_common >= MIN_JOINED)
        n_tests += len(asked)
        ahead = np.bincount(source, is_ahead & (gap <= taus[0]), len(cluster))
        chosen = np.flatnonzero((n_near >= MIN_JOINED) & (ahead * 5 >= n_near) & (ahead > 0))
        order = np.argsort(source, kind="stable")
        begin, end = np.searchsorted(source[order], chosen), np.searchsorted(source[order], chosen, side="right")
        smallest = np.ones(len(cluster))
        for tau in taus:
            q = np.array([m.chance(min(tau, m.reach), suspect, prior(tau)) for m in met])
            for i, s in enumerate(chosen):
                mine = order[begin[i] : end[i]]
                n = int((gap[mine] <= tau).sum())
                if n >= MIN_JOINED:
                    smallest[s] = min(smallest[s], tail(q[which[mine]], n))
        smallest = smallest[asked]
        who.append(asked)
        groups.append(np.full(len(asked), number))
        p_values.append(np.minimum(smallest * len(taus), 1.0))
    if not who:
        return Joined(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), n_tests)
    return Joined(np.concatenate(who), np.concatenate(groups), np.concatenate(p_values), n_tests)


@dataclass(frozen=True)
class _Met:
    """One object: the members' times (sorted), and of the others who, when, how near to a member, ahead of one."""

    members: np.ndarray
    who: np.ndarray
    at: np.ndarray
    gap: np.ndarray
    is_ahead: np.ndarray
    reach: float

    def chance(self, tau: float, suspect: np.ndarray, prior: float) -> float:
        """Return q_oG: the chance that a source lies within ``tau`` of one of the members."""
        others = np.sort(self.at[~suspect[self.who]])
        pairs = len(others) * (len(others) - 1) / 2
        close = float((np.searchsorted(others, others + tau, side="right") - np.arange(len(others)) - 1).sum())
        q = (close + PRIOR_PAIRS * prior) / (pairs + PRIOR_PAIRS)
        return float(1.0 - (1.0 - q) ** len(self.members))


def _meet(sharers: Sharers, o: int, inside: np.ndarray, widest: float) -> _Met | None:
    rows = slice(sharers.starts[o], sharers.starts[o + 1])
    who, at, is_member = sharers.who[rows], sharers.at[rows], inside[rows]
    members, others = np.sort(at[is_member]), at[~is_member]
    close = np.diff(members) <= widest
    # members that shared it alone are no moment of the group
    members = members[np.append(close, False) | np.append(False, close)]
    if not len(members):
        return None
    after = np.searchsorted(members, others)
    gap = np.minimum(
        np.where(after < len(members), members[np.minimum(after, len(members) - 1)] - others, np.inf),
        np.where(after > 0, others - members[np.maximum(after - 1, 0)], np.inf),
    )
    gap[gap > widest] = np.inf
    is_ahead = (after < len(members)) & (members[np.minimum(after, len(members) - 1)] - others <= widest)
    return _Met(members, who[~is_member], others, gap, is_ahead, widest)


def tail(q: np.ndarray, n: int) -> float:
    """Return the chance of at least ``n`` of independent draws with chances ``q``."""
    found: np.ndarray = tails(np.array([n]), np.array([0, len(q)]), q, np.array([q.sum()]))
    return float(found[0])


def crowded(
    sharers: Sharers,
    cluster: np.ndarray,
    taus: tuple[int, ...],
    prior: Callable[[int], float],
    n_as_popular: Callable[[int], int],
) -> list[tuple[float, np.ndarray]]:
    """Return (bound on p, sources in step) of each cluster, 0-based, by the test for crowds; p is 1 for what shows nothing.

    Args:
        sharers: of all objects that at least two of a cluster shared.
        cluster: of each source, -1 for none.
        taus: time scales, seconds.
        prior: as for :func:`joining`.
        n_as_popular: sharers -> how many objects have at least as many.
    """
    found = []
    for number in range(cluster.max() + 1):
        names = np.flatnonzero(cluster == number)
        best, block = 0.0, names
        for tau in taus if len(names) >= MIN_CROWD else ():
            present, log_q, n_sharers = _in_step(sharers, names, tau, prior(tau))
            if present.shape[1] < MIN_BLOCK_OBJECTS:
                continue
            log_p, inside = best_block(present, log_q, n_sharers, n_as_popular(MIN_CROWD))
            if log_p < best:
                best, block = log_p, names[inside]
        # any size of block and number of objects was possible, and every scale
        sizes = np.log(len(taus) * max(len(names), 1) * max(sharers.n, 1))
        found.append((float(np.exp(min(0.0, best + sizes))), block))
    return found


def _in_step(sharers: Sharers, names: np.ndarray, tau: int, prior: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return who of ``names`` is in the fullest window of tau of each object, the objects' log q, and their sharers."""
    present, log_q, n_sharers = [], [], []
    for o in range(sharers.n):
        who, at = (
            sharers.who[sharers.starts[o] : sharers.starts[o + 1]],
            sharers.at[sharers.starts[o] : sharers.starts[o + 1]],
        )
        place = np.searchsorted(names, who)
        mine = (place < len(names)) & (names[np.minimum(place, len(names) - 1)] == who)
        if mine.sum() < MIN_CROWD:
            continue
        own, order = at[mine], np.argsort(at[mine], kind="stable")
        times = own[order]
        last = np.searchsorted(times, times + tau, side="right")
        first = int(np.argmax(last - np.arange(len(times))))
        step = np.zeros(len(names), bool)
        step[place[mine][order[first : last[first]]]] = True
        others = np.sort(at[~mine])
        pairs = len(others) * (len(others) - 1) / 2
        close = float((np.searchsorted(others, others + tau, side="right") - np.arange(len(others)) - 1).sum())
        present.append(step)
        log_q.append(np.log((close + PRIOR_PAIRS * prior) / (pairs + PRIOR_PAIRS)))
        n_sharers.append(len(who))
    if not present:
        return np.zeros((len(names), 0), bool), np.zeros(0), np.zeros(0, np.int64)
    return np.stack(present, axis=1), np.array(log_q), np.array(n_sharers)

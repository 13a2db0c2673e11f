"""How surprising it is that two sources shared so many objects so close in time.

The null takes what everybody shared as given and asks of the timing only. For a pair and an object that both shared at
any delay, q_o(tau) is the chance that they did so within tau seconds:

    q_o(tau) = (B_o(tau) + k p0) / (P_o + k)

- P_o are the pairs of the object's sharers and B_o(tau) those whose first shares lie within tau: the object's own
  burst. Pairs under test that co-shared at least half of what they have in common are left out of both: a group that has
  an object to itself would otherwise be its own null and the larger the safer.
- p0 = 2 window / 46 h is the chance under a circular shift of a timeline by 1 to 24 hours either way, the null of an
  object without a burst. It is not sharpened for smaller tau: whether delays of seconds mean anything
  for an object (its source may date to the minute) only its other sharers can tell.
- k = :data:`PRIOR_PAIRS` weighs the two.

The number of objects within tau is then a sum of independent draws with chances q_o(tau). Its tail is exact up to
:data:`MAX_EXACT` common objects and Poisson above, which errs to the safe side. The smallest of three scales counts,
times three: windows of a minute miss how odd five seconds are in a crowd.

Reference: circular shifts and several windows: METHODS after Pacheco et al. 2021 (ICWSM 15); Poisson-binomial tail
by the direct recursion: Chen, Liu 1997, Statistica Sinica 7.
"""

import ibis
import numba as nb
import numpy as np
import pyarrow as pa
from scipy.special import gammainc

NULL_SPAN_S = 46 * 3600
"""Width of the circular shift of the null: 1 to 24 hours either way."""

PRIOR_PAIRS = 20
"""Weight, in pairs of sharers, of the shift null against an object's own burst: six sharers weigh as much."""

N_SCALES = 3
MAX_EXACT = 64

N_POPULAR = 24
"""Objects over which testable pairs are counted exactly."""

MAX_PROFILES = 1024
"""Most distinct sets of popular objects compared with each other; with more, fewer objects are taken."""


def scales(window_s: int) -> tuple[int, int, int]:
    """Return the time scales in seconds: the window, a quarter and a twelfth of it (60, 15, 5)."""
    return window_s, window_s // 4, window_s // 12


def chances(sharing: ibis.ir.Table, shared: ibis.ir.Table, window_s: int) -> ibis.ir.Table:
    """Return (object, n_sharers, q_0, q_1, q_2) of the objects in ``shared``: q_o at each scale, in (0, 1].

    Args:
        sharing: (who, object, first_s, n_sharers), every sharer once an object.
        shared: (a, b, object, delay_s) of the pairs under test; delay_s null beyond the window.
    """
    ratio = shared.group_by("a", "b").agg(n_common=shared.count(), n_close=shared.delay_s.count())
    suspect = ratio.filter(ratio.n_close * 2 >= ratio.n_common)
    theirs = shared.semi_join(suspect, ["a", "b"])
    within = {f"own_{i}": (theirs.delay_s <= tau).ifelse(1, 0).sum() for i, tau in enumerate(scales(window_s))}
    own = theirs.group_by("object").agg(n_own=theirs.count(), **within)
    objects = _bursts(sharing.semi_join(shared, "object"), window_s).left_join(own, "object")
    pairs = objects.n_sharers.cast("float64") * (objects.n_sharers - 1) / 2 - objects.n_own.fill_null(0)
    prior = PRIOR_PAIRS * 2.0 * window_s / NULL_SPAN_S
    q = {}
    for i in range(N_SCALES):
        # each pair within tau was met from both ends
        close = ibis.greatest(objects[f"met_{i}"] / 2.0 - objects[f"own_{i}"].fill_null(0), 0.0)
        q[f"q_{i}"] = (close + prior) / (ibis.greatest(pairs, close) + PRIOR_PAIRS)
    return objects.select("object", "n_sharers", **q)


def _bursts(sharing: ibis.ir.Table, window_s: int) -> ibis.ir.Table:
    """Return (object, n_sharers, met_0, met_1, met_2): sharers met within each scale, summed over the sharers.

    Only a source's first share counts, or repeating itself would make everything look like chance.
    """
    rows = sharing.select("object", "n_sharers", "first_s")
    around = [ibis.window(group_by="object", order_by="first_s", range=(-tau, tau)) for tau in scales(window_s)]
    rows = rows.mutate(**{f"met_{i}": rows.count().over(window) - 1 for i, window in enumerate(around)})
    return rows.group_by("object", "n_sharers").agg(**{f"met_{i}": rows[f"met_{i}"].sum() for i in range(N_SCALES)})


def p_values(occasions: np.ndarray, starts: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the p-value of each pair, float64 (n,), in [0, 1].

    Args:
        occasions: objects of the pair within each scale, int64 (n, N_SCALES).
        starts: where each pair's objects begin in ``q``, int64 (n + 1,).
        q: chances of the objects that both shared, float64 (m, N_SCALES).
    """
    smallest = np.ones(len(occasions))
    expected = np.add.reduceat(q, starts[:-1], axis=0) if len(q) else np.zeros((0, N_SCALES))
    for i in range(N_SCALES):
        n = occasions[:, i].astype(np.float64)
        tail = np.where(n > 0, gammainc(np.maximum(n, 1), expected[:, i]), 1.0)
        _exact_tails(occasions[:, i], starts, np.ascontiguousarray(q[:, i]), tail)
        smallest = np.minimum(smallest, tail)
    return np.minimum(smallest * N_SCALES, 1.0)


@nb.njit(nogil=True, cache=True)
def _exact_tails(n, starts, q, tail):  # type: ignore[no-untyped-def]
    """Overwrite ``tail`` with P(at least n[i] of pair i's draws) where a pair has at most MAX_EXACT objects."""
    for i in range(len(n)):
        if n[i] == 0 or starts[i + 1] - starts[i] > MAX_EXACT:
            continue
        # below[k]: chance of exactly k so far; what reaches n[i] is never subtracted from 1, so no digits are lost
        below = np.zeros(n[i])
        below[0] = 1.0
        reached = 0.0
        for j in range(starts[i], starts[i + 1]):
            reached += below[n[i] - 1] * q[j]
            for k in range(n[i] - 1, 0, -1):
                below[k] = below[k] * (1.0 - q[j]) + below[k - 1] * q[j]
            below[0] *= 1.0 - q[j]
        tail[i] = reached


def count_testable(sharing: ibis.ir.Table, min_objects: int) -> int:
    """Return an upper bound of the number of pairs of sources that could be found, whatever their timing.

    Only pairs with ``min_objects`` objects in common, or two of two traces, at any delay, are tests (Tarone 1990,
    Biometrics 46: a test that cannot reject is none). Counting them is quadratic; the bound is exact over the most
    popular objects, where nearly all pairs of sharers are, and takes any one other object in common as enough.
    So a trending object, or twenty, do not drown the rest in tests.

    Args:
        sharing: (who, object, trace) with trace a small number, every sharer once an object.
    """
    several = sharing.group_by("who").agg(n=sharing.count())
    shared = sharing.semi_join(several.filter(several.n > 1), "who").select("who", "object", "trace")
    sizes = shared.group_by("object").agg(n=shared.count(), trace=shared.trace.min())
    top = sizes.order_by([sizes.n.desc(), "object"]).limit(N_POPULAR).to_pyarrow()
    if top.num_rows == 0:
        return 0
    sizes = sizes.group_by("n").agg(n_objects=sizes.count()).to_pyarrow()
    n, n_objects = (sizes.column(name).to_numpy().astype(float) for name in ("n", "n_objects"))
    all_pairs = float((n * (n - 1) / 2) @ n_objects)

    bits = ibis.memtable(top.select(["object"]).append_column("bit", pa.array(1 << np.arange(top.num_rows))))
    profiles = shared.join(bits, "object")
    profiles = profiles.group_by("who").agg(profile=profiles.bit.sum())
    profiles = profiles.group_by("profile").agg(n=profiles.count()).to_pyarrow()
    trace = top.column("trace").to_numpy()
    traces = [int((1 << np.flatnonzero(trace == name)).sum()) for name in np.unique(trace)]
    size = top.column("n").to_numpy().astype(float)
    profile = profiles.column("profile").to_numpy().astype(np.int64)
    count = profiles.column("n").to_numpy().astype(float)
    bounds = []
    for k in range(top.num_rows, -1, -1):
        profile, inverse = np.unique(profile & ((1 << k) - 1), return_inverse=True)
        count = np.bincount(inverse, count)
        others = all_pairs - float((size[:k] * (size[:k] - 1) / 2).sum())
        if len(profile) <= MAX_PROFILES:
            bounds.append(others + _pairs_in_common(profile, count, traces, min_objects))
    return round(min(bounds))


def _pairs_in_common(profile: np.ndarray, count: np.ndarray, traces: list[int], min_objects: int) -> float:
    """Return the number of pairs of sources whose profiles (bits, popular objects) have enough in common."""
    both = profile[:, None] & profile[None, :]
    n_both = np.bitwise_count(both)
    is_one_trace = np.logical_or.reduce([(both & ~np.int64(bits)) == 0 for bits in traces])
    enough = (n_both >= min_objects) | ((n_both >= 2) & ~is_one_trace)
    ordered = float((np.outer(count, count) * enough).sum()) - float(count @ np.diag(enough))
    return ordered / 2

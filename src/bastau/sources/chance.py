"""How surprising it is that two sources shared so many objects so close in time.

The null takes what everybody shared as given and asks of the timing only. For a pair and an object that both shared at
any delay, q_o(tau) is the chance that they did so within tau seconds:

    q_o(tau) = (B_o(tau) + k p0) / (P_o + k)

- P_o are the pairs of the object's sharers and B_o(tau) those whose first shares lie within tau: the object's own
  burst. Pairs inside a *crew* are left out of both: a group that has an object to itself would otherwise be its own null
  and the larger the safer. A crew is a community of pairs under test that co-shared at least half of what they have in
  common, and all its members together must have done so too: fans of one author, who share much and now and then at once,
  are none.
- p0 = 2 tau / 46 h, for tau of a window or ten, is the chance under a circular shift of a timeline by 1 to 24 hours either way, the null of an
  object without a burst. It is not sharpened below a window: whether delays of seconds mean anything
  for an object (its source may date to the minute) only its other sharers can tell.
- k = :data:`PRIOR_PAIRS` weighs the two.

The number of objects within tau is then a sum of independent draws with chances q_o(tau). Its tail is exact up to
:data:`MAX_EXACT` common objects and Poisson above, which errs to the safe side. The smallest of five scales counts,
times five: windows of a minute miss how odd five seconds are in a crowd, and a group that takes four minutes or an hour.

Reference: circular shifts and several windows: METHODS after Pacheco et al. 2021 (ICWSM 15); Poisson-binomial tail
by the direct recursion: Chen, Liu 1997, Statistica Sinica 7.
"""

import ibis
import igraph
import leidenalg
import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import gammainc

from bastau.sources.relations import small

NULL_SPAN_S = 46 * 3600
"""Width of the circular shift of the null: 1 to 24 hours either way."""

PRIOR_PAIRS = 20
"""Weight, in pairs of sharers, of the shift null against an object's own burst: six sharers weigh as much."""

WIDE = 10
SLOW = 60
"""The two widest scales are this many windows: groups that take minutes, and groups that drip within an hour."""

N_SCALES = 5

NEAR = {"slow": 0.8, "wide": 0.5, "close": 0.5}
"""Least share of what a crew has in common that it shared within sixty, ten and one window. Within an hour half is what
fans of one author manage, too."""
MAX_EXACT = 64

N_POPULAR = 24
"""Objects over which testable pairs are counted exactly."""

MAX_PROFILES = 1024
"""Most distinct sets of popular objects compared with each other; with more, fewer objects are taken."""


def scales(window_s: int) -> tuple[int, int, int, int, int]:
    """Return the time scales in seconds: sixty windows, ten, one, a quarter, a twelfth of one (3600, 600, 60, 15, 5)."""
    return SLOW * window_s, WIDE * window_s, window_s, window_s // 4, window_s // 12


def _reaches(window_s: int) -> dict[str, int]:
    """Return the scale by which each kind of crew is told, seconds."""
    return dict(zip(NEAR, scales(window_s)[:3], strict=True))


def chances(sharing: ibis.ir.Table, shared: ibis.ir.Table, window_s: int, *, seed: int = 0) -> ibis.ir.Table:
    """Return (object, n_sharers, q_0 ... q_4) of the objects in ``shared``: q_o at each scale, in [0, 1].

    Args:
        sharing: (who, object, first_s, n_sharers), every sharer once an object.
        shared: (a, b, object, is_text, delay_s) of the pairs under test; delay_s null beyond sixty windows.
        seed: of the clustering.
    """
    reaches = _reaches(window_s)
    near = {name: (shared.delay_s <= tau).ifelse(1, 0).sum() for name, tau in reaches.items()}
    ratio = shared.group_by("a", "b").agg(
        n_close=shared.count(),
        n_wide=shared.is_text.ifelse(0, 1).sum(),
        n_slow=shared.is_text.ifelse(0, 1).sum(),
        **near,
    )
    enough = [ratio[name] >= ratio[f"n_{name}"] * share for name, share in NEAR.items()]
    suspects = ratio.filter(enough[0] | enough[1] | enough[2]).to_pyarrow()
    asked = shared.group_by("object").agg(is_text=shared.is_text.max())
    objects = _bursts(sharing.join(asked, "object"), ["object", "n_sharers", "is_text"], window_s)
    for name in NEAR:
        crews = _crews(suspects, name, seed)
        whole = small(crews.select(["who", "whole"]).rename_columns(["who", "crew"]), sharing)
        near_all = _near_all(_met_inside(sharing, whole, window_s), name).to_pyarrow().column("crew")
        crew = pc.if_else(pc.is_in(crews.column("whole"), near_all), crews.column("whole"), crews.column("part"))
        own = _own(sharing, small(pa.table({"who": crews.column("who"), "crew": crew}), sharing), window_s, name)
        objects = objects.left_join(own, "object").drop("object_right")
    all_pairs = objects.n_sharers.cast("float64") * (objects.n_sharers - 1) / 2
    q = {}
    for i in range(N_SCALES):
        name = list(NEAR)[min(i, 2)]
        widest_s = reaches[name]
        prior = PRIOR_PAIRS * 2.0 * widest_s / NULL_SPAN_S
        pairs = all_pairs - objects[f"{name}_pairs"].fill_null(0.0)
        # each pair within tau was met from both ends
        close = ibis.greatest(objects[f"met_{i}"] / 2.0 - objects[f"{name}_{i}"].fill_null(0.0), 0.0)
        chance = (close + prior) / (ibis.greatest(pairs, close) + PRIOR_PAIRS)
        q[f"q_{i}"] = chance
    for i in range(list(NEAR).index("close")):
        # beyond a window a text counts only if it was within it after all
        q[f"q_{i}"] = objects.is_text.ifelse(q["q_2"], q[f"q_{i}"])
    return objects.select("object", "n_sharers", **q)


def _bursts(sharing: ibis.ir.Table, keys: list[str], window_s: int) -> ibis.ir.Table:
    """Return keys, met_0 ... met_4: sharers of a key met within each scale, summed over the sharers.

    Only a source's first share counts, or repeating itself would make everything look like chance.
    """
    rows = sharing.select(*keys, "first_s")
    around = [ibis.window(group_by=keys, order_by="first_s", range=(-tau, tau)) for tau in scales(window_s)]
    rows = rows.mutate(**{f"met_{i}": rows.count().over(window) - 1 for i, window in enumerate(around)})
    met = {f"met_{i}": rows[f"met_{i}"].sum() for i in range(N_SCALES)}
    return rows.group_by(*keys).agg(n=rows.count(), **met)


def _crews(suspects: pa.Table, name: str, seed: int) -> pa.Table:
    """Return (who, whole, part) of the pairs of which enough of what they have in common (NEAR) is near in time.

    ``whole`` numbers the components of their graph, ``part`` its communities: a component that is no crew may hold one.

    Args:
        suspects: (a, b), and by name the objects in common (n_*) and those of them near in time.
        name: slow, wide or close.
    """
    n_close = suspects.column(name).to_numpy()
    is_suspect = (n_close > 0) & (n_close >= suspects.column(f"n_{name}").to_numpy() * NEAR[name])
    rows = suspects.filter(pa.array(is_suspect)).sort_by([("a", "ascending"), ("b", "ascending")])
    if rows.num_rows == 0:
        return pa.table({column: pa.array([], pa.int64()) for column in ("who", "whole", "part")})
    ends = [rows.column(end).to_numpy() for end in "ab"]
    who, index = np.unique(np.concatenate(ends), return_inverse=True)
    edges = index.reshape(2, -1).T
    graph = igraph.Graph(n=len(who), edges=edges)
    weights = rows.column(name).to_numpy().astype(float).tolist()
    parts = leidenalg.find_partition(graph, leidenalg.ModularityVertexPartition, weights=weights, seed=seed)
    whole = np.array(graph.connected_components().membership, np.int64)
    return pa.table({"who": who, "whole": whole, "part": len(who) + np.array(parts.membership, np.int64)})


def _met_inside(sharing: ibis.ir.Table, crews: ibis.ir.Table, window_s: int) -> ibis.ir.Table:
    """Return (object, crew, pairs, met_0 ... met_4): pairs of a crew's sharers of an object, and those met."""
    rows = sharing.select("who", "object", "first_s").join(crews, "who")
    met = _bursts(rows, ["object", "crew"], window_s)
    return met.filter(met.n > 1).mutate(pairs=met.n.cast("float64") * (met.n - 1) / 2)


def _near_all(met: ibis.ir.Table, name: str) -> ibis.ir.Table:
    """Return the crews of which all members together are near often enough."""
    column = f"met_{list(NEAR).index(name)}"
    pooled = met.group_by("crew").agg(met_all=met[column].sum() / 2.0, pairs_all=met.pairs.sum())
    return pooled.filter(pooled.met_all >= pooled.pairs_all * NEAR[name]).select("crew")


def _own(sharing: ibis.ir.Table, crews: ibis.ir.Table, window_s: int, name: str) -> ibis.ir.Table:
    """Return (object, name_pairs, name_i): pairs within a crew, and those within each scale, of the crews left out."""
    met = _met_inside(sharing, crews, window_s)
    met = met.semi_join(_near_all(met, name), "crew")
    scaled = {f"{name}_{i}": met[f"met_{i}"].sum() / 2.0 for i in range(N_SCALES)}
    return met.group_by("object").agg(**{f"{name}_pairs": met.pairs.sum()}, **scaled)


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
        smallest = np.minimum(smallest, tails(occasions[:, i], starts, q[:, i], expected[:, i]))
    return np.minimum(smallest * N_SCALES, 1.0)


def tails(n: np.ndarray, starts: np.ndarray, q: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return the chance that at least ``n[i]`` of the draws ``q[starts[i] : starts[i + 1]]`` succeed, float64 (len(n),).

    Exact up to MAX_EXACT draws, Poisson above; ``expected`` are the sums of the draws.
    """
    least = n.astype(np.float64)
    tail = np.where(least > 0, gammainc(np.maximum(least, 1), expected), 1.0)
    _exact_tails(n, starts, np.ascontiguousarray(q), tail)
    return tail


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

    bits = small(top.select(["object"]).append_column("bit", pa.array(1 << np.arange(top.num_rows))), shared)
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

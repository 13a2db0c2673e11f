"""Which platform sets off posts on which: a discrete-time Hawkes process over addresses and narratives.

Each address (or narrative) is a spread: counts s_k[t] of posts on platform k in minute t. On average

    lambda_k[t] = mu_k + sum_j W_jk sum_{d=1..720} s_j[t - d] g(d)

W_jk is how many posts on k one post on j sets off within 12 hours, and g, the same for all, how the answers are spread
over the delay: a step function with edges :data:`EDGES_MIN`. Posts of one minute do not set off each other.

Fitted over the first 48 hours of all spreads at once, by expectation-maximisation (each post is shared out between the
background and earlier posts). The window begins with a spread's first post, which therefore says nothing of the
background, and ends for all alike: one that ended with the last post would take every quiet night for a busy one. The interval comes from drawing the spreads anew (bootstrap): spreads differ far more than posts do, so
an interval from posts alone would be too narrow.

What it cannot tell: a common cause outside the data (an event that everybody reports) looks like influence.

Reference: Zannettou et al. 2017, IMC, "The web centipede", section 5 (1-minute bins, 12 h lag); Linderman, Adams
2014, ICML, section 3 (the discrete process); Veen, Schoenberg 2008, JASA 103 (EM for branching processes).
"""

from dataclasses import dataclass

import ibis
import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.schemas import INFLUENCE
from bastau.sources.relations import epoch_s, stack
from bastau.tables import conform, empty

MAX_LAG_MIN = 720
WINDOW_MIN = 2880
"""Minutes of each spread that the fit looks at; what was caused is told of all posts."""
EDGES_MIN = (1, 2, 5, 10, 30, 60, 180, 721)
"""Edges of the steps of g, minutes; the last is exclusive."""
MIN_SPREADS = 20
"""Fewer spreads that touch two platforms give no estimate."""
N_BOOTSTRAP = 100
N_ITERATIONS = 80
MAX_FITTED = 20_000
"""Most spreads that the estimate rests on, drawn by their keys; all get their share of what was caused."""
_PRIOR = 0.5
"""Pseudo-posts a cell of W: a platform with three posts cannot have a weight from one."""


@dataclass(frozen=True)
class Spreads:
    """Posts of spreads as bins, ordered by spread and minute.

    ``spread`` int64 (n,), 0-based and ascending; ``minute`` int64; ``platform`` int64, 0-based; ``count`` float64;
    ``starts`` int64 (n_spreads + 1,): where each spread's bins begin.
    """

    minute: np.ndarray
    platform: np.ndarray
    count: np.ndarray
    starts: np.ndarray
    n_platforms: int

    @property
    def n(self) -> int:
        """Number of spreads."""
        return len(self.starts) - 1


@dataclass(frozen=True)
class Fit:
    """``weight`` float64 (p, p), from row to column; ``delay`` float64 (len(EDGES_MIN) - 1,), sums to 1: g by step;
    ``background`` float64 (p,), posts a minute."""

    weight: np.ndarray
    delay: np.ndarray
    background: np.ndarray


def spread_events(shares: ibis.ir.Table, posts: ibis.ir.Table, members: ibis.ir.Table) -> ibis.ir.Table:
    """Return (trace, object_key, platform, source, is_publisher, minute), a row a post, of what two sources or more carried.

    Links as shares say; narratives with all their posts, reposts included: they are how a text travels.
    """
    slim = posts.select("post_key", "platform", "source", "is_publisher", minute=epoch_s(posts.published_at) // 60)
    links = shares.filter(shares.trace == "link").select("trace", "object_key", "post_key").distinct()
    told = members.filter(members.narrative_key.notnull())
    told = told.select("post_key", trace=ibis.literal("near_copy"), object_key="narrative_key")
    rows = stack(links, told.select("trace", "object_key", "post_key"))
    rows = rows.join(slim, "post_key")
    several = rows.group_by("trace", "object_key").agg(least=rows.source.min(), most=rows.source.max())
    several = several.filter(several.least != several.most)
    rows = rows.semi_join(several, ["trace", "object_key"])
    return rows.select("trace", "object_key", "platform", "source", "is_publisher", "minute")


def influence(events: pa.Table, *, seed: int = 0) -> tuple[pa.Table, pa.Table]:
    """Return INFLUENCE and (narrative_key, source, influence) of publishers, of the narratives; null key: over all.

    Args:
        events: as :func:`spread_events` returns them, in any order.
        seed: of the bootstrap.
    """
    tables, sources = [], []
    for trace in ("link", "near_copy"):
        rows = events.filter(pc.equal(events.column("trace"), trace))
        found = _influence_of(rows, trace, seed)
        if found is not None:
            tables.append(found[0])
            if trace == "near_copy":
                sources.append(found[1])
    shown = pa.concat_tables(tables) if tables else empty(INFLUENCE)
    keys = [("trace", "ascending"), ("narrative_key", "ascending")]
    keys += [("platform_from", "ascending"), ("platform_to", "ascending")]
    return shown.sort_by(keys), sources[0] if sources else _NO_SOURCES.empty_table()


_NO_SOURCES = pa.schema([("narrative_key", pa.int64()), ("source", pa.string()), ("influence", pa.float64())])


def _influence_of(rows: pa.Table, trace: str, seed: int) -> tuple[pa.Table, pa.Table] | None:
    if rows.num_rows == 0:
        return None
    platforms = sorted(pc.unique(rows.column("platform")).to_pylist())
    platform = pc.index_in(rows.column("platform"), pa.array(platforms)).to_numpy().astype(np.int64)
    names = pc.unique(rows.column("source").combine_chunks())
    names = names.take(pc.sort_indices(names))
    source = pc.index_in(rows.column("source"), names).to_numpy().astype(np.int64)
    is_publisher = rows.column("is_publisher").to_numpy(zero_copy_only=False)
    objects, minutes = rows.column("object_key").to_numpy(), rows.column("minute").to_numpy()
    order = np.lexsort((is_publisher, source, platform, minutes, objects))
    objects, minutes, platform = objects[order], minutes[order], platform[order]
    source, is_publisher = source[order], is_publisher[order]
    spreads, keys, bin_of = bins(objects, minutes, platform, len(platforms))
    sample = _sample(spreads, keys)
    fit = fit_influence(sample)
    slot, n_slots = _several(spreads)
    total, caused, children = attribute(spreads, fit, slot, n_slots)
    n_posts = np.bincount(platform, minlength=len(platforms))
    table = []
    if n_slots >= MIN_SPREADS:
        low, high = interval(sample, fit, seed)
        table = [
            {
                "narrative_key": None,
                "trace": trace,
                "platform_from": one,
                "platform_to": other,
                "n_from": int(n_posts[i]),
                "n_to": int(n_posts[j]),
                "weight": float(fit.weight[i, j]),
                "low": float(low[i, j]),
                "high": float(high[i, j]),
                "caused": float(total[i, j]),
                "n_spreads": spreads.n,
            }
            for i, one in enumerate(platforms)
            for j, other in enumerate(platforms)
        ]
    parts = [conform(pa.Table.from_pylist(table, INFLUENCE), INFLUENCE)]
    if trace == "near_copy" and table:
        parts.append(_by_narrative(_take(spreads, np.flatnonzero(slot >= 0)), keys[slot >= 0], platforms, caused))
    # what a bin set off is shared evenly by its posts
    each = children[bin_of] / spreads.count[bin_of]
    return pa.concat_tables(parts), _by_source(keys, bin_of, spreads, each, source, is_publisher, names)


def _by_narrative(spreads: Spreads, keys: np.ndarray, platforms: list[str], caused: np.ndarray) -> pa.Table:
    """Return rows of the narratives on two platforms or more where something crossed over or back."""
    spread_of = np.repeat(np.arange(spreads.n), np.diff(spreads.starts))
    n = np.zeros((spreads.n, spreads.n_platforms))
    np.add.at(n, (spread_of, spreads.platform), spreads.count)
    at, i, j = np.nonzero(caused > 0.005)
    names = np.array(platforms, object)
    nothing = pa.nulls(len(at), pa.float64())
    columns = {
        "narrative_key": keys[at],
        "trace": pa.array(["near_copy"] * len(at), pa.string()),
        "platform_from": pa.array(names[i], pa.string()),
        "platform_to": pa.array(names[j], pa.string()),
        "n_from": n[at, i].astype(np.int64),
        "n_to": n[at, j].astype(np.int64),
        "weight": nothing,
        "low": nothing,
        "high": nothing,
        "caused": np.round(caused[at, i, j], 4),
        "n_spreads": np.ones(len(at), np.int64),
    }
    return conform(pa.table(columns), INFLUENCE)


def _by_source(
    keys: np.ndarray,
    bin_of: np.ndarray,
    spreads: Spreads,
    each: np.ndarray,
    source: np.ndarray,
    is_publisher: np.ndarray,
    names: pa.Array,
) -> pa.Table:
    spread_of = np.repeat(np.arange(spreads.n), np.diff(spreads.starts))[bin_of]
    known = np.flatnonzero(is_publisher)
    rows = pa.table({"at": spread_of[known], "who": source[known], "n": each[known]})
    within = rows.group_by(["at", "who"]).aggregate([("n", "sum")])
    overall = rows.group_by(["who"]).aggregate([("n", "sum")])
    narrative = pa.array(keys[within.column("at").to_numpy()])
    parts = [
        pa.table(
            {
                "narrative_key": key,
                "source": names.take(table.column("who").combine_chunks()),
                "influence": np.round(table.column("n_sum").to_numpy(), 4),
            },
            _NO_SOURCES,
        )
        for key, table in ((narrative, within), (pa.nulls(overall.num_rows, pa.int64()), overall))
    ]
    order = [("narrative_key", "ascending"), ("source", "ascending")]
    return pa.concat_tables(parts).sort_by(order)


def bins(
    objects: np.ndarray, minutes: np.ndarray, platform: np.ndarray, n_platforms: int
) -> tuple[Spreads, np.ndarray, np.ndarray]:
    """Return the spreads of events ordered by object, minute and platform, their object keys, and each event's bin."""
    new = np.ones(len(objects), bool)
    same_object = objects[1:] == objects[:-1]
    new[1:] = ~(same_object & (minutes[1:] == minutes[:-1]) & (platform[1:] == platform[:-1]))
    bin_of = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    is_start = np.append(True, objects[first][1:] != objects[first][:-1])
    starts = np.append(np.flatnonzero(is_start), len(first))
    count = np.bincount(bin_of).astype(np.float64)
    spreads = Spreads(minutes[first].astype(np.int64), platform[first].astype(np.int64), count, starts, n_platforms)
    return spreads, objects[first][starts[:-1]], bin_of


def _several(spreads: Spreads) -> tuple[np.ndarray, int]:
    """Return a number for each spread on two platforms or more, -1 for the others, and how many there are."""
    lowest = np.minimum.reduceat(spreads.platform, spreads.starts[:-1])
    highest = np.maximum.reduceat(spreads.platform, spreads.starts[:-1])
    is_several = lowest != highest
    return np.where(is_several, np.cumsum(is_several) - 1, -1), int(is_several.sum())


def _sample(spreads: Spreads, keys: np.ndarray) -> Spreads:
    """Return at most MAX_FITTED spreads, chosen by a hash of their keys, so that order and engine change nothing."""
    if spreads.n <= MAX_FITTED:
        return spreads
    mixed = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return _take(spreads, np.sort(np.argsort(mixed, kind="stable")[:MAX_FITTED]))


def _take(spreads: Spreads, chosen: np.ndarray) -> Spreads:
    sizes = np.diff(spreads.starts)[chosen]
    starts = np.append(0, np.cumsum(sizes))
    rows = np.repeat(spreads.starts[chosen] - starts[:-1], sizes) + np.arange(starts[-1])
    return Spreads(spreads.minute[rows], spreads.platform[rows], spreads.count[rows], starts, spreads.n_platforms)


def fit_influence(spreads: Spreads, draws: np.ndarray | None = None, start: Fit | None = None) -> Fit:
    """Return the process that fits the spreads best.

    Args:
        draws: how often each spread counts, float64 (n_spreads,); all once when None.
        start: where to begin; saves iterations.
    """
    p, steps = spreads.n_platforms, len(EDGES_MIN) - 1
    draws = np.ones(spreads.n) if draws is None else draws
    step_of = _step_of()
    width = np.diff(np.array(EDGES_MIN)).astype(np.float64)
    left, length = _looked_at(spreads)
    spread_of = np.repeat(np.arange(spreads.n), np.diff(spreads.starts))
    is_in = left >= 0
    posts = np.zeros((p, MAX_LAG_MIN + 1))
    what = spreads.platform[is_in], np.minimum(left[is_in], MAX_LAG_MIN)
    np.add.at(posts, what, spreads.count[is_in] * draws[spread_of[is_in]])
    exposure = float(length @ draws) + 1e-9
    fit = start or Fit(np.full((p, p), 0.1), width / width.sum(), posts.sum(axis=1) / exposure / 2 + 1e-12)
    for _ in range(N_ITERATIONS if start is None else N_ITERATIONS // 4):
        density = fit.delay / width
        caused, delays, background = _expect(
            spreads.minute,
            spreads.platform,
            spreads.count,
            spreads.starts,
            left,
            draws,
            fit.weight,
            density,
            fit.background,
            step_of,
            steps,
        )
        # a post near the end of the window was looked at for a part of its answers only
        seen = np.append(0.0, np.cumsum(density[step_of[1:]]))
        weight = caused / (posts @ seen + _PRIOR)[:, None]
        delay = (delays + 1e-3) / (delays.sum() + 1e-3 * steps)
        renewed = Fit(weight, delay, background / exposure + 1e-12)
        change = np.abs(renewed.weight - fit.weight).max()
        fit = renewed
        if change < 1e-5:
            break
    return fit


def _looked_at(spreads: Spreads) -> tuple[np.ndarray, np.ndarray]:
    """Return the minutes left after each bin until its window ends (negative: beyond), and each window's length."""
    first = spreads.minute[spreads.starts[:-1]]
    ends = np.minimum(first + WINDOW_MIN, spreads.minute.max())
    return np.repeat(ends, np.diff(spreads.starts)) - spreads.minute, (ends - first).astype(np.float64)


def interval(spreads: Spreads, fit: Fit, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the 2.5th and 97.5th percentile of the weights over bootstrap samples of the spreads, float64 (p, p) each."""
    rng = np.random.default_rng(seed)
    weights = []
    for _ in range(N_BOOTSTRAP):
        draws = np.bincount(rng.integers(0, spreads.n, spreads.n), minlength=spreads.n).astype(np.float64)
        weights.append(fit_influence(spreads, draws, fit).weight)
    low, high = np.percentile(np.stack(weights), [2.5, 97.5], axis=0)
    return low, high


def attribute(spreads: Spreads, fit: Fit, slot: np.ndarray, n_slots: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what was set off, in posts expected.

    In all, float64 (p, p), from row to column; of the spreads with a slot, float64 (n_slots, p, p); by each bin, float64
    (n_bins,). Only spreads on several platforms get a slot, or a million narratives would need a matrix each.
    """
    width = np.diff(np.array(EDGES_MIN)).astype(np.float64)
    arguments = (spreads.minute, spreads.platform, spreads.count, spreads.starts, slot, n_slots)
    found: tuple[np.ndarray, np.ndarray, np.ndarray] = _attribute(
        *arguments, fit.weight, fit.delay / width, fit.background, _step_of()
    )
    return found


def _step_of() -> np.ndarray:
    """Return the step of g at each lag, int64 (MAX_LAG_MIN + 1,); lag 0 is never asked."""
    return np.searchsorted(np.array(EDGES_MIN), np.arange(MAX_LAG_MIN + 1), side="right") - 1


@nb.njit(nogil=True, cache=True)
def _expect(minute, platform, count, starts, left, draws, weight, density, background, step_of, steps):  # type: ignore[no-untyped-def]
    """One E step: posts shared out to (from, to), to the steps of the delay, and to the background of each platform."""
    p = len(background)
    caused = np.zeros((p, p))
    delays = np.zeros(steps)
    alone = np.zeros(p)
    for s in range(len(starts) - 1):
        if draws[s] == 0.0:
            continue
        first = starts[s]
        for b in range(starts[s], starts[s + 1]):
            if left[b] < 0:
                break
            while minute[b] - minute[first] > MAX_LAG_MIN:
                first += 1
            k = platform[b]
            rate = background[k]
            for a in range(first, b):
                lag = minute[b] - minute[a]
                if lag > 0:
                    rate += count[a] * weight[platform[a], k] * density[step_of[lag]]
            each = draws[s] * count[b] / rate
            if (
                minute[b] > minute[starts[s]]
            ):  # that there is a spread at all says nothing of how often posts come alone
                alone[k] += each * background[k]
            for a in range(first, b):
                lag = minute[b] - minute[a]
                if lag > 0:
                    part = each * count[a] * weight[platform[a], k] * density[step_of[lag]]
                    caused[platform[a], k] += part
                    delays[step_of[lag]] += part
    return caused, delays, alone


@nb.njit(nogil=True, cache=True)
def _attribute(minute, platform, count, starts, slot, n_slots, weight, density, background, step_of):  # type: ignore[no-untyped-def]
    p = len(background)
    total = np.zeros((p, p))
    caused = np.zeros((n_slots, p, p))
    children = np.zeros(len(minute))
    for s in range(len(starts) - 1):
        first = starts[s]
        for b in range(starts[s], starts[s + 1]):
            while minute[b] - minute[first] > MAX_LAG_MIN:
                first += 1
            k = platform[b]
            rate = background[k]
            for a in range(first, b):
                lag = minute[b] - minute[a]
                if lag > 0:
                    rate += count[a] * weight[platform[a], k] * density[step_of[lag]]
            for a in range(first, b):
                lag = minute[b] - minute[a]
                if lag > 0:
                    part = count[b] / rate * count[a] * weight[platform[a], k] * density[step_of[lag]]
                    total[platform[a], k] += part
                    if slot[s] >= 0:
                        caused[slot[s], platform[a], k] += part
                    children[a] += part
    return total, caused, children

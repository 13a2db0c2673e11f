from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from sources_world import post, world

from bastau.schemas import INFLUENCE
from bastau.sources.coordination import shares
from bastau.sources.influence import (
    EDGES_MIN,
    MAX_LAG_MIN,
    attribute,
    bins,
    fit_influence,
    influence,
    interval,
    spread_events,
)

WEIGHT = np.array([[0.3, 0.2, 0.0], [0.05, 0.4, 0.1], [0.5, 0.0, 0.1]])
DELAY = np.array([0.1, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1])


def simulated(n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Branching process: each post sets off posts on each platform by WEIGHT; and posts that nobody set off."""
    width = np.diff(EDGES_MIN)
    rows = []
    for spread in range(n):
        waiting = [(0, int(rng.choice(3)))]
        waiting += [(int(t), k) for k in range(3) for t in rng.integers(0, 4000, rng.poisson(0.8))]
        while waiting:
            minute, k = waiting.pop()
            rows.append((spread, minute, k))
            for j in range(3):
                for _ in range(rng.poisson(WEIGHT[k, j])):
                    step = rng.choice(len(DELAY), p=DELAY)
                    waiting.append((minute + EDGES_MIN[step] + int(rng.integers(width[step])), j))
    table = np.array(sorted(rows))
    return table[:, 0], table[:, 1], table[:, 2]


def test_known_weights_are_recovered_and_lie_in_their_intervals() -> None:
    spreads, _, _ = bins(*simulated(1500, np.random.default_rng(0)), 3)
    fit = fit_influence(spreads)
    assert np.abs(fit.weight - WEIGHT).max() < 0.05
    assert np.abs(fit.delay - DELAY).max() < 0.05
    low, high = interval(spreads, fit, seed=1)
    slack = 0.01  # nine intervals of 95 %
    assert ((low - slack <= WEIGHT) & (high + slack >= WEIGHT)).all()
    assert ((high - low)[WEIGHT > 0.2] < 0.15).all()


def test_platforms_that_do_not_touch_each_other_have_no_weight() -> None:
    rng = np.random.default_rng(1)
    rows = sorted((s, int(t), k) for s in range(400) for k in (0, 1) for t in rng.integers(0, 2880, 3))
    table = np.array(rows)
    fit = fit_influence(bins(table[:, 0], table[:, 1], table[:, 2], 2)[0])
    assert fit.weight.max() < 0.1


def test_what_was_caused_sums_up_the_same_way_by_platform_by_spread_and_by_bin() -> None:
    objects, minutes, platform = simulated(60, np.random.default_rng(2))
    spreads, _, bin_of = bins(objects, minutes, platform, 3)
    slot = np.arange(spreads.n)
    total, caused, children = attribute(spreads, fit_influence(spreads), slot, spreads.n)
    assert np.allclose(caused.sum(axis=0), total)
    assert np.isclose(children.sum(), total.sum())
    assert total.sum() <= len(objects) - spreads.n  # the first post of a spread was set off by nobody
    assert len(bin_of) == len(objects)


def obvious(
    minutes: list[int], platform: list[int], weight: np.ndarray, density: np.ndarray, mu: np.ndarray
) -> np.ndarray:
    caused = np.zeros_like(weight)
    for b, (t, k) in enumerate(zip(minutes, platform, strict=True)):
        parts = {}
        for a in range(len(minutes)):
            lag = t - minutes[a]
            if 0 < lag <= MAX_LAG_MIN:
                step = np.searchsorted(EDGES_MIN, lag, side="right") - 1
                parts[a] = weight[platform[a], k] * density[step]
        rate = mu[k] + sum(parts.values())
        for a, part in parts.items():
            caused[platform[a], k] += part / rate
        del b
    return caused


def test_attribution_equals_the_formula_post_by_post() -> None:
    objects, minutes, platform = simulated(12, np.random.default_rng(5))
    spreads, _, _ = bins(objects, minutes, platform, 3)
    fit = fit_influence(spreads)
    _, caused, _ = attribute(spreads, fit, np.arange(spreads.n), spreads.n)
    density = fit.delay / np.diff(EDGES_MIN)
    for spread in range(spreads.n):
        mine = objects == spread
        expected = obvious(minutes[mine].tolist(), platform[mine].tolist(), fit.weight, density, fit.background)
        assert np.allclose(caused[spread], expected)


def rows(n: int = 60) -> list[dict[str, Any]]:
    rng = np.random.default_rng(3)
    made = []
    for i in range(n):
        made.append(post(f"t{i}", i * 90_000, f"tg{i % 7}", f"n{i}", platform="telegram"))
        made += [
            post(f"x{i}-{j}", i * 90_000 + 60 * float(rng.integers(2, 40)), f"p~{j}", f"n{i}", platform="x")
            for j in range(3)
        ]
    return made


def events(con: ibis.BaseBackend, posts: list[dict[str, Any]]) -> pa.Table:
    tables = world(con, posts)
    shared = shares(tables.posts, tables.readings, tables.members)
    return spread_events(shared, tables.posts, tables.members).to_pyarrow()


def test_telegram_sets_off_x_and_only_publishers_are_named(con: ibis.BaseBackend) -> None:
    table, sources = influence(events(con, rows()))
    assert table.schema == INFLUENCE
    overall = {
        (row["platform_from"], row["platform_to"]): row for row in table.to_pylist() if row["narrative_key"] is None
    }
    assert overall["telegram", "x"]["weight"] > 1.5
    assert overall["telegram", "x"]["low"] <= overall["telegram", "x"]["weight"] <= overall["telegram", "x"]["high"]
    assert overall["x", "telegram"]["weight"] < 0.05
    named = {row["source"] for row in sources.to_pylist()}
    assert named == {f"tg{i}" for i in range(7)}


def test_the_order_of_rows_changes_nothing(con: ibis.BaseBackend) -> None:
    table = events(con, rows())
    shuffled = table.take(pa.array(np.random.default_rng(4).permutation(table.num_rows)))
    for one, other in zip(influence(table), influence(shuffled), strict=True):
        assert one.equals(other)


def test_too_few_spreads_between_platforms_give_no_estimate(con: ibis.BaseBackend) -> None:
    table, _ = influence(events(con, rows(10)))
    assert table.num_rows == 0


def test_nothing_gives_nothing(con: ibis.BaseBackend) -> None:
    table, sources = influence(events(con, [post("a", 0)]))
    assert (table.num_rows, sources.num_rows) == (0, 0)


@pytest.mark.parametrize("n", [200_000])
def test_a_million_posts_of_one_sentence_cost_bins_and_not_pairs(n: int) -> None:
    rng = np.random.default_rng(6)
    minutes = np.sort(rng.integers(0, 5000, n))
    objects, platform = np.zeros(n, np.int64), rng.integers(0, 2, n)
    order = np.lexsort((platform, minutes))
    spreads, _, _ = bins(objects, minutes[order], platform[order], 2)
    assert len(spreads.minute) <= 2 * 5000
    assert np.isfinite(fit_influence(spreads).weight).all()

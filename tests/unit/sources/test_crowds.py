import math
from itertools import combinations

import ibis
import numpy as np
import pytest
from sources_world import shares as share_table

from bastau.settings import Sources
from bastau.sources.coordination import co_shares
from bastau.sources.crowds import Sharers, best_block, block_log_p, crowded, joining, tail
from bastau.sources.groups import _find, _n_tests
from bastau.sources.relations import Keep

PRIOR = 2 * 60 / (46 * 3600)


def sharers(objects: list[list[tuple[int, float]]], reach: float = np.inf) -> Sharers:
    """From (source, time) of each object."""
    starts = np.cumsum([0, *map(len, objects)])
    who = np.array([w for rows in objects for w, _ in sorted(rows, key=lambda r: r[1])], np.int64)
    at = np.array([t for rows in objects for _, t in sorted(rows, key=lambda r: r[1])], float)
    return Sharers(starts, who, at, np.full(len(objects), reach))


def test_the_bound_is_above_what_chance_really_does() -> None:
    """Ten sources at random times on three objects: how often do any three move within tau on any two?"""
    rng = np.random.default_rng(0)
    n_sources, span, tau, n_runs = 10, 10_000, 30, 3000
    hits = 0
    for _ in range(n_runs):
        at = rng.integers(0, span, (3, n_sources))
        triples = [{c for c in combinations(range(n_sources), 3) if np.ptp(times[list(c)]) <= tau} for times in at]
        hits += any(a & b for a, b in combinations(triples, 2))
    q = 2 * tau / span
    bound = math.exp(block_log_p(3, n_sources, 3, np.log([q, q])))
    assert hits / n_runs <= bound
    assert bound < 0.2


def test_more_sources_and_more_objects_are_less_likely() -> None:
    q = np.log([0.003] * 4)
    assert block_log_p(12, 150_000, 50, q[:3]) < -20
    assert block_log_p(12, 150_000, 50, q) < block_log_p(12, 150_000, 50, q[:3]) < block_log_p(6, 150_000, 50, q[:3])
    assert block_log_p(2, 150_000, 50, q[:2]) == 0.0


def test_the_block_leaves_out_who_was_not_in_step() -> None:
    present = np.ones((8, 4), bool)
    present[7, 1:] = False
    log_p, inside = best_block(present, np.log([0.01] * 4), np.full(4, 500), 4)
    assert log_p < -10
    assert inside.tolist() == [True] * 7 + [False]


def test_a_crowd_hides_no_group_and_is_none() -> None:
    rng = np.random.default_rng(1)
    crowd = [[(i, float(rng.integers(3600))) for i in range(3000)] for _ in range(4)]
    squad = [[(3000 + i, 900.0 * o + i / 3) for i in range(8)] for o in range(4)]
    objects = sharers([a + b for a, b in zip(crowd, squad, strict=True)])
    cluster = np.full(3008, -1)
    cluster[3000:], cluster[:8] = 0, 1
    (p, block), (p_crowd, _) = crowded(objects, cluster, (60, 15, 5), lambda _: PRIOR, lambda _: 4)
    assert p < 1e-6
    assert block.tolist() == list(range(3000, 3008))
    assert p_crowd > 0.5


def test_a_community_too_small_for_a_crowd_shows_nothing() -> None:
    objects = sharers([[(0, 1.0), (1, 2.0), (2, 3.0)]] * 3)
    found = crowded(objects, np.array([0, 0, 2]), (60,), lambda _: PRIOR, lambda _: 3)
    assert [p for p, _ in found] == [1.0, 1.0, 1.0]


def joined(objects: Sharers, cluster: np.ndarray) -> set[int]:
    found = joining(objects, cluster, (600, 60), lambda tau: 2 * tau / (46 * 3600))
    return {int(w) for w, p in zip(found.who, found.p_value, strict=True) if p * found.n_tests <= 0.01}


def moments(extra: list[tuple[int, float]], n: int = 6) -> list[list[tuple[int, float]]]:
    """Sources 0 to 3 move together on ``n`` objects; ``extra`` shares them, each at its own delay."""
    return [
        [(i, 9000.0 * o + 40 * ((i * 7 + o) % 4)) for i in range(4)] + [(w, 9000.0 * o + d) for w, d in extra]
        for o in range(n)
    ]


def test_who_was_there_every_time_belongs_to_the_group() -> None:
    cluster = np.array([0, 0, 0, 0, -1])
    assert joined(sharers(moments([(4, 55.0)])), cluster) == {4}


def test_who_only_follows_does_not() -> None:
    cluster = np.array([0, 0, 0, 0, -1])
    assert joined(sharers(moments([(4, 300.0)])), cluster) == set()


def test_who_shares_it_hours_later_does_not() -> None:
    cluster = np.array([0, 0, 0, 0, -1])
    assert joined(sharers(moments([(4, -9000.0 / 2)])), cluster) == set()


def test_texts_reach_one_window_only() -> None:
    cluster = np.array([0, 0, 0, 0, -1])
    assert joined(sharers(moments([(4, -200.0)])), cluster) == {4}
    assert joined(sharers(moments([(4, -200.0)]), reach=60.0), cluster) == set()


def test_the_tail_of_a_sum_is_exact() -> None:
    q = np.array([0.1, 0.5, 0.2])
    assert tail(q, 3) == pytest.approx(0.01)
    assert tail(q, 1) == pytest.approx(1 - 0.9 * 0.5 * 0.8)


def test_two_parts_of_one_group_become_one(con: ibis.BaseBackend, keep: Keep) -> None:
    rng = np.random.default_rng(2)
    rows = [(f"e{rng.integers(80)}", "link", f"l{rng.integers(40)}", float(rng.integers(10**6))) for _ in range(400)]
    # each event is attended by two of three thirds of the group, so pairs across are rarer than within
    for event in range(12):
        for part in (event % 3, (event + 1) % 3):
            rows += [
                (f"m{part}{i}", "link", f"event{event}", 80_000.0 * event + float(rng.integers(40))) for i in range(3)
            ]
    table = con.create_table("shares", share_table(rows))
    pairs = co_shares(table, keep=keep, settings=Sources())
    clusters = _find(pairs, table, _n_tests(pairs, table, Sources()), Sources(), 0)
    assert clusters is not None
    assert set(clusters.sources.to_pylist()) == {f"m{part}{i}" for part in range(3) for i in range(3)}
    assert set(clusters.cluster.tolist()) == {0}

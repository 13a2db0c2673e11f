"""The obvious way to find sources that move together: every pair of shares, for tests and benchmarks only."""

from collections import defaultdict
from itertools import combinations

import pyarrow as pa


def brute_force_pairs(shares: pa.Table, window_s: int) -> dict[tuple[str, str], int]:
    """Return the number of distinct (trace, object) each pair of sources shared within the window, by (smaller, larger).

    Compares all shares of an object with each other: quadratic. Times count in whole seconds, both ends included.

    Args:
        shares: as SHARES, any order.
    """
    by_object: defaultdict[tuple[str, int], list[tuple[int, str]]] = defaultdict(list)
    at = shares.column("shared_at").cast(pa.int64()).to_pylist()
    rows = zip(*(shares.column(name).to_pylist() for name in ("trace", "object_key", "source")), at, strict=True)
    for trace, key, source, micros in rows:
        by_object[trace, key].append((micros // 1_000_000, source))
    found: defaultdict[tuple[str, str], set[tuple[str, int]]] = defaultdict(set)
    for shared, events in by_object.items():
        for (t, a), (u, b) in combinations(events, 2):
            if a != b and abs(t - u) <= window_s:
                found[min(a, b), max(a, b)].add(shared)
    return {pair: len(objects) for pair, objects in found.items()}

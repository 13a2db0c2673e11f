# ruff: noqa: S608 - queries hold only constants of this module; values are parameters
"""Counts over time: a narrative's posts by language and platform, and what the lake saw around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from bastau.report.queries import at, rows

BIN_SIZES_S = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400)
MOST_SERIES = 5
"""Series that stay apart in greyscale; the rest are summed as ``other``."""


@dataclass(frozen=True)
class Timeline:
    """Posts per bin; ``starts`` are the bins' beginnings, each series has one count per bin, most posts first."""

    bin_s: int
    starts: tuple[datetime, ...]
    by_language: dict[str, tuple[int, ...]]
    by_platform: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Gap:
    """A stretch without a single post of the platforms looked at."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Coverage:
    """Posts of the given platforms in the lake per bin, whatever they are about."""

    platforms: tuple[str, ...]
    bin_s: int
    starts: tuple[datetime, ...]
    counts: tuple[int, ...]
    gaps: tuple[Gap, ...]


def choose_bin(span_s: float, most: int) -> int:
    """Return the smallest bin size (seconds) that cuts ``span_s`` into fewer than ``most`` bins, else a year."""
    return next((size for size in BIN_SIZES_S if span_s / size < most), BIN_SIZES_S[-1])


def timeline(
    con: duckdb.DuckDBPyConnection, table: str, span: tuple[datetime, datetime] | None = None, most: int = 48
) -> Timeline:
    """Count the posts of ``table`` (columns at_us, language, platform; at least one row), in ``span`` if given."""
    low, high = con.execute(f"select min(at_us), max(at_us) from {table}").fetchall()[0]
    if span is not None:
        low, high = (round(end.timestamp() * 1e6) for end in span)
        high -= 1
    bin_s = choose_bin((high - low) / 1e6, most)
    first, last = low // (bin_s * 1_000_000), high // (bin_s * 1_000_000)

    def series(column: str) -> dict[str, tuple[int, ...]]:
        sql = f"""
            select {column} as label, at_us // {bin_s * 1_000_000} as bin, count(*) as n
            from {table} group by all order by bin"""
        counts: dict[str, list[int]] = {}
        for row in rows(con, sql):
            counts.setdefault(row["label"], [0] * (last - first + 1))[row["bin"] - first] = row["n"]
        ranked = sorted(counts, key=lambda label: (-sum(counts[label]), label))
        kept = {label: tuple(counts[label]) for label in ranked[:MOST_SERIES]}
        if rest := ranked[MOST_SERIES:]:
            together = [counts[label] for label in rest] + [counts["other"] for label in kept if label == "other"]
            kept["other"] = tuple(map(sum, zip(*together, strict=True)))
        return kept

    starts = tuple(at(bin_ * bin_s * 1_000_000) for bin_ in range(first, last + 1))
    return Timeline(bin_s, starts, series("language"), series("platform"))


def coverage(
    con: duckdb.DuckDBPyConnection, platforms: Sequence[str], start: datetime, end: datetime, most: int
) -> Coverage:
    """Count all posts of ``platforms`` in [start, end) per bin of an hour or more, and list the empty stretches."""
    bin_s = max(3600, choose_bin((end - start).total_seconds(), most))
    first = int(start.timestamp()) // bin_s
    last = max(first, -(-int(end.timestamp()) // bin_s) - 1)
    counts = [0] * (last - first + 1)
    sql = f"""
        select epoch_us(published_at) // {bin_s * 1_000_000} as bin, count(*) as n
        from posts where list_contains(?, platform) and published_at >= ? and published_at < ? group by 1"""
    bounds = [datetime.fromtimestamp(bin_ * bin_s, UTC) for bin_ in (first, last + 1)]
    for row in rows(con, sql, [list(platforms), *bounds]):
        counts[row["bin"] - first] = row["n"]
    starts = tuple(datetime.fromtimestamp(bin_ * bin_s, UTC) for bin_ in range(first, last + 1))
    return Coverage(tuple(platforms), bin_s, starts, tuple(counts), gaps(starts, counts, bounds[1]))


def gaps(starts: Sequence[datetime], counts: Sequence[int], end: datetime) -> tuple[Gap, ...]:
    """Return the runs of empty bins, merged, in order; ``end`` closes the last bin."""
    found: list[Gap] = []
    for i, (start, n) in enumerate(zip(starts, counts, strict=True)):
        if n:
            continue
        stop = starts[i + 1] if i + 1 < len(starts) else end
        if found and found[-1].end == start:
            found[-1] = Gap(found[-1].start, stop)
        else:
            found.append(Gap(start, stop))
    return tuple(found)

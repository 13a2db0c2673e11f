"""Families out of linked pairs: not by chains through one shared contractor, and not across a sale."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import igraph
import polars as pl
import pyarrow as pa

from bastau.hashing import format_id, hash_string
from bastau.schemas import FAMILIES, PAGE_SIGNALS, SITE_LINKS, SITE_SIGNALS
from bastau.sources.families.links import Links, Rules, find_links
from bastau.tables import conform, empty

MIN_CROSS_LINKS = 0.3
"""Two parts become one family only if that share of the pairs across is linked or has an account in common with nothing against
it: one site that serves two owners is no bridge."""
_FITTING = ("one_area", "by_chance", "weak_signal")


@dataclass(frozen=True)
class Families:
    """The three tables: FAMILIES, SITE_LINKS, SITE_SIGNALS."""

    families: pa.Table
    links: pa.Table
    signals: pa.Table


@dataclass(frozen=True)
class _Edge:
    a: str
    b: str
    p: float
    ratio: float
    start: datetime
    end: datetime


def find_families(merged: pa.Table, rules: Rules | None = None) -> Families:
    """Return families, pairs and signals of the sites in ``merged`` (:func:`bastau.sources.families.merge.merge_signals`).

    The same rows in any order give the same tables.
    """
    if merged.num_rows == 0:
        return Families(empty(FAMILIES), empty(SITE_LINKS), empty(SITE_SIGNALS))
    table = pl.DataFrame(merged.select(PAGE_SIGNALS.names)).sort("source", "signal", "value")
    links = find_links(table, rules or Rules())
    linked = links.pairs.filter(pl.col("reason").is_null())
    edges = [
        _Edge(r["source_a"], r["source_b"], r["p_value"], r["log_ratio"], r["start"], r["end"])
        for r in linked.iter_rows(named=True)
    ]
    weaker = links.pairs.filter(pl.col("reason").is_in(_FITTING))
    fitting = set(weaker.select("source_a", "source_b").iter_rows())
    rows: list[dict[str, Any]] = []
    family_of: dict[tuple[str, str], str] = {}
    for part in _eras(edges):
        for members, inside, p_value in _families(part, fitting):
            family_id = format_id("f", hash_string("\n".join(members)))
            rows.append(
                {
                    "family_id": family_id,
                    "sources": members,
                    "evidence": _evidence(inside, links),
                    "p_value": p_value,
                }
            )
            family_of |= {(edge.a, edge.b): family_id for edge in inside}
    families = pa.Table.from_pylist(rows, FAMILIES).sort_by([("p_value", "ascending"), ("family_id", "ascending")])
    return Families(families, _link_table(links, family_of), _signal_table(links))


def _eras(edges: list[_Edge]) -> Iterable[list[_Edge]]:
    """Cut links into parts that hang together by sites *at the same time*.

    Two links of one site belong together when the times of their evidence overlap. A domain that was sold is linked to its
    old siblings until then and to its new ones from then on, and so is in two parts.
    """
    parent = list(range(len(edges)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    at_site: dict[str, list[int]] = defaultdict(list)
    for i, edge in enumerate(edges):
        at_site[edge.a].append(i)
        at_site[edge.b].append(i)
    for members in at_site.values():
        members.sort(key=lambda i: edges[i].start)
        last, until = members[0], edges[members[0]].end
        for i in members[1:]:
            if edges[i].start <= until:
                parent[root(i)] = root(last)
                until = max(until, edges[i].end)
            else:
                until = edges[i].end
            last = i
    parts: dict[int, list[_Edge]] = defaultdict(list)
    for i, edge in enumerate(edges):
        parts[root(i)].append(edge)
    return parts.values()


def _families(edges: list[_Edge], fitting: set[tuple[str, str]]) -> Iterable[tuple[list[str], list[_Edge], float]]:
    """Yield (members, links inside, largest p that holds them together): surest links first, parts join only by many.

    Average linkage with a floor on the share of linked pairs (:data:`MIN_CROSS_LINKS`).
    """
    linked = {(edge.a, edge.b) for edge in edges} | fitting
    cluster = {site: frozenset([site]) for edge in edges for site in (edge.a, edge.b)}
    waiting = sorted(edges, key=lambda edge: (edge.p, -edge.ratio, edge.a, edge.b))
    changed = True
    while changed:  # what is refused once may fit when its ends have grown
        changed, refused = False, []
        for edge in waiting:
            left, right = cluster[edge.a], cluster[edge.b]
            if left == right:
                continue
            n_linked = sum((min(a, b), max(a, b)) in linked for a in left for b in right)
            if n_linked < MIN_CROSS_LINKS * len(left) * len(right):
                refused.append(edge)
                continue
            whole = left | right
            for site in whole:
                cluster[site] = whole
            changed = True
        waiting = refused
    for group in sorted({tuple(sorted(group)) for group in cluster.values() if len(group) > 1}):
        for members in _without_bridges(list(group), linked):
            inside = [edge for edge in edges if edge.a in members and edge.b in members]
            tree = _tree(members, inside)
            if len(tree) == len(members) - 1:
                yield members, inside, max(edge.p for edge in tree)


def _without_bridges(members: list[str], linked: set[tuple[str, str]]) -> list[list[str]]:
    """Return ``members``, cut where a single site holds parts together that have nothing in common with each other.

    The site stays with the largest part. It may be the owner's hub, or a contractor's who serves both.
    """
    index = {site: i for i, site in enumerate(members)}
    edges = [(index[a], index[b]) for a, b in linked if a in index and b in index]
    graph = igraph.Graph(n=len(members), edges=sorted(edges))
    cuts = graph.articulation_points()
    if not cuts or len(members) < 3:
        return [members]
    cut = min(cuts, key=lambda i: (-graph.degree(i), members[i]))
    rest = graph.copy()
    rest.delete_vertices([cut])
    others = [site for i, site in enumerate(members) if i != cut]
    parts = sorted(([others[i] for i in part] for part in rest.connected_components()), key=lambda p: (-len(p), p))
    parts[0] = sorted([*parts[0], members[cut]])
    return [kept for part in parts if len(part) > 1 for kept in _without_bridges(part, linked)]


def _tree(members: list[str], edges: list[_Edge]) -> list[_Edge]:
    """Return the surest links that hold ``members`` together, one fewer than they if all hang together (Kruskal 1956)."""
    part = {site: site for site in members}

    def root(site: str) -> str:
        while part[site] != site:
            site = part[site]
        return site

    kept = []
    for edge in sorted(edges, key=lambda edge: (edge.p, -edge.ratio, edge.a, edge.b)):
        a, b = root(edge.a), root(edge.b)
        if a != b:
            part[a] = b
            kept.append(edge)
    return kept


def _evidence(edges: list[_Edge], links: Links) -> list[dict[str, Any]]:
    """Return what the linked pairs of a family share: each value once, from first to last time that two sites had it."""
    inside = pl.DataFrame(
        {"source_a": [edge.a for edge in edges], "source_b": [edge.b for edge in edges]},
        schema={"source_a": pl.String, "source_b": pl.String},
    )
    rows = links.evidence.join(inside, on=["source_a", "source_b"])
    summed = rows.group_by("signal", "value").agg(
        pl.col("seen_from").min(), pl.col("seen_to").max(), pl.col("log_ratio").max(), pl.len().alias("n")
    )
    summed = summed.filter(pl.col("log_ratio") > 0).sort(
        "log_ratio", "n", "signal", "value", descending=[True, True, False, False]
    )
    return summed.select("signal", "value", "seen_from", "seen_to").to_dicts()


def _link_table(links: Links, family_of: dict[tuple[str, str], str]) -> pa.Table:
    key = ["source_a", "source_b"]
    shown = (
        links.evidence.sort("log_ratio", "signal", descending=[True, False])
        .group_by(key, maintain_order=True)
        .agg(pl.struct("signal", "value", "seen_from", "seen_to", "log_ratio").alias("evidence"))
    )
    pairs = links.pairs.join(shown, on=key, how="left").sort(key)
    rows = [
        {
            **{name: row[name] for name in ("source_a", "source_b", "reason", "log_ratio", "p_value", "areas")},
            "family_id": family_of.get((row["source_a"], row["source_b"])),
            "evidence": row["evidence"] or [],
        }
        for row in pairs.iter_rows(named=True)
    ]
    for row in rows:
        if row["reason"] is None and row["family_id"] is None:
            row["reason"] = "bridge"
    return conform(pa.Table.from_pylist(rows, SITE_LINKS), SITE_LINKS)


def _signal_table(links: Links) -> pa.Table:
    """Keep what somebody may ask about: shared values, accounts, and notes; not the thousands of lone titles and classes.

    A wallet on few pages, or at one website only, may be a person's that an article quotes: it is not kept.
    """
    from bastau.sources.families.kinds import NOTES, kinds

    tier1 = [k.name for k in kinds().values() if k.tier == 1 and k.name not in ("certificate", "same_name")]
    kept = links.signals.filter((pl.col("n_sources") > 1) | pl.col("signal").is_in([*tier1, *NOTES]))
    is_quoted = (pl.col("n_sources") == 1) | pl.col("ignored").eq_missing("few_pages")
    kept = kept.filter((pl.col("signal") != "wallet") | ~is_quoted)
    return conform(kept.sort("source", "signal", "value").select(SITE_SIGNALS.names).to_arrow(), SITE_SIGNALS)

"""Groups of sources that move together, from the pairs that did so beyond chance."""

import re
from dataclasses import dataclass
from typing import Any

import ibis
import igraph
import leidenalg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from bastau.hashing import format_id, hash_string
from bastau.schemas import COORDINATION
from bastau.settings import Sources
from bastau.sources.chance import NULL_SPAN_S, WIDE, scales
from bastau.sources.coordination import N_TESTS, count_tests
from bastau.sources.crowds import MIN_CROWD, Sharers, crowded, joining
from bastau.sources.relations import epoch_s, small
from bastau.sources.signposts import add_signposts
from bastau.tables import conform, empty

MAX_EXAMPLES = 10
"""Most objects shown for a group, and most posts shown for an object."""

CROWD_P = 1e-3
"""Pairs that are odd, though not among so many tests; crowds are looked for among them."""
MIN_OBJECTS = 5
"""Least evidence for two publishers alone, within one window, and not of texts only: two newsrooms that watch the same
places share what they find there within minutes, and quote what is said there within seconds."""
MAX_CROWDS = 200
"""Most communities of such pairs that are tested, the largest."""

MAX_CHARS = 300
"""Characters of a post's text in an example."""

_DAY_S = 86_400
_PSEUDONYM = re.compile("@?p~[a-z2-7]{16}")


def groups(
    co_shares: pa.Table,
    shares: ibis.ir.Table,
    posts: ibis.ir.Table,
    readings: ibis.ir.Table,
    members: ibis.ir.Table,
    *,
    settings: Sources,
    seed: int = 0,
) -> pa.Table:
    """Return the groups with at least two publishers, as COORDINATION, most certain first.

    Pairs are kept at a false-discovery rate of ``max_q`` among all pairs that could have been found
    (:func:`bastau.sources.chance.count_testable`) and clustered by Leiden on their weights. Private accounts take part in the clustering and
    are given as a count only. No disparity filter is used: it removes the edges of a uniform clique (alpha
    is at least .37 for any size), which is the very shape looked for.

    Reference: Benjamini, Hochberg 1995, JRSS B 57; Traag, Waltman, van Eck 2019, Scientific Reports 9, 5233.
    """
    if co_shares.num_rows == 0:
        return empty(COORDINATION)
    n_tests = _n_tests(co_shares, shares, settings)
    clusters = _find(co_shares, shares, n_tests, settings, seed)
    if clusters is None:
        return empty(COORDINATION)
    moved = _moved(clusters, shares, posts, WIDE * settings.window_s)
    rows = [
        row
        for number in range(len(clusters.p_values))
        if (row := _describe(number, clusters, moved, settings.window_s))
    ]
    add_signposts(rows, posts, readings)
    return conform(_name_objects(rows, posts, readings, members), COORDINATION).sort_by(
        [("p_value", "ascending"), ("group_id", "ascending")]
    )


def _find(co_shares: pa.Table, shares: ibis.ir.Table, n_tests: int, settings: Sources, seed: int) -> "_Clusters | None":
    """Return the groups from pairs and from crowds, with all that belong to them."""
    p_values = co_shares.column("p_value").to_numpy()
    adjusted = adjust(p_values, n_tests)
    table = co_shares.append_column("q", pa.array(adjusted))
    found = []
    kept = table.filter(pa.array(adjusted <= settings.max_q))
    if kept.num_rows:
        found.append(_cluster(kept, n_tests, settings.max_q, seed))
    rest = table.filter(pa.array((adjusted > settings.max_q) & (p_values <= CROWD_P)))
    if rest.num_rows:
        crowds = _cluster(
            rest.set_column(rest.column_names.index("q"), "q", rest.column("p_value")), n_tests, np.inf, seed
        )
        if (dense := _crowds(crowds, shares, settings)) is not None:
            found.append(dense)
    if not found:
        return None
    clusters = found[0] if len(found) == 1 else _together(*found)
    for _ in range(2):  # who joins makes the moments of a group fuller
        before, clusters = clusters, _joined(clusters, shares, settings)
        if clusters.sources.equals(before.sources):
            break
    return clusters


def _together(pairs: "_Clusters", crowds: "_Clusters") -> "_Clusters":
    """Add the crowds whose sources are in no group yet."""
    is_new = ~pc.is_in(crowds.sources, pairs.sources).to_numpy(zero_copy_only=False)
    number = np.cumsum(np.bincount(crowds.cluster[is_new], minlength=len(crowds.p_values)) > 1) - 1
    n_left = np.bincount(crowds.cluster[is_new], minlength=len(crowds.p_values))
    is_new &= n_left[crowds.cluster] > 1
    names = pa.concat_arrays([pairs.sources, crowds.sources.filter(pa.array(is_new))])
    cluster = np.append(pairs.cluster, len(pairs.p_values) + number[crowds.cluster[is_new]])
    order = pc.sort_indices(names).to_numpy()
    kept = n_left > 1
    return _Clusters(
        names.take(pa.array(order)),
        cluster[order],
        np.append(pairs.p_values, crowds.p_values[kept]),
        pairs.tests + [test for test, keep in zip(crowds.tests, kept, strict=True) if keep],
    )


def _crowds(clusters: "_Clusters", shares: ibis.ir.Table, settings: Sources) -> "_Clusters | None":
    """Return the communities, cut down to the sources in step, that pass the test of a whole crowd."""
    sizes = np.bincount(clusters.cluster)
    largest = np.argsort(-sizes, kind="stable")[:MAX_CROWDS]
    largest = largest[sizes[largest] >= MIN_CROWD]
    if not len(largest):
        return None
    number = np.full(len(sizes), -1)
    number[largest] = np.arange(len(largest))
    cluster = number[clusters.cluster]
    chosen = cluster >= 0
    named = small(pa.table({"source": clusters.sources.filter(pa.array(chosen)), "cluster": cluster[chosen]}), shares)
    proof = shares.filter(shares.trace != "wire")
    touched = proof.join(named, "source").group_by("trace", "object_key", "cluster").agg(n=lambda t: t.source.nunique())
    objects = touched.filter(touched.n >= MIN_CROWD).select("trace", "object_key").distinct()
    sharers, names = _sharers(proof, objects, settings.window_s)
    if sharers.n == 0:
        return None
    known = pc.index_in(names, clusters.sources.filter(pa.array(chosen))).to_numpy(zero_copy_only=False)
    is_known = ~np.isnan(known.astype(float))
    of = np.full(len(names), -1)
    of[is_known] = cluster[chosen][known[is_known].astype(int)]
    popular = proof.group_by("trace", "object_key").agg(n=proof.source.nunique())
    popular = popular.group_by("n").agg(n_objects=popular.count()).to_pyarrow()
    n, n_objects = popular.column("n").to_numpy(), popular.column("n_objects").to_numpy()
    blocks = crowded(
        sharers,
        of,
        scales(settings.window_s)[2:],
        lambda _tau: 2.0 * settings.window_s / NULL_SPAN_S,
        lambda least: int(n_objects[n >= least].sum()),
    )
    passing = [(p, block) for p, block in blocks if p <= settings.max_q]
    if not passing:
        return None
    who = np.concatenate([block for _, block in passing])
    order = np.argsort(who)
    group = np.repeat(np.arange(len(passing)), [len(block) for _, block in passing])
    return _Clusters(
        names.take(pa.array(who[order])), group[order], np.array([p for p, _ in passing]), ["crowd"] * len(passing)
    )


def _joined(clusters: "_Clusters", shares: ibis.ir.Table, settings: Sources) -> "_Clusters":
    """Return the clusters with the sources that moved with one of them as a whole; parts of one group become one."""
    proof = shares.filter(shares.trace != "wire")
    named = small(pa.table({"source": clusters.sources, "cluster": clusters.cluster}), shares)
    rows = proof.join(named, "source")
    shared = rows.group_by("trace", "object_key", "cluster").agg(n=rows.source.nunique())
    objects = shared.filter(shared.n > 1).select("trace", "object_key").distinct()
    sharers, names = _sharers(proof, objects, settings.window_s)
    place = pc.index_in(names, clusters.sources)
    is_known = pc.is_valid(place).to_numpy(zero_copy_only=False)
    of = np.full(len(names), -1)
    of[is_known] = clusters.cluster[place.filter(pa.array(is_known)).to_numpy()]
    found = joining(
        sharers,
        of,
        scales(settings.window_s)[1:3],
        lambda tau: 2.0 * max(tau, settings.window_s) / NULL_SPAN_S,
    )
    q = adjust(found.p_value, found.n_tests)
    passing = q <= settings.max_q
    who, to, q = found.who[passing], found.cluster[passing], q[passing]
    home = _merged(of, who, to, len(clusters.p_values))
    p_values = clusters.p_values.copy()
    best: dict[int, tuple[float, int]] = {}
    for source, group, value in zip(who.tolist(), to.tolist(), q.tolist(), strict=True):
        if of[source] < 0:
            best[source] = min(best.get(source, (2.0, -1)), (value, group))
    sources, cluster = clusters.sources.to_pylist(), [int(home[c]) for c in clusters.cluster]
    for source, (value, group) in sorted(best.items()):
        sources.append(names[source].as_py())
        cluster.append(int(home[group]))
        p_values[group] = max(p_values[group], value)
    kept = sorted(set(cluster))
    worst = [max(p_values[c] for c in range(len(home)) if home[c] == k) for k in kept]
    order = np.argsort(np.array(sources, object), kind="stable")
    return _Clusters(
        pa.array([sources[i] for i in order], clusters.sources.type),
        np.array([kept.index(cluster[i]) for i in order]),
        np.array(worst),
        [clusters.tests[k] for k in kept],
    )


def _merged(of: np.ndarray, who: np.ndarray, to: np.ndarray, n: int) -> np.ndarray:
    """Return the cluster that each becomes part of: one of which half of the members joined another goes over to it."""
    home = np.arange(n)
    size = np.bincount(of[of >= 0], minlength=n)
    over = np.zeros((n, n))
    inside = of[who] >= 0
    np.add.at(over, (of[who[inside]], to[inside]), 1)
    for a, b in sorted(zip(*np.nonzero(over * 2 >= np.maximum(size, 1)[:, None]), strict=True)):
        if a != b and over[a, b] > 0:
            one, other = sorted((int(home[a]), int(home[b])))
            home[home == other] = one
    return home


def _sharers(shares: ibis.ir.Table, objects: ibis.ir.Table, window_s: int) -> tuple[Sharers, pa.Array]:
    """Return the first shares of the objects, and the names behind the numbers of their sources; texts reach one window."""
    rows = shares.semi_join(objects, ["trace", "object_key"])
    first = rows.group_by("trace", "object_key", "source").agg(at=epoch_s(rows.shared_at).min())
    keys = ["trace", "object_key", "at", "source"]
    table = first.to_pyarrow().sort_by([(key, "ascending") for key in keys]).combine_chunks()
    names = pc.unique(table.column("source").combine_chunks())
    names = names.take(pc.sort_indices(names))
    trace = table.column("trace").dictionary_encode().combine_chunks().indices.to_numpy()
    key = table.column("object_key").to_numpy()
    is_start = np.append(True, (trace[1:] != trace[:-1]) | (key[1:] != key[:-1])) if len(key) else np.zeros(0, bool)
    starts = np.append(np.flatnonzero(is_start), len(key))
    who = pc.index_in(table.column("source"), names).to_numpy().astype(np.int64)
    is_text = pc.equal(table.column("trace"), "near_copy").to_numpy(zero_copy_only=False)
    reach = np.where(is_text[starts[:-1]], float(window_s), np.inf)
    return Sharers(starts, who, table.column("at").to_numpy().astype(float), reach), names


def _n_tests(co_shares: pa.Table, shares: ibis.ir.Table, settings: Sources) -> int:
    known = (co_shares.schema.metadata or {}).get(N_TESTS)
    return int(known) if known else count_tests(shares, settings)


def adjust(p_values: np.ndarray, n_tests: int) -> np.ndarray:
    """Return Benjamini-Hochberg adjusted p-values among ``n_tests`` tests, of which those not given have p = 1.

    Reference: Benjamini, Hochberg 1995, procedure (1), as step-up adjusted values.
    """
    order = np.argsort(p_values)
    scaled = p_values[order] * max(n_tests, len(p_values)) / np.arange(1, len(p_values) + 1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


@dataclass(frozen=True)
class _Clusters:
    """Sources (n,) in order, the cluster of each (n,), each cluster's p-value and the test that found it."""

    sources: pa.Array
    cluster: np.ndarray
    p_values: np.ndarray
    tests: list[str]


def _cluster(kept: pa.Table, n_tests: int, max_q: float, seed: int) -> _Clusters:
    ends = pc.unique(pa.chunked_array([*kept.column("source_a").chunks, *kept.column("source_b").chunks]))
    ends = ends.take(pc.sort_indices(ends))  # so that the order of the pairs changes nothing
    a = pc.index_in(kept.column("source_a"), ends).to_numpy()
    b = pc.index_in(kept.column("source_b"), ends).to_numpy()
    graph = igraph.Graph(n=len(ends), edges=np.stack([a, b], axis=1))
    parts = leidenalg.find_partition(
        graph, leidenalg.ModularityVertexPartition, weights=kept.column("weight").to_pylist(), seed=seed
    )
    q = kept.column("q").to_numpy()
    alone = kept.column("p_value").to_numpy() * n_tests
    cluster = _without_lone_pairs(np.stack([a, b], axis=1), alone, np.array(parts.membership), max_q)
    inside = np.flatnonzero(cluster >= 0)
    weakest = _weakest_links(a, b, q, cluster)
    return _Clusters(ends.take(pa.array(inside)), cluster[inside], weakest, ["pairs"] * len(weakest))


def _without_lone_pairs(edges: np.ndarray, alone: np.ndarray, membership: np.ndarray, max_q: float) -> np.ndarray:
    """Return the cluster of each source, from 0 on, -1 for none, without the lone pairs that may be chance.

    Of a hundred pairs at a false-discovery rate of 1 % one may be chance, and it is none of the ninety that hold the members of
    one group together several times over: it stands alone, or ties a stranger to that group and so names him beside all
    members. A pair that is the only way between its two ends is therefore judged by itself, at the family-wise error rate
    (Bonferroni). Who is cut off may still be found by the test of whole groups (:func:`bastau.sources.crowds.joining`).

    Args:
        edges: ends of each pair, numbers of sources, int64 (n_pairs, 2).
        alone: p-value of each pair times the number of tests, float64 (n_pairs,).
        membership: community of each source, int64 (n_sources,).
        max_q: most of it that a lone pair may have; infinite: nothing is cut.

    Reference: Efron 2008, Annals of Applied Statistics 2(1), section 2: a rate over all tests is none over a part of them.
    """
    n = len(membership)
    is_inside = membership[edges[:, 0]] == membership[edges[:, 1]]
    edges, alone = edges[is_inside], alone[is_inside]
    is_bridge = np.zeros(len(edges), bool)
    is_bridge[igraph.Graph(n=n, edges=edges).bridges()] = True
    kept = edges[~is_bridge | (alone <= max_q)]
    part = np.array(igraph.Graph(n=n, edges=kept).connected_components().membership, np.int64)
    numbers = np.flatnonzero(np.bincount(part) > 1)
    return np.where(np.isin(part, numbers), np.searchsorted(numbers, part), -1)


def _weakest_links(a: np.ndarray, b: np.ndarray, q: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Return, for each cluster, the largest q on its minimum spanning tree."""
    inside = np.flatnonzero((cluster[a] == cluster[b]) & (cluster[a] >= 0))
    # ranks from 1 in place of q: a sparse matrix takes a zero for no edge
    ranked = inside[np.argsort(q[inside], kind="stable")]
    n = len(cluster)
    rank = np.arange(1, len(ranked) + 1, dtype=float)
    tree = minimum_spanning_tree(coo_array((rank, (a[ranked], b[ranked])), shape=(n, n)).tocsr()).tocoo()
    weakest = np.zeros(cluster.max() + 1)
    np.maximum.at(weakest, cluster[tree.row], q[ranked[tree.data.astype(int) - 1]])
    return weakest


def _moved(clusters: _Clusters, shares: ibis.ir.Table, posts: ibis.ir.Table, window_s: int) -> pa.Table:
    """Return the members' shares within the window of another member's, by cluster, trace, object and time."""
    named = small(pa.table({"source": clusters.sources, "cluster": clusters.cluster}), shares)
    publishers = posts.filter(posts.is_publisher).select("source").distinct().mutate(is_publisher=True)
    known = named.left_join(publishers, "source")
    known = known.select("source", "cluster", is_publisher=known.is_publisher.fill_null(False))
    rows = shares.select("source", "trace", "object_key", "post_key", at=epoch_s(shares.shared_at)).join(
        known, "source"
    )
    keys = ["cluster", "trace", "object_key", "at", "source", "post_key"]
    table = rows.to_pyarrow().sort_by([(key, "ascending") for key in keys]).combine_chunks()
    source = pc.index_in(table.column("source"), clusters.sources).to_numpy()
    trace = table.column("trace").dictionary_encode().combine_chunks().indices.to_numpy()
    columns = [table.column("cluster").to_numpy(), trace, table.column("object_key").to_numpy()]
    same = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    # if two members are within the window, so are two neighbours in time between them
    close = same & (np.diff(table.column("at").to_numpy()) <= window_s) & (source[1:] != source[:-1])
    return table.filter(pa.array(np.concatenate([close, [False]]) | np.concatenate([[False], close])))


def _describe(cluster: int, clusters: _Clusters, moved: pa.Table, window_s: int) -> dict[str, Any] | None:
    """Return one COORDINATION row, examples still as keys; None with fewer than two publishers."""
    rows = moved.filter(pc.equal(moved.column("cluster"), cluster))
    is_wire = pc.equal(rows.column("trace"), "wire")
    wired = rows.filter(is_wire)
    rows = rows.filter(pc.invert(is_wire))
    published = rows.filter(rows.column("is_publisher"))
    sources = sorted(pc.unique(published.column("source")).to_pylist())
    if len(sources) < 2:
        return None
    others = rows.filter(pc.invert(rows.column("is_publisher"))).column("source")
    objects = rows.group_by(["trace", "object_key"]).aggregate([])
    traces = sorted(pc.unique(rows.column("trace")).to_pylist())
    is_pair = len(pc.unique(rows.column("source"))) == 2
    if is_pair and (_n_close(rows, window_s) < MIN_OBJECTS or traces == ["near_copy"]):
        return None
    return {
        "group_id": format_id("g", hash_string("\n".join(sources))),
        "sources": sources,
        "n_other_accounts": len(pc.unique(others)),
        "p_value": float(clusters.p_values[cluster]),
        "traces": traces,
        "windows": _windows(np.sort(rows.column("at").to_numpy())),
        "n_objects": objects.num_rows,
        "examples": _examples(published),
        "test": clusters.tests[cluster],
        "median_delay_s": _median_delay(rows),
        "n_wire_copies": len(pc.unique(wired.column("object_key"))),
    }


def _windows(at: np.ndarray) -> list[dict[str, int]]:
    """Return the first and last moment of each run of days without a gap, in microseconds; ``at`` is sorted."""
    starts = np.flatnonzero(np.diff(at // _DAY_S, prepend=at[0] // _DAY_S - 2) > 1)
    ends = np.append(starts[1:], len(at)) - 1
    return [{"from": int(at[i]) * 1_000_000, "to": int(at[j]) * 1_000_000} for i, j in zip(starts, ends, strict=True)]


def _n_close(rows: pa.Table, window_s: int) -> int:
    """Return the number of objects on which neighbours in time were within the window; ``rows`` as for _median_delay."""
    trace = rows.column("trace").dictionary_encode().combine_chunks().indices.to_numpy()
    key, at = rows.column("object_key").to_numpy(), rows.column("at").to_numpy()
    near = (trace[1:] == trace[:-1]) & (key[1:] == key[:-1]) & (np.diff(at) <= window_s)
    return len(set(zip(trace[1:][near].tolist(), key[1:][near].tolist(), strict=True)))


def _median_delay(rows: pa.Table) -> float:
    """Return the median of the seconds between neighbours of a moment; ``rows`` are ordered by object and time."""
    trace = rows.column("trace").dictionary_encode().combine_chunks().indices.to_numpy()
    key, at = rows.column("object_key").to_numpy(), rows.column("at").to_numpy()
    gaps = np.diff(at)[(trace[1:] == trace[:-1]) & (key[1:] == key[:-1])]
    gaps = gaps[gaps <= _DAY_S // 24]
    return float(np.median(gaps)) if len(gaps) else 0.0


def _examples(published: pa.Table) -> list[tuple[str, int, list[int]]]:
    """Return (trace, object_key, post_keys) of the objects that most publishers moved on."""
    objects = published.group_by(["trace", "object_key"]).aggregate([("source", "count_distinct")])
    order = [("source_count_distinct", "descending"), ("trace", "ascending"), ("object_key", "ascending")]
    chosen = objects.sort_by(order).slice(0, MAX_EXAMPLES)
    examples = []
    for trace, key in zip(chosen.column("trace").to_pylist(), chosen.column("object_key").to_pylist(), strict=True):
        is_it = pc.and_(pc.equal(published.column("trace"), trace), pc.equal(published.column("object_key"), key))
        posts = published.filter(is_it).slice(0, MAX_EXAMPLES).column("post_key").to_pylist()
        examples.append((trace, key, list(dict.fromkeys(posts))))
    return examples


def _name_objects(
    rows: list[dict[str, Any]], posts: ibis.ir.Table, readings: ibis.ir.Table, members: ibis.ir.Table
) -> pa.Table:
    """Replace the keys in the examples by addresses, hashtags and ids that people see, and quote the posts."""
    examples: list[tuple[str, int, list[int]]] = [example for row in rows for example in row["examples"]]
    wanted = small(
        pa.table({"post_key": pa.array(sorted({p for _, _, ps in examples for p in ps}), pa.int64())}), posts
    )
    columns = ["post_key", "post_id", "repost_of", "source", "url", "title", "text"]
    seen = posts.select(*columns, at=epoch_s(posts.published_at)).join(wanted, "post_key")
    seen = seen.join(readings.select("post_key", "urls", "url_keys", "hashtags"), "post_key")
    told = members.filter(members.narrative_key.notnull()).select("post_key", narrative="narrative_key")
    told = told.join(wanted, "post_key").to_pyarrow().to_pylist()
    narratives = {row["post_key"]: row["narrative"] for row in told}
    by_key = {post["post_key"]: post for post in seen.to_pyarrow().to_pylist()}
    for row in rows:
        row["examples"] = [
            {
                "trace": trace,
                # The id or address of a private account's post holds its pseudonym (SCOPE, rule 2).
                "object": _public(_object_name(trace, key, by_key[keys[0]], narratives.get(keys[0], key))),
                "post_ids": [by_key[k]["post_id"] for k in keys],
                "posts": _quoted([by_key[k] for k in keys]),
            }
            for trace, key, keys in row["examples"]
        ]
    return pa.Table.from_pylist(rows, COORDINATION)


def _public(text: str) -> str:
    return _PSEUDONYM.sub("@…", text)


def _quoted(posts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return EXAMPLE_POST rows in order of time; ``delay_s`` counts from the last pause longer than an hour."""
    quoted: list[dict[str, Any]] = []
    begin = last = None
    for post in sorted(posts, key=lambda post: (post["at"], post["post_key"])):
        begin = post["at"] if begin is None or last is None or post["at"] - last > _DAY_S // 24 else begin
        last = post["at"]
        words = " — ".join(filter(None, [post["title"], post["text"]]))
        quoted.append(
            {
                "post_id": post["post_id"],
                "source": post["source"],
                "published_at": post["at"] * 1_000_000,
                "delay_s": post["at"] - begin,
                "url": None if post["url"] is None else _public(post["url"]),
                "text": _public(words if len(words) <= MAX_CHARS else words[: MAX_CHARS - 1] + "…"),
            }
        )
    return quoted


def _object_name(trace: str, key: int, post: dict[str, Any], narrative: int) -> str:
    if trace == "link":
        return str(dict(zip(post["url_keys"], post["urls"], strict=True))[key])
    if trace == "hashtags":
        return " ".join("#" + tag for tag in post["hashtags"])
    return str(post["repost_of"]) if trace == "repost" else format_id("n", narrative)

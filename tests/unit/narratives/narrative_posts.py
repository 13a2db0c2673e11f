"""Small tables of posts for the tests of narratives, and the obvious way to group them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from bastau.hashing import hash_string
from bastau.narratives.clusters import CUT, _average_linkage
from bastau.narratives.update import Limits, State
from bastau.schemas import MEMBERS, N_BANDS, POSTS, READINGS, TEXT_PAIRS
from bastau.shingles import shingle_sets

START = datetime(2024, 3, 1, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        *(POSTS.field(n) for n in ("post_key", "published_at", "repost_of")),
        *(READINGS.field(n) for n in ("text_key", "bands")),
    ]
)
Bands = Callable[[str], bytes]


class Post(NamedTuple):
    """One post; without ``text`` it has no text_key."""

    name: str
    minute: int = 0
    text: str | None = None
    repost_of: str | None = None


def key(name: str) -> int:
    return hash_string(name)


def minhash(text: str) -> bytes:
    """Return a true signature: texts of similarity J share each band with probability J^4."""
    hashes = shingle_sets(pa.array([text]))[1].astype(np.uint64)
    rows = np.arange(1, 4 * N_BANDS + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) | np.uint64(1)
    mixed = (hashes[:, None] + np.uint64(1)) * rows
    smallest = ((mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) >> np.uint64(20)).min(axis=0)
    return b"".join(
        np.uint32(hash_string(str(band.tolist())) & 0xFFFFFFFF).tobytes() for band in smallest.reshape(-1, 4)
    )


def table(posts: Sequence[Post], bands: Bands = minhash) -> pa.Table:
    rows = [
        {
            "post_key": key(post.name),
            "published_at": START + timedelta(minutes=post.minute),
            "repost_of": post.repost_of,
            "text_key": None if post.text is None else key(post.text),
            "bands": None if post.text is None else bands(post.text),
        }
        for post in posts
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def fetcher(posts: Sequence[Post]) -> Callable[[np.ndarray], pa.Table]:
    texts = {key(post.text): post.text for post in posts if post.text is not None}

    def fetch(keys: np.ndarray) -> pa.Table:
        wanted = [int(k) for k in keys][::-1]  # any order is allowed
        return pa.table({"text_key": pa.array(wanted, pa.int64()), "folded": [texts[k] for k in wanted]})

    return fetch


def narratives(state: State) -> dict[str | None, set[int]]:
    """Return the posts of each narrative."""
    out = defaultdict(set)
    for row in state.members.to_pylist():
        out[row["narrative_key"]].add(row["post_key"])
    return dict(out)


# ---- the obvious way -----------------------------------------------------------------------------------


def plain_jaccard(a: str, b: str) -> float:
    grams = [{text[i : i + 5] for i in range(max(1, len(text) - 4))} for text in (a, b)]
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1])


def plain_grouping(
    posts: Sequence[Post], similarity: float, limits: Limits, bands: Bands
) -> tuple[list[dict], list[dict]]:
    """Return rows of TEXT_PAIRS and MEMBERS, made from scratch with sets and dictionaries."""
    texts = {key(post.text): post.text for post in posts if post.text is not None}
    candidates = _plain_candidates(texts, limits, bands)
    verified = {p for p in candidates if plain_jaccard(texts[p[0]], texts[p[1]]) >= similarity}
    cluster, pairs = _plain_clusters(texts, verified, similarity, limits)
    pair_rows = [
        dict(zip(TEXT_PAIRS.names, (a, b, float(np.float32(plain_jaccard(texts[a], texts[b])))), strict=True))
        for a, b in sorted(pairs)
    ]
    return pair_rows, _plain_members(posts, texts, cluster)


def _plain_candidates(texts: dict[int, str], limits: Limits, bands: Bands) -> set[tuple[int, int]]:
    out = set()
    for band in range(N_BANDS):
        buckets = defaultdict(list)
        for k in sorted(texts):
            buckets[bands(texts[k])[4 * band : 4 * band + 4]].append(k)
        for bucket in buckets.values():
            n = limits.centres if len(bucket) <= limits.crowd else limits.crowd_centres
            out |= {(centre, k) for i, centre in enumerate(bucket[:n]) for k in bucket[i + 1 :]}
    return out


def _plain_clusters(
    texts: dict[int, str], verified: set[tuple[int, int]], similarity: float, limits: Limits
) -> tuple[dict[int, int], set[tuple[int, int]]]:
    component = {k: {k} for k in texts}
    for a, b in verified:
        joined = component[a] | component[b]
        for k in joined:
            component[k] = joined
    cluster, pairs = {}, set()
    for members in {id(c): sorted(c) for c in component.values()}.values():
        if len(members) <= limits.linkage_texts:
            matrix = np.array([[plain_jaccard(texts[a], texts[b]) * (a != b) for b in members] for a in members])
            leader = np.empty(len(members), np.int64)
            # Ties make the order of merging matter, so the kernel is used here and tested by itself.
            _average_linkage(matrix, CUT * similarity, leader)
            cluster |= {k: members[leader[i]] for i, k in enumerate(members)}
            near = (p for p in combinations(members, 2) if plain_jaccard(texts[p[0]], texts[p[1]]) >= similarity)
            pairs |= set(near)
        else:
            inside = {p for p in verified if p[0] in members}
            pairs |= inside
            for k in members:
                leaders = {cluster[a] for a, b in inside if b == k}
                best = max(leaders, key=lambda x: (plain_jaccard(texts[x], texts[k]), -x), default=k)
                cluster[k] = best if plain_jaccard(texts[best], texts[k]) >= CUT * similarity else k
    return cluster, pairs


def _plain_members(posts: Sequence[Post], texts: dict[int, str], cluster: dict[int, int]) -> list[dict]:
    by_name = {post.name: post for post in posts}

    def root(post: Post) -> object:
        seen = []
        while post.text is None and post.repost_of in by_name and post.name not in seen:
            seen.append(post.name)
            post = by_name[post.repost_of]
        if post.text is not None:
            return cluster[key(post.text)]
        if post.name in seen:  # a circle: named by its members
            return tuple(sorted(seen[seen.index(post.name) :]))
        return post.name

    groups = defaultdict(list)
    for post in posts:
        groups[root(post)].append(post)
    rows = []
    for group in groups.values():
        group.sort(key=lambda post: (post.minute, key(post.name)))
        with_text = [post for post in group if post.text is not None]
        for post in group:
            row = dict.fromkeys(MEMBERS.names)
            row["post_key"] = key(post.name)
            row["text_key"] = None if post.text is None else key(post.text)
            if len(group) > 1:
                row["narrative_key"] = key(group[0].name)
                if post.text is None:
                    row["joined_by"] = "repost"
                else:
                    row["joined_by"] = "text" if post.text == with_text[0].text else "near_copy"
                    row["similarity"] = float(np.float32(plain_jaccard(post.text, with_text[0].text)))
            rows.append(row)
    none_last = 2**63
    return sorted(rows, key=lambda r: (none_last if r["text_key"] is None else r["text_key"], r["post_key"]))

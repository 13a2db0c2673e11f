"""Parents and amplifiers of real cascades, rebuilt. Writes docs/figures/cascades.md.

    python bench/cascades.py

weibo-rumor-cascades: 429 cascades whose reposts may name the repost that they react to. Each cascade becomes a narrative and
each repost a post of it; every account counts as a publisher (the ids are hashes).

- With the platform's word a repost names its parent (``repost_of``); a repost that names none reacts to the source post.
- Without it all parents are withheld and only time and text are left, as for a paste. The texts here hold a user's own words
  only, so text says little: who reacts copies nothing.

The first-hour ranking is by repeats within an hour of the source post; the truth ranks by all reactions that a post had in the end.
"""

import csv
import gzip
import json
import os
import sys
import time
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("BASTAU_SHARED_DATA", ROOT.parent / "shared" / "data")) / "weibo-rumor-cascades"
CHINA = timezone(timedelta(hours=8))
HOUR = 3600
MIN_CHARS = 16
"""Shorter texts are not compared, as in a run (`narratives.min_chars`)."""
TOPS = (1, 3, 10)


def read() -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    with gzip.open(DATA / "sources.ndjson.gz", "rt", encoding="utf-8") as file:
        sources = [json.loads(line) for line in file]
    reposts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with gzip.open(DATA / "reposts.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if not row["date"].startswith("20"):
                continue  # twelve rows have a date without a year
            row["at"] = int(datetime.fromisoformat(row["date"]).replace(tzinfo=CHINA).timestamp())
            reposts[row["cascade_id"]].append(row)
    return sources, reposts


def _moment(time: str) -> int:
    """Return seconds since 1970; sources are dated in seconds or like ``Sat Jun 09 21:22:06 +0800 2012``."""
    return int(time) if str(time).isdigit() else int(datetime.strptime(time, "%a %b %d %H:%M:%S %z %Y").timestamp())


def posts_of(
    sources: list[dict[str, Any]], reposts: dict[str, list[dict[str, Any]]]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return every post once, and the true parent of each repost (post ids)."""
    posts, parent = [], {}
    for source in sources:
        ident = source["cascade_id"]
        root = f"other:{ident}-{source['mid']}"
        posts.append(
            {
                "id": root,
                "cascade": ident,
                "who": source["author"],
                "at": _moment(source["time"]),
                "text": source["text"],
            }
        )
        mids = {row["mid"] for row in reposts[ident]}
        for row in reposts[ident]:
            name = f"other:{ident}-{row['mid']}"
            posts.append({"id": name, "cascade": ident, "who": row["user"], "at": row["at"], "text": row["text"]})
            up = row["parent_mid"]
            parent[name] = f"other:{ident}-{up}" if up and up in mids and up != row["mid"] else root
            if up and up not in mids and up != source["mid"]:
                parent.pop(name)  # the parent was deleted: nobody can tell
    return posts, parent


def tables(posts: list[dict[str, Any]], parent: dict[str, str] | None) -> tuple[ibis.ir.Table, ...]:
    """Return (posts, readings, members) in a fresh connection; without ``parent`` nothing is declared."""
    from bastau.hashing import hash_string, hash_strings
    from bastau.schemas import POSTS

    con = ibis.duckdb.connect(threads=2)
    con.raw_sql("SET TimeZone = 'UTC'")
    ids = pa.array([p["id"] for p in posts])
    keys = hash_strings(ids)
    n = len(posts)
    table = pa.table(
        {
            "post_key": keys,
            "post_id": ids,
            "platform": ["other"] * n,
            "source": [p["who"] for p in posts],
            "is_publisher": [True] * n,
            "repost_of": pa.array([(parent or {}).get(p["id"]) for p in posts], pa.string()),
            "forwarded_from": pa.nulls(n, pa.string()),
            "published_at": pa.array([p["at"] * 1_000_000 for p in posts], POSTS.field("published_at").type),
        }
    )
    readings = pa.table(
        {"post_key": keys, "own_url_key": pa.nulls(n, pa.int64()), "url_keys": pa.array([[]] * n, pa.list_(pa.int64()))}
    )
    members = pa.table(
        {
            "post_key": keys,
            "narrative_key": hash_strings(pa.array([p["cascade"] for p in posts])),
            "text_key": pa.array(
                [hash_string(p["cascade"] + p["text"]) if len(p["text"]) >= MIN_CHARS else None for p in posts],
                pa.int64(),
            ),
        }
    )
    made = {
        name: con.create_table(name, t) for name, t in (("posts", table), ("readings", readings), ("members", members))
    }
    return con, made["posts"], made["readings"], made["members"]  # type: ignore[return-value]


def edges(
    posts: list[dict[str, Any]], parent: dict[str, str] | None
) -> tuple[list[tuple[str, str, float, float]], Any]:
    """Return (from_post, to_post, credit, delay) as :mod:`bastau.sources.copies` gives them, and the table itself."""
    from bastau.hashing import hash_strings
    from bastau.sources.copies import copies

    con, *three = tables(posts, parent)

    def keep(expression: ibis.ir.Table) -> ibis.ir.Table:
        return con.create_table(ibis.util.gen_name("kept"), expression, temp=True)

    found = copies(*three, keep=keep, clock_error_s=60).to_pyarrow()
    name = dict(zip(hash_strings(pa.array([p["id"] for p in posts])).tolist(), [p["id"] for p in posts], strict=True))
    rows = zip(*(found.column(c).to_pylist() for c in ("from_post", "to_post", "credit", "delay_s")), strict=True)
    return [(name[a], name[b], credit, delay) for a, b, credit, delay in rows], found


def by_time(posts: list[dict[str, Any]]) -> dict[str, str]:
    """Return for each repost the latest post of its cascade before it: what time alone says of its parent."""
    found: dict[str, str] = {}
    by_cascade: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for post in posts:
        by_cascade[post["cascade"]].append(post)
    for root, *rest in by_cascade.values():
        before = root["id"]
        for post in sorted(rest, key=lambda p: (p["at"], p["id"])):
            found[post["id"]] = before
            before = post["id"]
    return found


def agreement(guess: dict[str, str], parent: dict[str, str], root_of: dict[str, str]) -> dict[str, float]:
    """Compare guessed parents with true ones, over all reposts and over those whose parent is another repost."""
    inner = [name for name, up in parent.items() if up != root_of[name]]
    said = [name for name in guess if name in parent and guess[name] != root_of[name]]
    right = sum(guess.get(name) == parent[name] for name in parent)
    return {
        "all": right / len(parent),
        "recall, parent is a repost": sum(guess.get(n) == parent[n] for n in inner) / len(inner),
        "precision, a repost is named": sum(guess[n] == parent[n] for n in said) / len(said) if said else float("nan"),
        "named": len(said),
    }


def first_hour(
    posts: list[dict[str, Any]], parent: dict[str, str], seen: dict[str, str]
) -> tuple[dict[int, float], dict[int, float], int]:
    """Return the precision of the first k amplifiers after one hour, and that of the first k accounts to repost, by k.

    Args:
        seen: the parents known after an hour.
    """
    at = {post["id"]: post["at"] for post in posts}
    who = {post["id"]: post["who"] for post in posts}
    by_cascade: dict[str, list[str]] = defaultdict(list)
    for post in posts:
        by_cascade[post["cascade"]].append(post["id"])
    hits: dict[int, list[float]] = defaultdict(list)
    early: dict[int, list[float]] = defaultdict(list)
    n_cascades = 0
    for root, *rest in by_cascade.values():
        begin = at[root]
        true: Counter[str] = Counter(who[parent[n]] for n in rest if n in parent and parent[n] != root)
        hour = [n for n in rest if at[n] <= begin + HOUR]
        ranked: Counter[str] = Counter(who[seen[n]] for n in hour if n in seen and seen[n] != root)
        if len(true) < max(TOPS) or not ranked:
            continue
        n_cascades += 1
        order = [w for w, _ in sorted(ranked.items(), key=lambda e: (-e[1], e[0]))]
        first = list(dict.fromkeys(who[n] for n in sorted(hour, key=lambda n: (at[n], n))))
        best = [w for w, _ in sorted(true.items(), key=lambda e: (-e[1], e[0]))]
        for k in TOPS:
            hits[k].append(len(set(order[:k]) & set(best[:k])) / k)
            early[k].append(len(set(first[:k]) & set(best[:k])) / k)
    return {k: float(np.mean(v)) for k, v in hits.items()}, {k: float(np.mean(v)) for k, v in early.items()}, n_cascades


def main() -> None:
    start = time.perf_counter()
    sources, reposts = read()
    posts, parent = posts_of(sources, reposts)
    root_of: dict[str, str] = {}
    for source in sources:
        root = f"other:{source['cascade_id']}-{source['mid']}"
        root_of |= {f"other:{source['cascade_id']}-{row['mid']}": root for row in reposts[source["cascade_id"]]}
    read_s = time.perf_counter() - start
    found, _ = edges(posts, parent)
    told = {to: up for up, to, _, _ in found}
    start = time.perf_counter()
    near, _ = edges(posts, None)
    copies_s = time.perf_counter() - start
    best: dict[str, tuple[float, str]] = {}
    for up, to, credit, _ in near:
        best[to] = max(best.get(to, (0.0, "")), (credit, up))
    pasted = {to: up for to, (_, up) in best.items()}
    latest = by_time(posts)
    # a repost of oneself is no copy, by the rule of copies
    who = {post["id"]: post["who"] for post in posts}
    own = {n for n, up in parent.items() if who[n] == who[up]}
    named = {n: up for n, up in parent.items() if n not in own}
    lines = [
        "# Cascades",
        "",
        "Made by `python bench/cascades.py` on weibo-rumor-cascades: "
        f"{len(sources)} cascades, {len(posts) - len(sources):,} reposts, {len(parent):,} with a parent that is stored "
        f"({len(own):,} react to themselves and are no copies), {sum(up != root_of[n] for n, up in named.items()):,} of them to a repost.",
        "",
        "| parents | right, of all | right, of those whose parent is a repost | right, where a repost is named | reposts named |",
        "|---|---:|---:|---:|---:|",
    ]
    for label, guess in (
        ("named by the platform", told),
        ("withheld; copies by text and time", pasted),
        ("withheld; the latest post before it", latest),
        ("withheld; always the source post", {n: root_of[n] for n in named}),
    ):
        figures = agreement({n: g for n, g in guess.items() if n in named}, named, root_of)
        lines.append(f"| {label} | " + " | ".join(_cell(v) for v in figures.values()) + " |")
    lines += [
        "",
        "Without the platform's word a tree of reactions cannot be rebuilt: `copies` knows one original of a text, the earliest, and",
        "names no parent for a reaction in own words. It names a repost only where two reactions have the same words.",
        "",
        "| amplifiers after one hour, against all reactions in the end | first | first 3 | first 10 |",
        "|---|---:|---:|---:|",
    ]
    for label, seen in (("parents named", told), ("parents withheld, copies by text", pasted)):
        hits, early, n = first_hour(posts, parent, seen)
        lines.append(f"| {label}, {n} cascades | " + " | ".join(f"{hits[k]:.3f}" for k in TOPS) + " |")
        lines.append(
            "| the first accounts to repost, the same cascades | " + " | ".join(f"{early[k]:.3f}" for k in TOPS) + " |"
        )
    lines += [
        "",
        f"Cascades in which at least {max(TOPS)} accounts were reacted to. Reading {read_s:.1f} s, copies without parents {copies_s:.1f} s.",
        "",
    ]
    path = ROOT / "docs" / "figures" / "cascades.md"
    path.write_text("\n".join(lines), "utf-8")
    sys.stdout.write(path.read_text("utf-8"))


def _cell(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


if __name__ == "__main__":
    main()

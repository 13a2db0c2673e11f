"""Real cascades with their first posts withheld: does first seen abstain, and what does growth alone say? Prints a table.

    python bench/benchmark_weibo.py

Data: ../shared/data/weibo-rumor-cascades (evaluation only). Every cascade is one narrative. Its first k posts, the source
post included, are withheld; k = 0 withholds nothing. "pointers": reposts name what they repost. "growth only": they
do not, so only dates are left. Hours without posts say nothing here and count as covered.
"""

import csv
import gzip
import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa

from bastau.hashing import hash_strings
from bastau.settings import Sources
from bastau.sources.beginnings import OUTSIDE_SIGNS, _weights, make_features, probabilities
from bastau.sources.copies import copies
from bastau.sources.firstseen import gather, is_unexplained

DATA = Path(os.environ.get("BASTAU_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
CHINA = timezone(timedelta(hours=8))
LEAST_POSTS = 10
Row = tuple[int, str, str, str]  # seconds, post, user, parent


def cascades() -> dict[str, list[Row]]:
    folder = DATA / "weibo-rumor-cascades"
    with gzip.open(folder / "sources.ndjson.gz", "rt", encoding="utf-8") as lines:
        sources = [json.loads(line) for line in lines]
    found = {s["cascade_id"]: [(_seconds(str(s["time"])), str(s["mid"]), str(s["author"]), "")] for s in sources}
    with gzip.open(folder / "reposts.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            posts = found[row["cascade_id"]]
            at = _repost_seconds(row["date"], posts[0][0])
            if at is None:
                continue
            posts.append((at, row["mid"], row["user"], row["parent_mid"] or posts[0][1]))
    # a few reposts stand there twice
    return {
        name: [posts[0], *sorted({p[1]: p for p in posts[1:] if p[1] != posts[0][1]}.values())]
        for name, posts in found.items()
    }


def _seconds(time: str) -> int:
    if time.isdigit():
        return int(time)
    return int(datetime.strptime(time, "%a %b %d %H:%M:%S %z %Y").timestamp())


def _repost_seconds(date: str, start: int) -> int | None:
    """Return a time of China; without a year, the one of the source post; None for words such as "just now"."""
    year = datetime.fromtimestamp(start, CHINA).year
    for form, text in (("%Y-%m-%d %H:%M:%S", date), ("%Y-%m-%d %H:%M", date), ("%Y %m月%d日 %H:%M", f"{year} {date}")):
        try:
            return int(datetime.strptime(text, form).replace(tzinfo=CHINA).timestamp())
        except ValueError:
            continue
    return None


def figures(given: dict[str, list[Row]], k: int, *, pointers: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest confidence of each cascade, and how soon its eighth post follows."""
    rows = [(name, *post) for name, posts in given.items() for post in posts[k:]]
    names, at, ids, users, parents = (list(column) for column in zip(*rows, strict=True))
    post_ids = [f"other:{name}/{post}" for name, post in zip(names, ids, strict=True)]
    keys, seconds = hash_strings(pa.array(post_ids)), pa.array([a * 1_000_000 for a in at])
    time = seconds.cast(pa.timestamp("us", tz="UTC"))
    n = len(rows)
    parent = [f"other:{name}/{p}" if p and pointers else None for name, p in zip(names, parents, strict=True)]
    nothing = pa.nulls(n, pa.string())
    posts = pa.table(
        {
            "post_key": keys, "post_id": post_ids, "platform": ["other"] * n, "source": users,
            "is_publisher": [True] * n, "published_at": time, "collected_at": time, "repost_of": pa.array(parent, pa.string()),
            "forwarded_from": nothing, "reply_to": nothing, "url": nothing,
        }
    )  # fmt: skip
    narrative = hash_strings(pa.array(names))
    members = pa.table({"post_key": keys, "narrative_key": narrative, "text_key": narrative})
    readings = pa.table(
        {"post_key": keys, "url_keys": pa.array([[]] * n, pa.list_(pa.int64())), "own_url_key": pa.nulls(n, pa.int64())}
    )
    con = ibis.duckdb.connect(threads=2)
    con.raw_sql("SET timezone = 'UTC'")
    tables = {
        name: con.create_table(name, table)
        for name, table in (("posts", posts), ("members", members), ("readings", readings))
    }
    p, m = tables["posts"], tables["members"]

    def keep(table: ibis.ir.Table) -> ibis.ir.Table:
        return con.create_table(ibis.util.gen_name("kept"), table, temp=True)

    joined = p.join(m, "post_key")
    first = ibis.row_number().over(ibis.window(group_by="narrative_key", order_by=["published_at", "post_key"]))
    heads = joined.mutate(place=first).filter(lambda t: t.place == 0)
    heads = heads.select("narrative_key", first_post_key="post_key", first_seen_at="published_at")
    narratives = keep(heads.mutate(n_publishers=ibis.literal(1), platforms=ibis.array(["other"])))
    edges = keep(copies(p, tables["readings"], m, keep=keep, clock_error_s=60))
    evidence = gather(p, tables["readings"], m, narratives, edges, keep=keep, settings=Sources())
    features = make_features(evidence, 60)
    columns = list(OUTSIDE_SIGNS)
    for name in ("uncovered", "uncovered_short", "gap", "begins_with_data"):
        features.z[:, columns.index(name)] = 0.0
    best = np.zeros(len(features.z))
    np.maximum.at(best, features.head_of, probabilities(features, *_weights()))
    con.disconnect()
    best[is_unexplained(evidence.totals)] = 0.0
    return best, features.z[:, columns.index("eighth")]


def auc(low: np.ndarray, high: np.ndarray) -> float:
    """Return the chance that a value of ``high`` is above one of ``low``, ties counted half."""
    return float(((high[:, None] > low).mean() + (high[:, None] >= low).mean()) / 2)


def main() -> None:
    threshold = Sources().min_confidence
    given = {name: posts for name, posts in cascades().items() if len(posts) >= LEAST_POSTS + 100}
    print(f"{len(given)} cascades of at least {LEAST_POSTS + 100} posts; named from confidence {threshold}")
    print("| withheld | abstains, pointers | abstains, growth only | AUC of growth against nothing withheld |")
    print("|---|---|---|---|")
    _, whole = figures(given, 0, pointers=False)
    for k in (0, 1, 5, 20, 100):
        with_pointers, _ = figures(given, k, pointers=True)
        without, growth = figures(given, k, pointers=False)
        shares = [(x < threshold).mean() for x in (with_pointers, without)]
        print(f"| {k} | {shares[0]:.3f} | {shares[1]:.3f} | {auc(whole, growth):.3f} |")


if __name__ == "__main__":
    main()

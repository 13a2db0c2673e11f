"""Make again only what new posts can have changed: narratives they touched, and copies from or to them.

The relational steps are the same as over everything; they get fewer rows and the rest is taken from the generation
before. tests/integration/test_incremental.py holds that both ways give the same tables.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.engine import Engine
from bastau.narratives.summary import summarise
from bastau.sources.copies import copies

MOST_TOUCHED = 0.3
"""Share of posts touched from which making everything again is cheaper."""


@dataclass(frozen=True)
class Touched:
    """Ascending keys: narratives with other members than before, posts that are new, and posts of either."""

    narratives: np.ndarray
    new_posts: np.ndarray
    posts: np.ndarray


def find_touched(old: pa.Table, new: pa.Table) -> Touched | None:
    """Compare two tables of MEMBERS; None when so much changed that everything is made again.

    A post of ``old`` that ``new`` lacks means an erasure; then everything is made again too.
    """
    old_key, old_home = _by_post(old)
    new_key, new_home = _by_post(new)
    at = np.searchsorted(new_key, old_key)
    if not len(old_key) or at[-1] >= len(new_key) or not np.array_equal(new_key[at], old_key):
        return None
    is_new = np.ones(len(new_key), bool)
    is_new[at] = False
    moved = np.flatnonzero(new_home[at] != old_home)
    narratives = np.unique(np.concatenate([new_home[is_new], new_home[at[moved]], old_home[moved]]))
    narratives = narratives[narratives != _ALONE]
    in_touched = np.isin(new_home, narratives) | is_new
    in_touched[at[moved]] = True
    if np.count_nonzero(in_touched) > MOST_TOUCHED * len(new_key):
        return None
    return Touched(narratives, new_key[is_new], new_key[in_touched])


_ALONE = np.iinfo(np.int64).min
"""Stands for no narrative; as a post_key it has a chance of 5e-20."""


def _by_post(members: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    keys = members.column("post_key").to_numpy()
    homes = pc.fill_null(members.column("narrative_key"), int(_ALONE)).to_numpy()
    order = np.argsort(keys)
    return keys[order], homes[order]


def renew_summaries(engine: Engine, members: pa.Table, before: pa.Table, touched: Touched) -> pa.Table:
    """Return NARRATIVES: those of ``before`` that are untouched, and the touched ones made again."""
    narratives = pa.array(touched.narratives)
    engine.open({"touched_members": members.filter(pc.is_in(members.column("narrative_key"), narratives))})
    posts, readings, few = (engine.table(name) for name in ("posts", "readings", "touched_members"))
    fresh = summarise(posts, readings, few, keep=engine.keep)
    untouched = before.filter(pc.invert(pc.is_in(before.column("narrative_key"), narratives)))
    rows = pa.concat_tables([untouched.cast(fresh.schema), fresh])
    return rows.take(pa.array(np.argsort(rows.column("narrative_key").to_numpy())))


def renew_copies(engine: Engine, before: pa.Table, touched: Touched, *, clock_error_s: int) -> pa.Table:
    """Return COPIES: edges to posts that cannot have changed from ``before``, the others made again.

    An edge can change when its copy is new or of a touched narrative, or when it declares or links to a new post.
    """
    engine.open(
        {
            "new_posts": pa.table({"post_key": touched.new_posts}),
            "touched_posts": pa.table({"post_key": touched.posts}),
        }
    )
    posts, readings, members = (engine.table(name) for name in ("posts", "readings", "members"))
    new, affected = engine.table("new_posts"), engine.table("touched_posts")
    new_ids = posts.semi_join(new, "post_key").select(repost_of="post_id")
    new_addresses = _addresses(readings.semi_join(new, "post_key"))
    copies_made_again = engine.keep(
        affected.union(posts.semi_join(new_ids, "repost_of").select("post_key"))
        .union(_pointing(readings).semi_join(new_addresses, "address").select("post_key"))
        .distinct()
    )
    declared = posts.semi_join(copies_made_again, "post_key").select(post_id="repost_of")
    pointed = _pointing(readings.semi_join(copies_made_again, "post_key")).select("address")
    wanted = engine.keep(
        copies_made_again.union(posts.semi_join(declared, "post_id").select("post_key"))
        .union(_with_address(readings).semi_join(pointed, "address").select("post_key"))
        .distinct()
    )
    few = [engine.keep(few_of) for few_of in _few(posts, readings, members, wanted)]
    edges = copies(*few, keep=engine.keep, clock_error_s=clock_error_s)
    fresh = engine.collect(edges.semi_join(copies_made_again.select(to_post="post_key"), "to_post"))
    gone = engine.collect(copies_made_again).column("post_key").combine_chunks()
    kept = before.filter(pc.invert(pc.is_in(before.column("to_post"), gone)))
    return pa.concat_tables([kept, fresh.select(kept.column_names).cast(kept.schema)])


def _few(posts: Any, readings: Any, members: Any, wanted: Any) -> list[Any]:
    columns: list[tuple[Any, Callable[[Any], Any]]] = [
        (posts, lambda t: t.drop("text", "title", "media")),
        (readings, lambda t: t.drop("folded", "bands")),
        (members, lambda t: t),
    ]
    return [slim(table).semi_join(wanted, "post_key") for table, slim in columns]


def _addresses(readings: Any) -> Any:
    return readings.filter(readings.own_url_key.notnull()).select(address="own_url_key")


def _with_address(readings: Any) -> Any:
    return readings.filter(readings.own_url_key.notnull()).select("post_key", address="own_url_key")


def _pointing(readings: Any) -> Any:
    return readings.filter(readings.url_keys.length() > 0).select("post_key", address=readings.url_keys.unnest())

"""One row for each narrative: relational steps that run on any engine, lists and ids made in the driver."""

from collections.abc import Callable
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.hashing import format_ids
from bastau.schemas import NARRATIVES
from bastau.tables import conform


def summarise(posts: Any, readings: Any, members: Any, *, keep: Callable[[Any], Any]) -> pa.Table:
    """Return NARRATIVES, sorted by narrative_key.

    Args:
        posts, readings, members: Ibis tables of POSTS, READINGS and MEMBERS.
        keep: materialises an intermediate.
    """
    clustered = members.filter(members.narrative_key.notnull()).select("post_key", "narrative_key", "text_key")
    rows = keep(
        clustered.join(posts.select("post_key", "published_at", "source", "platform", "is_publisher"), "post_key").join(
            readings.select("post_key", "detected_language"), "post_key"
        )
    )
    totals = rows.group_by("narrative_key").agg(
        first_seen_at=rows.published_at.min(),
        last_seen_at=rows.published_at.max(),
        n_posts=rows.count(),
        n_texts=rows.text_key.nunique(),
        n_sources=rows.source.nunique(),
        n_publishers=rows.source.nunique(where=rows.is_publisher),
    )
    # The key of a narrative is that of its earliest post.
    first = posts.select(first_post_key="post_key", text=ibis.coalesce(posts.text, posts.title, ""))
    found = totals.join(first, totals.narrative_key == first.first_post_key).to_pyarrow().sort_by("narrative_key")
    keys = found.column("narrative_key").to_numpy()
    columns = {
        "narrative_id": format_ids("n", keys),
        "languages": _most_first(rows, "detected_language", keys),
        "platforms": _most_first(rows, "platform", keys),
    }
    for name, values in columns.items():
        found = found.append_column(NARRATIVES.field(name), values)
    return conform(found, NARRATIVES)


def _most_first(rows: Any, column: str, keys: np.ndarray) -> pa.Array:
    """Return for each of ``keys`` (ascending) the distinct values of ``column``, most posts first, then by name."""
    counts = rows.group_by(["narrative_key", column]).agg(n=rows.count()).to_pyarrow()
    counts = counts.sort_by([("narrative_key", "ascending"), ("n", "descending"), (column, "ascending")])
    ends = np.searchsorted(counts.column("narrative_key").to_numpy(), keys, side="right")
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pc.cast(counts.column(column).combine_chunks(), pa.string()))

"""One row for each narrative, each story and each theme: relational steps that run on any engine, lists and ids made in the driver."""

from collections.abc import Callable
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.hashing import format_ids
from bastau.schemas import NARRATIVES, STORIES, THEMES
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


def summarise_stories(
    posts: Any, readings: Any, members: Any, tellings: Any, *, keep: Callable[[Any], Any]
) -> pa.Table:
    """Return STORIES, those with at least two tellings, sorted by story_key.

    Args:
        posts, readings, members, tellings: Ibis tables of POSTS, READINGS, MEMBERS and TELLINGS.
        keep: materialises an intermediate.
    """
    shared = tellings.group_by("story_key").agg(n_tellings=tellings.count(), n_wordings=tellings.wording_key.nunique())
    shared = keep(shared.filter(shared.n_tellings > 1))
    told = tellings.semi_join(shared, "story_key").select("telling_key", "story_key", "text_post_key")
    # The key of a telling is that of its earliest post, and the key of a story that of its first telling.
    return _summarise(posts, readings, members, told, shared, by="story_key", schema=STORIES, letter="s", keep=keep)


def summarise_themes(
    posts: Any, readings: Any, members: Any, tellings: Any, theme_members: Any, *, keep: Callable[[Any], Any]
) -> pa.Table:
    """Return THEMES, sorted by theme_key.

    Args:
        posts, readings, members, tellings, theme_members: Ibis tables of POSTS, READINGS, MEMBERS, TELLINGS and THEME_MEMBERS.
        keep: materialises an intermediate.
    """
    told = keep(
        tellings.join(theme_members.select("story_key", "theme_key"), "story_key").select(
            "telling_key", "story_key", "theme_key", "text_post_key"
        )
    )
    shared = keep(told.group_by("theme_key").agg(n_stories=told.story_key.nunique(), n_tellings=told.count()))
    told = told.drop("story_key")
    return _summarise(posts, readings, members, told, shared, by="theme_key", schema=THEMES, letter="t", keep=keep)


def _summarise(
    posts: Any,
    readings: Any,
    members: Any,
    told: Any,
    shared: Any,
    *,
    by: str,
    schema: pa.Schema,
    letter: str,
    keep: Callable[[Any], Any],
) -> pa.Table:
    """Return a row for each group ``by`` of tellings (``told``: telling_key, by, text_post_key), what ``shared`` says of it first."""
    of_post = members.select("post_key", telling_key=ibis.coalesce(members.narrative_key, members.post_key))
    rows = keep(
        of_post.join(told, "telling_key")
        .join(posts.select("post_key", "published_at", "source", "platform", "is_publisher"), "post_key")
        .join(readings.select("post_key", "detected_language"), "post_key")
    )
    totals = rows.group_by(by).agg(
        first_seen_at=rows.published_at.min(),
        last_seen_at=rows.published_at.max(),
        n_posts=rows.count(),
        n_sources=rows.source.nunique(),
        n_publishers=rows.source.nunique(where=rows.is_publisher),
    )
    sizes = rows.group_by(by, "text_post_key").agg(n=rows.count(), at=rows.published_at.min())
    rank = ibis.row_number().over(group_by=by, order_by=[ibis.desc("n"), "at", "text_post_key"])
    largest = sizes.mutate(rank=rank)
    largest = largest.filter(largest["rank"] == 0).select(by, "text_post_key")
    texts = posts.select(text_post_key="post_key", text=ibis.coalesce(posts.text, posts.title, ""))
    found = shared.join(totals, by).join(largest, by).join(texts, "text_post_key")
    if "first_post_key" in schema.names:
        found = found.mutate(first_post_key=found[by])
    found = found.to_pyarrow().sort_by(by)
    keys = found.column(by).to_numpy()
    columns = {
        f"{by.removesuffix('_key')}_id": format_ids(letter, keys),
        "languages": _most_first(rows, "detected_language", keys, by=by),
        "platforms": _most_first(rows, "platform", keys, by=by),
    }
    for name, values in columns.items():
        found = found.append_column(schema.field(name), values)
    return conform(found, schema)


def _most_first(rows: Any, column: str, keys: np.ndarray, *, by: str = "narrative_key") -> pa.Array:
    """Return for each of ``keys`` (ascending) the distinct values of ``column``, most posts first, then by name."""
    counts = rows.group_by([by, column]).agg(n=rows.count()).to_pyarrow()
    counts = counts.sort_by([(by, "ascending"), ("n", "descending"), (column, "ascending")])
    ends = np.searchsorted(counts.column(by).to_numpy(), keys, side="right")
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pc.cast(counts.column(column).combine_chunks(), pa.string()))

"""One row for each narrative, as a relational expression that runs on any engine."""

from typing import Any

import ibis

from bastau.schemas import NARRATIVES


def summarise(posts: Any, readings: Any, members: Any) -> Any:
    """Return an Ibis expression of NARRATIVES without narrative_id, in no set order.

    ``posts``, ``readings`` and ``members`` are Ibis tables of POSTS, READINGS and MEMBERS.
    """
    clustered = members.filter(members.narrative_key.notnull()).select("post_key", "narrative_key", "text_key")
    rows = clustered.join(
        posts.select("post_key", "published_at", "source", "platform", "is_publisher"), "post_key"
    ).join(readings.select("post_key", "detected_language"), "post_key")
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
    return (
        totals.join(first, totals.narrative_key == first.first_post_key)
        .join(_most_first(rows, "detected_language", "languages"), "narrative_key")
        .join(_most_first(rows, "platform", "platforms"), "narrative_key")
        .select([name for name in NARRATIVES.names if name != "narrative_id"])
    )


def _most_first(rows: Any, column: str, name: str) -> Any:
    """Return narrative_key and the list ``name`` of the distinct values of ``column``, most posts first."""
    counts = rows.group_by(["narrative_key", column]).agg(n=rows.count())
    # Spark knows no ordered collect, but a window over the whole group keeps its order on every engine.
    window = ibis.window(group_by=counts.narrative_key, order_by=[counts.n.desc(), counts[column]])
    lists = counts.mutate(
        place=ibis.row_number().over(window),
        **{name: counts[column].collect().over(window.between(None, None))},
    )
    return lists.filter(lists.place == 0).select("narrative_key", name)

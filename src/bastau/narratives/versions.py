"""How the text of a narrative changed: its versions in order, what each was made from, and which publisher brought it."""

from collections.abc import Callable
from typing import Any

import ibis


def versions(posts: Any, members: Any, pairs: Any, *, keep: Callable[[Any], Any]) -> Any:
    """Return VERSIONS as an Ibis expression: narratives with at least two texts, one row a text.

    A version is made from the earlier version of its narrative that is most like it (the earliest among equals), or
    from the first where no pair is known. Its source is named only if its first post is a publisher's.

    Args:
        posts, members, pairs: Ibis tables of POSTS, MEMBERS and TEXT_PAIRS.
        keep: materialises an intermediate.
    """
    worded = members.filter(members.narrative_key.notnull() & members.text_key.notnull())
    dated = worded.select("narrative_key", "text_key", "post_key").join(
        posts.select("post_key", "published_at", "source", "is_publisher"), "post_key"
    )
    counts = dated.group_by("narrative_key", "text_key").agg(n_posts=dated.count(), n_sources=dated.source.nunique())
    many = counts.group_by("narrative_key").agg(n=counts.count())
    many = many.filter(many.n > 1).select("narrative_key")
    nth = ibis.row_number().over(group_by=["narrative_key", "text_key"], order_by=["published_at", "post_key"])
    first = dated.semi_join(many, "narrative_key").mutate(nth=nth)
    first = first.filter(first.nth == 0)
    order = ibis.row_number().over(group_by="narrative_key", order_by=["published_at", "post_key"])
    found = keep(
        first.join(counts, ["narrative_key", "text_key"])
        .mutate(version=order.cast("int64"), source=ibis.ifelse(first.is_publisher, first.source, ibis.null("string")))
        .select("narrative_key", "text_key", "version", "post_key", "published_at", "source", "n_posts", "n_sources")
    )
    either = pairs.select(text_key="text_a", other="text_b", similarity="similarity").union(
        pairs.select(text_key="text_b", other="text_a", similarity="similarity")
    )
    earlier = found.select("narrative_key", other="text_key", from_version="version")
    near = (
        found.select("narrative_key", "text_key", "version")
        .join(either, "text_key")
        .join(earlier, ["narrative_key", "other"])
    )
    near = near.filter(near.from_version < near.version)
    rank = ibis.row_number().over(
        group_by=["narrative_key", "text_key"], order_by=[ibis.desc("similarity"), "from_version"]
    )
    near = near.mutate(rank=rank)
    near = near.filter(near["rank"] == 0).select("narrative_key", "text_key", "from_version", "similarity")
    joined = found.left_join(near, ["narrative_key", "text_key"])
    made_from = ibis.coalesce(joined.from_version, ibis.ifelse(joined.version > 0, 0, ibis.null("int64")))
    return joined.select(
        "narrative_key",
        "text_key",
        "version",
        "similarity",
        "source",
        "n_posts",
        "n_sources",
        from_version=made_from,
        first_post_key="post_key",
        first_seen_at="published_at",
    )

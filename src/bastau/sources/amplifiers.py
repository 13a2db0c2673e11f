"""Amplifiers: publishers whose posts are repeated most, and what their posts are expected to have set off."""

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from bastau.schemas import AMPLIFIERS
from bastau.sources.relations import stack
from bastau.tables import conform


def amplifiers(copies: ibis.ir.Table, posts: ibis.ir.Table) -> ibis.ir.Table:
    """Return the FIB index of each publisher, per narrative and over all (``narrative_key`` null), as AMPLIFIERS.

    The FIB index is the h-index of repeats a post: h when h of a source's posts were repeated at least h times.
    A repeat is a copy of any kind by another source, weighted by its credit; a copying source counts once a post,
    with its largest credit, so that one account that repeats a post a thousand times moves nothing. A publisher whose
    posts have less than one repeat each scores 0 and keeps its row. Narratives are those of the copies.

    Args:
        copies: as COPIES.
        posts: as POSTS; says which posts are a publisher's.

    Reference: DeVerna, Aiyappa, Pacheco, Bryden, Menczer 2024, "Identifying and characterizing superspreaders of
    low-credibility content", PLOS ONE 19(5), "False Information Broadcaster index".
    """
    publishers = posts.filter(posts.is_publisher).select("post_key")
    shown = copies.semi_join(publishers, copies.from_post == publishers.post_key)
    once = shown.group_by("narrative_key", "from_source", "from_post", "to_source").agg(credit=shown["credit"].max())
    within = once.group_by("narrative_key", "from_source", "from_post").agg(repeats=_total(once["credit"]))
    within = within.filter(within.narrative_key.notnull())
    overall = once.group_by("from_source", "from_post", "to_source").agg(credit=once["credit"].max())
    overall = overall.group_by("from_source", "from_post").agg(repeats=_total(overall["credit"]))
    overall = overall.mutate(narrative_key=ibis.null("int64")).select(within.columns)
    return _h_index(stack(within, overall)).mutate(influence=ibis.null("float64"))


def with_influence(amplifiers: pa.Table, influence: pa.Table) -> pa.Table:
    """Return AMPLIFIERS with what :func:`bastau.sources.influence.influence` says of each source, sorted.

    Args:
        influence: (narrative_key, source, influence); null key: over all narratives.
    """
    keys = ["of_all", "narrative_key", "source"]
    known = _without_null_keys(influence).select([*keys, "influence"])
    rows = _without_null_keys(amplifiers.drop_columns("influence")).join(known, keys, join_type="left outer")
    key = pc.if_else(rows.column("of_all"), pa.scalar(None, pa.int64()), rows.column("narrative_key"))
    rows = rows.set_column(rows.column_names.index("narrative_key"), "narrative_key", key)
    return conform(rows, AMPLIFIERS).sort_by([("narrative_key", "ascending"), ("source", "ascending")])


def _without_null_keys(table: pa.Table) -> pa.Table:
    """Arrow joins no null with a null: say by a column of its own where the key is missing."""
    key = table.column("narrative_key")
    place = table.column_names.index("narrative_key")
    table = table.set_column(place, "narrative_key", pc.fill_null(key, 0))
    return table.append_column("of_all", pc.is_null(key))


def _total(credit: ibis.ir.Column) -> ibis.ir.Column:
    """Return the sum to nine digits: three thirds are one in whatever order they come, or an index would be missed."""
    return credit.sum().round(9)


def _h_index(repeats: ibis.ir.Table) -> ibis.ir.Table:
    source = ["narrative_key", "from_source"]
    rank = 1 + ibis.row_number().over(
        ibis.window(group_by=source, order_by=[repeats.repeats.desc(), repeats.from_post])
    )
    # repeats fall and ranks rise, so the posts that pass are exactly the first h
    ranked = repeats.mutate(passes=(repeats.repeats >= rank).ifelse(1, 0))
    return (
        ranked.group_by(*source)
        .agg(score=ranked.passes.sum(), n_posts=ranked.count(), n_repeats=_total(ranked.repeats))
        .rename(source="from_source")
    )

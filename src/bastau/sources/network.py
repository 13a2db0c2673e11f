"""The copy network: which publisher copies which, how often, how fast, and how much of it is agency text."""

import ibis

from bastau.sources.relations import Keep


def copy_network(copies: ibis.ir.Table, wire_copies: ibis.ir.Table, *, keep: Keep) -> ibis.ir.Table:
    """Return one row a pair of publishers and direction, as COPY_NETWORK, in no order.

    ``share`` is out of everything the copier copied from anybody, private accounts included: a publisher that copies one
    other and nobody else has 1. The median delay is the lower one of two middle ones.

    Args:
        copies: as COPIES.
        wire_copies: as WIRE_COPIES.
    """
    total = copies.group_by("to_source").agg(total=copies["credit"].sum())
    wire = wire_copies.select("narrative_key", is_wire=ibis.literal(1))
    named = copies.filter(copies.both_publishers)
    named = named.left_join(wire, "narrative_key").drop("narrative_key_right")
    ends = ["from_source", "to_source"]
    # the middle by counting, so that every engine takes the same row
    rank = ibis.row_number().over(ibis.window(group_by=ends, order_by=["delay_s", "from_post", "to_post", "kind"]))
    rows = keep(named.mutate(rank=rank, n_all=named.count().over(ibis.window(group_by=ends))))
    is_middle = rows["rank"] == (rows.n_all - 1) // 2
    kinds = {f"n_{kind}": (rows.kind == kind).ifelse(1, 0).sum() for kind in ("repost", "forward", "link", "near_copy")}
    edges = rows.group_by(*ends).agg(
        n_copies=rows.count(),
        n_narratives=rows.narrative_key.nunique(),
        n_wire=rows.is_wire.fill_null(0).sum(),
        credit=rows["credit"].sum(),
        median_delay_s=is_middle.ifelse(rows.delay_s, ibis.null("float64")).max(),
        **kinds,
    )
    edges = edges.join(total, "to_source")
    return edges.mutate(share=ibis.least(edges["credit"] / edges.total, 1.0)).drop("total")


def renamed(posts: ibis.ir.Table) -> ibis.ir.Table:
    """Return publishers that seem to carry a new name, as RENAMED: posts of one number on a platform under several sources.

    Only where post ids hold the platform's own number of the source, as ``telegram:1234567890/12``. They are not joined: a
    number in an id is what a mapping put there, and a wrong link would be an accusation.
    """
    number = posts.post_id.re_extract(r"^[a-z]+:-?([0-9]{5,})[/_]", 1)
    rows = posts.filter(posts.is_publisher).select("platform", "source", number=number)
    rows = rows.filter(rows.number.notnull() & (rows.number != "")).distinct()
    found = rows.group_by("platform", "number").agg(n_sources=rows.source.nunique())
    found = found.filter(found.n_sources > 1)
    return rows.join(found.drop("n_sources"), ["platform", "number"]).select("platform", "number", "source")

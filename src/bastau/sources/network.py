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

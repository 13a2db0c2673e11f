"""Who copied whom: one edge from each original to each copy, by kind of evidence.

Every step is a hash join or a grouping on keys and gives at most a fixed number of edges a post and link, so that
cost grows with the number of posts, however popular one of them is.
"""

import ibis

from bastau.sources.relations import Keep, epoch_s, stack

MAX_ORIGINALS = 5
"""Most originals that share the credit of one near-copy by edges; the rest of their credit goes to nobody."""

_EDGE = [
    "narrative_key",
    "from_post",
    "to_post",
    "from_source",
    "to_source",
    "kind",
    "delay_s",
    "credit",
    "both_publishers",
]


def copies(
    posts: ibis.ir.Table, readings: ibis.ir.Table, members: ibis.ir.Table, *, keep: Keep, clock_error_s: int
) -> ibis.ir.Table:
    """Return edges from original to copy, as COPIES, in no order.

    - repost: the copy names the original (``repost_of``).
    - forward: the platform names the source (``forwarded_from``); the original is its latest post of the same
      narrative up to the copy, else its earliest.
    - link: the copy points to the original's own address; not counted again where it is a repost or forward of it.
    - near_copy: the earliest post with the same text, or, for a text's own earliest post, the earliest of the
      narrative. Posts that declare another origin (repost or forward) are left out: the platform's word is better
      than likeness, also when the declared original was not observed.

    Near-copy originals within ``clock_error_s`` of the earliest are not told apart: they are no copies of each other
    and a later copy's credit is split evenly over their sources, of which the first :data:`MAX_ORIGINALS` get edges.
    A source never copies itself. Delays are in whole seconds.

    Args:
        posts, readings, members: as their schemas; one row a post_key in each.
        keep: materialises an intermediate.
    """
    base = keep(_base(posts, readings, members))
    declared = keep(stack(_reposts(base), _forwards(base)))
    links = _links(base, readings).anti_join(declared, ["from_post", "to_post"])
    return stack(declared, links, _near_copies(base, keep, clock_error_s))


def _base(posts: ibis.ir.Table, readings: ibis.ir.Table, members: ibis.ir.Table) -> ibis.ir.Table:
    """Return one slim row a post."""
    return (
        posts.join(readings.select("post_key", "own_url_key"), "post_key")
        .join(members.select("post_key", "narrative_key", "text_key"), "post_key")
        .select(
            "post_key",
            "post_id",
            "source",
            "is_publisher",
            "repost_of",
            "forwarded_from",
            "own_url_key",
            "narrative_key",
            "text_key",
            at=epoch_s(posts.published_at),
        )
    )


def _as_copy(table: ibis.ir.Table, **more: ibis.ir.Column) -> ibis.ir.Table:
    return table.select(
        "narrative_key",
        to_post=table.post_key,
        to_source=table.source,
        to_s=table["at"],
        to_pub=table.is_publisher,
        **more,
    )


def _as_original(table: ibis.ir.Table, **more: ibis.ir.Column) -> ibis.ir.Table:
    return table.select(
        from_post=table.post_key, from_source=table.source, from_s=table["at"], from_pub=table.is_publisher, **more
    )


def _edges(copy: ibis.ir.Table, original: ibis.ir.Table, on: list[str], kind: str) -> ibis.ir.Table:
    """Join copies to originals; ``original`` may bring a ``credit``, else each edge has all of it."""
    edges = copy.join(original, on)
    edges = edges.filter(edges.from_source != edges.to_source)
    return edges.mutate(
        kind=ibis.literal(kind),
        delay_s=(edges.to_s - edges.from_s).cast("float64"),
        credit=edges["credit"] if "credit" in edges.columns else ibis.literal(1.0),
        both_publishers=edges.from_pub & edges.to_pub,
    ).select(_EDGE)


def _reposts(base: ibis.ir.Table) -> ibis.ir.Table:
    copy = base.filter(base.repost_of.notnull())
    named = _as_copy(copy, original_id=copy.repost_of)
    return _edges(named, _as_original(base, original_id=base.post_id), ["original_id"], "repost")


def _forwards(base: ibis.ir.Table) -> ibis.ir.Table:
    """Return forward edges: one window over originals and forwards together instead of a join on unequal times."""
    in_narrative = base.filter(base.narrative_key.notnull())
    copy = in_narrative.filter(in_narrative.forwarded_from.notnull() & in_narrative.repost_of.isnull())
    named = copy.select("narrative_key", source=copy.forwarded_from).distinct()
    original = in_narrative.semi_join(named, ["narrative_key", "source"])
    nothing = ibis.null("int64")
    rows = stack(
        original.select("narrative_key", "source", "at", from_s=original["at"], to_post=nothing),
        copy.select("narrative_key", "at", source=copy.forwarded_from, from_s=nothing, to_post=copy.post_key),
    )
    # a range frame takes in originals of the same second as the copy
    so_far = ibis.window(group_by=["narrative_key", "source"], order_by="at", range=(None, 0))
    ever = ibis.window(group_by=["narrative_key", "source"])
    rows = rows.mutate(chosen_s=ibis.coalesce(rows.from_s.max().over(so_far), rows.from_s.min().over(ever)))
    chosen = rows.filter(rows.to_post.notnull() & rows.chosen_s.notnull())
    chosen = chosen.select("narrative_key", "to_post", from_source="source", from_s="chosen_s")
    first = original.group_by("narrative_key", from_source="source", from_s="at").agg(
        from_post=original.post_key.min(), from_pub=original.is_publisher.max()
    )
    found = chosen.join(first, ["narrative_key", "from_source", "from_s"]).drop("narrative_key")
    return _edges(_as_copy(copy), found, ["to_post"], "forward")


def _links(base: ibis.ir.Table, readings: ibis.ir.Table) -> ibis.ir.Table:
    pointing = readings.filter(readings.url_keys.length() > 0)
    pointing = pointing.select("post_key", url_key=pointing.url_keys.unnest())
    addressed = base.filter(base.own_url_key.notnull())
    # one address may be that of several stored posts (edited, collected twice under two ids): the earliest is meant
    rank = ibis.row_number().over(ibis.window(group_by="own_url_key", order_by=["at", "post_key"]))
    pointed = addressed.semi_join(pointing.select(own_url_key="url_key"), "own_url_key").mutate(rank=rank)
    original = pointed.filter(pointed["rank"] == 0)
    # most links point to nothing stored: join by address first
    pointing = pointing.semi_join(original.select(url_key="own_url_key"), "url_key").join(base, "post_key")
    copy = _as_copy(pointing, url_key=pointing.url_key)
    return _edges(copy, _as_original(original, url_key=original.own_url_key), ["url_key"], "link")


def _near_copies(base: ibis.ir.Table, keep: Keep, clock_error_s: int) -> ibis.ir.Table:
    in_text = base.filter(base.narrative_key.notnull() & base.text_key.notnull())
    firsts = in_text.group_by("narrative_key", "text_key").agg(text_s=in_text["at"].min(), n=in_text.count())
    whole = ibis.window(group_by="narrative_key")
    firsts = firsts.mutate(narrative_s=firsts.text_s.min().over(whole), n_all=firsts.n.sum().over(whole))
    # a narrative of one post has no copies; most texts are of this kind
    firsts = keep(firsts.filter(firsts.n_all > 1).drop("n", "n_all"))
    dated = in_text.join(firsts, ["narrative_key", "text_key"])
    dated = keep(
        dated.mutate(
            starts_text=dated["at"] <= dated.text_s + clock_error_s,
            starts_narrative=dated["at"] <= dated.narrative_s + clock_error_s,
            is_declared=dated.repost_of.notnull() | dated.forwarded_from.notnull(),
        ).select(
            "narrative_key",
            "text_key",
            "post_key",
            "source",
            "is_publisher",
            "at",
            "starts_text",
            "starts_narrative",
            "is_declared",
        )
    )
    undeclared = dated.filter(~dated.is_declared)
    same_text = _split(
        undeclared.filter(~undeclared.starts_text), dated.filter(dated.starts_text), ["narrative_key", "text_key"]
    )
    same_narrative = _split(
        undeclared.filter(undeclared.starts_text & ~undeclared.starts_narrative),
        dated.filter(dated.starts_narrative),
        ["narrative_key"],
    )
    return stack(same_text, same_narrative)


def _split(copy: ibis.ir.Table, original: ibis.ir.Table, within: list[str]) -> ibis.ir.Table:
    """Return near_copy edges from the first post of each original source in ``within``, credit split evenly."""
    rank = ibis.row_number().over(ibis.window(group_by=[*within, "source"], order_by=["at", "post_key"]))
    original = original.mutate(rank=rank)
    original = original.filter(original["rank"] == 0).drop("rank")
    place = ibis.row_number().over(ibis.window(group_by=within, order_by=["at", "post_key"]))
    n_originals = original.count().over(ibis.window(group_by=within))
    original = original.mutate(place=place, credit=1.0 / n_originals.cast("float64"))
    original = original.filter(original.place < MAX_ORIGINALS)
    keys = {name: original[name] for name in within}
    named = _as_copy(copy, **{name: copy[name] for name in within if name != "narrative_key"})
    return _edges(named, _as_original(original, credit=original.credit, **keys), within, "near_copy")

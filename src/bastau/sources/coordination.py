"""Sources that move together: who shares the same objects within seconds of each other, again and again.

Timing says nothing of intent, and sharing the same thing at the same time once says nothing at all. A pair counts
when it repeats over distinct objects and posts, more often than the objects' own bursts explain; only groups
are reported, and of them only publishers are named (SCOPE, rule 2).

Cost. Pairs are found in cells (object, time bucket of one window). A cell with n sharers has n^2 / 2 pairs, so objects
with a cell above :data:`HOT_CELL` sharers are *hot* and taken apart (``_hot_candidates``). Everything else is exact.
See docs/decisions/0006-sources.md for what can and cannot hide there.
"""

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.hashing import hash_strings
from bastau.schemas import CO_SHARES
from bastau.settings import Sources
from bastau.sources.chance import N_SCALES, SLOW, WIDE, chances, count_testable, p_values, scales
from bastau.sources.relations import Keep, epoch_s, stack
from bastau.tables import conform, empty

TRACES = ("repost", "near_copy", "hashtags", "link")
"""Kinds of objects, the most specific first: a post that shares several counts once, under the first."""

NEAR_COPY = TRACES.index("near_copy")

MIN_WORDS = 5
"""Shorter texts (greetings, slogans, a flag) are posted by many at once for good reasons."""

LONG_WORDS = 12
"""Shorter texts are the same object only when word for word the same."""

PRINTERS = ("outlet", "website", "channel", "page")
"""Kinds of sources that print agency texts as a matter of course."""

HOT_CELL = 64
"""Sharers of one object within one window above which it is hot. Each share then meets at most 3 * 64 / 2 others, so a
million shares make at most 10^8 pairs: seconds, streamed."""

N_TESTS = b"n_tests"
"""Key in the metadata of pairs: how many pairs could have been found, for the false-discovery rate."""

ONE_IN = 5
"""Beyond one window the source that is first less often must be it one time in this many."""

MORE_WHEN_SLOW = 2
"""Objects more than ``min_objects`` that a pair needs to count within an hour."""
MIN_MIXED = 3
"""Objects from which on two of two traces do not count instead."""

LOOK_AHEAD = 8
"""Hot shares of one source are joined with this many next ones of it, and sources in one joint cell with as many."""

DAY_S = 86_400
MIN_DAYS = 5
"""Days on which one source shares one object from which on each day counts for itself."""
DAY_MIX = 0x1F123BB5

_MIX = {trace: (i + 1) * 0x1E3779B97F4A7C15 for i, trace in enumerate(TRACES)}


def shares(
    posts: ibis.ir.Table,
    readings: ibis.ir.Table,
    members: ibis.ir.Table,
    wire_copies: ibis.ir.Table | None = None,
) -> ibis.ir.Table:
    """Return who shared what and when, as SHARES, in no order.

    - repost: the post named in ``repost_of``; its key is the smallest post_key among its reposts, as the original may
      not be stored. Nothing else of a repost counts: its text and links came with the same click.
    - near_copy: the narrative, for texts of at least :data:`LONG_WORDS` words; the very text, for those of at least
      :data:`MIN_WORDS`: two people who write down one sentence of a speech write nearly the same.
    - hashtags: the sequence of hashtags.
    - link: each address pointed to, but the post's own.
    - wire: the narrative, in place of near_copy, where a site, channel or page publishes an agency's text
      (``wire_copies``). No evidence; it is counted in the groups.

    Args:
        wire_copies: as WIRE_COPIES; None: no agency is known.
    """
    posts = posts.select("post_key", "source", "repost_of", "platform", "source_kind", shared_at="published_at")
    own = posts.filter(posts.repost_of.isnull()).drop("repost_of")
    columns = ["post_key", "n_words", "text_key", "hashtags_key", "own_url_key", "url_keys"]
    read = own.join(readings.select(columns), "post_key")
    pointing = read.filter(read.url_keys.length() > 0)
    links = pointing.select("source", "shared_at", "post_key", "own_url_key", object_key=pointing.url_keys.unnest())
    links = links.filter((links.object_key != links.own_url_key) | links.own_url_key.isnull())
    tagged = read.filter(read.hashtags_key.notnull())
    worded = read.filter(read.n_words >= MIN_WORDS).join(members.select("post_key", "narrative_key"), "post_key")
    worded = worded.filter(worded.narrative_key.notnull())
    reposts = posts.filter(posts.repost_of.notnull())
    reposted = reposts.group_by("repost_of").agg(object_key=reposts.post_key.min())
    joined = reposts.join(reposted, "repost_of")
    told = [_trace(worded, "near_copy", _told(worded))]
    if wire_copies is not None:
        printed = wire_copies.select("narrative_key")
        # an account that pastes agency texts is no newsroom, and its tool may be one that many accounts share
        prints = worded.filter((worded.platform == "web") | worded.source_kind.isin(PRINTERS).fill_null(False))
        wired = prints.semi_join(printed, "narrative_key")
        rest = worded.anti_join(wired.select("post_key"), "post_key")
        told = [_trace(rest, "near_copy", _told(rest)), _trace(wired, "wire", wired.narrative_key)]
    return stack(
        _trace(links, "link", links.object_key),
        _trace(tagged, "hashtags", tagged.hashtags_key),
        *told,
        _trace(joined, "repost", joined.object_key),
    )


def _told(worded: ibis.ir.Table) -> ibis.ir.Column:
    return (worded.n_words >= LONG_WORDS).ifelse(
        worded.narrative_key, ibis.coalesce(worded.text_key, worded.narrative_key)
    )


def _trace(table: ibis.ir.Table, trace: str, object_key: ibis.ir.Column) -> ibis.ir.Table:
    return table.select(
        "source", trace=ibis.literal(trace), object_key=object_key, shared_at="shared_at", post_key="post_key"
    )


def co_shares(shares: ibis.ir.Table, *, keep: Keep, settings: Sources) -> pa.Table:
    """Return the pairs of sources worth testing, as CO_SHARES, sorted by source_a and source_b.

    A pair is worth testing when it shared at least ``min_objects`` distinct objects within ``window_s``, or two of two
    traces; or within ten windows, now one of them first and now the other. Objects carried by one post count as one occasion: a pair of posts that has text, tags and link in common
    moved together once.

    ``expected`` is the number of those objects that chance would give within the window, ``p_value`` that of so many so
    close in time (:mod:`bastau.sources.chance`). The schema's metadata says under :data:`N_TESTS` among how many tests.

    Args:
        shares: as SHARES.
        keep: materialises an intermediate.
    """
    window_s = settings.window_s
    shares = shares.filter(shares.trace != "wire")
    who = keep(_number(shares))
    slow_s, wide_s = scales(window_s)[:2]
    cells = keep(_cells(shares, who, window_s))
    sharing = keep(_sharing(cells))
    live = keep(_live(cells, sharing))
    # Beyond a window a text alone is no evidence: newsrooms that print it within minutes have it from the same place.
    untold = live.filter(live.trace != NEAR_COPY)
    wide = keep(_widened(untold, WIDE))
    slow = keep(_widened(_of_few(untold, sharing), SLOW))
    wider = [
        _wide_candidates(wide, wide_s, settings.min_objects),
        _wide_candidates(slow, slow_s, settings.min_objects + MORE_WHEN_SLOW),
    ]
    candidates = keep(stack(_candidates(live, keep, settings), *wider).distinct())
    common = keep(_common(candidates, sharing))
    near = keep(_within(common, live, window_s))
    far = keep(stack(near, _within(common, wide, wide_s).anti_join(near, ["a", "b", "object"])))
    within = keep(stack(far, _within(common, slow, slow_s).anti_join(far, ["a", "b", "object"])))
    tested = keep(_tested(within, settings))
    once = keep(_occasions(within))
    # What came along in the same posts says nothing more, for or against: neither an occasion nor a missed one.
    along = within.select("a", "b", "object").distinct().anti_join(once, ["a", "b", "object"])
    shared = common.semi_join(tested, ["a", "b"]).anti_join(along, ["a", "b", "object"])
    shared = shared.left_join(once, ["a", "b", "object"])
    shared = keep(shared.select("a", "b", "object", "is_text", "delay_s"))
    weighed = shared.join(chances(sharing, shared, window_s), "object").drop("object")
    n_sources = who.count().to_pyarrow().as_py()
    table = _weigh(_named(tested, who), weighed.to_pyarrow(), n_sources, window_s)
    n_tests = count_testable(sharing, settings.min_objects) if table.num_rows else 0
    return table.replace_schema_metadata({N_TESTS: str(n_tests)})


def count_tests(shares: ibis.ir.Table, settings: Sources) -> int:
    """Return the number of tests of :func:`co_shares` again, for a table of pairs that lost its metadata."""
    shares = shares.filter(shares.trace != "wire")
    sharing = _sharing(_cells(shares, _number(shares), settings.window_s))
    return count_testable(sharing, settings.min_objects)


def co_share_pairs(shares: pa.Table, window_s: int, *, min_objects: int = 2, threads: int = 2) -> pa.Table:
    """Return (source_a, source_b, n_objects) of pairs that shared at least ``min_objects`` objects within the window.

    For a table in memory, through DuckDB, without a test of significance and without the treatment of hot objects:
    every pair is found, at a cost quadratic in the sharers of an object within one window. Sorted by the sources.

    Args:
        shares: as SHARES.
        window_s: seconds, both ends included.
        min_objects: 1 or more.
    """
    numbers = as_numbers(shares)
    con = ibis.duckdb.connect(threads=threads)
    try:
        cells = con.create_table("shares", numbers)
        at = cells["at"]
        cells = cells.mutate(bucket=at // window_s, first_s=at, last_s=at, trace=ibis.literal(0))
        rows = _pair_rows(cells, window_s)
        pairs = rows.group_by("a", "b").agg(n_objects=rows.object.nunique())
        found = pairs.filter(pairs.n_objects >= min_objects).to_pyarrow()
    finally:
        con.disconnect()
    who = numbers.column("who")
    keys = pc.unique(pa.chunked_array([*found.column("a").chunks, *found.column("b").chunks], pa.int64()))
    is_found = np.flatnonzero(pc.is_in(who, keys).to_numpy(zero_copy_only=False))
    first = pa.array(is_found).take(pc.index_in(keys, who.take(is_found).combine_chunks()))
    name = {end: shares.column("source").take(first.take(pc.index_in(found.column(end), keys))) for end in "ab"}
    is_ordered = pc.less(name["a"], name["b"])
    table = pa.table(
        {
            "source_a": pc.if_else(is_ordered, name["a"], name["b"]),
            "source_b": pc.if_else(is_ordered, name["b"], name["a"]),
            "n_objects": found.column("n_objects"),
        }
    )
    return table.sort_by([("source_a", "ascending"), ("source_b", "ascending")])


def as_numbers(shares: pa.Table) -> pa.Table:
    """Return (who, object, at), all int64, of a table of shares: hashed source, trace and object in one, whole seconds."""
    mix = np.array(list(_MIX.values()))[pc.index_in(shares.column("trace"), pa.array(_MIX)).to_numpy()]
    return pa.table(
        {
            "who": hash_strings(shares.column("source")),
            "object": shares.column("object_key").to_numpy() ^ mix,
            "at": shares.column("shared_at").cast(pa.int64()).to_numpy() // 1_000_000,
        }
    )


def _number(shares: ibis.ir.Table) -> ibis.ir.Table:
    """Number the sources: joins on numbers are several times faster than on names."""
    distinct = shares.select("source").distinct()
    return distinct.mutate(who=ibis.row_number().over(ibis.window(order_by="source")))


def _cells(shares: ibis.ir.Table, who: ibis.ir.Table, window_s: int) -> ibis.ir.Table:
    """Return one row a source, object and time bucket; with its first and last share nothing within it is lost."""
    trace = shares.trace.cases(*((name, i) for i, name in enumerate(TRACES)))
    mix = shares.trace.cases(*_MIX.items())
    slim = shares.select(
        "source", "post_key", trace=trace, object=shares.object_key ^ mix, at=epoch_s(shares.shared_at)
    )
    slim = slim.join(who, "source").drop("source")
    slim = _by_day(slim.mutate(day=slim["at"] // DAY_S))
    slim = slim.mutate(bucket=slim["at"] // window_s)
    return slim.group_by("who", "object", "bucket").agg(
        first_s=slim["at"].min(), last_s=slim["at"].max(), post_key=slim.post_key.min(), trace=slim.trace.min()
    )


def _by_day(slim: ibis.ir.Table) -> ibis.ir.Table:
    """Make of an object that a source shares on many days one object a day, for everybody.

    A group that pushes one address for weeks would else have moved once. Texts stay what they are: a good morning is wished
    every day, and by many in one minute.
    """
    told = slim.filter(slim.trace != NEAR_COPY)
    days = told.group_by("who", "object").agg(n_days=told.day.nunique())
    often = days.filter(days.n_days >= MIN_DAYS).select("object").distinct().mutate(is_often=ibis.literal(1))
    rows = slim.left_join(often, "object").drop("object_right")
    return rows.mutate(object=rows.is_often.notnull().ifelse(rows.object ^ (rows.day * DAY_MIX), rows.object)).drop(
        "is_often", "day"
    )


def _sharing(cells: ibis.ir.Table) -> ibis.ir.Table:
    """Return who ever shared what, objects of one source left out: (who, object, trace, first_s, n_sharers)."""
    once = cells.group_by("who", "object").agg(first_s=cells.first_s.min(), trace=cells.trace.min())
    popular = once.group_by("object").agg(n_sharers=once.count())
    return once.join(popular.filter(popular.n_sharers > 1), "object")


def _live(cells: ibis.ir.Table, sharing: ibis.ir.Table) -> ibis.ir.Table:
    """Keep the cells that can be part of a pair: of sources with two objects or more that somebody else shared too."""
    several = sharing.group_by("who").agg(n=sharing.count())
    return cells.semi_join(sharing.semi_join(several.filter(several.n > 1), "who"), ["who", "object"])


def _candidates(live: ibis.ir.Table, keep: Keep, settings: Sources) -> ibis.ir.Table:
    """Return distinct (a, b), a < b: every pair that may pass the rule over objects that are not hot, and others."""
    size = live.group_by("object", "bucket").agg(n=live.count())
    hot = keep(size.filter(size.n > HOT_CELL).select("object").distinct())
    pairs = _pairs(live.anti_join(hot, "object"), settings.window_s)
    enough = _enough(pairs.n, pairs.trace_min != pairs.trace_max, settings.min_objects)
    if hot.count().to_pyarrow().as_py() == 0:
        return pairs.filter(enough).select("a", "b")
    burning = keep(live.semi_join(hot, "object"))
    touched = burning.select("who").distinct()
    both = pairs.semi_join(touched.select(a="who"), "a").semi_join(touched.select(b="who"), "b").select("a", "b")
    either = [pairs.filter(enough).select("a", "b"), both, _joint_pairs(burning, keep, settings)]
    return stack(*either).distinct()


def _of_few(live: ibis.ir.Table, sharing: ibis.ir.Table) -> ibis.ir.Table:
    """Keep the cells of objects with few sharers in all: who drips pushes something of its own."""
    few = sharing.filter(sharing.n_sharers <= HOT_CELL).select("object").distinct()
    return live.semi_join(few, "object")


def _widened(cells: ibis.ir.Table, factor: int) -> ibis.ir.Table:
    """Return the cells put together to buckets of ``factor`` windows."""
    wide = cells.mutate(bucket=cells.bucket // factor)
    return wide.group_by("who", "object", "bucket").agg(
        first_s=wide.first_s.min(), last_s=wide.last_s.max(), post_key=wide.post_key.min(), trace=wide.trace.min()
    )


def _wide_candidates(wide: ibis.ir.Table, span_s: int, min_objects: int) -> ibis.ir.Table:
    """Return (a, b) of sources that share enough within ``span_s``, over objects without a crowd in that time."""
    size = wide.group_by("object", "bucket").agg(n=wide.count())
    crowded = size.filter(size.n > HOT_CELL).select("object").distinct()
    pairs = _pairs(wide.anti_join(crowded, "object"), span_s)
    # nobody needs two kinds of objects within an hour: articles and their texts spread so
    is_mixed = (pairs.trace_min != pairs.trace_max) & (min_objects <= MIN_MIXED)
    return pairs.filter(_enough(pairs.n, is_mixed, min_objects)).select("a", "b")


def _enough(n: ibis.ir.Column, is_mixed: ibis.ir.Column, min_objects: int) -> ibis.ir.Column:
    return (n >= min_objects) | ((n >= 2) & is_mixed)


def _pair_rows(cells: ibis.ir.Table, window_s: int) -> ibis.ir.Table:
    """Return (a, b, object, trace), a < b, for each two cells of an object within the window: all pairs, quadratic."""
    early = cells.select("object", "bucket", "trace", one="who", last_s="last_s")
    late = cells.select("object", "bucket", other="who", first_s="first_s")
    same = early.join(late, ["object", "bucket"])
    same = same.filter(same.one < same.other)
    after = early.join(late.mutate(bucket=late.bucket - 1), ["object", "bucket"])
    after = after.filter((after.first_s - after.last_s <= window_s) & (after.one != after.other))
    ends = ["one", "other", "object", "trace"]
    rows = stack(same.select(ends), after.select(ends))
    return rows.select("object", "trace", a=ibis.least(rows.one, rows.other), b=ibis.greatest(rows.one, rows.other))


def _pairs(cells: ibis.ir.Table, window_s: int) -> ibis.ir.Table:
    """Return (a, b, n, trace_min, trace_max) of all pairs that co-shared; n counts cells, so objects or more."""
    rows = _pair_rows(cells, window_s)
    return rows.group_by("a", "b").agg(n=rows.count(), trace_min=rows.trace.min(), trace_max=rows.trace.max())


def _common(pairs: ibis.ir.Table, sharing: ibis.ir.Table) -> ibis.ir.Table:
    """Return (a, b, object, is_text) of the objects both shared, at any delay."""
    of_a = sharing.select("object", a="who", is_text=sharing.trace == NEAR_COPY)
    of_b = sharing.select("object", b="who")
    return pairs.select("a", "b").join(of_a, "a").join(of_b, ["b", "object"]).select("a", "b", "object", "is_text")


def _within(common: ibis.ir.Table, cells: ibis.ir.Table, window_s: int) -> ibis.ir.Table:
    """Return the co-shares of the pairs, in this or the next bucket.

    Columns: a, b, object, trace, post_a, post_b, delay_s, lead_s (negative: a was first).
    """
    of_a = cells.select("object", "trace", "bucket", a="who", post_a="post_key", first_a="first_s", last_a="last_s")
    of_b = cells.select("object", near="bucket", b="who", post_b="post_key", first_b="first_s", last_b="last_s")
    rows = common.drop("is_text").join(of_a, ["a", "object"])
    near = stack(*(rows.mutate(near=rows.bucket + step) for step in (-1, 0, 1)))
    rows = near.join(of_b, ["b", "object", "near"])
    rows = rows.filter((rows.first_b - rows.last_a <= window_s) & (rows.first_a - rows.last_b <= window_s))
    # of a source's shares in one bucket only the first and last are known; the true delay is this or less
    delay_s = ibis.least(
        (rows.first_a - rows.first_b).abs(),
        (rows.last_a - rows.last_b).abs(),
        (rows.first_a - rows.last_b).abs(),
        (rows.last_a - rows.first_b).abs(),
    )
    columns = ["a", "b", "object", "trace", "post_a", "post_b"]
    return rows.select(*columns, delay_s=delay_s, lead_s=rows.first_a - rows.first_b)


def _occasions(within: ibis.ir.Table) -> ibis.ir.Table:
    """Return (a, b, object, trace, delay_s, lead_s), one row an object, in which no post of either source stands for two.

    A post that carries several objects stands for the one that the pair met on least often, then the most specific
    trace: else variants of one sentence, one object each day anew, would hide the different links that they carry.
    """
    met = ibis.window(group_by=["a", "b", "object"])
    rows = within.mutate(n_met=within.count().over(met))
    for post in ("post_a", "post_b"):
        best = ibis.window(group_by=["a", "b", post], order_by=["n_met", "trace", "object", "delay_s"])
        rows = rows.mutate(turn=ibis.row_number().over(best))
        rows = rows.filter(rows.turn == 0).drop("turn")
    return rows.group_by("a", "b", "object").agg(
        trace=rows.trace.min(), delay_s=rows.delay_s.min(), lead_s=rows.lead_s.min()
    )


def _tested(within: ibis.ir.Table, settings: Sources) -> ibis.ir.Table:
    """Return (a, b, n_objects, n_traces, n_0 ... n_4) of the pairs worth testing; n_i are occasions at each scale.

    Beyond one window only pairs count of which now one, now the other is first, at least one time in :data:`ONE_IN`: who is always
    minutes behind another copies it, and stands in the copy network.
    """
    objects = within.group_by("a", "b").agg(n_objects=within.object.nunique())
    once = _occasions(within)
    n = {f"n_{i}": (once.delay_s <= tau).ifelse(1, 0).sum() for i, tau in enumerate(scales(settings.window_s))}
    leads = {"n_ahead": (once.lead_s < 0).ifelse(1, 0).sum(), "n_behind": (once.lead_s > 0).ifelse(1, 0).sum()}
    kinds = {
        f"kinds_{i}": (once.delay_s <= tau).ifelse(once.trace, ibis.null(once.trace.type())).nunique()
        for i, tau in enumerate(scales(settings.window_s)[:3])
    }
    leads["n_texts"] = (once.trace == NEAR_COPY).ifelse(1, 0).sum()
    pairs = once.group_by("a", "b").agg(n_traces=once.trace.nunique(), **kinds, **n, **leads)
    is_mutual = ibis.least(pairs.n_ahead, pairs.n_behind) * ONE_IN >= pairs.n_0
    # texts alone, always in one order: who follows within seconds copies, all the same
    pairs = pairs.filter(is_mutual | (pairs.n_texts < pairs.n_0))
    is_mutual = ibis.least(pairs.n_ahead, pairs.n_behind) * ONE_IN >= pairs.n_0
    n_1 = is_mutual.ifelse(pairs.n_1, pairs.n_2)
    pairs = pairs.mutate(
        n_1=n_1,
        kinds_1=is_mutual.ifelse(pairs.kinds_1, pairs.kinds_2),
        is_slow=is_mutual & (pairs.n_0 >= settings.min_objects + MORE_WHEN_SLOW),
    )
    pairs = pairs.mutate(
        n_0=pairs.is_slow.ifelse(pairs.n_0, pairs.n_1), n_traces=pairs.is_slow.ifelse(pairs.n_traces, pairs.kinds_1)
    )
    passing = pairs.filter(pairs.is_slow | _enough(pairs.n_1, pairs.kinds_1 >= 2, settings.min_objects))
    return passing.join(objects, ["a", "b"]).drop(*leads, "is_slow", *kinds)


def _named(pairs: ibis.ir.Table, who: ibis.ir.Table) -> ibis.ir.Table:
    """Add source_a and source_b."""
    return pairs.join(who.select(a="who", source_a="source"), "a").join(who.select(b="who", source_b="source"), "b")


def _weigh(tested: ibis.ir.Table, weighed: pa.Table, n_sources: int, window_s: int) -> pa.Table:
    """Add weight, expected and p_value to the pairs; ``weighed`` has a row for each object that a pair has in common."""
    pairs = tested.to_pyarrow().sort_by([("a", "ascending"), ("b", "ascending")])
    # by every column, so that sums agree to the last digit whichever engine brought the rows
    columns = dict.fromkeys(["a", "b", *weighed.column_names])
    rows = weighed.sort_by([(name, "ascending") for name in columns])
    if pairs.num_rows == 0:
        return empty(CO_SHARES)
    a, b = rows.column("a").to_numpy(), rows.column("b").to_numpy()
    starts = np.flatnonzero(np.append(True, (np.diff(a) != 0) | (np.diff(b) != 0)))
    q = np.stack([rows.column(f"q_{i}").to_numpy() for i in range(N_SCALES)], axis=1)
    occasions = np.stack([pairs.column(f"n_{i}").to_numpy() for i in range(N_SCALES)], axis=1)
    is_close = np.nan_to_num(rows.column("delay_s").to_numpy(), nan=np.inf) <= scales(window_s)[0]
    rarity = np.log(n_sources / rows.column("n_sharers").to_numpy()) * is_close
    weights = {
        "weight": np.add.reduceat(rarity, starts),
        "expected": np.add.reduceat(q[:, 0], starts),
        "p_value": p_values(occasions, np.append(starts, len(a)), q),
    }
    for name, values in weights.items():
        pairs = pairs.append_column(name, pa.array(values))
    return conform(pairs, CO_SHARES).sort_by([("source_a", "ascending"), ("source_b", "ascending")])


def _joint_pairs(cells: ibis.ir.Table, keep: Keep, settings: Sources) -> ibis.ir.Table:
    """Return pairs of sources that share two hot objects in step, found without looking at all pairs in a hot cell.

    The key is made of two hot shares of one source: both objects and both time buckets. Sources with the same key are
    few, however many shared either object; in a key that is crowded all the same, each is joined with the LOOK_AHEAD
    next by the sum of both times, so that a large group is still found as a chain. The buckets are laid twice, half a
    window apart, on either side: delays up to half a window always fall into one key.

    Pairs that meet in one key only are dropped unless the two objects are of two traces: the rule asks for more.
    """
    hot = _of_several(cells.select("who", "object", "trace", at="first_s"))
    ahead = _ahead(hot, ["who"], ["at", "object"], ["object", "trace", "at"])
    ahead = ahead.filter(ahead.object != ahead.object_2)
    flip = ahead.object > ahead.object_2
    joint = keep(
        ahead.select(
            "who",
            o1=flip.ifelse(ahead.object_2, ahead.object),
            o2=flip.ifelse(ahead.object, ahead.object_2),
            t1=flip.ifelse(ahead.at_2, ahead["at"]),
            t2=flip.ifelse(ahead["at"], ahead.at_2),
            is_mixed=(ahead.trace != ahead.trace_2).ifelse(1, 0),
        )
    )
    met = stack(*(_met(joint, settings.window_s, grid) for grid in range(4)))
    pairs = met.group_by("a", "b").agg(
        o1_min=met.o1.min(), o1_max=met.o1.max(), o2_min=met.o2.min(), o2_max=met.o2.max(), is_mixed=met.is_mixed.max()
    )
    several = (pairs.o1_min != pairs.o1_max) | (pairs.o2_min != pairs.o2_max)
    return pairs.filter(several | (pairs.is_mixed == 1) | (settings.min_objects <= 2)).select("a", "b")


def _of_several(hot: ibis.ir.Table) -> ibis.ir.Table:
    """Keep the sources that shared two hot objects or more: in a trending object most shared nothing else hot."""
    count = hot.group_by("who").agg(least=hot.object.min(), most=hot.object.max())
    return hot.semi_join(count.filter(count.least != count.most), "who")


def _met(joint: ibis.ir.Table, window_s: int, grid: int) -> ibis.ir.Table:
    """Return (o1, o2, is_mixed, a, b) of sources near each other in one of the four layouts of buckets."""
    half = window_s // 2
    keyed = joint.mutate(
        b1=(joint.t1 + half * (grid % 2)) // window_s,
        b2=(joint.t2 + half * (grid // 2)) // window_s,
        t=joint.t1 + joint.t2,
    )
    met = _ahead(keyed, ["o1", "o2", "is_mixed", "b1", "b2"], ["t", "who"], ["who", "t1", "t2"])
    # in a crowd only pairs in close step can be more than chance, and the others are too many to keep
    near = ibis.greatest((met.t1 - met.t1_2).abs(), (met.t2 - met.t2_2).abs()) <= window_s // 4
    met = met.filter((met.who != met.who_2) & (near | ~met.is_crowded))
    a, b = ibis.least(met.who, met.who_2), ibis.greatest(met.who, met.who_2)
    return met.select("o1", "o2", "is_mixed", a=a, b=b)


def _ahead(rows: ibis.ir.Table, group: list[str], order: list[str], values: list[str]) -> ibis.ir.Table:
    """Join each row with the LOOK_AHEAD next of its group in ``order``; their values end in ``_2``. Linear.

    ``is_crowded``: at least LOOK_AHEAD more follow.
    """
    window = ibis.window(group_by=group, order_by=order)
    ahead = [{f"{v}_{k}": rows[v].lead(k).over(window) for v in values} for k in range(1, LOOK_AHEAD + 1)]
    wide = rows.mutate(**{name: value for columns in ahead for name, value in columns.items()})
    wide = wide.mutate(is_crowded=wide[f"{values[0]}_{LOOK_AHEAD}"].notnull())
    steps = [
        wide.filter(wide[f"{values[0]}_{k}"].notnull()).select(
            *dict.fromkeys([*group, *values]), "is_crowded", **{f"{v}_2": wide[f"{v}_{k}"] for v in values}
        )
        for k in range(1, LOOK_AHEAD + 1)
    ]
    return stack(*steps)

"""Where a narrative was first seen: an interval, the coverage behind it, and ranked candidates.

"Earliest observed" is all that posts can show. What the posts say of a beginning is gathered here, as relations that
run on every engine; how likely each candidate then is, and how likely that none of them was the beginning, is
weighed in :mod:`bastau.sources.beginnings`. The evidence:

- dates, corrected where they contradict what is known: the clock of a source that is dated before what it repeats again
  and again, or after what repeats it; posts that reach us much later after their date than the others of their source
  (back-dated); Telegram posts dated before two neighbours with lower numbers;
- forwards, reposts and links: who in the narrative and beside it points at whose post, and how much of it points at
  something that was never observed;
- versions of the text: a wording that nobody else has was hardly what the others copied;
- growth: a narrative whose first observed minutes hold many posts was on its way before;
- coverage: hours without any post of the platforms, in which nothing could have been seen.
"""

from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.schemas import CANDIDATE, ORIGINS, TIME, TO_COLLECT
from bastau.settings import Sources
from bastau.sources.beginnings import Evidence, Judgement, judge
from bastau.sources.page_facts import page_facts, points_away
from bastau.sources.relations import Keep, epoch_s, stack
from bastau.tables import conform

MAX_CANDIDATES = 5
MIN_CONFIDENCE = 0.001
EARLY = 16
"""Posts of a narrative, by date, that can be where it began; beside them the three that most others point at."""
MOST_POINTED = 3
UNEXPLAINED_POSTS = 20
SHORT_HOURS = 12
"""The last hours before the first sighting, in which an unseen beginning most often lies."""

_N_ABSTAIN = 6
BACK_DATED_S = 3600
"""A post whose place was looked at without it so long after its date carries a date that was set back."""

REASONS = {
    "only_private": "no publisher is among the posts; private accounts are never named",
    "starts_with_data": "the narrative begins within the lead-in of the first post stored from its platform",
    "low_coverage": "too many hours of the lead-in have no post of the narrative's platforms",
    "origin_unobserved": "the earliest post declares an origin that was not observed",
    "points_outside": "posts of the narrative point at an earlier post that was not observed",
    "unsure": "the evidence is too weak to name anybody",
    "dates_corrected": "the first candidate's date was corrected: it contradicts what is known of its source",
    "private_earlier": "private accounts posted before the first candidate",
    "declared_copy": "the first candidate's post is a repost, forward or reply",
    "points_elsewhere": "the first candidate's post links to another address",
    "rivals": "several publishers posted within the clock error",
    "partial_coverage": "some hours of the lead-in have no post of the narrative's platforms",
}
"""Reason codes in order of precedence; the first six abstain, the others lower the confidence."""


def origins(
    posts: ibis.ir.Table,
    readings: ibis.ir.Table,
    members: ibis.ir.Table,
    narratives: ibis.ir.Table,
    copies: ibis.ir.Table,
    pages: ibis.ir.Table | None = None,
    looks: ibis.ir.Table | None = None,
    sightings: ibis.ir.Table | None = None,
    *,
    keep: Keep,
    settings: Sources,
) -> pa.Table:
    """Return one row a narrative, as ORIGINS, sorted by narrative_key.

    Candidates are publishers by their earliest post in the narrative, at most :data:`MAX_CANDIDATES`; none are given
    where it abstains. ``seen_after`` is the latest post of the first post's platform in an earlier clock hour: the
    interval errs to the wide side. ``coverage`` is the mean over the narrative's platforms.
    """
    evidence = gather(
        posts, readings, members, narratives, copies, pages, looks, sightings, keep=keep, settings=settings
    )
    return _answer(evidence, judge(evidence, settings), settings)


def gather(
    posts: ibis.ir.Table,
    readings: ibis.ir.Table,
    members: ibis.ir.Table,
    narratives: ibis.ir.Table,
    copies: ibis.ir.Table,
    pages: ibis.ir.Table | None = None,
    looks: ibis.ir.Table | None = None,
    sightings: ibis.ir.Table | None = None,
    *,
    keep: Keep,
    settings: Sources,
) -> Evidence:
    """Collect what is known of each narrative's first posts; see :class:`bastau.sources.beginnings.Evidence`.

    Args:
        pages: stored pages, as PAGES; those at the address of an early post say when they were published.
        looks: between which looks at watched places a post appeared, as LOOKS.
        sightings: what places said of early posts, as SIGHTINGS.
    """
    heads = _heads(posts, members, narratives, settings.lead_in_hours, keep).to_pyarrow().sort_by("narrative_key")
    pointing = keep(_pointing(copies, members))
    early = keep(_early(posts, readings, members, pointing, keep))
    totals = _totals(posts, readings, members, pointing, keep)
    lags = _lags(posts, early, keep)
    backward = copies.filter((copies.delay_s < -settings.clock_error_s) & copies.kind.isin(["repost", "link"]))
    backward = backward.group_by("from_source", "to_source").agg(
        n=backward.count(), least_s=backward.delay_s.max(), most_s=backward.delay_s.min()
    )
    order = [("narrative_key", "ascending"), ("at", "ascending"), ("post_key", "ascending")]
    first = early.to_pyarrow().sort_by(order)
    if pages is not None:
        first = _as_pages_say(first, _pages_of(posts, early, pages).to_pyarrow())
    if looks is not None:
        first = _as_looks_say(first, _looks_of(early, looks).to_pyarrow())
        heads = _narrowed(heads, first)
    if sightings is not None:
        first = _as_places_say(first, _sightings_of(early, sightings).to_pyarrow())
    return Evidence(
        heads=heads,
        early=first,
        totals=totals.to_pyarrow().sort_by("narrative_key"),
        lags=lags.to_pyarrow(),
        backward=backward.to_pyarrow(),
        lead_in_s=settings.lead_in_hours * 3600,
        missed=_missed(posts, members, pointing).to_pyarrow(),
    )


def _pointing(copies: ibis.ir.Table, members: ibis.ir.Table) -> ibis.ir.Table:
    """Return who points at whose stored post by repost, forward or link, and in which narrative the original is."""
    declared = copies.filter(copies.kind != "near_copy").select(
        "from_post", "to_post", "kind", to_narrative="narrative_key"
    )
    placed = members.filter(members.narrative_key.notnull()).select(from_post="post_key", narrative_key="narrative_key")
    return declared.join(placed, "from_post").mutate(
        inside=lambda t: (t.to_narrative == t.narrative_key).fill_null(False),
    )


def _early(
    posts: ibis.ir.Table, readings: ibis.ir.Table, members: ibis.ir.Table, pointing: ibis.ir.Table, keep: Keep
) -> ibis.ir.Table:
    """Return the posts of each narrative that can be where it began, with what is known of each."""
    placed = members.filter(members.narrative_key.notnull())
    placed = placed.select("post_key", "narrative_key", text_key=placed.text_key.fill_null(placed.post_key))
    dated = posts.select("post_key", at=epoch_s(posts.published_at)).join(placed, "post_key")
    pointed = pointing.group_by(post_key="from_post").agg(n_pointing=pointing.to_post.nunique())
    dated = dated.left_join(pointed, "post_key").select(
        "post_key", "at", "narrative_key", "text_key", n_pointing=lambda t: t.n_pointing.fill_null(0)
    )
    place = ibis.row_number().over(ibis.window(group_by="narrative_key", order_by=["at", "post_key"]))
    fame = ibis.row_number().over(
        ibis.window(group_by="narrative_key", order_by=[ibis.desc("n_pointing"), "at", "post_key"])
    )
    n_same = ibis.window(group_by=["narrative_key", "text_key"])
    dated = dated.mutate(place=place, fame=fame, n_same_text=dated.post_key.count().over(n_same))
    chosen = keep(dated.filter((dated.place < EARLY) | ((dated.fame < MOST_POINTED) & (dated.n_pointing > 0))))
    out = pointing.group_by(post_key="to_post").agg(
        n_out_inside=pointing.inside.cast("int64").sum(), n_out=pointing.count()
    )
    shown = posts.select(
        "post_key",
        "post_id",
        "platform",
        "source",
        "is_publisher",
        "published_at",
        seen=epoch_s(posts.collected_at),
        declares=posts.repost_of.notnull() | posts.forwarded_from.notnull(),
        replies=posts.reply_to.notnull(),
    )
    # a link to the post's own address points nowhere else
    n_links = readings.url_keys.length() - readings.url_keys.contains(readings.own_url_key).fill_null(False).ifelse(
        1, 0
    )
    points = readings.select("post_key", points_elsewhere=n_links > 0)
    rows = chosen.join(shown, "post_key").join(points, "post_key").left_join(out, "post_key")
    rows = rows.left_join(_numbered(posts, chosen), "post_key")
    return rows.select(
        "narrative_key",
        "post_key",
        "post_id",
        "platform",
        "source",
        "is_publisher",
        "published_at",
        "at",
        "seen",
        "declares",
        "replies",
        "points_elsewhere",
        "n_pointing",
        "n_same_text",
        n_out=rows.n_out.fill_null(0),
        n_out_inside=rows.n_out_inside.fill_null(0),
        not_before=rows.not_before.fill_null(-(1 << 62)),
    )


def _pages_of(posts: ibis.ir.Table, early: ibis.ir.Table, pages: ibis.ir.Table) -> ibis.ir.Table:
    """Return the stored pages at the address of an early post: post_key, url, html."""
    addressed = posts.filter(posts.url.notnull()).select("post_key", "url").semi_join(early, "post_key")
    return addressed.join(pages.filter(pages.html.notnull()).select("url", "html"), "url").select(
        "post_key", "url", "html"
    )


def _as_pages_say(early: pa.Table, pages: pa.Table) -> pa.Table:
    """Return the early posts with what their own pages say: no date before the page's, and a canonical elsewhere is a copy."""
    bound = early.column("not_before").to_numpy().copy()
    declares = early.column("declares").to_numpy(zero_copy_only=False).astype(bool)
    place = {key: i for i, key in enumerate(early.column("post_key").to_pylist())} if pages.num_rows else {}
    for row in pages.to_pylist():
        facts, i = page_facts(row["html"]), place[row["post_key"]]
        if facts.published_at is not None:
            bound[i] = max(bound[i], int(facts.published_at.timestamp()))
        declares[i] |= points_away(facts.canonical, row["url"])
    early = early.set_column(early.schema.get_field_index("not_before"), "not_before", pa.array(bound))
    return early.set_column(early.schema.get_field_index("declares"), "declares", pa.array(declares))


def _looks_of(early: ibis.ir.Table, looks: ibis.ir.Table) -> ibis.ir.Table:
    """Return for early posts the earliest last look without them; null when some place had them at its first look."""
    mine = looks.semi_join(early, "post_key")
    # A place that is asked again after a crash has a later look too: the first one counts.
    first = mine.group_by("post_key", "place").agg(after=epoch_s(mine.looked_after).min(), n=mine.looked_after.count())
    return first.group_by("post_key").agg(after=first.after.min(), is_known=(first.n > 0).all())


def _as_looks_say(early: pa.Table, looks: pa.Table) -> pa.Table:
    """Return the early posts, none dated long before the last look at its place that did not have it.

    A feed lags behind its site by minutes, and dates of articles are those of their first draft; so only what is off by
    more than :data:`BACK_DATED_S` is taken for a date set back. ``looked_after`` is that look, null where nobody looked.
    """
    known = looks.filter(looks.column("is_known"))
    after = np.zeros(early.num_rows, np.int64)
    after[_rows_of(early, known.column("post_key"))] = known.column("after").to_numpy()
    bound = early.column("not_before").to_numpy()
    is_late = after - early.column("at").to_numpy() > BACK_DATED_S
    bound = np.where(is_late, np.maximum(bound, after), bound)
    early = early.set_column(early.schema.get_field_index("not_before"), "not_before", pa.array(bound))
    return early.append_column("looked_after", pa.array(after, mask=after == 0))


def _narrowed(heads: pa.Table, early: pa.Table) -> pa.Table:
    """Return the heads with ``seen_after_s`` at the last look without the first post, where that look came later."""
    looked = early.select(["post_key", "looked_after"]).filter(pc.is_valid(early.column("looked_after")))
    wanted = heads.select(["first_post_key", "seen_after_s", "first_s"])
    beside = wanted.append_column("_row", pa.array(np.arange(heads.num_rows))).join(
        looked, "first_post_key", "post_key", join_type="left outer"
    )
    beside = beside.sort_by("_row")
    look, after, first = (beside.column(name) for name in ("looked_after", "seen_after_s", "first_s"))
    later = pc.if_else(pc.less_equal(look, first), pc.max_element_wise(look, after), after)
    narrowed = pc.if_else(pc.is_valid(look), later, after)
    return heads.set_column(heads.schema.get_field_index("seen_after_s"), "seen_after_s", narrowed)


def _rows_of(early: pa.Table, post_keys: pa.ChunkedArray) -> np.ndarray:
    """Return the rows of early posts; each is in one narrative."""
    held = early.column("post_key").to_numpy()
    order = np.argsort(held)
    return order[np.searchsorted(held[order], post_keys.to_numpy())]


def _sightings_of(early: ibis.ir.Table, sightings: ibis.ir.Table) -> ibis.ir.Table:
    """Return what places said of early posts: post_key, url, kind, said, value."""
    mine = sightings.filter(sightings.kind.isin(["news_date", "page_date", "canonical", "redirect"]))
    mine = mine.select("post_id", "url", "kind", "value", said=epoch_s(mine.said_at))
    return mine.join(early.select("post_id", "post_key").distinct(), "post_id").distinct()


def _as_places_say(early: pa.Table, said: pa.Table) -> pa.Table:
    """Return the early posts, none dated before the earliest date that its page and its news sitemap say.

    One whose address led to another site, or names a page of another site as its own, is a copy.
    """
    bound = early.column("not_before").to_numpy().copy()
    declares = early.column("declares").to_numpy(zero_copy_only=False).astype(bool)
    dated = said.filter(pc.is_valid(said.column("said"))).group_by("post_key").aggregate([("said", "min")])
    rows = _rows_of(early, dated.column("post_key"))
    bound[rows] = np.maximum(bound[rows], dated.column("said_min").to_numpy())
    led = said.filter(pc.is_null(said.column("said"))).select(["post_key", "url", "value"]).to_pylist()
    away = [row["post_key"] for row in led if points_away(row["value"], row["url"])]
    declares[_rows_of(early, pa.chunked_array([pa.array(away, pa.int64())]))] = True
    early = early.set_column(early.schema.get_field_index("not_before"), "not_before", pa.array(bound))
    return early.set_column(early.schema.get_field_index("declares"), "declares", pa.array(declares))


def _numbered(posts: ibis.ir.Table, chosen: ibis.ir.Table) -> ibis.ir.Table:
    """Return for Telegram posts the earlier date of the two posts of the channel with the next lower numbers.

    Numbers of a channel grow with time, so a post dated before both of them carries a false date. One neighbour alone
    may itself be the false one.
    """
    channels = (
        posts.semi_join(chosen, "post_key").filter(lambda t: t.platform == "telegram").select("source").distinct()
    )
    mine = posts.filter(posts.platform == "telegram").semi_join(channels, "source")
    number = mine.post_id.re_extract(r"/([0-9]{1,15})$", 1)
    mine = mine.select("post_key", "source", at=epoch_s(mine.published_at), number=number)
    mine = mine.filter(mine.number != "").mutate(number=lambda t: t.number.cast("int64"))
    order = ibis.window(group_by="source", order_by=["number", "post_key"])
    mine = mine.mutate(one=mine["at"].lag(1).over(order), two=mine["at"].lag(2).over(order))
    late = mine.filter(mine.one.notnull() & mine.two.notnull())
    late = late.mutate(not_before=ibis.least(late.one, late.two))
    return late.filter(late["at"] < late.not_before).select("post_key", "not_before")


def _totals(
    posts: ibis.ir.Table, readings: ibis.ir.Table, members: ibis.ir.Table, pointing: ibis.ir.Table, keep: Keep
) -> ibis.ir.Table:
    """Return for each narrative: posts that point inside it, that declare an unobserved origin, that share one unobserved link."""
    placed = keep(members.filter(members.narrative_key.notnull()).select("post_key", "narrative_key"))
    inside = pointing.filter(pointing.inside)
    found = inside.group_by("narrative_key").agg(n_found=inside.to_post.nunique())
    missed = _missed(posts, members, pointing)
    lost = missed.group_by("narrative_key").agg(n_missed=missed.n.sum())
    linked = readings.filter(readings.url_keys.length() > 0).select(
        "post_key", "own_url_key", url=lambda t: t.url_keys.unnest()
    )
    linked = linked.filter((linked.url != linked.own_url_key).fill_null(True)).join(placed, "post_key")
    known = readings.filter(readings.own_url_key.notnull()).select(url="own_url_key")
    unknown = linked.anti_join(known, "url")
    shared = unknown.group_by("narrative_key", "url").agg(n=unknown.post_key.nunique())
    most = shared.group_by("narrative_key").agg(n_missed_link=shared.n.max())
    whole = placed.group_by("narrative_key").agg(n_posts=placed.count())
    rows = whole.left_join(found, "narrative_key").left_join(lost, "narrative_key").left_join(most, "narrative_key")
    return rows.select(
        "narrative_key",
        "n_posts",
        n_found=rows.n_found.fill_null(0),
        n_missed=rows.n_missed.fill_null(0),
        n_missed_link=rows.n_missed_link.fill_null(0),
    )


def _missed(posts: ibis.ir.Table, members: ibis.ir.Table, pointing: ibis.ir.Table) -> ibis.ir.Table:
    """Return what posts of a narrative declare as their origin and that is not stored, how often, and how early."""
    declaring = posts.filter(posts.repost_of.notnull() | posts.forwarded_from.notnull())
    declaring = declaring.select(
        "post_key",
        "platform",
        named=declaring.repost_of.coalesce(declaring.forwarded_from),
        is_post=declaring.repost_of.notnull(),
        at=epoch_s(declaring.published_at),
    )
    answered = pointing.filter(pointing.kind != "link").select(post_key="to_post")
    lost = declaring.anti_join(answered, "post_key").join(
        members.filter(members.narrative_key.notnull()).select("post_key", "narrative_key"), "post_key"
    )
    return lost.group_by("narrative_key", "platform", "named", "is_post").agg(n=lost.count(), first_s=lost["at"].min())


def _lags(posts: ibis.ir.Table, early: ibis.ir.Table, keep: Keep) -> ibis.ir.Table:
    """Return for each source of an early post: how long after their date its posts reached us.

    ``n_seen`` counts the moments at which any of its posts was collected: a source that came in one file has one.
    ``mean_extra_s`` is the mean over its posts of what their delay exceeds the shortest by, each at most two hours.
    """
    wanted = early.select("source").distinct()
    mine = posts.select("source", seen=epoch_s(posts.collected_at), at=epoch_s(posts.published_at))
    mine = mine.semi_join(wanted, "source")
    mine = keep(mine.mutate(lag=mine.seen - mine["at"]))
    least = mine.group_by("source").agg(n=mine.count(), n_seen=mine.seen.nunique(), least_s=mine.lag.min())
    extra = mine.join(least.select("source", "least_s"), "source")
    extra = extra.mutate(extra=ibis.least(extra.lag - extra.least_s, ibis.literal(7200)))
    total = extra.group_by("source").agg(extra_s=extra.extra.sum())
    rows = least.join(total, "source")
    return rows.select(
        "source", "n", "n_seen", "least_s", mean_extra_s=rows.extra_s.cast("float64") / rows.n.cast("float64")
    )


def _heads(
    posts: ibis.ir.Table, members: ibis.ir.Table, narratives: ibis.ir.Table, lead_in_hours: int, keep: Keep
) -> ibis.ir.Table:
    """Return a row a narrative: its beginning, what was looked at before, whether a declared origin was missed."""
    start = narratives.select(
        "narrative_key",
        "first_post_key",
        "n_publishers",
        "platforms",
        first_s=epoch_s(narratives.first_seen_at),
        hour=epoch_s(narratives.first_seen_at) // 3600,
    )
    looked = keep(_looked(posts, start, lead_in_hours))
    seen_on = start.select("narrative_key", "hour", platform=start.platforms.unnest())
    covered = seen_on.join(looked, ["platform", "hour"])
    coverage = covered.group_by("narrative_key").agg(
        coverage=covered.n_hours.mean() / float(lead_in_hours),
        short_coverage=covered.n_short.mean() / float(SHORT_HOURS),
    )
    first = _unobserved(posts, members, start)
    begun = start.join(first, "first_post_key").join(coverage, "narrative_key")
    return begun.join(looked.drop("n_hours", "n_short"), ["platform", "hour"]).select(
        "narrative_key",
        "first_post_key",
        "n_publishers",
        "platform",
        "first_s",
        "seen_after_s",
        "begins_s",
        "coverage",
        "short_coverage",
        "origin_unobserved",
    )


def _unobserved(posts: ibis.ir.Table, members: ibis.ir.Table, start: ibis.ir.Table) -> ibis.ir.Table:
    """Return for each first post its platform and whether it declares an origin that is not in the narrative."""
    first = posts.join(start.select("narrative_key", post_key="first_post_key"), "post_key")
    reposts = first.filter(first.repost_of.notnull()).select(
        "narrative_key", first_post_key="post_key", named="repost_of"
    )
    forwards = first.filter(first.forwarded_from.notnull() & first.repost_of.isnull()).select(
        "narrative_key", first_post_key="post_key", named="forwarded_from"
    )
    inside = posts.select("post_key", "post_id", "source").join(
        members.select("post_key", at_home="narrative_key"), "post_key"
    )
    # the few named are joined to the many posts, not the other way round: the hash table stays small
    found_reposts = reposts.join(inside, reposts.named == inside.post_id)
    found_forwards = forwards.join(inside, forwards.named == inside.source)
    home = ["narrative_key", "at_home", "first_post_key"]
    found = stack(found_reposts.select(home), found_forwards.select(home))
    found = found.filter(found.narrative_key == found.at_home).select("first_post_key").distinct()
    missed = stack(reposts, forwards).anti_join(found, "first_post_key")
    missed = missed.select("first_post_key", is_missed=ibis.literal(True))
    first = first.select("platform", first_post_key="post_key").left_join(missed, "first_post_key")
    return first.select("platform", "first_post_key", origin_unobserved=first.is_missed.fill_null(False))


def _looked(posts: ibis.ir.Table, start: ibis.ir.Table, lead_in_hours: int) -> ibis.ir.Table:
    """Return for each platform and hour in which a narrative starts: hours with posts in the lead-in, last post before."""
    at = posts.select("platform", at=epoch_s(posts.published_at))
    active = at.group_by("platform", hour=at["at"] // 3600).agg(last_s=at["at"].max(), first_s=at["at"].min(), active=1)
    asked = start.select("hour", platform=start.platforms.unnest()).distinct()
    nothing = ibis.null("int64")
    asked = asked.select("platform", "hour", last_s=nothing, first_s=nothing, active=0)
    slots = stack(active, asked)
    slots = slots.group_by("platform", "hour").agg(
        last_s=slots.last_s.max(), first_s=slots.first_s.min(), active=slots.active.max()
    )
    platform = ibis.window(group_by="platform")
    before = ibis.window(group_by="platform", order_by="hour", range=(None, -1))
    lead_in = ibis.window(group_by="platform", order_by="hour", range=(-lead_in_hours, -1))
    short = ibis.window(group_by="platform", order_by="hour", range=(-SHORT_HOURS, -1))
    return slots.select(
        "platform",
        "hour",
        n_hours=slots.active.sum().over(lead_in).fill_null(0),
        n_short=slots.active.sum().over(short).fill_null(0),
        seen_after_s=slots.last_s.max().over(before),
        begins_s=slots.first_s.min().over(platform),
    )


def _answer(evidence: Evidence, found: Judgement, settings: Sources) -> pa.Table:
    """Put what was judged into words of the schema; ``found`` has a row for each of ``evidence.heads``."""
    heads = evidence.heads
    n = heads.num_rows
    coverage = np.minimum(heads.column("coverage").to_numpy(), 1.0)
    begins = heads.column("first_s").to_numpy() - heads.column("begins_s").to_numpy()
    is_weak = (found.confidence < settings.min_confidence) | is_unexplained(evidence.totals)
    reason = _first_reason(
        n,
        only_private=heads.column("n_publishers").to_numpy() == 0,
        starts_with_data=starts_with_data(begins, evidence.totals.column("n_found").to_numpy(), evidence.lead_in_s)
        | (is_weak & (begins < evidence.lead_in_s)),
        low_coverage=coverage < settings.min_coverage,
        origin_unobserved=is_weak & found.first_is_unobserved,
        points_outside=is_weak & found.points_outside,
        unsure=is_weak,
        dates_corrected=found.dates_corrected,
        private_earlier=found.n_earlier_private > 0,
        declared_copy=found.declares,
        points_elsewhere=found.points_elsewhere,
        rivals=found.n_rivals > 1,
        partial_coverage=coverage < 1.0,
    )
    abstained = (reason >= 0) & (reason < _N_ABSTAIN)
    shown = ~abstained[found.head_of] & (found.confidences >= MIN_CONFIDENCE)
    return conform(
        pa.table(
            {
                "narrative_key": heads.column("narrative_key"),
                "abstained": abstained,
                "reason": pa.array(list(REASONS)).take(pa.array(reason, mask=reason < 0)),
                "seen_after": _time(heads.column("seen_after_s")),
                "seen_by": _time(heads.column("first_s")),
                "coverage": coverage,
                "n_earlier_private": found.n_earlier_private,
                "candidates": _lists(evidence.early, found, shown, n),
                "to_collect": _to_collect(evidence, abstained, reason),
            }
        ),
        ORIGINS,
    )


def is_unexplained(totals: pa.Table) -> np.ndarray:
    """Return which narratives are large and yet nobody in them points at anybody: bool (n,).

    So many copies without a single forward, repost or credit are not met in what the weights were fitted on; on such posts
    (an export that lacks these fields) dates alone would name somebody every time, also where the beginning is missing
    (measured on weibo-rumor-cascades: docs/decisions/0017-benchmark.md).
    """
    n_pointers = totals.column("n_found").to_numpy() + totals.column("n_missed").to_numpy()
    return np.asarray((n_pointers == 0) & (totals.column("n_posts").to_numpy() >= UNEXPLAINED_POSTS))


def starts_with_data(begins_s: np.ndarray, n_found: np.ndarray, lead_in_s: int) -> np.ndarray:
    """Return which narratives may have begun before anything was stored: bool (n,).

    Args:
        begins_s: seconds from the first post stored of the platform to the first of the narrative.
        n_found: posts that point at a post of the narrative; where there are any, the lead-in need not be whole.
        lead_in_s: seconds of the lead-in.
    """
    return np.asarray((begins_s < SHORT_HOURS * 3600) | ((begins_s < lead_in_s) & (n_found == 0)))


def _to_collect(evidence: Evidence, abstained: np.ndarray, reason: np.ndarray) -> pa.Array:
    """Return what would show the beginning: the origins that posts declare, else the hours and platform before the first.

    Only what posts themselves name is listed, most often named first, never a private account.
    """
    heads, missed = evidence.heads, evidence.missed
    wanted: list[list[dict[str, Any]]] = [[] for _ in range(heads.num_rows)]
    place = {key: i for i, key in enumerate(heads.column("narrative_key").to_pylist())}
    order = [("n", "descending"), ("first_s", "ascending"), ("named", "ascending")]
    for row in missed.sort_by(order).to_pylist() if missed.num_rows else []:
        at = place.get(row["narrative_key"])
        if at is None or not abstained[at] or len(wanted[at]) >= MAX_CANDIDATES or _PRIVATE in row["named"]:
            continue
        kind = "post" if row["is_post"] else "source"
        wanted[at].append({"what": kind, "platform": row["platform"], "value": row["named"], "from": None, "to": None})
    first, after = heads.column("first_s").to_pylist(), heads.column("seen_after_s").to_pylist()
    platform = heads.column("platform").to_pylist()
    for i in np.flatnonzero(abstained & (reason > 0)).tolist():
        begin = first[i] - evidence.lead_in_s if after[i] is None else min(after[i], first[i] - 6 * 3600)
        hours = {"from": begin * 1_000_000, "to": first[i] * 1_000_000}
        wanted[i].append({"what": "hours", "platform": platform[i], "value": None, **hours})
    return pa.array(wanted, pa.list_(TO_COLLECT))


_PRIVATE = "p~"


def _first_reason(n: int, **holds: np.ndarray) -> np.ndarray:
    """Return the index in REASONS of the first reason that holds, -1 where none does."""
    reason = np.full(n, -1)
    for i, name in reversed(list(enumerate(REASONS))):
        reason[holds[name]] = i
    return reason


def _lists(early: pa.Table, found: Judgement, shown: np.ndarray, n: int) -> pa.Array:
    """Return the shown candidates of each of ``n`` narratives as one list column, most confident first."""
    rows = np.flatnonzero(shown)
    rows = rows[np.lexsort((found.rows[rows], -found.confidences[rows], found.head_of[rows]))]
    place = np.arange(len(rows)) - np.searchsorted(found.head_of[rows], found.head_of[rows])
    rows = rows[place < MAX_CANDIDATES]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(found.head_of[rows], minlength=n))]).astype(np.int32)
    chosen = early.take(pa.array(found.rows[rows]))
    chosen = chosen.append_column("confidence", pa.array(np.round(found.confidences[rows], 4))).combine_chunks()
    fields = [chosen.column(f.name).combine_chunks().cast(f.type) for f in CANDIDATE]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(fields, fields=list(CANDIDATE)))


def _time(seconds: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.multiply(seconds.cast(pa.int64()), 1_000_000).cast(TIME)

"""Where a narrative was first seen: an interval, the coverage behind it, and ranked candidates.

"Earliest observed" is all that posts can show. How far it may be the beginning is put in one number a candidate:

    confidence_i = CERTAIN * coverage * 1 / (1 + n_earlier_private) * own_i * share_i
    share_i = 2^-(d_i / clock error) / sum over candidates j of 2^-(d_j / clock error)

- ``coverage``: in an hour without any post of the platforms nothing could have been seen; take the chance that an
  unseen beginning lies there as the share of such hours in the lead-in.
- ``n_earlier_private``: each private post dated before the first candidate is as good an origin as all candidates
  together, but is never named; n of them leave 1 / (1 + n).
- ``own_i``: a candidate's post that declares another origin (repost, forward, reply) or points elsewhere says itself
  that it may not be the origin: :data:`DECLARED` and :data:`POINTING`.
- ``share_i``: rivals are dated d_i seconds after the first, less the clock error; within it they share alike, and
  each further clock error halves what is left for the later one.
- :data:`CERTAIN`: posts outside the lake are never excluded.

Each factor lies in (0, 1], so confidences sum to at most CERTAIN and the rest is "somebody not observed". More coverage,
fewer private posts or a longer lead never lower the first candidate's. The figures are chosen, not yet calibrated.
"""

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.schemas import CANDIDATE, ORIGINS, TIME
from bastau.settings import Sources
from bastau.sources.relations import Keep, epoch_s, stack
from bastau.tables import conform

MAX_CANDIDATES = 5
CERTAIN = 0.95
DECLARED = 0.2
POINTING = 0.6
MIN_CONFIDENCE = 0.001
"""Candidates below are left out."""

_REACH = 10
"""Clock errors after the first beyond which a share is below MIN_CONFIDENCE (2^-10)."""

_N_ABSTAIN = 4

REASONS = {
    "only_private": "no publisher is among the posts; private accounts are never named",
    "starts_with_data": "the narrative begins within the lead-in of the first post stored from its platform",
    "low_coverage": "too many hours of the lead-in have no post of the narrative's platforms",
    "origin_unobserved": "the earliest post declares an origin that was not observed",
    "private_earlier": "private accounts posted before the first candidate",
    "declared_copy": "the first candidate's post is a repost, forward or reply",
    "points_elsewhere": "the first candidate's post links to another address",
    "rivals": "several publishers posted within the clock error",
    "partial_coverage": "some hours of the lead-in have no post of the narrative's platforms",
}
"""Reason codes in order of precedence; the first four abstain, the others lower the confidence."""


def origins(
    posts: ibis.ir.Table,
    readings: ibis.ir.Table,
    members: ibis.ir.Table,
    narratives: ibis.ir.Table,
    *,
    keep: Keep,
    settings: Sources,
) -> pa.Table:
    """Return one row a narrative, as ORIGINS, sorted by narrative_key.

    Candidates are publishers by their earliest post in the narrative, at most :data:`MAX_CANDIDATES`; none are given
    where it abstains. ``seen_after`` is the latest post of the first post's platform in an earlier clock hour: the
    interval errs to the wide side. ``coverage`` is the mean over the narrative's platforms.
    """
    heads = _heads(posts, members, narratives, settings.lead_in_hours, keep).to_pyarrow().sort_by("narrative_key")
    ranked = _candidates(
        posts, readings, members, narratives, keep=keep, clock_error_s=settings.clock_error_s
    ).to_pyarrow()
    return _judge(heads, ranked, settings)


def _heads(
    posts: ibis.ir.Table, members: ibis.ir.Table, narratives: ibis.ir.Table, lead_in_hours: int, keep: Keep
) -> ibis.ir.Table:
    """Return a row a narrative: its beginning, what was looked at before, whether a declared origin was missed."""
    start = narratives.select(
        "narrative_key",
        "first_post_key",
        "n_posts",
        "n_publishers",
        "platforms",
        first_s=epoch_s(narratives.first_seen_at),
        hour=epoch_s(narratives.first_seen_at) // 3600,
    )
    looked = keep(_looked(posts, start, lead_in_hours))
    seen_on = start.select("narrative_key", "hour", platform=start.platforms.unnest())
    covered = seen_on.join(looked, ["platform", "hour"])
    coverage = covered.group_by("narrative_key").agg(coverage=covered.n_hours.mean() / float(lead_in_hours))
    first = _unobserved(posts, members, start)
    begun = start.join(first, "first_post_key").join(coverage, "narrative_key")
    return begun.join(looked.drop("n_hours"), ["platform", "hour"]).select(
        "narrative_key",
        "first_post_key",
        "n_posts",
        "n_publishers",
        "first_s",
        "seen_after_s",
        "begins_s",
        "coverage",
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
    return slots.select(
        "platform",
        "hour",
        n_hours=slots.active.sum().over(lead_in).fill_null(0),
        seen_after_s=slots.last_s.max().over(before),
        begins_s=slots.first_s.min().over(platform),
    )


def _candidates(
    posts: ibis.ir.Table,
    readings: ibis.ir.Table,
    members: ibis.ir.Table,
    narratives: ibis.ir.Table,
    *,
    keep: Keep,
    clock_error_s: int,
) -> ibis.ir.Table:
    """Return the publishers' earliest posts within reach of the first, at most MAX_CANDIDATES a narrative."""
    named = narratives.filter(narratives.n_publishers > 0).select("narrative_key")
    dated = posts.select("post_key", "source", "is_publisher", at=epoch_s(posts.published_at)).join(
        members.select("post_key", "narrative_key").semi_join(named, "narrative_key"), "post_key"
    )
    dated = keep(dated)
    published = dated.filter(dated.is_publisher)
    first = keep(published.group_by("narrative_key").agg(lead_s=published["at"].min()))
    private = dated.filter(~dated.is_publisher).join(first, "narrative_key")
    private = private.filter(private["at"] < private.lead_s)
    n_private = private.group_by("narrative_key").agg(n_earlier_private=private.count())
    near = published.join(first, "narrative_key")
    near = near.filter(near["at"] <= near.lead_s + clock_error_s + _REACH * max(clock_error_s, 1))
    turn = ibis.row_number().over(ibis.window(group_by=["narrative_key", "source"], order_by=["at", "post_key"]))
    near = near.mutate(turn=turn)
    near = near.filter(near.turn == 0)
    place = ibis.row_number().over(ibis.window(group_by="narrative_key", order_by=["at", "post_key"]))
    near = near.mutate(place=place)
    near = keep(near.filter(near.place < MAX_CANDIDATES).select("narrative_key", "post_key", "at", "lead_s", "place"))
    shown = posts.select(
        "post_key",
        "post_id",
        "source",
        "published_at",
        is_declared=posts.repost_of.notnull() | posts.forwarded_from.notnull() | posts.reply_to.notnull(),
    )
    # a link to the post's own address points nowhere else
    points = readings.select(
        "post_key",
        points_elsewhere=readings.url_keys.length()
        > readings.url_keys.contains(readings.own_url_key).fill_null(False).ifelse(1, 0),
    )
    ranked = near.join(shown, "post_key").join(points, "post_key").left_join(n_private, "narrative_key")
    return ranked.select(
        "narrative_key",
        "post_id",
        "source",
        "published_at",
        "place",
        "is_declared",
        "points_elsewhere",
        behind_s=ranked["at"] - ranked.lead_s,
        n_earlier_private=ranked.n_earlier_private.fill_null(0),
    )


def _judge(heads: pa.Table, ranked: pa.Table, settings: Sources) -> pa.Table:
    """Weigh the candidates of each head; ``heads`` are sorted by narrative_key."""
    n = heads.num_rows
    keys = heads.column("narrative_key").to_numpy()
    at = np.searchsorted(keys, ranked.column("narrative_key").to_numpy())
    coverage = np.minimum(heads.column("coverage").to_numpy(), 1.0)
    n_private = heads.column("n_posts").to_numpy().copy()
    n_private[at] = ranked.column("n_earlier_private").to_numpy()

    half_life = max(settings.clock_error_s, 1)
    behind = np.maximum(ranked.column("behind_s").to_numpy() - settings.clock_error_s, 0)
    share = np.exp2(-behind / half_life)
    declared = ranked.column("is_declared").to_numpy(zero_copy_only=False)
    pointing = ranked.column("points_elsewhere").to_numpy(zero_copy_only=False)
    own = np.where(declared, DECLARED, np.where(pointing, POINTING, 1.0))
    total = np.bincount(at, share, n)
    confidence = CERTAIN * (coverage / (1.0 + n_private))[at] * own * share / total[at]

    begins = heads.column("first_s").to_numpy() - heads.column("begins_s").to_numpy()
    leads = ranked.column("place").to_numpy() == 0
    n_rivals = np.bincount(at, behind == 0, n)
    reason = _first_reason(
        n,
        only_private=heads.column("n_publishers").to_numpy() == 0,
        starts_with_data=begins < settings.lead_in_hours * 3600,
        low_coverage=coverage < settings.min_coverage,
        origin_unobserved=heads.column("origin_unobserved").to_numpy(zero_copy_only=False),
        private_earlier=n_private > 0,
        declared_copy=np.bincount(at, leads & declared, n) > 0,
        points_elsewhere=np.bincount(at, leads & pointing, n) > 0,
        rivals=n_rivals > 1,
        partial_coverage=coverage < 1.0,
    )
    abstained = (reason >= 0) & (reason < _N_ABSTAIN)
    confidence = np.round(confidence, 4)
    shown = ~abstained[at] & (confidence >= MIN_CONFIDENCE)
    return conform(
        pa.table(
            {
                "narrative_key": heads.column("narrative_key"),
                "abstained": abstained,
                "reason": pa.array(list(REASONS)).take(pa.array(reason, mask=reason < 0)),
                "seen_after": _time(heads.column("seen_after_s")),
                "seen_by": _time(heads.column("first_s")),
                "coverage": coverage,
                "n_earlier_private": n_private,
                "candidates": _lists(ranked.append_column("confidence", pa.array(confidence)), at, shown, n),
            }
        ),
        ORIGINS,
    )


def _first_reason(n: int, **holds: np.ndarray) -> np.ndarray:
    """Return the index in REASONS of the first reason that holds, -1 where none does."""
    reason = np.full(n, -1)
    for i, name in reversed(list(enumerate(REASONS))):
        reason[holds[name]] = i
    return reason


def _lists(ranked: pa.Table, at: np.ndarray, shown: np.ndarray, n: int) -> pa.Array:
    """Return the shown candidates of each of ``n`` narratives as one list column, most confident first."""
    rows = np.flatnonzero(shown)
    confidence = ranked.column("confidence").to_numpy()
    rows = rows[np.lexsort((ranked.column("place").to_numpy()[rows], -confidence[rows], at[rows]))]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(at[rows], minlength=n))]).astype(np.int32)
    chosen = ranked.take(pa.array(rows)).combine_chunks()
    fields = [chosen.column(f.name).combine_chunks().cast(f.type) for f in CANDIDATE]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(fields, fields=list(CANDIDATE)))


def _time(seconds: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.multiply(seconds.cast(pa.int64()), 1_000_000).cast(TIME)

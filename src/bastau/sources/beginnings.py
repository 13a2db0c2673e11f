"""How likely each candidate is where a narrative began, and how likely that none of the observed ones is.

One multinomial logit for each narrative over its candidates c and the outside option "somebody not observed":

    P(c) = exp(w . x_c) / (exp(v . z) + sum over candidates d of exp(w . x_d))

``x_c`` says how a candidate stands among its rivals, ``z`` how much of the narrative seems to lie before the first
observed post; both are listed in :data:`CANDIDATE_SIGNS` and :data:`OUTSIDE_SIGNS` with the sign that each weight must have, so that
more evidence for something never lowers it. The weights are fitted on simulated posts (``firstseen_model.json``; card:
docs/models/origin-model.md). Private accounts are weighed like everybody and never shown: what is
likely theirs goes to nobody.

Reference: McFadden 1974, in Frontiers in Econometrics (conditional logit with an outside option).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.settings import Sources

CANDIDATE_SIGNS = {
    "behind": -1,  # ln(1 + clock errors after the first)
    "place": -1,  # ln(1 + candidates before it)
    "pointing": 1,  # ln(1 + posts that point at it)
    "pointing_share": 1,  # share of the narrative's pointers, missed ones included, that point at it
    "declares": -1,  # its post is a repost or forward
    "replies": -1,
    "points_inside": -1,  # its post points at another post of the narrative
    "points_elsewhere": -1,  # its post links to an address that is no post of the narrative
    "same_text": 1,  # share of the other posts with the same text
    "own_wording": -1,  # nobody else has its text, though three posts or more are there
    "false_date": -1,  # its date was found false
    "clock": -1,  # ln(1 + clock errors by which its source's dates were corrected)
    "lonely_lead": -1,  # first by ln(1 + clock errors), and nobody points at it
    "habit": 1,  # how often it was first, or pointed at, in other narratives that it took part in; publishers only
}
OUTSIDE_SIGNS = {
    "always": 0,
    "missed": 1,  # ln(1 + posts that declare an origin that is not stored)
    "missed_share": 1,  # of all pointers
    "found": -1,  # ln(1 + posts that point at a post of the narrative)
    "missed_link": 1,  # share of posts with one unobserved link, where less than 60 % have it (credit, not promotion)
    "fourth": 1,  # how soon the fourth and eighth post follow: 8 - ln(1 + minutes), at least 0
    "eighth": 1,
    "sudden": 1,  # the second of them, divided by 1 + posts that point inside: growth that nothing observed explains
    "size": 0,  # ln(posts)
    "uncovered": 1,  # share of the lead-in without posts of the platforms
    "uncovered_short": 1,  # the same of its last hours
    "gap": 1,  # ln(1 + hours since anything was seen of the platform)
    "unobserved": 1,  # the first post declares an origin that is not in the narrative
    "untold": 1,  # share of the candidates among the first three that have a wording of their own
    "usual_leader": 1,  # mean over the first five: share of their other narratives led by one source, absent here
    "begins_with_data": 1,  # e to the minus days since the first post stored of its platform
    "scattered": 1,  # pointers that reach no single post: 1 - largest share
}
_LIVE_POSTS = 6
_SLOW_POLL_S = 2700.0
_CLEAR_S = 150.0
"""Seconds from which a delay is more than the noise of looking every few minutes."""
_TYPICAL_SOURCES = 5
"""Sources of a platform from which on their usual delay is known."""
_MIN_LATE_S = 3 * 3600
_LONG_S = 72 * 3600.0


@dataclass(frozen=True)
class Evidence:
    """What :func:`bastau.sources.firstseen.gather` collects; ``heads`` has a row a narrative, sorted by narrative_key.

    Attributes:
        heads: beginning and coverage of each narrative.
        early: its posts that can be the beginning, by narrative_key, at, post_key.
        totals: posts and pointers of each narrative, sorted by narrative_key.
        lags: how each source's posts reach us after their date.
        backward: pairs of sources whose posts are dated before what they point at.
        lead_in_s: seconds of the lead-in.
        missed: what posts declare as their origin and is not stored.
    """

    heads: pa.Table
    early: pa.Table
    totals: pa.Table
    lags: pa.Table
    backward: pa.Table
    lead_in_s: int
    missed: pa.Table


@dataclass(frozen=True)
class Features:
    """Candidates of all narratives, grouped by narrative, earliest corrected date first.

    Attributes:
        x: float64 (n_candidates, len(CANDIDATE_SIGNS)).
        z: float64 (n_narratives, len(OUTSIDE_SIGNS)).
        head_of: int64 (n_candidates,), row of the narrative in ``Evidence.heads``.
        rows: int64 (n_candidates,), row of its earliest post in ``Evidence.early``.
        at: int64 (n_candidates,), its corrected date, epoch seconds.
        corrected: bool (n_candidates,), whether the date was changed by more than the clock error.
    """

    x: np.ndarray
    z: np.ndarray
    head_of: np.ndarray
    rows: np.ndarray
    at: np.ndarray
    corrected: np.ndarray


@dataclass(frozen=True)
class Judgement:
    """Confidences in [0, 1] of nameable candidates, and what is notable about the first one of each narrative.

    ``head_of``, ``rows`` and ``confidences`` have a row a candidate, the rest a row a narrative; ``confidence`` is the
    largest of a narrative's.
    """

    head_of: np.ndarray
    rows: np.ndarray
    confidences: np.ndarray
    confidence: np.ndarray
    n_earlier_private: np.ndarray
    n_rivals: np.ndarray
    declares: np.ndarray
    points_elsewhere: np.ndarray
    dates_corrected: np.ndarray
    first_is_unobserved: np.ndarray
    points_outside: np.ndarray


def judge(evidence: Evidence, settings: Sources) -> Judgement:
    """Weigh all candidates with the shipped weights."""
    features = make_features(evidence, settings.clock_error_s)
    probability = probabilities(features, *_weights())
    n = evidence.heads.num_rows
    public = _bools(evidence.early, "is_publisher")[features.rows]
    shown = np.flatnonzero(public)
    head_of, rows, at = features.head_of[shown], features.rows[shown], features.at[shown]
    confidences = probability[shown]
    best = np.zeros(n)
    np.maximum.at(best, head_of, confidences)
    order = np.lexsort((rows, -confidences, head_of))
    leads, top = np.unique(head_of[order], return_index=True)
    lead = order[top]

    def of_lead(values: np.ndarray) -> np.ndarray:
        out = np.zeros(n, bool)
        out[leads] = values[lead]
        return out

    lead_at = np.full(n, np.iinfo(np.int64).max)
    lead_at[leads] = at[lead]
    private = ~public & (features.at < lead_at[features.head_of])
    near = np.abs(at - lead_at[head_of]) <= settings.clock_error_s
    totals = evidence.totals
    missed, found = totals.column("n_missed").to_numpy(), totals.column("n_found").to_numpy()
    links = features.z[:, list(OUTSIDE_SIGNS).index("missed_link")]
    return Judgement(
        head_of=head_of,
        rows=rows,
        confidences=confidences,
        confidence=best,
        n_earlier_private=np.bincount(features.head_of[private], minlength=n),
        n_rivals=np.bincount(head_of[near], minlength=n),
        declares=of_lead((_bools(evidence.early, "declares") | _bools(evidence.early, "replies"))[rows]),
        points_elsewhere=of_lead(_bools(evidence.early, "points_elsewhere")[rows]),
        dates_corrected=of_lead(features.corrected[shown]),
        first_is_unobserved=_bools(evidence.heads, "origin_unobserved"),
        points_outside=(missed > found) | (links > 0),
    )


def probabilities(features: Features, w: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return P(c) of each candidate, float64 (n_candidates,)."""
    outside = features.z @ v
    utility = features.x @ w
    largest = outside.copy()
    np.maximum.at(largest, features.head_of, utility)
    part = np.exp(utility - largest[features.head_of])
    whole = np.exp(outside - largest) + np.bincount(features.head_of, part, len(outside))
    return np.asarray(part / whole[features.head_of])


@cache
def _weights() -> tuple[np.ndarray, np.ndarray]:
    raw: Mapping[str, Mapping[str, float]] = json.loads(
        files("bastau.sources").joinpath("firstseen_model.json").read_text("utf-8")
    )
    return (
        np.array([raw["candidate"][name] for name in CANDIDATE_SIGNS]),
        np.array([raw["outside"][name] for name in OUTSIDE_SIGNS]),
    )


def make_features(evidence: Evidence, clock_error_s: int) -> Features:
    """Return what the weights are applied to; ``clock_error_s`` is the unit of differences in time."""
    unit = max(clock_error_s, 1)
    early, heads = evidence.early, evidence.heads
    n = heads.num_rows
    head = np.searchsorted(heads.column("narrative_key").to_numpy(), early.column("narrative_key").to_numpy())
    at, shift, is_false = _corrected(evidence, clock_error_s)
    order = np.lexsort((early.column("post_key").to_numpy(), at, head))
    source = _codes(early.column("source"))
    pairs = np.stack([head[order], source[order]], axis=1)
    _, first, owner = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
    pointing_of = np.bincount(owner.ravel(), early.column("n_pointing").to_numpy()[order], len(first))
    again = np.argsort(first)  # back from order of keys to order of time
    rows, pointing = order[first[again]], pointing_of[again]
    head_of, when = head[rows], at[rows]

    starts = np.searchsorted(head_of, np.arange(n))
    place = np.arange(len(rows)) - starts[head_of]
    first_at = when[starts[head_of]]
    following = np.full(len(rows), _LONG_S)
    same = head_of[1:] == head_of[:-1]
    following[:-1][same] = (when[1:] - when[:-1])[same]

    totals = evidence.totals
    n_posts = totals.column("n_posts").to_numpy().astype(np.float64)
    n_found, n_missed = (totals.column(name).to_numpy().astype(np.float64) for name in ("n_found", "n_missed"))
    others = np.maximum(n_posts - 1, 1)[head_of]
    n_same = early.column("n_same_text").to_numpy()[rows]
    links = _bools(early, "points_elsewhere")[rows]
    inside = early.column("n_out_inside").to_numpy()[rows] > 0
    declares = _bools(early, "declares")[rows]
    share = pointing / (pointing + n_found[head_of] + n_missed[head_of] + 1)
    own = (n_same == 1) & (n_posts[head_of] >= 3)
    x = {
        "behind": np.log1p((when - first_at) / unit),
        "place": np.log1p(place),
        "pointing": np.log1p(pointing),
        "pointing_share": share,
        "declares": declares,
        "replies": _bools(early, "replies")[rows],
        "points_inside": inside,
        "points_elsewhere": links & ~inside & ~declares,
        "same_text": (n_same - 1) / others,
        "own_wording": own,
        "false_date": is_false[rows],
        "clock": np.log1p(np.abs(shift[rows]) / unit),
        "habit": _habit(head_of, source[rows], place, pointing, _bools(early, "is_publisher")[rows]),
        "lonely_lead": np.where((place == 0) & (pointing == 0), np.log1p(following / unit), 0.0),
    }

    minutes = _followers(head, at[order], n)
    largest_share = np.zeros(n)
    np.maximum.at(largest_share, head_of, share)
    linked = totals.column("n_missed_link").to_numpy() / n_posts
    after = pc.fill_null(heads.column("seen_after_s"), 0).to_numpy()
    gap = np.where(after > 0, heads.column("first_s").to_numpy() - after, evidence.lead_in_s)
    front = place < 3
    z = {
        "always": np.ones(n),
        "missed": np.log1p(n_missed),
        "missed_share": n_missed / (n_missed + n_found + 1),
        "found": np.log1p(n_found),
        "missed_link": np.where(linked < 0.6, linked, 0.0),
        "fourth": _soon(minutes[:, 3]),
        "eighth": _soon(minutes[:, 7]),
        "sudden": _soon(minutes[:, 7]) / (1 + n_found),
        "size": np.log(n_posts),
        "uncovered": 1 - np.minimum(heads.column("coverage").to_numpy(), 1.0),
        "uncovered_short": 1 - np.minimum(heads.column("short_coverage").to_numpy(), 1.0),
        "gap": np.log1p(np.maximum(gap, 0) / 3600),
        "unobserved": _bools(heads, "origin_unobserved"),
        "untold": np.bincount(head_of[front], own[front], n) / np.maximum(np.bincount(head_of[front], minlength=n), 1),
        "usual_leader": _usual_leader(head_of, source[rows], place, _bools(early, "is_publisher")[rows], n),
        "begins_with_data": np.exp(
            -(heads.column("first_s").to_numpy() - heads.column("begins_s").to_numpy()) / 86_400.0
        ),
        "scattered": 1 - largest_share,
    }
    return Features(
        x=np.stack([np.asarray(x[name], np.float64) for name in CANDIDATE_SIGNS], axis=1),
        z=np.stack([np.asarray(z[name], np.float64) for name in OUTSIDE_SIGNS], axis=1),
        head_of=head_of,
        rows=rows,
        at=when,
        corrected=np.abs(at - early.column("at").to_numpy())[rows] > clock_error_s,
    )


def _habit(
    head_of: np.ndarray, source: np.ndarray, place: np.ndarray, pointing: np.ndarray, is_publisher: np.ndarray
) -> np.ndarray:
    """Return for each candidate the smoothed share of its other narratives in which it was first or pointed at.

    An outlet that prints an agency's stories is never first but where the agency's own post was missed. Private accounts have no
    habits here: all get one half.
    """
    led = ((place == 0) | (pointing > 0)).astype(np.float64)
    n = np.bincount(source)[source] - 1
    won = np.bincount(source, led)[source] - led
    return np.where(is_publisher, (won + 1) / (n + 2), 0.5)


def _usual_leader(
    head_of: np.ndarray, source: np.ndarray, place: np.ndarray, is_publisher: np.ndarray, n: int
) -> np.ndarray:
    """Return for each narrative how much its first five candidates otherwise follow one source that is not in it.

    The customers of an agency print together what the agency published; where its post is missing, it was missed. Only
    publishers count, as followers and as leaders, from three common narratives on.
    """
    starts = np.searchsorted(head_of, np.arange(n))
    leader = source[starts[head_of]]
    counts = is_publisher & is_publisher[starts[head_of]] & (leader != source)
    base = int(source.max(initial=0)) + 1
    pairs, together = np.unique(source[counts] * base + leader[counts], return_counts=True)
    follower = pairs // base
    order = np.lexsort((pairs, together, follower))
    last = np.flatnonzero(np.append(follower[order][1:] != follower[order][:-1], True)) if len(order) else order
    best, times = np.full(base, -1), np.zeros(base)
    best[follower[order][last]] = pairs[order][last] % base
    times[follower[order][last]] = together[order][last]
    here = head_of * base + source
    absent = ~np.isin(head_of * base + best[source], here)
    share = np.where(is_publisher & absent & (times[source] >= 3), times[source] / np.bincount(source)[source], 0.0)
    front = place < 5
    return np.asarray(
        np.bincount(head_of[front], share[front], n) / np.maximum(np.bincount(head_of[front], minlength=n), 1)
    )


def _followers(head: np.ndarray, at_sorted: np.ndarray, n: int) -> np.ndarray:
    """Return minutes from the first to the k-th post of each narrative, k = 0 ... 7; three days where there is none."""
    minutes = np.full((n, 8), _LONG_S / 60)
    sorted_head = np.sort(head)
    starts = np.searchsorted(sorted_head, np.arange(n))
    k = np.arange(len(sorted_head)) - starts[sorted_head]
    few = k < 8
    minutes[sorted_head[few], k[few]] = (at_sorted - at_sorted[starts[sorted_head]])[few] / 60
    return minutes


def _soon(minutes: np.ndarray) -> np.ndarray:
    return np.maximum(8 - np.log1p(np.maximum(minutes, 0)), 0)


def _corrected(evidence: Evidence, clock_error_s: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the corrected date of each early post, what its source's clock was corrected by, whether it was false.

    A post that reached us much later after its date than all others of its source carries an older date than the day it
    appeared; so does a Telegram post dated before the two with lower numbers.
    """
    early, lags = evidence.early, evidence.lags
    at, seen = early.column("at").to_numpy(), early.column("seen").to_numpy()
    of = pc.index_in(early.column("source"), lags.column("source").combine_chunks()).to_numpy()
    platform = np.zeros(lags.num_rows, np.int64)
    platform[of] = _codes(early.column("platform"))
    shift = clock_shifts(lags, evidence.backward, platform)[of]
    n, least, extra = (lags.column(name).to_numpy()[of] for name in ("n", "least_s", "mean_extra_s"))
    live = _is_live(n, lags.column("n_seen").to_numpy()[of], extra)
    late = live & (seen - at - least > np.maximum(_MIN_LATE_S, 8 * extra))
    date = np.where(late, seen - least - extra.astype(np.int64), at + shift)
    bound = early.column("not_before").to_numpy()
    false = late | (bound > at + clock_error_s)
    return np.maximum(date, bound), shift, false


def _is_live(n: np.ndarray, n_seen: np.ndarray, extra: np.ndarray) -> np.ndarray:
    """Return whether a source was looked at again and again: only then do delays say anything of dates."""
    return np.asarray((n >= _LIVE_POSTS) & (2 * n_seen >= n) & (extra <= _SLOW_POLL_S * 1.5))


def clock_shifts(lags: pa.Table, backward: pa.Table, platform: np.ndarray) -> np.ndarray:
    """Return for each row of ``lags`` the seconds to add to the dates of its source, int64.

    ``platform`` (int64, a row of ``lags`` each) says which sources are compared: a collector that is slow with a whole
    platform, or a platform that shows posts late, is no error of its sources' clocks.

    By delays, where a source was looked at again and again: with n posts and delays between a shortest one and that plus
    twice the mean excess, the shortest lies two mean excesses over n + 1 above the error of the clock. Else by pairs: a
    source that is dated before what it points at, with two or more partners, by the second largest of these errors, or
    after what points at it. A pair is blamed on the side with more partners.
    """
    n, n_seen = lags.column("n").to_numpy(), lags.column("n_seen").to_numpy()
    least, extra = lags.column("least_s").to_numpy(), lags.column("mean_extra_s").to_numpy()
    error = least - 2 * extra / (n + 1)
    live = _is_live(n, n_seen, extra)
    for code in np.unique(platform):
        mine = live & (platform == code)
        if mine.sum() >= _TYPICAL_SOURCES:
            usual = float(np.median(error[mine]))
            error[platform == code] -= usual if usual > _CLEAR_S else 0.0
        else:
            error[(platform == code) & (error > 0)] = 0.0
    surely = np.where(error > 0, error > np.maximum(_CLEAR_S, 6 * extra / (n + 1)), least < -30)
    by_delay = np.where(live & surely, error, 0.0)
    by_pairs = _pair_shifts(backward)
    shift = np.array([by_pairs.get(name, 0.0) for name in lags.column("source").to_pylist()]) if by_pairs else 0.0
    return np.asarray(np.where(by_delay != 0, by_delay, shift)).astype(np.int64)


def _pair_shifts(backward: pa.Table) -> dict[str, float]:
    rows = backward.to_pylist()
    partners: dict[tuple[str, str], int] = {}
    for row in rows:
        for side in ("from_source", "to_source"):
            partners[side, row[side]] = partners.get((side, row[side]), 0) + 1
    errors: dict[str, list[float]] = {}
    for row in rows:
        copies, original = row["to_source"], row["from_source"]
        if partners["to_source", copies] >= partners["from_source", original]:
            errors.setdefault(copies, []).append(-row["most_s"])
        else:
            errors.setdefault(original, []).append(row["most_s"])
    return {name: sorted(found, key=abs)[-2] for name, found in errors.items() if len(found) > 1}


def _bools(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False)).astype(bool)


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.combine_chunks().dictionary_encode().indices.to_numpy())

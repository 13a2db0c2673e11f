"""When to visit a source again: pure functions of what was seen of it."""

import math
import random

from bastau.collect.visits import Trouble

FEWEST_S = 60.0
"""A source is not visited more often, whatever its rate; places may ask for longer."""
WANTED_POSTS = 4.0
"""Aim of a visit: so many new posts. A feed shows ten or more, so bursts of twice the rate do not overrun it."""
MARGIN = 0.8
"""Share of the bound of staleness that an interval may take; the rest is for waiting one's turn."""
_MEMORY_DAYS = 1.0
"""Rates forget with this time constant: news has a rhythm of days."""
MOST_BACKOFF_S = 6 * 3600.0
SELDOM_S = 86_400.0
"""A source that failed for a month is asked once a day."""
_MONTH_S = 30 * 86_400.0
_LASTING = frozenset(
    {
        Trouble.GONE,
        Trouble.FORBIDDEN,
        Trouble.ROBOTS,
        Trouble.NEEDS_KEY,
        Trouble.CHANGED,
        Trouble.TOO_LARGE,
        Trouble.TOO_MANY_REDIRECTS,
        Trouble.BAD_ADDRESS,
        Trouble.PRIVATE,
    }
)
"""Troubles that do not pass in a minute: the next try is no sooner than a usual visit."""
_NO_FAULT = frozenset({Trouble.RESTING, Trouble.LIMITED})
"""Troubles of ours or of the moment: they say nothing of the source's life."""


def rate_after(before: float | None, n_new: int, elapsed_s: float) -> float:
    """Return the rate in posts a day after ``n_new`` posts in ``elapsed_s``, an exponentially weighted mean.

    Reference: Cho and Garcia-Molina 2003, ACM TOIT 3(3), section 4 (estimating change from looks at uneven times); the weight
    of the time since the last look is ``1 - exp(-elapsed / memory)``.
    """
    days = max(elapsed_s, 1.0) / 86_400.0
    seen = n_new / days
    if before is None:
        return seen
    weight = 1.0 - math.exp(-days / _MEMORY_DAYS)
    return before + weight * (seen - before)


def interval_s(posts_a_day: float | None, max_staleness_s: float, asked_s: float | None, priority: int) -> float:
    """Return seconds until the next visit of a healthy source.

    Args:
        posts_a_day: estimated rate; None: nothing known.
        max_staleness_s: no healthy source goes unvisited for longer.
        asked_s: what the place asks for (ttl, Cache-Control); kept up to the bound of staleness.
        priority: each step halves (or, below zero, doubles) the interval, within the bounds.
    """
    longest = max(FEWEST_S, max_staleness_s * MARGIN)
    wanted = longest if not posts_a_day else WANTED_POSTS * 86_400.0 / posts_a_day
    wanted *= 0.5**priority
    if asked_s is not None:
        wanted = max(wanted, asked_s)
    return min(max(wanted, FEWEST_S), longest)


def backoff_s(
    trouble: Trouble, n_failures: int, failing_s: float, usual_s: float, asked_s: float | None, rng: random.Random
) -> float:
    """Return seconds until the next try after a failure.

    The first failures are tried again soon, since most pass; then ever more seldom, with jitter (half to all of the
    time), so that sources that failed together do not come back together.

    Args:
        n_failures: failures in a row, this one included.
        failing_s: seconds since the last success.
        usual_s: interval of the source when it is well.
        asked_s: Retry-After, or the rest that the fetcher keeps; never undercut.

    Reference: "Exponential Backoff And Jitter", AWS Architecture Blog 2015 (equal jitter).
    """
    if trouble in _NO_FAULT and asked_s is not None:
        return asked_s + rng.uniform(0.0, min(5.0, 0.1 * asked_s) + 0.5)
    most = SELDOM_S if failing_s > _MONTH_S or trouble is Trouble.GONE else MOST_BACKOFF_S
    start = usual_s if trouble in _LASTING else FEWEST_S
    grown = min(start * 2.0 ** min(n_failures - 1, 20), most)
    return max(grown * rng.uniform(0.5, 1.0), asked_s or 0.0)

"""How long somebody has had violent content on the screen, for a break in time.

Kept in the session alone, so that it ends with it: it protects who reviews, and measures nobody.
"""

from datetime import datetime
from typing import Any

from django.http import HttpRequest

from bastau.settings import Review

_KEY = "exposure"
_MOST_AT_ONCE_S = 600.0
"""Whoever leaves a page open and goes away is not looking."""


def uncover(request: HttpRequest, case: str, now: datetime) -> None:
    """Note that the content of a case is on the screen from now on."""
    request.session[_KEY] = _counted(request, now) | {"case": case, "at": now.timestamp()}


def cover(request: HttpRequest, now: datetime) -> None:
    """Note that it no longer is."""
    request.session[_KEY] = _counted(request, now)


def is_uncovered(request: HttpRequest, case: str) -> bool:
    """Tell whether somebody asked to see the content of this case, and no other since."""
    shown: str | None = _kept(request).get("case")
    return shown == case


def is_break_due(request: HttpRequest, settings: Review, now: datetime) -> bool:
    """Tell whether it is time to look at something else for a while."""
    gone_s: float = _counted(request, now)["since_break_s"]
    return 0 < settings.break_after_minutes * 60 <= gone_s


def is_day_over(request: HttpRequest, settings: Review, now: datetime) -> bool:
    """Tell whether it was enough for today (UTC)."""
    gone_s: float = _counted(request, now)["today_s"]
    return 0 < settings.most_minutes_a_day * 60 <= gone_s


def minutes(request: HttpRequest, now: datetime) -> int:
    """Return the minutes since the last break."""
    return int(_counted(request, now)["since_break_s"] // 60)


def take_break(request: HttpRequest, now: datetime) -> None:
    """Begin anew."""
    request.session[_KEY] = _counted(request, now) | {"since_break_s": 0.0}


def _kept(request: HttpRequest) -> dict[str, Any]:
    kept: dict[str, Any] = request.session.get(_KEY, {})
    return kept


def _counted(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Return the sums up to now, with nothing on the screen."""
    kept = _kept(request)
    gone_s = min(max(now.timestamp() - kept["at"], 0.0), _MOST_AT_ONCE_S) if "at" in kept else 0.0
    day = now.date().isoformat()
    before_s = kept.get("today_s", 0.0) if kept.get("day") == day else 0.0
    return {"day": day, "today_s": before_s + gone_s, "since_break_s": kept.get("since_break_s", 0.0) + gone_s}

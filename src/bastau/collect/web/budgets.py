"""What servers say of their limits: Retry-After, and the headers of rate limits in all their dialects."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_EPOCH = 1_000_000_000.0
"""Numbers beyond are times, below they are seconds."""
_PART = re.compile(r"\b(r|t|remaining|reset)\s*=\s*(\d+(?:\.\d+)?)")

Headers = Sequence[tuple[str, str]]


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return the seconds that ``Retry-After`` asks for (RFC 9110, 10.2.3): a number or a date; None for nonsense."""
    if not value:
        return None
    value = value.strip()
    number = _number(value)
    if number is not None:
        return max(number - now.timestamp() if number > _EPOCH else number, 0.0)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - now).total_seconds(), 0.0)


def rate_limit(headers: Headers, now: datetime) -> tuple[float, float] | None:
    """Return (requests left, seconds until there are more), if an answer says both.

    Read are ``X-RateLimit-Remaining`` and ``-Reset`` (seconds, epoch or RFC 3339), ``RateLimit-Remaining`` and ``-Reset``, and
    ``RateLimit`` of the IETF's drafts (draft-ietf-httpapi-ratelimit-headers): ``limit=10, remaining=1, reset=7`` and ``"name";r=1;t=7``.
    """
    left: float | None = None
    reset_s: float | None = None
    for name, value in headers:
        if "ratelimit" not in name and "rate-limit" not in name:
            continue
        if name in ("x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining"):
            left = _number(value)
        elif name in ("x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset"):
            reset_s = _until(value, now)
        elif name == "ratelimit":
            for found in _PART.finditer(value.lower()):
                if found[1] in ("r", "remaining"):
                    left = float(found[2]) if left is None else min(left, float(found[2]))
                else:
                    reset_s = float(found[2])
    if left is None or reset_s is None:
        return None
    return left, reset_s


def _until(value: str, now: datetime) -> float | None:
    number = _number(value)
    if number is not None:
        if number > _EPOCH * 1000:
            number /= 1000
        return max(number - now.timestamp() if number > _EPOCH else number, 0.0)
    try:
        when = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return max((when - now).total_seconds(), 0.0) if when.tzinfo else None


def _number(value: str) -> float | None:
    text = value.split(",", maxsplit=1)[0].strip()[:32]
    return float(text) if re.fullmatch(r"\d+(?:\.\d+)?", text) else None

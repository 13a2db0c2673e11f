"""What servers say of their limits, in all dialects."""

from datetime import UTC, datetime

import pytest

from bastau.collect.web.budgets import rate_limit, retry_after_s

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("Sat, 28 Nov 2026 12:02:00 GMT", 120.0),
        ("Saturday, 28-Nov-26 12:02:00 GMT", 120.0),
        ("Sat, 28 Nov 2026 11:00:00 GMT", 0.0),
        (str(EPOCH + 60), 60.0),  # a time where seconds should be: seen in the wild
        ("", None),
        (None, None),
        ("soon", None),
        ("-5", None),
        ("Sat, 99 Nov 2026 99:00:00 GMT", None),
        ("9" * 400, None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    found = retry_after_s(value, NOW)
    if value == "9" * 400:
        assert found is None or found > 1e9
    else:
        assert found == seconds


@pytest.mark.parametrize(
    ("headers", "budget"),
    [
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, (0, 30)),
        ({"x-ratelimit-remaining": "7.0", "x-ratelimit-reset": str(EPOCH + 60)}, (7, 60)),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str((EPOCH + 60) * 1000)}, (7, 60)),
        ({"x-ratelimit-remaining": "299", "x-ratelimit-reset": "2026-11-28T12:05:00.000Z"}, (299, 300)),
        ({"x-rate-limit-remaining": "1", "x-rate-limit-reset": str(EPOCH + 1)}, (1, 1)),
        ({"ratelimit-limit": "10", "ratelimit-remaining": "3", "ratelimit-reset": "5"}, (3, 5)),
        ({"ratelimit": "limit=100, remaining=50, reset=20"}, (50, 20)),
        ({"ratelimit": '"default";r=2;t=9', "ratelimit-policy": '"default";q=100;w=60'}, (2, 9)),
        ({"x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-remaining": "many", "x-ratelimit-reset": "later"}, None),
        ({"x-ratelimit-remaining": "5", "x-ratelimit-reset": str(EPOCH - 60)}, (5, 0)),
        ({"server": "nginx"}, None),
    ],
)
def test_rate_limits(headers: dict[str, str], budget: tuple[float, float] | None) -> None:
    assert rate_limit(list(headers.items()), NOW) == budget

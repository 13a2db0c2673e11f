"""The time as the pages see it, which a test moves on."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Clock:
    """Stands at noon until it is moved; in place of `django.utils.timezone.now`."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at

    def later(self, **much: float) -> None:
        self.at += timedelta(**much)

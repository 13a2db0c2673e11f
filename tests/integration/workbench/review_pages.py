"""What tests of the pages of review share: a time that stands, the words of a page, what the log says."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

from bastau.review.log import Book
from bastau_web.workbench import acting

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Clock:
    """Stands at noon until it is moved; in place of `django.utils.timezone.now`."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at

    def later(self, **much: float) -> None:
        self.at += timedelta(**much)


def words(answer: Any) -> str:
    """What a page says, without its markup."""
    return unescape(re.sub(r"<[^>]*>", " ", answer.content.decode()))


def book() -> Book:
    """What the log of review says now."""
    return acting.the_desk().book()

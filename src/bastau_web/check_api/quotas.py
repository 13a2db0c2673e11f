"""How many look-ups a key has left: a bucket a minute in memory, days in the database.

Each process has its own buckets. Every second it adds what it let through to the day in the database and reads the sum, so that what others
let through leaves its bucket too: several processes together may let through what all but one do in a second. A process that is killed
forgets at most its last second.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import DatabaseError

from bastau_web.check_api.keys import Holder
from bastau_web.check_api.models import DayUse

_MINUTE_S = 60.0


@dataclass(frozen=True)
class Left:
    """What is left in the window that ends the allowance first: ``remaining`` of ``limit``, whole again after ``reset_s``."""

    limit: int
    remaining: int
    reset_s: int
    policy: str

    def headers(self) -> dict[str, str]:
        """Return the headers that say so."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
            "RateLimit-Policy": self.policy,
        }


class TooMany(Exception):
    """More look-ups than are left; ``retry_after_s``: when there are enough again."""

    def __init__(self, left: Left, retry_after_s: int):
        super().__init__("more look-ups than this key has left")
        self.left = left
        self.retry_after_s = retry_after_s


class TooLarge(Exception):
    """One request asks for more than the key ever has at once."""


@dataclass
class _Bucket:
    tokens: float
    at: float
    day: date
    spent: int
    """On ``day``, by all processes as far as is known."""
    written: int
    """Of these, what the database has as far as is known."""


class Meter:
    """Counts look-ups. ``clock``: seconds that only grow; ``now``: UTC."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ):
        self._clock, self._now = clock, now
        self._lock = threading.Lock()
        self._buckets: dict[int, _Bucket] = {}
        self._unwritten: dict[tuple[int, date], int] = {}

    def spend(self, holder: Holder, n: int, already: int = 0) -> Left:
        """Take ``n`` look-ups off and say what is left; ``already``: those that the same request took before.

        Raises:
            TooLarge: the key never has as many at once.
            TooMany: it has fewer left now.
        """
        if n + already > min(holder.per_minute, holder.per_day):
            raise TooLarge
        today = self._now().date()
        known = self._buckets.get(holder.key_id)
        is_known = known is not None and known.day == today and self._clock() - known.at < _MINUTE_S
        stored = None if is_known else _stored(holder.key_id, today)
        with self._lock:
            bucket = self._bucket(holder, today, stored)
            left_today = holder.per_day - bucket.spent
            if n > left_today:
                raise TooMany(self._left(holder, bucket), _until_midnight_s(self._now()))
            if n > bucket.tokens:
                waits_s = (n - bucket.tokens) * _MINUTE_S / holder.per_minute
                raise TooMany(self._left(holder, bucket), math.ceil(waits_s))
            bucket.tokens -= n
            bucket.spent += n
            self._unwritten[holder.key_id, today] = self._unwritten.get((holder.key_id, today), 0) + n
            return self._left(holder, bucket)

    def _bucket(self, holder: Holder, today: date, stored: int | None) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(holder.key_id)
        if bucket is None:
            bucket = self._buckets[holder.key_id] = _Bucket(float(holder.per_minute), now, today, 0, 0)
        if stored is not None:
            # What others did over a minute ago is of the day, and no longer of the minute.
            mine = self._unwritten.get((holder.key_id, today), 0)
            bucket.day, bucket.spent, bucket.written = today, stored + mine, stored
        gained = (now - bucket.at) * holder.per_minute / _MINUTE_S
        bucket.tokens, bucket.at = min(float(holder.per_minute), bucket.tokens + gained), now
        return bucket

    def _left(self, holder: Holder, bucket: _Bucket) -> Left:
        policy = f"{holder.per_minute};w=60, {holder.per_day};w=86400"
        today = max(0, holder.per_day - bucket.spent)
        minute = max(0, int(bucket.tokens))
        if today < minute:
            return Left(holder.per_day, today, _until_midnight_s(self._now()), policy)
        whole_again_s = math.ceil((holder.per_minute - bucket.tokens) * _MINUTE_S / holder.per_minute)
        return Left(holder.per_minute, minute, max(0, whole_again_s), policy)

    def write(self) -> None:
        """Add what was let through to the database, and learn what other processes let through.

        Raises:
            DatabaseError: what could not be written is kept for the next time.
        """
        with self._lock:
            unwritten, self._unwritten = self._unwritten, {}
        try:
            for key_id, day in list(unwritten):
                DayUse.add(key_id, day, unwritten[key_id, day])
                mine = unwritten.pop((key_id, day))
                bucket = self._buckets.get(key_id)
                if bucket is None or bucket.day != day:
                    continue
                with self._lock:
                    bucket.written += mine
                total = _stored(key_id, day)
                with self._lock:
                    others = total - bucket.written
                    bucket.tokens -= others
                    bucket.spent += others
                    bucket.written = total
        except DatabaseError:
            with self._lock:
                for which, n in unwritten.items():
                    self._unwritten[which] = self._unwritten.get(which, 0) + n
            raise


def _stored(key_id: int, day: date) -> int:
    return DayUse.objects.filter(key_id=key_id, day=day).values_list("n", flat=True).first() or 0


def _until_midnight_s(now: datetime) -> int:
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    return math.ceil((midnight - now).total_seconds())


METER = Meter()
"""The one of this process."""

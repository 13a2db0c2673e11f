"""Keys: made once, known by a keyed hash, looked up in memory for two seconds."""

import secrets
import threading
import time
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from bastau_web.check_api.models import ApiKey
from bastau_web.workbench.models import Account

PREFIX = "bastau_"
"""Lets scanners of source code recognise a key that was published by accident."""
REMEMBERED_S = 2.0
"""For so long another process may still let a key in that was revoked."""
_MOST_REMEMBERED = 1000
_lock = threading.Lock()
_remembered: dict[str, tuple[float, "Holder"]] = {}


@dataclass(frozen=True)
class Holder:
    """A key that was let in, and its limits (look-ups)."""

    key_id: int
    per_minute: int
    per_day: int
    expires_at: datetime | None


def keyed_hash(what: str, value: str | bytes) -> str:
    """Return a hash that says nothing without the key of the workbench; ``what`` keeps kinds of value apart."""
    return salted_hmac(f"check-api {what}", value, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()


def make_key(
    name: str, per_minute: int, per_day: int, expires_at: datetime | None, made_by: Account | None
) -> tuple[ApiKey, str]:
    """Make a key; return its row and the key itself, which can never be shown again."""
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(name=name, per_minute=per_minute, per_day=per_day, expires_at=expires_at, made_by=made_by)
    row.token_hash, row.beginning = keyed_hash("key", token), token[: len(PREFIX) + 4]
    row.full_clean()
    row.save()
    return row, token


def revoke(row: ApiKey) -> None:
    """Let a key in no more: in this process at once, in others after :data:`REMEMBERED_S`."""
    if row.revoked_at is None:
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
    with _lock:
        _remembered.clear()


def holder_of(token: str) -> Holder | None:
    """Return whose key this is, None if it opens nothing."""
    hashed, now = keyed_hash("key", token), timezone.now()
    with _lock:
        at, seen = _remembered.get(hashed, (0.0, None))
        age_s = time.monotonic() - at
        is_fresh = age_s < REMEMBERED_S
        if seen is not None and REMEMBERED_S <= age_s < 2 * REMEMBERED_S:
            # One looks again, while the others go on with what is known: not all of them at the same moment.
            _remembered[hashed] = time.monotonic(), seen
    if seen is not None and is_fresh:
        return seen if seen.expires_at is None or now < seen.expires_at else None
    row = ApiKey.objects.filter(token_hash=hashed).first()
    found = None
    if row is not None and row.is_usable(now):
        found = Holder(row.pk, row.per_minute, row.per_day, row.expires_at)
    with _lock:
        if found is None:
            _remembered.pop(hashed, None)
            return None
        if len(_remembered) >= _MOST_REMEMBERED:
            _remembered.clear()
        _remembered[hashed] = time.monotonic(), found
    return found

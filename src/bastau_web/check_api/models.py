"""Keys of the check API, how much they asked, and webhooks. Never what was asked."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from bastau_web.workbench.models import Account


class ApiKey(models.Model):
    """A key of a program.

    Attributes:
        token_hash: keyed hash of the key; the key itself is shown once and kept nowhere.
        beginning: its first characters, by which its holder tells it from others.
        per_minute, per_day: look-ups.
    """

    name = models.CharField(max_length=80)
    token_hash = models.CharField(max_length=64, unique=True)
    beginning = models.CharField(max_length=16)
    per_minute = models.PositiveIntegerField()
    per_day = models.PositiveIntegerField()
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(Account, null=True, blank=True, on_delete=models.SET_NULL)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def is_usable(self, now: datetime) -> bool:
        """Say whether it opens anything at ``now``."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def usable_keys(now: datetime) -> models.QuerySet[ApiKey]:
    """Return the keys that open something at ``now``."""
    return ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)


class DayUse(models.Model):
    """How many look-ups a key made on one day (UTC)."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE)
    day = models.DateField()
    n = models.BigIntegerField(default=0)

    class Meta:
        """One row a day."""

        constraints: ClassVar = [models.UniqueConstraint(fields=["key", "day"], name="one_use_a_day")]

    @classmethod
    def add(cls, key_id: int, day: object, n: int) -> None:
        """Count ``n`` more."""
        row, _ = cls.objects.get_or_create(key_id=key_id, day=day)
        cls.objects.filter(pk=row.pk).update(n=F("n") + n)


class Attempt(models.Model):
    """That a request with an Idempotency-Key came; keyed hashes of its name and its body, kept for a day."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE)
    name_hash = models.CharField(max_length=64)
    body_hash = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        """One body a name."""

        constraints: ClassVar = [models.UniqueConstraint(fields=["key", "name_hash"], name="one_body_a_name")]


class Webhook(models.Model):
    """Where a subscriber is told of new versions and of retractions.

    Attributes:
        salt: makes its secret, together with the key of the workbench (:mod:`bastau_web.check_api.webhooks`).
        told_version: of the list, the last that it was told of.
    """

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE)
    url = models.CharField(max_length=1000)
    salt = models.CharField(max_length=32)
    told_version = models.BigIntegerField(default=0)
    made_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)


class Delivery(models.Model):
    """One message to one webhook, until it was taken or given up.

    Attributes:
        message_id: what the receiver tells repetitions by.
        body: JSON; of a public list, so nothing in it is secret.
        due_at: when to try next; None: done.
        outcome: what came of the last try.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE)
    message_id = models.CharField(max_length=64)
    type = models.CharField(max_length=40)
    body = models.TextField()
    made_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(null=True, default=timezone.now, db_index=True)
    n_tries = models.PositiveIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        """Each message once."""

        constraints: ClassVar = [models.UniqueConstraint(fields=["webhook", "message_id"], name="each_message_once")]

"""Telling subscribers of new versions and retractions of the published list, signed in the form of Standard Webhooks.

Nothing waits for them: messages lie in the database until they are taken or given up. A message goes to public addresses only (unless
``[network] allow_private``), and is sent on nowhere.

Reference: Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks), "Signature scheme", "Retries".
"""

import base64
import hashlib
import hmac
import logging
import secrets
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from bastau.errors import BastauError
from bastau.home import Home
from bastau.network import Client, NetworkLimits
from bastau.shield.source import Document, canonical
from bastau_web.check_api.models import ApiKey, Delivery, Webhook
from bastau_web.workbench.configuring import the_home

_log = logging.getLogger(__name__)
PUBLISHED, RETRACTED, TEST = "list.version_published", "entry.retracted", "test"
PAUSES = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=20),
)
"""After each try that failed; after the last the message is given up. The list itself is always there to be fetched."""
KEPT = timedelta(days=30)
_WITHIN_S = 20.0
_CLAIMED = timedelta(minutes=2)
"""A process that took a message and died leaves it to others after that."""


def limits(home: Home) -> NetworkLimits:
    """Return what a message may do."""
    allow = home.settings.network.allow_private
    return NetworkLimits(allow_private=allow, timeout_s=10, total_s=_WITHIN_S, max_bytes=64 << 10, tries=1)


def add_webhook(key: ApiKey, url: str, told: Document | None, client: Client) -> Webhook:
    """Register an address; it is told of what comes after ``told``.

    Raises:
        ConfigError: no message may go there.
        SourceUnavailable: its name cannot be resolved.
    """
    client.check(url)
    version = told["version"] if told else 0
    return Webhook.objects.create(key=key, url=url, salt=secrets.token_hex(16), told_version=version)


def secret_of(webhook: Webhook) -> str:
    """Return the secret that its messages are signed with: made from the key of the workbench, so that the database holds none."""
    raw = salted_hmac("check-api webhook", webhook.salt, secret=settings.SECRET_KEY, algorithm="sha256").digest()
    return "whsec_" + base64.b64encode(raw).decode()


def signature(secret: str, message_id: str, at: int, body: str) -> str:
    """Return ``webhook-signature`` of a message sent at ``at`` (seconds since 1970)."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{at}.{body}".encode(), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def announce(document: Document) -> int:
    """Put down, for every webhook, what ``document`` says that it was not told yet; return the number of new messages.

    May be called as often as one likes, by several processes, with any version.
    """
    made = 0
    with transaction.atomic():
        hooks = Webhook.objects.select_for_update().filter(removed_at=None, key__revoked_at=None)
        for webhook in hooks.exclude(told_version=document["version"]):
            for message_id, type_, at, data in _messages(document, webhook.told_version):
                body = orjson.dumps({"type": type_, "timestamp": at, "data": data}).decode()
                values = {"type": type_, "body": body}
                made += Delivery.objects.get_or_create(webhook=webhook, message_id=message_id, defaults=values)[1]
            webhook.told_version = document["version"]
            webhook.save(update_fields=["told_version"])
    return made


def _messages(document: Document, told: int) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield (id, type, time, data); a retraction names the entry by its id, never by its value."""
    about = {name: document[name] for name in ("list", "version")}
    more = {name: document[name] for name in ("made_at", "valid_until", "previous_sha256", "counts", "appeal")}
    whole = {**about, **more, "sha256": hashlib.sha256(canonical(document)).hexdigest()}
    yield _id(document, PUBLISHED, document["version"]), PUBLISHED, document["made_at"], whole
    for gone in document["retractions"]:
        if gone["published_in"] > told and gone["reason"] != "expired":
            said = {name: gone[name] for name in ("entry_id", "kind", "act", "reason", "at", "published_in")}
            ident = _id(document, RETRACTED, gone["published_in"], gone["entry_id"])
            yield ident, RETRACTED, gone["published_at"], about | said


def _id(document: Document, *parts: object) -> str:
    made_of = orjson.dumps([document["list"], *parts])
    return f"msg_{hashlib.blake2b(made_of, digest_size=16).hexdigest()}"


def send_test(webhook: Webhook) -> None:
    """Put down a message that says nothing, to see whether it arrives."""
    now = timezone.now()
    body = orjson.dumps({"type": TEST, "timestamp": now.isoformat(), "data": {}}).decode()
    Delivery.objects.create(webhook=webhook, message_id=f"msg_{secrets.token_hex(16)}", type=TEST, body=body)


def deliver_due(now: datetime, client: Client | None = None) -> int:
    """Try every message that is due, each webhook's in turn; return how many were taken."""
    client = client or Client(limits(the_home()))
    due = Delivery.objects.filter(due_at__lte=now, webhook__removed_at=None, webhook__key__revoked_at=None)
    taken, failed = 0, set()
    for delivery in due.select_related("webhook").order_by("due_at", "pk")[:200]:
        claim = Delivery.objects.filter(pk=delivery.pk, due_at=delivery.due_at)
        # One that does not answer is not asked for each of its messages.
        if delivery.webhook_id in failed or not claim.update(due_at=now + _CLAIMED):
            continue
        trouble = _send(delivery, now, client)
        _note(delivery, trouble, now)
        taken += not trouble
        if trouble:
            failed.add(delivery.webhook_id)
    return taken


def _send(delivery: Delivery, now: datetime, client: Client) -> str:
    """Send one message; return what was wrong, empty when it was taken."""
    at = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "webhook-id": delivery.message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(secret_of(delivery.webhook), delivery.message_id, at, delivery.body),
    }
    url, body, said = delivery.webhook.url, delivery.body.encode(), []

    def ask() -> None:
        try:
            client.request("POST", url, headers, body)
            said.append("")
        except BastauError as error:
            said.append(str(error)[:200])
        except Exception as error:
            _log.exception("a webhook could not be sent")
            said.append(type(error).__name__)

    # In a thread of its own, since a server that drips its headers keeps a socket's own timeout from ever passing.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_WITHIN_S)
    return said[0] if said else f"no answer within {_WITHIN_S:.0f} s"


def _note(delivery: Delivery, trouble: str, now: datetime) -> None:
    delivery.n_tries += 1
    if not trouble:
        delivery.delivered_at, delivery.due_at, delivery.outcome = now, None, ""
    else:
        n = delivery.n_tries - 1
        delivery.due_at = now + PAUSES[n] if n < len(PAUSES) else None
        delivery.outcome = trouble
    delivery.save(update_fields=["n_tries", "delivered_at", "due_at", "outcome"])


def forget_old(now: datetime) -> None:
    """Delete messages that are done and old."""
    Delivery.objects.filter(due_at=None, made_at__lt=now - KEPT).delete()

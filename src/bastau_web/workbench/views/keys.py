"""Keys of the check API and their webhooks: made, limited, revoked; what they used up in numbers alone."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from bastau.errors import BastauError
from bastau.network import Client
from bastau_web.check_api.background import newest
from bastau_web.check_api.engine import the_engine
from bastau_web.check_api.keys import make_key, revoke
from bastau_web.check_api.models import ApiKey, DayUse, Delivery, Webhook
from bastau_web.check_api.webhooks import add_webhook, limits, secret_of, send_test
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.models import Account
from bastau_web.workbench.roles import Role, open_to
from bastau_web.workbench.words import locale_of

PER_MINUTE, PER_DAY = 600, 100_000
MOST = 1_000_000_000
_DAYS = 30
_MESSAGES = 5


@open_to(Role.ADMIN)
@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """Show the keys, how much they asked, and what became of messages to their webhooks."""
    return _keys(request)


def _keys(request: HttpRequest, status: int = 200, **values: Any) -> HttpResponse:
    now = timezone.now()
    uses = DayUse.objects.filter(day__gt=now.date() - timedelta(days=_DAYS))
    lately = dict(uses.values_list("key").annotate(n=Sum("n")))
    today = dict(uses.filter(day=now.date()).values_list("key", "n"))
    rows = [
        {
            "key": key,
            "is_usable": key.is_usable(now),
            "today": today.get(key.pk, 0),
            "lately": lately.get(key.pk, 0),
            "webhooks": [_webhook(hook) for hook in key.webhook_set.filter(removed_at=None).order_by("pk")],
        }
        for key in ApiKey.objects.order_by("revoked_at", "name", "pk").prefetch_related("webhook_set")
    ]
    usual = {"name": "", "per_minute": PER_MINUTE, "per_day": PER_DAY, "expires": ""}
    known = {"rows": rows, "typed": usual, "trouble": the_engine().trouble, "days": _DAYS, "most": MOST}
    return render(request, "keys.html", known | values, status=status)


def _webhook(hook: Webhook) -> dict[str, Any]:
    messages = Delivery.objects.filter(webhook=hook).order_by("-pk")[:_MESSAGES]
    return {"hook": hook, "secret": secret_of(hook), "messages": messages}


@open_to(Role.ADMIN)
@require_POST
def make(request: HttpRequest) -> HttpResponse:
    """Make a key and show it: here only, so there is nothing to be sent on to."""
    typed = {name: request.POST.get(name, "").strip() for name in ("name", "per_minute", "per_day", "expires")}
    try:
        given = typed["name"], _number(typed["per_minute"]), _number(typed["per_day"]), _end_of(typed["expires"])
        assert isinstance(request.user, Account)
        row, token = make_key(*given, request.user)
    except (ValueError, OverflowError, ValidationError):
        problems = [locale_of(request).text("web.keys.wrong")]
        return _keys(request, 422, problems=problems, typed=typed)
    return _keys(request, made=row, token=token)


def _number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
    if not 1 <= number <= MOST:
        raise ValueError
    return number


def _end_of(day: str) -> datetime | None:
    """Return when a day is over, None for none; it must not be over yet."""
    if not day:
        return None
    end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), UTC)
    if end <= timezone.now():
        raise ValueError
    return end


@open_to(Role.ADMIN)
@require_POST
def revoke_key(request: HttpRequest, key: int) -> HttpResponseBase:
    """Let a key in no more."""
    revoke(_found(ApiKey, key))
    return redirect("keys")


@open_to(Role.ADMIN)
@require_POST
def add_hook(request: HttpRequest, key: int) -> HttpResponseBase:
    """Register an address that is told of new versions and retractions."""
    row, url = _found(ApiKey, key), request.POST.get("url", "").strip()
    if not row.is_usable(timezone.now()):
        raise Http404
    try:
        if not 1 <= len(url) <= 1000:
            raise ValueError
        home = the_home()
        add_webhook(row, url, newest(home), Client(limits(home)))
    except (ValueError, BastauError) as error:
        said = str(error) if isinstance(error, BastauError) else ""
        return _keys(request, 422, problems=[locale_of(request).text("web.keys.no_hook"), *filter(None, [said])])
    return redirect("keys")


@open_to(Role.ADMIN)
@require_POST
def test_hook(request: HttpRequest, hook: int) -> HttpResponseBase:
    """Send a message that says nothing."""
    send_test(_hook(hook))
    return redirect("keys")


@open_to(Role.ADMIN)
@require_POST
def remove_hook(request: HttpRequest, hook: int) -> HttpResponseBase:
    """Tell an address nothing more."""
    row = _hook(hook)
    row.removed_at = timezone.now()
    row.save(update_fields=["removed_at"])
    return redirect("keys")


def _hook(number: int) -> Webhook:
    row: Webhook = _found(Webhook, number)
    if row.removed_at is not None:
        raise Http404
    return row


def _found(model: Any, number: int) -> Any:
    if number >= 1 << 63:  # more than a row of the database can have
        raise Http404
    return get_object_or_404(model, pk=number)


ROUTES = [
    path("keys", keys, name="keys"),
    path("keys/make", make, name="make-key"),
    path("keys/<int:key>/revoke", revoke_key, name="revoke-key"),
    path("keys/<int:key>/webhook", add_hook, name="add-webhook"),
    path("webhooks/<int:hook>/test", test_hook, name="test-webhook"),
    path("webhooks/<int:hook>/remove", remove_hook, name="remove-webhook"),
]

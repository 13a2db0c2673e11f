"""How somebody who showed who they are comes in, whichever way they showed it."""

import time
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from bastau_web.workbench import second_factor, throttle
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.models import Account, Session
from bastau_web.workbench.sessions import AGENT

_CODE_WITHIN_S = 300
_PENDING, _PENDING_SINCE, _TARGET = "pending", "pending_since", "next"


def after_first_factor(
    request: HttpRequest, account: Account, target: str, *, attempt: int | None = None, by_service: bool = False
) -> HttpResponseBase:
    """Let the account in, or ask for a code first, when it has an app; ``attempt`` was counted by the throttle."""
    if not account.code_secret:
        throttle.forget_failures(request, account.name)
        let_in(request, account, by_service=by_service)
        return redirect(target)
    if attempt is not None:
        throttle.take_back(attempt)
    request.session.cycle_key()
    request.session[_PENDING] = account.pk
    request.session[_PENDING_SINCE] = time.time()
    request.session[_TARGET] = target
    request.session[second_factor.BY_SERVICE] = by_service
    return redirect("sign-in-code")


def pending(request: HttpRequest) -> Account | None:
    """Return the account that is asked for its code."""
    if time.time() - request.session.get(_PENDING_SINCE, 0.0) > _CODE_WITHIN_S:
        return None
    return Account.objects.filter(pk=request.session.get(_PENDING, 0), is_active=True).first()


def after_code(request: HttpRequest, account: Account) -> HttpResponseBase:
    """Let the account in whose code was right."""
    target = request.session.get(_TARGET, reverse("today"))
    by_service = bool(request.session.get(second_factor.BY_SERVICE))
    throttle.forget_failures(request, account.name)
    let_in(request, account, by_service=by_service)
    return redirect(target)


def let_in(request: HttpRequest, account: Account, *, by_service: bool = False) -> None:
    """Start the session under a new key, and forget those that are over."""
    Session.objects.filter(expire_date__lte=timezone.now()).delete()
    request.session.flush()
    request.session[AGENT] = _browser(request.META.get("HTTP_USER_AGENT", ""))
    if by_service:
        request.session[second_factor.BY_SERVICE] = True
    login(request, account, backend=settings.AUTHENTICATION_BACKENDS[0])


def wanted(request: HttpRequest) -> str:
    """Return where to go after signing in: a page here, never elsewhere."""
    asked = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(asked, allowed_hosts=None) and not urlsplit(asked).netloc:
        return asked
    return reverse("today")


def address_here(request: HttpRequest, path: str) -> str:
    """Return the whole address of a page, as people open it."""
    origin = the_home().settings.web.origin.rstrip("/")
    return f"{origin}{path}" if origin else request.build_absolute_uri(path)


def _browser(agent: str) -> str:
    """Return a browser's family and system: enough to recognise one's own, no more."""
    family = next((name for name in ("Firefox", "Edg", "OPR", "Chrome", "Safari", "curl") if name in agent), "")
    system = next((name for name in ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux") if name in agent), "")
    return ", ".join(filter(None, ({"Edg": "Edge", "OPR": "Opera"}.get(family, family), system)))

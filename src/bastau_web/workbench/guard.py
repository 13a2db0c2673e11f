"""The door: whoever asks for a view must be among those it is open to."""

import logging
from collections.abc import Callable
from typing import Any

import duckdb
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from bastau.errors import BastauError, LogDamaged
from bastau_web.workbench import second_factor
from bastau_web.workbench.case_page import damaged
from bastau_web.workbench.models import Account
from bastau_web.workbench.roles import ANYBODY, KEY_HOLDERS, may_open
from bastau_web.workbench.views.failures import no_database, unavailable

_log = logging.getLogger(__name__)


class Guard:
    """Refuses by default: a view without declared access is open to nobody."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponse]):
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; the decision is made once the view is known."""
        return self.answer(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        """Return where to send whoever may not, None to go on."""
        access: frozenset[str] = getattr(view, "access", frozenset())
        if access & {ANYBODY, KEY_HOLDERS}:
            return None
        if getattr(request, "is_without_database", False):
            return no_database(request)
        account = request.user
        if not isinstance(account, Account):
            if not access:
                raise PermissionDenied
            if not Account.objects.exists():
                return redirect("set-up")
            # What was sent is lost, and its address may show nothing by itself.
            back = request.get_full_path() if request.method in ("GET", "HEAD") else reverse("today")
            return redirect_to_login(back, reverse("sign-in"))
        if not may_open(access, account.roles):
            raise PermissionDenied
        if second_factor.is_missing(request, account) and not getattr(view, "sets_factor", False):
            return redirect("second-factor")
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Say that the lake or the log of review cannot be read, when that is why a page cannot be made."""
        if not isinstance(exception, BastauError | duckdb.Error):
            return None
        # Neither path nor query: a name that somebody asked for stays out of the log.
        _log.error("%s cannot be shown", request.resolver_match and request.resolver_match.route, exc_info=exception)
        return damaged(request) if isinstance(exception, LogDamaged) else unavailable(request)

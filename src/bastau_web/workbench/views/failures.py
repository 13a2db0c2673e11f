"""What is shown when something cannot be: each says what to do."""

import sys
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from bastau_web.workbench.configuring import DATABASE_IS_AWAY
from bastau_web.workbench.roles import ANYBODY, open_to


def _failure(request: HttpRequest, kind: str, status: int) -> HttpResponse:
    return render(request, "failure.html", {"kind": f"web.failure.{kind}"}, status=status)


@open_to(ANYBODY)
def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Say that there is no such page."""
    return _failure(request, "not_found", 404)


@open_to(ANYBODY)
def not_allowed(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Say that the account's roles do not reach this."""
    return _failure(request, "not_allowed", 403)


@open_to(ANYBODY)
def csrf(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say that the form was too old or came from elsewhere."""
    return _failure(request, "csrf", 403)


@open_to(ANYBODY)
def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    """Say that the request makes no sense."""
    return _failure(request, "bad_request", 400)


@open_to(ANYBODY)
def unavailable(request: HttpRequest) -> HttpResponse:
    """Say that the stored posts cannot be read."""
    return _failure(request, "unavailable", 503)


@open_to(ANYBODY)
def no_database(request: HttpRequest) -> HttpResponse:
    """Say that accounts cannot be read, so that nobody is known."""
    answer = _failure(request, "no_database", 503)
    answer["Retry-After"] = "30"
    return answer


@open_to(ANYBODY)
def our_fault(request: HttpRequest) -> HttpResponse:
    """Say that it is our fault, or that the database is away, which so is not asked who asks."""
    request.user = AnonymousUser()
    # Django calls this while it handles what broke.
    if isinstance(sys.exc_info()[1], DATABASE_IS_AWAY):
        return no_database(request)
    return _failure(request, "our_fault", 500)

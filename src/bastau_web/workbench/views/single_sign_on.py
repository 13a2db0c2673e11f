"""Signing in through the organisation's own service."""

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from bastau_web.workbench import service_sign_in
from bastau_web.workbench.letting_in import address_here, after_first_factor, wanted
from bastau_web.workbench.models import Account
from bastau_web.workbench.roles import ANYBODY, open_to

_TARGET = "service_target"


@open_to(ANYBODY)
@require_safe
def begin(request: HttpRequest) -> HttpResponseBase:
    """Send the browser to the service."""
    _refuse_when_off()
    if isinstance(request.user, Account):
        return redirect(wanted(request))
    request.session[_TARGET] = wanted(request)
    try:
        return service_sign_in.begin(request, address_here(request, reverse("service-back")))
    except service_sign_in.SignInFailed:
        return render(request, "service_failed.html", {"is_away": True}, status=502)


@open_to(ANYBODY)
@require_safe
def back(request: HttpRequest) -> HttpResponseBase:
    """Let in whom the service vouches for, when an admin linked that identity to an account."""
    _refuse_when_off()
    if isinstance(request.user, Account):
        return redirect("today")
    target = request.session.get(_TARGET, reverse("today"))
    try:
        identity = service_sign_in.identity(request)
    except service_sign_in.SignInFailed:
        return render(request, "service_failed.html", {"is_away": False}, status=403)
    account = Account.objects.filter(identity=identity, is_active=True).first()
    if account is None:
        return render(request, "service_unknown.html", {"identity": identity}, status=403)
    return after_first_factor(request, account, target, by_service=True)


def _refuse_when_off() -> None:
    if not service_sign_in.is_on():
        raise Http404


ROUTES = [
    path("sign-in/service", begin, name="service-sign-in"),
    path("sign-in/service/back", back, name="service-back"),
]

"""Signing in and out, the first account, one's own account."""

import hmac
import time
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from bastau.report.locale import LOCALES
from bastau_web.workbench import second_factor, throttle
from bastau_web.workbench.models import Account, Session
from bastau_web.workbench.roles import ANY_ACCOUNT, ANYBODY, Role, open_to
from bastau_web.workbench.sessions import AGENT
from bastau_web.workbench.words import COOKIE, locale_of

_CODE_WITHIN_S = 300
_PENDING, _PENDING_SINCE, _PENDING_SECRET = "pending", "pending_since", "pending_secret"


@open_to(ANYBODY)
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest) -> HttpResponseBase:
    """Make the first account, with the code that stands in the terminal."""
    if Account.objects.exists():
        raise Http404
    problems: list[str] = []
    if request.method == "POST":
        problems = _set_up(request)
        if not problems:
            return redirect("today")
    return render(request, "set_up.html", {"problems": problems, "name": request.POST.get("name", "")})


def _set_up(request: HttpRequest) -> list[str]:
    locale = locale_of(request)
    if throttle.is_throttled(request, "set-up"):
        return [locale.text("web.sign_in.throttled")]
    wanted: str = settings.BASTAU_SET_UP_CODE
    if not wanted or not hmac.compare_digest(wanted.encode(), request.POST.get("code", "").strip().encode()):
        throttle.note_failure(request, "set-up")
        return [locale.text("web.set_up.wrong_code")]
    name, password = request.POST.get("name", "").strip(), request.POST.get("password", "")
    try:
        with transaction.atomic():
            validate_password(password, Account(name=name))
            account = Account.objects.add(name, password, [Role.ADMIN, Role.ANALYST])
            if Account.objects.count() > 1:  # two browsers at the same moment
                raise Http404
    except ValidationError as error:
        return list(error.messages)
    _let_in(request, account)
    return []


@open_to(ANYBODY)
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Ask for name and password; then for a code, when the account has one."""
    if isinstance(request.user, Account):
        return redirect(_next(request))
    problem = ""
    if request.method == "POST":
        name = request.POST.get("name", "").strip().lower()[:64]
        if throttle.is_throttled(request, name):
            problem = "web.sign_in.throttled"
        else:
            account = authenticate(request, username=name, password=request.POST.get("password", ""))
            if isinstance(account, Account):
                return _after_password(request, account)
            throttle.note_failure(request, name)
            problem = "web.sign_in.wrong"
    values = {"problem": problem, "next": request.POST.get("next") or request.GET.get("next", "")}
    return render(request, "sign_in.html", values, status=429 if problem == "web.sign_in.throttled" else 200)


def _after_password(request: HttpRequest, account: Account) -> HttpResponseBase:
    if not account.code_secret:
        throttle.forget_failures(request, account.name)
        _let_in(request, account)
        return redirect(_next(request))
    request.session.cycle_key()
    request.session[_PENDING] = account.pk
    request.session[_PENDING_SINCE] = time.time()
    request.session["next"] = _next(request)
    return redirect("sign-in-code")


@open_to(ANYBODY)
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_code(request: HttpRequest) -> HttpResponseBase:
    """Ask for the code of the app, after the password was right."""
    account = Account.objects.filter(pk=request.session.get(_PENDING, 0), is_active=True).first()
    if account is None or time.time() - request.session.get(_PENDING_SINCE, 0.0) > _CODE_WITHIN_S:
        return redirect("sign-in")
    problem = ""
    if request.method == "POST":
        if throttle.is_throttled(request, account.name):
            problem = "web.sign_in.throttled"
        elif second_factor.accept(account, request.POST.get("code", "")):
            target = request.session.get("next", reverse("today"))
            throttle.forget_failures(request, account.name)
            _let_in(request, account)
            return redirect(target)
        else:
            throttle.note_failure(request, account.name)
            problem = "web.sign_in.wrong_code"
    return render(
        request, "sign_in_code.html", {"problem": problem}, status=429 if problem == "web.sign_in.throttled" else 200
    )


@open_to(ANYBODY)
@require_POST
def sign_out(request: HttpRequest) -> HttpResponseBase:
    """End this session."""
    logout(request)
    return redirect("sign-in")


@open_to(ANY_ACCOUNT)
@require_http_methods(["GET", "HEAD"])
def account(request: HttpRequest) -> HttpResponse:
    """Show one's own account: roles, language, password, second factor, sessions."""
    return _account(request)


def _account(request: HttpRequest, problems: list[str] | None = None, done: str = "") -> HttpResponse:
    mine = _mine(request)
    sessions = Session.objects.filter(account=mine, expire_date__gt=timezone.now()).order_by("-started_at")
    here = request.session.session_key
    rows = [{"row": row, "is_here": row.session_key == here, "name": _session_name(row)} for row in sessions]
    values = {
        "roles": sorted(mine.roles),
        "sessions": rows,
        "problems": problems or [],
        "done": done,
        "needs_code": second_factor.is_required(mine),
    }
    return render(request, "account.html", values)


@open_to(ANY_ACCOUNT)
@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """Choose the language of one's pages."""
    mine, chosen = _mine(request), request.POST.get("language", "")
    if chosen in LOCALES:
        mine.language = chosen
        mine.save(update_fields=["language"])
    response = redirect("account")
    response.delete_cookie(COOKIE)
    return response


@open_to(ANY_ACCOUNT)
@require_POST
def set_password(request: HttpRequest) -> HttpResponse:
    """Change one's password; all other sessions end."""
    mine, locale = _mine(request), locale_of(request)
    new = request.POST.get("new", "")
    if throttle.is_throttled(request, mine.name):
        return _account(request, [locale.text("web.sign_in.throttled")])
    if not mine.check_password(request.POST.get("old", "")):
        throttle.note_failure(request, mine.name)
        return _account(request, [locale.text("web.account.wrong_password")])
    try:
        validate_password(new, mine)
    except ValidationError as error:
        return _account(request, list(error.messages))
    mine.set_password(new)
    mine.save(update_fields=["password"])
    Session.objects.filter(account=mine).exclude(session_key=request.session.session_key).delete()
    update_session_auth_hash(request, mine)
    return _account(request, done="web.account.password_changed")


@open_to(ANY_ACCOUNT)
@require_POST
def end_session(request: HttpRequest) -> HttpResponseBase:
    """End one of one's own sessions, or all others."""
    mine = _mine(request)
    others = Session.objects.filter(account=mine).exclude(session_key=request.session.session_key)
    number = request.POST.get("session", "")
    if number == "others":
        others.delete()
    else:
        # Sessions are named by when they began: their keys never stand in a page.
        for row in others:
            if _session_name(row) == number:
                row.delete()
    return redirect("account")


def _session_name(row: Session) -> str:
    return f"{row.started_at.timestamp():.6f}"


@open_to(ANY_ACCOUNT)
@require_http_methods(["GET", "HEAD", "POST"])
def set_second_factor(request: HttpRequest) -> HttpResponseBase:
    """Set up codes of an app, or take them off; both need the password."""
    mine, locale = _mine(request), locale_of(request)
    if request.method != "POST":
        if not mine.code_secret:
            request.session[_PENDING_SECRET] = second_factor.new_secret()
        return _factor(request, mine, "")
    if throttle.is_throttled(request, mine.name):
        return _factor(request, mine, locale.text("web.sign_in.throttled"))
    if not mine.check_password(request.POST.get("password", "")):
        throttle.note_failure(request, mine.name)
        return _factor(request, mine, locale.text("web.account.wrong_password"))
    if mine.code_secret:
        mine.code_secret = ""
    else:
        secret = request.session.get(_PENDING_SECRET, "")
        step = second_factor.step_of(secret, request.POST.get("code", "")) if secret else None
        if step is None:
            throttle.note_failure(request, mine.name)
            return _factor(request, mine, locale.text("web.sign_in.wrong_code"))
        mine.code_secret, mine.code_last_step = secret, step
        del request.session[_PENDING_SECRET]
    mine.save(update_fields=["code_secret", "code_last_step"])
    Session.objects.filter(account=mine).exclude(session_key=request.session.session_key).delete()
    return redirect("account")


set_second_factor.sets_factor = True  # type: ignore[attr-defined]


def _factor(request: HttpRequest, mine: Account, problem: str) -> HttpResponse:
    secret = request.session.get(_PENDING_SECRET, "")
    shown = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
    values = {"problem": problem, "secret": shown, "address": second_factor.address_of(mine, secret) if secret else ""}
    return render(request, "second_factor.html", values | {"has_code": bool(mine.code_secret)})


def _let_in(request: HttpRequest, account: Account) -> None:
    """Start the session under a new key, and forget those that are over."""
    Session.objects.filter(expire_date__lte=timezone.now()).delete()
    request.session.flush()
    request.session[AGENT] = _browser(request.META.get("HTTP_USER_AGENT", ""))
    login(request, account, backend=settings.AUTHENTICATION_BACKENDS[0])


def _browser(agent: str) -> str:
    """Return a browser's family and system: enough to recognise one's own, no more."""
    family = next((name for name in ("Firefox", "Edg", "OPR", "Chrome", "Safari", "curl") if name in agent), "")
    system = next((name for name in ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux") if name in agent), "")
    return ", ".join(filter(None, ({"Edg": "Edge", "OPR": "Opera"}.get(family, family), system)))


def _next(request: HttpRequest) -> str:
    """Return where to go after signing in: a page here, never elsewhere."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and not urlsplit(wanted).netloc:
        return wanted
    return reverse("today")


def _mine(request: HttpRequest) -> Account:
    assert isinstance(request.user, Account)
    return request.user


ROUTES = [
    path("set-up", set_up, name="set-up"),
    path("sign-in", sign_in, name="sign-in"),
    path("sign-in/code", sign_in_code, name="sign-in-code"),
    path("sign-out", sign_out, name="sign-out"),
    path("account", account, name="account"),
    path("account/language", set_language, name="set-language"),
    path("account/password", set_password, name="set-password"),
    path("account/sessions", end_session, name="end-session"),
    path("account/second-factor", set_second_factor, name="second-factor"),
]

"""Signing in and out, the first account, one's own account."""

import hmac

from django.conf import settings
from django.contrib.auth import authenticate, logout, update_session_auth_hash
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from bastau.report.locale import LOCALES
from bastau_web.workbench import account_acts, demonstration, invitations, second_factor, service_sign_in, throttle
from bastau_web.workbench.letting_in import after_code, after_first_factor, let_in, pending, wanted
from bastau_web.workbench.models import Account, RecoveryCode, Session
from bastau_web.workbench.roles import ANY_ACCOUNT, ANYBODY, Role, open_to
from bastau_web.workbench.words import COOKIE, locale_of

_NEW_KEY = "pending_key"


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
    attempt = throttle.begin(request, "set-up")
    if attempt is None:
        return [locale.text("web.sign_in.throttled")]
    code: str = settings.BASTAU_SET_UP_CODE
    if not code or not hmac.compare_digest(code.encode(), request.POST.get("code", "").strip().encode()):
        return [locale.text("web.set_up.wrong_code")]
    throttle.take_back(attempt)
    name, password = request.POST.get("name", "").strip(), request.POST.get("password", "")
    try:
        with transaction.atomic():
            validate_password(password, Account(name=name))
            account = Account.objects.add(name, password, [Role.ADMIN, Role.ANALYST])
            if Account.objects.count() > 1:  # two browsers at the same moment
                raise Http404
            account_acts.record(account.name, account.name, "added", after=", ".join(sorted(account.roles)))
    except ValidationError as error:
        return list(error.messages)
    let_in(request, account)
    return []


@open_to(ANYBODY)
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Ask for name and password; then for a code, when the account has one."""
    target = wanted(request)
    if isinstance(request.user, Account):
        return redirect(target)
    problem = ""
    if request.method == "POST":
        name = request.POST.get("name", "").strip().lower()[:64]
        attempt = throttle.begin(request, name)
        if attempt is None:
            problem = "web.sign_in.throttled"
        else:
            account = authenticate(request, username=name, password=request.POST.get("password", ""))
            if isinstance(account, Account):
                return after_first_factor(request, account, target, attempt=attempt)
            problem = "web.sign_in.wrong"
    values = {"problem": problem, "next": target, "has_service": service_sign_in.is_on()}
    return render(request, "sign_in.html", values, status=_status(problem))


def _status(problem: str) -> int:
    return 429 if problem == "web.sign_in.throttled" else 200


@open_to(ANYBODY)
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_code(request: HttpRequest) -> HttpResponseBase:
    """Ask for the code of the app, after the password was right."""
    account = pending(request)
    if account is None:
        return redirect("sign-in")
    problem = ""
    if request.method == "POST":
        if throttle.begin(request, account.name) is None:
            problem = "web.sign_in.throttled"
        elif second_factor.accept(account, request.POST.get("code", "")):
            return after_code(request, account)
        else:
            problem = "web.sign_in.wrong_code"
    return render(request, "sign_in_code.html", {"problem": problem}, status=_status(problem))


@open_to(ANYBODY)
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, name: str, token: str) -> HttpResponseBase:
    """Let whoever has the link choose the password of an account."""
    attempt = throttle.begin(request, f"invitation {name}"[:100])
    if attempt is None:
        return _invitation(request, ["web.sign_in.throttled"], 429)
    if not invitations.holds(name, token):
        return _invitation(request, ["web.invitation.ended"], 404)
    throttle.take_back(attempt)
    if request.method != "POST":
        return _invitation(request, [], 200, name=name)
    try:
        account = invitations.join(name, token, request.POST.get("password", ""))
    except ValidationError as error:
        if getattr(error, "code", "") == "link":
            return _invitation(request, ["web.invitation.ended"], 404)
        return render(request, "invitation.html", {"name": name, "problems": error.messages}, status=422)
    return after_first_factor(request, account, reverse("account"))


def _invitation(request: HttpRequest, problems: list[str], status: int, *, name: str = "") -> HttpResponse:
    words = [locale_of(request).text(problem) for problem in problems]
    return render(request, "invitation.html", {"name": name, "problems": words}, status=status)


@open_to(ANYBODY)
@require_http_methods(["GET", "HEAD", "POST"])
def demo_sign_in(request: HttpRequest, token: str) -> HttpResponseBase:
    """Let whoever runs the demo into one of its accounts, with the link from its terminal."""
    if not demonstration.holds(request, token):
        raise Http404
    if request.method != "POST":
        rows = [{"name": one.name, "roles": sorted(one.roles)} for one in demonstration.accounts()]
        return render(request, "demo.html", {"rows": rows})
    account = demonstration.use(request, token, request.POST.get("name", ""))
    if account is None:
        raise Http404
    let_in(request, account)
    return redirect("today")


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
        "needs_code": second_factor.is_missing(request, mine),
        "has_password": mine.has_usable_password(),
        "n_recovery": RecoveryCode.objects.filter(account=mine).count(),
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
@require_http_methods(["GET", "HEAD", "POST"])
def set_password(request: HttpRequest) -> HttpResponseBase:
    """Change one's password; all other sessions end."""
    if request.method != "POST":  # a link on the page that says what was wrong, such as another language
        return redirect("account")
    mine = _mine(request)
    new = request.POST.get("new", "")
    if problem := _password_problem(request, mine, "old"):
        return _account(request, [problem])
    try:
        validate_password(new, mine)
    except ValidationError as error:
        return _account(request, list(error.messages))
    mine.set_password(new)
    mine.save(update_fields=["password"])
    account_acts.record(mine.name, mine.name, "password")
    _end_others(request, mine)
    update_session_auth_hash(request, mine)
    return _account(request, done="web.account.password_changed")


def _password_problem(request: HttpRequest, mine: Account, field: str = "password") -> str:
    """Return what is wrong with the password that was asked for once more; empty: nothing."""
    if throttle.begin(request, mine.name) is None:
        return locale_of(request).text("web.sign_in.throttled")
    if not mine.check_password(request.POST.get(field, "")):
        return locale_of(request).text("web.account.wrong_password")
    throttle.forget_failures(request, mine.name)
    return ""


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
    mine = _mine(request)
    if request.method != "POST":
        if not mine.code_secret:
            request.session[_NEW_KEY] = second_factor.new_secret()
        return _factor(request, mine, "")
    if (request.POST.get("act") == "remove") != bool(mine.code_secret):  # sent twice
        return redirect("account")
    if problem := _password_problem(request, mine):
        return _factor(request, mine, problem)
    if mine.code_secret:
        second_factor.take_off(mine)
        account_acts.record(mine.name, mine.name, "factor_removed")
        _end_others(request, mine)
        return redirect("account")
    secret = request.session.get(_NEW_KEY, "")
    step = second_factor.step_of(secret, request.POST.get("code", "")) if secret else None
    if step is None:
        return _factor(request, mine, locale_of(request).text("web.sign_in.wrong_code"))
    mine.code_secret, mine.code_last_step = secret, step
    del request.session[_NEW_KEY]
    mine.save(update_fields=["code_secret", "code_last_step"])
    account_acts.record(mine.name, mine.name, "factor_set")
    _end_others(request, mine)
    return _recovery(request, codes=second_factor.new_recovery_codes(mine))


set_second_factor.sets_factor = True  # type: ignore[attr-defined]


def _end_others(request: HttpRequest, mine: Account) -> None:
    Session.objects.filter(account=mine).exclude(session_key=request.session.session_key).delete()


def _factor(request: HttpRequest, mine: Account, problem: str) -> HttpResponse:
    secret = request.session.get(_NEW_KEY, "")
    address = second_factor.address_of(mine, secret) if secret else ""
    values = {
        "problem": problem,
        "secret": " ".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
        "address": address,
        "picture": second_factor.picture_of(address) if address else "",
        "has_code": bool(mine.code_secret),
        "has_password": mine.has_usable_password(),
    }
    return render(request, "second_factor.html", values)


@open_to(ANY_ACCOUNT)
@require_http_methods(["GET", "HEAD", "POST"])
def recovery_codes(request: HttpRequest) -> HttpResponseBase:
    """Make new codes for when the app is lost, with the password; they are shown this once."""
    mine = _mine(request)
    if not mine.code_secret:
        return redirect("second-factor")
    if request.method != "POST":
        return _recovery(request)
    if problem := _password_problem(request, mine):
        return _recovery(request, problem=problem)
    account_acts.record(mine.name, mine.name, "recovery_codes")
    return _recovery(request, codes=second_factor.new_recovery_codes(mine))


def _recovery(request: HttpRequest, *, codes: list[str] | None = None, problem: str = "") -> HttpResponse:
    return render(request, "recovery_codes.html", {"codes": codes, "problem": problem})


def _mine(request: HttpRequest) -> Account:
    assert isinstance(request.user, Account)
    return request.user


ROUTES = [
    path("set-up", set_up, name="set-up"),
    path("sign-in", sign_in, name="sign-in"),
    path("sign-in/code", sign_in_code, name="sign-in-code"),
    path("sign-out", sign_out, name="sign-out"),
    path("invitation/<str:name>/<str:token>", invitation, name="invitation"),
    path("demo/<str:token>", demo_sign_in, name="demo-sign-in"),
    path("account", account, name="account"),
    path("account/language", set_language, name="set-language"),
    path("account/password", set_password, name="set-password"),
    path("account/sessions", end_session, name="end-session"),
    path("account/second-factor", set_second_factor, name="second-factor"),
    path("account/recovery-codes", recovery_codes, name="recovery-codes"),
]

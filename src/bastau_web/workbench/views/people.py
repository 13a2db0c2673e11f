"""Accounts of others: who may do what, who is behind an account, and the record of what was done to them."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from bastau.errors import Refused
from bastau_web.workbench import account_acts, invitations, second_factor, service_sign_in
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.letting_in import address_here
from bastau_web.workbench.models import Account, AccountAct, Session
from bastau_web.workbench.roles import Role, open_to
from bastau_web.workbench.words import locale_of

_ROWS = 50


@open_to(Role.ADMIN)
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """List the accounts, with a form for another one."""
    return _people(request)


def _people(request: HttpRequest, problems: list[str] | None = None, status: int = 200) -> HttpResponse:
    rows = Account.objects.order_by("-is_active", "name").annotate(seen_at=Max("session__started_at"))
    typed = {"name": request.POST.get("name", ""), "person": request.POST.get("person", "")}
    values = {
        "rows": [{"account": one, "roles": sorted(one.roles), "state": _state(one)} for one in rows],
        "roles": list(Role),
        "chosen": request.POST.getlist("role"),
        "typed": typed,
        "problems": problems or [],
    }
    return render(request, "people.html", values, status=status)


def _state(account: Account) -> str:
    """Return ``disabled``, ``invited`` or ``active``."""
    if not account.is_active:
        return "disabled"
    return "active" if _can_sign_in(account) else "invited"


def _can_sign_in(account: Account) -> bool:
    return account.has_usable_password() or bool(account.identity and service_sign_in.is_on())


@open_to(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponseBase:
    """Make an account without a password, and show the link by which its owner chooses one."""
    if request.method != "POST":
        return redirect("accounts")
    locale = locale_of(request)
    roles = _roles(request)
    if not roles:
        return _people(request, [locale.text("web.people.no_role")], 422)
    try:
        with transaction.atomic():
            name, person = request.POST.get("name", "").strip().lower(), _person_typed(request)
            account = Account.objects.add(name, None, roles, person=person)
            account_acts.record(_me(request).name, account.name, "added", after=_list(account.roles))
            if person:
                account_acts.record(_me(request).name, account.name, "person", after=person)
            link = _invite(request, account)
    except ValidationError as error:
        return _people(request, list(error.messages), 422)
    return _invited(request, account, link)


def _invited(request: HttpRequest, account: Account, link: str) -> HttpResponse:
    values = {"name": account.name, "link": address_here(request, link), "days": invitations.DAYS}
    return render(request, "invited.html", values)


@open_to(Role.ADMIN)
@require_safe
def one(request: HttpRequest, name: str) -> HttpResponse:
    """Show an account with what an admin may change of it."""
    return _one(request, _found(name))


def _one(request: HttpRequest, account: Account, problem: str = "", status: int = 200) -> HttpResponse:
    others = Account.objects.exclude(pk=account.pk)
    values = {
        "one": account,
        "state": _state(account),
        "chosen": account.roles,
        "roles": list(Role),
        "is_me": account == request.user,
        "n_sessions": Session.objects.filter(account=account, expire_date__gt=timezone.now()).count(),
        "same_person": [other.name for other in others if _person(other) == _person(account)],
        "has_service": service_sign_in.is_on(),
        "issuer": the_home().settings.web.oidc_issuer,
        "acts": AccountAct.objects.filter(account=account.name).order_by("-pk")[:10],
        "problems": [problem] if problem else [],
    }
    return render(request, "person.html", values, status=status)


def _person(account: Account) -> str:
    return account.person or account.name


@open_to(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, name: str) -> HttpResponseBase:
    """Change one thing of an account, and write down that it was done."""
    account = _found(name)
    act = _CHANGES.get(request.POST.get("act", ""))
    if request.method != "POST" or act is None:
        return redirect("one-account", account.name)
    link = ""
    try:
        with _keeping_an_admin():
            account = Account.objects.select_for_update().get(pk=account.pk)
            link = act(request, account) or ""
    except ValidationError as error:
        return _one(request, _found(name), " ".join(error.messages), 422)
    except IntegrityError:
        return _one(request, _found(name), locale_of(request).text("web.people.refused.taken"), 409)
    except Refused as error:
        return _one(request, _found(name), locale_of(request).text(f"web.people.refused.{error.code}"), 409)
    if link:
        return _invited(request, account, link)
    return redirect("one-account", account.name)


@contextlib.contextmanager
def _keeping_an_admin() -> Iterator[None]:
    """Take everything back that would leave no admin who can sign in; one change after the other."""
    with transaction.atomic():
        Group.objects.select_for_update().get(name=Role.ADMIN)
        yield
        if not any(map(_can_sign_in, Account.objects.filter(is_active=True, groups__name=Role.ADMIN))):
            raise Refused("last_admin", "no admin could sign in after that")


def _set_roles(request: HttpRequest, account: Account) -> None:
    roles, before = _roles(request), _list(account.roles)
    if not roles:
        raise Refused("no_role", "an account without a role is disabled instead")
    account.groups.set(Group.objects.filter(name__in=roles))
    _note(request, account, "roles", before, _list(roles))


def _set_person(request: HttpRequest, account: Account) -> None:
    before, person = _person(account), _person_typed(request)
    if (
        person
        and person != account.name
        and Account.objects.filter(person=account.name).exclude(pk=account.pk).exists()
    ):
        raise Refused("person_of_others", "other accounts are this person's")
    account.person = person
    account.save(update_fields=["person"])
    _note(request, account, "person", before, _person(account))


def _person_typed(request: HttpRequest) -> str:
    name = request.POST.get("person", "").strip().lower()
    try:
        return Account.objects.person_behind(name) if name else ""
    except Account.DoesNotExist as error:
        raise ValidationError(locale_of(request).text("web.people.no_such_person")) from error


def _set_identity(request: HttpRequest, account: Account) -> None:
    given, issuer = request.POST.get("identity", "").strip(), the_home().settings.web.oidc_issuer
    if given and not (issuer and given.startswith(f"{issuer} ") and len(given) > len(issuer) + 1):
        raise Refused("identity", "not an identity of the service that is set")
    account.identity = given
    account.save(update_fields=["identity"])
    _note(request, account, "identity_set" if given else "identity_removed")


def _disable(request: HttpRequest, account: Account) -> None:
    account.is_active = False
    account.save(update_fields=["is_active"])
    _note(request, account, "disabled")


def _enable(request: HttpRequest, account: Account) -> None:
    account.is_active = True
    account.save(update_fields=["is_active"])
    _note(request, account, "enabled")


def _invite(request: HttpRequest, account: Account) -> str:
    if account == request.user:
        raise Refused("oneself", "one's own password is changed on one's own page")
    link = invitations.invite(account)
    _note(request, account, "invited")
    return link


def _reset_factor(request: HttpRequest, account: Account) -> None:
    second_factor.take_off(account)
    _note(request, account, "factor_removed")


def _end_sessions(request: HttpRequest, account: Account) -> None:
    _note(request, account, "sessions_ended")


_CHANGES: dict[str, Callable[[HttpRequest, Account], str | None]] = {
    "roles": _set_roles,
    "person": _set_person,
    "identity": _set_identity,
    "disable": _disable,
    "enable": _enable,
    "invite": _invite,
    "factor": _reset_factor,
    "sessions": _end_sessions,
}


def _note(request: HttpRequest, account: Account, act: str, before: str = "", after: str = "") -> None:
    """Write it down, and end the sessions: what somebody was let in for may hold no longer."""
    account_acts.record(_me(request).name, account.name, act, before, after)
    Session.objects.filter(account=account).exclude(session_key=request.session.session_key).delete()


@open_to(Role.ADMIN, Role.AUDITOR)
@require_safe
def account_record(request: HttpRequest) -> HttpResponse:
    """Show what was done to accounts, newest first."""
    acts = AccountAct.objects.order_by("-pk")
    name = request.GET.get("account", "").strip().lower()
    if name:
        acts = acts.filter(account=name)
    page = Paginator(acts, _ROWS).get_page(request.GET.get("page"))
    query = f"account={name}&" if name else ""
    return render(request, "account_record.html", {"page": page, "name": name, "query": query})


def _roles(request: HttpRequest) -> list[Role]:
    return [role for role in Role if role in request.POST.getlist("role")]


def _list(roles: Any) -> str:
    return ", ".join(sorted(roles))


def _found(name: str) -> Account:
    account = Account.objects.filter(name=name).first()
    if account is None:
        raise Http404
    return account


def _me(request: HttpRequest) -> Account:
    assert isinstance(request.user, Account)
    return request.user


ROUTES = [
    path("accounts", people, name="accounts"),
    path("accounts/add", add, name="add-account"),
    path("accounts/record", account_record, name="account-record"),
    path("accounts/of/<str:name>", one, name="one-account"),
    path("accounts/of/<str:name>/change", change, name="change-account"),
]

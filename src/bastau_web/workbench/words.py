"""The words of the pages in Kazakh, Russian and English: the core's, and the workbench's own under ``web``."""

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import get_language_from_request

from bastau.report.locale import LOCALES, Locale
from bastau.report.locale import load as load_core
from bastau_web.workbench.configuring import DATABASE_IS_AWAY
from bastau_web.workbench.models import Account
from bastau_web.workbench.navigation import menu, more

COOKIE = "bastau_language"


@cache
def load(code: str) -> Locale:
    """Return the locale with the words of the core and of the workbench."""
    own: dict[str, Any] = {}
    for file in (files("bastau_web.workbench") / "texts" / code).iterdir():
        own |= tomllib.loads(file.read_text("utf-8"))
    return Locale(code, {**load_core(code).texts, "web": own})


def locale_of(request: HttpRequest) -> Locale:
    """Return the locale that was chosen for this request."""
    locale: Locale = request.locale  # type: ignore[attr-defined]
    return locale


def choose_language(answer: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that chooses: the address's ``?language=``, then what it chose last, the account, the browser."""

    def in_language(request: HttpRequest) -> HttpResponse:
        asked = request.GET.get("language", "")
        _learn_who_asks(request)
        code = _chosen(request)
        request.locale = load(code)  # type: ignore[attr-defined]
        with translation.override(code):
            response = answer(request)
        response.setdefault("Content-Language", code)
        if asked in LOCALES:
            response.set_cookie(
                COOKIE, asked, max_age=365 * 86_400, httponly=True, samesite="Lax", secure=request.is_secure()
            )
        return response

    return in_language


def _learn_who_asks(request: HttpRequest) -> None:
    """Read the account, which Django puts off; while the database is away it is a stranger who asks.

    What needs no account is then answered, and of all else the door says why not, in the reader's words.
    """
    try:
        _ = request.user.is_authenticated
    except DATABASE_IS_AWAY:
        request.user = AnonymousUser()
        request.is_without_database = True  # type: ignore[attr-defined]


def _chosen(request: HttpRequest) -> str:
    account = _account(request)
    wishes = (
        request.GET.get("language", ""),
        request.COOKIES.get(COOKIE, ""),
        account.language if account else "",
        get_language_from_request(request),
    )
    return next((wish for wish in wishes if wish in LOCALES), "en")


def _account(request: HttpRequest) -> Account | None:
    user = getattr(request, "user", None)  # what is refused early has none
    return user if isinstance(user, Account) else None


def in_templates(request: HttpRequest) -> dict[str, Any]:
    """Return what every template needs."""
    account = _account(request)
    # What is refused before anybody is known has no locale yet.
    locale = getattr(request, "locale", None) or load(_chosen(request))
    languages = [(code, load(code).text("web.name_of_language")) for code in LOCALES]
    return {
        "locale": locale,
        "account": account,
        "languages": languages,
        "here": _here(request),
        "route": request.resolver_match.url_name if request.resolver_match else "",
        "menu": menu(request),
        "more_pages": more(request),
    }


def _here(request: HttpRequest) -> str:
    """Return the query of this page without the language, for links that change only that."""
    query = request.GET.copy()
    query.pop("language", None)
    return f"{query.urlencode()}&" if query else ""

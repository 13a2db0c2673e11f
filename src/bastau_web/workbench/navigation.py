"""The main menu: what somebody's roles open, in the order of a working day."""

from collections.abc import Iterator
from functools import cache

from django.http import HttpRequest
from django.urls import NoReverseMatch, resolve, reverse

from bastau_web.workbench.models import Account
from bastau_web.workbench.roles import may_open

MENU = ("today", "search", "queue", "lists", "sources")
MORE = ("families", "groups", "rules", "appeals", "log", "transparency", "keys", "accounts", "account-record")


def menu(request: HttpRequest) -> list[tuple[str, str]]:
    """Return (name, address) of the pages that this account may open and looks at every day."""
    return list(_open(request, MENU))


def more(request: HttpRequest) -> list[tuple[str, str]]:
    """Return (name, address) of the others."""
    return list(_open(request, MORE))


def _open(request: HttpRequest, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    account = getattr(request, "user", None)
    if isinstance(account, Account):
        for name in names:
            address, access = _where(name)
            if address and may_open(access, account.roles):
                yield name, address


@cache
def _where(name: str) -> tuple[str, frozenset[str]]:
    try:
        address = reverse(name)
    except NoReverseMatch:
        return "", frozenset()
    return address, getattr(resolve(address).func, "access", frozenset())

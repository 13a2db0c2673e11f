"""The log of review for the pages: the one desk of this process, and who acts."""

from functools import cache

from django.http import HttpRequest

from bastau.desk import Desk
from bastau.home import Home
from bastau.review.acts import By
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.models import Account
from bastau_web.workbench.roles import Role


def the_desk() -> Desk:
    """Return the desk of this process's home."""
    return _desk(the_home())


@cache
def _desk(home: Home) -> Desk:
    return Desk(home)


def acting(request: HttpRequest, role: Role) -> By:
    """Return who acts, as the log writes it, in the role that this act needs."""
    account = request.user
    assert isinstance(account, Account)
    return By(account.name, account.person or account.name, role.value)

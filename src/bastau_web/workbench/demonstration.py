"""The accounts of `bastau demo` and the link that lets into one of them: on this machine, for ten minutes, once."""

import hmac
import threading
import time
from dataclasses import dataclass

from django.http import HttpRequest

from bastau.errors import ConfigError
from bastau_web.workbench import account_acts, second_factor
from bastau_web.workbench.configuring import is_loopback
from bastau_web.workbench.models import Account
from bastau_web.workbench.roles import Role

ROLES = {
    "aigul": (Role.ANALYST, Role.REVIEWER),
    "bolat": (Role.PUBLISHER, Role.REVIEWER),
    "dana": (Role.ADMIN, Role.AUDITOR, Role.REVIEWER),
}
"""Who looks, who releases, and who answers appeals: the fewest with whom everything can be tried."""
_HOLDS_S = 600


@dataclass
class _Link:
    token: str
    until: float


_link: _Link | None = None
_one_at_a_time = threading.Lock()


def make_accounts(password: str) -> list[Account]:
    """Make the accounts, or give them this password.

    Raises:
        ConfigError: the home has accounts, and not these: it is no demo. What dana made beside them is left as it is.
    """
    if Account.objects.exists() and Account.objects.filter(name__in=ROLES).count() < len(ROLES):
        raise ConfigError("this home folder has accounts of its own; name another for the demo with --home")
    for name, roles in ROLES.items():
        account = Account.objects.filter(name=name).first()
        if account is None:
            account = Account.objects.add(name, password, list(roles))
            account_acts.record("", name, "added", after=", ".join(sorted(roles)))
        else:
            account.set_password(password)
            account.save(update_fields=["password"])
            second_factor.take_off(account)
    return accounts()


def accounts() -> list[Account]:
    """Return the accounts of the demo."""
    return list(Account.objects.filter(name__in=ROLES, is_active=True).order_by("name"))


def offer(token: str) -> None:
    """Let whoever has ``token`` in once, from now on for ten minutes."""
    global _link  # noqa: PLW0603 - of this process alone, gone with it
    _link = _Link(token, time.monotonic() + _HOLDS_S)


def holds(request: HttpRequest, token: str) -> bool:
    """Tell whether the link can still be used from where it is asked for."""
    link = _link
    return (
        link is not None
        and time.monotonic() < link.until
        and is_loopback(request.META.get("REMOTE_ADDR", ""))
        and hmac.compare_digest(link.token.encode(), token.encode())
    )


def use(request: HttpRequest, token: str, name: str) -> Account | None:
    """Return the account that was chosen, and end the link; None when nobody is let in."""
    global _link  # noqa: PLW0603
    with _one_at_a_time:
        account = next((one for one in accounts() if one.name == name), None)
        if account is None or not holds(request, token):
            return None
        _link = None
    return account

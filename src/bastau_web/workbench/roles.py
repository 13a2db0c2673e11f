"""Who may open what: each view says so, and one that says nothing is open to nobody."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])


class Role(StrEnum):
    """What an account is for; one may have several."""

    ANALYST = "analyst"
    REVIEWER = "reviewer"
    PUBLISHER = "publisher"
    AUDITOR = "auditor"
    ADMIN = "admin"


ANYBODY = "anybody"
"""Also without an account: signing in, health, style sheets."""
ANY_ACCOUNT = "any account"
"""What concerns one's own account only."""
KEY_HOLDERS = "key holders"
"""Programs with a key of the check API, which checks it itself: an account opens nothing there, and a key nothing elsewhere."""
READERS = tuple(Role)
"""Whoever has a role may look; what one may do differs."""


def open_to(*who: str) -> Callable[[View], View]:
    """Declare who may call a view: roles, :data:`ANY_ACCOUNT`, :data:`KEY_HOLDERS` or :data:`ANYBODY`."""

    def declare(view: View) -> View:
        view.access = frozenset(who)  # type: ignore[attr-defined]
        return view

    return declare


def may_open(access: frozenset[str], roles: frozenset[str] | None) -> bool:
    """Tell whether somebody with ``roles`` (None: not signed in) may."""
    if ANYBODY in access:
        return True
    return roles is not None and (ANY_ACCOUNT in access or bool(access & roles))

"""Slows down guessing of passwords, codes and links. Counts failures; nothing that succeeded is kept."""

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from bastau_web.workbench.models import FailedSignIn

MOST_HERE = 5
"""Failures for one name from one address: whoever guesses elsewhere does not lock the owner out."""
MOST_ADDRESS = 30
MOST_NAME = 60
"""Failures for one name from anywhere: a guess that is spread over many addresses."""


def begin(request: HttpRequest, name: str) -> int | None:
    """Count an attempt as failed before it is looked at; return its number, or None to refuse it without looking.

    It is on the disk before it is counted, so that of many at the same moment no more are looked at than of many in a row.
    """
    name_hash, address_hash = _hashes(request, name)
    FailedSignIn.objects.filter(at__lte=timezone.now() - FailedSignIn.KEPT).delete()
    mine = FailedSignIn.objects.create(name_hash=name_hash, address_hash=address_hash)
    by_name = FailedSignIn.objects.filter(name_hash=name_hash)
    if (
        by_name.filter(address_hash=address_hash).count() > MOST_HERE
        or FailedSignIn.objects.filter(address_hash=address_hash).count() > MOST_ADDRESS
        or by_name.count() > MOST_NAME
    ):
        mine.delete()
        return None
    return mine.pk


def take_back(attempt: int) -> None:
    """Forget an attempt that did not fail, and no earlier failure: more is asked for before anybody is let in."""
    FailedSignIn.objects.filter(pk=attempt).delete()


def forget_failures(request: HttpRequest, name: str) -> None:
    """Start anew after a success, for this name from this address."""
    name_hash, address_hash = _hashes(request, name)
    FailedSignIn.objects.filter(name_hash=name_hash, address_hash=address_hash).delete()


def _hashes(request: HttpRequest, name: str) -> tuple[str, str]:
    address = request.META.get("REMOTE_ADDR", "")
    key = settings.SECRET_KEY
    return tuple(  # type: ignore[return-value]
        salted_hmac(what, value, secret=key, algorithm="sha256").hexdigest()[:32]
        for what, value in (("sign-in name", name.casefold()), ("sign-in address", address))
    )

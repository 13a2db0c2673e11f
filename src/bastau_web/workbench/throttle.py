"""Slows down guessing of passwords and codes. Counts failures; nothing that succeeded is kept."""

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


def is_throttled(request: HttpRequest, name: str) -> bool:
    """Tell whether to refuse without looking at the password."""
    recent = FailedSignIn.objects.filter(at__gt=timezone.now() - FailedSignIn.KEPT)
    name_hash, address_hash = _hashes(request, name)
    by_name, by_address = recent.filter(name_hash=name_hash), recent.filter(address_hash=address_hash)
    return (
        by_name.filter(address_hash=address_hash).count() >= MOST_HERE
        or by_address.count() >= MOST_ADDRESS
        or by_name.count() >= MOST_NAME
    )


def note_failure(request: HttpRequest, name: str) -> None:
    """Count a failure and forget old ones."""
    name_hash, address_hash = _hashes(request, name)
    FailedSignIn.objects.filter(at__lte=timezone.now() - FailedSignIn.KEPT).delete()
    FailedSignIn.objects.create(name_hash=name_hash, address_hash=address_hash)


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

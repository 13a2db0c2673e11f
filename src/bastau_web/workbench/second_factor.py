"""One-time codes of an authenticator app (TOTP, RFC 6238), each accepted once."""

import hmac
import time

import pyotp
from django.db import transaction

from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.models import Account

_STEP_S = 30


def new_secret() -> str:
    """Return a secret to be shown once and kept in an app."""
    return pyotp.random_base32()


def address_of(account: Account, secret: str) -> str:
    """Return the ``otpauth:`` address that apps read."""
    return pyotp.TOTP(secret).provisioning_uri(name=account.name, issuer_name="bastau")


def step_of(secret: str, code: str) -> int | None:
    """Return the time step whose code this is, now or one before or after; None when it is none."""
    totp, now = pyotp.TOTP(secret), int(time.time()) // _STEP_S
    given = code.replace(" ", "").encode()
    return next((n for n in (now, now - 1, now + 1) if hmac.compare_digest(totp.at(n * _STEP_S).encode(), given)), None)


def accept(account: Account, code: str) -> bool:
    """Tell whether ``code`` is right and was not used before, and mark it used."""
    with transaction.atomic():
        row = Account.objects.select_for_update().get(pk=account.pk)
        step = step_of(row.code_secret, code) if row.code_secret else None
        if step is None or step <= row.code_last_step:
            return False
        row.code_last_step = step
        row.save(update_fields=["code_last_step"])
    return True


def is_required(account: Account) -> bool:
    """Tell whether one of the account's roles must have a second factor."""
    return bool(account.roles & set(the_home().settings.web.second_factor))

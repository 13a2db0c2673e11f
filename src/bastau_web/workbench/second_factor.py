"""One-time codes of an authenticator app (TOTP, RFC 6238), each accepted once, and codes for when the app is lost."""

import hashlib
import hmac
import re
import secrets
import time

import pyotp
import segno
from django.db import transaction
from django.http import HttpRequest

from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.models import Account, RecoveryCode

BY_SERVICE = "by_service"
"""Key of sessions that the organisation's sign-in service vouched for: a second factor is asked for there."""
_STEP_S = 30
_N_RECOVERY, _RECOVERY_DIGITS = 10, 20
"""20 digits are 66 bits: too many to try, also by whoever holds the hashes. Digits, because phones show keys for these."""


def new_secret() -> str:
    """Return a secret to be shown once and kept in an app."""
    return pyotp.random_base32()


def address_of(account: Account, secret: str) -> str:
    """Return the ``otpauth:`` address that apps read."""
    return pyotp.TOTP(secret).provisioning_uri(name=account.name, issuer_name="bastau")


def picture_of(address: str) -> str:
    """Return the ``data:`` address of a QR code, dark on light also in the dark: apps read no others."""
    return segno.make(address, error="m", micro=False).svg_data_uri(scale=5, border=4, dark="#000", light="#fff")


def step_of(secret: str, code: str) -> int | None:
    """Return the time step whose code this is, now or one before or after; None when it is none."""
    totp, now = pyotp.TOTP(secret), int(time.time()) // _STEP_S
    given = code.replace(" ", "").encode()
    return next((n for n in (now, now - 1, now + 1) if hmac.compare_digest(totp.at(n * _STEP_S).encode(), given)), None)


def accept(account: Account, code: str) -> bool:
    """Tell whether ``code`` is right and was not used before, and mark it used."""
    digits = re.sub(r"[\s-]", "", code)
    if len(digits) == _RECOVERY_DIGITS:
        n_used, _ = RecoveryCode.objects.filter(account=account, sha256=_sha256(digits)).delete()
        return n_used == 1
    with transaction.atomic():
        row = Account.objects.select_for_update().get(pk=account.pk)
        step = step_of(row.code_secret, code) if row.code_secret else None
        if step is None or step <= row.code_last_step:
            return False
        row.code_last_step = step
        row.save(update_fields=["code_last_step"])
    return True


def new_recovery_codes(account: Account) -> list[str]:
    """Return codes that each stand in once for the app; those from before hold no longer."""
    codes = [f"{secrets.randbelow(10**_RECOVERY_DIGITS):0{_RECOVERY_DIGITS}d}" for _ in range(_N_RECOVERY)]
    with transaction.atomic():
        RecoveryCode.objects.filter(account=account).delete()
        RecoveryCode.objects.bulk_create(RecoveryCode(account=account, sha256=_sha256(code)) for code in codes)
    return ["-".join(code[i : i + 5] for i in range(0, len(code), 5)) for code in codes]


def take_off(account: Account) -> None:
    """Ask this account for its password only."""
    account.code_secret = ""
    account.save(update_fields=["code_secret"])
    RecoveryCode.objects.filter(account=account).delete()


def is_required(account: Account) -> bool:
    """Tell whether one of the account's roles must have a second factor."""
    return bool(account.roles & set(the_home().settings.web.second_factor))


def is_missing(request: HttpRequest, account: Account) -> bool:
    """Tell whether the account has to set up its second factor before anything else."""
    return is_required(account) and not account.code_secret and not request.session.get(BY_SERVICE)


def _sha256(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()

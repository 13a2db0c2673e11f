"""Links by which somebody chooses the password of a new account: for three days, once, known to whoever has the link."""

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse

from bastau_web.workbench import account_acts
from bastau_web.workbench.models import Account, Session

DAYS = settings.PASSWORD_RESET_TIMEOUT // 86_400


class _Links(PasswordResetTokenGenerator):
    """Signed over the password's hash, so that a link ends with its first use; nothing is kept of it."""

    key_salt = "bastau_web.workbench.invitations"


_links = _Links()


def invite(account: Account) -> str:
    """Return the path of a link for the account; its password and all links from before hold no longer."""
    account.set_unusable_password()
    account.save(update_fields=["password"])
    Session.objects.filter(account=account).delete()
    return reverse("invitation", args=[account.name, _links.make_token(account)])


def holds(name: str, token: str) -> bool:
    """Tell whether a link can still be used."""
    return _links.check_token(Account.objects.filter(name=name, is_active=True).first(), token)


def join(name: str, token: str, password: str) -> Account:
    """Set the password with the link, which ends by that.

    Raises:
        ValidationError: the password is too weak (nothing ends), or the link holds no longer (code ``link``).
    """
    with transaction.atomic():
        account = Account.objects.select_for_update().filter(name=name, is_active=True).first()
        if account is None or not _links.check_token(account, token):
            raise ValidationError("link", code="link")
        validate_password(password, account)
        account.set_password(password)
        account.save(update_fields=["password"])
        account_acts.record(account.name, account.name, "joined")
    return account

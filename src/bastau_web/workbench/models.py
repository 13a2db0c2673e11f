"""Accounts and sessions. Nobody here is a subject of posts: these are the people who use the workbench."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, Group
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from bastau_web.workbench.roles import Role

_NAME = RegexValidator(r"\A[a-z0-9][a-z0-9._@+-]{1,63}\Z", "2 to 64 of a-z 0-9 . _ @ + -, a letter or digit first")
"""As the log of review writes accounts and people."""


class AccountManager(BaseUserManager["Account"]):
    """Makes accounts."""

    def add(self, name: str, password: str | None, roles: list[Role], *, person: str = "") -> Account:
        """Make an account with a password that has been validated, or with none yet."""
        account = self.model(name=self.model.normalize_username(name).lower(), person=person)
        account.set_password(password)
        account.full_clean()
        account.save(using=self._db)
        account.groups.set(Group.objects.filter(name__in=roles))
        return account

    def person_behind(self, name: str) -> str:
        """Return the human being behind an account, as the log of review writes it.

        Raises:
            Account.DoesNotExist: there is no such account, so a slip would make two reviewers of one human being.
        """
        account = self.get(name=name)
        return account.person or account.name


class Account(AbstractBaseUser):
    """Somebody who uses the workbench. Roles are groups; there is no all-mighty account.

    Attributes:
        person: the human being behind it; empty: the account has its own. Two accounts of one person are one reviewer.
        identity: issuer and subject of the organisation's sign-in service; empty: none.
    """

    name = models.CharField(max_length=64, unique=True, validators=[_NAME])
    groups = models.ManyToManyField(Group, blank=True)
    language = models.CharField(max_length=2, blank=True, default="")
    is_active = models.BooleanField(default=True)
    made_at = models.DateTimeField(default=timezone.now)
    code_secret = models.CharField(max_length=64, blank=True, default="")
    code_last_step = models.BigIntegerField(default=0)
    person = models.CharField(max_length=64, blank=True, default="", validators=[_NAME])
    identity = models.CharField(max_length=512, blank=True, default="", db_index=True)

    objects: ClassVar[AccountManager] = AccountManager()
    USERNAME_FIELD = "name"

    class Meta:
        """One account an identity."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["identity"], condition=~models.Q(identity=""), name="one_account_an_identity"
            )
        ]

    @cached_property
    def roles(self) -> frozenset[str]:
        """Names of its roles."""
        return frozenset(self.groups.values_list("name", flat=True))


class RecoveryCode(models.Model):
    """A code that stands in once for the app that was lost; kept as SHA-256, since it is long and random."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    sha256 = models.CharField(max_length=64)


class AccountAct(models.Model):
    """What somebody did to an account. Rows are only ever added; addresses of machines are not kept.

    Attributes:
        by: name of the account that acted; empty: whoever runs the command line.
        account: name of the account that it was done to.
        detail: what was there before and after, where that is no secret.
    """

    at = models.DateTimeField(default=timezone.now, db_index=True)
    by = models.CharField(max_length=64, blank=True)
    account = models.CharField(max_length=64)
    act = models.CharField(max_length=20)
    detail = models.CharField(max_length=1200, blank=True, default="")


class Session(AbstractBaseSession):
    """A session that knows whose it is, so that one can see and end one's own."""

    account = models.ForeignKey(Account, null=True, on_delete=models.CASCADE)
    started_at = models.DateTimeField(default=timezone.now)
    agent = models.CharField(max_length=120, blank=True, default="")

    class Meta:
        """Nothing but where the rows are."""

        db_table = "workbench_session"

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        """Return the store that writes these rows."""
        from bastau_web.workbench.sessions import SessionStore

        return SessionStore


class FailedSignIn(models.Model):
    """A sign-in that failed, kept for a quarter of an hour. Names and addresses are keyed hashes."""

    name_hash = models.CharField(max_length=32, db_index=True)
    address_hash = models.CharField(max_length=32, db_index=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    KEPT: ClassVar[timedelta] = timedelta(minutes=15)


class Desk(models.Model):
    """A case on somebody's desk (:class:`bastau.review.queue.Lock`); others find it taken until then."""

    case = models.CharField(max_length=20, primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    until = models.DateTimeField()


class AppealWords(models.Model):
    """What a publisher wrote in an appeal; the log holds its hash only, so that this can be erased."""

    case = models.CharField(max_length=20, db_index=True)
    text_sha256 = models.CharField(max_length=64, unique=True)
    text = models.TextField()
    filed_at = models.DateTimeField(default=timezone.now)


class Notice(models.Model):
    """That a publisher was told of an entry version, and how; neither the words nor the code are kept."""

    case = models.CharField(max_length=20)
    entry_n = models.BigIntegerField()
    account = models.ForeignKey(Account, null=True, on_delete=models.SET_NULL)
    way = models.CharField(max_length=200)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        """One notice a version."""

        constraints: ClassVar = [models.UniqueConstraint(fields=["case", "entry_n"], name="one_notice_a_version")]


class SavedSearch(models.Model):
    """A search that somebody keeps; the query is that of the address."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    name = models.CharField(max_length=120)
    query = models.CharField(max_length=2000)
    is_shared = models.BooleanField(default=False)
    made_at = models.DateTimeField(default=timezone.now)

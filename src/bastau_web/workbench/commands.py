"""What `bastau serve`, `bastau demo` and `bastau user` do; the command line finds them by the entry points ``bastau.commands``."""

import contextlib
import secrets
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import waitress.server
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from bastau.errors import ConfigError, ContractError
from bastau.home import Home
from bastau_web.workbench.configuring import configure, is_loopback
from bastau_web.workbench.roles import Role

_LOOPBACK = "127.0.0.1"
_THREADS = 32
"""Requests of the check API that wait together are answered together, so more at once are cheaper each; idle threads cost nothing."""
_MOST_BODY_BYTES = (4 << 20) + 1
"""From here on nothing is taken: pictures for the check API have at most 4 MiB; forms and JSON are held to 1 MiB by Django."""


def serve(home: Home, *, host: str, port: int, ready: Callable[[str, str | None], None]) -> None:
    """Serve the workbench until interrupted.

    Args:
        home: whose lake is shown.
        host: address to listen on.
        port: port; 0 takes any free one.
        ready: gets the address listened on, and the code for the first account while there is none.

    Raises:
        ConfigError: the port is none or taken, the database cannot be used, or ``host`` is open to others without an
            https [web] origin.
    """
    _check_port(port)
    origin = home.settings.web.origin
    if not origin.startswith("https://") and not is_loopback(host):
        raise ConfigError(
            f"--host {host}: others could reach this; first set [web] origin in bastau.toml to the https address that they open"
        )
    _open(home, host)
    _serve(home, host, port, ready)


def _serve(home: Home, host: str, port: int, ready: Callable[[str, str | None], None]) -> None:
    from django.core.wsgi import get_wsgi_application

    from bastau_web.check_api import background as check_api
    from bastau_web.workbench import lake_reader, publishing
    from bastau_web.workbench.models import Account

    code = None if Account.objects.exists() else f"{secrets.token_hex(4)}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
    settings.BASTAU_SET_UP_CODE = code or ""
    behind: dict[str, Any] = {}
    if home.settings.web.origin:
        behind = {
            "trusted_proxy": "127.0.0.1",
            "trusted_proxy_count": 1,
            "trusted_proxy_headers": "x-forwarded-for x-forwarded-proto x-forwarded-host",
        }
    try:
        server = waitress.server.create_server(
            get_wsgi_application(),
            host=host,
            port=port,
            threads=_THREADS,
            ident=None,
            max_request_body_size=_MOST_BODY_BYTES,
            inbuf_overflow=_MOST_BODY_BYTES,  # nothing that is asked is ever on a disk
            clear_untrusted_proxy_headers=True,
            **behind,
        )
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot listen on {host}, port {port} ({error}): name another with --port, or --port 0 for any free one"
        ) from error
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    bound = port or getattr(server, "effective_port", port)
    threading.Thread(target=lake_reader.begin, daemon=True).start()
    stop_publishing = publishing.start(home)
    stop_check_api = check_api.start(home)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            ready(f"http://{f'[{host}]' if ':' in host else host}:{bound}", code)
            server.run()
    finally:
        server.close()
        stop_publishing()
        stop_check_api()


def demo(home: Home, *, port: int, ready: Callable[[str, str, str], None]) -> None:
    """Serve the workbench of a demo on this machine until interrupted.

    Args:
        home: with invented posts only.
        port: port; 0 takes any free one.
        ready: gets the address listened on, the path of a link that lets in once within ten minutes, and the password of
            all accounts of the demo, new each time.

    Raises:
        ConfigError: as :func:`serve`, or the home is no demo: it has other accounts, or an address for others.
    """
    if home.settings.web.origin:
        raise ConfigError("demo: the home has a [web] origin, so others reach it; name another folder with --home")
    _check_port(port)
    _open(home, _LOOPBACK)
    from django.urls import reverse

    from bastau_web.workbench import demonstration

    password, token = "-".join(secrets.token_hex(2) for _ in range(4)), secrets.token_urlsafe(24)
    demonstration.make_accounts(password)

    def told(address: str, _code: str | None) -> None:
        demonstration.offer(token)
        ready(address, reverse("demo-sign-in", args=[token]), password)

    _serve(home, _LOOPBACK, port, told)


def user(
    home: Home, act: str, name: str | None, roles: Sequence[str], password: Callable[[], str], person: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """List, add or change accounts; return the answer and its lines.

    Args:
        home: whose accounts.
        act: ``list``, ``add``, ``roles``, ``password``, ``disable`` or ``enable``.
        name: the account.
        roles: for ``add`` and ``roles``.
        password: is asked when one is needed.
        person: for ``add``: the human being behind the account; empty: nobody who has another one.

    Raises:
        ConfigError: a wrong name, role or password, or the database cannot be used.
    """
    _open(home, _LOOPBACK)
    from django.contrib.auth.models import Group
    from django.contrib.auth.password_validation import validate_password

    from bastau_web.workbench import account_acts, second_factor
    from bastau_web.workbench.models import Account, Session

    if act == "list":
        return _listed(list(Account.objects.order_by("name")))
    if not name:
        raise ConfigError(f"user {act}: name the account")
    if unknown := sorted(set(roles) - set(Role)):
        raise ConfigError(f"no role {unknown[0]!r}; known: {', '.join(Role)}")
    if act in ("add", "roles") and not roles:
        raise ConfigError(
            f"user {act}: name a role with --role: {', '.join(Role)}; `user disable` shuts an account out"
        )
    if person and act != "add":
        raise ConfigError(f"user {act}: --person is for add; later it is changed on the page of the account")
    name = name.lower()
    chosen = [Role(role) for role in roles]
    is_there = Account.objects.filter(name=name).exists()
    if act == "add" and is_there:
        raise ConfigError(f"there is an account {name} already")
    if act != "add" and not is_there:
        raise ConfigError(f"no account {name}; `bastau user list` names them")
    try:
        behind = Account.objects.person_behind(person.lower()) if person else ""
    except Account.DoesNotExist as error:
        raise ConfigError(
            f"--person {person}: no account of this name; name the first account of the same human being"
        ) from error
    given = password() if act in ("add", "password") else ""
    try:
        with transaction.atomic():
            if act == "add":
                validate_password(given, Account(name=name))
                account = Account.objects.add(name, given, chosen, person=behind)
                account_acts.record("", name, "added", after=", ".join(sorted(account.roles)))
                if person:
                    account_acts.record("", name, "person", after=account.person)
                return _listed([account])
            account = Account.objects.select_for_update().get(name=name)
            if act == "password":
                validate_password(given, account)
                account.set_password(given)
                second_factor.take_off(account)
                account_acts.record("", name, "password")
            elif act == "roles":
                before = ", ".join(sorted(account.roles))
                account.groups.set(Group.objects.filter(name__in=chosen))
                account_acts.record("", name, "roles", before, ", ".join(sorted(chosen)))
            else:
                account.is_active = act == "enable"
                account_acts.record("", name, "enabled" if account.is_active else "disabled")
            account.save()
            # What somebody was let in for may hold no longer.
            Session.objects.filter(account=account).delete()
    except ValidationError as error:
        raise ConfigError(" ".join(error.messages)) from error
    return _listed([Account.objects.get(pk=account.pk)])


def _listed(accounts: Sequence[Any]) -> tuple[dict[str, Any], list[str]]:
    rows = [
        {
            "name": account.name,
            "roles": sorted(account.roles),
            "is_active": account.is_active,
            "has_second_factor": bool(account.code_secret),
            "person": account.person or account.name,
        }
        for account in accounts
    ]
    lines = [
        f"{row['name']}: {', '.join(row['roles']) or 'no role'}"
        f"{'' if row['is_active'] else ', disabled'}{', second factor' if row['has_second_factor'] else ''}"
        f"{'' if row['person'] == row['name'] else ', person ' + row['person']}"
        for row in rows
    ]
    return {"accounts": rows}, lines or ["no accounts; `bastau user add NAME --role admin` makes one"]


def _check_port(port: int) -> None:
    if not 0 <= port < 1 << 16:
        raise ConfigError(f"--port {port}: ports go from 0 to 65535")


def _open(home: Home, host: str) -> None:
    """Configure Django for ``home`` and bring its database to this version."""
    configure(home, host=host)
    from django.core.checks import run_checks
    from django.core.management import call_command

    wrong = [message for message in run_checks() if message.is_serious()]
    if wrong:
        raise ContractError("\n".join(map(str, wrong)))
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except DatabaseError as error:
        raise ConfigError(f"the database of the workbench cannot be used: {error}") from error

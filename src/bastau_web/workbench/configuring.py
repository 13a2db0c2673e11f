"""Django's settings for one home folder: its database, its key, the address that people open."""

import ipaddress
import logging
import os
import secrets
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import django
from django.conf import settings
from django.db.utils import InterfaceError, OperationalError

from bastau.errors import ConfigError
from bastau.home import Home
from bastau.keyfile import kept_secret
from bastau.network import read_secret
from bastau.settings import Web
from bastau_web.workbench import settings as fixed
from bastau_web.workbench.roles import Role

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_YEAR_S = 365 * 86_400
DATABASE_IS_AWAY = (OperationalError, InterfaceError)
"""What is raised when the database does not answer, or lets nobody in for now."""
_PATIENCE = {"connect_timeout": "3", "tcp_user_timeout": "10000"}
"""Of PostgreSQL's client (s, ms): else a machine that is off holds each page, and with them all threads, for two minutes."""


def configure(home: Home, *, host: str = "127.0.0.1") -> None:
    """Configure Django for this process, once; ``host`` is what is listened on.

    Raises:
        ConfigError: the settings under [web] cannot be used.
    """
    values = {name: value for name, value in vars(fixed).items() if name.isupper()}
    settings.configure(**values | of_home(home, host))
    django.setup()
    for name in ("django.request", "django.security.csrf"):
        logging.getLogger(name).addFilter(_without_address)


def _without_address(record: logging.LogRecord) -> bool:
    """Take the address out of Django's lines: it may hold a private person's name that somebody asked for."""
    request = record.__dict__.pop("request", None)
    if request is not None and isinstance(record.args, tuple):
        asked = request.resolver_match.route if request.resolver_match else "no page of ours"
        record.args = (*record.args[:-1], asked)
    return True


def the_home() -> Home:
    """Return the home of this process."""
    home: Home | None = settings.BASTAU_HOME
    assert home is not None
    return home


def of_home(home: Home, host: str) -> dict[str, Any]:
    """Return what differs from home to home."""
    web = home.settings.web
    _check_service(web)
    if unknown := sorted(set(web.second_factor) - set(Role)):
        raise ConfigError(f"web.second_factor: no role {unknown[0]!r}; known: {', '.join(Role)}")
    folder = home.folder / "workbench"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        key = kept_secret(folder / "secret-key", secrets.token_urlsafe(64).encode()).decode("ascii")
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror}") from error
    return {
        "SECRET_KEY": key,
        "DATABASES": {"default": _database(web.database, folder)},
        "SESSION_COOKIE_AGE": web.session_hours * 3600,
        "BASTAU_HOME": home,
        **_addresses(web.origin, host),
    }


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_service(web: Web) -> None:
    """Refuse a sign-in service that cannot be used, before anything is served."""
    if not web.oidc_issuer:
        return
    parts = urlsplit(web.oidc_issuer)
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))):
        raise ConfigError(f"web.oidc_issuer: {web.oidc_issuer!r} is no address as https://accounts.example.org")
    if not web.oidc_client_id:
        raise ConfigError("web.oidc_client_id: write the id by which the sign-in service knows bastau")
    if find_spec("authlib") is None:
        raise ConfigError("web.oidc_issuer: authlib is not installed; pip install 'bastau[oidc]'")
    read_secret(web.oidc_client_secret)


def _database(named: str, folder: Path) -> dict[str, Any]:
    if not named:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": folder / "decisions.db",
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 10,
                "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
            },
        }
    variable = named.removeprefix("env:")
    if variable == named:
        raise ConfigError("web.database: write `env:NAME`; an address with a password does not belong in the file")
    parts = urlsplit(os.environ.get(variable, ""))
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise ConfigError(f"web.database: {variable} must hold an address as postgresql://user:password@host/name")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": _PATIENCE | dict(parse_qsl(parts.query)),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


def _addresses(origin: str, host: str) -> dict[str, Any]:
    """Return which names are answered to, and what https brings with it."""
    # To Django "*" is every name.
    hosts = [*_LOCAL_HOSTS, *({host} - {"*"})]
    if not origin:
        return {"ALLOWED_HOSTS": hosts}
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise ConfigError(f"web.origin: {origin!r} is no address as https://workbench.example.org")
    is_https = parts.scheme == "https"
    return {
        "ALLOWED_HOSTS": [*hosts, parts.hostname],
        "CSRF_TRUSTED_ORIGINS": [f"{parts.scheme}://{parts.netloc}"],
        "SESSION_COOKIE_SECURE": is_https,
        "CSRF_COOKIE_SECURE": is_https,
        "SECURE_SSL_REDIRECT": is_https,
        "SECURE_REDIRECT_EXEMPT": [r"^health$"],
        "SECURE_HSTS_SECONDS": _YEAR_S if is_https else 0,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": is_https,
    }

"""Domains as they come, and the website that they belong to."""

import ipaddress
import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path

from bastau.registrable import public_suffix, registrable_domain

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


MAX_ADDRESS = 2048
"""Characters of an address that are looked at; also what bounds the memory of addresses known already."""


def host_of(address: str) -> str | None:
    """Return the host of a domain or address in lower-case ASCII, without port, user and closing dot; None: no host.

    International names become their ASCII form (RFC 5890), so that both spellings are one.
    """
    return _host_of(address.strip()[:MAX_ADDRESS])


@lru_cache(maxsize=1 << 16)
def _host_of(address: str) -> str | None:
    text = _SCHEME.sub("", address)
    text = re.split(r"[/?#\\]", text, maxsplit=1)[0].rsplit("@", 1)[-1]
    if text.startswith("["):
        return None
    text = re.sub(r":\d{0,5}$", "", text).rstrip(".").lower()
    if not text.isascii():
        try:
            text = text.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    labels = text.split(".")
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    if not text.replace(".", "").isdigit():
        return text
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def site_of(address: str) -> str | None:
    """Return the website that a domain or address belongs to: its registrable domain, in ASCII.

    ``news.example.kz`` and ``www.example.kz`` are one site; two blogs of one platform are two (the private part of the
    Public Suffix List, and ``platforms`` of ``lists.toml``). A name without a dot, or an address in numbers, is its own site. None: not a host.
    """
    host = host_of(address)
    return None if host is None else _site_of(host)


@lru_cache(maxsize=1 << 16)
def _site_of(host: str) -> str:
    site = registrable_domain(host)
    if site in _platforms() and host not in (site, f"www.{site}"):
        return f"{host.removesuffix('.' + site).rsplit('.', 1)[-1]}.{site}"
    return site


@cache
def _platforms() -> frozenset[str]:
    raw = tomllib.loads(Path(__file__).with_name("lists.toml").read_text("utf-8"))
    return frozenset(raw["platforms"]["hosts"])


def label_of(site: str) -> str:
    """Return the name of a site without its ending: ``pravda-kz`` of ``pravda-kz.com``."""
    suffix = public_suffix(site)
    return site[: -len(suffix) - 1] if suffix and len(site) > len(suffix) else site


def lies_in(host: str, domains: frozenset[str]) -> bool:
    """Say whether ``host`` is one of ``domains`` or below one."""
    parts = host.split(".")
    return any(".".join(parts[i:]) in domains for i in range(len(parts)))

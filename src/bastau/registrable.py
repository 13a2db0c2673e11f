"""The registrable domain of a host: the one question that the Public Suffix List answers for all parts."""

from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@lru_cache(maxsize=1 << 17)
def registrable_domain(host: str) -> str:
    """Return the registrable domain of a host in lower-case ASCII; a host without one, or in numbers, is its own.

    Two blogs of one platform are two where the list's private part says so.
    """
    if ":" in host or host.replace(".", "").isdigit():
        return host
    return _suffixes().privatesuffix(host) or host


def public_suffix(host: str) -> str:
    """Return the ending under which a host was registered, as ``com`` or ``co.uk``; empty for none."""
    return _suffixes().publicsuffix(host) or ""


@cache
def _registries() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)


@lru_cache(maxsize=1 << 17)
def is_under_platform(host: str) -> bool:
    """Say whether a host lies under one that gives hosts away, as blogs and pages do: the list's private part."""
    return public_suffix(host) != (_registries().publicsuffix(host) or "")

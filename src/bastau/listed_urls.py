"""Addresses on lists: in our own canonical form, compared by the expressions of Safe Browsing.

Lists that come as addresses are compared in the form of :mod:`bastau.urls` and by :func:`page_expressions` of it; lists of hashes
by those of :mod:`bastau.prefix_client`.
"""

import re
from functools import cache
from importlib.resources import files

from bastau.prefix_client import folders, host_suffixes, safe_canonical, split_address
from bastau.urls import canonical_url

_OTHER_SCHEME = re.compile(r"\s*(?!https?:|hxxps?:)[a-z][a-z0-9+.\-]*:(?!\d)", re.I)
_SECOND_LEVEL = re.compile(r"(?:ac|co|com|edu|gob|gov|mil|net|or|org)\.[a-z]{2}")


def _lines(name: str) -> list[str]:
    text = files("bastau").joinpath("url_lists", name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@cache
def shared_hosts() -> frozenset[str]:
    """Return hosts on which many unrelated people publish, and the beginnings of path that everybody's pages there share."""
    return frozenset(_lines("shared_hosts.txt"))


@cache
def _members_only() -> re.Pattern[str]:
    beginnings = (
        re.escape(line) + ("" if line.endswith(("/", "+", "%2b")) else "(?:/|$)") for line in _lines("members_only.txt")
    )
    return re.compile("|".join(beginnings))


def is_members_only(url: str) -> bool:
    """Say whether an address opens only for members, invited people or the owner: invitations, messages, closed groups."""
    canonical = canonical_url(url)
    if canonical is None:
        return False
    host, path, _ = split_address(canonical)
    return _members_only().match((host + path).lower()) is not None


def page_expressions(canonical: str) -> list[str]:
    """Return the expressions of a :func:`bastau.urls.canonical_url` address that a listed address may equal.

    Those of :func:`safe_expressions`, and the path as a folder: our canonical form has lost a slash at the end.
    """
    host, path, query = split_address(canonical)
    paths = dict.fromkeys([path + query, path, path if path.endswith("/") else path + "/", *folders(path)])
    return [suffix + prefix for suffix in host_suffixes(host) for prefix in paths]


def listed_expressions(url: str) -> tuple[list[str], str | None]:
    """Return (expressions under which a listed address is found, None), or ([], why it is rejected).

    A page is found as that page, a folder (with a slash at the end) with all under it, a bare host with all its
    pages and hosts under it, an account on a shared host with all its posts.
    """
    canonical = canonical_url(url)
    if canonical is None and not _OTHER_SCHEME.match(url):
        safe = safe_canonical(url)
        canonical = canonical_url(safe) if safe else None
    if canonical is None:
        return [], "bad_url"
    host, path, query = split_address(canonical)
    if path == "/" and not query:
        too_broad = host in shared_hosts() or _SECOND_LEVEL.fullmatch(host) is not None
        return ([], "too_broad") if too_broad else ([host + "/"], None)
    if query:
        return [host + path + query], None
    if f"{host}/{path.strip('/').lower()}" in shared_hosts():
        return [], "too_broad"
    if re.search(r"[^/]/+\s*$", url.partition("#")[0].partition("?")[0]):
        return [host + path.rstrip("/") + "/"], None
    if path.count("/") == 1 and host in shared_hosts():
        return [host + path, host + path + "/"], None
    return [host + path], None

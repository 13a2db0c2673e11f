"""Addresses as Safe Browsing lists know them: one canonical form, the expressions looked up for it, their hashes.

Lists that publishers exchange as hashes are hashes of these expressions. Lists that come as addresses are compared
in our own canonical form (:mod:`bastau.urls`) and by :func:`page_expressions` of it.

Reference: Safe Browsing API (v4), "URLs and hashing": canonicalization, suffix/prefix expressions.
"""

import hashlib
import re
from functools import cache
from importlib.resources import files

from bastau.urls import canonical_url

MAX_LENGTH = 8192
"""Longer addresses have no expressions."""
MAX_HOSTS = 5
MAX_PATHS = 6

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_SCHEME = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.\-]*://")
_IP_PART = re.compile(rb"0[xX][0-9a-fA-F]*|0[0-7]*|[1-9][0-9]*")
_DOTS = re.compile(rb"\.{2,}")
_SLASHES = re.compile(rb"/{2,}")
_OTHER_SCHEME = re.compile(r"\s*(?!https?:|hxxps?:)[a-z][a-z0-9+.\-]*:(?!\d)", re.I)
_PLAIN_IP = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}")
_SECOND_LEVEL = re.compile(r"(?:ac|co|com|edu|gob|gov|mil|net|or|org)\.[a-z]{2}")


def safe_canonical(url: str | bytes) -> str | None:
    """Return the canonical form of an address, or None when it has no host or is too long.

    Escapes resolved until none is left and then written again; fragment, port, user name, tab and line ends gone;
    host in lower case (punycode if it was not ASCII) or as four decimal numbers; ``.``, ``..`` and double slashes of
    the path resolved.
    """
    raw = url if isinstance(url, bytes) else _ascii_host(url).encode("utf-8", "surrogateescape")
    if len(raw) > MAX_LENGTH:
        return None
    raw = raw.strip(b" ").translate(None, b"\t\r\n").split(b"#", 1)[0]
    raw = _unescaped(raw)
    found = _SCHEME.match(raw)
    scheme, rest = (raw[: found.end() - 3].lower(), raw[found.end() :]) if found else (b"http", raw)
    cut = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    authority, tail = rest[:cut], rest[cut:]
    host = _host(authority)
    if not host:
        return None
    path, mark, query = tail.partition(b"?")
    return (scheme + b"://" + _escaped(host) + _escaped(_path(path) + mark + query)).decode("ascii")


def _ascii_host(url: str) -> str:
    """Return ``url`` with a host that is not ASCII in punycode, where that is possible."""
    if url.isascii():
        return url
    found = re.match(r"\s*(?:[a-zA-Z][a-zA-Z0-9+.\-]*://)?([^/?#]*)", url)
    host = found.group(1) if found else ""
    if host.isascii():
        return url
    try:
        return url.replace(host, host.encode("idna").decode("ascii"), 1)
    except UnicodeError:
        return url


def _unescaped(raw: bytes) -> bytes:
    while True:  # each round that changes something shortens it
        plain = _ESCAPE.sub(lambda found: bytes([int(found.group(1), 16)]), raw)
        if plain == raw:
            return plain
        raw = plain


def _escaped(raw: bytes) -> bytes:
    return b"".join(b"%%%02X" % b if b <= 0x20 or b >= 0x7F or b in b"#%" else bytes([b]) for b in raw)


def _host(authority: bytes) -> bytes:
    host = re.sub(rb":\d*$", b"", authority.rpartition(b"@")[2])
    host = _DOTS.sub(b".", host.strip(b".")).lower()
    return _ip(host) or host


def _ip(host: bytes) -> bytes | None:
    """Return ``host`` as four decimal numbers if it is an IPv4 address in any spelling that browsers take."""
    parts = host.split(b".")
    if len(parts) > 4 or not all(_IP_PART.fullmatch(part) for part in parts):
        return None
    numbers = [
        int(part[2:] or b"0", 16)
        if part[:2] == b"0x"
        else int(part, 8)
        if part[0] == 48 and len(part) > 1
        else int(part)
        for part in parts
    ]
    *first, last = numbers
    if any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        return None
    octets = [*first, *last.to_bytes(4 - len(first), "big")]
    return b".".join(b"%d" % octet for octet in octets)


def _path(path: bytes) -> bytes:
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for at, segment in enumerate(segments):
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
            continue
        if at == len(segments) - 1:
            kept.append(b"")  # a path that ends in dots is a folder
    return _SLASHES.sub(b"/", b"/" + b"/".join(kept))


def _split(canonical: str) -> tuple[str, str, str]:
    """Return (host, path, "?query" or "") of a canonical address."""
    rest = canonical.partition("://")[2].partition("#")[0]
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    path, mark, query = rest[cut:].partition("?")
    return re.sub(r":\d*$", "", rest[:cut]), path or "/", mark + query


def _host_suffixes(host: str) -> list[str]:
    """Return the host and up to four suffixes of it, of two to five labels."""
    if _PLAIN_IP.fullmatch(host):
        return [host]
    labels = host.split(".")
    first = max(1, len(labels) - 5)
    return [host, *(".".join(labels[at:]) for at in range(first, len(labels) - 1))][:MAX_HOSTS]


def _folders(path: str) -> list[str]:
    """Return the root and up to three more folders of a path."""
    segments = path.split("/")[1:-1]
    return ["/", *("/" + "/".join(segments[:n]) + "/" for n in range(1, len(segments) + 1))][:4]


def safe_expressions(canonical: str) -> list[str]:
    """Return the host-suffix path-prefix expressions of a :func:`safe_canonical` address, at most 30, most exact first."""
    host, path, query = _split(canonical)
    paths = dict.fromkeys([path + query, path, *_folders(path)]) if query else dict.fromkeys([path, *_folders(path)])
    return [suffix + prefix for suffix in _host_suffixes(host) for prefix in paths]


def safe_hashes(url: str) -> list[bytes]:
    """Return the SHA-256 of each expression of an address; none if it is no address."""
    canonical = safe_canonical(url)
    return [hashlib.sha256(e.encode()).digest() for e in safe_expressions(canonical)] if canonical else []


# ---- addresses on lists, in our own canonical form -------------------------------------------------------


@cache
def _shared_hosts() -> frozenset[str]:
    text = files("bastau.read").joinpath("shared_hosts.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def page_expressions(canonical: str) -> list[str]:
    """Return the expressions of a :func:`bastau.urls.canonical_url` address that a listed address may equal.

    Those of :func:`safe_expressions`, and the path as a folder: our canonical form has lost a slash at the end.
    """
    host, path, query = _split(canonical)
    paths = dict.fromkeys([path + query, path, path if path.endswith("/") else path + "/", *_folders(path)])
    return [suffix + prefix for suffix in _host_suffixes(host) for prefix in paths]


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
    host, path, query = _split(canonical)
    if path == "/" and not query:
        too_broad = host in _shared_hosts() or _SECOND_LEVEL.fullmatch(host) is not None
        return ([], "too_broad") if too_broad else ([host + "/"], None)
    if query:
        return [host + path + query], None
    if f"{host}/{path.strip('/').lower()}" in _shared_hosts():
        return [], "too_broad"
    if re.search(r"[^/]/+\s*$", url.partition("#")[0].partition("?")[0]):
        return [host + path.rstrip("/") + "/"], None
    if path.count("/") == 1 and host in _shared_hosts():
        return [host + path, host + path + "/"], None
    return [host + path], None

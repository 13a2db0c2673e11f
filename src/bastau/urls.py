"""Canonical addresses: one spelling for each page, so that posts which point to the same page join.

A canonical address is a key to compare by, not one to fetch: the scheme is always written https.
"""

import re
from functools import cache
from importlib.resources import files
from urllib.parse import quote, unquote

MAX_LENGTH = 2048
"""Longer canonical addresses are none."""
_MAX_RAW = 4 * MAX_LENGTH
_MAX_STEPS = 8
"""Redirect wrappers nested deeper than this are an attempt to keep us busy."""

_PARTS = re.compile(r"(?:([a-z][a-z0-9+.\-]*)://)?([^/?#\\]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.I | re.S)
_OTHER_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]*:(?!//|\d)", re.I)
_HOST = re.compile(
    r"(?=.{4,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+(?=[a-z0-9-]*[a-z])[a-z0-9][a-z0-9-]{0,61}[a-z0-9]"
    r"|(?:\d{1,3}\.){3}\d{1,3}"
)
_PORT = re.compile(r":(\d*)$")
_WWW = re.compile(r"www\d?\.(?=[^.]+\.)")
# Phone and AMP views of a site; not where the rest would be a public suffix (m.com.kz).
_VIEW = re.compile(r"(?:m|mobile|amp|touch)\.(?!(?:ac|co|com|edu|gov|net|org)\.[^.]+$)(?=[^.]+\.)")
_AMP_PATH = re.compile(r"/amp(?=/|$)")
_CLEAN = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?]*")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_KEPT = "%!$&'()*+,;=:@/?-._~"


def _lines(name: str) -> list[list[str]]:
    text = files("bastau").joinpath("url_lists", name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


@cache
def _aliases() -> dict[str, str]:
    return {host: same for host, same, _ in _lines("host_aliases.tsv")}


@cache
def _redirects() -> dict[str, list[tuple[str, str]]]:
    by_host: dict[str, list[tuple[str, str]]] = {}
    for host, path, parameter in _lines("redirects.tsv"):
        by_host.setdefault(host, []).append((path, parameter))
    return by_host


@cache
def _tracking() -> tuple[frozenset[str], tuple[str, ...]]:
    names = [line[0] for line in _lines("tracking_parameters.txt")]
    return (
        frozenset(name for name in names if not name.endswith("*")),
        tuple(name[:-1] for name in names if name.endswith("*")),
    )


def canonical_url(url: str) -> str | None:
    """Return the canonical form of a web address, or None when it is none (or too long).

    Lower-case punycode host without ``www.``, ``m.`` and default port; percent-encoding normalised; tracking
    parameters, fragment (but ``#!``) and trailing slash gone; other parameters sorted; sites under two names
    under one; redirect wrappers replaced by where they lead. Doing it twice changes nothing.

    Reference: RFC 3986, section 6.2 (normalisation); RFC 3490 (IDNA).
    """
    if len(url) > _MAX_RAW:
        return None
    current = url
    for _ in range(_MAX_STEPS):
        step = _step(current)
        if step is None or step == current:
            return step if step is None or len(step) <= MAX_LENGTH else None
        current = step
    return None


def _step(url: str) -> str | None:
    url = re.sub(r"[\x00-\x1f\x7f]", "", url).strip().replace("&amp;", "&")
    if _OTHER_SCHEME.match(url):
        return None
    parts = _PARTS.fullmatch(url)
    if parts is None:
        return None
    scheme, authority, path, query, fragment = parts.groups()
    if (scheme or "https").lower() not in ("http", "https", "hxxp", "hxxps"):
        return None
    host, port = _split_authority(authority)
    if host is None:
        return None
    path = _normal_path(path)
    parameters = _parameters(query or "")
    target = _unwrapped(host, path, parameters)
    if target is not None:
        return target
    path, parameters = _site_form(host, path, parameters)
    tail = "?" + "&".join(sorted(parameters)) if parameters else ""
    if fragment and fragment.startswith("!"):
        tail += "#" + _normal_escapes(fragment)
    return f"https://{host}{port}{path.rstrip('/')}{tail}"


def _split_authority(authority: str) -> tuple[str | None, str]:
    """Return (canonical host or None, ":port" unless default)."""
    host = authority.rpartition("@")[2]
    port = _PORT.search(host)
    if port:
        host = host[: port.start()]
    number = port.group(1).lstrip("0") if port else ""
    return canonical_host(host), f":{number}" if number not in ("", "80", "443") else ""


@cache
def _alias_or_self(host: str) -> str:
    return _aliases().get(host, host)


def canonical_host(host: str) -> str | None:
    """Return ``host`` in lower-case punycode, under the one name its site goes by, or None if it is no host name."""
    host = unquote(host).lower().strip(".")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii").lower()
        except UnicodeError:
            return None
    if not _HOST.fullmatch(host):
        return None
    before = ""
    while host != before:
        before = host
        host = _WWW.sub("", host, count=1) if _WWW.match(host) else host
        host = _VIEW.sub("", host, count=1) if _VIEW.match(host) else host
        host = _alias_or_self(host)
    return host


def _normal_escapes(text: str) -> str:
    """Return ``text`` with unreserved characters plain and all others as upper-case escapes."""
    if _CLEAN.fullmatch(text):
        return text

    def escape(found: re.Match[str]) -> str:
        char = chr(int(found.group(1), 16))
        return char if char in _UNRESERVED else found.group().upper()

    return quote(_ESCAPE.sub(escape, re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)), safe=_KEPT, errors="replace")


def _normal_path(path: str) -> str:
    path = _normal_escapes(path.replace("\\", "/"))
    if "/." in path:
        kept: list[str] = []
        for segment in path.split("/")[1:]:
            if segment == "..":
                del kept[-1:]
            elif segment != ".":
                kept.append(segment)
        path = "/" + "/".join(kept)
    return _AMP_PATH.sub("", path, count=1) if "/amp" in path else path


def _parameters(query: str) -> list[str]:
    """Return the parameters that say which page it is, escapes normalised."""
    exact, beginnings = _tracking()
    kept = []
    for item in query.split("&"):
        name = unquote(item.partition("=")[0]).lower()
        if name and name not in exact and not name.startswith(beginnings):
            kept.append(_normal_escapes(item))
    return kept


def _value(parameters: list[str], name: str) -> str | None:
    for item in parameters:
        key, _, value = item.partition("=")
        if key == name and value:
            return unquote(value)
    return None


def _unwrapped(host: str, path: str, parameters: list[str]) -> str | None:
    """Return the address that a redirect wrapper, short form or AMP cache stands for, or None."""
    if host == "youtu.be" and len(path) > 1:
        return f"https://youtube.com/watch?v={path.split('/')[1]}"
    if host.startswith("google."):
        if path.startswith("/amp/s/") or path.startswith("/s/"):  # _normal_path has taken /amp away
            return "https://" + path.partition("/s/")[2]
        host = "google.com"
    elif host.endswith(".safelinks.protection.outlook.com"):
        host = host.partition(".")[2]
    elif host.endswith("cdn.ampproject.org") and (found := re.match(r"/[a-z]/s?/?(.+\..+)", path)):
        return "https://" + found.group(1)
    for beginning, parameter in _redirects().get(host, ()):
        if path.startswith(beginning):
            target = _value(parameters, parameter)
            if target and re.match(r"(?:https?://|www\.)", target, re.I) and canonical_url(target):
                return target
    return None


def _site_form(host: str, path: str, parameters: list[str]) -> tuple[str, list[str]]:
    """Return path and parameters in the one form that a large site's page has."""
    segments = path.strip("/").split("/")
    match host:
        case "youtube.com":
            return _youtube(path, segments, parameters)
        case "x.com" if len(segments) >= 3 and segments[1].lower() in ("status", "statuses"):
            return f"/{segments[0].lower()}/status/{segments[2]}", []
        case "x.com" if segments[0] and segments[0] != "i":
            return "/".join(["", segments[0].lower(), *segments[1:]]), [
                p for p in parameters if p[:2] not in ("s=", "t=")
            ]
        case "t.me":
            if segments[0] == "s" and len(segments) > 1:
                segments = segments[1:]
            if not segments[0].startswith(("+", "%2B")):
                segments[0] = segments[0].lower()
            is_post = len(segments) > 1 and segments[-1].isdigit()
            return "/" + "/".join(segments), [] if is_post else parameters
        case "vk.com":
            opened = _value(parameters, "w") or _value(parameters, "z")
            if opened and re.fullmatch(r"wall-?\d+_\d+", opened):
                return f"/{opened}", []
    return path, parameters


def _youtube(path: str, segments: list[str], parameters: list[str]) -> tuple[str, list[str]]:
    """Return /watch?v= for every way to write a video."""
    video = None
    if segments[0] == "watch":
        video = _value(parameters, "v")
    elif len(segments) > 1 and segments[0] in ("shorts", "embed", "live", "v"):
        video = segments[1]
    if video and re.fullmatch(r"[\w-]{6,20}", video, re.A):
        return "/watch", [f"v={video}"]
    return path, [p for p in parameters if p.partition("=")[0] not in ("si", "feature", "pp", "ab_channel")]

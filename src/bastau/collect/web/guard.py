"""What may be asked: addresses in one form, with every trick that leads elsewhere refused.

The address that goes to libcurl is written anew from the parts that were checked, so that nobody can make two parsers
read it differently. Names are checked by their form here and by what they resolve to in :mod:`.names`.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from bastau.collect.visits import FetchRefused, Trouble
from bastau.public_addresses import is_public

MAX_LENGTH = 8192
"""Characters of an address."""

_HOST = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ENDS_IN_NUMBER = re.compile(r"(?:^|\.)(?:\d+|0x[0-9a-f]*)$")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home", ".corp", ".home.arpa", ".onion")
_KEPT = "%!$&'()*+,;=:@/?-._~[]|"
_SECRET_LIKE = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[A-Za-z0-9_:=~-]*[A-Za-z0-9_:=~]{24,}[A-Za-z0-9_:=~-]*")

# Services that are no web server: https://fetch.spec.whatwg.org/#port-blocking, and databases and control planes.
_PORTS_OF_OTHERS = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
    | {1433, 1521, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5672, 5900, 5984, 6379, 6443, 8086, 9042, 9092, 9200}
    | {9300, 10250, 10255, 11211, 27017, 27018, 50070}
)


@dataclass(frozen=True, slots=True)
class Place:
    """An address that may be asked.

    Attributes:
        host: lower case ASCII, IPv6 without brackets.
        target: path and query.
        is_literal: the host is an IP address.
        is_plain: http, or ws.
    """

    scheme: str
    host: str
    port: int
    target: str
    is_literal: bool

    @property
    def is_plain(self) -> bool:
        """Nothing is encrypted."""
        return self.scheme in ("http", "ws")

    @property
    def netloc(self) -> str:
        """Host, and port if it is not the scheme's own."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (80 if self.is_plain else 443) else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """The whole address."""
        return f"{self.scheme}://{self.netloc}{self.target}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: whom secrets are meant for."""
        return (self.scheme, self.host, self.port)


def place_of(
    url: str, *, allow_private: bool = False, through_proxy: bool = False, schemes: tuple[str, ...] = ("http", "https")
) -> Place:
    """Return the place at ``url``.

    Raises:
        FetchRefused: BAD_ADDRESS for anything that no honest publisher writes (other schemes, user names, ports of other
            services, numbers in odd forms, control characters, ...); PRIVATE for addresses and names of local networks.
    """

    def bad() -> FetchRefused:
        return FetchRefused(Trouble.BAD_ADDRESS, shown(url))

    url = url.strip(" \t\r\n\f")
    if len(url) > MAX_LENGTH or _CONTROL.search(url):
        raise bad()
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        raise bad() from error
    scheme = parts.scheme.lower()
    if scheme not in schemes or "@" in parts.netloc or not host or "%" in parts.netloc:
        raise bad()
    literal = _literal(host, is_bracketed="[" in parts.netloc)
    if literal is None:
        host = _name(host)
        if not host:
            raise bad()
        literal = _literal(host, is_bracketed=False)
    if literal is not None:
        host = literal
        if not allow_private and not is_public(host):
            raise FetchRefused(Trouble.PRIVATE, shown(url))
    elif _ENDS_IN_NUMBER.search(host):
        raise bad()
    elif not allow_private and _is_local(host) and not (through_proxy and host.endswith(".onion")):
        # Onion names are for the proxy alone: a name server that is asked for them learns whom we ask.
        raise FetchRefused(Trouble.PRIVATE, shown(url))
    if port is None:
        port = 80 if scheme in ("http", "ws") else 443
    elif not allow_private and ((port < 1024 and port not in (80, 443)) or port in _PORTS_OF_OTHERS):
        raise bad()
    if port == 0:
        raise bad()
    target = quote(parts.path or "/", safe=_KEPT)
    if parts.query:
        target += f"?{quote(parts.query, safe=_KEPT)}"
    return Place(scheme, host, port, target if target.startswith("/") else f"/{target}", literal is not None)


def next_place(place: Place, location: str, *, allow_private: bool = False, through_proxy: bool = False) -> Place:
    """Return where a redirect from ``place`` leads; raises as :func:`place_of`."""
    try:
        url = urljoin(place.url, location.strip(" \t\r\n\f").replace(" ", "%20"))
    except ValueError as error:
        raise FetchRefused(Trouble.BAD_ADDRESS, shown(place.url)) from error
    return place_of(url, allow_private=allow_private, through_proxy=through_proxy)


def shown(url: str) -> str:
    """Return what of an address may stand in messages: no user, query or fragment, and no path segment like a key."""
    try:
        parts = urlsplit(url[:MAX_LENGTH])
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(no address)"
    path = "/".join("…" if _SECRET_LIKE.fullmatch(part) else part for part in parts.path.split("/"))
    return "".join(c if c.isprintable() else "?" for c in f"{parts.scheme}://{parts.hostname or ''}{port}{path}"[:300])


def _literal(host: str, *, is_bracketed: bool) -> str | None:
    """Return an IP address in its one form; forms that only some parsers read are none."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return None
    return str(ip) if is_bracketed == (ip.version == 6) else None


def _is_local(host: str) -> bool:
    return "." not in host or host.endswith(_LOCAL_NAMES)


def _name(host: str) -> str:
    """Return a name in lower case ASCII; empty if it is none."""
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    host = host.lower().removesuffix(".")
    return host if _HOST.fullmatch(host) else ""

"""Values that belong to services and so say nothing of who runs a website (``lists.toml``)."""

import ipaddress
import tomllib
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from bastau.sources.families.names import lies_in, site_of


@dataclass(frozen=True)
class Lists:
    """The lists, ready to be asked."""

    placeholders: frozenset[str]
    cdn_hosts: frozenset[str]
    platform_hosts: frozenset[str]
    third_parties: frozenset[str]
    parking_nameservers: frozenset[str]
    parking_words: tuple[str, ...]
    nameservers: frozenset[str]
    owners_of_ads: frozenset[str]
    generic_names: frozenset[str]
    unsteady_headers: frozenset[str]
    cdn_headers: frozenset[str]
    default_favicons: frozenset[str]
    common_themes: frozenset[str]
    networks: "dict[int, Networks]"

    def network(self, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
        """Return the list that ``ip`` is on: cdn, platforms or parking."""
        return self.networks[ip.version].find(int(ip))

    def is_service(self, host: str) -> bool:
        """Say whether ``host`` belongs to a network, a platform or a service on many websites."""
        return any(lies_in(host, hosts) for hosts in (self.cdn_hosts, self.platform_hosts, self.third_parties))


class Networks:
    """Ranges of addresses with the name of their list, sorted, so that a look-up is a bisection."""

    def __init__(self, ranges: list[tuple[int, int, str]]) -> None:
        self._ranges = sorted(ranges)
        self._starts = [start for start, _, _ in self._ranges]

    def find(self, number: int) -> str | None:
        """Return the list whose range holds ``number``."""
        # Ranges may lie inside wider ones, so a few before the nearest are looked at too.
        at = bisect_right(self._starts, number)
        for _, end, name in self._ranges[max(0, at - 4) : at]:
            if number <= end:
                return name
        return None


@cache
def lists() -> Lists:
    """Return the shipped lists; read once."""
    raw = tomllib.loads(Path(__file__).with_name("lists.toml").read_text("utf-8"))
    return Lists(
        placeholders=frozenset(raw["placeholders"]["values"]) | frozenset(raw["placeholders"]["software"]),
        cdn_hosts=frozenset(raw["cdn"]["hosts"]),
        platform_hosts=frozenset(raw["platforms"]["hosts"]),
        third_parties=frozenset(raw["third_parties"]["hosts"]),
        parking_nameservers=frozenset(raw["parking"]["nameservers"]),
        parking_words=tuple(raw["parking"]["words"]),
        nameservers=frozenset(raw["nameservers"]["hosts"]),
        owners_of_ads=frozenset(raw["ads_systems"]["owners"]),
        generic_names=frozenset(raw["generic_names"]["words"]),
        unsteady_headers=frozenset(raw["headers"]["unsteady"]),
        cdn_headers=frozenset(raw["headers"]["of_cdn"]),
        default_favicons=frozenset(raw["cms"]["favicons_are_default"]),
        common_themes=frozenset(raw["cms"]["themes"]),
        networks={version: Networks(_ranges(raw, version)) for version in (4, 6)},
    )


def _ranges(raw: dict[str, Any], version: int) -> list[tuple[int, int, str]]:
    found = []
    for name in ("cdn", "platforms", "parking"):
        for text in raw[name]["networks"]:
            network = ipaddress.ip_network(text)
            if network.version == version:
                found.append((int(network.network_address), int(network.broadcast_address), name))
    return found


@lru_cache(maxsize=1 << 16)
def service_site(host: str) -> bool:
    """Say whether ``host`` or the site it belongs to is on one of the lists of hosts."""
    return lists().is_service(host) or lists().is_service(site_of(host) or host)

"""Which IP addresses belong to the public Internet: the one rule for everything that connects on a stranger's word."""

import ipaddress
from functools import lru_cache

# Written out, because the answers of the standard library change with its version: Python 3.11 takes all of 192.0.0.0/24
# beyond its first eight addresses for public, and Oracle's cloud has its metadata there.
# https://www.iana.org/assignments/iana-ipv4-special-registry (from memory on 2026-11-28: compare)
_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "168.63.129.16/32",  # Azure's own services behind every virtual machine, in public space
    )
)  # fmt: skip
# https://www.iana.org/assignments/iana-ipv6-special-registry (likewise); nothing outside 2000::/3 is given out
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


@lru_cache(maxsize=1 << 16)
def is_public(address: str) -> bool:
    """Say whether an IP address, with or without a zone, is one of the public Internet.

    Private, loopback, link-local (cloud metadata among them), shared (CGNAT), multicast, documentation and reserved ranges
    are not; an IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4, ISATAP) is judged by that one, and Teredo is
    never public.

    Raises:
        ValueError: no IP address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_4)
    inner = ip.ipv4_mapped or ip.sixtofour
    if inner is not None:
        return is_public(str(inner))
    low = str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    if ip in _NAT64:
        return is_public(low)
    if int(ip) >> 32 & 0xFFFFFFFF in _ISATAP and not is_public(low):
        return False
    return ip in _PUBLIC_6 and not any(ip in network for network in _NOT_PUBLIC_6)

"""Which IP addresses belong to the public Internet: the one rule for everything that connects on a stranger's word."""

import ipaddress
from functools import lru_cache

_GLOBAL_UNICAST_6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Later versions of Python know that 3fff::/20 is for documentation and 5f00::/16 for segment routing (RFC 9637, RFC 9602).
_NOT_FOR_HOSTS_6 = (ipaddress.ip_network("3fff::/20"), ipaddress.ip_network("2001::/23"))
_NOT_FOR_HOSTS_4 = (
    ipaddress.ip_network("192.88.99.0/24"),  # relays of 6to4, deprecated (RFC 7526)
    ipaddress.ip_network("168.63.129.16/32"),  # Azure's own services behind every virtual machine, in public space
)
_ISATAP = (0x00005EFE, 0x02005EFE)


@lru_cache(maxsize=1 << 16)
def is_public(address: str) -> bool:
    """Say whether an IP address, with or without a zone, is one of the public Internet.

    Private, loopback, link-local (cloud metadata among them), shared (CGNAT), multicast, documentation and reserved ranges
    are not; an IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4, Teredo, ISATAP) is judged by that one too.

    Raises:
        ValueError: no IP address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_FOR_HOSTS_4)
    inner = ip.ipv4_mapped or ip.sixtofour
    if inner is not None:
        return is_public(str(inner))
    if ip.teredo is not None:
        return all(is_public(str(end)) for end in ip.teredo)
    low = int(ip) & 0xFFFFFFFF
    if ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(low)))
    if int(ip) >> 32 & 0xFFFFFFFF in _ISATAP and not is_public(str(ipaddress.IPv4Address(low))):
        return False
    return ip in _GLOBAL_UNICAST_6 and ip.is_global and not any(ip in network for network in _NOT_FOR_HOSTS_6)

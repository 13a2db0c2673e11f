"""Names to addresses: looked up once for a while, checked, and kept when the name server is away."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING

from bastau.collect.visits import FetchFailed, FetchRefused, Trouble
from bastau.collect.web.guard import Place, shown
from bastau.public_addresses import is_public

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

Resolve = Callable[[str, int], list[str]]
"""(name, port) -> IP addresses, best first; raises OSError if there are none. May block."""

_KEPT_S = 600.0
_FAILED_S = 60.0
_STALE_S = 86_400.0
MAX_NAMESERVERS = 20
_NAMESERVERS_S = 10.0


def ask_system(host: str, port: int) -> list[str]:
    """Return the addresses that the system knows for a name, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def ask_nameservers(domain: str, resolver: "Resolver | None" = None) -> tuple[str, ...]:
    """Return the name servers of a domain in lower case, by name; empty where there are none or nobody answers.

    Args:
        resolver: asked instead of the one that the system names.
    """
    import dns.asyncresolver  # an extra: pictures of pages look names up without it
    import dns.exception

    try:
        asked = resolver or dns.asyncresolver.Resolver()
        answer = await asked.resolve(domain, "NS", lifetime=_NAMESERVERS_S)
    except (dns.exception.DNSException, OSError, UnicodeError):
        return ()
    return tuple(sorted({str(record.target).rstrip(".").lower() for record in answer})[:MAX_NAMESERVERS])


class Names:
    """The name cache.

    Args:
        resolve: asks the name server.
        allow_private: addresses of local networks are given out too.
        max_names: kept; the oldest go first.
        wait_s: for one look-up.
    """

    def __init__(
        self, resolve: Resolve = ask_system, *, allow_private: bool, max_names: int = 200_000, wait_s: float = 15.0
    ) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._max_names = max_names
        self._wait_s = wait_s
        self._known: dict[str, tuple[float, tuple[str, ...], float]] = {}  # good until, addresses, told at
        self._asked: dict[str, asyncio.Future[tuple[str, ...]]] = {}
        self._threads = ThreadPoolExecutor(32, "names")

    def known(self, place: Place) -> tuple[str, ...] | None:
        """Return the addresses of a place if no look-up is needed; checked, never empty."""
        if place.is_literal:
            return (place.host,)
        entry = self._known.get(place.host)
        if entry is None or entry[0] < monotonic():
            return None
        return self._checked(place, entry[1])

    async def addresses(self, place: Place) -> tuple[str, ...]:
        """Return the addresses of a place, checked, never empty.

        Raises:
            FetchRefused: one of them is not public: a name that leads inside once leads there again.
            FetchFailed: the name has none.
        """
        found = self.known(place)
        if found is not None:
            return found
        asked = self._asked.get(place.host)
        if asked is None:
            asked = asyncio.ensure_future(self._ask(place.host, place.port))
            self._asked[place.host] = asked
            asked.add_done_callback(lambda _: self._asked.pop(place.host, None))
        return self._checked(place, await asyncio.shield(asked))

    def put_last(self, place: Place, address: str) -> None:
        """Note that nothing listens at one of the addresses of a place: the others are better."""
        entry = self._known.get(place.host)
        if entry is not None and address in entry[1]:
            found = (*(known for known in entry[1] if known != address), address)
            self._known[place.host] = (entry[0], found, entry[2])

    async def _ask(self, host: str, port: int) -> tuple[str, ...]:
        loop = asyncio.get_running_loop()
        before = self._known.pop(host, None)
        kept_s, told_at = _KEPT_S, monotonic()
        try:
            answer = loop.run_in_executor(self._threads, self._resolve, host, port)
            found = tuple(await asyncio.wait_for(answer, self._wait_s))
        except (OSError, UnicodeError):  # TimeoutError is an OSError
            found, kept_s = (), _FAILED_S
            if before is not None and told_at - before[2] < _STALE_S:
                found, told_at = before[1], before[2]
        if len(self._known) >= self._max_names:
            del self._known[next(iter(self._known))]
        self._known[host] = (monotonic() + kept_s, found, told_at)
        return found

    def _checked(self, place: Place, found: tuple[str, ...]) -> tuple[str, ...]:
        if not found:
            raise FetchFailed(Trouble.DNS, shown(place.url))
        if not self._allow_private and not all(is_public(address) for address in found):
            raise FetchRefused(Trouble.PRIVATE, shown(place.url))
        return found

    def close(self) -> None:
        """Give up the look-ups under way."""
        for asked in list(self._asked.values()):
            asked.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

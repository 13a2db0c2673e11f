"""Fetching: guarded, bounded, polite. The one way of collectors to the network (:class:`bastau.collect.visits.Web`)."""

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import bastau
from bastau.collect.visits import Answer, FetchFailed, FetchRefused, Hop, Request, Trouble
from bastau.collect.web.budgets import rate_limit, retry_after_s
from bastau.collect.web.encodings import ACCEPTED, Garbled, TooLarge, unpack
from bastau.collect.web.guard import Place, next_place, place_of, shown
from bastau.collect.web.names import Names, Resolve, ask_nameservers, ask_system
from bastau.collect.web.robots import Robots
from bastau.collect.web.streams import events, open_websocket, websocket_messages
from bastau.collect.web.transfers import Ask, Exchange, Transfers
from bastau.collect.web.turns import Turns
from bastau.errors import ConfigError
from bastau.registrable import registrable_domain
from bastau.settings import Network, Settings

PRODUCT = "bastau"
"""Our product token, as robots.txt may name it."""
MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
_SAFE_HEADERS = frozenset({"accept", "accept-language"})
"""Headers that go along to another host; any other may be a secret."""
_OURS = frozenset(
    {
        "host",
        "user-agent",
        "accept-encoding",
        "content-length",
        "transfer-encoding",
        "connection",
        "cookie",
        "te",
        "upgrade",
    }
)
"""Headers that a request does not set itself."""
_LIMITED_REST_S = 60.0
_MAX_TRIED = 3
"""Addresses of one host."""

Record = Callable[[Request, Answer], None]


class LiveWeb:
    """The web, as :func:`open_web` opens it.

    Attributes:
        n_fetches: requests sent, each hop of a redirect one.
        n_bytes: of bodies as they came over the wire.
        troubles: failures and refusals by kind.
        answers: answers by status.
    """

    def __init__(
        self,
        network: Network,
        transfers: Transfers,
        names: Names,
        turns: Turns,
        now: Callable[[], datetime],
        record: Record | None,
        agent: str,
        proxy: str,
    ) -> None:
        self.agent, self._proxy = agent, proxy
        self._network, self._transfers, self._names, self._turns = network, transfers, names, turns
        self._now, self._record = now, record
        self._has_proxy = bool(proxy)
        self._robots = Robots(PRODUCT, self._fetch_robots, turns.pause)
        self.n_fetches = 0
        self.n_bytes = 0
        self.troubles: Counter[Trouble] = Counter()
        self.answers: Counter[int] = Counter()

    @property
    def most_at_once(self) -> int:
        """Most requests at once that one site ever got."""
        return self._turns.most_at_once

    def busiest(self, n: int = 20) -> list[tuple[str, int, int, float]]:
        """Return (site, requests, most at once, seconds it still rests) of the ``n`` sites asked most, most first."""
        return self._turns.busiest(n)

    @property
    def is_offline(self) -> bool:
        """Nobody can be reached: the trouble is on our side."""
        return self._turns.is_offline

    def state(self) -> dict[str, Any]:
        """Return what should outlive a restart, as JSON."""
        return self._turns.state()

    async def fetch(self, request: Request) -> Answer:
        """Return the answer; see :class:`bastau.collect.visits.Web`."""
        try:
            place = self._place(request.url)
            if request.heed_robots and not await self._robots.allows(place):
                raise FetchRefused(Trouble.ROBOTS, shown(request.url))
            answer = await self._follow(request, place)
        except FetchFailed as error:
            self.troubles[error.kind] += 1
            raise
        self.answers[answer.status] += 1
        if self._record is not None:
            self._record(request, answer)
        return answer

    async def allows(self, url: str) -> bool:
        """Say whether robots.txt lets us crawl ``url``; see :class:`bastau.collect.visits.Web`."""
        return await self._robots.allows(self._place(url))

    async def nameservers(self, host: str) -> tuple[str, ...]:
        """Return the name servers of a host's domain; see :class:`bastau.collect.visits.Web`."""
        return () if self._has_proxy else await ask_nameservers(registrable_domain(host))

    async def sitemaps(self, url: str) -> list[str]:
        """Return the sitemaps that robots.txt of the site of ``url`` names."""
        return await self._robots.sitemaps(self._place(url))

    async def messages(self, request: Request) -> AsyncIterator[str | bytes]:
        """Yield messages of a websocket or an event stream; see :class:`bastau.collect.visits.Web`."""
        try:
            place = self._place(request.url, schemes=("http", "https", "ws", "wss"))
            headers = _checked(request)[1]
            listen = self._websocket if place.scheme in ("ws", "wss") else self._events
            async for message in listen(request, place, headers):
                yield message
        except FetchFailed as error:
            self.troubles[error.kind] += 1
            raise

    async def _events(self, request: Request, place: Place, headers: dict[str, str]) -> AsyncIterator[str]:
        for _ in range(MAX_REDIRECTS + 1):
            address = (await self._addresses(place))[0]
            lines = [*self._lines(request, headers, None)[:-1], "Accept-Encoding: identity"]
            if not any(name.lower() == "accept" for name in headers):
                lines.append("Accept: text/event-stream")
            ask = Ask(
                place.url, request.method, lines, request.body, address or None, request.max_bytes, request.timeout_s
            )
            where = shown(place.url)
            await self._turns.take(place, address)
            is_taken = True
            try:
                self.n_fetches += 1
                async with self._transfers.stream(ask) as stream:
                    # A stream lasts for days: what it holds up is only other beginnings.
                    self._turns.give_back(place, address)
                    is_taken = False
                    got = stream.exchange
                    self._note(place, got)
                    _raise_for(got, where, self._now())
                    location = _last(got.headers, "location") if got.status in _REDIRECTS else None
                    if location is None:
                        if got.status != 200:
                            raise FetchFailed(Trouble.BROKEN, where, status=got.status)
                        async for message in events(stream.pieces(request.timeout_s), request.max_bytes, where):
                            yield message
                        if got.trouble is not None:
                            raise _failure(got.trouble, where)
                        return
            except TimeoutError as error:
                raise FetchFailed(Trouble.TIMEOUT, where) from error
            finally:
                if is_taken:
                    self._turns.give_back(place, address)
            before = place
            place = self._next(before, location)
            if place.origin != before.origin:
                headers = {name: value for name, value in headers.items() if name.lower() in _SAFE_HEADERS}
        raise FetchRefused(Trouble.TOO_MANY_REDIRECTS, shown(request.url))

    async def _websocket(self, request: Request, place: Place, headers: dict[str, str]) -> AsyncIterator[str | bytes]:
        addresses = await self._addresses(place)
        await self._turns.take(place, addresses[0])
        self.n_fetches += 1
        try:
            socket = await open_websocket(
                place,
                addresses,
                headers,
                agent=self.agent,
                proxy=self._proxy,
                ca_file=self._network.ca_file,
                max_bytes=request.max_bytes,
                timeout_s=request.timeout_s,
            )
        except FetchFailed as error:
            self._turns.failed(place, is_network=error.kind in (Trouble.CONNECT, Trouble.TIMEOUT))
            if error.retry_after_s is not None:
                self._turns.rest(place, error.retry_after_s)
            raise
        finally:
            self._turns.give_back(place, addresses[0])
        self._turns.succeeded(place)
        async for message in websocket_messages(socket, request.timeout_s, shown(place.url)):
            yield message

    async def _addresses(self, place: Place) -> tuple[str, ...]:
        """Return up to three checked addresses to try in turn; one empty one through a proxy, which resolves names itself."""
        if self._has_proxy:
            return ("",)
        try:
            found = self._names.known(place) or await self._names.addresses(place)
        except FetchFailed as error:
            if error.kind is Trouble.DNS:
                self._turns.failed(place, is_network=True)
            raise
        return found[:_MAX_TRIED]

    async def _fetch_robots(self, request: Request) -> Answer:
        return await self._follow(request, self._place(request.url))

    def _place(self, url: str, schemes: tuple[str, ...] = ("http", "https")) -> Place:
        return place_of(url, allow_private=self._network.allow_private, through_proxy=self._has_proxy, schemes=schemes)

    def _next(self, place: Place, location: str) -> Place:
        return next_place(place, location, allow_private=self._network.allow_private, through_proxy=self._has_proxy)

    async def _follow(self, request: Request, place: Place) -> Answer:
        """Ask, and follow redirects, each hop checked as if it were the first."""
        method, headers, body = _checked(request)
        started_at = self._now()
        spent_s, n_bytes = 0.0, 0
        hops: list[Hop] = []
        first_origin = place.origin
        while True:
            got = await self._ask(request, place, method, headers, body, request.timeout_s - spent_s)
            spent_s += got.seconds
            n_bytes += got.n_bytes
            location = _last(got.headers, "location") if got.status in _REDIRECTS else None
            if location is None:
                break
            hops.append(Hop(place.url, got.status, location))
            if len(hops) > MAX_REDIRECTS:
                raise FetchRefused(Trouble.TOO_MANY_REDIRECTS, shown(request.url))
            place = self._next(place, location)
            if got.status == 303 or (got.status in (301, 302) and method == "POST"):
                method, body = ("HEAD" if method == "HEAD" else "GET"), None
            if place.origin != first_origin:
                headers = {name: value for name, value in headers.items() if name.lower() in _SAFE_HEADERS}
                if body is not None:  # what was meant for one host goes to no other
                    raise FetchRefused(Trouble.BAD_ADDRESS, shown(place.url))
            if request.heed_robots and not await self._robots.allows(place):
                raise FetchRefused(Trouble.ROBOTS, shown(place.url))
        return self._answer(request, place, got, tuple(hops), started_at, spent_s, n_bytes)

    async def _ask(
        self,
        request: Request,
        place: Place,
        method: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
    ) -> Exchange:
        """Return the exchange of one hop that brought an answer, of whatever status; wait for our turn before."""
        lines = self._lines(request, headers, body)
        wants_certificate = not place.is_plain and self._turns.is_new(place)
        spent_s = 0.0
        for address in await self._addresses(place):
            if timeout_s - spent_s <= 0:
                raise FetchRefused(Trouble.TIMEOUT, shown(request.url))
            ask = Ask(
                place.url,
                method,
                lines,
                body,
                address or None,
                request.max_bytes,
                timeout_s - spent_s,
                wants_certificate,
            )
            await self._turns.take(place, address)
            try:
                self.n_fetches += 1
                got = await self._transfers.run(ask)
            finally:
                self._turns.give_back(place, address)
            spent_s += got.seconds
            if got.trouble is not Trouble.CONNECT:
                break
            self._names.put_last(place, address)
        got.seconds = spent_s
        self.n_bytes += got.n_bytes
        self._note(place, got)
        if got.trouble is not None:
            raise _failure(got.trouble, shown(place.url))
        return got

    def _lines(self, request: Request, headers: Mapping[str, str], body: bytes | None) -> list[str]:
        lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]
        lines.append(f"Accept-Encoding: {ACCEPTED}")
        if request.etag:
            lines.append(f"If-None-Match: {_one_line(request.etag)}")
        if request.last_modified:
            lines.append(f"If-Modified-Since: {_one_line(request.last_modified)}")
        if body is not None:
            lines.append("Expect:")
        return lines

    def _note(self, place: Place, got: Exchange) -> None:
        """Learn from an exchange how to treat the host."""
        if got.trouble in (Trouble.CONNECT, Trouble.TIMEOUT, Trouble.TLS, Trouble.BROKEN):
            is_network = got.status == 0 and got.trouble in (Trouble.CONNECT, Trouble.TIMEOUT)
            self._turns.failed(place, is_network=is_network)
            return
        asked_s = retry_after_s(_last(got.headers, "retry-after"), self._now()) if got.status >= 400 else None
        if got.status == 429:
            self._turns.failed(place, is_network=False)
            self._turns.rest(place, _LIMITED_REST_S if asked_s is None else asked_s)
        elif got.status >= 500:
            self._turns.failed(place, is_network=False)
            if asked_s is not None:
                self._turns.rest(place, asked_s)
        elif got.status:
            self._turns.succeeded(place)
        budget = rate_limit(got.headers, self._now())
        if budget is not None:
            left, reset_s = budget
            if left < 1:
                self._turns.rest(place, reset_s)
            else:
                self._turns.hold(place, reset_s / left)

    def _answer(
        self,
        request: Request,
        place: Place,
        got: Exchange,
        hops: tuple[Hop, ...],
        started_at: datetime,
        seconds: float,
        n_bytes: int,
    ) -> Answer:
        where, status = shown(place.url), got.status
        if status >= 400:
            self.answers[status] += 1
            _raise_for(got, where, self._now())
        is_asked = request.etag or request.last_modified
        if not 200 <= status < 300 and not (status == 304 and is_asked):
            raise FetchFailed(Trouble.BROKEN, where, status=status)
        try:
            body = unpack(got.body, _last(got.headers, "content-encoding") or "", request.max_bytes)
        except TooLarge as error:
            raise FetchRefused(Trouble.TOO_LARGE, where, status=status) from error
        except Garbled as error:
            raise FetchFailed(Trouble.BROKEN, where, status=status) from error
        return Answer(
            place.url,
            status,
            tuple(got.headers),
            body,
            hops,
            got.ip,
            started_at,
            seconds,
            n_bytes,
            got.certificate_names,
        )

    def close(self) -> None:
        """End everything under way."""
        self._robots.close()
        self._turns.close()
        self._transfers.close()
        self._names.close()


@asynccontextmanager
async def open_web(
    settings: Settings,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    resolve: Resolve = ask_system,
    record: Record | None = None,
    state: Mapping[str, Any] | None = None,
) -> AsyncIterator[LiveWeb]:
    """Open the way to the network, for the running loop.

    Args:
        now: UTC; dates in answers are compared with it.
        resolve: asks the name server.
        record: is handed every request and its answer (evidence); must not block.
        state: what :meth:`LiveWeb.state` returned before.

    Raises:
        ConfigError: the proxy cannot be used, or pycurl is missing.
    """
    network = settings.network
    proxy = _proxy(network.proxy)
    agent = user_agent(network.contact)
    transfers = Transfers(
        agent,
        proxy=proxy,
        proxy_addresses=_proxy_addresses(proxy, resolve),
        allow_private=network.allow_private,
        ca_file=network.ca_file,
    )
    turns = Turns(
        per_site=network.per_site,
        pause_s=network.pause_s,
        per_address=network.per_address,
        parallel=network.parallel,
    )
    turns.restore(state or {})
    names = Names(resolve, allow_private=network.allow_private)
    web = LiveWeb(network, transfers, names, turns, now, record, agent, proxy)
    try:
        yield web
    finally:
        web.close()


def user_agent(contact: str) -> str:
    """Return our one user agent; ``contact`` is an address or mailbox of whoever runs this."""
    known = f"+{contact}" if contact else "no contact set"
    return f"{PRODUCT}/{bastau.__version__} ({known})"


def _proxy(value: str) -> str:
    """Return the proxy's address; ``env:NAME`` stands for a variable, so that a password need not be in a file."""
    if value.startswith("env:"):
        name = value[4:]
        value = os.environ.get(name, "")
        if not value:
            raise ConfigError(f"network.proxy: the environment has no variable {name}")
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in ("http", "https", "socks5h") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ConfigError(
            "network.proxy must be http://, https:// or socks5h:// with host and port; names are resolved there"
        )
    return value


def _proxy_addresses(proxy: str, resolve: Resolve) -> list[str]:
    if not proxy:
        return []
    parts = urlsplit(proxy)
    try:
        return resolve(parts.hostname or "", parts.port or 1080)
    except OSError as error:
        raise ConfigError("network.proxy: its name cannot be resolved") from error


def _checked(request: Request) -> tuple[str, dict[str, str], bytes | None]:
    """Return method, headers and body; what a stranger's feed put into them must not become a header of its own."""
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _OURS}
    for name, value in headers.items():
        if not name or any(c in name for c in "\r\n:; \0") or any(c in value for c in "\r\n\0"):
            raise FetchRefused(Trouble.BAD_ADDRESS, shown(request.url))
    if request.method not in _METHODS:
        raise FetchRefused(Trouble.BAD_ADDRESS, shown(request.url))
    return request.method, headers, request.body


def _failure(kind: Trouble, where: str) -> FetchFailed:
    return (FetchRefused if kind in (Trouble.PRIVATE, Trouble.TOO_LARGE) else FetchFailed)(kind, where)


def _raise_for(got: Exchange, where: str, now: datetime) -> None:
    """Raise unless an exchange brought an answer of status below 400."""
    if got.trouble is not None:
        raise _failure(got.trouble, where)
    if got.status >= 400:
        asked_s = retry_after_s(_last(got.headers, "retry-after"), now)
        raise FetchFailed(_kind(got.status), where, asked_s, status=got.status, body=_start(got))


def _one_line(value: str) -> str:
    return "".join(c for c in value[:1024] if c.isprintable())


def _last(headers: list[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in reversed(headers) if key == name), None)


def _start(got: Exchange) -> bytes:
    """Return the beginning of a refusal's body, unpacked if it is whole."""
    try:
        return unpack(got.body, _last(got.headers, "content-encoding") or "", 64 << 10)[:4096]
    except (TooLarge, Garbled):
        return b""


def _kind(status: int) -> Trouble:
    if status in (404, 410):
        return Trouble.GONE
    if status in (401, 402, 403, 407, 451):
        return Trouble.FORBIDDEN
    if status == 429:
        return Trouble.LIMITED
    if status >= 500 or status in (408, 421, 425):
        return Trouble.SERVER
    return Trouble.BROKEN

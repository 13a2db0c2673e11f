"""What collectors of live places and the parts around them hand to each other.

A *collector* knows one kind of place (a feed, a public channel, ...). The scheduler asks it to visit one watched
address and gets a :class:`Visit`: rows in the Post format, not yet checked or pseudonymised, and the state that the next
visit needs. A collector reaches the network through :class:`Web` only, which refuses private addresses, bounds every
answer, follows redirects hop by hop and keeps hosts' limits. Raw rows never leave :mod:`bastau.collect`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from bastau.errors import SourceUnavailable

Row = dict[str, Any]
"""One post under the names of the Post format (:data:`bastau.schemas.POST_FORMAT`); times as RFC 3339 strings."""


class FetchFailed(SourceUnavailable):
    """A fetch that brought no answer; ``kind`` is a :class:`Trouble`.

    ``status`` and the first 4 KiB of the body are those of the server's refusal, if it answered at all: official APIs
    say there why.
    """

    def __init__(
        self,
        kind: "Trouble",
        place: str,
        retry_after_s: float | None = None,
        *,
        status: int | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(f"{place}: {kind.value.replace('_', ' ')}")
        self.kind = kind
        self.retry_after_s = retry_after_s
        self.status = status
        self.body = body


class FetchRefused(FetchFailed):
    """A fetch that we ended or never began: a private address, too large, too slow, robots.txt, ..."""


class Trouble(StrEnum):
    """What goes wrong with a source; the kinds in which errors are counted."""

    DNS = "name_not_found"
    CONNECT = "no_connection"
    TLS = "bad_certificate"
    TIMEOUT = "timeout"
    BROKEN = "broken_answer"
    LIMITED = "rate_limited"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    SERVER = "server_error"
    PRIVATE = "private_address"
    BAD_ADDRESS = "bad_address"
    TOO_LARGE = "too_large"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    ROBOTS = "robots_txt"
    RESTING = "host_resting"
    CHANGED = "form_changed"
    NEEDS_KEY = "needs_key"


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        url: http or https.
        etag: ``ETag`` of the answer before, sent as ``If-None-Match``.
        last_modified: likewise, as ``If-Modified-Since``.
        headers: further headers; values of ``Authorization`` and the like are never logged nor sent on to other hosts.
        max_bytes: of the unpacked body; an answer beyond it is refused.
        timeout_s: from first to last byte, redirects included.
        heed_robots: refuse when the site's robots.txt says so (crawled pages; not feeds and official APIs).
    """

    url: str
    method: str = "GET"
    etag: str | None = None
    last_modified: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    max_bytes: int = 10 << 20
    timeout_s: float = 30.0
    heed_robots: bool = False


@dataclass(frozen=True)
class Hop:
    """One redirect that was followed: the address asked, the status, where it pointed."""

    url: str
    status: int
    location: str


@dataclass(frozen=True)
class Answer:
    """What a server answered at the end of all redirects; statuses below 400 only, others are :class:`FetchFailed`.

    Attributes:
        url: address of this answer.
        body: unpacked; empty for 304.
        hops: redirects on the way, in order.
        is_moved: all hops were permanent (301, 308).
        ip: address of the server; None through a proxy.
        started_at: UTC.
        seconds: from asking to the last byte, waiting for the host's turn not included.
        certificate_names: DNS names in the server's certificate; asked of first connections only.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    hops: tuple[Hop, ...]
    ip: str | None
    started_at: datetime
    seconds: float
    n_bytes: int
    certificate_names: tuple[str, ...] = ()

    @property
    def is_unchanged(self) -> bool:
        """The server says that nothing changed (304)."""
        return self.status == 304

    @property
    def is_moved(self) -> bool:
        """There were redirects and all of them are permanent."""
        return bool(self.hops) and all(hop.status in (301, 308) for hop in self.hops)

    def header(self, name: str) -> str | None:
        """Return the last header of this name, in any case."""
        wanted = name.lower()
        return next((value for key, value in reversed(self.headers) if key.lower() == wanted), None)


class Web(Protocol):
    """The only way of a collector to the network."""

    async def fetch(self, request: Request) -> Answer:
        """Return the answer.

        Raises:
            FetchRefused: not allowed, or ended by our limits.
            FetchFailed: no answer, or a status from 400; 429 and 503 carry ``retry_after_s`` where the server says it.
        """
        ...

    async def allows(self, url: str) -> bool:
        """Say whether robots.txt of the site lets us crawl ``url``; True where there is none."""
        ...

    async def nameservers(self, host: str) -> tuple[str, ...]:
        """Return the name servers of the domain of ``host``; empty if nobody says, or if a proxy hides what we look up."""
        ...

    def messages(self, request: Request) -> AsyncIterator[str | bytes]:
        """Yield messages of a websocket (ws, wss) or events of an event stream (http, https), until it ends.

        An event of an event stream is ``{"event": name, "data": text}`` as JSON. ``max_bytes`` bounds one message,
        ``timeout_s`` the silence between two (pings of the server count as sound).

        Raises:
            FetchRefused: as for :meth:`fetch`.
            FetchFailed: the connection could not be made, or broke.
        """
        ...


@dataclass(frozen=True)
class Found:
    """Something that can be watched at an address, as ``bastau add`` offers it.

    Attributes:
        collector: name of the collector.
        address: what to watch, in its one form.
        source: stable name of the publisher, as in posts: domain, channel or handle.
        title: what it calls itself.
        why: how it was recognised, in words for the operator.
        posts_a_day: estimated from what was seen; None if nothing tells.
        first: up to five of its posts.
        state: what a first visit may start from.
        warnings: what the operator should know (needs a key, robots.txt refuses, looks dead, ...).
        source_kind: outlet, website, channel, page or account.
        audience: followers or subscribers; an account below the operator's threshold is a private person's, whose
            address may not be watched (SCOPE, rule 2).
    """

    collector: str
    address: str
    source: str
    title: str | None = None
    why: str = ""
    posts_a_day: float | None = None
    first: Sequence[Row] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    source_kind: str | None = None
    audience: int | None = None


@dataclass(frozen=True)
class Watched:
    """One address that is watched; ``state`` is whatever the collector returned from its last visit (JSON)."""

    source_id: int
    collector: str
    address: str
    state: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Gap:
    """A time in which posts may have been missed, with the reason (``feed_overran``, ``source_down``, ...)."""

    since: datetime
    until: datetime
    reason: str


@dataclass(frozen=True)
class Change:
    """A post seen before that is otherwise now: ``edited``, ``deleted`` or ``back``."""

    post_id: str
    kind: str
    row: Row | None = None


@dataclass(frozen=True)
class Visit:
    """What one visit brought. Failures are exceptions (:class:`FetchFailed`), not visits.

    Attributes:
        rows: posts seen, new or not: who stores them leaves out repeats and keeps changed texts as edits.
        state: for the next visit; kept only when the rows are safe in the lake.
        is_unchanged: the server said so without sending anything (304).
        gaps: times in which posts may have been missed.
        changes: deletions and edits that the place itself tells of.
        pages: rows in the Page format, for website families.
        sightings: rows of SIGHTINGS, times as RFC 3339 strings: what the place says of when posts began.
        moved_to: new address, when the place said permanently so.
        next_in_s: when the place asks to be visited again (ttl, Retry-After, Cache-Control); a lower bound.
        more: further rows are waiting now (a page of a timeline), so visit again soon.
        n_requests: and ``n_bytes``: cost of the visit.
        notes: oddities, such as a field that nobody mapped.
    """

    rows: Sequence[Row] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    is_unchanged: bool = False
    gaps: Sequence[Gap] = ()
    changes: Sequence[Change] = ()
    pages: Sequence[Row] = ()
    sightings: Sequence[Row] = ()
    moved_to: str | None = None
    next_in_s: float | None = None
    more: bool = False
    n_requests: int = 1
    n_bytes: int = 0
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Card:
    """What a collector's YAML card says; see ``docs/how-to/collect.md``.

    Attributes:
        about: what kind of place.
        terms: address of the terms of use, and what they ask of us.
        checked_on: date on which the card was gone through.
        known_from: where what it says comes from.
        limits: the place's published limits, in words.
        needs: names of keys that the operator brings (none for open places).
        options: names of what a source may be given with ``--option``, beside the keys.
        posts_a_visit: (fewest, most) posts that a healthy visit brings; fewer fails a first visit, more is a warning.
        ignored: fields of answers that are left out on purpose; others that nobody mapped are notes.
        has_accounts: places may be private persons' accounts, so none is watched before its audience was seen.
    """

    about: str
    terms: str
    checked_on: str
    limits: str
    needs: Sequence[str] = ()
    options: Sequence[str] = ()
    posts_a_visit: tuple[int, int] = (0, 1000)
    ignored: Sequence[str] = ()
    has_accounts: bool = False
    known_from: str = "documentation"


class Collector(Protocol):
    """One kind of place; registered as an entry point of group ``bastau.collectors`` under its name."""

    name: str
    card: Card

    def recognises(self, address: str) -> str | None:
        """Return the address in its one form if its form alone tells that it is of this kind; no network."""
        ...

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        """Return what can be watched at ``address``, best first; nothing if it is not of this kind."""
        ...

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        """Return what is there now.

        Raises:
            FetchFailed: see :class:`Web`.
            SourceChanged: an answer in a form that nobody mapped.
        """
        ...


class Streaming(Protocol):
    """A collector that also listens: posts arrive as they are published."""

    def listen(self, watched: Sequence[Watched], web: Web, now: datetime) -> AsyncIterator[tuple[int, Visit]]:
        """Yield (source_id, visit) until cancelled; reconnecting and back-off belong to the caller."""
        ...

"""WebSub: hubs that feeds name tell us when there is something new, and the feed is visited at once.

A push is a hint and nothing more: its content is hashed for the signature and dropped, and the ordinary conditional request
brings the words. So nobody, the hub included, can put words into a feed.

Feeds name hubs, so hubs are strangers: they are asked through the guarded client, over https, and only for topics of the
feed's own website that are nobody's account. Who is asked answers at an unguessable path, one for each subscription.

Reference: W3C Recommendation WebSub (2018), sections 5 (subscribing, verifying intent) and 7, 8 (content, signatures).
"""

import asyncio
import contextlib
import hashlib
import hmac
import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from bastau.collect.addresses import social_platform
from bastau.collect.handles import names_somebody
from bastau.collect.listening import QuietHandler, listen
from bastau.collect.visits import FetchFailed, Request, Web
from bastau.collect.watching.store import Store, StoreUnavailable, Subscription
from bastau.errors import ConfigError
from bastau.registrable import registrable_domain

logger = logging.getLogger(__name__)

LEASE_S = 10 * 86_400.0
"""Lease that is asked for; hubs give what they like."""
_LEASES_S = (60.0, 90 * 86_400.0)
ANSWER_S = 3600.0
"""A hub that has not verified by then is asked again, then after twice as long and so on."""
MOST_S = 7 * 86_400.0
_VERIFIED_S = 86_400.0
"""Age of a request that a hub may still verify."""
LISTED_S = 600.0
"""Feeds are looked through for hubs this often."""
_TICK_S = 5.0
MAX_BYTES = 10 << 20
MAX_ADDRESS = 2048
_MAX_CHALLENGE = 4096
_AT_ONCE = 50
_FEWEST_ASKS = 3
_HASHES = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
"""SHA-1 too: the largest hub signs with nothing else, and who forged it would have gained one visit to a feed."""


def check_callback(callback: str, *, allow_private: bool) -> str:
    """Return the address at which hubs reach us, without a slash at its end.

    Raises:
        ConfigError: it cannot be one.
    """
    parts = urlsplit(callback)
    schemes = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in schemes or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ConfigError(f"watch.callback must be an https:// address that hubs can reach, not {callback!r}")
    return callback.rstrip("/")


def wanted_topic(address: str, hub: str, topic: str | None) -> str | None:
    """Return what to ask a hub for, so that it tells of the feed at ``address``; None: it is better not asked.

    A feed may call itself by another address, but not by one of another website, nor by somebody's account: hubs would
    then send us what nobody looked at.
    """
    asked = topic or address
    if max(len(hub), len(asked)) > MAX_ADDRESS or not hub.startswith(("http://", "https://")):
        return None
    if not asked.startswith(("http://", "https://")) or names_somebody(asked) or social_platform(asked):
        return None
    try:
        hosts = [urlsplit(one).hostname for one in (asked, address, hub)]
    except ValueError:
        return None
    own, there, _ = (registrable_domain((host or "").lower()) for host in hosts)
    return asked if all(hosts) and own == there else None


def list_wanted(store: Store, *, allow_private: bool = False) -> None:
    """Note what is to be subscribed to and what no more, by the hubs that feeds named at their last visits."""
    wanted = set()
    for source_id, address, hub, topic in store.hubs():
        # A secret is sent along, which plain http would show to everybody on the way.
        asked_of = hub if allow_private else "https://" + hub.partition("://")[2]
        asked = wanted_topic(address, hub, topic)
        if asked is not None:
            wanted.add((source_id, asked_of, asked))
    known = {(s.source_id, s.hub, s.topic): s for s in store.subscriptions()}
    fresh = [
        Subscription(secrets.token_urlsafe(24), *one, secret=secrets.token_urlsafe(32))
        for one in sorted(wanted)
        if one not in known or not known[one].is_wanted
    ]
    store.subscribe(fresh)
    store.unsubscribe([s.path for one, s in known.items() if one not in wanted and s.is_wanted])


async def ask_due(store: Store, web: Web, callback: str, now: float, rng: random.Random) -> int:
    """Ask hubs for subscriptions, renewals and ends that are due; return how many were asked."""
    due = await asyncio.to_thread(
        store.claim, now, _AT_ONCE, lambda n: min(ANSWER_S * 2.0**n, MOST_S) * rng.uniform(0.8, 1.0)
    )
    over = [s.path for s in due if not s.is_wanted and (s.n_asked > _FEWEST_ASKS or (s.until_at or 0.0) < now)]
    await asyncio.to_thread(store.forget, over)
    await asyncio.gather(*(_ask(store, web, callback, one, now) for one in due if one.path not in over))
    return len(due) - len(over)


async def _ask(store: Store, web: Web, callback: str, one: Subscription, now: float) -> None:
    fields = {
        "hub.mode": "subscribe" if one.is_wanted else "unsubscribe",
        "hub.topic": one.topic,
        "hub.callback": f"{callback}/websub/{one.path}",
    }
    if one.is_wanted:
        fields |= {"hub.secret": one.secret, "hub.lease_seconds": str(int(LEASE_S))}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    trouble = None
    try:
        await web.fetch(Request(one.hub, "POST", headers=headers, body=urlencode(fields).encode(), max_bytes=1 << 16))
    except FetchFailed as error:
        trouble = str(error.kind)
        wait_s = min(error.retry_after_s or 0.0, MOST_S)
        await asyncio.to_thread(store.note, one.path, trouble=trouble, next_at=max(one.next_at, now + wait_s))
        logger.info("hub", extra={"place": urlsplit(one.hub).hostname, "trouble": trouble})


def confirm(store: Store, path: str, asked: Mapping[str, str], now: float) -> str | None:
    """Return the challenge to echo to a hub, "" for none, if it asks for what we asked of it; None: we did not."""
    one, mode = store.subscription(path), asked.get("hub.mode")
    if one is None or asked.get("hub.topic") != one.topic:
        return None
    if mode == "denied":
        store.note(path, until_at=None, next_at=now + MOST_S, trouble="denied")
        return ""
    challenge = asked.get("hub.challenge", "")
    is_ours = one.asked_at is not None and now - one.asked_at <= _VERIFIED_S
    if (
        not is_ours
        or not 0 < len(challenge) <= _MAX_CHALLENGE
        or mode != ("subscribe" if one.is_wanted else "unsubscribe")
    ):
        return None
    if not one.is_wanted:
        store.forget([path])
        return challenge
    given = asked.get("hub.lease_seconds", "")
    lease_s = min(max(float(given) if given.isdecimal() and len(given) < 12 else LEASE_S, _LEASES_S[0]), _LEASES_S[1])
    # Renewed at four fifths; what was subscribed to together is not all renewed together.
    again = now + lease_s * random.uniform(0.7, 0.8)
    store.note(path, until_at=now + lease_s, next_at=again, n_asked=0, trouble=None)
    return challenge


def is_signed(secret: str, header: str | None, body: bytes) -> bool:
    """Say whether ``X-Hub-Signature`` (method=hex) is that of the body under our secret."""
    method, _, given = (header or "").partition("=")
    make = _HASHES.get(method.strip().lower())
    if make is None:
        return False
    return hmac.compare_digest(
        hmac.new(secret.encode(), body, make).hexdigest().encode(), given.strip().lower().encode()
    )


@dataclass
class Callback:
    """Where hubs answer and push; counts since the start."""

    store: Store
    wall: Callable[[], float] = time.time
    n_pushes: int = 0
    n_refused: int = 0
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def push(self, one: Subscription, header: str | None, body: bytes) -> None:
        """Make the source of a subscription due, if the push is signed by who knows the secret."""
        is_signed_ = is_signed(one.secret, header, body)
        with self._turn:
            self.n_pushes += is_signed_
            self.n_refused += not is_signed_
        if is_signed_:
            self.store.hurry([one.source_id])


def _handler(callback: Callback) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        def do_GET(self) -> None:
            asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True, max_num_fields=50))
            try:
                challenge = confirm(callback.store, self._token(), asked, callback.wall())
            except (StoreUnavailable, ValueError):
                return self._say(503)
            return self._say(404) if challenge is None else self._say(200, challenge)

        def do_POST(self) -> None:
            try:
                one = callback.store.subscription(self._token())
            except StoreUnavailable:
                return self._say(503)
            if one is None or not one.is_wanted:
                return self._say(404 if one is None else 410)
            length = self.announced_length()
            if length is None or length > MAX_BYTES:
                return self._say(411 if length is None else 413)
            body = self.rfile.read(length)
            if len(body) < length:
                return None
            try:
                callback.push(one, self.headers.get("X-Hub-Signature"), body)
            except StoreUnavailable:
                return self._say(503)
            # The same for a wrong signature (section 8): who guesses learns nothing.
            return self._say(202)

        def _token(self) -> str:
            before, _, token = urlsplit(self.path).path.rpartition("/")
            return token if before == "/websub" else ""

        def _say(self, status: int, words: str = "") -> None:
            self.answer(status, words.encode(), "text/plain; charset=utf-8")

    return Handler


@contextlib.contextmanager
def serve_hubs(callback: Callback, port: int = 0) -> Iterator[ThreadingHTTPServer]:
    """Answer hubs on 127.0.0.1, behind which a web server of the operator's passes ``/websub/`` on."""
    with listen(_handler(callback), port) as server:
        yield server


async def keep_subscribed(
    store: Store,
    web: Web,
    callback: str,
    stop: threading.Event,
    *,
    allow_private: bool,
    wall: Callable[[], float] = time.time,
) -> None:
    """Subscribe, renew and unsubscribe until ``stop``; several processes may do so, each request is made by one."""
    rng, listed_at = random.Random(), -LISTED_S
    while not stop.is_set():
        n = 0
        try:
            if time.monotonic() - listed_at >= LISTED_S:
                await asyncio.to_thread(list_wanted, store, allow_private=allow_private)
                listed_at = time.monotonic()
            n = await ask_due(store, web, callback, wall(), rng)
        except StoreUnavailable as error:
            logger.warning("hubs", extra={"trouble": str(error)})
        if n < _AT_ONCE:
            await asyncio.to_thread(stop.wait, _TICK_S)


def summary(subscriptions: Sequence[Subscription], now: float) -> dict[str, int]:
    """Return how many subscriptions there are, by how they stand: ``active``, ``asked``, ``in_trouble``, ``ending``."""
    counts = dict.fromkeys(("active", "asked", "in_trouble", "ending"), 0)
    for one in subscriptions:
        if not one.is_wanted:
            counts["ending"] += 1
        elif one.until_at is not None and one.until_at > now:
            counts["active"] += 1
        else:
            counts["in_trouble" if one.trouble else "asked"] += 1
    return counts

"""What collectors of JSON APIs and timelines share: reading an answer, telling the unmapped, remembering what was seen."""

import asyncio
import logging
import random
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from bastau.collect.visits import Answer, FetchFailed, Request, Row, Web
from bastau.collect.web.budgets import rate_limit
from bastau.errors import SourceChanged

logger = logging.getLogger(__name__)

_Item = TypeVar("_Item")
MAX_RECENT = 200
"""Posts of a timeline remembered by id, to notice when one of them goes away."""
MAX_CHECKS = 5
"""Posts asked about one by one in a visit, to tell a deletion from an odd order of the timeline."""
MAX_NOTES = 1000
FIRST_WAIT_S = 2.0
MOST_WAIT_S = 600.0
"""First and longest wait before a stream that broke is begun again."""


@dataclass
class Calls:
    """The requests of one visit: their cost, and what was odd about the answers."""

    web: Web
    ignored: frozenset[str] = frozenset()
    n_requests: int = 0
    n_bytes: int = 0
    notes: dict[str, None] = field(default_factory=dict)
    n_told: int = 0

    async def fetch(self, request: Request) -> Answer:
        """Return the answer to ``request`` and count it."""
        self.n_requests += 1
        answer = await self.web.fetch(request)
        self.n_bytes += answer.n_bytes
        return answer

    async def json(self, url: str, headers: Mapping[str, str] | None = None, **request: Any) -> tuple[Any, Answer]:
        """Return (parsed body, answer).

        Raises:
            SourceChanged: the body is no JSON.
        """
        asked = {"Accept": "application/json", **(headers or {})}
        answer = await self.fetch(Request(url, headers=asked, **request))
        try:
            return orjson.loads(answer.body), answer
        except orjson.JSONDecodeError:
            raise SourceChanged(f"{place_of(url)}: the answer is no JSON") from None

    def note(self, words: str) -> None:
        """Keep an oddity for the operator; the same one once. No words, names or handles of posts."""
        if len(self.notes) < MAX_NOTES:
            self.notes[words] = None

    def unmapped(self, value: Mapping[str, Any], known: Iterable[str], where: str) -> None:
        """Note the fields of ``value`` that are neither ``known`` to the collector nor ignored by its card."""
        for name in value.keys() - set(known) - self.ignored:
            self.note(f"unmapped field {where}.{name}")

    def told(self) -> tuple[str, ...]:
        """Return the notes that were not told yet: a stream lives for days and hands each out once."""
        new = tuple(self.notes)[self.n_told :]
        self.n_told = len(self.notes)
        return new

    @property
    def cost(self) -> dict[str, Any]:
        """Fields of a visit that every visit fills."""
        return {"n_requests": self.n_requests, "n_bytes": self.n_bytes, "notes": tuple(self.notes)}


def place_of(url: str) -> str:
    """Return host and path of an address, without what a query may hold (keys, names)."""
    return url.split("?", 1)[0].split("://", 1)[-1]


def reason_of(error: FetchFailed) -> dict[str, Any]:
    """Return the JSON object with which an API refused, or an empty one."""
    try:
        value = orjson.loads(error.body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def posts_a_day(rows: Sequence[Row]) -> float | None:
    """Return the rate of the posts seen, newest to oldest; None with fewer than two times."""
    times = sorted(when for row in rows if (when := as_time(row.get("published_at"))))
    if len(times) < 2 or times[0] == times[-1]:
        return None
    return round((len(times) - 1) / max((times[-1] - times[0]).total_seconds() / 86400, 1 / 1440), 2)


def as_time(value: Any) -> datetime | None:
    """Return an RFC 3339 string or Unix seconds as UTC; None for anything else."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        when = datetime.fromisoformat(value)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def count(value: Any) -> int | None:
    """Return a count given as number or digits; None for anything else and below zero."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number >= 0 else None


def remember(before: Sequence[Any], seen: Iterable[Any], key: Callable[[Any], Any]) -> list[Any]:
    """Return the newest :data:`MAX_RECENT` ids of both, oldest first."""
    return sorted({*before, *seen}, key=key)[-MAX_RECENT:]


def absent(before: Sequence[Any], listed: Sequence[Any], key: Callable[[Any], Any]) -> list[Any]:
    """Return ids seen before that should stand in ``listed``, a timeline without holes, and do not; newest first."""
    if not listed:
        return []
    oldest, there = min(key(item) for item in listed), set(listed)
    return sorted((item for item in before if key(item) > oldest and item not in there), key=key, reverse=True)


async def merge(streams: Sequence[Callable[[], AsyncIterator[_Item]]]) -> AsyncIterator[_Item]:
    """Yield what any of the streams yields, as it comes; each is begun by a call.

    One that fails or ends is begun again with back-off while the others go on. When none is left that brought something
    since its last beginning (a first beginning counts as such), all end: with the first failure, if there was one.
    Streams are closed when the caller stops.
    """
    queue: asyncio.Queue[tuple[int, _Item | None, Exception | None]] = asyncio.Queue(maxsize=1000)

    async def pump(number: int, begin: Callable[[], AsyncIterator[_Item]]) -> None:
        n_ends = 0
        while True:
            failure: Exception | None = None
            try:
                async for item in begin():
                    n_ends = 0
                    await queue.put((number, item, None))
            except Exception as error:
                # handed to the reader below, which raises it when no stream is left
                failure = error
            await queue.put((number, None, failure))
            await asyncio.sleep(min(FIRST_WAIT_S * 2 ** min(n_ends, 20), MOST_WAIT_S) * random.uniform(0.5, 1.0))
            n_ends += 1

    tasks = [asyncio.create_task(pump(number, begin)) for number, begin in enumerate(streams)]
    down: dict[int, Exception | None] = {}
    try:
        while len(down) < len(tasks):
            number, item, error = await queue.get()
            if item is not None:
                down.pop(number, None)
                yield item
                continue
            down[number] = error
            if error is not None and len(down) < len(tasks):
                is_usual = isinstance(error, FetchFailed)
                logger.log(
                    logging.INFO if is_usual else logging.ERROR,
                    "a stream broke and is begun again",
                    extra={"trouble": error.kind.value if isinstance(error, FetchFailed) else type(error).__name__},
                )
        failures = [error for error in down.values() if error is not None]
        if failures:
            raise failures[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def rest_s(answer: Answer, now: datetime, n_needed: int) -> float | None:
    """Return the seconds until a server grants more requests, where it leaves us ``n_needed`` at most."""
    budget = rate_limit([(name.lower(), value) for name, value in answer.headers], now)
    return budget[1] if budget is not None and budget[0] <= n_needed else None


_ADDRESS = re.compile(r"https?://[^\s<>\"'()\[\]|]+[^\s<>\"'()\[\]|.,;:!?…»”]")


def links_in(text: str | None) -> list[str]:
    """Return the web addresses that stand in a plain text, each once."""
    return list(dict.fromkeys(_ADDRESS.findall(text or "")))


def with_author(text: str | None, handle: str, name: str | None) -> str:
    """Return the words of a reposted post with its author's own name and handle written as a mention.

    The repost is somebody else's row, so the pseudonymiser knows its original author by mentions only.
    """
    local = re.split(r"@|\.bsky\.social$", handle, maxsplit=1)[0]
    words = sorted({word for word in (handle, local, (name or "").strip()) if len(word) >= 3}, key=len, reverse=True)
    if not text or not words:
        return text or ""
    own = rf"(?<![\w@/.\-])(?:{'|'.join(re.escape(word) for word in words)})(?![^\W_])"
    return re.sub(own, lambda _: f"@{handle}", text, flags=re.IGNORECASE)

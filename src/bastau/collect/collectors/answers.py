"""What collectors of JSON APIs and timelines share: reading an answer, telling the unmapped, remembering what was seen."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from bastau.collect.visits import Answer, FetchFailed, Request, Row, Web
from bastau.errors import SourceChanged

_Item = TypeVar("_Item")
MAX_RECENT = 200
"""Posts of a timeline remembered by id, to notice when one of them goes away."""
MAX_CHECKS = 5
"""Posts asked about one by one in a visit, to tell a deletion from an odd order of the timeline."""


@dataclass
class Calls:
    """The requests of one visit: their cost, and what was odd about the answers."""

    web: Web
    ignored: frozenset[str] = frozenset()
    n_requests: int = 0
    n_bytes: int = 0
    notes: dict[str, None] = field(default_factory=dict)

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
        self.notes[words] = None

    def unmapped(self, value: Mapping[str, Any], known: Iterable[str], where: str) -> None:
        """Note the fields of ``value`` that are neither ``known`` to the collector nor ignored by its card."""
        for name in value.keys() - set(known) - self.ignored:
            self.note(f"unmapped field {where}.{name}")

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
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    try:
        when = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def count(value: Any) -> int | None:
    """Return a count given as number or digits; None for anything else and below zero."""
    try:
        number = int(value)
    except (TypeError, ValueError):
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


async def merge(streams: Sequence[AsyncIterator[_Item]]) -> AsyncIterator[_Item]:
    """Yield what any of the streams yields, as it comes; the first that fails ends all.

    Streams are closed when the caller stops.
    """
    queue: asyncio.Queue[tuple[_Item | None, BaseException | None, bool]] = asyncio.Queue(maxsize=1000)

    async def pump(stream: AsyncIterator[_Item]) -> None:
        try:
            async for item in stream:
                await queue.put((item, None, False))
            await queue.put((None, None, True))
        except Exception as error:
            # handed to the reader below, which raises it there
            await queue.put((None, error, True))

    tasks = [asyncio.create_task(pump(stream)) for stream in streams]
    n_open = len(tasks)
    try:
        while n_open:
            item, error, is_end = await queue.get()
            if error is not None:
                raise error
            if is_end:
                n_open -= 1
                continue
            assert item is not None
            yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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

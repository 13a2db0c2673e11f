"""robots.txt as RFC 9309 has it, kept for a day and within bounds."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from bastau.collect.visits import Answer, FetchFailed, FetchRefused, Request, Trouble
from bastau.collect.web.guard import Place
from bastau.errors import ConfigError

MAX_BYTES = 500 << 10
"""RFC 9309, 2.5: at least 500 KiB are read; what is beyond is not."""
_KEPT_S = 86_400.0
_FORBIDDEN_S = 600.0
"""For so long nothing is crawled where robots.txt cannot be had (2.3.1.4), before it is asked again."""
_MAX_WEIGHT = 64 << 20
_WEIGHT = 4096
"""Bytes that rules cost at least in memory; parsed they take about ten times their text."""
_MAX_RULES = 20_000
"""Lines of a file that are read: beyond, matching one address would take seconds."""


class Robots:
    """Rules by origin.

    Args:
        token: product token of our user agent.
        get: fetches robots.txt; redirects followed, every other rule of fetching kept.
        set_pause: told of Crawl-delay in seconds.
    """

    def __init__(
        self, token: str, get: Callable[[Request], Awaitable[Answer]], set_pause: Callable[[Place, float], None]
    ) -> None:
        try:
            from protego import Protego
        except ImportError as error:
            raise ConfigError("watching needs protego: pip install 'bastau[watch]'") from error
        self._parse: Callable[[str], Any] = Protego.parse
        self._token, self._get, self._set_pause = token, get, set_pause
        self._kept: OrderedDict[tuple[str, str, int], tuple[float, Any, int]] = OrderedDict()
        self._asked: dict[tuple[str, str, int], asyncio.Future[Any]] = {}
        self._weight = 0

    async def allows(self, place: Place) -> bool:
        """Say whether ``place`` may be crawled."""
        rules = await self._rules(place)
        return rules if isinstance(rules, bool) else bool(rules.can_fetch(place.url, self._token))

    async def sitemaps(self, place: Place) -> list[str]:
        """Return the sitemaps that robots.txt names, at most a thousand."""
        rules = await self._rules(place)
        return [] if isinstance(rules, bool) else list(rules.sitemaps)[:1000]

    async def _rules(self, place: Place) -> Any:
        """Return parsed rules; True where everything is allowed, False where nothing is."""
        entry = self._kept.get(place.origin)
        if entry is not None and entry[0] > monotonic():
            self._kept.move_to_end(place.origin)
            return entry[1]
        asked = self._asked.get(place.origin)
        if asked is None:
            asked = asyncio.ensure_future(self._ask(place))
            self._asked[place.origin] = asked
            asked.add_done_callback(lambda _: self._asked.pop(place.origin, None))
        return await asyncio.shield(asked)

    async def _ask(self, place: Place) -> Any:
        rules: Any
        kept_s, weight = _KEPT_S, _WEIGHT
        url = f"{place.scheme}://{place.netloc}/robots.txt"
        try:
            answer = await self._get(Request(url, max_bytes=4 * MAX_BYTES, timeout_s=20.0))
        except FetchRefused as error:
            if error.kind is Trouble.RESTING:
                raise
            # Too large, too often redirected, ...: no rules can be had (2.3.1.2, 2.3.1.3).
            rules = error.kind in (Trouble.TOO_LARGE, Trouble.TOO_MANY_REDIRECTS)
            kept_s = _KEPT_S if rules else _FORBIDDEN_S
        except FetchFailed as error:
            status = error.status or 0
            # 429 is no statement about robots.txt, but a wish to be left alone.
            rules = 400 <= status < 500 and status != 429
            kept_s = _KEPT_S if rules else max(_FORBIDDEN_S, min(error.retry_after_s or 0.0, _KEPT_S))
        else:
            text = answer.body[:MAX_BYTES].decode("utf-8", errors="replace").removeprefix("\ufeff")
            lines = text.splitlines()[:_MAX_RULES]
            weight += 10 * len(text)
            rules = self._parse("\n".join(lines)) if lines else True
            if not isinstance(rules, bool):
                delay_s = rules.crawl_delay(self._token)
                if delay_s:
                    self._set_pause(place, float(delay_s))
        self._keep(place.origin, rules, kept_s, weight)
        return rules

    def _keep(self, origin: tuple[str, str, int], rules: Any, kept_s: float, weight: int) -> None:
        before = self._kept.pop(origin, None)
        self._weight += weight - (before[2] if before else 0)
        self._kept[origin] = (monotonic() + kept_s, rules, weight)
        while self._weight > _MAX_WEIGHT and len(self._kept) > 1:
            self._weight -= self._kept.popitem(last=False)[1][2]

    def close(self) -> None:
        """Give up the questions under way."""
        for asked in list(self._asked.values()):
            asked.cancel()

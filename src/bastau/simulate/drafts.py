"""Posts while they are being invented, with what is true about each, and the clock of the invented world."""

from dataclasses import dataclass, field
from typing import Any

from bastau.simulate.dice import Dice
from bastau.simulate.population import Source

HOUR = 3600
DAY = 24 * HOUR
N_DAYS = 14
END = N_DAYS * DAY
_UTC_OFFSET_H = 5
# Posts an hour by local time, out of 100 at the busiest: quiet nights, a morning rise, an evening peak.
_RHYTHM = (8, 4, 3, 2, 2, 5, 14, 32, 55, 70, 75, 76, 72, 74, 70, 66, 64, 70, 80, 92, 100, 90, 58, 24)


def busy(at: int) -> int:
    """Return how lively the hour of ``at`` (seconds after the start) is, in [2, 100]."""
    return _RHYTHM[(at // HOUR + _UTC_OFFSET_H) % 24]


def any_time(dice: Dice) -> int:
    """Return a moment of the simulated days, following the rhythm of day and night."""
    local_hour = dice.weighted(_RHYTHM)
    return dice.below(N_DAYS) * DAY + (local_hour - _UTC_OFFSET_H) % 24 * HOUR + dice.below(HOUR)


def local(day: int, hour: int) -> int:
    """Return the moment at which day ``day`` (from 0) strikes ``hour`` o'clock local time."""
    return day * DAY + (hour - _UTC_OFFSET_H) * HOUR


def later(after: int, low_s: int, doublings: int, dice: Dice) -> int:
    """Return a moment after ``after``: a log-uniform delay from ``low_s`` seconds on, mostly at lively hours."""
    at = after
    for _ in range(4):
        at = after + dice.log_uniform(low_s, doublings)
        if at < END and dice.percent(busy(at)):
            return at
    return at if at < END else after + 1 + dice.below(END - after - 1)


@dataclass(slots=True)
class Draft:
    """One invented post.

    ``at`` is in seconds after the start, negative before it (such posts are withheld); ``plain`` is the text
    without what a platform or a link adds, from which copies are made; ``reposted`` is the original of a repost
    or forward.
    """

    post_id: str
    url: str
    source: Source
    at: int
    text: str
    language: str
    plain: str
    title: str | None = None
    links: tuple[str, ...] = ()
    reposted: "Draft | None" = None
    repost_of: str | None = None
    reply_to: str | None = None
    forwarded_from: str | None = None
    narrative: str | None = None
    version: str | None = None
    role: str = "background"
    group: str | None = None
    withheld: bool = False


@dataclass(frozen=True)
class Copy:
    """One post was made from another."""

    original: Draft
    copy: Draft
    kind: str


@dataclass
class Ledger:
    """All drafts so far, and who copied whom."""

    drafts: list[Draft] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    _n_of: dict[str, int] = field(default_factory=dict)

    def add(self, source: Source, at: int, text: str, **about: Any) -> Draft:
        """Record a post; its id and address follow from its source and number."""
        key = f"{source.platform}:{source.handle}"
        number = self._n_of.get(key, 100) + 1
        self._n_of[key] = number
        about = {"language": source.language, "plain": text, **about}
        draft = Draft(f"{key}/{number}", source.address(number), source, at, text, **about)
        draft.withheld = draft.withheld or at < 0 or not source.is_collected
        self.drafts.append(draft)
        return draft

    def copied(self, original: Draft, copy: Draft, kind: str) -> None:
        """Record that ``copy`` was made from ``original``."""
        self.copies.append(Copy(original, copy, kind))

    def n_kept(self) -> int:
        """Return how many drafts are not withheld."""
        return sum(not draft.withheld for draft in self.drafts)

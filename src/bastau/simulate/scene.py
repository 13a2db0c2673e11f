"""A benchmark while it is being made: its posts with what is true of each, and how they become the Post format."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bastau.simulate.cast import Cast, Player
from bastau.simulate.dice import Dice
from bastau.simulate.drafts import DAY, END, HOUR
from bastau.simulate.events import Story, Teller
from bastau.simulate.levels import Level

ADDRESS = "\x00"
"""Stands for the address of ``original`` in a text until ids are given out."""


@dataclass(slots=True, eq=False)
class Item:
    """One invented post.

    Attributes:
        at: when it was truly made, seconds after the start; negative before it.
        plain: the text without what a platform or a link adds; copies are made from it.
        via: how it points at ``original``: repost, forward, link, credit (a copy with a link) or reply; empty: not at all.
        kind: how it was made from ``original`` or from ``source_item``: near_copy, rewrite, translation, ...
        source_item: what it was made from; differs from ``original`` where a platform points at the first of a chain.
        dated_s: what is added to its true time: the clock of its source, or a false date.
        hidden: why it is not among the posts; empty: it is.
    """

    player: Player
    at: int
    text: str
    language: str
    plain: str
    story: Story = ()
    title: str | None = None
    narrative: str | None = None
    version: str | None = None
    role: str = "background"
    group: str | None = None
    via: str = ""
    kind: str = ""
    original: "Item | None" = None
    source_item: "Item | None" = None
    links: tuple[str, ...] = ()
    dated_s: int = 0
    hidden: str = ""
    number: int = 0

    @property
    def post_id(self) -> str:
        """Unique id; counts up in the order in which its source truly posted."""
        source = self.player.source
        return f"{source.platform}:{source.handle}/{self.number}"

    @property
    def url(self) -> str:
        """Public address."""
        return self.player.source.address(self.number)


@dataclass
class Scene:
    """All that happens in one benchmark."""

    level: Level
    seed: int
    cast: Cast
    teller: Teller = field(default_factory=Teller)
    items: list[Item] = field(default_factory=list)
    innocent: dict[str, set[str]] = field(default_factory=dict)
    unjudged: set[str] = field(default_factory=set)
    """Narratives without one beginning, as a stock greeting."""

    def dice(self, purpose: str) -> Dice:
        """Return the choices of one purpose."""
        return Dice(self.seed, purpose)

    def add(self, player: Player, at: int, text: str, **about: Any) -> Item:
        """Record a post of ``player``."""
        about = {"language": player.source.language, "plain": text, **about}
        item = Item(player, at, text, **about)
        item.dated_s = player.skew_s
        if not player.source.is_collected:
            item.hidden = "uncollected"
        elif at < 0:
            item.hidden = "before"
        self.items.append(item)
        return item

    def finish(self) -> list[Item]:
        """Lose what the level loses, number the rest by true time; return the posts that are left, as they are dated."""
        loss, gaps = self.dice("missing"), _outages(self.level, self.dice("outages"))
        self.items.sort(key=lambda item: item.at)
        numbers: dict[str, int] = {}
        for item in self.items:
            key = f"{item.player.source.platform}:{item.player.source.handle}"
            numbers[key] = item.number = numbers.get(key, 100) + 1
            if not item.hidden and any(start <= item.at < end for start, end in gaps[item.player.source.platform]):
                item.hidden = "outage"
            if loss.percent(self.level.missing) and not item.hidden:
                item.hidden = "missing"
        for item in self.items:
            if item.original is not None:
                item.text = item.text.replace(ADDRESS, item.original.url)
        kept = [item for item in self.items if not item.hidden]
        return sorted(kept, key=lambda item: (item.at + item.dated_s, item.post_id))


def _outages(level: Level, dice: Dice) -> dict[str, list[tuple[int, int]]]:
    gaps: dict[str, list[tuple[int, int]]] = {}
    for platform in ("web", "telegram", "vk", "x", "mastodon"):
        starts = [dice.between(4 * DAY, END - 2 * DAY) for _ in range(2)]
        length = level.outage_h * HOUR // 2
        gaps[platform] = [(start, start + length) for start in starts] if length else []
    return gaps


def post_row(item: Item, start: datetime, dice: Dice) -> dict[str, Any]:
    """Return an item in the Post format."""
    source, player = item.player.source, item.player
    cycle = player.poll_min * 60
    seen = item.at + dice.between(5, 60)
    collected = seen + (player.phase_s - seen) % cycle
    audience = source.audience or 200
    views = audience * dice.between(5, 60) // 100 if source.platform in ("telegram", "vk") else None
    likes = (views or audience) * dice.below(8) // 100 if source.platform != "web" else None
    links = [item.original.url] if item.original is not None and item.via in ("link", "credit") else list(item.links)
    return {
        "post_id": item.post_id,
        "platform": source.platform,
        "source": source.handle,
        "source_kind": source.kind,
        "source_name": source.name,
        "audience": source.audience,
        "published_at": start + timedelta(seconds=item.at + item.dated_s),
        "collected_at": start + timedelta(seconds=collected),
        "url": item.url,
        "title": item.title,
        "text": item.text,
        "language": item.language if dice.percent(70) else None,
        "links": links or None,
        "repost_of": item.original.post_id if item.original is not None and item.via == "repost" else None,
        "reply_to": item.original.post_id if item.original is not None and item.via == "reply" else None,
        "forwarded_from": item.original.player.source.handle if item.original and item.via == "forward" else None,
        "media": None,
        "likes": likes,
        "shares": None if likes is None else likes * dice.below(30) // 100,
        "replies": None if likes is None else likes * dice.below(15) // 100,
        "views": views,
    }

"""How the narratives of a benchmark spread: beginnings kept back or not, copies of every kind, groups that push."""

from dataclasses import dataclass, field
from typing import Any

from bastau.simulate.cast import Player
from bastau.simulate.dice import Dice
from bastau.simulate.disguise import edited, obfuscated
from bastau.simulate.drafts import DAY, END, HOUR, later, local
from bastau.simulate.events import Story
from bastau.simulate.population import Source
from bastau.simulate.scene import ADDRESS, Item, Scene

LANGUAGES = ("kk", "ru", "en")
_KINDS = ("outlet", "website", "channel", "page", "account")
# Where stories begin, and where copies appear.
_BEGIN = (20, 10, 35, 10, 25)
_COPY = (6, 4, 36, 12, 42)
_LAST = END - 2 * HOUR
_MOST_TRIES = 6


@dataclass
class Telling:
    """One wording in one language, and the posts that carry it."""

    version: str
    language: str
    wording: int
    items: list[Item]


@dataclass
class Outbreak:
    """One narrative as it spreads."""

    name: str
    scene: Scene
    dice: Dice
    story: Story
    slow: bool
    burst: bool
    tellings: list[Telling] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    hidden_until: int = -(1 << 40)

    def grow(self, n_posts: int) -> None:
        """Add copies until ``n_posts`` are not kept back."""
        left = n_posts - sum(not telling.items[0].hidden for telling in self.tellings)
        for _ in range(n_posts * _MOST_TRIES):
            if left <= 0:
                break
            item = self._copy()
            if item is not None:
                left -= not item.hidden

    def begin(self, player: Player, at: int) -> Item:
        """Add the first post."""
        language = player.source.language
        text = self.scene.teller.tell(self.story, language, 0, self.dice)
        item = self._add(player, at, text, f"{self.name}-0", language, role="origin")
        self.tellings.append(Telling(f"{self.name}-0", language, 0, [item]))
        return item

    def _add(self, player: Player, at: int, text: str, version: str | None, language: str, **about: Any) -> Item:
        about = {"role": "spread", **about}
        if player.source.platform == "web" and "title" not in about:
            about["title"] = self.scene.teller.headline(self.story, language, self.dice)
        item = self.scene.add(
            player, at, text, narrative=self.name, version=version, language=language, story=self.story, **about
        )
        if not item.hidden and at < self.hidden_until:
            item.hidden = "late"
        return item

    def _copy(self) -> Item | None:
        """Add one copy; None when the drawn source has told it already or no time is left."""
        dice, level = self.dice, self.scene.level
        telling = self.tellings[dice.weighted([3 + len(t.items) for t in self.tellings])]
        original = telling.items[0] if dice.percent(50) else dice.choose(telling.items)
        if original.at >= _LAST:
            return None
        way = dice.below(100)
        has_button = way < level.button and original.player.source.platform != "web"
        platform = original.player.source.platform if has_button else ""
        kind = "" if has_button else _KINDS[dice.weighted(_COPY)]
        player = self.scene.cast.pick(dice, kind=kind, language=telling.language, platform=platform)
        if player.source.handle in self.used or not player.source.is_collected:
            return None
        self.used.add(player.source.handle)
        low, doublings = (1800, 9) if self.slow else (20, 8) if self.burst else (90, 11)
        at = later(original.at, low, doublings, dice)
        if has_button:
            return self._by_button(original, player, at, telling)
        if way < level.button + level.link:
            own = self.scene.teller.tell(self.scene.teller.story(1, dice), telling.language, dice.below(2), dice)
            comment = f"{self.scene.teller.pick(telling.language, 'comments', dice)} {own}"
            return self._add(
                player,
                at,
                f"{comment} {ADDRESS}",
                None,
                telling.language,
                plain=comment,
                via="link",
                kind="link",
                original=original,
                source_item=original,
                title=None,
            )
        return self._pasted(original, player, at, telling)

    def _by_button(self, original: Item, player: Player, at: int, telling: Telling) -> Item:
        """Add a repost or forward; platforms point at the post that was first reposted, not at the hop between."""
        root = original
        while root.via in ("repost", "forward") and root.original is not None:
            root = root.original
        via = "forward" if player.source.platform == "telegram" else "repost"
        text = f"RT @{root.player.source.handle}: {root.text}" if player.source.platform == "x" else root.text
        item = self._add(
            player,
            at,
            text,
            telling.version,
            telling.language,
            plain=root.plain,
            via=via,
            kind=via,
            original=root,
            source_item=root,
        )
        telling.items.append(item)
        return item

    def _pasted(self, original: Item, player: Player, at: int, telling: Telling) -> Item:
        dice, level, teller = self.dice, self.scene.level, self.scene.teller
        told = dice.below(100)
        if told < level.paraphrase + level.translation:
            return self._told_anew(original, player, at, telling, is_translation=told >= level.paraphrase)
        plain = original.plain
        if dice.percent(level.edited):
            plain = edited(plain, telling.language, teller, dice)
        shown = obfuscated(plain, dice) if dice.percent(level.obfuscated) else plain
        item = self._add(
            player,
            at,
            shown,
            telling.version,
            telling.language,
            plain=plain,
            kind="near_copy",
            source_item=original,
        )
        self._dress(item, original)
        telling.items.append(item)
        return item

    def _told_anew(self, original: Item, player: Player, at: int, telling: Telling, *, is_translation: bool) -> Item:
        dice = self.dice
        language = telling.language
        if is_translation:
            language = dice.choose([other for other in LANGUAGES if other != telling.language])
            player = self.scene.cast.pick(dice, kind=player.source.kind, language=language)
            if not player.source.is_collected:
                player = self.scene.cast.several(1, dice, kinds=("channel",), language=language)[0]
            self.used.add(player.source.handle)
        wording = telling.wording if is_translation else 1 - telling.wording if telling.wording < 2 else 2
        told_before = any(t.language == language and t.wording == wording for t in self.tellings)
        wording = 2 if told_before else wording
        text = self.scene.teller.tell(self.story, language, wording, dice)
        version = f"{self.name}-{len(self.tellings)}"
        kind = "translation" if is_translation else "rewrite"
        item = self._add(player, at, text, version, language, kind=kind, source_item=original)
        self._dress(item, original)
        self.tellings.append(Telling(version, language, wording, [item]))
        return item

    def _dress(self, item: Item, original: Item) -> None:
        """Say where it was copied from, or give it a false date, now and then."""
        dice, level = self.dice, self.scene.level
        if dice.percent(level.credit):
            item.via, item.original = "credit", original
            item.text += f" {ADDRESS}"
        if item.player.source.platform == "web" and dice.percent(level.back_dated):
            item.dated_s -= dice.log_uniform(HOUR, 7)


def spread_narratives(scene: Scene) -> None:
    """Add all narratives; those at the front are pushed by groups, a few are viral bursts."""
    groups = list(scene.cast.groups.items())
    for number in range(scene.level.n_narratives):
        dice = scene.dice(f"narrative {number}")
        outbreak = _outbreak(number, scene, dice)
        if number < len(groups):
            _push(outbreak, *groups[number])
        elif outbreak.burst:
            carriers = {item.player.source.handle for item in scene.items if item.narrative == outbreak.name}
            scene.innocent[f"viral burst {number}"] = carriers


def _outbreak(number: int, scene: Scene, dice: Dice) -> Outbreak:
    level, n_groups = scene.level, scene.level.n_groups
    slow = number >= n_groups and dice.percent(level.slow)
    burst = not slow and number % 30 == 29
    outbreak = Outbreak(f"n{number}", scene, dice, scene.teller.story(dice.between(3, 6), dice), slow, burst)
    kept_back = ("late", "source", "deleted", "before")[dice.weighted((30, 40, 20, 10))]
    if not (number >= n_groups and dice.percent(level.withheld)):
        kept_back = ""
    language = LANGUAGES[dice.weighted((35, 45, 20))]
    player = scene.cast.pick(dice, kind=_KINDS[dice.weighted(_BEGIN)], language=language)
    at = local(dice.between(4, 11), 8) + dice.below(14 * HOUR)
    if kept_back == "source":
        player = dice.choose(scene.cast.outside)
    elif kept_back == "before":
        at = -dice.between(4, 60) * HOUR
    elif kept_back == "late":
        outbreak.hidden_until = at + dice.log_uniform(1800, 6)
    outbreak.used.add(player.source.handle)
    first = outbreak.begin(player, at)
    if kept_back == "deleted":
        first.hidden = "deleted"
    outbreak.grow(60 if burst else dice.log_uniform(8, 4))
    return outbreak


def _push(outbreak: Outbreak, name: str, members: tuple[Player, ...]) -> None:
    """Add the events of a group: members post one new text and link, ``jitter_s`` apart at most."""
    scene, level, dice = outbreak.scene, outbreak.scene.level, outbreak.dice
    language = members[0].source.language
    first = outbreak.tellings[0].items[0]
    step = (END - first.at - DAY) // level.n_events
    shop = scene.cast.pick(dice, kind="website", language=language).source
    for event in range(level.n_events):
        start = first.at + 3 * HOUR + event * step + dice.below(max(step // 2, 1))
        story = (*dice.sample(outbreak.story, 1), *scene.teller.story(2, dice))
        disguised = dice.percent(level.disguise)
        link = f"https://{shop.handle}/{outbreak.name}/{event + 1}"
        present = [member for member in dice.sample(members, len(members)) if dice.percent(level.attendance)]
        leader: Item | None = None
        seconds = sorted(dice.below(max(level.jitter_s, 1)) for _ in present)
        for member, second in zip(present, seconds, strict=True):
            plain = scene.teller.tell(story, language, 2 if disguised else 0, dice)
            if leader is not None and dice.percent(level.edited):
                plain = edited(plain, language, scene.teller, dice)
            shown = obfuscated(plain, dice) if dice.percent(level.obfuscated) else plain
            has_link = not disguised or dice.percent(60)
            item = scene.add(
                member,
                start + second,
                f"{shown} {link}" if has_link else shown,
                plain=plain,
                links=(link,) if has_link else (),
                language=language,
                story=story,
                narrative=outbreak.name,
                version=f"{outbreak.name}-push-{event}",
                role="coordinated",
                group=name,
                kind="near_copy" if leader is not None else _retelling(first.player.source, language),
                source_item=leader or first,
            )
            leader = leader or item


def _retelling(source: Source, language: str) -> str:
    return "rewrite" if source.language == language else "translation"

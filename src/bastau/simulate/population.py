"""Who publishes in the invented country Bultia: outlets, websites, channels, pages and accounts.

Every address lies in a reserved domain (RFC 2606: ``.example``, ``.test``), so that no real place is ever named.
"""

from dataclasses import dataclass, field
from typing import Any

from bastau.settings import Publishers
from bastau.simulate.dice import Dice
from bastau.simulate.phrases import LANGUAGES, Phrases, read_texts

MIN_AUDIENCE = Publishers().min_audience
_TOOT = "toot.example"
_ACCOUNT_PLATFORMS = ("x", "x", "mastodon", "vk")
_ACCOUNT_LANGUAGES = ("ru", "kk", "ru", "en", "kk")


@dataclass(frozen=True)
class Source:
    """One invented source; ``handle`` is what the Post format calls ``source``."""

    platform: str
    handle: str
    kind: str
    name: str
    audience: int | None
    language: str
    is_collected: bool = True

    @property
    def is_publisher(self) -> bool:
        """True when the default settings count it as one (SCOPE, rule 2)."""
        return self.kind != "account" or (self.audience or 0) >= MIN_AUDIENCE

    def address(self, number: int) -> str:
        """Return the public address of its ``number``-th post."""
        match self.platform, self.kind:
            case "web", _:
                return f"https://{self.handle}/{self.language}/{number}"
            case "telegram", _:
                return f"https://telegram.example/{self.handle}/{number}"
            case "vk", "page":
                return f"https://vk.example/{self.handle}/wall{number}"
            case _:
                return f"{self.profile}/{number}"

    @property
    def profile(self) -> str:
        """Address of an account's page, in the form that Mastodon made common: ``https://host/@name``."""
        name, _, host = self.handle.partition("@")
        return f"https://{host or self.platform + '.example'}/@{name}"


@dataclass(frozen=True)
class World:
    """All sources, the phrases of each language, and what is planned to happen (``texts/world.toml``)."""

    sources: tuple[Source, ...]
    groups: dict[str, tuple[Source, ...]]
    wire: Source
    uncollected: Source
    phrases: dict[str, Phrases]
    plans: tuple[dict[str, Any], ...]
    group_plans: dict[str, dict[str, Any]]
    _selected: dict[tuple[tuple[str, ...], str, str], list[Source]] = field(default_factory=dict)

    def select(self, *, kinds: tuple[str, ...] = (), language: str = "", platform: str = "") -> list[Source]:
        """Return the collected sources that fit every condition given, in order of creation."""
        asked = (kinds, language, platform)
        if asked not in self._selected:
            self._selected[asked] = [
                source
                for source in self.sources
                if (not kinds or source.kind in kinds)
                and (not language or source.language == language)
                and (not platform or source.platform == platform)
            ]
        return self._selected[asked]


def build_world(n_accounts: int, seed: int) -> World:
    """Return the invented world with ``n_accounts`` accounts, one in ten of them a publisher."""
    plan, dice = read_texts("world"), Dice(seed, "world")
    phrases = {language: Phrases.load(language) for language in LANGUAGES}
    wire_name, wire_domain, wire_language = plan["wire"]
    group_plans = {group["name"]: group for group in plan["groups"]}
    public = [
        *_sites(plan["outlets"], "outlet", dice),
        *_sites(plan["websites"], "website", dice),
        *(
            Source("telegram", handle, "channel", name, dice.log_uniform(700, 6), language)
            for handle, name, language in _local_names(plan, "channels", phrases)
        ),
        *(
            Source("vk", handle, "page", name, dice.log_uniform(700, 6), language)
            for handle, name, language in _local_names(plan, "pages", phrases)
        ),
    ]
    accounts = _accounts(plan["nicks"], n_accounts, dice)
    groups: dict[str, tuple[Source, ...]] = {}
    hired: list[Source] = []
    for name, group in group_plans.items():
        if group["kind"] == "account":
            members = _hired_accounts(plan["nicks"], group, dice)
            hired += members
        else:
            fitting = [s for s in public if s.kind == group["kind"] and s.language == group["language"]]
            members = dice.sample(fitting, group["n_members"])
        groups[name] = tuple(members)
    wire = Source("web", wire_domain, "outlet", wire_name, 250_000, wire_language)
    return World(
        sources=(*public, *accounts, *hired),
        groups=groups,
        wire=wire,
        uncollected=Source("telegram", "bultia_sybyr", "channel", "Бұлтия сыбыры", None, "ru", is_collected=False),
        phrases=phrases,
        plans=tuple(plan["narratives"]),
        group_plans=group_plans,
    )


def _sites(rows: list[list[str]], kind: str, dice: Dice) -> list[Source]:
    low = 20_000 if kind == "outlet" else 900
    return [Source("web", domain, kind, name, dice.log_uniform(low, 4), language) for name, domain, language in rows]


def _local_names(plan: dict[str, Any], section: str, phrases: dict[str, Phrases]) -> list[tuple[str, str, str]]:
    """Return (handle, shown name, language) of every city's channels or pages."""
    return [
        (f"{slug}_{suffix}", f"{place['city']} {shown}", language)
        for language, suffixes in plan[section].items()
        for slug, place in zip(plan["slugs"], phrases[language].words["places"], strict=True)
        for suffix, shown in suffixes
    ]


def _nick(nicks: dict[str, list[str]], dice: Dice) -> tuple[str, str]:
    first, second = dice.choose(nicks["first"]), dice.choose(nicks["second"])
    return f"{first}_{second}", f"{first} {second}".title()


def _accounts(nicks: dict[str, list[str]], n: int, dice: Dice) -> list[Source]:
    made = []
    for i in range(n):
        handle, name = _nick(nicks, dice)
        platform = _ACCOUNT_PLATFORMS[i % len(_ACCOUNT_PLATFORMS)]
        language = _ACCOUNT_LANGUAGES[dice.below(len(_ACCOUNT_LANGUAGES))]
        # one in ten has the audience of a publisher, one in ten does not show its audience
        low = MIN_AUDIENCE if i % 10 == 3 else 20
        audience = None if i % 10 == 7 else min(dice.log_uniform(low, 4), low * 12)
        handle = f"{handle}_{i}" + (f"@{_TOOT}" if platform == "mastodon" else "")
        made.append(Source(platform, handle, "account", name, audience, language))
    return made


def _hired_accounts(nicks: dict[str, list[str]], group: dict[str, Any], dice: Dice) -> list[Source]:
    made = []
    for i in range(group["n_members"]):
        handle, name = _nick(nicks, dice)
        low = 300 if i < group["n_private"] else MIN_AUDIENCE + 1000
        audience = dice.log_uniform(low, 2)
        made.append(Source("x", f"{handle}_tea{i}", "account", name, audience, group["language"]))
    return made

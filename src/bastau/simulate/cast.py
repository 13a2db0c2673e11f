"""Who publishes in the benchmark: hundreds of publishers with the rates, delays and clocks of real ones.

Handles lie in reserved domains (RFC 2606) or name no real place.
"""

from dataclasses import dataclass, field

from bastau.simulate.dice import Dice
from bastau.simulate.levels import Level
from bastau.simulate.population import MIN_AUDIENCE, Source

LANGUAGES = ("kk", "ru", "en")
_SHARES = (35, 45, 20)
_SYLLABLES = tuple(a + b for a in "bdkljmnrstz" for b in "aeiou")
# platform, kind, how many, how often it is looked at (least and most minutes)
_PUBLIC = (
    ("web", "outlet", 110, 15, 60),
    ("web", "website", 60, 30, 120),
    ("telegram", "channel", 260, 8, 25),
    ("vk", "page", 70, 15, 45),
)
_OUTSIDE = (("telegram", "channel"), ("web", "website"), ("telegram", "channel"), ("x", "account"))
_N_ACCOUNTS = 900
_N_GROUP = 8
WIRE_LANGUAGES = ("kk", "ru", "ru", "en")


@dataclass(frozen=True)
class Player:
    """A source with what a collector would not know of it.

    Attributes:
        weight: how much it posts, in proportion.
        poll_min: minutes between two looks at it.
        phase_s: when in that cycle it is looked at.
        skew_s: what its clock is wrong by; its posts are dated that much later than they were made.
    """

    source: Source
    weight: int
    poll_min: int
    phase_s: int
    skew_s: int = 0


@dataclass(frozen=True)
class Cast:
    """All players; ``groups`` are coordinated, ``wires`` are agencies with their customers, ``outside`` nobody collects."""

    players: tuple[Player, ...]
    outside: tuple[Player, ...]
    groups: dict[str, tuple[Player, ...]]
    wires: tuple[tuple[Player, tuple[Player, ...]], ...]
    _chosen: dict[tuple[str, str, str], tuple[list[Player], list[int]]] = field(default_factory=dict)

    def pick(self, dice: Dice, *, kind: str = "", language: str = "", platform: str = "") -> Player:
        """Return one that fits, busy ones more often; a language that nobody fits is given up."""
        players, totals = self._fitting(kind, language, platform)
        if not players:
            players, totals = self._fitting(kind, "", platform)
        at = dice.below(totals[-1])
        low, high = 0, len(totals) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if at < totals[middle] else (middle + 1, high)
        return players[low]

    def several(self, n: int, dice: Dice, *, kinds: tuple[str, ...], language: str) -> list[Player]:
        """Return ``n`` different ones of these kinds and this language, all equally likely."""
        fitting = [p for p in self.players if p.source.kind in kinds and p.source.language == language]
        return dice.sample(fitting, n)

    def _fitting(self, kind: str, language: str, platform: str) -> tuple[list[Player], list[int]]:
        asked = (kind, language, platform)
        if asked not in self._chosen:
            players = [
                player
                for player in self.players
                if (not kind or player.source.kind == kind)
                and (not language or player.source.language == language)
                and (not platform or player.source.platform == platform)
            ]
            totals: list[int] = []
            for player in players:
                totals.append((totals[-1] if totals else 0) + player.weight)
            self._chosen[asked] = (players, totals)
        return self._chosen[asked]


def build_cast(level: Level, seed: int) -> Cast:
    """Return the cast of a benchmark: about 500 publishers and 900 accounts, one account in eight a publisher."""
    dice = Dice(seed, "cast")
    used: set[str] = set()
    players: list[Player] = []
    for platform, kind, n, fast, slow in _PUBLIC:
        for _ in range(n):
            language = LANGUAGES[dice.weighted(_SHARES)]
            collected = not dice.percent(level.uncollected)
            players.append(_player(platform, kind, language, fast, slow, level, dice, used, is_collected=collected))
    for i in range(_N_ACCOUNTS):
        platform = ("x", "x", "mastodon", "vk")[i % 4]
        language = LANGUAGES[dice.weighted(_SHARES)]
        players.append(_player(platform, "account", language, 1, 5, level, dice, used, is_public=i % 8 == 3))
    groups = {f"group-{i}": _group(i, level, dice, used) for i in range(level.n_groups)}
    wires = tuple(_wire(i, language, players, level, dice, used) for i, language in enumerate(WIRE_LANGUAGES))
    hired = [player for members in groups.values() for player in members]
    outside = tuple(
        _player(*_OUTSIDE[i % 4], LANGUAGES[dice.weighted(_SHARES)], 5, 20, level, dice, used, is_collected=False)
        for i in range(40)
    )
    return Cast((*players, *hired), outside, groups, wires)


def _player(
    platform: str,
    kind: str,
    language: str,
    fast: int,
    slow: int,
    level: Level,
    dice: Dice,
    used: set[str],
    *,
    is_collected: bool = True,
    is_public: bool = True,
) -> Player:
    name = _new_name(dice, used)
    handle = {"web": f"{name}.example", "mastodon": f"{name}@{dice.choose(('toot', 'agora', 'bult'))}.example"}.get(
        platform, name
    )
    low = 20 if not is_public else MIN_AUDIENCE if kind == "account" else 900
    audience = min(dice.log_uniform(low, 6), MIN_AUDIENCE - 1 if not is_public else 1 << 40)
    poll = dice.between(fast, slow)
    skew = _skew(level, dice) if platform in ("web", "mastodon") and dice.percent(level.skewed) else 0
    source = Source(platform, handle, kind, name.capitalize(), audience, language, is_collected)
    return Player(source, dice.log_uniform(4, 6), poll, dice.below(poll * 60), skew)


def _skew(level: Level, dice: Dice) -> int:
    """Return a clock error: minutes, or whole hours where the level reaches that far (a wrong time zone)."""
    sign = 1 if dice.percent(50) else -1
    if level.max_skew_s >= 3600 and dice.percent(40):
        return sign * 3600 * dice.between(1, level.max_skew_s // 3600)
    return sign * dice.between(180, min(level.max_skew_s, 2400))


def _group(number: int, level: Level, dice: Dice, used: set[str]) -> tuple[Player, ...]:
    platform, kind = (("telegram", "channel"), ("x", "account"), ("vk", "page"))[number % 3]
    language = LANGUAGES[(number + 1) % 3]
    size = dice.between(_N_GROUP - 2, _N_GROUP + 2)
    return tuple(_player(platform, kind, language, 5, 20, level, dice, used) for _ in range(size))


def _wire(
    number: int, language: str, players: list[Player], level: Level, dice: Dice, used: set[str]
) -> tuple[Player, tuple[Player, ...]]:
    agency = _player("web", "outlet", language, 5, 15, level, dice, used)
    agency = Player(agency.source, agency.weight, agency.poll_min, agency.phase_s)
    outlets = [p for p in players if p.source.kind in ("outlet", "website") and p.source.language == language]
    return agency, tuple(dice.sample(outlets, 12))


def _new_name(dice: Dice, used: set[str]) -> str:
    while True:
        name = "".join(dice.choose(_SYLLABLES) for _ in range(dice.between(3, 4)))
        if name not in used:
            used.add(name)
            return name

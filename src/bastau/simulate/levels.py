"""How hard a benchmark is: every difficulty is one number, so that one of them can be moved while the rest stay."""

from dataclasses import dataclass, replace
from typing import Any

from bastau.errors import ConfigError


@dataclass(frozen=True)
class Level:
    """The numbers behind a level; shares are of 100.

    Attributes:
        n_narratives: narratives that spread.
        n_background: ordinary posts that belong to none.
        withheld: narratives whose beginning is kept back on purpose.
        missing: posts lost at random, beginnings included.
        uncollected: publishers never collected; their posts are missing, forwards of them are not.
        outage_h: hours in which nothing of a platform was collected, in two stretches for each platform.
        paraphrase, translation: pasted copies that tell it in other words, or in another language.
        edited, obfuscated: pasted copies changed by a few words; written with look-alike and invisible characters.
        button, link: copies by the platform's own button; bare links. The rest is pasted.
        credit: pasted copies that link to what they copy.
        skewed: websites and federated accounts whose clock is wrong, and by at most how much (``max_skew_s``).
        back_dated: copies on websites that carry an older date than the beginning.
        slow: narratives that drip over days.
        n_groups, n_events: coordinated groups, and what each pushes.
        attendance: members that join an event.
        jitter_s: seconds over which the members of an event spread.
        disguise: events whose members use words of their own, and drop the link or not.
        wire_s: least and most seconds until a customer prints a story of its wire agency.
    """

    name: str
    withheld: int
    missing: int
    uncollected: int
    outage_h: int
    paraphrase: int
    translation: int
    edited: int
    obfuscated: int
    button: int
    link: int
    credit: int
    skewed: int
    max_skew_s: int
    back_dated: int
    slow: int
    n_events: int
    attendance: int
    jitter_s: int
    disguise: int
    wire_s: tuple[int, int]
    n_narratives: int = 300
    n_background: int = 12_000
    n_groups: int = 6


LEVELS = {
    "easy": Level(
        name="easy",
        withheld=25,
        missing=0,
        uncollected=0,
        outage_h=0,
        paraphrase=0,
        translation=8,
        edited=50,
        obfuscated=0,
        button=50,
        link=12,
        credit=30,
        skewed=0,
        max_skew_s=0,
        back_dated=0,
        slow=0,
        n_events=14,
        attendance=100,
        jitter_s=20,
        disguise=0,
        wire_s=(120, 1500),
    ),
    "medium": Level(
        name="medium",
        withheld=25,
        missing=5,
        uncollected=4,
        outage_h=8,
        paraphrase=8,
        translation=10,
        edited=60,
        obfuscated=10,
        button=45,
        link=12,
        credit=25,
        skewed=8,
        max_skew_s=1200,
        back_dated=3,
        slow=10,
        n_events=12,
        attendance=90,
        jitter_s=60,
        disguise=25,
        wire_s=(60, 900),
    ),
    "hard": Level(
        name="hard",
        withheld=25,
        missing=15,
        uncollected=8,
        outage_h=24,
        paraphrase=18,
        translation=14,
        edited=75,
        obfuscated=30,
        button=40,
        link=10,
        credit=20,
        skewed=15,
        max_skew_s=10_800,
        back_dated=6,
        slow=25,
        n_events=12,
        attendance=75,
        jitter_s=240,
        disguise=50,
        wire_s=(10, 420),
    ),
}
"""The three levels of the benchmark. Their numbers never change within a version of it (:data:`VERSION`)."""

VERSION = 1


def level_named(name: str, **changed: int | None) -> Level:
    """Return a level with some of its numbers replaced; None keeps one.

    Raises:
        ConfigError: no such level, or a number out of its range.
    """
    if name not in LEVELS:
        raise ConfigError(f"no level called {name!r}; known: {', '.join(LEVELS)}")
    given: dict[str, Any] = {field: value for field, value in changed.items() if value is not None}
    for field, value in given.items():
        most = 100 if field in _SHARES else 1_000_000
        if not 0 <= value <= most:
            raise ConfigError(f"{field} of a level lies in 0 ... {most}, got {value}")
    return replace(LEVELS[name], **given)


_SHARES = ("missing", "paraphrase", "translation", "obfuscated", "withheld", "uncollected", "skewed", "back_dated")

"""Characters that pass for letters: look-alikes, leet, letters upside down, small capitals."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class LookAlikes:
    """What each character can pass for.

    Attributes:
        cyrillic, latin: character -> letters of that script, likeliest first.
        strict_cyrillic, strict_latin: the same, only those alike in every font: one letter each.
        leet_latin, leet_cyrillic: digit or sign -> letters.
        turned: letter upside down -> letter.
        small: small capital or boxed letter -> letter.
    """

    cyrillic: dict[str, str]
    latin: dict[str, str]
    strict_cyrillic: dict[str, str]
    strict_latin: dict[str, str]
    leet_latin: dict[str, str]
    leet_cyrillic: dict[str, str]
    turned: dict[str, str]
    small: dict[str, str]


@cache
def look_alikes() -> LookAlikes:
    """Return the table of ``look_alikes.tsv``."""
    made: dict[str, dict[str, str]] = {kind: {} for kind in ("cyrl", "latn", "leet", "turned", "small")}
    lines = files("bastau.read").joinpath("look_alikes.tsv").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line and not line.startswith("#"):
            kind, char, letters = line.split("\t")
            made[kind][char] = letters
    boxes = {chr(0x1F130 + k): chr(97 + k) for k in range(26)} | {chr(0x1F150 + k): chr(97 + k) for k in range(26)}
    boxes |= {chr(0x1F170 + k): chr(97 + k) for k in range(26)}
    return LookAlikes(
        cyrillic={c: s.lstrip("!") for c, s in made["cyrl"].items()},
        latin={c: s.lstrip("!") for c, s in made["latn"].items()},
        strict_cyrillic={c: s[1] for c, s in made["cyrl"].items() if s.startswith("!")},
        strict_latin={c: s[1] for c, s in made["latn"].items() if s.startswith("!")},
        leet_latin={c: s.split("/")[0] for c, s in made["leet"].items()},
        leet_cyrillic={c: s.split("/")[1] for c, s in made["leet"].items()},
        turned=made["turned"],
        small=made["small"] | boxes,
    )

"""What kinds of signals there are and what each is worth (``kinds.toml``)."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Role = Literal["owner", "site", "supplier"]

CAPS: dict[str, float] = {
    "hosting": 10.0,
    "analytics": 12.0,
    "money": 12.0,
    "registration": 10.0,
    "template": 6.0,
    "content": 5.0,
}
"""Independent areas, and the most that one may add to a log-likelihood ratio (natural logarithm)."""


@dataclass(frozen=True)
class Kind:
    """One kind of signal; ``same`` and ``chance`` are probabilities, see the head of ``kinds.toml``."""

    name: str
    tier: int
    area: str
    same: float
    chance: float
    is_of_page: bool
    role: Role
    is_enough: bool

    @property
    def is_firm(self) -> bool:
        """An account or the like that is enough beside a second area."""
        return self.tier == 1 and self.is_enough


@cache
def kinds() -> dict[str, Kind]:
    """Return every kind by name, in the order of the file."""
    raw = tomllib.loads(Path(__file__).with_name("kinds.toml").read_text("utf-8"))
    return {
        name: Kind(
            name,
            row["tier"],
            row["area"],
            row["same"],
            row["chance"],
            row["from"] == "page",
            row["role"],
            row.get("alone", True),
        )
        for name, row in raw.items()
    }


NOTES = (
    "page",
    "declared_copy",
    "parked",
    "html_cut",
    "bad_headers",
    "bad_domain",
    "bad_ip",
    "ads_txt_cut",
    "ads_txt_bad_lines",
    "ads_txt_reseller",
    "certificate_many_names",
    "too_many_values",
    "behind_cdn",
)
"""Kinds that are no evidence: what was looked at (``page``, its value a day), and what was left out of it."""

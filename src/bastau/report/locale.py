"""Words, plural forms, dates and numbers in Kazakh, Russian and English, from ``texts/*.toml``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

from bastau.errors import ConfigError

LOCALES = ("kk", "ru", "en")


def _one_other(n: int) -> str:
    return "one" if n == 1 else "other"


def _one_few_many(n: int) -> str:
    if n % 10 == 1 and n % 100 != 11:
        return "one"
    return "few" if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14) else "many"


_PLURALS = {"kk": lambda n: "other", "ru": _one_few_many, "en": _one_other}
"""Cardinal plural categories of whole numbers (Unicode CLDR 45); a Kazakh noun after a number stays as it is."""


_UNITS = (("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1))


@dataclass(frozen=True)
class Locale:
    """One language of the reports."""

    code: str
    texts: Mapping[str, Any]

    def text(self, key: str, **values: object) -> str:
        """Return the words of ``key`` with ``{slots}`` filled.

        Raises:
            KeyError: no such key; a bug.
        """
        words = self._entry(key)
        return words.format(**values) if values else words

    def has(self, key: str) -> bool:
        """Tell whether ``key`` exists, for codes that newer data may bring."""
        node: Any = self.texts
        for part in key.split("."):
            if not isinstance(node, Mapping) or part not in node:
                return False
            node = node[part]
        return True

    def count(self, key: str, n: int, **values: object) -> str:
        """Return the plural form of ``key`` that goes with ``n``; ``{n}`` is the number as written here."""
        return self._entry(f"{key}.{_PLURALS[self.code](n)}").format(n=self.number(n), **values)

    def name(self, group: str, code: str) -> str:
        """Return the name of a language, platform, kind, ...; an unknown code stands for itself."""
        key = f"{group}.{code}"
        return self.text(key) if self.has(key) else code

    def language(self, tag: str) -> str:
        """Return the name of a language tag; ``kk|ky`` gives both with a slash."""
        return "/".join(self.name("language", part.split("-")[0].lower()) for part in tag.split("|"))

    def number(self, n: float, digits: int = 0) -> str:
        """Return a number with this language's separators."""
        separators = {ord(","): self.text("form.thousands"), ord("."): self.text("form.decimal")}
        return f"{n:,.{digits}f}".translate(separators)

    def percent(self, share: float) -> str:
        """Return a share in [0, 1] as whole per cent; what is neither nothing nor all never reads 0 or 100."""
        whole = min(99, max(1, round(share * 100))) if 0 < share < 1 else round(share * 100)
        return self.text("form.percent", n=whole)

    def date(self, at: datetime) -> str:
        """Return the day, month in words, in UTC."""
        at = at.astimezone(UTC)
        return self.text("form.date", day=at.day, month=self._month(at), year=at.year)

    def moment(self, at: datetime) -> str:
        """Return day and minute, in UTC and saying so."""
        return self.text("form.moment", date=self.date(at), time=f"{at.astimezone(UTC):%H:%M}")

    def short_date(self, at: datetime) -> str:
        """Return day and short month, without the year."""
        at = at.astimezone(UTC)
        return self.text("form.short_date", day=at.day, month=self.texts["form"]["short_months"][at.month - 1])

    def short_moment(self, at: datetime) -> str:
        """Return short date and minute, without the year."""
        return f"{self.short_date(at)} {at.astimezone(UTC):%H:%M}"

    def tick(self, at: datetime, bin_s: int) -> str:
        """Return the label of a bin: minutes for short bins, days for long ones, months for the longest."""
        if bin_s >= 30 * 86_400:
            return f"{self.texts['form']['short_months'][at.month - 1]} {at.year}"
        return self.short_date(at) if bin_s >= 86_400 else self.short_moment(at)

    def duration(self, seconds: float) -> str:
        """Return a length of time in words, rounded down: one unit, or two while the first counts below three."""
        left = int(abs(seconds))
        for (unit, size), (minor, minor_size) in pairwise(_UNITS):
            if left >= size:
                whole, rest = self.count(f"form.{unit}", left // size), left % size // minor_size
                return f"{whole} {self.count(f'form.{minor}', rest)}" if rest and left < 3 * size else whole
        return self.count("form.seconds", left)

    def short_duration(self, seconds: float) -> str:
        """Return a length of time as figures and a unit's sign, for axes."""
        for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
            if seconds >= size:
                return f"{int(seconds // size)} {self.text(f'form.unit_{unit}')}"
        return f"{int(seconds)} {self.text('form.unit_s')}"

    def listing(self, parts: list[str]) -> str:
        """Return parts as a list in words: a, b and c."""
        if len(parts) < 2:
            return "".join(parts)
        return self.text("form.and", head=", ".join(parts[:-1]), last=parts[-1])

    def _month(self, at: datetime) -> str:
        month: str = self.texts["form"]["months"][at.month - 1]
        return month

    def _entry(self, key: str) -> str:
        node: Any = self.texts
        for part in key.split("."):
            node = node[part]
        assert isinstance(node, str), key
        return node


@cache
def load(code: str) -> Locale:
    """Return the locale ``kk``, ``ru`` or ``en``.

    Raises:
        ConfigError: another code.
    """
    if code not in LOCALES:
        raise ConfigError(f"no texts in {code!r}; known: {', '.join(LOCALES)}")
    return Locale(code, tomllib.loads((files("bastau.report") / "texts" / f"{code}.toml").read_text("utf-8")))

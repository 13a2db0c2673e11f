"""Dates as pages and feeds write them. A date without a zone is taken as UTC, and said to be so by nobody.

References: RFC 3339; RFC 5322, section 3.3; W3C note-datetime.
"""

import re
import tomllib
from datetime import UTC, datetime, timedelta, timezone
from functools import cache, lru_cache
from pathlib import Path

MAX_CHARS = 100
"""No date is longer; more is not looked at."""
EARLIEST_YEAR = 1990
_ZONE = r"((?:UTC?|GMT)?\s?[+-]\d\d?(?::?\d\d)?(?!\d)|(?:Etc/)?[A-Z]{1,5}\b)?"
_ISO = re.compile(
    r"(?:[^\W\d_]{2,10},?\s+)?(\d{4})[\-/]?0?(\d\d)[\-/]?(\d\d)(?:[T ]+(\d\d?):?(\d\d)(?::?(\d\d))?(?:[.,]\d+)?\s*"
    + _ZONE
    + r")?(?!\d)",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"(?:\b|^)(\d{1,2})(?:st|nd|rd|th|\.)?[ \-]+(?:de )?([^\W\d_]{2,12})\.?,?[ \-]+(?:de )?(\d{4}|\d\d(?=\s+\d\d?:))(?:\s*(?:г\.?|ж\.?|года|жыл\w*))?"
    r"(?:,?\s+(?:at |um |в |- )?(\d{1,2}):(\d\d)(?::(\d\d))?(?:\.\d+)?\s*(am|pm)?\s*" + _ZONE + ")?",
    re.IGNORECASE,
)
_AMERICAN = re.compile(
    r"\b([^\W\d_]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?:,?\s+(?:at |- )?(\d{1,2}):(\d\d)(?::(\d\d))?\s*(am|pm)?\s*"
    + _ZONE
    + ")?",
    re.IGNORECASE,
)
_ASCTIME = re.compile(r"\b([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d\d):(\d\d):(\d\d)\s+(?:([A-Z]{3,4}|[+-]\d{4})\s+)?(\d{4})\b")
_YEAR_FIRST = re.compile(  # Hungarian, 2024-július-13T9:15; Kazakh, 2024 жылғы 13 шілде
    r"\b(\d{4})(?:\s*(?:ж\.|жыл\w*)\s*(\d{1,2})\s+([^\W\d_]{3,12})|[\-.\s]+([^\W\d_]{3,12})[\-.\s]+(\d{1,2}))"
    r"[.,]?(?:[T\s]+(\d\d?):(\d\d)(?::(\d\d))?\s*" + _ZONE + ")?",
    re.IGNORECASE,
)
_EASTERN = re.compile(  # Korean, Chinese, Japanese
    r"(?=.*[年년오])(\d{4})[年년\-]\s*(\d\d?)[月월\-]\s*(\d\d?)[日일]?(?:\s*(오전|오후)?\s*(\d\d?):(\d\d)(?::(\d\d))?)?"
)
_PARTIAL = re.compile(r"(\d{4})(?:-(\d\d)|-?(\d{3})|-?W(\d\d)(?:-?([1-7]))?)?")
_NUMBERS = re.compile(r"(?<!\d)(\d\d?)[./](\d\d?)[./](\d{4})(?!\d)(?:,?\s*(\d\d?):(\d\d)(?::(\d\d))?)?")
_PATH = re.compile(r"/(20\d\d|199\d)[/\-_]?(0[1-9]|1[0-2])(?:[/\-_]?(0[1-9]|[12]\d|3[01]))?(?=[/\-_.]|$)")
_ZONES = {  # RFC 5322, section 4.3, and what feeds write; ambiguous ones (IST, AST) are left out
    "ut": 0, "utc": 0, "gmt": 0, "z": 0, "wet": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8,
    "pdt": -7, "at": -4, "et": -5, "ct": -6, "mt": -7, "pt": -8, "akst": -9, "akdt": -8, "hst": -10, "cet": 1, "cest": 2,
    "met": 1, "mest": 2, "west": 1, "bst": 1, "eet": 2, "eest": 3, "trt": 3, "msk": 3, "msd": 4, "samt": 4, "yekt": 5,
    "almt": 6, "qyzt": 5, "uzt": 5, "tjt": 5, "tmt": 5, "kgt": 6, "omst": 6, "novt": 7, "krat": 7, "hkt": 8, "sgt": 8,
    "irkt": 8, "jst": 9, "kst": 9, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13,
}  # fmt: skip


@cache
def _months() -> list[tuple[str, int]]:
    data = tomllib.loads(Path(__file__).with_name("months.toml").read_text("utf-8"))
    pairs = [(name, number) for names in data.values() for number, name in enumerate(names, 1)]
    return sorted(pairs, key=lambda pair: -len(pair[0]))


def read_date(text: str | None, *, partial: bool = False) -> datetime | None:
    """Return the moment that ``text`` writes, in UTC; None if it writes none.

    Understood: RFC 3339 and the other forms of ISO 8601 that are in use, RFC 5322, C's asctime, ``1 мая 2024 г. 12:30``
    with the months of the languages in months.toml, ``May 1, 2024``, ``01.05.2024``, ``2024 жылғы 1 мамыр``, dates in
    Korean, Chinese and Japanese, and Unix times. A bare day is its midnight. Years before 1990 are errors of the page.

    Args:
        partial: a text that is a year, month, week or day of a year alone (W3C note-datetime, ISO 8601) is its beginning.
    """
    moment = _read(text) or (_beginning(text) if partial and text else None)
    return moment if moment is not None and moment.year >= EARLIEST_YEAR else None


def has_time(text: str | None) -> bool:
    """Say whether ``text`` names an hour, rather than a day only."""
    return text is not None and re.search(r"\d:\d\d|T\d{4}|^\d{9,16}$", text.strip()) is not None


def date_in_path(url: str) -> datetime | None:
    """Return the day that an address holds (``/2024/05/01/``); None if none, or a month only."""
    match = _PATH.search(url.split("?", 1)[0].split("://", 1)[-1])
    return _moment(match[1], match[2], match[3]) if match and match[3] else None


def _read(text: str | None) -> datetime | None:
    text = (text or "").strip()[:MAX_CHARS]
    if not text:
        return None
    if text.isdigit() and len(text) in (10, 13):
        return datetime.fromtimestamp(int(text[:10]), UTC)
    if not text.isascii() and (match := _EASTERN.search(text)):
        half = {"오전": "am", "오후": "pm"}.get(match[4])
        zone = "KST" if re.search("[년오]", text) else None  # Korea has one zone
        return _moment(*match.groups()[:3], *match.groups()[4:], half=half, zone=zone)
    if match := _ISO.match(text):
        return _moment(*match.groups()[:6], zone=match[7])
    if (match := _WORDS.search(text)) and (month := _month(match[2])):
        year = match[3] if len(match[3]) == 4 else f"20{match[3]}"
        return _moment(year, month, match[1], *match.groups()[3:6], half=match[7], zone=match[8])
    if (match := _AMERICAN.search(text)) and (month := _month(match[1])):
        return _moment(match[3], month, match[2], *match.groups()[3:6], half=match[7], zone=match[8])
    if (match := _ASCTIME.search(text)) and (month := _month(match[1])):
        return _moment(match[7], month, match[2], *match.groups()[2:5], zone=match[6])
    if (match := _YEAR_FIRST.search(text)) and (month := _month(match[3] or match[4])):
        return _moment(match[1], month, match[2] or match[5], *match.groups()[5:8], zone=match[9])
    if match := _NUMBERS.search(text):
        return _moment(match[3], match[2], match[1], *match.groups()[3:6])
    return None


def _beginning(text: str) -> datetime | None:
    match = _PARTIAL.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, week, weekday = match.groups()
    try:
        if week:
            return datetime.fromisocalendar(int(year), int(week), int(weekday or 1)).replace(tzinfo=UTC)
        moment = datetime(int(year), int(month or 1), 1, tzinfo=UTC) + timedelta(days=int(day or 1) - 1)
        return moment if moment.year == int(year) else None
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=1024)
def _month(word: str) -> int | None:
    word = word.lower()
    return next((number for start, number in _months() if word.startswith(start)), None)


def _moment(
    year: str,
    month: str | int,
    day: str,
    hour: str | None = None,
    minute: str | None = None,
    second: str | None = None,
    *,
    half: str | None = None,
    zone: str | None = None,
) -> datetime | None:
    try:
        hours = int(hour or 0)
        if hours > 24:
            return None
        if half:
            hours = hours % 12 + (12 if half.lower() == "pm" else 0)
        extra = timedelta(days=1) if hours == 24 else timedelta()  # ISO 8601 writes the end of a day so
        moment = datetime(
            int(year), int(month), int(day), hours % 24, int(minute or 0), min(int(second or 0), 59), tzinfo=_zone(zone)
        )
        return (moment + extra).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    shift = re.search(r"([+-])(\d\d??):?(\d\d)?$", text or "")
    if shift:
        minutes = int(shift[2]) * 60 + int(shift[3] or 0)
        return timezone(timedelta(minutes=minutes if shift[1] == "+" else -minutes))
    name = (text or "").removeprefix("Etc/")
    return timezone(timedelta(hours=_ZONES.get(name.lower(), 0) if name.isupper() else 0))  # "et" may be French

"""What published lists say of websites: `ratings/*.csv` in the home folder. Theirs, with their name and date; never ours.

Only websites are rated: an account is none, and a line that names a person's page fits no publisher's domain.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from bastau.errors import InputError
from bastau.sources.families.names import host_of, site_of

FOLDER = "ratings"
COLUMNS = ("domain", "rating", "list", "date", "address")
_MOST_BYTES = 64 << 20
_MOST_CHARS = 300


@dataclass(frozen=True)
class Rating:
    """What a list said of a website on a day; ``address``: where it says so."""

    domain: str
    rating: str
    list: str
    date: date
    address: str | None


def ratings_of(home: Path, source: str) -> tuple[list[Rating], list[str]]:
    """Return what the lists of a home folder say of a publisher's website or one above it, and what is wrong with the lists.

    ``source`` is a host, as posts of websites name their publisher; everything else has no ratings.
    """
    host = host_of(source) if "." in source else None
    if host is None:
        return [], []
    found: list[Rating] = []
    problems: list[str] = []
    for path in sorted((home / FOLDER).glob("*.csv")):
        stat = path.stat()
        try:
            by_domain = _read(path, stat.st_mtime_ns, stat.st_size)
        except InputError as error:
            problems.append(str(error))
            continue
        for domain in _above(host):
            found += by_domain.get(domain, ())
    return sorted(found, key=lambda one: (one.list, -one.date.toordinal(), one.domain)), problems


def _above(host: str) -> Iterator[str]:
    """Yield a host and those above it, up to its website: what is said of a platform is not said of its blogs."""
    parts, n_site = host.split("."), (site_of(host) or host).count(".") + 1
    for start in range(max(1, len(parts) - n_site + 1)):
        yield ".".join(parts[start:])


@lru_cache(maxsize=32)
def _read(path: Path, _changed_ns: int, size: int) -> dict[str, list[Rating]]:
    """Read one list.

    Raises:
        InputError: it cannot be read or a cell has no sense; names the line.
    """
    if size > _MOST_BYTES:
        raise InputError(f"{path.name}: larger than {_MOST_BYTES >> 20} MiB; that is no list of ratings")
    try:
        rows = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")))
        missing = set(COLUMNS[:4]) - set(rows.fieldnames or ())
        if missing:
            raise InputError(f"{path.name}, line 1: column {', '.join(sorted(missing))} is missing")
        by_domain: dict[str, list[Rating]] = {}
        for row in rows:
            one = _rating(row, f"{path.name}, line {rows.line_num}")
            by_domain.setdefault(one.domain, []).append(one)
    except OSError as error:
        raise InputError(f"{path.name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: not UTF-8 (byte {error.start})") from error
    except csv.Error as error:
        raise InputError(f"{path.name}: no table of comma-separated values ({error})") from error
    return by_domain


def _rating(row: dict[str, str | None], place: str) -> Rating:
    cells = {name: " ".join((row.get(name) or "").split())[:_MOST_CHARS] for name in COLUMNS}
    domain = host_of(cells["domain"])
    if domain is None or "." not in domain or "/" in cells["domain"] or "@" in cells["domain"]:
        raise InputError(f"{place}: domain is a whole website, as news.example.kz; pages and accounts are not rated")
    if not cells["rating"] or not cells["list"]:
        raise InputError(f"{place}: rating and list say who says what")
    try:
        on = date.fromisoformat(cells["date"])
    except ValueError:
        raise InputError(f"{place}: date is the day of the rating, as 2026-11-28") from None
    is_web = cells["address"].startswith(("http://", "https://"))
    return Rating(domain, cells["rating"], cells["list"], on, cells["address"] if is_web else None)

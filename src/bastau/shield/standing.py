"""Which entries stand now. Review has checked them; what protects people from a wrong list is checked here again.

Nothing here knows who reviewed: entries carry counts, never names.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from bastau.listed_urls import is_members_only, listed_expressions, shared_hosts
from bastau.registrable import public_suffix, registrable_domain
from bastau.schemas import ACTS, ENTRIES

Entry = dict[str, Any]

HASHES = {"sha256": 64, "md5": 32, "pdq": 64, "text_sha256": 64}
"""Kinds that are hashes of content, and their hex digits."""
ADDRESSES = ("url", "host", "domain")
REASONS = ("overturned", "expired", "withdrawn", "corrected")
"""Why an entry stands no more; other words could name what was listed, so they are not passed on."""
MAX_STANDING = timedelta(days=90)

_TIMES = ("released_at", "expires_at")
PUBLIC = [name for name in ENTRIES.names if name not in ("retracted_at", "retraction_reason")]
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{4,253}}$)(?:{_LABEL}\.)+(?=[a-z0-9-]*[a-z])[a-z0-9][a-z0-9-]{{0,61}}[a-z0-9]")
_IP = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}")
_URL = re.compile(r"https?://[^\s\"<>\\^`{|}\x00-\x20\x7f-\U0010ffff]+")


@dataclass(frozen=True)
class Standing:
    """Entries that stand, sorted by id; those that ceased to, with (reason, when); those refused, with why."""

    entries: list[Entry]
    gone: dict[str, tuple[str, str]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def standing(rows: pa.Table, now: datetime) -> Standing:
    """Return what stands of ``rows`` (ENTRIES; any order; a version may come again when it is retracted).

    The latest released version of an entry counts. One that was retracted, or has expired, stands no more.
    """
    latest: dict[str, Entry] = {}
    for row in rows.to_pylist():
        held = latest.get(row["entry_id"])
        if held is None or _rank(row) > _rank(held):
            latest[row["entry_id"]] = row
    found = Standing([])
    for entry_id in sorted(latest):
        row = latest[entry_id]
        if row["retracted_at"] is not None or row["retraction_reason"] is not None:
            ceased = row["retracted_at"] or row["released_at"]
            reason = row["retraction_reason"] if row["retraction_reason"] in REASONS else "withdrawn"
            found.gone[entry_id] = (reason, moment(ceased))
        elif row["expires_at"] <= now:
            found.gone[entry_id] = ("expired", moment(row["expires_at"]))
        elif why := refusal(row, now):
            found.refused[entry_id] = why
        else:
            found.entries.append(
                {name: moment(row[name]) if name in _TIMES else row[name] for name in PUBLIC}
                | {"languages": sorted(row["languages"] or [])}
            )
    return found


def _rank(row: Entry) -> tuple[datetime, bool, str]:
    """Order versions of an entry; of the same version the one that says it was retracted is the later one."""
    return row["released_at"], row["retracted_at"] is not None, row["value"]


def moment(when: datetime) -> str:
    """Return a time as RFC 3339 in UTC, whole seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def refusal(row: Entry, now: datetime) -> str | None:
    """Return why an entry may not leave, or None."""
    if row["kind"] not in (*ADDRESSES, *HASHES):
        return "unknown_kind"
    if row["act"] not in ACTS or row["ground_kind"] not in ("law", "policy"):
        return "no_act_or_ground"
    if not all((row[name] or "").strip() for name in ("ground", "reason", "exemption_checked", "evidence_sha256")):
        return "not_argued"
    if row["n_reviewers"] < 2:
        return "one_person"
    if row["released_at"] > now:
        return "not_released_yet"
    if row["expires_at"] - row["released_at"] > MAX_STANDING:
        return "stands_too_long"
    if any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for name in ("entry_id", "value") for char in row[name]):
        return "bad_value"
    return _value_refusal(row["kind"], row["value"])


def _value_refusal(kind: str, value: str) -> str | None:
    match kind:
        case "url":
            if not _URL.fullmatch(value) or "@" in value.split("/")[2]:
                return "bad_value"
            if is_members_only(value):
                return "members_only"
            expressions, why = listed_expressions(value)
            if why:
                return "shared_host" if why == "too_broad" else "bad_value"
            return "whole_host" if expressions[0].endswith("/") and expressions[0].count("/") == 1 else None
        case "host":
            if not _HOST.fullmatch(value) and not _IP.fullmatch(value):
                return "bad_value"
            return "shared_host" if value in shared_hosts() or public_suffix(value) == value else None
        case "domain":
            if not _HOST.fullmatch(value):
                return "bad_value"
            if value in _below_shared() or public_suffix(value) == value:
                return "shared_host"
            return None if registrable_domain(value) == value else "not_registrable"
    return None if re.fullmatch(rf"[0-9a-f]{{{HASHES[kind]}}}", value) else "bad_value"


def _below_shared() -> set[str]:
    """Return shared hosts and every domain that has one below it."""
    hosts = (line for line in shared_hosts() if "/" not in line)
    return {host.split(".", n)[-1] for host in hosts for n in range(host.count(".") + 1)}


def count_by(entries: Iterable[Entry], name: str) -> dict[str, int]:
    """Return how many entries have each value of a column."""
    counts: dict[str, int] = {}
    for entry in entries:
        counts[entry[name]] = counts.get(entry[name], 0) + 1
    return dict(sorted(counts.items()))

"""The source: one document that says everything the list says; every form is made from it and from nothing else.

Canonical JSON (RFC 8785: keys sorted, no spaces, numbers are whole). A retraction names an entry by its id, never by its value: who
was listed wrongly is not named for ever by having been taken off.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from bastau.errors import ConfigError, InputError
from bastau.shield.standing import PUBLIC, Entry, Standing, count_by, moment

FORMAT = "bastau-shield-list/1"
OPT_IN = "Opt-in: use it for an audience that chose it, show the reason and the appeal address, force it on nobody."
Document = dict[str, Any]


@dataclass(frozen=True)
class About:
    """What the publisher says of the list: its name, who publishes it, where to appeal, the policy, the licence."""

    name: str
    publisher: str
    appeal: str
    policy: str
    licence: str
    valid: timedelta


def make(found: Standing, about: About, previous: Document | None, now: datetime) -> Document:
    """Return the next version of the list.

    Args:
        found: what stands at ``now``.
        about: what the publisher says.
        previous: the version before; None for the first.
        now: when this version is made, aware.

    Raises:
        ConfigError: the clock stands before the version before.
    """
    made_at = moment(now)
    if previous and made_at < previous["made_at"]:
        raise ConfigError(
            f"version {previous['version']} was made at {previous['made_at']}, later than this clock says"
        )
    version = previous["version"] + 1 if previous else 1
    held = {entry["entry_id"]: entry for entry in previous["entries"]} if previous else {}
    entries = [_placed(entry, held.get(entry["entry_id"]), version, made_at) for entry in found.entries]
    stands = {entry["entry_id"] for entry in entries}
    retractions = list(previous["retractions"]) if previous else []
    for entry_id, entry in held.items():
        if entry_id not in stands:
            reason, at = found.gone.get(entry_id, ("withdrawn", made_at))
            kept = {name: entry[name] for name in ("entry_id", "kind", "act", "released_at")}
            retractions.append({**kept, "reason": reason, "at": at, "published_in": version, "published_at": made_at})
    retractions.sort(key=lambda r: (r["published_in"], r["entry_id"]))
    return {
        "format": FORMAT,
        "list": about.name,
        "publisher": about.publisher,
        "version": version,
        "made_at": made_at,
        "valid_until": moment(now + about.valid),
        "previous_sha256": hashlib.sha256(canonical(previous)).hexdigest() if previous else None,
        "opt_in": OPT_IN,
        "appeal": about.appeal,
        "policy": about.policy,
        "licence": about.licence,
        "counts": {
            "entries": len(entries),
            "by_kind": count_by(entries, "kind"),
            "by_act": count_by(entries, "act"),
            "by_ground": count_by(entries, "ground_kind"),
            "retractions": count_by(retractions, "reason"),
            "refused": dict(sorted(Counter(found.refused.values()).items())),
        },
        "entries": entries,
        "retractions": retractions,
    }


def _placed(entry: Entry, held: Entry | None, version: int, made_at: str) -> Entry:
    """Return an entry with the versions in which it came and last changed, and when the latter was made."""
    if held is None:
        return {**entry, "added_in": version, "changed_in": version, "published_at": made_at}
    if all(held[name] == entry[name] for name in PUBLIC):
        return held
    return {**entry, "added_in": held["added_in"], "changed_in": version, "published_at": made_at}


def canonical(document: Document) -> bytes:
    """Return the bytes that are signed."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def read(data: bytes, where: str) -> Document:
    """Return the document in ``data``.

    Raises:
        InputError: it is none; names ``where`` it came from.
    """
    try:
        document = orjson.loads(data)
    except ValueError as error:
        raise InputError(f"{where}: not a shield list: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"{where}: not a shield list of the form {FORMAT}")
    return document


def changes(document: Document, since: int) -> Document:
    """Return what a subscriber who holds version ``since`` must do to hold this one.

    ``added`` and ``changed`` hold whole entries, ``retracted`` and ``expired`` ids. Nothing that stands no more is named by value, however
    old ``since`` is.
    """
    moved = [entry for entry in document["entries"] if entry["changed_in"] > since]
    stands = {entry["entry_id"] for entry in document["entries"]}
    gone = {r["entry_id"]: r for r in document["retractions"] if r["published_in"] > since}
    ceased = [r for entry_id, r in gone.items() if entry_id not in stands]
    return {
        "format": "bastau-shield-changes/1",
        "list": document["list"],
        "since": since,
        "version": document["version"],
        "added": [entry for entry in moved if entry["added_in"] > since],
        "changed": [entry for entry in moved if entry["added_in"] <= since],
        "retracted": [r for r in ceased if r["reason"] != "expired"],
        "expired": [r for r in ceased if r["reason"] == "expired"],
    }


def difference(old: Document, new: Document) -> Document:
    """Return the changes from one version to another, as :func:`changes`, from the two documents themselves."""
    if old["list"] != new["list"] or old["version"] > new["version"]:
        raise ConfigError(
            f"from version {old['version']} of {old['list']} to version {new['version']} of {new['list']}: "
            "name two versions of the same list, the older first"
        )
    return changes(new, old["version"])


def follow(entries: dict[str, Entry], step: Document) -> dict[str, Entry]:
    """Return entries by id after ``step`` (:func:`changes`): what a subscriber does with it."""
    gone = {r["entry_id"] for r in (*step["retracted"], *step["expired"])}
    kept = {entry_id: entry for entry_id, entry in entries.items() if entry_id not in gone}
    return kept | {entry["entry_id"]: entry for entry in (*step["added"], *step["changed"])}

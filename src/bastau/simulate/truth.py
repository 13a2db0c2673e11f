"""What is true of a simulation: narratives, beginnings, copies, groups and look-alikes."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from bastau.errors import InputError
from bastau.schemas import TIME
from bastau.simulate.drafts import Draft, Ledger
from bastau.simulate.population import World

LABELS = pa.schema(
    [
        ("post_id", pa.string()),
        ("narrative", pa.string()),
        ("version", pa.string()),
        ("role", pa.string()),
        ("group", pa.string()),
    ]
)
"""What is true of each post: its narrative and version (one telling in one language and what was copied from it)."""

FIRSTS = pa.schema(
    [
        ("narrative", pa.string()),
        ("version", pa.string()),
        ("language", pa.string()),
        ("post_id", pa.string()),
        ("source", pa.string()),
        ("published_at", TIME),
        ("is_publisher", pa.bool_()),
        ("withheld", pa.bool_()),
        ("first_observed", pa.string()),
    ]
)
"""Where narratives (``version`` null) and versions began, and the earliest post of each that is in the posts."""

COPY_EDGES = pa.schema([("from_post", pa.string()), ("to_post", pa.string()), ("kind", pa.string())])
"""Who copied whom: repost, forward, near_copy, link, rewrite (same language) or translation."""


@dataclass(frozen=True)
class Truth:
    """What is true of a simulation.

    Attributes:
        labels: one row a post, :data:`LABELS`.
        firsts: one row a narrative and one a version, :data:`FIRSTS`.
        copies: :data:`COPY_EDGES` between posts that are not withheld.
        groups: coordinated groups, name -> sources.
        lookalikes: innocent sets that a detector could mistake for a group, name -> sources.
        corrections: first post -> its corrected versions by the same source, in order.
        private_sources: accounts below the publisher threshold.
        withheld: ids of posts that were made and then left out of the posts.
        why_withheld: for each of them uncollected, late, deleted, before, outage or missing; benchmark only.
        clock_skew_s: sources whose clock is wrong -> seconds that it is ahead; benchmark only.
        back_dated: posts that carry an older date than the day they were made; benchmark only.
        level: the numbers of the level; benchmark only.
    """

    labels: pa.Table
    firsts: pa.Table
    copies: pa.Table
    groups: dict[str, list[str]]
    lookalikes: dict[str, list[str]]
    corrections: dict[str, list[str]]
    private_sources: list[str]
    withheld: list[str]
    why_withheld: dict[str, str] = field(default_factory=dict)
    clock_skew_s: dict[str, int] = field(default_factory=dict)
    back_dated: list[str] = field(default_factory=list)
    level: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the parts as plain lists and dicts; :func:`read_truth` turns them back."""
        extra = {name: getattr(self, name) for name in _BENCHMARK_ONLY if getattr(self, name)}
        return {
            "posts": self.labels.to_pylist(),
            "firsts": self.firsts.to_pylist(),
            "copies": self.copies.to_pylist(),
            "groups": self.groups,
            "lookalikes": self.lookalikes,
            "corrections": self.corrections,
            "private_sources": self.private_sources,
            "withheld": self.withheld,
            **extra,
        }


_BENCHMARK_ONLY = ("why_withheld", "clock_skew_s", "back_dated", "level")


def read_truth(path: Path) -> Truth:
    """Read a ``truth.json``.

    Raises:
        InputError: it cannot be read or is not one.
    """
    try:
        raw = orjson.loads(path.read_bytes())
        firsts = [{**row, "published_at": datetime.fromisoformat(row["published_at"])} for row in raw["firsts"]]
        return Truth(
            labels=pa.Table.from_pylist(raw["posts"], LABELS),
            firsts=pa.Table.from_pylist(firsts, FIRSTS),
            copies=pa.Table.from_pylist(raw["copies"], COPY_EDGES),
            groups=raw["groups"],
            lookalikes=raw["lookalikes"],
            corrections=raw["corrections"],
            private_sources=raw["private_sources"],
            withheld=raw["withheld"],
            **{name: raw[name] for name in _BENCHMARK_ONLY if name in raw},
        )
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: not a truth.json of `bastau simulate`; write it again") from error


def reveal(firsts: list[Draft], kept: list[Draft], world: World, ledger: Ledger, start: datetime) -> Truth:
    """Return the truth about the ``kept`` posts; drafts of the ledger must be in order of time."""
    present = {draft.post_id for draft in kept}
    labels = [{name: getattr(draft, name) for name in LABELS.names} for draft in kept]
    edges = [
        {"from_post": copy.original.post_id, "to_post": copy.copy.post_id, "kind": copy.kind}
        for copy in ledger.copies
        if copy.original.post_id in present and copy.copy.post_id in present
    ]
    private = sorted({draft.source.handle for draft in kept if not draft.source.is_publisher})
    return Truth(
        labels=pa.Table.from_pylist(labels, LABELS),
        firsts=pa.Table.from_pylist(_firsts(ledger, start), FIRSTS),
        copies=pa.Table.from_pylist(edges, COPY_EDGES),
        groups={name: [member.handle for member in members] for name, members in world.groups.items()},
        lookalikes=_lookalikes(kept, world),
        corrections=_corrections(firsts, kept),
        private_sources=private,
        withheld=[draft.post_id for draft in ledger.drafts if draft.withheld],
    )


def _firsts(ledger: Ledger, start: datetime) -> list[dict[str, Any]]:
    """Return a row for each narrative and each version; drafts come in order of time."""
    first: dict[tuple[str, str | None], Draft] = {}
    observed: dict[tuple[str, str | None], str] = {}
    for draft in ledger.drafts:
        if draft.narrative is None:
            continue
        for key in dict.fromkeys(((draft.narrative, None), (draft.narrative, draft.version))):
            first.setdefault(key, draft)
            if not draft.withheld:
                observed.setdefault(key, draft.post_id)
    return [
        {
            "narrative": narrative,
            "version": version,
            "language": draft.language,
            "post_id": draft.post_id,
            "source": draft.source.handle,
            "published_at": start + timedelta(seconds=draft.at),
            "is_publisher": draft.source.is_publisher,
            "withheld": draft.withheld,
            "first_observed": observed.get((narrative, version)),
        }
        for (narrative, version), draft in first.items()
    ]


def _lookalikes(kept: list[Draft], world: World) -> dict[str, list[str]]:
    named = {"wire": "wire copy", "greeting": "greeting", "share_button": "share button"}
    burst = {plan["name"] for plan in world.plans if plan.get("burst")}
    sources: dict[str, dict[str, None]] = {}
    for draft in kept:
        name = named.get(draft.role, "viral burst" if draft.narrative in burst else "")
        if name:
            sources.setdefault(name, {})[draft.source.handle] = None
    return {name: sorted(members) for name, members in sorted(sources.items())}


def _corrections(firsts: list[Draft], kept: list[Draft]) -> dict[str, list[str]]:
    found = {}
    for first in firsts:
        later = [draft.post_id for draft in kept if draft.role == "correction" and draft.narrative == first.narrative]
        if later:
            found[first.post_id] = later
    return found

"""Groups that moved together: all of them, and one with the evidence that an editor would print. Publishers only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from bastau.hashing import hash_string
from bastau.report import moves
from bastau.report.findings import sensitive_narratives
from bastau.report.moves import Example
from bastau.report.post_search import sensitive_posts
from bastau.report.queries import at, clean, is_pseudonym, rows, shorten
from bastau.report.trace import Window
from bastau.schemas import COORDINATION
from bastau.sources.families.names import site_of

MOST_GROUPS = 200
MOST_NARRATIVES = 15
MOST_PAIRS = 15
_ALL = 10
"""A row of COORDINATION holds as many examples, and posts of each."""


@dataclass(frozen=True)
class GroupLine:
    """One group in the list; ``first_at`` to ``last_at`` hold all days in which it moved together."""

    group_id: str
    sources: tuple[str, ...]
    n_other_accounts: int
    p_value: float
    traces: tuple[str, ...]
    n_objects: int
    median_delay_s: float | None
    first_at: datetime
    last_at: datetime
    is_one_house: bool


@dataclass(frozen=True)
class Listed:
    """The groups with most objects in common, of ``n`` in all."""

    n: int
    groups: tuple[GroupLine, ...]


@dataclass(frozen=True)
class Moved:
    """One thing that a group moved on; ``is_sensitive``: rules or lists found something in a post of it."""

    example: Example
    is_sensitive: bool


@dataclass(frozen=True)
class Pointed:
    """An address that members openly point to, post after post, and which members do."""

    address: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """A member that copies another: a plain reason to be near it in time, or a part of the same thing."""

    copier: str
    copied: str
    n_copies: int
    n_wire: int
    share: float
    median_delay_s: float


@dataclass(frozen=True)
class Shared:
    """A narrative that at least two members published in."""

    narrative_id: str
    text: str
    n_posts: int
    n_here: int
    n_sources: int
    is_sensitive: bool


@dataclass(frozen=True)
class SameHands:
    """A family of websites that at least two members are in."""

    family_id: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class GroupPage:
    """One group with its evidence and with the plain reasons that were looked at; says nothing of intent.

    ``n_days``: days in which it moved together. Private accounts are ``n_other_accounts``, a count.
    """

    group_id: str
    sources: tuple[str, ...]
    n_other_accounts: int
    p_value: float
    traces: tuple[str, ...]
    windows: tuple[Window, ...]
    n_days: int
    n_objects: int
    test: str | None
    median_delay_s: float | None
    n_wire_copies: int
    examples: tuple[Moved, ...]
    is_one_house: bool
    signposts: tuple[Pointed, ...]
    pairs: tuple[Pair, ...]
    families: tuple[SameHands, ...]
    narratives: tuple[Shared, ...]

    @property
    def is_sensitive(self) -> bool:
        """Rules or lists found something in what it moved on: that is shown behind a warning."""
        return any(moved.is_sensitive for moved in self.examples)


def all_groups(con: duckdb.DuckDBPyConnection) -> Listed:
    """Return the groups, those with most objects in common first."""
    sql = f"""
        select group_id, sources, n_other_accounts, p_value, traces, n_objects, median_delay_s,
               list_min(list_transform(windows, lambda w: epoch_us(w."from"))) as first_us,
               list_max(list_transform(windows, lambda w: epoch_us(w."to"))) as last_us,
               coalesce(is_one_house, false) as is_one_house, count(*) over () as n
        from coordination order by n_objects desc, group_id limit {MOST_GROUPS}"""  # noqa: S608 - a constant
    found = rows(con, sql)
    return Listed(
        found[0]["n"] if found else 0,
        tuple(
            GroupLine(
                g["group_id"],
                _names(g["sources"]),
                g["n_other_accounts"],
                g["p_value"],
                tuple(g["traces"]),
                g["n_objects"],
                g["median_delay_s"],
                at(g["first_us"]),
                at(g["last_us"]),
                g["is_one_house"],
            )
            for g in found
        ),
    )


def one_group(con: duckdb.DuckDBPyConnection, group_id: str) -> GroupPage | None:
    """Return one group; None where there is none of this id now."""
    sql = f"""
        select {", ".join(name for name in COORDINATION.names if name not in ("examples", "windows"))},
               {moves.EXAMPLES} as examples, list_transform(examples, lambda e: e.post_ids) as post_ids,
               list_transform(windows, lambda w: [epoch_us(w."from"), epoch_us(w."to")]) as windows
        from coordination where group_id = ?"""  # noqa: S608 - names of a schema
    for g in rows(con, sql, [group_id]):
        sources = _names(g["sources"])
        windows = tuple(Window(at(a), at(b)) for a, b in g["windows"])
        return GroupPage(
            g["group_id"],
            sources,
            g["n_other_accounts"],
            g["p_value"],
            tuple(g["traces"]),
            windows,
            sum((w.end.date() - w.start.date()).days + 1 for w in windows),
            g["n_objects"],
            g["test"],
            g["median_delay_s"],
            g["n_wire_copies"] or 0,
            _moved(con, g["examples"], g["post_ids"]),
            bool(g["is_one_house"]),
            tuple(Pointed(clean(s["address"]), _names(s["sources"])) for s in g["signposts"] or ()),
            _pairs(con, sources),
            _same_hands(con, sources),
            _shared(con, sources),
        )
    return None


def _names(sources: Sequence[str]) -> tuple[str, ...]:
    return tuple(clean(source) for source in sources if not is_pseudonym(source))


def _moved(
    con: duckdb.DuckDBPyConnection, listed: Sequence[dict[str, Any]], post_ids: Sequence[Sequence[str]]
) -> tuple[Moved, ...]:
    keys = [{hash_string(ident) for ident in ids or ()} for ids in post_ids]
    found = sensitive_posts(con, sorted({key for some in keys for key in some}))
    shown = [(moves.examples([one], _ALL, _ALL), some) for one, some in zip(listed, keys, strict=True)]
    return tuple(Moved(example, bool(some & found)) for examples, some in shown for example in examples)


def _pairs(con: duckdb.DuckDBPyConnection, sources: Sequence[str]) -> tuple[Pair, ...]:
    sql = f"""
        select from_source, to_source, n_copies, coalesce(n_wire, 0) as n_wire, share, median_delay_s from copy_network
        where from_source in (select unnest($1::varchar[])) and to_source in (select unnest($1::varchar[]))
        order by n_copies desc, 1, 2 limit {MOST_PAIRS}"""  # noqa: S608 - a constant
    return tuple(
        Pair(
            clean(r["to_source"]),
            clean(r["from_source"]),
            r["n_copies"],
            r["n_wire"],
            r["share"],
            r["median_delay_s"],
        )
        for r in rows(con, sql, [list(sources)])
    )


def _same_hands(con: duckdb.DuckDBPyConnection, sources: Sequence[str]) -> tuple[SameHands, ...]:
    sites = {source: site_of(source) for source in sources if "." in source}
    found = []
    for row in rows(con, "select family_id, sources from families order by family_id"):
        here = tuple(source for source, site in sites.items() if site in row["sources"])
        if len(here) >= 2:
            found.append(SameHands(row["family_id"], here))
    return tuple(found)


def _shared(con: duckdb.DuckDBPyConnection, sources: Sequence[str]) -> tuple[Shared, ...]:
    sql = f"""
        with here as (
            select m.narrative_key, count(*) as n_here, count(distinct p.source) as n_sources
            from posts p join members m using (post_key)
            where p.is_publisher and p.source in (select unnest(?::varchar[])) and m.narrative_key is not null
            group by 1 having count(distinct p.source) >= 2)
        select n.narrative_id, n.text, n.n_posts, here.n_here, here.n_sources
        from here join narratives n using (narrative_key)
        order by here.n_sources desc, here.n_here desc, n.narrative_id limit {MOST_NARRATIVES}"""  # noqa: S608 - a constant
    sensitive = sensitive_narratives(con)
    return tuple(
        Shared(
            r["narrative_id"],
            shorten(clean(r["text"]), 160),
            r["n_posts"],
            r["n_here"],
            r["n_sources"],
            r["narrative_id"] in sensitive,
        )
        for r in rows(con, sql, [list(sources)])
    )

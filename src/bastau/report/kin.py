# ruff: noqa: S608 - the table name is a constant of bastau.report.build
"""Which websites of a trace are run by the same hands."""

from collections import defaultdict

import duckdb

from bastau.report.queries import clean, rows
from bastau.report.trace import Kin
from bastau.sources.families.names import site_of

MOST_KIN = 20


def kin(con: duckdb.DuckDBPyConnection, mine: str) -> tuple[Kin, ...]:
    """Return the families with a website among the publishers of the posts in table ``mine``, those with most first."""
    hosts = rows(con, f"select distinct source from {mine} where is_publisher and platform = 'web'")
    here: dict[str, list[str]] = defaultdict(list)
    for row in hosts:
        site = site_of(row["source"])
        if site is not None:
            here[site].append(clean(row["source"]))
    if not here:
        return ()
    areas_of = {
        row["family_id"]: row["areas"]
        for row in rows(
            con,
            "select family_id, list_sort(list_distinct(flatten(list(areas)))) as areas from site_links "
            "where family_id is not null group by family_id",
        )
    }
    found = []
    for row in rows(con, "select family_id, sources, p_value from families"):
        sources = sorted(name for site in row["sources"] for name in here.get(site, ()))
        if sources:
            areas = tuple(areas_of.get(row["family_id"]) or ())
            found.append(Kin(row["family_id"], tuple(row["sources"]), tuple(sources), areas, row["p_value"]))
    return tuple(sorted(found, key=lambda k: (-len(k.sources_here), k.p_value, k.family_id))[:MOST_KIN])

"""What rules and lists found in the posts of a period: counts and the latest examples."""

from dataclasses import dataclass
from datetime import datetime

import duckdb

from bastau.report.post_search import PostHit, shown
from bastau.report.queries import clean, rows

MOST_KINDS = 12
MOST_POSTS = 12
_MOST_LOOKED_AT = 200


@dataclass(frozen=True)
class Finding:
    """A list of known content or an act with how many posts of the period it was found in, and in how many held back."""

    kind: str
    name: str
    n_posts: int
    n_held: int


@dataclass(frozen=True)
class Findings:
    """Findings of a period, and the latest posts in which something was found and nothing held it back, one a narrative."""

    found: tuple[Finding, ...]
    posts: tuple[PostHit, ...]


def findings(con: duckdb.DuckDBPyConnection, start: datetime, end: datetime) -> Findings:
    """Return what was found in the posts published in [``start``, ``end``)."""
    sql = f"""
        with hit as (
            select m.post_key, epoch_us(p.published_at) as at_us, m.suggestions, m.known
            from matches m join posts p using (post_key)
            where p.published_at >= ? and p.published_at < ? and (m.suggestions is not null or m.known is not null)),
        each as (
            select post_key, at_us, 'act' as kind, s.act as name, s.gate as gate
            from (select post_key, at_us, unnest(suggestions) as s from hit where suggestions is not null)
            union all
            select post_key, at_us, 'list', k.list, k.gate
            from (select post_key, at_us, unnest(known) as k from hit where known is not null))
        select kind, name, count(distinct post_key) as n_posts,
               count(distinct post_key) filter (gate is not null) as n_held,
               list(distinct (at_us, post_key)) filter (gate is null) as open
        from each group by 1, 2 order by kind desc, n_posts desc, name limit {MOST_KINDS}"""  # noqa: S608 - constants
    found = rows(con, sql, [start, end])
    latest = sorted({pair for row in found for pair in row["open"] or ()}, reverse=True)[:_MOST_LOOKED_AT]
    # Of each narrative the latest post: a hundred copies of one text would hide the rest.
    first: dict[str, PostHit] = {}
    for hit in shown(con, [(key, us) for us, key in latest]):
        first.setdefault(hit.narrative_id or str(hit.post_key), hit)
    return Findings(
        tuple(Finding(row["kind"], clean(row["name"]), row["n_posts"], row["n_held"]) for row in found),
        tuple(first.values())[:MOST_POSTS],
    )


def sensitive_narratives(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return the narratives in a post of which rules or lists found something, held back or not."""
    sql = """
        select distinct n.narrative_id from matches x join members m using (post_key) join narratives n using (narrative_key)
        where x.suggestions is not null or x.known is not null"""
    return frozenset(row["narrative_id"] for row in rows(con, sql))

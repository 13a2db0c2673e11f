"""How many posts each rule suggested lately."""

from dataclasses import dataclass
from datetime import timedelta

import duckdb

from bastau.report.queries import at, rows

DAYS = 30


@dataclass(frozen=True)
class RuleCount:
    """Posts of the last :data:`DAYS` days before the latest stored one: suggested, and held back by context."""

    n_open: int
    n_held: int


def rule_counts(con: duckdb.DuckDBPyConnection) -> dict[str, RuleCount]:
    """Return the counts by rule; a rule that found nothing is not there."""
    latest = rows(con, "select epoch_us(max(published_at)) as us from posts")[0]["us"]
    if latest is None:
        return {}
    sql = """
        select s.rule as rule, count(distinct post_key) filter (s.gate is null) as n_open,
               count(distinct post_key) filter (s.gate is not null) as n_held
        from (select m.post_key, unnest(m.suggestions) as s from matches m join posts p using (post_key)
              where m.suggestions is not null and p.published_at > ?) group by 1"""
    return {
        row["rule"]: RuleCount(row["n_open"], row["n_held"]) for row in rows(con, sql, [at(latest) - timedelta(DAYS)])
    }

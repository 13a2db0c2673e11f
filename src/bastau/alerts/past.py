"""What the rules would have told of the past, by when posts were published."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from bastau.alerts.findings import Finding, find
from bastau.alerts.rules import Rule
from bastau.home import Home

_REACHED = """
WITH numbered AS (
    SELECT narrative_id, published_at, n_wanted, sources_wanted,
        row_number() OVER (PARTITION BY narrative_id, n_wanted, sources_wanted ORDER BY published_at, post_key) AS n,
        row_number() OVER (PARTITION BY narrative_id, n_wanted, sources_wanted, source ORDER BY published_at, post_key) AS n_of_source
    FROM wanted JOIN narratives USING (narrative_id) JOIN members USING (narrative_key) JOIN posts USING (post_key)
), counted AS (
    SELECT *, count(*) FILTER (n_of_source = 1) OVER (PARTITION BY narrative_id, n_wanted, sources_wanted ORDER BY n) AS n_sources
    FROM numbered
)
SELECT narrative_id, n_wanted, sources_wanted, min(published_at) FROM counted
WHERE n >= n_wanted AND n_sources >= sources_wanted GROUP BY ALL
"""
UNTOLD = ("silent", "search")
"""The list of sources remembers only how they are now, and narratives only how large they were, not of which posts."""
_ENDS = "SELECT group_id, list_max(list_transform(windows, w -> w['to'])) FROM coordination"


def past(home: Home, rules: Sequence[Rule], since: datetime, now: datetime) -> list[tuple[datetime, Finding, int]]:
    """Return when what would have been told since ``since``, and at how many posts (0: not of a narrative), by time.

    Narratives and groups are those of today: a rule is judged as if each post had been read and grouped when it was published.
    Of :data:`UNTOLD` nothing can be said.
    """
    by_name = {rule.name: rule for rule in rules}
    findings = [finding for finding in find(home, rules, now) if finding.when not in UNTOLD]
    told = [
        (at, finding, n)
        for at, finding, n in [*_of_narratives(home, findings, by_name), *_of_others(home, findings)]
        if since <= at <= now
    ]
    return sorted(told, key=lambda one: (one[0], one[1].key))


def by_day(told: Sequence[tuple[datetime, Finding, int]]) -> dict[str, Counter[str]]:
    """Return by rule how many alerts each day would have brought."""
    days: dict[str, Counter[str]] = {}
    for at, finding, _ in told:
        days.setdefault(finding.rule, Counter())[at.date().isoformat()] += 1
    return days


def _of_narratives(
    home: Home, findings: Sequence[Finding], rules: dict[str, Rule]
) -> Iterator[tuple[datetime, Finding, int]]:
    """Yield when narratives reached the sizes at which their rules tell them."""
    wanted: list[tuple[Finding, int, int]] = []
    for finding in findings:
        if "n_posts" not in finding.facts:
            continue
        rule = rules[finding.rule]
        sizes = [rule.min_posts]
        if rule.when == "grown":
            doublings = (finding.facts["n_posts"] // rule.min_posts).bit_length() - 1
            sizes = [rule.min_posts << n for n in range(1, doublings + 1)]
        wanted += [(finding, size, rule.min_sources) for size in sizes]
    if not wanted:
        return
    with home.connect() as con:
        con.execute("CREATE TABLE wanted (narrative_id TEXT, n_wanted BIGINT, sources_wanted BIGINT)")
        rows = {(finding.subject, size, n_sources) for finding, size, n_sources in wanted}
        con.executemany("INSERT INTO wanted VALUES (?, ?, ?)", [list(row) for row in sorted(rows)])
        reached: dict[tuple[Any, ...], datetime] = {row[:3]: row[3] for row in con.execute(_REACHED).fetchall()}
    for finding, size, n_sources in wanted:
        at = reached.get((finding.subject, size, n_sources))
        if at is not None:
            yield at.astimezone(UTC), finding, size


def _of_others(home: Home, findings: Sequence[Finding]) -> Iterator[tuple[datetime, Finding, int]]:
    """Yield gaps at their end and groups at the end of what they last did together."""
    groups = [finding for finding in findings if finding.when == "coordinated"]
    ends: dict[str, datetime | None] = {}
    if groups:
        with home.connect() as con:
            ends = dict(con.execute(_ENDS).fetchall())
    for finding in groups:
        if (end := ends.get(finding.subject)) is not None:
            yield end.astimezone(UTC), finding, 0
    for finding in findings:
        if finding.when == "gap":
            yield datetime.fromisoformat(finding.facts["until"]).replace(tzinfo=UTC), finding, 0

"""What there is to tell after a run: one finding for each rule and subject, with a key that never changes."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from bastau.alerts.rules import Rule
from bastau.home import Home
from bastau.reading import read_text


@dataclass(frozen=True)
class Finding:
    """Something to tell.

    Attributes:
        key: the same for the same thing, so that nothing is told twice; receivers may use it too.
        rule: name of the rule.
        when: its kind.
        subject: narrative id, group id or address of a source.
        facts: numbers and names for the text, of publishers and sources only.
    """

    key: str
    rule: str
    when: str
    subject: str
    facts: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return asdict(self)


def _finding(rule: Rule, subject: str, level: str, **facts: Any) -> Finding:
    key = hashlib.sha256(f"{rule.name}\0{rule.when}\0{subject}\0{level}".encode()).hexdigest()[:32]
    return Finding(key, rule.name, rule.when, subject, facts)


def find(home: Home, rules: Sequence[Rule], now: datetime) -> list[Finding]:
    """Return all findings of ``rules``, told before or not."""
    found: list[Finding] = []
    con = home.connect() if home.generation() is not None else None
    for rule in rules:
        match rule.when:
            case "silent" | "gap":
                found += _of_sources(home, rule, now)
            case _ if con is None:
                continue
            case "coordinated":
                found += _of_groups(con, rule)
            case "search":
                found += _of_search(home, con, rule)
            case _:
                found += _of_narratives(con, rule)
    if con is not None:
        con.close()
    return found


_NARRATIVES = """
SELECT narrative_id, n_posts, n_sources, n_publishers, languages, platforms, strftime(first_seen_at, '%Y-%m-%d %H:%M'), {words}
FROM narratives n WHERE n_posts >= ? AND n_sources >= ? {more} ORDER BY narrative_id
"""
_MORE = {
    "new": "",
    "grown": "",
    "search": "",
    "known": "AND narrative_key IN (SELECT narrative_key FROM members JOIN matches USING (post_key) WHERE len(list_filter(known, lambda k: k.gate IS NULL)) > 0)",
    "proposition": ("AND narrative_key IN (SELECT telling_key FROM curated WHERE curated_id = ?) "),
}


def _of_narratives(con: Any, rule: Rule) -> Iterator[Finding]:
    values: list[Any] = [rule.min_posts, rule.min_sources]
    if rule.when == "proposition":
        values.append(rule.proposition or "")
    sql = _NARRATIVES.format(words="text" if rule.quote else "NULL", more=_MORE[rule.when])
    for narrative_id, n_posts, n_sources, n_publishers, languages, platforms, since, words in con.execute(
        sql, values
    ).fetchall():
        if rule.languages and not set(rule.languages) & set(languages or ()):
            continue
        if rule.platforms and not set(rule.platforms) & set(platforms or ()):
            continue
        doublings = max(0, (n_posts // rule.min_posts).bit_length() - 1)
        if rule.when == "grown" and doublings == 0:
            continue
        level = str(doublings) if rule.when == "grown" else ""
        yield _finding(
            rule, narrative_id, level, n_posts=n_posts, n_sources=n_sources, n_publishers=n_publishers,
            languages=list(languages or ()), platforms=list(platforms or ()), since=since, words=words, proposition=rule.proposition,
        )  # fmt: skip


def _of_search(home: Home, con: Any, rule: Rule) -> Iterator[Finding]:
    from bastau.report.post_search import narratives_with, prepare_search
    from bastau.report.search_form import asked_of

    asked = asked_of(dict(parse_qsl(rule.search or "")), lambda text: read_text(text, home.settings)[0])
    if asked is None:
        return
    prepare_search(con)
    fitting = narratives_with(con, asked)
    for found in _of_narratives(con, replace(rule, min_posts=1, min_sources=1)):
        n_posts, n_sources = fitting.get(found.subject, (0, 0))
        if n_posts and n_posts >= rule.min_posts and n_sources >= rule.min_sources:
            facts = found.facts | {"n_posts": n_posts, "n_sources": n_sources, "search": rule.search}
            yield replace(found, facts=facts)


def _of_groups(con: Any, rule: Rule) -> Iterator[Finding]:
    sql = "SELECT group_id, sources, n_objects, p_value, is_one_house FROM coordination ORDER BY group_id"
    for group_id, sources, n_objects, p_value, is_one_house in con.execute(sql).fetchall():
        if len(sources) >= rule.min_sources:
            yield _finding(
                rule, group_id, "", n_sources=len(sources), sources=sorted(sources)[:20], n_objects=n_objects, p_value=p_value,
                is_one_house=is_one_house,
            )  # fmt: skip


def _of_sources(home: Home, rule: Rule, now: datetime) -> Iterator[Finding]:
    if rule.when == "gap":
        gaps = home.lake.read("gaps").sort_by([("place", "ascending"), ("since_at", "ascending")])
        for gap in gaps.to_pylist():
            since, until = (gap[name].astimezone(UTC).strftime("%Y-%m-%d %H:%M") for name in ("since_at", "until_at"))
            yield _finding(rule, gap["place"], since, since=since, until=until, reason=gap["reason"])
        return
    from bastau.places import is_in_state
    from bastau.watching import LIST_FILE, open_store

    if not home.settings.watch.database and not (home.folder / LIST_FILE).exists():
        return
    with open_store(home) as store:
        silent = [source for source in store.sources() if is_in_state(source, "silent", now)]
    for source in silent:
        last = None if source.brought_at is None else datetime.fromtimestamp(source.brought_at, UTC)
        since = None if last is None else last.strftime("%Y-%m-%d %H:%M")
        yield _finding(rule, source.address, last.isoformat(timespec="seconds") if last else "", since=since)

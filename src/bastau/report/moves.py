"""What moved posts from place to place: agencies, influence between platforms, and what groups moved on, as records."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from bastau.report.queries import HIDDEN, at, clean, is_pseudonym, rows, shorten, shown_url

MOST_EXAMPLES = 3
MOST_POSTS = 6
MOST_CHARS = 160


@dataclass(frozen=True)
class Agency:
    """The news agency whose text a narrative is; ``n_named`` of ``n_publishers`` name it as their source."""

    name: str
    n_publishers: int
    n_named: int
    is_by_wire: bool


@dataclass(frozen=True)
class Influence:
    """Posts on one platform that posts on another set off: ``caused`` here, ``weight`` for each post over all spreads.

    ``weight`` with its interval ``low`` to ``high`` (95 %, bootstrap) is None where too few spreads cross platforms.
    """

    platform_from: str
    platform_to: str
    n_from: int
    n_to: int
    caused: float
    weight: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class MovedPost:
    """A publisher's post in an example; ``delay_s`` after the first of its moment."""

    source: str
    published_at: datetime
    delay_s: int
    url: str | None
    text: str


@dataclass(frozen=True)
class Example:
    """One thing that a group moved on, and the publishers' posts."""

    trace: str
    object: str
    posts: tuple[MovedPost, ...]


def agency(con: duckdb.DuckDBPyConnection, key: int | None) -> Agency | None:
    """Return the agency of a narrative, None where none is known."""
    sql = "select agency, n_publishers, n_named, is_by_wire from wire_copies where narrative_key = ?"
    found = rows(con, sql, [key])
    return Agency(clean(found[0]["agency"]), *list(found[0].values())[1:]) if found else None


def influence(con: duckdb.DuckDBPyConnection, key: int | None) -> tuple[Influence, ...]:
    """Return the influence inside a narrative, or over all (``key`` None), what was caused most first."""
    sql = """
        with overall as (
            select platform_from, platform_to, weight, low, high from influence
            where narrative_key is null and trace = 'near_copy')
        select i.platform_from, i.platform_to, i.n_from, i.n_to, i.caused, o.weight, o.low, o.high
        from influence i left join overall o using (platform_from, platform_to)
        where i.narrative_key is not distinct from ? and i.trace = 'near_copy' and i.caused >= 0.05
        order by i.caused desc, i.platform_from, i.platform_to limit 20"""
    return tuple(Influence(*row.values()) for row in rows(con, sql, [key]))


def examples(
    listed: Sequence[dict[str, Any]] | None, most: int = MOST_EXAMPLES, most_posts: int = MOST_POSTS
) -> tuple[Example, ...]:
    """Return the first examples of a row of COORDINATION, posts cut to what fits on a page."""
    found = []
    for example in (listed or [])[:most]:
        posts = [p for p in example.get("posts") or [] if not is_pseudonym(p["source"])]
        if posts:
            shown = [
                MovedPost(
                    clean(p["source"]),
                    at(p["at_us"]),
                    p["delay_s"],
                    shown_url(p["url"]),
                    shorten(clean(p["text"]), MOST_CHARS),
                )
                for p in posts[:most_posts]
            ]
            found.append(Example(example["trace"], _object(example["trace"], example["object"]), tuple(shown)))
    return tuple(found)


def _object(trace: str, words: str) -> str:
    """Return what an object is called; of a private account's post neither address nor number, which would lead there."""
    shown = clean(words)
    return HIDDEN if trace in ("link", "repost") and HIDDEN in shown else shorten(shown, MOST_CHARS)


EXAMPLES = """list_transform(examples, lambda e: {'trace': e.trace, 'object': e.object, 'posts': list_transform(e.posts, lambda p: {
    'source': p.source, 'at_us': epoch_us(p.published_at), 'delay_s': p.delay_s, 'url': p.url, 'text': p.text})})"""
"""The examples of COORDINATION as :func:`examples` takes them: DuckDB gives times with the zone of the session."""

SIGNPOSTS = """coalesce(is_one_house, false) as is_one_house,
    list_transform(coalesce(signposts, []), lambda s: s.address) as signposts"""
"""Whether a group of COORDINATION is openly one publisher's network, and the addresses that say so."""

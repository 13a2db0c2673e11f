"""What stands around a post, as far as it is stored: what it answers, repeats and links to, answers to it, the same words elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from bastau.hashing import hash_string
from bastau.report.found import fact_checks
from bastau.report.post_search import PostHit, shown
from bastau.report.queries import rows
from bastau.report.trace import FactCheck

MOST = 12
"""Posts of one kind that are shown."""
_MOST_UP = 5


@dataclass(frozen=True)
class Context:
    """Posts around one post; private accounts have no name in any of them.

    Attributes:
        answered: what it answers, and what that answers, the nearest first.
        repeated: what it reposts.
        linked: stored posts whose addresses it links to.
        answers: the first answers to it.
        same: the latest other posts with the same words.
        n_answers: answers in all.
        n_same: other posts with the same words in all.
    """

    answered: tuple[PostHit, ...]
    repeated: tuple[PostHit, ...]
    linked: tuple[PostHit, ...]
    answers: tuple[PostHit, ...]
    same: tuple[PostHit, ...]
    n_answers: int
    n_same: int
    fact_checks: tuple[FactCheck, ...]


def context_of(con: duckdb.DuckDBPyConnection, post_key: int) -> Context | None:
    """Return what stands around a stored post, None when it is not stored."""
    mine = _post(con, post_key)
    if mine is None:
        return None
    answered: list[tuple[int, int]] = []
    up = mine
    while up["reply_to"] and len(answered) < _MOST_UP:
        above = _post(con, hash_string(up["reply_to"]))
        if above is None or (above["post_key"], above["at_us"]) in answered or above["post_key"] == post_key:
            break
        answered.append((above["post_key"], above["at_us"]))
        up = above
    original = _post(con, hash_string(mine["repost_of"])) if mine["repost_of"] else None
    linked = """
        select post_key, epoch_us(p.published_at) as at_us from readings r join posts p using (post_key)
        where r.own_url_key in (select unnest(url_keys) from readings where post_key = ?) and post_key <> ?"""
    answers = "select post_key, epoch_us(published_at) as at_us from posts where reply_to = ?"
    same = """
        select post_key, epoch_us(p.published_at) as at_us from readings r join posts p using (post_key)
        where r.text_key = (select text_key from readings where post_key = ?) and post_key <> ?"""
    n_answers, first_answers = _some(con, answers, [mine["post_id"]], "at_us")
    n_same, latest_same = _some(con, same, [post_key, post_key], "at_us desc")
    _, links = _some(con, linked, [post_key, post_key], "at_us")
    narrative = rows(con, "select narrative_key from members where post_key = ?", [post_key])
    return Context(
        tuple(shown(con, answered)),
        tuple(shown(con, [(original["post_key"], original["at_us"])] if original else [])),
        tuple(shown(con, links)),
        tuple(shown(con, first_answers)),
        tuple(shown(con, latest_same)),
        n_answers,
        n_same,
        fact_checks(con, narrative[0]["narrative_key"] if narrative else None),
    )


def _post(con: duckdb.DuckDBPyConnection, post_key: int) -> dict[str, Any] | None:
    sql = "select post_key, post_id, reply_to, repost_of, epoch_us(published_at) as at_us from posts where post_key = ?"
    return next(iter(rows(con, sql, [post_key])), None)


def _some(
    con: duckdb.DuckDBPyConnection, sql: str, params: Sequence[Any], by: str
) -> tuple[int, list[tuple[int, int]]]:
    """Return how many posts there are, and (post_key, microseconds) of the first."""
    found = rows(con, f"select *, count(*) over () as n from ({sql}) order by {by}, post_key limit {MOST}", params)  # noqa: S608 - constants of this module
    return found[0]["n"] if found else 0, [(row["post_key"], row["at_us"]) for row in found]

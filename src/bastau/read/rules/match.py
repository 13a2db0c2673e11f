"""The stage that adds suggestions: a fast look over every post, a slow one at the few that may hold a match."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from bastau.read.rules.documents import RuleFile
from bastau.read.rules.finding import Finder, finder, foreign_kazakh
from bastau.read.rules.frames import Match
from bastau.read.rules.pack import Rule
from bastau.schemas import FOLDED, LANGUAGE, POSTS, SUGGESTIONS, TECHNIQUES
from bastau.tables import append_columns

ENGINE_VERSION = 1
"""Raised when the same rules and text may give other suggestions."""


def suggestion(match: Match) -> dict[str, Any]:
    """Return a match as tables and the `check` format hold it."""
    return {
        "act": match.rule.act,
        "rule": match.rule.id,
        "version": match.rule.version,
        "spans": [{"field": s.field, "start": s.start, "end": s.end, "slot": s.slot} for s in match.spans],
        "gate": ",".join(match.gates) or None,
        "score": round(match.score, 4),
    }


def suggestions(matches: list[Match]) -> list[dict[str, Any]]:
    """Return the suggestions among the matches of one post: open ones first, then by score."""
    acts = [match for match in matches if match.rule.technique is None]
    return [suggestion(match) for match in sorted(acts, key=lambda m: (bool(m.gates), -m.score, m.rule.id))]


def techniques(matches: list[Match]) -> list[str]:
    """Return the DISARM ids among the matches of one post."""
    return sorted({match.rule.technique for match in matches if match.rule.technique and not match.gates})


@dataclass(frozen=True)
class MatchRules:
    """Suggest posts for review: frames of words in a stance that no gate excuses.

    Args:
        own: the operator's rule files, beside the rules that come with bastau.
        shadow: also apply rules in shadow status; they are suggestions nobody should act on.
    """

    own: tuple[RuleFile, ...] = ()
    shadow: bool = False

    needs: ClassVar[pa.Schema] = pa.schema(
        [
            POSTS.field("title"),
            POSTS.field("text"),
            FOLDED.field("folded"),
            LANGUAGE.field("detected_language"),
            LANGUAGE.field("script"),
        ]
    )
    adds: ClassVar[pa.Schema] = pa.schema([*SUGGESTIONS, *TECHNIQUES])

    @property
    def fingerprint(self) -> str:
        """Return a hash of all that decides what is suggested: every rule file, and the engine."""
        state = f"{finder(self.own).pack.fingerprint} {ENGINE_VERSION} {self.shadow}"
        return hashlib.blake2b(state.encode(), digest_size=16).hexdigest()

    def run(self, posts: pa.Table) -> pa.Table:
        """Return ``posts`` (n rows, any order) with the columns of SUGGESTIONS and TECHNIQUES."""
        use = finder(self.own)
        rules = [rule for rule in use.pack.rules if rule.is_live or self.shadow]
        found = find_in_posts(posts, use, rules)
        columns = {
            "suggestions": _spread(found, suggestions, posts.num_rows, SUGGESTIONS.field(0).type),
            "techniques": _spread(found, techniques, posts.num_rows, TECHNIQUES.field(0).type),
        }
        return append_columns(posts, columns, self.adds)


def find_in_posts(posts: pa.Table, use: Finder, rules: list[Rule]) -> dict[int, list[Match]]:
    """Return the matches of ``rules`` by row, of the rows that have any; ``posts`` has what MatchRules needs."""
    return use.find(posts.column("title"), posts.column("text"), posts.column("folded"), rules, foreign_kazakh(posts))


def _spread(
    found: dict[int, list[Match]], values_of: Callable[[list[Match]], list[Any]], n_rows: int, type_: pa.DataType
) -> pa.Array:
    """Return a list column of ``n_rows`` with the found rows filled and the others null."""
    filled = {row: values for row, matches in sorted(found.items()) if (values := values_of(matches))}
    if not filled:
        return pa.nulls(n_rows, type_)
    lengths = np.zeros(n_rows + 1, np.int32)
    empty = np.ones(n_rows, np.bool_)
    for row, values in filled.items():
        lengths[row + 1] = len(values)
        empty[row] = False
    flat = pa.array([value for values in filled.values() for value in values], type_.value_type)
    offsets = pa.array(np.cumsum(lengths, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, flat, type=type_, mask=pa.array(empty))

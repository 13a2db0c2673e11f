"""The stage that adds suggestions: a fast look over every post, a slow one at the few that may hold a match."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from bastau.read.rules.commands import files_of, suggestion
from bastau.read.rules.frames import Reading
from bastau.read.rules.loading import load
from bastau.read.rules.pack import Pack
from bastau.read.rules.screen import Screen
from bastau.schemas import FOLDED, POSTS
from bastau.tables import append_columns

SPAN = pa.struct([("field", pa.string()), ("start", pa.int32()), ("end", pa.int32()), ("slot", pa.string())])
SUGGESTION = pa.struct(
    [
        ("act", pa.string()),
        ("rule", pa.string()),
        ("version", pa.int32()),
        ("spans", pa.list_(SPAN)),
        ("gate", pa.string()),
        ("score", pa.float32()),
    ]
)
SUGGESTIONS = pa.schema(
    [
        pa.field(
            "suggestions",
            pa.list_(SUGGESTION),
            nullable=False,
            metadata={
                "doc": "what a rule proposes for review: act, rule and version, highlighted spans (characters of title or "
                "text), the gates that hold it back (null: flagged), a score that only ranks"
            },
        ),
        pa.field(
            "techniques",
            pa.list_(pa.string()),
            nullable=False,
            metadata={"doc": "DISARM ids of manipulation techniques that the text shows; weaker than suggestions"},
        ),
    ]
)


@cache
def compiled(paths: tuple[str, ...]) -> tuple[Pack, Screen]:
    """Return the pack of the shipped rules and those of ``paths``, compiled once a process."""
    pack = load(files_of([Path(path) for path in paths]))
    return pack, Screen(pack)


@dataclass(frozen=True)
class MatchRules:
    """Suggest posts for review: frames of words in a stance that no gate excuses.

    Args:
        paths: files and folders of the operator's own rules, beside those that come with bastau.
        shadow: also apply rules in shadow status; they are suggestions nobody should act on.
    """

    paths: tuple[str, ...] = ()
    shadow: bool = False

    needs: ClassVar[pa.Schema] = pa.schema([POSTS.field("title"), POSTS.field("text"), FOLDED.field("folded")])
    adds: ClassVar[pa.Schema] = SUGGESTIONS

    def run(self, posts: pa.Table) -> pa.Table:
        """Return ``posts`` (n rows, any order) with the columns of SUGGESTIONS."""
        pack, screen = compiled(self.paths)
        rules = [rule for rule in pack.rules if rule.is_live or self.shadow]
        rows = np.flatnonzero(screen.run(posts.column("folded")))
        chosen = posts.select(["title", "text"]).take(pa.array(rows))
        found: dict[int, tuple[list[dict[str, Any]], list[str]]] = {}
        for row, title, text in zip(
            rows.tolist(), chosen.column("title").to_pylist(), chosen.column("text").to_pylist(), strict=True
        ):
            matches = Reading(pack, title, text).matches(rules)
            if matches:
                found[row] = (
                    [suggestion(match) for match in matches if match.rule.technique is None],
                    sorted({match.rule.technique for match in matches if match.rule.technique and not match.gates}),
                )
        columns = {
            "suggestions": _spread({row: one for row, (one, _) in found.items()}, posts.num_rows, SUGGESTION),
            "techniques": _spread({row: many for row, (_, many) in found.items()}, posts.num_rows, pa.string()),
        }
        return append_columns(posts, columns, self.adds)


def _spread(found: dict[int, list[Any]], n_rows: int, type_: pa.DataType) -> pa.Array:
    """Return a list column of ``n_rows`` with the given rows filled and the others empty."""
    lengths = np.zeros(n_rows + 1, np.int32)
    for row, values in found.items():
        lengths[row + 1] = len(values)
    values = pa.array([value for row in sorted(found) for value in found[row]], type_)
    return pa.ListArray.from_arrays(pa.array(np.cumsum(lengths, dtype=np.int32)), values)

"""How well known content is found: a labelled file against the lists of a home folder."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from bastau.errors import InputError
from bastau.evaluate.labelled import read_labelled
from bastau.intervals import wilson
from bastau.read.fold import Fold
from bastau.read.known import MatchKnown
from bastau.read.known_index import KnownIndex
from bastau.read.links import FindLinks
from bastau.schemas import POSTS
from bastau.stage import Stage, run_stages

CARRIERS = ("text", "url", "sha256", "pdq")
_BATCH = 8192
_SHOWN = 20


@dataclass
class _Count:
    """Rows and matches of one kind of carrier, and the ids of rows that went wrong."""

    n_rows: int = 0
    n_expected: int = 0
    n_found: int = 0
    n_matches: int = 0
    n_right: int = 0
    n_false: int = 0
    n_held: int = 0

    @property
    def figures(self) -> dict[str, Any]:
        """Return the counts with precision, recall and their lower bounds."""
        right, expected = wilson(self.n_right, self.n_matches), wilson(self.n_found, self.n_expected)
        return {
            "n_rows": self.n_rows,
            "n_expected": self.n_expected,
            "n_found": self.n_found,
            "recall": self.n_found / self.n_expected if self.n_expected else None,
            "recall_low": expected[0] if self.n_expected else None,
            "n_matches": self.n_matches,
            "precision": self.n_right / self.n_matches if self.n_matches else None,
            "precision_low": right[0] if self.n_matches else None,
            "n_false_rows": self.n_false,
            "n_held_back": self.n_held,
        }


def evaluate_known(path: Path, index: KnownIndex) -> tuple[dict[str, Any], list[str]]:
    """Match each row of a labelled file and compare with the entries it says it holds.

    Args:
        path: CSV or NDJSON with ``id``, ``expected`` (ids of entries by ``;``, as ``entry`` or ``list/entry``; empty:
            none) and one or more of ``text``, ``url``, ``sha256``, ``pdq``.
        index: the lists.

    Returns:
        answer and lines: by carrier and in all, the recall of expected entries, the precision of matches (pairs of row
        and entry), rows that match though nothing was expected, and matches that a negative bank held back, which
        count as found but never as false.

    Raises:
        InputError: the file cannot be read, or no row has anything to look up.
    """
    rows = read_labelled(path, ["id"], ["expected", *CARRIERS])
    if not any(row[name] for row in rows for name in CARRIERS):
        raise InputError(f"{path}: no row has anything to look up; it needs one of {', '.join(CARRIERS)}")
    counts: dict[str, _Count] = defaultdict(_Count)
    missed: list[str] = []
    wrong: list[str] = []
    for row, matches in _matched(rows, index):
        expected = {entry.strip() for entry in row["expected"].split(";") if entry.strip()}
        got = {name for match in matches for name in _names(match)}
        extra = [m for m in matches if m["gate"] is None and expected.isdisjoint(_names(m))]
        carrier = "+".join(name for name in CARRIERS if row[name]) or "nothing"
        for count in (counts[carrier], counts["all"]):
            count.n_rows += 1
            count.n_expected += len(expected)
            count.n_found += len(expected & got)
            count.n_held += sum(match["gate"] is not None for match in matches)
            count.n_right += sum(not expected.isdisjoint(_names(m)) for m in matches if m["gate"] is None)
            count.n_matches += sum(match["gate"] is None for match in matches)
            count.n_false += bool(extra) and not expected
        if expected - got:
            missed.append(row["id"])
        if extra:
            wrong.append(row["id"])
    order = [*sorted(name for name in counts if name != "all"), "all"]
    answer = {
        "task": "known",
        "by_carrier": {name: counts[name].figures for name in order},
        "missed": missed,
        "wrong": wrong,
    }
    return answer, _lines(answer)


def _names(match: dict[str, Any]) -> set[str]:
    return {match["entry"], f"{match['list']}/{match['entry']}"}


def _matched(
    rows: Sequence[dict[str, str]], index: KnownIndex
) -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
    stages: list[Stage] = [Fold(), FindLinks(), MatchKnown(index)]
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        columns: dict[str, list[Any]] = {name: [None] * len(batch) for name in POSTS.names}
        columns["text"] = [row["text"] for row in batch]
        columns["url"] = [row["url"] or None for row in batch]
        columns["media"] = [
            [{"url": None, "sha256": row["sha256"] or None, "pdq": row["pdq"] or None}]
            if row["sha256"] or row["pdq"]
            else None
            for row in batch
        ]
        posts = pa.table({field.name: pa.array(columns[field.name], field.type) for field in POSTS})
        found = run_stages(stages, posts).column("known").to_pylist()
        yield from zip(batch, ([*(matches or [])] for matches in found), strict=True)


def _lines(answer: dict[str, Any]) -> list[str]:
    lines = []
    for name, figures in answer["by_carrier"].items():
        parts = [f"{name}: {figures['n_rows']:,} rows"]
        for kind, n, of in (("recall", "n_found", "n_expected"), ("precision", "n_right", "n_matches")):
            if figures[kind] is not None:
                said = figures.get(n, round(figures[kind] * figures[of]))
                parts.append(f"{kind} {figures[kind]:.4f} [>= {figures[f'{kind}_low']:.4f}] ({said} of {figures[of]})")
        parts.append(f"{figures['n_false_rows']} rows matched that should not")
        parts.append(f"{figures['n_held_back']} matches held back")
        lines.append(", ".join(parts))
    for key, title in (("missed", "expected and not found"), ("wrong", "found and not expected")):
        ids = answer[key]
        if ids:
            more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
            lines.append(f"{title}: {', '.join(ids[:_SHOWN])}{more}")
    return lines

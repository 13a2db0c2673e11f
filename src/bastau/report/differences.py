"""What one text changes against another, word by word."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

MOST_TOKENS = 1200
"""Longer texts are compared up to here: matching is quadratic in the worst case (12 texts, about 0.3 s)."""

_TOKEN = re.compile(r"\w+|[^\w\s]|\s+")


@dataclass(frozen=True)
class Piece:
    """A run of words, the same as in the earlier text, added to it or removed from it."""

    kind: Literal["same", "added", "removed"]
    text: str


def differences(before: str, after: str) -> tuple[Piece, ...]:
    """Return ``after`` as pieces against ``before``, in reading order; same and added joined give ``after``.

    Letter case counts as a difference. Only the first :data:`MOST_TOKENS` words and marks are compared;
    what follows in ``after`` is left out.
    """
    old, new = _TOKEN.findall(before)[:MOST_TOKENS], _TOKEN.findall(after)[:MOST_TOKENS]
    pieces: list[Piece] = []
    for _, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if old[i:j] == new[k:m]:
            pieces.append(Piece("same", "".join(new[k:m])))
            continue
        if i < j:
            pieces.append(Piece("removed", "".join(old[i:j])))
        if k < m:
            pieces.append(Piece("added", "".join(new[k:m])))
    return tuple(pieces)

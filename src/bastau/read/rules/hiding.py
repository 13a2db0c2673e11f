"""Which posts may hide a word of the rules: looked up chunk by chunk, each chunk only once."""

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from bastau.read.masks import look_alikes
from bastau.read.unmask import hidden_word
from bastau.read.unmask_chunks import HIDES, SPACED, UNKNOWN, odd_chunks

_CACHE = 200_000
# Most words of a post that holds something odd are plain themselves: letters of one script, links, handles, numbers.
_PLAIN = re.compile(
    r"[^\w\s]*(?:[A-Za-z]{2,}(?:['’-][A-Za-z]{2,})*|[А-Яа-яЁёӘәҒғҚқҢңӨөҰұҮүІіҺһ]{2,}(?:-[А-Яа-яЁёӘәҒғҚқҢңӨөҰұҮүІіҺһ]{2,})*"
    r"|\d+(?:[.,:%/-]\d+)*)[.,:;!?…»”\")\]]*|[\[(]*https?://\S+|@\w+[.,:;!?…]*"
)
_THRICE = re.compile(r"([^\W\d_])\1\1")
_NO_DOUBLES = dict.fromkeys(map(ord, look_alikes().strict_latin))


class Hiding:
    """Tells whether a text may hide a word.

    Args:
        known: words that a disguise may hide.
        touches: whether a word is, or begins like, one of the rules' words.
    """

    def __init__(self, known: frozenset[str], touches: Callable[[str], bool]) -> None:
        """Remember nothing yet."""
        self._known, self._touches = known, touches
        self._seen: dict[bytes, bool] = {}

    def find(self, texts: pa.Array | pa.ChunkedArray, chosen: np.ndarray) -> np.ndarray:
        """Return bool (n,): which of the ``chosen`` texts may hide a word of the rules; as :meth:`hides` says, quicker."""
        states, chunks, data = odd_chunks(texts, chosen)
        found = states == HIDES
        for row in np.flatnonzero(states == UNKNOWN).tolist():
            found[row] = self.hides(texts[row].as_py())
        for row, start, end in chunks.tolist():
            if not found[row] and states[row] != UNKNOWN:
                found[row] = self._hides_in(data[start:end].tobytes())
        return found

    def hides(self, text: str) -> bool:
        """Tell whether some word of the rules may stand disguised in a text."""
        n_single = 0
        for chunk in text.split():
            if self._hides_in(chunk.encode()):
                return True
            n_single = n_single + 1 if len(chunk) < 5 and sum(map(str.isalnum, chunk)) == 1 else 0
            if n_single == SPACED:
                return True
        return "\u202e" in text or "\u202d" in text

    def _hides_in(self, raw: bytes) -> bool:
        known = self._seen.get(raw)
        if known is None:
            if len(self._seen) >= _CACHE:
                self._seen.clear()
            chunk = raw.decode()
            is_plain = _PLAIN.fullmatch(chunk) and not _THRICE.search(chunk) and not self._is_double(chunk)
            known = self._seen[raw] = not is_plain and any(map(self._touches, self._hidden(chunk)))
        return known

    def _is_double(self, chunk: str) -> bool:
        """Tell whether all letters, some of them Cyrillic, also look like Latin ones: a word among Latin ones is a disguise."""
        letters = "".join(filter(str.isalpha, chunk)).lower()
        return not letters.isascii() and letters.translate(_NO_DOUBLES) == ""

    def _hidden(self, chunk: str) -> set[str]:
        return {hidden_word(chunk, script, self._known) for script in ("cyrl", "latn")} - {""}

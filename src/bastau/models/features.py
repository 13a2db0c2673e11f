"""What a linear model sees of a post, and all it sees: hashed n-grams of the folded text.

Of each word, padded with a space on either side, every stretch of 2 to 5 characters; each word; each two words in a
row. Handles and links are gone from a folded text already, so a model cannot learn who wrote or where.
"""

import hashlib
from collections.abc import Callable

import pyarrow as pa

from bastau.ngrams import Ngrams

Folder = Callable[[pa.Array], pa.Array]
"""Texts (string) to their folded forms; passed in, because a model is no stage's own."""
Detector = Callable[[pa.Array], pa.Array]
"""Folded texts to their detected languages (string), as ``LANGUAGE`` has them; passed in for the same reason."""

BITS = 18
"""2**18 columns: with 2**20 held-out AUC changed by under .001 on two public sets, and 1 MB stays in a core's cache."""
MAX_CHARS = 5000
"""Characters of a folded text that are read: longer than a post may be nearly anywhere."""

_PROBES = (
    "",
    "Жаңа мектеп ашылды! https://site.example/a?b=1 @arna #мектеп",
    "Сегодня в городе открыли школу; ёлка, «цитата», ЭЛЕКТРО-ПОЕЗД.",
    "Schools re-opened (2024): café, naïve, Straße & <b>bold</b> ﬁne ①",
    "qazaqşa oqu ısı ŋ ǵ\u200bа\u00ad — ٴبۇل قازاقشا ١٢٣",
    "中文 😀 한국어 a\u0301 i\u0307",
)
"""Texts that a change of folding or of the hashes would most likely change."""


def ngrams_of(bits: int = BITS) -> Ngrams:
    """Return the n-grams of a model with ``2**bits`` weights."""
    return Ngrams((2, 5), words=2, bits=bits, max_chars=MAX_CHARS)


def reading_fingerprint(fold: Folder) -> str:
    """Return 16 hex digits that change when ``fold`` or the n-grams do, so that a model knows what it was trained on."""
    folded = fold(pa.array(_PROBES))
    digest = hashlib.blake2b(str(MAX_CHARS).encode(), digest_size=8)
    arrays = [array.tobytes() for array in ngrams_of(22).features(folded)]
    for part in (*(text.encode() for text in folded.to_pylist()), *arrays):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()

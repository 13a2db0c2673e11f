"""New texts made from given ones by number: the same number always gives the same text, in any order.

A text is a few segments of up to six words, each taken from another text of the same script. So lengths, words
and letters stay those of the given texts while two new texts are almost never near-duplicates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.errors import ConfigError
from bastau.tables import strings_from_buffers, utf8_buffers

SEGMENT_WORDS = 6
_MAX_SEGMENTS = 60
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@nb.njit(nogil=True, cache=True)
def mix(seed, number, purpose):  # type: ignore[no-untyped-def]
    """Return 64 well-mixed bits of (seed, number, purpose): the finaliser of SplitMix64 (Steele et al. 2014)."""
    h = np.uint64(seed) + np.uint64(number) * _GOLDEN + np.uint64(purpose) * np.uint64(0xD1342543DE82EF95)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@nb.njit(nogil=True, cache=True)
def mix_all(seed, numbers, purpose):  # type: ignore[no-untyped-def]
    """Return :func:`mix` of each of ``numbers`` (int64 (n,)) as uint64 (n,)."""
    out = np.empty(len(numbers), np.uint64)
    for i in range(len(numbers)):
        out[i] = mix(seed, numbers[i], purpose)
    return out


@dataclass(frozen=True)
class Corpus:
    """Words of the given texts, and the segments and lengths of each pool of texts.

    Attributes:
        data: uint8, all words.
        word_at: int64 (n_words, 2), start and end of each word.
        segments: int64 (n_segments, 2), first word and number of words; grouped by pool.
        lengths: int64 (n_texts,), segments of each text; grouped by pool.
        pool_of: int64 (n_texts,).
        pool_segments: int64 (n_pools + 1,), where the segments of each pool begin.
    """

    data: np.ndarray
    word_at: np.ndarray
    segments: np.ndarray
    lengths: np.ndarray
    pool_of: np.ndarray
    pool_segments: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str] | pa.Table) -> "Corpus":
        """Cut texts (a table has ``text`` and perhaps ``language``) into words; addresses in them are dropped.

        Raises:
            ConfigError: no text has a word.
        """
        table = texts if isinstance(texts, pa.Table) else pa.table({"text": pa.array(texts, pa.string())})
        text = pc.replace_substring_regex(pc.fill_null(table.column("text"), ""), r"https?://\S+", "")
        pools = pc.cast(pc.match_substring_regex(text, r"\p{Cyrillic}"), pa.string())
        if "language" in table.column_names:
            pools = pc.coalesce(table.column("language"), pools)
        codes = _codes(pools)
        order = np.argsort(codes, kind="stable")
        offsets, data = utf8_buffers(text.take(pa.array(order)))
        word_at, text_words = _words(offsets, data)
        has_words = np.diff(text_words) > 0
        if not has_words.any():
            raise ConfigError("no words in the texts to make posts from")
        segments, lengths = _segments(text_words)
        pool_of = np.unique(codes[order][has_words], return_inverse=True)[1].astype(np.int64)
        lengths = lengths[has_words]
        ends = np.zeros(int(pool_of.max()) + 2, np.int64)
        np.add.at(ends, pool_of + 1, lengths)
        return cls(data, word_at, segments, lengths, pool_of, np.cumsum(ends))

    def write(self, numbers: np.ndarray, kinds: np.ndarray, edits: np.ndarray, seed: int) -> pa.Array:
        """Return the texts with these numbers.

        Args:
            numbers: int64 (n,), which text.
            kinds: int8 (n,), 0 a whole text, 1 a scrap of one to three words.
            edits: int64 (n,), 0 as it is, otherwise which edit of one to three words (fewer in short texts).
        """
        parts = (self.data, self.word_at, self.segments, self.lengths, self.pool_of, self.pool_segments)
        sizes = np.zeros(len(numbers) + 1, np.int64)
        _write_texts(*parts, numbers, kinds, edits, seed, sizes, np.zeros(0, np.uint8))
        offsets = np.cumsum(sizes)
        out = np.empty(int(offsets[-1]), np.uint8)
        _write_texts(*parts, numbers, kinds, edits, seed, offsets, out)
        return strings_from_buffers(offsets, out)


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    return column.combine_chunks().dictionary_encode().indices.to_numpy()


@nb.njit(nogil=True, cache=True)
def _words(offsets, data):  # type: ignore[no-untyped-def]
    """Return (start, end) of each run of bytes above space, and where the words of each text begin."""
    n = 0
    inside = False
    for i in range(len(offsets) - 1):
        for at in range(offsets[i], offsets[i + 1]):
            if data[at] > 32 and not inside:
                n += 1
            inside = data[at] > 32
        inside = False
    words = np.empty((n, 2), np.int64)
    first = np.zeros(len(offsets), np.int64)
    n = 0
    for i in range(len(offsets) - 1):
        inside = False
        for at in range(offsets[i], offsets[i + 1]):
            if data[at] > 32:
                if not inside:
                    words[n, 0] = at
                    n += 1
                words[n - 1, 1] = at + 1
                inside = True
            else:
                inside = False
        first[i + 1] = n
    return words, first


def _segments(text_words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (first word, words) of each segment and the segments of each text."""
    counts = np.diff(text_words)
    lengths = -(-counts // SEGMENT_WORDS)
    text_of = np.repeat(np.arange(len(counts)), lengths)
    nth = np.arange(len(text_of)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    first = text_words[text_of] + nth * SEGMENT_WORDS
    size = np.minimum(SEGMENT_WORDS, text_words[text_of + 1] - first)
    return np.stack([first, size], axis=1), lengths


@nb.njit(nogil=True, cache=True)
def _compose(segments, lengths, pool_of, pool_segments, number, kind, edit, seed, out):  # type: ignore[no-untyped-def]
    """Write the word numbers of one text to ``out``; return how many."""
    text = np.int64(mix(seed, number, 11) % np.uint64(len(lengths)))
    pool = pool_of[text]
    begin, size = pool_segments[pool], pool_segments[pool + 1] - pool_segments[pool]
    # one segment alone would often be drawn twice
    n_segments = min(max(lengths[text], 2), _MAX_SEGMENTS)
    n = 0
    if kind == 1:
        segment = begin + np.int64(mix(seed, number, 12) % np.uint64(size))
        for k in range(min(segments[segment, 1], 1 + np.int64(mix(seed, number, 13) % np.uint64(3)))):
            out[n] = segments[segment, 0] + k
            n += 1
        return n
    for s in range(n_segments):
        segment = begin + np.int64(mix(seed, number * 64 + s, 14) % np.uint64(size))
        for k in range(segments[segment, 1]):
            out[n] = segments[segment, 0] + k
            n += 1
    if edit:
        for e in range(1 + np.int64(mix(seed, edit, 15) % np.uint64(min(3, 1 + n // 12)))):
            how = mix(seed, edit * 4 + e, 16)
            at = np.int64((how >> np.uint64(8)) % np.uint64(n))
            other = begin + np.int64((how >> np.uint64(24)) % np.uint64(size))
            if how % np.uint64(3) == 0 and n > 3:
                for k in range(at, n - 1):
                    out[k] = out[k + 1]
                n -= 1
            elif how % np.uint64(3) == 1:
                for k in range(n, at, -1):
                    out[k] = out[k - 1]
                out[at] = segments[other, 0]
                n += 1
            else:
                out[at] = segments[other, 0]
    return n


@nb.njit(nogil=True, cache=True)
def _write_texts(  # type: ignore[no-untyped-def]
    data, word_at, segments, lengths, pool_of, pool_segments, numbers, kinds, edits, seed, offsets, out
):
    """Write sizes to ``offsets[1:]`` when ``out`` is empty, else the texts to ``out`` at ``offsets``."""
    words = np.empty(_MAX_SEGMENTS * SEGMENT_WORDS + 4, np.int64)
    measuring = len(out) == 0
    for i in range(len(numbers)):
        n = _compose(segments, lengths, pool_of, pool_segments, numbers[i], kinds[i], edits[i], seed, words)
        at = 0 if measuring else offsets[i]
        for k in range(n):
            if k:
                if not measuring:
                    out[at] = 32
                at += 1
            start, end = word_at[words[k], 0], word_at[words[k], 1]
            if not measuring:
                for b in range(start, end):
                    out[at + b - start] = data[b]
            at += end - start
        if measuring:
            offsets[i + 1] = at

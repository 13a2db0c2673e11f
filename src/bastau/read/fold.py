"""Folding: title and text brought to the one form in which texts are compared and matched.

Lower case, compatibility forms resolved, decorations and invisible characters gone, everything that is no
letter or digit a single space; links, handles, repost marks, tags and entities reduced. Letters are never
swapped for look-alikes: that would corrupt Kazakh і and һ.
"""

from dataclasses import dataclass
from typing import ClassVar

import numba as nb
import numpy as np
import pyarrow as pa

from bastau.hashing import hash_strings
from bastau.read.addresses import extends_word, handle_end, is_alnum, link_end, link_start, repost_mark_start
from bastau.read.characters import DROP, MARK, SEQUENCE, TABLE_SIZE, TAGS_END, TAGS_START, character_table
from bastau.read.markup import entities, read_entity, read_tag, tags
from bastau.schemas import FOLDED, POSTS
from bastau.settings import Narratives
from bastau.tables import append_columns, strings_from_buffers, utf8_buffers
from bastau.utf8 import char_at, put_char


@nb.njit(nogil=True, cache=True)
def _cut_to(out, base, j):  # type: ignore[no-untyped-def]
    """Return ``j`` without a space left hanging before it."""
    return j - 1 if j > base and out[j - 1] == 32 else j


@nb.njit(nogil=True, cache=True)
def fold_span(data, start, end, base, j, table, markup, out, origins):  # type: ignore[no-untyped-def]
    """Fold ``data[start:end]`` behind ``out[base:j]`` and return the new ``j``.

    ``origins`` is empty, or as long as ``out``: then each written byte gets the index in ``data`` it came from.
    """
    action, sequence_starts, sequence_chars, pair_keys, pair_chars = table
    entity_names, entity_chars, tag_names, tag_inline = markup
    tracing = len(origins) > 0
    gap = True  # a space is due before the next letter
    in_word = False  # the character just read belongs to a word
    last_at = -1  # where the letter just written begins, for a mark that may follow
    last_cp = np.int64(0)
    floor = i = start
    while i < end:
        b = data[i]
        at = i
        cp = np.int64(b)
        i += 1
        if b >= 0x80:
            cp, i = char_at(data, at, end)
        elif not is_alnum(b):
            if b in (58, 46):  # ":" "."
                first = link_start(data, floor, at, end)
                if first >= 0:
                    # Its letters are written already: one byte each, and a space where the host has a hyphen
                    # or the link begins a word.
                    for k in range(at - 1, first - 1, -1):
                        if is_alnum(data[k]):
                            j = _cut_to(out, base, j - 1)
                    floor = i = link_end(data, at + 1, end, action)
                    gap, in_word, last_at = True, False, -1
                    continue
            elif b == 64 and not in_word:  # "@"
                after = handle_end(data, at, end)
                if after > i:
                    if repost_mark_start(data, floor, at) >= 0:
                        j = _cut_to(out, base, j - 2)
                    floor = i = after
                    gap, last_at = True, -1
                    continue
            elif b == 38:  # "&"
                entity, i = read_entity(data, at, end, entity_names, entity_chars)
                if entity >= 0:
                    cp = np.int64(entity)
                    floor = i
            elif b == 60:  # "<"
                kind, i = read_tag(data, at, end, tag_names, tag_inline)
                if kind >= 0:
                    floor = i
                    in_word = False
                    if kind == 0:
                        gap, last_at = True, -1
                    continue
            elif b in (42, 95, 124, 126) and i < end and data[i] == b:  # ** __ || ~~
                while i < end and data[i] == b:
                    i += 1
                in_word = False
                if i - at > 2:
                    gap, last_at = True, -1
                continue
        if cp >= TABLE_SIZE:
            in_word = False
            if not TAGS_START <= cp < TAGS_END:
                gap, last_at = True, -1
            continue
        what = np.int64(action[cp])
        in_word = extends_word(cp, action)
        if what == 0:
            gap, last_at = True, -1
        elif what == MARK:
            if last_at >= 0:
                pair = np.searchsorted(pair_keys, last_cp << 21 | cp)
                if pair < len(pair_keys) and pair_keys[pair] == last_cp << 21 | cp:
                    last_cp = np.int64(pair_chars[pair])
                    j = put_char(out, last_at, last_cp)
                    if tracing:
                        origins[last_at:j] = origins[last_at]
        elif what != DROP:
            n, first_char = 1, np.int64(0)
            if what <= SEQUENCE:
                first_char = sequence_starts[SEQUENCE - what]
                n = sequence_starts[SEQUENCE - what + 1] - first_char
            for k in range(n):
                letter = np.int64(sequence_chars[first_char + k]) if what <= SEQUENCE else what
                if letter == 0:
                    gap, last_at = True, -1
                    continue
                if gap and j > base:
                    out[j] = 32
                    if tracing:
                        origins[j] = at
                    j += 1
                gap = False
                last_at, last_cp = j, letter
                j = put_char(out, j, letter)
                if tracing:
                    origins[last_at:j] = at
    return j


@nb.njit(nogil=True, cache=True)
def _count(out, start, end):  # type: ignore[no-untyped-def]
    """Return (words, letters and digits) of the folded ``out[start:end]``."""
    chars = spaces = 0
    for i in range(start, end):
        chars += (out[i] & 0xC0) != 0x80
        spaces += out[i] == 32
    return (spaces + 1 if end > start else 0), chars - spaces


@nb.njit(nogil=True, cache=True)
def _fold_rows(titles, texts, table, markup, growth):  # type: ignore[no-untyped-def]
    title_offsets, title_data = titles
    text_offsets, text_data = texts
    n_rows = len(text_offsets) - 1
    longest = 0
    for row in range(n_rows):
        size = title_offsets[row + 1] - title_offsets[row] + text_offsets[row + 1] - text_offsets[row]
        longest = max(longest, size)
    total = text_offsets[-1] - text_offsets[0] + title_offsets[-1] - title_offsets[0]
    out = np.empty(total + growth * longest + n_rows + 8, np.uint8)
    offsets = np.zeros(n_rows + 1, np.int64)
    n_words = np.zeros(n_rows, np.int32)
    n_chars = np.zeros(n_rows, np.int64)
    no_origins = np.empty(0, np.int64)
    j = 0
    for row in range(n_rows):
        size = title_offsets[row + 1] - title_offsets[row] + text_offsets[row + 1] - text_offsets[row]
        if j + growth * size + 8 > len(out):  # only when rare characters grew the text (one can become 18)
            wider = np.empty(max(2 * len(out), j + growth * size + 8), np.uint8)
            wider[:j] = out[:j]
            out = wider
        base = j
        j = fold_span(title_data, title_offsets[row], title_offsets[row + 1], base, j, table, markup, out, no_origins)
        j = fold_span(text_data, text_offsets[row], text_offsets[row + 1], base, j, table, markup, out, no_origins)
        offsets[row + 1] = j
        n_words[row], n_chars[row] = _count(out, base, j)
    return offsets, out[:j].copy(), n_words, n_chars


def kernel_tables() -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], int]:
    """Return what :func:`fold_span` takes (characters, markup), and the bytes that one byte can grow to at most."""
    table = character_table()
    characters = (
        table.action, table.sequence_starts, table.sequence_chars, table.pair_keys, table.pair_chars,
    )  # fmt: skip
    return characters, (*entities(), *tags()), table.growth


def fold_strings(
    texts: pa.Array | pa.ChunkedArray, titles: pa.Array | pa.ChunkedArray | None = None
) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """Fold each title and text into one string.

    Returns:
        folded (string, never null), words in each (int32), letters and digits in each (int64).
    """
    if titles is None:
        titles = pa.nulls(len(texts), pa.string())
    offsets, data, n_words, n_chars = _fold_rows(utf8_buffers(titles), utf8_buffers(texts), *kernel_tables())
    return strings_from_buffers(offsets, data), n_words, n_chars


def fold_with_offsets(text: str) -> tuple[str, np.ndarray]:
    """Fold one text and say where each folded character came from.

    Returns:
        folded, and int32 (len(folded),): the index in ``text`` of the character that each folded character
        came from, never falling. A space points at the character after the gap. To show folded[a:b] in the
        original, mark ``text[origin[a] : origin[b - 1] + 1]``.
    """
    raw = text.encode()
    data = np.frombuffer(raw, np.uint8)
    table, markup, growth = kernel_tables()
    out = np.empty(growth * len(raw) + 8, np.uint8)
    origins = np.zeros(len(out), np.int64)
    size = fold_span(data, 0, len(raw), 0, 0, table, markup, out, origins)
    char_of_byte = np.cumsum((data & 0xC0) != 0x80) - 1
    starts = (out[:size] & 0xC0) != 0x80
    return out[:size].tobytes().decode(), char_of_byte[origins[:size][starts]].astype(np.int32)


@dataclass(frozen=True)
class Fold:
    """Add the folded form of title and text, its number of words and its key.

    Args:
        min_chars: folded texts with fewer letters and digits get no key: too short to compare.
    """

    min_chars: int = Narratives().min_chars

    needs: ClassVar[pa.Schema] = pa.schema([POSTS.field("title"), POSTS.field("text")])
    adds: ClassVar[pa.Schema] = FOLDED

    def run(self, posts: pa.Table) -> pa.Table:
        """Return ``posts`` (n rows, any order) with the columns of FOLDED."""
        folded, n_words, n_chars = fold_strings(posts.column("text"), posts.column("title"))
        text_key = pa.array(hash_strings(folded), mask=n_chars < self.min_chars)
        return append_columns(posts, {"folded": folded, "n_words": pa.array(n_words), "text_key": text_key}, self.adds)

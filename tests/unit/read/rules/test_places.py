"""Where the kernel parts sentences and clauses, against the words as the slow look reads them."""

import itertools

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from bastau.read.fold import kernel_tables
from bastau.read.rules import frames, screen
from bastau.read.rules.places import MAX_BYTES, find_places, marks
from bastau.read.rules.tokens import MAX_CHARS, read_text
from bastau.tables import utf8_buffers

_PIECES = st.sampled_from(
    ["kill", "the", "сотты", "№5", "1", "12", "é", "ﬁn", "a.b", "https://x.kz/a", "@who", "&amp;", "<b>", "-", " - ", "— ", ".", "...", "…",
     "?", "!", ",", ":", ": ", ";", "(", ")", "«", "»", "“", "”", "„", '"', "'", "’", "\n", "\r\n", " ", "  ", "\u00a0", "\u3000", "•", "/", "|",
     "🔥", "\u200d", "؟", "。"]
)  # fmt: skip
TEXTS = st.lists(_PIECES, max_size=30).map("".join)


def places_of(title: str, text: str) -> tuple[np.ndarray, ...]:
    """Return sentences, clauses, opens and joined of each word."""
    characters, markup, growth = kernel_tables()
    fields = [(data, offsets[0], offsets[1]) for offsets, data in (utf8_buffers(pa.array([t])) for t in (title, text))]
    size = growth * (len(title.encode()) + len(text.encode())) + 16
    kept = np.empty(500, np.int32), np.empty(500, np.int32), np.empty(500, np.bool_), np.empty(500, np.bool_)
    scratch = np.empty(size, np.uint8), np.empty(size, np.int64)
    n = find_places(*fields, (characters, markup, marks()), *scratch, *kept)
    return tuple(array[:n] for array in kept)


def breaks(numbers) -> list[bool]:
    """Return for each word but the first whether another number begins there."""
    return [a != b for a, b in itertools.pairwise(numbers)]


@given(TEXTS, TEXTS)
def test_sentences_are_those_of_the_slow_look_and_clauses_part_at_most_there(title, text):
    document = read_text(title, text)
    sentences, clauses, opens, joined = places_of(title, text)
    assert len(sentences) == len(document.words)
    assert breaks(sentences.tolist()) == breaks(document.sentences)
    for surely, truly, perhaps in zip(
        breaks(clauses.tolist()), breaks(document.clauses), opens[1:].tolist(), strict=True
    ):
        assert surely <= truly <= perhaps
    assert set(np.flatnonzero(joined).tolist()) == document.joined


def test_a_clause_that_only_a_quotation_decides_may_part():
    _, clauses, opens, _ = places_of("", 'the "rebels" attack, and go')
    assert breaks(clauses.tolist()) == [False, False, True, False]
    assert opens.tolist() == [True, True, True, True, False]


def test_places_that_do_not_fit_are_told():
    characters, markup, growth = kernel_tables()
    offsets, data = utf8_buffers(pa.array(["a b c"]))
    few = np.empty(2, np.int32), np.empty(2, np.int32), np.empty(2, np.bool_), np.empty(2, np.bool_)
    scratch = np.empty(99 * growth, np.uint8), np.empty(99 * growth, np.int64)
    nothing = (data, offsets[0], offsets[0])
    assert find_places(nothing, (data, 0, 5), (characters, markup, marks()), *scratch, *few) == -1


def test_bounds_that_kernels_have_as_constants_are_those_of_the_slow_look():
    assert MAX_BYTES <= MAX_CHARS
    assert screen._OPENERS == frames._MAX_OPENERS

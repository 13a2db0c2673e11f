"""The index of words finds what reading through the texts finds."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from bastau.report.word_index import make_part, posts_with

WORDS = st.text("аәбab1", min_size=1, max_size=4)
TEXTS = st.lists(st.lists(WORDS, max_size=6).map(" ".join), max_size=30)


def read_through(texts: list[str], words: list[str]) -> list[int]:
    return [key for key, text in enumerate(texts) if all(f" {word}" in text or text.startswith(word) for word in words)]


@given(texts=TEXTS, words=st.lists(WORDS, min_size=1, max_size=3), cut=st.integers(0, 30))
def test_the_index_finds_what_reading_through_finds(texts, words, cut):
    keys = np.arange(len(texts))
    column = pa.array(texts, pa.string())
    parts = [make_part(keys[:cut], column[:cut]), make_part(keys[cut:], pa.chunked_array([column[cut:]]))]
    assert posts_with(parts, words).tolist() == read_through(texts, words)


def test_more_words_than_the_table_begins_with():
    texts = [f"w{i} w{i // 2}" for i in range(20_000)]
    part = make_part(np.arange(len(texts)), pa.array(texts))
    assert posts_with([part], ["w9999"]).tolist() == read_through(texts, ["w9999"])
    assert len(posts_with([part], ["w"])) == 20_000
    assert posts_with([part], ["x"]).tolist() == []
    assert part.words.to_pylist() == sorted({word.encode() for text in texts for word in text.split()})


def test_no_posts():
    assert posts_with([], ["w"]).tolist() == []
    assert posts_with([make_part(np.empty(0, np.int64), pa.array([], pa.string()))], ["w"]).tolist() == []

"""The quick look for disguised words against the look at every chunk."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from mini import mini_finder

from bastau.read.rules.hiding import Hiding
from bastau.read.unmask import hidden_word
from bastau.read.unmask_chunks import odd_chunks

USE = mini_finder()
_PIECES = st.sampled_from(
    ["kill", "k1ll", "gu4rds", "убивайте", "у", "б", "е", "й", "сор", "судью", "Ооо", "aaa", "www", "а", "k", "i", "l", "1", "20", "$", "@", "#", "*", "**",
     "_", "-", ".", ",", "'", "’", "(", "[", "https://", "t.me/", "й", "™", "№", "🔥", "\ufe0f", "\u202e", "\u0301", "\u200b", "ａ", "𝐤", "𠀀", "ə", "қ",
     " ", " ", " ", "\n", "\u00a0"]
)  # fmt: skip
TEXTS = st.lists(_PIECES, max_size=16).map("".join)


@settings(max_examples=300)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_the_quick_look_says_what_the_look_at_every_chunk_says(texts):
    chosen = np.ones(len(texts), np.bool_)
    assert USE.hiding.find(pa.array(texts), chosen).tolist() == [USE.hiding.hides(text) for text in texts]


@settings(max_examples=500)
@given(st.lists(_PIECES.filter(lambda p: not p.isspace()), min_size=1, max_size=6).map("".join))
def test_a_chunk_that_is_not_odd_hides_nothing(text):
    states, chunks, _ = odd_chunks(pa.array([text]), np.ones(1, np.bool_))
    is_address = "@" in text or "https://" in text  # names are not written out
    if not len(chunks) and states[0] == 0 and not is_address:
        assert not any(hidden_word(text, script, USE.pack.known) for script in ("cyrl", "latn"))


def test_only_chosen_texts_are_looked_at():
    texts = pa.array(["k1ll", "k1ll", None])
    assert USE.hiding.find(texts, np.array([True, False, True])).tolist() == [True, False, False]


def test_a_word_of_look_alikes_only_may_hide_one():
    hiding = Hiding(frozenset({"attack"}), "attack".__eq__)
    texts = ["аттаск the camp", "(Аттаск!) the camp", "тот сам", "attack", "атаки-то"]
    expected = [True, True, False, False, False]
    assert hiding.find(pa.array(texts), np.ones(len(texts), np.bool_)).tolist() == expected
    assert [hiding.hides(text) for text in texts] == expected

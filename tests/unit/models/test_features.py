from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from bastau.models.features import MAX_GRAM_CHARS, ngram_rows, reading_fingerprint
from bastau.read.fold import fold_strings

MASK = 2**64 - 1
BASE = 0x9E3779B97F4A7C15
WORD = 0xD6E8FEB86659FD93


def mix(h: int) -> int:
    h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9 & MASK
    h = (h ^ h >> 27) * 0x94D049BB133111EB & MASK
    return h ^ h >> 31


def polynomial(start: int, values: list[int]) -> int:
    for value in values:
        start = (start * BASE + value) & MASK
    return start


def obvious(text: str, bits: int) -> list[int]:
    """The columns of a folded text, as the module says them in words."""
    columns = []
    words = text.split()
    for word in words:
        padded = f" {word} "
        for n in range(2, MAX_GRAM_CHARS + 1):
            grams = [padded[k : k + n] for k in range(len(padded) - n + 1)]
            columns += [mix(polynomial(1, [ord(c) for c in gram])) for gram in grams]
        columns.append(mix(polynomial(WORD, [ord(c) for c in word])))
    hashes = [mix(polynomial(WORD, [ord(c) for c in word])) for word in words]
    columns += [mix((a * BASE + b) & MASK) for a, b in pairwise(hashes)]
    return sorted(column >> (64 - bits) for column in columns)


def fold(texts: pa.Array) -> pa.Array:
    return fold_strings(texts)[0]


@given(st.lists(st.text(), max_size=5))
def test_the_kernel_gives_the_ngrams_of_the_obvious_version(texts: list[str]) -> None:
    folded = fold(pa.array(texts, pa.string()))
    indptr, columns = ngram_rows(folded, 18)
    for i, text in enumerate(folded.to_pylist()):
        assert sorted(columns[indptr[i] : indptr[i + 1]].tolist()) == obvious(text, 18)


def test_a_text_without_words_has_no_ngrams() -> None:
    indptr, columns = ngram_rows(pa.array(["", None, "a"]), 18)
    assert indptr.tolist() == [0, 0, 0, 4]
    assert len(columns) == 4  # " a", "a ", " a " and the word


def test_another_folding_has_another_fingerprint() -> None:
    assert reading_fingerprint(fold) == reading_fingerprint(fold)
    assert reading_fingerprint(fold) != reading_fingerprint(lambda texts: texts)

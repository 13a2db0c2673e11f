import pyarrow as pa

from bastau.models.features import ngrams_of, reading_fingerprint
from bastau.read.fold import fold_strings


def fold(texts: pa.Array) -> pa.Array:
    return fold_strings(texts)[0]


def test_a_text_without_words_has_no_ngrams() -> None:
    indptr, _, counts = ngrams_of(18).features(pa.array(["", None, "a"]))
    assert indptr.tolist() == [0, 0, 0, 4]
    assert counts.sum() == 4  # " a", "a ", " a " and the word


def test_another_folding_has_another_fingerprint() -> None:
    assert reading_fingerprint(fold) == reading_fingerprint(fold)
    assert reading_fingerprint(fold) != reading_fingerprint(lambda texts: texts)


def test_handles_and_links_are_no_features() -> None:
    plain, named = (fold(pa.array([text])) for text in ("жаңа мектеп", "@qanat жаңа мектеп https://t.me/qanat/5"))
    for one, other in zip(ngrams_of().features(plain), ngrams_of().features(named), strict=True):
        assert one.tolist() == other.tolist()

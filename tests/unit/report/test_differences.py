from hypothesis import given
from hypothesis import strategies as st

from bastau.report.differences import MOST_TOKENS, Piece, differences

TEXTS = st.text(alphabet="аб ә1.\n", max_size=60)


def joined(pieces: tuple[Piece, ...], *kinds: str) -> str:
    return "".join(piece.text for piece in pieces if piece.kind in kinds)


def test_a_changed_word_is_marked_and_its_neighbours_are_not() -> None:
    assert differences("отключат воду на три дня", "отключат воду на пять дней") == (
        Piece("same", "отключат воду на "),
        Piece("removed", "три"),
        Piece("added", "пять"),
        Piece("same", " "),
        Piece("removed", "дня"),
        Piece("added", "дней"),
    )


def test_equal_texts_have_one_piece() -> None:
    assert differences("бір сөз", "бір сөз") == (Piece("same", "бір сөз"),)


def test_long_texts_are_compared_up_to_a_bound() -> None:
    assert len(joined(differences("а " * 5000, "а " * 5000), "same").split()) == MOST_TOKENS / 2


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_back(before: str, after: str) -> None:
    pieces = differences(before, after)
    assert joined(pieces, "same", "added") == after
    assert joined(pieces, "same", "removed") == before

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastau.evaluate.near_duplicates import evaluate, find_all_pairs
from bastau.narratives.membership import STATE_POSTS
from bastau.narratives.update import STATE_TEXTS, State
from bastau.schemas import MEMBERS, TEXT_PAIRS

SENTENCE = "the new bridge over the river will be opened before the end of this summer"
TEXTS = [SENTENCE, SENTENCE + " ok", SENTENCE + " now", "prices of bread and milk went up again after the dry spring"]


def grams(text: str) -> set[str]:
    return {text[i : i + 5] for i in range(max(1, len(text) - 4))}


def similarity(a: str, b: str) -> float:
    return len(grams(a) & grams(b)) / len(grams(a) | grams(b))


@given(st.lists(st.text("ab ", min_size=1, max_size=14), max_size=25), st.sampled_from([0.3, 0.5, 0.7, 1.0]))
def test_all_pairs_are_what_comparing_all_sets_gives(texts, floor):
    expected = [
        [i, j] for i in range(len(texts)) for j in range(i + 1, len(texts)) if similarity(texts[i], texts[j]) >= floor
    ]
    assert find_all_pairs(pa.array(texts, pa.string()), floor).tolist() == expected


def grouping(pairs: list[tuple[int, int]], clusters: list[int], posts: list[int]) -> tuple[State, pa.Table]:
    """Return a state with texts 0 .. 3 in ``clusters``, ``posts`` posts of each, and verified ``pairs``."""
    texts = [
        dict.fromkeys(STATE_TEXTS.names, 0) | {"text_key": key, "bands": bytes(64), "cluster": cluster}
        for key, cluster in enumerate(clusters)
    ]
    texts_of_posts = np.repeat(np.arange(len(posts)), posts).tolist()
    members = [
        dict.fromkeys(MEMBERS.names) | {"post_key": i, "text_key": key, "narrative_key": clusters[key]}
        for i, key in enumerate(texts_of_posts)
    ]
    state = State(
        pa.Table.from_pylist(texts, schema=STATE_TEXTS),
        pa.Table.from_pylist([{"text_a": a, "text_b": b, "similarity": 0.9} for a, b in pairs], schema=TEXT_PAIRS),
        pa.Table.from_pylist(members, schema=MEMBERS),
        STATE_POSTS.empty_table(),
    )
    return state, pa.table({"text_key": texts_of_posts, "folded": [TEXTS[key] for key in texts_of_posts]})


def test_a_right_grouping_scores_one_everywhere():
    figures = evaluate(*grouping([(0, 1), (0, 2), (1, 2)], [0, 0, 0, 3], [2, 1, 1, 3]), similarity=0.7)
    assert (figures.n_posts, figures.n_texts, figures.n_true_pairs) == (7, 4, 3)
    # 1 + 3 pairs of equal texts, 2 + 2 + 1 of near-duplicates
    assert figures.n_true_post_pairs == 9
    for kind in ("pair", "post_pair", "narrative_text", "narrative"):
        assert getattr(figures, f"{kind}_precision") == getattr(figures, f"{kind}_recall") == 1.0
    assert figures.largest is not None
    assert (figures.largest.narrative_key, figures.largest.n_posts, figures.largest.n_texts) == (0, 4, 3)
    assert figures.largest.min_similarity == pytest.approx(similarity(TEXTS[1], TEXTS[2]))


def test_missed_and_wrong_pairs_cost_recall_and_precision():
    # (0, 1) is found, (0, 2) and (1, 2) are missed, (0, 3) is wrong; text 3 is in the narrative of 0 and 1.
    figures = evaluate(*grouping([(0, 1), (0, 3)], [0, 0, 2, 0], [2, 1, 1, 1]), similarity=0.7)
    assert (figures.pair_precision, figures.pair_recall) == (1 / 2, 1 / 3)
    # posts: 1 pair of equal texts; found 2 right and 2 wrong; missed 2 + 1
    assert (figures.post_pair_precision, figures.post_pair_recall) == (3 / 5, 3 / 6)
    assert (figures.narrative_text_precision, figures.narrative_text_recall) == (1 / 3, 1 / 3)
    assert (figures.narrative_precision, figures.narrative_recall) == (3 / 6, 3 / 6)


def test_nothing_to_find_and_nothing_found_is_right():
    figures = evaluate(*grouping([], [], []), similarity=0.7)
    assert (figures.n_posts, figures.pair_precision, figures.pair_recall, figures.largest) == (0, 1.0, 1.0, None)

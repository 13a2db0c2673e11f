import numpy as np

from bastau.models.embeddings import rank_by_examples


def unit(rows: list[list[float]]) -> np.ndarray:
    vectors = np.array(rows, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_text_is_ranked_by_its_nearest_examples_and_shows_one() -> None:
    examples = unit([[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0, 1, 0.1]])
    is_positive = np.array([True, True, False, False])
    scores, nearest = rank_by_examples(unit([[1, 0.1, 0], [0, 1, 0]]), examples, is_positive, k=2)
    np.testing.assert_allclose(scores, [1, 0])
    assert nearest.tolist() == [1, 2]


def test_a_text_without_a_vector_has_no_rank() -> None:
    vectors = np.full((2, 3), np.nan, np.float32)
    vectors[1] = unit([[1, 1, 1]])
    scores, nearest = rank_by_examples(vectors, unit([[1, 0, 0]]), np.array([True]), k=10)
    assert np.isnan(scores[0])
    assert nearest.tolist() == [-1, 0]
    scores, _ = rank_by_examples(np.zeros((2, 0), np.float32), np.zeros((1, 0), np.float32), np.array([True]))
    assert np.isnan(scores).all()


def test_many_texts_are_ranked_like_one_by_one() -> None:
    dice = np.random.default_rng(2)
    vectors, examples = (unit(dice.normal(size=(n, 8)).tolist()) for n in (2100, 50))
    is_positive = dice.random(50) < 0.5
    together, _ = rank_by_examples(vectors, examples, is_positive)
    alone = [rank_by_examples(vectors[i : i + 1], examples, is_positive)[0][0] for i in range(0, 2100, 100)]
    np.testing.assert_allclose(together[::100], alone, rtol=1e-5)

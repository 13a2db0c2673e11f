from pathlib import Path

import numpy as np
import pytest

from bastau.errors import InputError
from bastau.evaluate.grouping import adjusted_rand, b_cubed, compare, evaluate_grouping, read_texts


def sets(*labels: str) -> list[frozenset[str]]:
    return [frozenset(label) for label in labels]


def plain_b_cubed(labels: list[frozenset[str]], groups: list[int]) -> tuple[float, float]:
    n = range(len(labels))
    precision = [[min(len(labels[i] & labels[j]), 1) / 1 for j in n if groups[i] == groups[j]] for i in n]
    recall = [
        [
            min(len(labels[i] & labels[j]), groups[i] == groups[j]) / len(labels[i] & labels[j])
            for j in n
            if labels[i] & labels[j]
        ]
        for i in n
    ]
    return tuple(float(np.mean([np.mean(one) for one in part])) for part in (precision, recall))


def test_b_cubed_is_that_of_the_definition() -> None:
    dice = np.random.default_rng(1)
    for _ in range(5):
        labels = [frozenset(dice.choice(list("abcd"), dice.integers(1, 3), replace=False)) for _ in range(12)]
        groups = dice.integers(0, 4, 12)
        assert b_cubed(labels, groups) == pytest.approx(plain_b_cubed(labels, groups.tolist()))


def test_b_cubed_of_the_example_in_the_literature() -> None:
    # Amigo et al. 2009: two groups of aab and bb, each post counted.
    precision, recall = b_cubed(sets("a", "a", "b", "b", "b"), np.array([0, 0, 0, 1, 1]))
    assert precision == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1) / 5)
    assert recall == pytest.approx((1 + 1 + 1 / 3 + 2 / 3 + 2 / 3) / 5)


def test_the_rand_index_is_one_for_equal_and_about_none_for_unrelated_groups() -> None:
    assert adjusted_rand(list("aabbc"), np.array([5, 5, 7, 7, 9])) == 1.0
    assert adjusted_rand(list("abababab"), np.array([0, 0, 1, 1, 2, 2, 3, 3])) < 0.01
    # Hubert and Arabie 1985: (2 - 4 * 4 / 15) / (4 - 4 * 4 / 15) for two groupings of six.
    assert adjusted_rand(list("aaabbc"), np.array([0, 0, 1, 1, 2, 2])) == pytest.approx(
        (1 - 4 * 3 / 15) / ((4 + 3) / 2 - 4 * 3 / 15)
    )


def test_texts_that_are_alone_are_left_out_where_singletons_are_dropped() -> None:
    figures = compare(sets("a", "a", "x", "y"), np.array([0, 0, 1, 1]))
    assert figures.b_cubed_precision == 0.75
    assert figures.dropped_b_cubed_precision == 1.0


def test_a_file_is_grouped_as_a_run_groups_posts(tmp_path: Path) -> None:
    flood = "heavy rain flooded the old bridge in aktobe on monday night forty families moved to the school"
    near = "forty families moved to the school after heavy rain flooded the old bridge in aktobe"
    path = tmp_path / "texts.csv"
    rows = [
        ("1", flood, "flood"),
        ("2", flood + " gym", "flood"),
        ("3", near, "flood"),
        ("4", "a library opens a new room for children", "library"),
    ]
    path.write_text("id,text,label\n" + "".join(f"{i},{t},{label}\n" for i, t, label in rows), "utf-8")
    answer, lines = evaluate_grouping(path)
    assert answer["narratives"]["n_groups"] == 3
    assert answer["stories"]["n_groups"] == 2
    assert answer["stories"]["b_cubed_f1"] == answer["stories"]["ari"] == 1.0
    assert "samples-F1" not in answer
    assert any("average linkage" in line for line in lines)


def test_several_labels_give_samples_f1(tmp_path: Path) -> None:
    path = tmp_path / "texts.ndjson"
    lines = [
        f'{{"id": "{k}", "text": "{text} number {k}", "label": {label}}}'
        for k, (text, label) in enumerate(
            [
                ("the army crossed the border at night", '["war", "border"]'),
                ("glaciers melt in warm winters", '["climate"]'),
            ]
            * 12
        )
    ]
    path.write_text("\n".join(lines), "utf-8")
    answer, _ = evaluate_grouping(path)
    assert answer["samples-F1"]["learned"] == 1.0
    assert answer["samples-F1"]["most frequent label"] < 0.7
    assert answer["stories"]["ari"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,text,label\n1,a b c,x\n1,d e f,y\n", "'1' is there twice"),
        ("id,text,label,published_at\n1,a b c,x,yesterday\n", "no RFC 3339 time"),
        ("id,text\n1,a\n", "label"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=said):
        read_texts(path)

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "read"))

from known_samples import TEXT, a_list, pdq

from bastau.errors import InputError
from bastau.evaluate.known import evaluate_known
from bastau.read.known_index import index_of

LISTS = index_of(
    [
        a_list("main", ("t", "text", TEXT), ("u", "url", "https://t.me/listed"), ("p", "pdq", pdq(1))),
        a_list("second", ("s", "sha256", "ab" * 32)),
        a_list("news", ("n", "pdq", pdq(1)), is_negative=True),
    ]
)


def figures(tmp_path, *rows):
    path = tmp_path / "rows.ndjson"
    path.write_text("".join(json.dumps({"id": str(at), **row}) + "\n" for at, row in enumerate(rows)))
    return evaluate_known(path, LISTS)


def test_what_is_found_missed_and_wrong_is_counted_by_what_carried_it(tmp_path):
    answer, lines = figures(
        tmp_path,
        {"text": f"{TEXT} https://t.me/listed/3", "expected": "t; main/u"},
        {"text": "басқа мәтін", "expected": "t"},
        {"text": TEXT},
        {"url": "https://t.me/listed", "expected": "u"},
        {"sha256": "AB" * 32, "expected": "second/s"},
        {"text": "бейтарап сөздер"},
    )
    every = answer["by_carrier"]["all"]
    assert (every["n_expected"], every["n_found"], every["n_matches"], every["n_false_rows"]) == (5, 4, 5, 1)
    assert (every["recall"], every["precision"]) == (0.8, 0.8)
    assert answer["by_carrier"]["url"]["recall"] == 1
    assert (answer["missed"], answer["wrong"]) == (["1"], ["2"])
    assert "expected and not found: 1" in lines


def test_matches_that_are_held_back_are_never_false(tmp_path):
    every = figures(tmp_path, {"pdq": pdq(1)}, {"pdq": pdq(1), "expected": "p"})[0]["by_carrier"]["all"]
    assert (every["n_false_rows"], every["n_held_back"], every["recall"]) == (0, 4, 1)
    assert every["precision"] is None


def test_a_file_without_anything_to_look_up_is_refused(tmp_path):
    with pytest.raises(InputError, match="look up"):
        figures(tmp_path, {"expected": "t"})

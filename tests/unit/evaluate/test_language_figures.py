import json
from pathlib import Path

import pytest

from bastau.errors import InputError
from bastau.evaluate.language import evaluate_language
from bastau.read.language_figures import compare

SENTENCES = {
    "kk": "Бүгін қалада жаңа мектеп ашылды, балалар қуанып жатыр",
    "ru": "Сегодня в городе открылась новая школа, дети рады",
}


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_right_answers_give_full_marks(tmp_path: Path) -> None:
    file = write(tmp_path / "f.ndjson", [{"text": text, "language": tag} for tag, text in SENTENCES.items()])
    answer, lines = evaluate_language(file)
    assert answer["macro_f1"] == answer["accuracy"] == 1.0
    assert answer["script_accuracy"] is None
    assert answer["neighbours"] == {"kk": {"kk": 1}}
    assert "macro-F1 1.000" in lines[0]


def test_a_script_is_taken_from_its_column_or_from_the_language(tmp_path: Path) -> None:
    rows = [
        {"text": SENTENCES["kk"], "language": "kk-Cyrl"},
        {"text": SENTENCES["ru"], "language": "ru", "script": "Latn"},
    ]
    answer, _ = evaluate_language(write(tmp_path / "f.ndjson", rows))
    assert answer["script_accuracy"] == 0.5
    assert set(answer["languages"]) == {"kk", "ru"}


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"text": "бар", "language": "qazaqsha"}, "language"),
        ({"text": "бар", "language": "kk", "script": "Kazakh"}, "script"),
        ({"text": "бар"}, "language"),
    ],
)
def test_a_wrong_row_is_refused_with_file_line_and_field(tmp_path: Path, row: dict[str, str], field: str) -> None:
    good = {"text": SENTENCES["kk"], "language": "kk"}
    file = write(tmp_path / "f.ndjson", [good, row])
    with pytest.raises(InputError, match=rf"f\.ndjson: line 2[,:].*{field}|f\.ndjson: line 2, {field}"):
        evaluate_language(file)


def test_languages_that_the_model_never_names_are_said(tmp_path: Path) -> None:
    answer, lines = evaluate_language(write(tmp_path / "f.ndjson", [{"text": "tere tulemast", "language": "et"}]))
    assert answer["unknown_languages"] == ["et"]
    assert any("et" in line and "never" in line for line in lines)


def test_pairs_are_wrong_in_one_figure_and_half_right_in_the_other() -> None:
    figures = compare(["kk", "kk", "ky", "ky"], ["kk", "kk|ky", "ky", "kk|tt"], [0.99, 0.6, 0.99, 0.6])
    assert (figures.pairs_right, figures.pairs_wrong) == (1, 1)
    assert figures.languages["kk"] == {"n_texts": 2, "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3)}
    assert figures.macro_f1_pairs_half == pytest.approx((0.75 + 2 / 3) / 2)
    assert figures.neighbours == {"kk": {"kk": 1, "a pair": 1}, "ky": {"a pair": 1, "ky": 1}}
    assert figures.score_bands == [(0.5, 0.7, 2, 0.5), (0.99, 1.0, 2, 1.0)]


def test_und_counts_against_recall_only() -> None:
    figures = compare(["kk", "kk"], ["kk", "und"], [0.9, 0.2])
    assert figures.languages["kk"]["precision"] == 1.0
    assert figures.languages["kk"]["recall"] == 0.5
    assert figures.und_share == 0.5

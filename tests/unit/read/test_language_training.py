import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from bastau.errors import InputError
from bastau.read.fold import fold_strings
from bastau.read.language import DetectLanguage
from bastau.read.language_model import language_model, load_model, save_model
from bastau.read.language_training import TrainingPlan, read_rows, train_language
from bastau.read.language_variants import SPELLINGS

NOW = datetime(2026, 11, 27, tzinfo=UTC)
SMALL = TrainingPlan(n_texts=20_000)
SENTENCES = Path(__file__).parents[2] / "data" / "language" / "own_sentences.tsv"


def rows_file(path: Path, *rows: tuple[str, ...], header: str = "language\tscript\ttext") -> Path:
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    rows = [tuple(line.split("\t")) for line in lines if line.startswith(("kk\tCyrl", "ru\tCyrl", "tr\t", "en\t"))]
    rows_file(folder / "rows.tsv", *rows)
    (folder / "sources.json").write_text(json.dumps({"rows.tsv": {"licence": "ours"}}), encoding="utf-8")
    train_language([folder], folder / "model.npz", seed=1, now=NOW, plan=SMALL)
    return folder


def detect(path: Path, *texts: str) -> list[str]:
    folded = fold_strings(pa.array(texts))[0]
    stage = DetectLanguage(model=load_model(path))
    return stage.run(pa.table({"folded": folded})).column("detected_language").to_pylist()  # type: ignore[no-any-return]


def test_a_model_tells_apart_what_its_rows_hold(trained: Path) -> None:
    found = detect(
        trained / "model.npz",
        "Қазақ тілін үйрену үшін күн сайын кітап оқимыз",
        "Каждый день мы читаем новые книги о городе",
        "buğın qalada jaña mektep aşyldy dep aytty",
        "every day we read new books about the city",
    )
    assert found == ["kk", "ru", "kk", "en"]


def test_the_same_rows_and_seed_give_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    train_language([trained / "rows.tsv"], tmp_path / "again.npz", seed=1, now=NOW, plan=SMALL)
    assert (tmp_path / "again.npz").read_bytes() == (trained / "model.npz").read_bytes()


def test_the_card_names_sources_with_licences_and_figures(trained: Path) -> None:
    card = json.loads((trained / "model.json").read_text(encoding="utf-8"))
    assert card["sources"]["rows.tsv"]["licence"] == "ours"
    assert card["sources"]["rows.tsv"]["rows"] > 50
    assert card["made"] == "2026-11-27"
    assert set(card["held_out"]) == {"whole", "three_words", "one_word"}
    assert card["languages"]["Cyrl"] == ["kk", "ru", "und"]


@pytest.mark.parametrize(
    ("row", "header", "said"),
    [
        (("Kazakh", "Cyrl", "бар"), "language\tscript\ttext", "line 3: language: 'Kazakh'"),
        (("kk", "cyrillic", "бар"), "language\tscript\ttext", "line 3: script: 'cyrillic'"),
        (("kk", "Cyrl", ""), "language\tscript\ttext", "line 3: text"),
        (("kk", "Cyrl", "бар", "many"), "language\tscript\ttext\tweight", "line 3: weight: 'many'"),
        (("kk", "Cyrl", "бар", "-1"), "language\tscript\ttext\tweight", "line 3: weight: '-1'"),
        (("kk", "Cyrl"), "language\tscript", "line 1: no column 'text'"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_field(
    tmp_path: Path, row: tuple[str, ...], header: str, said: str
) -> None:
    good = ("ru", "Cyrl", "есть", "1")[: len(header.split("\t"))]
    file = rows_file(tmp_path / "rows.tsv", good, row, header=header)
    with pytest.raises(InputError, match=rf"rows\.tsv: {said}"):
        read_rows([file])


def test_an_empty_folder_and_a_missing_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \.tsv"):
        read_rows([tmp_path])
    with pytest.raises(InputError, match="cannot be read"):
        read_rows([tmp_path / "none.tsv"])


def test_one_language_alone_cannot_be_told_apart(tmp_path: Path) -> None:
    file = rows_file(tmp_path / "rows.tsv", ("ru", "Cyrl", "есть"), ("ru", "Cyrl", "нет"))
    with pytest.raises(InputError, match="two languages"):
        train_language([file], tmp_path / "m.npz", seed=1, now=NOW, plan=SMALL)


def test_a_model_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    save_model(language_model(), tmp_path / "copy.npz")
    copy = load_model(tmp_path / "copy.npz")
    assert copy.languages == language_model().languages
    assert all(np.array_equal(a, b) for a, b in zip(copy.arrays(), language_model().arrays(), strict=True))


def test_files_that_are_no_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello", encoding="utf-8")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    for name in ("text.npz", "other.npz", "none.npz"):
        with pytest.raises(InputError, match=name):
            load_model(tmp_path / name)


def test_a_model_whose_tables_are_cut_short_is_refused(trained: Path, tmp_path: Path) -> None:
    with np.load(trained / "model.npz") as found:
        arrays = dict(found)
    np.savez(tmp_path / "short.npz", **arrays | {"weights": arrays["weights"][:1000]})
    with pytest.raises(InputError, match="damaged"):
        load_model(tmp_path / "short.npz")


def test_a_model_of_another_version_is_refused(trained: Path, tmp_path: Path) -> None:
    with np.load(trained / "model.npz") as found:
        arrays = dict(found)
    header = json.loads(arrays["header"].tobytes()) | {"format": 99}
    np.savez(tmp_path / "next.npz", **arrays | {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)})
    with pytest.raises(InputError, match="another version"):
        load_model(tmp_path / "next.npz")


def test_kazakh_is_spelled_in_every_alphabet_that_people_use() -> None:
    spelled = {f"{script} {spell('қарттың үйіне')}" for script, spell, _ in SPELLINGS["kk", "Cyrl"]}
    assert {"Cyrl карттын уйине", "Latn qarttyñ üiıne", "Latn karttyn uyine", "Arab قارتتىڭ ۇيىنە"} <= spelled


def test_own_letters_of_a_row_without_weights_count_once(tmp_path: Path) -> None:
    frame = read_rows([rows_file(tmp_path / "rows.tsv", ("kk", "Cyrl", "бар"), ("ru", "Cyrl", "есть"))])
    assert frame.select(pl.col("weight").sum()).item() == 2.0
    assert frame["source"].unique().to_list() == ["rows.tsv"]

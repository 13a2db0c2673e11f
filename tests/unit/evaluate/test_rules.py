import pytest

from bastau.errors import ConfigError
from bastau.evaluate.rules import cells, read_texts, report
from bastau.intervals import wilson
from bastau.read.rules.suite import SuiteText

TEXTS = [
    SuiteText("a", "", "kk", "news", "protected"),
    SuiteText("b", "", "kk", "news", "protected"),
    SuiteText("c", "", "ru", "news", "protected"),
    SuiteText("d", "", "ru", "incite", "flag"),
]


def test_wilson_bounds_match_the_textbook():
    low, high = wilson(20, 20)
    assert (round(low, 3), high) == (0.839, 1.0)
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_flag_on_a_protected_text_and_a_missed_call_are_both_wrong():
    found = cells(TEXTS, [True, False, False, False])
    assert [(c.language, c.category, c.n_right, c.n, c.missed) for c in found] == [
        ("ru", "incite", 0, 1, ("d",)),
        ("kk", "news", 1, 2, ("a",)),
        ("ru", "news", 1, 1, ()),
    ]


def test_the_report_counts_and_names_ids_only():
    answer, lines = report(TEXTS, cells(TEXTS, [True, False, False, False]))
    assert answer["protected_total"]["n_right"] == 2
    assert answer["flag_by_language"] == {"ru": 0.0}
    assert answer["missed"] == ["d", "a"]
    assert lines[-1] == "treated wrongly: d, a"


def test_labels_and_columns_are_checked(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("id,text,language,category,label\n1,hello,en,news,maybe\n")
    with pytest.raises(ConfigError, match=r"line 2, label: 'maybe'; flag or protected"):
        read_texts(path)
    path.write_text("id,language\n1,en\n")
    with pytest.raises(ConfigError, match="line 2, text: missing"):
        read_texts(path)


def test_csv_and_ndjson_hold_the_same(tmp_path):
    csv_file, ndjson = tmp_path / "x.csv", tmp_path / "x.ndjson"
    csv_file.write_text("id,text,language,category,label\n1,hello,en,news,protected\n")
    ndjson.write_text('{"id":1,"text":"hello","language":"en","category":"news","label":"protected"}\n')
    assert read_texts(csv_file) == read_texts(ndjson)

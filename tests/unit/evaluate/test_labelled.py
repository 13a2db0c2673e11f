import gzip
from pathlib import Path

import pytest

from bastau.errors import InputError
from bastau.evaluate.labelled import read_labelled


def _file(folder: Path, content: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_csv_and_ndjson_with_the_same_rows_read_alike(tmp_path: Path) -> None:
    table = _file(tmp_path, 'id,text,label\n1,"сөз, екі",flag\n2,слово,protected\n')
    lines = _file(
        tmp_path,
        '{"id": "1", "text": "сөз, екі", "label": "flag"}\n\n{"id": "2", "text": "слово", "label": "protected"}\n',
        "r.ndjson",
    )
    assert read_labelled(table, ["id", "text", "label"]) == read_labelled(lines, ["id", "text", "label"])


def test_a_missing_optional_column_is_empty(tmp_path: Path) -> None:
    assert read_labelled(_file(tmp_path, "text;id\nsöz;1\n"), ["text"], ["script"]) == [{"text": "söz", "script": ""}]


def test_a_byte_order_mark_and_gzip_are_read(tmp_path: Path) -> None:
    packed = gzip.compress("\ufefftext,label\nсөз,kk\n".encode())
    assert read_labelled(_file(tmp_path, packed, "rows.csv.gz"), ["text", "label"]) == [{"text": "сөз", "label": "kk"}]


def test_a_quoted_text_may_span_lines(tmp_path: Path) -> None:
    rows = read_labelled(_file(tmp_path, 'text,label\n"a\nb",x\nc,y\n'), ["text", "label"])
    assert [row["text"] for row in rows] == ["a\nb", "c"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("id,text\n1,\n", "line 2, text: missing"),
        ("id,text\n1,a\n2,b,c\n", "line 3: has 3 cells"),
        ('{"text": "a"}\n{"text": \n', "line 2: not valid JSON"),
        ('{"text": "a"}\n[1]\n', "line 2: not a JSON object"),
        ("", "neither NDJSON nor a CSV"),
        ("id,label\n1,x\n", "text: missing"),
        ("id,text\n", "holds no rows"),
        (b"id,text\n1,\xff\xfe\n", "not UTF-8"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, content: str | bytes, says: str) -> None:
    path = _file(tmp_path, content)
    with pytest.raises(InputError, match=r"rows\.csv") as error:
        read_labelled(path, ["text"])
    assert says in str(error.value)


def test_many_problems_are_counted_not_listed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="and 15 more"):
        read_labelled(_file(tmp_path, "id,text\n" + "1,\n" * 20), ["text"])


def test_a_missing_file_and_a_torn_gzip_are_the_users(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", _file(tmp_path, gzip.compress(b"text\n" * 999)[:-20], "torn.csv.gz")):
        with pytest.raises(InputError, match="cannot be read"):
            read_labelled(path, ["text"])

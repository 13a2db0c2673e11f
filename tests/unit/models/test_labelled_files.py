import gzip
from pathlib import Path

import pytest

from bastau.errors import ConfigError, InputError
from bastau.models import labelled as module
from bastau.models.labelled import Columns, is_about_people, read_labelled


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text,label,language\n"a, b",flag,kk\nc,protected,\n'),
        ("a.tsv", "text\tlabel\tlanguage\na, b\tflag\tkk\nc\tprotected\t\n"),
        ("a.ndjson", '{"text":"a, b","label":"flag","language":"kk"}\n\n{"text":"c","label":"protected"}\n'),
        ("a.csv.gz", gzip.compress(b'\xef\xbb\xbftext,label,language\n"a, b",flag,kk\nc,protected,\n')),
    ],
)
def test_every_form_gives_the_same_texts(tmp_path: Path, name: str, content: str | bytes) -> None:
    read = read_labelled(write(tmp_path, name, content), Columns())
    assert (read.texts, read.labels, read.languages) == (["a, b", "c"], ["flag", "protected"], ["kk", ""])


def test_rows_without_text_or_label_are_counted(tmp_path: Path) -> None:
    content = '{"text":" ","label":"a"}\n{"text":"b"}\n{"text":["c"],"label":"a"}\n{"text":"d","label":0}\n{"text":"e","label":true}\n'
    read = read_labelled(write(tmp_path, "a.ndjson", content), Columns())
    assert read.labels == ["0", "true"]
    assert read.skipped == {"without text": 2, "without label": 1}


@pytest.mark.parametrize("name", ["author", "source_name", "userId", "Author", "posted_by_user"])
def test_a_column_about_people_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "a.csv", f"text,{name}\na,b\n")
    for columns in (Columns(label=name), Columns(text=name), Columns(group=name)):
        with pytest.raises(ConfigError, match="about who wrote"):
            read_labelled(path, columns)


def test_ordinary_names_are_not_about_people() -> None:
    assert not any(map(is_about_people, ["text", "label", "tweet", "EXTREMIST", "category", "resource", "sourdough"]))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"text,label\n\xff\xfe\n", "UTF-8"),
        ("a.csv", b"", "no labelled text"),
        ("a.csv", "body,label\na,b\n", "no column 'text'"),
        ("a.ndjson", "{}\n[1]\n", "line 2"),
        ("a.ndjson", "prose", "line 1"),
        ("a.csv", "text,label\n" + "x" * 200_000 + ",a\n", "after line 1"),
        ("a.parquet", b"PAR1", "labelled texts come as"),
        ("a.csv.gz", gzip.compress(b"text,label\n" * 99)[:-20], "packing is broken"),
    ],
)
def test_a_broken_file_is_named_with_what_to_do(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_labelled(write(tmp_path, name, content), Columns())


def test_a_packed_bomb_stops_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 1 << 20)
    path = write(tmp_path, "a.csv.gz", gzip.compress(b"text,label\n" + b"a" * (20 << 20)))
    with pytest.raises(InputError, match="more than 1 MiB"):
        read_labelled(path, Columns())


def test_columns_that_are_not_named_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label,language,group\na,b,kk,news\n")
    read = read_labelled(path, Columns(language=None, group=None))
    assert (read.languages, read.groups) == ([""], [""])
    read = read_labelled(path, Columns())
    assert (read.languages, read.groups) == (["kk"], ["news"])


def test_ids_are_no_groups(tmp_path: Path) -> None:
    rows = "".join(f"t{i},a,g{i}\n" for i in range(60))
    with pytest.raises(ConfigError, match="60 values"):
        read_labelled(write(tmp_path, "a.csv", "text,label,group\n" + rows), Columns())


def test_no_error_repeats_the_words_of_a_text(tmp_path: Path) -> None:
    for name, content in (("a.ndjson", '{"text": "құпия сөз"'), ("a.csv", 'text,label\n"құпия сөз' + "x" * 200_000)):
        with pytest.raises(InputError) as caught:
            read_labelled(write(tmp_path, name, content), Columns())
        assert "құпия" not in str(caught.value)

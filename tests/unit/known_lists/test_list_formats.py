import gzip

import pytest

from bastau.errors import ConfigError, InputError
from bastau.known_lists.formats import MAX_LINE_BYTES, ListedItem, format_items, read_list, recognise

A, B, P = "a" * 64, "b" * 32, "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
WORDS = "мына сөздер тізімде тұрған ұзын мәтіннің басы ғана"


def read(tmp_path, content, name="list.txt", **options):
    """Return (format, items, counts of rejects, first lines of rejects)."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    format_, items, rejects = read_list(path, **options)
    return format_, list(items), dict(rejects.counts), rejects.lines


def test_lines_are_guessed_one_by_one(tmp_path):
    content = f"# note\n{A}\n\n{B.upper()}\nhttps://site.kz/a\nt.me/x\njust words\n{'a' * 10}\n"
    format_, items, counts, lines = read(tmp_path, content)
    assert format_ == "lines"
    assert items == [
        ListedItem("sha256", A), ListedItem("md5", B), ListedItem("url", "https://site.kz/a"), ListedItem("url", "t.me/x")
    ]  # fmt: skip
    assert counts == {"unknown_signal": 2}
    assert lines == {"unknown_signal": [7, 8]}


def test_a_signal_that_is_said_counts_for_every_line(tmp_path):
    _, items, counts, _ = read(tmp_path, f"{P}\n{B}\n{'0' * 64}\n", signal="pdq")
    assert items == [ListedItem("pdq", P)]
    assert counts == {"bad_pdq": 1, "plain_picture": 1}


def test_hashes_of_no_bytes_are_rejected(tmp_path):
    content = "d41d8cd98f00b204e9800998ecf8427e\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
    assert read(tmp_path, content)[1:3] == ([], {"empty_file": 2})


def test_pytx_files_say_the_signal_in_front(tmp_path):
    content = f"pdq {P}\nvideo_md5 {B}\nurl ftp://site.kz/a\nraw_text {WORDS}\ntext_tlsh T1AB\nurl https://site.kz/c\n"
    format_, items, counts, _ = read(tmp_path, content)
    assert format_ == "pytx"
    assert [item.signal for item in items] == ["pdq", "md5", "text", "url"]
    assert counts == {"bad_url": 1, "unknown_signal": 1}


def test_tables_are_read_by_the_names_of_their_columns(tmp_path):
    content = f"signal_type;value;id;deleted;note\nsha256;{A};7;no;first\npdq;{P};8;true;\nmd5;zz;9;;\n;{B};;;\nx;y;z;a;b;c;d\n"
    format_, items, counts, lines = read(tmp_path, content, "list.csv")
    assert format_ == "csv"
    assert items == [
        ListedItem("sha256", A, "7", False, "first"), ListedItem("pdq", P, "8", True), ListedItem("md5", B)
    ]  # fmt: skip
    assert counts == {"bad_md5": 1, "too_many_cells": 1}
    assert lines == {"bad_md5": [4], "too_many_cells": [6]}


def test_a_table_may_have_a_column_for_each_hash(tmp_path):
    _, items, _, _ = read(tmp_path, f"sha256,md5,pdq\n{A},{B},\n,,{P}\n", "hashes.csv")
    assert [item.signal for item in items] == ["sha256", "md5", "pdq"]


def test_of_tcap_exports_only_what_is_verified_counts(tmp_path):
    content = (
        "ID,URL,Platform,Terrorist Group,Verified,Created On\n"
        '1,https://files.example/a,files.example,"Group, the",Yes,2026-01-01\n'
        "2,https://files.example/b,files.example,Group,No,2026-01-01\n"
        "3,https://t.me/,telegram,Group,Yes,2026-01-01\n"
        "4,,telegram,Group,Yes,2026-01-01\n"
    )
    format_, items, counts, _ = read(tmp_path, content, "tcap.csv")
    assert format_ == "tcap"
    assert items == [ListedItem("url", "https://files.example/a", "1", False, "Group, the, files.example")]
    assert counts == {"not_verified": 1, "too_broad": 1, "no_value": 1}


def test_json_lines_carry_texts_and_deletions(tmp_path):
    content = (
        f'{{"signal_type": "text", "value": "{WORDS}", "id": 1}}\n{{"signal": "md5", "value": "{B}", "deleted": true}}\n'
        '{"signal": "md5"}\n[1]\n{"value": "x"}\nnot json\n' + "[" * 100_000 + "\n"
    )
    format_, items, counts, _ = read(tmp_path, content, "l.ndjson")
    assert format_ == "ndjson"
    assert items == [ListedItem("text", WORDS, "1"), ListedItem("md5", B, None, True)]
    assert sum(counts.values()) == 5


def test_a_vpdq_file_is_one_video(tmp_path):
    _, items, _, _ = read(tmp_path, f"0,100,{P},0.000\n30,20,{A},1.000\n", "clip.txt")
    assert items == [ListedItem("vpdq", f"0,100,{P},0.000;30,20,{A},1.000", "clip")]


def test_texts_that_anybody_may_write_are_too_short(tmp_path):
    assert read(tmp_path, f"Аллаһу әкбар\n{WORDS}\n", signal="text")[2] == {"too_short": 1}


def test_junk_is_counted_and_the_rest_is_read(tmp_path):
    content = (
        b"\xff\xfe\x00\n"
        + b"x" * (3 * MAX_LINE_BYTES)
        + b"\n"
        + b"\x00" * 64
        + b"\n"
        + A.encode()
        + b"\r\n"
        + b"<html>"
    )
    _, items, counts, lines = read(tmp_path, content)
    assert items == [ListedItem("sha256", A)]
    assert counts == {"bad_utf8": 1, "too_long": 1, "unknown_signal": 2}
    assert lines["too_long"] == [2]


def test_a_quote_that_never_closes_costs_its_row_and_ends(tmp_path):
    content = f'type,value\nmd5,{B}\nmd5,"{"x" * (3 << 20)}\nmd5,{B}\n'
    _, items, counts, _ = read(tmp_path, content, "l.csv")
    assert items[0] == ListedItem("md5", B)
    assert counts["bad_csv"] >= 1


def test_packed_lists_are_unpacked_on_the_way_and_torn_ones_are_told(tmp_path):
    packed = gzip.compress(f"{A}\n".encode() * 10)
    assert len(read(tmp_path, packed, "l.txt.gz")[1]) == 10
    for torn in (packed[: len(packed) // 2], b"no gzip"):
        with pytest.raises(InputError, match="unpacked"):
            read(tmp_path, torn, "t.txt.gz")


def test_an_empty_file_has_no_entries(tmp_path):
    assert read(tmp_path, b"")[1] == []


def test_unknown_formats_signals_and_files_are_the_users_error(tmp_path):
    with pytest.raises(ConfigError, match="format"):
        read(tmp_path, A, format_="xls")
    with pytest.raises(ConfigError, match="signal"):
        read(tmp_path, A, signal="tlsh")
    with pytest.raises(ConfigError, match="cannot be read"):
        recognise(tmp_path / "none")


@pytest.mark.parametrize("format_", ["lines", "pytx", "csv", "ndjson"])
def test_what_is_written_is_read_again(tmp_path, format_):
    items = [
        ListedItem("sha256", A, "1"), ListedItem("md5", B, "2"), ListedItem("url", "https://site.kz/a,b;c", "3"),
        ListedItem("pdq", P, "4", False, 'quoted "note"'), ListedItem("text", WORDS, "5"),
    ]  # fmt: skip
    if format_ == "lines":
        items = items[:3]
    (tmp_path / "out").write_text("".join(format_items(format_, items)))
    _, read_again, rejects = read_list(tmp_path / "out", format_=format_)
    got = list(read_again)
    assert [item[:2] for item in got] == [item[:2] for item in items]
    if format_ in ("csv", "ndjson"):
        assert got == items
    assert not rejects.counts


def test_deleted_entries_leave_only_in_formats_that_can_say_so():
    gone = [ListedItem("md5", B, "1", True)]
    assert "".join(format_items("lines", gone)) == "".join(format_items("pytx", gone)) == ""
    assert "true" in "".join(format_items("csv", gone))
    with pytest.raises(ConfigError):
        list(format_items("tcap", gone))

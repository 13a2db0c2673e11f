import contextlib
import io
import json
from pathlib import Path

import pytest
from review_cases import NOON, desk_with_entry, opened

from bastau.chain import Chain, digest
from bastau.cli import main
from bastau.review.log import Book, publish, record


def bastau(*arguments: str | Path) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main([*map(str, arguments)])
    return code, out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "log.ndjson"
    lines = desk_with_entry().lines
    path.write_bytes(b"".join(_bytes(line) for line in lines))
    return path


def _bytes(line: dict) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def test_a_whole_log_is_whole(file: Path) -> None:
    code, said = bastau("log", "verify", file)
    assert code == 0
    assert "3 acts on 1 cases" in said
    assert "whole: nothing was edited" in said


def test_an_edited_one_is_not_and_the_act_is_named(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"kill people", b"greet people", 1))
    code, said = bastau("log", "verify", file, "--json")
    assert code == 1
    assert [(f["code"], f["act"]) for f in json.loads(said)["findings"]] == [("edited", 2)]


def test_a_cut_end_shows_against_a_head(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    head = json.loads(lines[-1])["hash"]
    assert bastau("log", "verify", file, "--head", head)[0] == 0
    file.write_bytes(b"".join(lines[:-1]))
    assert bastau("log", "verify", file)[0] == 0
    assert bastau("log", "verify", file, "--head", head)[0] == 1


@pytest.mark.parametrize(
    "stamped",
    [
        {},
        {"n": [1]},
        {"kind": "rfc3161", "of": 1, "head": "a" * 64, "sha256": "a" * 64, "by": "x", "file": "/dev/zero"},
        {"kind": "rfc3161", "of": 1, "head": "zz", "sha256": "a" * 64, "by": "x", "file": "00000004.tsr"},
    ],
)
def test_a_forged_act_of_stamping_is_told_and_opens_no_other_file(file: Path, stamped: dict) -> None:
    lines = list(map(json.loads, file.read_bytes().splitlines()))
    forged = {"act": "stamped", "at": lines[-1]["at"], "n": 4, "previous": lines[-1]["hash"], **stamped}
    file.write_bytes(file.read_bytes() + _bytes({**forged, "hash": digest(forged)}))
    code, said = bastau("log", "verify", file, "--json")
    assert code == 1
    assert [(f["code"], f["act"]) for f in json.loads(said)["findings"]] in ([("bad_stamp", 4)], [("unreadable", 4)])


def test_a_crash_while_writing_leaves_the_acts_before_it(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b'{"act":"with')
    code, said = bastau("log", "verify", file, "--json")
    told = json.loads(said)
    assert (code, told["n_acts"], [f["code"] for f in told["findings"]]) == (1, 3, ["unfinished"])


@pytest.mark.parametrize("content", [b"{}\n", b"[]\n", b'{"act":"opened","n":1,"hash":""}\n'])
def test_a_file_that_is_no_log_has_no_report_and_crashes_nothing(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    code, said = bastau("log", "report", file)
    assert (code, "unexpected" in said) in ((1, False), (2, False))
    assert bastau("log", "report", file.parent)[0] == 2


@pytest.mark.parametrize("damage", [b"nonsense\n", b'{"act":"opened"', b"\n"])
def test_damage_is_told_and_crashes_nothing(file: Path, damage: bytes) -> None:
    file.write_bytes(file.read_bytes() + damage)
    code, said = bastau("log", "verify", file)
    assert (code, "NOT whole" in said) == (1, True)


def test_by_default_it_is_the_homes(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    assert bastau("log", "verify", "--home", tmp_path / "home")[0] == 2
    record(Chain(tmp_path / "home" / "review", "log.ndjson"), Book(), opened(), NOON)
    assert bastau("log", "verify", "--home", tmp_path / "home")[0] == 0


def test_the_report_of_the_published_log_is_that_of_the_log(file: Path, tmp_path: Path) -> None:
    published = tmp_path / "published.ndjson"
    published.write_bytes(b"".join(_bytes(line) for line in publish(desk_with_entry().lines, b"k" * 32)))
    said = [bastau("log", "report", path, "--from", "2026-11-01", "--to", "2026-12-01") for path in (file, published)]
    assert said[0] == said[1]
    assert said[0][0] == 0
    assert "decisions.by_act.incite,1,,," in said[0][1]

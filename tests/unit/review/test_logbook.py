import contextlib
import io
import json
from pathlib import Path

import pytest
from review_cases import NOON, desk_with_entry, opened

from bastau.chain import Chain
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

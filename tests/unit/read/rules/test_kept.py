from collections.abc import Iterator
from pathlib import Path

import pytest

from bastau.read.rules import kept as module
from bastau.read.rules.documents import RuleFile
from bastau.read.rules.kept import keep_compiled, kept

FILES = (RuleFile("a.yaml", b"words"),)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = list(module._folder)
    keep_compiled(tmp_path / "cache")
    yield tmp_path / "cache"
    module._folder[:] = before


class Maker:
    def __init__(self) -> None:
        self.n_made = 0

    def __call__(self) -> list[int]:
        self.n_made += 1
        return [1, 2, 3]


def test_what_was_made_is_opened_the_next_time(folder: Path) -> None:
    make = Maker()
    assert kept(FILES, make) == kept(FILES, make) == [1, 2, 3]
    assert make.n_made == 1


def test_another_file_or_name_is_made_anew(folder: Path) -> None:
    make = Maker()
    for files in (FILES, (RuleFile("b.yaml", b"words"),), (RuleFile("a.yaml", b"word"),), (*FILES, *FILES)):
        kept(files, make)
    assert make.n_made == 4


@pytest.mark.parametrize("harm", ["torn", "others may write it", "not packed"])
def test_a_file_that_cannot_be_trusted_is_made_again(folder: Path, harm: str) -> None:
    make = Maker()
    kept(FILES, make)
    (path,) = folder.iterdir()
    if harm == "torn":
        path.write_bytes(path.read_bytes()[:-3])
    elif harm == "not packed":
        path.write_bytes(b"junk")
    else:
        path.chmod(0o622)
    assert kept(FILES, make) == [1, 2, 3]
    assert make.n_made == 2


def test_only_the_user_may_read_it_and_old_ones_go(folder: Path) -> None:
    for i in range(6):
        kept((RuleFile(f"{i}.yaml", b""),), Maker())
    assert len(list(folder.iterdir())) == 3
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    keep_compiled(tmp_path / "file" / "cache")
    assert kept(FILES, Maker()) == [1, 2, 3]

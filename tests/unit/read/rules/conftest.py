import pytest

from bastau.read.rules import Pack, load, rule_files, rules_folder
from bastau.read.rules.screen import Screen


@pytest.fixture(scope="session")
def pack() -> Pack:
    """The rules that come with bastau: data of the package, like its word lists."""
    return load(rule_files([rules_folder()]))


@pytest.fixture(scope="session")
def screen(pack: Pack) -> Screen:
    return Screen(pack)

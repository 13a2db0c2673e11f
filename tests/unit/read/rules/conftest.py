import pytest
from mini import mini_finder

from bastau.read.rules.finding import Finder


@pytest.fixture(scope="session")
def use() -> Finder:
    return mini_finder()

"""Test files have names of their own: pytest without packages imports one of two equal names only."""

from collections import Counter
from pathlib import Path


def test_no_two_test_files_have_the_same_name() -> None:
    names = Counter(
        path.name for path in Path(__file__).parents[1].rglob("test_*.py") if "node_modules" not in path.parts
    )
    assert [name for name, n in names.items() if n > 1] == []

"""What holds for every test."""

import gc
import os
from pathlib import Path

import hypothesis
import pytest

# The first call of a kernel compiles it, so a deadline would measure numba and not the code.
hypothesis.settings.register_profile("bastau", deadline=None)
hypothesis.settings.load_profile("bastau")

# Plans of relational steps are made of a million small objects: looking through them so often is 7 % of the time.
gc.set_threshold(50_000, 20, 100)

os.environ["SPARK_CONF_DIR"] = str(Path(__file__).parent / "data" / "spark")

LONG = ("spark", "slow")
"""Marks of files that take minutes."""


@pytest.hookimpl
def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name bytes by their argument: packed ones hold the second of packing, and two workers must agree on every id."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first, so that no worker is left alone with one at the end."""
    long = {item.path for item in items if any(item.get_closest_marker(mark) for mark in LONG)}
    items.sort(key=lambda item: item.path not in long)

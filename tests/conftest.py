"""What holds for every test."""

import hypothesis
import pytest

# The first call of a kernel compiles it, so a deadline would measure numba and not the code.
hypothesis.settings.register_profile("bastau", deadline=None)
hypothesis.settings.load_profile("bastau")


@pytest.hookimpl
def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name bytes by their argument: packed ones hold the second of packing, and two workers must agree on every id."""
    return argname if isinstance(val, bytes) else None

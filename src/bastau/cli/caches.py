"""Where compiled kernels and compiled rules are kept."""

import os
from pathlib import Path


def keep_kernels() -> None:
    """Give numba a folder where it finds none: sources that may not be written, run by a user without a home folder.

    It would refuse to start. The kernels are then compiled for this process alone.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    beside = Path(__file__).parents[1] / "__pycache__"
    own = Path(os.environ.get("XDG_CACHE_HOME") or os.environ.get("HOME", "/") + "/.cache") / "numba"
    for folder in (beside, own):
        while not folder.exists():
            folder = folder.parent  # noqa: PLW2901 - the nearest that is there
        if os.access(folder, os.W_OK | os.X_OK):
            return
    import atexit
    import shutil
    import tempfile

    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="bastau-kernels-")
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)


def keep_rules() -> None:
    """Let compiled rules be kept in the user's cache folder."""
    from bastau.read.rules.kept import keep_compiled

    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("HOME", "/") + "/.cache"
    keep_compiled(Path(base) / "bastau")

"""Captures delivered by the Zeeschuimer browser extension, brought into the lake as an imported file would be."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from bastau.errors import BastauError, HomeBusy
from bastau.home import Home

WAIT_S = 600.0
"""How long a delivery waits for another process that writes to the home folder."""


def importer(
    home: Home,
    now: Callable[[], datetime],
    told: Callable[[str], None] = lambda _line: None,
    pause: Callable[[float], None] = time.sleep,
) -> Callable[[Path], tuple[int, str]]:
    """Return a function that imports one delivered file and returns (posts in it, what to say).

    Args:
        told: is given a line about each delivery, without words or names of posts.
        pause: waits for another process.
    """
    from bastau.intake import count_rejects, import_file

    def take(path: Path) -> tuple[int, str]:
        waited = 0.0
        while True:
            try:
                with home.locked():
                    report = import_file(home, path, now=now(), format="zeeschuimer")
                break
            except HomeBusy as error:
                if waited >= WAIT_S:
                    told(f"{path.name}: {error}")
                    return 0, "another bastau process keeps the home folder busy; send it again later"
                pause(1.0)
                waited += 1.0
            except BastauError as error:
                told(str(error))
                return 0, f"could not be imported: {error}"
            except Exception as error:
                # The thread of a delivery has nobody above it who would say so.
                told(f"{path.name}: unexpected {type(error).__name__}")
                return 0, f"could not be imported: {type(error).__name__}"
        n = report.n_posts + report.n_repeats
        reasons = ", ".join(f"{n} {reason}" for reason, n in count_rejects([report]).items())
        words = f"{report.n_posts} posts stored, {report.n_repeats} already there, {report.n_rejects} rejected"
        told(f"{path.name}: {words}" + (f" ({reasons})" if reasons else ""))
        return n, words

    return take

"""What is sent to us: captures of the Zeeschuimer browser extension, stored as an imported file would be, and pushes of hubs."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from bastau.collect.watching.websub import Callback, check_callback, keep_subscribed, serve_hubs
from bastau.errors import BastauError, ConfigError, HomeBusy
from bastau.home import Home
from bastau.watching import open_store

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


@contextlib.contextmanager
def open_hubs(home: Home, port: int, stop: threading.Event) -> Iterator[tuple[Callback, int]]:
    """Keep subscribed to the hubs that feeds name, and answer them on 127.0.0.1; yield the counts and the port.

    Args:
        stop: ends it; set when it cannot go on.

    Raises:
        ConfigError: the fetcher is not installed, or the settings do not fit.
    """
    try:
        from bastau.collect.web.fetching import open_web
    except ImportError as error:
        raise ConfigError("hubs need more libraries: pip install 'bastau[watch]'") from error
    allow_private = home.settings.network.allow_private
    address = check_callback(home.settings.watch.callback, allow_private=allow_private)

    async def work(callback: Callback) -> None:
        async with open_web(home.settings) as web:
            await keep_subscribed(callback.store, web, address, stop, allow_private=allow_private)

    with (
        open_store(home) as store,
        ThreadPoolExecutor(1) as threads,
        serve_hubs(callback := Callback(store), port) as server,
    ):
        working = threads.submit(lambda: asyncio.run(work(callback)))
        working.add_done_callback(lambda _: stop.set())
        try:
            yield callback, server.server_address[1]
        finally:
            stop.set()
        working.result()

"""Publishing while the workbench is served: a thread of its own, so that no page waits for it."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from django.db import connections

from bastau.errors import HomeBusy
from bastau.home import Home
from bastau.publishing import has_key, publish_due, trouble
from bastau.review.log import FOLDER, NAME
from bastau_web.workbench.appeal_words import erase_old

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 2.0
"""How often to look whether the log of review has grown, by whatever process."""
_AT_LEAST_EVERY_S, _IN_TROUBLE_EVERY_S = 300.0, 10.0
"""Looking verifies the whole log, so it is not done every moment."""
_DAY_S = 86_400.0
_LONGEST_END_S = 60.0
_wake, _asked = threading.Event(), threading.Event()


def publish_soon(*, asked: bool = False) -> None:
    """Have the thread look now; ``asked``: make a version even if nothing has changed."""
    if asked:
        _asked.set()
    _wake.set()


def start(home: Home) -> Callable[[], None]:
    """Start the thread; return what ends it, which waits for a publication that has begun."""
    stopping = threading.Event()
    thread = threading.Thread(target=_run, args=(home, stopping), name="publishing", daemon=True)
    thread.start()

    def stop() -> None:
        stopping.set()
        _wake.set()
        thread.join(timeout=_LONGEST_END_S)

    return stop


def _run(home: Home, stopping: threading.Event) -> None:
    seen: object = None
    looked_at = erased_at = float("-inf")
    while not stopping.is_set():
        now = time.monotonic()
        is_woken, is_asked = _wake.is_set(), _asked.is_set()
        _wake.clear()
        _asked.clear()
        try:
            state = _state(home)
            longest = _IN_TROUBLE_EVERY_S if trouble(home) else _AT_LEAST_EVERY_S
            if is_woken or state != seen or now - looked_at >= longest:
                seen, looked_at = state, now
                publish_due(home, datetime.now(UTC), asked=is_asked)
            if now - erased_at >= _DAY_S:
                erased_at = now
                _erase(home)
        except HomeBusy:
            seen = None
            if is_asked:
                _asked.set()
        except Exception:
            # The thread must outlive whatever this is: a retraction may be what it publishes next.
            _log.exception("the shield list was not looked after this time")
        _wake.wait(_LOOK_EVERY_S)


def _state(home: Home) -> object:
    path = home.folder / FOLDER / NAME
    stat = path.stat() if path.exists() else None
    return has_key(home), stat and (stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _erase(home: Home) -> None:
    try:
        if n := erase_old(datetime.now(UTC), home.settings.review.keep_appeal_days):
            _log.info("erased the words of %d appeals", n)
    finally:
        connections.close_all()

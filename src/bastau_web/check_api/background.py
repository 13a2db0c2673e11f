"""What goes on while the workbench is served: counts written, changes taken in, webhooks told."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import close_old_connections, connections

from bastau.home import Home
from bastau.publishing import handed_out, public_folder
from bastau.shield.commands import published
from bastau.shield.source import Document
from bastau_web.check_api.api import REPEATS_KEPT
from bastau_web.check_api.engine import the_engine
from bastau_web.check_api.models import Attempt, DayUse, usable_keys
from bastau_web.check_api.quotas import METER
from bastau_web.check_api.webhooks import announce, deliver_due, forget_old

_log = logging.getLogger(__name__)
_USE_KEPT = timedelta(days=400)


def start(home: Home) -> Callable[[], None]:
    """Start the threads; return what ends them, which writes the last counts."""
    stopping = threading.Event()
    watching = _Watching(home)
    acts: tuple[tuple[float, Callable[[], object]], ...] = (
        (1.0, METER.write),
        (2.0, watching.refresh),
        (2.0, watching.tell),
        (2.0, lambda: deliver_due(datetime.now(UTC))),
        (3600.0, _forget),
    )
    threads = [threading.Thread(target=_repeat, args=(*act, stopping), name="check-api", daemon=True) for act in acts]
    for thread in threads:
        thread.start()

    def stop() -> None:
        stopping.set()
        threads[0].join(timeout=5)
        _once(METER.write)

    return stop


def _repeat(every_s: float, act: Callable[[], object], stopping: threading.Event) -> None:
    while not stopping.is_set():
        _once(act)
        stopping.wait(every_s)
    connections.close_all()


def _once(act: Callable[[], object]) -> None:
    try:
        act()
    except Exception:
        # The thread must outlive whatever this is.
        _log.exception("the check API could not do what it does in the background")
    finally:
        close_old_connections()


class _Watching:
    """Looks for what has changed."""

    def __init__(self, home: Home):
        self.home = home
        self._seen: object = None

    def refresh(self) -> None:
        """Take in new rules, lists and fact-checks; nothing is opened where nobody has a key."""
        engine = the_engine()
        if engine.is_loaded or usable_keys(datetime.now(UTC)).exists():
            engine.refresh()

    def tell(self) -> None:
        """Announce a version that was published, by whatever process."""
        paths = (public_folder(self.home) / "list.json", self.home.folder / "shield" / "list.json")
        stats = [path.stat() for path in paths if path.exists()]
        state = [(stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats]
        if state != self._seen:
            document = newest(self.home)
            if document is not None:
                announce(document)
            self._seen = state


def newest(home: Home) -> Document | None:
    """Return the list that is handed out here or, where it is handed out elsewhere, was made last."""
    return handed_out(home) or published(home)


def _forget() -> None:
    now = datetime.now(UTC)
    Attempt.objects.filter(at__lt=now - REPEATS_KEPT).delete()
    DayUse.objects.filter(day__lt=(now - _USE_KEPT).date()).delete()
    forget_old(now)

"""Several commands of bastau at once, each a process of its own: started again when it dies, ended together."""

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

_log = logging.getLogger(__name__)
_PAUSES_S = (1.0, 2.0, 5.0, 15.0, 60.0)
"""How long to wait after one death, two in a row, ..."""
_WELL_AFTER_S = 60.0
_LOOK_EVERY_S = 5.0
_END_WITHIN_S = 60.0
"""A run that is writing is given time; what is cut off after that is found unfinished and done again."""
_YOURS = 2


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Part:
    """A command that is kept going.

    Attributes:
        name: what it is called in what is told.
        arguments: of `bastau`.
        every_s: seconds from its end to its next start, for one that ends by itself; None: it goes on for ever.
        may_start: asked before each start, every few seconds until it says yes.
        is_needed: without it there is no point in the others: a mistake that it finds at its first start ends all.
        is_quiet: its standard output is not shown.
    """

    name: str
    arguments: Sequence[str]
    every_s: float | None = None
    may_start: Callable[[], bool] = _always
    is_needed: bool = False
    is_quiet: bool = False


def supervise(
    parts: Sequence[Part], stop: threading.Event, say: Callable[[str], None], *, output: TextIO | None = None
) -> tuple[dict[str, int], int]:
    """Keep all parts going until ``stop`` is set; return how often each was started, and the exit code.

    Each has an end of a pipe as its standard input: when this process is killed the pipe closes, and the part ends too.
    """
    kept = [_Kept(part, stop, say, output) for part in parts]
    threads = [threading.Thread(target=one.keep, name=one.part.name) for one in kept]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # a wait without a limit would not let signals through
            thread.join(0.2)
    return {one.part.name: one.n_starts for one in kept}, max(one.code for one in kept)


class _Kept:
    """One part and its process."""

    def __init__(self, part: Part, stop: threading.Event, say: Callable[[str], None], output: TextIO | None):
        self.part, self.stop, self.say = part, stop, say
        self.output = subprocess.DEVNULL if part.is_quiet else output
        self.n_starts = self.code = 0

    def keep(self) -> None:
        """Start the part again and again."""
        n_deaths = 0
        while not self.stop.is_set():
            if not self._may_start():
                self.stop.wait(_LOOK_EVERY_S)
                continue
            began = time.monotonic()
            code = self._run()
            if self.stop.is_set():
                return
            if self.part.is_needed and self.n_starts == 1 and code == _YOURS:
                self.code = code  # it said what is wrong; it would be wrong the next time too
                self.stop.set()
                return
            if code == 0 and self.part.every_s is not None:
                n_deaths = 0
                self.stop.wait(self.part.every_s)
                continue
            n_deaths = 1 if time.monotonic() - began > _WELL_AFTER_S else n_deaths + 1
            pause_s = _PAUSES_S[min(n_deaths, len(_PAUSES_S)) - 1]
            if self.part.every_s is not None:
                pause_s = max(pause_s, self.part.every_s)
            self.say(f"{self.part.name} ended ({_how(code)}); it starts again in {pause_s:.0f} s")
            self.stop.wait(pause_s)

    def _may_start(self) -> bool:
        try:
            return self.part.may_start()
        except Exception as error:  # one that cannot be asked now is asked again
            _log.warning("%s waits: %s", self.part.name, error)
            return False

    def _run(self) -> int:
        self.n_starts += 1
        with subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, "-m", "bastau.supervised", *self.part.arguments],
            stdin=subprocess.PIPE,
            stdout=self.output,
            # Ctrl-C reaches this process only, which ends the parts in order.
            start_new_session=True,
        ) as process:
            while process.poll() is None and not self.stop.wait(0.2):
                pass
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(_END_WITHIN_S)
                except subprocess.TimeoutExpired:
                    process.kill()
            return process.wait()


def _how(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


@contextlib.contextmanager
def ending_with_parent() -> Iterator[None]:
    """Have this process end in order once its standard input closes, which it does when the supervisor is gone."""
    woken, wake = os.pipe()

    def watch() -> None:
        ready, _, _ = select.select([0, woken], [], [])
        if woken not in ready:
            os.kill(os.getpid(), signal.SIGTERM)

    # Not a daemon: one that waits while the interpreter is taken down makes libraries complain of leaks.
    thread = threading.Thread(target=watch, name="parent")
    thread.start()
    try:
        yield
    finally:
        os.close(wake)
        thread.join()
        os.close(woken)

"""Trials of rule files in a process of their own: compiling takes half a minute and half a gigabyte, and pages go on meanwhile."""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from threading import Lock
from typing import Any

from bastau_web.workbench.configuring import the_home

_MOST_S = 600.0


@dataclass
class _Running:
    name: str
    process: "subprocess.Popen[bytes]"
    said: Any
    since: float


_turn = Lock()
_running: list[_Running] = []
_failed: dict[str, str] = {}


def begin(name: str) -> bool:
    """Start the trial of a candidate; False while another one runs."""
    with _turn:
        _look()
        if _running:
            return False
        command = [sys.executable, "-m", "bastau", "rules", "try", name, "--home", str(the_home().folder), "--quiet"]
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has ended
        process = subprocess.Popen(  # noqa: S603 - our own program; the name is one of the files there
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
        )
        _running.append(_Running(name, process, said, time.monotonic()))
        _failed.pop(name, None)
        return True


def state_of(name: str) -> tuple[bool, str]:
    """Return whether the trial of a candidate runs, and what its last one failed of."""
    with _turn:
        _look()
        return any(one.name == name for one in _running), _failed.get(name, "")


def _look() -> None:
    """Take note of what has ended, and end what takes too long."""
    for one in list(_running):
        if time.monotonic() - one.since > _MOST_S:
            one.process.kill()
            one.process.wait()
        if one.process.poll() is None:
            continue
        _running.remove(one)
        with one.said as file:
            file.seek(0)
            said = file.read().decode("utf-8", "replace").strip()
        if one.process.returncode:
            _failed[one.name] = said[-1000:] or f"exit code {one.process.returncode}"

"""Trials of rule files in a process of their own: compiling takes half a minute and half a gigabyte, and pages go on meanwhile."""

import subprocess
import sys
from dataclasses import dataclass
from threading import Lock

from bastau_web.workbench.configuring import the_home

_MOST_S = 600


@dataclass
class _Running:
    name: str
    process: "subprocess.Popen[str]"


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
        process = subprocess.Popen(  # noqa: S603 - our own program; the name is one of the files there
            ["timeout", str(_MOST_S), *command] if sys.platform == "linux" else command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        _running.append(_Running(name, process))
        _failed.pop(name, None)
        return True


def state_of(name: str) -> tuple[bool, str]:
    """Return whether the trial of a candidate runs, and what its last one failed of."""
    with _turn:
        _look()
        return any(one.name == name for one in _running), _failed.get(name, "")


def _look() -> None:
    for one in list(_running):
        if one.process.poll() is None:
            continue
        _running.remove(one)
        said = one.process.communicate()[1]
        if one.process.returncode:
            _failed[one.name] = said.strip()[-1000:] or f"exit code {one.process.returncode}"

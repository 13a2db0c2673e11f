"""Compiled rules kept between processes: compiling a hundred thousand words takes seconds, opening the result a third of one.

What is kept is a pickle, which can run code when it is opened, as the kernels that numba keeps can. So it lies in a folder of
the user's own, is opened only when it belongs to the user and nobody else may write it, and its name is a hash of the rule files
and of the code that compiled them.
"""

import contextlib
import gc
import hashlib
import os
import pickle
import stat
import sys
import typing
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import zstandard

from bastau.read.rules.documents import RuleFile

Made = typing.TypeVar("Made")
_KEPT = 3
"""Files that stay: the shipped rules, and those of one or two homes."""
_folder: list[Path] = []


def keep_compiled(folder: Path) -> None:
    """Keep compiled rules in ``folder`` from now on; a folder that cannot be written keeps nothing."""
    _folder[:] = [folder]


def kept_in() -> Path | None:
    """Return the folder in which compiled rules are kept; None: they are not."""
    return _folder[0] if _folder else None


def kept(files: Iterable[RuleFile], make: Callable[[], Made]) -> Made:
    """Return what ``make`` makes of ``files``, opened where it was kept before."""
    if not _folder:
        return make()
    digest = hashlib.blake2b(_code(), digest_size=16)
    for file in files:
        digest.update(f"{file.name}\0{len(file.raw)}\0".encode())
        digest.update(file.raw)
    path = _folder[0] / f"rules-{digest.hexdigest()}.zst"
    found = _open(path)
    if found is None:
        found = make()
        _keep(path, found)
    return typing.cast(Made, found)


@cache
def _code() -> bytes:
    """Return a hash of the code that folds texts and compiles rules, and of what it was compiled with."""
    digest = hashlib.blake2b(repr((pickle.HIGHEST_PROTOCOL, sys.version_info[:2], np.__version__)).encode())
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


def _open(path: Path) -> object | None:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return None
            raw = zstandard.ZstdDecompressor().decompress(file.read())
    except (OSError, zstandard.ZstdError):
        return None
    collecting = gc.isenabled()
    gc.disable()  # a million small objects that all stay
    try:
        return typing.cast(object, pickle.loads(raw))  # noqa: S301 - our own file, see above
    except Exception:  # whatever a torn pickle raises: it is made again
        return None
    finally:
        if collecting:
            gc.enable()


def _keep(path: Path, made: object) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        raw = zstandard.ZstdCompressor(level=1).compress(pickle.dumps(made, protocol=pickle.HIGHEST_PROTOCOL))
        try:
            with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(raw)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        others = sorted(path.parent.glob("rules-*.zst"), key=lambda p: p.stat().st_mtime, reverse=True)
        for old in others[_KEPT:]:
            old.unlink(missing_ok=True)

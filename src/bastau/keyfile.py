"""Secrets that a home makes for itself the first time they are needed."""

import contextlib
import os
import secrets
from pathlib import Path

from bastau.lake import sync_folder


def kept_secret(path: Path, make: bytes) -> bytes:
    """Return the secret in ``path``; where there is none yet, ``make`` becomes it, readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all, and the first of two starts wins: half a key would be one for good.
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(make)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
        part.unlink()
        sync_folder(path.parent)
    return path.read_bytes()

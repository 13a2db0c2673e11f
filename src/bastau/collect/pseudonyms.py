"""Pseudonyms for authors who are no publishers: keyed, and unlinkable once the key is gone (SCOPE, rule 2)."""

import base64
import hashlib
import json
import logging
import os
import re
import secrets
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Self

from bastau.errors import ConfigError
from bastau.lake import sync_folder

logger = logging.getLogger(__name__)

PSEUDONYM = re.compile(r"p~[a-z2-7]{16}")
"""What a pseudonym looks like: 80 bits in base 32; n authors collide with probability n^2 / 2^81."""

_KEY_BYTES = 32
_DIGEST_BYTES = 10


class Pseudonyms:
    """Keyed BLAKE2b over platform and handle; equal handles give equal pseudonyms as long as the key lives.

    Reference: RFC 7693 (BLAKE2), section 2.9 (keyed hashing).
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        # The busy are few: most posts of a chunk are by authors, and mention handles, of chunks before.
        self.pseudonym = lru_cache(maxsize=1 << 18)(self._pseudonym)

    @classmethod
    def open(cls, folder: Path, now: datetime, key_days: int) -> Self:
        """Return pseudonyms under the key in ``folder``, made anew when there is none or it is ``key_days`` old.

        The age is the sum of the time that passed between openings, so a clock set back neither rotates nor
        loses the key, and one set forward and back again does not keep it alive. The old key is overwritten,
        synced and unlinked before the new one exists.

        Raises:
            ConfigError: the key cannot be read or written, or is damaged.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return cls(_current_key(folder / "pseudonym.key", folder / "pseudonym-age.json", now, key_days))
        except OSError as error:
            raise ConfigError(f"{folder}: the pseudonym key cannot be kept there: {error.strerror}") from error

    def _pseudonym(self, platform: str, handle: str) -> str:
        """Return ``p~`` and 16 base-32 digits; the case of the handle does not matter."""
        text = f"{platform}\0{handle.casefold()}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(text, key=self._key, digest_size=_DIGEST_BYTES, person=b"bastau").digest()
        return "p~" + base64.b32encode(digest).decode("ascii").lower()


def _current_key(key_file: Path, age_file: Path, now: datetime, key_days: int) -> bytes:
    age = _age(age_file, now)
    if key_file.exists():
        if age is not None and age < timedelta(days=key_days).total_seconds():
            _write(age_file, _age_record(age, now))
            return _read_key(key_file)
        logger.info("pseudonym key is %d days old and is replaced", key_days)
        _destroy(key_file)
    # The age comes first: a key without a known age would have to be destroyed.
    _write(age_file, _age_record(0.0, now))
    key = secrets.token_bytes(_KEY_BYTES)
    _write(key_file, key.hex().encode("ascii"))
    return key


def _age(age_file: Path, now: datetime) -> float | None:
    try:
        record = json.loads(age_file.read_text("ascii"))
        passed = (now - datetime.fromisoformat(record["opened_at"])).total_seconds()
        return float(record["age_s"]) + max(passed, 0.0)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _age_record(age_s: float, now: datetime) -> bytes:
    return json.dumps({"age_s": age_s, "opened_at": now.isoformat()}).encode("ascii")


def _read_key(key_file: Path) -> bytes:
    key_file.chmod(0o600)
    try:
        key = bytes.fromhex(key_file.read_text("ascii"))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigError(f"{key_file}: damaged; delete it to start with new pseudonyms")
    return key


def _destroy(key_file: Path) -> None:
    size = key_file.stat().st_size
    with key_file.open("r+b", buffering=0) as file:
        file.write(secrets.token_bytes(max(size, 1)))
        os.fsync(file.fileno())
    key_file.unlink()
    sync_folder(key_file.parent)


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)

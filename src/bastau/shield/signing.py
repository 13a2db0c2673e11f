"""Signing, in the form of minisign: whoever has that tool can verify, and a key that it made without a password can sign.

A key remembers the last version it signed, in ``<key>.signed`` beside it, and signs none that is older: a home folder brought back from
a backup must not publish what was retracted since.

Reference: minisign, "signature format" and "secret key format"; RFC 8032.
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow.fs as pafs

from bastau.errors import ConfigError
from bastau.lake import sync_folder, write_whole

_NO_PASSWORD = b"\x00\x00"
_KDF_BYTES = 32 + 8 + 8
_CHECK_BYTES = 32
"""Zeros where there is no password, as minisign 0.11 leaves them; the public half within tells damage."""


@dataclass(frozen=True)
class Key:
    """A signing key: its 8-byte id, how it signs, and its public half as a minisign line."""

    path: Path
    key_id: bytes
    sign: Callable[[bytes], bytes]
    public: str

    @property
    def name(self) -> str:
        """The id as minisign shows it."""
        return self.key_id[::-1].hex().upper()


def make_key(path: Path) -> Key:
    """Make a key in ``path`` (mode 600) and its public half in ``path`` + ``.pub``; return it.

    Raises:
        ConfigError: the file is there already, or cannot be written.
    """
    seed, key_id = secrets.token_bytes(32), secrets.token_bytes(8)
    pair = seed + _public_bytes(seed)
    body = b"Ed" + _NO_PASSWORD + b"B2" + bytes(_KDF_BYTES) + key_id + pair + bytes(_CHECK_BYTES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"untrusted comment: bastau shield secret key\n{base64.b64encode(body).decode()}\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
        key = load_key(path)
        public = f"untrusted comment: minisign public key {key.name}\n{key.public}\n".encode("ascii")
        pub = path.absolute().with_name(path.name + ".pub")
        write_whole(pafs.LocalFileSystem(), str(pub), lambda sink: sink.write(public))
    except FileExistsError as error:
        raise ConfigError(f"{path}: is there already; a key is never overwritten") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    return key


def load_key(path: Path) -> Key:
    """Return the key in ``path``, a minisign secret key without a password.

    Raises:
        ConfigError: missing, readable by others, with a password, or damaged.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path}: others can read this key; chmod 600, and make a new one if they may have")
        lines = path.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: no key can be read there; `bastau shield keygen` makes one") from error
    try:
        raw = base64.b64decode(lines[1], validate=True)
    except (IndexError, ValueError):
        raw = b""
    if len(raw) != 158 or raw[:2] != b"Ed" or raw[4:6] != b"B2":
        raise ConfigError(f"{path}: not a minisign secret key")
    if raw[2:4] != _NO_PASSWORD:
        raise ConfigError(f"{path}: has a password; make one without (minisign -G -W) and protect the file instead")
    key_id, pair = raw[54:62], raw[62:126]
    if _public_bytes(pair[:32]) != pair[32:]:
        raise ConfigError(f"{path}: damaged key")
    return Key(path, key_id, _signer(pair[:32]), base64.b64encode(b"Ed" + key_id + pair[32:]).decode())


def sign(key: Key, data: bytes, comment: str) -> str:
    """Return the minisign signature of ``data`` with a trusted comment of one line."""
    signature = key.sign(hashlib.blake2b(data).digest())
    whole = key.sign(signature + comment.encode())
    head = base64.b64encode(b"ED" + key.key_id + signature).decode()
    return f"untrusted comment: verify with minisign\n{head}\ntrusted comment: {comment}\n{base64.b64encode(whole).decode()}\n"


def refuse_to_go_back(key: Key, version: int, made_at: str) -> None:
    """Raise ConfigError when the key has signed this version, a later one, or one made later."""
    path = _memory(key)
    if not path.exists():
        return
    last = orjson.loads(path.read_bytes())
    if version <= last["version"] or made_at < last["made_at"]:
        raise ConfigError(
            f"{key.path}: has signed version {last['version']}, made {last['made_at']}; version {version} of {made_at} would go back. "
            "Put the list.json published last into the folder shield of the home and export again"
        )


def remember(key: Key, version: int, made_at: str) -> None:
    """Note what the key is about to sign."""
    body = orjson.dumps({"version": version, "made_at": made_at})
    write_whole(pafs.LocalFileSystem(), str(_memory(key)), lambda sink: sink.write(body))


def _memory(key: Key) -> Path:
    return key.path.absolute().with_name(key.path.name + ".signed")


def _private(seed: bytes):  # type: ignore[no-untyped-def]
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        raise ConfigError("signing needs cryptography: pip install 'bastau[shield]'") from error
    return Ed25519PrivateKey.from_private_bytes(seed)


def _public_bytes(seed: bytes) -> bytes:
    public: bytes = _private(seed).public_key().public_bytes_raw()
    return public


def _signer(seed: bytes) -> Callable[[bytes], bytes]:
    return lambda data: bytes(_private(seed).sign(data))

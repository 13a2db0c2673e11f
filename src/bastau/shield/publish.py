"""A version of a list as a folder that any web server can hand out.

`list.json` is the source, `about.json` what stands at the top of it, `SHA256SUMS` names every file. Signed are the source and the sums, so
that two standard tools verify everything: ``minisign -Vm SHA256SUMS`` and ``sha256sum -c SHA256SUMS``. Sums are replaced last: whoever
fetches in between finds a file that does not fit and tries again.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow.fs as pafs

from bastau.errors import ConfigError, InputError
from bastau.lake import write_whole
from bastau.prefix_client import SUMS, ListError, public_key, read_sums, verify
from bastau.shield.forms import FORMS
from bastau.shield.signing import Key, refuse_to_go_back, remember, sign
from bastau.shield.source import Document, canonical, changes

SOURCE, ABOUT = "list.json", "about.json"
SIGNED = (SOURCE, SUMS)
N_CHANGES = 30
"""Versions back from which changes can be had in one file; who is further behind takes the whole list."""
_LOCAL = pafs.LocalFileSystem()
_OURS = re.compile(r"(?:\w+/)?\.tmp-\d+-[^/]+|(?:full/[0-9a-f]{2}|changes/since-\d+|misp/[0-9a-f-]{36})\.json")
"""What only an export writes, a killed one too, whose files stand in no sums."""


def publish(document: Document, folder: Path, forms: Sequence[str], keys: Sequence[Key]) -> dict[str, Any]:
    """Write the files of a version to ``folder`` and take away those of an earlier one; return what about.json says.

    Args:
        document: the version (:func:`bastau.shield.source.make`).
        folder: made if it is missing; files that no earlier version wrote are left alone.
        forms: names of :data:`FORMS`.
        keys: that sign: the one in force, and while it is being replaced the one before.

    Raises:
        ConfigError: a key has signed this version or a later one; more than two keys; the folder holds sums of other files.
    """
    before = check(document, folder, keys)
    for key in keys:
        remember(key, document["version"], document["made_at"])
    sums: dict[str, str] = {}
    for name, parts in _files(document, forms, keys):
        sums[name] = _write(folder / name, parts)
    # Before the sums: after a crash the next export still finds the names of these.
    for name in {*before, *_left_behind(folder)} - sums.keys():
        (folder / name).unlink(missing_ok=True)
    lines = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()
    _write(folder / SUMS, [lines])
    for name, data in ((SOURCE, canonical(document)), (SUMS, lines)):
        comment = f"{document['list']}, version {document['version']}, made {document['made_at']}, valid until {document['valid_until']}, {name}"
        for n, key in enumerate(keys):
            _write(
                folder / f"{name}{'.old' if n else ''}.minisig", [sign(key, data, " ".join(comment.split())).encode()]
            )
    for name in SIGNED if len(keys) == 1 else ():
        (folder / f"{name}.old.minisig").unlink(missing_ok=True)
    return about(document, forms, keys)


def check(document: Document, folder: Path, keys: Sequence[Key]) -> dict[str, str]:
    """Return {file: sum} of the version that is in ``folder``; errors as of :func:`publish`, before anything is written."""
    if len(keys) > 2:
        raise ConfigError("a list is signed by the key in force and at most one before it")
    for key in keys:
        refuse_to_go_back(key, document["version"], document["made_at"])
    return _held(folder)


def about(document: Document, forms: Sequence[str], keys: Sequence[Key]) -> dict[str, Any]:
    """Return all that the list says but its entries, what each form carries, and the keys that sign."""
    told = {name: value for name, value in document.items() if name not in ("entries", "retractions")}
    return {
        **told,
        "forms": {name: FORMS[name].counts(document) for name in forms},
        "keys": [{"id": key.name, "public_key": key.public} for key in keys],
    }


def _files(document: Document, forms: Sequence[str], keys: Sequence[Key]) -> Iterator[tuple[str, Iterable[bytes]]]:
    yield SOURCE, [canonical(document)]
    indented = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    yield ABOUT, [orjson.dumps(about(document, forms, keys), option=indented)]
    for since in range(max(0, document["version"] - N_CHANGES), document["version"]):
        yield f"changes/since-{since}.json", [canonical(changes(document, since))]
    for name in forms:
        yield from FORMS[name].files(document)


def _held(folder: Path) -> dict[str, str]:
    """Return {file: sum} of the version that is there; only names that stay below the folder."""
    try:
        sums = read_sums((folder / SUMS).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{folder / SUMS}: cannot be read; name an empty folder") from error
    if not {SOURCE, ABOUT} <= sums.keys():
        raise ConfigError(f"{folder / SUMS}: not of a shield list; name an empty folder")
    return {name: digest for name, digest in sums.items() if name and ".." not in name and not name.startswith("/")}


def _left_behind(folder: Path) -> list[str]:
    """Return files of ours that stand in no sums if an export was killed; a retracted entry may stand in them."""
    found = [path for part in (".", "full", "changes", "misp") for path in (folder / part).glob("*") if path.is_file()]
    return [name for name in (str(path.relative_to(folder)) for path in found) if _OURS.fullmatch(name)]


def _write(path: Path, parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()

    def body(sink: Any) -> None:
        for part in parts:
            digest.update(part)
            sink.write(part)

    write_whole(_LOCAL, str(path.absolute()), body)
    return digest.hexdigest()


def verify_folder(folder: Path, key: str) -> list[str]:
    """Return what is wrong with a published folder, nothing if it is whole and signed by ``key`` (a minisign public key).

    Raises:
        InputError: the key is none, or the folder is no published list.
    """
    wrong = []
    try:
        keys = [public_key(key)]
        sums = read_sums((folder / SUMS).read_text("utf-8"))
    except (ListError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{folder}: {error}") from error
    for name in SIGNED:
        try:
            _verify_any(folder, name, keys)
        except (ListError, OSError) as error:
            wrong.append(f"{name}: {error}")
            if name == SUMS:  # what it names may be anything then
                return wrong
    for name, wanted in sums.items():
        try:
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != wanted:
                    wrong.append(f"{name}: not what was signed")
        except OSError:
            wrong.append(f"{name}: missing")
    return wrong


def _verify_any(folder: Path, name: str, keys: list[tuple[bytes, bytes]]) -> None:
    """Verify the signature of the key in force or, where that is another, of the one before."""
    data = (folder / name).read_bytes()
    found = [path for path in (folder / f"{name}.minisig", folder / f"{name}.old.minisig") if path.exists()]
    if not found:
        raise ListError("not signed")
    failed = None
    for path in found:
        try:
            verify(data, path.read_text("utf-8", "replace"), keys)
            return
        except ListError as error:
            failed = failed or error
    raise failed or ListError("not signed")

"""What the commands of shield lists do; printing is the command line's."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from bastau.errors import ConfigError, InputError
from bastau.home import Home
from bastau.lake import write_whole
from bastau.listed_urls import page_expressions
from bastau.prefix_client import covers, safe_canonical, split_address
from bastau.shield.forms import FORMS
from bastau.shield.forms.prefixes import FORM as ADDRESSES
from bastau.shield.forms.prefixes import expressions
from bastau.shield.publish import check, publish
from bastau.shield.signing import load_key
from bastau.shield.source import About, Document, canonical, make, read
from bastau.shield.standing import Entry, moment, standing
from bastau.urls import canonical_url

Answer = dict[str, Any]
LOCK = "shield.lock"


def default_key(home: Home) -> Path:
    """Return where the key of a home lies unless another is named."""
    return home.folder / "shield" / "shield.key"


def published(home: Home) -> Document | None:
    """Return the version that this home published last, None before the first."""
    path = home.folder / "shield" / "list.json"
    return read(path.read_bytes(), str(path)) if path.exists() else None


def export_lists(
    home: Home, rows: pa.Table, folder: Path, forms: Sequence[str], keys: Sequence[Path], now: datetime
) -> Answer:
    """Make the next version of the list and write it to ``folder``; return what about.json says, and the ids refused.

    ``rows`` (ENTRIES) are all entry versions there are: what is missing from them is withdrawn.

    Raises:
        ConfigError: the settings of [shield] or a key are wrong, or the version would go back.
        HomeBusy: another process does so now.
    """
    about = about_list(home)
    signers = [load_key(path) for path in keys or [default_key(home)]]
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; a list is a folder")
    unknown = [name for name in forms if name not in FORMS]
    if unknown:
        raise ConfigError(f"no form called {unknown[0]!r}; known: {', '.join(FORMS)}, all")
    with home.locked(LOCK):
        found = standing(rows, now)
        document = make(found, about, published(home), now)
        path = home.folder / "shield" / "list.json"
        check(document, folder, signers)
        # Before the publication: after a crash the next export takes the next number, and nobody ever sees two lists of one.
        write_whole(pafs.LocalFileSystem(), str(path), lambda sink: sink.write(canonical(document)))
        told = publish(document, folder, forms, signers)
    return {**told, "folder": str(folder), "refused": found.refused}


def about_list(home: Home) -> About:
    """Return what the settings say of the list.

    Raises:
        ConfigError: whom to ask and where to appeal is not said.
    """
    said = home.settings.shield
    missing = [name for name in ("publisher", "appeal", "policy", "licence") if not getattr(said, name).strip()]
    if missing:
        raise ConfigError(f"{home.folder}/bastau.toml: a list needs {', '.join(missing)} under [shield]")
    return About(said.name, said.publisher, said.appeal, said.policy, said.licence, timedelta(hours=said.valid_hours))


def read_list(path: Path) -> Document:
    """Return the list in a file, or in the list.json of a folder.

    Raises:
        InputError: there is none.
    """
    path = path / "list.json" if path.is_dir() else path
    try:
        return read(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class Listed:
    """A list made ready for looking up addresses and hashes.

    Args:
        document: the list.
    """

    document: Document
    _by_expression: dict[str, list[Entry]] = field(init=False, repr=False, default_factory=dict)
    _by_value: dict[str, list[Entry]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for entry in self.document["entries"]:
            if ADDRESSES.carries(entry):
                for expression in expressions(entry):
                    self._by_expression.setdefault(expression, []).append(entry)
            else:
                self._by_value.setdefault(entry["value"], []).append(entry)

    def is_valid(self, now: datetime) -> bool:
        """Say whether the list may still be used; later, what it says may have been retracted."""
        return bool(moment(now) < self.document["valid_until"])

    def entries(self, what: str, now: datetime) -> list[Entry]:
        """Return the entries that mean an address or a hash at ``now``."""
        at = moment(now)
        found = self._meaning(what) or self._by_value.get(what.lower(), [])
        return [entry for entry in found if entry["expires_at"] > at]

    def _meaning(self, address: str) -> list[Entry]:
        canonical_form = canonical_url(address) or safe_canonical(address)
        if canonical_form is None:
            return []
        host = split_address(canonical_form)[0]
        found = {  # an account is listed under two expressions
            entry["entry_id"]: entry
            for expression in page_expressions(canonical_form)
            for entry in self._by_expression.get(expression, [])
            if covers(entry, expression, host)
        }
        return list(found.values())


def look_up(document: Document, what: Sequence[str], now: datetime) -> list[Answer]:
    """Return, for each address or hash, the entries that mean it at ``now``.

    Raises:
        InputError: the list has expired; what it says may have been retracted since.
    """
    listed = Listed(document)
    if not listed.is_valid(now):
        raise InputError(f"the list was valid until {document['valid_until']}; take or export a newer one")
    return [{"what": one, "entries": listed.entries(one, now)} for one in what]


@cache
def _texts(locale: str) -> dict[str, Any]:
    return tomllib.loads(files("bastau.shield").joinpath("texts", f"{locale}.toml").read_text("utf-8"))


def why(document: Document, entry_id: str, locale: str) -> str:
    """Return why an entry is listed, or is no longer, in words for the public; ``locale`` is kk, ru or en."""
    texts = _texts(locale)
    said = {name: document[name] for name in ("list", "publisher", "version", "appeal", "policy")}
    for entry in document["entries"]:
        if entry["entry_id"] == entry_id:
            slots = {**said, **entry, "act": texts["acts"][entry["act"]], "kind": texts["kinds"][entry["kind"]]}
            slots |= {"ground_kind": texts["grounds"][entry["ground_kind"]], "suggested": _suggested(texts, entry)}
            slots |= {"released_at": entry["released_at"][:10], "expires_at": entry["expires_at"][:10]}
            return str(texts["listed"]).format_map(slots).strip()
    gone = [r for r in document["retractions"] if r["entry_id"] == entry_id]
    if gone:
        slots = {**said, **gone[-1], "reason": texts["reasons"][gone[-1]["reason"]], "at": gone[-1]["at"][:10]}
        return str(texts["gone"]).format_map(slots).strip()
    return str(texts["unknown"]).format_map({**said, "entry_id": entry_id}).strip()


def _suggested(texts: dict[str, Any], entry: Entry) -> str:
    names = [entry[name] for name in ("rule_version", "model_version") if entry[name]]
    return str(texts["suggested" if names else "unsuggested"]).format(
        names=", ".join(names), data=entry["data_version"]
    )

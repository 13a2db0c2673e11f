"""Which pages of posts are kept as evidence."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock

from bastau.chain import Chain
from bastau.evidence.commands import FOLDER
from bastau.evidence.known import Known
from bastau_web.workbench.configuring import the_home


@dataclass(frozen=True)
class Kept:
    """An item of evidence: its number in the chain, when it was fetched, and the hash of what came."""

    number: int
    fetched_at: datetime
    sha256: str
    is_pseudonymised: bool


@dataclass
class _Reader:
    chain: Chain
    known: Known = field(default_factory=Known)
    turn: Lock = field(default_factory=Lock)


def kept_of(url: str | None) -> Kept | None:
    """Return the last item of evidence that was kept of an address and still stands.

    Raises:
        LakeDamaged: the chain cannot be read.
    """
    folder = the_home().folder / FOLDER
    if not url or not folder.exists():
        return None
    reader = _reader(folder)
    # The chain is read once; after that only what was added.
    with reader.turn:
        reader.known.read_on(reader.chain)
        item = reader.known.item(reader.chain, url)
    if item is None:
        return None
    return Kept(
        item["n"],
        datetime.fromisoformat(item["fetched_at"]),
        item["kept_sha256"],
        bool(item.get("is_pseudonymised")),
    )


@cache
def _reader(folder: Path) -> _Reader:
    return _Reader(Chain(folder))

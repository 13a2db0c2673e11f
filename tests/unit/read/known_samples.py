"""Lists and posts for the tests of known content."""

import random
from datetime import UTC, datetime

import pyarrow as pa

from bastau.read.fold import Fold
from bastau.read.known import MatchKnown
from bastau.read.known_index import ENTRIES, KnownList, index_of
from bastau.read.links import FindLinks
from bastau.schemas import POSTS

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = (
    "Қалада бүгін үлкен жиын өтті, оған екі мыңнан астам адам қатысып, жаңа мектептің ашылуын бірге тойлады, "
    "ал кешке қарай алаңда концерт болды деп хабарлады қаланың тілшісі"
)


def pdq(seed: int, flips: int = 0) -> str:
    """Return a hash with half of its bits set, ``flips`` of them changed."""
    dice = random.Random(seed)
    bits = set(dice.sample(range(256), 128))
    for bit in random.Random(seed + 1000).sample(range(256), flips):
        bits ^= {bit}
    return f"{sum(1 << bit for bit in bits):064x}"


def entries(*rows: tuple[str, str, str], deleted: bool = False) -> pa.Table:
    """Return ENTRIES of (entry id, signal, value)."""
    return pa.table(
        {
            "entry_id": [row[0] for row in rows],
            "signal": [row[1] for row in rows],
            "value": [row[2] for row in rows],
            "note": pa.nulls(len(rows), pa.string()),
            "added_at": pa.array([WHEN] * len(rows), ENTRIES.field("added_at").type),
            "deleted_at": pa.array([WHEN if deleted else None] * len(rows), ENTRIES.field("deleted_at").type),
        },
        schema=ENTRIES,
    )


def a_list(name: str, *rows: tuple[str, str, str], **settings: object) -> KnownList:
    return KnownList.of_entries(name, entries(*rows), **settings)


def posts(*given: dict[str, object]) -> pa.Table:
    """Return posts, folded and with their links found."""
    rows = [{**dict.fromkeys(POSTS.names), "post_id": str(at), **row} for at, row in enumerate(given)]
    table = pa.table({f.name: pa.array([row[f.name] for row in rows], f.type) for f in POSTS})
    return FindLinks().run(Fold().run(table))


def picture(digest: str | None = None, sha256: str | None = None, url: str | None = None) -> dict[str, object]:
    return {"media": [{"url": url, "sha256": sha256, "pdq": digest}]}


def known(lists: list[KnownList], *given: dict[str, object]) -> list[list[dict[str, object]] | None]:
    column = MatchKnown(index_of(lists)).run(posts(*given)).column("known")
    return column.to_pylist()


def hits(lists: list[KnownList], *given: dict[str, object]) -> list[list[tuple[object, object]]]:
    """Return (entry, gate) of each match of each post."""
    return [[(m["entry"], m["gate"]) for m in found or []] for found in known(lists, *given)]

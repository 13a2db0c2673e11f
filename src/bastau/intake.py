"""Store what collectors bring: nothing twice, nothing lost, every refusal kept with its reason.

For each chunk the order of commits is rejects, claims, pages, publishers, posts, and last the row in ``imports``
that acknowledges it. A crash in between is repaired by importing again: batch ids are hashes of the input.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.collect.importing import Chunk, read_file
from bastau.collect.pseudonyms import Pseudonyms
from bastau.home import Home
from bastau.lake import Lake
from bastau.schemas import IMPORTS, POSTS, PUBLISHERS, REJECTS

_log = logging.getLogger(__name__)
_NOTHING: Mapping[str, pa.Table] = {}


@dataclass(frozen=True)
class FileReport:
    """What became of one file.

    ``reasons`` counts rejects; ``first_rejects`` has the first of each reason as (reason, line, field, detail).
    """

    file: str
    format: str
    n_posts: int = 0
    n_repeats: int = 0
    n_rejects: int = 0
    n_pages: int = 0
    n_claims: int = 0
    n_private: int = 0
    n_known_batches: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    first_rejects: tuple[tuple[str, int | None, str | None, str], ...] = ()
    notes: tuple[str, ...] = ()

    def plus(self, other: "FileReport") -> "FileReport":
        """Return the sum of two reports on the same file."""
        reasons = dict(self.reasons)
        for reason, n in other.reasons:
            reasons[reason] = reasons.get(reason, 0) + n
        seen = {reason for reason, *_ in self.first_rejects}
        firsts = (*self.first_rejects, *(first for first in other.first_rejects if first[0] not in seen))
        sums = {name: getattr(self, name) + getattr(other, name) for name in _COUNTS}
        reasons_now = tuple(sorted(reasons.items()))
        return replace(self, format=other.format or self.format, reasons=reasons_now, first_rejects=firsts, **sums)


_COUNTS = tuple(f.name for f in fields(FileReport) if f.name.startswith("n_"))


class StoredKeys:
    """The keys of all stored posts, to tell a repeat from a conflict; 16 bytes a post."""

    def __init__(self, lake: Lake):
        self._lake = lake
        self._batches = lake.batches("posts")
        stored = lake.read("posts", ["post_key", "content_key"])
        self._layers = [_layer(stored.column("post_key").to_numpy(), stored.column("content_key").to_numpy())]

    def refresh(self) -> int:
        """Take in what other processes stored meanwhile; return the number of their posts."""
        new = self._lake.batches("posts") - self._batches
        if not new:
            return 0
        self._batches |= new
        posts = self._lake.read("posts", ["post_key", "content_key"], new)
        self.add(posts)
        return posts.num_rows

    def stored(self, batch: str) -> None:
        """Note a batch whose posts were added here."""
        self._batches.add(batch)

    def find(self, posts: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Return (is stored (n,), is stored with the same content (n,)) for each post."""
        keys, contents = posts.column("post_key").to_numpy(), posts.column("content_key").to_numpy()
        known = np.zeros(len(keys), bool)
        same = np.zeros(len(keys), bool)
        for layer_keys, layer_contents in self._layers:
            if not len(layer_keys):
                continue
            at = np.minimum(np.searchsorted(layer_keys, keys), len(layer_keys) - 1)
            hit = layer_keys[at] == keys
            known |= hit
            same |= hit & (layer_contents[at] == contents)
        return known, same

    def add(self, posts: pa.Table) -> None:
        """Remember ``posts``; layers are merged like a log-structured tree, so adding stays cheap."""
        self._layers.append(_layer(posts.column("post_key").to_numpy(), posts.column("content_key").to_numpy()))
        while len(self._layers) > 1 and len(self._layers[-1][0]) * 2 >= len(self._layers[-2][0]):
            (keys_b, contents_b), (keys_a, contents_a) = self._layers.pop(), self._layers.pop()
            self._layers.append(_layer(np.concatenate([keys_a, keys_b]), np.concatenate([contents_a, contents_b])))


def _layer(keys: np.ndarray, contents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(keys, kind="stable")
    return keys[order], contents[order]


def import_file(
    home: Home,
    path: Path,
    *,
    now: datetime,
    mapping: Mapping[str, str] | None = None,
    format: str | None = None,
    progress: Callable[[int, FileReport], None] = lambda _bytes, _report: None,
) -> FileReport:
    """Import one file into the lake of ``home``; the caller holds the lock.

    Args:
        home: where to store.
        path: file in any known format, packed or not.
        now: time of collection for rows that carry none, and of the acknowledgement.
        mapping: bastau field -> column (or template, or ``=constant``) of a foreign file.
        format: name of a format, to skip recognition.
        progress: called after each chunk with the bytes read so far and the sums so far.

    Raises:
        InputError: the file cannot be read as anything known; what was stored before stays.
        DiskFull: no space; acknowledged chunks stay, importing again goes on where it stopped.
    """
    lake = home.lake
    pseudonyms = Pseudonyms.open(home.keys, now, home.settings.publishers.key_days)
    stored = StoredKeys(lake)
    acknowledged = lake.batches("imports")
    unacknowledged = lake.batches("posts") - acknowledged
    publishers = known_publishers(lake)
    total = FileReport(path.name, format or "")
    chunks = read_file(
        path,
        settings=home.settings,
        pseudonyms=pseudonyms,
        now=now,
        mapping=mapping,
        format=format,
        is_publisher=lambda platform, handle: (platform, handle.casefold()) in publishers,
    )
    n_bytes = 0
    notes: dict[str, None] = {}
    # One chunk is parsed while the one before is packed and written.
    with ThreadPoolExecutor(1) as writer:
        pending: Future[None] | None = None
        try:
            for given in _closing(chunks):
                chunk = given
                if chunk.batch in acknowledged:
                    part = FileReport(
                        path.name, chunk.format, n_repeats=chunk.posts.num_rows + chunk.n_repeats, n_known_batches=1
                    )
                else:
                    chunk, part = _without_known(chunk, stored, path.name, now)
                    if chunk.batch in unacknowledged:  # killed between the posts and their acknowledgement
                        n_stored = lake.read("posts", ["post_key"], [chunk.batch]).num_rows
                        part = replace(
                            part, n_posts=part.n_posts + n_stored, n_repeats=max(0, part.n_repeats - n_stored)
                        )
                    publishers.update(publisher_keys(chunk.posts))
                    if pending is not None:
                        pending.result()
                    pending = writer.submit(store_chunk, lake, chunk, part, home.settings.publishers.min_audience, now)
                total = total.plus(part)
                n_bytes += chunk.bytes_read
                notes.update(dict.fromkeys(chunk.notes))
                progress(n_bytes, total)
        finally:
            if pending is not None:
                pending.result()
    return replace(total, notes=tuple(notes))


def _closing(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    try:
        yield from chunks
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def _without_known(chunk: Chunk, stored: StoredKeys, file: str, now: datetime) -> tuple[Chunk, FileReport]:
    known, same = stored.find(chunk.posts)
    conflicts = np.flatnonzero(known & ~same)
    posts = chunk.posts.filter(pa.array(~known)) if known.any() else chunk.posts
    rejects = chunk.rejects
    if len(conflicts):
        # The id is not quoted: on some platforms it holds the author's handle.
        rows = pa.table(
            {
                "file": [file] * len(conflicts),
                "line": pa.nulls(len(conflicts), pa.int64()),
                "field": ["post_id"] * len(conflicts),
                "reason": ["duplicate_id"] * len(conflicts),
                "detail": ["this post_id is stored already with another text; the stored one is kept"] * len(conflicts),
                "row": [f'{{"post_key": {k}}}' for k in chunk.posts.column("post_key").to_numpy()[conflicts]],
                "rejected_at": pa.array([now] * len(conflicts), REJECTS.field("rejected_at").type),
            },
            schema=REJECTS,
        )
        rejects = pa.concat_tables([rejects, rows])
    stored.add(posts)
    counts = pc.value_counts(rejects.column("reason")).to_pylist()
    part = FileReport(
        file,
        chunk.format,
        n_posts=posts.num_rows,
        n_repeats=int((known & same).sum()) + chunk.n_repeats,
        n_rejects=rejects.num_rows,
        n_pages=chunk.pages.num_rows,
        n_claims=chunk.claims.num_rows,
        n_private=int(pc.sum(pc.invert(posts.column("is_publisher"))).as_py() or 0),
        reasons=tuple((c["values"], c["counts"]) for c in counts),
        first_rejects=_first_rejects(rejects),
    )
    return replace(chunk, posts=posts, rejects=rejects), part


def _first_rejects(rejects: pa.Table) -> tuple[tuple[str, int | None, str | None, str], ...]:
    if not rejects.num_rows:
        return ()
    found = rejects.select(["reason", "line", "field", "detail"]).group_by("reason", use_threads=False)
    with_nulls = pc.ScalarAggregateOptions(skip_nulls=False)
    firsts = found.aggregate([(name, "first", with_nulls) for name in ("line", "field", "detail")]).to_pylist()
    return tuple((r["reason"], r["line_first"], r["field_first"], r["detail_first"]) for r in firsts)


def store_chunk(
    lake: Lake,
    chunk: Chunk,
    part: FileReport,
    min_audience: int,
    now: datetime,
    extra: Mapping[str, pa.Table] = _NOTHING,
) -> None:
    """Commit a chunk, ``extra`` tables of it before the posts, and last its row in ``imports``.

    A process killed in between finds the posts new again, and so whatever hangs on their being new is made again.
    """
    day = now.date()
    for table, rows in (
        ("rejects", chunk.rejects),
        ("claims", chunk.claims),
        ("pages", chunk.pages),
        ("publishers", _publishers(chunk.posts)),
        *extra.items(),
        ("posts", chunk.posts),
    ):
        if rows.num_rows:
            lake.commit(table, chunk.batch, rows, day)
    row = {
        "batch": chunk.batch,
        "file": part.file,
        "format": part.format,
        "n_posts": part.n_posts,
        "n_repeats": part.n_repeats,
        "n_rejects": part.n_rejects,
        "min_audience": min_audience,
        "imported_at": now,
    }
    lake.commit("imports", chunk.batch, pa.Table.from_pylist([row], IMPORTS), day)
    _log.info("stored batch", extra={"batch": chunk.batch, "n_posts": part.n_posts, "n_rejects": part.n_rejects})


def _publishers(posts: pa.Table) -> pa.Table:
    by_publishers = posts.filter(posts.column("is_publisher"))
    names = ["platform", "source", "source_kind", "source_name", "audience", "collected_at"]
    # A publisher on Bluesky goes by its DID too, in the ids of its posts.
    dids = pc.struct_field(pc.extract_regex(by_publishers.column("post_id"), r"^bluesky:(?P<did>did:[^/]+)/"), "did")
    aliases = by_publishers.set_column(by_publishers.schema.get_field_index("source"), POSTS.field("source"), dids)
    named = pa.concat_tables(
        [by_publishers.select(names), aliases.filter(pc.is_valid(dids)).select(names)], promote_options="permissive"
    )
    if not named.num_rows:
        return PUBLISHERS.empty_table()
    grouped = named.group_by(["platform", "source"], use_threads=False).aggregate(
        [("source_kind", "last"), ("source_name", "last"), ("audience", "max"), ("collected_at", "max")]
    )
    return pa.table(
        [
            grouped.column(name)
            for name in (
                "platform",
                "source",
                "source_kind_last",
                "source_name_last",
                "audience_max",
                "collected_at_max",
            )
        ],
        schema=PUBLISHERS,
    )


def publisher_keys(posts: pa.Table) -> set[tuple[str, str]]:
    """Return (platform, source in lower case) of the publishers of ``posts``."""
    rows = _publishers(posts)
    return {
        (p, s.casefold())
        for p, s in zip(rows.column("platform").to_pylist(), rows.column("source").to_pylist(), strict=True)
    }


def known_publishers(lake: Lake) -> set[tuple[str, str]]:
    """Return (platform, source in lower case) of all publishers ever stored."""
    rows = lake.read("publishers", ["platform", "source"]).group_by(["platform", "source"]).aggregate([])
    return {
        (p, s.casefold())
        for p, s in zip(rows.column("platform").to_pylist(), rows.column("source").to_pylist(), strict=True)
    }


def count_rejects(reports: Sequence[FileReport]) -> dict[str, int]:
    """Return how many rows were rejected for each reason."""
    counts: dict[str, int] = {}
    for report in reports:
        for reason, n in report.reasons:
            counts[reason] = counts.get(reason, 0) + n
    return dict(sorted(counts.items(), key=lambda item: -item[1]))

"""Lists in the home folder: versions written whole, one file that commits, entries that are never forgotten.

lists/<name>/list.json      what the list is, where it came from, which version counts: the commit
lists/<name>/v<n>/          entries.arrow and the look-up arrays of one version (bastau.read.known_index)

A new version is written beside the old one, then ``list.json`` is replaced. A crash leaves one of the two in force.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs

from bastau.errors import ConfigError, LakeDamaged
from bastau.hashing import format_ids, hash_strings
from bastau.known_lists.formats import ListedItem
from bastau.lake import sync_folder, write_whole
from bastau.read.known_index import ARRAYS, ENTRIES, KnownIndex, KnownList, empty_arrays, index_of, look_up_arrays
from bastau.read.known_pdq import MAX_DISTANCE
from bastau.read.known_text import TextThresholds

_LOCAL = pafs.LocalFileSystem()
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_BATCH = 1 << 16
_KEPT_HISTORY = 100


@dataclass(frozen=True)
class Origin:
    """Where a list comes from.

    Args:
        kind: ``file``, ``address``, ``tat`` (Tech Against Terrorism) or ``hma`` (Hasher-Matcher-Actioner).
        address: path or URL.
        format: of the file, as bastau.known_lists.formats names it.
        signal: what bare values are.
        bank: HMA: the bank's name.
        secret: ``env:NAME`` or ``file:PATH``; never the secret itself.
        checkpoint: where the next fetch goes on.
    """

    kind: str
    address: str
    format: str | None = None
    signal: str | None = None
    bank: str | None = None
    secret: str | None = None
    checkpoint: str | None = None


@dataclass(frozen=True)
class ListInfo:
    """What a list is: the content of ``list.json``.

    Args:
        name: lower-case letters, digits, ``-`` and ``_``.
        publisher: who answers for it.
        ground: legal or policy ground, or licence, on which it is used.
        is_negative: a bank of legitimate uses ("news footage of it", "this is counter-speech").
        text: when a post holds one of its texts.
        pdq_distance: bits in which a picture may differ.
        origin: where it comes from.
        version: in force; 0 before the first.
        counts: active entries by signal.
        n_deleted: entries deleted since, kept as tombstones.
        updated_at: when it last changed, RFC 3339.
        checked_at: when its origin was last asked.
        history: of each update: when, from, sha256 of what was read, numbers.
    """

    name: str
    publisher: str = ""
    ground: str = ""
    is_negative: bool = False
    text: TextThresholds = field(default_factory=TextThresholds)
    pdq_distance: int = MAX_DISTANCE
    origin: Origin | None = None
    version: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    n_deleted: int = 0
    updated_at: str | None = None
    checked_at: str | None = None
    history: tuple[dict[str, Any], ...] = ()

    @property
    def n_entries(self) -> int:
        """Active entries."""
        return sum(self.counts.values())


class ListStore:
    """The lists of one home folder. Only with the home locked may they be changed."""

    def __init__(self, folder: Path):
        self.folder = folder

    def names(self) -> list[str]:
        """Return the names of all lists, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if (p / "list.json").is_file())

    def info(self, name: str) -> ListInfo:
        """Return what a list is.

        Raises:
            ConfigError: there is none of that name.
            LakeDamaged: its ``list.json`` cannot be read.
        """
        if not _NAME.fullmatch(name) or not (self.folder / name / "list.json").is_file():
            known = ", ".join(self.names()) or "none yet"
            raise ConfigError(f"no list called {name!r}; known: {known}")
        path = self.folder / name / "list.json"
        try:
            raw = json.loads(path.read_text("utf-8"))
            raw["text"] = TextThresholds(**raw["text"])
            raw["origin"] = Origin(**raw["origin"]) if raw["origin"] else None
            raw["history"] = tuple(raw["history"])
            return ListInfo(**raw)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise LakeDamaged(f"{path}: cannot be read; remove the folder and add the list again") from error

    def infos(self) -> list[ListInfo]:
        """Return what each list is, by name."""
        return [self.info(name) for name in self.names()]

    def save(self, info: ListInfo) -> None:
        """Write ``list.json``: from here on ``info.version`` counts.

        Raises:
            ConfigError: the name or a threshold is not allowed.
        """
        check_info(info)
        body = json.dumps(asdict(info), indent=1, ensure_ascii=False).encode()
        write_whole(_LOCAL, str(self.folder / info.name / "list.json"), lambda sink: sink.write(body))

    def open(self, name: str) -> KnownList:
        """Open a list for matching.

        Raises:
            LakeDamaged: a file is missing or broken.
        """
        info = self.info(name)
        settings = {"is_negative": info.is_negative, "text": info.text, "pdq_distance": info.pdq_distance}
        if info.version == 0:
            return KnownList(name, ENTRIES.empty_table(), empty_arrays(), **settings)  # type: ignore[arg-type]
        folder = self._version(info)
        try:
            return KnownList.open(name, folder, **settings)
        except (OSError, ValueError, pa.ArrowInvalid) as error:
            raise LakeDamaged(f"{folder}: cannot be read; remove the list and add it again") from error

    def index(self) -> KnownIndex:
        """Open all lists together, ready for several threads."""
        return index_of([self.open(name) for name in self.names()]).load()

    def fingerprint(self) -> str:
        """Return a hash of everything that matching depends on, to tell when stored readings are out of date."""
        parts = [[i.name, i.version, i.is_negative, asdict(i.text), i.pdq_distance] for i in self.infos()]
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()

    def remove(self, name: str) -> ListInfo:
        """Delete a list and everything known of it; return what it was."""
        info = self.info(name)
        (self.folder / name / "list.json").unlink()  # from here on there is no such list
        sync_folder(self.folder / name)
        shutil.rmtree(self.folder / name)
        return info

    def items(self, name: str) -> Iterator[ListedItem]:
        """Yield all entries, the deleted ones too."""
        entries = self.open(name).entries
        for batch in entries.to_batches(max_chunksize=_BATCH):
            for row in batch.to_pylist():
                yield ListedItem(
                    row["signal"], row["value"], row["entry_id"], row["deleted_at"] is not None, row["note"]
                )

    def _version(self, info: ListInfo) -> Path:
        return self.folder / info.name / f"v{info.version:06d}"

    # ---- updates ---------------------------------------------------------------------------------------

    def update(
        self,
        info: ListInfo,
        items: Iterable[ListedItem],
        *,
        now: datetime,
        whole: bool,
        provenance: Callable[[], dict[str, Any]],
    ) -> tuple[ListInfo, dict[str, int]]:
        """Make a new version of a list and put it in force.

        Args:
            info: what the list is to be; its version, counts and history are those before the update.
            items: entries as they arrive; the last of repeated ones counts.
            now: time of the update.
            whole: ``items`` are the whole list, so what is missing was deleted; else they are changes to it.
            provenance: called when ``items`` have been read: where they came from, added to the history.

        Returns:
            the list as it is now, and numbers: added, deleted, restored, unchanged.

        Raises:
            ConfigError: the name or a threshold is not allowed.
        """
        check_info(info)
        folder = self.folder / info.name
        version = info.version + 1
        target, temporary = folder / f"v{version:06d}", folder / f".tmp-v{version:06d}"
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)  # a crash may have left it
        temporary.mkdir(parents=True)
        try:
            old = self.open(info.name).entries if info.version else ENTRIES.empty_table()
            numbers, counts, n_deleted = _write_version(temporary, old, items, now=now, whole=whole)
            entry = {"when": now.astimezone(UTC).isoformat(timespec="seconds"), **provenance(), **numbers}
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            if not info.version and not any(folder.iterdir()):
                folder.rmdir()
            raise
        temporary.rename(target)
        sync_folder(folder)
        updated = replace(
            info,
            version=version,
            counts=counts,
            n_deleted=n_deleted,
            updated_at=entry["when"],
            checked_at=entry["when"],
            history=(*info.history, entry)[-_KEPT_HISTORY:],
        )
        self.save(updated)
        self._tidy(updated)
        return updated, numbers

    def _tidy(self, info: ListInfo) -> None:
        """Remove all versions but the one in force and, for open readers, the one before."""
        kept = {f"v{info.version:06d}", f"v{info.version - 1:06d}", "list.json"}
        for path in (self.folder / info.name).iterdir():
            if path.name not in kept and path.is_dir():
                shutil.rmtree(path)


def check_info(info: ListInfo) -> None:
    """Refuse names and thresholds that are not allowed.

    Raises:
        ConfigError: one is not.
    """
    if not _NAME.fullmatch(info.name):
        raise ConfigError(f"a list's name has lower-case letters, digits, - and _, 64 at most, not {info.name!r}")
    if not 0 <= info.pdq_distance <= MAX_DISTANCE:
        raise ConfigError(f"list {info.name}: PDQ distance must lie in [0, {MAX_DISTANCE}], got {info.pdq_distance}")
    limits = info.text
    if limits.fingerprints < 2 or not 0.05 <= limits.containment <= 1 or limits.covered_chars < 24:
        raise ConfigError(
            f"list {info.name}: texts need at least 2 fingerprints, a containment in [.05, 1] and 24 covered characters"
        )


# ---- writing one version -------------------------------------------------------------------------------


def _keys(table: pa.Table) -> np.ndarray:
    """Return the identity of each entry: a hash of signal and value, uint64."""
    parts = [np.empty(0, np.uint64)]
    for batch in table.select(["signal", "value"]).to_batches(max_chunksize=_BATCH):
        joined = pc.binary_join_element_wise(batch.column("signal"), batch.column("value"), " ")
        parts.append(hash_strings(joined).view(np.uint64))
    return np.concatenate(parts)


def _tables(items: Iterable[ListedItem], now: datetime) -> Iterator[pa.Table]:
    """Yield ENTRIES of some thousand items each; ids that are not given are made from the identity."""
    stream = iter(items)
    while batch := list(islice(stream, _BATCH)):
        signals, values, ids, deleted, notes = zip(*batch, strict=True)
        n = len(batch)
        gone = pa.array(np.array(deleted, np.bool_))
        when = pa.array([now] * n, ENTRIES.field("added_at").type)
        table = pa.table(
            {
                "entry_id": pa.array(ids, pa.string()),
                "signal": pa.array(signals, pa.string()),
                "value": pa.array(values, pa.string()),
                "note": pa.array(notes, pa.string()),
                "added_at": when,
                "deleted_at": pc.if_else(gone, when, pa.scalar(None, when.type)),
            }
        )
        made = format_ids("k~", _keys(table).view(np.int64))
        yield table.set_column(0, "entry_id", pc.coalesce(table.column("entry_id"), made)).cast(ENTRIES)


def _write_version(
    folder: Path, old: pa.Table, items: Iterable[ListedItem], *, now: datetime, whole: bool
) -> tuple[dict[str, int], dict[str, int], int]:
    """Write ``entries.arrow`` and the arrays into ``folder``; return (numbers, active entries by signal, deleted)."""
    arriving = folder / "arriving.arrow"
    given_keys = [np.empty(0, np.uint64)]
    with pa.OSFile(str(arriving), "wb") as sink, pa.ipc.new_file(sink, ENTRIES) as writer:
        for table in _tables(items, now):
            given_keys.append(_keys(table))
            writer.write_table(table)
    keys = np.concatenate(given_keys)
    # Of repeats the last counts: the first of each key in reverse.
    _, from_end = np.unique(keys[::-1], return_index=True)
    is_last = np.zeros(len(keys), np.bool_)
    is_last[len(keys) - 1 - from_end] = True
    old_keys = _keys(old)
    order = np.argsort(old_keys, kind="stable")
    maker = _Version(folder)
    numbers = dict.fromkeys(("added", "deleted", "restored", "unchanged"), 0)
    with pa.OSFile(str(arriving)) as source:  # read, not mapped: what is done with need not stay in memory
        reader = pa.ipc.open_file(source)
        start = 0
        for i in range(reader.num_record_batches):
            batch = pa.Table.from_batches([reader.get_batch(i)])
            chosen = np.flatnonzero(is_last[start : start + batch.num_rows])
            mine = keys[start : start + batch.num_rows][chosen]
            start += batch.num_rows
            maker.write(_joined(batch.take(pa.array(chosen)), mine, old, old_keys, order, numbers))
        del reader
    arriving.unlink()
    kept = np.flatnonzero(~np.isin(old_keys, keys))
    for part in np.array_split(kept, max(1, -(-len(kept) // _BATCH))):
        rest = old.take(pa.array(part))
        if whole:
            numbers["deleted"] += rest.column("deleted_at").null_count
            gone = pc.coalesce(rest.column("deleted_at"), pa.scalar(now, ENTRIES.field("deleted_at").type))
            rest = rest.set_column(rest.schema.get_field_index("deleted_at"), ENTRIES.field("deleted_at"), gone)
        elif len(part):
            numbers["unchanged"] += rest.column("deleted_at").null_count
        maker.write(rest)
    maker.close()
    return numbers, maker.counts, maker.n_deleted


def _joined(
    batch: pa.Table, keys: np.ndarray, old: pa.Table, old_keys: np.ndarray, order: np.ndarray, numbers: dict[str, int]
) -> pa.Table:
    """Give arriving entries the times of the same entries before, and count what happened to them."""
    deleted = batch.column("deleted_at").is_valid().to_numpy()
    if not len(old_keys):
        numbers["added"] += int((~deleted).sum())
        return batch
    at = np.minimum(np.searchsorted(old_keys, keys, sorter=order), len(order) - 1)
    before = order[at]
    is_old = old_keys[before] == keys
    were = old.select(["added_at", "deleted_at"]).take(pa.array(before))
    was_deleted = were.column("deleted_at").is_valid().to_numpy() & is_old
    numbers["added"] += int((~is_old & ~deleted).sum())
    numbers["restored"] += int((was_deleted & ~deleted).sum())
    numbers["deleted"] += int((is_old & ~was_deleted & deleted).sum())
    numbers["unchanged"] += int((is_old & ~was_deleted & ~deleted).sum())
    known = pa.array(is_old)
    added = pc.if_else(known, were.column("added_at").combine_chunks(), batch.column("added_at").combine_chunks())
    still = pa.array(was_deleted & deleted)
    gone = pc.if_else(still, were.column("deleted_at").combine_chunks(), batch.column("deleted_at").combine_chunks())
    return batch.set_column(4, ENTRIES.field("added_at"), added).set_column(5, ENTRIES.field("deleted_at"), gone)


class _Version:
    """Writes the entries of one version in order, and gathers their look-up arrays."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.counts: dict[str, int] = {}
        self.n_deleted = 0
        self._rows = self._texts = 0
        self._parts: dict[str, list[np.ndarray]] = {name: [held] for name, held in empty_arrays().items()}
        self._sink = pa.OSFile(str(folder / "entries.arrow"), "wb")
        self._writer = pa.ipc.new_file(self._sink, ENTRIES)

    def write(self, entries: pa.Table) -> None:
        """Append some entries."""
        if not entries.num_rows:
            return
        entries = entries.cast(ENTRIES)
        self._writer.write_table(entries)
        for name, part in look_up_arrays(entries, self._rows, self._texts).items():
            if len(part):
                self._parts[name].append(part)
                if name == "text_rows":
                    self._texts += len(part)
        self._rows += entries.num_rows
        active = entries.filter(entries.column("deleted_at").is_null())
        self.n_deleted += entries.num_rows - active.num_rows
        for row in pc.value_counts(active.column("signal")).to_pylist():
            self.counts[row["values"]] = self.counts.get(row["values"], 0) + row["counts"]

    def close(self) -> None:
        """Write the arrays and make everything durable."""
        self._writer.close()
        self._sink.close()
        for name in ARRAYS:
            parts = self._parts.pop(name)
            np.save(self.folder / f"{name}.npy", np.concatenate(parts), allow_pickle=False)
        for path in self.folder.iterdir():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(self.folder)

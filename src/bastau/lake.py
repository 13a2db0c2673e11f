"""The lake: append-only Parquet that survives kill -9, full disks and reruns.

One file a batch: ``<root>/<table>/day=YYYY-MM-DD/<batch>.parquet``. The batch id is a hash of what was read, so
writing a batch again changes nothing. A file is written under a temporary name, synced and renamed: it is there
whole or not at all. Files are never changed. Compaction and erasure write a replacement ``c-<hash>.parquet`` and
then a record ``_replaced/<name>.json`` that names the files it stands for: the record is the commit. A reader
takes a file if no record replaces it and, for ``c-`` files, if its own record is there. So a crash at any moment
leaves either the old files or the new one in force, and :meth:`Lake.tidy` finishes the deletion.

Days are days of *storing*, not of publication: an import of old posts would otherwise scatter over hundreds of
small files (docs/decisions/0008-lake.md).
"""

import errno
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from bastau.errors import ConfigError, DiskFull, LakeDamaged
from bastau.schemas import TABLES
from bastau.tables import conform

LAKE_TABLES = (
    "posts",
    "readings",
    "matches",
    "rejects",
    "imports",
    "publishers",
    "pages",
    "sightings",
    "edits",
    "looks",
    "gaps",
    "claims",
    "page_signals",
    "entries",
)
"""Tables that hold what came in; everything else is remade from them."""

_BATCH = re.compile(r"^[a-z0-9][a-z0-9-]{3,63}$")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LakeFile:
    """One live file: its path inside the lake, and the batches whose rows it holds."""

    table: str
    path: str
    batches: tuple[str, ...]

    @property
    def day(self) -> date:
        """The day that it was stored."""
        return date.fromisoformat(self.path.split("/")[1].removeprefix("day="))


@dataclass(frozen=True)
class Problem:
    """Something :meth:`Lake.check` found: a code, the file, and what to do."""

    code: str
    path: str
    remedy: str


@dataclass
class _Listing:
    live: list[LakeFile] = field(default_factory=list)
    batches: set[str] = field(default_factory=set)
    leftovers: list[str] = field(default_factory=list)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)


class Lake:
    """Parquet tables under one root, on a local disk or any Arrow or fsspec file system."""

    def __init__(self, filesystem: pafs.FileSystem, root: str):
        self.filesystem = filesystem
        self.root = root.rstrip("/")
        self.is_local = isinstance(filesystem, pafs.LocalFileSystem)

    @classmethod
    def open(cls, root: str | Path) -> "Lake":
        """Open the lake at a folder or an address such as ``s3://bucket/prefix``.

        Credentials come from the environment of the file system (for S3: ``AWS_ACCESS_KEY_ID`` and so on).

        Raises:
            ConfigError: the address is of no known file system, or carries a password.
        """
        text = str(root)
        if "://" not in text:
            return cls(pafs.LocalFileSystem(), str(Path(text).absolute()))
        scheme, rest = text.split("://", 1)
        if "@" in rest.split("/", 1)[0]:
            raise ConfigError("lake.root: leave keys out of the address; set them in the environment")
        try:
            filesystem, path = pafs.FileSystem.from_uri(text)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            import fsspec

            try:
                inner, path = fsspec.core.url_to_fs(text)
            except (ValueError, ImportError) as error:
                raise ConfigError(f"lake.root: no file system for {scheme}://: {error}") from error
            filesystem = pafs.PyFileSystem(pafs.FSSpecHandler(inner))
        return cls(filesystem, path)

    # ---- writing ---------------------------------------------------------------------------------------

    def commit(self, table: str, batch: str, rows: pa.Table, day: date, *, holds: Sequence[str] = ()) -> bool:
        """Store ``rows`` as batch ``batch``; return False when it was stored before.

        ``holds`` names the batches in ``rows`` when they are several (made from a compacted file).

        Raises:
            ContractError: the rows do not fit the table's schema.
            DiskFull: no space; nothing of the batch is left behind.
        """
        if not _BATCH.match(batch):
            raise ValueError(f"not a batch id: {batch!r}")
        if self._exists(self._path(table, day, batch)):
            return False
        checked = conform(rows, TABLES[table])
        if len(holds) > 1:
            self._replace(table, f"day={day.isoformat()}", [], checked, holds)
        else:
            self._write(self._path(table, day, batch), checked)
        return True

    def _path(self, table: str, day: date, batch: str) -> str:
        return f"{table}/day={day.isoformat()}/{batch}.parquet"

    def _write(self, path: str, rows: pa.Table) -> None:
        def body(sink: Any) -> None:
            pq.write_table(
                rows,
                sink,
                compression="zstd",
                compression_level=1,
                row_group_size=1 << 17,
                use_dictionary=[
                    n for n in ("platform", "source", "source_kind", "source_name") if n in rows.schema.names
                ],
                write_statistics=["published_at"] if "published_at" in rows.schema.names else False,
            )

        write_whole(self.filesystem, f"{self.root}/{path}", body)

    # ---- listing and reading ---------------------------------------------------------------------------

    def files(self, table: str) -> list[LakeFile]:
        """Return the live files of ``table``, by path."""
        return self._list(table).live

    def batches(self, table: str) -> set[str]:
        """Return every batch id stored in ``table``, also those that were compacted or erased since."""
        return self._list(table).batches

    def full_paths(self, table: str) -> list[str]:
        """Return the live files of ``table`` as the file system knows them."""
        return [f"{self.root}/{file.path}" for file in self.files(table)]

    def read(self, table: str, columns: Sequence[str] | None = None, batches: Iterable[str] | None = None) -> pa.Table:
        """Return the rows of ``table``, or of the files that hold any of ``batches``; order by file path.

        Raises:
            LakeDamaged: a file is torn or is not Parquet.
        """
        wanted = None if batches is None else set(batches)
        schema = TABLES[table] if columns is None else pa.schema([TABLES[table].field(c) for c in columns])
        parts = [
            self.read_file(file, columns)
            for file in self.files(table)
            if wanted is None or wanted.intersection(file.batches)
        ]
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def read_file(self, file: LakeFile, columns: Sequence[str] | None = None) -> pa.Table:
        """Return one live file, rows in the order they were stored."""
        names = TABLES[file.table].names if columns is None else list(columns)
        try:
            table = pq.read_table(
                f"{self.root}/{file.path}",
                columns=names,
                filesystem=self.filesystem,
                partitioning=None,
                use_threads=False,
            )
        except (pa.ArrowInvalid, OSError) as error:
            raise LakeDamaged(f"{file.path}: {_short(error)}; run `bastau doctor --repair`") from error
        return table.select(names).cast(pa.schema([TABLES[file.table].field(n) for n in names]))

    def _list(self, table: str) -> _Listing:
        listing = _Listing()
        infos = self.filesystem.get_file_info(
            pafs.FileSelector(f"{self.root}/{table}", recursive=True, allow_not_found=True)
        )
        data: dict[str, str] = {}
        for info in sorted(infos, key=lambda i: i.path):
            if info.type != pafs.FileType.File:
                continue
            path = info.path.lstrip("/")[len(self.root.lstrip("/")) + 1 :]
            name = path.rsplit("/", 1)[-1]
            if "/_damaged/" in path:
                continue
            if name.startswith(".tmp-"):
                listing.leftovers.append(path)
            elif "/_replaced/" in path and name.endswith(".json"):
                listing.records[name.removesuffix(".json")] = self._record(path)
            elif name.endswith(".parquet"):
                data[path] = name.removesuffix(".parquet")
        replaced = {old for record in listing.records.values() for old in record["replaces"]}
        for path, name in data.items():
            if path in replaced or (name.startswith("c-") and name not in listing.records):
                listing.leftovers.append(path)
                continue
            batches = tuple(listing.records[name]["batches"]) if name in listing.records else (name,)
            listing.live.append(LakeFile(table, path, batches))
        listing.batches = {b for file in listing.live for b in file.batches}
        listing.batches |= {b for record in listing.records.values() for b in record["batches"]}
        return listing

    def _record(self, path: str) -> dict[str, Any]:
        try:
            with self.filesystem.open_input_stream(f"{self.root}/{path}") as stream:
                record: dict[str, Any] = json.loads(stream.read())
                return record
        except (ValueError, OSError) as error:
            raise LakeDamaged(f"{path}: {_short(error)}; restore it from a backup") from error

    def _exists(self, path: str) -> bool:
        return bool(self.filesystem.get_file_info(f"{self.root}/{path}").type == pafs.FileType.File)

    # ---- compaction and erasure ------------------------------------------------------------------------

    def compact(self, table: str, *, only: set[str], target_rows: int = 1 << 20) -> int:
        """Merge small files of the same day up to ``target_rows`` each; return how many files went away.

        ``only``: the batches that may be touched (those that a run has processed).
        """
        gone = 0
        by_day: dict[str, list[LakeFile]] = {}
        for file in self.files(table):
            if not only.issuperset(file.batches):
                continue
            by_day.setdefault(file.path.split("/")[1], []).append(file)
        for day, files in sorted(by_day.items()):
            for group in self._groups(files, target_rows):
                if len(group) > 1:
                    self._replace(table, day, group, pa.concat_tables([self.read_file(f) for f in group]))
                    gone += len(group) - 1
        self.tidy(table)
        return gone

    def _groups(self, files: Sequence[LakeFile], target_rows: int) -> list[list[LakeFile]]:
        """Split files, in order, into runs of at most ``target_rows`` rows (or one file)."""
        groups: list[list[LakeFile]] = [[]]
        n_rows = 0
        for file in files:
            rows = self._num_rows(file)
            if groups[-1] and n_rows + rows > target_rows:
                groups.append([])
                n_rows = 0
            groups[-1].append(file)
            n_rows += rows
        return groups

    def erase(self, table: str, keep: Callable[[pa.Table], pa.Array]) -> int:
        """Remove the rows for which ``keep`` (table -> boolean array) is not true; return how many went.

        The batches stay known, so importing the same file again does not bring the rows back.
        """
        erased = 0
        for file in self.files(table):
            rows = self.read_file(file)
            kept = rows.filter(keep(rows))
            if kept.num_rows < rows.num_rows:
                erased += rows.num_rows - kept.num_rows
                self._replace(table, file.path.split("/")[1], [file], kept)
        self.tidy(table)
        return erased

    def drop(self, table: str) -> None:
        """Remove a whole table and the memory of its batches (for tables that are remade)."""
        if self.filesystem.get_file_info(f"{self.root}/{table}").type == pafs.FileType.Directory:
            self.filesystem.delete_dir(f"{self.root}/{table}")

    def drop_stale(self, table: str, made_by: str) -> bool:
        """Remove a whole table unless it was made by ``made_by``, and note that it is from now on; return whether it went."""
        path = f"{self.root}/{table}/_made_by.json"
        wanted = json.dumps({"made_by": made_by})
        try:
            with self.filesystem.open_input_stream(path) as stream:
                stored = stream.read().decode()
        except OSError:
            stored = ""
        if stored == wanted:
            return False
        self.drop(table)
        write_whole(self.filesystem, path, lambda sink: sink.write(wanted.encode()))
        return True

    def _replace(
        self, table: str, day: str, old: Sequence[LakeFile], rows: pa.Table, holds: Sequence[str] = ()
    ) -> None:
        batches = sorted({b for file in old for b in file.batches} | set(holds))
        digest = hashlib.blake2b(
            "\n".join([*batches, str(rows.num_rows), *(f.path for f in old)]).encode(), digest_size=12
        )
        name = f"c-{digest.hexdigest()}"
        if rows.num_rows:
            self._write(f"{table}/{day}/{name}.parquet", rows)
        record = {"batches": batches, "replaces": [file.path for file in old], "rows": rows.num_rows}
        write_whole(
            self.filesystem,
            f"{self.root}/{table}/_replaced/{name}.json",
            lambda sink: sink.write(json.dumps(record).encode()),
        )

    def _num_rows(self, file: LakeFile) -> int:
        try:
            with self.filesystem.open_input_file(f"{self.root}/{file.path}") as source:
                return int(pq.read_metadata(source).num_rows)
        except (pa.ArrowInvalid, OSError) as error:
            raise LakeDamaged(f"{file.path}: {_short(error)}; run `bastau doctor --repair`") from error

    def tidy(self, table: str) -> list[str]:
        """Delete unfinished and replaced files of ``table``; return their paths. Only with the home locked."""
        listing = self._list(table)
        for path in listing.leftovers:
            self.filesystem.delete_file(f"{self.root}/{path}")
        # A record stays while it names batches of rows that live nowhere else; of chains only the last is needed.
        newest = {
            old.rsplit("/", 1)[-1].removesuffix(".parquet") for r in listing.records.values() for old in r["replaces"]
        }
        for name in listing.records:
            if name in newest:
                self.filesystem.delete_file(f"{self.root}/{table}/_replaced/{name}.json")
        return listing.leftovers

    # ---- checking --------------------------------------------------------------------------------------

    def check(self, *, deep: bool = False) -> list[Problem]:
        """Look at every file: torn, unreadable, unfinished; ``deep`` reads every page, not only the footers."""
        problems = []
        for table in LAKE_TABLES:
            listing = self._list(table)
            problems += [
                Problem("unfinished", path, "is removed by --repair; nothing is lost") for path in listing.leftovers
            ]
            for file in listing.live:
                try:
                    if deep:
                        self.read_file(file)
                    else:
                        self._num_rows(file)
                except LakeDamaged:
                    remedy = "--repair sets it aside; import the same file again to restore its posts"
                    if table in ("readings", "matches", "page_signals"):
                        remedy = "--repair removes it; the next run makes it again"
                    problems.append(Problem("damaged", file.path, remedy))
        return problems

    def set_aside(self, path: str) -> None:
        """Move a damaged file to ``_damaged/`` of its table, so that its batch counts as not stored."""
        table, _, name = path.split("/", 2)
        target = f"{self.root}/{table}/_damaged/{name}"
        self.filesystem.create_dir(target.rsplit("/", 1)[0], recursive=True)
        self.filesystem.move(f"{self.root}/{path}", target)
        record = f"{self.root}/{table}/_replaced/{name.rsplit('/', 1)[-1].removesuffix('.parquet')}.json"
        if self.filesystem.get_file_info(record).type == pafs.FileType.File:
            self.filesystem.delete_file(record)


def write_whole(filesystem: pafs.FileSystem, path: str, body: Callable[[Any], Any]) -> None:
    """Write a file so that it appears whole or not at all: temporary name, fsync, rename, fsync of the folder.

    Object stores show an object only when it is complete, so there it is written under its own name.

    Raises:
        DiskFull: no space is left; the temporary file is gone.
    """
    folder, name = path.rsplit("/", 1)
    if not isinstance(filesystem, pafs.LocalFileSystem):
        filesystem.create_dir(folder, recursive=True)
        with filesystem.open_output_stream(path) as sink:
            body(sink)
        return
    temporary = Path(folder) / f".tmp-{os.getpid()}-{name}"
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            body(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(Path(folder))
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"{folder}: no space left; free some and run the same command again") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ConfigError(f"{folder}: no permission to write") from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make renames in a local folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _short(error: Exception) -> str:
    # Arrow's own words repeat the path and go on for lines.
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else "torn, or not what its name says"

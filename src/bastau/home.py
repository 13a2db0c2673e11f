"""The home folder: settings, keys, the lake, and generations of derived tables; one writer at a time.

bastau-home/
  bastau.toml        settings (optional)
  keys/              the current pseudonym key, never anything else
  lake/              posts and what was read from them (may live elsewhere: [lake] root)
  generations/       gen-<n>/ holds the derived tables of run n; CURRENT names the one in force
  lock               held by the process that writes
"""

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from bastau.errors import ConfigError, DiskFull, HomeBusy, LakeDamaged
from bastau.lake import LAKE_TABLES, Lake, sync_folder, write_whole
from bastau.schemas import TABLES
from bastau.settings import Settings, load_settings
from bastau.tables import conform

if TYPE_CHECKING:
    import duckdb

_LOCAL = pafs.LocalFileSystem()
_BRIEFLY = " briefly"
_PATIENCE_S = 30.0
"""How long a process waits for one that holds the lock for a moment."""


@dataclass(frozen=True)
class Home:
    """An opened home folder."""

    folder: Path
    settings: Settings

    @classmethod
    def open(cls, folder: Path, *, create: bool = False) -> "Home":
        """Open ``folder``, making it first if ``create``.

        Raises:
            ConfigError: it is missing, is a file, cannot be written, or its settings are wrong.
        """
        folder = folder.absolute()
        if not folder.exists():
            if not create:
                raise ConfigError(
                    f"{folder}: no such home folder; `bastau import FILE...` makes one, or name it with --home"
                )
            try:
                folder.mkdir(parents=True)
            except OSError as error:
                raise ConfigError(f"{folder}: cannot be made: {error.strerror}") from error
        if not folder.is_dir():
            raise ConfigError(f"{folder}: is a file, not a home folder")
        return cls(folder, load_settings(folder / "bastau.toml"))

    @cached_property
    def lake(self) -> Lake:
        """The lake of this home."""
        return Lake.open(self.lake_root)

    @property
    def lake_root(self) -> str:
        """Folder or address of the lake."""
        return self.settings.lake.root or str(self.folder / "lake")

    @property
    def keys(self) -> Path:
        """Folder of the pseudonym key."""
        return self.folder / "keys"

    @contextlib.contextmanager
    def locked(self, file: str = "lock", *, briefly: bool = False) -> Iterator[None]:
        """Hold the right to write; the kernel gives it back when the process dies.

        Args:
            file: of the lock: one of its own for what keeps nobody from the rest of the home.
            briefly: for a moment only, as a watching process does again and again: who wants it for longer waits, while
                another that wants it briefly is told at once and tries again by itself.

        Raises:
            HomeBusy: another process holds it.
            ConfigError: no permission to write here.
        """
        path = self.folder / file
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ConfigError(f"{self.folder}: no permission to write ({error.strerror})") from error
        try:
            self._take(descriptor, patience_s=0.0 if briefly else _PATIENCE_S)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}{_BRIEFLY if briefly else ''}".encode(), 0)
            try:
                yield
            finally:
                os.ftruncate(descriptor, 0)  # who finds it taken must not read the number of the one before
        except OSError as error:
            if error.errno == 28:
                raise DiskFull(f"{self.folder}: no space left; free some and run the same command again") from error
            raise
        finally:
            os.close(descriptor)

    def _take(self, descriptor: int, patience_s: float) -> None:
        """Lock, waiting for those who hold the lock for a moment only."""
        until = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
                # An empty file: its holder has just taken it and not written its number yet.
                if (holder.endswith(_BRIEFLY.strip()) or not holder) and time.monotonic() < until:
                    time.sleep(0.02)
                    continue
                pid = holder.split()[0] if holder else "unknown"
                raise HomeBusy(
                    f"{self.folder}: in use by another bastau process (pid {pid}); wait for it or stop it, then try again"
                ) from error

    # ---- generations -----------------------------------------------------------------------------------

    @property
    def _generations(self) -> Path:
        return self.folder / "generations"

    def generation(self) -> "Generation | None":
        """Return the generation in force, or None before the first run."""
        try:
            name = (self._generations / "CURRENT").read_text("ascii").strip()
        except FileNotFoundError:
            return None
        folder = self._generations / name
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise LakeDamaged(
                f"{folder}: {error}; run `bastau doctor --repair`, then `bastau run` to make it again"
            ) from error
        return Generation(folder, manifest)

    def new_generation(self, number: int) -> "Generation":
        """Start an empty generation in a temporary folder; :meth:`put_in_force` makes it count."""
        folder = self._generations / f".tmp-gen-{number:08d}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return Generation(folder, {"generation": number})

    def next_generation(self, previous: "Generation", without: Collection[str]) -> "Generation":
        """Start the generation after ``previous`` with all its tables but ``without``, which are to be made anew."""
        generation = self.new_generation(previous.manifest["generation"] + 1)
        for path in previous.folder.glob("*.parquet"):
            if path.stem not in without:
                try:
                    os.link(path, generation.folder / path.name)
                except OSError:  # no hard links here
                    shutil.copy2(path, generation.folder / path.name)
        return generation

    def put_in_force(self, generation: "Generation", manifest: Mapping[str, Any]) -> "Generation":
        """Finish ``generation``: write its manifest, name it, point CURRENT at it and remove older ones."""
        number = generation.manifest["generation"]
        body = json.dumps({**manifest, "generation": number}, indent=1).encode()
        write_whole(_LOCAL, str(generation.folder / "manifest.json"), lambda sink: sink.write(body))
        name = f"gen-{number:08d}"
        target = self._generations / name
        shutil.rmtree(target, ignore_errors=True)
        generation.folder.rename(target)
        sync_folder(self._generations)
        write_whole(_LOCAL, str(self._generations / "CURRENT"), lambda sink: sink.write(name.encode()))
        self.tidy_generations()
        return Generation(target, {**manifest, "generation": number})

    def tidy_generations(self, *, keep_previous: bool = True) -> list[str]:
        """Remove unfinished generations and all but the one in force (and the one before, for open readers)."""
        current = self.generation()
        if not self._generations.is_dir():
            return []
        numbered = sorted(p.name for p in self._generations.iterdir() if p.name.startswith("gen-"))
        keep = {current.folder.name} if current else set()
        if current and keep_previous:
            keep.update([n for n in numbered if n < current.folder.name][-1:])
        gone = [p for p in self._generations.iterdir() if p.is_dir() and p.name not in keep]
        for path in gone:
            shutil.rmtree(path)
        return [p.name for p in gone]

    # ---- reading everything with SQL -------------------------------------------------------------------

    def connect(self) -> "duckdb.DuckDBPyConnection":
        """Return a DuckDB connection with one view per table of :data:`bastau.schemas.TABLES`, empty ones included."""
        import duckdb

        memory = self.settings.engine.memory
        con = duckdb.connect(config={"memory_limit": memory, "autoinstall_known_extensions": "false"})
        con.execute("SET TimeZone = 'UTC'")
        if self.settings.engine.threads:
            con.execute(f"SET threads = {self.settings.engine.threads}")
        for name, source in self.sources().items():
            create_view(con, name, source)
        return con

    def sources(self) -> "dict[str, list[str] | Any]":
        """Return, by table, its Parquet paths, or an Arrow dataset when the lake is not on a local disk."""
        found: dict[str, Any] = {}
        generation = self.generation()
        for name in TABLES:
            if name in LAKE_TABLES:
                paths = self.lake.full_paths(name)
                if paths and not self.lake.is_local:
                    import pyarrow.dataset as ds

                    found[name] = ds.dataset(paths, schema=TABLES[name], filesystem=self.lake.filesystem)
                    continue
            else:
                paths = generation.paths(name) if generation else []
            found[name] = paths
        return found


def create_view(con: "duckdb.DuckDBPyConnection", name: str, source: Any) -> None:
    """Make ``name`` a view over Parquet paths, an Arrow dataset or, for an empty list, over no rows.

    Columns that a derived table of an older release lacks are null.
    """
    if isinstance(source, list) and source:
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in source)
        table = f"read_parquet([{listed}], hive_partitioning = false)"
        missing = []
        if name in TABLES and name not in LAKE_TABLES:
            held = {column[0] for column in con.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()}  # noqa: S608 - quoted above
            missing = [column for column in TABLES[name].names if column not in held]
        if missing:
            con.register(f"_{name}", TABLES[name].empty_table())
        nulls = "".join(f', (SELECT any_value("{column}") FROM _{name}) AS "{column}"' for column in missing)  # noqa: S608 - our own names
        con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT *{nulls} FROM {table}")  # noqa: S608 - quoted above
        return
    held = TABLES[name].empty_table() if isinstance(source, list) else source
    con.register(f"_{name}", held)
    con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM _{name}")  # noqa: S608 - our own table names


@dataclass(frozen=True)
class Generation:
    """The derived tables of one run: ``<folder>/<table>.parquet`` and a manifest of what they were made from."""

    folder: Path
    manifest: dict[str, Any]

    def write(self, table: str, rows: pa.Table) -> None:
        """Store one derived table; nothing counts before :meth:`Home.put_in_force`."""
        schema = TABLES.get(table)
        checked = conform(rows, schema) if schema is not None else rows
        write_whole(
            _LOCAL,
            str(self.folder / f"{table}.parquet"),
            lambda sink: pq.write_table(
                checked, sink, compression="snappy", use_dictionary=False, write_statistics=False
            ),
        )

    def read(self, table: str, columns: list[str] | None = None) -> pa.Table:
        """Return one derived table.

        Raises:
            LakeDamaged: it is torn or missing.
        """
        try:
            return pq.read_table(self.folder / f"{table}.parquet", columns=columns, partitioning=None)
        except (pa.ArrowInvalid, OSError) as error:
            raise LakeDamaged(
                f"{self.folder / table}.parquet: cannot be read; run `bastau doctor --repair`, then `bastau run`"
            ) from error

    def paths(self, table: str) -> list[str]:
        """Return the files of one derived table, none if the run did not make it."""
        path = self.folder / f"{table}.parquet"
        return [str(path)] if path.exists() else []


@contextlib.contextmanager
def writing(home: Home, file: str, patience_s: float = 60.0) -> Iterator[None]:
    """Hold the right to write to what the lock ``file`` of a home guards, waiting a while for whoever holds it.

    Archive and log of review have locks of their own: nothing slow there keeps posts from being stored, and nothing slow in storing holds
    them up.

    Raises:
        HomeBusy: it is still held after ``patience_s``.
    """
    until = time.monotonic() + patience_s
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(home.locked(file, briefly=True))
                break
            except HomeBusy:
                if time.monotonic() >= until:
                    raise
            time.sleep(0.05)
        yield

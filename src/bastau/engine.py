"""Where work runs: this machine (threads, Ibis on DuckDB) or a Spark cluster (mapInArrow, Ibis on PySpark).

A stage or a relational step exists once. Row-wise work is a plain function of a batch id; relational work is an
Ibis expression over the tables that the engine opens. What is global (grouping near-duplicates, groups of sources)
runs in the driver on compact columns; docs/decisions/0003-engine.md says what that costs.
"""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Protocol

import ibis
import pyarrow as pa

from bastau.errors import ConfigError
from bastau.home import create_view
from bastau.settings import EngineSettings


class Engine(Protocol):
    """What the pipeline asks of an engine."""

    name: str

    def map_batches(self, work: Callable[[str], int], batches: Sequence[str], done: Callable[[int], None]) -> None:
        """Call ``work`` once for each batch id, anywhere; ``done`` gets what each call returned."""

    def open(self, sources: Mapping[str, Any]) -> None:
        """Make tables available under their names: Parquet paths, an Arrow dataset, or an Arrow table."""

    def table(self, name: str) -> Any:
        """Return an opened table as an Ibis expression."""

    def keep(self, expression: Any) -> Any:
        """Compute an expression once and return it as a table for further expressions."""

    def collect(self, expression: Any) -> pa.Table:
        """Compute an expression and bring it to the driver."""

    def close(self) -> None:
        """Give back memory, temporary files and, for Spark, the session."""


class LocalEngine:
    """Threads for row-wise work, DuckDB for relational work; spills to a temporary folder."""

    name = "local"

    def __init__(self, settings: EngineSettings):
        self.threads = settings.threads or os.cpu_count() or 1
        self._temporary = tempfile.TemporaryDirectory(prefix="bastau-")
        self._ibis = ibis.duckdb.connect(
            threads=self.threads,
            memory_limit=settings.memory,
            temp_directory=self._temporary.name,
            preserve_insertion_order=False,
            autoinstall_known_extensions=False,
        )
        self._ibis.con.execute("SET TimeZone = 'UTC'")
        self._kept = 0

    def map_batches(self, work: Callable[[str], int], batches: Sequence[str], done: Callable[[int], None]) -> None:
        """Run ``work`` in threads; the kernels release the GIL."""
        with ThreadPoolExecutor(self.threads) as pool:
            futures = [pool.submit(work, batch) for batch in batches]
            try:
                for future in as_completed(futures):
                    done(future.result())
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def open(self, sources: Mapping[str, Any]) -> None:
        """Make one view for each table."""
        for name, source in sources.items():
            create_view(self._ibis.con, name, source)

    def table(self, name: str) -> Any:
        """Return an opened table."""
        return self._ibis.table(name)

    def keep(self, expression: Any) -> Any:
        """Store the expression as a temporary table."""
        self._kept += 1
        # Typed by Ibis: a plain CREATE TABLE AS would make decimals of float literals.
        return self._ibis.create_table(f"kept_{self._kept}", expression, temp=True)

    def collect(self, expression: Any) -> pa.Table:
        """Return the expression as an Arrow table."""
        # Ibis 12.0 calls result methods that DuckDB 2 removed, so the compiled SQL goes to DuckDB directly.
        return self._ibis.con.sql(ibis.to_sql(expression, dialect="duckdb")).to_arrow_table()

    def close(self) -> None:
        """Close the connection and remove spilled data."""
        self._ibis.disconnect()
        self._temporary.cleanup()


def open_engine(settings: EngineSettings) -> Engine:
    """Return the engine that the settings name.

    Raises:
        ConfigError: Spark is asked for and is not installed or does not start.
    """
    if settings.name != "spark":
        return LocalEngine(settings)
    try:
        from bastau.spark import SparkEngine
    except ImportError as error:
        raise ConfigError("the Spark engine needs the extra: pip install 'bastau[spark]'") from error
    return SparkEngine(settings)

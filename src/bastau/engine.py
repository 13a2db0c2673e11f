"""Where work runs: this machine (threads, Ibis on DuckDB) or a Spark cluster (mapInArrow, Ibis on PySpark).

A stage or a relational step exists once. Row-wise work is a plain function of a batch id; relational work is an
Ibis expression over the tables that the engine opens. What is global (grouping near-duplicates, groups of sources)
runs in the driver on compact columns; docs/decisions/0003-engine.md says what that costs.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol

import ibis
import pyarrow as pa

from bastau.errors import ConfigError
from bastau.home import create_view
from bastau.schemas import TABLES
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


class SparkEngine:
    """PySpark 4: row-wise work by ``mapInArrow`` over batch ids, relational work by Ibis on the same session.

    The lake must be reachable under the same address from every executor (shared folder or S3), and bastau
    installed in the Python that executors run.
    """

    name = "spark"

    def __init__(self, settings: EngineSettings):
        try:
            from pyspark.sql import SparkSession
        except ImportError as error:
            raise ConfigError("the Spark engine needs the extra: pip install 'bastau[spark]'") from error
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
        self._temporary = tempfile.TemporaryDirectory(prefix="bastau-spark-")
        builder = (
            SparkSession.builder.appName("bastau")
            .master(settings.spark_master or "local-cluster[2,1,2048]")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.execution.arrow.pyspark.enabled", "true")
            .config("spark.sql.ansi.enabled", "true")
            .config("spark.sql.shuffle.partitions", "8")
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.log.level", "ERROR")
            .config("spark.sql.warehouse.dir", self._temporary.name)
            .config("spark.executorEnv.NUMBA_CACHE_DIR", os.environ.get("NUMBA_CACHE_DIR", ""))
        )
        if not settings.spark_master:  # on one machine nothing needs to listen to the network
            builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        try:
            self._spark = builder.getOrCreate()
        except Exception as error:  # the JVM says what is wrong in many ways; the operator must read it
            raise ConfigError(
                f"Spark does not start: {str(error).splitlines()[0]}; it needs Java 17 or later"
            ) from error
        self._ibis = ibis.pyspark.connect(self._spark)
        self._kept: list[Any] = []

    def map_batches(self, work: Callable[[str], int], batches: Sequence[str], done: Callable[[int], None]) -> None:
        """Spread the batch ids over the executors; each reads its batch from the lake and commits what it makes."""
        if not batches:
            return

        def each(frames: Any) -> Any:
            for frame in frames:
                counts = [work(batch) for batch in frame.column("batch").to_pylist()]
                yield pa.RecordBatch.from_pydict({"n": pa.array(counts, pa.int64())})

        frame = self._spark.createDataFrame([(b,) for b in batches], "batch string").repartition(len(batches))
        for row in frame.mapInArrow(each, "n long").collect():
            done(int(row["n"]))

    def open(self, sources: Mapping[str, Any]) -> None:
        """Register each table as a temporary view; Arrow tables are written to a temporary Parquet file first."""
        from pyspark.sql.pandas.types import from_arrow_schema

        for name, source in sources.items():
            if isinstance(source, list) and source:
                frame = self._spark.read.schema(from_arrow_schema(TABLES[name], prefer_timestamp_ntz=False)).parquet(
                    *source
                )
            elif isinstance(source, list):
                frame = self._spark.createDataFrame([], from_arrow_schema(TABLES[name], prefer_timestamp_ntz=False))
            else:
                files = [_spark_address(path) for path in source.files]
                frame = self._spark.read.parquet(*files)
            frame.createOrReplaceTempView(name)

    def table(self, name: str) -> Any:
        """Return an opened table."""
        return self._ibis.table(name)

    def keep(self, expression: Any) -> Any:
        """Cache the expression in the cluster."""
        name = f"kept_{len(self._kept)}"
        from ibis.backends.pyspark.datatypes import PySparkSchema

        # Typed by Ibis: Spark would make decimals of float literals.
        frame = self._spark.sql(ibis.to_sql(expression, dialect="pyspark"))
        frame = frame.to(PySparkSchema.from_ibis(expression.schema())).persist()
        self._kept.append(frame)
        frame.createOrReplaceTempView(name)
        return self._ibis.table(name)

    def collect(self, expression: Any) -> pa.Table:
        """Bring the expression to the driver through Arrow."""
        return self._spark.sql(ibis.to_sql(expression, dialect="pyspark")).toArrow()

    def close(self) -> None:
        """Stop the session."""
        self._spark.stop()
        self._temporary.cleanup()


def _spark_address(path: str) -> str:
    return path if "://" in path or Path(path).is_absolute() else f"s3a://{path}"


def open_engine(settings: EngineSettings) -> Engine:
    """Return the engine that the settings name."""
    return SparkEngine(settings) if settings.name == "spark" else LocalEngine(settings)

"""The Spark engine: row-wise work by ``mapInArrow`` over batch ids, relational work by Ibis on the same session.

The lake must be reachable under the same address from every executor, and bastau installed in the Python that
executors run (docs/how-to/spark.md). What the cluster's own configuration says stays in force: only what the tables
depend on is set here, and, without a master, what makes Spark run on one machine.
"""

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import sqlglot.expressions as sge
from ibis.backends.pyspark import Backend
from ibis.backends.pyspark.datatypes import PySparkSchema
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.formats.pyarrow import PyArrowData
from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.find_spark_home import _find_spark_home
from pyspark.java_gateway import launch_gateway
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from bastau import errors
from bastau.read.rules.kept import keep_compiled, kept_in
from bastau.schemas import TABLES
from bastau.settings import EngineSettings

_log = logging.getLogger(__name__)

ONE_MACHINE = "local-cluster[2,1,2048]"
"""Two executors of one core in processes of their own: the smallest Spark in which nothing is shared by accident."""

_SAME_TABLES = {
    "spark.sql.session.timeZone": "UTC",
    # an overflow is an error here as it is in DuckDB
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}
_QUIET = {"spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
_ON_ONE_MACHINE = {
    "spark.ui.enabled": "false",
    # nothing needs to listen to the network
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
}

_SCHEMES = {"s3": "s3a", "gcs": "gs", "abfs": "abfs", "hdfs": "hdfs"}
"""Arrow's names of file systems, and the schemes under which Hadoop reads the same."""


class SparkEngine:
    """What :class:`bastau.engine.Engine` asks for, on a Spark session that lives as long as the engine."""

    name = "spark"

    def __init__(self, settings: EngineSettings):
        """Start or join Spark.

        Raises:
            ConfigError: Spark does not start (no Java, no such master).
        """
        self._temporary = tempfile.TemporaryDirectory(prefix="bastau-spark-")
        self._is_own_cluster = not settings.spark_master
        try:
            self._spark = _start(settings.spark_master, Path(self._temporary.name))
        except (PySparkException, Py4JError, OSError) as error:
            self._temporary.cleanup()
            raise errors.ConfigError(
                f"Spark does not start: {str(error).splitlines()[0]}; it needs Java 17 or later (--verbose shows its log)"
            ) from error
        self._ibis = _Ibis()
        self._ibis.register_options()
        self._ibis.do_connect(self._spark)
        self._n_kept = 0
        self._is_home_shared = True

    def map_batches(self, work: Callable[[str], int], batches: Sequence[str], done: Callable[[int], None]) -> None:
        """Run one task a batch id; each reads its batch from the lake and commits what it makes.

        A task that Spark repeats commits the same file under the same name. Errors of bastau are not repeated: they come
        back as what they are.
        """
        if not batches:
            return
        ids, rules_folder = list(batches), kept_in()

        def each(frames: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            if rules_folder is not None:  # where the driver keeps them: compiling takes each executor seconds
                keep_compiled(rules_folder)
            for frame in frames:
                for number in frame.column("id").to_pylist():
                    yield pa.RecordBatch.from_pylist([_try(work, ids[number])], _DONE)

        tasks = self._spark.range(0, len(ids), 1, numPartitions=len(ids))
        for row in tasks.mapInArrow(each, "n long, error string, message string").collect():
            if row["error"]:
                raise getattr(errors, row["error"])(row["message"])
            done(row["n"])

    def open(self, sources: Mapping[str, Any]) -> None:
        """Register each table as a temporary view.

        Files of a lake in an object store are read by the executors. Derived tables are files of the driver: executors
        read them where the lake is a folder, since then the home is one too; else they are sent, as Arrow tables are.
        """
        if any(isinstance(source, ds.Dataset) for source in sources.values()):
            self._is_home_shared = False
        for name, source in sources.items():
            self._frame(name, source).createOrReplaceTempView(name)

    def _frame(self, name: str, source: Any) -> DataFrame:
        match source:
            case []:
                return self._send(TABLES[name].empty_table())
            case [*paths]:
                if not self._is_home_shared:
                    return self._send(pa.concat_tables([pq.read_table(path, partitioning=None) for path in paths]))
                files = paths
            case pa.Table():
                return self._send(source)
            case ds.Dataset():
                scheme = _SCHEMES.get(source.filesystem.type_name, "s3a")
                files = [f"{scheme}://{path}" for path in source.files]
            case _:
                raise TypeError(f"{name}: neither files nor a table")
        return self._spark.read.schema(_spark_schema(TABLES[name])).parquet(*files)

    def _send(self, table: pa.Table) -> DataFrame:
        if table.num_rows == 0:
            return self._spark.createDataFrame([], _spark_schema(table.schema))
        return self._spark.createDataFrame(table)

    def table(self, name: str) -> Any:
        """Return an opened table."""
        return self._ibis.table(name)

    def keep(self, expression: Any) -> Any:
        """Compute the expression and keep its rows, without the plan that made them.

        A cached view would keep its plan, and plans made of plans outgrow the planner: coordination over 3,200 posts took
        the driver's memory. The rows lie on the executors; with ``spark.checkpoint.dir`` set they lie there and outlive
        an executor.
        """
        # Spark counts in narrower integers than Ibis expects of the next expression.
        frame = self._ibis.frame(expression).to(PySparkSchema.from_ibis(expression.schema()))
        # Given as bare rows: asked to keep a plan with a union in it, Spark 4 may not find its own columns ("key not found").
        rows = self._spark._jsparkSession.createDataFrame(frame._jdf.toJavaRDD(), frame._jdf.schema())
        frame = DataFrame(rows, self._spark)
        frame = frame.checkpoint() if self._spark.conf.get("spark.checkpoint.dir", None) else frame.localCheckpoint()
        self._n_kept += 1
        name = f"kept_{self._n_kept}"
        frame.createOrReplaceTempView(name)
        return self._ibis.table(name)

    def collect(self, expression: Any) -> pa.Table:
        """Bring the expression to the driver."""
        return self._ibis.to_pyarrow(expression)

    def close(self) -> None:
        """Stop the session and remove what it left on this machine."""
        with contextlib.suppress(Py4JError):  # Spark may have gone before
            application = self._spark.sparkContext.applicationId
            self._spark.stop()
            if (
                self._is_own_cluster
            ):  # its workers keep a folder for each application, and have no setting for the place
                shutil.rmtree(Path(_find_spark_home()) / "work" / application, ignore_errors=True)
        self._temporary.cleanup()


class _Compiler(PySparkCompiler):  # type: ignore[misc]
    """Ibis' compiler, with fractions as double precision: Spark takes 0.5 for a decimal and cuts digits off quotients."""

    __slots__ = ()

    def visit_NonNullLiteral(self, op: Any, *, value: Any, dtype: Any) -> Any:
        if dtype.is_floating():
            return self.cast(sge.convert(repr(value)), dtype)
        return super().visit_NonNullLiteral(op, value=value, dtype=dtype)


class _Ibis(Backend):  # type: ignore[misc]
    """Ibis on Spark, with results through Arrow: by way of pandas missing integers would become floats."""

    compiler = _Compiler()

    def frame(self, expression: Any) -> DataFrame:
        """Return the expression as a data frame, not computed yet."""
        self._run_pre_execute_hooks(expression)
        return self._session.sql(self.compile(expression.as_table()))

    def to_pyarrow(self, expression: Any, /, **_unused: Any) -> Any:
        """Return the expression as an Arrow table or scalar, typed by Ibis."""
        table = PyArrowData.convert_table(self.frame(expression).toArrow(), expression.as_table().schema())
        return expression.__pyarrow_result__(table)


def _spark_schema(schema: pa.Schema) -> Any:
    return from_arrow_schema(schema, prefer_timestamp_ntz=False)


_DONE = pa.schema([("n", pa.int64()), ("error", pa.string()), ("message", pa.string())])


def _try(work: Callable[[str], int], batch: str) -> dict[str, Any]:
    """Return a row of _DONE: what ``work`` returned, or the error that the operator must read."""
    try:
        return {"n": work(batch)}
    except errors.BastauError as error:
        return {"error": type(error).__name__, "message": str(error)}


def _start(master: str, folder: Path) -> SparkSession:
    """Start Spark with its messages in a file in ``folder``, or on standard error when the log is verbose."""
    # The operator's own choice of Python stays.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {"spark.app.name": "bastau", "spark.master": master or ONE_MACHINE} | _SAME_TABLES | _QUIET
    if not master:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        settings |= _ON_ONE_MACHINE | {"spark.sql.warehouse.dir": str(folder / "warehouse")}
    if "NUMBA_CACHE_DIR" in os.environ:
        settings["spark.executorEnv.NUMBA_CACHE_DIR"] = os.environ["NUMBA_CACHE_DIR"]
    conf = SparkConf().setAll(list(settings.items()))
    # One Java process a Python process: it stays when a session is stopped.
    gateway = SparkContext._gateway
    if gateway is None:
        with (folder / "spark.log").open("wb") as log:
            says = {} if _log.isEnabledFor(logging.INFO) else {"stdout": subprocess.DEVNULL, "stderr": log}
            gateway = launch_gateway(conf, says)
    return SparkSession(SparkContext(conf=conf, gateway=gateway))

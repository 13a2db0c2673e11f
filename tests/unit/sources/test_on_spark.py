"""The same expressions on Spark give the same tables."""

import shutil
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from family_pages import codes, page
from family_pages import table as page_table
from sources_world import World, post, world

from bastau.schemas import AMPLIFIERS, COPIES, COPY_NETWORK, WIRE_COPIES, WIRES
from bastau.settings import Sources
from bastau.sources.amplifiers import amplifiers, with_influence
from bastau.sources.coordination import co_shares, shares
from bastau.sources.copies import copies
from bastau.sources.families import FindPageSignals, count_signals, merge_signals
from bastau.sources.families.merge import same_minutes
from bastau.sources.firstseen import origins
from bastau.sources.groups import groups
from bastau.sources.influence import influence, spread_events
from bastau.sources.network import copy_network, renamed
from bastau.sources.relations import Keep
from bastau.sources.wires import printed, wire_copies, wires
from bastau.tables import conform

pyspark = pytest.importorskip("pyspark")
Collect = Callable[[ibis.ir.Table], pa.Table]
pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(not shutil.which("java"), reason="needs Java 17"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = (
            pyspark.sql.SparkSession.builder.master("local[1]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", 1)
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.ansi.enabled", "false")
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("ERROR")
        yield session
        session.stop()


def rows() -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    crowd = [
        post(
            f"c{i}",
            float(rng.integers(9 * 86_400)),
            f"{'p~' * (i % 3 > 0)}s{i % 37}",
            f"n{rng.integers(9)}",
            urls=[f"l{rng.integers(9)}"],
        )
        for i in range(200)
    ]
    for i in range(0, 200, 9):
        crowd[i]["repost_of"] = f"c{(i + 1) % 200}"
        crowd[i + 1]["forwarded_from"] = crowd[i]["source"]
    hot = [post(f"h{i}", 2000 + i / 2, f"h{i}", urls=["hot"]) for i in range(100)]
    squad = [
        post(f"{name}{d}", 86_400.0 * d + i, name, urls=[f"squad{d}", "hot"] if d == 1 else [f"squad{d}"])
        for i, name in enumerate("ABC")
        for d in range(4)
    ]
    prints = [
        post(f"w{story}-{i}", 40_000.0 * story + 300 * (1 + i * (story + 1)), f"paper{i}", f"w{story}", text=text)
        for story in range(4)
        for i in range(7)
        for text in [f"agentur: w{story}" if (i + story) % 2 else f"w{story} (reuters)"]
        if (i + story) % 4
    ]
    agency = [post(f"w{story}", 40_000.0 * story, "agentur", f"w{story}") for story in range(4)]
    crossing = [
        post(
            f"{platform}{i}", 5000.0 * i + 120 * (platform == "x"), f"{platform}{i % 5}", f"cross{i}", platform=platform
        )
        for i in range(30)
        for platform in ("telegram", "x")
    ]
    two_names = [post(f"12345678/{i}", 9.0 * i, f"name{i}") for i in range(2)]
    return crowd + hot + squad + agency + prints + crossing + two_names


def everything(tables: World, keep: Keep, collect: Collect) -> dict[str, list[dict[str, Any]]]:
    edges = keep(copies(tables.posts, tables.readings, tables.members, keep=keep, clock_error_s=60))
    prints = keep(printed(tables.posts, tables.members, tables.narratives, keep=keep))
    known = keep(wires(prints, keep=keep))
    wired = keep(wire_copies(prints, known, keep=keep))
    shared = keep(shares(tables.posts, tables.readings, tables.members, wired))
    between, of_sources = influence(collect(spread_events(shared, tables.posts, tables.members)))
    pairs = co_shares(shared, keep=keep, settings=Sources())
    named = {
        "copies": conform(collect(edges), COPIES),
        "amplifiers": with_influence(conform(collect(amplifiers(edges, tables.posts)), AMPLIFIERS), of_sources),
        "wires": conform(collect(known), WIRES),
        "wire_copies": conform(collect(wired), WIRE_COPIES),
        "copy_network": conform(collect(copy_network(edges, wired, keep=keep)), COPY_NETWORK),
        "influence": between,
        "renamed": collect(renamed(tables.posts)),
        "origins": origins(
            tables.posts, tables.readings, tables.members, tables.narratives, edges, keep=keep, settings=Sources()
        ),
        "pairs": pairs,
        "groups": groups(pairs, shared, tables.posts, tables.readings, tables.members, settings=Sources()),
    }
    # sorted without floats, whose last digits differ
    return {
        name: sorted(table.to_pylist(), key=lambda row: repr([v for v in row.values() if not isinstance(v, float)]))
        for name, table in named.items()
    }


def test_spark_gives_the_same_tables_as_duckdb(con: ibis.BaseBackend, keep: Keep, spark: Any) -> None:
    local = world(con, rows())
    from ibis.backends.pyspark.datatypes import PySparkSchema

    remote = ibis.pyspark.connect(spark)

    def view(name: str, table: pa.Table) -> ibis.ir.Table:
        spark.createDataFrame(table).createOrReplaceTempView(name)
        return remote.table(name)

    def keep_there(table: ibis.ir.Table) -> ibis.ir.Table:
        name = ibis.util.gen_name("kept")
        # typed by Ibis, as the engine does: Spark would make decimals of float literals
        frame = spark.sql(ibis.to_sql(table, dialect="pyspark")).to(PySparkSchema.from_ibis(table.schema()))
        # a view that is only cached keeps its plan, and plans of plans outgrow the planner: keep the rows alone
        rows = frame._jdf.queryExecution().toRdd()
        bare = spark._jsparkSession.internalCreateDataFrame(rows, frame._jdf.schema(), False)
        pyspark.sql.DataFrame(bare, spark).persist().createOrReplaceTempView(name)
        return remote.table(name)

    def collect_there(table: ibis.ir.Table) -> pa.Table:
        # to_pyarrow goes through pandas here, which has no missing integers
        return spark.sql(ibis.to_sql(table, dialect="pyspark")).toArrow()

    there = World(**{name: view(name, getattr(local, name).to_pyarrow()) for name in vars(local)})
    expected, found = everything(local, keep, ibis.Table.to_pyarrow), everything(there, keep_there, collect_there)
    assert len(expected["groups"]) == 1
    assert min(len(table) for table in expected.values()) > 0
    for name, table in expected.items():
        assert [_rounded(row) for row in found[name]] == [_rounded(row) for row in table], name


def test_signals_of_websites_are_the_same_on_spark(con: ibis.BaseBackend, spark: Any) -> None:
    batches = [
        count_signals(
            FindPageSignals().run(page_table(page(f"s{i}.example", codes(metrica="12345678"), day) for i in range(4)))
        )
        for day in (0, 1)
    ]
    web = [post(f"w{i}", 7.0 * i, f"s{i % 4}.example", platform="web", text=f"text {i % 3}") for i in range(24)]
    local = world(con, web)
    remote = ibis.pyspark.connect(spark)
    stored = {
        "page_signals": pa.concat_tables(batches),
        "web_posts": local.posts.to_pyarrow(),
        "web_readings": local.readings.to_pyarrow(),
    }
    for name, held in stored.items():
        spark.createDataFrame(held).createOrReplaceTempView(name)

    def made(tables: dict[str, ibis.ir.Table], collect: Collect) -> list[list[dict[str, Any]]]:
        found = merge_signals(tables["page_signals"]), same_minutes(tables["web_posts"], tables["web_readings"])
        return [sorted(collect(one).to_pylist(), key=repr) for one in found]

    here = {name: ibis.memtable(held) for name, held in stored.items()}
    expected = made(here, con.to_pyarrow)
    there = {name: remote.table(name) for name in stored}
    found = made(there, lambda one: spark.sql(ibis.to_sql(one, dialect="pyspark")).toArrow())
    assert {row["n_pages"] for row in expected[0]} >= {1, 2}
    assert expected[1]
    for mine, theirs in zip(expected, found, strict=True):
        assert [_in_utc(row) for row in theirs] == [_in_utc(row) for row in mine]


def _in_utc(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in row.items()}


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in row.items()}

from collections.abc import Iterator

import duckdb
import pytest
from report_world import RU, canonical, connect, sign, world_tables

from bastau.report.build import build_trace
from bastau.report.search import find
from bastau.report.trace import Trace


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    made = connect(world_tables())
    yield made
    made.close()


@pytest.fixture(scope="session")
def trace() -> Trace:
    """The main narrative, traced once for all tests: it is frozen."""
    con = connect(world_tables())
    return build_trace(con, find(con, RU, canonical=canonical, sign=sign))

from collections.abc import Callable, Iterator

import ibis
import pytest

from bastau.sources.relations import Keep


@pytest.fixture
def con() -> Iterator[ibis.BaseBackend]:
    con = ibis.duckdb.connect(threads=2)
    con.raw_sql("SET timezone = 'UTC'")
    yield con
    con.disconnect()


@pytest.fixture
def keep(con: ibis.BaseBackend) -> Keep:
    return keeper(con)


def keeper(con: ibis.BaseBackend) -> Callable[[ibis.ir.Table], ibis.ir.Table]:
    def keep(table: ibis.ir.Table) -> ibis.ir.Table:
        return con.create_table(ibis.util.gen_name("kept"), table, temp=True)

    return keep

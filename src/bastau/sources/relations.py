"""What the relational steps have in common."""

from collections.abc import Callable

import ibis
import pyarrow as pa

Keep = Callable[[ibis.ir.Table], ibis.ir.Table]
"""Materialises an intermediate table; the engine gives it and drops the table after the run."""


def epoch_s(time: ibis.ir.Column) -> ibis.ir.Column:
    """Return a timestamp column as whole seconds since 1970, int64.

    Platforms date posts to the second; DuckDB returns fractions here and Spark does not, so both are floored.
    The DuckDB session must run in UTC, as the engine sets it.
    """
    return time.epoch_seconds().cast("float64").floor().cast("int64")


def small(rows: pa.Table, beside: ibis.ir.Table) -> ibis.ir.Table:
    """Return rows of the driver as a table where ``beside`` is.

    An in-memory table is known to a backend once a query of its own has touched it; Spark is otherwise asked for a view
    that nobody made, because the engine compiles and runs expressions itself.
    """
    table = ibis.memtable(rows)
    beside.get_backend().to_pyarrow(table.count())
    return table


def stack(*tables: ibis.ir.Table) -> ibis.ir.Table:
    """Return the rows of all ``tables``, duplicates kept; columns by name.

    Ibis refuses a union of a required and an optional column, though no backend minds; here all become optional.
    """
    names = tables[0].columns
    loose = [table.select(names).cast({name: table[name].type()(nullable=True) for name in names}) for table in tables]
    return ibis.union(*loose)

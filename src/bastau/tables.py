"""Small operations on Arrow tables that every stage needs."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from bastau.errors import ContractError


def utf8_buffers(column: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return (offsets int64 (n+1,), data uint8) of a string column; nulls become empty strings.

    Views the Arrow buffers where it can; copies only the offsets (to int64) and columns in several chunks.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if isinstance(column, pa.ChunkedArray):  # zero chunks
            column = pa.array([], column.type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        column = column.cast(pa.large_string())
    wide = pa.types.is_large_string(column.type)
    n = len(column)
    _, offset_buffer, data_buffer = column.buffers()
    if n == 0 or offset_buffer is None:
        return np.zeros(n + 1, np.int64), np.frombuffer(b"", np.uint8)
    offsets = np.frombuffer(offset_buffer, np.int64 if wide else np.int32)[column.offset : column.offset + n + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.frombuffer(b"", np.uint8)
    if column.null_count and np.diff(offsets)[~column.is_valid().to_numpy(zero_copy_only=False)].any():
        # Arrow leaves the bytes behind a null undefined, so it must be made empty here.
        import pyarrow.compute as pc

        return utf8_buffers(pc.fill_null(column, ""))
    return offsets.astype(np.int64), data


def strings_from_buffers(offsets: np.ndarray, data: np.ndarray) -> pa.Array:
    """Return a string array over (offsets (n+1,), data uint8), without copying data."""
    if offsets[-1] < 2**31:
        return pa.Array.from_buffers(
            pa.string(), len(offsets) - 1, [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
        )
    return pa.Array.from_buffers(
        pa.large_string(), len(offsets) - 1, [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(data)]
    )


def strings(table: pa.Table, column: str) -> Iterator[str]:
    """Yield a string column as Python strings, null as empty: for oracles and small tables only."""
    for value in table.column(column).to_pylist():
        yield value or ""


def append_columns(
    table: pa.Table, columns: Mapping[str, pa.Array] | Iterable[dict[str, object]], adds: pa.Schema
) -> pa.Table:
    """Return ``table`` with the columns of ``adds`` appended, from arrays by name or from one dict a row.

    Raises:
        ContractError: a column is missing or has another length.
    """
    if not isinstance(columns, Mapping):
        rows = list(columns)
        columns = {f.name: pa.array([row[f.name] for row in rows], f.type) for f in adds}
    if set(columns) != set(adds.names):
        raise ContractError(f"expected columns {adds.names}, got {sorted(columns)}")
    for field in adds:
        if len(columns[field.name]) != table.num_rows:
            raise ContractError(f"column {field.name}: {len(columns[field.name])} values for {table.num_rows} rows")
        table = table.append_column(field, _as(columns[field.name], field.type))
    return table


def _as(values: pa.Array, type_: pa.DataType) -> pa.Array:
    return values if values.type == type_ else values.cast(type_)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return ``table`` with exactly the columns, order and types of ``schema``.

    Raises:
        ContractError: a column is missing, cannot be cast, or a required one holds null.
    """
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise ContractError(f"table lacks {', '.join(missing)}")
    try:
        table = table.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise ContractError(f"table does not fit its schema: {error}") from error
    for field in schema:
        if not field.nullable and table.column(field.name).null_count:
            raise ContractError(f"column {field.name} holds null")
    return table


def empty(schema: pa.Schema) -> pa.Table:
    """Return a table of ``schema`` with no rows."""
    return schema.empty_table()

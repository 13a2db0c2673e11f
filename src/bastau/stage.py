"""What a row-wise stage is, and the check that stages fit together before any data moves."""

from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

import pyarrow as pa

from bastau.errors import ContractError


@runtime_checkable
class Stage(Protocol):
    """A table in, the same rows with more columns out; pure, so that any engine may run it anywhere.

    ``needs`` and ``adds`` are schemas. ``run`` keeps every row and their order and appends exactly ``adds``.
    """

    needs: ClassVar[pa.Schema]
    adds: ClassVar[pa.Schema]

    def run(self, posts: pa.Table) -> pa.Table:
        """Return ``posts`` with the columns of ``adds`` appended."""
        ...


def check_order(stages: Sequence[Stage], given: pa.Schema) -> pa.Schema:
    """Return the schema after all ``stages``.

    Raises:
        ContractError: a stage needs a column that nobody before it gives, or adds one that is there.
    """
    columns = {field.name: field for field in given}
    for stage in stages:
        name = type(stage).__name__
        for field in stage.needs:
            if field.name not in columns:
                raise ContractError(f"{name} needs column {field.name!r}, which no earlier stage gives")
            if columns[field.name].type != field.type:
                raise ContractError(f"{name} needs {field.name!r} as {field.type}, got {columns[field.name].type}")
        for field in stage.adds:
            if field.name in columns:
                raise ContractError(f"{name} adds column {field.name!r}, which is already there")
            columns[field.name] = field
    return pa.schema(list(columns.values()))


def run_stages(stages: Sequence[Stage], posts: pa.Table) -> pa.Table:
    """Run ``stages`` in order over one table."""
    for stage in stages:
        posts = stage.run(posts)
    return posts

"""A mapping from a foreign table to the Post format: ``{bastau field: their column, template or =constant}``."""

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from bastau.collect.reading import LISTS, SCALARS, raw_table, split_list
from bastau.errors import ConfigError

FIELDS = (*SCALARS, *LISTS)
_SLOT = re.compile(r"\{([^{}]+)\}")
_REQUIRED = ("post_id", "published_at")


def check_mapping(mapping: Mapping[str, str], columns: list[str] | None) -> None:
    """Refuse a mapping that cannot work, naming everything wrong with it at once.

    Args:
        columns: what the file has; None where a row may have any.

    Raises:
        ConfigError: unknown fields, unknown columns, or required fields without a mapping.
    """
    problems = [
        f"{name!r} is no field of a post; fields: {', '.join(FIELDS)}" for name in mapping if name not in FIELDS
    ]
    problems += [f"nothing is mapped to {name}, which every post needs" for name in _REQUIRED if name not in mapping]
    if not {"source", "url"} & set(mapping):
        problems.append(
            "nothing is mapped to source, which every post needs (or to url, whose host then is the source)"
        )
    if columns is not None:
        known = {name.lower() for name in columns}
        problems += [
            f"{name} is mapped to column {column!r}, which the file lacks; columns: {', '.join(columns)}"
            for name in mapping
            for column in columns_of(mapping[name])
            if column.lower() not in known
        ]
    if problems:
        raise ConfigError("the mapping does not fit:\n" + "\n".join(problems))


def columns_of(rule: str) -> list[str]:
    """Return the columns that one value of a mapping needs."""
    if rule.startswith("="):
        return []
    return _SLOT.findall(rule) or [rule]


def apply_mapping(table: pl.DataFrame, mapping: Mapping[str, str]) -> pl.DataFrame:
    """Return a raw table from a table of strings whose column names are lower-case.

    A template is null where one of its columns is null or empty.
    """
    scalars = [_expression(rule).alias(name) for name, rule in mapping.items() if name in SCALARS]
    lists = [
        parse_lists(table.select(_expression(mapping[name]).alias(name)).to_series())
        for name in LISTS
        if name in mapping
    ]
    return table.select(pl.col("line"), *scalars).with_columns(*lists)


def _expression(rule: str) -> pl.Expr:
    if rule.startswith("="):
        return pl.lit(rule[1:])
    slots = _SLOT.findall(rule)
    if not slots:
        return pl.col(rule.lower())
    columns = [pl.col(slot.lower()).replace("", None) for slot in slots]
    return pl.format(_SLOT.sub("{}", rule), *columns)


def parse_lists(column: pl.Series) -> pl.Series:
    """Return the raw column ``links`` or ``media`` from strings: JSON lists, or addresses apart by blanks or commas."""
    text = pl.col(column.name)
    frame = column.to_frame()
    if column.name == "links" and not frame.select(text.str.contains("[", literal=True)).to_series().any():
        return frame.select(text.str.replace_all(",http", " http", literal=True).str.extract_all(r"\S+")).to_series()
    rows = ({column.name: split_list(value) if value else None, "line": None} for value in column)
    return raw_table(rows).get_column(column.name)


def map_object(value: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """Return raw values from one JSON object; columns may be dotted paths into it."""
    return {name: _value(value, rule) for name, rule in mapping.items()}


def _value(value: Mapping[str, Any], rule: str) -> Any:
    if rule.startswith("="):
        return rule[1:]
    slots = _SLOT.findall(rule)
    if not slots:
        return _at(value, rule)
    parts = [_at(value, slot) for slot in slots]
    if any(part is None or part == "" for part in parts):
        return None
    filled = iter(parts)
    return _SLOT.sub(lambda _: str(next(filled)), rule)


def _at(value: Any, path: str) -> Any:
    if isinstance(value, Mapping) and path in value:
        return value[path]
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value

"""The Post format itself (NDJSON and CSV), and foreign tables through a mapping."""

import io
import logging
from collections.abc import Iterator, Mapping

import polars as pl

from bastau.collect.addresses import fill_from_address
from bastau.collect.delimited import read_records
from bastau.collect.lines import Lines, objects, parse_columns, post_rows, read_lines
from bastau.collect.mapping import apply_mapping, check_mapping, columns_of, map_object, parse_lists
from bastau.collect.reading import LISTS, RAW, Batch, Head, Problem, Request, raw_table

logger = logging.getLogger(__name__)

_SCHEMA = {name: kind for name, kind in RAW.items() if name != "line"}
_NEEDED = ("post_id", "platform", "source", "published_at")


class PostLines:
    """Posts, one JSON object a line, under the names of the Post format (docs/reference, Formats)."""

    name = "posts-ndjson"

    def accepts(self, head: Head) -> bool:
        """Say whether the first object has an id and another field that every post needs."""
        line = head.json_line
        return line is not None and "post_id" in line and any(name in line for name in _NEEDED[1:])

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield rows; whole stretches are parsed at once, line by line only where a line is broken."""
        for lines in read_lines(stream, request.batch_rows):
            rows, problems = post_rows(lines, _SCHEMA)
            yield Batch(lines.data, rows, problems)


class PostTable:
    """Posts as CSV under the names of the Post format; ``links`` and ``media`` as JSON or apart by blanks."""

    name = "posts-csv"

    def accepts(self, head: Head) -> bool:
        """Say whether the header has the columns that every post needs."""
        return head.has_columns(*_NEEDED)

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield rows."""
        mark = delimiter(stream)
        for records in read_records(stream, mark, list(_SCHEMA), request.batch_rows):
            yield Batch(records.content, _with_lists(records.table), records.problems)


class Mapped:
    """Any CSV or NDJSON, read through ``{bastau field: their column, template or =constant}``."""

    name = "mapped"

    def accepts(self, head: Head) -> bool:
        """Say no: a foreign file is only read when the operator says which column is which."""
        return False

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield rows.

        Raises:
            ConfigError: the mapping does not fit the file.
        """
        mapping = dict(request.mapping or {})
        head = Head.of(stream.peek())
        wanted = {column.lower() for rule in mapping.values() for column in columns_of(rule)}
        if head.delimiter and head.json_line is None:
            check_mapping(mapping, list(head.columns))
            for records in read_records(stream, head.delimiter, sorted(wanted), request.batch_rows):
                table = records.table
                rows = fill_from_address(apply_mapping(table, mapping)) if table.width > 1 else table
                yield Batch(records.content, rows, records.problems)
            return
        check_mapping(mapping, None)
        for lines in read_lines(stream, request.batch_rows):
            rows, problems = _mapped_lines(lines, mapping)
            yield Batch(lines.data, fill_from_address(rows), problems)


def _mapped_lines(lines: Lines, mapping: Mapping[str, str]) -> tuple[pl.DataFrame, list[Problem]]:
    columns = dict.fromkeys(column for rule in mapping.values() for column in columns_of(rule))
    flat = not any("." in column for column in columns) and not any(name in mapping for name in LISTS)
    if flat and len({column.lower() for column in columns}) == len(columns):
        fast = parse_columns(lines, {column: pl.String() for column in columns})
        if fast is not None:
            table, problems = fast
            return apply_mapping(table.rename({column: column.lower() for column in columns}), mapping), problems
    problems, rows = list(lines.problems), []
    for number, value in objects(lines):
        if isinstance(value, Problem):
            problems.append(value)
        else:
            rows.append({**map_object(value, mapping), "line": number})
    return raw_table(rows), problems


def delimiter(stream: io.BufferedReader) -> str:
    """Return the separator of the CSV in ``stream``; a comma where the header does not tell."""
    return Head.of(stream.peek()).delimiter or ","


def _with_lists(table: pl.DataFrame) -> pl.DataFrame:
    for name in LISTS:
        if name in table.columns:
            table = table.with_columns(parse_lists(table.get_column(name)))
    return table


POST_LINES = PostLines()
POST_TABLE = PostTable()
MAPPED = Mapped()

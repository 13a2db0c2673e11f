"""Hand results to other tools: one file, and beside it ``<file>.meta.json`` that says what it is.

A file appears whole or not at all; one that is there is replaced only when the new one is complete. Rows stream from
DuckDB into the file, so memory does not grow with the posts.

The threshold in force (``min_audience``) is stated in the sidecar of every export, and also inside Parquet, GraphML and
GEXF files; NDJSON and CSV have no safe place for a comment. Private authors appear in ``posts`` under their pseudonyms
and nowhere else: an export that would name one is refused.
"""

import hashlib
import logging
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import orjson
import pyarrow.fs as pafs

from bastau import __version__
from bastau.errors import ConfigError, ContractError, DiskFull
from bastau.lake import write_whole
from bastau.shield import graphs, queries

_log = logging.getLogger(__name__)

_TEXT = {".ndjson": "ndjson", ".jsonl": "ndjson"}
_FLAT = {**_TEXT, ".csv": "csv", ".parquet": "parquet"}
_NESTED = {**_TEXT, ".parquet": "parquet"}
_PACKED = {".gz": "gzip", ".zst": "zstd"}
_ROWS_PER_GROUP = 122_880  # DuckDB's own default; stated because it bounds the memory of a Parquet export


_KINDS: dict[str, tuple[Mapping[str, str], Callable[[queries.Time], str] | None]] = {
    "posts": (_FLAT, queries.posts),
    "rejects": (_FLAT, queries.rejects),
    "near-duplicates": (_FLAT, queries.near_duplicates),
    "narratives": (_NESTED, queries.narratives),
    "stories": (_NESTED, queries.stories),
    "themes": (_NESTED, queries.themes),
    "versions": (_FLAT, queries.versions),
    "coordination": (_NESTED, queries.coordination),
    "copies": (_FLAT, queries.copies),
    "wires": (_FLAT, queries.wires),
    "influence": (_FLAT, queries.influence),
    "families": (_NESTED, queries.families),
    "graph": ({".graphml": "graphml", ".gexf": "gexf"}, None),
}
WHAT = tuple(_KINDS)
"""Names that :func:`export` knows; lists, which are signed folders, are written by :mod:`bastau.shield.publish`."""


def endings() -> dict[str, tuple[str, ...]]:
    """Return, for each export, the endings a file may have."""
    return {what: tuple(formats) for what, (formats, _) in _KINDS.items()}


def query_of(what: str) -> Callable[[queries.Time], str] | None:
    """Return the query of an export's rows; None for the graph, which has two (:mod:`bastau.shield.graphs`)."""
    return _KINDS[what][1]


@dataclass(frozen=True)
class _Form:
    """How a file is written: its format, its compression if any, and the query of its rows if it is a table."""

    format: str
    packing: str
    query: Callable[[queries.Time], str] | None


@dataclass(frozen=True)
class Exported:
    """What was written: the file, its sidecar, and the counts (``rows``, or ``nodes`` and ``edges``)."""

    path: Path
    meta_path: Path
    counts: dict[str, int]


def export(con: duckdb.DuckDBPyConnection, what: str, path: Path, *, min_audience: int, now: datetime) -> Exported:
    """Write ``what`` to ``path``, in the format that its ending names.

    Args:
        con: has one view for each table of :data:`bastau.schemas.TABLES`.
        what: one of :data:`WHAT`.
        path: ends in .csv, .ndjson, .jsonl, .parquet, .graphml or .gexf as ``what`` allows; .gz or .zst may follow
            .csv, .ndjson and .jsonl.
        min_audience: publisher threshold in force; stated in the export.
        now: time of the export, aware.

    Raises:
        ConfigError: unknown ``what``, an ending that does not fit, a folder that cannot be written.
        ContractError: a private author would be named; nothing is written.
        DiskFull: no space is left; nothing is written.
    """
    form = _form(what, path)
    path = _target(path)
    refuse_private_names(con, what)
    about = _about(con, what, form, min_audience, now)

    counts: dict[str, int] = {}

    def body(sink: BinaryIO) -> None:
        nonlocal counts
        if form.query is None:
            write = graphs.write_graphml if form.format == "graphml" else graphs.write_gexf
            counts = write(con, sink, flat(about), now)
        else:
            counts = {"rows": _copy(con, form.query, Path(sink.name), form, about)}

    try:
        write_whole(pafs.LocalFileSystem(), str(path), body)
    except duckdb.IOException as error:
        if "No space left" in str(error):
            raise DiskFull(f"{path.parent}: no space left; free some and run the same command again") from error
        raise ConfigError(f"{path}: cannot be written") from error
    meta = {**about, **counts, "size_bytes": path.stat().st_size, "sha256": sha256_of(path)}
    meta_path = path.with_name(path.name + ".meta.json")
    # After the file: a crash in between leaves an old sidecar, which its sha256 tells.
    sidecar = orjson.dumps({"file": path.name, **meta}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    write_whole(pafs.LocalFileSystem(), str(meta_path), lambda sink: sink.write(sidecar))
    _log.info("exported %s as %s: %s", what, form.format, counts)
    return Exported(path, meta_path, counts)


def _form(what: str, path: Path) -> _Form:
    if what not in _KINDS:
        raise ConfigError(f"nothing called {what!r} to export; known: {', '.join(_KINDS)}")
    formats, query = _KINDS[what]
    suffix, packing = path.suffix.lower(), ""
    if suffix in _PACKED and Path(path.stem).suffix.lower() in {*_TEXT, ".csv"}:
        suffix, packing = Path(path.stem).suffix.lower(), _PACKED[suffix]
    if suffix not in formats:
        raise ConfigError(f"{path.name}: export {what} to a file that ends in {', '.join(formats)}")
    return _Form(formats[suffix], packing, query)


def _target(path: Path) -> Path:
    path = path.resolve()
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent}: no such folder; make it first")
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path}: not a regular file; name another one")
    return path


def refuse_private_names(con: duckdb.DuckDBPyConnection, what: str) -> None:
    """Raise ContractError where an export would name a private author."""
    query = queries.NAMED_PRIVATE.get(what)
    if query and (named := one(con, query)[0]):
        raise ContractError(
            f"export {what}: {named} names are not of publishers, so nothing was written; "
            "process the lake anew (bastau run), and report this if it comes back"
        )


def _about(con: duckdb.DuckDBPyConnection, what: str, form: _Form, min_audience: int, now: datetime) -> dict[str, Any]:
    first, last, n_posts = one(
        con,
        f"SELECT {queries.rfc3339('min(published_at)')}, {queries.rfc3339('max(published_at)')}, count(*) FROM posts",  # noqa: S608
    )
    (thresholds,) = one(con, "SELECT coalesce(list(DISTINCT min_audience ORDER BY min_audience), []) FROM imports")
    about = {
        "tool": f"bastau {__version__}",
        "what": what,
        "format": form.format,
        "exported_at": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "min_audience": min_audience,
        "min_audience_at_import": thresholds,
        "coverage": {"first_published_at": first, "last_published_at": last, "n_posts": n_posts},
    }
    if min_audience == 0 or 0 in thresholds:
        about["note"] = (
            "min_audience 0 makes every account a publisher: right only for simulated or already anonymised data"
        )
    return about


def flat(about: Mapping[str, Any]) -> dict[str, str]:
    """Return ``about`` with all that is no text as JSON."""
    return {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in about.items()}


def _copy(
    con: duckdb.DuckDBPyConnection,
    query: Callable[[queries.Time], str],
    path: Path,
    form: _Form,
    about: dict[str, Any],
) -> int:
    """Stream the query into ``path``; return the rows written."""
    select = query(queries.as_stored if form.format == "parquet" else queries.rfc3339)
    shape = con.sql(select)
    types = dict(zip(shape.columns, map(str, shape.types), strict=True))
    if form.format == "csv":
        select, options = queries.neutral_cells(select, types), "FORMAT csv, HEADER"
    elif form.format == "parquet":
        options = parquet_options(about)
    else:
        options = "FORMAT json"
    if form.packing:
        options += f", COMPRESSION {form.packing}"
    # Without a temporary file of DuckDB's own: the one being written already is one, and is synced by its descriptor.
    (rows,) = one(con, f"COPY ({select}) TO {literal(str(path))} ({options}, USE_TMP_FILE false)")
    return typing.cast(int, rows)


def parquet_options(about: Mapping[str, Any]) -> str:
    """Return how DuckDB's COPY writes Parquet, with ``about`` inside the file."""
    entries = ", ".join(f"{literal(f'bastau.{name}')}: {literal(value)}" for name, value in flat(about).items())
    return f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROWS_PER_GROUP}, KV_METADATA {{{entries}}}"


def one(con: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """Return the one row of a query."""
    # All rows are fetched: DuckDB 2 refuses the next statement while a result is unfinished.
    (row,) = con.execute(query).fetchall()
    return typing.cast(tuple[Any, ...], row)


def literal(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

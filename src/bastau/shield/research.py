"""The export for researchers: a folder of Parquet with a data card, in which no private person can be found.

What is shown of private accounts' posts is one table of cells (:mod:`bastau.shield.cells`), and every count of them is made from it.
Names that tell accounts apart, and ids of narratives, are made with a key that lives as long as the export is being written: nobody
can join two exports, or an export and the home folder, by them. Reasons: docs/decisions/0029-research.md.
"""

import errno
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from bastau import __version__
from bastau.errors import ConfigError, ContractError, DiskFull
from bastau.home import Home
from bastau.lake import sync_folder, write_whole
from bastau.shield import research_tables as tables
from bastau.shield.cells import K, form_cells
from bastau.shield.data_card import CARD, CROISSANT, croissant, data_card
from bastau.shield.exports import literal, one, parquet_options, refuse_private_names, sha256_of

TEXTS = ("publishers", "none")
"""Whose words an export holds. Those of private accounts never leave: a platform's own search finds who wrote them."""
SUMS = "SHA256SUMS"
_LOCAL = pafs.LocalFileSystem()


@dataclass(frozen=True)
class Release:
    """What the operator says of an export; a TOML file of these keys."""

    publisher: str
    """who gives the data out"""
    contact: str
    """where questions, and objections of those whom the data are about, go"""
    licence: str
    """licence or terms, as `CC-BY-NC-4.0` or an address"""
    purpose: str
    """what the posts were collected for, and what this export is for"""
    title: str = "Public posts grouped into narratives"
    """name of the data set"""
    ground: str = ""
    """legal ground, or the approval of an ethics board"""


def read_release(path: Path) -> Release:
    """Read what the operator says of an export.

    Raises:
        ConfigError: it cannot be read, a key is unknown or no text, or one that is needed is missing; all of them at once.
    """
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file; say there who gives the data out (docs/how-to/research.md)"
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as TOML: {error}") from error
    known = {f.name: f for f in fields(Release)}
    problems = [f"unknown key {name!r}; known: {', '.join(known)}" for name in said if name not in known]
    problems += [f"{name} must be a text" for name in known if not isinstance(said.get(name, ""), str)]
    problems += [f"{name} is missing" for name in ("publisher", "contact", "licence", "purpose") if not said.get(name)]
    if problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems))
    return Release(**said)


def export_research(
    home: Home, folder: Path, release: Release, *, texts: str = "publishers", key: bytes, now: datetime
) -> dict[str, int]:
    """Write the export to ``folder``, which appears whole or not at all; return the rows of each table.

    Args:
        home: processed.
        folder: new, or empty.
        release: what the operator says of it.
        texts: one of :data:`TEXTS`.
        key: fresh random bytes; the caller keeps none of it.
        now: time of the export, aware.

    Raises:
        ConfigError: the folder is not empty or cannot be written.
        ContractError: a private account would be shown; nothing is written.
        DiskFull: no space is left; nothing is written.
    """
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: is there already; an export goes into a new folder")
    if not folder.parent.is_dir():
        raise ConfigError(f"{folder.parent}: no such folder; make it first")
    draft = folder.with_name(f".tmp-{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir()
        rows = _write(home, draft, release, texts, key, now)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
        sync_folder(folder.parent)
    except (OSError, duckdb.IOException) as error:
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
            raise DiskFull(f"{folder.parent}: no space left; free some and run the same command again") from error
        raise ConfigError(f"{folder}: cannot be written") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return rows


def _write(home: Home, draft: Path, release: Release, texts: str, key: bytes, now: datetime) -> dict[str, int]:
    with home.connect() as con:
        for what in ("posts", "narratives", "coordination"):
            refuse_private_names(con, what)
        _prepare(con, home, key)
        about = {
            "tool": f"bastau {__version__}",
            "title": release.title,
            "licence": release.licence,
            "texts": texts,
            "exported_on": now.astimezone(UTC).date().isoformat(),
            "min_audience": home.settings.publishers.min_audience,
        }
        fewest = K * _n_keys(con, home.settings.publishers.key_days)
        made = {
            "posts": tables.posts(texts == "publishers"),
            "private_posts": tables.private_posts(),
            "narratives": tables.narratives(),
            "coordination": tables.coordination(fewest),
            "families": tables.families(),
            "counts": tables.counts(),
        }
        rows = {}
        for name, select in made.items():
            rows[name] = _write_table(con, select, draft / f"{name}.parquet", about)
            if view := {"posts": "shown_posts", "private_posts": "shown_private"}.get(name):
                con.execute(f"CREATE VIEW {view} AS FROM read_parquet({literal(str(draft / f'{name}.parquet'))})")
        _refuse_small_cells(con)
        facts = _facts(con, home)
    files = {f"{name}.parquet": draft / f"{name}.parquet" for name in rows}
    shapes = {name: pq.read_schema(path) for name, path in zip(rows, files.values(), strict=True)}
    sums = {name: sha256_of(path) for name, path in files.items()}
    sizes = {name: path.stat().st_size for name, path in files.items()}
    _write_text(draft / CARD, data_card(release, about, rows, shapes, facts))
    _write_text(draft / CROISSANT, croissant(release, about, shapes, sums, sizes))
    sums |= {name: sha256_of(draft / name) for name in (CARD, CROISSANT)}
    _write_text(draft / SUMS, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)))
    return rows


def _prepare(con: duckdb.DuckDBPyConnection, home: Home, key: bytes) -> None:
    """Make what the tables are selected from: the key, new ids, and the cells."""
    con.execute("CREATE TEMP TABLE secret AS SELECT ?::VARCHAR AS key", [key.hex()])
    con.execute(
        """
        CREATE TEMP TABLE ids AS SELECT id AS old_id, id[:1] || sha256(concat_ws('\\0', key, id))[:16] AS new_id FROM secret, (
            SELECT narrative_id AS id FROM narratives UNION ALL SELECT story_id FROM stories UNION ALL SELECT theme_id FROM themes
        )"""
    )
    con.register("stored", _stored_on(home))
    # A file that one run imported was read under one key; else one may have followed another, and not twice in a day.
    con.execute(
        """
        CREATE TEMP TABLE keys_in_use AS
        SELECT imported_at::DATE AS stored_on, least(count(DISTINCT imported_at), 2) AS n_keys FROM imports GROUP BY stored_on"""
    )
    con.execute(f"CREATE TEMP TABLE cells AS {tables.private_rows()}")
    form_cells(con, "cells", tuple(tables.ATTRIBUTES))


def _stored_on(home: Home) -> pa.Table:
    """Return on which day each post was stored: (post_key, stored_on)."""
    schema = pa.schema([("post_key", pa.int64()), ("stored_on", pa.date32())])

    def parts() -> Iterator[pa.Table]:
        for file in home.lake.files("posts"):
            keys = home.lake.read_file(file, ["post_key"]).column("post_key")
            yield pa.table([keys, _repeat(file.day, len(keys))], schema=schema)

    found = list(parts())
    return pa.concat_tables(found) if found else schema.empty_table()


def _repeat(day: date, n: int) -> pa.Array:
    return pa.repeat(pa.scalar(day, pa.date32()), n)


def _n_keys(con: duckdb.DuckDBPyConnection, key_days: int) -> int:
    """Return how many keys of pseudonyms the home may have had."""
    n_imports, days = one(
        con, "SELECT count(DISTINCT imported_at), date_diff('day', min(imported_at), max(imported_at)) FROM imports"
    )
    return 1 if n_imports <= 1 else 2 + int(days) // key_days


def _write_table(con: duckdb.DuckDBPyConnection, select: str, path: Path, about: Mapping[str, Any]) -> int:
    name = path.stem
    columns = con.sql(select).columns
    if columns != list(tables.TABLES[name][1]):
        raise ContractError(f"export research: {name} has columns that its description does not have")
    with path.open("wb"):  # so that the folder's own permission, not DuckDB's words, says what is wrong
        pass
    (rows,) = one(con, f"COPY ({select}) TO {literal(str(path))} ({parquet_options(about)}, USE_TMP_FILE false)")
    _refuse_pseudonyms(con, path)
    return int(rows)


def _refuse_pseudonyms(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    shown = con.sql(f"FROM read_parquet({literal(str(path))})")
    worded = [name for name, type_ in zip(shown.columns, shown.types, strict=True) if "VARCHAR" in str(type_)]
    found = " OR ".join(f"regexp_matches({name}::VARCHAR, '{tables.PSEUDONYM}')" for name in worded)
    (n,) = one(con, f"SELECT count(*) FROM read_parquet({literal(str(path))}) WHERE {found}")  # noqa: S608 - our columns
    if n:
        raise ContractError(
            f"export research: {n} rows of {path.stem} hold a pseudonym, so nothing was written; please report this"
        )


def _refuse_small_cells(con: duckdb.DuckDBPyConnection) -> None:
    alike = ", ".join(tables.ATTRIBUTES)
    (least,) = one(
        con,
        f"SELECT min(n) FROM (SELECT count(DISTINCT author) AS n FROM shown_private GROUP BY {alike})",  # noqa: S608 - our columns
    )
    if least is not None and least < K:
        raise ContractError(
            f"export research: a cell is of {least} accounts, so nothing was written; please report this"
        )


def _facts(con: duckdb.DuckDBPyConnection, home: Home) -> dict[str, Any]:
    """Return what the card says beyond the tables: coverage by month and platform, gaps, thresholds, how far cells were withheld."""
    coverage = con.execute(
        "SELECT strftime(published_at, '%Y-%m') AS month, platform, count(*), count(DISTINCT source) FROM shown_posts "
        "GROUP BY ALL ORDER BY month, platform"
    ).fetchall()
    gaps = con.execute(
        "SELECT reason, count(*), sum(epoch(until_at) - epoch(since_at)) / 3600 FROM gaps GROUP BY reason ORDER BY reason"
    ).fetchall()
    withheld = ", ".join(f"count(*) - count({name})" for name in tables.ATTRIBUTES)
    (*unshown,) = one(con, f"SELECT {withheld} FROM shown_private")  # noqa: S608 - our columns
    (thresholds,) = one(con, "SELECT coalesce(list(DISTINCT min_audience ORDER BY min_audience), []) FROM imports")
    first, last = one(con, "SELECT min(published_at)::DATE::VARCHAR, max(published_at)::DATE::VARCHAR FROM shown_posts")
    return {
        "coverage": coverage,
        "gaps": gaps,
        "withheld": dict(zip(tables.ATTRIBUTES, unshown, strict=True)),
        "thresholds": sorted({*thresholds, home.settings.publishers.min_audience}),
        "first": first,
        "last": last,
    }


def _write_text(path: Path, text: str) -> None:
    write_whole(_LOCAL, str(path), lambda sink: sink.write(text.encode()))

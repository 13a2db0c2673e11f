# ruff: noqa: S608 - names of tables and columns are constants of this module and of the schemas
"""The lake held in memory for pages, with indexes, and kept up with what is stored later.

A page asks some forty small questions; Parquet answers each in milliseconds to tenths of a second, these tables mostly in less
than one. Files of the lake never change, so what is added is read and the rest stays; where files went away (compacted, erased)
all is read anew.
"""

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from bastau.home import Home, create_view
from bastau.lake import LAKE_TABLES
from bastau.report.post_search import SEARCHED, searched
from bastau.report.queries import HELD
from bastau.report.word_index import Part, make_part
from bastau.schemas import TABLES

if TYPE_CHECKING:
    import duckdb

GROWING = ("posts", "readings", "matches")
"""Tables that what is stored later is added to; others are small enough to be read again."""
NOT_HELD = ("text_pairs", "pages")
"""Tables that no page asks."""
COLUMNS = {"readings": "* EXCLUDE (bands)"}
"""All but the signatures, which only a pasted text is compared by: 80 bytes a post that nothing makes smaller."""
SORTED = {
    "members": "narrative_key",
    "copies": "narrative_key",
    "versions": "narrative_key",
    "amplifiers": "narrative_key",
    "influence": "narrative_key",
    "claim_matches": "narrative_key",
    "tellings": "story_key",
    "theme_members": "story_key",
}
"""Tables that are asked for the rows of one narrative or story: side by side they are found without an index."""
INDEXED = {
    "posts": ("post_key",),
    "readings": ("post_key", "text_key", "own_url_key"),
    "matches": ("post_key",),
    "members": ("post_key",),
    "narratives": ("narrative_key", "narrative_id"),
    "tellings": ("telling_key",),
}
_POST_BYTES = 1000
"""Memory for a post with everything made from it; 820 were measured."""
_PART_POSTS = 100_000
_MOST_PARTS = 16
"""Parts of the index of words beyond those full ones, before they are made into one."""
_MOST_LOOKED_UP = 2000
"""Keys up to which a join looks each up in the index (10 us) rather than reading the whole table; DuckDB's own is 50."""
_CHANGED = "bastau_changed"


@dataclass
class Held:
    """An in-memory database and the files that it was read from.

    Attributes:
        is_whole: of more than ``most_posts`` posts the growing tables stay in their files.
        question_bytes: memory that questions may take beside what is held.
    """

    home: Home
    con: "duckdb.DuckDBPyConnection"
    is_whole: bool
    most_posts: int
    question_bytes: int
    n_posts: int = 0
    files: dict[str, list[str]] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    n_states: int = 0
    parts: tuple[Part, ...] | None = None
    changing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """Name of the database; what asks it can tell whether posts are indexed."""
        return HELD if self.is_whole else "partly_held"


def hold(home: Home, most_posts: int) -> Held:
    """Read the tables of ``home`` into memory; of more than ``most_posts`` posts only the derived tables.

    Raises:
        BastauError: settings or lake cannot be read.
    """
    con = home.connect()
    con.execute("SET parquet_metadata_cache = true")
    question_bytes = con.execute("SELECT parse_formatted_bytes(current_setting('memory_limit'))").fetchall()[0][0]
    held = Held(home, con, _count(con) <= most_posts, most_posts, question_bytes)
    con.execute(f"ATTACH ':memory:' AS {held.name} (COMPRESS)")
    _read(held, _files(home))
    return held


def follow(held: Held) -> bool:
    """Take in what was stored or processed since; False: files went away or posts became too many, and all is to be held anew.

    Whoever reads meanwhile sees the state before or the one after, within a transaction one of them throughout.
    """
    with held.changing:
        files = _files(held.home)
        gone = any(set(held.files[name]) - set(files[name]) for name in GROWING)
        if gone or not held.is_whole or held.n_posts > held.most_posts:
            return False
        _read(held, files)
        return True


def reader(held: Held) -> "duckdb.DuckDBPyConnection":
    """Return a connection of its own for one thread."""
    con = held.con.cursor()
    con.execute(f"USE {held.name}")
    con.execute("SET TimeZone = 'UTC'")
    con.execute(f"SET dynamic_or_filter_threshold = {_MOST_LOOKED_UP}")
    return con


def _files(home: Home) -> dict[str, list[str]]:
    return {name: list(source if isinstance(source, list) else source.files) for name, source in home.sources().items()}


def _read(held: Held, files: dict[str, list[str]]) -> None:
    con, changed = held.con, {name: paths for name, paths in files.items() if held.files.get(name) != paths}
    growing = [name for name in GROWING if name in changed and name in held.files]
    for name, paths in changed.items():
        known = set(held.files[name]) if name in growing else set()
        create_view(con, name, _source(held.home, name, [path for path in paths if path not in known]))
    n_posts = held.n_posts + (_count(con) if "posts" in changed else 0)
    if held.is_whole:
        con.execute(f"SET memory_limit = '{held.question_bytes + n_posts * _POST_BYTES}B'")
    # What replaces a table is made before the transaction, where nobody sees it: within it, an index would be made twice.
    schema = f"{held.name}.state_{held.n_states}"
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    made = {name: _make(held, schema, name) for name in changed if name not in growing}
    if not held.files:
        made[SEARCHED] = _make_searched(held, schema, made)
    con.begin()
    try:
        for name in growing:
            con.execute(f"INSERT INTO {held.tables[name]} SELECT {COLUMNS.get(name, '*')} FROM memory.{name}")
        for name, table in made.items():
            con.execute(f"CREATE OR REPLACE VIEW {held.name}.{name} AS FROM {table}")
        if growing:
            _renew_searched(held, growing)
        # Before the rows count: a key that the index has and the table does not fits nothing.
        if held.parts is not None and "readings" in growing:
            held.parts = _with_more(held, con.sql("SELECT post_key, folded FROM memory.readings").to_arrow_table())
        con.commit()
    except BaseException:
        con.rollback()
        raise
    for name in made.keys() & held.tables.keys():
        if not held.tables[name].startswith("memory."):
            con.execute(f"DROP TABLE {held.tables[name]}")
    held.tables |= made
    held.files, held.n_states, held.n_posts = files, held.n_states + 1, n_posts


def _count(con: "duckdb.DuckDBPyConnection") -> int:
    """Count the posts in the files that are read now."""
    return int(con.execute("SELECT count(*) FROM memory.posts").fetchall()[0][0])


def _source(home: Home, name: str, paths: list[str]) -> Any:
    if not paths or name not in LAKE_TABLES or home.lake.is_local:
        return paths
    import pyarrow.dataset as ds

    return ds.dataset(paths, schema=TABLES[name], filesystem=home.lake.filesystem)


def _make(held: Held, schema: str, name: str) -> str:
    """Read a table into ``schema`` and return what it is called there."""
    con, table = held.con, f"{schema}.{name}"
    is_view = name in NOT_HELD or (name in GROWING and not held.is_whole)
    if is_view and _is_filled(con, name):
        return f"memory.{name}"
    order = f"ORDER BY {SORTED[name]}" if name in SORTED else ""
    con.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT {COLUMNS.get(name, '*')} FROM memory.{name} {order}")
    for column in INDEXED.get(name, ()):
        con.execute(f"CREATE INDEX {name}_{column} ON {table} ({column})")
    return table


def _is_filled(con: "duckdb.DuckDBPyConnection", name: str) -> bool:
    """Tell whether a table has rows: what stands in for one without files is seen by one connection only."""
    return bool(con.execute(f"SELECT 1 FROM memory.{name} LIMIT 1").fetchall())


def _make_searched(held: Held, schema: str, made: dict[str, str]) -> str:
    """Make what :func:`bastau.report.post_search.search_posts` reads."""
    con, table, rows = held.con, f"{schema}.{SEARCHED}", searched(made["posts"], made["readings"])
    if not held.is_whole:
        con.execute(f"CREATE VIEW {table} AS {rows}")
        return table
    con.execute(f"CREATE OR REPLACE TABLE {table} AS {rows}")
    con.execute(f"CREATE INDEX {SEARCHED}_post_key ON {table} (post_key)")
    return table


def _renew_searched(held: Held, growing: list[str]) -> None:
    con, table = held.con, held.tables[SEARCHED]
    keys = " UNION ".join(f"SELECT post_key FROM memory.{name}" for name in growing if name != "matches")
    if not keys:
        return
    con.execute(f"CREATE TEMP TABLE {_CHANGED} AS {keys}")
    con.execute(f"DELETE FROM {table} WHERE post_key IN (FROM {_CHANGED})")
    posts, readings = (
        f"(FROM {held.tables[name]} SEMI JOIN {_CHANGED} USING (post_key))" for name in ("posts", "readings")
    )
    con.execute(f"INSERT INTO {table} {searched(posts, readings)}")
    con.execute(f"DROP TABLE {_CHANGED}")


def index_words(held: Held) -> None:
    """Make the index of words, which takes a while; until then the texts are read through."""
    with held.changing:
        if held.parts is None and held.is_whole:
            texts = reader(held).sql("SELECT post_key, folded FROM readings").to_arrow_reader(_PART_POSTS)
            held.parts = tuple(make_part(batch["post_key"].to_numpy(), batch["folded"]) for batch in texts)
            pa.default_memory_pool().release_unused()


def _with_more(held: Held, texts: pa.Table) -> tuple[Part, ...]:
    assert held.parts is not None
    parts = [*held.parts, make_part(texts["post_key"].to_numpy(), texts["folded"])]
    small = [part for part in parts if len(part.post_keys) < _PART_POSTS]
    if len(small) <= _MOST_PARTS:
        return tuple(parts)
    full = [part for part in parts if len(part.post_keys) >= _PART_POSTS]
    keys = np.concatenate([part.post_keys for part in small])
    held.con.register(_CHANGED, pa.table({"post_key": keys}))
    again = held.con.sql(
        f"SELECT post_key, folded FROM {held.tables['readings']} SEMI JOIN {_CHANGED} USING (post_key)"
    ).to_arrow_table()
    held.con.unregister(_CHANGED)
    return (*full, make_part(again["post_key"].to_numpy(), again["folded"]))

"""What somebody typed, read as stored posts were read."""

import duckdb

from bastau.reading import read_text
from bastau.report.search import Found, find
from bastau.urls import canonical_url
from bastau_web.workbench.configuring import the_home


def find_narrative(con: duckdb.DuckDBPyConnection, query: str) -> Found:
    """Return the narrative that an id, an address or words mean."""
    return find(con, query, canonical=lambda url: canonical_url(url) or url, sign=_sign)


def fold(text: str) -> str:
    """Return a text in the form in which stored texts are searched."""
    return _sign(text)[0]


def _sign(text: str) -> tuple[str, int | None, bytes | None]:
    return read_text(text, the_home().settings)

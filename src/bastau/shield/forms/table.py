"""A table for people and programs: every entry with its ground, reason and expiry. No cell is one a spreadsheet would run."""

import csv
import io
from collections.abc import Iterator

from bastau.shield.forms.form import Files, Form
from bastau.shield.source import Document
from bastau.shield.standing import Entry

COLUMNS = (
    "entry_id", "kind", "value", "act", "ground_kind", "ground", "reason", "exemption_checked", "evidence_sha256",
    "released_at", "expires_at", "rule_version", "model_version", "data_version", "languages",
)  # fmt: skip
_FORMULA = tuple("=+-@＝＋－＠\t\n\r")
"""As :func:`bastau.shield.queries.neutral_cells` has them. Reference: OWASP, CSV Injection."""


def carries(_: Entry) -> bool:
    """Tell that every entry has a place."""
    return True


def files(document: Document) -> Files:
    """Yield list.csv."""
    yield "list.csv", _lines(document)


def _lines(document: Document) -> Iterator[bytes]:
    yield _row(COLUMNS)
    for entry in document["entries"]:
        yield _row(" ".join(entry[name]) if name == "languages" else entry[name] for name in COLUMNS)


def _row(cells: "Iterator[str] | tuple[str, ...]") -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells)
    return text.getvalue().encode("utf-8", "replace")


FORM = Form(carries, files)

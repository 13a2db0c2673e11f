"""The table of entries in the lake: who fills it adds rows, and adds a row again, with the retraction in it, to retract."""

import hashlib
import io
from datetime import date

import pyarrow as pa
import pyarrow.ipc

from bastau.lake import Lake
from bastau.schemas import ENTRIES
from bastau.tables import conform

TABLE = "entries"


def store_entries(lake: Lake, rows: pa.Table, day: date) -> bool:
    """Add ``rows`` (ENTRIES); return False when the same rows were stored that day before. Only with the home locked."""
    rows = conform(rows, ENTRIES)
    packed = io.BytesIO()
    with pa.ipc.new_stream(packed, rows.schema) as writer:
        writer.write_table(rows.combine_chunks())
    batch = "e" + hashlib.blake2b(packed.getvalue(), digest_size=12).hexdigest()
    return lake.commit(TABLE, batch, rows, day)


def stored_entries(lake: Lake) -> pa.Table:
    """Return all rows (ENTRIES), those of a retracted version twice: :func:`bastau.shield.standing.standing` sorts them out."""
    return lake.read(TABLE)

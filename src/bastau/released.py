"""What two people released: from the log of review, and from the table of entries where another program fills it."""

from datetime import datetime

import pyarrow as pa

from bastau.errors import ConfigError
from bastau.home import Home
from bastau.review.entries import entries
from bastau.review.log import FOLDER, NAME, verify
from bastau.shield.entries import stored_entries


def released(home: Home, now: datetime) -> pa.Table:
    """Return all entry versions (ENTRIES) as they are at ``now``.

    Raises:
        ConfigError: the log of review is not as it was written; nothing is published from it.
    """
    stored = stored_entries(home.lake)
    path = home.folder / FOLDER / NAME
    if not path.exists():
        return stored
    with path.open("rb") as lines:
        findings, book = verify(lines)
    # A last line without its end was never acknowledged: what a crash leaves, and no sign of an edit.
    if bad := [finding for finding in findings if finding.code != "unfinished"]:
        raise ConfigError(f"{path}: not as it was written ({bad[0].code}); `bastau log verify` says more")
    return pa.concat_tables([stored, entries(book, now)])

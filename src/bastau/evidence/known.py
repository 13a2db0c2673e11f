"""What is kept already of each address, so that what did not change is not kept again."""

from datetime import datetime

from bastau.chain import Chain, Entry
from bastau.evidence.captures import Capture


class Known:
    """What was kept last of each address, read from the chain as it grows.

    Held is only where its act stands and on which day it was seen last: there may be millions of addresses.
    """

    def __init__(self) -> None:
        self._read = 0
        self._at: dict[int, int] = {}
        self._seen: dict[int, int] = {}
        self._gone: set[int] = set()

    def read_on(self, chain: Chain) -> None:
        """Take in the acts written since, by us or by another process."""
        for start, end, entry in chain.placed(self._read):
            if entry["act"] == "kept":
                self._at[hash(entry["url"])] = start
            elif entry["act"] == "seen":
                self._seen[hash((entry["asked"], entry["url"]))] = _day(entry)
            elif entry["act"] == "erased":
                self._gone.add(entry["item"])
            self._read = end

    def item(self, chain: Chain, url: str) -> Entry | None:
        """Return the last item of an address, if it still stands."""
        start = self._at.get(hash(url))
        item = None if start is None else chain.act_at(start)
        return item if item is not None and item.get("url") == url and item["n"] not in self._gone else None

    def is_due(self, one: Capture, item: Entry) -> bool:
        """Say whether no act tells yet that ``item`` was seen on that day under the address asked for."""
        last = self._seen.get(hash((one.asked, one.url)), 0)
        if item["asked"] == one.asked:
            last = max(last, _day(item))
        return one.answer.started_at.toordinal() > last


def _day(entry: Entry) -> int:
    return datetime.fromisoformat(entry["fetched_at"]).toordinal()

"""What a form is, and the header that those with comments begin with."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bastau.shield.source import Document
from bastau.shield.standing import Entry

_MAX_HOST = 253
Files = Iterator[tuple[str, Iterable[bytes]]]
"""(path in the folder of the list, its bytes in parts), in order."""


@dataclass(frozen=True)
class Form:
    """One way to write a list down.

    ``carries`` tells which entries it has a place for; ``files`` writes those and no other, the same bytes for the same document.
    """

    carries: Callable[[Entry], bool]
    files: Callable[[Document], Files]

    def carried(self, document: Document) -> Iterator[Entry]:
        """Yield the entries that this form carries, by id."""
        return filter(self.carries, document["entries"])

    def counts(self, document: Document) -> dict[str, int]:
        """Return how many entries are carried and left out."""
        n = sum(1 for _ in self.carried(document))
        return {"carried": n, "left_out": len(document["entries"]) - n}


def header(document: Document, form: Form, mark: str) -> Iterator[bytes]:
    """Yield the comment lines that every form with comments begins with; ``mark`` begins a comment."""
    counts = form.counts(document)
    for line in (
        f"Title: {document['list']}",
        f"Publisher: {document['publisher']}",
        f"Version: {document['version']}",
        f"Made: {document['made_at']}",
        f"Valid until: {document['valid_until']}",
        f"Entries: {counts['carried']} (left out, for which this form has no place: {counts['left_out']})",
        f"Appeal: {document['appeal']}",
        f"Policy: {document['policy']}",
        f"Licence: {document['licence']}",
        document["opt_in"],
    ):
        yield f"{mark} {' '.join(line.split())}\n".encode()


def of_kinds(*kinds: str) -> Callable[[Entry], bool]:
    """Return the test that an entry is of one of ``kinds``."""
    return lambda entry: entry["kind"] in kinds


def with_www(host: str) -> list[str]:
    """Return a host and, where that fits, its ``www.`` form: review writes both as one."""
    return [host, f"www.{host}"] if len(host) <= _MAX_HOST - 4 and not is_ip(host) else [host]


def is_ip(host: str) -> bool:
    """Tell whether the value of an entry is an IPv4 address."""
    return host.count(".") == 3 and host.replace(".", "").isdigit()

"""A hosts file: names only, each exactly and with ``www.``; of a domain no more, for the form cannot say "and all below".

An address of IPv6 too: a resolver that finds only the other in its file asks the network for this one.
"""

from collections.abc import Iterator

from bastau.shield.forms.form import Files, Form, header, is_ip, with_www
from bastau.shield.source import Document
from bastau.shield.standing import Entry


def carries(entry: Entry) -> bool:
    """Tell whether an entry is a name; a page never becomes the block of a host."""
    return entry["kind"] in ("host", "domain") and not is_ip(entry["value"])


def files(document: Document) -> Files:
    """Yield hosts.txt."""
    yield "hosts.txt", _lines(document)


def _lines(document: Document) -> Iterator[bytes]:
    yield from header(document, FORM, "#")
    for entry in FORM.carried(document):
        names = " ".join(with_www(entry["value"]))
        yield f"0.0.0.0 {names}\n:: {names}\n".encode()


FORM = Form(carries, files)

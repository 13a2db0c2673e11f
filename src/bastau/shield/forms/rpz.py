"""A response policy zone: a listed name does not exist, and of a domain no name below it either.

Names have no dot at the end, so the zone may be called anything.

Reference: draft-vixie-dnsop-dns-rpz-00, sections 3.1 and 4.1.1 (QNAME trigger, NXDOMAIN action).
"""

from collections.abc import Iterator
from datetime import datetime

from bastau.shield.forms.form import Files, Form, header, is_ip
from bastau.shield.source import Document
from bastau.shield.standing import Entry

_MAX_NAME = 190
"""A name must leave room for the name of the zone in 253 characters."""
_TTL_S = 300
_OTHER_TRIGGERS = (".rpz-ip", ".rpz-client-ip", ".rpz-nsip", ".rpz-nsdname")
"""Endings that mean addresses and name servers instead of a name: one record could deny a whole network."""


def carries(entry: Entry) -> bool:
    """Tell whether an entry is a name that fits into a zone; a page never becomes the block of a host."""
    name = entry["value"]
    is_name = entry["kind"] in ("host", "domain") and not is_ip(name) and not name.endswith(_OTHER_TRIGGERS)
    return is_name and len(name) <= _MAX_NAME


def files(document: Document) -> Files:
    """Yield rpz.zone."""
    yield "rpz.zone", _lines(document)


def _lines(document: Document) -> Iterator[bytes]:
    made, until = (datetime.fromisoformat(document[name]) for name in ("made_at", "valid_until"))
    valid_s = int((until - made).total_seconds())
    yield from header(document, FORM, ";")
    yield f"$TTL {_TTL_S}\n".encode()
    # refresh, retry, expire, time that "no such name" is kept
    yield f"@ SOA localhost. root.localhost. {document['version']} 3600 600 {valid_s} {_TTL_S}\n@ NS localhost.\n".encode()
    names = {entry["value"] for entry in FORM.carried(document)}
    domains = {entry["value"] for entry in FORM.carried(document) if entry["kind"] == "domain"}
    for name in sorted(names):  # a host and a domain of one name give one record
        yield f"{name} CNAME .\n".encode()
        yield f"{'*' if name in domains else 'www'}.{name} CNAME .\n".encode()


FORM = Form(carries, files)

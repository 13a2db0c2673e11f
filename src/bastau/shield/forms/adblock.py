"""Filters for AdGuard, uBlock Origin and engines like them: whole documents only, so nothing embedded elsewhere changes.

A domain is meant with all below it, a host with its ``www.`` only, a page with any parameters unless the entry names some.
"""

from collections.abc import Iterator

from bastau.listed_urls import listed_expressions
from bastau.shield.forms.form import Files, Form, header, with_www
from bastau.shield.source import Document
from bastau.shield.standing import ADDRESSES, Entry


def carries(entry: Entry) -> bool:
    """Tell whether an entry is an address that a filter can say; ``*`` would mean anything."""
    return entry["kind"] in ADDRESSES and "*" not in entry["value"]


def files(document: Document) -> Files:
    """Yield adblock.txt."""
    yield "adblock.txt", _lines(document)


def _lines(document: Document) -> Iterator[bytes]:
    yield from header(document, FORM, "!")
    for entry in FORM.carried(document):
        for pattern in patterns(entry):
            yield f"{pattern}$document\n".encode()


def patterns(entry: Entry) -> list[str]:
    """Return the patterns of an entry."""
    value = entry["value"]
    if entry["kind"] == "domain":
        return [f"||{value}^"]
    if entry["kind"] == "host":
        return [f"|{scheme}://{host}^" for host in with_www(value) for scheme in ("http", "https")]
    found = []
    for expression in listed_expressions(value)[0]:
        if expression.endswith("/") and "?" not in expression:  # a folder, or an account
            found.append(f"||{expression}")
        elif "?" in expression:
            found.append(f"||{expression}|")
        else:
            found += [f"||{expression}|", f"||{expression}?"]
    return found


FORM = Form(carries, files)

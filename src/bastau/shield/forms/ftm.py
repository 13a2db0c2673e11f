"""FollowTheMoney entities, one a line: a whole domain as an organisation with a website, a page as a page. Never a person."""

import hashlib
from collections.abc import Iterator
from typing import Any

import orjson

from bastau.shield.forms.form import Files, Form, is_ip
from bastau.shield.source import Document
from bastau.shield.standing import ADDRESSES, Entry

SCHEMAS = {"domain": "Organization", "host": "Organization", "url": "HyperText"}


def carries(entry: Entry) -> bool:
    """Tell whether an entry is a website or a page."""
    return entry["kind"] in ADDRESSES and not is_ip(entry["value"])


def files(document: Document) -> Files:
    """Yield ftm.json, an entity a line."""
    yield "ftm.json", _lines(document)


def _lines(document: Document) -> Iterator[bytes]:
    for entry in FORM.carried(document):
        yield orjson.dumps(_entity(document, entry), option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _entity(document: Document, entry: Entry) -> dict[str, Any]:
    kind, value = entry["kind"], entry["value"]
    address = value if kind == "url" else f"https://{value}/"
    named = {"title": [value]} if kind == "url" else {"name": [value], "website": [address]}
    said = (
        f"{entry['act']}: {entry['reason']} Ground ({entry['ground_kind']}): {entry['ground']}. Listed until {entry['expires_at']}. "
        f"{document['opt_in']} Appeal: {document['appeal']}"
    )
    return {
        "id": "bastau-" + hashlib.sha256(f"{document['list']}{chr(0)}{entry['entry_id']}".encode()).hexdigest()[:32],
        "schema": SCHEMAS[kind],
        "properties": {
            **named,
            "sourceUrl": [address],
            "notes": [said],
            "publisher": [document["publisher"]],
            "modifiedAt": [entry["published_at"][:19]],
        },
    }


FORM = Form(carries, files)

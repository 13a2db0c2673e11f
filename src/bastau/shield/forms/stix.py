"""STIX 2.1: an indicator for each entry, and a revoked one without its pattern for each that ceased to stand.

Reference: OASIS STIX 2.1, sections 4.7 (indicator), 3.6 (revoking), 9 (patterning).
"""

import uuid
from collections.abc import Iterator
from typing import Any

import orjson

from bastau.shield.forms.form import Files, Form, is_ip
from bastau.shield.source import Document
from bastau.shield.standing import Entry

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://bastau.invalid/shield")
_CLEAR = "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
"""TLP:CLEAR, as STIX 2.1 names it for all."""
_PATTERNS = {
    "url": "[url:value = '{}']",
    "host": "[domain-name:value = '{}']",
    "domain": "[domain-name:value = '{}']",
    "sha256": "[file:hashes.'SHA-256' = '{}']",
    "md5": "[file:hashes.MD5 = '{}']",
}
_NOTHING = "[x-bastau-entry:stands = false]"
"""The pattern of a revoked indicator, which must have one: it matches nothing, and names nobody."""


def stable_id(document: Document, type_: str, name: str) -> str:
    """Return a STIX id that is the same in every version of a list."""
    return f"{type_}--{uuid.uuid5(NAMESPACE, document['list'] + chr(0) + name)}"


def carries(entry: Entry) -> bool:
    """Tell whether a pattern can name an entry; those of hosts in numbers would be of another kind."""
    return entry["kind"] in _PATTERNS and not is_ip(entry["value"])


def objects(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (when it was published, object): who publishes, then the indicators."""
    publisher = _publisher(document)
    yield publisher["created"], publisher
    for entry in FORM.carried(document):
        yield entry["published_at"], _indicator(document, entry, publisher["id"])
    stands = {entry["entry_id"] for entry in document["entries"]}
    revoked = {
        r["entry_id"]: r for r in document["retractions"] if r["entry_id"] not in stands and r["kind"] in _PATTERNS
    }
    for entry_id in sorted(revoked):
        yield revoked[entry_id]["published_at"], _revoked(document, revoked[entry_id], publisher["id"])


def _publisher(document: Document) -> dict[str, Any]:
    # Its times are those of the format, so that it is the same object in every version.
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": stable_id(document, "identity", document["publisher"]),
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "name": document["publisher"],
        "identity_class": "organization",
        "description": f"{document['list']}. {document['opt_in']} Appeal: {document['appeal']}",
        "contact_information": document["appeal"],
        "object_marking_refs": [_CLEAR],
    }


def _common(document: Document, entry: Entry, publisher: str) -> dict[str, Any]:
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": stable_id(document, "indicator", entry["entry_id"]),
        "created_by_ref": publisher,
        "created": _exact(entry["released_at"]),
        "modified": _exact(max(entry["published_at"], entry["released_at"])),
        "pattern_type": "stix",
        "valid_from": _exact(entry["released_at"]),
        "object_marking_refs": [_CLEAR],
        "labels": [f"act:{entry['act']}"],
    }


def _indicator(document: Document, entry: Entry, publisher: str) -> dict[str, Any]:
    value = entry["value"].replace("\\", "\\\\").replace("'", "\\'")
    return {
        **_common(document, entry, publisher),
        "name": f"{entry['act']}: {entry['kind']} {entry['entry_id']}",
        "description": f"{entry['reason']} Ground ({entry['ground_kind']}): {entry['ground']}. Exemptions: {entry['exemption_checked']} "
        f"{document['opt_in']} Appeal: {document['appeal']}",
        "pattern": _PATTERNS[entry["kind"]].format(value),
        "valid_until": _exact(entry["expires_at"]),
        "external_references": [
            {"source_name": document["list"], "external_id": entry["entry_id"]},
            {"source_name": "appeal", "description": document["appeal"]},
            {"source_name": "evidence (SHA-256)", "external_id": entry["evidence_sha256"]},
        ],
    }


def _revoked(document: Document, retraction: Entry, publisher: str) -> dict[str, Any]:
    return {
        **_common(document, retraction, publisher),
        "name": f"{retraction['act']}: {retraction['kind']} {retraction['entry_id']}",
        "description": f"Stands no more: {retraction['reason']}, {retraction['at']}.",
        "pattern": _NOTHING,
        "revoked": True,
    }


def _exact(moment: str) -> str:
    return moment.replace("Z", ".000Z")


def files(document: Document) -> Files:
    """Yield stix.json, one bundle."""
    yield "stix.json", _bundle(document)


def _bundle(document: Document) -> Iterator[bytes]:
    name = stable_id(document, "bundle", f"{document['version']} {document['made_at']}")
    yield f'{{"type":"bundle","id":"{name}","objects":['.encode()
    for n, (_, found) in enumerate(objects(document)):
        yield (b",\n" if n else b"\n") + orjson.dumps(found, option=orjson.OPT_SORT_KEYS)
    yield b"\n]}\n"


FORM = Form(carries, files)

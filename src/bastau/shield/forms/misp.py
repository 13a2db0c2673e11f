"""A static MISP feed: an event for each act and month of release, an object for each entry, `manifest.json`, `hashes.csv`.

An entry that ceased to stand stays as a deleted object without its value, for MISP keeps what it once pulled.

Reference: MISP core format, draft-dulaunoy-misp-core-format; PyMISP, "feed generator".
"""

import hashlib
import uuid
from collections import defaultdict
from datetime import datetime
from typing import Any

import orjson

from bastau.shield.forms.form import Files, Form, is_ip
from bastau.shield.forms.stix import NAMESPACE
from bastau.shield.source import Document
from bastau.shield.standing import Entry

_URL = ("url", "60efb77b-40b5-4c46-871b-ed1ed999fce5", "10", "network")
_NAME = ("domain-ip", "43b3b146-77eb-4931-b4cc-b66c60f28734", "11", "network")
_FILE = ("file", "688c46fb-5edb-40a3-8273-1af7923e2215", "25", "file")
TEMPLATES = {
    "url": (_URL, "url", "url"),
    "host": (_NAME, "hostname", "hostname"),
    "domain": (_NAME, "domain", "domain"),
    "sha256": (_FILE, "sha256", "sha256"),
    "md5": (_FILE, "md5", "md5"),
}
"""By kind: (object: name, template, its version, category), relation, type of the attribute. Of misp-objects as of 2026."""
_GONE = "retracted"
FOLDER = "misp"


def carries(entry: Entry) -> bool:
    """Tell whether an entry has an object of its own; hosts in numbers would be of another kind."""
    return entry["kind"] in TEMPLATES and not is_ip(entry["value"])


def files(document: Document) -> Files:
    """Yield the events, then hashes.csv and manifest.json: a reader that finds an event in these finds its file."""
    manifest: dict[str, Any] = {}
    hashes: list[str] = []
    for (act, month), (standing, gone) in sorted(_events(document).items()):
        event = _event(document, act, month, standing, gone)
        event_id = event["uuid"]
        manifest[event_id] = {name: event[name] for name in _MANIFEST}
        hashes += [
            f"{hashlib.md5(e['value'].encode(), usedforsecurity=False).hexdigest()},{event_id}\n" for e in standing
        ]
        yield f"{FOLDER}/{event_id}.json", [_json({"Event": event})]
    yield f"{FOLDER}/hashes.csv", (line.encode() for line in sorted(hashes))
    yield f"{FOLDER}/manifest.json", [_json(manifest)]


_MANIFEST = ("Orgc", "Tag", "info", "date", "analysis", "threat_level_id", "timestamp")


def _events(document: Document) -> dict[tuple[str, str], tuple[list[Entry], list[Entry]]]:
    """Return, by act and month of release, the entries that stand and the retractions of others."""
    events: dict[tuple[str, str], tuple[list[Entry], list[Entry]]] = defaultdict(lambda: ([], []))
    stands = {entry["entry_id"] for entry in document["entries"]}
    for entry in FORM.carried(document):
        events[entry["act"], entry["released_at"][:7]][0].append(entry)
    gone = {r["entry_id"]: r for r in document["retractions"] if r["entry_id"] not in stands and r["kind"] in TEMPLATES}
    for entry_id in sorted(gone):
        events[gone[entry_id]["act"], gone[entry_id]["released_at"][:7]][1].append(gone[entry_id])
    return events


def _event(document: Document, act: str, month: str, standing: list[Entry], gone: list[Entry]) -> dict[str, Any]:
    changed = max(_seconds(entry["published_at"]) for entry in (*standing, *gone))
    return {
        "uuid": _uuid(document, f"event {act} {month}"),
        "info": f"{document['list']}: {act}, released in {month}. {document['opt_in']} Appeal: {document['appeal']}",
        "date": f"{month}-01",
        "timestamp": str(changed),
        "publish_timestamp": str(changed),
        "published": True,
        "analysis": "2",
        "threat_level_id": "4",
        "Orgc": {"name": document["publisher"], "uuid": _uuid(document, f"publisher {document['publisher']}")},
        "Tag": [
            {"name": "tlp:clear", "colour": "#ffffff"},
            {"name": f'bastau:act="{act}"', "colour": "#5f7a8a"},
        ],
        "Attribute": [],
        "Object": [*(_object(document, entry) for entry in standing), *(_deleted(document, r) for r in gone)],
    }


def _object(document: Document, entry: Entry) -> dict[str, Any]:
    made = _object_of(document, entry)
    said = f"{entry['reason']} Ground ({entry['ground_kind']}): {entry['ground']}. Entry {entry['entry_id']}. Appeal: {document['appeal']}"
    seen = {"first_seen": entry["released_at"], "last_seen": entry["expires_at"]}
    attribute = {**made["Attribute"][0], "value": entry["value"], "to_ids": True, **seen}
    return {**made, "comment": said, "Attribute": [attribute], **seen}


def _deleted(document: Document, retraction: Entry) -> dict[str, Any]:
    made = _object_of(document, retraction)
    attribute = {
        **made["Attribute"][0],
        "value": _GONE,
        "type": "text",
        "category": "Other",
        "to_ids": False,
        "deleted": True,
    }
    said = f"Entry {retraction['entry_id']} stands no more: {retraction['reason']}, {retraction['at']}."
    return {**made, "comment": said, "deleted": True, "Attribute": [attribute]}


def _object_of(document: Document, entry: Entry) -> dict[str, Any]:
    (name, template, version, category), relation, type_ = TEMPLATES[entry["kind"]]
    stamp = str(_seconds(entry["published_at"]))
    attribute = {
        "uuid": _uuid(document, f"attribute {entry['entry_id']}"),
        "object_relation": relation,
        "type": type_,
        "category": "Payload delivery" if category == "file" else "Network activity",
        "disable_correlation": False,
        "timestamp": stamp,
    }
    return {
        "uuid": _uuid(document, f"object {entry['entry_id']}"),
        "name": name,
        "meta-category": category,
        "template_uuid": template,
        "template_version": version,
        "description": "an entry of a shield list",
        "timestamp": stamp,
        "Attribute": [attribute],
    }


def _uuid(document: Document, name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, f"misp {document['list']}{chr(0)}{name}"))


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)


FORM = Form(carries, files)

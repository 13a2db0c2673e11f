"""TAXII 2.1, reading only, as a pure function of a request; whatever serves the web calls it.

The date that counts for ``added_after`` is when a version with the object was published, not when it was decided: otherwise an entry
released before a subscriber's last visit and published after it would never arrive.

Reference: OASIS TAXII 2.1, sections 3 (paging, filtering) to 5.
"""

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import orjson

from bastau.shield.forms.stix import NAMESPACE, objects
from bastau.shield.source import Document

MEDIA = "application/taxii+json;version=2.1"
STIX_MEDIA = "application/stix+json;version=2.1"
ROOT = "/taxii2/api/"
MAX_PAGE = 1000
_ACCEPTED = ("application/taxii+json", "*/*", "application/*")


@dataclass(frozen=True)
class Answer:
    """Status, headers and body of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Collection:
    """The one collection of a list: its id, its document, and (date, object) by date and id."""

    collection_id: str
    document: Document
    dated: Sequence[tuple[str, dict[str, Any]]]


def collection(document: Document) -> Collection:
    """Return the collection of a list, to be kept as long as its version is the one in force."""
    found = sorted(((_date(when), made) for when, made in objects(document)), key=lambda pair: (pair[0], pair[1]["id"]))
    return Collection(str(uuid.uuid5(NAMESPACE, f"collection {document['list']}")), document, found)


def answer(held: Collection, method: str, path: str, query: str, accept: str, host: str) -> Answer:
    """Return what a TAXII server answers.

    Args:
        held: the collection.
        method: GET; everything else is refused.
        path: of the address, as ``/taxii2/``.
        query: of the address, without ``?``.
        accept: the Accept header.
        host: address of this server, as ``https://lists.example.org``.
    """
    if not _accepts(accept):
        return _error(406, f"this server answers in {MEDIA}")
    if method != "GET":
        return _error(405, "this server is for reading")
    said = held.document
    if path == "/taxii2/":
        return _json(
            {
                "title": said["list"],
                "description": said["opt_in"],
                "contact": said["appeal"],
                "default": host + ROOT,
                "api_roots": [host + ROOT],
            }
        )
    if path == ROOT:
        return _json(
            {"title": said["list"], "description": said["opt_in"], "versions": [MEDIA], "max_content_length": 0}
        )
    if path == f"{ROOT}collections/":
        return _json({"collections": [_described(held)]})
    base = f"{ROOT}collections/{held.collection_id}/"
    if path == base:
        return _json(_described(held))
    try:
        if path == f"{base}objects/":
            return _envelope(held, parse_qs(query))
        if path == f"{base}manifest/":
            return _manifest(held, parse_qs(query))
        if path.startswith(f"{base}objects/") and path.endswith("/"):
            name, _, rest = path.removeprefix(f"{base}objects/").removesuffix("/").partition("/")
            found = [pair for pair in held.dated if pair[1]["id"] == name]
            if found and rest == "versions":
                dated = {"X-TAXII-Date-Added-First": found[0][0], "X-TAXII-Date-Added-Last": found[-1][0]}
                return _json({"more": False, "versions": [made["modified"] for _, made in found]}, dated)
            if found and not rest:
                return _envelope(Collection(held.collection_id, said, found), parse_qs(query))
    except ValueError as error:
        return _error(400, str(error))
    return _error(404, "no such thing here")


def _accepts(accept: str) -> bool:
    for item in (accept or "*/*").split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        version = next((p.partition("=")[2] for p in parameters if p.startswith("version=")), "2.1")
        if name in _ACCEPTED and version == "2.1":
            return True
    return False


def _described(held: Collection) -> dict[str, Any]:
    said = held.document
    text = f"{said['publisher']}, version {said['version']}, valid until {said['valid_until']}. {said['opt_in']} Appeal: {said['appeal']}"
    return {
        "id": held.collection_id,
        "title": said["list"],
        "description": text,
        "can_read": True,
        "can_write": False,
        "media_types": [STIX_MEDIA],
    }


def _page(held: Collection, query: dict[str, list[str]]) -> tuple[list[tuple[str, dict[str, Any]]], str | None]:
    """Return the (date, object) asked for, and the word that asks for the next ones."""
    rows: list[tuple[str, dict[str, Any]]] = list(held.dated)
    for name, values in query.items():
        wanted = ",".join(values).split(",")
        match name:
            case "added_after":
                try:
                    after = datetime.fromisoformat(wanted[0].replace(" ", "+"))
                except ValueError:
                    raise ValueError("added_after: not a time") from None
                if after.tzinfo is None:
                    raise ValueError("added_after: not a time with its zone")
                rows = [row for row in rows if datetime.fromisoformat(row[0]) > after]
            case "next":
                rows = _after(rows, wanted[0])
            case "match[id]":
                rows = [row for row in rows if row[1]["id"] in wanted]
            case "match[type]":
                rows = [row for row in rows if row[1]["type"] in wanted]
            case "match[spec_version]":
                rows = [row for row in rows if row[1]["spec_version"] in wanted]
            case "match[version]":
                # One version of an object is held, so it is the first and the last.
                rows = [row for row in rows if {"all", "first", "last", row[1]["modified"]}.intersection(wanted)]
    given = query.get("limit", [str(MAX_PAGE)])[0]
    if not given.isascii() or not given.isdigit() or not int(given[:9]) > 0:
        raise ValueError("limit: a number from 1 up")
    limit = min(int(given[:9]), MAX_PAGE)
    page = rows[:limit]
    if len(rows) <= limit:
        return page, None
    return page, base64.urlsafe_b64encode(f"{page[-1][0]} {page[-1][1]['id']}".encode()).decode()


def _after(rows: list[tuple[str, dict[str, Any]]], word: str) -> list[tuple[str, dict[str, Any]]]:
    try:
        date, space, name = base64.urlsafe_b64decode(word).decode("ascii").partition(" ")
        if not space:
            raise ValueError
    except ValueError:
        raise ValueError("next: not one that this server gave") from None
    return [row for row in rows if (row[0], row[1]["id"]) > (date, name)]


def _envelope(held: Collection, query: dict[str, list[str]]) -> Answer:
    page, following = _page(held, query)
    body: dict[str, Any] = {"more": following is not None, "objects": [made for _, made in page]} if page else {}
    return _json(body | ({"next": following} if following else {}), _dates(page))


def _manifest(held: Collection, query: dict[str, list[str]]) -> Answer:
    page, following = _page(held, query)
    rows = [
        {"id": made["id"], "date_added": date, "version": made["modified"], "media_type": STIX_MEDIA}
        for date, made in page
    ]
    body: dict[str, Any] = {"more": following is not None, "objects": rows} if rows else {}
    return _json(body | ({"next": following} if following else {}), _dates(page))


def _dates(page: list[tuple[str, dict[str, Any]]]) -> dict[str, str]:
    return {"X-TAXII-Date-Added-First": page[0][0], "X-TAXII-Date-Added-Last": page[-1][0]} if page else {}


def _date(moment: str) -> str:
    return moment if "." in moment else moment.replace("Z", ".000Z")


def _json(body: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    return Answer(200, {"Content-Type": MEDIA, **(headers or {})}, orjson.dumps(body))


def _error(status: int, title: str) -> Answer:
    return Answer(status, {"Content-Type": MEDIA}, orjson.dumps({"title": title, "http_status": str(status)}))

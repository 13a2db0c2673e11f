"""What subscribers and the listed fetch without an account: the files of the list, TAXII, why an entry is listed."""

import mimetypes
import os
import re
from datetime import datetime
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from bastau.hashing import format_id, parse_id
from bastau.publishing import handed_out, public_folder
from bastau.review.cases import settle
from bastau.shield.commands import why
from bastau.shield.forms import taxii
from bastau.shield.publish import SOURCE
from bastau.shield.source import Document, read
from bastau.shield.standing import moment
from bastau_web.workbench.acting import the_desk
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.roles import ANYBODY, open_to
from bastau_web.workbench.words import locale_of

_PUBLISHED = re.compile(r"(?:(?:full|changes|misp)/)?[A-Za-z0-9][A-Za-z0-9_-]{0,63}(?:\.[A-Za-z0-9]{1,16}){0,3}")
_TYPES = {".ndjson": "application/x-ndjson", ".zone": "text/plain", ".minisig": "text/plain", "": "text/plain"}
_FRESH = "public, no-cache"
"""May be kept, but is asked for again each time: a retraction reaches whoever looks."""


@open_to(ANYBODY)
@require_safe
def list_file(request: HttpRequest, name: str) -> HttpResponseBase:
    """Return a file of the published list; to whoever has it already, only that it has not changed."""
    folder = public_folder(the_home()).resolve()
    path = folder / name
    if not _PUBLISHED.fullmatch(name) or not path.resolve().is_relative_to(folder) or not path.is_file():
        raise Http404
    file = path.open("rb")
    stat = os.fstat(file.fileno())  # of what was opened: a new version may take the name at any moment
    etag, kind = f'"{stat.st_ino:x}-{stat.st_size:x}-{stat.st_mtime_ns:x}"', _kind(path.suffix)
    unchanged = get_conditional_response(request, etag, int(stat.st_mtime))
    response: HttpResponseBase
    if unchanged is not None or request.method == "HEAD":
        file.close()
        response = unchanged or HttpResponse(content_type=kind, headers={"Content-Length": str(stat.st_size)})
    else:
        response = FileResponse(file, content_type=kind)
    response["ETag"], response["Last-Modified"] = etag, formatdate(int(stat.st_mtime), usegmt=True)
    return _public(response)


def _kind(suffix: str) -> str:
    return _TYPES.get(suffix) or mimetypes.types_map.get(suffix) or "application/octet-stream"


def _public(response: HttpResponseBase) -> HttpResponseBase:
    response["Cache-Control"], response["X-Robots-Tag"] = _FRESH, "noindex"
    return response


@open_to(ANYBODY)
@csrf_exempt  # writes nothing, and says in TAXII's own words that it does not
def taxii_api(request: HttpRequest, rest: str = "") -> HttpResponseBase:
    """Answer as a TAXII 2.1 server, for reading."""
    path = public_folder(the_home()) / SOURCE
    if not path.is_file():
        raise Http404
    stat = path.stat()
    held = _collection(path, (stat.st_ino, stat.st_size, stat.st_mtime_ns))
    method = "GET" if request.method == "HEAD" else request.method or ""
    accept = request.headers.get("Accept", "")
    said = taxii.answer(
        held, method, request.path, request.META.get("QUERY_STRING", ""), accept, request.build_absolute_uri("/")[:-1]
    )
    body = b"" if request.method == "HEAD" else said.body
    response = HttpResponse(body, status=said.status, headers=said.headers)
    if request.method == "HEAD":
        response["Content-Length"] = str(len(said.body))
    response["Vary"] = "Accept"
    return _public(response)


@lru_cache(maxsize=1)
def _collection(path: Path, _state: tuple[int, int, int]) -> taxii.Collection:
    return taxii.collection(read(path.read_bytes(), str(path)))


@open_to(ANYBODY)
@require_safe
def why_listed(request: HttpRequest, entry_id: str) -> HttpResponse:
    """Say why an entry is listed or no longer is, to anybody; what stands no more is not named."""
    document = handed_out(the_home()) if parse_id("e", entry_id) is not None else None
    if document is None:
        raise Http404
    now = timezone.now()
    document = _as_of(document, entry_id, now)
    text = why(document, entry_id, locale_of(request).code)
    known = {one["entry_id"] for one in (*document["entries"], *document["retractions"])}
    head, *blocks = text.split("\n\n")
    values = {
        "entry_id": entry_id,
        "head": head,
        "blocks": [block.splitlines() for block in blocks],
        "appeal": document["appeal"],
        "policy": document["policy"],
    }
    return render(request, "why.html", values, status=200 if entry_id in known else 404)


def _as_of(document: Document, entry_id: str, now: datetime) -> Document:
    """Return the list without an entry that ceased to stand since it was published: nobody need wait for the next version."""
    entry = next((one for one in document["entries"] if one["entry_id"] == entry_id), None)
    if entry is None:
        return document
    gone = ("expired", entry["expires_at"]) if entry["expires_at"] <= moment(now) else None
    case = the_desk().book().cases.get(format_id("c", parse_id("e", entry_id) or 0))
    if gone is None and case is not None:
        ended = settle(case, now).entries
        if ended and all(one.retracted_at is not None for one in ended):
            gone = (ended[-1].retraction_reason or "withdrawn", moment(ended[-1].retracted_at or now))
    if gone is None:
        return document
    retraction = {"entry_id": entry_id, "reason": gone[0], "at": gone[1]}
    others = [one for one in document["entries"] if one is not entry]
    return {**document, "entries": others, "retractions": [*document["retractions"], retraction]}


ROUTES = [
    path("lists/<path:name>", list_file, name="list-file"),
    path("taxii2/", taxii_api, name="taxii"),
    path("taxii2/<path:rest>", taxii_api, name="taxii-api"),
    path("why/<slug:entry_id>", why_listed, name="why"),
]

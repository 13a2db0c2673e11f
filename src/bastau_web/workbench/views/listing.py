"""The shield list for those who keep it: what stands, what changed, what is handed out and where, whether that works."""

from collections.abc import Container
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from bastau.errors import BastauError
from bastau.hashing import format_id, parse_id
from bastau.publishing import handed_out, has_key, trouble
from bastau.review.entries import entries
from bastau.shield.commands import about_list, default_key
from bastau.shield.entries import stored_entries
from bastau.shield.forms import FORMS
from bastau.shield.publish import N_CHANGES
from bastau.shield.signing import load_key
from bastau.shield.source import Document, changes
from bastau.shield.standing import standing
from bastau_web.workbench.acting import the_desk
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.letting_in import address_here
from bastau_web.workbench.publishing import publish_soon
from bastau_web.workbench.review_desk import roles_of
from bastau_web.workbench.roles import READERS, Role, open_to

_A_PAGE = 50
_SOON = timedelta(days=14)
_SHOWN_RETRACTIONS = 100
FILES = {
    "hosts": "hosts.txt",
    "rpz": "rpz.zone",
    "adblock": "adblock.txt",
    "csv": "list.csv",
    "pytx": "pytx.txt",
    "prefixes": "prefixes.bin",
    "stix": "stix.json",
    "misp": "misp/manifest.json",
    "ftm": "ftm.json",
}
"""The file of each form to begin with."""


@open_to(*READERS)
@require_safe
def lists(request: HttpRequest) -> HttpResponse:
    """Show the list as it stands and as it was published."""
    home, now = the_home(), timezone.now()
    book = the_desk().book()
    found = standing(pa.concat_tables([stored_entries(home.lake), entries(book, now)]), now)
    document = handed_out(home)
    published = {entry["entry_id"]: entry for entry in document["entries"]} if document else {}
    rows = [_row(entry, published, book.cases) for entry in found.entries]
    page = Paginator(rows, _A_PAGE).get_page(request.GET.get("page"))
    values: dict[str, Any] = {
        "rows": page.object_list,
        "n_rows": len(rows),
        "page": page.number,
        "n_pages": page.paginator.num_pages,
        "soon": [row for row in rows if row["expires_at"] - now <= _SOON],
        "refused": [(entry_id, _case_of(entry_id, book.cases), why) for entry_id, why in found.refused.items()],
        "unpublished": [row for row in rows if row["version"] is None],
        "document": document,
        "has_key": has_key(home),
        "key_path": default_key(home),
        "public_key": _public_key(),
        "missing": _missing(),
        "trouble": trouble(home),
        "asked": "asked" in request.GET,
        "may_publish": Role.PUBLISHER in roles_of(request),
        "address": address_here(request, "/")[:-1],
    }
    if document is not None:
        values |= _published(request, document, now)
    return render(request, "lists.html", values)


def _row(entry: dict[str, Any], published: dict[str, Any], cases: Container[str]) -> dict[str, Any]:
    held = published.get(entry["entry_id"])
    is_same = held is not None and held["released_at"] == entry["released_at"]
    return {
        **entry,
        "released_at": datetime.fromisoformat(entry["released_at"]),
        "expires_at": datetime.fromisoformat(entry["expires_at"]),
        "case": _case_of(entry["entry_id"], cases),
        "version": held["changed_in"] if held is not None and is_same else None,
    }


def _case_of(entry_id: str, cases: Container[str]) -> str | None:
    """Return the case of an entry; entries that another program stored have none here."""
    number = parse_id("e", entry_id)
    ident = None if number is None else format_id("c", number)
    return ident if ident in cases else None


def _published(request: HttpRequest, document: Document, now: datetime) -> dict[str, Any]:
    version = document["version"]
    asked = request.GET.get("since", "")
    since = int(asked[:9]) if asked.isdecimal() else max(0, version - 1)
    since = min(max(since, version - N_CHANGES, 0), version)
    valid_until = datetime.fromisoformat(document["valid_until"])
    return {
        "made_at": datetime.fromisoformat(document["made_at"]),
        "valid_until": valid_until,
        "is_over": valid_until <= now,
        "retractions": [
            {**one, "at": datetime.fromisoformat(one["at"])}
            for one in document["retractions"][::-1][:_SHOWN_RETRACTIONS]
        ],
        "n_retractions": len(document["retractions"]),
        "since": since,
        "oldest": max(0, version - N_CHANGES),
        "changes": changes(document, since),
        "forms": [(name, FILES[name], form.counts(document)) for name, form in FORMS.items()],
    }


def _public_key() -> str:
    """Return the public half of the key, empty where there is none that can be used."""
    home = the_home()
    try:
        return load_key(default_key(home)).public if has_key(home) else ""
    except BastauError:
        return ""


def _missing() -> str:
    """Return what the settings do not say yet, empty for nothing."""
    try:
        about_list(the_home())
    except BastauError as error:
        return str(error)
    return ""


@open_to(Role.PUBLISHER)
@require_POST
def publish_lists(request: HttpRequest) -> HttpResponseBase:
    """Ask for a version now; the thread that publishes makes it."""
    publish_soon(asked=True)
    return redirect("/lists?asked")


ROUTES = [path("lists", lists, name="lists"), path("lists/publish", publish_lists, name="publish-lists")]

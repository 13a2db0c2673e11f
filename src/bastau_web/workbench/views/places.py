"""The places that are watched: how they are doing, looking at an address, adding, changing and removing."""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from bastau import editing, places
from bastau.collect.visits import Found
from bastau.collect.watching.store import Source, Store
from bastau.errors import BastauError, ConfigError
from bastau.watching import LIST_FILE, check_options, open_store
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.models import Account
from bastau_web.workbench.roles import READERS, Role, open_to
from bastau_web.workbench.words import locale_of

_SHOWN = 200
MOST_ADDRESSES = 20
"""Addresses that are looked at together while somebody waits; `bastau add FILE` takes lists of any length."""
LOOK_S = 40.0
"""Seconds after which what was not looked at yet is left: a browser and a thread of the server wait meanwhile."""
_MOST_CHARS = 20_000
_KEPT_S = 3600
"""Seconds in which what was found can be taken."""
_STATES = ("failing", "silent", "paused", "gaps")
EDITORS = (Role.ANALYST, Role.ADMIN)
"""Who may change what is watched: it costs others' servers requests and this one's disk."""
_looking = Lock()


@open_to(*READERS)
@require_safe
def sources(request: HttpRequest) -> HttpResponse:
    """Show how the watched places are doing."""
    home = the_home()
    only = request.GET.get("only", "")
    state = only if only in _STATES else None
    words = request.GET.get("match", "").strip()[:200].casefold()
    values: dict[str, Any] = {
        "only": state or "",
        "match": words,
        "states": _STATES,
        "may_edit": _may_edit(request),
        "most": MOST_ADDRESSES,
    }
    if home.settings.watch.database or (home.folder / LIST_FILE).exists():
        now = datetime.now(UTC)
        try:
            with open_store(home) as store:
                answer, _ = places.health(
                    store,
                    now,
                    lambda s, n: places.is_in_state(s, state, n) and words in f"{s.address} {s.name or ''}".casefold(),
                )
        except BastauError as error:
            values["problem"] = str(error)
        else:
            listed = answer["sources"]
            values |= {
                "n": answer["n_sources"],
                "n_fit": len(listed),
                "rows": [_row(s) for s in listed[:_SHOWN]],
            }
    return render(request, "sources.html", values)


def _may_edit(request: HttpRequest) -> bool:
    account = request.user
    return isinstance(account, Account) and bool(account.roles & {*EDITORS})


def _row(health: dict[str, Any]) -> dict[str, Any]:
    """Return a source with its times as times."""
    times = {
        name: datetime.fromisoformat(health[name]) if health[name] else None
        for name in ("last_success_at", "last_post_at", "next_at")
    }
    return {**health, **times}


# ---- adding ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offer:
    """Something that can be watched, and the token with which it is taken."""

    found: Found
    first: tuple[tuple[datetime | None, str], ...]
    token: str


@dataclass(frozen=True)
class LookedAt:
    """An address and what is there, or why nothing can be watched."""

    address: str
    offers: tuple[Offer, ...]
    problem: str


@open_to(*EDITORS)
@require_POST
def look_at_places(request: HttpRequest) -> HttpResponse:
    """Look at addresses and show what can be watched there; nothing is added yet."""
    locale = locale_of(request)
    typed = request.POST.get("addresses", "")[:_MOST_CHARS]
    try:
        wanted = places.parse_list(typed, locale.text("web.places.list"))
        problem = locale.text("web.places.too_many", n=MOST_ADDRESSES) if len(wanted) > MOST_ADDRESSES else ""
    except BastauError as error:
        wanted, problem = [], str(error)
    if problem:
        return render(request, "places_found.html", {"typed": typed, "problem": problem}, status=422)
    # One look at a time: each may open many connections, and a thread of the server waits for it.
    if not _looking.acquire(blocking=False):
        return render(
            request, "places_found.html", {"typed": typed, "problem": locale.text("web.places.busy")}, status=409
        )
    try:
        looked = asyncio.run(_look(wanted))
    except BastauError as error:
        return render(request, "places_found.html", {"typed": typed, "problem": str(error)}, status=422)
    finally:
        _looking.release()
    late = locale.text("web.places.late", n=round(LOOK_S))
    shown = [
        LookedAt(
            one.address,
            tuple(_offer(request, found) for found in looked[one.address].found) if one.address in looked else (),
            looked[one.address].problem or "" if one.address in looked else late,
        )
        for one in wanted
    ]
    return render(
        request, "places_found.html", {"typed": typed, "looked": shown, "any": any(one.offers for one in shown)}
    )


async def _look(wanted: Sequence[places.Wanted]) -> dict[str, places.Looked]:
    """Return what was found in time, by address."""
    looked: dict[str, places.Looked] = {}

    def done(one: places.Looked) -> None:
        looked[one.wanted.address] = one

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_S):
            await places.look(the_home(), wanted, done)
    return looked


def _offer(request: HttpRequest, found: Found) -> Offer:
    # Signed: what may be watched was decided when it was looked at, and no browser decides it anew.
    kept = {
        "collector": found.collector,
        "address": found.address,
        "source": found.source,
        "title": found.title,
        "posts_a_day": found.posts_a_day,
        "state": dict(found.state),
    }
    first = tuple((_time(row["published_at"]), row["title"]) for row in places.describe(found)["first"])
    return Offer(found, first, signing.dumps(kept, salt=_salt(request), compress=True))


def _time(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except ValueError:
        return None


def _salt(request: HttpRequest) -> str:
    return f"places {request.user.pk}"


@open_to(*EDITORS)
@require_POST
def watch_places(request: HttpRequest) -> HttpResponse:
    """Watch what was chosen of what was found."""
    locale = locale_of(request)
    try:
        chosen = [
            Found(**signing.loads(token, salt=_salt(request), max_age=_KEPT_S))
            for token in request.POST.getlist("take")[: 10 * MOST_ADDRESSES]
        ]
    except signing.BadSignature:
        return render(request, "places_found.html", {"typed": "", "problem": locale.text("web.places.old")}, status=422)
    if not chosen:
        return render(
            request, "places_found.html", {"typed": "", "problem": locale.text("web.places.nothing")}, status=422
        )
    try:
        with open_store(the_home()) as store:
            new = store.add(chosen, options={}, priority=0, now=datetime.now(UTC).timestamp())
    except BastauError as error:
        return render(request, "places_found.html", {"typed": "", "problem": str(error)}, status=503)
    return render(request, "places_added.html", {"chosen": list(zip(chosen, new, strict=True)), "n_new": sum(new)})


# ---- changing --------------------------------------------------------------------------------------------------


@open_to(*READERS)
@require_safe
def place(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show one watched place: how it is doing, and the forms that change it."""
    with _one(source_id) as (store, _source):
        return _show_place(request, store, source_id)


@contextlib.contextmanager
def _one(source_id: int) -> Iterator[tuple[Store, Source]]:
    home = the_home()
    if not home.settings.watch.database and not (home.folder / LIST_FILE).exists():
        raise Http404
    with open_store(home) as store:
        yield store, _source(store, source_id)


def _source(store: Store, source_id: int) -> Source:
    for source in store.sources():
        if source.source_id == source_id:
            return source
    raise Http404


def _show_place(
    request: HttpRequest,
    store: Store,
    source_id: int,
    problem: str = "",
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    answer, _ = places.health(store, datetime.now(UTC), lambda source, _now: source.source_id == source_id)
    one = _row(answer["sources"][0])
    values = {
        "place": one,
        "may_edit": _may_edit(request),
        "typed": typed or {"name": one["name"], "priority": str(one["priority"]), "options": _as_lines(one["options"])},
        "problem": problem,
        "said": request.GET.get("done", "")
        if request.GET.get("done") in ("edited", "paused", "resumed", "hurried")
        else "",
    }
    return render(request, "place.html", values, status=status)


def _as_lines(options: dict[str, Any]) -> str:
    return "\n".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in options.items())


@open_to(*EDITORS)
@require_POST
def edit_place(request: HttpRequest, source_id: int) -> HttpResponse:
    """Give a watched place another name, priority or options."""
    typed = {name: request.POST.get(name, "").strip()[:4000] for name in ("name", "priority", "options")}
    with _one(source_id) as (store, source):
        try:
            if typed["priority"] not in {str(n) for n in range(-4, 5)}:
                raise ConfigError(locale_of(request).text("web.places.priority_wrong"))
            options = editing.read_options(typed["options"].splitlines())
            check_options(options.keys() - source.options.keys())
            gone = dict.fromkeys(source.options.keys() - options.keys(), "")
            change = editing.Change(" ".join(typed["name"].split())[:200], int(typed["priority"]), None, options | gone)
            store.edit([after for _, after in editing.apply(change, [source])])
        except ConfigError as error:
            return _show_place(request, store, source_id, str(error), typed, status=422)
    return _told(source_id, "edited")


def _told(source_id: int, what: str) -> HttpResponse:
    return redirect(f"/sources/{source_id}?done={what}")


@open_to(*EDITORS)
@require_POST
def pause_place(request: HttpRequest, source_id: int) -> HttpResponse:
    """Stop looking at a place for now, or go on."""
    pauses = request.POST.get("pause") == "1"
    with _one(source_id) as (store, source):
        store.edit([after for _, after in editing.apply(editing.Change(is_paused=pauses), [source])])
    return _told(source_id, "paused" if pauses else "resumed")


@open_to(*EDITORS)
@require_POST
def hurry_place(request: HttpRequest, source_id: int) -> HttpResponse:
    """Have a place looked at as soon as possible by whoever watches."""
    with _one(source_id) as (store, source):
        store.hurry([source.source_id])
    return _told(source_id, "hurried")


@open_to(*EDITORS)
@require_POST
def remove_place(request: HttpRequest, source_id: int) -> HttpResponse:
    """Watch a place no more, once that was ticked; its posts stay."""
    with _one(source_id) as (store, source):
        if request.POST.get("sure") != "1":
            return _show_place(request, store, source_id, locale_of(request).text("web.places.not_sure"), status=422)
        store.remove([source.source_id])
    return redirect("sources")


ROUTES = [
    path("sources", sources, name="sources"),
    path("sources/look", look_at_places, name="look-at-places"),
    path("sources/watch", watch_places, name="watch-places"),
    path("sources/<int:source_id>", place, name="place"),
    path("sources/<int:source_id>/edit", edit_place, name="edit-place"),
    path("sources/<int:source_id>/pause", pause_place, name="pause-place"),
    path("sources/<int:source_id>/now", hurry_place, name="hurry-place"),
    path("sources/<int:source_id>/remove", remove_place, name="remove-place"),
]

"""Letting an entry out and taking it back: what stands to be released, by whom not, the notice, what was released before."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from bastau.errors import BastauError, Refused
from bastau.hashing import parse_id
from bastau.review.acts import By, Released, Withdrawn
from bastau.review.appeals import RANDOM_BYTES, code_hash, new_code
from bastau.review.cases import MAX_STANDING, Case, Entry, Outcome, is_released, is_same_person, outcome, settle
from bastau.review.checks import MAX_FACTS, MAX_REASON, MIN_ARGUMENT, MIN_REASON, TERRITORIES
from bastau.review.entries import entry_id, statement
from bastau.review.queue import waiting_appeal
from bastau.review.subjects import PLACES
from bastau_web.workbench.acting import acting, the_desk
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.letting_in import address_here
from bastau_web.workbench.models import Notice
from bastau_web.workbench.notices import WAYS, in_words, notices
from bastau_web.workbench.publishing import publish_soon
from bastau_web.workbench.review_desk import act_read, roles_of, signed_in
from bastau_web.workbench.roles import READERS, Role, open_to
from bastau_web.workbench.words import locale_of

_DEFAULT_DAYS = 30
_FORM = ("expires", "whole_argument", "facts", "ground_url", "territory")
_LIMITS = {
    "days": MAX_STANDING.days,
    "least": MIN_REASON,
    "most": MAX_FACTS,
    "argument": MIN_ARGUMENT,
    "reason": MAX_REASON,
}
_MALFORMED = ("wording", "whole_place", "expiry", "hash", "malformed")
"""Refusals of what was typed; others are of the moment."""


def find_case(ident: str, now: datetime) -> Case:
    """Return a case as it is now, or 404."""
    found = the_desk().book().cases.get(ident) if parse_id("c", ident) is not None else None
    if found is None:
        raise Http404
    return settle(found, now)


def said_no(request: HttpRequest, error: Exception) -> tuple[str, int]:
    """Return the words and the status for what was not done."""
    locale = locale_of(request)
    if not isinstance(error, Refused):
        return locale.text("web.release_refused.not_now"), 503
    known = f"web.release_refused.{error.code}"
    words = locale.text(known) if locale.has(known) else str(error)
    return words, 422 if error.code in _MALFORMED else 409


@open_to(Role.PUBLISHER, Role.REVIEWER)
@require_http_methods(["GET", "HEAD", "POST"])
def release(request: HttpRequest, case: str) -> HttpResponse:
    """Show what would be released and preview its statement of reasons; let it out when a publisher of lists asks to.

    Reviewers see it too: taking an entry back is theirs as well.
    """
    now = timezone.now()
    here = find_case(case, now)
    form = {name: request.POST.get(name, "").strip()[: MAX_FACTS + 1] for name in _FORM}
    if request.method != "POST":
        form["expires"] = _day(now + timedelta(days=_DEFAULT_DAYS))
        return _page(request, here, form, now)
    if Role.PUBLISHER not in roles_of(request):
        raise PermissionDenied
    problems = _problems(request, here, form, now)
    if problems or request.POST.get("do") != "release":
        return _page(request, here, form, now, problems, 422 if problems else 200)
    code = new_code(secrets.token_bytes(RANDOM_BYTES))
    act = _released(here, acting(request, Role.PUBLISHER), act_read(request), form, code)
    try:
        book = the_desk().act(lambda _: act, now)
    except BastauError as error:
        words, status = said_no(request, error)
        return _page(request, find_case(case, now), form, now, [words], status)
    publish_soon()
    after = book.cases[case]
    values = {
        "case": after,
        "entry": after.entries[-1],
        "entry_id": entry_id(after),
        "code": code,
        "notices": notices(after, after.entries[-1], code, address_here(request, reverse("appeal")), _publisher()),
        "ways": WAYS,
    }
    # Not sent on to another page: the code stands in this answer and nowhere else.
    return render(request, "released.html", values)


def _released(case: Case, by: By, of: int, form: dict[str, str], code: str) -> Released:
    return Released(
        case.case,
        by,
        of,
        _expiry(form["expires"]) or timezone.now(),
        form["whole_argument"] if case.subject.kind in PLACES else "",
        form["facts"],
        form["ground_url"],
        tuple(_countries(form["territory"])),
        code_hash(code),
    )


def _problems(request: HttpRequest, case: Case, form: dict[str, str], now: datetime) -> list[str]:
    """Return what is wrong with what was typed; the rules are those of the core, the words name the field."""
    at, whole = _expiry(form["expires"]), case.subject.kind in PLACES
    wrong = {
        "expiry": at is None or not now < at <= now + MAX_STANDING,
        "argument": whole and not MIN_ARGUMENT <= len(form["whole_argument"]) <= MAX_FACTS,
        "facts": not MIN_REASON <= len(form["facts"]) <= MAX_FACTS,
        "ground_url": bool(form["ground_url"]) and not re.fullmatch(r"https://\S{3,2000}", form["ground_url"]),
        "territory": not set(_countries(form["territory"])) <= TERRITORIES,
    }
    return [locale_of(request).text(f"web.release.wrong_{name}", **_LIMITS) for name, is_so in wrong.items() if is_so]


def _page(
    request: HttpRequest,
    case: Case,
    form: dict[str, str],
    now: datetime,
    problems: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    found = outcome(case.round)
    me = acting(request, Role.PUBLISHER)
    told = {notice.entry_n: notice for notice in Notice.objects.filter(case=case.case)}
    values: dict[str, Any] = {
        "case": case,
        "entry_id": entry_id(case),
        "outcome": found,
        "stage": _stage(case, found),
        "judges": sorted({given.judged.by.person for given in case.round.given}) if found else [],
        "may_release": Role.PUBLISHER in roles_of(request),
        "is_mine": any(is_same_person(given.judged.by, me) for given in case.round.given),
        "evidence": [one for one in case.evidence if found and one.sha256 == found.given.judged.evidence_sha256],
        "form": form,
        "needs_argument": case.subject.kind in PLACES,
        "first_day": _day(now + timedelta(days=1)),
        "last_day": _day(now + MAX_STANDING),
        "limits": _LIMITS,
        "entries": [(entry, told.get(entry.n)) for entry in reversed(case.entries)],
        "ways": WAYS,
        "problems": problems or [],
    }
    if values["stage"] == "ready" and found is not None:
        act = _released(case, me, found.given.n, form, "")
        preview = Entry(0, now, act, found.given, frozenset())
        values["statement"] = in_words(case, preview, locale_of(request))
        values["as_json"] = orjson.dumps(statement(case, preview), option=orjson.OPT_INDENT_2).decode()
    return render(request, "release.html", values, status=status)


def _stage(case: Case, found: Outcome | None) -> str:
    """Return whether the case can be released, or why not."""
    if found is None:
        return "open"
    if found.listed_act is None:
        return "left"
    if is_released(case, found):
        return "released"
    if case.is_barred:
        return "overturned"
    return "appeal_pending" if waiting_appeal(case) is not None else "ready"


def _day(at: datetime) -> str:
    return at.date().isoformat()


def _expiry(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _countries(text: str) -> list[str]:
    return sorted({word.upper() for word in re.split(r"[\s,;]+", text) if word})


def _publisher() -> str:
    said = the_home().settings.shield
    return said.publisher or said.name


@open_to(Role.PUBLISHER)
@require_POST
def note_notice(request: HttpRequest, case: str, n: int) -> HttpResponseBase:
    """Note how the publisher was told of an entry version; neither words nor code nor address."""
    here = find_case(case, timezone.now())
    way = request.POST.get("way", "")
    if way not in WAYS or n not in {entry.n for entry in here.entries}:
        raise Http404
    Notice.objects.update_or_create(
        case=here.case, entry_n=n, defaults={"account": signed_in(request), "way": way, "at": timezone.now()}
    )
    return redirect("release", here.case)


@open_to(Role.PUBLISHER, Role.REVIEWER)
@require_POST
def withdraw(request: HttpRequest, case: str) -> HttpResponseBase:
    """Take a standing entry back; one person may."""
    now = timezone.now()
    here = find_case(case, now)
    by = acting(request, Role.PUBLISHER if Role.PUBLISHER in roles_of(request) else Role.REVIEWER)
    act = Withdrawn(
        here.case, by, request.POST.get("why", "")[:40], request.POST.get("reason", "").strip()[: MAX_REASON + 1]
    )
    try:
        the_desk().act(lambda _: act, now)
    except BastauError as error:
        words, status = said_no(request, error)
        values = {"case": here, "problems": [words], "typed": [act.reason] if act.reason else []}
        return render(request, "not_done.html", values, status=status)
    publish_soon()
    return redirect("release", here.case)


@open_to(*READERS)
@require_safe
def statement_of(request: HttpRequest, case: str, n: int) -> HttpResponse:
    """Return the statement of reasons of an entry version as JSON, to be handed in as it is."""
    here = find_case(case, timezone.now())
    entry = next((entry for entry in here.entries if entry.n == n), None)
    if entry is None:
        raise Http404
    said = statement(here, entry)
    response = HttpResponse(orjson.dumps(said, option=orjson.OPT_INDENT_2), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{said["puid"]}.json"'
    return response


ROUTES = [
    path("release/<slug:case>", release, name="release"),
    path("release/<slug:case>/withdraw", withdraw, name="withdraw"),
    path("release/<slug:case>/<int:n>/notice", note_notice, name="note-notice"),
    path("release/<slug:case>/<int:n>/statement.json", statement_of, name="statement"),
]

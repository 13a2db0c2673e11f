"""The queue and the cases: looking, taking, giving back, and a break in time."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from bastau.errors import DiskFull, HomeBusy, Refused
from bastau.hashing import parse_id
from bastau.report.candidates import Candidate, Candidates, line_up
from bastau.review.acts import By
from bastau.review.cases import Case, is_same_person
from bastau.review.log import Book
from bastau.review.queue import waiting_appeal
from bastau.review.subjects import KINDS
from bastau.review.turns import turn
from bastau.schemas import ACTS
from bastau_web.workbench import exposure
from bastau_web.workbench.acting import the_desk
from bastau_web.workbench.case_page import attempt, decided_before, failed, page_of
from bastau_web.workbench.models import Desk
from bastau_web.workbench.review_desk import (
    again,
    by_of,
    cases_on_desks,
    found_candidates,
    put_on_desk,
    review_settings,
    roles_of,
    whoever,
)
from bastau_web.workbench.roles import READERS, Role, open_to
from bastau_web.workbench.words import locale_of

PAGE = 25


@open_to(*READERS)
@require_safe
def queue(request: HttpRequest) -> HttpResponseBase:
    """Show what waits, the most urgent first; a reviewer does not see what somebody else must do."""
    now = timezone.now()
    if exposure.is_break_due(request, review_settings(), now):
        return _show_break(request, now)
    book = the_desk().book()
    found = found_candidates()
    form = {name: request.GET.get(name, "")[:40] for name in ("act", "in", "kind")}
    turn_of = _turns(request, book, found)
    waiting = [
        (case, turns)
        for case in line_up(book, found, now, partial(_fits, form=form))
        if (turns := turn_of(case)) is not None
    ]
    page = Paginator(waiting, PAGE).get_page(request.GET.get("page"))
    desks = cases_on_desks(now)
    locale = locale_of(request)
    tags = found.languages.union(*(case.subject.languages for case in book.cases.values()))
    rest = {name: value for name, value in form.items() if value}
    values = {
        "form": form,
        "rows": [
            _row(
                case,
                turns,
                found.by_case.get(case.case),
                desks,
                now,
                may_release=Role.PUBLISHER in roles_of(request),
            )
            for case, turns in page
        ],
        "n": len(waiting),
        "start": page.start_index(),
        "page": page.number,
        "n_pages": page.paginator.num_pages,
        "previous": urlencode(rest | {"page": page.previous_page_number()}) if page.has_previous() else "",
        "following": urlencode(rest | {"page": page.next_page_number()}) if page.has_next() else "",
        "acts": ACTS,
        "kinds": KINDS,
        "tags": sorted(((tag, locale.language(tag)) for tag in tags), key=lambda pair: pair[1]),
        "n_struck": found.n_struck,
        "may_judge": Role.REVIEWER in roles_of(request),
        "after": decided_before(request),
    }
    return render(request, "queue.html", values)


def _fits(case: Case, form: dict[str, str]) -> bool:
    suggested = case.round.lead
    act = "none" if suggested is None else suggested.act
    return (
        form["act"] in ("", act)
        and form["kind"] in ("", case.subject.kind)
        and (not form["in"] or form["in"] in case.subject.languages)
    )


def _turns(request: HttpRequest, book: Book, found: Candidates) -> Callable[[Case], str | None]:
    """Return what tells what could be done next: by this person if they decide, by somebody if they only look."""
    roles = roles_of(request)
    decides = bool(roles & {Role.REVIEWER, Role.PUBLISHER})
    me = whoever(request) if decides else By("-", "-", "-")

    def turn_of(case: Case) -> str | None:
        wanted = "judge" if case.case not in book.cases else turn(case, me) or again(case, found)
        needed = Role.PUBLISHER if wanted == "release" else Role.REVIEWER
        return wanted if not decides or needed in roles else None

    return turn_of


def _row(
    case: Case, turns: str, found: Candidate | None, desks: dict[str, Desk], now: datetime, *, may_release: bool
) -> dict[str, Any]:
    is_new = found is not None and (not case.last_n or turns == "again")
    since = found.found_at if found is not None and is_new else case.round.began_at
    desk = desks.get(case.case)
    return {
        "case": case,
        "lead": found.case.round.lead if found is not None and turns == "again" else case.round.lead,
        "address": reverse("release" if may_release and turns == "release" else "case", args=[case.case]),
        "turn": turns,
        "n_posts": found.n_posts if found is not None else 0,
        "is_new": is_new,
        "age_s": max((now - since).total_seconds(), 0),
        "desk": desk.account.name if desk is not None else "",
        "appeal": waiting_appeal(case),
    }


@open_to(Role.REVIEWER)
@require_POST
def next_case(request: HttpRequest) -> HttpResponseBase:
    """Take the most urgent case that nobody has on the desk and go there."""
    now = timezone.now()
    if exposure.is_break_due(request, review_settings(), now):
        return redirect("queue")
    try:
        return to_next(request, now, "")
    except (HomeBusy, DiskFull) as error:
        return failed(request, error)


def to_next(request: HttpRequest, now: datetime, after: str) -> HttpResponseBase:
    """Take the most urgent case that this person may judge and nobody else has, and go there; ``after`` is the one before."""
    book, me = the_desk().book(), whoever(request)
    desks = cases_on_desks(now)
    query = f"?after={after}" if after else ""
    for case in line_up(book, found_candidates(), now):
        desk = desks.get(case.case)
        if case.case == after or turn(case, me) not in ("judge", "seat"):
            continue
        if desk is not None and not is_same_person(by_of(desk.account), me):
            continue
        try:
            put_on_desk(request, case.case, now)
        except Refused:
            continue  # somebody else was a moment earlier
        return redirect(reverse("case", args=[case.case]) + query)
    return redirect(reverse("queue") + query)


@open_to(*READERS)
@require_safe
def case(request: HttpRequest, case: str) -> HttpResponseBase:
    """Show a case with all that is needed to decide it; looking changes nothing."""
    if exposure.is_break_due(request, review_settings(), timezone.now()):
        return _show_break(request, timezone.now())
    return page_of(request, case)


@open_to(Role.REVIEWER)
@require_POST
def take_case(request: HttpRequest, case: str) -> HttpResponseBase:
    """Put a case on one's desk for half an hour."""

    def do(now: datetime) -> HttpResponseBase:
        put_on_desk(request, case, now)
        return redirect("case", case)

    return attempt(request, case, do)


@open_to(Role.REVIEWER)
@require_POST
def give_back(request: HttpRequest, case: str) -> HttpResponseBase:
    """Take a case off one's desk."""
    exposure.cover(request, timezone.now())
    for row in Desk.objects.filter(case=case).select_related("account"):
        if is_same_person(by_of(row.account), whoever(request)):
            row.delete()
    return redirect("queue")


@open_to(*READERS)
@require_POST
def show_content(request: HttpRequest, case: str) -> HttpResponseBase:
    """Uncover the words of a case; the time that they are on the screen counts towards a break."""
    if parse_id("c", case) is None:
        raise Http404
    now = timezone.now()
    if request.POST.get("cover"):
        exposure.cover(request, now)
    else:
        exposure.uncover(request, case, now)
    return redirect("case", case)


@open_to(*READERS)
@require_POST
def end_break(request: HttpRequest) -> HttpResponseBase:
    """Go on after a break."""
    exposure.take_break(request, timezone.now())
    return redirect("queue")


def _show_break(request: HttpRequest, now: datetime) -> HttpResponse:
    return render(request, "break.html", {"minutes": exposure.minutes(request, now)})


ROUTES = [
    path("queue", queue, name="queue"),
    path("queue/next", next_case, name="next-case"),
    path("queue/break", end_break, name="end-break"),
    path("case/<slug:case>", case, name="case"),
    path("case/<slug:case>/take", take_case, name="take-case"),
    path("case/<slug:case>/give-back", give_back, name="give-back"),
    path("case/<slug:case>/show", show_content, name="show-content"),
]

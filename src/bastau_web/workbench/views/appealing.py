"""Appeals: the page for whoever is listed, without an account, and the pages of those who answer."""

import re
from datetime import datetime
from typing import Any

from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from bastau.errors import BastauError, Refused
from bastau.review.acts import Answered
from bastau.review.appeals import code_hash, find_entry
from bastau.review.cases import ANSWER_WITHIN, APPEAL_WINDOW, Appeal, Case, Entry, is_same_person, settle, standing
from bastau.review.checks import MAX_REASON, MIN_REASON
from bastau.review.entries import entry_id
from bastau.review.queue import waiting_appeal
from bastau_web.workbench import throttle
from bastau_web.workbench.acting import acting, the_desk
from bastau_web.workbench.appeal_words import FEWEST, MOST, file_appeal, words_of
from bastau_web.workbench.notices import in_words
from bastau_web.workbench.publishing import publish_soon
from bastau_web.workbench.roles import ANYBODY, Role, open_to
from bastau_web.workbench.views.releasing import find_case, said_no
from bastau_web.workbench.words import locale_of

_SHOWN_ENDED = 100
_UNPRINTED = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@open_to(ANYBODY)
@require_http_methods(["GET", "HEAD", "POST"])
def appeal(request: HttpRequest) -> HttpResponse:
    """Show what a code is for, take what its holder has to say, and tell later what became of it.

    Nothing is sent on to another address: the code would stand in it. Sent twice, an appeal is one.
    """
    code = request.POST.get("code", "").strip()[:100]
    words = _UNPRINTED.sub("", request.POST.get("words", "").replace("\r\n", "\n")).strip()[: MOST + 1]
    values: dict[str, Any] = {"code": code, "words": words, "fewest": FEWEST, "most": MOST, "days": ANSWER_WITHIN.days}
    locale = locale_of(request)
    if request.method != "POST" or not code:
        return render(request, "appeal.html", values)
    name = f"appeal {code_hash(code)[:16]}"
    attempt = throttle.begin(request, name)
    if attempt is None:
        return render(request, "appeal.html", values | {"problems": [locale.text("web.sign_in.throttled")]}, status=429)
    status = 200
    try:
        find_entry(the_desk().book(), code)
        throttle.take_back(attempt)
        if request.POST.get("do") == "file":
            if FEWEST <= len(words) <= MOST:
                file_appeal(code, words, timezone.now())
                publish_soon()
                values["done"] = True
            else:
                values["problems"], status = [locale.text("web.appeal.length", least=FEWEST, most=MOST)], 422
        case, entry = find_entry(the_desk().book(), code)
        values |= _shown(request, case, entry)
    except Refused as error:
        if error.code == "code":
            return render(request, "appeal.html", values | {"problems": [locale.text("web.appeal.wrong")]}, status=404)
        case, entry = find_entry(the_desk().book(), code)
        values |= {"problems": [said_no(request, error)[0]], **_shown(request, case, entry)}
        status = 409
    except (BastauError, DatabaseError) as error:
        if isinstance(error, BastauError):
            throttle.take_back(attempt)
        values |= {"problems": [said_no(request, error)[0]]}
        status = 503
    return render(request, "appeal.html", values, status=status)


def _shown(request: HttpRequest, case: Case, entry: Entry) -> dict[str, Any]:
    now = timezone.now()
    case = settle(case, now)
    entry = next(one for one in case.entries if one.n == entry.n)
    verdict = entry.given.judged.verdict
    return {
        "case": case,
        "entry": entry,
        "entry_id": entry_id(case),
        "verdict": verdict,
        "stands": standing(case, now),  # of whatever version: the code may be of an earlier one
        "deadline": entry.released_at + APPEAL_WINDOW,
        "state": _state(entry, now),
        "is_late": now > entry.released_at + APPEAL_WINDOW,
    }


def _state(entry: Entry, now: datetime) -> str:
    """Return ``none``, ``waiting``, ``overturned``, ``upheld`` or ``lapsed``: what became of the appeal."""
    if entry.appeal is None:
        return "none"
    if entry.appeal.answered_at is not None:
        return "overturned" if entry.appeal.is_overturned else "upheld"
    return "waiting" if now < entry.appeal.due_at else "lapsed"


@open_to(Role.REVIEWER)
@require_safe
def appeals(request: HttpRequest) -> HttpResponse:
    """Show the appeals that wait, those due first, and the latest that ended."""
    now = timezone.now()
    me = acting(request, Role.REVIEWER)
    rows = [
        {
            "case": case,
            "entry_id": entry_id(case),
            "appeal": entry.appeal,
            "state": _state(entry, now),
            "left_s": max(0.0, (entry.appeal.due_at - now).total_seconds()),
            "took_part": any(is_same_person(by, me) for by in case.took_part),
        }
        for case in the_desk().book().cases.values()
        for entry in case.entries
        if entry.appeal is not None
    ]
    # One that nobody answered in time can still be answered: the publisher is owed it.
    waiting = sorted(
        (row for row in rows if _appeal_of(row).answered_at is None), key=lambda row: _appeal_of(row).due_at
    )
    ended = [row for row in rows if _appeal_of(row).answered_at is not None]
    ended.sort(key=lambda row: _appeal_of(row).answered_at or now, reverse=True)
    return render(request, "appeals.html", {"waiting": waiting, "ended": ended[:_SHOWN_ENDED]})


def _appeal_of(row: dict[str, Any]) -> Appeal:
    found: Appeal = row["appeal"]
    return found


@open_to(Role.REVIEWER)
@require_http_methods(["GET", "HEAD", "POST"])
def answer_appeal(request: HttpRequest, case: str, n: int) -> HttpResponseBase:
    """Show an appeal with what it is against, and take the answer of somebody who took no part."""
    now = timezone.now()
    here = find_case(case, now)
    entry = next((one for one in here.entries if one.appeal is not None and one.appeal.n == n), None)
    if entry is None or entry.appeal is None:
        raise Http404
    me = acting(request, Role.REVIEWER)
    decision = request.POST.get("decision", "")
    reason = request.POST.get("reason", "").strip()[: MAX_REASON + 1]
    problems: list[str] = []
    status = 200
    if request.method == "POST":
        if decision not in ("overturn", "uphold"):
            problems, status = [locale_of(request).text("web.appeals.choose")], 422
        elif not MIN_REASON <= len(reason) <= MAX_REASON:
            problems, status = [locale_of(request).text("web.appeals.length", least=MIN_REASON, most=MAX_REASON)], 422
        else:
            act = Answered(here.case, me, n, decision == "overturn", reason)
            try:
                the_desk().act(lambda _: act, now)
            except BastauError as error:
                words, status = said_no(request, error)
                problems = [words]
            else:
                publish_soon()
                return redirect("appeals")
    values = {
        "case": here,
        "entry": entry,
        "entry_id": entry_id(here),
        "appeal": entry.appeal,
        "state": _state(entry, now),
        "words": words_of(entry.appeal),
        "statement": in_words(here, entry, locale_of(request)),
        "verdict": entry.given.judged.verdict,
        "took_part": any(is_same_person(by, me) for by in here.took_part),
        "decision": decision,
        "reason": reason,
        "limits": {"least": MIN_REASON, "most": MAX_REASON},
        "problems": problems,
    }
    return render(request, "answer_appeal.html", values, status=status)


@open_to(Role.REVIEWER)
@require_safe
def waiting_appeal_of(request: HttpRequest, case: str) -> HttpResponseBase:
    """Lead to the appeal of a case that waits for an answer."""
    appeal = waiting_appeal(find_case(case, timezone.now()))
    return redirect("appeals") if appeal is None else redirect("answer-appeal", case, appeal.n)


ROUTES = [
    path("appeal", appeal, name="appeal"),
    path("appeals", appeals, name="appeals"),
    path("appeals/<slug:case>", waiting_appeal_of, name="appeal-answer"),
    path("appeals/<slug:case>/<int:n>", answer_appeal, name="answer-appeal"),
]

"""Verdicts, panels, asking again, cases opened by people. The rules are those of :mod:`bastau.review`."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import duckdb
from django.conf import settings
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.views.decorators.http import require_http_methods, require_POST

from bastau.errors import BastauError, DiskFull, HomeBusy, Refused
from bastau.hashing import parse_id
from bastau.network import read_secret
from bastau.report.candidates import opened_by, post_of, ways
from bastau.review.acts import Convened, Evidence, Ground, Judged, Reopened, Undone, Verdict
from bastau.review.cases import Case, lead
from bastau.review.checks import MAX_CITATION, MAX_REASON, MIN_CITATION, MIN_REASON, verdict_problems
from bastau.review.log import Book
from bastau.review.opinions import judge
from bastau.review.turns import free_seats, read_ground
from bastau.translation import translate, translator
from bastau_web.workbench import exposure
from bastau_web.workbench.acting import acting, the_desk
from bastau_web.workbench.case_page import attempt, page_of, refusal, stored_post, trouble
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.lake_reader import ask
from bastau_web.workbench.models import Desk
from bastau_web.workbench.review_desk import (
    act_read,
    data_version,
    found_candidates,
    hold,
    review_settings,
    whoever,
)
from bastau_web.workbench.roles import Role, open_to
from bastau_web.workbench.views.review import to_next
from bastau_web.workbench.words import locale_of

_LIMITS = {"ground": (MIN_CITATION, MAX_CITATION)}


@open_to(Role.REVIEWER)
@require_POST
def give_verdict(request: HttpRequest, case: str) -> HttpResponseBase:
    """Write a verdict and go on to the next case; whatever is wrong with it is said beside the fields."""

    def do(now: datetime) -> HttpResponseBase:
        known = the_desk().book().cases.get(case)
        if known is None:
            raise Refused("no_case", "no such case")
        hold(request, case, now)
        fields = _field_problems(request, known)
        if fields:
            return page_of(request, case, fields=fields, status_code=422)
        the_desk().act(lambda book: _judged(request, book, case), now)
        # The verdict is in the log: whatever fails from here on must not say that it is not.
        try:
            Desk.objects.filter(case=case).delete()
            exposure.cover(request, now)
            return to_next(request, now, case)
        except (BastauError, DatabaseError):
            return redirect(f"{reverse('queue')}?after={case}")

    return attempt(request, case, do)


def _verdict(request: HttpRequest, case: Case) -> Verdict:
    act = request.POST.get("act", "")
    found = None if act in ("", "none") else act
    exemption = request.POST.get("exemption", "") or ("" if found else "none")
    verdict = Verdict(
        None,
        found,
        _ground(request) if found else None,
        exemption,
        request.POST.get("exemption_checked", "").strip() if found else "",
        request.POST.get("reason", "").strip(),
    )
    suggested = lead(case.suggestions)
    return replace(verdict, is_accepted=None if suggested is None else verdict.listed_act == suggested.act)


def _ground(request: HttpRequest) -> Ground | None:
    chosen = request.POST.get("ground", "")
    if chosen:
        return read_ground(chosen) if chosen in review_settings().grounds else None
    kind, citation = request.POST.get("ground_kind", ""), request.POST.get("citation", "").strip()
    return Ground(kind, citation) if kind else None


def _field_problems(request: HttpRequest, case: Case) -> dict[str, str]:
    """Return what is wrong with the verdict as typed, by field."""
    locale = locale_of(request)
    problems = {}
    if not request.POST.get("act"):
        problems["act"] = locale.text("web.verdict.no_act")
    for field, _ in verdict_problems(case, _verdict(request, case)):
        least, most = _LIMITS.get(field, (MIN_REASON, MAX_REASON))
        problems[field] = locale.text(f"web.verdict.wrong_{field}", least=least, most=most)
    if free_seats(case) and request.POST.get("seat", "") not in free_seats(case):
        problems["seat"] = locale.text("web.verdict.wrong_seat")
    return problems


def _judged(request: HttpRequest, book: Book, ident: str) -> Judged:
    case = book.cases[ident]
    evidence = request.POST.get("evidence", "") or case.evidence[-1].sha256
    made = judge(
        case,
        acting(request, Role.REVIEWER),
        _verdict(request, case),
        evidence,
        _seed(),
        _rates(),
        request.POST.get("seat") or None,
    )
    # What was read, not what stands now: a question that changed meanwhile is refused.
    return replace(made, of=act_read(request))


def _seed() -> bytes:
    """Return the secret that draws second opinions; it follows from the key of this home and is shown nowhere."""
    return salted_hmac("bastau second opinions", "seed", secret=settings.SECRET_KEY, algorithm="sha256").digest()


def _rates() -> dict[str, float]:
    review = review_settings()
    return {"law": review.second_law, "policy": review.second_policy, "none": review.second_none}


@open_to(Role.REVIEWER)
@require_POST
def undo(request: HttpRequest, case: str) -> HttpResponseBase:
    """Take back one's verdict while nothing followed."""

    def do(now: datetime) -> HttpResponseBase:
        the_desk().act(lambda _book: Undone(case, acting(request, Role.REVIEWER), act_read(request)), now)
        with suppress(Refused):  # somebody may have it on the desk by now
            hold(request, case, now)
        return redirect("case", case)

    return attempt(request, case, do)


@open_to(Role.REVIEWER)
@require_POST
def reopen(request: HttpRequest, case: str) -> HttpResponseBase:
    """Ask a decided question again."""

    def do(now: datetime) -> HttpResponseBase:
        sha256, reference = (request.POST.get(name, "").strip() for name in ("sha256", "reference"))
        evidence = (Evidence(sha256.lower(), reference[:500]),) if sha256 or reference else ()
        act = Reopened(case, acting(request, Role.REVIEWER), request.POST.get("why", ""), evidence)
        the_desk().act(lambda _book: act, now)
        return redirect("case", case)

    return attempt(request, case, do)


@open_to(Role.REVIEWER)
@require_POST
def convene(request: HttpRequest, case: str) -> HttpResponseBase:
    """Call a panel of three or five disciplines."""

    def do(now: datetime) -> HttpResponseBase:
        act = Convened(case, acting(request, Role.REVIEWER), tuple(request.POST.getlist("seats")))
        the_desk().act(lambda _book: act, now)
        return redirect("case", case)

    return attempt(request, case, do)


@open_to(Role.REVIEWER)
@require_POST
def translate_case(request: HttpRequest, case: str) -> HttpResponseBase:
    """Show the words of a case in the reader's language, by the operator's server; nothing of it is kept."""
    locale, review = locale_of(request), review_settings()
    known = the_desk().book().cases.get(case)
    found = found_candidates().by_case.get(case)
    key = found.post_key if found is not None else post_of(known) if known is not None else None
    post = stored_post(key)
    if post is None or not review.translate:
        raise Http404
    try:
        address, secret = read_secret(review.translate), read_secret(review.translate_key)
        client = translator(allow_private=the_home().settings.network.allow_private)
        words = translate(client, address or "", post.text, locale.code, secret)
    except BastauError:
        return page_of(request, case, [locale.text("web.review_case.translate_failed")], status_code=502)
    return page_of(request, case, translation=words)


@open_to(Role.REVIEWER, Role.ANALYST)
@require_http_methods(["GET", "HEAD", "POST"])
def bring(request: HttpRequest, ref: str) -> HttpResponseBase:
    """Open a case about a stored post, also about one in which no machine found anything."""
    key = parse_id("p", ref)
    post = stored_post(key)
    if key is None or post is None:
        raise Http404
    publishers = the_home().settings.publishers

    def offered(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
        try:
            return dict(ways(con, key, publishers))
        except Refused:
            return {}

    offers = ask(("ways", key), offered)
    values = {"post": post, "ref": ref, "kinds": list(offers), "kind": request.POST.get("kind", "")}
    if request.method != "POST":
        return render(request, "bring.html", values)
    way = offers.get(request.POST.get("kind", ""))
    if way is None:
        problem = "web.bring.no_words" if not offers else "web.bring.choose"
        return render(request, "bring.html", values | {"problem": locale_of(request).text(problem)}, status=422)
    act = opened_by(way, whoever(request), data_version(), is_public=request.POST.get("is_public") == "yes")
    try:
        the_desk().act(lambda _book: act, timezone.now())
    except Refused as error:
        if error.code != "exists":
            return render(request, "bring.html", values | {"problem": refusal(request, error)}, status=409)
    except (HomeBusy, DiskFull) as error:
        problem = locale_of(request).text(trouble(error))
        return render(request, "bring.html", values | {"problem": problem}, status=503)
    return redirect("case", act.case)


ROUTES = [
    path("case/<slug:case>/verdict", give_verdict, name="give-verdict"),
    path("case/<slug:case>/undo", undo, name="undo"),
    path("case/<slug:case>/reopen", reopen, name="reopen"),
    path("case/<slug:case>/panel", convene, name="convene"),
    path("case/<slug:case>/translate", translate_case, name="translate-case"),
    path("post/<slug:ref>/review", bring, name="bring"),
]

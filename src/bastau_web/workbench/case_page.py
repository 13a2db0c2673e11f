"""The page of a case, and what is said when something on it cannot be."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from bastau.errors import DiskFull, HomeBusy, Refused
from bastau.hashing import parse_id
from bastau.read.rules.catalogue import RuleTexts, catalogue
from bastau.read.rules.commands import files_of
from bastau.report import wording
from bastau.report.candidates import post_of
from bastau.report.context import context_of
from bastau.report.post import PostPage, one_post
from bastau.report.trace import Suggested
from bastau.review.acts import DISCIPLINES, EXEMPTIONS
from bastau.review.cases import Case, is_same_person, lead, outcome, settle, status
from bastau.review.checks import MAX_CITATION, MAX_REASON, MIN_REASON
from bastau.review.log import Book
from bastau.review.opinions import alpha, panel
from bastau.review.queue import waiting_appeal
from bastau.review.turns import free_seats, seen_by, turn
from bastau.schemas import ACTS
from bastau_web.workbench import exposure
from bastau_web.workbench.acting import the_desk
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.lake_reader import ask
from bastau_web.workbench.review_desk import (
    again,
    by_of,
    cases_on_desks,
    data_version,
    found_candidates,
    review_settings,
    roles_of,
    whoever,
)
from bastau_web.workbench.roles import Role
from bastau_web.workbench.words import locale_of

_TYPED = (
    "act",
    "ground",
    "ground_kind",
    "citation",
    "exemption",
    "exemption_checked",
    "reason",
    "seat",
    "evidence",
    "why",
    "sha256",
    "reference",
)


def page_of(
    request: HttpRequest,
    ident: str,
    problems: list[str] | None = None,
    fields: dict[str, str] | None = None,
    translation: str = "",
    status_code: int = 200,
) -> HttpResponse:
    """Return the page of a case, with what was typed in a form of it.

    Args:
        ident: of the case; of a candidate too.
        problems: why nothing was done, in words.
        fields: what is wrong with each field of the verdict.
        translation: of its words.
        status_code: of the answer.
    """
    now, locale = timezone.now(), locale_of(request)
    book = the_desk().book()
    lake = found_candidates()
    found = lake.by_case.get(ident)
    whole = book.cases.get(ident) or (found.case if found is not None else None)
    if whole is None:
        raise Http404
    is_open = ident in book.cases
    whole, me = settle(whole, now), whoever(request)
    seen = seen_by(whole, me)
    key = found.post_key if found is not None else post_of(whole)
    post = stored_post(key)
    suggested = lead(whole.suggestions)
    is_violent = suggested is not None or (post is not None and post.is_sensitive)
    is_day_over = is_violent and exposure.is_day_over(request, review_settings(), now)
    desk = cases_on_desks(now).get(ident)
    is_mine = desk is not None and is_same_person(by_of(desk.account), me)
    found_now = outcome(whole.round)
    has_spoken = any(is_same_person(given.judged.by, me) for given in whole.round.given)
    turns = turn(whole, me) or again(whole, lake)
    posted = request.POST if request.method == "POST" else {}
    last = whole.round.given[-1] if whole.round.given else None
    may_judge = Role.REVIEWER in roles_of(request)
    has_form = may_judge and is_mine and is_open and turns in ("judge", "seat")
    values = {
        "case": seen,
        "is_open": is_open,
        "found": found,
        "post": post,
        "context": ask(("context", key), lambda con: context_of(con, key))
        if post is not None and key is not None
        else None,
        "lead": suggested,
        "says_now": found.case.round.lead if found is not None and turns == "again" else None,
        "others": [one for one in whole.suggestions if one is not suggested],
        "note": _note(suggested.rule) if suggested is not None else None,
        "gates": _gates(post, request),
        "marked": _marked(post, suggested.rule if suggested is not None else ""),
        "known": [(one, wording.gates(one.gates, locale)) for one in post.known] if post is not None else [],
        "is_violent": is_violent,
        "is_shown": not is_violent or (exposure.is_uncovered(request, ident) and not is_day_over),
        "is_day_over": is_day_over,
        "state": _state(whole, has_spoken=has_spoken),
        "outcome": found_now,
        "earlier": [(one, outcome(one)) for one in whole.rounds[:-1]],
        "standing": any(entry.retracted_at is None for entry in whole.entries),
        "appeal": waiting_appeal(whole),
        "desk": desk,
        "is_mine": is_mine,
        "turn": turns,
        "may_judge": may_judge,
        "has_form": has_form,
        "kept": [] if has_form else _words_typed(request),
        "may_release": Role.PUBLISHER in roles_of(request) and turns == "release",
        "can_undo": last is not None and whole.last_n == last.n and is_same_person(last.judged.by, me),
        "last": last,
        "free_seats": free_seats(whole),
        "panel": panel(whole.round),
        "agreement": _agreement(book, whole),
        "acts": ACTS,
        "exemptions": EXEMPTIONS,
        "disciplines": DISCIPLINES,
        "grounds": review_settings().grounds,
        "limits": {"reason": (MIN_REASON, MAX_REASON), "citation": MAX_CITATION},
        "typed": {name: posted.get(name, "") for name in _TYPED},
        "chosen": request.POST.getlist("seats"),
        "problems": problems or [],
        "fields": fields or {},
        "can_translate": bool(review_settings().translate),
        "translation": translation,
        "after": decided_before(request),
    }
    return render(request, "case.html", values, status=status_code)


def stored_post(key: int | None) -> PostPage | None:
    """Return a stored post, None for none."""
    return None if key is None else ask(("post", key), lambda con: one_post(con, key))


def _gates(post: PostPage | None, request: HttpRequest) -> list[tuple[str, str, str]]:
    """Return (act, rule, what held it back) of the findings in a post that context held back: hints at an exemption."""
    locale = locale_of(request)
    held = (one for one in post.suggested if one.gates) if post is not None else ()
    return [(one.act, one.rule, wording.gates(one.gates, locale)) for one in held]


def _marked(post: PostPage | None, rule: str) -> list[Suggested]:
    """Return what rules found in a post with the words that fit, the leading rule first."""
    found = [one for one in post.suggested if one.example] if post is not None else []
    return sorted(found, key=lambda one: f"{one.rule}@{one.version}" != rule)


def _state(case: Case, *, has_spoken: bool) -> str:
    """Return the state of a case as somebody may know it: that there is an opinion already is no matter for who gives the next."""
    found = status(case)
    if waiting_appeal(case) is not None:
        return "appeal"
    return "waiting" if found == "second" and not has_spoken else found


@lru_cache(maxsize=2)
def _notes(of_run: str) -> dict[str, RuleTexts]:
    """Return what the rules say of themselves as they were when a run was first shown: changed rules come with the next run."""
    own = the_home().folder / "rules"
    found, _ = catalogue(files_of([own] if own.is_dir() else []))
    return {rule.id: rule for rule in found}


def _note(rule: str) -> dict[str, Any] | None:
    """Return what a rule says of itself, and whether it is another version by now."""
    name, _, version = rule.partition("@")
    note = _notes(data_version()).get(name)
    return {"said": note, "is_other": note.version != version} if note is not None else None


def _agreement(book: Book, case: Case) -> dict[str, Any] | None:
    """Return how well panels agree, overall and in this one, None while this case had none."""
    mine = next((said for one in reversed(case.rounds) if (said := panel(one))), None)
    if mine is None:
        return None
    units = [said for other in book.cases.values() for one in other.rounds if (said := panel(one))]
    return {"n": len(units), "overall": alpha(units), "votes": mine}


def decided_before(request: HttpRequest) -> str:
    """Return the case that was decided just before, to take the verdict back."""
    asked = request.GET.get("after", "")
    return asked if parse_id("c", asked) is not None else ""


def attempt(request: HttpRequest, ident: str, do: Callable[[datetime], HttpResponseBase]) -> HttpResponseBase:
    """Do something to a case; what the rules or the machine refuse is said on its page, with all that was typed."""
    if parse_id("c", ident) is None:
        raise Http404
    try:
        return do(timezone.now())
    except Refused as error:
        return page_of(request, ident, [refusal(request, error)], status_code=409)
    except (HomeBusy, DiskFull, OperationalError) as error:
        return page_of(request, ident, [locale_of(request).text(trouble(error))], status_code=503)


def trouble(error: Exception) -> str:
    """Return the words for what kept an act from being written: the database's own trouble reads as a full disk."""
    return "web.refusals.busy" if isinstance(error, HomeBusy) else "web.refusals.full"


def refusal(request: HttpRequest, error: Refused) -> str:
    """Return why the rules say no, in words."""
    locale = locale_of(request)
    key = f"web.refusals.{error.code}"
    return locale.text(key) if locale.has(key) else locale.text("web.refusals.unknown", detail=str(error))


def damaged(request: HttpRequest) -> HttpResponse:
    """Say that nothing can be decided, and give back what was typed."""
    return _stopped(request, "web.refusals.damaged")


def failed(request: HttpRequest, error: Exception) -> HttpResponse:
    """Say that nothing could be written, and give back what was typed."""
    return _stopped(request, trouble(error))


def _stopped(request: HttpRequest, why: str) -> HttpResponse:
    return render(request, "review_stopped.html", {"why": why, "typed": _words_typed(request)}, status=503)


def _words_typed(request: HttpRequest) -> list[str]:
    return [request.POST[name] for name in ("reason", "exemption_checked", "citation") if request.POST.get(name)]

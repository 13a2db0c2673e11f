"""The log of review and the transparency report, with what anybody needs to compute it again."""

import csv
import io
import secrets
import threading
from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta
from functools import lru_cache, wraps
from typing import Any, TypeVar

import orjson
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from bastau import logbook
from bastau.chain import Entry as Line
from bastau.errors import LakeDamaged
from bastau.home import Home
from bastau.keyfile import kept_secret
from bastau.report import charts
from bastau.report.locale import Locale
from bastau.review.acts import OTHER_ACTS
from bastau.review.log import FOLDER, NAME, publish, without_open
from bastau.review.transparency import report, rows
from bastau_web.workbench.acting import the_desk
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.roles import ANYBODY, Role, open_to
from bastau_web.workbench.words import locale_of

Made = TypeVar("Made")
_A_PAGE = 50
_MOST_KEPT, _PATIENCE_S = 32, 2.0
ACTS = (
    "opened",
    "suggested",
    "reopened",
    "judged",
    "undone",
    "convened",
    "released",
    "withdrawn",
    "appealed",
    "answered",
    *OTHER_ACTS,
)
_LOG_READERS = (Role.AUDITOR, Role.ADMIN, Role.REVIEWER, Role.PUBLISHER)
_State = tuple[int, int, int] | None
_Key = tuple[Hashable, ...]


@open_to(*_LOG_READERS)
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    """Show the acts, newest first, and whether the log is as it was written.

    Opinions on a question that is open are left out for everybody: whoever has yet to give one must not read them.
    """
    home = the_home()
    case = request.GET.get("case", "").strip()[:20]
    act = request.GET.get("act", "")
    try:
        lines = _lines(home, _state(home))
    except LakeDamaged:
        lines = []
    chosen = [line for line in lines if (not case or line.get("case") == case) and (not act or line["act"] == act)]
    page = Paginator(chosen[::-1], _A_PAGE).get_page(request.GET.get("page"))
    values = {
        "rows": [_row(line) for line in page],
        "n_rows": len(chosen),
        "page": page.number,
        "n_pages": page.paginator.num_pages,
        "case": case,
        "act": act,
        "acts": ACTS,
        "verified": _verified(home, _state(home)),
    }
    return render(request, "log.html", values)


def _row(line: Line) -> dict[str, Any]:
    by = line.get("by")
    return {
        "n": line["n"],
        "at": datetime.fromisoformat(line["at"]),
        "act": line["act"],
        "case": line.get("case"),
        "by": by if isinstance(by, dict) else None,
        "words": line.get("reason", "") if line["act"] in ("withdrawn", "answered") else "",
        "hash": line["hash"],
    }


def _state(home: Home) -> _State:
    file = home.folder / FOLDER / NAME
    stat = file.stat() if file.exists() else None
    return None if stat is None else (stat.st_ino, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=1)
def _lines(home: Home, state: _State) -> list[Line]:
    return without_open(the_desk().lines()) if state is not None else []


@lru_cache(maxsize=1)
def _verified(home: Home, state: _State) -> dict[str, Any] | None:
    if state is None:
        return None
    return logbook.verify(home.folder / FOLDER / NAME, authority_file=home.settings.evidence.authority_file)[0]


@open_to(*_LOG_READERS)
@require_safe
def log_head(request: HttpRequest) -> HttpResponse:
    """Return number, hash and time of the head, to be noted somewhere else: only against it a cut end shows."""
    said = _verified(the_home(), _state(the_home()))
    text = f"{said['n_acts']} {said['head']} {timezone.now():%Y-%m-%dT%H:%M:%SZ}\n" if said else ""
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="head.txt"'
    return response


# ---- for everybody ---------------------------------------------------------------------------------------


_kept: dict[_Key, Any] = {}
"""By folder of the home, state of its log, and what else was asked."""
_making = threading.RLock()


class _BusyError(Exception):
    """Something is being computed for somebody else."""


def _once(key: _Key, make: Callable[[], Made]) -> Made:
    """Return what ``make`` returns, kept for the next; one is made at a time: anybody can ask, and a long log takes seconds."""
    found: Made | None = _kept.get(key)
    if found is None:
        if not _making.acquire(timeout=_PATIENCE_S):
            raise _BusyError
        try:
            found = _kept.get(key) or make()
            outdated = [old for old in _kept if old[:2] != key[:2]]  # of the log as it was: each copy of it is large
            for old in outdated or list(_kept)[: max(0, len(_kept) - _MOST_KEPT)]:
                del _kept[old]
            _kept[key] = found
        finally:
            _making.release()
    return found


def _for_anybody(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the view, which asks for patience while another is computed."""

    @wraps(view)
    def patient(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except _BusyError:
            response = render(request, "failure.html", {"kind": "web.transparency.busy"}, status=503)
            response["Retry-After"] = "10"
            return response

    return patient


def _public_lines(home: Home) -> list[Line]:
    state = _state(home)

    def make() -> list[Line]:
        return publish(_lines(home, state), kept_secret(home.folder / FOLDER / "publish-key", secrets.token_bytes(32)))

    return _once((home.folder, state), make)


def _report(home: Home, start: datetime, end: datetime) -> dict[str, Any]:
    return _once((home.folder, _state(home), start, end), lambda: report(_public_lines(home), start, end))


def _period(request: HttpRequest) -> tuple[datetime, datetime]:
    """Return the period asked for, as `bastau log report` reads --from and --to: by default the last 30 days."""
    tomorrow = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    end = _day(request.GET.get("to", "")) or tomorrow
    start = _day(request.GET.get("from", "")) or end - timedelta(days=30)
    return (start, end) if start < end else (end - timedelta(days=30), end)


def _day(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


@open_to(ANYBODY)
@require_safe
@_for_anybody
def transparency(request: HttpRequest) -> HttpResponse:
    """Show what the log says of a period in figures, and how to compute them again."""
    home, locale = the_home(), locale_of(request)
    start, end = _period(request)
    figures = _report(home, start, end)
    values = {
        "start": start.date().isoformat(),
        "end": end.date().isoformat(),
        "figures": figures,
        "counts": _counts(figures, locale),
        "shares": _shares(figures),
        "periods": _periods(end),
    }
    return render(request, "transparency.html", values)


def _periods(end: datetime) -> list[tuple[str, str, str]]:
    today = timezone.now().date()
    month = today.replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    tomorrow = today + timedelta(days=1)
    return [
        ("this_month", month.isoformat(), tomorrow.isoformat()),
        ("last_month", before.isoformat(), month.isoformat()),
        ("year", (tomorrow - timedelta(days=365)).isoformat(), tomorrow.isoformat()),
        ("everything", "2000-01-01", tomorrow.isoformat()),
    ]


def _shares(figures: dict[str, Any]) -> list[tuple[str, dict[str, Any], str]]:
    """Return (name, share, bar) of the shares that tell how often people were wrong, and machines."""
    named = {
        "begun_by_machine": figures["decisions"]["begun_by_machine"],
        "decided_by_machine": figures["decisions"]["decided_by_machine"],
        "suggestions_error": figures["suggestions"]["error_rate"],
        "second_unlike": figures["second_opinions"]["disagreement_rate"],
        "entries_error": figures["entries"]["error_rate"],
        "overturned": figures["appeals"]["overturn_rate"],
    }
    return [(name, one, _bar(one["share"] or 0.0)) for name, one in named.items()]


def _counts(figures: dict[str, Any], locale: Locale) -> list[tuple[str, list[tuple[str, str, int]]]]:
    """Return (name, rows of label, bar and count) of what was counted, without what there was none of."""
    kinds = (
        ("by_act", figures["decisions"]["by_act"], "act"),
        ("by_ground", figures["decisions"]["by_ground"], "web.ground_kind"),
        ("by_exemption", figures["decisions"]["by_exemption"], "web.exemption"),
        ("by_language", figures["decisions"]["by_language"], ""),
        ("by_kind", figures["decisions"]["by_kind"], "web.entry_kind"),
        ("standing", figures["entries"]["standing_by_kind"], "web.entry_kind"),
        ("retracted", figures["entries"]["retracted_by_reason"], "web.ended"),
    )
    return [
        (name, [(_label(code, group, locale), _bar(n / sum(counts.values())), n) for code, n in counts.items()])
        for name, counts, group in kinds
        if counts
    ]


def _bar(share: float) -> str:
    return mark_safe(charts.meter(share))  # noqa: S308 - no words in it


def _label(code: str, group: str, locale: Locale) -> str:
    if code == "none":
        return locale.text("web.transparency.none")
    return locale.name(group, code) if group else locale.language(code)


@open_to(ANYBODY)
@require_safe
@_for_anybody
def figures_csv(request: HttpRequest) -> HttpResponse:
    """Return the figures of a period as `bastau log report` prints them."""
    home = the_home()
    start, end = _period(request)
    out = io.StringIO()
    table = csv.DictWriter(out, ("figure", "value", "low", "high", "n"), lineterminator="\n")
    table.writeheader()
    table.writerows(rows(_report(home, start, end)))
    response = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="transparency-{start:%Y-%m-%d}-{end:%Y-%m-%d}.csv"'
    return response


@open_to(ANYBODY)
@require_safe
@_for_anybody
def published_log(request: HttpRequest) -> HttpResponse:
    """Return the log without names, addresses and words, and without opinions on questions that are open."""
    home = the_home()
    body = b"".join(orjson.dumps(line, option=orjson.OPT_SORT_KEYS) + b"\n" for line in _public_lines(home))
    response = HttpResponse(body, content_type="application/x-ndjson")
    response["Content-Disposition"] = 'attachment; filename="published.ndjson"'
    return response


ROUTES = [
    path("log", log, name="log"),
    path("log/head.txt", log_head, name="log-head"),
    path("transparency", transparency, name="transparency"),
    path("transparency/figures.csv", figures_csv, name="figures"),
    path("transparency/published.ndjson", published_log, name="published-log"),
]

"""Search the stored posts; keep a search, and be told of what will fit it."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

import duckdb
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_POST, require_safe

from bastau.alerts.adding import add_rule, added_rules, alerts_of, drop_rule
from bastau.errors import BastauError
from bastau.hashing import format_id, parse_id
from bastau.report.post_search import Hits, search_posts
from bastau.report.queries import rows
from bastau.report.search_form import FIELDS, MOST_CHARS, asked_of
from bastau_web.workbench.asking import find_narrative, fold
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.lake_reader import ask, word_parts
from bastau_web.workbench.models import Account, SavedSearch
from bastau_web.workbench.roles import READERS, Role, open_to
from bastau_web.workbench.words import locale_of

MOST_SAVED = 100
"""Searches that one account keeps."""
_TELLERS = (Role.ANALYST, Role.ADMIN)
"""Who may add an alert: it is told to the channels of the whole home."""


@open_to(*READERS)
@require_safe
def search(request: HttpRequest) -> HttpResponseBase:
    """Find posts by words, phrases, language, platform, publisher, time and rule; an id or address leads to its narrative."""
    form = _form(request.GET.dict())
    if form["q"] and (target := _direct(form["q"])):
        return redirect(target)
    return _page(request, form)


def _form(values: dict[str, str]) -> dict[str, str]:
    return {name: values.get(name, "").strip()[:MOST_CHARS] for name in FIELDS}


def _page(
    request: HttpRequest, form: dict[str, str], problem: str = "", told: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    locale = locale_of(request)
    asked = asked_of(form, fold)
    hits: Hits | None = None
    number = request.GET.get("page", "")
    page = int(number[:6]) if number.isdecimal() else 1
    if asked is None:
        problem = locale.text("web.search.private")
    elif any(form.values()):
        hits = ask(("search", asked, page), lambda con: search_posts(con, asked, page, word_parts()))
    rest = _query(form)
    languages, platforms, acts, rules = ask("choices", _choices)
    account = request.user
    assert isinstance(account, Account)
    values: dict[str, Any] = {
        "form": form,
        "hits": hits,
        "problem": problem,
        "pages": _pages(hits, rest) if hits else {},
        "languages_stored": sorted(((tag, locale.language(tag)) for tag in languages), key=lambda pair: pair[1]),
        "platforms_stored": [(name, locale.name("platform", name)) for name in platforms],
        "acts_found": [(f"act:{name}", locale.name("act", name)) for name in acts],
        "rules_found": [(f"rule:{name}", name) for name in rules],
        "query": rest,
        "own": SavedSearch.objects.filter(account=account).order_by("name"),
        "shared": SavedSearch.objects.filter(is_shared=True).exclude(account=account).order_by("name")[:MOST_SAVED],
        "told": told or {"name": form["q"][:60], "min_posts": "3", "min_sources": "1"},
    }
    if account.roles & {*_TELLERS}:
        values |= _alerts()
    return render(request, "search.html", values, status=status)


def _alerts() -> dict[str, Any]:
    """Return the channels that can be told, and the alerts that were made of searches."""
    try:
        alerts = alerts_of(the_home())
    except BastauError as error:
        return {"may_tell": True, "alerts_problem": str(error)}
    if alerts is None:
        return {"may_tell": True, "channels": []}
    ours = added_rules(the_home())
    told = [(rule, rule.name in ours) for rule in alerts.rules if rule.when == "search"]
    return {"may_tell": True, "channels": sorted(alerts.channels), "alerts": told}


def _direct(query: str) -> str | None:
    """Return the page that an id or address means."""
    if parse_id("n", query) is not None:
        return reverse("narrative", args=[query])
    if parse_id("p", query) is not None:
        return reverse("post", args=[query])
    if query.startswith(("http://", "https://")) and not any(c.isspace() for c in query):
        best = ask(("address", query), lambda con: find_narrative(con, query)).best
        if best is not None and best.narrative_id:
            return reverse("narrative", args=[best.narrative_id])
        if best is not None:
            return reverse("post", args=[format_id("p", best.post_key)])
    return None


def _choices(con: duckdb.DuckDBPyConnection) -> tuple[list[str], list[str], list[str], list[str]]:
    """Return the languages and platforms that are stored, most posts first, and the acts and rules that were found."""
    sql = """select detected_language as tag from readings where not contains(detected_language, '|')
        group by 1 order by count(*) desc limit 40"""
    platforms = "select platform from posts group by 1 order by count(*) desc"
    suggested = """select distinct s.act as act, s.rule as rule
        from (select unnest(suggestions) as s from matches where suggestions is not null) order by 1, 2"""
    pairs = rows(con, suggested)
    return (
        [row["tag"] for row in rows(con, sql)],
        [row["platform"] for row in rows(con, platforms)],
        sorted({pair["act"] for pair in pairs}),
        sorted({pair["rule"] for pair in pairs}),
    )


def _pages(hits: Hits, rest: str) -> dict[str, str]:
    links = {}
    if hits.page > 1:
        links["previous"] = f"?{rest}&page={hits.page - 1}"
    if hits.page < hits.n_pages:
        links["following"] = f"?{rest}&page={hits.page + 1}"
    return links


def _query(form: dict[str, str]) -> str:
    return urlencode({name: value for name, value in form.items() if value})


def _asked_for(request: HttpRequest) -> dict[str, str] | None:
    """Return the search that a form carries, None where it asks for nothing or for a private account."""
    form = _form(dict(parse_qsl(request.POST.get("query", "")[:4000])))
    return form if any(form.values()) and asked_of(form, fold) is not None else None


def _back(form: dict[str, str], anchor: str) -> HttpResponse:
    return redirect(f"{reverse('search')}?{_query(form)}#{anchor}")


@open_to(*READERS)
@require_POST
def save_search(request: HttpRequest) -> HttpResponse:
    """Keep a search under a name, for oneself or for all; the same name again replaces it."""
    form, locale = _asked_for(request), locale_of(request)
    account = request.user
    assert isinstance(account, Account)
    if form is None:
        return _page(request, _form({}), locale.text("web.saved.nothing"), status=422)
    name = " ".join(request.POST.get("name", "").split())[:120]
    query = _query(form)
    kept = SavedSearch.objects.filter(account=account)
    if not name or len(query) > 2000:
        return _page(request, form, locale.text("web.saved.no_name"), status=422)
    if not kept.filter(name=name).exists() and kept.count() >= MOST_SAVED:
        return _page(request, form, locale.text("web.saved.too_many", n=MOST_SAVED), status=422)
    is_shared = request.POST.get("is_shared") == "1"
    SavedSearch.objects.update_or_create(account=account, name=name, defaults={"query": query, "is_shared": is_shared})
    return _back(form, "saved")


@open_to(*READERS)
@require_POST
def drop_search(request: HttpRequest) -> HttpResponse:
    """Forget one of one's own searches."""
    account = request.user
    assert isinstance(account, Account)
    number = request.POST.get("search", "")
    if number.isdecimal() and len(number) < 19:
        SavedSearch.objects.filter(account=account, pk=int(number)).delete()
    return redirect(f"{reverse('search')}#saved")


@open_to(*_TELLERS)
@require_POST
def tell_search(request: HttpRequest) -> HttpResponse:
    """Add an alert: narratives that come to hold posts which fit this search are told."""
    form, locale = _asked_for(request), locale_of(request)
    if form is None:
        return _page(request, _form({}), locale.text("web.saved.nothing"), status=422)
    told = {name: request.POST.get(name, "").strip()[:120] for name in ("name", "min_posts", "min_sources")}
    numbers = {name: told[name] for name in ("min_posts", "min_sources")}
    if not told["name"] or not all(n.isdecimal() and 1 <= int(n) <= 1_000_000 for n in numbers.values()):
        return _page(request, form, locale.text("web.saved.alert_wrong"), told, status=422)
    rule = {
        "name": " ".join(told["name"].split()),
        "when": "search",
        "search": _query(form),
        **{name: int(n) for name, n in numbers.items()},
        "to": request.POST.getlist("to")[:50],
    }
    try:
        add_rule(the_home(), rule)
    except BastauError as error:
        return _page(request, form, str(error), told, status=422)
    return _back(form, "alerts")


@open_to(*_TELLERS)
@require_POST
def drop_alert(request: HttpRequest) -> HttpResponse:
    """Take off an alert that was added here; those written by hand stay."""
    drop_rule(the_home(), request.POST.get("name", "")[:200])
    return redirect(f"{reverse('search')}#alerts")


ROUTES = [
    path("search", search, name="search"),
    path("search/save", save_search, name="save-search"),
    path("search/drop", drop_search, name="drop-search"),
    path("search/tell", tell_search, name="tell-search"),
    path("search/untell", drop_alert, name="drop-alert"),
]

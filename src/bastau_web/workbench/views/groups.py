"""Groups that moved together, and families of websites: lists, and one with its evidence."""

import duckdb
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from bastau.families import Dossier, build_dossier
from bastau.report import charts, exhibits, wording
from bastau.report.families_page import families_header, families_method, families_parts, families_title
from bastau.report.group import all_groups, one_group
from bastau.report.queries import rows
from bastau.sources.families.names import site_of
from bastau_web.workbench.configuring import the_home
from bastau_web.workbench.lake_reader import ask
from bastau_web.workbench.links import link
from bastau_web.workbench.roles import READERS, open_to
from bastau_web.workbench.words import locale_of


@open_to(*READERS)
@require_safe
def groups(request: HttpRequest) -> HttpResponse:
    """Show the groups, those with most objects in common first."""
    listed = ask("groups", all_groups)
    locale = locale_of(request)
    values = {"listed": listed, "rows": [(group, wording.p_value(group.p_value, locale)) for group in listed.groups]}
    return render(request, "groups.html", values)


@open_to(*READERS)
@require_safe
def group(request: HttpRequest, group_id: str) -> HttpResponse:
    """Show one group: who, what, when, how sure, and which plain reasons were looked at."""
    shown = ask(("group", group_id), lambda con: one_group(con, group_id))
    if shown is None:
        raise Http404
    locale = locale_of(request)
    values = {
        "group": shown,
        "p": wording.p_value(shown.p_value, locale),
        "windows": [wording.period(window.start, window.end, locale) for window in shown.windows],
        "chart": mark_safe(exhibits.group_chart(shown, locale, link)),  # noqa: S308 - escaped by the core
        "patterns": mark_safe(charts.patterns()),  # noqa: S308 - constant
        "settings": the_home().settings.sources,
    }
    return render(request, "group.html", values)


@open_to(*READERS)
@require_safe
def families(request: HttpRequest) -> HttpResponse:
    """Show the families of websites, and what was looked at and not linked."""
    return _show_families(request, ask("families", lambda _con: build_dossier(the_home())), folds=True)


@open_to(*READERS)
@require_safe
def family(request: HttpRequest, family_id: str) -> HttpResponse:
    """Show one family with its evidence."""
    dossier = ask(("family", family_id), lambda con: _dossier_of(con, family_id))
    if dossier is None:
        raise Http404
    return _show_families(request, dossier, folds=False)


def _dossier_of(con: duckdb.DuckDBPyConnection, family_id: str) -> Dossier | None:
    for row in rows(con, "select sources from families where family_id = ?", [family_id]):
        return build_dossier(the_home(), row["sources"][0])
    return None


def _show_families(request: HttpRequest, dossier: Dossier, *, folds: bool) -> HttpResponse:
    locale = locale_of(request)
    stored = ask("sites", _stored_sites)

    def to(what: str, ident: str) -> str | None:
        if what == "source":
            return link(what, stored[ident]) if ident in stored else None
        return link(what, ident)

    parts = families_parts(dossier, locale, to, folds=folds)
    header = families_header(dossier, [(ident, head) for ident, head, _ in parts], locale)
    values = {
        "title": families_title(dossier, locale),
        "header": mark_safe(header),  # noqa: S308 - escaped by the core
        "sections": [(ident, head, mark_safe(body)) for ident, head, body in parts],  # noqa: S308 - escaped by the core
        "method": families_method(dossier, locale),
        "is_one": not folds,
    }
    return render(request, "families.html", values)


def _stored_sites(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return a stored publisher of each website, as posts name it."""
    found = rows(con, "select distinct source from posts where platform = 'web' and is_publisher order by 1 desc")
    return {site: row["source"] for row in found if (site := site_of(row["source"])) is not None}


ROUTES = [
    path("groups", groups, name="groups"),
    path("group/<str:group_id>", group, name="group"),
    path("families", families, name="families"),
    path("family/<str:family_id>", family, name="family"),
]

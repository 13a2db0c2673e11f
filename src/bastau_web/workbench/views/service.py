"""What machines ask for: health and style sheets."""

from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.http import require_safe

from bastau import __version__
from bastau.errors import BastauError
from bastau_web.workbench import lake_reader
from bastau_web.workbench.assets import address_of, content_of
from bastau_web.workbench.roles import ANYBODY, open_to


@open_to(ANYBODY)
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Answer 200 when database and lake can be read, else 503; says nothing of what is in them."""
    parts = {"database": _works(_ask_database), "lake": _works(_ask_lake)}
    is_well = all(parts.values())
    words = {name: "ok" if works else "unavailable" for name, works in parts.items()}
    return JsonResponse(
        {"status": "ok" if is_well else "unavailable", "version": __version__, **words}, status=200 if is_well else 503
    )


def _works(ask: object) -> bool:
    import duckdb

    assert callable(ask)
    try:
        ask()
    except (DatabaseError, duckdb.Error, BastauError, OSError):
        return False
    return True


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_lake() -> None:
    lake_reader.ask("health", lambda con: con.execute("select 1 from posts limit 1").fetchall())


@open_to(ANYBODY)
@require_safe
def asset(request: HttpRequest, digest: str, name: str) -> HttpResponse:
    """Return a style sheet; its address changes with its content."""
    content = content_of(name)
    if content is None:
        raise Http404
    response = HttpResponse(content, content_type="text/css; charset=utf-8")
    if request.path == address_of(name):
        response["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


ROUTES = [
    path("health", health, name="health"),
    path("assets/<slug:digest>/<str:name>", asset, name="asset"),
]

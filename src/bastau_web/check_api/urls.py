"""The addresses of the API; its own door checks keys, so whoever has no account may knock."""

from functools import cache

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_safe

from bastau_web.check_api.api import api, openapi
from bastau_web.workbench.roles import ANYBODY, KEY_HOLDERS, open_to


@cache
def _document() -> bytes:
    return orjson.dumps(openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)


@open_to(ANYBODY)
@require_safe
def openapi_json(request: HttpRequest) -> HttpResponse:
    """Return the OpenAPI document."""
    return HttpResponse(_document(), content_type="application/json")


@open_to(ANYBODY)
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show what there is to ask, without scripts and without asking anybody else."""
    operations = [
        {"path": address, "method": method.upper(), **said}
        for address, methods in orjson.loads(_document())["paths"].items()
        for method, said in methods.items()
    ]
    address = request.build_absolute_uri(reverse("api-check"))
    return render(request, "api_docs.html", {"operations": operations, "address": address})


def _for_keys() -> list[URLPattern]:
    """Return the routes of ninja that are ours: its root page and its documents are not served."""
    patterns = [pattern for pattern in api.urls[0] if isinstance(pattern, URLPattern) and pattern.name != "api-root"]
    for pattern in patterns:
        open_to(KEY_HOLDERS)(pattern.callback)
    return patterns


ROUTES = [
    *_for_keys(),
    path("api/v1/openapi.json", openapi_json, name="api-openapi"),
    path("api/v1/", docs, name="api-docs"),
]

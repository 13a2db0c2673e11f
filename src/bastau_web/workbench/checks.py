"""Mistakes in the set-up of the workbench that Django finds before it starts."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver


def routes(patterns: Sequence[Any] | None = None) -> Iterator[URLPattern]:
    """Yield every route of the workbench."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns)
        else:
            yield pattern


@register
def every_route_says_who_may(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Refuse to start with a route for which nobody said who may open it."""
    return [
        Error(
            f"the route {route.name or route.pattern} does not say who may open it",
            hint="put @open_to(...) above its view",
            id="workbench.E001",
        )
        for route in routes()
        if not getattr(route.callback, "access", None)
    ]

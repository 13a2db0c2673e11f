"""Refuses the character NUL wherever a page might look something up by it: no name holds one, and PostgreSQL takes none."""

from collections.abc import Callable, Iterator

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse


def refuse_nul(answer: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that answers 400 to NUL in the address, a field or a cookie; JSON is its reader's to judge."""

    def without_nul(request: HttpRequest) -> HttpResponse:
        if any("\0" in value for value in _values(request)):
            raise BadRequest("NUL")
        return answer(request)

    return without_nul


def _values(request: HttpRequest) -> Iterator[str]:
    yield request.path
    yield from request.COOKIES.values()
    forms = [request.GET]
    if request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        forms.append(request.POST)
    for form in forms:
        for name, values in form.lists():
            yield name
            yield from values

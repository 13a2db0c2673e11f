"""Style sheets, served from the packages; the address holds a hash of the content, so browsers may keep them for good."""

import hashlib
from functools import cache
from importlib.resources import files

_WHERE = {
    "report.css": ("bastau.report", "page.css"),
    "workbench.css": ("bastau_web.workbench", "static/workbench.css"),
}


@cache
def content_of(name: str) -> bytes | None:
    """Return a style sheet, None for a name that is none."""
    if name not in _WHERE:
        return None
    package, path = _WHERE[name]
    return (files(package) / path).read_bytes()


@cache
def address_of(name: str) -> str:
    """Return the address of a style sheet."""
    content = content_of(name)
    assert content is not None, name
    return f"/assets/{hashlib.sha256(content).hexdigest()[:16]}/{name}"

"""The addresses of pages that the core's markup leads to."""

from urllib.parse import quote

from django.urls import reverse

from bastau.report.queries import is_pseudonym


def link(what: str, ident: str) -> str | None:
    """Return the page of a narrative, source, post, group or family; None for no page, as of every private account."""
    match what:
        case "narrative" | "post" | "group" | "family":
            return reverse(what, args=[ident])
        case "source":
            return None if is_pseudonym(ident) else f"/source/{quote(ident, safe='')}"
    return None


def narrative_link(narrative_id: str) -> str:
    """Return the page of a narrative."""
    return reverse("narrative", args=[narrative_id])


def group_link(group_id: str) -> str:
    """Return the page of a group."""
    return reverse("group", args=[group_id])

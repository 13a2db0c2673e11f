"""A search as it stands in an address, read for pages and alerts alike."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from bastau.report.post_search import Asked
from bastau.report.queries import is_pseudonym

FIELDS = ("q", "in", "platform", "source", "from", "to", "found")
"""``q``: words, and exact phrases in quotation marks; ``found``: ``act:NAME`` or ``rule:ID``."""
MOST_CHARS = 500
_QUOTED = re.compile(r'"([^"]*)"|«([^»]*)»|“([^”]*)”|„([^“”]*)[“”]')


def asked_of(form: Mapping[str, str], fold: Callable[[str], str]) -> Asked | None:
    """Return what a search asks for; None where it asks for a private account, which nobody may search for.

    Args:
        form: values of :data:`FIELDS`; others are ignored.
        fold: text -> the form in which stored texts are searched.
    """
    values = {name: form.get(name, "").strip()[:MOST_CHARS] for name in FIELDS}
    source = values["source"].removeprefix("@")
    if is_pseudonym(source):
        return None
    phrases = [next(filter(None, match.groups()), "") for match in _QUOTED.finditer(values["q"])]
    loose = _QUOTED.sub(" ", values["q"])
    kind, _, name = values["found"].partition(":")
    return Asked(
        words=tuple(fold(loose).split()) if loose.strip() else (),
        phrases=tuple(filter(None, (" ".join(fold(phrase).split()) for phrase in phrases if phrase.strip()))),
        act=name if kind == "act" else "",
        rule=name if kind == "rule" else "",
        language=values["in"],
        platform=values["platform"],
        source=source,
        start=_day(values["from"]),
        end=_day(values["to"], after=True),
    )


def _day(text: str, *, after: bool = False) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=after)
    except (ValueError, OverflowError):
        return None

"""What a listed publisher is told, and the statement of reasons in words."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from bastau.report.locale import LOCALES, Locale
from bastau.review.cases import ANSWER_WITHIN, APPEAL_WINDOW, Case, Entry
from bastau.review.entries import entry_id, statement
from bastau_web.workbench.words import load

WAYS = ("email", "form", "platform", "post", "phone", "none")
"""How a publisher was told; ``none``: no way to reach it is known. Codes only: an address may be a private person's."""


def notices(case: Case, entry: Entry, code: str, appeal: str, publisher: str) -> list[dict[str, str]]:
    """Return the notice in each language: ``code`` of the language, its ``name``, the ``text``, an ``address`` to save it from.

    Args:
        case: what was listed.
        entry: the version released.
        code: appeal code, which stands nowhere else.
        appeal: address where it is used.
        publisher: who publishes the list.
    """
    made = []
    for name in LOCALES:
        locale = load(name)
        text = _notice(case, entry, code, appeal, publisher, locale)
        address = f"data:text/plain;charset=utf-8,{quote(text)}"
        made.append({"code": name, "name": locale.text("web.name_of_language"), "text": text, "address": address})
    return made


def _notice(case: Case, entry: Entry, code: str, appeal: str, publisher: str, locale: Locale) -> str:
    verdict = entry.given.judged.verdict
    return locale.text(
        "web.notice.text",
        publisher=publisher,
        kind=locale.name("web.entry_kind", case.subject.kind),
        value=case.subject.value,
        entry=entry_id(case),
        released=locale.date(entry.released_at),
        until=locale.date(entry.released.expires_at),
        act=locale.name("act", verdict.act or ""),
        ground_kind=locale.name("web.ground_kind", verdict.ground.kind if verdict.ground else ""),
        ground=" ".join(filter(None, (verdict.ground.citation if verdict.ground else "", entry.released.ground_url))),
        reason=verdict.reason,
        exemption=verdict.exemption_checked,
        facts=entry.released.facts,
        whole=entry.released.whole_argument or "—",
        automated=locale.text("web.notice.human" if verdict.is_accepted is None else "web.notice.machine"),
        appeal=appeal,
        code=code,
        deadline=locale.date(entry.released_at + APPEAL_WINDOW),
        days=ANSWER_WITHIN.days,
    )


def in_words(case: Case, entry: Entry, locale: Locale) -> list[tuple[str, str]]:
    """Return the statement of reasons as (what, words), without what is empty."""
    said = statement(case, entry)
    is_law = said["decision_ground"] == "DECISION_GROUND_ILLEGAL_CONTENT"
    yes = {"Yes": "web.statement.yes", "No": "web.statement.no"}
    rows: list[tuple[str, Any]] = [
        ("puid", said["puid"]),
        ("decision", locale.text("web.statement.listed")),
        ("until", locale.date(entry.released.expires_at)),
        ("ground", said["illegal_content_legal_ground"] if is_law else said["incompatible_content_ground"]),
        ("ground_url", said["decision_ground_reference_url"]),
        ("explanation", entry.given.judged.verdict.reason),
        ("facts", said["decision_facts"]),
        ("whole", entry.released.whole_argument),
        ("content", ", ".join(locale.name("web.content", f"of_{kind}") for kind in case.subject.content_types)),
        ("language", ", ".join(map(locale.language, case.subject.languages))),
        ("content_date", _day(said["content_date"], locale)),
        ("application_date", locale.date(entry.released_at)),
        ("territory", ", ".join(said["territorial_scope"])),
        ("detection", locale.text(yes[said["automated_detection"]])),
        ("automated", locale.text("web.statement.no")),
    ]
    return [(locale.text(f"web.statement.{name}"), words) for name, words in rows if words]


def _day(text: str | None, locale: Locale) -> str:
    return locale.date(datetime.fromisoformat(f"{text}T00:00:00+00:00")) if text else ""

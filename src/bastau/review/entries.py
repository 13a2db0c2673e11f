"""What left: the rows of :data:`bastau.schemas.ENTRIES`, and the statement of reasons that goes with each."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa

from bastau.errors import ContractError
from bastau.hashing import format_id, parse_id
from bastau.review.cases import Case, Entry, settle
from bastau.review.log import Book
from bastau.schemas import ENTRIES

_EXPLANATION = (
    "Listed in a shield list, which operators, schools and families subscribe to of their own will. Nothing is removed."
)


def entries(book: Book, now: datetime) -> pa.Table:
    """Return all entry versions as they are at ``now``, in the order of their release.

    Raises:
        ContractError: an entry without two different people; there is no way to make one.
    """
    made = [row for case in book.cases.values() for row in _rows(settle(case, now), now)]
    made.sort(key=lambda row: (row["released_at"], row["entry_id"]))
    return pa.Table.from_pylist(made, schema=ENTRIES)


def entry_id(case: Case) -> str:
    """Return the id that all versions of a case's entry share."""
    return format_id("e", parse_id("c", case.case) or 0)


def _rows(case: Case, now: datetime) -> Iterator[dict[str, Any]]:
    for entry in case.entries:
        if entry.released_at > now:
            continue
        if len(entry.people) < 2:
            raise ContractError(f"act {entry.n}: released by fewer than two people")
        verdict, ground = entry.given.judged.verdict, entry.given.judged.verdict.ground
        yield {
            "entry_id": entry_id(case),
            "kind": case.subject.kind,
            "value": case.subject.value,
            "act": verdict.act,
            "ground_kind": ground.kind if ground else None,
            "ground": ground.citation if ground else None,
            "reason": verdict.reason,
            "exemption_checked": verdict.exemption_checked,
            "evidence_sha256": entry.given.judged.evidence_sha256,
            "released_at": entry.released_at,
            "expires_at": entry.released.expires_at,
            "retracted_at": entry.retracted_at,
            "retraction_reason": entry.retraction_reason,
            "n_reviewers": len(entry.people),
            "rule_version": entry.given.judged.versions.rule,
            "model_version": entry.given.judged.versions.model,
            "data_version": entry.given.judged.versions.data,
            "languages": list(case.subject.languages),
        }


def statement(case: Case, entry: Entry) -> dict[str, Any]:
    """Return the statement of reasons for an entry version, in the fields of the DSA Transparency Database.

    It goes to the publisher and may be submitted as it is. Where the database demands what bastau does not know (the day of
    publication, a territory of the EEA), the field is null or empty and the database will refuse it.

    Reference: Regulation (EU) 2022/2065 art. 17(3), 24(5); API documentation of the database, version of July 2025.
    """
    verdict, subject = entry.given.judged.verdict, case.subject
    is_law = verdict.ground is not None and verdict.ground.kind == "law"
    citation = verdict.ground.citation if verdict.ground else ""
    languages = [tag.partition("-")[0].upper() for tag in subject.languages]
    content_types = [f"CONTENT_TYPE_{kind.upper()}" for kind in subject.content_types]
    return {
        "puid": f"{entry_id(case)}-{entry.n}",
        "decision_visibility": ["DECISION_VISIBILITY_OTHER"],
        "decision_visibility_other": _EXPLANATION,
        "end_date_visibility_restriction": entry.released.expires_at.date().isoformat(),
        "decision_monetary": None,
        "decision_provision": None,
        "decision_account": None,
        "account_type": None,
        "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT" if is_law else "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "decision_ground_reference_url": entry.released.ground_url or None,
        "illegal_content_legal_ground": citation if is_law else None,
        "illegal_content_explanation": verdict.reason if is_law else None,
        "incompatible_content_ground": None if is_law else citation,
        "incompatible_content_explanation": None if is_law else verdict.reason,
        "incompatible_content_illegal": None if is_law else "No",
        "content_type": content_types,
        "content_type_other": "not said" if "other" in subject.content_types else None,
        "category": "STATEMENT_CATEGORY_RISK_FOR_PUBLIC_SECURITY",
        "category_specification": ["KEYWORD_TERRORIST_CONTENT"],
        "territorial_scope": list(entry.released.territory),
        "content_language": languages[0] if len(languages) == 1 and len(languages[0]) == 2 else None,
        "content_date": subject.published_on.isoformat() if subject.published_on else None,
        "application_date": entry.released_at.date().isoformat(),
        "decision_facts": entry.released.facts,
        "source_type": "SOURCE_VOLUNTARY",
        "automated_detection": "No" if verdict.is_accepted is None else "Yes",
        "automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED",
    }

"""SCOPE, rules 2 and 4, for review: what is judged is content or a publisher's place; nobody counts, scores or names who decides."""

import dataclasses
import re
import typing
from collections.abc import Iterator

import pytest

from bastau.review import acts, cases, queue, subjects
from bastau.schemas import ENTRIES

JUDGES = re.compile(r"score|label|rank|confidence|risk|predict|probab|grade|weight|credit|rating|harm|trust|error")
ABOUT_PEOPLE = re.compile(
    r"account|person|reviewer|user|author|name|people|by$|took_part|email|phone|born|faith|ethnic|nation|gender|age$"
)

ALLOWED_JUDGEMENTS = {
    "Suggestion.score": "subject: content; orders a queue and decides nothing",
}
ALLOWED_PEOPLE = {
    "By.account": "who acts; never in entries, statements, reports or the published log",
    "By.person": "the same",
    "Opened.by": "who acts",
    "Reopened.by": "who acts",
    "Judged.by": "who acts",
    "Undone.by": "who acts",
    "Convened.by": "who acts",
    "Released.by": "who acts",
    "Withdrawn.by": "who acts",
    "Answered.by": "who acts",
    "Lock.by": "who has a case on the desk",
    "Suggestion.by": "a machine",
    "Entry.people": "who judged and released; a count in entries",
    "Entry.retracted_by": "the number of an act",
    "Case.took_part": "who must not answer an appeal",
}


def fields() -> Iterator[str]:
    for module in (subjects, acts, cases, queue):
        for name, kind in vars(module).items():
            if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__:
                yield from (f"{name}.{field}" for field in typing.get_type_hints(kind))


FIELDS = sorted(set(fields()))


def test_the_walk_sees_every_record() -> None:
    assert len(FIELDS) > 80
    assert {"Subject.kind", "Verdict.reason", "Entry.people", "Lock.until"} <= set(FIELDS)


def test_nothing_judges_but_the_suggestion_on_content() -> None:
    assert {field for field in FIELDS if JUDGES.search(field.partition(".")[2])} == set(ALLOWED_JUDGEMENTS)


def test_people_stand_only_where_they_act() -> None:
    assert {field for field in FIELDS if ABOUT_PEOPLE.search(field.partition(".")[2])} - {"Owner.is_named"} == set(
        ALLOWED_PEOPLE
    )


def test_no_kind_of_subject_is_a_person() -> None:
    assert set(subjects.KINDS) == {"url", "host", "domain", "sha256", "md5", "pdq", "text_sha256"}


@pytest.mark.parametrize("column", ENTRIES.names)
def test_entries_name_nobody(column: str) -> None:
    assert column == "n_reviewers" or not ABOUT_PEOPLE.search(column.removesuffix("languages"))

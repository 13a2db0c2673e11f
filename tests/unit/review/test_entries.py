from dataclasses import replace
from datetime import timedelta

import pytest
from review_cases import NOON, OTHER_SHA, Desk, desk, desk_with_entry, refused, subject, verdict

from bastau.errors import ContractError
from bastau.review.acts import Ground
from bastau.review.appeals import RANDOM_BYTES, code_hash, find_entry, new_code
from bastau.review.entries import entries, entry_id, statement
from bastau.review.log import Book
from bastau.schemas import ENTRIES
from bastau.tables import conform


class TestRows:
    def test_have_the_table_and_what_was_decided(self) -> None:
        at = desk_with_entry()
        table = entries(at.book, at.now)
        assert conform(table, ENTRIES).schema == ENTRIES
        (row,) = table.to_pylist()
        assert (row["kind"], row["value"], row["act"]) == ("url", "https://site.kz/call", "incite")
        assert (row["rule_version"], row["data_version"], row["n_reviewers"]) == ("call@3", "lake 2026-11-28", 2)
        assert (row["retracted_at"], row["retraction_reason"]) == (None, None)

    def test_time_alone_retracts(self) -> None:
        at = desk_with_entry(days=1)
        (row,) = entries(at.book, NOON + timedelta(days=3)).to_pylist()
        assert (row["retracted_at"], row["retraction_reason"]) == (row["expires_at"], "expired")

    def test_a_row_a_version_under_one_id(self) -> None:
        at = desk_with_entry()
        at.appeal()
        at.answer("dana", is_overturned=False)
        at.do(_renewal(at))
        at.judge("bolat")
        at.release("aigul", number=1)
        rows = entries(at.book, at.now).to_pylist()
        assert [row["entry_id"] for row in rows] == [entry_id(at.here)] * 2
        assert [row["retraction_reason"] for row in rows] == ["corrected", None]

    def test_none_is_given_for_one_person_whoever_made_the_book(self) -> None:
        at = desk_with_entry()
        lonely = replace(at.here, entries=(replace(at.here.entries[0], people=frozenset({"aigul"})),))
        with pytest.raises(ContractError):
            entries(Book({lonely.case: lonely}), at.now)

    def test_of_an_empty_log_there_are_none(self) -> None:
        assert entries(Book(), NOON).num_rows == 0


def _renewal(at: Desk):  # type: ignore[no-untyped-def]
    from review_cases import who

    from bastau.review.acts import Reopened

    return Reopened(at.case, who("aigul"), "renewal", ())


class TestStatement:
    def test_has_the_fields_that_the_database_requires(self) -> None:
        at = desk_with_entry(territory=("DE", "PL"))
        said = statement(at.here, at.here.entries[0])
        required = (
            "decision_visibility", "decision_ground", "content_type", "category", "territorial_scope", "content_date",
            "application_date", "decision_facts", "source_type", "automated_detection", "automated_decision", "puid",
        )  # fmt: skip
        assert [name for name in required if not said[name]] == []
        assert said["illegal_content_legal_ground"].startswith("Regulation")
        assert said["automated_decision"] == "AUTOMATED_DECISION_NOT_AUTOMATED"
        assert said["content_language"] == "KK"

    def test_a_policy_is_no_law(self) -> None:
        at = desk()
        at.judge("aigul", verdict(ground=Ground("policy", "bastau policy, section 2")))
        said = statement(at.release("bolat"), at.here.entries[0])
        assert said["decision_ground"] == "DECISION_GROUND_INCOMPATIBLE_CONTENT"
        assert (said["incompatible_content_ground"], said["illegal_content_explanation"]) == (
            "bastau policy, section 2",
            None,
        )

    def test_what_is_not_known_is_not_invented(self) -> None:
        at = desk(subject("text_sha256", OTHER_SHA, published_on=None))
        at.judge("aigul")
        said = statement(at.release("bolat"), at.here.entries[0])
        assert (said["content_date"], said["territorial_scope"]) == (None, [])

    def test_names_nobody(self) -> None:
        at = desk_with_entry()
        assert not {"aigul", "bolat"} & set(str(statement(at.here, at.here.entries[0])).split("'"))

    def test_a_territory_outside_the_eea_is_refused(self) -> None:
        at = desk()
        at.judge("aigul")
        with refused("wording"):
            at.release("bolat", territory=("KZ",))


class TestCodes:
    def test_a_code_opens_its_entry_however_it_is_typed(self) -> None:
        code = new_code(bytes(range(RANDOM_BYTES)))
        at = desk_with_entry(code_sha256=code_hash(code))
        for typed in (code, code.lower(), code.replace("-", " ")):
            assert find_entry(at.book, typed)[1] == at.here.entries[0]
        with refused("code"):
            find_entry(at.book, code[:-1] + "X")

    def test_is_160_bits_and_never_in_the_log(self) -> None:
        code = new_code(bytes(range(RANDOM_BYTES)))
        assert len(code.replace("-", "")) * 5 == 160
        assert code not in str(desk_with_entry(code_sha256=code_hash(code)).lines)
        with pytest.raises(ValueError, match="20"):
            new_code(b"short")

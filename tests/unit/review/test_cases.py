from dataclasses import replace
from datetime import timedelta

import pytest
from review_cases import (
    ALWAYS,
    LEFT,
    NOON,
    OTHER_SHA,
    REASON,
    SHA,
    Desk,
    desk,
    desk_with_entry,
    judged,
    opened,
    refused,
    released,
    subject,
    suggestion,
    verdict,
    who,
)

from bastau.errors import Refused
from bastau.review.acts import By, Evidence, Reopened, Suggested, Undone, Withdrawn
from bastau.review.cases import Case, hidden_from, outcome, settle, standing, status


class TestVerdicts:
    def test_one_verdict_decides_where_no_second_opinion_is_drawn(self) -> None:
        assert status(desk().judge("aigul")) == "listed"
        assert status(desk().judge("aigul", LEFT)) == "left"

    def test_suggestion_and_verdict_stand_side_by_side(self) -> None:
        case = desk().judge("aigul", verdict("glorify", accepted=False))
        assert (case.suggestions[0].act, outcome(case.round).listed_act) == ("incite", "glorify")

    def test_nobody_gives_two_verdicts_on_one_question(self) -> None:
        at = desk()
        at.judge("aigul", rates=ALWAYS)
        with refused("twice"):
            at.judge("aigul")

    def test_a_second_account_of_the_same_person_is_the_same_person(self) -> None:
        at = desk()
        at.judge("aigul", rates=ALWAYS)
        with refused("twice"):
            at.do(judged(at.here, By("aigul2", "aigul", "admin")))

    def test_a_verdict_on_a_question_that_changed_meanwhile_is_refused(self) -> None:
        at = desk()
        late = judged(at.here, who("aigul"))
        at.do(Suggested(at.case, suggestion(rule="call@4"), "lake 2"))
        with refused("stale"):
            at.do(late)

    def test_accepting_and_the_act_must_fit(self) -> None:
        with refused("wording"):
            desk().judge("aigul", verdict("glorify", accepted=True))
        with refused("wording"):
            desk().judge("aigul", verdict("incite", accepted=False))

    @pytest.mark.parametrize(
        "given",
        [
            verdict(reason="because"),
            verdict(ground=None),
            verdict(exemption_checked=""),
            verdict("apostasy", accepted=False),
        ],
    )
    def test_a_verdict_needs_its_words_ground_and_act(self, given) -> None:  # type: ignore[no-untyped-def]
        with refused("wording"):
            desk().judge("aigul", given)

    def test_an_unknown_exemption_is_refused(self) -> None:
        with refused("exemption"):
            desk().judge("aigul", verdict(accepted=False, exemption="satire?"))

    def test_evidence_must_be_in_the_case(self) -> None:
        at = desk()
        with refused("evidence"):
            at.do(replace(judged(at.here, who("aigul")), evidence_sha256=OTHER_SHA))

    def test_a_case_found_by_a_person_has_no_suggestion_to_accept(self) -> None:
        at = Desk()
        at.do(replace(opened(by=who("dana")), suggestions=()))
        assert status(at.judge("aigul", verdict(accepted=None))) == "listed"


class TestUndo:
    def test_a_verdict_is_taken_back_while_nothing_followed(self) -> None:
        at = desk()
        given = at.judge("aigul").last_n
        assert status(at.do(Undone(at.case, who("aigul"), given))) == "waiting"

    def test_not_after_something_followed(self) -> None:
        at = desk_with_entry()
        with refused("followed"):
            at.do(Undone(at.case, who("aigul"), at.here.round.given[0].n))

    def test_not_by_somebody_else(self) -> None:
        at = desk()
        given = at.judge("aigul").last_n
        with refused("not_yours"):
            at.do(Undone(at.case, who("bolat"), given))

    def test_not_if_it_retracted_an_entry(self) -> None:
        at = desk_with_entry()
        at.do(Reopened(at.case, who("dana"), "mistake", ()))
        given = at.judge("dana", LEFT).last_n
        with refused("followed"):
            at.do(Undone(at.case, who("dana"), given))


class TestSecondOpinions:
    def test_two_that_agree_decide(self) -> None:
        at = desk()
        assert status(at.judge("aigul", rates=ALWAYS)) == "second"
        assert status(at.judge("bolat")) == "listed"

    def test_two_that_do_not_need_a_panel(self) -> None:
        at = desk()
        at.judge("aigul", rates=ALWAYS)
        assert status(at.judge("bolat", LEFT)) == "disputed"
        with refused("panel_needed"):
            at.judge("dana")

    def test_the_second_is_blind(self) -> None:
        at = desk()
        at.judge("aigul", rates=ALWAYS)
        assert hidden_from(at.here, who("bolat")).round.given == ()
        assert len(hidden_from(at.here, who("aigul")).round.given) == 1
        at.judge("bolat")
        assert len(hidden_from(at.here, who("dana")).round.given) == 2

    def panel(self, *votes) -> Desk:  # type: ignore[no-untyped-def]
        at = desk()
        at.judge("aigul", rates=ALWAYS)
        at.judge("bolat", LEFT)
        at.convene("dana")
        for name, seat, vote in zip(
            ("erlan", "farida", "gulnar"), ("law", "religion", "sociology"), votes, strict=False
        ):
            at.judge(name, vote, seat=seat)
        return at

    def test_a_panel_decides_by_more_than_half(self) -> None:
        at = self.panel(LEFT, verdict(), verdict())
        assert status(at.here) == "listed"
        assert outcome(at.here.round).given.judged.by.person == "farida"

    def test_without_a_majority_for_one_act_the_content_is_left_alone(self) -> None:
        at = self.panel(verdict(), verdict("glorify", accepted=False), verdict("recruit", accepted=False))
        assert status(at.here) == "left"

    def test_a_panel_waits_for_all_its_seats(self) -> None:
        assert status(self.panel(verdict(), verdict()).here) == "panel"

    def test_seats_are_fixed_and_filled_once_by_new_people(self) -> None:
        at = self.panel(verdict())
        with refused("seat"):
            at.judge("gulnar", seat="law")
        with refused("seat"):
            at.judge("gulnar", seat="political_science")
        with refused("twice"):
            at.judge("bolat", seat="religion")

    @pytest.mark.parametrize(
        "seats", [("law",), ("law", "law", "religion"), ("law", "religion"), ("law", "police", "sociology")]
    )
    def test_a_panel_has_an_odd_number_of_different_disciplines(self, seats: tuple[str, ...]) -> None:
        at = desk()
        at.judge("aigul", rates=ALWAYS)
        at.judge("bolat", LEFT)
        with refused("seat"):
            at.convene("dana", *seats)

    def test_what_a_panel_decided_one_verdict_does_not_undo(self) -> None:
        at = self.panel(LEFT, LEFT, verdict())
        at.do(Reopened(at.case, who("dana"), "mistake", ()))
        assert status(at.judge("aigul")) == "second"


class TestSuggestions:
    def test_a_changed_one_reopens_the_question_and_overwrites_no_verdict(self) -> None:
        at = desk()
        at.judge("aigul")
        case = at.do(Suggested(at.case, suggestion(act="glorify"), "lake 2"))
        assert status(case) == "waiting"
        assert case.rounds[0].given[0].judged.verdict == verdict()

    def test_the_same_again_does_not(self) -> None:
        at = desk()
        at.judge("aigul")
        with refused("unchanged"):
            at.do(Suggested(at.case, suggestion(score=0.85), "lake 2"))

    def test_a_standing_entry_stands_until_somebody_decides(self) -> None:
        at = desk_with_entry()
        case = at.do(Suggested(at.case, suggestion(act=None), "lake 2"))
        assert standing(case, at.now) is not None
        case = at.judge("aigul", verdict(None, accepted=None))
        assert case.entries[0].retraction_reason == "corrected"

    def test_one_case_a_subject(self) -> None:
        with refused("exists"):
            desk().do(opened())


class TestRelease:
    def test_a_second_person_releases(self) -> None:
        entry = standing(desk_with_entry().here, NOON + timedelta(hours=1))
        assert entry.people == {"aigul", "bolat"}

    @pytest.mark.parametrize(
        "by",
        [who("aigul"), who("aigul", "publisher"), By("aigul", "bolat", "publisher"), By("other", "aigul", "publisher")],
    )
    def test_never_the_one_who_judged_under_any_role_or_account(self, by: By) -> None:
        at = desk()
        at.judge("aigul")
        with pytest.raises(Refused) as caught:
            at.do(released(at.here, by, at.now))
        assert caught.value.code in ("same_person", "two_persons")

    def test_never_the_one_who_only_seconded_under_another_role(self) -> None:
        at = desk()
        at.judge("aigul", rates=ALWAYS)
        at.judge("bolat")
        with refused("same_person"):
            at.release("bolat")
        at.release("dana")

    @pytest.mark.parametrize("name", ["Aigul", "aigul ", "аigul", "", "a b"])
    def test_names_have_one_spelling(self, name: str) -> None:
        at = desk()
        at.judge("aigul")
        with refused("name"):
            at.release(name)

    def test_not_before_it_is_decided_and_not_if_left_alone(self) -> None:
        at = desk()
        with refused("not_decided"):
            at.release("bolat")
        at.judge("aigul", LEFT)
        with refused("not_decided"):
            at.release("bolat")

    def test_not_while_a_second_opinion_is_wanted(self) -> None:
        at = desk()
        at.judge("aigul", rates=ALWAYS)
        with refused("not_decided"):
            at.release("bolat")

    def test_never_content_under_an_exemption(self) -> None:
        at = desk()
        at.judge("aigul", verdict(accepted=False, exemption="journalistic"))
        with refused("not_decided"):
            at.release("bolat")

    @pytest.mark.parametrize("days", [0, -1, 90.01])
    def test_it_expires_within_90_days(self, days: float) -> None:
        at = desk()
        at.judge("aigul")
        with refused("expiry"):
            at.release("bolat", days=days)

    def test_not_a_verdict_that_changed_since_it_was_read(self) -> None:
        at = desk()
        at.judge("aigul")
        with refused("stale"):
            at.release("bolat", of=at.here.round.n)

    def test_facts_are_needed(self) -> None:
        at = desk()
        at.judge("aigul")
        with refused("wording"):
            at.release("bolat", facts="")

    def test_a_whole_domain_needs_an_argument(self) -> None:
        at = desk(subject("domain", "site.kz"))
        at.judge("aigul")
        with refused("whole_place"):
            at.release("bolat")
        at.release(
            "bolat",
            whole_argument="All 212 pages read in March and April call for killing; the site has no other pages, says its map.",
        )

    def test_one_verdict_is_released_once(self) -> None:
        at = desk_with_entry(days=1)
        with refused("released"):
            at.release("bolat", number=1)
        at.now += timedelta(days=2)
        with refused("released"):
            at.release("bolat", number=1)

    def test_what_was_withdrawn_comes_back_by_two_people_only(self) -> None:
        at = desk_with_entry()
        at.do(Withdrawn(at.case, who("aigul"), "withdrawn", REASON))
        with refused("released"):
            at.release("bolat", number=1)
        at.do(Reopened(at.case, who("bolat"), "mistake", ()))
        at.judge("aigul")
        assert standing(at.release("bolat", number=1), at.now) is not None

    def test_a_clock_that_went_back_releases_nothing(self) -> None:
        at = desk()
        at.judge("aigul")
        with refused("clock"):
            at.do(released(at.here, who("bolat"), at.now), after=-timedelta(hours=1))


class TestTime:
    def test_an_entry_expires_by_itself(self) -> None:
        case = desk_with_entry(days=1).here
        assert standing(case, NOON + timedelta(hours=23)) is not None
        assert standing(case, NOON + timedelta(days=2)) is None

    def test_renewal_takes_two_people_again(self) -> None:
        at = desk_with_entry(days=10)
        at.do(Reopened(at.case, who("aigul"), "renewal", ()))
        with refused("not_decided"):
            at.release("bolat", number=1)
        at.judge("bolat")
        with refused("same_person"):
            at.release("bolat", number=1)
        case = at.release("aigul", number=1)
        assert [entry.retraction_reason for entry in case.entries] == ["corrected", None]

    def test_nothing_that_lapsed_can_be_renewed(self) -> None:
        at = desk_with_entry(days=1)
        with refused("nothing_stands"):
            at.do(Reopened(at.case, who("aigul"), "renewal", ()), after=timedelta(days=2))

    def test_each_version_has_a_code_of_its_own(self) -> None:
        at = desk_with_entry()
        at.do(Reopened(at.case, who("aigul"), "renewal", ()))
        at.judge("bolat")
        with refused("code"):
            at.release("aigul", number=0)


class TestRetraction:
    def test_anybody_may_take_an_entry_back_alone(self) -> None:
        at = desk_with_entry()
        case = at.do(Withdrawn(at.case, who("aigul"), "withdrawn", REASON))
        assert standing(case, at.now) is None

    def test_a_verdict_to_leave_it_alone_takes_it_back(self) -> None:
        at = desk_with_entry()
        at.do(Reopened(at.case, who("dana"), "new_evidence", (Evidence(OTHER_SHA, "evidence:2"),)))
        assert standing(at.judge("dana", LEFT), at.now) is None

    def test_new_evidence_must_be_new(self) -> None:
        at = desk_with_entry()
        with refused("no_evidence"):
            at.do(Reopened(at.case, who("dana"), "new_evidence", (Evidence(SHA, "evidence:9"),)))


class TestAppeals:
    def test_an_overturned_entry_is_out_and_stays_out(self) -> None:
        at = desk_with_entry()
        at.appeal()
        case = at.answer("dana", is_overturned=True)
        assert (standing(case, at.now), case.entries[0].retraction_reason) == (None, "overturned")
        at.do(Reopened(at.case, who("aigul"), "mistake", ()))
        at.judge("aigul")
        at.judge("bolat")
        with refused("overturned"):
            at.release("erlan", number=1)

    def test_new_evidence_and_two_who_agree_may_list_it_again(self) -> None:
        at = desk_with_entry()
        at.appeal()
        at.answer("dana", is_overturned=True)
        at.do(Reopened(at.case, who("aigul"), "new_evidence", (Evidence(OTHER_SHA, "evidence:2"),)))
        assert status(at.judge("aigul")) == "second"
        at.judge("bolat")
        assert standing(at.release("erlan", number=1), at.now) is not None

    def test_an_upheld_one_stands(self) -> None:
        at = desk_with_entry()
        at.appeal()
        assert standing(at.answer("dana", is_overturned=False), at.now) is not None

    @pytest.mark.parametrize("name", ["aigul", "bolat"])
    def test_a_third_person_answers(self, name: str) -> None:
        at = desk_with_entry()
        at.appeal()
        with refused("took_part"):
            at.answer(name, is_overturned=False)

    def test_one_not_answered_in_time_takes_the_entry_back(self) -> None:
        at = desk_with_entry()
        case = at.appeal()
        assert standing(case, at.now + timedelta(days=13)) is not None
        assert standing(case, at.now + timedelta(days=15)) is None

    def test_one_about_an_earlier_version_takes_back_the_one_that_stands(self) -> None:
        at = desk_with_entry()
        at.do(Reopened(at.case, who("aigul"), "renewal", ()))
        at.judge("aigul")
        at.release("bolat", number=1)
        case = at.appeal(number=0)
        assert standing(case, at.now + timedelta(days=13)) is not None
        assert standing(case, at.now + timedelta(days=14)) is None
        assert [entry.retraction_reason for entry in settle(case, at.now + timedelta(days=14)).entries] == [
            "corrected",
            "withdrawn",
        ]
        at.now += timedelta(days=20)
        case = at.answer("dana", is_overturned=False)
        assert standing(case, at.now) is None

    def test_an_overturn_after_expiry_is_told(self) -> None:
        at = desk_with_entry(days=1)
        at.now += timedelta(days=2)
        at.appeal()
        case: Case = at.answer("dana", is_overturned=True)
        assert (case.entries[0].retraction_reason, case.entries[0].retracted_at) == (
            "overturned",
            case.entries[0].released.expires_at,
        )

    def test_no_appeal_without_the_code_twice_or_after_six_months(self) -> None:
        at = desk_with_entry()
        with refused("code"):
            at.appeal(number=7)
        at.appeal()
        with refused("appealed"):
            at.appeal()
        late = desk_with_entry()
        late.now += timedelta(days=184)
        with refused("late"):
            late.appeal()

    def test_nothing_is_released_while_one_waits(self) -> None:
        at = desk_with_entry()
        at.appeal()
        at.do(Reopened(at.case, who("aigul"), "renewal", ()))
        at.judge("aigul")
        with refused("appeal_pending"):
            at.release("bolat", number=1)


class TestBounds:
    """What happens exactly at a limit, and which of two limits counts."""

    def test_an_entry_falls_at_the_moment_it_expires(self) -> None:
        case = desk_with_entry(days=1).here
        at = case.entries[0].released.expires_at
        assert standing(case, at) is None
        assert standing(case, at - timedelta(microseconds=1)) is not None

    def test_expiry_before_the_answer_is_due_is_an_expiry(self) -> None:
        at = desk_with_entry(days=5)
        (entry,) = settle(at.appeal(), at.now + timedelta(days=20)).entries
        assert (entry.retraction_reason, entry.retracted_at) == ("expired", entry.released.expires_at)

    def test_an_answered_appeal_has_no_day_on_which_it_falls(self) -> None:
        at = desk_with_entry(days=30)
        at.appeal()
        case = at.answer("dana", is_overturned=False)
        assert standing(case, at.now + timedelta(days=15)) is not None

    def test_ninety_days_are_allowed(self) -> None:
        at = desk()
        at.judge("aigul")
        assert at.release("bolat", expires_at=at.now + timedelta(days=90, minutes=1)).entries

    def test_an_appeal_on_the_last_moment_is_taken(self) -> None:
        at = desk_with_entry()
        last = at.here.entries[0].released_at + timedelta(days=183)
        at.now = last - timedelta(minutes=1)
        assert at.appeal().entries[0].appeal is not None

    def test_a_whole_step_of_score_is_something_new(self) -> None:
        at = desk(subject(), suggestion(score=0.0))
        assert at.do(Suggested(at.case, suggestion(score=0.1), "lake 2")).suggestions[0].score == 0.1

    def test_two_who_leave_it_alone_take_it_back_too(self) -> None:
        at = desk_with_entry()
        at.do(Reopened(at.case, who("dana"), "mistake", ()))
        case = at.judge("dana", LEFT, rates=ALWAYS)
        assert standing(case, at.now) is not None
        assert standing(at.judge("erlan", LEFT), at.now) is None

    @pytest.mark.parametrize("seats", [("law", "religion"), ("law", "religion", "sociology", "political_science")])
    def test_a_panel_is_odd(self, seats: tuple[str, ...]) -> None:
        at = desk()
        at.judge("aigul", rates=ALWAYS)
        at.judge("bolat", LEFT)
        with refused("seat"):
            at.convene("dana", *seats)

    @pytest.mark.parametrize(
        ("changes", "is_barred"), [({"score": 0.2}, True), ({"act": None}, True), ({"act": "recruit"}, False)]
    )
    def test_only_another_finding_opens_what_was_overturned(self, changes: dict, is_barred: bool) -> None:
        at = desk_with_entry()
        at.appeal()
        at.answer("dana", is_overturned=True)
        assert at.do(Suggested(at.case, suggestion(**changes), "lake 2")).is_barred is is_barred

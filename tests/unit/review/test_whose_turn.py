"""Whose turn it is, and what somebody may see before they have spoken."""

import pytest
from review_cases import ALWAYS, LEFT, desk, refused, who

from bastau.review.acts import Ground
from bastau.review.turns import free_seats, read_ground, seen_by, turn


def said(case, name):
    return [given.judged.by.account for given in seen_by(case, who(name)).round.given]


def test_nobody_judges_twice_and_who_judged_does_not_release() -> None:
    made = desk()
    assert turn(made.here, who("aigul")) == "judge"
    made.judge("aigul")
    assert turn(made.here, who("aigul", "publisher")) is None
    assert turn(made.here, who("bolat", "publisher")) == "release"
    made.release("bolat")
    assert turn(made.here, who("bolat")) is None
    made.appeal()
    assert [turn(made.here, who(name)) for name in ("aigul", "bolat", "sara")] == [None, None, "answer"]
    made.answer("sara", is_overturned=True)
    assert turn(made.here, who("dana")) is None


def test_what_is_left_alone_is_nobodys_turn() -> None:
    made = desk()
    made.judge("aigul", LEFT)
    assert turn(made.here, who("bolat")) is None


def test_a_second_opinion_sees_nothing_of_the_first() -> None:
    made = desk()
    made.judge("aigul", rates=ALWAYS)
    assert (turn(made.here, who("aigul")), turn(made.here, who("bolat"))) == (None, "judge")
    assert (said(made.here, "aigul"), said(made.here, "bolat")) == (["aigul"], [])


def test_in_a_panel_each_sees_only_the_own_vote_until_all_have_spoken() -> None:
    made = desk()
    made.judge("aigul", rates=ALWAYS)
    made.judge("bolat", LEFT)
    assert {turn(made.here, who(name)) for name in ("aigul", "sara")} == {"convene"}
    made.convene("sara")
    assert (turn(made.here, who("aigul")), turn(made.here, who("sara"))) == (None, "seat")
    made.judge("sara", seat="religion")
    assert free_seats(made.here) == ("law", "sociology")
    made.judge("dana", LEFT, seat="law")
    assert said(made.here, "sara") == ["aigul", "bolat", "sara"]
    assert said(made.here, "aigul") == ["aigul", "bolat"]
    assert said(made.here, "erlan") == []
    made.judge("erlan", LEFT, seat="sociology")
    assert free_seats(made.here) == ()
    assert said(made.here, "aigul") == ["aigul", "bolat", "sara", "dana", "erlan"]
    assert turn(made.here, who("timur")) is None


def test_a_ground_is_law_or_policy_with_its_place() -> None:
    assert read_ground("law: EU 2021/784: art. 2") == Ground("law", "EU 2021/784: art. 2")
    assert read_ground(" policy :  House rules 3") == Ground("policy", "House rules 3")


@pytest.mark.parametrize("text", ["", "law:", "law: x", "habit: as always", "House rules"])
def test_other_grounds_are_refused(text: str) -> None:
    with refused("ground"):
        read_ground(text)

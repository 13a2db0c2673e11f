from datetime import timedelta

import pytest
from review_cases import NOON, desk, desk_with_entry, opened, refused, subject, suggestion, who

from bastau.review.cases import Case, apply
from bastau.review.queue import LOCK, order, priority, take


def case(act: str = "incite", score: float = 0.8, page: str = "1") -> Case:
    return apply(None, 1, NOON, opened(subject(value=f"https://site.kz/{page}"), suggestion(act=act, score=score)))


class TestOrder:
    def test_more_harm_first(self) -> None:
        acts = ["glorify", "recruit", "threaten", "incite"]
        assert [priority(case(act), NOON) for act in acts] == sorted(priority(case(act), NOON) for act in acts)

    def test_likely_before_unlikely_and_doubtful_before_clear(self) -> None:
        assert priority(case(score=0.8), NOON) > priority(case(score=0.2), NOON)
        assert priority(case(score=0.6), NOON) > priority(case(score=0.99), NOON) > priority(case(score=0.01), NOON)

    def test_the_formula(self) -> None:
        assert priority(case(score=0.5), NOON) == 0.75
        assert priority(case(score=1.0), NOON + timedelta(days=15)) == 1.0

    def test_nothing_waits_for_ever(self) -> None:
        assert priority(case("glorify", 0.01), NOON + timedelta(days=30)) > priority(case(score=2 / 3), NOON)

    def test_appeals_come_first_and_what_is_done_does_not_come(self) -> None:
        appealed = desk_with_entry()
        appealed.appeal()
        waiting = case(page="2")
        assert order([waiting, desk_with_entry().here, appealed.here], NOON) == [appealed.here, waiting]

    def test_what_is_decided_waits_for_its_release(self) -> None:
        assert len(order([desk().judge("aigul")], NOON)) == 1


class TestLocks:
    def test_one_person_has_a_case_until_the_lock_expires(self) -> None:
        lock = take(None, "c1", who("aigul"), NOON)
        with refused("locked"):
            take(lock, "c1", who("bolat"), NOON + LOCK / 2)
        assert take(lock, "c1", who("bolat"), NOON + LOCK).by == who("bolat")

    @pytest.mark.parametrize("role", ["reviewer", "admin"])
    def test_the_holder_prolongs_it(self, role: str) -> None:
        lock = take(None, "c1", who("aigul"), NOON)
        assert take(lock, "c1", who("aigul", role), NOON + LOCK / 2).until == NOON + LOCK * 1.5

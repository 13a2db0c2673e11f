"""The log of review of a home: followed, written to by one at a time, refused when it was changed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from review_cases import NOON, judged, opened, refused, released, subject, who

from bastau.desk import Desk
from bastau.errors import LogDamaged
from bastau.home import Home
from bastau.review.acts import Act
from bastau.review.cases import status
from bastau.review.log import FOLDER, NAME, Book

LATER = NOON + timedelta(minutes=1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home", create=True)


def open_case(desk: Desk, value: str = "https://site.kz/call") -> str:
    act = opened(subject(value=value))
    desk.act(lambda _book: act, NOON)
    return act.case


def test_acts_are_seen_by_other_processes_and_after_a_restart(home: Home) -> None:
    one, other = Desk(home), Desk(home)
    case = open_case(one)
    assert case in other.book().cases
    other.act(lambda book: judged(book.cases[case], who("aygul")), LATER)
    assert status(one.book().cases[case]) == "listed"
    assert Desk(home).book() == one.book() == other.book()


def test_a_refused_act_is_not_written(home: Home) -> None:
    desk = Desk(home)
    case = open_case(desk)
    desk.act(lambda book: judged(book.cases[case], who("aygul")), LATER)
    before = (home.folder / FOLDER / NAME).read_bytes()
    with refused("same_person"):
        desk.act(lambda book: released(book.cases[case], who("aygul", "publisher"), LATER), LATER)
    assert (home.folder / FOLDER / NAME).read_bytes() == before
    assert not desk.book().cases[case].entries


def test_of_two_people_at_the_same_second_one_is_first_and_the_other_is_told(home: Home) -> None:
    case = open_case(Desk(home))
    question = Desk(home).book().cases[case]

    def say(name: str) -> str:
        act: Act = judged(question, who(name))
        try:
            Desk(home).act(lambda _book: act, LATER)
        except Exception as error:
            return getattr(error, "code", repr(error))
        return "done"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(say, [f"person{n}" for n in range(8)]))
    assert sorted(said) == ["decided"] * 7 + ["done"]
    assert len(Desk(home).book().cases[case].round.given) == 1


def test_a_line_that_a_kill_left_half_written_is_nobodys_act_and_is_replaced(home: Home) -> None:
    desk = Desk(home)
    case = open_case(desk)
    path = home.folder / FOLDER / NAME
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"act":"judged","case":"')
    assert not desk.book().cases[case].round.given
    desk.act(lambda book: judged(book.cases[case], who("aygul")), LATER)
    assert path.read_bytes().startswith(whole)
    assert Desk(home).book() == desk.book()


@pytest.mark.parametrize("is_running", [True, False], ids=["while it runs", "before a start"])
def test_an_edit_by_hand_is_found_and_nothing_is_added_to_it(home: Home, is_running: bool) -> None:
    desk = Desk(home)
    case = open_case(desk)
    path = home.folder / FOLDER / NAME
    edited = path.read_bytes().replace(b"0.8", b"0.3")
    path.write_bytes(edited)
    desk = desk if is_running else Desk(home)
    with pytest.raises(LogDamaged, match="bastau log verify"):
        desk.book()
    with pytest.raises(LogDamaged):
        desk.act(lambda book: judged(book.cases[case], who("aygul")), LATER)
    assert path.read_bytes() == edited


def test_a_log_that_lost_its_end_is_found(home: Home) -> None:
    desk = Desk(home)
    case = open_case(desk)
    desk.act(lambda book: judged(book.cases[case], who("aygul")), LATER)
    path = home.folder / FOLDER / NAME
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(LogDamaged):
        desk.book()


def test_without_a_log_there_are_no_cases(home: Home) -> None:
    assert Desk(home).book() == Book()
    assert not (home.folder / FOLDER).exists()

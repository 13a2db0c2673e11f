"""The database goes away at any moment: what needs none is answered, all else says so in the reader's language, nothing is lost."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crawling import is_html, whole
from django.db import OperationalError, connection, transaction
from django.test import Client, override_settings
from hostile_home import PAYLOADS
from review_cases import judged, opened, who
from test_every_route import address_of

from bastau.desk import Desk
from bastau.home import Home
from bastau.review.log import FOLDER, NAME
from bastau_web.workbench.checks import routes
from bastau_web.workbench.roles import ANYBODY, KEY_HOLDERS, Role

AWAY = {"kk": "дерекқор жауап бермейді", "ru": "база данных не отвечает", "en": "the database does not answer"}
WORDS = "It was read on that day, open to everybody, and kept as evidence."
GROUND = {"ground_kind": "law", "citation": "Article 1 of a law", "exemption": "none", "exemption_checked": WORDS}


@contextmanager
def away() -> Iterator[None]:
    def refuse(*_: object) -> Any:
        raise OperationalError("no answer")

    with connection.execute_wrapper(refuse):
        yield


@pytest.mark.parametrize("language", AWAY)
def test_every_page_says_it_in_the_language_of_its_reader(signed_in: Callable[..., Client], language: str) -> None:
    browser = signed_in(*Role)
    browser.raise_request_exception = False
    for kept in ({"bastau_language": language}, {}):
        browser.cookies.pop("bastau_language", None)
        browser.cookies.load(kept)
        for route in routes():
            access = route.callback.access
            with away():
                answer = whole(browser.get(address_of(route), headers={"accept-language": language}))
            if access & {ANYBODY, KEY_HOLDERS}:
                assert answer.status_code in (200, 302, 401, 404, 405, 503), route.name
            else:
                assert answer.status_code == 503, route.name
            if answer.status_code == 503 and is_html(answer):
                assert AWAY[language] in answer.content.decode(), route.name
                assert answer["Retry-After"] == "30"
                assert answer["Content-Language"] == language
                assert f'<html lang="{language}">' in answer.content.decode()


@pytest.mark.parametrize("path", ["/transparency", "/transparency/figures.csv", "/appeal", "/api/v1/openapi.json"])
def test_what_needs_no_account_is_answered_as_to_a_stranger(signed_in: Callable[..., Client], path: str) -> None:
    browser = signed_in(*Role)
    browser.raise_request_exception = False
    with away():
        answer = browser.get(path)
    assert answer.status_code == 200
    assert "bastau_session" not in answer.cookies  # it is not over
    assert b"sign-out" not in answer.content
    assert browser.get("/account").status_code == 200


def test_what_is_sent_does_nothing_and_ends_no_session(signed_in: Callable[..., Client], workbench: Home) -> None:
    browser = signed_in(*Role)
    browser.raise_request_exception = False
    for route in routes():
        with away():
            answer = browser.post(address_of(route), {"code": PAYLOADS[4], "name": "a"})
        assert answer.status_code in (401, 404, 405, 415, 422, 503, *((200,) if route.name == "taxii" else ())), (
            route.name
        )
        assert "bastau_session" not in answer.cookies, route.name
    assert not (workbench.folder / FOLDER / NAME).exists()
    transaction.set_rollback(False)  # it was told to, since a query within it failed
    assert browser.get("/account").status_code == 200


# ---- gone at the worst moment: between the log, which is a file, and the answer ----------------------------


@pytest.fixture
def home(workbench: Home, tmp_path: Path) -> Iterator[Home]:
    home = Home.open(tmp_path / "home", create=True)
    with override_settings(BASTAU_HOME=home):
        yield home


def gone_once_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the database away as soon as an act is in the log."""
    act = Desk.act

    def then_gone(self: Desk, *given: Any) -> Any:
        book = act(self, *given)
        connection.execute_wrappers.append(_refuse)
        return book

    monkeypatch.setattr(Desk, "act", then_gone)


def _refuse(*_: object) -> Any:
    raise OperationalError("no answer")


@pytest.fixture(autouse=True)
def _is_back() -> Iterator[None]:
    yield
    while _refuse in connection.execute_wrappers:
        connection.execute_wrappers.remove(_refuse)


def of(browser: Client, page: str) -> str:
    found = re.search(r'name="of" value="(\d+)"', browser.get(page).content.decode())
    assert found is not None
    return found[1]


def test_a_release_shows_its_code_though_the_database_went_away_after_it(
    home: Home, signed_in: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code stands in this answer and nowhere else."""
    desk, at = Desk(home), datetime.now(UTC) - timedelta(hours=1)
    begun = opened()
    desk.act(lambda _: begun, at)
    desk.act(lambda book: judged(book.cases[begun.case], who("dana")), at)
    browser = signed_in("publisher", name="bolat")
    form = {"do": "release", "facts": WORDS, "expires": f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}"}
    number = of(browser, f"/release/{begun.case}")
    gone_once_written(monkeypatch)
    answer = browser.post(f"/release/{begun.case}", form | {"of": number})
    assert answer.status_code == 200
    assert answer.context["code"] in answer.content.decode()
    [entry] = desk.book().cases[begun.case].entries
    assert entry.retracted_at is None


def test_a_verdict_is_not_said_to_be_lost_though_the_database_went_away_after_it(
    home: Home, signed_in: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(home)
    begun = opened()
    desk.act(lambda _: begun, datetime.now(UTC) - timedelta(hours=1))
    browser = signed_in("reviewer", name="aigul")
    browser.post(f"/case/{begun.case}/take")
    browser.post(f"/case/{begun.case}/show")
    number = of(browser, f"/case/{begun.case}")
    gone_once_written(monkeypatch)
    answer = browser.post(f"/case/{begun.case}/verdict", {"act": "incite", "reason": WORDS, "of": number, **GROUND})
    assert (answer.status_code, answer["Location"]) == (302, f"/queue?after={begun.case}")
    assert len(desk.book().cases[begun.case].round.given) == 1

"""Faults at the worst moment: the process killed while it writes, the database gone for a while, the log edited by hand."""

import contextlib
import http.client
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bastau.desk import Desk
from bastau.home import Home
from bastau.review.acts import Withdrawn
from bastau.review.entries import entry_id
from bastau.shield.commands import default_key
from bastau.shield.signing import make_key

sys.path.append(str(Path(__file__).parents[1] / "unit" / "review"))
sys.path.append(str(Path(__file__).parents[1] / "unit" / "collect" / "watching"))
from postgres_server import Server, is_there, postgres
from review_cases import judged, opened, released, subject, who

BASTAU = Path(sys.executable).with_name("bastau")
PASSWORD = "correct horse battery staple"
IS_LONG = "BASTAU_LONG_TESTS" in os.environ
ROUNDS = 10 if IS_LONG else 3
AWAY_S = 60.0 if IS_LONG else 3.0
PEOPLE = {"aigul": "reviewer", "bolat": "publisher"}
MAKE_PEOPLE = """
import sys
from pathlib import Path
from bastau.home import Home
from bastau_web.workbench.commands import _open
_open(Home.open(Path(sys.argv[1])), "127.0.0.1")
from bastau_web.workbench.models import Account
for one in sys.argv[3:]:
    name, role = one.split(":")
    Account.objects.add(name, sys.argv[2], [role])
"""
WORDS = "It was read on that day, open to everybody, and kept as evidence."
VERDICT = {
    "act": "incite", "ground_kind": "law", "citation": "Article 1 of a law", "exemption": "none", "reason": WORDS, "exemption_checked": WORDS,
}  # fmt: skip


class Browser:
    """One person's cookies and the pages that they get."""

    def __init__(self, port: int):
        self.port, self.cookies = port, dict[str, str]()

    def ask(self, path: str, form: dict[str, str] | None = None, *, wait: bool = True) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("GET" if form is None else "POST", path, None if form is None else urlencode(form), headers)
        if not wait:
            return connection
        with contextlib.closing(connection):
            answer = connection.getresponse()
            body = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.headers, body

    def send(self, page: str, path: str, fields: dict[str, str], *, wait: bool = True) -> Any:
        """Send a form of ``page`` with its token and its ``of``."""
        status, headers, body = self.ask(page)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', body)
        if token is None:
            return status, headers, body
        of = re.search(rf'action="{path}".*?name="of" value="(\d+)"', body, re.S) or re.search(
            r'name="of" value="(\d+)"', body
        )
        return self.ask(path, {**fields, **({"of": of[1]} if of else {}), "csrfmiddlewaretoken": token[1]}, wait=wait)

    def sign_in(self, name: str) -> None:
        assert self.send("/sign-in", "/sign-in", {"name": name, "password": PASSWORD})[0] == 302


def serve(home: Path, port: int, environment: dict[str, str]) -> tuple[subprocess.Popen[str], int]:
    command = [BASTAU, "serve", "--home", home, "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    said = re.search(r"http://127.0.0.1:(\d+)", process.stdout.readline())
    assert said is not None
    return process, int(said[1])


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=20)


def people(home: Path, environment: dict[str, str]) -> None:
    listed = [f"{name}:{role}" for name, role in PEOPLE.items()]
    subprocess.run(
        [sys.executable, "-c", MAKE_PEOPLE, home, PASSWORD, *listed], env=environment, check=True, timeout=120
    )


def open_cases(home: Path, n: int, *, decided: bool = False) -> list[str]:
    """Open cases in the log; ``decided``: with a verdict to list them."""
    desk, at = Desk(Home.open(home)), datetime.now(UTC) - timedelta(hours=1)
    found = []
    for i in range(n):
        act = opened(subject(value=f"https://site{i}{'d' if decided else ''}.kz/call"))
        desk.act(lambda _, act=act: act, at)  # type: ignore[misc]
        if decided:
            desk.act(lambda book, act=act: judged(book.cases[act.case], who("dana")), at + timedelta(seconds=1))  # type: ignore[misc]
        found.append(act.case)
    return found


def acts(home: Path, case: str) -> list[str]:
    lines = (home / "review" / "log.ndjson").read_bytes().split(b"\n")[:-1]
    return [line["act"] for line in map(json.loads, lines) if line.get("case") == case]


def verified(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BASTAU, "log", "verify", "--home", home], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_kill_while_it_decides_and_releases_leaves_nothing_half_done(tmp_path: Path) -> None:
    home, environment, dice = tmp_path / "home", dict(os.environ), random.Random(7)
    came_out: Counter[str] = Counter()
    Home.open(home, create=True)
    undecided, decided = open_cases(home, ROUNDS + 1), open_cases(home, ROUNDS + 1, decided=True)
    people(home, environment)
    process, port = serve(home, 0, environment)
    judging, releasing = Browser(port), Browser(port)
    try:
        judging.sign_in("aigul")
        releasing.sign_in("bolat")
        whole_s = 0.0  # of the first round, in which nothing is killed: the kills fall into as long a time
        for i in range(ROUNDS + 1):
            assert judging.send("/queue", f"/case/{undecided[i]}/take", {})[0] == 302
            expires = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
            began = time.monotonic()
            sent = [
                judging.send(f"/case/{undecided[i]}", f"/case/{undecided[i]}/verdict", VERDICT, wait=False),
                releasing.send(f"/release/{decided[i]}", f"/release/{decided[i]}", {"do": "release", "facts": WORDS, "expires": expires}, wait=False),
            ]  # fmt: skip
            if i == 0:
                assert [is_answered(connection) for connection in sent] == [True, True]
                whole_s = time.monotonic() - began
                continue
            time.sleep(max(0.0, dice.random() * whole_s - (time.monotonic() - began)))
            end(process)
            answered = [is_answered(connection) for connection in sent]
            process, _ = serve(home, port, environment)
            # What was answered for is in the log; what is not in the log can be done again, what is cannot.
            for case, act, was_answered in (
                (undecided[i], "judged", answered[0]),
                (decided[i], "released", answered[1]),
            ):
                n = acts(home, case).count(act)
                assert n in ((1,) if was_answered else (0, 1))
                came_out[f"{act}: {'answered' if was_answered else 'in the log' if n else 'not done'}"] += 1
            if "judged" not in acts(home, undecided[i]):
                assert judging.send(f"/case/{undecided[i]}", f"/case/{undecided[i]}/verdict", VERDICT)[0] == 302
            if "released" not in acts(home, decided[i]):
                said = releasing.send(
                    f"/release/{decided[i]}",
                    f"/release/{decided[i]}",
                    {"do": "release", "facts": WORDS, "expires": expires},
                )
                assert said[0] == 200
            assert acts(home, undecided[i]) == ["opened", "judged"]
            assert acts(home, decided[i]) == ["opened", "judged", "released"]
            assert judging.ask("/queue")[0] == 200
    finally:
        end(process)
    done = verified(home)
    assert done.returncode == 0, done.stdout
    print(f"killed within {whole_s * 1000:.0f} ms:", dict(sorted(came_out.items())))
    if IS_LONG:
        assert {"judged: not done", "released: not done"} <= set(came_out)
        assert len(came_out) > 2


def is_answered(connection: http.client.HTTPConnection) -> bool:
    with contextlib.closing(connection):
        try:
            return connection.getresponse().status in (200, 302)
        except (OSError, http.client.HTTPException):
            return False


def test_an_edited_log_is_refused_by_pages_and_found_by_verify(tmp_path: Path) -> None:
    home, environment = tmp_path / "home", dict(os.environ)
    Home.open(home, create=True)
    [case] = open_cases(home, 1, decided=True)
    people(home, environment)
    process, port = serve(home, 0, environment)
    browser, log = Browser(port), home / "review" / "log.ndjson"
    try:
        browser.sign_in("bolat")
        assert browser.ask(f"/release/{case}")[0] == 200
        before = log.read_bytes()
        log.write_bytes(before.replace(b"site0d.kz", b"site1d.kz"))
        for path in ("/queue", f"/case/{case}", f"/release/{case}", "/lists"):
            assert browser.ask(path)[0] == 503, path
        done = verified(home)
        assert done.returncode == 1
        log.write_bytes(before)
        assert browser.ask(f"/release/{case}")[0] == 200
        assert verified(home).returncode == 0
    finally:
        end(process)


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not is_there():
        pytest.skip("no PostgreSQL: install it to test the workbench on it")
    with postgres(tmp_path_factory.mktemp("cluster")) as server:
        yield server


LIST = """
[web]
database = "env:BASTAU_WEB_DATABASE"
[shield]
name = "a list"
publisher = "a newsroom"
appeal = "https://lists.example/appeal"
policy = "https://lists.example/policy"
licence = "CC0-1.0"
"""
AWAY = {"kk": "дерекқор жауап бермейді", "ru": "база данных не отвечает", "en": "database does not answer"}
PAGES = ("/", "/search?q=call", "/queue", "/lists", "/log", "/account")
FOR_EVERYBODY = (
    "/lists/list.json",
    "/lists/hosts.txt",
    "/taxii2/",
    "/transparency",
    "/transparency/published.ndjson",
    "/appeal",
)


@dataclass(frozen=True)
class Said:
    """What somebody was answered: by the clock of the test."""

    who: str
    what: str
    status: int
    body: str
    began: float
    took_s: float


@dataclass
class Crowd:
    """People and programs that go on and on, each in a thread."""

    said: list[Said] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def add(self, who: str, steps: Callable[[], Iterator[tuple[str, Callable[[], Any]]]]) -> None:
        """``steps`` yields what is asked and how; the next comes once that is answered."""

        def go_on() -> None:
            for what, ask in steps():
                began = time.monotonic()
                status, _, body = ask()
                self.said.append(Said(who, what, status, body, began, time.monotonic() - began))
                if self._ended.wait(0.1):
                    return

        self._threads.append(threading.Thread(target=go_on, daemon=True))
        self._threads[-1].start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def test_while_the_database_is_gone_nothing_is_done_by_halves_and_what_needs_none_goes_on(
    tmp_path: Path, database: Server
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "bastau.toml").write_text(LIST)
    environment = os.environ | {"BASTAU_WEB_DATABASE": database.url}
    undecided = open_cases(home, 300 if IS_LONG else 40)
    listed, *decided = open_cases(home, 200 if IS_LONG else 40, decided=True)
    desk = Desk(Home.open(home))
    before = datetime.now(UTC) - timedelta(minutes=1)
    desk.act(lambda book: released(book.cases[listed], who("erlan", "publisher"), before), before)
    make_key(default_key(Home.open(home)))
    people(home, environment)
    process, port = serve(home, 0, environment)
    crowd = Crowd()
    try:
        signed_in = {name: Browser(port) for name in PEOPLE}
        for name, browser in signed_in.items():
            browser.sign_in(name)
        wait_for(lambda: json.loads(Browser(port).ask("/lists/list.json")[2])["entries"], 30)
        for language in AWAY:
            crowd.add(language, lambda language=language: reading(signed_in["aigul"], port, language))
        crowd.add("stranger", lambda: reading(Browser(port), port, "en", FOR_EVERYBODY))
        crowd.add("reader", lambda: reading(signed_in["aigul"], port, "en", FOR_EVERYBODY))
        crowd.add("judge", lambda: deciding(signed_in["aigul"], undecided))
        crowd.add("publisher", lambda: releasing_all(signed_in["bolat"], decided))
        wait_for(lambda: done_by(crowd, "judge") > 1 and done_by(crowd, "publisher") > 1, 60)

        stopped = time.monotonic()
        database.stop()
        gone, written = time.monotonic(), len(desk.lines())
        wait_for(lambda: {one.who for one in crowd.said if one.began > gone} > {"judge", "publisher", *AWAY}, 30)
        assert Browser(port).ask("/health")[0] == 503
        # The log is read and a retraction handed out without the pages: neither needs the database.
        assert verified(home).returncode == 0
        why = Withdrawn(listed, who("erlan", "publisher"), "withdrawn", WORDS)
        desk.act(lambda _: why, datetime.now(UTC))
        of = entry_id(desk.book().cases[listed])
        wait_for(lambda: is_retracted(Browser(port), of), 30)
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - gone)))
        meanwhile = [line["act"] for line in desk.lines()[written:]]
        back = time.monotonic()
        database.start()

        n = {who: done_by(crowd, who) for who in ("judge", "publisher")}
        wait_for(lambda: all(done_by(crowd, who) > n[who] + 1 for who in n), 60)
        again = time.monotonic()
        wait_for(lambda: Browser(port).ask("/health")[0] == 200, 30)
        crowd.end()
    finally:
        end(process)

    # What was sent as the database stopped may still have been written; from then on only the withdrawal was.
    assert Counter(meanwhile) - Counter(["judged", "released"]) == Counter(["withdrawn"])
    away = [one for one in crowd.said if gone < one.began and one.began + one.took_s < back]
    for one in away:
        if one.who in ("stranger", "reader"):
            assert one.status == 200, one
        else:
            assert one.status == 503, one
            assert AWAY.get(one.who, AWAY["en"]) in one.body, one
    for one in crowd.said:
        assert one.status in (200, 302, 503), one
        assert one.status != 503 or stopped < one.began + one.took_s, one
    asked = Counter((one.who, one.what) for one in away)
    assert {what for name, what in asked if name == "kk"} == {*PAGES}
    for who_asked in ("judge", "publisher"):
        done = [one for one in crowd.said if one.who == who_asked and one.status != 503]
        assert len({one.what for one in done}) == len(done)
    for case in undecided:
        assert acts(home, case) in (["opened"], ["opened", "judged"])
    for case in decided:
        assert acts(home, case) in (["opened", "judged"], ["opened", "judged", "released"])
    assert verified(home).returncode == 0
    slowest = {name: max(one.took_s for one in away if one.who == name) for name in ("kk", "judge", "stranger")}
    print(
        f"away {back - gone:.1f} s; answers meanwhile:", dict(Counter((one.who, one.status) for one in away)),
        f"; slowest (s): { {name: round(took, 2) for name, took in slowest.items()} }",
        f"; work went on {again - back:.1f} s after the start; before, during, after:",
        [Counter(one.status for one in crowd.said if one.who in n and one.began + one.took_s < end_of and one.began >= start_of)
         for start_of, end_of in ((0, gone), (gone, back), (back, again + 600))],
    )  # fmt: skip


def around(what: tuple[str, ...]) -> Iterator[str]:
    while True:
        yield from what


def reading(
    as_whom: Browser, port: int, language: str, pages: tuple[str, ...] = PAGES
) -> Iterator[tuple[str, Callable[[], Any]]]:
    mine = Browser(port)
    mine.cookies = as_whom.cookies | {"bastau_language": language}
    for path in around(pages):
        yield path, lambda path=path: mine.ask(path)


def deciding(browser: Browser, cases: list[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each case until it is done: its page said where it stood, so an answer that was lost is found there."""
    for case in cases:
        is_done: list[bool] = []

        def decide(case: str = case, is_done: list[bool] = is_done) -> Any:
            took = browser.send("/queue", f"/case/{case}/take", {})
            said = browser.send(f"/case/{case}", f"/case/{case}/verdict", VERDICT) if took[0] == 302 else took
            is_done.extend([True] if said[0] != 503 else [])
            return said

        while not is_done:
            yield case, decide


def releasing_all(browser: Browser, cases: list[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    expires = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    for case in cases:
        is_done: list[bool] = []

        def release(case: str = case, is_done: list[bool] = is_done) -> Any:
            form = {"do": "release", "facts": WORDS, "expires": expires}
            said = browser.send(f"/release/{case}", f"/release/{case}", form)
            is_done.extend([True] if said[0] != 503 else [])
            return said

        while not is_done:
            yield case, release


def done_by(crowd: Crowd, name: str) -> int:
    return len({one.what for one in crowd.said if one.who == name and one.status != 503})


def is_retracted(subscriber: Browser, entry: str) -> bool:
    status, _, body = subscriber.ask("/lists/list.json")
    assert status == 200
    document = json.loads(body)
    gone = {one["entry_id"] for one in document["retractions"]}
    return entry in gone and entry not in {one["entry_id"] for one in document["entries"]}


def wait_for(holds: Callable[[], Any], most_s: float) -> None:
    until = time.monotonic() + most_s
    while not holds():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.1)

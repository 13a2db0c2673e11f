"""Faults at the worst moment: the process killed while it writes, the database gone for a while, the log edited by hand."""

import contextlib
import http.client
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bastau.desk import Desk
from bastau.home import Home

sys.path.append(str(Path(__file__).parents[1] / "unit" / "review"))
sys.path.append(str(Path(__file__).parents[1] / "unit" / "collect" / "watching"))
from postgres_server import Server, is_there, postgres
from review_cases import judged, opened, subject, who

BASTAU = Path(sys.executable).with_name("bastau")
PASSWORD = "correct horse battery staple"
ROUNDS = 10 if os.environ.get("BASTAU_LONG_TESTS") else 3
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
        _, _, body = self.ask(page)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', body)
        assert token is not None, body
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
    Home.open(home, create=True)
    undecided, decided = open_cases(home, ROUNDS), open_cases(home, ROUNDS, decided=True)
    people(home, environment)
    process, port = serve(home, 0, environment)
    judging, releasing = Browser(port), Browser(port)
    try:
        judging.sign_in("aigul")
        releasing.sign_in("bolat")
        for i in range(ROUNDS):
            assert judging.send("/queue", f"/case/{undecided[i]}/take", {})[0] == 302
            expires = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
            sent = [
                judging.send(f"/case/{undecided[i]}", f"/case/{undecided[i]}/verdict", VERDICT, wait=False),
                releasing.send(f"/release/{decided[i]}", f"/release/{decided[i]}", {"do": "release", "facts": WORDS, "expires": expires}, wait=False),
            ]  # fmt: skip
            time.sleep(dice.random() * 0.06)
            end(process)
            answered = [is_answered(connection) for connection in sent]
            process, _ = serve(home, port, environment)
            # What was answered for is in the log; what is not in the log can be done again, what is cannot.
            for case, act, was_answered in (
                (undecided[i], "judged", answered[0]),
                (decided[i], "released", answered[1]),
            ):
                assert acts(home, case).count(act) in ((1,) if was_answered else (0, 1))
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


def test_a_database_that_is_gone_for_a_while_is_said_and_does_nothing_by_halves(
    tmp_path: Path, database: Server
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "bastau.toml").write_text('[web]\ndatabase = "env:BASTAU_WEB_DATABASE"\n')
    environment = os.environ | {"BASTAU_WEB_DATABASE": database.url}
    [case] = open_cases(home, 1)
    people(home, environment)
    process, port = serve(home, 0, environment)
    browser = Browser(port)
    try:
        browser.sign_in("aigul")
        assert browser.send("/queue", f"/case/{case}/take", {})[0] == 302
        _, _, form = browser.ask(f"/case/{case}")
        token, of = (
            re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form),
            re.search(r'name="of" value="(\d+)"', form),
        )
        assert token is not None
        assert of is not None
        typed = {**VERDICT, "csrfmiddlewaretoken": token[1], "of": of[1]}
        database.stop()
        for path in ("/", "/queue", f"/case/{case}", "/account", "/sign-in"):
            status, headers, body = browser.ask(path)
            assert (status, headers["Retry-After"]) == (503, "30"), path
            assert "database does not answer" in body or path == "/sign-in"
            assert headers["Content-Security-Policy"]
        assert browser.ask(f"/case/{case}/verdict", typed)[0] == 503
        assert browser.ask("/health")[0] == 503
        assert acts(home, case) == ["opened"]
        database.start()
        assert browser.ask("/health")[0] == 200
        assert browser.ask(f"/case/{case}")[0] == 200
        assert browser.ask(f"/case/{case}/verdict", typed)[0] == 302
        assert acts(home, case) == ["opened", "judged"]
        assert browser.ask("/account")[0] == 200
    finally:
        end(process)

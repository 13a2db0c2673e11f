"""The workbench for several people: PostgreSQL, and a proxy that speaks https before it."""

import contextlib
import http.client
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "collect" / "watching"))
from postgres_server import is_there, postgres

BASTAU = Path(sys.executable).with_name("bastau")
PASSWORD = "correct horse battery staple"
PROXY = {
    "Host": "127.0.0.1",
    "X-Forwarded-Host": "workbench.example.org",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "203.0.113.7",
}

pytestmark = pytest.mark.skipif(not is_there(), reason="no PostgreSQL: install it to test the workbench on it")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("home")
    (folder / "bastau.toml").write_text(
        '[web]\norigin = "https://workbench.example.org"\ndatabase = "env:BASTAU_WEB_DATABASE"\n'
    )
    with postgres(tmp_path_factory.mktemp("cluster")) as server:
        yield folder, os.environ | {"BASTAU_WEB_DATABASE": server.url}


@pytest.fixture(scope="module")
def port(home: tuple[Path, dict[str, str]]) -> Iterator[int]:
    folder, environment = home
    secret = folder / "password"
    secret.touch(0o600)
    secret.write_text(PASSWORD)
    add = [BASTAU, "user", "add", "aigul", "--role", "admin", "--home", folder, "--password-file", secret]
    subprocess.run(add, env=environment, check=True, capture_output=True)
    command = [BASTAU, "serve", "--home", folder, "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        assert "opened as https://workbench.example.org" in said
        yield int(re.search(r"127.0.0.1:(\d+)", said)[1])
        process.terminate()


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: str


def ask(port: int, address: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
    body = None if form is None else urlencode(form)
    kind = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET" if form is None else "POST", address, body, headers | kind)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode())


def test_accounts_are_in_postgresql(home: tuple[Path, dict[str, str]], port: int) -> None:
    folder, environment = home
    assert not (folder / "workbench" / "decisions.db").exists()
    listed = subprocess.run(
        [BASTAU, "user", "list", "--home", folder], env=environment, check=True, capture_output=True, text=True
    )
    assert listed.stdout == "aigul: admin\n"


def test_signing_in_works_through_the_proxy_with_cookies_for_https_only(port: int) -> None:
    first = ask(port, "/sign-in", **PROXY)
    [cookie] = first.headers.get_all("Set-Cookie")
    assert "Secure" in cookie
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', first.body)[1]
    form = {"name": "aigul", "password": PASSWORD, "csrfmiddlewaretoken": token}
    sent = PROXY | {"Cookie": cookie.partition(";")[0]}
    assert ask(port, "/sign-in", form, **sent, Origin="https://evil.example").status == 403
    origin = {"Origin": "https://workbench.example.org"}
    assert ask(port, "/sign-in", form | {"name": "ai\0gul"}, **sent, **origin).status == 400  # PostgreSQL takes no NUL
    answer = ask(port, "/sign-in", form, **sent, Origin="https://workbench.example.org")
    assert answer.status == 302
    session = next(c for c in answer.headers.get_all("Set-Cookie") if c.startswith("bastau_session"))
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {part.strip() for part in session.split(";")}
    assert ask(port, "/", **PROXY, Cookie=session.partition(";")[0]).status == 200


def test_without_https_one_is_sent_there_and_other_names_are_refused(port: int) -> None:
    plain = ask(port, "/sign-in", Host="workbench.example.org")
    assert (plain.status, plain.headers["Location"]) == (301, "https://workbench.example.org/sign-in")
    assert ask(port, "/sign-in", Host="evil.example").status == 400
    assert ask(port, "/health").status == 200


def test_a_database_that_is_away_is_said_in_words(home: tuple[Path, dict[str, str]]) -> None:
    folder, environment = home
    away = environment | {"BASTAU_WEB_DATABASE": "postgresql://nobody@127.0.0.1:1/nothing"}
    done = subprocess.run(
        [BASTAU, "user", "list", "--home", folder], env=away, check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "database of the workbench" in done.stderr
    assert "Traceback" not in done.stderr

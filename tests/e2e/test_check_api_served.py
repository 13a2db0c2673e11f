"""The check API as programs meet it: a real server, requests made from its own description, large bodies, a kill."""

import contextlib
import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

BASTAU = Path(sys.executable).with_name("bastau")
MAKE_KEY = """
import sys
from pathlib import Path
from bastau.home import Home
from bastau_web.workbench.commands import _open
_open(Home.open(Path(sys.argv[1]), create=True), "127.0.0.1")
from bastau_web.check_api.keys import make_key
print(make_key("test", 10**8, 10**8, None, None)[1])
"""


class Served(NamedTuple):
    process: subprocess.Popen[str]
    port: int
    token: str
    home: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served") / "home"
    token = subprocess.run(
        [sys.executable, "-c", MAKE_KEY, home], check=True, capture_output=True, text=True
    ).stdout.strip()
    command = [BASTAU, "serve", "--home", home, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        port = int(re.search(r"127.0.0.1:(\d+)", process.stdout.readline())[1])
        yield Served(process, port, token, home)
        process.kill()


def ask(served: Served, path: str, body: bytes | None, content_type: str = "application/json") -> tuple[int, bytes]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)) as connection:
        headers = {"Authorization": f"Bearer {served.token}", "Content-Type": content_type}
        connection.request("POST", path, body, headers)
        with connection.getresponse() as answer:
            return answer.status, answer.read()


def test_requests_made_from_the_description_never_make_it_fail(served: Served, tmp_path: Path) -> None:
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"http://127.0.0.1:{served.port}/api/v1/openapi.json",
        "--checks", "not_a_server_error,status_code_conformance,response_schema_conformance,content_type_conformance",
        "--phases", "coverage,fuzzing", "--max-examples", "8", "--seed", "7", "--generation-database", "none",
        "--header", f"Authorization: Bearer {served.token}", "--no-color", "--request-timeout", "30",
    ]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert said.returncode == 0, said.stdout[-6000:]
    n = int(re.search(r"(\d+) generated", said.stdout)[1])
    assert n > 100


@pytest.mark.parametrize(("size", "status"), [(4 << 20, 200), ((4 << 20) + 1, 413), (64 << 20, 413)])
def test_a_body_that_is_too_large_is_refused_and_none_touches_the_disk(served: Served, size: int, status: int) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)) as connection:
        connection.putrequest("POST", "/api/v1/check/image")
        for name, value in (
            ("Authorization", f"Bearer {served.token}"),
            ("Content-Type", "image/png"),
            ("Content-Length", str(size)),
        ):
            connection.putheader(name, value)
        connection.endheaders()
        if status == 200:
            connection.send(b"\0" * (size - 1))
            time.sleep(0.3)  # the server holds all but one byte now
            assert not [file for file in open_files(served.process.pid) if "deleted" in file]
            connection.send(b"\0")
        with connection.getresponse() as answer:
            assert answer.status == status


def open_files(pid: int) -> Iterator[str]:
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield str(file.readlink())


def test_json_is_held_to_less(served: Served) -> None:
    body = json.dumps({"id": "1", "text": "a" * (1 << 20)}).encode()
    assert ask(served, "/api/v1/check", body)[0] == 413
    assert ask(served, "/api/v1/check", b"[" * 900_000)[0] == 400


def test_a_kill_forgets_at_most_the_last_counts(served: Served) -> None:
    for _ in range(20):
        assert ask(served, "/api/v1/lookup/url", b'{"url": "https://a.example/"}')[0] == 200
    time.sleep(2.5)
    os.kill(served.process.pid, signal.SIGKILL)
    served.process.wait()
    database = sqlite3.connect(served.home / "workbench" / "decisions.db")
    [[n]] = database.execute("select sum(n) from check_api_dayuse").fetchall()
    assert n >= 20
    database.close()

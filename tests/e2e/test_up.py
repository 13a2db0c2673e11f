"""`bastau up`: watching, processing and serving from one command; whatever is killed comes back, and nothing is lost."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bastau.collect.visits import Found
from bastau.home import Home
from bastau.supervising import Part, supervise
from bastau.watching import open_store

BASTAU = Path(sys.executable).with_name("bastau")
SETTINGS = """
[network]
allow_private = true
pause_s = 0.0
per_address = 0
[watch]
max_staleness_s = 60
store_every_s = 0.2
"""


class Feed(BaseHTTPRequestHandler):
    """A feed of twelve entries."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        now = format_datetime(datetime.now(UTC))
        entries = "".join(
            f"<item><guid>{n}</guid><link>http://127.0.0.1:{port}/{n}</link><title>The bridge of Kokmunar, part {n}</title>"
            f"<description>What was said of the bridge on day {n} of its building.</description><pubDate>{now}</pubDate></item>"
            for n in range(12)
        )
        body = f'<rss version="2.0"><channel><title>Kokmunar</title>{entries}</channel></rss>'.encode()
        is_there = self.path == "/feed"
        self.send_response(200 if is_there else 404)
        self.send_header("Content-Type", "application/rss+xml")
        self.send_header("Content-Length", str(len(body) if is_there else 0))
        self.end_headers()
        if is_there:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def feed() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Feed)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/feed"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "bastau.toml").write_text(SETTINGS)
    return Home.open(tmp_path / "home")


@contextlib.contextmanager
def up(home: Home, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    told = home.folder.with_name(f"told-{time.monotonic_ns()}")
    command = [BASTAU, "up", "--home", home.folder, "--port", "0", "--run-every", "2s", *arguments]
    with told.open("w") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process, told
        finally:
            process.kill()


def children(pid: int) -> dict[str, int]:
    """Return {command: process id} of what `up` started."""
    found = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                found[words[words.index("bastau.supervised") + 1]] = int(folder.name)
    return found


def until(what: object, seconds: float = 60.0) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come")


def is_gone(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def addresses(told: Path) -> list[str]:
    return re.findall(r"Workbench at (http://[\d.:]+)", told.read_text())


def is_healthy(address: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
        return bool(json.load(answer)["status"] == "ok")
    return False


def test_one_command_collects_processes_and_serves_and_whatever_is_killed_comes_back(home: Home, feed: str) -> None:
    with up(home) as (process, told):
        address = until(lambda: addresses(told))[0]
        assert "watch" not in children(process.pid)
        with open_store(home) as store:
            store.add([Found("feed", feed, "Kokmunar")], options={}, priority=0, now=time.time())
        started = until(lambda: {"serve", "watch"} <= set(children(process.pid)) and children(process.pid))
        until(lambda: home.generation() and home.lake.read("posts", ["post_id"]).num_rows == 12)
        until(lambda: is_healthy(address))
        for name in ("watch", "serve"):
            os.kill(started[name], signal.SIGKILL)
        back = until(lambda: {"serve", "watch"} <= set(children(process.pid)) and children(process.pid))
        assert {back[name] for name in ("watch", "serve")}.isdisjoint(started.values())
        until(lambda: len(addresses(told)) == 2 and is_healthy(addresses(told)[1]))
        assert "watch ended (SIGKILL); it starts again in 1 s" in told.read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert all(map(is_gone, back.values()))
        assert "Traceback" not in told.read_text()
    assert home.lake.read("posts", ["post_id"]).num_rows == 12


def test_when_the_supervisor_is_killed_its_parts_end_and_free_the_port(home: Home) -> None:
    with up(home) as (process, told):
        address = until(lambda: addresses(told))[0]
        [serve] = [pid for name, pid in children(process.pid).items() if name == "serve"]
        process.kill()
        process.wait()
        until(lambda: is_gone(serve), 20)
        assert not is_healthy(address)


def test_serving_goes_on_when_nobody_reads_what_it_says_and_ends_as_cleanly(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [BASTAU, "serve", "--home", home.folder, "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        try:
            until(lambda: is_healthy(f"http://127.0.0.1:{port}"))
            process.terminate()
            assert process.wait(60) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


def test_a_mistake_of_the_operator_ends_it_with_the_words_of_the_part(home: Home) -> None:
    command = [BASTAU, "up", "--home", home.folder, "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "[web] origin" in done.stderr


def test_a_part_that_dies_again_and_again_waits_longer_each_time() -> None:
    stop, said = threading.Event(), []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            stop.set()

    part = Part("status", ("status", "--home", "/nowhere"))
    n_starts, code = supervise([part], stop, say)
    assert [line.rpartition("in ")[2] for line in said] == ["1 s", "2 s"]
    assert (n_starts, code) == ({"status": 2}, 0)

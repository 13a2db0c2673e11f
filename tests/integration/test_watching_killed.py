"""A watching process that is killed (-9) again and again loses no post and stores none twice."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bastau.collect.visits import Found
from bastau.doctor import examine
from bastau.home import Home
from bastau.watching import open_store

PLACES = 8
SETTINGS = """
[network]
allow_private = true
pause_s = 0.0
per_address = 0
per_site = 8
[watch]
max_staleness_s = 60
store_every_s = 0.1
"""


class Farm(ThreadingHTTPServer):
    """Places that publish twenty posts a second each and show those that were never shown, and the last ones."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.began = time.time()
        self.is_open = True
        self.published = 0

    def now(self) -> int:
        if self.is_open:
            self.published = int((time.time() - self.began) * 20)
        return self.published


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Farm)
        last = self.server.now()
        times = [
            (n, datetime.fromtimestamp(self.server.began + n / 20, UTC).isoformat())
            for n in range(max(0, last - 2000), last)
        ]
        body = json.dumps(times).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def farm() -> Iterator[Farm]:
    server = Farm()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def start(home: Home) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("watched_process.py")
    return subprocess.Popen([sys.executable, str(script), str(home.folder)], stdout=subprocess.PIPE, text=True)


def kill_often(home: Home, farm: Farm, kills: int) -> None:
    with open_store(home) as store:
        port = farm.server_address[1]
        found = [Found("numbers", f"http://127.0.0.1:{port}/p{n}", f"p{n}") for n in range(PLACES)]
        store.add(found, options={}, priority=4, now=time.time())
    rng = random.Random(7)
    for _ in range(kills):
        process = start(home)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.15))  # anywhere between fetching, storing and writing states
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    farm.now()
    farm.is_open = False
    wanted = {f"web:site.kz/p{place}/{n}" for place in range(PLACES) for n in range(farm.published)}
    process = start(home)
    until = time.time() + 20
    while time.time() < until and home.lake.read("posts", ["post_id"]).num_rows < len(wanted):
        time.sleep(0.1)
    process.terminate()
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait() == 0
    ids = home.lake.read("posts", ["post_id"]).column("post_id").to_pylist()
    assert len(ids) == len(set(ids))
    assert set(ids) == wanted
    assert {look["post_id"] for look in home.lake.read("looks").to_pylist()} == wanted
    assert not [problem for problem in examine(home) if problem.code == "damaged"]
    assert home.lake.read("edits").num_rows == home.lake.read("rejects").num_rows == 0
    with open_store(home) as store:
        assert sum(source.n_posts for source in store.sources()) <= len(wanted)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "bastau.toml").write_text(SETTINGS)
    return Home.open(folder)


def test_killed_three_times(home: Home, farm: Farm) -> None:
    kill_often(home, farm, 3)


@pytest.mark.skipif("BASTAU_LONG_TESTS" not in os.environ, reason="minutes; set BASTAU_LONG_TESTS=1")
def test_killed_fifty_times(home: Home, farm: Farm) -> None:
    kill_often(home, farm, 50)

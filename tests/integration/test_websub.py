"""WebSub against a hub that verifies, denies, signs and lets leases end; a push makes a source due and nothing else."""

import asyncio
import hashlib
import hmac
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bastau.collect.visits import Found
from bastau.collect.watching import websub
from bastau.collect.watching.store import N_SLICES, Store
from bastau.collect.watching.websub import (
    Callback,
    ask_due,
    check_callback,
    list_wanted,
    serve_hubs,
    summary,
    wanted_topic,
)
from bastau.collect.web.fetching import open_web
from bastau.errors import ConfigError
from bastau.home import Home
from bastau.receiving import open_hubs
from bastau.settings import Network, Settings
from bastau.watching import open_store

NOW = 1_800_000_000.0


class Hub(ThreadingHTTPServer):
    """A hub: asked by POST, it verifies at the callback and remembers whom to push to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.lease, self.verdict, self.status = "864000", "subscribe", 202
        self.asked: list[dict[str, str]] = []
        self.verified: dict[str, dict[str, str]] = {}
        self.is_verifying = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def verify(self, form: dict[str, str]) -> None:
        if self.verdict == "denied":
            ask("GET", form["hub.callback"], {"hub.mode": "denied", "hub.topic": form["hub.topic"], "hub.reason": "no"})
            return
        query = {"hub.mode": form["hub.mode"], "hub.topic": form["hub.topic"], "hub.challenge": "<b>says&so</b>"}
        if form["hub.mode"] == "subscribe":
            query["hub.lease_seconds"] = self.lease
        status, body, headers = ask("GET", form["hub.callback"], query)
        if status == 200 and body == b"<b>says&so</b>" and headers["Content-Type"].startswith("text/plain"):
            if form["hub.mode"] == "subscribe":
                self.verified[form["hub.callback"]] = form
            else:
                del self.verified[form["hub.callback"]]

    def publish(
        self, body: bytes, algorithm: str = "sha256", secret: str | None = None, header: str | None = None
    ) -> list[int]:
        answers = []
        for callback, form in self.verified.items():
            mac = hmac.new((secret or form["hub.secret"]).encode(), body, algorithm).hexdigest()
            given = f"{algorithm}={mac}" if header is None else header
            answers.append(ask("POST", callback, body=body, headers={"X-Hub-Signature": given})[0])
        return answers


class Asked(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hub: Any = self.server
        form = {k: v[0] for k, v in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()}
        hub.asked.append(form)
        if hub.status < 300:
            hub.verify(form)
        self.send_response(hub.status)
        if hub.status == 429:
            self.send_header("Retry-After", "7200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def ask(
    method: str,
    url: str,
    query: dict[str, str] | None = None,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request(method, parts.path + (f"?{urlencode(query)}" if query else ""), body, headers or {})
        response = connection.getresponse()
        return response.status, response.read(), dict(response.headers)
    finally:
        connection.close()


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


class Ours:
    """Our side: a list with one feed, where hubs reach us, and a clock of ours."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self.store, self.now = store, NOW
        self.counts = Callback(store, lambda: self.now)
        self.address = ""
        self.add("http://127.0.0.1/feed", hub.address, "http://127.0.0.1/feed?as=atom")

    def add(self, address: str, hub: str | None, topic: str | None) -> None:
        state = {"hub": hub, "topic": topic, "seen": {}}
        self.store.add([Found("feed", address, "here", state=state)], options={}, priority=0, now=NOW)

    def work(self, *, allow_private: bool = True) -> int:
        """Do once what `bastau receive` does again and again."""

        async def once() -> int:
            async with open_web(Settings(network=Network(allow_private=allow_private, pause_s=0.0))) as web:
                list_wanted(self.store, allow_private=True)
                return await ask_due(self.store, web, self.address, self.now, random.Random(1))

        return asyncio.run(once())

    def due(self) -> list[int]:
        return self.store.hurried(range(N_SLICES))

    @property
    def how(self) -> dict[str, int]:
        return {key: n for key, n in summary(self.store.subscriptions(), self.now).items() if n}


@pytest.fixture
def ours(tmp_path: Path, hub: Hub) -> Iterator[Ours]:
    with Store(tmp_path / "sources.db") as store:
        ours = Ours(store, hub)
        with serve_hubs(ours.counts) as server:
            ours.address = f"http://127.0.0.1:{server.server_address[1]}"
            yield ours


def test_a_feed_with_a_hub_is_subscribed_to_and_a_push_makes_it_due(ours: Ours, hub: Hub) -> None:
    ours.add("http://127.0.0.1/without", None, None)
    assert ours.work() == 1
    (form,) = hub.asked
    assert (form["hub.mode"], form["hub.topic"]) == ("subscribe", "http://127.0.0.1/feed?as=atom")
    assert len(form["hub.secret"]) > 40
    assert len(urlsplit(form["hub.callback"]).path.removeprefix("/websub/")) >= 32
    assert ours.how == {"active": 1}
    assert (ours.work(), ours.due()) == (0, [])
    assert hub.publish(b"<feed/>") == [202]
    assert ours.due() == [1]


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
def test_a_push_counts_if_who_signed_it_knows_the_secret(ours: Ours, hub: Hub, algorithm: str) -> None:
    ours.work()
    assert hub.publish(b"news", algorithm, secret="guessed") == [202]
    assert (ours.due(), ours.counts.n_refused) == ([], 1)
    assert hub.publish(b"news", algorithm) == [202]
    assert (ours.due(), ours.counts.n_pushes) == ([1], 1)


@pytest.mark.parametrize("header", ["", "sha256", "md5=" + hashlib.md5(b"news").hexdigest(), "sha256=ы", "=="])
def test_a_push_without_a_signature_that_can_be_read_is_taken_and_ignored(ours: Ours, hub: Hub, header: str) -> None:
    ours.work()
    assert hub.publish(b"news", header=header.encode().decode("latin-1")) == [202]
    assert ours.due() == []


def test_only_what_was_asked_is_confirmed(ours: Ours, hub: Hub) -> None:
    hub.status = 500
    ours.work()
    (form,) = hub.asked
    good = {"hub.mode": "subscribe", "hub.topic": form["hub.topic"], "hub.challenge": "c", "hub.lease_seconds": "900"}
    for wrong in (
        {"hub.mode": "unsubscribe"},
        {"hub.mode": ""},
        {"hub.topic": "http://127.0.0.1/other"},
        {"hub.challenge": ""},
        {"hub.challenge": "c" * 5000},
    ):
        assert ask("GET", form["hub.callback"], good | wrong)[0] == 404
    for place in ("/websub/", "/websub/guessed", f"/other/{form['hub.callback'].rpartition('/')[2]}", "/"):
        assert ask("GET", ours.address + place, good)[0] == 404
        assert ask("POST", ours.address + place, body=b"x")[0] == 404
    ours.now += 2 * 86_400
    assert ask("GET", form["hub.callback"], good)[0] == 404  # asked too long ago
    ours.now -= 2 * 86_400
    assert ours.how == {"in_trouble": 1}
    assert ask("GET", form["hub.callback"], good)[:2] == (200, b"c")
    assert ours.how == {"active": 1}


def test_a_lease_is_renewed_before_it_ends_and_a_short_one_floods_nobody(ours: Ours, hub: Hub) -> None:
    hub.lease = "1"
    ours.work()
    assert ours.work() == 0
    ours.now += 50
    assert ours.work() == 1
    assert len({form["hub.callback"] for form in hub.asked}) == 1
    hub.lease = "99999999999"
    ours.now += 50
    ours.work()
    (one,) = ours.store.subscriptions()
    assert one.until_at == ours.now + 90 * 86_400
    assert 0.69 < (one.next_at - ours.now) / (90 * 86_400) < 0.81


def test_a_hub_that_denies_is_left_alone_for_a_week(ours: Ours, hub: Hub) -> None:
    hub.verdict = "denied"
    ours.work()
    assert (ours.how, ours.store.subscriptions()[0].trouble) == ({"in_trouble": 1}, "denied")
    ours.now += 6 * 86_400
    assert ours.work() == 0
    ours.now += 86_401
    assert ours.work() == 1


def test_a_hub_that_fails_is_asked_ever_more_seldom_and_when_it_said(ours: Ours, hub: Hub) -> None:
    hub.status = 429
    ours.work()
    (one,) = ours.store.subscriptions()
    assert (one.trouble, one.next_at) == ("rate_limited", NOW + 7200)
    hub.status = 404
    pauses = []
    for _ in range(10):
        ours.now = ours.store.subscriptions()[0].next_at
        assert ours.work() == 1
        pauses.append(ours.store.subscriptions()[0].next_at - ours.now)
    assert all(0.7 * min(3600 * 2**n, 7 * 86_400) <= pause <= 7 * 86_400 for n, pause in enumerate(pauses, 1))


@pytest.mark.parametrize("how", ["removed", "paused", "hub gone"])
def test_what_is_watched_no_more_is_unsubscribed(ours: Ours, hub: Hub, how: str) -> None:
    ours.work()
    (source,) = ours.store.sources()
    if how == "removed":
        ours.store.remove([source.source_id])
    elif how == "paused":
        source.is_paused = True
        ours.store.edit([source])
    else:
        ours.store._run("UPDATE sources SET state = '{\"hub\": null}'")
    ours.work()
    assert hub.asked[-1]["hub.mode"] == "unsubscribe"
    assert (hub.verified, ours.store.subscriptions()) == ({}, [])
    assert ours.work() == 0


def test_a_hub_that_lets_nobody_go_is_forgotten_after_a_few_requests(ours: Ours, hub: Hub) -> None:
    ours.work()
    ours.store.remove([1])
    hub.status = 500
    ours.work()
    assert ours.how == {"ending": 1}
    assert hub.publish(b"news") == [410]
    for _ in range(5):
        ours.now += 86_400
        ours.work()
    assert ours.store.subscriptions() == []
    assert len(hub.asked) == 4
    assert hub.publish(b"news") == [404]


def test_a_hub_at_a_private_address_is_not_asked(ours: Ours, hub: Hub) -> None:
    ours.work(allow_private=False)
    assert (hub.asked, ours.store.subscriptions()[0].trouble) == ([], "private_address")


@pytest.mark.parametrize(
    ("hub", "topic", "asked"),
    [
        ("https://hub.example/", None, "https://news.tau.kz/feed"),
        ("https://hub.example/", "https://tau.kz/rss", "https://tau.kz/rss"),
        ("https://hub.example/", "https://other.kz/feed", None),
        ("https://hub.example/", "https://news.tau.kz/@somebody.rss", None),
        ("https://hub.example/", "https://t.me/s/somebody", None),
        ("https://hub.example/" + "x" * 3000, None, None),
        ("ftp://hub.example/", None, None),
        ("https://[hub", None, None),
        ("https://", None, None),
    ],
)
def test_a_feed_chooses_its_hub_but_not_what_else_comes(hub: str, topic: str | None, asked: str | None) -> None:
    assert wanted_topic("https://news.tau.kz/feed", hub, topic) == asked


def test_hubs_are_asked_over_https(tmp_path: Path) -> None:
    with Store(tmp_path / "sources.db") as store:
        state = {"hub": "http://hub.example/", "topic": None}
        store.add([Found("feed", "https://tau.kz/feed", "tau.kz", state=state)], options={}, priority=0, now=NOW)
        list_wanted(store)
        assert [one.hub for one in store.subscriptions()] == ["https://hub.example/"]


@pytest.mark.parametrize(
    "callback", ["http://watch.kz", "watch.kz", "https://", "https://a:b@watch.kz", "https://watch.kz/?a=b"]
)
def test_a_callback_that_hubs_cannot_use_is_refused(callback: str) -> None:
    with pytest.raises(ConfigError, match=r"watch\.callback"):
        check_callback(callback, allow_private=False)
    assert check_callback("https://watch.kz/bastau/", allow_private=False) == "https://watch.kz/bastau"


def test_what_is_pushed_is_written_nowhere(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websub, "_TICK_S", 0.05)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "bastau.toml").write_text(
        f'[network]\nallow_private = true\npause_s = 0.0\n[watch]\ncallback = "http://127.0.0.1:{port}"\n'
    )
    home, stop = Home.open(folder), threading.Event()
    with open_store(home) as store:
        state = {"hub": hub.address, "topic": None}
        store.add([Found("feed", "http://127.0.0.1/feed", "here", state=state)], options={}, priority=0, now=NOW)
    with open_hubs(home, port, stop) as (counts, opened):
        assert opened == port
        eventually(lambda: bool(hub.verified))
        assert hub.publish(b"<entry>wordsofastranger</entry>") == [202]
        assert counts.n_pushes == 1
    with open_store(home) as store:
        assert store.hurried(range(N_SLICES)) == [1]
    assert stop.is_set()
    assert not any(b"wordsofastranger" in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_the_command_subscribes_and_counts(tmp_path: Path, hub: Hub) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "home"
    folder.mkdir()
    settings = folder / "bastau.toml"
    settings.write_text(f'[network]\nallow_private = true\n[watch]\ncallback = "http://127.0.0.1:{port}"\n')
    with open_store(Home.open(folder)) as store:
        state = {"hub": hub.address, "topic": None}
        store.add([Found("feed", "http://127.0.0.1/feed", "here", state=state)], options={}, priority=0, now=NOW)
    command = [sys.executable, "-m", "bastau", "receive", "--home", str(folder), "--port", "0", "--json", "--hub-port"]
    with subprocess.Popen([*command, str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        eventually(lambda: bool(hub.verified))
        assert hub.publish(b"news") == [202]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, json.loads(out)["n_pushes"]) == (0, 1), err
    listed = subprocess.run(
        [sys.executable, "-m", "bastau", "sources", "--home", str(folder)], capture_output=True, text=True, check=True
    )
    assert "hubs that tell what is new: 1 active" in listed.stdout
    settings.write_text('[watch]\ncallback = "http://127.0.0.1:1"\n')
    refused = subprocess.run([*command, "0"], capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode == 2
    assert "watch.callback" in refused.stdout + refused.stderr


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_too_much_at_once_is_not_read(ours: Ours, hub: Hub) -> None:
    ours.work()
    (callback,) = hub.verified
    with socket.create_connection(("127.0.0.1", urlsplit(callback).port or 0), timeout=10) as raw:
        raw.sendall(f"POST {urlsplit(callback).path} HTTP/1.1\r\nContent-Length: {11 << 20}\r\n\r\n".encode())
        assert raw.recv(64).startswith(b"HTTP/1.0 413")
    for odd in ({"Transfer-Encoding": "chunked"}, {"Content-Length": "\u00b2"}):  # a digit to Python, and no number
        assert ask("POST", callback, body=b"", headers=odd)[0] == 411

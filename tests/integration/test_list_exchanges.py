"""List exchanges over real sockets, against servers on the loopback that answer as the public ones do."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bastau.errors import ConfigError, SourceChanged, SourceUnavailable
from bastau.home import Home
from bastau.known_lists.commands import ListOptions, add, show, store_of, sync
from bastau.known_lists.exchanges import look_up_hma, push_hma
from bastau.known_lists.formats import ListedItem
from bastau.network import Client, NetworkLimits, read_secret
from bastau.public_addresses import is_public

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 28, 12, tzinfo=UTC)
OWN = NetworkLimits(allow_private=True, timeout_s=2, total_s=5, max_bytes=1 << 20, tries=2)
PDQ = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"

Answer = tuple[int, dict[str, str], bytes]


@contextlib.contextmanager
def serving(answer: Callable[[str, str, dict[str, str], bytes], Answer]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Serve ``answer(method, path, headers, body)``; yield the address and the requests as they arrive."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            asked.append((self.command, self.path))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                status, headers, content = answer(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = _any

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def as_json(value: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home", create=True)


def quick(limits: NetworkLimits = OWN) -> Client:
    return Client(limits, sleep=lambda _: None)


def stored(home: Home, name: str) -> dict[str, bool]:
    return {item.value: item.is_deleted for item in store_of(home).items(name)}


# ---- Tech Against Terrorism ----------------------------------------------------------------------------


def tat_row(number: int, digest: str, algorithm: str = "MD5", deleted: bool = False) -> dict[str, object]:
    return {
        "hash_digest": digest,
        "algorithm": algorithm,
        "ideology": "islamist",
        "file_type": "mp4",
        "deleted": deleted,
        "updated_on": 1704901040.2,
        "id": number,
    }


class TatServer:
    """Two rows a page, a token for one user, a checkpoint that names the last row given."""

    def __init__(self, rows: list[dict[str, object]]):
        self.rows = rows

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        url = urlsplit(path)
        if url.path == "/token-auth/tcap/":
            if json.loads(body) != {"username": "editor", "password": "a:b"}:
                return as_json({"detail": "no"}, 401)
            return as_json({"user": {}, "token": "tok-123"})
        if url.path != "/api/hash-list/v2/all" or headers.get("Authorization") != "Bearer tok-123":
            return as_json({}, 403)
        after = parse_qs(url.query).get("after", [""])[0]
        start = int(after.split(",")[1]) if after else 0
        page = self.rows[start : start + 2]
        more = start + 2 < len(self.rows)
        return as_json(
            {
                "count": len(self.rows),
                "next": "https://elsewhere.example/next" if more else None,
                "previous": None,
                "checkpoint": f"1724856487.7,{start + len(page)}",
                "results": page,
            }
        )


@pytest.fixture
def tat_secret(tmp_path: Path) -> str:
    (tmp_path / "secret").write_text("editor:a:b\n")
    return f"file:{tmp_path / 'secret'}"


def test_the_hash_list_is_read_page_by_page_and_goes_on_from_its_checkpoint(home, tat_secret):
    server = TatServer([tat_row(1, "a" * 32), tat_row(2, PDQ, "PDQ"), tat_row(3, "b" * 32), tat_row(4, "zz", "TLSH")])
    options = ListOptions(secret=tat_secret, ground="EU 2021/784", publisher="Tech Against Terrorism")
    with serving(server) as (address, asked):
        answer, _ = add(home, f"tat:{address}", "tat", options, now=NOW, limits=OWN)
        assert answer["counts"] == {"md5": 2, "pdq": 1}
        assert answer["rejects"]["unknown_signal"]["count"] == 1
        server.rows += [tat_row(1, "a" * 32, deleted=True), tat_row(5, "c" * 32)]
        before = len(asked)
        answer, _ = sync(home, now=LATER, limits=OWN)
    assert answer["lists"][0]["added"] == 1
    assert answer["lists"][0]["deleted"] == 1
    assert len(asked) - before == 2  # a token and one page: what was read before is not asked for again
    assert stored(home, "tat") == {"a" * 32: True, PDQ: False, "b" * 32: False, "c" * 32: False}


def test_wrong_credentials_are_the_users_error_and_are_not_repeated(home, tmp_path):
    (tmp_path / "secret").write_text("editor:wrong-password")
    options = ListOptions(secret=f"file:{tmp_path / 'secret'}", ground="x")
    with serving(TatServer([])) as (address, _), pytest.raises(ConfigError) as caught:
        add(home, f"tat:{address}", "tat", options, now=NOW, limits=OWN)
    assert "credentials" in str(caught.value)
    assert "wrong-password" not in str(caught.value)
    assert store_of(home).names() == []


def test_a_list_that_leads_back_to_itself_ends(home, tat_secret):
    def looping(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path == "/token-auth/tcap/":
            return as_json({"token": "t"})
        return as_json({"next": "more", "checkpoint": "same", "results": []})

    options = ListOptions(secret=tat_secret, ground="x")
    with serving(looping) as (address, _), pytest.raises(SourceChanged, match="back to itself"):
        add(home, f"tat:{address}", "tat", options, now=NOW, limits=OWN)


# ---- HMA -----------------------------------------------------------------------------------------------


class HmaServer:
    """Banks as /c/bank/<name>/content/<id> gives them; ids run through all banks."""

    def __init__(self) -> None:
        self.content: dict[int, tuple[str, int, dict[str, str]]] = {
            1: ("TEST_BANK", 1, {"pdq": PDQ}),
            2: ("OTHER", 1, {"video_md5": "d" * 32}),
            4: ("TEST_BANK", 0, {"video_md5": "e" * 32}),
            5: ("TEST_BANK", 1, {"video_md5": "f" * 32, "clip": "0101"}),
        }
        self.pushed: list[dict[str, str]] = []

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        url = urlsplit(path)
        query = parse_qs(url.query)
        parts = url.path.strip("/").split("/")
        if method == "POST" and parts == ["c", "bank", "TEST_BANK", "signal"]:
            self.pushed.append(json.loads(body))
            return as_json({"id": 77, "signals": json.loads(body)}, 201)
        if parts == ["c", "bank", "TEST_BANK"]:
            return as_json({"name": "TEST_BANK", "matching_enabled_ratio": 1.0})
        if parts[:4] == ["c", "bank", "TEST_BANK", "content"] and int(parts[4]) in self.content:
            bank, until, signals = self.content[int(parts[4])]
            held: dict[str, object] = {"id": int(parts[4]), "disable_until_ts": until, "bank": {"name": bank}}
            return as_json(held | ({"signals": signals} if query.get("include_signals") == ["true"] else {}))
        if parts == ["m", "lookup"] and query["signal"] == [PDQ]:
            return as_json({"TEST_BANK": [{"bank_content_id": 1, "distance": "4"}]})
        if parts == ["m", "lookup"]:
            return as_json({})
        return as_json({"message": "not found"}, 404)


def test_a_bank_is_read_and_what_is_disabled_there_does_not_match(home):
    server = HmaServer()
    with serving(server) as (address, _):
        options = ListOptions(bank="TEST_BANK", ground="x")
        answer, _ = add(home, f"hma:{address}", "hma", options, now=NOW, limits=OWN)
        assert answer["counts"] == {"pdq": 1, "md5": 1}
        assert stored(home, "hma") == {PDQ: False, "e" * 32: True, "f" * 32: False}
        del server.content[1]
        sync(home, ["hma"], now=LATER, limits=OWN)
    assert stored(home, "hma")[PDQ] is True


def test_a_bank_that_is_not_there_makes_no_list(home):
    with serving(HmaServer()) as (address, _), pytest.raises(ConfigError, match="no such page"):
        add(home, f"hma:{address}", "hma", ListOptions(bank="NONE", ground="x"), now=NOW, limits=OWN)
    assert store_of(home).names() == []


def test_one_hash_is_looked_up_and_one_is_given():
    server = HmaServer()
    with serving(server) as (address, _):
        assert look_up_hma(quick(), address, "pdq", PDQ) == [("TEST_BANK", "1", "4")]
        assert look_up_hma(quick(), address, "md5", "0" * 32) == []
        assert push_hma(quick(), address, "TEST_BANK", ListedItem("md5", "a" * 32)) == "77"
    assert server.pushed == [{"video_md5": "a" * 32}]


# ---- plain addresses, and servers that mean harm -------------------------------------------------------


def test_a_list_at_an_address_is_fetched_with_its_provenance(home):
    with serving(lambda *_: (200, {}, b"type,value\nmd5," + b"a" * 32 + b"\n")) as (address, _):
        answer, _ = add(
            home, f"{address}/feed/list.csv?key=hidden", "feed", ListOptions(ground="x"), now=NOW, limits=OWN
        )
    assert (answer["format"], answer["n_entries"]) == ("csv", 1)
    row = show(home, now=LATER)[0]["lists"][0]
    assert row["from"] == f"{address}/feed/list.csv"
    assert len(row["sha256"]) == 64
    assert row["age_days"] == 1


def test_private_addresses_and_plain_http_are_refused_unless_allowed(home):
    with serving(lambda *_: (200, {}, b"")) as (address, asked):
        for target in (address, address.replace("http", "https"), address.replace("127.0.0.1", "localhost")):
            with pytest.raises(ConfigError):
                add(home, f"{target}/list.txt", "feed", ListOptions(ground="x"), now=NOW)
    assert asked == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "fe80::1%eth0", "fc00::1",
     "::ffff:10.0.0.1", "64:ff9b::a00:1", "224.0.0.1"],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_addresses_that_are_public(address):
    assert is_public(address)


def test_a_name_that_also_leads_home_is_refused():
    client = Client(NetworkLimits(), resolve=lambda host, port: ["93.184.216.34", "127.0.0.1"])
    with pytest.raises(ConfigError, match="private address"):
        client.get_json("https://rebound.example/list")


def test_a_redirect_is_checked_like_the_first_address():
    with (
        serving(lambda *_: (302, {"Location": "file:///etc/passwd"}, b"")) as (address, _),
        pytest.raises(ConfigError, match="https"),
    ):
        quick().get_json(address)


def test_redirects_come_to_an_end():
    with (
        serving(lambda m, path, *_: (302, {"Location": path + "x"}, b"")) as (address, asked),
        pytest.raises(SourceChanged, match="redirects"),
    ):
        quick().get_json(address)
    assert len(asked) == OWN.max_redirects + 1


def test_credentials_do_not_follow_to_another_server():
    seen: list[str | None] = []

    def second(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        seen.append(headers.get("Authorization"))
        return as_json([])

    with serving(second) as (other, _), serving(lambda *_: (302, {"Location": other}, b"")) as (address, _):
        quick().get_json(address, {"Authorization": "Bearer key"})
    assert seen == [None]


def test_an_endless_answer_is_cut_off():
    with serving(lambda *_: (200, {}, b"0" * (2 << 20))) as (address, _), pytest.raises(SourceChanged, match="1 MiB"):
        quick().get_json(address)


def test_an_answer_that_breaks_off_is_tried_again_and_then_given_up():
    with (
        serving(lambda *_: (200, {"Content-Length": "100"}, b"[1")) as (address, asked),
        pytest.raises(SourceUnavailable),
    ):
        quick(NetworkLimits(allow_private=True, timeout_s=0.5, tries=2)).get_json(address)
    assert len(asked) == 2


def test_a_server_that_hangs_is_given_up():
    def hanging(*_: object) -> Answer:
        time.sleep(1.5)
        return as_json([])

    with serving(hanging) as (address, _), pytest.raises(SourceUnavailable, match="in time"):
        quick(NetworkLimits(allow_private=True, timeout_s=0.2, tries=1)).get_json(address)


def test_a_server_that_drips_is_given_up():
    ticks = iter(range(0, 10_000, 3))
    client = Client(OWN, clock=lambda: float(next(ticks)), sleep=lambda _: None)
    with (
        serving(lambda *_: (200, {}, b"1" * (1 << 19))) as (address, _),
        pytest.raises(SourceUnavailable, match="longer"),
    ):
        client.get_json(address)


def test_a_busy_server_is_asked_again():
    answers = iter([as_json({}, 503), as_json({"ok": 1})])
    with serving(lambda *_: next(answers)) as (address, _):
        assert quick().get_json(address) == {"ok": 1}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000])
def test_an_answer_that_is_no_json_is_the_sources_change(body):
    with serving(lambda *_: (200, {}, body)) as (address, _), pytest.raises(SourceChanged):
        quick().get_json(address)


def test_a_failed_update_leaves_the_list_as_it_was(home, tmp_path):
    answers = iter([(200, {}, b"a" * 32 + b"\n" + b"b" * 32), (200, {}, b"<html>sorry</html>"), (500, {}, b"")])
    with serving(lambda *_: next(answers)) as (address, _):
        add(home, f"{address}/l.txt", "feed", ListOptions(ground="x"), now=NOW, limits=OWN)
        with pytest.raises(ConfigError, match="holds no entry"):
            sync(home, now=LATER, limits=OWN)
        with pytest.raises(SourceUnavailable):
            sync(home, now=LATER, limits=NetworkLimits(allow_private=True, tries=1))
    assert stored(home, "feed") == {"a" * 32: False, "b" * 32: False}
    assert store_of(home).info("feed").version == 1


def test_secrets_are_read_by_reference_only(monkeypatch, tmp_path):
    monkeypatch.setenv("LIST_KEY", "s3cret")
    assert read_secret("env:LIST_KEY") == "s3cret"
    for reference in ("s3cret-itself", "env:NO_SUCH_KEY", f"file:{tmp_path / 'none'}"):
        with pytest.raises(ConfigError) as caught:
            read_secret(reference)
        assert "s3cret" not in str(caught.value)


def test_an_address_with_a_password_is_refused():
    with pytest.raises(ConfigError) as caught:
        quick().get_json("https://user:pass-word@lists.example/x")
    assert "pass-word" not in str(caught.value)

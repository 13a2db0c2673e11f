import contextlib
import io
import itertools
import json
import socket
import threading
import time
import urllib.request
from datetime import timedelta
from email.message import Message

import pytest
from shield_entries import NOW, document, entry

from bastau.prefix_client import (
    Client,
    ListError,
    _NoWeaker,
    fetch_file,
    hits,
    main,
    public_key,
    read_prefixes,
    update,
    verify,
)
from bastau.shield.publish import publish
from bastau.shield.signing import make_key

LIST = "https://lists.example/shield/"
ROWS = [
    entry(1, "domain", "bad.kz"),
    entry(2, "host", "files.mixed.kz"),
    entry(3, "url", "https://outlet.kz/call"),
    entry(4, "url", "https://t.me/somechannel"),
    entry(5, "url", "https://outlet.kz/folder/"),
]


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return make_key(tmp_path_factory.mktemp("key") / "k")


class Web:
    """A web server that hands out a folder, and notes what it was asked for."""

    def __init__(self, folder):
        self.folder, self.asked = folder, []

    def __call__(self, address):
        assert address.startswith(LIST)
        name = address.removeprefix(LIST)
        self.asked.append(name)
        return (self.folder / name).read_bytes()


@pytest.fixture
def web(tmp_path, key):
    (key.path.parent / "k.signed").unlink(missing_ok=True)
    publish(document(*ROWS), tmp_path / "web", ["prefixes"], [key])
    return Web(tmp_path / "web")


@pytest.fixture
def client(tmp_path, web, key):
    assert update(tmp_path / "list", LIST, key.public, NOW, web) == 1
    web.asked.clear()
    return Client(tmp_path / "list", web)


@pytest.mark.parametrize(
    ("address", "listed"),
    [
        ("http://bad.kz/", 1),
        ("https://www.deep.bad.kz:8443/x/y?z#w", 1),
        ("bad.kz", 1),
        ("http://notbad.kz/", None),
        ("http://files.mixed.kz/a", 2),
        ("http://www.files.mixed.kz/a", 2),
        ("http://x.files.mixed.kz/a", None),
        ("http://mixed.kz/", None),
        ("https://outlet.kz/call", 3),
        ("https://www.outlet.kz/call?utm_source=x", 3),
        ("https://m.outlet.kz/call", 3),
        ("https://blog.outlet.kz/call", None),
        ("https://outlet.kz/call/more", None),
        ("https://outlet.kz/", None),
        ("https://t.me/somechannel/17", 4),
        ("https://t.me/somechannel2", None),
        ("https://t.me/", None),
        ("https://outlet.kz/folder/any/page", 5),
        ("https://outlet.kz/fold%65r/x/../y", 5),
        ("not an address at all", None),
        ("", None),
    ],
)
def test_an_entry_means_the_addresses_it_should_and_no_others(client, address, listed):
    assert [e["entry_id"] for e in client.look_up(address, NOW)] == ([f"e{listed:013d}"] if listed else [])


def test_nobody_is_asked_about_what_is_not_listed_and_once_about_what_is(client, web):
    for n in range(200):
        assert client.look_up(f"https://site-{n}.kz/page?id={n}", NOW) == []
    assert web.asked == []
    for _ in range(3):
        client.look_up("https://bad.kz/", NOW)
    assert len(web.asked) == client.n_asked == 1
    assert web.asked[0].startswith("full/")
    assert len(web.asked[0]) == len("full/00.json")  # the server learns one byte of the hash


def test_an_expired_entry_means_nothing_and_an_expired_list_is_an_error(tmp_path, web, key):
    (key.path.parent / "k.signed").unlink()
    rows = [entry(1, "domain", "bad.kz", expires_at=NOW + timedelta(hours=1))]
    publish(document(*rows), tmp_path / "web", ["prefixes"], [key])
    update(tmp_path / "list", LIST, key.public, NOW, web)
    client = Client(tmp_path / "list", web)
    assert client.look_up("http://bad.kz", NOW)
    assert client.look_up("http://bad.kz", NOW + timedelta(hours=1)) == []
    with pytest.raises(ListError, match="was valid until"):
        client.look_up("http://bad.kz", NOW + timedelta(days=7))
    with pytest.raises(ListError, match="was valid until"):
        update(tmp_path / "list", LIST, key.public, NOW + timedelta(days=7), web)


def test_a_retraction_reaches_who_updates(tmp_path, web, key, client):
    assert client.look_up("http://bad.kz", NOW)
    gone = {**ROWS[0], "retracted_at": NOW, "retraction_reason": "overturned"}
    second = document(gone, *ROWS[1:], previous=document(*ROWS), now=NOW + timedelta(minutes=5))
    publish(second, tmp_path / "web", ["prefixes"], [key])
    assert update(tmp_path / "list", LIST, key.public, NOW + timedelta(minutes=6), web) == 2
    assert Client(tmp_path / "list", web).look_up("http://bad.kz", NOW + timedelta(minutes=6)) == []


def test_a_list_changed_on_the_way_or_signed_by_another_is_not_taken(tmp_path, web, key):
    other = make_key(tmp_path / "other")
    with pytest.raises(ListError, match="another key"):
        update(tmp_path / "list", LIST, other.public, NOW, web)
    path = tmp_path / "web" / "prefixes.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(ListError, match="not what was signed"):
        update(tmp_path / "list", LIST, key.public, NOW, web)
    sums = tmp_path / "web" / "SHA256SUMS"
    sums.write_bytes(sums.read_bytes() + b"\n")
    with pytest.raises(ListError, match="not of these bytes"):
        update(tmp_path / "list", LIST, key.public, NOW, web)
    assert not (tmp_path / "list").exists()


def test_whole_hashes_that_were_not_signed_are_not_believed(client, web):
    for path in (web.folder / "full").iterdir():
        path.write_bytes(path.read_bytes().replace(b'"domain"', b'"url"'))
    with pytest.raises(ListError, match="not what was signed"):
        client.look_up("https://bad.kz/", NOW)


def test_an_older_list_never_replaces_the_one_held(tmp_path, web, key, client):
    old = {path.name: path.read_bytes() for path in web.folder.iterdir() if path.is_file()}
    second = document(*ROWS, previous=document(*ROWS), now=NOW + timedelta(minutes=5))
    publish(second, tmp_path / "web", ["prefixes"], [key])
    update(tmp_path / "list", LIST, key.public, NOW + timedelta(minutes=6), web)
    for name, data in old.items():
        (web.folder / name).write_bytes(data)
    with pytest.raises(ListError, match="older than the one held"):
        update(tmp_path / "list", LIST, key.public, NOW + timedelta(minutes=6), web)


def test_while_a_key_is_replaced_who_holds_the_old_one_can_still_verify(tmp_path, web, key):
    new = make_key(tmp_path / "new")
    second = document(*ROWS, previous=document(*ROWS), now=NOW + timedelta(minutes=5))
    told = publish(second, tmp_path / "web", ["prefixes"], [new, key])
    assert [k["public_key"] for k in told["keys"]] == [new.public, key.public]
    for held in (new, key):
        assert update(tmp_path / held.name, LIST, held.public, NOW + timedelta(minutes=6), web) == 2
    third = document(*ROWS, previous=second, now=NOW + timedelta(minutes=10))
    publish(third, tmp_path / "web", ["prefixes"], [new])
    with pytest.raises((ListError, OSError)):
        update(tmp_path / key.name, LIST, key.public, NOW + timedelta(minutes=11), web)


@pytest.mark.parametrize("name", ["prefixes.bin", "SHA256SUMS", "client.json"])
def test_a_damaged_file_of_the_list_held_is_an_error_until_the_next_update(tmp_path, web, key, client, name):
    path = client.folder / name
    path.write_bytes(path.read_bytes()[: 40 if name == "SHA256SUMS" else -3])
    with pytest.raises(ListError):
        Client(client.folder, web)
    assert update(client.folder, LIST, key.public, NOW, web) == 1
    assert Client(client.folder, web).look_up("http://bad.kz", NOW)


def test_an_update_cut_short_does_not_mix_two_versions(tmp_path, web, key, client):
    old = (client.folder / "SHA256SUMS").read_bytes()
    second = document(*ROWS, entry(9, "domain", "new.kz"), previous=document(*ROWS), now=NOW + timedelta(minutes=5))
    publish(second, tmp_path / "web", ["prefixes"], [key])
    update(client.folder, LIST, key.public, NOW + timedelta(minutes=6), web)
    (client.folder / "SHA256SUMS").write_bytes(old)
    with pytest.raises(ListError, match="update again"):
        Client(client.folder, web)


def test_a_signature_of_endless_lines_is_none(key):
    with pytest.raises(ListError, match="not a minisign signature"):
        verify(b"", "untrusted comment: x\n" * 100_000, [public_key(key.public)])


class Answer(io.BytesIO):
    """An answer of pieces, each of which takes a while."""

    def __init__(self, pieces, clock, piece_s):
        self.pieces, self.clock, self.piece_s = iter(pieces), clock, piece_s

    def read1(self, size):
        self.clock[0] += self.piece_s
        return next(self.pieces, b"")


@pytest.mark.parametrize(
    ("pieces", "piece_s", "error"),
    [
        (itertools.repeat(bytes(1 << 16)), 0, (ListError, "more than 64 MB")),
        (itertools.repeat(b"x"), 20, (TimeoutError, "not whole after 300 s")),
    ],
    ids=["endless", "drop by drop"],
)
def test_an_answer_that_does_not_end_is_left(monkeypatch, pieces, piece_s, error):
    clock = [0.0]
    monkeypatch.setattr("bastau.prefix_client.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda *_, **__: Answer(pieces, clock, piece_s))
    with pytest.raises(error[0], match=error[1]):
        fetch_file(LIST)


def answering(*pieces):
    """Return the address of a server that says each of these to whoever calls, half a second apart."""
    server = socket.create_server(("127.0.0.1", 0))

    def talk():
        with server:
            caller, _ = server.accept()
            with caller, contextlib.suppress(OSError):
                caller.recv(65536)
                for piece in pieces:
                    caller.sendall(piece)
                    time.sleep(0.1)

    threading.Thread(target=talk, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}/"


def test_headers_that_drip_do_not_hold_it_up(monkeypatch):
    monkeypatch.setattr("bastau.prefix_client.MAX_S", 0.3)
    with pytest.raises(TimeoutError, match="not whole"):
        fetch_file(answering(b"HTTP/1.1 200 OK\r\n", *[b"X-More: 1\r\n"] * 50))


@pytest.mark.parametrize(
    ("begun", "to", "is_followed"),
    [
        ("https", "http://lists.example/", False),
        ("https", "ftp://lists.example/", False),
        ("http", "ftp://lists.example/", False),
        ("https", "https://lists.example/", True),
        ("http", "HTTPS://lists.example/", True),
    ],
)
def test_no_redirect_leads_to_something_weaker(begun, to, is_followed):
    asked = urllib.request.Request(f"{begun}://lists.example/SHA256SUMS")
    sent_on = (asked, io.BytesIO(), 302, "Found", Message(), to)
    if is_followed:
        assert _NoWeaker().redirect_request(*sent_on).full_url == to
    else:
        with pytest.raises(OSError, match="weaker"):
            _NoWeaker().redirect_request(*sent_on)


def test_a_redirect_to_another_kind_of_address_is_refused_on_the_way():
    with pytest.raises(OSError, match="weaker"):
        fetch_file(answering(b"HTTP/1.1 302 x\r\nLocation: ftp://127.0.0.1/\r\n\r\n"))


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b"HTTP/1.1 302 x\r\nLocation: http://[/\r\n\r\n"])
def test_a_server_that_does_not_speak_http_is_one_that_did_not_answer(answer):
    with pytest.raises(OSError, match=r"BadStatusLine|ValueError"):
        fetch_file(answering(answer))


@pytest.mark.parametrize(
    "data", [b"", b"{}\n", b"[]\n", b'{"format":"bastau-prefixes/1","n_prefixes":2}\n1234', b"\xff\n"]
)
def test_what_is_no_prefix_file_is_said_to_be_none(data):
    with pytest.raises(ListError, match="not a list of prefixes"):
        read_prefixes(data)


def test_an_empty_list_has_no_hits():
    _, prefixes = read_prefixes(b'{"format":"bastau-prefixes/1","n_prefixes":0}\n')
    assert hits("https://bad.kz/", prefixes) == []


def test_the_command_says_what_is_listed_by_its_exit_code(tmp_path, web, key, monkeypatch, capsys):
    monkeypatch.setattr("bastau.prefix_client.fetch_file", web)
    now = NOW

    class Clock:
        @staticmethod
        def now(_):
            return now

        fromisoformat = staticmethod(type(NOW).fromisoformat)

    monkeypatch.setattr("bastau.prefix_client.datetime", Clock)
    folder = str(tmp_path / "list")
    assert main(["update", folder]) == 2
    assert main(["check", folder, "bad.kz"]) == 2
    assert main(["update", folder, "--from", LIST, "--key", key.public]) == 0
    assert main(["update", folder]) == 0  # both are kept
    capsys.readouterr()
    assert main(["check", folder, "good.kz"]) == 0
    assert json.loads(capsys.readouterr().out) == {"url": "good.kz", "listed": False, "entries": []}
    assert main(["check", folder, "good.kz", "http://bad.kz/x"]) == 10
    told = json.loads(capsys.readouterr().out.splitlines()[1])
    assert told["appeal"] == "https://watch.example/appeal"
    assert told["entries"][0]["reason"] == "It calls for an attack on people at a market."

    def addresses():  # standard input that stays open longer than the list is valid
        nonlocal now
        yield "http://bad.kz/\n"
        now = NOW + timedelta(days=7)
        yield "http://bad.kz/\n"

    monkeypatch.setattr("sys.stdin", addresses())
    assert main(["check", folder, "-"]) == 2
    said = capsys.readouterr()
    assert (len(said.out.splitlines()), "was valid until" in said.err) == (1, True)


def test_the_client_is_one_file_that_needs_nothing_else():
    import ast
    import sys
    from pathlib import Path

    import bastau.prefix_client as client

    tree = ast.parse(Path(client.__file__).read_text("utf-8"))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names

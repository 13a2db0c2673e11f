import socket
import threading
import time

import pytest

from bastau.errors import ConfigError
from bastau.models.endpoint import REACHES, CallFailed, Endpoint, Reach, is_within_reach, read_api_key


@pytest.mark.parametrize(
    ("address", "reaches"),
    [
        ("127.0.0.1", {"loopback", "private"}),
        ("127.8.8.8", {"loopback", "private"}),
        ("::1", {"loopback", "private"}),
        ("::ffff:127.0.0.1", {"loopback", "private"}),
        ("10.1.2.3", {"private"}),
        ("192.168.0.9", {"private"}),
        ("172.16.0.1", {"private"}),
        ("fd00::1", {"private"}),
        ("::ffff:10.0.0.1", {"private"}),
        ("8.8.8.8", {"public"}),
        ("2606:4700::1", {"public"}),
        ("169.254.169.254", set()),
        ("fe80::1%eth0", set()),
        ("0.0.0.0", set()),
        ("::", set()),
        ("224.0.0.1", set()),
        ("255.255.255.255", set()),
        ("64:ff9b::7f00:1", set()),
        ("2002:7f00:1::", set()),
    ],
)
def test_texts_go_where_the_operator_said_and_nowhere_else(address: str, reaches: set[str]) -> None:
    assert {reach for reach in REACHES if is_within_reach(address, reach)} == reaches  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "reach", "message"),
    [
        ("http://127.0.0.1/v1", "", "say where texts may go"),
        ("ftp://127.0.0.1/v1", "loopback", "http or https"),
        ("127.0.0.1:8080", "loopback", "http or https"),
        ("http://", "loopback", "http or https"),
        ("http://127.0.0.1:99999/", "loopback", "no address"),
        ("http://[::1/", "loopback", "no address"),
        ("http://me:secret@127.0.0.1/", "loopback", "no name, password"),
        ("http://127.0.0.1/v1?key=secret", "loopback", "no name, password"),
        ("http://models.example/v1", "public", "https only"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused_without_showing_secrets(url: str, reach: Reach, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Endpoint(url, reach)
    assert "secret" not in str(caught.value)


def test_a_key_is_never_shown() -> None:
    endpoint = Endpoint("http://127.0.0.1/v1", "loopback", api_key="sk-secret")
    assert "sk-secret" not in repr(endpoint)
    with pytest.raises(ConfigError) as caught:
        Endpoint("http://127.0.0.1/v1", "loopback", api_key="sk-secret\r\nX-Other: 1")
    assert "sk-secret" not in str(caught.value)


def test_a_key_comes_from_the_named_variable() -> None:
    assert read_api_key({"KEY": "sk-1\n"}, variable="KEY") == "sk-1"
    assert read_api_key({"KEY": "sk-1"}) == ""
    with pytest.raises(ConfigError, match="not set"):
        read_api_key({}, variable="KEY")
    with pytest.raises(ConfigError, match="either"):
        read_api_key({}, variable="KEY", file="key")


def ask(reach: Reach, url: str = "https://models.example/v1") -> str:
    with pytest.raises(CallFailed) as caught:
        Endpoint(url, reach, timeout_s=0.3).post("/x", {}, time.monotonic() + 5, time.monotonic)
    return caught.value.reason


def test_a_public_name_that_leads_home_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: object, **__: object) -> list[object]:
        return [(2, 1, 6, "", (address, 443)) for address in ("127.0.0.1", "10.0.0.5", "169.254.169.254")]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    assert ask("public") == "address_not_allowed"


def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def connect(address: tuple[str, int], **_: object) -> None:
        tried.append(address)
        raise ConnectionRefusedError

    answers = iter([["10.0.0.5", "127.0.0.1"], ["8.8.8.8"]])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (a, 443)) for a in next(answers)])
    monkeypatch.setattr(socket, "create_connection", connect)
    assert ask("loopback") == "refused_connection"
    assert tried == [("127.0.0.1", 443)]


def test_a_name_server_that_hangs_costs_no_more_than_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        stop.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    assert ask("public") == "unknown_host"
    assert time.monotonic() - began < 2
    stop.set()

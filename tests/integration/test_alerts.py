"""Alerts by real e-mail, signed webhook, notification service and feed, each told once."""

import email
import email.header
import hashlib
import hmac
import itertools
import json
import shutil
import socketserver
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from bastau.alerts import commands
from bastau.alerts.rules import FILE, read_rules
from bastau.collect.visits import Found
from bastau.collect.watching.store import Store
from bastau.errors import ConfigError, SourceUnavailable
from bastau.home import Home
from bastau.schemas import COORDINATION, CURATED, GAPS, MATCHES, MEMBERS, NARRATIVES, POSTS
from bastau.watching import LIST_FILE

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Smtp(socketserver.StreamRequestHandler):
    """As much of a mail server as a message needs."""

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (part := self.rfile.readline()) != b".\r\n":
                    lines.append(part)
                self.server.got.append(email.message_from_bytes(b"".join(lines)))  # type: ignore[attr-defined]
                self.wfile.write(b"250 kept\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server: Any = self.server
        server.got.append((self.path, dict(self.headers), body))
        self.send_response(server.status)
        if server.retry_after:
            self.send_header("Retry-After", server.retry_after)
        if server.status in (301, 302):
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_PUT = do_POST

    def log_message(self, *_: object) -> None:
        return


def running(server: Any) -> Iterator[Any]:
    server.got, server.status, server.retry_after = [], 200, None
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def mail() -> Iterator[Any]:
    yield from running(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp))


@pytest.fixture
def web() -> Iterator[Any]:
    yield from running(ThreadingHTTPServer(("127.0.0.1", 0), Receiver))


@pytest.fixture
def home(tmp_path: Path, mail: Any, web: Any, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("ALERT_SECRET", "a key of the test")
    monkeypatch.setenv("ALERT_NTFY", f"ntfy://127.0.0.1:{web.server_port}/bastau")
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "bastau.toml").write_text("[network]\nallow_private = true\n")
    (folder / FILE).write_text(
        f"""
channels:
  desk: {{kind: email, server: "127.0.0.1:{mail.server_address[1]}", from: bastau@site.kz, to: [desk@site.kz], tls: none, locale: kk, digest: true}}
  hook: {{kind: webhook, address: "http://127.0.0.1:{web.server_port}/hook", secret: env:ALERT_SECRET}}
  phone: {{kind: apprise, address: env:ALERT_NTFY, locale: ru}}
  page: {{kind: feed, file: alerts.atom}}
rules:
  - {{name: big, when: new, min_posts: 10, to: [desk, hook, page]}}
  - {{name: growing, when: grown, min_posts: 10, to: hook}}
  - {{name: groups, when: coordinated, to: [hook, phone]}}
  - {{name: quiet places, when: silent, to: hook}}
  - {{name: gaps, when: gap, to: hook}}
  - {{name: known, when: known, min_posts: 1, min_sources: 1, to: hook}}
  - {{name: water, when: proposition, proposition: water, min_posts: 1, min_sources: 1, to: hook}}
"""
    )
    home = Home.open(folder)
    generation(home, 1, {})
    commands.after_run(home, NOON)  # what is there on the first run is not told
    return home


def generation(
    home: Home,
    number: int,
    sizes: dict[str, int],
    groups: int = 0,
    members: Sequence[tuple[int, int]] = (),
    curated: Sequence[int] = (),
) -> None:
    """Put a generation in force with narratives of these sizes."""
    rows = [
        {
            "narrative_key": key, "narrative_id": name, "first_post_key": key, "first_seen_at": NOON, "last_seen_at": NOON, "n_posts": size, "n_texts": 1,
            "n_sources": 4, "n_publishers": 2, "languages": ["kk"], "platforms": ["telegram"], "text": "disturbing words",
        }
        for key, (name, size) in enumerate(sizes.items(), 1)
    ]  # fmt: skip
    group = {
        "sources": ["alpha", "beta"],
        "n_other_accounts": 0,
        "p_value": 1e-9,
        "traces": [],
        "windows": [],
        "n_objects": 5,
        "examples": [],
    }
    group |= {"test": "pairs", "median_delay_s": 1.0, "n_wire_copies": 0, "signposts": [], "is_one_house": True}
    made = home.new_generation(number)
    made.write("narratives", pa.Table.from_pylist(rows, NARRATIVES))
    made.write(
        "coordination", pa.Table.from_pylist([{**group, "group_id": f"group-{n}"} for n in range(groups)], COORDINATION)
    )
    joined = [{"post_key": post, "narrative_key": key, "joined_by": "text", "similarity": 1.0} for post, key in members]
    made.write("members", pa.Table.from_pylist(joined, MEMBERS))
    fits = [
        {"curated_id": "water", "title": "t", "telling_key": key, "proposition": "p", "expected": 0.0, "score": 1.0}
        for key in curated
    ]
    made.write("curated", pa.Table.from_pylist(fits, CURATED))
    home.put_in_force(made, {})


def hooks(web: Any) -> list[dict[str, Any]]:
    return [finding for path, _, body in web.got if path == "/hook" for finding in json.loads(body)["findings"]]


def test_a_new_narrative_is_told_everywhere_once(home: Home, mail: Any, web: Any) -> None:
    generation(home, 2, {"n-1": 12})
    for _ in range(3):
        commands.after_run(home, NOON)
    assert [(f["rule"], f["subject"]) for f in hooks(web)] == [("big", "n-1")]
    (message,) = mail.got
    assert message["To"] == "desk@site.kz"
    assert "12 жазба" in words(message)
    (entry,) = ElementTree.fromstring((home.folder / "alerts.atom").read_text()).findall(
        "{http://www.w3.org/2005/Atom}entry"
    )
    assert "n-1" in (entry.findtext("{http://www.w3.org/2005/Atom}title") or "")


def test_a_sender_that_is_none_holds_up_no_other_channel(home: Home, mail: Any, web: Any) -> None:
    text = (home.folder / FILE).read_text()
    broken = text.replace("from: bastau@site.kz", 'from: "desk\\nBcc: all@site.kz"')
    assert broken != text
    (home.folder / FILE).write_text(broken)
    generation(home, 2, {"n-1": 12})
    done = commands.after_run(home, NOON)
    assert done is not None
    assert done[0]["problems"]
    assert not mail.got
    assert [f["subject"] for f in hooks(web)] == ["n-1"]


def words(message: Message) -> str:
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode("utf-8")


def test_words_of_posts_are_not_sent_unless_the_rule_asks(home: Home, web: Any) -> None:
    generation(home, 2, {"n-1": 12})
    commands.after_run(home, NOON)
    assert not any(b"disturbing" in body for _, _, body in web.got)
    text = (
        (home.folder / FILE).read_text().replace("when: new, min_posts: 10,", "when: new, min_posts: 10, quote: true,")
    )
    (home.folder / FILE).write_text(text)
    generation(home, 3, {"n-1": 12, "n-2": 11})
    commands.after_run(home, NOON)
    assert any(b"disturbing" in body for _, _, body in web.got)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("to: [desk, hook, page]}", "to: [desk, hook, page, phone]}"),
        ("name: big, when: new, min_posts: 10", "name: big, when: new, min_posts: 3"),
        ("name: big, when: new", "name: big, when: coordinated"),
    ],
    ids=["channel", "threshold", "kind"],
)
def test_a_rule_that_changed_tells_what_comes_and_not_what_is_there(
    home: Home, mail: Any, web: Any, before: str, after: str
) -> None:
    generation(home, 2, {"n-1": 12, "n-2": 5}, groups=2)
    commands.after_run(home, NOON)
    mail.got.clear()
    web.got.clear()
    text = (home.folder / FILE).read_text()
    assert before in text
    (home.folder / FILE).write_text(text.replace(before, after))
    commands.after_run(home, NOON)
    assert (mail.got, web.got) == ([], [])
    generation(home, 3, {"n-1": 12, "n-2": 5, "n-3": 30}, groups=3)
    commands.after_run(home, NOON)
    assert "big" in {finding["rule"] for finding in hooks(web)}
    assert len(mail.got) == 1


def test_growth_is_told_at_each_doubling(home: Home, web: Any) -> None:
    for number, size in enumerate((12, 19, 20, 25, 39, 40, 85), 2):
        generation(home, number, {"n-1": size})
        commands.after_run(home, NOON)
    assert [f["facts"]["n_posts"] for f in hooks(web) if f["rule"] == "growing"] == [20, 40, 85]


def test_a_group_is_told_in_russian_with_what_it_does_not_say(home: Home, web: Any) -> None:
    generation(home, 2, {}, groups=1)
    commands.after_run(home, NOON)
    (ntfy,) = [body for path, _, body in web.got if path != "/hook"]
    assert "О намерениях это ничего не говорит" in json.dumps(json.loads(ntfy), ensure_ascii=False)
    assert hooks(web)[0]["facts"]["is_one_house"]


def test_a_webhook_is_signed_and_carries_a_key_for_what_comes_twice(home: Home, web: Any) -> None:
    generation(home, 2, {"n-1": 12})
    commands.after_run(home, NOON)
    _, headers, body = web.got[0]
    at = headers["X-Bastau-Timestamp"]
    expected = hmac.new(b"a key of the test", at.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["X-Bastau-Signature"] == f"sha256={expected}"
    assert int(at) == NOON.timestamp()
    sent = home.folder / "alerts" / "sent.ndjson"
    lines = [line for line in sent.read_text().splitlines() if '"channel": "hook"' not in line or '"rule-' in line]
    assert len(lines) < len(sent.read_text().splitlines())
    sent.write_text("".join(f"{line}\n" for line in lines))
    commands.after_run(home, NOON)  # as if killed between sending and noting it
    assert web.got[1][1]["Idempotency-Key"] == headers["Idempotency-Key"]


@pytest.mark.parametrize("status", [500, 302, 404])
def test_what_was_not_taken_waits_and_goes_out_later(home: Home, web: Any, status: int) -> None:
    web.status = status
    generation(home, 2, {"n-1": 12})
    answer = commands.after_run(home, NOON)
    assert answer is not None
    assert answer[0]["n_waiting"] == 1
    assert "hook" in answer[0]["problems"][0]
    web.status = 200
    web.got.clear()
    commands.after_run(home, NOON + timedelta(minutes=1))
    assert len(hooks(web)) == 1


def test_a_channel_that_fails_is_tried_ever_more_seldom_and_by_hand_at_once(home: Home, web: Any) -> None:
    web.status = 500
    generation(home, 2, {"n-1": 12})
    alerts = read_rules(home.folder / FILE)
    commands.collect(home, alerts, NOON)
    tried = []
    for minute in range(6 * 60):
        commands.deliver(Home.open(home.folder), alerts, NOON + timedelta(minutes=minute))  # anew, as after a restart
        tried += [minute] * len(web.got)
        web.got.clear()
    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert all(2**n / 2 <= pause <= 2**n + 1 for n, pause in enumerate(pauses[:6]))
    assert len(pauses) > 8
    assert all(30 <= pause <= 61 for pause in pauses[6:])
    at = NOON + timedelta(minutes=6 * 60 - 1)  # the last of them
    listed, lines = commands.show(home, at)
    (hook,) = [channel for channel in listed["channels"] if channel["name"] == "hook"]
    assert (hook["n_waiting"], hook["failing_since"], hook["n_failures"]) == (1, NOON, len(tried))
    assert at < hook["next_try_at"] <= at + timedelta(hours=1)
    assert any("failing since 2026-11-28 12:00 UTC, 1 wait" in line for line in lines)
    web.status = 200
    commands.after_run(home, at, at_once=True)
    assert len(hooks(web)) == 1
    assert commands.show(home, at)[0]["channels"][1]["failing_since"] is None


@pytest.mark.parametrize(("asked", "waits_s"), [("600", 600), ("99999999", 86_400), ("soon", 60)])
def test_what_a_webhook_asks_for_is_heeded_within_a_day(home: Home, web: Any, asked: str, waits_s: int) -> None:
    web.status, web.retry_after = 429, asked
    generation(home, 2, {"n-1": 12})
    commands.after_run(home, NOON)
    at = commands.show(home, NOON)[0]["channels"][1]["next_try_at"]
    assert waits_s / 2 <= (at - NOON).total_seconds() <= waits_s
    assert waits_s == 60 or at == NOON + timedelta(seconds=waits_s)


def test_a_channel_written_anew_is_not_kept_waiting(home: Home, web: Any) -> None:
    web.status = 500
    generation(home, 2, {"n-1": 12})
    commands.after_run(home, NOON)
    web.status = 200
    web.got.clear()
    (home.folder / FILE).write_text((home.folder / FILE).read_text().replace("/hook", "/new"))
    commands.after_run(home, NOON)
    assert [path for path, _, _ in web.got] == ["/new"]


def test_after_a_month_of_failures_people_get_a_digest_and_machines_all_of_it(home: Home, mail: Any, web: Any) -> None:
    text = (home.folder / FILE).read_text().replace(", digest: true", "").replace(f":{mail.server_address[1]}", ":1")
    (home.folder / FILE).write_text(text)
    web.status = 500
    generation(home, 2, {f"n-{n}": 12 for n in range(250)})
    commands.after_run(home, NOON)
    outbox = home.folder / "alerts" / "outbox.ndjson"
    assert len(outbox.read_text().splitlines()) == 500  # the feed has its entries, and holds nobody else's place
    assert (home.folder / "alerts.atom").read_text().count("<entry>") == 200
    web.status = 200
    web.got.clear()
    commands.after_run(home, NOON + timedelta(days=30))
    assert [len(json.loads(body)["findings"]) for _, _, body in web.got] == [100, 100, 50]
    assert len({finding["subject"] for finding in hooks(web)}) == 250
    (home.folder / FILE).write_text(text.replace('"127.0.0.1:1"', f'"127.0.0.1:{mail.server_address[1]}"'))
    commands.after_run(home, NOON + timedelta(days=30))
    (message,) = mail.got
    assert "250" in message["Subject"] or "250" in str(
        email.header.make_header(email.header.decode_header(message["Subject"]))
    )
    assert words(message).count("жазба") == 100
    assert "(150): big 150" in words(message)
    assert not outbox.exists()


def test_what_waits_for_a_channel_that_is_gone_can_be_dropped(home: Home, web: Any) -> None:
    web.status = 500
    generation(home, 2, {"n-1": 12})
    commands.after_run(home, NOON)
    text = (home.folder / FILE).read_text().replace("  hook:", "  other:").replace("hook]", "other]")
    (home.folder / FILE).write_text(
        text.replace("to: hook", "to: other").replace("[desk, hook,", "[desk, other,").replace("[hook,", "[other,")
    )
    answer = commands.after_run(home, NOON)
    assert answer is not None
    assert "bastau alerts drop hook" in answer[0]["problems"][0]
    assert commands.drop(home, "hook", NOON)[0]["n_dropped"] == 1
    assert commands.after_run(home, NOON)[0]["problems"] == []  # type: ignore[index]
    with pytest.raises(ConfigError, match="nothing waits"):
        commands.drop(home, "hook", NOON)


@pytest.mark.parametrize("what", ["big", "n-1"])
def test_what_is_muted_is_not_told_and_what_comes_after_it_is(home: Home, web: Any, what: str) -> None:
    generation(home, 2, {"n-1": 9, "n-2": 3}, curated=[1])
    commands.after_run(home, NOON)
    web.got.clear()
    commands.silence(home, what, timedelta(days=2), NOON)
    generation(home, 3, {"n-1": 12, "n-2": 3}, curated=[1])
    answer = commands.after_run(home, NOON + timedelta(days=1))
    assert answer is not None
    assert (answer[0]["n_muted"], hooks(web)) == (3, [])  # by mail, webhook and feed
    listed = commands.show(home, NOON)[0]
    assert {row["rule"] for row in listed["findings"] if row["is_muted"]} == (
        {"big"} if what == "big" else {"big", "water"}
    )
    generation(home, 4, {"n-1": 25, "n-2": 30}, curated=[1])
    commands.after_run(home, NOON + timedelta(days=3))
    assert {(f["rule"], f["subject"]) for f in hooks(web)} == {("growing", "n-1"), ("growing", "n-2"), ("big", "n-2")}
    with pytest.raises(ConfigError, match="is not muted"):
        commands.end_silence(home, what, NOON + timedelta(days=3))


def test_a_mute_has_an_end_and_a_name_that_somebody_knows(home: Home, web: Any) -> None:
    with pytest.raises(ConfigError, match="no rule"):
        commands.silence(home, "bgi", timedelta(days=1), NOON)
    with pytest.raises(ConfigError, match="366 days"):
        commands.silence(home, "big", timedelta(days=1000), NOON)
    commands.silence(home, "big", timedelta(days=1), NOON)
    commands.end_silence(home, "big", NOON)
    generation(home, 2, {"n-1": 12})
    commands.after_run(home, NOON)
    assert len(hooks(web)) == 1


def test_the_past_tells_when_a_narrative_had_reached_the_size_of_a_rule(home: Home, web: Any) -> None:
    posts = [
        {
            **dict.fromkeys(POSTS.names), "post_id": f"web:{n}", "post_key": n, "platform": "web", "source": "alpha" if n < 4 else f"s{n}", "source_kind": "outlet", "is_publisher": True,
            "published_at": NOON - timedelta(days=9) + timedelta(hours=n), "text": "x", "content_key": n, "collected_at": NOON,
        }
        for n in range(1, 8)
    ]  # fmt: skip
    home.lake.commit("posts", "past-batch", pa.Table.from_pylist(posts, POSTS), NOON.date())
    (home.folder / FILE).write_text(
        f"""
channels:
  hook: {{kind: webhook, address: "http://127.0.0.1:{web.server_port}/hook", secret: env:ALERT_SECRET}}
rules:
  - {{name: big, when: new, min_posts: 2, min_sources: 3, to: hook}}
  - {{name: growing, when: grown, min_posts: 3, min_sources: 1, to: hook}}
  - {{name: gone, when: silent, to: hook}}
"""
    )
    generation(home, 2, {"n-1": 7, "n-2": 1}, members=[(n, 1) for n in range(1, 8)])
    answer, lines = commands.review(home, 30, NOON)
    began = NOON - timedelta(days=9)
    assert [(row["rule"], row["at"], row["n_posts"]) for row in answer["alerts"]] == [
        ("big", began + timedelta(hours=5), 2),  # the third source
        ("growing", began + timedelta(hours=6), 6),
    ]
    assert lines[:3] == [
        "big: 1 in 30 days, most on 2026-11-19: 1",
        "growing: 1 in 30 days, most on 2026-11-19: 1",
        "gone: cannot be told of the past",
    ]
    assert commands.review(home, 5, NOON)[0]["alerts"] == []
    assert web.got == []


def test_an_answer_that_is_no_http_costs_nothing(home: Home, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    generation(home, 2, {"n-1": 12})
    with monkeypatch.context() as broken:
        broken.setattr(Receiver, "protocol_version", "nothing of ours")
        answer = commands.after_run(home, NOON)
    assert answer is not None
    assert answer[0]["n_waiting"] == 1
    assert answer[0]["problems"] == [
        f"channel hook: 127.0.0.1: {answer[0]['problems'][0].rsplit(': ', 1)[1]}"
    ]  # no path
    web.got.clear()
    web.status = 202
    commands.after_run(home, NOON + timedelta(minutes=1))
    assert len(hooks(web)) == 1


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_a_mail_server_that_cannot_prove_its_name_gets_no_password(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "9", "-subj", "/CN=localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    for running_server in running(server):
        monkeypatch.setenv("MAIL_PASSWORD", "word")
        (home.folder / FILE).write_text(
            f"""
channels:
  desk: {{kind: email, server: "127.0.0.1:{server.server_address[1]}", from: a@site.kz, to: a@site.kz, tls: tls, user: a, password: env:MAIL_PASSWORD}}
rules:
  - {{name: big, when: new, min_posts: 10, to: desk}}
"""
        )
        commands.after_run(home, NOON)
        generation(home, 2, {"n-1": 12})
        answer = commands.after_run(home, NOON)
        assert answer is not None
        assert "SSLCertVerificationError" in answer[0]["problems"][0]
        assert running_server.got == []


def test_what_comes_in_is_stored_while_alerts_go_out(home: Home) -> None:
    with home.locked():
        commands.after_run(home, NOON)


def test_quiet_hours_hold_everything_back_until_they_are_over(home: Home, web: Any) -> None:
    with (home.folder / FILE).open("a") as rules:
        rules.write('quiet: {from: "22:00", to: "07:00", zone: Asia/Almaty}\n')
    generation(home, 2, {"n-1": 12})
    night = datetime(2026, 11, 28, 19, tzinfo=UTC)  # midnight in Almaty
    answer = commands.after_run(home, night)
    assert answer is not None
    assert answer[0]["is_quiet"]
    assert web.got == []
    commands.after_run(home, night + timedelta(hours=8))
    assert len(hooks(web)) == 1


@pytest.mark.parametrize(("gate", "told"), [(None, 1), ("negative_bank", 0)])
def test_known_content_that_no_gate_holds_back_is_told(home: Home, web: Any, gate: str | None, told: int) -> None:
    known = {"list": "l", "entry": "e", "signal": "text", "gate": gate}
    row = {"post_key": 7, "suggestions": [], "techniques": [], "known": [known], "model_score": None}
    home.lake.commit("matches", "match-batch", pa.Table.from_pylist([row], MATCHES), NOON.date())
    generation(home, 2, {"n-1": 3}, members=[(7, 1)])
    commands.after_run(home, NOON)
    assert [f["rule"] for f in hooks(web)] == ["known"] * told


def test_a_proposition_of_the_operator_that_was_matched_is_told(home: Home, web: Any) -> None:
    generation(home, 2, {"n-1": 3, "n-2": 3}, curated=[2])
    commands.after_run(home, NOON)
    assert [(f["rule"], f["subject"]) for f in hooks(web)] == [("water", "n-2")]


def test_a_digest_is_one_message(home: Home, mail: Any) -> None:
    generation(home, 2, {"n-1": 12, "n-2": 13, "n-3": 14})
    commands.after_run(home, NOON)
    assert len(mail.got) == 1


def test_gaps_and_silent_sources_are_told(home: Home, web: Any) -> None:
    gap = {
        "place": "https://site.kz/feed",
        "since_at": NOON,
        "until_at": NOON + timedelta(hours=2),
        "reason": "feed_overran",
    }
    home.lake.commit("gaps", "gap-batch", pa.Table.from_pylist([gap], GAPS), NOON.date())
    with Store(home.folder / LIST_FILE) as store:
        store.add(
            [Found("feed", "https://old.kz/feed", "old.kz")],
            options={},
            priority=0,
            now=(NOON - timedelta(days=60)).timestamp(),
        )
    commands.after_run(home, NOON)
    assert {(f["rule"], f["subject"]) for f in hooks(web)} == {
        ("gaps", "https://site.kz/feed"),
        ("quiet places", "https://old.kz/feed"),
    }


def test_a_line_cut_off_by_a_kill_is_no_harm(home: Home, web: Any) -> None:
    with (home.folder / "alerts" / "sent.ndjson").open("ab") as torn:
        torn.write(b'{"key": "abc", "chan')
    generation(home, 2, {"n-1": 12})
    commands.after_run(home, NOON)
    commands.after_run(home, NOON)
    assert len(hooks(web)) == 1


def test_a_private_address_is_refused_unless_allowed(home: Home) -> None:
    (home.folder / "bastau.toml").write_text("")
    generation(home, 2, {"n-1": 12})
    answer = commands.after_run(Home.open(home.folder), NOON)
    assert answer is not None
    assert any("https://" in problem for problem in answer[0]["problems"])


def test_every_channel_can_be_tried(home: Home, mail: Any, web: Any) -> None:
    assert commands.test(home, NOON)[0]["channels"] == ["desk", "hook", "page", "phone"]
    assert (len(mail.got), len(web.got)) == (1, 2)
    web.status = 500
    with pytest.raises(SourceUnavailable, match="hook"):
        commands.test(home, NOON)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules: [", "not valid YAML"),
        ("rules: []\nchannels: {}\n", "name at least one"),
        ("channels:\n  a: {kind: pigeon}\nrules:\n  - {name: r, when: new, to: a}\n", "line 2: channel a: kind must be one of"),
        ("channels:\n  a: {kind: webhook, address: x, secret: open}\nrules:\n  - {name: r, when: new, to: a}\n", "never written out"),
        ("channels:\n  a: {kind: feed, file: f}\nrules:\n  - {name: r, when: never, to: a}\n", "line 4: rule r: when must be one of"),
        ("channels:\n  a: {kind: feed, file: f}\nrules:\n  - {name: r, when: new, to: b}\n", "no channel called 'b'"),
        ("channels:\n  a: {kind: feed, file: f}\nrules:\n  - {name: r, when: proposition, to: a}\n", "line 4: rule r: proposition is missing"),
        ("channels:\n  a: {kind: feed, file: f}\nrules:\n  - {name: r, when: new, to: a, languages: kk}\n", "languages is a list"),
        ("channels:\n  a: {kind: email, server: s, from: f, to: t, tls: ssl}\nrules:\n  - {name: r, when: new, to: a}\n", "line 2: channel a: tls must be"),
        ("channels:\n  a: {kind: email, server: s, from: f, to: t, tls: none, user: u}\nrules:\n  - {name: r, when: new, to: a}\n", "without tls"),
        ("channels:\n  a: {kind: feed, file: f}\nrules:\n  - {name: r, when: new, to: a, who: x}\n", "unknown key 'who'"),
        ("channels:\n  a: {kind: feed, file: f}\nrules:\n  - {name: r, when: new, to: a}\nquiet: {from: 22, to: 7}\n", "in quotes"),
        ('channels:\n  a: {kind: feed, file: f}\nrules:\n  - {name: r, when: new, to: a}\nquiet: {from: "22:00", to: "07:00", zone: Mars}\n', "time zone"),
    ],
    ids=["yaml", "empty", "kind", "secret", "when", "channel", "proposition", "languages", "tls", "user", "key", "hours", "zone"],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_rules(tmp_path / FILE)


@pytest.mark.parametrize("act", ["list", "send", "test", "past", "mute big"])
def test_the_command_can_be_reached(home: Home, web: Any, act: str) -> None:
    command = [sys.executable, "-m", "bastau", "alerts", *act.split(), "--home", str(home.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistake_is_told_before_the_run_begins(home: Home) -> None:
    (home.folder / FILE).write_text("rules: []\nchannels: {}\n")
    done = subprocess.run(
        [sys.executable, "-m", "bastau", "run", "--home", str(home.folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "alerts.yaml, line" in done.stderr

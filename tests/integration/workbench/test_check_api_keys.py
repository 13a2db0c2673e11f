"""Keys and webhooks: who makes them, what is shown once, and that subscribers are told, signed, of what changed."""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from check_api_home import NOW, entry, publish, shield_list
from django.test import override_settings

from bastau.errors import ConfigError
from bastau.home import Home
from bastau.network import Client, NetworkLimits
from bastau_web.check_api import background, webhooks
from bastau_web.check_api.keys import make_key, revoke
from bastau_web.check_api.models import ApiKey, DayUse, Delivery, Webhook
from bastau_web.check_api.webhooks import PAUSES, PUBLISHED, RETRACTED, add_webhook, announce, deliver_due, secret_of

OWN = NetworkLimits(allow_private=True, timeout_s=2, total_s=2, max_bytes=1000, tries=1)
PUBLIC = Client(resolve=lambda *_: ["93.184.216.34"])
FORM = {"name": "Moderation of example.kz", "per_minute": "60", "per_day": "1000", "expires": ""}


@contextlib.contextmanager
def receiving(answer=lambda n: (204, {})) -> Iterator[tuple[str, list]]:
    got: list = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            status, headers = answer(len(got))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook?q=1", got
    server.shutdown()
    server.server_close()


@pytest.fixture
def key(database):
    return make_key("subscriber", 60, 1000, None, None)[0]


def now():
    return datetime.now(UTC)


def lists():
    """Return three versions: six entries, one of them taken back, nothing new."""
    first = shield_list()
    rows = [{**entry(n, kind), "released_at": NOW - timedelta(days=1), "expires_at": NOW + timedelta(days=30)}
            for n, kind in enumerate(("url", "host", "domain", "sha256", "md5", "pdq"), 1)]  # fmt: skip
    rows[2] |= {"retracted_at": NOW, "retraction_reason": "overturned"}
    second = shield_list(first, NOW + timedelta(seconds=1), *rows)
    return first, second, shield_list(second, NOW + timedelta(seconds=2), *rows)


# ---- webhooks --------------------------------------------------------------------------------------------


def test_subscribers_are_told_of_each_version_and_retraction_once(key):
    first, second, third = lists()
    hook = add_webhook(key, "https://hook.example/", first, PUBLIC)
    assert announce(first) == 0
    assert announce(second) == 2
    assert announce(second) == announce(second) == 0
    assert announce(third) == 1
    bodies = [json.loads(one.body) for one in Delivery.objects.order_by("pk")]
    assert [one["type"] for one in bodies] == [PUBLISHED, RETRACTED, PUBLISHED]
    assert bodies[0]["data"]["version"] == 2
    assert bodies[0]["data"]["previous_sha256"] == hashlib.sha256(webhooks.canonical(first)).hexdigest()
    assert bodies[1]["data"]["entry_id"] == "e0000000000003"
    assert bodies[1]["data"]["reason"] == "overturned"
    assert "bad-3.kz" not in Delivery.objects.get(type=RETRACTED).body  # taken back, and named to nobody again
    hook.refresh_from_db()
    assert hook.told_version == 3


def test_what_was_missed_is_told_with_the_newest_version(key):
    first, _, third = lists()
    add_webhook(key, "https://hook.example/", first, PUBLIC)
    assert announce(third) == 2
    assert sorted(Delivery.objects.values_list("type", flat=True)) == [RETRACTED, PUBLISHED]


def test_a_message_is_signed_as_standard_webhooks_says(key):
    first, second, _ = lists()
    with receiving() as (url, got):
        hook = add_webhook(key, url, first, Client(OWN))
        announce(second)
        assert deliver_due(now(), Client(OWN)) == 2
    headers, body = got[0]
    headers = {name.lower(): value for name, value in headers.items()}
    secret = base64.b64decode(secret_of(hook).removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    version, _, given = headers["webhook-signature"].partition(",")
    assert version == "v1"
    assert hmac.compare_digest(base64.b64decode(given), hmac.digest(secret, signed, "sha256"))
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert json.loads(body)["type"] == PUBLISHED
    assert secret_of(hook) != secret_of(add_webhook(key, "https://hook.example/", None, PUBLIC))
    assert Delivery.objects.filter(due_at=None, delivered_at__isnull=False).count() == 2
    assert deliver_due(now() + timedelta(days=1), Client(OWN)) == 0


def test_the_published_example_of_a_signature_comes_out():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = '{"test": 2432232314}'
    assert webhooks.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_refused_message_is_tried_again_ever_later_and_then_given_up(key):
    at = now()
    with receiving(lambda n: (500, {})) as (url, got):
        webhooks.send_test(add_webhook(key, url, None, Client(OWN)))
        Delivery.objects.update(due_at=at)
        for n, pause in enumerate(PAUSES, 1):
            assert deliver_due(at, Client(OWN)) == 0
            assert deliver_due(at + pause - timedelta(seconds=1), Client(OWN)) == 0
            assert len(got) == n
            assert "answers 500" in Delivery.objects.get().outcome
            at += pause
        deliver_due(at, Client(OWN))
        deliver_due(at + timedelta(days=9), Client(OWN))
    assert len(got) == len(PAUSES) + 1
    assert Delivery.objects.get().due_at is None
    assert Delivery.objects.get().delivered_at is None


def test_who_does_not_answer_is_not_asked_for_each_message(key):
    first, second, _ = lists()
    with receiving(lambda n: (500, {})) as (url, got):
        add_webhook(key, url, first, Client(OWN))
        assert announce(second) == 2
        deliver_due(now(), Client(OWN))
        assert len(got) == 1


def test_a_message_follows_no_redirect(key):
    with receiving() as (inner, reached), receiving(lambda n: (307, {"Location": inner})) as (url, got):
        hook = add_webhook(key, url, None, Client(OWN))
        webhooks.send_test(hook)
        assert deliver_due(now(), Client(OWN)) == 0
    assert (len(got), len(reached)) == (1, 0)
    assert "redirects" in Delivery.objects.get().outcome


def test_a_server_that_never_finishes_holds_nothing_up(key, monkeypatch):
    monkeypatch.setattr(webhooks, "_WITHIN_S", 0.3)
    let_go = threading.Event()
    with receiving(lambda n: (204, {}) if let_go.wait(5) else (500, {})) as (url, _):
        webhooks.send_test(add_webhook(key, url, None, Client(OWN)))
        start = time.monotonic()
        assert deliver_due(now(), Client(OWN)) == 0
        assert time.monotonic() - start < 2
        let_go.set()
    assert "no answer within" in Delivery.objects.get().outcome


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://hook.example/", ["93.184.216.34"]),
        ("ftp://hook.example/", ["93.184.216.34"]),
        ("https://user:secret@hook.example/", ["93.184.216.34"]),
        ("https://hook.example/", ["127.0.0.1"]),
        ("https://hook.example/", ["93.184.216.34", "10.0.0.1"]),
        ("https://hook.example/", ["169.254.169.254"]),
        ("https://hook.example/", ["::1"]),
        ("https://hook.example/", ["64:ff9b::7f00:1"]),
        ("https://hook.example:99999/", ["93.184.216.34"]),
        ("https://[/", ["93.184.216.34"]),
        ("javascript:alert(1)", ["93.184.216.34"]),
        ("https:///x", ["93.184.216.34"]),
    ],
)
def test_an_address_that_is_not_public_becomes_no_webhook(key, url, addresses):
    with pytest.raises(ConfigError):
        add_webhook(key, url, None, Client(resolve=lambda *_: addresses))
    assert not Webhook.objects.exists()


def test_a_name_that_turns_private_later_is_not_asked(key):
    hook = add_webhook(key, "https://hook.example/", None, PUBLIC)
    webhooks.send_test(hook)
    assert deliver_due(now(), Client(resolve=lambda *_: ["127.0.0.1"])) == 0
    assert "private address" in Delivery.objects.get().outcome


def test_nothing_is_sent_for_a_revoked_key_or_a_removed_webhook(key):
    first, second, _ = lists()
    with receiving() as (url, got):
        hook = add_webhook(key, url, first, Client(OWN))
        announce(second)
        hook.removed_at = now()
        hook.save()
        assert deliver_due(now(), Client(OWN)) == 0
        hook.removed_at = None
        hook.save()
        revoke(key)
        assert deliver_due(now(), Client(OWN)) == 0
        assert announce(lists()[2]) == 0
    assert not got


def test_a_version_is_announced_whoever_published_it(key, tmp_path):
    home = Home.open(tmp_path / "home", create=True)
    watching = background._Watching(home)
    add_webhook(key, "https://hook.example/", None, PUBLIC)
    watching.tell()
    assert not Delivery.objects.exists()
    first, second, _ = lists()
    publish(home, first)
    watching.tell()
    watching.tell()
    assert Delivery.objects.count() == 1
    publish(home, second)
    watching.tell()
    assert Delivery.objects.count() == 3
    Delivery.objects.update(due_at=None, made_at=now() - timedelta(days=31))
    background._forget()
    assert not Delivery.objects.exists()


# ---- the page --------------------------------------------------------------------------------------------


@pytest.fixture
def admin(signed_in):
    return signed_in("admin")


def test_a_key_is_shown_once_and_kept_nowhere(admin):
    made = admin.post("/keys/make", FORM)
    assert made.status_code == 200
    assert made["Cache-Control"] == "no-store"
    [token] = [word for word in made.content.decode().replace("<", " ").replace(">", " ").split() if len(word) == 50]
    assert token.startswith("bastau_")
    row = ApiKey.objects.get()
    assert (row.name, row.per_minute, row.per_day, row.made_by.name) == (FORM["name"], 60, 1000, "of_admin")
    assert token not in str(vars(row))
    assert token not in admin.get("/keys").content.decode()
    answer = admin.post(
        "/api/v1/lookup/url", '{"url": "x.kz"}', "application/json", headers={"authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200
    assert admin.post(f"/keys/{row.pk}/revoke").status_code == 302
    answer = admin.post(
        "/api/v1/lookup/url", '{"url": "x.kz"}', "application/json", headers={"authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a" * 81},
        {"per_minute": "0"},
        {"per_minute": "-1"},
        {"per_day": "9" * 30},
        {"per_day": "٣"},
        {"per_minute": "1.5"},
        {"expires": "2020-01-01"},
        {"expires": "never"},
        {"expires": "9999-12-31"},
    ],
)
def test_a_wrong_form_makes_no_key_and_keeps_what_was_typed(admin, wrong):
    answer = admin.post("/keys/make", FORM | {"name": "typed name"} | wrong)
    assert answer.status_code == 422
    assert not ApiKey.objects.exists()
    assert 'role="alert"' in answer.content.decode()


def test_a_key_can_end_with_a_day(admin):
    day = (now() + timedelta(days=3)).date()
    assert admin.post("/keys/make", FORM | {"expires": day.isoformat()}).status_code == 200
    end = ApiKey.objects.get().expires_at
    assert end == datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)


def test_only_numbers_of_what_was_asked_are_shown(admin, key):
    DayUse.add(key.pk, now().date(), 17)
    DayUse.add(key.pk, now().date() - timedelta(days=3), 1200)
    page = admin.get("/keys?language=en").content.decode()
    assert ">17<" in page
    assert "1,217" in page


def test_webhooks_are_added_tried_and_removed_by_the_page(admin, key, workbench):
    private = admin.post(f"/keys/{key.pk}/webhook", {"url": "http://127.0.0.1:1/"})
    assert private.status_code == 422
    assert not Webhook.objects.exists()
    with receiving() as (url, got):
        network = replace(workbench.settings.network, allow_private=True)
        with override_settings(BASTAU_HOME=replace(workbench, settings=replace(workbench.settings, network=network))):
            assert admin.post(f"/keys/{key.pk}/webhook", {"url": url}).status_code == 302
            hook = Webhook.objects.get()
            assert admin.post(f"/webhooks/{hook.pk}/test").status_code == 302
            assert "waits to be sent" in admin.get("/keys?language=en").content.decode()
            assert deliver_due(now()) == 1
        page = admin.get("/keys?language=en").content.decode()
        assert "taken" in page
        assert secret_of(hook) in page
        assert admin.post(f"/webhooks/{hook.pk}/remove").status_code == 302
        assert admin.post(f"/webhooks/{hook.pk}/test").status_code == 404
    assert len(got) == 1
    assert url not in admin.get("/keys").content.decode()
    revoke(key)
    assert admin.post(f"/keys/{key.pk}/webhook", {"url": "https://hook.example/"}).status_code == 404
    assert admin.post(f"/keys/{1 << 70}/revoke").status_code == 404

"""The check API: the same answers as `bastau check`, for whoever holds a key, and nothing of what was asked is kept."""

import itertools
import json
import logging
import sqlite3
import struct
import threading
import zlib
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from check_api_home import (
    CALL,
    KNOWN_URL,
    LEGITIMATE_URL,
    MD5,
    NEAR_PDQ,
    PDQ,
    PLAIN,
    SHA256,
    SHIELD_PDQ,
    TEXTS,
    add_list,
    make_api_home,
    picture,
    publish,
    shield_list,
)
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from bastau.checks import check_rows, open_checker
from bastau.cli import main
from bastau_web.check_api import api, engine, keys, quotas
from bastau_web.check_api.engine import Combining, the_engine
from bastau_web.check_api.keys import Holder, make_key, revoke
from bastau_web.check_api.models import ApiKey, Attempt, DayUse
from bastau_web.check_api.quotas import Meter, TooLarge, TooMany
from bastau_web.workbench.checks import routes
from bastau_web.workbench.roles import KEY_HOLDERS

GOOD = {"id": "1", "text": PLAIN}


@pytest.fixture(scope="module")
def api_home(workbench, tmp_path_factory):
    return make_api_home(tmp_path_factory.mktemp("check-api"))


@pytest.fixture
def asked(database, api_home, monkeypatch):
    """Return what asks the API with a key; ``without``: none."""
    monkeypatch.setattr(api, "METER", Meter())
    keys._remembered.clear()
    with override_settings(BASTAU_HOME=api_home):
        yield Asking()


class Asking:
    def __init__(self, per_minute=100_000, per_day=1_000_000, **more):
        self.row, self.token = make_key("test", per_minute, per_day, more.get("expires_at"), None)

    def post(self, path, body, token=None, content_type="application/json", **headers):
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        given = {"authorization": f"Bearer {token or self.token}", **headers}
        return Client().post(path, raw, content_type, headers=given)

    def check(self, body, **headers):
        return self.post("/api/v1/check", body, **headers)

    def get(self, path):
        return Client().get(path, headers={"authorization": f"Bearer {self.token}"})


# ---- answers ---------------------------------------------------------------------------------------------


def test_answers_equal_those_of_the_command_line(asked, api_home, capsys, tmp_path):
    rows = [{"id": str(n), "text": text} for n, text in enumerate(TEXTS) if text]
    got = asked.check(rows)
    assert got.status_code == 200
    file = tmp_path / "texts.ndjson"
    file.write_text("\n".join(map(json.dumps, rows)))
    assert main(["check", "--file", str(file), "--home", str(api_home.folder), "-o", str(tmp_path / "out")]) == 0
    assert got.json() == [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    capsys.readouterr()
    assert main(["check", CALL, "--json", "--home", str(api_home.folder)]) == 0
    assert asked.check({"id": "1", "text": CALL}).json() == json.loads(capsys.readouterr().out)
    flagged = {one["id"] for one in got.json() if one["flagged"]}
    assert {"0", "3"} <= flagged
    assert not {"1", "2"} & flagged


def test_long_texts_keep_their_place_among_short_ones(asked, api_home):
    long = PLAIN * 100
    rows = [{"id": str(n), "text": text} for n, text in enumerate((long, CALL, long + CALL, PLAIN))]
    got = asked.check(rows).json()
    assert got == orjson.loads(orjson.dumps(check_rows(rows, open_checker(api_home))))
    assert [one["flagged"] for one in got] == [False, True, True, False]


def test_an_address_is_looked_up_in_known_lists_and_the_published_list(asked):
    urls = [KNOWN_URL, LEGITIMATE_URL, "https://example-1.kz/page/1", "https://bad-3.kz/x", "https://innocent.example/"]
    known, held, listed, domain, nothing = asked.post("/api/v1/lookup/url", [{"url": url} for url in urls]).json()
    assert known["flagged"]
    assert known["known"][0]["list"] == "partner"
    assert not held["flagged"]
    assert {one["gate"] for one in held["known"]} == {"negative_bank"}
    assert [one["entry_id"] for one in listed["shield"]["entries"]] == ["e0000000000001"]
    assert listed["shield"]["entries"][0]["appeal"] == "https://watch.example/appeal"
    assert [one["entry_id"] for one in domain["shield"]["entries"]] == ["e0000000000003"]
    assert nothing["known"] == nothing["shield"]["entries"] == []


def test_an_entry_names_the_page_that_says_why(asked, api_home):
    from dataclasses import replace

    web = replace(api_home.settings.web, origin="https://workbench.example.org")
    public = replace(api_home, settings=replace(api_home.settings, web=web))
    with override_settings(BASTAU_HOME=public):
        got = asked.post("/api/v1/lookup/url", {"url": "https://bad-3.kz/"}).json()
    assert got["shield"]["entries"][0]["why"] == "https://workbench.example.org/why/e0000000000003"


def test_hashes_are_looked_up_and_pictures_within_their_distance(asked):
    wanted = [("sha256", SHA256.upper()), ("md5", MD5), ("pdq", NEAR_PDQ), ("sha256", MD5 * 2), ("pdq", SHIELD_PDQ)]
    got = asked.post("/api/v1/lookup/hash", [{"signal": s, "value": v} for s, v in wanted]).json()
    assert [[one["signal"] for one in answer["known"]] for answer in got] == [["sha256"], ["md5"], ["pdq"], [], []]
    assert got[2]["known"][0]["distance"] == (int(PDQ, 16) ^ int(NEAR_PDQ, 16)).bit_count()
    assert [(one["entry_id"], one["distance"]) for one in got[4]["shield"]["entries"]] == [("e0000000000006", 0)]
    flipped = f"{int(SHIELD_PDQ, 16) ^ 0b1011:064x}"
    near = asked.post("/api/v1/lookup/hash", {"signal": "pdq", "value": flipped}).json()
    assert near["shield"]["entries"][0]["distance"] == 3


def test_a_list_that_is_valid_no_more_says_nothing(asked, api_home):
    document = shield_list()
    about = engine.Shield(engine.Listed(document), *_no_pictures())
    now = datetime.now(UTC)
    assert len(about.about(["bad-3.kz"], now)["entries"]) == 1
    later = about.about(["bad-3.kz"], now + timedelta(days=8))
    assert (later["is_valid"], later["entries"]) == (False, [])


def _no_pictures():
    import numpy as np

    return engine.PdqIndex.build(np.empty((0, 32), np.uint8)), []


def test_a_picture_is_hashed_in_memory_and_looked_up(asked, api_home):
    raw = picture()
    plain = asked.post("/api/v1/check/image", raw, content_type="image/png").json()
    assert (plain["size_bytes"], plain["reason"], plain["known"]) == (len(raw), None, [])
    add_list(api_home, "pictures", [("pdq", plain["pdq"]), ("sha256", plain["sha256"])])
    assert the_engine().refresh()
    found = asked.post("/api/v1/check/image", raw, content_type="image/png").json()
    assert {one["signal"] for one in found["known"]} == {"pdq", "sha256"}
    assert found["flagged"]


def bomb(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("raw", "status", "reason"),
    [
        (bomb(30_000, 30_000), 200, "too_many_pixels"),
        (bomb(2**31 - 1, 2**31 - 1), 200, "too_many_pixels"),
        (b"GIF89a" + b"\xff" * 40, 200, "not_an_image"),
        (b"words", 200, "not_an_image"),
        (picture()[:-60], 200, "broken_image"),
        (b"", 400, None),
        (b"\0" * (api.MOST_IMAGE_BYTES + 1), 413, None),
    ],
)
def test_bad_pictures_are_refused_before_they_are_unpacked(asked, raw, status, reason):
    got = asked.post("/api/v1/check/image", raw, content_type="application/octet-stream")
    assert (got.status_code, got.json().get("reason")) == (status, reason)


def test_a_form_is_no_picture(asked):
    got = asked.post("/api/v1/check/image", b"--x--", content_type="multipart/form-data; boundary=x")
    assert got.status_code == 400


def test_without_the_extra_for_media_it_says_so(asked, monkeypatch):
    from bastau.read.images import ExtraMissing

    def missing(*_):
        raise ExtraMissing("pictures need the extra media: pip install 'bastau[media]'")

    monkeypatch.setattr(api, "hash_bytes", missing)
    got = asked.post("/api/v1/check/image", picture(), content_type="image/png")
    assert (got.status_code, got.json()["error"]) == (501, "extra_missing")


def test_it_answers_as_hma_does(asked):
    def ask(query):
        got = asked.get(f"/m/lookup?{query}")
        return got.status_code, got.json()

    status, found = ask(f"signal_type=pdq&signal={NEAR_PDQ}")
    assert status == 200
    [match] = found["partner"]
    assert match["distance"] == "4"
    assert 0 <= match["bank_content_id"] < 1 << 53
    assert ask(f"signal_type=video_md5&signal={MD5}")[1].keys() == {"partner"}
    assert ask(f"signal_type=url&signal={KNOWN_URL}")[1].keys() == {"partner"}
    assert ask(f"url={KNOWN_URL}")[1]["url"].keys() == {"partner"}
    assert ask(f"url={LEGITIMATE_URL}") == (200, {"url": {}})
    assert ask("url=https://bad-3.kz/")[1]["url"].keys() == {"Oqshaq list"}
    assert ask(f"url={KNOWN_URL}&banks=other,more") == (200, {"url": {}})
    assert ask(f"signal_type=pdq&signal={'0' * 64}") == (200, {})
    for query in ("", "signal=abc", "signal_type=nothing&signal=1", "signal_type=pdq&signal=zz"):
        status, said = ask(query)
        assert status == 400
        assert said["message"]


# ---- what is refused -------------------------------------------------------------------------------------

KEY_ROUTES = ["api-check", "api-lookup-url", "api-lookup-hash", "api-check-image", "hma-lookup"]


def test_every_route_for_keys_needs_one_and_an_account_is_none(asked, signed_in):
    found = [route for route in routes() if KEY_HOLDERS in route.callback.access]
    assert sorted(route.name for route in found) == sorted(KEY_ROUTES)
    admin = signed_in("admin", "analyst", name="everything")
    for name in KEY_ROUTES:
        method = "get" if name == "hma-lookup" else "post"
        for token in (None, "bastau_wrong", asked.token + "x", asked.token[:-1], "\xff", ""):
            headers = {} if token is None else {"authorization": f"Bearer {token}"}
            got = getattr(admin, method)(reverse(name), headers=headers)
            assert got.status_code == 401, (name, token)
            assert got["WWW-Authenticate"] == "Bearer"
        assert (
            getattr(Client(), method)(reverse(name), headers={"authorization": f"Basic {asked.token}"}).status_code
            == 401
        )


def test_a_key_opens_no_page(asked):
    assert asked.get("/keys").status_code == 302
    assert asked.get("/queue").status_code == 302


def test_a_revoked_or_expired_key_opens_nothing_at_once(asked):
    assert asked.check(GOOD).status_code == 200
    revoke(asked.row)
    assert asked.check(GOOD).status_code == 401
    soon = Asking(expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert soon.check(GOOD).status_code == 200
    soon.row.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    soon.row.save()
    keys._remembered.clear()
    assert soon.check(GOOD).status_code == 401


def test_a_key_ends_on_time_also_while_it_is_remembered(asked, monkeypatch):
    soon = Asking(expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert soon.check(GOOD).status_code == 200
    later = datetime.now(UTC) + timedelta(hours=1, seconds=1)
    monkeypatch.setattr(keys.timezone, "now", lambda: later)
    assert soon.check(GOOD).status_code == 401


def test_a_key_not_used_for_long_is_looked_up_by_everybody_who_asks(asked, monkeypatch):
    assert keys.holder_of(asked.token) is not None
    ApiKey.objects.filter(pk=asked.row.pk).update(revoked_at=datetime.now(UTC))  # in another process
    later = keys.time.monotonic() + 60
    monkeypatch.setattr(keys.time, "monotonic", lambda: later)
    found = []
    real = ApiKey.is_usable

    def while_one_looks(row, now):
        if not found:
            found.append(None)
            found[0] = keys.holder_of(asked.token)
        return real(row, now)

    monkeypatch.setattr(ApiKey, "is_usable", while_one_looks)
    assert keys.holder_of(asked.token) is None
    assert found == [None]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[" * 200_000, 400),
        (b'{"id":' * 50_000, 400),
        (b'{"id": "1", "text": ' + b"9" * 10_000 + b"}", 400),
        (b'{"id": 1e400, "text": "a"}', 400),
        (b'{"id": "1", "text": "\\ud800"}', 400),
        (b'{"id": "1", "text": "\xff"}', 400),
        (b"\0", 400),
        (orjson.dumps([]), 422),
        (orjson.dumps([GOOD] * 101), 422),
        (orjson.dumps({"id": "1"}), 422),
        (orjson.dumps({"id": "", "text": "a"}), 422),
        (orjson.dumps({"id": 1, "text": "a"}), 422),
        (orjson.dumps({**GOOD, "author": "somebody"}), 422),
        (orjson.dumps({"id": "1", "text": "a" * 50_001}), 422),
        (orjson.dumps({"id": "1", "media": [{"sha256": "zz"}]}), 422),
        (orjson.dumps({"id": "1", "media": [{}] * 21}), 422),
        (orjson.dumps([None]), 422),
        (b'"text"', 422),
        (b'{"id": "1", "text": "' + b"a" * (1 << 20) + b'"}', 413),
    ],
)
def test_what_is_no_request_is_refused_in_json_and_never_repeated(asked, body, status):
    got = asked.check(body)
    assert got.status_code == status
    said = got.json()
    assert said["error"]
    assert said["message"]
    assert "somebody" not in json.dumps(said["message"])


def test_nul_and_odd_letters_are_answered(asked):
    rows = [
        {"id": "\0", "text": "\0" * 50 + CALL},
        {"id": "2", "url": "\0"},
        {"id": "3", "title": "\u202e", "text": ""},
    ]
    assert asked.check(rows).status_code == 200
    assert asked.post("/api/v1/lookup/url", {"url": "\0"}).json()["known"] == []


def test_nul_in_a_field_an_address_or_a_cookie_is_no_request(client, signed_in):
    signed_in("analyst")
    assert client.post("/sign-in", {"name": "a\0b", "password": "x"}).status_code == 400
    assert client.get("/sign-in?next=%00").status_code == 400
    assert client.get("/source/%00").status_code == 400
    assert client.get("/sign-in", headers={"cookie": 'bastau_session="\\000aaaaaaaaa"'}).status_code == 400
    assert client.post("/sign-in", {"name": "ab", "password": "x"}).status_code == 200


# ---- allowances ------------------------------------------------------------------------------------------


def test_headers_say_what_is_left_and_when_there_is_more(asked):
    few = Asking(per_minute=5, per_day=1000)
    got = few.check([GOOD] * 3)
    assert (got["RateLimit-Limit"], got["RateLimit-Remaining"]) == ("5", "2")
    assert got["RateLimit-Policy"] == "5;w=60, 1000;w=86400"
    assert 35 <= int(got["RateLimit-Reset"]) <= 36
    over = few.check([GOOD] * 4)
    assert over.status_code == 429
    assert 12 <= int(over["Retry-After"]) <= 36
    assert over["RateLimit-Remaining"] == "1"  # one was taken at the door
    assert few.check([GOOD] * 6).status_code == 422
    day = Asking(per_minute=100, per_day=2)
    assert day.check([GOOD] * 2).status_code == 200
    ended = day.check(GOOD)
    assert ended.status_code == 429
    assert 0 < int(ended["Retry-After"]) <= 86_400


def test_a_long_text_counts_as_several_and_a_picture_as_ten(asked):
    few = Asking(per_minute=20, per_day=1000)
    assert few.check({"id": "1", "text": "a" * 8001})["RateLimit-Remaining"] == "17"
    got = few.post("/api/v1/check/image", b"words", content_type="image/png")
    assert got["RateLimit-Remaining"] == "7"


class Clock:
    def __init__(self):
        self.s, self.utc = 0.0, datetime(2026, 5, 1, 12, tzinfo=UTC)

    def meter(self):
        return Meter(lambda: self.s, lambda: self.utc)

    def wait(self, s):
        self.s += s
        self.utc += timedelta(seconds=s)


def test_a_bucket_fills_evenly_and_a_day_ends_at_midnight(database):
    clock, meter = Clock(), None
    row, _ = make_key("a", 60, 100, None, None)
    holder, meter = Holder(row.pk, 60, 100, None), clock.meter()
    assert meter.spend(holder, 60).remaining == 0
    with pytest.raises(TooMany) as refused:
        meter.spend(holder, 10)
    assert refused.value.retry_after_s == 10
    clock.wait(10)
    assert meter.spend(holder, 10).remaining == 0
    with pytest.raises(TooLarge):
        meter.spend(holder, 61)
    clock.wait(60)
    with pytest.raises(TooMany):  # 30 of the day are left
        meter.spend(holder, 31)
    meter.write()
    clock.wait(12 * 3600)
    assert meter.spend(holder, 31).remaining == 29
    meter.write()
    assert list(DayUse.objects.order_by("day").values_list("n", flat=True)) == [70, 31]


def test_several_processes_share_an_allowance_through_the_database(database):
    clock = Clock()
    row, _ = make_key("a", 100, 150, None, None)
    holder = Holder(row.pk, 100, 150, None)
    one, other = clock.meter(), clock.meter()
    one.spend(holder, 60)
    other.spend(holder, 20)
    one.write()
    other.write()  # learns of the 60
    assert other.spend(holder, 20).remaining == 0
    with pytest.raises(TooMany):
        other.spend(holder, 1)
    other.write()
    clock.wait(3600)
    with pytest.raises(TooMany):  # 50 of the day are left
        one.spend(holder, 51)
    assert one.spend(holder, 50).remaining == 0
    assert DayUse.objects.get().n == 100
    third = clock.meter()
    assert third.spend(holder, 1).remaining == 49  # what another has not written yet it cannot know


def broken(*_):
    raise quotas.DatabaseError


def test_counts_that_cannot_be_written_are_written_later(database, monkeypatch):
    clock = Clock()
    row, _ = make_key("a", 100, 1000, None, None)
    meter = clock.meter()
    meter.spend(Holder(row.pk, 100, 1000, None), 7)

    with monkeypatch.context() as patched:
        patched.setattr(DayUse, "add", broken)
        with pytest.raises(quotas.DatabaseError):
            meter.write()
    meter.write()
    meter.write()
    assert DayUse.objects.get().n == 7


def test_what_was_written_is_not_taken_for_that_of_others_when_it_cannot_be_read_back(database, monkeypatch):
    clock = Clock()
    row, _ = make_key("a", 100, 1000, None, None)
    holder, meter = Holder(row.pk, 100, 1000, None), clock.meter()
    meter.spend(holder, 7)

    with monkeypatch.context() as patched:
        patched.setattr(quotas, "_stored", broken)
        with pytest.raises(quotas.DatabaseError):
            meter.write()
    meter.spend(holder, 3)
    meter.write()
    assert DayUse.objects.get().n == 10
    assert meter.spend(holder, 1).remaining == 89


def test_an_idempotency_key_holds_one_body_for_a_day(asked):
    name = {"idempotency-key": "abc"}
    first = asked.check(GOOD, **name)
    assert asked.check(GOOD, **name).content == first.content
    other = asked.check({"id": "1", "text": CALL}, **name)
    assert other.status_code == 422
    assert Asking().check({"id": "1", "text": CALL}, **name).status_code == 200  # of another key
    assert asked.check(GOOD, **{"idempotency-key": "a" * 256}).status_code == 400
    Attempt.objects.update(at=datetime.now(UTC) - timedelta(hours=25))
    assert asked.check({"id": "1", "text": CALL}, **name).status_code == 200


# ---- what is kept ----------------------------------------------------------------------------------------


def test_nothing_that_is_asked_is_kept_anywhere(asked, api_home, caplog):
    caplog.set_level(logging.DEBUG)
    mark = "zhasyrynsoz"
    name = {"idempotency-key": f"{mark}-name"}
    asked.check({"id": f"{mark}-id", "text": f"{mark} {CALL}", "url": f"https://{mark}.example/"}, **name)
    asked.check({"id": "1", "text": f"{mark}", mark: 1})
    asked.check(f'{{"{mark}'.encode())
    asked.post("/api/v1/lookup/url", {"url": f"https://{mark}.example/"})
    asked.post("/api/v1/check/image", mark.encode(), content_type="image/png")
    asked.get(f"/m/lookup?url=https://{mark}.example/")
    asked.post("/api/v1/check", GOOD, token=f"bastau_{mark}")
    api.METER.write()
    said = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert mark not in said
    assert asked.token not in said
    database = connection.connection.serialize() if hasattr(sqlite3.Connection, "serialize") else b""
    assert b"one_use_a_day" in database
    assert mark.encode() not in database
    assert asked.token.encode() not in database
    for path in api_home.folder.rglob("*"):
        assert not path.is_file() or mark.encode() not in path.read_bytes()


# ---- the engine ------------------------------------------------------------------------------------------


def test_new_lists_are_used_and_what_is_broken_changes_nothing(asked, api_home):
    url = "https://fresh.example/"
    assert not asked.post("/api/v1/lookup/url", {"url": url}).json()["flagged"]
    assert not the_engine().refresh()
    add_list(api_home, "fresh", [("url", url)])
    before = the_engine().loaded()
    assert the_engine().refresh()
    assert the_engine().loaded() is not before
    assert asked.post("/api/v1/lookup/url", {"url": url}).json()["flagged"]
    rules = api_home.folder / "rules"
    rules.mkdir()
    (rules / "broken.yaml").write_text("rules: 3\n")
    assert not the_engine().refresh()
    assert "broken.yaml" in the_engine().trouble
    assert asked.post("/api/v1/lookup/url", {"url": url}).json()["flagged"]
    (rules / "broken.yaml").unlink()
    the_engine().refresh()
    assert the_engine().trouble == ""
    document = json.loads((api_home.folder / "shield" / "list.json").read_bytes())
    publish(api_home, shield_list(document, datetime.now(UTC) + timedelta(seconds=2)))
    assert the_engine().refresh()
    assert asked.post("/api/v1/lookup/url", {"url": url}).json()["shield"]["version"] == document["version"] + 1


def test_what_several_ask_at_once_is_one_call_and_each_gets_its_own():
    started, go, calls = threading.Event(), threading.Event(), []

    def run(rows):
        calls.append(len(rows))
        started.set()
        go.wait(5)
        if "bad" in rows:
            raise ValueError
        return [row.upper() for row in rows]

    combining, got = Combining(run), {}

    def ask(*rows):
        try:
            got[rows] = combining(list(rows))
        except ValueError:
            got[rows] = "refused"

    threads = [threading.Thread(target=ask, args=rows) for rows in (["a"], ["b", "c"], ["bad"], ["d"] * 300)]
    threads[0].start()
    started.wait(5)
    for thread in threads[1:]:
        thread.start()
        while len(combining._waiting) < threads.index(thread):
            pass
    go.set()
    for thread in threads:
        thread.join(5)
    assert got == {("a",): ["A"], ("b", "c"): ["B", "C"], ("bad",): "refused", ("d",) * 300: ["D"] * 300}
    assert calls == [1, 3, 2, 1, 300]  # the third together, then each of them alone; many wait for the next


def test_who_has_an_answer_does_not_wait_for_the_next_call():
    may_end = [threading.Event() for _ in range(3)]
    began = [threading.Event() for _ in range(3)]
    numbers = itertools.count()

    def run(rows):
        number = next(numbers)
        began[number].set()
        may_end[number].wait(5)
        return rows

    combining = Combining(run)
    threads = [threading.Thread(target=combining, args=([name],)) for name in ("first", *range(8), "last")]
    threads[0].start()
    began[0].wait(5)
    for thread in threads[1:-1]:
        thread.start()
    while len(combining._waiting) < 8:
        pass
    may_end[0].set()
    began[1].wait(5)
    threads[-1].start()
    while not combining._waiting:
        pass
    may_end[1].set()
    assert began[2].wait(5)
    for thread in threads[:-1]:
        thread.join(5)
    assert [thread.is_alive() for thread in threads] == [False] * 9 + [True]
    may_end[2].set()
    threads[-1].join(5)
    assert not threads[-1].is_alive()


def test_each_of_many_threads_gets_its_own_answers():
    combining, wrong = Combining(lambda rows: [-row for row in rows]), []

    def ask(k):
        for i in range(200):
            rows = [1000 * k + i, i]
            if combining(rows) != [-row for row in rows]:
                wrong.append(rows)

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not wrong
    assert not any(thread.is_alive() for thread in threads)
    assert not combining._waiting


def test_the_description_is_served_without_scripts_and_names_every_route(asked):
    document = Client().get("/api/v1/openapi.json").json()
    assert set(document["paths"]) == {reverse(name) for name in KEY_ROUTES}
    page = Client().get("/api/v1/").content.decode()
    assert "<script" not in page
    assert "http://testserver/api/v1/check" in page
    assert all(f"POST {path}" in page or f"GET {path}" in page for path in document["paths"])

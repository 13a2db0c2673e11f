"""What must hold for every route there is, found by walking the routes: a new one is covered by being there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from crawling import cookies_of, walk, whole
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.test import Client, RequestFactory, override_settings
from django.urls import URLPattern, reverse
from workbench_home import PASSWORD

from bastau.home import Home
from bastau.publishing import public_folder
from bastau.review.log import FOLDER, NAME
from bastau_web.workbench import models
from bastau_web.workbench.checks import routes
from bastau_web.workbench.headers import POLICY, add_headers
from bastau_web.workbench.models import Account, SavedSearch, Session
from bastau_web.workbench.roles import ANYBODY, KEY_HOLDERS, Role
from bastau_web.workbench.views import failures

LOOKING, SENDING = ("GET", "HEAD", "OPTIONS", "TRACE"), ("POST", "PUT", "DELETE")
FOR_PROGRAMS = ("taxii", "api", "hma")
"""Beginnings of the names of routes that take no cookie and so need no token in a form."""
VALUES = {"slug": "c0000000000000", "str": "nothing", "path": "nothing/here", "int": 1, "uuid": "0" * 32}
TRAVERSALS = (
    "..", "../secret-key", "..%2f..%2fbastau.toml", "%2e%2e/%2e%2e/workbench/secret-key", "....//....//secret-key", "..\\..\\secret-key",
    "/etc/passwd", "//etc/passwd", "file:///etc/passwd", "%00", "list.json%00.txt", "full/../../shield.key", "./list.json", "full//list.json",
    "C:\\Windows\\win.ini", "\u2025/\u2025/secret-key", "..;/secret-key", "%c0%ae%c0%ae/secret-key", ".git/config", "shield.key",
)  # fmt: skip
ELSEWHERE = (
    "https://elsewhere.example/",
    "//elsewhere.example",
    "/\\elsewhere.example",
    "javascript:alert(1)",
    "http:elsewhere.example",
    "\t//elsewhere.example",
    "https:/elsewhere.example",
)


def address_of(route: URLPattern) -> str:
    """Return an address of a route, with a made-up value for each part that varies."""
    converters = route.pattern.converters
    kinds = {
        name: type(one).__name__.removesuffix("Converter").lower().replace("string", "str")
        for name, one in converters.items()
    }
    return reverse(route.name, kwargs={name: VALUES[kind] for name, kind in kinds.items()})


@dataclass
class Asked:
    who: str
    method: str
    route: str
    answer: Any


@pytest.fixture
def everybody(client: Client, signed_in: Any) -> dict[str, Client]:
    """Strict browsers: of nobody, and of somebody with all roles."""
    signed_in(*Role, name="all")
    found = {"nobody": Client(enforce_csrf_checks=True), "all": Client(enforce_csrf_checks=True)}
    found["all"].force_login(Account.objects.get(name="all"))
    return found


def ask(browsers: dict[str, Client], methods: tuple[str, ...], **headers: str) -> Iterator[Asked]:
    for who, browser in browsers.items():
        for route in routes():
            for method in methods:
                answer = whole(browser.generic(method, address_of(route), **headers))
                yield Asked(who, method, str(route.name), answer)


def state(home: Home) -> list[Any]:
    """Return the log and all rows, but those that count attempts and the use of sessions."""
    kept = [one for one in vars(models).values() if isinstance(one, type) and issubclass(one, models.models.Model)]
    kept = [one for one in kept if one.__module__ == models.__name__ and one not in (Session, models.FailedSignIn)]
    log = home.folder / FOLDER / NAME
    return [
        log.read_bytes() if log.exists() else b"",
        *(list(one.objects.order_by("pk").values_list()) for one in kept),
    ]


@dataclass
class Everything:
    asked: list[Asked]
    before: list[Any]
    after_looking: list[Any]
    after_sending: list[Any]


@pytest.fixture(scope="module")
def everything(workbench: Home) -> Everything:
    """Every route, asked in every way by both; nothing of it with a token of ours."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]), transaction.atomic():
        Account.objects.add("all", PASSWORD, list(Role))
        browsers = {"nobody": Client(enforce_csrf_checks=True), "all": Client(enforce_csrf_checks=True)}
        browsers["all"].force_login(Account.objects.get(name="all"))
        before = state(workbench)
        asked = list(ask(browsers, LOOKING))
        after_looking = state(workbench)
        asked += ask(browsers, SENDING)
        found = Everything(asked, before, after_looking, state(workbench))
        transaction.set_rollback(True)
    return found


def test_the_walk_sees_every_route(workbench: Home) -> None:
    assert len([address_of(route) for route in routes()]) > 40


def test_nothing_is_changed_without_a_token_of_ours(everything: Everything) -> None:
    for asked in everything.asked:
        if asked.method in SENDING:
            allowed = (401, 403, 404, 405, 406, 415, 422) if asked.route.startswith(FOR_PROGRAMS) else (403,)
            assert asked.answer.status_code in allowed, asked
    assert everything.after_sending == everything.after_looking


def test_views_without_that_token_are_for_programs(workbench: Home) -> None:
    exempt = {str(route.name) for route in routes() if getattr(route.callback, "csrf_exempt", False)}
    assert {name for name in exempt if not name.startswith(FOR_PROGRAMS)} == set()


def test_looking_changes_nothing(everything: Everything) -> None:
    for asked in everything.asked:
        assert asked.answer.status_code < 500, asked
        if asked.method not in ("GET", "HEAD", *SENDING):
            assert asked.answer.status_code in (301, 302, 401, 403, 404, 405, 406), asked
    assert everything.after_looking == everything.before


def test_every_answer_forbids_scripts_frames_and_guessing(everything: Everything, everybody: dict[str, Client]) -> None:
    answers = [(asked, asked.answer) for asked in everything.asked]
    odd = ("/nothing", "/assets/0/nothing.css", "/source/%00", "/case/c0/take")
    answers += [(where, everybody["all"].get(where)) for where in odd]
    answers += [("host", everybody["all"].get("/", HTTP_HOST="elsewhere.example"))]
    for where, answer in answers:
        assert answer["Content-Security-Policy"] == POLICY, where
        assert answer["X-Content-Type-Options"] == "nosniff", where
        assert answer["X-Frame-Options"] == "DENY", where
        assert answer["Referrer-Policy"] == "same-origin", where
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin", where
        assert "camera=()" in answer["Permissions-Policy"], where


@pytest.mark.parametrize(
    "view", [failures.our_fault, failures.unavailable, failures.bad_request, failures.csrf, failures.not_allowed]
)
def test_failures_are_pages_of_ours_too(client: Client, view: Any) -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    answer = add_headers(view)(request)
    assert answer["Content-Security-Policy"] == POLICY
    assert answer["Cache-Control"] == "no-store"


def test_a_crash_says_nothing_of_what_crashed(everybody: dict[str, Client], monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("secret-word")

    browser = Client(raise_request_exception=False)
    browser.force_login(Account.objects.get(name="all"))
    monkeypatch.setattr("bastau_web.workbench.views.accounts._account", crash)
    answer = browser.get("/account")
    assert answer.status_code == 500
    assert "secret-word" not in answer.content.decode()
    assert answer["Content-Security-Policy"] == POLICY


def test_no_cookie_can_be_read_by_scripts_or_sent_by_others(
    everything: Everything, everybody: dict[str, Client]
) -> None:
    answers = [asked.answer for asked in everything.asked]
    answers += [everybody["all"].get("/account?language=ru")]
    answers += [Client().post("/sign-in", {"name": "all", "password": PASSWORD})]
    said = [cookie for answer in answers for cookie in cookies_of(answer)]
    assert {cookie.split("=")[0] for cookie in said} >= {"bastau_csrf", "bastau_session", "bastau_language"}
    for cookie in said:
        assert "HttpOnly" in cookie
        assert re.search(r"SameSite=(Lax|Strict)", cookie)
        assert "Path=/" in cookie
        assert "Domain" not in cookie


def test_what_is_for_one_person_is_kept_by_nobody(everything: Everything) -> None:
    access = {str(route.name): route.callback.access for route in routes()}
    for asked in everything.asked:
        kept = asked.answer["Cache-Control"]
        if not access[asked.route] & {ANYBODY, KEY_HOLDERS}:
            assert "no-store" in kept, (asked.route, kept)
        if "no-store" not in kept:
            assert not cookies_of(asked.answer), asked.route
            assert "csrfmiddlewaretoken" not in asked.answer.read.decode(errors="replace"), asked.route


def test_other_names_are_not_answered_to(everybody: dict[str, Client]) -> None:
    for asked in ask({"all": everybody["all"]}, ("GET", "POST"), HTTP_HOST="elsewhere.example"):
        assert asked.answer.status_code == 400, asked
    for asked in ask(
        {"all": everybody["all"]},
        ("GET",),
        HTTP_X_FORWARDED_HOST="elsewhere.example",
        HTTP_FORWARDED="host=elsewhere.example",
    ):
        assert b"elsewhere.example" not in asked.answer.read, asked
        assert "elsewhere.example" not in asked.answer.get("Location", ""), asked


def test_methods_that_nobody_asked_for_do_nothing(everybody: dict[str, Client]) -> None:
    browser = Client()
    browser.force_login(Account.objects.get(name="all"))
    for asked in ask({"all": browser}, ("PUT", "DELETE")):
        assert asked.answer.status_code in (401, 404, 405, 406, 415), asked


@pytest.mark.parametrize(
    "below", ["assets/0", "lists", "source", "taxii2", "why", "case", "release", "post", "narrative"]
)
def test_no_address_leads_out_of_its_folder(
    everybody: dict[str, Client], below: str, workbench: Home, tmp_path: Path
) -> None:
    home = Home.open(tmp_path / "home", create=True)
    folder = public_folder(home)
    folder.mkdir(parents=True)
    (folder.parent / "shield.key").write_text("secret-of-the-key")
    (folder / "link.txt").symlink_to(folder.parent / "shield.key")
    secrets = (b"secret-of-the-key", b"root:", (workbench.folder / "workbench" / "secret-key").read_bytes())
    with override_settings(BASTAU_HOME=home):
        for bad in (*TRAVERSALS, "link.txt"):
            answer = whole(everybody["all"].get(f"/{below}/{bad}"))
            assert answer.status_code in (301, 302, 400, 404, 406), bad
            assert not [secret for secret in secrets if secret in answer.read], bad


def test_nobody_is_sent_elsewhere(everybody: dict[str, Client]) -> None:
    names = ("next", "to", "url", "return", "redirect", "back", "after", "q", "from")
    for shift in range(len(ELSEWHERE)):
        for who, browser in everybody.items():
            for route in routes():
                if shift == 0 or str(route.name).startswith(("sign-in", "service", "demo", "invitation", "set-up")):
                    values = {name: ELSEWHERE[(shift + i) % len(ELSEWHERE)] for i, name in enumerate(names)}
                    answer = whole(browser.get(address_of(route), values))
                    assert re.match(r"/(?![/\\])|$", answer.get("Location", "")), (who, route.name, values)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"a=" + b"b" * (2 << 20), "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % n for n in range(5000)), "application/x-www-form-urlencoded"),
        (b"[" * 200_000, "application/json"),
        (b'{"a":' * 50_000, "application/json"),
        (
            b"--x\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\n" + b"c" * (2 << 20) + b"\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n" * 3000, "multipart/form-data; boundary=x"),
        (b"\x1f\x8b\x08" + b"\0" * 1000, "application/json"),
        (b"\xff\xfe\xed\xa0\x80=\x00", "application/x-www-form-urlencoded"),
    ],
    ids=["long", "many fields", "deep list", "deep object", "file", "many parts", "packed", "no text"],
)
def test_a_body_that_is_too_much_is_refused_and_breaks_nothing(
    everybody: dict[str, Client], body: bytes, kind: str
) -> None:
    browser = Client()
    browser.force_login(Account.objects.get(name="all"))
    before = Account.objects.values().get(name="all")
    for route in routes():
        is_open = not route.callback.access & set(Role)
        if route.name != "sign-out" and (is_open or kind.endswith("urlencoded")):
            answer = browser.generic("POST", address_of(route), body, content_type=kind)
            assert answer.status_code < 500, route.name
    assert Account.objects.values().get(name="all") == before


def test_nobody_reaches_what_is_anothers(workbench: Home, signed_in: Any) -> None:
    """Somebody with the same roles (but admin, who may) sends every form of another's pages as it stands."""
    others = [role for role in Role if role != Role.ADMIN]
    owner, other = signed_in(*others, name="owner"), signed_in(*others, name="other")
    account = Account.objects.get(name="owner")
    SavedSearch.objects.create(account=account, name="a search of the owner alone", query="q=bridge")
    elsewhere = Client()
    elsewhere.force_login(account)
    seen = walk(owner, ["/account", "/search?q=bridge", "/queue"], most=2)
    taken = next((a for a in seen.posts if a.endswith("/take")), None)
    if taken:
        assert owner.post(taken).status_code == 302
        seen.posts |= walk(owner, [taken.removesuffix("/take")], most=1).posts
    mine = [Account.objects.values().get(name="owner"), *SavedSearch.objects.filter(account=account).values()]
    desks, keys = (
        list(models.Desk.objects.filter(account=account).values()),
        set(Session.objects.filter(account=account).values_list("session_key", flat=True)),
    )
    assert len(keys) == 2
    assert len(seen.posts) > 5
    for address, fields in seen.posts.items():
        if address != "/sign-out":
            other.post(address, {**fields, "old": PASSWORD, "password": PASSWORD})
    for address, answer in walk(other, list(seen.pages), most=3).pages.items():
        assert b"a search of the owner alone" not in answer.read, address
    assert mine == [Account.objects.values().get(name="owner"), *SavedSearch.objects.filter(account=account).values()]
    assert list(models.Desk.objects.filter(account=account).values()) == desks
    assert set(Session.objects.filter(account=account).values_list("session_key", flat=True)) == keys


def test_a_session_that_ended_cannot_be_taken_up_again(signed_in: Any) -> None:
    browser = signed_in("analyst")
    key = browser.cookies["bastau_session"].value
    browser.post("/sign-out")
    thief = Client()
    thief.cookies["bastau_session"] = key
    assert thief.get("/account").status_code == 302
    assert not Session.objects.filter(session_key=key).exists()


def test_a_session_begun_before_the_code_is_not_the_one_let_in(signed_in: Any) -> None:
    import pyotp

    from bastau_web.workbench import second_factor

    signed_in("analyst", name="with_code")
    secret = second_factor.new_secret()
    Account.objects.filter(name="with_code").update(code_secret=secret)
    browser = Client()
    browser.post("/sign-in", {"name": "with_code", "password": PASSWORD})
    before = browser.cookies["bastau_session"].value
    assert browser.get("/account").status_code == 302
    browser.post("/sign-in/code", {"code": pyotp.TOTP(secret).now()})
    assert browser.get("/account").status_code == 200
    assert browser.cookies["bastau_session"].value != before
    assert not Session.objects.filter(session_key=before).exists()


def test_behind_https_every_cookie_is_for_https_only(everybody: dict[str, Client]) -> None:
    with override_settings(SESSION_COOKIE_SECURE=True, CSRF_COOKIE_SECURE=True):
        said = [
            everybody["nobody"].get("/sign-in", secure=True),
            everybody["all"].get("/account?language=kk", secure=True),
        ]
        said += [Client().post("/sign-in", {"name": "all", "password": PASSWORD}, secure=True)]
        for answer in said:
            assert all("Secure" in cookie for cookie in cookies_of(answer)), cookies_of(answer)

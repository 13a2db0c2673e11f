"""Who may open what: every route, every role, refused by default."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.core.checks import run_checks
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path, reverse

from bastau.home import Home
from bastau_web.workbench import lake_reader
from bastau_web.workbench.checks import routes
from bastau_web.workbench.configuring import of_home
from bastau_web.workbench.roles import ANY_ACCOUNT, ANYBODY, KEY_HOLDERS, Role, may_open, open_to

READ = frozenset(Role)
EXPECTED = {
    "today": READ,
    "search": READ,
    "narrative": READ,
    "post": READ,
    "source": READ,
    "sources": READ,
    "place": READ,
    "look-at-places": {Role.ANALYST, Role.ADMIN},
    "watch-places": {Role.ANALYST, Role.ADMIN},
    "edit-place": {Role.ANALYST, Role.ADMIN},
    "pause-place": {Role.ANALYST, Role.ADMIN},
    "hurry-place": {Role.ANALYST, Role.ADMIN},
    "remove-place": {Role.ANALYST, Role.ADMIN},
    "save-search": READ,
    "drop-search": READ,
    "tell-search": {Role.ANALYST, Role.ADMIN},
    "drop-alert": {Role.ANALYST, Role.ADMIN},
    "groups": READ,
    "group": READ,
    "families": READ,
    "family": READ,
    "rules": READ,
    "rule": READ,
    "rule-trial": READ,
    "try-rule": {Role.ANALYST, Role.ADMIN},
    "account": {ANY_ACCOUNT},
    "set-language": {ANY_ACCOUNT},
    "set-password": {ANY_ACCOUNT},
    "end-session": {ANY_ACCOUNT},
    "second-factor": {ANY_ACCOUNT},
    "recovery-codes": {ANY_ACCOUNT},
    "set-up": {ANYBODY},
    "sign-in": {ANYBODY},
    "sign-in-code": {ANYBODY},
    "sign-out": {ANYBODY},
    "service-sign-in": {ANYBODY},
    "service-back": {ANYBODY},
    "invitation": {ANYBODY},
    "demo-sign-in": {ANYBODY},
    "accounts": {Role.ADMIN},
    "add-account": {Role.ADMIN},
    "one-account": {Role.ADMIN},
    "change-account": {Role.ADMIN},
    "account-record": {Role.ADMIN, Role.AUDITOR},
    "queue": READ,
    "next-case": {Role.REVIEWER},
    "end-break": READ,
    "case": READ,
    "take-case": {Role.REVIEWER},
    "give-back": {Role.REVIEWER},
    "show-content": READ,
    "give-verdict": {Role.REVIEWER},
    "undo": {Role.REVIEWER},
    "reopen": {Role.REVIEWER},
    "convene": {Role.REVIEWER},
    "translate-case": {Role.REVIEWER},
    "bring": {Role.REVIEWER, Role.ANALYST},
    "release": {Role.PUBLISHER, Role.REVIEWER},
    "withdraw": {Role.PUBLISHER, Role.REVIEWER},
    "note-notice": {Role.PUBLISHER},
    "statement": READ,
    "appeals": {Role.REVIEWER},
    "appeal-answer": {Role.REVIEWER},
    "answer-appeal": {Role.REVIEWER},
    "lists": READ,
    "publish-lists": {Role.PUBLISHER},
    "log": {Role.AUDITOR, Role.ADMIN, Role.REVIEWER, Role.PUBLISHER},
    "log-head": {Role.AUDITOR, Role.ADMIN, Role.REVIEWER, Role.PUBLISHER},
    "appeal": {ANYBODY},
    "why": {ANYBODY},
    "list-file": {ANYBODY},
    "taxii": {ANYBODY},
    "taxii-api": {ANYBODY},
    "transparency": {ANYBODY},
    "figures": {ANYBODY},
    "published-log": {ANYBODY},
    "keys": {Role.ADMIN},
    "make-key": {Role.ADMIN},
    "revoke-key": {Role.ADMIN},
    "add-webhook": {Role.ADMIN},
    "test-webhook": {Role.ADMIN},
    "remove-webhook": {Role.ADMIN},
    "api-docs": {ANYBODY},
    "api-openapi": {ANYBODY},
    "api-check": {KEY_HOLDERS},
    "api-lookup-url": {KEY_HOLDERS},
    "api-lookup-hash": {KEY_HOLDERS},
    "api-check-image": {KEY_HOLDERS},
    "hma-lookup": {KEY_HOLDERS},
    "health": {ANYBODY},
    "asset": {ANYBODY},
}
"""Written out here on purpose: who opens a route to more people changes this table too."""
ARGUMENTS = {
    "invitation": ["nobody", "0"],
    "demo-sign-in": ["0"],
    "one-account": ["nobody"],
    "change-account": ["nobody"],
    "narrative": ["n0000000000000"],
    "post": ["p0000000000000"],
    "source": ["nobody"],
    **{name: [1] for name in ("place", "edit-place", "pause-place", "hurry-place", "remove-place")},
    "group": ["g0000000000000"],
    "family": ["f0000000000000"],
    "rule": ["no-such-rule"],
    "rule-trial": ["none.yaml"],
    "try-rule": ["none.yaml"],
    **{
        name: ["c0000000000000"]
        for name in (
            "case",
            "take-case",
            "give-back",
            "show-content",
            "give-verdict",
            "undo",
            "reopen",
            "convene",
            "translate-case",
            "release",
            "withdraw",
            "appeal-answer",
        )
    },
    "bring": ["p0000000000000"],
    **{name: ["c0000000000000", 1] for name in ("note-notice", "statement", "answer-appeal")},
    "why": ["e0000000000000"],
    "list-file": ["list.json"],
    "taxii-api": ["api/"],
    "revoke-key": [1],
    "add-webhook": [1],
    "test-webhook": [1],
    "remove-webhook": [1],
    "asset": ["0", "nothing.css"],
}
PERSONS = [None, (), *((role,) for role in Role), tuple(Role)]


def test_every_route_is_in_the_table(workbench):
    assert {route.name: set(route.callback.access) for route in routes()} == {k: set(v) for k, v in EXPECTED.items()}


@pytest.mark.parametrize(
    "roles", PERSONS, ids=lambda roles: "nobody" if roles is None else "+".join(roles) or "no role"
)
def test_each_route_lets_in_exactly_its_roles(signed_in, roles):
    from bastau_web.workbench.models import Account

    signed_in("analyst", name="somebody_else")  # so that this is no first start
    if roles is not None:
        signed_in(*roles, name="asks")
    wrong = []
    for name in sorted(EXPECTED):
        for method in ("get", "head", "put", "delete", "post"):
            with transaction.atomic():
                browser = Client()
                if roles is not None:
                    browser.force_login(Account.objects.get(name="asks"), "django.contrib.auth.backends.ModelBackend")
                answer = getattr(browser, method)(reverse(name, args=ARGUMENTS.get(name, [])))
                if not is_as_expected(answer, name, roles, method):
                    wrong.append((name, method, answer.status_code))
                transaction.set_rollback(True)
    assert wrong == []


def is_as_expected(answer, name, roles, method):
    if EXPECTED[name] == {KEY_HOLDERS}:  # no account is a key
        return answer.status_code in (401, 405)
    if may_open(frozenset(EXPECTED[name]), None if roles is None else frozenset(roles)):
        goes_to_sign_in = answer.status_code == 302 and answer["Location"].startswith("/sign-in?")
        return answer.status_code in (200, 302, 404, 405, 422) and not (
            goes_to_sign_in and roles is not None and method == "get"
        )
    if roles is None:
        return answer.status_code == 302 and answer["Location"].startswith("/sign-in?next=/")
    return answer.status_code == 403


def undeclared(request: HttpRequest) -> HttpResponse:
    return HttpResponse("secret")


@open_to(Role.ADMIN)
def for_admins(request: HttpRequest) -> HttpResponse:
    return HttpResponse("secret")


urlpatterns = [path("undeclared", undeclared, name="undeclared"), path("admins", for_admins, name="admins")]
handler403 = "bastau_web.workbench.views.failures.not_allowed"


def test_a_route_for_which_nobody_said_who_may_stops_the_start(workbench):
    with override_settings(ROOT_URLCONF="bastau_web.workbench.urls"):
        assert [m.id for m in run_checks() if m.id.startswith("workbench")] == []
    with override_settings(ROOT_URLCONF=__name__):
        assert [m.id for m in run_checks() if m.id and m.id.startswith("workbench")] == ["workbench.E001"]


@override_settings(ROOT_URLCONF=__name__, DEBUG_PROPAGATE_EXCEPTIONS=False)
def test_such_a_route_is_open_to_nobody_and_a_route_of_one_role_to_no_other(workbench, client, signed_in, monkeypatch):
    import bastau_web.workbench.views.failures as failures

    monkeypatch.setattr(failures, "_failure", lambda request, kind, status: HttpResponse(kind, status=status))
    assert client.get("/undeclared").status_code == 403
    assert signed_in(*Role).get("/undeclared").status_code == 403
    assert signed_in("analyst", "reviewer", "publisher", "auditor", name="nearly").get("/admins").status_code == 403
    assert signed_in("admin").get("/admins").content == b"secret"


def test_a_disabled_account_is_out_at_once(signed_in):
    from bastau_web.workbench.models import Account

    browser = signed_in("analyst")
    assert browser.get("/sources").status_code == 200
    Account.objects.update(is_active=False)
    assert browser.get("/sources").status_code == 302


def test_a_name_that_is_asked_for_stays_out_of_the_log(signed_in, tmp_path, caplog):
    home = Home.open(tmp_path / "torn", create=True)
    (home.folder / "generations").mkdir()
    (home.folder / "generations" / "CURRENT").write_text("gen-00000009")
    with override_settings(BASTAU_HOME=home):
        assert signed_in("analyst").get("/source/tynysh_aq").status_code == 503
    for address, status in (("/source/tynysh_aq", 404), ("/tynysh_aq", 404)):
        assert signed_in("analyst", name=f"by{len(address)}").get(address).status_code == status
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/sign-in?next=/source/tynysh_aq").status_code == 403
    assert "Not Found: source/<path:source>" in caplog.text
    assert "Not Found: no page of ours" in caplog.text
    assert "source/<path:source> cannot be shown" in caplog.text
    assert "tynysh_aq" not in "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)


def test_every_name_is_never_answered_to(tmp_path):
    home = Home.open(tmp_path / "home", create=True)
    assert "*" not in of_home(home, "*")["ALLOWED_HOSTS"]
    assert "127.0.0.2" in of_home(home, "127.0.0.2")["ALLOWED_HOSTS"]


def test_the_key_is_made_once_whole_and_for_its_owner(tmp_path):
    home = Home.open(tmp_path / "home", create=True)
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: of_home(home, "127.0.0.1")["SECRET_KEY"], range(8)))
    [made] = (home.folder / "workbench").iterdir()
    assert keys == {made.read_text("ascii")}
    assert len(made.read_text("ascii")) > 60
    assert made.stat().st_mode & 0o777 == 0o600


def test_a_database_address_keeps_its_options(tmp_path, monkeypatch):
    monkeypatch.setenv("WEB_DATABASE", "postgresql://u:p@db.example/name?sslmode=verify-full")
    home = Home.open(tmp_path / "home", create=True)
    web = replace(home.settings.web, database="env:WEB_DATABASE")
    values = of_home(replace(home, settings=replace(home.settings, web=web)), "127.0.0.1")
    options = values["DATABASES"]["default"]["OPTIONS"]
    assert options == {"sslmode": "verify-full", "connect_timeout": "3", "tcp_user_timeout": "10000"}


def test_how_long_to_wait_for_a_database_is_the_operators_to_say(tmp_path, monkeypatch):
    monkeypatch.setenv("WEB_DATABASE", "postgresql://u:p@db.example/name?connect_timeout=30")
    home = Home.open(tmp_path / "home", create=True)
    web = replace(home.settings.web, database="env:WEB_DATABASE")
    values = of_home(replace(home, settings=replace(home.settings, web=web)), "127.0.0.1")
    assert values["DATABASES"]["default"]["OPTIONS"]["connect_timeout"] == "30"


def test_one_state_of_the_lake_is_prepared_once_for_all_threads(workbench, monkeypatch):
    prepared, hold = [], lake_reader.hold
    monkeypatch.setattr(lake_reader, "hold", lambda *given: prepared.append(given) or hold(*given))
    opened = lake_reader._Opened("", workbench)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(map(id, pool.map(lambda _: opened.held, range(4))))) == 1
    assert len(prepared) == 1

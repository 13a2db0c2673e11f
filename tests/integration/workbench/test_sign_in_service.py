"""Signing in through the organisation's own service: who is let in, and every answer that is not believed."""

import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from django.test import Client, override_settings
from sign_in_provider import CLIENT, SECRET, provider
from workbench_home import PASSWORD

from bastau.errors import ConfigError
from bastau_web.workbench.configuring import of_home
from bastau_web.workbench.models import Account


@pytest.fixture
def service(workbench, database, monkeypatch):
    monkeypatch.setenv("BASTAU_TEST_SECRET", SECRET)
    with provider() as told:
        web = replace(
            workbench.settings.web,
            oidc_issuer=told.issuer,
            oidc_client_id=CLIENT,
            oidc_client_secret="env:BASTAU_TEST_SECRET",
            second_factor=("admin",),
        )
        with override_settings(BASTAU_HOME=replace(workbench, settings=replace(workbench.settings, web=web))):
            yield told


@pytest.fixture
def ana(service):
    account = Account.objects.add("ana", None, ["analyst"])
    account.identity = f"{service.issuer} 17"
    account.save()
    return account


def go(browser, service, target=""):
    """Go to the service and come back; return what the workbench says then."""
    away = browser.get("/sign-in/service", {"next": target})
    return browser.get("/sign-in/service/back", service.authorize(away["Location"]))


def test_whoever_is_linked_is_let_in(ana, service, client):
    assert "/sign-in/service" in client.get("/sign-in").content.decode()
    away = client.get("/sign-in/service")["Location"]
    query = parse_qs(urlsplit(away).query)
    assert away.startswith(f"{service.issuer}/authorize?")
    assert query["redirect_uri"] == ["http://testserver/sign-in/service/back"]
    assert query["scope"] == ["openid"]
    assert go(client, service)["Location"] == "/"
    assert client.get("/sources").status_code == 200
    assert "no password here" in client.get("/account").content.decode()


def test_whoever_is_not_linked_is_told_what_to_give_to_an_admin_and_gets_no_account(service, client):
    answer = go(client, service)
    assert answer.status_code == 403
    assert f"{service.issuer} 17" in answer.content.decode()
    assert not Account.objects.exists()
    assert client.get("/sources").status_code == 302


def test_a_disabled_account_stays_out(ana, service, client):
    Account.objects.update(is_active=False)
    assert go(client, service).status_code == 403
    assert client.get("/sources").status_code == 302


def test_a_page_that_was_asked_for_comes_after_it_and_never_one_elsewhere(ana, service):
    assert go(Client(), service, "/search?q=bridge")["Location"] == "/search?q=bridge"
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        assert go(Client(), service, elsewhere)["Location"] == "/"


def test_the_session_is_a_new_one(ana, service, client):
    away = client.get("/sign-in/service")
    before = client.cookies["bastau_session"].value
    client.get("/sign-in/service/back", service.authorize(away["Location"]))
    assert client.cookies["bastau_session"].value != before


WRONG = {
    "another nonce": {"nonce": "of another browser"},
    "no nonce": {"nonce": None},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "another client"},
    "another audience beside a right party": {"aud": "another client", "azp": CLIENT},
    "no audience": {"aud": None},
    "another party": {"aud": [CLIENT, "another client"], "azp": "another client"},
    "expired": {"exp": int(time.time()) - 3600},
    "no end": {"exp": None},
    "not yet": {"nbf": int(time.time()) + 3600},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a number as subject": {"sub": 17},
    "a subject with lines": {"sub": "17\n18"},
    "a long subject": {"sub": "1" * 300},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
def test_a_token_that_is_not_right_lets_nobody_in(ana, service, client, claims):
    service.claims = claims
    assert go(client, service).status_code == 403
    assert client.get("/sources").status_code == 302
    service.claims = {}
    assert go(client, service).status_code == 302


def test_a_token_that_the_service_did_not_sign_lets_nobody_in(ana, service, client):
    service.signs_with_another_key = True
    assert go(client, service).status_code == 403
    service.signs_with_another_key, service.is_signed = False, False
    assert go(client, service).status_code == 403


@pytest.mark.parametrize(
    "answer", [{}, {"access_token": "a", "token_type": "Bearer"}, {"error": "server_error"}, {"id_token": "x"}]
)
def test_an_answer_without_a_token_lets_nobody_in(ana, service, client, answer):
    service.answer = answer
    assert go(client, service).status_code == 403


def test_an_answer_that_nobody_asked_for_is_not_taken_to_the_service(ana, service, client):
    brought = service.authorize(client.get("/sign-in/service")["Location"])
    n_asked = len(service.asked)
    for query in (
        {**brought, "state": "another"},
        {"code": brought["code"]},
        {},
        {"state": brought["state"], "error": "no"},
    ):
        assert Client().get("/sign-in/service/back", query).status_code == 403
    assert Client().get("/sign-in/service/back", brought).status_code == 403
    assert len(service.asked) == n_asked
    assert client.get("/sign-in/service/back", brought).status_code == 302


def test_an_answer_counts_once(ana, service, client):
    away = client.get("/sign-in/service")
    brought = service.authorize(away["Location"])
    assert client.get("/sign-in/service/back", brought).status_code == 302
    client.post("/sign-out")
    assert client.get("/sign-in/service/back", brought).status_code == 403


def test_a_code_of_another_browser_is_refused_by_its_verifier(ana, service, client):
    stolen = service.authorize(Client().get("/sign-in/service")["Location"])
    mine = service.authorize(client.get("/sign-in/service")["Location"])
    assert client.get("/sign-in/service/back", {"code": stolen["code"], "state": mine["state"]}).status_code == 403


def test_a_discovery_document_of_another_issuer_is_not_believed(ana, service, client, caplog):
    service.metadata = {"issuer": "https://evil.example"}
    assert client.get("/sign-in/service").status_code == 502
    assert "it is 'https://evil.example', but web.oidc_issuer is" in caplog.text


def test_a_service_that_is_away_is_said_in_words(ana, workbench, client):
    web = replace(workbench.settings.web, oidc_issuer="http://127.0.0.1:9", oidc_client_id=CLIENT)
    with override_settings(BASTAU_HOME=replace(workbench, settings=replace(workbench.settings, web=web))):
        answer = client.get("/sign-in/service")
    assert answer.status_code == 502
    assert "does not answer" in answer.content.decode()


def test_an_account_with_an_app_is_asked_for_its_code_too(ana, service, client):
    Account.objects.update(code_secret=pyotp.random_base32())
    assert go(client, service, "/search")["Location"] == "/sign-in/code"
    assert client.get("/sources").status_code == 302
    code = pyotp.TOTP(Account.objects.get().code_secret).now()
    assert client.post("/sign-in/code", {"code": code})["Location"] == "/search"


def test_the_second_factor_of_a_role_is_the_services(ana, service, client):
    ana.groups.set([])
    Account.objects.add("root", PASSWORD, ["admin"])
    root = Account.objects.get(name="root")
    ana.identity, root.identity = "", ana.identity
    ana.save()
    root.save()
    go(client, service)
    assert client.get("/accounts").status_code == 200
    other = Client()
    other.post("/sign-in", {"name": "root", "password": PASSWORD})
    assert other.get("/accounts")["Location"] == "/account/second-factor"


def test_without_a_service_there_is_no_such_page(workbench, client):
    assert client.get("/sign-in/service").status_code == 404
    assert client.get("/sign-in/service/back").status_code == 404
    assert "/sign-in/service" not in client.get("/sign-in").content.decode()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"oidc_issuer": "http://id.example.org", "oidc_client_id": "b"}, "oidc_issuer"),
        ({"oidc_issuer": "id.example.org", "oidc_client_id": "b"}, "oidc_issuer"),
        ({"oidc_issuer": "https://id.example.org"}, "oidc_client_id"),
        ({"oidc_issuer": "https://id.example.org", "oidc_client_id": "b", "oidc_client_secret": "it"}, "env:NAME"),
    ],
)
def test_settings_that_cannot_be_are_refused_at_the_start(workbench, values, words):
    web = replace(workbench.settings.web, **values)
    with pytest.raises(ConfigError, match=words):
        of_home(replace(workbench, settings=replace(workbench.settings, web=web)), "127.0.0.1")

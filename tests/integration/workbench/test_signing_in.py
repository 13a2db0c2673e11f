"""Accounts, sessions, second factor, first start."""

import html
import re
import time
from dataclasses import replace

import pyotp
import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.test import Client, override_settings
from django.utils import timezone
from workbench_home import PASSWORD

from bastau_web.workbench import second_factor, throttle
from bastau_web.workbench import settings as fixed
from bastau_web.workbench.configuring import of_home
from bastau_web.workbench.models import Account, FailedSignIn, RecoveryCode, Session


@pytest.fixture
def ana(database):
    return Account.objects.add("ana", PASSWORD, ["analyst"])


def sign_in(browser, name="ana", password=PASSWORD, **values):
    return browser.post("/sign-in", {"name": name, "password": password, **values})


def test_a_password_is_kept_as_argon2_only(database):
    with override_settings(PASSWORD_HASHERS=fixed.PASSWORD_HASHERS):
        ana = Account.objects.add("ana", PASSWORD, ["analyst"])
    assert ana.password.startswith("argon2$argon2id$")
    assert PASSWORD not in ana.password


def test_right_name_and_password_lead_to_today(ana, client):
    assert client.get("/")["Location"] == "/sign-in?next=/"
    assert sign_in(client)["Location"] == "/"
    assert client.get("/sources").status_code == 200


def test_wrong_names_and_passwords_are_told_apart_by_nothing(ana, client):
    pages = [sign_in(client, name=name, password="wrong").content.decode() for name in ("ana", "nobody")]
    assert len({re.sub(r'csrfmiddlewaretoken" value="\w+"', "", page) for page in pages}) == 1


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "http:evil.example"],
)
def test_nobody_is_sent_elsewhere_after_signing_in(ana, client, elsewhere):
    assert sign_in(client, next=elsewhere)["Location"] == "/"
    assert client.get("/sign-in", {"next": elsewhere})["Location"] == "/"


def test_a_page_that_was_asked_for_comes_after_signing_in(ana, client):
    assert sign_in(client, next="/search?q=bridge")["Location"] == "/search?q=bridge"


def test_a_session_that_was_planted_is_not_the_one_let_in(ana, client):
    client.get("/sign-in")
    client.session["planted"] = True
    client.session.save()
    planted = client.session.session_key
    client.cookies[settings.SESSION_COOKIE_NAME] = planted
    sign_in(client)
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != planted
    assert not Session.objects.filter(session_key=planted).exists()


def test_guessing_is_stopped_after_five_failures_also_for_the_right_password(ana, client):
    for _ in range(throttle.MOST_HERE):
        assert sign_in(client, password="wrong").status_code == 200
    assert sign_in(client).status_code == 429
    assert Client(REMOTE_ADDR="203.0.113.9").post("/sign-in", {"name": "ana", "password": PASSWORD}).status_code == 302


def test_attempts_at_the_same_moment_count_before_any_of_them_has_failed(ana, client):
    request = client.get("/sign-in").wsgi_request
    looked_at = [throttle.begin(request, "ana") for _ in range(throttle.MOST_HERE + 3)]
    assert looked_at[-3:] == [None] * 3
    assert None not in looked_at[:-3]
    assert throttle.begin(request, "boris") is not None


def test_what_succeeded_counts_for_nothing(ana):
    for _ in range(throttle.MOST_ADDRESS + 2):
        assert sign_in(Client()).status_code == 302
    assert not FailedSignIn.objects.exists()


def test_whoever_sent_a_form_without_a_session_comes_back_to_a_page_that_can_be_shown(ana, client):
    answer = client.post("/account/sessions", {"session": "others"})
    assert answer["Location"] == "/sign-in?next=/"
    assert client.get("/account?x=1")["Location"] == "/sign-in?next=/account%3Fx%3D1"


def test_failures_are_forgotten_after_a_quarter_of_an_hour(ana, client):
    for _ in range(throttle.MOST_HERE):
        sign_in(client, password="wrong")
    FailedSignIn.objects.update(at=FailedSignIn.objects.latest("at").at - FailedSignIn.KEPT)
    assert sign_in(client).status_code == 302


def test_one_address_cannot_try_many_names(ana, client):
    for number in range(throttle.MOST_ADDRESS):
        sign_in(client, name=f"name{number}", password="wrong")
    assert sign_in(client).status_code == 429


def test_one_name_cannot_be_tried_from_many_addresses(ana):
    for number in range(throttle.MOST_NAME):
        sign_in(Client(REMOTE_ADDR=f"203.0.113.{number}"), password="wrong")
    assert sign_in(Client(REMOTE_ADDR="198.51.100.1")).status_code == 429


def test_failures_hold_neither_names_nor_addresses(ana, client):
    sign_in(client, password="wrong")
    kept = str(FailedSignIn.objects.values().first())
    assert "ana" not in kept.replace("name_hash", "")
    assert "127.0.0.1" not in kept


def test_forms_from_elsewhere_are_refused(ana):
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict).status_code == 403


def test_one_sees_and_ends_ones_own_sessions_and_no_others(ana, client):
    other, stranger = Client(HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux) Firefox/130.0"), Client()
    Account.objects.add("boris", PASSWORD, ["auditor"])
    for browser, name in ((client, "ana"), (other, "ana"), (stranger, "boris")):
        sign_in(browser, name=name)
    page = client.get("/account").content.decode()
    assert "Firefox, Linux" in page
    assert len(re.findall(r'name="session" value="[\d.]+"', page)) == 1
    for key in Session.objects.values_list("session_key", flat=True):
        assert key not in page
    strangers = Session.objects.get(account__name="boris")
    client.post("/account/sessions", {"session": f"{strangers.started_at.timestamp():.6f}"})
    assert stranger.get("/account").status_code == 200
    client.post("/account/sessions", {"session": re.search(r'name="session" value="([\d.]+)"', page)[1]})
    assert other.get("/account").status_code == 302
    assert client.get("/account").status_code == 200


def test_a_new_password_ends_all_other_sessions(ana, client):
    other = Client()
    sign_in(client)
    sign_in(other)
    assert "wrong" in client.post("/account/password", {"old": "no", "new": "another long password"}).content.decode()
    assert client.post("/account/password", {"old": PASSWORD, "new": "short"}).status_code == 200
    assert other.get("/account").status_code == 200
    client.post("/account/password", {"old": PASSWORD, "new": "another long password"})
    assert client.get("/account").status_code == 200
    assert other.get("/account").status_code == 302
    assert sign_in(other).status_code == 200
    assert sign_in(other, password="another long password").status_code == 302


def test_a_session_that_is_over_is_not_listed_and_is_forgotten_at_the_next_sign_in(ana, client):
    sign_in(Client())
    Session.objects.update(expire_date=timezone.now())
    sign_in(client)
    assert Session.objects.count() == 1
    sign_in(Client())
    Session.objects.exclude(session_key=client.session.session_key).update(expire_date=timezone.now())
    assert 'name="session" value="others"' in client.get("/account").content.decode()
    assert not re.search(r'name="session" value="[\d.]+"', client.get("/account").content.decode())


class TestSecondFactor:
    @pytest.fixture
    def secret(self, ana):
        ana.code_secret = pyotp.random_base32()
        ana.save()
        return ana.code_secret

    def test_the_password_alone_lets_nobody_in(self, client, secret):
        assert sign_in(client)["Location"] == "/sign-in/code"
        assert client.get("/account").status_code == 302

    def test_the_code_lets_in_once(self, client, secret):
        code = pyotp.TOTP(secret).now()
        sign_in(client)
        assert client.post("/sign-in/code", {"code": code})["Location"] == "/"
        assert client.get("/account").status_code == 200
        again = Client()
        sign_in(again)
        assert again.post("/sign-in/code", {"code": code}).status_code == 200
        assert again.get("/account").status_code == 302

    @pytest.mark.parametrize("code", ["", "000000", "abcdef", "١٢٣٤٥٦", "1" * 500])
    def test_a_wrong_code_lets_nobody_in(self, client, secret, code):
        if code == pyotp.TOTP(secret).now():
            return
        sign_in(client)
        assert client.post("/sign-in/code", {"code": code}).status_code == 200
        assert client.get("/account").status_code == 302

    def test_codes_cannot_be_guessed(self, client, secret):
        sign_in(client)
        for _ in range(throttle.MOST_HERE):
            client.post("/sign-in/code", {"code": "not it"})
        assert client.post("/sign-in/code", {"code": pyotp.TOTP(secret).now()}).status_code == 429

    def test_the_code_cannot_wait(self, client, secret, monkeypatch):
        sign_in(client)
        later = time.time() + 301
        monkeypatch.setattr(time, "time", lambda: later)
        answer = client.post("/sign-in/code", {"code": pyotp.TOTP(secret).at(int(later))})
        assert answer["Location"] == "/sign-in"

    def test_it_is_set_up_with_password_and_code_and_taken_off_with_the_password(self, ana, client):
        sign_in(client)
        page = client.get("/account/second-factor").content.decode()
        key = re.search(r"<code>([A-Z2-7 ]+)</code>", page)[1].replace(" ", "")
        code = pyotp.TOTP(key).now()
        client.post("/account/second-factor", {"password": "wrong", "code": code})
        assert Account.objects.get(name="ana").code_secret == ""
        client.post("/account/second-factor", {"password": PASSWORD, "code": code})
        assert Account.objects.get(name="ana").code_secret == key
        client.post("/account/second-factor", {"password": "wrong", "act": "remove"})
        assert Account.objects.get(name="ana").code_secret == key
        client.post("/account/second-factor", {"password": PASSWORD, "act": "remove"})
        assert Account.objects.get(name="ana").code_secret == ""
        assert not RecoveryCode.objects.exists()

    def test_the_form_of_the_set_up_sent_twice_does_not_take_it_off(self, ana, client):
        key = self.set_up(client)[0]
        client.post("/account/second-factor", {"password": PASSWORD, "code": pyotp.TOTP(key).now(), "act": "set"})
        assert Account.objects.get(name="ana").code_secret == key

    def set_up(self, client) -> tuple[str, list[str]]:
        sign_in(client)
        page = client.get("/account/second-factor").content.decode()
        key = re.search(r"<code>([A-Z2-7 ]+)</code>", page)[1].replace(" ", "")
        form = {"password": PASSWORD, "code": pyotp.TOTP(key).now(), "act": "set"}
        shown = client.post("/account/second-factor", form).content.decode()
        return key, re.findall(r"<code>([\d-]+)</code>", shown)

    def test_the_picture_holds_the_key_and_loads_nothing(self, ana, client):
        sign_in(client)
        page = client.get("/account/second-factor").content.decode()
        [source] = re.findall(r'<img src="([^"]+)"', page)
        assert source.startswith("data:image/svg+xml")
        address = html.unescape(re.search(r'href="(otpauth:[^"]+)"', page)[1])
        assert html.unescape(source) == second_factor.picture_of(address)
        assert second_factor.picture_of(address) != second_factor.picture_of(address + "A")

    def test_each_recovery_code_stands_in_once_for_the_app(self, ana, client):
        _, codes = self.set_up(client)
        assert len(set(codes)) == 10
        assert not set(codes) & set(RecoveryCode.objects.values_list("sha256", flat=True))
        for code, status in ((codes[3], 302), (codes[3], 200), (codes[4].replace("-", " "), 302)):
            browser = Client()
            sign_in(browser)
            assert browser.post("/sign-in/code", {"code": code}).status_code == status
        assert "8 recovery codes are left" in client.get("/account").content.decode()

    def test_new_recovery_codes_need_the_password_and_end_the_old_ones(self, ana, client):
        _, codes = self.set_up(client)
        client.post("/account/recovery-codes", {"password": "wrong"})
        before = set(RecoveryCode.objects.values_list("sha256", flat=True))
        assert len(before) == 10
        shown = client.post("/account/recovery-codes", {"password": PASSWORD}).content.decode()
        new = re.findall(r"<code>([\d-]+)</code>", shown)
        assert not before & set(RecoveryCode.objects.values_list("sha256", flat=True))
        other = Client()
        sign_in(other)
        assert other.post("/sign-in/code", {"code": codes[0]}).status_code == 200
        assert other.post("/sign-in/code", {"code": new[0]}).status_code == 302

    def test_recovery_codes_of_one_account_open_no_other(self, ana, client):
        _, codes = self.set_up(client)
        Account.objects.add("boris", PASSWORD, ["analyst"])
        Account.objects.filter(name="boris").update(code_secret=pyotp.random_base32())
        other = Client()
        sign_in(other, name="boris")
        assert other.post("/sign-in/code", {"code": codes[0]}).status_code == 200
        assert RecoveryCode.objects.count() == 10

    def test_recovery_codes_cannot_be_guessed(self, ana, client):
        _, codes = self.set_up(client)
        other = Client()
        sign_in(other)
        for n in range(throttle.MOST_HERE):
            assert other.post("/sign-in/code", {"code": f"{n:020d}"}).status_code == 200
        assert other.post("/sign-in/code", {"code": codes[0]}).status_code == 429

    def test_the_right_password_does_not_give_more_guesses_of_the_code(self, client, secret):
        for n in range(throttle.MOST_HERE):
            sign_in(client)
            assert client.post("/sign-in/code", {"code": "not it"}).status_code == 200, n
        assert sign_in(client).status_code == 429

    def test_a_role_that_must_have_one_reaches_nothing_without(self, workbench, ana, client):
        web = replace(workbench.settings.web, second_factor=("analyst",))
        strict = replace(workbench, settings=replace(workbench.settings, web=web))
        sign_in(client)
        with override_settings(BASTAU_HOME=strict):
            assert client.get("/sources")["Location"] == "/account/second-factor"
            assert client.get("/account/second-factor").status_code == 200
        assert client.get("/sources").status_code == 200


class TestFirstStart:
    @pytest.fixture(autouse=True)
    def code(self):
        with override_settings(BASTAU_SET_UP_CODE="abcd-1234"):
            yield

    def values(self, **others):
        return {"code": "abcd-1234", "name": "first", "password": PASSWORD} | others

    def test_every_page_leads_to_the_set_up(self, client):
        assert client.get("/")["Location"] == "/set-up"
        assert client.get("/set-up").status_code == 200

    def test_the_code_of_the_terminal_makes_the_first_account(self, client):
        assert client.post("/set-up", self.values())["Location"] == "/"
        assert Account.objects.get().roles == {"admin", "analyst"}
        assert client.get("/account").status_code == 200

    @pytest.mark.parametrize(
        "wrong",
        [{"code": ""}, {"code": "abcd-1235"}, {"password": "short"}, {"password": "password1234"}, {"name": "a b"}],
    )
    def test_anything_wrong_makes_none(self, client, wrong):
        assert client.post("/set-up", self.values(**wrong)).status_code == 200
        assert not Account.objects.exists()

    def test_the_code_cannot_be_guessed(self, client):
        for _ in range(throttle.MOST_HERE):
            client.post("/set-up", self.values(code="wrong"))
        client.post("/set-up", self.values())
        assert not Account.objects.exists()

    def test_an_empty_code_is_never_right(self, client):
        with override_settings(BASTAU_SET_UP_CODE=""):
            client.post("/set-up", self.values(code=""))
        assert not Account.objects.exists()

    def test_it_is_gone_once_there_is_an_account(self, ana, client):
        assert client.get("/set-up").status_code == 404
        assert client.post("/set-up", self.values()).status_code == 404


class TestLanguage:
    @pytest.mark.parametrize(("asked", "wanted"), [("kk", "kk"), ("ru-RU,ru;q=0.9", "ru"), ("de", "en"), ("", "en")])
    def test_the_browser_is_asked_first(self, ana, client, asked, wanted):
        assert client.get("/sign-in", HTTP_ACCEPT_LANGUAGE=asked)["Content-Language"] == wanted

    def test_the_address_wins_and_is_remembered(self, ana, client):
        assert client.get("/sign-in?language=kk", HTTP_ACCEPT_LANGUAGE="ru")["Content-Language"] == "kk"
        assert client.get("/sign-in", HTTP_ACCEPT_LANGUAGE="ru")["Content-Language"] == "kk"

    def test_a_link_to_another_language_holds_for_the_pages_after_it_until_the_account_says_otherwise(
        self, ana, client
    ):
        sign_in(client)
        client.post("/account/language", {"language": "ru"})
        assert client.get("/account?language=kk")["Content-Language"] == "kk"
        assert client.get("/account")["Content-Language"] == "kk"
        client.post("/account/language", {"language": "ru"})
        assert client.get("/account")["Content-Language"] == "ru"

    def test_the_language_of_a_page_that_says_what_was_wrong_can_be_changed(self, ana, client):
        sign_in(client)
        client.post("/account/password", {"old": "wrong", "new": "another long password"})
        assert client.get("/account/password?language=kk").status_code == 302
        assert client.get("/account")["Content-Language"] == "kk"

    def test_the_account_wins_over_the_browser(self, ana, client):
        sign_in(client)
        client.post("/account/language", {"language": "ru"})
        page = client.get("/account", HTTP_ACCEPT_LANGUAGE="kk")
        assert page["Content-Language"] == "ru"
        assert '<html lang="ru">' in page.content.decode()


def test_nothing_is_missing_for_https_behind_a_proxy(workbench):
    web = replace(workbench.settings.web, origin="https://workbench.example.org")
    home = replace(workbench, settings=replace(workbench.settings, web=web))
    values = of_home(home, "127.0.0.1")
    del values["DATABASES"]
    with override_settings(**values):
        assert deployment_problems() == []
    with override_settings(**values | {"SESSION_COOKIE_SECURE": False}):
        assert deployment_problems() == ["security.W012"]


def deployment_problems() -> list[str]:
    found = run_checks(include_deployment_checks=True)
    assert found  # the one about the browsers' lists, which is for the owner of the domain
    return [message.id for message in found if not message.is_silenced()]

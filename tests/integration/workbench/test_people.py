"""Accounts of others in the browser: invitations, roles, persons, the last admin, the record; the demo's link."""

import re
from dataclasses import replace

import pyotp
import pytest
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.test import Client, override_settings
from workbench_home import PASSWORD

from bastau.errors import ConfigError
from bastau_web.workbench import demonstration, second_factor, throttle
from bastau_web.workbench.models import Account, AccountAct, FailedSignIn, RecoveryCode, Session

OTHER = "another long password"


@pytest.fixture
def admin(signed_in):
    return signed_in("admin", name="root")


def add(admin, name="ana", roles=("analyst",), **others):
    return admin.post("/accounts/add", {"name": name, "role": list(roles), **others})


def link_of(answer) -> str:
    return re.search(r"<code>http://testserver(/invitation/[^<]+)</code>", answer.content.decode())[1]


def change(admin, act, name="ana", **values):
    return admin.post(f"/accounts/of/{name}/change", {"act": act, **values})


def acts(name="ana") -> list[str]:
    return list(AccountAct.objects.filter(account=name).order_by("pk").values_list("act", flat=True))


class TestInvitations:
    def test_the_one_who_has_the_link_chooses_the_password_and_is_in(self, admin, client):
        link = link_of(add(admin))
        assert not Account.objects.get(name="ana").has_usable_password()
        assert client.get(link).status_code == 200
        assert client.post(link, {"password": OTHER})["Location"] == "/account"
        assert client.get("/sources").status_code == 200
        assert Client().post("/sign-in", {"name": "ana", "password": OTHER}).status_code == 302
        assert acts() == ["added", "invited", "joined"]
        assert list(AccountAct.objects.filter(account="ana").values_list("by", flat=True)) == ["root", "root", "ana"]

    def test_a_link_works_once(self, admin, client):
        link = link_of(add(admin))
        client.post(link, {"password": OTHER})
        thief = Client()
        assert thief.get(link).status_code == 404
        assert thief.post(link, {"password": "a thief's long password"}).status_code == 404
        assert Account.objects.get(name="ana").check_password(OTHER)

    def test_a_link_ends_after_three_days(self, admin, client, monkeypatch):
        link = link_of(add(admin))
        now = PasswordResetTokenGenerator()._now()
        for days, status in ((2.9, 200), (3.1, 404)):
            later = now.fromtimestamp(now.timestamp() + days * 86_400)
            monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda _self, later=later: later)
            assert client.get(link).status_code == status

    def test_a_new_link_ends_the_one_before_the_password_and_the_sessions(self, admin, client):
        first = link_of(add(admin))
        second = link_of(change(admin, "invite"))
        assert client.get(first).status_code == 404
        client.post(second, {"password": OTHER})
        third = link_of(change(admin, "invite"))
        assert client.get("/account").status_code == 302
        assert Client().post("/sign-in", {"name": "ana", "password": OTHER}).status_code == 200
        assert client.get(third).status_code == 200

    def test_a_new_link_leaves_the_second_factor_on(self, admin, client, signed_in):
        signed_in("analyst", name="ana")
        Account.objects.filter(name="ana").update(code_secret=pyotp.random_base32())
        link = link_of(change(admin, "invite"))
        assert client.post(link, {"password": OTHER})["Location"] == "/sign-in/code"
        assert client.get("/account").status_code == 302

    @pytest.mark.parametrize("password", ["short", "password1234", ""])
    def test_a_weak_password_leaves_the_link_as_it_is(self, admin, client, password):
        link = link_of(add(admin))
        assert client.post(link, {"password": password}).status_code == 422
        assert client.post(link, {"password": OTHER}).status_code == 302

    def test_a_link_of_one_account_opens_no_other(self, admin, client):
        link = link_of(add(admin))
        add(admin, "boris")
        assert client.post(link.replace("/ana/", "/boris/"), {"password": OTHER}).status_code == 404
        assert client.post(link.replace("/ana/", "/root/"), {"password": OTHER}).status_code == 404
        assert Account.objects.get(name="root").check_password(PASSWORD)

    def test_a_disabled_account_has_no_link(self, admin, client):
        link = link_of(add(admin))
        change(admin, "disable")
        assert client.get(link).status_code == 404

    def test_links_cannot_be_guessed(self, admin, client):
        link = link_of(add(admin))
        for n in range(throttle.MOST_HERE):
            assert client.get(f"/invitation/ana/{n}-0").status_code == 404
        assert client.get(link).status_code == 429
        assert client.post(link, {"password": OTHER}).status_code == 429
        assert client.get(link_of(add(admin, "boris"))).status_code == 200  # whoever guesses shuts out nobody else

    def test_nothing_of_a_link_is_kept(self, admin):
        token = link_of(add(admin)).rsplit("/", 1)[1]
        kept = str([list(model.objects.values()) for model in (Account, AccountAct, FailedSignIn, Session)])
        assert token not in kept

    def test_a_session_that_was_planted_is_not_the_one_let_in(self, admin, client):
        link = link_of(add(admin))
        session = client.session
        session["planted"] = True
        session.save()
        client.cookies["bastau_session"] = session.session_key
        client.post(link, {"password": OTHER})
        assert client.cookies["bastau_session"].value != session.session_key
        assert not Session.objects.filter(session_key=session.session_key).exists()


class TestChanges:
    @pytest.mark.parametrize(
        ("name", "roles"),
        [("a b", ["analyst"]), ("root", ["analyst"]), ("", ["analyst"]), ("x" * 65, ["analyst"]), ("ana", [])],
    )
    def test_an_account_that_cannot_be_is_refused(self, admin, name, roles):
        assert add(admin, name, roles).status_code == 422
        assert Account.objects.count() == 1
        assert not AccountAct.objects.exists()

    def test_roles_that_are_none_count_for_nothing(self, admin):
        add(admin, roles=["analyst", "god"])
        assert Account.objects.get(name="ana").roles == {"analyst"}

    def test_roles_are_replaced_recorded_and_end_the_sessions(self, admin, signed_in):
        ana = signed_in("analyst", name="ana")
        change(admin, "roles", role=["reviewer", "auditor"])
        assert Account.objects.get(name="ana").roles == {"reviewer", "auditor"}
        assert ana.get("/account").status_code == 302
        [row] = AccountAct.objects.all()
        assert (row.by, row.account, row.act, row.detail) == ("root", "ana", "roles", "analyst → auditor, reviewer")

    def test_two_accounts_of_one_person_are_told(self, admin, signed_in):
        signed_in("reviewer", name="ana")
        add(admin, "ana2", ["reviewer"], person="ana")
        assert Account.objects.get(name="ana2").person == "ana"
        assert "The same person has: ana2" in admin.get("/accounts/of/ana").content.decode()
        change(admin, "person", "ana2", person="")
        assert "The same person has" not in admin.get("/accounts/of/ana").content.decode()
        assert acts("ana2") == ["added", "person", "invited", "person"]
        assert change(admin, "person", "ana2", person="two words").status_code == 422

    def test_a_slip_makes_no_second_reviewer_of_one_human_being(self, admin, signed_in):
        signed_in("reviewer", name="ana")
        assert "There is no account" in add(admin, "ana2", ["reviewer"], person="anna").content.decode()
        assert not Account.objects.filter(name="ana2").exists()
        add(admin, "ana2", ["reviewer"], person="ana")
        assert change(admin, "person", "ana2", person="anna").status_code == 422
        add(admin, "ana3", ["reviewer"], person="ana2")
        assert Account.objects.get(name="ana3").person == "ana"
        signed_in("reviewer", name="boris")
        assert change(admin, "person", "ana", person="boris").status_code == 409
        assert Account.objects.get(name="ana").person == ""

    def test_a_disabled_account_is_out_and_back_when_enabled(self, admin, signed_in):
        ana = signed_in("analyst", name="ana")
        change(admin, "disable")
        assert ana.get("/account").status_code == 302
        assert ana.post("/sign-in", {"name": "ana", "password": PASSWORD}).status_code == 200
        change(admin, "enable")
        assert ana.post("/sign-in", {"name": "ana", "password": PASSWORD}).status_code == 302
        assert acts() == ["disabled", "enabled"]

    def test_a_lost_second_factor_is_taken_off_with_its_recovery_codes(self, admin, signed_in):
        signed_in("analyst", name="ana")
        ana = Account.objects.get(name="ana")
        ana.code_secret = pyotp.random_base32()
        ana.save()
        second_factor.new_recovery_codes(ana)
        change(admin, "factor")
        assert Account.objects.get(name="ana").code_secret == ""
        assert not RecoveryCode.objects.exists()

    def test_sessions_of_others_are_ended(self, admin, signed_in):
        ana = signed_in("analyst", name="ana")
        change(admin, "sessions")
        assert ana.get("/account").status_code == 302
        assert admin.get("/account").status_code == 200

    @pytest.mark.parametrize(
        ("act", "values"), [("disable", {}), ("roles", {"role": ["analyst"]}), ("roles", {"role": []}), ("invite", {})]
    )
    def test_the_last_admin_stays_one(self, admin, act, values):
        assert change(admin, act, "root", **values).status_code == 409
        root = Account.objects.get(name="root")
        assert root.roles == {"admin"}
        assert root.is_active
        assert root.check_password(PASSWORD)
        assert not AccountAct.objects.exists()

    def test_an_admin_who_cannot_sign_in_yet_is_none(self, admin, client):
        link = link_of(add(admin, roles=["admin"]))
        assert change(admin, "disable", "root").status_code == 409
        client.post(link, {"password": OTHER})
        assert change(admin, "disable", "root").status_code == 302
        assert not Account.objects.get(name="root").is_active

    def test_get_changes_nothing(self, admin, signed_in):
        signed_in("analyst", name="ana")
        assert admin.get("/accounts/of/ana/change?act=disable").status_code == 302
        assert admin.get("/accounts/add?name=boris&role=admin").status_code == 302
        assert Account.objects.get(name="ana").is_active
        assert Account.objects.count() == 2

    def test_names_with_signs_have_a_page(self, admin):
        add(admin, "ana@example.org")
        assert admin.get("/accounts/of/ana@example.org").status_code == 200
        assert 'href="/accounts/of/ana@example.org"' in admin.get("/accounts").content.decode()


class TestRecord:
    def test_auditors_read_who_changed_what_and_no_addresses(self, admin, signed_in):
        add(admin, roles=["analyst"])
        change(admin, "roles", role=["reviewer"])
        change(admin, "disable")
        auditor = signed_in("auditor")
        assert 'href="/accounts/record"' in auditor.get("/account").content.decode()
        page = auditor.get("/accounts/record").content.decode()
        assert "analyst → reviewer" in page
        assert page.index("disabled it") < page.index("changed its roles") < page.index("made it")
        assert "127.0.0.1" not in str(list(AccountAct.objects.values()))

    def test_it_is_shown_page_by_page_and_for_one_account(self, admin):
        AccountAct.objects.bulk_create(AccountAct(by="", account=f"a{n}", act="enabled") for n in range(120))
        assert "a119" in admin.get("/accounts/record").content.decode()
        last = admin.get("/accounts/record?page=3").content.decode()
        assert ">a0<" in last
        assert "a119" not in last
        assert "command line" in last
        one = admin.get("/accounts/record?account=a7").content.decode()
        assert ">a7<" in one
        assert ">a8<" not in one

    def test_what_one_does_to_ones_own_account_is_recorded_too(self, signed_in):
        ana = signed_in("analyst", name="ana")
        ana.post("/account/password", {"old": PASSWORD, "new": OTHER})
        key = re.search(r"<code>([A-Z2-7 ]+)</code>", ana.get("/account/second-factor").content.decode())[1]
        code = pyotp.TOTP(key.replace(" ", "")).now()
        ana.post("/account/second-factor", {"password": OTHER, "code": code, "act": "set"})
        ana.post("/account/second-factor", {"password": OTHER, "act": "remove"})
        assert acts() == ["password", "factor_set", "factor_removed"]


class TestDemo:
    @pytest.fixture(autouse=True)
    def link(self, database, monkeypatch):
        demonstration.make_accounts(PASSWORD)
        monkeypatch.setattr(demonstration, "_link", None)
        demonstration.offer("right")

    def test_the_link_lets_into_one_account_once(self, client):
        assert "Sign in as bolat" in client.get("/demo/right").content.decode()
        assert client.post("/demo/right", {"name": "bolat"})["Location"] == "/"
        assert "bolat" in client.get("/account").content.decode()
        assert Client().get("/demo/right").status_code == 404
        assert Client().post("/demo/right", {"name": "dana"}).status_code == 404

    @pytest.mark.parametrize("token", ["wrong", "righ", "ё", "rightright"])
    def test_another_link_lets_nobody_in(self, client, token):
        assert client.get(f"/demo/{token}").status_code == 404
        assert client.post(f"/demo/{token}", {"name": "dana"}).status_code == 404

    def test_nobody_elsewhere_is_let_in(self):
        assert Client(REMOTE_ADDR="203.0.113.9").post("/demo/right", {"name": "dana"}).status_code == 404

    def test_it_holds_for_ten_minutes(self, client, monkeypatch):
        later = demonstration.time.monotonic() + 601
        monkeypatch.setattr(demonstration.time, "monotonic", lambda: later)
        assert client.get("/demo/right").status_code == 404

    def test_no_other_account_is_let_in(self, client, signed_in):
        signed_in("admin", name="root")
        assert client.post("/demo/right", {"name": "root"}).status_code == 404

    def test_without_a_demo_there_is_no_such_page(self, client, monkeypatch):
        monkeypatch.setattr(demonstration, "_link", None)
        assert client.get("/demo/right").status_code == 404
        assert client.get("/demo/").status_code == 404

    def test_a_home_with_other_accounts_is_no_demo(self, signed_in):
        Account.objects.all().delete()
        signed_in("admin", name="root")
        with pytest.raises(ConfigError, match="accounts of its own"):
            demonstration.make_accounts(OTHER)
        assert Account.objects.count() == 1

    def test_accounts_that_were_made_in_the_demo_are_left_as_they_are(self, signed_in):
        signed_in("analyst", name="erlan")
        demonstration.make_accounts(OTHER)
        assert Account.objects.get(name="erlan").check_password(PASSWORD)
        assert Account.objects.get(name="dana").check_password(OTHER)

    def test_another_start_gives_another_password(self):
        demonstration.make_accounts(OTHER)
        assert Account.objects.get(name="dana").check_password(OTHER)
        assert Account.objects.count() == 3


class TestIdentity:
    @pytest.fixture(autouse=True)
    def service(self, workbench):
        web = replace(workbench.settings.web, oidc_issuer="https://id.example.org", oidc_client_id="bastau")
        with override_settings(BASTAU_HOME=replace(workbench, settings=replace(workbench.settings, web=web))):
            yield

    def test_an_admin_links_and_unlinks_an_identity(self, admin, signed_in):
        signed_in("analyst", name="ana")
        change(admin, "identity", identity="https://id.example.org 17")
        assert Account.objects.get(name="ana").identity == "https://id.example.org 17"
        change(admin, "identity", identity="")
        assert Account.objects.get(name="ana").identity == ""
        assert acts() == ["identity_set", "identity_removed"]
        assert "17" not in str(list(AccountAct.objects.values_list("detail", flat=True)))

    @pytest.mark.parametrize(
        "identity", ["17", "https://evil.example 17", "https://id.example.org", "https://id.example.org17"]
    )
    def test_identities_of_other_services_are_refused(self, admin, signed_in, identity):
        signed_in("analyst", name="ana")
        assert change(admin, "identity", identity=identity).status_code == 409
        assert Account.objects.get(name="ana").identity == ""

    def test_one_identity_opens_one_account(self, admin, signed_in):
        for name in ("ana", "boris"):
            signed_in("analyst", name=name)
        change(admin, "identity", identity="https://id.example.org 17")
        assert change(admin, "identity", "boris", identity="https://id.example.org 17").status_code == 409
        assert Account.objects.get(name="boris").identity == ""

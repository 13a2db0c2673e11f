"""What the pages show of a processed home, and what they never do."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from django.core.checks import run_checks
from django.db import DatabaseError
from django.test import RequestFactory, override_settings
from workbench_home import OUTLETS, PAYLOADS, PRIVATE, VIOLENT

from bastau.home import Home
from bastau_web.workbench import lake_reader
from bastau_web.workbench.configuring import of_home
from bastau_web.workbench.headers import POLICY
from bastau_web.workbench.roles import Role
from bastau_web.workbench.views import failures

PSEUDONYM = re.compile(r"p~[a-z2-7]{16}")
LOCALES = ("kk", "ru", "en")
OWN_TAGS = {"base", "embed", "form", "iframe", "img", "object", "script", "style", "video", "audio"}


class Read(HTMLParser):
    """The links, tags and words of a page; words in a closed ``<details>`` are kept apart."""

    def __init__(self, page: str):
        super().__init__()
        self.links: list[dict[str, str | None]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open_words, self.folded_words = "", ""
        self._depth, self._in_summary = 0, False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append((tag, found))
        if tag == "a":
            self.links.append(found)
        self._depth += tag == "details"
        self._in_summary = self._in_summary or tag == "summary"

    def handle_endtag(self, tag):
        self._depth -= tag == "details"
        self._in_summary = self._in_summary and tag != "summary"

    def handle_data(self, data):
        if self._depth and not self._in_summary:
            self.folded_words += data
        else:
            self.open_words += data


def get(browser, address, **values):
    answer = browser.get(address, values)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


def crawl(browser, start="/?days=30", most=400):
    """Return every page that links and forms lead to, by address."""
    pages, ahead = {}, [start, "/search?q=bridge", "/search?q=market", "/search?platform=x", "/search?q=knives"]
    while ahead:
        address = ahead.pop(0)
        if address in pages or len(pages) >= most:
            continue
        answer = browser.get(address)
        if answer.status_code == 302:
            ahead.append(answer["Location"])
            continue
        assert answer.status_code == 200, (address, answer.status_code)
        pages[address] = answer.content.decode()
        for link in Read(pages[address]).links:
            target = link.get("href") or ""
            if target.startswith("?"):
                target = address.split("?")[0] + target
            if target.startswith("/") and "language=" not in target:
                ahead.append(target.split("#")[0])
    return pages


@pytest.fixture(scope="module")
def pages(workbench: Home):
    """Every page as an account with all roles sees it."""
    from django.db import transaction
    from django.test import Client

    from bastau_web.workbench.models import Account

    with transaction.atomic():
        browser = Client()
        browser.force_login(Account.objects.add("all", "a long password of mine", list(Role)))
        found = crawl(browser)
        transaction.set_rollback(True)
    return found


class TestScope:
    """SCOPE, rule 2: content and publishers, never persons."""

    def test_the_crawl_saw_every_kind_of_page(self, pages):
        kinds = {address.split("?")[0].split("/")[1] for address in pages}
        assert kinds >= {"", "search", "narrative", "post", "source", "sources", "account"}
        assert {f"/source/{name}" for name in OUTLETS} <= pages.keys()
        assert sum(address.startswith("/post/") for address in pages) > 100

    def test_no_page_names_a_private_account(self, pages):
        for address, page in pages.items():
            assert not PSEUDONYM.search(page), address
            for name in PRIVATE:
                assert name not in page, address

    def test_only_publishers_have_a_page(self, pages):
        sources = {address.split("/")[2] for address in pages if address.startswith("/source/")}
        assert sources == set(OUTLETS)

    def test_a_private_account_has_no_page_and_cannot_be_searched_for(self, workbench, signed_in):
        con = workbench.connect()
        [(pseudonym,)] = con.execute("select source from posts where not is_publisher limit 1").fetchall()
        browser = signed_in(*Role)
        for name in (pseudonym, f"@{pseudonym}", *PRIVATE):
            assert browser.get(f"/source/{name}").status_code == 404
            assert '<article class="hit">' not in get(browser, "/search", source=name)

    def test_a_post_of_a_private_account_has_no_name_id_or_address(self, workbench, signed_in):
        from bastau.hashing import format_id

        con = workbench.connect()
        rows = con.execute("select post_key, post_id, url from posts where not is_publisher limit 20").fetchall()
        browser = signed_in("analyst")
        for key, post_id, url in rows:
            page = get(browser, f"/post/{format_id('p', key)}")
            assert post_id not in page
            assert url not in page
            assert not [link for link in Read(page).links if "x.com" in (link.get("href") or "")]

    @pytest.mark.parametrize("role", list(Role))
    def test_it_holds_for_every_role(self, signed_in, role):
        for address, page in crawl(signed_in(role), most=40).items():
            assert not PSEUDONYM.search(page), address
            assert not any(name in page for name in PRIVATE), address


class TestAttacks:
    def test_words_of_posts_are_words(self, pages):
        for address, page in pages.items():
            for tag, attributes in Read(page).tags:
                if tag == "form":
                    assert attributes.get("action", "/").startswith("/"), address
                    continue
                if address == "/account/second-factor" and tag == "img":  # the code to scan, drawn here
                    assert attributes["src"].startswith("data:image/svg+xml"), address
                    continue
                assert tag not in OWN_TAGS, (address, tag)
                assert not any(name.startswith("on") or name == "style" for name in attributes), (address, tag)
                assert (tag, attributes.get("http-equiv")) != ("meta", "refresh"), address
                if tag == "link":
                    assert re.match(r"/assets/|data:,", attributes["href"]), address
            for payload in PAYLOADS:
                if payload.startswith("<"):
                    assert payload not in page, (address, payload)

    def test_the_payloads_were_shown_at_all(self, pages):
        assert sum("&lt;script&gt;" in page for page in pages.values()) > 5
        assert sum("request.user.password" in page for page in pages.values()) > 5

    def test_links_that_lead_out_are_http_and_say_not_where_from(self, pages):
        n = 0
        for address, page in pages.items():
            for link in Read(page).links:
                target = link.get("href") or ""
                if not target.startswith(("/", "?", "#", "otpauth://totp/bastau:")):
                    n += 1
                    assert target.startswith(("http://", "https://")), (address, target)
                    assert "noreferrer" in (link.get("rel") or ""), (address, target)
        assert n > 50

    def test_words_searched_for_are_words(self, signed_in):
        browser = signed_in("analyst")
        for payload in PAYLOADS:
            for field in ("q", "in", "platform", "source", "from", "to", "page", "days"):
                page = get(browser, "/search", **{field: payload})
                assert not {tag for tag, _ in Read(page).tags} & (OWN_TAGS - {"form"})

    @pytest.mark.parametrize(
        "address",
        [
            "/narrative/n'or1=1",
            "/narrative/nzzzzzzzzzzzzz",
            "/narrative/the-bridge",
            f"/narrative/{'-'.join(f'word{i}' for i in range(80))}",
            "/post/p",
            "/post/pzzzzzzzzzzzzz",
            "/source/..%2f..%2fetc%2fpasswd",
            "/assets/0/..%2fsettings.py",
            "/assets/0/settings.py",
            "/nothing",
        ],
    )
    def test_odd_addresses_are_not_found(self, signed_in, address):
        assert signed_in(*Role).get(address).status_code == 404

    @pytest.mark.parametrize("address", ["/source/%00", "/search?q=%00", "/search?%00=a"])
    def test_a_nul_is_no_request(self, signed_in, address):
        answer = signed_in("analyst").get(address, headers={"accept-language": "ru"})
        assert answer.status_code == 400
        assert "Запрос не имеет смысла" in answer.content.decode()

    @pytest.mark.parametrize(
        "query",
        [
            {"q": "%_'\";--"},
            {"q": "a" * 5000},
            {"page": "-1", "q": "bridge"},
            {"page": "9" * 30, "q": "bridge"},
            {"page": "9" * 5000, "q": "bridge"},
            {"page": "²", "q": "bridge"},
            {"from": "2024-13-45", "q": "bridge"},
            {"from": "9999-12-31", "to": "9999-12-31", "q": "bridge"},
            {"in": "'", "platform": "'"},
        ],
    )
    def test_odd_searches_break_nothing(self, signed_in, query):
        assert signed_in("analyst").get("/search", query).status_code == 200


class TestWarnings:
    def test_violent_words_are_behind_a_warning_on_every_page(self, pages):
        n = 0
        for address, page in pages.items():
            read = Read(page)
            assert VIOLENT[:40] not in read.open_words, address
            n += VIOLENT[:40] in read.folded_words
        assert n > 20

    def test_pictures_are_never_loaded_and_those_of_private_accounts_not_even_linked(self, pages):
        addresses = [address for address, page in pages.items() if "https://m.example/a.jpg" in page]
        assert addresses
        for address, page in pages.items():
            assert "photo.jpg" not in page, address


def behind_https(home: Home):
    web = replace(home.settings.web, origin="https://workbench.example.org")
    values = of_home(replace(home, settings=replace(home.settings, web=web)), "127.0.0.1")
    del values["DATABASES"]  # the connection stays
    return override_settings(**values)


class TestHeaders:
    def test_every_answer_carries_them(self, client, signed_in):
        answers = [client.get(address) for address in ("/", "/sign-in", "/health", "/nothing", "/assets/0/report.css")]
        browser = signed_in(*Role)
        answers += [browser.get(address) for address in ("/", "/search", "/account")]
        for answer in answers:
            assert answer["Content-Security-Policy"] == POLICY
            assert answer["X-Frame-Options"] == "DENY"
            assert answer["X-Content-Type-Options"] == "nosniff"
            assert answer["Referrer-Policy"] == "same-origin"
        assert "unsafe" not in POLICY
        assert "script-src" not in POLICY  # default-src 'none' holds

    def test_pages_are_kept_by_nobody_and_style_sheets_for_good(self, signed_in):
        browser = signed_in("analyst")
        page = browser.get("/account")
        assert page["Cache-Control"] == "no-store"
        for sheet in re.findall(r'href="(/assets/[^"]+)"', page.content.decode()):
            answer = browser.get(sheet)
            assert answer["Content-Type"].startswith("text/css")
            assert "immutable" in answer["Cache-Control"]

    def test_nothing_is_to_be_said_against_the_settings_behind_https(self, workbench):
        with behind_https(workbench):
            assert [m for m in run_checks(include_deployment_checks=True) if not m.is_silenced()] == []

    def test_behind_https_cookies_stay_on_https_and_other_names_are_refused(self, workbench, client):
        with behind_https(workbench):
            assert client.get("/sign-in", HTTP_HOST="evil.example").status_code == 400
            assert client.get("/sign-in", HTTP_HOST="workbench.example.org").status_code == 301
            answer = client.get("/sign-in", HTTP_HOST="workbench.example.org", secure=True)
            assert answer.cookies["bastau_csrf"]["secure"]
            assert answer["Strict-Transport-Security"].startswith("max-age=31536000")


class TestPages:
    def test_today_says_what_is_new_and_why(self, signed_in):
        page = get(signed_in("analyst"), "/", days="30", language="en")
        assert "The old bridge over the river" in page
        assert "first seen" in page
        assert "gazeta_altai, gazeta_balqash" in page  # moved together
        assert "rule: call to violence: 14 posts" in page
        assert page.count('<article class="hit">') == 1  # the latest of the narrative

    def test_search_finds_words_by_their_beginning_and_narrows(self, signed_in):
        browser = signed_in("analyst")

        def n(**values):
            return int(re.search(r"<h2>(\d+) posts?</h2>", get(browser, "/search", language="en", **values))[1])

        assert n(q="knives") == n(q="kniv") == 14
        assert n(q="knives", source="gazeta_altai") == 2
        assert n(q="KNIVES unbelievers", platform="x") == 14
        assert n(**{"q": "knives", "to": "2024-05-01"}) == 14
        for nothing in ({"q": "knives nowhere"}, {"q": "knives", "from": "2024-05-02"}, {"q": "knives", "in": "kk"}):
            assert "No stored post fits" in get(browser, "/search", language="en", **nothing)

    def test_search_pages_show_each_post_once(self, signed_in):
        browser, seen, address = signed_in("analyst"), [], "/search?platform=x"
        while address:
            page = get(browser, address)
            seen += re.findall(r'<p class="by"><a href="/post/(p\w+)"', page)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            address = f"/search{following[1].replace('&amp;', '&')}" if following else ""
        assert len(seen) == len(set(seen)) > 150

    def test_an_id_or_an_address_leads_to_its_narrative(self, workbench, signed_in):
        [(narrative,)] = workbench.connect().execute("select narrative_id from narratives limit 1").fetchall()
        browser = signed_in("analyst")
        assert browser.get("/search", {"q": narrative})["Location"] == f"/narrative/{narrative}"
        target = browser.get("/search", {"q": "https://x.com/gazeta_altai/status/1006"})["Location"]
        assert target.startswith("/narrative/n")

    @pytest.mark.parametrize("language", LOCALES)
    def test_pages_speak_the_language_throughout(self, workbench, signed_in, language):
        browser = signed_in("analyst")
        for address in ("/", "/search?q=knives", "/source/gazeta_altai", "/sources", "/account"):
            page = get(browser, address, language=language)
            assert f'<html lang="{language}">' in page
            assert "web." not in Read(page).open_words

    def test_a_home_without_posts_has_pages_too(self, signed_in, tmp_path):
        browser = signed_in("analyst")
        with override_settings(BASTAU_HOME=Home.open(tmp_path / "empty", create=True)):
            for address in ("/", "/search?q=anything", "/sources", "/health"):
                get(browser, address)
            assert browser.get("/source/gazeta_altai").status_code == 404

    def test_what_is_stored_later_is_seen_without_a_restart(self, workbench, signed_in, tmp_path, monkeypatch):
        import json
        import time

        from workbench_home import START, STORY

        from bastau.intake import import_file

        monkeypatch.setattr(lake_reader, "_LOOK_EVERY_S", 0.0)
        home, browser = Home.open(tmp_path / "later", create=True), signed_in("analyst")
        file = tmp_path / "posts.ndjson"
        with override_settings(BASTAU_HOME=home):
            assert 'class="hit"' not in get(browser, "/search", platform="web")
            post = {"post_id": "web:a.example/1", "platform": "web", "source": "a.example", "text": STORY}
            file.write_text(json.dumps(post | {"source_kind": "website", "published_at": START.isoformat()}))
            import_file(home, file, now=START)
            until = time.monotonic() + 20
            while 'class="hit"' not in get(browser, "/search", platform="web"):
                assert time.monotonic() < until
                time.sleep(0.05)

    def test_a_lake_that_cannot_be_read_is_said_in_words(self, signed_in, tmp_path):
        home = Home.open(tmp_path / "torn", create=True)
        (home.folder / "generations").mkdir()
        (home.folder / "generations" / "CURRENT").write_text("gen-00000009")
        with override_settings(BASTAU_HOME=home):
            answer = signed_in("analyst").get("/?language=en")
        assert answer.status_code == 503
        assert "bastau doctor" in answer.content.decode()

    def test_our_fault_is_said_without_the_database(self, workbench):
        from django.utils.functional import SimpleLazyObject

        def away():
            raise DatabaseError("away")

        request = RequestFactory().get("/")
        request.user = SimpleLazyObject(away)
        answer = failures.our_fault(request)
        assert answer.status_code == 500
        assert "our fault" in answer.content.decode()

    def test_health_says_when_the_lake_cannot_be_read(self, client, tmp_path):
        home = Home.open(tmp_path / "broken", create=True)
        (home.folder / "generations").mkdir()
        (home.folder / "generations" / "CURRENT").write_text("gen-00000009")
        with override_settings(BASTAU_HOME=home):
            answer = client.get("/health")
        assert answer.status_code == 503
        assert answer.json()["lake"] == "unavailable"


def test_the_menu_marks_the_page_that_one_is_on(signed_in):
    browser = signed_in("analyst")
    for address in ("/", "/search", "/groups"):
        page = browser.get(address).content.decode()
        assert f'href="{address}" aria-current="page"' in page
        assert page.count('aria-current="page"') == 1

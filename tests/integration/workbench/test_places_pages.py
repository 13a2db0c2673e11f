"""Places are looked at before they are watched, within bounds, and changed by those who may."""

import asyncio
import re
from datetime import UTC, datetime

import pytest
from django.core import signing
from django.test import override_settings
from django.urls import reverse

from bastau.collect.visits import Found
from bastau.home import Home
from bastau.places import Looked
from bastau.watching import LIST_FILE, open_store
from bastau_web.workbench.models import Account
from bastau_web.workbench.views import places

FIRST = {"published_at": "2026-11-27T10:00:00+00:00", "title": "The river <b>rose</b>", "platform": "web"}
FEED = Found(
    "feed", "https://tau.example/feed", "tau.example", "Tau & <i>co</i>", "a feed", 12.5, (FIRST,), {"etag": "x"}
)
SITE = Found("site", "https://tau.example/", "tau.example", "Tau", "pages")


@pytest.fixture
def watched(workbench: Home):
    """A list of sources with one place; gone afterwards."""
    with open_store(workbench) as store:
        store.add([FEED], options={}, priority=0, now=1e9)
        number = store.sources()[0].source_id
    yield number
    for file in workbench.folder.glob(f"{LIST_FILE}*"):
        file.unlink()


@pytest.fixture
def unwatched(workbench: Home):
    yield workbench
    for file in workbench.folder.glob(f"{LIST_FILE}*"):
        file.unlink()


def sources(home: Home):
    with open_store(home) as store:
        return store.sources()


def look_finds(monkeypatch, *found: Found, problem: str | None = None) -> list[str]:
    asked: list[str] = []

    async def look(_home, wanted, done):
        asked.extend(one.address for one in wanted)
        looked = [Looked(one, found, problem) for one in wanted]
        for one in looked:
            done(one)
        return looked

    monkeypatch.setattr(places.places, "look", look)
    return asked


def tokens(page: str) -> list[str]:
    return re.findall(r'name="take" value="([^"]+)"', page)


def test_what_is_there_is_shown_and_only_what_was_chosen_is_watched(signed_in, unwatched, monkeypatch):
    browser = signed_in("analyst")
    asked = look_finds(monkeypatch, FEED, SITE)
    answer = browser.post(
        reverse("look-at-places"), {"addresses": "https://tau.example\n"}, headers={"Accept-Language": "en"}
    )
    page = answer.content.decode()
    assert answer.status_code == 200
    assert asked == ["https://tau.example"]
    assert "Tau &amp; &lt;i&gt;co&lt;/i&gt;" in page
    assert "The river &lt;b&gt;rose&lt;/b&gt;" in page
    assert "About 12.5 posts a day" in page
    assert not (unwatched.folder / LIST_FILE).exists()
    answer = browser.post(reverse("watch-places"), {"take": tokens(page)[:1]}, headers={"Accept-Language": "en"})
    assert "1 place added" in answer.content.decode()
    assert [(one.address, one.posts_a_day) for one in sources(unwatched)] == [(FEED.address, 12.5)]
    answer = browser.post(reverse("watch-places"), {"take": tokens(page)}, headers={"Accept-Language": "en"})
    assert "was watched already" in answer.content.decode()


def test_a_list_with_columns_is_looked_at(signed_in, unwatched, monkeypatch):
    asked = look_finds(monkeypatch, problem="nothing there")
    answer = signed_in("admin").post(
        reverse("look-at-places"), {"addresses": "address,name\nhttps://a.example,A\nhttps://b.example,B\n"}
    )
    assert asked == ["https://a.example", "https://b.example"]
    assert answer.content.decode().count("nothing there") == 2
    assert reverse("watch-places") in answer.content.decode()
    assert not tokens(answer.content.decode())


@pytest.mark.parametrize(
    "typed", ["", "  \n# nothing\n", "\n".join(f"https://{i}.example" for i in range(21)), "name,what\nx,y"]
)
def test_no_address_and_too_many_are_said(signed_in, unwatched, monkeypatch, typed):
    asked = look_finds(monkeypatch)
    answer = signed_in("analyst").post(reverse("look-at-places"), {"addresses": typed})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert asked == []


def test_one_who_does_not_answer_keeps_nobody_waiting(signed_in, unwatched, monkeypatch):
    async def look(_home, wanted, done):
        done(Looked(wanted[0], (FEED,)))
        await asyncio.sleep(60)

    monkeypatch.setattr(places.places, "look", look)
    monkeypatch.setattr(places, "LOOK_S", 0.05)
    answer = signed_in("analyst").post(reverse("look-at-places"), {"addresses": "https://a.example\nhttps://slow.example"}, headers={"Accept-Language": "en"})  # fmt: skip
    page = answer.content.decode()
    assert answer.status_code == 200
    assert len(tokens(page)) == 1
    assert "no answer within" in page


def test_one_look_at_a_time(signed_in, unwatched, monkeypatch):
    asked = look_finds(monkeypatch)
    with places._looking:
        answer = signed_in("analyst").post(reverse("look-at-places"), {"addresses": "https://a.example"})
    assert answer.status_code == 409
    assert asked == []


def test_private_addresses_are_refused_as_on_the_command_line(signed_in, unwatched):
    answer = signed_in("analyst").post(
        reverse("look-at-places"), {"addresses": "http://127.0.0.1:9/\nhttp://169.254.169.254/latest/"}
    )
    page = answer.content.decode()
    assert answer.status_code == 200
    assert page.count('class="wrong"') == 2
    assert not tokens(page)


class TestOffers:
    def take(self, browser, *tokens: str):
        return browser.post(reverse("watch-places"), {"take": list(tokens)})

    def kept(self, salt: str) -> str:
        kept = {
            name: getattr(FEED, name) for name in ("collector", "address", "source", "title", "posts_a_day", "state")
        }
        return signing.dumps(kept, salt=salt, compress=True)

    def test_nobody_makes_one_for_himself(self, signed_in, unwatched):
        browser = signed_in("analyst")
        for token in ("", "x", "e30:1:abc", self.kept("something else"), self.kept("places 999999")):
            assert self.take(browser, token).status_code == 422
        assert not (unwatched.folder / LIST_FILE).exists()

    def test_one_is_good_for_who_looked_and_for_an_hour(self, signed_in, unwatched, monkeypatch):
        browser = signed_in("analyst", name="looker")
        token = self.kept(f"places {Account.objects.get(name='looker').pk}")
        assert self.take(signed_in("admin"), token).status_code == 422
        with monkeypatch.context() as later:
            later.setattr(places, "_KEPT_S", -1)
            assert self.take(browser, token).status_code == 422
        assert self.take(browser, token).status_code == 200

    def test_choosing_nothing_is_said(self, signed_in, unwatched):
        assert self.take(signed_in("analyst")).status_code == 422


class TestOnePlace:
    def test_all_who_read_see_it_and_those_who_may_have_forms(self, signed_in, watched):
        address = reverse("place", args=[watched])
        assert f'href="{address}"' in signed_in("auditor").get("/sources").content.decode()
        seen = signed_in("reviewer").get(address).content.decode()
        assert "tau.example/feed" in seen
        assert "<textarea" not in seen
        assert "<textarea" in signed_in("admin").get(address).content.decode()

    def edit(self, browser, number, **values):
        return browser.post(
            reverse("edit-place", args=[number]), {"name": "Tau", "priority": "0", "options": ""} | values
        )

    def test_name_priority_and_options_are_changed(self, signed_in, watched, workbench):
        browser = signed_in("analyst")
        assert (
            self.edit(browser, watched, name=" The  Mountain ", priority="-2", options="full_text=true\n").status_code
            == 302
        )
        [one] = sources(workbench)
        assert (one.name, one.priority, one.options) == ("The Mountain", -2, {"full_text": True})
        page = browser.get(reverse("place", args=[watched]), {"done": "edited"}).content.decode()
        assert "full_text=true" in page
        self.edit(browser, watched)
        assert sources(workbench)[0].options == {}

    @pytest.mark.parametrize(
        "wrong", [{"priority": "5"}, {"priority": "x"}, {"options": "full_text"}, {"options": "no_such_option=1"}]
    )
    def test_what_has_no_sense_is_said_and_changes_nothing(self, signed_in, watched, workbench, wrong):
        before = sources(workbench)
        answer = self.edit(signed_in("analyst"), watched, name="typed <b>", **wrong)
        assert answer.status_code == 422
        assert "typed &lt;b&gt;" in answer.content.decode()
        assert sources(workbench) == before

    def test_it_is_paused_and_goes_on(self, signed_in, watched, workbench):
        browser = signed_in("analyst")
        for said, expected in (("1", True), ("0", False)):
            assert browser.post(reverse("pause-place", args=[watched]), {"pause": said}).status_code == 302
            assert sources(workbench)[0].is_paused is expected

    def test_it_is_looked_at_as_soon_as_possible(self, signed_in, watched, workbench):
        with open_store(workbench) as store:
            slices = [store.sources()[0].slice]
            assert store.hurried(slices) == []
            assert signed_in("admin").post(reverse("hurry-place", args=[watched])).status_code == 302
            assert store.hurried(slices) == [watched]

    def test_it_is_removed_once_that_was_ticked(self, signed_in, watched, workbench):
        browser = signed_in("analyst")
        assert browser.post(reverse("remove-place", args=[watched])).status_code == 422
        assert len(sources(workbench)) == 1
        assert browser.post(reverse("remove-place", args=[watched]), {"sure": "1"}).status_code == 302
        assert sources(workbench) == []

    @pytest.mark.parametrize("act", ["place", "edit-place", "pause-place", "hurry-place", "remove-place"])
    def test_one_that_is_not_there_is_not_found(self, signed_in, watched, act):
        browser = signed_in("admin")
        ask = browser.get if act == "place" else browser.post
        assert ask(reverse(act, args=[watched + 1000])).status_code == 404

    def test_nothing_is_made_where_nothing_is_watched(self, signed_in, tmp_path, workbench):
        with override_settings(BASTAU_HOME=Home(tmp_path, workbench.settings)):
            assert signed_in("admin").post(reverse("pause-place", args=[1])).status_code == 404
        assert not (tmp_path / LIST_FILE).exists()


@pytest.mark.parametrize("value", [None, "", "soon", "2026-11-27T10:00:00", datetime(2026, 11, 27, 10, tzinfo=UTC)])
def test_odd_times_of_first_posts_break_nothing(value):
    at = places._time(value)
    assert at is None or at.tzinfo is not None

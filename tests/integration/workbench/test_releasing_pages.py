"""From a release to a retraction that reaches a subscriber: pages, log, files and database, also when something goes wrong."""

import csv
import io
import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from django.db import OperationalError
from django.test import Client, override_settings

sys.path.append(str(Path(__file__).parents[2] / "unit" / "review"))


from review_cases import ALWAYS, LEFT, judged, opened, released, subject, verdict, who
from review_pages import NOON, Clock, book, words

from bastau import logbook
from bastau.desk import Desk
from bastau.errors import DiskFull
from bastau.home import Home
from bastau.prefix_client import Client as Subscriber
from bastau.prefix_client import update
from bastau.publishing import public_folder, publish_due
from bastau.review.acts import Released, Reopened
from bastau.review.appeals import code_hash, words_hash
from bastau.review.cases import standing
from bastau.review.entries import entry_id
from bastau.settings import Shield
from bastau.shield.commands import default_key
from bastau.shield.signing import make_key
from bastau_web.workbench import acting, appeal_words, publishing
from bastau_web.workbench.views import records

VALUE = "https://outlet.kz/call"
FACTS = "The page names a place and a day and calls on readers to come armed."
WHOLE = "Every page of this host calls for killing, nothing else stands there, and new ones come each day."
APPEAL = "This is a school lesson about how recruiters work; it quotes the call and refutes it."
CODE = re.compile(r"(?:[A-Z2-7]{4}-){7}[A-Z2-7]{4}")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr("django.utils.timezone.now", made)
    return made


@pytest.fixture(autouse=True)
def home(workbench, tmp_path):
    """A home of its own, with a key, an empty lake and a log of its own."""
    made = Home.open(tmp_path / "home", create=True)
    said = Shield(publisher="Watch", appeal="https://w.example/appeal", policy="https://w.example/p", licence="CC0-1.0")
    made = replace(made, settings=replace(made.settings, shield=said))
    make_key(default_key(made))
    with override_settings(BASTAU_HOME=made):
        yield made


def decide(clock, value=VALUE, kind="url", given=None, rates=None):
    """Open a case and give a verdict on it; return its id."""
    act = opened(subject(kind, value))
    acting.the_desk().act(lambda _: act, clock.at)
    clock.later(minutes=1)
    extra = {} if rates is None else {"rates": rates}
    acting.the_desk().act(lambda b: judged(b.cases[act.case], who("aigul"), given, **extra), clock.at)
    clock.later(minutes=1)
    return act.case


def form(ident, **changes):
    of = book().cases[ident].round.given[-1].n if book().cases[ident].round.given else 0
    return {"do": "release", "of": of, "expires": "2026-12-20", "facts": FACTS} | changes


@pytest.fixture
def bolat(signed_in):
    return signed_in("publisher", name="bolat")


def let_out(browser, ident, **changes):
    """Release a case; return the code that is shown once."""
    answer = browser.post(f"/release/{ident}", form(ident, **changes))
    assert answer.status_code == 200, words(answer)
    return CODE.search(answer.content.decode())[0]


def entry_of(ident):
    return book().cases[ident].entries[-1]


def fetched(address, **asked):
    """Return an answer and its body, all of it read."""
    answer = Client().get(address, **asked)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    for close in answer._resource_closers:  # not `close()`, which would end the connection to the database too
        close()
    return answer, body


def everything_in(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


class TestRelease:
    def test_the_code_is_shown_once_and_kept_nowhere(self, bolat, clock, home, workbench, caplog):
        ident = decide(clock)
        before = bolat.get(f"/release/{ident}")
        assert "aigul" in words(before)
        assert "a" * 64 in words(before)
        assert "call@3" in words(before)
        code = let_out(bolat, ident)
        assert entry_of(ident).released.code_sha256 == code_hash(code)
        assert CODE.search(bolat.get(f"/release/{ident}").content.decode()) is None
        again = bolat.post(f"/release/{ident}", form(ident))
        assert again.status_code == 409
        assert "anew" in words(again)
        assert CODE.search(again.content.decode()) is None
        plain = code.replace("-", "").encode()
        for kept in (everything_in(home.folder), everything_in(workbench.folder / "workbench"), caplog.text.encode()):
            assert code.encode() not in kept
            assert plain not in kept

    def test_the_notice_says_all_in_three_languages_and_can_be_saved_without_scripts(self, bolat, clock):
        answer = bolat.post(f"/release/{(ident := decide(clock))}", form(ident))
        page = answer.content.decode()
        code = CODE.search(page)[0]
        texts = [unescape(text) for text in re.findall(r'<pre class="typed notice">(.*?)</pre>', page, re.S)]
        assert len(texts) == 3
        for text in texts:
            for said in (VALUE, code, FACTS, "Regulation (EU) 2021/784", "http://testserver/appeal", "14", "2027"):
                assert said in text
            assert "{" not in text
        assert page.count('href="data:text/plain;charset=utf-8,') == 3
        assert answer["Cache-Control"] == "no-store"

    def test_who_gave_the_verdict_cannot_release_it_in_any_role_or_browser(self, signed_in, clock):
        ident = decide(clock)
        from bastau_web.workbench.models import Account

        one = signed_in("publisher", "reviewer", name="aigul")
        other = signed_in("publisher", name="aigul_at_home")
        Account.objects.filter(name="aigul_at_home").update(person="aigul")
        for browser in (one, other):
            assert "You gave a verdict" in words(browser.get(f"/release/{ident}"))
            assert browser.post(f"/release/{ident}", form(ident)).status_code == 409
        assert book().cases[ident].entries == ()

    def test_of_two_windows_one_releases_and_the_other_is_told(self, bolat, signed_in, clock):
        ident = decide(clock)
        both = form(ident)
        let_out(bolat, ident)
        second = signed_in("publisher", name="dana").post(f"/release/{ident}", both)
        assert second.status_code == 409
        assert len(book().cases[ident].entries) == 1

    def test_what_changed_since_it_was_read_is_not_released(self, bolat, clock):
        ident = decide(clock)
        for of in (0, 10**17, "x", ""):
            answer = bolat.post(f"/release/{ident}", form(ident, of=of))
            assert answer.status_code == 409
            assert FACTS in words(answer)  # nothing typed is lost
        assert book().cases[ident].entries == ()

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"expires": "2026-11-28"}, "at most 90 days"),
            ({"expires": "2027-02-27"}, "at most 90 days"),
            ({"expires": "soon"}, "at most 90 days"),
            ({"facts": "short"}, "20 to 5000 characters"),
            ({"facts": "x" * 5001}, "20 to 5000 characters"),
            ({"ground_url": "javascript:alert(1)"}, "begins with https://"),
            ({"ground_url": "http://law.example/"}, "begins with https://"),
            ({"territory": "KZ"}, "EU and EEA members"),
        ],
        ids=str,
    )
    def test_what_does_not_fit_is_said_and_nothing_is_written(self, bolat, clock, wrong, said):
        ident = decide(clock)
        answer = bolat.post(f"/release/{ident}", form(ident, **wrong))
        assert answer.status_code == 422
        assert said in words(answer)
        assert book().cases[ident].entries == ()

    def test_a_whole_host_takes_an_argument(self, bolat, clock):
        ident = decide(clock, "bad-host.kz", "host")
        answer = bolat.post(f"/release/{ident}", form(ident))
        assert answer.status_code == 422
        assert "at least 80 characters" in words(answer)
        let_out(bolat, ident, whole_argument=WHOLE)
        assert entry_of(ident).released.whole_argument == WHOLE

    def test_a_preview_shows_the_statement_and_writes_nothing(self, bolat, clock):
        ident = decide(clock)
        answer = bolat.post(f"/release/{ident}", form(ident, do="preview", territory="fr de"))
        assert answer.status_code == 200
        assert "DE, FR" in words(answer)
        assert '"territorial_scope"' in words(answer)
        assert book().cases[ident].entries == ()

    def test_there_is_nothing_to_release_while_it_is_open_or_left(self, bolat, clock):
        left, waiting = decide(clock, given=LEFT), decide(clock, "https://outlet.kz/2", rates=ALWAYS)
        for ident in (left, waiting):
            page = bolat.get(f"/release/{ident}")
            assert 'name="facts"' not in page.content.decode()
            assert bolat.post(f"/release/{ident}", form(ident)).status_code == 409
        # whoever is to give a second opinion must not read the first here
        assert "aigul" not in words(bolat.get(f"/release/{waiting}"))

    def test_what_was_typed_and_decided_is_words_and_nothing_else(self, bolat, clock):
        attack = "<script>alert(1)</script>{{ request.user.password }}{0.__class__} words enough"
        ident = decide(clock, given=verdict(reason=attack))
        for answer in (
            bolat.post(f"/release/{ident}", form(ident, do="preview", facts=attack)),
            bolat.post(f"/release/{ident}", form(ident, facts=attack)),
        ):
            assert "<script>" not in answer.content.decode()
            assert attack in words(answer)

    def test_a_clock_that_went_back_is_told(self, bolat, clock):
        ident = decide(clock)
        clock.later(hours=-2)
        answer = bolat.post(f"/release/{ident}", form(ident))
        assert answer.status_code == 409
        assert "clock" in words(answer)

    def test_a_full_disk_changes_nothing_and_says_so(self, bolat, clock, monkeypatch):
        ident = decide(clock)

        def full(*_):
            raise DiskFull("no space left")

        monkeypatch.setattr("bastau.desk.Desk.act", full)
        answer = bolat.post(f"/release/{ident}", form(ident))
        assert answer.status_code == 503
        assert FACTS in words(answer)

    def test_how_the_publisher_was_told_is_noted_without_words(self, bolat, clock):
        from bastau_web.workbench.models import Notice

        ident = decide(clock)
        let_out(bolat, ident)
        n = entry_of(ident).n
        assert bolat.post(f"/release/{ident}/{n}/notice", {"way": "email"}).status_code == 302
        assert "by e-mail" in words(bolat.get(f"/release/{ident}"))
        for ident_, n_, way in (
            (ident, n, "to nurlan@mail.kz"),
            (ident, n + 1, "email"),
            ("c0000000000000", n, "email"),
        ):
            assert bolat.post(f"/release/{ident_}/{n_}/notice", {"way": way}).status_code == 404
        assert [(row.case, row.way) for row in Notice.objects.all()] == [(ident, "email")]

    def test_the_statement_is_handed_out_as_the_database_takes_it(self, bolat, clock):
        ident = decide(clock)
        let_out(bolat, ident)
        said = bolat.get(f"/release/{ident}/{entry_of(ident).n}/statement.json").json()
        assert said["puid"] == f"{entry_id(book().cases[ident])}-{entry_of(ident).n}"
        assert said["decision_facts"] == FACTS
        assert bolat.get(f"/release/{ident}/1/statement.json").status_code == 404

    def test_a_reviewer_looks_and_takes_back_and_lets_nothing_out(self, bolat, signed_in, clock):
        ident = decide(clock)
        dana = signed_in("reviewer", name="dana")
        page = dana.get(f"/release/{ident}").content.decode()
        assert 'name="facts"' not in page
        assert dana.post(f"/release/{ident}", form(ident)).status_code == 403
        assert book().cases[ident].entries == ()
        let_out(bolat, ident)
        page = dana.get(f"/release/{ident}").content.decode()
        assert f'action="/release/{ident}/withdraw"' in page
        assert "/notice" not in page

    def test_one_person_takes_an_entry_back_with_a_reason(self, bolat, signed_in, clock):
        ident = decide(clock)
        let_out(bolat, ident)
        dana = signed_in("reviewer", name="dana")
        assert dana.post(f"/release/{ident}/withdraw", {"why": "withdrawn", "reason": "no"}).status_code == 422
        odd = dana.post(f"/release/{ident}/withdraw", {"why": "whim", "reason": "It is a lesson, no call."})
        assert odd.status_code == 422
        assert "It is a lesson, no call." in words(odd)  # nothing typed is lost
        assert standing(book().cases[ident], clock.at) is not None
        assert dana.post(f"/release/{ident}/withdraw", {"why": "withdrawn", "reason": "x" * 30}).status_code == 302
        assert standing(book().cases[ident], clock.at) is None
        assert dana.post(f"/release/{ident}/withdraw", {"why": "withdrawn", "reason": "x" * 30}).status_code == 409


@pytest.fixture
def listed(bolat, clock):
    """A case whose entry stands, and the code for it."""
    ident = decide(clock)
    return ident, let_out(bolat, ident)


def file(code, text=APPEAL, browser=None, **more):
    return (browser or Client()).post("/appeal", {"code": code, "words": text, "do": "file"}, **more)


class TestAppeals:
    def test_who_has_the_code_sees_what_why_until_when_and_can_object(self, listed, clock):
        ident, code = listed
        shown = words(Client().post("/appeal", {"code": code.lower().replace("-", " "), "do": "look"}))
        for said in (VALUE, "Regulation (EU) 2021/784", FACTS, "20 December 2026", "14 days"):
            assert said in shown
        assert "has arrived" in words(file(code))
        appeal = entry_of(ident).appeal
        assert appeal.due_at == clock.at + timedelta(days=14)
        assert appeal_words.words_of(appeal) == APPEAL
        waits = words(Client().post("/appeal", {"code": code, "do": "look"}))
        assert "waits for an answer" in waits

    @pytest.mark.parametrize("language", ["kk", "ru", "en"])
    def test_it_is_there_in_each_language_without_an_account(self, listed, language):
        _, code = listed
        page = Client().post(f"/appeal?language={language}", {"code": code, "do": "look"})
        assert page.status_code == 200
        assert f'lang="{language}"' in page.content.decode()
        assert VALUE in words(page)

    def test_a_third_person_answers_and_the_holder_of_the_code_reads_it(self, listed, signed_in, clock):
        ident, code = listed
        file(code)
        n = entry_of(ident).appeal.n
        answer = {"decision": "overturn", "reason": "The page quotes the call to refute it, as a lesson does."}
        aigul, dana = signed_in("reviewer", name="aigul"), signed_in("reviewer", name="dana")
        assert "You took part" in words(aigul.get(f"/appeals/{ident}/{n}"))
        assert aigul.post(f"/appeals/{ident}/{n}", answer).status_code == 409
        assert APPEAL in words(dana.get(f"/appeals/{ident}/{n}"))
        for wrong in ({"decision": "perhaps"}, {"reason": "no"}):
            assert dana.post(f"/appeals/{ident}/{n}", answer | wrong).status_code == 422
        assert dana.post(f"/appeals/{ident}/{n}", answer).status_code == 302
        assert entry_of(ident).retraction_reason == "overturned"
        told = words(Client().post("/appeal", {"code": code, "do": "look"}))
        assert answer["reason"] in told
        assert VALUE not in told
        assert dana.post(f"/appeals/{ident}/{n}", answer).status_code == 409

    def test_a_crash_between_the_words_and_the_log_loses_nothing_and_doubles_nothing(self, listed, monkeypatch):
        from bastau_web.workbench.models import AppealWords

        ident, code = listed

        class Killed(BaseException):
            pass

        def dies(*_):
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr("bastau.desk.Desk.act", dies)
            with pytest.raises(Killed):
                file(code)
        assert entry_of(ident).appeal is None
        assert AppealWords.objects.count() == 1
        assert file(code).status_code == 200
        assert appeal_words.words_of(entry_of(ident).appeal) == APPEAL
        # killed after the log was written and before the answer came: sent again, it is the same appeal
        again = file(code)
        assert again.status_code == 409
        assert "waits for an answer" in words(again)
        assert AppealWords.objects.count() == 1
        assert sum(b'"appealed"' in line for line in (Path(acting.the_desk()._path)).read_bytes().splitlines()) == 1

    def test_a_kill_between_the_words_and_the_log_is_made_good_by_sending_again(self, tmp_path):
        script = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from bastau.home import Home
from bastau_web.workbench.configuring import configure
home = Home.open(Path(sys.argv[1]))
configure(home)
from django.core.management import call_command
call_command("migrate", verbosity=0)
from bastau.desk import Desk
from bastau_web.workbench import appeal_words
from bastau_web.workbench.models import AppealWords
if sys.argv[4] == "killed":
    Desk.act = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
appeal_words.file_appeal(sys.argv[2], sys.argv[3], datetime.fromisoformat(sys.argv[5]))
print(AppealWords.objects.count(), [row.text for row in AppealWords.objects.all()])
"""
        made = Home.open(tmp_path / "killed", create=True)
        desk = Desk(made)
        act = opened(subject())
        desk.act(lambda _: act, NOON)
        desk.act(lambda b: judged(b.cases[act.case], who("aigul")), NOON)
        code = "ABCD" * 8
        desk.act(lambda b: released(b.cases[act.case], who("bolat"), NOON, code_sha256=code_hash(code)), NOON)
        for how in ("killed", "again"):
            done = subprocess.run(
                [sys.executable, "-c", script, str(made.folder), code, APPEAL, how, str(NOON)],
                capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
            assert done.returncode == (-9 if how == "killed" else 0), done.stderr
        assert done.stdout.strip() == f"1 [{APPEAL!r}]"
        [entry] = desk.book().cases[act.case].entries
        assert entry.appeal.text_sha256 == words_hash(code_hash(code), APPEAL)

    def test_the_same_words_for_two_entries_are_two_appeals(self, bolat, listed, clock):
        from bastau_web.workbench.models import AppealWords

        second = decide(clock, "https://outlet.kz/2")
        other = let_out(bolat, second)
        file(listed[1])
        file(other)
        assert AppealWords.objects.count() == 2
        assert {row.case for row in AppealWords.objects.all()} == {listed[0], second}

    def test_nothing_is_kept_of_an_appeal_that_comes_too_late(self, listed, clock):
        from bastau_web.workbench.models import AppealWords

        clock.later(days=184)
        assert file(listed[1]).status_code == 409
        assert AppealWords.objects.count() == 0

    def test_a_full_disk_is_told_and_the_words_are_not_lost(self, listed, monkeypatch):
        def full(*_):
            raise DiskFull("no space left")

        monkeypatch.setattr("bastau.desk.Desk.act", full)
        answer = file(listed[1])
        assert answer.status_code == 503
        assert APPEAL in answer.content.decode()

    def test_a_database_that_is_away_keeps_the_words_on_the_page_and_files_nothing(self, listed, monkeypatch):
        def away(*_, **__):
            raise OperationalError("database is locked")

        monkeypatch.setattr("bastau_web.workbench.models.AppealWords.objects.get_or_create", away)
        answer = file(listed[1])
        assert answer.status_code == 503
        assert APPEAL in answer.content.decode()
        assert entry_of(listed[0]).appeal is None

    def test_an_appeal_that_nobody_answers_takes_the_entry_back(self, listed, clock):
        ident, code = listed
        file(code)
        clock.later(days=14, seconds=1)
        assert "taken back" in words(Client().post("/appeal", {"code": code, "do": "look"}))
        assert standing(book().cases[ident], clock.at) is None

    def test_the_code_of_an_earlier_version_is_for_what_stands_in_its_place(self, listed, bolat, clock):
        ident, code = listed
        reviewer = who("aigul")
        acting.the_desk().act(lambda _: Reopened(ident, reviewer, "renewal", ()), clock.at)
        acting.the_desk().act(lambda b: judged(b.cases[ident], reviewer), clock.at)
        let_out(bolat, ident, expires="2027-01-15")
        shown = words(Client().post("/appeal", {"code": code, "do": "look"}))
        assert VALUE in shown
        assert "15 January 2027" in shown
        assert "Off the list" not in shown
        file(code)
        clock.later(days=14)
        shown = words(Client().post("/appeal", {"code": code, "do": "look"}))
        assert VALUE not in shown
        assert "Off the list" in shown
        assert standing(book().cases[ident], clock.at) is None

    def test_guessing_is_slowed_down_for_the_guesser_only(self, listed):
        guess = {"code": "A" * 32, "do": "look"}
        assert [Client().post("/appeal", guess).status_code for _ in range(6)] == [404] * 5 + [429]
        many = [Client().post("/appeal", {"code": f"{n:0>32}", "do": "look"}).status_code for n in range(40)]
        assert many.count(404) <= 30 - 5
        assert many[-1] == 429
        assert Client().post("/appeal", {"code": listed[1]}, REMOTE_ADDR="192.0.2.7").status_code == 200

    def test_what_is_no_code_says_nothing_about_what_is_listed(self, listed):
        pages = [Client().post("/appeal", {"code": code}) for code in ("A" * 32, "x", listed[0], "e" * 14)]
        assert {page.status_code for page in pages} == {404}
        assert not [page for page in pages if VALUE in words(page)]

    @pytest.mark.parametrize("text", ["", "short", "x" * 5001, "x" * 900_000, " " * 100, "\x01" * 100], ids=len)
    def test_an_appeal_has_some_words_and_not_too_many(self, listed, text):
        assert file(listed[1], text).status_code == 422
        assert entry_of(listed[0]).appeal is None

    def test_the_words_are_words_and_nothing_else(self, listed, signed_in):
        ident, code = listed
        attack = "<script>alert(1)</script>{{ x }}\u202e\ud800 =cmd|' /C calc'!A0 "
        file(code, attack.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
        page = signed_in("reviewer", name="dana").get(f"/appeals/{ident}/{entry_of(ident).appeal.n}").content.decode()
        assert "<script>" not in page
        assert "\u202e" not in page
        assert "{{ x }}" in unescape(page)

    def test_words_are_erased_a_while_after_the_answer_and_lost_ones_after_a_day(self, listed, signed_in, clock):
        from bastau_web.workbench.models import AppealWords

        ident, code = listed
        file(code)
        AppealWords.objects.create(case=ident, text_sha256="0" * 64, text="never filed", filed_at=clock.at)
        assert appeal_words.erase_old(clock.at + timedelta(hours=23), 365) == 0
        assert appeal_words.erase_old(clock.at + timedelta(days=2), 365) == 1
        n = entry_of(ident).appeal.n
        answer = {"decision": "uphold", "reason": "It calls for violence, whatever it says of lessons."}
        dana = signed_in("reviewer", name="dana")
        dana.post(f"/appeals/{ident}/{n}", answer)
        assert appeal_words.erase_old(clock.at + timedelta(days=364), 365) == 0
        assert appeal_words.erase_old(clock.at + timedelta(days=366), 365) == 1
        assert "erased" in words(dana.get(f"/appeals/{ident}/{n}"))

    def test_those_due_first_stand_first(self, bolat, signed_in, clock):
        made = []
        for n in range(2):
            ident = decide(clock, f"https://outlet.kz/{n}")
            file(let_out(bolat, ident))
            made.insert(0, ident)
            clock.later(days=-1)  # of another case: each has its own time
        dana = signed_in("reviewer", name="dana")
        page = dana.get("/appeals").content.decode()
        assert [page.index(ident) for ident in made] == sorted(page.index(ident) for ident in made)
        assert dana.get(f"/appeals/{made[0]}").headers["Location"].startswith(f"/appeals/{made[0]}/")


class TestPublished:
    def test_a_retraction_reaches_a_subscriber_and_names_nobody(self, listed, signed_in, home, clock, tmp_path):
        ident, code = listed
        public = (home.folder / "shield" / "shield.key.pub").read_text()

        def fetch(address):
            answer, body = fetched(address.removeprefix("https://lists.example"))
            assert answer.status_code == 200
            return body

        def subscribed():
            update(tmp_path / "held", "https://lists.example/lists/", public, clock.at, fetch)
            return Subscriber(tmp_path / "held", fetch).look_up(VALUE, clock.at)

        publish_due(home, clock.at)
        assert [entry["act"] for entry in subscribed()] == ["incite"]
        file(code)
        answer = {"decision": "overturn", "reason": "The page quotes the call to refute it, as a lesson does."}
        signed_in("reviewer", name="dana").post(f"/appeals/{ident}/{entry_of(ident).appeal.n}", answer)
        clock.later(seconds=5)
        publish_due(home, clock.at)
        assert subscribed() == []
        assert b"outlet.kz" not in everything_in(public_folder(home))
        why = f"/why/{entry_id(book().cases[ident])}"
        for address in (why, "/transparency", "/transparency/published.ndjson", "/taxii2/", "/lists/list.json"):
            assert b"outlet.kz" not in fetched(address)[1]

    def test_files_are_handed_out_once_and_then_only_when_they_changed(self, listed, home, clock):
        publish_due(home, clock.at)
        first, body = fetched("/lists/list.json")
        assert first["Content-Type"] == "application/json"
        assert first["Cache-Control"] == "public, no-cache"
        assert first["X-Robots-Tag"] == "noindex"
        assert body == (public_folder(home) / "list.json").read_bytes()
        for asked in ({"If-None-Match": first["ETag"]}, {"If-Modified-Since": first["Last-Modified"]}):
            assert fetched("/lists/list.json", headers=asked)[0].status_code == 304
        assert fetched("/lists/list.json", headers={"If-None-Match": '"other"'})[0].status_code == 200
        head = Client().head("/lists/list.json")
        assert head.content == b""
        assert int(head["Content-Length"]) == (public_folder(home) / "list.json").stat().st_size
        publish_due(home, clock.at + timedelta(seconds=1), asked=True)
        assert fetched("/lists/list.json", headers={"If-None-Match": first["ETag"]})[0].status_code == 200
        for name, kind in (("SHA256SUMS", "text/plain"), ("hosts.txt", "text/plain"), ("list.csv", "text/csv")):
            assert fetched(f"/lists/{name}")[0]["Content-Type"].startswith(kind)
        assert Client().post("/lists/list.json").status_code == 405

    def test_nothing_else_is_handed_out(self, listed, home, clock):
        publish_due(home, clock.at)
        folder = public_folder(home)
        (folder / ".tmp-1-list.json").write_text("half")
        (folder / "out").symlink_to(default_key(home))
        (folder / "misp" / "up.json").symlink_to(default_key(home))
        (folder / "full" / "deep").mkdir()
        for name in (
            "../shield.key", "..%2fshield.key", "%2e%2e/shield.key", "full/../../shield.key", "//etc/passwd", "out", "misp/up.json",
            ".tmp-1-list.json", "full", "full/", "full/deep", "", ".", "list.json/", "list.json%00", "a" * 5000, "publish",
        ):  # fmt: skip
            assert fetched(f"/lists/{name}")[0].status_code in (302, 400, 404, 405), name

    def test_why_says_it_to_anybody_and_names_nothing_that_fell(self, listed, bolat, home, clock):
        ident, _ = listed
        address = f"/why/{entry_id(book().cases[ident])}"
        assert Client().get(address).status_code == 404  # not published yet
        publish_due(home, clock.at)
        for language in ("kk", "ru", "en"):
            page = Client().get(f"{address}?language={language}")
            assert page.status_code == 200
            assert VALUE in words(page)
            assert 'name="robots" content="noindex"' in page.content.decode()
            assert "/appeal" in page.content.decode()
        bolat.post(f"/release/{ident}/withdraw", {"why": "withdrawn", "reason": "It should not have been listed."})
        gone = Client().get(address)  # the next version is not made yet
        assert gone.status_code == 200
        assert VALUE not in words(gone)
        clock.later(days=60)
        assert VALUE not in words(Client().get(address))
        for unknown in ("e0000000000000", "c0000000000000", "x"):
            assert Client().get(f"/why/{unknown}").status_code == 404

    def test_an_entry_whose_time_is_over_is_not_named_before_the_next_version_either(self, listed, home, clock):
        publish_due(home, clock.at)
        clock.later(days=30)
        assert VALUE not in words(Client().get(f"/why/{entry_id(book().cases[listed[0]])}"))

    def test_taxii_is_read_by_its_own_rules(self, listed, home, clock):
        media = "application/taxii+json;version=2.1"
        strict = Client(enforce_csrf_checks=True)
        assert strict.get("/taxii2/", headers={"Accept": media}).status_code == 404
        publish_due(home, clock.at)
        assert strict.get("/taxii2/", headers={"Accept": media})["Content-Type"] == media
        [one] = strict.get("/taxii2/api/collections/", headers={"Accept": media}).json()["collections"]
        objects = f"/taxii2/api/collections/{one['id']}/objects/"
        assert VALUE in json.dumps(strict.get(objects, {"match[type]": "indicator"}, headers={"Accept": media}).json())
        assert strict.get("/taxii2/", headers={"Accept": "text/html"}).status_code == 406
        assert strict.post(objects, {}, content_type=media, headers={"Accept": media}).status_code == 405
        head = strict.head("/taxii2/", headers={"Accept": media})
        assert (head.status_code, head.content) == (200, b"")

    def test_lists_show_what_stands_what_fell_and_what_is_wrong(self, listed, bolat, signed_in, home, clock):
        reader = signed_in("analyst", name="reader")
        assert "not in the published version yet" in words(reader.get("/lists"))
        assert "Publish now" not in words(reader.get("/lists"))
        assert "Publish now" in words(bolat.get("/lists"))
        publish_due(home, clock.at)
        page = words(reader.get("/lists"))
        for said in (VALUE, "version 1", "call@3", "SHA256SUMS", "20 December 2026"):
            assert said in page
        clock.later(minutes=5)
        bolat.post(f"/release/{listed[0]}/withdraw", {"why": "withdrawn", "reason": "It should not have been listed."})
        publish_due(home, clock.at)
        page = words(reader.get("/lists?since=1"))
        assert VALUE not in page
        assert f"Retracted: {entry_id(book().cases[listed[0]])}" in re.sub(r"\s+", " ", page)
        for odd in ("?since=999999999999", "?since=x", "?page=99", "?page=-1"):
            assert reader.get(f"/lists{odd}").status_code == 200

    def test_trouble_and_a_missing_key_are_told_on_the_pages(self, listed, signed_in, home, clock):
        reader = signed_in("analyst", name="reader")
        default_key(home).chmod(0o644)
        publish_due(home, clock.at)
        assert "chmod 600" in words(reader.get("/lists"))
        assert "could not be published" in words(reader.get("/"))
        default_key(home).unlink()
        assert "bastau shield keygen" in words(reader.get("/lists"))

    def test_what_is_released_is_published_within_seconds_and_nobody_waits_for_it(self, bolat, home, monkeypatch):
        monkeypatch.setattr(publishing, "_erase", lambda _: None)
        now = Clock()
        now.at = datetime.now(UTC)
        monkeypatch.setattr("django.utils.timezone.now", now)
        ident = decide(now)
        now.at = datetime.now(UTC) + timedelta(seconds=130)
        stop = publishing.start(home)
        try:
            act = Released(
                ident,
                who("bolat", "publisher"),
                entry_verdict(ident),
                now.at + timedelta(days=9),
                "",
                FACTS,
                "",
                (),
                code_hash("x"),
            )
            monkeypatch.setattr("bastau_web.workbench.publishing.datetime", now_is(now))
            acting.the_desk().act(lambda _: act, now.at)
            until = time.monotonic() + 20
            while VALUE.encode() not in everything_in(public_folder(home)) and time.monotonic() < until:
                time.sleep(0.05)
        finally:
            stop()
        assert VALUE.encode() in (public_folder(home) / "list.json").read_bytes()


def entry_verdict(ident):
    return book().cases[ident].round.given[-1].n


def now_is(clock):
    class Moment:
        @staticmethod
        def now(_):
            return clock.at

    return Moment


class TestRecords:
    def test_the_log_hides_opinions_on_what_is_open_and_nothing_else(self, listed, signed_in, clock):
        waiting = decide(clock, "https://outlet.kz/2", rates=ALWAYS)
        dana = signed_in("reviewer", name="dana")
        page = dana.get("/log")
        assert "whole" in words(page)
        acts = re.findall(r'<tr><td class="n">(\d+)', page.content.decode())
        assert acts == ["4", "3", "2", "1"]
        assert "<tbody>" not in dana.get(f"/log?case={waiting}&act=judged").content.decode()
        only = dana.get(f"/log?case={listed[0]}&act=released").content.decode()
        assert re.findall(r'<tr><td class="n">(\d+)', only) == ["3"]
        for odd in ("?page=x", "?page=99999999", "?case=%27", "?act=<script>"):
            assert dana.get(f"/log{odd}").status_code == 200

    def test_an_edited_log_is_told_and_nothing_is_shown_from_it(self, listed, signed_in, home):
        path = home.folder / "review" / "log.ndjson"
        path.write_bytes(path.read_bytes().replace(b"outlet", b"outlat"))
        page = words(signed_in("auditor", name="eset").get("/log"))
        assert "NOT as it was written" in page
        assert "edited" in page
        assert Client().get("/transparency").status_code == 503

    def test_the_head_is_that_of_the_log(self, listed, signed_in):
        line = signed_in("auditor", name="eset").get("/log/head.txt").content.decode().split()
        assert line[:2] == ["3", acting.the_desk().lines()[-1]["hash"]]

    def test_what_is_published_of_the_log_names_nobody_and_gives_the_same_figures(self, listed, clock, tmp_path, home):
        file(listed[1])
        decide(clock, "https://outlet.kz/2", rates=ALWAYS)
        answer = Client().get("/transparency/published.ndjson")
        for secret in (b"aigul", b"bolat", b"outlet", b"kill", APPEAL.encode(), listed[0].encode()):
            assert secret not in answer.content
        assert answer.content.count(b'"act":"judged"') == 1
        (tmp_path / "published.ndjson").write_bytes(answer.content)
        start, end = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
        _, lines = logbook.report(tmp_path / "published.ndjson", start, end)
        figures = Client().get("/transparency/figures.csv?from=2026-11-01&to=2026-12-01").content.decode()
        assert figures.splitlines() == lines
        cells = [cell for row in csv.reader(io.StringIO(figures)) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
        key = home.folder / "review" / "publish-key"
        assert key.stat().st_mode & 0o777 == 0o600
        assert Client().get("/transparency/published.ndjson").content == answer.content

    @pytest.mark.parametrize("language", ["kk", "ru", "en"])
    def test_few_decisions_are_shown_with_their_interval(self, listed, language):
        page = words(Client().get(f"/transparency?language={language}"))
        assert re.search(r"1\D{1,12}1", page)
        assert re.search(r"21\s?%", page)  # Wilson, 1 of 1: from 21 %
        assert "published.ndjson --from 2026-10-30 --to 2026-11-29" in page

    def test_it_is_there_without_a_log_and_for_any_period(self, clock):
        for query in ("", "?from=x&to=y", "?from=2026-12-01&to=2026-01-01", "?from=0001-01-01", "?to=9999-12-31"):
            assert Client().get(f"/transparency{query}").status_code == 200
        assert Client().get("/transparency/published.ndjson").content == b""

    def test_one_is_computed_at_a_time_and_the_rest_are_asked_for_patience(self, listed, monkeypatch):
        monkeypatch.setattr(records, "_PATIENCE_S", 0.05)
        known = "/transparency?from=2026-11-01&to=2026-12-01"
        assert Client().get(known).status_code == 200
        begun, may_end = threading.Event(), threading.Event()

        def slow():
            begun.set()
            may_end.wait(20)
            return {}

        computing = threading.Thread(target=records._once, args=(("something", "long"), slow))
        computing.start()
        begun.wait(20)
        try:
            answer = Client().get("/transparency?from=2026-10-01&to=2026-12-01")
            assert (answer.status_code, answer["Retry-After"]) == (503, "10")
            assert Client().get(known).status_code == 200
        finally:
            may_end.set()
            computing.join()
        assert Client().get("/transparency?from=2026-10-01&to=2026-12-01").status_code == 200

    def test_no_more_is_kept_than_a_few_periods(self, listed):
        for day in range(1, 29):
            for month in (9, 10):
                Client().get(f"/transparency/figures.csv?from=2026-{month:02d}-{day:02d}&to=2026-12-01")
        assert len(records._kept) <= records._MOST_KEPT + 1

    def test_nothing_is_kept_of_the_log_as_it_was(self, listed, bolat):
        for query in ("", "?from=2026-11-01&to=2026-12-01"):
            Client().get(f"/transparency{query}")
        assert len(records._kept) == 3
        bolat.post(f"/release/{listed[0]}/withdraw", {"why": "withdrawn", "reason": "It should not have been listed."})
        Client().get("/transparency")
        assert len(records._kept) == 2

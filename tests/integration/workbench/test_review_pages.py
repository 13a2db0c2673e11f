"""Deciding in the browser: who sees what, what is written, and that nothing is ever half decided."""

import json
import re
import shutil
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.test import override_settings
from review_pages import NOON, Clock, book, words
from workbench_home import OUTLETS, PAYLOADS, PRIVATE, VIOLENT

from bastau.chain import Chain
from bastau.desk import Desk as LogDesk
from bastau.errors import SourceUnavailable
from bastau.home import Home, writing
from bastau.review.acts import Suggested, Suggestion
from bastau.review.cases import status
from bastau.review.log import LOCK
from bastau.review.opinions import is_sampled
from bastau_web.workbench import acting
from bastau_web.workbench.roles import Role
from bastau_web.workbench.views import deciding

REASON = "It calls on readers to kill people, in so many words."
CHECKED = "No report, lesson or study: the words stand alone."
CITATION = "Regulation (EU) 2021/784 art. 2(7)(a)"
PSEUDONYM = re.compile(r"p~[a-z2-7]{16}")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr("django.utils.timezone.now", made)
    return made


@pytest.fixture(autouse=True)
def log(workbench: Home):
    """The log of review, empty before and gone after."""
    folder = workbench.folder / "review"
    assert not folder.exists()
    acting._desk.cache_clear()
    yield folder / "log.ndjson"
    shutil.rmtree(folder, ignore_errors=True)
    acting._desk.cache_clear()


@contextmanager
def settings(home: Home, **review):
    """A home with other settings of review; never a second opinion unless asked for."""
    never = {"second_law": 0.0, "second_policy": 0.0, "second_none": 0.0}
    changed = replace(home, settings=replace(home.settings, review=replace(home.settings.review, **never | review)))
    with override_settings(BASTAU_HOME=changed):
        acting._desk.cache_clear()
        yield


@pytest.fixture
def alone(workbench):
    """Nobody's work is looked at a second time."""
    with settings(workbench):
        yield


@pytest.fixture
def people(signed_in):
    """Reviewers by name."""
    return {name: signed_in("reviewer", name=name) for name in ("aygul", "bolat", "sara", "dana", "erlan")}


def acts(log):
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def cases_in(page):
    """Return the cases that a queue leads to, in its order."""
    return re.findall(r'<p class="what"><a href="/case/(c\w+)"', page.content.decode())


def first_case(browser):
    return cases_in(browser.get("/queue"))[0]


def verdict(case=None, **changes):
    whole = {
        "act": "incite",
        "ground_kind": "law",
        "citation": CITATION,
        "exemption": "none",
        "exemption_checked": CHECKED,
        "reason": REASON,
        "of": "" if case is None else str(book().cases[case].round.n),
    }
    return whole | changes


LEFT = {"act": "none", "reason": "A line of a film that everybody knows, no call.", "citation": "", "exemption": ""}


def take(browser, case=None):
    case = case or first_case(browser)
    answer = browser.post(f"/case/{case}/take")
    assert (answer.status_code, answer["Location"]) == (302, f"/case/{case}")
    return case


def judge(browser, case, **changes):
    take(browser, case)
    answer = browser.post(f"/case/{case}/verdict", verdict(case, **changes))
    assert answer.status_code == 302, words(answer)
    return answer


# ---- looking -----------------------------------------------------------------------------------------------


def test_the_queue_says_what_waits_and_why_and_changes_nothing(signed_in, log):
    browser = signed_in("reviewer")
    page = browser.get("/queue")
    said = words(page)
    assert len(cases_in(page)) == 9
    assert "9 cases wait" in said
    assert "suggested by incite-violence@2" in said
    assert "5 more posts were found but cannot be listed" in said
    assert f"https://x.com/{OUTLETS[3]}/status/2032" in said
    assert "Take the next case" in said
    assert not log.exists()
    for role in ("analyst", "auditor", "publisher", "admin"):
        page = signed_in(role).get("/queue")
        assert "Take the next case" not in words(page)
        assert len(cases_in(page)) == (0 if role == "publisher" else 9)


def test_filters_narrow_the_queue(signed_in):
    browser = signed_in("reviewer")
    counts = {
        query: len(cases_in(browser.get(f"/queue?{query}")))
        for query in (
            "act=incite",
            "act=glorify",
            "act=none",
            "in=en",
            "in=kk",
            "kind=url",
            "kind=text_sha256",
            "page=99",
        )
    }
    assert counts == {
        "act=incite": 9, "act=glorify": 0, "act=none": 0, "in=en": 9, "in=kk": 0, "kind=url": 8, "kind=text_sha256": 1, "page=99": 9,
    }  # fmt: skip


def test_pages_of_the_queue_lead_to_each_other(signed_in, monkeypatch):
    monkeypatch.setattr("bastau_web.workbench.views.review.PAGE", 4)
    browser = signed_in("reviewer")
    pages = [browser.get(f"/queue?kind=url&page={n}") for n in (1, 2)]
    assert [len(cases_in(page)) for page in pages] == [4, 4]
    assert set(cases_in(pages[0])).isdisjoint(cases_in(pages[1]))
    assert 'rel="next" href="?kind=url&amp;page=2"' in pages[0].content.decode()
    assert 'rel="prev" href="?kind=url&amp;page=1"' in pages[1].content.decode()
    for odd in ("x", "9" * 5000):
        assert len(cases_in(browser.get(f"/queue?kind=url&page={odd}"))) == 4


def test_the_words_are_shown_only_to_who_asks_and_covered_again(signed_in):
    browser = signed_in("reviewer")
    case = first_case(browser)
    assert VIOLENT not in words(browser.get(f"/case/{case}"))
    assert browser.post(f"/case/{case}/show").status_code == 302
    page = browser.get(f"/case/{case}")
    assert VIOLENT in words(page)
    assert "<mark>" in page.content.decode()
    other = cases_in(browser.get("/queue"))[1]
    assert VIOLENT not in words(browser.get(f"/case/{other}"))
    browser.post(f"/case/{case}/show", {"cover": "1"})
    assert VIOLENT not in words(browser.get(f"/case/{case}"))


def test_a_case_shows_what_stands_around_it(signed_in):
    browser = signed_in("reviewer")
    [private] = cases_in(browser.get("/queue?kind=text_sha256"))
    browser.post(f"/case/{private}/show")
    said = words(browser.get(f"/case/{private}"))
    assert "private account" in said
    assert "The same words elsewhere: 13" in said
    assert "Ground of the rule: EU 2021/784" in said
    assert "nothing is said of who wrote it" in said
    assert re.search(r"lake:p\w{13}", said)


def test_no_private_name_and_nothing_that_runs_stands_on_any_page(signed_in, alone, log):
    browser = signed_in("reviewer", "analyst")
    keys = re.findall(r'href="/post/(p\w{13})"', browser.get("/search?q=market+prices").content.decode())
    for ref in dict.fromkeys(keys):
        answer = browser.post(f"/post/{ref}/review", {"kind": "url", "is_public": "yes"})
        if answer.status_code == 422:
            answer = browser.post(f"/post/{ref}/review", {"kind": "text_sha256", "is_public": "yes"})
        assert answer.status_code == 302, words(answer)
    assert len(book().cases) > 20
    for case in [*book().cases, *cases_in(browser.get("/queue"))]:
        browser.post(f"/case/{case}/show")
        page = browser.get(f"/case/{case}").content.decode()
        assert not PSEUDONYM.search(page)
        assert not [name for name in PRIVATE if name in page.casefold()]
        assert not re.search(r"<(script|iframe|img|svg|meta http|base|style)\b", page.partition("<body>")[2])
        assert "evil.example" not in re.findall(r"<(?:form|link)[^>]*", page.partition("<body>")[2])
    assert not PSEUDONYM.search(log.read_text())
    assert not [name for name in PRIVATE if name in log.read_text().casefold()]
    assert PAYLOADS


def test_a_case_that_is_none_is_not_found(signed_in, log):
    browser = signed_in(*Role)
    assert browser.get("/case/c0000000000000").status_code == 404
    assert browser.get("/case/nonsense").status_code == 404
    assert browser.post("/case/c0000000000000/take").status_code == 404
    assert browser.get("/post/p0000000000000/review").status_code == 404
    from bastau_web.workbench.models import Desk

    assert not Desk.objects.exists()
    assert not log.exists()


# ---- taking ------------------------------------------------------------------------------------------------


def test_taking_a_candidate_opens_the_case_by_nobody_and_keeps_it_from_others(people, log):
    case = take(people["aygul"])
    [opened] = acts(log)
    assert (opened["act"], opened["by"], opened["case"]) == ("opened", None, case)
    assert "on the desk of aygul" in words(people["bolat"].get("/queue"))
    answer = people["bolat"].post(f"/case/{case}/take")
    assert answer.status_code == 409
    assert "Somebody else has it on the desk" in words(answer)
    assert "Write it into the log" in words(people["aygul"].get(f"/case/{case}"))
    assert "Write it into the log" not in words(people["bolat"].get(f"/case/{case}"))
    assert len(acts(log)) == 1


def test_the_next_case_is_one_that_nobody_has(people):
    taken = [people[name].post("/queue/next")["Location"] for name in ("aygul", "bolat", "sara")]
    assert len(set(taken)) == 3
    people["bolat"].post(f"{taken[1]}/give-back")
    assert people["dana"].post("/queue/next")["Location"] == taken[1]


def test_a_case_is_free_again_after_half_an_hour_or_when_given_back(people, clock, log):
    case = take(people["aygul"])
    clock.later(minutes=31)
    take(people["bolat"], case)
    answer = people["aygul"].post(f"/case/{case}/verdict", verdict(case))
    assert answer.status_code == 409
    assert REASON in words(answer)
    people["aygul"].post(f"/case/{case}/give-back")
    assert people["sara"].post(f"/case/{case}/take").status_code == 409
    people["bolat"].post(f"/case/{case}/give-back")
    take(people["sara"], case)
    assert len(acts(log)) == 1


def test_two_accounts_of_one_person_are_one(people, signed_in, alone):
    from bastau_web.workbench.models import Account

    second = signed_in("reviewer", name="aygul_too")
    Account.objects.filter(name__in=("aygul", "aygul_too")).update(person="aygul_k")
    case = take(people["aygul"])
    take(second, case)
    judge(second, case)
    assert case not in cases_in(people["aygul"].get("/queue"))


def test_a_machine_that_says_something_else_by_now_is_heard_before_anybody_judges(people, log):
    case = take(people["aygul"])
    people["aygul"].post(f"/case/{case}/give-back")
    weaker = Suggestion("rules", "threaten", "call@1", "", 0.2)
    acting.the_desk().act(lambda _book: Suggested(case, weaker, "generation 0"), NOON)
    take(people["bolat"], case)
    assert [act["act"] for act in acts(log)] == ["opened", "suggested", "suggested"]
    assert book().cases[case].round.lead.act == "incite"


def test_a_decided_case_comes_up_again_when_the_rules_find_another_act(people, alone, log):
    case = take(people["aygul"])
    people["aygul"].post(f"/case/{case}/give-back")
    acting.the_desk().act(
        lambda _book: Suggested(case, Suggestion("rules", "threaten", "call@1", "", 0.9), "generation 0"), NOON
    )
    judged = verdict(case, **LEFT)
    from bastau_web.workbench import review_desk

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(review_desk, "changed", lambda *_: None)  # as in the run before
        take(people["aygul"], case)
    assert people["aygul"].post(f"/case/{case}/verdict", judged).status_code == 302
    page = people["bolat"].get("/queue")
    assert case in cases_in(page)
    assert "another suggestion" in words(page)
    assert "suggests something else by now: call to violence" in words(people["bolat"].get(f"/case/{case}"))
    assert people["sara"].post("/queue/next")["Location"] != f"/case/{case}"
    take(people["bolat"], case)
    assert "suggested" in {act["act"] for act in acts(log)[-2:]}
    assert (book().cases[case].round.why, status(book().cases[case])) == ("suggested", "waiting")
    assert "Write it into the log" in words(people["bolat"].get(f"/case/{case}"))


# ---- deciding ----------------------------------------------------------------------------------------------


def test_a_verdict_is_written_and_the_next_case_comes_up(people, alone, log):
    case = take(people["aygul"])
    answer = people["aygul"].post(f"/case/{case}/verdict", verdict(case))
    assert answer.status_code == 302
    following, after = re.fullmatch(r"/case/(c\w+)\?after=(c\w+)", answer["Location"]).groups()
    assert after == case
    assert following != case
    page = people["aygul"].get(answer["Location"])
    assert f'href="/case/{case}"' in page.content.decode()
    assert "On your desk until" in words(page)
    judged = next(act for act in acts(log) if act["act"] == "judged")
    assert judged["by"] == {"account": "aygul", "person": "aygul", "role": "reviewer"}
    assert judged["verdict"]["is_accepted"] is True
    assert judged["verdict"]["ground"] == {"kind": "law", "citation": CITATION}
    assert status(book().cases[case]) == "listed"
    assert case not in cases_in(people["bolat"].get("/queue"))


def test_whoever_may_release_finds_it_in_the_queue_unless_they_judged(people, signed_in, alone):
    case = first_case(people["aygul"])
    judge(people["aygul"], case)
    page = signed_in("publisher", name="pub").get("/queue")
    assert f'href="/release/{case}"' in page.content.decode()
    both = signed_in("reviewer", "publisher", name="both")
    other = cases_in(both.get("/queue?kind=url"))[3]
    judge(both, other)
    assert f'href="/release/{case}"' in both.get("/queue").content.decode()
    assert other not in both.get("/queue").content.decode()


def test_nothing_is_chosen_beforehand(people):
    case = take(people["aygul"])
    page = people["aygul"].get(f"/case/{case}").content.decode()
    form = page[page.index("/verdict") :]
    assert not re.search(r"\s(checked|selected)[\s>]", form)


def test_all_that_is_wrong_is_said_beside_its_field_and_everything_typed_stays(people, alone, log):
    case = take(people["aygul"])
    typed = verdict(case, reason="too short", citation="art", exemption="", exemption_checked="no")
    answer = people["aygul"].post(f"/case/{case}/verdict", typed)
    assert answer.status_code == 422
    said = words(answer)
    assert "20 to 2000 characters." in said
    assert "name the place in 5 to 500 characters" in said
    assert "Say whether an exemption applies" in said
    assert "how you checked whether an exemption applies" in said
    page = answer.content.decode()
    wrong = re.findall(r'<small class="wrong" id="([\w-]+)"', page)
    assert len(wrong) == 4
    assert all(re.search(f'aria-describedby="[^"]*{one}"', page) for one in wrong)
    assert 'value="incite" accesskey="1" checked' in page
    assert ">too short</textarea>" in page
    assert 'value="art"' in page
    assert ">no</textarea>" in page
    empty = people["aygul"].post(f"/case/{case}/verdict", {"of": "1"})
    assert empty.status_code == 422
    assert "Choose what it is." in words(empty)
    assert [act["act"] for act in acts(log)] == ["opened"]


def test_no_act_needs_a_reason_only(people, alone):
    case = first_case(people["aygul"])
    judge(people["aygul"], case, **LEFT)
    given = book().cases[case].round.given[0].judged.verdict
    assert (given.act, given.is_accepted, given.ground, given.exemption) == (None, False, None, "none")
    assert status(book().cases[case]) == "left"


def test_an_exemption_leaves_the_content_alone(people, alone):
    case = first_case(people["aygul"])
    judge(people["aygul"], case, exemption="journalistic")
    assert book().cases[case].round.given[0].judged.verdict.is_accepted is False
    assert status(book().cases[case]) == "left"


def test_the_operators_grounds_are_offered_and_no_other_text_passes_as_one(people, workbench):
    with settings(workbench, grounds=("policy: House rules, section 3",)):
        case = take(people["aygul"])
        assert "policy: House rules, section 3" in words(people["aygul"].get(f"/case/{case}"))
        made_up = verdict(case, ground="law: made up", ground_kind="", citation="")
        assert people["aygul"].post(f"/case/{case}/verdict", made_up).status_code == 422
        chosen = verdict(case, ground="policy: House rules, section 3", ground_kind="", citation="")
        assert people["aygul"].post(f"/case/{case}/verdict", chosen).status_code == 302
        assert book().cases[case].round.given[0].judged.verdict.ground.citation == "House rules, section 3"


def test_only_reviewers_decide(signed_in, people, log):
    case = take(people["aygul"])
    for role in (Role.ANALYST, Role.PUBLISHER, Role.AUDITOR, Role.ADMIN):
        browser = signed_in(role)
        for what in ("take", "verdict", "undo", "reopen", "panel", "give-back", "translate"):
            assert browser.post(f"/case/{case}/{what}", verdict(case)).status_code == 403
        assert browser.get(f"/case/{case}").status_code == 200
    assert len(acts(log)) == 1


def test_a_question_that_changed_meanwhile_is_refused_and_the_words_stay(people, alone, log):
    case = take(people["aygul"])
    before = verdict(case)
    acting.the_desk().act(
        lambda _book: Suggested(case, Suggestion("model", "incite", "", "m@1", 0.9), "generation 1"), NOON
    )
    answer = people["aygul"].post(f"/case/{case}/verdict", before)
    assert answer.status_code == 409
    assert "The question has changed" in words(answer)
    assert REASON in words(answer)
    for of in ("9" * 5000, "x", ""):
        assert people["aygul"].post(f"/case/{case}/verdict", verdict(of=of)).status_code == 409
        assert people["aygul"].post(f"/case/{case}/undo", {"of": of}).status_code == 409
    assert not book().cases[case].round.given


def test_a_verdict_can_be_undone_until_something_follows(people, alone, log):
    case = first_case(people["aygul"])
    judge(people["aygul"], case)
    n = book().cases[case].round.given[0].n
    assert "Take back your verdict" in words(people["aygul"].get(f"/case/{case}"))
    assert "Take back your verdict" not in words(people["bolat"].get(f"/case/{case}"))
    assert people["bolat"].post(f"/case/{case}/undo", {"of": n}).status_code == 409
    assert people["aygul"].post(f"/case/{case}/undo", {"of": n}).status_code == 302
    assert status(book().cases[case]) == "waiting"
    assert people["aygul"].post(f"/case/{case}/undo", {"of": n}).status_code == 409
    judge(people["aygul"], case, **LEFT)
    assert people["sara"].post(f"/case/{case}/reopen", {"why": "mistake"}).status_code == 302
    answer = people["aygul"].post(f"/case/{case}/undo", {"of": book().cases[case].rounds[0].given[0].n})
    assert answer.status_code == 409
    assert "no longer be undone" in words(answer)


def test_a_decided_question_is_asked_again_with_evidence_or_for_a_mistake(people, alone):
    case = first_case(people["aygul"])
    judge(people["aygul"], case, **LEFT)
    ask = people["bolat"].post
    assert ask(f"/case/{case}/reopen", {"why": "new_evidence"}).status_code == 409
    assert ask(f"/case/{case}/reopen", {"why": "renewal"}).status_code == 409
    bad = ask(f"/case/{case}/reopen", {"why": "new_evidence", "sha256": "abc", "reference": "evidence:1"})
    assert bad.status_code == 409
    assert 'value="abc"' in bad.content.decode()
    assert (
        ask(f"/case/{case}/reopen", {"why": "new_evidence", "sha256": "A" * 64, "reference": "evidence:1"}).status_code
        == 302
    )
    assert ask(f"/case/{case}/reopen", {"why": "mistake"}).status_code == 409
    found = book().cases[case]
    assert (status(found), found.round.why, found.evidence[-1].sha256) == ("waiting", "new_evidence", "a" * 64)
    judge(people["sara"], case, evidence="a" * 64)
    assert book().cases[case].round.given[0].judged.evidence_sha256 == "a" * 64


# ---- second opinions and panels ----------------------------------------------------------------------------


def test_a_second_opinion_is_blind_and_a_dispute_goes_to_a_panel_that_is_blind_too(people, workbench, log):
    with settings(workbench, second_law=1.0):
        case = first_case(people["aygul"])
        judge(people["aygul"], case, reason="The first opinion, to be hidden from all.")
        page = people["bolat"].get(f"/case/{case}")
        assert "waits for an opinion" in words(page)
        assert "to be hidden" not in words(page)
        assert "aygul" not in words(page)
        assert case in cases_in(people["bolat"].get("/queue"))
        assert case not in cases_in(people["aygul"].get("/queue"))
        assert "to be hidden" in words(people["aygul"].get(f"/case/{case}"))
        take(people["aygul"], case)
        assert people["aygul"].post(f"/case/{case}/verdict", verdict(case)).status_code == 409
        people["aygul"].post(f"/case/{case}/give-back")
        judge(people["bolat"], case, **LEFT)
        assert status(book().cases[case]) == "disputed"

        page = people["sara"].get(f"/case/{case}")
        assert "Call a panel" in words(page)
        assert "to be hidden" not in words(page)
        two = people["sara"].post(f"/case/{case}/panel", {"seats": ["law", "religion"]})
        assert two.status_code == 409
        assert re.search(r'value="religion" checked', two.content.decode())
        seats = ["law", "religion", "sociology"]
        assert people["sara"].post(f"/case/{case}/panel", {"seats": seats}).status_code == 302

        take(people["sara"], case)
        answer = people["sara"].post(f"/case/{case}/verdict", verdict(case, seat=""))
        assert answer.status_code == 422
        assert "Choose a free seat." in words(answer)
        judge(people["sara"], case, seat="law", reason="What the lawyer says, hidden until the end.")
        for name in ("aygul", "dana"):
            assert "lawyer says" not in words(people[name].get(f"/case/{case}"))
        assert "lawyer says" in words(people["sara"].get(f"/case/{case}"))
        judge(people["dana"], case, seat="religion")
        assert "lawyer says" not in words(people["dana"].get(f"/case/{case}"))
        judge(people["erlan"], case, seat="sociology", **LEFT)
        assert status(book().cases[case]) == "listed"
        said = words(people["aygul"].get(f"/case/{case}"))
        assert "lawyer says" in said
        assert "1 panel in all" in said
        assert "Krippendorff's alpha of all panels: 0.00" in said


def test_who_is_drawn_for_a_second_opinion_depends_on_the_rate_and_the_key_of_the_home(people, workbench):
    seed, cases = deciding._seed(), cases_in(people["aygul"].get("/queue"))
    with settings(workbench, second_law=0.5):
        for case in cases:
            judge(people["aygul"], case)
    drawn = {case: book().cases[case].round.given[0].judged.is_sampled for case in cases}
    assert drawn == {case: is_sampled(seed, case, 1, 0.5) for case in cases}
    with override_settings(SECRET_KEY="another" * 8):
        assert deciding._seed() != seed


# ---- what goes wrong ---------------------------------------------------------------------------------------


def test_somebody_was_faster_by_a_moment(people, alone, monkeypatch, log):
    case = take(people["aygul"])
    true_act = LogDesk.act

    def after_bolat(desk, make, now):
        monkeypatch.setattr(LogDesk, "act", true_act)
        from bastau_web.workbench.models import Desk

        Desk.objects.all().delete()  # as if the lock had run out at this moment
        judge(people["bolat"], case, reason="Bolat's words about the same case.")
        return true_act(desk, make, now)

    monkeypatch.setattr(LogDesk, "act", after_bolat)
    answer = people["aygul"].post(f"/case/{case}/verdict", verdict(case))
    assert answer.status_code == 409
    assert "decided already" in words(answer)
    assert REASON in words(answer)
    assert len(book().cases[case].round.given) == 1


def test_a_log_that_another_process_holds_is_said_and_the_words_stay(people, alone, workbench, monkeypatch, log):
    case = take(people["aygul"])
    monkeypatch.setattr("bastau.desk.writing", lambda home, lock, patience_s: writing(home, lock, patience_s=0.1))
    other = cases_in(people["bolat"].get("/queue"))[-1]
    with workbench.locked(LOCK):
        answer = people["aygul"].post(f"/case/{case}/verdict", verdict(case))
        taking = people["bolat"].post(f"/case/{other}/take")
        following = people["bolat"].post("/queue/next")
    for one in (answer, taking, following):
        assert one.status_code == 503
        assert "Nothing was written" in words(one)
    assert REASON in words(answer)
    assert len(acts(log)) == 1
    from bastau_web.workbench.models import Desk

    assert [row.case for row in Desk.objects.all()] == [case]
    assert people["aygul"].post(f"/case/{case}/verdict", verdict(case)).status_code == 302


def test_on_a_log_that_was_edited_nothing_can_be_decided(people, alone, log):
    case = take(people["aygul"])
    typed = verdict(case)
    edited = log.read_bytes().replace(b"0.8", b"0.3")
    log.write_bytes(edited)
    for answer in (
        people["aygul"].post(f"/case/{case}/verdict", typed),
        people["aygul"].get("/queue"),
        people["aygul"].get(f"/case/{case}"),
        people["bolat"].post("/queue/next"),
        people["aygul"].post(f"/case/{case}/panel", {"seats": ["law"]}),
    ):
        assert answer.status_code == 503
        assert "bastau log verify" in words(answer)
    assert REASON in words(people["aygul"].post(f"/case/{case}/verdict", typed))
    assert log.read_bytes() == edited
    for page in ("/lists", "/transparency", f"/appeals/{case}"):
        said = people["aygul"].get(page, headers={"accept-language": "ru"})
        assert said.status_code == 503, page
        assert "Журнал проверки не такой" in said.content.decode(), page


def test_a_clock_that_went_back_writes_nothing(people, alone, clock, log):
    case = take(people["aygul"])
    clock.later(minutes=-5)
    answer = people["aygul"].post(f"/case/{case}/verdict", verdict(case))
    assert answer.status_code == 409
    assert "clock" in words(answer)
    assert REASON in words(answer)
    assert len(acts(log)) == 1


def test_a_full_disk_is_said_and_leaves_no_half_verdict(people, alone, monkeypatch, log):
    case = take(people["aygul"])

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Chain, "append", full)
        answer = people["aygul"].post(f"/case/{case}/verdict", verdict(case))
    assert answer.status_code == 503
    assert "no space left" in words(answer)
    assert REASON in words(answer)
    assert not book().cases[case].round.given
    judge(people["aygul"], case)


def test_a_verdict_stands_when_only_the_next_case_cannot_be_opened(people, alone, monkeypatch, log):
    case = take(people["aygul"])

    def busy(*_):
        raise SourceUnavailable("nothing")

    monkeypatch.setattr(deciding, "to_next", busy)
    answer = people["aygul"].post(f"/case/{case}/verdict", verdict(case))
    assert (answer.status_code, answer["Location"]) == (302, f"/queue?after={case}")
    assert status(book().cases[case]) == "listed"
    assert case in people["aygul"].get(answer["Location"]).content.decode()


# ---- from a post -------------------------------------------------------------------------------------------


def post_refs(browser, query):
    return list(
        dict.fromkeys(re.findall(r'href="/post/(p\w{13})"', browser.get("/search", {"q": query}).content.decode()))
    )


def test_an_analyst_brings_a_post_and_must_have_reached_it_in_public(signed_in, people, log):
    analyst = signed_in("analyst")
    ref = post_refs(analyst, "bridge river moved stones")[0]
    assert "Bring to review" in words(analyst.get(f"/post/{ref}"))
    assert "Bring to review" not in words(signed_in("auditor").get(f"/post/{ref}"))
    assert signed_in("publisher").get(f"/post/{ref}/review").status_code == 403
    refused = analyst.post(f"/post/{ref}/review", {"kind": "url"})
    assert refused.status_code == 409
    assert "only members can reach" in words(refused)
    assert not log.exists()
    assert analyst.post(f"/post/{ref}/review", {"kind": "host", "is_public": "yes"}).status_code == 422
    made = analyst.post(f"/post/{ref}/review", {"kind": "url", "is_public": "yes"})
    case = made["Location"].removeprefix("/case/")
    [opened] = acts(log)
    assert (opened["case"], opened["by"]["account"], opened["by"]["role"]) == (case, "of_analyst", "analyst")
    assert analyst.post(f"/post/{ref}/review", {"kind": "url", "is_public": "yes"})["Location"] == f"/case/{case}"
    assert len(acts(log)) == 1
    assert case in cases_in(people["aygul"].get("/queue?act=none"))
    assert analyst.post(f"/case/{case}/take").status_code == 403


def test_a_private_persons_post_is_brought_by_its_words_only(signed_in, log):
    browser = signed_in("reviewer")
    refs = post_refs(browser, "bridge river moved stones")
    private = [ref for ref in refs if "private account" in words(browser.get(f"/post/{ref}")).partition("Published")[0]]
    offers = {
        re.sub(
            r"\s+",
            " ",
            ",".join(re.findall(r'<option value="(\w+)"', browser.get(f"/post/{ref}/review").content.decode())),
        )
        for ref in private
    }
    assert offers == {"text_sha256", ""}
    struck = next(ref for ref in private if "<option" not in browser.get(f"/post/{ref}/review").content.decode())
    answer = browser.post(f"/post/{struck}/review", {"kind": "text_sha256", "is_public": "yes"})
    assert answer.status_code == 422
    assert "no words or files" in words(answer)
    assert not log.exists()


# ---- translation -------------------------------------------------------------------------------------------


def test_translation_is_off_unless_the_operator_names_a_server(people, monkeypatch):
    asked = []
    monkeypatch.setattr(deciding, "translate", lambda *args: asked.append(args))
    case = take(people["aygul"])
    people["aygul"].post(f"/case/{case}/show")
    assert "Translate" not in words(people["aygul"].get(f"/case/{case}")).replace("L translate", "")
    assert people["aygul"].post(f"/case/{case}/translate").status_code == 404
    assert asked == []


def test_a_translation_is_shown_escaped_and_only_the_words_go_out(people, workbench, monkeypatch, log):
    asked = []

    def said(client, address, text, target, key):
        asked.append((address, text, target, key, client.limits.allow_private))
        return "<script>алло</script>\nekinshi"

    monkeypatch.setattr(deciding, "translate", said)
    monkeypatch.setenv("TRANSLATES", "https://t.example")
    with settings(workbench, translate="env:TRANSLATES"):
        [case] = cases_in(people["aygul"].get("/queue?kind=text_sha256"))
        take(people["aygul"], case)
        people["aygul"].post(f"/case/{case}/show")
        assert "Sends these public words" in words(people["aygul"].get(f"/case/{case}"))
        answer = people["aygul"].post(f"/case/{case}/translate")
        assert answer.status_code == 200
        assert "&lt;script&gt;алло&lt;/script&gt;<br>ekinshi" in answer.content.decode()
        assert asked == [("https://t.example", VIOLENT, "en", None, False)]
        assert "алло" not in people["aygul"].get(f"/case/{case}").content.decode()

        def away(*_):
            raise SourceUnavailable("away")

        monkeypatch.setattr(deciding, "translate", away)
        failed = people["aygul"].post(f"/case/{case}/translate")
        assert failed.status_code == 502
        assert "did not answer" in words(failed)
    assert len(acts(log)) == 1


# ---- breaks ------------------------------------------------------------------------------------------------


def look(browser, clock, case, minutes):
    browser.post(f"/case/{case}/show")
    clock.later(minutes=minutes)
    browser.post(f"/case/{case}/show", {"cover": "1"})


def test_a_break_is_suggested_after_a_time_of_looking_and_can_be_passed(people, workbench, clock, alone):
    with settings(workbench, break_after_minutes=20):
        browser = people["aygul"]
        case = first_case(browser)
        look(browser, clock, case, 9)
        clock.later(minutes=90)  # covered: nobody looks
        look(browser, clock, case, 9)
        assert "Time for a break" not in words(browser.get("/queue"))
        browser.post(f"/case/{case}/show")
        clock.later(minutes=3)
        for address in ("/queue", f"/case/{case}"):
            assert "Time for a break" in words(browser.get(address))
        assert "for 21 minutes" in words(browser.get("/queue"))
        assert browser.post("/queue/next")["Location"] == "/queue"
        assert "Time for a break" not in words(people["bolat"].get("/queue"))
        assert browser.post("/queue/break").status_code == 302
        assert "Time for a break" not in words(browser.get("/queue"))


def test_a_verdict_typed_before_a_break_is_not_lost(people, workbench, clock):
    with settings(workbench, break_after_minutes=5):
        case = take(people["aygul"])
        people["aygul"].post(f"/case/{case}/show")
        clock.later(minutes=8)
        assert people["aygul"].post(f"/case/{case}/verdict", verdict(case)).status_code == 302
        assert status(book().cases[case]) == "listed"
        assert "Time for a break" in words(people["aygul"].get("/queue"))


def test_who_went_away_with_the_words_open_was_not_looking_all_the_time(people, workbench, clock):
    with settings(workbench, break_after_minutes=20):
        case = first_case(people["aygul"])
        look(people["aygul"], clock, case, 300)
        assert "Time for a break" not in words(people["aygul"].get("/queue"))


def test_after_enough_of_it_the_words_stay_covered_until_tomorrow(people, workbench, clock):
    with settings(workbench, break_after_minutes=0, most_minutes_a_day=15):
        browser = people["aygul"]
        case = first_case(browser)
        clock.later(hours=11)
        for _ in range(2):
            look(browser, clock, case, 9)
        browser.post(f"/case/{case}/show")
        said = words(browser.get(f"/case/{case}"))
        assert VIOLENT not in said
        assert "until tomorrow" in said
        clock.later(hours=2)
        browser.post(f"/case/{case}/show")
        assert VIOLENT in words(browser.get(f"/case/{case}"))


@pytest.mark.parametrize("code", ["kk", "ru", "en"])
def test_each_page_of_review_is_made_in_each_language(people, workbench, alone, code):
    browser = people["aygul"]
    case = take(browser)
    browser.post(f"/case/{case}/show")
    browser.get(f"/queue?language={code}")
    assert browser.post(f"/case/{case}/verdict", {"of": "1", "act": "incite"}).status_code == 422
    judge(browser, case)
    assert browser.get(f"/case/{case}").status_code == 200
    assert browser.get(f"/post/{post_refs(browser, 'bridge')[0]}/review").status_code == 200
    assert f'lang="{code}"' in browser.get("/queue").content.decode()

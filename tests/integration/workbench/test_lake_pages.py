"""Groups, families, rules, searches that are kept and told of, ratings and kept pages."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.test import override_settings
from django.urls import reverse
from workbench_home import OUTLETS, PRIVATE, VIOLENT

from bastau import rule_trial
from bastau.alerts.adding import add_rule
from bastau.alerts.findings import find
from bastau.alerts.rules import FOLDER, read_rules
from bastau.errors import ConfigError
from bastau.home import Home
from bastau.ratings import Rating
from bastau.report.post_search import Asked, narratives_with, prepare_search, search_posts
from bastau_web.workbench import archived, trials
from bastau_web.workbench.models import SavedSearch
from bastau_web.workbench.views import pages

CHANNELS = "# by hand\nchannels:\n  page: {kind: feed, file: alerts.atom}\nrules:\n  - {name: big, when: new, min_posts: 500, to: page}\n"
PSEUDONYM = re.compile(r"p~[a-z2-7]{16}")


def get(browser, address, **values):
    answer = browser.get(address, values)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


@pytest.fixture
def alerting(workbench: Home):
    """The home with a channel, and without what tests add."""
    file, folder = workbench.folder / "alerts.yaml", workbench.folder / FOLDER
    file.write_text(CHANNELS)
    yield workbench
    file.unlink()
    shutil.rmtree(folder, ignore_errors=True)


# ---- groups and families ----------------------------------------------------------------------------------------


def the_group(browser) -> str:
    return re.findall(r'href="(/group/g\w+)"', get(browser, "/groups"))[0]


def test_a_group_is_shown_with_its_evidence_in_all_languages(signed_in):
    browser = signed_in("analyst")
    address = the_group(browser)
    for language in ("kk", "ru", "en"):
        page = get(browser, address, language=language)
        for outlet in OUTLETS[:3]:
            assert f'href="/source/{outlet}"' in page
        assert "https://moved.example/" in page
    assert "With them moved 6 accounts below the audience threshold." in page
    assert "By coincidence" not in page
    assert "coincidence, corrected for all pairs" in page
    assert "Innocent explanations" in page


def test_a_group_names_no_private_account(signed_in):
    browser = signed_in("reviewer")
    for page in (get(browser, "/groups"), get(browser, the_group(browser))):
        assert not PSEUDONYM.search(page)
        assert not [name for name in PRIVATE if name in page]
        assert "x:@…/" not in page


def test_violent_words_of_a_group_are_behind_a_warning(signed_in):
    page = get(browser := signed_in("analyst"), the_group(browser))
    before, _, after = page.partition('<details class="veil">')
    assert VIOLENT[:40] not in before
    assert VIOLENT[:40] in after


@pytest.mark.parametrize("address", ["/group/g0000000000000", "/group/<b>", "/family/f0000000000000", "/family/x"])
def test_what_is_not_there_is_not_found(signed_in, address):
    assert signed_in("analyst").get(address).status_code == 404


def test_without_families_the_page_says_so(signed_in):
    assert "No family was found." in get(signed_in("analyst"), "/families", language="en")


# ---- narrative, source, post ------------------------------------------------------------------------------------


def test_the_graph_of_a_narrative_leads_to_publishers_and_posts(signed_in):
    browser = signed_in("analyst")
    narrative = re.findall(r'href="(/narrative/n\w+)"', get(browser, "/search", q='"ice had moved"'))[0]
    page = get(browser, narrative)
    graph = next(svg for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if 'class="lane"' in svg)
    assert '<a href="/source/gazeta_altai"' in graph
    assert re.search(r'<a href="/post/p\w+" aria-label=', graph)
    assert 'role="group"' in graph


def test_what_a_list_says_stands_with_its_name_and_never_as_ours(signed_in, monkeypatch):
    rating = Rating("gazeta.example", "<b>mixed</b>", "Index", datetime(2026, 1, 2).date(), "https://index.example/g")
    monkeypatch.setattr(pages, "ratings_of", lambda _home, _source: ([rating], ["b.csv, line 2: bad"]))
    real = pages.one_source
    monkeypatch.setattr(pages, "ask", lambda _key, make: make(None))
    from bastau_web.workbench.lake_reader import ask

    monkeypatch.setattr(
        pages,
        "one_source",
        lambda _con, name: replace(ask(("source", name), lambda con: real(con, name)), platforms=("web",)),
    )
    page = get(signed_in("analyst"), "/source/gazeta_altai", language="en")
    assert "Index says of gazeta.example: “&lt;b&gt;mixed&lt;/b&gt;” (2 January 2026)." in page
    assert "bastau rates nobody" in page
    assert "b.csv, line 2" in page


def test_an_account_on_a_platform_has_no_ratings(signed_in, monkeypatch):
    monkeypatch.setattr(pages, "ratings_of", lambda *_: pytest.fail("asked for an account"))
    assert "bastau rates nobody" not in get(signed_in("analyst"), "/source/gazeta_altai", language="en")


def test_a_page_that_is_kept_is_named_by_its_item(signed_in, monkeypatch):
    kept = archived.Kept(17, datetime(2026, 1, 2, tzinfo=UTC), "ab" * 32, True)
    monkeypatch.setattr(pages, "kept_of", lambda url: kept if url and "gazeta_altai" in url else None)
    browser = signed_in("analyst")
    post = re.findall(r'href="(/post/p\w+)"', get(browser, "/search", source="gazeta_altai"))[0]
    page = get(browser, post, language="en")
    assert "item 17 of the archive" in page
    assert "ab" * 32 in page
    other = re.findall(r'href="(/post/p\w+)"', get(browser, "/search", source="gazeta_caspi"))[0]
    assert "of the archive" not in get(browser, other, language="en")


# ---- search -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(workbench: Home):
    con = workbench.connect()
    prepare_search(con)
    yield con
    con.close()


def test_a_phrase_is_whole_words_in_their_order(files):
    def n(*phrases: str) -> int:
        return search_posts(files, Asked(phrases=phrases)).n

    assert n("old bridge over the river") > 0
    assert n("bridge old") == 0
    assert n("old bridg") == 0
    assert n("ld bridge") == 0
    assert n("old bridge", "ice had moved") == n("old bridge")
    assert n("old bridge", "in the city") == 0


def test_a_phrase_is_found_with_an_index_as_without(workbench, files):
    from bastau.report.held import hold, index_words, reader

    held = hold(workbench, 10**6)
    index_words(held)
    for asked in (
        Asked(phrases=("old bridge",)),
        Asked(words=("stones",), phrases=("closed for three weeks",)),
        Asked(rule="x"),
        Asked(act="incite"),
        Asked(phrases=("nowhere at all",)),
    ):
        assert search_posts(reader(held), asked, 1, held.parts) == search_posts(files, asked)


def test_beyond_the_last_page_the_first_is_shown(files):
    asked = Asked(words=("bridge",))
    assert search_posts(files, asked).n > 0
    assert search_posts(files, asked, 399) == search_posts(files, asked)
    assert search_posts(files, Asked(words=("nowhere",)), 399).n == 0


def test_posts_are_found_by_act_and_by_rule(files):
    violent = search_posts(files, Asked(words=("unbelievers",))).n
    assert search_posts(files, Asked(act="incite")).n == violent > 0
    rules = {
        row[0] for row in files.execute("select s.rule from (select unnest(suggestions) s from matches)").fetchall()
    }
    assert max(search_posts(files, Asked(rule=rule)).n for rule in rules) == violent
    assert search_posts(files, Asked(act="recruit")).n == 0
    assert search_posts(files, Asked(act="incite", words=("bridge",))).n == 0


def test_narratives_that_hold_what_fits(files):
    found = narratives_with(files, Asked(phrases=("ice had moved",)))
    assert [n_posts for n_posts, _ in found.values()] == [search_posts(files, Asked(phrases=("ice had moved",))).n]
    assert next(iter(found.values()))[1] == 10
    assert narratives_with(files, Asked(words=("nowhere",))) == {}


def test_the_form_keeps_what_was_asked(signed_in):
    page = get(signed_in("analyst"), "/search", q='"old bridge" stones', found="act:incite", language="en")
    assert 'value="&quot;old bridge&quot; stones"' in page
    assert '<option value="act:incite" selected>' in page
    assert "No stored post fits" in page


class TestSaved:
    def test_a_search_is_kept_found_again_and_forgotten(self, signed_in):
        browser = signed_in("auditor")
        query = urlencode({"q": '"old bridge"', "in": "en"})
        answer = browser.post(reverse("save-search"), {"query": query, "name": "  the   bridge "})
        assert answer.status_code == 302
        assert answer["Location"] == f"/search?{query}#saved"
        assert f'href="/search?{query.replace("&", "&amp;")}"' in get(browser, "/search")
        one = SavedSearch.objects.get()
        assert (one.name, one.is_shared) == ("the bridge", False)
        browser.post(reverse("drop-search"), {"search": one.pk})
        assert not SavedSearch.objects.exists()

    def test_one_s_own_are_nobody_else_s_unless_shared(self, signed_in):
        mine, other = signed_in("analyst"), signed_in("reviewer")
        for name, shared in (("kept-to-myself", ""), ("for-all", "1")):
            mine.post(reverse("save-search"), {"query": "q=river", "name": name, "is_shared": shared})
        page = get(other, "/search")
        assert "for-all" in page
        assert "kept-to-myself" not in page
        for one in SavedSearch.objects.all():
            other.post(reverse("drop-search"), {"search": one.pk})
        assert SavedSearch.objects.count() == 2

    def test_the_same_name_again_replaces_it(self, signed_in):
        browser = signed_in("analyst")
        for words in ("river", "bridge"):
            browser.post(reverse("save-search"), {"query": f"q={words}", "name": "water"})
        assert [one.query for one in SavedSearch.objects.all()] == ["q=bridge"]

    @pytest.mark.parametrize("sent", [{}, {"query": "q=", "name": "x"}, {"query": "q=river", "name": " "}, {"query": "source=p~aaaaaaaaaaaaaaaa", "name": "x"}, {"query": "next=//evil.example", "name": "x"}])  # fmt: skip
    def test_nothing_nameless_and_nobody_private_is_kept(self, signed_in, sent):
        assert signed_in("analyst").post(reverse("save-search"), sent).status_code == 422
        assert not SavedSearch.objects.exists()

    def test_a_name_is_shown_and_not_run(self, signed_in):
        browser = signed_in("analyst")
        browser.post(reverse("save-search"), {"query": "q=river", "name": "<script>1</script>"})
        assert "<script>" not in get(browser, "/search")

    @pytest.mark.parametrize("number", ["", "x", "-1", "9" * 40, "1 or 1=1"])
    def test_a_number_that_is_none_forgets_nothing(self, signed_in, number):
        assert signed_in("analyst").post(reverse("drop-search"), {"search": number}).status_code == 302


class TestTold:
    RULE = {"query": "q=%22ice+had+moved%22", "name": "the ice", "min_posts": "3", "min_sources": "2", "to": "page"}  # noqa: RUF012

    def test_an_alert_is_made_of_a_search_and_taken_off(self, signed_in, alerting):
        browser = signed_in("analyst")
        assert browser.post(reverse("tell-search"), self.RULE).status_code == 302
        alerts = read_rules(alerting.folder / "alerts.yaml")
        assert [(rule.name, rule.when, rule.search) for rule in alerts.rules][1:] == [
            ("the ice", "search", self.RULE["query"])
        ]
        assert (alerting.folder / "alerts.yaml").read_text() == CHANNELS
        assert "the ice" in get(browser, "/search")
        browser.post(reverse("drop-alert"), {"name": "the ice"})
        assert len(read_rules(alerting.folder / "alerts.yaml").rules) == 1

    def test_it_finds_narratives_and_names_no_person(self, signed_in, alerting):
        signed_in("admin").post(reverse("tell-search"), self.RULE)
        rules = read_rules(alerting.folder / "alerts.yaml").rules
        [finding] = find(alerting, rules[1:], datetime(2026, 1, 1, tzinfo=UTC))
        assert finding.when == "search"
        assert finding.facts["n_sources"] == 10
        assert not PSEUDONYM.search(repr(finding))
        for low in ({"min_posts": 1000}, {"min_sources": 11}):
            assert find(alerting, [replace(rules[1], **low)], datetime(2026, 1, 1, tzinfo=UTC)) == []

    def test_a_rule_written_by_hand_stays(self, signed_in, alerting):
        signed_in("analyst").post(reverse("drop-alert"), {"name": "big"})
        assert (alerting.folder / "alerts.yaml").read_text() == CHANNELS

    @pytest.mark.parametrize("wrong", [{"name": ""}, {"name": "big"}, {"min_posts": "0"}, {"min_posts": "many"}, {"min_sources": "-1"}, {"to": ""}, {"to": "nobody"}, {"query": ""}])  # fmt: skip
    def test_what_has_no_sense_is_said_and_not_written(self, signed_in, alerting, wrong):
        answer = signed_in("analyst").post(reverse("tell-search"), self.RULE | wrong)
        assert answer.status_code == 422
        assert 'class="problem"' in answer.content.decode()
        assert not list((alerting.folder / FOLDER).glob("*.yaml"))

    def test_without_channels_the_page_says_so(self, signed_in, workbench):
        browser = signed_in("analyst")
        assert "No channel is set up" in get(browser, "/search", q="river", language="en")
        assert browser.post(reverse("tell-search"), self.RULE).status_code == 422

    def test_a_broken_file_is_told_and_breaks_no_search(self, signed_in, alerting):
        (alerting.folder / "alerts.yaml").write_text("channels: [")
        page = get(signed_in("analyst"), "/search", q="river")
        assert "not valid YAML" in page

    def test_a_reader_is_not_offered_it(self, signed_in, alerting):
        assert reverse("tell-search") not in get(signed_in("auditor"), "/search", q="river")

    def test_names_lead_to_no_other_file(self, alerting):
        rule = {"when": "search", "search": "q=a", "to": ["page"]}
        add_rule(alerting, {"name": "../../escaped", **rule})
        assert [path.parent.name for path in alerting.folder.rglob("*.yaml") if path.name != "alerts.yaml"] == [FOLDER]

    @pytest.mark.parametrize("search", ["", "what=x", "source=p~aaaaaaaaaaaaaaaa", ["q=a"], None])
    def test_a_search_that_is_none_is_no_rule(self, alerting, search):
        with pytest.raises(ConfigError, match="search is missing"):
            add_rule(alerting, {"name": "x", "when": "search", "search": search, "to": ["page"]})

    def test_mistakes_in_added_files_are_told_with_their_file(self, alerting):
        (alerting.folder / FOLDER).mkdir()
        (alerting.folder / FOLDER / "a.yaml").write_text("channels: {}\nrules:\n  - {name: big, when: new, to: page}\n")
        with pytest.raises(ConfigError) as told:
            read_rules(alerting.folder / "alerts.yaml")
        assert f"{FOLDER}/a.yaml, line 1" in str(told.value)
        assert "there are two of this name" in str(told.value)

    def test_a_file_that_is_being_written_is_not_read(self, alerting):
        (alerting.folder / FOLDER).mkdir()
        (alerting.folder / FOLDER / ".tmp-1-a.yaml").write_text("rules: [{na")
        assert len(read_rules(alerting.folder / "alerts.yaml").rules) == 1


# ---- rules ------------------------------------------------------------------------------------------------------


def test_rules_are_listed_with_what_they_found(signed_in):
    page = get(signed_in("reviewer"), "/rules", language="en")
    assert page.count('href="/rule/') > 50
    found = re.findall(r'href="/rule/([\w-]+)".*?<td class="n">(\d+)</td>', page, re.DOTALL)
    assert any(int(n) for _, n in found)


def test_the_texts_of_a_rule_are_behind_a_warning(signed_in):
    page = get(signed_in("reviewer"), "/rule/en-glorify-killing", language="en")
    before, _, after = page.partition('<details class="veil">')
    assert "Salute the man who burned the church." not in before
    assert "Salute the man who burned the church." in after
    assert "art. 2(7)(a)" in before


@pytest.mark.parametrize("name", ["nobody", "..", "<b>"])
def test_a_rule_that_is_not_there_is_not_found(signed_in, name):
    assert signed_in("analyst").get(f"/rule/{name}").status_code == 404


@pytest.fixture
def candidate(workbench: Home):
    folder = workbench.folder / rule_trial.FOLDER
    (folder / "own").mkdir(parents=True)
    (folder / "own" / "a.yaml").write_text("rules: []\n")
    yield folder
    shutil.rmtree(folder)


class TestTrial:
    @pytest.mark.parametrize("name", ["none.yaml", "../alerts.yaml", "../../keys", "results/x.json", "own"])
    def test_only_what_lies_there_is_tried(self, signed_in, candidate, name):
        browser = signed_in("admin")
        assert browser.get(f"/rules/trial/{name}").status_code == 404
        assert browser.post(f"/rules/try/{name}").status_code == 404

    def test_it_runs_beside_the_pages_and_one_at_a_time(self, signed_in, candidate, monkeypatch):
        asked, made = [], []
        real = trials.subprocess.Popen
        waits = "import sys; sys.stdin.read(); sys.stderr.write('x' * 200_000 + ' it broke'); sys.exit(2)"

        def start(command, *, stderr, **_):
            asked.append(command)
            made.append(real([sys.executable, "-c", waits], stdin=subprocess.PIPE, stderr=stderr))
            return made[-1]

        monkeypatch.setattr(trials.subprocess, "Popen", start)
        browser = signed_in("analyst")
        address = "/rules/trial/own/a.yaml"
        assert browser.post("/rules/try/own/a.yaml").status_code == 302
        assert "being tried" in get(browser, address, language="en")
        assert browser.post("/rules/try/own/a.yaml").status_code == 409
        assert [command[3:6] for command in asked] == [["rules", "try", "own/a.yaml"]]
        made[0].stdin.close()
        made[0].wait()
        page = get(browser, address)
        assert "it broke" in page
        assert "being tried" not in page

    def test_one_that_takes_too_long_is_ended(self, signed_in, candidate, monkeypatch):
        real = trials.subprocess.Popen
        sleeps = [sys.executable, "-c", "import time; time.sleep(600)"]
        monkeypatch.setattr(trials.subprocess, "Popen", lambda _command, **more: real(sleeps, **more))
        browser = signed_in("analyst")
        browser.post("/rules/try/own/a.yaml")
        monkeypatch.setattr(trials, "_MOST_S", 0.0)
        page = get(browser, "/rules/trial/own/a.yaml", language="en")
        assert "being tried" not in page
        assert "exit code -9" in page

    def test_what_came_of_it_is_shown_and_an_old_one_marked(self, signed_in, candidate, workbench, files):
        key = files.execute("select post_key from posts where text like '%knives%' limit 1").fetchone()[0]
        one = rule_trial.Difference("my-rule", "incite", "", "1", 0, 1, 0, 4, (key,), ())
        made = rule_trial.Trial(
            "own/a.yaml", rule_trial.sha256_of(workbench, "own/a.yaml"), datetime(2026, 1, 1, tzinfo=UTC), 203, None, None, False, ("it flags <b>",), (one,),
        )  # fmt: skip
        rule_trial.keep(workbench, made)
        browser = signed_in("auditor")
        page = get(browser, "/rules/trial/own/a.yaml", language="en")
        before, _, after = page.partition('<details class="veil">')
        assert "my-rule" in before
        assert "it flags &lt;b&gt;" in before
        assert "knives" not in before
        assert "knives" in after
        assert "was changed since" not in page
        assert reverse("try-rule", args=["own/a.yaml"]) not in page
        (candidate / "own" / "a.yaml").write_text("rules: []\n# anew\n")
        assert "was changed since" in get(browser, "/rules/trial/own/a.yaml", language="en")


def test_what_is_kept_of_an_address_is_read_from_the_chain_as_it_grows(tmp_path: Path, workbench: Home):
    from bastau.chain import Chain

    folder = tmp_path / "evidence"
    chain = Chain(folder)
    item = {"act": "kept", "url": "https://a.example/1", "asked": "https://a.example/1", "fetched_at": "2026-01-02T03:04:05+00:00", "kept_sha256": "ab", "is_pseudonymised": False}  # fmt: skip
    with override_settings(BASTAU_HOME=Home(tmp_path, workbench.settings)):
        assert archived.kept_of("https://a.example/1") is None
        chain.append([item], datetime(2026, 1, 2, tzinfo=UTC))
        first = archived.kept_of("https://a.example/1")
        assert (first.sha256, first.fetched_at.hour) == ("ab", 3)
        assert archived.kept_of("https://a.example/2") is None
        assert archived.kept_of(None) is None
        chain.append([{"act": "erased", "item": first.number}], datetime(2026, 1, 3, tzinfo=UTC))
        assert archived.kept_of("https://a.example/1") is None

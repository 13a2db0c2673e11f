"""Attacks in everything that comes from outside stay words: on every page, in every form, in every export."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hostile_home
import pyarrow.parquet as pq
import pytest
from crawling import Answers, elements, faults, fields_of, is_html, route_of, walk
from hostile_home import MARK, PAYLOADS, bastau, payload
from lxml import etree
from markdown_it import MarkdownIt
from resiliparse.parse.html import HTMLTree
from workbench_home import PASSWORD

from bastau.alerts.findings import Finding, find
from bastau.alerts.rules import read_rules
from bastau.alerts.sending import send
from bastau.home import Home
from bastau.publishing import public_folder
from bastau.review.subjects import case_id
from bastau.shield.exports import endings
from bastau.watching import open_store

FORMULA = tuple("=+-@＝＋－＠\t\r\n")


@dataclass
class World:
    home: Home
    browser: Any
    seen: Answers


@pytest.fixture(scope="module")
def world(workbench: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hostile home and every kind of its pages, as an account with all roles sees them."""
    from django.db import transaction
    from django.test import Client, override_settings

    from bastau_web.workbench.models import Account, AppealWords, SavedSearch
    from bastau_web.workbench.roles import Role

    home = hostile_home.make_home(tmp_path_factory.mktemp("hostile"), hostile_home.shared_folder(tmp_path_factory))
    hasher = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(BASTAU_HOME=home, PASSWORD_HASHERS=hasher), transaction.atomic():
        account, browser = (
            Account.objects.add("all", PASSWORD, list(Role)),
            Client(HTTP_USER_AGENT=f"Firefox {payload(4)}"),
        )
        browser.force_login(account)
        for i, text in enumerate(PAYLOADS):
            SavedSearch.objects.create(account=account, name=text[:120], query=f"q={text}"[:2000], is_shared=i % 2 == 0)
        for case in ("appealed", "kept", "overturned"):
            number = hostile_home.STATES.index(case)
            words = "\n".join(PAYLOADS)
            AppealWords.objects.create(case=case, text_sha256=f"{number:064x}", text=words)
        starts = [
            "/?days=30",
            "/search?platform=web",
            "/search?q=market",
            "/queue",
            *(f"/narrative/{n}" for n in narratives(home)),
        ]
        seen = walk(browser, starts, most=9, more={"post": 44, "narrative": 24, "source": 25, "case": 16})
        yield World(home, browser, seen)
        transaction.set_rollback(True)


def narratives(home: Home) -> list[str]:
    sql = "select narrative_id from narratives where contains(text, 'qaza') order by narrative_id limit 24"
    return [row[0] for row in home.connect().execute(sql).fetchall()]


def letters(text: str) -> str:
    """Return the letters and digits alone: what is shown may be cleaned, shortened or spaced otherwise."""
    return re.sub(r"[\W_]+", "", text).casefold()


def spoken(page: str) -> str:
    tree = HTMLTree.parse(page)
    values = " ".join(node.getattr(name) or "" for node in elements(page) for name in ("value", "href"))
    return letters(f"{tree.head.text} {tree.body.text} {values}")


def test_no_element_and_no_attribute_of_a_page_comes_from_an_attack(world: World) -> None:
    for address, page in world.seen.html():
        assert faults(page, MARK) == [], address


def test_the_attacks_were_shown_as_words(world: World) -> None:
    """Without this the test above could pass because nothing was shown."""
    said = [spoken(page) for _, page in world.seen.html()]
    unseen = [text for text in PAYLOADS if not any(letters(text) in page for page in said)]
    assert unseen == []
    routes = {route_of(address) for address, page in world.seen.html() if MARK in page}
    assert routes >= {
        "today",
        "search",
        "narrative",
        "post",
        "source",
        "sources",
        "queue",
        "case",
        "rules",
        "rule-trial",
    }


def test_the_looking_sees_each_kind_of_attack() -> None:
    """The parser and the marks must find what a template that forgets to escape would let through."""
    for text in hostile_home.MARKUP:
        places = (
            f"<p>{text}</p>",
            f"<textarea>{text}</textarea>",
            f"<title>{text}</title>",
            f"<!--{text}-->",
            f'<p title="{text}">',
        )
        assert any(faults(page, MARK) for page in places), text
    for text in hostile_home.ATTRIBUTES[:4]:
        places = (f'<input value="{text}">', f"<input value='{text}'>", f"<input value={text}>")
        assert any(faults(page, MARK) for page in places), text
    for text in hostile_home.ADDRESSES:
        assert faults(f'<a href="{text}">a</a>', MARK), text


def test_template_words_are_not_run(world: World) -> None:
    pages = [page for _, page in world.seen.html()]
    assert sum("{{ request.user.password }}" in page for page in pages) > 3
    assert sum("{account.password}" in page for page in pages) > 3
    assert not [page for page in pages if "md5$" in page or "49%&gt;" in page]


def test_no_attack_reaches_a_header(world: World) -> None:
    for address, answer in world.seen.pages.items():
        for name, value in answer.headers.items():
            assert MARK not in value or name == "Location", (address, name)
            assert not re.search(r"[\r\n]", value), (address, name)
        assert not [cookie for cookie in answer.cookies if MARK in cookie]


def test_what_is_typed_into_any_form_that_asks_comes_back_as_words(world: World) -> None:
    asked = {route_of(a): a.split("?")[0] for a, _ in world.seen.html() if "?" in a}
    n = 0
    for route, address in asked.items():
        fields = {key for a in world.seen.pages if a.startswith(f"{address}?") for key in re.findall(r"[?&](\w+)=", a)}
        for text in PAYLOADS[::4]:
            answer = world.browser.get(address, dict.fromkeys(fields, text))
            assert answer.status_code < 500
            if is_html(answer):
                n += 1
                assert faults(answer.content.decode(), MARK) == [], (route, text)
    assert n > 60


def test_what_is_typed_into_any_form_that_changes_something_comes_back_as_words(world: World) -> None:
    done = set()
    for address, fields in world.seen.posts.items():
        route = route_of(address)
        if route in (None, "sign-out", "try-rule") or route in done:  # the last starts a process
            continue
        done.add(route)
        for text in (
            PAYLOADS[4],
            PAYLOADS[6],
            PAYLOADS[36],
            "{account.password}" + PAYLOADS[15],
            "a\x00" + PAYLOADS[40],
        ):
            typed = {name: value if name in ("csrfmiddlewaretoken", "of") else text for name, value in fields.items()}
            answer = world.browser.post(address, typed)
            if answer.status_code in (301, 302):
                assert re.match(r"/(?!/)", answer["Location"]), address
                answer = world.browser.get(answer["Location"])
            assert answer.status_code < 500, address
            if is_html(answer):
                assert faults(answer.content.decode(), MARK) == [], (address, text)
    assert len(done) > 6


def test_the_words_of_an_appeal_stay_words_for_whoever_answers_it(world: World) -> None:
    pages = [page for address, page in world.seen.html() if route_of(address) == "answer-appeal"]
    assert any("request.user.password" in page for page in pages)


def test_notices_and_statements_of_reasons_hold_nothing_of_an_attack(world: World) -> None:
    case = case_id(hostile_home.subject(value=hostile_home.case_address("listed")))
    address = f"/release/{case}"
    number = fields_of(HTMLTree.parse(world.browser.get(address).content.decode()).body.query_selector("main form"))[
        "of"
    ]
    form = {"of": number, "expires": f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}", "do": "preview"}
    for text in PAYLOADS:
        preview = world.browser.post(address, form | {"facts": f"It was public on that day. {text}"})
        page = preview.content.decode()
        assert faults(page, MARK) == [], text
    released = world.browser.post(
        address, form | {"facts": "\n".join((*hostile_home.MARKUP, *hostile_home.ADDRESSES)), "do": "release"}
    )
    page = released.content.decode()
    assert released.status_code == 200
    assert faults(page, MARK) == []
    notices = HTMLTree.parse(page).body.query_selector_all("pre.notice")
    assert [node.text.count("<script") for node in notices] == [notices[0].text.count("<script")] * 3
    assert all("qaza.example" in node.text for node in notices)
    for link in HTMLTree.parse(page).body.query_selector_all("a[download]"):
        assert re.fullmatch(r"e[0-9a-z]{13}-\d+-(kk|ru|en)\.txt", link.getattr("download"))
        assert re.fullmatch(r"data:text/plain;charset=utf-8,[\w.~%/-]+", link.getattr("href"))
    saved = HTMLTree.parse(world.browser.get(address).content.decode()).body.query_selector(
        "a[href$='/statement.json']"
    )
    statement = world.browser.get(saved.getattr("href"))
    assert statement["Content-Type"] == "application/json"
    assert re.fullmatch(r'attachment; filename="[\w-]+\.json"', statement["Content-Disposition"])
    assert MARK in json.loads(statement.content)["decision_facts"]


def test_the_transparency_report_holds_nothing_of_an_attack(world: World) -> None:
    query = "?from=2000-01-01"
    assert faults(world.browser.get(f"/transparency{query}").content.decode(), MARK) == []
    table = world.browser.get(f"/transparency/figures.csv{query}").content.decode()
    assert table.count("\n") > 40
    lines = world.browser.get("/transparency/published.ndjson").content.decode().splitlines()
    assert len(lines) > len(hostile_home.STATES)
    assert MARK not in table
    # Names of rules, models and data are the operator's, and needed to compute it again; nothing else that anybody wrote is left.
    for line in lines:
        assert MARK not in json.dumps(json.loads(line, object_hook=without_versions))
    for cell in cells(table):
        assert re.fullmatch(r"[\w.][\w.:+-]*|-?[\d.e-]+|", cell), cell


def without_versions(read: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in read.items() if name not in ("rule", "model", "data", "data_version")}


# ---- exports ---------------------------------------------------------------------------------------------


def cells(text: str) -> Iterator[str]:
    for row in csv.reader(io.StringIO(text, newline="")):
        yield from row


@pytest.fixture(scope="module")
def exports(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("exports")
    made = {}
    for what, forms in endings().items():
        for ending in forms:
            if ending not in (".parquet", ".jsonl"):
                made[f"{what}{ending}"] = path = folder / f"{what}{ending}"
                bastau("export", what, "-o", path, "--home", world.home.folder, "--quiet")
    return made


def test_no_cell_of_a_table_for_people_is_a_formula(exports: dict[str, Path], world: World) -> None:
    tables = {name: path.read_text("utf-8") for name, path in exports.items() if name.endswith(".csv")}
    tables |= {path.name: path.read_text("utf-8") for path in public_folder(world.home).rglob("*.csv")}
    tables |= {a: text for a, text in world.seen.files() if world.seen.pages[a]["Content-Type"].startswith("text/csv")}
    assert len(tables) > 6
    n = 0
    for name, text in tables.items():
        for cell in cells(text):
            n += MARK in cell
            assert not cell.startswith(FORMULA) or re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell), (name, cell)
    assert n > 100


def test_a_row_is_a_row_whatever_a_post_holds(exports: dict[str, Path]) -> None:
    rows = list(csv.reader(io.StringIO(exports["posts.csv"].read_text("utf-8"), newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    lines = exports["posts.ndjson"].read_bytes().splitlines()
    assert len(lines) == len(rows) - 1
    assert sum(MARK in json.dumps(json.loads(line)) for line in lines) > 100


@pytest.mark.parametrize("name", ["graph.graphml", "graph.gexf"])
def test_graphs_are_well_formed_and_hold_no_element_of_an_attack(name: str, exports: dict[str, Path]) -> None:
    content = exports[name].read_bytes()
    assert b"<!ENTITY" not in content
    assert b"<!DOCTYPE" not in content
    for node in etree.fromstring(content, etree.XMLParser(resolve_entities=False)).iter():
        assert MARK not in str(node.tag)
        assert not [key for key in node.attrib if MARK in key]


def test_pages_that_stand_for_themselves_hold_nothing_of_an_attack(world: World, tmp_path: Path) -> None:
    home = world.home.folder
    bastau(
        "report",
        "--from",
        "2024-04-28",
        "--to",
        "2024-05-03",
        "-o",
        tmp_path / "brief.html",
        "--locale",
        "en",
        "--home",
        home,
    )
    bastau("families", "--html", tmp_path / "families.html", "--locale", "ru", "--home", home)
    for i, narrative in enumerate(narratives(world.home)[:8]):
        bastau("trace", narrative, "--html", tmp_path / f"trace{i}.html", "--locale", "kk", "--home", home)
    n = 0
    for path in tmp_path.iterdir():
        page = path.read_text("utf-8")
        n += MARK in page
        assert faults(page, MARK, frozenset({"style"})) == [], path.name
        assert len(list(HTMLTree.parse(page).document.query_selector_all("style"))) == 1
    assert n > 8


def test_lists_say_nothing_but_their_entries(world: World) -> None:
    folder = public_folder(world.home)
    hosts = [line for line in (folder / "hosts.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert {line.split()[-1] for line in hosts if line} <= {"whole-qaza.example", "www.whole-qaza.example"}
    zone = (folder / "rpz.zone").read_text("utf-8")
    for line in zone.splitlines():
        assert re.fullmatch(r";.*|\$TTL \d+|@.*|\s.*|(\*\.)?(www\.)?whole-qaza\.example CNAME \.?.*|", line), line
    for path in folder.rglob("*.json"):
        check_json(path.read_text("utf-8"))


def check_json(text: str) -> None:
    """See that a file is JSON, whole or an object a line (as FollowTheMoney has it)."""
    try:
        json.loads(text)
    except ValueError:
        for line in text.splitlines():
            json.loads(line)


def test_files_over_http_are_what_they_say(world: World) -> None:
    for address, answer in world.seen.pages.items():
        if not is_html(answer) and answer.status_code == 200:
            assert answer["X-Content-Type-Options"] == "nosniff", address
            kind = answer["Content-Type"].split(";")[0]
            assert kind not in (
                "image/svg+xml",
                "text/xml",
                "application/xml",
                "application/xhtml+xml",
                "text/javascript",
            ), address
            if kind == "application/json":
                check_json(answer.read.decode() or "null")


# ---- what leaves by other ways ------------------------------------------------------------------------------


ALERTS = """
channels:
  page: {kind: feed, file: alerts.atom}
rules:
"""
ATOM = "{http://www.w3.org/2005/Atom}"


def test_the_feed_of_alerts_is_well_formed_and_says_attacks_as_words(world: World, tmp_path: Path) -> None:
    kinds = ("new", "grown", "known", "coordinated", "silent", "gap", "search")
    rules = [
        {"name": hostile_home.clean(text), "when": kind, "to": "page"}
        | ({"search": "q=market"} if kind == "search" else {})
        | ({"min_posts": 1, "min_sources": 1} if kind in ("new", "grown", "known", "search") else {})
        | ({"quote": True} if kind in ("new", "grown", "known") else {})
        for kind, text in zip(kinds, PAYLOADS[::9], strict=False)
    ]
    (tmp_path / "alerts.yaml").write_text(ALERTS + "".join(f"  - {json.dumps(rule)}\n" for rule in rules), "utf-8")
    read = read_rules(tmp_path / "alerts.yaml")
    found = find(world.home, read.rules, datetime.now(UTC) + timedelta(days=90))
    told = [one for one in found if one.facts.get("words")][:80] + [
        Finding(f"{i:032x}", text, "new", text, {"n_posts": 1, "n_sources": 1, "since": text, "words": text, "sources": [text]})
        for i, text in enumerate(PAYLOADS)
    ]  # fmt: skip
    assert len(told) > len(PAYLOADS)
    for _ in range(2):  # the second time its own words are read back
        send(read.channels["page"], told, datetime.now(UTC), home=tmp_path, allow_private=False)
    content = (tmp_path / "alerts.atom").read_bytes()
    root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    assert {node.tag.removeprefix(ATOM) for node in root.iter()} == {
        "feed", "title", "id", "updated", "entry", "author", "name", "content",
    }  # fmt: skip
    entries = root.findall(f"{ATOM}entry")
    assert len(entries) == len({entry.findtext(f"{ATOM}id") for entry in entries}) == len(told)
    assert {tuple(node.attrib) for node in root.iter()} == {()}  # content without a type is text
    assert sum(MARK in str(entry.findtext(f"{ATOM}content")) for entry in entries) >= len(PAYLOADS)


def test_the_list_of_sources_comes_back_as_it_went_and_runs_nothing(world: World, tmp_path: Path) -> None:
    home, path = world.home.folder, tmp_path / "sources.csv"
    with open_store(world.home) as store:
        before = store.sources()
        named = [replace(one, name=payload(i)) for i, one in enumerate(before)]
        store.edit(named)
    bastau("sources", "export", "-o", path, "--home", home)
    text = path.read_bytes().decode()
    assert sum(MARK in cell for cell in cells(text)) > len(PAYLOADS) / 2
    for cell in cells(text):
        assert not cell.startswith(FORMULA) or re.fullmatch(r"-[1-4]", cell), cell
    bastau("sources", "import", path, "--home", home)
    with open_store(world.home) as store:
        after = {one.source_id: one for one in store.sources()}
    for one in named:
        assert (after[one.source_id].address, after[one.source_id].options) == (one.address, one.options)
        assert " ".join((after[one.source_id].name or "").split()) == " ".join((one.name or "").split())


def test_the_data_card_for_researchers_holds_no_markup_of_an_attack(world: World, tmp_path: Path) -> None:
    """Rendered as a forge renders it, with HTML let through."""
    for i, text in enumerate(
        (
            PAYLOADS[4],
            PAYLOADS[6],
            PAYLOADS[15],
            "[qaza](javascript:qaza) ![qaza](//qaza.example/p)",
            "| a | <b qaza> |\n# qaza",
        )
    ):
        about = {
            name: hostile_home.clean(text) for name in ("publisher", "contact", "licence", "purpose", "title", "ground")
        }
        (tmp_path / "about.toml").write_text("\n".join(f"{name} = {json.dumps(said)}" for name, said in about.items()))
        folder = tmp_path / f"export{i}"
        bastau(
            "export",
            "research",
            "-o",
            folder,
            "--about",
            tmp_path / "about.toml",
            "--home",
            world.home.folder,
            "--quiet",
        )
        card = (folder / "README.md").read_text("utf-8")
        assert MARK in card
        page = MarkdownIt("commonmark", {"html": True}).enable("table").render(card)
        assert faults(page, MARK) == [], text
        check_json((folder / "croissant.json").read_text("utf-8"))
    # Ids that hold a pseudonym, as anybody's feed may bring them, are others there, and no two are one.
    ids = pq.read_table(folder / "posts.parquet").column("post_id").to_pylist()
    assert len(ids) == len(set(ids)) > len(PAYLOADS)
    assert MARK in "".join(ids)

"""Every kind of page in a real browser: axe-core finds nothing serious on a screen, a phone and in the dark, and attacks do nothing."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import pytest

sys.path.append(str(Path(__file__).parents[1] / "integration" / "workbench"))
import hostile_home

BASTAU = Path(sys.executable).with_name("bastau")
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
PASSWORD = "correct horse battery staple"
FILL = """
import sys
from pathlib import Path
from bastau.home import Home
from bastau_web.workbench.commands import _open
_open(Home.open(Path(sys.argv[1])), "127.0.0.1")
from bastau_web.workbench.models import Account, AppealWords, SavedSearch
from bastau_web.workbench.roles import Role
account = Account.objects.add("all", sys.argv[2], list(Role))
SavedSearch.objects.create(account=account, name=sys.argv[3], query="q=bridge")
AppealWords.objects.create(case="c", text_sha256=sys.argv[4], text=sys.argv[3])
"""
STARTS = (
    "/?days=30", "/search?q=market", "/search?q=knives", "/queue", "/lists", "/log", "/transparency?from=2000-01-01", "/appeal", "/appeals",
    "/account", "/account/second-factor", "/sources", "/nothing",
)  # fmt: skip
ON_A_PHONE = ["target-size", "scrollable-region-focusable", "meta-viewport"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="no Chromium: install it to test the pages in a browser"),
    pytest.mark.skipif(not AXE.exists(), reason="no axe-core: install npm and run ./run test"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = hostile_home.make_home(
        tmp_path_factory.mktemp("hostile"), hostile_home.shared_folder(tmp_path_factory)
    ).folder
    words = f"{hostile_home.STATES.index('appealed'):064x}"
    subprocess.run(
        [sys.executable, "-c", FILL, home, PASSWORD, hostile_home.payload(4), words], check=True, timeout=120
    )
    command = [BASTAU, "serve", "--home", home, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert said is not None
        yield said[0]
        process.terminate()


@pytest.fixture(scope="module")
def page(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Page]:
    """A browser in which scripts may run and no policy of a page stands before them: what an attack would find at its best."""
    with chromium.browser(tmp_path_factory.mktemp("profile")) as page:
        page.call("Page.setBypassCSP", enabled=True)
        page.open(f"{address}/sign-in")
        fill = (
            f"document.querySelector('#name').value = 'all'; document.querySelector('#password').value = {PASSWORD!r};"
        )
        page.events.clear()
        page.look(f"{fill} document.querySelector('main form').submit()")
        page._wait("Page.loadEventFired")
        assert page.look("location.pathname") == "/"
        yield page


def kind(address: str) -> str:
    """Return an address without what varies among pages of one kind."""
    path = address.split("?", maxsplit=1)[0].split("#", maxsplit=1)[0]
    path = re.sub(r"^(/source|/rule|/group|/family|/accounts/of|/rules/trial)/.*", r"\1/*", path)
    return re.sub(r"/(?:[a-z][0-9a-z]{13}|\d+)(?=/|$)", "/*", path)


def links(page: chromium.Page, address: str) -> list[str]:
    script = "[...document.querySelectorAll('a[href]:not([download])')].map(a => new URL(a.getAttribute('href'), location).href)"
    found: list[str] = page.look(script)
    own = [one.removeprefix(address) for one in found if one.startswith(address + "/")]
    return [
        one
        for one in own
        if not re.search(r"\.(?:json|csv|ndjson|txt|zip|graphml|gexf|bin|zone)\b|language=|/taxii2", one)
    ]


def found_by_axe(page: chromium.Page, only: list[str] | None = None) -> list[str]:
    options: dict[str, Any] = {"resultTypes": ["violations"], "iframes": False}
    if only:
        options["runOnly"] = {"type": "rule", "values": only}
    script = f"axe.run(document, {json.dumps(options)}).then(r => JSON.stringify(r.violations.map(v => [v.impact, v.id, v.nodes.map(n => n.html)])))"
    said = page.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)["result"]["value"]
    return [
        f"{impact} {rule}: {nodes[:3]}" for impact, rule, nodes in json.loads(said) if impact in ("serious", "critical")
    ]


def ran(page: chromium.Page, address: str) -> list[str]:
    """Return what an attack did: said something, or asked somebody else."""
    said = [
        str(event["params"]["args"])
        for event in page.events
        if event.get("method") == "Runtime.consoleAPICalled" and hostile_home.MARK in str(event["params"]["args"])
    ]
    return said + [one for one in page.asked_for() if not one.startswith((address, "data:"))]


def test_no_kind_of_page_has_a_serious_fault_on_a_screen_a_phone_or_in_the_dark(
    page: chromium.Page, address: str
) -> None:
    axe, ahead, done, seen, wrong = AXE.read_text("utf-8"), list(STARTS), set(), set(), []
    page.size(1280)
    while ahead:
        where = ahead.pop(0)
        if where in done or (kind(where) in seen and where not in STARTS):
            continue
        seen.add(kind(where))
        done.add(where)
        page.open(address + where)
        wrong += [f"{where}: {one}" for one in ran(page, address)]
        ahead += links(page, address)
        page.look(axe)
        wrong += [f"{where}, wide: {one}" for one in found_by_axe(page)]
        page.size(360, 640)
        wrong += [f"{where}, phone: {one}" for one in found_by_axe(page, ON_A_PHONE)]
        width = page.look("document.documentElement.scrollWidth")
        wrong += [f"{where}, phone: {width} px wide"] if width > 360 else []
        page.dark(True)
        wrong += [f"{where}, dark: {one}" for one in found_by_axe(page, ["color-contrast"])]
        page.dark(False)
        page.size(1280)
    assert len(seen) < 80, sorted(seen)
    assert wrong == []
    assert seen >= {
        "/",
        "/search",
        "/narrative/*",
        "/post/*",
        "/source/*",
        "/queue",
        "/case/*",
        "/release/*",
        "/appeals",
        "/lists",
        "/log",
        "/why/*",
    }


def test_no_attack_does_anything_even_without_the_policy(page: chromium.Page, address: str) -> None:
    page.size(1280)
    pages = [f"/search?platform=web&page={n}" for n in range(1, 8)]
    page.open(address + pages[0])
    pages += [one for one in links(page, address) if kind(one) in ("/post/*", "/narrative/*")][:16]
    hits = 0
    for where in pages:
        page.open(address + where)
        page.look("document.querySelectorAll('details').forEach(one => { one.open = true })")
        page.look(
            "document.querySelectorAll('[autofocus], [tabindex], a, summary').forEach(one => { one.focus(); one.dispatchEvent(new MouseEvent('mouseover')) })"
        )
        assert ran(page, address) == [], where
        hits += page.look(f"document.body.innerText.split({hostile_home.MARK!r}).length - 1")
        assert page.look("location.href") == address + where
    assert hits > 300


def test_the_looking_sees_a_script_that_runs(page: chromium.Page, address: str) -> None:
    page.open(f"{address}/sign-in")
    page.look(
        "document.body.insertAdjacentHTML('beforeend', '<img src=/nothing.png onerror=\"console.log(`qaza ran`)\">')"
    )
    for _ in range(20):
        page.call("Runtime.evaluate", expression="new Promise(done => setTimeout(done, 50))", awaitPromise=True)
        if ran(page, address):
            return
    raise AssertionError("a script ran and was not seen")

"""Every kind of page in a real browser: axe-core finds nothing serious on a screen, a phone and in the dark, and attacks do nothing."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import chromium
import pyotp
import pytest

sys.path.append(str(Path(__file__).parents[1] / "integration" / "workbench"))
import hostile_home

from bastau.review.subjects import case_id

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
    "/account", "/account/second-factor", "/sources", "/rules", "/nothing",
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
    with (home / "bastau.toml").open("a") as settings:
        settings.write("\n[network]\nallow_private = true\npause_s = 0.0\n")
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


def case_of(state: str) -> str:
    return case_id(hostile_home.subject(value=hostile_home.case_address(state)))


def looked_at(page: chromium.Page, axe: str, where: str, *, is_wide: bool = True) -> list[str]:
    """Return what axe-core finds on the open page: wide by all rules, on a phone and in the dark by those that may differ.

    Not wide: by all rules on a phone and in the dark, which takes half the time.
    """
    page.look(axe)
    wrong = [f"{where}, wide: {one}" for one in found_by_axe(page)] if is_wide else []
    page.size(360, 640)
    page.dark(True)
    wrong += [
        f"{where}, dark on a phone: {one}"
        for one in found_by_axe(page, [*ON_A_PHONE, "color-contrast"] if is_wide else None)
    ]
    width = page.look("document.documentElement.scrollWidth")
    wrong += [f"{where}, phone: {width} px wide"] if width > 360 else []
    page.dark(False)
    page.size(1280)
    return wrong


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
        wrong += looked_at(page, axe, where)
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


SHOWN = "[...document.querySelectorAll(%r)].filter(one => one.checkVisibility() && one.getClientRects().length).length"


def test_on_paper_charts_have_their_bars_and_nothing_runs_over_the_edge(page: chromium.Page, address: str) -> None:
    page.open(f"{address}/search?q=market")
    [narrative, *_] = [one for one in links(page, address) if one.startswith("/narrative/")]
    page.size(794, 1123)
    for where in (
        narrative,
        f"/case/{case_of('listed')}",
        f"/release/{case_of('listed')}",
        "/transparency?from=2000-01-01",
    ):
        page.open(address + where)
        page.call("Emulation.setEmulatedMedia", media="print")
        assert page.look("document.documentElement.scrollWidth") <= 794, where
        assert page.look(SHOWN % "form, nav, div.bar") == 0, where
        assert page.look(SHOWN % "svg .bar") > 0 or where != narrative
        page.call("Emulation.setEmulatedMedia", media="")
    page.size(1280)


# ---- what only a form shows ----------------------------------------------------------------------------------

WORDS = "It was read on that day, open to everybody, and kept as evidence."
SEND = """
(() => {
  const form = [...document.querySelectorAll('form')].find(one => one.getAttribute('action') === %s || (!one.hasAttribute('action') && %s === location.pathname));
  form.closest('details')?.setAttribute('open', '');
  for (const [name, value] of Object.entries(%s)) {
    const fields = form.querySelectorAll(`[name="${name}"]`);
    for (const one of fields) if (['radio', 'checkbox'].includes(one.type)) one.checked = one.value === value; else one.value = value;
  }
  form.noValidate = true;
  form.requestSubmit(form.querySelector(`button[value="${%s}"]`) ?? undefined);
})()
"""


def send(page: chromium.Page, action: str, button: str = "", **fields: str) -> int:
    """Send a form of the open page, whatever the browser would have said of its fields; return the status of the answer."""
    page.events.clear()
    page.look(SEND % (json.dumps(action), json.dumps(action), json.dumps(fields), json.dumps(button)))
    page._wait("Page.loadEventFired")
    answers = [e["params"] for e in page.events if e.get("method") == "Network.responseReceived"]
    return int(next(one["response"]["status"] for one in reversed(answers) if one["type"] == "Document"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[str]:
    """A place with attacks in all that it says of itself."""
    items = "".join(f"<item><title>{escape(text)}</title><guid>{i}</guid><description>{escape(text)}</description></item>"
                    for i, text in enumerate(hostile_home.clean(one) for one in hostile_home.PAYLOADS[:20]))  # fmt: skip
    feed = (
        f"<rss version='2.0'><channel><title>{escape(hostile_home.payload(4))}</title>{items}</channel></rss>".encode()
    )

    (tmp_path / "feed.xml").write_bytes(feed)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/feed.xml"
    server.shutdown()
    server.server_close()
    thread.join()


def test_pages_that_only_a_form_shows_have_no_serious_fault_either(
    page: chromium.Page, address: str, place: str
) -> None:
    axe, wrong = AXE.read_text("utf-8"), list[str]()

    def sent(where: str | None, action: str, status: int, button: str = "", **fields: str) -> None:
        """Send a form of a page, or of the one that is open, and look at the answer."""
        if where is not None:
            page.open(address + where)
        name = f"{action} {button} {fields}"
        got = send(page, action, button, **fields)
        wrong.extend([f"{name}: {got}"] if got != status else [])
        wrong.extend(f"{name}: {one}" for one in ran(page, address))
        wrong.extend(looked_at(page, axe, name, is_wide=False))

    page.size(1280)
    waiting, listed, appealed = (case_of(state) for state in ("waiting", "listed", "appealed"))
    expires = f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}"
    # deciding, releasing, appealing
    page.open(f"{address}/case/{waiting}")
    assert send(page, f"/case/{waiting}/take") == 200
    sent(None, f"/case/{waiting}/verdict", 422, act="incite", ground_kind="law", reason="x")
    sent(f"/case/{case_of('left')}", f"/case/{case_of('left')}/reopen", 409, why="new_evidence", sha256="x")
    sent(
        f"/release/{listed}",
        f"/release/{listed}",
        422,
        "release",
        facts="x",
        expires="2001-01-01",
        territory="XX",
        ground_url="x",
    )
    sent(None, f"/release/{listed}", 200, "preview", facts=WORDS, expires=expires, territory="DE", ground_url="")
    sent(None, f"/release/{listed}", 200, "release")
    code = page.look("document.querySelector('code.code').textContent")
    assert code, wrong
    sent("/appeal", "/appeal", 404, "look", code="ABCD-EFGH")
    sent(None, "/appeal", 200, "look", code=code)
    sent(None, "/appeal", 422, "file", words="x")
    sent(None, "/appeal", 200, "file", words=f"{WORDS} {hostile_home.payload(4)}")
    assert page.look("document.querySelector('.done').textContent"), wrong
    page.open(f"{address}/appeals/{appealed}")
    sent(None, page.look("location.pathname"), 422, reason="x")
    sent(f"/release/{appealed}", f"/release/{appealed}/withdraw", 422, reason="x")
    # places
    sent("/sources", "/sources/look", 422, addresses="\n".join(f"https://a{i}.example" for i in range(50)))
    sent(None, "/sources/look", 200, addresses=place)
    assert page.look("document.querySelectorAll('[name=take]').length") == 1
    sent(None, "/sources/watch", 200)
    sent("/sources/1", "/sources/1/edit", 422, options="no option")
    sent("/sources/1", "/sources/1/remove", 422)
    # searches, accounts, keys
    sent("/search?q=market", "/search/save", 422, name="")
    sent("/accounts", "/accounts/add", 422, name="not a name")
    sent("/accounts", "/accounts/add", 200, name="erlan", role="analyst")
    sent("/keys", "/keys/make", 422, name="a", per_minute="0")
    sent(None, "/keys/make", 200, name=hostile_home.payload(4)[:80], per_minute="60")
    sent("/account", "/account/password", 200, old="wrong", new="x")
    # one's own second factor, last: it is asked for from then on
    sent("/account/second-factor", "/account/second-factor", 200, password=PASSWORD, code="000000")
    secret = page.look(
        "[...document.querySelectorAll('main code')].map(one => one.textContent.replace(/ /g, '')).find(one => one.length >= 32)"
    )
    sent(None, "/account/second-factor", 200, password=PASSWORD, code=pyotp.TOTP(secret).now())
    assert page.look("document.querySelectorAll('ol.codes code').length") > 5
    sent("/account/recovery-codes", "/account/recovery-codes", 200, password="wrong")
    assert wrong == []

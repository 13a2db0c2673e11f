"""The whole way with real people: found, judged, released, published, protected, appealed, overturned, gone; keyboard only, no scripts, a phone."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import chromium
import pytest

from bastau.engine import open_engine
from bastau.home import Home
from bastau.intake import import_file
from bastau.pipeline import run
from bastau.prefix_client import Client as Subscriber
from bastau.prefix_client import ListError, update
from bastau.shield.commands import default_key
from bastau.shield.signing import make_key

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "collect" / "watching"))
from postgres_server import is_there, postgres

BASTAU = Path(sys.executable).with_name("bastau")
PASSWORD = "correct horse battery staple"
LISTED = "https://gazeta-altai.example/2024/call"
SETTINGS = """
[shield]
publisher = "Reading Room"
appeal = "https://lists.example/appeal"
policy = "https://lists.example/policy"
licence = "CC0-1.0"

[review]
second_law = 0.0
second_policy = 0.0
second_none = 0.0
grounds = ["law: Regulation (EU) 2021/784 art. 2(7)(a)"]
"""
PEOPLE = {"aigul": "reviewer", "bolat": "publisher", "dana": "reviewer"}
MAKE_PEOPLE = """
import sys
from pathlib import Path
from bastau.home import Home
from bastau_web.workbench.commands import _open
_open(Home.open(Path(sys.argv[1])), "127.0.0.1")
from bastau_web.workbench.models import Account
for one in sys.argv[3:]:
    name, role = one.split(":")
    Account.objects.add(name, sys.argv[2], [role])
"""
"""`bastau user add` for each would take three processes."""
REASON = "The page calls on its readers to kill people in every street of the city."

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="no Chromium: install it to test the pages in a browser"),
]


class Served(NamedTuple):
    home: Path
    address: str
    key: str


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which a rule found a call to violence on a publisher's page."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "home").mkdir()
    (folder / "home" / "bastau.toml").write_text(SETTINGS, "utf-8")
    words = "Brothers, take your knives and kill the unbelievers in every street of the city today"
    texts = [
        (LISTED, words),
        *(
            (f"https://gazeta-altai.example/{i}", f"The bridge over river {i} is open again after repairs")
            for i in range(4)
        ),
    ]
    rows = [
        {
            "post_id": f"web:{url}", "platform": "web", "source": "gazeta-altai.example", "source_kind": "website",
            "published_at": f"2024-05-01T0{i}:00:00Z", "url": url, "text": text, "language": "en",
        }
        for i, (url, text) in enumerate(texts)
    ]  # fmt: skip
    (folder / "posts.ndjson").write_text("\n".join(map(json.dumps, rows)))
    home = Home.open(folder / "home")
    with home.locked():
        import_file(home, folder / "posts.ndjson", now=datetime.now(UTC))
        engine = open_engine(home.settings.engine)
        try:
            run(home, engine, progress=lambda *_: None)
        finally:
            engine.close()
    return home


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def served(
    request: pytest.FixtureRequest, found: Home, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    shutil.copytree(found.folder, tmp_path / "home")
    home, environment = Home.open(tmp_path / "home"), dict(os.environ)
    key = make_key(default_key(home))
    with contextlib.ExitStack() as stack:
        if request.param == "PostgreSQL":
            if not is_there():
                pytest.skip("no PostgreSQL: install it to test the workbench on it")
            server = stack.enter_context(postgres(tmp_path_factory.mktemp("cluster")))
            environment["BASTAU_WEB_DATABASE"] = server.url
            (home.folder / "bastau.toml").write_text(SETTINGS + '\n[web]\ndatabase = "env:BASTAU_WEB_DATABASE"\n')
        people = [f"{name}:{role}" for name, role in PEOPLE.items()]
        subprocess.run(
            [sys.executable, "-c", MAKE_PEOPLE, home.folder, PASSWORD, *people], env=environment, check=True, timeout=60
        )
        command = [BASTAU, "serve", "--home", home.folder, "--port", "0"]
        process = stack.enter_context(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        assert process.stdout is not None
        stack.callback(process.terminate)
        address = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert address is not None
        yield Served(home.folder, address[0], key.public)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Page]:
    """A narrow phone without scripts."""
    with chromium.browser(tmp_path_factory.mktemp("profile")) as page:
        page.without_scripts()
        page.size(360, 640)
        yield page


class Hands:
    """Somebody at a keyboard: Tab, arrows, letters, Enter; nothing else."""

    def __init__(self, page: chromium.Page, address: str):
        self.page, self.address = page, address

    def open(self, path: str) -> None:
        self.page.open(self.address + path)
        self.check()

    def check(self) -> None:
        """No page runs over the side of the phone, nothing was asked of others, nothing complained."""
        assert self.page.look("document.documentElement.scrollWidth") <= 360, self.where
        assert all(one.startswith((self.address, "data:")) for one in self.page.asked_for())
        assert [c for c in self.page.complaints() if not c.startswith("verbose")] == []

    @property
    def where(self) -> str:
        return str(self.page.look("location.pathname"))

    @property
    def words(self) -> str:
        return str(self.page.look("document.body.innerText"))

    def to(self, selector: str) -> None:
        """Press Tab until what is meant has the focus, and see that the focus can be seen."""
        for _ in range(150):
            if self.page.look(f"document.activeElement.matches({selector!r})"):
                outline = self.page.look("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", selector
                return
            self.page.press("Tab")
        raise AssertionError(f"{self.where}: Tab never reaches {selector}; the page says: {self.words}")

    def go(self, selector: str) -> None:
        self.to(selector)
        self.page.submit()
        self.check()

    def type(self, selector: str, text: str) -> None:
        self.to(selector)
        self.page.type(text)

    def choose(self, selector: str, value: str) -> None:
        """Choose among radio buttons or options with the arrow keys."""
        self.to(selector)
        if self.page.look("document.activeElement.type") == "radio":
            self.page.press(" ")
        for _ in range(40):
            if self.page.look("document.activeElement.value") == value:
                return
            self.page.press("ArrowDown")
        raise AssertionError(f"{selector}: the arrows never reach {value}")

    def sign_in(self, name: str) -> None:
        self.open("/sign-in")
        self.type("input[name=name]", name)
        self.type("input[name=password]", PASSWORD)
        self.page.submit()
        self.check()
        assert self.where == "/"

    def sign_out(self) -> None:
        self.go("form[action='/sign-out'] button")
        assert self.where == "/sign-in"


def is_protected(served: Served, folder: Path, wanted: bool, within_s: float = 20) -> bool:
    """Update as a subscriber does until the list says what is wanted; return what it says."""
    until, says = time.monotonic() + within_s, not wanted
    while says != wanted and time.monotonic() < until:
        with contextlib.suppress(OSError, ListError):  # nothing is published yet, or it changes just now
            update(folder, f"{served.address}/lists/", served.key, datetime.now(UTC))
        try:
            says = bool(Subscriber(folder).look_up(f"{LISTED}?from=feed", datetime.now(UTC)))
        except (OSError, ListError):
            says = False  # it never had a version
        if says != wanted:
            time.sleep(0.2)
    return says


def test_the_whole_way_with_three_people_and_a_publisher(served: Served, page: chromium.Page, tmp_path: Path) -> None:
    hands, held = Hands(page, served.address), tmp_path / "subscriber"

    # Given a reviewer who takes the most urgent case and judges it
    hands.sign_in("aigul")
    hands.go("a[href='/queue']")
    hands.go("form[action='/queue/next'] button")
    case = hands.where.split("/")[2]
    assert "kill the unbelievers" not in hands.words
    hands.go(f"form[action='/case/{case}/show'] button")
    assert "kill the unbelievers" in hands.words
    hands.choose("input[name=act]", "incite")
    hands.type("textarea[name=reason]", REASON)
    hands.choose("select[name=ground]", "law: Regulation (EU) 2021/784 art. 2(7)(a)")
    hands.choose("select[name=exemption]", "none")
    hands.type("textarea[name=exemption_checked]", "No report, no lesson, no work of art: it speaks for itself.")
    hands.go(f"form[action='/case/{case}/verdict'] button")
    assert case in str(page.look("location.href")) or hands.where == "/queue"
    assert not is_protected(served, held, wanted=False)
    hands.sign_out()

    # When a second person releases it
    hands.sign_in("bolat")
    hands.go("a[href='/queue']")
    hands.go(f"a[href='/release/{case}']")
    hands.type("textarea[name=facts]", "It was read on that day, open to everybody, and kept as evidence.")
    hands.go("button[value=release]")
    code = page.look("document.querySelector('code.code').textContent")
    assert re.fullmatch(r"(?:[A-Z2-7]{4}-){7}[A-Z2-7]{4}", code)
    # Then the code is shown this once and kept nowhere, and subscribers are protected
    hands.open(f"/release/{case}")
    assert code not in page.look("document.documentElement.outerHTML")
    assert is_protected(served, held, wanted=True)
    entry = re.search(r"e[0-9a-z]{13}", hands.words)
    assert entry is not None
    hands.sign_out()

    # When the publisher of the page appeals, without an account
    hands.open("/appeal")
    hands.type("input[name=code]", code.lower().replace("-", " "))
    page.submit()
    hands.check()
    hands.type("textarea[name=words]", "The page quotes the call in order to refute it; the rest of it says so.")
    hands.go("button[value=file]")
    assert page.look("document.querySelector('.done') !== null")

    # Then who took part cannot answer, and a third person overturns
    hands.sign_in("aigul")
    hands.open("/appeals")
    hands.go(f"main a[href^='/appeals/{case}/']")
    assert not page.look("document.querySelector('input[name=decision]') !== null")
    hands.sign_out()
    hands.sign_in("dana")
    hands.go("a[href='/queue']")
    hands.go(f"a[href='/appeals/{case}']")
    assert "in order to refute it" in hands.words
    hands.choose("input[name=decision]", "overturn")
    hands.type("textarea[name=reason]", "The rest of the page refutes the call, as its publisher says.")
    hands.go("main form button")
    hands.sign_out()

    # Then subscribers no longer have it, and anybody can read why
    assert not is_protected(served, held, wanted=False)
    files = [path for path in (served.home / "shield" / "public").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"gazeta-altai" in path.read_bytes()]
    hands.open(f"/why/{entry[0]}")
    assert "gazeta-altai" not in hands.words
    done = subprocess.run(
        [BASTAU, "log", "verify", "--home", served.home], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    log = (served.home / "review" / "log.ndjson").read_text("utf-8")
    assert code not in log
    assert [re.search(r'"act":"(\w+)"', line)[1] for line in log.splitlines()] == [
        "opened",
        "judged",
        "released",
        "appealed",
        "answered",
    ]  # type: ignore[index]

"""The workbench as people meet it: `bastau serve`, a browser without scripts, the keyboard, a phone."""

import importlib.util
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from urllib.parse import urlencode

import chromium
import pytest

BASTAU = Path(sys.executable).with_name("bastau")
PASSWORD = "correct horse battery staple"


def world() -> ModuleType:
    path = Path(__file__).parents[1] / "integration" / "workbench" / "workbench_home.py"
    spec = importlib.util.spec_from_file_location("workbench_home_of_e2e", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Served(NamedTuple):
    home: Path
    address: str
    code: str
    process: subprocess.Popen[str]


def serve(home: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [BASTAU, "serve", "--home", home, "--port", "0", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = world().make_home(tmp_path_factory.mktemp("served")).folder
    process = serve(home)
    address = re.search(r"http://[\d.:]+", process.stdout.readline())[0]
    code = re.search(r"code (\S+)", process.stdout.readline())[1]
    with process:
        yield Served(home, address, code, process)
        process.terminate()


def test_a_port_that_is_taken_is_said_in_words(served: Served, tmp_path: Path) -> None:
    port = served.address.rsplit(":", 1)[1]
    done = subprocess.run(
        [BASTAU, "serve", "--home", served.home, "--port", port],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "--port" in done.stderr


def test_roles_are_not_all_taken_off_in_silence(served: Served) -> None:
    command = [BASTAU, "user", "roles", "somebody", "--home", served.home]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "--role" in done.stderr


def test_a_second_account_is_somebodys(served: Served) -> None:
    command = [BASTAU, "user", "add", "second", "--role", "reviewer", "--person", "nobody_here", "--home", served.home]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "nobody_here: no account of this name" in done.stderr


def test_others_cannot_reach_it_unless_an_https_address_is_set(served: Served) -> None:
    command = [BASTAU, "serve", "--home", served.home, "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "[web] origin" in done.stderr


def test_nor_by_an_address_without_https(served: Served, tmp_path: Path) -> None:
    (tmp_path / "bastau.toml").write_text('[web]\norigin = "http://workbench.example.org"\n')
    command = [BASTAU, "serve", "--home", tmp_path, "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "https" in done.stderr


def test_a_port_that_is_none_is_refused(served: Served) -> None:
    command = [BASTAU, "serve", "--home", served.home, "--port", "99999"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "99999" in done.stderr


def test_health_answers_without_an_account(served: Served) -> None:
    with urllib.request.urlopen(f"{served.address}/health") as answer:
        assert json.load(answer)["status"] == "ok"


def test_many_guesses_at_the_same_moment_are_no_more_than_many_in_a_row(served: Served) -> None:
    with urllib.request.urlopen(f"{served.address}/sign-in") as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', answer.read().decode())[1]

    def guess(number: int) -> int:
        form = urlencode({"csrfmiddlewaretoken": token, "name": "guessed", "password": f"guess {number}"}).encode()
        asked = urllib.request.Request(f"{served.address}/sign-in", form, {"Cookie": cookie})
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    with ThreadPoolExecutor(16) as pool:
        looked_at = Counter(pool.map(guess, range(24)))
    assert set(looked_at) <= {200, 429}
    assert looked_at[200] <= 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly(served: Served, number: int) -> None:
    process = serve(served.home)
    process.stdout.readline()
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0, out
    assert out.endswith("stopped\n")
    assert "Traceback" not in out


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Page]:
    """A phone without scripts."""
    with chromium.browser(tmp_path_factory.mktemp("profile")) as page:
        page.without_scripts()
        page.size(390)
        yield page


@pytest.mark.browser
@pytest.mark.skipif(chromium.PROGRAM is None, reason="no Chromium: install it to test the pages in a browser")
class TestInABrowser:
    def fill(self, page: chromium.Page, *values: str) -> None:
        """Walk to the first field of the form with Tab and fill the fields in order."""
        while page.look("document.activeElement.tagName") not in ("INPUT", "SELECT"):
            page.press("Tab")
        for i, value in enumerate(values):
            page.type(value)
            if i < len(values) - 1:
                page.press("Tab")

    def test_the_first_account_is_made_with_the_keyboard_on_a_phone_without_scripts(
        self, page: chromium.Page, served: Served
    ) -> None:
        page.open(served.address)
        assert page.look("location.pathname") == "/set-up"
        page.press("Tab")
        assert page.look("document.activeElement.className") == "skip"
        self.fill(page, served.code, "aigul", PASSWORD)
        page.submit()
        assert page.look("location.pathname") == "/"
        assert "The old bridge" in page.look("document.body.innerText")

    def group(self, page: chromium.Page, served: Served) -> str:
        page.open(f"{served.address}/groups")
        address: str = page.look("document.querySelector('main h2 a').href")
        return address

    @pytest.mark.parametrize("language", ["kk", "ru", "en"])
    @pytest.mark.parametrize("width", [360, 1280])
    def test_no_page_overflows_complains_or_asks_others(
        self, page: chromium.Page, served: Served, width: int, language: str
    ) -> None:
        page.size(width)
        page.open(f"{served.address}/?days=30&language={language}")
        seen = page.look("[...document.querySelectorAll('main a')].map(a => a.href).slice(0, 3)")
        seen += ["/search?q=market", "/search?q=knives", "/source/gazeta_altai", "/sources", "/account"]
        seen += ["/groups", "/families", "/rules", "/rule/en-glorify-killing", self.group(page, served)]
        for address in seen:
            page.open(address if address.startswith("http") else served.address + address)
            assert page.look("document.documentElement.scrollWidth") <= width, address
            assert [c for c in page.complaints() if not c.startswith("verbose")] == [], address
            for asked in page.asked_for():
                assert asked.startswith((served.address, "data:")), (address, asked)

    def test_nothing_in_a_post_becomes_a_script_also_where_scripts_run(
        self, page: chromium.Page, served: Served
    ) -> None:
        page.without_scripts(False)
        for address in ("/?days=30", "/search?q=market", "/search?q=knives", "/source/gazeta_altai"):
            page.open(served.address + address)
            assert page.look("document.querySelectorAll('script, [onerror], [onload], iframe').length") == 0, address
            assert not page.look("document.title.includes('ran')"), address
            assert [c for c in page.complaints() if "Content Security Policy" in c] == [], address
        page.without_scripts()

    def test_violent_words_open_with_a_key(self, page: chromium.Page, served: Served) -> None:
        page.open(f"{served.address}/search?q=knives")
        words = "document.querySelector('details.veil').innerText.includes('kill')"
        assert not page.look(words)
        page.look("document.querySelector('details.veil summary').focus()")
        page.press("Enter")
        assert page.look(words)

    def test_violent_words_stay_behind_the_warning_on_paper(self, page: chromium.Page, served: Served) -> None:
        page.open(f"{served.address}/search?q=knives")
        seen = "document.querySelector('details.veil p:last-child').checkVisibility()"
        page.call("Emulation.setEmulatedMedia", media="print")
        assert not page.look(seen)
        page.look("document.querySelector('details.veil').open = true")
        assert page.look(seen)
        page.call("Emulation.setEmulatedMedia", media="screen")

    def test_what_has_the_focus_is_seen(self, page: chromium.Page, served: Served) -> None:
        page.open(f"{served.address}/search?q=knives")
        for _ in range(30):
            page.press("Tab")
            outline = page.look(
                "(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle + ' ' + s.outlineWidth })()"
            )
            assert outline != "none 0px"
            assert not outline.startswith("none"), page.look("document.activeElement.outerHTML")

    def test_a_script_in_the_page_would_not_run(self, served: Served, tmp_path: Path) -> None:
        with chromium.browser(tmp_path / "with-scripts") as page:
            page.open(f"{served.address}/sign-in")
            page.look("""(() => { const s = document.createElement('script'); s.textContent = "document.title = 'ran'";
                document.body.append(s) })()""")
            assert page.look("document.title") != "ran"
            assert any("Content Security Policy" in complaint for complaint in page.complaints())

    def test_words_stand_out_from_paper_in_light_and_dark(self, page: chromium.Page, served: Served) -> None:
        page.size(1280)
        for is_dark in (False, True):
            page.dark(is_dark)
            for address in ("/?days=30", "/search?q=market", "/source/gazeta_altai", "/account"):
                page.open(served.address + address)
                assert page.look(FAINT) == [], (is_dark, address)
        page.dark(False)


FAINT = """(() => {
  const rgb = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const paper = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  const faint = [];
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('svg') || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(paper(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) faint.push(e.tagName + ' ' + e.className + ' ' + ((a + .05) / (b + .05)).toFixed(2));
  }
  return [...new Set(faint)];
})()"""
"""Elements whose words have a contrast below 4.5 to 1 (WCAG 2.2, 1.4.3)."""

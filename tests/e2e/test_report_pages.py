"""The pages in a real browser: nothing loads, nothing runs, nothing overflows, from phone to wide, light and dark."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import chromium
import pytest

from bastau.report.brief import brief
from bastau.report.brief_page import brief_page
from bastau.report.build import build_trace
from bastau.report.locale import load
from bastau.report.search import find
from bastau.report.trace_page import trace_page

# Asks the page, framed at a window's width, how wide it is; the frame carries the page's own policy, which forbids
# scripts inside, so the question is put from outside.
PROBE = """<!DOCTYPE html><title>waiting</title><iframe src="{page}" style="border:0;width:{width}px;height:900px"></iframe>
<script>onload = () => {{ const d = document.querySelector('iframe').contentDocument;
const ticks = [...d.querySelectorAll('.chart svg')].filter(s => s.getBoundingClientRect().width > 0).length;
document.title = ['wide', d.documentElement.scrollWidth, 'charts', ticks, 'paper',
getComputedStyle(d.body).backgroundColor.replaceAll(' ', ''), 'ran', d.title.includes('ran')].join(' ') }}</script>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="no Chromium: install it to test the pages in a browser"),
]


def world() -> ModuleType:
    path = Path(__file__).parents[1] / "unit" / "report" / "report_world.py"
    spec = importlib.util.spec_from_file_location("report_world_of_e2e", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = world()
    con = made.connect(made.world_tables())
    trace = build_trace(con, find(con, made.RU, canonical=made.canonical, sign=made.sign))
    week = brief(con, made.at(-1440), made.at(6 * 1440))
    folder = tmp_path_factory.mktemp("pages")
    for code in ("kk", "ru", "en"):
        (folder / f"trace-{code}.html").write_text(trace_page(trace, load(code)), "utf-8")
        (folder / f"brief-{code}.html").write_text(brief_page(week, load(code), lambda n: f"{n}.html"), "utf-8")
    return folder


def run(profile: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert chromium.PROGRAM is not None
    command = [chromium.PROGRAM, *chromium.QUIET, f"--user-data-dir={profile}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def probe(folder: Path, profile: Path, page: str, width: int, *flags: str) -> dict[str, str]:
    (folder / "probe.html").write_text(PROBE.format(page=page, width=width), "utf-8")
    address = (folder / "probe.html").as_uri()
    dom = run(
        profile, "--allow-file-access-from-files", "--window-size=1600,1000", *flags, "--dump-dom", address
    ).stdout
    words = re.search(r"<title>(.*?)</title>", dom)[1].split()
    return dict(zip(words[::2], words[1::2], strict=True))


@pytest.mark.parametrize("page", [f"{kind}-{code}.html" for kind in ("trace", "brief") for code in ("kk", "ru", "en")])
def test_no_page_is_wider_than_a_phone(folder: Path, tmp_path: Path, page: str) -> None:
    seen = probe(folder, tmp_path, page, 360)
    assert int(seen["wide"]) <= 360
    assert int(seen["charts"]) >= 3


def test_the_same_charts_show_on_a_wide_window(folder: Path, tmp_path: Path) -> None:
    narrow = probe(folder, tmp_path / "a", "trace-en.html", 360)
    wide = probe(folder, tmp_path / "b", "trace-en.html", 1280)
    assert narrow["charts"] == wide["charts"]
    assert int(wide["wide"]) <= 1280


def test_a_reader_who_asks_for_dark_gets_dark(folder: Path, tmp_path: Path) -> None:
    light = probe(folder, tmp_path / "a", "trace-en.html", 800, "--blink-settings=preferredColorScheme=1")
    dark = probe(folder, tmp_path / "b", "trace-en.html", 800, "--blink-settings=preferredColorScheme=0")
    assert (light["paper"], dark["paper"]) == ("rgb(251,250,246)", "rgb(23,22,20)")


def test_a_script_put_into_the_page_does_not_run(folder: Path, tmp_path: Path) -> None:
    text = (folder / "trace-en.html").read_text("utf-8")
    script = "<script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">"
    (folder / "attacked.html").write_text(text.replace("</main>", f"{script}</main>"), "utf-8")
    assert probe(folder, tmp_path, "attacked.html", 800)["ran"] == "false"


def test_a_trace_prints(folder: Path, tmp_path: Path) -> None:
    printed = tmp_path / "trace.pdf"
    run(tmp_path / "profile", f"--print-to-pdf={printed}", (folder / "trace-ru.html").as_uri())
    assert printed.read_bytes().startswith(b"%PDF")
    assert printed.stat().st_size > 20_000

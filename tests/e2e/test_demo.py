"""`bastau demo`: from nothing to the workbench on a local address, and the truth that its posts carry is found again."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pytest


def bastau(*arguments: str | Path, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bastau", *map(str, arguments), "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("demo") / "home"
    bastau("demo", "--no-serve", home=home)
    return home


@pytest.mark.parametrize("locale", ["kk", "ru", "en"])
def test_brief_and_traces_are_there_in_each_language_and_need_no_network(home: Path, locale: str) -> None:
    pages = home / "pages" / locale
    brief = (pages / "index.html").read_text("utf-8")
    assert f'lang="{locale}"' in brief
    traces = re.findall(r'href="(traces/[^"]+)"', brief)
    assert len(traces) >= 5
    for page in [pages / "index.html", *(pages / trace for trace in traces)]:
        text = page.read_text("utf-8")
        assert "<script" not in text
        assert not re.search(r'(?:src|<link[^>]*href)="(?!data:)', text)
        assert "p~" not in text


def test_the_groups_of_the_sample_are_found_and_no_innocent_look_alike(home: Path) -> None:
    (sample,) = home.glob("sample-*")
    found = json.loads(bastau("evaluate", "coordination", "--truth", sample, "--json", home=home))
    assert found["pair_recall"] >= 0.9
    assert found["pair_precision"] >= 0.95
    assert (found["n_flagged"], found["flagged"]) == (0, {})
    assert found["n_lookalikes"] == 4


def test_the_narratives_of_the_sample_are_found(home: Path) -> None:
    (sample,) = home.glob("sample-*")
    found = json.loads(bastau("evaluate", "narratives", "--truth", sample, "--json", home=home))
    assert found["version, singletons dropped"]["pair_f1"] >= 0.97


def test_no_private_account_is_named_as_an_origin_and_withheld_beginnings_are_left_open(home: Path) -> None:
    (sample,) = home.glob("sample-*")
    found = json.loads(bastau("evaluate", "origin", "--truth", sample, "--json", home=home))[
        "version, at least 2 posts"
    ]
    assert found["n_private_named"] == 0
    assert found["n_rightly_abstained"] == found["n_withheld"] > 0
    assert found["n_first"] >= 0.9 * (found["n_observed"] - found["n_wrongly_abstained"])


def test_it_ends_in_the_workbench_with_a_link_that_lets_in_once_until_ctrl_c(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bastau", "demo", "--port", "0", "--home", str(home)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "LANG": "kk_KZ.UTF-8"},
    )
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def page(address: str, **form: str) -> str:
        data = urlencode(form).encode() if form else None
        with opener.open(address, data, timeout=60) as answer:
            return answer.read().decode()

    try:
        assert process.stdout is not None
        link = next(m[1] for line in process.stdout if (m := re.match(r"open (http://127\.0\.0\.1:\d+/\S+)", line)))
        password = re.search(r"password: (\S+)", process.stdout.readline())[1]
        address = link[: link.index("/demo/")]
        choose = page(link)
        assert '<html lang="kk">' in choose
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', choose)[1]
        today = page(link, csrfmiddlewaretoken=token, name="aigul")
        assert "p~" not in today
        assert re.search(r'href="/narrative/', today)
        assert re.search(r'href="/case/c', page(f"{address}/queue"))
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(link)
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page(f"{address}/sign-in"))[1]
        assert "bolat" in page(
            f"{address}/sign-in", csrfmiddlewaretoken=token, name="bolat", password=password, next="/account"
        )
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_home_of_others_is_no_demo(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("correct horse battery staple")
    home = tmp_path / "home"
    home.mkdir()
    bastau("user", "add", "root", "--role", "admin", "--password-file", secret, home=home)
    before = sorted(home.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-m", "bastau", "demo", "--port", "0", "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "name another folder for the demo with --home" in done.stderr
    assert sorted(home.rglob("*")) == before

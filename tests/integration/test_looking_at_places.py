"""Addresses, lists and what may be watched, against a real server on the loopback and from the command line."""

import asyncio
import csv
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bastau import places
from bastau.collect.visits import Found
from bastau.errors import ConfigError, InputError
from bastau.home import Home
from bastau.places import Wanted, parse_list
from bastau.watching import open_store

FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Tau</title><link>{root}/</link>
<item><title>The river rose, says @secretperson@social.kz</title><link>{root}/a/1</link><guid>1</guid>
<description>Words.</description><pubDate>Fri, 27 Nov 2026 10:00:00 GMT</pubDate></item></channel></rss>"""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        root = f"http://127.0.0.1:{self.server.server_address[1]}"
        body = FEED.format(root=root).encode() if self.path in ("/feed", "/@somebody/feed") else b""
        if self.path == "/":
            body = b'<html><head><link rel="alternate" type="application/rss+xml" href="/feed"></head></html>'
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "application/rss+xml" if b"<rss" in body else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def root() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "bastau.toml").write_text("[network]\nallow_private = true\npause_s = 0.0\n")
    return Home.open(folder)


def bastau(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bastau", *arguments, "--home", str(home.folder)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


class TestLists:
    def test_opml_is_read_by_its_tags(self) -> None:
        text = (
            '<?xml version="1.0"?>\n<opml version="2.0"><body><outline text="News">\n'
            "<outline type=\"rss\" text='Tau &amp; Su' xmlUrl=\"https://tau.kz/feed?a=1&amp;b=2\"/>\n<outline text='none'>"
        )
        assert parse_list(text, "x.opml") == [Wanted("https://tau.kz/feed?a=1&b=2", None, "Tau & Su", 3)]

    def test_a_csv_has_addresses_collectors_and_names(self) -> None:
        found = parse_list("name,address,collector\nTau,https://tau.kz,feed\n,,\nSu,@su,\n", "x.csv")
        assert found == [Wanted("https://tau.kz", "feed", "Tau", 2), Wanted("@su", None, "Su", 4)]

    def test_one_a_line_with_remarks(self) -> None:
        assert [one.address for one in parse_list("# mine\nhttps://tau.kz\n\n @su \n", "x")] == [
            "https://tau.kz",
            "@su",
        ]

    @pytest.mark.parametrize("text", ["", "# nothing\n", "address\n", "url,name\nhttps://tau.kz,Tau\n"])
    def test_a_list_without_addresses_is_refused(self, text: str) -> None:
        with pytest.raises(InputError, match="address"):
            parse_list(text, "x")

    def test_a_table_with_an_endless_cell_is_refused(self) -> None:
        csv.field_size_limit(1 << 24)  # as another reader of the process may have left it
        with pytest.raises(InputError, match=r"x\.csv: no table"):
            parse_list("address,name\nhttps://tau.kz," + "x" * 200_000, "x.csv")

    def test_the_starter_list_is_ours_and_every_address_tells_its_collector_or_is_a_site(self) -> None:
        wanted = places.starter()
        assert len(wanted) > 40
        assert all(one.address.startswith("https://") and one.is_publisher for one in wanted)


class TestLooking:
    def look(self, home: Home, *addresses: str) -> list[places.Looked]:
        return asyncio.run(places.look(home, [Wanted(address) for address in addresses]))

    def test_a_site_leads_to_its_feed_and_first_posts_name_no_private_person(self, home: Home, root: str) -> None:
        (looked,) = self.look(home, f"{root}/")
        found = looked.found[0]
        assert (found.collector, found.address, found.title) == ("feed", f"{root}/feed", "Tau")
        assert "The river rose" in str(found.first[0]["title"])
        assert "secretperson" not in json.dumps([dict(row) for row in found.first])

    def test_a_feed_of_somebodys_account_is_not_watched(self, home: Home, root: str) -> None:
        assert not self.look(home, f"{root}/@somebody/feed")[0].found
        (looked,) = asyncio.run(places.look(home, [Wanted(f"{root}/@somebody/feed", "feed")]))
        assert not looked.found
        assert "account" in str(looked.problem)

    def test_what_is_not_there_says_why_and_costs_no_other(self, home: Home, root: str) -> None:
        gone, there = self.look(home, f"{root}/none/feed", f"{root}/feed")
        assert not gone.found
        assert gone.problem
        assert there.found

    def test_a_collector_that_breaks_costs_one_address(
        self, home: Home, root: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from bastau.collect.collectors.feed import FeedCollector

        find = FeedCollector.find

        async def picky(collector: FeedCollector, address: str, *rest: Any) -> Any:
            if "broken" in address:
                raise ZeroDivisionError("ours")
            return await find(collector, address, *rest)

        monkeypatch.setattr(FeedCollector, "find", picky)
        broken, there = self.look(home, f"{root}/broken/feed", f"{root}/feed")
        assert "ZeroDivisionError" in str(broken.problem)
        assert there.found


class TestUnseen:
    @pytest.mark.parametrize(
        "address",
        [
            "https://mastodon.social/@somebody",
            "https://bsky.app/profile/somebody.bsky.social",
            "@somebody",
            "https://t.me/somebody",
        ],
    )
    def test_no_account_is_taken_without_a_look(self, address: str) -> None:
        assert places.unseen([Wanted(address)])[0].problem

    @pytest.mark.parametrize(
        "address", ["https://social.kz/@somebody.rss", "https://www.reddit.com/user/somebody/.rss"]
    )
    def test_not_even_as_a_feed(self, address: str) -> None:
        assert places.unseen([Wanted(address, "feed")])[0].problem

    def test_feeds_and_the_starter_list_are(self) -> None:
        assert places.unseen([Wanted("https://tau.kz/feed")])[0].found
        assert places.unseen([Wanted("https://t.me/s/tengrinews", is_publisher=True)])[0].found


def test_from_a_list_to_posts_in_the_lake(home: Home, root: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"address\n{root}/feed\n{root}/none/feed\n")
    done = bastau(home, "add", str(tmp_path / "list.csv"), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["n_added"], [p["line"] for p in answer["problems"]]) == (1, [3])
    assert "line 3" in done.stderr
    assert bastau(home, "watch", "--once", "--quiet").returncode == 0
    posts = home.lake.read("posts").to_pylist()
    assert [post["url"] for post in posts] == [f"{root}/a/1"]
    assert "secretperson" not in str(posts)
    listed = json.loads(bastau(home, "sources", "--json").stdout)
    assert [(s["n_posts"], s["trouble"]) for s in listed["sources"]] == [(1, None)]
    assert bastau(home, "sources", "pause", f"{root}/feed").returncode == 0
    with open_store(home) as store:
        assert store.sources()[0].is_paused
    assert bastau(home, "sources", "remove", "1").returncode == 0
    assert bastau(home, "watch", "--once").returncode == 2


def test_nothing_to_add_and_nothing_found_say_so(home: Home, root: str) -> None:
    assert bastau(home, "add").returncode == 2
    assert bastau(home, "add", f"{root}/none/feed").returncode == 3
    with open_store(home) as store, pytest.raises(ConfigError, match="not watched"):
        places.choose(store, ["https://tau.kz"])


def test_an_option_that_no_collector_knows_is_refused_and_can_be_taken_off(home: Home, tmp_path: Path) -> None:
    added = bastau(home, "add", "https://tau.kz", "--unseen", "--collector", "feed", "--option", "evidnce=true")
    assert (added.returncode, "evidnce" in added.stderr, "evidence_days" in added.stderr) == (2, True, True)
    with open_store(home) as store:
        assert store.sources() == []
        store.add([Found("feed", "https://tau.kz/feed", "tau.kz")], options={"old": 1}, priority=0, now=0.0)
    assert bastau(home, "sources", "edit", "1", "--option", "full_txt=true").returncode == 2
    table = tmp_path / "list.csv"
    table.write_text('address,collector,options\nhttps://tau.kz/feed,feed,"{""full_txt"": true}"\n')
    assert bastau(home, "sources", "import", str(table), "--yes").returncode == 2
    with open_store(home) as store:
        assert [source.options for source in store.sources()] == [{"old": 1}]
    changes = ("--option", "old=", "--option", "REDDIT_CLIENT_ID=env:MINE")
    assert bastau(home, "sources", "edit", "1", *changes).returncode == 0
    with open_store(home) as store:
        assert [source.options for source in store.sources()] == [{"REDDIT_CLIENT_ID": "env:MINE"}]


def test_many_sources_are_counted_before_they_are_changed(home: Home, tmp_path: Path) -> None:
    with open_store(home) as store:
        found = [Found("feed", f"https://news{n}.tau.kz/feed", "tau.kz") for n in range(3)]
        store.add([*found, Found("feed", "https://other.kz/feed", "other.kz")], options={}, priority=0, now=0.0)
    edit = ("sources", "edit", "--host", "tau.kz", "--option", "full_text=true", "--priority", "2")
    counted = bastau(home, *edit)
    assert (counted.returncode, counted.stdout.splitlines()[-1]) == (0, "3 sources would change; --yes changes them")
    assert json.loads(bastau(home, *edit, "--json").stdout)["n_would_change"] == 3
    with open_store(home) as store:
        assert {source.priority for source in store.sources()} == {0}
    assert bastau(home, *edit, "--yes").returncode == 0
    with open_store(home) as store:
        changed = [(source.options, source.priority) for source in store.sources()]
    assert changed == [({"full_text": True}, 2)] * 3 + [({}, 0)]
    assert bastau(home, "sources", "pause", "--yes").returncode == 2  # all of them is not said by saying nothing
    assert bastau(home, "sources", "edit", "4").returncode == 2
    table = tmp_path / "list.csv"
    assert bastau(home, "sources", "export", "--collector", "feed", "-o", str(table)).returncode == 0
    table.write_text(table.read_text().replace("other.kz,0", "Other,0").replace("feed,,0,0", "feed,Other,0,1"))
    assert json.loads(bastau(home, "sources", "import", str(table), "--json").stdout)["n_would_change"] == 1
    assert bastau(home, "sources", "import", str(table), "--yes").returncode == 0
    assert bastau(home, "sources", "now", "1").returncode == 0
    with open_store(home) as store:
        assert [(s.name, s.is_paused) for s in store.sources() if s.is_paused] == [("Other", True)]
        assert store.hurried(range(256)) == [1]
    assert bastau(home, "sources", "remove", "--only", "paused", "--yes").returncode == 0
    with open_store(home) as store:
        assert len(store.sources()) == 3

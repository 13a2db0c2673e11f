"""The lake in memory is the lake of the files, at every state, and finds what reading through finds."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from workbench_home import START, STORY

from bastau.engine import open_engine
from bastau.home import Home
from bastau.intake import import_file
from bastau.pipeline import erase, run
from bastau.report import held as held_module
from bastau.report.held import Held, follow, hold, index_words, reader
from bastau.report.post_search import Asked, prepare_search, search_posts
from bastau.schemas import TABLES
from bastau_web.workbench import lake_reader

ASKED = [
    Asked(words=words, **more)
    for words in (("knives",), ("kniv", "unbel"), ("b",), ("the", "old"), ("a", "m"), ("nowhere",), ("late",), ())
    for more in ({}, {"platform": "x"}, {"language": "en"}, {"source": "gazeta_altai"}, {"start": START})
]


@pytest.fixture
def home(workbench: Home, tmp_path: Path) -> Home:
    folder = shutil.copytree(workbench.folder, tmp_path / "home", ignore=shutil.ignore_patterns("workbench"))
    return Home.open(folder)


def store(home: Home, folder: Path, numbers: range, words: str) -> None:
    file = folder / f"posts-{numbers.start}.ndjson"
    posts = (
        {
            "post_id": f"web:late.example/{i}",
            "platform": "web",
            "source": "late.example",
            "source_kind": "website",
            "text": f"{words} {STORY} {i}",
            "published_at": (START + timedelta(days=3, minutes=i)).isoformat(),
        }
        for i in numbers
    )
    file.write_text("\n".join(map(json.dumps, posts)))
    with home.locked():
        import_file(home, file, now=START + timedelta(days=4))


def process(home: Home) -> None:
    engine = open_engine(home.settings.engine)
    try:
        with home.locked():
            run(home, engine)
    finally:
        engine.close()


def is_as_the_files(held: Held, home: Home) -> None:
    con, files = reader(held), home.connect()
    for name in TABLES:
        columns = held_module.COLUMNS.get(name, "*") if held.is_whole else "*"
        counted = f"select count(*), count(distinct t) from (select {columns} from {name}) t"
        in_files = files.execute(counted).fetchall()
        assert con.execute(counted if columns == "*" else counted.replace(columns, "*")).fetchall() == in_files, name
    prepare_search(files)
    for asked in ASKED:
        for page in (1, 2):
            read_through = search_posts(files, asked, page)
            assert search_posts(con, asked, page) == read_through
            assert search_posts(con, asked, page, held.parts) == read_through


def test_what_is_stored_and_processed_later_is_taken_in(home, tmp_path, monkeypatch):
    monkeypatch.setattr(held_module, "_PART_POSTS", 100)
    monkeypatch.setattr(held_module, "_MOST_PARTS", 1)
    held = hold(home, 10_000)
    index_words(held)
    assert len(held.parts) > 1
    is_as_the_files(held, home)
    for first in (0, 40):
        store(home, tmp_path, range(first, first + 40), "late")
        assert follow(held)
        is_as_the_files(held, home)  # stored, not yet read
        process(home)
        assert follow(held)
        is_as_the_files(held, home)
    found = search_posts(reader(held), Asked(words=("late",)), 1, held.parts)
    assert found.n == 80
    assert all(hit.narrative_id for hit in found.posts)


def test_a_home_that_begins_empty_is_followed(tmp_path):
    home = Home.open(tmp_path / "new", create=True)
    held = hold(home, 10_000)
    index_words(held)
    is_as_the_files(held, home)
    store(home, tmp_path, range(40), "late")
    process(home)
    assert follow(held)
    is_as_the_files(held, home)


def test_a_page_sees_one_state_throughout(home, tmp_path):
    held = hold(home, 10_000)
    con = reader(held)
    con.begin()
    before = con.execute("select count(*) from posts").fetchall()
    store(home, tmp_path, range(5), "late")
    assert follow(held)
    assert con.execute("select count(*) from posts").fetchall() == before
    con.commit()
    assert con.execute("select count(*) from posts").fetchall() != before


def test_files_that_went_away_are_not_followed(home, tmp_path):
    store(home, tmp_path, range(5), "late")
    held = hold(home, 10_000)
    with home.locked():
        erase(home, source="late.example")
    assert not follow(held)
    is_as_the_files(hold(home, 10_000), home)


def test_more_posts_than_may_be_held_stay_in_their_files(home):
    held = hold(home, 10)
    index_words(held)
    assert held.parts is None
    assert not follow(held)
    is_as_the_files(held, home)


def test_memory_grows_with_the_lake_and_too_many_posts_go_back_to_their_files(home, tmp_path, monkeypatch):
    def limit():
        return held.con.execute("SELECT parse_formatted_bytes(current_setting('memory_limit'))").fetchall()[0][0]

    monkeypatch.setattr(held_module, "_POST_BYTES", 1 << 30)
    n = home.connect().execute("select count(*) from posts").fetchall()[0][0]
    held = hold(home, n)
    assert held.is_whole
    before = limit()
    store(home, tmp_path, range(50), "late")
    assert follow(held)
    assert limit() - before == pytest.approx(50 << 30, rel=0.01)
    assert not follow(held)
    assert not hold(home, n).is_whole


def test_what_is_asked_often_is_answered_before_a_later_state_is_shown(home, tmp_path):
    def count(con):
        return con.execute("select count(*) from posts").fetchall()[0][0]

    opened = lake_reader._Opened("", home)
    opened.ahead["count"] = count
    before = count(reader(opened.held))
    store(home, tmp_path, range(5), "late")
    after = opened.later("later")
    assert after.held is opened.held
    assert after.kept == {"count": before + 5}


def test_a_state_that_several_found_broken_is_replaced_once(home):
    broken = lake_reader._opened(home)
    after = lake_reader._opened(home, broken=broken)
    assert after is not broken
    assert lake_reader._opened(home, broken=broken) is after


def test_what_could_not_be_followed_is_tried_again_whatever_the_reason(home, tmp_path, monkeypatch):
    def breaks(_con):
        raise ZeroDivisionError

    monkeypatch.setattr(lake_reader, "_LOOK_EVERY_S", 60.0)
    before, name = lake_reader._opened(home), str(home.folder)
    before.ahead["count"], before.is_followed = breaks, True
    store(home, tmp_path, range(5), "late")
    with pytest.raises(ZeroDivisionError):
        lake_reader._follow(name, before, "later")
    assert lake_reader._state[name][1] is before
    assert not before.is_followed
    before.ahead.clear()
    lake_reader._follow(name, before, "later")
    assert lake_reader._opened(home).stamp == "later"


def test_what_is_slow_on_the_queue_and_today_is_made_ahead(workbench, signed_in):
    browser = signed_in("reviewer")
    for address in ("/queue", "/?days=7"):
        assert browser.get(address).status_code == 200
    assert lake_reader._opened(workbench).ahead.keys() >= {"candidates", ("today", 7)}

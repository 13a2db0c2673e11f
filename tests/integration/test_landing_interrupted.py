"""A landing that is cut off between any two tables loses nothing, and what it does again it does once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bastau.collect.visits import Change, Gap, Visit
from bastau.collect.watching.rounds import Brought
from bastau.collect.watching.store import Source
from bastau.errors import DiskFull, HomeBusy
from bastau.home import Home
from bastau.lake import Lake
from bastau.pipeline import erase
from bastau.watching import Landing

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
TABLES = ("pages", "publishers", "sightings", "edits", "looks", "gaps", "posts", "imports")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home", create=True)


def post(n: int, text: str = "words of the post") -> dict[str, Any]:
    return {
        "post_id": f"web:site.kz/{n}", "platform": "web", "source": "site.kz", "source_kind": "website",
        "published_at": NOON.isoformat(), "title": f"Title {n}", "text": text,
    }  # fmt: skip


def visit(*rows: dict[str, Any], minutes: int = 0, changes: tuple[Change, ...] = ()) -> Brought:
    at = NOON + timedelta(minutes=minutes)
    gaps = (Gap(at - timedelta(hours=2), at, "timeout"),) if minutes else ()
    page = {"domain": "site.kz", "url": "https://site.kz/", "fetched_at": at, "html": "<p>", "ads_txt": None}
    said = {
        "post_id": "web:site.kz/1", "url": "https://site.kz/1", "source": "site.kz", "kind": "feed_date",
        "said_at": at.isoformat(), "value": None, "seen_at": at.isoformat(),
    }  # fmt: skip
    looked = Visit(rows=rows, pages=[page], sightings=[said], changes=changes)
    return Brought(Source(1, "feed", "https://site.kz/feed", 0), looked, rows, gaps, at, at - timedelta(minutes=9))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("by", [DiskFull("full"), KeyboardInterrupt()], ids=["disk", "kill"])
def test_cut_off_before_any_table_nothing_is_lost(
    home: Home, monkeypatch: pytest.MonkeyPatch, table: str, by: BaseException
) -> None:
    landing = Landing(home)
    landing([visit(post(1), post(2))])
    commit = Lake.commit

    def refusing(lake: Lake, name: str, *arguments: Any, **named: Any) -> bool:
        if name == table:
            raise by
        return commit(lake, name, *arguments, **named)

    brought = [visit(post(1, "changed words"), post(3), minutes=10, changes=(Change("web:site.kz/2", "deleted"),))]
    monkeypatch.setattr(Lake, "commit", refusing)
    with pytest.raises(type(by)):
        landing(brought)
    monkeypatch.setattr(Lake, "commit", commit)
    # After a kill a new process comes; a full disk is waited for by the same one.
    (landing if isinstance(by, DiskFull) else Landing(home))(brought)
    ids = home.lake.read("posts", ["post_id"]).column("post_id").to_pylist()
    assert sorted(ids) == [f"web:site.kz/{n}" for n in (1, 2, 3)]
    edits = {(e["post_id"], e["kind"]) for e in home.lake.read("edits").to_pylist()}
    assert edits == {("web:site.kz/1", "edited"), ("web:site.kz/2", "deleted")}
    assert {look["post_id"] for look in home.lake.read("looks").to_pylist()} == set(ids)
    assert {gap["until_at"] for gap in home.lake.read("gaps").to_pylist()} == {NOON + timedelta(minutes=10)}


def test_erasing_a_source_takes_its_edits_and_looks(home: Home) -> None:
    landing = Landing(home)
    landing([visit(post(1), post(2))])
    landing([visit(post(1, "changed words"), minutes=10)])
    with home.locked():
        assert erase(home, source="site.kz") == 2
    for table in ("posts", "edits", "looks"):
        assert home.lake.read(table).num_rows == 0
    assert isinstance(home.lake.read("gaps"), pa.Table)


def test_a_command_waits_for_a_moment_but_not_for_a_long_writer(home: Home) -> None:
    import threading

    held, give_back = threading.Event(), threading.Event()

    def hold() -> None:
        with home.locked(briefly=True):
            held.set()
            give_back.wait(5)

    other = threading.Thread(target=hold)
    other.start()
    held.wait(5)
    with pytest.raises(HomeBusy), home.locked(briefly=True):
        pass  # who writes for a moment comes again rather than wait
    threading.Timer(0.1, give_back.set).start()
    with home.locked():
        other.join()
        with pytest.raises(HomeBusy), home.locked():
            pass

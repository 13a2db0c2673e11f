"""Evidence of what is watched: kept for as long as its website wants, and nothing slow about it holds up the rest."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bastau.chain import Chain
from bastau.collect.visits import Answer, Found, Request, Visit
from bastau.collect.watching.rounds import Brought
from bastau.collect.watching.store import Source
from bastau.errors import ConfigError, HomeBusy
from bastau.evidence.archive import Archive
from bastau.evidence.commands import LOCK
from bastau.evidence.warc import read_records
from bastau.home import Home, writing
from bastau.watching import Landing, open_archive, open_rounds, open_store

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return opened(tmp_path / "home", '[evidence]\nkeep = "chosen"\n[network]\ncontact = "desk@site.kz"\n')


def opened(folder: Path, settings: str) -> Home:
    folder.mkdir(exist_ok=True)
    (folder / "bastau.toml").write_text(settings)
    return Home.open(folder)


def answer(url: str, body: bytes = b"<p>words</p>") -> Answer:
    return Answer(url, 200, (("Content-Type", "text/html"),), body, (), None, NOON, 0.1, len(body))


def keep(archive: Archive, *urls: str, at: datetime = NOON) -> None:
    for url in urls:
        archive.take(Request(url), answer(url))
    archive.write(str, at)


def brought(n: int) -> list[Brought]:
    row = {"post_id": f"web:site.kz/{n}", "platform": "web", "source": "site.kz", "source_kind": "website", "published_at": NOON.isoformat(), "text": "words of the post"}  # fmt: skip
    return [Brought(Source(1, "feed", "https://site.kz/feed", 0), Visit(rows=[row]), [row], (), NOON, None)]


class TestLocks:
    def test_posts_are_stored_while_the_archive_is_held_and_the_evidence_is_kept_later(self, home: Home) -> None:
        archive = Archive(home.folder / "evidence")
        landing = Landing(home, archive=archive)
        archive.take(Request("https://site.kz/1"), answer("https://site.kz/1"))
        with home.locked("evidence.lock"):
            assert landing(brought(1))["n_posts"] == 1
        assert archive.items() == []
        landing(brought(2))
        assert [item["url"] for item in archive.items()] == ["https://site.kz/1"]

    def test_what_is_left_at_the_end_is_written_while_others_hold_the_home(self, home: Home) -> None:
        archive = Archive(home.folder / "evidence")
        landing = Landing(home, archive=archive)
        landing(brought(1))
        archive.take(Request("https://site.kz/1"), answer("https://site.kz/1"))
        with home.locked():
            landing.preserve()
        assert len(archive.items()) == 1

    def test_handles_are_replaced_with_nothing_locked(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        archive = Archive(home.folder / "evidence")
        landing = Landing(home, archive=archive)
        archive.take(Request("https://site.kz/1"), answer("https://site.kz/1"))
        free = []

        def slow(text: str, *_: object, **__: object) -> str:
            with home.locked(briefly=True), home.locked("evidence.lock", briefly=True):
                free.append(True)
            return text

        monkeypatch.setattr("bastau.watching.scrub", slow)
        landing(brought(1))
        assert free
        assert len(archive.items()) == 1

    def test_a_damaged_chain_stops_the_evidence_and_not_the_posts(
        self, home: Home, caplog: pytest.LogCaptureFixture
    ) -> None:
        archive = Archive(home.folder / "evidence")
        landing = Landing(home, archive=archive)
        (home.folder / "evidence").mkdir()
        (home.folder / "evidence" / "chain.ndjson").write_bytes(b"nonsense\n")
        archive.take(Request("https://site.kz/1"), answer("https://site.kz/1"))
        assert landing(brought(1))["n_posts"] == 1
        assert "line 1: is no act" in caplog.text

    def test_an_archive_that_cannot_be_written_stops_no_posts_and_goes_on_when_it_can(
        self, home: Home, caplog: pytest.LogCaptureFixture
    ) -> None:
        archive = Archive(home.folder / "evidence")
        landing = Landing(home, archive=archive)
        (home.folder / "evidence").write_bytes(b"a file in its place")
        archive.take(Request("https://site.kz/1"), answer("https://site.kz/1"))
        assert landing(brought(1))["n_posts"] == 1
        assert "evidence not kept" in caplog.text
        (home.folder / "evidence").unlink()
        landing(brought(2))
        assert len(archive.items()) == 1

    def test_a_damaged_chain_keeps_nobody_from_watching(self, home: Home, caplog: pytest.LogCaptureFixture) -> None:
        (home.folder / "evidence").mkdir()
        (home.folder / "evidence" / "chain.ndjson").write_bytes(b"nonsense\n")
        with open_store(home) as store:
            options = {"evidence": True, "evidence_days": 30}
            store.add([Found("feed", "https://site.kz/feed", "site")], options=options, priority=0, now=0.0)
            assert open_archive(home, store) is not None
        assert "old evidence not erased" in caplog.text

    def test_who_wants_to_write_waits_for_who_writes(self, home: Home) -> None:
        order = []

        def second() -> None:
            with writing(home, LOCK):
                order.append("second")

        with writing(home, LOCK):
            thread = threading.Thread(target=second)
            thread.start()
            thread.join(0.2)
            order.append("first")
        thread.join(30)
        assert order == ["first", "second"]
        with home.locked("evidence.lock"), pytest.raises(HomeBusy), writing(home, LOCK, patience_s=0.1):
            pass


class TestRetention:
    def watch(self, home: Home, **days: object) -> None:
        with open_store(home) as store:
            for name, wanted in days.items():
                options = {"evidence": True} | ({} if wanted is None else {"evidence_days": wanted})
                store.add([Found("feed", f"https://{name}.kz/feed", name)], options=options, priority=0, now=0.0)

    def left(self, home: Home) -> list[str]:
        with open_store(home) as store:
            open_archive(home, store)
        archive = Archive(home.folder / "evidence")
        assert archive.verify() == []
        return [item["url"] for item in archive.items() if item["erased"] is None]

    @pytest.mark.parametrize(
        ("keep_days", "left"),
        [(0, ["longer", "other"]), (100, ["longer"])],
        ids=["else for ever", "else 100 days"],
    )
    def test_a_website_is_kept_for_its_own_days_and_others_for_those_of_the_settings(
        self, tmp_path: Path, keep_days: int, left: list[str]
    ) -> None:
        home = opened(tmp_path / "home", f'[evidence]\nkeep = "chosen"\nkeep_days = {keep_days}\n')
        self.watch(home, short=30, longer=5000, other=None)
        names = ("short", "longer", "other")
        keep(Archive(home.folder / "evidence"), *(f"https://{name}.kz/1" for name in names), at=datetime.now(UTC) - timedelta(days=200))  # fmt: skip
        assert self.left(home) == [f"https://{name}.kz/1" for name in left]
        erased = [entry for entry in Chain(home.folder / "evidence").entries() if entry["act"] == "erased"]
        assert {(entry["by"], "evidence_days" in entry["why"]) for entry in erased} == {("watch", True)}

    def test_what_is_young_enough_stays(self, home: Home) -> None:
        self.watch(home, site=30)
        keep(Archive(home.folder / "evidence"), "https://site.kz/1", at=datetime.now(UTC) - timedelta(days=29))
        assert self.left(home) == ["https://site.kz/1"]

    def test_of_two_sources_of_a_website_the_shorter_time_counts(self, home: Home) -> None:
        with open_store(home) as store:
            for feed, days in (("a", 300), ("b", 30)):
                store.add([Found("feed", f"https://site.kz/{feed}", "site")], options={"evidence_days": days}, priority=0, now=0.0)  # fmt: skip
        keep(Archive(home.folder / "evidence"), "https://site.kz/1", at=datetime.now(UTC) - timedelta(days=100))
        assert self.left(home) == []

    @pytest.mark.parametrize(
        ("days", "age", "left"),
        [
            ({"site": 30}, 100, []),
            ({"site": 5000}, 1000, ["https://elsewhere.kz/1"]),
            ({"site": 5000, "elsewhere": 30}, 100, []),
        ],
        ids=["shorter than the settings", "longer", "of both the shortest"],
    )
    def test_what_a_website_redirects_to_is_kept_as_long_as_the_website(
        self, home: Home, days: dict[str, object], age: int, left: list[str]
    ) -> None:
        self.watch(home, **days)
        archive, at = Archive(home.folder / "evidence"), datetime.now(UTC) - timedelta(days=age)
        archive.take(Request("https://site.kz/1"), answer("https://elsewhere.kz/1"))
        assert archive.write(lambda text: text, at) == 1
        assert self.left(home) == left

    def test_what_grows_too_old_while_watching_goes_on_is_erased_too(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.watch(home, site=30)
        monkeypatch.setattr("bastau.watching._ERASE_EVERY_S", 0.05)
        archive = Archive(home.folder / "evidence")

        async def watch() -> None:
            with open_store(home) as store:
                async with open_rounds(home, store):
                    keep(archive, "https://site.kz/1", at=datetime.now(UTC) - timedelta(days=31))
                    for _ in range(200):
                        await asyncio.sleep(0.05)
                        if archive.items()[0]["erased"] is not None:
                            return
            pytest.fail("it is still there")

        asyncio.run(watch())
        assert archive.verify() == []

    @pytest.mark.parametrize("days", [0, -1, "month", True, 1.5])
    def test_days_that_are_none_are_refused_by_name(self, home: Home, days: object) -> None:
        self.watch(home, site=days)
        with open_store(home) as store, pytest.raises(ConfigError, match=r"site.kz/feed: the option evidence_days"):
            open_archive(home, store)

    def test_the_archive_knows_who_asks(self, home: Home) -> None:
        self.watch(home, site=None)
        with open_store(home) as store:
            archive = open_archive(home, store)
        assert archive is not None
        keep(archive, "https://site.kz/1")
        (path,) = (home.folder / "evidence" / "warc").glob("*.gz")
        info, *_ = read_records(path)
        assert b"operator: desk@site.kz" in info.block
        assert b"(+desk@site.kz)" in info.block

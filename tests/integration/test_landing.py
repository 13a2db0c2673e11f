"""What live visits bring comes into the lake once, edits and deletions as new facts, private authors by pseudonym."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bastau.collect.visits import Change, Gap, Visit
from bastau.collect.watching.rounds import Brought
from bastau.collect.watching.store import Source
from bastau.errors import HomeBusy
from bastau.home import Home
from bastau.watching import Landing

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home", create=True)


def row(n: int, text: str = "words of the post", **more: Any) -> dict[str, Any]:
    return {
        "post_id": f"web:site.kz/{n}", "platform": "web", "source": "site.kz", "source_kind": "website",
        "published_at": NOON.isoformat(), "title": f"Title {n}", "text": text, **more,
    }  # fmt: skip


def brought(rows: Sequence[dict[str, Any]], *, minutes: int = 0, source_id: int = 1, **visit: Any) -> Brought:
    source = Source(source_id, "feed", f"https://site.kz/feed{source_id}", 0)
    at = NOON + timedelta(minutes=minutes)
    gaps = visit.pop("gaps", ())
    after = at - timedelta(minutes=10) if minutes else None
    return Brought(source, Visit(rows=rows, **visit), rows, gaps, at, after)


def stored(home: Home, table: str) -> list[dict[str, Any]]:
    return home.lake.read(table).to_pylist()


def test_a_post_seen_again_is_stored_once_and_counted(home: Home) -> None:
    landing = Landing(home)
    first = landing([brought([row(1), row(2)])])
    again = landing([brought([row(2), row(3)], minutes=10)])
    assert (first["n_posts"], first["posts:1"]) == (2, 2)
    assert (again["n_posts"], again["n_repeats"], again["posts:1"]) == (1, 1, 1)
    assert sorted(p["post_id"] for p in stored(home, "posts")) == [f"web:site.kz/{n}" for n in (1, 2, 3)]


def test_two_sources_that_bring_the_same_post_at_once_store_it_once(home: Home) -> None:
    counts = Landing(home)([brought([row(1)]), brought([row(1)], source_id=2)])
    assert (counts["n_posts"], counts["n_repeats"]) == (1, 1)


def test_another_process_sees_what_the_first_stored(home: Home) -> None:
    one, other = Landing(home), Landing(home)
    one([brought([row(1)])])
    assert other([brought([row(1), row(2)])])["n_posts"] == 1


def test_an_edit_is_a_new_fact_and_the_first_words_stay(home: Home) -> None:
    landing = Landing(home)
    landing([brought([row(1)])])
    counts = landing([brought([row(1, "words that were changed")], minutes=10)])
    landing([brought([row(1, "words that were changed")], minutes=20)])
    landing([brought([row(1)], minutes=30)])
    assert counts["n_edits"] == 1
    assert [p["text"] for p in stored(home, "posts")] == ["words of the post"]
    (edit,) = stored(home, "edits")
    assert (edit["kind"], edit["text"], edit["seen_at"]) == (
        "edited",
        "words that were changed",
        NOON + timedelta(minutes=10),
    )
    assert not stored(home, "rejects")


def test_an_edit_is_not_stored_again_by_a_process_beside(home: Home) -> None:
    one, beside = Landing(home), Landing(home)
    one([brought([row(1)])])
    one([brought([row(1, "other words")], minutes=10)])
    assert beside([brought([row(1, "other words")], minutes=20)])["n_edits"] == 0


def test_an_edit_is_not_stored_again_by_the_next_process(home: Home) -> None:
    Landing(home)([brought([row(1)])])
    Landing(home)([brought([row(1, "other words")], minutes=10)])
    assert Landing(home)([brought([row(1, "other words")], minutes=20)])["n_edits"] == 0


def test_two_forms_of_a_post_in_one_batch_are_post_and_edit(home: Home) -> None:
    counts = Landing(home)([brought([row(1)]), brought([row(1, "another summary of it")], source_id=2)])
    assert (counts["n_posts"], counts["n_edits"], counts["n_rejects"]) == (1, 1, 0)


def test_a_post_that_is_gone_and_back_is_told_each_time_once(home: Home) -> None:
    landing = Landing(home)
    landing([brought([row(1)])])
    for minutes, kind in ((10, "deleted"), (20, "deleted"), (30, "back"), (40, "back"), (50, "deleted")):
        landing([brought([], minutes=minutes, changes=[Change("web:site.kz/1", kind)])])
    assert [edit["kind"] for edit in sorted(stored(home, "edits"), key=lambda e: e["seen_at"])] == [
        "deleted",
        "back",
        "deleted",
    ]
    assert len(stored(home, "posts")) == 1


def test_looks_say_between_which_visits_a_post_appeared(home: Home) -> None:
    landing = Landing(home)
    landing([brought([row(1)])])
    landing([brought([row(1), row(2)], minutes=10)])
    looks = {look["post_id"]: look for look in stored(home, "looks")}
    assert looks["web:site.kz/1"]["looked_after"] is None
    assert looks["web:site.kz/2"]["looked_after"] == NOON
    assert looks["web:site.kz/2"]["looked_at"] == NOON + timedelta(minutes=10)
    assert looks["web:site.kz/2"]["place"] == "https://site.kz/feed1"


def test_a_clock_set_back_between_look_and_storing_loses_nothing(home: Home) -> None:
    ahead = brought([row(1, collected_at=(NOON + timedelta(hours=26)).isoformat())], minutes=26 * 60)
    counts = Landing(home, wall=lambda: NOON)([ahead])
    assert (counts["n_posts"], counts["n_rejects"]) == (1, 0)


def test_gaps_are_kept(home: Home) -> None:
    Landing(home)([brought([], gaps=[Gap(NOON, NOON + timedelta(hours=2), "feed_overran")])])
    assert [(gap["reason"], gap["until_at"] - gap["since_at"]) for gap in stored(home, "gaps")] == [
        ("feed_overran", timedelta(hours=2))
    ]


def test_a_bad_row_is_a_reject_with_its_reason(home: Home) -> None:
    counts = Landing(home)([brought([row(1, published_at="yesterday"), row(2)])])
    assert (counts["n_posts"], counts["n_rejects"]) == (1, 1)
    assert stored(home, "rejects")[0]["reason"] == "bad_time"


def test_private_authors_are_pseudonymised_everywhere(home: Home) -> None:
    private = {
        "post_id": "mastodon:secretperson@social.kz/111", "platform": "mastodon", "source": "secretperson@social.kz",
        "source_kind": "account", "audience": 12, "published_at": NOON.isoformat(),
        "text": "hello @secretperson@social.kz", "url": "https://social.kz/@secretperson/111",
    }  # fmt: skip
    landing = Landing(home)
    landing([brought([private])])
    landing([brought([{**private, "text": "changed, @secretperson@social.kz"}], minutes=10)])
    landing([brought([], minutes=20, changes=[Change(str(private["post_id"]), "deleted")])])
    assert {edit["kind"] for edit in stored(home, "edits")} == {"edited", "deleted"}
    assert len({edit["post_key"] for edit in stored(home, "edits")}) == 1
    for path in home.folder.rglob("*"):
        if path.is_file():
            assert b"secretperson" not in path.read_bytes(), path


def test_a_home_in_use_is_said_and_nothing_is_stored(home: Home) -> None:
    landing = Landing(home)
    with home.locked(), pytest.raises(HomeBusy):
        landing([brought([row(1)])])
    assert landing([brought([row(1)])])["n_posts"] == 1


def test_persons_named_in_ads_txt_are_not_stored(home: Home) -> None:
    ads = "# Secret Person, secret@site.kz\ngoogle.com, pub-1, DIRECT # secret@site.kz\nCONTACT=secret@site.kz\n"
    page = {"domain": "site.kz", "url": "https://site.kz/", "fetched_at": NOON, "html": "<p>", "ads_txt": ads}
    Landing(home)([brought([], pages=[page])])
    assert [stored_page["ads_txt"] for stored_page in stored(home, "pages")] == ["google.com, pub-1, DIRECT"]


def test_an_account_that_lost_its_audience_is_no_longer_named(home: Home) -> None:
    private = {
        "post_id": "mastodon:secretperson@social.kz/111", "platform": "mastodon", "source": "secretperson@social.kz",
        "source_kind": "account", "audience": 12, "published_at": NOON.isoformat(), "text": "words of the post",
    }  # fmt: skip
    source = Source(1, "mastodon", "https://social.kz/@secretperson", 0)
    gaps = [Gap(NOON, NOON + timedelta(hours=1), "timeout")]
    landing = Landing(home)
    counts = landing([Brought(source, Visit(rows=[private]), [private], gaps, NOON, None)])
    assert counts["private:1"] == 1
    for address, row in (
        ("https://social.kz/@gazeta", {**private, "post_id": "mastodon:gazeta@social.kz/1", "source": "gazeta@social.kz", "audience": 90_000}),
        ("https://social.kz/tags/kol", {**private, "post_id": "mastodon:secretperson@social.kz/112"}),
        ("https://social.kz/@gazeta", {**private, "post_id": "mastodon:gazeta@social.kz/2", "source": "gazeta@social.kz", "audience": None}),
    ):  # fmt: skip
        other = Source(2, "mastodon", address, 0)
        assert not landing([Brought(other, Visit(rows=[row]), [row], (), NOON, None)])["private:2"]
    fallen = {**private, "post_id": "mastodon:gazeta@social.kz/3", "source": "gazeta@social.kz", "audience": 40}
    other = Source(2, "mastodon", "https://social.kz/@gazeta", 0)
    assert landing([Brought(other, Visit(rows=[fallen]), [fallen], (), NOON, None)])["private:2"] == 1
    places = [row["place"] for table in ("looks", "gaps") for row in stored(home, table)]
    assert len(places) == 6
    assert not any("secretperson" in place for place in places)
    assert sum("p~" in place for place in places) == 3

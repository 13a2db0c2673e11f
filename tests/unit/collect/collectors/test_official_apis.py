"""VK, YouTube and Reddit with the operator's keys; answers after dev.vk.com, developers.google.com/youtube/v3/docs and
reddit.com/dev/api, as known on 2026-11-28 (little of it could be read again). Nobody in them exists."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from playback import NOW, Place, PlaybackWeb, playing, said

from bastau.collect.collectors import reddit, vk
from bastau.collect.collectors.keys import Quota, has_key, read_key
from bastau.collect.collectors.reddit import REDDIT
from bastau.collect.collectors.vk import VK
from bastau.collect.collectors.youtube import YOUTUBE
from bastau.collect.visits import Collector, FetchFailed, Trouble, Visit, Watched
from bastau.errors import ConfigError, SourceChanged


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    for name in ("VK_SERVICE_TOKEN", "YOUTUBE_API_KEY", "REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET"):
        monkeypatch.setenv(name, f"key-of-{name}")
    monkeypatch.setattr(vk, "_QUOTA", Quota(5000, 86_400))
    reddit._tokens.clear()
    with playing() as place:
        yield place
        assert not any("key-of" in address for address in place.asked), "keys stand in no address"


def visit(
    collector: Collector, place: Place, address: str, state: dict[str, Any] | None = None, **options: Any
) -> Visit:
    done = asyncio.run(
        collector.visit(Watched(1, collector.name, address, state or {}, options), PlaybackWeb(place), NOW)
    )
    json.dumps(done.state)
    return done


# ---- VK ------------------------------------------------------------------------------------------------------------

WALL = "https://vk.com/tau_gazeti"


def wall_post(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": number, "owner_id": -70, "from_id": -70, "date": 1_700_000_000 + number, "text": f"сөз {number}", "type": "post",
        "post_type": "post", "attachments": [], "likes": {"count": 3}, "reposts": {"count": 2}, "views": {"count": 900}, "comments": {"count": 1},
    } | changes  # fmt: skip


def vk_place(place: Place, *items: dict[str, Any], group: dict[str, Any] | None = None) -> None:
    about = {"id": 70, "name": "Tau", "screen_name": "tau_gazeti", "members_count": 42_000, "is_closed": 0} | (
        group or {}
    )
    place["api.vk.com/method/utils.resolveScreenName"] = {"response": {"type": "group", "object_id": 70}}
    place["api.vk.com/method/groups.getById"] = {"response": {"groups": [about], "profiles": []}}
    people = [{"id": 8, "screen_name": "biri_8", "first_name": "Бірі", "last_name": "Біреу"}]

    def wall(body: bytes, _: dict[str, str]) -> Any:
        query = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        assert (query["access_token"], query["owner_id"]) == ("key-of-VK_SERVICE_TOKEN", "-70")
        start = int(query.get("offset", 0))
        groups = [about, {"id": 71, "screen_name": "dala_news"}]
        page = list(items[start : start + int(query["count"])])
        return said({"response": {"count": len(items), "items": page, "profiles": people, "groups": groups}})

    place["api.vk.com/method/wall.get"] = wall


def test_a_wall_gives_posts_of_the_community_of_people_and_reposts(place: Place) -> None:
    sizes = [
        {"url": "https://i.example/s.jpg", "width": 10, "height": 10},
        {"url": "https://i.example/l.jpg", "width": 99, "height": 99},
    ]
    media = [
        {"type": "photo", "photo": {"sizes": sizes}}, {"type": "link", "link": {"url": "https://tau.example/kol"}},
        {"type": "poll", "poll": {"question": "Тасиды ма?", "answers": [{"text": "Иә"}]}},
    ]  # fmt: skip
    copied = [{"id": 9, "owner_id": -71, "from_id": -71, "text": "далада жел", "date": 1}]
    vk_place(
        place,
        wall_post(3, attachments=media),
        wall_post(2, text="", copy_history=copied),
        wall_post(1, from_id=8, novelty=1),
    )
    seen = visit(VK, place, WALL)
    person, repost, own = seen.rows
    assert own == {
        "post_id": "vk:-70_3", "platform": "vk", "source": "tau_gazeti", "source_kind": "page", "source_name": "Tau", "audience": 42_000,
        "published_at": "1700000003", "url": "https://vk.com/wall-70_3", "text": "сөз 3\n\nТасиды ма?\n- Иә", "links": ["https://tau.example/kol"],
        "repost_of": None, "reply_to": None, "forwarded_from": None, "media": [{"url": "https://i.example/l.jpg"}],
        "likes": 3, "shares": 2, "replies": 1, "views": 900,
    }  # fmt: skip
    assert (repost["repost_of"], repost["forwarded_from"], repost["text"]) == ("vk:-71_9", "dala_news", "далада жел")
    assert (person["source"], person["source_kind"], person["audience"], person["source_name"]) == (
        "biri_8",
        "account",
        None,
        "Бірі Біреу",
    )
    assert seen.notes == ("unmapped field post.novelty",)


def test_a_wall_is_paged_to_the_last_visit_and_says_what_went_away(place: Place) -> None:
    posts = [wall_post(n) for n in range(300, 0, -1)]
    vk_place(place, *posts)
    first = visit(VK, place, WALL)
    assert len(first.rows) == 100
    vk_place(place, *(wall_post(n) for n in range(500, 300, -1)), *(p for p in posts if p["id"] != 299))
    place["api.vk.com/method/wall.getById"] = {"response": {"items": []}}
    second = visit(VK, place, WALL, dict(first.state))
    assert {int(r["post_id"].rsplit("_")[-1]) for r in second.rows} >= set(range(301, 501))
    assert [(c.kind, c.post_id) for c in second.changes] == [("deleted", "vk:-70_299")]
    assert not second.gaps


def test_a_pinned_post_is_no_end_of_a_gap(place: Place) -> None:
    vk_place(place, *(wall_post(n) for n in range(3, 0, -1)))
    state = dict(visit(VK, place, WALL).state)
    pinned = wall_post(1, is_pinned=1, date=1_600_000_000)
    vk_place(place, pinned, *(wall_post(n) for n in range(5000, 2000, -1)))
    place["api.vk.com/method/wall.getById"] = {"response": {"items": []}}
    (gap,) = visit(VK, place, WALL, state).gaps
    assert gap.since.timestamp() == 1_700_000_003
    assert gap.until.timestamp() > 1_700_002_000


@pytest.mark.parametrize(
    ("code", "kind"),
    [(5, Trouble.NEEDS_KEY), (6, Trouble.LIMITED), (15, Trouble.FORBIDDEN), (18, Trouble.GONE), (10, Trouble.SERVER)],
)
def test_refusals_of_vk_are_told_apart(place: Place, code: int, kind: Trouble) -> None:
    vk_place(place)
    place["api.vk.com/method/wall.get"] = {"error": {"error_code": code, "error_msg": "key-of"}}
    with pytest.raises(FetchFailed) as raised:
        visit(VK, place, WALL)
    assert raised.value.kind is kind
    assert "key-of" not in str(raised.value)


def test_closed_communities_are_left_alone(place: Place) -> None:
    vk_place(place, wall_post(1), group={"is_closed": 1})
    with pytest.raises(FetchFailed, match="closed"):
        visit(VK, place, WALL)
    (found,) = asyncio.run(VK.find(WALL, PlaybackWeb(place), NOW))
    assert (found.title, len(found.first)) == (None, 0)
    assert not any("wall.get" in address for address in place.asked)


def test_the_daily_limit_of_a_key_is_kept() -> None:
    quota = Quota(2, 86_400)
    quota.spend("k", 2, "vk.com", NOW)
    quota.spend("other", 1, "vk.com", NOW)
    with pytest.raises(FetchFailed) as raised:
        quota.spend("k", 1, "vk.com", NOW + timedelta(hours=1))
    assert (raised.value.kind, raised.value.retry_after_s) == (Trouble.LIMITED, 82_800)
    quota.spend("k", 1, "vk.com", NOW + timedelta(days=1))


# ---- YouTube -------------------------------------------------------------------------------------------------------

TUBE = "www.googleapis.com/youtube/v3/"
CHANNEL = "UC" + "a" * 22
ABOUT = {
    "id": CHANNEL, "snippet": {"title": "Tau TV", "customUrl": "@tautv"}, "statistics": {"subscriberCount": "51000"},
    "contentDetails": {"relatedPlaylists": {"uploads": "UU1"}},
}  # fmt: skip
ADDRESS = f"https://www.youtube.com/channel/{CHANNEL}"


def video(name: str, **changes: Any) -> dict[str, Any]:
    snippet = {
        "title": f"Көл {name}", "description": "толығырақ: https://tau.example/kol.", "publishedAt": "2026-11-20T10:00:00Z",
        "channelTitle": "Tau TV", "defaultAudioLanguage": "kk", "thumbnails": {"high": {"url": f"https://i.ytimg.com/vi/{name}/hq.jpg"}},
    }  # fmt: skip
    numbers = {"viewCount": "100", "likeCount": "7", "commentCount": "2"}
    return {
        "kind": "youtube#video",
        "etag": "e",
        "id": name,
        "snippet": snippet,
        "statistics": numbers,
        "status": {"privacyStatus": "public"},
    } | changes


def tube(place: Place, names: list[str], videos: list[dict[str, Any]], asked: list[str] | None = None) -> None:
    place[f"{TUBE}channels?part=snippet%2Cstatistics%2CcontentDetails&id={CHANNEL}"] = {"items": [ABOUT]}
    place[f"{TUBE}playlistItems?part=contentDetails&playlistId=UU1&maxResults=50"] = {
        "items": [{"contentDetails": {"videoId": n}} for n in names]
    }
    which = quote(",".join(asked or names), safe="")
    place[f"{TUBE}videos?part=snippet%2Cstatistics%2Cstatus&id={which}&maxResults=50"] = {"items": videos}


def test_videos_come_with_counts_and_links_and_the_key_in_a_header(place: Place) -> None:
    tube(place, ["v2", "v1"], [video("v2"), video("v1", status={"privacyStatus": "unlisted"}, novelty=1)])
    (row,) = visit(YOUTUBE, place, ADDRESS).rows
    assert row == {
        "post_id": "youtube:v2", "platform": "youtube", "source": "tautv", "source_kind": "account", "source_name": "Tau TV", "audience": 51_000,
        "published_at": "2026-11-20T10:00:00Z", "url": "https://www.youtube.com/watch?v=v2", "title": "Көл v2",
        "text": "толығырақ: https://tau.example/kol.", "language": "kk", "links": ["https://tau.example/kol"],
        "media": [{"url": "https://i.ytimg.com/vi/v2/hq.jpg"}], "likes": 7, "replies": 2, "views": 100,
    }  # fmt: skip
    assert place.headers[-1]["x-goog-api-key"] == "key-of-YOUTUBE_API_KEY"


def test_a_video_taken_down_or_made_private_is_told(place: Place) -> None:
    tube(place, ["v2", "v1"], [video("v2"), video("v1")])
    state = dict(visit(YOUTUBE, place, ADDRESS).state)
    tube(place, ["v3", "v2"], [video("v3"), video("v2")], asked=["v3", "v2", "v1"])
    assert [(c.kind, c.post_id) for c in visit(YOUTUBE, place, ADDRESS, state).changes] == [("deleted", "youtube:v1")]


@pytest.mark.parametrize(
    ("reason", "kind"), [("quotaExceeded", Trouble.LIMITED), ("accessNotConfigured", Trouble.NEEDS_KEY)]
)
def test_refusals_of_youtube_are_told_apart(place: Place, reason: str, kind: Trouble) -> None:
    refusal = {"error": {"code": 403, "errors": [{"reason": reason}]}}
    place[f"{TUBE}channels?part=snippet%2Cstatistics%2CcontentDetails&id={CHANNEL}"] = said(refusal, 403)
    with pytest.raises(FetchFailed) as raised:
        visit(YOUTUBE, place, ADDRESS)
    assert raised.value.kind is kind


# ---- Reddit --------------------------------------------------------------------------------------------------------

SUB = "https://www.reddit.com/r/kol"
NEW = "oauth.reddit.com/r/kol/new?limit=100&raw_json=1"


def submission(name: str, **changes: Any) -> dict[str, Any]:
    data = {
        "id": name, "author": "biri_9", "title": f"Көл {name}", "selftext": "қараңыз https://tau.example/kol", "is_self": True, "created_utc": 1_700_000_000.0,
        "permalink": f"/r/kol/comments/{name}/kol/", "score": 5, "num_comments": 2, "subreddit_type": "public", "edited": False,
    } | changes  # fmt: skip
    return {"kind": "t3", "data": data}


def listing(*children: dict[str, Any], after: str | None = None) -> dict[str, Any]:
    return {"kind": "Listing", "data": {"children": list(children), "after": after}}


def test_submissions_lose_nothing_but_what_was_taken_down(place: Place) -> None:
    place["www.reddit.com/api/v1/access_token"] = {"access_token": "t0ken", "expires_in": 86_400}
    picture = submission(
        "1c",
        is_self=False,
        url="https://i.redd.it/x.jpg",
        url_overridden_by_dest="https://i.redd.it/x.jpg",
        selftext="",
    )
    shared = submission("1d", is_self=False, url="https://tau.example/a", selftext="", crosspost_parent="t3_1a")
    place[NEW] = said(
        listing(shared, picture, submission("1b"), submission("1a", removed_by_category="moderator")),
        X_Ratelimit_Remaining="3.0",
        X_Ratelimit_Reset="77",
    )
    seen = visit(REDDIT, place, SUB)
    rows = {row["post_id"]: row for row in seen.rows}
    assert list(rows) == ["other:reddit-1d", "other:reddit-1c", "other:reddit-1b"]
    assert rows["other:reddit-1b"]["links"] == ["https://tau.example/kol"]
    assert rows["other:reddit-1b"].get("audience") is None
    assert rows["other:reddit-1c"]["media"] == [{"url": "https://i.redd.it/x.jpg"}]
    assert (rows["other:reddit-1d"]["repost_of"], rows["other:reddit-1d"]["links"]) == (
        "other:reddit-1a",
        ["https://tau.example/a"],
    )
    assert seen.next_in_s == 77
    assert "biri_9" not in str(seen.state)


def test_what_its_author_deleted_is_told_after_asking(place: Place) -> None:
    place["www.reddit.com/api/v1/access_token"] = {"access_token": "t0ken", "expires_in": 86_400}
    place[NEW] = listing(submission("1b"), submission("1a"))
    state = dict(visit(REDDIT, place, SUB).state)
    place[NEW] = listing(submission("1c", edited=1_700_000_500.0), submission("1a"))
    place["oauth.reddit.com/api/info?id=t3_1b&raw_json=1"] = listing(
        submission("1b", author="[deleted]", selftext="[deleted]")
    )
    seen = visit(REDDIT, place, SUB, state)
    assert {(c.kind, c.post_id) for c in seen.changes} == {
        ("edited", "other:reddit-1c"),
        ("deleted", "other:reddit-1b"),
    }
    assert sum("access_token" in address for address in place.asked) == 1


def test_pages_of_reddit_are_read_to_the_last_visit(place: Place) -> None:
    place["www.reddit.com/api/v1/access_token"] = {"access_token": "t0ken", "expires_in": 86_400}
    place[NEW] = listing(submission("20"), submission("1z"), after="t3_1z")
    place[f"{NEW}&after=t3_1z"] = listing(submission("1y"), submission("1x"), after="t3_1x")
    assert len(visit(REDDIT, place, SUB, {"last": "1y"}).rows) == 4
    place[f"{NEW}&after=t3_1x"] = {"kind": "wiki"}
    with pytest.raises(SourceChanged):
        visit(REDDIT, place, SUB, {"last": "1a"})


@pytest.mark.parametrize("kind", ["user", "private", "employees_only"])
def test_what_is_no_open_subreddit_is_not_found(place: Place, kind: str) -> None:
    place["www.reddit.com/api/v1/access_token"] = {"access_token": "t0ken", "expires_in": 86_400}
    place["oauth.reddit.com/r/kol/about?raw_json=1"] = {"data": {"subreddit_type": kind, "title": "Көл"}}
    place[NEW] = listing(submission("1b"))
    assert asyncio.run(REDDIT.find(SUB, PlaybackWeb(place), NOW)) == []
    place["oauth.reddit.com/r/kol/about?raw_json=1"] = {"data": {"subreddit_type": "restricted", "title": "Көл"}}
    (found,) = asyncio.run(REDDIT.find(SUB, PlaybackWeb(place), NOW))
    assert found.title == "Көл"


def test_a_users_own_page_is_not_visited(place: Place) -> None:
    with pytest.raises(FetchFailed) as raised:
        visit(REDDIT, place, "https://www.reddit.com/r/u_biri_9")
    assert raised.value.kind is Trouble.FORBIDDEN
    assert not place.asked


# ---- keys and addresses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("collector", [VK, YOUTUBE, REDDIT], ids=lambda c: c.name)
def test_without_keys_an_address_is_offered_with_what_it_needs(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = {"vk": WALL, "youtube": ADDRESS, "reddit": SUB}[collector.name]
    for name in collector.card.needs:
        monkeypatch.delenv(name, raising=False)
    with playing() as place:
        (found,) = asyncio.run(collector.find(address, PlaybackWeb(place), NOW))
        assert collector.card.needs[0] in found.warnings[0]
        is_account = collector is not REDDIT
        assert (found.source_kind == "account") == is_account, "without an audience it must not be watched by name"
        with pytest.raises(FetchFailed) as raised:
            visit(collector, place, address)
        assert raised.value.kind is Trouble.NEEDS_KEY
        assert not place.asked


def test_keys_come_from_files_that_nobody_else_can_read(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    key.write_text("s3cret\n")
    key.chmod(0o600)
    monkeypatch.delenv("VK_SERVICE_TOKEN", raising=False)
    assert read_key("VK_SERVICE_TOKEN", "vk.com", {"VK_SERVICE_TOKEN": f"file:{key}"}) == "s3cret"
    monkeypatch.setenv("VK_SERVICE_TOKEN_FILE", str(key))
    assert read_key("VK_SERVICE_TOKEN", "vk.com") == "s3cret"
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_key("VK_SERVICE_TOKEN", "vk.com")
    with pytest.raises(ConfigError, match="never the key itself"):
        read_key("VK_SERVICE_TOKEN", "vk.com", {"VK_SERVICE_TOKEN": "s3cret"})
    with pytest.raises(ConfigError, match="chmod 600"):
        has_key("VK_SERVICE_TOKEN")
    monkeypatch.delenv("VK_SERVICE_TOKEN_FILE")
    assert not has_key("VK_SERVICE_TOKEN")


@pytest.mark.parametrize(
    ("collector", "address", "known"),
    [
        (VK, "vk.com/Tau_gazeti", WALL),
        (VK, "https://vk.com/wall-70_3", "https://vk.com/club70"),
        (VK, "https://m.vk.com/public70", "https://vk.com/public70"),
        (VK, "vk.com/feed", None),
        (VK, "t.me/tau", None),
        (YOUTUBE, "https://www.youtube.com/@TauTV/videos", "https://www.youtube.com/@tautv"),
        (YOUTUBE, f"youtube.com/channel/{CHANNEL}", ADDRESS),
        (YOUTUBE, "https://youtube.com/watch?v=v1", None),
        (REDDIT, "reddit.com/r/Kol", SUB),
        (REDDIT, "r/kol", SUB),
        (REDDIT, "https://old.reddit.com/r/kol/new/", SUB),
        (REDDIT, "https://www.reddit.com/user/biri_9", None),
        (REDDIT, "https://www.reddit.com/r/u_biri_9", None),
        (REDDIT, "r/U_biri_9", None),
        (REDDIT, "https://tau.example/r/kol", None),
    ],
)  # fmt: skip
def test_usual_forms(collector: Collector, address: str, known: str | None) -> None:
    assert collector.recognises(address) == known

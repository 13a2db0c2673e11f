"""Accounts, searches and the stream of Bluesky; answers after docs.bsky.app, as known on 2026-11-28 (little of it could be read again)."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playback import NOW, Place, PlaybackWeb, playing, said, streaming

from bastau.collect.collectors import bluesky
from bastau.collect.collectors.answers import Calls
from bastau.collect.collectors.bluesky import BLUESKY, read_event
from bastau.collect.visits import FetchFailed, Trouble, Visit, Watched
from bastau.errors import SourceChanged

DID, OTHER = "did:plc:" + "a" * 24, "did:plc:" + "b" * 24
HOST = "public.api.bsky.app/xrpc/"
ADDRESS = f"https://bsky.app/profile/{DID}"
PROFILE = {"did": DID, "handle": "tau.example", "displayName": "Tau", "followersCount": 9100, "labels": []}
STRANGER = {"did": OTHER, "handle": "biri.bsky.social", "displayName": "Біреу", "labels": []}
FEED = f"{HOST}app.bsky.feed.getAuthorFeed?actor={quote(DID)}&limit=100&filter=posts_with_replies"


def post(key: str, author: dict[str, Any] = PROFILE, cid: str = "c1", **record: Any) -> dict[str, Any]:
    written = {
        "$type": "app.bsky.feed.post",
        "text": f"сөз {key}",
        "createdAt": f"2026-11-2{key[-1]}T10:00:00.000Z",
        "langs": ["kk"],
    }
    return {
        "uri": f"at://{author['did']}/app.bsky.feed.post/{key}",
        "cid": cid,
        "author": {k: v for k, v in author.items() if k != "followersCount"},
        "record": written | record,
        "replyCount": 1,
        "repostCount": 2,
        "likeCount": 3,
        "quoteCount": 0,
        "indexedAt": f"2026-11-2{key[-1]}T10:00:05.000Z",
        "labels": [],
    }


def feed(*posts: dict[str, Any], cursor: str | None = None) -> dict[str, Any]:
    return {"feed": [p if "post" in p else {"post": p} for p in posts]} | ({"cursor": cursor} if cursor else {})


@pytest.fixture
def place() -> Iterator[Place]:
    with playing() as place:
        place[f"{HOST}app.bsky.actor.getProfile?actor={quote(DID)}"] = PROFILE
        place[FEED] = feed(post("3k2"), post("3k1"))
        yield place


def visit(place: Place, state: dict[str, Any] | None = None, address: str = ADDRESS, **options: Any) -> Visit:
    done = asyncio.run(BLUESKY.visit(Watched(1, "bluesky", address, state or {}, options), PlaybackWeb(place), NOW))
    json.dumps(done.state)
    return done


def test_a_post_has_every_field_that_the_place_tells(place: Place) -> None:
    facet = {"index": {}, "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://tau.example/kol"}]}
    quoted = {"$type": "app.bsky.embed.record", "record": {"uri": f"at://{OTHER}/app.bsky.feed.post/3q", "cid": "c"}}
    images = {"$type": "app.bsky.embed.images", "images": [{"alt": "", "image": {"ref": {"$link": "bafkrei1"}}}]}
    both = {"$type": "app.bsky.embed.recordWithMedia", "record": quoted, "media": images}
    parent = {"parent": {"uri": f"at://{OTHER}/app.bsky.feed.post/3p"}, "root": {}}
    place[FEED] = feed(post("3k2", facets=[facet], embed=both, reply=parent))
    (row,) = visit(place).rows
    assert row == {
        "post_id": f"bluesky:{DID}/3k2",
        "platform": "bluesky",
        "source": "tau.example",
        "source_kind": "account",
        "source_name": "Tau",
        "audience": 9100,
        "published_at": "2026-11-22T10:00:00+00:00",
        "url": "https://bsky.app/profile/tau.example/post/3k2",
        "text": "сөз 3k2",
        "language": "kk",
        "links": ["https://tau.example/kol", f"https://bsky.app/profile/{OTHER}/post/3q"],
        "reply_to": f"bluesky:{OTHER}/3p",
        "media": [{"url": f"https://cdn.bsky.app/img/feed_fullsize/plain/{DID}/bafkrei1"}],
        "likes": 3,
        "shares": 2,
        "replies": 1,
    }


def test_a_backdated_post_stands_where_its_author_put_it_and_a_future_one_where_it_was_seen(place: Place) -> None:
    place[FEED] = feed(post("3k2", createdAt="2030-01-01T00:00:00Z"), post("3k1", createdAt="2020-01-01T00:00:00Z"))
    assert [row["published_at"][:4] for row in visit(place).rows] == ["2020", "2026"]


def test_reposts_are_posts_of_their_own_that_point_to_the_original(place: Place) -> None:
    reason = {
        "$type": "app.bsky.feed.defs#reasonRepost",
        "by": PROFILE,
        "uri": f"at://{DID}/app.bsky.feed.repost/3r",
        "indexedAt": "2026-11-23T00:00:00Z",
    }
    place[FEED] = feed({"post": post("3o1", STRANGER), "reason": reason}, {"post": post("3o2", STRANGER)})
    (row,) = visit(place).rows
    assert (row["post_id"], row["repost_of"]) == (f"bluesky:{DID}/r-3r", f"bluesky:{OTHER}/3o1")
    assert (row["source"], row["audience"], row["text"]) == ("tau.example", 9100, "RT @biri.bsky.social: сөз 3o1")
    assert row["published_at"] == "2026-11-23T00:00:00Z"


def test_accounts_for_signed_in_readers_are_left_alone(place: Place) -> None:
    hidden = {"labels": [{"val": "!no-unauthenticated", "src": OTHER}]}
    reason = {"$type": "app.bsky.feed.defs#reasonRepost", "by": PROFILE, "indexedAt": "2026-11-23T00:00:00Z"}
    place[FEED] = feed({"post": post("3o1", STRANGER | hidden), "reason": reason}, post("3k1"))
    seen = visit(place)
    assert len(seen.rows) == 1
    assert any("signed-in readers" in note for note in seen.notes)
    place[f"{HOST}app.bsky.actor.getProfile?actor={quote(DID)}"] = PROFILE | hidden
    with pytest.raises(FetchFailed, match="signed-in readers only") as raised:
        visit(place)
    assert raised.value.kind is Trouble.FORBIDDEN
    (found,) = asyncio.run(BLUESKY.find(ADDRESS, PlaybackWeb(place), NOW))
    assert found.warnings
    assert not found.first


def test_deletions_edits_and_returns_are_told(place: Place) -> None:
    state = dict(visit(place).state)
    place[FEED] = feed(post("3k3"), post("3k1", cid="c2"))
    asked = f"{HOST}app.bsky.feed.getPosts?uris={quote(f'at://{DID}/app.bsky.feed.post/3k2', safe='')}"
    place[asked] = {"posts": []}
    seen = visit(place, state)
    assert {(c.kind, c.post_id.rsplit("/")[-1]) for c in seen.changes} == {("edited", "3k1"), ("deleted", "3k2")}
    place[FEED] = feed(post("3k3"), post("3k2"), post("3k1", cid="c2"))
    assert [(c.kind, c.post_id.rsplit("/")[-1]) for c in visit(place, dict(seen.state)).changes] == [("back", "3k2")]


def test_a_post_out_of_order_is_not_taken_for_deleted(place: Place) -> None:
    state = dict(visit(place).state)
    place[FEED] = feed(post("3k3"), post("3k1"))
    place[f"{HOST}app.bsky.feed.getPosts?uris={quote(f'at://{DID}/app.bsky.feed.post/3k2', safe='')}"] = {
        "posts": [post("3k2")]
    }
    assert not visit(place, state).changes


def test_pages_are_read_until_the_last_visit(place: Place) -> None:
    state = dict(visit(place).state)
    place[FEED] = feed(post("3k6"), post("3k5"), cursor="c1")
    place[f"{FEED}&cursor=c1"] = feed(post("3k4"), post("3k3"), cursor="c2")
    place[f"{FEED}&cursor=c2"] = feed(post("3k2"), post("3k1"), cursor="c3")
    seen = visit(place, state)
    assert len(seen.rows) == 6
    assert not seen.more
    assert not any("cursor=c3" in address for address in place.asked)


def test_a_renamed_account_is_the_same_one(place: Place) -> None:
    first = visit(place)
    place[f"{HOST}app.bsky.actor.getProfile?actor={quote(DID)}"] = PROFILE | {"handle": "tau2.example"}
    second = visit(place, dict(first.state))
    assert {row["post_id"] for row in second.rows} == {row["post_id"] for row in first.rows}
    assert any("another handle" in note for note in second.notes)
    assert "tau2" not in str(second.notes)


def test_an_unknown_field_is_noted(place: Place) -> None:
    place[FEED] = feed(post("3k1") | {"novelty": 1})
    assert visit(place).notes == ("unmapped field post.novelty",)


def test_switched_off_accounts_and_other_answers(place: Place) -> None:
    place[f"{HOST}app.bsky.actor.getProfile?actor={quote(DID)}"] = said({"error": "AccountTakedown"}, 400)
    with pytest.raises(FetchFailed) as raised:
        visit(place)
    assert raised.value.kind is Trouble.GONE
    place[f"{HOST}app.bsky.actor.getProfile?actor={quote(DID)}"] = PROFILE
    place[FEED] = {"feeds": []}
    with pytest.raises(SourceChanged):
        visit(place)


def test_found_is_the_account_under_its_did(place: Place) -> None:
    place[f"{HOST}app.bsky.actor.getProfile?actor=tau.example"] = PROFILE
    (found,) = asyncio.run(BLUESKY.find("@tau.example", PlaybackWeb(place), NOW))
    assert (found.address, found.source, found.audience, found.posts_a_day) == (ADDRESS, "tau.example", 9100, 1.0)


# ---- searches -----------------------------------------------------------------------------------------------------

SEARCH = "https://bsky.app/search?q=%D0%BA%D3%A9%D0%BB"
QUERY = "q=%D0%BA%D3%A9%D0%BB&sort=latest&limit=100"


def test_a_search_needs_the_operators_account(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLUESKY_IDENTIFIER", raising=False)
    place[f"{HOST}app.bsky.feed.searchPosts?{QUERY}"] = said({"error": "AuthMissing"}, 401)
    with pytest.raises(FetchFailed, match="BLUESKY_IDENTIFIER") as raised:
        visit(place, address=SEARCH)
    assert raised.value.kind is Trouble.NEEDS_KEY


def test_a_search_logs_in_once_and_learns_the_audience_of_authors(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    bluesky._sessions.clear()
    monkeypatch.setenv("BLUESKY_IDENTIFIER", "operator.example")
    monkeypatch.setenv("BLUESKY_APP_PASSWORD", "abcd")
    logins = []

    def login(body: bytes, _: dict[str, str]) -> Any:
        logins.append(json.loads(body))
        return said({"accessJwt": "t0ken"})

    place["bsky.social/xrpc/com.atproto.server.createSession"] = login
    hidden = STRANGER | {"did": DID.replace("a", "c"), "labels": [{"val": "!no-unauthenticated"}]}
    found = {"posts": [post("3k2", STRANGER), post("3k1", hidden)]}
    place[f"bsky.social/xrpc/app.bsky.feed.searchPosts?{QUERY}"] = found
    profiles = {"profiles": [STRANGER | {"followersCount": 12}]}
    place[f"bsky.social/xrpc/app.bsky.actor.getProfiles?actors={quote(OTHER)}"] = profiles
    first = visit(place, address=SEARCH)
    (row,) = first.rows
    assert (row["source"], row["audience"]) == ("biri.bsky.social", 12)
    assert first.state["since"] == "2026-11-22T10:00:05+00:00"
    assert OTHER not in str(first.state)
    place[f"bsky.social/xrpc/app.bsky.feed.searchPosts?{QUERY}&since={quote(first.state['since'])}"] = {"posts": []}
    assert not visit(place, dict(first.state), address=SEARCH).rows
    assert logins == [{"identifier": "operator.example", "password": "abcd"}]
    assert place.headers[-1]["authorization"] == "Bearer t0ken"


# ---- the stream ----------------------------------------------------------------------------------------------------


def event(
    operation: str,
    key: str,
    collection: str = "app.bsky.feed.post",
    did: str = DID,
    at_us: int = 1_795_000_000_000_000,
    **record: Any,
) -> str:
    commit: dict[str, Any] = {"rev": "r", "operation": operation, "collection": collection, "rkey": key}
    if operation != "delete":
        commit |= {
            "cid": "c",
            "record": {"text": f"сөз {key}", "createdAt": "2026-11-20T10:00:00Z", "langs": ["kk"]} | record,
        }
    return json.dumps({"did": did, "time_us": at_us, "kind": "commit", "commit": commit})


def test_the_stream_brings_posts_reposts_edits_and_deletions() -> None:
    other = json.dumps(
        {"did": DID, "time_us": 1_795_000_000_000_004, "kind": "identity", "identity": {"handle": "tau2.example"}}
    )
    subject = {"uri": f"at://{OTHER}/app.bsky.feed.post/3o"}
    messages = [
        event("create", "3k1"), event("create", "3r", "app.bsky.feed.repost", text=None, subject=subject), event("update", "3k1"),
        event("delete", "3k1"), event("create", "3x", did=OTHER), event("create", "3l", "app.bsky.feed.like"), other, "not json",
        event("create", "3k9", at_us=1_795_000_000_000_009),
    ]  # fmt: skip
    state = {"did": DID, "handle": "tau.example", "name": "Tau", "audience": 9100, "cursor": 1_794_999_000_000_000}
    asked: list[str] = []

    async def listen() -> list[tuple[int, Visit]]:
        async with streaming(messages, asked) as port:
            watched = [Watched(7, "bluesky", ADDRESS, state), Watched(8, "bluesky", SEARCH)]
            return [item async for item in BLUESKY.listen(watched, PlaybackWeb(None, port), NOW)]  # type: ignore[arg-type]

    got = asyncio.run(listen())
    assert {source for source, _ in got} == {7}
    rows = [row for _, visit in got for row in visit.rows]
    assert [row["post_id"].rsplit("/")[-1] for row in rows] == ["3k1", "r-3r", "3k1", "3k9"]
    assert rows[1]["repost_of"] == f"bluesky:{OTHER}/3o"
    assert (rows[0]["source"], rows[0]["audience"], rows[-1]["source"]) == ("tau.example", 9100, "tau2.example")
    assert [c.kind for _, visit in got for c in visit.changes] == ["edited", "deleted"]
    assert got[-1][1].state["cursor"] == 1_795_000_000_000_009
    assert f"wantedDids={quote(DID, safe='')}" in asked[0]
    assert "cursor=1794998995000000" in asked[0], "five seconds are asked for again"


def test_a_silence_longer_than_the_stream_remembers_is_a_gap() -> None:
    state = {"did": DID, "cursor": int((NOW.timestamp() - 3 * 86400) * 1e6)}

    async def listen() -> list[tuple[int, Visit]]:
        async with streaming([], []) as port:
            return [
                item
                async for item in BLUESKY.listen([Watched(7, "bluesky", ADDRESS, state)], PlaybackWeb(None, port), NOW)
            ]  # type: ignore[arg-type]

    ((source, visit),) = asyncio.run(listen())
    assert source == 7
    assert [gap.reason for gap in visit.gaps] == ["stream_overran"]


def test_a_silent_account_is_no_gap_where_others_were_heard() -> None:
    old, new = (int((NOW.timestamp() - days * 86400) * 1e6) for days in (3, 0.1))
    asked: list[str] = []

    async def listen() -> list[tuple[int, Visit]]:
        async with streaming([], asked) as port:
            watched = [
                Watched(7, "bluesky", ADDRESS, {"did": DID, "cursor": old}),
                Watched(8, "bluesky", ADDRESS, {"did": OTHER, "cursor": new}),
            ]
            return [item async for item in BLUESKY.listen(watched, PlaybackWeb(None, port), NOW)]  # type: ignore[arg-type]

    assert asyncio.run(listen()) == []
    assert f"cursor={new - 5_000_000}" in asked[0]


def test_a_stream_tells_what_is_odd_once() -> None:
    calls = Calls(PlaybackWeb(None))  # type: ignore[arg-type]
    calls.note("odd")
    told = [read_event(json.loads(event("create", key)), {"did": DID}, calls) for key in ("3k1", "3k2")]
    assert [visit.notes for visit in told if visit] == [("odd", "unmapped field record.langs"), ()]


def test_accounts_that_are_switched_off_are_noted() -> None:
    gone = {"did": DID, "time_us": 1, "kind": "account", "account": {"active": False, "status": "deactivated"}}
    seen = read_event(gone, {}, Calls(PlaybackWeb(None)))  # type: ignore[arg-type]
    assert seen is not None
    assert seen.notes == ("the account is deactivated",)


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("https://bsky.app/profile/Tau.example", "https://bsky.app/profile/tau.example"),
        ("bsky.app/profile/tau.bsky.social/post/3k1", "https://bsky.app/profile/tau.bsky.social"),
        ("tau.bsky.social", "https://bsky.app/profile/tau.bsky.social"),
        ("@tau.example", "https://bsky.app/profile/tau.example"),
        (f"at://{DID}/app.bsky.feed.post/3k", ADDRESS),
        (DID, ADDRESS),
        ("https://bsky.app/hashtag/kol", "https://bsky.app/hashtag/kol"),
        ("https://bsky.app/search?q=көл", SEARCH),
        ("tau.example", None),
        ("@tau_gazeti", None),
        ("tau@lake.example", None),
        ("https://tau.example/a", None),
    ],
)
def test_usual_forms(address: str, known: str | None) -> None:
    assert BLUESKY.recognises(address) == known

"""Outboxes; answers after the ActivityPub recommendation of the W3C, as known on 2026-11-28 (little of it could be read again)."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playback import NOW, Place, PlaybackWeb, playing, said

from bastau import places
from bastau.collect.collectors.activitypub import ACTIVITYPUB
from bastau.collect.visits import FetchFailed, Trouble, Visit, Watched
from bastau.errors import SourceChanged
from bastau.home import Home

ACTOR = "https://blog.example/users/tau"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
ABOUT: dict[str, Any] = {
    "id": ACTOR, "type": "Person", "preferredUsername": "tau", "name": "Tau", "outbox": f"{ACTOR}/outbox", "followers": f"{ACTOR}/followers",
    "manuallyApprovesFollowers": False, "summary": "газет",
}  # fmt: skip


def create(number: int, **changes: Any) -> dict[str, Any]:
    post = {
        "id": f"{ACTOR}/statuses/{number}", "type": "Note", "attributedTo": ACTOR, "to": [PUBLIC], "cc": [f"{ACTOR}/followers"],
        "published": f"2026-11-20T10:{number:02}:00Z", "content": f"<p>сөз {number}</p>", "contentMap": {"kk": f"<p>сөз {number}</p>"},
    } | changes  # fmt: skip
    return {
        "id": f"{ACTOR}/statuses/{number}/activity",
        "type": "Create",
        "actor": ACTOR,
        "to": [PUBLIC],
        "published": post["published"],
        "object": post,
    }


def outbox(place: Place, *items: dict[str, Any], **more: Any) -> None:
    place["blog.example/users/tau/outbox"] = {
        "type": "OrderedCollection",
        "totalItems": len(items),
        "first": f"{ACTOR}/outbox?page=1",
    }
    place["blog.example/users/tau/outbox?page=1"] = {
        "type": "OrderedCollectionPage",
        "orderedItems": list(items),
    } | more


@pytest.fixture
def place() -> Iterator[Place]:
    with playing() as place:
        place["blog.example/users/tau"] = ABOUT
        place["blog.example/users/tau/followers"] = {"type": "OrderedCollection", "totalItems": 9100}
        place["blog.example/.well-known/webfinger?resource=acct%3Atau%40blog.example"] = {
            "links": [{"rel": "self", "type": "application/activity+json", "href": ACTOR}]
        }
        outbox(place, create(2), create(1))
        yield place


def visit(place: Place, state: dict[str, Any] | None = None) -> Visit:
    done = asyncio.run(ACTIVITYPUB.visit(Watched(1, "activitypub", ACTOR, state or {}), PlaybackWeb(place), NOW))
    json.dumps(done.state)
    return done


def test_posts_have_the_ids_that_other_servers_know_them_by(place: Place) -> None:
    mention = {"type": "Mention", "href": "https://lake.example/@biri", "name": "@biri@lake.example"}
    content = '<p>сөз <a href="https://lake.example/@biri" class="u-url mention">@biri</a> <a href="https://tau.example/kol">көл</a></p>'
    article = create(3, type="Article", name="Тақырып", content=content, tag=[mention], inReplyTo="https://lake.example/users/biri/statuses/55",
                     attachment=[{"type": "Image", "url": "https://blog.example/i.jpg"}], novelty=1)  # fmt: skip
    announce = {
        "id": f"{ACTOR}/statuses/4/activity",
        "type": "Announce",
        "to": [PUBLIC],
        "published": "2026-11-20T10:04:00Z",
        "object": "https://lake.example/users/biri/statuses/56",
    }
    like = {
        "id": f"{ACTOR}/likes/1",
        "type": "Like",
        "to": [PUBLIC],
        "published": "2026-11-20T10:05:00Z",
        "object": "https://lake.example/x",
    }
    outbox(place, like, announce, article, create(2, to=[f"{ACTOR}/followers"]) | {"to": [f"{ACTOR}/followers"]})
    seen = visit(place)
    post, repost = seen.rows
    assert post == {
        "post_id": "mastodon:tau@blog.example/3", "platform": "mastodon", "source": "tau@blog.example", "source_kind": "account", "source_name": "Tau",
        "audience": 9100, "published_at": "2026-11-20T10:03:00Z", "url": f"{ACTOR}/statuses/3", "title": "Тақырып",
        "text": "сөз @biri@lake.example https://tau.example/kol", "language": "kk", "links": ["https://tau.example/kol"],
        "reply_to": "mastodon:biri@lake.example/55", "media": [{"url": "https://blog.example/i.jpg"}], "likes": None,
    }  # fmt: skip
    assert (repost["post_id"], repost["repost_of"]) == ("mastodon:tau@blog.example/4", "mastodon:biri@lake.example/56")
    assert seen.notes == ("unmapped field post.novelty",)


def test_pages_edits_and_deletions(place: Place) -> None:
    state = dict(visit(place).state)
    outbox(place, create(4), create(3), next=f"{ACTOR}/outbox?page=2")
    place["blog.example/users/tau/outbox?page=2"] = {
        "orderedItems": [create(1, updated="2026-11-21T00:00:00Z")],
        "next": f"{ACTOR}/outbox?page=3",
    }
    place["blog.example/users/tau/statuses/2"] = said({"type": "Tombstone"}, 410)
    seen = visit(place, state)
    assert len(seen.rows) == 3
    assert {(c.kind, c.post_id) for c in seen.changes} == {
        ("edited", "mastodon:tau@blog.example/1"),
        ("deleted", "mastodon:tau@blog.example/2"),
    }
    assert not visit(place, dict(seen.state)).changes
    assert not any("page=3" in address for address in place.asked)


@pytest.mark.parametrize("wish", [{"manuallyApprovesFollowers": True}, {"summary": "#nobot"}, {"suspended": True}])
def test_who_does_not_want_it_is_left_alone(place: Place, wish: dict[str, Any]) -> None:
    place["blog.example/users/tau"] = ABOUT | wish
    with pytest.raises(FetchFailed) as raised:
        visit(place)
    assert raised.value.kind is Trouble.FORBIDDEN
    (found,) = asyncio.run(ACTIVITYPUB.find("tau@blog.example", PlaybackWeb(place), NOW))
    assert found.warnings
    assert not found.first


def test_servers_that_want_signatures_and_other_answers(place: Place) -> None:
    place["blog.example/users/tau"] = said({"error": "Request not signed"}, 401)
    with pytest.raises(FetchFailed, match="signed requests only"):
        visit(place)
    place["blog.example/users/tau"] = {"id": ACTOR}
    with pytest.raises(SourceChanged):
        visit(place)
    assert asyncio.run(ACTIVITYPUB.find("https://blog.example/about", PlaybackWeb(place), NOW)) == []


def test_found_by_handle_and_by_address(place: Place) -> None:
    for address in ("tau@blog.example", "https://blog.example/@tau"):
        (found,) = asyncio.run(ACTIVITYPUB.find(address, PlaybackWeb(place), NOW))
        assert (found.address, found.source, found.audience, len(found.first)) == (ACTOR, "tau@blog.example", 9100, 2)


@pytest.mark.parametrize("address", ["tau@blog.example", "https://blog.example/author/tau"])
def test_adding_an_address_reaches_servers_without_mastodons_api(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    place["blog.example/author/tau"] = ABOUT

    @asynccontextmanager
    async def open_web(_home: Home) -> AsyncIterator[PlaybackWeb]:
        yield PlaybackWeb(place)

    monkeypatch.setattr(places, "_open_web", open_web)
    (looked,) = asyncio.run(places.look(Home.open(tmp_path), [places.Wanted(address)]))
    assert [(found.collector, found.address) for found in looked.found] == [("activitypub", ACTOR)]

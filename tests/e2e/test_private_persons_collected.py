"""A private person marked in every place of the answers of live places, then looked for in all that is kept of them."""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bad_cases
import marked_files as marked
import pytest
from test_private_handles import World, found_in, places

sys.path.append(str(Path(__file__).parents[1] / "unit" / "collect" / "collectors"))
from playback import DATA, NOW, Place, PlaybackWeb, playing, streaming

from bastau.collect.collectors.bluesky import BLUESKY
from bastau.collect.collectors.mastodon import MASTODON
from bastau.collect.collectors.reddit import REDDIT
from bastau.collect.collectors.telegram import TELEGRAM
from bastau.collect.collectors.vk import VK
from bastau.collect.collectors.youtube import YOUTUBE
from bastau.collect.visits import Visit, Watched

HANDLE, NAME, NUMBER = marked.HANDLE, marked.NAME, marked.NUMBER
WORDS, OWN = marked.SEEN_BY_OTHERS, marked.OWN_WORDS
DID, OUTLET_DID = "did:plc:" + "z" * 24, "did:plc:" + "a" * 24
BSKY = "bsky.social/xrpc/"


def _html(words: str) -> str:
    return words.replace("&#64;", "&amp;#64;")


def _telegram(place: Place) -> None:
    page = (DATA / "telegram-page.html").read_text("utf-8")
    by_link = f'<a class="tgme_widget_message_forwarded_from_name" href="https://t.me/{HANDLE}"><span>{NAME}</span></a>'
    by_name = f'<span class="tgme_widget_message_forwarded_from_name"><span>{NAME}</span></span>'
    page = page.replace(
        '<span class="tgme_widget_message_forwarded_from_name"><span dir="auto">Жасырын Адам</span></span>', by_name
    )
    page = page.replace("</section>", "".join(
        f'<div class="tgme_widget_message" data-post="tau_gazeti/{n}"><div class="tgme_widget_message_forwarded_from">{by}'
        f'<span class="tgme_widget_message_forwarded_from_author">{NAME}</span></div><span class="tgme_widget_message_from_author">{NAME}</span>'
        f'<a class="tgme_widget_message_reply" href="https://t.me/{HANDLE}/7"><span class="tgme_widget_message_author_name">{NAME}</span></a>'
        f'<div class="tgme_widget_message_text js-message_text">{n} <a href="https://t.me/{HANDLE}">{NAME}</a> <a href="tg://user?id={NUMBER}">{NAME}</a> '
        f'{_html(WORDS)}</div><a class="tgme_widget_message_date"><time datetime="2024-05-01T11:00:00+00:00"></time></a></div>'
        for n, by in ((120, by_link), (121, by_name))
    ) + "</section>")  # fmt: skip
    place["t.me/s/tau_gazeti"] = page


def _mastodon(place: Place) -> None:
    person: dict[str, Any] = {
        "id": NUMBER, "username": HANDLE, "acct": HANDLE, "display_name": NAME, "followers_count": 12, "locked": False, "note": OWN,
        "url": f"https://mastodon.example/@{HANDLE}", "avatar": f"https://mastodon.example/{HANDLE}.png", "fields": [{"name": NAME, "value": HANDLE}],
    }  # fmt: skip
    outlet = person | {
        "id": "9",
        "username": "tau",
        "acct": "tau",
        "display_name": "Tau",
        "followers_count": 9000,
        "note": "",
        "fields": [],
        "url": "https://mastodon.example/@tau",
    }
    mention = {"id": NUMBER, "username": HANDLE, "acct": HANDLE, "url": f"https://mastodon.example/@{HANDLE}"}

    def status(number: int, account: dict[str, Any], words: str, **more: Any) -> dict[str, Any]:
        uri = f"https://mastodon.example/users/{account['username']}/statuses/{number}"
        anchor = f'<a href="https://mastodon.example/@{HANDLE}" class="u-url mention">@<span>{HANDLE}</span></a>'
        return {
            "id": str(number), "uri": uri, "url": f"{account['url']}/{number}", "created_at": "2024-05-01T10:00:00Z", "account": account, "visibility": "public",
            "content": f"<p>{number} {anchor} {_html(words)}</p>", "mentions": [mention], "in_reply_to_id": "901", "in_reply_to_account_id": NUMBER,
            "card": {"url": marked.ADDRESSES[0], "author_name": NAME}, "media_attachments": [{"url": f"https://mastodon.example/@{HANDLE}/m.jpg"}],
        } | more  # fmt: skip

    own = status(901, person, OWN)
    place["mastodon.example/api/v2/instance"] = {"domain": "mastodon.example", "contact": {"account": person}}
    place["mastodon.example/api/v1/timelines/tag/kol?limit=40"] = [
        own, status(902, outlet, WORDS), status(903, outlet, "", reblog=own), status(904, person, "", reblog=status(905, outlet, WORDS)),
    ]  # fmt: skip


def _bluesky(place: Place) -> None:
    person = {
        "did": DID,
        "handle": f"{HANDLE}.bsky.social",
        "displayName": NAME,
        "avatar": f"https://cdn.bsky.app/img/avatar/plain/{DID}/a",
    }
    outlet = {"did": OUTLET_DID, "handle": "tau.example", "displayName": "Tau"}

    def post(key: str, author: dict[str, Any], words: str) -> dict[str, Any]:
        images = {
            "$type": "app.bsky.embed.images#view",
            "images": [{"fullsize": f"https://cdn.bsky.app/img/feed_fullsize/plain/{DID}/b@jpeg"}],
        }
        facet = {"features": [{"did": DID}, {"uri": f"https://bsky.app/profile/{DID}"}]}
        quoted = {"$type": "app.bsky.embed.record", "record": {"uri": f"at://{DID}/app.bsky.feed.post/3q"}}
        record = {
            "text": f"{key} @{HANDLE}.bsky.social {words}", "createdAt": "2024-05-01T10:00:00Z", "facets": [facet], "embed": quoted,
            "reply": {"parent": {"uri": f"at://{DID}/app.bsky.feed.post/3p"}},
        }  # fmt: skip
        return {
            "uri": f"at://{author['did']}/app.bsky.feed.post/{key}",
            "cid": "c",
            "author": author,
            "record": record,
            "embed": images,
            "indexedAt": "2024-05-01T10:00:00Z",
        }

    place[f"{BSKY}com.atproto.server.createSession"] = {"accessJwt": "t"}
    posts = {"posts": [post("3k1", person, OWN), post("3k2", outlet, WORDS)]}
    place[f"{BSKY}app.bsky.feed.searchPosts?q=%23kol&sort=latest&limit=100"] = posts
    profiles = {"profiles": [person | {"followersCount": 12}, outlet | {"followersCount": 9000}]}
    actors = "&".join(f"actors={quote(did)}" for did in sorted((DID, OUTLET_DID)))
    place[f"{BSKY}app.bsky.actor.getProfiles?{actors}"] = profiles
    place[f"public.api.bsky.app/xrpc/app.bsky.actor.getProfile?actor={quote(OUTLET_DID)}"] = outlet | {
        "followersCount": 9000
    }
    reason = {
        "$type": "app.bsky.feed.defs#reasonRepost",
        "by": outlet,
        "uri": f"at://{OUTLET_DID}/app.bsky.feed.repost/3r",
        "indexedAt": "2024-05-01T11:00:00Z",
    }
    feed = {"feed": [{"post": post("3k3", person, OWN), "reason": reason}, {"post": post("3k4", outlet, WORDS)}]}
    place[
        f"public.api.bsky.app/xrpc/app.bsky.feed.getAuthorFeed?actor={quote(OUTLET_DID)}&limit=100&filter=posts_with_replies"
    ] = feed


def _vk(place: Place) -> None:
    group = {"id": 70, "name": "Tau", "screen_name": "tau_gazeti", "members_count": 42_000, "is_closed": 0}
    person = {"id": int(NUMBER), "screen_name": HANDLE, "first_name": NAME.split()[0], "last_name": NAME.split()[1]}
    film = {"type": "video", "video": {"owner_id": int(NUMBER), "id": 5}}
    copied = {"id": 8, "owner_id": int(NUMBER), "from_id": int(NUMBER), "text": WORDS, "date": 1}
    base = {"owner_id": -70, "date": 1_714_557_600, "attachments": [film], "signer_id": int(NUMBER)}
    items = [
        base | {"id": 3, "from_id": -70, "text": WORDS}, base | {"id": 2, "from_id": int(NUMBER), "text": OWN},
        base | {"id": 1, "from_id": -70, "text": "", "copy_history": [copied]},
    ]  # fmt: skip
    place["api.vk.com/method/utils.resolveScreenName"] = {"response": {"type": "group", "object_id": 70}}
    place["api.vk.com/method/groups.getById"] = {"response": {"groups": [group]}}
    place["api.vk.com/method/wall.get"] = {"response": {"items": items, "profiles": [person], "groups": [group]}}


def _youtube(place: Place) -> None:
    tube = "www.googleapis.com/youtube/v3/"
    snippet = {"title": NAME, "customUrl": f"@{HANDLE}"}
    channel = {
        "id": "UC" + "a" * 22,
        "snippet": snippet,
        "statistics": {"subscriberCount": "12"},
        "contentDetails": {"relatedPlaylists": {"uploads": "UU1"}},
    }
    video = {
        "id": "v1",
        "snippet": {
            "title": f"{NAME} көл",
            "description": OWN,
            "publishedAt": "2024-05-01T10:00:00Z",
            "channelTitle": NAME,
        },
    }
    place[f"{tube}channels?part=snippet%2Cstatistics%2CcontentDetails&id={channel['id']}"] = {"items": [channel]}
    place[f"{tube}playlistItems?part=contentDetails&playlistId=UU1&maxResults=50"] = {
        "items": [{"contentDetails": {"videoId": "v1"}}]
    }
    place[f"{tube}videos?part=snippet%2Cstatistics%2Cstatus&id=v1&maxResults=50"] = {"items": [video]}


def _reddit(place: Place) -> None:
    base = {
        "created_utc": 1_714_557_600.0,
        "is_self": True,
        "author_fullname": f"t2_{NUMBER}",
        "subreddit_type": "public",
    }
    own = base | {
        "id": "1a",
        "author": marked.SHOWN,
        "title": f"{HANDLE} көл",
        "selftext": OWN.replace(f", яғни {NAME}", ""),
        "permalink": "/r/kol/comments/1a/kol/",
    }
    other = base | {
        "id": "1b",
        "author": "oqyrman",
        "title": f"/u/{HANDLE}",
        "selftext": f"u/{HANDLE} {WORDS}",
        "permalink": "/r/kol/comments/1b/kol/",
    }
    place["www.reddit.com/api/v1/access_token"] = {"access_token": "t", "expires_in": 9000}
    place["oauth.reddit.com/r/kol/new?limit=100&raw_json=1"] = {
        "data": {"children": [{"kind": "t3", "data": d} for d in (own, other)], "after": None}
    }


def _streamed() -> list[str | bytes]:
    commit = {"operation": "create", "collection": "app.bsky.feed.repost", "rkey": "3s", "record": {"createdAt": "2024-05-01T10:00:00Z", "subject": {"uri": f"at://{DID}/app.bsky.feed.post/3k1"}}}  # fmt: skip
    return [json.dumps({"did": OUTLET_DID, "time_us": 1_714_557_600_000_000, "kind": "commit", "commit": commit})]


@pytest.fixture(scope="module")
def visits() -> Iterator[dict[str, Visit]]:
    names = (
        "VK_SERVICE_TOKEN",
        "YOUTUBE_API_KEY",
        "REDDIT_CLIENT_ID",
        "REDDIT_CLIENT_SECRET",
        "BLUESKY_IDENTIFIER",
        "BLUESKY_APP_PASSWORD",
    )
    with playing() as place, pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setenv(name, "key")
        for fill in (_telegram, _mastodon, _bluesky, _vk, _youtube, _reddit):
            fill(place)
        web = PlaybackWeb(place)

        async def all_of_them() -> dict[str, Visit]:
            watched = [
                (TELEGRAM, "https://t.me/tau_gazeti"), (MASTODON, "https://mastodon.example/tags/kol"), (BLUESKY, "https://bsky.app/hashtag/kol"),
                (BLUESKY, f"https://bsky.app/profile/{OUTLET_DID}"), (VK, "https://vk.com/tau_gazeti"), (REDDIT, "https://www.reddit.com/r/kol"),
                (YOUTUBE, "https://www.youtube.com/channel/UC" + "a" * 22),
            ]  # fmt: skip
            done = {a: await c.visit(Watched(1, c.name, a), web, NOW) for c, a in watched}
            async with streaming(_streamed(), []) as port:
                state = dict(done[f"https://bsky.app/profile/{OUTLET_DID}"].state)
                listening = Watched(1, "bluesky", f"https://bsky.app/profile/{OUTLET_DID}", state)
                async for _, visit in BLUESKY.listen([listening], PlaybackWeb(place, port), NOW):
                    done["the stream"] = visit
            return done

        yield asyncio.run(all_of_them())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, visits: dict[str, Visit]) -> World:
    world = World(tmp_path_factory.mktemp("collected"))
    world.out.mkdir()
    paths = []
    for number, visit in enumerate(visits.values()):
        paths.append(world.folder / f"{number}.ndjson")
        paths[-1].write_bytes(bad_cases.lines([dict(row) for row in visit.rows]))
    world.bastau("import", *paths)
    world.bastau("run")
    world.bastau("export", "posts", "-o", world.out / "posts.ndjson")
    return world


def test_every_collector_came_across_the_person(visits: dict[str, Visit]) -> None:
    for address, visit in visits.items():
        marks = found_in(json.dumps([dict(row) for row in visit.rows], ensure_ascii=False).encode())
        assert marks or DID in str(visit.rows), address
        assert len(visit.rows) >= 1


def test_the_marks_are_nowhere_in_what_is_kept_given_out_or_said(world: World) -> None:
    assert places(world.home) == {}
    assert places(world.out) == {}
    assert {name: found for name, said in world.said.items() if (found := found_in(said.encode()))} == {}
    kept = b"".join(path.read_bytes() for path in world.home.rglob("*") if path.is_file() and path.suffix != ".parquet")
    assert DID.encode() not in kept
    assert not any(DID in str(row) for row in world.table("posts"))


def test_what_collectors_remember_and_note_names_nobody_but_what_is_watched(visits: dict[str, Visit]) -> None:
    for address, visit in visits.items():
        if "youtube" in address:
            continue  # the person's own channel, of which even the address is not named after the person
        kept = json.dumps(
            [dict(visit.state), list(visit.notes), [asdict(gap) for gap in visit.gaps]], default=str
        ).encode()
        assert not found_in(kept), address
        assert DID.encode() not in kept, address


def test_reposts_still_join_their_originals(world: World) -> None:
    rows = {str(row["post_id"]): row for row in world.table("posts")}
    pairs = [(row, rows[str(row["repost_of"])]) for row in rows.values() if row["repost_of"] in rows]
    assert {row["platform"] for row, _ in pairs} >= {"mastodon", "bluesky"}
    outlets = {str(row["source"]) for row in rows.values() if row["is_publisher"]}
    assert outlets == {"tau_gazeti", "tau@mastodon.example", "tau.example"}

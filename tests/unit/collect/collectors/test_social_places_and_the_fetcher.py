"""The collectors through the real fetcher: statuses, redirects, keys and streams as it gives them."""

import asyncio
import contextlib
import json
from typing import Any

import pytest
from playback import NOW, Place, playing, said, streaming
from test_bluesky import DID, PROFILE, event, feed, post
from test_mastodon import ACCOUNT, status

from bastau.collect.collectors.bluesky import BLUESKY
from bastau.collect.collectors.mastodon import MASTODON
from bastau.collect.collectors.vk import VK
from bastau.collect.visits import FetchFailed, Trouble, Visit, Watched
from bastau.settings import Network, Settings

pytest.importorskip("pycurl")
from bastau.collect.web.fetching import open_web

SETTINGS = Settings(network=Network(allow_private=True, per_site=8, pause_s=0.0))


async def _visit(collector: Any, watched: Watched) -> Visit:
    async with open_web(SETTINGS) as web:
        return await collector.visit(watched, web, NOW)


def _address(place: Place) -> str:
    return f"http://127.0.0.1:{place.port}"


def test_a_visit_of_bluesky_and_a_refusal_with_its_words() -> None:
    with playing() as place:
        host = f"127.0.0.1:{place.port}/xrpc/"
        watched = Watched(1, "bluesky", f"https://bsky.app/profile/{DID}", {}, {"api": _address(place)})
        place[f"{host}app.bsky.actor.getProfile?actor={DID.replace(':', '%3A')}"] = PROFILE
        place[
            f"{host}app.bsky.feed.getAuthorFeed?actor={DID.replace(':', '%3A')}&limit=100&filter=posts_with_replies"
        ] = feed(post("3k1"))
        assert len(asyncio.run(_visit(BLUESKY, watched)).rows) == 1
        place[f"{host}app.bsky.actor.getProfile?actor={DID.replace(':', '%3A')}"] = said(
            {"error": "InvalidRequest"}, 400
        )
        with pytest.raises(FetchFailed) as raised:
            asyncio.run(_visit(BLUESKY, watched))
        assert raised.value.kind is Trouble.GONE


def test_a_visit_of_mastodon_and_a_server_that_asks_to_wait() -> None:
    with playing() as place:
        host = f"127.0.0.1:{place.port}"
        watched = Watched(1, "mastodon", "https://lake.example/@tau", {}, {"api": _address(place)})
        place[f"{host}/api/v2/instance"] = {"domain": "lake.example"}
        place[f"{host}/api/v1/accounts/lookup?acct=tau"] = ACCOUNT
        place[f"{host}/api/v1/accounts/7/statuses?limit=40"] = [status(2), status(1)]
        assert [row["source"] for row in asyncio.run(_visit(MASTODON, watched)).rows] == ["tau@lake.example"] * 2
        place[f"{host}/api/v1/accounts/lookup?acct=tau"] = said({"error": "Too many requests"}, 429, Retry_After="120")
        with pytest.raises(FetchFailed) as raised:
            asyncio.run(_visit(MASTODON, watched))
        assert (raised.value.kind, raised.value.retry_after_s) == (Trouble.LIMITED, 120.0)


def test_a_key_goes_in_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VK_SERVICE_TOKEN", "s3cret")
    bodies: list[bytes] = []

    def answer(body: bytes, _: dict[str, str]) -> Any:
        bodies.append(body)
        return said({"error": {"error_code": 100}})

    with playing() as place:
        place[f"127.0.0.1:{place.port}/utils.resolveScreenName"] = answer
        with pytest.raises(FetchFailed):
            asyncio.run(_visit(VK, Watched(1, "vk", "https://vk.com/tau_gazeti", {}, {"api": _address(place)})))
    assert b"access_token=s3cret" in bodies[0]


def test_streams_of_both_kinds() -> None:
    async def listen() -> list[Visit]:
        async with streaming([event("create", "3k1")], []) as port, open_web(SETTINGS) as web:
            stream = f"ws://127.0.0.1:{port}/subscribe"
            watched = Watched(
                7, "bluesky", f"https://bsky.app/profile/{DID}", {"did": DID}, {"stream": True, "stream_at": stream}
            )
            got: list[Visit] = []
            with contextlib.suppress(FetchFailed):  # the server hangs up
                async for _, visit in BLUESKY.listen([watched], web, NOW):
                    got.append(visit)
            return got

    assert [row["post_id"] for visit in asyncio.run(listen()) for row in visit.rows] == [f"bluesky:{DID}/3k1"]

    async def events() -> list[Visit]:
        body = f"event: update\ndata: {json.dumps(status(11))}\n\n: thump\n\nevent: delete\ndata: 11\n\n"
        with playing() as place:
            host = f"127.0.0.1:{place.port}"
            place[f"{host}/api/v2/instance"] = {
                "domain": "lake.example",
                "configuration": {"urls": {"streaming": _address(place)}},
            }
            place[f"{host}/api/v1/streaming/hashtag?tag=kol"] = said(body, Content_Type="text/event-stream")
            watched = Watched(7, "mastodon", "https://lake.example/tags/kol", {}, {"api": _address(place)})
            got: list[Visit] = []
            async with open_web(SETTINGS) as web:
                with contextlib.suppress(FetchFailed):
                    async for _, visit in MASTODON.listen([watched], web, NOW):
                        got.append(visit)
            return got

    assert [(len(v.rows), [c.kind for c in v.changes]) for v in asyncio.run(events())] == [(1, []), (0, ["deleted"])]

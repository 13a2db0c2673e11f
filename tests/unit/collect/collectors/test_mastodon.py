"""Accounts, tags, timelines and streams of the fediverse; answers after docs.joinmastodon.org, as known on 2026-11-28 (little of it could be read again)."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playback import NOW, Place, PlaybackWeb, playing, said, streaming

from bastau.collect.collectors.mastodon import MASTODON, read_content
from bastau.collect.visits import FetchFailed, Trouble, Visit, Watched
from bastau.errors import ConfigError, SourceChanged

ADDRESS, TAG, LOCAL = "https://lake.example/@tau", "https://lake.example/tags/kol", "https://lake.example/public/local"
API = "lake.example/api/v1"
ACCOUNT: dict[str, Any] = {
    "id": "7", "username": "tau", "acct": "tau", "display_name": "Tau", "locked": False, "note": "<p>газет</p>", "fields": [],
    "followers_count": 9100, "url": ADDRESS, "indexable": True, "discoverable": True,
}  # fmt: skip
STRANGER = ACCOUNT | {
    "id": "8",
    "username": "biri",
    "acct": "biri@tau.example",
    "display_name": "Біреу",
    "followers_count": 12,
    "url": "https://tau.example/@biri",
}


def status(number: int, account: dict[str, Any] = ACCOUNT, **changes: Any) -> dict[str, Any]:
    host = account["url"].split("/")[2]
    return {
        "id": str(number), "uri": f"https://{host}/users/{account['username']}/statuses/{number}", "url": f"{account['url']}/{number}",
        "created_at": f"2026-11-20T10:{number % 60:02}:00.000Z", "edited_at": None, "account": account, "content": f"<p>сөз {number}</p>",
        "visibility": "public", "language": "kk", "spoiler_text": "", "reblog": None, "in_reply_to_id": None, "in_reply_to_account_id": None,
        "media_attachments": [], "mentions": [], "tags": [], "emojis": [], "card": None, "poll": None, "favourites_count": 3, "reblogs_count": 2,
        "replies_count": 1, "sensitive": False, "application": None,
    } | changes  # fmt: skip


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.delenv("MASTODON_TOKEN", raising=False)
    with playing() as place:
        place["lake.example/api/v2/instance"] = {
            "domain": "lake.example",
            "configuration": {"urls": {"streaming": "wss://stream.lake.example"}},
        }
        place[f"{API}/accounts/lookup?acct=tau"] = ACCOUNT
        place[f"{API}/accounts/7/statuses?limit=40"] = [status(2), status(1)]
        yield place


def visit(place: Place, state: dict[str, Any] | None = None, address: str = ADDRESS, **options: Any) -> Visit:
    done = asyncio.run(MASTODON.visit(Watched(1, "mastodon", address, state or {}, options), PlaybackWeb(place), NOW))
    json.dumps(done.state)
    return done


def test_a_post_has_every_field_that_the_place_tells(place: Place) -> None:
    content = (
        '<p>Көл <a href="https://tau.example/@biri" class="u-url mention">@<span>biri</span></a> <a href="https://lake.example/tags/kol" '
        'class="mention hashtag" rel="tag">#<span>kol</span></a><br>қараңыз <a href="https://tau.example/kol"><span class="invisible">https://</span>'
        "<span>tau.example/kol</span></a></p>"
    )
    mention = {"id": "8", "username": "biri", "acct": "biri@tau.example", "url": "https://tau.example/@biri"}
    poll = {"options": [{"title": "Иә"}, {"title": "Жоқ"}]}
    place[f"{API}/accounts/7/statuses?limit=40"] = [
        status(2, content=content, mentions=[mention], poll=poll, spoiler_text="су", card={"url": "https://tau.example/k2"}, in_reply_to_id="1",
               in_reply_to_account_id="7", media_attachments=[{"url": "https://lake.example/m.jpg"}])
    ]  # fmt: skip
    (row,) = visit(place).rows
    assert row == {
        "post_id": "mastodon:tau@lake.example/2", "platform": "mastodon", "source": "tau@lake.example", "source_kind": "account", "source_name": "Tau",
        "audience": 9100, "published_at": "2026-11-20T10:02:00.000Z", "url": "https://lake.example/@tau/2", "title": "су",
        "text": "Көл @biri@tau.example #kol\nқараңыз https://tau.example/kol\n- Иә\n- Жоқ", "language": "kk",
        "links": ["https://tau.example/kol", "https://tau.example/k2"], "repost_of": None, "reply_to": "mastodon:tau@lake.example/1",
        "media": [{"url": "https://lake.example/m.jpg"}], "likes": 3, "shares": 2, "replies": 1,
    }  # fmt: skip


def test_boosts_point_to_the_original_under_its_own_server(place: Place) -> None:
    original = status(55, STRANGER)
    boost = status(3, reblog=original, uri="https://lake.example/users/tau/statuses/3/activity", content="")
    place[f"{API}/accounts/7/statuses?limit=40"] = [boost]
    (row,) = visit(place).rows
    assert (row["post_id"], row["repost_of"]) == ("mastodon:tau@lake.example/3", "mastodon:biri@tau.example/55")
    assert row["text"] == "RT @biri@tau.example: сөз 55"
    assert row["audience"] == 9100


def test_an_answer_to_a_post_elsewhere_is_not_guessed(place: Place) -> None:
    place[f"{API}/accounts/7/statuses?limit=40"] = [
        status(2, in_reply_to_id="1", in_reply_to_account_id="8", mentions=[{"id": "8", "acct": "biri@tau.example"}])
    ]
    assert visit(place).rows[0]["reply_to"] is None


def test_posts_for_followers_are_left_out(place: Place) -> None:
    place[f"{API}/accounts/7/statuses?limit=40"] = [
        status(4),
        status(3, visibility="private"),
        status(2, visibility="direct"),
        status(1, visibility="unlisted"),
    ]
    seen = visit(place)
    assert [row["post_id"].rsplit("/")[-1] for row in seen.rows] == ["1", "4"]
    assert "2 posts left out" in seen.notes[0]


@pytest.mark.parametrize(
    ("wish", "word"),
    [({"locked": True}, "by hand"), ({"note": "<p>хат #<span>nobot</span></p>"}, "#nobot"), ({"fields": [{"name": "a", "value": "#NoIndex"}]}, "#nobot"), ({"suspended": True}, "suspended")],
)  # fmt: skip
def test_accounts_that_do_not_want_it_are_left_alone(place: Place, wish: dict[str, Any], word: str) -> None:
    place[f"{API}/accounts/lookup?acct=tau"] = ACCOUNT | wish
    with pytest.raises(FetchFailed, match=word) as raised:
        visit(place)
    assert raised.value.kind is Trouble.FORBIDDEN
    (found,) = asyncio.run(MASTODON.find(ADDRESS, PlaybackWeb(place), NOW))
    assert word in found.warnings[0]
    assert not found.first


def test_in_tags_the_authors_wish_not_to_be_indexed_holds(place: Place) -> None:
    no_index, no_bot = STRANGER | {"indexable": False}, STRANGER | {"note": "#nobot"}
    place[f"{API}/timelines/tag/kol?limit=40"] = [
        status(5),
        status(4, no_index),
        status(3, no_bot),
        status(2, STRANGER),
        status(1, STRANGER | {"discoverable": False}),
    ]
    seen = visit(place, address=TAG)
    assert [row["post_id"] for row in seen.rows] == ["mastodon:biri@tau.example/2", "mastodon:tau@lake.example/5"]
    assert seen.rows[0]["audience"] == 12
    assert "3 posts left out" in seen.notes[0]
    assert "biri" not in json.dumps(seen.state), "the state holds nobody's handle"


def test_pages_are_read_until_the_last_visit(place: Place) -> None:
    state = dict(visit(place).state)
    place[f"{API}/accounts/7/statuses?limit=40"] = [status(n) for n in range(90, 50, -1)]
    place[f"{API}/accounts/7/statuses?limit=40&max_id=51&since_id=2"] = [status(n) for n in range(50, 10, -1)]
    place[f"{API}/accounts/7/statuses?limit=40&max_id=11&since_id=2"] = [status(n) for n in range(10, 2, -1)]
    place[f"{API}/accounts/7/statuses?limit=40&max_id=3&since_id=2"] = []
    seen = visit(place, state)
    assert len(seen.rows) == 88
    assert seen.state["last"] == "90"
    assert not seen.more


def test_edits_deletions_and_returns_are_told(place: Place) -> None:
    place[f"{API}/accounts/7/statuses?limit=40"] = [status(n) for n in (4, 3, 2, 1)]
    state = dict(visit(place).state)
    place[f"{API}/accounts/7/statuses?limit=40"] = [status(4, edited_at="2026-11-21T00:00:00Z"), status(1)]
    place[f"{API}/statuses/2"] = status(2, visibility="unlisted")
    seen = visit(place, state)
    assert {(c.kind, c.post_id.rsplit("/")[-1]) for c in seen.changes} == {("edited", "4"), ("deleted", "3")}
    place[f"{API}/accounts/7/statuses?limit=40"] = [
        status(4, edited_at="2026-11-21T00:00:00Z"),
        status(3),
        status(2),
        status(1),
    ]
    assert [(c.kind, c.post_id.rsplit("/")[-1]) for c in visit(place, dict(seen.state)).changes] == [("back", "3")]


def test_the_servers_budget_is_kept(place: Place) -> None:
    answer = said([status(1)], X_RateLimit_Remaining="2", X_RateLimit_Reset="2026-11-28T12:04:00Z")
    place[f"{API}/accounts/7/statuses?limit=40"] = answer
    assert visit(place).next_in_s == 240


def test_a_moved_account_a_gone_one_and_a_server_that_asks_for_a_key(place: Place) -> None:
    place[f"{API}/accounts/lookup?acct=tau"] = ACCOUNT | {"moved": STRANGER}
    assert visit(place).moved_to == "https://tau.example/@biri"
    place[f"{API}/accounts/lookup?acct=tau"] = said({}, 404)
    with pytest.raises(FetchFailed) as raised:
        visit(place)
    assert raised.value.kind is Trouble.GONE
    place[f"{API}/timelines/public?limit=40&local=true"] = said(
        {"error": "This method requires an authenticated user"}, 422
    )
    with pytest.raises(FetchFailed, match="MASTODON_TOKEN_LAKE_EXAMPLE") as raised:
        visit(place, address=LOCAL)
    assert raised.value.kind is Trouble.NEEDS_KEY
    place[f"{API}/timelines/public?limit=40&local=true"] = {"statuses": []}
    with pytest.raises(SourceChanged):
        visit(place, address=LOCAL)


def test_a_token_reaches_its_own_server_only(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTODON_TOKEN_LAKE_EXAMPLE", "s3cret")
    visit(place)
    assert place.headers[-1]["authorization"] == "Bearer s3cret"
    place["sea.example/api/v2/instance"] = {"domain": "sea.example"}
    place["sea.example/api/v1/timelines/tag/kol?limit=40"] = []
    visit(place, address="https://sea.example/tags/kol")
    assert "authorization" not in place.headers[-1]
    visit(place, None, "https://sea.example/tags/kol", MASTODON_TOKEN="env:MASTODON_TOKEN_LAKE_EXAMPLE")
    assert place.headers[-1]["authorization"] == "Bearer s3cret", "the operator said so for this address"


def test_unknown_fields_are_noted(place: Place) -> None:
    place[f"{API}/accounts/7/statuses?limit=40"] = [status(1, novelty=1)]
    assert visit(place).notes == ("unmapped field status.novelty",)


def test_found_tells_title_audience_rate_and_first_posts(place: Place) -> None:
    place[f"{API}/accounts/lookup?acct=tau"] = ACCOUNT | {"indexable": False}
    (found,) = asyncio.run(MASTODON.find("@tau@lake.example", PlaybackWeb(place), NOW))
    assert (found.address, found.source, found.title, found.audience) == (ADDRESS, "tau@lake.example", "Tau", 9100)
    assert found.posts_a_day == 1440.0
    assert "indexable" in found.warnings[0]
    place[f"{API}/timelines/public?limit=40&local=true"] = [status(1)]
    (found,) = asyncio.run(MASTODON.find("lake.example", PlaybackWeb(place), NOW))
    assert found.address == LOCAL
    assert asyncio.run(MASTODON.find("https://tau.example", PlaybackWeb(place), NOW)) == []


def test_streams_bring_posts_edits_and_deletions_and_no_handle_into_the_state(place: Place) -> None:
    def event(kind: str, payload: Any) -> str:
        return json.dumps(
            {
                "stream": ["hashtag", "kol"],
                "event": kind,
                "payload": payload if isinstance(payload, str) else json.dumps(payload),
            }
        )

    messages: list[str | bytes] = [
        event("update", status(11, STRANGER)), event("update", status(12, STRANGER | {"indexable": False})), event("status.update", status(11, STRANGER, content="<p>бөлек</p>")),
        event("delete", "11"), event("delete", "99"), event("notification", {}), "torn",
    ]  # fmt: skip
    asked: list[str] = []

    async def listen() -> list[tuple[int, Visit]]:
        async with streaming(messages, asked) as port:
            watched = [Watched(3, "mastodon", TAG), Watched(4, "mastodon", ADDRESS)]
            return [item async for item in MASTODON.listen(watched, PlaybackWeb(place, port), NOW)]

    got = asyncio.run(listen())
    assert asked == ["/api/v1/streaming?stream=hashtag&tag=kol"]
    assert [row["text"] for _, v in got for row in v.rows] == ["сөз 11", "бөлек"]
    assert [(c.kind, c.post_id) for _, v in got for c in v.changes] == [
        ("edited", "mastodon:biri@tau.example/11"),
        ("deleted", "mastodon:biri@tau.example/11"),
    ]
    assert got[-1][1].notes == ("an event of the stream in another form",)
    assert all(not v.state for _, v in got)


def test_a_stream_tells_what_is_odd_once(place: Place) -> None:
    messages: list[str | bytes] = [
        json.dumps({"event": "update", "payload": json.dumps(status(n, STRANGER, novelty=1))}) for n in (11, 12, 13)
    ]

    async def listen() -> list[Visit]:
        async with streaming(messages, []) as port:
            watched = [Watched(3, "mastodon", TAG)]
            return [visit async for _, visit in MASTODON.listen(watched, PlaybackWeb(place, port), NOW)]

    assert [done.notes for done in asyncio.run(listen())] == [("unmapped field status.novelty",), (), ()]


def test_a_token_that_others_can_read_is_not_a_missing_one(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("s3cret")
    (tmp_path / "key").chmod(0o644)
    monkeypatch.setenv("MASTODON_TOKEN_LAKE_EXAMPLE_FILE", str(tmp_path / "key"))
    with pytest.raises(ConfigError, match="chmod 600"):
        visit(place)


def test_words_keep_their_paragraphs() -> None:
    assert read_content({"content": "<p>бір</p><p>екі<br>үш</p><ul><li>төрт</li></ul>"}) == (
        "бір\n\nекі\nүш\n\nтөрт",
        [],
    )


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("tau@lake.example", ADDRESS),
        ("@Tau@lake.example", ADDRESS),
        ("https://lake.example/@tau/2", ADDRESS),
        ("https://lake.example/@tau", ADDRESS),
        ("https://lake.example/users/tau", ADDRESS),
        ("https://sea.example/@tau@lake.example", ADDRESS),
        ("https://lake.example/tags/Kol", TAG),
        ("https://lake.example/public", LOCAL),
        ("https://www.youtube.com/@tau", None),
        ("https://medium.com/@tau", None),
        ("https://t.me/tau", None),
        ("biri@gmail.com", None),
        ("lake.example", None),
        ("@tau", None),
    ],
)
def test_usual_forms(address: str, known: str | None) -> None:
    assert MASTODON.recognises(address) == known

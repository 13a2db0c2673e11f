"""One post has one id, whichever way it came."""

import io

import pytest

from bastau.collect.formats.fourcat import FOURCAT_LINES, FOURCAT_TABLE
from bastau.collect.native_ids import bluesky_id, mastodon_id, reddit_id, telegram_id, vk_id
from bastau.collect.reading import Request

DID = "did:plc:" + "a" * 24


def imported(link: str, native: str) -> str:
    table = f"id,thread_id,timestamp,body,author,link\n{native},{native},2024-05-01 10:00:00,сөз,biri,{link}\n".encode()
    (batch,) = FOURCAT_TABLE.read(io.BufferedReader(io.BytesIO(table)), Request(100))
    return batch.rows.get_column("post_id")[0]


def test_bluesky_posts_of_4cat_and_of_the_live_place_are_one() -> None:
    uri = f"at://{DID}/app.bsky.feed.post/3kabc"
    assert imported("https://bsky.app/profile/tau.example/post/3kabc", uri) == bluesky_id(uri) == f"bluesky:{DID}/3kabc"


def test_reddit_posts_of_4cat_and_of_the_live_place_are_one() -> None:
    assert (
        imported("https://www.reddit.com/r/kol/comments/1abc/x/", "1abc") == reddit_id("t3_1abc") == "other:reddit-1abc"
    )
    assert imported("https://gab.com/tau/posts/1", "1abc") == "other:1abc"


def test_telegram_messages_of_4cat_and_of_the_live_place_are_one() -> None:
    line = b'{"_type": "Message", "_chat": {"username": "tau_gazeti", "broadcast": true}, "id": 101, "message": "a", "date": 1}\n'
    (batch,) = FOURCAT_LINES.read(io.BufferedReader(io.BytesIO(line)), Request(100))
    assert batch.rows.get_column("post_id")[0] == telegram_id("tau_gazeti", 101)


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("https://lake.example/users/tau/statuses/11", "11"),
        ("https://lake.example/users/tau/statuses/11/activity", "11"),
        ("https://lake.example/objects/0b1c-2d", "0b1c-2d"),
        ("https://lake.example/notes/9xyz/", "9xyz"),
    ],
)
def test_posts_of_the_fediverse_are_named_by_their_author_and_their_own_address(uri: str, number: str) -> None:
    assert mastodon_id("@tau@lake.example", uri) == f"mastodon:tau@lake.example/{number}"


def test_what_is_no_post_has_no_id() -> None:
    assert bluesky_id(f"at://{DID}/app.bsky.feed.like/3k") is None
    assert bluesky_id("https://bsky.app") is None
    assert bluesky_id(f"at://{DID}/app.bsky.feed.repost/3k") == f"bluesky:{DID}/r-3k"
    assert vk_id(-12, 5) == "vk:-12_5"

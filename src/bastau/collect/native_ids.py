"""Post ids of platforms, the same from an imported file and from the live place.

A platform's own id is kept where it is unique by itself; where it is unique under its author only, the author stands
before the ``/``, so that a private author's handle is found and replaced there (:mod:`bastau.collect.privacy`).
"""

import re

_AT_URI = re.compile(r"(?:at://)?(did:[a-z]+:[\w.:%\-]+)/([a-z][\w.\-]*)/([\w.~:\-]+)")
_FEDI_TAIL = re.compile(r"([\w\-]+)/*(?:[?#].*)?$")


def telegram_id(channel: str, number: int | str) -> str:
    """Return the id of message ``number`` of a public channel."""
    return f"telegram:{channel}/{number}"


def bluesky_id(uri: str) -> str | None:
    """Return the id for ``at://did/app.bsky.feed.post/key``; None for anything else than a post.

    A post's key is unique in its author's repository only; the repository is named by the DID, which outlives handles.
    A repost is a post of ours too, of collection ``app.bsky.feed.repost``; its key gets an ``r-`` before it.
    """
    match = _AT_URI.fullmatch(uri)
    if match is None:
        return None
    did, collection, key = match.groups()
    prefix = {"app.bsky.feed.post": "", "app.bsky.feed.repost": "r-"}.get(collection)
    return None if prefix is None else f"bluesky:{did}/{prefix}{key}"


def mastodon_id(account: str, uri: str) -> str | None:
    """Return the id of a post of the fediverse from its author (``name@host``) and its ActivityPub id.

    Numbers differ from server to server; the ActivityPub id is the same on all of them.
    """
    path = re.sub(r"/activity/*$", "", uri)
    match = _FEDI_TAIL.search(path)
    return f"mastodon:{account.lstrip('@')}/{match[1]}" if match else None


def vk_id(owner: int | str, number: int | str) -> str:
    """Return the id of a post on a wall; communities have negative owners."""
    return f"vk:{owner}_{number}"


def youtube_id(video: str) -> str:
    """Return the id of a video."""
    return f"youtube:{video}"


def reddit_id(name: str) -> str:
    """Return the id of a submission from its id36, with or without the ``t3_`` before it."""
    return f"other:reddit-{name.removeprefix('t3_')}"

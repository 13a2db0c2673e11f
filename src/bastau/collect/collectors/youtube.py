"""Videos of YouTube channels by the Data API v3: channel -> playlist of uploads -> videos, one quota unit a call.

Every account there has a channel, so a channel is an account like others: a publisher only by its audience.

Reference: developers.google.com/youtube/v3/docs, channels.list, playlistItems.list, videos.list, errors; "Quota costs".
Checked on the date in the card.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from bastau.collect.collectors.answers import MAX_RECENT, Calls, as_time, count, links_in, posts_a_day, reason_of
from bastau.collect.collectors.cards import load_card
from bastau.collect.collectors.keys import Quota, has_key, read_key
from bastau.collect.native_ids import youtube_id
from bastau.collect.visits import Change, FetchFailed, Found, Row, Trouble, Visit, Watched, Web
from bastau.errors import SourceChanged

API = "https://www.googleapis.com/youtube/v3"
KEY = "YOUTUBE_API_KEY"
PAGE = 50
MAX_PAGES = 10

_ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.|m\.)?youtube\.com/(?:@(?P<handle>[\w.\-·]{3,30})|channel/(?P<id>UC[\w\-]{22})|user/(?P<user>\w+)|c/(?P<custom>[\w\-%]+))(?:/.*)?(?:\?.*)?"
)
_QUOTA = Quota(10_000, 86_400)
_VIDEO = ("id", "snippet", "statistics", "contentDetails", "liveStreamingDetails")


class YouTube:
    """Collector of channels."""

    name = "youtube"
    card = load_card("youtube")

    def recognises(self, address: str) -> str | None:
        """Return ``https://www.youtube.com/@handle`` or ``/channel/UC...`` for the address of a channel."""
        match = _ADDRESS.fullmatch(address.strip())
        if match is None:
            return None
        if match["id"]:
            return f"https://www.youtube.com/channel/{match['id']}"
        if match["user"]:
            return f"https://www.youtube.com/user/{match['user']}"
        return f"https://www.youtube.com/@{(match['handle'] or match['custom']).lower()}"

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        """Return the channel; without a key only that it would be one."""
        known = self.recognises(address)
        if known is None:
            return []
        if not has_key(KEY):
            name, warnings = known.rsplit("/", 1)[1].lstrip("@"), (f"needs {KEY}",)
            return [Found(self.name, known, name, why="a channel's address", warnings=warnings, source_kind="account")]
        calls = Calls(web)
        channel = await _channel(calls, known, {}, now)
        if channel is None:
            return []
        uploads, _ = await _uploads(calls, channel, None, {}, now)
        rows, _ = await _videos(calls, channel, uploads[:5], {}, now)
        address = f"https://www.youtube.com/channel/{channel['id']}"
        title = channel["snippet"].get("title")
        about: dict[str, Any] = {"source_kind": "account", "audience": _audience(channel)}
        return [
            Found(self.name, address, _source(channel), title, "YouTube Data API", posts_a_day(rows), rows, **about)
        ]

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        """Return the videos uploaded since the last visit, and fresh counts of the latest.

        Raises:
            FetchFailed: no key, no such channel, or the key's quota is used up.
        """
        calls = Calls(web, frozenset(self.card.ignored))
        channel = await _channel(calls, watched.address, watched.options, now)
        if channel is None:
            raise FetchFailed(Trouble.GONE, f"{watched.address}: no such channel")
        state = dict(watched.state)
        known = [str(v) for v in state.get("recent", ())]
        back_to = as_time(watched.options.get("back_to"))
        listed: list[str] = []
        token: str | None = None
        for _ in range(MAX_PAGES):
            page, token = await _uploads(calls, channel, token, watched.options, now)
            listed += page
            is_known = bool(known) and any(video in known for video in page)
            if token is None or is_known or (not known and back_to is None):
                break
        listed = list(dict.fromkeys(listed))
        asked = listed + [v for v in known[:PAGE] if v not in listed]
        rows, there = await _videos(calls, channel, asked, watched.options, now)
        # A video taken down or made private is no longer given by its id, whatever the playlist says.
        gone = [v for v in asked if v in known and v not in there]
        changes = [Change(youtube_id(v), "deleted") for v in gone]
        state["recent"] = [v for v in dict.fromkeys([*listed, *known]) if v in there or v not in asked][:MAX_RECENT]
        return Visit(sorted(rows, key=lambda row: str(row["published_at"])), state, changes=changes, **calls.cost)


YOUTUBE = YouTube()


async def _call(
    calls: Calls, method: str, query: Mapping[str, Any], options: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    key = read_key(KEY, "youtube.com", options)
    _QUOTA.spend(key, 1, "YouTube Data API", now)
    try:
        # In a header, so that the key stands in no address.
        value, _ = await calls.json(f"{options.get('api') or API}/{method}?{urlencode(query)}", {"X-Goog-Api-Key": key})
    except FetchFailed as error:
        reasons = {
            e.get("reason") for e in (reason_of(error).get("error") or {}).get("errors") or () if isinstance(e, dict)
        }
        if reasons & {"quotaExceeded", "dailyLimitExceeded", "rateLimitExceeded"}:
            raise FetchFailed(Trouble.LIMITED, "YouTube Data API: the day's quota is used up", 3600.0) from error
        if reasons & {"keyInvalid", "badRequest", "accessNotConfigured", "ipRefererBlocked"} and error.status in (
            400,
            403,
        ):
            raise FetchFailed(Trouble.NEEDS_KEY, f"YouTube Data API: refuses {KEY}") from error
        if method == "playlistItems" and reasons & {"playlistNotFound"}:
            return {"items": []}  # a channel without videos has no such playlist
        raise
    if not isinstance(value, dict):
        raise SourceChanged(f"YouTube Data API: {method} answers in another form")
    return value


async def _channel(calls: Calls, address: str, options: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    kind, _, name = address.removeprefix("https://www.youtube.com/").rpartition("/")
    which = {"channel": {"id": name}, "user": {"forUsername": name}}.get(kind, {"forHandle": name})
    value = await _call(calls, "channels", {"part": "snippet,statistics,contentDetails", **which}, options, now)
    channels = value.get("items") or []
    return channels[0] if channels else None


async def _uploads(
    calls: Calls, channel: Mapping[str, Any], token: str | None, options: Mapping[str, Any], now: datetime
) -> tuple[list[str], str | None]:
    playlist = ((channel.get("contentDetails") or {}).get("relatedPlaylists") or {}).get("uploads")
    if not playlist:
        raise SourceChanged("YouTube Data API: a channel without a playlist of uploads")
    query = {"part": "contentDetails", "playlistId": playlist, "maxResults": PAGE} | (
        {"pageToken": token} if token else {}
    )
    value = await _call(calls, "playlistItems", query, options, now)
    return [item["contentDetails"]["videoId"] for item in value.get("items") or ()], value.get("nextPageToken")


async def _videos(
    calls: Calls, channel: Mapping[str, Any], videos: Sequence[str], options: Mapping[str, Any], now: datetime
) -> tuple[list[Row], set[str]]:
    """Return (rows of public videos, ids of all that exist)."""
    rows: list[Row] = []
    there: set[str] = set()
    for i in range(0, len(videos), PAGE):
        query = {"part": "snippet,statistics,status", "id": ",".join(videos[i : i + PAGE]), "maxResults": PAGE}
        value = await _call(calls, "videos", query, options, now)
        for video in value.get("items") or ():
            if (video.get("status") or {}).get("privacyStatus", "public") != "public":
                continue
            there.add(video["id"])
            rows.append(_row(video, channel, calls))
    return rows, there


def _row(video: Mapping[str, Any], channel: Mapping[str, Any], calls: Calls) -> Row:
    calls.unmapped(video, _VIDEO, "video")
    snippet, numbers = video["snippet"], video.get("statistics") or {}
    images = snippet.get("thumbnails") or {}
    image = next(
        (images[size]["url"] for size in ("maxres", "standard", "high", "medium", "default") if size in images), None
    )
    return {
        "post_id": youtube_id(video["id"]),
        "platform": "youtube",
        "source": _source(channel),
        "source_kind": "account",
        "source_name": snippet.get("channelTitle"),
        "audience": _audience(channel),
        "published_at": snippet["publishedAt"],
        "url": f"https://www.youtube.com/watch?v={video['id']}",
        "title": snippet.get("title"),
        "text": snippet.get("description") or None,
        "language": snippet.get("defaultAudioLanguage") or snippet.get("defaultLanguage"),
        "links": links_in(snippet.get("description")),
        "media": [{"url": image}] if image else [],
        "likes": count(numbers.get("likeCount")),
        "replies": count(numbers.get("commentCount")),
        "views": count(numbers.get("viewCount")),
    }


def _source(channel: Mapping[str, Any]) -> str:
    return str(channel["snippet"].get("customUrl") or channel["id"]).lstrip("@")


def _audience(channel: Mapping[str, Any]) -> int | None:
    numbers = channel.get("statistics") or {}
    return None if numbers.get("hiddenSubscriberCount") else count(numbers.get("subscriberCount"))

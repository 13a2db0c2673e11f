"""Captures of the Zeeschuimer browser extension: one line an item, the platform's own JSON under ``data``.

Posts whose platform marks them or their author as private are refused (SCOPE, rule 1).

Reference: digitalmethodsinitiative/zeeschuimer, js/zs-background.js (``nav_index``, ``item_id``,
``timestamp_collected`` in milliseconds, ``source_platform``, ``source_platform_url``, ``source_url``, ``user_agent``,
``data``); the fields of each platform as in ``map_item`` of digitalmethodsinitiative/4cat, datasources/*/search_*.py.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from bastau.collect.lines import objects, read_lines
from bastau.collect.reading import Batch, Head, Problem, Request, Row, raw_table, sort_out

Item = Mapping[str, Any]


class NotPublic(Exception):
    """The platform says that the post or its author is private."""


class Zeeschuimer:
    """Zeeschuimer NDJSON: x, TikTok, Instagram, Threads, Facebook, Truth Social, Gab."""

    name = "zeeschuimer"

    def accepts(self, head: Head) -> bool:
        """Say whether the first object is an envelope with ``source_platform`` and ``data``."""
        line = head.json_line
        return line is not None and "source_platform" in line and isinstance(line.get("data"), dict)

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield rows."""
        for lines in read_lines(stream, request.batch_rows):
            problems = list(lines.problems)
            rows: list[Row] = []
            for number, value in objects(lines):
                data = value.get("data") if isinstance(value, dict) else None
                if isinstance(value, Problem):
                    problems.append(value)
                elif not isinstance(data, dict):
                    problems.append(
                        Problem(number, "data", "missing_field", "the line has no captured item under data")
                    )
                else:
                    found = map_item(number, value, data)
                    sort_out(found, problems, rows)
            yield Batch(lines.data, raw_table(rows), problems)


def map_item(number: int, envelope: Item, data: Item) -> Row | Problem:
    """Return the raw row of one captured item, or why there is none."""
    site = str(envelope.get("source_platform") or "").lower()
    mapper = MAPPERS.get(site)
    if mapper is None:
        known = ", ".join(sorted(MAPPERS))
        return Problem(number, "source_platform", "unsupported_platform", f"captures are read from {known}")
    try:
        row = mapper(data)
    except NotPublic:
        return Problem(number, None, "not_public", "the platform marks the post or its author as private")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return Problem(
            number, "data", "changed_format", f"the item lacks fields that captures from {site} have; update bastau"
        )
    collected = envelope.get("timestamp_collected")
    return {**row, "collected_at": str(int(collected)) if isinstance(collected, int | float) else None, "line": number}


def dig(value: Any, *path: str | int) -> Any:
    """Return what stands at ``path`` inside nested objects and lists, or None."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and -len(value) <= step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _tweet(data: Item) -> Row:
    legacy = data["legacy"]
    tweet_id = data.get("rest_id") or legacy["id_str"]
    user = dig(data, "core", "user_results", "result") or {"legacy": data["user"]}
    # Since 2025 the name stands under core, before that under legacy.
    name = dig(user, "core", "screen_name") or dig(user, "legacy", "screen_name")
    if dig(user, "legacy", "protected") or dig(user, "privacy", "protected"):
        raise NotPublic
    when = datetime.strptime(legacy["created_at"], "%a %b %d %H:%M:%S %z %Y")
    original = dig(legacy, "retweeted_status_result", "result") or {}
    original = original.get("tweet", original)
    text = dig(data, "note_tweet", "note_tweet_results", "result", "text") or legacy["full_text"]
    if original:
        owner = dig(original, "core", "user_results", "result") or {}
        owner_name = dig(owner, "core", "screen_name") or dig(owner, "legacy", "screen_name") or ""
        text = f"RT @{owner_name}: {dig(original, 'legacy', 'full_text') or ''}"
    reposted, answered = original.get("rest_id"), legacy.get("in_reply_to_status_id_str")
    return {
        "post_id": f"x:{tweet_id}",
        "platform": "x",
        "source": name,
        "source_kind": "account",
        "source_name": dig(user, "core", "name") or dig(user, "legacy", "name"),
        "audience": dig(user, "legacy", "followers_count"),
        "published_at": when.astimezone(UTC).isoformat(),
        "url": f"https://x.com/{name}/status/{tweet_id}",
        "text": text,
        "language": None if legacy.get("lang") in ("und", "qme", "zxx", "qht", "qam", "qst") else legacy.get("lang"),
        "links": [url.get("expanded_url") for url in dig(legacy, "entities", "urls") or []],
        "repost_of": f"x:{reposted}" if reposted else None,
        "reply_to": f"x:{answered}" if answered else None,
        "media": [{"url": media.get("media_url_https")} for media in dig(legacy, "entities", "media") or []],
        "likes": legacy.get("favorite_count"),
        "shares": legacy.get("retweet_count"),
        "replies": legacy.get("reply_count"),
        "views": dig(data, "views", "count") or dig(data, "ext_views", "count"),
    }


def _tiktok(data: Item) -> Row:
    author = data["author"]
    handle = author["uniqueId"] if isinstance(author, Mapping) else author
    if dig(author, "privateAccount") or data.get("privateItem"):
        raise NotPublic
    return {
        "post_id": f"tiktok:{data['id']}",
        "platform": "tiktok",
        "source": handle,
        "source_kind": "account",
        "source_name": dig(author, "nickname") or data.get("nickname"),
        "audience": dig(data, "authorStats", "followerCount"),
        "published_at": int(data["createTime"]),
        "url": f"https://www.tiktok.com/@{handle}/video/{data['id']}",
        "text": data["desc"],
        "language": data.get("textLanguage") if data.get("textLanguage") != "un" else None,
        "media": [{"url": dig(data, "video", "cover")}] if dig(data, "video", "cover") else [],
        "likes": dig(data, "stats", "diggCount"),
        "shares": dig(data, "stats", "shareCount"),
        "replies": dig(data, "stats", "commentCount"),
        "views": dig(data, "stats", "playCount"),
    }


def _instagram(data: Item) -> Row:
    code = data.get("code") or data["shortcode"]
    user = {**(data.get("owner") or {}), **(data.get("user") or {})}
    if user.get("is_private"):
        raise NotPublic
    caption = dig(data, "caption", "text") or dig(data, "edge_media_to_caption", "edges", 0, "node", "text")
    image = dig(data, "image_versions2", "candidates", 0, "url") or data.get("display_url")
    image = image or dig(data, "carousel_media", 0, "image_versions2", "candidates", 0, "url")
    return {
        "post_id": f"instagram:{code}",
        "platform": "instagram",
        "source": user["username"],
        "source_kind": "account",
        "source_name": user.get("full_name"),
        "audience": user.get("follower_count"),
        "published_at": data.get("taken_at") or data["taken_at_timestamp"],
        "url": f"https://www.instagram.com/p/{code}",
        "text": caption,
        "media": [{"url": image}] if image else [],
        "likes": _count(data.get("like_count", dig(data, "edge_media_preview_like", "count"))),
        "replies": _count(data.get("comment_count", dig(data, "edge_media_preview_comment", "count"))),
        "views": _count(data.get("play_count")),
    }


def _threads(data: Item) -> Row:
    user, code, info = data["user"], data["code"], data.get("text_post_app_info") or {}
    if user.get("text_post_app_is_private"):
        raise NotPublic
    image = dig(data, "image_versions2", "candidates", 0, "url")
    return {
        "post_id": f"other:threads-{code}",
        "platform": "other",
        "source": user["username"],
        "source_kind": "account",
        "source_name": user.get("full_name"),
        "published_at": data["taken_at"],
        "url": f"https://www.threads.net/@{user['username']}/post/{code}",
        "text": dig(data, "caption", "text"),
        "links": [link] if (link := dig(info, "link_preview_attachment", "url")) else [],
        "media": [{"url": image}] if image else [],
        "likes": _count(data.get("like_count")),
        "shares": _count(info.get("repost_count")),
        "replies": _count(info.get("direct_reply_count")),
    }


def _facebook(data: Item) -> Row:
    story = data["comet_sections"]["content"]["story"]
    shown = dig(data, "comet_sections", "context_layout", "story", "comet_sections", "metadata") or []
    stamp = next(m["story"] for m in shown if m["__typename"] == "CometFeedStoryMinimizedTimestampStrategy")
    if "/groups/" in stamp["url"]:
        raise NotPublic  # a group's members posted to the group
    actor = story["actors"][0]
    return {
        "post_id": f"facebook:{story['post_id']}",
        "platform": "facebook",
        "source": str(actor["url"]).rstrip("/").split("/")[-1],
        "source_kind": "account",  # what a page is and what a profile, the item does not tell
        "source_name": actor.get("name"),
        "published_at": int(stamp["creation_time"]),
        "url": story["wwwURL"],
        "text": dig(story, "message", "text"),
        "media": [
            {"url": f"https://www.facebook.com/photo/?fbid={dig(a, 'target', 'id')}"}
            for a in story.get("attachments") or []
            if dig(a, "target", "__typename") == "Photo"
        ],
    }


def _mastodon_like(site: str) -> Callable[[Item], Row]:
    def status(data: Item) -> Row:
        account = data["account"]
        if account.get("locked") or data.get("visibility") in ("private", "direct"):
            raise NotPublic
        original = dig(data, "reblog", "id")
        answered = data.get("in_reply_to_id")
        return {
            "post_id": f"other:{site}-{data['id']}",
            "platform": "other",
            "source": account["username"],
            "source_kind": "account",
            "source_name": account.get("display_name"),
            "audience": account.get("followers_count"),
            "published_at": data["created_at"],
            "url": data.get("url"),
            "text": data["content"],
            "language": data.get("language"),
            "repost_of": f"other:{site}-{original}" if original else None,
            "reply_to": f"other:{site}-{answered}" if answered else None,
            "media": [{"url": media.get("url")} for media in data.get("media_attachments") or []],
            "likes": data.get("favourites_count"),
            "shares": data.get("reblogs_count"),
            "replies": data.get("replies_count"),
        }

    return status


def _count(value: Any) -> Any:
    return value if isinstance(value, int) and value >= 0 else None


MAPPERS: dict[str, Callable[[Item], Row]] = {
    "twitter.com": _tweet,
    "x.com": _tweet,
    "tiktok.com": _tiktok,
    "instagram.com": _instagram,
    "threads.net": _threads,
    "threads.com": _threads,
    "facebook.com": _facebook,
    "truthsocial.com": _mastodon_like("truthsocial"),
    "gab.com": _mastodon_like("gab"),
}
"""Mapper by ``source_platform``."""

ZEESCHUIMER = Zeeschuimer()

"""Public posts of Bluesky: accounts, tags and searches through an AppView, and what accounts publish through Jetstream.

``https://bsky.app/profile/NAME`` is an account (a handle or a DID; handles change, DIDs do not, so what is watched is
the DID), ``/hashtag/WORD`` and ``/search?q=WORDS`` are searches, for which the AppView wants an account of the operator's.

A post's time is the earlier of what its author wrote and when the AppView saw it: authors may write anything.

Reference: docs.bsky.app, app.bsky.actor.getProfile, app.bsky.actor.getProfiles, app.bsky.feed.getAuthorFeed,
app.bsky.feed.getPosts, app.bsky.feed.searchPosts, com.atproto.server.createSession, "Timestamps" (sortAt), "Labels"
(!no-unauthenticated); README of bluesky-social/jetstream (events, cursor, wantedDids). Checked on the date in the card.
"""

import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import orjson

from bastau.collect.collectors.answers import (
    MAX_CHECKS,
    Calls,
    absent,
    as_time,
    count,
    merge,
    place_of,
    posts_a_day,
    reason_of,
    with_author,
)
from bastau.collect.collectors.cards import load_card
from bastau.collect.collectors.keys import has_key, read_key
from bastau.collect.native_ids import bluesky_id
from bastau.collect.visits import Change, FetchFailed, Found, Gap, Request, Row, Trouble, Visit, Watched, Web
from bastau.errors import SourceChanged

APPVIEW = "https://public.api.bsky.app"
LOGIN = "https://bsky.social"
JETSTREAM = "wss://jetstream2.us-east.bsky.network/subscribe"
PAGE = 100
MAX_PAGES = 10
MAX_KEPT = 200
IDENTIFIER, PASSWORD = "BLUESKY_IDENTIFIER", "BLUESKY_APP_PASSWORD"  # names of variables, not their values
SESSION_S = 3600.0
"""A session is renewed after an hour; tokens live two (docs.bsky.app, "createSession")."""
REPLAY = timedelta(hours=24)
"""What Jetstream surely still has; a longer silence is a gap."""
REWIND_US = 5_000_000
"""Events of five seconds are asked for twice when a stream is taken up again: another instance's clock may differ."""
MAX_DIDS = 10_000

_HANDLE = r"(?:[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9\-]{0,61}[a-z0-9])?"
_DID = r"did:(?:plc:[a-z2-7]{24}|web:[\w.\-%:]+)"
_PROFILE = re.compile(rf"(?:https?://)?(?:www\.)?bsky\.app/profile/(?P<who>{_DID}|{_HANDLE})(?:/.*)?", re.IGNORECASE)
_BARE = re.compile(
    rf"(?:at://)?(?P<did>{_DID})(?:/.*)?|@(?P<at>{_HANDLE})|at://(?P<uri>{_HANDLE})(?:/.*)?|(?P<own>{_HANDLE})",
    re.IGNORECASE,
)
_TAG = re.compile(r"(?:https?://)?bsky\.app/hashtag/(?P<tag>[^/?#\s]+).*", re.IGNORECASE)
_SEARCH = re.compile(r"https?://(?:www\.)?bsky\.app/search\?(?P<query>[^#]*)", re.IGNORECASE)
_OWN_DOMAINS = (".bsky.social",)
_HIDDEN = frozenset({"!no-unauthenticated"})
_TAKEN_DOWN = frozenset({"!hide", "!takedown", "!suspend"})
_VIEW = ("uri", "cid", "author", "record", "embed", "replyCount", "repostCount", "likeCount", "indexedAt")
_RECORD = ("text", "createdAt", "facets", "embed", "reply")

_sessions: dict[tuple[str, str], tuple[str, float]] = {}
"""(server, identifier) -> (token, when it was given); in memory only."""


class Bluesky:
    """Collector of accounts, tags and searches."""

    name = "bluesky"
    card = load_card("bluesky")

    def recognises(self, address: str) -> str | None:
        """Return the address of an account, tag or search at bsky.app; ``@some.domain`` and ``x.bsky.social`` are accounts."""
        address = address.strip()
        profile, bare, tag = (p.fullmatch(address) for p in (_PROFILE, _BARE, _TAG))
        if profile:
            return f"https://bsky.app/profile/{profile['who'].lower()}"
        if tag:
            return f"https://bsky.app/hashtag/{tag['tag']}"
        search = _SEARCH.match(address)
        if search:
            words = parse_qs(search["query"]).get("q")
            return f"https://bsky.app/search?{urlencode({'q': words[0]})}" if words else None
        if bare:
            who = next(value for value in bare.groupdict().values() if value).lower()
            return None if bare["own"] and not who.endswith(_OWN_DOMAINS) else f"https://bsky.app/profile/{who}"
        return None

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        """Return the account under its DID, or the search."""
        known = self.recognises(address)
        if known is None:
            return []
        calls = Calls(web)
        kind, what = _kind(known)
        if kind == "search":
            warnings = [] if has_key(IDENTIFIER) else [f"searching needs {IDENTIFIER} and {PASSWORD}"]
            return [Found(self.name, known, "bsky.app", f"search: {what}", "search on Bluesky", warnings=warnings)]
        profile = await _profile(calls, APPVIEW, what)
        if profile is None:
            return []
        handle = _name_of(profile)
        about: dict[str, Any] = {"source_kind": "account", "audience": count(profile.get("followersCount"))}
        address = f"https://bsky.app/profile/{profile['did']}"
        if _labels(profile) & _HIDDEN:
            why = "the account asks to be shown to signed-in readers only (!no-unauthenticated)"
            return [Found(self.name, address, handle, None, "Bluesky", warnings=(why,), **about)]
        feed, _ = await _feed(calls, APPVIEW, profile["did"], None)
        rows = [row for item in feed if (row := _item_row(item, profile, calls))]
        title = profile.get("displayName") or handle
        return [
            Found(
                self.name,
                address,
                handle,
                title,
                "Bluesky",
                posts_a_day(rows),
                rows[:5],
                {"handle": handle, "did": profile["did"]},
                **about,
            )
        ]

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        """Return the posts and reposts since the last visit.

        Raises:
            FetchFailed: no such account, it asks to be left alone, or a search lacks the operator's keys.
        """
        calls = Calls(web, frozenset(self.card.ignored))
        kind, what = _kind(watched.address)
        state = dict(watched.state)
        if kind == "search":
            rows, more = await _search(calls, watched, what, state)
            return Visit(rows, state, more=more, **calls.cost)
        api = str(watched.options.get("api") or APPVIEW)
        profile = await _profile(calls, api, what)
        if profile is None:
            raise FetchFailed(Trouble.GONE, f"{what}: no such account, or it is switched off")
        if _labels(profile) & _HIDDEN:
            raise FetchFailed(Trouble.FORBIDDEN, f"{what}: asks to be shown to signed-in readers only")
        handle = _name_of(profile)
        if state.get("handle") not in (None, handle):
            calls.note("the account has another handle now; it is the same by its DID, and so are its posts' ids")
        rows, changes, more = await _catch_up(calls, api, profile, state, as_time(watched.options.get("back_to")))
        state |= {
            "handle": handle, "name": profile.get("displayName"), "audience": count(profile.get("followersCount")), "did": profile["did"],
        }  # fmt: skip
        return Visit(rows, state, changes=changes, more=more, **calls.cost)

    async def listen(self, watched: Sequence[Watched], web: Web, now: datetime) -> AsyncIterator[tuple[int, Visit]]:
        """Yield what the watched accounts publish, take back and change; searches have no stream.

        Accounts are listened to once a visit has told their DID.
        """
        accounts = [w for w in watched if w.state.get("did")]
        groups: dict[str, list[Watched]] = {}
        for one in accounts:
            groups.setdefault(str(one.options.get("stream_at") or JETSTREAM), []).append(one)
        parts = [
            (url, group[i : i + MAX_DIDS]) for url, group in groups.items() for i in range(0, len(group), MAX_DIDS)
        ]
        begun_at = time.monotonic()

        def clock() -> datetime:
            return now + timedelta(seconds=time.monotonic() - begun_at)

        streams = [
            partial(_listen, url, part, [dict(w.state) for w in part], web, clock, self.card.ignored)
            for url, part in parts
        ]
        async for item in merge(streams):
            yield item


BLUESKY = Bluesky()


# ---- calls -------------------------------------------------------------------------------------------------------


async def _call(
    calls: Calls, api: str, method: str, query: Sequence[tuple[str, str]], token: str | None = None
) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    value, _ = await calls.json(f"{api}/xrpc/{method}?{urlencode(query)}", headers)
    if not isinstance(value, dict):
        raise SourceChanged(f"{place_of(api)}: {method} answers in another form")
    return value


async def _profile(calls: Calls, api: str, actor: str) -> dict[str, Any] | None:
    try:
        profile = await _call(calls, api, "app.bsky.actor.getProfile", [("actor", actor)])
    except FetchFailed as error:
        # "Profile not found", AccountTakedown, AccountDeactivated come with status 400
        if error.status == 400 or error.kind is Trouble.GONE:
            return None
        raise
    if "did" not in profile:
        raise SourceChanged(f"{place_of(api)}: a profile without did")
    return profile


async def _feed(calls: Calls, api: str, did: str, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
    query = [("actor", did), ("limit", str(PAGE)), ("filter", "posts_with_replies")] + (
        [("cursor", cursor)] if cursor else []
    )
    value = await _call(calls, api, "app.bsky.feed.getAuthorFeed", query)
    feed = value.get("feed")
    if not isinstance(feed, list) or not all(isinstance(i, dict) and "post" in i for i in feed):
        raise SourceChanged(f"{place_of(api)}: a feed in another form")
    return feed, value.get("cursor")


async def _session(calls: Calls, options: Mapping[str, Any], server: str) -> str:
    identifier = read_key(IDENTIFIER, "bluesky", options)
    token, given_at = _sessions.get((server, identifier), ("", 0.0))
    if token and time.monotonic() - given_at < SESSION_S:
        return token
    body = orjson.dumps({"identifier": identifier, "password": read_key(PASSWORD, "bluesky", options)})
    url = f"{server}/xrpc/com.atproto.server.createSession"
    value, _ = await calls.json(url, {"Content-Type": "application/json"}, method="POST", body=body)
    _sessions[server, identifier] = (str(value["accessJwt"]), time.monotonic())
    return str(value["accessJwt"])


# ---- accounts ----------------------------------------------------------------------------------------------------


async def _catch_up(
    calls: Calls, api: str, profile: dict[str, Any], state: dict[str, Any], back_to: datetime | None
) -> tuple[list[Row], list[Change], bool]:
    """Return (rows, changes, more waiting) and write what was seen into ``state``."""
    did = profile["did"]
    rows: dict[str, Row] = {}
    kept = {str(k): str(v) for k, v in dict(state.get("recent", {})).items()}
    since = as_time(state.get("since"))
    items, cursor = await _feed(calls, api, did, None)
    newest, seen = list(items), list(items)
    waiting = [list(w) for w in state.get("waiting", ())]
    oldest = min((_seen_at(i) for i in items), default=None)
    reaches = (
        oldest is None
        or cursor is None
        or (since is not None and oldest <= since)
        or (since is None and back_to is None)
    )
    if not reaches:
        waiting.append([cursor, (since or back_to or datetime(1970, 1, 1, tzinfo=UTC)).isoformat()])
    left: list[list[Any]] = []
    for start, until in reversed(waiting):
        cursor, end = start, as_time(until)
        while cursor:
            if calls.n_requests >= MAX_PAGES:
                left.append([cursor, until])
                break
            items, cursor = await _feed(calls, api, did, cursor)
            seen += items
            if not items or (end is not None and min(_seen_at(i) for i in items) <= end):
                break
    for item in seen:
        row = _item_row(item, profile, calls)
        if row is not None:
            rows[row["post_id"]] = row
    own = {
        _key(i["post"]["uri"]): str(i["post"].get("cid"))
        for i in seen
        if not i.get("reason") and _owner(i["post"]["uri"]) == did
    }
    changes = [
        Change(post_id, "edited", rows.get(post_id))
        for key, cid in own.items()
        if kept.get(key, cid) != cid and (post_id := f"bluesky:{did}/{key}")
    ]
    newest_own = [key for i in newest if (key := _key(i["post"]["uri"])) in own]
    gone = await _gone(calls, api, did, list(kept), newest_own)
    changes += [Change(f"bluesky:{did}/{key}", "deleted") for key in gone]
    back = [key for key in newest_own if key in state.get("gone", ())]
    changes += [Change(f"bluesky:{did}/{key}", "back", rows.get(f"bluesky:{did}/{key}")) for key in back]
    kept = {key: cid for key, cid in {**kept, **own}.items() if key not in gone}
    state["recent"] = dict(sorted(kept.items())[-MAX_KEPT:])
    state["gone"] = sorted({*state.get("gone", ()), *gone} - set(back))[-MAX_KEPT:]
    state["waiting"] = left
    times = [*([since] if since else []), *(_seen_at(i) for i in newest)]
    state["since"] = max(times).isoformat() if times else None
    return sorted(rows.values(), key=lambda row: str(row["published_at"])), changes, bool(left)


async def _gone(calls: Calls, api: str, did: str, kept: list[str], listed: list[str]) -> list[str]:
    asked = absent(kept, listed, str)[: 5 * MAX_CHECKS]  # one request takes 25
    if not asked:
        return []
    query = [("uris", f"at://{did}/app.bsky.feed.post/{key}") for key in asked]
    there = await _call(calls, api, "app.bsky.feed.getPosts", query)
    found = {_key(post["uri"]) for post in there.get("posts", ())}
    return [key for key in asked if key not in found]


# ---- searches ----------------------------------------------------------------------------------------------------


async def _search(calls: Calls, watched: Watched, words: str, state: dict[str, Any]) -> tuple[list[Row], bool]:
    server = str(watched.options.get("login") or LOGIN)
    is_known = has_key(IDENTIFIER, watched.options)
    token = await _session(calls, watched.options, server) if is_known else None
    api = str(watched.options.get("api") or (server if token else APPVIEW))
    since = state.get("since")
    posts: list[dict[str, Any]] = []
    cursor: str | None = state.get("cursor")
    pages = 0
    while pages < MAX_PAGES:
        query = [("q", words), ("sort", "latest"), ("limit", str(PAGE))]
        query += [("since", since)] if since else []
        query += [("cursor", cursor)] if cursor else []
        try:
            value = await _call(calls, api, "app.bsky.feed.searchPosts", query, token)
        except FetchFailed as error:
            if token is None and error.status in (401, 403):
                raise FetchFailed(Trouble.NEEDS_KEY, f"searching Bluesky needs {IDENTIFIER} and {PASSWORD}") from error
            if reason_of(error).get("error") == "ExpiredToken":
                _sessions.clear()
            raise
        pages += 1
        posts += value.get("posts") or []
        cursor = value.get("cursor")
        if not cursor or not value.get("posts") or not since:
            cursor = None
            break
    shown = [p for p in posts if not (_labels(p["author"]) & _HIDDEN or _labels(p) & _TAKEN_DOWN)]
    if n_hidden := len(posts) - len(shown):
        calls.note(f"{n_hidden} posts left out: their authors ask to be shown to signed-in readers only")
    audiences = await _audiences(calls, api, token, {p["author"]["did"] for p in shown})
    rows = [_post_row(p, p["author"], audiences.get(p["author"]["did"]), calls) for p in shown]
    newest = max((t for p in posts if (t := as_time(p.get("indexedAt")))), default=None)
    if cursor is None:
        state["since"] = max(
            filter(None, (state.pop("next_since", None), newest.isoformat() if newest else None, since)), default=None
        )
        state.pop("cursor", None)
    else:
        state["cursor"] = cursor
        state["next_since"] = max(
            filter(None, (state.get("next_since"), newest.isoformat() if newest else None)), default=None
        )
    return [row for row in rows if row], cursor is not None


async def _audiences(calls: Calls, api: str, token: str | None, dids: Iterable[str]) -> dict[str, int | None]:
    """Return followers by DID; 25 a request, and of the first hundred authors only."""
    asked = sorted(dids)[:100]
    found: dict[str, int | None] = {}
    for i in range(0, len(asked), 25):
        value = await _call(
            calls, api, "app.bsky.actor.getProfiles", [("actors", did) for did in asked[i : i + 25]], token
        )
        found |= {p["did"]: count(p.get("followersCount")) for p in value.get("profiles", ())}
    return found


# ---- posts -------------------------------------------------------------------------------------------------------


def _item_row(item: Mapping[str, Any], profile: Mapping[str, Any], calls: Calls) -> Row | None:
    """Return the row of an item of the account's feed: a post of its own, or a repost."""
    post, reason = item["post"], item.get("reason") or {}
    if _labels(post) & _TAKEN_DOWN:
        return None
    audience = count(profile.get("followersCount"))
    if not str(reason.get("$type", "")).endswith("reasonRepost"):
        return _post_row(post, profile, audience, calls) if _owner(post["uri"]) == profile["did"] else None
    if _labels(post["author"]) & _HIDDEN:
        calls.note("reposts left out: the posts' authors ask to be shown to signed-in readers only")
        return None
    original = _post_row(post, post["author"], None, calls)
    if original is None:
        return None
    repost = bluesky_id(str(reason.get("uri"))) or f"bluesky:{profile['did']}/r-{_key(post['uri'])}"
    return {
        **original,
        "post_id": repost,
        "source": _name_of(profile),
        "source_name": profile.get("displayName"),
        "audience": audience,
        "published_at": reason.get("indexedAt") or original["published_at"],
        "text": f"RT @{original['source']}: {with_author(original['text'], original['source'], original['source_name'])}",
        "repost_of": original["post_id"],
        "reply_to": None,
    }


def _post_row(post: Mapping[str, Any], author: Mapping[str, Any], audience: int | None, calls: Calls) -> Row | None:
    calls.unmapped(post, _VIEW, "post")
    record = post.get("record")
    if not isinstance(record, dict):
        return None
    row = read_record(str(post["uri"]), _name_of(author), record, as_time(post.get("indexedAt")), calls)
    if row is None:
        return None
    seen = [image.get("fullsize") for image in _embeds(post.get("embed"), "images")]
    seen += _embeds(post.get("embed"), "playlist")
    return {
        **row,
        "source_name": author.get("displayName"),
        "audience": audience,
        # what follows the @ names a form, and would be taken for a handle
        "media": [{"url": address.partition("@")[0]} for address in seen if address] or row["media"],
        "likes": count(post.get("likeCount")),
        "shares": count(post.get("repostCount")),
        "replies": count(post.get("replyCount")),
    }


def read_record(uri: str, source: str, record: Mapping[str, Any], seen_at: datetime | None, calls: Calls) -> Row | None:
    """Return the row of a post or repost record, as it lies in its author's repository.

    Args:
        seen_at: when the AppView or the stream saw it.
    """
    post_id = bluesky_id(uri)
    written_at = as_time(record.get("createdAt"))
    times = [when for when in (written_at, seen_at) if when is not None]
    if post_id is None or not times:
        return None
    did, key = _owner(uri), _key(uri)
    row: Row = {
        "post_id": post_id,
        "platform": "bluesky",
        "source": source,
        "source_kind": "account",
        "published_at": min(times).isoformat(),
    }
    if "/app.bsky.feed.repost/" in uri:
        return {**row, "repost_of": bluesky_id(str((record.get("subject") or {}).get("uri")))}
    calls.unmapped(record, _RECORD, "record")
    embed = record.get("embed")
    links = [f["uri"] for facet in record.get("facets") or () for f in facet.get("features") or () if "uri" in f]
    links += [e["uri"] for e in _embeds(embed, "external") if e.get("uri")]
    links += [_page(r["uri"]) for r in _embeds(embed, "record") if str(r.get("uri", "")).startswith("at://")]
    blobs = [image.get("image") for image in _embeds(embed, "images")] + _embeds(embed, "video")
    refs = [ref for blob in blobs if isinstance(blob, dict) and (ref := (blob.get("ref") or {}).get("$link"))]
    parent = ((record.get("reply") or {}).get("parent") or {}).get("uri")
    langs = record.get("langs") or [None]
    return {
        **row,
        "url": f"https://bsky.app/profile/{source}/post/{key}",
        "text": record.get("text") or None,
        "language": langs[0],
        "links": list(dict.fromkeys(links)),
        "reply_to": bluesky_id(str(parent)) if parent else None,
        "media": [{"url": f"https://cdn.bsky.app/img/feed_fullsize/plain/{did}/{ref}"} for ref in refs],
    }


def _embeds(embed: Any, kind: str) -> list[Any]:
    """Return what an embed holds under ``kind``, also inside a quotation with pictures."""
    if not isinstance(embed, dict):
        return []
    found = embed.get(kind)
    inner = embed.get("media")
    if kind == "record" and isinstance(found, dict) and isinstance(found.get("record"), dict):
        found = found["record"]  # recordWithMedia
    items = found if isinstance(found, list) else [found] if found else []
    return items + (_embeds(inner, kind) if isinstance(inner, dict) else [])


def _page(uri: str) -> str:
    return f"https://bsky.app/profile/{_owner(uri)}/post/{_key(uri)}"


def _owner(uri: str) -> str:
    return uri.removeprefix("at://").split("/", 1)[0]


def _key(uri: str) -> str:
    return uri.rsplit("/", 1)[-1]


def _name_of(profile: Mapping[str, Any]) -> str:
    handle = str(profile.get("handle") or "")
    return handle if handle and handle != "handle.invalid" else str(profile["did"])


def _labels(subject: Mapping[str, Any]) -> set[str]:
    return {str(x.get("val")) for x in subject.get("labels") or () if isinstance(x, dict) and not x.get("neg")}


def _seen_at(item: Mapping[str, Any]) -> datetime:
    """Return the time by which the AppView orders a feed."""
    post, reason = item["post"], item.get("reason") or {}
    times = [as_time(reason.get("indexedAt"))] if "indexedAt" in reason else [
        as_time(post.get("indexedAt")), as_time((post.get("record") or {}).get("createdAt")),
    ]  # fmt: skip
    return min((t for t in times if t is not None), default=datetime(1970, 1, 1, tzinfo=UTC))


def _kind(address: str) -> tuple[str, str]:
    """Return (account or search; who, or the words)."""
    parts = urlsplit(address)
    if parts.path == "/search":
        return "search", parse_qs(parts.query)["q"][0]
    kind, _, what = parts.path.strip("/").partition("/")
    return ("search", f"#{what}") if kind == "hashtag" else ("account", what.split("/", 1)[0])


# ---- the stream --------------------------------------------------------------------------------------------------


async def _listen(
    url: str,
    watched: Sequence[Watched],
    kept: Sequence[dict[str, Any]],
    web: Web,
    clock: Callable[[], datetime],
    ignored: Sequence[str],
) -> AsyncIterator[tuple[int, Visit]]:
    """Yield what one connection brings; ``kept`` are the states of ``watched``, from which it goes on if begun again."""
    by_did = {str(w.state["did"]): w for w in watched}
    states = {str(state["did"]): state for state in kept}
    now = clock()
    cursors = [int(s["cursor"]) for s in states.values() if s.get("cursor")]
    query = [("wantedCollections", f"app.bsky.feed.{name}") for name in ("post", "repost")]
    query += [("wantedDids", did) for did in by_did]
    if cursors:
        # One connection hears all of them: what was heard of any was heard of the silent ones too.
        start = max(cursors)
        since = datetime.fromtimestamp(start / 1e6, UTC)
        if now - since > REPLAY:
            for one in watched:
                yield (
                    one.source_id,
                    Visit(gaps=(Gap(since, now - REPLAY, "stream_overran"),), n_requests=0),
                )
        query.append(("cursor", str(start - REWIND_US)))
    calls = Calls(web, frozenset(ignored))
    request = Request(f"{url}?{urlencode(query, quote_via=quote)}", max_bytes=1 << 20, timeout_s=120.0)
    async for message in web.messages(request):
        try:
            event = orjson.loads(message)
            did, at_us = str(event["did"]), int(event["time_us"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            calls.note("an event of the stream in another form")
            continue
        if did not in by_did:
            continue
        state = states[did]
        state["cursor"] = max(at_us, int(state.get("cursor") or 0))
        visit = read_event(event, state, calls)
        if visit is not None:
            yield by_did[did].source_id, visit


def read_event(event: Mapping[str, Any], state: dict[str, Any], calls: Calls) -> Visit | None:
    """Return what one event of Jetstream tells of the account that ``state`` is of; None where it tells nothing.

    The visit's state is the stream's part only: visits that ask the AppView go on beside it.
    """
    did = str(event["did"])
    cost: dict[str, Any] = {"n_requests": 0}
    kept = {"cursor": state.get("cursor")}
    if event.get("kind") == "identity":
        handle = (event.get("identity") or {}).get("handle")
        if not handle or handle == state.get("handle"):
            return None
        state["handle"] = handle
        words = "the account has another handle now; it is the same by its DID, and so are its posts' ids"
        return Visit(state=kept | {"handle": handle}, notes=(words,), **cost)
    if event.get("kind") == "account":
        account = event.get("account") or {}
        words = (
            f"the account is {account.get('status') or 'off'}"
            if account.get("active") is False
            else "the account is back"
        )
        return Visit(state=kept, notes=(words,), **cost)
    commit = event.get("commit") or {}
    uri = f"at://{did}/{commit.get('collection')}/{commit.get('rkey')}"
    post_id = bluesky_id(uri)
    if post_id is None:
        return None
    if commit.get("operation") == "delete":
        return Visit(state=kept, changes=(Change(post_id, "deleted"),), **cost)
    record = commit.get("record")
    if not isinstance(record, dict):
        return None
    seen_at = datetime.fromtimestamp(int(event["time_us"]) / 1e6, UTC)
    row = read_record(uri, str(state.get("handle") or did), record, seen_at, calls)
    if row is None:
        return None
    row |= {"source_name": state.get("name"), "audience": state.get("audience")}
    changes = (Change(post_id, "edited", row),) if commit.get("operation") == "update" else ()
    return Visit((row,), kept, changes=changes, notes=calls.told(), **cost)

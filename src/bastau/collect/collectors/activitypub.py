"""Public posts of an account by its ActivityPub outbox, for servers that do not speak Mastodon's API.

What is watched is the actor's own address. An outbox tells what the server wants to show to a stranger: some show
nothing, some only to signed requests.

Reference: W3C, ActivityPub (2018), sections 4.1 (actors), 5.1 (outbox), 5.3 (followers), 5.6 (public addressing);
Activity Streams 2.0 vocabulary; RFC 7033 (WebFinger). Checked on the date in the card.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from bastau.collect.collectors.answers import MAX_CHECKS, MAX_RECENT, Calls, as_time, count, posts_a_day
from bastau.collect.collectors.cards import load_card
from bastau.collect.collectors.mastodon import MASTODON, read_content, refusal
from bastau.collect.native_ids import mastodon_id
from bastau.collect.visits import Change, FetchFailed, Found, Gap, Row, Trouble, Visit, Watched, Web
from bastau.errors import SourceChanged

MAX_PAGES = 10
_PROFILE = re.compile(r"https?://[^/]+/(?:@|users/|author/|u/|profile/|accounts/|video-channels/|actor)", re.IGNORECASE)
"""Forms of profile addresses; other pages are not asked whether they are actors."""
_ACCEPT = {"Accept": 'application/activity+json, application/ld+json; profile="https://www.w3.org/ns/activitystreams"'}
_PUBLIC = frozenset({"https://www.w3.org/ns/activitystreams#Public", "as:Public", "Public"})
_POSTS = frozenset({"Note", "Article", "Question", "Page", "Video", "Audio", "Image", "Event"})
_STATUS_ADDRESS = re.compile(
    r"https?://(?P<host>[^/]+)/(?:users/|@|u/)(?P<name>[\w.\-]+)/(?:statuses/|posts/|p/)?(?P<tail>[\w\-]+)/?"
)
_POST = "id url attributedTo to cc published updated content contentMap summary tag attachment inReplyTo oneOf anyOf endTime closed quoteUrl"


class ActivityPub:
    """Collector of outboxes."""

    name = "activitypub"
    card = load_card("activitypub")

    def recognises(self, address: str) -> str | None:
        """Return nothing: addresses of the fediverse are tried by Mastodon's API first."""
        return None

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        """Return the account at a profile address or under a ``name@host``."""
        known = MASTODON.recognises(address) or (address if _PROFILE.match(address) else None)
        if known is None or urlsplit(known).path.startswith(("/tags/", "/public")):
            return []
        calls = Calls(web)
        try:
            actor = await _find_actor(calls, known)
            if actor is None:
                return []
            audience = await _audience(calls, actor)
            source = _source(actor)
            about: dict[str, Any] = {"source_kind": "account", "audience": audience}
            why_not = refusal(_as_account(actor), is_chosen=True)
            if why_not:
                return [Found(self.name, str(actor["id"]), source, None, "ActivityPub", warnings=(why_not,), **about)]
            items, _ = await _page(calls, str(actor["outbox"]))
        except (FetchFailed, SourceChanged):
            return []
        rows = [row for item in items if (row := _row(item, actor, audience, calls))]
        warnings = () if rows else ("the outbox shows nothing to strangers",)
        title = str(actor.get("name") or actor.get("preferredUsername"))
        return [
            Found(
                self.name,
                str(actor["id"]),
                source,
                title,
                "ActivityPub",
                posts_a_day(rows),
                rows[:5],
                {},
                warnings,
                **about,
            )
        ]

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        """Return the posts since the last visit.

        Raises:
            FetchFailed: nobody there, the account does not want it, or the server wants signed requests.
        """
        calls = Calls(web, frozenset(self.card.ignored))
        actor = await _actor(calls, watched.address)
        why_not = refusal(_as_account(actor), is_chosen=True)
        if why_not:
            raise FetchFailed(Trouble.FORBIDDEN, f"{urlsplit(watched.address).netloc}: {why_not}")
        audience = await _audience(calls, actor)
        state = dict(watched.state)
        recent = [str(uri) for uri in state.get("recent", ())]
        items: list[dict[str, Any]] = []
        page: str | None = str(actor["outbox"])
        gaps: list[Gap] = []
        n_pages = 0
        while page is not None:
            found, page = await _page(calls, page)
            items += found
            n_pages += 1
            if not recent or not found or any(_uri(item) in recent for item in found):
                break
            if n_pages >= MAX_PAGES and page is not None:
                times = [when for item in items if (when := as_time(item.get("published")))]
                since = as_time(state.get("last_at")) or min(times)
                gaps = [Gap(min(since, *times), min(times), "more_than_can_be_paged")]
                break
        rows = {row["post_id"]: row for item in items if (row := _row(item, actor, audience, calls))}
        listed = list(dict.fromkeys(uri for item in items if (uri := _uri(item))))
        # Only what is newer than the oldest listed should be there; the order of an outbox is newest first.
        newer = recent[
            : next(
                (i for i, uri in enumerate(recent) if listed and uri == listed[-1]), len(recent) if not listed else 0
            )
        ]
        gone = await _gone(calls, [uri for uri in newer if uri not in listed][:MAX_CHECKS])
        edits = {f"{_uri(i)} {o['updated']}": i for i in items if isinstance(o := i.get("object"), dict) and o.get("updated") not in (None, o.get("published"))}  # fmt: skip
        changes = [
            Change(post_id, "edited", rows.get(post_id))
            for mark, item in edits.items()
            if mark not in state.get("edited", ()) and (post_id := mastodon_id(_source(actor), _uri(item) or ""))
        ]
        changes += [Change(post_id, "deleted") for uri in gone if (post_id := mastodon_id(_source(actor), uri))]
        state |= {
            "recent": [uri for uri in dict.fromkeys([*listed, *recent]) if uri not in gone][:MAX_RECENT],
            "edited": list(dict.fromkeys([*edits, *state.get("edited", ())]))[:100],
            "last_at": max([str(row["published_at"]) for row in rows.values()] + [str(state.get("last_at") or "")])
            or None,
        }
        moved_to = actor.get("movedTo")
        in_order = sorted(rows.values(), key=lambda row: str(row["published_at"]))
        return Visit(
            in_order, state, gaps=gaps, changes=changes, moved_to=str(moved_to) if moved_to else None, **calls.cost
        )


ACTIVITYPUB = ActivityPub()


# ---- actors and outboxes -------------------------------------------------------------------------------------------


async def _get(calls: Calls, url: str) -> dict[str, Any]:
    try:
        value, _ = await calls.json(url, _ACCEPT)
    except FetchFailed as error:
        if error.status == 401:
            raise FetchFailed(Trouble.FORBIDDEN, f"{urlsplit(url).netloc}: answers signed requests only") from error
        raise
    if not isinstance(value, dict):
        raise SourceChanged(f"{urlsplit(url).netloc}: not an ActivityPub object")
    return value


async def _find_actor(calls: Calls, address: str) -> dict[str, Any] | None:
    parts = urlsplit(address)
    if parts.path.startswith("/@"):
        query = urlencode({"resource": f"acct:{parts.path[2:].strip('/')}@{parts.netloc}"})
        try:
            about, _ = await calls.json(f"{parts.scheme}://{parts.netloc}/.well-known/webfinger?{query}")
            links = about.get("links") or () if isinstance(about, dict) else ()
            itself = [
                x["href"] for x in links if x.get("rel") == "self" and "json" in str(x.get("type")) and x.get("href")
            ]
            if itself:
                return await _actor(calls, str(itself[0]))
        except (FetchFailed, SourceChanged):
            pass
    actor = await _get(calls, address)
    return actor if "outbox" in actor and "id" in actor else None


async def _actor(calls: Calls, address: str) -> dict[str, Any]:
    actor = await _get(calls, address)
    if "outbox" not in actor or "id" not in actor:
        raise SourceChanged(f"{urlsplit(address).netloc}: an actor without outbox")
    return actor


def _source(actor: Mapping[str, Any]) -> str:
    return f"{actor.get('preferredUsername')}@{urlsplit(str(actor['id'])).netloc}"


def _as_account(actor: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an actor tells its wishes, under the names of Mastodon's API."""
    return {
        "locked": actor.get("manuallyApprovesFollowers"), "suspended": actor.get("suspended"), "note": actor.get("summary"),
        "display_name": actor.get("name"), "fields": [a for a in actor.get("attachment") or () if isinstance(a, dict)],
    }  # fmt: skip


async def _audience(calls: Calls, actor: Mapping[str, Any]) -> int | None:
    try:
        followers = await _get(calls, str(actor["followers"])) if actor.get("followers") else {}
    except (FetchFailed, SourceChanged):
        return None
    return count(followers.get("totalItems"))


async def _page(calls: Calls, url: str) -> tuple[list[dict[str, Any]], str | None]:
    """Return (activities, address of the next page); a collection leads to its first page."""
    value = await _get(calls, url)
    first = value.get("first")
    if "orderedItems" not in value and first is not None:
        value = first if isinstance(first, dict) else await _get(calls, str(first))
    items = value.get("orderedItems", value.get("items", []))
    following = value.get("next")
    if not isinstance(items, list):
        raise SourceChanged(f"{urlsplit(url).netloc}: an outbox in another form")
    return [i for i in items if isinstance(i, dict)], str(following) if isinstance(following, str) and items else None


async def _gone(calls: Calls, uris: Sequence[str]) -> list[str]:
    gone = []
    for uri in uris:
        try:
            value = await _get(calls, uri)
            if value.get("type") == "Tombstone":
                gone.append(uri)
        except FetchFailed as error:
            if error.kind is Trouble.GONE or error.status in (404, 410):
                gone.append(uri)
        except SourceChanged:
            continue
    return gone


# ---- posts ---------------------------------------------------------------------------------------------------------


def _uri(item: Mapping[str, Any]) -> str | None:
    target = item.get("object")
    if item.get("type") == "Create" and isinstance(target, dict):
        return str(target.get("id") or item.get("id"))
    return str(item["id"]) if item.get("id") else None


def _row(item: Mapping[str, Any], actor: Mapping[str, Any], audience: int | None, calls: Calls) -> Row | None:
    """Return the row of an activity; None for what is no public post or repost."""
    target = item.get("object")
    post = target if isinstance(target, dict) else {}
    if not _is_public(item) and not _is_public(post):
        return None
    uri = _uri(item)
    post_id = mastodon_id(_source(actor), uri) if uri else None
    published = post.get("published") or item.get("published")
    if post_id is None or not published:
        return None
    row: Row = {
        "post_id": post_id, "platform": "mastodon", "source": _source(actor), "source_kind": "account",
        "source_name": actor.get("name") or actor.get("preferredUsername"), "audience": audience, "published_at": published,
    }  # fmt: skip
    if item.get("type") == "Announce":
        original = str(post.get("id") or target or "")
        return {
            **row,
            "published_at": item.get("published") or published,
            "url": item.get("id"),
            "repost_of": _guess(original),
            "links": [original],
        }
    if item.get("type") != "Create" or post.get("type") not in _POSTS:
        return None
    calls.unmapped(post, _POST.split(), "post")
    tags = [t for t in post.get("tag") or () if isinstance(t, dict)]
    mentions = [
        {"url": t.get("href"), "acct": str(t.get("name", "")).lstrip("@")} for t in tags if t.get("type") == "Mention"
    ]
    options = [{"title": o.get("name")} for o in post.get("oneOf") or post.get("anyOf") or () if isinstance(o, dict)]
    languages = list(post.get("contentMap") or ())
    content = post.get("content") or next(iter((post.get("contentMap") or {}).values()), "")
    text, links = read_content({"content": content, "mentions": mentions, "poll": {"options": options}})
    files = [a for a in post.get("attachment") or () if isinstance(a, dict)]
    title = post.get("name") if post.get("type") != "Note" else None
    url = post.get("url")
    return {
        **row,
        "url": url if isinstance(url, str) else uri,
        "title": title or post.get("summary") or None,
        "text": text or None,
        "language": languages[0] if len(languages) == 1 else None,
        "links": links,
        "reply_to": _guess(str(post["inReplyTo"])) if isinstance(post.get("inReplyTo"), str) else None,
        "media": [
            {"url": a.get("url") or a.get("href")} for a in files if isinstance(a.get("url") or a.get("href"), str)
        ],
        "likes": count((post.get("likes") or {}).get("totalItems")) if isinstance(post.get("likes"), dict) else None,
    }


def _is_public(value: Mapping[str, Any]) -> bool:
    to = [value.get(name) for name in ("to", "cc")]
    named = {str(x) for group in to for x in (group if isinstance(group, list) else [group]) if x}
    return bool(named & _PUBLIC)


def _guess(uri: str) -> str | None:
    """Return the id of somebody else's post from its address alone, where that names its author."""
    match = _STATUS_ADDRESS.fullmatch(uri)
    return mastodon_id(f"{match['name']}@{match['host']}", uri) if match else None

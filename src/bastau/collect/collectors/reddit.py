"""Submissions to public subreddits by Reddit's API, app-only. Authors are people: they are pseudonymised like anybody.

Reference: github.com/reddit-archive/reddit/wiki/OAuth2 (application only), reddit.com/dev/api (GET /r/subreddit/new,
/r/subreddit/about, /api/info; listings), "Reddit Data API Wiki" (rate limits). Checked on the date in the card.
"""

import base64
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from bastau.collect.collectors.answers import Calls, absent, as_time, count, links_in, posts_a_day, remember, rest_s
from bastau.collect.collectors.cards import load_card
from bastau.collect.collectors.keys import has_key, read_key
from bastau.collect.native_ids import reddit_id
from bastau.collect.visits import Answer, Change, FetchFailed, Found, Gap, Row, Trouble, Visit, Watched, Web
from bastau.errors import SourceChanged

API = "https://oauth.reddit.com"
LOGIN = "https://www.reddit.com/api/v1/access_token"
ID, SECRET = "REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET"  # names of variables, not their values
PAGE = 100
MAX_PAGES = 10
"""A listing gives no more than its newest thousand."""

_ADDRESS = re.compile(
    r"(?:(?:https?://)?(?:www\.|old\.|new\.|m\.)?reddit\.com)?/?r/(?!u_)(?P<name>[A-Za-z0-9]\w{1,20})/?(?:.*)?",
    re.IGNORECASE,
)
_USER = re.compile(r"(?<![\w/.])/?u/([\w\-]{3,20})")
"""A user in running text. It gets an @, by which the pseudonymiser knows people everywhere."""
_OPEN = ("public", "restricted", "archived")
_tokens: dict[str, tuple[str, float]] = {}
"""client id -> (token, when it ends by the monotonic clock); in memory only."""


class Reddit:
    """Collector of subreddits."""

    name = "reddit"
    card = load_card("reddit")

    def recognises(self, address: str) -> str | None:
        """Return ``https://www.reddit.com/r/name``; pages of users are never recognised."""
        match = _ADDRESS.fullmatch(address.strip())
        return f"https://www.reddit.com/r/{match['name'].lower()}" if match else None

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        """Return the subreddit; without keys only that it would be one."""
        known = self.recognises(address)
        if known is None:
            return []
        name = known.rsplit("/", 1)[1]
        if not has_key(ID) or not has_key(SECRET):
            return [
                Found(
                    self.name, known, f"r/{name}", why="a subreddit's address", warnings=(f"needs {ID} and {SECRET}",)
                )
            ]
        calls = Calls(web)
        about = await _about(calls, name, {})
        if about is None:
            return []
        if about.get("subreddit_type") not in _OPEN:  # private, or a user's own page
            return []
        children, _, _ = await _listing(calls, name, None, {})
        rows = [row for child in children if (row := _row(child))]
        warnings = ("its authors are private persons: they are pseudonymised",)
        return [
            Found(
                self.name,
                known,
                f"r/{name}",
                about.get("title"),
                "Reddit API",
                posts_a_day(rows),
                rows[:5],
                warnings=warnings,
            )
        ]

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        """Return the submissions since the last visit.

        Raises:
            FetchFailed: no keys, no such subreddit, a private one, or a user's own page.
        """
        calls = Calls(web, frozenset(self.card.ignored))
        name = watched.address.rsplit("/", 1)[1]
        if name.lower().startswith("u_"):
            raise FetchFailed(Trouble.FORBIDDEN, "reddit.com: a user's own page")
        state = dict(watched.state)
        last = state.get("last")
        children: list[dict[str, Any]] = []
        after: str | None = None
        gaps: list[Gap] = []
        for page in range(MAX_PAGES):
            found, after, answer = await _listing(calls, name, after, watched.options)
            children += found
            if not after or last is None or (found and min(_number(c) for c in found) <= int(last, 36)):
                break
            if page == MAX_PAGES - 1:
                times = [when for c in found if (when := as_time(c.get("created_utc")))]
                since = as_time(state.get("last_at")) or min(times)
                gaps = [Gap(since, max(since, min(times)), "more_than_can_be_paged")]
        rows = [row for child in children if (row := _row(child))]
        listed = [str(c["id"]) for c in children]
        gone = await _gone(calls, [str(i) for i in state.get("recent", ())], listed, watched.options)
        gone += [str(c["id"]) for c in children if _is_removed(c) and c["id"] in state.get("recent", ())]
        edits = {f"{c['id']} {c['edited']}": reddit_id(c["id"]) for c in children if c.get("edited")}
        by_id = {row["post_id"]: row for row in rows}
        changes = [
            Change(i, "edited", by_id.get(i)) for mark, i in edits.items() if mark not in state.get("edited", ())
        ]
        changes += [Change(reddit_id(i), "deleted") for i in dict.fromkeys(gone)]
        state |= {
            "last": max([*listed, last or "0"], key=lambda i: int(i, 36)),
            "last_at": max([c["created_utc"] for c in children] + [state.get("last_at") or 0]),
            "recent": [
                i
                for i in remember(state.get("recent", ()), [r["post_id"].partition("-")[2] for r in rows], _base36)
                if i not in gone
            ],
            "edited": remember(state.get("edited", ()), edits, str)[-100:],
        }
        in_order = sorted(rows, key=lambda row: float(row["published_at"]))
        return Visit(
            in_order, state, gaps=gaps, changes=changes, next_in_s=rest_s(answer, now, 2 * MAX_PAGES), **calls.cost
        )


REDDIT = Reddit()


async def _token(calls: Calls, options: Mapping[str, Any]) -> str:
    client = read_key(ID, "reddit.com", options)
    token, ends = _tokens.get(client, ("", 0.0))
    if token and time.monotonic() < ends:
        return token
    secret = read_key(SECRET, "reddit.com", options)
    login = base64.b64encode(f"{client}:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/x-www-form-urlencoded"}
    body = b"grant_type=client_credentials"
    try:
        value, _ = await calls.json(str(options.get("login") or LOGIN), headers, method="POST", body=body)
    except FetchFailed as error:
        if error.status in (400, 401, 403):
            raise FetchFailed(Trouble.NEEDS_KEY, f"reddit.com: refuses {ID} and {SECRET}") from error
        raise
    if not isinstance(value, dict) or "access_token" not in value:
        raise FetchFailed(Trouble.NEEDS_KEY, f"reddit.com: refuses {ID} and {SECRET}")
    _tokens[client] = (value["access_token"], time.monotonic() + float(value.get("expires_in") or 3600) - 60)
    return str(value["access_token"])


async def _call(calls: Calls, path: str, options: Mapping[str, Any]) -> tuple[Any, Answer]:
    headers = {"Authorization": f"Bearer {await _token(calls, options)}"}
    try:
        return await calls.json(f"{options.get('api') or API}{path}", headers)
    except FetchFailed as error:
        if error.status == 401:
            _tokens.clear()
        raise


async def _about(calls: Calls, name: str, options: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        value, _ = await _call(calls, f"/r/{name}/about?raw_json=1", options)
    except FetchFailed as error:
        if error.kind is Trouble.GONE:
            return None
        if error.status == 403:
            return {"subreddit_type": "private"}
        raise
    data = value.get("data") if isinstance(value, dict) else None
    return data if isinstance(data, dict) and "subreddit_type" in data else None


async def _listing(
    calls: Calls, name: str, after: str | None, options: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], str | None, Answer]:
    query = {"limit": PAGE, "raw_json": 1} | ({"after": after} if after else {})
    value, answer = await _call(calls, f"/r/{name}/new?{urlencode(query)}", options)
    return _children(value), value["data"].get("after"), answer


def _children(value: Any) -> list[dict[str, Any]]:
    try:
        return [child["data"] for child in value["data"]["children"] if child["kind"] == "t3"]
    except (KeyError, TypeError):
        raise SourceChanged("reddit.com: a listing in another form") from None


async def _gone(calls: Calls, recent: list[str], listed: list[str], options: Mapping[str, Any]) -> list[str]:
    asked = absent(recent, listed, _base36)[:PAGE]
    if not asked:
        return []
    value, _ = await _call(
        calls, f"/api/info?{urlencode({'id': ','.join(f't3_{i}' for i in asked), 'raw_json': 1})}", options
    )
    there = {str(child["id"]) for child in _children(value) if not _is_removed(child)}
    return [i for i in asked if i not in there]


def _is_removed(child: Mapping[str, Any]) -> bool:
    return bool(child.get("removed_by_category")) or child.get("author") in ("[deleted]", None)


def _row(child: Mapping[str, Any]) -> Row | None:
    """Return the row of a submission; None if it was taken down, or stands on a user's own page."""
    if _is_removed(child) or str(child.get("subreddit_type", "public")) not in _OPEN:
        return None
    target = str(child.get("url_overridden_by_dest") or ("" if child.get("is_self") else child.get("url") or ""))
    is_image = bool(re.match(r"https?://(?:i|v|preview)\.redd\.it/|https?://www\.reddit\.com/gallery/", target))
    title, text = (_USER.sub(r"u/@\1", str(child.get(name) or "")) or None for name in ("title", "selftext"))
    parent = child.get("crosspost_parent")
    return {
        "post_id": reddit_id(str(child["id"])),
        "platform": "other",
        "source": str(child["author"]),
        "source_kind": "account",
        "published_at": str(int(child["created_utc"])),
        "url": f"https://www.reddit.com{child.get('permalink') or ''}",
        "title": title,
        "text": text,
        "links": list(
            dict.fromkeys([*([target] if target.startswith("http") and not is_image else []), *links_in(text)])
        ),
        "repost_of": reddit_id(str(parent)) if parent else None,
        "media": [{"url": target}] if is_image else [],
        "likes": count(child.get("score")),
        "replies": count(child.get("num_comments")),
    }


def _base36(number: str) -> int:
    return int(number, 36)


def _number(child: Mapping[str, Any]) -> int:
    return int(str(child["id"]), 36)

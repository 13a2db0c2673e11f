"""Walls on VK by ``wall.get``: public communities, and accounts that are open.

What a community writes in its own name is a page's post; what people write on its wall is theirs, and they are
pseudonymised like anybody. Closed communities and profiles are left alone.

Reference: dev.vk.com, methods wall.get, wall.getById, utils.resolveScreenName, groups.getById, users.get; objects Post and Attachments;
"API errors". Checked on the date in the card.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from bastau.collect.collectors.answers import (
    MAX_CHECKS,
    Calls,
    absent,
    count,
    links_in,
    posts_a_day,
    remember,
    with_author,
)
from bastau.collect.collectors.cards import load_card
from bastau.collect.collectors.keys import Quota, has_key, read_key
from bastau.collect.native_ids import vk_id
from bastau.collect.visits import Change, FetchFailed, Found, Gap, Row, Trouble, Visit, Watched, Web
from bastau.errors import SourceChanged

API = "https://api.vk.com/method"
VERSION = "5.199"
KEY = "VK_SERVICE_TOKEN"
PAGE = 100
MAX_PAGES = 25

_ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.|m\.)?vk\.(?:com|ru)/(?P<name>wall-\d+(?:_\d+)?|[A-Za-z0-9_.]{2,64})/?(?:[?#].*)?",
    re.IGNORECASE,
)
_WALL = re.compile(r"wall(?P<owner>-?\d+)(?:_\d+)?")
_NUMBERED = re.compile(r"(?P<kind>id|club|public|event)(?P<number>\d+)")
_RESERVED = frozenset(
    re.findall(
        r"\S+",
        "about album app apps audio audios away.php blog clips dev doc docs event feed friends groups im join login market "
        "music page photo poll search share.php story topic video videos",
    )
)
_POST = re.findall(
    r"\w+",
    "id owner_id from_id date text attachments copy_history likes reposts views comments edited reply_owner_id reply_post_id copyright",
)
_TROUBLES = {
    **dict.fromkeys((5, 27, 28, 1117), Trouble.NEEDS_KEY),
    **dict.fromkeys((6, 9, 29), Trouble.LIMITED),
    **dict.fromkeys((15, 30, 203, 7), Trouble.FORBIDDEN),
    **dict.fromkeys((18, 100, 113, 125), Trouble.GONE),
}
_QUOTA = Quota(5000, 86_400)


class Vk:
    """Collector of walls."""

    name = "vk"
    card = load_card("vk")

    def recognises(self, address: str) -> str | None:
        """Return ``https://vk.com/name`` for the address of a community, an account or a post on a wall."""
        match = _ADDRESS.fullmatch(address.strip())
        if match is None:
            return None
        name = match["name"].lower()
        wall = _WALL.fullmatch(name)
        if wall:
            owner = int(wall["owner"])
            name = f"club{-owner}" if owner < 0 else f"id{owner}"
        return None if name in _RESERVED else f"https://vk.com/{name}"

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        """Return the community or account; without a token only that it would be one."""
        known = self.recognises(address)
        if known is None:
            return []
        name = known.rsplit("/", 1)[1]
        if not has_key(KEY):
            kind = "page" if re.fullmatch(r"(?:club|public|event)\d+", name) else "account"
            return [Found(self.name, known, name, why="an address of VK", warnings=(f"needs {KEY}",), source_kind=kind)]
        calls = Calls(web)
        owner = await _owner(calls, name, {}, now)
        if owner is None:
            return []
        about: dict[str, Any] = {"source_kind": owner["kind"], "audience": owner["audience"]}
        if owner["closed"]:
            why = "closed: only its members may read it"
            return [Found(self.name, known, owner["source"], None, "VK", warnings=(why,), **about)]
        value = await _call(
            calls, "wall.get", {"owner_id": owner["id"], "count": 20, "extended": 1, "fields": "screen_name"}, {}, now
        )
        rows = _rows(value, owner, calls)
        return [
            Found(
                self.name,
                known,
                owner["source"],
                owner["title"],
                "VK",
                posts_a_day(rows),
                rows[:5],
                {"owner": owner["id"]},
                **about,
            )
        ]

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        """Return the posts since the last visit.

        Raises:
            FetchFailed: no token, nobody there, closed, or a limit is reached.
        """
        calls = Calls(web, frozenset(self.card.ignored))
        owner = await _owner(calls, watched.address.rsplit("/", 1)[1], watched.options, now)
        if owner is None:
            raise FetchFailed(Trouble.GONE, f"{watched.address}: nobody of this name")
        if owner["closed"]:
            raise FetchFailed(Trouble.FORBIDDEN, f"{watched.address}: closed, only its members may read it")
        state = dict(watched.state)
        last = state.get("last")
        rows: dict[str, Row] = {}
        items: list[dict[str, Any]] = []
        gaps: list[Gap] = []
        for page in range(MAX_PAGES):
            query = {
                "owner_id": owner["id"],
                "count": PAGE,
                "offset": page * PAGE,
                "extended": 1,
                "fields": "screen_name",
            }
            value = await _call(calls, "wall.get", query, watched.options, now)
            items += value["items"]
            rows |= {row["post_id"]: row for row in _rows(value, owner, calls)}
            in_order = [i for i in value["items"] if not i.get("is_pinned")]
            if last is None or len(value["items"]) < PAGE or (in_order and in_order[-1]["id"] <= last):
                break
        else:
            since = state.get("last_at")
            oldest = datetime.fromtimestamp(min(i["date"] for i in items if not i.get("is_pinned")), UTC)
            gaps = [Gap(datetime.fromtimestamp(since, UTC) if since else oldest, oldest, "more_than_can_be_paged")]
        numbers = [i["id"] for i in items if not i.get("is_pinned")]
        gone = await _gone(calls, owner, state, numbers, watched.options, now)
        edits = {f"{i['id']} {i['edited']}": i["id"] for i in items if i.get("edited")}
        changes = [
            Change(vk_id(owner["id"], n), "edited", rows.get(vk_id(owner["id"], n)))
            for mark, n in edits.items() if mark not in state.get("edited", ())
        ]  # fmt: skip
        changes += [Change(vk_id(owner["id"], n), "deleted") for n in gone]
        state |= {
            "last": max([*numbers, last or 0]),
            "last_at": max([*(i["date"] for i in items), state.get("last_at") or 0]),
            "recent": [n for n in remember(state.get("recent", ()), numbers, int) if n not in gone],
            "edited": remember(state.get("edited", ()), edits, str)[-100:],
        }
        in_time = sorted(rows.values(), key=lambda row: int(row["published_at"]))
        return Visit(in_time, state, gaps=gaps, changes=changes, **calls.cost)


VK = Vk()


# ---- calls -------------------------------------------------------------------------------------------------------


async def _call(calls: Calls, method: str, query: Mapping[str, Any], options: Mapping[str, Any], now: datetime) -> Any:
    key = read_key(KEY, "vk.com", options)
    _QUOTA.spend(key, 1, f"vk.com {method}", now)
    # In the body, so that the token stands in no address.
    body = urlencode({**query, "v": VERSION, "access_token": key}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    value, _ = await calls.json(f"{options.get('api') or API}/{method}", headers, method="POST", body=body)
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, dict):
        code = error.get("error_code")
        retry = {6: 1.0, 9: 600.0, 29: 3600.0}.get(code or 0)
        raise FetchFailed(_TROUBLES.get(code or 0, Trouble.SERVER), f"vk.com {method} (error {code})", retry)
    if not isinstance(value, dict) or "response" not in value:
        raise SourceChanged(f"vk.com {method}: neither response nor error")
    return value["response"]


async def _owner(calls: Calls, name: str, options: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    """Return id (negative for communities), source, title, kind, audience and whether it is closed."""
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        kind, number = ("user" if numbered["kind"] == "id" else "group"), int(numbered["number"])
    else:
        value = await _call(calls, "utils.resolveScreenName", {"screen_name": name}, options, now)
        if not isinstance(value, dict) or value.get("type") not in ("user", "group", "page", "event"):
            return None
        kind, number = ("user" if value["type"] == "user" else "group"), int(value["object_id"])
    if kind == "group":
        value = await _call(
            calls, "groups.getById", {"group_id": number, "fields": "members_count,screen_name"}, options, now
        )
        groups = value.get("groups", []) if isinstance(value, dict) else value
        group = groups[0] if groups else {}
        if not group or group.get("deactivated"):
            return None
        return {
            "id": -number, "source": group.get("screen_name") or f"club{number}", "title": group.get("name"), "kind": "page",
            "audience": count(group.get("members_count")), "closed": bool(group.get("is_closed")),
        }  # fmt: skip
    users = await _call(calls, "users.get", {"user_ids": number, "fields": "followers_count,screen_name"}, options, now)
    user = users[0] if users else {}
    if not user or user.get("deactivated"):
        return None
    return {
        "id": number, "source": user.get("screen_name") or f"id{number}", "title": _full_name(user), "kind": "account",
        "audience": count(user.get("followers_count")), "closed": bool(user.get("is_closed")),
    }  # fmt: skip


async def _gone(
    calls: Calls,
    owner: Mapping[str, Any],
    state: Mapping[str, Any],
    listed: list[int],
    options: Mapping[str, Any],
    now: datetime,
) -> list[int]:
    asked = absent(state.get("recent", ()), listed, int)[: 20 * MAX_CHECKS]  # one request takes 100
    if not asked:
        return []
    value = await _call(calls, "wall.getById", {"posts": ",".join(f"{owner['id']}_{n}" for n in asked)}, options, now)
    found = value.get("items", []) if isinstance(value, dict) else value
    there = {i["id"] for i in found if not i.get("is_deleted")}
    return [n for n in asked if n not in there]


# ---- posts -------------------------------------------------------------------------------------------------------


def _rows(value: Any, owner: Mapping[str, Any], calls: Calls) -> list[Row]:
    if not isinstance(value, dict) or not isinstance(value.get("items"), list):
        raise SourceChanged("vk.com wall.get: no items")
    names = {-g["id"]: g.get("screen_name") or f"club{g['id']}" for g in value.get("groups", ())}
    names |= {p["id"]: p.get("screen_name") or f"id{p['id']}" for p in value.get("profiles", ())}
    shown = {-g["id"]: g.get("name") for g in value.get("groups", ())}
    shown |= {p["id"]: _full_name(p) for p in value.get("profiles", ())}
    return [row for item in value["items"] if (row := _row(item, owner, names, shown, calls))]


def _row(
    item: Mapping[str, Any],
    owner: Mapping[str, Any],
    names: Mapping[int, str],
    shown: Mapping[int, str | None],
    calls: Calls,
) -> Row | None:
    calls.unmapped(item, _POST, "post")
    if item.get("is_deleted") or "date" not in item:
        return None
    is_own = item.get("from_id", owner["id"]) == owner["id"]
    author = int(item.get("from_id") or owner["id"])
    original = next(iter(item.get("copy_history") or ()), None)
    words = [item.get("text") or ""]
    if original:
        owner_id = int(original.get("from_id") or original["owner_id"])
        words.append(with_author(original.get("text"), _name(owner_id, names), shown.get(owner_id)))
    attachments = [*(item.get("attachments") or ()), *((original or {}).get("attachments") or ())]
    polls = [a["poll"] for a in attachments if isinstance(a.get("poll"), dict)]
    words += [
        "\n".join([p.get("question") or "", *(f"- {x.get('text')}" for x in p.get("answers") or ())]) for p in polls
    ]
    text = "\n\n".join(w for w in words if w)
    links = [a["link"]["url"] for a in attachments if isinstance(a.get("link"), dict) and a["link"].get("url")]
    answered = item.get("reply_post_id")
    return {
        "post_id": vk_id(item["owner_id"], item["id"]),
        "platform": "vk",
        "source": owner["source"] if is_own else names.get(author) or f"{'club' if author < 0 else 'id'}{abs(author)}",
        "source_kind": owner["kind"] if is_own else "page" if author < 0 else "account",
        "source_name": owner["title"] if is_own else shown.get(author),
        "audience": owner["audience"] if is_own else None,
        "published_at": str(item["date"]),
        "url": f"https://vk.com/wall{item['owner_id']}_{item['id']}",
        "text": text or None,
        "links": list(dict.fromkeys([*links_in(text), *links])),
        "repost_of": vk_id(original["owner_id"], original["id"]) if original else None,
        "reply_to": vk_id(item.get("reply_owner_id") or item["owner_id"], answered) if answered else None,
        "forwarded_from": _name(int(original.get("from_id") or original["owner_id"]), names) if original else None,
        "media": [{"url": address} for a in attachments if (address := _media(a))],
        "likes": count((item.get("likes") or {}).get("count")),
        "shares": count((item.get("reposts") or {}).get("count")),
        "replies": count((item.get("comments") or {}).get("count")),
        "views": count((item.get("views") or {}).get("count")),
    }


def _name(number: int, names: Mapping[int, str]) -> str:
    return names.get(number) or f"{'club' if number < 0 else 'id'}{abs(number)}"


def _media(attachment: Mapping[str, Any]) -> str | None:
    kind = str(attachment.get("type"))
    item = attachment.get(kind)
    if not isinstance(item, dict):
        return None
    if kind == "photo":
        sizes = [s for s in item.get("sizes") or () if s.get("url")]
        largest = max(sizes, key=lambda s: (s.get("width") or 0) * (s.get("height") or 0), default=None)
        return largest["url"] if largest else (item.get("orig_photo") or {}).get("url")
    if kind == "video":
        return f"https://vk.com/video{item.get('owner_id')}_{item.get('id')}"
    return item.get("url") if kind == "doc" else None


def _full_name(user: Mapping[str, Any]) -> str | None:
    return " ".join(str(user[k]) for k in ("first_name", "last_name") if user.get(k)) or None

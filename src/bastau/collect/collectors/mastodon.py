"""Public posts of the fediverse through Mastodon's client API: accounts, tags and the local timeline of a server.

``https://host/@name`` is an account, ``https://host/tags/word`` a tag as that server knows it, and
``https://host/public/local`` all public posts of its own members. Tags and timelines can be listened to as well.

Who does not want it is left out: an account that is locked, one that writes #nobot, #noindex or #noarchive about
itself, and in tags and timelines, whose authors nobody chose, one that says no to ``indexable`` or ``discoverable``.

Reference: docs.joinmastodon.org, methods/accounts, methods/timelines, methods/streaming, entities/Status,
entities/Account, api/rate-limits. Checked on the date in the card.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson
from resiliparse.parse.html import HTMLTree

from bastau.collect.collectors.answers import (
    MAX_CHECKS,
    Calls,
    absent,
    as_time,
    count,
    merge,
    posts_a_day,
    remember,
    rest_s,
    with_author,
)
from bastau.collect.collectors.cards import load_card
from bastau.collect.collectors.keys import NoKey, read_key
from bastau.collect.handles import HOSTS
from bastau.collect.native_ids import mastodon_id
from bastau.collect.visits import (
    Answer,
    Change,
    FetchFailed,
    Found,
    Request,
    Row,
    Trouble,
    Visit,
    Watched,
    Web,
)
from bastau.errors import SourceChanged

PAGE = 40
"""Posts a page: the most that Mastodon gives."""
MAX_PAGES = 20
KEY = "MASTODON_TOKEN"
MAX_LISTED = 20_000
"""Posts of a stream whose numbers are kept in memory, so that a deletion can be told."""

_HOST = r"(?P<host>[a-z0-9\-]+(?:\.[a-z0-9\-]+)+(?::\d+)?)"
_ACCOUNT = re.compile(rf"(?:acct:|@)?(?P<name>[a-z0-9_]+(?:[a-z0-9_.\-]*[a-z0-9_])?)@{_HOST}", re.IGNORECASE)
_PROFILE = re.compile(
    rf"https?://{_HOST}/(?:@|users/)(?P<name>[a-z0-9_.\-]+)(?:@(?P<home>[a-z0-9.\-]+\.[a-z0-9\-]+))?(?:/[0-9A-Za-z]+)?/?(?:[?#].*)?",
    re.IGNORECASE,
)
_TIMELINE = re.compile(rf"https?://{_HOST}/(?P<what>public(?:/local)?|tags/(?P<tag>\w+))/?", re.IGNORECASE)
_SERVER = re.compile(rf"(?:https?://)?{_HOST}/?", re.IGNORECASE)
_OTHER_HOSTS = frozenset(HOSTS) | {"medium.com", "youtube.com", "substack.com", "t.me", "twitch.tv", "kick.com"}
_MAIL_HOSTS = frozenset(
    re.findall(
        r"\S+", "gmail.com mail.ru yandex.ru yandex.kz outlook.com hotmail.com icloud.com bk.ru inbox.ru list.ru"
    )
)
_NO_BOT = re.compile(r"#(?:<span>)?(?:nobots?|noindex|noarchive|noscrape|noscraping)\b", re.IGNORECASE)
_PUBLIC = ("public", "unlisted")
_STATUS = re.findall(
    r"\w+",
    "id uri url created_at edited_at account content visibility language spoiler_text reblog in_reply_to_id "
    "in_reply_to_account_id media_attachments mentions card poll favourites_count reblogs_count replies_count quote",
)


class Mastodon:
    """Collector of accounts, tags and local timelines."""

    name = "mastodon"
    card = load_card("mastodon")

    def recognises(self, address: str) -> str | None:
        """Return the address of an account, tag or local timeline; ``name@host`` is an account."""
        address = address.strip()
        profile, account, timeline = (p.fullmatch(address) for p in (_PROFILE, _ACCOUNT, _TIMELINE))
        if profile and not _is_other(profile["host"]):
            return f"https://{(profile['home'] or profile['host']).lower()}/@{profile['name'].lower()}"
        if account and not _is_other(account["host"]) and account["host"].lower() not in _MAIL_HOSTS:
            return f"https://{account['host'].lower()}/@{account['name'].lower()}"
        if timeline and not _is_other(timeline["host"]):
            what = f"tags/{timeline['tag'].lower()}" if timeline["tag"] else "public/local"
            return f"https://{timeline['host'].lower()}/{what}"
        return None

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        """Return the account or timeline; for the bare address of a server its local timeline."""
        known = self.recognises(address)
        calls = Calls(web)
        if known is None:
            return await self._find_server(address, calls)
        server = await _server(calls, known, {}, {})
        if server is None:
            return []
        kind, what = _kind(known)
        if kind != "account":
            rows, left_out, _ = await _timeline(calls, server, kind, what, {"limit": PAGE})
            title = f"{'#' + what if kind == 'tag' else 'local timeline'} on {server.domain}"
            warnings = [f"{left_out} of the first posts are by authors who ask not to be indexed"] if left_out else []
            return [
                Found(
                    self.name,
                    known,
                    server.domain,
                    title,
                    "Mastodon API",
                    posts_a_day(rows),
                    rows[:5],
                    warnings=warnings,
                )
            ]
        account = await _account(calls, server, what)
        if account is None:
            return []
        why_not = refusal(account, is_chosen=True)
        source = server.acct(account)
        audience = count(account.get("followers_count"))
        about: dict[str, Any] = {"source_kind": "account", "audience": audience}
        if why_not:
            return [Found(self.name, known, source, None, "Mastodon API", warnings=(why_not,), **about)]
        rows, _, _ = await _timeline(calls, server, "account", str(account["id"]), {"limit": PAGE})
        warnings = [f"says no to `{field}`" for field in ("indexable", "discoverable") if account.get(field) is False]
        if account.get("moved"):
            warnings.append("has moved to another account")
        title = str(account.get("display_name") or account.get("username"))
        state = {"id": str(account["id"])}
        return [
            Found(
                self.name, known, source, title, "Mastodon API", posts_a_day(rows), rows[:5], state, warnings, **about
            )
        ]

    async def _find_server(self, address: str, calls: Calls) -> list[Found]:
        server_address = _SERVER.fullmatch(address.strip())
        if server_address is None or _is_other(server_address["host"]):
            return []
        known = f"https://{server_address['host'].lower()}/public/local"
        try:
            server = await _server(calls, known, {}, {})
            rows, _, _ = await _timeline(calls, server, "local", "", {"limit": PAGE}) if server else ([], 0, None)
        except (FetchFailed, SourceChanged):
            return []
        if server is None:
            return []
        title = f"local timeline on {server.domain}"
        return [Found(self.name, known, server.domain, title, "Mastodon API", posts_a_day(rows), rows[:5])]

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        """Return the posts since the last visit.

        Raises:
            FetchFailed: the account is gone or does not want to be read, or the server asks for a key.
        """
        calls = Calls(web, frozenset(self.card.ignored))
        kind, what = _kind(watched.address)
        state = dict(watched.state)
        server = await _server(calls, watched.address, watched.options, state)
        if server is None:
            raise FetchFailed(Trouble.GONE, f"{urlsplit(watched.address).netloc}: no Mastodon API")
        moved_to = None
        if kind == "account":
            account = await _account(calls, server, what)
            why_not = refusal(account, is_chosen=True) if account else None
            if account is None or why_not:
                raise FetchFailed(
                    Trouble.FORBIDDEN if why_not else Trouble.GONE, f"{server.domain}: {why_not or 'no such account'}"
                )
            what = str(account["id"])
            if isinstance(account.get("moved"), dict):
                moved_to = self.recognises(account["moved"].get("url") or "")
        try:
            rows, changes, progress, answer = await _catch_up(calls, server, kind, what, state, watched.options)
        except FetchFailed as error:
            if error.status in (401, 422) and server.token is None:
                raise FetchFailed(
                    Trouble.NEEDS_KEY,
                    f"{server.domain}: shows it to members only; set {key_name(urlsplit(watched.address).netloc)}",
                ) from error
            raise
        state |= progress
        more = bool(state.get("waiting"))
        return Visit(
            list(rows.values()),
            state,
            changes=changes,
            moved_to=moved_to,
            more=more,
            next_in_s=rest_s(answer, now, 2 * MAX_PAGES),
            **calls.cost,
        )

    async def listen(self, watched: Sequence[Watched], web: Web, now: datetime) -> AsyncIterator[tuple[int, Visit]]:
        """Yield posts of tags and local timelines as they are published; accounts have no stream of their own."""
        streams = [partial(self._listen_one, w, web) for w in watched if _kind(w.address)[0] != "account"]
        async for item in merge(streams):
            yield item

    async def _listen_one(self, watched: Watched, web: Web) -> AsyncIterator[tuple[int, Visit]]:
        calls = Calls(web, frozenset(self.card.ignored))
        kind, what = _kind(watched.address)
        server = await _server(calls, watched.address, watched.options, {})
        if server is None:
            raise FetchFailed(Trouble.GONE, f"{urlsplit(watched.address).netloc}: no Mastodon API")
        url = f"{server.streaming}/api/v1/streaming"
        if url.startswith("ws"):
            stream = {"stream": "hashtag", "tag": what} if kind == "tag" else {"stream": "public:local"}
            url += f"?{urlencode(stream)}"
        else:
            url += f"/hashtag?{urlencode({'tag': what})}" if kind == "tag" else "/public/local"
        listed: dict[str, str] = {}
        async for message in web.messages(Request(url, headers=server.headers, max_bytes=1 << 20, timeout_s=90.0)):
            visit = _event(message, server, calls, listed)
            if visit is not None:
                yield watched.source_id, visit


MASTODON = Mastodon()


# ---- servers and accounts ------------------------------------------------------------------------------------------


class _Server:
    """Where a server answers, what it calls itself, and the operator's token there."""

    def __init__(self, base: str, domain: str, streaming: str | None, token: str | None) -> None:
        self.base = base
        self.domain = domain
        self.streaming = (streaming or base.replace("http", "ws", 1)).rstrip("/")
        self.token = token

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def acct(self, account: Mapping[str, Any]) -> str:
        """Return ``name@domain``, with the server's own name for its members."""
        acct = str(account["acct"])
        return acct if "@" in acct else f"{acct}@{self.domain}"


async def _server(calls: Calls, address: str, options: Mapping[str, Any], state: dict[str, Any]) -> _Server | None:
    """Return the server of an address; what it told about itself is kept in ``state`` for later visits."""
    base = str(options.get("api") or state.get("api") or f"https://{urlsplit(address).netloc}")
    token = _token(urlsplit(address).netloc, base, options)
    if "domain" not in state:
        about: Any = None
        for path in ("/api/v2/instance", "/api/v1/instance"):
            try:
                about, _ = await calls.json(base + path)
                break
            except FetchFailed as error:
                if error.status is None and error.kind not in (Trouble.GONE, Trouble.FORBIDDEN):
                    raise
            except SourceChanged:
                continue
        if not isinstance(about, dict) or not ({"domain", "uri"} & about.keys()):
            return None
        domain = str(about.get("domain") or about.get("uri"))
        state["domain"] = urlsplit(domain).netloc or domain.strip("/") if "//" in domain else domain
        urls = about.get("urls") or (about.get("configuration") or {}).get("urls") or {}
        state["streaming"] = urls.get("streaming") or urls.get("streaming_api")
    return _Server(base, state["domain"], state.get("streaming"), token)


def _token(host: str, base: str, options: Mapping[str, Any]) -> str | None:
    """Return the operator's token for one server; a token must never reach another server than its own."""
    if options.get(KEY):
        return read_key(KEY, base, options)
    try:
        return read_key(key_name(host), base)
    except NoKey:
        return None


def key_name(host: str) -> str:
    """Return the variable that holds the token for a server: ``MASTODON_TOKEN_LAKE_EXAMPLE`` for ``lake.example``."""
    return f"{KEY}_{re.sub(r'[^A-Z0-9]', '_', host.upper())}"


async def _account(calls: Calls, server: _Server, name: str) -> dict[str, Any] | None:
    try:
        account, _ = await calls.json(
            f"{server.base}/api/v1/accounts/lookup?{urlencode({'acct': name})}", server.headers
        )
    except FetchFailed as error:
        if error.kind is Trouble.GONE or error.status in (404, 410):
            return None
        raise
    if not isinstance(account, dict) or "id" not in account:
        raise SourceChanged(f"{server.domain}: an account without id")
    return account


def refusal(account: Mapping[str, Any], *, is_chosen: bool) -> str | None:
    """Return why an account is not read; None if it is.

    Args:
        is_chosen: the operator named the account, and does not come across it in a tag or timeline.
    """
    if account.get("suspended") is True:
        return "the account is suspended"
    if account.get("locked") is True:
        return "the account lets in followers by hand; it is left alone"
    about = [str(account.get("note") or ""), str(account.get("display_name") or "")]
    about += [
        str(f.get(k) or "") for f in account.get("fields") or () if isinstance(f, dict) for k in ("name", "value")
    ]
    if any(_NO_BOT.search(text) for text in about):
        return "the account asks programs to stay away (#nobot)"
    if is_chosen:
        return None
    asks = account.get("indexable") is False or account.get("noindex") is True or account.get("discoverable") is False
    return "the author asks not to be indexed" if asks else None


# ---- timelines ---------------------------------------------------------------------------------------------------


async def _timeline(
    calls: Calls, server: _Server, kind: str, what: str, query: Mapping[str, Any]
) -> tuple[list[Row], int, tuple[list[dict[str, Any]], Answer]]:
    """Return (rows, how many were left out at their authors' wish, (statuses, answer))."""
    paths = {"account": f"accounts/{what}/statuses", "tag": f"timelines/tag/{quote(what)}", "local": "timelines/public"}
    asked = {**query, **({"local": "true"} if kind == "local" else {})}
    statuses, answer = await calls.json(f"{server.base}/api/v1/{paths[kind]}?{urlencode(asked)}", server.headers)
    if not isinstance(statuses, list) or not all(
        isinstance(s, dict) and "id" in s and "account" in s for s in statuses
    ):
        raise SourceChanged(f"{server.domain}: a timeline in another form")
    rows, left_out = [], 0
    uris = {str(s["id"]): _post_id(server, s) for s in statuses}
    for status in statuses:
        row = _row(server, status, uris, calls) if _may_read(status, is_chosen=kind == "account") else None
        left_out += row is None
        if row is not None:
            rows.append(row)
    return rows, left_out, (statuses, answer)


async def _catch_up(
    calls: Calls, server: _Server, kind: str, what: str, state: dict[str, Any], options: Mapping[str, Any]
) -> tuple[dict[str, Row], list[Change], dict[str, Any], Answer]:
    """Return (rows by post id, changes, new state, last answer): the newest page, then what lies before it."""
    rows: dict[str, Row] = {}
    is_account = kind == "account"
    left_out = 0
    found, out, (statuses, answer) = await _timeline(calls, server, kind, what, {"limit": PAGE})
    newest = [str(s["id"]) for s in statuses]
    seen = list(statuses)
    rows |= {row["post_id"]: row for row in found}
    left_out += out
    back_to = as_time(options.get("back_to"))
    ranges = [list(r) for r in state.get("waiting", ())]
    last = state.get("last")
    if newest and ((last and _order(min(newest, key=_order)) > _order(last)) or (not last and back_to)):
        ranges.append([min(newest, key=_order), last or ""])
    waiting: list[list[str]] = []
    pages = 1
    for start, end in sorted(ranges, key=lambda r: _order(r[0]), reverse=True):
        before: str | None = start
        while before is not None:
            if pages >= MAX_PAGES:
                waiting.append([before, end])
                break
            pages += 1
            query = {"limit": PAGE, "max_id": before} | ({"since_id": end} if end else {})
            found, out, (statuses, answer) = await _timeline(calls, server, kind, what, query)
            seen += statuses
            rows |= {row["post_id"]: row for row in found}
            left_out += out
            times = [when for s in statuses if (when := as_time(s.get("created_at")))]
            is_past = not end and back_to is not None and bool(times) and min(times) < back_to
            before = min((str(s["id"]) for s in statuses), key=_order) if statuses and not is_past else None
    if left_out:
        calls.note(f"{left_out} posts left out: not public, or their authors ask not to be indexed")
    known_edits = set(state.get("edited", ()))
    edits = {
        f"{s['id']} {s['edited_at']}": row
        for s in seen
        if s.get("edited_at") and (row := rows.get(_post_id(server, s) or ""))
    }
    changes = [Change(row["post_id"], "edited", row) for mark, row in edits.items() if mark not in known_edits]
    ids = [str(s["id"]) for s in seen]
    progress: dict[str, Any] = {
        "last": max([*([last] if last else []), *ids], key=_order, default=None),
        "waiting": waiting,
        "edited": remember(list(known_edits), edits, str)[-100:],
    }
    if is_account:  # in tags and timelines a number must not be kept with its author
        gone = await _gone(calls, server, [str(i) for i in state.get("recent", ())], newest)
        acct = {str(s["id"]): _post_id(server, s) for s in seen}
        owner = next((server.acct(s["account"]) for s in seen), None)
        changes += [Change(post_id, "deleted") for i in gone if owner and (post_id := mastodon_id(owner, f"/{i}"))]
        back = [i for i in newest if i in set(state.get("gone", ()))]
        changes += [Change(post_id, "back", rows.get(post_id)) for i in back if (post_id := acct.get(i))]
        progress["recent"] = remember([i for i in state.get("recent", ()) if i not in gone], ids, _order)
        progress["gone"] = [i for i in remember(state.get("gone", ()), gone, _order) if i not in back]
    in_order = dict(sorted(rows.items(), key=lambda item: str(item[1]["published_at"])))
    return in_order, changes, progress, answer


async def _gone(calls: Calls, server: _Server, recent: list[str], newest: list[str]) -> list[str]:
    gone = []
    for number in absent(recent, newest, _order)[:MAX_CHECKS]:
        try:
            await calls.json(f"{server.base}/api/v1/statuses/{number}", server.headers)
        except FetchFailed as error:
            if error.kind is Trouble.GONE or error.status in (404, 410):
                gone.append(number)
    return gone


def _order(number: str) -> tuple[int, str]:
    """Return the order of local numbers: digits by value, ULIDs (all equally long) by letters."""
    return len(number), number


# ---- streams -----------------------------------------------------------------------------------------------------


def _event(message: str | bytes, server: _Server, calls: Calls, listed: dict[str, str]) -> Visit | None:
    """Return what an event of the stream tells; ``listed`` holds ids of posts by number on the server."""
    try:
        event = orjson.loads(message)
        kind = event["event"]
        payload = event.get("payload", event.get("data"))
        if kind == "delete":
            post_id = listed.pop(str(payload).strip('"'), None)
            return Visit(changes=(Change(post_id, "deleted"),), n_requests=0, n_bytes=len(message)) if post_id else None
        if kind not in ("update", "status.update"):
            return None
        status = orjson.loads(payload) if isinstance(payload, str) else payload
        row = _row(server, status, {}, calls) if _may_read(status, is_chosen=False) else None
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return Visit(notes=("an event of the stream in another form",), n_requests=0, n_bytes=len(message))
    if row is None:
        return None
    listed[str(status["id"])] = row["post_id"]
    if len(listed) > MAX_LISTED:
        listed.pop(next(iter(listed)))
    changes = (Change(row["post_id"], "edited", row),) if kind == "status.update" else ()
    return Visit((row,), changes=changes, n_requests=0, n_bytes=len(message), notes=calls.told())


# ---- posts -------------------------------------------------------------------------------------------------------


def _may_read(status: Mapping[str, Any], *, is_chosen: bool) -> bool:
    original = status.get("reblog")
    shown = original if isinstance(original, dict) else status
    if status.get("visibility") not in _PUBLIC or shown.get("visibility") not in _PUBLIC:
        return False
    if refusal(status["account"], is_chosen=is_chosen):
        return False
    return shown is status or refusal(shown["account"], is_chosen=True) is None


def _post_id(server: _Server, status: Mapping[str, Any]) -> str | None:
    uri = str(status.get("uri") or status.get("url") or f"/{status['id']}")
    return mastodon_id(server.acct(status["account"]), uri)


def _row(server: _Server, status: Mapping[str, Any], known: Mapping[str, str | None], calls: Calls) -> Row | None:
    calls.unmapped(status, _STATUS, "status")
    post_id = _post_id(server, status)
    if post_id is None:
        return None
    original = status.get("reblog")
    shown = original if isinstance(original, dict) else status
    text, links = read_content(shown)
    account = status["account"]
    if isinstance(original, dict):
        owner = server.acct(original["account"])
        text = f"RT @{owner}: {with_author(text, owner, original['account'].get('display_name'))}"
    quoted = (status.get("quote") or {}).get("quoted_status") if isinstance(status.get("quote"), dict) else None
    for address in ((shown.get("card") or {}).get("url"), (quoted or {}).get("url")):
        if address and address not in links:
            links.append(address)
    return {
        "post_id": post_id,
        "platform": "mastodon",
        "source": server.acct(account),
        "source_kind": "account",
        "source_name": account.get("display_name") or account.get("username"),
        "audience": count(account.get("followers_count")),
        "published_at": status["created_at"],
        "url": status.get("url") or status.get("uri"),
        "title": shown.get("spoiler_text") or None,
        "text": text or None,
        "language": shown.get("language"),
        "links": links,
        "repost_of": _post_id(server, original) if isinstance(original, dict) else None,
        "reply_to": _answered(server, status, known),
        "media": [{"url": m.get("url") or m.get("remote_url")} for m in shown.get("media_attachments") or ()],
        "likes": count(shown.get("favourites_count")),
        "shares": count(shown.get("reblogs_count")),
        "replies": count(shown.get("replies_count")),
    }


def _answered(server: _Server, status: Mapping[str, Any], known: Mapping[str, str | None]) -> str | None:
    """Return the id of the post answered to, where the server's own number for it says it."""
    number, author = status.get("in_reply_to_id"), status.get("in_reply_to_account_id")
    if not number:
        return None
    if known.get(str(number)):
        return known[str(number)]
    own = status["account"]
    candidates = [own, *(m for m in status.get("mentions") or () if isinstance(m, dict))]
    account = next((c for c in candidates if str(c.get("id")) == str(author)), None)
    # Only for members of this server is the number here also the end of the post's address.
    is_native = str(status.get("uri") or "").endswith(str(status["id"])) or account is not own
    if account is None or "@" in str(account.get("acct", "@")) or not is_native:
        return None
    return mastodon_id(server.acct(account), f"/{number}")


def read_content(status: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return (words, links) of a status: mentions in full, poll options a line each."""
    mentions = {str(m.get("url")): str(m.get("acct")) for m in status.get("mentions") or () if isinstance(m, dict)}
    links: list[str] = []
    body = HTMLTree.parse(f"<body>{status.get('content') or ''}</body>").body
    words = "".join(_words(body, mentions, links)).strip() if body else ""
    poll = status.get("poll")
    for option in (poll.get("options") or ()) if isinstance(poll, dict) else ():
        words += f"\n- {option.get('title')}"
    return re.sub(r"\n{3,}", "\n\n", words).strip(), links


def _words(node: Any, mentions: Mapping[str, str], links: list[str]) -> Iterator[str]:
    for child in node.child_nodes:
        if child.tag == "#text":
            yield child.value
        elif child.tag == "br":
            yield "\n"
        elif child.tag == "p":
            yield "".join(_words(child, mentions, links)) + "\n\n"
        elif child.tag in ("li", "blockquote", "pre", "div"):
            yield "".join(_words(child, mentions, links)) + "\n"
        elif child.tag == "a":
            yield _anchor(child, mentions, links)
        elif child.tag not in ("script", "style"):
            yield from _words(child, mentions, links)


def _anchor(node: Any, mentions: Mapping[str, str], links: list[str]) -> str:
    shown, address = node.text, node.getattr("href") or ""
    if address in mentions:
        return f"@{mentions[address]}"
    if shown.startswith(("#", "@")) or "mention" in node.class_list:
        return str(shown)
    if address.startswith(("http://", "https://")) and address not in links:
        links.append(address)
    return address if address.startswith("http") else str(shown)


def _kind(address: str) -> tuple[str, str]:
    """Return (account, tag or local; name, word or nothing)."""
    path = urlsplit(address).path.strip("/")
    if path.startswith("@"):
        return "account", path[1:]
    return ("tag", path.removeprefix("tags/")) if path.startswith("tags/") else ("local", "")


def _is_other(host: str) -> bool:
    host = host.lower().removeprefix("www.")
    return host in _OTHER_HOSTS or any(host.endswith(f".{other}") for other in _OTHER_HOSTS)

"""Public channels of Telegram over MTProto, with the operator's own application id and account (extra ``telegram``).

For channels that have no preview page. Nothing is joined, and what is no public broadcast channel is refused. MTProto
does not go through :class:`~bastau.collect.visits.Web`: Telethon speaks it to Telegram's own servers only.

``TELEGRAM_SESSION`` names a file that holds the session made by ``bastau login telegram``; whoever has it is the
account, so it is written and read with mode 0600 only.

Reference: core.telegram.org, methods contacts.resolveUsername, channels.getFullChannel, messages.getHistory,
channels.getMessages; "Errors" (FLOOD_WAIT_X); docs.telethon.dev, StringSession. Checked on the date in the card.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bastau.collect.collectors.answers import Calls, count, posts_a_day, remember
from bastau.collect.collectors.cards import load_card
from bastau.collect.collectors.keys import has_key, read_file, read_key
from bastau.collect.collectors.telegram import TELEGRAM
from bastau.collect.formats.telegram import plain_text
from bastau.collect.native_ids import telegram_id
from bastau.collect.visits import Change, FetchFailed, Found, Gap, Row, Trouble, Visit, Watched, Web
from bastau.errors import ConfigError

ID, HASH, SESSION = "TELEGRAM_API_ID", "TELEGRAM_API_HASH", "TELEGRAM_SESSION"
PAGE = 100
MAX_PAGES = 20

Ask = Callable[[Any], Awaitable[Any]]
"""Sends one request of Telegram's API and returns its answer."""
Connect = Callable[[Mapping[str, Any]], contextlib.AbstractAsyncContextManager[Ask]]


class TelegramAccount:
    """Collector of public channels over MTProto.

    Attributes:
        connect: opens a connection with the operator's keys; replaced in tests.
    """

    name = "telegram-account"
    card = load_card("telegram-account")

    def __init__(self, connect: Connect | None = None) -> None:
        self.connect = connect or _connect

    def recognises(self, address: str) -> str | None:
        """Return nothing: the same addresses are read without an account first (collector ``telegram``)."""
        return None

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        """Return the channel, if the operator has brought keys."""
        known = TELEGRAM.recognises(address)
        if known is None or not all(has_key(name) for name in (ID, HASH)):
            return []
        async with self.connect({}) as ask:
            channel = await _channel(ask, known)
            if channel is None:
                return []
            audience = await _audience(ask, channel)
            rows, _, _ = _read(await _history(ask, channel, 0, 0), channel, audience)
        return [
            Found(
                self.name,
                known,
                channel.username,
                channel.title,
                "Telegram",
                posts_a_day(rows),
                rows[-5:],
                {},
                (),
                "channel",
                audience,
            )
        ]

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        """Return the messages since the last visit.

        Raises:
            FetchFailed: no keys, no such public channel, or Telegram asks to wait.
        """
        calls = Calls(web)
        state = dict(watched.state)
        last = int(state.get("last", 0))
        rows: dict[str, Row] = {}
        numbers: list[int] = []
        edited: dict[str, int] = {}
        gaps: list[Gap] = []
        async with self.connect(watched.options) as ask:
            channel = await _channel(ask, watched.address)
            if channel is None:
                raise FetchFailed(Trouble.GONE, f"{watched.address}: no public channel of this name")
            audience = await _audience(ask, channel)
            before = 0
            for page in range(MAX_PAGES):
                history = await _history(ask, channel, before, last)
                calls.n_requests += 1
                found, seen, marks = _read(history, channel, audience)
                rows |= {row["post_id"]: row for row in found}
                numbers += seen
                edited |= marks
                if not seen or not last or min(seen) <= last + 1 or len(seen) < PAGE:
                    break
                before = min(seen)
                if page == MAX_PAGES - 1:
                    oldest = min(datetime.fromisoformat(row["published_at"]) for row in rows.values())
                    since = datetime.fromisoformat(state["last_at"]) if state.get("last_at") else oldest
                    gaps = [Gap(min(since, oldest), oldest, "more_than_can_be_paged")]
            # What was deleted is given back as an empty message.
            asked = [int(n) for n in state.get("recent", ())][-PAGE:]
            gone = await _gone(ask, channel, asked) if asked else []
        name = str(channel.username)
        changes = [
            Change(telegram_id(name, n), "edited", rows.get(telegram_id(name, n)))
            for mark, n in edited.items()
            if mark not in state.get("edited", ())
        ]
        changes += [Change(telegram_id(name, n), "deleted") for n in gone]
        kept = [n for n in remember(state.get("recent", ()), numbers, int) if n not in gone]
        state |= {
            "last": max([last, *numbers]),
            "last_at": max([row["published_at"] for row in rows.values()] + [str(state.get("last_at") or "")]),
            "recent": kept,
            "edited": remember(state.get("edited", ()), edited, str)[-100:],
            "audience": audience,
        }
        in_order = sorted(rows.values(), key=lambda row: str(row["published_at"]))
        return Visit(in_order, state, gaps=gaps, changes=changes, **(calls.cost | {"n_requests": calls.n_requests + 3}))


# ---- the connection ----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _connect(options: Mapping[str, Any]) -> AsyncIterator[Ask]:
    """Open a connection; Telegram's own words for trouble become ours.

    Raises:
        ConfigError: the extra is not installed, or there is no session yet.
        FetchFailed: a key is missing, refused, or Telegram asks to wait.
    """
    telethon, errors = _telethon()
    number, secret = read_key(ID, "telegram", options), read_key(HASH, "telegram", options)
    session = read_file(session_path(options))
    from telethon.sessions import StringSession

    client = telethon.TelegramClient(
        StringSession(session), int(number), secret, flood_sleep_threshold=0, request_retries=1, connection_retries=1
    )
    try:
        await client.connect()
        if not await client.is_user_authorized():
            raise FetchFailed(Trouble.NEEDS_KEY, "telegram: the session has ended; run `bastau login telegram`")
        yield client
    except errors.FloodWaitError as error:
        raise FetchFailed(Trouble.LIMITED, "telegram", float(error.seconds)) from None
    except errors.UnauthorizedError:
        raise FetchFailed(Trouble.NEEDS_KEY, "telegram: the session was refused") from None
    except (ConnectionError, TimeoutError, OSError):
        raise FetchFailed(Trouble.CONNECT, "telegram") from None
    finally:
        await client.disconnect()


def _telethon() -> tuple[Any, Any]:
    try:
        import telethon
        from telethon import errors
    except ImportError:
        raise ConfigError("reading Telegram with an account needs pip install 'bastau[telegram]'") from None
    return telethon, errors


def session_path(options: Mapping[str, Any] | None = None) -> Path:
    """Return the file of the session.

    Raises:
        FetchFailed: it is not named.
    """
    named = (options or {}).get(SESSION) or os.environ.get(SESSION)
    if not named:
        raise FetchFailed(Trouble.NEEDS_KEY, f"telegram: set {SESSION} to the file that `bastau login telegram` writes")
    return Path(str(named).removeprefix("file:")).expanduser()


def log_in(path: Path, ask: Callable[[str], str]) -> None:
    """Make a session by phone number and code, and write it to ``path`` (mode 0600, replaced whole).

    Args:
        ask: puts a question to the operator and returns the answer.
    """
    _telethon()
    from telethon.sessions import StringSession
    from telethon.sync import TelegramClient

    client = TelegramClient(StringSession(), int(read_key(ID, "telegram")), read_key(HASH, "telegram"))
    try:
        client.start(
            phone=lambda: ask("Phone number of your account: "),
            code_callback=lambda: ask("Code that Telegram sent: "),
            password=lambda: ask("Second password: "),
        )
        write_session(path, client.session.save())
    finally:
        client.disconnect()


def write_session(path: Path, session: str) -> None:
    """Write a session so that its owner only can read it, whatever the umask and whoever looks meanwhile."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(session)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


# ---- requests ------------------------------------------------------------------------------------------------------


async def _channel(ask: Ask, address: str) -> Any:
    """Return the public broadcast channel of an address, or None; groups and persons are nobody here."""
    from telethon import errors
    from telethon.tl.functions.contacts import ResolveUsernameRequest

    try:
        found = await ask(ResolveUsernameRequest(address.rsplit("/", 1)[1]))
    except (errors.UsernameNotOccupiedError, errors.UsernameInvalidError):
        return None
    channels = [c for c in found.chats if getattr(c, "broadcast", False) and _username(c)]
    if not channels:
        return None
    channels[0].username = _username(channels[0])
    return channels[0]


def _username(chat: Any) -> str | None:
    """Return the public name of a chat: the main one, else the first that is in use."""
    more = (name.username for name in getattr(chat, "usernames", None) or () if name.active)
    return getattr(chat, "username", None) or next(more, None)


async def _audience(ask: Ask, channel: Any) -> int | None:
    from telethon.tl.functions.channels import GetFullChannelRequest
    from telethon.tl.types import InputChannel

    full = await ask(GetFullChannelRequest(InputChannel(channel.id, channel.access_hash or 0)))
    return count(getattr(full.full_chat, "participants_count", None))


async def _history(ask: Ask, channel: Any, before: int, after: int) -> Any:
    from telethon.tl.functions.messages import GetHistoryRequest
    from telethon.tl.types import InputPeerChannel

    peer = InputPeerChannel(channel.id, channel.access_hash or 0)
    return await ask(
        GetHistoryRequest(
            peer, offset_id=before, offset_date=None, add_offset=0, limit=PAGE, max_id=0, min_id=after, hash=0
        )
    )


async def _gone(ask: Ask, channel: Any, numbers: Sequence[int]) -> list[int]:
    from telethon.tl.functions.channels import GetMessagesRequest
    from telethon.tl.types import InputChannel, InputMessageID, MessageEmpty

    answer = await ask(
        GetMessagesRequest(InputChannel(channel.id, channel.access_hash or 0), [InputMessageID(n) for n in numbers])
    )
    empty = {m.id for m in answer.messages if isinstance(m, MessageEmpty)}
    return [n for n in numbers if n in empty]


# ---- messages ------------------------------------------------------------------------------------------------------


def _read(history: Any, channel: Any, audience: int | None) -> tuple[list[Row], list[int], dict[str, int]]:
    """Return (rows, all numbers, {number and time of an edit: number}); an album is one row under its first number."""
    from telethon.tl.types import Message

    names = {chat.id: _username(chat) for chat in history.chats}
    messages = sorted((m for m in history.messages if isinstance(m, Message)), key=lambda m: m.id)
    rows: list[Row] = []
    albums: dict[int, Row] = {}
    edits: dict[str, int] = {}
    for message in messages:
        row = read_message(message, channel, names) | {"audience": audience}
        album = albums.get(message.grouped_id or 0)
        if album is not None:
            album["media"] = [*album["media"], *row["media"]]
            album["text"] = album["text"] or row["text"]
            continue
        rows.append(row)
        if message.grouped_id:
            albums[message.grouped_id] = row
        if message.edit_date and not message.edit_hide:
            edits[f"{message.id} {int(message.edit_date.timestamp())}"] = message.id
    return rows, [m.id for m in history.messages], edits


def read_message(message: Any, channel: Any, names: Mapping[int, str | None]) -> Row:
    """Return the row of one message of a channel, with the words that Telegram's own export gives it.

    Args:
        names: public names of channels by number.
    """
    from telethon.tl.types import MessageMediaPoll, MessageMediaWebPage, PeerChannel, PeerUser, ReactionCount

    name = str(channel.username)
    parts, links = _parts(message)
    origin, original, forwarded = message.fwd_from, None, None
    if origin is not None:
        if isinstance(origin.from_id, PeerChannel):
            public = names.get(origin.from_id.channel_id)
            forwarded = public or f"channel{origin.from_id.channel_id}"
            original = telegram_id(public, origin.channel_post) if public and origin.channel_post else None
        elif isinstance(origin.from_id, PeerUser):
            forwarded = f"user{origin.from_id.user_id}"
        else:
            forwarded = origin.from_name
    answered = (
        message.reply_to if message.reply_to and getattr(message.reply_to, "reply_to_peer_id", None) is None else None
    )
    text = plain_text(parts)
    if isinstance(message.media, MessageMediaWebPage) and getattr(message.media.webpage, "url", None):
        links.append(message.media.webpage.url)
    if isinstance(message.media, MessageMediaPoll):
        poll = message.media.poll
        text = "\n".join([_plain(poll.question), *(f"- {_plain(answer.text)}" for answer in poll.answers)])
    has_media = message.media is not None and not isinstance(message.media, MessageMediaWebPage | MessageMediaPoll)
    counts = [r.count for r in (message.reactions.results if message.reactions else ()) if isinstance(r, ReactionCount)]
    number = getattr(answered, "reply_to_msg_id", None)
    return {
        "post_id": telegram_id(name, message.id),
        "platform": "telegram",
        "source": name,
        "source_kind": "channel",
        "source_name": channel.title,
        "published_at": message.date.astimezone(UTC).isoformat(),
        "url": f"https://t.me/{name}/{message.id}",
        "text": text or None,
        "links": list(dict.fromkeys(links)),
        "reply_to": telegram_id(name, number) if number else None,
        "repost_of": original,
        "forwarded_from": forwarded,
        "media": [{"url": f"https://t.me/{name}/{message.id}?single"}] if has_media else [],
        "likes": sum(counts) or None,
        "shares": count(message.forwards),
        "replies": count(message.replies.replies) if message.replies else None,
        "views": count(message.views),
    }


def _plain(text: Any) -> str:
    return str(getattr(text, "text", text))


def _parts(message: Any) -> tuple[list[Any], list[str]]:
    """Return (text in the parts of Telegram's export, links); entities are counted in UTF-16 units."""
    from telethon.tl.types import MessageEntityMentionName, MessageEntityTextUrl, MessageEntityUrl

    units = (message.message or "").encode("utf-16-le")

    def piece(start: int, end: int) -> str:
        return units[2 * start : 2 * end].decode("utf-16-le", "replace")

    parts: list[Any] = []
    links: list[str] = []
    at = 0
    for entity in message.entities or ():
        start, end = entity.offset, entity.offset + entity.length
        shown = piece(start, end)
        if isinstance(entity, MessageEntityUrl):
            links.append(shown)
        if not isinstance(entity, MessageEntityTextUrl | MessageEntityMentionName) or start < at:
            continue
        parts.append(piece(at, start))
        if isinstance(entity, MessageEntityTextUrl):
            links.append(entity.url)
            parts.append({"type": "text_link", "text": shown, "href": entity.url})
        else:
            parts.append({"type": "mention_name", "text": shown, "user_id": entity.user_id})
        at = end
    parts.append(piece(at, len(units) // 2))
    return parts, links


TELEGRAM_ACCOUNT = TelegramAccount()

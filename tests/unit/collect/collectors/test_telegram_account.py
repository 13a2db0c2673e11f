"""Channels over MTProto. Requests and answers are Telethon's own objects, sent through its serialisation and back; the
network, the log-in and what Telegram's servers really answer are not tested here."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playback import NOW, PlaybackWeb

pytest.importorskip("telethon")
from telethon.extensions import BinaryReader
from telethon.tl import functions, types

from bastau.collect.collectors import telegram_account
from bastau.collect.collectors.telegram_account import TelegramAccount, write_session
from bastau.collect.visits import FetchFailed, Trouble, Visit, Watched
from bastau.errors import ConfigError

WHEN = datetime(2024, 5, 1, 10, tzinfo=UTC)
ADDRESS = "https://t.me/tau_gazeti"
WEB: Any = PlaybackWeb(None)  # type: ignore[arg-type]
CHANNEL = types.Channel(
    700, "Tau gazeti", types.ChatPhotoEmpty(), WHEN, broadcast=True, access_hash=1, username="tau_gazeti"
)
OTHER = types.Channel(701, "Dala", types.ChatPhotoEmpty(), WHEN, broadcast=True, access_hash=1, username="dala_news")


def wire(value: Any) -> Any:
    """Return what arrives when ``value`` is sent."""
    with BinaryReader(bytes(value)) as reader:
        return reader.tgread_object()


def message(number: int, text: str = "сөз", **fields: Any) -> types.Message:
    return types.Message(number, types.PeerChannel(700), WHEN, text, post=True, **fields)


class Servers:
    """Telegram as far as it is needed: one channel with messages."""

    def __init__(self, *messages: Any, chat: Any = CHANNEL) -> None:
        self.messages = sorted(messages, key=lambda m: -m.id)
        self.chat = chat
        self.asked: list[Any] = []

    @contextlib.asynccontextmanager
    async def connect(self, _: Mapping[str, Any]) -> AsyncIterator[Any]:
        yield self.answer

    async def answer(self, request: Any) -> Any:
        request = wire(request)
        self.asked.append(request)
        if isinstance(request, functions.contacts.ResolveUsernameRequest):
            return wire(types.contacts.ResolvedPeer(types.PeerChannel(700), [self.chat], []))
        if isinstance(request, functions.channels.GetFullChannelRequest):
            settings = types.PeerNotifySettings()
            full = types.ChannelFull(700, "", 1, 1, 0, types.PhotoEmpty(1), settings, [], 1, participants_count=42_000)
            return wire(types.messages.ChatFull(full, [self.chat], []))
        if isinstance(request, functions.channels.GetMessagesRequest):
            there = {m.id: m for m in self.messages}
            found = [there.get(i.id) or types.MessageEmpty(i.id, types.PeerChannel(700)) for i in request.id]
            return wire(types.messages.ChannelMessages(1, len(found), found, [], [self.chat, OTHER], []))
        assert isinstance(request, functions.messages.GetHistoryRequest)
        found = [
            m for m in self.messages if (not request.offset_id or m.id < request.offset_id) and m.id > request.min_id
        ]
        return wire(types.messages.ChannelMessages(1, len(found), found[: request.limit], [], [self.chat, OTHER], []))


def visit(servers: Servers, state: dict[str, Any] | None = None) -> Visit:
    collector = TelegramAccount(servers.connect)
    done = asyncio.run(collector.visit(Watched(1, "telegram-account", ADDRESS, state or {}), WEB, NOW))
    json.dumps(done.state)
    return done


def test_a_message_has_the_id_and_the_words_of_the_other_ways() -> None:
    text = "Көл 🌊 толығырақ сайтта, бір адам"
    at = len(text.encode("utf-16-le")) // 2
    entities = [
        types.MessageEntityTextUrl(at - 16, 6, "https://tau.example/kol"),
        types.MessageEntityMentionName(at - 8, 8, 8675),
    ]
    forwarded = types.MessageFwdHeader(WHEN, from_id=types.PeerChannel(701), channel_post=55)
    reactions = types.MessageReactions([types.ReactionCount(types.ReactionEmoji("👍"), 7)])
    replies = types.MessageReplies(2, 1)
    reply = types.MessageReplyHeader(reply_to_msg_id=4)
    (row,) = visit(Servers(message(5, text, entities=entities, fwd_from=forwarded, views=900, forwards=3, reactions=reactions, replies=replies, reply_to=reply))).rows  # fmt: skip
    assert row == {
        "post_id": "telegram:tau_gazeti/5", "platform": "telegram", "source": "tau_gazeti", "source_kind": "channel", "source_name": "Tau gazeti",
        "audience": 42_000, "published_at": "2024-05-01T10:00:00+00:00", "url": "https://t.me/tau_gazeti/5",
        "text": "Көл 🌊 толығырақ сайтта, [бір адам](tg://user?id=8675)", "links": ["https://tau.example/kol"], "reply_to": "telegram:tau_gazeti/4",
        "repost_of": "telegram:dala_news/55", "forwarded_from": "dala_news", "media": [], "likes": 7, "shares": 3, "replies": 2, "views": 900,
    }  # fmt: skip


def test_albums_are_one_post_and_events_none() -> None:
    photo = types.MessageMediaPhoto()
    event = types.MessageService(4, types.PeerChannel(700), WHEN, action=types.MessageActionPinMessage())
    seen = visit(
        Servers(
            message(1, "", media=photo, grouped_id=9),
            message(2, "Екі сурет", media=photo, grouped_id=9),
            message(3),
            event,
        )
    )
    assert [(row["post_id"], row["text"], len(row["media"])) for row in seen.rows] == [("telegram:tau_gazeti/1", "Екі сурет", 2), ("telegram:tau_gazeti/3", "сөз", 0)]  # fmt: skip
    assert seen.state["last"] == 4


def test_visits_go_on_where_the_last_ended_and_tell_edits_and_deletions() -> None:
    first = visit(Servers(*(message(n) for n in range(1, 11))))
    later = [message(n) for n in range(1, 351) if n != 7]
    later[3] = message(4, "бөлек", edit_date=WHEN)
    later[-1] = message(350, "бөлек", edit_date=WHEN)
    second = visit(Servers(*later), dict(first.state))
    assert {int(row["post_id"].rsplit("/")[-1]) for row in second.rows} == set(range(11, 351))
    assert [(c.kind, c.post_id.rsplit("/")[-1]) for c in second.changes] == [("edited", "350"), ("deleted", "7")]


def test_groups_and_persons_are_nobody() -> None:
    group = types.Channel(
        700, "Top", types.ChatPhotoEmpty(), WHEN, megagroup=True, access_hash=1, username="tau_gazeti"
    )
    for chat in (group, types.ChannelForbidden(700, 1, "Tau", broadcast=True)):
        with pytest.raises(FetchFailed) as raised:
            visit(Servers(message(1), chat=chat))
        assert raised.value.kind is Trouble.GONE


def test_found_only_with_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = TelegramAccount(Servers(message(1), message(2)).connect)
    monkeypatch.delenv("TELEGRAM_API_ID", raising=False)
    assert asyncio.run(collector.find("t.me/tau_gazeti", WEB, NOW)) == []
    monkeypatch.setenv("TELEGRAM_API_ID", "1")
    monkeypatch.setenv("TELEGRAM_API_HASH", "h")
    (found,) = asyncio.run(collector.find("t.me/tau_gazeti", WEB, NOW))
    assert (found.address, found.audience, len(found.first)) == (ADDRESS, 42_000, 2)


def test_a_session_is_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "telegram.session"
    old = os.umask(0)
    try:
        write_session(path, "s3cret")
    finally:
        os.umask(old)
    assert (path.stat().st_mode & 0o777, path.read_text()) == (0o600, "s3cret")
    path.chmod(0o640)
    for name, value in (("TELEGRAM_API_ID", "1"), ("TELEGRAM_API_HASH", "h"), ("TELEGRAM_SESSION", str(path))):
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="chmod 600"):
        asyncio.run(TelegramAccount().visit(Watched(1, "telegram-account", ADDRESS), WEB, NOW))


class Clients:
    """A client in Telethon's place that has no network."""

    def __init__(self, trouble: Exception | None = None, authorised: bool = True) -> None:
        self.trouble, self.authorised, self.is_open = trouble, authorised, False

    def __call__(self, *_: Any, **settings: Any) -> "Clients":
        assert settings["flood_sleep_threshold"] == 0, "waiting is the scheduler's, not a hidden sleep"
        return self

    async def connect(self) -> None:
        self.is_open = True

    async def is_user_authorized(self) -> bool:
        if self.trouble is not None:
            raise self.trouble
        return self.authorised

    async def disconnect(self) -> None:
        self.is_open = False


@pytest.mark.parametrize("what", ["flood", "unauthorised", "network"])
def test_telegrams_own_words_for_trouble_are_told_apart(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import telethon
    from telethon.errors import FloodWaitError

    session = tmp_path / "s"
    write_session(session, "")
    for name, value in (("TELEGRAM_API_ID", "1"), ("TELEGRAM_API_HASH", "h"), ("TELEGRAM_SESSION", str(session))):
        monkeypatch.setenv(name, value)
    trouble = {"flood": FloodWaitError(None, 77), "network": ConnectionError()}.get(what)
    clients = Clients(trouble, authorised=what != "unauthorised")
    monkeypatch.setattr(telethon, "TelegramClient", clients)
    with pytest.raises(FetchFailed) as raised:
        asyncio.run(TelegramAccount().visit(Watched(1, "telegram-account", ADDRESS), WEB, NOW))
    kinds = {"flood": Trouble.LIMITED, "unauthorised": Trouble.NEEDS_KEY, "network": Trouble.CONNECT}
    assert raised.value.kind is kinds[what]
    assert raised.value.retry_after_s == (77 if what == "flood" else None)
    assert not clients.is_open
    assert telegram_account.TELEGRAM_ACCOUNT.recognises(ADDRESS) is None

"""Telegram: exports of Telegram Desktop, and the TGDataset. Only public channels are read (SCOPE, rule 1).

Reference: Telegram Desktop, export/output/export_output_json.cpp (``name``, ``type``, ``id``, ``messages``; a full
export has ``chats.list`` and ``left_chats.list`` of such objects); La Morgia et al. 2025, TGDataset, KDD, and the
README of SystemsLab-Sapienza/TGDataset (``{channel_id: {username, n_subscribers, text_messages, generic_media}}``).
"""

import io
from collections.abc import Iterator
from typing import Any

import orjson

from bastau.collect.handles import names_somebody
from bastau.collect.json_items import Item, Path, walk
from bastau.collect.reading import MAX_BATCH_BYTES, Batch, Head, Problem, Request, Row, digest, raw_table
from bastau.errors import InputError

_REFUSED = "only public channels are read; personal chats, groups and saved messages are never"


class TelegramExport:
    """``result.json`` of Telegram Desktop: one chat, or a full export."""

    name = "telegram-export"

    def accepts(self, head: Head) -> bool:
        """Say whether a JSON document begins with a chat or with a list of chats."""
        start = head.text[:65536]
        is_chat = '"messages"' in start and '"type"' in start and '"name"' in start
        is_full = '"chats"' in start and '"list"' in start
        looks = '"date_unixtime"' in start or '"about"' in start or '"text_entities"' in start
        is_post = head.json_line is not None and "messages" not in head.json_line and "chats" not in head.json_line
        return head.text.lstrip()[:1] == "{" and not is_post and (is_chat or is_full) and (looks or is_chat)

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield rows; messages are numbered from 1 through the whole file."""
        batch = _Batches(request.batch_rows)
        chat: Row = {}
        place: Path | None = None
        number = 0
        for item in batch.guard(walk(stream, _enter_export)):
            if "messages" not in item.path:
                if item.path[:-1] != place:
                    chat, place = {}, item.path[:-1]
                if item.path and item.path[-1] in ("name", "type", "id"):
                    chat[str(item.path[-1])] = _value(item)
                continue
            if item.path[: item.path.index("messages")] != place:
                chat, place = {}, item.path[: item.path.index("messages")]
            number += 1
            batch.add(_message(number, chat, item), item.data or b"", repr(sorted(chat.items())).encode())
            yield from batch.full()
        yield from batch.rest()
        batch.close()


def _enter_export(path: Path) -> bool:
    match path:
        case () | ("messages",) | ("chats" | "left_chats",) | ("chats" | "left_chats", "list"):
            return True
        case ("chats" | "left_chats", "list", int()) | ("chats" | "left_chats", "list", int(), "messages"):
            return True
    return False


def _value(item: Item) -> Any:
    try:
        return orjson.loads(item.data or b"null")
    except orjson.JSONDecodeError:
        return None


def _message(number: int, chat: Row, item: Item) -> Row | Problem | None:
    if chat.get("type") != "public_channel":
        return Problem(number, "type", "not_public", _REFUSED)
    message = _value(item)
    if not isinstance(message, dict):
        return Problem(number, None, "bad_json" if item.data else "too_long", "the message cannot be read")
    if message.get("type") != "message":
        return None  # joined, pinned, renamed: no post
    channel = f"channel{chat.get('id')}"
    answered = message.get("reply_to_message_id")
    files = [str(message[name]) for name in ("photo", "file") if isinstance(message.get(name), str)]
    return {
        "post_id": f"telegram:{channel}/{message.get('id')}",
        "platform": "telegram",
        "source": channel,
        "source_kind": "channel",
        "source_name": chat.get("name"),
        "published_at": message.get("date_unixtime") or message.get("date"),
        "text": plain_text(message.get("text")),
        "links": _links(message),
        "reply_to": f"telegram:{channel}/{answered}" if answered else None,
        "forwarded_from": message.get("forwarded_from_id") or message.get("forwarded_from"),
        "media": [{"url": name} for name in files if not name.startswith("(")],
        "likes": sum(r.get("count", 0) for r in message.get("reactions") or [] if isinstance(r, dict)) or None,
        "line": number,
    }


def plain_text(text: Any) -> str | None:
    """Return a message's text from Telegram's mixed list of strings and entities; links to persons lose their name."""
    if isinstance(text, str):
        return text
    if not isinstance(text, list):
        return None
    parts = []
    for part in text:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, dict):
            shown = str(part.get("text") or "")
            address = str(part.get("href") or "")
            if part.get("type") == "mention_name":
                address = f"tg://user?id={part.get('user_id')}"
            parts.append(f"[{shown}]({address})" if names_somebody(address) else shown)
    return "".join(parts)


def _links(message: Row) -> list[str]:
    parts = message.get("text_entities") or message.get("text")
    links = []
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, dict) and part.get("type") in ("link", "text_link"):
            links.append(str(part.get("href") or part.get("text") or ""))
    return [link for link in links if link]


class TgDataset:
    """TGDataset: ``{channel id: channel}`` with messages and media by id, a few gigabytes a file."""

    name = "tgdataset"

    def accepts(self, head: Head) -> bool:
        """Say whether a JSON document begins with a channel of the dataset."""
        start = head.text[:65536]
        fields = ('"username"', '"n_subscribers"', '"text_messages"')
        return head.text.lstrip()[:1] == "{" and '"creation_date"' in start and any(f in start for f in fields)

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield rows; messages and media are numbered from 1 through the whole file."""
        batch = _Batches(request.batch_rows)
        names: dict[str, str] = {}
        channel: Row = {}
        number = 0
        for item in batch.guard(walk(stream, _enter_dataset)):
            if not item.path:
                continue
            key = str(item.path[0])
            if channel.get("id") != key:
                channel = {"id": key}
            if len(item.path) == 2:
                channel[str(item.path[1])] = _value(item)
                if item.path[1] == "username" and channel["username"]:
                    names[key] = str(channel["username"])
                continue
            number += 1
            found = _dataset_message(number, channel, names, item)
            batch.add(found, item.data or b"", repr(sorted((k, repr(v)) for k, v in channel.items())).encode())
            yield from batch.full()
        yield from batch.rest()
        batch.close()


def _enter_dataset(path: Path) -> bool:
    return len(path) <= 1 or (len(path) == 2 and path[1] in ("text_messages", "generic_media"))


def _dataset_message(number: int, channel: Row, names: dict[str, str], item: Item) -> Row | Problem | None:
    message = _value(item)
    if not isinstance(message, dict):
        return Problem(number, None, "bad_json" if item.data else "too_long", "the message cannot be read")
    source = str(channel.get("username") or f"channel{channel['id']}")
    is_media = item.path[1] == "generic_media"
    origin = message.get("forwarded_from_id") if message.get("is_forwarded") else None
    local = item.path[2]
    return {
        "post_id": f"telegram:{source}/{'media-' if is_media else ''}{local}",
        "platform": "telegram",
        "source": source,
        "source_kind": "channel",
        "source_name": channel.get("title"),
        "audience": channel.get("n_subscribers"),
        "published_at": message.get("date"),
        "url": None if is_media else f"https://t.me/{source}/{local}",
        "text": message.get("title") if is_media else message.get("message"),
        "forwarded_from": names.get(str(origin), f"channel{origin}") if origin else None,
        "media": [{"url": f"{message.get('media_id')}{message.get('extension') or ''}"}] if is_media else [],
        "line": number,
    }


class _Batches:
    """Gathers rows of a document into batches that depend on its bytes alone."""

    def __init__(self, rows: int) -> None:
        self._limit = rows
        self._error: InputError | None = None
        self._clear()

    def _clear(self) -> None:
        self._rows: list[Row] = []
        self._problems: list[Problem] = []
        self._content = b""
        self._size = 0

    def guard(self, items: Iterator[Item]) -> Iterator[Item]:
        """Yield items up to damage, which :meth:`close` raises once what came before is given out."""
        try:
            yield from items
        except InputError as error:
            self._error = error

    def close(self) -> None:
        """Raise the damage that ended the document, if any did."""
        if self._error is not None:
            raise self._error

    def add(self, found: Row | Problem | None, data: bytes, context: bytes) -> None:
        self._content = digest(self._content, data, context)
        self._size += len(data)
        if isinstance(found, Problem):
            self._problems.append(found)
        elif found is not None:
            self._rows.append(found)

    def full(self) -> Iterator[Batch]:
        if len(self._rows) + len(self._problems) >= self._limit or self._size >= MAX_BATCH_BYTES:
            yield from self.rest()

    def rest(self) -> Iterator[Batch]:
        if self._content:
            batch = Batch(self._content, raw_table(self._rows), self._problems)
            self._clear()
            yield batch


TELEGRAM_EXPORT = TelegramExport()
TGDATASET = TgDataset()

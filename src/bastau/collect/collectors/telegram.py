"""Public channels of Telegram by their preview pages, ``t.me/s/NAME``: no account, no key.

A page shows about 20 messages; ``?before=ID`` the ones before. Numbers that are missing between messages were deleted
before anybody looked, or belong to events that the preview leaves out; both are said as gaps. A channel may have no
preview (restricted in places, or a group): then :mod:`bastau.collect.collectors.telegram_account` reads it with the
operator's own account.

Reference: the pages themselves; Telegram, "Channels FAQ" (telegram.org/faq_channels) and "Post widget"
(core.telegram.org/widgets/post), whose markup they share. Checked on the date in the card.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from resiliparse.parse.html import HTMLTree

from bastau.collect.collectors.answers import MAX_CHECKS, Calls, absent, as_time, posts_a_day, remember
from bastau.collect.collectors.cards import load_card
from bastau.collect.handles import names_somebody
from bastau.collect.native_ids import telegram_id
from bastau.collect.visits import Change, FetchFailed, Found, Gap, Request, Row, Trouble, Visit, Watched, Web
from bastau.errors import SourceChanged

MAX_PAGES = 20
"""Pages of one visit: 400 messages, more than any channel posts in a quarter of an hour; the rest is for the next."""

_NAME = r"(?P<name>[A-Za-z][A-Za-z0-9_]{3,31})"
_ADDRESS = re.compile(
    rf"(?:https?://)?(?:(?:www\.)?(?:t|telegram)\.(?:me|dog)/(?:s/)?{_NAME}(?:/\d+)?(?:[/?#].*)?"
    rf"|{_NAME.replace('name', 'sub')}\.t\.me(?:/.*)?)|tg://resolve\?domain={_NAME.replace('name', 'tg')}(?:&.*)?|@{_NAME.replace('name', 'at')}"
)
_RESERVED = frozenset(
    re.findall(
        r"\w+",
        "addemoji addlist addstickers addtheme bg boost confirmphone contact giftcode invoice iv joinchat login proxy "
        "setlanguage share socks www web blog",
    )
)
_POST_LINK = re.compile(r"https?://t\.me/(?:s/)?([A-Za-z][A-Za-z0-9_]{3,31})/(\d+)")
_CHANNEL_LINK = re.compile(r"https?://t\.me/(?:s/)?([A-Za-z][A-Za-z0-9_]{3,31})/?")
_IMAGE = re.compile(r"url\(['\"]?([^'\")]+)")
_ROUNDED = re.compile(r"([\d.,]+)\s*([KMB]?)", re.IGNORECASE)
_PART = re.compile(r"^tgme_widget_message_([a-z_]+)$")
_PARTS = frozenset(
    re.findall(
        r"\w+",
        """owner_name owner_photo text reply reply_thumb reply_text views forwarded_from_name photo photo_wrap
        video video_wrap video_player video_thumb video_duration roundvideo roundvideo_wrap roundvideo_player
        roundvideo_thumb roundvideo_border document document_wrap document_icon document_title document_extra
        document_thumb voice voice_player voice_duration voice_progress voice_progress_wrap voice_play sticker
        sticker_wrap videosticker poll poll_question poll_type poll_options poll_option poll_option_percent
        poll_option_value poll_option_text poll_option_bar poll_votes location location_wrap location_body
        location_title location_address location_icon link_preview grouped grouped_wrap grouped_layer reactions
        error centered contact contact_wrap tgsticker""",
    )
)


@dataclass
class Page:
    """What one preview page holds.

    Attributes:
        rows: messages, oldest first.
        numbers: all message numbers on it, also of events and of the further pictures of an album.
        edited: numbers of messages marked as edited.
        before: number before which the page before begins; None on the first page of the channel.
        parts: names of parts of messages that nobody mapped.
    """

    name: str | None
    title: str | None
    audience: int | None
    rows: list[Row]
    numbers: list[int]
    edited: list[int]
    before: int | None
    parts: set[str] = field(default_factory=set)


class Telegram:
    """Collector of public channels by preview page."""

    name = "telegram"
    card = load_card("telegram")

    def recognises(self, address: str) -> str | None:
        """Return ``https://t.me/name`` for the address of a channel or of a message in one; no invitations."""
        match = _ADDRESS.fullmatch(address.strip())
        if match is None:
            return None
        name = next(value for value in match.groupdict().values() if value).lower()
        return None if name in _RESERVED else f"https://t.me/{name}"

    async def find(self, address: str, web: Web, now: datetime) -> Sequence[Found]:
        """Return the channel, with the reason where it has no preview page."""
        known = self.recognises(address)
        if known is None:
            return []
        name = known.rsplit("/", 1)[1]
        calls = Calls(web)
        page = await _fetch_page(calls, name, None)
        if page is None:
            return await _find_without_preview(calls, known, name)
        return [
            Found(
                self.name, known, page.name or name, page.title, "preview page of a public channel",
                posts_a_day(page.rows), page.rows[-5:], {}, () if page.rows else ("no posts yet",), "channel", page.audience,
            )
        ]  # fmt: skip

    async def visit(self, watched: Watched, web: Web, now: datetime) -> Visit:
        """Return the messages since the last visit; older ones when option ``back_to`` (a date) asks for them.

        Raises:
            FetchFailed: no such channel, or it has no preview page.
            SourceChanged: a page without anything that such pages have.
        """
        name = watched.address.rsplit("/", 1)[1]
        calls = Calls(web, frozenset(self.card.ignored))
        newest = await _fetch_page(calls, name, None)
        if newest is None:
            raise FetchFailed(Trouble.FORBIDDEN, f"t.me/{name} has no preview page; use telegram-account")
        state = dict(watched.state)
        back_to = as_time(watched.options.get("back_to"))
        pages, waiting = await _read_back(calls, name, newest, _ranges(state, newest, back_to), back_to)
        rows = {row["post_id"]: row for page in pages for row in page.rows}
        for row in rows.values():
            row["audience"] = newest.audience
        for page in pages:
            for part in page.parts - calls.ignored:
                calls.note(f"unmapped part {part}")
        numbers = sorted({number for page in pages for number in page.numbers})
        channel = newest.name or name
        gone, back = await _gone(calls, channel, state, newest)
        edited = sorted({n for page in pages for n in page.edited} - set(state.get("edited", ())))
        changes = [Change(telegram_id(channel, n), "edited", rows.get(telegram_id(channel, n))) for n in edited]
        changes += [Change(telegram_id(channel, n), "deleted") for n in gone]
        changes += [Change(telegram_id(channel, n), "back", rows.get(telegram_id(channel, n))) for n in back]
        state |= {
            "last": max([state.get("last", 0), *numbers]),
            "recent": remember([n for n in state.get("recent", ()) if n not in gone], numbers, int),
            "edited": remember(state.get("edited", ()), edited, int),
            "gone": [n for n in remember(state.get("gone", ()), gone, int) if n not in back],
            "waiting": waiting,
            "audience": newest.audience,
        }
        gaps = _holes(numbers, rows, channel, int(watched.state.get("last", 0)))
        if len(gaps) == 1:
            calls.note("numbers are missing between messages: deleted before they were seen, or events")
        elif gaps:
            calls.note(f"numbers are missing between messages in {len(gaps)} places: deleted before seen, or events")
        in_order = sorted(rows.values(), key=lambda row: str(row["published_at"]))
        return Visit(in_order, state, gaps=gaps, changes=changes, more=bool(waiting), **calls.cost)


TELEGRAM = Telegram()


# ---- pages -----------------------------------------------------------------------------------------------------


async def _fetch_page(calls: Calls, name: str, before: int | None) -> Page | None:
    """Return a page of the preview; None when Telegram leads away from it."""
    url = f"https://t.me/s/{name}" + (f"?before={before}" if before else "")
    answer = await calls.fetch(Request(url, headers={"Accept-Language": "en"}))
    if not urlsplit(answer.url).path.startswith("/s/"):
        return None
    page = read_page(answer.body.decode("utf-8", "replace"))
    if page.name is None and page.title is None:
        raise SourceChanged(f"t.me/s/{name}: neither a channel nor messages on the page")
    return page


async def _read_back(
    calls: Calls, name: str, newest: Page, ranges: list[list[int]], back_to: datetime | None
) -> tuple[list[Page], list[list[int]]]:
    """Return (pages, ranges left for the next visit); a range is [before, number down to which].

    Newer ranges first, and at most :data:`MAX_PAGES` pages in all.
    """
    pages, waiting = [newest], []
    for start, end in sorted(ranges, reverse=True):
        before: int | None = start
        while before is not None and before > end + 1:
            if len(pages) >= MAX_PAGES:
                waiting.append([before, end])
                break
            page = await _fetch_page(calls, name, before)
            if page is None or not page.numbers or min(page.numbers) >= before:
                break
            pages.append(page)
            oldest = as_time(page.rows[0]["published_at"]) if page.rows else None
            before = page.before if page.before is not None and page.before < before else min(page.numbers)
            if before <= 1 or (end == 0 and back_to is not None and oldest is not None and oldest < back_to):
                break
    return pages, waiting


def _ranges(state: dict[str, Any], newest: Page, back_to: datetime | None) -> list[list[int]]:
    ranges = [list(r) for r in state.get("waiting", ())]
    if not newest.numbers:
        return ranges
    last = state.get("last")
    if last is not None and min(newest.numbers) > last + 1:
        ranges.append([min(newest.numbers), last])
    if last is None and back_to is not None:
        ranges.append([min(newest.numbers), 0])
    return ranges


def _holes(numbers: list[int], rows: dict[str, Row], channel: str, last: int) -> list[Gap]:
    """Return gaps where new numbers are missing between two messages whose times are known."""
    times = {
        n: when
        for n in numbers
        if (row := rows.get(telegram_id(channel, n))) and (when := as_time(row["published_at"]))
    }
    gaps = []
    known = sorted(times)
    here = set(numbers)
    for before, after in itertools.pairwise(known):
        if after > last and any(n not in here for n in range(before + 1, min(after, before + 1000))):
            gaps.append(Gap(times[before], times[after], "missing_numbers"))
    return gaps


async def _gone(calls: Calls, channel: str, state: dict[str, Any], newest: Page) -> tuple[list[int], list[int]]:
    """Return (messages that were there and that Telegram now says do not exist, messages that came back)."""
    back = sorted(set(state.get("gone", ())) & set(newest.numbers))
    gone = []
    for number in absent(state.get("recent", ()), newest.numbers, int)[:MAX_CHECKS]:
        answer = await calls.fetch(Request(f"https://t.me/{channel}/{number}?embed=1&mode=tme"))
        if b"tgme_widget_message_error" in answer.body or b"err_message" in answer.body:
            gone.append(number)
    return gone, back


async def _find_without_preview(calls: Calls, known: str, name: str) -> list[Found]:
    answer = await calls.fetch(Request(f"https://t.me/{name}", headers={"Accept-Language": "en"}))
    title, extra = _title_and_extra(answer.body.decode("utf-8", "replace"))
    if title is None:
        return []
    if "subscriber" not in extra:
        what = "a group, whose members write there" if "member" in extra else "a person or a bot"
        raise FetchFailed(Trouble.FORBIDDEN, f"t.me: {what}; only public channels are watched")
    warning = "the channel has no preview page; watch it with telegram-account and your own keys"
    audience = rounded(extra)
    return [Found("telegram-account", known, name, title, "page of Telegram", warnings=(warning,), source_kind="channel", audience=audience)]  # fmt: skip


# ---- markup ------------------------------------------------------------------------------------------------------


def _title_and_extra(source: str) -> tuple[str | None, str]:
    # apart from what raises: an error's traceback would keep the tree until some other thread's garbage collection, and
    # a tree can be freed by its own thread only
    document: Any = HTMLTree.parse(source).document
    return _text(document.query_selector(".tgme_page_title")), _text(document.query_selector(".tgme_page_extra")) or ""


def read_page(source: str) -> Page:
    """Return what a preview page holds."""
    document: Any = HTMLTree.parse(source).document
    title = _text(document.query_selector(".tgme_channel_info_header_title"))
    page = Page(None, title, _audience(document), [], [], [], _before(document))
    for node in document.query_selector_all(".tgme_widget_message[data-post]"):
        channel, _, number = node.getattr("data-post").rpartition("/")
        if not channel or not number.isdigit():
            continue
        page.name = channel
        page.numbers += _numbers(node, int(number))
        page.parts |= _unknown_parts(node)
        if "service_message" in node.class_list or node.query_selector(".tgme_widget_message_date time") is None:
            continue  # joined, pinned, renamed: no post
        page.rows.append(_row(node, channel, int(number), title))
        if "edited" in (_text(node.query_selector(".tgme_widget_message_meta")) or ""):
            page.edited.append(int(number))
    page.rows.sort(key=lambda row: int(row["post_id"].rsplit("/", 1)[1]))
    return page


def _row(node: Any, channel: str, number: int, title: str | None) -> Row:
    reply = node.query_selector("a.tgme_widget_message_reply")
    answered = _POST_LINK.match(reply.getattr("href") or "") if reply else None
    origin = node.query_selector(".tgme_widget_message_forwarded_from_name")
    origin_address = (origin.getattr("href") or "") if origin else ""
    original, channel_of = _POST_LINK.match(origin_address), _CHANNEL_LINK.fullmatch(origin_address)
    body = _body(node)
    return {
        "post_id": telegram_id(channel, number),
        "platform": "telegram",
        "source": channel,
        "source_kind": "channel",
        "source_name": title or _text(node.query_selector(".tgme_widget_message_owner_name")),
        "published_at": node.query_selector(".tgme_widget_message_date time").getattr("datetime"),
        "url": f"https://t.me/{channel}/{number}",
        "text": (plain_text(body) if body else None) or _poll(node),
        "links": _links(node, body),
        "reply_to": telegram_id(answered[1], answered[2]) if answered else None,
        "repost_of": telegram_id(original[1], original[2]) if original else None,
        "forwarded_from": original[1] if original else channel_of[1] if channel_of else _text(origin),
        "media": _media(node),
        "likes": _reactions(node),
        "views": rounded(_text(node.query_selector(".tgme_widget_message_views"))),
    }


def _body(node: Any) -> Any:
    """Return the node of the message's own words, not those it answers to."""
    found = node.query_selector_all(".tgme_widget_message_text.js-message_text")
    return found[0] if found else None


def plain_text(node: Any) -> str:
    """Return the words as Telegram's own export gives them; links to persons lose their name, as there."""
    return "".join(_words(node)).replace("\xa0", " ").strip()


def _words(node: Any) -> Iterator[str]:
    for child in node.child_nodes:
        if child.tag == "#text":
            yield child.value
        elif child.tag == "br":
            yield "\n"
        elif child.tag == "a":
            shown, address = "".join(_words(child)), child.getattr("href") or ""
            is_plain = shown.startswith(("@", "#")) or _bare(shown) == _bare(address)
            yield shown if is_plain or not names_somebody(address) else f"[{shown}]({address})"
        elif child.tag in ("blockquote", "pre"):
            yield "".join(_words(child)).strip("\n") + "\n"
        elif child.tag not in ("script", "style"):
            yield from _words(child)


def _bare(address: str) -> str:
    return re.sub(r"^https?://(?:www\.)?", "", address.strip().rstrip("/"))


def _links(node: Any, body: Any) -> list[str]:
    links: dict[str, None] = {}
    for anchor in body.query_selector_all("a[href]") if body else ():
        address = anchor.getattr("href")
        if address.startswith(("http://", "https://")) and not anchor.text.startswith(("@", "#")):
            links[address] = None
    preview = node.query_selector("a.tgme_widget_message_link_preview")
    if preview and (preview.getattr("href") or "").startswith("http"):
        links[preview.getattr("href")] = None
    return list(links)


def _media(node: Any) -> list[dict[str, str]]:
    found: dict[str, None] = {}
    for item in node.query_selector_all(
        ".tgme_widget_message_photo_wrap, .tgme_widget_message_video_player, .tgme_widget_message_roundvideo_player, "
        ".tgme_widget_message_voice, .tgme_widget_message_document_wrap, .tgme_widget_message_sticker, .grouped_media_wrap"
    ):
        video = item.query_selector("video[src]")
        thumb = item.query_selector("[class*=video_thumb]")
        image = _IMAGE.search(item.getattr("style") or "") or _IMAGE.search(
            (thumb.getattr("style") or "") if thumb else ""
        )
        address = item.getattr("src") or item.getattr("data-webp")
        address = (
            (video.getattr("src") if video else None)
            or address
            or (image[1] if image else None)
            or item.getattr("href")
        )
        if address:
            found[urljoin("https://t.me/", address)] = None
    return [{"url": address} for address in found]


def _poll(node: Any) -> str | None:
    question = _text(node.query_selector(".tgme_widget_message_poll_question"))
    options = [_text(o) or "" for o in node.query_selector_all(".tgme_widget_message_poll_option_text")]
    return "\n".join([question, *(f"- {option}" for option in options)]) if question else None


def _reactions(node: Any) -> int | None:
    counts = []
    for reaction in node.query_selector_all(".tgme_reaction"):
        # the emoji may be a digit with a frame: only words outside of it count
        words = "".join(child.value for child in reaction.child_nodes if child.tag == "#text")
        counts.append(rounded(words) or 0)
    return sum(counts) or None


def _numbers(node: Any, number: int) -> list[int]:
    """Return the numbers that a message takes: an album is one message under several."""
    numbers = {number}
    for anchor in node.query_selector_all(".tgme_widget_message_grouped_wrap a[href]"):
        match = _POST_LINK.match(anchor.getattr("href"))
        if match:
            numbers.add(int(match[2]))
    return sorted(numbers)


def _unknown_parts(node: Any) -> set[str]:
    found = set()
    for part in node.query_selector_all("[class*=tgme_widget_message_]"):
        found |= {match[1] for name in part.class_list if (match := _PART.match(name))}
    return found - _PARTS


def _before(document: Any) -> int | None:
    for selector, attribute in (("a.tme_messages_more[data-before]", "data-before"), ("link[rel=prev]", "href")):
        node = document.query_selector(selector)
        match = re.search(r"(\d+)$", node.getattr(attribute) or "") if node else None
        if match:
            return int(match[1])
    return None


def _audience(document: Any) -> int | None:
    for counter in document.query_selector_all(".tgme_channel_info_counter"):
        if "subscriber" in (_text(counter.query_selector(".counter_type")) or ""):
            return rounded(_text(counter.query_selector(".counter_value")))
    return None


def rounded(text: str | None) -> int | None:
    """Return a count as the pages round it: ``12.5K`` is 12500, ``1 234 subscribers`` is 1234."""
    match = _ROUNDED.search(re.sub(r"(?<=\d)\s(?=\d)", "", text or ""))
    if match is None:
        return None
    unit = {"K": 1000, "M": 1_000_000, "B": 1_000_000_000}.get(match[2].upper(), 1)
    digits = match[1].replace(",", "" if unit == 1 else ".").rstrip(".")
    try:
        return round(float(digits) * unit)
    except ValueError:
        return None


def _text(node: Any) -> str | None:
    words = re.sub(r"\s+", " ", node.text).strip() if node else ""
    return words or None

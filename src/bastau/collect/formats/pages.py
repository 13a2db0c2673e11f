"""Web pages for website families: Page NDJSON, and web archives, whose articles become posts as well.

References: ISO 28500 (WARC 1.1); the Internet Archive ARC 1.0 format; WACZ 1.1.1, section 5 (``archive/*.warc.gz``);
https://schema.org/NewsArticle; https://ogp.me.
"""

import io
import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlsplit

import orjson

from bastau.collect.addresses import web_post_id
from bastau.collect.articles.reading import decode_page, read_article
from bastau.collect.formats.claims import as_claim, parse_moment, reviews
from bastau.collect.handles import HOSTS
from bastau.collect.lines import objects, read_lines
from bastau.collect.reading import (
    MAX_RECORD_BYTES,
    Batch,
    Head,
    Problem,
    Request,
    Row,
    digest,
    raw_table,
    sort_out,
)
from bastau.collect.web.encodings import Garbled, TooLarge, unpack
from bastau.errors import InputError

MAX_ARCHIVE_BATCH_BYTES = 64 << 20
"""Page bytes in one batch: pages are read whole and parsed, so fewer fit than posts."""

_STRINGS = ("html", "ads_txt", "ip", "favicon_sha256")
_LISTS = ("nameservers", "cert_sans")
_PACKINGS = ("gzip", "x-gzip", "deflate", "br", "zstd")
_COOKIES = ("set-cookie", "set-cookie2", "cookie")


class PageLines:
    """Pages, one JSON object a line: domain, url, fetched_at, and any of html, ads_txt, headers, ip and the like."""

    name = "pages"

    def accepts(self, head: Head) -> bool:
        """Say whether the first object is a fetched page."""
        line = head.json_line
        return line is not None and {"domain", "url", "fetched_at"} <= line.keys()

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield pages."""
        for lines in read_lines(stream, request.batch_rows):
            problems = list(lines.problems)
            pages: list[Row] = []
            for number, value in objects(lines):
                page = value if isinstance(value, Problem) else _page(number, value)
                sort_out(page, problems, pages)
            yield Batch(lines.data, raw_table([]), problems, pages=pages)


def _page(number: int, value: Row) -> Row | Problem:
    for name in ("domain", "url", "fetched_at"):
        if not isinstance(value.get(name), str) or not value[name]:
            return Problem(number, name, "missing_field", f"every page needs {name}")
    fetched = parse_moment(value["fetched_at"])
    if fetched is None:
        return Problem(number, "fetched_at", "bad_time", "fetched_at must be RFC 3339 (2024-05-01T12:00:00Z)")
    if _platform(value["domain"]):
        return Problem(number, "domain", "social_page", _SOCIAL)
    return {
        "domain": value["domain"].lower(),
        "url": value["url"],
        "fetched_at": fetched,
        **{name: value[name] if isinstance(value.get(name), str) else None for name in _STRINGS},
        **{name: [str(v) for v in value[name]] if isinstance(value.get(name), list) else None for name in _LISTS},
        "headers": _given_headers(value.get("headers")),
        "whois_created": parse_moment(str(value.get("whois_created") or "")),
    }


_SOCIAL = "pages of social platforms are full of other people's names; import that platform's posts instead"


def _platform(host: str) -> str | None:
    host = host.lower().removeprefix("www.")
    return next((name for site, name in HOSTS.items() if host == site or host.endswith("." + site)), None)


def _given_headers(headers: Any) -> str | None:
    """Return headers given as an object, or as the text of one; ``null`` for other text, which may hold cookies too."""
    if isinstance(headers, str) and headers:
        try:
            headers = orjson.loads(headers)
        except orjson.JSONDecodeError:
            return "null"
        if not isinstance(headers, dict):
            return "null"
    return _headers(headers.items()) if isinstance(headers, dict) else None


def _headers(pairs: Any) -> str:
    # Cookies of the crawl identify the visitor and nobody's website.
    return orjson.dumps({str(k): str(v) for k, v in pairs if str(k).lower() not in _COOKIES}).decode()


class WebArchive:
    """WARC, WACZ and ARC: HTML answers become pages; those with a publication time become posts too."""

    name = "warc"

    def accepts(self, head: Head) -> bool:
        """Say whether the first record begins as WARC or ARC records do."""
        return head.data.startswith((b"WARC/", b"filedesc://"))

    def read(self, stream: io.BufferedReader, request: Request) -> Iterator[Batch]:
        """Yield pages and posts; records are numbered from 1. What is left out is counted in a note of the last batch, and
        is a reject where nothing else was found.
        """
        rows: list[Row] = []
        pages: list[Row] = []
        claims: list[Row] = []
        problems: list[Problem] = []
        content, size, n_found = b"", 0, 0
        left: Counter[str] = Counter()
        trail = b""
        source = (_arc_records if stream.peek(11).startswith(b"filedesc://") else _warc_records)(stream)
        damage: InputError | None = None
        while True:
            try:
                number, record = next(source)
            except StopIteration:
                break
            except InputError as error:  # first give out what came before it
                damage = error
                break
            if isinstance(record, str):
                left[record] += 1
                trail = digest(trail, record.encode())
                continue
            n_found += 1
            if isinstance(record, Problem):
                problems.append(record)
                content = digest(content, str(number).encode(), record.reason.encode())
                continue
            content = digest(content, record.url.encode(), record.body)
            size += len(record.body)
            read_page(number, record, rows, pages, claims, problems)
            if size >= MAX_ARCHIVE_BATCH_BYTES or len(pages) + len(problems) >= request.batch_rows:
                yield Batch(content, raw_table(rows), problems, pages, claims)
                rows, pages, claims, problems, content, size = [], [], [], [], b"", 0
        if n_found:
            left.pop(_OTHER, None)  # every archive has them, and no page is lost with them
        notes = _told(left)
        if not n_found and damage is None:
            problems.append(
                Problem(None, None, "no_page", "the web archive holds no page; the note says what it holds")
            )
            content = digest(trail, b"no page")
        if content or notes:
            yield Batch(content or digest(trail), raw_table(rows), problems, pages, claims, notes=notes)
        if damage is not None:
            raise damage


_OTHER, _REVISIT = "requests, metadata and the like", "repeats of pages that stand elsewhere (revisit)"
_NO_HTML, _NO_WEB, _EMPTY = "answers that are no HTML", "records of other places than the web", "answers without a body"


def _told(left: Counter[str]) -> list[str]:
    return [f"left out: {', '.join(f'{n:,} {what}' for what, n in left.most_common())}"] if left else []


class Answer:
    """One archived HTTP answer."""

    def __init__(
        self, url: str, fetched: int, status: int, headers: list[tuple[str, str]], body: bytes, ip: str | None
    ) -> None:
        self.url, self.fetched, self.status, self.headers, self.body, self.ip = url, fetched, status, headers, body, ip

    def header(self, name: str) -> str:
        """Return a header, empty when there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def is_whole(self) -> bool:
        """The body has the length that the server announced."""
        announced = self.header("content-length")
        return announced.isdigit() and len(self.body) >= int(announced)


class _Forward:
    """The part of a stream that the archive reader needs: it asks where it is, and may not jump."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._at += len(data)
        return data

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """Leave the stream to its owner."""

    def seek(self, _offset: int, _whence: int = 0) -> int:
        raise OSError("a stream that only goes forward")


Found = tuple[int, "Answer | Problem | str"]
"""(number of the record, what it holds, or as words why it is left out)"""


def _warc_records(stream: io.BufferedReader) -> Iterator[Found]:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    forward = _Forward(stream)
    # Bodies are unpacked here: one that is not packed as it says must not end the reading of all others.
    archive = iter(
        ArchiveIterator(
            cast(Any, forward), record_types=WarcRecordType.any_type, parse_http=True, auto_decode="transfer"
        )
    )
    for number in itertools.count(1):
        try:
            record = next(archive, None)
            if record is None:
                return
            yield number, _read_record(number, record)
        except OSError as error:
            raise InputError(
                f"the web archive is damaged or cut off in record {number}, before its unpacked byte {forward.tell():,}; "
                "what came before is kept; fetch it again"
            ) from error


def _read_record(number: int, record: Any) -> "Answer | Problem | str":
    """Return what a record holds.

    Raises:
        OSError: it is cut off.
    """
    if record.headers.get("Content-Length") is None:
        raise OSError("the head of a record is cut off")
    kind = (record.headers.get("WARC-Type") or "").lower()
    if kind == "revisit":
        return _REVISIT
    http, type_ = record.http_headers, (record.headers.get("Content-Type") or "").lower()
    # A resource or conversion is a page by itself, without an answer of HTTP around it.
    is_page = kind in ("resource", "conversion") and http is None
    if not is_page and kind != "response":
        return _OTHER
    url = (record.headers.get("WARC-Target-URI") or "").strip("<> ")
    if url and not url.lower().startswith(("http://", "https://")):
        return _NO_WEB
    moment = parse_moment(record.headers.get("WARC-Date"))
    if not url or moment is None:
        return Problem(number, None, "bad_record", "the record lacks its address or its date")
    if not is_page and http is None:
        return _NO_WEB
    if "html" not in (type_ if is_page else (http.get("Content-Type") or "html").lower()):
        return _NO_HTML
    status = 0 if is_page else http.status_code or 0
    if status and not 200 <= status < 300:
        return f"answers of status {status}"
    pairs = [("Content-Type", type_)] if is_page else [(str(k), str(v)) for k, v in http.astuples()]
    answer = Answer(url, moment, status, pairs, b"", record.headers.get("WARC-IP-Address"))
    size = record.content_length
    answer.body = record.reader.read(MAX_RECORD_BYTES + 1)
    if len(answer.body) < size <= MAX_RECORD_BYTES and "chunked" not in answer.header("transfer-encoding").lower():
        raise OSError("the body of a record is cut off")
    return _unpacked(number, answer)


def _unpacked(number: int, answer: Answer) -> Answer | Problem | str:
    encoding = answer.header("content-encoding").strip().lower()
    # Many archives hold pages unpacked and leave the header as it was; others name a charset there.
    if encoding not in _PACKINGS or answer.body.lstrip()[:1] == b"<":
        encoding = ""
    try:
        answer.body = unpack(answer.body, encoding, MAX_RECORD_BYTES)
    except TooLarge:
        return Problem(number, None, "too_long", f"the page is longer than {MAX_RECORD_BYTES} bytes")
    except Garbled:
        return Problem(number, None, "bad_encoding", "the page is not packed as its Content-Encoding says")
    except ImportError:
        return Problem(number, None, "bad_encoding", "the page is packed with Brotli: pip install 'bastau[watch]'")
    return answer if answer.body else _EMPTY


def _arc_records(stream: io.BufferedReader) -> Iterator[Found]:
    number = 0
    while line := stream.readline(1 << 16):
        if not line.strip():
            continue
        number += 1
        # Addresses may hold blanks; the last four fields never do.
        parts = line.decode("utf-8", "replace").rsplit(None, 4)
        if len(parts) != 5 or not parts[4].isdigit():
            yield number, Problem(number, None, "bad_record", "no ARC record begins here; the rest is not read")
            return
        url, ip, stamp, kind, length = parts
        size = int(length)
        body = stream.read(min(size, MAX_RECORD_BYTES + 1))
        missing = size - len(body)
        while missing and (more := stream.read(min(missing, 1 << 20))):
            missing -= len(more)
        if url.startswith("filedesc:"):
            found: Answer | Problem | str = _OTHER
        elif "html" not in kind.lower():
            found = _NO_HTML if url.lower().startswith(("http://", "https://")) else _NO_WEB
        else:
            found = _arc_page(number, url, ip, stamp, body)
        # Old files went through programs that changed line ends, so that records are shorter than they say.
        if missing and not (isinstance(found, Answer) and found.is_whole):
            raise InputError(
                f"the web archive is cut off in record {number}, {missing:,} bytes before its end; what came before is kept; "
                "fetch it again"
            )
        yield number, found


def _arc_page(number: int, url: str, ip: str, stamp: str, body: bytes) -> Answer | Problem | str:
    if len(body) > MAX_RECORD_BYTES:
        return Problem(number, None, "too_long", f"the page is longer than {MAX_RECORD_BYTES} bytes")
    head, _, page = body.partition(b"\r\n\r\n") if b"\r\n\r\n" in body else body.partition(b"\n\n")
    lines = head.decode("latin-1").splitlines()
    pairs = [(k.strip(), v.strip()) for k, _, v in (entry.partition(":") for entry in lines[1:])]
    status = next((int(word) for word in lines[0].split()[1:2] if word.isdigit()), 0) if lines else 0
    try:
        moment = int(datetime.strptime(stamp + "+0000", "%Y%m%d%H%M%S%z").timestamp()) * 1_000_000
    except ValueError:
        return Problem(number, None, "bad_record", "the record has no date")
    if status and not 200 <= status < 300:
        return f"answers of status {status}"
    return _unpacked(number, Answer(url, moment, status, pairs, page, ip))


def read_page(
    number: int,
    answer: Answer,
    rows: list[Row],
    pages: list[Row],
    claims: list[Row],
    problems: list[Problem],
) -> None:
    """Add to the lists what one archived answer holds: a page, and a post if it says when it was published."""
    host = (urlsplit(answer.url).hostname or "").lower()
    if _platform(host):
        problems.append(Problem(number, "url", "social_page", _SOCIAL))
        return
    html = decode_page(answer.body, answer.header("content-type"))
    pages.append(
        {
            "domain": host,
            "url": answer.url,
            "fetched_at": answer.fetched,
            "html": html,
            "headers": _headers(answer.headers),
            "ip": answer.ip,
        }
    )
    article, found = _article(html, answer.url)
    claims += [claim for claim in map(as_claim, found) if not isinstance(claim, Problem)]
    if article is None:
        return
    rows.append(
        {
            **article,
            "post_id": web_post_id(answer.url),
            "platform": "web",
            "source": host.removeprefix("www."),
            "source_kind": "website",
            "collected_at": str(answer.fetched),
            "url": answer.url,
            "line": number,
        }
    )


def _article(html: str, url: str) -> tuple[Row | None, list[Row]]:
    """Return (title, text, time and picture of the article on a page, or None; fact-checks on it)."""
    article = read_article(html, url)
    found = list(reviews(article.facts.data))
    if article.published_at is None or not article.is_article:
        return None, found
    return {
        "title": article.title,
        "text": article.text or article.summary,
        "published_at": article.published_at.isoformat(),
        "language": article.language,
        "media": [{"url": article.image}] if article.image else [],
    }, found


PAGE_LINES = PageLines()
WEB_ARCHIVE = WebArchive()

"""What one fetch becomes in the archive: its records, and the act that names them.

A fetch is one capture: for each redirect and for the answer a ``request`` and what came back, linked by
WARC-Concurrent-To. What came back is

- ``response``: a redirect, or a body in which no private handle was found;
- ``conversion``: a body whose private handles were replaced;
- ``revisit``: a body that is kept already, seen again.

Reference: WARC 1.1 (ISO 28500:2017), sections 6.3 (response), 6.5 (request), 6.7 (revisit) and 6.8 (conversion).
"""

import codecs
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from bastau.chain import Entry
from bastau.collect.handles import with_own_host
from bastau.collect.visits import Answer, Request
from bastau.evidence import warc

Scrub = Callable[[str], str]
"""Replaces private handles in the source of a page or feed, or in an address."""
_KEPT_HEADERS = frozenset(
    {
        "age", "alt-svc", "cache-control", "content-disposition", "content-language", "content-type", "date", "etag", "expires",
        "last-modified", "server", "vary", "via", "x-cache", "x-powered-by", "x-robots-tag",
    }
)  # fmt: skip
"""Headers of answers that are kept; others may hold cookies, keys and traces of a session, or relative addresses of persons'
pages, which do not show whose they are."""
_ASKED_HEADERS = ("accept", "accept-language")
"""Headers of requests that are kept beside those we always send; others may be keys."""
_TEXTS = frozenset(
    {
        "text/html", "text/plain", "text/xml", "application/xml", "application/xhtml+xml", "application/rss+xml",
        "application/atom+xml", "application/rdf+xml", "application/feed+json",
    }
)  # fmt: skip
_RESERVED = "%/:?#[]@!$&'()*+,;=~"
_HTTP = "application/http;msgtype="
_PROFILES = "http://netpreserve.org/warc/1.1/revisit/"


@dataclass(frozen=True)
class Text:
    """A body as text, and the encoding that gives its bytes back."""

    words: str
    encoding: str
    kind: str


@dataclass(frozen=True)
class Capture:
    """A fetch with private handles replaced.

    Attributes:
        asked: the address asked for.
        url: the address that answered.
        hops: (address, status, where it pointed) of redirects on the way.
        body: None where the server said that nothing changed (304).
        is_same: nothing was replaced in the body.
    """

    request: Request
    answer: Answer
    asked: str
    url: str
    hops: Sequence[tuple[str, int, str]]
    headers: Sequence[tuple[str, str]]
    body: bytes | None
    media_type: str
    is_same: bool

    @property
    def kept_sha256(self) -> str:
        """SHA-256 of the body as it is kept."""
        return hashlib.sha256(self.body or b"").hexdigest()

    def is_of(self, item: Entry) -> bool:
        """Say whether what was fetched is what ``item`` kept: the same bytes, or a 304 to the very validator of ``item``.

        Another version may have been fetched since without being kept, so that a 304 alone says nothing of ``item``.
        """
        if self.body is not None:
            return self.kept_sha256 == str(item["kept_sha256"])
        tag, modified = self.request.etag, self.request.last_modified
        if tag and not item["is_pseudonymised"]:
            return tag == item.get("etag")
        return modified is not None and modified == item.get("last_modified")


def capture(request: Request, answer: Answer, scrub: Scrub) -> Capture | None:
    """Return what of a fetch may be kept; None for a body that is no text in a known encoding."""
    text = None if answer.is_unchanged else text_of(answer)
    if text is None and not answer.is_unchanged:
        return None
    body, is_same = None, True
    if text is not None:
        whole = with_own_host(text.words, answer.url)
        scrubbed = scrub(whole)
        is_same = scrubbed == whole
        body = answer.body if is_same else scrubbed.encode(text.encoding, "xmlcharrefreplace")
    hops = []
    for hop in answer.hops:
        # A relative address does not show whose it is, so handles are looked for in the whole one.
        target = urljoin(hop.url, hop.location.strip())
        known = _address(target, scrub)
        hops.append((_address(hop.url, scrub), hop.status, hop.location if known == target else known))
    return Capture(
        request,
        answer,
        asked=_address(request.url, scrub),
        url=_address(answer.url, scrub),
        hops=hops,
        headers=[(name, scrub(value)) for name, value in answer.headers if name.lower() in _KEPT_HEADERS],
        body=body,
        media_type=text.kind if text is not None else "",
        is_same=is_same,
    )


def text_of(answer: Answer) -> Text | None:
    """Return the body as text; None where that cannot be known for sure, since a handle in it would not be found."""
    kind, _, rest = (answer.header("content-type") or "text/html").lower().partition(";")
    if kind.strip() not in _TEXTS:
        return None
    named = re.search(r"charset=[\"']?([\w.:-]+)", rest)
    declared = re.search(rb"(?:encoding|charset)=[\"']?([\w.:-]+)", answer.body[:1024])
    for name in (named and named[1], declared and declared[1].decode(), "utf-8"):
        if not name:
            continue
        try:
            encoding = codecs.lookup(name).name
            words = answer.body.decode(encoding)
        except (LookupError, UnicodeError):
            continue
        if "\0" not in words and words.encode(encoding, "surrogatepass") == answer.body:
            return Text(words, encoding, kind.strip())
    return None


def _address(url: str, scrub: Scrub) -> str:
    scrubbed = scrub(url)
    return url if scrubbed == url else quote(scrubbed, safe=_RESERVED)


# ---- records ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """A record to be written, and what the chain holds of it."""

    kind: str
    at: datetime
    fields: Sequence[tuple[str, str]]
    block: bytes
    record_id: str

    @property
    def block_sha256(self) -> str:
        """SHA-256 of the block."""
        return hashlib.sha256(self.block).hexdigest()

    def packed(self, info_id: str | None) -> bytes:
        """Return it as a gzip member; ``info_id`` names the warcinfo of its file."""
        fields = [*self.fields, ("WARC-Block-Digest", f"sha256:{self.block_sha256}")]
        if info_id is not None:
            fields.append(("WARC-Warcinfo-ID", info_id))
        return warc.packed(self.kind, self.record_id, self.at, fields, self.block)


def records(one: Capture, item: Entry | None, agent: str) -> list[Record]:
    """Return the records of a capture, what answered at last first.

    Args:
        item: what kept the same content before, None if nothing did.
        agent: our user agent.
    """
    at = one.answer.started_at
    main = _main(one, item)
    # A tag may be a digest of the page as it was sent, by which a replaced handle could be guessed.
    tag = one.request.etag if item is not None and not item["is_pseudonymised"] and one.body is None else None
    made = [main, _request(one, one.url, main, agent, tag)]
    for url, status, location in one.hops:
        fields = [("WARC-Target-URI", url), ("Content-Type", _HTTP + "response")]
        hop = Record("response", at, fields, warc.as_http(status, [("Location", location)], b""), warc.new_id())
        made += [hop, _request(one, url, hop, agent, tag)]
    return made


def _main(one: Capture, item: Entry | None) -> Record:
    answer = one.answer
    fields = [("WARC-Target-URI", one.url), *([("WARC-IP-Address", answer.ip)] if answer.ip else [])]
    if item is not None:
        profile = "server-not-modified" if one.body is None else "identical-payload-digest"
        fields += [
            ("Content-Type", _HTTP + "response"),
            ("WARC-Profile", _PROFILES + profile),
            ("WARC-Refers-To", item["record"]),
            ("WARC-Refers-To-Target-URI", item["url"]),
            ("WARC-Refers-To-Date", warc.date(datetime.fromisoformat(item["fetched_at"]))),
            ("WARC-Payload-Digest", f"sha256:{item['kept_sha256']}"),
        ]
        headers = [
            (name, value) for name, value in one.headers if not (item["is_pseudonymised"] and name.lower() == "etag")
        ]
        block = warc.as_http(answer.status, headers, b"")
        return Record("revisit", answer.started_at, fields, block, warc.new_id())
    body = one.body or b""
    fields.append(("WARC-Payload-Digest", f"sha256:{one.kept_sha256}"))
    if one.is_same:
        fields.append(("Content-Type", _HTTP + "response"))
        block = warc.as_http(answer.status, one.headers, body)
        return Record("response", answer.started_at, fields, block, warc.new_id())
    fields.append(("Content-Type", answer.header("content-type") or "text/html"))
    return Record("conversion", answer.started_at, fields, body, warc.new_id())


def _request(one: Capture, url: str, of: Record, agent: str, tag: str | None) -> Record:
    parts = urlsplit(url)
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_RESERVED)
    given = [(name, value) for name, value in one.request.headers.items() if name.lower() in _ASKED_HEADERS]
    if not any(name.lower() == "accept" for name, _ in given):
        given.append(("Accept", "*/*"))
    lines = [("Host", parts.netloc), ("User-Agent", agent), *given]
    if tag:
        lines.append(("If-None-Match", tag))
    if one.request.last_modified:
        lines.append(("If-Modified-Since", one.request.last_modified))
    block = warc.http(f"GET {target} HTTP/1.1", lines, b"")
    fields = [
        ("WARC-Target-URI", url),
        ("Content-Type", _HTTP + "request"),
        ("WARC-Concurrent-To", of.record_id),
    ]
    return Record("request", of.at, fields, block, warc.new_id())


def act_of(one: Capture, item: Entry | None, made: Sequence[Record], file: str, by: str) -> Entry:
    """Return the act that names the records of a capture."""
    main, *beside = made
    act: dict[str, Any] = {
        "act": "kept" if item is None else "seen", "by": by, "url": one.url, "asked": one.asked, "hops": [[url, status] for url, status, _ in one.hops],
        "status": one.answer.status, "fetched_at": one.answer.started_at.isoformat(), "file": file, "record": main.record_id,
        "block_sha256": main.block_sha256, "beside": [[record.record_id, record.block_sha256] for record in beside],
    }  # fmt: skip
    if item is not None:
        return act | {"of": item["n"]}
    return act | {
        "source_sha256": one.kept_sha256 if one.is_same else None, "kept_sha256": one.kept_sha256, "is_pseudonymised": not one.is_same,
        "etag": one.answer.header("etag") if one.is_same else None, "last_modified": one.answer.header("last-modified"),
        "size_bytes": len(one.body or b""), "media_type": one.media_type,
    }  # fmt: skip


def record_digests(act: Entry) -> Iterator[tuple[str, str]]:
    """Yield (id, SHA-256 of the block) of the records that an act names."""
    if "record" in act:
        yield act["record"], act["block_sha256"]
        yield from ((record_id, digest) for record_id, digest in act.get("beside", ()))

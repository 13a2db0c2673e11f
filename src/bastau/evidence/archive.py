"""The archive of a home: web-archive files of what was fetched, and the chain of custody over them.

evidence/
  chain.ndjson        every act: kept, shot, stamped, exported, erased, dropped
  warc/<day>-<n>.warc.gz
  shots/<hash>.png
  stamps/<n>.tsr, <n>.ots

What persons are called must not be stored (SCOPE, rule 2), raw payloads included. So the body is kept as the import would
keep it, with private handles replaced. Where nothing was replaced the record is a ``response`` and the chain holds the
SHA-256 of the bytes as they were sent; otherwise it is a ``conversion`` (WARC 1.1, section 6.8) without that digest, by which
a handle could be guessed. Only texts whose encoding is known are kept, and only of websites: answers of social platforms are
persons' posts. Cookies and keys are not kept either.
"""

import codecs
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bastau.collect.addresses import social_platform, website_of
from bastau.collect.visits import Answer, Request
from bastau.errors import ConfigError
from bastau.evidence import warc
from bastau.evidence.chain import Chain, Entry, Finding

MAX_WAITING_BYTES = 64 << 20
"""Answers held until they are written; beyond it they are dropped, and the chain says how many."""
MAX_FILE_BYTES = 512 << 20
_KEPT_HEADERS = frozenset(
    {
        "age", "alt-svc", "cache-control", "content-disposition", "content-language", "content-location", "content-type", "date",
        "etag", "expires", "last-modified", "link", "location", "server", "vary", "via", "x-cache", "x-powered-by", "x-robots-tag",
    }
)  # fmt: skip
"""Headers that are kept; others may hold cookies, keys and traces of a session."""
_TEXTS = frozenset(
    {
        "text/html", "text/plain", "text/xml", "application/xml", "application/xhtml+xml", "application/rss+xml",
        "application/atom+xml", "application/rdf+xml", "application/feed+json",
    }
)  # fmt: skip
SAID = (
    "software: bastau\r\nformat: WARC File Format 1.1\r\nconformsTo: http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/\r\n"
    "description: bodies are unpacked, and private persons' handles in them replaced by pseudonyms where any were found (conversion records). Cookies, keys and request headers are left out.\r\n"
)


@dataclass(frozen=True)
class Waiting:
    """An answer to be kept."""

    url: str
    answer: Answer


class Archive:
    """The archive in ``folder``; give :meth:`take` to the fetcher and call :meth:`write` under the lock of the home.

    Args:
        folder: ``evidence`` in the home folder.
        chosen: says whether the website of an address is kept.
    """

    def __init__(self, folder: Path, chosen: Callable[[str], bool] = lambda _website: True):
        self.folder = folder
        self._chosen = chosen
        self._waiting: list[Waiting] = []
        self._n_bytes = 0
        self._n_dropped = 0
        self._last: dict[str, bytes] = {}
        self._turn = threading.Lock()

    def take(self, request: Request, answer: Answer) -> None:
        """Take an answer in; at once, nothing is written yet."""
        if answer.status >= 300 or social_platform(answer.url) or social_platform(request.url):
            return
        if not self._chosen(website_of(request.url)):
            return
        # What did not change since it was last kept is proven by that; a feed is asked a hundred times a day.
        content = hashlib.blake2b(answer.body, digest_size=16).digest()
        with self._turn:
            if self._last.get(answer.url) == content:
                return
            if self._n_bytes + len(answer.body) > MAX_WAITING_BYTES:
                self._n_dropped += 1
                return
            self._last[answer.url] = content
            self._waiting.append(Waiting(request.url, answer))
            self._n_bytes += len(answer.body)

    def write(self, scrub: Callable[[str], str], now: datetime, *, by: str = "watch") -> int:
        """Write what was taken in; return the number of items. On disk, file and chain, when this returns.

        What could not be written is held for the next time.

        Args:
            scrub: replaces private handles in the source of a page or feed.
        """
        with self._turn:
            waiting, self._waiting = self._waiting, []
            n_dropped, self._n_dropped = self._n_dropped, 0
            self._n_bytes = 0
        if not waiting and not n_dropped:
            return 0
        try:
            return self._write(waiting, n_dropped, scrub, now, by)
        except BaseException:
            with self._turn:
                self._waiting = waiting + self._waiting
                self._n_dropped += n_dropped
                self._n_bytes += sum(len(item.answer.body) for item in waiting)
            raise

    def _write(
        self, waiting: Sequence[Waiting], n_dropped: int, scrub: Callable[[str], str], now: datetime, by: str
    ) -> int:
        chain = Chain(self.folder)
        acts: list[dict[str, Any]] = []
        kept = [(item, text) for item in waiting if (text := _text_of(item.answer)) is not None]
        if kept:
            path = self._file(now)
            with path.open("ab") as out:
                for item, text in kept:
                    data, act = _kept(item, text, scrub, path.name, by)
                    out.write(data)
                    acts.append(act)
                out.flush()
                os.fsync(out.fileno())
        if n_dropped:
            acts.append({"act": "dropped", "by": by, "count": n_dropped, "why": "more came than could be held"})
        if len(kept) < len(waiting):
            acts.append(
                {"act": "dropped", "by": by, "count": len(waiting) - len(kept), "why": "no text in a known encoding"}
            )
        chain.append(acts, now)
        return len(kept)

    def _file(self, now: datetime) -> Path:
        """Return the file to append to, begun with its warcinfo; what lies behind its last acknowledged record is cut off."""
        folder = self.folder / "warc"
        folder.mkdir(parents=True, exist_ok=True)
        day = now.strftime("%Y%m%d")
        number = max((int(p.name[9:13]) for p in folder.glob(f"{day}-????.warc.gz")), default=0)
        path = folder / f"{day}-{number:04d}.warc.gz"
        if path.exists() and path.stat().st_size > MAX_FILE_BYTES:
            path = folder / f"{day}-{number + 1:04d}.warc.gz"
        if path.exists():
            self._cut(path)
        if not path.exists() or path.stat().st_size == 0:
            fields = [("WARC-Filename", path.name), ("Content-Type", "application/warc-fields")]
            path.write_bytes(warc.packed("warcinfo", warc.new_id(), now, fields, SAID.encode()))
        return path

    def _cut(self, path: Path) -> None:
        """Cut off what stands behind the last record that an act names: it was being written when the process was killed.

        Damage before it is for :meth:`verify` to tell. A chain that is not whole says nothing, so nothing is cut then.
        """
        named = {item["record"] for item in self.items() if item.get("file") == path.name}
        end = 0
        for record in warc.read_records(path):
            if record.record_id in named or record.fields.get("warc-type") == "warcinfo":
                end = record.offset + record.length
        if end < path.stat().st_size and not Chain(self.folder).verify():
            os.truncate(path, end)

    # ---- reading and checking -----------------------------------------------------------------------------

    def items(self, *, match: str = "") -> list[Entry]:
        """Return the acts that kept something, those erased since marked with ``erased``."""
        kept, gone = [], {}
        for entry in Chain(self.folder).entries():
            if entry["act"] in ("kept", "shot") and match in entry.get("url", ""):
                kept.append(entry)
            elif entry["act"] == "erased":
                gone[entry["item"]] = entry["n"]
        return [{**entry, "erased": gone.get(entry["n"])} for entry in kept]

    def working_copy(self, number: int) -> tuple[Entry, bytes]:
        """Return an item and its bytes, for use; the evidence copy stays where it is.

        Raises:
            ConfigError: no such item, or it was erased.
        """
        item = next((entry for entry in self.items() if entry["n"] == number), None)
        if item is None:
            raise ConfigError(f"the chain has no item {number}; `bastau evidence list` names them")
        if item["erased"] is not None:
            raise ConfigError(f"item {number} was erased by act {item['erased']}")
        if item["act"] == "shot":
            return item, (self.folder / "shots" / item["file"]).read_bytes()
        for record in warc.read_records(self.folder / "warc" / item["file"]):
            if record.record_id == item["record"]:
                return item, _body(record)
        raise ConfigError(f"item {number} is missing from {item['file']}; `bastau evidence verify` says more")

    def verify(self) -> list[Finding]:
        """Return everything that is not as the chain says: broken links, and items missing or changed."""
        chain = Chain(self.folder)
        findings = chain.verify()
        if any(finding.code == "unreadable" for finding in findings):
            return findings
        wanted: dict[str, dict[str, Entry]] = {}
        items = self.items()
        standing = {item["file"] for item in items if item["act"] == "shot" and item["erased"] is None}
        for item in items:
            if item["act"] == "shot":
                findings += self._verify_shot(item, standing)
            else:
                wanted.setdefault(item["file"], {})[item["record"]] = item
        for name, records in wanted.items():
            findings += self._verify_file(name, records)
        known = set(wanted)
        stray = [path.name for path in (self.folder / "warc").glob("*.warc.gz") if path.name not in known]
        findings += [Finding("unknown_file", None, f"{name} is in no act of the chain") for name in sorted(stray)]
        return sorted(findings, key=lambda finding: finding.number or 0)

    def _verify_shot(self, item: Entry, standing: Collection[str]) -> list[Finding]:
        path = self.folder / "shots" / item["file"]
        if item["erased"] is not None:
            is_left = path.exists() and item["file"] not in standing
            return [Finding("not_erased", item["n"], f"{item['file']} is still there")] if is_left else []
        if not path.exists():
            return [Finding("missing", item["n"], f"{item['file']} is not there")]
        same = hashlib.sha256(path.read_bytes()).hexdigest() == item["kept_sha256"]
        return [] if same else [Finding("changed", item["n"], f"{item['file']} is not the picture that was taken")]

    def _verify_file(self, name: str, records: Mapping[str, Entry]) -> list[Finding]:
        path = self.folder / "warc" / name
        findings, seen = [], set()
        for record in warc.read_records(path) if path.exists() else ():
            item = records.get(record.record_id)
            if item is None:
                if record.fields.get("warc-type") != "warcinfo":
                    findings.append(
                        Finding("unknown_record", None, f"{name} holds {record.record_id}, which no act names")
                    )
                continue
            if record.record_id in seen:
                findings.append(Finding("doubled", item["n"], f"its record stands twice in {name}"))
            seen.add(record.record_id)
            if item["erased"] is not None:
                findings.append(Finding("not_erased", item["n"], f"its record is still in {name}"))
            elif hashlib.sha256(record.block).hexdigest() != item["block_sha256"]:
                findings.append(Finding("changed", item["n"], f"its record in {name} is not the one that was kept"))
        for record_id, item in records.items():
            if record_id not in seen and item["erased"] is None:
                findings.append(
                    Finding("missing", item["n"], f"its record is not in {name}, or lies behind a damaged one")
                )
        return findings

    # ---- retention and erasure ----------------------------------------------------------------------------

    def erase(self, numbers: Sequence[int], now: datetime, *, by: str, why: str) -> int:
        """Take items out for good; who, when and why stay in the chain, which stays whole. Return how many.

        Raises:
            ConfigError: no reason is given.
        """
        if not why.strip() or not by.strip():
            raise ConfigError("say who erases and why: --by NAME --why REASON; both stay in the chain")
        wanted = set(numbers)
        items = [item for item in self.items() if item["n"] in wanted and item["erased"] is None]
        # The act comes first: killed in between, verify says not_erased, and erasing again ends it.
        Chain(self.folder).append([{"act": "erased", "by": by, "why": why, "item": item["n"]} for item in items], now)
        self._take_out([item for item in self.items() if item["erased"] is not None])
        return len(items)

    def _take_out(self, items: Sequence[Entry]) -> None:
        by_file: dict[str, set[str]] = {}
        standing = {item["file"] for item in self.items() if item["act"] == "shot" and item["erased"] is None}
        for item in items:
            if item["act"] == "shot":
                if item["file"] not in standing:
                    (self.folder / "shots" / item["file"]).unlink(missing_ok=True)
            else:
                by_file.setdefault(item["file"], set()).add(item["record"])
        for name, gone in by_file.items():
            path = self.folder / "warc" / name
            if not path.exists() or not any(record.record_id in gone for record in warc.read_records(path)):
                continue
            temporary = path.with_name(f".{name}.tmp")
            with path.open("rb") as whole, temporary.open("wb") as out:
                at = 0
                for record in warc.read_records(path):
                    if record.record_id in gone:
                        # All else is copied as it stands, damaged parts too.
                        whole.seek(at)
                        out.write(whole.read(record.offset - at))
                        at = record.offset + record.length
                whole.seek(at)
                shutil.copyfileobj(whole, out)
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(path)

    def expired(self, now: datetime, days: int, *, website: str | None = None) -> list[int]:
        """Return the numbers of items older than ``days``, of one website or of all."""
        return [
            item["n"]
            for item in self.items()
            if item["erased"] is None
            and (now - datetime.fromisoformat(item["at"])).days >= days
            and (website is None or website_of(item["url"]) == website)
        ]


def _kept(item: Waiting, text: "Text", scrub: Callable[[str], str], file: str, by: str) -> tuple[bytes, Entry]:
    """Return the record of an answer, packed, and its act."""
    answer = item.answer
    scrubbed = scrub(text.words)
    is_same = scrubbed == text.words
    body = answer.body if is_same else scrubbed.encode(text.encoding, "xmlcharrefreplace")
    url = scrub(answer.url)
    headers = [(name, scrub(value)) for name, value in answer.headers if name.lower() in _KEPT_HEADERS]
    block = warc.as_http(answer.status, headers, body) if is_same else body
    kept, record_id = hashlib.sha256(body).hexdigest(), warc.new_id()
    fields = [
        ("WARC-Target-URI", url),
        (
            "Content-Type",
            "application/http;msgtype=response" if is_same else answer.header("content-type") or "text/html",
        ),
        ("WARC-Block-Digest", f"sha256:{hashlib.sha256(block).hexdigest()}"),
        ("WARC-Payload-Digest", f"sha256:{kept}"),
        *([("WARC-IP-Address", answer.ip)] if answer.ip else []),
    ]
    act = {
        "act": "kept", "by": by, "url": url, "asked": scrub(item.url), "hops": [[scrub(hop.url), hop.status] for hop in answer.hops],
        "status": answer.status, "fetched_at": answer.started_at.isoformat(), "file": file, "record": record_id,
        "source_sha256": kept if is_same else None, "kept_sha256": kept, "block_sha256": hashlib.sha256(block).hexdigest(),
        "is_pseudonymised": not is_same, "size_bytes": len(body), "media_type": text.kind,
    }  # fmt: skip
    return warc.packed("response" if is_same else "conversion", record_id, answer.started_at, fields, block), act


@dataclass(frozen=True)
class Text:
    """A body as text, and the encoding that gives its bytes back."""

    words: str
    encoding: str
    kind: str


def _text_of(answer: Answer) -> Text | None:
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


def _body(record: warc.Record) -> bytes:
    if record.fields.get("warc-type") == "response":
        return record.block.partition(b"\r\n\r\n")[2]
    return record.block

"""The archive of a home: web-archive files of what was fetched, and the chain of custody over them.

evidence/
  chain.ndjson        every act: kept, seen, shot, stamped, exported, erased, dropped
  warc/<day>-<n>.warc.gz
  shots/<hash>.png
  stamps/<act>.tsr, <act>.ots

What persons are called must not be stored (SCOPE, rule 2), raw payloads included. So the body is kept as the import would
keep it, with private handles replaced. Where nothing was replaced the record is a ``response`` and the chain holds the
SHA-256 of the bytes as they were sent; otherwise it is a ``conversion`` (WARC 1.1, section 6.8) without that digest, by which
a handle could be guessed. Only texts whose encoding is known are kept, and only of websites: answers of social platforms are
persons' posts. Cookies and keys are not kept either.

What is fetched again unchanged is noted once a day, as ``seen``, without its body: that it still stood there on that day.
"""

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import bastau
from bastau.chain import Chain, Entry, Finding, Lock
from bastau.collect.addresses import social_platform, website_of
from bastau.collect.visits import Answer, Request
from bastau.errors import ConfigError, LakeDamaged
from bastau.evidence import warc
from bastau.evidence.captures import Capture, Scrub, act_of, capture, record_digests, records
from bastau.evidence.known import Known

MAX_WAITING_BYTES = 64 << 20
"""Answers held until they are written; beyond it they are dropped, and the chain says how many."""
MAX_FILE_BYTES = 512 << 20
_CONFORMS_TO = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
_ROBOTS = "obey (RFC 9309) for pages; feeds and sitemaps are asked for as their publishers announce them"
_DESCRIPTION = (
    "bodies are unpacked, and private persons' handles in them and in addresses replaced by pseudonyms where any were found (bodies: conversion records); "
    "requests with the headers named there, cookies and keys left out; redirects with status and Location; unchanged content once a day (revisit records)"
)


@dataclass(frozen=True)
class Waiting:
    """An answer to be kept."""

    request: Request
    answer: Answer


@dataclass(frozen=True)
class Last:
    """The last look at an address: hash of what was there (None: not known, a 304), and the day (UTC)."""

    content: bytes | None
    day: date


class Archive:
    """The archive in ``folder``; give :meth:`take` to the fetcher, and write under the lock of the archive.

    Args:
        folder: ``evidence`` in the home folder.
        chosen: says whether the website of an address is kept.
        agent: user agent of the requests.
        operator: who runs this, as told to the hosts.
    """

    def __init__(
        self,
        folder: Path,
        chosen: Callable[[str], bool] = lambda _website: True,
        *,
        agent: str = "bastau",
        operator: str = "",
    ):
        self.folder = folder
        self._chosen, self._agent, self._operator = chosen, agent, operator
        self._waiting: list[Waiting] = []
        self._n_bytes = 0
        self._n_dropped = 0
        self._last: dict[tuple[str, str], Last] = {}
        self._turn = threading.Lock()
        self._known = Known()
        self._whole: dict[str, int] = {}
        """Sizes of files that end with a record that an act names."""

    def take(self, request: Request, answer: Answer) -> None:
        """Take an answer in; at once, nothing is written yet."""
        if request.method != "GET" or social_platform(answer.url) or social_platform(request.url):
            return
        if not (200 <= answer.status < 300 or answer.is_unchanged) or not self._chosen(website_of(request.url)):
            return
        # A feed is asked a hundred times a day: what did not change is noted once a day.
        content = None if answer.is_unchanged else hashlib.blake2b(answer.body, digest_size=16).digest()
        place, day = (request.url, answer.url), answer.started_at.date()
        with self._turn:
            last = self._last.get(place)
            if last is not None and last.day == day and content in (None, last.content):
                return
            if self._n_bytes + len(answer.body) > MAX_WAITING_BYTES:
                self._n_dropped += 1
                return
            self._last[place] = Last(content or (last.content if last is not None else None), day)
            self._waiting.append(Waiting(request, answer))
            self._n_bytes += len(answer.body)

    def write(self, scrub: Scrub, now: datetime, *, by: str = "watch", lock: Lock = contextlib.nullcontext) -> int:
        """Write what was taken in; return the number of items kept. On disk, file and chain, when this returns.

        What could not be written is held for the next time.

        Args:
            scrub: replaces private handles in the source of a page or feed.
            lock: held for the writing only; replacing handles in long pages takes its time.
        """
        with self._turn:
            waiting, self._waiting = self._waiting, []
            n_dropped, self._n_dropped = self._n_dropped, 0
            self._n_bytes = 0
        if not waiting and not n_dropped:
            return 0
        try:
            found = [capture(item.request, item.answer, scrub) for item in waiting]
            with lock():
                return self._write(found, n_dropped, now, by)
        except BaseException:
            with self._turn:
                self._waiting = waiting + self._waiting
                self._n_dropped += n_dropped
                self._n_bytes += sum(len(item.answer.body) for item in waiting)
            raise

    def _write(self, found: Sequence[Capture | None], n_dropped: int, now: datetime, by: str) -> int:
        chain = Chain(self.folder)
        self._known.read_on(chain)
        acts: list[Entry] = []
        wanted = list(self._wanted(found, chain))
        path = None
        if wanted:
            path, info_id = self._file(now)
            with path.open("ab") as out:
                for one, item in wanted:
                    made = records(one, item, self._agent)
                    out.write(b"".join(record.packed(info_id) for record in made))
                    acts.append(act_of(one, item, made, path.name, by))
                out.flush()
                os.fsync(out.fileno())
        if n_dropped:
            acts.append({"act": "dropped", "by": by, "count": n_dropped, "why": "more came than could be held"})
        n_unread = sum(one is None for one in found)
        if n_unread:
            acts.append({"act": "dropped", "by": by, "count": n_unread, "why": "no text in a known encoding"})
        chain.append(acts, now)
        if path is not None:
            self._whole[path.name] = path.stat().st_size
        return sum(act["act"] == "kept" for act in acts)

    def _wanted(self, found: Sequence[Capture | None], chain: Chain) -> Iterator[tuple[Capture, Entry | None]]:
        """Yield captures to be written, each with the item that holds the same content already."""
        written: set[tuple[str, str, str]] = set()
        for one in found:
            if one is None or (one.asked, one.url, one.kept_sha256) in written:
                continue
            item = self._known.item(chain, one.url)
            if item is not None and not one.is_of(item):
                item = None
            if one.body is None and item is None:
                continue  # nothing is kept that this could be about
            if item is not None and not self._known.is_due(one, item):
                continue
            written.add((one.asked, one.url, one.kept_sha256))
            yield one, item

    def _file(self, now: datetime) -> tuple[Path, str | None]:
        """Return the file to append to and the id of its warcinfo; what lies behind its last acknowledged record is cut off."""
        folder = self.folder / "warc"
        folder.mkdir(parents=True, exist_ok=True)
        day = now.strftime("%Y%m%d")
        number = max((int(p.name[9:13]) for p in folder.glob(f"{day}-????.warc.gz")), default=0)
        path = folder / f"{day}-{number:04d}.warc.gz"
        if path.exists() and path.stat().st_size > MAX_FILE_BYTES:
            path = folder / f"{day}-{number + 1:04d}.warc.gz"
        if path.exists() and path.stat().st_size != self._whole.get(path.name):
            self._cut(path)
        if not path.exists() or path.stat().st_size == 0:
            fields = [("WARC-Filename", path.name), ("Content-Type", "application/warc-fields")]
            path.write_bytes(warc.packed("warcinfo", warc.new_id(), now, fields, self._about()))
        first = next(warc.read_records(path), None)
        has_info = first is not None and first.fields.get("warc-type") == "warcinfo"
        return path, first.record_id if first is not None and has_info else None

    def _about(self) -> bytes:
        said = [
            ("software", f"bastau/{bastau.__version__}"),
            ("format", "WARC File Format 1.1"),
            ("conformsTo", _CONFORMS_TO),
            *([("operator", self._operator)] if self._operator else []),
            ("http-header-user-agent", self._agent),
            ("robots", _ROBOTS),
            ("description", _DESCRIPTION),
        ]
        return "".join(f"{name}: {value}\r\n" for name, value in said).encode()

    def _cut(self, path: Path) -> None:
        """Cut off what stands behind the last record that an act names: it was being written when the process was killed.

        Damage before it is for :meth:`verify` to tell. A chain that is not whole says nothing, so nothing is cut then.
        """
        named = {
            record_id
            for entry in Chain(self.folder).entries()
            if entry.get("file") == path.name
            for record_id, _ in record_digests(entry)
        }
        end = 0
        for record in warc.read_records(path):
            if record.record_id in named or record.fields.get("warc-type") == "warcinfo":
                end = record.offset + record.length
        if end < path.stat().st_size and not Chain(self.folder).verify():
            os.truncate(path, end)

    # ---- reading and checking -----------------------------------------------------------------------------

    def items(self, *, match: str = "") -> list[Entry]:
        """Return the acts that kept something, each with ``erased`` (the act that did so, or None), ``n_seen`` (how often it
        was seen again unchanged; at most once a day) and ``last_seen_at``.
        """
        items, seen = self._acts()
        again: dict[int, list[Entry]] = {}
        for entry in seen:
            again.setdefault(entry["of"], []).append(entry)
        return [
            {
                **item,
                "n_seen": len(again.get(item["n"], ())),
                "last_seen_at": max((entry["fetched_at"] for entry in again.get(item["n"], ())), default=None),
            }
            for item in items
            if match in item.get("url", "")
        ]

    def _acts(self) -> tuple[list[Entry], list[Entry]]:
        """Return (acts that kept something, acts that saw it again), those erased since marked with ``erased``."""
        kept: list[Entry] = []
        seen: list[Entry] = []
        gone: dict[int, int] = {}
        for entry in Chain(self.folder).entries():
            if entry["act"] in ("kept", "shot"):
                kept.append(entry)
            elif entry["act"] == "seen":
                seen.append(entry)
            elif entry["act"] == "erased":
                gone[entry["item"]] = entry["n"]
        return tuple([{**entry, "erased": gone.get(entry["n"])} for entry in some] for some in (kept, seen))  # type: ignore[return-value]

    def item(self, number: int) -> Entry:
        """Return an item, by its own number or by that of an act that saw it again.

        Raises:
            ConfigError: there is none.
        """
        items, seen = self.items(), self._acts()[1]
        number = next((entry["of"] for entry in seen if entry["n"] == number), number)
        found = next((entry for entry in items if entry["n"] == number), None)
        if found is None:
            raise ConfigError(f"the chain has no item {number}; `bastau evidence list` names them")
        return found

    def working_copy(self, number: int) -> tuple[Entry, bytes]:
        """Return an item and its bytes, for use; the evidence copy stays where it is.

        Raises:
            ConfigError: no such item, or it was erased, or its file is not there or damaged.
        """
        item = self.item(number)
        if item["erased"] is not None:
            raise ConfigError(f"item {item['n']} was erased by act {item['erased']}")
        missing = ConfigError(f"item {item['n']} is missing from {item['file']}; `bastau evidence verify` says more")
        try:
            if item["act"] == "shot":
                return item, (self.folder / "shots" / item["file"]).read_bytes()
            for record in warc.read_records(self.folder / "warc" / item["file"]):
                if record.record_id == item["record"]:
                    return item, _body(record)
        except FileNotFoundError:
            raise missing from None
        raise missing

    def verify(self) -> list[Finding]:
        """Return everything that is not as the chain says: broken links, and records missing or changed."""
        try:
            findings = Chain(self.folder).verify()
        except LakeDamaged as error:
            findings = [Finding("unreadable", None, str(error))]
        if any(finding.code == "unreadable" for finding in findings):
            return findings
        wanted: dict[str, dict[str, tuple[Entry, str]]] = {}
        items, seen = self._acts()
        standing = {item["file"] for item in items if item["act"] == "shot" and item["erased"] is None}
        for item in items + seen:
            if item["act"] == "shot":
                findings += self._verify_shot(item, standing)
            else:
                named = wanted.setdefault(item["file"], {})
                named.update({record_id: (item, block_sha256) for record_id, block_sha256 in record_digests(item)})
        for name, named in wanted.items():
            findings += self._verify_file(name, named)
        known = set(wanted)
        stray = [path.name for path in (self.folder / "warc").glob("*.warc.gz") if path.name not in known]
        findings += [Finding("unknown_file", None, f"{name} is in no act of the chain") for name in sorted(stray)]
        # An act may name several records; one line for each is enough.
        return sorted(dict.fromkeys(findings), key=lambda finding: finding.number or 0)

    def _verify_shot(self, item: Entry, standing: Collection[str]) -> list[Finding]:
        path = self.folder / "shots" / item["file"]
        if item["erased"] is not None:
            is_left = path.exists() and item["file"] not in standing
            return [Finding("not_erased", item["n"], f"{item['file']} is still there")] if is_left else []
        if not path.exists():
            return [Finding("missing", item["n"], f"{item['file']} is not there")]
        same = hashlib.sha256(path.read_bytes()).hexdigest() == item["kept_sha256"]
        return [] if same else [Finding("changed", item["n"], f"{item['file']} is not the picture that was taken")]

    def _verify_file(self, name: str, named: Mapping[str, tuple[Entry, str]]) -> list[Finding]:
        path = self.folder / "warc" / name
        findings, seen = [], set()
        for record in warc.read_records(path) if path.exists() else ():
            if record.record_id not in named:
                if record.fields.get("warc-type") != "warcinfo":
                    findings.append(
                        Finding("unknown_record", None, f"{name} holds {record.record_id}, which no act names")
                    )
                continue
            item, block_sha256 = named[record.record_id]
            if record.record_id in seen:
                findings.append(Finding("doubled", item["n"], f"its record stands twice in {name}"))
            seen.add(record.record_id)
            if item["erased"] is not None:
                findings.append(Finding("not_erased", item["n"], f"its record is still in {name}"))
            elif hashlib.sha256(record.block).hexdigest() != block_sha256:
                findings.append(Finding("changed", item["n"], f"its record in {name} is not the one that was kept"))
        for record_id, (item, _) in named.items():
            if record_id not in seen and item["erased"] is None:
                findings.append(
                    Finding("missing", item["n"], f"its record is not in {name}, or lies behind a damaged one")
                )
        return findings

    # ---- retention and erasure ----------------------------------------------------------------------------

    def erase(self, numbers: Sequence[int], now: datetime, *, by: str, why: str) -> int:
        """Take items out for good, and with them the acts that saw them again; who, when and why stay in the chain, which
        stays whole. Return how many acts' records are gone.

        Raises:
            ConfigError: no reason is given, or there is no such item.
        """
        if not why.strip() or not by.strip():
            raise ConfigError("say who erases and why: --by NAME --why REASON; both stay in the chain")
        wanted = set(numbers)
        kept, seen = self._acts()
        unknown = wanted - {entry["n"] for entry in kept + seen}
        if unknown:
            named = ", ".join(map(str, sorted(unknown)))
            raise ConfigError(f"the chain has no item {named}; `bastau evidence list` names them")
        acts = [
            entry
            for entry in kept + seen
            if entry["erased"] is None and (entry["n"] in wanted or entry.get("of") in wanted)
        ]
        # The act comes first: killed in between, verify says not_erased, and erasing again ends it.
        Chain(self.folder).append([{"act": "erased", "by": by, "why": why, "item": act["n"]} for act in acts], now)
        kept, seen = self._acts()
        self._take_out([entry for entry in kept + seen if entry["erased"] is not None], kept)
        return len(acts)

    def _take_out(self, acts: Sequence[Entry], items: Sequence[Entry]) -> None:
        by_file: dict[str, set[str]] = {}
        standing = {item["file"] for item in items if item["act"] == "shot" and item["erased"] is None}
        for act in acts:
            if act["act"] == "shot":
                if act["file"] not in standing:
                    (self.folder / "shots" / act["file"]).unlink(missing_ok=True)
            else:
                by_file.setdefault(act["file"], set()).update(record_id for record_id, _ in record_digests(act))
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
        """Return the numbers of acts whose records are older than ``days``, of one website or of all.

        An item is as old as the last time that the same was seen: what was seen yesterday can be shown only with it.
        """
        return self.expired_by(now, lambda *sites: days if website is None or website in sites else None)

    def expired_by(self, now: datetime, days_of: Callable[[str, str], int | None]) -> list[int]:
        """Return the numbers of acts whose records are older than what ``days_of`` says of the website that was asked and the
        one that answered, which is another after a redirect; None: never.
        """
        _, seen = self._acts()
        found = []
        for entry in [*self.items(), *seen]:
            if entry["erased"] is not None:
                continue
            days = days_of(website_of(entry.get("asked", entry["url"])), website_of(entry["url"]))
            at = datetime.fromisoformat(entry.get("last_seen_at") or entry["at"])
            if days is not None and (now - at).days >= days:
                found.append(entry["n"])
        return found


def _body(record: warc.Record) -> bytes:
    if record.fields.get("warc-type") == "response":
        return record.block.partition(b"\r\n\r\n")[2]
    return record.block

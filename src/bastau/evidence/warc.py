"""Records of web archives: writing them, and reading them back by their own ids.

Reference: ISO 28500:2017 (WARC 1.1), sections 5 (named fields) and 6 (record types).
"""

import gzip
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

MAX_BLOCK = 64 << 20
_MAGIC = b"\x1f\x8b\x08"


@dataclass(frozen=True)
class Record:
    """One record as read back: its named fields (lower case), its block, and where its member lies in the file."""

    fields: dict[str, str]
    block: bytes
    offset: int
    length: int

    @property
    def record_id(self) -> str:
        """The id that the chain names."""
        return self.fields.get("warc-record-id", "")


def new_id() -> str:
    """Return an id for a record."""
    return f"<urn:uuid:{uuid.uuid4()}>"


def packed(kind: str, record_id: str, at: datetime, fields: Sequence[tuple[str, str]], block: bytes) -> bytes:
    """Return a record as one gzip member, as the standard's annex D wants it."""
    lines = [
        ("WARC-Type", kind),
        ("WARC-Record-ID", record_id),
        ("WARC-Date", date(at)),
        *((name, _one_line(value)) for name, value in fields),
        ("Content-Length", str(len(block))),
    ]
    head = "WARC/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"
    return gzip.compress(head.encode() + block + b"\r\n\r\n", 6, mtime=0)


def date(at: datetime) -> str:
    """Return a time as WARC-Date wants it, to the microsecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _one_line(value: str) -> str:
    return "".join(" " if c in "\r\n" else c for c in value)


def read_records(path: Path) -> Iterator[Record]:
    """Yield the whole records of a file; what is damaged is stepped over to the next member that is one."""
    with path.open("rb") as file:
        offset = 0
        while True:
            member = _member(file, offset)
            record = None if member is None else _parse(member[0], offset, member[1])
            if record is not None:
                yield record
                offset += record.length
                continue
            found = _next_member(file, offset + 1)
            if found is None:
                return
            offset = found


def _next_member(file: IO[bytes], start: int) -> int | None:
    """Return where the next gzip member may begin."""
    file.seek(start)
    before = b""
    while chunk := file.read(1 << 20):
        data = before + chunk
        at = data.find(_MAGIC)
        if at >= 0:
            return start - len(before) + at
        start += len(chunk)
        before = data[-len(_MAGIC) + 1 :]
    return None


def _member(file: IO[bytes], offset: int) -> tuple[bytes, int] | None:
    """Return (content, packed length) of the gzip member at ``offset``; None at the end or where it is torn."""
    file.seek(offset)
    unpacker, parts, taken, size = zlib.decompressobj(31), [], 0, 0
    while not unpacker.eof:
        chunk = file.read(1 << 16)
        if not chunk:
            return None
        try:
            part = unpacker.decompress(chunk)
        except zlib.error:
            return None
        parts.append(part)
        size += len(part)
        if size > MAX_BLOCK + (1 << 20):
            return None
        taken += len(chunk) - len(unpacker.unused_data)
    return b"".join(parts), taken


def _parse(data: bytes, offset: int, length: int) -> Record | None:
    head, separator, rest = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if not separator or not lines[0].startswith(b"WARC/1."):
        return None
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        fields[name.decode("utf-8", "replace").strip().lower()] = value.decode("utf-8", "replace").strip()
    n = int(fields["content-length"]) if fields.get("content-length", "").isdigit() else -1
    return Record(fields, rest[:n], offset, length) if 0 <= n <= len(rest) else None


def as_http(status: int, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """Return an answer as HTTP/1.1 would have sent it, unpacked."""
    return http(f"HTTP/1.1 {status} ", headers, body)


def http(first: str, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """Return a message of HTTP/1.1 that begins with the line ``first``."""
    lines = [first, *(f"{_one_line(name)}: {_one_line(value)}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode() + body

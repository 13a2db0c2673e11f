"""Files as they lie on disk -> plain byte streams: packing, archives and encodings, told by content."""

import codecs
import gzip
import io
import logging
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from bastau.errors import InputError

logger = logging.getLogger(__name__)

MAX_RATIO = 200
"""Unpacked / packed size from which a stream counts as a bomb. Repetitive NDJSON packs about 10 to 60 times; zeros
pack 1,000 times with gzip."""
MAX_RATIO_FROM = 1 << 30
"""Bytes out before the ratio counts: below 1 GiB even a bomb is only a small import."""
MAX_MEMBERS = 10_000
"""Members of one archive; more is not an export but a way to keep us busy."""
HEAD_BYTES = 1 << 20
"""Bytes looked at to tell encoding and format."""

_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_OTHER_PACKING = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7-zip",
    b"Rar!": "RAR",
    b"PK\x05\x06": "an empty zip",
}


@dataclass
class Member:
    """One plain stream inside a file: the file itself, or one entry of an archive."""

    name: str
    """File name without its folder; ``archive.zip:entry`` inside an archive."""
    stream: io.BufferedReader
    notes: list[str] = field(default_factory=list)


class Counted(io.RawIOBase):
    """A raw stream that counts what was read from it."""

    def __init__(self, inner: BinaryIO) -> None:
        super().__init__()
        self._inner = inner
        self.count = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer`` from the inner stream."""
        data = self._inner.read(len(buffer))
        self.count += len(data)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the inner stream too."""
        self._inner.close()
        super().close()


class _Unpacked(io.RawIOBase):
    """The unpacked side of a packed stream; refuses bombs and turns damage into :class:`InputError`."""

    def __init__(self, name: str, packed: Counted, plain: Any) -> None:
        super().__init__()
        self._name, self._packed, self._plain = name, packed, plain
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            data = self._plain.read1(len(buffer))  # read() would lose what came before damage
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, zstandard.ZstdError) as error:
            raise InputError(
                f"{self._name}: the packed data is damaged or cut off after {self._count} unpacked bytes; "
                "what came before is kept; fetch the file again for the rest"
            ) from error
        self._count += len(data)
        if self._count > MAX_RATIO_FROM and self._count > MAX_RATIO * self._packed.count:
            raise InputError(
                f"{self._name}: unpacks to more than {MAX_RATIO} times its size, which looks like an archive made "
                "to fill the machine; unpack it yourself and import the plain file if you trust it"
            )
        buffer[: len(data)] = data
        return len(data)


@dataclass
class Opened:
    """An open input file: its members, and how many packed bytes were read so far."""

    raw: Counted
    members: Iterator[Member]
    is_archive: bool = False


def open_file(path: Path) -> Opened:
    """Open ``path`` and return its plain members.

    Raises:
        InputError: missing, a folder, unreadable, empty, packed in a way that is not read, or nested archives.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the files in it")
    try:
        file = path.open("rb")
        size = path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the spelling") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if size == 0:
        file.close()
        raise InputError(f"{path}: is empty; was the export finished?")
    raw = Counted(file)
    magic = file.read(8)
    file.seek(0)
    if magic.startswith(_ZIP):
        try:
            archive = _open_zip(path)
        except InputError:
            raw.close()
            raise
        names = {info.filename for info in archive.infolist()}
        is_wacz = "datapackage.json" in names and any(name.startswith("archive/") for name in names)
        return Opened(raw, _zip_members(path.name, archive, raw, is_wacz), is_archive=True)
    return Opened(raw, iter([Member(path.name, _plain(path.name, raw))]))


def _plain(name: str, raw: Counted, depth: int = 1) -> io.BufferedReader:
    buffered: io.BufferedReader[Any] = io.BufferedReader(raw, 1 << 18)
    magic = buffered.peek(8)[:8]
    for mark, kind in _OTHER_PACKING.items():
        if magic.startswith(mark):
            raise InputError(f"{name}: is packed as {kind}; unpack it first (gzip, zstd and zip are read as they are)")
    if magic.startswith(_ZIP) or (depth == 0 and magic.startswith((_GZIP, _ZSTD))):
        raise InputError(f"{name}: is an archive inside an archive; unpack the outer one first")
    if not magic.startswith((_GZIP, _ZSTD)):
        return buffered
    packed = Counted(buffered)
    if magic.startswith(_GZIP):
        plain: Any = gzip.GzipFile(fileobj=packed)
    else:
        plain = zstandard.ZstdDecompressor().stream_reader(cast(BinaryIO, packed), read_across_frames=True)
    unpacked = Counted(cast(BinaryIO, _Unpacked(name, packed, plain)))
    return _plain(name, unpacked, depth=0)


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise InputError(f"{path}: the zip file is damaged or cut off; fetch it again") from error
    if len(archive.infolist()) > MAX_MEMBERS:
        raise InputError(f"{path}: holds more than {MAX_MEMBERS} files; unpack it and name those to import")
    return archive


def _zip_members(name: str, archive: zipfile.ZipFile, raw: Counted, is_wacz: bool) -> Iterator[Member]:
    with archive:
        for info in archive.infolist():
            base = info.filename.rsplit("/", 1)[-1]
            hidden = base.startswith(".") or info.filename.startswith("__MACOSX/")
            if info.is_dir() or hidden or info.file_size == 0 or (is_wacz and not info.filename.startswith("archive/")):
                continue
            label = f"{name}:{base}"
            if info.flag_bits & 1:
                raise InputError(f"{label}: is locked with a password; unpack it first")
            if info.file_size > MAX_RATIO_FROM and info.file_size > MAX_RATIO * max(info.compress_size, 1):
                raise InputError(
                    f"{label}: unpacks to more than {MAX_RATIO} times its size, which looks like an archive made to "
                    "fill the machine; unpack it yourself and import the plain file if you trust it"
                )
            before = raw.count
            packed = _Progress(raw, before, info)
            try:
                opened = archive.open(info)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
                raise InputError(f"{label}: cannot be unpacked; unpack the archive first") from error
            plain = Counted(cast(BinaryIO, _Unpacked(label, packed, opened)))
            packed.follow = plain
            with opened:
                yield Member(label, _plain(label, plain))
            raw.count = before + info.compress_size


class _Progress(Counted):
    """Packed bytes of a zip entry, taken from the unpacked count: :mod:`zipfile` does not tell them."""

    def __init__(self, raw: Counted, before: int, info: zipfile.ZipInfo) -> None:
        super().__init__(io.BytesIO())
        self._raw, self._before = raw, before
        self._share = info.compress_size / info.file_size
        self._limit = info.compress_size
        self.follow: Counted | None = None

    @property
    def count(self) -> int:
        """Packed bytes read so far."""
        unpacked = self.follow.count if self.follow is not None else 0
        packed = min(int(unpacked * self._share) + 1, self._limit)
        self._raw.count = self._before + packed
        return packed

    @count.setter
    def count(self, value: int) -> None:
        """Ignore: the count follows the unpacked side."""


# ---- encodings -----------------------------------------------------------------------------------------

_BOMS = [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")]
_CYRILLIC_RUN = re.compile(rb"[\xc0-\xff\xa8\xb8]{2,}")


class _Recoded(io.RawIOBase):
    """A stream in another encoding, given out as UTF-8."""

    def __init__(self, name: str, inner: BinaryIO, encoding: str) -> None:
        super().__init__()
        self._name, self._inner, self._encoding = name, inner, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._read = 0
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            data = self._inner.read(1 << 16)
            try:
                self._rest = self._decoder.decode(data, final=not data).encode("utf-8", "replace")
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{self._name}: is {self._encoding}, but not at byte {self._read + error.start}; "
                    "save it as UTF-8 and import again"
                ) from error
            self._read += len(data)
            if not data:
                break
        n = min(len(self._rest), len(buffer))
        buffer[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n


def as_utf8(member: Member) -> io.BufferedReader:
    """Return the member's stream as UTF-8 without a byte-order mark; notes on it what was recoded.

    UTF-16 is told by its mark or by the zero bytes of ASCII, Windows-1251 by runs of bytes that are Cyrillic letters,
    mostly small ones, there. Nothing else is guessed.

    Raises:
        InputError: neither of these; names the offset of the first byte that is not UTF-8.
    """
    stream = _with_head(member.stream)
    head = stream.peek(HEAD_BYTES)
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            stream.read(len(mark))
            return stream if encoding == "utf-8" else _recode(member, stream, encoding)
    for encoding, part in (("utf-16-le", head[1:4096:2]), ("utf-16-be", head[0:4096:2])):
        if len(part) > 2 and part.count(0) > 0.6 * len(part) and head[:4096].count(0) <= 0.55 * len(head[:4096]):
            return _recode(member, stream, encoding)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError as error:
        if head.count(0):  # binary; the recogniser says so
            return stream
        if _looks_cp1251(head):
            return _recode(member, stream, "cp1251")
        if _mostly_utf8(head):  # single broken rows become rejects
            return stream
        raise InputError(
            f"{member.name}: is not UTF-8 at byte {error.start}, and neither UTF-16 nor Windows-1251; "
            "save it as UTF-8 and import again"
        ) from None
    return stream


def _with_head(stream: BinaryIO) -> io.BufferedReader:
    """Return a reader whose ``peek`` shows up to :data:`HEAD_BYTES` at once."""
    buffered: io.BufferedReader[Any] = io.BufferedReader(_Joined(stream), HEAD_BYTES)
    buffered.peek(1)
    return buffered


class _Joined(io.RawIOBase):
    """A raw stream that fills every buffer as far as its source allows."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self._inner = inner
        self._error: InputError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if self._error is not None:
            raise self._error
        filled = 0
        while filled < len(buffer):
            try:
                data = self._inner.read1(len(buffer) - filled)
            except InputError as error:  # first give out what came before the damage
                self._error = error
                if filled:
                    break
                raise
            if not data:
                break
            buffer[filled : filled + len(data)] = data
            filled += len(data)
        return filled


def _recode(member: Member, stream: BinaryIO, encoding: str) -> io.BufferedReader:
    note = f"{member.name}: read as {encoding}"
    member.notes.append(note)
    logger.warning(note)
    return _with_head(io.BufferedReader(_Recoded(member.name, stream, encoding)))


def _looks_cp1251(head: bytes) -> bool:
    high = len(head.translate(None, bytes(range(128))))
    in_words = sum(len(run) for run in _CYRILLIC_RUN.findall(head))
    small = len(head.translate(None, bytes(set(range(256)) - set(range(0xE0, 0x100)))))
    capital = len(head.translate(None, bytes(set(range(256)) - set(range(0xC0, 0xE0)))))
    return in_words >= 0.8 * high and small >= 2 * capital


def _mostly_utf8(head: bytes) -> bool:
    lines = head.split(b"\n")[:-1]
    good = sum(_is_utf8(line) for line in lines)
    return len(lines) >= 3 and good >= 0.5 * len(lines)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

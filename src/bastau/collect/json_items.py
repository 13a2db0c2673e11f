"""One large JSON document -> its items, without ever holding the document.

Used where an export is a single object of many gigabytes (Telegram Desktop, TGDataset).
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numba as nb
import numpy as np
import orjson

from bastau.collect.reading import MAX_RECORD_BYTES
from bastau.errors import InputError

Path = tuple[str | int, ...]


@nb.njit(nogil=True, cache=True)
def _value_end(data, start):  # type: ignore[no-untyped-def]
    """Return the index after the JSON value at ``start``, or -1 when the data ends before it does."""
    n = len(data)
    if data[start] == 34:
        i = start + 1
        while i < n:
            if data[i] == 92:
                i += 2
                continue
            if data[i] == 34:
                return i + 1
            i += 1
        return -1
    if data[start] != 123 and data[start] != 91:
        i = start
        while i < n:
            c = data[i]
            if c in (44, 125, 93) or c <= 32:
                return i
            i += 1
        return -1
    depth = 0
    in_string = False
    i = start
    while i < n:
        c = data[i]
        if in_string:
            if c == 92:
                i += 1
            elif c == 34:
                in_string = False
        elif c == 34:
            in_string = True
        elif c in (123, 91):
            depth += 1
        elif c in (125, 93):
            depth -= 1
            if depth == 0:
                return i + 1
        i += 1
    return -1


@dataclass(frozen=True)
class Item:
    """One value: where it stands, and its bytes (None when it was too long to hold)."""

    path: Path
    data: bytes | None


class _Cursor:
    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self.data = b""
        self.view = np.zeros(0, np.uint8)
        self.at = 0
        self.at_end = False

    def more(self) -> bool:
        data = self._stream.read1(1 << 20)
        if not data:
            self.at_end = True
            return False
        self.data = self.data[self.at :] + data
        self.view = np.frombuffer(self.data, np.uint8)
        self.at = 0
        return True

    def byte(self) -> int:
        """Return the next byte that is no blank, without taking it; -1 at the end."""
        while True:
            while self.at < len(self.data):
                byte = self.data[self.at]
                if byte > 32:
                    return byte
                self.at += 1
            if not self.more():
                return -1

    def take(self) -> bytes | None:
        """Return the bytes of the value here, or None for one longer than :data:`MAX_RECORD_BYTES`."""
        self.byte()
        while True:
            if self.at < len(self.data):
                end = int(_value_end(self.view, self.at))
                if end >= 0:
                    value = self.data[self.at : end]
                    self.at = end
                    return value
                if len(self.data) - self.at > MAX_RECORD_BYTES:
                    self._skip()
                    return None
            if not self.more():
                raise _cut_off()

    def _skip(self) -> None:
        depth, in_string, escaped = 0, False, False
        while True:
            for i in range(self.at, len(self.data)):
                byte = self.data[i]
                if in_string:
                    if escaped:
                        escaped = False
                    elif byte == 92:
                        escaped = True
                    elif byte == 34:
                        in_string = False
                elif byte == 34:
                    in_string = True
                elif byte in (123, 91):
                    depth += 1
                elif byte in (125, 93):
                    depth -= 1
                if depth == 0 and not in_string and not escaped:
                    self.at = i + 1
                    return
            self.at = len(self.data)
            if not self.more():
                raise _cut_off()


def _cut_off() -> InputError:
    return InputError("the JSON document is cut off or broken; what came before is kept; export it again for the rest")


def walk(stream: io.BufferedReader, descend: Callable[[Path], bool]) -> Iterator[Item]:
    """Yield the values of a JSON document in order; containers for which ``descend(path)`` holds are entered.

    Raises:
        InputError: the document is cut off or no JSON.
    """
    cursor = _Cursor(stream)
    yield from _walk(cursor, (), descend)


def _walk(cursor: _Cursor, path: Path, descend: Callable[[Path], bool]) -> Iterator[Item]:
    opening = cursor.byte()
    if opening not in (123, 91) or not descend(path):
        yield Item(path, cursor.take())
        return
    closing = 125 if opening == 123 else 93
    cursor.at += 1
    index = 0
    while (byte := cursor.byte()) != closing:
        if byte < 0:
            raise _cut_off()
        if byte == 44:
            cursor.at += 1
            continue
        key: str | int = index
        if opening == 123:
            try:
                key = orjson.loads(cursor.take() or b'""')
            except orjson.JSONDecodeError:
                raise _cut_off() from None
            if cursor.byte() != 58:
                raise _cut_off()
            cursor.at += 1
        yield from _walk(cursor, (*path, key), descend)
        index += 1
    cursor.at += 1

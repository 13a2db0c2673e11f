"""Content encodings, unpacked with a bound: one layer, never more bytes than asked for."""

import zlib

import zstandard

ACCEPTED = "gzip, deflate, br, zstd"
_BLOCK = 1 << 16
_MAX_MEMBERS = 16
"""Of one gzip body: each costs a copy of all that follow."""


class TooLarge(Exception):
    """There is more than the bound."""


class Garbled(Exception):
    """Not what the encoding says, or cut short."""


def unpack(body: bytes | bytearray, encoding: str, max_bytes: int) -> bytes:
    """Return the unpacked ``body``.

    Args:
        encoding: value of ``Content-Encoding``. Two layers are refused: no honest server sends them, and each multiplies
            what a bomb costs.

    Raises:
        TooLarge: unpacked it has more than ``max_bytes``.
        Garbled: the encoding is unknown, or the body is not in it.
    """
    name = encoding.strip().lower()
    if name in ("", "identity") or not body:
        if len(body) > max_bytes:
            raise TooLarge
        return bytes(body)
    if name in ("gzip", "x-gzip", "deflate"):
        return _inflate(body, name, max_bytes)
    if name == "br":
        return _brotli(body, max_bytes)
    if name == "zstd":
        return _zstd(body, max_bytes)
    raise Garbled


def _inflate(body: bytes | bytearray, name: str, max_bytes: int) -> bytes:
    if name == "deflate":
        # Servers send it with the zlib header of RFC 9110 and without.
        is_wrapped = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
        bits = zlib.MAX_WBITS if is_wrapped else -zlib.MAX_WBITS
    elif body[:2] == b"\x1f\x8b":
        bits = zlib.MAX_WBITS | 16
    else:
        # Some servers say gzip and send it plain.
        if len(body) > max_bytes:
            raise TooLarge
        return bytes(body)
    found = b""
    rest: bytes | bytearray = body
    for _ in range(_MAX_MEMBERS):
        unpacker = zlib.decompressobj(bits)
        try:
            found += unpacker.decompress(rest, max_bytes - len(found) + 1)
        except zlib.error as error:
            raise Garbled from error
        if len(found) > max_bytes:
            raise TooLarge
        if not unpacker.eof:
            raise Garbled
        rest = unpacker.unused_data
        if name == "deflate" or rest[:2] != b"\x1f\x8b":  # bytes behind the end are ignored, as browsers do
            return found
    raise Garbled


def _brotli(body: bytes | bytearray, max_bytes: int) -> bytes:
    import brotli

    unpacker = brotli.Decompressor()
    found = bytearray()
    given = bytes(body)
    try:
        while not unpacker.is_finished():
            block = unpacker.process(given, output_buffer_limit=_BLOCK)
            given = b""
            found += block
            if len(found) > max_bytes:
                raise TooLarge
            if not block and unpacker.can_accept_more_data():
                raise Garbled
    except brotli.error as error:
        raise Garbled from error
    return bytes(found)


def _zstd(body: bytes | bytearray, max_bytes: int) -> bytes:
    found = bytearray()
    # RFC 9659: windows beyond 8 MiB are not for the web.
    unpacker = zstandard.ZstdDecompressor(max_window_size=8 << 20)
    try:
        with unpacker.stream_reader(bytes(body), read_across_frames=True) as reader:
            while block := reader.read(_BLOCK):
                found += block
                if len(found) > max_bytes:
                    raise TooLarge
    except zstandard.ZstdError as error:
        raise Garbled from error
    return bytes(found)
